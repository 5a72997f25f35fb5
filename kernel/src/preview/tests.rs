use super::*;
use crate::connection::OnNoSeat;
use crate::directory::LicenseGrant;
use crate::fixtures::*;
use crate::id::RoleId;
use crate::policy::{LicenseRule, Policy, RoleRule, WorkspaceRule};
use crate::provision::push::Push;

fn organizations(ids: &[&str]) -> Organizations {
    ids.iter()
        .map(|id| (OrganizationId::from(*id), organization(id)))
        .collect()
}

fn instance(policy: Policy) -> InForce {
    with(|connection| {
        connection.scope = crate::connection::Scope::Instance;
        connection.policy = Some(policy);
    })
}

fn by_group(role: &str) -> Policy {
    Policy {
        organization: Some("contains(groups, '{{orgId}}')".to_owned()),
        role: Some(RoleRule::Expression(role.to_owned())),
        ..Policy::default()
    }
}

/// The account as it is once it has signed in with these groups.
fn settled(in_force: &InForce, groups: &[&str]) -> AccountFacts {
    let mut world = World::new(&["lab", "home", "acme"], vec![]);
    world.sign_in(&ann(groups), in_force, 1);
    world.get("new-1").clone()
}

#[test]
fn r187_who_gains_loses_or_changes_what_is_told_before_saving() {
    let saved = instance(by_group("contains(groups, 'admin') && 'Admin' || 'Member'"));
    let mut policy = by_group("'Member'");
    policy.organization =
        Some("contains(groups, '{{orgId}}') && {{orgId}} != 'home' || {{orgId}} == 'acme'".to_owned());
    policy.workspaces = Some(WorkspaceRule::All {});
    policy.license = Some(LicenseRule::Fixed("standard".into()));
    let edited = instance(policy);
    let preview = Preview::new(&saved, &edited);
    let every: Vec<OrganizationId> = ["acme", "home", "lab"].map(OrganizationId::from).to_vec();
    let heard = Heard::at_sign_in(&ann(&["lab", "home", "admin"]));
    let known = settled(&saved, &["lab", "home", "admin"]);
    assert_eq!(
        preview.organizations(&heard, &every),
        ["acme", "admin", "home", "lab"].map(OrganizationId::from)
    );
    let difference = preview.difference(
        &known,
        &heard,
        &organizations(&["acme", "home", "lab"]),
        &mut Seats::default(),
    );
    let told: Vec<_> = difference
        .organizations
        .iter()
        .map(|one| (one.organization.as_str(), one.how, one.stripped))
        .collect();
    assert_eq!(
        told,
        [
            ("home", How::Loses, true),
            ("lab", How::Changes, true),
            ("acme", How::Gains, false)
        ],
        "an admin who becomes a member is stripped"
    );
    assert_eq!(difference.entry, None);
    let mut impact = Impact::default();
    impact.add(&difference);
    impact.add(&preview.difference(
        &settled(&saved, &["lab"]),
        &Heard::at_sign_in(&ann(&["lab"])),
        &organizations(&["acme", "home", "lab"]),
        &mut Seats::default(),
    ));
    insta::assert_json_snapshot!("impact", impact);
    let mut doubled = impact.clone();
    doubled.merge(&impact);
    assert_eq!((doubled.accounts, doubled.lose), (4, 2));
    let count = doubled.organizations[&OrganizationId::from("lab")].roles[&RoleId::from("admin")];
    assert_eq!(count.lose, 2);
}

