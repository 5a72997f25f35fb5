//! Keeps a way in for when the identity provider is down: where single sign-on is demanded, the last emergency admin who could
//! manage the organization is not lost, whoever asks and by whichever change. Judged over the whole plan, so that no kind of
//! change can be forgotten.

use super::Work;
use crate::denial::Denial;
use crate::directory::{Authentication, Status};
use crate::facts::{AccountFacts, OrganizationFacts};
use crate::id::AccountId;
use crate::plan::{Change, MembershipEdit};

impl Work<'_> {
    /// Refuses a plan after which nobody would be left.
    pub(super) fn keep_an_emergency_admin(&mut self) -> Result<(), Denial> {
        let lost = self
            .facts
            .sign_in
            .emergency
            .iter()
            .filter(|(_, holders)| !holders.is_empty())
            .filter_map(|(organization, holders)| Some((self.organization(organization).ok()?, holders)))
            .find(|(organization, holders)| !holders.iter().any(|holder| self.stays(holder, organization)))
            .map(|(organization, _)| organization.organization.id.clone());
        let Some(organization) = lost else { return Ok(()) };
        let text =
            format!("{organization} demands single sign-on and would be left without an emergency admin");
        Err(self.refuse(Denial::LastEmergencyAdmin, text))
    }

    /// Tells whether somebody who is an emergency admin of the organization still is one after the plan.
    fn stays(&self, holder: &AccountId, organization: &OrganizationFacts) -> bool {
        let known = self
            .facts
            .accounts
            .iter()
            .chain(&self.facts.candidates)
            .find(|known| known.account.id == *holder);
        self.changes.iter().all(|change| match change {
            Change::UpdateProfile { account, set, .. } => {
                account != holder || set.emergency_admin != Some(false)
            }
            Change::SetStatus { account, to, .. } => account != holder || *to == Status::Active,
            Change::SetAuthentication { account, to, .. } => {
                account != holder || *to == Authentication::Standard
            }
            Change::RemoveMembership {
                account,
                organization: left,
                ..
            } => account != holder || *left != organization.organization.id,
            Change::UpdateMembership {
                account,
                organization: edited,
                edits,
                ..
            } => {
                account != holder
                    || *edited != organization.organization.id
                    || known.is_some_and(|known| still_manages(known, organization, edits))
            }
            Change::CreateAccount { .. }
            | Change::Link { .. }
            | Change::Unlink { .. }
            | Change::AddMembership { .. }
            | Change::RevokeSessions { .. }
            | Change::Alert { .. }
            | Change::CreateGroup { .. }
            | Change::UpdateGroup { .. }
            | Change::DeleteGroup { .. }
            | Change::AddGroupMembers { .. }
            | Change::RemoveGroupMembers { .. }
            | Change::QueueReevaluation { .. } => true,
        })
    }
}

/// Tells whether a membership gives a role that manages people after these edits.
fn still_manages(known: &AccountFacts, organization: &OrganizationFacts, edits: &[MembershipEdit]) -> bool {
    let Some(held) = known
        .memberships
        .iter()
        .find(|held| held.organization == organization.organization.id)
    else {
        return false;
    };
    let mut active = held.active;
    let mut roles: Vec<_> = held.roles.iter().map(|grant| &grant.id).collect();
    for edit in edits {
        match edit {
            MembershipEdit::GrantRole { role, .. } => roles.push(role),
            MembershipEdit::RevokeRole { role } => roles.retain(|held| *held != role),
            MembershipEdit::SetActive { active: now } => active = *now,
            MembershipEdit::GrantWorkspace { .. }
            | MembershipEdit::RevokeWorkspace { .. }
            | MembershipEdit::SetAllWorkspaces { .. }
            | MembershipEdit::SetLicense { .. }
            | MembershipEdit::SetPinned { .. }
            | MembershipEdit::JoinGroup { .. }
            | MembershipEdit::LeaveGroup { .. } => {}
        }
    }
    active
        && organization
            .roles
            .iter()
            .any(|role| role.manages(organization.organization.managed_by) && roles.contains(&&role.id))
}
