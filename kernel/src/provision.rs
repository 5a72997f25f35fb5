//! Decides what happens when somebody wants a state of the directory: an admin's form, the declarative file, a directory push.
//! Owns who may do what to whom. Never writes: the answer is a [`crate::plan::Plan`].
//!
//! Permissions, in one place:
//!
//! | actor | may |
//! |---|---|
//! | operator | everything, and alone may make operators |
//! | file, system | everything but make operators |
//! | admin of an organization (active member holding a role marked `owner` or `admin`) | grant and revoke within that organization; create accounts that are members of that organization only; change profile, status and identity of accounts that are members of that organization and of no other |
//! | – only with an `owner` role | touch owners and owner roles, emergency admins, and the emergency mark |
//! | key of the API | as an operator; bound to an organization: as an admin of it without owner role |
//! | directory (SCIM) | accounts bound to its own connection; memberships within its reach; no owner role |
//! | person | nothing: signing in is decided by [`crate::login`] |
//!
//! What a directory keeps of the people whom it pushes, nobody else changes. For an emergency, owners, admins and operators
//! override a field for a while ([`Action::OverrideField`]); pushes go on, and the directory's value returns by itself.
//!
//! Whoever acts: the last owner of an organization is never lost, and neither is the last emergency admin of one that demands
//! single sign-on; name another one first.
//! Doing the same thing twice gives an empty second plan.

use crate::connection::Connection;
use crate::denial::Denial;
use crate::directory::Authentication;
use crate::email::Email;
use crate::facts::{AccountFacts, Facts, Need, OrganizationFacts, OrganizationsNeeded};
use crate::id::{AccountId, GroupId, OrganizationId};
use crate::incoming::Fresh;
use crate::keeping::KeptField;
use crate::mapping::InForce;
use crate::plan::{Change, Decision, Plan, Verdict};
use crate::trace::{PROVISION, Stage, StepOutcome, Steps, Trace};
use jiff::Timestamp;

mod account;
mod authority;
mod conversion;
mod declared;
mod emergency;
mod identity;
mod kinds;
pub mod local_groups;
mod managed;
mod membership;
pub mod overriding;
pub mod push;
mod request;
pub mod roles;
pub mod seats;
pub mod standing;
mod status;

pub(crate) use account::differences;
pub use request::{
    Action, Actor, ConversionMode, DesiredMembership, GrantEdit, NewAccount, Request, WorkspacesWanted,
};

/// Says what must be loaded to decide a request.
pub fn need(request: &Request) -> Need {
    let mut need = Need {
        accounts: request.action.account().cloned().into_iter().collect(),
        local_groups: joined_groups(&request.action),
        ..Need::default()
    };
    let mut organizations: Vec<OrganizationId> = Vec::new();
    if let Actor::Admin {
        account,
        organization,
    } = &request.actor
    {
        if !need.accounts.contains(account) {
            need.accounts.push(account.clone());
        }
        organizations.push(organization.clone());
    }
    let mut wanted: &[DesiredMembership] = &[];
    match &request.action {
        Action::CreateAccount(new) => {
            wanted = &new.memberships;
            need.email_key = new.email.as_ref().map(Email::key);
            need.sign_in
                .domains
                .extend(new.email.as_ref().map(|email| email.domain().to_owned()));
            if let Authentication::Sso { connection } = &new.authentication {
                need.directory.profiles = true;
                let keyed = |key: &Option<String>| key.clone().map(|key| (connection.clone(), key));
                need.external_id = keyed(&new.external_id);
                need.user_name = keyed(&new.user_name);
            }
        }
        Action::UpdateProfile { set, .. } => {
            need.email_key = set.email.iter().flatten().map(Email::key).next();
            need.directory.profiles = true;
            if let Actor::Scim { connection } = &request.actor {
                let keyed =
                    |key: &Option<Option<String>>| key.clone().flatten().map(|key| (connection.clone(), key));
                need.external_id = keyed(&set.external_id);
                need.user_name = keyed(&set.user_name);
            }
        }
        Action::OverrideField { field, value, .. } => {
            need.directory.profiles = true;
            if *field == KeptField::Email {
                let email = value.as_str().and_then(|text| Email::parse(text).ok());
                need.email_key = email.as_ref().map(Email::key);
            }
        }
        Action::EndOverride { address, .. } => {
            need.directory.profiles = true;
            need.email_key = address.as_ref().map(Email::key);
        }
        Action::SetMemberships { memberships, .. } => wanted = memberships,
        Action::EditMembership { organization, .. }
        | Action::RemoveMembership { organization, .. }
        | Action::Invite { organization, .. } => {
            organizations.push(organization.clone());
        }
        Action::TakeIdentity { from, .. } => {
            if !need.accounts.contains(from) {
                need.accounts.push(from.clone());
            }
            need.directory.profiles = true;
        }
        Action::Convert {
            email, organization, ..
        } => {
            need.email_key = email.as_ref().map(Email::key);
            organizations.push(organization.clone());
        }
        Action::Unconvert { email, .. } => need.email_key = email.as_ref().map(Email::key),
        Action::SetStatus { .. }
        | Action::Delete { .. }
        | Action::ResetSubject { .. }
        | Action::MakeOperator { .. } => {}
    }
    need.sign_in.emergency = may_take_an_emergency_admin(request);
    organizations.extend(wanted.iter().map(|membership| membership.organization.clone()));
    need.organizations = OrganizationsNeeded::Ids(distinct(organizations));
    need
}

