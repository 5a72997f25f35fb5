use serde_json::{Value, json};

use super::*;
use crate::connection::OnNoRole;
use crate::denial::Denial;
use crate::directory::RolesPerMember;
use crate::fixtures::*;
use crate::plan::{Decision, Verdict};
use crate::policy::OrganizationPolicy;

/// An instance connection with this default policy.
fn instance(policy: Policy) -> InForce {
    with(|connection| {
        connection.scope = Scope::Instance;
        connection.policy = Some(policy);
    })
}

fn by_organization(expression: &str) -> Policy {
    Policy {
        organization: Some(expression.to_owned()),
        ..Policy::default()
    }
}

fn organizations(world: &World) -> Vec<&str> {
    world
        .accounts
        .iter()
        .flat_map(|known| &known.memberships)
        .map(|held| held.organization.as_str())
        .collect()
}

fn sign_in(ids: &[&str], incoming: &crate::incoming::Incoming, in_force: &InForce) -> (World, Decision) {
    let mut world = World::new(ids, vec![]);
    let decision = world.sign_in(incoming, in_force, 1);
    (world, decision)
}

#[test]
fn r59_r60_only_true_or_the_exact_id_admits() {
    for (value, admitted) in [
        (json!(true), true),
        (json!("acme"), true),
        (json!(false), false),
        (json!(null), false),
        (json!("other"), false),
        (json!("Acme"), false),
        (json!("true"), false),
        (json!(1), false),
        (json!(["acme"]), false),
        (json!([true]), false),
        (json!({ "acme": true }), false),
    ] {
        let incoming = claim(ann(&[]), "verdict", value.clone());
        let (_, decision) = sign_in(&["acme"], &incoming, &instance(by_organization("verdict")));
        assert_eq!(
            matches!(decision.verdict, Verdict::Admitted(_)),
            admitted,
            "{value}"
        );
    }
}

#[test]
fn r63_r64_r67_the_sources_examples_admit_as_documented() {
    let all = ["home-lab", "lab-2", "lab-3"];
    let cases: [(&str, &[&str], &[&str]); 5] = [
        ("contains(groups, 'home-lab')", &["home-lab"], &all),
        ("'home-lab'", &[], &["home-lab"]),
        (
            "contains(groups, '{{orgId}}')",
            &["lab-2", "lab-3"],
            &["lab-2", "lab-3"],
        ),
        ("contains(groups, {{orgId}})", &["lab-3"], &["lab-3"]),
        ("ends_with(email, '@acme.com')", &[], &[]),
    ];
    for (expression, groups, expected) in cases {
        let (world, decision) = sign_in(&all, &ann(groups), &instance(by_organization(expression)));
        assert_eq!(organizations(&world), expected, "{expression}");
        assert_eq!(
            matches!(decision.verdict, Verdict::Admitted(_)),
            !expected.is_empty()
        );
    }
}

#[test]
fn r68_one_sign_in_admits_to_several_organizations_with_different_roles() {
    let mut policy = by_organization("contains(groups, '{{orgId}}')");
    policy.role = Some(RoleRule::Expression(
        "contains(groups, '{{orgId}}-admins') && 'Admin' || 'Member'".to_owned(),
    ));
    let (world, _) = sign_in(
        &["one", "two"],
        &ann(&["one", "two", "two-admins"]),
        &instance(policy),
    );
    assert_eq!(roles_in(&world, "new-1", "one"), ["member"]);
    assert_eq!(roles_in(&world, "new-1", "two"), ["admin"]);
}

#[test]
fn r66_an_organizations_own_policy_stands_instead_of_the_default() {
    let in_force = with(|connection| {
        connection.scope = Scope::Instance;
        connection.policy = Some(by_organization("`true`"));
        connection.organization_policies = vec![
            OrganizationPolicy {
                organization: "one".into(),
                organization_expression: Some("`false`".to_owned()),
                role: None,
                workspaces: None,
                license: None,
            },
            OrganizationPolicy {
                organization: "two".into(),
                organization_expression: None,
                role: Some(RoleRule::Fixed("Auditor".to_owned())),
                workspaces: None,
                license: None,
            },
        ];
    });
    let (world, _) = sign_in(&["one", "three", "two"], &ann(&[]), &in_force);
    assert_eq!(organizations(&world), ["three", "two"]);
    assert_eq!(roles_in(&world, "new-1", "two"), ["auditor"]);
}

