//! Policy expressions (N): auto-provision switch, expressions, policies.

use super::*;

fn n(change: impl FnOnce(&mut crate::connection::Connection)) -> InForce {
    preset(Preset::PolicyExpressions, |connection| {
        connection.scope = Scope::Instance;
        change(connection);
    })
}

fn policy(organization: &str, role: &str) -> Policy {
    Policy {
        organization: Some(organization.to_owned()),
        role: Some(RoleRule::Expression(role.to_owned())),
        ..Policy::default()
    }
}

fn default_policy(organization: &str, role: &str) -> InForce {
    n(|connection| connection.policy = Some(policy(organization, role)))
}

const LABS: [&str; 3] = ["home-lab", "lab-2", "lab-3"];

fn organizations(groups: &[&str], in_force: &InForce) -> Vec<(String, Vec<String>)> {
    let mut world = World::new(&LABS, vec![]);
    world.sign_in(&ann(groups), in_force, 1);
    let memberships = world
        .accounts
        .first()
        .map(|known| known.memberships.clone())
        .unwrap_or_default();
    memberships
        .into_iter()
        .map(|held| {
            let roles = held
                .roles
                .iter()
                .map(|grant| grant.id.as_str().to_owned())
                .collect();
            (held.organization.as_str().to_owned(), roles)
        })
        .collect()
}

fn names(groups: &[&str], in_force: &InForce) -> Vec<String> {
    organizations(groups, in_force)
        .into_iter()
        .map(|(id, _)| id)
        .collect()
}

fn manual() -> InForce {
    n(|connection| connection.provisioning = Provisioning::Manual)
}

#[test]
fn r44_r46_off_a_pre_created_person_can_log_in_through_the_associated_idp() {
    let mut world = World::new(&["acme"], vec![]);
    by_hand(&mut world, new_account(sso("okta")), &manual());
    let decision = world.sign_in(&ann(&[]), &manual(), 1);
    assert!(admitted(&decision));
    assert_eq!(world.accounts.len(), 1);
    assert_eq!(
        roles_in(&world, "new-90", "acme"),
        ["auditor"],
        "the role that the admin chose"
    );
}

#[test]
fn r45_off_a_person_who_was_not_pre_created_cannot_log_in_and_no_account_comes_into_being() {
    let mut world = World::new(&["acme"], vec![]);
    let decision = world.sign_in(&ann(&[]), &manual(), 1);
    assert_eq!(decision.verdict, Verdict::Refused(Denial::NotProvisionedByHand));
    assert!(world.accounts.is_empty());
}

