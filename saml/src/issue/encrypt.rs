//! Encrypts an element for one recipient: AES content key by RSA-OAEP. Random bytes are handed in.

use aws_lc_rs::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::cipher::{AES_128, AES_256, EncryptingKey, EncryptionContext, UnboundCipherKey};
use aws_lc_rs::iv::FixedLength;
use aws_lc_rs::rsa::{OaepPublicEncryptingKey, PublicEncryptingKey};

use crate::error::SamlError;
use crate::key::{Certificate, Oaep};
use crate::wire::base64_encode;
use crate::xml::names;
use crate::xmlenc::{ContentCipher, RSA_OAEP, RSA_OAEP_MGF1P};

/// How the content key travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyTransport {
    /// `rsa-oaep-mgf1p` with SHA-1, what most senders use.
    OaepSha1,
    /// XML Encryption 1.1 `rsa-oaep` with SHA-256 throughout.
    OaepSha256,
}

/// How and for whom to encrypt.
#[derive(Clone, Copy)]
pub struct Encryption<'e> {
    /// The recipient's certificate (RSA).
    pub recipient: &'e Certificate,
    /// Content cipher.
    pub cipher: ContentCipher,
    /// Key transport.
    pub transport: KeyTransport,
    /// Fresh random bytes: 32 for the content key, 16 for the vector. Never reuse them.
    pub random: [u8; 48],
}

/// Encrypts `xml` and returns the EncryptedData element.
pub(crate) fn encrypt_element(xml: &str, encryption: &Encryption<'_>) -> Result<String, SamlError> {
    let failed = |_| SamlError::SigningFailed;
    let (key_bytes, vector) = encryption.random.split_at(32);
    let key = key_bytes
        .get(..encryption.cipher.key_len())
        .ok_or(SamlError::SigningFailed)?;
    let vector: [u8; 16] = vector.try_into().map_err(|_| SamlError::SigningFailed)?;
    let content =
        encrypt_content(encryption.cipher, key, vector, xml.as_bytes()).ok_or(SamlError::SigningFailed)?;

    let (oaep, method) = match encryption.transport {
        KeyTransport::OaepSha1 => (
            Oaep::Sha1,
            format!("<xenc:EncryptionMethod Algorithm=\"{RSA_OAEP_MGF1P}\"/>"),
        ),
        KeyTransport::OaepSha256 => (
            Oaep::Sha256,
            format!(
                "<xenc:EncryptionMethod Algorithm=\"{RSA_OAEP}\"><ds:DigestMethod xmlns:ds=\"{}\" \
                 Algorithm=\"http://www.w3.org/2001/04/xmlenc#sha256\"/><xenc11:MGF xmlns:xenc11=\"{}\" \
                 Algorithm=\"http://www.w3.org/2009/xmlenc11#mgf1sha256\"/></xenc:EncryptionMethod>",
                names::DS,
                names::XENC11
            ),
        ),
    };
    let public = PublicEncryptingKey::from_der(&encryption.recipient.spki_der)
        .map_err(|_| SamlError::KeyTypeRefused)?;
    let public = OaepPublicEncryptingKey::new(public).map_err(failed)?;
    let mut wrapped = vec![0; public.ciphertext_size()];
    let wrapped = public
        .encrypt(oaep.algorithm(), key, &mut wrapped, None)
        .map_err(failed)?;

    Ok(format!(
        "<xenc:EncryptedData xmlns:xenc=\"{xenc}\" Type=\"{xenc}Element\">\
         <xenc:EncryptionMethod Algorithm=\"{cipher}\"/><ds:KeyInfo xmlns:ds=\"{ds}\"><xenc:EncryptedKey>{method}\
         <xenc:CipherData><xenc:CipherValue>{key}</xenc:CipherValue></xenc:CipherData></xenc:EncryptedKey></ds:KeyInfo>\
         <xenc:CipherData><xenc:CipherValue>{content}</xenc:CipherValue></xenc:CipherData></xenc:EncryptedData>",
        xenc = names::XENC,
        ds = names::DS,
        cipher = encryption.cipher.uri(),
        key = base64_encode(wrapped),
        content = base64_encode(&content),
    ))
}

fn encrypt_content(cipher: ContentCipher, key: &[u8], vector: [u8; 16], plain: &[u8]) -> Option<Vec<u8>> {
    let mut body = plain.to_vec();
    match cipher {
        ContentCipher::Aes128Gcm | ContentCipher::Aes256Gcm => {
            let algorithm = if cipher.key_len() == 16 {
                &AES_128_GCM
            } else {
                &AES_256_GCM
            };
            let key = LessSafeKey::new(UnboundKey::new(algorithm, key).ok()?);
            let (nonce, _) = vector.split_first_chunk::<12>()?;
            key.seal_in_place_append_tag(Nonce::assume_unique_for_key(*nonce), Aad::empty(), &mut body)
                .ok()?;
            Some([nonce.as_slice(), &body].concat())
        }
        ContentCipher::Aes128Cbc | ContentCipher::Aes256Cbc => {
            let algorithm = if cipher.key_len() == 16 {
                &AES_128
            } else {
                &AES_256
            };
            // ISO 10126 as XML Encryption 5.2.3 has it: zeros, and the count in the last byte.
            let padding = 16 - body.len() % 16;
            body.resize(body.len() + padding, 0);
            if let Some(last) = body.last_mut() {
                *last = u8::try_from(padding).ok()?;
            }
            let key = EncryptingKey::cbc(UnboundCipherKey::new(algorithm, key).ok()?).ok()?;
            key.less_safe_encrypt(&mut body, EncryptionContext::Iv128(FixedLength::from(vector)))
                .ok()?;
            Some([vector.as_slice(), &body].concat())
        }
    }
}
