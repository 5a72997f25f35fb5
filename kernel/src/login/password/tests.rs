use super::*;
use crate::domain::{DomainSettings, SignInRule};
use crate::fixtures::{LIMITS, account, email, fresh, has, known, member, now, organization, rule, sso};
use crate::login::rules::{OwnedDomain, SignInFacts, SignInPolicy};

fn attempt(known_account: AccountFacts) -> Decision {
    let proof = PasswordProof {
        account: known_account.account.id.clone(),
        methods: vec!["pwd".to_owned()],
        second: SecondFactor::None,
    };
    let facts = Facts {
        accounts: vec![known_account],
        ..Facts::default()
    };
    decide(&proof, &facts, &LIMITS, &fresh(1), now())
}

#[test]
fn a_standard_account_signs_in_with_its_password() {
    let decision = attempt(known(account("a", Authentication::Standard), &[], vec![]));
    assert_eq!(decision.verdict, Verdict::Admitted("a".into()));
    let session = decision.plan.session.unwrap();
    assert_eq!(session.methods, ["pwd"]);
    assert_eq!(session.connection, None);
    assert!(decision.plan.changes.is_empty());
}

#[test]
fn r02_an_sso_account_is_refused_a_password() {
    let decision = attempt(known(account("a", sso("okta")), &[], vec![]));
    assert_eq!(decision.verdict, Verdict::Refused(Denial::PasswordRefusedForSso));
    assert!(decision.plan.session.is_none());
    assert!(has(&decision.trace, "password_refused_for_sso"));
}

#[test]
fn whoever_is_not_active_is_refused_and_gets_no_session() {
    for (status, denial) in [
        (Status::Suspended, Denial::Suspended),
        (Status::Deactivated, Denial::Deactivated),
        (Status::Deleted, Denial::Deleted),
    ] {
        let mut someone = account("a", Authentication::Standard);
        someone.status = status;
        let decision = attempt(known(someone, &[], vec![]));
        assert_eq!(decision.verdict, Verdict::Refused(denial));
        assert_eq!(decision.plan, Plan::default());
    }
}

#[test]
fn an_invited_standard_account_becomes_active() {
    let mut someone = account("a", Authentication::Standard);
    someone.status = Status::Invited;
    let decision = attempt(known(someone, &[], vec![]));
    assert!(matches!(
        decision.plan.changes.as_slice(),
        [Change::SetStatus {
            to: Status::Active,
            ..
        }]
    ));
    assert!(decision.plan.session.is_some());
}

#[test]
fn an_unknown_account_is_refused() {
    let proof = PasswordProof {
        account: "x".into(),
        methods: vec![],
        second: SecondFactor::None,
    };
    let decision = decide(&proof, &Facts::default(), &LIMITS, &fresh(1), now());
    assert_eq!(decision.verdict, Verdict::Refused(Denial::NotFound));
}

/// Ann is a member of these organizations; `acme` has her address's domain and demands single sign-on of it if `by_domain`,
/// and of its members if `by_policy`.
fn demanding(known: AccountFacts, by_domain: bool, by_policy: bool) -> Facts {
    let required = |yes| {
        if yes {
            SignInRule::Required
        } else {
            SignInRule::Optional
        }
    };
    Facts {
        accounts: vec![known],
        organizations: vec![organization("acme"), organization("beta")],
        sign_in: SignInFacts {
            emergency: std::collections::BTreeMap::new(),
            policies: [(
                "acme".into(),
                SignInPolicy {
                    sso: required(by_policy),
                    ..SignInPolicy::default()
                },
            )]
            .into(),
            domains: [(
                "acme.example".to_owned(),
                OwnedDomain {
                    organization: "acme".into(),
                    settings: DomainSettings {
                        sign_in: required(by_domain),
                        ..DomainSettings::default()
                    },
                },
            )]
            .into(),
        },
        ..Facts::default()
    }
}

fn standard(organizations: &[&str]) -> AccountFacts {
    let memberships = organizations
        .iter()
        .map(|id| member(id, rule(), &["admin"]))
        .collect();
    known(account("a", Authentication::Standard), &[], memberships)
}

fn sign_in(facts: &Facts, second: SecondFactor) -> Decision {
    let proof = PasswordProof {
        account: "a".into(),
        methods: vec!["pwd".to_owned()],
        second,
    };
    decide(&proof, facts, &LIMITS, &fresh(1), now())
}

fn verdict(facts: &Facts) -> Verdict {
    sign_in(facts, SecondFactor::None).verdict
}

const REFUSED: Verdict = Verdict::Refused(Denial::SsoRequired);

#[test]
fn r113_an_address_in_a_domain_that_demands_single_sign_on_is_refused_a_password() {
    for organizations in [&["acme"][..], &["beta"], &[]] {
        let facts = demanding(standard(organizations), true, false);
        let decision = sign_in(&facts, SecondFactor::Given);
        assert_eq!(decision.verdict, REFUSED, "{organizations:?}");
        assert_eq!(decision.plan, Plan::default());
        assert!(has(&decision.trace, "sso_required"));
    }
    let facts = demanding(standard(&["acme"]), false, false);
    assert_eq!(verdict(&facts), Verdict::Admitted("a".into()));
}

