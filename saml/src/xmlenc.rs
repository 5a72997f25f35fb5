//! XML Encryption, in the one strict form that SAML needs: one content key by RSA-OAEP, content by AES.
//!
//! Owns the choice of algorithms and the single answer for every failure. Never follows a CipherReference
//! or a RetrievalMethod: those were how peers were made to fetch an attacker's address.

use aws_lc_rs::aead::{
    AES_128_GCM, AES_256_GCM, Aad, Algorithm as AeadAlgorithm, LessSafeKey, Nonce, UnboundKey,
};
use aws_lc_rs::cipher::{self, DecryptingKey, DecryptionContext, UnboundCipherKey};
use aws_lc_rs::iv::FixedLength;
use zeroize::{Zeroize, Zeroizing};

use crate::error::{Quote, SamlError};
use crate::key::{DecryptionKey, Oaep};
use crate::wire;
use crate::xml::{Node, names};

/// RSA-OAEP with MGF1 over SHA-1 (XML Encryption 1.0).
pub(crate) const RSA_OAEP_MGF1P: &str = "http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p";
/// RSA-OAEP with a chosen mask function (XML Encryption 1.1).
pub(crate) const RSA_OAEP: &str = "http://www.w3.org/2009/xmlenc11#rsa-oaep";
const SHA1: &str = "http://www.w3.org/2000/09/xmldsig#sha1";
const SHA256: &str = "http://www.w3.org/2001/04/xmlenc#sha256";
const SHA384: &str = "http://www.w3.org/2001/04/xmldsig-more#sha384";
const SHA512: &str = "http://www.w3.org/2001/04/xmlenc#sha512";
/// Most EncryptedKey elements tried: each costs one RSA operation per decryption key.
const MAX_ENCRYPTED_KEYS: usize = 4;

/// How the content is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContentCipher {
    /// AES-128 in Galois/counter mode.
    Aes128Gcm,
    /// AES-256 in Galois/counter mode.
    Aes256Gcm,
    /// AES-128 in cipher block chaining mode: off unless a connection allows it.
    Aes128Cbc,
    /// AES-256 in cipher block chaining mode: off unless a connection allows it.
    Aes256Cbc,
}

impl ContentCipher {
    /// Returns the identifier used in messages.
    pub const fn uri(self) -> &'static str {
        match self {
            Self::Aes128Gcm => "http://www.w3.org/2009/xmlenc11#aes128-gcm",
            Self::Aes256Gcm => "http://www.w3.org/2009/xmlenc11#aes256-gcm",
            Self::Aes128Cbc => "http://www.w3.org/2001/04/xmlenc#aes128-cbc",
            Self::Aes256Cbc => "http://www.w3.org/2001/04/xmlenc#aes256-cbc",
        }
    }

    /// Returns the key length in bytes.
    pub(crate) const fn key_len(self) -> usize {
        match self {
            Self::Aes128Gcm | Self::Aes128Cbc => 16,
            Self::Aes256Gcm | Self::Aes256Cbc => 32,
        }
    }

    /// Whether the mode carries no integrity of its own.
    pub(crate) const fn is_cbc(self) -> bool {
        matches!(self, Self::Aes128Cbc | Self::Aes256Cbc)
    }

    fn from_uri(uri: &str) -> Result<Self, SamlError> {
        [Self::Aes128Gcm, Self::Aes256Gcm, Self::Aes128Cbc, Self::Aes256Cbc]
            .into_iter()
            .find(|cipher| cipher.uri() == uri)
            .ok_or_else(|| SamlError::EncryptionAlgorithmRefused { uri: Quote::new(uri) })
    }
}

/// What the connection allows when opening.
pub(crate) struct DecryptionPolicy<'k> {
    pub(crate) keys: &'k [DecryptionKey],
    pub(crate) allow_cbc: bool,
    /// Whether a verified signature covers the ciphertext.
    pub(crate) ciphertext_signed: bool,
}

