//! Text to document. YAML; JSON is accepted as the subset of YAML that it is.

use super::document::Document;
use crate::config::keys::nearest;
use crate::flow::policy::Policies;

/// Why the text is no document: position and reason.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}{reason}{hint}")]
pub struct ReadError {
    place: String,
    reason: String,
    hint: String,
}

/// Largest file in bytes: well above a hundred thousand entries.
const LARGEST: usize = 64 * 1024 * 1024;

/// Reads a document.
///
/// # Errors
/// [`ReadError`] with line and column, and a suggestion for a mistyped name.
pub fn read(text: &str) -> Result<Document, ReadError> {
    let plain = |reason: &str| ReadError {
        place: String::new(),
        reason: reason.to_owned(),
        hint: String::new(),
    };
    if text.len() > LARGEST {
        return Err(plain("the file is larger than 64 MiB"));
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text
        .lines()
        .all(|line| line.trim().is_empty() || line.trim_start().starts_with('#'))
    {
        return Err(plain("the file is empty"));
    }
    let yaml = serde_norway::Deserializer::from_str(text);
    serde_norway::with::singleton_map_recursive::deserialize(yaml).map_err(|error| explain(&error))
}

/// Reads the policies of one connection: out of a document that has it, or from a text of `policy` and
/// `organization_policies` alone.
///
/// # Errors
/// [`ReadError`].
pub fn read_policies(text: &str, connection: &str) -> Result<Policies, ReadError> {
    let is_document = text
        .lines()
        .any(|line| line.starts_with("connections:") || line.trim_start().starts_with("\"connections\""));
    if is_document {
        let document = read(text)?;
        let entry = document
            .connections
            .into_iter()
            .find(|entry| entry.id == connection);
        return entry
            .map(|entry| Policies {
                policy: entry.policy,
                organization_policies: entry.organization_policies,
            })
            .ok_or_else(|| ReadError {
                place: String::new(),
                reason: format!("the file has no connection {connection}"),
                hint: String::new(),
            });
    }
    let yaml = serde_norway::Deserializer::from_str(text);
    serde_norway::with::singleton_map_recursive::deserialize(yaml).map_err(|error| explain(&error))
}

/// Names of our types in the library's words, and what people write instead.
const WORDS: [(&str, &str); 5] = [
    (
        "struct Document",
        "organizations, connections, applications or users",
    ),
    ("enum Provisioning", "one of manual, jit or scim"),
    ("map with a single key", "exactly one of its keys"),
    ("sequence", "a list"),
    ("map", "a block of keys"),
];

fn in_plain_words(reason: &str) -> String {
    WORDS.iter().fold(reason.to_owned(), |text, (theirs, ours)| {
        match text.strip_suffix(&format!("expected {theirs}")) {
            Some(start) => format!("{start}expected {ours}"),
            None => text,
        }
    })
}

fn explain(error: &serde_norway::Error) -> ReadError {
    let place = error
        .location()
        .map(|place| format!("line {}, column {}: ", place.line(), place.column()))
        .unwrap_or_default();
    let text = error.to_string();
    // The library puts the position at the end; it already stands in front.
    let reason = text
        .rfind(" at line ")
        .and_then(|end| text.get(..end))
        .unwrap_or(&text);
    let reason = in_plain_words(reason);
    let hint = suggestion(&reason)
        .map(|near| format!("; did you mean `{near}`?"))
        .unwrap_or_default();
    ReadError { place, reason, hint }
}

/// Finds the nearest of the names that an error says were expected.
fn suggestion(reason: &str) -> Option<String> {
    let (wrong, expected) = reason.split_once(", expected")?;
    if !wrong.contains("unknown field") && !wrong.contains("unknown variant") {
        return None;
    }
    let wrong = wrong.split('`').nth(1)?;
    let names = expected.split('`').skip(1).step_by(2);
    nearest(wrong, names).map(str::to_owned)
}
