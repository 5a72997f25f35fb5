use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::{PresentedClient, verify_assertion};
use crate::fixtures::{NOW, forge, header, key, now, published, with};
use crate::jose::{Algorithm, JwkSet};
use crate::op::client::Client;
use crate::rp::discovery::AuthMethod;
use crate::{OAuthError, Params, Secret};

const ISSUER: &str = "https://sso.example";
const ASSERTION_TYPE: &str = "urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer";

fn parse(form: &str, authorization: Option<&str>) -> Result<PresentedClient, OAuthError> {
    PresentedClient::parse(&Params::parse(form.as_bytes()), authorization)
}

fn basic(pair: &str) -> Result<(String, Vec<String>), OAuthError> {
    let header = format!("Basic {}", STANDARD.encode(pair));
    let PresentedClient::Secret {
        client_id, secret, ..
    } = parse("", Some(&header))?
    else {
        panic!("secret expected")
    };
    Ok((
        client_id,
        secret.candidates().map(|s| s.expose().to_owned()).collect(),
    ))
}

#[test]
fn basic_is_read_encoded_and_raw() {
    assert_eq!(basic("app:plain").unwrap(), ("app".into(), vec!["plain".into()]));
    assert_eq!(
        basic("app%2D1:a%2Db").unwrap(),
        ("app-1".into(), vec!["a-b".into(), "a%2Db".into()])
    );
    // Not encoded by the client: the raw reading is the second candidate.
    assert_eq!(basic("app:a+b").unwrap().1, ["a b", "a+b"]);
    assert_eq!(basic("app:a&b=c").unwrap().1, ["a&b=c"]);
    assert_eq!(basic("app:100%").unwrap().1, ["100%"]);
    assert_eq!(basic("app:a:b").unwrap().1, ["a:b"]);
    let unpadded = format!("basic {}", STANDARD_NO_PAD.encode("app:x"));
    assert_eq!(parse("", Some(&unpadded)).unwrap().client_id(), "app");
}

#[test]
fn malformed_headers_are_refused() {
    for header in [
        "",
        "Basic",
        "Basic !!!",
        "Basic YXBw",
        "Basic Og==",
        "Bearer abc",
        "Digest x=y",
        "Basic /w==",
    ] {
        assert_eq!(
            parse("", Some(header)).unwrap_err(),
            OAuthError::ClientAuthMalformed,
            "{header}"
        );
    }
}

#[test]
fn exactly_one_method_may_be_used() {
    let header = format!("Basic {}", STANDARD.encode("app:x"));
    assert_eq!(
        parse("client_secret=x", Some(&header)).unwrap_err(),
        OAuthError::ClientAuthMultiple
    );
    let both = format!(
        "client_id=app&client_secret=x&client_assertion_type={ASSERTION_TYPE}&client_assertion=a.b.c"
    );
    assert_eq!(parse(&both, None).unwrap_err(), OAuthError::ClientAuthMultiple);
    assert_eq!(
        parse("client_id=other", Some(&header)).unwrap_err(),
        OAuthError::ClientMismatch
    );
    assert_eq!(
        parse("client_id=app", Some(&header)).unwrap().method(),
        AuthMethod::ClientSecretBasic
    );
    assert_eq!(parse("", None).unwrap_err(), OAuthError::ClientAuthMissing);
    assert_eq!(
        parse("client_secret=x", None).unwrap_err(),
        OAuthError::ClientAuthMalformed
    );
    assert_eq!(parse("client_id=app", None).unwrap().method(), AuthMethod::None);
    assert_eq!(
        parse("client_id=app&client_secret=x", None).unwrap().method(),
        AuthMethod::ClientSecretPost
    );
    let repeated = parse("client_id=app&client_secret=x&client_secret=y", None);
    assert_eq!(repeated.unwrap_err(), OAuthError::ParameterRepeated);
}

#[test]
fn a_confidential_client_does_not_pass_by_its_name() {
    let client = Client::confidential("app", Vec::new());
    let public = parse("client_id=app", None).unwrap();
    assert_eq!(
        public.check_method(&client),
        Err(OAuthError::ClientAuthMethodNotAllowed)
    );
    let post = parse("client_id=app&client_secret=x", None).unwrap();
    assert_eq!(post.check_method(&client), Ok(()));
    assert_eq!(
        post.check_method(&Client::confidential("b", Vec::new())),
        Err(OAuthError::ClientMismatch)
    );
    let keys_only = Client {
        auth_methods: vec![AuthMethod::PrivateKeyJwt],
        ..client
    };
    assert_eq!(
        post.check_method(&keys_only),
        Err(OAuthError::ClientAuthMethodNotAllowed)
    );
}

