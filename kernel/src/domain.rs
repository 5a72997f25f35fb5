//! Domains of organizations: one spelling for every name, and when a claim is verified, fails, is lost or is disputed.
//!
//! A claim is proved by a TXT record at [`record_name`] that holds the token of that organization for that name. Never looks
//! anything up and never writes: what DNS answered is an argument, and the next state is a value.
//!
//! Attack held off: an organization claims a domain that is not its own and so takes over the addresses there. A name has one
//! owner at a time; whoever proves it second starts a dispute and takes nothing (security.md 3, "Domain claim").

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::email::is_host_name;

mod public;
mod settings;

pub use public::is_public_mail_domain;
pub use settings::{DomainSettings, SignInRule};

/// What the TXT record begins with; the token follows.
pub const TXT_PREFIX: &str = "provost-verification=";
/// Label under which the TXT record stands.
const LABEL: &str = "_provost-challenge";
/// How often a verified domain is looked up again.
const AGAIN: SignedDuration = SignedDuration::from_hours(24);
/// How often one that fails, or waits for its record, is looked up again.
const SOON: SignedDuration = SignedDuration::from_hours(6);
/// A claim that nobody proves is not looked up by itself any longer than this.
const PATIENCE: SignedDuration = SignedDuration::from_hours(30 * 24);
/// The record has to be gone this often …
const MISSES: u32 = 3;
/// … and at least this long, before the domain is lost.
const GRACE: SignedDuration = SignedDuration::from_hours(7 * 24);
/// A domain whose servers give no answer at all is lost after this long: a lapsed name often looks like that.
const SILENCE: SignedDuration = SignedDuration::from_hours(30 * 24);

/// Why a name cannot be claimed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DomainError {
    /// No host name of two labels, also after translation from Unicode (IDNA).
    #[error("is not a host name with a dot, such as example.com")]
    NotAName,
    /// A public mail provider.
    #[error("belongs to a public mail provider; no organization may have it")]
    PublicMail,
    /// A public suffix such as `co.uk`: others register names under it.
    #[error("is a public suffix under which anybody can register names; no organization may have it")]
    PublicSuffix,
}

impl DomainError {
    /// Returns the stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::NotAName => "invalid_domain",
            Self::PublicMail => "public_mail_domain",
            Self::PublicSuffix => "public_suffix",
        }
    }
}

/// Brings a name into the one spelling that is stored and compared: without spaces around and dot at the end, Unicode as
/// `xn--`, lower case. Subdomains stay what they are: a name of their own.
///
/// # Errors
/// [`DomainError::NotAName`].
pub fn normalize(text: &str) -> Result<String, DomainError> {
    let text = text.trim();
    if text.len() > 1024 {
        return Err(DomainError::NotAName);
    }
    let ascii = idna::domain_to_ascii_strict(text.strip_suffix('.').unwrap_or(text))
        .map_err(|_| DomainError::NotAName)?;
    let ends_in_number = ascii
        .rsplit('.')
        .next()
        .is_some_and(|last| last.bytes().all(|byte| byte.is_ascii_digit()));
    if is_host_name(&ascii) && !ends_in_number {
        Ok(ascii)
    } else {
        Err(DomainError::NotAName)
    }
}

/// Normalizes a name that an organization wants to have.
///
/// # Errors
/// [`DomainError`].
pub fn claimable(text: &str) -> Result<String, DomainError> {
    let name = normalize(text)?;
    if is_public_mail_domain(&name) {
        return Err(DomainError::PublicMail);
    }
    let is_suffix = psl::suffix(name.as_bytes())
        .is_some_and(|suffix| suffix.is_known() && suffix.as_bytes() == name.as_bytes());
    if is_suffix {
        return Err(DomainError::PublicSuffix);
    }
    Ok(name)
}

/// Returns the name under which the TXT record of a domain stands.
pub fn record_name(domain: &str) -> String {
    format!("{LABEL}.{domain}")
}

/// Returns the text that the TXT record holds.
pub fn record_text(token: &str) -> String {
    format!("{TXT_PREFIX}{token}")
}

/// How a claim stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum DomainState {
    /// Not proved yet.
    Pending,
    /// Proved, or vouched for by the operator.
    Verified,
    /// Proved, but the record was not found lately. Still in force.
    Failing,
    /// Was proved once; the record has been gone for too long. Out of force.
    Lost,
    /// Proved while another organization has the domain. The other one keeps it until the operator decides.
    Disputed,
}

impl DomainState {
    /// Tells whether the organization has the domain now: sign-ins and matching rely on it.
    pub const fn is_in_force(self) -> bool {
        matches!(self, Self::Verified | Self::Failing)
    }
}

/// Who vouches for a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum DomainMethod {
    /// The TXT record.
    Dns,
    /// The operator, by hand or by the declarative file. Never looked up again.
    Operator,
}

