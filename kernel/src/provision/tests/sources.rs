//! Who may do what to whom: directories, operators and the file.

use super::*;

#[test]
fn a_directory_reaches_only_its_own_people_its_own_domains_and_no_owner_role() {
    let scim = Actor::Scim {
        connection: "okta".into(),
    };
    let role = |account: &str, organization: &str, role: &str| Action::EditMembership {
        account: account.into(),
        organization: organization.into(),
        edits: vec![GrantEdit::GrantRole { role: role.into() }],
    };
    let address = |text: &str| Action::UpdateProfile {
        account: "ann".into(),
        set: Box::new(ProfilePatch {
            email: Some(Some(email(text))),
            ..ProfilePatch::default()
        }),
    };
    let mut standard = new_account("acme", &[]);
    standard.authentication = Authentication::Standard;
    let cases = [
        (role("ann", "acme", "auditor"), None),
        (role("ann", "acme", "owner"), Some(Denial::NotPermitted)),
        (role("ann", "other", "member"), Some(Denial::NotFound)),
        (role("adam", "acme", "member"), Some(Denial::NotFound)),
        (
            Action::SetStatus {
                account: "adam".into(),
                to: Status::Suspended,
            },
            Some(Denial::NotFound),
        ),
        (
            Action::SetStatus {
                account: "ann".into(),
                to: Status::Suspended,
            },
            None,
        ),
        (address("ann@elsewhere.example"), Some(Denial::DomainNotVerified)),
        (address("ann.lee@acme.example"), None),
        (create(new_account("acme", &[])), None),
        (create(new_account("other", &[])), Some(Denial::NotFound)),
        (create(standard), Some(Denial::NotPermitted)),
        (
            Action::MakeOperator {
                account: "ann".into(),
                operator: true,
            },
            Some(Denial::NotPermitted),
        ),
    ];
    for (action, expected) in cases {
        assert_eq!(
            refusal(&run(&mut owner_and_admin(), scim.clone(), action.clone())),
            expected,
            "{action:?}"
        );
    }
}

#[test]
fn r10_a_directory_restores_only_what_it_deleted_itself() {
    let scim = Actor::Scim {
        connection: "okta".into(),
    };
    for (deleter, expected) in [
        (scim.clone(), None),
        (admin("adam"), Some(Denial::IllegalTransition)),
    ] {
        let mut world = owner_and_admin();
        run(
            &mut world,
            deleter,
            Action::Delete {
                account: "ann".into(),
                allow_return: false,
            },
        );
        let restore = Action::SetStatus {
            account: "ann".into(),
            to: Status::Active,
        };
        assert_eq!(refusal(&run(&mut world, scim.clone(), restore)), expected);
    }
}

#[test]
fn only_operators_make_operators() {
    let action = Action::MakeOperator {
        account: "adam".into(),
        operator: true,
    };
    for actor in [admin("olga"), Actor::File, Actor::System] {
        assert_eq!(
            refusal(&run(&mut owner_and_admin(), actor, action.clone())),
            Some(Denial::NotPermitted)
        );
    }
    let mut world = owner_and_admin();
    run_twice(&mut world, &OPERATOR, &action);
    assert!(world.get("adam").account.operator);
    let smuggled = Action::UpdateProfile {
        account: "adam".into(),
        set: Box::new(ProfilePatch {
            operator: Some(true),
            ..ProfilePatch::default()
        }),
    };
    assert_eq!(
        refusal(&run(&mut owner_and_admin(), OPERATOR, smuggled)),
        Some(Denial::NotPermitted)
    );
}

#[test]
fn the_file_brings_an_account_to_its_state_and_takes_back_only_what_it_gave() {
    let mut world = owner_and_admin();
    run_twice(
        &mut world,
        &Actor::File,
        &create(new_account("acme", &["auditor"])),
    );
    let by_hand = Action::EditMembership {
        account: "new-9".into(),
        organization: "other".into(),
        edits: vec![],
    };
    run(&mut world, OPERATOR, by_hand);
    let mut changed = new_account("acme", &["member"]);
    changed.family_name = Some("Person".to_owned());
    changed.memberships[0].workspaces = WorkspacesWanted::Ids(vec!["lab".into()]);
    run_twice(&mut world, &Actor::File, &create(changed.clone()));
    assert_eq!(roles_in(&world, "new-9", "acme"), ["member"]);
    assert_eq!(world.get("new-9").account.family_name.as_deref(), Some("Person"));
    changed.memberships.clear();
    run_twice(&mut world, &Actor::File, &create(changed));
    let left: Vec<&str> = world
        .get("new-9")
        .memberships
        .iter()
        .map(|held| held.organization.as_str())
        .collect();
    assert_eq!(left, ["other"], "what an operator gave by hand stays");
}
