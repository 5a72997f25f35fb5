use jiff::SignedDuration;
use serde_json::{Map, Value, json};

use super::{Expected, merge, parse};
use crate::OidcError;
use crate::fixtures::{CLIENT, ISSUER, NONCE, NOW, forge, header, key, now, object, published, with};
use crate::jose::{Algorithm, JwkSet};
use crate::rp::id_token::{self, Nonce, VerifiedIdToken};

fn id_token(extra: &Value) -> VerifiedIdToken {
    let key = key(Algorithm::Es256);
    let mut claims = object(&json!({
        "iss": ISSUER, "sub": "00u1", "aud": CLIENT, "exp": NOW + 300, "iat": NOW, "nonce": NONCE,
    }));
    claims.extend(object(extra));
    let expected = id_token::Expected {
        issuer: ISSUER,
        client_id: CLIENT,
        nonce: Nonce::Required(NONCE),
        algorithms: Algorithm::ALL,
        max_age: None,
        clock_skew: SignedDuration::ZERO,
        access_token: None,
        code: None,
    };
    let token = forge(&key, &header(&key), &Value::Object(claims));
    id_token::verify(&token, &published(&[&key]), &expected, now()).unwrap()
}

fn merged(token: &Value, userinfo: &Value) -> Map<String, Value> {
    merge(&id_token(token), object(userinfo)).unwrap()
}

#[test]
fn the_subject_must_be_the_same() {
    let token = id_token(&json!({}));
    let other = merge(
        &token,
        object(&json!({ "sub": "00u2", "email": "victim@x.example" })),
    );
    assert_eq!(other.unwrap_err(), OidcError::UserinfoSubMismatch);
    assert_eq!(
        merge(&token, object(&json!({ "sub": ["00u1"] }))).unwrap_err(),
        OidcError::UserinfoSubMismatch
    );
    assert_eq!(
        merge(&token, object(&json!({}))).unwrap_err(),
        OidcError::UserinfoSubMissing
    );
}

#[test]
fn userinfo_adds_and_never_replaces() {
    let claims = merged(
        &json!({ "name": "Ada" }),
        &json!({ "sub": "00u1", "name": "Eve", "groups": ["a"], "iss": "x" }),
    );
    assert_eq!(claims["name"], "Ada");
    assert_eq!(claims["groups"], json!(["a"]));
    assert_eq!(claims["iss"], ISSUER);
}

#[test]
fn a_verification_is_not_transplanted_onto_another_address() {
    // The token's address stays unverified though userinfo verified another one.
    let claims = merged(
        &json!({ "email": "victim@x.example" }),
        &json!({ "sub": "00u1", "email": "mine@y.example", "email_verified": true }),
    );
    assert_eq!(claims["email"], "victim@x.example");
    assert!(!claims.contains_key("email_verified"));
    // A bare verification without its address is not taken either.
    let claims = merged(
        &json!({ "email": "victim@x.example" }),
        &json!({ "sub": "00u1", "email_verified": true }),
    );
    assert!(!claims.contains_key("email_verified"));
    // And the token's bare verification does not vouch for an address from userinfo.
    let claims = merged(
        &json!({ "email_verified": true }),
        &json!({ "sub": "00u1", "email": "victim@x.example" }),
    );
    assert_eq!(claims["email"], "victim@x.example");
    assert!(!claims.contains_key("email_verified"));
}

#[test]
fn the_same_address_or_none_takes_the_statement_of_userinfo() {
    let address = json!({ "sub": "00u1", "email": "a@x.example", "email_verified": true });
    let claims = merged(&json!({ "email": "a@x.example" }), &address);
    assert_eq!(claims["email_verified"], true);
    let claims = merged(&json!({}), &address);
    assert_eq!(
        (claims["email"].as_str(), claims["email_verified"].as_bool()),
        (Some("a@x.example"), Some(true))
    );
    let claims = merged(
        &json!({ "email": "a@x.example", "email_verified": false }),
        &address,
    );
    assert_eq!(claims["email_verified"], false);
}

#[test]
fn plain_answers_are_parsed_under_limits() {
    let keys = JwkSet::default();
    let expected = Expected {
        keys: &keys,
        algorithms: Algorithm::ALL,
        issuer: ISSUER,
        client_id: CLIENT,
    };
    let run = |status, body: &[u8]| parse(status, "application/json; charset=utf-8", body, &expected);
    assert_eq!(run(200, br#"{"sub":"a"}"#).unwrap()["sub"], "a");
    assert_eq!(
        run(401, br#"{"sub":"a"}"#).unwrap_err(),
        OidcError::UserinfoStatus
    );
    assert_eq!(run(200, b"<html>").unwrap_err(), OidcError::UserinfoMalformed);
    assert_eq!(
        run(200, br#"{"sub":"a","sub":"b"}"#).unwrap_err(),
        OidcError::UserinfoMalformed
    );
    assert_eq!(
        run(200, &vec![b'['; 200_000]).unwrap_err(),
        OidcError::UserinfoMalformed
    );
    assert_eq!(
        run(200, &vec![b' '; 10 * 1024 * 1024]).unwrap_err(),
        OidcError::DocumentTooLarge
    );
}

#[test]
fn signed_answers_are_verified() {
    let key = key(Algorithm::Rs256);
    let keys = published(&[&key]);
    let expected = Expected {
        keys: &keys,
        algorithms: &[Algorithm::Rs256],
        issuer: ISSUER,
        client_id: CLIENT,
    };
    let run = |token: &str| parse(200, "application/jwt", token.as_bytes(), &expected);
    let claims = json!({ "iss": ISSUER, "aud": CLIENT, "sub": "00u1", "email": "a@x.example" });
    assert_eq!(
        run(&forge(&key, &header(&key), &claims)).unwrap()["email"],
        "a@x.example"
    );
    let other = with(claims.clone(), "aud", json!("other"));
    assert_eq!(
        run(&forge(&key, &header(&key), &other)).unwrap_err(),
        OidcError::AudMismatch
    );
    let other = with(claims.clone(), "iss", json!("https://x.example"));
    assert_eq!(
        run(&forge(&key, &header(&key), &other)).unwrap_err(),
        OidcError::IssMismatch
    );
    let unsigned = forge(&key, &json!({ "alg": "none" }), &claims);
    assert_eq!(run(&unsigned).unwrap_err(), OidcError::AlgNone);
    let bad = parse(200, "application/jwt", &[0xff, 0xfe], &expected);
    assert_eq!(bad.unwrap_err(), OidcError::UserinfoMalformed);
}
