//! What happened: one list of attempts, requests of directories, changes and outgoing events, with one filter bar.

use std::collections::BTreeMap;

use askama::Template;
use axum::body::Body;
use axum::extract::{Path, Query, State};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use provost_kernel::denial::Denial;
use provost_kernel::directory::Account;
use provost_kernel::id::{AccountId, ConnectionId};
use provost_kernel::trace::{PASSWORD_SIGN_IN, PROVISION, SIGN_IN, StepOutcome, TEST_SIGN_IN, Trace};
use provost_store::{AuditRow, Delivery, NewEvent, ScimRequest, TraceRecord};
use serde::Deserialize;

use super::connections::{self, Head};
use super::format;
use super::page::{self, segment};
use super::person;
use super::reasons;
use super::shell::{Place, Shell};
use super::users::Choice;
use super::visit::{Manager, Outcome};
use super::webhook;
use crate::app::App;
use crate::error::AppError;
use crate::flow::console::activity::{self, Cursor, Item, Wanted, Which};
use crate::flow::console::people::{self, Person};
use crate::flow::{directory, webhooks};
use crate::spreadsheet::{MEDIA_TYPE, Sheet};

/// What the address asks for.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Asked {
    show: String,
    connection: String,
    account: String,
    refused: String,
    why: String,
    from: String,
    until: String,
    after: Option<String>,
}

/// Reasons for which sign-ins are refused, that can be asked for.
const REASONS: &[Denial] = &[
    Denial::NoOrganization,
    Denial::NoSeat,
    Denial::NotProvisionedByHand,
    Denial::NotPushedByDirectory,
    Denial::DomainNotVerified,
    Denial::EmailMissing,
    Denial::AmbiguousMatch,
    Denial::ExistingAccountRefused,
    Denial::Suspended,
    Denial::Deactivated,
    Denial::ConnectionDisabled,
];

/// One line of a timeline.
pub(super) struct Entry {
    pub(super) at: (String, String),
    pub(super) what: String,
    pub(super) about: Option<(String, String)>,
    pub(super) detail: String,
    pub(super) tone: &'static str,
    pub(super) outcome: String,
    pub(super) trace: Option<String>,
    /// Where more of it is shown, if that is no explanation.
    pub(super) more: Option<String>,
}

#[derive(Template)]
#[template(path = "console/activity.html")]
pub(super) struct ActivityPage {
    pub(super) shell: Shell,
    pub(super) asked: Asked,
    pub(super) choices: Vec<Choice>,
    pub(super) entries: Vec<Entry>,
    pub(super) next: Option<String>,
    pub(super) is_filtered: bool,
    pub(super) can_look_up: bool,
    /// Where to get the same as a file.
    pub(super) file: Option<String>,
    /// Where newer entries come from, on the page that shows the newest.
    pub(super) live: Option<String>,
    /// The head of a connection, where this is one of its pages.
    pub(super) head: Option<Head>,
    /// The address of this list without filters.
    pub(super) here: String,
}

/// `GET …/activity`.
pub async fn list(State(app): State<App>, manager: Manager, Query(asked): Query<Asked>) -> Outcome {
    let shell = manager.shell(Place::Activity);
    let here = format!("{}/activity", shell.base);
    render(&app, &manager, shell, asked, here, None).await
}

/// `GET …/connections/{connection}/activity`: the same of one connection.
pub async fn of_connection(
    State(app): State<App>,
    manager: Manager,
    Path((_, id)): Path<(String, String)>,
    Query(asked): Query<Asked>,
) -> Outcome {
    let record = directory::connection(&app, &manager.caller, &id).await?;
    let shell = manager.shell(Place::Connections);
    let here = format!("{}/connections/{}/activity", shell.base, segment(&id));
    let head = connections::head(&shell, &record, "activity");
    let asked = Asked {
        connection: id,
        ..asked
    };
    render(&app, &manager, shell, asked, here, Some(head)).await
}

