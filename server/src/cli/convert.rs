//! `provost convert`: moves an organization's people to single sign-on, with a preview before and progress meanwhile.

use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use provost_kernel::directory::AccountKind;
use provost_kernel::email::Email;
use provost_kernel::id::{AccountId, ConnectionId, OrganizationId};
use provost_kernel::provision::ConversionMode;

use crate::app::App;
use crate::cli::print::out;
use crate::cli::{Settings, open_app};
use crate::flow::api_keys::Caller;
use crate::flow::conversions::{self, UNDO_DAYS, Wanted, preview, run};

/// Move an organization's people with a password to single sign-on.
///
/// Shows who would be moved and who would be passed over, and why; with --yes, moves them. Mails are queued and leave through
/// the running server. A run that breaks off goes on with `provost serve`.
#[derive(Args, Clone, Debug)]
pub struct Convert {
    #[command(flatten)]
    settings: Settings,
    /// Whose people.
    #[arg(long)]
    organization: String,
    /// The connection that they sign in through from now on.
    #[arg(long)]
    connection: String,
    /// Kinds of accounts.
    #[arg(long, value_enum, required = true, num_args = 1..)]
    kind: Vec<KindWord>,
    /// Only the standard accounts with these addresses; without it, all.
    #[arg(long)]
    email: Vec<String>,
    /// Turn the accounts themselves into SSO accounts, instead of making others beside them.
    #[arg(long)]
    in_place: bool,
    /// Send no mail.
    #[arg(long)]
    no_mail: bool,
    /// Days in which it can be undone.
    #[arg(long, default_value_t = UNDO_DAYS)]
    undo_days: u32,
    /// Do it.
    #[arg(long)]
    yes: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum KindWord {
    /// Works in the app.
    User,
    /// Only reads.
    Reader,
}

impl Convert {
    /// Shows the preview and, if wanted, does it.
    ///
    /// # Errors
    /// When the database cannot be opened, or something named does not exist.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let app = open_app(self.settings.load()?).await?;
        let outcome = self.perform(&app).await;
        app.store.close().await;
        outcome
    }

    async fn perform(&self, app: &App) -> anyhow::Result<ExitCode> {
        let caller = Caller::operator();
        let wanted = self.wanted(app).await?;
        let found = preview::preview(app, &caller, &wanted)
            .await
            .context("the preview could not be made")?;
        out(&format!("{} will be moved\n", found.invited))?;
        for (reason, count) in &found.skipped {
            out(&format!("{count} will be passed over: {reason}\n"))?;
        }
        if found.recommends_selected {
            out(
                "Some people of the organization use single sign-on already: consider selecting people with --email.\n",
            )?;
        }
        if !self.yes {
            out("Nothing was changed. Add --yes to do it.\n")?;
            return Ok(ExitCode::SUCCESS);
        }
        let standing = conversions::start(app, &caller, &wanted)
            .await
            .context("the run could not begin")?;
        let id = standing.run.id;
        let bar = ProgressBar::new(u64::from(standing.counts.pending));
        if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos}/{len} {elapsed}") {
            bar.set_style(style);
        }
        loop {
            run::advance(app)
                .await
                .context("the run broke off; it goes on with `provost serve`")?;
            let now = conversions::find(app, &caller, &id)
                .await
                .context("the run is gone")?;
            bar.set_position(
                bar.length()
                    .unwrap_or_default()
                    .saturating_sub(u64::from(now.counts.pending)),
            );
            if conversions::is_at_rest(&now.run) {
                bar.finish_and_clear();
                let counts = now.counts;
                out(&format!(
                    "{id}: {} moved, {} passed over, {} failed\n",
                    counts.invited, counts.skipped, counts.failed
                ))?;
                return Ok(if counts.failed == 0 {
                    ExitCode::SUCCESS
                } else {
                    ExitCode::FAILURE
                });
            }
            // A running server has taken it.
            tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        }
    }

    async fn wanted(&self, app: &App) -> anyhow::Result<Wanted> {
        let accounts = if self.email.is_empty() {
            None
        } else {
            let mut accounts = Vec::new();
            for text in &self.email {
                accounts.push(standard_account(app, text).await?);
            }
            Some(accounts)
        };
        Ok(Wanted {
            organization: OrganizationId::new(&self.organization),
            connection: ConnectionId::new(&self.connection),
            mode: if self.in_place {
                ConversionMode::InPlace
            } else {
                ConversionMode::Additional
            },
            kinds: self
                .kind
                .iter()
                .map(|word| match word {
                    KindWord::User => AccountKind::User,
                    KindWord::Reader => AccountKind::Reader,
                })
                .collect(),
            accounts,
            notify: !self.no_mail,
            undo_days: self.undo_days,
        })
    }
}

async fn standard_account(app: &App, text: &str) -> anyhow::Result<AccountId> {
    let email = Email::parse(text).with_context(|| format!("{text} is not an e-mail address"))?;
    let found = app
        .store
        .read(|reader| Box::pin(async move { reader.standard_account(&email).await }))
        .await?;
    let account = found.with_context(|| format!("there is no standard account with the address {text}"))?;
    Ok(account.id)
}
