//! One webhook: whether its calls arrive, what it was told and how each try went; pausing, a new secret, sending again.

use askama::Template;
use axum::extract::{Path, Query, State};
use jiff::Timestamp;
use provost_store::{Attempt, Delivery, DeliveryState, Webhook};
use secrecy::ExposeSecret as _;
use serde::Deserialize;

use super::developers::{Tab, tabs};
use super::format;
use super::page::{self, segment};
use super::reasons;
use super::sent::Sent;
use super::shell::{Place, Shell};
use super::told;
use super::visit::{Manager, Outcome};
use super::webhooks::{Form, Standing, state, waiting_text};
use crate::app::App;
use crate::error::AppError;
use crate::flow::webhooks::{self, WebhookChange, delivering, history};

/// Deliveries of one page.
const PAGE: u32 = 25;

/// What the address asks for.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Asked {
    done: Option<String>,
    state: String,
    before: Option<i64>,
}

/// What is said above a webhook, once.
#[derive(Default)]
pub(super) enum Said {
    /// Nothing.
    #[default]
    Nothing,
    /// Its secret.
    Secret(String),
    /// How a test call went: the tone and a sentence.
    Test(&'static str, String),
    /// What was wrong with what was sent.
    Problem(String, Box<Form>),
}

#[derive(Template)]
#[template(path = "console/webhook.html")]
struct WebhookPage {
    shell: Shell,
    tabs: Vec<Tab>,
    here: String,
    host: String,
    description: String,
    enabled: bool,
    state: Standing,
    notes: Vec<(&'static str, String)>,
    waiting: Option<String>,
    secret: Option<String>,
    tested: Option<(&'static str, String)>,
    problem: Option<String>,
    form: Form,
    states: Vec<(String, &'static str, bool)>,
    rows: Vec<Row>,
    next: Option<String>,
}

struct Row {
    path: String,
    kind: String,
    event: String,
    tone: &'static str,
    state: &'static str,
    /// Status and error of the last try.
    status: String,
    error: String,
    attempts: i64,
    next_attempt: Option<String>,
    at: (String, String),
}

/// `GET …/developers/webhooks/{webhook}`.
pub async fn show(
    State(app): State<App>,
    manager: Manager,
    Path((_, id)): Path<(String, String)>,
    Query(asked): Query<Asked>,
) -> Outcome {
    let webhook = webhooks::find(&app, &manager.caller, &id).await?;
    let shell = manager.shell(Place::Developers).after(asked.done.as_deref());
    render_page(&app, &manager, shell, webhook, Said::Nothing, &asked).await
}

pub(super) async fn render(
    app: &App,
    manager: &Manager,
    shell: Shell,
    webhook: Webhook,
    said: Said,
) -> Outcome {
    render_page(app, manager, shell, webhook, said, &Asked::default()).await
}

async fn render_page(
    app: &App,
    manager: &Manager,
    shell: Shell,
    webhook: Webhook,
    said: Said,
    asked: &Asked,
) -> Outcome {
    let here = format!("{}/developers/webhooks/{}", shell.base, segment(&webhook.id));
    let wanted = DeliveryState::ALL
        .iter()
        .copied()
        .find(|state| format::word(state) == asked.state);
    let found = history::deliveries(app, &manager.caller, &webhook.id, wanted, asked.before, PAGE).await?;
    let next = found
        .last()
        .filter(|_| found.len() == PAGE as usize)
        .map(|last| format!("{here}?state={}&before={}", asked.state, last.sequence));
    let waiting = history::waiting(app, &manager.caller, &webhook.id).await?;
    let (mut secret, mut tested, mut problem, mut form) = (None, None, None, Form::of_webhook(&webhook));
    match said {
        Said::Nothing => {}
        Said::Secret(shown) => secret = Some(shown),
        Said::Test(tone, sentence) => tested = Some((tone, sentence)),
        Said::Problem(sentence, sent) => (problem, form) = (Some(sentence), *sent),
    }
    page::show(&WebhookPage {
        tabs: tabs(&shell, "webhooks"),
        host: webhooks::host_of(&webhook.url),
        state: state(&shell, &webhook),
        notes: notes(&shell, &webhook, app.world.now()),
        waiting: waiting_text(&shell, waiting),
        states: DeliveryState::ALL
            .iter()
            .map(|one| (format::word(one), shell.t(badge(*one).1), Some(*one) == wanted))
            .collect(),
        rows: found
            .iter()
            .map(|delivery| row(&shell, &here, delivery))
            .collect(),
        description: webhook.description.unwrap_or_default(),
        enabled: webhook.enabled,
        here,
        secret,
        tested,
        problem,
        form,
        next,
        shell,
    })
}

/// What there is to know beside the state.
fn notes(shell: &Shell, webhook: &Webhook, now: Timestamp) -> Vec<(&'static str, String)> {
    let mut notes = Vec::new();
    if let Some(reason) = &webhook.disabled_reason {
        let key = if reason.contains("410") {
            "webhooks.disabled_410"
        } else {
            "webhooks.disabled_long"
        };
        notes.push(("danger", shell.t(key).to_owned()));
    } else if let Some(since) = webhook.failing_since.filter(|_| webhook.enabled) {
        notes.push(("warn", shell.t1("webhooks.failing_since", &format::time(since))));
    }
    if let Some(until) = webhook.previous_until.filter(|until| now < *until) {
        notes.push((
            "good",
            shell.t1("webhooks.old_secret_until", &format::time(until)),
        ));
    }
    notes
}

/// Tone and name of a state.
pub(super) const fn badge(state: DeliveryState) -> (&'static str, &'static str) {
    match state {
        DeliveryState::Pending => ("idle", "webhooks.pending"),
        DeliveryState::Delivered => ("good", "webhooks.delivered"),
        DeliveryState::Failed => ("bad", "webhooks.failed"),
    }
}

fn row(shell: &Shell, here: &str, delivery: &Delivery) -> Row {
    let (tone, state) = badge(delivery.state);
    let is_again = delivery.state == DeliveryState::Pending && delivery.failures > 0;
    Row {
        path: format!("{here}/deliveries/{}", segment(&delivery.id)),
        kind: delivery.kind.clone(),
        event: delivery.event.clone(),
        tone: if is_again { "warn" } else { tone },
        state: shell.t(state),
        status: delivery
            .last_status
            .map(|status| status.to_string())
            .unwrap_or_default(),
        error: said(shell, delivery.last_error.as_deref()),
        attempts: delivery.attempts,
        next_attempt: is_again.then(|| shell.t1("webhooks.next_attempt", &format::time(delivery.due_at))),
        at: (delivery.created_at.to_string(), format::time(delivery.created_at)),
    }
}

/// `POST …/developers/webhooks/{webhook}`: what is done with a webhook.
pub async fn act(
    State(app): State<App>,
    manager: Manager,
    Path((_, id)): Path<(String, String)>,
    sent: Sent,
) -> Outcome {
    let caller = &manager.caller;
    let webhook = webhooks::find(&app, caller, &id).await?;
    let shell = manager.shell(Place::Developers);
    let list = format!("{}/developers/webhooks", shell.base);
    let here = format!("{list}/{}", segment(&id));
    let switch = |enabled| WebhookChange {
        enabled: Some(enabled),
        ..WebhookChange::default()
    };
    match sent.get("do") {
        "pause" => {
            webhooks::change(&app, caller, &id, switch(false)).await?;
            page::lead_to(&format!("{here}?done=webhook_off"))
        }
        "resume" => {
            webhooks::change(&app, caller, &id, switch(true)).await?;
            page::lead_to(&format!("{here}?done=webhook_on"))
        }
        "test" => {
            let attempt = delivering::test(&app, caller, &id).await?;
            let said = tested(&shell, &attempt);
            render(&app, &manager, shell, webhook, said).await
        }
        "replay" => {
            let since = match sent.some("since") {
                None => Timestamp::UNIX_EPOCH,
                Some(text) => since(&text)?,
            };
            history::replay(&app, caller, &id, since, sent.has("all")).await?;
            page::lead_to(&format!("{here}?done=webhook_replayed"))
        }
        "save" => save(&app, &manager, shell, webhook, &sent).await,
        "rotate" => {
            manager.visitor.must_be_fresh(&app)?;
            let made = webhooks::rotate(&app, caller, &id).await?;
            let secret = made.secret.expose_secret().to_owned();
            render(&app, &manager, shell, made.webhook, Said::Secret(secret)).await
        }
        "delete" => {
            manager.visitor.must_be_fresh(&app)?;
            webhooks::delete(&app, caller, &id).await?;
            page::lead_to(&format!("{list}?done=webhook"))
        }
        _ => Err(AppError::bad_request("invalid_form", "The form says nothing that can be done.").into()),
    }
}

async fn save(app: &App, manager: &Manager, shell: Shell, webhook: Webhook, sent: &Sent) -> Outcome {
    manager.visitor.must_be_fresh(app)?;
    let change = WebhookChange {
        url: Some(sent.get("url").to_owned()),
        kinds: Some(sent.all("kind")),
        description: Some(sent.get("description").to_owned()),
        enabled: None,
    };
    let id = webhook.id.clone();
    match webhooks::change(app, &manager.caller, &id, change).await {
        Ok(_) => page::lead_to(&format!(
            "{}/developers/webhooks/{}?done=webhook_saved",
            shell.base,
            segment(&id)
        )),
        Err(error) => {
            let text = told::mendable(&shell, error)?;
            let said = Said::Problem(text, Box::new(Form::of_sent(sent)));
            render(app, manager, shell, webhook, said).await
        }
    }
}

/// Reads a time as browsers send it from a field for date and time; it is meant as UTC.
fn since(text: &str) -> Result<Timestamp, AppError> {
    let wrong = || AppError::bad_request("invalid_since", "That is no time.");
    let civil: jiff::civil::DateTime = text.parse().map_err(|_| wrong())?;
    let zoned = civil.to_zoned(jiff::tz::TimeZone::UTC).map_err(|_| wrong())?;
    Ok(zoned.timestamp())
}

fn tested(shell: &Shell, attempt: &Attempt) -> Said {
    match (&attempt.error, attempt.status) {
        (None, status) => Said::Test(
            "good",
            shell.t2(
                "webhooks.test_good",
                &status.unwrap_or_default(),
                &attempt.milliseconds,
            ),
        ),
        (Some(error), _) => Said::Test("danger", shell.t1("webhooks.test_bad", &said(shell, Some(error)))),
    }
}

#[derive(Template)]
#[template(path = "console/delivery.html")]
struct DeliveryPage {
    shell: Shell,
    tabs: Vec<Tab>,
    webhook: String,
    host: String,
    here: String,
    row: Row,
    waits: bool,
    since: String,
    attempts: Vec<Try>,
    payload: String,
}

struct Try {
    at: (String, String),
    tone: &'static str,
    status: String,
    error: String,
    answer: String,
    duration: String,
}

/// `GET …/developers/webhooks/{webhook}/deliveries/{delivery}`.
pub async fn delivery(
    State(app): State<App>,
    manager: Manager,
    Path((_, id, delivery)): Path<(String, String, String)>,
    Query(asked): Query<Asked>,
) -> Outcome {
    let shell = manager.shell(Place::Developers).after(asked.done.as_deref());
    let found = webhooks::find(&app, &manager.caller, &id).await?;
    let (delivery, attempts) = history::delivery(&app, &manager.caller, &id, &delivery).await?;
    let payload = history::payload(&app, &found, &delivery).await?;
    let webhook = format!("{}/developers/webhooks/{}", shell.base, segment(&id));
    page::show(&DeliveryPage {
        tabs: tabs(&shell, "webhooks"),
        host: webhooks::host_of(&found.url),
        here: format!("{webhook}/deliveries/{}", segment(&delivery.id)),
        row: row(&shell, &webhook, &delivery),
        waits: delivery.state == DeliveryState::Pending,
        since: delivery.created_at.strftime("%Y-%m-%dT%H:%M:%S%.3f").to_string(),
        attempts: attempts.iter().rev().map(|one| attempt(&shell, one)).collect(),
        payload,
        webhook,
        shell,
    })
}

/// What went wrong with a call.
fn said(shell: &Shell, error: Option<&str>) -> String {
    error.map_or_else(String::new, |text| {
        reasons::tell_setting(shell.look.language, text)
    })
}

fn attempt(shell: &Shell, attempt: &Attempt) -> Try {
    Try {
        at: (attempt.at.to_string(), format::time(attempt.at)),
        tone: if attempt.error.is_none() { "good" } else { "bad" },
        status: attempt.status.map_or_else(
            || shell.t("webhooks.no_answer").to_owned(),
            |status| status.to_string(),
        ),
        error: said(shell, attempt.error.as_deref()),
        answer: attempt.answer.clone().unwrap_or_default(),
        duration: shell.t1("webhooks.milliseconds", &attempt.milliseconds),
    }
}

/// `POST …/developers/webhooks/{webhook}/deliveries/{delivery}`: sends one again.
pub async fn again(
    State(app): State<App>,
    manager: Manager,
    Path((_, id, delivery)): Path<(String, String, String)>,
    _sent: Sent,
) -> Outcome {
    let here = format!(
        "{}/developers/webhooks/{}/deliveries/{}",
        manager.base(),
        segment(&id),
        segment(&delivery)
    );
    match history::replay_one(&app, &manager.caller, &id, &delivery).await {
        // Whoever sends the form twice has what she wants.
        Err(error) if error.code() != "wrong_state" => Err(error.into()),
        Ok(_) | Err(_) => page::lead_to(&format!("{here}?done=webhook_replayed")),
    }
}
