//! Keys of the API act for the instance or for one organization, and pins hold a membership as it is.

use super::*;

fn key(organization: Option<&str>) -> Actor {
    Actor::Key {
        key: "key_1".to_owned(),
        organization: organization.map(Into::into),
    }
}

fn edit(account: &str, organization: &str, edit: GrantEdit) -> Action {
    Action::EditMembership {
        account: account.into(),
        organization: organization.into(),
        edits: vec![edit],
    }
}

#[test]
fn c07_a_pin_holds_a_membership_as_it_is_until_it_is_taken_away() {
    let mut world = owner_and_admin();
    let rules = with_policy(|policy| policy.role = Some(crate::policy::RoleRule::Fixed("Admin".to_owned())));
    run_twice(
        &mut world,
        &key(Some("acme")),
        &edit("ann", "acme", GrantEdit::Pin),
    );
    let decision = world.sign_in(&ann(&[]), &rules, 1);
    assert!(has(&decision.trace, "drift"));
    assert_eq!(roles_in(&world, "ann", "acme"), ["member"]);
    run_twice(
        &mut world,
        &key(Some("acme")),
        &edit("ann", "acme", GrantEdit::ReturnToAutomatic),
    );
    world.sign_in(&ann(&[]), &rules, 2);
    assert_eq!(roles_in(&world, "ann", "acme"), ["admin"]);
}

#[test]
fn a_key_of_one_organization_reaches_no_other_and_no_owner() {
    let mut world = owner_and_admin();
    let elsewhere = run(
        &mut world,
        key(Some("other")),
        edit("ann", "acme", GrantEdit::Pin),
    );
    assert_eq!(refusal(&elsewhere), Some(Denial::NotFound));
    let owner = run(
        &mut world,
        key(Some("acme")),
        edit("olga", "acme", GrantEdit::Pin),
    );
    assert_eq!(refusal(&owner), Some(Denial::NotPermitted));
    let whole = run(&mut world, key(None), edit("olga", "acme", GrantEdit::Pin));
    assert_eq!(refusal(&whole), None);
    assert_eq!(key(None).label(), "api_key:key_1");
    assert_eq!(key(Some("acme")).label(), "api_key:key_1@acme");
}
