//! The answer of a SAML identity provider: from the posted form to a session or a refusal.
//!
//! Owns which request an answer belongs to and what happens when it does not verify. Never reads anything from an
//! answer that [`provost_saml::response::verify`] has not given back, except the id of the request to look for.

use std::sync::Arc;

use jiff::Timestamp;
use provost_kernel::connection::Protocol;
use provost_kernel::denial::Denial;
use provost_kernel::id::ConnectionId;
use provost_saml::metadata::{ServiceProvider, sp_metadata};
use provost_saml::response::{self, Expected, VerifiedAssertion};
use provost_saml::{Limits, SamlError};

use crate::app::App;
use crate::error::{AppError, Result};
use crate::flow::connection::{self, LiveConnection, LiveProtocol, SamlSide};
use crate::flow::landing;
use crate::flow::limits::Toll;
use crate::flow::login::{self, Proven};
use crate::flow::outcome::SignIn;
use crate::flow::pending_login::{self, Party, PendingLogin, Purpose};
use crate::flow::refusal::{self, Fault};
use crate::flow::return_to::ReturnTo;
use crate::flow::setup::testing;
use crate::jobs::metadata::{self, Outcome};
use crate::pages::refusal::Reason;
use crate::translate;

/// Bytes of an encoded response from which on it is a large one. Those of providers have 5 to 20 thousand.
const LARGE: usize = 32 * 1024;

/// What was posted to the assertion consumer address.
#[derive(Clone)]
pub struct Posted {
    /// `SAMLResponse`.
    pub response: String,
    /// `RelayState`.
    pub relay_state: String,
    /// The browser's own secret, if it has one.
    pub browser: Option<String>,
    /// What the try costs.
    pub toll: Toll,
}

/// Returns our metadata for one connection.
///
/// # Errors
/// 404 if there is no such SAML connection.
pub async fn our_metadata(app: &App, connection: &str) -> Result<String> {
    let live = match connection::find(app, connection).await {
        Err(error) if error.code() == "not_found" => {
            return testing::early_metadata(app, connection).await;
        }
        other => other?,
    };
    let side = saml_side(&live)?;
    let formats: Vec<String> = side.config.name_id_format.clone().into_iter().collect();
    Ok(sp_metadata(&ServiceProvider {
        entity_id: &side.entity_id,
        acs_url: &side.acs_url,
        slo_url: side.signing_key.is_some().then_some(side.slo_url.as_str()),
        signing_certificates: &side.certificates.0,
        encryption_certificates: &side.certificates.1,
        authn_requests_signed: side.config.sign_requests,
        want_assertions_signed: true,
        name_id_formats: &formats,
        allow_cbc: side.config.allow_cbc,
    }))
}

/// Finishes a sign-in with the provider's answer.
///
/// # Errors
/// 404 for an unknown connection; those of the store. A refusal is not an error.
pub async fn finish(app: &App, connection: &str, posted: Posted) -> Result<SignIn> {
    let posted = Arc::new(posted);
    let request = find_request(app, &ConnectionId::new(connection), &posted).await?;
    let live = match request.as_ref().ok().and_then(|request| request.revision) {
        Some(revision) => connection::find_at(app, connection, revision).await?,
        None => connection::find(app, connection).await?,
    };
    saml_side(&live)?;
    let request = match request {
        Ok(request) => request,
        Err(fault) => return refuse(app, &live, fault, ReturnTo::Account).await,
    };
    if request.pending.purpose == Purpose::Test {
        return tested(app, live, &posted, request).await;
    }
    if !live.in_force.connection().enabled {
        let denial = Denial::ConnectionDisabled;
        let fault = Fault::new(
            Reason::Denied(denial),
            denial.code(),
            "the connection is switched off",
        );
        return refuse(app, &live, fault, request.return_to).await;
    }
    let (live, verified) = verify_with_newest_keys(app, live, &posted, &request).await?;
    let assertion = match verified {
        Ok(assertion) => assertion,
        Err(error) => return refuse(app, &live, fault_of(&error), request.return_to).await,
    };
    let side = saml_side(&live)?;
    let incoming =
        match translate::saml::incoming(live.in_force.connection(), &assertion, &side.config.attributes) {
            Ok(incoming) => incoming,
            Err(error) => {
                let fault = Fault::new(Reason::NotVerified, error.code(), error.to_string());
                return refuse(app, &live, fault, request.return_to).await;
            }
        };
    let invitation = request.pending.invitation.clone();
    let return_to = match (&request.id, &side.config.idp_initiated) {
        (None, Some(settings)) => landing::choose(app, settings, &posted.relay_state).await?,
        (Some(_), _) | (None, None) => request.return_to,
    };
    login::finish(
        app,
        Arc::clone(&live),
        Proven {
            incoming,
            return_to,
            id_token: None,
            invitation,
        },
    )
    .await
}

