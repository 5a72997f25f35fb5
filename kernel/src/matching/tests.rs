use crate::connection::{
    ExistingAccount, MatchStep, NameComparison, OnAmbiguous, OnInactiveMatch, Provisioning,
};
use crate::denial::Denial;
use crate::directory::{Account, Authentication, Origin, Source, Status};
use crate::facts::{AccountFacts, Facts};
use crate::fixtures::*;
use crate::incoming::Incoming;
use crate::mapping::InForce;
use crate::plan::{Change, Decision, Verdict};

type Mark = fn(&mut Account);

fn standard() -> AccountFacts {
    known(
        account("std", Authentication::Standard),
        &[],
        vec![member("acme", Source::Manual, &["member"])],
    )
}

fn world(accounts: Vec<AccountFacts>) -> World {
    World::new(&["acme", "other"], accounts)
}

fn is_new(decision: &Decision) -> bool {
    decision
        .plan
        .changes
        .iter()
        .any(|change| matches!(change, Change::CreateAccount { .. }))
}

#[test]
fn r32_a_kept_subject_matches_first_whatever_else_is_asserted() {
    let linked = known(
        account("linked", sso("okta")),
        &["ann-1"],
        vec![member("acme", rule(), &["member"])],
    );
    let decision = world(vec![standard(), linked]).sign_in(&ann(&[]), &with(|_| {}), 1);
    assert_eq!(decision.verdict, Verdict::Admitted("linked".into()));
    assert!(has(&decision.trace, "matched_subject"));
}

#[test]
fn r35_email_and_both_names_match_an_active_standard_member() {
    let mut world = world(vec![standard()]);
    let decision = world.sign_in(&ann(&[]), &with(|_| {}), 1);
    assert_eq!(decision.verdict, Verdict::Admitted("std".into()));
    assert!(has(&decision.trace, "matched_email_given_surname"));
    assert_eq!(world.get("std").account.authentication, sso("okta"));
}

#[test]
fn r36_two_of_the_three_equal_is_not_a_match() {
    let cases: [fn(&mut crate::incoming::Normalized); 5] = [
        |claims| claims.email = Some(email("anne@acme.example")),
        |claims| claims.given_name = Some("Anna".to_owned()),
        |claims| claims.family_name = Some("Li".to_owned()),
        |claims| claims.family_name = None,
        |claims| claims.given_name = Some(String::new()),
    ];
    for change in cases {
        let mut incoming = ann(&[]);
        change(&mut incoming.normalized);
        let decision = world(vec![standard()]).sign_in(&incoming, &with(|_| {}), 1);
        assert_eq!(
            decision.verdict,
            Verdict::Admitted("new-1".into()),
            "{:?}",
            incoming.normalized
        );
        assert!(is_new(&decision));
    }
}

#[test]
fn r31_inactive_people_and_members_of_other_organizations_never_match() {
    let mut elsewhere = standard();
    elsewhere.memberships = vec![member("other", Source::Manual, &["member"])];
    let mut suspended_membership = standard();
    suspended_membership.memberships[0].active = false;
    let mut invited = standard();
    invited.account.status = Status::Invited;
    for stranger in [elsewhere, suspended_membership, invited] {
        let decision = world(vec![stranger]).sign_in(&ann(&[]), &with(|_| {}), 1);
        assert_eq!(decision.verdict, Verdict::Admitted("new-1".into()));
    }
}

#[test]
fn an_sso_account_of_another_connection_is_never_matched_by_any_rule() {
    let mut theirs = known(
        account("theirs", sso("entra")),
        &[],
        vec![member("acme", Source::Manual, &["member"])],
    );
    theirs.account.user_name = Some("ann-1".to_owned());
    theirs.account.external_id = Some("ann-1".to_owned());
    let all = [
        MatchStep::EmailGivenSurname,
        MatchStep::VerifiedEmail,
        MatchStep::ExternalId,
        MatchStep::UserName,
    ];
    let in_force = with(|connection| connection.settings.match_chain = all.to_vec());
    let decision = world(vec![theirs]).sign_in(&ann(&[]), &in_force, 1);
    assert_eq!(decision.verdict, Verdict::Admitted("new-1".into()));
}

