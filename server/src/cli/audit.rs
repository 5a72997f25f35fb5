//! `provost audit`: the audit log from the command line of the machine.

use std::fmt::Write as _;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use provost_kernel::id::OrganizationId;

use super::print::out;
use super::{Settings, open_app};
use crate::flow::audit;

/// The audit log.
#[derive(Args, Clone, Debug)]
pub struct Audit {
    #[command(subcommand)]
    command: AuditCommand,
}

#[derive(Clone, Debug, Subcommand)]
enum AuditCommand {
    /// Recompute the hash chains: of every organization and of the instance. Exits with 1 if one is damaged.
    Verify(Verify),
}

#[derive(Args, Clone, Debug)]
struct Verify {
    /// Only this organization's.
    #[arg(long)]
    organization: Option<String>,
    #[command(flatten)]
    settings: Settings,
}

impl Audit {
    /// Runs the command.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let AuditCommand::Verify(verify) = self.command;
        let app = open_app(verify.settings.load()?).await?;
        let only = verify.organization.map(OrganizationId::new);
        let verified = audit::verify(&app, only).await;
        app.store.close().await;
        let (mut text, mut damaged) = (String::new(), 0_usize);
        for chain in verified? {
            let name = chain.organization.map_or_else(
                || "the instance".to_owned(),
                |organization| format!("organization {organization}"),
            );
            // Writing to a String cannot fail.
            let _ = match chain.rows {
                Ok(rows) => writeln!(text, "✓ {name}: {rows} rows, the chain holds"),
                Err(error) => {
                    damaged += 1;
                    writeln!(
                        text,
                        "✗ {name}: rows were changed, removed or added behind Provost's back ({})",
                        crate::error::chain(&error)
                    )
                }
            };
        }
        out(&text)?;
        Ok(if damaged == 0 {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        })
    }
}