#[test]
fn r187_a_preview_says_what_the_sign_in_then_does() {
    let saved = instance(by_group("contains(groups, 'admin') && 'Admin' || 'Member'"));
    for rule in [
        "'Auditor'",
        "groups",
        "contains(groups, 'lab') && 'Member'",
        "missing",
    ] {
        let edited = instance(by_group(rule));
        let known = settled(&saved, &["lab", "Auditor"]);
        let incoming = ann(&["lab", "Auditor"]);
        let difference = Preview::new(&saved, &edited).difference(
            &known,
            &Heard::at_sign_in(&incoming),
            &organizations(&["acme", "home", "lab"]),
            &mut Seats::default(),
        );
        let mut world = World::new(&["lab", "home", "acme"], vec![known.clone()]);
        world.sign_in(&incoming, &edited, 2);
        let now = access::held(&world.get("new-1").memberships);
        let before = access::held(&known.memberships);
        for one in &difference.organizations {
            assert_eq!(one.before.as_ref(), before.get(&one.organization), "{rule}");
            assert_eq!(one.after.as_ref(), now.get(&one.organization), "{rule}");
        }
        assert_eq!(difference.organizations.is_empty(), before == now, "{rule}");
    }
}

/// Ann and Bob as a directory pushed them, Ann in the group `lab`, as the policy placed them.
fn pushed_world(in_force: &InForce) -> World {
    let mut world = World::new(&["lab", "home", "acme"], vec![]);
    for (n, name) in (1..).zip(["ann", "bob"]) {
        let mut user = pushed(name);
        user.document
            .insert("department".to_owned(), serde_json::json!(format!("{name}-dept")));
        world.push(&Push::CreateUser(Box::new(user)), in_force, n);
    }
    let lab = Push::CreateGroup {
        id: "g1".into(),
        group: Box::new(crate::provision::push::PushedGroup {
            external_id: Some("ext-lab".to_owned()),
            ..pushed_group("lab")
        }),
        members: vec!["new-1".into()],
    };
    world.push(&lab, in_force, 3);
    world
}

/// The organizations in which something differs, with the roles that come of it.
fn roles_after(difference: &Difference) -> String {
    let mut told: Vec<String> = difference
        .organizations
        .iter()
        .map(|one| match &one.after {
            None => format!("{} -", one.organization),
            Some(after) => {
                let roles: Vec<&str> = after.roles.iter().map(RoleId::as_str).collect();
                format!("{} {}", one.organization, roles.join("+"))
            }
        })
        .collect();
    told.sort();
    told.join(", ")
}

#[test]
fn r187_a_preview_over_a_pushed_person_says_what_the_push_then_does() {
    let as_scim = |policy: Policy| {
        scim(|connection| {
            connection.scope = crate::connection::Scope::Instance;
            connection.policy = Some(policy);
        })
    };
    let saved = as_scim(Policy {
        organization: Some("{{orgId}} == 'acme' || contains(groups, '{{orgId}}')".to_owned()),
        license: Some(LicenseRule::Fixed("standard".into())),
        ..by_group("contains(groups, 'lab') && 'Admin' || 'Member'")
    });
    let row = |value: &str, role: &str| crate::policy::GroupRoles {
        value: value.to_owned(),
        name: None,
        roles: vec![role.to_owned()],
    };
    // What the edited policy makes of Ann and of Bob.
    let cases = [
        (by_group("'Auditor'"), ("acme -, lab auditor", "acme -")),
        (
            Policy {
                organization: Some("department == 'bob-dept'".to_owned()),
                ..Policy::default()
            },
            ("acme -, lab -", "acme member, home member, lab member"),
        ),
        (
            Policy {
                organization: Some("protocol == 'scim' && {{orgId}} == 'home'".to_owned()),
                role: Some(RoleRule::Groups(vec![
                    row("ext-lab", "Admin"),
                    row("other", "Member"),
                ])),
                ..Policy::default()
            },
            ("acme -, home admin, lab -", "acme -"),
        ),
        (
            Policy {
                organization: Some("missing[0]".to_owned()),
                workspaces: Some(WorkspaceRule::All {}),
                ..Policy::default()
            },
            ("acme -, lab -", "acme -"),
        ),
    ];
    for (policy, (for_ann, for_bob)) in cases {
        let edited = as_scim(policy);
        for (id, expected) in [("new-1", for_ann), ("new-2", for_bob)] {
            let mut world = pushed_world(&saved);
            let known = world.get(id).clone();
            let heard = heard_of(&world, &known).unwrap();
            let difference = Preview::new(&saved, &edited).difference(
                &known,
                &heard,
                &organizations(&["acme", "home", "lab"]),
                &mut Seats::default(),
            );
            assert_eq!(roles_after(&difference), expected, "{id}");
            let again = Push::Reevaluate {
                accounts: vec![id.into()],
            };
            world.push(&again, &edited, 9);
            let (before, now) = (
                access::held(&known.memberships),
                access::held(&world.get(id).memberships),
            );
            for one in &difference.organizations {
                assert_eq!(one.before.as_ref(), before.get(&one.organization), "{id}");
                assert_eq!(one.after.as_ref(), now.get(&one.organization), "{id}");
            }
            assert_eq!(difference.organizations.is_empty(), before == now, "{id}");
        }
    }
}

