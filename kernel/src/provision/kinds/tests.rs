use std::collections::BTreeMap;

use super::*;
use proptest::prelude::*;

use crate::connection::OnNoSeat;
use crate::directory::{Authentication, License, Source, Status};
use crate::facts::{KindMeter, LicensePool};
use crate::fixtures::*;
use crate::plan::{Decision, ProfilePatch, Verdict};
use crate::policy::{LicenseRule, Policy};
use crate::provision::push::{CUSTOM_ATTRIBUTES, Push, PushedUser};
use crate::provision::{GrantEdit, Request, decide, need, seats};

const OPERATOR: Actor = Actor::Operator { account: None };

fn holder(id: &str, kind: AccountKind, seated: bool) -> AccountFacts {
    let mut membership = member("acme", Source::Manual, &["member"]);
    membership.license = Some(LicenseGrant {
        license: "spare".into(),
        source: Source::Manual,
        pinned: true,
        seated,
    });
    let mut person = account(id, Authentication::Standard);
    person.email = Some(email(&format!("{id}@acme.example")));
    person.kind = kind;
    known(person, &[], vec![membership])
}

fn limits(users: u32, readers: u32) -> BTreeMap<AccountKind, KindMeter> {
    let limits = [(AccountKind::User, users), (AccountKind::Reader, readers)];
    let meter = |(kind, limit)| {
        let limit = Some(limit);
        (kind, KindMeter { limit, used: 0 })
    };
    limits.into_iter().map(meter).collect()
}

/// A user and a reader, each with a seat; one more seat for users, none for readers.
fn world() -> World {
    let people = vec![
        holder("uma", AccountKind::User, true),
        holder("rita", AccountKind::Reader, true),
    ];
    let mut world = World::new(&["acme"], people);
    world.organizations[0].kinds = limits(2, 1);
    world
}

fn run(world: &mut World, actor: Actor, action: Action) -> Decision {
    let request = Request { actor, action };
    let facts = world.facts(&need(&request));
    let decision = decide(&request, &facts, None, &fresh(9), now());
    world.apply(&decision.plan);
    decision
}

fn becomes(id: &str, kind: AccountKind) -> Action {
    let set = ProfilePatch {
        kind: Some(kind),
        ..ProfilePatch::default()
    };
    Action::UpdateProfile {
        account: id.into(),
        set: Box::new(set),
    }
}

fn seated(world: &World, id: &str) -> bool {
    world.get(id).memberships[0].license.as_ref().unwrap().seated
}

#[test]
fn r179_a_kind_without_a_free_seat_gets_none_whatever_the_pool_has() {
    let mut world = world();
    world.accounts.push(holder("ron", AccountKind::Reader, false));
    world.accounts.push(holder("ulf", AccountKind::User, false));
    let licensed = |id: &str, license: &str| Action::EditMembership {
        account: id.into(),
        organization: "acme".into(),
        edits: vec![GrantEdit::License {
            license: Some(license.into()),
        }],
    };
    let refused = run(&mut world, OPERATOR, licensed("ron", "standard"));
    assert_eq!(refused.verdict, Verdict::Refused(Denial::NoSeat));
    let given = run(&mut world, OPERATOR, licensed("ulf", "standard"));
    assert_eq!(given.verdict, Verdict::Admitted("ulf".into()));
    // Whoever has a seat may move it to another pool.
    let moved = run(&mut world, OPERATOR, licensed("rita", "standard"));
    assert_eq!(moved.verdict, Verdict::Admitted("rita".into()));
    assert!(seated(&world, "rita"));
}

