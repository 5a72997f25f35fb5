//! Whose access differs from the rules because somebody edited it by hand, and what the rules would do (C-07).

use askama::Template;
use axum::extract::{Query, State};
use provost_kernel::connection::Connection;
use provost_kernel::facts::OrganizationFacts;
use provost_kernel::plan::MembershipEdit;
use provost_store::DriftSight;
use serde::Deserialize;

use super::format;
use super::page::{self, segment};
use super::shell::{Place, Shell};
use super::visit::{Manager, Outcome};
use crate::app::App;
use crate::flow::console::people;
use crate::flow::policy::drift::{self, Drifting};

/// People of one page.
const PAGE: u32 = 50;

/// Where the list goes on.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Asked {
    after: Option<String>,
}

#[derive(Template)]
#[template(path = "console/drift.html")]
struct DriftPage {
    shell: Shell,
    rows: Vec<Row>,
    next: Option<String>,
    /// What the list relies on.
    sight: String,
    is_under_way: bool,
}

struct Row {
    segment: String,
    name: String,
    address: String,
    connection: (String, String),
    wishes: Vec<String>,
}

/// `GET …/users/drift`.
pub async fn list(State(app): State<App>, manager: Manager, Query(asked): Query<Asked>) -> Outcome {
    let after = asked
        .after
        .map(|after| after.replace('\0', ""))
        .filter(|after| !after.is_empty());
    let found = drift::list(&app, &manager.caller, manager.id(), after, PAGE).await?;
    let connections = people::connections(&app, &manager.organization.organization.id).await?;
    let shell = manager.shell(Place::Users);
    let next = found
        .next
        .map(|next| format!("{}/users/drift?after={}", shell.base, segment(next.as_str())));
    let rows = found
        .items
        .iter()
        .map(|one| row(&shell, &manager.organization, &connections, one))
        .collect();
    page::show(&DriftPage {
        sight: sight(&shell, &found.sight),
        is_under_way: found.sight.is_under_way,
        shell,
        rows,
        next,
    })
}

/// Says since when everybody has been looked at, and how far the look that is under way is.
fn sight(shell: &Shell, sight: &DriftSight) -> String {
    let since = match &sight.as_of {
        Some(at) => shell.t1("drift.as_of", &shell.time(at)),
        None => shell.t("drift.not_yet").to_owned(),
    };
    if !sight.is_under_way {
        return since;
    }
    let so_far = shell.t1("drift.under_way", &shell.number(&sight.looked_at));
    format!("{since} {so_far}")
}

fn row(shell: &Shell, facts: &OrganizationFacts, connections: &[Connection], one: &Drifting) -> Row {
    let known = connections
        .iter()
        .find(|known| known.id.as_str() == one.connection);
    let account = &one.account.account;
    let (name, address) = (format::name(account), format::address(account));
    let wishes = if one.drift.admits {
        let edits = one.drift.edits.iter();
        edits.map(|edit| wish(shell, facts, edit)).collect()
    } else {
        vec![shell.t("drift.ends").to_owned()]
    };
    Row {
        segment: segment(account.id.as_str()),
        address: if address == name { String::new() } else { address },
        name,
        connection: (
            segment(&one.connection),
            known.map_or_else(|| one.connection.clone(), |known| known.name.clone()),
        ),
        wishes,
    }
}

/// Says what the rules would do, as what follows "the rules would".
fn wish(shell: &Shell, facts: &OrganizationFacts, edit: &MembershipEdit) -> String {
    let role = |id: &provost_kernel::id::RoleId| {
        let known = facts.roles.iter().find(|one| one.id == *id);
        known.map_or_else(|| id.to_string(), |one| one.name.clone())
    };
    let workspace = |id: &provost_kernel::id::WorkspaceId| {
        let known = facts.workspaces.iter().find(|one| one.id == *id);
        known.map_or_else(|| id.to_string(), |one| one.name.clone())
    };
    match edit {
        MembershipEdit::GrantRole { role: id, .. } => shell.t1("drift.give_role", &role(id)),
        MembershipEdit::RevokeRole { role: id } => shell.t1("drift.take_role", &role(id)),
        MembershipEdit::GrantWorkspace { workspace: id, .. } => {
            shell.t1("drift.give_workspace", &workspace(id))
        }
        MembershipEdit::RevokeWorkspace { workspace: id } => shell.t1("drift.take_workspace", &workspace(id)),
        MembershipEdit::SetAllWorkspaces { source: Some(_) } => shell.t("drift.all_workspaces").to_owned(),
        MembershipEdit::SetAllWorkspaces { source: None } => shell.t("drift.not_all_workspaces").to_owned(),
        MembershipEdit::SetLicense { to: Some(to), .. } => shell.t1("drift.give_license", &to.license),
        MembershipEdit::SetLicense { to: None, .. } => shell.t("drift.take_license").to_owned(),
        MembershipEdit::SetActive { active: true } => shell.t("drift.activate").to_owned(),
        MembershipEdit::SetActive { active: false } => shell.t("drift.suspend").to_owned(),
        // No rule does either of the last two.
        MembershipEdit::SetPinned { .. }
        | MembershipEdit::JoinGroup { .. }
        | MembershipEdit::LeaveGroup { .. } => shell.t("drift.pin").to_owned(),
    }
}
