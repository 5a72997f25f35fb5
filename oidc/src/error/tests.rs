use std::collections::HashSet;

use super::{OAuthError, OidcError, Refusal};

#[test]
fn codes_are_unique_and_plain() {
    let codes: Vec<_> = OidcError::ALL.iter().map(|e| e.code()).collect();
    let set: HashSet<_> = codes.iter().collect();
    assert_eq!(set.len(), codes.len());
    let oauth: Vec<_> = OAuthError::ALL.iter().map(|e| e.code()).collect();
    assert_eq!(oauth.iter().collect::<HashSet<_>>().len(), oauth.len());
    for code in codes.iter().chain(&oauth) {
        assert!(
            code.bytes()
                .all(|b| b.is_ascii_lowercase() || b == b'_' || b.is_ascii_digit()),
            "{code}"
        );
    }
}

#[test]
fn oauth_descriptions_fit_the_wire_grammar() {
    // RFC 6749 section 5.2: %x20-21 / %x23-5B / %x5D-7E.
    for error in OAuthError::ALL {
        let text = error.to_string();
        assert!(
            text.bytes()
                .all(|b| matches!(b, 0x20..=0x21 | 0x23..=0x5b | 0x5d..=0x7e)),
            "{text}"
        );
    }
}

#[test]
fn outside_text_is_cleaned_before_it_reaches_a_log() {
    let refusal = Refusal::with_detail(
        OidcError::ProviderOther,
        &format!("bad\r\n<script>{}", "x".repeat(1000)),
    );
    let detail = refusal.detail.unwrap();
    assert!(!detail.contains(['\r', '\n', '<', '>']));
    assert!(detail.len() <= 256);
    assert_eq!(
        Refusal::with_detail(OidcError::ProviderOther, "\u{1}").detail,
        None
    );
}
