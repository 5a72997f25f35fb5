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
#[derive(Default)]
pub(crate) struct Circle {
    /// The organizations of each account.
    members: BTreeMap<String, BTreeSet<String>>,
    /// The owner of each connection that has one.
    owners: BTreeMap<String, String>,
}

/// Accounts and connections that events speak of.
type Named<'a> = (BTreeSet<&'a str>, BTreeSet<&'a str>);

/// Looks for what [`Circle::read`] reads.
fn queries(accounts: String, connections: String) -> [Query; 2] {
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
    /// Reads what the events of a transaction say themselves: memberships that begin or end with them.
    pub(crate) fn of(events: &[NewEvent]) -> Self {
        let mut circle = Self::default();
        for event in events {
            if let (Some(account), Some(organization), "membership.created" | "membership.removed") =
                (&event.account, &event.organization, event.kind.as_str())
            {
                circle.belongs(account.to_string(), organization.to_string());
            }
        }
        circle
    }

    /// Lists what the events that stand in no organization's chain speak of and leave open: accounts that were there before,
    /// and connections where it matters whose they are.
    pub(crate) fn unknown<'a>(&self, events: &'a [NewEvent]) -> Named<'a> {
        let created: BTreeSet<&str> = events
            .iter()
            .filter(|event| event.kind == "user.created")
            .filter_map(|event| event.account.as_ref().map(AccountId::as_str))
            .collect();
        let (mut accounts, mut connections) = Named::default();
        for event in events.iter().filter(|event| event.organization.is_none()) {
            let connection = event.connection.as_ref().map(ConnectionId::as_str);
            let account = event.account.as_ref().map(AccountId::as_str);
            let is_open = account.is_some_and(|account| !created.contains(account));
            accounts.extend(account.filter(|_| is_open));
            let is_in_several = account
                .and_then(|account| self.members.get(account))
                .is_some_and(|organizations| organizations.len() > 1);
            if account.is_none() || is_open || is_in_several {
                connections.extend(connection);
            }
        }
        (accounts, connections)
    }

    /// Reads what [`queries`] found.
    pub(crate) fn read(&mut self, members: Vec<Row>, owners: Vec<Row>) -> Result<()> {
        for mut row in members {
            self.belongs(
                row.text("memberships.account")?,
                row.text("memberships.organization")?,
            );
        }
        for mut row in owners {
            self.owners
                .insert(row.text("connections.id")?, row.text("connections.organization")?);
        }
        Ok(())
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
    /// Looks for what is not known yet of a circle.
    pub(crate) async fn look_around(
        &mut self,
        circle: &mut Circle,
        (accounts, connections): Named<'_>,
    ) -> Result<()> {
        if accounts.is_empty() && connections.is_empty() {
            return Ok(());
        }
        let queries = queries(list(accounts)?, list(connections)?);
        let found = self.look_past_queue(Vec::from(queries).into()).await?;
        let [members, owners] = parts(found)?;
        circle.read(members, owners)
    }

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
        let accounts = of_instance().filter_map(|event| event.account.as_ref().map(AccountId::as_str));
        let connections =
            of_instance().filter_map(|event| event.connection.as_ref().map(ConnectionId::as_str));
        let named = (accounts.collect(), connections.collect());
        let mut circle = Circle::default();
        self.look_around(&mut circle, named).await?;
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
