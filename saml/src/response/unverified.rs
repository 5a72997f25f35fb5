//! Reads a message that somebody pasted, WITHOUT verifying anything: for trying rules on what a provider sends.
//!
//! Owns its own type, which nothing that signs people in accepts. The size limits, the XML dialect and the whitelist of places
//! are those of [`super::verify`]; signatures, times, audience and addresses are not looked at, and nothing is decrypted.

use std::borrow::Cow;

use super::assertion::{self, Attribute, NameId};
use super::read::{read_name_id, read_status};
use super::{Trust, structure};
use crate::error::SamlError;
use crate::limits::Limits;
use crate::wire;
use crate::xml::{Dialect, Node, Tree, names};

/// What a pasted message says about a person. It proves nothing: whoever pasted it may have written it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnverifiedAssertion {
    /// Who claims to have made it.
    pub issuer: Option<String>,
    /// The subject, if one is named.
    pub name_id: Option<NameId>,
    /// The attributes.
    pub attributes: Vec<Attribute>,
}

/// Reads a pasted Response or Assertion: XML, its base64, or the form field as a browser's tools copy it
/// (`SAMLResponse=…`, percent-encoded).
///
/// # Errors
/// Those of the envelope, of the XML and of the structure; `saml_status` for an answer that is an error;
/// `saml_no_decryption_key` for what is encrypted.
pub fn read_unverified(pasted: &str, limits: &Limits) -> Result<UnverifiedAssertion, SamlError> {
    if pasted.len() > limits.max_bytes {
        return Err(SamlError::TooLarge);
    }
    let text = text(pasted.trim(), limits)?;
    let tree = Tree::parse(&text, limits, Dialect::Message)?;
    let root = tree.root();
    if root.is(names::SAML, "Assertion") {
        return read(structure::check_decrypted(root)?, limits);
    }
    structure::check_response(root)?;
    read_status(root)?.need_success()?;
    match structure::find_payload(root)? {
        structure::Payload::Plain(assertion) => read(assertion, limits),
        structure::Payload::Encrypted(_) => Err(SamlError::NoDecryptionKey),
    }
}

/// Undoes the encodings of a form field.
fn text<'p>(pasted: &'p str, limits: &Limits) -> Result<Cow<'p, str>, SamlError> {
    let pasted = pasted.trim_start_matches('\u{feff}');
    if pasted.starts_with('<') {
        return Ok(Cow::Borrowed(pasted));
    }
    let field = pasted.strip_prefix("SAMLResponse=").unwrap_or(pasted);
    let value = field.split('&').next().unwrap_or_default();
    if !value.contains('%') {
        return wire::decode_post(value.as_bytes(), limits.max_bytes).map(Cow::Owned);
    }
    // A plus is one of base64 here: what was percent-encoded has none for a space.
    let escaped = format!("v={}", value.replace('+', "%2B"));
    let decoded = url::form_urlencoded::parse(escaped.as_bytes()).next();
    let decoded = decoded.map(|(_, value)| value.into_owned()).unwrap_or_default();
    wire::decode_post(decoded.as_bytes(), limits.max_bytes).map(Cow::Owned)
}

