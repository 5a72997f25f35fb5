//! Reads the metadata of one identity provider.

use jiff::{SignedDuration, Timestamp};

use crate::binding::web_url;
use crate::error::SamlError;
use crate::key::Certificate;
use crate::limits::Limits;
use crate::xml::{Dialect, Node, Tree, names};
use crate::{time, wire};

/// A pair of addresses for one binding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Where messages are sent.
    pub location: String,
    /// Where responses are sent, if that differs (single logout).
    pub response_location: Option<String>,
}

impl Endpoint {
    /// Returns where responses go.
    pub fn for_responses(&self) -> &str {
        self.response_location.as_deref().unwrap_or(&self.location)
    }
}

/// What an identity provider's metadata says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdpMetadata {
    /// The entity ID, exactly.
    pub entity_id: String,
    /// Sign-on address by redirect.
    pub sso_redirect: Option<String>,
    /// Sign-on address by POST.
    pub sso_post: Option<String>,
    /// Logout addresses by redirect.
    pub slo_redirect: Option<Endpoint>,
    /// Logout addresses by POST.
    pub slo_post: Option<Endpoint>,
    /// Signing certificates in document order, without repetition; a missing `use` counts for both uses.
    pub signing_certificates: Vec<Certificate>,
    /// Encryption certificates.
    pub encryption_certificates: Vec<Certificate>,
    /// Supported NameID formats.
    pub name_id_formats: Vec<String>,
    /// Whether requests have to be signed.
    pub want_authn_requests_signed: bool,
    /// When this description ends, if it says so.
    pub valid_until: Option<Timestamp>,
    /// How long it may be cached, if it says so.
    pub cache_duration: Option<SignedDuration>,
    /// Human name of the organization or service, for display.
    pub display_name: Option<String>,
}

impl IdpMetadata {
    /// Parses a document that describes exactly one identity provider.
    ///
    /// # Errors
    /// XML errors, `saml_metadata_*`, certificate and address errors.
    pub fn parse(bytes: &[u8]) -> Result<Self, SamlError> {
        Self::parse_entity(bytes, None)
    }

    /// Parses a document and picks the identity provider with this entity ID, or the only one.
    ///
    /// # Errors
    /// As [`Self::parse`].
    pub fn parse_entity(bytes: &[u8], entity_id: Option<&str>) -> Result<Self, SamlError> {
        if bytes.len() > Limits::METADATA.max_bytes {
            return Err(SamlError::TooLarge);
        }
        let text = wire::utf8(bytes.to_vec())?;
        let tree = Tree::parse(text.trim_start(), &Limits::METADATA, Dialect::Metadata)?;
        let entity = pick(tree.root(), entity_id)?;
        let role = role(entity)?.ok_or(SamlError::MetadataNoIdp)?;
        read(entity, role, tree.root())
    }

    /// Whether the description itself says that it is over.
    pub fn is_expired(&self, now: Timestamp) -> bool {
        self.valid_until.is_some_and(|end| now >= end)
    }
}

/// Returns the identity provider role of an entity for SAML 2.0.
fn role<'t, 'a>(entity: Node<'t, 'a>) -> Result<Option<Node<'t, 'a>>, SamlError> {
    let mut roles = entity
        .children_named(names::MD, "IDPSSODescriptor")
        .filter(|role| {
            role.attr("protocolSupportEnumeration")
                .is_some_and(|p| p.split_ascii_whitespace().any(|p| p == names::SAMLP))
        });
    match (roles.next(), roles.next()) {
        (Some(_), Some(second)) => Err(SamlError::ElementRepeated {
            name: second.quoted_name(),
        }),
        (first, _) => Ok(first),
    }
}

/// Picks the entity: the root, or one inside (possibly nested) EntitiesDescriptor elements.
fn pick<'t, 'a>(root: Node<'t, 'a>, entity_id: Option<&str>) -> Result<Node<'t, 'a>, SamlError> {
    if !root.is(names::MD, "EntityDescriptor") && !root.is(names::MD, "EntitiesDescriptor") {
        return Err(SamlError::RootUnexpected {
            found: root.quoted_name(),
        });
    }
    let mut found = Vec::new();
    let mut open = vec![root];
    while let Some(node) = open.pop() {
        if node.is(names::MD, "EntitiesDescriptor") {
            open.extend(node.children());
        } else if node.is(names::MD, "EntityDescriptor") && role(node)?.is_some() {
            let wanted = entity_id.is_none_or(|id| node.attr("entityID") == Some(id));
            if wanted {
                found.push(node);
            }
        }
    }
    match found.as_slice() {
        [only] => Ok(*only),
        [] => Err(SamlError::MetadataNoIdp),
        _ => Err(SamlError::MetadataSeveralIdps),
    }
}

