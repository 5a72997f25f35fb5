//! Passkeys: the part of WebAuthn Level 3 that a relying party needs, without attestation (7.1 and 7.2). Pure: never reads a
//! clock, the store or a random source. Keys are ES256, EdDSA and RS256; signatures are verified by aws-lc-rs.
//!
//! CBOR is read by a pull decoder with a bound on size and without recursion, so that no nesting can use the stack up.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ED25519, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use minicbor::Decoder;
use minicbor::data::Type;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq as _;

/// Largest message of a browser that is looked at.
pub const LIMIT: usize = 16 * 1024;
/// Longest credential id (WebAuthn 5.1.3 asks for 1023 at most).
const LONGEST_ID: usize = 1023;
/// Entries of a map that are looked at.
const ENTRIES: u64 = 32;

/// Largest modulus of an RSA key, in bytes.
const LARGEST_MODULUS: usize = 512;

const USER_PRESENT: u8 = 0x01;
const USER_VERIFIED: u8 = 0x04;
const BACKUP_ELIGIBLE: u8 = 0x08;
const BACKED_UP: u8 = 0x10;
const KEY_INCLUDED: u8 = 0x40;
const EXTENSIONS_INCLUDED: u8 = 0x80;

/// What an answer must be about.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// Our challenge.
    pub challenge: &'a [u8],
    /// Our origin, as browsers write it.
    pub origin: &'a str,
    /// Our host.
    pub host: &'a str,
}

/// Why an answer does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WebAuthnError {
    /// Not readable, or larger than it may be.
    #[error("the answer of the browser cannot be read")]
    Malformed,
    /// Another ceremony, another challenge, another origin, or inside a frame of another site.
    #[error("the answer is about another request")]
    OtherRequest,
    /// For another host.
    #[error("the answer is for another host")]
    OtherHost,
    /// Nobody touched the device.
    #[error("nobody confirmed on the device")]
    NotPresent,
    /// A kind of key that is not supported.
    #[error("the kind of key is not supported")]
    KeyKind,
    /// The signature is wrong.
    #[error("the signature is wrong")]
    Signature,
}

/// The public key of a passkey, as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum PublicKey {
    /// ECDSA on P-256 with SHA-256.
    Es256 {
        /// Uncompressed point, base64url.
        point: String,
    },
    /// Ed25519.
    EdDsa {
        /// Key, base64url.
        key: String,
    },
    /// RSA with SHA-256.
    Rs256 {
        /// Modulus, base64url.
        n: String,
        /// Exponent, base64url.
        e: String,
    },
}

/// A passkey that was just made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewPasskey {
    /// Its identifier, base64url.
    pub credential: String,
    /// Its key.
    pub key: PublicKey,
    /// Signatures that it has counted.
    pub sign_count: u32,
}

/// A signature that was verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asserted {
    /// Signatures that the passkey has counted; 0 if it does not count.
    pub sign_count: u32,
    /// Whether the device knows who touched it (PIN, fingerprint).
    pub user_verified: bool,
}

/// Reads what a browser says about a passkey that it made (7.1).
///
/// # Errors
/// [`WebAuthnError`].
pub fn register(
    attestation: &[u8],
    client_data: &[u8],
    expected: &Expected<'_>,
) -> Result<NewPasskey, WebAuthnError> {
    check_client_data(client_data, "webauthn.create", expected)?;
    let data = authenticator_data_of(attestation)?;
    let (flags, sign_count, rest) = check_authenticator_data(data, expected)?;
    if flags & KEY_INCLUDED == 0 {
        return Err(WebAuthnError::Malformed);
    }
    // AAGUID (16), length (2), credential id, key.
    let (_, rest) = rest.split_at_checked(16).ok_or(WebAuthnError::Malformed)?;
    let (length, rest) = rest.split_first_chunk::<2>().ok_or(WebAuthnError::Malformed)?;
    let length = usize::from(u16::from_be_bytes(*length));
    if length == 0 || length > LONGEST_ID {
        return Err(WebAuthnError::Malformed);
    }
    let (id, rest) = rest.split_at_checked(length).ok_or(WebAuthnError::Malformed)?;
    let (key, rest) = key_of(rest)?;
    check_extensions(flags, rest)?;
    Ok(NewPasskey {
        credential: URL_SAFE_NO_PAD.encode(id),
        key,
        sign_count,
    })
}

