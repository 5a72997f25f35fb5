//! Overriding what a directory keeps of a person, for a while: for the day when it is wrong or out of reach.

use askama::Template;
use axum::extract::{Path, Query, State};
use jiff::SignedDuration;
use provost_kernel::keeping::KeptField;
use serde_json::Value;

use super::format;
use super::page::{self, segment};
use super::person::Asked;
use super::sent::Sent;
use super::shell::{Place, Shell};
use super::told;
use super::visit::{Manager, Outcome};
use crate::app::App;
use crate::flow::console::people::{self, Person};
use crate::flow::overrides;

/// Most days that an override lasts.
const MOST_DAYS: i64 = 90;

#[derive(Template)]
#[template(path = "console/overriding.html")]
struct OverridesPage {
    shell: Shell,
    here: String,
    back: String,
    name: String,
    held: Vec<Held>,
    fields: Vec<Field>,
    typed: Typed,
    most_days: i64,
    problem: Option<String>,
}

/// An override that holds.
struct Held {
    field: String,
    label: String,
    value: String,
    returns: String,
    until: (String, String),
}

/// A field that may be overridden, with what it holds now.
struct Field {
    word: String,
    label: String,
    now: String,
}

/// What stands in the form.
#[derive(Default)]
struct Typed {
    field: String,
    value: String,
    days: String,
}

/// `GET …/users/{account}/overrides`.
pub async fn show(
    State(app): State<App>,
    manager: Manager,
    Path((_, account)): Path<(String, String)>,
    Query(asked): Query<Asked>,
) -> Outcome {
    let organization = &manager.organization.organization.id;
    let person = people::find(&app, &manager.caller, organization, &account).await?;
    let shell = manager.shell(Place::Users).after(asked.done.as_deref());
    page::show(&form(shell, &person, Typed::default(), None))
}

/// `POST …/users/{account}/overrides`.
pub async fn save(
    State(app): State<App>,
    manager: Manager,
    Path((_, account)): Path<(String, String)>,
    sent: Sent,
) -> Outcome {
    manager.visitor.must_be_fresh(&app)?;
    let organization = &manager.organization.organization.id;
    let person = people::find(&app, &manager.caller, organization, &account).await?;
    let here = format!("{}/users/{}/overrides", manager.base(), segment(&account));
    let id = person.facts.account.id.as_str();
    let done = if let Some(field) = sent.some("end") {
        overrides::end(&app, &manager.caller, id, &field).await
    } else {
        let field = sent.get("field");
        let days: i64 = sent.get("days").parse().unwrap_or(1);
        let hours = SignedDuration::from_hours(24 * days.clamp(1, MOST_DAYS));
        let until = app.world.now().saturating_add(hours).ok();
        let value = read(&person, field, sent.get("value"));
        overrides::set(&app, &manager.caller, id, field, value, until).await
    };
    match done {
        Ok(_) => page::lead_to(&format!("{here}?done=saved")),
        Err(error) => {
            let shell = manager.shell(Place::Users);
            let status = error.status();
            let problem = told::mendable(&shell, error)?;
            let typed = Typed {
                field: sent.get("field").to_owned(),
                value: sent.get("value").to_owned(),
                days: sent.get("days").to_owned(),
            };
            page::show_with(status, &form(shell, &person, typed, Some(problem)))
        }
    }
}

/// Reads what was typed as what the field holds: numbers and switches of attributes stay such.
fn read(person: &Person, field: &str, text: &str) -> Value {
    let text = text.trim();
    if text.is_empty() {
        return Value::Null;
    }
    let now = field
        .parse::<KeptField>()
        .map(|field| field.of(&person.facts.account));
    let as_text = || Value::String(text.to_owned());
    if now.is_ok_and(|now| now.is_boolean() || now.is_number()) {
        serde_json::from_str(text).unwrap_or_else(|_| as_text())
    } else {
        as_text()
    }
}

fn form(shell: Shell, person: &Person, typed: Typed, problem: Option<String>) -> OverridesPage {
    let account = &person.facts.account;
    let back = format!("{}/users/{}", shell.base, segment(account.id.as_str()));
    let held = account.keeping.overrides.iter().map(|held| Held {
        field: held.field.to_string(),
        label: label(&shell, &held.field),
        value: plain(&held.field.of(account)),
        returns: plain(&held.returns),
        until: (held.until.to_string(), format::time(held.until)),
    });
    let attributes = account.keeping.sources.keys().cloned().map(KeptField::Attribute);
    let fields = [
        KeptField::Email,
        KeptField::GivenName,
        KeptField::FamilyName,
        KeptField::DisplayName,
        KeptField::Kind,
    ];
    OverridesPage {
        here: format!("{back}/overrides"),
        name: format::name(account),
        held: held.collect(),
        fields: fields
            .into_iter()
            .chain(attributes)
            .map(|field| Field {
                label: label(&shell, &field),
                now: plain(&field.of(account)),
                word: field.to_string(),
            })
            .collect(),
        typed,
        most_days: MOST_DAYS,
        problem,
        back,
        shell,
    }
}

fn label(shell: &Shell, field: &KeptField) -> String {
    match field {
        KeptField::Email => shell.t("overriding.email"),
        KeptField::GivenName => shell.t("overriding.given_name"),
        KeptField::FamilyName => shell.t("overriding.family_name"),
        KeptField::DisplayName => shell.t("overriding.display_name"),
        KeptField::Kind => shell.t("overriding.kind"),
        KeptField::Attribute(name) => return name.clone(),
    }
    .to_owned()
}

fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    }
}