async fn render(
    app: &App,
    manager: &Manager,
    shell: Shell,
    asked: Asked,
    here: String,
    head: Option<Head>,
) -> Outcome {
    let organization = &manager.organization.organization.id;
    let connections = people::connections(app, organization).await?;
    let found = activity::list(app, &manager.caller, Some(organization), asked.wanted()).await?;
    let named: Vec<(String, String)> = connections
        .iter()
        .map(|connection| (connection.id.to_string(), connection.name.clone()))
        .collect();
    let items = found.items.iter();
    let entries: Vec<Entry> = items.map(|item| entry(&shell, item, &found.people)).collect();
    let is_newest = asked.after.is_none() && asked.until.is_empty();
    page::show(&ActivityPage {
        live: is_newest.then(|| {
            let seen = entries.first().map_or("", |entry| entry.at.0.as_str());
            format!(
                "{}/activity/live?{}&seen={}",
                shell.base,
                asked.query(None),
                segment(seen)
            )
        }),
        entries,
        next: found
            .next
            .as_ref()
            .map(|next| format!("{here}?{}", asked.query(Some(&next.write())))),
        is_filtered: if head.is_some() {
            asked.of_everything().is_filtered()
        } else {
            asked.is_filtered()
        },
        can_look_up: head.is_none(),
        file: Some(format!("{}/activity/file?{}", shell.base, asked.query(None))),
        choices: {
            let mut choices = asked.choices(&shell, &named);
            choices.retain(|choice| head.is_none() || choice.name != "connection");
            choices
        },
        head,
        here,
        asked,
        shell,
    })
}

/// Entries that are read at once for a file.
const PIECE: usize = 500;

/// `GET …/activity/file`: everything that fits the filters, newest first, as a table. It is written while it is sent, so that
/// its length does not matter; a failure on the way ends the transfer, so that what arrived cannot be taken for all of it.
pub async fn file(State(app): State<App>, manager: Manager, Query(asked): Query<Asked>) -> Outcome {
    let name = format!("activity-{}.csv", segment(manager.id()));
    let mut head = Sheet::default();
    head.row(["at", "what", "person", "outcome", "detail", "explanation"])?;
    let begun = head.text()?;
    // The first piece is read before anything is sent: what cannot be read at all is answered as an error.
    let (first, next) = piece(&app, &manager, asked.wanted()).await?;
    let rest = stream::try_unfold((app, manager, next), |(app, manager, next)| async move {
        let Some(wanted) = next else { return Ok(None) };
        let (bytes, next) = piece(&app, &manager, wanted).await?;
        Ok::<_, AppError>(Some((bytes, (app, manager, next))))
    });
    let pieces = stream::iter([Ok(begun), Ok(first)]).chain(rest);
    let pieces = pieces.map_err(|error| std::io::Error::other(error.code()));
    Ok(page::file(&name, MEDIA_TYPE, Body::from_stream(pieces)))
}

/// Writes some lines of a file, and tells what is wanted next.
async fn piece(app: &App, manager: &Manager, wanted: Wanted) -> Result<(String, Option<Wanted>), AppError> {
    let organization = &manager.organization.organization.id;
    let found = activity::list_of(app, &manager.caller, Some(organization), wanted.clone(), PIECE).await?;
    let shell = manager.shell(Place::Activity);
    let mut sheet = Sheet::default();
    for item in &found.items {
        let line = entry(&shell, item, &found.people);
        let person = line.about.map(|(_, name)| name).unwrap_or_default();
        let more = line.trace.or(line.more);
        let why = more.map(|path| app.config.url(&path)).unwrap_or_default();
        sheet.row([line.at.0, line.what, person, line.outcome, line.detail, why])?;
    }
    let next = found.next.map(|cursor| Wanted { cursor, ..wanted });
    Ok((sheet.text()?, next))
}

impl Asked {
    pub(super) fn is_filtered(&self) -> bool {
        [
            &self.show,
            &self.connection,
            &self.account,
            &self.refused,
            &self.why,
            &self.from,
            &self.until,
        ]
        .iter()
        .any(|value| !value.is_empty())
    }

    pub(super) fn wanted(&self) -> Wanted {
        let said = |text: &str| Some(text.replace('\0', "")).filter(|text| !text.is_empty());
        Wanted {
            which: match self.show.as_str() {
                "attempts" => Which::Attempts,
                "scim" => Which::Scim,
                "changes" => Which::Changes,
                "events" => Which::Events,
                _ => Which::All,
            },
            connection: said(&self.connection).map(ConnectionId::new),
            account: said(&self.account).map(AccountId::new),
            refused: self.refused == "1",
            why: said(&self.why),
            since: day(&self.from).and_then(midnight),
            until: day(&self.until)
                .and_then(|day| day.tomorrow().ok())
                .and_then(midnight),
            cursor: self.after.as_deref().map(Cursor::read).unwrap_or_default(),
        }
    }

