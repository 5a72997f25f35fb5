use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::{Expected, Nonce, VerifiedIdToken, half_hash, verify};
use crate::OidcError;
use crate::fixtures::{
    self, CLIENT, ISSUER, NONCE, NOW, forge, forge_raw, header, key, now, published, with,
};
use crate::jose::{Algorithm, JwkSet, SigningKey};

const MINUTE: SignedDuration = SignedDuration::from_secs(60);

fn claims() -> Value {
    json!({ "iss": ISSUER, "sub": "00u1", "aud": CLIENT, "exp": NOW + 300, "iat": NOW - 2, "nonce": NONCE })
}

fn expected() -> Expected<'static> {
    Expected {
        issuer: ISSUER,
        client_id: CLIENT,
        nonce: Nonce::Required(NONCE),
        algorithms: Algorithm::ALL,
        max_age: None,
        clock_skew: MINUTE,
        access_token: None,
        code: None,
    }
}

fn run(token: &str, keys: &JwkSet, expected: &Expected<'_>) -> Result<VerifiedIdToken, OidcError> {
    verify(token, keys, expected, now())
}

/// Verifies the good token with one claim changed (`null` removes it).
fn with_claim(name: &str, value: Value) -> Result<VerifiedIdToken, OidcError> {
    with_claim_and(name, value, &expected())
}

fn with_claim_and(name: &str, value: Value, expected: &Expected<'_>) -> Result<VerifiedIdToken, OidcError> {
    let key = key(Algorithm::Es256);
    run(
        &forge(&key, &header(&key), &with(claims(), name, value)),
        &published(&[&key]),
        expected,
    )
}

fn code(result: Result<VerifiedIdToken, OidcError>) -> &'static str {
    result.map_or_else(OidcError::code, |_| "accepted")
}

#[test]
fn every_supported_algorithm_verifies() {
    for algorithm in Algorithm::ALL {
        let key = key(*algorithm);
        let token = forge(&key, &header(&key), &claims());
        let verified = run(&token, &published(&[&key]), &expected()).unwrap();
        assert_eq!(verified.algorithm(), *algorithm);
        assert_eq!(verified.subject(), "00u1");
        assert_eq!(verified.issuer(), ISSUER);
    }
}

#[test]
fn tokens_of_a_second_library_verify() {
    use jsonwebtoken::{Algorithm as Other, EncodingKey, Header, encode};
    let pairs = [
        (Algorithm::Es256, Other::ES256),
        (Algorithm::Es384, Other::ES384),
        (Algorithm::EdDsa, Other::EdDSA),
    ];
    for (ours, theirs) in pairs {
        let pkcs8 = fixtures::pkcs8(ours);
        let key = SigningKey::from_pkcs8(ours, &pkcs8).unwrap();
        let encoding = if ours == Algorithm::EdDsa {
            EncodingKey::from_ed_der(&pkcs8)
        } else {
            EncodingKey::from_ec_der(&pkcs8)
        };
        let header = Header {
            kid: Some(key.kid().to_owned()),
            ..Header::new(theirs)
        };
        let token = encode(&header, &claims(), &encoding).unwrap();
        assert_eq!(
            code(run(&token, &published(&[&key]), &expected())),
            "accepted",
            "{ours:?}"
        );
    }
}

#[test]
fn alg_none_is_refused_in_every_spelling() {
    let key = key(Algorithm::Rs256);
    for name in ["none", "None", "NONE", "nOnE"] {
        let signed = forge(&key, &json!({ "alg": name }), &claims());
        assert_eq!(code(run(&signed, &published(&[&key]), &expected())), "alg_none");
        let input = signed.rsplit_once('.').unwrap().0;
        assert_eq!(
            code(run(&format!("{input}."), &published(&[&key]), &expected())),
            "alg_none"
        );
    }
}

