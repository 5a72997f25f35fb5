//! Local groups: who may keep them, who is put in or taken out, and what their members hold because of them.
//!
//! What a member gets from groups is worked out anew each time ([`Work::settle`]), so that doing it twice changes nothing:
//! roles and workspaces of her groups that nobody else granted become grants whose source is the group, and grants of a group
//! that leads to them no more go. Grants of other sources are never touched. Such edits do not pin a membership: rules go on
//! deciding about their own grants.
//!
//! Where members hold one role, a group gives one only to who holds none (as rules do); of several the first in the order of
//! the organization's roles.

use jiff::Timestamp;

use super::authority::{Authority, membership_in};
use super::membership::Draft;
use super::standing::judged;
use super::{Actor, Work};
use crate::denial::Denial;
use crate::directory::{Grant, RolesPerMember, Source};
use crate::facts::{AccountFacts, Facts, OrganizationFacts};
use crate::id::{GroupId, OrganizationId, RoleId, WorkspaceId};
use crate::incoming::Fresh;
use crate::local_group::{HeldGroup, LocalGroup, leading_to_role, leading_to_workspace};
use crate::mapping;
use crate::plan::{Decision, MembershipEdit};
use crate::trace::{Stage, StepOutcome};

pub use super::standing::need;

/// A group that is made, changed or deleted.
#[derive(Clone, Copy, Debug)]
pub struct GroupChange<'a> {
    /// As it is; none for a new one.
    pub before: Option<&'a LocalGroup>,
    /// As it shall be; none for one that goes.
    pub after: Option<&'a LocalGroup>,
}

/// Judges whether `actor` may make, change or delete a group of `organization`. Changes nothing by itself: what members hold
/// is decided for each of them ([`super::GrantEdit::SettleGroups`]).
///
/// Refused with `not_permitted` for who does not manage the organization's people and, unless they may grant it, where a role
/// marked owner would come, go or change through the group; with `not_found` for roles and workspaces that the organization
/// does not have; with `name_missing` for a group without a name.
pub fn decide(
    actor: &Actor,
    organization: &OrganizationId,
    change: GroupChange<'_>,
    facts: &Facts,
    fresh: &Fresh,
    now: Timestamp,
) -> Decision {
    let what = match (change.before, change.after) {
        (None, Some(after)) => format!("make the group {}", after.name),
        (Some(before), Some(_)) => format!("change the group {}", before.name),
        (Some(before), None) => format!("delete the group {}", before.name),
        (None, None) => "change no group".to_owned(),
    };
    let theirs = "groups of the organization are theirs to keep";
    judged(
        (actor, organization, &what),
        theirs,
        (facts, fresh, now),
        |work| work.may_keep(organization, change),
    )
}

