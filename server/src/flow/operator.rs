//! Making an operator from the command line of the machine: the one way in before anybody can sign in.

use provost_kernel::denial::Denial;
use provost_kernel::directory::{AccountKind, Authentication};
use provost_kernel::email::Email;
use provost_kernel::id::AccountId;
use provost_kernel::incoming::Fresh;
use provost_kernel::provision::{Action, Actor, NewAccount};
use provost_store::{StoreError, Tx};
use secrecy::SecretString;

use crate::app::App;
use crate::error::AppError;
use crate::flow::acting::{self, Wish};
use crate::flow::set_password;

/// An operator and the way in.
pub struct Made {
    /// One-time link to set a password.
    pub link: SecretString,
    /// Whether the account became an operator just now.
    pub is_new: bool,
}

/// Why no operator was made.
#[derive(Debug, thiserror::Error)]
pub enum OperatorError {
    /// The decision refused it.
    #[error("refused: {}", .0.code())]
    Refused(Denial),
    /// The database failed.
    #[error("the database failed: {}", crate::error::chain(.0))]
    Store(#[from] StoreError),
    /// Something else failed.
    #[error("{}", crate::error::chain(.0))]
    Other(#[from] AppError),
}

impl From<crate::world::NoRandomness> for OperatorError {
    fn from(error: crate::world::NoRandomness) -> Self {
        Self::Other(error.into())
    }
}

/// Makes the standard account of an address an operator, creating it if there is none, and returns a one-time link.
///
/// # Errors
/// [`OperatorError`].
pub async fn add(app: &App, email: &Email) -> Result<Made, OperatorError> {
    let (email, now) = (email.clone(), app.world.now());
    let (first, second) = (app.world.fresh()?.0, app.world.fresh()?.0);
    let (account, is_new) = app
        .store
        .write(move |tx| {
            Box::pin(async move {
                let existing = tx.standard_account(&email).await?;
                let account = match existing {
                    Some(account) if account.operator => return Ok((account.id, false)),
                    Some(account) => account.id,
                    None => {
                        decide(
                            tx,
                            Action::CreateAccount(Box::new(new_account(email))),
                            &first,
                            now,
                        )
                        .await?
                    }
                };
                let action = Action::MakeOperator {
                    account,
                    operator: true,
                };
                Ok::<_, OperatorError>((decide(tx, action, &second, now).await?, true))
            })
        })
        .await?;
    Ok(Made {
        link: set_password::link(app, &account).await?,
        is_new,
    })
}

fn new_account(email: Email) -> NewAccount {
    NewAccount {
        kind: AccountKind::User,
        authentication: Authentication::Standard,
        active: true,
        email: Some(email),
        user_name: None,
        external_id: None,
        given_name: None,
        family_name: None,
        display_name: None,
        emergency_admin: false,
        attributes: serde_json::Map::new(),
        memberships: Vec::new(),
    }
}

async fn decide(
    tx: &mut Tx,
    action: Action,
    fresh: &Fresh,
    now: jiff::Timestamp,
) -> Result<AccountId, OperatorError> {
    let wish = Wish::new(Actor::Operator { account: None }, action);
    match acting::act_in_tx(tx, &wish, fresh, now).await? {
        Ok(acted) => Ok(acted.account),
        Err(refusal) => Err(OperatorError::Refused(refusal.denial)),
    }
}