#[test]
fn emergency_admins_and_operators_are_never_linked_by_a_rule() {
    let marks: [Mark; 2] = [
        |account| account.operator = true,
        |account| account.emergency_admin = true,
    ];
    for mark in marks {
        let mut special = standard();
        mark(&mut special.account);
        let mut world = world(vec![special]);
        let decision = world.sign_in(&ann(&[]), &with(|_| {}), 1);
        assert_eq!(decision.verdict, Verdict::Admitted("new-1".into()));
        assert_eq!(world.get("std").account.authentication, Authentication::Standard);
    }
}

#[test]
fn r129_an_unverified_address_never_matches_and_never_creates() {
    let mut incoming = ann(&[]);
    incoming.normalized.email_verified = false;
    let decision = world(vec![standard()]).sign_in(&incoming, &with(|_| {}), 1);
    assert_eq!(decision.verdict, Verdict::Refused(Denial::EmailMissing));
    assert!(decision.plan.changes.is_empty());
}

#[test]
fn c15_an_address_outside_the_verified_domains_never_matches_unless_the_setting_is_off() {
    let strict = with(|connection| connection.domains = vec!["acme.test".to_owned()]);
    let decision = world(vec![standard()]).sign_in(&ann(&[]), &strict, 1);
    assert_eq!(decision.verdict, Verdict::Refused(Denial::DomainNotVerified));
    assert!(decision.plan.changes.is_empty());
    let open = with(|connection| {
        connection.domains.clear();
        connection.settings.require_domain = false;
    });
    let decision = world(vec![standard()]).sign_in(&ann(&[]), &open, 1);
    assert_eq!(decision.verdict, Verdict::Admitted("std".into()));
}

#[test]
fn c15_off_does_not_let_a_provider_take_over_somebody_of_another_customer() {
    let open = with(|connection| {
        connection.domains.clear();
        connection.settings.require_domain = false;
    });
    let mut shared = standard();
    shared
        .memberships
        .push(member("other", Source::Manual, &["member"]));
    let mut world = world(vec![shared]);
    let decision = world.sign_in(&ann(&[]), &open, 1);
    assert_eq!(decision.verdict, Verdict::Admitted("new-1".into()));
    assert_eq!(world.get("std").account.authentication, Authentication::Standard);
    // In a verified domain the customer speaks for the address, wherever else the person works.
    let mut shared = standard();
    shared
        .memberships
        .push(member("other", Source::Manual, &["member"]));
    let decision = self::world(vec![shared]).sign_in(&ann(&[]), &with(|_| {}), 1);
    assert_eq!(decision.verdict, Verdict::Admitted("std".into()));
}

#[test]
fn c15_subdomains_are_separate() {
    let mut incoming = ann(&[]);
    incoming.normalized.email = Some(email("ann@mail.acme.example"));
    let decision = world(vec![]).sign_in(&incoming, &with(|_| {}), 1);
    assert_eq!(decision.verdict, Verdict::Refused(Denial::DomainNotVerified));
}

#[test]
fn r122_a_subject_that_differs_in_letter_case_is_a_near_miss_and_no_match() {
    let mut other = account("linked", sso("okta"));
    other.email = Some(email("ann.old@acme.example"));
    let linked = known(other, &["ANN-1"], vec![member("acme", rule(), &["member"])]);
    let decision = world(vec![linked]).sign_in(&ann(&[]), &with(|_| {}), 1);
    assert_eq!(decision.verdict, Verdict::Admitted("new-1".into()));
    assert!(has(&decision.trace, "subject_near_miss"));
}

