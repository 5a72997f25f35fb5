//! What each side of a connection must know of the other: ours to copy, theirs to look at and to change. Others take effect only
//! after a look at what they change; a test sign-in tells whether they are right.

use std::collections::BTreeSet;

use askama::Template;
use axum::Extension;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use jiff::Timestamp;
use provost_kernel::connection::Protocol;
use provost_saml::key::Certificate;
use provost_store::ConnectionRecord;
use serde::Deserialize;

use super::activity;
use super::connections::{Head, head};
use super::format;
use super::page::{self, segment};
use super::reasons;
use super::sent::Sent;
use super::setup::field_name;
use super::shell::{Place, Shell};
use super::told;
use super::visit::{Manager, Outcome};
use crate::app::App;
use crate::connection_config::{ClientAuthentication, ProtocolConfig};
use crate::declarative::{Mode, Report};
use crate::error::AppError;
use crate::flow::console::overview;
use crate::flow::limits::{Limited, Toll};
use crate::flow::setup::testing::{self, Begin};
use crate::flow::setup::values::{self, Addresses, Client, Given};
use crate::flow::{directory, setup};
use crate::http::browser::Browser;
use crate::http::request::ClientAddress;
use crate::http::sso;
use crate::world::digest_of;

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
                activity::verdict(shell, &record.verdict).1
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

/// The form as it is filled in. A secret is never part of it.
#[derive(Clone, Debug, Default)]
struct Fields {
    how: String,
    metadata_url: String,
    metadata: String,
    addresses: Addresses,
    added: String,
    kept: Option<BTreeSet<String>>,
    issuer: String,
    client_id: String,
    authentication: String,
    scopes: String,
}

impl Fields {
    fn of(config: ProtocolConfig) -> Self {
        match config {
            ProtocolConfig::Saml(saml) => Self {
                how: if saml.metadata_url.is_some() {
                    "url"
                } else {
                    "fields"
                }
                .to_owned(),
                metadata_url: saml.metadata_url.unwrap_or_default(),
                addresses: Addresses {
                    entity_id: saml.idp_entity_id,
                    sso_url: saml.sso_redirect_url.unwrap_or_default(),
                    sso_post_url: saml.sso_post_url.unwrap_or_default(),
                    slo_url: saml.slo_redirect_url.unwrap_or_default(),
                    slo_post_url: saml.slo_post_url.unwrap_or_default(),
                    slo_response_url: saml.slo_response_url.unwrap_or_default(),
                    certificates: Vec::new(),
                },
                ..Self::default()
            },
            ProtocolConfig::Oidc(oidc) => Self {
                issuer: oidc.issuer,
                client_id: oidc.client_id,
                authentication: format::word(&oidc.client_authentication),
                scopes: oidc.scopes.join(" "),
                ..Self::default()
            },
        }
    }

    fn read(sent: &Sent) -> Self {
        let text = |name: &str| sent.get(name).to_owned();
        Self {
            how: text("how"),
            metadata_url: text("metadata_url"),
            metadata: text("metadata"),
            addresses: Addresses {
                entity_id: text("entity_id"),
                sso_url: text("sso_url"),
                sso_post_url: text("sso_post_url"),
                slo_url: text("slo_url"),
                slo_post_url: text("slo_post_url"),
                slo_response_url: text("slo_response_url"),
                certificates: Vec::new(),
            },
            added: text("certificates"),
            kept: Some(sent.all("keep").into_iter().collect()),
            issuer: text("issuer"),
            client_id: text("client_id"),
            authentication: text("authentication"),
            scopes: text("scopes"),
        }
    }

    fn given(&self, record: &ConnectionRecord, sent: &Sent) -> Given {
        match (record.connection.protocol, self.how.as_str()) {
            (Protocol::Oidc, _) => Given::Oidc(Client {
                issuer: self.issuer.clone(),
                client_id: self.client_id.clone(),
                client_secret: sent.get("client_secret").to_owned().into(),
                client_key: sent.get("client_key").to_owned().into(),
                authentication: METHODS
                    .iter()
                    .find(|(word, _, _)| *word == self.authentication)
                    .map(|(_, _, method)| *method),
                scopes: self.scopes.split_whitespace().map(str::to_owned).collect(),
            }),
            (Protocol::Saml, "document") => Given::Metadata(self.metadata.clone()),
            (Protocol::Saml, "fields") => {
                let stored = overview::certificates(record).into_iter().filter(|(text, _)| {
                    let kept = self.kept.as_ref();
                    Certificate::parse(text.as_bytes())
                        .is_ok_and(|one| kept.is_none_or(|kept| kept.contains(one.fingerprint_sha256())))
                });
                Given::Fields(Addresses {
                    certificates: stored
                        .map(|(text, _)| text)
                        .chain(values::split(&self.added))
                        .collect(),
                    ..self.addresses.clone()
                })
            }
            (Protocol::Saml, _) => Given::MetadataUrl(self.metadata_url.clone()),
        }
    }
}

/// How we prove ourselves at a token endpoint.
const METHODS: &[(&str, &str, ClientAuthentication)] = &[
    (
        "client_secret_basic",
        "value.method_basic",
        ClientAuthentication::ClientSecretBasic,
    ),
    (
        "client_secret_post",
        "value.method_post",
        ClientAuthentication::ClientSecretPost,
    ),
    (
        "private_key_jwt",
        "value.method_key",
        ClientAuthentication::PrivateKeyJwt,
    ),
    ("none", "value.method_none", ClientAuthentication::None),
];

