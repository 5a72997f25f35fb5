//! The mode of each field, and licenses that wait for the first sign-in (C-23).

use super::*;
use crate::connection::{FieldSync, LicenseAt, OnNoSeat, RoleSync};
use crate::directory::{Grant, ProfileField, Source};
use crate::fixtures::*;
use crate::plan::MembershipEdit;
use crate::policy::{LicenseRule, Policy, RoleRule, WorkspaceRule};
use crate::provision::push::Push;

const MODES: [RoleSync; 3] = [RoleSync::Creation, RoleSync::EveryLogin, RoleSync::UntilEdited];

fn everything() -> Policy {
    Policy {
        role: Some(RoleRule::Fixed("Admin".to_owned())),
        workspaces: Some(WorkspaceRule::Fixed {
            ids: vec!["lab".into()],
        }),
        license: Some(LicenseRule::Fixed("spare".into())),
        ..Policy::default()
    }
}

/// Ann has the rules' role "member", workspace "main" and no license; `pinned` says whether somebody edited her membership.
fn world(pinned: bool) -> World {
    let mut held = member("acme", rule(), &["member"]);
    held.workspaces = vec![Grant {
        id: "main".into(),
        source: rule(),
        pinned: false,
    }];
    held.pinned = pinned;
    World::new(
        &["acme"],
        vec![known(account("ann", sso("okta")), &["ann-1"], vec![held])],
    )
}

/// Which of roles, workspaces and license follow the rules at the next sign-in.
fn follows(all: RoleSync, sync: FieldSync, pinned: bool) -> ([bool; 3], Decision) {
    let mut world = world(pinned);
    let in_force = with(|connection| {
        connection.settings.role_sync = all;
        connection.settings.sync = sync;
        connection.policy = Some(everything());
    });
    let decision = world.sign_in(&ann(&[]), &in_force, 1);
    let held = &world.get("ann").memberships[0];
    let has = [
        held.roles.iter().any(|grant| grant.id.as_str() == "admin"),
        held.workspaces.iter().any(|grant| grant.id.as_str() == "lab"),
        held.license.is_some(),
    ];
    (has, decision)
}

#[test]
fn r141_each_field_follows_its_own_mode_and_else_role_sync() {
    let expected = |mode: RoleSync, pinned: bool| match mode {
        RoleSync::Creation => false,
        RoleSync::EveryLogin => true,
        RoleSync::UntilEdited => !pinned,
    };
    for all in MODES {
        for pinned in [false, true] {
            let plain = follows(all, FieldSync::default(), pinned).0;
            assert_eq!(plain, [expected(all, pinned); 3], "{all:?} {pinned}");
            for own in MODES {
                for field in 0..3 {
                    let mut sync = FieldSync::default();
                    *[&mut sync.roles, &mut sync.workspaces, &mut sync.license][field] = Some(own);
                    let mut wanted = [expected(all, pinned); 3];
                    wanted[field] = expected(own, pinned);
                    let (has, decision) = follows(all, sync, pinned);
                    assert_eq!(has, wanted, "{all:?}, field {field} {own:?}, pinned {pinned}");
                    let drifts: Vec<_> = decision.trace.drifts().collect();
                    assert_eq!(
                        drifts.is_empty(),
                        wanted == [true; 3],
                        "what is held back is told as drift: {all:?}, field {field} {own:?}, pinned {pinned}"
                    );
                }
            }
        }
    }
}

#[test]
fn r141_what_is_held_back_stands_in_the_drift_and_the_rest_is_made() {
    let sync = FieldSync {
        roles: Some(RoleSync::Creation),
        ..FieldSync::default()
    };
    let (has, decision) = follows(RoleSync::EveryLogin, sync, false);
    assert_eq!(has, [false, true, true]);
    let drift = decision.trace.drifts().next().unwrap().1;
    assert!(drift.admits);
    assert!(
        drift.edits.iter().all(|edit| matches!(
            edit,
            MembershipEdit::GrantRole { .. } | MembershipEdit::RevokeRole { .. }
        )) && !drift.edits.is_empty()
    );
}

#[test]
fn r141_a_license_that_is_left_alone_refuses_nobody_when_the_pool_is_full() {
    let mut world = world(false);
    world.organizations[0].licenses[0].used = 2;
    let mut policy = everything();
    policy.license = Some(LicenseRule::Fixed("standard".into()));
    for (mode, refused) in [(RoleSync::Creation, false), (RoleSync::EveryLogin, true)] {
        let in_force = with(|connection| {
            connection.settings.on_no_seat = OnNoSeat::Refuse;
            connection.settings.sync.license = Some(mode);
            connection.policy = Some(policy.clone());
        });
        let decision = world.clone().sign_in(&ann(&[]), &in_force, 1);
        let is_refused = decision.verdict == Verdict::Refused(Denial::NoSeat);
        assert_eq!(is_refused, refused, "{mode:?}");
    }
}

