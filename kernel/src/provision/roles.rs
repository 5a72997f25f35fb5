//! Decides what becomes of an organization's roles: which may go, whom another role replaces, what a new name breaks (R-139, C-18).
//! An organization that has an active owner keeps one, whatever becomes of the list, and one that demands single sign-on
//! keeps an emergency admin who may manage its people.
//!
//! Whoever holds a role that goes gets the replacement in the same transaction, as plans of [`replace`]; grants keep their source
//! and pin.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::denial::Denial;
use crate::directory::{ManagedBy, Membership, Role};
use crate::facts::AccountFacts;
use crate::id::{AccountId, OrganizationId, RoleId};
use crate::incoming::Fresh;
use crate::plan::{Change, Decision, MembershipEdit, Plan, Verdict};
use crate::trace::{PROVISION, Stage, StepOutcome, Steps, Trace};

/// Most people that one plan gives another role.
pub const MOST_AT_ONCE: u32 = 200;

/// Who and what uses a role.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RoleUse {
    /// People who hold it, in whatever state.
    pub people: u64,
    /// Active people who hold it through an active membership.
    pub active: u64,
    /// Rules that speak of it: a connection and a path in it, such as `okta: policy.role.expression`.
    pub rules: Vec<String>,
}

/// A change of the list of roles.
#[derive(Clone, Debug)]
pub struct RolesChange<'a> {
    /// The roles as they are.
    pub before: &'a [Role],
    /// The roles as they shall be.
    pub after: &'a [Role],
    /// Which role takes the place of one that goes.
    pub replacements: &'a BTreeMap<RoleId, RoleId>,
    /// Who uses the roles as they are.
    pub uses: &'a BTreeMap<RoleId, RoleUse>,
    /// Who manages the organization as it is (C-26).
    pub managed_before: ManagedBy,
    /// Who shall manage it.
    pub managed_after: ManagedBy,
    /// Where single sign-on is demanded, of members or of a domain: the roles of each emergency admin, whether or not they let
    /// manage the organization. Empty elsewhere.
    pub emergency: &'a [Vec<RoleId>],
}

/// Why a list of roles is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RolesRefused {
    /// A role that would go is held by people or spoken of by rules, and nothing takes its place.
    InUse {
        /// Which.
        role: RoleId,
        /// By whom and what.
        by: RoleUse,
    },
    /// What shall take the place of a role is none of the roles afterwards.
    UnknownReplacement {
        /// Which role goes.
        role: RoleId,
        /// What was named.
        replacement: RoleId,
    },
    /// The organization would be left without an active owner.
    LastOwner,
    /// The organization demands single sign-on and would be left without an emergency admin.
    LastEmergencyAdmin,
}

impl RolesRefused {
    /// Returns a stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::InUse { .. } => "role_in_use",
            Self::UnknownReplacement { .. } => "unknown_replacement",
            Self::LastOwner => Denial::LastOwner.code(),
            Self::LastEmergencyAdmin => Denial::LastEmergencyAdmin.code(),
        }
    }

    /// Says it in a sentence for an admin.
    pub fn text(&self) -> String {
        match self {
            Self::InUse { role, by } => {
                let people = match by.people {
                    0 => String::new(),
                    1 => " by 1 person".to_owned(),
                    people => format!(" by {people} people"),
                };
                let and = if by.people > 0 && !by.rules.is_empty() {
                    " and"
                } else {
                    ""
                };
                let rules = if by.rules.is_empty() {
                    String::new()
                } else {
                    format!("{and} by rules ({})", by.rules.join(", "))
                };
                format!("role {role} is used{people}{rules}: name a role that takes its place")
            }
            Self::UnknownReplacement { role, replacement } => {
                format!("{replacement} shall take the place of role {role}, but there is no such role")
            }
            Self::LastOwner => {
                "nobody would be an active owner any more: give somebody another owner role first".to_owned()
            }
            Self::LastEmergencyAdmin => {
                "single sign-on is demanded, and no emergency admin would manage people any more: give one another role first"
                    .to_owned()
            }
        }
    }
}

/// What a change of roles that is allowed comes with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RolesJudged {
    /// Roles that go although people hold them, each with the one that takes its place.
    pub replaced: Vec<(RoleId, RoleId)>,
    /// Sentences for the admin: rules that speak of a name that is gone afterwards.
    pub warnings: Vec<String>,
}

