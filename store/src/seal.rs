//! Secrets at rest: AES-256-GCM under a data key that the server hands in. Never stores, prints or logs a key.
//!
//! A sealed value is `1 | key id (8) | nonce (12) | ciphertext and tag`. Table, column and row id are
//! authenticated with it, so a value copied into another row does not open there.

use std::collections::BTreeMap;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::{SecureRandom as _, SystemRandom};
use zeroize::Zeroizing;

use crate::error::{Result, StoreError};

const FORMAT: u8 = 1;
const KEY_ID_LEN: usize = 8;

/// The data keys: one seals, all open. Keep an old key here until everything is sealed anew.
#[derive(Clone)]
pub struct DataKeys {
    /// Seals everything that is written.
    pub current: Zeroizing<[u8; 32]>,
    /// Open what was sealed before a rotation.
    pub previous: Vec<Zeroizing<[u8; 32]>>,
}

impl DataKeys {
    /// Takes a single key.
    pub fn new(current: [u8; 32]) -> Self {
        Self {
            current: Zeroizing::new(current),
            previous: Vec::new(),
        }
    }
}

impl std::fmt::Debug for DataKeys {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("DataKeys(…)")
    }
}

/// Named secrets of one row, opened. Debug output shows names only.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct SecretMap(pub BTreeMap<String, Zeroizing<String>>);

impl SecretMap {
    /// Finds a secret by name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|value| value.as_str())
    }

    /// Adds or replaces a secret.
    pub fn set(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.0.insert(name.into(), Zeroizing::new(value.into()));
    }
}

impl std::fmt::Debug for SecretMap {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_set().entries(self.0.keys()).finish()
    }
}

struct Key {
    id: [u8; KEY_ID_LEN],
    cipher: LessSafeKey,
}

/// Seals and opens values.
pub(crate) struct Sealer {
    current: Key,
    previous: Vec<Key>,
    random: SystemRandom,
}

/// Where a sealed value lives: table, column and row id.
pub(crate) type Place<'a> = (&'static str, &'static str, &'a str);

impl Sealer {
    pub(crate) fn new(keys: &DataKeys) -> Result<Self> {
        let previous = keys
            .previous
            .iter()
            .map(|key| Key::new(key))
            .collect::<Result<_>>()?;
        Ok(Self {
            current: Key::new(&keys.current)?,
            previous,
            random: SystemRandom::new(),
        })
    }

    /// Returns the id of the key that seals, as it stands in sealed values. Tells nothing about the key.
    pub(crate) fn key_id(&self) -> String {
        crate::digest::to_hex(&self.current.id)
    }

    /// Tells whether a key with this id is configured.
    pub(crate) fn has_key(&self, id: &str) -> bool {
        std::iter::once(&self.current)
            .chain(&self.previous)
            .any(|key| crate::digest::to_hex(&key.id) == id)
    }