/// The groups that somebody shall be put into. Those that are left are known from the membership.
fn joined_groups(action: &Action) -> Vec<GroupId> {
    let mut groups: Vec<GroupId> = Vec::new();
    let Action::EditMembership { edits, .. } = action else {
        return groups;
    };
    for edit in edits {
        if let GrantEdit::JoinGroup { group } = edit
            && !groups.contains(group)
        {
            groups.push(group.clone());
        }
    }
    groups
}

fn distinct(mut organizations: Vec<OrganizationId>) -> Vec<OrganizationId> {
    organizations.sort();
    organizations.dedup();
    organizations
}

/// Tells whether a request could take a way in that is there for emergencies.
fn may_take_an_emergency_admin(request: &Request) -> bool {
    match &request.action {
        Action::UpdateProfile { set, .. } => set.emergency_admin == Some(false),
        // The file brings an account that is there to the wanted state.
        Action::CreateAccount(_) => request.actor == Actor::File,
        Action::SetStatus { .. }
        | Action::Delete { .. }
        | Action::SetMemberships { .. }
        | Action::EditMembership { .. }
        | Action::RemoveMembership { .. }
        | Action::Convert { .. } => true,
        Action::Invite { .. }
        | Action::ResetSubject { .. }
        | Action::TakeIdentity { .. }
        | Action::Unconvert { .. }
        | Action::OverrideField { .. }
        | Action::EndOverride { .. }
        | Action::MakeOperator { .. } => false,
    }
}

/// Decides a request. `in_force` is the connection that the account is or shall be bound to, if any; without it nothing
/// about addresses of SSO accounts can be changed.
pub fn decide(
    request: &Request,
    facts: &Facts,
    in_force: Option<&InForce>,
    fresh: &Fresh,
    now: Timestamp,
) -> Decision {
    let mut work = Work {
        actor: &request.actor,
        facts,
        connection: in_force.map(InForce::connection),
        fresh,
        now,
        steps: Steps::default(),
        changes: Vec::new(),
    };
    let text = format!("asked by {}", request.actor.label());
    work.steps.add(Stage::Verify, StepOutcome::Passed, "asked", text);
    let outcome = work
        .perform(&request.action)
        .and_then(|account| work.keep_kind_limits(&request.action).map(|()| account))
        .and_then(|account| work.keep_an_emergency_admin().map(|()| account));
    let account = outcome.clone().ok().or_else(|| request.action.account().cloned());
    let (verdict, changes) = match outcome {
        Ok(account) => {
            let text = match work.changes.len() {
                0 => "nothing to change".to_owned(),
                1 => "1 change".to_owned(),
                count => format!("{count} changes"),
            };
            work.steps.add(Stage::Apply, StepOutcome::Passed, "decided", text);
            (Verdict::Admitted(account), work.changes)
        }
        Err(denial) => {
            work.steps.add(
                Stage::Apply,
                StepOutcome::Refused,
                denial.code(),
                format!("refused ({})", denial.code()),
            );
            (Verdict::Refused(denial), Vec::new())
        }
    };
    let trace = Trace {
        id: fresh.trace.clone(),
        at: now,
        kind: PROVISION.to_owned(),
        connection: in_force.map(|in_force| in_force.connection().id.clone()),
        account,
        steps: work.steps.into_vec(),
    };
    Decision {
        verdict,
        plan: Plan {
            changes,
            ..Plan::default()
        },
        trace,
    }
}

