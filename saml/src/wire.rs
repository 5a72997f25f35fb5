//! Transport encodings of the bindings: base64 form values, DEFLATE and query strings.
//!
//! Owns the size caps around decoding. Never looks into the XML.

use std::borrow::Cow;
use std::cell::RefCell;
use std::io::{Read, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;

use crate::error::SamlError;

/// Longest RelayState in bytes (SAML bindings 3.4.3 and 3.5.3).
pub const RELAY_STATE_MAX: usize = 80;

/// Decodes strict base64 after removing the white space that line wrapping leaves.
pub(crate) fn base64_decode(value: &[u8]) -> Result<Vec<u8>, SamlError> {
    let wrapped = value.iter().any(u8::is_ascii_whitespace);
    let compact: Cow<'_, [u8]> = if wrapped {
        Cow::Owned(
            value
                .iter()
                .copied()
                .filter(|b| !b.is_ascii_whitespace())
                .collect(),
        )
    } else {
        Cow::Borrowed(value)
    };
    if compact.is_empty() {
        return Err(SamlError::Base64);
    }
    STANDARD.decode(compact.as_ref()).map_err(|_| SamlError::Base64)
}

/// Encodes to base64 without line breaks.
pub(crate) fn base64_encode(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Turns decoded bytes into text: UTF-8 only, one byte-order mark tolerated.
pub(crate) fn utf8(bytes: Vec<u8>) -> Result<String, SamlError> {
    let mut text = String::from_utf8(bytes).map_err(|_| SamlError::NotUtf8)?;
    if text.starts_with('\u{feff}') {
        text.drain(..'\u{feff}'.len_utf8());
    }
    Ok(text)
}

/// Decodes the value of a `SAMLResponse` or `SAMLRequest` form field (HTTP-POST binding).
pub(crate) fn decode_post(value: &[u8], max_bytes: usize) -> Result<String, SamlError> {
    if value.len() > max_bytes {
        return Err(SamlError::TooLarge);
    }
    utf8(base64_decode(value)?)
}

/// Inflates a redirect-binding message, stopping at `max_bytes`.
pub(crate) fn inflate(compressed: &[u8], max_bytes: usize) -> Result<String, SamlError> {
    let cap = u64::try_from(max_bytes).unwrap_or(u64::MAX).saturating_add(1);
    let mut out = Vec::new();
    DeflateDecoder::new(compressed)
        .take(cap)
        .read_to_end(&mut out)
        .map_err(|_| SamlError::Deflate)?;
    if out.len() > max_bytes {
        return Err(SamlError::InflateBomb);
    }
    utf8(out)
}

/// Compresses a message for the redirect binding.
pub(crate) fn deflate(text: &str) -> Result<Vec<u8>, SamlError> {
    thread_local! {
        // Clearing the tables of a new one takes four times as long as compressing a message, and a harder search for
        // repetitions six times as long, for a sixth of the length.
        static ENCODER: RefCell<DeflateEncoder<Vec<u8>>> =
            RefCell::new(DeflateEncoder::new(Vec::new(), Compression::fast()));
    }
    ENCODER
        .with_borrow_mut(|encoder| {
            encoder.write_all(text.as_bytes())?;
            encoder.reset(Vec::new())
        })
        .map_err(|_| SamlError::Deflate)
}

/// Longest RelayState that is echoed to its sender: real providers exceed the limit of the specification.
pub(crate) const RELAY_STATE_ECHO_MAX: usize = 1024;

/// Refuses a RelayState beyond `max` bytes.
pub(crate) fn check_relay_state(relay_state: Option<&str>, max: usize) -> Result<(), SamlError> {
    match relay_state {
        Some(value) if value.len() > max => Err(SamlError::RelayStateTooLong),
        Some(_) | None => Ok(()),
    }
}

/// Percent-encodes one query value as `application/x-www-form-urlencoded`.
pub(crate) fn query_encode(value: &str) -> String {
    url::form_urlencoded::byte_serialize(value.as_bytes()).collect()
}

/// The parameters of a redirect-binding query, with the raw text each was sent as.
pub(crate) struct RedirectQuery<'q> {
    /// Whether the message is a response.
    pub(crate) is_response: bool,
    /// Decoded base64 of the message, still deflated.
    pub(crate) deflated: Vec<u8>,
    /// Decoded relay state.
    pub(crate) relay_state: Option<String>,
    /// Decoded signature algorithm.
    pub(crate) sig_alg: Option<String>,
    /// Decoded signature.
    pub(crate) signature: Option<Vec<u8>>,
    /// The raw `name=value` pairs that the signature covers, in the order received.
    signed_pairs: Vec<&'q str>,
}

