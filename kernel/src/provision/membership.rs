//! Edits one membership. Edits by hand pin what they touch, so that rules leave it alone (C-07).

use super::authority::{Authority, membership_in};
use super::{GrantEdit, Work};
use crate::denial::Denial;
use crate::directory::{AccountKind, Grant, LicenseGrant, Membership, RolesPerMember, Source, Status};
use crate::facts::{AccountFacts, OrganizationFacts};
use crate::id::{LicenseId, OrganizationId, RoleId, WorkspaceId};
use crate::plan::{Change, MembershipEdit};

/// A membership while it is edited: as it is so far, and the edits that led there.
pub(super) struct Draft<'a> {
    pub(super) now: Membership,
    pub(super) edits: Vec<MembershipEdit>,
    pub(super) facts: &'a OrganizationFacts,
    pub(super) source: Source,
    pub(super) pinned: bool,
    /// Kind of the account.
    pub(super) kind: AccountKind,
    /// How many of the edits local groups are the reason for: these do not pin.
    pub(super) by_groups: usize,
}

impl Work<'_> {
    /// Edits a membership, making it if there is none.
    pub(super) fn edit_membership(
        &mut self,
        target: &AccountFacts,
        organization: &OrganizationId,
        edits: &[GrantEdit],
        authority: &Authority,
    ) -> Result<(), Denial> {
        self.may_change_membership(target, organization, authority)?;
        // Groups change and go under everybody, also whoever may be restored.
        let of_groups = |edit: &GrantEdit| {
            matches!(
                edit,
                GrantEdit::LeaveGroup { .. } | GrantEdit::SettleGroups { .. }
            )
        };
        let is_settling = !edits.is_empty() && edits.iter().all(of_groups);
        if target.account.status == Status::Deleted && !is_settling {
            return Err(self.refuse(Denial::Deleted, "the account is deleted"));
        }
        let facts = self.organization(organization)?;
        let held = membership_in(target, organization);
        if held.is_none() && is_settling {
            // Whoever is no member is in no group, and does not become a member by that.
            return Ok(());
        }
        let mut draft = self.draft(facts, held, target.account.kind, authority);
        for edit in edits {
            self.one_edit(&mut draft, target, edit, authority)?;
        }
        if !draft.now.groups.is_empty() && !draft.edits.is_empty() {
            self.take_over(&mut draft, authority);
        }
        self.plan_draft(target, held, draft, authority);
        Ok(())
    }

    /// Opens a draft of a membership.
    pub(super) fn draft<'b>(
        &self,
        facts: &'b OrganizationFacts,
        held: Option<&Membership>,
        kind: AccountKind,
        authority: &Authority,
    ) -> Draft<'b> {
        let source = self.actor.source();
        let now = held.cloned().unwrap_or_else(|| Membership {
            organization: facts.organization.id.clone(),
            active: true,
            source: source.clone(),
            pinned: authority.is_hand(),
            roles: Vec::new(),
            workspaces: Vec::new(),
            all_workspaces: None,
            license: None,
            groups: Vec::new(),
            version: 1,
        });
        // What a directory gives, a directory may change; everybody else's edits are meant to stay.
        let pinned = !matches!(authority, Authority::Directory { .. });
        Draft {
            now,
            edits: Vec::new(),
            facts,
            source,
            pinned,
            kind,
            by_groups: 0,
        }
    }

    /// Plans what a draft changed.
    pub(super) fn plan_draft(
        &mut self,
        target: &AccountFacts,
        held: Option<&Membership>,
        mut draft: Draft<'_>,
        authority: &Authority,
    ) {
        let account = target.account.id.clone();
        let Some(held) = held else {
            self.changes.push(Change::AddMembership {
                account,
                membership: draft.now,
            });
            return;
        };
        let unpins = draft
            .edits
            .iter()
            .any(|edit| matches!(edit, MembershipEdit::SetPinned { .. }));
        let by_hand = draft.edits.len() > draft.by_groups;
        if authority.is_hand() && by_hand && !held.pinned && !unpins {
            draft.edits.push(MembershipEdit::SetPinned { pinned: true });
        }
        if !draft.edits.is_empty() {
            self.changes.push(Change::UpdateMembership {
                account,
                organization: held.organization.clone(),
                version: held.version,
                edits: draft.edits,
            });
        }
    }

    fn one_edit(
        &mut self,
        draft: &mut Draft<'_>,
        target: &AccountFacts,
        edit: &GrantEdit,
        authority: &Authority,
    ) -> Result<(), Denial> {
        match edit {
            GrantEdit::GrantRole { role } => self.grant_role(draft, Some(target), role, authority),
            GrantEdit::RevokeRole { role } => {
                self.must_not_be_of_group(&draft.now.roles, role, "role")?;
                self.revoke_role(draft, Some(target), role, authority)
            }
            GrantEdit::GrantWorkspace { workspace } => self.grant_workspace(draft, workspace),
            GrantEdit::RevokeWorkspace { workspace } => {
                self.must_not_be_of_group(&draft.now.workspaces, workspace, "workspace")?;
                draft.revoke_workspace(workspace);
                Ok(())
            }
            GrantEdit::AllWorkspaces { included } => {
                draft.set_all_workspaces(*included);
                Ok(())
            }
            GrantEdit::License { license } => self.set_license(draft, license.as_ref(), authority),
            GrantEdit::Active { active } => {
                if !active {
                    let held = draft.now.clone();
                    self.keep_an_owner(target, &held)?;
                }
                if draft.now.active != *active {
                    draft.now.active = *active;
                    draft.edits.push(MembershipEdit::SetActive { active: *active });
                }
                Ok(())
            }
            GrantEdit::Pin => {
                if !draft.now.pinned {
                    draft.now.pinned = true;
                    draft.edits.push(MembershipEdit::SetPinned { pinned: true });
                }
                Ok(())
            }
            GrantEdit::ReturnToAutomatic => {
                draft.return_to_automatic();
                Ok(())
            }
            GrantEdit::JoinGroup { group } => self.join_group(draft, target, group, authority),
            GrantEdit::LeaveGroup { group, keep } => self.leave_group(draft, target, group, authority, *keep),
            GrantEdit::SettleGroups { keep } => self.settle(draft, target, authority, *keep),
        }
    }

    /// Refuses to take by hand what a local group gives: it would come back with the next look at the group.
    fn must_not_be_of_group<T: PartialEq + std::fmt::Display>(
        &mut self,
        held: &[Grant<T>],
        id: &T,
        what: &str,
    ) -> Result<(), Denial> {
        let of_group = held
            .iter()
            .any(|grant| grant.id == *id && matches!(grant.source, Source::Group { .. }));
        if of_group {
            let text = format!("{what} {id} comes from a group: take the person out of the group instead");
            return Err(self.refuse(Denial::FromGroup, text));
        }
        Ok(())
    }

    /// Grants a role; where members hold one, it takes the place of the others. `target` is none for an account being made.
    pub(super) fn grant_role(
        &mut self,
        draft: &mut Draft<'_>,
        target: Option<&AccountFacts>,
        role: &RoleId,
        authority: &Authority,
    ) -> Result<(), Denial> {
        let Some(found) = draft.facts.roles.iter().find(|known| &known.id == role) else {
            let text = format!("{} has no role {role}", draft.facts.organization.id);
            return Err(self.refuse(Denial::NotFound, text));
        };
        if found.owner && !authority.over_owners() {
            return Err(self.refuse(
                Denial::NotPermitted,
                "only an owner or an operator grants owner roles",
            ));
        }
        if draft.facts.organization.roles_per_member == RolesPerMember::One {
            let others: Vec<RoleId> = draft
                .now
                .roles
                .iter()
                .map(|grant| grant.id.clone())
                .filter(|other| other != role)
                .collect();
            for other in others {
                // An owner who becomes another kind of owner stays one.
                if found.owner {
                    draft.revoke_role(&other);
                } else {
                    self.revoke_role(draft, target, &other, authority)?;
                }
            }
        }
        let wanted = Grant {
            id: role.clone(),
            source: draft.source.clone(),
            pinned: draft.pinned,
        };
        if draft.now.roles.contains(&wanted) {
            return Ok(());
        }
        draft.now.roles.retain(|grant| &grant.id != role);
        draft.now.roles.push(wanted);
        let (source, pinned) = (draft.source.clone(), draft.pinned);
        draft.edits.push(MembershipEdit::GrantRole {
            role: role.clone(),
            source,
            pinned,
        });
        Ok(())
    }

    /// Takes a role away, unless the last owner would be lost.
    pub(super) fn revoke_role(
        &mut self,
        draft: &mut Draft<'_>,
        target: Option<&AccountFacts>,
        role: &RoleId,
        authority: &Authority,
    ) -> Result<(), Denial> {
        let is_owner_role = draft
            .facts
            .roles
            .iter()
            .any(|known| &known.id == role && known.owner);
        if is_owner_role && draft.now.roles.iter().any(|grant| &grant.id == role) {
            if !authority.over_owners() {
                return Err(self.refuse(
                    Denial::NotPermitted,
                    "only an owner or an operator takes owner roles",
                ));
            }
            let mut rest = draft.now.clone();
            rest.roles.retain(|grant| &grant.id != role);
            if let Some(target) = target.filter(|_| !self.is_owner(&rest)) {
                let held = draft.now.clone();
                self.keep_an_owner(target, &held)?;
            }
        }
        draft.revoke_role(role);
        Ok(())
    }

    /// Grants a workspace.
    pub(super) fn grant_workspace(
        &mut self,
        draft: &mut Draft<'_>,
        workspace: &WorkspaceId,
    ) -> Result<(), Denial> {
        if !draft.facts.workspaces.iter().any(|known| &known.id == workspace) {
            let text = format!("{} has no workspace {workspace}", draft.facts.organization.id);
            return Err(self.refuse(Denial::NotFound, text));
        }
        let wanted = Grant {
            id: workspace.clone(),
            source: draft.source.clone(),
            pinned: draft.pinned,
        };
        if !draft.now.workspaces.contains(&wanted) {
            draft.now.workspaces.retain(|grant| &grant.id != workspace);
            draft.now.workspaces.push(wanted);
            let (source, pinned) = (draft.source.clone(), draft.pinned);
            draft.edits.push(MembershipEdit::GrantWorkspace {
                workspace: workspace.clone(),
                source,
                pinned,
            });
        }
        Ok(())
    }

    /// Sets or frees the license. A person who grants is told when no seat is free; a directory or file queues (C-23).
    pub(super) fn set_license(
        &mut self,
        draft: &mut Draft<'_>,
        license: Option<&LicenseId>,
        authority: &Authority,
    ) -> Result<(), Denial> {
        let from = draft.now.license.clone();
        let to = match license {
            None => None,
            Some(license) => {
                let Some(pool) = draft.facts.pool(license) else {
                    let text = format!("{} has no license pool {license}", draft.facts.organization.id);
                    return Err(self.refuse(Denial::NotFound, text));
                };
                if !pool.license.serves(draft.kind) {
                    let text = format!("license pool {license} is for another kind of account");
                    return Err(self.refuse(Denial::WrongLicenseKind, text));
                }
                let seated = draft.facts.has_seat(license, draft.kind, from.as_ref());
                if !seated && authority.is_hand() {
                    return Err(self.refuse(Denial::NoSeat, format!("no seat is free in {license}")));
                }
                let (source, pinned) = (draft.source.clone(), draft.pinned);
                Some(LicenseGrant {
                    license: license.clone(),
                    source,
                    pinned,
                    seated,
                })
            }
        };
        if from != to {
            draft.now.license.clone_from(&to);
            draft.edits.push(MembershipEdit::SetLicense { from, to });
        }
        Ok(())
    }

    /// Ends a membership; whoever is in no organization then has no session left. None there: nothing changes.
    pub(super) fn remove_membership(
        &mut self,
        target: &AccountFacts,
        organization: &OrganizationId,
        authority: &Authority,
    ) -> Result<(), Denial> {
        self.may_change_membership(target, organization, authority)?;
        let Some(held) = membership_in(target, organization) else {
            return Ok(());
        };
        self.keep_an_owner(target, held)?;
        self.changes.push(Change::RemoveMembership {
            account: target.account.id.clone(),
            organization: organization.clone(),
            version: held.version,
            before: Box::new(held.clone()),
        });
        let elsewhere = target
            .memberships
            .iter()
            .any(|other| other.active && other.organization != *organization);
        if held.active && !elsewhere && !target.account.operator {
            let account = target.account.id.clone();
            self.changes.push(Change::RevokeSessions {
                account,
                reason: "unplaced".to_owned(),
            });
        }
        Ok(())
    }
}

