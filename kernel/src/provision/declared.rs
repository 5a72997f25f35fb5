//! Memberships as somebody declares them: builds new ones, and brings those that exist to the declared state.
//! Never takes back what another source granted.

use super::authority::{Authority, membership_in};
use super::membership::Draft;
use super::{DesiredMembership, Work, WorkspacesWanted};
use crate::denial::Denial;
use crate::directory::AccountKind;
use crate::directory::{Membership, RolesPerMember, Status};
use crate::facts::{AccountFacts, OrganizationFacts};
use crate::id::{RoleId, WorkspaceId};

impl Work<'_> {
    /// Builds a membership for an account that is being made.
    pub(super) fn build_membership(
        &mut self,
        wanted: &DesiredMembership,
        kind: AccountKind,
        authority: &Authority,
    ) -> Result<Membership, Denial> {
        self.may_join(&wanted.organization, authority)?;
        let facts = self.organization(&wanted.organization)?;
        self.check_declared(wanted, facts)?;
        let mut draft = self.draft(facts, None, kind, authority);
        for role in roles(wanted, facts) {
            self.grant_role(&mut draft, None, &role, authority)?;
        }
        self.grant_workspaces(&mut draft, wanted)?;
        self.set_license(&mut draft, wanted.license.as_ref(), authority)?;
        Ok(draft.now)
    }

    /// Brings all memberships that this actor's source made to what is declared.
    pub(super) fn set_memberships(
        &mut self,
        target: &AccountFacts,
        declared: &[DesiredMembership],
        authority: &Authority,
    ) -> Result<(), Denial> {
        if target.account.status == Status::Deleted {
            return Err(self.refuse(Denial::Deleted, "the account is deleted"));
        }
        for (position, wanted) in declared.iter().enumerate() {
            if declared
                .iter()
                .take(position)
                .any(|other| other.organization == wanted.organization)
            {
                return Err(self.refuse(Denial::Conflict, "the same organization is named twice"));
            }
            self.declare_one(target, wanted, authority)?;
        }
        let source = self.actor.source();
        for held in &target.memberships {
            let named = declared
                .iter()
                .any(|wanted| wanted.organization == held.organization);
            if !named && held.source == source {
                self.remove_membership(target, &held.organization, authority)?;
            }
        }
        Ok(())
    }

    fn declare_one(
        &mut self,
        target: &AccountFacts,
        wanted: &DesiredMembership,
        authority: &Authority,
    ) -> Result<(), Denial> {
        self.may_change_membership(target, &wanted.organization, authority)?;
        let facts = self.organization(&wanted.organization)?;
        self.check_declared(wanted, facts)?;
        let held = membership_in(target, &wanted.organization);
        let mut draft = self.draft(facts, held, target.account.kind, authority);
        let source = draft.source.clone();
        let roles = roles(wanted, facts);
        // Granted before anything is taken, so that an owner who changes owner roles is never without one.
        for role in &roles {
            if !draft.now.roles.iter().any(|grant| &grant.id == role) {
                self.grant_role(&mut draft, Some(target), role, authority)?;
            }
        }
        let surplus: Vec<RoleId> = draft
            .now
            .roles
            .iter()
            .filter(|grant| grant.source == source && !roles.contains(&grant.id))
            .map(|grant| grant.id.clone())
            .collect();
        for role in surplus {
            self.revoke_role(&mut draft, Some(target), &role, authority)?;
        }
        self.grant_workspaces(&mut draft, wanted)?;
        let named = workspaces(wanted, facts);
        let surplus: Vec<WorkspaceId> = draft
            .now
            .workspaces
            .iter()
            .filter(|grant| grant.source == source && !named.contains(&grant.id))
            .map(|grant| grant.id.clone())
            .collect();
        for workspace in surplus {
            draft.revoke_workspace(&workspace);
        }
        let of_other_source = draft
            .now
            .license
            .as_ref()
            .is_some_and(|license| license.source != source);
        if !of_other_source || wanted.license.is_some() {
            self.set_license(&mut draft, wanted.license.as_ref(), authority)?;
        }
        if !draft.now.groups.is_empty() && !draft.edits.is_empty() {
            self.take_over(&mut draft, authority);
        }
        self.plan_draft(target, held, draft, authority);
        Ok(())
    }

    /// Refuses several roles where members hold one.
    fn check_declared(
        &mut self,
        wanted: &DesiredMembership,
        facts: &OrganizationFacts,
    ) -> Result<(), Denial> {
        if facts.organization.roles_per_member == RolesPerMember::One && wanted.roles.len() > 1 {
            let text = format!("members of {} hold one role", facts.organization.id);
            return Err(self.refuse(Denial::Conflict, text));
        }
        Ok(())
    }

    fn grant_workspaces(&mut self, draft: &mut Draft<'_>, wanted: &DesiredMembership) -> Result<(), Denial> {
        let all = wanted.workspaces == WorkspacesWanted::All;
        if all && draft.now.all_workspaces.is_none() {
            draft.set_all_workspaces(true);
        }
        if !all && draft.now.all_workspaces.as_ref() == Some(&draft.source) {
            draft.set_all_workspaces(false);
        }
        for workspace in workspaces(wanted, draft.facts) {
            if !draft.now.workspaces.iter().any(|grant| grant.id == workspace) {
                self.grant_workspace(draft, &workspace)?;
            }
        }
        Ok(())
    }
}

/// The roles declared; without any, the organization's default roles, never an owner role.
fn roles(wanted: &DesiredMembership, facts: &OrganizationFacts) -> Vec<RoleId> {
    if !wanted.roles.is_empty() {
        return wanted.roles.clone();
    }
    let default = facts
        .roles
        .iter()
        .filter(|role| role.default && !role.owner)
        .map(|role| role.id.clone());
    match facts.organization.roles_per_member {
        RolesPerMember::One => default.take(1).collect(),
        RolesPerMember::Many => default.collect(),
    }
}

fn workspaces(wanted: &DesiredMembership, facts: &OrganizationFacts) -> Vec<WorkspaceId> {
    match &wanted.workspaces {
        WorkspacesWanted::All => Vec::new(),
        WorkspacesWanted::Ids(ids) => ids.clone(),
        WorkspacesWanted::Default => facts
            .workspaces
            .iter()
            .filter(|workspace| workspace.default)
            .map(|workspace| workspace.id.clone())
            .collect(),
    }
}