/// Verifies a signature of a passkey (7.2).
///
/// # Errors
/// [`WebAuthnError`].
pub fn verify(
    key: &PublicKey,
    authenticator_data: &[u8],
    client_data: &[u8],
    signature: &[u8],
    expected: &Expected<'_>,
) -> Result<Asserted, WebAuthnError> {
    check_client_data(client_data, "webauthn.get", expected)?;
    let (flags, sign_count, rest) = check_authenticator_data(authenticator_data, expected)?;
    // A new key belongs into a registration (6.1); here it could only be something signed for another purpose.
    if flags & KEY_INCLUDED != 0 {
        return Err(WebAuthnError::Malformed);
    }
    check_extensions(flags, rest)?;
    let mut signed = authenticator_data.to_vec();
    signed.extend_from_slice(digest(&SHA256, client_data).as_ref());
    key.verify(&signed, signature)?;
    Ok(Asserted {
        sign_count,
        user_verified: flags & USER_VERIFIED != 0,
    })
}

impl PublicKey {
    fn verify(&self, signed: &[u8], signature: &[u8]) -> Result<(), WebAuthnError> {
        let decode = |text: &str| URL_SAFE_NO_PAD.decode(text).map_err(|_| WebAuthnError::KeyKind);
        let verified = match self {
            Self::Es256 { point } => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, decode(point)?).verify(signed, signature)
            }
            Self::EdDsa { key } => UnparsedPublicKey::new(&ED25519, decode(key)?).verify(signed, signature),
            Self::Rs256 { n, e } => RsaPublicKeyComponents {
                n: decode(n)?,
                e: decode(e)?,
            }
            .verify(&RSA_PKCS1_2048_8192_SHA256, signed, signature),
        };
        verified.map_err(|_| WebAuthnError::Signature)
    }
}

/// What the browser signed beside the device's data (5.8.1).
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ClientData {
    r#type: String,
    challenge: String,
    origin: String,
    #[serde(default)]
    cross_origin: bool,
    top_origin: Option<String>,
}

fn check_client_data(bytes: &[u8], ceremony: &str, expected: &Expected<'_>) -> Result<(), WebAuthnError> {
    if bytes.len() > LIMIT {
        return Err(WebAuthnError::Malformed);
    }
    let data: ClientData = serde_json::from_slice(bytes).map_err(|_| WebAuthnError::Malformed)?;
    let challenge = URL_SAFE_NO_PAD
        .decode(&data.challenge)
        .map_err(|_| WebAuthnError::Malformed)?;
    let is_ours = data.r#type == ceremony
        && bool::from(challenge.ct_eq(expected.challenge))
        && data.origin == expected.origin
        && !data.cross_origin
        && data.top_origin.is_none();
    if is_ours {
        Ok(())
    } else {
        Err(WebAuthnError::OtherRequest)
    }
}

/// Checks the device's data (6.1); returns flags, count and what follows.
fn check_authenticator_data<'a>(
    data: &'a [u8],
    expected: &Expected<'_>,
) -> Result<(u8, u32, &'a [u8]), WebAuthnError> {
    if data.len() > LIMIT {
        return Err(WebAuthnError::Malformed);
    }
    let (host, rest) = data.split_at_checked(32).ok_or(WebAuthnError::Malformed)?;
    let (flags, rest) = rest.split_first().ok_or(WebAuthnError::Malformed)?;
    let (count, rest) = rest.split_first_chunk::<4>().ok_or(WebAuthnError::Malformed)?;
    if host != digest(&SHA256, expected.host.as_bytes()).as_ref() {
        return Err(WebAuthnError::OtherHost);
    }
    if flags & USER_PRESENT == 0 {
        return Err(WebAuthnError::NotPresent);
    }
    if flags & BACKED_UP != 0 && flags & BACKUP_ELIGIBLE == 0 {
        return Err(WebAuthnError::Malformed);
    }
    Ok((*flags, u32::from_be_bytes(*count), rest))
}

/// What follows key or count: one map of extensions where the flag says so, and else nothing. What is in it is not asked for.
fn check_extensions(flags: u8, rest: &[u8]) -> Result<(), WebAuthnError> {
    if flags & EXTENSIONS_INCLUDED == 0 {
        return if rest.is_empty() {
            Ok(())
        } else {
            Err(WebAuthnError::Malformed)
        };
    }
    let mut decoder = Decoder::new(rest);
    let is_map = matches!(decoder.datatype(), Ok(Type::Map));
    if is_map && decoder.skip().is_ok() && decoder.position() == rest.len() {
        Ok(())
    } else {
        Err(WebAuthnError::Malformed)
    }
}