/// Ends a test: verified like a sign-in, and nothing more.
async fn tested(
    app: &App,
    live: Arc<LiveConnection>,
    posted: &Arc<Posted>,
    request: Request,
) -> Result<SignIn> {
    let (live, verified) = verify_with_newest_keys(app, live, posted, &request).await?;
    let side = saml_side(&live)?;
    let incoming = verified.map_err(|error| fault_of(&error)).and_then(|assertion| {
        translate::saml::incoming(live.in_force.connection(), &assertion, &side.config.attributes)
            .map_err(|error| Fault::new(Reason::NotVerified, error.code(), error.to_string()))
    });
    testing::conclude(app, &live, incoming.as_ref()).await?;
    Ok(SignIn::Tested(request.return_to))
}

/// The request that an answer claims to belong to.
struct Request {
    /// Its id; none for an answer to no request.
    id: Option<String>,
    pending: PendingLogin,
    return_to: ReturnTo,
    /// The revision of the stored connections, if it was seen on the way.
    revision: Option<i64>,
}

/// Finds the pending request by the id that the answer names, and takes it. The name is not verified yet: a false one
/// finds nothing, or a request that the verified answer then does not fit. Pays the toll in any case, also for a
/// connection that does not exist.
async fn find_request(
    app: &App,
    connection: &ConnectionId,
    posted: &Arc<Posted>,
) -> Result<Result<Request, Fault>> {
    // A large message is counted before it is looked at, a usual one together with what looking at it leads to.
    let is_large = posted.response.len() > LARGE;
    if is_large {
        posted.toll.pay_now(app).await?;
    }
    let toll = Some(&posted.toll).filter(|_| !is_large);
    let peeked = if is_large {
        let posted = Arc::clone(posted);
        let work = move || in_response_to(&posted);
        app.heavy.run(work).await?
    } else {
        in_response_to(posted)
    };
    let id = match peeked {
        Ok(Some(id)) => id,
        Ok(None) => {
            pay(app, toll).await?;
            return Ok(Ok(Request {
                id: None,
                pending: PendingLogin::default(),
                return_to: ReturnTo::Account,
                revision: None,
            }));
        }
        Err(error) => {
            pay(app, toll).await?;
            return Ok(Err(fault_of(&error)));
        }
    };
    let gone = |text: &str| Fault::new(Reason::AttemptGone, "saml_request_not_open", text);
    // RelayState is ours and names the same request. Anything else was put there by somebody in between.
    if !posted.relay_state.is_empty() && posted.relay_state != id {
        pay(app, toll).await?;
        return Ok(Err(gone(
            "the relay state names another request than the response",
        )));
    }
    let Some(browser) = &posted.browser else {
        pay(app, toll).await?;
        return Ok(Err(gone(
            "the browser that brought the response never began a sign-in here",
        )));
    };
    let party = Party {
        connection,
        protocol: Protocol::Saml,
        browser,
    };
    match pending_login::take(app, party, &id, Purpose::SignIn, toll).await? {
        Some(taken) => Ok(Ok(Request {
            id: Some(id),
            pending: taken.pending,
            return_to: taken.return_to,
            revision: Some(taken.revision),
        })),
        None => Ok(Err(gone(
            "no open request of this browser and connection: answered before, expired, or begun in another browser",
        ))),
    }
}