/// One decision being made.
struct Work<'a> {
    actor: &'a Actor,
    facts: &'a Facts,
    connection: Option<&'a Connection>,
    fresh: &'a Fresh,
    now: Timestamp,
    steps: Steps,
    changes: Vec<Change>,
}

impl<'a> Work<'a> {
    fn perform(&mut self, action: &Action) -> Result<AccountId, Denial> {
        let authority = self.authority()?;
        let Some(account) = action.account() else {
            return match action {
                Action::CreateAccount(new) => self.create(new, &authority),
                Action::UpdateProfile { .. }
                | Action::SetStatus { .. }
                | Action::Delete { .. }
                | Action::EditMembership { .. }
                | Action::RemoveMembership { .. }
                | Action::SetMemberships { .. }
                | Action::ResetSubject { .. }
                | Action::TakeIdentity { .. }
                | Action::Invite { .. }
                | Action::Convert { .. }
                | Action::Unconvert { .. }
                | Action::OverrideField { .. }
                | Action::EndOverride { .. }
                | Action::MakeOperator { .. } => Err(Denial::NotFound),
            };
        };
        let target = self.target(account)?;
        match action {
            Action::CreateAccount(_) => Err(Denial::Conflict),
            Action::UpdateProfile { set, .. } => self.update_profile(target, set, &authority),
            Action::SetStatus { to, .. } => self.set_status(target, *to, &authority),
            Action::Delete { allow_return, .. } => self.delete(target, *allow_return, &authority),
            Action::EditMembership {
                organization, edits, ..
            } => self.edit_membership(target, organization, edits, &authority),
            Action::RemoveMembership { organization, .. } => {
                self.remove_membership(target, organization, &authority)
            }
            Action::SetMemberships { memberships, .. } => {
                self.set_memberships(target, memberships, &authority)
            }
            Action::ResetSubject { .. } => self.reset_subject(target, &authority),
            Action::TakeIdentity { from, .. } => self.take_identity(target, from, &authority),
            Action::Invite { organization, .. } => self.invite(target, organization, &authority),
            Action::Convert {
                organization, mode, ..
            } => return self.convert(target, organization, *mode, &authority),
            Action::Unconvert { .. } => self.unconvert(target, &authority),
            Action::OverrideField {
                field, value, until, ..
            } => self.override_field(target, field, value, *until, &authority),
            Action::EndOverride { field, address, .. } => {
                self.end_override(target, field.as_ref(), address.as_ref(), &authority)
            }
            Action::MakeOperator { operator, .. } => self.make_operator(target, *operator, &authority),
        }?;
        Ok(account.clone())
    }

    fn target(&self, id: &AccountId) -> Result<&'a AccountFacts, Denial> {
        self.facts
            .accounts
            .iter()
            .find(|known| &known.account.id == id)
            .ok_or(Denial::NotFound)
    }

    fn organization(&self, id: &OrganizationId) -> Result<&'a OrganizationFacts, Denial> {
        self.facts
            .organizations
            .iter()
            .find(|facts| &facts.organization.id == id)
            .ok_or(Denial::NotFound)
    }

    fn refuse(&mut self, denial: Denial, text: impl Into<String>) -> Denial {
        self.steps
            .add(Stage::Lifecycle, StepOutcome::Refused, denial.code(), text);
        denial
    }
}

#[cfg(test)]
mod tests;
