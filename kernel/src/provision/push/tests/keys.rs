//! Keys of pushed people: clashes, take-over of accounts, and what is never touched.

use super::*;

/// An account `other` of the connection that a sign-in made: user name, external id and address of Ann.
fn other() -> AccountFacts {
    let mut other = known(
        account("other", sso("okta")),
        &["s-1"],
        vec![member("acme", rule(), &["member"])],
    );
    other.account.user_name = Some("ANN@acme.example".to_owned());
    other.account.external_id = Some("x-ann".to_owned());
    other
}

#[test]
fn r156_r157_a_clash_names_the_attribute_and_sees_what_look_ups_see() {
    let in_force = directory(|_| {});
    let bare = |change: fn(&mut PushedUser)| {
        let mut user = pushed("bob");
        change(&mut user);
        user
    };
    let cases = [
        (
            bare(|user| user.user_name = Some("Ann@ACME.example".to_owned())),
            Denial::UserNameTaken,
        ),
        (
            bare(|user| user.external_id = Some("x-ann".to_owned())),
            Denial::ExternalIdTaken,
        ),
        (
            bare(|user| user.email = Some("Ann@acme.example".to_owned())),
            Denial::EmailTaken,
        ),
    ];
    for (user, denial) in cases {
        for status in [
            Status::Active,
            Status::Invited,
            Status::Suspended,
            Status::Deactivated,
        ] {
            let mut held = other();
            held.account.status = status;
            let mut world = World::new(&["acme"], vec![held]);
            let push = Push::CreateUser(Box::new(user.clone()));
            assert_eq!(
                refusal(&world.push(&push, &in_force, 1)),
                Some(denial),
                "{status:?}"
            );
            assert_eq!(refusal(&world.push(&create("bob"), &in_force, 2)), None);
            let push = replace("new-2", user.clone());
            assert_eq!(
                refusal(&world.push(&push, &in_force, 3)),
                Some(denial),
                "{status:?}"
            );
        }
        // Deleted accounts and those of other connections are seen by no look-up and stand in nobody's way.
        let mut gone = other();
        (gone.account.status, gone.account.status_origin) = (Status::Deleted, Origin::Admin);
        let mut elsewhere = other();
        elsewhere.account.authentication = sso("entra");
        for held in [gone, elsewhere] {
            let mut world = World::new(&["acme"], vec![held]);
            let push = Push::CreateUser(Box::new(user.clone()));
            assert_eq!(refusal(&world.push(&push, &in_force, 1)), None);
        }
    }
}

#[test]
fn what_two_pushed_people_share_stays_in_the_document_of_the_second_and_is_a_key_of_the_first_only() {
    let in_force = scim(|connection| connection.settings.require_domain = false);
    let mut world = World::new(&["acme"], vec![]);
    let shared = |name: &str| {
        let mut user = pushed(name);
        user.external_id = Some("${__UUID}".to_owned());
        user.email = Some("office@elsewhere.example".to_owned());
        user
    };
    let first = Push::CreateUser(Box::new(shared("ann")));
    assert_eq!(refusal(&world.push(&first, &in_force, 1)), None);
    let second = Push::CreateUser(Box::new(shared("bob")));
    assert_eq!(refusal(&world.push(&second, &in_force, 2)), None);
    // Pushed again, nobody takes the key of the other one.
    for (id, name) in [("new-2", "bob"), ("new-1", "ann")] {
        assert_eq!(
            refusal(&world.push(&replace(id, shared(name)), &in_force, 3)),
            None
        );
    }
    let (first, second) = (&world.get("new-1").account, &world.get("new-2").account);
    assert_eq!(first.external_id.as_deref(), Some("${__UUID}"));
    assert_eq!(
        first.email.as_ref().map(ToString::to_string).as_deref(),
        Some("office@elsewhere.example")
    );
    assert_eq!(
        (second.external_id.as_deref(), second.email.as_ref()),
        (None, None)
    );
}

#[test]
fn r158_an_account_that_no_directory_manages_is_refused_or_taken_over_by_setting() {
    for (setting, expected) in [
        (OnExisting::Refuse, Some(Denial::UserNameTaken)),
        (OnExisting::Link, None),
    ] {
        let in_force = directory(|settings| settings.existing = setting);
        let mut world = World::new(&["acme"], vec![other()]);
        let decision = world.push(&create("ann"), &in_force, 1);
        assert_eq!(refusal(&decision), expected);
        if expected.is_none() {
            assert_eq!(decision.verdict, Verdict::Admitted("other".into()));
            assert!(world.profiles.contains_key(&"other".into()));
            assert!(
                decision.plan.changes.iter().any(
                    |change| matches!(change, Change::Alert { code, .. } if code == "account_taken_over")
                )
            );
            assert_eq!(world.get("other").links.len(), 1);
            // Managed now: a second push of the same person is a clash.
            let again = world.push(&create("ann"), &in_force, 2);
            assert_eq!(refusal(&again), Some(Denial::UserNameTaken));
        }
    }
    let in_force = directory(|settings| settings.existing = OnExisting::Link);
    for operator in [true, false] {
        let mut held = other();
        held.account.operator = operator;
        held.account.emergency_admin = !operator;
        let mut world = World::new(&["acme"], vec![held.clone()]);
        let decision = world.push(&create("ann"), &in_force, 1);
        assert_eq!(refusal(&decision), Some(Denial::UserNameTaken));
        assert_eq!(world.accounts, [held]);
    }
}

