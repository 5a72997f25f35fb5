//! `provost apply`, `provost export` and `provost schema`: the declarative file.

use std::fmt::Write as _;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;
use provost_kernel::connection::Protocol;

use super::print::{Busy, out};
use super::{Settings, open_app};
use crate::config::Config;
use crate::declarative::{self, Change, ChangeKind, Mode, Report};

/// Bring organizations, connections, applications and users in from a file.
#[derive(Args, Clone, Debug)]
pub struct Apply {
    /// YAML or JSON file; `-` reads standard input.
    file: PathBuf,
    /// Show what would change, and change nothing.
    #[arg(long)]
    dry_run: bool,
    /// Apply also policies that take access from more people than a connection's guard allows.
    #[arg(long, conflicts_with = "dry_run")]
    approve: bool,
    #[command(flatten)]
    settings: Settings,
}

impl Apply {
    /// Applies the file and prints the diff.
    ///
    /// # Errors
    /// When the file cannot be read or is wrong; nothing is changed then.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let config = self.settings.load()?;
        let (text, folder) = read(&self.file)?;
        let document = declarative::read(&text).with_context(|| self.file.display().to_string())?;
        let connections = connections(&document);
        let app = open_app(config).await?;
        let mode = match (self.dry_run, self.approve) {
            (true, _) => Mode::DryRun,
            (false, true) => Mode::Approved,
            (false, false) => Mode::Write,
        };
        let busy = Busy::new("applying");
        let applied = declarative::apply(&app, document, &folder, mode).await;
        drop(busy);
        app.store.close().await;
        let report = applied.with_context(|| self.file.display().to_string())?;
        out(&report.to_string())?;
        out(&addresses(&connections, &report, &app.config))?;
        if self.dry_run && !report.is_empty() {
            out("dry run: nothing was changed\n")?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Identifier and protocol of each connection, and our entity ID where it is not the usual one.
fn connections(document: &declarative::Document) -> Vec<(String, Protocol, Option<String>)> {
    let own_name = |entry: &declarative::ConnectionEntry| entry.saml.as_ref()?.sp_entity_id.clone();
    document
        .connections
        .iter()
        .map(|entry| (entry.id.clone(), entry.protocol, own_name(entry)))
        .collect()
}

/// Says what to enter at the identity providers of new connections: the other half of setting them up.
fn addresses(connections: &[(String, Protocol, Option<String>)], report: &Report, config: &Config) -> String {
    let mut text = String::new();
    for (id, protocol, own_name) in connections {
        let what = format!("connection {id}");
        let is_new = |change: &Change| change.kind == ChangeKind::Created && change.what == what;
        if !report.changes.iter().any(is_new) {
            continue;
        }
        let at = |path: &str| config.url(&format!("/sso/{id}/{path}"));
        let entity_id = own_name.clone().unwrap_or_else(|| at("saml/metadata"));
        let rows = match protocol {
            Protocol::Saml => vec![
                ("entity ID, audience", entity_id),
                ("ACS URL, reply URL", at("saml/acs")),
                ("single logout URL", at("saml/slo")),
            ],
            Protocol::Oidc => vec![
                ("redirect URI", at("oidc/callback")),
                ("back-channel logout", at("oidc/backchannel-logout")),
            ],
        };
        let _ = writeln!(text, "to enter at the identity provider of {id}:");
        for (name, value) in rows {
            let _ = writeln!(text, "    {name:<20} {value}");
        }
    }
    text
}

/// Reads the file; names of files in it are relative to its folder.
fn read(file: &Path) -> anyhow::Result<(String, PathBuf)> {
    if file == Path::new("-") {
        let mut text = String::new();
        std::io::stdin()
            .read_to_string(&mut text)
            .context("standard input cannot be read")?;
        return Ok((text, PathBuf::from(".")));
    }
    let text = std::fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))?;
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    Ok((text, folder.unwrap_or(Path::new(".")).to_owned()))
}

/// Write what is stored as a file that `apply` accepts as no change. Secrets are left out.
#[derive(Args, Clone, Debug)]
pub struct Export {
    /// Write JSON instead of YAML.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    settings: Settings,
}

impl Export {
    /// Prints the document.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let app = open_app(self.settings.load()?).await?;
        let document = declarative::export(&app).await?;
        app.store.close().await;
        if self.json {
            out(&format!("{}\n", serde_json::to_string_pretty(&document)?))?;
        } else {
            out(&declarative::render(&document)?)?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Print the JSON Schema of the declarative file, for editors and checks.
#[derive(Args, Clone, Debug)]
pub struct Schema {}

impl Schema {
    /// Prints the schema.
    ///
    /// # Errors
    /// When standard output cannot be written.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        out(&format!(
            "{}\n",
            serde_json::to_string_pretty(&declarative::schema())?
        ))?;
        Ok(ExitCode::SUCCESS)
    }
}
