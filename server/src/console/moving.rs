//! Moving people to single sign-on (flow F3): the list of runs, who is to be moved and how, and what would happen to whom
//! before anything does (R-93 to, C-24).

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::{Query, State};
use provost_kernel::directory::AccountKind;
use provost_kernel::id::{AccountId, ConnectionId};
use provost_kernel::provision::ConversionMode;
use provost_store::{ConversionState, PeopleFilter, SignsIn};
use serde::Deserialize;

use super::format;
use super::page::{self, segment};
use super::sent::Sent;
use super::shell::{Place, Shell};
use super::told;
use super::visit::{Manager, Outcome, Stop};
use crate::app::App;
use crate::flow::console::{moving, people};
use crate::flow::conversions::preview::{self, Preview};
use crate::flow::conversions::{self, UNDO_DAYS, Wanted};

/// Runs of one page.
const PAGE: u32 = 30;
/// People of one group that a preview shows by name; all are counted.
const SHOWN: usize = 20;

/// What the address asks for.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Asked {
    before: Option<String>,
    connection: String,
    q: String,
}

#[derive(Template)]
#[template(path = "console/moves.html")]
struct RunsPage {
    shell: Shell,
    rows: Vec<RunRow>,
    has_connection: bool,
    next: Option<String>,
}

struct RunRow {
    segment: String,
    connection: String,
    mode: &'static str,
    tone: &'static str,
    state: &'static str,
    began: (String, String),
}

/// Returns tone and name of a run's state.
pub(super) const fn state(state: ConversionState) -> (&'static str, &'static str) {
    match state {
        ConversionState::Running => ("idle", "moving.running"),
        ConversionState::Paused => ("warn", "moving.paused"),
        ConversionState::Done => ("good", "moving.done"),
        ConversionState::Undoing => ("warn", "moving.undoing"),
        ConversionState::Undone => ("bad", "moving.undone"),
    }
}

/// Returns the name of a way to move people.
pub(super) const fn mode(mode: ConversionMode) -> &'static str {
    match mode {
        ConversionMode::Additional => "moving.additional",
        ConversionMode::InPlace => "moving.in_place",
    }
}

/// `GET …/conversions`.
pub async fn list(State(app): State<App>, manager: Manager, Query(asked): Query<Asked>) -> Outcome {
    let organization = &manager.organization.organization.id;
    let connections = people::connections(&app, organization).await?;
    let before = asked.before.map(|id| id.replace('\0', ""));
    let found = conversions::list(&app, &manager.caller, organization, before, PAGE).await?;
    let shell = manager.shell(Place::Moving);
    let next = found
        .last()
        .filter(|_| found.len() == PAGE as usize)
        .map(|last| format!("{}/conversions?before={}", shell.base, segment(&last.id)));
    let rows = found
        .into_iter()
        .map(|run| {
            let (tone, name) = state(run.state);
            RunRow {
                segment: segment(&run.id),
                connection: connections
                    .iter()
                    .find(|one| one.id == run.connection)
                    .map_or_else(|| run.connection.to_string(), |one| one.name.clone()),
                mode: shell.t(mode(run.mode)),
                tone,
                state: shell.t(name),
                began: (run.created_at.to_string(), format::time(run.created_at)),
            }
        })
        .collect();
    page::show(&RunsPage {
        has_connection: !connections.is_empty(),
        shell,
        rows,
        next,
    })
}

#[derive(Template)]
#[template(path = "console/move_new.html")]
struct NewPage {
    shell: Shell,
    form: Form,
    problem: Option<String>,
}

struct Form {
    connections: Vec<(String, String, bool)>,
    is_mixed: bool,
    is_selected: bool,
    kinds: [(&'static str, &'static str, bool); 2],
    in_place: bool,
    notify: bool,
    can_mail: bool,
    undo_days: u32,
    people: Vec<Candidate>,
    has_more: bool,
}

struct Candidate {
    id: String,
    name: String,
    address: String,
    is_reader: bool,
    is_ticked: bool,
}

/// `GET …/conversions/new`.
pub async fn new(State(app): State<App>, manager: Manager, Query(asked): Query<Asked>) -> Outcome {
    let shell = manager.shell(Place::Moving);
    let begun = Begun {
        connection: asked.connection,
        ..Begun::default()
    };
    let form = form(&app, &manager, begun, asked.q).await?;
    page::show(&NewPage {
        shell,
        form,
        problem: None,
    })
}

/// What was chosen so far.
struct Begun {
    connection: String,
    /// None while nothing was chosen: then the mix of accounts recommends.
    selected: Option<bool>,
    accounts: Vec<String>,
    users: bool,
    readers: bool,
    in_place: bool,
    notify: bool,
    undo_days: u32,
}

impl Default for Begun {
    fn default() -> Self {
        Self {
            connection: String::new(),
            selected: None,
            accounts: Vec::new(),
            users: true,
            readers: false,
            in_place: false,
            notify: true,
            undo_days: UNDO_DAYS,
        }
    }
}

