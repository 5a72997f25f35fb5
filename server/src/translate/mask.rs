//! Takes secrets out of claims before anything sees them: rules, traces and the last claims never hold any.
//!
//! A secret is told by the last word of its name (`password`, `access_token`) or by its form (a JWT, a private key).
//! Names such as `token_use` or `secretary` hold none and stay.

use serde_json::{Map, Value};

/// What stands in the place of a secret.
pub const MASK: &str = "•••";

/// Last words of names of secrets.
const SECRET_WORDS: [&str; 12] = [
    "password",
    "passwd",
    "pwd",
    "passphrase",
    "secret",
    "secrets",
    "token",
    "otp",
    "cookie",
    "credential",
    "credentials",
    "apikey",
];
/// Last two words of names of secrets.
const SECRET_PAIRS: [(&str, &str); 3] = [("api", "key"), ("private", "key"), ("secret", "key")];

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

fn is_secret_name(name: &str) -> bool {
    let words = words(name);
    let mut last = words.iter().rev().map(String::as_str);
    let (Some(last), before) = (last.next(), last.next()) else {
        return false;
    };
    SECRET_WORDS.contains(&last) || before.is_some_and(|before| SECRET_PAIRS.contains(&(before, last)))
}

/// Splits a name into words: at anything but letters and digits, and before a capital that follows a small letter.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut before = ' ';
    for letter in name.chars() {
        let begins = letter.is_uppercase() && before.is_lowercase();
        if (begins || !letter.is_alphanumeric()) && words.last().is_some_and(|word| !word.is_empty()) {
            words.push(String::new());
        }
        if letter.is_alphanumeric()
            && let Some(word) = words.last_mut()
        {
            word.extend(letter.to_lowercase());
        }
        before = letter;
    }
    words.retain(|word| !word.is_empty());
    words
}

fn is_secret_text(text: &str) -> bool {
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
