//! Whether a provider vouches for an e-mail address.
//!
//! Owns reading the two claims that say so. Never: links an account; that also needs a domain verified by the
//! same organization (the nOAuth attack: an attacker's tenant states the victim's address).

use serde_json::{Map, Value};

/// What the provider says about the address in `email`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EmailTrust {
    /// The provider says that the address is the person's.
    Verified,
    /// The provider says that it is not verified, or says something unreadable.
    Unverified,
    /// The provider says nothing; counts as not verified unless an administrator decided otherwise.
    Unstated,
}

/// Reads `email_verified` (a boolean, or the text that some providers send) and Entra's `xms_edov`
/// (e-mail domain owner verified; a boolean, `1` or a text). A denial by either wins.
pub fn email_trust(claims: &Map<String, Value>) -> EmailTrust {
    let statements = [claims.get("email_verified"), claims.get("xms_edov")];
    let mut trust = EmailTrust::Unstated;
    for value in statements.into_iter().flatten() {
        if is_true(value) {
            trust = EmailTrust::Verified;
        } else {
            return EmailTrust::Unverified;
        }
    }
    trust
}

fn is_true(value: &Value) -> bool {
    match value {
        Value::Bool(flag) => *flag,
        Value::String(text) => text.eq_ignore_ascii_case("true") || text == "1",
        Value::Number(number) => number.as_i64() == Some(1),
        Value::Null | Value::Array(_) | Value::Object(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::{EmailTrust, email_trust};

    fn trust(text: &str) -> EmailTrust {
        email_trust(&serde_json::from_str(text).unwrap())
    }

    #[test]
    fn only_a_clear_yes_is_verified() {
        for yes in [
            r#"{"email_verified":true}"#,
            r#"{"email_verified":"true"}"#,
            r#"{"xms_edov":true}"#,
            r#"{"xms_edov":"1"}"#,
            r#"{"xms_edov":1}"#,
            r#"{"email_verified":true,"xms_edov":true}"#,
        ] {
            assert_eq!(trust(yes), EmailTrust::Verified, "{yes}");
        }
        for no in [
            r#"{"email_verified":false}"#,
            r#"{"email_verified":"false"}"#,
            r#"{"email_verified":null}"#,
            r#"{"email_verified":["true"]}"#,
            r#"{"email_verified":"yes"}"#,
            r#"{"xms_edov":false}"#,
            r#"{"email_verified":true,"xms_edov":false}"#,
        ] {
            assert_eq!(trust(no), EmailTrust::Unverified, "{no}");
        }
        assert_eq!(trust(r#"{"email":"a@b.example"}"#), EmailTrust::Unstated);
    }
}
