//! Statements that wait to be run together. Never knows a table.

mod insert;
mod note;

use std::borrow::Cow;

pub(crate) use self::insert::Insert;
pub(crate) use self::note::Note;
use crate::error::StoreError;
use crate::value::Bind;

/// A statement with its arguments.
pub(crate) struct Query {
    pub(crate) sql: String,
    pub(crate) binds: Vec<Bind>,
}

/// A set of texts of which several look-ups of one round speak, as `IN ({set:NAME})`, or as a select: `{members:NAME}`.
pub(crate) struct Set {
    pub(crate) name: Cow<'static, str>,
    /// Finds one column. May speak of the sets before it.
    pub(crate) query: Query,
    /// Whether its members are among the answers: those of all such sets come before those of the look-ups.
    pub(crate) is_shown: bool,
}

/// Look-ups that go together.
#[derive(Default)]
pub(crate) struct Looks {
    /// A change with `RETURNING`, whose rows come first. The look-ups do not rely on its effect.
    pub(crate) change: Option<Query>,
    pub(crate) sets: Vec<Set>,
    pub(crate) queries: Vec<Query>,
}

impl From<Vec<Query>> for Looks {
    fn from(queries: Vec<Query>) -> Self {
        Self {
            queries,
            ..Self::default()
        }
    }
}

/// What a change (insert, update or delete, without `RETURNING`) does.
pub(crate) enum Work {
    /// What this transaction has to do by itself.
    Own(Query),
    /// Adds the last argument to one row. Those of several transactions whose other arguments are equal can be one with the
    /// sum, if the row admits that.
    Sum(Query),
    /// Inserts rows. Those of several transactions can go together.
    Rows(Insert),
}

impl Work {
    /// Returns the one statement that does it.
    pub(crate) fn query(self) -> Query {
        match self {
            Self::Own(query) | Self::Sum(query) => query,
            Self::Rows(insert) => insert.query(),
        }
    }

    /// Returns how many arguments it has.
    pub(crate) fn arguments(&self) -> usize {
        match self {
            Self::Own(query) | Self::Sum(query) => query.binds.len(),
            Self::Rows(insert) => insert.rows.iter().map(Vec::len).sum(),
        }
    }
}

/// A change that waits.
pub(crate) struct Change {
    pub(crate) work: Work,
    /// How many rows it must change, and what is wrong if it changes another number.
    pub(crate) needs: Option<(u64, StoreError)>,
    /// What else of its sort may not wait beside it.
    pub(crate) apart: Option<Apart>,
}

/// Changes of which only one may wait at a time, because two of a sort rely on each other's effect or may hit one row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Apart {
    /// A new account: its place in the order of creation is one more than that of the account before.
    NewAccount,
    /// A seat that is taken: two seats of one pool are two changes of one row.
    Seat,
    /// Fields of an account, and sessions, whose opening locks it: two changes of one plan may be about one row.
    Profile,
    /// What a directory says about a person, with what is listed of it.
    Document,
    /// Counts of what directories push: two may be about one row.
    Pushes,
    /// Seats of a kind of account that are taken or freed: two decisions of one transaction may be about the same row.
    SeatOfKind,
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

impl Set {
    /// A set that only look-ups speak of.
    pub(crate) const fn unseen(name: &'static str, query: Query) -> Self {
        Self {
            name: Cow::Borrowed(name),
            query,
            is_shown: false,
        }
    }
}

impl Query {
    pub(crate) fn new(sql: impl Into<String>, binds: Vec<Bind>) -> Self {
        Self {
            sql: sql.into(),
            binds,
        }
    }
}
