//! The form of a document that is searched: every attribute is a list of objects, names are lower case, and every value
//! is a text that says its type, so that both engines compare the same texts.
//!
//! | in the document | in the form |
//! |---|---|
//! | `"title": "Dr"` | `"title": [{"value": "sdr", "value=": "sDr"}]` |
//! | `"emails": [{"value": "A@b.c", "primary": true}]` | `"emails": [{"value": "sa@b.c", "value=": "sA@b.c", "primary": "b1"}]` |
//! | `"urn:…:User": {"since": "2026-01-01T00:00:00Z"}` | `"urn:…:user:since": [{"value": "s2026-…", "value@": "d…"}]` |
//!
//! `s` marks a text (folded; exactly under the name with `=`, if that differs), `b` a boolean, `n` a number, `d` an
//! instant (under the name with `@`, beside the text that it is written as). Empty values are left out. The primary
//! element comes first, which makes it the one that is sorted by. What lies deeper than sub-attributes is only present.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::text;
use crate::error::{Result, StoreError};
use crate::value::{fold, json};

/// Name of the attribute with addresses.
pub(super) const EMAILS: &str = "emails";
/// Name of the attribute with the manager.
pub(super) const MANAGER: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:user:manager";
/// Name of the sub-attribute that stands for its element.
pub(super) const VALUE: &str = "value";
/// Name of the attribute with the parts of the name.
const NAME: &str = "name";

/// What is kept beside a document.
pub(crate) struct Searchable {
    /// The document as JSON text.
    pub(crate) document: String,
    /// The form that is searched, as JSON text.
    pub(crate) search: String,
    /// A folded address, the first one in their order.
    pub(crate) email: Option<String>,
    /// Folded identifier of the manager.
    pub(crate) manager: Option<String>,
    /// The texts that filters are looked up by, with their labels, each once. Further addresses are among them.
    pub(crate) values: BTreeSet<(String, String)>,
}

/// Label of documents with more values than are listed.
pub(super) const TOO_MANY: &str = "*";
/// Most values that are listed, and most letters of each. Whoever looks up compares with the whole value again.
const LISTED: usize = 40;
const LETTERS: usize = 100;

/// Returns the part of a folded text that is listed.
pub(super) fn listed(folded: &str) -> String {
    folded.chars().take(LETTERS).collect()
}

/// Returns the label under which a part of an element is listed; none if it is not. Of complex attributes, only the parts of the
/// name are: real directories look nothing else up.
pub(super) fn listed_as(label: &str, part: &str) -> Option<String> {
    match (label, part) {
        // In columns of their own.
        (NAME, VALUE | "givenname" | "familyname")
        | ("username" | "externalid" | "displayname" | MANAGER, _) => None,
        (NAME, part) => Some(format!("{NAME}.{part}")),
        (label, VALUE) => Some(label.to_owned()),
        (_, _) => None,
    }
}

/// Collects the values that are listed.
fn listing(form: &Map<String, Value>, first_email: Option<&String>) -> BTreeSet<(String, String)> {
    let mut values = BTreeSet::new();
    for (label, elements) in form {
        let parts = elements
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_object)
            .flatten();
        for (part, tagged) in parts {
            let Some(label) = listed_as(label, part) else {
                continue;
            };
            let Some(text) = tagged.as_str().and_then(|tagged| tagged.strip_prefix('s')) else {
                continue;
            };
            if part.ends_with('=') || (label == EMAILS && first_email.is_some_and(|first| first == text)) {
                continue;
            }
            values.insert((label, listed(text)));
        }
    }
    if values.len() > LISTED {
        return BTreeSet::from([(TOO_MANY.to_owned(), String::new())]);
    }
    values
}

/// Makes the searched form of a document.
///
/// # Errors
/// `refused` if a text of the document holds a NUL, which PostgreSQL cannot search.
pub(crate) fn searchable(document: &Map<String, Value>) -> Result<Searchable> {
    let document_text = json(document)?;
    if document_text.contains("\\u0000") && holds_nul(document) {
        return Err(StoreError::Refused(
            "a text holds a character that cannot be kept",
        ));
    }
    let mut form = Map::new();
    for (name, value) in document {
        // Only an extension has a name with a colon; its attributes are named in full.
        if let (Some(attributes), true) = (value.as_object(), name.contains(':')) {
            for (attribute, value) in attributes {
                add(&mut form, &format!("{name}:{attribute}"), value);
            }
        } else {
            add(&mut form, name, value);
        }
    }
    let email = values_of(&form, EMAILS).into_iter().min();
    Ok(Searchable {
        document: document_text,
        search: json(&form)?,
        values: listing(&form, email.as_ref()),
        email,
        manager: values_of(&form, MANAGER).into_iter().next(),
    })
}

