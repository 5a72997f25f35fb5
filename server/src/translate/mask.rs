//! Takes secrets out of claims before anything sees them: rules, traces and the last claims never hold any. The one place that
//! says what a secret is; the log of directories' requests asks here too.
//!
//! A secret is told by its name (`password`, `accessToken`) or by its form (a JWT, a private key).
//! Names such as `token_use` or `secretary` hold none and stay.

use serde_json::{Map, Value};

/// What stands in the place of a secret.
pub const MASK: &str = "•••";

/// Parts of names that say "secret", without punctuation and case: `clientSecret`, `x-api-key` and `accesstoken` hold one alike.
const PARTS: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "secret",
    "token",
    "credential",
    "apikey",
    "accesskey",
    "privatekey",
    "authorization",
    "cookie",
];
/// Whole names that say so.
const NAMES: &[&str] = &["pwd", "pin", "otp", "ssn"];
/// Names that only sound like it. Rules of real customers look at these.
const HARMLESS: &[&str] = &["tokenuse", "tokentype", "secretary", "secretariat"];

/// Masks the secrets among claims, at any depth.
pub fn mask(claims: &mut Map<String, Value>) {
    for (name, value) in claims {
        if is_secret_name(name) {
            *value = masked(value);
        } else {
            mask_inside(value);
        }
    }
}

fn mask_inside(value: &mut Value) {
    match value {
        Value::Object(members) => mask(members),
        Value::Array(entries) => entries.iter_mut().for_each(mask_inside),
        Value::String(text) if is_secret_text(text) => MASK.clone_into(text),
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Keeps the shape of a list, so that rules which expect one go on working.
fn masked(value: &Value) -> Value {
    match value {
        Value::Null => Value::Null,
        Value::Array(entries) => Value::Array(entries.iter().map(masked).collect()),
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {
            Value::String(MASK.to_owned())
        }
    }
}

/// Tells whether a name, path or URN speaks of a secret.
pub fn is_secret_name(name: &str) -> bool {
    name.split(['.', ':', '[', ']', ' ', '"', '/']).any(|part| {
        let plain: String = part
            .chars()
            .filter(char::is_ascii_alphanumeric)
            .map(|letter| letter.to_ascii_lowercase())
            .collect();
        let is_harmless = HARMLESS.contains(&plain.as_str());
        !is_harmless && (NAMES.contains(&plain.as_str()) || PARTS.iter().any(|secret| plain.contains(secret)))
    })
}

/// Tells whether a text is a secret by its form, whatever its name: a JWT or a private key.
pub fn is_secret_text(text: &str) -> bool {
    let is_jwt = text.starts_with("eyJ") && text.split('.').count() >= 3 && !text.contains(' ');
    is_jwt || (text.contains("-----BEGIN ") && text.contains("PRIVATE KEY"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn secrets_are_masked_by_name_and_by_form_and_nothing_else_is() {
        let claims = json!({
            "email": "ann@home-lab.example", "groups": ["admin", "secret-project"], "token_use": "id", "secretary": "Bo",
            "password": "hunter2", "userPassword": "hunter2", "access_token": ["a", "b"], "https://x.example/claims/apiKey": "k",
            "x-api-key": "k", "key": "public", "nested": { "client_secret": "s", "note": "eyJhbGciOi.eyJzdWIi.c2ln" },
            "pem": "-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----", "otp": null,
        });
        let Value::Object(mut claims) = claims else {
            unreachable!()
        };
        mask(&mut claims);
        assert_eq!(
            Value::Object(claims),
            json!({
                "email": "ann@home-lab.example", "groups": ["admin", "secret-project"], "token_use": "id", "secretary": "Bo",
                "password": MASK, "userPassword": MASK, "access_token": [MASK, MASK], "https://x.example/claims/apiKey": MASK,
                "x-api-key": MASK, "key": "public", "nested": { "client_secret": MASK, "note": MASK },
                "pem": MASK, "otp": null,
            })
        );
    }
}
