//! The people of an organization: a list with filters that live in the address, and actions on several at once.

use askama::Template;
use axum::extract::{Query, State};
use jiff::{SignedDuration, Timestamp};
use provost_kernel::directory::{Account, AccountKind, Membership, Status};
use provost_kernel::facts::{AccountFacts, OrganizationFacts};
use provost_kernel::id::{AccountId, ConnectionId, OrganizationId, RoleId, WorkspaceId};
use provost_store::{GrantedBy, PeopleFilter, SignsIn};
use serde::Deserialize;

use super::format;
use super::organizations::back;
use super::page::{self, segment};
use super::sent::{self, Sent};
use super::shell::{Place, Shell};
use super::visit::{Manager, Outcome};
use crate::app::App;
use crate::flow::console::people::{self, People};
use crate::flow::console::{bulk, views, waiting};

/// Where roles come from, with the names of these sources.
const SOURCES: &[(&str, &str)] = &[
    ("manual", "source.manual"),
    ("rule", "source.rule"),
    ("scim", "source.scim"),
    ("invitation", "source.invitation"),
    ("import", "source.import"),
    ("group", "source.some_group"),
    ("pinned", "source.pinned"),
];

/// What the address asks for.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Asked {
    q: String,
    status: String,
    kind: String,
    via: String,
    role: String,
    source: String,
    workspace: String,
    unseen: String,
    pinned: String,
    waiting: String,
    before: Option<String>,
}

/// Days without a sign-in that can be asked for.
const UNSEEN: [i64; 3] = [30, waiting::STALE_DAYS, 365];

#[derive(Template)]
#[template(path = "console/users.html")]
struct UsersPage {
    shell: Shell,
    asked: Asked,
    choices: Vec<Choice>,
    rows: Vec<Row>,
    total: String,
    shown: usize,
    is_filtered: bool,
    first: String,
    next: Option<String>,
    views: Vec<(String, String, bool)>,
    query: String,
    can_mail: bool,
}

/// A filter with its options.
pub(super) struct Choice {
    pub(super) name: &'static str,
    pub(super) label: &'static str,
    pub(super) options: Vec<(String, String, bool)>,
}

struct Row {
    id: String,
    segment: String,
    name: String,
    address: String,
    is_sso: bool,
    is_reader: bool,
    roles: Vec<Named>,
    signs_in: String,
    workspaces: String,
    tone: &'static str,
    status: &'static str,
    last: Option<(String, String)>,
}

/// Something granted, with who granted it.
pub(super) struct Named {
    pub(super) name: String,
    pub(super) source: String,
}

/// `GET …/users`.
pub async fn list(State(app): State<App>, manager: Manager, Query(asked): Query<Asked>) -> Outcome {
    let organization = manager.organization.organization.id.clone();
    let connections = people::connections(&app, &organization).await?;
    let account = &manager.visitor.active.account.id;
    let views = views::list(&app, account, &organization).await?;
    let found = people::list(&app, asked.filter(organization, app.world.now())).await?;
    let shell = manager.shell(Place::Users);
    let via: Vec<(String, String)> = connections
        .iter()
        .map(|connection| (connection.id.to_string(), connection.name.clone()))
        .collect();
    let next = found
        .has_more
        .then(|| found.rows.last().map(|last| last.account.id.to_string()))
        .flatten()
        .map(|last| asked.address(&shell.base, Some(&last)));
    page::show(&UsersPage {
        choices: asked.choices(&shell, &manager.organization, &via),
        rows: rows(&shell, &manager.organization, &found),
        shown: found.rows.len(),
        total: shell.number(&found.total),
        is_filtered: asked.is_filtered(),
        first: asked.address(&shell.base, None),
        views: views
            .into_iter()
            .map(|(name, query)| {
                let is_current = query == asked.query(None);
                (name, query, is_current)
            })
            .collect(),
        query: asked.query(None),
        can_mail: app.config.mail.is_on(),
        next,
        asked,
        shell,
    })
}

impl Asked {
    fn is_filtered(&self) -> bool {
        [
            &self.q,
            &self.status,
            &self.kind,
            &self.via,
            &self.role,
            &self.source,
            &self.workspace,
            &self.unseen,
            &self.pinned,
            &self.waiting,
        ]
        .iter()
        .any(|value| !value.is_empty())
    }