impl Begun {
    fn read(sent: &Sent) -> Self {
        // From the list of people only the ticks come, nothing else.
        if sent.get("do") == "choose" {
            return Self {
                accounts: sent.all("account"),
                selected: Some(true),
                readers: true,
                ..Self::default()
            };
        }
        Self {
            connection: sent.get("connection").to_owned(),
            selected: Some(sent.get("who") == "selected"),
            accounts: sent.all("account"),
            users: sent.has("user"),
            readers: sent.has("reader"),
            in_place: sent.get("mode") == "in_place",
            notify: !sent.has("skip"),
            undo_days: sent.get("undo_days").parse().unwrap_or(UNDO_DAYS),
        }
    }

    /// Puts the run together, or names what is missing.
    fn wanted(&self, manager: &Manager) -> Result<Wanted, &'static str> {
        if self.connection.is_empty() {
            return Err("adding.no_connection_chosen");
        }
        let kinds: Vec<AccountKind> = [
            (self.users, AccountKind::User),
            (self.readers, AccountKind::Reader),
        ]
        .into_iter()
        .filter_map(|(is_on, kind)| is_on.then_some(kind))
        .collect();
        if kinds.is_empty() {
            return Err("moving.no_kind");
        }
        let is_selected = self.selected == Some(true);
        if is_selected && self.accounts.is_empty() {
            return Err("moving.nobody_selected");
        }
        Ok(Wanted {
            organization: manager.organization.organization.id.clone(),
            connection: ConnectionId::new(&self.connection),
            mode: if self.in_place {
                ConversionMode::InPlace
            } else {
                ConversionMode::Additional
            },
            kinds,
            accounts: is_selected.then(|| self.accounts.iter().map(AccountId::new).collect()),
            notify: self.notify,
            undo_days: self.undo_days,
        })
    }
}

async fn form(app: &App, manager: &Manager, begun: Begun, text: String) -> Result<Form, Stop> {
    let organization = &manager.organization.organization.id;
    let connections = people::connections(app, organization).await?;
    let filter = PeopleFilter {
        signs_in: Some(SignsIn::Password),
        text: Some(text.trim().replace('\0', "")).filter(|text| !text.is_empty()),
        ..PeopleFilter::of(organization.clone())
    };
    let found = people::list(app, filter).await?;
    let mut candidates: Vec<Candidate> = found
        .rows
        .iter()
        .map(|known| candidate(&known.account, &begun.accounts))
        .collect();
    // Those who were ticked elsewhere stay ticked, wherever they stand in the list.
    let missing: Vec<AccountId> = begun
        .accounts
        .iter()
        .filter(|id| candidates.iter().all(|one| one.id != **id))
        .map(AccountId::new)
        .collect();
    let others = people::members_among(app, organization, missing).await?;
    candidates.splice(0..0, others.iter().map(|one| candidate(one, &begun.accounts)));
    let is_mixed = preview::is_mixed(app, organization).await?;
    Ok(Form {
        is_selected: begun.selected.unwrap_or(is_mixed),
        is_mixed,
        connections: connections
            .iter()
            .map(|one| {
                let is_chosen = one.id.as_str() == begun.connection || connections.len() == 1;
                (one.id.to_string(), one.name.clone(), is_chosen)
            })
            .collect(),
        kinds: [
            ("user", "kind.user", begun.users),
            ("reader", "kind.reader", begun.readers),
        ],
        in_place: begun.in_place,
        can_mail: app.config.mail.is_on(),
        notify: begun.notify && app.config.mail.is_on(),
        undo_days: begun.undo_days,
        people: candidates,
        has_more: found.has_more,
    })
}

fn candidate(account: &provost_kernel::directory::Account, ticked: &[String]) -> Candidate {
    let (name, address) = (format::name(account), format::address(account));
    Candidate {
        is_ticked: ticked.iter().any(|id| *id == account.id.as_str()),
        id: account.id.to_string(),
        address: if address == name { String::new() } else { address },
        name,
        is_reader: account.kind == AccountKind::Reader,
    }
}