/// What a look-up found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LookUp {
    /// A record with the token.
    Found,
    /// An answer without the token: no such name, no TXT record, or other texts only.
    Missing(String),
    /// No usable answer: a failing server, a timeout. Says nothing about the record.
    NoAnswer(String),
}

/// A claim as far as checks know it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// How it stands.
    pub state: DomainState,
    /// Who vouches.
    pub method: DomainMethod,
    /// When it was claimed.
    pub claimed_at: Timestamp,
    /// When the record was looked up last.
    pub checked_at: Option<Timestamp>,
    /// What was wrong then, as a sentence.
    pub problem: Option<String>,
    /// How often in a row the record was gone.
    pub misses: u32,
    /// Since when it has not been found.
    pub failing_since: Option<Timestamp>,
    /// When it is looked up again by itself.
    pub next_at: Option<Timestamp>,
}

impl Claim {
    /// A new claim; looked up by itself a little later.
    pub fn new(now: Timestamp) -> Self {
        Self {
            state: DomainState::Pending,
            method: DomainMethod::Dns,
            claimed_at: now,
            checked_at: None,
            problem: None,
            misses: 0,
            failing_since: None,
            next_at: later(now, SOON),
        }
    }

    /// The claim once the operator vouches for it.
    #[must_use]
    pub fn vouched(&self) -> Self {
        Self {
            state: DomainState::Verified,
            method: DomainMethod::Operator,
            problem: None,
            misses: 0,
            failing_since: None,
            next_at: None,
            ..self.clone()
        }
    }

    /// The claim once another organization was given the domain: it has to be proved anew, with a new token.
    #[must_use]
    pub fn withdrawn(&self, problem: &str) -> Self {
        Self {
            state: DomainState::Lost,
            method: DomainMethod::Dns,
            problem: Some(problem.to_owned()),
            misses: 0,
            failing_since: None,
            next_at: None,
            ..self.clone()
        }
    }

    /// Judges what a look-up found. `owned_by_other`: another organization has the domain in force.
    #[must_use]
    pub fn judge(&self, found: &LookUp, owned_by_other: bool, now: Timestamp) -> Self {
        let mut next = Self {
            checked_at: Some(now),
            ..self.clone()
        };
        if self.method == DomainMethod::Operator && self.state == DomainState::Verified {
            // The operator's word does not depend on DNS; the look-up only informs.
            next.problem = problem_of(found);
            return next;
        }
        match found {
            LookUp::Found => next.found(owned_by_other, now),
            LookUp::Missing(what) => next.not_found(what, true, now),
            LookUp::NoAnswer(what) => next.not_found(what, false, now),
        }
        next
    }

    fn found(&mut self, owned_by_other: bool, now: Timestamp) {
        self.misses = 0;
        self.failing_since = None;
        self.method = DomainMethod::Dns;
        self.next_at = later(now, AGAIN);
        if owned_by_other {
            self.state = DomainState::Disputed;
            self.problem = Some("another organization has this domain; the operator decides".to_owned());
        } else {
            self.state = DomainState::Verified;
            self.problem = None;
        }
    }

    fn not_found(&mut self, what: &str, is_missing: bool, now: Timestamp) {
        self.problem = Some(what.to_owned());
        let since = *self.failing_since.get_or_insert(now);
        if is_missing {
            self.misses = self.misses.saturating_add(1);
        }
        let failing_for = now.duration_since(since);
        self.state = match self.state {
            DomainState::Pending => DomainState::Pending,
            // Without its record a dispute has nothing behind it.
            DomainState::Disputed if is_missing => DomainState::Pending,
            DomainState::Disputed => DomainState::Disputed,
            DomainState::Lost => DomainState::Lost,
            DomainState::Verified | DomainState::Failing
                if (self.misses >= MISSES && failing_for >= GRACE) || failing_for >= SILENCE =>
            {
                DomainState::Lost
            }
            DomainState::Verified | DomainState::Failing => DomainState::Failing,
        };
        let is_waiting = matches!(self.state, DomainState::Pending | DomainState::Lost);
        let is_given_up = is_waiting
            && (now.duration_since(self.claimed_at) >= PATIENCE && self.state == DomainState::Pending
                || failing_for >= SILENCE + PATIENCE);
        self.next_at = if is_given_up { None } else { later(now, SOON) };
    }
}

fn problem_of(found: &LookUp) -> Option<String> {
    match found {
        LookUp::Found => None,
        LookUp::Missing(what) | LookUp::NoAnswer(what) => Some(what.clone()),
    }
}

fn later(now: Timestamp, by: SignedDuration) -> Option<Timestamp> {
    now.checked_add(by).ok()
}

#[cfg(test)]
mod tests;
