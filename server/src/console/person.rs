//! One person: who she is, why she has what she has, what happened, and what can be done about it.

use askama::Template;
use axum::extract::{Path, Query, State};
use provost_kernel::connection::Provisioning;
use provost_kernel::directory::{AccountKind, Membership, Status};
use provost_kernel::id::{AccountId, SessionId};
use provost_kernel::provision::Action;
use provost_store::{MailRecord, SessionRecord};
use serde::Deserialize;

use super::activity::{self, Entry};
use super::format;
use super::operator_mails;
use super::page::{self, segment};
use super::sent::Sent;
use super::shell::{Place, Shell};
use super::users::{self, Named};
use super::visit::{Manager, Outcome, Stop};
use crate::app::App;
use crate::error::AppError;
use crate::flow::acting::{self, Refusal, Wish};
use crate::flow::console::bulk;
use crate::flow::console::people::{self, Person};
use crate::flow::console::standing::Standing;

/// What the address asks for.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Asked {
    pub(super) done: Option<String>,
}

#[derive(Template)]
#[template(path = "console/person.html")]
struct PersonPage {
    shell: Shell,
    id: String,
    segment: String,
    name: String,
    address: String,
    is_sso: bool,
    tone: &'static str,
    status: &'static str,
    facts: Vec<(&'static str, String)>,
    identities: Vec<Identity>,
    twins: Vec<Twin>,
    why: Vec<Why>,
    pinned: bool,
    is_active: bool,
    is_managed: bool,
    can_override: bool,
    belongs_elsewhere: bool,
    can_invite: bool,
    attributes: Vec<(String, String, String)>,
    groups: Vec<String>,
    local_groups: Vec<(String, String)>,
    sessions: Vec<Session>,
    mails: Vec<Mail>,
    timeline: Vec<Entry>,
    latest_trace: Option<String>,
}

struct Identity {
    connection: String,
    subject: String,
    issuer: String,
}

struct Twin {
    segment: String,
    name: String,
    is_sso: bool,
    status: &'static str,
}

/// One thing held, with who granted it.
struct Why {
    what: &'static str,
    names: Vec<Named>,
}

/// A mail that the organization sent.
struct Mail {
    kind: String,
    tone: &'static str,
    state: &'static str,
    at: (String, String),
}

struct Session {
    id: String,
    since: (String, String),
    seen: (String, String),
    how: String,
}

/// `GET …/users/{account}`.
pub async fn show(
    State(app): State<App>,
    manager: Manager,
    Path((_, account)): Path<(String, String)>,
    Query(asked): Query<Asked>,
) -> Outcome {
    let organization = &manager.organization.organization.id;
    let person = people::find(&app, &manager.caller, organization, &account).await?;
    let shell = manager.shell(Place::Users).after(asked.done.as_deref());
    page::show(&view(&manager, shell, &person, app.config.mail.is_on()))
}

fn view(manager: &Manager, shell: Shell, person: &Person, can_mail: bool) -> PersonPage {
    let account = &person.facts.account;
    let held = person.facts.memberships.first();
    let (tone, status) = match held {
        Some(held) if !held.active && account.status == Status::Active => {
            ("warn", "status.membership_suspended")
        }
        Some(_) | None => format::status(account.status),
    };
    let timeline = activity::of_person(&shell, person);
    let name = format::name(account);
    let address = format::address(account);
    PersonPage {
        id: account.id.to_string(),
        segment: segment(account.id.as_str()),
        address: if address == name { String::new() } else { address },
        name,
        is_sso: person.connection.is_some(),
        tone,
        status: shell.t(status),
        facts: facts(&shell, person),
        identities: person
            .facts
            .links
            .iter()
            .map(|link| Identity {
                connection: match &person.connection {
                    Some(connection) if connection.id == link.connection => connection.name.clone(),
                    Some(_) | None => link.connection.to_string(),
                },
                subject: link.subject.value.clone(),
                issuer: link.subject.issuer.clone(),
            })
            .collect(),
        twins: person
            .twins
            .iter()
            .map(|twin| Twin {
                segment: segment(twin.id.as_str()),
                name: format::name(twin),
                is_sso: people::bound_to(twin).is_some(),
                status: shell.t(format::status(twin.status).1),
            })
            .collect(),
        why: held.map(|held| why(manager, &shell, held)).unwrap_or_default(),
        pinned: held.is_some_and(|held| held.pinned),
        is_active: account.status == Status::Active,
        is_managed: account.external_id.is_some(),
        can_override: person
            .connection
            .as_ref()
            .is_some_and(|one| one.provisioning == Provisioning::Scim),
        belongs_elsewhere: person.belongs_elsewhere,
        can_invite: can_mail && account.status == Status::Invited,
        attributes: account
            .attributes
            .iter()
            .map(|(name, value)| {
                let source = account.keeping.sources.get(name).map(format::word);
                (
                    name.clone(),
                    value.as_str().map_or_else(|| value.to_string(), str::to_owned),
                    match source.as_deref() {
                        None | Some("manual") => shell.t("source.manual").to_owned(),
                        Some(word) => word.to_uppercase(),
                    },
                )
            })
            .collect(),
        local_groups: held.map(|held| local_groups(&shell, held)).unwrap_or_default(),
        groups: person.groups.iter().map(|group| group.name.clone()).collect(),
        sessions: person
            .sessions
            .iter()
            .map(|one| session(&shell, person, one))
            .collect(),
        mails: person.mails.iter().map(|one| mail(&shell, one)).collect(),
        latest_trace: person.traces.first().map(|record| record.trace.id.to_string()),
        timeline,
        shell,
    }
}

/// Groups of the organization that the person is in: where each is shown, and its name.
fn local_groups(shell: &Shell, held: &Membership) -> Vec<(String, String)> {
    let groups = held.groups.iter();
    groups
        .map(|group| {
            let path = format!("{}/groups/{}", shell.base, segment(group.id.as_str()));
            (path, group.name.clone())
        })
        .collect()
}

fn facts(shell: &Shell, person: &Person) -> Vec<(&'static str, String)> {
    let account = &person.facts.account;
    let mut rows = vec![
        (
            "users.kind",
            shell
                .t(match account.kind {
                    AccountKind::User => "kind.user",
                    AccountKind::Reader => "kind.reader",
                })
                .to_owned(),
        ),
        (
            "users.signs_in",
            person.connection.as_ref().map_or_else(
                || shell.t("users.via_password").to_owned(),
                |one| one.name.clone(),
            ),
        ),
        (
            "users.last",
            person
                .last_sign_in
                .map_or_else(|| shell.t("users.never").to_owned(), format::time),
        ),
        ("person.since", format::time(account.created_at)),
    ];
    if account.emergency_admin {
        rows.push(("person.emergency", shell.t("word.yes").to_owned()));
    }
    for (key, value) in [
        ("person.user_name", &account.user_name),
        ("person.external_id", &account.external_id),
    ] {
        if let Some(value) = value {
            rows.push((key, value.clone()));
        }
    }
    rows.into_iter()
        .map(|(key, value)| (shell.t(key), value))
        .collect()
}

fn why(manager: &Manager, shell: &Shell, held: &Membership) -> Vec<Why> {
    let facts = &manager.organization;
    let mut rows = vec![
        Why {
            what: shell.t("person.membership"),
            names: vec![Named {
                name: facts.organization.name.clone(),
                source: format::source(shell, held, &held.source, false),
            }],
        },
        Why {
            what: shell.t("users.roles"),
            names: users::roles(shell, facts, held),
        },
    ];
    let mut workspaces: Vec<Named> = held
        .workspaces
        .iter()
        .map(|grant| Named {
            name: facts
                .workspaces
                .iter()
                .find(|one| one.id == grant.id)
                .map_or_else(|| grant.id.to_string(), |one| one.name.clone()),
            source: format::source(shell, held, &grant.source, grant.pinned),
        })
        .collect();
    if let Some(source) = &held.all_workspaces {
        workspaces.insert(
            0,
            Named {
                name: shell.t("users.all_workspaces").to_owned(),
                source: format::source(shell, held, source, false),
            },
        );
    }
    rows.push(Why {
        what: shell.t("users.workspaces"),
        names: workspaces,
    });
    rows.push(Why {
        what: shell.t("nav.licenses"),
        names: held
            .license
            .iter()
            .map(|grant| Named {
                name: if grant.seated {
                    grant.license.to_string()
                } else {
                    shell.t1("person.waits", &grant.license)
                },
                source: format::source(shell, held, &grant.source, grant.pinned),
            })
            .collect(),
    });
    rows
}

fn mail(shell: &Shell, record: &MailRecord) -> Mail {
    let (tone, state) = operator_mails::state(record.state);
    Mail {
        kind: shell.of("mail_kind", &record.kind).to_owned(),
        tone,
        state: shell.t(state),
        at: (record.created_at.to_string(), format::time(record.created_at)),
    }
}

fn session(shell: &Shell, person: &Person, record: &SessionRecord) -> Session {
    let own = person.connection.as_ref();
    let both = |at: jiff::Timestamp| (at.to_string(), format::time(at));
    Session {
        id: record.id.to_string(),
        since: both(record.created_at),
        seen: both(record.last_seen_at),
        how: match &record.connection {
            None => shell.t("users.via_password").to_owned(),
            Some(id) => own
                .filter(|one| one.id == *id)
                .map_or_else(|| id.to_string(), |one| one.name.clone()),
        },
    }
}

/// `POST …/users/{account}/{action}`.
pub async fn act(
    State(app): State<App>,
    manager: Manager,
    Path((_, account, action)): Path<(String, String, String)>,
    sent: Sent,
) -> Outcome {
    let organization = &manager.organization.organization.id;
    let person = people::find(&app, &manager.caller, organization, &account).await?;
    let id = person.facts.account.id.clone();
    let here = format!("{}/users/{}", manager.base(), segment(&account));
    let wish = match action.as_str() {
        "end-session" => {
            may_end_sessions(&manager, &person)?;
            let session = sent.some("session").map(SessionId::new);
            people::end_sessions(&app, &id, session).await?;
            return page::lead_to(&format!("{here}?done=session"));
        }
        "delete" => Action::Delete {
            account: id,
            allow_return: sent.has("allow_return"),
        },
        "reset" => Action::ResetSubject { account: id },
        word => {
            let (_, takes) = bulk::action_of(word).ok_or_else(AppError::not_found)?;
            if takes && word != "suspend" {
                manager.visitor.must_be_fresh(&app)?;
            }
            let rows = bulk::each(&app, &manager.caller, organization, word, vec![id]).await?;
            let row = rows.into_iter().next().ok_or_else(AppError::not_found)?;
            return told_of(&manager, &here, word, row.outcome.map(drop));
        }
    };
    manager.visitor.must_be_fresh(&app)?;
    let done = acting::attempt(&app, Wish::new(manager.caller.actor(), wish)).await?;
    told_of(&manager, &here, &action, done.map(drop))
}

/// Leads on where something was done, and says why where it was not.
fn told_of(manager: &Manager, here: &str, action: &str, done: Result<(), Refusal>) -> Outcome {
    match done {
        Ok(()) if matches!(action, "delete" | "remove") => {
            page::lead_to(&format!("{}/users?done={action}", manager.base()))
        }
        Ok(()) => page::lead_to(&format!("{here}?done={action}")),
        Err(refusal) => {
            let shell = manager.shell(Place::Users);
            let reason = shell.of("verdict", refusal.denial.code()).to_owned();
            page::show_with(
                axum::http::StatusCode::CONFLICT,
                &NotDone {
                    reason,
                    trace: refusal.trace.to_string(),
                    back: here.to_owned(),
                    shell,
                },
            )
        }
    }
}

#[derive(Template)]
#[template(path = "console/not_done.html")]
struct NotDone {
    shell: Shell,
    reason: String,
    trace: String,
    back: String,
}

/// A session is one of the whole person: somebody who belongs elsewhere too is not this organization's alone.
fn may_end_sessions(manager: &Manager, person: &Person) -> Result<(), Stop> {
    if person.belongs_elsewhere && manager.standing != Standing::Operator {
        return Err(AppError::forbidden(
            "not_permitted",
            "This person also belongs to another organization.",
        )
        .into());
    }
    Ok(())
}

/// Names an account in a link.
pub(super) fn link(base: &str, account: &AccountId) -> String {
    format!("{base}/users/{}", segment(account.as_str()))
}