/// Finds the device's data in an attestation object. The attestation itself is not asked for, and not believed.
fn authenticator_data_of(attestation: &[u8]) -> Result<&[u8], WebAuthnError> {
    if attestation.len() > LIMIT {
        return Err(WebAuthnError::Malformed);
    }
    let malformed = |_| WebAuthnError::Malformed;
    let mut decoder = Decoder::new(attestation);
    let entries = entries_of(&mut decoder)?;
    let mut found = None;
    for _ in 0..entries {
        let name = decoder.str().map_err(malformed)?;
        if name != "authData" {
            decoder.skip().map_err(malformed)?;
        } else if found.replace(decoder.bytes().map_err(malformed)?).is_some() {
            return Err(WebAuthnError::Malformed);
        }
    }
    found
        .filter(|_| decoder.position() == attestation.len())
        .ok_or(WebAuthnError::Malformed)
}

fn entries_of(decoder: &mut Decoder<'_>) -> Result<u64, WebAuthnError> {
    match decoder.map() {
        Ok(Some(entries)) if entries <= ENTRIES => Ok(entries),
        Ok(_) | Err(_) => Err(WebAuthnError::Malformed),
    }
}

/// What was found of a COSE key.
#[derive(Default)]
struct KeyParts<'a> {
    kind: Option<i64>,
    algorithm: Option<i64>,
    curve: Option<i64>,
    first: Option<&'a [u8]>,
    second: Option<&'a [u8]>,
    third: Option<&'a [u8]>,
}

/// Reads a COSE key (RFC 9052 7, RFC 9053), and returns what follows it.
fn key_of(bytes: &[u8]) -> Result<(PublicKey, &[u8]), WebAuthnError> {
    let malformed = |_| WebAuthnError::Malformed;
    let mut decoder = Decoder::new(bytes);
    let entries = entries_of(&mut decoder)?;
    let mut parts = KeyParts::default();
    for _ in 0..entries {
        let label = decoder.i64().map_err(malformed)?;
        let is_bytes = matches!(decoder.datatype().map_err(malformed)?, Type::Bytes);
        let number = match (label, is_bytes) {
            (1, false) => Some(&mut parts.kind),
            (3, false) => Some(&mut parts.algorithm),
            (-1, false) => Some(&mut parts.curve),
            _ => None,
        };
        // A label that stands there twice could be read as one key by us and as another one elsewhere.
        let stands_twice = if let Some(place) = number {
            place.replace(decoder.i64().map_err(malformed)?).is_some()
        } else {
            let text = match (label, is_bytes) {
                (-1, true) => Some(&mut parts.first),
                (-2, true) => Some(&mut parts.second),
                (-3, true) => Some(&mut parts.third),
                _ => None,
            };
            if let Some(place) = text {
                place.replace(decoder.bytes().map_err(malformed)?).is_some()
            } else {
                decoder.skip().map_err(malformed)?;
                false
            }
        };
        if stands_twice {
            return Err(WebAuthnError::Malformed);
        }
    }
    let rest = bytes.get(decoder.position()..).unwrap_or_default();
    Ok((parts.key()?, rest))
}

impl KeyParts<'_> {
    /// The kinds of keys that are taken, and no other.
    fn key(&self) -> Result<PublicKey, WebAuthnError> {
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        match (self.kind, self.algorithm, self.curve) {
            (Some(2), Some(-7), Some(1)) => match (self.second, self.third) {
                (Some(x), Some(y)) if x.len() == 32 && y.len() == 32 => Ok(PublicKey::Es256 {
                    point: encode(&[&[4], x, y].concat()),
                }),
                _ => Err(WebAuthnError::KeyKind),
            },
            (Some(1), Some(-8), Some(6)) => match self.second {
                Some(x) if x.len() == 32 => Ok(PublicKey::EdDsa { key: encode(x) }),
                _ => Err(WebAuthnError::KeyKind),
            },
            (Some(3), Some(-257), None) => match (self.first, self.second) {
                (Some(n), Some(e)) if (256..=LARGEST_MODULUS).contains(&n.len()) && e.len() <= 4 => {
                    Ok(PublicKey::Rs256 {
                        n: encode(n),
                        e: encode(e),
                    })
                }
                _ => Err(WebAuthnError::KeyKind),
            },
            _ => Err(WebAuthnError::KeyKind),
        }
    }
}

#[cfg(test)]
mod tests;
