//! Directory push (S): SCIM push from the IdP. The wire is tested where the wire is; here is what a push decides.

use super::*;
use crate::provision::push::{MembersChange, Push};

fn s() -> InForce {
    let row = |value: &str, role: &str| GroupRoles {
        value: value.to_owned(),
        name: None,
        roles: vec![role.to_owned()],
    };
    preset(Preset::DirectoryPush, |connection| {
        connection.policy = Some(Policy {
            role: Some(RoleRule::Groups(vec![
                row("admins", "Admin"),
                row("staff", "Member"),
            ])),
            ..Policy::default()
        });
    })
}

fn create(world: &mut World) -> Decision {
    world.push(&Push::CreateUser(Box::new(pushed("ann"))), &s(), 1)
}

fn replace(world: &mut World, user: crate::provision::push::PushedUser, n: u32) -> Decision {
    let push = Push::ReplaceUser {
        account: "new-1".into(),
        if_version: None,
        user: Box::new(user),
    };
    world.push(&push, &s(), n)
}

#[test]
fn r69_joining_changing_role_and_leaving_are_covered() {
    let mut world = World::new(&["acme"], vec![]);
    create(&mut world);
    assert_eq!(roles_in(&world, "new-1", "acme"), ["member"]);
    let group = Push::CreateGroup {
        id: "g1".into(),
        group: Box::new(pushed_group("admins")),
        members: vec!["new-1".into()],
    };
    world.push(&group, &s(), 2);
    assert_eq!(roles_in(&world, "new-1", "acme"), ["admin"]);
    replace(&mut world, active(pushed("ann"), false), 3);
    assert_eq!(world.get("new-1").account.status, Status::Deactivated);
}

#[test]
fn r74_one_idp_record_carries_both_sso_and_scim() {
    let mut world = World::new(&["acme"], vec![]);
    create(&mut world);
    let mut incoming = ann(&[]);
    incoming.normalized.user_name = Some("ann@acme.example".to_owned());
    assert_eq!(
        world.sign_in(&incoming, &s(), 2).verdict,
        Verdict::Admitted("new-1".into())
    );
    assert_eq!(world.accounts.len(), 1);
}

#[test]
fn r76_r77_push_new_users_creates_and_push_profile_updates_changes_attributes() {
    let mut world = World::new(&["acme"], vec![]);
    assert!(admitted(&create(&mut world)));
    let mut user = pushed("ann");
    user.given_name = Some("Anna".to_owned());
    replace(&mut world, user, 2);
    assert_eq!(world.get("new-1").account.given_name.as_deref(), Some("Anna"));
}

#[test]
fn r78_push_groups_fills_groups_and_roles_follow() {
    let mut world = World::new(&["acme"], vec![]);
    create(&mut world);
    let make = Push::CreateGroup {
        id: "g1".into(),
        group: Box::new(pushed_group("admins")),
        members: vec![],
    };
    world.push(&make, &s(), 2);
    for (add, remove, role) in [
        (vec!["new-1".into()], vec![], "admin"),
        (vec![], vec!["new-1".into()], "member"),
    ] {
        let change = Push::ChangeGroup {
            group: "g1".into(),
            if_version: None,
            set: None,
            members: MembersChange::Delta { add, remove },
        };
        world.push(&change, &s(), 3);
        assert_eq!(roles_in(&world, "new-1", "acme"), [role]);
    }
}

#[test]
fn r80_r81_deactivating_in_the_idp_deactivates_the_account_here_and_activating_brings_it_back() {
    let mut world = World::new(&["acme"], vec![]);
    create(&mut world);
    let decision = replace(&mut world, active(pushed("ann"), false), 2);
    assert_eq!(world.get("new-1").account.status, Status::Deactivated);
    let ended = |change: &Change| matches!(change, Change::RevokeSessions { .. });
    assert!(
        decision.plan.changes.iter().any(ended),
        "R-167: sessions end at once"
    );
    assert!(!admitted(&world.sign_in(&ann(&[]), &s(), 3)), "R-168");
    replace(&mut world, active(pushed("ann"), true), 4);
    assert_eq!(world.get("new-1").account.status, Status::Active);
}

#[test]
fn c05_s_deactivates_where_the_directory_deletes() {
    let mut world = World::new(&["acme"], vec![]);
    create(&mut world);
    let delete = Push::DeleteUser {
        account: "new-1".into(),
        if_version: None,
    };
    world.push(&delete, &s(), 2);
    assert_eq!(world.get("new-1").account.status, Status::Deactivated);
}
