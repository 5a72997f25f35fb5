//! Whole sign-ins between the two faces of the crate, through its public interface only: our relying party
//! against our provider, as a sandbox identity provider uses it.

#![cfg(test)]

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use jiff::{SignedDuration, Timestamp};
use provost_oidc::jose::{Algorithm, JwkSet};
use provost_oidc::op::authorize;
use provost_oidc::op::claims::{Subject, userinfo};
use provost_oidc::op::code::{CodeDecision, CodeFacts};
use provost_oidc::op::discovery::Features;
use provost_oidc::op::response::Delivery;
use provost_oidc::op::tokens::{self, AccessTokenInput, IdTokenInput};
use provost_oidc::op::{Client, SigningKey, TokenGrant, code, discovery_document, jwks_document, token};
use provost_oidc::rp::authorization::ResponseMode;
use provost_oidc::rp::id_token::{Expected as IdExpected, Nonce};
use provost_oidc::rp::{
    AuthorizationRequest, ClientAuthentication, EmailTrust, TokenRequest, TokenResponse, callback, discovery,
    email_trust, id_token, userinfo as rp_userinfo,
};
use provost_oidc::{Params, Secret, Transport, pkce};
use url::Url;

const ISSUER: &str = "https://idp.example/sandbox";
const CALLBACK: &str = "https://sso.example/sso/home/oidc/callback";

fn now() -> Timestamp {
    Timestamp::from_second(1_790_000_000).unwrap()
}

fn signing_key() -> SigningKey {
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new()).unwrap();
    SigningKey::from_pkcs8(Algorithm::Es256, pkcs8.as_ref()).unwrap()
}

fn ada() -> Subject {
    Subject {
        sub: "ada".into(),
        email: Some("ada@x.example".into()),
        email_verified: true,
        name: Some("Ada L".into()),
        given_name: Some("Ada".into()),
        family_name: Some("L".into()),
        organization: None,
        organizations: Vec::new(),
        account_kind: "user".into(),
        connection: None,
        amr: vec!["pwd".into()],
        acr: None,
        auth_time: now(),
        sid: Some("idp-session".into()),
        session_expiry: None,
        attributes: serde_json::Map::new(),
    }
}

/// What the provider keeps between authorize and token.
struct Row {
    code: Secret,
    request: authorize::AuthorizeRequest,
}

fn authorize(url: &Url, client: &Client) -> (Row, Url) {
    let params = Params::parse(url.query().unwrap().as_bytes());
    assert_eq!(authorize::client_id(&params), Ok("provost"));
    let request = authorize::validate(&params, client).unwrap();
    let code = Secret::new("c0de+/=");
    let Delivery::Redirect(back) = request.return_to.success(ISSUER, &code).unwrap() else {
        panic!("redirect expected")
    };
    (Row { code, request }, Url::parse(back.expose()).unwrap())
}

fn answer(request: &TokenRequest, row: &Row, key: &SigningKey) -> (String, String) {
    let form = Params::parse(request.body().expose().as_bytes());
    let parsed = token::parse(&form, request.authorization.as_ref().map(Secret::expose)).unwrap();
    assert_eq!(parsed.client.client_id(), "provost");
    let TokenGrant::AuthorizationCode {
        code,
        redirect_uri,
        code_verifier,
    } = parsed.grant
    else {
        panic!("code grant expected")
    };
    assert!(code.matches(row.code.expose()));
    let facts = CodeFacts {
        client_id: "provost",
        redirect_uri: CALLBACK,
        code_challenge: row.request.code_challenge.as_deref(),
        expires: now().checked_add(code::LIFETIME).unwrap(),
        used: false,
    };
    let decision = code::decide(
        &facts,
        "provost",
        redirect_uri.as_deref(),
        code_verifier.as_ref(),
        now(),
    );
    assert_eq!(decision, CodeDecision::Issue);
    let scopes = &row.request.scopes;
    let access = AccessTokenInput {
        issuer: ISSUER,
        client_id: "provost",
        audience: ISSUER,
        scopes,
        jti: "a1",
        lifetime: SignedDuration::from_mins(5),
    };
    let access = tokens::access_token(key, &access, &ada(), now()).unwrap();
    let id = IdTokenInput {
        issuer: ISSUER,
        client_id: "provost",
        nonce: row.request.nonce.as_deref(),
        scopes: &scopes[..1],
        access_token: Some(&access),
    };
    let id = tokens::id_token(key, &id, &ada(), now()).unwrap();
    let body = token::response_json(&access, SignedDuration::from_mins(5), scopes, Some(&id), None);
    (body.to_string(), access)
}

