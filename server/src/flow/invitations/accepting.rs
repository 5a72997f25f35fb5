//! The invited person's side: opening the link, and accepting.

use provost_kernel::directory::{Account, Authentication, Status};
use provost_kernel::id::AccountId;
use provost_store::{Invitation, InvitationState, StoreError, Tx};
use secrecy::SecretString;

use crate::app::App;
use crate::error::{AppError, Result};

/// An invitation whose link was opened.
pub struct Open {
    /// The invitation.
    pub invitation: Invitation,
    /// The account that waits.
    pub account: Account,
    /// Name of the organization.
    pub organization: String,
    /// Words of the connection's button, for an SSO account.
    pub connection: Option<String>,
}

/// Opens the link of an invitation. Opening uses nothing up.
///
/// # Errors
/// 404 (`link_gone`), the same for a link that was used, taken back, renewed, expired or never made; those of the store.
pub async fn open(app: &App, token: &str) -> Result<Open> {
    let (digest, now) = (crate::world::digest_of(token), app.world.now());
    let found = app
        .store
        .write(move |tx| {
            Box::pin(async move {
                let Some(invitation) = tx.invitation_by_digest(&digest).await? else {
                    return Ok::<_, StoreError>(None);
                };
                let is_open = matches!(
                    invitation.state(now),
                    InvitationState::Sent | InvitationState::Opened
                );
                let Some(id) = invitation.account.clone().filter(|_| is_open) else {
                    return Ok(None);
                };
                let Some(account) = tx
                    .account(&id)
                    .await?
                    .filter(|known| known.status == Status::Invited)
                else {
                    return Ok(None);
                };
                tx.open_invitation(&invitation.id, now).await?;
                let connection = match &account.authentication {
                    Authentication::Standard => None,
                    Authentication::Sso { connection } => tx
                        .connection(connection)
                        .await?
                        .map(|record| record.connection.name),
                };
                let organization = tx.organization(&invitation.organization).await?;
                Ok(Some(Open {
                    organization: organization.map_or_else(String::new, |record| record.organization.name),
                    invitation,
                    account,
                    connection,
                }))
            })
        })
        .await?;
    found.ok_or_else(gone)
}

fn gone() -> AppError {
    AppError::new(
        axum::http::StatusCode::NOT_FOUND,
        "link_gone",
        "This link does not work any more: it was used, it expired, or it was never made. Ask for a new one.",
    )
}

/// Accepts an invitation of a standard account with its first password.
///
/// # Errors
/// 404 (`link_gone`) if it was used in between; those of the store.
pub async fn accept(app: &App, token: &str, account: &AccountId, password: SecretString) -> Result<()> {
    let hash = app.passwords.hash(password, app.world.bytes()?).await?;
    let (digest, account, now) = (crate::world::digest_of(token), account.clone(), app.world.now());
    app.store
        .write(move |tx| {
            Box::pin(async move {
                let accepted = tx.accept_invitation(&digest, now).await?;
                if accepted.is_none_or(|invitation| invitation.account.as_ref() != Some(&account)) {
                    return Err(gone());
                }
                let written = tx.set_password_hash(&account, &hash, now).await;
                if matches!(written, Err(StoreError::Refused(_))) {
                    // It became an SSO account, or was deleted, a moment ago.
                    return Err(gone());
                }
                written?;
                tx.revoke_sessions_of_account(&account, "password_changed", now)
                    .await?;
                Ok(())
            })
        })
        .await
}

/// Finds, inside a sign-in's transaction, whom the invitation is for with which it began. None if it is worth nothing any
/// more: the sign-in is an ordinary one then.
///
/// # Errors
/// Those of the store.
pub async fn expected_in_tx(
    tx: &mut Tx,
    invitation: Option<&str>,
) -> Result<Option<(String, AccountId)>, StoreError> {
    let Some(id) = invitation else { return Ok(None) };
    let found = tx.invitation(id).await?;
    Ok(found
        .filter(|invitation| invitation.accepted_at.is_none() && invitation.revoked_at.is_none())
        .and_then(|invitation| Some((invitation.id, invitation.account?))))
}
