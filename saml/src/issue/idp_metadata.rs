//! Renders the metadata of an issuing identity provider.

use crate::attributes::{FORMAT_EMAIL, FORMAT_PERSISTENT};
use crate::key::Certificate;
use crate::metadata::{key_descriptor, service};
use crate::xml::names;
use crate::xml::text::{attr, leaf};

/// What the metadata of an identity provider shows.
#[derive(Debug, Clone, Copy)]
pub struct IdentityProvider<'i> {
    /// Entity ID.
    pub entity_id: &'i str,
    /// Sign-on address, by redirect and POST.
    pub sso_url: &'i str,
    /// Logout address, by redirect and POST.
    pub slo_url: Option<&'i str>,
    /// Signing certificates.
    pub certificates: &'i [Certificate],
    /// Whether requests have to be signed.
    pub want_authn_requests_signed: bool,
}

/// Renders the metadata document.
pub fn idp_metadata(idp: &IdentityProvider<'_>) -> String {
    let mut out = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<md:EntityDescriptor xmlns:md=\"{}\" xmlns:ds=\"{}\"",
        names::MD,
        names::DS
    );
    attr(&mut out, "entityID", idp.entity_id);
    out.push_str("><md:IDPSSODescriptor");
    attr(
        &mut out,
        "WantAuthnRequestsSigned",
        if idp.want_authn_requests_signed {
            "true"
        } else {
            "false"
        },
    );
    attr(&mut out, "protocolSupportEnumeration", names::SAMLP);
    out.push('>');
    for certificate in idp.certificates {
        key_descriptor(&mut out, "signing", certificate, &[]);
    }
    let bindings = [names::BINDING_REDIRECT, names::BINDING_POST];
    if let Some(url) = idp.slo_url {
        for binding in bindings {
            service(&mut out, "SingleLogoutService", binding, url, &[]);
        }
    }
    for format in [FORMAT_PERSISTENT, FORMAT_EMAIL] {
        leaf(&mut out, "md:NameIDFormat", format);
    }
    for binding in bindings {
        service(&mut out, "SingleSignOnService", binding, idp.sso_url, &[]);
    }
    out.push_str("</md:IDPSSODescriptor></md:EntityDescriptor>\n");
    out
}
