//! Decides directory pushes (SCIM): people and groups as a directory wants them, by the same rules and the same lifecycle as
//! sign-ins. Never speaks SCIM itself: documents come in canonical 2.0 spelling.
//!
//! What a directory may and may not do:
//!
//! - It sees and changes accounts bound to its own connection and no others. A standard account with the same address is never
//!   touched; the pushed person gets an SSO account of their own.
//! - It sets only addresses in the connection's verified domains, unless the connection does without (`require_domain`).
//!   Neither a new user name nor a new address moves a link: whoever signed in with the account before still does (security.md 3).
//! - It never takes the last owner out, never an emergency admin or an operator, and never gives an owner role.
//! - Its words about `active` count when they change. What an admin suspended or deactivated stays out until the directory
//!   itself has said "inactive" and then "active" again.
//! - Whoever it takes out loses every session in the same plan and keeps links and memberships, so that the same
//!   account comes back. A deleted person gives up user name, external id and address at once.
//! - Rules run here, at the push, over the pushed attributes and groups. A sign-in through the connection runs none: tokens
//!   often lack groups, and would take back what pushes gave.
//! - What the connection's rules gave before the directory took over counts as given by the directory.
//!
//! Pushing the same thing twice gives an empty second plan.

use jiff::Timestamp;

use crate::connection::{Connection, Provisioning};
use crate::denial::Denial;
use crate::directory::{Source, Status};
use crate::facts::{AccountFacts, Facts, OrganizationFacts};
use crate::id::{AccountId, OrganizationId};
use crate::incoming::Fresh;
use crate::mapping::{Claims, InForce};
use crate::plan::{Change, Decision, Plan, Verdict};
use crate::trace::{PROVISION, Stage, StepOutcome, Steps, Trace};

mod candidates;
mod group;
pub mod guard;
pub mod joining;
mod keys;
mod need;
mod place;
mod profile;
mod status;
mod user;
mod wish;

pub use candidates::{Candidates, candidates};
pub use need::{need, need_more};
pub use profile::CUSTOM_ATTRIBUTES;
pub(crate) use profile::held_attributes;
pub use wish::{MembersChange, Push, PushedGroup, PushedUser};

/// Most accounts that one plan decides about. A change of a group that touches more queues the rest.
pub const MOST_AT_ONCE: usize = 200;

/// Tells whether a change of the connection may decide differently about people whom a directory pushed. Nobody's sign-in would
/// bring that up, since sign-ins run no rules there, so whoever keeps such a change queues [`Push::Reevaluate`] for them all.
pub fn decides_anew(before: &Connection, after: &Connection) -> bool {
    let rules = |connection: &Connection| {
        let settings = crate::connection::Settings {
            // Settings of leaving and joining say nothing about who is placed where. The kind is read off what was pushed.
            directory: crate::connection::DirectorySettings {
                kind_attribute: connection.settings.directory.kind_attribute.clone(),
                ..crate::connection::DirectorySettings::default()
            },
            match_chain: Vec::new(),
            invite_on: crate::connection::InviteOn::default(),
            // Values come with pushes and sign-ins; a definition gives nobody one.
            attributes: Vec::new(),
            ..connection.settings.clone()
        };
        (connection.scope.clone(), settings, connection.provisioning)
    };
    after.provisioning == Provisioning::Scim
        && (rules(before) != rules(after)
            || before.policy != after.policy
            || before.organization_policies != after.organization_policies)
}

/// Decides a push through the connection in force. `facts` are those of [`need`], [`need_more`] and [`candidates`].
pub fn decide(push: &Push, facts: &Facts, in_force: &InForce, fresh: &Fresh, now: Timestamp) -> Decision {
    let connection = in_force.connection();
    let mut work = Work::new(facts, in_force, fresh, now);
    let text = format!("pushed by the directory of {}", connection.name);
    work.steps.add(Stage::Verify, StepOutcome::Passed, "pushed", text);
    let outcome = work.perform(push);
    let (verdict, account, changes) = match outcome {
        Ok(account) => {
            let text = match work.changes.len() {
                0 => "nothing to change".to_owned(),
                1 => "1 change".to_owned(),
                count => format!("{count} changes"),
            };
            work.steps.add(Stage::Apply, StepOutcome::Passed, "decided", text);
            let verdict = account.clone().map_or(Verdict::Accepted, Verdict::Admitted);
            (verdict, account, work.changes)
        }
        Err(denial) => {
            let text = format!("refused ({})", denial.code());
            work.steps
                .add(Stage::Apply, StepOutcome::Refused, denial.code(), text);
            (Verdict::Refused(denial), push.account().cloned(), Vec::new())
        }
    };
    Decision {
        verdict,
        plan: Plan {
            changes,
            ..Plan::default()
        },
        trace: Trace {
            id: fresh.trace.clone(),
            at: now,
            kind: PROVISION.to_owned(),
            connection: Some(connection.id.clone()),
            account,
            steps: work.steps.into_vec(),
        },
    }
}

