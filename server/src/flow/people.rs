//! Adding, changing and ending accounts by hand. What may be done is the kernel's to judge; here a wish is put together
//! from what a program or page sends, and what names nothing is refused with its place.

use provost_kernel::directory::{AccountKind, Authentication, Status};
use provost_kernel::email::Email;
use provost_kernel::facts::AccountFacts;
use provost_kernel::id::{
    AccountId, ConnectionId, LicenseId, OrganizationId, SessionId, TraceId, WorkspaceId,
};
use provost_kernel::plan::ProfilePatch;
use provost_kernel::provision::{Action, DesiredMembership, NewAccount, WorkspacesWanted};
use provost_store::{Invitation, SessionRecord, StoreError};
use serde_json::{Map, Value};

use crate::app::App;
use crate::error::{AppError, Fault, Result};
use crate::flow::acting::{self, Refusal, Wish};
use crate::flow::api_keys::{Caller, Scope};
use crate::flow::invitations::Letter;
use crate::flow::{directory, invitations, memberships};

/// A person to be added.
#[derive(Clone, Debug, Default)]
pub struct NewPerson {
    /// Address.
    pub email: String,
    /// User or reader.
    pub kind: AccountKind,
    /// The connection that the account is bound to; none for an account with a password.
    pub connection: Option<String>,
    /// User name.
    pub user_name: Option<String>,
    /// Identifier given by a directory.
    pub external_id: Option<String>,
    /// Given name.
    pub given_name: Option<String>,
    /// Family name.
    pub family_name: Option<String>,
    /// Name to display.
    pub display_name: Option<String>,
    /// Emergency admin mark.
    pub emergency_admin: bool,
    /// Custom attributes.
    pub attributes: Map<String, Value>,
    /// Memberships from the start.
    pub memberships: Vec<WantedMembership>,
    /// Whether the person is invited, and whether by mail; none adds her without an invitation.
    pub invite: Option<Letter>,
}

/// Somebody who was added.
#[derive(Clone, Debug, PartialEq)]
pub struct Added {
    /// The account.
    pub account: AccountId,
    /// The trace of the decision.
    pub trace: TraceId,
    /// The invitation, if there is one.
    pub invitation: Option<Invitation>,
}

/// A membership to begin with; roles by id or exact name.
#[derive(Clone, Debug, Default)]
pub struct WantedMembership {
    /// The organization; a key of one organization need not name it.
    pub organization: Option<String>,
    /// Roles; none gives the default role.
    pub roles: Vec<String>,
    /// Workspaces; none gives the default ones.
    pub workspaces: Option<Vec<String>>,
    /// Every workspace, later ones too.
    pub all_workspaces: bool,
    /// License pool.
    pub license: Option<String>,
}

/// Puts the wish for a new account together.
///
/// # Errors
/// 422 (`invalid_account`) with what names nothing; those of the store.
pub async fn wish(app: &App, caller: &Caller, new: NewPerson) -> Result<Wish> {
    let account = new_account(app, caller, new).await?;
    Ok(Wish::new(
        caller.actor(),
        Action::CreateAccount(Box::new(account)),
    ))
}

/// Puts a new account together: what is named here by name is there by identifier.
///
/// # Errors
/// As [`wish`].
pub async fn new_account(app: &App, caller: &Caller, new: NewPerson) -> Result<NewAccount> {
    let mut faults = Vec::new();
    let email = Email::parse(&new.email).ok();
    if email.is_none() {
        faults.push(fault("email", "This is no e-mail address."));
    }
    let authentication = match &new.connection {
        None => Authentication::Standard,
        Some(id) => {
            let id = ConnectionId::new(id);
            if !is_usable(app, caller, &id).await? {
                faults.push(fault("connection", "There is no such connection."));
            }
            Authentication::Sso { connection: id }
        }
    };
    let mut wanted = new.memberships;
    if wanted.is_empty() && caller.organization.is_some() {
        wanted.push(WantedMembership::default());
    }
    let mut memberships = Vec::new();
    for (position, one) in wanted.into_iter().enumerate() {
        let path = format!("memberships[{position}]");
        memberships.extend(desired(app, caller, &path, one, &mut faults).await?);
    }
    if !faults.is_empty() {
        return Err(invalid(faults));
    }
    Ok(NewAccount {
        kind: new.kind,
        // A standard account is ready at once; one of a provider becomes active at its first sign-in.
        active: authentication == Authentication::Standard,
        authentication,
        email,
        user_name: new.user_name,
        external_id: new.external_id,
        given_name: new.given_name,
        family_name: new.family_name,
        display_name: new.display_name,
        emergency_admin: new.emergency_admin,
        attributes: new.attributes,
        memberships,
    })
}

