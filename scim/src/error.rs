//! Errors in SCIM's own shape.
//!
//! Owns: the status, the `scimType`, a stable code for logs and the body in both versions. Details are sentences for the
//! administrator of the directory, who sees them in Okta or Entra: they name what to change and nothing of our inside.
//! Never: carries a stored value or a secret.

use serde_json::{Value, json};

use crate::Version;

/// The URN of an error message.
pub const ERROR_URN: &str = "urn:ietf:params:scim:api:messages:2.0:Error";

/// The longest excerpt of the client's own text that a detail repeats.
const EXCERPT: usize = 120;

/// The `scimType` of an error (RFC 7644 table 9, RFC 9865).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ScimType {
    /// The filter is malformed or compares what cannot be compared.
    InvalidFilter,
    /// More than the server is willing to handle.
    TooMany,
    /// A value is taken.
    Uniqueness,
    /// The attribute may not be changed so.
    Mutability,
    /// The body is malformed.
    InvalidSyntax,
    /// A path is malformed or names an unknown attribute.
    InvalidPath,
    /// A path yields nothing to work on.
    NoTarget,
    /// A value is missing or of the wrong type.
    InvalidValue,
    /// The version of the protocol is not supported.
    InvalidVers,
    /// The request would show sensitive data in a URL.
    Sensitive,
    /// The cursor is none of ours.
    InvalidCursor,
    /// The cursor is too old.
    ExpiredCursor,
    /// The count cannot be used with this cursor.
    InvalidCount,
}

impl ScimType {
    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidFilter => "invalidFilter",
            Self::TooMany => "tooMany",
            Self::Uniqueness => "uniqueness",
            Self::Mutability => "mutability",
            Self::InvalidSyntax => "invalidSyntax",
            Self::InvalidPath => "invalidPath",
            Self::NoTarget => "noTarget",
            Self::InvalidValue => "invalidValue",
            Self::InvalidVers => "invalidVers",
            Self::Sensitive => "sensitive",
            Self::InvalidCursor => "invalidCursor",
            Self::ExpiredCursor => "expiredCursor",
            Self::InvalidCount => "invalidCount",
        }
    }
}

/// A refusal as SCIM says it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{status} {}: {detail}", self.code())]
pub struct ScimError {
    /// The HTTP status.
    pub status: u16,
    /// The kind of the error, where the RFC names one.
    pub scim_type: Option<ScimType>,
    /// What is wrong and what to do, in English.
    pub detail: String,
}

impl ScimError {
    /// Builds an error of any status.
    pub fn new(status: u16, scim_type: Option<ScimType>, detail: impl Into<String>) -> Self {
        Self {
            status,
            scim_type,
            detail: detail.into(),
        }
    }

    fn bad(scim_type: ScimType, detail: impl Into<String>) -> Self {
        Self::new(400, Some(scim_type), detail)
    }

    /// 400: the filter cannot be used.
    pub fn invalid_filter(detail: impl Into<String>) -> Self {
        Self::bad(ScimType::InvalidFilter, detail)
    }

    /// 400: the path cannot be used.
    pub fn invalid_path(detail: impl Into<String>) -> Self {
        Self::bad(ScimType::InvalidPath, detail)
    }

    /// 400: the path yields nothing to work on.
    pub fn no_target(detail: impl Into<String>) -> Self {
        Self::bad(ScimType::NoTarget, detail)
    }

    /// 400: a value is missing or of the wrong type.
    pub fn invalid_value(detail: impl Into<String>) -> Self {
        Self::bad(ScimType::InvalidValue, detail)
    }

    /// 400: the body is malformed.
    pub fn invalid_syntax(detail: impl Into<String>) -> Self {
        Self::bad(ScimType::InvalidSyntax, detail)
    }

    /// 400: the attribute may not be changed so.
    pub fn mutability(attribute: &str) -> Self {
        Self::bad(
            ScimType::Mutability,
            format!("attribute '{}' must not be changed this way", excerpt(attribute)),
        )
    }

    /// 400: a mutability error with its own sentence.
    pub fn mutability_because(detail: impl Into<String>) -> Self {
        Self::bad(ScimType::Mutability, detail)
    }

    /// 400: the version of the protocol is not served here.
    pub fn invalid_version(detail: impl Into<String>) -> Self {
        Self::bad(ScimType::InvalidVers, detail)
    }

    /// 400: the cursor is none of ours.
    pub fn invalid_cursor() -> Self {
        Self::bad(
            ScimType::InvalidCursor,
            "the cursor is not valid for this request; start again without one",
        )
    }

    /// 400: the cursor is too old.
    pub fn expired_cursor() -> Self {
        Self::bad(
            ScimType::ExpiredCursor,
            "the cursor has expired; start again without one",
        )
    }

    /// 400: the count cannot be used with this cursor.
    pub fn invalid_count() -> Self {
        Self::bad(
            ScimType::InvalidCount,
            "count must be a whole number and must not change between pages of one cursor",
        )
    }

