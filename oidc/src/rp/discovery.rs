//! The provider's discovery document (OpenID Connect Discovery 1.0, RFC 8414).
//!
//! Owns the well-known URL and the checks on the document. Never: fetches, or follows an issuer named by a
//! token.

use serde_json::{Map, Value};
use url::Url;

use crate::error::OidcError;
use crate::jose::{Algorithm, json};
use crate::transport::Transport;

/// The most bytes a discovery document may have.
pub const MAX_BYTES: usize = 256 * 1024;

/// The placeholder of Microsoft Entra's multi-tenant documents.
const TENANT_PLACEHOLDER: &str = "{tenantid}";

/// How a client authenticates at a token endpoint (RFC 7591 section 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AuthMethod {
    /// HTTP Basic.
    ClientSecretBasic,
    /// Form fields.
    ClientSecretPost,
    /// A signed assertion (RFC 7523).
    PrivateKeyJwt,
    /// No authentication: public clients.
    None,
}

impl AuthMethod {
    /// Reads a registered name; `None` for methods not supported here.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "client_secret_basic" => Some(Self::ClientSecretBasic),
            "client_secret_post" => Some(Self::ClientSecretPost),
            "private_key_jwt" => Some(Self::PrivateKeyJwt),
            "none" => Some(Self::None),
            _ => None,
        }
    }

    /// The registered name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ClientSecretBasic => "client_secret_basic",
            Self::ClientSecretPost => "client_secret_post",
            Self::PrivateKeyJwt => "private_key_jwt",
            Self::None => "none",
        }
    }
}

/// What the document is checked against.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    /// The issuer configured for the connection, compared byte for byte.
    pub issuer: &'a str,
    /// The tenant id that may replace Entra's `{tenantid}`; `None` refuses templates.
    pub tenant: Option<&'a str>,
    /// Which URLs may be used.
    pub transport: Transport,
}

/// A checked discovery document. Only [`parse`] makes one.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ProviderMetadata {
    /// The issuer, template expanded: equal to the configured one.
    pub issuer: String,
    /// Where the person is sent.
    pub authorization_endpoint: Url,
    /// Where codes are exchanged.
    pub token_endpoint: Url,
    /// Where the signing keys are.
    pub jwks_uri: Url,
    /// Where further claims are, if offered.
    pub userinfo_endpoint: Option<Url>,
    /// Where the person's session at the provider is ended, if offered.
    pub end_session_endpoint: Option<Url>,
    /// Where refresh tokens are revoked, if offered.
    pub revocation_endpoint: Option<Url>,
    /// Algorithms of ID tokens that are known here; `none` and HMAC entries are skipped.
    pub id_token_algorithms: Vec<Algorithm>,
    /// Client authentication methods known here; without a statement it is Basic (Discovery section 3).
    pub auth_methods: Vec<AuthMethod>,
    /// Algorithms for `private_key_jwt`; empty when not stated.
    pub auth_signing_algorithms: Vec<Algorithm>,
    /// Scopes, when stated.
    pub scopes: Option<Vec<String>>,
    /// Whether answers carry `iss` (RFC 9207).
    pub iss_parameter_supported: bool,
    /// Whether the provider sends back-channel logout tokens.
    pub backchannel_logout_supported: bool,
    /// Whether those tokens carry `sid`.
    pub backchannel_logout_session_supported: bool,
}

/// The well-known URL of an issuer: `/.well-known/openid-configuration` appended to its path.
///
/// Errors: `IssuerInvalid` (no URL, or with query), `EndpointInsecure`.
pub fn well_known_url(issuer: &str, transport: Transport) -> Result<Url, OidcError> {
    let mut url = issuer_url(issuer, transport)?;
    let path = format!(
        "{}/.well-known/openid-configuration",
        url.path().trim_end_matches('/')
    );
    url.set_path(&path);
    Ok(url)
}

