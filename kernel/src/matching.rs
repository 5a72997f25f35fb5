//! Finds the account that an incoming identity stands for (C-12). Never links or changes one.
//!
//! In order:
//! 1. A link to exactly this subject. A kept link is a fact and not a guess, so it always counts.
//! 2. An account bound to this connection that nobody has signed in with yet, by verified e-mail: an admin or directory
//!    chose the address and the connection for this person, so no names are asked for.
//! 3. The steps of the connection's chain. They find accounts bound to this connection (Active, or Invited), and, in
//!    JIT mode only, standard accounts that are Active members of an organization in the connection's reach.
//!    Bound accounts go first, because one address may hold a standard and an SSO account.
//!
//! Where a directory pushes the accounts, [`join`] takes the place of steps 2 and 3.
//!
//! Never found by any rule: accounts of another connection, emergency admins, operators. E-mail counts only if the
//! provider vouches for it and it lies in a verified domain of the connection (R-111, C-15). Attack held off:
//! a provider that asserts somebody else's address, or one that lets people type their own.

use unicode_normalization::UnicodeNormalization;

use crate::connection::{Connection, MatchStep, NameComparison, OnAmbiguous, Provisioning};
use crate::directory::{Authentication, Origin, Status};
use crate::email::Email;
use crate::facts::{AccountFacts, Facts};
use crate::id::ConnectionId;
use crate::incoming::Incoming;
use crate::trace::{Stage, StepOutcome, Steps};

mod join;

/// What matching found.
#[derive(Clone, Debug)]
pub(crate) enum Match<'a> {
    /// One account that may sign in, or may after its first sign-in.
    Found {
        account: &'a AccountFacts,
        by_link: bool,
    },
    /// One account that somebody or something took out (C-06).
    Inactive {
        account: &'a AccountFacts,
        by_link: bool,
    },
    /// Several; none is picked. Those among whom the person may be asked to choose.
    Ambiguous(Vec<&'a AccountFacts>),
    /// The address belongs to another identity of this connection.
    Taken,
    /// The pushed account of the person belongs to another identity.
    OtherIdentity,
    /// Nobody.
    Nobody,
}

/// Why the asserted address cannot be used to match or create.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EmailTrouble {
    /// None was asserted, or the provider does not vouch for it.
    Missing,
    /// It lies outside the verified domains.
    Domain,
}

/// Returns the asserted address if it may be used to match and create.
pub(crate) fn usable_email<'a>(
    incoming: &'a Incoming,
    connection: &Connection,
) -> Result<&'a Email, EmailTrouble> {
    let email = incoming.normalized.email.as_ref().ok_or(EmailTrouble::Missing)?;
    if !incoming.normalized.email_verified {
        return Err(EmailTrouble::Missing);
    }
    if connection.settings.require_domain && !connection.serves(email) {
        return Err(EmailTrouble::Domain);
    }
    Ok(email)
}

/// Tells whether an account belongs to the connection.
pub(crate) fn is_bound(account: &AccountFacts, connection: &ConnectionId) -> bool {
    match &account.account.authentication {
        Authentication::Sso { connection: own } => own == connection,
        Authentication::Standard => false,
    }
}

/// Finds the account that the identity stands for.
pub(crate) fn find<'a>(
    incoming: &Incoming,
    facts: &'a Facts,
    connection: &Connection,
    steps: &mut Steps,
) -> Match<'a> {
    if let Some(linked) = linked(incoming, facts) {
        let text = format!("matched by {}", subject_word(incoming));
        steps.add(Stage::Match, StepOutcome::Passed, "matched_subject", text);
        return match linked.account.status {
            Status::Active | Status::Invited => Match::Found {
                account: linked,
                by_link: true,
            },
            Status::Suspended | Status::Deactivated | Status::Deleted => Match::Inactive {
                account: linked,
                by_link: true,
            },
        };
    }
    note_near_misses(incoming, facts, steps);
    let search = Search {
        incoming,
        facts,
        connection,
    };
    let found = match connection.provisioning {
        Provisioning::Scim => search.join(steps),
        Provisioning::Manual | Provisioning::Jit => search.run(steps),
    };
    search.held_to_choice(found, steps)
}