#[test]
fn r65_without_an_expression_only_the_owning_organization_admits() {
    let shared = with(|connection| {
        connection.scope = Scope::Organization {
            organization: "acme".into(),
            shared_with: vec!["guest".into()],
        };
    });
    let (world, _) = sign_in(&["acme", "guest", "other"], &ann(&[]), &shared);
    assert_eq!(organizations(&world), ["acme"]);
    let (world, decision) = sign_in(&["acme"], &ann(&[]), &instance(Policy::default()));
    assert_eq!(decision.verdict, Verdict::Refused(Denial::NoOrganization));
    assert!(organizations(&world).is_empty());
}

#[test]
fn c20_rules_never_admit_beyond_the_connections_reach() {
    let in_force = with_policy(|policy| policy.organization = Some("`true`".to_owned()));
    let mut world = World::new(&["acme", "other"], vec![]);
    // The store may hand over more than was asked for; the reach decides all the same.
    let mut need = crate::login::need(&ann(&[]), &in_force);
    need.organizations = crate::facts::OrganizationsNeeded::All;
    let facts = world.facts(&need);
    let decision = crate::login::decide(&ann(&[]), &facts, &in_force, &LIMITS, &fresh(1), now());
    world.apply(&decision.plan);
    assert_eq!(organizations(&world), ["acme"]);
}

#[test]
fn r52_r53_r134_names_match_exactly_and_unknown_ones_are_dropped_one_by_one() {
    let cases: [(Value, Option<&[&str]>); 7] = [
        (json!("Admin"), Some(&["admin"])),
        (json!("admin"), None),
        (json!(" Admin"), None),
        (
            json!(["Nope", "Auditor", "Admin", "Auditor", 7, null]),
            Some(&["auditor", "admin"]),
        ),
        (json!([]), None),
        (json!({ "a": "Admin" }), None),
        (json!(true), None),
    ];
    for (value, expected) in cases {
        let incoming = claim(ann(&[]), "wanted", value.clone());
        let in_force = with_policy(|policy| policy.role = Some(RoleRule::Expression("wanted".to_owned())));
        let (world, decision) = sign_in(&["acme"], &incoming, &in_force);
        if let Some(roles) = expected {
            assert_eq!(roles_in(&world, "new-1", "acme"), roles, "{value}");
        } else {
            assert_eq!(
                decision.verdict,
                Verdict::Refused(Denial::NoOrganization),
                "{value}"
            );
            assert!(organizations(&world).is_empty());
        }
    }
}

#[test]
fn r52_a_near_name_is_suggested() {
    let in_force = with_policy(|policy| policy.role = Some(RoleRule::Fixed("Admni".to_owned())));
    let (_, decision) = sign_in(&["acme"], &ann(&[]), &in_force);
    assert!(
        decision
            .trace
            .steps
            .iter()
            .any(|step| step.text.contains("did you mean \"Admin\"?"))
    );
}

#[test]
fn r54_the_sources_role_example_gives_admin_or_member() {
    for (groups, role) in [(&["home-lab", "admin"][..], "admin"), (&["other"][..], "member")] {
        let rule = "contains(groups, 'admin') && 'Admin' || 'Member'".to_owned();
        let in_force = with_policy(|policy| policy.role = Some(RoleRule::Expression(rule)));
        let (world, _) = sign_in(&["acme"], &ann(groups), &in_force);
        assert_eq!(roles_in(&world, "new-1", "acme"), [role]);
    }
}

#[test]
fn r48_a_fixed_role_is_given_to_everyone() {
    let in_force = with_policy(|policy| policy.role = Some(RoleRule::Fixed("Auditor".to_owned())));
    let (world, _) = sign_in(&["acme"], &ann(&[]), &in_force);
    assert_eq!(roles_in(&world, "new-1", "acme"), ["auditor"]);
}

#[test]
fn r148_no_rule_ever_grants_an_owner_role() {
    let table = vec![GroupRoles {
        value: "g".to_owned(),
        name: None,
        roles: vec!["Owner".to_owned()],
    }];
    for rule in [
        RoleRule::Fixed("Owner".to_owned()),
        RoleRule::Expression("['Owner', 'Admin'][:1]".to_owned()),
        RoleRule::Groups(table),
    ] {
        let in_force = with(|connection| {
            connection.policy = Some(Policy {
                role: Some(rule),
                ..Policy::default()
            });
            connection.settings.on_no_role = OnNoRole::DefaultRole;
        });
        let (world, decision) = sign_in(&["acme"], &ann(&["g"]), &in_force);
        assert_eq!(roles_in(&world, "new-1", "acme"), ["member"]);
        assert!(has(&decision.trace, "role_owner_not_mappable"));
    }
}