/// Adds a person, and invites her if that is wanted.
///
/// # Errors
/// 422 for what names nothing or is outside of the connection's domains, 409 (`account_exists`, `mail_off`), 403; those of
/// the store.
pub async fn add(app: &App, caller: &Caller, new: NewPerson) -> Result<Added> {
    Ok(attempt(app, caller, new).await??)
}

/// As [`add`], with a refusal of the kernel as a value, for work in many rows.
///
/// # Errors
/// As [`add`].
pub async fn attempt(app: &App, caller: &Caller, new: NewPerson) -> Result<Result<Added, Refusal>> {
    let Some(letter) = new.invite else {
        let acted = acting::attempt(app, wish(app, caller, new).await?).await?;
        return Ok(acted.map(|acted| Added {
            account: acted.account,
            trace: acted.decision.trace.id,
            invitation: None,
        }));
    };
    may_invite(caller)?;
    let account = new_account(app, caller, new).await?;
    let invited = invitations::invite(app, &caller.actor(), account, letter).await?;
    Ok(invited.map(|invited| Added {
        account: invited.account,
        trace: invited.trace,
        invitation: Some(invited.invitation),
    }))
}

/// Adding and inviting are two rights of a key: a program that adds people need not be able to send them mail.
///
/// # Errors
/// 403 (`missing_scope`).
pub fn may_invite(caller: &Caller) -> Result<()> {
    if caller.scopes.contains(&Scope::InvitationsWrite) {
        return Ok(());
    }
    Err(AppError::forbidden(
        "missing_scope",
        format!(
            "Inviting needs a key with the scope {}.",
            Scope::InvitationsWrite.word()
        ),
    ))
}

/// Invites the person of an account that waits, again if she was invited before.
///
/// # Errors
/// 404; 403; 409 (`illegal_transition`) for somebody who is in, (`mail_off`); those of the store.
pub async fn invite(app: &App, caller: &Caller, id: &str, letter: Letter) -> Result<Invitation> {
    may_invite(caller)?;
    let known = directory::account(app, caller, id).await?;
    let held = known.memberships.iter().map(|held| &held.organization);
    let organization = held
        .filter(|organization| caller.sees(organization))
        .min()
        .cloned()
        .ok_or_else(|| AppError::bad_request("invalid_body", "An invitation is to an organization."))?;
    let actor = caller.actor();
    invitations::invite_account(app, &actor, &known.account.id, &organization, letter).await
}

/// Changes profile fields, for a version if one is given.
///
/// # Errors
/// 404, 403, 409 (`directory_managed`, `conflict`), 412, 422; those of the store.
pub async fn update(
    app: &App,
    caller: &Caller,
    id: &str,
    set: ProfilePatch,
    version: Option<i64>,
) -> Result<AccountFacts> {
    let known = directory::account(app, caller, id).await?;
    let action = Action::UpdateProfile {
        account: known.account.id,
        set: Box::new(set),
    };
    acting::act(app, Wish::new(caller.actor(), action).at_version(version)).await?;
    directory::account(app, caller, id).await
}

/// What can be done to an account as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Out for a while.
    Suspend,
    /// Out until an admin says otherwise.
    Deactivate,
    /// In, though the person has not come yet.
    Activate,
    /// In again.
    Reactivate,
    /// Back from deletion.
    Restore,
    /// Gone, restorable for a while.
    Delete {
        /// Whether the person may come back through the identity provider as somebody new (C-29).
        allow_return: bool,
    },
    /// The federated identity is forgotten; the next sign-in matches anew.
    ResetIdentity,
}

