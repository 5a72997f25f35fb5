//! Proving again that it is she, for what is dangerous: the session that she has gets the time of the new proof.
//!
//! The proof is an ordinary sign-in, by whatever way her account has: password and second factor, passkey, or the identity
//! provider, which is told to ask her. What came of it counts for the session in front of the browser only if it is the same
//! account; somebody else at the keyboard proves nothing, and leaves with no session at all.

use axum::http::HeaderMap;
use jiff::{SignedDuration, Timestamp};
use provost_store::{SessionRecord, StoreError};
use secrecy::ExposeSecret as _;

use crate::app::App;
use crate::cookie::Cookie;
use crate::error::Result;
use crate::flow::outcome::Admitted;
use crate::world::digest_of;

/// How old a proof may be for what is dangerous.
const FRESH: SignedDuration = SignedDuration::from_mins(15);

/// What came of a proof that a page asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proved {
    /// There is no session that it could be for: the new one is hers.
    New,
    /// Her session is proved anew, and the new one is gone.
    Again,
    /// It was somebody else. Her session stays as it was, and the new one is gone.
    SomebodyElse,
}

/// Tells whether the person of a session has proved lately who she is.
pub fn is_fresh(session: &SessionRecord, now: Timestamp) -> bool {
    now.duration_since(session.authenticated_at) <= FRESH
}

/// Settles what a sign-in means for the session that the browser has already.
///
/// # Errors
/// Those of the store.
pub async fn settle(app: &App, headers: &HeaderMap, admitted: &Admitted) -> Result<Proved> {
    let Some(old) = Cookie::Session.read(&app.config, headers) else {
        return Ok(Proved::New);
    };
    let (old, new) = (digest_of(&old), digest_of(admitted.token.expose_secret()));
    let now = app.world.now();
    let proved: Result<Proved, StoreError> = app
        .store
        .write(move |tx| {
            Box::pin(async move {
                let old = tx.session_by_digest(&old).await?;
                let new = tx.session_by_digest(&new).await?;
                let (Some(old), Some(new)) = (old.filter(|old| old.is_live(now)), new) else {
                    return Ok(Proved::New);
                };
                if old.account != new.account {
                    tx.revoke_session(&new.id, "somebody_else", now).await?;
                    return Ok(Proved::SomebodyElse);
                }
                if !tx.prove_session(&old.id, &new).await? {
                    return Ok(Proved::New);
                }
                tx.revoke_session(&new.id, "proved_again", now).await?;
                Ok(Proved::Again)
            })
        })
        .await;
    Ok(proved?)
}