    fn filter(&self, organization: OrganizationId, now: Timestamp) -> PeopleFilter {
        let status = match self.status.as_str() {
            "active" => Some(Status::Active),
            "invited" => Some(Status::Invited),
            "suspended" => Some(Status::Suspended),
            "deactivated" => Some(Status::Deactivated),
            "deleted" => Some(Status::Deleted),
            _ => None,
        };
        let kind = match self.kind.as_str() {
            "user" => Some(AccountKind::User),
            "reader" => Some(AccountKind::Reader),
            _ => None,
        };
        let signs_in = match self.via.as_str() {
            "" => None,
            "-password" => Some(SignsIn::Password),
            "-sso" => Some(SignsIn::Sso),
            id => Some(SignsIn::Connection(ConnectionId::new(id))),
        };
        let said = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        PeopleFilter {
            organization,
            // NUL is in no address, and PostgreSQL cannot be asked for it.
            text: said(&self.q.replace('\0', "")),
            status,
            kind,
            signs_in,
            role: said(&self.role).map(RoleId::new),
            source: match self.source.as_str() {
                "manual" => Some(GrantedBy::Manual),
                "rule" => Some(GrantedBy::Rule),
                "scim" => Some(GrantedBy::Scim),
                "invitation" => Some(GrantedBy::Invitation),
                "import" => Some(GrantedBy::Import),
                "group" => Some(GrantedBy::Group),
                "pinned" => Some(GrantedBy::Pin),
                _ => None,
            },
            workspace: said(&self.workspace).map(WorkspaceId::new),
            unseen_since: self.unseen_days().map(|days| {
                now.saturating_sub(SignedDuration::from_hours(days * 24))
                    .unwrap_or(Timestamp::MIN)
            }),
            pinned: self.pinned == "1",
            waiting: self.waiting == "1",
            before: self.before.clone().map(AccountId::new),
        }
    }

    /// For how many days nobody of those who are wanted has signed in.
    fn unseen_days(&self) -> Option<i64> {
        UNSEEN
            .iter()
            .copied()
            .find(|days| self.unseen == days.to_string())
    }

    /// Reads filters off the fields of an address.
    pub(super) fn read(fields: &[(String, String)]) -> Self {
        let get = |name: &str| {
            let found = fields.iter().find(|(known, _)| known == name);
            found.map_or_else(String::new, |(_, value)| value.chars().take(200).collect())
        };
        Self {
            q: get("q"),
            status: get("status"),
            kind: get("kind"),
            via: get("via"),
            role: get("role"),
            source: get("source"),
            workspace: get("workspace"),
            unseen: get("unseen"),
            pinned: get("pinned"),
            waiting: get("waiting"),
            before: None,
        }
    }

    /// Writes the address of the list with these filters.
    pub(super) fn address(&self, base: &str, before: Option<&str>) -> String {
        format!("{base}/users?{}", self.query(before))
    }

    /// Writes the filters as the query of an address.
    pub(super) fn query(&self, before: Option<&str>) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        for (name, value) in [
            ("q", &self.q),
            ("status", &self.status),
            ("kind", &self.kind),
            ("via", &self.via),
            ("role", &self.role),
            ("source", &self.source),
            ("workspace", &self.workspace),
            ("unseen", &self.unseen),
            ("pinned", &self.pinned),
            ("waiting", &self.waiting),
        ] {
            if !value.is_empty() {
                query.append_pair(name, value);
            }
        }
        if let Some(before) = before {
            query.append_pair("before", before);
        }
        query.finish()
    }

    fn choices(&self, shell: &Shell, facts: &OrganizationFacts, via: &[(String, String)]) -> Vec<Choice> {
        let option =
            |value: &str, label: &str, chosen: &str| (value.to_owned(), label.to_owned(), value == chosen);
        let words = |family: &'static [(&'static str, &'static str)], chosen: &str| {
            family
                .iter()
                .map(|(value, key)| option(value, shell.t(key), chosen))
                .collect::<Vec<_>>()
        };
        let mut ways = words(
            &[("-sso", "users.via_sso"), ("-password", "users.via_password")],
            &self.via,
        );
        ways.extend(via.iter().map(|(id, name)| option(id, name, &self.via)));
        vec![
            Choice {
                name: "role",
                label: shell.t("users.role"),
                options: facts
                    .roles
                    .iter()
                    .map(|role| option(role.id.as_str(), &role.name, &self.role))
                    .collect(),
            },
            Choice {
                name: "source",
                label: shell.t("users.source"),
                options: words(SOURCES, &self.source),
            },
            Choice {
                name: "via",
                label: shell.t("users.signs_in"),
                options: ways,
            },
            Choice {
                name: "workspace",
                label: shell.t("users.workspace"),
                options: facts
                    .workspaces
                    .iter()
                    .map(|one| option(one.id.as_str(), &one.name, &self.workspace))
                    .collect(),
            },
            Choice {
                name: "status",
                label: shell.t("users.status"),
                options: words(
                    &[
                        ("active", "status.active"),
                        ("invited", "status.invited"),
                        ("suspended", "status.suspended"),
                        ("deactivated", "status.deactivated"),
                        ("deleted", "status.deleted"),
                    ],
                    &self.status,
                ),
            },
            Choice {
                name: "kind",
                label: shell.t("users.kind"),
                options: words(&[("user", "kind.user"), ("reader", "kind.reader")], &self.kind),
            },
            Choice {
                name: "unseen",
                label: shell.t("users.last"),
                options: UNSEEN
                    .iter()
                    .map(|days| {
                        let days = days.to_string();
                        option(&days, &shell.t1("users.unseen", &days), &self.unseen)
                    })
                    .collect(),
            },
        ]
    }
}

