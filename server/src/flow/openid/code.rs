//! Authorization codes: made when a person may enter an app, redeemed once.
//!
//! Owns what is kept with a code. Never keeps the code itself, only its digest.

use jiff::Timestamp;
use provost_kernel::id::OrganizationId;
use provost_oidc::op::code::{self, CodeDecision, CodeFacts, LIFETIME};
use provost_oidc::op::{AuthorizeRequest, Subject};
use provost_oidc::{OAuthError, Secret};
use provost_store::{AuthorizationCode, CodeUse, Durability, SessionRecord, Sight, StoreError, Tx};
use secrecy::ExposeSecret as _;
use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::error::{AppError, Result};
use crate::flow::openid::admission::Allowed;
use crate::flow::openid::applications::Application;
use crate::flow::openid::refresh::{self, Seed};
use crate::flow::openid::view::{self, Ask};
use crate::flow::openid::{Failure, is_session_revoked};
use crate::world::digest_of;

/// What is kept with a code beside what the store has columns for.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct CodeData {
    scopes: Vec<String>,
    nonce: Option<String>,
    challenge: Option<String>,
    organization: Option<String>,
}

/// Begins a code.
const PREFIX: &str = "pvc_";
/// Begins a code that gives no refresh token: redeeming it takes one statement, and it says so before it is looked up.
const BRIEF_PREFIX: &str = "pva_";

/// What a grant gives; the token endpoint makes tokens of it.
#[derive(Debug)]
pub struct Granted {
    /// The person and session.
    pub subject: Subject,
    /// Scopes of the tokens.
    pub scopes: Vec<String>,
    /// The app's nonce, with a code only.
    pub nonce: Option<String>,
    /// All tokens that come out of one sign-in at one app.
    pub family: String,
    /// The refresh token.
    pub refresh_token: Option<Secret>,
}

