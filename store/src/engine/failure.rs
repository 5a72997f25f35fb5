//! Errors of both engines in our words: one name for each constraint, whichever engine noticed.
//! Never shows a value of a row.

use sqlx::error::ErrorKind;

use crate::error::StoreError;

/// Codes that mean "try again". SQLite: BUSY and LOCKED with their extended codes. PostgreSQL: serialization failure,
/// deadlock, lock time-out.
const BUSY: [&str; 9] = ["5", "6", "261", "262", "517", "518", "40001", "40P01", "55P03"];

/// PostgreSQL keeps no NUL in a text: `character_not_in_repertoire`, and `untranslatable_character` in JSON.
const UNWRITABLE: [&str; 2] = ["22021", "22P05"];

/// Turns an engine's error into ours.
pub(super) fn failed(error: sqlx::Error) -> StoreError {
    let Some(database) = error.as_database_error() else {
        if matches!(error, sqlx::Error::PoolTimedOut) {
            return StoreError::Busy;
        }
        if matches!(error, sqlx::Error::PoolClosed) {
            return StoreError::Closed;
        }
        return StoreError::Engine(error);
    };
    let code = database.code().unwrap_or_default();
    let kind = database.kind();
    if matches!(kind, ErrorKind::UniqueViolation) {
        let name = database
            .constraint()
            .map_or_else(|| sqlite_constraint(database.message()), str::to_owned);
        return StoreError::Conflict(name);
    }
    if matches!(kind, ErrorKind::ForeignKeyViolation) {
        return StoreError::Conflict("foreign_key".to_owned());
    }
    if BUSY.contains(&&*code) {
        return StoreError::Busy;
    }
    if UNWRITABLE.contains(&&*code) {
        return StoreError::Refused("a text holds a character that cannot be kept");
    }
    StoreError::Engine(error)
}

/// SQLite names the columns of a violated index, PostgreSQL the index. This makes both the index's name.
fn sqlite_constraint(message: &str) -> String {
    let columns = message.rsplit_once(": ").map_or(message, |(_, columns)| columns);
    match columns {
        "accounts.email_key" => "accounts_standard_email".to_owned(),
        "accounts.connection, accounts.email_key" => "accounts_sso_email".to_owned(),
        "accounts.connection, accounts.external_id" => "accounts_external_id".to_owned(),
        "accounts.connection, accounts.user_name_key" => "accounts_user_name".to_owned(),
        "links.connection, links.subject_key" => "links_subject".to_owned(),
        "domains.name" => "domains_verified".to_owned(),
        "roles.organization, roles.name" => "roles_name".to_owned(),
        "sessions.digest" => "sessions_digest".to_owned(),
        "tokens.digest" => "tokens_digest".to_owned(),
        "invitations.digest" => "invitations_digest".to_owned(),
        "jobs.idempotency_key" => "jobs_idempotency".to_owned(),
        "groups.connection, groups.external_id" => "groups_external_id".to_owned(),
        _ => format!("{}_pkey", columns.split('.').next().unwrap_or_default()),
    }
}
