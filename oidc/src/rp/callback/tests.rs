use super::{Expected, check};
use crate::{OidcError, Params};

fn expected() -> Expected<'static> {
    Expected {
        state: "st4te",
        issuer: "https://idp.example",
        iss_required: false,
    }
}

fn code(query: &str, expected: &Expected<'_>) -> &'static str {
    check(&Params::parse(query.as_bytes()), expected).map_or_else(|refusal| refusal.code(), |_| "accepted")
}

#[test]
fn a_matching_answer_gives_the_code() {
    let params = Params::parse(b"code=abc&state=st4te&session_state=x");
    let answer = check(&params, &expected()).unwrap();
    assert_eq!(answer.secret().expose(), "abc");
    assert!(!format!("{answer:?}").contains("abc"));
}

#[test]
fn state_must_be_the_one_of_this_browser() {
    assert_eq!(code("code=abc", &expected()), "state_missing");
    assert_eq!(code("code=abc&state=", &expected()), "state_missing");
    assert_eq!(code("code=abc&state=other", &expected()), "state_mismatch");
    let blank = Expected {
        state: "",
        ..expected()
    };
    assert_eq!(code("code=abc&state=x", &blank), "state_mismatch");
}

#[test]
fn rfc9207_an_honest_code_with_the_attackers_issuer_is_refused() {
    let required = Expected {
        iss_required: true,
        ..expected()
    };
    let honest = "code=abc&state=st4te&iss=https%3A%2F%2Fidp.example";
    assert_eq!(code(honest, &required), "accepted");
    assert_eq!(code("code=abc&state=st4te", &required), "callback_iss_missing");
    let attacker = "code=abc&state=st4te&iss=https%3A%2F%2Fattacker.example";
    assert_eq!(code(attacker, &required), "callback_iss_mismatch");
    assert_eq!(code(attacker, &expected()), "callback_iss_mismatch");
    // An error answer of another issuer must not end this sign-in either.
    assert_eq!(
        code("error=access_denied&state=st4te", &required),
        "callback_iss_missing"
    );
}

#[test]
fn provider_errors_are_coded_and_their_words_cleaned() {
    for (error, wanted) in [
        ("access_denied", "provider_access_denied"),
        ("login_required", "provider_interaction"),
        ("consent_required", "provider_interaction"),
        ("invalid_request", "provider_invalid_request"),
        ("unauthorized_client", "provider_unauthorized_client"),
        ("invalid_scope", "provider_invalid_scope"),
        ("temporarily_unavailable", "provider_unavailable"),
        ("server_error", "provider_unavailable"),
        ("made_up", "provider_other"),
    ] {
        assert_eq!(code(&format!("error={error}&state=st4te"), &expected()), wanted);
    }
    assert_eq!(
        code("error=access_denied&state=other", &expected()),
        "state_mismatch"
    );
    let query = b"error=access_denied&error_description=AADSTS50105%0A%3Cb%3E&state=st4te&code=abc";
    let refusal = check(&Params::parse(query), &expected()).unwrap_err();
    assert_eq!(refusal.error, OidcError::ProviderAccessDenied);
    assert_eq!(refusal.detail.as_deref(), Some("access_denied: AADSTS50105b"));
}

#[test]
fn repeated_missing_and_oversized_parameters_are_refused() {
    assert_eq!(code("state=st4te", &expected()), "code_missing");
    assert_eq!(
        code("code=a&code=b&state=st4te", &expected()),
        "parameter_repeated"
    );
    assert_eq!(
        code("code=a&state=st4te&state=st4te", &expected()),
        "parameter_repeated"
    );
    let long = format!("code={}&state=st4te", "x".repeat(10 * 1024 * 1024));
    assert_eq!(code(&long, &expected()), "parameter_too_long");
    let garbage = check(&Params::parse(&[0xff, b'=', 0xfe, b'&', b'%', b'z']), &expected());
    assert_eq!(garbage.unwrap_err().error, OidcError::StateMissing);
}