fn read(entity: Node<'_, '_>, role: Node<'_, '_>, root: Node<'_, '_>) -> Result<IdpMetadata, SamlError> {
    let entity_id = entity.need_attr("entityID")?;
    if entity_id.is_empty() || entity_id.len() > 1024 || entity_id.chars().any(char::is_control) {
        return Err(SamlError::AttributeMissing { name: "entityID" });
    }
    let sso_redirect = endpoint(role, "SingleSignOnService", names::BINDING_REDIRECT)?.map(|e| e.location);
    let sso_post = endpoint(role, "SingleSignOnService", names::BINDING_POST)?.map(|e| e.location);
    if sso_redirect.is_none() && sso_post.is_none() {
        return Err(SamlError::MetadataNoEndpoint);
    }
    let signing_certificates = certificates(role, "signing")?;
    if signing_certificates.is_empty() {
        return Err(SamlError::MetadataNoCertificate);
    }
    let mut name_id_formats = Vec::new();
    for format in role.children_named(names::MD, "NameIDFormat") {
        name_id_formats.push(format.text()?.trim().to_owned());
    }
    // The shortest validity of the three levels holds (metadata 2.3.1).
    let levels = [root, entity, role];
    let mut valid_until: Option<Timestamp> = None;
    let mut cache_duration: Option<SignedDuration> = None;
    for level in levels {
        let end = level.attr("validUntil").map(time::parse).transpose()?;
        valid_until = valid_until.into_iter().chain(end).min();
        let cache = level
            .attr("cacheDuration")
            .map(time::parse_duration)
            .transpose()?;
        cache_duration = cache_duration.into_iter().chain(cache).min();
    }
    Ok(IdpMetadata {
        entity_id: entity_id.to_owned(),
        sso_redirect,
        sso_post,
        slo_redirect: endpoint(role, "SingleLogoutService", names::BINDING_REDIRECT)?,
        slo_post: endpoint(role, "SingleLogoutService", names::BINDING_POST)?,
        signing_certificates,
        encryption_certificates: certificates(role, "encryption")?,
        name_id_formats,
        want_authn_requests_signed: matches!(role.attr("WantAuthnRequestsSigned"), Some("true" | "1")),
        valid_until,
        cache_duration,
        display_name: display_name(entity)?,
    })
}

/// Returns the first endpoint of a service for one binding; its addresses must be absolute web addresses.
fn endpoint(role: Node<'_, '_>, service: &'static str, binding: &str) -> Result<Option<Endpoint>, SamlError> {
    let found = role
        .children_named(names::MD, service)
        .find(|node| node.attr("Binding") == Some(binding));
    let Some(node) = found else { return Ok(None) };
    let location = node.need_attr("Location")?.trim().to_owned();
    web_url(&location)?;
    let response_location = node.attr("ResponseLocation").map(|l| l.trim().to_owned());
    if let Some(response) = &response_location {
        web_url(response)?;
    }
    Ok(Some(Endpoint {
        location,
        response_location,
    }))
}

/// Collects the certificates of a role for one use. A KeyDescriptor without `use` serves both (metadata 2.4.1.1).
fn certificates(role: Node<'_, '_>, wanted: &str) -> Result<Vec<Certificate>, SamlError> {
    let mut found: Vec<Certificate> = Vec::new();
    for descriptor in role.children_named(names::MD, "KeyDescriptor") {
        if descriptor.attr("use").is_some_and(|used| used != wanted) {
            continue;
        }
        let Some(info) = descriptor.child(names::DS, "KeyInfo")? else {
            continue;
        };
        for data in info.children_named(names::DS, "X509Data") {
            for node in data.children_named(names::DS, "X509Certificate") {
                let certificate = Certificate::from_base64(&node.text()?)?;
                if !found.contains(&certificate) {
                    found.push(certificate);
                }
            }
        }
    }
    Ok(found)
}

fn display_name(entity: Node<'_, '_>) -> Result<Option<String>, SamlError> {
    let Some(organization) = entity.child(names::MD, "Organization")? else {
        return Ok(None);
    };
    let Some(name) = organization
        .children_named(names::MD, "OrganizationDisplayName")
        .next()
    else {
        return Ok(None);
    };
    Ok(Some(name.text()?.trim().chars().take(200).collect()))
}

#[cfg(test)]
mod tests;
