//! Policies of a connection outside sign-ins: trying them, previewing what an edit would do, saving, approving.
//!
//! Everything here asks the same `decide` that sign-ins ask; nothing here has effect on people.

pub mod change;
pub mod drift;
pub mod pasted;
pub mod preview;
pub mod trial;
pub mod trial_push;
pub mod waves;

use provost_kernel::connection::Connection;
use provost_kernel::mapping::{InForce, PolicyError};
use provost_kernel::policy::{OrganizationPolicy, Policy};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::{AppError, Fault};

/// The policies of a connection: all of them, as they are saved and edited together.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Policies {
    /// Default policy, for organizations without one of their own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<Policy>,
    /// Policies of single organizations, used instead of the default.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub organization_policies: Vec<OrganizationPolicy>,
}

impl Policies {
    /// Takes the policies of a connection.
    pub fn of(connection: &Connection) -> Self {
        Self {
            policy: connection.policy.clone(),
            organization_policies: connection.organization_policies.clone(),
        }
    }

    /// Puts these policies in the place of a connection's own.
    pub fn put_into(self, connection: &Connection) -> Connection {
        Connection {
            policy: self.policy,
            organization_policies: self.organization_policies,
            ..connection.clone()
        }
    }

    /// Compiles a connection with these policies.
    ///
    /// # Errors
    /// `invalid_policy` (422) with every fault, its position and, where one is near, what was probably meant.
    pub fn compile(self, connection: &Connection) -> Result<InForce, AppError> {
        InForce::compile(self.put_into(connection)).map_err(|errors| {
            AppError::new(
                axum::http::StatusCode::UNPROCESSABLE_ENTITY,
                "invalid_policy",
                "The policy cannot be used; nothing was saved.",
            )
            .with_faults(errors.iter().map(fault).collect())
        })
    }
}

/// Turns a fault of the kernel into one of an answer.
pub fn fault(error: &PolicyError) -> Fault {
    let (message, suggestion) = match error.message.split_once(", did you mean ") {
        Some((message, near)) => (
            message.to_owned(),
            Some(near.trim_end_matches('?').trim_matches('"').to_owned()),
        ),
        None => (error.message.clone(), None),
    };
    Fault {
        path: error.path.clone(),
        position: (error.offset > 0 || error.path.ends_with("expression")).then_some(error.offset),
        message,
        suggestion,
    }
}