fn claims() -> Value {
    json!({ "iss": "app", "sub": "app", "aud": ISSUER, "jti": "j", "iat": NOW, "exp": NOW + 60 })
}

fn assertion(name: &str, value: Value) -> Result<(), OAuthError> {
    let key = key(Algorithm::Es256);
    let token = Secret::new(forge(&key, &header(&key), &with(claims(), name, value)));
    verify_assertion(
        &token,
        "app",
        &published(&[&key]),
        ISSUER,
        SignedDuration::ZERO,
        now(),
    )
    .map(|_| ())
}

#[test]
fn assertions_are_for_our_issuer_only_and_short_lived() {
    assert_eq!(assertion("iat", json!(NOW)), Ok(()));
    for aud in [
        json!([ISSUER]),
        json!("https://sso.example/oauth2/token"),
        json!([ISSUER, "x"]),
        Value::Null,
    ] {
        assert_eq!(assertion("aud", aud), Err(OAuthError::AssertionAudience));
    }
    assert_eq!(assertion("iss", json!("other")), Err(OAuthError::AssertionIssuer));
    assert_eq!(assertion("sub", json!("other")), Err(OAuthError::AssertionIssuer));
    assert_eq!(assertion("exp", json!(NOW)), Err(OAuthError::AssertionExpired));
    assert_eq!(
        assertion("exp", json!(NOW + 301)),
        Err(OAuthError::AssertionLifetime)
    );
    assert_eq!(assertion("exp", Value::Null), Err(OAuthError::AssertionInvalid));
    assert_eq!(assertion("jti", Value::Null), Err(OAuthError::AssertionInvalid));
    assert_eq!(
        assertion("nbf", json!(NOW + 5)),
        Err(OAuthError::AssertionInvalid)
    );
}

#[test]
fn assertion_signatures_are_verified_with_the_clients_keys() {
    let (honest, attacker) = (key(Algorithm::Es256), key(Algorithm::Es256));
    let run = |token: String, keys: &JwkSet| {
        verify_assertion(
            &Secret::new(token),
            "app",
            keys,
            ISSUER,
            SignedDuration::ZERO,
            now(),
        )
        .unwrap_err()
    };
    let keys = published(&[&honest]);
    let forged = forge(&attacker, &header(&honest), &claims());
    assert_eq!(run(forged, &keys), OAuthError::AssertionSignature);
    let none = forge(&attacker, &json!({ "alg": "none" }), &claims());
    assert_eq!(run(none, &keys), OAuthError::AssertionSignature);
    assert_eq!(run("garbage".into(), &keys), OAuthError::AssertionInvalid);
    let good = forge(&honest, &header(&honest), &claims());
    assert_eq!(run(good, &JwkSet::default()), OAuthError::AssertionSignature);
    // An ID or access token of ours is no assertion.
    let typed = forge(&honest, &with(header(&honest), "typ", json!("at+jwt")), &claims());
    assert_eq!(run(typed, &keys), OAuthError::AssertionInvalid);
}

#[test]
fn the_assertion_names_the_client_when_the_form_does_not() {
    let key = key(Algorithm::Es256);
    let token = forge(&key, &header(&key), &claims());
    let form = format!("client_assertion_type={ASSERTION_TYPE}&client_assertion={token}");
    let presented = parse(&form, None).unwrap();
    assert_eq!(
        (presented.client_id(), presented.method()),
        ("app", AuthMethod::PrivateKeyJwt)
    );
    let named = parse(&format!("client_id=other&{form}"), None).unwrap();
    assert_eq!(named.client_id(), "other");
    let wrong_type = format!("client_assertion_type=saml&client_assertion={token}");
    assert_eq!(
        parse(&wrong_type, None).unwrap_err(),
        OAuthError::AssertionTypeUnsupported
    );
    let broken = format!("client_assertion_type={ASSERTION_TYPE}&client_assertion=abc");
    assert_eq!(parse(&broken, None).unwrap_err(), OAuthError::AssertionInvalid);
}
