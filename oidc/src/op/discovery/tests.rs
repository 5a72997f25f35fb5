use super::{Features, discovery_document, jwks_document};
use crate::Transport;
use crate::fixtures::key;
use crate::jose::{Algorithm, JwkSet, SigningKey};
use crate::rp::discovery::{AuthMethod, Expected, parse};

#[test]
fn our_document_satisfies_our_own_relying_party() {
    let document = discovery_document("https://sso.example", &Features::default());
    let expected = Expected {
        issuer: "https://sso.example",
        tenant: None,
        transport: Transport::HttpsOnly,
    };
    let read = parse(document.to_string().as_bytes(), &expected).unwrap();
    assert_eq!(read.token_endpoint.as_str(), "https://sso.example/oauth2/token");
    assert_eq!(read.end_session_endpoint.unwrap().path(), "/oauth2/logout");
    assert_eq!(
        read.id_token_algorithms,
        [Algorithm::Rs256, Algorithm::Es256, Algorithm::EdDsa]
    );
    assert!(read.iss_parameter_supported && read.backchannel_logout_session_supported);
    assert!(read.auth_methods.contains(&AuthMethod::None));
}

#[test]
fn the_document_promises_no_more_than_is_supported() {
    let document = discovery_document("https://sso.example", &Features::default());
    assert_eq!(
        document["code_challenge_methods_supported"],
        serde_json::json!(["S256"])
    );
    assert_eq!(document["response_types_supported"], serde_json::json!(["code"]));
    for absent in [
        "registration_endpoint",
        "pushed_authorization_request_endpoint",
        "check_session_iframe",
    ] {
        assert!(document.get(absent).is_none());
    }
    for off in [
        "request_parameter_supported",
        "request_uri_parameter_supported",
        "claims_parameter_supported",
    ] {
        assert_eq!(document[off], false);
    }
}

#[test]
fn a_sandbox_provider_can_have_its_own_paths() {
    let features = Features {
        token_path: "/sandbox/token".into(),
        ..Features::default()
    };
    let document = discovery_document("http://127.0.0.1:8080/sandbox", &features);
    assert_eq!(
        document["token_endpoint"],
        "http://127.0.0.1:8080/sandbox/sandbox/token"
    );
    assert_eq!(document["issuer"], "http://127.0.0.1:8080/sandbox");
}

#[test]
fn next_current_and_retiring_keys_are_all_published_without_private_parts() {
    let keys = [
        key(Algorithm::Rs256),
        key(Algorithm::Es256),
        key(Algorithm::Es256),
        key(Algorithm::EdDsa),
    ];
    let public: Vec<_> = keys.iter().chain([&keys[0]]).map(SigningKey::public).collect();
    let document = jwks_document(&public);
    assert_eq!(document["keys"].as_array().unwrap().len(), 4);
    for key in document["keys"].as_array().unwrap() {
        for private in ["d", "p", "q", "dp", "dq", "qi", "k"] {
            assert!(key.get(private).is_none());
        }
        assert_eq!(key["use"], "sig");
        assert!(key["alg"].is_string());
    }
    let read = JwkSet::parse(document.to_string().as_bytes()).unwrap();
    assert_eq!(read.keys().len(), 4);
    for (made, read) in keys.iter().zip(read.keys()) {
        assert_eq!(read.kid(), Some(made.kid()));
        assert_eq!(read.thumbprint(), made.kid());
    }
}