impl Work<'_> {
    fn may_keep(&mut self, organization: &OrganizationId, change: GroupChange<'_>) -> Result<(), Denial> {
        self.must_manage(organization)?;
        let facts = self.organization(organization)?;
        let authority = self.authority()?;
        if change.after.is_some_and(|after| after.name.trim().is_empty()) {
            return Err(self.refuse(Denial::NameMissing, "a group has a name"));
        }
        let both = || change.before.into_iter().chain(change.after);
        if both().any(|group| group.organization != *organization) {
            return Err(self.refuse(Denial::NotFound, "the group is another organization's"));
        }
        let leads_alike = match (change.before, change.after) {
            (Some(before), Some(after)) => before.leads_like(after),
            (None | Some(_), None) | (None, Some(_)) => false,
        };
        if leads_alike {
            return Ok(());
        }
        if both().any(|group| leads_to_owners(facts, &group.roles)) && !authority.over_owners() {
            let text = "only an owner or an operator decides which group leads to an owner role";
            return Err(self.refuse(Denial::NotPermitted, text));
        }
        let known = |group: &LocalGroup| {
            let unknown = group
                .roles
                .iter()
                .find(|id| !facts.roles.iter().any(|one| one.id == **id));
            let mut workspaces = group.workspaces.iter();
            let nowhere = workspaces.find(|id| !facts.workspaces.iter().any(|one| one.id == **id));
            unknown
                .map(|role| format!("role {role}"))
                .or_else(|| nowhere.map(|workspace| format!("workspace {workspace}")))
        };
        if let Some(unknown) = change.after.and_then(known) {
            let text = format!("{organization} has no {unknown}");
            return Err(self.refuse(Denial::NotFound, text));
        }
        Ok(())
    }

    /// Puts a member into a group. Who is in it stays in it.
    pub(super) fn join_group(
        &mut self,
        draft: &mut Draft<'_>,
        target: &AccountFacts,
        group: &GroupId,
        authority: &Authority,
    ) -> Result<(), Denial> {
        self.must_be_hand(authority)?;
        let organization = &draft.facts.organization.id;
        if membership_in(target, organization).is_none() {
            let text = format!("only members of {organization} are put into its groups");
            return Err(self.refuse(Denial::UnknownMember, text));
        }
        let found = self.facts.local_groups.iter().find(|known| known.id == *group);
        let Some(found) = found.filter(|known| known.organization == *organization) else {
            return Err(self.refuse(Denial::NotFound, format!("{organization} has no group {group}")));
        };
        self.must_be_above(draft.facts, &found.roles, authority)?;
        if draft.now.groups.iter().any(|held| held.id == *group) {
            return Ok(());
        }
        let text = format!("put into the group {}", found.name);
        self.steps.about(
            Stage::Organization,
            StepOutcome::Passed,
            "group_joined",
            organization,
            text,
        );
        let edit = MembershipEdit::JoinGroup {
            group: found.held(),
            version: found.version,
        };
        draft.push_by_groups(edit);
        self.settle(draft, target, authority, false)
    }

    /// Takes a member out of a group, and with it exactly what came from there.
    pub(super) fn leave_group(
        &mut self,
        draft: &mut Draft<'_>,
        target: &AccountFacts,
        group: &GroupId,
        authority: &Authority,
        keep: bool,
    ) -> Result<(), Denial> {
        self.must_be_hand(authority)?;
        let Some(held) = draft.now.groups.iter().find(|held| held.id == *group).cloned() else {
            return Ok(());
        };
        self.must_be_above(draft.facts, &held.roles, authority)?;
        let organization = &draft.facts.organization.id;
        let text = format!("taken out of the group {}", held.name);
        self.steps.about(
            Stage::Organization,
            StepOutcome::Passed,
            "group_left",
            organization,
            text,
        );
        draft.push_by_groups(MembershipEdit::LeaveGroup {
            group: held.id,
            name: held.name,
        });
        self.settle(draft, target, authority, keep)
    }

    fn must_be_hand(&mut self, authority: &Authority) -> Result<(), Denial> {
        match authority {
            Authority::Operator | Authority::Everything | Authority::Admin { .. } => Ok(()),
            Authority::Directory { .. } => {
                Err(self.refuse(Denial::NotPermitted, "groups kept by hand are not a directory's"))
            }
        }
    }

    fn must_be_above(
        &mut self,
        facts: &OrganizationFacts,
        roles: &[RoleId],
        authority: &Authority,
    ) -> Result<(), Denial> {
        if leads_to_owners(facts, roles) && !authority.over_owners() {
            let text = "only an owner or an operator decides who is in a group that leads to an owner role";
            return Err(self.refuse(Denial::NotPermitted, text));
        }
        Ok(())
    }

    /// Makes what comes from groups what the groups of a member lead to. With `keep`, what would go stays, as if granted by hand:
    /// for who must not lose it, such as the last owner.
    pub(super) fn settle(
        &mut self,
        draft: &mut Draft<'_>,
        target: &AccountFacts,
        authority: &Authority,
        keep: bool,
    ) -> Result<(), Denial> {
        self.take_astray_roles(draft, target, authority, keep)?;
        self.take_astray_workspaces(draft, keep);
        self.take_over(draft, authority);
        Ok(())
    }

    /// Gives what the groups of a member lead to and nobody grants: a group stands by for what another source granted, and takes
    /// over when that goes. Takes nothing.
    pub(super) fn take_over(&mut self, draft: &mut Draft<'_>, authority: &Authority) {
        self.give_roles(draft, authority);
        self.give_workspaces(draft);
    }

    fn take_astray_roles(
        &mut self,
        draft: &mut Draft<'_>,
        target: &AccountFacts,
        authority: &Authority,
        keep: bool,
    ) -> Result<(), Denial> {
        let groups = draft.now.groups.clone();
        let organization = draft.facts.organization.id.clone();
        for grant in astray(&draft.now.roles, &groups, |group| &group.roles) {
            if let Some(other) = leading_to_role(&groups, &grant.id) {
                draft.push_by_groups(role_of(&grant.id, other));
            } else if keep {
                let text = format!("role {} stays, as if granted by hand", grant.id);
                self.steps
                    .about(Stage::Role, StepOutcome::Warned, "role_kept", &organization, text);
                draft.push_by_groups(MembershipEdit::GrantRole {
                    role: grant.id,
                    source: Source::Manual,
                    pinned: true,
                });
            } else {
                let before = draft.edits.len();
                self.revoke_role(draft, Some(target), &grant.id, authority)?;
                draft.by_groups += draft.edits.len() - before;
                let text = format!("role {} came from a group and goes with it", grant.id);
                self.steps.about(
                    Stage::Role,
                    StepOutcome::Passed,
                    "role_of_group_taken",
                    &organization,
                    text,
                );
            }
        }
        Ok(())
    }

    fn give_roles(&mut self, draft: &mut Draft<'_>, authority: &Authority) {
        let groups = draft.now.groups.clone();
        let organization = draft.facts.organization.id.clone();
        let single = draft.facts.organization.roles_per_member == RolesPerMember::One;
        for role in &draft.facts.roles {
            let Some(group) = leading_to_role(&groups, &role.id) else {
                continue;
            };
            if draft.now.roles.iter().any(|grant| grant.id == role.id) {
                continue;
            }
            let why_not = if single && !draft.now.roles.is_empty() {
                Some("members hold one role, and another one is held")
            } else if role.owner && !authority.over_owners() {
                Some("only an owner or an operator grants owner roles")
            } else {
                None
            };
            if let Some(why) = why_not {
                let text = format!("role {} of the group {} is not given: {why}", role.id, group.name);
                self.steps.about(
                    Stage::Role,
                    StepOutcome::Warned,
                    "role_of_group_withheld",
                    &organization,
                    text,
                );
                continue;
            }
            let text = format!("role {} from the group {}", role.id, group.name);
            self.steps.about(
                Stage::Role,
                StepOutcome::Passed,
                "role_of_group",
                &organization,
                text,
            );
            draft.push_by_groups(role_of(&role.id, group));
        }
    }

    fn take_astray_workspaces(&mut self, draft: &mut Draft<'_>, keep: bool) {
        let groups = draft.now.groups.clone();
        let organization = draft.facts.organization.id.clone();
        for grant in astray(&draft.now.workspaces, &groups, |group| &group.workspaces) {
            let edit = if let Some(other) = leading_to_workspace(&groups, &grant.id) {
                workspace_of(&grant.id, other)
            } else if keep {
                MembershipEdit::GrantWorkspace {
                    workspace: grant.id,
                    source: Source::Manual,
                    pinned: true,
                }
            } else {
                let text = format!("workspace {} came from a group and goes with it", grant.id);
                self.steps.about(
                    Stage::Workspace,
                    StepOutcome::Passed,
                    "workspace_of_group_taken",
                    &organization,
                    text,
                );
                MembershipEdit::RevokeWorkspace { workspace: grant.id }
            };
            draft.push_by_groups(edit);
        }
    }

    fn give_workspaces(&mut self, draft: &mut Draft<'_>) {
        let groups = draft.now.groups.clone();
        let organization = draft.facts.organization.id.clone();
        for workspace in &draft.facts.workspaces {
            let held = draft.now.workspaces.iter().any(|grant| grant.id == workspace.id);
            let Some(group) = leading_to_workspace(&groups, &workspace.id).filter(|_| !held) else {
                continue;
            };
            let text = format!("workspace {} from the group {}", workspace.id, group.name);
            self.steps.about(
                Stage::Workspace,
                StepOutcome::Passed,
                "workspace_of_group",
                &organization,
                text,
            );
            draft.push_by_groups(workspace_of(&workspace.id, group));
        }
    }
}

