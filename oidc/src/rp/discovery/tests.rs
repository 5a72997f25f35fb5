use serde_json::{Value, json};

use super::{AuthMethod, Expected, ProviderMetadata, parse, well_known_url};
use crate::fixtures::with;
use crate::jose::Algorithm;
use crate::{OidcError, Transport};

const ISSUER: &str = "https://idp.example/realms/a";

fn document() -> Value {
    json!({
        "issuer": ISSUER,
        "authorization_endpoint": "https://idp.example/auth",
        "token_endpoint": "https://idp.example/token",
        "jwks_uri": "https://idp.example/jwks",
        "userinfo_endpoint": "https://idp.example/me",
        "response_types_supported": ["code", "code id_token"],
        "id_token_signing_alg_values_supported": ["none", "HS256", "RS256", "ES256", "XX"],
        "token_endpoint_auth_methods_supported": ["tls_client_auth", "client_secret_post", "private_key_jwt"],
        "authorization_response_iss_parameter_supported": true,
        "backchannel_logout_supported": true,
    })
}

fn run(document: &Value) -> Result<ProviderMetadata, OidcError> {
    let expected = Expected {
        issuer: ISSUER,
        tenant: None,
        transport: Transport::HttpsOnly,
    };
    parse(document.to_string().as_bytes(), &expected)
}

fn code(document: &Value) -> &'static str {
    run(document).map_or_else(OidcError::code, |_| "accepted")
}

#[test]
fn a_document_is_read() {
    let metadata = run(&document()).unwrap();
    assert_eq!(metadata.issuer, ISSUER);
    assert_eq!(metadata.id_token_algorithms, [Algorithm::Rs256, Algorithm::Es256]);
    assert_eq!(
        metadata.auth_methods,
        [AuthMethod::ClientSecretPost, AuthMethod::PrivateKeyJwt]
    );
    assert_eq!(metadata.secret_method(), Ok(AuthMethod::ClientSecretPost));
    assert!(metadata.iss_parameter_supported);
    assert!(metadata.backchannel_logout_supported);
    assert!(!metadata.backchannel_logout_session_supported);
    assert_eq!(metadata.end_session_endpoint, None);
    assert_eq!(
        metadata.accepted_algorithms(&[Algorithm::Es256]),
        Ok(vec![Algorithm::Es256])
    );
    assert_eq!(
        metadata.accepted_algorithms(&[Algorithm::EdDsa]),
        Err(OidcError::NoCommonAlg)
    );
}

#[test]
fn defaults_follow_the_specification() {
    let bare = with(document(), "token_endpoint_auth_methods_supported", Value::Null);
    let bare = with(bare, "id_token_signing_alg_values_supported", Value::Null);
    let metadata = run(&bare).unwrap();
    assert_eq!(metadata.auth_methods, [AuthMethod::ClientSecretBasic]);
    assert_eq!(metadata.id_token_algorithms, [Algorithm::Rs256]);
    let none = run(&with(
        document(),
        "token_endpoint_auth_methods_supported",
        json!(["none"]),
    ))
    .unwrap();
    assert_eq!(none.secret_method(), Err(OidcError::NoCommonAuthMethod));
}

#[test]
fn the_issuer_must_be_the_configured_one_byte_for_byte() {
    for stated in [
        "https://idp.example/realms/a/",
        "https://idp.example/realms/b",
        "https://IDP.example/realms/a",
    ] {
        assert_eq!(
            code(&with(document(), "issuer", json!(stated))),
            "issuer_mismatch",
            "{stated}"
        );
    }
    assert_eq!(code(&with(document(), "issuer", Value::Null)), "issuer_mismatch");
    assert_eq!(
        code(&with(document(), "issuer", json!([ISSUER]))),
        "issuer_mismatch"
    );
}

#[test]
fn entra_templates_are_expanded_for_the_given_tenant_only() {
    let template = with(
        document(),
        "issuer",
        json!("https://login.example/{tenantid}/v2.0"),
    );
    let run = |issuer: &str, tenant| {
        let expected = Expected {
            issuer,
            tenant,
            transport: Transport::HttpsOnly,
        };
        parse(template.to_string().as_bytes(), &expected).map(|m| m.issuer)
    };
    let own = "https://login.example/11-22/v2.0";
    assert_eq!(run(own, Some("11-22")), Ok(own.to_owned()));
    assert_eq!(run(own, Some("33-44")), Err(OidcError::IssuerMismatch));
    assert_eq!(run(own, None), Err(OidcError::IssuerTemplateUnbound));
    assert_eq!(
        run("https://login.example/{tenantid}/v2.0", None),
        Err(OidcError::IssuerTemplateUnbound)
    );
    assert_eq!(run(own, Some("../x")), Err(OidcError::TenantInvalid));
    assert_eq!(run(own, Some("")), Err(OidcError::TenantInvalid));
}

