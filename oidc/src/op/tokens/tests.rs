use jiff::SignedDuration;
use serde_json::{Value, json};

use super::{
    AccessTokenInput, IdTokenInput, LogoutTokenInput, access_token, id_token, logout_token,
    verify_access_token, verify_id_token_hint,
};
use crate::OidcError;
use crate::fixtures::{forge, header, key, now, published};
use crate::jose::{Algorithm, JwkSet, SigningKey};
use crate::op::claims::tests::ada;
use crate::rp;

const ISSUER: &str = "https://sso.example";

fn scopes() -> Vec<String> {
    ["openid", "profile", "email"].map(str::to_owned).to_vec()
}

fn new_id_token(key: &SigningKey, access: Option<&str>) -> String {
    let scopes = scopes();
    let input = IdTokenInput {
        issuer: ISSUER,
        client_id: "app",
        nonce: Some("n1"),
        scopes: &scopes,
        access_token: access,
    };
    id_token(key, &input, &ada(), now()).unwrap()
}

fn new_access_token(key: &SigningKey, lifetime: SignedDuration) -> String {
    let scopes = scopes();
    let input = AccessTokenInput {
        issuer: ISSUER,
        client_id: "app",
        audience: ISSUER,
        scopes: &scopes,
        jti: "at1",
        lifetime,
    };
    access_token(key, &input, &ada(), now()).unwrap()
}

fn new_logout_token(key: &SigningKey) -> String {
    let input = LogoutTokenInput {
        issuer: ISSUER,
        client_id: "app",
        sub: "acc_1",
        sid: Some("s1"),
        jti: "lt1",
    };
    logout_token(key, &input, now()).unwrap()
}

fn rp_expected<'a>(nonce: &'a str, access_token: Option<&'a str>) -> rp::id_token::Expected<'a> {
    rp::id_token::Expected {
        issuer: ISSUER,
        client_id: "app",
        nonce: rp::id_token::Nonce::Required(nonce),
        algorithms: Algorithm::ALL,
        max_age: Some(SignedDuration::from_mins(1)),
        clock_skew: SignedDuration::ZERO,
        access_token,
        code: None,
    }
}

fn verify_access(token: &str, keys: &JwkSet, at: i64) -> Result<super::VerifiedAccessToken, OidcError> {
    let at = now().checked_add(SignedDuration::from_secs(at)).unwrap();
    verify_access_token(token, keys, ISSUER, ISSUER, at)
}

#[test]
fn our_id_tokens_satisfy_our_own_relying_party_with_every_algorithm() {
    for algorithm in Algorithm::ALL {
        let key = key(*algorithm);
        let keys = published(&[&key]);
        let access = new_access_token(&key, SignedDuration::from_mins(5));
        let token = new_id_token(&key, Some(&access));
        let verified = rp::id_token::verify(&token, &keys, &rp_expected("n1", Some(&access)), now()).unwrap();
        assert_eq!(verified.subject(), "acc_1");
        assert_eq!(verified.claims().get("aud"), Some(&json!("app")));
        assert_eq!(verified.claims().get("organization"), Some(&json!("home-lab")));
        assert_eq!(verified.session_id(), Some("s1"));
        assert_eq!(verified.amr(), ["fed"]);
        assert!(verified.claims().get("at_hash").is_some());
        assert!(verified.session_expiry().is_some());
    }
}

#[test]
fn a_second_library_accepts_our_tokens() {
    use jsonwebtoken::{Algorithm as Other, DecodingKey, Validation, jwk::Jwk};
    let pairs = [
        (Algorithm::Rs256, Other::RS256),
        (Algorithm::Rs512, Other::RS512),
        (Algorithm::Ps256, Other::PS256),
        (Algorithm::Es256, Other::ES256),
        (Algorithm::Es384, Other::ES384),
        (Algorithm::EdDsa, Other::EdDSA),
    ];
    for (ours, theirs) in pairs {
        let key = key(ours);
        let jwk: Jwk = serde_json::from_value(key.public().to_json()).unwrap();
        assert_eq!(jwk.common.key_id.as_deref(), Some(key.kid()));
        let mut rules = Validation::new(theirs);
        rules.set_audience(&["app"]);
        rules.set_issuer(&[ISSUER]);
        rules.validate_exp = false; // the test's clock stands still
        let decoding = DecodingKey::from_jwk(&jwk).unwrap();
        let token = new_id_token(&key, None);
        let read = jsonwebtoken::decode::<Value>(&token, &decoding, &rules).unwrap();
        assert_eq!(read.claims["sub"], "acc_1");
        assert_eq!(read.header.typ.as_deref(), Some("JWT"));
    }
}

