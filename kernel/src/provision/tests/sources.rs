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

#[test]
fn r163_what_a_directory_keeps_is_read_only_here_and_the_file_passes_over_it() {
    use crate::fixtures::{pushed, scim};
    use crate::provision::push::{CUSTOM_ATTRIBUTES, Push};
    let in_force = scim(|_| {});
    let mut world = World::new(&["acme"], vec![]);
    let mut user = pushed("ann");
    user.attributes
        .insert("nfc".to_owned(), serde_json::json!("04-A"));
    user.document
        .insert(CUSTOM_ATTRIBUTES.to_owned(), serde_json::json!({ "nfc": "04-A" }));
    world.push(&Push::CreateUser(Box::new(user)), &in_force, 1);
    let run = |world: &mut World, actor: Actor, set: &ProfilePatch, in_force: &crate::mapping::InForce| {
        let action = Action::UpdateProfile {
            account: "new-1".into(),
            set: Box::new(set.clone()),
        };
        let request = Request { actor, action };
        let facts = world.facts(&need(&request));
        let decision = decide(&request, &facts, Some(in_force), &fresh(9), now());
        world.apply(&decision.plan);
        decision
    };
    let attributes = |value: serde_json::Value| ProfilePatch {
        attributes: value.as_object().cloned(),
        ..ProfilePatch::default()
    };
    let kept = [
        ProfilePatch {
            family_name: Some(Some("Ray".to_owned())),
            ..ProfilePatch::default()
        },
        ProfilePatch {
            email: Some(None),
            ..ProfilePatch::default()
        },
        attributes(serde_json::json!({ "nfc": "04-B" })),
    ];
    for set in &kept {
        let refused = run(&mut world, OPERATOR, set, &in_force);
        assert_eq!(refusal(&refused), Some(Denial::DirectoryManaged), "{set:?}");
        let passed = run(&mut world, Actor::File, set, &in_force);
        assert!(
            refusal(&passed).is_none() && passed.plan.changes.is_empty(),
            "{set:?}"
        );
        assert!(has(&passed.trace, "managed_by_directory"));
    }
    // What the directory does not give may be edited, and everything once it pushes no more.
    let own = attributes(serde_json::json!({ "nfc": "04-A", "desk": "3" }));
    assert_eq!(refusal(&run(&mut world, OPERATOR, &own, &in_force)), None);
    assert_eq!(world.get("new-1").account.attributes["desk"], "3");
    let jit = with(|_| {});
    assert_eq!(refusal(&run(&mut world, OPERATOR, &kept[0], &jit)), None);
    assert_eq!(world.get("new-1").account.family_name.as_deref(), Some("Ray"));
}

#[test]
fn r141_a_hand_edit_of_an_sso_profile_is_remembered_and_can_be_given_back() {
    let set = |patch: ProfilePatch| Action::UpdateProfile {
        account: "ann".into(),
        set: Box::new(patch),
    };
    let named = || ProfilePatch {
        given_name: Some(Some("Anna".to_owned())),
        ..ProfilePatch::default()
    };
    let mut world = owner_and_admin();
    assert_eq!(refusal(&run(&mut world, Actor::File, set(named()))), None);
    assert!(world.get("ann").account.edited.is_empty(), "the file is no hand");
    let other = ProfilePatch {
        given_name: Some(Some("Annie".to_owned())),
        ..ProfilePatch::default()
    };
    run(&mut world, admin("adam"), set(other));
    let marked: std::collections::BTreeSet<_> = [crate::directory::ProfileField::Names].into();
    assert_eq!(world.get("ann").account.edited, marked);
    let address = ProfilePatch {
        email: Some(Some(email("annie@acme.example"))),
        ..ProfilePatch::default()
    };
    run(&mut world, admin("adam"), set(address));
    assert_eq!(world.get("ann").account.edited.len(), 2);
    let given_back = ProfilePatch {
        edited: Some(marked.clone()),
        ..ProfilePatch::default()
    };
    run(&mut world, admin("adam"), set(given_back));
    assert_eq!(world.get("ann").account.edited, marked);
}
