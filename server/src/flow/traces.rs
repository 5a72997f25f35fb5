//! Finding traces for explanations, within the bounds of the caller, and telling them as text.

use std::fmt::Write as _;

use jiff::Timestamp;
use provost_kernel::explain;
use provost_kernel::id::{AccountId, ConnectionId, OrganizationId, TraceId};
use provost_store::{Reader, Store, StoreError, TraceFilter, TraceRecord};

use crate::app::App;
use crate::error::{AppError, Result};
use crate::flow::api_keys::Caller;
use crate::flow::directory;

/// Which traces are wanted; all conditions hold.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Of this connection.
    pub connection: Option<String>,
    /// Of this account.
    pub account: Option<String>,
    /// Older than this one.
    pub before: Option<(Timestamp, TraceId)>,
}

/// Lists traces, newest first. A key of one organization sees those of its own connections.
///
/// # Errors
/// 404 for a connection or account out of sight; those of the store.
pub async fn list(app: &App, caller: &Caller, wanted: Wanted, limit: u32) -> Result<Vec<TraceRecord>> {
    if let Some(connection) = &wanted.connection {
        directory::connection(app, caller, connection).await?;
    }
    if let Some(account) = &wanted.account {
        directory::account(app, caller, account).await?;
    }
    let filter = TraceFilter {
        connection: wanted.connection.map(ConnectionId::new),
        account: wanted.account.map(AccountId::new),
        organization: caller.organization.clone(),
        before: wanted.before,
        ..TraceFilter::default()
    };
    let mut found = app
        .store
        .read(|reader| Box::pin(async move { reader.traces(&filter, limit).await }))
        .await?;
    for record in &mut found {
        cut(record, caller);
    }
    Ok(found)
}

/// Finds a trace by its reference number. A key of one organization sees those that [`is_of`] tells.
///
/// # Errors
/// 404; those of the store.
pub async fn find(app: &App, caller: &Caller, reference: &str) -> Result<TraceRecord> {
    let mut record = by_reference(&app.store, reference)
        .await?
        .ok_or_else(AppError::not_found)?;
    if let Some(own) = caller.organization.clone() {
        let (connection, account) = (record.trace.connection.clone(), record.trace.account.clone());
        let is_ours: Result<_, StoreError> = app
            .store
            .read(|reader| Box::pin(async move { is_of(reader, &own, connection, account).await }))
            .await;
        if !is_ours? {
            return Err(AppError::not_found());
        }
    }
    cut(&mut record, caller);
    Ok(record)
}

/// Tells whether what was decided is an organization's to read: it came through a connection that the organization owns, or is
/// about somebody who is its member and nobody else's.
///
/// # Errors
/// Those of the store.
pub async fn is_of(
    reader: &mut Reader,
    organization: &OrganizationId,
    connection: Option<ConnectionId>,
    account: Option<AccountId>,
) -> Result<bool, StoreError> {
    if let Some(id) = &connection
        && let Some(record) = reader.connection(id).await?
        && record.connection.owner() == Some(organization)
    {
        return Ok(true);
    }
    let Some(account) = account else {
        return Ok(false);
    };
    let memberships = reader.memberships(&account).await?;
    Ok(matches!(memberships.as_slice(), [only] if only.organization == *organization))
}

/// Leaves out what was decided about other organizations than the caller's: a connection may be shared.
pub fn cut(record: &mut TraceRecord, caller: &Caller) {
    record
        .trace
        .steps
        .retain(|step| step.organization.as_ref().is_none_or(|id| caller.sees(id)));
}

/// Finds a trace; a reference may be typed in lower case and with look-alikes of the digits 0 and 1.
///
/// # Errors
/// Those of the store.
pub async fn by_reference(store: &Store, reference: &str) -> Result<Option<TraceRecord>, StoreError> {
    let typed = reference.trim().to_ascii_uppercase();
    let letters: Vec<char> = typed
        .chars()
        .map(|letter| match letter {
            'O' => '0',
            'I' | 'L' => '1',
            other => other,
        })
        .filter(char::is_ascii_alphanumeric)
        .collect();
    let grouped = letters
        .chunks(4)
        .map(|group| group.iter().collect::<String>())
        .collect::<Vec<_>>()
        .join("-");
    for id in [reference.trim().to_owned(), grouped] {
        let id = TraceId::new(id);
        let found = store
            .read(move |reader| Box::pin(async move { reader.trace(&id).await }))
            .await?;
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

/// Escapes control characters: names and identifiers come from other people's identity providers, and a terminal obeys
/// what is hidden in them. Line ends are ours.
pub fn printable(text: &str) -> String {
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

/// Tells one trace as text: a head line, then a line for each step, then the claims.
pub fn text(record: &TraceRecord) -> String {
    let trace = &record.trace;
    let mut text = String::new();
    // Writing to a String cannot fail.
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
    printable(&text)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use provost_kernel::trace::{SIGN_IN, Stage, Step, StepOutcome, Trace};
    use provost_store::TraceRecord;
    use serde_json::json;

    use super::text;

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
        let text = text(&record);
        assert!(
            text.chars().all(|letter| letter == '\n' || !letter.is_control()),
            "{text:?}"
        );
        // A line end in a name makes no line of its own: it could pass for a step.
        assert_eq!(text.trim_end().lines().count(), 4, "{text}");
    }
}