#[test]
fn r128_several_candidates_are_never_picked_silently() {
    let in_force = with(|connection| connection.settings.match_chain = vec![MatchStep::ExternalId]);
    let decision = crate::login::decide(&ann(&[]), &twins(), &in_force, &LIMITS, &fresh(1), now());
    assert_eq!(decision.verdict, Verdict::Refused(Denial::AmbiguousMatch));
    assert!(decision.plan.changes.is_empty() && decision.plan.session.is_none());
    assert!(
        decision
            .trace
            .steps
            .iter()
            .any(|step| step.text.contains("none is picked: a, b"))
    );
}

/// Two accounts that the chain cannot tell apart.
fn twins() -> Facts {
    let mut first = known(account("b", sso("okta")), &[], vec![]);
    first.account.email = Some(email("b@acme.example"));
    first.account.external_id = Some("ann-1".to_owned());
    let mut second = first.clone();
    second.account.id = "a".into();
    second.account.email = Some(email("a@acme.example"));
    Facts {
        candidates: vec![first, second],
        organizations: world(vec![]).organizations,
        ..Facts::default()
    }
}

#[test]
fn r128_where_the_person_is_asked_only_an_account_that_fits_can_be_chosen() {
    let asking = |on_ambiguous| {
        with(move |connection| {
            connection.settings.match_chain = vec![MatchStep::ExternalId];
            connection.settings.on_ambiguous = on_ambiguous;
        })
    };
    let facts = twins();
    let decide = |incoming: &Incoming, in_force: &InForce| {
        crate::login::decide(incoming, &facts, in_force, &LIMITS, &fresh(1), now())
    };
    let ids = |in_force: &InForce| -> Vec<String> {
        let found = crate::login::choices(&ann(&[]), &facts, in_force);
        found.iter().map(|one| one.account.id.to_string()).collect()
    };
    let (fails, asks) = (asking(OnAmbiguous::Fail), asking(OnAmbiguous::Ask));
    assert_eq!(
        (ids(&fails), ids(&asks)),
        (vec![], vec!["b".to_owned(), "a".to_owned()])
    );
    let none = decide(&ann(&[]), &asks);
    assert_eq!(none.verdict, Verdict::Refused(Denial::AmbiguousMatch));
    assert!(none.plan.changes.is_empty() && none.plan.session.is_none());
    let choosing = |id: &str| Incoming {
        chosen: Some(id.into()),
        ..ann(&[])
    };
    let decision = decide(&choosing("a"), &asks);
    assert_eq!(decision.trace.account, Some("a".into()));
    assert!(has(&decision.trace, "chosen") && !has(&decision.trace, "matched_several"));
    // Neither somebody who does not fit, nor anybody where the connection does not ask.
    for (id, in_force) in [("c", &asks), ("a", &fails)] {
        let decision = decide(&choosing(id), in_force);
        assert_eq!(decision.verdict, Verdict::Refused(Denial::AmbiguousMatch), "{id}");
        assert!(!has(&decision.trace, "chosen"));
    }
}

#[test]
fn r128_whoever_chose_an_account_gets_that_one_or_none() {
    let asks = with(|connection| connection.settings.on_ambiguous = OnAmbiguous::Ask);
    let choosing = |id: &str| Incoming {
        chosen: Some(id.into()),
        ..ann(&[])
    };
    // One account fits by now, and it is another one; or nobody does, where a new account would be made.
    for accounts in [vec![standard()], vec![]] {
        let decision = world(accounts).sign_in(&choosing("gone"), &asks, 1);
        assert_eq!(decision.verdict, Verdict::Refused(Denial::AmbiguousMatch));
        assert!(has(&decision.trace, "choice_gone") && decision.plan.changes.is_empty());
    }
    let decision = world(vec![standard()]).sign_in(&choosing("std"), &asks, 1);
    assert_eq!(decision.verdict, Verdict::Admitted("std".into()));
    // A kept link is a fact, whatever was chosen.
    let linked = known(
        account("linked", sso("okta")),
        &["ann-1"],
        vec![member("acme", rule(), &["member"])],
    );
    let decision = world(vec![linked]).sign_in(&choosing("gone"), &asks, 1);
    assert_eq!(decision.verdict, Verdict::Admitted("linked".into()));
}

