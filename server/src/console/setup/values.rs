//! The step about values: ours to copy in the words of the product, theirs by address, as a document or field by field.

use askama::Template;
use axum::http::StatusCode;
use provost_kernel::connection::Protocol;

use super::super::page;
use super::super::sent::Sent;
use super::super::shell::Shell;
use super::super::told;
use super::super::visit::Outcome;
use super::desk::Desk;
use super::guide::Piece;
use super::{Frame, Step, frame, guide_lines, next_path, our_values, part_of};
use crate::app::App;
use crate::connection_config::ProtocolConfig;
use crate::error::AppError;
use crate::flow::setup::SetUp;
use crate::flow::setup::values::{self, Addresses, Client, Given};

/// The form as it is filled in.
#[derive(Clone, Debug, Default)]
pub(super) struct Fields {
    name: String,
    how: String,
    metadata_url: String,
    metadata: String,
    entity_id: String,
    sso_url: String,
    post: bool,
    slo_url: String,
    certificates: String,
    issuer: String,
    client_id: String,
    groups_scope: bool,
    has_secret: bool,
}

impl Fields {
    /// As the connection is stored.
    pub(super) fn of(setup: &SetUp) -> Self {
        let mut fields = Self {
            name: setup.draft.name.clone(),
            how: "url".to_owned(),
            ..Self::default()
        };
        let Some(record) = &setup.record else {
            return fields;
        };
        match ProtocolConfig::of(setup.id.as_str(), &record.protocol_config) {
            Ok(ProtocolConfig::Saml(saml)) => {
                if saml.metadata_url.is_none() {
                    "fields".clone_into(&mut fields.how);
                    fields.certificates = saml
                        .signing_certificates
                        .iter()
                        .map(|one| format!("-----BEGIN CERTIFICATE-----\n{one}\n-----END CERTIFICATE-----"))
                        .collect::<Vec<_>>()
                        .join("\n");
                }
                fields.metadata_url = saml.metadata_url.unwrap_or_default();
                fields.entity_id = saml.idp_entity_id;
                fields.post = saml.sso_redirect_url.is_none();
                fields.sso_url = saml.sso_redirect_url.or(saml.sso_post_url).unwrap_or_default();
                fields.slo_url = saml.slo_redirect_url.unwrap_or_default();
            }
            Ok(ProtocolConfig::Oidc(oidc)) => {
                fields.issuer = oidc.issuer;
                fields.client_id = oidc.client_id;
                fields.groups_scope = oidc.scopes.iter().any(|scope| scope == "groups");
                fields.has_secret = true;
            }
            Err(_) => {}
        }
        fields
    }

    fn read(sent: &Sent, setup: &SetUp) -> Self {
        let text = |name: &str| sent.get(name).to_owned();
        Self {
            name: text("name"),
            how: text("how"),
            metadata_url: text("metadata_url"),
            metadata: text("metadata"),
            entity_id: text("entity_id"),
            sso_url: text("sso_url"),
            post: sent.get("binding") == "post",
            slo_url: text("slo_url"),
            certificates: text("certificates"),
            issuer: text("issuer"),
            client_id: text("client_id"),
            groups_scope: sent.has("groups_scope"),
            has_secret: setup.record.is_some(),
        }
    }

    fn given(&self, protocol: Protocol, secret: &str) -> Given {
        match (protocol, self.how.as_str()) {
            (Protocol::Oidc, _) => Given::Oidc(Client {
                issuer: self.issuer.clone(),
                client_id: self.client_id.clone(),
                client_secret: secret.to_owned().into(),
                client_key: String::new().into(),
                authentication: None,
                scopes: ["openid", "profile", "email"]
                    .into_iter()
                    .chain(self.groups_scope.then_some("groups"))
                    .map(str::to_owned)
                    .collect(),
            }),
            (Protocol::Saml, "document") => Given::Metadata(self.metadata.clone()),
            (Protocol::Saml, "fields") => {
                let (sso_url, sso_post_url) = if self.post {
                    (String::new(), self.sso_url.clone())
                } else {
                    (self.sso_url.clone(), String::new())
                };
                Given::Fields(Addresses {
                    entity_id: self.entity_id.clone(),
                    sso_url,
                    sso_post_url,
                    slo_url: self.slo_url.clone(),
                    certificates: values::split(&self.certificates),
                    ..Addresses::default()
                })
            }
            (Protocol::Saml, _) => Given::MetadataUrl(self.metadata_url.clone()),
        }
    }
}

