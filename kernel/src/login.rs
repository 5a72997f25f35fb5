//! Decides sign-ins: through a connection, or with a password (see [`password`]).
//! Never verifies a protocol message (that was done before) and never writes: the answer is a [`crate::plan::Plan`].
//!
//! The chain: connection enabled → match → lifecycle → profile → organizations → roles → license → workspaces → session.
//! A refusal at any link leaves the rest undone.
//!
//! Where a directory pushes the accounts (`provisioning: scim`), a sign-in only finds the account, joins it to the identity the
//! first time, and opens the session. Profile and memberships are as the pushes decided ([`crate::provision::push`]): claims of
//! the token change nothing, so that a token without groups takes nothing back.

use jiff::{SignedDuration, Timestamp};

use crate::connection::{Connection, JoinKey, LicenseAt, MatchStep, Provisioning};
use crate::denial::Denial;
use crate::directory::{Link, Status};
use crate::facts::{AccountFacts, DirectoryNeed, Facts, Need, OrganizationsNeeded};
use crate::id::OrganizationId;
use crate::incoming::{Fresh, Incoming};
use crate::mapping::{Claims, InForce};
use crate::matching::{self, Match};
use crate::plan::{Change, Decision, OpenSession, Plan, Verdict};
use crate::trace::{SIGN_IN, Stage, StepOutcome, Steps, Trace};

mod attributes;
mod invited;
mod memberships;
pub mod password;
mod person;
mod profile;
pub mod rules;

pub use invited::hold_to;
use person::Person;

/// Limits of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionLimits {
    /// Seconds until the session ends whatever happens.
    pub absolute_seconds: i64,
    /// Seconds without use until it ends.
    pub idle_seconds: i64,
}

/// Says what must be loaded to decide a sign-in.
pub fn need(incoming: &Incoming, in_force: &InForce) -> Need {
    let connection = in_force.connection();
    let subject = &incoming.subject.value;
    let chain = &connection.settings.match_chain;
    let asserted = &incoming.normalized;
    let joins = |key| {
        connection.provisioning == Provisioning::Scim && connection.settings.directory.join_by.contains(&key)
    };
    let wanted = |step, key| chain.contains(&step) || joins(key);
    let by_user_name = wanted(MatchStep::UserName, JoinKey::UserName);
    let user_name = match &asserted.user_name {
        // Also answers whether the name is free for a new account.
        Some(name) => Some(name.clone()),
        None if by_user_name => Some(subject.clone()),
        None => None,
    };
    Need {
        accounts: Vec::new(),
        subject: Some((connection.id.clone(), incoming.subject.clone())),
        email_key: asserted
            .email
            .as_ref()
            .filter(|_| asserted.email_verified)
            .map(crate::email::Email::key),
        external_id: wanted(MatchStep::ExternalId, JoinKey::ExternalId)
            .then(|| (connection.id.clone(), subject.clone())),
        user_name: user_name.map(|name| (connection.id.clone(), name)),
        organizations: match connection.provisioning {
            // No rule runs there; the organizations of the account's memberships are loaded anyway.
            Provisioning::Manual | Provisioning::Scim => OrganizationsNeeded::None,
            Provisioning::Jit => in_force.organizations_needed(&Claims::of(incoming)),
        },
        directory: DirectoryNeed {
            // A license that waits for the first sign-in follows from what the directory pushed.
            profiles: licenses_wait(connection),
            groups_of_accounts: licenses_wait(connection),
            // Beside the asserted name, which the provider may spell in another way than the subject.
            user_names: (by_user_name && asserted.user_name.as_ref().is_some_and(|name| name != subject))
                .then(|| (connection.id.clone(), subject.clone()))
                .into_iter()
                .collect(),
            ..DirectoryNeed::default()
        },
        sign_in: rules::SignInNeed {
            policies: false,
            // Inside the connection's own domains nobody else has a say.
            domains: asserted
                .email
                .as_ref()
                .filter(|email| !connection.settings.require_domain && !connection.serves(email))
                .map(|email| email.domain().to_owned())
                .into_iter()
                .collect(),
            emergency: false,
        },
        local_groups: Vec::new(),
    }
}

fn licenses_wait(connection: &Connection) -> bool {
    connection.provisioning == Provisioning::Scim && connection.settings.licence_at == LicenseAt::FirstLogin
}