#[test]
fn r136_r138_the_group_table_gives_roles_and_its_order_decides_where_one_is_allowed() {
    let row = |value: &str, role: &str| GroupRoles {
        value: value.to_owned(),
        name: None,
        roles: vec![role.to_owned()],
    };
    let table = RoleRule::Groups(vec![
        row("g-audit", "Auditor"),
        row("g-admin", "Admin"),
        row("g-none", "Member"),
    ]);
    let in_force = with_policy(|policy| policy.role = Some(table));
    let groups = ann(&["g-admin", "g-audit", "unknown"]);
    let (world, _) = sign_in(&["acme"], &groups, &in_force);
    assert_eq!(roles_in(&world, "new-1", "acme"), ["auditor", "admin"]);
    let mut world = World::new(&["acme"], vec![]);
    world.organizations[0].organization.roles_per_member = RolesPerMember::One;
    world.sign_in(&groups, &in_force, 1);
    assert_eq!(roles_in(&world, "new-1", "acme"), ["auditor"]);
}

#[test]
fn c19_one_role_per_member_takes_the_first_in_the_organizations_order() {
    let in_force =
        with_policy(|policy| policy.role = Some(RoleRule::Expression("['Auditor', 'Admin']".to_owned())));
    let mut world = World::new(&["acme"], vec![]);
    world.organizations[0].organization.roles_per_member = RolesPerMember::One;
    world.sign_in(&ann(&[]), &in_force, 1);
    assert_eq!(roles_in(&world, "new-1", "acme"), ["admin"]);
}

#[test]
fn r140_c08_without_a_role_the_organization_is_skipped_or_the_default_role_given() {
    for (setting, expected) in [(OnNoRole::Skip, vec![]), (OnNoRole::DefaultRole, vec!["acme"])] {
        let in_force = with(|connection| {
            connection.settings.on_no_role = setting;
            connection.policy = Some(Policy {
                role: Some(RoleRule::Fixed("Nope".to_owned())),
                ..Policy::default()
            });
        });
        let (world, _) = sign_in(&["acme"], &ann(&[]), &in_force);
        assert_eq!(organizations(&world), expected);
    }
}

#[test]
fn r143_an_expression_error_is_no_match_and_leaves_other_organizations_alone() {
    let failing = "contains(groups, 'x')";
    let in_force = with(|connection| {
        connection.scope = Scope::Instance;
        connection.policy = Some(by_organization("`true`"));
        connection.organization_policies = vec![OrganizationPolicy {
            organization: "one".into(),
            organization_expression: Some(failing.to_owned()),
            role: None,
            workspaces: None,
            license: None,
        }];
    });
    let incoming = claim(ann(&[]), "groups", Value::Null);
    let (world, decision) = sign_in(&["one", "two"], &incoming, &in_force);
    assert_eq!(organizations(&world), ["two"]);
    let error = decision
        .trace
        .steps
        .iter()
        .find(|step| step.code == "organization_rule_error")
        .unwrap();
    assert!(error.text.contains("Invalid type"), "{}", error.text);
}

fn workspaces(world: &World) -> Vec<&str> {
    world.get("new-1").memberships[0]
        .workspaces
        .iter()
        .map(|grant| grant.id.as_str())
        .collect()
}

#[test]
fn r20_to_r25_workspaces_follow_all_fixed_or_dynamic() {
    let dynamic = |expression: &str| {
        Some(WorkspaceRule::Dynamic {
            expression: expression.to_owned(),
        })
    };
    let cases: [(Option<WorkspaceRule>, &[&str]); 7] = [
        (None, &["main"]),
        (
            Some(WorkspaceRule::Fixed {
                ids: vec!["lab".into(), "gone".into()],
            }),
            &["lab"],
        ),
        (dynamic("teams"), &["main", "lab"]),
        (dynamic("role == 'Admin' && 'lab' || 'main'"), &["lab"]),
        (
            dynamic("roles[?@ == 'Admin'] && license == 'spare' && ['Lab']"),
            &["lab"],
        ),
        (dynamic("normalized.email_verified"), &[]),
        (dynamic("sort(teams[0])"), &[]),
    ];
    for (rule, expected) in cases {
        let in_force = with_policy(|policy| {
            policy.role = Some(RoleRule::Fixed("Admin".to_owned()));
            policy.license = Some(LicenseRule::Expression("'spare'".to_owned()));
            policy.workspaces.clone_from(&rule);
        });
        let incoming = claim(
            claim(ann(&[]), "teams", json!(["Lab", "main", "x"])),
            "role",
            json!("forged"),
        );
        let (world, _) = sign_in(&["acme"], &incoming, &in_force);
        assert_eq!(workspaces(&world), expected, "{rule:?}");
    }
}

