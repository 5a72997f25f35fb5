use super::*;
use crate::directory::{Account, Origin, Source, Status};
use crate::fixtures::*;
use crate::plan::ProfilePatch;

mod conversion;
mod domains;
mod emergency;
mod keys;
mod leaving;
mod overriding;
mod sources;

fn owner_and_admin() -> World {
    let mut olga = account("olga", Authentication::Standard);
    olga.email = Some(email("olga@acme.example"));
    let mut adam = account("adam", Authentication::Standard);
    adam.email = Some(email("adam@acme.example"));
    World::new(
        &["acme", "other"],
        vec![
            known(olga, &[], vec![member("acme", Source::Manual, &["owner"])]),
            known(adam, &[], vec![member("acme", Source::Manual, &["admin"])]),
            known(
                account("ann", sso("okta")),
                &["ann-1"],
                vec![member("acme", rule(), &["member"])],
            ),
        ],
    )
}

fn admin(account: &str) -> Actor {
    Actor::Admin {
        account: account.into(),
        organization: "acme".into(),
    }
}

const OPERATOR: Actor = Actor::Operator { account: None };

fn run(world: &mut World, actor: Actor, action: Action) -> Decision {
    let request = Request { actor, action };
    let facts = world.facts(&need(&request));
    let decision = decide(&request, &facts, Some(&with(|_| {})), &fresh(9), now());
    world.apply(&decision.plan);
    decision
}

/// Runs twice and checks that the second time changes nothing.
fn run_twice(world: &mut World, actor: &Actor, action: &Action) -> Decision {
    let first = run(world, actor.clone(), action.clone());
    let second = run(world, actor.clone(), action.clone());
    assert_eq!(second.verdict, first.verdict);
    assert!(second.plan.changes.is_empty(), "{:?}", second.plan.changes);
    first
}

fn refusal(decision: &Decision) -> Option<Denial> {
    match &decision.verdict {
        Verdict::Refused(denial) => {
            assert_eq!(decision.plan, Plan::default());
            Some(*denial)
        }
        Verdict::Admitted(_) | Verdict::Accepted => None,
    }
}

fn new_account(organization: &str, roles: &[&str]) -> NewAccount {
    NewAccount {
        kind: crate::directory::AccountKind::User,
        authentication: sso("okta"),
        active: false,
        email: Some(email("new@acme.example")),
        user_name: None,
        external_id: None,
        given_name: Some("New".to_owned()),
        family_name: None,
        display_name: None,
        emergency_admin: false,
        attributes: serde_json::Map::new(),
        memberships: vec![DesiredMembership {
            organization: organization.into(),
            roles: roles.iter().map(|role| (*role).into()).collect(),
            workspaces: WorkspacesWanted::Default,
            license: None,
        }],
    }
}

fn create(new: NewAccount) -> Action {
    Action::CreateAccount(Box::new(new))
}

#[test]
fn r44_an_admin_makes_an_sso_account_with_its_role_and_connection() {
    let mut world = owner_and_admin();
    let decision = run(
        &mut world,
        admin("adam"),
        create(new_account("acme", &["auditor"])),
    );
    insta::assert_json_snapshot!("account_by_hand", decision);
    assert_eq!(world.get("new-9").account.status, Status::Invited);
    assert_eq!(roles_in(&world, "new-9", "acme"), ["auditor"]);
    let again = run(
        &mut world,
        admin("adam"),
        create(new_account("acme", &["auditor"])),
    );
    assert_eq!(
        refusal(&again),
        Some(Denial::Conflict),
        "R-104: nobody is added twice"
    );
}

#[test]
fn r88_an_sso_account_has_an_address_in_a_domain_of_its_connection() {
    for (address, denial) in [
        (Some("new@elsewhere.example"), Some(Denial::DomainNotVerified)),
        (None, Some(Denial::EmailMissing)),
        (Some("new@ACME.example"), None),
    ] {
        let mut new = new_account("acme", &[]);
        new.email = address.map(email);
        let decision = run(&mut owner_and_admin(), admin("adam"), create(new));
        assert_eq!(refusal(&decision), denial, "{address:?}");
    }
}