    pub(super) fn choices(&self, shell: &Shell, connections: &[(String, String)]) -> Vec<Choice> {
        let shows = [
            ("attempts", "activity.attempts"),
            ("scim", "activity.scim"),
            ("changes", "activity.changes"),
            ("events", "activity.events"),
        ];
        vec![
            Choice {
                name: "show",
                label: shell.t("activity.show"),
                options: shows
                    .iter()
                    .map(|(value, key)| ((*value).to_owned(), shell.t(key).to_owned(), self.show == *value))
                    .collect(),
            },
            Choice {
                name: "connection",
                label: shell.t("activity.connection"),
                options: connections
                    .iter()
                    .map(|(id, name)| (id.clone(), name.clone(), self.connection == *id))
                    .collect(),
            },
            Choice {
                name: "why",
                label: shell.t("activity.why"),
                options: REASONS
                    .iter()
                    .map(|reason| reason.code())
                    .map(|code| {
                        (
                            code.to_owned(),
                            shell.of("verdict", code).to_owned(),
                            self.why == code,
                        )
                    })
                    .collect(),
            },
        ]
    }

    /// The same filters without the connection.
    fn of_everything(&self) -> Self {
        Self {
            connection: String::new(),
            ..self.clone()
        }
    }

    /// Writes the filters as the query of an address.
    pub(super) fn query(&self, after: Option<&str>) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        for (name, value) in [
            ("show", &self.show),
            ("connection", &self.connection),
            ("account", &self.account),
            ("refused", &self.refused),
            ("why", &self.why),
            ("from", &self.from),
            ("until", &self.until),
        ] {
            if !value.is_empty() {
                query.append_pair(name, value);
            }
        }
        if let Some(after) = after {
            query.append_pair("after", after);
        }
        query.finish()
    }
}

/// Reads a day as the address has it; what is none is no filter.
fn day(text: &str) -> Option<Date> {
    text.parse().ok()
}

