//! What a request of a directory gets, in plain values; `http/` makes a response of it.

use provost_kernel::id::TraceId;
use provost_scim::{ScimError, Version};
use serde_json::Value;

use crate::error::{AppError, chain};
use crate::flow::scim::Failure;

/// An answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Status.
    pub status: u16,
    /// Version of the protocol; chooses the media type.
    pub version: Version,
    /// Body, if there is one.
    pub body: Option<Value>,
    /// Where the resource is.
    pub location: Option<String>,
    /// Version of the resource.
    pub etag: Option<String>,
    /// Methods that the address takes.
    pub allow: Option<String>,
    /// Seconds to wait.
    pub retry_after: Option<u64>,
    /// How to prove who asks.
    pub challenge: Option<&'static str>,
    /// Which resource it was about, for the log.
    pub target: Option<String>,
    /// The trace of the decision, for the log.
    pub trace: Option<TraceId>,
    /// Whether the request is worth a line in the log.
    pub is_logged: bool,
    /// What went wrong, as a stable code and a sentence, for the log.
    pub error: Option<(String, String)>,
}

impl Answer {
    /// An answer without a body.
    pub const fn empty(status: u16, version: Version) -> Self {
        Self {
            status,
            version,
            body: None,
            location: None,
            etag: None,
            allow: None,
            retry_after: None,
            challenge: None,
            target: None,
            trace: None,
            is_logged: true,
            error: None,
        }
    }

    /// An answer with a body.
    pub fn of(status: u16, version: Version, body: Value) -> Self {
        Self {
            body: Some(body),
            ..Self::empty(status, version)
        }
    }

    /// A refusal.
    pub fn error(error: &ScimError, version: Version) -> Self {
        Self {
            challenge: (error.status == 401).then_some("Bearer realm=\"provost\""),
            error: Some((error.code().to_owned(), error.detail.clone())),
            ..Self::of(error.status, version, error.body(version))
        }
    }

    /// The answer to a request that was not done. Our own faults are logged here and say nothing of the inside.
    pub fn failure(failure: Failure, version: Version) -> Self {
        match failure {
            Failure::Scim(error) => Self::error(&error, version),
            Failure::Denied(error, trace) => Self {
                trace: Some(trace),
                ..Self::error(&error, version)
            },
            Failure::TooFast(wait) => Self {
                retry_after: Some(wait.seconds),
                is_logged: wait.is_first,
                ..Self::error(&ScimError::too_many_requests(), version)
            },
            Failure::App(error) => Self::fault(&error, version),
        }
    }

    fn fault(error: &AppError, version: Version) -> Self {
        let status = error.status().as_u16();
        if status >= 500 {
            tracing::error!(
                code = error.code(),
                status,
                source = chain(error),
                "a directory's request failed"
            );
        }
        match status {
            503 => Self {
                retry_after: Some(1),
                ..Self::error(&ScimError::unavailable(), version)
            },
            404 => Self::error(&ScimError::not_found("The resource"), version),
            400..=499 => Self::error(&ScimError::new(status, None, error.public()), version),
            _ => Self::error(&ScimError::internal(), version),
        }
    }
}
