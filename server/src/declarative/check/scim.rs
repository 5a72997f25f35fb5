//! Checks of a connection's directory push.

use provost_kernel::attribute::{self, AttributeDefinition};

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
        self.unique(
            &format!("{path}.clients"),
            scim.clients.iter().map(|client| client.id.as_str()),
        );
        for client in &scim.clients {
            let place = format!("{path}.clients[{}]", client.id);
            let is_plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '_' | '-');
            if client.id.is_empty() || client.id.len() > 64 || !client.id.chars().all(is_plain) {
                self.add(&place, "id must be 1 to 64 ASCII letters, digits, ., _ or -");
            }
            if client.keys().is_none() {
                self.add(
                    &format!("{place}.jwks"),
                    "is not a JSON Web Key Set with at least one public signing key",
                );
            }
        }
        let names = scim.attributes.iter().map(|attribute| attribute.name.as_str());
        self.attribute_names(&format!("{path}.attributes"), names);
    }

    /// Checks the attributes that a connection defines, beside those that its directory part names in the short form.
    pub(super) fn attributes(
        &mut self,
        path: &str,
        defined: &[AttributeDefinition],
        short: Option<&ScimEntry>,
    ) {
        let place = format!("{path}.attributes");
        self.attribute_names(&place, defined.iter().map(|definition| definition.name.as_str()));
        let short = short.map_or(&[][..], |scim| scim.attributes.as_slice());
        for definition in defined {
            let name = &definition.name;
            let place = format!("{place}[{name}]");
            if short.iter().any(|other| other.name.eq_ignore_ascii_case(name)) {
                self.add(&place, "is also named in scim.attributes; keep one of the two");
            }
            if definition.sources.is_empty() {
                self.add(&format!("{place}.sources"), "is empty: nobody could set it");
            }
            if definition
                .claim
                .as_ref()
                .is_some_and(|claim| claim.trim().is_empty())
            {
                self.add(&format!("{place}.claim"), "is empty");
            }
        }
    }

    fn attribute_names<'n>(&mut self, path: &str, names: impl Iterator<Item = &'n str> + Clone) {
        let lower: Vec<String> = names.clone().map(str::to_ascii_lowercase).collect();
        self.unique(path, lower.iter().map(String::as_str));
        if lower.len() > MOST_ATTRIBUTES {
            self.add(path, "has more than 100 entries");
        }
        for name in names.filter(|name| !attribute::is_name(name)) {
            self.add(
                &format!("{path}[{name}].name"),
                "must be 1 to 64 ASCII letters, digits, _ or -, beginning with a letter",
            );
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