#[test]
fn a_sign_in_passes_from_the_first_redirect_to_the_merged_claims() {
    let key = signing_key();
    let client = Client::confidential("provost", vec![CALLBACK.into()]);
    let document = discovery_document(ISSUER, &Features::default()).to_string();
    let trusted = discovery::Expected {
        issuer: ISSUER,
        tenant: None,
        transport: Transport::HttpsOnly,
    };
    let provider = discovery::parse(document.as_bytes(), &trusted).unwrap();
    let keys = JwkSet::parse(jwks_document(&[key.public()]).to_string().as_bytes()).unwrap();

    let verifier = pkce::verifier(&[9; 32]);
    let scopes = ["profile".to_owned(), "email".to_owned()];
    let request = AuthorizationRequest {
        client_id: "provost",
        redirect_uri: CALLBACK,
        scopes: &scopes,
        state: "st",
        nonce: "no",
        code_verifier: &verifier,
        login_hint: None,
        domain_hint: None,
        prompt: None,
        max_age: Some(SignedDuration::from_mins(10)),
        acr_values: None,
        response_mode: ResponseMode::Query,
    };
    let (row, back) = authorize(&request.url(&provider.authorization_endpoint), &client);

    let expected = callback::Expected {
        state: "st",
        issuer: ISSUER,
        iss_required: provider.iss_parameter_supported,
    };
    let code = callback::check(&Params::parse(back.query().unwrap().as_bytes()), &expected).unwrap();
    let secret = Secret::new("s3c-ret:+%");
    let method = ClientAuthentication::ClientSecretBasic(&secret);
    let exchange = TokenRequest::code(
        &provider.token_endpoint,
        "provost",
        &method,
        &code,
        CALLBACK,
        &verifier,
    )
    .unwrap();
    let (body, access) = answer(&exchange, &row, &key);
    let response = TokenResponse::parse(200, body.as_bytes()).unwrap();

    let expected = IdExpected {
        issuer: &provider.issuer,
        client_id: "provost",
        nonce: Nonce::Required("no"),
        algorithms: &provider.accepted_algorithms(Algorithm::ALL).unwrap(),
        max_age: request.max_age,
        clock_skew: SignedDuration::from_secs(60),
        access_token: Some(response.access_token.expose()),
        code: None,
    };
    let person = id_token::verify(
        response.required_id_token().unwrap().expose(),
        &keys,
        &expected,
        now(),
    )
    .unwrap();
    assert_eq!((person.issuer(), person.subject()), (ISSUER, "ada"));
    assert!(person.claims().get("email").is_none());

    let accepted = tokens::verify_access_token(&access, &keys, ISSUER, ISSUER, now()).unwrap();
    let body = userinfo(&ada(), &accepted.scopes).to_string();
    let expected = rp_userinfo::Expected {
        keys: &keys,
        algorithms: Algorithm::ALL,
        issuer: ISSUER,
        client_id: "provost",
    };
    let more = rp_userinfo::parse(200, "application/json", body.as_bytes(), &expected).unwrap();
    let claims = rp_userinfo::merge(&person, more).unwrap();
    assert_eq!(claims["email"], "ada@x.example");
    assert_eq!(claims["given_name"], "Ada");
    assert_eq!(email_trust(&claims), EmailTrust::Verified);
}
