//! Federated match (D): matching and JIT on SAML.

use super::*;

fn d() -> InForce {
    preset(Preset::FederatedMatch, |_| {})
}

/// Ann, an active member with a standard account.
fn standard() -> AccountFacts {
    known(
        account("ann", Authentication::Standard),
        &[],
        vec![member("acme", Source::Manual, &["auditor"])],
    )
}

fn sso_ann() -> AccountFacts {
    known(
        account("ann", sso("okta")),
        &["ann-1"],
        vec![member("acme", rule(), &["member"])],
    )
}

fn with_ids(workspace: Option<&str>, role: Option<&str>) -> Incoming {
    let mut incoming = ann(&[]);
    incoming.normalized.account_id = workspace.map(str::to_owned);
    incoming.normalized.permission_profile_id = role.map(str::to_owned);
    incoming
}

#[test]
fn r27_r37_an_assertion_for_a_person_without_an_active_membership_provisions_a_new_active_user() {
    let mut world = World::new(&["acme"], vec![]);
    assert_eq!(
        world.sign_in(&ann(&[]), &d(), 1).verdict,
        Verdict::Admitted("new-1".into())
    );
    assert_eq!(world.get("new-1").account.status, Status::Active);
}

#[test]
fn r28_that_user_lands_in_the_default_workspace_with_the_default_role() {
    let mut world = World::new(&["acme"], vec![]);
    world.sign_in(&ann(&[]), &d(), 1);
    assert_eq!(roles_in(&world, "new-1", "acme"), ["member"]);
    assert_eq!(workspaces(&world, "new-1"), ["main"]);
}

#[test]
fn r29_with_jit_on_anyone_the_idp_lets_through_can_sign_in() {
    for accounts in [vec![], vec![standard()], vec![sso_ann()]] {
        let mut world = World::new(&["acme"], accounts);
        assert!(admitted(&world.sign_in(&ann(&["whatever"]), &d(), 1)));
    }
}

#[test]
fn r31_candidates_are_active_users_of_that_organization_only() {
    let mut inactive = standard();
    inactive.account.status = Status::Deactivated;
    inactive.account.status_origin = Origin::System;
    let mut elsewhere = standard();
    elsewhere.memberships = vec![member("other", Source::Manual, &["member"])];
    for candidate in [inactive, elsewhere] {
        let before = candidate.clone();
        let mut world = World::new(&["acme", "other"], vec![candidate]);
        assert_eq!(
            world.sign_in(&ann(&[]), &d(), 1).verdict,
            Verdict::Admitted("new-1".into())
        );
        assert_eq!(*world.get("ann"), before);
    }
}

#[test]
fn r32_r33_r34_the_nameid_matches_first_and_a_different_email_is_taken_over() {
    let mut world = World::new(&["acme"], vec![sso_ann()]);
    let mut incoming = ann(&[]);
    incoming.normalized.email = Some(email("ann.lee@acme.example"));
    incoming.normalized.family_name = Some("Married".to_owned());
    assert_eq!(
        world.sign_in(&incoming, &d(), 1).verdict,
        Verdict::Admitted("ann".into())
    );
    assert_eq!(
        world.get("ann").account.email,
        Some(email("ann.lee@acme.example"))
    );
}

#[test]
fn r35_r38_equal_email_given_name_and_surname_match_second_and_the_nameid_is_kept() {
    let mut world = World::new(&["acme"], vec![standard()]);
    assert_eq!(
        world.sign_in(&ann(&[]), &d(), 1).verdict,
        Verdict::Admitted("ann".into())
    );
    assert_eq!(world.get("ann").links, [link("ann-1")]);
    // The next login matches in step 1, whatever else is asserted.
    let mut renamed = ann(&[]);
    renamed.normalized.given_name = Some("Anna".to_owned());
    let again = world.sign_in(&renamed, &d(), 2);
    assert_eq!(again.verdict, Verdict::Admitted("ann".into()));
    assert_eq!(
        roles_in(&world, "ann", "acme"),
        ["auditor"],
        "what she had by hand stays"
    );
}