fn linked<'a>(incoming: &Incoming, facts: &'a Facts) -> Option<&'a AccountFacts> {
    facts.linked.as_ref().filter(|linked| {
        linked
            .links
            .iter()
            .any(|link| link.connection == incoming.connection && link.subject == incoming.subject)
    })
}

/// comparison is exact, and a near miss is said.
fn note_near_misses(incoming: &Incoming, facts: &Facts, steps: &mut Steps) {
    for near in &facts.near_subjects {
        let text = format!(
            "no account is linked to {} \"{}\", but one is to \"{near}\", which differs only in letter case",
            subject_word(incoming),
            incoming.subject.value
        );
        steps.add(Stage::Match, StepOutcome::Warned, "subject_near_miss", text);
    }
    if facts.near_subjects.is_empty() {
        let text = format!(
            "no account is linked to {} \"{}\"",
            subject_word(incoming),
            incoming.subject.value
        );
        steps.add(Stage::Match, StepOutcome::Skipped, "subject_unknown", text);
    }
}

fn subject_word(incoming: &Incoming) -> &'static str {
    match incoming.protocol {
        crate::connection::Protocol::Saml => "NameID",
        crate::connection::Protocol::Oidc => "sub",
    }
}

/// What the search looks at.
struct Search<'a, 'b> {
    incoming: &'b Incoming,
    facts: &'a Facts,
    connection: &'b Connection,
}

/// Whom one step found.
#[derive(Default)]
struct Hits<'a> {
    live: Vec<&'a AccountFacts>,
    inactive: Vec<&'a AccountFacts>,
}

