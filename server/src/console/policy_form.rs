//! The policy editor's form: what it shows of a policy, and the policy that it says. Pure.

use provost_kernel::id::{LicenseId, OrganizationId, WorkspaceId};
use provost_kernel::policy::{
    ClaimMatch, ClaimRoles, GroupRoles, LicenseRule, OrganizationPolicy, Policy, RoleRule, WorkspaceRule,
};

use super::sent::Sent;
use crate::flow::policy::Policies;

/// Rows of a table that are there to be filled in.
const SPARE_ROWS: usize = 2;

/// One policy as the form shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fields {
    /// Organization whose own policy it is; empty for the default.
    pub target: String,
    /// Rule that admits.
    pub organization: String,
    /// `none`, `fixed`, `mapping`, `groups` or `expression`.
    pub role_mode: String,
    /// Fixed role.
    pub role_fixed: String,
    /// Expression for the role.
    pub role_expression: String,
    /// Group, roles.
    pub groups: Vec<(String, String)>,
    /// Claim, comparison, value, roles.
    pub mapping: Vec<(String, String, String, String)>,
    /// `none`, `all`, `fixed` or `dynamic`.
    pub workspaces_mode: String,
    /// Fixed workspaces.
    pub workspaces: Vec<String>,
    /// Expression for workspaces.
    pub workspaces_expression: String,
    /// `none`, `fixed` or `expression`.
    pub license_mode: String,
    /// Fixed license.
    pub license_fixed: String,
    /// Expression for the license.
    pub license_expression: String,
}

impl Fields {
    /// Shows one policy of a connection: the default, or an organization's own.
    pub fn of(policies: &Policies, target: &str) -> Self {
        let own = policies
            .organization_policies
            .iter()
            .find(|policy| policy.organization.as_str() == target);
        let default = policies.policy.clone().unwrap_or_default();
        let policy = match own {
            _ if target.is_empty() => default,
            Some(own) => Policy {
                organization: own.organization_expression.clone(),
                role: own.role.clone(),
                workspaces: own.workspaces.clone(),
                license: own.license.clone(),
            },
            None => Policy::default(),
        };
        let mut fields = Self {
            target: target.to_owned(),
            organization: policy.organization.unwrap_or_default(),
            ..Self::default()
        };
        fields.show_role(policy.role);
        fields.show_workspaces(policy.workspaces);
        fields.show_license(policy.license);
        fields.with_spare_rows()
    }

    fn show_role(&mut self, role: Option<RoleRule>) {
        let mode = match role {
            None => "none",
            Some(RoleRule::Fixed(name)) => {
                self.role_fixed = name;
                "fixed"
            }
            Some(RoleRule::Expression(text)) => {
                self.role_expression = text;
                "expression"
            }
            Some(RoleRule::Groups(rows)) => {
                self.groups = rows
                    .into_iter()
                    .map(|row| (row.value, row.roles.join(", ")))
                    .collect();
                "groups"
            }
            Some(RoleRule::Mapping(rows)) => {
                self.mapping = rows
                    .into_iter()
                    .map(|row| {
                        (
                            row.claim,
                            how_word(row.how).to_owned(),
                            row.value,
                            row.roles.join(", "),
                        )
                    })
                    .collect();
                "mapping"
            }
        };
        mode.clone_into(&mut self.role_mode);
    }

    fn show_workspaces(&mut self, rule: Option<WorkspaceRule>) {
        let mode = match rule {
            None => "none",
            Some(WorkspaceRule::All {}) => "all",
            Some(WorkspaceRule::Fixed { ids }) => {
                self.workspaces = ids.iter().map(ToString::to_string).collect();
                "fixed"
            }
            Some(WorkspaceRule::Dynamic { expression }) => {
                self.workspaces_expression = expression;
                "dynamic"
            }
        };
        mode.clone_into(&mut self.workspaces_mode);
    }

