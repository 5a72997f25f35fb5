//! The last emergency admin of an organization that demands single sign-on stays, whoever asks and in whichever way.

use super::*;

/// An owner and two emergency admins of `acme`, which demands single sign-on.
fn guarded() -> World {
    let mut world = owner_and_admin();
    for id in ["eva", "emil"] {
        let mut person = account(id, Authentication::Standard);
        person.email = Some(email(&format!("{id}@acme.example")));
        person.emergency_admin = true;
        world.accounts.push(known(
            person,
            &[],
            vec![member("acme", Source::Manual, &["admin", "member"])],
        ));
    }
    world
}

/// As [`run`], with what the store knows of emergency admins.
fn run_with(world: &mut World, actor: Actor, action: Action, holders: &[&str]) -> Decision {
    let request = Request { actor, action };
    let needed = need(&request);
    let mut facts = world.facts(&needed);
    if needed.sign_in.emergency {
        let holders = holders.iter().map(|id| (*id).into()).collect();
        facts.sign_in.emergency.insert("acme".into(), holders);
    }
    let decision = decide(&request, &facts, Some(&with(|_| {})), &fresh(9), now());
    world.apply(&decision.plan);
    decision
}

fn losing(account: &str) -> Vec<Action> {
    let edit = |edits| Action::EditMembership {
        account: account.into(),
        organization: "acme".into(),
        edits,
    };
    vec![
        Action::SetStatus {
            account: account.into(),
            to: Status::Suspended,
        },
        Action::SetStatus {
            account: account.into(),
            to: Status::Deactivated,
        },
        Action::Delete {
            account: account.into(),
            allow_return: true,
        },
        Action::RemoveMembership {
            account: account.into(),
            organization: "acme".into(),
        },
        edit(vec![GrantEdit::RevokeRole { role: "admin".into() }]),
        edit(vec![GrantEdit::Active { active: false }]),
        Action::UpdateProfile {
            account: account.into(),
            set: Box::new(ProfilePatch {
                emergency_admin: Some(false),
                ..ProfilePatch::default()
            }),
        },
    ]
}

#[test]
fn r184_the_last_emergency_admin_is_not_lost_while_single_sign_on_is_demanded() {
    for action in losing("eva") {
        for actor in [admin("olga"), OPERATOR, Actor::File] {
            let decision = run_with(&mut guarded(), actor.clone(), action.clone(), &["eva"]);
            assert_eq!(
                refusal(&decision),
                Some(Denial::LastEmergencyAdmin),
                "{actor:?} {action:?}"
            );
            // With another one, or where nothing is demanded, it is an ordinary change.
            for holders in [&["emil", "eva"][..], &[]] {
                let decision = run_with(&mut guarded(), actor.clone(), action.clone(), holders);
                assert_eq!(refusal(&decision), None, "{actor:?} {action:?} {holders:?}");
                assert!(!decision.plan.changes.is_empty(), "{action:?}");
            }
        }
    }
}

#[test]
fn r184_changes_that_leave_the_emergency_admin_in_place_go_through() {
    let edit = |edits| Action::EditMembership {
        account: "eva".into(),
        organization: "acme".into(),
        edits,
    };
    for action in [
        edit(vec![GrantEdit::RevokeRole {
            role: "member".into(),
        }]),
        // From one role that manages people to another one, in one step.
        edit(vec![
            GrantEdit::GrantRole { role: "owner".into() },
            GrantEdit::RevokeRole { role: "admin".into() },
        ]),
        Action::UpdateProfile {
            account: "eva".into(),
            set: Box::new(ProfilePatch {
                display_name: Some(Some("Eva".to_owned())),
                ..ProfilePatch::default()
            }),
        },
    ] {
        let decision = run_with(&mut guarded(), OPERATOR, action.clone(), &["eva"]);
        assert_eq!(refusal(&decision), None, "{action:?}");
        assert!(!decision.plan.changes.is_empty(), "{action:?}");
    }
    // Somebody else's departure is none of hers.
    let decision = run_with(
        &mut guarded(),
        OPERATOR,
        Action::SetStatus {
            account: "emil".into(),
            to: Status::Suspended,
        },
        &["eva"],
    );
    assert_eq!(refusal(&decision), None);
}

#[test]
fn r184_c26_where_only_owners_manage_an_admin_role_is_no_way_in_for_emergencies() {
    let owned = || {
        let mut world = guarded_owner();
        world.organizations[0].organization.managed_by = crate::directory::ManagedBy::Owners;
        world
    };
    let edit = |edits| Action::EditMembership {
        account: "eva".into(),
        organization: "acme".into(),
        edits,
    };
    // The role of an admin that stays with her opens nothing.
    let demoted = edit(vec![GrantEdit::RevokeRole { role: "owner".into() }]);
    let decision = run_with(&mut owned(), OPERATOR, demoted.clone(), &["eva"]);
    assert_eq!(refusal(&decision), Some(Denial::LastEmergencyAdmin));
    let decision = run_with(&mut guarded_owner(), OPERATOR, demoted, &["eva"]);
    assert_eq!(refusal(&decision), None, "where admins manage, too");
    let plain = edit(vec![GrantEdit::RevokeRole { role: "admin".into() }]);
    let decision = run_with(&mut owned(), OPERATOR, plain, &["eva"]);
    assert_eq!(refusal(&decision), None, "she is an owner still");
}

/// As [`guarded`], with an emergency admin who is an owner as well.
fn guarded_owner() -> World {
    let mut world = guarded();
    for known in &mut world.accounts {
        if known.account.id == "eva".into() {
            known.memberships = vec![member("acme", Source::Manual, &["owner", "admin"])];
        }
    }
    world
}

#[test]
fn r184_what_an_earlier_file_gave_is_not_taken_back_from_the_last_emergency_admin() {
    let wish = Action::SetMemberships {
        account: "eva".into(),
        memberships: Vec::new(),
    };
    let given_by_file = || {
        let mut world = guarded();
        for known in &mut world.accounts {
            if known.account.id == "eva".into() {
                known.memberships = vec![member("acme", Source::Import, &["admin"])];
            }
        }
        world
    };
    let decision = run_with(&mut given_by_file(), Actor::File, wish.clone(), &["eva"]);
    assert_eq!(refusal(&decision), Some(Denial::LastEmergencyAdmin));
    let decision = run_with(&mut given_by_file(), Actor::File, wish, &["emil", "eva"]);
    assert_eq!(refusal(&decision), None);
    assert!(!decision.plan.changes.is_empty());
}
