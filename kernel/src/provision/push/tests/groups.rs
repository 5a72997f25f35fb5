//! Pushed groups: names, members, and the people whose grants follow.

use super::*;

fn by_groups() -> InForce {
    scim(|connection| {
        let row = |value: &str, role: &str| GroupRoles {
            value: value.to_owned(),
            name: None,
            roles: vec![role.to_owned()],
        };
        connection.policy = Some(Policy {
            organization: Some("contains(groups, 'staff') || contains(groups, 'admins')".to_owned()),
            role: Some(RoleRule::Groups(vec![
                row("admins", "Admin"),
                row("staff", "Member"),
                row("ext-audit", "Auditor"),
            ])),
            ..Policy::default()
        });
    })
}

fn make(id: &str, name: &str, members: &[&str]) -> Push {
    Push::CreateGroup {
        id: id.into(),
        group: Box::new(pushed_group(name)),
        members: members.iter().map(|id| (*id).into()).collect(),
    }
}

fn change(id: &str, set: Option<PushedGroup>, members: MembersChange) -> Push {
    Push::ChangeGroup {
        group: id.into(),
        if_version: None,
        set: set.map(Box::new),
        members,
    }
}

fn delta(add: &[&str], remove: &[&str]) -> MembersChange {
    let ids = |ids: &[&str]| ids.iter().map(|id| (*id).into()).collect();
    MembersChange::Delta {
        add: ids(add),
        remove: ids(remove),
    }
}

/// Ann (`new-1`), Bob (`new-2`) and Cid (`new-3`), group `g1` named staff with Ann.
fn world(in_force: &InForce) -> World {
    let mut world = World::new(&["acme"], vec![]);
    for (n, name) in (1..).zip(["ann", "bob", "cid"]) {
        assert_eq!(refusal(&world.push(&create(name), in_force, n)), None);
    }
    assert_eq!(
        refusal(&world.push(&make("g1", "staff", &["new-1"]), in_force, 4)),
        None
    );
    world
}

fn members(world: &World) -> Vec<&str> {
    world.groups[0].1.iter().map(AccountId::as_str).collect()
}

#[test]
fn r78_members_who_join_and_leave_gain_and_lose_what_the_group_gives() {
    let in_force = by_groups();
    let mut world = world(&in_force);
    assert_eq!(roles_in(&world, "new-1", "acme"), ["member"]);
    assert!(world.get("new-2").memberships.is_empty());
    world.push(&change("g1", None, delta(&["new-2"], &["new-1"])), &in_force, 5);
    assert_eq!(members(&world), ["new-2"]);
    assert!(world.get("new-1").memberships.is_empty());
    assert_eq!(roles_in(&world, "new-2", "acme"), ["member"]);
    // The same again, and people who were never in: nothing.
    for members in [
        delta(&["new-2"], &["new-1"]),
        delta(&[], &["new-3", "nobody"]),
        MembersChange::NONE,
        MembersChange::Replace(vec!["new-2".into()]),
    ] {
        let decision = world.push(&change("g1", None, members), &in_force, 6);
        assert_eq!(decision.verdict, Verdict::Accepted);
        assert!(decision.plan.changes.is_empty());
    }
    world.push(
        &change(
            "g1",
            None,
            MembersChange::Replace(vec!["new-1".into(), "new-3".into()]),
        ),
        &in_force,
        7,
    );
    assert_eq!(members(&world), ["new-1", "new-3"]);
    assert!(world.get("new-2").memberships.is_empty());
    world.push(&change("g1", None, MembersChange::Replace(vec![])), &in_force, 8);
    assert!(members(&world).is_empty() && world.get("new-1").memberships.is_empty());
}

#[test]
fn r78_a_renamed_group_gives_what_its_new_name_gives_and_a_deleted_one_nothing() {
    let in_force = by_groups();
    let mut world = world(&in_force);
    world.push(
        &change("g1", Some(pushed_group("admins")), delta(&["new-2"], &[])),
        &in_force,
        5,
    );
    for account in ["new-1", "new-2"] {
        assert_eq!(roles_in(&world, account, "acme"), ["admin"]);
    }
    // Okta sends the name with every change of members: no new name, no look at all members.
    let same = change("g1", Some(pushed_group("admins")), delta(&["new-3"], &[]));
    let facts = world.facts(&need(&same, &in_force));
    assert!(!need(&same, &in_force).directory.members.unwrap().all);
    assert_eq!(facts.directory.members, []);
    world.push(&same, &in_force, 6);
    world.push(
        &Push::DeleteGroup {
            group: "g1".into(),
            if_version: None,
        },
        &in_force,
        7,
    );
    assert!(world.groups.is_empty());
    for account in ["new-1", "new-2", "new-3"] {
        assert!(world.get(account).memberships.is_empty());
        assert_eq!(world.get(account).account.status, Status::Active);
    }
}

