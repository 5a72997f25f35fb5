//! Pushes, case by case: people.

use serde_json::json;

use super::*;
use crate::connection::{DirectorySettings, OnDelete, OnExisting, OnNoSeat};
use crate::directory::{AccountKind, Authentication, Origin};
use crate::fixtures::*;
use crate::policy::{GroupRoles, LicenseRule, Policy, RoleRule};

mod groups;
mod keys;

fn directory(change: impl FnOnce(&mut DirectorySettings)) -> InForce {
    scim(|connection| change(&mut connection.settings.directory))
}

fn create(name: &str) -> Push {
    Push::CreateUser(Box::new(pushed(name)))
}

fn replace(account: &str, user: PushedUser) -> Push {
    Push::ReplaceUser {
        account: account.into(),
        if_version: None,
        user: Box::new(user),
    }
}

fn delete(account: &str) -> Push {
    Push::DeleteUser {
        account: account.into(),
        if_version: None,
    }
}

fn refusal(decision: &Decision) -> Option<Denial> {
    match &decision.verdict {
        Verdict::Refused(denial) => {
            assert!(decision.plan.changes.is_empty());
            Some(*denial)
        }
        Verdict::Admitted(_) | Verdict::Accepted => None,
    }
}

/// Ann was pushed as account `new-1`.
fn world_with_ann(in_force: &InForce) -> World {
    let mut world = World::new(&["acme"], vec![]);
    assert_eq!(refusal(&world.push(&create("ann"), in_force, 1)), None);
    world
}

fn licensed() -> InForce {
    scim(|connection| {
        connection.policy = Some(Policy {
            license: Some(LicenseRule::Fixed("standard".into())),
            ..Policy::default()
        });
    })
}

fn seated(world: &World, account: &str) -> Option<bool> {
    let held = world.get(account).memberships.first()?;
    held.license.as_ref().map(|license| license.seated)
}

/// Signs Ann in by her pushed user name as subject.
fn signing_in(name: &str) -> crate::incoming::Incoming {
    let mut incoming = ann(&[]);
    incoming.subject.value = format!("{name}@acme.example");
    incoming.normalized.email = Some(email(&format!("{name}@acme.example")));
    incoming
}

#[test]
fn r08_r13_a_pushed_person_has_account_membership_and_license_before_any_sign_in() {
    let in_force = licensed();
    let world = world_with_ann(&in_force);
    let ann = world.get("new-1");
    assert_eq!(ann.account.status, Status::Active);
    assert_eq!(ann.account.status_origin, Origin::Scim);
    assert_eq!(ann.account.authentication, sso("okta"));
    assert_eq!(ann.account.user_name.as_deref(), Some("ann@acme.example"));
    let source = Source::Scim {
        connection: "okta".into(),
    };
    let held = &ann.memberships[0];
    assert_eq!(held.source, source);
    assert_eq!(roles_in(&world, "new-1", "acme"), ["member"]);
    assert!(
        held.roles
            .iter()
            .all(|grant| grant.source == source && !grant.pinned)
    );
    assert_eq!(seated(&world, "new-1"), Some(true));
    assert_eq!(
        world.profiles[&"new-1".into()].document["userName"],
        "ann@acme.example"
    );
}

#[test]
fn r70_only_a_connection_with_a_directory_takes_pushes() {
    for provisioning in [Provisioning::Manual, Provisioning::Jit] {
        let in_force = with(|connection| connection.provisioning = provisioning);
        let decision = World::new(&["acme"], vec![]).push(&create("ann"), &in_force, 1);
        assert_eq!(refusal(&decision), Some(Denial::NotADirectory));
    }
}

#[test]
fn r84_a_changed_value_overwrites_and_a_removed_one_empties_and_the_same_again_changes_nothing() {
    let in_force = directory(|_| {});
    let mut world = world_with_ann(&in_force);
    let mut user = pushed("ann");
    user.family_name = Some("Ray".to_owned());
    user.given_name = None;
    user.external_id = None;
    user.document
        .insert("name".to_owned(), json!({ "familyName": "Ray" }));
    user.document.remove("externalId");
    let push = replace("new-1", user);
    let first = world.push(&push, &in_force, 2);
    assert_eq!(first.plan.changes.len(), 1, "one change for fields and document");
    let account = &world.get("new-1").account;
    assert_eq!(account.family_name.as_deref(), Some("Ray"));
    assert_eq!((&account.given_name, &account.external_id), (&None, &None));
    assert!(world.push(&push, &in_force, 3).plan.changes.is_empty());
}