#[test]
fn r98_one_address_may_hold_a_standard_and_an_sso_account_but_no_two_of_a_kind() {
    let mut new = new_account("acme", &[]);
    new.email = Some(email("adam@acme.example"));
    let mut world = owner_and_admin();
    assert_eq!(
        refusal(&run(&mut world, admin("olga"), create(new.clone()))),
        None
    );
    new.authentication = Authentication::Standard;
    assert_eq!(
        refusal(&run(&mut world, admin("olga"), create(new))),
        Some(Denial::Conflict)
    );
}

#[test]
fn r87_only_active_owners_and_admins_of_that_organization_may_act() {
    let grant = |organization: &str| Action::EditMembership {
        account: "ann".into(),
        organization: organization.into(),
        edits: vec![GrantEdit::GrantRole {
            role: "auditor".into(),
        }],
    };
    let mut suspended = owner_and_admin();
    suspended.accounts[1].account.status = Status::Suspended;
    let mut inactive = owner_and_admin();
    inactive.accounts[1].memberships[0].active = false;
    let cases = [
        (owner_and_admin(), admin("adam"), grant("acme"), None),
        (owner_and_admin(), admin("olga"), grant("acme"), None),
        (owner_and_admin(), OPERATOR, grant("acme"), None),
        (owner_and_admin(), Actor::File, grant("acme"), None),
        (
            owner_and_admin(),
            Actor::Person,
            grant("acme"),
            Some(Denial::NotPermitted),
        ),
        (
            owner_and_admin(),
            admin("ann"),
            grant("acme"),
            Some(Denial::NotPermitted),
        ),
        (
            owner_and_admin(),
            admin("nobody"),
            grant("acme"),
            Some(Denial::NotPermitted),
        ),
        (
            owner_and_admin(),
            admin("adam"),
            grant("other"),
            Some(Denial::NotFound),
        ),
        (
            suspended,
            admin("adam"),
            grant("acme"),
            Some(Denial::NotPermitted),
        ),
        (inactive, admin("adam"), grant("acme"), Some(Denial::NotPermitted)),
    ];
    for (mut world, actor, action, expected) in cases {
        assert_eq!(
            refusal(&run(&mut world, actor.clone(), action)),
            expected,
            "{actor:?}"
        );
    }
}

#[test]
fn an_admin_sees_nobody_of_other_organizations_and_changes_no_shared_account() {
    let mut world = owner_and_admin();
    let mut bob = account("bob", Authentication::Standard);
    bob.email = Some(email("bob@acme.example"));
    world.accounts.push(known(
        bob,
        &[],
        vec![member("other", Source::Manual, &["member"])],
    ));
    let suspend = |id: &str| Action::SetStatus {
        account: id.into(),
        to: Status::Suspended,
    };
    assert_eq!(
        refusal(&run(&mut world, admin("olga"), suspend("bob"))),
        Some(Denial::NotFound)
    );
    world.accounts[2]
        .memberships
        .push(member("other", Source::Manual, &["member"]));
    assert_eq!(
        refusal(&run(&mut world, admin("olga"), suspend("ann"))),
        Some(Denial::NotPermitted)
    );
    assert_eq!(refusal(&run(&mut world, OPERATOR, suspend("ann"))), None);
}

#[test]
fn only_owners_touch_owners_owner_roles_and_emergency_marks() {
    let make_owner = Action::EditMembership {
        account: "ann".into(),
        organization: "acme".into(),
        edits: vec![GrantEdit::GrantRole { role: "owner".into() }],
    };
    let suspend_owner = Action::SetStatus {
        account: "olga".into(),
        to: Status::Suspended,
    };
    let mark = Action::UpdateProfile {
        account: "ann".into(),
        set: Box::new(ProfilePatch {
            emergency_admin: Some(true),
            ..ProfilePatch::default()
        }),
    };
    for action in [
        make_owner.clone(),
        suspend_owner,
        mark.clone(),
        create(new_account("acme", &["owner"])),
    ] {
        let refused = refusal(&run(&mut owner_and_admin(), admin("adam"), action.clone()));
        assert_eq!(refused, Some(Denial::NotPermitted), "{action:?}");
    }
    for action in [make_owner, mark] {
        assert_eq!(refusal(&run(&mut owner_and_admin(), admin("olga"), action)), None);
    }
}

