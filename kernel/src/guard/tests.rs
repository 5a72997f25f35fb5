use super::*;
use crate::connection::OnLostMatch;
use crate::facts::AccountFacts;
use crate::fixtures::*;
use crate::mapping::InForce;
use crate::plan::Verdict;
use crate::preview::{Heard, OrganizationImpact, Preview};

fn guard(percent: u32, at_least: u32) -> StripGuard {
    StripGuard {
        percent,
        at_least,
        minutes: 60,
    }
}

fn impact(stripped: u64, members: u64) -> Impact {
    let mut impact = Impact::default();
    let one = OrganizationImpact {
        members,
        stripped,
        ..OrganizationImpact::default()
    };
    impact.organizations.insert("acme".into(), one);
    impact
}

#[test]
fn a_policy_change_is_held_when_both_limits_are_passed() {
    for (stripped, members, held) in [
        (9, 10, false),
        (10, 100, false),
        (10, 50, false),
        (10, 49, true),
        (10, 10, true),
        (0, 0, false),
    ] {
        let judgement = judge(&impact(stripped, members), Some(&guard(20, 10)));
        assert_eq!(judgement.is_held(), held, "{stripped} of {members}");
    }
    assert!(!judge(&impact(100, 100), None).is_held());
    let held = judge(&impact(30, 40), Some(&guard(20, 10))).held;
    assert_eq!((held[0].stripped, held[0].members, held[0].percent), (30, 40, 75));
    // A guard of nothing holds everything that takes anything, and nothing else.
    assert!(judge(&impact(1, 1_000), Some(&guard(0, 0))).is_held());
    assert!(!judge(&impact(0, 1_000), Some(&guard(0, 0))).is_held());
}

fn admits_nobody() -> InForce {
    with(|connection| {
        connection.policy = Some(crate::policy::Policy {
            organization: Some("`false`".to_owned()),
            ..Default::default()
        });
        connection.settings.on_lost_match = OnLostMatch::RemoveRuleGrants;
    })
}

fn ann_in_acme() -> AccountFacts {
    known(
        account("ann", sso("okta")),
        &["ann-1"],
        vec![member("acme", rule(), &["member"])],
    )
}

#[test]
fn a_wave_of_sign_ins_that_strips_an_organization_is_held_until_an_admin_approves() {
    let in_force = admits_nobody();
    let world = World::new(&["acme"], vec![ann_in_acme()]);
    let mut facts = world.facts(&crate::login::need(&ann(&[]), &in_force));
    let decide = |facts: &Facts| crate::login::decide(&ann(&[]), facts, &in_force, &LIMITS, &fresh(1), now());
    let first = decide(&facts);
    assert_eq!(stripped(&first, &ann_in_acme().memberships), ["acme".into()]);
    assert!(matches!(first.verdict, Verdict::Refused(_)));
    for (recent, members, approved, held) in [
        (8, 10, false, false),
        (9, 10, false, true),
        (9, 1_000, false, false),
        (9, 10, true, false),
    ] {
        let counts = Strips {
            recent,
            members,
            approved,
        };
        facts.strips.insert("acme".into(), counts);
        let decision = decide(&facts);
        assert_eq!(has(&decision.trace, "held"), held, "{counts:?}");
        assert_eq!(
            matches!(decision.verdict, Verdict::Admitted(_)),
            held,
            "{counts:?}"
        );
        let alerts = decision
            .plan
            .changes
            .iter()
            .filter(|change| matches!(change, Change::Alert { code, .. } if code == "strip_held"));
        assert_eq!(alerts.count(), usize::from(held));
        assert_eq!(stripped(&decision, &ann_in_acme().memberships).is_empty(), held);
    }
}

#[test]
fn a_sign_in_that_takes_nothing_is_never_held() {
    let in_force = with(|_| {});
    let world = World::new(&["acme"], vec![ann_in_acme()]);
    let mut facts = world.facts(&crate::login::need(&ann(&[]), &in_force));
    let counts = Strips {
        recent: 100,
        members: 1,
        approved: false,
    };
    facts.strips.insert("acme".into(), counts);
    let decision = crate::login::decide(&ann(&[]), &facts, &in_force, &LIMITS, &fresh(1), now());
    assert!(!has(&decision.trace, "held"));
}

#[test]
fn a_preview_over_everybody_feeds_the_guard() {
    let (saved, edited) = (with(|_| {}), admits_nobody());
    let preview = Preview::new(&saved, &edited);
    let organizations = [("acme".into(), organization("acme"))].into_iter().collect();
    let heard = Heard::at_sign_in(&ann(&[]));
    let mut impact = Impact::default();
    for _ in 0..12 {
        impact.add(&preview.difference(
            &ann_in_acme(),
            &heard,
            &organizations,
            &mut crate::preview::Seats::default(),
        ));
    }
    assert_eq!(judge(&impact, Some(&StripGuard::default())).held[0].percent, 100);
}
