//! Which organizations read of an event in a log of their own.
//!
//! What happens to an account, or through a connection, stands in the log of the instance. Each organization that the account
//! belongs to, and the one that owns the connection where it is about nobody, gets a row in its own chain as well, so that an
//! organization's log is whole, in one order, and verified by itself. The rows are those of the moment: who joins later does
//! not read what was before.
//!
//! Somebody may belong to several organizations. What one of them did is told to the others only as far as they see it in
//! their lists anyway: names, address, kind and state. Through which connection, by whom and why is not theirs to read. What
//! the person did herself with a password, all of them read.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use provost_kernel::id::{AccountId, ConnectionId, OrganizationId};
use serde_json::{Map, Value};

use crate::engine::batch::Query;
use crate::error::Result;
use crate::feed::{Event, NewEvent};
use crate::tx::Reader;
use crate::value::{Row, binds, list, parts};

/// Fields of a profile that every organization of the person sees.
const SHARED: &[&str] = &[
    "kind",
    "email",
    "user_name",
    "given_name",
    "family_name",
    "display_name",
];

/// How rows name the person herself, see [`provost_kernel::provision::Actor::label`].
const PERSON: &str = "person";

/// Whose the accounts and connections are that events speak of.
pub(crate) struct Circle {
    /// The organizations of each account.
    members: BTreeMap<String, BTreeSet<String>>,
    /// The owner of each connection that has one.
    owners: BTreeMap<String, String>,
}

/// What the events that stand in no organization's chain speak of, as lists for statements: accounts and connections.
pub(crate) fn mentioned(events: &[NewEvent]) -> Result<(String, String)> {
    let of_instance = events.iter().filter(|event| event.organization.is_none());
    lists(of_instance.map(|event| (event.account.as_ref(), event.connection.as_ref())))
}

fn lists<'a>(
    named: impl Iterator<Item = (Option<&'a AccountId>, Option<&'a ConnectionId>)>,
) -> Result<(String, String)> {
    let (mut accounts, mut connections) = (BTreeSet::new(), BTreeSet::new());
    for (account, connection) in named {
        accounts.extend(account.map(AccountId::as_str));
        connections.extend(connection.map(ConnectionId::as_str));
    }
    Ok((list(accounts)?, list(connections)?))
}

/// Looks for what [`Circle::read`] reads.
pub(crate) fn queries(accounts: &str, connections: &str) -> [Query; 2] {
    [
        Query::new(
            "SELECT account, organization FROM memberships WHERE account IN ({list:$1})",
            binds![accounts],
        ),
        Query::new(
            "SELECT id, organization FROM connections WHERE id IN ({list:$1}) AND organization IS NOT NULL",
            binds![connections],
        ),
    ]
}

impl Circle {
    /// Reads what [`queries`] found. Memberships that end in the same transaction are found in its events.
    pub(crate) fn read(members: Vec<Row>, owners: Vec<Row>, events: &[NewEvent]) -> Result<Self> {
        let mut circle = Self {
            members: BTreeMap::new(),
            owners: BTreeMap::new(),
        };
        for mut row in members {
            circle.belongs(
                row.text("memberships.account")?,
                row.text("memberships.organization")?,
            );
        }
        for event in events {
            if let (Some(account), Some(organization), "membership.removed") =
                (&event.account, &event.organization, event.kind.as_str())
            {
                circle.belongs(account.to_string(), organization.to_string());
            }
        }
        for mut row in owners {
            circle
                .owners
                .insert(row.text("connections.id")?, row.text("connections.organization")?);
        }
        Ok(circle)
    }

    fn belongs(&mut self, account: String, organization: String) {
        self.members.entry(account).or_default().insert(organization);
    }

