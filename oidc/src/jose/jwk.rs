//! One public key (RFC 7517, 7518 section 6, 8037).
//!
//! Owns parsing into a ready-to-verify key, which algorithms the key can serve, its thumbprint (RFC 7638) and
//! its published form. Never: private or symmetric keys, certificates, or URLs inside a key.

use std::fmt;

use aws_lc_rs::digest;
use aws_lc_rs::signature::{self, ParsedPublicKey, RsaParameters, RsaPublicKeyComponents};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

use super::algorithm::Algorithm;
use super::json::text;

/// A public signing key with everything parsed once.
#[derive(Clone)]
pub struct Jwk {
    kid: Option<String>,
    material: Material,
    verifiers: Vec<(Algorithm, ParsedPublicKey)>,
}

/// The key's numbers, as published.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Material {
    /// Modulus and exponent, big-endian without leading zeros.
    Rsa { n: Vec<u8>, e: Vec<u8> },
    /// P-256 point: 0x04, x, y.
    P256(Vec<u8>),
    /// P-384 point: 0x04, x, y.
    P384(Vec<u8>),
    /// Ed25519 public key.
    Ed25519(Vec<u8>),
}

impl fmt::Debug for Jwk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Jwk")
            .field("kid", &self.kid)
            .field("algorithms", &self.algorithms())
            .finish_non_exhaustive()
    }
}

impl Jwk {
    /// Reads one member of a key set. `None` for a key that cannot verify signatures for us: unknown type or
    /// curve, encryption use, private or symmetric material, RSA below 2048 or above 8192 bits.
    pub(super) fn from_json(map: &Map<String, Value>) -> Option<Self> {
        // A private key in a published set is compromised: treat it as absent.
        if map.contains_key("d") || map.contains_key("k") {
            return None;
        }
        if map.get("use").is_some_and(|u| u.as_str() != Some("sig")) {
            return None;
        }
        if let Some(ops) = map.get("key_ops") {
            let verifies = ops.as_array()?.iter().any(|op| op.as_str() == Some("verify"));
            if !verifies {
                return None;
            }
        }
        let material = Material::from_json(map)?;
        let only = match map.get("alg") {
            Some(value) => Some(Algorithm::parse(value.as_str()?).ok()?),
            None => None,
        };
        let kid = text(map, "kid").filter(|k| k.len() <= 512).map(str::to_owned);
        Self::new(kid, material, only)
    }

    pub(super) fn new(kid: Option<String>, material: Material, only: Option<Algorithm>) -> Option<Self> {
        let verifiers: Vec<_> = material
            .algorithms()
            .iter()
            .filter(|alg| only.is_none_or(|o| o == **alg))
            .filter_map(|alg| Some((*alg, material.parse(*alg)?)))
            .collect();
        (!verifiers.is_empty()).then_some(Self {
            kid,
            material,
            verifiers,
        })
    }

    /// The key id, if it has one.
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// The algorithms this key may be used with.
    pub fn algorithms(&self) -> Vec<Algorithm> {
        self.verifiers.iter().map(|(alg, _)| *alg).collect()
    }

    pub(super) fn serves(&self, alg: Algorithm) -> bool {
        self.verifiers.iter().any(|(a, _)| *a == alg)
    }

    pub(super) fn verify(&self, alg: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        self.verifiers
            .iter()
            .find(|(a, _)| *a == alg)
            .is_some_and(|(_, key)| key.verify_sig(message, signature).is_ok())
    }

    /// The key's SHA-256 thumbprint (RFC 7638).
    pub fn thumbprint(&self) -> String {
        self.material.thumbprint()
    }

    /// The published form: `kid`, `use`, the key, and `alg` when it serves just one algorithm.
    pub fn to_json(&self) -> Value {
        let mut map = self.material.members();
        map.insert("use".into(), json!("sig"));
        if let Some(kid) = &self.kid {
            map.insert("kid".into(), json!(kid));
        }
        if let [(alg, _)] = self.verifiers.as_slice() {
            map.insert("alg".into(), json!(alg.name()));
        }
        Value::Object(map)
    }
}