fn read(assertion: Node<'_, '_>, limits: &Limits) -> Result<UnverifiedAssertion, SamlError> {
    let issuer = assertion.child(names::SAML, "Issuer")?;
    let subject = assertion.child(names::SAML, "Subject")?;
    let name_id = match subject {
        Some(subject) if subject.child(names::SAML, "EncryptedID")?.is_some() => {
            return Err(SamlError::NoDecryptionKey);
        }
        Some(subject) => subject.child(names::SAML, "NameID")?,
        None => None,
    };
    let nobody = Trust {
        idp_entity_id: "",
        keys: &[],
        decryption_keys: &[],
        allow_cbc: false,
        limits: *limits,
    };
    Ok(UnverifiedAssertion {
        issuer: issuer.map(Node::text).transpose()?.map(Cow::into_owned),
        name_id: name_id.map(read_name_id).transpose()?,
        attributes: assertion::read_attributes(assertion, &nobody)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ASSERTION: &str = r#"<a:Assertion xmlns:a="urn:oasis:names:tc:SAML:2.0:assertion" ID="_a" Version="2.0" IssueInstant="2001-01-01T00:00:00Z"><a:Issuer>https://idp.example</a:Issuer><a:Subject><a:NameID Format="urn:oasis:names:tc:SAML:2.0:nameid-format:persistent">ann-1</a:NameID></a:Subject><a:AttributeStatement><a:Attribute Name="groups"><a:AttributeValue>staff</a:AttributeValue><a:AttributeValue>admins</a:AttributeValue></a:Attribute></a:AttributeStatement></a:Assertion>"#;

    fn response(inner: &str) -> String {
        format!(
            r#"<p:Response xmlns:p="urn:oasis:names:tc:SAML:2.0:protocol" ID="_r" Version="2.0" IssueInstant="2001-01-01T00:00:00Z"><p:Status><p:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Success"/></p:Status>{inner}</p:Response>"#
        )
    }

    fn code(pasted: &str) -> &'static str {
        match read_unverified(pasted, &Limits::MESSAGE) {
            Ok(_) => "read",
            Err(error) => error.code(),
        }
    }

    #[test]
    fn every_form_in_which_a_message_is_copied_is_read_the_same() {
        let whole = response(ASSERTION);
        let base64 = wire::base64_encode(whole.as_bytes());
        let mut wrapped = String::new();
        for line in base64.as_bytes().chunks(64) {
            wrapped.push_str(&String::from_utf8_lossy(line));
            wrapped.push_str("\r\n");
        }
        let field = format!("SAMLResponse={}&RelayState=x", wire::query_encode(&base64));
        for pasted in [
            ASSERTION,
            &whole,
            &base64,
            &wrapped,
            &field,
            &format!("\n {whole} \n"),
        ] {
            let read = read_unverified(pasted, &Limits::MESSAGE).unwrap();
            assert_eq!(read.issuer.as_deref(), Some("https://idp.example"));
            assert_eq!(read.name_id.unwrap().value, "ann-1");
            assert_eq!(read.attributes.len(), 1);
            assert_eq!(read.attributes[0].values, ["staff", "admins"]);
        }
    }

    #[test]
    fn hostile_and_unreadable_messages_end_in_their_own_codes() {
        let deep = format!("{}{}", "<x>".repeat(100), "</x>".repeat(100));
        let twice = response(&format!("{ASSERTION}{ASSERTION}"));
        let encrypted =
            response(r#"<a:EncryptedAssertion xmlns:a="urn:oasis:names:tc:SAML:2.0:assertion"/>"#);
        let hidden = response(&format!("<p:Extensions>{ASSERTION}</p:Extensions>"));
        let failed = response("").replace("status:Success", "status:Responder");
        let comment = ASSERTION.replace("ann-1", "ann<!-- -->-1");
        for (pasted, expected) in [
            ("", "saml_base64"),
            ("no base64!", "saml_base64"),
            ("{}", "saml_base64"),
            ("<", "saml_malformed"),
            (
                "<!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/passwd'>]><x>&e;</x>",
                "saml_doctype",
            ),
            (&deep, "saml_too_deep"),
            (&"A".repeat(300 * 1024), "saml_too_large"),
            (&comment, "saml_comment"),
            ("<x/>", "saml_root_unexpected"),
            (&twice, "saml_duplicate_id"),
            (&encrypted, "saml_no_decryption_key"),
            (&hidden, "saml_assertion_misplaced"),
            (&failed, "saml_status"),
            (&response(""), "saml_assertion_missing"),
        ] {
            assert_eq!(code(pasted), expected, "{}", &pasted[..pasted.len().min(80)]);
        }
    }
}
