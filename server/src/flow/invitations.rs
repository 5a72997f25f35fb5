//! Invitations: who is invited gets a link that works once, for some days, and for the invited person only.
//!
//! The account is made first, by a decision of the kernel, and waits in the state `invited`; the invitation leads its person
//! there. A standard account gets a password; an SSO account leads through its provider, and whoever comes back from there
//! as somebody else is refused ([`hold_to`](provost_kernel::login::hold_to)). Tokens are kept as digests.

mod accepting;
mod pending;

use jiff::{SignedDuration, Timestamp};
use provost_kernel::connection::InviteOn;
use provost_kernel::directory::{Account, Authentication, Status};
use provost_kernel::id::{AccountId, ConnectionId, OrganizationId, TraceId};
use provost_kernel::incoming::Fresh;
use provost_kernel::provision::{Action, Actor, NewAccount};
use provost_store::{Invitation, InvitationFilter, NewEvent, StoreError, Tx};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;

use crate::app::App;
use crate::error::{AppError, Result};
use crate::flow::acting::{self, Refusal, Wish};
use crate::flow::api_keys::Caller;
use crate::flow::mail::{self, Addressed, Kind};
use crate::world::Token;

pub use accepting::{Open, accept, expected_in_tx, open};
pub use pending::{Activated, Resent, activate_pending, resend_pending};

/// How often a change is tried when others write in between.
const TRIES: u32 = 12;

/// Whether the invited person gets a mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Letter {
    /// Yes.
    Send(Kind),
    /// No: the person is told in another way.
    Skip,
}

impl Letter {
    /// The usual letter, or none.
    pub const fn invitation(send: bool) -> Self {
        if send {
            Self::Send(Kind::Invitation)
        } else {
            Self::Skip
        }
    }
}

/// An invitation that is still to be written: everything that needs the clock or randomness.
pub struct Prepared {
    id: String,
    mail: String,
    token: Token,
    url: SecretString,
    expires_at: Timestamp,
    days: u32,
}

/// Prepares an invitation.
///
/// # Errors
/// When the operating system has no random bytes.
pub fn prepare(app: &App) -> Result<Prepared> {
    let token = app.world.token("pvi_")?;
    let days = app.defaults.invitation_days();
    let lifetime = SignedDuration::from_hours(24 * i64::from(days));
    let path = format!("/invite/{}", token.secret.expose_secret());
    Ok(Prepared {
        id: app.world.id("inv_")?,
        mail: app.world.id("mail_")?,
        url: app.config.url(&path).into(),
        expires_at: app
            .world
            .now()
            .checked_add(lifetime)
            .map_err(AppError::internal)?,
        token,
        days,
    })
}

impl Prepared {
    /// Writes the invitation of an account and, if there is one, its mail, in the transaction that made the account.
    /// Who may do so was decided before.
    ///
    /// # Errors
    /// `conflict` (`invitations_open`) if the account has an open invitation.
    pub async fn keep(
        &self,
        tx: &mut Tx,
        account: &Account,
        organization: &OrganizationId,
        letter: Letter,
        actor: &Actor,
        now: Timestamp,
    ) -> Result<Invitation, StoreError> {
        let Some(email) = account.email.clone() else {
            return Err(StoreError::Refused("an invitation needs an address"));
        };
        let created_by = match actor {
            Actor::Admin { account, .. } => Some(account.clone()),
            Actor::Operator { account } => account.clone(),
            Actor::File
            | Actor::System
            | Actor::Key { .. }
            | Actor::SetupLink { .. }
            | Actor::Scim { .. }
            | Actor::Person => None,
        };
        let is_sent = letter != Letter::Skip;
        let invitation = Invitation {
            id: self.id.clone(),
            organization: organization.clone(),
            email,
            account: Some(account.id.clone()),
            data: json!({}),
            created_by,
            created_at: now,
            expires_at: self.expires_at,
            sent_at: is_sent.then_some(now),
            skipped_at: (!is_sent).then_some(now),
            opened_at: None,
            accepted_at: None,
            revoked_at: None,
            account_status: Some(account.status),
        };
        tx.insert_invitation(&invitation, &self.token.digest).await?;
        self.write(tx, &invitation, account, letter, "invitation.created", actor, now)
            .await?;
        Ok(invitation)
    }

