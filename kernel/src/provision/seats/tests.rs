use super::*;
use crate::fixtures::*;

fn waiting(id: &str, change: impl FnOnce(&mut AccountFacts)) -> AccountFacts {
    let mut membership = member("acme", rule(), &["member"]);
    membership.license = Some(LicenseGrant {
        license: "standard".into(),
        source: rule(),
        pinned: false,
        seated: false,
    });
    let mut person = account(id, sso("okta"));
    person.email = Some(email(&format!("{id}@acme.example")));
    let mut known = known(person, &[], vec![membership]);
    change(&mut known);
    known
}

fn queue(waiting: &[&str]) -> SeatQueue {
    SeatQueue {
        organization: "acme".into(),
        license: "standard".into(),
        waiting: waiting.iter().map(|id| AccountId::from(*id)).collect(),
    }
}

fn fill(world: &mut World, queue: &SeatQueue) -> Vec<String> {
    let decision = decide(queue, &world.facts(&need(queue)), &fresh(1), now());
    assert_eq!(decision.verdict, Verdict::Accepted);
    world.apply(&decision.plan);
    let accounts = decision.plan.changes.iter().map(|change| {
        let Change::UpdateMembership { account, .. } = change else {
            panic!("{change:?}")
        };
        account.as_str().to_owned()
    });
    accounts.collect()
}

#[test]
fn c23_free_seats_go_to_those_who_waited_longest_and_never_to_more() {
    let people = ["a", "b", "c", "d"].map(|id| waiting(id, |_| {}));
    let mut world = World::new(&["acme"], people.to_vec());
    // Two seats, one of them held by somebody else.
    world.organizations[0].licenses[0].used = 1;
    let queue = queue(&["c", "a", "d", "b"]);
    assert_eq!(fill(&mut world, &queue), ["c"]);
    assert!(fill(&mut world, &queue).is_empty(), "no seat is left");
    world.organizations[0].licenses[0].used = 0;
    assert_eq!(fill(&mut world, &queue), ["a"], "one came free; c has hers");
    world.organizations[0].licenses[0].license.seats = None;
    assert_eq!(fill(&mut world, &queue), ["d", "b"]);
}

#[test]
fn c23_whoever_does_not_wait_any_more_or_may_not_sign_in_is_passed_over() {
    let mut world = World::new(
        &["acme"],
        vec![
            waiting("gone", |known| known.account.status = Status::Deactivated),
            waiting("suspended", |known| known.memberships[0].active = false),
            waiting("other", |known| {
                known.memberships[0].license.as_mut().unwrap().license = "spare".into();
            }),
            waiting("left", |known| known.memberships.clear()),
            waiting("here", |_| {}),
        ],
    );
    let queue = queue(&["gone", "suspended", "other", "left", "nobody", "here"]);
    assert_eq!(fill(&mut world, &queue), ["here"]);
}

#[test]
fn r179_whose_kind_has_no_seat_left_is_passed_over_for_the_next_of_the_other_kind() {
    use crate::directory::AccountKind;
    let kind = |kind: AccountKind| move |known: &mut AccountFacts| known.account.kind = kind;
    let people = vec![
        waiting("rita", kind(AccountKind::Reader)),
        waiting("ron", kind(AccountKind::Reader)),
        waiting("uma", kind(AccountKind::User)),
    ];
    let mut world = World::new(&["acme"], people);
    let limit = crate::facts::KindMeter {
        limit: Some(1),
        used: 0,
    };
    world.organizations[0].kinds.insert(AccountKind::Reader, limit);
    let queue = queue(&["rita", "ron", "uma"]);
    assert_eq!(fill(&mut world, &queue), ["rita", "uma"]);
    world.organizations[0].licenses[0].license.seats = None;
    assert!(fill(&mut world, &queue).is_empty(), "readers have theirs");
    let limits = &mut world.organizations[0].kinds;
    limits.get_mut(&AccountKind::Reader).unwrap().limit = Some(2);
    assert_eq!(fill(&mut world, &queue), ["ron"]);
}
