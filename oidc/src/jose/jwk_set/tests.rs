use serde_json::{Value, json};

use super::JwkSet;
use crate::OidcError;
use crate::fixtures::{forge, header, key, with};
use crate::jose::jws::{self, TypRule};
use crate::jose::{Algorithm, Jwk};

fn parse(keys: &Value) -> Result<JwkSet, OidcError> {
    JwkSet::parse(json!({ "keys": keys }).to_string().as_bytes())
}

fn count(key: &Value) -> usize {
    parse(&json!([key])).unwrap().keys().len()
}

#[test]
fn rfc7638_thumbprint_example() {
    let n = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWK\
             RXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMi\
             cAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr\
             3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";
    let set =
        parse(&json!([{ "kty": "RSA", "n": n, "e": "AQAB", "alg": "RS256", "kid": "2011-04-29" }])).unwrap();
    assert_eq!(
        set.keys()[0].thumbprint(),
        "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
    );
}

#[test]
fn keys_that_cannot_verify_for_us_are_left_out() {
    let good = key(Algorithm::Es256).public().to_json();
    assert_eq!(count(&good), 1);
    let variants = [
        with(good.clone(), "use", json!("enc")),
        with(good.clone(), "kty", json!("oct")),
        with(good.clone(), "crv", json!("secp256k1")),
        with(good.clone(), "x", json!("AA")),
        with(good.clone(), "x", json!("A".repeat(43))), // not on the curve
        with(good.clone(), "d", json!("AA")),
        with(good.clone(), "alg", json!("HS256")),
        with(good.clone(), "alg", json!("none")),
        with(good.clone(), "alg", json!("RS256")),
        with(good.clone(), "key_ops", json!(["encrypt"])),
        json!({ "kty": "oct", "k": "AAAA" }),
        json!({ "kty": "RSA", "n": "AQAB", "e": "AQAB" }), // far too short
        json!({ "kty": "RSA", "e": "AQAB" }),
        json!({ "kty": "OKP", "crv": "X25519", "x": "AAAA" }),
        json!("text"),
        json!(null),
    ];
    for variant in variants {
        assert_eq!(count(&variant), 0, "{variant}");
    }
    assert_eq!(count(&with(good, "key_ops", json!(["verify"]))), 1);
}

#[test]
fn an_rsa_key_of_1024_bits_is_left_out() {
    assert_eq!(
        count(&json!({ "kty": "RSA", "n": format!("{}w", "8".repeat(170)), "e": "AQAB" })),
        0
    );
}

#[test]
fn sets_have_limits() {
    let one = key(Algorithm::EdDsa).public().to_json();
    assert_eq!(parse(&json!(vec![one.clone(); 50])).unwrap().keys().len(), 50);
    assert_eq!(
        parse(&json!(vec![one; 51])).unwrap_err(),
        OidcError::JwksTooManyKeys
    );
    assert_eq!(JwkSet::parse(b"{}").unwrap_err(), OidcError::JwksMalformed);
    assert_eq!(
        JwkSet::parse(br#"{"keys":{}}"#).unwrap_err(),
        OidcError::JwksMalformed
    );
    assert_eq!(
        JwkSet::parse(b"\xff\xfe").unwrap_err(),
        OidcError::DocumentMalformed
    );
    assert_eq!(
        JwkSet::parse(&vec![b'['; 200_000]).unwrap_err(),
        OidcError::DocumentMalformed
    );
    assert_eq!(
        JwkSet::parse(&vec![b' '; 10 * 1024 * 1024]).unwrap_err(),
        OidcError::DocumentTooLarge
    );
    assert!(JwkSet::parse(br#"{"keys":[]}"#).unwrap().keys().is_empty());
}

#[test]
fn keys_without_names_or_algorithms_still_serve() {
    // A set of one nameless key, and a token that names it.
    let signer = key(Algorithm::Ps384);
    let bare = with(
        with(signer.public().to_json(), "kid", Value::Null),
        "alg",
        Value::Null,
    );
    let set = parse(&json!([bare])).unwrap();
    assert_eq!(set.keys()[0].algorithms(), Algorithm::RSA);
    let token = forge(&signer, &header(&signer), &json!({ "sub": "a" }));
    assert!(jws::verify(&token, &set, Algorithm::ALL, TypRule::JWT).is_ok());
}

#[test]
fn one_name_for_two_keys_is_told_apart_by_type_and_trial() {
    let (one, two, other) = (
        key(Algorithm::Es256),
        key(Algorithm::Es256),
        key(Algorithm::EdDsa),
    );
    let named = |k: &Jwk| with(k.to_json(), "kid", json!("same"));
    let set = parse(&json!([
        named(one.public()),
        named(two.public()),
        named(other.public())
    ]))
    .unwrap();
    for signer in [&one, &two, &other] {
        let head = json!({ "alg": signer.algorithm().name(), "kid": "same" });
        let token = forge(signer, &head, &json!({ "sub": "a" }));
        assert!(jws::verify(&token, &set, Algorithm::ALL, TypRule::JWT).is_ok());
    }
}

#[test]
fn the_kid_can_be_read_before_keys_are_known() {
    let signer = key(Algorithm::Es256);
    let token = forge(&signer, &header(&signer), &json!({}));
    assert_eq!(jws::unverified_kid(&token).as_deref(), Some(signer.kid()));
    assert_eq!(jws::unverified_kid("garbage"), None);
}
