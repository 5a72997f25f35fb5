//! Local groups: groups that an organization keeps by hand. Each leads its members to roles and workspaces, beside whatever
//! else they hold. Groups that directories push are another thing: [`crate::directory::Group`].
//!
//! What a group gives is a grant like others, whose source is the group ([`crate::directory::Source::Group`]). A thing is
//! granted once: where another source granted it first, the group stands by and takes over when that source takes its grant
//! back. Never decides who may keep groups: see [`crate::provision::local_groups`].

use serde::{Deserialize, Serialize};

use crate::id::{GroupId, OrganizationId, RoleId, WorkspaceId};

/// A group kept by hand. Its members are rows of their own and never part of this value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LocalGroup {
    /// Identifier, made here.
    pub id: GroupId,
    /// The one organization that it belongs to.
    pub organization: OrganizationId,
    /// Name shown to people, unique in the organization without regard to case.
    pub name: String,
    /// What it is for; may be empty.
    #[serde(default)]
    pub description: String,
    /// Roles that its members get. Roles that the organization has no more count for nothing.
    #[serde(default)]
    pub roles: Vec<RoleId>,
    /// Workspaces that its members get.
    #[serde(default)]
    pub workspaces: Vec<WorkspaceId>,
    /// Version for optimistic locking; grows with each change of the group, not of its members.
    pub version: i64,
}

impl LocalGroup {
    /// Returns what a member's membership knows of the group.
    pub fn held(&self) -> HeldGroup {
        HeldGroup {
            id: self.id.clone(),
            name: self.name.clone(),
            roles: self.roles.clone(),
            workspaces: self.workspaces.clone(),
        }
    }

    /// Tells whether both lead to the same.
    pub fn leads_like(&self, other: &Self) -> bool {
        self.roles == other.roles && self.workspaces == other.workspaces
    }
}

/// A local group as a membership in it knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldGroup {
    /// Identifier.
    pub id: GroupId,
    /// Name.
    pub name: String,
    /// Roles that it leads to.
    #[serde(default)]
    pub roles: Vec<RoleId>,
    /// Workspaces that it leads to.
    #[serde(default)]
    pub workspaces: Vec<WorkspaceId>,
}

/// Finds the first of some groups that leads to a role.
pub fn leading_to_role<'a>(groups: &'a [HeldGroup], role: &RoleId) -> Option<&'a HeldGroup> {
    groups.iter().find(|group| group.roles.contains(role))
}

/// Finds the first of some groups that leads to a workspace.
pub fn leading_to_workspace<'a>(groups: &'a [HeldGroup], workspace: &WorkspaceId) -> Option<&'a HeldGroup> {
    groups.iter().find(|group| group.workspaces.contains(workspace))
}