    fn show_license(&mut self, rule: Option<LicenseRule>) {
        let mode = match rule {
            None => "none",
            Some(LicenseRule::Fixed(id)) => {
                self.license_fixed = id.to_string();
                "fixed"
            }
            Some(LicenseRule::Expression(text)) => {
                self.license_expression = text;
                "expression"
            }
        };
        mode.clone_into(&mut self.license_mode);
    }

    fn with_spare_rows(mut self) -> Self {
        for _ in 0..SPARE_ROWS {
            self.groups.push(Default::default());
            self.mapping
                .push((String::new(), "equals".to_owned(), String::new(), String::new()));
        }
        self
    }

    /// Reads the form.
    pub fn read(sent: &Sent) -> Self {
        let column = |name: &str| sent.all(name);
        let groups = column("group_value").into_iter().zip(column("group_roles"));
        let claims = column("map_claim").into_iter().zip(column("map_how"));
        let values = column("map_value").into_iter().zip(column("map_roles"));
        Self {
            target: sent.get("for").to_owned(),
            organization: sent.get("organization").to_owned(),
            role_mode: sent.get("role_mode").to_owned(),
            role_fixed: sent.get("role_fixed").to_owned(),
            role_expression: sent.get("role_expression").to_owned(),
            groups: groups.filter(|(value, _)| !value.trim().is_empty()).collect(),
            mapping: claims
                .zip(values)
                .map(|((claim, how), (value, roles))| (claim, how, value, roles))
                .filter(|(claim, ..)| !claim.trim().is_empty())
                .collect(),
            workspaces_mode: sent.get("workspaces_mode").to_owned(),
            workspaces: column("workspace"),
            workspaces_expression: sent.get("workspaces_expression").to_owned(),
            license_mode: sent.get("license_mode").to_owned(),
            license_fixed: sent.get("license_fixed").to_owned(),
            license_expression: sent.get("license_expression").to_owned(),
        }
    }

    /// Returns the fields with rows to fill in.
    #[must_use]
    pub fn to_show(self) -> Self {
        self.with_spare_rows()
    }

    /// Puts what the form says into the policies of a connection.
    pub fn put_into(&self, mut policies: Policies) -> Policies {
        let policy = Policy {
            organization: said(&self.organization),
            role: self.role(),
            workspaces: self.workspace_rule(),
            license: self.license(),
        };
        let is_empty = policy == Policy::default();
        if self.target.is_empty() {
            policies.policy = (!is_empty).then_some(policy);
            return policies;
        }
        let organization = OrganizationId::new(self.target.as_str());
        let place = policies
            .organization_policies
            .iter()
            .position(|known| known.organization == organization);
        let own = OrganizationPolicy {
            organization,
            organization_expression: policy.organization,
            role: policy.role,
            workspaces: policy.workspaces,
            license: policy.license,
        };
        match place.and_then(|place| policies.organization_policies.get_mut(place)) {
            Some(_) if is_empty => policies
                .organization_policies
                .retain(|known| known.organization != own.organization),
            Some(known) => *known = own,
            None if is_empty => {}
            None => policies.organization_policies.push(own),
        }
        policies
    }

    fn role(&self) -> Option<RoleRule> {
        Some(match self.role_mode.as_str() {
            "fixed" => RoleRule::Fixed(self.role_fixed.clone()),
            "expression" => RoleRule::Expression(self.role_expression.clone()),
            "groups" => RoleRule::Groups(
                self.groups
                    .iter()
                    .map(|(value, roles)| GroupRoles {
                        value: value.trim().to_owned(),
                        name: None,
                        roles: names(roles),
                    })
                    .collect(),
            ),
            "mapping" => RoleRule::Mapping(
                self.mapping
                    .iter()
                    .map(|(claim, how, value, roles)| ClaimRoles {
                        claim: claim.trim().to_owned(),
                        value: value.trim().to_owned(),
                        how: how_of(how),
                        roles: names(roles),
                    })
                    .collect(),
            ),
            _ => return None,
        })
    }