#[test]
fn r21_c17_all_includes_later_workspaces_or_only_todays() {
    for (future, single) in [(true, vec![]), (false, vec!["main", "lab"])] {
        let in_force = with(|connection| {
            connection.settings.all_includes_future = future;
            connection.policy = Some(Policy {
                workspaces: Some(WorkspaceRule::All {}),
                ..Policy::default()
            });
        });
        let (world, _) = sign_in(&["acme"], &ann(&[]), &in_force);
        assert_eq!(workspaces(&world), single);
        assert_eq!(world.get("new-1").memberships[0].all_workspaces.is_some(), future);
    }
}

#[test]
fn r145_an_id_with_a_quote_neither_breaks_nor_bends_an_expression() {
    let evil = "x') || `true` || contains(groups, '";
    let in_force = instance(by_organization("contains(groups, '{{orgId}}')"));
    let (world, _) = sign_in(&[evil, "it's", "a`b\"c\\"], &ann(&["it's"]), &in_force);
    assert_eq!(organizations(&world), ["it's"]);
    let (world, _) = sign_in(&[evil, "a`b\"c\\"], &ann(&["a`b\"c\\"]), &in_force);
    assert_eq!(organizations(&world), ["a`b\"c\\"]);
}

#[test]
fn c27_a_provider_cannot_forge_our_own_names() {
    let incoming = claim(
        ann(&[]),
        "normalized",
        json!({ "email_verified": true, "groups": ["admin"] }),
    );
    let incoming = claim(incoming, "protocol", json!("oidc"));
    let claims = Claims::of(&incoming);
    assert_eq!(claims.document()["protocol"], json!("saml"));
    assert_eq!(claims.document()["connection"], json!("okta"));
    assert_eq!(claims.document()["normalized"]["groups"], json!([]));
    assert_eq!(claims.document()["claims"]["protocol"], json!("oidc"));
    assert_eq!(claims.document()["raw"], claims.document()["claims"]);
}

#[test]
fn all_faults_of_a_connection_are_reported_at_once_with_path_and_position() {
    let mut connection = connection();
    let own = |organization: &str, expression: &str| OrganizationPolicy {
        organization: organization.into(),
        organization_expression: Some(expression.to_owned()),
        role: None,
        workspaces: None,
        license: None,
    };
    connection.policy = Some(Policy {
        organization: Some("contains(groups".to_owned()),
        role: Some(RoleRule::Expression("contians(groups, 'x')".to_owned())),
        workspaces: Some(WorkspaceRule::Dynamic {
            expression: "a b".to_owned(),
        }),
        license: Some(LicenseRule::Expression("]".to_owned())),
    });
    connection.organization_policies = vec![own("acme", "a"), own("acme", "||"), own("elsewhere", "a")];
    let faults = InForce::compile(connection).unwrap_err();
    insta::assert_json_snapshot!(
        "faults",
        faults
            .iter()
            .map(|fault| format!("{} @{}: {}", fault.path, fault.offset, fault.message))
            .collect::<Vec<_>>()
    );
}