/// Makes a code for the person of a session; `waiting` is the kept request that it answers. None if the session was
/// revoked in this very moment.
///
/// # Errors
/// Those of the store.
pub async fn issue(
    app: &App,
    request: &AuthorizeRequest,
    session: &SessionRecord,
    waiting: Option<&str>,
) -> Result<Option<Secret>> {
    let now = app.world.now();
    let prefix = if wants_refresh(&request.scopes) {
        PREFIX
    } else {
        BRIEF_PREFIX
    };
    let token = app.world.token(prefix)?;
    let data = CodeData {
        scopes: request.scopes.clone(),
        nonce: request.nonce.clone(),
        challenge: request.code_challenge.clone(),
        organization: request.organization.clone(),
    };
    let row = AuthorizationCode {
        digest: token.digest,
        client_id: request.client_id.clone(),
        session: session.id.clone(),
        account: session.account.clone(),
        redirect_uri: request.return_to.redirect_uri.clone(),
        data: serde_json::to_value(data).map_err(AppError::internal)?,
        family: app.world.id("fam_")?,
        expires_at: now.saturating_add(LIFETIME).unwrap_or(Timestamp::MAX),
    };
    let waiting = waiting.map(str::to_owned);
    let kept: Result<(), StoreError> = app
        .store
        .write_round(Durability::Full, move |tx| {
            Box::pin(async move {
                if let Some(id) = waiting {
                    tx.forget_waiting_request(&id);
                }
                tx.add_session_client(&row.session, &row.client_id, now);
                tx.put_code(&row, now)
            })
        })
        .await;
    match kept {
        Ok(()) => Ok(Some(Secret::new(token.secret.expose_secret()))),
        Err(error) if is_session_revoked(&error) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// A code as an app presents it.
pub struct Presented {
    /// The code.
    pub code: Secret,
    /// The redirect URI of the authorization request.
    pub redirect_uri: Option<String>,
    /// The PKCE verifier.
    pub verifier: Option<Secret>,
}

/// Redeems a code for an authenticated app.
///
/// # Errors
/// The `code_…` and `verifier_…` refusals, or those of the store.
pub async fn redeem(app: &App, application: &Application, presented: Presented) -> Result<Granted, Failure> {
    let now = app.world.now();
    let by = Redeemer {
        client_id: application.client.client_id.clone(),
        allowed: application.allowed.clone(),
        presented,
        now,
    };
    if by.presented.code.expose().starts_with(BRIEF_PREFIX)
        && let Some((row, sight)) = take(app, &by).await?
    {
        let (ask, data) = by.examine(&row)??;
        let subject = app
            .store
            .read(|reader| {
                Box::pin(async move { view::judge(reader, sight.map(|sight| *sight), &ask, now).await })
            })
            .await?;
        let subject = subject.map_err(|_| OAuthError::CodeExpired)?;
        return Ok(granted(subject, data, row.family, None));
    }
    let seed = refresh::seed(app)?;
    let outcome: Result<Granted, OAuthError> = app
        .store
        .write(move |tx| Box::pin(async move { redeem_in(tx, &by, seed).await }))
        .await?;
    Ok(outcome?)
}

/// Uses a code for the first time, in one statement. None for whatever is wrong with it.
async fn take(
    app: &App,
    by: &Redeemer,
) -> Result<Option<(AuthorizationCode, Option<Box<Sight>>)>, StoreError> {
    let (digest, now) = (digest_of(by.presented.code.expose()), by.now);
    app.store
        .write_round(Durability::Full, move |tx| {
            Box::pin(async move { tx.take_code(&digest, now).await })
        })
        .await
}

/// Who redeems, and when.
struct Redeemer {
    client_id: String,
    allowed: Allowed,
    presented: Presented,
    now: Timestamp,
}

impl Redeemer {
    /// Says what to ask for a code that was just used for the first time.
    fn examine(&self, row: &AuthorizationCode) -> Result<Result<(Ask, CodeData), OAuthError>, StoreError> {
        let data = data_of(row)?;
        Ok(match self.decide(row, &data, false) {
            CodeDecision::Issue => Ok((self.ask(row, &data), data)),
            CodeDecision::Refuse(error) | CodeDecision::RefuseAndRevoke(error) => Err(error),
        })
    }

    fn decide(&self, row: &AuthorizationCode, data: &CodeData, used: bool) -> CodeDecision {
        let facts = CodeFacts {
            client_id: &row.client_id,
            redirect_uri: &row.redirect_uri,
            code_challenge: data.challenge.as_deref(),
            expires: row.expires_at,
            used,
        };
        let uri = self.presented.redirect_uri.as_deref();
        code::decide(
            &facts,
            &self.client_id,
            uri,
            self.presented.verifier.as_ref(),
            self.now,
        )
    }

    fn ask(&self, row: &AuthorizationCode, data: &CodeData) -> Ask {
        Ask {
            session: row.session.clone(),
            account: row.account.clone(),
            allowed: self.allowed.clone(),
            organization: data.organization.clone().map(OrganizationId::new),
            offline: false,
        }
    }
}

/// A refusal is a value here, not an error: that the code was used, and what was revoked, must be kept.
async fn redeem_in(
    tx: &mut Tx,
    by: &Redeemer,
    seed: Seed,
) -> Result<Result<Granted, OAuthError>, StoreError> {
    let digest = digest_of(by.presented.code.expose());
    let (row, sight, used) = match tx.consume_code(&digest, by.now).await? {
        CodeUse::Fresh(row, sight) => (row, sight, false),
        CodeUse::Reused(row) => (row, None, true),
        CodeUse::Invalid => return Ok(Err(OAuthError::CodeUnknown)),
    };
    let data = data_of(&row)?;
    match by.decide(&row, &data, used) {
        CodeDecision::Issue => {}
        CodeDecision::Refuse(error) => return Ok(Err(error)),
        CodeDecision::RefuseAndRevoke(error) => {
            tx.lock_token_family(&row.family).await?;
            tx.revoke_token_family(&row.family, by.now).await?;
            tracing::warn!(
                client_id = by.client_id,
                family = row.family,
                "a code was used twice; its tokens were revoked"
            );
            return Ok(Err(error));
        }
    }
    let ask = by.ask(&row, &data);
    let sight = sight.map(|sight| *sight);
    let Ok(subject) = view::judge(tx, sight, &ask, by.now).await? else {
        return Ok(Err(OAuthError::CodeExpired));
    };
    let refresh_token = if wants_refresh(&data.scopes) {
        let (token, first) = seed.first(&by.client_id, &row.family, &ask, &data.scopes, by.now);
        tx.insert_refresh_token(&first, by.now).await?;
        Some(token)
    } else {
        None
    };
    Ok(Ok(granted(subject, data, row.family, refresh_token)))
}

fn data_of(row: &AuthorizationCode) -> Result<CodeData, StoreError> {
    CodeData::deserialize(&row.data).map_err(|_| StoreError::Corrupt("authorization_codes.data"))
}

/// Tells whether scopes ask for a refresh token (OpenID Connect Core 11).
fn wants_refresh(scopes: &[String]) -> bool {
    scopes.iter().any(|scope| scope == "offline_access")
}

fn granted(subject: Subject, data: CodeData, family: String, refresh_token: Option<Secret>) -> Granted {
    Granted {
        subject,
        scopes: data.scopes,
        nonce: data.nonce,
        family,
        refresh_token,
    }
}
