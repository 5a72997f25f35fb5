//! Statements that wait to be run together. Never knows a table.

use crate::error::StoreError;
use crate::value::Bind;

/// A statement with its arguments.
pub(crate) struct Query {
    pub(crate) sql: String,
    pub(crate) binds: Vec<Bind>,
}

/// A change (insert, update or delete, without `RETURNING`) that waits.
pub(crate) struct Change {
    pub(crate) query: Query,
    /// How many rows it must change, and what is wrong if it changes another number.
    pub(crate) needs: Option<(u64, StoreError)>,
}

/// What must be true of a write that was acknowledged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// It survives whatever SQLite's and PostgreSQL's settings promise.
    #[default]
    Full,
    /// A crash of the PostgreSQL server may forget the last moments of it (`synchronous_commit=off`), never one of ours.
    /// Only for what costs a person no more than a second try: counts of rate limits, requests that wait for a sign-in.
    Brief,
}

impl Query {
    pub(crate) fn new(sql: impl Into<String>, binds: Vec<Bind>) -> Self {
        Self {
            sql: sql.into(),
            binds,
        }
    }
}