/// Puts the wish for a step together.
///
/// # Errors
/// 404; 409 (`illegal_transition`) for restoring who is not deleted, or reactivating who is.
pub async fn step_wish(app: &App, caller: &Caller, id: &str, step: Step) -> Result<Wish> {
    let known = directory::account(app, caller, id).await?;
    let is_deleted = known.account.status == Status::Deleted;
    let account = known.account.id.clone();
    let to = |to| Action::SetStatus {
        account: account.clone(),
        to,
    };
    let fits = match step {
        Step::Deactivate | Step::Reactivate => !is_deleted,
        Step::Restore => is_deleted,
        Step::Activate => known.account.status == Status::Invited,
        Step::Suspend | Step::Delete { .. } | Step::ResetIdentity => true,
    };
    if !fits {
        return Err(AppError::denied(
            provost_kernel::denial::Denial::IllegalTransition,
        ));
    }
    let action = match step {
        Step::Suspend => to(Status::Suspended),
        Step::Deactivate => to(Status::Deactivated),
        Step::Activate | Step::Reactivate | Step::Restore => to(Status::Active),
        Step::Delete { allow_return } => Action::Delete {
            account,
            allow_return,
        },
        Step::ResetIdentity => Action::ResetSubject { account },
    };
    Ok(Wish::new(caller.actor(), action))
}

/// Takes a step, for a version if one is given.
///
/// # Errors
/// 404, 403, 409, 412; those of the store.
pub async fn take_step(
    app: &App,
    caller: &Caller,
    id: &str,
    step: Step,
    version: Option<i64>,
) -> Result<AccountFacts> {
    let wish = step_wish(app, caller, id, step).await?.at_version(version);
    acting::act(app, wish).await?;
    app.ring_jobs();
    directory::account(app, caller, id).await
}

/// Says that two accounts of a connection are one person: the first keeps its roles and data and gets the identity of the
/// second, which is deleted.
///
/// # Errors
/// 404, 403, 409, 412; those of the store.
pub async fn take_identity(
    app: &App,
    caller: &Caller,
    id: &str,
    from: &str,
    version: Option<i64>,
) -> Result<AccountFacts> {
    let known = directory::account(app, caller, id).await?;
    let other = directory::account(app, caller, from).await?;
    let action = Action::TakeIdentity {
        account: known.account.id,
        from: other.account.id,
    };
    acting::act(app, Wish::new(caller.actor(), action).at_version(version)).await?;
    directory::account(app, caller, id).await
}

/// An account that may be the same person as another one.
pub struct Probable {
    /// The account.
    pub facts: AccountFacts,
    /// Why, as stable words.
    pub reasons: Vec<&'static str>,
    /// Whether its identity can be taken by the account that was asked about.
    pub can_take_identity: bool,
}

/// Finds accounts that are probably the same person: nothing is assumed, nothing is linked.
///
/// # Errors
/// 404; those of the store.
pub async fn probable_matches(app: &App, caller: &Caller, id: &str) -> Result<Vec<Probable>> {
    let known = directory::account(app, caller, id).await?;
    let account = known.account.clone();
    let (alike, accounts) = app
        .store
        .read(|reader| {
            Box::pin(async move {
                let alike = reader.alike(&account).await?;
                let ids: Vec<AccountId> = alike.iter().map(|one| one.account.clone()).collect();
                let accounts = reader.account_facts(&ids).await?;
                Ok::<_, StoreError>((alike, accounts))
            })
        })
        .await?;
    let visible = accounts
        .into_iter()
        .filter(|facts| directory::is_visible(facts, caller));
    Ok(visible
        .map(|facts| {
            let likeness = alike.iter().find(|one| one.account == facts.account.id);
            let mut reasons = Vec::new();
            if likeness.is_some_and(|one| one.same_email) {
                reasons.push("same_email");
            }
            if likeness.is_some_and(|one| one.same_name) {
                reasons.push("same_name");
            }
            let can_take_identity = known.account.authentication != Authentication::Standard
                && facts.account.authentication == known.account.authentication
                && !facts.links.is_empty();
            Probable {
                facts,
                reasons,
                can_take_identity,
            }
        })
        .collect())
}

