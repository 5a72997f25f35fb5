//! What one request needs at its beginning, and what an app sees of a person: each in one round. Never decides.

use std::collections::BTreeMap;

use jiff::Timestamp;
use provost_kernel::connection::Connection;
use provost_kernel::directory::{Account, Membership};
use provost_kernel::id::{AccountId, OrganizationId, SessionId, WorkspaceId};

use crate::engine::batch::{Looks, Query, Set};
use crate::error::{Result, StoreError};
use crate::rate_limits::Hits;
use crate::sessions::{self, SessionRecord};
use crate::tx::Reader;
use crate::value::{Row, binds};
use crate::waiting::{self, WaitingRequest};
use crate::{accounts, revisions};

/// What a request brings along that says what to look for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ticket {
    /// Digest of the session cookie's token.
    pub session: Option<String>,
    /// Whether to look what there is to see of the session's person, too.
    pub view: bool,
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
    /// What there is to see of the person, if it was asked for and there is such a session.
    pub view: Option<View>,
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

/// What an app may get to see of a session's person, beside the account.
#[derive(Clone, Debug, PartialEq)]
pub struct View {
    /// The connection that proved the session, as it is now.
    pub connection: Option<Connection>,
    /// The person's memberships, by organization.
    pub memberships: Vec<Membership>,
    /// The organizations of the memberships.
    pub organizations: Vec<OrganizationView>,
}

/// What there is to see of an organization.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrganizationView {
    /// Its identifier.
    pub id: OrganizationId,
    /// Its name.
    pub name: String,
    /// All its workspaces in their order, if the membership is in all of them.
    pub workspaces: Vec<WorkspaceId>,
}

/// What there is to see of a session's person.
#[derive(Clone, Debug, PartialEq)]
pub struct Sight {
    /// The session, live or not.
    pub session: SessionRecord,
    /// The person.
    pub account: Account,
    /// The rest.
    pub view: View,
}

/// Look-ups about one session and its person.
pub(crate) struct Person {
    /// Finds the session.
    session: Query,
}

/// The one session, and the one account, as sets.
const SESSION: &str = "the_session";
const PERSON: &str = "the_person";

impl Person {
    /// The person whose cookie has this digest.
    fn by_digest(digest: &str) -> Self {
        Self {
            session: Query::new("SELECT id FROM sessions WHERE digest = $1", binds![digest]),
        }
    }

    /// The person of a session; none if the session is not this account's.
    fn of(session: &SessionId, account: &AccountId) -> Self {
        let sql = "SELECT id FROM sessions WHERE id = $1 AND account = $2";
        Self {
            session: Query::new(sql, binds![session, account]),
        }
    }

    /// The person to whom an authorization code with this digest was given.
    pub(crate) fn of_code(digest: &str) -> Self {
        let sql = "SELECT session FROM authorization_codes WHERE digest = $1";
        Self {
            session: Query::new(sql, binds![digest]),
        }
    }

    /// Asks for a [`Sight`].
    pub(crate) fn sight(self) -> Looks {
        let mut queries = Vec::from(Self::session());
        queries.extend(Self::view());
        Looks {
            sets: self.sets(),
            ..Looks::from(queries)
        }
    }

    fn sets(self) -> Vec<Set> {
        let account = "SELECT account FROM sessions WHERE id IN ({set:the_session})";
        vec![
            Set::unseen(SESSION, self.session),
            Set::unseen(PERSON, Query::new(account, Vec::new())),
        ]
    }

    /// Asks for the session and the account.
    fn session() -> [Query; 2] {
        let plain = |sql: String| Query::new(sql, Vec::new());
        [
            plain(format!("{} WHERE s.id IN ({{set:{SESSION}}})", sessions::COLUMNS)),
            plain(format!("{} WHERE a.id IN ({{set:{PERSON}}})", accounts::COLUMNS)),
        ]
    }

