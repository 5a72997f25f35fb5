//! `provost scim-join-report`: whom a sign-in would not find, before it bites.

use std::fmt::Write as _;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;
use provost_kernel::id::AccountId;
use provost_kernel::provision::push::joining::JoinReport;

use super::print::out;
use super::{Settings, open_app};
use crate::flow::scim::join_report;

/// List pushed people whom their next sign-in would not find, or would mix up.
///
/// Exits with 1 if there are any.
#[derive(Args, Clone, Debug)]
pub struct ScimJoinReport {
    /// The connection.
    #[arg(long)]
    connection: String,
    #[command(flatten)]
    settings: Settings,
}

impl ScimJoinReport {
    /// Prints the report.
    ///
    /// # Errors
    /// When there is no such connection or the database fails.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let app = open_app(self.settings.load()?).await?;
        let made = join_report::make(&app, &self.connection).await;
        app.store.close().await;
        let report = made?.with_context(|| format!("there is no connection {}", self.connection))?;
        out(&shown(&report))?;
        Ok(if report.findings.is_empty() {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        })
    }
}

fn shown(report: &JoinReport) -> String {
    let mut text = format!(
        "{} people: {} have signed in, {} are ready to\n",
        report.people, report.joined, report.ready
    );
    let plain = |text: &str| -> String { text.chars().filter(|letter| !letter.is_control()).collect() };
    for finding in &report.findings {
        let account = finding.account.as_ref().map_or("nobody", AccountId::as_str);
        let _ = writeln!(
            text,
            "  {} ({account}): {} ({})",
            plain(&finding.name),
            plain(&finding.text),
            finding.problem.code()
        );
    }
    text
}
