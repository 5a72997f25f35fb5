//! `provost explain`: why somebody got in, or did not.

use std::process::ExitCode;

use anyhow::bail;
use clap::Args;
use provost_kernel::email::Email;
use provost_kernel::id::AccountId;
use provost_store::{Store, StoreError, TraceFilter, TraceRecord};

use super::print::out;
use super::{Settings, open_store};
use crate::api::TraceView;
use crate::flow::traces;
use crate::world::World;

/// Explain one attempt, or the latest attempts of an account, step by step.
#[derive(Args, Clone, Debug)]
pub struct Explain {
    /// Reference number from a refusal page, a log or an event, such as 4F7K-22PX-9QAB.
    #[arg(required_unless_present = "account", conflicts_with = "account")]
    reference: Option<String>,
    /// E-mail address or account id.
    #[arg(long)]
    account: Option<String>,
    /// How many attempts of the account to show.
    #[arg(long, default_value_t = 5)]
    last: u32,
    /// Write JSON: one object for each attempt, as `GET /api/v1/traces/{reference}` answers.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    settings: Settings,
}

impl Explain {
    /// Prints the explanation.
    ///
    /// # Errors
    /// When nothing is found or the database fails.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let store = open_store(&self.settings.load()?, &World::new()).await?;
        let found = match (&self.reference, &self.account) {
            (Some(reference), _) => traces::by_reference(&store, reference)
                .await
                .map(|found| found.into_iter().collect())
                .map_err(anyhow::Error::from),
            (None, Some(account)) => by_account(&store, account, self.last).await,
            (None, None) => Ok(Vec::new()),
        };
        store.close().await;
        let found = found?;
        if found.is_empty() {
            bail!(
                "nothing is kept about {}",
                self.reference.or(self.account).unwrap_or_default()
            );
        }
        for record in &found {
            if self.json {
                let view = TraceView::from(record.clone());
                out(&format!("{}\n", serde_json::to_string_pretty(&view)?))?;
            } else {
                out(&traces::text(record))?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

async fn by_account(store: &Store, account: &str, last: u32) -> anyhow::Result<Vec<TraceRecord>> {
    let email = Email::parse(account).ok();
    let id = AccountId::new(account);
    let found: Result<_, StoreError> = store
        .read(move |reader| {
            Box::pin(async move {
                let ids = match email {
                    Some(email) => reader
                        .accounts_by_email(&email)
                        .await?
                        .into_iter()
                        .map(|account| account.id)
                        .collect(),
                    None => vec![id],
                };
                let mut traces = Vec::new();
                for id in ids {
                    let filter = TraceFilter {
                        account: Some(id),
                        ..TraceFilter::default()
                    };
                    traces.extend(reader.traces(&filter, last).await?);
                }
                traces.sort_by_key(|record| std::cmp::Reverse(record.trace.at));
                traces.truncate(usize::try_from(last).unwrap_or(usize::MAX));
                Ok(traces)
            })
        })
        .await;
    Ok(found?)
}
