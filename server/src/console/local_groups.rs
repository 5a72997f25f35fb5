//! Groups that the organization keeps by hand: making one, who is in it, what it leads to, and deleting it.

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use provost_kernel::facts::{AccountFacts, OrganizationFacts};
use provost_kernel::id::AccountId;
use provost_kernel::local_group::LocalGroup;
use provost_store::PeopleFilter;
use serde::Deserialize;

use super::format;
use super::page::{self, segment};
use super::sent::Sent;
use super::shell::{Place, Shell};
use super::told;
use super::users;
use super::visit::{Manager, Outcome};
use crate::app::App;
use crate::error::{AppError, Result};
use crate::flow::console::people;
use crate::flow::local_groups::members::{self, Step};
use crate::flow::local_groups::settling::{self, Preview};
use crate::flow::local_groups::{self, Found, Wanted};

/// Members of one page.
const MEMBERS: u32 = 32;
/// People whom a search offers.
const OFFERED: usize = 10;

/// Name, description and what to tick, as fields.
pub(super) struct Form {
    name: String,
    description: String,
    roles: Vec<Tick>,
    workspaces: Vec<Tick>,
}

/// Something that a group may lead to.
struct Tick {
    id: String,
    name: String,
    is_ticked: bool,
    /// Owner roles are for owners and operators to give.
    is_locked: bool,
}

#[derive(Template)]
#[template(path = "console/local_group_new.html")]
struct NewPage {
    shell: Shell,
    form: Form,
    problem: Option<String>,
}

#[derive(Template)]
#[template(path = "console/local_group.html")]
struct GroupPage {
    shell: Shell,
    here: String,
    id: String,
    name: String,
    description: String,
    members: Vec<Member>,
    total: String,
    next: Option<String>,
    query: String,
    offered: Vec<Offered>,
    is_searched: bool,
    run: Option<(String, String)>,
    leads: Vec<String>,
    form: Form,
    is_open: bool,
    preview: Option<String>,
    problem: Option<String>,
}

struct Member {
    id: String,
    segment: String,
    name: String,
    address: String,
    roles: Vec<users::Named>,
    tone: &'static str,
    status: &'static str,
}

/// Somebody who may be put in.
struct Offered {
    id: String,
    name: String,
    address: String,
}

/// What the address asks for.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Asked {
    done: Option<String>,
    after: Option<String>,
    q: Option<String>,
}

/// `GET …/groups/new`.
pub async fn new(State(_): State<App>, manager: Manager) -> Outcome {
    page::show(&NewPage {
        form: Form::of(&manager, &blank(&manager)),
        problem: None,
        shell: manager.shell(Place::Groups),
    })
}

/// `POST …/groups/new`.
pub async fn create(State(app): State<App>, manager: Manager, sent: Sent) -> Outcome {
    let wanted = wanted(&sent);
    match local_groups::create(&app, &manager.caller, manager.id(), &wanted).await {
        Ok(found) => {
            let id = segment(found.row.group.id.as_str());
            page::lead_to(&format!("{}/groups/{id}?done=group_made", manager.base()))
        }
        Err(error) => {
            let shell = manager.shell(Place::Groups);
            let page = NewPage {
                form: Form::of_sent(&manager, &sent),
                problem: Some(told::mendable(&shell, error)?),
                shell,
            };
            page::show_with(StatusCode::UNPROCESSABLE_ENTITY, &page)
        }
    }
}

/// `GET …/groups/{group}`.
pub async fn show(
    State(app): State<App>,
    manager: Manager,
    Path((_, group)): Path<(String, String)>,
    Query(asked): Query<Asked>,
) -> Outcome {
    let found = local_groups::find(&app, &manager.caller, manager.id(), &group).await?;
    let shell = manager.shell(Place::Groups).after(asked.done.as_deref());
    let form = Form::of(&manager, &found.row.group);
    render(&app, &manager, shell, found, &asked, Said::nothing(form)).await
}

/// What stands in the form and is said beside it.
struct Said {
    form: Form,
    preview: Option<String>,
    problem: Option<String>,
}

impl Said {
    const fn nothing(form: Form) -> Self {
        Self {
            form,
            preview: None,
            problem: None,
        }
    }
}

