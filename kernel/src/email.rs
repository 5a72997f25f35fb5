//! E-mail addresses under one strict grammar. Never sends mail and never judges whether an address is verified.

use serde::{Deserialize, Serialize};

/// An e-mail address: ASCII local part as written, domain in lower case.
///
/// One grammar for the whole product, because two parsers that disagree about an address are an
/// account takeover (security.md, "Identity string tricks").
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Email {
    text: String,
    at: usize,
}

/// An address outside the grammar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an e-mail address that can be used here: ASCII local part, one @, a host name with a dot")]
pub struct EmailError;

impl Email {
    /// Parses an address: at most 254 bytes, dot-atom local part of at most 64 bytes, host name domain (RFC 5321 4.5.3.1).
    ///
    /// # Errors
    /// [`EmailError`] for anything else: quoted local parts, comments, controls, non-ASCII, IP literals.
    pub fn parse(text: &str) -> Result<Self, EmailError> {
        if text.len() > 254 {
            return Err(EmailError);
        }
        let (local, domain) = text.split_once('@').ok_or(EmailError)?;
        if !is_dot_atom(local) || local.len() > 64 || !is_host_name(domain) {
            return Err(EmailError);
        }
        Ok(Self {
            text: format!("{local}@{}", domain.to_ascii_lowercase()),
            at: local.len(),
        })
    }

    /// Returns the address: local part as written, domain in lower case.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns the domain in lower case.
    pub fn domain(&self) -> &str {
        self.text.get(self.at + 1..).unwrap_or_default()
    }

    /// Returns the form that is compared and indexed: all lower case (C-13: e-mail without case).
    pub fn key(&self) -> String {
        self.text.to_ascii_lowercase()
    }
}

fn is_dot_atom(local: &str) -> bool {
    !local.is_empty()
        && local.split('.').all(|atom| {
            !atom.is_empty()
                && atom
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+/=?^_`{|}~-".contains(&byte))
        })
}

/// Tells whether `domain` is a host name of at least two labels (RFC 1123 2.1).
pub fn is_host_name(domain: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    domain.len() <= 253 && domain.contains('.') && domain.split('.').all(label)
}

impl std::fmt::Display for Email {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl TryFrom<String> for Email {
    type Error = EmailError;
    fn try_from(text: String) -> Result<Self, EmailError> {
        Self::parse(&text)
    }
}

impl From<Email> for String {
    fn from(email: Email) -> Self {
        email.text
    }
}