#[test]
fn r187_where_a_directory_pushes_sign_ins_change_nothing_and_pushes_nothing_elsewhere() {
    let jit = with(|_| {});
    let nobody = Policy {
        organization: Some("`false`".to_owned()),
        ..Policy::default()
    };
    let directory = scim(|_| {});
    let closed = scim(|connection| connection.policy = Some(nobody.clone()));
    let known = known(
        account("ann", sso("okta")),
        &["ann-1"],
        vec![member("acme", scim_source(), &["member"])],
    );
    let pushed = Heard::pushed(&"okta".into(), &known.account, &pushed("ann").document, &[]);
    let signed_in = Heard::at_sign_in(&ann(&[]));
    let acme = organizations(&["acme"]);
    let loses = |saved, edited, heard| {
        let difference = Preview::new(saved, edited).difference(&known, heard, &acme, &mut Seats::default());
        difference.entry == Some(How::Loses)
    };
    assert!(loses(&directory, &closed, &pushed));
    assert!(
        !loses(&directory, &closed, &signed_in),
        "a sign-in runs no rules there"
    );
    assert!(loses(&jit, &closed, &pushed), "the directory takes over");
    let closed = with(|connection| connection.policy = Some(nobody));
    assert!(!loses(&jit, &closed, &pushed), "no directory is asked");
}

fn scim_source() -> Source {
    Source::Scim {
        connection: "okta".into(),
    }
}

#[test]
fn c07_c09_pinned_and_manual_access_does_not_differ() {
    let (saved, edited) = (with(|_| {}), instance(by_group("'Admin'")));
    let mut pinned = member("acme", rule(), &["auditor"]);
    pinned.pinned = true;
    for membership in [
        pinned,
        member("acme", crate::directory::Source::Manual, &["auditor"]),
    ] {
        let known = known(account("ann", sso("okta")), &["ann-1"], vec![membership]);
        let difference = Preview::new(&saved, &edited).difference(
            &known,
            &Heard::at_sign_in(&ann(&["lab"])),
            &organizations(&["acme"]),
            &mut Seats::default(),
        );
        assert!(difference.is_empty(), "{difference:?}");
        assert_eq!(difference.member_of, ["acme".into()]);
    }
}

#[test]
fn people_who_may_not_sign_in_differ_in_nothing_and_refusals_are_told() {
    let saved = with(|_| {});
    let edited = with(|connection| {
        connection.settings.on_no_seat = crate::connection::OnNoSeat::Refuse;
        connection.policy = Some(Policy {
            license: Some(LicenseRule::Fixed("standard".into())),
            ..Policy::default()
        });
    });
    let mut known = known(
        account("ann", sso("okta")),
        &["ann-1"],
        vec![member("acme", rule(), &["member"])],
    );
    let mut full = organizations(&["acme"]);
    full.get_mut(&OrganizationId::from("acme")).unwrap().licenses[0].used = 2;
    let difference = Preview::new(&saved, &edited).difference(
        &known,
        &Heard::at_sign_in(&ann(&[])),
        &full,
        &mut Seats::default(),
    );
    assert_eq!(difference.refused, Some(Denial::NoSeat));
    known.account.status = Status::Deactivated;
    assert!(
        Preview::new(&saved, &edited)
            .difference(
                &known,
                &Heard::at_sign_in(&ann(&[])),
                &full,
                &mut Seats::default()
            )
            .is_empty()
    );
}