    /// Queues the mail, if there is one, and notes what happened.
    #[expect(
        clippy::too_many_arguments,
        reason = "all parts of one row, of which none belongs to another"
    )]
    async fn write(
        &self,
        tx: &mut Tx,
        invitation: &Invitation,
        account: &Account,
        letter: Letter,
        event: &str,
        actor: &Actor,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let connection = match &account.authentication {
            Authentication::Sso { connection } => Some(connection.clone()),
            Authentication::Standard => None,
        };
        if let Letter::Send(kind) = letter {
            let name = match &connection {
                Some(id) => tx.connection(id).await?.map(|record| record.connection.name),
                None => None,
            };
            let kind = match (kind, &connection) {
                (Kind::Invitation, Some(_)) => Kind::InvitationSso,
                (other, _) => other,
            };
            let to = Addressed {
                email: invitation.email.clone(),
                name: account
                    .given_name
                    .clone()
                    .or_else(|| account.display_name.clone()),
                organization: Some(invitation.organization.clone()),
                account: Some(account.id.clone()),
            };
            let values = [
                ("days", self.days.to_string()),
                ("connection", name.unwrap_or_default()),
            ];
            let link = Some(self.url.expose_secret().to_owned());
            let mail = mail::written(self.mail.clone(), kind, to, &values, link);
            tx.queue_mail(&mail, now).await?;
        }
        tx.record(NewEvent {
            at: now,
            kind: event.to_owned(),
            actor: actor.label(),
            account: Some(account.id.clone()),
            organization: Some(invitation.organization.clone()),
            connection,
            trace: None,
            data: json!({
                "invitation": invitation.id,
                "email": invitation.email,
                "mail": (letter != Letter::Skip).then_some(&self.mail),
                "expires_at": self.expires_at,
            }),
        });
        Ok(())
    }
}

/// Somebody who was invited.
#[derive(Clone, Debug, PartialEq)]
pub struct Invited {
    /// The account that waits.
    pub account: AccountId,
    /// The invitation.
    pub invitation: Invitation,
    /// The trace of the decision that made the account.
    pub trace: TraceId,
}

/// Says to which organization somebody new is invited: that of the first membership.
///
/// # Errors
/// `invalid_body` where there is none.
pub fn organization_of(new: &NewAccount) -> Result<OrganizationId> {
    let first = new.memberships.first();
    first
        .map(|membership| membership.organization.clone())
        .ok_or_else(|| AppError::bad_request("invalid_body", "An invitation is to an organization."))
}

/// Says whether people are told who are added by hand (C-22): as the connection wants it. Whoever gets a password has to be
/// told in any case.
///
/// # Errors
/// Those of the store.
pub async fn invites_by_hand(app: &App, connection: Option<&ConnectionId>) -> Result<bool> {
    Ok(invite_on(app, connection).await?.manual)
}

/// Says whether people are told who are moved to a connection (C-22).
///
/// # Errors
/// Those of the store.
pub async fn invites_converted(app: &App, connection: &ConnectionId) -> Result<bool> {
    Ok(invite_on(app, Some(connection)).await?.conversion)
}

async fn invite_on(app: &App, connection: Option<&ConnectionId>) -> Result<InviteOn> {
    let Some(id) = connection.cloned() else {
        return Ok(InviteOn::default());
    };
    let found = app
        .store
        .read(|reader| Box::pin(async move { reader.connection(&id).await }))
        .await
        .map_err(|error: StoreError| AppError::from(error))?;
    Ok(found.map_or_else(InviteOn::default, |record| record.connection.settings.invite_on))
}

/// Makes an account and invites its person, in one transaction. The account's first membership says to which organization.
///
/// # Errors
/// 409 (`mail_off`) if a mail is wanted and none can leave; those of the store. A refusal of the kernel is a value.
pub async fn invite(
    app: &App,
    actor: &Actor,
    new: NewAccount,
    letter: Letter,
) -> Result<Result<Invited, Refusal>> {
    if letter != Letter::Skip {
        mail::must_be_on(app)?;
    }
    let organization = organization_of(&new)?;
    let new = NewAccount { active: false, ..new };
    let wish = Wish::new(actor.clone(), Action::CreateAccount(Box::new(new)));
    for _ in 0..TRIES {
        let (prepared, wish, organization) = (prepare(app)?, wish.clone(), organization.clone());
        let (fresh, now) = (app.world.fresh()?.0, app.world.now());
        let written = app
            .store
            .write(move |tx| {
                Box::pin(async move {
                    invite_in_tx(tx, &wish, &organization, &prepared, letter, &fresh, now).await
                })
            })
            .await;
        match written {
            Err(error) if error.is_retryable() => {}
            Err(error) => return Err(error.into()),
            Ok(outcome) => {
                app.ring_mail();
                return Ok(outcome);
            }
        }
    }
    Err(AppError::unavailable("the directory changed under every try"))
}