#[test]
fn r179_people_are_told_that_the_other_kind_has_no_seat_and_the_file_lets_them_wait() {
    let mut world = world();
    let refused = run(&mut world, OPERATOR, becomes("uma", AccountKind::Reader));
    assert_eq!(refused.verdict, Verdict::Refused(Denial::NoSeat));
    assert!(refused.plan.changes.is_empty());
    let given = run(&mut world, OPERATOR, becomes("rita", AccountKind::User));
    assert_eq!(given.verdict, Verdict::Admitted("rita".into()));
    assert!(seated(&world, "rita"), "a second user has room");
    run(&mut world, OPERATOR, becomes("rita", AccountKind::Reader));
    run(&mut world, Actor::File, becomes("uma", AccountKind::Reader));
    assert_eq!(world.get("uma").account.kind, AccountKind::Reader);
    assert!(!seated(&world, "uma"), "she waits");
    assert!(seated(&world, "rita"));
}

#[test]
fn r179_what_the_plan_itself_takes_away_needs_no_room() {
    let world = world();
    let known = world.get("uma").clone();
    let freed = |to: Option<LicenseGrant>| {
        vec![Change::UpdateMembership {
            account: "uma".into(),
            organization: "acme".into(),
            version: 1,
            edits: vec![MembershipEdit::SetLicense {
                from: known.memberships[0].license.clone(),
                to,
            }],
        }]
    };
    let settled = |mut changes: Vec<Change>, may_wait: bool| {
        let facts = world.facts(&crate::facts::Need {
            organizations: crate::facts::OrganizationsNeeded::All,
            ..crate::facts::Need::default()
        });
        let outcome = settle(
            (&known, AccountKind::Reader),
            &facts.organizations,
            &mut changes,
            may_wait,
            &mut Steps::default(),
        );
        outcome.map(|()| changes)
    };
    assert_eq!(settled(freed(None), false), Ok(freed(None)));
    assert_eq!(settled(Vec::new(), false), Err(Denial::NoSeat));
    let mut moved = known.memberships[0].license.clone();
    moved.as_mut().unwrap().license = "standard".into();
    let mut waits = moved.clone();
    waits.as_mut().unwrap().seated = false;
    assert_eq!(
        settled(freed(moved), true),
        Ok(freed(waits)),
        "the edit that is there is the one that changes"
    );
}

/// A person as a directory pushes one, whose attribute says whether she is a user.
fn of_kind(name: &str, is_user: bool) -> Box<PushedUser> {
    let mut user = pushed(name);
    let attributes = serde_json::json!({ "isUser": is_user });
    user.document.insert(CUSTOM_ATTRIBUTES.to_owned(), attributes);
    Box::new(user)
}

#[test]
fn r160_r179_whom_a_directory_makes_another_kind_waits_or_is_refused_as_the_connection_says() {
    for on_no_seat in [OnNoSeat::Queue, OnNoSeat::Refuse] {
        let in_force = scim(|connection| {
            connection.settings.directory.kind_attribute = Some("isUser".to_owned());
            connection.settings.on_no_seat = on_no_seat.clone();
            connection.policy = Some(Policy {
                license: Some(LicenseRule::Fixed("spare".into())),
                ..Policy::default()
            });
        });
        let mut world = World::new(&["acme"], Vec::new());
        world.organizations[0].kinds = limits(2, 0);
        world.push(&Push::CreateUser(of_kind("ann", true)), &in_force, 1);
        assert!(seated(&world, "new-1"));
        let replace = |is_user: bool| Push::ReplaceUser {
            account: "new-1".into(),
            if_version: None,
            user: of_kind("ann", is_user),
        };
        let decision = world.push(&replace(false), &in_force, 2);
        let ann = world.get("new-1");
        assert_eq!(ann.account.status, Status::Active);
        if on_no_seat == OnNoSeat::Refuse {
            assert_eq!(decision.verdict, Verdict::Refused(Denial::NoSeat));
            assert_eq!(ann.account.kind, AccountKind::User);
            assert!(seated(&world, "new-1"));
        } else {
            assert_eq!(ann.account.kind, AccountKind::Reader);
            assert!(!seated(&world, "new-1"));
            world.push(&replace(true), &in_force, 3);
            assert!(seated(&world, "new-1"), "a user again, with a seat again");
        }
    }
}

