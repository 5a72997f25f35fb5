//! Sign-ins and sign-outs that are under way at an identity provider.
//!
//! Owns what is kept meanwhile, sealed in the store under one unguessable id that is SAML's request ID and
//! RelayState and OIDC's `state` at once. Taken once only, and only by the browser that began it, so that nobody can
//! finish a sign-in that somebody else began (login forgery) and nothing can be replayed.

use jiff::{SignedDuration, Timestamp};
use provost_kernel::connection::Protocol;
use provost_kernel::id::ConnectionId;
use provost_oidc::Secret;
use provost_store::{Durability, LoginRequest};
use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::error::{AppError, Result};
use crate::flow::limits::{self, Toll};
use crate::flow::return_to::ReturnTo;
use crate::world::digest_of;

/// How long a person may take at the identity provider.
pub const LIFETIME: SignedDuration = SignedDuration::from_mins(15);

/// What a pending request is for; an answer to one kind is no answer to the other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// Signing in.
    #[default]
    SignIn,
    /// Trying a connection: goes the way of a sign-in and ends without one.
    Test,
    /// Signing out at the provider too.
    SignOut,
}

impl Purpose {
    /// Tells whether an answer to a wish of `wanted` may find a request of this purpose.
    const fn answers(self, wanted: Self) -> bool {
        match wanted {
            Self::SignIn => matches!(self, Self::SignIn | Self::Test),
            Self::Test => matches!(self, Self::Test),
            Self::SignOut => matches!(self, Self::SignOut),
        }
    }
}

/// What is kept meanwhile.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
pub struct PendingLogin {
    /// What for.
    pub purpose: Purpose,
    /// OIDC: comes back in the ID token.
    pub nonce: String,
    /// OIDC: PKCE verifier.
    pub verifier: String,
    /// A fresh authentication was demanded at this moment.
    pub fresh_since: Option<Timestamp>,
    /// OIDC: greatest age of the authentication that was demanded, in seconds.
    pub max_age: Option<i64>,
    /// The invitation with which it began: only the invited person may come back.
    pub invitation: Option<String>,
    /// A sign-out: where the person goes afterwards, already checked against the app's registration.
    pub after_logout: Option<String>,
}

impl PendingLogin {
    /// Returns the PKCE verifier.
    pub fn code_verifier(&self) -> Secret {
        Secret::new(self.verifier.clone())
    }
}

/// Whose request it is: the connection that was asked, over which protocol, by which browser.
#[derive(Clone, Copy)]
pub struct Party<'a> {
    /// The connection, as named in the address.
    pub connection: &'a ConnectionId,
    /// Protocol spoken.
    pub protocol: Protocol,
    /// The browser's own secret.
    pub browser: &'a str,
}

/// A pending request that was taken.
pub struct Taken {
    /// What was kept.
    pub pending: PendingLogin,
    /// Where the person goes afterwards.
    pub return_to: ReturnTo,
    /// The revision of the stored connections at that moment.
    pub revision: i64,
}

/// Keeps a pending request; `toll` is what beginning it costs; none for a sign-out.
///
/// # Errors
/// 429 above the limit; those of the store.
pub async fn keep(
    app: &App,
    party: Party<'_>,
    id: &str,
    pending: &PendingLogin,
    return_to: &ReturnTo,
    toll: Option<&Toll>,
) -> Result<()> {
    let now = app.world.now();
    let digest = digest_of(party.browser);
    let request = LoginRequest {
        id: id.to_owned(),
        connection: party.connection.clone(),
        protocol: party.protocol,
        data: serde_json::to_value(pending).map_err(AppError::internal)?,
        return_to: serde_json::to_value(return_to).map_err(AppError::internal)?,
        created_at: now,
        expires_at: now.checked_add(LIFETIME).map_err(AppError::internal)?,
    };
    let paying = toll.cloned();
    let kept = app
        .store
        .write_round(Durability::Brief, move |tx| {
            Box::pin(async move {
                if let Some(toll) = paying {
                    toll.pay(tx, now);
                }
                tx.insert_login_request(&request, &digest)
            })
        })
        .await;
    limits::outcome(toll, kept)
}

/// Takes a pending request; a test is found as a sign-in, and its purpose tells. None if it is unknown, for another purpose or connection, too old, taken before, or began
/// in another browser. `toll` is what the try costs, whatever comes of it; none if it was paid before.
///
/// # Errors
/// 429 above the limit; those of the store.
pub async fn take(
    app: &App,
    party: Party<'_>,
    id: &str,
    purpose: Purpose,
    toll: Option<&Toll>,
) -> Result<Option<Taken>> {
    if id.is_empty() || id.len() > 80 {
        if let Some(toll) = toll {
            toll.pay_now(app).await?;
        }
        return Ok(None);
    }
    let now = app.world.now();
    let (id, digest) = (id.to_owned(), digest_of(party.browser));
    let connection = party.connection.clone();
    let paying = toll.cloned();
    let taken = app
        .store
        .write_round(Durability::Brief, move |tx| {
            Box::pin(async move {
                if let Some(toll) = paying {
                    toll.pay(tx, now);
                }
                tx.take_login_request(&id, &connection, &digest, now).await
            })
        })
        .await;
    let Some((taken, revision)) =
        limits::outcome(toll, taken)?.filter(|(taken, _)| taken.protocol == party.protocol)
    else {
        return Ok(None);
    };
    let pending: PendingLogin = serde_json::from_value(taken.data).map_err(AppError::internal)?;
    if !pending.purpose.answers(purpose) {
        return Ok(None);
    }
    let return_to = serde_json::from_value(taken.return_to).map_err(AppError::internal)?;
    Ok(Some(Taken {
        pending,
        return_to,
        revision,
    }))
}