#[test]
fn r136_group_tables_compare_names_and_external_ids() {
    let in_force = by_groups();
    let mut world = world(&in_force);
    let mut audit = pushed_group("Revision");
    audit.external_id = Some("ext-audit".to_owned());
    let push = Push::CreateGroup {
        id: "g2".into(),
        group: Box::new(audit),
        members: vec!["new-1".into()],
    };
    world.push(&push, &in_force, 5);
    let mut roles = roles_in(&world, "new-1", "acme");
    roles.sort_unstable();
    assert_eq!(roles, ["auditor", "member"]);
}

#[test]
fn r156_names_of_groups_are_unique_within_the_connection_and_external_ids_are_the_first_ones() {
    let in_force = by_groups();
    let mut world = world(&in_force);
    let clash = world.push(&make("g2", "STAFF", &[]), &in_force, 5);
    assert_eq!(refusal(&clash), Some(Denial::GroupNameTaken));
    assert_eq!(
        refusal(&world.push(&make("g2", "", &[]), &in_force, 6)),
        Some(Denial::NameMissing)
    );
    let mut with_id = pushed_group("b");
    with_id.external_id = Some("x".to_owned());
    let push = |id: &str, name: &str| Push::CreateGroup {
        id: id.into(),
        group: Box::new(PushedGroup {
            name: name.to_owned(),
            ..with_id.clone()
        }),
        members: vec![],
    };
    assert_eq!(refusal(&world.push(&push("g2", "b"), &in_force, 7)), None);
    // The directory's own identifier need not be unique: the second one has it in its document only.
    assert_eq!(refusal(&world.push(&push("g3", "c"), &in_force, 8)), None);
    let ids: Vec<_> = world
        .groups
        .iter()
        .map(|(group, _)| (group.id.as_str(), group.external_id.as_deref()))
        .collect();
    assert!(
        ids.contains(&("g2", Some("x"))) && ids.contains(&("g3", None)),
        "{ids:?}"
    );
    let rename = change("g2", Some(pushed_group("Staff")), MembersChange::NONE);
    assert_eq!(
        refusal(&world.push(&rename, &in_force, 9)),
        Some(Denial::GroupNameTaken)
    );
    // A change of its own letter case is no clash.
    let own = change("g1", Some(pushed_group("Staff")), MembersChange::NONE);
    assert_eq!(refusal(&world.push(&own, &in_force, 10)), None);
}

#[test]
fn a_directory_reaches_only_its_own_groups_and_people() {
    let in_force = by_groups();
    let mut world = world(&in_force);
    world
        .accounts
        .push(known(account("std", Authentication::Standard), &[], vec![]));
    for stranger in ["std", "nobody"] {
        let pushes = [
            make("g2", "other", &[stranger]),
            change("g1", None, delta(&[stranger], &[])),
            change("g1", None, MembersChange::Replace(vec![stranger.into()])),
        ];
        for push in pushes {
            assert_eq!(
                refusal(&world.push(&push, &in_force, 5)),
                Some(Denial::UnknownMember)
            );
        }
    }
    world.groups[0].0.connection = "entra".into();
    let pushes = [
        change("g1", None, delta(&["new-2"], &[])),
        Push::DeleteGroup {
            group: "g1".into(),
            if_version: None,
        },
    ];
    for push in pushes {
        assert_eq!(refusal(&world.push(&push, &in_force, 6)), Some(Denial::NotFound));
    }
}

#[test]
fn a_stale_if_match_of_a_group_changes_nothing_and_a_right_one_checks_the_version() {
    let in_force = by_groups();
    let mut world = world(&in_force);
    let version = world.groups[0].0.version;
    let push = |believed| Push::ChangeGroup {
        group: "g1".into(),
        if_version: Some(believed),
        set: None,
        members: delta(&["new-2"], &[]),
    };
    let stale = world.push(&push(version + 1), &in_force, 5);
    assert_eq!(refusal(&stale), Some(Denial::StaleVersion));
    let right = world.push(&push(version), &in_force, 6);
    assert!(
        matches!(right.plan.changes[0], Change::UpdateGroup { version: checked, .. } if checked == version)
    );
    assert_eq!(members(&world), ["new-1", "new-2"]);
}

#[test]
fn large_changes_queue_the_people_and_the_queue_decides_the_same() {
    let in_force = by_groups();
    let mut world = World::new(&["acme"], vec![]);
    let count = u32::try_from(MOST_AT_ONCE).unwrap() + 1;
    for n in 0..count {
        world.push(&create(&format!("p{n}")), &in_force, n);
    }
    let ids: Vec<String> = (0..count).map(|n| format!("new-{n}")).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let decision = world.push(&make("g1", "staff", &ids), &in_force, 9_000);
    assert!(has(&decision.trace, "reevaluation_queued"));
    assert_eq!(world.queued.len(), MOST_AT_ONCE + 1);
    assert!(world.accounts.iter().all(|known| known.memberships.is_empty()));
    let queued = std::mem::take(&mut world.queued);
    for accounts in queued.chunks(MOST_AT_ONCE) {
        let push = Push::Reevaluate {
            accounts: accounts.to_vec(),
        };
        assert_eq!(world.push(&push, &in_force, 9_001).verdict, Verdict::Accepted);
        assert!(world.push(&push, &in_force, 9_002).plan.changes.is_empty());
    }
    assert!(world.accounts.iter().all(|known| known.memberships.len() == 1));
}

