//! A published set of keys and the choice among them (RFC 7517 section 5).
//!
//! Owns the caps and the selection rule. Never: fetches; see `rp::jwks` for when to fetch again.

use serde_json::{Value, json};

use super::algorithm::Algorithm;
use super::json;
use super::jwk::Jwk;
use crate::error::OidcError;

/// The most keys a set may have.
pub const MAX_KEYS: usize = 50;
/// The most bytes a key set document may have.
pub const MAX_BYTES: usize = 256 * 1024;

/// The usable signing keys of one issuer.
#[derive(Debug, Clone, Default)]
pub struct JwkSet {
    keys: Vec<Jwk>,
}

impl JwkSet {
    /// Parses a key set document. Keys that cannot verify signatures for us are left out.
    ///
    /// Errors: `DocumentTooLarge`, `DocumentMalformed`, `JwksMalformed`, `JwksTooManyKeys`.
    pub fn parse(bytes: &[u8]) -> Result<Self, OidcError> {
        if bytes.len() > MAX_BYTES {
            return Err(OidcError::DocumentTooLarge);
        }
        let document = json::object(bytes).ok_or(OidcError::DocumentMalformed)?;
        let list = document
            .get("keys")
            .and_then(Value::as_array)
            .ok_or(OidcError::JwksMalformed)?;
        if list.len() > MAX_KEYS {
            return Err(OidcError::JwksTooManyKeys);
        }
        let keys = list
            .iter()
            .filter_map(Value::as_object)
            .filter_map(Jwk::from_json)
            .collect();
        Ok(Self { keys })
    }

    /// A set of the given keys: our own, for checking tokens that come back to us.
    pub fn from_keys(keys: impl IntoIterator<Item = Jwk>) -> Self {
        Self {
            keys: keys.into_iter().collect(),
        }
    }

    /// The usable keys.
    pub fn keys(&self) -> &[Jwk] {
        &self.keys
    }

    /// The set as it is published.
    pub fn to_json(&self) -> Value {
        json!({ "keys": self.keys.iter().map(Jwk::to_json).collect::<Vec<_>>() })
    }

    /// The keys that may have made a signature with this header: the key id decides, then the key type.
    /// Without a key id exactly one key must fit (OpenID Connect Core section 10.1).
    ///
    /// Errors: `NoUsableKey`, `KidUnknown`, `KidRequired`, `AlgKeyMismatch`.
    pub(super) fn select(&self, kid: Option<&str>, alg: Algorithm) -> Result<Vec<&Jwk>, OidcError> {
        if self.keys.is_empty() {
            return Err(OidcError::NoUsableKey);
        }
        let named: Vec<&Jwk> = match kid {
            Some(wanted) => {
                let exact: Vec<_> = self.keys.iter().filter(|k| k.kid() == Some(wanted)).collect();
                if exact.is_empty() {
                    // A set that names no keys at all cannot be searched by name.
                    self.keys.iter().filter(|k| k.kid().is_none()).collect()
                } else {
                    exact
                }
            }
            None => self.keys.iter().collect(),
        };
        if named.is_empty() {
            return Err(OidcError::KidUnknown);
        }
        let fitting: Vec<&Jwk> = named.into_iter().filter(|k| k.serves(alg)).collect();
        match fitting.len() {
            0 => Err(OidcError::AlgKeyMismatch),
            1 => Ok(fitting),
            _ if kid.is_none() => Err(OidcError::KidRequired),
            _ => Ok(fitting),
        }
    }
}

#[cfg(test)]
mod tests;