#[test]
fn r83_c28_custom_attributes_follow_the_directory_and_those_of_others_stay() {
    let in_force = directory(|_| {});
    let mut world = World::new(&["acme"], vec![]);
    let with_nfc = |value: Option<&str>| {
        let mut user = pushed("ann");
        if let Some(value) = value {
            user.attributes.insert("nfc".to_owned(), json!(value));
            user.document
                .insert(CUSTOM_ATTRIBUTES.to_owned(), json!({ "nfc": value }));
        }
        user
    };
    world.push(&Push::CreateUser(Box::new(with_nfc(Some("04-A")))), &in_force, 1);
    world.accounts[0]
        .account
        .attributes
        .insert("desk".to_owned(), json!("3"));
    for (value, expected) in [
        (Some("04-B"), json!({ "desk": "3", "nfc": "04-B" })),
        (None, json!({ "desk": "3" })),
    ] {
        world.push(&replace("new-1", with_nfc(value)), &in_force, 2);
        assert_eq!(json!(world.get("new-1").account.attributes), expected);
    }
}

#[test]
fn r160_a_boolean_attribute_makes_users_and_readers_and_converts_on_change() {
    let custom = format!("{CUSTOM_ATTRIBUTES}:isUser");
    for name in ["isUser", custom.as_str()] {
        let in_force = directory(|settings| settings.kind_attribute = Some(name.to_owned()));
        let mut world = World::new(&["acme"], vec![]);
        let of = |value: Option<serde_json::Value>| {
            let mut user = pushed("ann");
            if let Some(value) = value {
                user.document
                    .insert(CUSTOM_ATTRIBUTES.to_owned(), json!({ "isUser": value }));
            }
            user
        };
        world.push(&Push::CreateUser(Box::new(of(Some(json!(true))))), &in_force, 1);
        assert_eq!(world.get("new-1").account.kind, AccountKind::User);
        for (value, expected) in [
            (Some(json!(false)), AccountKind::Reader),
            (Some(json!("True")), AccountKind::User),
            (None, AccountKind::Reader),
        ] {
            world.push(&replace("new-1", of(value)), &in_force, 2);
            assert_eq!(world.get("new-1").account.kind, expected);
        }
    }
}

#[test]
fn r81_r167_deactivating_ends_sessions_in_the_same_plan_and_frees_the_seat_by_setting() {
    for releases in [true, false] {
        let in_force = scim(|connection| {
            connection.policy = licensed().connection().policy.clone();
            connection.settings.directory.release_license_on_deactivate = releases;
        });
        let mut world = world_with_ann(&in_force);
        world.sign_in(&signing_in("ann"), &in_force, 2);
        assert_eq!(world.sessions.len(), 1);
        let out = world.push(&replace("new-1", active(pushed("ann"), false)), &in_force, 3);
        assert_eq!(refusal(&out), None);
        assert!(world.sessions.is_empty());
        let ann = world.get("new-1");
        assert_eq!(ann.account.status, Status::Deactivated);
        assert_eq!(ann.links.len(), 1, "the link stays (R-132)");
        assert_eq!(seated(&world, "new-1"), Some(!releases));
        let refused = world.sign_in(&signing_in("ann"), &in_force, 4);
        assert_eq!(refused.verdict, Verdict::Refused(Denial::Deactivated));
        world.push(&replace("new-1", pushed("ann")), &in_force, 5);
        assert_eq!(world.get("new-1").account.status, Status::Active);
        assert_eq!(seated(&world, "new-1"), Some(true));
        let back = world.sign_in(&signing_in("ann"), &in_force, 6);
        assert_eq!(back.verdict, Verdict::Admitted("new-1".into()));
    }
}