/// Pools for one kind each, and one for both; who is not named holds what the world gives.
fn kind_pools(world: &mut World, of: &[(&str, Option<AccountKind>, Option<u32>)]) {
    let pools = of.iter().map(|(id, kind, seats)| LicensePool {
        license: License {
            id: (*id).into(),
            seats: *seats,
            kind: *kind,
        },
        used: 0,
    });
    world.organizations[0].licenses = pools.collect();
    world.organizations[0].kinds = BTreeMap::new();
}

fn holds(world: &World, id: &str) -> Option<(String, bool)> {
    let license = world.get(id).memberships[0].license.clone();
    license.map(|license| (license.license.to_string(), license.seated))
}

fn holder_of(id: &str, kind: AccountKind, license: &str, seated: bool) -> AccountFacts {
    let mut known = holder(id, kind, seated);
    known.memberships[0].license.as_mut().unwrap().license = license.into();
    known
}

#[test]
fn r160_r179_whoever_becomes_the_other_kind_leaves_a_pool_that_is_for_the_former_one() {
    let (user, reader) = (Some(AccountKind::User), Some(AccountKind::Reader));
    let seats = |kind, id: &str, seated| holder_of(id, kind, "work", seated);
    let world = |of: &[(&str, Option<AccountKind>, Option<u32>)], seated| {
        let mut world = World::new(&["acme"], vec![seats(AccountKind::User, "uma", seated)]);
        kind_pools(&mut world, of);
        world
    };
    let outcome = |world: &mut World, actor| {
        let decision = run(world, actor, becomes("uma", AccountKind::Reader));
        (decision, holds(world, "uma"))
    };
    let held = |license: &str, seated| Some((license.to_owned(), seated));
    // No pool for readers, or more than one: given back, whether the seat was held or waited for.
    for of in [
        &[("work", user, Some(2))][..],
        &[("work", user, Some(2)), ("both", None, None)],
        &[
            ("work", user, Some(2)),
            ("view", reader, Some(2)),
            ("look", reader, Some(2)),
        ],
    ] {
        for seated in [true, false] {
            let (decision, license) = outcome(&mut world(of, seated), OPERATOR);
            assert_eq!(license, None, "{of:?}");
            assert!(
                decision
                    .trace
                    .steps
                    .iter()
                    .any(|step| step.code == "license_wrong_kind")
            );
        }
    }
    // The one pool for readers takes its place, and a seat in it if there is one.
    let of = [("work", user, Some(2)), ("view", reader, Some(1))];
    let (decision, license) = outcome(&mut world(&of, true), OPERATOR);
    assert_eq!(license, held("view", true));
    assert!(
        decision
            .trace
            .steps
            .iter()
            .any(|step| step.code == "license_moved")
    );
    assert_eq!(
        outcome(&mut world(&of, false), OPERATOR).1,
        held("view", false),
        "she waited before"
    );
    let full = || {
        let mut world = world(&of, true);
        world
            .accounts
            .push(holder_of("rita", AccountKind::Reader, "view", true));
        world
    };
    let (refused, license) = outcome(&mut full(), OPERATOR);
    assert_eq!(refused.verdict, Verdict::Refused(Denial::NoSeat));
    assert_eq!(license, held("work", true), "nothing has changed");
    assert_eq!(
        outcome(&mut full(), Actor::File).1,
        held("view", false),
        "she waits"
    );
    // A pool for both is left alone.
    let both = [("work", None, Some(2)), ("view", reader, Some(1))];
    assert_eq!(outcome(&mut world(&both, true), OPERATOR).1, held("work", true));
}