#[test]
fn r158_two_accounts_that_share_keys_with_one_person_are_never_merged() {
    let in_force = directory(|settings| settings.existing = OnExisting::Link);
    let mut first = other();
    first.account.external_id = None;
    let mut second = other();
    second.account.id = "second".into();
    second.account.user_name = None;
    second.account.email = None;
    second.links.clear();
    let mut world = World::new(&["acme"], vec![first, second]);
    let decision = world.push(&create("ann"), &in_force, 1);
    assert_eq!(refusal(&decision), Some(Denial::UserNameTaken));
}

#[test]
fn r99_a_standard_account_with_the_same_address_is_never_touched() {
    for setting in [OnExisting::Refuse, OnExisting::Link] {
        let in_force = directory(|settings| settings.existing = setting);
        let standard = known(
            account("standard", Authentication::Standard),
            &[],
            vec![member("acme", Source::Manual, &["admin"])],
        );
        let mut world = World::new(&["acme"], vec![standard.clone()]);
        let made = world.push(&create("ann"), &in_force, 1);
        assert_eq!(made.verdict, Verdict::Admitted("new-1".into()));
        world.push(&replace("new-1", active(pushed("ann"), false)), &in_force, 2);
        world.push(&delete("new-1"), &in_force, 3);
        assert_eq!(world.get("standard"), &standard);
        for push in [replace("standard", pushed("ann")), delete("standard")] {
            assert_eq!(refusal(&world.push(&push, &in_force, 4)), Some(Denial::NotFound));
        }
    }
}

#[test]
fn a_person_without_user_name_and_one_of_another_connection_are_refused() {
    let in_force = directory(|_| {});
    let mut user = pushed("ann");
    user.user_name = Some("  ".to_owned());
    let push = Push::CreateUser(Box::new(user));
    let decision = World::new(&["acme"], vec![]).push(&push, &in_force, 1);
    assert_eq!(refusal(&decision), Some(Denial::NameMissing));
    let mut elsewhere = other();
    elsewhere.account.authentication = sso("entra");
    let mut world = World::new(&["acme"], vec![elsewhere]);
    for push in [replace("other", pushed("ann")), delete("other")] {
        assert_eq!(refusal(&world.push(&push, &in_force, 2)), Some(Denial::NotFound));
    }
}

#[test]
fn r164_what_sign_ins_gave_before_counts_as_given_by_the_directory() {
    let in_force = scim(|connection| {
        connection.settings.directory.existing = OnExisting::Link;
        connection.policy = Some(Policy {
            organization: Some("contains(groups, 'staff')".to_owned()),
            ..Policy::default()
        });
    });
    let mut world = World::new(&["acme"], vec![other()]);
    world.push(&create("ann"), &in_force, 1);
    assert!(world.get("other").memberships.is_empty());
}

#[test]
fn r112_a_push_takes_no_address_whose_organization_prevents_sign_ups_outside_of_it() {
    use crate::domain::DomainSettings;
    use crate::login::rules::OwnedDomain;
    let mut user = pushed("ann");
    user.email = Some("ann@elsewhere.example".to_owned());
    let push = Push::CreateUser(Box::new(user));
    let open = scim(|connection| connection.settings.require_domain = false);
    let world = World::new(&["acme", "other"], vec![]);
    for (owner, prevents, expected) in [
        ("other", true, Some(Denial::DomainReserved)),
        ("other", false, None),
        ("acme", true, None),
    ] {
        let needed = need(&push, &open);
        assert_eq!(needed.sign_in.domains, ["elsewhere.example"]);
        let mut facts = world.facts(&needed);
        let settings = DomainSettings {
            prevent_outside_sign_ups: prevents,
            ..DomainSettings::default()
        };
        let organization = owner.into();
        let owned = OwnedDomain {
            organization,
            settings,
        };
        facts
            .sign_in
            .domains
            .insert("elsewhere.example".to_owned(), owned);
        let decision = decide(&push, &facts, &open, &fresh(1), now());
        assert_eq!(refusal(&decision), expected, "{owner}, {prevents}");
    }
}