impl<'q> RedirectQuery<'q> {
    /// Splits a raw query string (without `?`); every SAML parameter may appear once.
    pub(crate) fn parse(raw: &'q str, max_bytes: usize) -> Result<Self, SamlError> {
        if raw.len() > max_bytes {
            return Err(SamlError::TooLarge);
        }
        let mut message = None;
        let mut relay_state = None;
        let mut sig_alg = None;
        let mut signature = None;
        let mut signed_pairs = Vec::new();
        for pair in raw.split('&') {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let slot = match name {
                "SAMLRequest" | "SAMLResponse" => {
                    once(
                        &mut message,
                        (name == "SAMLResponse", value),
                        "SAMLRequest/SAMLResponse",
                    )?;
                    true
                }
                "RelayState" => {
                    once(&mut relay_state, decode(value, "RelayState")?, "RelayState").map(|()| true)?
                }
                "SigAlg" => once(&mut sig_alg, decode(value, "SigAlg")?, "SigAlg").map(|()| true)?,
                "Signature" => {
                    once(&mut signature, decode(value, "Signature")?, "Signature").map(|()| false)?
                }
                _ => false,
            };
            if slot {
                signed_pairs.push(pair);
            }
        }
        let name = "SAMLRequest/SAMLResponse";
        let (is_response, value) = message.ok_or(SamlError::Query { name })?;
        let deflated = base64_decode(decode(value, name)?.as_bytes())?;
        let signature = signature.map(|s| base64_decode(s.as_bytes())).transpose()?;
        Ok(Self {
            is_response,
            deflated,
            relay_state,
            sig_alg,
            signature,
            signed_pairs,
        })
    }

    /// Returns the octets that the detached signature covers (SAML bindings 3.4.4.1).
    ///
    /// They are the raw pairs as received: re-encoding them would verify other bytes than were signed.
    pub(crate) fn signed_octets(&self) -> String {
        self.signed_pairs.join("&")
    }
}

/// Fills `slot` or refuses the repetition.
fn once<T>(slot: &mut Option<T>, value: T, name: &'static str) -> Result<(), SamlError> {
    if slot.replace(value).is_some() {
        Err(SamlError::Query { name })
    } else {
        Ok(())
    }
}

/// Decodes one raw query value; the result must be UTF-8.
fn decode(raw: &str, name: &'static str) -> Result<String, SamlError> {
    let pair = format!("v={raw}");
    let mut values = url::form_urlencoded::parse(pair.as_bytes());
    let value = values
        .next()
        .map(|(_, v)| v.into_owned())
        .ok_or(SamlError::Query { name })?;
    if value.contains('\u{fffd}') {
        Err(SamlError::Query { name })
    } else {
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_strict_but_may_be_wrapped() {
        assert_eq!(base64_decode(b"aGVs\r\nbG8=\n").unwrap(), b"hello");
        for bad in [&b"aGVsbG8"[..], b"aGVs*G8=", b"", b" ", b"aGVsbG9=", b"aGVs-G8="] {
            assert_eq!(base64_decode(bad), Err(SamlError::Base64));
        }
    }

    #[test]
    fn inflating_stops_at_the_cap() {
        let mut attacker = DeflateEncoder::new(Vec::new(), Compression::best());
        attacker.write_all("a".repeat(10_000_000).as_bytes()).unwrap();
        let bomb = attacker.finish().unwrap();
        assert!(bomb.len() < 20_000);
        assert_eq!(inflate(&bomb, 256 * 1024), Err(SamlError::InflateBomb));
        assert_eq!(inflate(&deflate("<a/>").unwrap(), 100).unwrap(), "<a/>");
        assert_eq!(inflate(b"\xff\xff\xff", 100), Err(SamlError::Deflate));
    }

    #[test]
    fn queries_are_taken_as_sent() {
        let raw = "SAMLRequest=YQ%3d%3d&RelayState=a%20b&SigAlg=x&Signature=YQ%3D%3D";
        let query = RedirectQuery::parse(raw, 1000).unwrap();
        assert_eq!(
            query.signed_octets(),
            "SAMLRequest=YQ%3d%3d&RelayState=a%20b&SigAlg=x"
        );
        assert_eq!(query.relay_state.as_deref(), Some("a b"));
        assert!(!query.is_response);
        for bad in [
            "SAMLRequest=YQ%3D%3D&SAMLRequest=YQ%3D%3D",
            "SAMLRequest=YQ%3D%3D&SAMLResponse=YQ%3D%3D",
            "RelayState=x",
            "SAMLRequest=YQ%3D%3D&SigAlg=a&SigAlg=b",
        ] {
            assert_eq!(
                RedirectQuery::parse(bad, 1000).err().map(|e| e.code()),
                Some("saml_query"),
                "{bad}"
            );
        }
    }
}
