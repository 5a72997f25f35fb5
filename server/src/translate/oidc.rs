//! A verified ID token, with userinfo merged in, as an identity that asks to sign in.

use provost_kernel::connection::Protocol;
use provost_kernel::directory::Subject;
use provost_kernel::email::Email;
use provost_kernel::expression::Expression;
use provost_kernel::id::ConnectionId;
use provost_kernel::incoming::{AuthenticationContext, Incoming, Normalized};
use provost_oidc::rp::email_trust::{EmailTrust, email_trust};
use provost_oidc::rp::id_token::VerifiedIdToken;
use serde_json::{Map, Value};

use super::mask::mask;

/// Where a connection finds identifier, e-mail and name, compiled. Absent paths mean `sub`, `email`, `name`.
#[derive(Clone, Debug, Default)]
pub struct ClaimPaths {
    /// Path to the identifier.
    pub identifier: Option<Expression>,
    /// Path to the e-mail.
    pub email: Option<Expression>,
    /// Path to the display name.
    pub name: Option<Expression>,
    /// The only tenant of a multi-tenant provider that is let in.
    pub tenant: Option<String>,
}

/// Why verified claims are no identity for this connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClaimsError {
    /// The identifier path leads to nothing, or to something that is no text or number.
    #[error("the identifier path of the connection leads to no text in the claims")]
    IdentifierMissing,
    /// The tenant claim is missing or names another tenant.
    #[error("the tenant of the person (tid) is not the tenant of this connection")]
    TenantMismatch,
}

impl ClaimsError {
    /// Returns the stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::IdentifierMissing => "claims_identifier_missing",
            Self::TenantMismatch => "claims_tenant_mismatch",
        }
    }
}

/// Claims that only the protocol needs; rules never see them.
const PROTOCOL_CLAIMS: [&str; 5] = ["nonce", "at_hash", "c_hash", "s_hash", "azp"];
/// Claims that are lists by meaning, although some providers send one value alone.
const LIST_CLAIMS: [&str; 5] = ["groups", "roles", "teams", "amr", "entitlements"];

/// Translates. `claims` are the ID token's own, with userinfo merged in where the connection asks for it.
///
/// # Errors
/// [`ClaimsError`].
pub fn incoming(
    connection: &ConnectionId,
    token: &VerifiedIdToken,
    claims: Map<String, Value>,
    paths: &ClaimPaths,
) -> Result<Incoming, ClaimsError> {
    if let Some(tenant) = &paths.tenant
        && claims.get("tid").and_then(Value::as_str) != Some(tenant)
    {
        return Err(ClaimsError::TenantMismatch);
    }
    let document = Value::Object(claims);
    let identifier = match &paths.identifier {
        Some(path) => look_up(path, &document).ok_or(ClaimsError::IdentifierMissing)?,
        None => token.subject().to_owned(),
    };
    let normalized = normalized(&document, paths);
    Ok(Incoming {
        connection: connection.clone(),
        protocol: Protocol::Oidc,
        subject: Subject {
            issuer: token.issuer().to_owned(),
            format: String::new(),
            value: identifier,
        },
        normalized,
        claims: own_claims(document),
        authentication: AuthenticationContext {
            at: token.auth_time(),
            methods: token.amr().into_iter().map(str::to_owned).collect(),
            class: token.acr().map(str::to_owned),
            upstream_session: token.session_id().map(str::to_owned),
            session_ends: token.session_expiry(),
        },
        // A code is redeemed once and the request behind it is taken once; there is nothing else to replay.
        proof: None,
        chosen: None,
    })
}

