//! Groups: what is kept here, what directories push, with members and the roles that they lead to, and what only rules name.

use askama::Template;
use axum::extract::{Path, Query, State};
use provost_kernel::connection::Connection;
use provost_kernel::facts::AccountFacts;
use provost_store::LocalGroupRow;
use serde::Deserialize;

use super::format;
use super::local_groups::leads;
use super::page::{self, segment};
use super::shell::{Place, Shell};
use super::users::{self, Named};
use super::visit::{Manager, Outcome};
use crate::app::App;
use crate::flow::console::{groups, people};
use crate::flow::local_groups;
use crate::flow::policy::Policies;

/// Where the list of groups goes on.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Asked {
    name: String,
    id: String,
    local: Option<String>,
    done: Option<String>,
}

#[derive(Template)]
#[template(path = "console/groups.html")]
struct GroupsPage {
    shell: Shell,
    local: Vec<LocalRow>,
    next_local: Option<String>,
    is_first: bool,
    rows: Vec<Row>,
    named: Vec<NamedRow>,
    next: Option<String>,
}

/// A group that the organization keeps by hand.
struct LocalRow {
    path: String,
    name: String,
    description: String,
    members: String,
    leads: Vec<String>,
}

struct Row {
    path: String,
    name: String,
    external_id: String,
    connection: (String, String),
    members: String,
    roles: Vec<String>,
    pushed: (String, String),
}

/// A group that only a rule names.
struct NamedRow {
    name: String,
    value: String,
    connection: (String, String),
    source: &'static str,
    roles: Vec<String>,
}

/// `GET …/groups`.
pub async fn list(State(app): State<App>, manager: Manager, Query(asked): Query<Asked>) -> Outcome {
    let organization = &manager.organization.organization.id;
    let after = (!asked.id.is_empty()).then(|| (asked.name.replace('\0', ""), asked.id.replace('\0', "")));
    let is_first = after.is_none();
    let kept = asked.local.map(|after| after.replace('\0', ""));
    let kept = local_groups::list(&app, &manager.caller, organization.as_str(), kept, groups::PAGE).await?;
    let found = groups::pushed(&app, organization, after).await?;
    let connections = people::connections(&app, organization).await?;
    let named = if is_first {
        groups::named(&app, &connections).await?
    } else {
        Vec::new()
    };
    let shell = manager.shell(Place::Groups).after(asked.done.as_deref());
    let (local, next_local) = local_rows(&shell, &manager, kept);
    let next = found
        .last()
        .filter(|_| found.len() == groups::PAGE as usize)
        .map(|last| {
            format!(
                "{}/groups?name={}&id={}",
                shell.base,
                segment(&last.name),
                segment(last.id.as_str())
            )
        });
    let link = |id: &provost_kernel::id::ConnectionId| {
        let known = connections.iter().find(|one| one.id == *id);
        (
            segment(id.as_str()),
            known.map_or_else(|| id.to_string(), |one| one.name.clone()),
        )
    };
    let rows = found
        .into_iter()
        .map(|group| Row {
            path: format!(
                "{}/groups/{}/{}",
                shell.base,
                segment(group.connection.as_str()),
                segment(group.id.as_str())
            ),
            roles: connections
                .iter()
                .find(|one| one.id == group.connection)
                .map(|one| groups::roles_of(&Policies::of(one), &group.name))
                .unwrap_or_default(),
            connection: link(&group.connection),
            external_id: group.external_id.unwrap_or_default(),
            members: shell.number(&group.members),
            pushed: (group.updated_at.to_string(), format::time(group.updated_at)),
            name: group.name,
        })
        .collect();
    let named = named
        .into_iter()
        .map(|one| NamedRow {
            connection: link(&one.connection),
            source: shell.t(if one.is_awaited {
                "groups.awaited"
            } else {
                "groups.claimed"
            }),
            name: one.name.clone().unwrap_or_else(|| one.value.clone()),
            value: one.name.map(|_| one.value).unwrap_or_default(),
            roles: one.roles,
        })
        .collect();
    page::show(&GroupsPage {
        shell,
        local,
        next_local,
        is_first,
        rows,
        named,
        next,
    })
}