#[test]
fn hs256_keyed_by_the_public_key_is_refused() {
    let key = key(Algorithm::Rs256);
    let der = fixtures::pkcs8(Algorithm::Rs256);
    let pem = format!(
        "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n",
        STANDARD.encode(der)
    );
    for secret in [pem.as_bytes(), key.public().to_json().to_string().as_bytes()] {
        let header = json!({ "alg": "HS256", "kid": key.kid() }).to_string();
        let input = format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(header),
            URL_SAFE_NO_PAD.encode(claims().to_string())
        );
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), input.as_bytes());
        let token = format!("{input}.{}", URL_SAFE_NO_PAD.encode(tag));
        assert_eq!(
            code(run(&token, &published(&[&key]), &expected())),
            "alg_symmetric"
        );
    }
}

#[test]
fn the_key_type_decides_the_algorithm() {
    let (rsa, ec) = (key(Algorithm::Rs256), key(Algorithm::Es256));
    // An ES256 header naming the RSA key, whatever the signature.
    let token = forge(&ec, &json!({ "alg": "ES256", "kid": rsa.kid() }), &claims());
    assert_eq!(
        code(run(&token, &published(&[&rsa]), &expected())),
        "alg_key_mismatch"
    );
    let token = forge(&rsa, &json!({ "alg": "RS256", "kid": ec.kid() }), &claims());
    assert_eq!(
        code(run(&token, &published(&[&ec, &rsa]), &expected())),
        "alg_key_mismatch"
    );
    // A key published for RS256 only does not serve PS256.
    let token = forge(&rsa, &json!({ "alg": "PS256", "kid": rsa.kid() }), &claims());
    assert_eq!(
        code(run(&token, &published(&[&rsa]), &expected())),
        "alg_key_mismatch"
    );
}

#[test]
fn an_algorithm_off_the_allow_list_or_unknown_is_refused() {
    let key = key(Algorithm::Es256);
    let only_rsa = Expected {
        algorithms: &[Algorithm::Rs256],
        ..expected()
    };
    let token = forge(&key, &header(&key), &claims());
    assert_eq!(
        code(run(&token, &published(&[&key]), &only_rsa)),
        "alg_not_allowed"
    );
    let token = forge(&key, &json!({ "alg": "ES256K", "kid": key.kid() }), &claims());
    assert_eq!(code(run(&token, &published(&[&key]), &expected())), "alg_unknown");
}

#[test]
fn the_right_header_and_claims_with_a_wrong_key_are_refused() {
    for algorithm in [Algorithm::Es256, Algorithm::Es384, Algorithm::EdDsa] {
        let (honest, attacker) = (key(algorithm), key(algorithm));
        let token = forge(&attacker, &header(&honest), &claims());
        assert_eq!(
            code(run(&token, &published(&[&honest]), &expected())),
            "signature_invalid"
        );
    }
    let honest = key(Algorithm::Rs256);
    let attacker = SigningKey::from_pkcs8(Algorithm::Rs256, &fixtures::rsa_pkcs8()).unwrap();
    let token = forge(&attacker, &header(&honest), &claims());
    assert_eq!(
        code(run(&token, &published(&[&honest]), &expected())),
        "signature_invalid"
    );
}

#[test]
fn each_part_of_the_token_is_covered_by_the_signature() {
    let key = key(Algorithm::Es256);
    let keys = published(&[&key]);
    let token = forge(&key, &header(&key), &claims());
    let parts: Vec<&str> = token.split('.').collect();
    let other = forge(&key, &header(&key), &with(claims(), "sub", json!("admin")));
    let swapped = format!("{}.{}.{}", parts[0], other.split('.').nth(1).unwrap(), parts[2]);
    assert_eq!(code(run(&swapped, &keys, &expected())), "signature_invalid");
    let mut signature = URL_SAFE_NO_PAD.decode(parts[2]).unwrap();
    for index in 0..signature.len() {
        signature[index] ^= 1;
        let flipped = format!("{}.{}.{}", parts[0], parts[1], URL_SAFE_NO_PAD.encode(&signature));
        assert_eq!(code(run(&flipped, &keys, &expected())), "signature_invalid");
        signature[index] ^= 1;
    }
    let empty = format!("{}.{}.", parts[0], parts[1]);
    assert_eq!(code(run(&empty, &keys, &expected())), "signature_invalid");
    // CVE-2022-21449: r = s = 0.
    let zero = format!("{}.{}.{}", parts[0], parts[1], URL_SAFE_NO_PAD.encode([0; 64]));
    assert_eq!(code(run(&zero, &keys, &expected())), "signature_invalid");
}

