//! `provost scim`: tools for support that speak SCIM as a directory does.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use secrecy::SecretString;

use super::print::{Busy, out};
use super::{Settings, stop_signal};
use crate::flow::scim_check::{Report, Server, Verdict, Walk};
use crate::outbound::Outbound;
use crate::world::World;

/// Tools for support that speak SCIM as a directory does.
#[derive(Args, Clone, Debug)]
pub struct Scim {
    #[command(subcommand)]
    command: ScimCommand,
}

#[derive(Clone, Debug, Subcommand)]
enum ScimCommand {
    Check(Check),
}

/// Walk through any SCIM 2.0 server as Okta, Entra and others use it, and say what to mend.
///
/// Makes two people and a group whose names begin with `provost-check-`, and deletes them at the end. Exits with 1 if a
/// check failed.
#[derive(Args, Clone, Debug)]
struct Check {
    /// The address that directories are given: what comes before /Users.
    url: String,
    /// The bearer token. Others on this machine can see it in the list of processes: --token-file is safer.
    #[arg(long, required_unless_present = "token_file", conflicts_with = "token_file")]
    token: Option<String>,
    /// File with the bearer token; `-` reads standard input.
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Domain of the e-mail addresses that are made, for servers that accept some only.
    #[arg(long, default_value = "example.com")]
    domain: String,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    settings: Settings,
}

impl Scim {
    /// Runs the command.
    ///
    /// # Errors
    /// When the walk cannot begin; everything else is a check in its table.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let ScimCommand::Check(check) = self.command;
        check.run().await
    }
}

impl Check {
    async fn run(self) -> anyhow::Result<ExitCode> {
        let config = self.settings.load()?;
        let outbound = Outbound::new(
            config.allow_private_addresses,
            config.outbound_authorities.as_deref(),
        )?;
        let server = Server::new(outbound, &self.url, &self.token()?)
            .context("the token has characters that cannot be sent")?;
        let world = World::new();
        let mark: String = world.bytes::<4>()?.iter().fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        });
        let mut walk = Walk::new(server, &mark, &self.domain);
        let busy = Busy::new("walking through the server");
        // Interrupted, it still cleans up.
        let interrupted = tokio::select! {
            () = walk.run() => false,
            () = stop_signal() => true,
        };
        let report = walk.finish().await;
        drop(busy);
        if self.json {
            out(&format!("{}\n", serde_json::to_string_pretty(&report)?))?;
        } else {
            out(&table(&self.url, &report)?)?;
        }
        if interrupted {
            bail!("interrupted; what was made is deleted");
        }
        Ok(if report.is_good() {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        })
    }

    fn token(&self) -> anyhow::Result<SecretString> {
        let text = match (&self.token, &self.token_file) {
            (Some(token), _) => token.clone(),
            (None, Some(file)) if file.as_os_str() == "-" => std::io::read_to_string(std::io::stdin())?,
            (None, Some(file)) => {
                std::fs::read_to_string(file).with_context(|| file.display().to_string())?
            }
            (None, None) => bail!("give the token with --token-file or --token"),
        };
        Ok(text.trim().to_owned().into())
    }
}

/// One line per check; below one that did not pass, what to do.
fn table(url: &str, report: &Report) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    writeln!(text, "{url}")?;
    let widest = report
        .checks
        .iter()
        .map(|check| check.name.len())
        .max()
        .unwrap_or(0);
    for check in &report.checks {
        let mark = match check.verdict {
            Verdict::Passed => "ok  ",
            Verdict::Warning => "look",
            Verdict::Failed => "BAD ",
            Verdict::Skipped => "skip",
        };
        let found = printable(&check.found);
        writeln!(
            text,
            "{mark}  {:<9}  {:<widest$}  {found}",
            check.area, check.name
        )?;
        if let Some(advice) = check.advice {
            writeln!(text, "      do: {advice}")?;
        }
    }
    for path in &report.left {
        writeln!(
            text,
            "BAD   clean-up   {} could not be deleted: delete it by hand",
            printable(path)
        )?;
    }
    writeln!(
        text,
        "{} passed, {} to look at, {} failed, {} skipped",
        report.count(Verdict::Passed),
        report.count(Verdict::Warning),
        report.count(Verdict::Failed),
        report.count(Verdict::Skipped)
    )?;
    Ok(text)
}

/// What a server said must not move the cursor.
fn printable(text: &str) -> String {
    text.chars()
        .map(|letter| if letter.is_control() { ' ' } else { letter })
        .collect()
}