    /// Lists an event as each chain gets it: its own first, then those of the organizations that it concerns.
    pub(crate) fn rows<'a>(&self, event: &'a NewEvent) -> Vec<Cow<'a, NewEvent>> {
        let mut rows = vec![Cow::Borrowed(event)];
        if event.organization.is_some() {
            return rows;
        }
        let organizations: Vec<&String> = match (&event.account, &event.connection) {
            (Some(account), _) => self.members.get(account.as_str()).into_iter().flatten().collect(),
            (None, Some(connection)) => self.owners.get(connection.as_str()).into_iter().collect(),
            (None, None) => Vec::new(),
        };
        let is_only = organizations.len() == 1;
        for organization in organizations {
            let row = if is_only || self.is_of(event, organization) {
                Some(event.clone())
            } else {
                abridged(event)
            };
            rows.extend(row.map(|row| {
                Cow::Owned(NewEvent {
                    organization: Some(organization.as_str().into()),
                    ..row
                })
            }));
        }
        rows
    }

    /// Tells whether an event is an organization's to read: it came from somebody who acts for it, through its connection, or from
    /// the person herself through no connection.
    fn is_of(&self, event: &NewEvent, organization: &str) -> bool {
        if let Some((_, acting_for)) = event.actor.rsplit_once('@') {
            return acting_for == organization;
        }
        match &event.connection {
            Some(connection) => self
                .owners
                .get(connection.as_str())
                .is_some_and(|owner| owner == organization),
            None => event.actor == PERSON,
        }
    }
}

impl Reader {
    /// Leaves of the feed's events about an organization's people what it may read (see above). Events of the feed name no actor,
    /// so what came through no connection is abridged, too. The order and the number of events stay.
    pub(crate) async fn as_read_by(
        &mut self,
        organization: &OrganizationId,
        events: Vec<Event>,
    ) -> Result<Vec<Event>> {
        let of_instance = || events.iter().filter(|event| event.organization.is_none());
        if of_instance().next().is_none() {
            return Ok(events);
        }
        let (accounts, connections) =
            lists(of_instance().map(|event| (event.account.as_ref(), event.connection.as_ref())))?;
        let found = self
            .together(queries(&accounts, &connections).into_iter().collect())
            .await?;
        let [members, owners] = parts(found)?;
        let circle = Circle::read(members, owners, &[])?;
        Ok(events
            .into_iter()
            .map(|event| circle.read_by(organization.as_str(), event))
            .collect())
    }
}

impl Circle {
    fn read_by(&self, own: &str, event: Event) -> Event {
        let Some(account) = event.account.as_ref().filter(|_| event.organization.is_none()) else {
            return event;
        };
        let is_only = self
            .members
            .get(account.as_str())
            .is_none_or(|organizations| organizations.iter().all(|one| one == own));
        let is_through_own = event.connection.as_ref().is_some_and(|connection| {
            self.owners
                .get(connection.as_str())
                .is_some_and(|owner| owner == own)
        });
        if is_only || is_through_own {
            return event;
        }
        Event {
            connection: None,
            trace: None,
            data: shared_part(&event.kind, &event.data).unwrap_or_else(|| Value::Object(Map::new())),
            ..event
        }
    }
}

/// Leaves what every organization of the person sees, or nothing.
fn abridged(event: &NewEvent) -> Option<NewEvent> {
    let data = shared_part(&event.kind, &event.data)?;
    let actor = event.actor.split(':').next().unwrap_or_default().to_owned();
    Some(NewEvent {
        actor,
        connection: None,
        trace: None,
        data,
        ..event.clone()
    })
}

fn shared_part(kind: &str, data: &Value) -> Option<Value> {
    match kind {
        "user.updated" => {
            let before = picked(data.get("before"), SHARED);
            let after = picked(data.get("after"), SHARED);
            (!before.is_empty() || !after.is_empty())
                .then(|| serde_json::json!({ "before": before, "after": after }))
        }
        "user.activated" | "user.suspended" | "user.deactivated" | "user.deleted" | "user.restored" => {
            Some(Value::Object(picked(Some(data), &["from", "to"])))
        }
        "session.revoked" => Some(Value::Object(picked(Some(data), &["reason"]))),
        _ => None,
    }
}

fn picked(data: Option<&Value>, names: &[&str]) -> Map<String, Value> {
    let Some(Value::Object(fields)) = data else {
        return Map::new();
    };
    fields
        .iter()
        .filter(|(name, _)| names.contains(&name.as_str()))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}
