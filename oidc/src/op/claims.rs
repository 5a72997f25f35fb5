//! What an app learns about a person.
//!
//! Owns the claims of ID token and userinfo and which scope releases them. Never: looks anything up.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value, json};

/// A person and their session, as told to apps.
#[derive(Debug, Clone)]
pub struct Subject {
    /// The stable account id.
    pub sub: String,
    /// The e-mail address.
    pub email: Option<String>,
    /// Whether the address is proven.
    pub email_verified: bool,
    /// The display name.
    pub name: Option<String>,
    /// The given name.
    pub given_name: Option<String>,
    /// The family name.
    pub family_name: Option<String>,
    /// The organization signed in to.
    pub organization: Option<String>,
    /// All memberships.
    pub organizations: Vec<OrganizationClaim>,
    /// `user` or `reader`.
    pub account_kind: String,
    /// The connection signed in through, if any.
    pub connection: Option<String>,
    /// Authentication methods.
    pub amr: Vec<String>,
    /// Authentication context class.
    pub acr: Option<String>,
    /// When the person authenticated.
    pub auth_time: Timestamp,
    /// The session's id, for back-channel logout.
    pub sid: Option<String>,
    /// When the session ends at the latest.
    pub session_expiry: Option<Timestamp>,
    /// Attributes that admins defined and that apps may read.
    pub attributes: Map<String, Value>,
}

/// One membership, as told to apps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OrganizationClaim {
    /// The organization's id.
    pub id: String,
    /// Its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Role ids there.
    pub roles: Vec<String>,
    /// Workspace ids there.
    pub workspaces: Vec<String>,
    /// The license there.
    pub license: Option<String>,
}

/// The claims about the person that `scopes` release. `profile` and `email` release theirs as in Core 5.4; the
/// claims about organizations are always there, as an app behind this provider cannot work without them
/// (the scope `organization` is accepted for clients that insist on asking).
pub fn person(subject: &Subject, scopes: &[String]) -> Map<String, Value> {
    let has = |scope: &str| scopes.iter().any(|s| s == scope);
    let mut claims = Map::new();
    claims.insert("sub".into(), json!(subject.sub));
    let mut put = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            claims.insert(name.to_owned(), value);
        }
    };
    if has("email") {
        put("email", subject.email.as_ref().map(|e| json!(e)));
        put(
            "email_verified",
            subject.email.as_ref().map(|_| json!(subject.email_verified)),
        );
    }
    if has("profile") {
        put("name", subject.name.as_ref().map(|n| json!(n)));
        put("given_name", subject.given_name.as_ref().map(|n| json!(n)));
        put("family_name", subject.family_name.as_ref().map(|n| json!(n)));
    }
    put("organization", subject.organization.as_ref().map(|o| json!(o)));
    put("organizations", Some(json!(subject.organizations)));
    put("account_kind", Some(json!(subject.account_kind)));
    put("connection", subject.connection.as_ref().map(|c| json!(c)));
    put(
        "attributes",
        (!subject.attributes.is_empty()).then(|| json!(subject.attributes)),
    );
    claims
}

/// The claims about the session: in ID tokens, and in userinfo as far as design allows.
pub fn session(subject: &Subject) -> Map<String, Value> {
    let mut claims = Map::new();
    claims.insert("auth_time".into(), json!(subject.auth_time.as_second()));
    if !subject.amr.is_empty() {
        claims.insert("amr".into(), json!(subject.amr));
    }
    if let Some(acr) = &subject.acr {
        claims.insert("acr".into(), json!(acr));
    }
    if let Some(sid) = &subject.sid {
        claims.insert("sid".into(), json!(sid));
    }
    if let Some(expiry) = subject.session_expiry {
        claims.insert("session_expiry".into(), json!(expiry.as_second()));
    }
    claims
}

/// The userinfo answer: everything the scopes release, with the session's claims.
pub fn userinfo(subject: &Subject, scopes: &[String]) -> Value {
    let mut claims = person(subject, scopes);
    claims.extend(session(subject));
    Value::Object(claims)
}

#[cfg(test)]
pub(crate) mod tests;
