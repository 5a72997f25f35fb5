//! Local groups: what members hold because of them, and who decides that.

use super::*;
use crate::directory::{Authentication, ManagedBy, Status, Workspace};
use crate::fixtures::*;
use crate::mapping::InForce;
use crate::plan::Verdict;
use crate::provision::{self, Action, GrantEdit, Request};

fn group(id: &str, roles: &[&str], workspaces: &[&str]) -> LocalGroup {
    LocalGroup {
        id: id.into(),
        organization: "acme".into(),
        name: id.to_owned(),
        description: String::new(),
        roles: roles.iter().map(|role| (*role).into()).collect(),
        workspaces: workspaces.iter().map(|one| (*one).into()).collect(),
        version: 4,
    }
}

fn world() -> World {
    let person = |id: &str, memberships| known(account(id, Authentication::Standard), &[], memberships);
    let hand = |roles: &[&str]| vec![member("acme", Source::Manual, roles)];
    let mut world = World::new(
        &["acme", "other"],
        vec![
            person("olga", hand(&["owner"])),
            person("adam", hand(&["admin"])),
            person("mia", hand(&["member"])),
            person("otto", vec![member("other", Source::Manual, &["member"])]),
        ],
    );
    for (at, known) in world.accounts.iter_mut().enumerate() {
        known.account.email = Some(email(&format!("p{at}@acme.example")));
    }
    for facts in &mut world.organizations {
        facts.roles.push(role("writer", "Writer"));
        facts.workspaces.push(Workspace {
            id: "lab".into(),
            name: "Lab".to_owned(),
            default: false,
        });
    }
    world.local_groups = vec![
        group("writers", &["writer"], &["lab"]),
        group("authors", &["writer"], &[]),
        group("owners", &["owner"], &[]),
        LocalGroup {
            organization: "other".into(),
            ..group("foreign", &["writer"], &[])
        },
    ];
    world
}

fn admin(id: &str) -> Actor {
    Actor::Admin {
        account: id.into(),
        organization: "acme".into(),
    }
}

fn act(world: &mut World, actor: Actor, account: &str, edits: Vec<GrantEdit>) -> Decision {
    let request = Request {
        actor,
        action: Action::EditMembership {
            account: account.into(),
            organization: "acme".into(),
            edits,
        },
    };
    let facts = world.facts(&provision::need(&request));
    let decision = provision::decide(&request, &facts, None::<&InForce>, &fresh(7), now());
    world.apply(&decision.plan);
    let again = provision::decide(
        &request,
        &world.facts(&provision::need(&request)),
        None,
        &fresh(8),
        now(),
    );
    if matches!(decision.verdict, Verdict::Admitted(_)) {
        assert!(
            again.plan.changes.is_empty(),
            "a second time: {:?}",
            again.plan.changes
        );
    }
    decision
}

fn join(world: &mut World, actor: Actor, account: &str, group: &str) -> Decision {
    act(
        world,
        actor,
        account,
        vec![GrantEdit::JoinGroup { group: group.into() }],
    )
}

fn leave(world: &mut World, actor: Actor, account: &str, group: &str) -> Decision {
    let edit = GrantEdit::LeaveGroup {
        group: group.into(),
        keep: false,
    };
    act(world, actor, account, vec![edit])
}

fn source(world: &World, account: &str, role: &str) -> Option<Source> {
    let held = world.get(account).memberships.first()?;
    let grant = held.roles.iter().find(|grant| grant.id.as_str() == role)?;
    Some(grant.source.clone())
}

fn of(group: &str) -> Source {
    Source::Group { group: group.into() }
}

fn refused(decision: &Decision, denial: Denial) {
    assert_eq!(decision.verdict, Verdict::Refused(denial), "{:?}", decision.trace);
    assert!(decision.plan.changes.is_empty());
}

#[test]
fn a_member_of_a_local_group_has_its_grants_and_taking_her_out_takes_exactly_these() {
    let mut world = world();
    let before = world.get("mia").memberships.clone();
    let decision = join(&mut world, admin("adam"), "mia", "writers");
    assert!(has(&decision.trace, "role_of_group") && has(&decision.trace, "workspace_of_group"));
    assert_eq!(source(&world, "mia", "writer"), Some(of("writers")));
    assert_eq!(
        source(&world, "mia", "member"),
        Some(Source::Manual),
        "beside all others"
    );
    let held = &world.get("mia").memberships[0];
    assert_eq!(held.workspaces.last().map(|grant| grant.id.as_str()), Some("lab"));
    assert_eq!(held.groups.len(), 1);
    assert!(!held.pinned, "being put into a group pins nothing");
    leave(&mut world, admin("adam"), "mia", "writers");
    let after = &world.get("mia").memberships;
    assert_eq!(after[0].roles, before[0].roles);
    assert_eq!(after[0].workspaces, before[0].workspaces);
    assert!(after[0].groups.is_empty());
}

