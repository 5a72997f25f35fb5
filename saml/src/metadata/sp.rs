//! Renders our own metadata for one connection. Same input, same bytes.

use crate::key::Certificate;
use crate::xml::names;
use crate::xml::text::{attr, leaf};
use crate::xmlenc::{ContentCipher, RSA_OAEP, RSA_OAEP_MGF1P};

/// Our side of one connection.
#[derive(Debug, Clone)]
pub struct ServiceProvider<'s> {
    /// Our entity ID.
    pub entity_id: &'s str,
    /// Assertion consumer address (POST).
    pub acs_url: &'s str,
    /// Logout address (redirect and POST), if logout is offered.
    pub slo_url: Option<&'s str>,
    /// Certificates whose keys sign our requests, newest first.
    pub signing_certificates: &'s [Certificate],
    /// Certificates for encrypting to us.
    pub encryption_certificates: &'s [Certificate],
    /// Whether our requests are signed.
    pub authn_requests_signed: bool,
    /// Whether we ask for signed assertions.
    pub want_assertions_signed: bool,
    /// Wanted NameID formats, best first.
    pub name_id_formats: &'s [String],
    /// Announces AES-CBC too.
    pub allow_cbc: bool,
}

/// Renders the metadata document.
pub fn sp_metadata(sp: &ServiceProvider<'_>) -> String {
    let mut out = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<md:EntityDescriptor xmlns:md=\"{}\" xmlns:ds=\"{}\"",
        names::MD,
        names::DS
    );
    attr(&mut out, "entityID", sp.entity_id);
    out.push_str("><md:SPSSODescriptor");
    attr(
        &mut out,
        "AuthnRequestsSigned",
        if sp.authn_requests_signed { "true" } else { "false" },
    );
    attr(
        &mut out,
        "WantAssertionsSigned",
        if sp.want_assertions_signed {
            "true"
        } else {
            "false"
        },
    );
    attr(&mut out, "protocolSupportEnumeration", names::SAMLP);
    out.push('>');
    for certificate in sp.signing_certificates {
        key_descriptor(&mut out, "signing", certificate, &[]);
    }
    let mut methods = vec![ContentCipher::Aes256Gcm.uri(), ContentCipher::Aes128Gcm.uri()];
    if sp.allow_cbc {
        methods.extend([ContentCipher::Aes256Cbc.uri(), ContentCipher::Aes128Cbc.uri()]);
    }
    methods.extend([RSA_OAEP_MGF1P, RSA_OAEP]);
    for certificate in sp.encryption_certificates {
        key_descriptor(&mut out, "encryption", certificate, &methods);
    }
    if let Some(url) = sp.slo_url {
        for binding in [names::BINDING_REDIRECT, names::BINDING_POST] {
            service(&mut out, "SingleLogoutService", binding, url, &[]);
        }
    }
    for format in sp.name_id_formats {
        leaf(&mut out, "md:NameIDFormat", format);
    }
    let default = [("index", "0"), ("isDefault", "true")];
    service(
        &mut out,
        "AssertionConsumerService",
        names::BINDING_POST,
        sp.acs_url,
        &default,
    );
    out.push_str("</md:SPSSODescriptor></md:EntityDescriptor>\n");
    out
}

/// Appends a KeyDescriptor.
pub(crate) fn key_descriptor(out: &mut String, used: &str, certificate: &Certificate, methods: &[&str]) {
    out.push_str("<md:KeyDescriptor");
    attr(out, "use", used);
    out.push_str("><ds:KeyInfo><ds:X509Data>");
    leaf(out, "ds:X509Certificate", &certificate.to_base64());
    out.push_str("</ds:X509Data></ds:KeyInfo>");
    for method in methods {
        out.push_str("<md:EncryptionMethod");
        attr(out, "Algorithm", method);
        out.push_str("/>");
    }
    out.push_str("</md:KeyDescriptor>");
}

/// Appends an endpoint element.
pub(crate) fn service(out: &mut String, name: &str, binding: &str, location: &str, extra: &[(&str, &str)]) {
    out.push_str("<md:");
    out.push_str(name);
    attr(out, "Binding", binding);
    attr(out, "Location", location);
    for (name, value) in extra {
        attr(out, name, value);
    }
    out.push_str("/>");
}