/// One push being decided.
struct Work<'a> {
    facts: &'a Facts,
    in_force: &'a InForce,
    connection: &'a Connection,
    /// Source of the grants that pushes give.
    source: Source,
    fresh: &'a Fresh,
    now: Timestamp,
    /// The organizations with their seats as this plan leaves them.
    organizations: Vec<OrganizationFacts>,
    steps: Steps,
    changes: Vec<Change>,
    /// Where only the claims of those to be placed are wanted, with the organizations they are members of: these. Nobody is placed
    /// then.
    asked: Option<Vec<(Claims, Vec<OrganizationId>)>>,
}

impl<'a> Work<'a> {
    fn new(facts: &'a Facts, in_force: &'a InForce, fresh: &'a Fresh, now: Timestamp) -> Self {
        let connection = in_force.connection();
        Self {
            facts,
            in_force,
            connection,
            source: Source::Scim {
                connection: connection.id.clone(),
            },
            fresh,
            now,
            organizations: facts.organizations.clone(),
            steps: Steps::default(),
            changes: Vec::new(),
            asked: None,
        }
    }

    fn perform(&mut self, push: &Push) -> Result<Option<AccountId>, Denial> {
        if self.connection.provisioning != Provisioning::Scim {
            let text = "no directory makes the accounts of this connection";
            return Err(self.refuse(Stage::Verify, Denial::NotADirectory, text));
        }
        // What the product itself goes on with, it goes on with.
        let is_ours = matches!(push, Push::ExpireUsers { .. } | Push::Reevaluate { .. });
        if !self.in_force.entitlements().scim && !is_ours {
            let text = "the plan of the organization does not include provisioning by a directory";
            return Err(self.refuse(Stage::Verify, Denial::EntitlementMissing, text));
        }
        match push {
            Push::CreateUser(user) => self.create_user(user).map(Some),
            Push::ReplaceUser {
                account,
                if_version,
                user,
            } => self.replace_user(account, *if_version, user).map(Some),
            Push::DeleteUser { account, if_version } => self.delete_user(account, *if_version).map(Some),
            Push::ExpireUsers { accounts, from } => self.expire_users(accounts, *from).map(|()| None),
            Push::CreateGroup { id, group, members } => {
                self.create_group(push, id, group, members).map(|()| None)
            }
            Push::ChangeGroup {
                group,
                if_version,
                set,
                members,
            } => self
                .change_group(push, group, *if_version, set.as_deref(), members)
                .map(|()| None),
            Push::DeleteGroup { group, if_version } => {
                self.delete_group(push, group, *if_version).map(|()| None)
            }
            Push::Reevaluate { accounts } => self.reevaluate(accounts).map(|()| None),
        }
    }

    /// Finds an account that the directory may see: its own, and not deleted. All others are answered alike.
    fn own_account(&mut self, id: &AccountId, if_version: Option<i64>) -> Result<&'a AccountFacts, Denial> {
        let found = self.facts.accounts.iter().find(|known| {
            known.account.id == *id && self.is_own(known) && known.account.status != Status::Deleted
        });
        let Some(found) = found else {
            let text = "the connection has no such person";
            return Err(self.refuse(Stage::Match, Denial::NotFound, text));
        };
        self.check_version(found.account.version, if_version)?;
        Ok(found)
    }

    fn is_own(&self, known: &AccountFacts) -> bool {
        crate::matching::is_bound(known, &self.connection.id)
    }

    fn check_version(&mut self, present: i64, believed: Option<i64>) -> Result<(), Denial> {
        match believed {
            Some(believed) if believed != present => {
                let text =
                    format!("the request was made for version {believed}; version {present} is present");
                Err(self.refuse(Stage::Verify, Denial::StaleVersion, text))
            }
            Some(_) | None => Ok(()),
        }
    }

    fn refuse(&mut self, stage: Stage, denial: Denial, text: impl Into<String>) -> Denial {
        self.steps.add(stage, StepOutcome::Refused, denial.code(), text);
        denial
    }
}

#[cfg(test)]
mod tests;
