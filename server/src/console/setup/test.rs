//! The step about the test sign-in: in a window of its own, with what came, what it means, and what is missing.

use askama::Template;
use axum::http::HeaderMap;
use jiff::Timestamp;
use serde_json::Value;

use super::super::connection_values;
use super::super::format;
use super::super::page;
use super::super::reasons;
use super::super::shell::Shell;
use super::super::visit::Outcome;
use super::desk::Desk;
use super::guide::Piece;
use super::{Frame, Step, frame, guide_lines, part_of};
use crate::app::App;
use crate::flow::limits::{Limited, Toll};
use crate::flow::setup::testing::{self, Begin, Field};
use crate::flow::setup::{SetUp, VERIFIED};
use crate::http::browser::Browser;
use crate::http::request::ClientAddress;
use crate::http::sso;

#[derive(Template)]
#[template(path = "console/setup_test.html")]
struct TestPage {
    shell: Shell,
    frame: Frame,
    outcome: Option<Tested>,
    is_proved: bool,
    lines: Vec<Vec<Piece>>,
    /// What is known of the provider, whether it was typed in or read from its metadata.
    theirs: Vec<(String, String)>,
}

/// What came of the last test.
struct Tested {
    at: (String, String),
    is_good: bool,
    code: String,
    text: String,
    reference: String,
    fields: Vec<Shown>,
    is_missing: bool,
    raw: String,
    normalized: String,
}

/// One field of a person.
struct Shown {
    name: &'static str,
    attribute: &'static str,
    value: Option<String>,
    needed: bool,
}

/// `GET …/setup/test`.
pub(super) async fn show(app: &App, desk: &Desk, setup: &SetUp) -> Outcome {
    let shell = desk.shell();
    let outcome = match &setup.draft.test {
        None => None,
        Some(test) => {
            let trace = testing::latest(app, &desk.caller, setup.id.as_str()).await?;
            let kept = trace.and_then(|record| record.claims);
            Some(Tested {
                at: both(test.at),
                is_good: test.code == VERIFIED,
                code: test.code.clone(),
                text: reasons::tell(shell.look.language, &test.code, &test.text).text,
                reference: test.trace.clone(),
                ..of_claims(&shell, kept.as_ref())
            })
        }
    };
    let part = format!("{}_claims", part_of(setup.protocol()));
    let page = TestPage {
        frame: frame(desk, &shell, setup, Step::Test),
        is_proved: setup.is_proved(),
        lines: guide_lines(app, &shell, setup, &part),
        theirs: theirs(app, &shell, setup),
        outcome,
        shell,
    };
    page::show_leading_away(&app.config, &page)
}

fn theirs(app: &App, shell: &Shell, setup: &SetUp) -> Vec<(String, String)> {
    let Some(record) = &setup.record else {
        return Vec::new();
    };
    connection_values::theirs(app, record)
        .into_iter()
        .map(|(key, value)| (shell.t(key).to_owned(), value))
        .collect()
}

fn both(at: Timestamp) -> (String, String) {
    (at.to_string(), format::time(at))
}

fn of_claims(shell: &Shell, kept: Option<&Value>) -> Tested {
    let pretty = |value: Option<&Value>| {
        value
            .and_then(|value| serde_json::to_string_pretty(value).ok())
            .unwrap_or_default()
    };
    let fields: Vec<Shown> = kept
        .map(testing::fields)
        .unwrap_or_default()
        .into_iter()
        .map(|field| shown(shell, field))
        .collect();
    Tested {
        at: (String::new(), String::new()),
        is_good: false,
        code: String::new(),
        text: String::new(),
        reference: String::new(),
        is_missing: fields
            .iter()
            .any(|field| field.value.is_none() && (field.needed || field.attribute == "groups")),
        fields,
        raw: pretty(kept.and_then(|kept| kept.get("claims"))),
        normalized: pretty(kept.and_then(|kept| kept.get("normalized"))),
    }
}

fn shown(shell: &Shell, field: Field) -> Shown {
    let key = match field.name {
        "email" => "setup.field_email",
        "given_name" => "setup.field_given_name",
        "family_name" => "setup.field_family_name",
        "groups" => "setup.field_groups",
        "display_name" => "setup.field_display_name",
        _ => "setup.field_user_name",
    };
    Shown {
        name: shell.t(key),
        attribute: field.name,
        value: field.value,
        needed: field.needed,
    }
}

/// `POST …/setup/test`: leaves for the identity provider.
pub(super) async fn begin(
    app: &App,
    desk: &Desk,
    setup: &SetUp,
    client: &ClientAddress,
    headers: &HeaderMap,
) -> Outcome {
    let browser = Browser::of(app, headers)?;
    let begin = Begin {
        connection: setup.id.to_string(),
        back: desk.step_path(setup.id.as_str(), Step::Test.word()),
        browser: browser.secret.clone(),
        toll: Toll::new(Limited::Start, &client.limit_key()),
    };
    let started = testing::begin(app, &desk.caller, begin).await?;
    Ok(browser.remember(&app.config, sso::leave(app, started)?))
}