#[test]
fn r36_two_of_the_three_equal_is_not_a_match() {
    for field in 0..3 {
        let mut other = standard();
        match field {
            0 => other.account.email = Some(email("someone@acme.example")),
            1 => other.account.given_name = Some("Bea".to_owned()),
            _ => other.account.family_name = Some("Bo".to_owned()),
        }
        let mut world = World::new(&["acme"], vec![other]);
        world.sign_in(&ann(&[]), &d(), 1);
        assert!(world.get("ann").links.is_empty(), "{field}");
    }
}

#[test]
fn c06_an_inactive_user_does_not_match_so_a_new_one_is_made_but_never_for_whom_an_admin_took_out() {
    for (origin, admitted_as) in [
        (Origin::System, Some("new-1")),
        (Origin::Admin, None),
        (Origin::Scim, None),
    ] {
        let mut inactive = sso_ann();
        inactive.account.status = Status::Deactivated;
        inactive.account.status_origin = origin;
        let mut world = World::new(&["acme"], vec![inactive]);
        let verdict = world.sign_in(&ann(&[]), &d(), 1).verdict;
        match admitted_as {
            Some(account) => assert_eq!(verdict, Verdict::Admitted(account.into())),
            None => assert_eq!(verdict, Verdict::Refused(Denial::Deactivated)),
        }
    }
}

#[test]
fn r40_accountid_and_permissionprofileid_choose_workspace_and_role_instead_of_the_defaults() {
    let mut world = World::new(&["acme"], vec![]);
    world.sign_in(&with_ids(Some("lab"), Some("auditor")), &d(), 1);
    assert_eq!(workspaces(&world, "new-1"), ["lab"]);
    assert_eq!(roles_in(&world, "new-1", "acme"), ["auditor"]);
}

#[test]
fn r41_without_those_two_attributes_the_defaults_apply() {
    let mut world = World::new(&["acme"], vec![]);
    world.sign_in(&with_ids(None, None), &d(), 1);
    assert_eq!(workspaces(&world, "new-1"), ["main"]);
    assert_eq!(roles_in(&world, "new-1", "acme"), ["member"]);
}

#[test]
fn r42_default_workspace_and_default_role_are_settings() {
    let mut world = World::new(&["acme"], vec![]);
    for role in &mut world.organizations[0].roles {
        role.default = role.id.as_str() == "auditor";
    }
    for workspace in &mut world.organizations[0].workspaces {
        workspace.default = workspace.id.as_str() == "lab";
    }
    world.sign_in(&ann(&[]), &d(), 1);
    assert_eq!(workspaces(&world, "new-1"), ["lab"]);
    assert_eq!(roles_in(&world, "new-1", "acme"), ["auditor"]);
}

#[test]
fn r125_r126_one_of_the_two_alone_or_an_unknown_id_fails_and_creates_nothing() {
    for (workspace, role, denial) in [
        (Some("lab"), None, Denial::IncompleteAssertionIds),
        (None, Some("auditor"), Denial::IncompleteAssertionIds),
        (Some("Lab"), Some("auditor"), Denial::UnknownAssertionId),
        (Some("lab"), Some("nobody"), Denial::UnknownAssertionId),
    ] {
        let mut world = World::new(&["acme"], vec![]);
        let decision = world.sign_in(&with_ids(workspace, role), &d(), 1);
        assert_eq!(decision.verdict, Verdict::Refused(denial));
        assert!(world.accounts.is_empty());
    }
}

#[test]
fn c07_d_applies_defaults_only_at_creation() {
    let mut world = World::new(&["acme"], vec![]);
    world.sign_in(&with_ids(Some("lab"), Some("auditor")), &d(), 1);
    world.sign_in(&ann(&[]), &d(), 2);
    assert_eq!(roles_in(&world, "new-1", "acme"), ["auditor"]);
}
