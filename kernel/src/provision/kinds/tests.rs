use std::collections::BTreeMap;

use super::*;
use crate::connection::OnNoSeat;
use crate::directory::{Authentication, Source, Status};
use crate::facts::KindMeter;
use crate::fixtures::*;
use crate::plan::{Decision, ProfilePatch, Verdict};
use crate::policy::{LicenseRule, Policy};
use crate::provision::push::{CUSTOM_ATTRIBUTES, Push, PushedUser};
use crate::provision::{GrantEdit, Request, decide, need};

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