    fn workspace_rule(&self) -> Option<WorkspaceRule> {
        Some(match self.workspaces_mode.as_str() {
            "all" => WorkspaceRule::All {},
            "fixed" => WorkspaceRule::Fixed {
                ids: self.workspaces.iter().map(WorkspaceId::new).collect(),
            },
            "dynamic" => WorkspaceRule::Dynamic {
                expression: self.workspaces_expression.clone(),
            },
            _ => return None,
        })
    }

    fn license(&self) -> Option<LicenseRule> {
        Some(match self.license_mode.as_str() {
            "fixed" => LicenseRule::Fixed(LicenseId::new(self.license_fixed.as_str())),
            "expression" => LicenseRule::Expression(self.license_expression.clone()),
            _ => return None,
        })
    }
}

fn said(text: &str) -> Option<String> {
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

/// Reads names that commas separate.
fn names(text: &str) -> Vec<String> {
    text.split(',')
        .map(|name| name.trim().to_owned())
        .filter(|name| !name.is_empty())
        .collect()
}

const fn how_word(how: ClaimMatch) -> &'static str {
    match how {
        ClaimMatch::Equals => "equals",
        ClaimMatch::Contains => "contains",
        ClaimMatch::StartsWith => "starts_with",
        ClaimMatch::EndsWith => "ends_with",
    }
}

fn how_of(word: &str) -> ClaimMatch {
    match word {
        "contains" => ClaimMatch::Contains,
        "starts_with" => ClaimMatch::StartsWith,
        "ends_with" => ClaimMatch::EndsWith,
        _ => ClaimMatch::Equals,
    }
}

#[cfg(test)]
mod tests {
    use super::Fields;
    use crate::flow::policy::Policies;

    fn policies(json: serde_json::Value) -> Policies {
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn every_kind_of_rule_comes_back_from_the_form_as_it_was() {
        let all = policies(serde_json::json!({
            "policy": {
                "organization": "contains(groups, '{{orgId}}')",
                "role": { "expression": "contains(groups, 'admin') && 'Admin' || 'Member'" },
                "workspaces": { "mode": "dynamic", "expression": "teams" },
                "license": { "fixed": "standard" },
            },
            "organization_policies": [
                { "organization": "acme", "organization_expression": "`true`", "role": { "fixed": "Member" },
                  "workspaces": { "mode": "all" } },
                { "organization": "globex", "role": { "groups": [{ "value": "g1", "roles": ["Admin", "Member"] }] },
                  "workspaces": { "mode": "fixed", "ids": ["w1", "w2"] }, "license": { "expression": "tier" } },
                { "organization": "lab", "role": { "mapping": [
                    { "claim": "department", "value": "Eng", "match": "starts_with", "roles": ["Lead"] }] } },
            ],
        }));
        for target in ["", "acme", "globex", "lab"] {
            let fields = Fields::of(&all, target);
            // The form sends no empty rows on.
            let sent = Fields {
                groups: fields
                    .groups
                    .iter()
                    .filter(|(value, _)| !value.is_empty())
                    .cloned()
                    .collect(),
                mapping: fields
                    .mapping
                    .iter()
                    .filter(|(claim, ..)| !claim.is_empty())
                    .cloned()
                    .collect(),
                ..fields
            };
            assert_eq!(sent.put_into(all.clone()), all, "{target}");
        }
    }

    #[test]
    fn an_emptied_policy_is_none_at_all() {
        let all = policies(serde_json::json!({
            "policy": { "role": { "fixed": "Member" } },
            "organization_policies": [{ "organization": "acme", "role": { "fixed": "Member" } }],
        }));
        let none = Fields {
            role_mode: "none".into(),
            ..Fields::default()
        };
        assert!(none.put_into(all.clone()).policy.is_none());
        let none = Fields {
            target: "acme".into(),
            ..none
        };
        assert!(none.put_into(all).organization_policies.is_empty());
    }
}
