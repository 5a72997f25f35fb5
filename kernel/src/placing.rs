//! Runs the rules for every organization in the connection's reach and plans what changes in the memberships of one
//! account. Both sign-ins and directory pushes place people through this module, so that they cannot decide differently.
//! Never touches organizations out of reach, memberships by hand, or the access of emergency admins and owners.

use crate::connection::{LicenseAt, OnLostMatch, OnNoSeat, Provisioning};
use crate::denial::Denial;
use crate::directory::{AccountKind, LicenseGrant, Membership, Source};
use crate::facts::{AccountFacts, OrganizationFacts};
use crate::id::{AccountId, ConnectionId, OrganizationId};
use crate::mapping::{self, AssertionIds, Claims, Holder, InForce, Placement, SeatCount, Skip};
use crate::plan::{Change, MembershipEdit};
use crate::trace::{Drift, Stage, StepOutcome, Steps};

mod grants;

use grants::{Edits, Modes, Rules, left_alone};

/// Most organizations whose "no match" is noted one by one; an instance may have thousands.
const NOTED: usize = 25;

/// What one organization ends as.
struct Outcome {
    /// Whether the person is an active member afterwards.
    active: bool,
    /// Whether the rules admitted.
    matched: bool,
    /// Whether the person was a member before.
    held: bool,
}

/// Whom the rules place.
#[derive(Clone, Copy)]
pub(crate) struct Member<'a> {
    /// Whose memberships.
    pub(crate) account: &'a AccountId,
    /// Whether this is an emergency admin, whom no rule changes.
    pub(crate) emergency_admin: bool,
    /// The memberships that the account has.
    pub(crate) held: &'a [Membership],
    /// Whether the person signs in now or has ever done so.
    pub(crate) signed_in: bool,
    /// What kind of account it is.
    pub(crate) kind: AccountKind,
}

/// The rules that place people, and what they look at.
pub(crate) struct Placing<'a> {
    /// The connection with its policies.
    pub(crate) in_force: &'a InForce,
    /// The organizations loaded; those out of reach are left alone.
    pub(crate) organizations: &'a [OrganizationFacts],
    /// What the provider or directory says.
    pub(crate) claims: &'a Claims,
    /// `accountid` and `permissionprofileid`, as asserted.
    pub(crate) asserted: (Option<&'a str>, Option<&'a str>),
    /// Source that new grants keep.
    pub(crate) source: &'a Source,
    /// Seats that others take in the same preview; none where the facts count all.
    pub(crate) seats: Option<&'a SeatCount>,
}