/// Makes an account and invites its person, as a part of a transaction.
///
/// # Errors
/// Those of the store; return a conflict from the job and try again.
pub async fn invite_in_tx(
    tx: &mut Tx,
    wish: &Wish,
    organization: &OrganizationId,
    prepared: &Prepared,
    letter: Letter,
    fresh: &Fresh,
    now: Timestamp,
) -> Result<Result<Invited, Refusal>, StoreError> {
    let acted = match acting::act_in_tx(tx, wish, fresh, now).await? {
        Ok(acted) => acted,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let Some(account) = tx.account(&acted.account).await? else {
        return Err(StoreError::Corrupt("accounts"));
    };
    let actor = &wish.request.actor;
    // Who is active at once, as her organization wants it of her domain, is in: nothing is left to be accepted.
    let letter = if account.status == Status::Invited {
        letter
    } else {
        Letter::Skip
    };
    let invitation = prepared
        .keep(tx, &account, organization, letter, actor, now)
        .await?;
    Ok(Ok(Invited {
        account: account.id,
        invitation,
        trace: acted.decision.trace.id,
    }))
}

/// Invites the person of an account that waits already: anew if there is an open invitation (the link before is worth
/// nothing then), else for the first time.
///
/// # Errors
/// 409 (`mail_off`); a refusal of the kernel; those of the store.
pub async fn invite_account(
    app: &App,
    actor: &Actor,
    account: &AccountId,
    organization: &OrganizationId,
    letter: Letter,
) -> Result<Invitation> {
    Ok(attempt_account(app, actor, account, organization, letter).await??)
}

/// As [`invite_account`], with a refusal as a value, for work on many people.
///
/// # Errors
/// 409 (`mail_off`); those of the store.
pub async fn attempt_account(
    app: &App,
    actor: &Actor,
    account: &AccountId,
    organization: &OrganizationId,
    letter: Letter,
) -> Result<std::result::Result<Invitation, Refusal>> {
    if letter != Letter::Skip {
        mail::must_be_on(app)?;
    }
    let action = Action::Invite {
        account: account.clone(),
        organization: organization.clone(),
    };
    let wish = Wish::new(actor.clone(), action);
    for _ in 0..TRIES {
        let (prepared, wish, organization) = (prepare(app)?, wish.clone(), organization.clone());
        let (fresh, now) = (app.world.fresh()?.0, app.world.now());
        let written = app
            .store
            .write(move |tx| {
                Box::pin(async move {
                    let acted = match acting::act_in_tx(tx, &wish, &fresh, now).await? {
                        Ok(acted) => acted,
                        Err(refusal) => return Ok(Err(refusal)),
                    };
                    let Some(account) = tx.account(&acted.account).await? else {
                        return Err(StoreError::Corrupt("accounts"));
                    };
                    let actor = &wish.request.actor;
                    renew_in_tx(tx, &account, &organization, &prepared, letter, actor, now)
                        .await
                        .map(Ok)
                })
            })
            .await;
        match written {
            Err(error) if error.is_retryable() => {}
            Err(error) => return Err(error.into()),
            Ok(outcome) => {
                app.ring_mail();
                return Ok(outcome);
            }
        }
    }
    Err(AppError::unavailable("the directory changed under every try"))
}

/// Gives the open invitation of an account a new token, or makes one. Who may do so was decided before.
///
/// # Errors
/// Those of the store.
pub async fn renew_in_tx(
    tx: &mut Tx,
    account: &Account,
    organization: &OrganizationId,
    prepared: &Prepared,
    letter: Letter,
    actor: &Actor,
    now: Timestamp,
) -> Result<Invitation, StoreError> {
    let filter = InvitationFilter {
        organization: Some(organization.clone()),
        account: Some(account.id.clone()),
        is_pending: true,
        ..InvitationFilter::default()
    };
    let Some(open) = tx.invitations(&filter, None, 1).await?.into_iter().next() else {
        return prepared.keep(tx, account, organization, letter, actor, now).await;
    };
    if letter == Letter::Skip {
        return Ok(open);
    }
    let digest = &prepared.token.digest;
    if !tx
        .renew_invitation(&open.id, digest, prepared.expires_at, now)
        .await?
    {
        return Err(StoreError::Conflict("invitations_open".to_owned()));
    }
    let renewed = Invitation {
        expires_at: prepared.expires_at,
        sent_at: Some(now),
        skipped_at: None,
        opened_at: None,
        ..open
    };
    prepared
        .write(tx, &renewed, account, letter, "invitation.resent", actor, now)
        .await?;
    Ok(renewed)
}

/// Lists invitations, newest first.
///
/// # Errors
/// 404 for an organization out of sight; those of the store.
pub async fn list(
    app: &App,
    caller: &Caller,
    filter: InvitationFilter,
    before: Option<String>,
    limit: u32,
) -> Result<Vec<Invitation>> {
    if let Some(organization) = &filter.organization
        && !caller.sees(organization)
    {
        return Err(AppError::not_found());
    }
    let filter = InvitationFilter {
        organization: filter.organization.or_else(|| caller.organization.clone()),
        ..filter
    };
    let found = app
        .store
        .read(|reader| Box::pin(async move { reader.invitations(&filter, before.as_deref(), limit).await }))
        .await;
    found.map_err(|error: StoreError| error.into())
}

/// Finds an invitation.
///
/// # Errors
/// 404 for one that does not exist or is out of sight; those of the store.
pub async fn find(app: &App, caller: &Caller, id: &str) -> Result<Invitation> {
    let id = id.to_owned();
    let found = app
        .store
        .read(|reader| Box::pin(async move { reader.invitation(&id).await }))
        .await
        .map_err(|error: StoreError| AppError::from(error))?;
    found
        .filter(|invitation| caller.sees(&invitation.organization))
        .ok_or_else(AppError::not_found)
}

/// Sends an invitation again, with a new link; the one before is worth nothing from now on.
///
/// # Errors
/// 404; 409 (`illegal_transition`) if the person is in already; those of the store.
pub async fn resend(app: &App, caller: &Caller, id: &str) -> Result<Invitation> {
    let invitation = find(app, caller, id).await?;
    let account = invitation.account.ok_or_else(AppError::not_found)?;
    let letter = Letter::invitation(true);
    invite_account(app, &caller.actor(), &account, &invitation.organization, letter).await
}

/// Takes an invitation back, and the account with it if nobody else has it as a member.
///
/// # Errors
/// 404; 409 (`illegal_transition`) if the person is in already; a refusal of the kernel; those of the store.
pub async fn revoke(app: &App, caller: &Caller, id: &str) -> Result<Invitation> {
    let invitation = find(app, caller, id).await?;
    let account = invitation.account.clone().ok_or_else(AppError::not_found)?;
    let wanted = account.clone();
    let known = app
        .store
        .read(|reader| {
            Box::pin(async move {
                let need = provost_kernel::facts::Need {
                    accounts: vec![wanted],
                    ..provost_kernel::facts::Need::default()
                };
                reader.facts(&need).await
            })
        })
        .await
        .map_err(|error: StoreError| AppError::from(error))?;
    let facts = known
        .accounts
        .into_iter()
        .next()
        .ok_or_else(AppError::not_found)?;
    if facts.account.status != Status::Invited {
        return Err(AppError::denied(
            provost_kernel::denial::Denial::IllegalTransition,
        ));
    }
    let is_only_here = facts
        .memberships
        .iter()
        .all(|held| held.organization == invitation.organization);
    let action = if is_only_here {
        Action::Delete {
            account,
            allow_return: true,
        }
    } else {
        Action::RemoveMembership {
            account,
            organization: invitation.organization.clone(),
        }
    };
    let wish = Wish::new(caller.actor(), action).at_version(is_only_here.then_some(facts.account.version));
    let (fresh, now, id) = (app.world.fresh()?.0, app.world.now(), invitation.id.clone());
    let revoked = app
        .store
        .write(move |tx| {
            Box::pin(async move {
                if let Err(refusal) = acting::act_in_tx(tx, &wish, &fresh, now).await? {
                    return Ok::<_, StoreError>(Err(refusal));
                }
                tx.revoke_invitation(&id, now).await.map(Ok)
            })
        })
        .await?;
    revoked?;
    find(app, caller, &invitation.id).await
}