#[test]
fn access_tokens_come_back_until_they_expire() {
    let key = key(Algorithm::Es256);
    let keys = published(&[&key]);
    let token = new_access_token(&key, SignedDuration::from_hours(8));
    let verified = verify_access(&token, &keys, 299).unwrap();
    assert_eq!(
        (verified.sub.as_str(), verified.client_id.as_str()),
        ("acc_1", "app")
    );
    assert_eq!(verified.sid.as_deref(), Some("s1"));
    assert_eq!(verified.jti, "at1");
    assert_eq!(verified.require_scope("email"), Ok(()));
    assert_eq!(verified.require_scope("admin"), Err(OidcError::ScopeInsufficient));
    // Five minutes is the longest life, whatever was asked for.
    assert_eq!(verify_access(&token, &keys, 300).unwrap_err(), OidcError::Expired);
    let other = verify_access_token(&token, &keys, "https://other.example", ISSUER, now());
    assert_eq!(other.unwrap_err(), OidcError::IssMismatch);
    let other = verify_access_token(&token, &keys, ISSUER, "https://api.example", now());
    assert_eq!(other.unwrap_err(), OidcError::AudMismatch);
    let attacker =
        SigningKey::from_pkcs8(Algorithm::Es256, &crate::fixtures::pkcs8(Algorithm::Es256)).unwrap();
    let forged = new_access_token(&attacker, SignedDuration::from_mins(5));
    assert_eq!(
        verify_access(&forged, &keys, 0).unwrap_err(),
        OidcError::KidUnknown
    );
}

#[test]
fn no_token_of_ours_passes_for_another() {
    let key = key(Algorithm::Es256);
    let keys = published(&[&key]);
    let id = new_id_token(&key, None);
    let access = new_access_token(&key, SignedDuration::from_mins(5));
    let logout = new_logout_token(&key);
    for wrong in [&id, &logout] {
        assert_eq!(verify_access(wrong, &keys, 0).unwrap_err(), OidcError::TypWrong);
    }
    for wrong in [&access, &logout] {
        assert_eq!(
            verify_id_token_hint(wrong, &keys, ISSUER).unwrap_err(),
            OidcError::TypWrong
        );
        let as_id = rp::id_token::verify(wrong, &keys, &rp_expected("n1", None), now());
        assert_eq!(as_id.unwrap_err(), OidcError::TypWrong);
    }
    let expected = rp::logout_token::Expected {
        issuer: ISSUER,
        client_id: "app",
        algorithms: Algorithm::ALL,
        clock_skew: SignedDuration::ZERO,
    };
    let as_logout = |token: &str| rp::logout_token::verify(token, &keys, &expected, now());
    assert_eq!(as_logout(&access).unwrap_err(), OidcError::TypWrong);
    assert_eq!(as_logout(&id).unwrap_err(), OidcError::LogoutEventMissing);
    let verified = as_logout(&logout).unwrap();
    assert_eq!(
        (verified.subject(), verified.session_id()),
        (Some("acc_1"), Some("s1"))
    );
}

#[test]
fn hints_are_ours_but_may_have_expired() {
    let (key, retired) = (key(Algorithm::Es256), key(Algorithm::Es256));
    let keys = published(&[&key, &retired]);
    let hint = verify_id_token_hint(&new_id_token(&retired, None), &keys, ISSUER).unwrap();
    assert_eq!((hint.sub.as_str(), hint.client_id.as_str()), ("acc_1", "app"));
    let wrong = verify_id_token_hint(&new_id_token(&key, None), &keys, "https://other.example");
    assert_eq!(wrong.unwrap_err(), OidcError::IssMismatch);
    let odd = forge(
        &key,
        &header(&key),
        &json!({ "iss": ISSUER, "aud": ["app"], "sub": "a" }),
    );
    assert_eq!(
        verify_id_token_hint(&odd, &keys, ISSUER).unwrap_err(),
        OidcError::HintInvalid
    );
    let gone = verify_id_token_hint(&new_id_token(&retired, None), &published(&[&key]), ISSUER);
    assert_eq!(gone.unwrap_err(), OidcError::KidUnknown);
}

#[test]
fn introspection_tells_a_client_about_its_own_tokens() {
    use crate::op::introspection::{access_token as introspect, inactive, refresh_token};
    let key = key(Algorithm::Es256);
    let token = new_access_token(&key, SignedDuration::from_mins(5));
    let verified = verify_access(&token, &published(&[&key]), 0).unwrap();
    let answer = introspect(&verified, ISSUER, "app");
    assert_eq!(answer["active"], true);
    assert_eq!(answer["scope"], "openid profile email");
    assert_eq!(answer["sid"], "s1");
    assert_eq!(introspect(&verified, ISSUER, "other"), inactive());
    let refresh = refresh_token(ISSUER, "app", "acc_1", &scopes(), now());
    assert_eq!(refresh["active"], true);
}