#[test]
fn r155_an_absent_active_keeps_the_state() {
    let in_force = directory(|_| {});
    let mut world = world_with_ann(&in_force);
    for inactive in [false, true] {
        if inactive {
            world.push(&replace("new-1", active(pushed("ann"), false)), &in_force, 2);
        }
        let status = world.get("new-1").account.status;
        let mut user = active(pushed("ann"), !inactive);
        user.active = None;
        user.family_name = Some(format!("Ray {inactive}"));
        world.push(&replace("new-1", user), &in_force, 3);
        assert_eq!(world.get("new-1").account.status, status);
    }
}

#[test]
fn r166_a_seat_given_by_hand_is_found_again_on_coming_back() {
    let in_force = directory(|_| {});
    let mut world = world_with_ann(&in_force);
    world.accounts[0].memberships[0].license = Some(crate::directory::LicenseGrant {
        license: "standard".into(),
        source: Source::Manual,
        pinned: true,
        seated: true,
    });
    world.accounts[0].memberships[0].pinned = true;
    world.push(&replace("new-1", active(pushed("ann"), false)), &in_force, 2);
    assert_eq!(seated(&world, "new-1"), Some(false));
    world.push(&replace("new-1", pushed("ann")), &in_force, 3);
    let license = world.get("new-1").memberships[0].license.clone().unwrap();
    assert!(license.seated && license.pinned && license.source == Source::Manual);
}

#[test]
fn c05_a_soft_delete_frees_the_names_keeps_the_link_and_gives_the_same_account_back() {
    let in_force = licensed();
    let mut world = world_with_ann(&in_force);
    let admitted = world.sign_in(&signing_in("ann"), &in_force, 2);
    assert_eq!(admitted.verdict, Verdict::Admitted("new-1".into()));
    assert_eq!(refusal(&world.push(&delete("new-1"), &in_force, 3)), None);
    assert_eq!(world.get("new-1").account.status, Status::Deleted);
    assert!(world.sessions.is_empty());
    assert_eq!(seated(&world, "new-1"), Some(false));
    assert_eq!(
        refusal(&world.push(&delete("new-1"), &in_force, 4)),
        Some(Denial::NotFound)
    );
    let out = world.sign_in(&signing_in("ann"), &in_force, 5);
    assert_eq!(out.verdict, Verdict::Refused(Denial::Deleted));
    let back = world.push(&create("ann"), &in_force, 6);
    assert_eq!(back.verdict, Verdict::Admitted("new-1".into()));
    assert_eq!(world.accounts.len(), 1);
    assert_eq!(world.get("new-1").links.len(), 1);
    assert_eq!(seated(&world, "new-1"), Some(true));
    let admitted = world.sign_in(&signing_in("ann"), &in_force, 7);
    assert_eq!(admitted.verdict, Verdict::Admitted("new-1".into()));
}

#[test]
fn r132_somebody_else_with_the_user_name_of_a_leaver_gets_an_account_of_their_own() {
    let in_force = directory(|_| {});
    let mut world = world_with_ann(&in_force);
    world.push(&delete("new-1"), &in_force, 2);
    let mut other = pushed("ann");
    other.external_id = Some("x-other".to_owned());
    let made = world.push(&Push::CreateUser(Box::new(other)), &in_force, 3);
    assert_eq!(made.verdict, Verdict::Admitted("new-3".into()));
    // The first Ann cannot come back under her name while the other one has it.
    let clash = world.push(&create("ann"), &in_force, 4);
    assert_eq!(refusal(&clash), Some(Denial::UserNameTaken));
    // What an admin deleted, the directory does not bring back.
    world.accounts[0].account.status_origin = Origin::Admin;
    world.push(&delete("new-3"), &in_force, 5);
    let made = world.push(&create("ann"), &in_force, 6);
    assert_eq!(made.verdict, Verdict::Admitted("new-6".into()));
}

#[test]
fn c05_delete_now_leaves_nothing_but_the_identifier_and_a_later_person_is_new() {
    let in_force = directory(|settings| settings.on_delete = OnDelete::Now);
    let mut world = world_with_ann(&in_force);
    world.sign_in(&signing_in("ann"), &in_force, 2);
    world.push(&delete("new-1"), &in_force, 3);
    let gone = world.get("new-1");
    assert_eq!(gone.account.status, Status::Deleted);
    let account = &gone.account;
    assert!(account.email.is_none() && account.user_name.is_none() && account.external_id.is_none());
    assert!(account.given_name.is_none() && account.family_name.is_none());
    assert!(gone.links.is_empty() && gone.memberships.is_empty());
    assert!(world.profiles.is_empty() && world.sessions.is_empty());
    let made = world.push(&create("ann"), &in_force, 4);
    assert_eq!(made.verdict, Verdict::Admitted("new-4".into()));
}

