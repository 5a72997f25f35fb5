//! Finds where the policies of a connection speak of a role, so that it does not vanish or change its name unnoticed (R-139, C-18).
//! Never evaluates anything: an expression speaks of a role if it holds the role's name as a text.

use crate::connection::Connection;
use crate::directory::Role;
use crate::id::OrganizationId;
use crate::policy::{ClaimRoles, GroupRoles, LicenseRule, RoleRule, WorkspaceRule};

/// Lists the places where the policy for one organization speaks of a role, as paths in the connection
/// (`policy.role.groups[0]`). Fixed rules and tables may name a role by its identifier too, which survives a new name.
pub fn mentions(connection: &Connection, organization: &OrganizationId, role: &Role) -> Vec<String> {
    if !connection.reaches(organization) {
        return Vec::new();
    }
    let own = connection
        .organization_policies
        .iter()
        .enumerate()
        .find(|(_, policy)| policy.organization == *organization);
    let (path, given, workspaces, license) = match (own, &connection.policy) {
        (Some((position, own)), _) => (
            format!("organization_policies[{position}]"),
            &own.role,
            &own.workspaces,
            &own.license,
        ),
        (None, Some(default)) => (
            "policy".to_owned(),
            &default.role,
            &default.workspaces,
            &default.license,
        ),
        (None, None) => return Vec::new(),
    };
    let mut found = Vec::new();
    match given {
        None => {}
        Some(RoleRule::Fixed(name)) => found.extend(names(name, role).then(|| format!("{path}.role.fixed"))),
        Some(RoleRule::Expression(source)) => {
            found.extend(says(source, &role.name).then(|| format!("{path}.role.expression")));
        }
        Some(RoleRule::Groups(rows)) => {
            let lists = rows.iter().map(|GroupRoles { roles, .. }| roles);
            found.extend(rows_that_name(lists, role).map(|row| format!("{path}.role.groups[{row}]")));
        }
        Some(RoleRule::Mapping(rows)) => {
            let lists = rows.iter().map(|ClaimRoles { roles, .. }| roles);
            found.extend(rows_that_name(lists, role).map(|row| format!("{path}.role.mapping[{row}]")));
        }
    }
    // Workspaces may follow from the resulting roles.
    if let Some(WorkspaceRule::Dynamic { expression }) = workspaces
        && says(expression, &role.name)
    {
        found.push(format!("{path}.workspaces.expression"));
    }
    if let Some(LicenseRule::Expression(source)) = license
        && says(source, &role.name)
    {
        found.push(format!("{path}.license.expression"));
    }
    found
}

fn rows_that_name<'a>(
    lists: impl Iterator<Item = &'a Vec<String>> + 'a,
    role: &'a Role,
) -> impl Iterator<Item = usize> + 'a {
    lists
        .enumerate()
        .filter(|(_, roles)| roles.iter().any(|name| names(name, role)))
        .map(|(row, _)| row)
}

fn names(text: &str, role: &Role) -> bool {
    text == role.name || text == role.id.as_str()
}

/// Tells whether an expression holds a text, as a raw string or as JSON within backticks.
fn says(source: &str, text: &str) -> bool {
    let raw = format!("'{}'", text.replace('\'', "\\'"));
    let json = format!("\"{text}\"");
    source.contains(&raw) || (source.contains('`') && source.contains(&json))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{connection, role};
    use crate::policy::{OrganizationPolicy, Policy};

    fn found(rule: RoleRule, id: &str, name: &str) -> Vec<String> {
        let mut connection = connection();
        connection.policy = Some(Policy {
            role: Some(rule),
            workspaces: Some(WorkspaceRule::Dynamic {
                expression: "role == 'Chief \\'A\\'' && 'lab' || 'main'".to_owned(),
            }),
            ..Policy::default()
        });
        mentions(&connection, &"acme".into(), &role(id, name))
    }

    #[test]
    fn r139_c18_rules_that_speak_of_a_role_are_found_wherever_they_do() {
        let expression = |source: &str| RoleRule::Expression(source.to_owned());
        let admin = |rule| found(rule, "admin", "Admin");
        assert_eq!(
            admin(expression("contains(groups, 'a') && 'Admin' || 'Member'")),
            ["policy.role.expression"]
        );
        assert_eq!(admin(expression("`[\"Admin\"]`")), ["policy.role.expression"]);
        assert!(admin(expression("contains(groups, 'Administrator') && 'Member'")).is_empty());
        assert!(admin(expression("\"Admin\"")).is_empty(), "a claim of that name");
        assert_eq!(admin(RoleRule::Fixed("Admin".to_owned())), ["policy.role.fixed"]);
        assert_eq!(admin(RoleRule::Fixed("admin".to_owned())), ["policy.role.fixed"]);
        let row = |role: &str| GroupRoles {
            value: "g".to_owned(),
            name: None,
            roles: vec!["Member".to_owned(), role.to_owned()],
        };
        assert_eq!(
            admin(RoleRule::Groups(vec![row("Other"), row("Admin")])),
            ["policy.role.groups[1]"]
        );
        assert_eq!(
            found(RoleRule::Fixed("Member".to_owned()), "chief", "Chief 'A'"),
            ["policy.workspaces.expression"]
        );
    }

    #[test]
    fn r66_only_the_policy_for_the_organization_counts() {
        let mut connection = connection();
        let fixed = Some(RoleRule::Fixed("Admin".to_owned()));
        connection.policy = Some(Policy {
            role: fixed,
            ..Policy::default()
        });
        connection.organization_policies = vec![OrganizationPolicy {
            organization: "acme".into(),
            organization_expression: None,
            role: None,
            workspaces: None,
            license: None,
        }];
        let admin = role("admin", "Admin");
        assert!(mentions(&connection, &"acme".into(), &admin).is_empty());
        assert!(mentions(&connection, &"elsewhere".into(), &admin).is_empty());
    }
}