/// Opens `wrapper`, an EncryptedAssertion, EncryptedID or EncryptedAttribute, and returns its XML text.
pub(crate) fn open(
    wrapper: Node<'_, '_>,
    policy: &DecryptionPolicy<'_>,
) -> Result<Zeroizing<String>, SamlError> {
    if policy.keys.is_empty() {
        return Err(SamlError::NoDecryptionKey);
    }
    let data = wrapper
        .child(names::XENC, "EncryptedData")?
        .ok_or(SamlError::EncryptionMalformed)?;
    let method = data
        .child(names::XENC, "EncryptionMethod")?
        .ok_or(SamlError::EncryptionMalformed)?;
    let cipher = ContentCipher::from_uri(method.need_attr("Algorithm")?)?;
    if cipher.is_cbc() {
        if !policy.allow_cbc {
            return Err(SamlError::CbcRefused);
        }
        // Without a signature over the ciphertext, the difference between our answers is a decryption oracle.
        if !policy.ciphertext_signed {
            return Err(SamlError::CbcUnsigned);
        }
    }
    let ciphertext = cipher_value(data)?;
    let transported = encrypted_keys(wrapper, data)?;
    let key = transported
        .iter()
        .flat_map(|wrapped| policy.keys.iter().map(move |key| (wrapped, key)))
        .filter_map(|(wrapped, key)| key.open(wrapped.oaep, &wrapped.value, wrapped.label.as_deref()))
        .find(|key| key.len() == cipher.key_len());
    // Without a content key the content is worked on all the same, so that time does not tell which half failed.
    let opened = key.is_some();
    let key = key.unwrap_or_else(|| Zeroizing::new(vec![0; cipher.key_len()]));
    let plain = decrypt(cipher, &key, ciphertext)
        .filter(|_| opened)
        .ok_or(SamlError::DecryptionFailed)?;
    match std::str::from_utf8(&plain) {
        Ok(text) => Ok(Zeroizing::new(text.to_owned())),
        Err(_) => Err(SamlError::DecryptionFailed),
    }
}

/// One transported content key.
struct Wrapped {
    oaep: Oaep,
    value: Vec<u8>,
    label: Option<Vec<u8>>,
}

/// Collects the EncryptedKey elements inside the KeyInfo and beside the EncryptedData (SAML core 2.3.4).
fn encrypted_keys(wrapper: Node<'_, '_>, data: Node<'_, '_>) -> Result<Vec<Wrapped>, SamlError> {
    let mut elements: Vec<Node<'_, '_>> = wrapper.children_named(names::XENC, "EncryptedKey").collect();
    if let Some(info) = data.child(names::DS, "KeyInfo")? {
        elements.extend(info.children_named(names::XENC, "EncryptedKey"));
    }
    if elements.is_empty() || elements.len() > MAX_ENCRYPTED_KEYS {
        return Err(SamlError::EncryptionMalformed);
    }
    elements.into_iter().map(read_encrypted_key).collect()
}

fn read_encrypted_key(element: Node<'_, '_>) -> Result<Wrapped, SamlError> {
    let method = element
        .child(names::XENC, "EncryptionMethod")?
        .ok_or(SamlError::EncryptionMalformed)?;
    let uri = method.need_attr("Algorithm")?;
    let refused = |uri: &str| SamlError::EncryptionAlgorithmRefused { uri: Quote::new(uri) };
    let digest = method
        .child(names::DS, "DigestMethod")?
        .map_or(Ok(SHA1), |d| d.need_attr("Algorithm"))?;
    let mask = method
        .child(names::XENC11, "MGF")?
        .map(|m| m.need_attr("Algorithm"))
        .transpose()?;
    let mask = mask.map_or(Ok("sha1"), |m| {
        m.strip_prefix("http://www.w3.org/2009/xmlenc11#mgf1")
            .ok_or(refused(m))
    })?;
    // The mask function defaults to SHA-1, and the library ties it to the digest.
    let oaep = match (uri, digest, mask) {
        (RSA_OAEP_MGF1P | RSA_OAEP, SHA1, "sha1") => Oaep::Sha1,
        (RSA_OAEP, SHA256, "sha256") => Oaep::Sha256,
        (RSA_OAEP, SHA384, "sha384") => Oaep::Sha384,
        (RSA_OAEP, SHA512, "sha512") => Oaep::Sha512,
        _ => return Err(refused(uri)),
    };
    let label = match method.child(names::XENC, "OAEPparams")? {
        Some(params) => {
            Some(wire::base64_decode(params.text()?.as_bytes()).map_err(|_| SamlError::EncryptionMalformed)?)
        }
        None => None,
    };
    Ok(Wrapped {
        oaep,
        value: cipher_value(element)?,
        label,
    })
}

