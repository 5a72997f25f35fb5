//! Who invites and converts whom, and who is passed over (C-24).

use super::*;
use crate::facts::AccountFacts;
use crate::login::hold_to;

fn standard(id: &str, change: impl FnOnce(&mut Account)) -> AccountFacts {
    let mut account = account(id, Authentication::Standard);
    account.email = Some(email(&format!("{id}@acme.example")));
    change(&mut account);
    known(account, &[], vec![member("acme", Source::Manual, &["auditor"])])
}

fn world(person: AccountFacts) -> World {
    let mut world = owner_and_admin();
    world.accounts.push(person);
    world
}

fn convert(world: &World, account: &str, mode: ConversionMode) -> Action {
    Action::Convert {
        account: account.into(),
        email: world.get(account).account.email.clone(),
        organization: "acme".into(),
        connection: "okta".into(),
        mode,
    }
}

#[test]
fn r97_r170_an_additional_account_has_the_same_access_and_the_original_stays() {
    let mut world = world(standard("pat", |_| {}));
    let before = world.get("pat").clone();
    let action = convert(&world, "pat", ConversionMode::Additional);
    let decision = run(&mut world, admin("adam"), action.clone());
    assert_eq!(decision.verdict, Verdict::Admitted("new-9".into()));
    assert_eq!(*world.get("pat"), before);
    let made = world.get("new-9");
    assert_eq!(made.account.authentication, sso("okta"));
    assert_eq!(made.account.status, Status::Invited);
    assert_eq!(made.account.email, before.account.email);
    assert_eq!(made.memberships[0].roles[0].id, "auditor".into());
    let again = run(&mut world, admin("adam"), action);
    assert_eq!(refusal(&again), Some(Denial::AlreadySso), "nobody is moved twice");
}

#[test]
fn r171_r172_in_place_keeps_the_account_and_can_be_taken_back() {
    let mut world = world(standard("pat", |_| {}));
    let action = convert(&world, "pat", ConversionMode::InPlace);
    let decision = run(&mut world, admin("olga"), action);
    assert_eq!(decision.verdict, Verdict::Admitted("pat".into()));
    assert_eq!(world.get("pat").account.authentication, sso("okta"));
    let ends = |decision: &Decision| {
        let mut changes = decision.plan.changes.iter();
        changes.any(|change| matches!(change, Change::RevokeSessions { .. }))
    };
    assert!(ends(&decision), "sessions that the password made end");
    let action = Action::Unconvert {
        account: "pat".into(),
        email: world.get("pat").account.email.clone(),
    };
    let decision = run_twice(&mut world, &admin("olga"), &action);
    assert!(ends(&decision));
    assert_eq!(world.get("pat").account.authentication, Authentication::Standard);
    assert!(world.get("pat").links.is_empty());
}

#[test]
fn c24_who_is_passed_over_and_why() {
    type Case = (&'static str, fn(&mut Account), Denial);
    let cases: [Case; 6] = [
        (
            "emergency",
            |account| account.emergency_admin = true,
            Denial::Protected,
        ),
        ("operator", |account| account.operator = true, Denial::Protected),
        (
            "far",
            |account| account.email = Some(email("far@elsewhere.example")),
            Denial::DomainNotVerified,
        ),
        ("nameless", |account| account.email = None, Denial::EmailMissing),
        (
            "gone",
            |account| account.status = Status::Deactivated,
            Denial::Deactivated,
        ),
        (
            "sso",
            |account| account.authentication = sso("okta"),
            Denial::AlreadySso,
        ),
    ];
    for (id, change, denial) in cases {
        for mode in [ConversionMode::Additional, ConversionMode::InPlace] {
            let mut world = world(standard(id, change));
            let action = convert(&world, id, mode);
            let decision = run(&mut world, OPERATOR, action);
            assert_eq!(refusal(&decision), Some(denial), "{id}");
        }
    }
    let mut world = owner_and_admin();
    let action = convert(&world, "olga", ConversionMode::Additional);
    let decision = run(&mut world, admin("olga"), action.clone());
    assert_eq!(refusal(&decision), Some(Denial::Oneself));
    let decision = run(&mut world, admin("adam"), action);
    assert_eq!(
        refusal(&decision),
        Some(Denial::NotPermitted),
        "an admin moves no owner"
    );
}

#[test]
fn r87_only_owners_and_admins_of_the_organization_invite_and_convert() {
    let mut world = world(standard("pat", |account| account.status = Status::Invited));
    let invite = Action::Invite {
        account: "pat".into(),
        organization: "acme".into(),
    };
    let convert = convert(&world, "pat", ConversionMode::Additional);
    for action in [&invite, &convert] {
        let by = |world: &mut World, actor| refusal(&run(world, actor, action.clone()));
        assert_eq!(
            by(&mut world, admin("ann")),
            Some(Denial::NotPermitted),
            "a member"
        );
        assert_eq!(by(&mut world, Actor::Person), Some(Denial::NotPermitted));
        let directory = Actor::Scim {
            connection: "okta".into(),
        };
        assert_eq!(by(&mut world, directory), Some(Denial::NotFound));
        let elsewhere = Actor::Key {
            key: "k".to_owned(),
            organization: Some("other".into()),
        };
        assert_eq!(by(&mut world, elsewhere), Some(Denial::NotFound));
    }
    let decision = run(&mut world, admin("adam"), invite.clone());
    assert_eq!(refusal(&decision), None);
    assert!(
        decision.plan.changes.is_empty(),
        "inviting by itself changes nothing"
    );
    let active = Action::SetStatus {
        account: "pat".into(),
        to: Status::Active,
    };
    run(&mut world, admin("adam"), active);
    let decision = run(&mut world, admin("adam"), invite);
    assert_eq!(
        refusal(&decision),
        Some(Denial::IllegalTransition),
        "who is in is not invited"
    );
}

#[test]
fn r174_only_the_invited_person_comes_in_with_the_invitation() {
    let mut world = owner_and_admin();
    let connection = with(|_| {});
    let somebody = world.sign_in(&ann(&["acme"]), &connection, 1);
    let Verdict::Admitted(who) = somebody.verdict.clone() else {
        panic!("{:?}", somebody.verdict)
    };
    assert_eq!(hold_to(somebody.clone(), &who), somebody);
    let held = hold_to(somebody, &"pat".into());
    assert_eq!(held.verdict, Verdict::Refused(Denial::NotInvitedPerson));
    assert!(held.plan.changes.is_empty() && held.plan.session.is_none());
    assert_eq!(held.trace.account, None);
}
