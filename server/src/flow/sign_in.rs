//! The beginning of a sign-in through a connection: a pending request, and the browser sent to the provider.
//!
//! Never trusts anything from the address but the connection and an opaque id.

use axum::http::HeaderMap;
use jiff::SignedDuration;
use provost_kernel::connection::{Connection, Protocol};
use provost_kernel::denial::Denial;
use provost_oidc::pkce;
use provost_oidc::rp::authorization::{AuthorizationRequest, ResponseMode};
use provost_saml::authn_request::{AuthnRequest, RequestId};

use crate::app::App;
use crate::connection_config::RequestBinding;
use crate::error::{AppError, Result};
use crate::flow::connection::{self, LiveConnection, LiveProtocol, OidcSide, SamlSide};
use crate::flow::departure::Departure;
use crate::flow::limits::Toll;
use crate::flow::openid::authorize;
use crate::flow::outcome::Refused;
use crate::flow::pending::SignInHints;
use crate::flow::pending_login::{self, Party, PendingLogin, Purpose};
use crate::flow::refusal::{self, Fault};
use crate::flow::return_to::ReturnTo;
use crate::flow::session::arrival;
use crate::flow::setup::testing;
use crate::pages::refusal::Reason;

/// What begins a sign-in.
#[derive(Clone, Debug)]
pub struct Start {
    /// The connection, as named in the address.
    pub connection: String,
    /// Where the person goes afterwards.
    pub return_to: ReturnTo,
    /// The browser's own secret, to which the request is bound.
    pub browser: String,
    /// Who is expected.
    pub login_hint: Option<String>,
    /// The invitation with which it begins.
    pub invitation: Option<String>,
    /// Whether it is a test: it may go through a connection that is not in use, and nobody gets in by it.
    pub is_test: bool,
    /// What the try costs.
    pub toll: Toll,
}

impl Start {
    const fn purpose(&self) -> Purpose {
        if self.is_test {
            Purpose::Test
        } else {
            Purpose::SignIn
        }
    }
}

/// How a sign-in began.
#[derive(Debug)]
pub enum Started {
    /// The browser leaves for the provider.
    Leaving(Departure),
    /// It cannot begin.
    Refused(Refused),
}

/// Begins a sign-in.
///
/// # Errors
/// 404 for an unknown connection; those of the store.
pub async fn start(app: &App, start: Start) -> Result<Started> {
    let arrival = arrival(app, &HeaderMap::new(), start.return_to.request()).await?;
    let revision = arrival.revisions.of(connection::REVISION);
    let live = match connection::find_at(app, &start.connection, revision).await {
        Ok(live) => live,
        Err(error) => {
            start.toll.pay_now(app).await?;
            return Err(error);
        }
    };
    let connection = live.in_force.connection();
    let mut hints = authorize::hints_of(app, &arrival).await?.unwrap_or_default();
    // Where a page wants to know again that it is she, the provider shall ask her, and say so.
    hints.force |= start.return_to.is_again();
    if start.login_hint.is_some() {
        hints.login_hint.clone_from(&start.login_hint);
    }
    if !connection.enabled && !start.is_test {
        start.toll.pay_now(app).await?;
        let text = "the connection is switched off";
        let fault = Fault::new(
            Reason::Denied(Denial::ConnectionDisabled),
            Denial::ConnectionDisabled.code(),
            text,
        );
        return refuse(app, connection, fault, start.return_to).await;
    }
    let begun = match &live.protocol {
        LiveProtocol::Saml(side) => start_saml(app, &live, side, &start, &hints).await,
        LiveProtocol::Oidc(side) => start_oidc(app, &live, side, &start, &hints).await,
    };
    match begun? {
        Ok(departure) => Ok(Started::Leaving(departure)),
        Err(fault) if start.is_test => {
            testing::conclude(app, &live, Err(&fault)).await?;
            Ok(Started::Leaving(Departure::Redirect(start.return_to.location())))
        }
        Err(fault) => refuse(app, connection, fault, start.return_to).await,
    }
}

async fn refuse(app: &App, connection: &Connection, fault: Fault, return_to: ReturnTo) -> Result<Started> {
    Ok(Started::Refused(
        refusal::record(app, connection, fault, return_to).await?,
    ))
}