#[test]
fn endpoints_must_be_there_and_https() {
    for name in ["authorization_endpoint", "token_endpoint", "jwks_uri"] {
        assert_eq!(
            code(&with(document(), name, Value::Null)),
            "endpoint_missing",
            "{name}"
        );
    }
    for name in [
        "authorization_endpoint",
        "token_endpoint",
        "jwks_uri",
        "userinfo_endpoint",
        "end_session_endpoint",
    ] {
        assert_eq!(
            code(&with(document(), name, json!("http://idp.example/x"))),
            "endpoint_insecure",
            "{name}"
        );
        assert_eq!(
            code(&with(document(), name, json!("http://169.254.169.254/x"))),
            "endpoint_insecure"
        );
        assert_eq!(
            code(&with(document(), name, json!("file:///etc/passwd"))),
            "endpoint_invalid",
            "{name}"
        );
        assert_eq!(
            code(&with(document(), name, json!(5))),
            "endpoint_invalid",
            "{name}"
        );
    }
}

#[test]
fn loopback_http_is_for_those_who_allow_it() {
    let local = json!({
        "issuer": "http://localhost:9000",
        "authorization_endpoint": "http://localhost:9000/auth",
        "token_endpoint": "http://127.0.0.1:9000/token",
        "jwks_uri": "http://localhost:9000/jwks",
    });
    let run = |transport| {
        let expected = Expected {
            issuer: "http://localhost:9000",
            tenant: None,
            transport,
        };
        parse(local.to_string().as_bytes(), &expected).map(|m| m.issuer)
    };
    assert_eq!(
        run(Transport::HttpLoopbackToo),
        Ok("http://localhost:9000".into())
    );
    assert_eq!(run(Transport::HttpsOnly), Err(OidcError::EndpointInsecure));
}

#[test]
fn a_provider_without_code_flow_or_s256_is_refused() {
    assert_eq!(
        code(&with(document(), "response_types_supported", json!(["id_token"]))),
        "code_flow_unsupported"
    );
    assert_eq!(
        code(&with(document(), "grant_types_supported", json!(["implicit"]))),
        "code_flow_unsupported"
    );
    assert_eq!(
        code(&with(
            document(),
            "code_challenge_methods_supported",
            json!(["plain"])
        )),
        "pkce_unsupported"
    );
    assert_eq!(
        code(&with(
            document(),
            "code_challenge_methods_supported",
            json!(["plain", "S256"])
        )),
        "accepted"
    );
}

#[test]
fn hostile_documents_end_in_a_code() {
    let expected = Expected {
        issuer: ISSUER,
        tenant: None,
        transport: Transport::HttpsOnly,
    };
    let run = |bytes: &[u8]| parse(bytes, &expected).map(|_| ()).unwrap_err();
    assert_eq!(run(b""), OidcError::DocumentMalformed);
    assert_eq!(run(b"[]"), OidcError::DocumentMalformed);
    assert_eq!(run(&[0xff, 0xfe]), OidcError::DocumentMalformed);
    assert_eq!(run(&vec![b'['; 200_000]), OidcError::DocumentMalformed);
    assert_eq!(run(&vec![b' '; 10 * 1024 * 1024]), OidcError::DocumentTooLarge);
    let text = document().to_string();
    assert_eq!(
        run(&text.as_bytes()[..text.len() / 2]),
        OidcError::DocumentMalformed
    );
    let twice = text.replacen('{', r#"{"issuer":"https://attacker.example","#, 1);
    assert_eq!(run(twice.as_bytes()), OidcError::DocumentMalformed);
}

#[test]
fn the_well_known_url_keeps_the_path() {
    let url = |issuer| well_known_url(issuer, Transport::HttpsOnly).map(String::from);
    let wanted = "https://idp.example/realms/a/.well-known/openid-configuration";
    assert_eq!(url(ISSUER).as_deref(), Ok(wanted));
    assert_eq!(url("https://idp.example/realms/a/").as_deref(), Ok(wanted));
    assert_eq!(
        url("https://x.example").as_deref(),
        Ok("https://x.example/.well-known/openid-configuration")
    );
    assert_eq!(url("http://x.example"), Err(OidcError::EndpointInsecure));
    assert_eq!(url("https://x.example?a=1"), Err(OidcError::IssuerInvalid));
    assert_eq!(url("nonsense"), Err(OidcError::IssuerInvalid));
}