/// Reads CipherData/CipherValue; a CipherReference has no place here.
fn cipher_value(element: Node<'_, '_>) -> Result<Vec<u8>, SamlError> {
    let data = element
        .child(names::XENC, "CipherData")?
        .ok_or(SamlError::EncryptionMalformed)?;
    let value = data
        .child(names::XENC, "CipherValue")?
        .ok_or(SamlError::EncryptionMalformed)?;
    wire::base64_decode(value.text()?.as_bytes()).map_err(|_| SamlError::EncryptionMalformed)
}

/// Decrypts content; `None` for every cause alike.
fn decrypt(cipher: ContentCipher, key: &[u8], ciphertext: Vec<u8>) -> Option<Zeroizing<Vec<u8>>> {
    match cipher {
        ContentCipher::Aes128Gcm => decrypt_gcm(&AES_128_GCM, key, ciphertext),
        ContentCipher::Aes256Gcm => decrypt_gcm(&AES_256_GCM, key, ciphertext),
        ContentCipher::Aes128Cbc => decrypt_cbc(&cipher::AES_128, key, ciphertext),
        ContentCipher::Aes256Cbc => decrypt_cbc(&cipher::AES_256, key, ciphertext),
    }
}

/// XML Encryption 1.1 section 5.2.4: 96-bit nonce first, 128-bit tag last.
fn decrypt_gcm(
    algorithm: &'static AeadAlgorithm,
    key: &[u8],
    mut bytes: Vec<u8>,
) -> Option<Zeroizing<Vec<u8>>> {
    let key = LessSafeKey::new(UnboundKey::new(algorithm, key).ok()?);
    let (nonce, _) = bytes.split_first_chunk::<12>()?;
    let nonce = Nonce::assume_unique_for_key(*nonce);
    let mut sealed = bytes.split_off(12);
    let plain = key
        .open_in_place(nonce, Aad::empty(), &mut sealed)
        .ok()
        .map(|plain| Zeroizing::new(plain.to_vec()));
    sealed.zeroize();
    plain
}

/// XML Encryption 1.1 section 5.2.3: 128-bit vector first; the last byte counts the padding, whose other
/// bytes are arbitrary (ISO 10126), so the library's PKCS#7 mode would refuse honest senders.
fn decrypt_cbc(
    algorithm: &'static cipher::Algorithm,
    key: &[u8],
    mut bytes: Vec<u8>,
) -> Option<Zeroizing<Vec<u8>>> {
    let key = DecryptingKey::cbc(UnboundCipherKey::new(algorithm, key).ok()?).ok()?;
    let (vector, _) = bytes.split_first_chunk::<16>()?;
    let context = DecryptionContext::Iv128(FixedLength::from(*vector));
    let mut body = Zeroizing::new(bytes.split_off(16));
    if body.is_empty() || !body.len().is_multiple_of(16) {
        return None;
    }
    key.decrypt(&mut body, context).ok()?;
    let padding = usize::from(*body.last()?);
    if padding == 0 || padding > 16 {
        return None;
    }
    let len = body.len().checked_sub(padding)?;
    body.truncate(len);
    Some(body)
}