/// Returns the label of an attribute: lower case, and nothing that means something in SQL or in a path.
pub(super) fn label(name: &str) -> String {
    fold(name).chars().fold(String::new(), |mut label, letter| {
        if letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-' | '.' | ':') {
            label.push(letter);
        } else {
            // Writing to a String cannot fail.
            let _ = write!(label, "%{:x}%", u32::from(letter));
        }
        label
    })
}

fn add(form: &mut Map<String, Value>, name: &str, value: &Value) {
    let mut elements: Vec<(bool, Value)> = match value.as_array() {
        Some(items) => items.iter().filter_map(element).collect(),
        None => element(value).into_iter().collect(),
    };
    if elements.is_empty() {
        return;
    }
    // Stable, so the others keep their order.
    elements.sort_by_key(|(is_primary, _)| !is_primary);
    let elements = elements.into_iter().map(|(_, element)| element).collect();
    form.insert(label(name), Value::Array(elements));
}

/// Makes an element, and tells whether it is the primary one. None for one without any value.
fn element(value: &Value) -> Option<(bool, Value)> {
    let mut element = Map::new();
    let mut is_primary = false;
    match value.as_object() {
        Some(parts) => {
            for (name, part) in parts {
                is_primary |= name.eq_ignore_ascii_case("primary") && *part == Value::Bool(true);
                scalar(&mut element, &label(name), part);
            }
        }
        None => scalar(&mut element, VALUE, value),
    }
    (!element.is_empty()).then_some((is_primary, Value::Object(element)))
}

fn scalar(element: &mut Map<String, Value>, label: &str, value: &Value) {
    let mut put = |label: String, tagged: String| drop(element.insert(label, Value::String(tagged)));
    match value {
        Value::String(text) if text.is_empty() => {}
        Value::String(text) => {
            let folded = fold(text);
            if folded != *text {
                put(format!("{label}="), format!("s{text}"));
            }
            put(label.to_owned(), format!("s{folded}"));
            if let Some(instant) = instant(text) {
                put(format!("{label}@"), text::instant(instant));
            }
        }
        Value::Bool(is_true) => put(label.to_owned(), text::boolean(*is_true).to_owned()),
        Value::Number(number) => {
            if let Some(number) = number.as_f64() {
                put(label.to_owned(), text::number(number));
            }
        }
        Value::Null => {}
        Value::Array(items) if items.iter().all(Value::is_null) => {}
        Value::Object(parts) if parts.values().all(Value::is_null) => {}
        // Too deep to be compared; that it is there can be asked.
        Value::Array(_) | Value::Object(_) => put(label.to_owned(), "x".to_owned()),
    }
}

/// Reads an instant; one without offset is taken as UTC.
pub(super) fn instant(text: &str) -> Option<Timestamp> {
    let letters = text.as_bytes();
    let has = |at: usize, of: &[u8]| letters.get(at).is_some_and(|letter| of.contains(letter));
    if !(16..=64).contains(&letters.len()) || !has(4, b"-") || !has(10, b"Tt ") {
        return None;
    }
    if let Ok(instant) = text.parse() {
        return Some(instant);
    }
    if !text.contains(['T', 't']) {
        return None;
    }
    let local: jiff::civil::DateTime = text.parse().ok()?;
    let zoned = local.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
    Some(zoned.timestamp())
}

fn values_of(form: &Map<String, Value>, label: &str) -> Vec<String> {
    let elements = form.get(label).and_then(Value::as_array);
    let texts = elements
        .into_iter()
        .flatten()
        .filter_map(|element| element.get(VALUE)?.as_str());
    texts
        .filter_map(|tagged| tagged.strip_prefix('s'))
        .map(str::to_owned)
        .collect()
}