async fn render(
    app: &App,
    manager: &Manager,
    shell: Shell,
    found: Found,
    asked: &Asked,
    said: Said,
) -> Outcome {
    let group = &found.row.group;
    let here = format!("{}/groups/{}", shell.base, segment(group.id.as_str()));
    let after = asked.after.as_ref().map(|after| after.replace('\0', ""));
    let rows = members::list(
        app,
        &manager.caller,
        manager.id(),
        group.id.as_str(),
        after,
        MEMBERS,
    )
    .await?;
    let next = rows
        .last()
        .filter(|_| rows.len() == MEMBERS as usize)
        .map(|last| format!("{here}?after={}", segment(last.account.id.as_str())));
    let query = asked
        .q
        .as_deref()
        .unwrap_or_default()
        .replace('\0', "")
        .trim()
        .to_owned();
    let offered = if query.is_empty() {
        Vec::new()
    } else {
        offered(app, group, &query).await?
    };
    page::show(&GroupPage {
        id: group.id.to_string(),
        name: group.name.clone(),
        description: group.description.clone(),
        members: rows.iter().map(|one| member(&shell, manager, one)).collect(),
        total: shell.number(&found.row.members),
        is_searched: !query.is_empty(),
        run: found.run.as_ref().map(|run| {
            (
                format!("{}/users/runs/{}", shell.base, segment(&run.id)),
                shell.t2("moving.looked_at", &run.progress.done, &run.total),
            )
        }),
        leads: leads(&manager.organization, group),
        is_open: said.preview.is_some() || said.problem.is_some(),
        form: said.form,
        preview: said.preview,
        problem: said.problem,
        next,
        query,
        offered,
        here,
        shell,
    })
}

/// `POST …/groups/{group}`: puts in, takes out, looks at what a change would do, saves it, or deletes the group.
pub async fn act(
    State(app): State<App>,
    manager: Manager,
    Path((_, group)): Path<(String, String)>,
    sent: Sent,
) -> Outcome {
    let caller = &manager.caller;
    let found = local_groups::find(&app, caller, manager.id(), &group).await?;
    let here = format!("{}/groups/{}", manager.base(), segment(&group));
    let shell = manager.shell(Place::Groups);
    let done = match sent.get("do") {
        "add" => step(&app, &manager, &group, &sent, Step::Add).await,
        "remove" => step(&app, &manager, &group, &sent, Step::Remove).await,
        "check" => {
            let after = local_groups::changed(&manager.organization, &found.row.group, &wanted(&sent));
            let seen = match after {
                Ok(after) => settling::preview(&app, caller, &after).await,
                Err(error) => Err(error),
            };
            let mut said = Said::nothing(Form::of_sent(&manager, &sent));
            match seen {
                Ok(seen) => said.preview = Some(preview_text(&shell, seen)),
                Err(error) => said.problem = Some(told::mendable(&shell, error)?),
            }
            return render(&app, &manager, shell, found, &Asked::default(), said).await;
        }
        "save" => {
            manager.visitor.must_be_fresh(&app)?;
            let changed =
                local_groups::change(&app, caller, manager.id(), &group, &wanted(&sent), None).await;
            changed.map(|_| format!("{here}?done=group_saved"))
        }
        "delete" => {
            manager.visitor.must_be_fresh(&app)?;
            let run = local_groups::delete(&app, caller, manager.id(), &group, None).await;
            run.map(|run| match run {
                Some(run) => format!("{}/users/runs/{}", manager.base(), segment(&run)),
                None => format!("{}/groups?done=group_deleted", manager.base()),
            })
        }
        _ => Err(AppError::not_found()),
    };
    match done {
        Ok(to) => page::lead_to(&to),
        Err(error) => {
            let said = Said {
                form: if sent.get("do") == "save" {
                    Form::of_sent(&manager, &sent)
                } else {
                    Form::of(&manager, &found.row.group)
                },
                preview: None,
                problem: Some(told::mendable(&shell, error)?),
            };
            render(&app, &manager, shell, found, &Asked::default(), said).await
        }
    }
}

async fn step(app: &App, manager: &Manager, group: &str, sent: &Sent, step: Step) -> Result<String> {
    let account = sent.get("account");
    members::act(app, &manager.caller, manager.id(), group, account, step).await?;
    let done = match step {
        Step::Add => "group_joined",
        Step::Remove => "group_left",
    };
    Ok(format!(
        "{}/groups/{}?done={done}",
        manager.base(),
        segment(group)
    ))
}