#[test]
fn r148_the_last_owner_is_never_lost_whoever_asks() {
    let actions = [
        Action::SetStatus {
            account: "olga".into(),
            to: Status::Suspended,
        },
        Action::SetStatus {
            account: "olga".into(),
            to: Status::Deactivated,
        },
        Action::Delete {
            account: "olga".into(),
            allow_return: true,
        },
        Action::RemoveMembership {
            account: "olga".into(),
            organization: "acme".into(),
        },
        Action::EditMembership {
            account: "olga".into(),
            organization: "acme".into(),
            edits: vec![GrantEdit::RevokeRole { role: "owner".into() }],
        },
        Action::EditMembership {
            account: "olga".into(),
            organization: "acme".into(),
            edits: vec![GrantEdit::Active { active: false }],
        },
    ];
    for action in actions {
        for actor in [admin("olga"), OPERATOR, Actor::File] {
            let mut world = owner_and_admin();
            assert_eq!(
                refusal(&run(&mut world, actor.clone(), action.clone())),
                Some(Denial::LastOwner),
                "{action:?}"
            );
            let promote = Action::EditMembership {
                account: "adam".into(),
                organization: "acme".into(),
                edits: vec![GrantEdit::GrantRole { role: "owner".into() }],
            };
            run(&mut world, OPERATOR, promote);
            assert_eq!(
                refusal(&run(&mut world, actor, action.clone())),
                None,
                "with a second owner: {action:?}"
            );
        }
    }
}

#[test]
fn r167_leaving_the_active_state_ends_every_session_and_doing_it_twice_changes_nothing() {
    for (to, reason) in [
        (Status::Suspended, "suspended"),
        (Status::Deactivated, "deactivated"),
        (Status::Deleted, "deleted"),
    ] {
        let action = Action::SetStatus {
            account: "ann".into(),
            to,
        };
        let decision = run_twice(&mut owner_and_admin(), &admin("adam"), &action);
        let [
            Change::SetStatus {
                origin: Origin::Admin,
                ..
            },
            Change::RevokeSessions { reason: said, .. },
        ] = decision.plan.changes.as_slice()
        else {
            panic!("{:?}", decision.plan.changes)
        };
        assert_eq!(said, reason);
    }
}

#[test]
fn r11_c29_a_deleted_person_stays_out_or_may_come_back_as_somebody_new() {
    for (allow_return, admitted) in [(false, None), (true, Some("new-1"))] {
        let mut world = owner_and_admin();
        run_twice(
            &mut world,
            &admin("adam"),
            &Action::Delete {
                account: "ann".into(),
                allow_return,
            },
        );
        let decision = world.sign_in(&ann(&[]), &with(|_| {}), 1);
        match admitted {
            Some(id) => assert_eq!(decision.verdict, Verdict::Admitted(id.into())),
            None => assert_eq!(decision.verdict, Verdict::Refused(Denial::Deleted)),
        }
    }
}

#[test]
fn r132_deactivation_keeps_the_link_so_that_reactivation_restores_the_same_account() {
    let mut world = owner_and_admin();
    let set = |to| Action::SetStatus {
        account: "ann".into(),
        to,
    };
    run(&mut world, admin("adam"), set(Status::Deactivated));
    assert_eq!(world.get("ann").links.len(), 1);
    assert_eq!(
        world.sign_in(&ann(&[]), &with(|_| {}), 1).verdict,
        Verdict::Refused(Denial::Deactivated)
    );
    run(&mut world, admin("adam"), set(Status::Active));
    assert_eq!(
        world.sign_in(&ann(&[]), &with(|_| {}), 2).verdict,
        Verdict::Admitted("ann".into())
    );
}

#[test]
fn r123_a_reset_identity_is_forgotten_and_matched_anew() {
    let mut world = owner_and_admin();
    let decision = run_twice(
        &mut world,
        &admin("adam"),
        &Action::ResetSubject {
            account: "ann".into(),
        },
    );
    assert_eq!(decision.plan.changes.len(), 2);
    let mut incoming = ann(&[]);
    incoming.subject = subject("ann-2");
    assert_eq!(
        world.sign_in(&incoming, &with(|_| {}), 1).verdict,
        Verdict::Admitted("ann".into())
    );
    assert_eq!(world.get("ann").links, [link("ann-2")]);
}