#[test]
fn r179_nobody_who_waits_is_given_a_seat_of_a_pool_for_the_other_kind() {
    let mut world = World::new(
        &["acme"],
        vec![
            holder_of("rita", AccountKind::Reader, "work", false),
            holder_of("uma", AccountKind::User, "work", false),
        ],
    );
    kind_pools(&mut world, &[("work", Some(AccountKind::User), Some(1))]);
    let queue = seats::SeatQueue {
        organization: "acme".into(),
        license: "work".into(),
        waiting: vec!["rita".into(), "uma".into()],
    };
    let facts = world.facts(&seats::need(&queue));
    let decision = seats::decide(&queue, &facts, &fresh(9), now());
    world.apply(&decision.plan);
    assert_eq!(holds(&world, "rita"), Some(("work".to_owned(), false)));
    assert_eq!(holds(&world, "uma"), Some(("work".to_owned(), true)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Whatever pools there are, whoever holds or waits for what, and whoever asks: nobody ends up with a license of a pool that is
    /// not for her kind, no pool and no kind is overfilled by it, and asking again changes nothing.
    #[test]
    fn r179_no_change_of_kind_leaves_a_license_of_the_wrong_kind(
        pools in prop::collection::vec((0_u8..3, prop::option::of(0_u32..3)), 1..4),
        people in prop::collection::vec((any::<bool>(), 0_usize..4, any::<bool>()), 1..5),
        (limits_users, limits_readers) in (prop::option::of(0_u32..3), prop::option::of(0_u32..3)),
        asks in prop::collection::vec((0_usize..5, any::<bool>(), any::<bool>()), 1..6),
    ) {
        let kind_of = |is_reader: bool| if is_reader { AccountKind::Reader } else { AccountKind::User };
        let mut world = World::new(&["acme"], Vec::new());
        world.organizations[0].licenses = pools.iter().zip(0..).map(|((kind, seats), number)| LicensePool {
            license: License {
                id: LicenseId::new(format!("pool{number}")),
                seats: *seats,
                kind: [None, Some(AccountKind::User), Some(AccountKind::Reader)][usize::from(*kind)],
            },
            used: 0,
        }).collect();
        world.organizations[0].kinds = [(AccountKind::User, limits_users), (AccountKind::Reader, limits_readers)]
            .into_iter()
            .map(|(kind, limit)| (kind, KindMeter { limit, used: 0 }))
            .collect();
        for (number, (is_reader, pool, seated)) in people.iter().enumerate() {
            let kind = kind_of(*is_reader);
            let mut person = holder(&format!("p{number}"), kind, false);
            let counted = world.facts(&crate::facts::Need {
                organizations: crate::facts::OrganizationsNeeded::All,
                ..crate::facts::Need::default()
            });
            let facts = &counted.organizations[0];
            let grant = facts.licenses.get(*pool).filter(|pool| pool.license.serves(kind)).map(|pool| LicenseGrant {
                license: pool.license.id.clone(),
                source: Source::Manual,
                pinned: false,
                seated: *seated && facts.has_seat(&pool.license.id, kind, None),
            });
            person.memberships[0].license = grant;
            world.accounts.push(person);
        }
        for (who, is_reader, is_file) in asks {
            let id = format!("p{}", who % people.len());
            let actor = if is_file { Actor::File } else { OPERATOR };
            let action = becomes(&id, kind_of(is_reader));
            let decision = run(&mut world, actor.clone(), action.clone());
            let counted = world.facts(&crate::facts::Need {
                organizations: crate::facts::OrganizationsNeeded::All,
                ..crate::facts::Need::default()
            });
            let facts = &counted.organizations[0];
            for pool in &facts.licenses {
                prop_assert!(pool.license.seats.is_none_or(|seats| pool.used <= seats), "{:?}", pool);
            }
            for meter in facts.kinds.values() {
                prop_assert!(meter.limit.is_none_or(|limit| meter.used <= limit), "{:?}", meter);
            }
            for known in &world.accounts {
                if let Some(license) = &known.memberships[0].license {
                    let pool = facts.pool(&license.license).unwrap();
                    prop_assert!(pool.license.serves(known.account.kind), "{} keeps {}", known.account.id, license.license);
                }
            }
            if matches!(decision.verdict, Verdict::Admitted(_)) {
                prop_assert!(run(&mut world, actor, action).plan.changes.is_empty());
            }
        }
    }
}