#[test]
fn c05_delete_as_deactivate_lets_the_account_go_and_a_new_push_gives_it_back() {
    let in_force = directory(|settings| settings.on_delete = OnDelete::Deactivate);
    let mut world = world_with_ann(&in_force);
    world.push(&delete("new-1"), &in_force, 2);
    assert_eq!(world.get("new-1").account.status, Status::Deactivated);
    assert!(world.profiles.is_empty());
    assert!(world.push(&delete("new-1"), &in_force, 3).plan.changes.is_empty());
    let back = world.push(&create("ann"), &in_force, 4);
    assert_eq!(back.verdict, Verdict::Admitted("new-1".into()));
    assert_eq!(world.get("new-1").account.status, Status::Active);
}

#[test]
fn c05_people_out_for_long_are_deleted_and_then_erased() {
    let in_force = directory(|_| {});
    let mut world = world_with_ann(&in_force);
    let expire = |from| Push::ExpireUsers {
        accounts: vec!["new-1".into(), "new-2".into(), "nobody".into()],
        from,
    };
    world.push(&create("bob"), &in_force, 2);
    world.push(&replace("new-1", active(pushed("ann"), false)), &in_force, 3);
    world.push(&expire(Status::Deactivated), &in_force, 4);
    assert_eq!(world.get("new-1").account.status, Status::Deleted);
    assert_eq!(world.get("new-2").account.status, Status::Active);
    // A job that runs twice goes one step.
    let again = world.push(&expire(Status::Deactivated), &in_force, 5);
    assert!(again.plan.changes.is_empty());
    world.push(&expire(Status::Deleted), &in_force, 6);
    assert_eq!(world.get("new-1").account.user_name, None);
    let again = world.push(&expire(Status::Deleted), &in_force, 7);
    assert!(again.plan.changes.is_empty());
}

#[test]
fn c06_what_an_admin_took_out_comes_back_only_when_the_directory_says_something_new() {
    let in_force = directory(|_| {});
    for status in [Status::Suspended, Status::Deactivated] {
        let mut world = world_with_ann(&in_force);
        let account = &mut world.accounts[0].account;
        (account.status, account.status_origin) = (status, Origin::Admin);
        let mut user = pushed("ann");
        user.family_name = Some("Ray".to_owned());
        let kept = world.push(&replace("new-1", user), &in_force, 2);
        assert_eq!(refusal(&kept), None);
        assert_eq!(world.get("new-1").account.status, status);
        assert!(has(&kept.trace, "kept_out"));
        world.push(&replace("new-1", active(pushed("ann"), false)), &in_force, 3);
        assert_eq!(world.get("new-1").account.status, Status::Deactivated);
        world.push(&replace("new-1", pushed("ann")), &in_force, 4);
        assert_eq!(world.get("new-1").account.status, Status::Active, "{status:?}");
    }
}

#[test]
fn r148_the_last_owner_stays_and_another_one_may_be_taken_out() {
    let in_force = directory(|_| {});
    let mut world = world_with_ann(&in_force);
    world.accounts[0].memberships = vec![member("acme", Source::Manual, &["owner"])];
    for push in [replace("new-1", active(pushed("ann"), false)), delete("new-1")] {
        assert_eq!(refusal(&world.push(&push, &in_force, 2)), Some(Denial::LastOwner));
    }
    // A change of the profile is no loss.
    let mut user = pushed("ann");
    user.family_name = Some("Ray".to_owned());
    assert_eq!(refusal(&world.push(&replace("new-1", user), &in_force, 3)), None);
    assert_eq!(roles_in(&world, "new-1", "acme"), ["owner"]);
    let second = account("second", Authentication::Standard);
    let mut second = known(second, &[], vec![member("acme", Source::Manual, &["owner"])]);
    second.account.email = Some(email("second@acme.example"));
    world.accounts.push(second);
    assert_eq!(refusal(&world.push(&delete("new-1"), &in_force, 4)), None);
}