#[derive(Template)]
#[template(path = "console/setup_values.html")]
struct ValuesPage {
    shell: Shell,
    frame: Frame,
    fields: Fields,
    is_saml: bool,
    lines: Vec<Vec<Piece>>,
    ours: Vec<(&'static str, String)>,
    problem: String,
    faults: Vec<(String, String)>,
}

/// `GET …/setup/values`, and the form as it was sent with what is wrong.
pub(super) fn show(
    app: &App,
    desk: &Desk,
    setup: &SetUp,
    fields: &Fields,
    faults: Vec<(String, String)>,
) -> Outcome {
    render(app, desk, setup, fields, String::new(), faults, StatusCode::OK)
}

fn render(
    app: &App,
    desk: &Desk,
    setup: &SetUp,
    fields: &Fields,
    problem: String,
    faults: Vec<(String, String)>,
    status: StatusCode,
) -> Outcome {
    let shell = desk.shell();
    let is_saml = setup.protocol() == Protocol::Saml;
    let names: &[(&str, &str)] = if is_saml {
        &[
            ("acs", "value.acs"),
            ("entity_id", "value.entity_id"),
            ("metadata", "value.metadata"),
            ("slo", "value.slo"),
        ]
    } else {
        &[("redirect", "value.redirect"), ("start", "value.start")]
    };
    let ours = our_values(app, setup.id.as_str());
    let page = ValuesPage {
        frame: frame(desk, &shell, setup, Step::Values),
        fields: fields.clone(),
        is_saml,
        lines: guide_lines(app, &shell, setup, part_of(setup.protocol())),
        ours: names
            .iter()
            .filter_map(|(name, key)| {
                let (_, value) = ours.iter().find(|(known, _)| known == name)?;
                Some((shell.look.language.known(key)?, value.clone()))
            })
            .collect(),
        problem,
        faults,
        shell,
    };
    page::show_with(status, &page)
}

/// `POST …/setup/values`.
pub(super) async fn act(app: &App, desk: &Desk, setup: &SetUp, sent: &Sent) -> Outcome {
    let fields = Fields::read(sent, setup);
    let given = fields.given(setup.protocol(), sent.get("client_secret"));
    let name = Some(fields.name.as_str());
    let saved = values::save(app, &desk.caller, desk.id(), setup.id.as_str(), name, given).await;
    let Err(error) = saved else {
        return page::lead_to(&next_path(desk, setup, Step::Values));
    };
    if error.code() != "invalid_configuration" {
        return Err(error.into());
    }
    let shell = desk.shell();
    let faults = faults_of(&shell, &error);
    let problem = told::sentence(&shell, &error);
    render(app, desk, setup, &fields, problem, faults, error.status())
}

/// Says what is wrong with values: the field of the form, and what about it, in the language of the page.
pub(in crate::console) fn faults_of(shell: &Shell, error: &AppError) -> Vec<(String, String)> {
    let faults = told::faults(shell, error).into_iter();
    faults
        .map(|(path, text)| (field_name(shell, &path), text))
        .collect()
}

/// Names the field of the form that a fault is about.
fn field_name(shell: &Shell, path: &str) -> String {
    let last = path.rsplit('.').next().unwrap_or_default();
    let word = last.split('[').next().unwrap_or_default();
    let key = match word {
        "metadata_url" => "setup.metadata_url",
        "metadata" => "setup.metadata",
        "entity_id" => "value.their_entity_id",
        "sso_url" | "sso_post_url" => "setup.sso_url",
        "slo_url" | "slo_post_url" => "setup.slo_url",
        "slo_response_url" => "value.their_slo_response",
        "client_key" => "value.client_key",
        "scopes" => "value.scopes",
        "certificates" => "setup.certificates",
        "issuer" => "value.issuer",
        "client_id" => "value.client_id",
        "client_secret" => "setup.client_secret",
        _ => return path.to_owned(),
    };
    shell.t(key).to_owned()
}
