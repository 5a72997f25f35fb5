//! `/oauth2/logout`: an app asks to sign its person out (OpenID Connect RP-Initiated Logout 1.0).
//!
//! Owns the checks and whether the person is asked first: a link on any site must not sign people out. Never sends
//! a browser to an address that is not registered.

use provost_kernel::id::SessionId;
use provost_oidc::op::end_session::{parse, validate};
use provost_oidc::op::tokens::{VerifiedHint, verify_id_token_hint};
use provost_oidc::{OAuthError, Params};
use provost_store::SessionRecord;

use crate::app::App;
use crate::error::Result;
use crate::flow::openid::applications;
use crate::flow::openid::authorize::problem;
use crate::flow::openid::keys;

/// What a logout request comes to.
#[derive(Debug)]
pub enum EndSession {
    /// The person is asked first; these fields come back with the answer.
    Ask {
        /// The request, as hidden fields.
        fields: Vec<(String, String)>,
    },
    /// The browser's session ends now.
    End {
        /// Where the person goes afterwards; none shows a page of ours.
        after: Option<String>,
    },
}

/// The parameters that a confirmation carries along.
const CARRIED: [&str; 4] = ["id_token_hint", "client_id", "post_logout_redirect_uri", "state"];

/// Checks a logout request; `confirmed` if the person agreed on our page.
///
/// # Errors
/// 400 with a page for a request that is not acceptable; those of the store.
pub async fn decide(
    app: &App,
    parameters: &str,
    session: Option<&SessionRecord>,
    confirmed: bool,
) -> Result<EndSession> {
    let params = Params::parse(parameters.as_bytes());
    let request = parse(&params).map_err(problem)?;
    let hint = match &request.id_token_hint {
        Some(token) => Some(verified(app, token).await?),
        None => None,
    };
    let named = hint
        .as_ref()
        .map(|hint| hint.client_id.clone())
        .or_else(|| request.client_id.clone());
    let application = match named {
        Some(client_id) => applications::find(app, &client_id).await?,
        None => None,
    };
    let client = application.as_deref().map(|application| &application.client);
    let person = session.map(|session| session.account.as_str());
    let decision = validate(&request, hint.as_ref(), client, person).map_err(problem)?;
    if decision.confirm && !confirmed {
        let fields = CARRIED
            .iter()
            .filter_map(|name| Some(((*name).to_owned(), params.first(name)?.to_owned())))
            .collect();
        return Ok(EndSession::Ask { fields });
    }
    if let (None, Some(hint)) = (session, &hint) {
        end_hinted(app, hint).await?;
    }
    Ok(EndSession::End {
        after: decision.redirect.map(String::from),
    })
}

async fn verified(app: &App, token: &str) -> Result<VerifiedHint> {
    let ring = keys::ring(app).await?;
    verify_id_token_hint(token, ring.public(), &app.config.issuer())
        .map_err(|_| problem(OAuthError::LogoutHintInvalid))
}

/// A browser that did not bring its cookie: the ID token names the session, and only its app and person have it.
async fn end_hinted(app: &App, hint: &VerifiedHint) -> Result<()> {
    let Some(sid) = hint.sid.clone() else {
        return Ok(());
    };
    let (id, sub, now) = (SessionId::new(sid), hint.sub.clone(), app.world.now());
    app.store
        .write(move |tx| {
            Box::pin(async move {
                if tx
                    .session(&id)
                    .await?
                    .is_some_and(|session| session.account.as_str() == sub)
                {
                    tx.revoke_session(&id, "signed_out", now).await?;
                }
                Ok::<_, provost_store::StoreError>(())
            })
        })
        .await?;
    app.ring_jobs();
    Ok(())
}