#[test]
fn r98_the_account_of_this_connection_goes_before_a_standard_one_with_the_same_address() {
    let bound = known(
        account("bound", sso("okta")),
        &[],
        vec![member("acme", Source::Manual, &["member"])],
    );
    let mut world = world(vec![standard(), bound]);
    let decision = world.sign_in(&ann(&[]), &with(|_| {}), 1);
    assert_eq!(decision.verdict, Verdict::Admitted("bound".into()));
    assert_eq!(world.get("std").account.authentication, Authentication::Standard);
}

#[test]
fn r46_r131_an_account_made_for_the_person_matches_by_verified_address_alone_and_is_linked() {
    for provisioning in [Provisioning::Manual, Provisioning::Scim, Provisioning::Jit] {
        let mut made = known(
            account("made", sso("okta")),
            &[],
            vec![member("acme", Source::Manual, &["member"])],
        );
        made.account.status = Status::Invited;
        let mut world = world(vec![made]);
        let in_force = with(|connection| connection.provisioning = provisioning);
        let mut incoming = ann(&[]);
        incoming.normalized.given_name = None;
        let decision = world.sign_in(&incoming, &in_force, 1);
        assert_eq!(
            decision.verdict,
            Verdict::Admitted("made".into()),
            "{provisioning:?}"
        );
        assert!(has(&decision.trace, "matched_made_for_person"));
        assert_eq!(world.get("made").account.status, Status::Active);
        assert_eq!(world.get("made").links, [link("ann-1")]);
        let again = world.sign_in(&incoming, &in_force, 2);
        assert!(again.plan.changes.is_empty());
        assert!(has(&again.trace, "matched_subject"));
    }
}

#[test]
fn r124_a_new_subject_with_the_address_of_a_linked_account_is_refused_and_named() {
    let mut linked = known(account("linked", sso("okta")), &["ann-0"], vec![]);
    linked.account.family_name = Some("Before".to_owned());
    let decision = world(vec![linked]).sign_in(&ann(&[]), &with(|_| {}), 1);
    assert_eq!(decision.verdict, Verdict::Refused(Denial::EmailTaken));
    assert!(
        decision
            .trace
            .steps
            .iter()
            .any(|step| step.text.contains("probably the same person"))
    );
}

#[test]
fn c12_each_selectable_step_matches_only_where_it_is_chosen() {
    let cases: [(MatchStep, Mark); 3] = [
        (MatchStep::VerifiedEmail, |account| {
            account.email = Some(email("ANN@acme.example"));
        }),
        (MatchStep::ExternalId, |account| {
            account.external_id = Some("ann-1".to_owned());
        }),
        (MatchStep::UserName, |account| {
            account.user_name = Some("ann-1".to_owned());
        }),
    ];
    for (step, change) in cases {
        // Linked to another identity already, so only the step itself can match.
        let mut bound = known(
            account("bound", sso("okta")),
            &["ann-0"],
            vec![member("acme", rule(), &["member"])],
        );
        bound.account.email = Some(email("x@acme.example"));
        bound.account.given_name = None;
        change(&mut bound.account);
        let chosen = with(|connection| connection.settings.match_chain = vec![step]);
        let decision = world(vec![bound.clone()]).sign_in(&ann(&[]), &chosen, 1);
        assert_eq!(decision.verdict, Verdict::Admitted("bound".into()), "{step:?}");
        bound.account.email = Some(email("x@acme.example"));
        let decision = world(vec![bound]).sign_in(&ann(&[]), &with(|_| {}), 1);
        assert_eq!(
            decision.verdict,
            Verdict::Admitted("new-1".into()),
            "not chosen: {step:?}"
        );
    }
}

