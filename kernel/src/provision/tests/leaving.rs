//! Seats of people who are deleted, deactivated and brought back by hand (R-102, R-166, C-23).

use super::*;
use crate::connection::Connection;
use crate::directory::LicenseGrant;
use crate::facts::KindMeter;

/// Ann, with a seat by hand in the pool with two.
fn world() -> World {
    let mut world = owner_and_admin();
    let ann = world
        .accounts
        .iter_mut()
        .find(|known| known.account.id.as_str() == "ann");
    ann.unwrap().memberships[0].license = Some(LicenseGrant {
        license: "standard".into(),
        source: Source::Manual,
        pinned: true,
        seated: true,
    });
    world
}

fn to(status: Status) -> Action {
    Action::SetStatus {
        account: "ann".into(),
        to: status,
    }
}

fn delete() -> Action {
    Action::Delete {
        account: "ann".into(),
        allow_return: false,
    }
}

fn seated(world: &World) -> bool {
    world.get("ann").memberships[0].license.as_ref().unwrap().seated
}

/// As [`run`], through a connection of its own making.
fn run_with(world: &mut World, change: impl FnOnce(&mut Connection), action: Action) -> Decision {
    let request = Request {
        actor: admin("adam"),
        action,
    };
    let facts = world.facts(&need(&request));
    let decision = decide(&request, &facts, Some(&with(change)), &fresh(9), now());
    world.apply(&decision.plan);
    decision
}

#[test]
fn r102_a_deleted_person_gives_up_the_seat_at_once_and_a_restored_one_gets_it_again() {
    let mut world = world();
    let deleted = run_twice(&mut world, &admin("adam"), &delete());
    assert!(has(&deleted.trace, "license_released"));
    assert!(!seated(&world));
    let restored = run(&mut world, admin("adam"), to(Status::Active));
    assert!(has(&restored.trace, "license_restored"));
    assert!(seated(&world));
    assert!(world.get("ann").memberships[0].license.as_ref().unwrap().pinned);
}

#[test]
fn c23_a_restored_person_waits_where_no_seat_is_free_of_the_pool_or_of_the_kind() {
    for by_kind in [false, true] {
        let mut world = world();
        run(&mut world, admin("adam"), delete());
        if by_kind {
            let limit = Some(0);
            let meter = KindMeter { limit, used: 0 };
            world.organizations[0]
                .kinds
                .insert(crate::directory::AccountKind::User, meter);
        } else {
            world.organizations[0].licenses[0].used = 2;
        }
        let restored = run(&mut world, admin("adam"), to(Status::Active));
        assert_eq!(refusal(&restored), None);
        assert!(has(&restored.trace, "license_queued"));
        assert_eq!(world.get("ann").account.status, Status::Active);
        assert!(!seated(&world));
    }
}

#[test]
fn r166_deactivating_by_hand_frees_the_seat_by_the_setting_of_the_connection() {
    for releases in [true, false] {
        let mut world = world();
        let set = |connection: &mut Connection| {
            connection.settings.directory.release_license_on_deactivate = releases;
        };
        run_with(&mut world, set, to(Status::Deactivated));
        assert_eq!(seated(&world), !releases);
        // Deleting frees what deactivating left.
        run_with(&mut world, set, delete());
        assert!(!seated(&world));
        // Who is brought back, but not in, has no seat.
        run_with(&mut world, set, to(Status::Deactivated));
        assert!(!seated(&world));
        run_with(&mut world, set, to(Status::Active));
        assert!(seated(&world));
    }
}

#[test]
fn r166_suspending_keeps_the_seat_and_a_standard_account_keeps_it_until_it_is_deleted() {
    let mut world = world();
    run(&mut world, admin("adam"), to(Status::Suspended));
    assert!(seated(&world));
    run(&mut world, admin("adam"), to(Status::Active));
    let ann = world
        .accounts
        .iter_mut()
        .find(|known| known.account.id.as_str() == "ann");
    ann.unwrap().account.authentication = Authentication::Standard;
    run(&mut world, admin("adam"), to(Status::Deactivated));
    assert!(seated(&world));
    run(&mut world, admin("adam"), delete());
    assert!(!seated(&world));
}
