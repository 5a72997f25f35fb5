use super::{LogoutDecision, parse, validate};
use crate::fixtures::{key, now, published};
use crate::jose::Algorithm;
use crate::op::claims::tests::ada;
use crate::op::client::Client;
use crate::op::tokens::{IdTokenInput, VerifiedHint, id_token, verify_id_token_hint};
use crate::{OAuthError, Params};

const OUT: &str = "https://app.example/out";

fn client() -> Client {
    Client {
        post_logout_redirect_uris: vec![OUT.to_owned()],
        ..Client::confidential("app", Vec::new())
    }
}

fn hint() -> VerifiedHint {
    let key = key(Algorithm::Es256);
    let input = IdTokenInput {
        issuer: "https://sso.example",
        client_id: "app",
        nonce: None,
        scopes: &[],
        access_token: None,
    };
    let token = id_token(&key, &input, &ada(), now()).unwrap();
    verify_id_token_hint(&token, &published(&[&key]), "https://sso.example").unwrap()
}

fn run(
    query: &str,
    hint: Option<&VerifiedHint>,
    session: Option<&str>,
) -> Result<LogoutDecision, OAuthError> {
    validate(
        &parse(&Params::parse(query.as_bytes())).unwrap(),
        hint,
        Some(&client()),
        session,
    )
}

#[test]
fn a_hint_for_the_signed_in_person_needs_no_question() {
    let query = "id_token_hint=x&post_logout_redirect_uri=https://app.example/out&state=a%26b";
    let decision = run(query, Some(&hint()), Some("acc_1")).unwrap();
    assert!(!decision.confirm);
    assert_eq!(
        decision.redirect.unwrap().as_str(),
        "https://app.example/out?state=a%26b"
    );
}

#[test]
fn without_a_fitting_hint_the_person_is_asked() {
    assert!(run("", None, Some("acc_1")).unwrap().confirm);
    assert!(run("client_id=app", None, Some("acc_1")).unwrap().confirm);
    assert!(
        run("id_token_hint=x", Some(&hint()), Some("acc_2"))
            .unwrap()
            .confirm
    );
    assert!(!run("", None, None).unwrap().confirm);
}

#[test]
fn the_target_is_registered_and_bound_to_a_client() {
    let with_client = |uri: &str| {
        run(
            &format!("client_id=app&post_logout_redirect_uri={uri}"),
            None,
            None,
        )
    };
    assert_eq!(with_client(OUT).unwrap().redirect.unwrap().as_str(), OUT);
    for near in [
        "https://app.example/out/",
        "https://app.example/out?x=1",
        "https://evil.example/out",
        "x",
    ] {
        assert_eq!(
            with_client(near),
            Err(OAuthError::LogoutRedirectMismatch),
            "{near}"
        );
    }
    let unbound = run("post_logout_redirect_uri=https://app.example/out", None, None);
    assert_eq!(unbound, Err(OAuthError::LogoutRedirectUnbound));
    let mismatch = run("id_token_hint=x&client_id=other", Some(&hint()), None);
    assert_eq!(mismatch, Err(OAuthError::LogoutClientMismatch));
    assert_eq!(
        run("id_token_hint=x", None, None),
        Err(OAuthError::LogoutHintInvalid)
    );
    let unknown = run(
        "client_id=other&post_logout_redirect_uri=https://app.example/out",
        None,
        None,
    );
    assert_eq!(unknown, Err(OAuthError::ClientUnknown));
    assert!(parse(&Params::parse(b"state=a&state=b")).is_err());
}
