use super::*;
use crate::denial::Denial;
use crate::fixtures::*;
use crate::login::{decide, need};
use crate::plan::Verdict;

#[test]
fn r112_a_reserved_address_makes_no_account_through_somebody_elses_connection() {
    let elsewhere = with(|connection| {
        connection.domains.clear();
        connection.settings.require_domain = false;
        connection.scope = crate::connection::Scope::Organization {
            organization: "beta".into(),
            shared_with: Vec::new(),
        };
    });
    let needed = need(&ann(&[]), &elsewhere);
    assert_eq!(needed.sign_in.domains, ["acme.example"]);
    let facts = |prevents| Facts {
        organizations: vec![organization("beta")],
        sign_in: SignInFacts {
            domains: [(
                "acme.example".to_owned(),
                OwnedDomain {
                    organization: "acme".into(),
                    settings: DomainSettings {
                        prevent_outside_sign_ups: prevents,
                        ..DomainSettings::default()
                    },
                },
            )]
            .into(),
            ..SignInFacts::default()
        },
        ..Facts::default()
    };
    let decision = decide(&ann(&[]), &facts(true), &elsewhere, &LIMITS, &fresh(1), now());
    assert_eq!(decision.verdict, Verdict::Refused(Denial::DomainReserved));
    assert!(decision.plan.changes.is_empty());
    let decision = decide(&ann(&[]), &facts(false), &elsewhere, &LIMITS, &fresh(1), now());
    assert_eq!(decision.verdict, Verdict::Admitted("new-1".into()));
    // Within the connection's own domains nobody else is asked.
    assert!(need(&ann(&[]), &with(|_| {})).sign_in.domains.is_empty());
}
