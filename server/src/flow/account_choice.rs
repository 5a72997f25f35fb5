//! Sign-ins that wait for the person to say which of several accounts is hers.
//!
//! Her provider has proved who she is, and each account that is offered fits by the connection's own chain. What was proved waits
//! sealed under a token in a cookie of its own, bound to the browser that signed in, for ten minutes, and is decided anew once with
//! her word added: the kernel takes that word only for an account that still fits.

use std::sync::Arc;

use provost_kernel::connection::Connection;
use provost_kernel::denial::Denial;
use provost_kernel::directory::Authentication;
use provost_kernel::facts::AccountFacts;
use provost_kernel::id::AccountId;
use provost_kernel::incoming::Incoming;
use provost_store::{Reader, StoreError};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::error::{AppError, Result};
use crate::flow::account::{kind_of, name_of};
use crate::flow::connection;
use crate::flow::half_sign_in;
use crate::flow::login::{self, Proven};
use crate::flow::outcome::{Refused, SignIn, whom_to_ask};
use crate::flow::return_to::ReturnTo;
use crate::pages::refusal::Reason;
use crate::world::digest_of;

/// What the tokens begin with: what waits in the same table for something else never passes for a choice.
const PREFIX: &str = "pvw_";

/// A person who is to be asked.
#[derive(Debug)]
pub struct Question {
    /// What her provider proved. Its one-time proof is spent.
    pub proven: Arc<Proven>,
    /// The accounts that fit.
    pub offered: Vec<AccountId>,
    /// Number of the trace that tells why she is asked.
    pub reference: String,
}

/// What is kept, sealed.
#[derive(Serialize, Deserialize)]
struct Kept {
    incoming: Incoming,
    return_to: ReturnTo,
    id_token: Option<String>,
    invitation: Option<String>,
    offered: Vec<AccountId>,
    reference: String,
}

/// One account that is offered.
#[derive(Clone, Debug)]
pub struct Offer {
    /// Which.
    pub account: AccountId,
    /// Whose name it bears.
    pub name: String,
    /// Its address, if one is known.
    pub email: Option<String>,
    /// What kind of account it is, in words.
    pub kind: String,
    /// Whether it signs in with a password so far.
    pub has_password: bool,
    /// The organizations that she belongs to with it, as far as the connection reaches: another customer's provider may not tell.
    pub organizations: Vec<String>,
}

/// Keeps what was proved until the person has chosen, and returns the token for it.
///
/// # Errors
/// Those of the store.
pub async fn begin(app: &App, browser: &str, question: Question) -> Result<SecretString> {
    let proven = question.proven;
    let kept = Kept {
        incoming: Incoming {
            proof: None,
            chosen: None,
            ..proven.incoming.clone()
        },
        return_to: proven.return_to.clone(),
        id_token: proven.id_token.as_ref().map(|token| token.expose().to_owned()),
        invitation: proven.invitation.clone(),
        offered: question.offered,
        reference: question.reference,
    };
    half_sign_in::keep(app, PREFIX, browser, None, &kept).await
}

async fn kept(app: &App, token: &str, browser: &str) -> Result<Option<Kept>> {
    if !token.starts_with(PREFIX) {
        return Ok(None);
    }
    let (digest, browser, now) = (digest_of(token), digest_of(browser), app.world.now());
    let half = app
        .store
        .read(|reader| Box::pin(async move { reader.half_sign_in(&digest, now).await }))
        .await?;
    half.filter(|half| half.browser == browser)
        .map(|half| serde_json::from_str(&half.data).map_err(AppError::internal))
        .transpose()
}

/// Lists what the person may choose among; none if nothing waits in this browser.
///
/// # Errors
/// Those of the store.
pub async fn offers(app: &App, token: &str, browser: &str) -> Result<Option<Vec<Offer>>> {
    let Some(kept) = kept(app, token, browser).await? else {
        return Ok(None);
    };
    let offers = app
        .store
        .read(|reader| {
            Box::pin(async move {
                let Some(record) = reader.connection(&kept.incoming.connection).await? else {
                    return Ok(None);
                };
                let mut offers = Vec::new();
                for known in reader.account_facts(&kept.offered).await? {
                    offers.push(offer(reader, &record.connection, known).await?);
                }
                Ok::<_, StoreError>(Some(offers))
            })
        })
        .await?;
    Ok(offers)
}

async fn offer(
    reader: &mut Reader,
    connection: &Connection,
    known: AccountFacts,
) -> std::result::Result<Offer, StoreError> {
    let mut organizations = Vec::new();
    for membership in &known.memberships {
        if connection.reaches(&membership.organization)
            && let Some(record) = reader.organization(&membership.organization).await?
        {
            organizations.push(record.organization.name);
        }
    }
    Ok(Offer {
        name: name_of(&known.account),
        email: known.account.email.as_ref().map(ToString::to_string),
        kind: kind_of(&known.account).to_owned(),
        has_password: known.account.authentication == Authentication::Standard,
        organizations,
        account: known.account.id,
    })
}

/// Ends the sign-in with the account that the person says is hers, or with none of them. Nothing if none waits in this browser.
///
/// # Errors
/// 422 for an account that was not offered, which ends nothing; those of the store.
pub async fn settle(
    app: &App,
    token: &str,
    browser: &str,
    chosen: Option<AccountId>,
) -> Result<Option<SignIn>> {
    let Some(kept) = kept(app, token, browser).await? else {
        return Ok(None);
    };
    if chosen.as_ref().is_some_and(|id| !kept.offered.contains(id)) {
        let text = "Choose one of the accounts that are offered.";
        return Err(AppError::unprocessable("account_not_offered", text));
    }
    let digest = digest_of(token);
    let is_ours = app
        .store
        .write(move |tx| Box::pin(async move { tx.take_half_sign_in(&digest).await }))
        .await?;
    if !is_ours {
        return Ok(None);
    }
    let live = connection::find(app, kept.incoming.connection.as_str()).await?;
    if chosen.is_none() {
        return Ok(Some(SignIn::Refused(Refused {
            reason: Reason::Denied(Denial::AmbiguousMatch),
            reference: kept.reference,
            whom: whom_to_ask(app, Some(live.in_force.connection())).await?,
            return_to: kept.return_to,
        })));
    }
    let proven = Proven {
        incoming: Incoming {
            chosen,
            ..kept.incoming
        },
        return_to: kept.return_to,
        id_token: kept.id_token.map(provost_oidc::Secret::new),
        invitation: kept.invitation,
    };
    login::finish(app, live, proven).await.map(Some)
}