/// Rows of groups that are kept here, and where the list goes on.
fn local_rows(shell: &Shell, manager: &Manager, kept: Vec<LocalGroupRow>) -> (Vec<LocalRow>, Option<String>) {
    let next = kept
        .last()
        .filter(|_| kept.len() == groups::PAGE as usize)
        .map(|last| format!("{}/groups?local={}", shell.base, segment(&last.key())));
    let rows = kept.into_iter().map(|row| local_row(shell, manager, row));
    (rows.collect(), next)
}

fn local_row(shell: &Shell, manager: &Manager, row: LocalGroupRow) -> LocalRow {
    LocalRow {
        path: format!("{}/groups/{}", shell.base, segment(row.group.id.as_str())),
        members: shell.number(&row.members),
        leads: leads(&manager.organization, &row.group),
        description: row.group.description,
        name: row.group.name,
    }
}

/// Where the list of members goes on.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct After {
    after: Option<String>,
}

#[derive(Template)]
#[template(path = "console/group.html")]
struct GroupPage {
    shell: Shell,
    name: String,
    id: String,
    connection: (String, String),
    facts: Vec<(&'static str, String)>,
    roles: Vec<String>,
    members: Vec<Member>,
    total: String,
    next: Option<String>,
}

struct Member {
    segment: String,
    is_let_in: bool,
    name: String,
    address: String,
    roles: Vec<Named>,
    tone: &'static str,
    status: &'static str,
}

/// `GET …/groups/{connection}/{group}`.
pub async fn show(
    State(app): State<App>,
    manager: Manager,
    Path((_, connection, group)): Path<(String, String, String)>,
    Query(asked): Query<After>,
) -> Outcome {
    let organization = &manager.organization.organization.id;
    let after = asked.after.map(|after| after.replace('\0', ""));
    let found = groups::one(&app, organization, &connection, &group, after).await?;
    let shell = manager.shell(Place::Groups);
    let here = format!(
        "{}/groups/{}/{}",
        shell.base,
        segment(&connection),
        segment(&group)
    );
    page::show(&GroupPage {
        facts: facts(&shell, &found),
        roles: groups::roles_of(&Policies::of(&found.connection), &found.group.name),
        members: found
            .members
            .iter()
            .map(|one| member(&shell, &manager, one))
            .collect(),
        total: shell.number(&found.group.members),
        next: found
            .next
            .map(|next| format!("{here}?after={}", segment(next.as_str()))),
        connection: link(&found.connection),
        id: found.group.id.to_string(),
        name: found.group.name,
        shell,
    })
}

fn link(connection: &Connection) -> (String, String) {
    (segment(connection.id.as_str()), connection.name.clone())
}

fn facts(shell: &Shell, found: &groups::Group) -> Vec<(&'static str, String)> {
    let group = &found.group;
    let mut facts = Vec::new();
    if let Some(id) = &group.external_id {
        facts.push((shell.t("person.external_id"), id.clone()));
    }
    facts.push((shell.t("person.since"), format::time(group.created_at)));
    facts.push((shell.t("groups.pushed"), format::time(group.updated_at)));
    facts
}

fn member(shell: &Shell, manager: &Manager, facts: &AccountFacts) -> Member {
    let account = &facts.account;
    let held = facts.memberships.first();
    let (name, address) = (format::name(account), format::address(account));
    let (tone, status) = format::status(account.status);
    Member {
        segment: segment(account.id.as_str()),
        is_let_in: held.is_some(),
        address: if address == name { String::new() } else { address },
        name,
        roles: held
            .map(|held| users::roles(shell, &manager.organization, held))
            .unwrap_or_default(),
        tone,
        status: shell.t(status),
    }
}