/// Lists grants that a group gave which does not lead to them any more.
fn astray<T: Clone + PartialEq>(
    grants: &[Grant<T>],
    groups: &[HeldGroup],
    leads_to: impl Fn(&HeldGroup) -> &Vec<T>,
) -> Vec<Grant<T>> {
    let stays = |grant: &Grant<T>, from: &GroupId| {
        groups
            .iter()
            .any(|group| group.id == *from && leads_to(group).contains(&grant.id))
    };
    grants
        .iter()
        .filter(|grant| matches!(&grant.source, Source::Group { group } if !stays(grant, group)))
        .cloned()
        .collect()
}

fn leads_to_owners(facts: &OrganizationFacts, roles: &[RoleId]) -> bool {
    let owners = mapping::owner_role_ids(facts);
    roles.iter().any(|role| owners.contains(&role))
}

pub(crate) fn role_of(role: &RoleId, group: &HeldGroup) -> MembershipEdit {
    MembershipEdit::GrantRole {
        role: role.clone(),
        source: Source::Group {
            group: group.id.clone(),
        },
        pinned: false,
    }
}

pub(crate) fn workspace_of(workspace: &WorkspaceId, group: &HeldGroup) -> MembershipEdit {
    MembershipEdit::GrantWorkspace {
        workspace: workspace.clone(),
        source: Source::Group {
            group: group.id.clone(),
        },
        pinned: false,
    }
}

#[cfg(test)]
mod tests;