#[test]
fn keys_named_by_the_token_itself_are_not_used() {
    let (honest, attacker) = (key(Algorithm::Es256), key(Algorithm::Es256));
    for (name, value) in [
        ("jku", json!("https://attacker.example/jwks")),
        ("x5u", json!("https://attacker.example/cert")),
        ("jwk", attacker.public().to_json()),
        ("x5c", json!(["AAAA"])),
    ] {
        let forged = forge(&attacker, &with(header(&honest), name, value.clone()), &claims());
        assert_eq!(
            code(run(&forged, &published(&[&honest]), &expected())),
            "signature_invalid",
            "{name}"
        );
        // The same header on an honest token is ignored.
        let fine = forge(&honest, &with(header(&honest), name, value), &claims());
        assert_eq!(
            code(run(&fine, &published(&[&honest]), &expected())),
            "accepted",
            "{name}"
        );
    }
}

#[test]
fn critical_headers_are_refused() {
    let key = key(Algorithm::Es256);
    for (name, value) in [
        ("crit", json!(["exp"])),
        ("crit", json!([])),
        ("b64", json!(false)),
    ] {
        let token = forge(&key, &with(header(&key), name, value), &claims());
        assert_eq!(
            code(run(&token, &published(&[&key]), &expected())),
            "crit_unsupported"
        );
    }
}

#[test]
fn a_token_without_kid_needs_exactly_one_fitting_key() {
    let (one, two, rsa) = (
        key(Algorithm::Es256),
        key(Algorithm::Es256),
        key(Algorithm::Rs256),
    );
    let token = forge(&one, &json!({ "alg": "ES256" }), &claims());
    assert_eq!(code(run(&token, &published(&[&one]), &expected())), "accepted");
    assert_eq!(
        code(run(&token, &published(&[&rsa, &one]), &expected())),
        "accepted"
    );
    assert_eq!(
        code(run(&token, &published(&[&one, &two]), &expected())),
        "kid_required"
    );
    assert_eq!(
        code(run(&token, &published(&[&rsa]), &expected())),
        "alg_key_mismatch"
    );
}

#[test]
fn an_unknown_kid_asks_for_a_refetch_and_rotation_then_verifies() {
    let (old, new) = (key(Algorithm::Es256), key(Algorithm::Es256));
    let token = forge(&new, &header(&new), &claims());
    assert_eq!(code(run(&token, &published(&[&old]), &expected())), "kid_unknown");
    assert_eq!(
        code(run(&token, &published(&[&old, &new]), &expected())),
        "accepted"
    );
    assert_eq!(
        code(run(&token, &JwkSet::default(), &expected())),
        "no_usable_key"
    );
    let nameless = forge(&new, &json!({ "alg": "ES256" }), &claims());
    assert_eq!(
        code(run(&nameless, &published(&[&old]), &expected())),
        "signature_invalid"
    );
    for error in [
        OidcError::KidUnknown,
        OidcError::NoUsableKey,
        OidcError::SignatureInvalid,
    ] {
        assert!(error.may_need_newer_keys());
    }
    assert!(!OidcError::AlgNone.may_need_newer_keys() && !OidcError::Expired.may_need_newer_keys());
}

#[test]
fn other_token_types_are_refused() {
    let key = key(Algorithm::Es256);
    for typ in ["at+jwt", "application/at+jwt", "logout+jwt", "dpop+jwt", ""] {
        let token = forge(&key, &with(header(&key), "typ", json!(typ)), &claims());
        assert_eq!(
            code(run(&token, &published(&[&key]), &expected())),
            "typ_wrong",
            "{typ}"
        );
    }
    for typ in [Value::Null, json!("JWT"), json!("jwt"), json!("application/jwt")] {
        let token = forge(&key, &with(header(&key), "typ", typ), &claims());
        assert_eq!(code(run(&token, &published(&[&key]), &expected())), "accepted");
    }
}

