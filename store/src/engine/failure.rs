//! Errors of both engines in our words: one name for each constraint, whichever engine noticed.
//! Never shows a value of a row.

use sqlx::error::ErrorKind;

use crate::error::StoreError;

/// Codes of PostgreSQL that mean "try again": serialization failure, deadlock, lock time-out.
const BUSY: [&str; 3] = ["40001", "40P01", "55P03"];

/// PostgreSQL keeps no NUL in a text: `character_not_in_repertoire`, and `untranslatable_character` in JSON.
const UNWRITABLE: [&str; 2] = ["22021", "22P05"];

/// PostgreSQL is stopping, crashed or starting (`admin_shutdown`, `crash_shutdown`, `cannot_connect_now`), or has no
/// connection left (`too_many_connections`).
const AWAY: [&str; 4] = ["57P01", "57P02", "57P03", "53300"];

/// Turns an error of PostgreSQL or its driver into ours.
pub(super) fn failed(error: sqlx::Error) -> StoreError {
    let Some(database) = error.as_database_error() else {
        if matches!(error, sqlx::Error::PoolTimedOut) {
            return StoreError::Busy;
        }
        if matches!(error, sqlx::Error::PoolClosed) {
            return StoreError::Closed;
        }
        if matches!(error, sqlx::Error::Io(_) | sqlx::Error::Tls(_)) {
            return StoreError::Unavailable(error.into());
        }
        return StoreError::Engine(error.into());
    };
    let code = database.code().unwrap_or_default();
    let kind = database.kind();
    if matches!(kind, ErrorKind::UniqueViolation) {
        return conflict(database.constraint().unwrap_or_default());
    }
    if matches!(kind, ErrorKind::ForeignKeyViolation) {
        return StoreError::Conflict("foreign_key".to_owned());
    }
    if BUSY.contains(&&*code) {
        return StoreError::Busy;
    }
    // Class 08 is "connection exception".
    if AWAY.contains(&&*code) || code.starts_with("08") {
        return StoreError::Unavailable(error.into());
    }
    if UNWRITABLE.contains(&&*code) {
        return StoreError::Refused("a text holds a character that cannot be kept");
    }
    StoreError::Engine(error.into())
}

/// Turns an error of SQLite into ours.
pub(super) fn failed_sqlite(error: rusqlite::Error) -> StoreError {
    use rusqlite::ffi;
    let rusqlite::Error::SqliteFailure(failure, message) = &error else {
        return StoreError::Engine(error.into());
    };
    match failure.extended_code {
        ffi::SQLITE_CONSTRAINT_UNIQUE | ffi::SQLITE_CONSTRAINT_PRIMARYKEY | ffi::SQLITE_CONSTRAINT_ROWID => {
            return conflict(&sqlite_constraint(message.as_deref().unwrap_or_default()));
        }
        ffi::SQLITE_CONSTRAINT_FOREIGNKEY => return StoreError::Conflict("foreign_key".to_owned()),
        _ => {}
    }
    // Extended codes carry the code itself in their lowest byte.
    match failure.extended_code & 0xff {
        ffi::SQLITE_BUSY | ffi::SQLITE_LOCKED => StoreError::Busy,
        // A failing or full disk: nothing can be written until somebody mends it.
        ffi::SQLITE_IOERR | ffi::SQLITE_FULL => StoreError::Unavailable(error.into()),
        _ => StoreError::Engine(error.into()),
    }
}

/// Turns an error of the file system into ours.
pub(super) fn io_failed(error: std::io::Error) -> StoreError {
    StoreError::Engine(error.into())
}

/// Which index of a table notices first differs between the engines; to callers it is one thing.
fn conflict(name: &str) -> StoreError {
    StoreError::Conflict(match name {
        "links_pkey" => "links_subject".to_owned(),
        name => name.to_owned(),
    })
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
        "local_groups.organization, local_groups.name_key" => "local_groups_name".to_owned(),
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

    use super::{failed, failed_sqlite};

    #[test]
    fn a_lost_connection_is_unavailable_and_not_to_be_repeated_blindly() {
        let lost = failed(sqlx::Error::Io(io::ErrorKind::UnexpectedEof.into()));
        assert_eq!((lost.code(), lost.is_retryable()), ("unavailable", false));
        let odd = failed(sqlx::Error::Protocol("odd".to_owned()));
        assert_eq!(odd.code(), "engine");
    }

    #[test]
    fn sqlite_names_the_index_that_refuses() {
        let conn = rusqlite::Connection::open_in_memory().unwrap();
        conn.execute_batch("CREATE TABLE links (account TEXT PRIMARY KEY); INSERT INTO links VALUES ('a')")
            .unwrap();
        let error = conn.execute_batch("INSERT INTO links VALUES ('a')").unwrap_err();
        assert_eq!(
            failed_sqlite(error).to_string(),
            "the write conflicts with links_subject"
        );
    }
}
