//! Adds up what an edited policy would do: counts by organization, role, workspace and license.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Difference, How};
use crate::access::Access;
use crate::id::{LicenseId, OrganizationId, RoleId, WorkspaceId};

/// How many come to something and how many lose it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Count {
    /// People who come to it.
    pub gain: u64,
    /// People who lose it.
    pub lose: u64,
}

/// What an edited policy would do to everybody looked at so far.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Impact {
    /// Accounts looked at.
    pub accounts: u64,
    /// Accounts for whom anything differs.
    pub affected: u64,
    /// Accounts that come into an organization and lose none.
    pub gain: u64,
    /// Accounts that lose an organization.
    pub lose: u64,
    /// Accounts that stay where they are, with something else.
    pub change: u64,
    /// Accounts that would be in no organization any more.
    pub shut_out: u64,
    /// Accounts that are in no organization and would be in one.
    pub let_in: u64,
    /// Accounts whose sign-ins the edited policy's rules would refuse.
    pub refused: u64,
    /// By organization.
    pub organizations: BTreeMap<OrganizationId, OrganizationImpact>,
}

/// What an edited policy would do in one organization.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct OrganizationImpact {
    /// Members among the accounts looked at, under the saved policy.
    pub members: u64,
    /// People who come in.
    pub gain: u64,
    /// People who are out.
    pub lose: u64,
    /// People who stay, with something else.
    pub change: u64,
    /// People who lose something without a replacement of its kind: what the guard counts.
    pub stripped: u64,
    /// By role.
    pub roles: BTreeMap<RoleId, Count>,
    /// By single workspace.
    pub workspaces: BTreeMap<WorkspaceId, Count>,
    /// All workspaces.
    pub all_workspaces: Count,
    /// By license pool, held or waited for.
    pub licenses: BTreeMap<LicenseId, Count>,
    /// People who would come to wait for a seat of a pool, because none is free.
    pub no_seat: BTreeMap<LicenseId, u64>,
}

impl Impact {
    /// Counts one account in.
    pub fn add(&mut self, difference: &Difference) {
        self.accounts += 1;
        for id in &difference.member_of {
            if let Some(one) = self.organizations.get_mut(id) {
                one.members += 1;
            } else {
                let one = OrganizationImpact {
                    members: 1,
                    ..OrganizationImpact::default()
                };
                self.organizations.insert(id.clone(), one);
            }
        }
        if difference.is_empty() {
            return;
        }
        self.affected += 1;
        self.refused += u64::from(difference.refused.is_some());
        self.shut_out += u64::from(difference.entry == Some(How::Loses));
        self.let_in += u64::from(difference.entry == Some(How::Gains));
        let any = |how: How| difference.organizations.iter().any(|one| one.how == how);
        if any(How::Loses) {
            self.lose += 1;
        } else if any(How::Gains) {
            self.gain += 1;
        } else if any(How::Changes) {
            self.change += 1;
        }
        for one in &difference.organizations {
            let counts = self.organizations.entry(one.organization.clone()).or_default();
            match one.how {
                How::Gains => counts.gain += 1,
                How::Loses => counts.lose += 1,
                How::Changes => counts.change += 1,
            }
            counts.stripped += u64::from(one.stripped);
            counts.grants(one.before.as_ref(), one.after.as_ref());
        }
    }

    /// Adds what another part of the accounts led to.
    pub fn merge(&mut self, other: &Self) {
        self.accounts += other.accounts;
        self.affected += other.affected;
        self.gain += other.gain;
        self.lose += other.lose;
        self.change += other.change;
        self.shut_out += other.shut_out;
        self.let_in += other.let_in;
        self.refused += other.refused;
        for (id, one) in &other.organizations {
            let counts = self.organizations.entry(id.clone()).or_default();
            counts.members += one.members;
            counts.gain += one.gain;
            counts.lose += one.lose;
            counts.change += one.change;
            counts.stripped += one.stripped;
            counts.all_workspaces.merge(one.all_workspaces);
            merge(&mut counts.roles, &one.roles);
            merge(&mut counts.workspaces, &one.workspaces);
            merge(&mut counts.licenses, &one.licenses);
            for (license, people) in &one.no_seat {
                *counts.no_seat.entry(license.clone()).or_default() += people;
            }
        }
    }
}

impl OrganizationImpact {
    fn grants(&mut self, before: Option<&Access>, after: Option<&Access>) {
        let none = Access::default();
        let (before, after) = (before.unwrap_or(&none), after.unwrap_or(&none));
        for role in after.roles.difference(&before.roles) {
            self.roles.entry(role.clone()).or_default().gain += 1;
        }
        for role in before.roles.difference(&after.roles) {
            self.roles.entry(role.clone()).or_default().lose += 1;
        }
        for workspace in after.workspaces.difference(&before.workspaces) {
            self.workspaces.entry(workspace.clone()).or_default().gain += 1;
        }
        for workspace in before.workspaces.difference(&after.workspaces) {
            self.workspaces.entry(workspace.clone()).or_default().lose += 1;
        }
        self.all_workspaces.gain += u64::from(after.all_workspaces && !before.all_workspaces);
        self.all_workspaces.lose += u64::from(before.all_workspaces && !after.all_workspaces);
        if let Some(license) = after.license.as_ref().filter(|_| !after.seated) {
            let waited = before.license.as_ref() == Some(license) && !before.seated;
            if !waited {
                *self.no_seat.entry(license.clone()).or_default() += 1;
            }
        }
        if before.license != after.license {
            if let Some(license) = &after.license {
                self.licenses.entry(license.clone()).or_default().gain += 1;
            }
            if let Some(license) = &before.license {
                self.licenses.entry(license.clone()).or_default().lose += 1;
            }
        }
    }
}

impl Count {
    const fn merge(&mut self, other: Self) {
        self.gain += other.gain;
        self.lose += other.lose;
    }
}

fn merge<K: Ord + Clone>(into: &mut BTreeMap<K, Count>, other: &BTreeMap<K, Count>) {
    for (key, count) in other {
        into.entry(key.clone()).or_default().merge(*count);
    }
}
