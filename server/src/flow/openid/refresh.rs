//! Refresh tokens: rotated at each use, and repeated once when an answer got lost.
//!
//! Owns their making. A successor is computed from its predecessor and a salt that only the store knows, so that
//! the same answer can be given again although neither token is kept: a thief of the database has no token, and a
//! thief of an old token has no salt. Never extends a family beyond its absolute end.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use provost_kernel::id::OrganizationId;
use provost_oidc::op::refresh::{RefreshDecision, RefreshFacts, decide};
use provost_oidc::op::token::narrow_scopes;
use provost_oidc::op::{GrantType, Subject};
use provost_oidc::{OAuthError, Secret};
use provost_store::{RefreshToken, Rotation, StoreError, Tx};
use secrecy::ExposeSecret as _;
use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::error::AppError;
use crate::flow::openid::Failure;
use crate::flow::openid::admission::Allowed;
use crate::flow::openid::applications::Application;
use crate::flow::openid::code::Granted;
use crate::flow::openid::view::{self, Ask};
use crate::world::digest_of;

/// Every refresh token of ours begins so.
pub const PREFIX: &str = "pvr_";
/// How long a token is good for while nobody uses it.
const IDLE: SignedDuration = SignedDuration::from_hours(14 * 24);
/// How long a family is good for, whatever its use: then the person signs in again.
const ABSOLUTE: SignedDuration = SignedDuration::from_hours(90 * 24);

/// What is kept with a token beside what the store has columns for.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct RefreshData {
    /// Of the family; makes successors.
    salt: String,
    /// The organization that was asked for.
    organization: Option<String>,
    /// Whether this token's answer was given again already.
    #[serde(default)]
    repeated: bool,
}

/// Random values for the first token of a family, drawn before the transaction.
pub struct Seed {
    token: crate::world::Token,
    salt: String,
}

/// Draws what the first token of a family needs.
///
/// # Errors
/// When the operating system has no random bytes.
pub fn seed(app: &App) -> Result<Seed, AppError> {
    Ok(Seed {
        token: app.world.token(PREFIX)?,
        salt: URL_SAFE_NO_PAD.encode(app.world.bytes::<32>()?),
    })
}

impl Seed {
    /// Makes the first token of a family, and the row that stands for it.
    pub fn first(
        self,
        client_id: &str,
        family: &str,
        ask: &Ask,
        scopes: &[String],
        now: Timestamp,
    ) -> (Secret, RefreshToken) {
        let organization = ask.organization.as_ref().map(|id| id.as_str().to_owned());
        let data = RefreshData {
            salt: self.salt,
            organization,
            repeated: false,
        };
        let row = RefreshToken {
            digest: self.token.digest,
            family: family.to_owned(),
            generation: 1,
            client_id: client_id.to_owned(),
            account: ask.account.clone(),
            session: ask.session.clone(),
            scope: scopes.join(" "),
            data: serde_json::json!(data),
            expires_at: after(now, IDLE),
            absolute_expires_at: after(now, ABSOLUTE),
            used_at: None,
            replaced_by: None,
            revoked_at: None,
        };
        (Secret::new(self.token.secret.expose_secret()), row)
    }
}

/// Exchanges a refresh token of an authenticated app.
///
/// # Errors
/// The `refresh_token_…` refusals, `scope_exceeds_grant`, `grant_not_allowed`, or those of the store.
pub async fn exchange(
    app: &App,
    application: &Application,
    token: Secret,
    scope: Option<Vec<String>>,
) -> Result<Granted, Failure> {
    if !application.client.may_use(GrantType::RefreshToken) {
        return Err(OAuthError::GrantNotAllowed.into());
    }
    let now = app.world.now();
    let (client_id, allowed) = (application.client.client_id.clone(), application.allowed.clone());
    let outcome: Result<Granted, OAuthError> = app
        .store
        .write(move |tx| {
            Box::pin(async move {
                let ask = Exchange {
                    client_id,
                    allowed,
                    token,
                    scope,
                    now,
                };
                ask.run(tx).await
            })
        })
        .await?;
    Ok(outcome?)
}

struct Exchange {
    client_id: String,
    allowed: Allowed,
    token: Secret,
    scope: Option<Vec<String>>,
    now: Timestamp,
}

type Outcome = Result<Granted, OAuthError>;