impl Material {
    fn from_json(map: &Map<String, Value>) -> Option<Self> {
        let bytes = |name: &str| {
            URL_SAFE_NO_PAD
                .decode(text(map, name)?.trim_end_matches('='))
                .ok()
        };
        match (text(map, "kty")?, text(map, "crv")) {
            ("RSA", _) => {
                let n = without_leading_zeros(bytes("n")?);
                let e = without_leading_zeros(bytes("e")?);
                ((256..=1024).contains(&n.len()) && (1..=8).contains(&e.len())).then_some(Self::Rsa { n, e })
            }
            ("EC", Some("P-256")) => point(&bytes("x")?, &bytes("y")?, 32).map(Self::P256),
            ("EC", Some("P-384")) => point(&bytes("x")?, &bytes("y")?, 48).map(Self::P384),
            ("OKP", Some("Ed25519")) => bytes("x").filter(|x| x.len() == 32).map(Self::Ed25519),
            _ => None,
        }
    }

    fn algorithms(&self) -> &'static [Algorithm] {
        match self {
            Self::Rsa { .. } => Algorithm::RSA,
            Self::P256(_) => &[Algorithm::Es256],
            Self::P384(_) => &[Algorithm::Es384],
            Self::Ed25519(_) => &[Algorithm::EdDsa],
        }
    }

    fn parse(&self, alg: Algorithm) -> Option<ParsedPublicKey> {
        match self {
            Self::Rsa { n, e } => RsaPublicKeyComponents { n, e }
                .to_parsed_public_key(rsa_parameters(alg)?)
                .ok(),
            Self::P256(point) => ParsedPublicKey::new(&signature::ECDSA_P256_SHA256_FIXED, point).ok(),
            Self::P384(point) => ParsedPublicKey::new(&signature::ECDSA_P384_SHA384_FIXED, point).ok(),
            Self::Ed25519(key) => ParsedPublicKey::new(&signature::ED25519, key).ok(),
        }
    }

    fn members(&self) -> Map<String, Value> {
        let value = match self {
            Self::Rsa { n, e } => json!({ "kty": "RSA", "n": encode(n), "e": encode(e) }),
            Self::P256(point) => ec_members("P-256", point, 32),
            Self::P384(point) => ec_members("P-384", point, 48),
            Self::Ed25519(key) => json!({ "kty": "OKP", "crv": "Ed25519", "x": encode(key) }),
        };
        match value {
            Value::Object(map) => map,
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
                Map::new()
            }
        }
    }

    /// RFC 7638 section 3: the required members in lexical order, no white space. The values are base64url
    /// and fixed words, so no escaping can occur.
    pub(super) fn thumbprint(&self) -> String {
        let members = self.members();
        let mut parts: Vec<_> = members
            .iter()
            .filter_map(|(name, value)| Some(format!("\"{name}\":\"{}\"", value.as_str()?)))
            .collect();
        parts.sort();
        let canonical = format!("{{{}}}", parts.join(","));
        encode(digest::digest(&digest::SHA256, canonical.as_bytes()).as_ref())
    }
}

fn rsa_parameters(alg: Algorithm) -> Option<&'static RsaParameters> {
    match alg {
        Algorithm::Rs256 => Some(&signature::RSA_PKCS1_2048_8192_SHA256),
        Algorithm::Rs384 => Some(&signature::RSA_PKCS1_2048_8192_SHA384),
        Algorithm::Rs512 => Some(&signature::RSA_PKCS1_2048_8192_SHA512),
        Algorithm::Ps256 => Some(&signature::RSA_PSS_2048_8192_SHA256),
        Algorithm::Ps384 => Some(&signature::RSA_PSS_2048_8192_SHA384),
        Algorithm::Ps512 => Some(&signature::RSA_PSS_2048_8192_SHA512),
        Algorithm::Es256 | Algorithm::Es384 | Algorithm::EdDsa => None,
    }
}

fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn ec_members(curve: &str, point: &[u8], size: usize) -> Value {
    let x = point.get(1..=size).unwrap_or_default();
    let y = point.get(size + 1..).unwrap_or_default();
    json!({ "kty": "EC", "crv": curve, "x": encode(x), "y": encode(y) })
}

fn without_leading_zeros(bytes: Vec<u8>) -> Vec<u8> {
    bytes.into_iter().skip_while(|b| *b == 0).collect()
}

fn point(x: &[u8], y: &[u8], size: usize) -> Option<Vec<u8>> {
    (x.len() == size && y.len() == size).then(|| [&[4], x, y].concat())
}
