//! Webhooks of an organization: the list with whether calls arrive, adding one, and the catalogue of events.

use askama::Template;
use axum::extract::{Query, State};
use provost_store::Webhook;
use secrecy::ExposeSecret as _;
use serde::Deserialize;

use super::developers::{Tab, tabs};
use super::page::{self, segment};
use super::sent::Sent;
use super::shell::{Place, Shell};
use super::told;
use super::visit::{Manager, Outcome};
use crate::app::App;
use crate::flow::feed::catalogue;
use crate::flow::webhooks::{self, NewWebhook, history};

/// What the address asks for.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Asked {
    done: Option<String>,
}

#[derive(Template)]
#[template(path = "console/webhooks.html")]
struct WebhooksPage {
    shell: Shell,
    tabs: Vec<Tab>,
    rows: Vec<Row>,
    form: Form,
    problem: Option<String>,
}

struct Row {
    path: String,
    host: String,
    description: String,
    kinds: String,
    state: Standing,
    waiting: Option<String>,
}

/// Whether calls are made and arrive, as a badge.
pub(super) struct Standing {
    pub(super) tone: &'static str,
    pub(super) text: &'static str,
}

/// What can be said of a webhook, as fields.
pub(super) struct Form {
    pub(super) url: String,
    pub(super) description: String,
    /// Kinds, and whether each is ticked.
    pub(super) kinds: Vec<(String, bool)>,
}

impl Form {
    /// The fields of an address, a description and ticked kinds: families, and what else is ticked.
    pub(super) fn of(url: &str, description: &str, ticked: &[String]) -> Self {
        let families = catalogue::families().map(|family| format!("{family}.*"));
        let mut kinds: Vec<(String, bool)> = families
            .map(|kind| (kind.clone(), ticked.contains(&kind)))
            .collect();
        let others: Vec<&String> = ticked
            .iter()
            .filter(|kind| !kinds.iter().any(|(known, _)| known == *kind))
            .collect();
        kinds.extend(others.into_iter().map(|kind| (kind.clone(), true)));
        Self {
            url: url.to_owned(),
            description: description.to_owned(),
            kinds,
        }
    }

    pub(super) fn of_webhook(webhook: &Webhook) -> Self {
        let description = webhook.description.as_deref().unwrap_or_default();
        Self::of(&webhook.url, description, &webhook.kinds)
    }

    pub(super) fn of_sent(sent: &Sent) -> Self {
        Self::of(sent.get("url"), sent.get("description"), &sent.all("kind"))
    }
}

/// `GET …/developers/webhooks`.
pub async fn list(State(app): State<App>, manager: Manager, Query(asked): Query<Asked>) -> Outcome {
    let shell = manager.shell(Place::Developers).after(asked.done.as_deref());
    render(&app, &manager, shell, Form::of("", "", &[]), None).await
}

async fn render(app: &App, manager: &Manager, shell: Shell, form: Form, problem: Option<String>) -> Outcome {
    let mut rows = Vec::new();
    for webhook in webhooks::list(app, &manager.caller).await? {
        let waiting = history::waiting(app, &manager.caller, &webhook.id).await?;
        rows.push(Row {
            path: format!("{}/developers/webhooks/{}", shell.base, segment(&webhook.id)),
            host: webhooks::host_of(&webhook.url),
            state: state(&shell, &webhook),
            waiting: waiting_text(&shell, waiting),
            kinds: kinds_text(&shell, &webhook.kinds),
            description: webhook.description.unwrap_or_default(),
        });
    }
    page::show(&WebhooksPage {
        tabs: tabs(&shell, "webhooks"),
        rows,
        form,
        problem,
        shell,
    })
}

/// `POST …/developers/webhooks`: adds one, whose secret is shown this one time.
pub async fn add(State(app): State<App>, manager: Manager, sent: Sent) -> Outcome {
    manager.visitor.must_be_fresh(&app)?;
    let shell = manager.shell(Place::Developers);
    let new = NewWebhook {
        url: sent.get("url").to_owned(),
        kinds: sent.all("kind"),
        description: sent.some("description"),
        organization: Some(manager.organization.organization.id.clone()),
    };
    match webhooks::create(&app, &manager.caller, new).await {
        Ok(made) => {
            let secret = made.secret.expose_secret().to_owned();
            super::webhook::render(
                &app,
                &manager,
                shell,
                made.webhook,
                super::webhook::Said::Secret(secret),
            )
            .await
        }
        Err(error) => {
            let problem = Some(told::mendable(&shell, error)?);
            render(&app, &manager, shell, Form::of_sent(&sent), problem).await
        }
    }
}

pub(super) fn state(shell: &Shell, webhook: &Webhook) -> Standing {
    let (tone, key) = match (webhook.enabled, &webhook.disabled_reason, webhook.failing_since) {
        (false, Some(_), _) => ("bad", "webhooks.disabled"),
        (false, None, _) => ("idle", "webhooks.off"),
        (true, _, Some(_)) => ("warn", "webhooks.failing"),
        (true, _, None) => ("good", "webhooks.on"),
    };
    Standing {
        tone,
        text: shell.t(key),
    }
}

pub(super) fn waiting_text(shell: &Shell, waiting: u32) -> Option<String> {
    match waiting {
        0 => None,
        1..1000 => Some(shell.t1("webhooks.waiting", &waiting)),
        _ => Some(shell.t("webhooks.waiting_most").to_owned()),
    }
}

fn kinds_text(shell: &Shell, kinds: &[String]) -> String {
    if kinds.is_empty() {
        shell.t("webhooks.all_events").to_owned()
    } else {
        kinds.join(", ")
    }
}

#[derive(Template)]
#[template(path = "console/event_kinds.html")]
struct KindsPage {
    shell: Shell,
    tabs: Vec<Tab>,
    families: Vec<(&'static str, Vec<(&'static str, String)>)>,
}

/// `GET …/developers/events`: every kind of event, with a sentence each.
pub async fn catalogue(manager: Manager) -> Outcome {
    let shell = manager.shell(Place::Developers);
    let about = |kind: &'static str| (kind, shell.of("about_event", kind).to_owned());
    let families = catalogue::families()
        .map(|family| {
            let own = catalogue::KINDS
                .iter()
                .filter(|kind| kind.split('.').next() == Some(family));
            (family, own.map(|kind| about(kind)).collect())
        })
        .collect();
    page::show(&KindsPage {
        tabs: tabs(&shell, "events"),
        families,
        shell,
    })
}
