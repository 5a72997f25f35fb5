//! What each side of a connection must know of the other: ours to copy, theirs to look at and to change. Others take effect only
//! after a look at what they change; a test sign-in tells whether they are right.

use std::collections::BTreeSet;

use askama::Template;
use axum::Extension;
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use jiff::Timestamp;
use provost_saml::key::Certificate;
use provost_store::ConnectionRecord;
use serde::Deserialize;

use super::activity;
use super::connections::{Head, head};
use super::format;
use super::page::{self, segment};
use super::sent::Sent;
use super::shell::{Place, Shell};
use super::visit::{Manager, Outcome};
use crate::app::App;
use crate::connection_config::ProtocolConfig;
use crate::error::AppError;
use crate::flow::console::overview;
use crate::flow::limits::{Limited, Toll};
use crate::flow::setup::testing::{self, Begin};
use crate::flow::{directory, setup};
use crate::http::browser::Browser;
use crate::http::request::ClientAddress;
use crate::http::sso;

mod editing;

pub use editing::{act, edit};

/// What the address asks for.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Asked {
    done: Option<String>,
    tested: Option<String>,
}

type Named = Path<(String, String)>;

#[derive(Template)]
#[template(path = "console/values.html")]
struct ValuesPage {
    shell: Shell,
    head: Head,
    ours: Vec<(&'static str, String)>,
    theirs: Vec<(&'static str, String)>,
    certificates: Vec<Shown>,
    /// Where they are changed; empty where this person may not.
    edit: String,
    test: String,
    tested: Option<Tested>,
    is_new: bool,
    last: Option<Last>,
}

/// A certificate.
struct Shown {
    fingerprint: String,
    short: String,
    subject: String,
    from: String,
    until: String,
    is_over: bool,
    is_kept: bool,
}

/// What came of the last test sign-in.
struct Tested {
    at: (String, String),
    is_good: bool,
    text: String,
    path: String,
}

/// What was changed last.
struct Last {
    at: (String, String),
    by: String,
    lines: Vec<Difference>,
}

/// One setting that changes.
pub(super) struct Difference {
    pub(super) name: String,
    pub(super) before: Vec<String>,
    pub(super) after: Vec<String>,
}

/// Reads a line of a report, `path: before → after`, as the audit log keeps it, too.
pub(super) fn difference(shell: &Shell, line: &str) -> Difference {
    let (path, change) = line.split_once(": ").unwrap_or((line, ""));
    let (before, after) = change.split_once(" → ").unwrap_or(("", change));
    let word = path.rsplit('.').next().unwrap_or(path);
    let key = match word {
        "idp_entity_id" => "value.their_entity_id",
        "sso_redirect_url" => "value.their_sso_redirect",
        "sso_post_url" => "value.their_sso_post",
        "slo_redirect_url" => "value.their_slo",
        "slo_post_url" => "value.their_slo_post",
        "slo_response_url" => "value.their_slo_response",
        "metadata_url" => "value.their_metadata",
        "signing_certificates" => "value.certificates",
        "sign_requests" => "value.sign_requests",
        "issuer" => "value.issuer",
        "client_id" => "value.client_id",
        "client_authentication" => "value.authentication",
        "scopes" => "value.scopes",
        "oidc_client_secret" => "setup.client_secret",
        "oidc_client_key" => "value.client_key",
        _ => "",
    };
    let side = |text: &str| match text {
        "(none)" | "[]" => vec![shell.t("word.none").to_owned()],
        "(secret)" | "(another secret)" => vec![shell.t("value.secret").to_owned()],
        "true" => vec![shell.t("word.yes").to_owned()],
        "false" => vec![shell.t("word.no").to_owned()],
        _ => listed(shell, text),
    };
    let name = shell.look.language.known(key).unwrap_or(path);
    Difference {
        name: name.to_owned(),
        before: side(before),
        after: side(after),
    }
}

/// Shows a list of words without the signs of JSON, and certificates in the language of the page.
fn listed(shell: &Shell, text: &str) -> Vec<String> {
    let words = serde_json::from_str::<Vec<String>>(text).unwrap_or_else(|_| vec![text.to_owned()]);
    words
        .into_iter()
        .map(|word| {
            let certificate = word
                .strip_prefix("certificate ")
                .and_then(|rest| rest.split_once(" until "));
            certificate.map_or_else(
                || word.clone(),
                |(short, end)| shell.t2("value.certificate", &short, &end),
            )
        })
        .collect()
}

/// `GET …/values`.
pub async fn show(
    State(app): State<App>,
    manager: Manager,
    Path((_, id)): Named,
    Query(asked): Query<Asked>,
) -> Outcome {
    let record = directory::connection(&app, &manager.caller, &id).await?;
    let config = ProtocolConfig::of(&id, &record.protocol_config).map_err(AppError::internal)?;
    let shell = manager.shell(Place::Connections).after(asked.done.as_deref());
    let (ours, theirs) = both_sides(&app, &id, &config);
    let named = |rows: Vec<(&'static str, String)>| {
        rows.into_iter()
            .map(|(key, value)| (shell.t(key), value))
            .collect::<Vec<_>>()
    };
    let here = address(&manager, &id);
    let may = setup::require(&app, &manager.caller, manager.id()).await.is_ok();
    let tested = match asked.tested {
        Some(_) => latest_test(&app, &manager, &shell, &id).await?,
        None => None,
    };
    let last =
        overview::last_change(&app, &manager.organization.organization.id, &record.connection.id).await?;
    let page = ValuesPage {
        head: head(&shell, &record, "values"),
        ours: named(ours),
        theirs: named(theirs),
        certificates: certificates(&record, app.world.now(), None),
        edit: if may {
            format!("{here}/edit")
        } else {
            String::new()
        },
        test: format!("{here}/test"),
        tested,
        is_new: asked.done.as_deref() == Some("values"),
        last: last.map(|(row, by)| {
            let event = &row.event;
            let lines = event.data.get("fields").and_then(|fields| fields.as_array());
            Last {
                at: both(event.at),
                by: activity::actor(&shell, &event.actor, by.as_ref()),
                lines: lines
                    .into_iter()
                    .flatten()
                    .filter_map(|line| line.as_str())
                    .take(12)
                    .map(|line| difference(&shell, line))
                    .collect(),
            }
        }),
        shell,
    };
    page::show_leading_away(&app.config, &page)
}

fn address(manager: &Manager, id: &str) -> String {
    format!("{}/connections/{}/values", manager.base(), segment(id))
}

fn both(at: Timestamp) -> (String, String) {
    (at.to_string(), format::time(at))
}

type Rows = Vec<(&'static str, String)>;

/// Our values and theirs.
fn both_sides(app: &App, id: &str, config: &ProtocolConfig) -> (Rows, Rows) {
    let url = |path: &str| app.config.url(&format!("/sso/{}/{path}", segment(id)));
    let some = |key: &'static str, value: &Option<String>| value.clone().map(|value| (key, value));
    match config {
        ProtocolConfig::Saml(saml) => (
            vec![
                ("value.acs", url("saml/acs")),
                (
                    "value.entity_id",
                    saml.sp_entity_id.clone().unwrap_or_else(|| url("saml/metadata")),
                ),
                ("value.metadata", url("saml/metadata")),
                ("value.slo", url("saml/slo")),
                ("value.start", url("login")),
            ],
            [
                Some(("value.their_entity_id", saml.idp_entity_id.clone())),
                some("value.their_sso_redirect", &saml.sso_redirect_url),
                some("value.their_sso_post", &saml.sso_post_url),
                some("value.their_slo", &saml.slo_redirect_url),
                some("value.their_slo_post", &saml.slo_post_url),
                some("value.their_slo_response", &saml.slo_response_url),
                some("value.their_metadata", &saml.metadata_url),
            ]
            .into_iter()
            .flatten()
            .collect(),
        ),
        ProtocolConfig::Oidc(oidc) => (
            vec![
                ("value.redirect", url("oidc/callback")),
                ("value.backchannel", url("oidc/backchannel-logout")),
                ("value.logged_out", url("oidc/logged-out")),
                ("value.start", url("login")),
            ],
            vec![
                ("value.issuer", oidc.issuer.clone()),
                ("value.client_id", oidc.client_id.clone()),
                ("value.authentication", format::word(&oidc.client_authentication)),
                ("value.scopes", oidc.scopes.join(" ")),
            ],
        ),
    }
}

/// Shows the certificates that are stored; `kept` are the ticked ones of a form that was sent.
/// Says what is known of the other side: its addresses, then until when each of its certificates is good. Nothing of what cannot
/// be read.
pub(super) fn theirs(app: &App, record: &ConnectionRecord) -> Rows {
    let id = record.connection.id.as_str();
    let Ok(config) = ProtocolConfig::of(id, &record.protocol_config) else {
        return Vec::new();
    };
    let (_, mut theirs) = both_sides(app, id, &config);
    let certificates = certificates(record, app.world.now(), None);
    theirs.extend(certificates.into_iter().map(|one| {
        (
            "connections.certificate",
            format!("{} ({})", one.until, one.subject),
        )
    }));
    theirs
}

fn certificates(record: &ConnectionRecord, now: Timestamp, kept: Option<&BTreeSet<String>>) -> Vec<Shown> {
    overview::certificates(record)
        .into_iter()
        .filter_map(|(text, _)| Certificate::parse(text.as_bytes()).ok())
        .map(|one| {
            let fingerprint = one.fingerprint_sha256().to_owned();
            Shown {
                short: fingerprint.chars().take(23).collect(),
                subject: one.subject().to_owned(),
                from: one.not_before().strftime("%Y-%m-%d").to_string(),
                until: one.not_after().strftime("%Y-%m-%d").to_string(),
                is_over: one.not_after() < now,
                is_kept: kept.is_none_or(|kept| kept.contains(&fingerprint)),
                fingerprint,
            }
        })
        .collect()
}

async fn latest_test(
    app: &App,
    manager: &Manager,
    shell: &Shell,
    id: &str,
) -> Result<Option<Tested>, AppError> {
    let latest = testing::latest(app, &manager.caller, id).await?;
    Ok(latest.map(|record| {
        let is_good = record.verdict == "accepted";
        Tested {
            at: both(record.trace.at),
            is_good,
            text: if is_good {
                shell.t("value.test_good").to_owned()
            } else {
                activity::telling(shell, &record.trace)
            },
            path: format!("{}/traces/{}", shell.base, segment(record.trace.id.as_str())),
        }
    }))
}

/// `POST …/values/test`: leaves for the identity provider; nothing changes by it.
pub async fn test(
    State(app): State<App>,
    Extension(client): Extension<ClientAddress>,
    manager: Manager,
    Path((_, id)): Named,
    headers: HeaderMap,
    _sent: Sent,
) -> Outcome {
    let browser = Browser::of(&app, &headers)?;
    let begin = Begin {
        connection: id.clone(),
        back: format!("{}?tested=1", address(&manager, &id)),
        browser: browser.secret.clone(),
        toll: Toll::new(Limited::Start, &client.limit_key()),
    };
    let started = testing::begin(&app, &manager.caller, begin).await?;
    Ok(browser.remember(&app.config, sso::leave(&app, started)?))
}
