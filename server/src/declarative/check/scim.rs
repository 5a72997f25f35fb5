//! Checks of a connection's directory push.

use super::Found;
use crate::declarative::document::ScimEntry;

/// Headers that mean something else on every request.
const TAKEN_HEADERS: &[&str] = &[
    "accept",
    "connection",
    "content-length",
    "content-type",
    "cookie",
    "expect",
    "host",
    "if-match",
    "if-none-match",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "x-forwarded-for",
    "x-http-method-override",
];
/// Most attributes that one connection may add.
const MOST_ATTRIBUTES: usize = 100;

impl Found<'_> {
    /// Checks the `scim` part of one connection.
    pub(super) fn scim(&mut self, path: &str, scim: &ScimEntry) {
        self.unique(
            &format!("{path}.tokens"),
            scim.tokens.iter().map(|token| token.label.as_str()),
        );
        for token in &scim.tokens {
            let place = format!("{path}.tokens[{}]", token.label);
            if let Some(token) = &token.token {
                if token.expose().len() < 24 {
                    self.add(&place, "token needs at least 24 characters");
                }
                // It travels in a header.
                if !token.expose().bytes().all(|byte| byte.is_ascii_graphic()) {
                    self.add(&place, "token must be printable ASCII without spaces");
                }
            }
        }
        if scim.versions.is_empty() {
            self.add(
                &format!("{path}.versions"),
                "is empty: no directory could ask anything",
            );
        }
        if let Some(header) = &scim.header {
            self.header(&format!("{path}.header"), header);
        }
        let names: Vec<String> = scim
            .attributes
            .iter()
            .map(|attribute| attribute.name.to_ascii_lowercase())
            .collect();
        self.unique(&format!("{path}.attributes"), names.iter().map(String::as_str));
        if names.len() > MOST_ATTRIBUTES {
            self.add(&format!("{path}.attributes"), "has more than 100 entries");
        }
        for attribute in &scim.attributes {
            let name = &attribute.name;
            let fits = name.len() <= 64
                && name.starts_with(|letter: char| letter.is_ascii_alphabetic())
                && name
                    .chars()
                    .all(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-'));
            if !fits {
                self.add(
                    &format!("{path}.attributes[{name}].name"),
                    "must be 1 to 64 ASCII letters, digits, _ or -, beginning with a letter",
                );
            }
        }
    }

    fn header(&mut self, path: &str, header: &str) {
        let is_token = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        let lower = header.to_ascii_lowercase();
        if header.is_empty() || header.len() > 64 || !header.bytes().all(is_token) {
            self.add(
                path,
                "must be the name of an HTTP header: 1 to 64 letters, digits, - or _",
            );
        } else if lower == "authorization" {
            self.add(path, "Authorization is always read; leave `header` out");
        } else if TAKEN_HEADERS.contains(&lower.as_str()) {
            self.add(path, "means something else on every request");
        }
    }
}
