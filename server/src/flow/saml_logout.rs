//! Single logout messages of a SAML identity provider (SAML profiles 4.4): requests to end sessions, and answers to ours.
//!
//! A message without a valid signature ends nothing. Never ends a session of another connection.

use std::sync::Arc;

use provost_kernel::connection::Protocol;
use provost_kernel::directory::Subject;
use provost_kernel::incoming::OneTimeProof;
use provost_saml::SamlError;
use provost_saml::attributes::FORMAT_UNSPECIFIED;
use provost_saml::authn_request::RequestId;
use provost_saml::logout::{
    LogoutExpected, LogoutResponse, LogoutStatus, Received, VerifiedLogoutRequest, verify_logout_request,
    verify_logout_response,
};
use provost_store::StoreError;

use crate::app::App;
use crate::error::Result;
use crate::flow::connection::{self, LiveConnection, SamlSide};
use crate::flow::departure::Departure;
use crate::flow::outcome::Refused;
use crate::flow::pending_login::{self, Party, Purpose, Taken};
use crate::flow::refusal::{self, Fault};
use crate::flow::return_to::ReturnTo;
use crate::flow::saml_login::saml_side;
use crate::pages::refusal::Reason;

/// A logout message as it arrived.
#[derive(Clone)]
pub enum Arrived {
    /// By redirect: the raw query, because the signature covers its octets.
    Redirect {
        /// Query without the question mark.
        query: String,
    },
    /// By POST.
    Post {
        /// `SAMLRequest` or `SAMLResponse`.
        message: String,
    },
}

impl Arrived {
    fn received(&self) -> Received<'_> {
        match self {
            Self::Redirect { query } => Received::Redirect(query),
            Self::Post { message } => Received::Post(message.as_bytes()),
        }
    }
}

/// How a logout message ended.
pub enum Ended {
    /// Sessions ended; the browser takes our answer to the provider.
    Answering(Departure),
    /// The provider confirmed our request; the person goes on there, or sees that she is signed out.
    SignedOut(Option<String>),
    /// The message was refused.
    Refused(Refused),
}

/// Ends the sessions that a provider's logout request names, and answers it.
///
/// # Errors
/// 404 for an unknown connection; those of the store.
pub async fn request(
    app: &App,
    connection: &str,
    arrived: Arrived,
    relay_state: Option<String>,
) -> Result<Ended> {
    let live = connection::find(app, connection).await?;
    saml_side(&live)?;
    let now = app.world.now();
    let verified = {
        let live = Arc::clone(&live);
        app.heavy
            .run(move || {
                let Ok(side) = saml_side(&live) else {
                    return Err(SamlError::NoTrustedKey);
                };
                let expected = LogoutExpected {
                    slo_url: &side.slo_url,
                    clock_skew: side.clock_skew(),
                };
                verify_logout_request(arrived.received(), &side.trust(), &expected, now)
            })
            .await?
    };
    let verified = match verified {
        Ok(verified) => verified,
        Err(error) => return refuse(app, &live, &error).await,
    };
    match end_sessions(app, &live, &verified).await {
        Ok(count) => {
            tracing::info!(connection = %live.id(), count, "sessions ended by the identity provider");
            app.ring_jobs();
        }
        Err(StoreError::ProofSpent) => {
            let text = "the same logout request was presented before";
            let fault = Fault::new(Reason::Replayed, "saml_replayed", text);
            return Ok(Ended::Refused(
                refusal::record(app, live.in_force.connection(), fault, ReturnTo::Account).await?,
            ));
        }
        Err(error) => return Err(error.into()),
    }
    let answer = answer(app, saml_side(&live)?, verified.id(), relay_state.as_deref())?;
    Ok(answer.map_or(Ended::SignedOut(None), Ended::Answering))
}

