//! Strict 1.1 (P): SSO, JIT or SCIM, licenses, workspaces.

use super::*;
use crate::provision::push::Push;

fn p(change: impl FnOnce(&mut Policy)) -> InForce {
    let mut policy = Policy::default();
    change(&mut policy);
    preset(Preset::Strict11, |connection| connection.policy = Some(policy))
}

fn create(world: &mut World, in_force: &InForce) -> Decision {
    world.push(&Push::CreateUser(Box::new(pushed("ann"))), in_force, 1)
}

#[test]
fn r02_credentials_of_sso_users_live_only_in_the_idp() {
    let mut world = World::new(&["acme"], vec![]);
    create(&mut world, &p(|_| {}));
    // An SSO account is a value without any place for a password.
    assert_eq!(world.get("new-1").account.authentication, sso("okta"));
}

#[test]
fn r03_onboarding_through_the_idp_gives_role_and_workspace_access_in_the_same_act() {
    let mut world = World::new(&["acme"], vec![]);
    let decision = create(
        &mut world,
        &p(|policy| policy.workspaces = Some(WorkspaceRule::All {})),
    );
    assert!(admitted(&decision));
    assert_eq!(roles_in(&world, "new-1", "acme"), ["member"]);
    assert!(world.get("new-1").memberships[0].all_workspaces.is_some());
}

#[test]
fn r07_jit_and_scim_exclude_each_other_on_one_idp() {
    let (mut as_text, jit) = (serde_json::json!("scim"), serde_json::json!("jit"));
    assert_eq!(
        serde_json::from_value::<Provisioning>(as_text.take()).unwrap(),
        Provisioning::Scim
    );
    assert_eq!(
        serde_json::from_value::<Provisioning>(jit).unwrap(),
        Provisioning::Jit
    );
    assert!(serde_json::from_value::<Provisioning>(serde_json::json!(["jit", "scim"])).is_err());
}

#[test]
fn r08_the_account_exists_as_soon_as_the_idp_pushes_it_before_any_login() {
    let mut world = World::new(&["acme"], vec![]);
    let in_force = p(|_| {});
    let before = world.sign_in(&ann(&[]), &in_force, 5);
    assert_eq!(
        before.verdict,
        Verdict::Refused(Denial::NotPushedByDirectory),
        "C-02: only the push makes people"
    );
    assert!(world.accounts.is_empty());
    create(&mut world, &in_force);
    assert_eq!(world.accounts.len(), 1);
}

#[test]
fn r09_r11_jit_makes_exactly_one_account_at_the_first_login_and_only_an_admin_removes_it() {
    let in_force = preset(Preset::Strict11, |connection| {
        connection.provisioning = Provisioning::Jit;
    });
    let mut world = World::new(&["acme"], vec![]);
    assert!(world.accounts.is_empty());
    for n in 1..4 {
        assert!(admitted(&world.sign_in(&ann(&[]), &in_force, n)));
    }
    assert_eq!(world.accounts.len(), 1);
    let account = world.accounts[0].account.id.clone();
    let delete = Action::Delete {
        account: account.clone(),
        allow_return: false,
    };
    by_hand(&mut world, delete, &in_force);
    assert_eq!(world.get(account.as_str()).account.status, Status::Deleted);
    assert!(!admitted(&world.sign_in(&ann(&[]), &in_force, 9)));
}

#[test]
fn r10_deleting_the_user_in_the_idp_deletes_the_user_here() {
    let mut world = World::new(&["acme"], vec![]);
    let in_force = p(|_| {});
    create(&mut world, &in_force);
    let delete = Push::DeleteUser {
        account: "new-1".into(),
        if_version: None,
    };
    world.push(&delete, &in_force, 2);
    let left = &world.get("new-1");
    assert_eq!(left.account.status, Status::Deleted);
    // P deletes at once: nothing about the person stays.
    assert_eq!(left.account.email, None);
    assert!(left.memberships.is_empty());
}

#[test]
fn r13_scim_assigns_a_license_at_the_moment_of_creation_not_at_first_login() {
    let mut world = World::new(&["acme"], vec![]);
    create(
        &mut world,
        &p(|policy| policy.license = Some(LicenseRule::Fixed("standard".into()))),
    );
    let held = world.get("new-1").memberships[0].license.clone().unwrap();
    assert_eq!((held.license.as_str(), held.seated), ("standard", true));
}

