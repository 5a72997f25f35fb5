//! Telling apps that a session ended (OpenID Connect Back-Channel Logout 1.0).
//!
//! Owns finding whom to tell and the call itself. Works from the state of the store, not from calls of other flows:
//! whatever revoked a session (sign-out, deactivation, directory, admin, identity provider), and on whatever node,
//! its apps are found here and cannot be forgotten. Never ends a session.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use provost_oidc::op::tokens::{LogoutTokenInput, logout_token};
use provost_store::{StoreError, UntoldClient};
use reqwest::header::HeaderMap;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::app::App;
use crate::error::Result;
use crate::flow::openid::{applications, keys};
use crate::jobs::{BACKCHANNEL_LOGOUT, enqueue_in_tx, new_job};

/// Sessions that ended longer ago are nobody's news: their tokens have died of age.
const NEWS: SignedDuration = SignedDuration::from_hours(24);
/// Apps noted in one transaction.
const BATCH: u32 = 100;

/// One app to tell about one session.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Notice {
    session: String,
    account: String,
    client_id: String,
}

/// Queues a call for every app of a revoked session that was not told yet; returns how many apps were found.
///
/// # Errors
/// Those of the store.
pub async fn sweep(app: &App) -> Result<usize> {
    let now = app.world.now();
    let since = now.saturating_sub(NEWS).unwrap_or(Timestamp::MIN);
    let mut found = 0;
    loop {
        let untold = app
            .store
            .read(|reader| Box::pin(async move { reader.untold_clients(since, BATCH).await }))
            .await?;
        if untold.is_empty() {
            break;
        }
        found += untold.len();
        queue(app, untold, now).await?;
    }
    if found > 0 {
        app.ring_jobs();
    }
    Ok(found)
}

async fn queue(app: &App, untold: Vec<UntoldClient>, now: Timestamp) -> Result<()> {
    let mut jobs = Vec::new();
    for UntoldClient {
        session,
        account,
        client_id,
    } in untold
    {
        let job = if wants_a_call(app, &client_id).await {
            let key = format!("{BACKCHANNEL_LOGOUT}:{session}:{client_id}");
            let notice = Notice {
                session: session.as_str().to_owned(),
                account: account.as_str().to_owned(),
                client_id: client_id.clone(),
            };
            Some(new_job(
                &app.world,
                BACKCHANNEL_LOGOUT,
                Some(key),
                serde_json::json!(notice),
            )?)
        } else {
            None
        };
        jobs.push((session, client_id, job));
    }
    app.store
        .write(move |tx| {
            Box::pin(async move {
                for (session, client_id, job) in jobs {
                    let is_first = tx.mark_client_told(&session, &client_id, now).await?;
                    if let Some(job) = job.filter(|_| is_first) {
                        enqueue_in_tx(tx, job, now).await?;
                    }
                }
                Ok::<_, StoreError>(())
            })
        })
        .await?;
    Ok(())
}

/// Tells whether an app is to be called. One that cannot be read must not keep the others waiting: its call is queued, reads it
/// again at each try, and is given up like any other that fails.
async fn wants_a_call(app: &App, client_id: &str) -> bool {
    match applications::find(app, client_id).await {
        Ok(found) => found.is_some_and(|application| application.client.backchannel_logout_uri.is_some()),
        Err(error) => {
            metrics::counter!("provost_applications_unreadable_total").increment(1);
            tracing::warn!(
                client_id,
                code = error.code(),
                "the registration of an app that is to hear of an ended session cannot be used"
            );
            true
        }
    }
}

/// Why an app could not be told; it is tried again.
#[derive(Debug, thiserror::Error)]
#[error("{client_id} answered its back-channel logout with status {status}")]
struct NotTaken {
    client_id: String,
    status: u16,
}

/// Tells one app: the work of a queued call.
///
/// # Errors
/// Whatever kept the app from taking it.
pub async fn deliver(app: &App, payload: &Value) -> anyhow::Result<()> {
    let notice: Notice = serde_json::from_value(payload.clone())?;
    let Some(application) = applications::find(app, &notice.client_id).await? else {
        return Ok(());
    };
    let Some(uri) = application.client.backchannel_logout_uri.as_deref() else {
        return Ok(());
    };
    let ring = keys::ring(app).await?;
    let token = make_token(app, &ring, &application, &notice)?;
    let fields = [("logout_token".to_owned(), token)];
    let answer = app.outbound.post_form(uri, HeaderMap::new(), &fields).await?;
    if !answer.is_success() {
        return Err(NotTaken {
            client_id: notice.client_id,
            status: answer.status,
        }
        .into());
    }
    tracing::debug!(
        client_id = notice.client_id,
        session = notice.session,
        "app was told that a session ended"
    );
    Ok(())
}

/// Made anew for each try: a logout token lives for two minutes only.
fn make_token(
    app: &App,
    ring: &Arc<keys::Ring>,
    application: &applications::Application,
    notice: &Notice,
) -> Result<String> {
    let input = LogoutTokenInput {
        issuer: &app.config.issuer(),
        client_id: &notice.client_id,
        sub: &notice.account,
        sid: Some(&notice.session),
        jti: &app.world.id("lgt_")?,
    };
    let key = ring.signer(application.client.id_token_algorithm)?;
    logout_token(key, &input, app.world.now()).map_err(crate::error::AppError::internal)
}
