//! What the request log may keep of a body: everything but values that could open something.

use serde_json::{Map, Value};

use crate::translate::mask::{MASK, is_secret_name, is_secret_text};

/// Longest text that is kept of a body, in bytes.
pub const LONGEST: usize = 4 * 1024;
/// Larger bodies are not looked into.
const LARGEST: usize = 64 * 1024;

/// Writes a body for the log: masked, and cut to [`LONGEST`].
pub fn written(body: &Value, size: usize) -> String {
    if size > LARGEST {
        return format!("{{\"not_kept\":\"{size} bytes\"}}");
    }
    cut(value(body).to_string())
}

/// Writes a query for the log: parameters with secret-like names are masked.
pub fn query(text: &str) -> String {
    let pairs = text.split('&').map(|pair| match pair.split_once('=') {
        Some((name, _)) if is_secret_name(name) => format!("{name}={MASK}"),
        Some(_) | None => pair.to_owned(),
    });
    cut(pairs.collect::<Vec<_>>().join("&"))
}

fn cut(mut text: String) -> String {
    if text.len() <= LONGEST {
        return text;
    }
    let mut end = LONGEST;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
    text.push('…');
    text
}

fn value(whole: &Value) -> Value {
    match whole {
        Value::Object(members) => Value::Object(object(members)),
        Value::Array(entries) => Value::Array(entries.iter().map(value).collect()),
        Value::String(text) => Value::String(within(text)),
        Value::Null | Value::Bool(_) | Value::Number(_) => whole.clone(),
    }
}

fn object(members: &Map<String, Value>) -> Map<String, Value> {
    // An operation of a PATCH names its attribute beside the value.
    let names_secret = members
        .iter()
        .any(|(name, value)| name.eq_ignore_ascii_case("path") && value.as_str().is_some_and(is_secret_name));
    members
        .iter()
        .map(|(name, member)| {
            let is_hidden = is_secret_name(name) || (names_secret && name.eq_ignore_ascii_case("value"));
            let shown = if is_hidden && !member.is_null() {
                Value::String(MASK.to_owned())
            } else {
                value(member)
            };
            (name.clone(), shown)
        })
        .collect()
}

/// Some directories put JSON into a text.
fn within(text: &str) -> String {
    if is_secret_text(text) {
        return MASK.to_owned();
    }
    if !text.starts_with(['{', '[']) {
        return text.to_owned();
    }
    serde_json::from_str::<Value>(text).map_or_else(|_| text.to_owned(), |inner| value(&inner).to_string())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{LONGEST, query, written};

    #[test]
    fn r162_secrets_of_every_form_are_masked_and_the_rest_is_kept() {
        let body = json!({
            "userName": "ida", "password": "hunter-2", "name": { "givenName": "Ida" },
            "urn:example:2.0:User": { "apiToken": "tok-1", "badge": 7, "pin": "1234" },
            "urn:example:2.0:User:client_secret": "sec-1",
            "roles": [{ "value": "{\"id\":\"1\",\"accessKey\":\"key-1\"}" }], "note": "eyJhbGciOi.eyJzdWIi.key-2",
            "Operations": [
                { "op": "replace", "path": "password", "value": "hunter-3" },
                { "op": "replace", "path": "urn:example:2.0:User:apiToken", "value": { "a": "tok-2" } },
                { "op": "replace", "path": "title", "value": "Boss" },
                { "op": "replace", "value": { "password": "hunter-4", "title": "Chief" } },
            ],
        });
        let text = written(&body, 100);
        for secret in ["hunter", "tok-", "sec-1", "key-", "1234"] {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
        for kept in ["ida", "Ida", "\"badge\":7", "Boss", "Chief"] {
            assert!(text.contains(kept), "{kept} in {text}");
        }
    }

    #[test]
    fn r162_long_bodies_are_cut_at_a_letter() {
        let text = written(&json!({ "title": "ä".repeat(LONGEST) }), 100);
        assert!(text.len() <= LONGEST + 4 && text.ends_with('…'));
        assert!(written(&json!({}), 1 << 20).contains("1048576 bytes"));
    }

    #[test]
    fn r162_queries_keep_filters_but_no_tokens() {
        assert_eq!(
            query("filter=userName%20eq%20%22a%22&access_token=abc&count=1"),
            "filter=userName%20eq%20%22a%22&access_token=•••&count=1"
        );
    }
}
