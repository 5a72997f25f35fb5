//! Directories push people and groups (SCIM 2.0 and 1.1).
//!
//! Owns what a request of a directory means: who asks, whether this connection allows it, which request it is to the
//! kernel, and what is answered. Parsing is the crate `provost-scim`'s work, deciding the kernel's.

pub mod access;
pub mod answer;
pub mod body;
pub mod bulk;
pub mod describe;
pub mod groups;
pub mod join_report;
pub mod lists;
pub mod log;
pub mod mask;
pub mod members;
pub mod oauth;
pub mod operation;
pub mod pace;
pub mod push;
mod resource;
pub mod rights;
pub mod serve;
pub mod target;
pub mod tokens;
pub mod upkeep;
pub mod users;
pub mod versions;
pub mod view;
pub mod watch;
pub mod welcome;

use provost_kernel::id::TraceId;
use provost_scim::ScimError;
use provost_store::StoreError;

use crate::error::AppError;
use crate::world::NoRandomness;

/// What one node keeps of the traffic of directories; none of it would be missed by another node.
#[derive(Default)]
pub struct Runtime {
    /// What is left of the running windows.
    pub pace: pace::Pace,
    /// Whose use was noted when.
    pub noted: access::Noted,
    /// Requests that wait to be written to the log.
    pub log: log::Queue,
}

/// Why a request was not done.
#[derive(Debug)]
pub enum Failure {
    /// The directory's fault, or a refusal: in SCIM's own shape.
    Scim(ScimError),
    /// The kernel's refusal, in SCIM's own shape, with the trace that explains it.
    Denied(ScimError, TraceId),
    /// Too many requests.
    TooFast(pace::TooFast),
    /// Ours.
    App(AppError),
}

impl From<ScimError> for Failure {
    fn from(error: ScimError) -> Self {
        Self::Scim(error)
    }
}

impl From<AppError> for Failure {
    fn from(error: AppError) -> Self {
        Self::App(error)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::App(error.into())
    }
}

impl From<NoRandomness> for Failure {
    fn from(error: NoRandomness) -> Self {
        Self::App(error.into())
    }
}
