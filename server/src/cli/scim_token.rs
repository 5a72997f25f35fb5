//! `provost scim-token`: tokens and OAuth clients with which directories prove who they are.

use std::fmt::Write as _;
use std::process::ExitCode;

use anyhow::bail;
use clap::{Args, Subcommand};
use jiff::Timestamp;
use provost_kernel::connection::Provisioning;
use provost_store::TokenRecord;
use secrecy::ExposeSecret as _;

use super::print::out;
use super::{Settings, open_app};
use crate::config::Config;
use crate::flow::scim::tokens::{self, CLIENT, Made, Wanted};
use crate::scim_config::ScimVersion;

/// Tokens with which directories push people and groups.
#[derive(Args, Clone, Debug)]
pub struct ScimToken {
    #[command(subcommand)]
    command: Command,
}

#[derive(Clone, Debug, Subcommand)]
enum Command {
    /// Make a token of one connection, and print it once with the addresses to enter at the identity provider.
    ///
    /// Several may live at once: make the new one, enter it, then revoke the old one.
    Create(Create),
    /// List tokens with their last use; never the tokens themselves.
    List(List),
    /// Revoke a token at once.
    Revoke(Revoke),
}

/// Make a token.
#[derive(Args, Clone, Debug)]
struct Create {
    /// The connection whose directory gets it.
    #[arg(long)]
    connection: String,
    /// What it is for, such as the name of the directory.
    #[arg(long, default_value = "directory")]
    label: String,
    /// Days until it expires; without it, it does not.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=3650))]
    expires: Option<u32>,
    /// Make an OAuth client (client credentials) instead of a token, for directories that fetch short-lived tokens.
    #[arg(long)]
    oauth: bool,
    #[command(flatten)]
    settings: Settings,
}

/// List tokens.
#[derive(Args, Clone, Debug)]
struct List {
    /// Of this connection only.
    #[arg(long)]
    connection: Option<String>,
    #[command(flatten)]
    settings: Settings,
}

/// Revoke a token.
#[derive(Args, Clone, Debug)]
struct Revoke {
    /// Identifier, as the list shows it.
    id: String,
    #[command(flatten)]
    settings: Settings,
}

impl ScimToken {
    /// Runs the command.
    ///
    /// # Errors
    /// When the connection or token does not exist, or the database fails.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        match self.command {
            Command::Create(create) => create.run().await,
            Command::List(list) => list.run().await,
            Command::Revoke(revoke) => revoke.run().await,
        }
    }
}

impl Create {
    async fn run(self) -> anyhow::Result<ExitCode> {
        let label = self.label.trim().to_owned();
        if label.is_empty() || label.chars().count() > 100 || label.chars().any(char::is_control) {
            bail!("the label must have 1 to 100 characters");
        }
        let app = open_app(self.settings.load()?).await?;
        let wanted = Wanted {
            connection: self.connection,
            label,
            days: self.expires,
            is_client: self.oauth,
        };
        let made = tokens::create(&app, wanted).await;
        app.store.close().await;
        out(&shown_once(&made?, &app.config))?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Writes what has to be entered at the identity provider.
fn shown_once(made: &Made, config: &Config) -> String {
    let record = &made.record;
    let id = record
        .connection
        .as_ref()
        .map(ToString::to_string)
        .unwrap_or_default();
    let mut text = String::new();
    let what = if record.kind == CLIENT {
        "OAuth client"
    } else {
        "token"
    };
    let _ = writeln!(
        text,
        "{what} {:?} of connection {id} ({}), shown this once:\n",
        record.label, record.id
    );
    let mut rows = Vec::new();
    for version in &made.versions {
        let (name, path) = match version {
            ScimVersion::V2 => ("SCIM 2.0 URL", "v2"),
            ScimVersion::V1 => ("SCIM 1.1 URL", "v1"),
        };
        rows.push((name, config.url(&format!("/scim/{id}/{path}"))));
    }
    rows.reverse();
    if record.kind == CLIENT {
        rows.push(("token URL", config.url(&format!("/scim/{id}/oauth2/token"))));
        rows.push(("client id", record.id.clone()));
        rows.push(("client secret", made.secret.expose_secret().to_owned()));
        rows.push(("scope", "scim".to_owned()));
    } else {
        rows.push(("token", made.secret.expose_secret().to_owned()));
    }
    let end = record.expires_at.map_or_else(|| "never".to_owned(), day);
    rows.push(("expires", end));
    for (name, value) in rows {
        let _ = writeln!(text, "    {name:<14} {value}");
    }
    if made.provisioning != Provisioning::Scim {
        let _ = writeln!(
            text,
            "\nnote: the directory is refused until the connection's `provisioning` is `scim`"
        );
    }
    text
}

impl List {
    async fn run(self) -> anyhow::Result<ExitCode> {
        let app = open_app(self.settings.load()?).await?;
        let now = app.world.now();
        let listed = tokens::list(&app, self.connection).await;
        app.store.close().await;
        let listed = listed?;
        if listed.is_empty() {
            out("no tokens\n")?;
        }
        for token in &listed {
            out(&line(token, now))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn line(token: &TokenRecord, now: Timestamp) -> String {
    let state = match (token.revoked_at, token.expires_at) {
        (Some(at), _) => format!("revoked {}", day(at)),
        (None, Some(end)) if end <= now => format!("expired {}", day(end)),
        (None, Some(end)) => format!("until {}", day(end)),
        (None, None) => "no end".to_owned(),
    };
    let used = token.last_used_at.map_or_else(
        || "never used".to_owned(),
        |at| format!("used {}", at.strftime("%Y-%m-%d %H:%M UTC")),
    );
    let kind = if token.kind == CLIENT { "oauth" } else { "token" };
    let connection = token
        .connection
        .as_ref()
        .map(ToString::to_string)
        .unwrap_or_default();
    format!(
        "{}  {kind}  {connection}  {:?}  made {}  {state}  {used}\n",
        token.id,
        token.label,
        day(token.created_at)
    )
}

fn day(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d").to_string()
}

impl Revoke {
    async fn run(self) -> anyhow::Result<ExitCode> {
        let app = open_app(self.settings.load()?).await?;
        let revoked = tokens::revoke(&app, self.id).await;
        app.store.close().await;
        let revoked = revoked?;
        out(&format!("{} ({:?}) is revoked\n", revoked.id, revoked.label))?;
        Ok(ExitCode::SUCCESS)
    }
}