#[test]
fn issuer_is_compared_byte_for_byte() {
    assert_eq!(code(with_claim("iss", Value::Null)), "iss_missing");
    for iss in [
        "https://idp.example/",
        "https://IDP.example",
        "http://idp.example",
        "https://attacker.example",
        "",
    ] {
        assert_eq!(code(with_claim("iss", json!(iss))), "iss_mismatch", "{iss}");
    }
    assert_eq!(code(with_claim("iss", json!([ISSUER]))), "iss_mismatch");
}

#[test]
fn audience_and_authorized_party_must_be_us() {
    assert_eq!(code(with_claim("aud", Value::Null)), "aud_missing");
    assert_eq!(code(with_claim("aud", json!("other"))), "aud_mismatch");
    assert_eq!(code(with_claim("aud", json!(["other"]))), "aud_mismatch");
    assert_eq!(code(with_claim("aud", json!([CLIENT]))), "accepted");
    assert_eq!(code(with_claim("aud", json!([CLIENT, "api"]))), "azp_missing");
    assert_eq!(code(with_claim("azp", json!("other"))), "azp_mismatch");
    assert_eq!(code(with_claim("azp", json!(CLIENT))), "accepted");
    let key = key(Algorithm::Es256);
    let several = with(
        with(claims(), "aud", json!(["api", CLIENT])),
        "azp",
        json!(CLIENT),
    );
    assert_eq!(
        code(run(
            &forge(&key, &header(&key), &several),
            &published(&[&key]),
            &expected()
        )),
        "accepted"
    );
}

#[test]
fn times_are_checked_with_the_tolerance_and_no_more() {
    assert_eq!(code(with_claim("exp", Value::Null)), "exp_missing");
    assert_eq!(code(with_claim("exp", json!(NOW - 59))), "accepted");
    assert_eq!(code(with_claim("exp", json!(NOW - 60))), "expired");
    assert_eq!(code(with_claim("exp", json!("soon"))), "time_invalid");
    assert_eq!(code(with_claim("iat", Value::Null)), "iat_missing");
    assert_eq!(code(with_claim("iat", json!(NOW + 60))), "accepted");
    assert_eq!(code(with_claim("iat", json!(NOW + 61))), "iat_in_future");
    assert_eq!(code(with_claim("nbf", json!(NOW + 61))), "not_yet_valid");
    assert_eq!(code(with_claim("nbf", json!(NOW + 60))), "accepted");
}

#[test]
fn nonce_must_be_the_one_sent() {
    assert_eq!(code(with_claim("nonce", Value::Null)), "nonce_missing");
    assert_eq!(code(with_claim("nonce", json!("other"))), "nonce_mismatch");
    assert_eq!(code(with_claim("nonce", json!([NONCE]))), "nonce_mismatch");
    let refreshed = Expected {
        nonce: Nonce::Refreshed(NONCE),
        ..expected()
    };
    assert_eq!(code(with_claim_and("nonce", Value::Null, &refreshed)), "accepted");
    assert_eq!(
        code(with_claim_and("nonce", json!(NONCE), &refreshed)),
        "accepted"
    );
    assert_eq!(
        code(with_claim_and("nonce", json!("other"), &refreshed)),
        "nonce_mismatch"
    );
}

#[test]
fn max_age_makes_auth_time_required_and_fractions_are_read() {
    let aged = Expected {
        max_age: Some(MINUTE),
        ..expected()
    };
    assert_eq!(
        code(with_claim_and("auth_time", Value::Null, &aged)),
        "auth_time_missing"
    );
    assert_eq!(
        code(with_claim_and("auth_time", json!(NOW - 121), &aged)),
        "auth_time_too_old"
    );
    assert_eq!(
        code(with_claim_and("auth_time", json!(NOW - 120), &aged)),
        "accepted"
    );
    let verified = with_claim("auth_time", json!(1_789_999_999.482)).unwrap();
    assert_eq!(verified.auth_time().unwrap().as_second(), 1_789_999_999);
}

