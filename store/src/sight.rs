//! What one request needs at its beginning, and what an app sees of a person: each in one round. Never decides.

use std::collections::BTreeMap;

use jiff::Timestamp;
use provost_kernel::connection::Connection;
use provost_kernel::directory::Account;
use provost_kernel::facts::{AccountFacts, OrganizationFacts};
use provost_kernel::id::SessionId;

use crate::engine::batch::Query;
use crate::error::{Result, StoreError};
use crate::facts::PersonQueries;
use crate::rate_limits::Hits;
use crate::sessions::{self, SessionRecord};
use crate::tx::Reader;
use crate::value::{Row, binds, parts};
use crate::waiting::{self, WaitingRequest};
use crate::{accounts, revisions};

/// What a request brings along that says what to look for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ticket {
    /// Digest of the session cookie's token.
    pub session: Option<String>,
    /// Id of the authorization request that waits.
    pub waiting: Option<String>,
    /// Key of a rate limit to look at.
    pub limit: Option<String>,
}

/// What was found for a [`Ticket`], with the revisions of what is cached.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Visit {
    /// The session, live or not, and its account.
    pub session: Option<(SessionRecord, Account)>,
    /// The request that waits, if it has not expired.
    pub waiting: Option<WaitingRequest>,
    /// What was counted for the rate limit.
    pub hits: Option<Hits>,
    /// See [`Reader::revision`].
    pub revisions: Revisions,
}

/// Revisions at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Revisions(BTreeMap<String, i64>);

impl Revisions {
    /// Returns the revision of `name`, 0 before the first change.
    pub fn of(&self, name: &str) -> i64 {
        self.0.get(name).copied().unwrap_or(0)
    }
}

/// What there is to see of a session's person.
#[derive(Clone, Debug, PartialEq)]
pub struct Sight {
    /// The session, live or not.
    pub session: SessionRecord,
    /// The connection that proved it, as it is now.
    pub connection: Option<Connection>,
    /// The person.
    pub person: Option<AccountFacts>,
    /// The organizations of the person's memberships.
    pub organizations: Vec<OrganizationFacts>,
}

impl Reader {
    /// Looks for what a request brings along, in one round.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn visit(&mut self, ticket: &Ticket, now: Timestamp) -> Result<Visit> {
        let mut queries = vec![revisions::all_query()];
        if let Some(digest) = &ticket.session {
            queries.push(Query::new(
                format!("{} WHERE s.digest = $1", sessions::COLUMNS),
                binds![digest],
            ));
            let of_session = "WHERE a.id = (SELECT account FROM sessions WHERE digest = $1)";
            queries.push(Query::new(
                format!("{} {of_session}", accounts::COLUMNS),
                binds![digest],
            ));
        }
        if let Some(id) = &ticket.waiting {
            queries.push(waiting::query(id, now));
        }
        queries.extend(ticket.limit.as_deref().map(Hits::query));
        let mut found = self.together(queries).await?.into_iter();
        let mut next = || found.next().ok_or(StoreError::Corrupt("parts"));
        let revisions = Revisions(revisions::read_all(next()?)?);
        let session = match &ticket.session {
            Some(_) => {
                let session = first(next()?, sessions::session)?;
                session.zip(first(next()?, accounts::account)?)
            }
            None => None,
        };
        let waiting = match &ticket.waiting {
            Some(_) => waiting::read(next()?)?,
            None => None,
        };
        let hits = match &ticket.limit {
            Some(_) => first(next()?, Hits::read)?,
            None => None,
        };
        Ok(Visit {
            session,
            waiting,
            hits,
            revisions,
        })
    }

    /// Looks for what there is to see of the person of a session, in one round. None for an unknown session.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn sight(&mut self, session: &SessionId) -> Result<Option<Sight>> {
        let person = PersonQueries::of_session(session);
        let mut queries = vec![
            Query::new(format!("{} WHERE s.id = $1", sessions::COLUMNS), binds![session]),
            Query::new(
                "SELECT c.document, c.version FROM connections c \
                 WHERE c.id = (SELECT connection FROM sessions WHERE id = $1)",
                binds![session],
            ),
        ];
        queries.extend(person.queries()?);
        let mut found = self.together(queries).await?;
        let rest = found.split_off(found.len().min(2));
        let [sessions, connections] = parts(found)?;
        let Some(session) = first(sessions, sessions::session)? else {
            return Ok(None);
        };
        let (mut people, organizations) = PersonQueries::read(rest)?;
        Ok(Some(Sight {
            person: people.remove(&session.account),
            connection: first(connections, connection)?,
            session,
            organizations,
        }))
    }
}

fn first<T>(rows: Vec<Row>, read: impl FnOnce(Row) -> Result<T>) -> Result<Option<T>> {
    rows.into_iter().next().map(read).transpose()
}

fn connection(mut row: Row) -> Result<Connection> {
    let mut connection: Connection = row.json("connections.document")?;
    connection.version = row.int("connections.version")?;
    Ok(connection)
}
