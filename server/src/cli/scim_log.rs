//! `provost scim-log`: what directories asked and what they got.

use std::fmt::Write as _;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;
use jiff::Timestamp;
use provost_store::{ScimRequest, ScimRequestFilter, StoreError};

use super::print::out;
use super::{Settings, open_store};
use crate::world::World;

/// Show the latest requests of directories, oldest first.
///
/// Bodies are kept without passwords, tokens and other secrets.
#[derive(Args, Clone, Debug)]
pub struct ScimLog {
    /// To the addresses of this connection only.
    #[arg(long)]
    connection: Option<String>,
    /// Only those that were not done: refused, unauthenticated, too fast or failed.
    #[arg(long)]
    failed: bool,
    /// Not before this time (RFC 3339, such as 2026-11-26T08:00:00Z).
    #[arg(long)]
    after: Option<String>,
    /// Before this time.
    #[arg(long)]
    before: Option<String>,
    /// About this person or group, by id.
    #[arg(long)]
    target: Option<String>,
    /// With this text in the address.
    #[arg(long)]
    path: Option<String>,
    /// How many, at most.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    last: u32,
    /// Show the bodies too.
    #[arg(long)]
    bodies: bool,
    /// One JSON object for each request.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    settings: Settings,
}

impl ScimLog {
    /// Prints the requests.
    ///
    /// # Errors
    /// When a time cannot be read or the database fails.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let filter = self.filter()?;
        let store = open_store(&self.settings.load()?, &World::new()).await?;
        let last = self.last;
        let found: Result<Vec<ScimRequest>, StoreError> = store
            .read(move |reader| Box::pin(async move { reader.scim_requests(&filter, last).await }))
            .await;
        store.close().await;
        let found = found?;
        if found.is_empty() && !self.json {
            out("no requests\n")?;
        }
        for request in found.iter().rev() {
            out(&if self.json {
                json(request)
            } else {
                self.lines(request)
            })?;
        }
        Ok(ExitCode::SUCCESS)
    }

    fn filter(&self) -> anyhow::Result<ScimRequestFilter> {
        let time = |text: &Option<String>| {
            text.as_ref()
                .map(|text| {
                    text.parse::<Timestamp>()
                        .with_context(|| format!("{text} is no time"))
                })
                .transpose()
        };
        let outcomes = if self.failed {
            ["refused", "unauthenticated", "too_fast", "failed"]
                .map(str::to_owned)
                .to_vec()
        } else {
            Vec::new()
        };
        Ok(ScimRequestFilter {
            connection: self.connection.clone(),
            since: time(&self.after)?,
            until: time(&self.before)?,
            outcomes,
            path: self.path.clone(),
            target: self.target.clone(),
            ..ScimRequestFilter::default()
        })
    }

    fn lines(&self, request: &ScimRequest) -> String {
        let mut text = String::new();
        let _ = write!(
            text,
            "{}  {:<24} {:<6} {:<3} {:<15} {:>6.1} ms  {}{}",
            request.at.strftime("%Y-%m-%d %H:%M:%S"),
            plain(&request.connection),
            plain(&request.method),
            request.status,
            request.action,
            milliseconds(request.duration_us),
            request.version,
            plain(&request.path),
        );
        for (name, value) in [("trace", &request.trace), ("from", &request.remote)] {
            if let Some(value) = value {
                let _ = write!(text, "  {name} {}", plain(value));
            }
        }
        text.push('\n');
        if let Some(detail) = &request.detail {
            let code = request.code.as_deref().unwrap_or_default();
            let _ = writeln!(text, "    {code}: {}", plain(detail));
        }
        if self.bodies {
            for (arrow, body) in [(">", &request.request), ("<", &request.response)] {
                if let Some(body) = body {
                    let _ = writeln!(text, "    {arrow} {}", plain(body));
                }
            }
        }
        text
    }
}

/// What directories wrote must not steer the terminal.
fn plain(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_control()).collect()
}

#[expect(clippy::cast_precision_loss, reason = "for people to read")]
fn milliseconds(microseconds: i64) -> f64 {
    microseconds as f64 / 1000.0
}

fn json(request: &ScimRequest) -> String {
    let body = |text: &Option<String>| {
        text.as_ref().map(|text| {
            serde_json::from_str::<serde_json::Value>(text).unwrap_or_else(|_| text.clone().into())
        })
    };
    let line = serde_json::json!({
        "id": request.id,
        "at": request.at,
        "connection": request.connection,
        "method": request.method,
        "path": request.path,
        "version": request.version,
        "action": request.action,
        "target": request.target,
        "token": request.token,
        "status": request.status,
        "outcome": request.outcome,
        "code": request.code,
        "detail": request.detail,
        "duration_us": request.duration_us,
        "remote": request.remote,
        "user_agent": request.user_agent,
        "trace": request.trace,
        "request": body(&request.request),
        "response": body(&request.response),
    });
    format!("{line}\n")
}