/// Reads claims that somebody pasted as those of an ID token, for a trial that admits nobody. The subject is what
/// `subject` says, else what the identifier path or `sub` leads to.
pub fn pasted(
    connection: &ConnectionId,
    issuer: &str,
    claims: Map<String, Value>,
    subject: Option<&str>,
    paths: &ClaimPaths,
) -> Incoming {
    let document = Value::Object(claims);
    let found = match &paths.identifier {
        Some(path) => look_up(path, &document),
        None => document.get("sub").and_then(plain_text),
    };
    Incoming {
        connection: connection.clone(),
        protocol: Protocol::Oidc,
        subject: Subject {
            issuer: issuer.to_owned(),
            format: String::new(),
            value: subject.map(str::to_owned).or(found).unwrap_or_default(),
        },
        normalized: normalized(&document, paths),
        claims: own_claims(document),
        authentication: AuthenticationContext::default(),
        proof: None,
        chosen: None,
    }
}

fn normalized(document: &Value, paths: &ClaimPaths) -> Normalized {
    let text = |name: &str| document.get(name).and_then(plain_text);
    let stated_email = text("email");
    let email_text = paths
        .email
        .as_ref()
        .map_or_else(|| stated_email.clone(), |path| look_up(path, document));
    // `email_verified` speaks of the claim `email` and of no other address.
    let is_about_it = email_text.is_some() && email_text == stated_email;
    let trust = document.as_object().map_or(EmailTrust::Unstated, email_trust);
    Normalized {
        email: email_text.and_then(|text| Email::parse(&text).ok()),
        email_verified: is_about_it && trust == EmailTrust::Verified,
        given_name: text("given_name"),
        family_name: text("family_name"),
        display_name: paths
            .name
            .as_ref()
            .map_or_else(|| text("name"), |path| look_up(path, document)),
        user_name: text("preferred_username"),
        groups: texts(document.get("groups")),
        groups_withheld: are_groups_withheld(document),
        account_id: text("accountid"),
        permission_profile_id: text("permissionprofileid"),
    }
}

/// Reads Entra's word that there are more groups than fit: a reference in the place of the claim (code flow) or a mark (implicit
/// flow), https://learn.microsoft.com/entra/identity-platform/id-token-claims-reference.
fn are_groups_withheld(document: &Value) -> bool {
    let refers = document
        .get("_claim_names")
        .and_then(Value::as_object)
        .is_some_and(|names| names.contains_key("groups"));
    let marks = match document.get("hasgroups") {
        Some(Value::Bool(has)) => *has,
        Some(Value::String(text)) => text.eq_ignore_ascii_case("true"),
        Some(Value::Null | Value::Number(_) | Value::Array(_) | Value::Object(_)) | None => false,
    };
    document.get("groups").is_none() && (refers || marks)
}

/// Follows a path to one text. An expression that fails finds nothing.
fn look_up(path: &Expression, document: &Value) -> Option<String> {
    path.evaluate(document, "").ok().as_ref().and_then(plain_text)
}

/// Reads a text or a whole number; anything else is no name or identifier, nor is a text with control characters.
fn plain_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.trim().is_empty() && !text.chars().any(char::is_control) => {
            Some(text.clone())
        }
        Value::Number(number) if number.is_i64() || number.is_u64() => Some(number.to_string()),
        Value::Array(list) if list.len() == 1 => {
            list.first().filter(|one| !one.is_array()).and_then(plain_text)
        }
        Value::String(_)
        | Value::Number(_)
        | Value::Array(_)
        | Value::Null
        | Value::Bool(_)
        | Value::Object(_) => None,
    }
}

fn texts(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        Some(Value::String(one)) => vec![one.clone()],
        Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_)) | None => Vec::new(),
    }
}

fn own_claims(document: Value) -> Map<String, Value> {
    let mut claims = match document {
        Value::Object(claims) => claims,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => Map::new(),
    };
    for name in PROTOCOL_CLAIMS {
        claims.remove(name);
    }
    for name in LIST_CLAIMS {
        if let Some(value @ (Value::String(_) | Value::Number(_))) = claims.get_mut(name) {
            let single = value.take();
            *value = Value::Array(vec![single]);
        }
    }
    mask(&mut claims);
    claims
}