/// People of the organization whose address or name begins with a text, and who are not in the group.
async fn offered(app: &App, group: &LocalGroup, query: &str) -> Result<Vec<Offered>> {
    let filter = PeopleFilter {
        text: Some(query.to_owned()),
        ..PeopleFilter::of(group.organization.clone())
    };
    let is_in = |known: &AccountFacts| {
        let mut held = known.memberships.iter().flat_map(|held| &held.groups);
        held.any(|held| held.id == group.id)
    };
    let found = people::list(app, filter).await?;
    Ok(found
        .rows
        .iter()
        .filter(|known| !is_in(known))
        .take(OFFERED)
        .map(|known| {
            let (name, address) = (format::name(&known.account), format::address(&known.account));
            Offered {
                id: known.account.id.to_string(),
                address: if address == name { String::new() } else { address },
                name,
            }
        })
        .collect())
}

fn member(shell: &Shell, manager: &Manager, known: &AccountFacts) -> Member {
    let account: &provost_kernel::directory::Account = &known.account;
    let held = known.memberships.first();
    let (name, address) = (format::name(account), format::address(account));
    let (tone, status) = format::status(account.status);
    let id: &AccountId = &account.id;
    Member {
        id: id.to_string(),
        segment: segment(id.as_str()),
        address: if address == name { String::new() } else { address },
        name,
        roles: held
            .map(|held| users::roles(shell, &manager.organization, held))
            .unwrap_or_default(),
        tone,
        status: shell.t(status),
    }
}

/// Names of the roles and workspaces that a group leads to.
pub(super) fn leads(facts: &OrganizationFacts, group: &LocalGroup) -> Vec<String> {
    let roles = facts.roles.iter().filter(|role| group.roles.contains(&role.id));
    let workspaces = facts
        .workspaces
        .iter()
        .filter(|one| group.workspaces.contains(&one.id));
    roles
        .map(|role| role.name.clone())
        .chain(workspaces.map(|one| one.name.clone()))
        .collect()
}

fn preview_text(shell: &Shell, seen: Preview) -> String {
    let changed = shell.number(&u64::from(seen.changed));
    let looked_at = shell.number(&u64::from(seen.looked_at));
    if u64::from(seen.looked_at) < seen.members {
        return shell.t2("groups.would_change_first", &changed, &looked_at);
    }
    shell.t2("groups.would_change", &changed, &looked_at)
}

fn wanted(sent: &Sent) -> Wanted {
    Wanted {
        name: Some(sent.get("name").to_owned()),
        description: Some(sent.get("description").to_owned()),
        roles: Some(sent.all("role")),
        workspaces: Some(sent.all("workspace")),
    }
}

fn blank(manager: &Manager) -> LocalGroup {
    LocalGroup {
        id: String::new().as_str().into(),
        organization: manager.organization.organization.id.clone(),
        name: String::new(),
        description: String::new(),
        roles: Vec::new(),
        workspaces: Vec::new(),
        version: 1,
    }
}

impl Form {
    fn of(manager: &Manager, group: &LocalGroup) -> Self {
        let roles: Vec<String> = group.roles.iter().map(ToString::to_string).collect();
        let workspaces: Vec<String> = group.workspaces.iter().map(ToString::to_string).collect();
        Self::with(manager, &group.name, &group.description, &roles, &workspaces)
    }

    fn of_sent(manager: &Manager, sent: &Sent) -> Self {
        Self::with(
            manager,
            sent.get("name"),
            sent.get("description"),
            &sent.all("role"),
            &sent.all("workspace"),
        )
    }

    fn with(
        manager: &Manager,
        name: &str,
        description: &str,
        roles: &[String],
        workspaces: &[String],
    ) -> Self {
        let facts = &manager.organization;
        let may_give_owners = manager.standing != crate::flow::console::standing::Standing::Admin;
        Self {
            name: name.to_owned(),
            description: description.to_owned(),
            roles: facts
                .roles
                .iter()
                .map(|role| Tick {
                    is_ticked: roles.iter().any(|id| id == role.id.as_str()),
                    id: role.id.to_string(),
                    name: role.name.clone(),
                    is_locked: role.owner && !may_give_owners,
                })
                .collect(),
            workspaces: facts
                .workspaces
                .iter()
                .map(|one| Tick {
                    is_ticked: workspaces.iter().any(|id| id == one.id.as_str()),
                    id: one.id.to_string(),
                    name: one.name.clone(),
                    is_locked: false,
                })
                .collect(),
        }
    }
}