#[test]
fn r113_exceptions_of_the_domain_may_use_a_password() {
    let mut facts = demanding(standard(&["acme"]), true, true);
    if let Some(owned) = facts.sign_in.domains.get_mut("acme.example") {
        owned.settings.exceptions = vec![email("ANN@acme.example")];
    }
    let decision = sign_in(&facts, SecondFactor::None);
    assert_eq!(decision.verdict, Verdict::Admitted("a".into()));
    assert!(has(&decision.trace, "sso_excepted"));
    assert!(
        decision.plan.changes.is_empty(),
        "only emergencies raise an alert"
    );
}

#[test]
fn r184_members_of_organizations_that_all_demand_single_sign_on_are_refused_a_password() {
    assert_eq!(verdict(&demanding(standard(&["acme"]), false, true)), REFUSED);
    // Another organization that she works for does not: its members are not acme's to lock out.
    let both = demanding(standard(&["acme", "beta"]), false, true);
    assert_eq!(verdict(&both), Verdict::Admitted("a".into()));
    // A suspended membership keeps nobody's door open.
    let mut suspended = standard(&["acme", "beta"]);
    suspended.memberships[1].active = false;
    assert_eq!(verdict(&demanding(suspended, false, true)), REFUSED);
    // Without any membership, as before the first one, nobody demands anything.
    assert_eq!(
        verdict(&demanding(standard(&[]), false, true)),
        Verdict::Admitted("a".into())
    );
}

#[test]
fn r184_an_emergency_admin_gets_in_and_an_alert_tells_of_it() {
    let mut ann = standard(&["acme"]);
    ann.account.emergency_admin = true;
    let decision = sign_in(&demanding(ann, true, true), SecondFactor::None);
    assert_eq!(decision.verdict, Verdict::Admitted("a".into()));
    assert!(
        matches!(decision.plan.changes.as_slice(), [Change::Alert { code, .. }] if code == "emergency_sign_in"),
        "{:?}",
        decision.plan.changes
    );
    // Where nobody demands single sign-on it is a sign-in like any other.
    let mut ann = standard(&["acme"]);
    ann.account.emergency_admin = true;
    assert!(
        sign_in(&demanding(ann, false, false), SecondFactor::None)
            .plan
            .changes
            .is_empty()
    );
}

#[test]
fn r184_a_recovery_code_raises_an_alert() {
    let decision = sign_in(
        &demanding(standard(&["acme"]), false, false),
        SecondFactor::Recovery,
    );
    assert!(
        matches!(decision.plan.changes.as_slice(), [Change::Alert { code, .. }] if code == "recovery_code_used"),
        "{:?}",
        decision.plan.changes
    );
}

#[test]
fn admins_need_the_second_factor_that_their_organization_demands() {
    let demand = |known: AccountFacts| {
        let mut facts = demanding(known, false, false);
        if let Some(policy) = facts.sign_in.policies.get_mut(&"acme".into()) {
            policy.second_factor_for_admins = true;
        }
        facts
    };
    let facts = demand(standard(&["acme"]));
    assert_eq!(verdict(&facts), Verdict::Refused(Denial::SecondFactorRequired));
    for second in [SecondFactor::Given, SecondFactor::Recovery] {
        assert_eq!(sign_in(&facts, second).verdict, Verdict::Admitted("a".into()));
    }
    // An emergency admin is no exception from this one.
    let mut ann = standard(&["acme"]);
    ann.account.emergency_admin = true;
    assert_eq!(
        verdict(&demand(ann)),
        Verdict::Refused(Denial::SecondFactorRequired)
    );
    let plain = known(
        account("a", Authentication::Standard),
        &[],
        vec![member("acme", rule(), &["member"])],
    );
    assert_eq!(verdict(&demand(plain)), Verdict::Admitted("a".into()));
    assert_eq!(
        verdict(&demand(standard(&["beta"]))),
        Verdict::Admitted("a".into())
    );
}

#[test]
fn r184_settings_that_cannot_be_read_count_as_the_strictest() {
    let policy = SignInPolicy::read(&serde_json::json!({ "sign_in": { "sso": "whatever" } }));
    assert_eq!(policy.sso, SignInRule::Required);
    assert!(policy.second_factor_for_admins);
    assert_eq!(
        SignInPolicy::read(&serde_json::json!({})),
        SignInPolicy::default()
    );
    let domain = DomainSettings::read(&serde_json::json!({ "sign_in": 3 }));
    assert_eq!(domain.sign_in, SignInRule::Required);
}

#[test]
fn r184_sessions_of_those_who_may_not_use_a_password_any_more_end() {
    let mut emergency = standard(&["acme"]);
    emergency.account.id = "b".into();
    emergency.account.emergency_admin = true;
    let mut through_idp = standard(&["acme"]);
    through_idp.account.id = "c".into();
    through_idp.account.authentication = sso("okta");
    let mut facts = demanding(standard(&["acme"]), false, true);
    facts.accounts.extend([emergency, through_idp]);
    let decision = evict(&facts, &fresh(1), now());
    assert!(
        matches!(decision.plan.changes.as_slice(), [Change::RevokeSessions { account, .. }] if account.as_str() == "a"),
        "{:?}",
        decision.plan.changes
    );
}