impl Exchange {
    /// A refusal is a value: what was revoked must be kept.
    async fn run(&self, tx: &mut Tx) -> Result<Outcome, StoreError> {
        let digest = digest_of(self.token.expose());
        let Some(found) = tx.refresh_token(&digest).await? else {
            return Ok(Err(OAuthError::RefreshTokenUnknown));
        };
        tx.lock_token_family(&found.family).await?;
        // Read again: a parallel use may have ended while this one waited.
        let Some(row) = tx.refresh_token(&digest).await? else {
            return Ok(Err(OAuthError::RefreshTokenUnknown));
        };
        let data = read_data(&row)?;
        let successor_used = match &row.replaced_by {
            Some(digest) => tx
                .refresh_token(digest)
                .await?
                .is_some_and(|next| next.used_at.is_some()),
            None => false,
        };
        let facts = RefreshFacts {
            client_id: &row.client_id,
            used_at: row.used_at,
            repeated: data.repeated,
            successor_used,
            revoked: row.revoked_at.is_some(),
            expires: row.expires_at,
            family_expires: row.absolute_expires_at,
        };
        match decide(&facts, &self.client_id, self.now) {
            RefreshDecision::Refuse(error) => Ok(Err(error)),
            RefreshDecision::RevokeFamily(error) => {
                tracing::warn!(
                    client_id = self.client_id,
                    family = row.family,
                    "a refresh token was used twice"
                );
                self.end_family(tx, &row, error).await
            }
            RefreshDecision::RepeatAnswer => {
                let marked = RefreshData {
                    repeated: true,
                    ..data.clone()
                };
                tx.set_refresh_token_data(&row.digest, &serde_json::json!(marked))
                    .await?;
                self.grant(tx, &row, &data).await
            }
            RefreshDecision::Rotate => self.rotate(tx, &row, &data).await,
        }
    }

    async fn rotate(
        &self,
        tx: &mut Tx,
        row: &RefreshToken,
        data: &RefreshData,
    ) -> Result<Outcome, StoreError> {
        let granted = match self.grant(tx, row, data).await? {
            Ok(granted) => granted,
            Err(error) => return Ok(Err(error)),
        };
        let next = granted
            .refresh_token
            .as_ref()
            .map(|token| digest_of(token.expose()))
            .unwrap_or_default();
        let expires = after(self.now, IDLE);
        match tx
            .rotate_refresh_token(&row.digest, &self.client_id, &next, expires, self.now)
            .await?
        {
            Rotation::Rotated(_) => Ok(Ok(granted)),
            // Revoked since it was read: the lock keeps out other uses, not a sign-out.
            Rotation::Reused(_) | Rotation::Invalid => Ok(Err(OAuthError::RefreshTokenRevoked)),
        }
    }

    /// Reads the person afresh; one who may not enter any more ends the family.
    async fn grant(
        &self,
        tx: &mut Tx,
        row: &RefreshToken,
        data: &RefreshData,
    ) -> Result<Outcome, StoreError> {
        let granted: Vec<String> = row.scope.split(' ').map(str::to_owned).collect();
        let scopes = match narrow_scopes(&granted, self.scope.as_deref()) {
            Ok(scopes) => scopes,
            Err(error) => return Ok(Err(error)),
        };
        let ask = Ask {
            session: row.session.clone(),
            account: row.account.clone(),
            allowed: self.allowed.clone(),
            organization: data.organization.clone().map(OrganizationId::new),
            offline: true,
        };
        let subject: Subject = match view::load(tx, &ask, self.now).await? {
            Ok(subject) => subject,
            Err(_) => return self.end_family(tx, row, OAuthError::RefreshTokenRevoked).await,
        };
        let token = successor(&self.token, &data.salt);
        Ok(Ok(Granted {
            subject,
            scopes,
            nonce: None,
            family: row.family.clone(),
            refresh_token: Some(token),
        }))
    }

    async fn end_family(
        &self,
        tx: &mut Tx,
        row: &RefreshToken,
        error: OAuthError,
    ) -> Result<Outcome, StoreError> {
        tx.revoke_token_family(&row.family, self.now).await?;
        Ok(Err(error))
    }
}

fn read_data(row: &RefreshToken) -> Result<RefreshData, StoreError> {
    serde_json::from_value(row.data.clone()).map_err(|_| StoreError::Corrupt("refresh_tokens.data"))
}

/// Computes the token that follows another.
fn successor(token: &Secret, salt: &str) -> Secret {
    let key = hmac::Key::new(hmac::HMAC_SHA256, salt.as_bytes());
    let tag = hmac::sign(&key, token.expose().as_bytes());
    Secret::new(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(tag)))
}

fn after(now: Timestamp, duration: SignedDuration) -> Timestamp {
    now.saturating_add(duration).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use provost_oidc::Secret;

    use super::{PREFIX, successor};

    #[test]
    fn a_successor_can_be_computed_again_only_with_token_and_salt() {
        let token = Secret::new("pvr_one");
        let next = successor(&token, "salt");
        assert!(next.expose().starts_with(PREFIX));
        assert_eq!(next.expose().len(), PREFIX.len() + 43);
        assert_eq!(next.expose(), successor(&token, "salt").expose());
        assert_ne!(next.expose(), successor(&token, "other").expose());
        assert_ne!(next.expose(), successor(&next, "salt").expose());
    }
}
