//! Keys and forged tokens for the tests of this crate.

use std::sync::OnceLock;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::jose::{Algorithm, JwkSet, SigningKey};

pub(crate) const ISSUER: &str = "https://idp.example";
pub(crate) const CLIENT: &str = "provost";
pub(crate) const NONCE: &str = "n-0S6_WzA2Mj";
pub(crate) const NOW: i64 = 1_790_000_000;

pub(crate) fn now() -> Timestamp {
    Timestamp::from_second(NOW).unwrap()
}

/// A PKCS#8 key for the algorithm; RSA keys are made once per process, as that is slow.
pub(crate) fn pkcs8(algorithm: Algorithm) -> Vec<u8> {
    static RSA: OnceLock<Vec<u8>> = OnceLock::new();
    let rng = SystemRandom::new();
    match algorithm {
        Algorithm::Es256 => EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &rng)
            .unwrap()
            .as_ref()
            .to_vec(),
        Algorithm::Es384 => EcdsaKeyPair::generate_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, &rng)
            .unwrap()
            .as_ref()
            .to_vec(),
        Algorithm::EdDsa => Ed25519KeyPair::generate_pkcs8(&rng).unwrap().as_ref().to_vec(),
        Algorithm::Rs256
        | Algorithm::Rs384
        | Algorithm::Rs512
        | Algorithm::Ps256
        | Algorithm::Ps384
        | Algorithm::Ps512 => RSA.get_or_init(rsa_pkcs8).clone(),
    }
}

pub(crate) fn rsa_pkcs8() -> Vec<u8> {
    let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
    let der: Pkcs8V1Der<'_> = pair.as_der().unwrap();
    der.as_ref().to_vec()
}

pub(crate) fn key(algorithm: Algorithm) -> SigningKey {
    SigningKey::from_pkcs8(algorithm, &pkcs8(algorithm)).unwrap()
}

/// The key set a provider would publish.
pub(crate) fn published(keys: &[&SigningKey]) -> JwkSet {
    let document = json!({ "keys": keys.iter().map(|k| k.public().to_json()).collect::<Vec<_>>() });
    JwkSet::parse(document.to_string().as_bytes()).unwrap()
}

pub(crate) fn object(value: &Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

/// Removes a member (`null` as value) or sets it.
pub(crate) fn with(mut base: Value, name: &str, value: Value) -> Value {
    let map = base.as_object_mut().unwrap();
    if value.is_null() {
        map.remove(name);
    } else {
        map.insert(name.to_owned(), value);
    }
    base
}

/// A token with any header and any payload bytes, signed by `key`.
pub(crate) fn forge_raw(key: &SigningKey, header: &str, payload: &[u8]) -> String {
    let input = format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(header),
        URL_SAFE_NO_PAD.encode(payload)
    );
    let signature = key.sign(input.as_bytes()).unwrap();
    format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// A token with any header and claims, signed by `key`.
pub(crate) fn forge(key: &SigningKey, header: &Value, claims: &Value) -> String {
    forge_raw(key, &header.to_string(), claims.to_string().as_bytes())
}

/// The header that `key` would write.
pub(crate) fn header(key: &SigningKey) -> Value {
    json!({ "alg": key.algorithm().name(), "kid": key.kid(), "typ": "JWT" })
}