#[test]
fn c13_names_are_compared_folded_by_default_and_exactly_if_strict() {
    // Spaces, case, composed against decomposed, full-width letters; ß is no ss.
    for (asserted, held, folded, strict) in [
        ("Ann", "Ann", true, true),
        (" ANN ", "ann", true, false),
        ("Ren\u{e9}", "Rene\u{301}", true, false),
        ("\u{ff21}nn", "Ann", true, false),
        ("Stra\u{df}e", "Strasse", false, false),
    ] {
        for (how, expected) in [(NameComparison::Folded, folded), (NameComparison::Strict, strict)] {
            let mut incoming = ann(&[]);
            incoming.normalized.given_name = Some(asserted.to_owned());
            let mut person = standard();
            person.account.given_name = Some(held.to_owned());
            let in_force = with(|connection| connection.settings.name_comparison = how);
            let decision = world(vec![person]).sign_in(&incoming, &in_force, 1);
            assert_eq!(!is_new(&decision), expected, "{asserted} {held} {how:?}");
        }
    }
}

#[test]
fn c11_an_existing_standard_account_is_linked_left_or_refused() {
    let run = |setting| {
        let mut world = world(vec![standard()]);
        let in_force = with(|connection| connection.settings.existing_account = setting);
        let decision = world.sign_in(&ann(&[]), &in_force, 1);
        (world, decision)
    };
    let (linked, decision) = run(ExistingAccount::Link);
    assert_eq!(linked.get("std").links, [link("ann-1")]);
    let ends =
        |change: &Change| matches!(change, Change::RevokeSessions { reason, .. } if reason == "linked");
    assert!(decision.plan.changes.iter().any(ends));
    let (additional, decision) = run(ExistingAccount::Additional);
    assert_eq!(decision.verdict, Verdict::Admitted("new-1".into()));
    assert_eq!(
        additional.get("std").account.authentication,
        Authentication::Standard
    );
    let (refused, decision) = run(ExistingAccount::Refuse);
    assert_eq!(decision.verdict, Verdict::Refused(Denial::ExistingAccountRefused));
    assert_eq!(refused.accounts, vec![standard()]);
}

#[test]
fn r45_c02_manual_and_scim_connections_never_take_or_make_an_account_that_is_not_theirs() {
    for (provisioning, denial) in [
        (Provisioning::Manual, Denial::NotProvisionedByHand),
        (Provisioning::Scim, Denial::NotPushedByDirectory),
    ] {
        let mut world = world(vec![standard()]);
        let in_force = with(|connection| connection.provisioning = provisioning);
        let decision = world.sign_in(&ann(&[]), &in_force, 1);
        assert_eq!(decision.verdict, Verdict::Refused(denial));
        assert_eq!(world.accounts, vec![standard()]);
    }
}

#[test]
fn r168_a_person_taken_out_before_the_first_sign_in_is_refused_and_no_ghost_is_made() {
    for status in [Status::Suspended, Status::Deactivated] {
        for provisioning in [Provisioning::Manual, Provisioning::Scim, Provisioning::Jit] {
            let held = vec![member("acme", Source::Manual, &["member"])];
            let mut pushed = known(account("pushed", sso("okta")), &[], held);
            pushed.account.status = status;
            pushed.account.status_origin = Origin::Scim;
            let mut world = world(vec![pushed.clone()]);
            let in_force = with(|connection| {
                connection.provisioning = provisioning;
                connection.settings.on_inactive_match = OnInactiveMatch::CreateNew;
            });
            let decision = world.sign_in(&ann(&[]), &in_force, 1);
            assert!(matches!(
                decision.verdict,
                Verdict::Refused(Denial::Suspended | Denial::Deactivated)
            ));
            assert_eq!(world.accounts, vec![pushed]);
        }
    }
}