#[test]
fn r165_two_people_in_one_plan_do_not_count_on_the_same_seat() {
    for (setting, waiting) in [(OnNoSeat::Queue, Some(Some(false))), (OnNoSeat::Refuse, None)] {
        let in_force = scim(|connection| {
            let mut policy = by_groups().connection().policy.clone().unwrap();
            policy.license = Some(LicenseRule::Fixed("standard".into()));
            connection.policy = Some(policy);
            connection.settings.on_no_seat = setting;
        });
        let mut world = World::new(&["acme"], vec![]);
        for (n, name) in (1..).zip(["ann", "bob", "cid"]) {
            world.push(&create(name), &in_force, n);
        }
        let decision = world.push(&make("g1", "staff", &["new-1", "new-2", "new-3"]), &in_force, 4);
        assert_eq!(decision.verdict, Verdict::Accepted);
        assert_eq!(seated(&world, "new-1"), Some(true));
        assert_eq!(seated(&world, "new-2"), Some(true));
        let third = world.get("new-3").memberships.first();
        assert_eq!(
            third.map(|held| held.license.as_ref().map(|license| license.seated)),
            waiting
        );
        if waiting.is_none() {
            assert!(
                decision
                    .plan
                    .changes
                    .iter()
                    .any(|change| matches!(change, Change::Alert { code, .. } if code == "no_seat"))
            );
        }
    }
}

#[test]
fn who_is_out_is_placed_on_coming_back_and_who_is_deleted_leaves_every_group() {
    let in_force = by_groups();
    let mut world = world(&in_force);
    world.push(&replace("new-2", active(pushed("bob"), false)), &in_force, 5);
    world.push(&change("g1", None, delta(&["new-2"], &[])), &in_force, 6);
    assert!(world.get("new-2").memberships.is_empty());
    world.push(&replace("new-2", pushed("bob")), &in_force, 7);
    assert_eq!(roles_in(&world, "new-2", "acme"), ["member"]);
    world.push(&delete("new-2"), &in_force, 8);
    assert_eq!(members(&world), ["new-1"]);
}

#[test]
fn an_account_that_no_directory_manages_loses_nothing_by_being_put_into_a_group() {
    let in_force = by_groups();
    let mut world = world(&in_force);
    let mut jit = known(
        account("jit", sso("okta")),
        &["j-1"],
        vec![member("acme", rule(), &["auditor"])],
    );
    jit.account.email = Some(email("jit@acme.example"));
    world.accounts.push(jit.clone());
    let decision = world.push(&change("g1", None, delta(&["jit"], &[])), &in_force, 5);
    assert!(has(&decision.trace, "not_managed"));
    assert_eq!(world.get("jit"), &jit);
    // Once the directory describes the person, the groups count.
    world.push(&replace("jit", pushed("jit")), &in_force, 6);
    assert_eq!(roles_in(&world, "jit", "acme"), ["member"]);
}

#[test]
fn r55_a_push_through_a_connection_of_the_instance_loads_only_the_organizations_of_the_claims() {
    let in_force = scim(|connection| {
        connection.scope = crate::connection::Scope::Instance;
        connection.policy = Some(Policy {
            organization: Some("contains(groups, '{{orgId}}')".to_owned()),
            ..Policy::default()
        });
    });
    let mut world = World::new(&["acme", "lab", "home"], vec![]);
    world.push(&create("ann"), &in_force, 1);
    world.push(&create("bob"), &in_force, 2);
    let wish = Push::CreateGroup {
        id: "g1".into(),
        group: Box::new(pushed_group("lab")),
        members: vec!["new-1".into()],
    };
    let mut facts = world.facts(&need(&wish, &in_force));
    while let Some(more) = need_more(&wish, &facts, &in_force) {
        facts.join(world.facts(&more));
    }
    assert!(facts.organizations.is_empty());
    let found = candidates(&wish, &facts, &in_force, &fresh(3), now()).unwrap();
    assert!(!found.is_open());
    assert_eq!(
        found.need(&[]).organizations,
        crate::facts::OrganizationsNeeded::Ids(vec!["lab".into()])
    );
    world.push(&wish, &in_force, 3);
    let places: Vec<&str> = world
        .get("new-1")
        .memberships
        .iter()
        .map(|held| held.organization.as_str())
        .collect();
    assert_eq!(places, ["lab"]);
    assert!(world.get("new-2").memberships.is_empty());
}