#[derive(Template)]
#[template(path = "console/values_edit.html")]
struct EditPage {
    shell: Shell,
    head: Head,
    back: String,
    is_saml: bool,
    fields: Fields,
    certificates: Vec<Shown>,
    methods: Vec<(&'static str, &'static str, bool)>,
    look: Option<Looked>,
    problem: String,
    faults: Vec<(String, String)>,
}

/// What would change.
struct Looked {
    lines: Vec<Difference>,
    warnings: Vec<String>,
    digest: String,
    is_other: bool,
}

/// `GET …/values/edit`. Whoever changes how an identity provider is believed proves anew who she is, before she fills anything in.
pub async fn edit(State(app): State<App>, manager: Manager, Path((_, id)): Named) -> Outcome {
    let record = directory::connection(&app, &manager.caller, &id).await?;
    if setup::is_draft(&record) {
        return page::lead_to(&format!(
            "{}/connections/{}/setup/values",
            manager.base(),
            segment(&id)
        ));
    }
    setup::require(&app, &manager.caller, manager.id()).await?;
    manager.visitor.must_be_fresh(&app)?;
    let config = ProtocolConfig::of(&id, &record.protocol_config).map_err(AppError::internal)?;
    form(&app, &manager, &record, Fields::of(config), None, None)
}

fn form(
    app: &App,
    manager: &Manager,
    record: &ConnectionRecord,
    fields: Fields,
    look: Option<Looked>,
    error: Option<&AppError>,
) -> Outcome {
    let shell = manager.shell(Place::Connections);
    let page = EditPage {
        head: head(&shell, record, "values"),
        back: address(manager, record.connection.id.as_str()),
        is_saml: record.connection.protocol == Protocol::Saml,
        certificates: certificates(record, app.world.now(), fields.kept.as_ref()),
        methods: METHODS
            .iter()
            .map(|(word, key, _)| (*word, shell.t(key), *word == fields.authentication))
            .collect(),
        look,
        problem: error
            .map(|error| told::sentence(&shell, error))
            .unwrap_or_default(),
        faults: error
            .map(|error| {
                error
                    .faults()
                    .iter()
                    .map(|fault| (field_name(&shell, &fault.path), in_words(&shell, &fault.message)))
                    .collect()
            })
            .unwrap_or_default(),
        fields,
        shell,
    };
    page::show_with(error.map_or(StatusCode::OK, AppError::status), &page)
}

/// `POST …/values/edit`: shows what would change, or saves what was looked at. Settings of OpenID Connect are saved at once:
/// the form shows what was there, and a secret that was typed is never sent back to be confirmed.
pub async fn act(State(app): State<App>, manager: Manager, Path((_, id)): Named, sent: Sent) -> Outcome {
    manager.visitor.must_be_fresh(&app)?;
    let record = directory::connection(&app, &manager.caller, &id).await?;
    if setup::is_draft(&record) {
        return Err(AppError::not_found().into());
    }
    let fields = Fields::read(&sent);
    let is_saml = record.connection.protocol == Protocol::Saml;
    if is_saml {
        let given = fields.given(&record, &sent);
        let report = match values::change(&app, &manager.caller, &id, given, Mode::DryRun).await {
            Ok(report) => report,
            Err(error) => return mend(&app, &manager, &record, fields, error),
        };
        let digest = digest(&report);
        if sent.get("save") != digest {
            let shell = manager.shell(Place::Connections);
            let look = looked(&shell, &report, digest, sent.has("save"));
            return form(&app, &manager, &record, fields, Some(look), None);
        }
    }
    let given = fields.given(&record, &sent);
    match values::change(&app, &manager.caller, &id, given, Mode::Write).await {
        Ok(_) => page::lead_to(&format!("{}?done=values", address(&manager, &id))),
        Err(error) => mend(&app, &manager, &record, fields, error),
    }
}

/// Shows the form again with what is wrong, if a person can mend it there.
fn mend(app: &App, manager: &Manager, record: &ConnectionRecord, fields: Fields, error: AppError) -> Outcome {
    if error.status().is_client_error() && error.code() != "not_found" {
        return form(app, manager, record, fields, None, Some(&error));
    }
    Err(error.into())
}

fn lines(report: &Report) -> impl Iterator<Item = &String> {
    report.changes.iter().flat_map(|change| &change.fields)
}

/// What is wrong with the values, in the language of the page.
fn in_words(shell: &Shell, text: &str) -> String {
    reasons::tell_fault(shell.look.language, reasons::CONFIGURATION, text)
}

/// Stands for what was shown: what is saved is what was looked at, or it is shown anew.
fn digest(report: &Report) -> String {
    digest_of(&lines(report).map(String::as_str).collect::<Vec<_>>().join("\n"))
}

fn looked(shell: &Shell, report: &Report, digest: String, is_other: bool) -> Looked {
    Looked {
        lines: lines(report).map(|line| difference(shell, line)).collect(),
        warnings: report
            .warnings
            .iter()
            .map(|warning| in_words(shell, &warning.message))
            .collect(),
        digest,
        is_other,
    }
}
