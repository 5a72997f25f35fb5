//! `provost operator`: people who run the whole instance.

use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use provost_kernel::email::Email;
use secrecy::ExposeSecret as _;

use super::print::out;
use super::{Settings, open_app};
use crate::flow;

/// People who run the whole instance.
#[derive(Args, Clone, Debug)]
pub struct Operator {
    #[command(subcommand)]
    command: OperatorCommand,
}

#[derive(Clone, Debug, Subcommand)]
enum OperatorCommand {
    /// Make an operator and print a one-time link to set a password.
    ///
    /// For an address that is an operator already, prints a new link.
    Add(Add),
}

/// Make an operator.
#[derive(Args, Clone, Debug)]
struct Add {
    /// E-mail address.
    #[arg(long)]
    email: String,
    #[command(flatten)]
    settings: Settings,
}

impl Operator {
    /// Runs the command.
    ///
    /// # Errors
    /// When the address is wrong or the database fails.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let OperatorCommand::Add(add) = self.command;
        let email = Email::parse(&add.email).with_context(|| add.email.clone())?;
        let app = open_app(add.settings.load()?).await?;
        let made = flow::operator::add(&app, &email).await;
        app.store.close().await;
        let made = made?;
        let what = if made.is_new {
            "operator made"
        } else {
            "was an operator already"
        };
        out(&format!(
            "{email}: {what}\nSet the password with this link, once, within three days:\n  {}\n",
            made.link.expose_secret()
        ))?;
        Ok(ExitCode::SUCCESS)
    }
}