#[test]
fn hashes_of_code_and_access_token_are_checked_when_present() {
    for algorithm in Algorithm::ALL {
        let key = key(*algorithm);
        let keys = published(&[&key]);
        let hash = half_hash(algorithm.hash(), "at-value");
        let with_code = Expected {
            code: Some("at-value"),
            ..expected()
        };
        let with_access = Expected {
            access_token: Some("at-value"),
            ..expected()
        };
        let wrong_access = Expected {
            access_token: Some("other"),
            ..expected()
        };
        let token = forge(&key, &header(&key), &with(claims(), "at_hash", json!(hash)));
        assert_eq!(code(run(&token, &keys, &with_access)), "accepted");
        assert_eq!(code(run(&token, &keys, &wrong_access)), "at_hash_mismatch");
        let token = forge(&key, &header(&key), &with(claims(), "c_hash", json!("AAAA")));
        assert_eq!(code(run(&token, &keys, &with_code)), "c_hash_mismatch");
        let token = forge(&key, &header(&key), &with(claims(), "c_hash", json!(hash)));
        assert_eq!(code(run(&token, &keys, &with_code)), "accepted");
    }
}

#[test]
fn a_subject_is_required() {
    assert_eq!(code(with_claim("sub", Value::Null)), "sub_missing");
    assert_eq!(code(with_claim("sub", json!(""))), "sub_invalid");
    assert_eq!(code(with_claim("sub", json!(5))), "sub_invalid");
}

#[test]
fn session_claims_are_read_in_each_form() {
    assert_eq!(
        with_claim("amr", json!(["pwd", "mfa"])).unwrap().amr(),
        ["pwd", "mfa"]
    );
    assert_eq!(with_claim("amr", json!("pwd")).unwrap().amr(), ["pwd"]);
    assert!(with_claim("amr", json!(5)).unwrap().amr().is_empty());
    assert_eq!(with_claim("sid", json!("s1")).unwrap().session_id(), Some("s1"));
    let verified = with_claim("session_expiry", json!(NOW + 3600)).unwrap();
    assert_eq!(verified.session_expiry().unwrap().as_second(), NOW + 3600);
}

#[test]
fn hostile_shapes_end_in_a_code() {
    let key = key(Algorithm::Es256);
    let keys = published(&[&key]);
    let head = header(&key).to_string();
    let good = forge(&key, &header(&key), &claims());
    let nested = format!("{{\"a\":{}{}}}", "[".repeat(40_000), "]".repeat(40_000));
    let repeated = format!(r#"{{"iss":"{ISSUER}","sub":"a","sub":"admin"}}"#);
    let cases = [
        (String::new(), "token_malformed"),
        ("garbage".into(), "token_malformed"),
        ("a.b.c".into(), "header_malformed"),
        ("a.b.c.d.e".into(), "token_encrypted"),
        ("x".repeat(10 * 1024 * 1024), "token_too_large"),
        (good[..good.len() / 3].into(), "token_malformed"),
        (good[..good.len() - 6].into(), "signature_invalid"),
        (format!("{good}="), "token_malformed"),
        (format!(" {good}"), "header_malformed"),
        (good.replacen('.', "\n.", 1), "header_malformed"),
        (forge_raw(&key, &head, nested.as_bytes()), "claims_malformed"),
        (forge_raw(&key, &nested, b"{}"), "header_malformed"),
        (forge_raw(&key, &head, &[0xff, 0xfe, 0xfd]), "claims_malformed"),
        (forge_raw(&key, &head, b"[]"), "claims_malformed"),
        (forge_raw(&key, &head, repeated.as_bytes()), "claims_malformed"),
        (forge_raw(&key, r#"{"typ":"JWT"}"#, b"{}"), "header_malformed"),
        (forge_raw(&key, r#"{"alg":5}"#, b"{}"), "header_malformed"),
        (
            forge_raw(&key, r#"{"alg":"ES256","kid":5}"#, b"{}"),
            "header_malformed",
        ),
        (
            forge_raw(&key, r#"{"alg":"none","alg":"ES256"}"#, b"{}"),
            "header_malformed",
        ),
    ];
    for (token, wanted) in cases {
        let shown: String = token.chars().take(40).collect();
        assert_eq!(code(run(&token, &keys, &expected())), wanted, "{shown}");
    }
}

#[test]
fn debug_shows_no_claim_values() {
    let verified = with_claim("email", json!("ada@x.example")).unwrap();
    assert!(!format!("{:?}", verified.claims()).contains("ada@"));
}
