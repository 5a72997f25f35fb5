//! Refreshes profile fields from the claims of a sign-in. Never empties a field because a claim is absent.

use super::Attempt;
use super::person::Person;
use crate::connection::{EmailUpdate, Provisioning, RoleSync};
use crate::denial::Denial;
use crate::directory::{Account, ProfileField, Status};
use crate::email::Email;
use crate::plan::{Change, ProfilePatch};
use crate::trace::{Stage, StepOutcome, Steps};

impl Attempt<'_> {
    pub(super) fn refresh_profile(&self, person: &mut Person<'_>, steps: &mut Steps) -> Result<(), Denial> {
        let Some(known) = person.known else { return Ok(()) };
        let (mut set, mut before) = (ProfilePatch::default(), ProfilePatch::default());
        self.refresh_attributes(&mut person.account, (&mut set, &mut before), steps);
        if self.in_force.connection().provisioning == Provisioning::Scim {
            let text = "profile: the directory keeps it, claims change nothing";
            steps.add(Stage::Profile, StepOutcome::Skipped, "profile_of_directory", text);
            if set != ProfilePatch::default() {
                person.changes.push(Change::UpdateProfile {
                    account: known.account.id.clone(),
                    version: known.account.version,
                    set,
                    before,
                });
            }
            return Ok(());
        }
        let account = &mut person.account;
        self.refresh_names(&known.account, account, (&mut set, &mut before), steps);
        let alert = self.refresh_email(person, (&mut set, &mut before), steps)?;
        if set != ProfilePatch::default() {
            person.changes.push(Change::UpdateProfile {
                account: known.account.id.clone(),
                version: known.account.version,
                set,
                before,
            });
        }
        if let Some(text) = alert {
            person.changes.push(Change::Alert {
                account: known.account.id.clone(),
                code: "email_not_updated".to_owned(),
                text,
            });
        }
        Ok(())
    }

    /// Takes over the asserted address, or says why not: what an admin is told, if anything.
    fn refresh_email(
        &self,
        person: &mut Person<'_>,
        (set, before): (&mut ProfilePatch, &mut ProfilePatch),
        steps: &mut Steps,
    ) -> Result<Option<String>, Denial> {
        let asserted = self.different_email(person.account.email.as_ref());
        let kept = person
            .known
            .and_then(|known| self.kept(ProfileField::Email, &known.account));
        if let (Some(asserted), Some(why)) = (asserted, kept) {
            let text = format!("e-mail {asserted} is asserted; the old one is kept: {why}");
            steps.add(Stage::Profile, StepOutcome::Skipped, "email_kept", text);
        } else if let Some(asserted) = asserted {
            match self.judge_email(asserted, person) {
                Ok(()) => {
                    let text = format!("e-mail updated to {asserted}");
                    steps.add(Stage::Profile, StepOutcome::Passed, "email_updated", text);
                    set.email = Some(Some(asserted.clone()));
                    before.email = Some(person.account.email.clone());
                    person.account.email = Some(asserted.clone());
                }
                Err(Kept::Quietly) => {
                    let text = format!("e-mail {asserted} is asserted; the connection keeps the old one");
                    steps.add(Stage::Profile, StepOutcome::Skipped, "email_kept", text);
                }
                Err(Kept::WithAlert(reason)) => {
                    let text = format!("e-mail {asserted} is asserted but {reason}; the old one is kept");
                    steps.add(Stage::Profile, StepOutcome::Warned, "email_kept", text.clone());
                    return Ok(Some(text));
                }
                Err(Kept::Refuse) => {
                    let text = format!("e-mail {asserted} is asserted but belongs to another account");
                    steps.add(
                        Stage::Profile,
                        StepOutcome::Refused,
                        Denial::EmailTaken.code(),
                        text,
                    );
                    return Err(Denial::EmailTaken);
                }
            }
        }
        Ok(None)
    }

    /// The asserted address, if the provider vouches for it and it is another one.
    fn different_email(&self, held: Option<&Email>) -> Option<&Email> {
        let claims = &self.incoming.normalized;
        claims
            .email
            .as_ref()
            .filter(|_| claims.email_verified)
            .filter(|asserted| held.is_none_or(|held| held.key() != asserted.key()))
    }

    /// Judges a new address (C-14, R-34).
    fn judge_email(&self, asserted: &Email, person: &Person<'_>) -> Result<(), Kept> {
        let connection = self.in_force.connection();
        let free = self.is_email_free(asserted, person);
        match connection.settings.email_update {
            EmailUpdate::Never => Err(Kept::Quietly),
            EmailUpdate::Always if free => Ok(()),
            EmailUpdate::Always => Err(Kept::Refuse),
            EmailUpdate::IfOwnDomainAndFree if !connection.serves(asserted) => Err(Kept::WithAlert(
                "lies outside the verified domains of the connection",
            )),
            EmailUpdate::IfOwnDomainAndFree if !free => Err(Kept::WithAlert("belongs to another account")),
            EmailUpdate::IfOwnDomainAndFree => Ok(()),
        }
    }

    /// Takes over names that are asserted.
    fn refresh_names(
        &self,
        known: &Account,
        account: &mut Account,
        (set, before): (&mut ProfilePatch, &mut ProfilePatch),
        steps: &mut Steps,
    ) {
        let claims = &self.incoming.normalized;
        let names = [
            (
                &claims.given_name,
                &mut account.given_name,
                &mut set.given_name,
                &mut before.given_name,
            ),
            (
                &claims.family_name,
                &mut account.family_name,
                &mut set.family_name,
                &mut before.family_name,
            ),
            (
                &claims.display_name,
                &mut account.display_name,
                &mut set.display_name,
                &mut before.display_name,
            ),
        ];
        let kept = self.kept(ProfileField::Names, known);
        for (claim, held, set, before) in names {
            let Some(claimed) = differing(claim.as_ref(), held.as_ref()) else {
                continue;
            };
            if let Some(why) = kept {
                let text = format!("name \"{claimed}\" is asserted; nothing changes: {why}");
                steps.add(Stage::Profile, StepOutcome::Skipped, "names_kept", text);
                continue;
            }
            *before = Some(held.replace(claimed.clone()));
            *set = Some(Some(claimed.clone()));
        }
    }

    /// Says why a part of the profile does not follow the claims of a person who was known before; none if it does.
    fn kept(&self, field: ProfileField, held: &Account) -> Option<&'static str> {
        match self.in_force.connection().settings.sync.of_profile(field) {
            RoleSync::Creation => Some("the connection sets it only once"),
            RoleSync::UntilEdited if held.edited.contains(&field) => Some("it was edited by hand"),
            RoleSync::UntilEdited | RoleSync::EveryLogin => None,
        }
    }

    /// Free among the accounts of the same kind: one address may hold a standard and an SSO account.
    fn is_email_free(&self, asserted: &Email, person: &Person<'_>) -> bool {
        let key = asserted.key();
        !self.facts.candidates.iter().any(|candidate| {
            candidate.account.id != person.account.id
                && candidate.account.status != Status::Deleted
                && candidate.account.authentication == person.account.authentication
                && candidate
                    .account
                    .email
                    .as_ref()
                    .is_some_and(|held| held.key() == key)
        })
    }
}

/// Why an asserted address is not taken over.
enum Kept {
    Quietly,
    WithAlert(&'static str),
    Refuse,
}

/// Returns a claim that is there, not blank and different from what is held.
fn differing<'a>(claim: Option<&'a String>, held: Option<&String>) -> Option<&'a String> {
    claim.filter(|claimed| !claimed.trim().is_empty() && held != Some(claimed))
}