impl Placing<'_> {
    /// Plans the memberships of one account. Returns in how many organizations in reach it is an active member afterwards.
    ///
    /// # Errors
    /// The denials of the rules, which undo the whole attempt.
    pub(crate) fn run(
        &self,
        member: Member<'_>,
        changes: &mut Vec<Change>,
        steps: &mut Steps,
    ) -> Result<usize, Denial> {
        let reach = self.organizations_in_reach();
        let others = reach.clone();
        let active = self.run_over(reach, member, changes, steps)?;
        self.note_others(&others, steps);
        Ok(active)
    }

    /// Runs the rules over these organizations, all in reach, and says nothing of others.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub(crate) fn run_over(
        &self,
        reach: Vec<&OrganizationFacts>,
        member: Member<'_>,
        changes: &mut Vec<Change>,
        steps: &mut Steps,
    ) -> Result<usize, Denial> {
        let ids = self.assertion_ids(steps)?;
        let mut active = 0_usize;
        let mut unnoted = 0_usize;
        let mut concerned: Vec<&OrganizationFacts> = Vec::new();
        for facts in reach {
            let mut own = Steps::default();
            let result = self.one(member, facts, ids.as_ref(), changes, &mut own)?;
            if result.active {
                active += 1;
            }
            if result.matched || result.held {
                concerned.push(facts);
            } else if !own.has_warning() {
                unnoted += 1;
                if unnoted > NOTED {
                    continue;
                }
            }
            steps.append(own);
        }
        if unnoted > NOTED {
            let text = format!("{} more organizations do not match", unnoted - NOTED);
            steps.add(
                Stage::Organization,
                StepOutcome::Skipped,
                "organizations_not_matching",
                text,
            );
        }
        if let Some(ids) = &ids {
            check_known(ids, &concerned, steps)?;
        }
        Ok(active)
    }

    /// Speaks of the organizations that were not loaded, because nothing in the claims makes their rules admit.
    fn note_others(&self, loaded: &[&OrganizationFacts], steps: &mut Steps) {
        let is_loaded = |id: &OrganizationId| loaded.iter().any(|facts| facts.organization.id == *id);
        let others: Vec<&OrganizationId> = self
            .in_force
            .spoken_of()
            .filter(|id| !is_loaded(id))
            .take(NOTED + 1)
            .collect();
        if others.len() <= NOTED {
            for id in others {
                mapping::admits(self.in_force, self.claims, id, steps);
            }
        } else {
            let text = "no other organization's own policy admits";
            steps.add(
                Stage::Organization,
                StepOutcome::Skipped,
                "own_policies_not_matching",
                text,
            );
        }
        if let Some(text) = self.in_force.others_by_default(self.claims) {
            steps.add(
                Stage::Organization,
                StepOutcome::Skipped,
                "organizations_not_matching",
                text,
            );
        }
    }

    /// The organizations that the connection may admit to, its owner first, then by id.
    fn organizations_in_reach(&self) -> Vec<&OrganizationFacts> {
        let connection = self.in_force.connection();
        let mut reach: Vec<&OrganizationFacts> = self
            .organizations
            .iter()
            .filter(|facts| connection.reaches(&facts.organization.id))
            .collect();
        let owner = self.in_force.owner();
        reach.sort_by(|left, right| {
            let key = |facts: &OrganizationFacts| {
                (
                    owner != Some(&facts.organization.id),
                    facts.organization.id.clone(),
                )
            };
            key(left).cmp(&key(right))
        });
        reach.dedup_by(|left, right| left.organization.id == right.organization.id);
        reach
    }

    /// Reads `accountid` and `permissionprofileid`: both or none.
    fn assertion_ids(&self, steps: &mut Steps) -> Result<Option<AssertionIds>, Denial> {
        match self.asserted {
            (None, None) => Ok(None),
            (Some(workspace), Some(role)) => Ok(Some(AssertionIds {
                workspace: workspace.into(),
                role: role.into(),
            })),
            (Some(_), None) | (None, Some(_)) => {
                let text = "accountid and permissionprofileid go together: one of them is missing";
                steps.add(
                    Stage::Organization,
                    StepOutcome::Refused,
                    Denial::IncompleteAssertionIds.code(),
                    text,
                );
                Err(Denial::IncompleteAssertionIds)
            }
        }
    }

    fn one(
        &self,
        member: Member<'_>,
        facts: &OrganizationFacts,
        ids: Option<&AssertionIds>,
        changes: &mut Vec<Change>,
        steps: &mut Steps,
    ) -> Result<Outcome, Denial> {
        let id = &facts.organization.id;
        let held = member.held.iter().find(|held| &held.organization == id);
        let rules = self.rules(facts);
        let holder = self.holder(member, held, rules.modes);
        let placement = mapping::place(self.in_force, self.claims, facts, ids, holder, steps);
        let hands_off = held.and_then(|held| {
            self.hands_off(member, held, facts).or_else(|| {
                // Whoever is not admitted keeps the membership where it is not judged again.
                left_alone(rules.modes.membership, held).filter(|_| placement.is_err())
            })
        });
        match (placement, held, hands_off) {
            (Ok(placement), None, _) => {
                let membership = rules.membership(&placement);
                changes.push(Change::AddMembership {
                    account: member.account.clone(),
                    membership,
                });
                let text = format!("added to {id}");
                steps.about(Stage::Apply, StepOutcome::Passed, "membership_added", id, text);
                Ok(Outcome {
                    active: true,
                    matched: true,
                    held: false,
                })
            }
            (Ok(placement), Some(held), Some(why)) => {
                note_drift(held, &rules.edits(held, &placement).all(), why, steps);
                Ok(Outcome {
                    active: held.active,
                    matched: true,
                    held: true,
                })
            }
            (Ok(placement), Some(held), None) => Ok(Outcome {
                active: update(member.account, held, &rules, &placement, changes, steps),
                matched: true,
                held: true,
            }),
            (Err(Skip::Refuse(denial)), _, None) | (Err(Skip::Refuse(denial)), None, Some(_)) => Err(denial),
            (Err(Skip::NoMatch), None, _) => Ok(Outcome {
                active: false,
                matched: false,
                held: false,
            }),
            (Err(Skip::NoMatch | Skip::Refuse(_)), Some(held), Some(why)) => {
                let text = format!("the rules do not admit to {id}; the membership stays: {why}");
                let drift = Drift {
                    admits: false,
                    why: why.to_owned(),
                    edits: Vec::new(),
                };
                steps.drift(id, text, drift);
                Ok(Outcome {
                    active: held.active,
                    matched: false,
                    held: true,
                })
            }
            (Err(Skip::NoMatch), Some(held), None) => Ok(Outcome {
                active: self.lose(member.account, held, &rules, changes, steps),
                matched: false,
                held: true,
            }),
        }
    }

    /// Says why no rule may change a membership; none if rules may.
    fn hands_off(
        &self,
        member: Member<'_>,
        held: &Membership,
        facts: &OrganizationFacts,
    ) -> Option<&'static str> {
        let ours = made_by(&held.source, self.source);
        if member.emergency_admin {
            return Some("emergency admins are never changed by a rule");
        }
        if !ours {
            return Some("it was not made by this connection's rules");
        }
        if !held.active && holds_owner_role(held, facts) {
            return Some("no rule brings an owner back");
        }
        if held.pinned && !held.active {
            return Some("somebody suspended it by hand");
        }
        None
    }

    fn rules<'b>(&'b self, facts: &'b OrganizationFacts) -> Rules<'b> {
        Rules {
            source: self.source,
            modes: Modes::of(&self.in_force.connection().settings),
            facts,
        }
    }

    /// What the license rule has to know of somebody. Where the license is left alone no full pool refuses anybody.
    fn holder<'b>(&'b self, member: Member<'_>, held: Option<&'b Membership>, modes: Modes) -> Holder<'b> {
        let connection = self.in_force.connection();
        let settings = &connection.settings;
        let license: Option<&LicenseGrant> = held.and_then(|held| held.license.as_ref());
        let is_left_alone = held.is_some_and(|held| left_alone(modes.license, held).is_some());
        Holder {
            kind: member.kind,
            held: license,
            waits_for_sign_in: settings.licence_at == LicenseAt::FirstLogin
                && connection.provisioning == Provisioning::Scim
                && !member.signed_in
                && license.is_none(),
            on_no_seat: if is_left_alone {
                &OnNoSeat::Queue
            } else {
                &settings.on_no_seat
            },
            seats: self.seats,
        }
    }

    /// Gives somebody who signs in for the first time the licenses that waited for that (C-23), and nothing else.
    ///
    /// # Errors
    /// [`Denial::NoSeat`] where a pool is full and the connection refuses then.
    pub(crate) fn license_at_first_sign_in(
        &self,
        member: Member<'_>,
        changes: &mut Vec<Change>,
        steps: &mut Steps,
    ) -> Result<(), Denial> {
        for held in member.held.iter().filter(|held| held.license.is_none()) {
            let mut loaded = self.organizations.iter();
            let Some(facts) = loaded.find(|facts| facts.organization.id == held.organization) else {
                continue;
            };
            if !held.active || held.pinned || self.hands_off(member, held, facts).is_some() {
                continue;
            }
            let rules = self.rules(facts);
            let (policy, _) = self.in_force.policy_for(&held.organization);
            let holder = Holder {
                on_no_seat: &self.in_force.connection().settings.on_no_seat,
                ..self.holder(member, Some(held), rules.modes)
            };
            let license = mapping::license_of(policy, self.claims, facts, holder, steps)?;
            let placement = Placement {
                roles: Vec::new(),
                workspaces: mapping::Given::default(),
                license,
            };
            if let Some(edit) = rules.license_edit(held, &placement) {
                changes.push(Change::UpdateMembership {
                    account: member.account.clone(),
                    organization: held.organization.clone(),
                    version: held.version,
                    edits: vec![edit],
                });
            }
        }
        Ok(())
    }

    /// A member whom the rules do not admit any more (C-09). Returns whether the membership stays active.
    fn lose(
        &self,
        account: &AccountId,
        held: &Membership,
        rules: &Rules<'_>,
        changes: &mut Vec<Change>,
        steps: &mut Steps,
    ) -> bool {
        let id = &held.organization;
        let account = account.clone();
        if holds_owner_role(held, rules.facts) {
            let text = format!("the rules no longer admit to {id}, but owners are never removed by a rule");
            steps.about(Stage::Apply, StepOutcome::Warned, "owner_kept", id, text);
            return held.active;
        }
        let (edits, left) = match self.in_force.connection().settings.on_lost_match {
            OnLostMatch::Keep => {
                let text = format!("the rules no longer admit to {id}; the connection keeps the membership");
                steps.about(Stage::Apply, StepOutcome::Warned, "lost_match_kept", id, text);
                return held.active;
            }
            OnLostMatch::Suspend if !held.active => return false,
            OnLostMatch::Suspend => (vec![MembershipEdit::SetActive { active: false }], true),
            OnLostMatch::RemoveRuleGrants => rules.withdrawal(held),
        };
        if !left {
            changes.push(Change::RemoveMembership {
                account,
                organization: id.clone(),
                version: held.version,
                before: Box::new(held.clone()),
            });
            let text = format!("the rules no longer admit to {id}: removed");
            steps.about(Stage::Apply, StepOutcome::Warned, "membership_removed", id, text);
            return false;
        }
        let suspended = edits
            .iter()
            .any(|edit| matches!(edit, MembershipEdit::SetActive { active: false }));
        if !edits.is_empty() {
            changes.push(Change::UpdateMembership {
                account,
                organization: id.clone(),
                version: held.version,
                edits,
            });
            let text = format!("the rules no longer admit to {id}: what they gave is taken back");
            steps.about(Stage::Apply, StepOutcome::Warned, "grants_withdrawn", id, text);
        }
        held.active && !suspended
    }
}

