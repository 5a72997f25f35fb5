//! A SAML identity provider inside the test process: reads our requests, issues what a test wants.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};
use provost::app::App;
use provost::connection_config::{ProtocolConfig, RequestBinding, SamlConfig, secret};
use provost_kernel::connection::Protocol;
use provost_saml::Limits;
use provost_saml::attributes::FORMAT_PERSISTENT;
use provost_saml::authn_request::RequestId;
use provost_saml::issue::{
    IdentityProvider, ReceivedAuthnRequest, ResponseSpec, Signing, idp_metadata, issue_response,
    parse_authn_request,
};
use provost_saml::key::{Certificate, SigningKey, VerifyingKey};
use provost_saml::logout::{
    LogoutExpected, LogoutRequest, LogoutResponse, LogoutStatus, Received, verify_logout_request,
};
use provost_saml::response::{Attribute, NameId, Trust};
use provost_store::SecretMap;

use crate::app::{Browser, Page};
use crate::directory;

/// A key with its certificate.
pub struct Keys {
    /// Private key.
    pub key: SigningKey,
    /// Private key, base64 of the PKCS#8 form.
    pub pkcs8: String,
    /// Certificate, base64 of the DER form.
    pub certificate: String,
}

impl Keys {
    fn generate() -> Self {
        let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
        let certificate = rcgen::CertificateParams::new(Vec::new())
            .unwrap()
            .self_signed(&pair)
            .unwrap();
        Self {
            key: SigningKey::from_pkcs8_der(&pair.serialize_der()).unwrap(),
            pkcs8: STANDARD.encode(pair.serialize_der()),
            certificate: STANDARD.encode(certificate.der()),
        }
    }
}

/// The identity provider's keys.
pub static IDP: LazyLock<Keys> = LazyLock::new(Keys::generate);
/// Keys that nobody trusts.
pub static STRANGER: LazyLock<Keys> = LazyLock::new(Keys::generate);
/// Our own keys.
static SP: LazyLock<Keys> = LazyLock::new(Keys::generate);

/// The identity provider's entity ID.
pub const ENTITY_ID: &str = "https://idp.example/metadata";
/// Its sign-on address.
pub const SSO_URL: &str = "https://idp.example/sso";
/// Its logout address.
pub const SLO_URL: &str = "https://idp.example/slo";

/// Describes how a connection speaks with this identity provider.
pub fn config() -> SamlConfig {
    SamlConfig {
        idp_entity_id: ENTITY_ID.to_owned(),
        sso_redirect_url: Some(SSO_URL.to_owned()),
        sso_post_url: Some(SSO_URL.to_owned()),
        slo_redirect_url: Some(SLO_URL.to_owned()),
        slo_post_url: None,
        slo_response_url: None,
        signing_certificates: vec![IDP.certificate.clone()],
        metadata_url: None,
        metadata_read_at: None,
        sp_entity_id: None,
        sp_signing_certificate: SP.certificate.clone(),
        sp_encryption_certificate: SP.certificate.clone(),
        request_binding: RequestBinding::Redirect,
        sign_requests: true,
        name_id_format: None,
        requested_authn_context: Vec::new(),
        force_authn: false,
        idp_initiated: None,
        clock_skew_seconds: 60,
        allow_cbc: false,
        attributes: BTreeMap::new(),
    }
}

/// Makes a connection to this identity provider in the test organization.
pub async fn connect(app: &App, id: &str, change: impl FnOnce(&mut SamlConfig)) {
    let mut saml = config();
    change(&mut saml);
    let connection = directory::connection(id, Protocol::Saml);
    directory::put_connection(app, connection, ProtocolConfig::Saml(saml), secrets()).await;
}

/// The key with which our requests to this identity provider are signed.
pub fn secrets() -> SecretMap {
    let mut secrets = SecretMap::default();
    secrets.set(secret::SAML_SIGNING_KEY, SP.pkcs8.clone());
    secrets
}

/// Who is sitting at the identity provider.
#[derive(Clone, Debug)]
pub struct Person {
    /// NameID.
    pub subject: String,
    /// Attributes.
    pub attributes: Vec<(String, Vec<String>)>,
}

impl Person {
    /// Describes somebody with an address and a name.
    pub fn new(subject: &str, email: &str) -> Self {
        let one = |name: &str, value: &str| (name.to_owned(), vec![value.to_owned()]);
        Self {
            subject: subject.to_owned(),
            attributes: vec![
                one("email", email),
                one("givenName", "Ann"),
                one("surname", "Example"),
            ],
        }
    }

    /// Adds an attribute.
    pub fn with(mut self, name: &str, values: &[&str]) -> Self {
        self.attributes.push((
            name.to_owned(),
            values.iter().map(|value| (*value).to_owned()).collect(),
        ));
        self
    }
}