#[test]
fn r20_each_idp_has_exactly_one_workspace_option_and_two_at_once_cannot_be_stored() {
    for (text, fine) in [
        (serde_json::json!({ "mode": "all" }), true),
        (serde_json::json!({ "mode": "fixed", "ids": ["main"] }), true),
        (
            serde_json::json!({ "mode": "dynamic", "expression": "teams" }),
            true,
        ),
        (serde_json::json!({ "mode": "all", "ids": ["main"] }), false),
        (
            serde_json::json!({ "mode": "fixed", "ids": ["main"], "expression": "teams" }),
            false,
        ),
        (serde_json::json!({ "mode": ["all", "fixed"] }), false),
    ] {
        assert_eq!(
            serde_json::from_value::<WorkspaceRule>(text.clone()).is_ok(),
            fine,
            "{text}"
        );
    }
}

#[test]
fn r21_all_every_provisioned_user_is_assigned_to_every_workspace() {
    let mut world = World::new(&["acme"], vec![]);
    create(
        &mut world,
        &p(|policy| policy.workspaces = Some(WorkspaceRule::All {})),
    );
    // Later ones too (C-17).
    assert!(world.get("new-1").memberships[0].all_workspaces.is_some());
}

#[test]
fn r22_fixed_every_provisioned_user_is_assigned_to_one_named_workspace_or_to_a_list() {
    for ids in [vec!["lab"], vec!["main", "lab"]] {
        let mut world = World::new(&["acme"], vec![]);
        let rule = WorkspaceRule::Fixed {
            ids: ids.iter().map(|id| (*id).into()).collect(),
        };
        create(&mut world, &p(|policy| policy.workspaces = Some(rule)));
        assert_eq!(workspaces(&world, "new-1"), ids);
    }
}

#[test]
fn r23_dynamic_workspaces_follow_from_user_attributes_set_in_the_identity_tool() {
    let in_force = p(|policy| {
        policy.workspaces = Some(WorkspaceRule::Dynamic {
            expression: "department == 'Research' && 'lab' || 'main'".to_owned(),
        });
    });
    for (department, workspace) in [("Research", "lab"), ("Sales", "main")] {
        let mut user = pushed("ann");
        user.document.insert("department".to_owned(), department.into());
        let mut world = World::new(&["acme"], vec![]);
        world.push(&Push::CreateUser(Box::new(user)), &in_force, 1);
        assert_eq!(workspaces(&world, "new-1"), [workspace]);
    }
}

#[test]
fn r24_attributes_can_also_be_mapped_to_a_role_and_to_a_license() {
    let in_force = p(|policy| {
        policy.role = Some(RoleRule::Expression(
            "title == 'Auditor' && 'Auditor' || 'Member'".to_owned(),
        ));
        policy.license = Some(LicenseRule::Expression(
            "title == 'Auditor' && 'spare' || 'standard'".to_owned(),
        ));
    });
    for (title, role, license) in [("Auditor", "auditor", "spare"), ("Clerk", "member", "standard")] {
        let mut user = pushed("ann");
        user.document.insert("title".to_owned(), title.into());
        let mut world = World::new(&["acme"], vec![]);
        world.push(&Push::CreateUser(Box::new(user)), &in_force, 1);
        assert_eq!(roles_in(&world, "new-1", "acme"), [role]);
        let held = world.get("new-1").memberships[0].license.clone().unwrap();
        assert_eq!(held.license.as_str(), license);
    }
}

#[test]
fn r25_workspace_rules_can_be_written_in_terms_of_the_users_resulting_role_or_license() {
    for (rule, expected) in [
        ("role == 'Admin' && 'lab' || 'main'", "lab"),
        ("license == 'spare' && 'lab' || 'main'", "lab"),
        ("contains(roles, 'Member') && 'lab' || 'main'", "main"),
    ] {
        let in_force = p(|policy| {
            policy.role = Some(RoleRule::Fixed("Admin".to_owned()));
            policy.license = Some(LicenseRule::Fixed("spare".into()));
            policy.workspaces = Some(WorkspaceRule::Dynamic {
                expression: rule.to_owned(),
            });
        });
        let mut world = World::new(&["acme"], vec![]);
        create(&mut world, &in_force);
        assert_eq!(workspaces(&world, "new-1"), [expected], "{rule}");
    }
}
