//! The command line: one file per command. Reads arguments, opens what a command needs, prints what it found.

pub mod api_key;
pub mod apply;
pub mod audit;
pub mod backup;
pub mod convert;
pub mod doctor;
pub mod explain;
pub mod import;
mod open;
pub mod operator;
pub mod policy;
pub mod print;
pub mod scim;
pub mod scim_guard;
pub mod scim_join_report;
pub mod scim_log;
pub mod scim_token;
pub mod serve;
mod settings;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

pub use doctor::{Finding, Level, examine};
pub use open::{open_app, open_store};
pub use serve::stop_signal;
pub use settings::Settings;

/// Enterprise single sign-on and user provisioning for your app, in one binary.
#[derive(Debug, Parser)]
#[command(name = "provost", version, about, long_about = None, max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server.
    ///
    /// Settings come from the file, then PROVOST_* environment variables, then the flags below.
    /// `provost apply` brings organizations, connections and applications in.
    Serve(serve::Serve),
    Apply(apply::Apply),
    Export(apply::Export),
    Schema(apply::Schema),
    Operator(operator::Operator),
    ApiKey(api_key::ApiKey),
    Convert(convert::Convert),
    Explain(explain::Explain),
    Import(import::Import),
    Audit(audit::Audit),
    ScimToken(scim_token::ScimToken),
    ScimLog(scim_log::ScimLog),
    ScimJoinReport(scim_join_report::ScimJoinReport),
    ScimGuard(scim_guard::ScimGuard),
    Policy(policy::PolicyCommand),
    Doctor(doctor::Doctor),
    Scim(scim::Scim),
    Backup(backup::Backup),
    Restore(backup::Restore),
    /// Try everything on throw-away data: two sandbox identity providers and a sample app, no set-up.
    Demo(crate::demo::Demo),
}

impl Cli {
    /// Runs the command.
    ///
    /// # Errors
    /// Whatever stops the command; printed by `main`.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        match self.command {
            Command::Serve(serve) => serve.run().await,
            Command::Apply(apply) => apply.run().await,
            Command::Export(export) => export.run().await,
            Command::Schema(schema) => schema.run(),
            Command::Operator(operator) => operator.run().await,
            Command::ApiKey(key) => key.run().await,
            Command::Convert(convert) => convert.run().await,
            Command::Explain(explain) => explain.run().await,
            Command::Import(import) => import.run().await,
            Command::Audit(audit) => audit.run().await,
            Command::ScimToken(token) => token.run().await,
            Command::ScimLog(log) => log.run().await,
            Command::ScimJoinReport(report) => report.run().await,
            Command::ScimGuard(guard) => guard.run().await,
            Command::Policy(policy) => policy.run().await,
            Command::Doctor(doctor) => doctor.run().await,
            Command::Scim(scim) => scim.run().await,
            Command::Backup(backup) => backup.run().await,
            Command::Restore(restore) => restore.run().await,
            Command::Demo(demo) => demo.run().await,
        }
    }
}