#[derive(Template)]
#[template(path = "console/move_preview.html")]
struct PreviewPage {
    shell: Shell,
    lead: String,
    recommends_selected: bool,
    invited: Group,
    skipped: Vec<Group>,
    seats: Vec<SeatRow>,
    fields: Vec<(&'static str, String)>,
    accounts: Vec<String>,
    sample: Option<moving::Sample>,
    mode: &'static str,
    mode_why: &'static str,
    undo_days: u32,
}

/// People of whom the same would become.
struct Group {
    name: String,
    count: String,
    people: Vec<(String, String)>,
    more: usize,
}

struct SeatRow {
    pool: String,
    before: String,
    after: String,
    seats: Option<String>,
    is_over: bool,
}

/// `POST …/conversions/new`: the form again, the preview, or the beginning of a run.
pub async fn submit(State(app): State<App>, manager: Manager, sent: Sent) -> Outcome {
    let shell = manager.shell(Place::Moving);
    let begun = Begun::read(&sent);
    let word = sent.get("do").to_owned();
    if word == "choose" || word == "edit" {
        let form = form(&app, &manager, begun, String::new()).await?;
        return page::show(&NewPage {
            shell,
            form,
            problem: None,
        });
    }
    let wanted = match begun.wanted(&manager) {
        Ok(wanted) => wanted,
        Err(key) => {
            let problem = Some(shell.t(key).to_owned());
            let form = form(&app, &manager, begun, String::new()).await?;
            return page::show(&NewPage { shell, form, problem });
        }
    };
    let outcome = if word == "start" {
        // Whoever stands here is owner, admin or operator: the extractor has asked the directory.
        manager.visitor.must_be_fresh(&app)?;
        match conversions::start(&app, &manager.caller, &wanted).await {
            Ok(standing) => {
                let path = format!("{}/conversions/{}", shell.base, segment(&standing.run.id));
                return page::lead_to(&path);
            }
            Err(error) => Err(error),
        }
    } else {
        preview::preview(&app, &manager.caller, &wanted).await
    };
    match outcome {
        Ok(found) => show_preview(&app, &manager, shell, &wanted, found).await,
        Err(error) => {
            let problem = Some(told::mendable(&shell, error)?);
            let form = form(&app, &manager, begun, String::new()).await?;
            page::show(&NewPage { shell, form, problem })
        }
    }
}

async fn show_preview(
    app: &App,
    manager: &Manager,
    shell: Shell,
    wanted: &Wanted,
    found: Preview,
) -> Outcome {
    let organization = &manager.organization.organization.id;
    let mut by_reason: BTreeMap<Option<&'static str>, Vec<&preview::Person>> = BTreeMap::new();
    for person in &found.people {
        by_reason.entry(person.reason).or_default().push(person);
    }
    let group = |name: String, people: &[&preview::Person]| Group {
        name,
        count: shell.number(&(people.len() as u64)),
        people: people
            .iter()
            .take(SHOWN)
            .map(|person| {
                let address = person.email.as_ref().map(ToString::to_string);
                (
                    segment(person.account.as_str()),
                    address.unwrap_or_else(|| person.account.to_string()),
                )
            })
            .collect(),
        more: people.len().saturating_sub(SHOWN),
    };
    let invited = by_reason.remove(&None).unwrap_or_default();
    let skipped = by_reason
        .iter()
        .filter_map(|(reason, people)| Some(group(told::denial(&shell, (*reason)?), people)))
        .collect();
    let first = invited.first().and_then(|person| person.email.as_ref());
    let sample = match first {
        Some(email) if wanted.notify => {
            Some(moving::sample(app, organization, &wanted.connection, email.as_str()).await?)
        }
        Some(_) | None => None,
    };
    let (mode_name, mode_why) = match wanted.mode {
        ConversionMode::Additional => ("moving.additional", "moving.additional_why"),
        ConversionMode::InPlace => ("moving.in_place", "moving.in_place_why"),
    };
    page::show(&PreviewPage {
        lead: shell.t2(
            "moving.preview_lead",
            &invited.len(),
            &found.skipped.values().sum::<u32>(),
        ),
        recommends_selected: found.recommends_selected,
        invited: group(shell.t("moving.will_be_invited").to_owned(), &invited),
        skipped,
        seats: seats(&shell, manager, &found),
        fields: fields(wanted),
        accounts: wanted
            .accounts
            .iter()
            .flatten()
            .map(ToString::to_string)
            .collect(),
        sample,
        mode: shell.t(mode_name),
        mode_why: shell.t(mode_why),
        undo_days: wanted.undo_days,
        shell,
    })
}

/// Seats before and after.
fn seats(shell: &Shell, manager: &Manager, found: &Preview) -> Vec<SeatRow> {
    manager
        .organization
        .licenses
        .iter()
        .map(|pool| {
            let before = u64::from(pool.used);
            let taken = found.seats.get(&pool.license.id).copied().unwrap_or_default();
            let after = before + u64::from(taken);
            let seats = pool.license.seats.map(u64::from);
            SeatRow {
                pool: pool.license.id.to_string(),
                before: shell.number(&before),
                after: shell.number(&after),
                is_over: seats.is_some_and(|seats| after > seats),
                seats: seats.map(|seats| shell.number(&seats)),
            }
        })
        .collect()
}

/// What the preview carries on, as hidden fields.
fn fields(wanted: &Wanted) -> Vec<(&'static str, String)> {
    let mut fields = vec![
        ("connection", wanted.connection.to_string()),
        (
            "who",
            if wanted.accounts.is_some() {
                "selected"
            } else {
                "all"
            }
            .to_owned(),
        ),
        (
            "mode",
            match wanted.mode {
                ConversionMode::Additional => "additional",
                ConversionMode::InPlace => "in_place",
            }
            .to_owned(),
        ),
        ("undo_days", wanted.undo_days.to_string()),
    ];
    for kind in &wanted.kinds {
        let name = match kind {
            AccountKind::User => "user",
            AccountKind::Reader => "reader",
        };
        fields.push((name, "1".to_owned()));
    }
    if !wanted.notify {
        fields.push(("skip", "1".to_owned()));
    }
    fields
}
