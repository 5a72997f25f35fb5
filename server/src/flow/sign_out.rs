//! Signing out here, and then at the identity provider too where that is set up.
//!
//! The session here ends first and whatever happens next: a provider that does not answer keeps nobody signed in.
//! Apps learn of it by back-channel logout, which follows every revoked session.

use jiff::SignedDuration;
use provost_kernel::connection::Protocol;
use provost_kernel::id::ConnectionId;
use provost_oidc::rp::logout::LogoutRequest as OidcLogout;
use provost_saml::authn_request::RequestId;
use provost_saml::logout::LogoutRequest as SamlLogout;
use provost_saml::response::NameId;
use provost_store::SessionRecord;

use crate::app::App;
use crate::error::Result;
use crate::flow::connection::{self, LiveConnection, LiveProtocol, OidcSide, SamlSide};
use crate::flow::departure::Departure;
use crate::flow::pending_login::{self, Party, PendingLogin, Purpose};
use crate::flow::return_to::ReturnTo;

/// How long a logout request is good for.
const REQUEST_LIFETIME: SignedDuration = SignedDuration::from_mins(5);

/// Ends a session. Returns how the browser goes on to the provider, if the session came from one that ends sessions;
/// `after` is where the person shall go in the end, already checked against the app's registration.
///
/// # Errors
/// Those of the store.
pub async fn sign_out(
    app: &App,
    session: &SessionRecord,
    browser: &str,
    after: Option<String>,
) -> Result<Option<Departure>> {
    let now = app.world.now();
    let (id, wanted) = (session.id.clone(), session.id.clone());
    // Read first: the hint is needed after the session has ended.
    let id_token = app
        .store
        .read(|reader| Box::pin(async move { reader.session_id_token(&wanted).await }))
        .await?;
    app.store
        .write(move |tx| Box::pin(async move { tx.revoke_session(&id, "signed_out", now).await }))
        .await?;
    app.ring_jobs();
    let Some(connection) = &session.connection else {
        return Ok(None);
    };
    let Ok(live) = connection::find(app, connection.as_str()).await else {
        return Ok(None);
    };
    let pending = PendingLogin {
        purpose: Purpose::SignOut,
        after_logout: after,
        ..PendingLogin::default()
    };
    match &live.protocol {
        LiveProtocol::Saml(side) => {
            let Some((id, departure)) = saml(app, side, session)? else {
                return Ok(None);
            };
            keep(app, &live, Protocol::Saml, browser, id.as_str(), &pending).await?;
            Ok(Some(departure))
        }
        LiveProtocol::Oidc(side) => {
            let state = app.world.id("out_")?;
            let hint = id_token.as_ref().map(|text| text.as_str());
            let Some(departure) = oidc(app, side, live.id(), hint, &state).await else {
                return Ok(None);
            };
            keep(app, &live, Protocol::Oidc, browser, &state, &pending).await?;
            Ok(Some(departure))
        }
    }
}

async fn keep(
    app: &App,
    live: &LiveConnection,
    protocol: Protocol,
    browser: &str,
    id: &str,
    pending: &PendingLogin,
) -> Result<()> {
    let party = Party {
        connection: live.id(),
        protocol,
        browser,
    };
    pending_login::keep(app, party, id, pending, &ReturnTo::Account, None).await
}

/// Builds the logout request; none where the provider offers no logout, or the request could not be signed.
fn saml(app: &App, side: &SamlSide, session: &SessionRecord) -> Result<Option<(RequestId, Departure)>> {
    let (Some(key), Some(link)) = (&side.signing_key, &session.link) else {
        return Ok(None);
    };
    if link.subject.format.starts_with("attribute:") {
        // The person is known by an attribute; the NameID that the provider would need was not kept.
        return Ok(None);
    }
    let (destination, is_post) = match (&side.config.slo_redirect_url, &side.config.slo_post_url) {
        (Some(url), _) => (url, false),
        (None, Some(url)) => (url, true),
        (None, None) => return Ok(None),
    };
    let now = app.world.now();
    let id = RequestId::from_random(app.world.bytes()?);
    let name_id = NameId {
        value: link.subject.value.clone(),
        format: Some(link.subject.format.clone()),
        name_qualifier: None,
        sp_name_qualifier: None,
    };
    let session_indexes: Vec<String> = session.upstream_session.clone().into_iter().collect();
    let request = SamlLogout {
        id: &id,
        issue_instant: now,
        not_on_or_after: now.checked_add(REQUEST_LIFETIME).unwrap_or(now),
        destination,
        issuer: &side.entity_id,
        name_id: &name_id,
        session_indexes: &session_indexes,
    };
    let relay_state = Some(id.as_str());
    let departure = if is_post {
        request.post_form(relay_state, key).map(Departure::from)
    } else {
        request.redirect_url(relay_state, key).map(Departure::from)
    };
    match departure {
        Ok(departure) => Ok(Some((id, departure))),
        Err(error) => {
            tracing::warn!(code = error.code(), "no logout request could be made");
            Ok(None)
        }
    }
}

/// Builds the logout address; none where that is switched off or the provider offers none.
async fn oidc(
    app: &App,
    side: &OidcSide,
    id: &ConnectionId,
    id_token_hint: Option<&str>,
    state: &str,
) -> Option<Departure> {
    if !side.config.upstream_logout {
        return None;
    }
    let metadata = app.providers.metadata(app, side, id).await.ok()?;
    let back = post_logout_redirect_uri(app, id);
    let request = OidcLogout {
        client_id: &side.config.client_id,
        id_token_hint,
        post_logout_redirect_uri: Some(&back),
        state: Some(state),
    };
    request.url(&metadata).ok().map(Departure::from)
}

/// Returns the address to register at the provider for coming back after a logout.
pub fn post_logout_redirect_uri(app: &App, connection: &ConnectionId) -> String {
    app.config.url(&format!("/sso/{connection}/oidc/logged-out"))
}

/// Finishes a sign-out that went through an OpenID provider: returns where the person goes in the end.
///
/// # Errors
/// Those of the store.
pub async fn back_from_oidc(
    app: &App,
    connection: &str,
    state: &str,
    browser: Option<&str>,
) -> Result<Option<String>> {
    let Some(browser) = browser else { return Ok(None) };
    let connection = ConnectionId::new(connection);
    let party = Party {
        connection: &connection,
        protocol: Protocol::Oidc,
        browser,
    };
    let taken = pending_login::take(app, party, state, Purpose::SignOut, None).await?;
    Ok(taken.and_then(|taken| taken.pending.after_logout))
}
