//! Parsers of outside bytes never panic and never accept what was not signed, whatever they are fed.

#![cfg(test)]

use aws_lc_rs::signature::Ed25519KeyPair;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use provost_oidc::jose::{Algorithm, JwkSet, SigningKey, sign_compact};
use provost_oidc::op::{Client, PresentedClient, authorize, bearer, redirect_uri, token};
use provost_oidc::rp::id_token::{Expected, Nonce, verify};
use provost_oidc::rp::{
    ClientAuthentication, TokenResponse, callback, discovery, email_trust, logout_token, userinfo,
};
use provost_oidc::{Params, Secret, Transport, pkce};
use serde_json::{Map, Value, json};

fn now() -> Timestamp {
    Timestamp::from_second(1_790_000_000).unwrap()
}

fn signer() -> &'static (SigningKey, JwkSet) {
    static PAIR: std::sync::OnceLock<(SigningKey, JwkSet)> = std::sync::OnceLock::new();
    PAIR.get_or_init(|| {
        let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
        let pkcs8 = pair.to_pkcs8().unwrap();
        let key = SigningKey::from_pkcs8(Algorithm::EdDsa, pkcs8.as_ref()).unwrap();
        let keys = JwkSet::from_keys([key.public().clone()]);
        (key, keys)
    })
}

fn expected() -> Expected<'static> {
    Expected {
        issuer: "https://idp.example",
        client_id: "c",
        nonce: Nonce::Required("n"),
        algorithms: Algorithm::ALL,
        max_age: None,
        clock_skew: SignedDuration::from_secs(60),
        access_token: Some("a"),
        code: Some("c"),
    }
}

fn good_claims() -> Map<String, Value> {
    let iat = now().as_second();
    let claims = json!({ "iss": "https://idp.example", "sub": "ada", "aud": "c", "nonce": "n", "iat": iat, "exp": iat + 60 });
    claims.as_object().unwrap().clone()
}

/// Any JSON value of modest depth.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<i32>().prop_map(|n| Value::from(f64::from(n) / 4.0)),
        ".{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((".{0,6}", inner), 0..4)
                .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
        ]
    })
}

/// Names that the parsers look at, so that random documents reach their depths.
fn known_name() -> impl Strategy<Value = String> {
    const NAMES: &[&str] = &[
        "iss",
        "sub",
        "aud",
        "azp",
        "exp",
        "iat",
        "nbf",
        "nonce",
        "auth_time",
        "at_hash",
        "c_hash",
        "sid",
        "jti",
        "events",
        "email",
        "email_verified",
        "xms_edov",
        "amr",
        "keys",
        "kty",
        "issuer",
        "jwks_uri",
        "token_endpoint",
        "authorization_endpoint",
        "access_token",
        "token_type",
        "error",
        "expires_in",
    ];
    prop::sample::select(NAMES).prop_map(str::to_owned)
}

fn any_document() -> impl Strategy<Value = Map<String, Value>> {
    prop::collection::vec((known_name(), any_json()), 0..8).prop_map(|pairs| pairs.into_iter().collect())
}

fn feed_bytes(bytes: &[u8]) {
    let trusted = discovery::Expected {
        issuer: "https://idp.example",
        tenant: Some("t"),
        transport: Transport::HttpsOnly,
    };
    let _ = discovery::parse(bytes, &trusted);
    let _ = JwkSet::parse(bytes);
    let _ = TokenResponse::parse(200, bytes);
    let _ = TokenResponse::parse(400, bytes);
    let keys = &signer().1;
    let info = userinfo::Expected {
        keys,
        algorithms: Algorithm::ALL,
        issuer: "i",
        client_id: "c",
    };
    let _ = userinfo::parse(200, "application/json", bytes, &info);
    let _ = userinfo::parse(200, "application/jwt", bytes, &info);
    let params = Params::parse(bytes);
    let client = Client::confidential("c", vec!["https://a.example/cb".into()]);
    let _ = authorize::validate(&params, &client);
    let _ = token::parse(&params, None);
    let answer = callback::Expected {
        state: "s",
        issuer: "i",
        iss_required: true,
    };
    let _ = callback::check(&params, &answer);
}

fn feed_text(text: &str) {
    let keys = &signer().1;
    assert!(verify(text, keys, &expected(), now()).is_err());
    let logout = logout_token::Expected {
        issuer: "i",
        client_id: "c",
        algorithms: Algorithm::ALL,
        clock_skew: SignedDuration::ZERO,
    };
    assert!(logout_token::verify(text, keys, &logout, now()).is_err());
    let _ = PresentedClient::parse(&Params::default(), Some(text));
    let _ = PresentedClient::parse(&Params::default(), Some(&format!("Basic {text}")));
    let _ = bearer::parse(Some(text));
    let client = Client::confidential("c", vec!["https://a.example/cb".into()]);
    assert!(text == "https://a.example/cb" || !redirect_uri::is_registered(&client, text));
    let _ = Transport::HttpLoopbackToo.check(text);
    let _ = discovery::well_known_url(text, Transport::HttpLoopbackToo);
    let _ = pkce::verify(text, text);
}

proptest! {
    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        feed_bytes(&bytes);
        feed_text(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn random_text_never_panics(text in ".{0,200}", dotted in "[A-Za-z0-9_-]{0,40}(\\.[A-Za-z0-9_-]{0,40}){2}") {
        feed_text(&text);
        feed_text(&dotted);
    }

    #[test]
    fn random_documents_never_panic(document in any_document()) {
        feed_bytes(&serde_json::to_vec(&document).unwrap());
        let _ = email_trust(&document);
    }

    #[test]
    fn signed_claims_of_any_shape_never_panic(changes in any_document()) {
        let (key, keys) = signer();
        let mut claims = good_claims();
        claims.extend(changes.clone());
        let token = sign_compact(key, "JWT", &claims).unwrap();
        if let Ok(verified) = verify(&token, keys, &expected(), now()) {
            prop_assert_eq!(verified.claims().as_map(), &claims);
            prop_assert_eq!(claims["iss"].as_str(), Some("https://idp.example"));
            prop_assert_eq!(Some(verified.subject()), claims["sub"].as_str());
        }
        let logout = logout_token::Expected {
            issuer: "https://idp.example",
            client_id: "c",
            algorithms: Algorithm::ALL,
            clock_skew: SignedDuration::ZERO,
        };
        let _ = logout_token::verify(&token, keys, &logout, now());
    }

    #[test]
    fn any_secret_survives_basic(id in "\\PC{1,30}", secret in "\\PC{1,60}") {
        let secret_value = Secret::new(secret.as_str());
        let made = ClientAuthentication::ClientSecretBasic(&secret_value).credentials(&id).unwrap();
        let header = made.authorization.as_ref().map(Secret::expose);
        let read = PresentedClient::parse(&Params::default(), header).unwrap();
        prop_assert_eq!(read.client_id(), id);
        let PresentedClient::Secret { secret: presented, .. } = read else { panic!("secret expected") };
        prop_assert!(presented.candidates().next().unwrap().matches(&secret));
    }

    #[test]
    fn one_changed_byte_of_a_good_token_is_refused(index in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let (key, keys) = signer();
        let token = sign_compact(key, "JWT", &good_claims()).unwrap();
        prop_assert!(verify(&token, keys, &expected(), now()).is_ok());
        let mut bytes = token.clone().into_bytes();
        let at = index.index(bytes.len());
        bytes[at] = byte;
        if let Ok(changed) = String::from_utf8(bytes) {
            prop_assert_eq!(changed == token, verify(&changed, keys, &expected(), now()).is_ok());
        }
    }
}