/// Refuses identifiers that name nothing where the person is or comes to be. Whom no organization admits is refused for that.
fn check_known(
    ids: &AssertionIds,
    concerned: &[&OrganizationFacts],
    steps: &mut Steps,
) -> Result<(), Denial> {
    if concerned.is_empty() || concerned.iter().any(|facts| ids.fit(facts)) {
        return Ok(());
    }
    let by_name = concerned
        .iter()
        .flat_map(|facts| &facts.workspaces)
        .find(|workspace| workspace.name == ids.workspace.as_str())
        .map(|workspace| format!("; accountid takes the id, \"{}\", not the name", workspace.id))
        .unwrap_or_default();
    let text = format!(
        "no organization that admits the person has workspace \"{}\" and a role \"{}\" that a rule may give{by_name}",
        ids.workspace, ids.role
    );
    steps.add(
        Stage::Organization,
        StepOutcome::Refused,
        Denial::UnknownAssertionId.code(),
        text,
    );
    Err(Denial::UnknownAssertionId)
}

/// Ends the sessions of somebody whom these changes leave without any active membership.
pub(crate) fn end_sessions_if_out(account: &AccountId, held: &[Membership], changes: &mut Vec<Change>) {
    let ended = |id: &OrganizationId| {
        changes.iter().any(|change| match change {
            Change::RemoveMembership { organization, .. } => organization == id,
            Change::UpdateMembership {
                organization, edits, ..
            } => {
                organization == id
                    && edits
                        .iter()
                        .any(|edit| matches!(edit, MembershipEdit::SetActive { active: false }))
            }
            Change::CreateAccount { .. }
            | Change::UpdateProfile { .. }
            | Change::SetStatus { .. }
            | Change::SetAuthentication { .. }
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
            | Change::QueueReevaluation { .. } => false,
        })
    };
    let mut active = held.iter().filter(|held| held.active).peekable();
    if active.peek().is_some() && active.all(|held| ended(&held.organization)) {
        changes.push(Change::RevokeSessions {
            account: account.clone(),
            reason: "unplaced".to_owned(),
        });
    }
}