#[test]
fn of_two_groups_the_other_one_goes_on_giving_what_both_lead_to() {
    let mut world = world();
    join(&mut world, admin("adam"), "mia", "writers");
    join(&mut world, admin("adam"), "mia", "authors");
    leave(&mut world, admin("adam"), "mia", "writers");
    assert_eq!(source(&world, "mia", "writer"), Some(of("authors")));
    leave(&mut world, admin("adam"), "mia", "authors");
    assert_eq!(source(&world, "mia", "writer"), None);
}

#[test]
fn a_group_takes_over_what_somebody_takes_back_that_granted_it_by_hand() {
    let mut world = world();
    let grant = GrantEdit::GrantRole {
        role: "writer".into(),
    };
    act(&mut world, admin("adam"), "mia", vec![grant]);
    join(&mut world, admin("adam"), "mia", "authors");
    assert_eq!(
        source(&world, "mia", "writer"),
        Some(Source::Manual),
        "granted once"
    );
    let take = || {
        vec![GrantEdit::RevokeRole {
            role: "writer".into(),
        }]
    };
    let request = Request {
        actor: admin("adam"),
        action: Action::EditMembership {
            account: "mia".into(),
            organization: "acme".into(),
            edits: take(),
        },
    };
    let facts = world.facts(&provision::need(&request));
    let decision = provision::decide(&request, &facts, None, &fresh(7), now());
    world.apply(&decision.plan);
    assert_eq!(source(&world, "mia", "writer"), Some(of("authors")));
    refused(&act(&mut world, admin("adam"), "mia", take()), Denial::FromGroup);
}

#[test]
fn r87_who_puts_people_into_groups_and_takes_them_out() {
    let mut world = world();
    refused(
        &join(&mut world, admin("mia"), "mia", "writers"),
        Denial::NotPermitted,
    );
    refused(
        &join(&mut world, admin("adam"), "otto", "writers"),
        Denial::NotFound,
    );
    let operator = Actor::Operator { account: None };
    refused(
        &join(&mut world, operator.clone(), "otto", "writers"),
        Denial::UnknownMember,
    );
    refused(&join(&mut world, operator, "mia", "foreign"), Denial::NotFound);
    refused(
        &join(&mut world, admin("adam"), "mia", "nothing"),
        Denial::NotFound,
    );
    refused(
        &join(&mut world, admin("adam"), "olga", "writers"),
        Denial::NotPermitted,
    );
    refused(
        &join(&mut world, admin("adam"), "mia", "owners"),
        Denial::NotPermitted,
    );
    for facts in &mut world.organizations {
        facts.organization.managed_by = ManagedBy::Owners;
    }
    refused(
        &join(&mut world, admin("adam"), "mia", "writers"),
        Denial::NotPermitted,
    );
    join(&mut world, admin("olga"), "mia", "owners");
    assert_eq!(source(&world, "mia", "owner"), Some(of("owners")));
}

#[test]
fn r148_the_last_owner_is_not_taken_out_and_keeps_the_role_when_the_group_goes() {
    let mut world = world();
    join(&mut world, admin("olga"), "mia", "owners");
    let operator = Actor::Operator { account: None };
    let demote = Request {
        actor: operator.clone(),
        action: Action::RemoveMembership {
            account: "olga".into(),
            organization: "acme".into(),
        },
    };
    let facts = world.facts(&provision::need(&demote));
    let decision = provision::decide(&demote, &facts, None, &fresh(7), now());
    world.apply(&decision.plan);
    refused(&leave(&mut world, operator, "mia", "owners"), Denial::LastOwner);
    let keep = GrantEdit::LeaveGroup {
        group: "owners".into(),
        keep: true,
    };
    act(&mut world, Actor::System, "mia", vec![keep]);
    assert_eq!(source(&world, "mia", "owner"), Some(Source::Manual));
    assert!(world.get("mia").memberships[0].groups.is_empty());
}

#[test]
fn what_a_group_leads_to_anew_is_settled_for_each_member() {
    let mut world = world();
    join(&mut world, admin("adam"), "mia", "writers");
    let held = &mut world.get_mut(&"mia".into()).memberships[0];
    held.groups[0].roles = vec!["admin".into()];
    held.groups[0].workspaces = Vec::new();
    act(
        &mut world,
        Actor::System,
        "mia",
        vec![GrantEdit::SettleGroups { keep: false }],
    );
    assert_eq!(source(&world, "mia", "admin"), Some(of("writers")));
    assert_eq!(source(&world, "mia", "writer"), None);
    assert_eq!(source(&world, "mia", "member"), Some(Source::Manual));
}

#[test]
fn r138_where_members_hold_one_role_a_group_gives_one_to_who_holds_none() {
    let mut world = world();
    for facts in &mut world.organizations {
        facts.organization.roles_per_member = RolesPerMember::One;
    }
    let decision = join(&mut world, admin("adam"), "mia", "writers");
    assert!(has(&decision.trace, "role_of_group_withheld"));
    assert_eq!(roles_in(&world, "mia", "acme"), ["member"]);
    leave(&mut world, admin("adam"), "mia", "writers");
    world.get_mut(&"mia".into()).memberships[0].roles.clear();
    join(&mut world, admin("adam"), "mia", "writers");
    assert_eq!(roles_in(&world, "mia", "acme"), ["writer"]);
}