/// Replaces [`OrganizationsNeeded::All`] by the organizations whose rules may admit, `every` being the ids of all there are.
/// Without this call the decision is the same, only everything is loaded.
pub fn narrow(need: &mut Need, incoming: &Incoming, in_force: &InForce, every: &[OrganizationId]) {
    if need.organizations == OrganizationsNeeded::All {
        need.organizations = OrganizationsNeeded::Ids(in_force.admitting(&Claims::of(incoming), every));
    }
}

/// Decides a sign-in through a connection.
///
/// A refusal changes nothing about people, with one exception: when no organization accepts the person
/// ([`Denial::NoOrganization`]), what was decided on the way there stands. A new account is kept unplaced if the connection
/// wants that (C-10), and rules that no longer admit take back what they gave (C-09). A proof is spent either way.
pub fn decide(
    incoming: &Incoming,
    facts: &Facts,
    in_force: &InForce,
    limits: &SessionLimits,
    fresh: &Fresh,
    now: Timestamp,
) -> Decision {
    let attempt = Attempt {
        incoming,
        facts,
        in_force,
        limits,
        fresh,
        now,
    };
    let mut steps = Steps::default();
    let ended = attempt.run(&mut steps);
    attempt.finish(ended, steps)
}

/// Finds the accounts among which the person may say which one is hers, after [`decide`] refused with
/// [`Denial::AmbiguousMatch`]. None where the connection does not ask.
pub fn choices<'a>(incoming: &Incoming, facts: &'a Facts, in_force: &InForce) -> Vec<&'a AccountFacts> {
    match matching::find(incoming, facts, in_force.connection(), &mut Steps::default()) {
        Match::Ambiguous(several) => several,
        Match::Found { .. }
        | Match::Inactive { .. }
        | Match::Taken
        | Match::OtherIdentity
        | Match::Nobody => Vec::new(),
    }
}

/// Everything that one decision may look at.
struct Attempt<'a> {
    incoming: &'a Incoming,
    facts: &'a Facts,
    in_force: &'a InForce,
    limits: &'a SessionLimits,
    fresh: &'a Fresh,
    now: Timestamp,
}

/// How an attempt ended.
struct Ended<'a> {
    person: Option<Person<'a>>,
    refused: Option<Denial>,
}