#[test]
fn r141_names_and_address_follow_the_provider_until_somebody_edits_them() {
    let mut incoming = ann(&[]);
    incoming.normalized.given_name = Some("Anna".to_owned());
    incoming.normalized.email = Some(email("anna@acme.example"));
    let field = |sync: &mut FieldSync, field: ProfileField, mode| match field {
        ProfileField::Names => sync.names = Some(mode),
        ProfileField::Email => sync.email = Some(mode),
        ProfileField::Attributes => sync.attributes = Some(mode),
    };
    let cases = [
        // No override: until edited, whatever `role_sync` says.
        (None, false, true),
        (None, true, false),
        (Some(RoleSync::UntilEdited), true, false),
        (Some(RoleSync::EveryLogin), true, true),
        (Some(RoleSync::Creation), false, false),
    ];
    for which in [ProfileField::Names, ProfileField::Email] {
        for (mode, edited, changes) in cases {
            let mut world = world(false);
            if edited {
                world.accounts[0].account.edited.insert(which);
            }
            let before = world.get("ann").account.clone();
            let in_force = with(|connection| {
                connection.settings.role_sync = RoleSync::Creation;
                if let Some(mode) = mode {
                    field(&mut connection.settings.sync, which, mode);
                }
            });
            let decision = world.sign_in(&incoming, &in_force, 1);
            let after = &world.get("ann").account;
            let (changed, other) = match which {
                ProfileField::Names => (after.given_name != before.given_name, after.email != before.email),
                ProfileField::Email | ProfileField::Attributes => {
                    (after.email != before.email, after.given_name != before.given_name)
                }
            };
            assert_eq!(changed, changes, "{which:?} {mode:?} edited {edited}");
            assert!(other, "the other field is up to date: {which:?} {mode:?}");
            let code = match which {
                ProfileField::Names => "names_kept",
                ProfileField::Email | ProfileField::Attributes => "email_kept",
            };
            assert_eq!(has(&decision.trace, code), !changes, "{which:?} {mode:?}");
        }
    }
}

/// A directory whose licenses wait for the first sign-in.
fn late(on_no_seat: OnNoSeat) -> InForce {
    scim(|connection| {
        connection.settings.licence_at = LicenseAt::FirstLogin;
        connection.settings.on_no_seat = on_no_seat;
        connection.policy = Some(Policy {
            license: Some(LicenseRule::Expression(
                "contains(groups, 'Staff') && 'spare' || 'standard'".to_owned(),
            )),
            ..Policy::default()
        });
    })
}

fn signing_in() -> Incoming {
    let mut incoming = ann(&[]);
    incoming.subject.value = "ann@acme.example".to_owned();
    incoming
}

#[test]
fn c23_licence_at_first_login_gives_the_license_at_the_first_sign_in_and_not_at_the_push() {
    let in_force = late(OnNoSeat::Queue);
    let mut world = World::new(&["acme"], vec![]);
    let create = Push::CreateUser(Box::new(pushed("ann")));
    let decision = world.push(&create, &in_force, 1);
    assert!(has(&decision.trace, "license_at_first_login"));
    let license = |world: &World| world.get("new-1").memberships[0].license.clone();
    assert_eq!(license(&world), None);
    let again = Push::Reevaluate {
        accounts: vec!["new-1".into()],
    };
    assert!(world.push(&again, &in_force, 2).plan.changes.is_empty());
    let decision = world.sign_in(&signing_in(), &in_force, 3);
    assert_eq!(decision.verdict, Verdict::Admitted("new-1".into()));
    let given = license(&world).unwrap();
    assert!(given.seated);
    assert_eq!(given.license.as_str(), "standard");
    assert_eq!(
        given.source,
        Source::Scim {
            connection: "okta".into()
        },
        "later pushes may change it"
    );
    assert!(
        world.push(&again, &in_force, 4).plan.changes.is_empty(),
        "a push afterwards gives the same"
    );
    assert!(world.sign_in(&signing_in(), &in_force, 5).plan.changes.is_empty());
}

#[test]
fn c23_a_full_pool_at_the_first_sign_in_refuses_queues_or_takes_another_as_the_setting_says() {
    for (setting, expected) in [
        (OnNoSeat::Refuse, None),
        (OnNoSeat::Queue, Some(("standard", false))),
        (OnNoSeat::Other("spare".into()), Some(("spare", true))),
    ] {
        let in_force = late(setting.clone());
        let mut world = World::new(&["acme"], vec![]);
        world.organizations[0].licenses[0].used = 2;
        let create = Push::CreateUser(Box::new(pushed("ann")));
        let pushed = world.push(&create, &in_force, 1);
        assert_eq!(
            pushed.verdict,
            Verdict::Admitted("new-1".into()),
            "a push takes no seat, so none is missing: {setting:?}"
        );
        let decision = world.sign_in(&signing_in(), &in_force, 2);
        let held = world.get("new-1").memberships[0].license.clone();
        let held = held.as_ref().map(|held| (held.license.as_str(), held.seated));
        assert_eq!(held, expected, "{setting:?}");
        if setting == OnNoSeat::Refuse {
            assert_eq!(decision.verdict, Verdict::Refused(Denial::NoSeat));
            assert!(
                world.get("new-1").links.is_empty(),
                "the next sign-in is the first one again"
            );
            world.organizations[0].licenses[0].used = 0;
            let decision = world.sign_in(&signing_in(), &in_force, 3);
            assert_eq!(decision.verdict, Verdict::Admitted("new-1".into()));
            assert!(world.get("new-1").memberships[0].license.is_some());
        }
    }
}