impl<'a> Search<'a, '_> {
    fn run(&self, steps: &mut Steps) -> Match<'a> {
        let mut inactive: Vec<&'a AccountFacts> = Vec::new();
        let chain = self
            .connection
            .settings
            .match_chain
            .iter()
            .copied()
            .filter(|step| *step != MatchStep::Subject);
        for step in std::iter::once(None).chain(chain.map(Some)) {
            let hits = self.hits(step);
            match self.narrowed(hits.live, step, steps).as_slice() {
                // The account would move to this connection, where its address is already held.
                [account]
                    if !is_bound(account, &self.connection.id) && self.holder_of_address().is_some() =>
                {
                    return self.taken(steps);
                }
                [account] => {
                    let text = format!("matched by {}", word(step));
                    steps.add(Stage::Match, StepOutcome::Passed, code(step), text);
                    return Match::Found {
                        account,
                        by_link: false,
                    };
                }
                [] => {}
                several => return self.ambiguous(several, step, steps),
            }
            if inactive.is_empty() {
                inactive = hits.inactive;
            }
        }
        match inactive.as_slice() {
            [] => {}
            [account] => {
                let text = "an account that is not active matches";
                steps.add(Stage::Match, StepOutcome::Warned, "matched_inactive", text);
                return Match::Inactive {
                    account,
                    by_link: false,
                };
            }
            several => {
                note_several(several, None, steps);
                return Match::Ambiguous(Vec::new());
            }
        }
        if self.holder_of_address().is_some() {
            return self.taken(steps);
        }
        steps.add(
            Stage::Match,
            StepOutcome::Skipped,
            "matched_nobody",
            "no account matches",
        );
        Match::Nobody
    }

    /// Leaves the one of several that the person said is hers, where she is asked. It fits like the others, so the choice
    /// gives nothing that the provider has not vouched for.
    fn narrowed(
        &self,
        found: Vec<&'a AccountFacts>,
        step: Option<MatchStep>,
        steps: &mut Steps,
    ) -> Vec<&'a AccountFacts> {
        let asks = found.len() > 1 && self.connection.settings.on_ambiguous == OnAmbiguous::Ask;
        let chosen = self.incoming.chosen.as_ref().filter(|_| asks);
        let Some(chosen) = chosen.and_then(|id| found.iter().find(|one| one.account.id == *id)) else {
            return found;
        };
        let text = format!(
            "{} accounts match by {}; the person said that {} is theirs",
            found.len(),
            word(step),
            chosen.account.id
        );
        steps.add(Stage::Match, StepOutcome::Passed, "chosen", text);
        vec![chosen]
    }

    /// Whoever said which account is hers gets that one or none: what fits may have changed since she was asked.
    fn held_to_choice(&self, found: Match<'a>, steps: &mut Steps) -> Match<'a> {
        let Some(chosen) = &self.incoming.chosen else {
            return found;
        };
        match found {
            Match::Found { account, .. } | Match::Inactive { account, .. }
                if account.account.id == *chosen =>
            {
                found
            }
            Match::Ambiguous(_) => found,
            Match::Found { .. }
            | Match::Inactive { .. }
            | Match::Taken
            | Match::OtherIdentity
            | Match::Nobody => {
                let text = format!("the person said that {chosen} is theirs, which does not fit any more");
                steps.add(Stage::Match, StepOutcome::Refused, "choice_gone", text);
                Match::Ambiguous(Vec::new())
            }
        }
    }

    fn ambiguous(
        &self,
        several: &[&'a AccountFacts],
        step: Option<MatchStep>,
        steps: &mut Steps,
    ) -> Match<'a> {
        note_several(several, step, steps);
        if self.connection.settings.on_ambiguous == OnAmbiguous::Fail {
            return Match::Ambiguous(Vec::new());
        }
        // Whom it would be of no use to choose is not offered.
        let is_joined = self.connection.provisioning == Provisioning::Scim;
        let offered = several.iter().copied().filter(|account| {
            matches!(account.account.status, Status::Active | Status::Invited)
                && !(is_joined && self.has_own_link(account))
        });
        Match::Ambiguous(offered.collect())
    }

    /// Two SSO accounts of one connection never share an address. Says who holds it.
    fn taken(&self, steps: &mut Steps) -> Match<'a> {
        let holder = self
            .holder_of_address()
            .map_or("", |holder| holder.account.id.as_str());
        let text = format!(
            "the address already belongs to account {holder} of this connection, linked to another identity: probably \
             the same person; an admin can reset that account's identity"
        );
        steps.add(
            Stage::Match,
            StepOutcome::Refused,
            "address_of_other_identity",
            text,
        );
        Match::Taken
    }

    /// Collects whom one step finds; none stands for the accounts made for this person (step 2 of the module's list).
    fn hits(&self, step: Option<MatchStep>) -> Hits<'a> {
        let found: Vec<&'a AccountFacts> = self
            .facts
            .candidates
            .iter()
            .filter(|candidate| self.is_eligible(candidate) && self.fits(candidate, step))
            .collect();
        let any_bound = found
            .iter()
            .any(|candidate| is_bound(candidate, &self.connection.id));
        let mut hits = Hits::default();
        for candidate in found {
            let bound = is_bound(candidate, &self.connection.id);
            match candidate.account.status {
                // One address may hold both; the account of this connection goes first.
                _ if any_bound && !bound => {}
                Status::Active => hits.live.push(candidate),
                Status::Invited if bound => hits.live.push(candidate),
                Status::Suspended | Status::Deactivated => hits.inactive.push(candidate),
                // Only the directory's own deletion is remembered here; what an admin deleted is known by its link (C-29).
                Status::Deleted if bound && candidate.account.status_origin == Origin::Scim => {
                    hits.inactive.push(candidate);
                }
                Status::Invited | Status::Deleted => {}
            }
        }
        hits
    }

    fn is_eligible(&self, candidate: &AccountFacts) -> bool {
        if candidate.account.emergency_admin || candidate.account.operator {
            return false;
        }
        match &candidate.account.authentication {
            Authentication::Sso { connection } => *connection == self.connection.id,
            Authentication::Standard => {
                self.connection.provisioning == Provisioning::Jit
                    && candidate.memberships.iter().any(|membership| {
                        membership.active && self.connection.reaches(&membership.organization)
                    })
            }
        }
    }

    fn fits(&self, candidate: &AccountFacts, step: Option<MatchStep>) -> bool {
        let bound = is_bound(candidate, &self.connection.id);
        let subject = self.incoming.subject.value.as_str();
        match step {
            None => bound && !self.has_own_link(candidate) && self.same_email(candidate),
            Some(MatchStep::Subject) => false,
            Some(MatchStep::EmailGivenSurname) => {
                self.same_email(candidate)
                    && self.same_names(candidate)
                    && (bound || self.may_speak_for(candidate))
            }
            Some(MatchStep::VerifiedEmail) => {
                self.same_email(candidate)
                    && self
                        .incoming
                        .normalized
                        .email
                        .as_ref()
                        .is_some_and(|email| self.connection.serves(email))
            }
            Some(MatchStep::ExternalId) => bound && candidate.account.external_id.as_deref() == Some(subject),
            Some(MatchStep::UserName) => {
                let held = candidate.account.user_name.as_deref();
                bound
                    && held.is_some()
                    && (held == Some(subject) || held == self.incoming.normalized.user_name.as_deref())
            }
        }
    }

    /// Tells whether the provider may take over a standard account by its address: one in a verified domain of the
    /// connection, or, where C-15 is off, one that belongs to nobody but organizations in reach. Attack held off: the
    /// provider of one customer asserts the address of a person who also works for another customer, and so ends her
    /// password and her access there.
    fn may_speak_for(&self, candidate: &AccountFacts) -> bool {
        let served = self
            .incoming
            .normalized
            .email
            .as_ref()
            .is_some_and(|email| self.connection.serves(email));
        served
            || candidate
                .memberships
                .iter()
                .all(|membership| self.connection.reaches(&membership.organization))
    }

    fn has_own_link(&self, candidate: &AccountFacts) -> bool {
        candidate
            .links
            .iter()
            .any(|link| link.connection == self.connection.id)
    }

    fn same_email(&self, candidate: &AccountFacts) -> bool {
        usable_email(self.incoming, self.connection).is_ok_and(|email| {
            candidate
                .account
                .email
                .as_ref()
                .is_some_and(|held| held.key() == email.key())
        })
    }

    fn same_names(&self, candidate: &AccountFacts) -> bool {
        let how = self.connection.settings.name_comparison;
        let asserted = &self.incoming.normalized;
        same_name(
            how,
            asserted.given_name.as_deref(),
            candidate.account.given_name.as_deref(),
        ) && same_name(
            how,
            asserted.family_name.as_deref(),
            candidate.account.family_name.as_deref(),
        )
    }

    fn holder_of_address(&self) -> Option<&'a AccountFacts> {
        self.facts.candidates.iter().find(|candidate| {
            is_bound(candidate, &self.connection.id)
                && candidate.account.status != Status::Deleted
                && self.same_email(candidate)
        })
    }
}

