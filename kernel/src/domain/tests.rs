use super::*;
use crate::fixtures::now;

fn at(hours: i64) -> Timestamp {
    now().checked_add(SignedDuration::from_hours(hours)).unwrap()
}

fn missing() -> LookUp {
    LookUp::Missing("no such name".to_owned())
}

fn silent() -> LookUp {
    LookUp::NoAnswer("SERVFAIL".to_owned())
}

fn verified() -> Claim {
    Claim::new(now()).judge(&LookUp::Found, false, now())
}

#[test]
fn r110_one_name_has_one_spelling() {
    for (written, stored) in [
        ("Example.COM", "example.com"),
        (" example.com. ", "example.com"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("BÜCHER.example", "xn--bcher-kva.example"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("sub.example.com", "sub.example.com"),
        ("ｅｘａｍｐｌｅ.com", "example.com"),
        ("example。com", "example.com"),
    ] {
        assert_eq!(normalize(written).as_deref(), Ok(stored), "{written}");
    }
    for wrong in [
        "",
        ".",
        "com",
        "example..com",
        "-a.example",
        "a_b.example",
        "exa mple.com",
        "1.2.3.4",
        "*.example.com",
        "example.com..",
        "user@example.com",
        "https://example.com",
        "xn--a.example",
        "a\u{202e}b.example",
        "\u{0}.com",
        "[::1]",
    ] {
        assert_eq!(normalize(wrong), Err(DomainError::NotAName), "{wrong:?}");
    }
    assert!(normalize(&"a.".repeat(5000)).is_err());
    assert!(normalize(&format!("{}.example", "a".repeat(64))).is_err());
}

#[test]
fn r114_public_mail_domains_and_public_suffixes_cannot_be_claimed() {
    for name in ["gmail.com", "GMAIL.com.", "mx.web.de", "ｇmail.com"] {
        assert_eq!(claimable(name), Err(DomainError::PublicMail), "{name}");
    }
    for name in ["co.uk", "CO.UK.", "com.au", "github.io", "xn--55qx5d.cn"] {
        assert_eq!(claimable(name), Err(DomainError::PublicSuffix), "{name}");
    }
    for name in ["example.co.uk", "home-lab.example", "acme.github.io"] {
        assert_eq!(claimable(name).as_deref(), Ok(name), "{name}");
    }
}

#[test]
fn r110_a_record_with_the_token_verifies() {
    let claim = verified();
    assert_eq!(claim.state, DomainState::Verified);
    assert_eq!(claim.next_at, Some(at(24)));
    let pending = Claim::new(now()).judge(&missing(), false, at(1));
    assert_eq!(pending.state, DomainState::Pending);
    assert_eq!(pending.problem.as_deref(), Some("no such name"));
    assert_eq!(
        Claim::new(now()).judge(&silent(), false, at(1)).state,
        DomainState::Pending
    );
}

#[test]
fn a_domain_is_lost_after_three_misses_over_seven_days_and_not_before() {
    let mut claim = verified();
    for hours in [24, 48, 72, 96] {
        claim = claim.judge(&missing(), false, at(hours));
        assert_eq!(claim.state, DomainState::Failing, "{hours}");
        assert!(claim.state.is_in_force());
    }
    let lost = claim.judge(&missing(), false, at(24 + 7 * 24));
    assert_eq!(lost.state, DomainState::Lost);
    assert!(!lost.state.is_in_force());
    // One look at the end of a week of silence is one miss, not three.
    let twice = verified()
        .judge(&missing(), false, at(24))
        .judge(&missing(), false, at(24 + 8 * 24));
    assert_eq!(twice.state, DomainState::Failing);
    // Coming back ends the count.
    let back = claim.judge(&LookUp::Found, false, at(100));
    assert_eq!(
        (back.state, back.misses, back.failing_since),
        (DomainState::Verified, 0, None)
    );
    // A lost one can be proved again.
    assert_eq!(
        lost.judge(&LookUp::Found, false, at(300)).state,
        DomainState::Verified
    );
}

#[test]
fn servers_that_give_no_answer_do_not_take_a_domain_away_for_a_month() {
    let mut claim = verified();
    for day in 1..30 {
        claim = claim.judge(&silent(), false, at(day * 24));
        assert_eq!(claim.state, DomainState::Failing, "{day}");
    }
    assert_eq!(
        claim.judge(&silent(), false, at(31 * 24)).state,
        DomainState::Lost
    );
}

#[test]
fn a_second_claimant_gets_a_dispute_and_never_the_domain() {
    let second = Claim::new(now()).judge(&LookUp::Found, true, now());
    assert_eq!(second.state, DomainState::Disputed);
    assert!(!second.state.is_in_force());
    // Without the record the dispute ends; with a silent server it stays.
    assert_eq!(second.judge(&missing(), true, at(1)).state, DomainState::Pending);
    assert_eq!(second.judge(&silent(), true, at(1)).state, DomainState::Disputed);
    // Once the other one gave the domain up, the next look verifies.
    assert_eq!(
        second.judge(&LookUp::Found, false, at(1)).state,
        DomainState::Verified
    );
}

#[test]
fn r111_what_the_operator_vouches_for_does_not_depend_on_dns() {
    let claim = Claim::new(now()).vouched();
    assert_eq!(claim.next_at, None);
    let mut checked = claim;
    for day in 1..60 {
        checked = checked.judge(&missing(), false, at(day * 24));
        assert_eq!(checked.state, DomainState::Verified);
    }
    assert_eq!(checked.problem.as_deref(), Some("no such name"));
}

#[test]
fn a_claim_that_nobody_proves_is_given_up_after_a_month() {
    let claim = Claim::new(now());
    assert!(claim.judge(&missing(), false, at(29 * 24)).next_at.is_some());
    assert_eq!(claim.judge(&missing(), false, at(31 * 24)).next_at, None);
}