#[test]
fn r47_role_source_is_either_select_a_role_or_expression() {
    assert!(serde_json::from_str::<RoleRule>(r#"{"fixed":"Member"}"#).is_ok());
    assert!(serde_json::from_str::<RoleRule>(r#"{"expression":"'Member'"}"#).is_ok());
    assert!(serde_json::from_str::<RoleRule>(r#"{"fixed":"Member","expression":"'Member'"}"#).is_err());
}

#[test]
fn r48_a_selected_role_is_given_to_every_auto_provisioned_user() {
    let in_force = n(|connection| {
        connection.policy = Some(Policy {
            organization: Some("'home-lab'".to_owned()),
            role: Some(RoleRule::Fixed("Auditor".to_owned())),
            ..Policy::default()
        });
    });
    for groups in [&["a"][..], &[]] {
        assert_eq!(
            organizations(groups, &in_force),
            [("home-lab".to_owned(), vec!["auditor".to_owned()])]
        );
    }
}

#[test]
fn r49_the_expression_is_evaluated_at_each_login() {
    let in_force = default_policy("'home-lab'", "contains(groups, 'admin') && 'Admin' || 'Member'");
    let mut world = World::new(&LABS, vec![]);
    for (n, groups, role) in [
        (1, &["admin"][..], "admin"),
        (2, &[], "member"),
        (3, &["admin"], "admin"),
    ] {
        world.sign_in(&ann(groups), &in_force, n);
        assert_eq!(roles_in(&world, "new-1", "home-lab"), [role]);
    }
}

#[test]
fn r50_an_admin_can_always_change_a_users_role_by_hand_after_provisioning() {
    let in_force = default_policy("'home-lab'", "'Member'");
    let mut world = World::new(&LABS, vec![]);
    world.sign_in(&ann(&[]), &in_force, 1);
    let edit = |edits: Vec<GrantEdit>| Action::EditMembership {
        account: "new-1".into(),
        organization: "home-lab".into(),
        edits,
    };
    let to_auditor = vec![
        GrantEdit::RevokeRole {
            role: "member".into(),
        },
        GrantEdit::GrantRole {
            role: "auditor".into(),
        },
    ];
    by_hand(&mut world, edit(to_auditor), &in_force);
    let decision = world.sign_in(&ann(&[]), &in_force, 2);
    // C-07: it holds, and what the rule would do is shown.
    assert_eq!(roles_in(&world, "new-1", "home-lab"), ["auditor"]);
    assert_eq!(decision.trace.drifts().count(), 1);
    by_hand(&mut world, edit(vec![GrantEdit::ReturnToAutomatic]), &in_force);
    world.sign_in(&ann(&[]), &in_force, 3);
    assert_eq!(
        roles_in(&world, "new-1", "home-lab"),
        ["member"],
        "returned to automatic"
    );
}

#[test]
fn r52_r53_a_role_expression_returns_an_exact_name_or_the_user_is_not_added() {
    for (role, added) in [
        ("'Member'", true),
        ("'member'", false),
        ("'Member '", false),
        ("'Nobody'", false),
    ] {
        let in_force = default_policy("'home-lab'", role);
        assert_eq!(
            names(&[], &in_force),
            if added { vec!["home-lab"] } else { vec![] },
            "{role}"
        );
    }
}

#[test]
fn r54_contains_groups_admin_gives_admin_or_member() {
    let in_force = default_policy("'home-lab'", "contains(groups, 'admin') && 'Admin' || 'Member'");
    for (groups, role) in [(&["home-lab", "admin"][..], "admin"), (&["other"][..], "member")] {
        assert_eq!(
            organizations(groups, &in_force),
            [("home-lab".to_owned(), vec![role.to_owned()])]
        );
    }
}

#[test]
fn r55_r56_an_idp_at_server_level_serves_many_organizations_with_policies_of_their_own() {
    let in_force = n(|connection| {
        connection.policy = Some(policy("contains(groups, '{{orgId}}')", "'Member'"));
        connection.organization_policies = vec![OrganizationPolicy {
            organization: "lab-2".into(),
            organization_expression: Some("contains(groups, 'two')".to_owned()),
            role: Some(RoleRule::Fixed("Admin".to_owned())),
            workspaces: None,
            license: None,
        }];
    });
    let of = |id: &str, role: &str| (id.to_owned(), vec![role.to_owned()]);
    assert_eq!(
        organizations(&["home-lab", "two"], &in_force),
        [of("home-lab", "member"), of("lab-2", "admin")]
    );
    // R-66: its own policy is used instead of the default.
    assert_eq!(names(&["lab-2"], &in_force), Vec::<String>::new());
}

#[test]
fn r57_login_then_account_then_organization_expression_then_role_expression() {
    let in_force = default_policy("'home-lab'", "'Member'");
    let mut world = World::new(&LABS, vec![]);
    let decision = world.sign_in(&ann(&[]), &in_force, 1);
    let order: Vec<usize> = [
        "verified",
        "created",
        "organization_rule_id",
        "role_given",
        "membership_added",
        "signed_in",
    ]
    .iter()
    .map(|code| {
        decision
            .trace
            .steps
            .iter()
            .position(|step| step.code == *code)
            .unwrap()
    })
    .collect();
    assert!(order.is_sorted(), "{order:?}");
}

#[test]
fn r58_r61_the_account_exists_even_when_no_organization_accepts_the_user() {
    let in_force = default_policy("contains(groups, '{{orgId}}')", "'Member'");
    let mut world = World::new(&LABS, vec![]);
    let decision = world.sign_in(&ann(&["elsewhere"]), &in_force, 1);
    assert_eq!(
        decision.verdict,
        Verdict::Refused(Denial::NoOrganization),
        "C-10: she sees why (R-120)"
    );
    assert_eq!(world.accounts.len(), 1);
    assert!(world.get("new-1").memberships.is_empty());
}

#[test]
fn r59_r60_true_or_the_organizations_own_id_admits_and_no_other_value_does() {
    for (rule, admitted) in [
        ("org_true", true),
        ("org_id", true),
        ("org_false", false),
        ("org_null", false),
        ("org_other", false),
        ("org_number", false),
        ("org_list", false),
    ] {
        let mut incoming = ann(&[]);
        for (name, value) in [
            ("org_true", serde_json::json!(true)),
            ("org_id", serde_json::json!("lab-2")),
            ("org_false", serde_json::json!(false)),
            ("org_null", serde_json::json!(null)),
            ("org_other", serde_json::json!("lab-9")),
            ("org_number", serde_json::json!(1)),
            ("org_list", serde_json::json!(["lab-2"])),
        ] {
            incoming = claim(incoming, name, value);
        }
        let mut world = World::new(&["lab-2"], vec![]);
        world.sign_in(&incoming, &default_policy(rule, "'Member'"), 1);
        let inside = world.accounts.iter().any(|known| !known.memberships.is_empty());
        assert_eq!(inside, admitted, "{rule}");
    }
}

#[test]
fn r62_the_placeholder_is_replaced_by_the_id_of_the_organization_under_evaluation() {
    let in_force = default_policy("'{{orgId}}' == 'lab-2'", "'Member'");
    assert_eq!(names(&[], &in_force), ["lab-2"]);
}

#[test]
fn r63_contains_groups_home_lab() {
    let in_force = default_policy("contains(groups, 'home-lab')", "'Member'");
    assert_eq!(names(&["home-lab"], &in_force), LABS);
    assert!(names(&["other"], &in_force).is_empty());
}

#[test]
fn r64_the_literal_home_lab_puts_every_user_in_home_lab_and_in_no_other_organization() {
    let in_force = default_policy("'home-lab'", "'Member'");
    for groups in [&["x"][..], &[]] {
        assert_eq!(names(groups, &in_force), ["home-lab"]);
    }
}

#[test]
fn r65_the_default_policy_is_optional() {
    let in_force = n(|connection| {
        connection.organization_policies = vec![OrganizationPolicy {
            organization: "lab-3".into(),
            organization_expression: None,
            role: None,
            workspaces: None,
            license: None,
        }];
    });
    assert_eq!(names(&["home-lab"], &in_force), ["lab-3"]);
}

#[test]
fn r67_r68_contains_groups_orgid_admits_to_every_organization_whose_id_is_one_of_the_groups() {
    let in_force = default_policy(
        "contains(groups, '{{orgId}}')",
        "contains(groups, '{{orgId}}-admins') && 'Admin' || 'Member'",
    );
    let of = |id: &str, role: &str| (id.to_owned(), vec![role.to_owned()]);
    assert_eq!(
        organizations(&["home-lab", "lab-3", "lab-3-admins", "nowhere"], &in_force),
        [of("home-lab", "member"), of("lab-3", "admin")]
    );
}