#[test]
fn r148_emergency_admins_and_operators_are_not_taken_out_by_a_directory() {
    let in_force = directory(|_| {});
    for operator in [true, false] {
        let mut world = world_with_ann(&in_force);
        world.accounts[0].account.operator = operator;
        world.accounts[0].account.emergency_admin = !operator;
        for push in [replace("new-1", active(pushed("ann"), false)), delete("new-1")] {
            assert_eq!(
                refusal(&world.push(&push, &in_force, 2)),
                Some(Denial::NotPermitted)
            );
        }
    }
}

#[test]
fn r165_full_seats_refuse_the_push_or_let_the_person_wait_by_setting() {
    for (setting, expected) in [
        (OnNoSeat::Refuse, None),
        (OnNoSeat::Queue, Some(Some(false))),
        (OnNoSeat::Other("spare".into()), Some(Some(true))),
    ] {
        let in_force = scim(|connection| {
            connection.policy = licensed().connection().policy.clone();
            connection.settings.on_no_seat = setting;
        });
        let mut world = world_with_ann(&in_force);
        world.organizations[0].licenses[0].license.seats = Some(1);
        let decision = world.push(&create("bob"), &in_force, 2);
        match expected {
            None => assert_eq!(refusal(&decision), Some(Denial::NoSeat)),
            Some(expected) => {
                assert_eq!(refusal(&decision), None);
                assert_eq!(seated(&world, "new-2"), expected);
            }
        }
    }
}

#[test]
fn r111_only_addresses_in_verified_domains_are_set_and_what_is_none_stays_in_the_document() {
    let with_address = |address: &str| {
        let mut user = pushed("ann");
        user.email = Some(address.to_owned());
        Push::CreateUser(Box::new(user))
    };
    let strict = directory(|_| {});
    let open = scim(|connection| connection.settings.require_domain = false);
    let foreign = with_address("ann@elsewhere.example");
    let decision = World::new(&["acme"], vec![]).push(&foreign, &strict, 1);
    assert_eq!(refusal(&decision), Some(Denial::DomainNotVerified));
    assert!(
        decision
            .trace
            .steps
            .iter()
            .any(|step| step.text.contains("elsewhere.example"))
    );
    let mut world = World::new(&["acme"], vec![]);
    assert_eq!(refusal(&world.push(&foreign, &open, 1)), None);
    assert_eq!(
        world.get("new-1").account.email,
        Some(email("ann@elsewhere.example"))
    );
    // The address that an account has already is no new one.
    let mut user = pushed("ann");
    user.email = Some("ann@elsewhere.example".to_owned());
    let user = replace("new-1", user);
    assert_eq!(refusal(&world.push(&user, &strict, 2)), None);
    let mut world = World::new(&["acme"], vec![]);
    let decision = world.push(&with_address("ann"), &strict, 1);
    assert_eq!(refusal(&decision), None);
    assert_eq!(world.get("new-1").account.email, None);
    assert!(has(&decision.trace, "email_unusable"));
}

#[test]
fn a_stale_if_match_changes_nothing() {
    let in_force = directory(|_| {});
    let mut world = world_with_ann(&in_force);
    let version = world.get("new-1").account.version;
    let mut user = pushed("ann");
    user.family_name = Some("Ray".to_owned());
    let push = |believed| Push::ReplaceUser {
        account: "new-1".into(),
        if_version: Some(believed),
        user: Box::new(user.clone()),
    };
    let stale = world.push(&push(version + 1), &in_force, 2);
    assert_eq!(refusal(&stale), Some(Denial::StaleVersion));
    assert_eq!(refusal(&world.push(&push(version), &in_force, 3)), None);
}

