use jiff::SignedDuration;
use serde_json::{Value, json};

use super::{EVENT, Expected, VerifiedLogoutToken, verify};
use crate::OidcError;
use crate::fixtures::{CLIENT, ISSUER, NOW, forge, header, key, now, published, with};
use crate::jose::Algorithm;

fn claims() -> Value {
    json!({
        "iss": ISSUER, "aud": CLIENT, "iat": NOW, "exp": NOW + 120, "jti": "j1",
        "sub": "00u1", "sid": "s1", "events": { EVENT: {} },
    })
}

fn expected() -> Expected<'static> {
    Expected {
        issuer: ISSUER,
        client_id: CLIENT,
        algorithms: &[Algorithm::Rs256, Algorithm::Es256],
        clock_skew: SignedDuration::from_secs(60),
    }
}

fn run(claims: &Value, typ: Value) -> Result<VerifiedLogoutToken, OidcError> {
    let key = key(Algorithm::Es256);
    verify(
        &forge(&key, &with(header(&key), "typ", typ), claims),
        &published(&[&key]),
        &expected(),
        now(),
    )
}

fn code(name: &str, value: Value) -> &'static str {
    run(&with(claims(), name, value), json!("logout+jwt")).map_or_else(OidcError::code, |_| "accepted")
}

#[test]
fn a_logout_token_is_accepted_in_each_type() {
    for typ in [json!("logout+jwt"), json!("JWT"), Value::Null] {
        let verified = run(&claims(), typ).unwrap();
        assert_eq!(verified.subject(), Some("00u1"));
        assert_eq!(verified.session_id(), Some("s1"));
        assert_eq!(verified.jti(), "j1");
        assert_eq!(verified.keep_until().as_second(), NOW + 300 + 60);
    }
    assert_eq!(code("sid", Value::Null), "accepted");
    assert_eq!(code("sub", Value::Null), "accepted");
    assert_eq!(code("exp", Value::Null), "accepted");
}

#[test]
fn module_alg_none() {
    let key = key(Algorithm::Es256);
    let token = forge(&key, &json!({ "alg": "none", "typ": "logout+jwt" }), &claims());
    assert_eq!(
        verify(&token, &published(&[&key]), &expected(), now()).unwrap_err(),
        OidcError::AlgNone
    );
}

#[test]
fn module_wrong_alg_and_wrong_key() {
    let key384 = key(Algorithm::Es384);
    let token = forge(&key384, &header(&key384), &claims());
    let wrong_alg = verify(&token, &published(&[&key384]), &expected(), now());
    assert_eq!(wrong_alg.unwrap_err(), OidcError::AlgNotAllowed);
    let (honest, attacker) = (key(Algorithm::Es256), key(Algorithm::Es256));
    let token = forge(&attacker, &header(&honest), &claims());
    let wrong_key = verify(&token, &published(&[&honest]), &expected(), now());
    assert_eq!(wrong_key.unwrap_err(), OidcError::SignatureInvalid);
}

#[test]
fn module_no_event_and_wrong_event() {
    assert_eq!(code("events", Value::Null), "logout_event_missing");
    assert_eq!(
        code("events", json!({ "http://example/other": {} })),
        "logout_event_wrong"
    );
    assert_eq!(code("events", json!({ EVENT: true })), "logout_event_wrong");
    assert_eq!(code("events", json!([EVENT])), "logout_event_wrong");
}

#[test]
fn module_with_nonce() {
    assert_eq!(code("nonce", json!("n")), "logout_nonce_present");
}

#[test]
fn module_wrong_audience_and_issuer() {
    assert_eq!(code("aud", json!("other")), "aud_mismatch");
    assert_eq!(code("aud", Value::Null), "aud_missing");
    assert_eq!(code("iss", json!("https://attacker.example")), "iss_mismatch");
    assert_eq!(code("iss", Value::Null), "iss_missing");
}

#[test]
fn module_neither_subject_nor_session() {
    let neither = with(with(claims(), "sub", Value::Null), "sid", Value::Null);
    assert_eq!(
        run(&neither, json!("logout+jwt")).unwrap_err(),
        OidcError::LogoutSubjectMissing
    );
    assert_eq!(code("sub", json!("")), "sub_invalid");
}

#[test]
fn a_token_is_fresh_once_and_of_its_type() {
    assert_eq!(code("iat", json!(NOW - 361)), "iat_stale");
    assert_eq!(code("iat", json!(NOW + 61)), "iat_in_future");
    assert_eq!(code("iat", Value::Null), "iat_missing");
    assert_eq!(code("exp", json!(NOW - 60)), "expired");
    assert_eq!(code("jti", Value::Null), "jti_missing");
    assert_eq!(code("jti", json!("")), "jti_missing");
    assert_eq!(run(&claims(), json!("at+jwt")).unwrap_err(), OidcError::TypWrong);
}

#[test]
fn an_id_token_is_no_logout_token() {
    let id_token = json!({
        "iss": ISSUER, "aud": CLIENT, "iat": NOW, "exp": NOW + 120, "sub": "00u1", "nonce": "n", "jti": "j",
    });
    assert_eq!(
        run(&id_token, json!("JWT")).unwrap_err(),
        OidcError::LogoutEventMissing
    );
}