    /// 400: more than the server is willing to handle.
    pub fn too_many(detail: impl Into<String>) -> Self {
        Self::bad(ScimType::TooMany, detail)
    }

    /// 409: the value of `attribute` belongs to another resource.
    pub fn uniqueness(attribute: &str, kind: crate::ResourceKind) -> Self {
        Self::new(
            409,
            Some(ScimType::Uniqueness),
            format!(
                "another {} already has this value of attribute '{attribute}'",
                kind.name()
            ),
        )
    }

    /// 409: the request clashes with the state of the directory.
    pub fn conflict(detail: impl Into<String>) -> Self {
        Self::new(409, None, detail)
    }

    /// 401: no valid credential.
    pub fn unauthorized() -> Self {
        Self::new(401, None, "a valid bearer token of this connection is required")
    }

    /// 403: the operation is switched off or not allowed.
    pub fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(403, None, detail)
    }

    /// 404: no such resource.
    pub fn not_found(what: &str) -> Self {
        Self::new(404, None, format!("{} not found", excerpt(what)))
    }

    /// 405: the method is not allowed here.
    pub fn method_not_allowed() -> Self {
        Self::new(405, None, "this method is not allowed on this resource")
    }

    /// 412: the resource has changed since the client read it.
    pub fn precondition_failed() -> Self {
        Self::new(
            412,
            None,
            "the resource has changed; read it again and repeat the request",
        )
    }

    /// 413: the request is too large.
    pub fn payload_too_large(detail: impl Into<String>) -> Self {
        Self::new(413, None, detail)
    }

    /// 429: too many requests.
    pub fn too_many_requests() -> Self {
        Self::new(429, None, "too many requests; wait as Retry-After says")
    }

    /// 500: our fault; the detail says nothing of the inside.
    pub fn internal() -> Self {
        Self::new(500, None, "the request could not be completed; try again later")
    }

    /// 501: not offered.
    pub fn not_implemented(detail: impl Into<String>) -> Self {
        Self::new(501, None, detail)
    }

    /// 503: the server cannot answer now.
    pub fn unavailable() -> Self {
        Self::new(
            503,
            None,
            "the server cannot answer now; try again as Retry-After says",
        )
    }

    /// The stable code: part of the outer contract, for logs and metrics.
    pub const fn code(&self) -> &'static str {
        if let Some(scim_type) = self.scim_type {
            return scim_type.as_str();
        }
        match self.status {
            401 => "unauthorized",
            403 => "forbidden",
            404 => "notFound",
            405 => "methodNotAllowed",
            409 => "conflict",
            412 => "preconditionFailed",
            413 => "payloadTooLarge",
            429 => "tooManyRequests",
            501 => "notImplemented",
            503 => "unavailable",
            400..=499 => "badRequest",
            _ => "internal",
        }
    }

    /// Renders the error of a version. 1.1 carries `detail` beside `Errors`: Okta's 1.1 test asks for it.
    pub fn body(&self, version: Version) -> Value {
        let status = self.status.to_string();
        match version {
            Version::V1 => json!({
                "Errors": [{ "description": self.detail, "code": status }],
                "detail": self.detail,
            }),
            Version::V2 => {
                let mut body = json!({
                    "schemas": [ERROR_URN],
                    "status": status,
                    "detail": self.detail,
                });
                if let (Some(scim_type), Some(object)) = (self.scim_type, body.as_object_mut()) {
                    object.insert("scimType".to_owned(), scim_type.as_str().into());
                }
                body
            }
        }
    }
}

/// Shortens the client's own text so that a detail stays readable, and drops control characters.
pub(crate) fn excerpt(text: &str) -> String {
    let mut clean: String = text.chars().filter(|c| !c.is_control()).take(EXCERPT).collect();
    if text.chars().count() > EXCERPT {
        clean.push('…');
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ResourceKind;

    #[test]
    fn the_status_is_text_and_the_kind_is_named() {
        let body = ScimError::uniqueness("userName", ResourceKind::User).body(Version::V2);
        assert_eq!(
            body,
            json!({
                "schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"],
                "status": "409",
                "scimType": "uniqueness",
                "detail": "another User already has this value of attribute 'userName'",
            })
        );
    }

    #[test]
    fn an_error_without_a_kind_has_no_key_for_it() {
        let body = ScimError::not_found("User u1").body(Version::V2);
        assert_eq!(body.get("scimType"), None);
        assert_eq!(body.get("status"), Some(&json!("404")));
    }

    #[test]
    fn r151_errors_of_1_1_carry_a_list_and_a_detail() {
        let body = ScimError::not_found("User u1").body(Version::V1);
        assert_eq!(
            body,
            json!({
                "Errors": [{ "description": "User u1 not found", "code": "404" }],
                "detail": "User u1 not found",
            })
        );
    }

    #[test]
    fn long_and_hostile_text_is_cut_in_details() {
        let detail = ScimError::not_found(&"a\u{1b}[31m\n".repeat(100_000)).detail;
        assert!(detail.chars().count() < 200, "{detail}");
        assert!(!detail.contains('\n') && !detail.contains('\u{1b}'));
    }
}
