//! What organizations demand of sign-ins with a password: single sign-on instead, or a second factor for admins.
//! Never judges whether the password was right, and never counts for sign-ins through an identity provider.
//!
//! Attack held off: an organization shuts a person of another customer out by making her its member. Its own demand therefore
//! takes away what it gives, and refuses the sign-in only where nothing else is left; the address decides only for the
//! organization that has its domain.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::directory::{Account, Membership};
use crate::domain::{DomainSettings, SignInRule};
use crate::email::Email;
use crate::facts::{AccountFacts, Facts};
use crate::id::{AccountId, OrganizationId};

/// What one organization demands of its members who sign in with a password.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct SignInPolicy {
    /// Whether members must come through an identity provider.
    pub sso: SignInRule,
    /// Addresses that may use a password nevertheless.
    #[cfg_attr(feature = "schema", schemars(with = "Vec<String>"))]
    pub exceptions: Vec<Email>,
    /// Whether owners and admins need a second factor beside the password.
    pub second_factor_for_admins: bool,
    /// Whether the organization's own sign-in page offers no password. It hides the way and closes none: emergency admins
    /// and whoever may use a password find it at `/login/password`.
    pub hide_password_form: bool,
}

impl SignInPolicy {
    /// Where the settings of an organization hold the policy.
    pub const KEY: &'static str = "sign_in";

    /// Reads the policy from the settings of an organization. One that cannot be read counts as the strictest.
    pub fn read(settings: &Value) -> Self {
        match settings.get(Self::KEY) {
            None | Some(Value::Null) => Self::default(),
            Some(stored) => serde_json::from_value(stored.clone()).unwrap_or_else(|_| Self {
                sso: SignInRule::Required,
                exceptions: Vec::new(),
                second_factor_for_admins: true,
                hide_password_form: true,
            }),
        }
    }

    fn excepts(&self, account: &Account) -> bool {
        account
            .email
            .as_ref()
            .is_some_and(|email| self.exceptions.iter().any(|one| one.key() == email.key()))
    }
}

/// What is wanted to judge sign-ins with a password.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SignInNeed {
    /// Whether the policies of the organizations are wanted that are loaded anyway.
    pub policies: bool,
    /// Domains of addresses of which is wanted who has them.
    pub domains: Vec<String>,
    /// Whether it is wanted who the emergency admins are, of those of the organizations that demand single sign-on.
    pub emergency: bool,
}

/// What was found for [`SignInNeed`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SignInFacts {
    /// Policies by organization; one without is absent.
    pub policies: BTreeMap<OrganizationId, SignInPolicy>,
    /// Domains that an organization has in force.
    pub domains: BTreeMap<String, OwnedDomain>,
    /// Emergency admins by organization: active accounts with a password and this mark, whose active membership holds a role
    /// that manages people. Of organizations that demand single sign-on, of members or of a domain; others are absent.
    pub emergency: BTreeMap<OrganizationId, Vec<AccountId>>,
}

/// A domain that an organization has in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnedDomain {
    /// Who has it.
    pub organization: OrganizationId,
    /// What it wants of it.
    pub settings: DomainSettings,
}

/// What the rules say about a password of one account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ruling {
    /// Nobody demands anything else.
    Free,
    /// Single sign-on is demanded, and this is why the password does nevertheless.
    Excepted(&'static str),
    /// Single sign-on is demanded, by the organization named.
    SsoRequired(OrganizationId),
}

/// Judges whether the account may use a password at all.
pub(crate) fn ruling(known: &AccountFacts, facts: &Facts) -> Ruling {
    let account = &known.account;
    let by_address = account.email.as_ref().and_then(|email| {
        let owned = facts.sign_in.domains.get(email.domain())?;
        (owned.settings.sign_in == SignInRule::Required).then(|| {
            let excepted =
                owned.settings.excepts(email) || policy(facts, &owned.organization).excepts(account);
            (owned.organization.clone(), excepted)
        })
    });
    let demand = by_address.or_else(|| by_memberships(known, facts));
    match demand {
        None => Ruling::Free,
        // Operators answer to nobody's customer, and emergency admins are there for when the provider is down.
        Some(_) if account.operator => Ruling::Excepted("operator"),
        Some(_) if account.emergency_admin => Ruling::Excepted("emergency_admin"),
        Some((_, true)) => Ruling::Excepted("exception"),
        Some((organization, false)) => Ruling::SsoRequired(organization),
    }
}

/// The demand of the organizations that she is a member of: only where no other one is left.
fn by_memberships(known: &AccountFacts, facts: &Facts) -> Option<(OrganizationId, bool)> {
    let mut first = None;
    let mut excepted = false;
    for membership in known.memberships.iter().filter(|membership| membership.active) {
        let policy = policy(facts, &membership.organization);
        if policy.sso == SignInRule::Optional {
            return None;
        }
        excepted |= policy.excepts(&known.account);
        first.get_or_insert_with(|| membership.organization.clone());
    }
    first.map(|organization| (organization, excepted))
}

/// Tells whether a session that began with a password gives what a membership grants.
pub fn is_usable_by_password(account: &Account, policy: &SignInPolicy) -> bool {
    policy.sso == SignInRule::Optional
        || account.operator
        || account.emergency_admin
        || policy.excepts(account)
}

/// Names an organization that demands a second factor of the account, if one does.
pub(crate) fn demands_second_factor(known: &AccountFacts, facts: &Facts) -> Option<OrganizationId> {
    known
        .memberships
        .iter()
        .filter(|membership| membership.active)
        .find(|membership| {
            policy(facts, &membership.organization).second_factor_for_admins && is_admin(membership, facts)
        })
        .map(|membership| membership.organization.clone())
}

/// Tells whether a membership gives a role of an owner or admin. Who is kept from managing for the moment (C-26) keeps the second
/// factor: what the role opens may change at any time.
fn is_admin(membership: &Membership, facts: &Facts) -> bool {
    facts
        .organizations
        .iter()
        .filter(|known| known.organization.id == membership.organization)
        .flat_map(|known| &known.roles)
        .any(|role| (role.admin || role.owner) && membership.roles.iter().any(|grant| grant.id == role.id))
}

fn policy(facts: &Facts, organization: &OrganizationId) -> SignInPolicy {
    facts
        .sign_in
        .policies
        .get(organization)
        .cloned()
        .unwrap_or_default()
}

#[cfg(test)]
mod tests;
