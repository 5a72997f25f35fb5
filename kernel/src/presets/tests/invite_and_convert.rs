//! Invite and convert (K): adding, converting and deleting SSO users. Invitations, mails and pages come with later issues.

use super::*;

fn k() -> InForce {
    preset(Preset::InviteAndConvert, |_| {})
}

fn original() -> AccountFacts {
    let mut membership: Membership = member("acme", Source::Manual, &["auditor"]);
    membership.roles = vec![Grant {
        id: "auditor".into(),
        source: Source::Manual,
        pinned: true,
    }];
    known(
        account("original", Authentication::Standard),
        &[],
        vec![membership],
    )
}

#[test]
fn r88_a_new_sso_users_email_must_match_a_domain_of_the_chosen_sso_configuration() {
    let mut world = World::new(&["acme"], vec![]);
    let Action::CreateAccount(mut new) = new_account(sso("okta")) else {
        unreachable!()
    };
    new.email = Some(email("ann@elsewhere.example"));
    let decision = by_hand(&mut world, Action::CreateAccount(new), &k());
    assert_eq!(decision.verdict, Verdict::Refused(Denial::DomainNotVerified));
    assert!(world.accounts.is_empty());
}

#[test]
fn r90_the_chosen_sso_configuration_is_bound_to_the_account() {
    let mut world = World::new(&["acme"], vec![]);
    by_hand(&mut world, new_account(sso("okta")), &k());
    assert_eq!(world.get("new-90").account.authentication, sso("okta"));
}

#[test]
fn r97_r98_an_additional_sso_account_stands_beside_the_original_with_the_same_address() {
    let before = original();
    let mut world = World::new(&["acme"], vec![before.clone()]);
    by_hand(&mut world, new_account(sso("okta")), &k());
    assert!(admitted(&world.sign_in(&ann(&[]), &k(), 1)));
    assert_eq!(world.accounts.len(), 2);
    assert_eq!(
        *world.get("original"),
        before,
        "the original goes on working beside it"
    );
    assert_eq!(world.get("new-90").account.email, before.account.email);
}

#[test]
fn r99_the_sso_account_can_be_deleted_without_touching_the_original() {
    let before = original();
    let mut world = World::new(&["acme"], vec![before.clone()]);
    by_hand(&mut world, new_account(sso("okta")), &k());
    let delete = Action::Delete {
        account: "new-90".into(),
        allow_return: false,
    };
    assert!(admitted(&by_hand(&mut world, delete, &k())));
    assert_eq!(world.get("new-90").account.status, Status::Deleted);
    assert_eq!(*world.get("original"), before);
}

#[test]
fn r102_deactivate_and_delete_are_two_different_actions() {
    let mut world = World::new(&["acme"], vec![]);
    by_hand(&mut world, new_account(sso("okta")), &k());
    let status = |to| Action::SetStatus {
        account: "new-90".into(),
        to,
    };
    by_hand(&mut world, status(Status::Active), &k());
    by_hand(&mut world, status(Status::Deactivated), &k());
    assert_eq!(world.get("new-90").account.status, Status::Deactivated);
    by_hand(&mut world, status(Status::Active), &k());
    assert_eq!(world.get("new-90").account.status, Status::Active);
}

#[test]
fn r103_r108_readers_can_be_sso_accounts_and_have_no_password() {
    let mut world = World::new(&["acme"], vec![]);
    let Action::CreateAccount(mut new) = new_account(sso("okta")) else {
        unreachable!()
    };
    new.kind = AccountKind::Reader;
    by_hand(&mut world, Action::CreateAccount(new), &k());
    assert_eq!(world.get("new-90").account.kind, AccountKind::Reader);
    assert_eq!(world.get("new-90").account.authentication, sso("okta"));
}

#[test]
fn r104_a_person_who_already_is_an_sso_reader_cannot_be_added_again() {
    let mut world = World::new(&["acme"], vec![]);
    by_hand(&mut world, new_account(sso("okta")), &k());
    let again = by_hand(&mut world, new_account(sso("okta")), &k());
    assert_eq!(again.verdict, Verdict::Refused(Denial::Conflict));
    assert_eq!(world.accounts.len(), 1);
}
