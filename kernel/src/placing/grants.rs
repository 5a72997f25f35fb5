//! Compares what a member holds with what the rules give, and lists the edits between the two.
//! Never edits grants of other sources or pinned ones, unless the identity provider wins (C-07); never an owner role.
//! Roles, workspaces and license each follow a mode of their own.

use super::made_by;
use crate::connection::{RoleSync, Settings};
use crate::directory::{Grant, LicenseGrant, Membership, RolesPerMember, Source};
use crate::facts::OrganizationFacts;
use crate::id::RoleId;
use crate::local_group::{leading_to_role, leading_to_workspace};
use crate::mapping::{Given, Placement, owner_role_ids};
use crate::plan::MembershipEdit;
use crate::provision::local_groups::{role_of, workspace_of};

/// How each part of a membership follows the rules (C-07, R-141).
#[derive(Clone, Copy)]
pub(super) struct Modes {
    /// The membership as a whole: whether it is judged again, and whether it is active.
    pub(super) membership: RoleSync,
    pub(super) roles: RoleSync,
    pub(super) workspaces: RoleSync,
    pub(super) license: RoleSync,
}

impl Modes {
    /// Reads the modes off a connection's settings.
    pub(super) fn of(settings: &Settings) -> Self {
        let all = settings.role_sync;
        Self {
            membership: all,
            roles: settings.sync.roles.unwrap_or(all),
            workspaces: settings.sync.workspaces.unwrap_or(all),
            license: settings.sync.license.unwrap_or(all),
        }
    }

    /// Only takes back what the rules themselves gave and nobody pinned.
    const GENTLE: Self = Self {
        membership: RoleSync::UntilEdited,
        roles: RoleSync::UntilEdited,
        workspaces: RoleSync::UntilEdited,
        license: RoleSync::UntilEdited,
    };
}

/// Says why a part of a membership in this mode is left alone; none if rules may change it.
pub(super) const fn left_alone(mode: RoleSync, held: &Membership) -> Option<&'static str> {
    match mode {
        RoleSync::Creation => Some("the connection evaluates rules only once"),
        RoleSync::UntilEdited if held.pinned => Some("it was edited by hand"),
        RoleSync::UntilEdited | RoleSync::EveryLogin => None,
    }
}

/// How edits are made.
pub(super) struct Rules<'a> {
    /// Source of the grants that this connection's rules make.
    pub(super) source: &'a Source,
    /// How far the identity provider wins over hand edits (C-07).
    pub(super) modes: Modes,
    /// The organization, for owner roles and the number of roles.
    pub(super) facts: &'a OrganizationFacts,
}

/// The edits between a membership and what the rules give.
#[derive(Default)]
pub(super) struct Edits {
    /// Those that are made.
    pub(super) made: Vec<MembershipEdit>,
    /// Those that are not, because the part is left alone.
    pub(super) held_back: Vec<MembershipEdit>,
    /// Why.
    pub(super) why: Option<&'static str>,
}

impl Edits {
    /// Returns all of them.
    pub(super) fn all(self) -> Vec<MembershipEdit> {
        let mut all = self.made;
        all.extend(self.held_back);
        all
    }

    fn add(&mut self, mode: RoleSync, held: &Membership, edits: Vec<MembershipEdit>) {
        match left_alone(mode, held) {
            None => self.made.extend(edits),
            Some(_) if edits.is_empty() => {}
            Some(why) => {
                self.held_back.extend(edits);
                self.why = Some(why);
            }
        }
    }
}

impl Rules<'_> {
    fn is_ours<T>(&self, grant: &Grant<T>, mode: RoleSync) -> bool {
        // What a local group gives goes with the group only.
        let is_of_group = matches!(grant.source, Source::Group { .. });
        !is_of_group
            && (mode == RoleSync::EveryLogin || (made_by(&grant.source, self.source) && !grant.pinned))
    }

    fn is_our_license(&self, held: &LicenseGrant) -> bool {
        self.modes.license == RoleSync::EveryLogin || (made_by(&held.source, self.source) && !held.pinned)
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
            groups: Vec::new(),
            version: 1,
        }
    }

    /// Lists the edits that make a membership what the rules give.
    pub(super) fn edits(&self, held: &Membership, placement: &Placement) -> Edits {
        let mut edits = Edits::default();
        if !held.active && !held.pinned {
            edits.add(
                self.modes.membership,
                held,
                vec![MembershipEdit::SetActive { active: true }],
            );
        }
        edits.add(self.modes.roles, held, self.role_edits(held, &placement.roles));
        edits.add(self.modes.workspaces, held, self.workspace_edits(held, placement));
        edits.add(
            self.modes.license,
            held,
            self.license_edit(held, placement).into_iter().collect(),
        );
        edits
    }

    /// Lists the edits that take back what the rules gave, and tells whether anything is left then (C-09).
    pub(super) fn withdrawal(&self, held: &Membership) -> (Vec<MembershipEdit>, bool) {
        let ours_only = Rules {
            source: self.source,
            modes: Modes::GENTLE,
            facts: self.facts,
        };
        let nothing = Placement {
            roles: Vec::new(),
            workspaces: Given::default(),
            license: None,
        };
        let mut edits = ours_only.role_edits(held, &nothing.roles);
        edits.extend(ours_only.workspace_edits(held, &nothing));
        edits.extend(ours_only.license_edit(held, &nothing));
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

    fn role_edits(&self, held: &Membership, wanted: &[RoleId]) -> Vec<MembershipEdit> {
        let mut edits = Vec::new();
        let mut kept = 0_usize;
        for grant in &held.roles {
            if !wanted.contains(&grant.id)
                && self.is_ours(grant, self.modes.roles)
                && !self.is_owner_role(&grant.id)
            {
                if let Some(group) = leading_to_role(&held.groups, &grant.id) {
                    edits.push(role_of(&grant.id, group));
                    kept += 1;
                    continue;
                }
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
        if single && kept == 0 {
            // A group stood by, because another role was held.
            let mut roles = self.facts.roles.iter().filter(|role| !role.owner);
            let next = roles.find_map(|role| Some((&role.id, leading_to_role(&held.groups, &role.id)?)));
            edits.extend(next.map(|(role, group)| role_of(role, group)));
        }
        edits
    }

    fn workspace_edits(&self, held: &Membership, placement: &Placement) -> Vec<MembershipEdit> {
        let mut edits = Vec::new();
        let wanted = &placement.workspaces;
        match &held.all_workspaces {
            None if wanted.all => {
                edits.push(MembershipEdit::SetAllWorkspaces {
                    source: Some(self.source.clone()),
                });
            }
            Some(by)
                if !wanted.all
                    && (self.modes.workspaces == RoleSync::EveryLogin || made_by(by, self.source)) =>
            {
                edits.push(MembershipEdit::SetAllWorkspaces { source: None });
            }
            None | Some(_) => {}
        }
        for grant in &held.workspaces {
            if !wanted.ids.contains(&grant.id) && self.is_ours(grant, self.modes.workspaces) {
                edits.push(match leading_to_workspace(&held.groups, &grant.id) {
                    Some(group) => workspace_of(&grant.id, group),
                    None => MembershipEdit::RevokeWorkspace {
                        workspace: grant.id.clone(),
                    },
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
        edits
    }

    /// The edit that makes the license what the rules give, if one is needed and allowed.
    pub(super) fn license_edit(&self, held: &Membership, placement: &Placement) -> Option<MembershipEdit> {
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
        (may_change && !waits && !same).then(|| MembershipEdit::SetLicense {
            from: from.clone(),
            to,
        })
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