/// What a response says, to be bent by tests.
pub struct Answer<'k> {
    /// Who signs.
    pub keys: &'k Keys,
    /// Assertion consumer address.
    pub acs_url: String,
    /// Our entity ID.
    pub audience: String,
    /// Request it answers.
    pub in_response_to: Option<String>,
    /// When it is issued.
    pub at: Timestamp,
    /// When the person authenticated, if not just then.
    pub authenticated_at: Option<Timestamp>,
    /// Session index.
    pub session_index: String,
    /// End of the session.
    pub session_ends: Option<Timestamp>,
    /// NameID format.
    pub format: String,
}

impl Answer<'static> {
    /// Prepares the honest answer of a connection.
    pub fn new(app: &App, connection: &str, in_response_to: Option<&str>) -> Self {
        Self {
            keys: &IDP,
            acs_url: app.config.url(&format!("/sso/{connection}/saml/acs")),
            audience: app.config.url(&format!("/sso/{connection}/saml/metadata")),
            in_response_to: in_response_to.map(str::to_owned),
            at: app.world.now(),
            authenticated_at: None,
            session_index: app.world.id("idx_").unwrap(),
            session_ends: None,
            format: FORMAT_PERSISTENT.to_owned(),
        }
    }
}

impl Answer<'_> {
    /// Issues it: the value of the field `SAMLResponse`.
    pub fn issue(&self, person: &Person) -> String {
        let id = |byte: u8| {
            let mut bytes = provost::world::World::new().bytes::<16>().unwrap();
            bytes[0] = byte;
            RequestId::from_random(bytes)
        };
        let attributes: Vec<Attribute> = person
            .attributes
            .iter()
            .map(|(name, values)| Attribute {
                name: name.clone(),
                name_format: None,
                friendly_name: None,
                values: values.clone(),
            })
            .collect();
        let name_id = NameId {
            value: person.subject.clone(),
            format: Some(self.format.clone()),
            name_qualifier: None,
            sp_name_qualifier: None,
        };
        let spec = ResponseSpec {
            response_id: &id(1),
            assertion_id: &id(2),
            issue_instant: self.at,
            lifetime: SignedDuration::from_mins(5),
            issuer: ENTITY_ID,
            acs_url: &self.acs_url,
            audience: &self.audience,
            in_response_to: self.in_response_to.as_deref(),
            name_id: &name_id,
            session_index: &self.session_index,
            session_not_on_or_after: self.session_ends,
            authn_instant: self.authenticated_at.unwrap_or(self.at),
            authn_context: "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport",
            attributes: &attributes,
        };
        let signing = Signing {
            key: &self.keys.key,
            certificate: None,
            response: true,
            assertion: true,
        };
        STANDARD.encode(issue_response(&spec, &signing, None).unwrap())
    }
}

/// A request of ours as it reached the identity provider.
pub struct Request {
    /// What it says.
    pub request: ReceivedAuthnRequest,
    /// RelayState to be returned.
    pub relay_state: String,
}

/// Reads our request from a redirect or from a self-posting form, and demands our signature.
pub fn read_request(page: &Page) -> Request {
    let keys = [VerifyingKey::from_certificate(&Certificate::from_base64(&SP.certificate).unwrap()).unwrap()];
    if let Some(location) = page.location() {
        let query = location
            .split_once('?')
            .unwrap_or_else(|| panic!("no request in {location}"))
            .1;
        let request = parse_authn_request(Received::Redirect(query), Some(&keys)).unwrap();
        let relay_state = request.relay_state.clone().unwrap();
        return Request { request, relay_state };
    }
    let form = page.form(SSO_URL);
    let request =
        parse_authn_request(Received::Post(form.fields["SAMLRequest"].as_bytes()), Some(&keys)).unwrap();
    Request {
        request,
        relay_state: form.fields["RelayState"].clone(),
    }
}

/// Signs a person in from the first click to the page after, and returns the answer to the posted response.
pub async fn sign_in(app: &App, browser: &mut Browser, connection: &str, person: &Person) -> Page {
    let page = browser.get(&format!("/sso/{connection}/login")).await;
    let request = read_request(&page);
    let response = Answer::new(app, connection, Some(&request.request.id)).issue(person);
    post(browser, connection, &response, &request.relay_state).await
}

/// Opens an invitation, presses its button, signs in at the provider, and returns the answer to the posted response.
pub async fn accept_invitation(
    app: &App,
    browser: &mut Browser,
    connection: &str,
    link: &str,
    person: &Person,
) -> Page {
    let page = browser.get(link).await;
    let form = crate::app::Form {
        action: link.to_owned(),
        ..page.form("")
    };
    let leaving = browser.submit(&form, &[]).await;
    let request = read_request(&leaving);
    let response = Answer::new(app, connection, Some(&request.request.id)).issue(person);
    post(browser, connection, &response, &request.relay_state).await
}