/// Returns when a day begins. Times are told in UTC everywhere here.
fn midnight(day: Date) -> Option<Timestamp> {
    Some(day.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

/// Writes one line.
pub(super) fn entry(shell: &Shell, item: &Item, people: &BTreeMap<AccountId, Account>) -> Entry {
    let about = item.account().and_then(|id| {
        let account = people.get(&id)?;
        Some((person::link(&shell.base, &id), format::name(account)))
    });
    match item {
        Item::Attempt(record) => attempt(shell, record, about),
        Item::Scim(request) => scim(shell, request, about),
        Item::Change(row) => change(shell, row, about, people),
        Item::Event(told) => event(shell, &told.0, &told.1, about),
    }
}

/// Names the kind of an attempt.
pub(super) fn kind_of(shell: &Shell, kind: &str) -> String {
    shell
        .t(match kind {
            SIGN_IN => "trace.sign_in",
            TEST_SIGN_IN => "trace.test_sign_in",
            PASSWORD_SIGN_IN => "trace.password_sign_in",
            PROVISION => "trace.provision",
            _ => "trace.other",
        })
        .to_owned()
}

/// Returns tone and words of a verdict.
pub(super) fn verdict(shell: &Shell, verdict: &str) -> (&'static str, String) {
    let tone = if matches!(verdict, "admitted" | "accepted") {
        "good"
    } else {
        "bad"
    };
    let language = shell.look.language;
    let known = language
        .known(&format!("verdict.{verdict}"))
        .unwrap_or_else(|| shell.t("verdict.refused"));
    (tone, known.to_owned())
}

/// Says what went wrong or is worth a look, if anything did.
pub(super) fn telling(shell: &Shell, trace: &Trace) -> String {
    trace
        .steps
        .iter()
        .find(|step| matches!(step.outcome, StepOutcome::Refused | StepOutcome::Warned))
        .map(|step| reasons::tell(shell.look.language, &step.code, &step.text).text)
        .unwrap_or_default()
}

fn attempt(shell: &Shell, record: &TraceRecord, about: Option<(String, String)>) -> Entry {
    let trace = &record.trace;
    let (tone, outcome) = if trace.kind == PROVISION && record.verdict == "admitted" {
        ("good", shell.t("trace.done").to_owned())
    } else {
        verdict(shell, &record.verdict)
    };
    Entry {
        at: (trace.at.to_string(), format::time(trace.at)),
        what: kind_of(shell, &trace.kind),
        about,
        detail: telling(shell, trace),
        tone,
        outcome,
        trace: Some(format!("{}/traces/{}", shell.base, segment(trace.id.as_str()))),
        more: None,
    }
}

fn scim(shell: &Shell, request: &ScimRequest, about: Option<(String, String)>) -> Entry {
    let tone = match request.status {
        0..400 => "good",
        400..500 => "warn",
        _ => "bad",
    };
    Entry {
        at: (request.at.to_string(), format::time(request.at)),
        what: format!("SCIM {}", request.method),
        about,
        detail: [
            Some(request.path.clone()),
            request.code.clone(),
            request.detail.clone(),
        ]
        .into_iter()
        .flatten()
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join(" · "),
        tone,
        outcome: request.status.to_string(),
        trace: request
            .trace
            .as_ref()
            .map(|trace| format!("{}/traces/{}", shell.base, segment(trace))),
        more: None,
    }
}

/// The name of the group that a change was about.
fn group(event: &NewEvent) -> Option<&str> {
    let is_about_group = event.kind.starts_with("group.");
    let mut names = ["/name", "/after/name", "/before/name"]
        .into_iter()
        .filter(|_| is_about_group);
    names.find_map(|name| event.data.pointer(name)?.as_str())
}

fn change(
    shell: &Shell,
    row: &AuditRow,
    about: Option<(String, String)>,
    people: &BTreeMap<AccountId, Account>,
) -> Entry {
    let event = &row.event;
    let by = activity::actor_of(row).and_then(|id| people.get(&id));
    let by = actor(shell, &event.actor, by);
    Entry {
        at: (event.at.to_string(), format::time(event.at)),
        what: shell.of("event", &event.kind).to_owned(),
        about,
        detail: match group(event) {
            Some(name) => format!("{name} · {by}"),
            None => by,
        },
        tone: "",
        outcome: String::new(),
        trace: event
            .trace
            .as_ref()
            .map(|trace| format!("{}/traces/{}", shell.base, segment(trace.as_str()))),
        more: None,
    }
}

fn event(shell: &Shell, told: &Delivery, url: &str, about: Option<(String, String)>) -> Entry {
    let (tone, state) = webhook::badge(told.state);
    let detail = [
        Some(told.kind.clone()),
        Some(webhooks::host_of(url)),
        told.last_status.map(|status| status.to_string()),
        told.last_error.clone(),
    ];
    Entry {
        at: (told.created_at.to_string(), format::time(told.created_at)),
        what: shell.t("activity.event").to_owned(),
        about,
        detail: detail.into_iter().flatten().collect::<Vec<_>>().join(" · "),
        tone,
        outcome: shell.t(state).to_owned(),
        trace: None,
        more: Some(format!(
            "{}/developers/webhooks/{}/deliveries/{}",
            shell.base,
            segment(&told.webhook),
            segment(&told.id)
        )),
    }
}

/// Says who acted, by name if it is somebody known.
pub(super) fn actor(shell: &Shell, label: &str, known: Option<&Account>) -> String {
    let (by, who) = label.split_once(':').unwrap_or((label, ""));
    let by = match by {
        "admin" => "actor.admin",
        "operator" => "actor.operator",
        "scim" => "actor.scim",
        "api_key" => "actor.api_key",
        "file" => "actor.file",
        "system" => "actor.system",
        "person" => "actor.person",
        "setup_link" => "actor.setup_link",
        _ => return label.to_owned(),
    };
    let who = match known {
        Some(account) => format::name(account),
        None => who.split('@').next().unwrap_or_default().to_owned(),
    };
    if who.is_empty() {
        shell.t(by).to_owned()
    } else {
        format!("{} {who}", shell.t(by))
    }
}

/// Writes the timeline of one person.
pub(super) fn of_person(shell: &Shell, person: &Person) -> Vec<Entry> {
    let mut items: Vec<Item> = person
        .traces
        .iter()
        .map(|record| Item::Attempt(Box::new(record.clone())))
        .chain(person.audit.iter().map(|row| Item::Change(Box::new(row.clone()))))
        .chain(
            person
                .requests
                .iter()
                .map(|request| Item::Scim(Box::new(request.clone()))),
        )
        .collect();
    items.sort_by_key(|item| std::cmp::Reverse(item.at()));
    items.truncate(25);
    items
        .iter()
        .map(|item| Entry {
            // It is the person's own page.
            about: None,
            ..entry(shell, item, &person.actors)
        })
        .collect()
}
