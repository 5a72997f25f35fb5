//! Compares what a member holds with what the rules give, and lists the edits between the two.
//! Never edits grants of other sources or pinned ones, unless the identity provider wins (C-07); never an owner role.

use super::made_by;
use crate::directory::{Grant, LicenseGrant, Membership, RolesPerMember, Source};
use crate::facts::OrganizationFacts;
use crate::id::RoleId;
use crate::mapping::{Given, Placement, owner_role_ids};
use crate::plan::MembershipEdit;

/// How edits are made.
pub(super) struct Rules<'a> {
    /// Source of the grants that this connection's rules make.
    pub(super) source: &'a Source,
    /// Whether the identity provider wins over hand edits (C-07: every login).
    pub(super) provider_wins: bool,
    /// The organization, for owner roles and the number of roles.
    pub(super) facts: &'a OrganizationFacts,
}

impl Rules<'_> {
    fn is_ours<T>(&self, grant: &Grant<T>) -> bool {
        self.provider_wins || (made_by(&grant.source, self.source) && !grant.pinned)
    }

    fn is_our_license(&self, held: &LicenseGrant) -> bool {
        self.provider_wins || (made_by(&held.source, self.source) && !held.pinned)
    }

    /// Builds the membership of somebody who was no member.
    pub(super) fn membership(&self, placement: &Placement) -> Membership {
        let source = self.source;
        Membership {
            organization: self.facts.organization.id.clone(),
            active: true,
            source: source.clone(),
            pinned: false,
            roles: placement.roles.iter().map(|id| granted(id, source)).collect(),
            workspaces: placement
                .workspaces
                .ids
                .iter()
                .map(|id| granted(id, source))
                .collect(),
            all_workspaces: placement.workspaces.all.then(|| source.clone()),
            license: self.license(placement),
            version: 1,
        }
    }

    /// Lists the edits that make a membership what the rules give.
    pub(super) fn edits(&self, held: &Membership, placement: &Placement) -> Vec<MembershipEdit> {
        let mut edits = Vec::new();
        if !held.active && !held.pinned {
            edits.push(MembershipEdit::SetActive { active: true });
        }
        self.role_edits(held, &placement.roles, &mut edits);
        self.workspace_edits(held, placement, &mut edits);
        self.license_edit(held, placement, &mut edits);
        edits
    }

    /// Lists the edits that take back what the rules gave, and tells whether anything is left then (C-09).
    pub(super) fn withdrawal(&self, held: &Membership) -> (Vec<MembershipEdit>, bool) {
        let ours_only = Rules {
            source: self.source,
            provider_wins: false,
            facts: self.facts,
        };
        let nothing = Placement {
            roles: Vec::new(),
            workspaces: Given::default(),
            license: None,
        };
        let mut edits = Vec::new();
        ours_only.role_edits(held, &nothing.roles, &mut edits);
        ours_only.workspace_edits(held, &nothing, &mut edits);
        ours_only.license_edit(held, &nothing, &mut edits);
        let revoked_roles = count(&edits, |edit| matches!(edit, MembershipEdit::RevokeRole { .. }));
        let revoked_workspaces = count(&edits, |edit| {
            matches!(edit, MembershipEdit::RevokeWorkspace { .. })
        });
        let all_ended = edits
            .iter()
            .any(|edit| matches!(edit, MembershipEdit::SetAllWorkspaces { source: None }));
        let license_ended = edits
            .iter()
            .any(|edit| matches!(edit, MembershipEdit::SetLicense { to: None, .. }));
        let left = held.roles.len() > revoked_roles
            || held.workspaces.len() > revoked_workspaces
            || (held.all_workspaces.is_some() && !all_ended)
            || (held.license.is_some() && !license_ended);
        (edits, left)
    }

    fn is_owner_role(&self, role: &RoleId) -> bool {
        owner_role_ids(self.facts).contains(&role)
    }

    fn role_edits(&self, held: &Membership, wanted: &[RoleId], edits: &mut Vec<MembershipEdit>) {
        let mut kept = 0_usize;
        for grant in &held.roles {
            if !wanted.contains(&grant.id) && self.is_ours(grant) && !self.is_owner_role(&grant.id) {
                edits.push(MembershipEdit::RevokeRole {
                    role: grant.id.clone(),
                });
            } else {
                kept += 1;
            }
        }
        let single = self.facts.organization.roles_per_member == RolesPerMember::One;
        for role in wanted
            .iter()
            .filter(|role| !held.roles.iter().any(|grant| grant.id == **role))
        {
            // Where one role is allowed, what may not be taken away stays the one.
            if single && kept > 0 {
                break;
            }
            kept += 1;
            edits.push(MembershipEdit::GrantRole {
                role: role.clone(),
                source: self.source.clone(),
                pinned: false,
            });
        }
    }

    fn workspace_edits(&self, held: &Membership, placement: &Placement, edits: &mut Vec<MembershipEdit>) {
        let wanted = &placement.workspaces;
        match &held.all_workspaces {
            None if wanted.all => {
                edits.push(MembershipEdit::SetAllWorkspaces {
                    source: Some(self.source.clone()),
                });
            }
            Some(by) if !wanted.all && (self.provider_wins || made_by(by, self.source)) => {
                edits.push(MembershipEdit::SetAllWorkspaces { source: None });
            }
            None | Some(_) => {}
        }
        for grant in &held.workspaces {
            if !wanted.ids.contains(&grant.id) && self.is_ours(grant) {
                edits.push(MembershipEdit::RevokeWorkspace {
                    workspace: grant.id.clone(),
                });
            }
        }
        for workspace in wanted
            .ids
            .iter()
            .filter(|id| !held.workspaces.iter().any(|grant| grant.id == **id))
        {
            edits.push(MembershipEdit::GrantWorkspace {
                workspace: workspace.clone(),
                source: self.source.clone(),
                pinned: false,
            });
        }
    }

    fn license_edit(&self, held: &Membership, placement: &Placement, edits: &mut Vec<MembershipEdit>) {
        let to = self.license(placement);
        let from = &held.license;
        let may_change = from.as_ref().is_none_or(|held| self.is_our_license(held));
        // Whoever waits for a seat elsewhere keeps the seat that is there.
        let waits = to.as_ref().is_some_and(|to| !to.seated) && from.as_ref().is_some_and(|from| from.seated);
        let same = match (from, &to) {
            (Some(from), Some(to)) => from.license == to.license && from.seated == to.seated,
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        };
        if may_change && !waits && !same {
            edits.push(MembershipEdit::SetLicense {
                from: from.clone(),
                to,
            });
        }
    }

    fn license(&self, placement: &Placement) -> Option<LicenseGrant> {
        placement.license.as_ref().map(|seat| LicenseGrant {
            license: seat.license.clone(),
            source: self.source.clone(),
            pinned: false,
            seated: seat.seated,
        })
    }
}

fn granted<T: Clone>(id: &T, source: &Source) -> Grant<T> {
    Grant {
        id: id.clone(),
        source: source.clone(),
        pinned: false,
    }
}

fn count(edits: &[MembershipEdit], which: impl Fn(&MembershipEdit) -> bool) -> usize {
    edits.iter().filter(|edit| which(edit)).count()
}
