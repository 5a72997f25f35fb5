//! `provost apply`, `provost export` and `provost schema`: the declarative file.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;

use super::print::{Busy, out};
use super::{Settings, open_app};
use crate::declarative::{self, Mode};

/// Bring organizations, connections, applications and users in from a file.
#[derive(Args, Clone, Debug)]
pub struct Apply {
    /// YAML or JSON file; `-` reads standard input.
    file: PathBuf,
    /// Show what would change, and change nothing.
    #[arg(long)]
    dry_run: bool,
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
        let app = open_app(config).await?;
        let mode = if self.dry_run { Mode::DryRun } else { Mode::Write };
        let busy = Busy::new("applying");
        let applied = declarative::apply(&app, document, &folder, mode).await;
        drop(busy);
        app.store.close().await;
        let report = applied.with_context(|| self.file.display().to_string())?;
        out(&report.to_string())?;
        if self.dry_run && !report.is_empty() {
            out("dry run: nothing was changed\n")?;
        }
        Ok(ExitCode::SUCCESS)
    }
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