fn holds_nul(document: &Map<String, Value>) -> bool {
    let mut waiting: Vec<&Value> = document.values().collect();
    if document.keys().any(|name| name.contains('\0')) {
        return true;
    }
    while let Some(value) = waiting.pop() {
        match value {
            Value::String(text) if text.contains('\0') => return true,
            Value::Array(items) => waiting.extend(items),
            Value::Object(parts) if parts.keys().any(|name| name.contains('\0')) => return true,
            Value::Object(parts) => waiting.extend(parts.values()),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn form(document: &Value) -> Value {
        let made = searchable(document.as_object().unwrap()).unwrap();
        serde_json::from_str(&made.search).unwrap()
    }

    #[test]
    fn each_value_says_its_type() {
        let form = form(&json!({
            "title": "Dr", "nickName": "", "emails": [{"value": "a@b.c"}, {"value": "C@d.e", "primary": true}],
            "urn:x:User": {"Age": 3, "on": false, "deep": {"er": {"x": 1}}}, "nothing": null, "tags": ["a", "B"],
        }));
        assert_eq!(form["title"], json!([{"value": "sdr", "value=": "sDr"}]));
        assert_eq!(
            form["emails"][0],
            json!({"value": "sc@d.e", "value=": "sC@d.e", "primary": "b1"})
        );
        assert_eq!(form["emails"][1], json!({"value": "sa@b.c"}));
        assert_eq!(form["urn:x:user:on"], json!([{"value": "b0"}]));
        assert_eq!(form["urn:x:user:deep"], json!([{"er": "x"}]));
        assert_eq!(
            form["tags"],
            json!([{"value": "sa"}, {"value": "sb", "value=": "sB"}])
        );
        assert!(form.get("nickname").is_none() && form.get("nothing").is_none());
    }

    #[test]
    fn addresses_and_manager_are_taken_out() {
        let urn = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
        let document = json!({"emails": [{"value": "B@x.y"}, {"value": "a@x.y"}, {"value": "b@x.y"}],
            urn: {"manager": {"value": "Acc_1"}}});
        let made = searchable(document.as_object().unwrap()).unwrap();
        assert_eq!(made.email.as_deref(), Some("a@x.y"));
        assert_eq!(
            made.values,
            BTreeSet::from([("emails".to_owned(), "b@x.y".to_owned())])
        );
        assert_eq!(made.manager.as_deref(), Some("acc_1"));
    }

    #[test]
    fn texts_are_listed_folded_and_cut_and_too_many_are_not_listed_at_all() {
        let urn = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
        let document = json!({"title": "Dr", "active": true, "name": {"middleName": "Q", "givenName": "G"}, "displayName": "D", "phoneNumbers": [{"value": "+1", "type": "work"}],
            urn: {"department": "Ä".repeat(200), "manager": {"value": "x"}}});
        let made = searchable(document.as_object().unwrap()).unwrap();
        let listed: Vec<(&str, &str)> = made
            .values
            .iter()
            .map(|(label, value)| (label.as_str(), value.as_str()))
            .collect();
        let department = label(&format!("{urn}:department"));
        assert_eq!(
            listed,
            [
                ("name.middlename", "q"),
                ("phonenumbers", "+1"),
                ("title", "dr"),
                (department.as_str(), "ä".repeat(100).as_str())
            ]
        );
        let tags: Vec<String> = (0..41).map(|number| number.to_string()).collect();
        let made = searchable(json!({ "tags": tags }).as_object().unwrap()).unwrap();
        assert_eq!(
            made.values,
            BTreeSet::from([(TOO_MANY.to_owned(), String::new())])
        );
    }

    #[test]
    fn instants_compare_whatever_their_spelling() {
        let spelled = [
            "2026-01-01T01:00:00+01:00",
            "2026-01-01T00:00:00Z",
            "2026-01-01T00:00:00",
        ];
        let keys: Vec<String> = spelled
            .iter()
            .map(|text| text::instant(instant(text).unwrap()))
            .collect();
        assert!(keys.iter().all(|key| *key == keys[0]), "{keys:?}");
        assert!(instant("2026-01-01").is_none() && instant("hello, this is no date at all").is_none());
    }

    #[test]
    fn a_nul_is_refused_and_a_backslash_is_not() {
        let with = |text: &str| searchable(json!({"a": {"b": [text]}}).as_object().unwrap());
        assert_eq!(with("a\0").err().unwrap().code(), "refused");
        assert!(with("\\u0000").is_ok());
    }

    #[test]
    fn labels_hold_nothing_that_means_something() {
        assert_eq!(label("urn:a.b:User:x-y_1"), "urn:a.b:user:x-y_1");
        assert_eq!(label("$ref"), "%24%ref");
        assert_eq!(label("a'b\"c}|"), "a%27%b%22%c%7d%%7c%");
    }
}
