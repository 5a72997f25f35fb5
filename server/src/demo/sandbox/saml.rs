//! The sandbox's SAML identity provider: reads an AuthnRequest, lets one choose a person, answers signed.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};
use jiff::SignedDuration;
use provost_oidc::Params;
use provost_saml::authn_request::RequestId;
use provost_saml::issue::{
    IdentityProvider, ResponseSpec, Signing, idp_metadata, issue_response, parse_authn_request, response_form,
};
use provost_saml::key::{Certificate, SigningKey};
use provost_saml::logout::Received;
use provost_saml::response::{Attribute, NameId};

use super::{Sandbox, page};
use crate::demo::people::{Directory, Person};
use crate::error::AppError;
use crate::flow::departure::Departure;
use crate::http::page::depart;

/// Life of an assertion.
const LIFE: SignedDuration = SignedDuration::from_mins(5);
/// Persistent NameIDs: the sandbox's keys of people never change.
const PERSISTENT: &str = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent";
/// Nobody proves anything here, and the answer says so.
const UNSPECIFIED: &str = "urn:oasis:names:tc:SAML:2.0:ac:classes:unspecified";
/// Claim names in the form that Entra and ADFS use.
const CLAIMS: &str = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/";

/// Keys and addresses of the provider.
pub(in crate::demo) struct SamlSide {
    /// Entity ID.
    pub(in crate::demo) entity_id: String,
    /// Sign-on address.
    pub(in crate::demo) sso_url: String,
    /// Signing certificate, base64 of the DER form.
    pub(in crate::demo) certificate: String,
    key: SigningKey,
    parsed: Certificate,
}

impl SamlSide {
    /// Makes a provider with a new key.
    pub(super) fn new(base: &str) -> Result<Self> {
        let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)?;
        let mut params = rcgen::CertificateParams::new(Vec::<String>::new())?;
        params
            .distinguished_name
            .push(rcgen::DnType::CommonName, "Provost sandbox identity provider");
        let certificate = params.self_signed(&pair)?;
        let parsed = Certificate::from_der(certificate.der()).context("sandbox certificate")?;
        Ok(Self {
            entity_id: format!("{base}/sandbox/saml/metadata"),
            sso_url: format!("{base}/sandbox/saml/sso"),
            certificate: parsed.to_base64(),
            key: SigningKey::from_pkcs8_der(&pair.serialize_der()).context("sandbox key")?,
            parsed,
        })
    }
}

/// `GET /sandbox/saml/metadata`
pub(super) async fn metadata(State(sandbox): State<Arc<Sandbox>>) -> Response {
    let saml = &sandbox.saml;
    let document = idp_metadata(&IdentityProvider {
        entity_id: &saml.entity_id,
        sso_url: &saml.sso_url,
        slo_url: None,
        certificates: std::slice::from_ref(&saml.parsed),
        want_authn_requests_signed: false,
    });
    ([(CONTENT_TYPE, "application/samlmetadata+xml")], document).into_response()
}

/// `GET /sandbox/saml/sso`: an AuthnRequest by the Redirect binding.
pub(super) async fn sso(
    State(sandbox): State<Arc<Sandbox>>,
    RawQuery(query): RawQuery,
) -> Result<Response, AppError> {
    let query = query.unwrap_or_default();
    let Ok(request) = parse_authn_request(Received::Redirect(&query), None) else {
        return Ok((
            StatusCode::BAD_REQUEST,
            "The sandbox takes an AuthnRequest of Provost.",
        )
            .into_response());
    };
    let acs = request.acs_url.unwrap_or_default();
    if !acs.starts_with(&format!("{}/sso/", sandbox.base)) {
        return Ok((StatusCode::BAD_REQUEST, "The sandbox only answers Provost.").into_response());
    }
    let kept = vec![
        ("request", request.id),
        ("acs", acs),
        ("audience", request.issuer),
        ("relay_state", request.relay_state.unwrap_or_default()),
    ];
    page::chooser(&sandbox.config, Directory::HomeLab, "/sandbox/saml/choose", kept)
}

/// `POST /sandbox/saml/choose`: answers as the chosen person.
pub(super) async fn choose(State(sandbox): State<Arc<Sandbox>>, form: Bytes) -> Result<Response, AppError> {
    let params = Params::parse(&form);
    let chosen = (|| {
        let person = Directory::HomeLab.person(params.first("person")?)?;
        let acs = params
            .first("acs")
            .filter(|acs| acs.starts_with(&format!("{}/sso/", sandbox.base)))?;
        Some((person, acs, params.first("audience")?, params.first("request")?))
    })();
    let Some((person, acs_url, audience, request)) = chosen else {
        return Ok(StatusCode::BAD_REQUEST.into_response());
    };
    let id = || {
        Ok::<_, AppError>(RequestId::from_random(
            sandbox.world.bytes::<16>().map_err(AppError::internal)?,
        ))
    };
    let now = sandbox.world.now();
    let (response_id, assertion_id) = (id()?, id()?);
    let spec = ResponseSpec {
        response_id: &response_id,
        assertion_id: &assertion_id,
        issue_instant: now,
        lifetime: LIFE,
        issuer: &sandbox.saml.entity_id,
        acs_url,
        audience,
        in_response_to: Some(request),
        name_id: &NameId {
            value: person.key.to_owned(),
            format: Some(PERSISTENT.to_owned()),
            name_qualifier: None,
            sp_name_qualifier: None,
        },
        session_index: assertion_id.as_str(),
        session_not_on_or_after: None,
        authn_instant: now,
        authn_context: UNSPECIFIED,
        attributes: &attributes(person),
    };
    let signing = Signing {
        key: &sandbox.saml.key,
        certificate: Some(&sandbox.saml.parsed),
        response: false,
        assertion: true,
    };
    let xml = issue_response(&spec, &signing, None).map_err(AppError::internal)?;
    let form = response_form(acs_url, &xml, params.first("relay_state")).map_err(AppError::internal)?;
    let fields = form
        .fields
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
    depart(Departure::Form {
        action: form.action,
        fields,
    })
}

fn attributes(person: &Person) -> Vec<Attribute> {
    let attribute = |name: String, values: Vec<String>| Attribute {
        name,
        name_format: None,
        friendly_name: None,
        values,
    };
    let one = |name: &str, value: &str| attribute(format!("{CLAIMS}{name}"), vec![value.to_owned()]);
    vec![
        one("emailaddress", person.email),
        one("givenname", person.given),
        one("surname", person.family),
        attribute(
            "groups".to_owned(),
            person.groups.iter().map(|&group| group.to_owned()).collect(),
        ),
    ]
}