/// Compares names (C-13). A missing or empty name equals nothing, so two of three never match.
fn same_name(how: NameComparison, left: Option<&str>, right: Option<&str>) -> bool {
    let (Some(left), Some(right)) = (left, right) else {
        return false;
    };
    if left.trim().is_empty() {
        return false;
    }
    match how {
        NameComparison::Strict => left == right,
        NameComparison::Folded => fold(left) == fold(right),
    }
}

/// Trimmed, NFKC, lower case.
fn fold(name: &str) -> String {
    name.trim()
        .nfkc()
        .collect::<String>()
        .to_lowercase()
        .nfkc()
        .collect()
}

fn note_several(several: &[&AccountFacts], step: Option<MatchStep>, steps: &mut Steps) {
    let mut ids: Vec<&str> = several
        .iter()
        .map(|account| account.account.id.as_str())
        .collect();
    ids.sort_unstable();
    let text = format!(
        "{} accounts match by {}, and none is picked: {}",
        ids.len(),
        word(step),
        ids.join(", ")
    );
    steps.add(Stage::Match, StepOutcome::Refused, "matched_several", text);
}

const fn word(step: Option<MatchStep>) -> &'static str {
    match step {
        None => "the address of an account made for this person",
        Some(MatchStep::Subject) => "NameID",
        Some(MatchStep::EmailGivenSurname) => "e-mail, given name and surname",
        Some(MatchStep::VerifiedEmail) => "verified e-mail",
        Some(MatchStep::ExternalId) => "directory identifier",
        Some(MatchStep::UserName) => "user name",
    }
}

const fn code(step: Option<MatchStep>) -> &'static str {
    match step {
        None => "matched_made_for_person",
        Some(MatchStep::Subject) => "matched_subject",
        Some(MatchStep::EmailGivenSurname) => "matched_email_given_surname",
        Some(MatchStep::VerifiedEmail) => "matched_verified_email",
        Some(MatchStep::ExternalId) => "matched_external_id",
        Some(MatchStep::UserName) => "matched_user_name",
    }
}

#[cfg(test)]
mod tests;
