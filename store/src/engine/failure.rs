//! Errors of both engines in our words: one name for each constraint, whichever engine noticed.
//! Never shows a value of a row.

use sqlx::error::ErrorKind;

use crate::error::StoreError;

/// Codes that mean "try again". SQLite: BUSY and LOCKED with their extended codes. PostgreSQL: serialization failure,
/// deadlock, lock time-out.
const BUSY: [&str; 9] = ["5", "6", "261", "262", "517", "518", "40001", "40P01", "55P03"];

/// PostgreSQL keeps no NUL in a text: `character_not_in_repertoire`, and `untranslatable_character` in JSON.
const UNWRITABLE: [&str; 2] = ["22021", "22P05"];

/// PostgreSQL is stopping, crashed or starting (`admin_shutdown`, `crash_shutdown`, `cannot_connect_now`), or has no
/// connection left (`too_many_connections`).
const AWAY: [&str; 4] = ["57P01", "57P02", "57P03", "53300"];

/// Turns an engine's error into ours.
pub(super) fn failed(error: sqlx::Error) -> StoreError {
    let Some(database) = error.as_database_error() else {
        if matches!(error, sqlx::Error::PoolTimedOut) {
            return StoreError::Busy;
        }
        if matches!(error, sqlx::Error::PoolClosed) {
            return StoreError::Closed;
        }
        // On SQLite a failing disk looks the same: nothing can be written until somebody mends it.
        if matches!(error, sqlx::Error::Io(_) | sqlx::Error::Tls(_)) {
            return StoreError::Unavailable(error);
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
    // Class 08 is "connection exception".
    if AWAY.contains(&&*code) || code.starts_with("08") {
        return StoreError::Unavailable(error);
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
        "groups.connection, groups.name_key" => "groups_name".to_owned(),
        _ => format!("{}_pkey", columns.split('.').next().unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::failed;

    #[test]
    fn a_lost_connection_is_unavailable_and_not_to_be_repeated_blindly() {
        let lost = failed(sqlx::Error::Io(io::ErrorKind::UnexpectedEof.into()));
        assert_eq!((lost.code(), lost.is_retryable()), ("unavailable", false));
        let odd = failed(sqlx::Error::Protocol("odd".to_owned()));
        assert_eq!(odd.code(), "engine");
    }
}