async fn start_saml(
    app: &App,
    live: &LiveConnection,
    side: &SamlSide,
    start: &Start,
    hints: &SignInHints,
) -> Result<Result<Departure, Fault>> {
    let now = app.world.now();
    let id = RequestId::from_random(app.world.bytes()?);
    let force_authn = side.config.force_authn || hints.force;
    let (redirect, post) = (&side.config.sso_redirect_url, &side.config.sso_post_url);
    let (destination, is_post) = match (side.config.request_binding, redirect, post) {
        (RequestBinding::Redirect, Some(url), _) | (RequestBinding::Post, Some(url), None) => (url, false),
        (RequestBinding::Post | RequestBinding::Redirect, _, Some(url)) => (url, true),
        (RequestBinding::Redirect | RequestBinding::Post, None, None) => {
            start.toll.pay_now(app).await?;
            let text = "the connection has no sign-on address of the identity provider";
            return Ok(Err(Fault::new(
                Reason::ProviderUnreachable,
                "saml_no_endpoint",
                text,
            )));
        }
    };
    let pending = PendingLogin {
        fresh_since: force_authn.then_some(now),
        invitation: start.invitation.clone(),
        purpose: start.purpose(),
        ..PendingLogin::default()
    };
    let party = Party {
        connection: live.id(),
        protocol: Protocol::Saml,
        browser: &start.browser,
    };
    // Kept, and so counted, before anything is signed.
    pending_login::keep(
        app,
        party,
        id.as_str(),
        &pending,
        &start.return_to,
        Some(&start.toll),
    )
    .await?;
    let request = AuthnRequest {
        id: &id,
        issue_instant: now,
        destination,
        acs_url: &side.acs_url,
        issuer: &side.entity_id,
        name_id_format: side.config.name_id_format.as_deref(),
        force_authn,
        is_passive: false,
        // Many providers refuse a request that names its subject; those that understand it are rare.
        login_hint: None,
        requested_authn_context: &side.config.requested_authn_context,
    };
    let key = side.signing_key.as_ref().filter(|_| side.config.sign_requests);
    let relay_state = Some(id.as_str());
    let departure = if is_post {
        request.post_form(relay_state, key).map(Departure::from)
    } else {
        request.redirect_url(relay_state, key).map(Departure::from)
    };
    Ok(departure.map_err(|error| Fault::new(Reason::ProviderUnreachable, error.code(), error.to_string())))
}

async fn start_oidc(
    app: &App,
    live: &LiveConnection,
    side: &OidcSide,
    start: &Start,
    hints: &SignInHints,
) -> Result<Result<Departure, Fault>> {
    let metadata = match app.providers.metadata(app, side, live.id()).await {
        Ok(metadata) => metadata,
        Err(error) => {
            start.toll.pay_now(app).await?;
            return Ok(Err(Fault::new(
                Reason::ProviderUnreachable,
                error.code(),
                error.to_string(),
            )));
        }
    };
    let state = secrecy::ExposeSecret::expose_secret(&app.world.token("st_")?.secret).to_owned();
    let nonce = secrecy::ExposeSecret::expose_secret(&app.world.token("")?.secret).to_owned();
    let verifier = pkce::verifier(&app.world.bytes()?);
    let now = app.world.now();
    let acr_values = (!hints.acr_values.is_empty()).then(|| hints.acr_values.join(" "));
    let prompt = match (hints.force, hints.select_account) {
        (true, _) => Some("login"),
        (false, true) => Some("select_account"),
        (false, false) => None,
    };
    // A provider that honors `prompt=login` proves it by `auth_time`, which a demanded age makes obligatory.
    let max_age = if hints.force { Some(0) } else { hints.max_age };
    let request = AuthorizationRequest {
        client_id: &side.config.client_id,
        redirect_uri: &side.callback_url,
        scopes: &side.config.scopes,
        state: &state,
        nonce: &nonce,
        code_verifier: &verifier,
        login_hint: hints.login_hint.as_deref(),
        domain_hint: hints.domain_hint.as_deref(),
        prompt,
        max_age: max_age.map(SignedDuration::from_secs),
        acr_values: acr_values.as_deref(),
        response_mode: ResponseMode::Query,
    };
    let departure = Departure::from(request.url(&metadata.authorization_endpoint));
    let pending = PendingLogin {
        nonce,
        verifier: verifier.expose().to_owned(),
        fresh_since: hints.force.then_some(now),
        max_age: hints.max_age,
        invitation: start.invitation.clone(),
        purpose: start.purpose(),
        ..PendingLogin::default()
    };
    let party = Party {
        connection: live.id(),
        protocol: Protocol::Oidc,
        browser: &start.browser,
    };
    pending_login::keep(app, party, &state, &pending, &start.return_to, Some(&start.toll)).await?;
    Ok(Ok(departure))
}

/// Makes the secret of a browser that has none yet.
///
/// # Errors
/// When the operating system has no random bytes.
pub fn new_browser(app: &App) -> Result<String> {
    let token = app.world.token("pvb_").map_err(AppError::from)?;
    Ok(secrecy::ExposeSecret::expose_secret(&token.secret).to_owned())
}