#[test]
fn r187_seats_are_used_up_from_one_person_to_the_next() {
    let licensed = |license: Option<&str>, on_no_seat: &OnNoSeat| {
        with(|connection| {
            connection.settings.on_no_seat = on_no_seat.clone();
            connection.policy = Some(Policy {
                license: license.map(|id| LicenseRule::Fixed(id.into())),
                ..Policy::default()
            });
        })
    };
    let mut acme = organizations(&["acme"]);
    acme.get_mut(&OrganizationId::from("acme")).unwrap().licenses[0]
        .license
        .seats = Some(50);
    for setting in [OnNoSeat::Queue, OnNoSeat::Refuse, OnNoSeat::Other("spare".into())] {
        let (saved, edited) = (licensed(None, &setting), licensed(Some("standard"), &setting));
        let mut seats = Seats::default();
        let mut impact = Impact::default();
        for n in 1..=52 {
            let known = known(
                account(&format!("p{n:02}"), sso("okta")),
                &[],
                vec![member("acme", rule(), &["member"])],
            );
            let heard = Heard::at_sign_in(&ann(&[]));
            let difference = Preview::new(&saved, &edited).difference(&known, &heard, &acme, &mut seats);
            impact.add(&difference);
            let after = difference.organizations.first().and_then(|one| one.after.clone());
            let told = after.and_then(|after| Some((after.license?.to_string(), after.seated)));
            let expected = match (&setting, n > 50) {
                (_, false) => Some(("standard".to_owned(), true)),
                (OnNoSeat::Queue, true) => Some(("standard".to_owned(), false)),
                (OnNoSeat::Other(_), true) => Some(("spare".to_owned(), true)),
                (OnNoSeat::Refuse, true) => None,
            };
            assert_eq!(told, expected, "{setting:?}, person {n}");
            let refused = setting == OnNoSeat::Refuse && n > 50;
            assert_eq!(difference.refused.is_some(), refused, "{setting:?}, person {n}");
        }
        let counts = &impact.organizations[&OrganizationId::from("acme")];
        let waiting = counts.no_seat.values().sum::<u64>();
        assert_eq!(
            waiting,
            if setting == OnNoSeat::Queue { 2 } else { 0 },
            "{setting:?}"
        );
    }
}

#[test]
fn r187_a_seat_that_an_edit_frees_goes_to_who_comes_after() {
    let rule_of = |license: &str| {
        with(|connection| {
            connection.policy = Some(Policy {
                license: Some(LicenseRule::Expression(license.to_owned())),
                ..Policy::default()
            });
        })
    };
    let (saved, edited) = (
        rule_of("email && 'standard'"),
        rule_of("vip && 'spare' || 'standard'"),
    );
    let mut acme = organizations(&["acme"]);
    let pool = &mut acme.get_mut(&OrganizationId::from("acme")).unwrap().licenses[0];
    (pool.license.seats, pool.used) = (Some(1), 1);
    let person = |id: &str, seated: bool| {
        let mut held = member("acme", rule(), &["member"]);
        held.license = Some(LicenseGrant {
            license: "standard".into(),
            source: rule(),
            pinned: false,
            seated,
        });
        known(account(id, sso("okta")), &[], vec![held])
    };
    let mut vip = ann(&[]);
    vip.claims.insert("vip".to_owned(), serde_json::json!(true));
    let mut seats = Seats::default();
    let preview = Preview::new(&saved, &edited);
    let first = preview.difference(&person("a", true), &Heard::at_sign_in(&vip), &acme, &mut seats);
    assert_eq!(
        first.organizations[0].after.as_ref().unwrap().license,
        Some("spare".into())
    );
    let second = preview.difference(
        &person("b", false),
        &Heard::at_sign_in(&ann(&[])),
        &acme,
        &mut seats,
    );
    assert!(second.organizations[0].after.as_ref().unwrap().seated);
    let third = preview.difference(
        &person("c", false),
        &Heard::at_sign_in(&ann(&[])),
        &acme,
        &mut seats,
    );
    assert!(third.is_empty(), "still waiting, as under the saved policy");
}