/// Tells whether somebody has ever signed in through a connection: the identity is kept from then on.
pub(crate) fn has_signed_in(known: &AccountFacts, connection: &ConnectionId) -> bool {
    known.links.iter().any(|link| link.connection == *connection)
}

/// Tells whether what `source` gave may be changed by `ours`: its own, and for a directory also what the same connection's
/// rules gave at sign-ins before the directory took over.
pub(crate) fn made_by(source: &Source, ours: &Source) -> bool {
    match (source, ours) {
        (Source::Rule { connection: theirs }, Source::Scim { connection: ours }) => theirs == ours,
        _ => source == ours,
    }
}

fn holds_owner_role(held: &Membership, facts: &OrganizationFacts) -> bool {
    let owners = mapping::owner_role_ids(facts);
    held.roles.iter().any(|grant| owners.contains(&&grant.id))
}

/// Makes a membership what the rules give. Returns whether it is active afterwards.
fn update(
    account: &AccountId,
    held: &Membership,
    rules: &Rules<'_>,
    placement: &Placement,
    changes: &mut Vec<Change>,
    steps: &mut Steps,
) -> bool {
    let id = &held.organization;
    let Edits {
        made: edits,
        held_back,
        why,
    } = rules.edits(held, placement);
    let activates = edits
        .iter()
        .any(|edit| matches!(edit, MembershipEdit::SetActive { active: true }));
    let active = held.active || activates;
    if let Some(why) = why {
        note_drift(held, &held_back, why, steps);
    }
    if edits.is_empty() && why.is_some() {
        return active;
    }
    if edits.is_empty() {
        let text = format!("nothing changes in {id}");
        steps.about(
            Stage::Apply,
            StepOutcome::Skipped,
            "membership_unchanged",
            id,
            text,
        );
    } else {
        let text = format!("grants in {id} follow the rules");
        steps.about(Stage::Apply, StepOutcome::Passed, "membership_updated", id, text);
        changes.push(Change::UpdateMembership {
            account: account.clone(),
            organization: id.clone(),
            version: held.version,
            edits,
        });
    }
    active
}

