//! Makes enveloped signatures of the same strict form that is accepted.

use super::DigestAlgorithm;
use super::canonical::Canonicalization;
use crate::error::SamlError;
use crate::key::{Certificate, SignatureAlgorithm, SigningKey};
use crate::limits::Limits;
use crate::wire;
use crate::xml::text::escape;
use crate::xml::{Dialect, Tree, names};

/// How to sign: algorithms and what KeyInfo shows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SignOptions<'o> {
    pub(crate) algorithm: SignatureAlgorithm,
    pub(crate) digest: DigestAlgorithm,
    pub(crate) certificate: Option<&'o Certificate>,
}

impl SignOptions<'_> {
    /// The key's default algorithm, SHA-256 digests and no KeyInfo.
    pub(crate) fn for_key(key: &SigningKey) -> Self {
        Self {
            algorithm: key.default_algorithm(),
            digest: DigestAlgorithm::Sha256,
            certificate: None,
        }
    }
}

/// Signs the root of `before + after` and returns it with the Signature between the two halves.
pub(crate) fn sign_enveloped(before: &str, after: &str, key: &SigningKey) -> Result<String, SamlError> {
    sign_enveloped_with(before, after, key, &SignOptions::for_key(key))
}

/// Signs as [`sign_enveloped`] with explicit options.
pub(crate) fn sign_enveloped_with(
    before: &str,
    after: &str,
    key: &SigningKey,
    options: &SignOptions<'_>,
) -> Result<String, SamlError> {
    let unsigned = format!("{before}{after}");
    let tree = Tree::parse(&unsigned, &Limits::METADATA, Dialect::Message)?;
    let id = tree.root().need_id()?;
    let canonical = Canonicalization::Exclusive(Vec::new()).apply(tree.root(), None)?;
    let digest = options.digest.digest(canonical.as_bytes());
    let signature = render(id, digest.as_ref(), key, options)?;
    Ok(format!("{before}{signature}{after}"))
}

/// Renders the Signature element. The SignedInfo is written in its own canonical form, so it is signed as is.
fn render(id: &str, digest: &[u8], key: &SigningKey, options: &SignOptions<'_>) -> Result<String, SamlError> {
    let body = format!(
        "<ds:CanonicalizationMethod Algorithm=\"{exclusive}\"></ds:CanonicalizationMethod>\
         <ds:SignatureMethod Algorithm=\"{algorithm}\"></ds:SignatureMethod><ds:Reference URI=\"#{id}\">\
         <ds:Transforms><ds:Transform Algorithm=\"{enveloped}\"></ds:Transform>\
         <ds:Transform Algorithm=\"{exclusive}\"></ds:Transform></ds:Transforms>\
         <ds:DigestMethod Algorithm=\"{digest_method}\"></ds:DigestMethod>\
         <ds:DigestValue>{digest}</ds:DigestValue></ds:Reference>",
        exclusive = names::EXC_C14N,
        enveloped = names::ENVELOPED,
        algorithm = options.algorithm.uri(),
        id = escape(id),
        digest_method = options.digest.uri(),
        digest = wire::base64_encode(digest),
    );
    let signed = format!("<ds:SignedInfo xmlns:ds=\"{}\">{body}</ds:SignedInfo>", names::DS);
    let value = wire::base64_encode(&key.sign(options.algorithm, signed.as_bytes())?);
    let key_info = options.certificate.map_or_else(String::new, |certificate| {
        let data = escape(&certificate.to_base64());
        format!("<ds:KeyInfo><ds:X509Data><ds:X509Certificate>{data}</ds:X509Certificate></ds:X509Data></ds:KeyInfo>")
    });
    Ok(format!(
        "<ds:Signature xmlns:ds=\"{}\"><ds:SignedInfo>{body}</ds:SignedInfo>\
         <ds:SignatureValue>{value}</ds:SignatureValue>{key_info}</ds:Signature>",
        names::DS
    ))
}