fn rows(shell: &Shell, facts: &OrganizationFacts, found: &People) -> Vec<Row> {
    found
        .rows
        .iter()
        .map(|known| row(shell, facts, found, known))
        .collect()
}

fn row(shell: &Shell, facts: &OrganizationFacts, found: &People, known: &AccountFacts) -> Row {
    let account = &known.account;
    let held = known
        .memberships
        .iter()
        .find(|held| held.organization == facts.organization.id);
    let connection = people::bound_to(account);
    let (name, address) = (format::name(account), format::address(account));
    let is_inactive = held.is_some_and(|held| !held.active);
    let (tone, status) = if is_inactive && account.status == Status::Active {
        ("warn", "status.membership_suspended")
    } else {
        format::status(account.status)
    };
    Row {
        segment: segment(account.id.as_str()),
        id: account.id.to_string(),
        address: if address == name { String::new() } else { address },
        name,
        is_sso: connection.is_some(),
        is_reader: account.kind == AccountKind::Reader,
        roles: held.map(|held| roles(shell, facts, held)).unwrap_or_default(),
        signs_in: match connection {
            None => shell.t("users.via_password").to_owned(),
            Some(id) => found
                .connections
                .get(id)
                .cloned()
                .unwrap_or_else(|| id.to_string()),
        },
        workspaces: held
            .map(|held| workspaces(shell, facts, held))
            .unwrap_or_default(),
        tone,
        status: shell.t(status),
        last: found
            .last_sign_ins
            .get(&account.id)
            .map(|at| (at.to_string(), format::time(*at))),
    }
}

/// Names roles with their sources.
pub(super) fn roles(shell: &Shell, facts: &OrganizationFacts, held: &Membership) -> Vec<Named> {
    held.roles
        .iter()
        .map(|grant| Named {
            name: facts
                .roles
                .iter()
                .find(|role| role.id == grant.id)
                .map_or_else(|| grant.id.to_string(), |role| role.name.clone()),
            source: format::source(shell, held, &grant.source, grant.pinned),
        })
        .collect()
}

/// Names the workspaces of a membership.
pub(super) fn workspaces(shell: &Shell, facts: &OrganizationFacts, held: &Membership) -> String {
    if held.all_workspaces.is_some() {
        return shell.t("users.all_workspaces").to_owned();
    }
    let names: Vec<String> = held
        .workspaces
        .iter()
        .map(|grant| {
            facts
                .workspaces
                .iter()
                .find(|one| one.id == grant.id)
                .map_or_else(|| grant.id.to_string(), |one| one.name.clone())
        })
        .collect();
    names.join(", ")
}

#[derive(Template)]
#[template(path = "console/bulk.html")]
struct BulkPage {
    shell: Shell,
    title: &'static str,
    lead: String,
    back: String,
    action: String,
    rows: Vec<BulkRow>,
    again: Vec<String>,
    is_question: bool,
}

struct BulkRow {
    segment: String,
    name: String,
    tone: &'static str,
    outcome: &'static str,
    why: String,
    trace: Option<String>,
}

#[derive(Template)]
#[template(path = "console/bulk_all.html")]
struct EverybodyPage {
    shell: Shell,
    title: &'static str,
    lead: String,
    back: String,
    action: String,
    names: Vec<(String, String)>,
    more: usize,
    is_dangerous: bool,
}