/// Lists the live sessions of an account, newest first.
///
/// # Errors
/// 404; those of the store.
pub async fn sessions(app: &App, caller: &Caller, id: &str) -> Result<Vec<SessionRecord>> {
    let known = directory::account(app, caller, id).await?;
    let now = app.world.now();
    let id = known.account.id;
    let found = app
        .store
        .read(|reader| Box::pin(async move { reader.sessions_of_account(&id, now).await }))
        .await?;
    Ok(found.into_iter().filter(|session| session.is_live(now)).collect())
}

/// Ends one session of an account, or all of them.
///
/// # Errors
/// 404; 403 for an account that also belongs to others, with a key of one organization; those of the store.
pub async fn end_sessions(app: &App, caller: &Caller, id: &str, session: Option<&str>) -> Result<()> {
    let known = directory::account(app, caller, id).await?;
    // Whoever may change the account may end its sessions. An empty change asks the kernel just that.
    let action = Action::UpdateProfile {
        account: known.account.id.clone(),
        set: Box::default(),
    };
    acting::rehearse(app, Wish::new(caller.actor(), action)).await??;
    let now = app.world.now();
    let (account, session) = (known.account.id, session.map(SessionId::new));
    app.store
        .write(move |tx| {
            Box::pin(async move {
                let Some(session) = session else {
                    tx.revoke_sessions_of_account(&account, "ended_by_admin", now)
                        .await?;
                    return Ok(());
                };
                let found = tx.session(&session).await?;
                if found.is_none_or(|found| found.account != account) {
                    return Err(AppError::not_found());
                }
                tx.revoke_session(&session, "ended_by_admin", now).await?;
                Ok(())
            })
        })
        .await?;
    app.ring_jobs();
    Ok(())
}

/// Tells whether a caller may bind accounts to a connection: its own ones, and those that reach its organization.
async fn is_usable(app: &App, caller: &Caller, id: &ConnectionId) -> Result<bool, StoreError> {
    let id = id.clone();
    let found = app
        .store
        .read(|reader| Box::pin(async move { reader.connection(&id).await }))
        .await?;
    Ok(found.is_some_and(|record| {
        caller
            .organization
            .as_ref()
            .is_none_or(|own| record.connection.reaches(own))
    }))
}

/// Turns names into identifiers. None where something names nothing, which is then among the faults.
async fn desired(
    app: &App,
    caller: &Caller,
    path: &str,
    wanted: WantedMembership,
    faults: &mut Vec<Fault>,
) -> Result<Option<DesiredMembership>> {
    let named = wanted.organization.map(OrganizationId::new);
    let Some(organization) = named.or_else(|| caller.organization.clone()) else {
        faults.push(fault(
            &format!("{path}.organization"),
            "The organization is missing.",
        ));
        return Ok(None);
    };
    let facts = match directory::organization(app, caller, organization.as_str()).await {
        Ok(facts) => facts,
        Err(error) if error.status().as_u16() == 404 => {
            let place = format!("{path}.organization");
            faults.push(fault(&place, "There is no such organization."));
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    let before = faults.len();
    let roles = memberships::roles(&facts, &wanted.roles, path, faults);
    let workspaces = match wanted.workspaces {
        _ if wanted.all_workspaces => WorkspacesWanted::All,
        None => WorkspacesWanted::Default,
        Some(ids) => {
            memberships::check_workspaces(&facts, &ids, path, faults);
            WorkspacesWanted::Ids(ids.iter().map(WorkspaceId::new).collect())
        }
    };
    if let Some(license) = &wanted.license {
        memberships::check_license(&facts, license, path, faults);
    }
    Ok((faults.len() == before).then(|| DesiredMembership {
        organization,
        roles,
        workspaces,
        license: wanted.license.map(LicenseId::new),
    }))
}

/// Says what is wrong at a place.
pub(super) fn fault(path: &str, message: impl Into<String>) -> Fault {
    Fault {
        path: path.to_owned(),
        position: None,
        message: message.into(),
        suggestion: None,
    }
}

/// A wish that names what is not there.
pub(super) fn invalid(faults: Vec<Fault>) -> AppError {
    AppError::unprocessable(
        "invalid_account",
        "Something here names what does not exist or cannot be used; see the errors.",
    )
    .with_faults(faults)
}