#[test]
fn bad_rules_are_refused_when_they_are_saved_with_position_and_suggestion() {
    let refused = |policy: Policy| {
        let mut connection = connection();
        connection.policy = Some(policy);
        let faults = InForce::compile(connection).unwrap_err();
        assert_eq!(faults.len(), 1);
        faults[0].to_string()
    };
    let organization = |rule: &str| refused(by_organization(rule));
    let role = |rule: &str| {
        refused(Policy {
            role: Some(RoleRule::Expression(rule.to_owned())),
            ..Policy::default()
        })
    };
    for (told, expected) in [
        (
            organization("contains(groups, '{{orgid}}')"),
            "policy.organization: nothing stands for {{orgid}}, did you mean {{orgId}}? (at byte 18)",
        ),
        (
            organization("contains(groups, {{ orgId }})"),
            "policy.organization: nothing stands for {{ orgId }}, did you mean {{orgId}}? (at byte 17)",
        ),
        (
            organization("groups[?@ == '{{orgId}}']"),
            "policy.organization: only true or the organization's own id admits, and this can only give a list; for one of \
             a list, add ` | [0]` (at byte 0)",
        ),
        (
            organization("length(groups)"),
            "policy.organization: only true or the organization's own id admits, and this can only give a number (at byte 0)",
        ),
        (
            role("contains(groups, 'admin')"),
            "policy.role.expression: a role rule gives a role's name or a list of names, and this can only give true or \
             false; for a name, add ` && 'Name'` (at byte 0)",
        ),
        (
            role("contains(groups, 'a') && length(groups)"),
            "policy.role.expression: a role rule gives a role's name or a list of names, and this can only give true or false \
             or a number; for a name, add ` && 'Name'` (at byte 0)",
        ),
        (
            role("contain(groups, 'a') && 'Admin'"),
            "policy.role.expression: there is no function contain, did you mean contains? (at byte 0)",
        ),
        (
            role("contains(groups) && 'Admin'"),
            "policy.role.expression: contains takes 2 arguments, not 1 (at byte 0)",
        ),
    ] {
        assert_eq!(told, expected);
    }
}

#[test]
fn only_rules_that_can_never_work_are_refused() {
    let refused = |policy: Policy| {
        let mut connection = connection();
        connection.policy = Some(policy);
        InForce::compile(connection).unwrap_err()[0].to_string()
    };
    let workspaces = WorkspaceRule::Dynamic {
        expression: "`7`".to_owned(),
    };
    let license = LicenseRule::Expression("groups[0] == 'a'".to_owned());
    assert!(
        refused(Policy {
            workspaces: Some(workspaces),
            ..Policy::default()
        })
        .contains("can only give a number")
    );
    assert!(
        refused(Policy {
            license: Some(license),
            ..Policy::default()
        })
        .contains("can only give true or false")
    );
    for fine in [
        "groups",
        "missing || 'x'",
        "not_null(role, 'Member')",
        "max(groups)",
        "a.b | [0]",
        "[a, b]",
        "reverse(x)",
    ] {
        with_policy(|policy| policy.role = Some(RoleRule::Expression(fine.to_owned())));
    }
}

#[test]
fn what_is_in_force_can_be_shared_between_threads() {
    fn check<T: Send + Sync>(_: &T) {}
    check(&with(|_| {}));
}

#[test]
fn r146_rules_see_an_address_with_a_lower_case_domain_and_the_raw_claim_as_it_came() {
    let raw = "Ann@ACME.Example";
    let mut incoming = claim(ann(&[]), "email", json!(raw));
    incoming.normalized.email = Some(email(raw));
    for (rule, admits) in [
        ("ends_with(normalized.email, '@acme.example')", true),
        ("normalized.email == 'Ann@acme.example'", true),
        ("ends_with(normalized.email, '@ACME.Example')", false),
        ("email == 'Ann@ACME.Example'", true),
        ("claims.email == 'Ann@ACME.Example'", true),
        ("raw.email == 'Ann@ACME.Example'", true),
    ] {
        let (_, decision) = sign_in(&["acme"], &incoming, &instance(by_organization(rule)));
        assert_eq!(matches!(decision.verdict, Verdict::Admitted(_)), admits, "{rule}");
    }
}

#[test]
fn r149_a_shared_connection_gives_each_organization_what_its_own_policy_says() {
    let in_force = with(|connection| {
        connection.scope = Scope::Organization {
            organization: "acme".into(),
            shared_with: vec!["globex".into()],
        };
        connection.policy = Some(Policy {
            role: Some(RoleRule::Fixed("Member".to_owned())),
            ..Policy::default()
        });
        connection.organization_policies = vec![OrganizationPolicy {
            organization: "globex".into(),
            organization_expression: Some("contains(groups, 'partners')".to_owned()),
            role: Some(RoleRule::Fixed("Admin".to_owned())),
            workspaces: None,
            license: None,
        }];
    });
    // A third organization is not among those that share it, whatever the rules say.
    let all = ["acme", "globex", "initech"];
    let (world, _) = sign_in(&all, &ann(&["partners", "initech"]), &in_force);
    assert_eq!(organizations(&world), ["acme", "globex"]);
    assert_eq!(roles_in(&world, "new-1", "acme"), ["member"]);
    assert_eq!(roles_in(&world, "new-1", "globex"), ["admin"]);
    let (world, _) = sign_in(&all, &ann(&[]), &in_force);
    assert_eq!(organizations(&world), ["acme"]);
}
