//! Places the person of a sign-in: by rules, or by what admins or a directory made where no rules run.

use super::Attempt;
use super::person::Person;
use crate::connection::{LicenseAt, Provisioning};
use crate::denial::Denial;
use crate::directory::{Membership, Source};
use crate::guard;
use crate::mapping::Claims;
use crate::placing::{self, Member, Placing, has_signed_in};
use crate::plan::Change;
use crate::trace::{Stage, StepOutcome, Steps};

impl Attempt<'_> {
    /// Plans the memberships.
    ///
    /// # Errors
    /// [`Denial::NoOrganization`] if the person is an active member of none in reach afterwards; the other denials of
    /// the rules, which undo the whole sign-in.
    pub(super) fn place(&self, person: &mut Person<'_>, steps: &mut Steps) -> Result<(), Denial> {
        let connection = self.in_force.connection();
        let active = match connection.provisioning {
            Provisioning::Manual => self.count_held(person, "member by hand", "member_by_hand", steps),
            Provisioning::Scim => {
                let text = "member as the directory's pushes decided";
                let active = self.count_held(person, text, "member_by_directory", steps);
                self.license_of_directory(person, steps)?;
                active
            }
            Provisioning::Jit => self.run_rules(person, steps)?,
        };
        if active > 0 {
            return Ok(());
        }
        let text = "no organization accepts the person";
        steps.add(
            Stage::Organization,
            StepOutcome::Refused,
            Denial::NoOrganization.code(),
            text,
        );
        placing::end_sessions_if_out(&person.account.id, memberships(person), &mut person.changes);
        Err(Denial::NoOrganization)
    }

    /// No rules run where admins or the directory decide: memberships are what they made.
    fn count_held(&self, person: &Person<'_>, how: &str, code: &str, steps: &mut Steps) -> usize {
        let connection = self.in_force.connection();
        let mut active = 0;
        for membership in memberships(person) {
            if membership.active && connection.reaches(&membership.organization) {
                active += 1;
                let id = &membership.organization;
                let text = format!("organization {id}: {how}");
                steps.about(Stage::Organization, StepOutcome::Passed, code, id, text);
            }
        }
        active
    }

    /// Gives the licenses of a pushed person who signs in for the first time, where they wait for that (C-23). The rule runs over
    /// what the directory pushed, as it would at a push.
    fn license_of_directory(&self, person: &mut Person<'_>, steps: &mut Steps) -> Result<(), Denial> {
        let connection = self.in_force.connection();
        let Some(known) = person.known else { return Ok(()) };
        let waits =
            connection.settings.licence_at == LicenseAt::FirstLogin && !has_signed_in(known, &connection.id);
        let Some(profile) = self
            .facts
            .directory
            .profiles
            .get(&known.account.id)
            .filter(|_| waits)
        else {
            return Ok(());
        };
        let groups = self.facts.directory.groups_of.get(&known.account.id);
        let groups = groups.map_or(&[][..], Vec::as_slice);
        let placing = Placing {
            in_force: self.in_force,
            organizations: &self.facts.organizations,
            claims: &Claims::pushed(&connection.id, &known.account, &profile.document, groups),
            asserted: (None, None),
            source: &Source::Scim {
                connection: connection.id.clone(),
            },
            seats: None,
        };
        let member = Member {
            account: &known.account.id,
            emergency_admin: known.account.emergency_admin,
            held: &known.memberships,
            signed_in: true,
            kind: known.account.kind,
        };
        placing.license_at_first_sign_in(member, &mut person.changes, steps)
    }

    fn run_rules(&self, person: &mut Person<'_>, steps: &mut Steps) -> Result<usize, Denial> {
        let claims = &self.incoming.normalized;
        let placing = Placing {
            in_force: self.in_force,
            organizations: &self.facts.organizations,
            claims: &Claims::of(self.incoming),
            asserted: (
                claims.account_id.as_deref(),
                claims.permission_profile_id.as_deref(),
            ),
            source: &Source::Rule {
                connection: self.in_force.connection().id.clone(),
            },
            seats: None,
        };
        let member = Member {
            account: &person.account.id,
            emergency_admin: person.account.emergency_admin,
            held: memberships(person),
            signed_in: true,
            kind: person.account.kind,
        };
        let mut changes = Vec::new();
        let active = placing.run(member, &mut changes, steps)?;
        let guard = self.in_force.connection().settings.strip_guard;
        let id = &person.account.id;
        let withheld = self.keep_withheld(person, &mut changes, steps);
        let kept = guard::hold(guard.as_ref(), self.facts, id, member.held, &mut changes, steps);
        person.changes.append(&mut changes);
        Ok(active + kept + withheld)
    }

    /// Keeps memberships as they are where the provider says that it left groups out: not knowing them is not the same as not
    /// having any. Returns how many live memberships are kept. What else rules give, they give as to somebody without groups.
    fn keep_withheld(&self, person: &Person<'_>, changes: &mut Vec<Change>, steps: &mut Steps) -> usize {
        let connection = self.in_force.connection();
        if !self.incoming.normalized.groups_withheld || !connection.reads_groups() {
            return 0;
        }
        let before = changes.len();
        changes.retain(|change| {
            !matches!(
                change,
                Change::UpdateMembership { .. } | Change::RemoveMembership { .. }
            )
        });
        let live = memberships(person)
            .iter()
            .filter(|held| held.active && connection.reaches(&held.organization))
            .count();
        let what = if live > 0 || before > changes.len() {
            "memberships stay as they are"
        } else {
            "rules see none"
        };
        let text = format!(
            "the identity provider left the groups out, because they are too many for its token: {what}. Let it send only groups \
             assigned to the application"
        );
        steps.add(
            Stage::Organization,
            StepOutcome::Warned,
            "groups_withheld",
            text.clone(),
        );
        if before > changes.len() {
            changes.push(Change::Alert {
                account: person.account.id.clone(),
                code: "groups_withheld".to_owned(),
                text,
            });
        }
        live
    }
}

fn memberships<'a>(person: &Person<'a>) -> &'a [Membership] {
    person.known.map_or(&[], |known| known.memberships.as_slice())
}