impl Draft<'_> {
    /// Makes an edit that a local group is the reason for.
    pub(super) fn push_by_groups(&mut self, edit: MembershipEdit) {
        edit.apply(&mut self.now);
        // A grant that changes hands is one edit, not a loss and a gain.
        let taken = |made: &MembershipEdit| match (&edit, made) {
            (MembershipEdit::GrantRole { role, .. }, MembershipEdit::RevokeRole { role: taken }) => {
                role == taken
            }
            (
                MembershipEdit::GrantWorkspace { workspace, .. },
                MembershipEdit::RevokeWorkspace { workspace: taken },
            ) => workspace == taken,
            _ => false,
        };
        if let Some(place) = self.edits.iter_mut().find(|made| taken(made)) {
            *place = edit;
            return;
        }
        self.edits.push(edit);
        self.by_groups += 1;
    }

    pub(super) fn revoke_role(&mut self, role: &RoleId) {
        let before = self.now.roles.len();
        self.now.roles.retain(|grant| &grant.id != role);
        if self.now.roles.len() < before {
            self.edits.push(MembershipEdit::RevokeRole { role: role.clone() });
        }
    }

    pub(super) fn revoke_workspace(&mut self, workspace: &WorkspaceId) {
        let before = self.now.workspaces.len();
        self.now.workspaces.retain(|grant| &grant.id != workspace);
        if self.now.workspaces.len() < before {
            self.edits.push(MembershipEdit::RevokeWorkspace {
                workspace: workspace.clone(),
            });
        }
    }

    pub(super) fn set_all_workspaces(&mut self, included: bool) {
        let wanted = included.then(|| self.source.clone());
        if self.now.all_workspaces != wanted {
            self.now.all_workspaces.clone_from(&wanted);
            self.edits
                .push(MembershipEdit::SetAllWorkspaces { source: wanted });
        }
    }

    /// Unpins everything. In a membership that a connection's rules made, grants by hand become the rules' own, so that
    /// the next sign-in decides about them; owner roles stay as they are.
    fn return_to_automatic(&mut self) {
        let automatic = match &self.now.source {
            Source::Rule { .. } => Some(self.now.source.clone()),
            Source::Manual
            | Source::Scim { .. }
            | Source::Invitation
            | Source::Import
            | Source::Group { .. } => None,
        };
        let owners = crate::mapping::owner_role_ids(self.facts);
        for grant in self
            .now
            .roles
            .iter_mut()
            .filter(|grant| grant.pinned && !owners.contains(&&grant.id))
        {
            grant.pinned = false;
            if let Some(automatic) = &automatic {
                grant.source = automatic.clone();
            }
            let (role, source) = (grant.id.clone(), grant.source.clone());
            self.edits.push(MembershipEdit::GrantRole {
                role,
                source,
                pinned: false,
            });
        }
        for grant in self.now.workspaces.iter_mut().filter(|grant| grant.pinned) {
            grant.pinned = false;
            if let Some(automatic) = &automatic {
                grant.source = automatic.clone();
            }
            let (workspace, source) = (grant.id.clone(), grant.source.clone());
            self.edits.push(MembershipEdit::GrantWorkspace {
                workspace,
                source,
                pinned: false,
            });
        }
        if let Some(held) = self.now.license.as_mut().filter(|held| held.pinned) {
            let from = Some(held.clone());
            held.pinned = false;
            if let Some(automatic) = &automatic {
                held.source = automatic.clone();
            }
            self.edits.push(MembershipEdit::SetLicense {
                from,
                to: Some(held.clone()),
            });
        }
        if self.now.pinned {
            self.now.pinned = false;
            self.edits.push(MembershipEdit::SetPinned { pinned: false });
        }
    }
}