/// The same for everybody who fits the filters of the list: asked first, then carried out in the background.
async fn everybody(app: &App, manager: &Manager, sent: &Sent) -> Outcome {
    let (word, way_back) = (sent.get("do").to_owned(), back(sent.get("back")).to_owned());
    let Some((title, takes)) = bulk::action_of(&word) else {
        return page::lead_to(&way_back);
    };
    let organization = manager.organization.organization.id.clone();
    let query = way_back.split_once('?').map_or("", |(_, query)| query);
    let asked = Asked::read(&sent::read(query.as_bytes()).unwrap_or_default());
    let mut accounts = bulk::everybody(app, asked.filter(organization.clone(), app.world.now())).await?;
    if takes {
        // Whoever takes access from everybody means everybody else, and must not stop halfway by losing her own.
        accounts.retain(|id| *id != manager.visitor.active.account.id);
    }
    let shell = manager.shell(Place::Users);
    if sent.has("sure") {
        manager.visitor.must_be_fresh(app)?;
        let run = bulk::start(app, &manager.caller, &organization, &word, accounts).await?;
        return page::lead_to(&format!("{}/users/runs/{}", shell.base, segment(&run.id)));
    }
    let all = accounts.len();
    let first: Vec<AccountId> = accounts.into_iter().take(20).collect();
    let names: Vec<(String, String)> = people::members_among(app, &organization, first)
        .await?
        .iter()
        .map(|account| (segment(account.id.as_str()), format::name(account)))
        .collect();
    page::show(&EverybodyPage {
        title: shell.t(title),
        lead: shell.t1("bulk.ask", &shell.number(&(all as u64))),
        back: way_back,
        action: word,
        more: all - names.len().min(all),
        names,
        is_dangerous: takes,
        shell,
    })
}

/// `POST …/users/bulk`: first what would happen to whom, where access is taken; then what did.
pub async fn bulk(State(app): State<App>, manager: Manager, sent: Sent) -> Outcome {
    if sent.has("everybody") {
        return everybody(&app, &manager, &sent).await;
    }
    let (word, way_back) = (sent.get("do").to_owned(), back(sent.get("back")).to_owned());
    let mut accounts: Vec<AccountId> = sent.all("account").into_iter().map(AccountId::new).collect();
    accounts.sort();
    accounts.dedup();
    accounts.truncate(people::BULK);
    let Some((title, takes)) = bulk::action_of(&word).filter(|_| !accounts.is_empty()) else {
        return page::lead_to(&way_back);
    };
    let organization = manager.organization.organization.id.clone();
    let shell = manager.shell(Place::Users);
    let is_question = takes && !sent.has("sure");
    let (rows, again, lead) = if is_question {
        let members = people::members_among(&app, &organization, accounts).await?;
        let lead = shell.t1("bulk.ask", &members.len());
        let again = members.iter().map(|one| one.id.to_string()).collect();
        (
            members.iter().map(|one| asked(&shell, one)).collect::<Vec<_>>(),
            again,
            lead,
        )
    } else {
        if takes {
            manager.visitor.must_be_fresh(&app)?;
        }
        let done = bulk::each(&app, &manager.caller, &organization, &word, accounts).await?;
        let again: Vec<String> = done
            .iter()
            .filter(|row| row.outcome.is_err())
            .map(|row| row.account.to_string())
            .collect();
        let lead = shell.t2("bulk.done", &(done.len() - again.len()), &again.len());
        (done.iter().map(|row| judged(&shell, row)).collect(), again, lead)
    };
    page::show(&BulkPage {
        title: shell.t(title),
        lead,
        back: way_back,
        action: word,
        rows,
        again,
        is_question,
        shell,
    })
}

fn asked(shell: &Shell, account: &Account) -> BulkRow {
    BulkRow {
        segment: segment(account.id.as_str()),
        name: format::name(account),
        tone: "idle",
        outcome: shell.t("bulk.will"),
        why: format::address(account),
        trace: None,
    }
}

fn judged(shell: &Shell, row: &people::Row) -> BulkRow {
    let (tone, outcome, why, trace) = match &row.outcome {
        Ok(true) => ("good", "bulk.changed", String::new(), None),
        Ok(false) => ("idle", "bulk.same", String::new(), None),
        Err(refusal) => (
            "bad",
            "bulk.refused",
            shell.of("verdict", refusal.denial.code()).to_owned(),
            Some(refusal.trace.to_string()),
        ),
    };
    BulkRow {
        segment: segment(row.account.as_str()),
        name: row
            .known
            .as_ref()
            .map_or_else(|| row.account.to_string(), format::name),
        tone,
        outcome: shell.t(outcome),
        why,
        trace,
    }
}
