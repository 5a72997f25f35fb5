use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::SignedDuration;

use super::ClientAuthentication;
use crate::fixtures::{key, now, published};
use crate::jose::Algorithm;
use crate::op::client_auth::{PresentedClient, verify_assertion};
use crate::{Params, Secret};

fn basic_text(id: &str, secret: &str) -> String {
    let secret = Secret::new(secret);
    let credentials = ClientAuthentication::ClientSecretBasic(&secret)
        .credentials(id)
        .unwrap();
    assert!(credentials.form.is_empty());
    let header = credentials.authorization.unwrap();
    let encoded = header.expose().strip_prefix("Basic ").unwrap();
    String::from_utf8(STANDARD.decode(encoded).unwrap()).unwrap()
}

#[test]
fn basic_encodes_only_what_must_be() {
    assert_eq!(basic_text("my-client_1", "a-b.c~d_e!"), "my-client_1:a-b.c~d_e!");
    // A base64 secret with padding: both kinds of server read `=` and `&` as they are.
    assert_eq!(basic_text("c", "Zm9v/YmFy=="), "c:Zm9v/YmFy==");
    assert_eq!(
        basic_text("https://x", "a+b c%ä:"),
        "https%3A//x:a%2Bb%20c%25%C3%A4%3A"
    );
}

#[test]
fn basic_is_read_back_by_a_decoding_server() {
    for secret in ["plain", "a+b c%ä:&=", "100%25", "ünï", "p%2Bq"] {
        let value = Secret::new(secret);
        let made = ClientAuthentication::ClientSecretBasic(&value)
            .credentials("id:1")
            .unwrap();
        let read = PresentedClient::parse(
            &Params::default(),
            made.authorization.as_ref().map(Secret::expose),
        );
        let PresentedClient::Secret {
            client_id,
            secret: presented,
            ..
        } = read.unwrap()
        else {
            panic!("secret expected")
        };
        assert_eq!(client_id, "id:1");
        assert!(presented.candidates().next().unwrap().matches(secret), "{secret}");
    }
}

#[test]
fn post_and_none_send_form_fields() {
    let secret = Secret::new("s");
    let post = ClientAuthentication::ClientSecretPost(&secret)
        .credentials("c")
        .unwrap();
    let names: Vec<_> = post.form.iter().map(|(n, _)| *n).collect();
    assert_eq!(names, ["client_id", "client_secret"]);
    assert!(post.authorization.is_none());
    let none = ClientAuthentication::None.credentials("c").unwrap();
    assert_eq!(none.form.len(), 1);
}

#[test]
fn private_key_jwt_is_for_the_issuer_and_lives_a_minute() {
    for algorithm in [
        Algorithm::Rs256,
        Algorithm::Ps256,
        Algorithm::Es256,
        Algorithm::EdDsa,
    ] {
        let key = key(algorithm);
        let method = ClientAuthentication::PrivateKeyJwt {
            key: &key,
            issuer: "https://idp.example",
            jti: "j1",
            now: now(),
        };
        let made = method.credentials("c").unwrap();
        let assertion = &made
            .form
            .iter()
            .find(|(n, _)| *n == "client_assertion")
            .unwrap()
            .1;
        let keys = published(&[&key]);
        let verified = verify_assertion(
            assertion,
            "c",
            &keys,
            "https://idp.example",
            SignedDuration::ZERO,
            now(),
        );
        let verified = verified.unwrap();
        assert_eq!(verified.jti, "j1");
        assert_eq!(verified.keep_until.as_second(), now().as_second() + 60);
    }
}