#[test]
fn r141_rules_at_sign_ins_leave_alone_what_a_group_gives_and_groups_take_over_what_rules_take() {
    use crate::connection::RoleSync;
    for mode in [RoleSync::UntilEdited, RoleSync::EveryLogin] {
        let mut held = member("acme", rule(), &["member", "writer"]);
        held.groups = vec![
            group("writers", &["writer"], &[]).held(),
            group("admins", &["admin"], &[]).held(),
        ];
        held.roles.push(Grant {
            id: "admin".into(),
            source: Source::Group {
                group: "admins".into(),
            },
            pinned: false,
        });
        let mut world = World::new(
            &["acme"],
            vec![known(account("ann", sso("okta")), &["ann-1"], vec![held])],
        );
        for facts in &mut world.organizations {
            facts.roles.push(role("writer", "Writer"));
        }
        let mut connection = connection();
        connection.settings.role_sync = mode;
        let in_force = InForce::compile(connection).unwrap();
        let decision = world.sign_in(&ann(&["acme"]), &in_force, 1);
        assert!(
            matches!(decision.verdict, Verdict::Admitted(_)),
            "{:?}",
            decision.trace
        );
        assert_eq!(source(&world, "ann", "admin"), Some(of("admins")), "{mode:?}");
        assert_eq!(
            source(&world, "ann", "writer"),
            Some(of("writers")),
            "{mode:?}: taken over"
        );
        let again = world.sign_in(&ann(&["acme"]), &in_force, 2);
        assert!(
            again.plan.changes.is_empty(),
            "{mode:?}: {:?}",
            again.plan.changes
        );
    }
}

#[test]
fn suspended_people_stay_in_their_groups() {
    let mut world = world();
    join(&mut world, admin("adam"), "mia", "writers");
    act(
        &mut world,
        admin("adam"),
        "mia",
        vec![GrantEdit::Active { active: false }],
    );
    world.get_mut(&"mia".into()).account.status = Status::Suspended;
    assert_eq!(source(&world, "mia", "writer"), Some(of("writers")));
    assert_eq!(world.get("mia").memberships[0].groups.len(), 1);
}

#[test]
fn r87_who_keeps_groups_and_what_they_may_lead_to() {
    let world = world();
    let own = group("g", &["writer"], &["lab"]);
    let verdict = |actor: &Actor, before: Option<&LocalGroup>, after: Option<&LocalGroup>| {
        let organization = "acme".into();
        let facts = world.facts(&need(actor, &organization));
        let change = GroupChange { before, after };
        decide(actor, &organization, change, &facts, &fresh(9), now()).verdict
    };
    let key = Actor::Key {
        key: "key-1".to_owned(),
        organization: Some("acme".into()),
    };
    for actor in [
        admin("olga"),
        admin("adam"),
        key.clone(),
        Actor::Operator { account: None },
    ] {
        assert_eq!(verdict(&actor, None, Some(&own)), Verdict::Accepted, "{actor:?}");
        assert_eq!(verdict(&actor, Some(&own), None), Verdict::Accepted, "{actor:?}");
    }
    let owners = group("g", &["owner"], &[]);
    let renamed = LocalGroup {
        name: "Chiefs".to_owned(),
        ..owners.clone()
    };
    let refused = |denial| Verdict::Refused(denial);
    for actor in [admin("adam"), key] {
        assert_eq!(
            verdict(&actor, None, Some(&owners)),
            refused(Denial::NotPermitted)
        );
        assert_eq!(
            verdict(&actor, Some(&owners), Some(&own)),
            refused(Denial::NotPermitted)
        );
        assert_eq!(
            verdict(&actor, Some(&owners), None),
            refused(Denial::NotPermitted)
        );
        assert_eq!(
            verdict(&actor, Some(&owners), Some(&renamed)),
            Verdict::Accepted,
            "harmless"
        );
    }
    assert_eq!(
        verdict(&admin("olga"), Some(&own), Some(&owners)),
        Verdict::Accepted
    );
    assert_eq!(
        verdict(&admin("mia"), None, Some(&own)),
        refused(Denial::NotPermitted)
    );
    let unknown = group("g", &["nothing"], &[]);
    assert_eq!(
        verdict(&admin("adam"), None, Some(&unknown)),
        refused(Denial::NotFound)
    );
    let nowhere = group("g", &[], &["nowhere"]);
    assert_eq!(
        verdict(&admin("adam"), None, Some(&nowhere)),
        refused(Denial::NotFound)
    );
    let nameless = LocalGroup {
        name: " ".to_owned(),
        ..own.clone()
    };
    assert_eq!(
        verdict(&admin("adam"), None, Some(&nameless)),
        refused(Denial::NameMissing)
    );
    let foreign = LocalGroup {
        organization: "other".into(),
        ..own
    };
    assert_eq!(
        verdict(&admin("adam"), Some(&foreign), None),
        refused(Denial::NotFound)
    );
}