/// Judges a change of the list of roles.
///
/// # Errors
/// Everything that stands against it.
pub fn judge(change: &RolesChange<'_>) -> Result<RolesJudged, Vec<RolesRefused>> {
    let mut refused = Vec::new();
    let mut judged = RolesJudged::default();
    let nothing = RoleUse::default();
    let after = |id: &RoleId| change.after.iter().find(|role| role.id == *id);
    for role in change.before {
        let by = change.uses.get(&role.id).unwrap_or(&nothing);
        let rules = || by.rules.join(", ");
        let replacement = change.replacements.get(&role.id);
        match (after(&role.id), replacement) {
            (Some(now), _) => {
                if now.name != role.name && !by.rules.is_empty() {
                    judged.warnings.push(format!(
                        "role {} is called \"{}\" now; rules still speak of \"{}\": {}",
                        role.id,
                        now.name,
                        role.name,
                        rules()
                    ));
                }
            }
            (None, Some(replacement)) if after(replacement).is_none() => {
                refused.push(RolesRefused::UnknownReplacement {
                    role: role.id.clone(),
                    replacement: replacement.clone(),
                });
            }
            (None, Some(replacement)) => {
                if by.people > 0 {
                    judged.replaced.push((role.id.clone(), replacement.clone()));
                }
                let keeps_name = change.after.iter().any(|other| other.name == role.name);
                if !by.rules.is_empty() && !keeps_name {
                    judged.warnings.push(format!(
                        "role {} is gone; rules still speak of \"{}\": {}",
                        role.id,
                        role.name,
                        rules()
                    ));
                }
            }
            (None, None) if by.people > 0 || !by.rules.is_empty() => refused.push(RolesRefused::InUse {
                role: role.id.clone(),
                by: by.clone(),
            }),
            (None, None) => {}
        }
    }
    if had_owner(change) && !keeps_owner(change) {
        refused.push(RolesRefused::LastOwner);
    }
    if had_an_emergency_admin(change) && !keeps_an_emergency_admin(change) {
        refused.push(RolesRefused::LastEmergencyAdmin);
    }
    if refused.is_empty() {
        Ok(judged)
    } else {
        Err(refused)
    }
}

fn had_owner(change: &RolesChange<'_>) -> bool {
    let mut owners = change.before.iter().filter(|role| role.owner);
    owners.any(|role| active(change, &role.id) > 0)
}

/// Tells whether somebody active holds a role that makes owners afterwards.
fn keeps_owner(change: &RolesChange<'_>) -> bool {
    change.before.iter().any(|role| {
        becomes(change, &role.id).is_some_and(|after| after.owner) && active(change, &role.id) > 0
    })
}

fn had_an_emergency_admin(change: &RolesChange<'_>) -> bool {
    let manages = |held: &RoleId| {
        let mut roles = change.before.iter();
        roles.any(|role| role.id == *held && role.manages(change.managed_before))
    };
    change.emergency.iter().flatten().any(manages)
}

/// Tells whether an emergency admin holds a role that manages people afterwards.
fn keeps_an_emergency_admin(change: &RolesChange<'_>) -> bool {
    let mut held = change.emergency.iter().flatten();
    held.any(|role| becomes(change, role).is_some_and(|after| after.manages(change.managed_after)))
}

/// The role that whoever holds one has afterwards.
fn becomes<'a>(change: &RolesChange<'a>, role: &RoleId) -> Option<&'a Role> {
    let after = |id: &RoleId| change.after.iter().find(|after| after.id == *id);
    after(role).or_else(|| after(change.replacements.get(role)?))
}

fn active(change: &RolesChange<'_>, role: &RoleId) -> u64 {
    change.uses.get(role).map_or(0, |by| by.active)
}

/// Decides that these people hold another role in the place of one that goes.
pub fn replace(
    people: &[AccountFacts],
    organization: &OrganizationId,
    (from, to): (&RoleId, &RoleId),
    fresh: &Fresh,
    now: Timestamp,
) -> Decision {
    let mut steps = Steps::default();
    let mut changes = Vec::new();
    for known in people {
        let held = known
            .memberships
            .iter()
            .find(|held| held.organization == *organization);
        let Some(held) = held else { continue };
        let edits = edits(held, from, to);
        if edits.is_empty() {
            continue;
        }
        let text = format!(
            "{}: role {to} in the place of {from}, which goes",
            known.account.id
        );
        steps.about(
            Stage::Role,
            StepOutcome::Passed,
            "role_replaced",
            organization,
            text,
        );
        changes.push(Change::UpdateMembership {
            account: known.account.id.clone(),
            organization: organization.clone(),
            version: held.version,
            edits,
        });
    }
    Decision {
        verdict: Verdict::Accepted,
        plan: Plan {
            changes,
            ..Plan::default()
        },
        trace: Trace {
            id: fresh.trace.clone(),
            at: now,
            kind: PROVISION.to_owned(),
            connection: None,
            account: None::<AccountId>,
            steps: steps.into_vec(),
        },
    }
}