    /// Asks for the [`View`].
    fn view() -> [Query; 5] {
        let plain = |sql: String| Query::new(sql, Vec::new());
        let memberships = format!("FROM memberships WHERE account IN ({{set:{PERSON}}})");
        [
            plain(format!(
                "SELECT document, version FROM connections WHERE id IN ({{of}}SELECT connection FROM sessions \
                 WHERE id IN ({{set:{SESSION}}}){{end}})"
            )),
            plain(format!(
                "{} WHERE account IN ({{set:{PERSON}}})",
                accounts::MEMBERSHIPS
            )),
            plain(accounts::grants_where(&format!(
                "g.account IN ({{set:{PERSON}}})"
            ))),
            plain(format!(
                "SELECT id, name FROM organizations WHERE id IN ({{of}}SELECT organization {memberships}{{end}})"
            )),
            plain(format!(
                "SELECT organization, id FROM workspaces WHERE organization IN ({{of}}SELECT organization {memberships} \
                 AND all_workspaces IS NOT NULL{{end}}) ORDER BY organization, position, id"
            )),
        ]
    }
}

/// Reads the answers to [`Person::sight`].
pub(crate) fn read(mut next: impl FnMut() -> Result<Vec<Row>>) -> Result<Option<Sight>> {
    let Some((session, account)) = read_session(&mut next)? else {
        return Ok(None);
    };
    Ok(Some(Sight {
        session,
        account,
        view: read_view(next)?,
    }))
}

/// Reads the answers to [`Person::session`].
fn read_session(mut next: impl FnMut() -> Result<Vec<Row>>) -> Result<Option<(SessionRecord, Account)>> {
    let session = first(next()?, sessions::session)?;
    Ok(session.zip(first(next()?, accounts::account)?))
}

/// Reads the answers to [`Person::view`].
fn read_view(mut next: impl FnMut() -> Result<Vec<Row>>) -> Result<View> {
    let connection = first(next()?, connection)?;
    let memberships = accounts::with_grants(next()?, next()?)?.into_values().collect();
    let mut organizations = Vec::new();
    for mut row in next()? {
        organizations.push(OrganizationView {
            id: OrganizationId::new(row.text("organizations.id")?),
            name: row.text("organizations.name")?,
            workspaces: Vec::new(),
        });
    }
    for mut row in next()? {
        let of = OrganizationId::new(row.text("workspaces.organization")?);
        let workspace = WorkspaceId::new(row.text("workspaces.id")?);
        if let Some(organization) = organizations.iter_mut().find(|known| known.id == of) {
            organization.workspaces.push(workspace);
        }
    }
    Ok(View {
        connection,
        memberships,
        organizations,
    })
}

impl Reader {
    /// Looks for what a request brings along, in one round.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn visit(&mut self, ticket: &Ticket, now: Timestamp) -> Result<Visit> {
        let person = ticket.session.as_deref().map(Person::by_digest);
        let (has_person, viewed) = (person.is_some(), person.is_some() && ticket.view);
        let mut queries = vec![revisions::all_query()];
        if has_person {
            queries.extend(Person::session());
        }
        if viewed {
            queries.extend(Person::view());
        }
        queries.extend(ticket.waiting.as_deref().map(|id| waiting::query(id, now)));
        queries.extend(ticket.limit.as_deref().map(Hits::query));
        let looks = Looks {
            sets: person.map(Person::sets).unwrap_or_default(),
            ..Looks::from(queries)
        };
        let mut found = self.look(looks).await?.into_iter();
        let mut next = || found.next().ok_or(StoreError::Corrupt("parts"));
        let revisions = Revisions(revisions::read_all(next()?)?);
        let session = if has_person {
            read_session(&mut next)?
        } else {
            None
        };
        let view = if viewed { Some(read_view(&mut next)?) } else { None };
        let waiting = match &ticket.waiting {
            Some(_) => waiting::read(next()?)?,
            None => None,
        };
        let hits = match &ticket.limit {
            Some(_) => first(next()?, Hits::read)?,
            None => None,
        };
        Ok(Visit {
            view: view.filter(|_| session.is_some()),
            session,
            waiting,
            hits,
            revisions,
        })
    }

    /// Looks for what there is to see of the person of a session, in one round. None for an unknown session, or one of
    /// another account.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn sight(&mut self, session: &SessionId, account: &AccountId) -> Result<Option<Sight>> {
        let person = Person::of(session, account);
        let mut found = self.look(person.sight()).await?.into_iter();
        read(|| found.next().ok_or(StoreError::Corrupt("parts")))
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
