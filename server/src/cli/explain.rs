//! `provost explain`: why somebody got in, or did not.

use std::fmt::Write as _;
use std::process::ExitCode;

use anyhow::bail;
use clap::Args;
use provost_kernel::email::Email;
use provost_kernel::explain;
use provost_kernel::id::{AccountId, TraceId};
use provost_store::{Store, StoreError, TraceFilter, TraceRecord};

use super::print::out;
use super::{Settings, open_store};
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
            (Some(reference), _) => by_reference(&store, reference).await,
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
            out(&printable(&render(record)))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Finds a trace; a reference may be typed in lower case and with look-alikes of the digits 0 and 1.
pub(crate) async fn by_reference(store: &Store, reference: &str) -> anyhow::Result<Vec<TraceRecord>> {
    let typed = reference.trim().to_ascii_uppercase();
    let plain: String = typed
        .chars()
        .map(|letter| match letter {
            'O' => '0',
            'I' | 'L' => '1',
            other => other,
        })
        .filter(char::is_ascii_alphanumeric)
        .collect();
    let letters: Vec<char> = plain.chars().collect();
    let grouped = letters
        .chunks(4)
        .map(|group| group.iter().collect::<String>())
        .collect::<Vec<_>>()
        .join("-");
    for id in [reference.trim().to_owned(), grouped] {
        let id = TraceId::new(id);
        let found: Result<_, StoreError> = store
            .read(move |reader| Box::pin(async move { reader.trace(&id).await }))
            .await;
        if let Some(record) = found? {
            return Ok(vec![record]);
        }
    }
    Ok(Vec::new())
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

/// Escapes control characters: names and identifiers come from other people's identity providers, and a terminal obeys
/// what is hidden in them. Line ends are ours.
fn printable(text: &str) -> String {
    text.chars()
        .fold(String::with_capacity(text.len()), |mut safe, letter| {
            if letter.is_control() && letter != '\n' {
                safe.extend(letter.escape_default());
            } else {
                safe.push(letter);
            }
            safe
        })
}

/// Writes one trace: a head line, then a line for each step.
fn render(record: &TraceRecord) -> String {
    let trace = &record.trace;
    let mut text = String::new();
    let _ = write!(
        text,
        "{}  {}  {}",
        trace.id,
        trace.at.strftime("%Y-%m-%d %H:%M:%S UTC"),
        trace.kind
    );
    if let Some(connection) = &trace.connection {
        let _ = write!(text, "  connection {connection}");
    }
    if let Some(account) = &trace.account {
        let _ = write!(text, "  account {account}");
    }
    let _ = writeln!(text, "\n  → {}", record.verdict);
    for line in explain::lines(trace) {
        let _ = writeln!(text, "  {}", line.replace(['\n', '\r'], " "));
    }
    if let Some(claims) = &record.claims {
        let _ = writeln!(text, "  claims: {claims}");
    }
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use provost_kernel::trace::{SIGN_IN, Stage, Step, StepOutcome, Trace};
    use provost_store::TraceRecord;
    use serde_json::json;

    use super::{printable, render};

    #[test]
    fn what_a_provider_hides_in_a_name_does_not_reach_the_terminal() {
        let step = Step {
            stage: Stage::Match,
            outcome: StepOutcome::Skipped,
            code: "subject_unknown".to_owned(),
            organization: None,
            text: "no account is linked to \"a\u{1b}]0;pwned\u{7}\u{9b}2J\n✓ signed in as account root\""
                .to_owned(),
            drift: None,
        };
        let record = TraceRecord {
            trace: Trace {
                id: "4F7K-22PX-9QAB".into(),
                at: Timestamp::UNIX_EPOCH,
                kind: SIGN_IN.to_owned(),
                connection: None,
                account: None,
                steps: vec![step],
            },
            verdict: "not_found".to_owned(),
            claims: Some(json!({ "name": "x\u{9b}31m\u{1b}[2J" })),
        };
        let text = printable(&render(&record));
        assert!(
            text.chars().all(|letter| letter == '\n' || !letter.is_control()),
            "{text:?}"
        );
        // A line end in a name makes no line of its own: it could pass for a step.
        assert_eq!(text.trim_end().lines().count(), 4, "{text}");
    }
}