/// Parses and checks a discovery document.
///
/// Errors: `DocumentTooLarge`, `DocumentMalformed`, `IssuerMismatch`, `IssuerTemplateUnbound`, `TenantInvalid`,
/// `EndpointMissing`, `EndpointInvalid`, `EndpointInsecure`, `CodeFlowUnsupported`, `PkceUnsupported`.
pub fn parse(bytes: &[u8], expected: &Expected<'_>) -> Result<ProviderMetadata, OidcError> {
    if bytes.len() > MAX_BYTES {
        return Err(OidcError::DocumentTooLarge);
    }
    let document = json::object(bytes).ok_or(OidcError::DocumentMalformed)?;
    let issuer = checked_issuer(&document, expected)?;
    check_flow(&document)?;
    let optional = |name| optional_endpoint(&document, name, expected.transport);
    let required = |name| optional(name)?.ok_or(OidcError::EndpointMissing);
    Ok(ProviderMetadata {
        issuer,
        authorization_endpoint: required("authorization_endpoint")?,
        token_endpoint: required("token_endpoint")?,
        jwks_uri: required("jwks_uri")?,
        userinfo_endpoint: optional("userinfo_endpoint")?,
        end_session_endpoint: optional("end_session_endpoint")?,
        revocation_endpoint: optional("revocation_endpoint")?,
        id_token_algorithms: algorithms(&document, "id_token_signing_alg_values_supported")
            .unwrap_or_else(|| vec![Algorithm::Rs256]),
        auth_methods: json::texts(&document, "token_endpoint_auth_methods_supported").map_or_else(
            || vec![AuthMethod::ClientSecretBasic],
            |names| names.iter().filter_map(|n| AuthMethod::parse(n)).collect(),
        ),
        auth_signing_algorithms: algorithms(&document, "token_endpoint_auth_signing_alg_values_supported")
            .unwrap_or_default(),
        scopes: json::texts(&document, "scopes_supported"),
        iss_parameter_supported: flag(&document, "authorization_response_iss_parameter_supported"),
        backchannel_logout_supported: flag(&document, "backchannel_logout_supported"),
        backchannel_logout_session_supported: flag(&document, "backchannel_logout_session_supported"),
    })
}

impl ProviderMetadata {
    /// The ID token algorithms to accept: those both announced and on the connection's allow-list.
    ///
    /// Errors: `NoCommonAlg`.
    pub fn accepted_algorithms(&self, allowed: &[Algorithm]) -> Result<Vec<Algorithm>, OidcError> {
        let common: Vec<_> = self
            .id_token_algorithms
            .iter()
            .copied()
            .filter(|a| allowed.contains(a))
            .collect();
        if common.is_empty() {
            Err(OidcError::NoCommonAlg)
        } else {
            Ok(common)
        }
    }

    /// The method to use with a client secret: Basic where offered, else post.
    ///
    /// Errors: `NoCommonAuthMethod`.
    pub fn secret_method(&self) -> Result<AuthMethod, OidcError> {
        [AuthMethod::ClientSecretBasic, AuthMethod::ClientSecretPost]
            .into_iter()
            .find(|m| self.auth_methods.contains(m))
            .ok_or(OidcError::NoCommonAuthMethod)
    }
}

fn issuer_url(issuer: &str, transport: Transport) -> Result<Url, OidcError> {
    match transport.check(issuer) {
        Ok(url) if url.query().is_none() => Ok(url),
        Ok(_) | Err(OidcError::EndpointInvalid) => Err(OidcError::IssuerInvalid),
        Err(error) => Err(error),
    }
}

/// Byte equality, after filling the tenant in; the template is never matched as a pattern, or any tenant of
/// the world could sign in.
fn checked_issuer(document: &Map<String, Value>, expected: &Expected<'_>) -> Result<String, OidcError> {
    let stated = json::text(document, "issuer").ok_or(OidcError::IssuerMismatch)?;
    let issuer = if stated.contains(TENANT_PLACEHOLDER) {
        let tenant = expected.tenant.ok_or(OidcError::IssuerTemplateUnbound)?;
        let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'.';
        if tenant.is_empty() || tenant.len() > 64 || !tenant.bytes().all(plain) {
            return Err(OidcError::TenantInvalid);
        }
        stated.replace(TENANT_PLACEHOLDER, tenant)
    } else {
        stated.to_owned()
    };
    if issuer != expected.issuer {
        return Err(OidcError::IssuerMismatch);
    }
    issuer_url(&issuer, expected.transport)?;
    Ok(issuer)
}

fn check_flow(document: &Map<String, Value>) -> Result<(), OidcError> {
    let offers = |name, wanted: &str| {
        json::texts(document, name).is_none_or(|list| list.iter().any(|entry| entry == wanted))
    };
    if !offers("response_types_supported", "code") || !offers("grant_types_supported", "authorization_code") {
        return Err(OidcError::CodeFlowUnsupported);
    }
    if !offers("code_challenge_methods_supported", "S256") {
        return Err(OidcError::PkceUnsupported);
    }
    Ok(())
}

fn optional_endpoint(
    document: &Map<String, Value>,
    name: &str,
    transport: Transport,
) -> Result<Option<Url>, OidcError> {
    match document.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => transport
            .check(value.as_str().ok_or(OidcError::EndpointInvalid)?)
            .map(Some),
    }
}

fn algorithms(document: &Map<String, Value>, name: &str) -> Option<Vec<Algorithm>> {
    let names = json::texts(document, name)?;
    let mut known: Vec<_> = names.iter().filter_map(|n| Algorithm::parse(n).ok()).collect();
    known.sort_unstable();
    known.dedup();
    Some(known)
}

fn flag(document: &Map<String, Value>, name: &str) -> bool {
    document.get(name) == Some(&Value::Bool(true))
}

#[cfg(test)]
mod tests;
