//! Access: what somebody has in one organization, without who gave it. Compares before and after; never decides.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::directory::Membership;
use crate::facts::OrganizationFacts;
use crate::id::{LicenseId, OrganizationId, RoleId, WorkspaceId};
use crate::plan::Change;

/// What an active member has in one organization.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Access {
    /// Roles.
    pub roles: BTreeSet<RoleId>,
    /// Single workspaces.
    pub workspaces: BTreeSet<WorkspaceId>,
    /// Whether all workspaces are included, later ones too.
    pub all_workspaces: bool,
    /// License pool, held or waited for.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub license: Option<LicenseId>,
    /// Whether a seat of it is held.
    #[serde(default)]
    pub seated: bool,
}

/// Access by organization; who is no active member there is absent.
pub type AccessMap = BTreeMap<OrganizationId, Access>;

impl Access {
    /// Reads access off a membership; none if it is suspended.
    pub fn of(membership: &Membership) -> Option<Self> {
        membership.active.then(|| Self {
            roles: membership.roles.iter().map(|grant| grant.id.clone()).collect(),
            workspaces: membership
                .workspaces
                .iter()
                .map(|grant| grant.id.clone())
                .collect(),
            all_workspaces: membership.all_workspaces.is_some(),
            license: membership.license.as_ref().map(|held| held.license.clone()),
            seated: membership.license.as_ref().is_some_and(|held| held.seated),
        })
    }

    /// Tells whether `after` takes something away without giving anything of the same kind: all access, roles (a role
    /// that may manage people only counts against another such), workspaces, the seat.
    pub fn is_stripped_by(&self, after: Option<&Self>, facts: Option<&OrganizationFacts>) -> bool {
        let Some(after) = after else {
            return true;
        };
        let lost_roles = self.roles.difference(&after.roles).count() > 0;
        let gained_roles = after.roles.difference(&self.roles).count() > 0;
        let lost_workspaces = !after.all_workspaces
            && (self.all_workspaces || self.workspaces.difference(&after.workspaces).count() > 0);
        let gained_workspaces = after.workspaces.difference(&self.workspaces).count() > 0;
        (lost_roles && !gained_roles)
            || (manages(&self.roles, facts) && !manages(&after.roles, facts))
            || (lost_workspaces && !gained_workspaces)
            || (self.seated && !after.seated)
    }
}

/// Tells whether one of the roles may manage people.
fn manages(roles: &BTreeSet<RoleId>, facts: Option<&OrganizationFacts>) -> bool {
    facts.is_some_and(|facts| {
        let managers = facts.organization.managed_by;
        let mut known = facts.roles.iter();
        known.any(|role| role.manages(managers) && roles.contains(&role.id))
    })
}

/// Returns the access that memberships give.
pub fn held(memberships: &[Membership]) -> AccessMap {
    memberships
        .iter()
        .filter_map(|held| Some((held.organization.clone(), Access::of(held)?)))
        .collect()
}

/// Returns the access that memberships give once changes are applied, all of them about the same account.
pub fn after(memberships: &[Membership], changes: &[Change]) -> AccessMap {
    held(&memberships_after(memberships, changes))
}

/// Returns memberships as they are once changes are applied, all of them about the same account.
pub(crate) fn memberships_after<'a>(
    memberships: &[Membership],
    changes: impl IntoIterator<Item = &'a Change>,
) -> Vec<Membership> {
    let mut now: Vec<Membership> = memberships.to_vec();
    for change in changes {
        match change {
            Change::AddMembership { membership, .. } => now.push(membership.clone()),
            Change::UpdateMembership {
                organization, edits, ..
            } => {
                for held in now.iter_mut().filter(|held| held.organization == *organization) {
                    for edit in edits {
                        edit.apply(held);
                    }
                }
            }
            Change::RemoveMembership { organization, .. } => {
                now.retain(|held| held.organization != *organization);
            }
            Change::CreateAccount { .. }
            | Change::UpdateProfile { .. }
            | Change::SetStatus { .. }
            | Change::SetAuthentication { .. }
            | Change::Link { .. }
            | Change::Unlink { .. }
            | Change::RevokeSessions { .. }
            | Change::Alert { .. }
            | Change::CreateGroup { .. }
            | Change::UpdateGroup { .. }
            | Change::DeleteGroup { .. }
            | Change::AddGroupMembers { .. }
            | Change::RemoveGroupMembers { .. }
            | Change::QueueReevaluation { .. } => {}
        }
    }
    now
}

/// Returns of which licenses memberships hold a seat, by organization: before, and after.
pub(crate) fn seats<'m>(
    before: &'m [Membership],
    after: &'m [Membership],
) -> BTreeMap<&'m OrganizationId, [Option<&'m LicenseId>; 2]> {
    let mut seats = BTreeMap::new();
    for (at, memberships) in [before, after].into_iter().enumerate() {
        for held in memberships {
            let seated = held.license.as_ref().filter(|license| license.seated);
            let both: &mut [Option<&LicenseId>; 2] = seats.entry(&held.organization).or_default();
            if let Some(place) = both.get_mut(at) {
                *place = seated.map(|license| &license.license);
            }
        }
    }
    seats
}