async fn end_sessions(
    app: &App,
    live: &LiveConnection,
    request: &VerifiedLogoutRequest,
) -> Result<usize, StoreError> {
    let connection = live.in_force.connection();
    let issuer = match saml_side(live) {
        Ok(side) => side.config.idp_entity_id.clone(),
        Err(_) => return Ok(0),
    };
    let name_id = request.name_id();
    let format = name_id
        .format
        .clone()
        .unwrap_or_else(|| FORMAT_UNSPECIFIED.to_owned());
    let subject = Subject {
        issuer: issuer.clone(),
        format,
        value: name_id.value.clone(),
    };
    let proof = OneTimeProof {
        issuer,
        id: format!("logout:{}", request.id()),
        until: request.replay_until(),
    };
    let indexes = request.session_indexes().to_vec();
    let by_attribute = saml_side(live).is_ok_and(|side| side.config.attributes.contains_key("subject"));
    let (id, now) = (connection.id.clone(), app.world.now());
    app.store
        .write(move |tx| {
            Box::pin(async move {
                tx.spend(Some(&id), &proof);
                let mut ended = 0;
                if indexes.is_empty() {
                    ended += tx
                        .revoke_sessions_of_subject(&id, &subject, None, REASON, now)
                        .await?
                        .len();
                }
                for index in &indexes {
                    // Where an attribute is the subject, the NameID names nobody here; the session index still does.
                    let revoked = if by_attribute {
                        tx.revoke_sessions_of_upstream(&id, index, REASON, now).await?
                    } else {
                        tx.revoke_sessions_of_subject(&id, &subject, Some(index), REASON, now)
                            .await?
                    };
                    ended += revoked.len();
                }
                Ok(ended)
            })
        })
        .await
}

/// Why sessions end, as kept with them.
const REASON: &str = "provider_logout";

fn answer(app: &App, side: &SamlSide, request: &str, relay_state: Option<&str>) -> Result<Option<Departure>> {
    let Some(key) = &side.signing_key else {
        return Ok(None);
    };
    let config = &side.config;
    let (destination, is_post) = match (&config.slo_redirect_url, &config.slo_post_url) {
        (Some(url), _) => (config.slo_response_url.as_ref().unwrap_or(url), false),
        (None, Some(url)) => (config.slo_response_url.as_ref().unwrap_or(url), true),
        (None, None) => return Ok(None),
    };
    let response = LogoutResponse {
        id: &RequestId::from_random(app.world.bytes()?),
        issue_instant: app.world.now(),
        destination,
        issuer: &side.entity_id,
        in_response_to: request,
        status: LogoutStatus::Success,
    };
    let departure = if is_post {
        response.post_form(relay_state, key).map(Departure::from)
    } else {
        response.redirect_url(relay_state, key).map(Departure::from)
    };
    match departure {
        Ok(departure) => Ok(Some(departure)),
        Err(error) => {
            tracing::warn!(code = error.code(), "a logout request could not be answered");
            Ok(None)
        }
    }
}

/// Takes the provider's answer to our logout request.
///
/// # Errors
/// 404 for an unknown connection; those of the store.
pub async fn response(
    app: &App,
    connection: &str,
    arrived: Arrived,
    relay_state: &str,
    browser: Option<&str>,
) -> Result<Ended> {
    let live = connection::find(app, connection).await?;
    saml_side(&live)?;
    let taken = match browser {
        Some(browser) => {
            let party = Party {
                connection: live.id(),
                protocol: Protocol::Saml,
                browser,
            };
            pending_login::take(app, party, relay_state, Purpose::SignOut, None).await?
        }
        None => None,
    };
    // Nothing of ours waits for it: the session here ended before the request was sent.
    let Some(Taken { pending, .. }) = taken else {
        return Ok(Ended::SignedOut(None));
    };
    let (now, id) = (app.world.now(), relay_state.to_owned());
    let checked = Arc::clone(&live);
    let verified = app
        .heavy
        .run(move || {
            let Ok(side) = saml_side(&checked) else {
                return Err(SamlError::NoTrustedKey);
            };
            let expected = LogoutExpected {
                slo_url: &side.slo_url,
                clock_skew: side.clock_skew(),
            };
            verify_logout_response(arrived.received(), &side.trust(), &expected, &id, now)
        })
        .await?;
    match verified {
        Ok(answer) => {
            tracing::info!(connection = %live.id(), success = answer.is_success(), "sign-out at the provider answered");
        }
        // The person is signed out here in any case; the admin finds the fault in the log.
        Err(error) => tracing::warn!(connection = %live.id(), code = error.code(), "logout response refused"),
    }
    Ok(Ended::SignedOut(pending.after_logout))
}

async fn refuse(app: &App, live: &LiveConnection, error: &SamlError) -> Result<Ended> {
    let fault = Fault::new(Reason::LogoutNotVerified, error.code(), error.to_string());
    Ok(Ended::Refused(
        refusal::record(app, live.in_force.connection(), fault, ReturnTo::Account).await?,
    ))
}