/// Shows what the rules would change where they may not (C-07).
fn note_drift(held: &Membership, edits: &[MembershipEdit], why: &str, steps: &mut Steps) {
    let id = &held.organization;
    let role = |edit: &MembershipEdit| match edit {
        MembershipEdit::GrantRole { role, .. } => Some(format!("add role {role}")),
        MembershipEdit::RevokeRole { role } => Some(format!("take role {role}")),
        MembershipEdit::GrantWorkspace { workspace, .. } => Some(format!("add workspace {workspace}")),
        MembershipEdit::RevokeWorkspace { workspace } => Some(format!("take workspace {workspace}")),
        MembershipEdit::SetAllWorkspaces { source: Some(_) } => Some("add all workspaces".to_owned()),
        MembershipEdit::SetAllWorkspaces { source: None } => Some("end all workspaces".to_owned()),
        MembershipEdit::SetLicense { .. } => Some("change the license".to_owned()),
        MembershipEdit::SetActive { .. } => Some("make it active".to_owned()),
        MembershipEdit::SetPinned { .. }
        | MembershipEdit::JoinGroup { .. }
        | MembershipEdit::LeaveGroup { .. } => None,
    };
    let wanted: Vec<String> = edits.iter().filter_map(role).collect();
    if wanted.is_empty() {
        let text = format!("nothing changes in {id}");
        steps.about(
            Stage::Apply,
            StepOutcome::Skipped,
            "membership_unchanged",
            id,
            text,
        );
    } else {
        let text = format!(
            "the rules would {} in {id}; nothing changes: {why}",
            wanted.join(", ")
        );
        let drift = Drift {
            admits: true,
            why: why.to_owned(),
            edits: edits.to_vec(),
        };
        steps.drift(id, text, drift);
    }
}