    /// Seals a value for one place.
    pub(crate) fn seal(&self, place: Place<'_>, value: &[u8]) -> Result<Vec<u8>> {
        let mut nonce = [0_u8; NONCE_LEN];
        self.random
            .fill(&mut nonce)
            .map_err(|_| StoreError::Sealed("no randomness"))?;
        let mut body = value.to_vec();
        let aad = Aad::from(place_bytes(place));
        self.current
            .cipher
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), aad, &mut body)
            .map_err(|_| StoreError::Sealed("sealing failed"))?;
        let mut sealed = Vec::with_capacity(1 + KEY_ID_LEN + NONCE_LEN + body.len());
        sealed.push(FORMAT);
        sealed.extend_from_slice(&self.current.id);
        sealed.extend_from_slice(&nonce);
        sealed.append(&mut body);
        Ok(sealed)
    }

    /// Opens a value sealed for the same place.
    pub(crate) fn open(&self, place: Place<'_>, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
        let damaged = || StoreError::Sealed(place.0);
        let (format, rest) = sealed.split_first().ok_or_else(damaged)?;
        let (id, rest) = rest.split_at_checked(KEY_ID_LEN).ok_or_else(damaged)?;
        let (nonce, body) = rest.split_at_checked(NONCE_LEN).ok_or_else(damaged)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| damaged())?;
        let mut keys = std::iter::once(&self.current).chain(&self.previous);
        let key = keys
            .find(|key| *format == FORMAT && key.id == id)
            .ok_or_else(damaged)?;
        let mut body = Zeroizing::new(body.to_vec());
        let aad = Aad::from(place_bytes(place));
        let length = key
            .cipher
            .open_in_place(nonce, aad, &mut body)
            .map_err(|_| damaged())?
            .len();
        body.truncate(length);
        Ok(body)
    }

    pub(crate) fn seal_text(&self, place: Place<'_>, value: &str) -> Result<Vec<u8>> {
        self.seal(place, value.as_bytes())
    }

    pub(crate) fn open_text(&self, place: Place<'_>, sealed: &[u8]) -> Result<Zeroizing<String>> {
        let bytes = self.open(place, sealed)?;
        let text = std::str::from_utf8(&bytes).map_err(|_| StoreError::Corrupt(place.0))?;
        Ok(Zeroizing::new(text.to_owned()))
    }

    pub(crate) fn seal_map(&self, place: Place<'_>, secrets: &SecretMap) -> Result<Vec<u8>> {
        let plain: BTreeMap<&str, &str> = secrets
            .0
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        let text = serde_json::to_string(&plain)
            .map(Zeroizing::new)
            .map_err(|_| StoreError::Corrupt(place.0))?;
        self.seal_text(place, &text)
    }

    pub(crate) fn open_map(&self, place: Place<'_>, sealed: &[u8]) -> Result<SecretMap> {
        let text = self.open(place, sealed)?;
        let plain: BTreeMap<String, String> =
            serde_json::from_slice(&text).map_err(|_| StoreError::Corrupt(place.0))?;
        Ok(SecretMap(
            plain
                .into_iter()
                .map(|(name, value)| (name, Zeroizing::new(value)))
                .collect(),
        ))
    }
}

impl Key {
    fn new(bytes: &[u8; 32]) -> Result<Self> {
        let mut labeled = Zeroizing::new(b"provost data key id\0".to_vec());
        labeled.extend_from_slice(bytes);
        let mut id = [0_u8; KEY_ID_LEN];
        for (to, from) in id.iter_mut().zip(digest(&SHA256, &labeled).as_ref()) {
            *to = *from;
        }
        let key = UnboundKey::new(&AES_256_GCM, bytes).map_err(|_| StoreError::Sealed("not a key"))?;
        Ok(Self {
            id,
            cipher: LessSafeKey::new(key),
        })
    }
}

fn place_bytes((table, column, row): Place<'_>) -> Vec<u8> {
    [table, column, row].join("\0").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_value_opens_only_in_its_place_and_with_its_key() {
        let sealer = Sealer::new(&DataKeys::new([1; 32])).unwrap();
        let stored = sealer.seal_text(("t", "c", "1"), "swordfish").unwrap();
        assert_eq!(
            sealer.open_text(("t", "c", "1"), &stored).unwrap().as_str(),
            "swordfish"
        );
        assert!(sealer.open(("t", "c", "2"), &stored).is_err());
        assert!(sealer.open(("t", "d", "1"), &stored).is_err());
        let other = Sealer::new(&DataKeys::new([2; 32])).unwrap();
        assert_eq!(other.open(("t", "c", "1"), &stored).unwrap_err().code(), "sealed");
        let mut flipped = stored.clone();
        *flipped.last_mut().unwrap() ^= 1;
        assert!(sealer.open(("t", "c", "1"), &flipped).is_err());
        assert!(sealer.open(("t", "c", "1"), &stored[..10]).is_err());
    }

    #[test]
    fn after_a_rotation_old_values_still_open_and_new_ones_use_the_new_key() {
        let old = Sealer::new(&DataKeys::new([1; 32])).unwrap();
        let sealed = old.seal_text(("t", "c", "1"), "swordfish").unwrap();
        let keys = DataKeys {
            current: Zeroizing::new([2; 32]),
            previous: vec![Zeroizing::new([1; 32])],
        };
        let new = Sealer::new(&keys).unwrap();
        assert_eq!(
            new.open_text(("t", "c", "1"), &sealed).unwrap().as_str(),
            "swordfish"
        );
        let again = new.seal_text(("t", "c", "1"), "swordfish").unwrap();
        assert!(old.open(("t", "c", "1"), &again).is_err());
    }

    #[test]
    fn debug_output_shows_no_secret() {
        let mut secrets = SecretMap::default();
        secrets.set("client_secret", "swordfish");
        assert_eq!(
            format!("{secrets:?}{:?}", DataKeys::new([7; 32])),
            "{\"client_secret\"}DataKeys(…)"
        );
    }
}
