//! The form that changes theirs: read, shown with what would change, and saved once that was looked at.

use std::collections::BTreeSet;

use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use provost_kernel::connection::Protocol;
use provost_saml::key::Certificate;
use provost_store::ConnectionRecord;

use super::{Difference, Named, Shown, address, certificates, difference};
use crate::app::App;
use crate::connection_config::{ClientAuthentication, ProtocolConfig};
use crate::console::connections::{Head, head};
use crate::console::format;
use crate::console::page::{self, segment};
use crate::console::reasons;
use crate::console::sent::Sent;
use crate::console::setup::faults_of;
use crate::console::shell::{Place, Shell};
use crate::console::told;
use crate::console::visit::{Manager, Outcome};
use crate::declarative::{Mode, Report};
use crate::error::AppError;
use crate::flow::console::overview;
use crate::flow::setup::values::{self, Addresses, Client, Given};
use crate::flow::{directory, setup};
use crate::world::digest_of;

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
        problem: told::problem(&shell, error),
        faults: error.map(|error| faults_of(&shell, error)).unwrap_or_default(),
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
            .map(|warning| reasons::tell_setting(shell.look.language, &warning.message))
            .collect(),
        digest,
        is_other,
    }
}