/// The new role first, so that nobody is without an owner role in between.
fn edits(held: &Membership, from: &RoleId, to: &RoleId) -> Vec<MembershipEdit> {
    let Some(grant) = held.roles.iter().find(|grant| grant.id == *from) else {
        return Vec::new();
    };
    let mut edits = Vec::new();
    if !held.roles.iter().any(|grant| grant.id == *to) {
        edits.push(MembershipEdit::GrantRole {
            role: to.clone(),
            source: grant.source.clone(),
            pinned: grant.pinned,
        });
    }
    edits.push(MembershipEdit::RevokeRole { role: from.clone() });
    edits
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{account, fresh, known, member, now, role, rule, sso};

    fn of(roles: &[(&str, &str, bool)]) -> Vec<Role> {
        let made = |(id, name, owner): &(&str, &str, bool)| Role {
            owner: *owner,
            ..role(id, name)
        };
        roles.iter().map(made).collect()
    }

    fn used(id: &str, people: u64, rules: &[&str]) -> (RoleId, RoleUse) {
        let by = RoleUse {
            people,
            active: people,
            rules: rules.iter().map(|rule| (*rule).to_owned()).collect(),
        };
        (id.into(), by)
    }

    fn judged(
        after: &[(&str, &str, bool)],
        replacements: &[(&str, &str)],
    ) -> Result<RolesJudged, Vec<&'static str>> {
        let before = of(&[
            ("owner", "Owner", true),
            ("writer", "Writer", false),
            ("idle", "Idle", false),
        ]);
        let uses = [
            used("owner", 1, &[]),
            used("writer", 3, &["okta: policy.role.expression"]),
        ];
        let replacements = replacements
            .iter()
            .map(|(from, to)| ((*from).into(), (*to).into()))
            .collect();
        judge(&RolesChange {
            before: &before,
            after: &of(after),
            replacements: &replacements,
            uses: &uses.into(),
            managed_before: ManagedBy::default(),
            managed_after: ManagedBy::default(),
            emergency: &[],
        })
        .map_err(|refused| refused.iter().map(RolesRefused::code).collect())
    }

    const OWNER: (&str, &str, bool) = ("owner", "Owner", true);
    const WRITER: (&str, &str, bool) = ("writer", "Writer", false);
    const EDITOR: (&str, &str, bool) = ("editor", "Editor", false);

    #[test]
    fn r139_a_role_in_use_goes_only_if_another_takes_its_place() {
        assert_eq!(
            judged(&[OWNER, WRITER], &[]),
            Ok(RolesJudged::default()),
            "nobody uses Idle"
        );
        assert_eq!(judged(&[OWNER, EDITOR], &[]), Err(vec!["role_in_use"]));
        assert_eq!(
            judged(&[OWNER], &[("writer", "editor")]),
            Err(vec!["unknown_replacement"])
        );
        let replaced = judged(&[OWNER, EDITOR], &[("writer", "editor")]).unwrap();
        assert_eq!(replaced.replaced, [("writer".into(), "editor".into())]);
        assert_eq!(replaced.warnings.len(), 1, "a rule still says Writer");
        let same_name = judged(&[OWNER, ("editor", "Writer", false)], &[("writer", "editor")]).unwrap();
        assert!(same_name.warnings.is_empty());
        let told = RolesRefused::InUse {
            role: "writer".into(),
            by: used("writer", 3, &["okta: policy.role.expression"]).1,
        };
        assert!(
            told.text()
                .contains("by 3 people and by rules (okta: policy.role.expression)")
        );
    }

    #[test]
    fn c18_a_new_name_warns_about_the_rules_that_hold_the_old_one() {
        let renamed = judged(&[OWNER, ("writer", "Author", false)], &[]).unwrap();
        assert!(
            renamed.warnings[0].contains("\"Author\"") && renamed.warnings[0].contains("okta: policy.role")
        );
        let unused = judged(&[OWNER, WRITER, ("idle", "Lazy", false)], &[]).unwrap();
        assert!(unused.warnings.is_empty());
    }

    #[test]
    fn r148_the_list_of_roles_does_not_lose_the_last_owner() {
        let plain = ("owner", "Owner", false);
        assert_eq!(judged(&[plain, WRITER], &[]), Err(vec!["last_owner"]), "unmarked");
        assert_eq!(
            judged(&[WRITER], &[("owner", "writer")]),
            Err(vec!["last_owner"]),
            "replaced by no owner role"
        );
        assert_eq!(judged(&[WRITER], &[]), Err(vec!["role_in_use", "last_owner"]));
        let chief = ("chief", "Chief", true);
        assert!(judged(&[chief, WRITER], &[("owner", "chief")]).is_ok());
        let writers_own = ("writer", "Writer", true);
        assert!(
            judged(&[plain, writers_own], &[]).is_ok(),
            "others are owners now"
        );
    }

    #[test]
    fn r139_whoever_holds_the_role_that_goes_holds_the_other_with_source_and_pin() {
        let mut held = member("acme", rule(), &["writer"]);
        held.roles[0].pinned = true;
        let both = member("acme", rule(), &["writer", "editor"]);
        let people = [
            known(account("ann", sso("okta")), &[], vec![held]),
            known(account("bob", sso("okta")), &[], vec![both]),
            known(
                account("cy", sso("okta")),
                &[],
                vec![member("acme", rule(), &["idle"])],
            ),
        ];
        let decision = replace(
            &people,
            &"acme".into(),
            (&"writer".into(), &"editor".into()),
            &fresh(1),
            now(),
        );
        let [
            Change::UpdateMembership { edits: ann, .. },
            Change::UpdateMembership { edits: bob, .. },
        ] = decision.plan.changes.as_slice()
        else {
            panic!("{:?}", decision.plan.changes)
        };
        assert_eq!(
            ann[0],
            MembershipEdit::GrantRole {
                role: "editor".into(),
                source: rule(),
                pinned: true
            }
        );
        assert_eq!((ann.len(), bob.len()), (2, 1));
    }

    #[test]
    fn r184_where_single_sign_on_is_demanded_an_emergency_admin_goes_on_managing_people() {
        let desk = |admin: bool| Role {
            admin,
            ..role("desk", "Desk")
        };
        let owner = || Role {
            owner: true,
            ..role("owner", "Owner")
        };
        let before = [owner(), desk(true)];
        let uses = [used("owner", 1, &[]), used("desk", 1, &[])].into();
        let codes_under =
            |managed_after, after: &[Role], replaces: &[(&str, &str)], emergency: &[Vec<RoleId>]| {
                let replacements = replaces.iter().map(|(from, to)| ((*from).into(), (*to).into()));
                let judged = judge(&RolesChange {
                    before: &before,
                    after,
                    replacements: &replacements.collect(),
                    uses: &uses,
                    managed_before: ManagedBy::OwnersAndAdmins,
                    managed_after,
                    emergency,
                });
                let refused = judged.err().unwrap_or_default();
                refused.iter().map(RolesRefused::code).collect::<Vec<_>>()
            };
        let codes = |after: &[Role], replaces: &[(&str, &str)], emergency: &[Vec<RoleId>]| {
            codes_under(ManagedBy::OwnersAndAdmins, after, replaces, emergency)
        };
        let at_the_desk: [Vec<RoleId>; 1] = [vec!["desk".into()]];
        let idle = [owner(), desk(false)];
        assert_eq!(codes(&idle, &[], &at_the_desk), ["last_emergency_admin"]);
        assert!(codes(&idle, &[], &[]).is_empty(), "nothing is demanded");
        let owning = [vec!["desk".into()], vec!["owner".into()]];
        assert!(codes(&idle, &[], &owning).is_empty(), "another one is left");
        let both = [vec![RoleId::new("desk"), RoleId::new("owner")]];
        assert!(codes(&idle, &[], &both).is_empty(), "another role manages, too");
        let gone = [owner()];
        let to_owner = [("desk", "owner")];
        assert!(codes(&gone, &to_owner, &at_the_desk).is_empty());
        let plain = [owner(), role("plain", "Plain")];
        let to_plain = [("desk", "plain")];
        assert_eq!(codes(&plain, &to_plain, &at_the_desk), ["last_emergency_admin"]);
        // Owners alone manage from now on (C-26): an admin's role is no way in any more.
        let alone = |emergency: &[Vec<RoleId>]| codes_under(ManagedBy::Owners, &before, &[], emergency);
        assert_eq!(alone(&at_the_desk), ["last_emergency_admin"]);
        assert!(alone(&owning).is_empty(), "an owner is left");
        let nobody: [Vec<RoleId>; 1] = [vec!["plain".into()]];
        assert!(alone(&nobody).is_empty(), "there was none before");
    }
}