/// Posts a response.
pub async fn post(browser: &mut Browser, connection: &str, response: &str, relay_state: &str) -> Page {
    let fields = [("SAMLResponse", response), ("RelayState", relay_state)];
    browser
        .post(&format!("/sso/{connection}/saml/acs"), &fields)
        .await
}

/// Builds a signed logout request of the identity provider by redirect: path and query at our address.
pub fn logout_request(
    app: &App,
    connection: &str,
    subject: &str,
    session_indexes: &[String],
    keys: &Keys,
) -> String {
    let destination = app.config.url(&format!("/sso/{connection}/saml/slo"));
    let now = app.world.now();
    let name_id = NameId {
        value: subject.to_owned(),
        format: Some(FORMAT_PERSISTENT.to_owned()),
        name_qualifier: None,
        sp_name_qualifier: None,
    };
    let request = LogoutRequest {
        id: &RequestId::from_random(app.world.bytes().unwrap()),
        issue_instant: now,
        not_on_or_after: now.checked_add(SignedDuration::from_mins(5)).unwrap(),
        destination: &destination,
        issuer: ENTITY_ID,
        name_id: &name_id,
        session_indexes,
    };
    request.redirect_url(Some("idp-state"), &keys.key).unwrap().into()
}

/// Answers our logout request, as found in a redirect: path and query at our address.
pub fn logout_response(app: &App, connection: &str, location: &str) -> String {
    let url = url::Url::parse(location).unwrap();
    let relay_state = url
        .query_pairs()
        .find(|(name, _)| name == "RelayState")
        .unwrap()
        .1
        .into_owned();
    let keys = [VerifyingKey::from_certificate(&Certificate::from_base64(&SP.certificate).unwrap()).unwrap()];
    let trust = Trust {
        idp_entity_id: &app.config.url(&format!("/sso/{connection}/saml/metadata")),
        keys: &keys,
        decryption_keys: &[],
        allow_cbc: false,
        limits: Limits::MESSAGE,
    };
    let received = Received::Redirect(url.query().unwrap());
    let request =
        verify_logout_request(received, &trust, &LogoutExpected::new(SLO_URL), app.world.now()).unwrap();
    assert_eq!(request.id(), relay_state);
    let response = LogoutResponse {
        id: &RequestId::from_random(app.world.bytes().unwrap()),
        issue_instant: app.world.now(),
        destination: &app.config.url(&format!("/sso/{connection}/saml/slo")),
        issuer: ENTITY_ID,
        in_response_to: request.id(),
        status: LogoutStatus::Success,
    };
    response
        .redirect_url(Some(&relay_state), &IDP.key)
        .unwrap()
        .into()
}

/// Metadata on a port of its own.
pub struct PublishedMetadata {
    /// Where it is.
    pub url: String,
    reads: Arc<AtomicUsize>,
}

impl PublishedMetadata {
    /// Publishes metadata with the certificate of `keys`.
    pub async fn start(keys: &Keys) -> Self {
        let certificates = [Certificate::from_base64(&keys.certificate).unwrap()];
        let document = idp_metadata(&IdentityProvider {
            entity_id: ENTITY_ID,
            sso_url: SSO_URL,
            slo_url: Some(SLO_URL),
            certificates: &certificates,
            want_authn_requests_signed: true,
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/metadata", listener.local_addr().unwrap());
        let reads = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&reads);
        let answer = move || {
            counted.fetch_add(1, Ordering::Relaxed);
            std::future::ready(document.clone())
        };
        let routes = axum::Router::new().route("/metadata", provost::route::get(answer));
        tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        Self { url, reads }
    }

    /// Counts how often it was read.
    pub fn reads(&self) -> usize {
        self.reads.load(Ordering::Relaxed)
    }
}

/// Builds a signed logout request of the identity provider as a form field.
pub fn logout_request_form(app: &App, connection: &str, subject: &str, keys: &Keys) -> String {
    let destination = app.config.url(&format!("/sso/{connection}/saml/slo"));
    let now = app.world.now();
    let name_id = NameId {
        value: subject.to_owned(),
        format: Some(FORMAT_PERSISTENT.to_owned()),
        name_qualifier: None,
        sp_name_qualifier: None,
    };
    let request = LogoutRequest {
        id: &RequestId::from_random(app.world.bytes().unwrap()),
        issue_instant: now,
        not_on_or_after: now.checked_add(SignedDuration::from_mins(5)).unwrap(),
        destination: &destination,
        issuer: ENTITY_ID,
        name_id: &name_id,
        session_indexes: &[],
    };
    let form = request.post_form(None, &keys.key).unwrap();
    form.fields
        .into_iter()
        .find(|(name, _)| *name == "SAMLRequest")
        .unwrap()
        .1
}