impl<'a> Attempt<'a> {
    fn run(&self, steps: &mut Steps) -> Ended<'a> {
        if let Err(denial) = self.check_connection(steps) {
            return Ended {
                person: None,
                refused: Some(denial),
            };
        }
        self.note_claims(steps);
        let mut person = match self.settle_person(steps) {
            Ok(person) => person,
            Err(refusal) => {
                // Whom it was about stays in the trace; nothing about them is written.
                let person = refusal.account.map(Person::untouched);
                return Ended {
                    person,
                    refused: Some(refusal.denial),
                };
            }
        };
        let refused = self
            .refresh_profile(&mut person, steps)
            .and_then(|()| self.place(&mut person, steps))
            .err();
        match refused {
            Some(Denial::NoOrganization) => {
                // Identifiers in the assertion that name nothing create nothing.
                let claims = &self.incoming.normalized;
                let named = claims.account_id.is_some() || claims.permission_profile_id.is_some();
                let keep = !person.is_new() || (self.in_force.connection().settings.keep_unplaced && !named);
                if keep && person.is_new() {
                    let text = "the account is kept without an organization";
                    steps.add(Stage::Organization, StepOutcome::Warned, "kept_unplaced", text);
                }
                if !keep {
                    person.changes.clear();
                }
            }
            Some(_) => person.changes.clear(),
            None => {}
        }
        let dropped = person.is_new() && person.changes.is_empty();
        Ended {
            person: (!dropped).then_some(person),
            refused,
        }
    }

    fn check_connection(&self, steps: &mut Steps) -> Result<(), Denial> {
        let connection = self.in_force.connection();
        // A mismatch would be a fault of the caller; it must not admit anybody through the wrong policy.
        if connection.id != self.incoming.connection
            || connection.protocol != self.incoming.protocol
            || !connection.enabled
        {
            let text = format!("connection {} is not in use", self.incoming.connection);
            steps.add(Stage::Verify, StepOutcome::Refused, "connection_disabled", text);
            return Err(Denial::ConnectionDisabled);
        }
        if !self.in_force.entitlements().sso {
            let text = "the plan of the organization does not include single sign-on";
            steps.add(
                Stage::Verify,
                StepOutcome::Refused,
                Denial::EntitlementMissing.code(),
                text,
            );
            return Err(Denial::EntitlementMissing);
        }
        let what = match connection.protocol {
            crate::connection::Protocol::Saml => "SAML assertion",
            crate::connection::Protocol::Oidc => "ID token",
        };
        let text = format!("{what} of {} verified", connection.name);
        steps.add(Stage::Verify, StepOutcome::Passed, "verified", text);
        Ok(())
    }

    fn note_claims(&self, steps: &mut Steps) {
        let claims = &self.incoming.normalized;
        let email = match &claims.email {
            Some(email) if claims.email_verified => format!("e-mail {email}"),
            Some(email) => format!("e-mail {email} (not verified, so never used to match)"),
            None => "no e-mail".to_owned(),
        };
        let groups = match claims.groups.len() {
            1 => "1 group".to_owned(),
            count => format!("{count} groups"),
        };
        let text = format!("claims: {email}, {groups}");
        steps.add(Stage::Normalize, StepOutcome::Passed, "claims", text);
    }

    fn finish(&self, ended: Ended<'_>, mut steps: Steps) -> Decision {
        let account = ended.person.as_ref().map(|person| person.account.id.clone());
        let mut plan = Plan {
            changes: Vec::new(),
            session: None,
            spend: self.incoming.proof.clone(),
        };
        let mut refused = ended.refused;
        if let Some(person) = ended.person {
            // The last guard, whatever the stages above decided: only an active account gets a session.
            if refused.is_none() && person.account.status != Status::Active {
                refused = Some(Denial::Suspended);
            } else {
                plan.changes = person.changes;
            }
            if refused.is_none() {
                plan.session = Some(self.session(&person.account.id));
            }
        }
        let verdict = match (refused, &account) {
            (None, Some(account)) => {
                let text = if plan
                    .changes
                    .iter()
                    .any(|change| matches!(change, Change::CreateAccount { .. }))
                {
                    format!("signed in as new account {account}")
                } else {
                    format!("signed in as account {account}")
                };
                steps.add(Stage::Apply, StepOutcome::Passed, "signed_in", text);
                Verdict::Admitted(account.clone())
            }
            (refused, _) => {
                let denial = refused.unwrap_or(Denial::NotFound);
                let text = format!("not signed in ({})", denial.code());
                steps.add(Stage::Apply, StepOutcome::Refused, denial.code(), text);
                Verdict::Refused(denial)
            }
        };
        let trace = Trace {
            id: self.fresh.trace.clone(),
            at: self.now,
            kind: SIGN_IN.to_owned(),
            connection: Some(self.in_force.connection().id.clone()),
            account,
            steps: steps.into_vec(),
        };
        Decision { verdict, plan, trace }
    }

    fn session(&self, account: &crate::id::AccountId) -> OpenSession {
        let context = &self.incoming.authentication;
        let longest = ends_at(self.now, self.limits);
        OpenSession {
            id: self.fresh.session.clone(),
            digest: self.fresh.session_digest.clone(),
            account: account.clone(),
            connection: Some(self.in_force.connection().id.clone()),
            link: Some(self.link()),
            upstream_session: context.upstream_session.clone(),
            // A provider's clock may run ahead; nobody has authenticated in the future.
            authenticated_at: context.at.map_or(self.now, |at| at.min(self.now)),
            methods: context.methods.clone(),
            class: context.class.clone(),
            ends_at: context.session_ends.map_or(longest, |ends| ends.min(longest)),
            idle_seconds: self.limits.idle_seconds,
        }
    }

    fn link(&self) -> Link {
        Link {
            connection: self.in_force.connection().id.clone(),
            subject: self.incoming.subject.clone(),
        }
    }
}

/// The absolute end of a session that begins now; the end of time if the sum is out of range.
fn ends_at(now: Timestamp, limits: &SessionLimits) -> Timestamp {
    now.checked_add(SignedDuration::from_secs(limits.absolute_seconds))
        .unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod sync_tests;
#[cfg(test)]
mod tests;