fn in_response_to(posted: &Posted) -> Result<Option<String>, SamlError> {
    response::unverified_in_response_to(posted.response.as_bytes(), &Limits::MESSAGE)
}

async fn pay(app: &App, toll: Option<&Toll>) -> Result<()> {
    match toll {
        Some(toll) => toll.pay_now(app).await,
        None => Ok(()),
    }
}

/// Verifies; when no known key made the signature, reads the provider's metadata again (at most once a minute) and
/// verifies once more. Returns the connection with the keys that were used last.
async fn verify_with_newest_keys(
    app: &App,
    live: Arc<LiveConnection>,
    posted: &Arc<Posted>,
    request: &Request,
) -> Result<(Arc<LiveConnection>, Result<VerifiedAssertion, SamlError>)> {
    let verified = verify(app, Arc::clone(&live), posted, request).await?;
    if !verified.as_ref().err().is_some_and(is_about_keys) {
        return Ok((live, verified));
    }
    match metadata::refresh_on_demand(app, live.id()).await {
        Ok(Outcome::Changed) => {
            let renewed = connection::find(app, live.id().as_str()).await?;
            let verified = verify(app, Arc::clone(&renewed), posted, request).await?;
            Ok((renewed, verified))
        }
        Ok(Outcome::Unchanged | Outcome::Skipped) => Ok((live, verified)),
        Err(error) => {
            tracing::warn!(connection = %live.id(), %error, "metadata was not refreshed");
            Ok((live, verified))
        }
    }
}

async fn verify(
    app: &App,
    live: Arc<LiveConnection>,
    posted: &Arc<Posted>,
    request: &Request,
) -> Result<Result<VerifiedAssertion, SamlError>> {
    let now = app.world.now();
    let posted = Arc::clone(posted);
    let (id, fresh_since) = (request.id.clone(), request.pending.fresh_since);
    let work = move || {
        let Ok(side) = saml_side(&live) else {
            return Err(SamlError::NoTrustedKey);
        };
        verify_now(side, posted.response.as_bytes(), id.as_deref(), fresh_since, now)
    };
    app.heavy.run(work).await
}

fn verify_now(
    side: &SamlSide,
    response: &[u8],
    request: Option<&str>,
    fresh_since: Option<Timestamp>,
    now: Timestamp,
) -> Result<VerifiedAssertion, SamlError> {
    let expected = Expected {
        allow_unsolicited: side.config.idp_initiated.is_some(),
        clock_skew: side.clock_skew(),
        authenticated_after: fresh_since,
        authn_contexts: &side.config.requested_authn_context,
        ..Expected::new(&side.acs_url, &side.entity_id, request)
    };
    response::verify(response, &side.trust(), &expected, now)
}

/// Returns the SAML side of a connection.
///
/// # Errors
/// 404 if the connection speaks another protocol.
pub(super) fn saml_side(live: &LiveConnection) -> Result<&SamlSide> {
    match &live.protocol {
        LiveProtocol::Saml(side) => Ok(side),
        LiveProtocol::Oidc(_) => Err(AppError::not_found()),
    }
}

async fn refuse(app: &App, live: &LiveConnection, fault: Fault, return_to: ReturnTo) -> Result<SignIn> {
    Ok(SignIn::Refused(
        refusal::record(app, live.in_force.connection(), fault, return_to).await?,
    ))
}

/// Tells whether newer keys of the provider could mend the error.
fn is_about_keys(error: &SamlError) -> bool {
    matches!(
        error,
        SamlError::SignatureInvalid | SamlError::NoTrustedKey | SamlError::KeyAlgorithmMismatch
    )
}

fn fault_of(error: &SamlError) -> Fault {
    let reason = if matches!(error, SamlError::Status { .. }) {
        Reason::ProviderRefused
    } else if *error == SamlError::Unsolicited {
        Reason::UnsolicitedRefused
    } else if *error == SamlError::InResponseToMismatch {
        Reason::AttemptGone
    } else {
        Reason::NotVerified
    };
    Fault::new(reason, error.code(), error.to_string())
}
