//! `provost scim-guard`: letting a directory take out unusually many people, after a look.

use std::process::ExitCode;

use anyhow::ensure;
use clap::{Args, Subcommand};

use super::print::out;
use super::{Settings, open_app};
use crate::flow::scim::upkeep;

/// The guard against a directory that deactivates or deletes too many people at once.
#[derive(Args, Clone, Debug)]
pub struct ScimGuard {
    #[command(subcommand)]
    command: Command,
}

#[derive(Clone, Debug, Subcommand)]
enum Command {
    /// Let a connection's directory go on for a while.
    ///
    /// The directory repeats what was refused by itself. `provost scim-log --failed` shows whom it wanted to take out.
    Approve(Approve),
}

/// Let a directory go on.
#[derive(Args, Clone, Debug)]
struct Approve {
    /// The connection.
    #[arg(long)]
    connection: String,
    /// For how many minutes.
    #[arg(long, default_value_t = 120, value_parser = clap::value_parser!(u32).range(1..=10_080))]
    minutes: u32,
    #[command(flatten)]
    settings: Settings,
}

impl ScimGuard {
    /// Runs the command.
    ///
    /// # Errors
    /// When there is no such connection or the database fails.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let Command::Approve(approve) = self.command;
        let app = open_app(approve.settings.load()?).await?;
        let approved = upkeep::approve_departures(&app, &approve.connection, approve.minutes).await;
        app.store.close().await;
        ensure!(approved?, "there is no connection {}", approve.connection);
        out(&format!(
            "the directory of {} may take out any number of people for {} minutes\n",
            approve.connection, approve.minutes
        ))?;
        Ok(ExitCode::SUCCESS)
    }
}
