use super::*;
use crate::fixtures::{LIMITS, account, fresh, has, known, now, sso};

fn attempt(known_account: AccountFacts) -> Decision {
    let proof = PasswordProof {
        account: known_account.account.id.clone(),
        methods: vec!["pwd".to_owned()],
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
    };
    let decision = decide(&proof, &Facts::default(), &LIMITS, &fresh(1), now());
    assert_eq!(decision.verdict, Verdict::Refused(Denial::NotFound));
}
