//! Examples of rules that the editor offers to insert: the documented ones (`docs/policies.md`), by the field that they are for.

use super::policy::Editor;

/// A rule, and the key of what it does.
pub(super) struct Example {
    pub(super) expression: &'static str,
    pub(super) what: &'static str,
}

const fn example(expression: &'static str, what: &'static str) -> Example {
    Example { expression, what }
}

/// Who is let in.
const ORGANIZATION: &[Example] = &[
    example("contains(groups, '{{orgId}}')", "example.own_group"),
    example("contains(groups, 'home-lab')", "example.one_group"),
    example("ends_with(normalized.email, '@acme.example')", "example.address"),
    example("department == 'IT'", "example.attribute_oidc"),
    example("contains(department, 'IT')", "example.attribute_saml"),
];
/// Which roles.
const ROLE: &[Example] = &[
    example(
        "contains(groups, 'admin') && 'Admin' || 'Member'",
        "example.two_roles",
    ),
    example(
        "[contains(groups, 'eng') && 'Engineer', contains(groups, 'lead') && 'Lead']",
        "example.several_roles",
    ),
    example(
        "not_null(groups, `[]`) | contains(@, 'admin') && 'Admin' || 'Member'",
        "example.absent",
    ),
];
/// Which workspaces.
const WORKSPACES: &[Example] = &[
    example("groups[?starts_with(@, 'ws-')]", "example.workspace_groups"),
    example(
        "role == 'Admin' && ['main', 'lab'] || ['main']",
        "example.workspace_role",
    ),
];
/// Which license.
const LICENSE: &[Example] = &[example(
    "contains(groups, 'pro') && 'pro' || 'standard'",
    "example.license_group",
)];

impl Editor {
    /// The examples for a field.
    #[expect(clippy::unused_self, reason = "templates call methods of what they show")]
    pub(super) fn examples(&self, field: &str) -> &'static [Example] {
        of(field)
    }
}

fn of(field: &str) -> &'static [Example] {
    match field {
        "organization" => ORGANIZATION,
        "role_expression" => ROLE,
        "workspaces_expression" => WORKSPACES,
        "license_expression" => LICENSE,
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use provost_kernel::expression::Expression;

    use super::of;
    use crate::console::words::Language;

    #[test]
    fn every_example_is_a_rule_that_works_is_documented_and_explained() {
        let page = include_str!("../../../docs/policies.md");
        for field in [
            "organization",
            "role_expression",
            "workspaces_expression",
            "license_expression",
        ] {
            assert!(!of(field).is_empty(), "{field}");
            for example in of(field) {
                let expression = example.expression;
                assert!(Expression::compile(expression).is_ok(), "{expression}");
                assert!(page.contains(expression), "{expression} is not documented");
                for language in Language::ALL {
                    assert!(language.known(example.what).is_some(), "{}", example.what);
                }
            }
        }
    }
}
