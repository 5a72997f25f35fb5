//! Judges whether somebody manages the people of an organization (R-87, C-26), for what concerns many of them at once and is
//! about no single account: beginning, stopping and taking back a run. Changes nothing; each person is judged again.

use jiff::Timestamp;

use super::authority::Authority;
use super::{Actor, Work};
use crate::denial::Denial;
use crate::facts::{Facts, Need, OrganizationsNeeded};
use crate::id::OrganizationId;
use crate::incoming::Fresh;
use crate::plan::{Decision, Plan, Verdict};
use crate::trace::{PROVISION, Stage, StepOutcome, Steps, Trace};

/// Says what must be loaded to judge.
pub fn need(actor: &Actor, organization: &OrganizationId) -> Need {
    let account = if let Actor::Admin { account, .. } = actor {
        Some(account.clone())
    } else {
        None
    };
    Need {
        accounts: account.into_iter().collect(),
        organizations: OrganizationsNeeded::Ids(vec![organization.clone()]),
        ..Need::default()
    }
}

/// Judges whether `actor` manages the people of `organization`. `what` is wanted, as a clause for the trace.
pub fn decide(
    actor: &Actor,
    organization: &OrganizationId,
    what: &str,
    facts: &Facts,
    fresh: &Fresh,
    now: Timestamp,
) -> Decision {
    let theirs = "the people of the organization are theirs to manage";
    let of = (actor, organization, what);
    judged(of, theirs, (facts, fresh, now), |work| {
        work.must_manage(organization)
    })
}

/// Judges what `actor` wants in an organization and what changes nobody by itself; `theirs` is why where nothing is against it.
pub(super) fn judged(
    (actor, organization, what): (&Actor, &OrganizationId, &str),
    theirs: &str,
    (facts, fresh, now): (&Facts, &Fresh, Timestamp),
    judge: impl FnOnce(&mut Work<'_>) -> Result<(), Denial>,
) -> Decision {
    let mut work = Work {
        actor,
        facts,
        connection: None,
        fresh,
        now,
        steps: Steps::default(),
        changes: Vec::new(),
    };
    let text = format!("{} wants to {what}", actor.label());
    work.steps
        .about(Stage::Verify, StepOutcome::Passed, "asked", organization, text);
    let verdict = match judge(&mut work) {
        Ok(()) => {
            work.steps
                .add(Stage::Apply, StepOutcome::Passed, "decided", theirs);
            Verdict::Accepted
        }
        Err(denial) => {
            let text = format!("refused ({})", denial.code());
            work.steps
                .add(Stage::Apply, StepOutcome::Refused, denial.code(), text);
            Verdict::Refused(denial)
        }
    };
    Decision {
        verdict,
        plan: Plan::default(),
        trace: Trace {
            id: fresh.trace.clone(),
            at: now,
            kind: PROVISION.to_owned(),
            connection: None,
            account: None,
            steps: work.steps.into_vec(),
        },
    }
}

impl Work<'_> {
    pub(super) fn must_manage(&mut self, organization: &OrganizationId) -> Result<(), Denial> {
        self.organization(organization)?;
        match self.authority()? {
            Authority::Operator | Authority::Everything => Ok(()),
            Authority::Admin {
                organization: own, ..
            } if own == *organization => Ok(()),
            Authority::Admin { .. } => {
                let text = "the organization is another one than the admin's";
                Err(self.refuse(Denial::NotFound, text))
            }
            Authority::Directory { .. } => {
                let text = "a directory manages its own people only, one by one";
                Err(self.refuse(Denial::NotPermitted, text))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::{Authentication, ManagedBy, Source};
    use crate::fixtures::*;

    fn world() -> World {
        let person = |id: &str, role: &str| {
            let account = account(id, Authentication::Standard);
            known(account, &[], vec![member("acme", Source::Manual, &[role])])
        };
        let people = vec![
            person("olga", "owner"),
            person("adam", "admin"),
            person("mia", "member"),
        ];
        World::new(&["acme", "other"], people)
    }

    fn verdict(world: &World, actor: &Actor, organization: &str) -> Verdict {
        let organization = organization.into();
        let facts = world.facts(&need(actor, &organization));
        let decision = decide(actor, &organization, "begin", &facts, &fresh(9), now());
        assert_eq!(decision.plan, Plan::default());
        decision.verdict
    }

    fn admin(id: &str) -> Actor {
        Actor::Admin {
            account: id.into(),
            organization: "acme".into(),
        }
    }

    fn key(organization: Option<&str>) -> Actor {
        Actor::Key {
            key: "key-1".to_owned(),
            organization: organization.map(OrganizationId::new),
        }
    }

    #[test]
    fn r87_owners_and_admins_of_the_organization_and_its_keys_manage_its_people() {
        let world = world();
        for actor in [
            admin("olga"),
            admin("adam"),
            key(Some("acme")),
            key(None),
            Actor::System,
        ] {
            assert_eq!(verdict(&world, &actor, "acme"), Verdict::Accepted, "{actor:?}");
        }
        let denied = |actor: &Actor, organization: &str, denial| {
            assert_eq!(
                verdict(&world, actor, organization),
                Verdict::Refused(denial),
                "{actor:?}"
            );
        };
        denied(&admin("mia"), "acme", Denial::NotPermitted);
        denied(&admin("nobody"), "acme", Denial::NotPermitted);
        denied(&admin("olga"), "other", Denial::NotFound);
        denied(&key(Some("acme")), "other", Denial::NotFound);
        denied(&key(None), "nowhere", Denial::NotFound);
        denied(&Actor::Person, "acme", Denial::NotPermitted);
        let connection = "okta".into();
        denied(&Actor::Scim { connection }, "acme", Denial::NotPermitted);
    }

    #[test]
    fn c26_where_only_owners_manage_an_admin_does_not() {
        let mut world = world();
        for known in &mut world.organizations {
            known.organization.managed_by = ManagedBy::Owners;
        }
        let refused = Verdict::Refused(Denial::NotPermitted);
        assert_eq!(verdict(&world, &admin("adam"), "acme"), refused);
        assert_eq!(verdict(&world, &admin("olga"), "acme"), Verdict::Accepted);
        assert_eq!(verdict(&world, &key(Some("acme")), "acme"), Verdict::Accepted);
    }
}