#[test]
fn c07_an_edit_by_hand_pins_until_somebody_returns_it_to_automatic() {
    let mut world = owner_and_admin();
    let rules = with_policy(|policy| policy.role = Some(crate::policy::RoleRule::Fixed("Member".to_owned())));
    let edit = |edits: Vec<GrantEdit>| Action::EditMembership {
        account: "ann".into(),
        organization: "acme".into(),
        edits,
    };
    let by_hand = edit(vec![
        GrantEdit::GrantRole {
            role: "auditor".into(),
        },
        GrantEdit::RevokeRole {
            role: "member".into(),
        },
        GrantEdit::GrantWorkspace {
            workspace: "lab".into(),
        },
        GrantEdit::License {
            license: Some("standard".into()),
        },
    ]);
    run_twice(&mut world, &admin("adam"), &by_hand);
    let decision = world.sign_in(&ann(&[]), &rules, 1);
    assert!(has(&decision.trace, "drift"));
    assert_eq!(roles_in(&world, "ann", "acme"), ["auditor"]);
    run_twice(
        &mut world,
        &admin("adam"),
        &edit(vec![GrantEdit::ReturnToAutomatic]),
    );
    world.sign_in(&ann(&[]), &rules, 2);
    assert_eq!(roles_in(&world, "ann", "acme"), ["member"]);
    assert_eq!(world.get("ann").memberships[0].license, None);
}

#[test]
fn c23_a_person_who_grants_is_told_that_no_seat_is_free_and_a_directory_queues() {
    let mut world = owner_and_admin();
    world.organizations[0].licenses[0].used = 2;
    let action = Action::EditMembership {
        account: "ann".into(),
        organization: "acme".into(),
        edits: vec![GrantEdit::License {
            license: Some("standard".into()),
        }],
    };
    assert_eq!(
        refusal(&run(&mut world, admin("adam"), action.clone())),
        Some(Denial::NoSeat)
    );
    run_twice(
        &mut world,
        &Actor::Scim {
            connection: "okta".into(),
        },
        &action,
    );
    assert!(!world.get("ann").memberships[0].license.as_ref().unwrap().seated);
}

#[test]
fn what_does_not_exist_is_not_found() {
    let edits = |edit| Action::EditMembership {
        account: "ann".into(),
        organization: "acme".into(),
        edits: vec![edit],
    };
    for action in [
        Action::SetStatus {
            account: "nobody".into(),
            to: Status::Suspended,
        },
        edits(GrantEdit::GrantRole { role: "nope".into() }),
        edits(GrantEdit::GrantWorkspace {
            workspace: "nope".into(),
        }),
        edits(GrantEdit::License {
            license: Some("nope".into()),
        }),
        Action::EditMembership {
            account: "ann".into(),
            organization: "nope".into(),
            edits: vec![],
        },
    ] {
        assert_eq!(
            refusal(&run(&mut owner_and_admin(), OPERATOR, action.clone())),
            Some(Denial::NotFound),
            "{action:?}"
        );
    }
}

#[test]
fn a_profile_change_names_only_what_differs_with_its_former_value() {
    let set = ProfilePatch {
        given_name: Some(Some("Ann".to_owned())),
        family_name: Some(None),
        ..ProfilePatch::default()
    };
    let action = Action::UpdateProfile {
        account: "ann".into(),
        set: Box::new(set),
    };
    let decision = run_twice(&mut owner_and_admin(), &admin("adam"), &action);
    let [Change::UpdateProfile { set, before, .. }] = decision.plan.changes.as_slice() else {
        panic!()
    };
    assert_eq!(
        *set,
        ProfilePatch {
            family_name: Some(None),
            edited: Some([crate::directory::ProfileField::Names].into()),
            ..ProfilePatch::default()
        }
    );
    assert_eq!(
        *before,
        ProfilePatch {
            family_name: Some(Some("Lee".to_owned())),
            edited: Some([].into()),
            ..ProfilePatch::default()
        }
    );
}

#[test]
fn requests_survive_json() {
    let mut marked: Account = account("x", Authentication::Standard);
    marked.operator = true;
    let request = Request {
        actor: admin("adam"),
        action: create(new_account("acme", &["member"])),
    };
    let text = serde_json::to_string(&request).unwrap();
    assert_eq!(serde_json::from_str::<Request>(&text).unwrap(), request);
    let text = serde_json::to_string(&marked).unwrap();
    assert_eq!(serde_json::from_str::<Account>(&text).unwrap(), marked);
}
