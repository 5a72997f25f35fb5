//! What mail went to whom, and whether it left, for operators.

use askama::Template;
use axum::extract::{Query, State};
use provost_kernel::email::Email;
use provost_store::MailState;
use serde::Deserialize;

use super::format;
use super::operator::shell;
use super::page::{self, segment};
use super::shell::{Place, Shell};
use super::visit::{Operator, Outcome};
use crate::app::App;
use crate::flow::console::standing;
use crate::flow::mails::{self, Wanted};

/// Mails of one page.
const PAGE: u32 = 50;

/// What the address asks for.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Asked {
    q: String,
    state: String,
    before: Option<String>,
}

#[derive(Template)]
#[template(path = "console/operator_mails.html")]
struct MailsPage {
    shell: Shell,
    asked: Asked,
    states: Vec<(&'static str, &'static str, bool)>,
    rows: Vec<Row>,
    is_on: bool,
    next: Option<String>,
}

struct Row {
    recipient: String,
    kind: String,
    organization: Option<(String, String)>,
    tone: &'static str,
    state: &'static str,
    attempts: i64,
    error: String,
    at: (String, String),
}

const STATES: &[(MailState, &str, &str, &str)] = &[
    (MailState::Queued, "queued", "idle", "mails.queued"),
    (MailState::Sent, "sent", "good", "mails.sent"),
    (MailState::Dead, "dead", "bad", "mails.dead"),
];

/// Returns the tone of a state and the key of its name.
pub(super) fn state(of: MailState) -> (&'static str, &'static str) {
    STATES
        .iter()
        .find(|(state, ..)| *state == of)
        .map_or(("idle", "mails.queued"), |(_, _, tone, key)| (*tone, *key))
}

/// `GET /console/operator/mails`.
pub async fn list(State(app): State<App>, operator: Operator, Query(asked): Query<Asked>) -> Outcome {
    let caller = standing::instance_caller(&operator.0.active);
    let shell = shell(&operator, Place::Mails);
    let recipient = Email::parse(asked.q.trim()).ok();
    let wanted = Wanted {
        state: STATES
            .iter()
            .find(|(_, word, ..)| *word == asked.state)
            .map(|(state, ..)| *state),
        before: asked.before.clone().map(|id| id.replace('\0', "")),
        recipient,
        ..Wanted::default()
    };
    // What is no whole address fits no mail.
    let found = if asked.q.trim().is_empty() || wanted.recipient.is_some() {
        mails::list(&app, &caller, wanted, PAGE).await?
    } else {
        Vec::new()
    };
    let next = found.last().filter(|_| found.len() == PAGE as usize).map(|last| {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query
            .append_pair("q", &asked.q)
            .append_pair("state", &asked.state)
            .append_pair("before", &last.id);
        format!("{}/mails?{}", shell.base, query.finish())
    });
    let rows = found
        .into_iter()
        .map(|mail| {
            let (tone, state) = state(mail.state);
            Row {
                recipient: mail.recipient.to_string(),
                kind: shell.of("mail_kind", &mail.kind).to_owned(),
                organization: mail
                    .organization
                    .as_ref()
                    .map(|id| (segment(id.as_str()), id.to_string())),
                tone,
                state: shell.t(state),
                attempts: mail.attempts,
                error: mail.last_error.unwrap_or_default(),
                at: (mail.created_at.to_string(), format::time(mail.created_at)),
            }
        })
        .collect();
    page::show(&MailsPage {
        states: STATES
            .iter()
            .map(|(_, word, _, key)| (*word, shell.t(key), *word == asked.state))
            .collect(),
        is_on: app.config.mail.is_on(),
        asked,
        rows,
        next,
        shell,
    })
}