#[test]
fn r10_a_directory_that_takes_out_too_many_is_held_until_an_admin_approves() {
    let guard = DirectorySettings::default().departure_guard.unwrap();
    let departures = |recent, active, approved| crate::facts::Departures {
        recent,
        active,
        approved,
    };
    for (recent, active, approved, held) in [
        (8, 30, false, false),
        (9, 30, false, true),
        (9, 30, true, false),
        (9, 41, false, false),
        (9, 40, false, true),
        (0, 1, false, false),
        (u32::MAX, u32::MAX, false, true),
    ] {
        let departures = departures(recent, active, approved);
        assert_eq!(guard::holds(guard, departures), held, "{departures:?}");
    }
    let in_force = directory(|_| {});
    let mut world = world_with_ann(&in_force);
    world.departures = Some(departures(9, 30, false));
    for push in [delete("new-1"), replace("new-1", active(pushed("ann"), false))] {
        assert_eq!(
            refusal(&world.push(&push, &in_force, 2)),
            Some(Denial::HeldByGuard)
        );
    }
    let off = directory(|settings| settings.departure_guard = None);
    assert_eq!(refusal(&world.push(&delete("new-1"), &off, 3)), None);
}

#[test]
fn c02_r131_a_sign_in_joins_the_pushed_account_keeps_the_link_and_takes_nothing_back() {
    let in_force = scim(|connection| {
        connection.policy = Some(Policy {
            role: Some(RoleRule::Groups(vec![GroupRoles {
                value: "admins".to_owned(),
                name: None,
                roles: vec!["Admin".to_owned()],
            }])),
            ..Policy::default()
        });
    });
    let mut world = World::new(&["acme"], vec![]);
    world.push(&create("ann"), &in_force, 1);
    let group = Push::CreateGroup {
        id: "g1".into(),
        group: Box::new(pushed_group("admins")),
        members: vec!["new-1".into()],
    };
    world.push(&group, &in_force, 2);
    assert_eq!(roles_in(&world, "new-1", "acme"), ["admin"]);
    // The token has no groups at all.
    let first = world.sign_in(&signing_in("ann"), &in_force, 3);
    assert_eq!(first.verdict, Verdict::Admitted("new-1".into()));
    assert!(has(&first.trace, "matched_user_name"));
    assert!(has(&first.trace, "member_by_directory"));
    assert_eq!(roles_in(&world, "new-1", "acme"), ["admin"]);
    // A new user name and address move no link.
    let mut renamed = pushed("anna");
    renamed.external_id = pushed("ann").external_id;
    world.push(&replace("new-1", renamed), &in_force, 4);
    let again = world.sign_in(&signing_in("ann"), &in_force, 5);
    assert_eq!(again.verdict, Verdict::Admitted("new-1".into()));
    assert!(has(&again.trace, "matched_subject"));
    let stranger = world.sign_in(&signing_in("anna"), &in_force, 6);
    assert_eq!(stranger.verdict, Verdict::Refused(Denial::LinkedToOtherIdentity));
    let unknown = world.sign_in(&signing_in("eve"), &in_force, 7);
    assert_eq!(unknown.verdict, Verdict::Refused(Denial::NotPushedByDirectory));
    assert!(
        unknown
            .trace
            .steps
            .iter()
            .any(|step| step.text.contains("eve@acme.example"))
    );
    assert_eq!(world.accounts.len(), 1);
}

#[test]
fn traces_of_pushes_read_like_those_of_sign_ins() {
    let in_force = licensed();
    let mut world = World::new(&["acme"], vec![]);
    let made = world.push(&create("ann"), &in_force, 1);
    let lines = crate::explain::lines(&made.trace).join("\n");
    insta::assert_snapshot!("push_create", lines);
    let out = world.push(&replace("new-1", active(pushed("ann"), false)), &in_force, 2);
    insta::assert_snapshot!("push_deactivate", crate::explain::lines(&out.trace).join("\n"));
}

#[test]
fn pushes_survive_json() {
    let pushes = [
        create("ann"),
        replace("new-1", PushedUser::default()),
        delete("new-1"),
        Push::Reevaluate {
            accounts: vec!["new-1".into()],
        },
        Push::ChangeGroup {
            group: "g1".into(),
            if_version: Some(1),
            set: Some(Box::new(pushed_group("a"))),
            members: MembersChange::Replace(vec![]),
        },
    ];
    for push in pushes {
        let text = serde_json::to_string(&push).unwrap();
        assert_eq!(serde_json::from_str::<Push>(&text).unwrap(), push);
    }
}
