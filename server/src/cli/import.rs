//! `provost import`: many people from a file of comma-separated values.

use std::fs::File;
use std::io::{BufReader, IsTerminal as _, Read};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

use super::print::out;
use super::{Settings, open_app};
use crate::app::App;
use crate::flow::api_keys::Caller;
use crate::flow::imports::{ImportOptions, Outcome, RowProblem, Table, Worker};

/// Rows that are decided in one go.
const PORTION: usize = 512;
/// Problems that are printed; all are counted.
const PRINTED: usize = 50;

/// Add and change many people from a file of comma-separated values.
///
/// The first line names the columns: email, and as wanted kind, connection, given_name, family_name, display_name, user_name,
/// external_id, organization, roles, workspaces (lists with semicolons) and license. Every row is judged for itself. A file may
/// be imported again: whoever is as the row says stays unchanged. Exits with 1 if a row was refused.
#[derive(Args, Clone, Debug)]
pub struct Import {
    /// The file; `-` reads standard input.
    file: PathBuf,
    /// Say what would happen and change nothing.
    #[arg(long)]
    dry_run: bool,
    /// The connection that people sign in through whose row names none.
    #[arg(long)]
    connection: Option<String>,
    /// The organization that people join whose row names none.
    #[arg(long)]
    organization: Option<String>,
    /// Invite new people; mails are queued and leave through the running server.
    #[arg(long)]
    invite: bool,
    /// With --invite: send no mail.
    #[arg(long, requires = "invite")]
    skip_invitation: bool,
    #[command(flatten)]
    settings: Settings,
}

#[derive(Default)]
struct Totals {
    created: u64,
    updated: u64,
    unchanged: u64,
    failed: u64,
    problems: Vec<RowProblem>,
}

impl Import {
    /// Runs the command.
    ///
    /// # Errors
    /// When the file is no table of people or the database fails.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let source: Box<dyn Read + Send> = if self.file.as_os_str() == "-" {
            Box::new(std::io::stdin())
        } else {
            let file = File::open(&self.file);
            Box::new(file.with_context(|| format!("{} cannot be read", self.file.display()))?)
        };
        let table = Table::open(BufReader::new(source))
            .with_context(|| format!("{} cannot be imported", self.file.display()))?;
        let app = open_app(self.settings.load()?).await?;
        let options = ImportOptions {
            dry_run: self.dry_run,
            connection: self.connection,
            organization: self.organization,
            invite: self.invite,
            skip_invitation: self.skip_invitation,
        };
        let totals = match options.check(&app, &Caller::operator()) {
            Ok(()) => all(&app, options, table).await,
            Err(error) => Err(anyhow::anyhow!("{}", error.public())),
        };
        app.store.close().await;
        let totals = totals?;
        out(&totals.text(self.dry_run))?;
        Ok(if totals.failed == 0 {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        })
    }
}

async fn all(
    app: &App,
    options: ImportOptions,
    mut table: Table<BufReader<Box<dyn Read + Send>>>,
) -> anyhow::Result<Totals> {
    let worker = Worker {
        app: app.clone(),
        caller: Caller::operator(),
        options,
    };
    let bar = if std::io::stderr().is_terminal() {
        ProgressBar::new_spinner()
    } else {
        ProgressBar::hidden()
    };
    bar.set_style(ProgressStyle::with_template(
        "{spinner} {pos} rows, {per_sec}, {elapsed}",
    )?);
    let mut totals = Totals::default();
    loop {
        let portion: Vec<_> = table.by_ref().take(PORTION).collect();
        if portion.is_empty() {
            break;
        }
        let outcomes = worker
            .portion(portion)
            .await
            .map_err(|error| anyhow::anyhow!("{}", crate::error::chain(&error)))?;
        for outcome in outcomes {
            bar.inc(1);
            totals.count(outcome);
        }
    }
    bar.finish_and_clear();
    Ok(totals)
}

impl Totals {
    fn count(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Created => self.created += 1,
            Outcome::Updated => self.updated += 1,
            Outcome::Unchanged => self.unchanged += 1,
            Outcome::Failed(problem) => {
                self.failed += 1;
                if self.problems.len() < PRINTED {
                    self.problems.push(problem);
                }
            }
        }
    }

    fn text(&self, dry_run: bool) -> String {
        use std::fmt::Write as _;

        let mut text = String::new();
        for problem in &self.problems {
            // Writing to a String cannot fail.
            let _ = writeln!(
                text,
                "line {}: {} {} ({})",
                problem.line, problem.email, problem.detail, problem.code
            );
        }
        let printed = u64::try_from(self.problems.len()).unwrap_or_default();
        if self.failed > printed {
            let _ = writeln!(text, "and {} more", self.failed - printed);
        }
        let how = if dry_run { "would be " } else { "" };
        let _ = writeln!(
            text,
            "{} {how}created, {} {how}changed, {} unchanged, {} refused",
            self.created, self.updated, self.unchanged, self.failed
        );
        text
    }
}
