//! What domains and the organization itself say about whom an admin adds.

use super::*;
use crate::domain::DomainSettings;
use crate::login::rules::OwnedDomain;

#[test]
fn c26_where_only_owners_manage_an_admin_changes_nobody() {
    let mut world = owner_and_admin();
    world.organizations[0].organization.managed_by = crate::directory::ManagedBy::Owners;
    let add = Action::CreateAccount(Box::new(new_account("acme", &["member"])));
    let decision = run(&mut world, admin("adam"), add.clone());
    assert_eq!(refusal(&decision), Some(Denial::NotPermitted));
    assert!(
        decision
            .trace
            .steps
            .iter()
            .any(|step| step.text.contains("only owners manage acme"))
    );
    assert_eq!(refusal(&run(&mut world, admin("olga"), add)), None);
}

#[test]
fn r112_only_the_owner_of_a_domain_that_prevents_it_makes_accounts_with_its_addresses() {
    let mut world = owner_and_admin();
    let attempt = |world: &mut World, actor: Actor, owner: &str| {
        let request = Request {
            actor,
            action: Action::CreateAccount(Box::new(NewAccount {
                authentication: Authentication::Standard,
                ..new_account("acme", &["member"])
            })),
        };
        let needed = need(&request);
        assert_eq!(needed.sign_in.domains, ["acme.example"]);
        let mut facts = world.facts(&needed);
        facts.sign_in.domains.insert(
            "acme.example".to_owned(),
            OwnedDomain {
                organization: owner.into(),
                settings: DomainSettings {
                    prevent_outside_sign_ups: true,
                    ..DomainSettings::default()
                },
            },
        );
        refusal(&decide(&request, &facts, None, &fresh(9), now()))
    };
    assert_eq!(
        attempt(&mut world, admin("olga"), "other"),
        Some(Denial::DomainReserved)
    );
    assert_eq!(attempt(&mut world, admin("olga"), "acme"), None);
    assert_eq!(attempt(&mut world, OPERATOR, "other"), None);
    assert_eq!(attempt(&mut world, Actor::File, "other"), None);
}

#[test]
fn r112_whom_the_owner_of_an_auto_activating_domain_adds_is_active_at_once() {
    let world = owner_and_admin();
    let status = |change: fn(&mut NewAccount), owner: &str| {
        let mut new = new_account("acme", &["member"]);
        change(&mut new);
        let request = Request {
            actor: admin("olga"),
            action: create(new),
        };
        let mut facts = world.facts(&need(&request));
        let organization = owner.into();
        let settings = DomainSettings {
            auto_activate: true,
            ..DomainSettings::default()
        };
        let owned = OwnedDomain {
            organization,
            settings,
        };
        facts.sign_in.domains.insert("acme.example".to_owned(), owned);
        let decision = decide(&request, &facts, Some(&with(|_| {})), &fresh(9), now());
        match decision.plan.changes.first() {
            Some(Change::CreateAccount { account, .. }) => {
                let said = has(&decision.trace, "auto_activated");
                assert_eq!(said, account.status == Status::Active && owner == "acme");
                account.status
            }
            other => panic!("{other:?}: {:?}", decision.verdict),
        }
    };
    assert_eq!(status(|_| {}, "acme"), Status::Active);
    assert_eq!(
        status(|_| {}, "other"),
        Status::Invited,
        "a domain of somebody else"
    );
    let standard: fn(&mut NewAccount) = |new| new.authentication = Authentication::Standard;
    assert_eq!(
        status(standard, "acme"),
        Status::Invited,
        "a password is still to be chosen"
    );
}
