//! Decides sign-ins: through a connection, or with a password (see [`password`]).
//! Never verifies a protocol message (that was done before) and never writes: the answer is a [`crate::plan::Plan`].
//!
//! The chain: connection enabled → match → lifecycle → profile → organizations → roles → license → workspaces → session.
//! A refusal at any link leaves the rest undone and, with the exceptions that [`decide`] names, writes nothing.

use jiff::Timestamp;

use crate::facts::{Facts, Need};
use crate::incoming::{Fresh, Incoming};
use crate::mapping::InForce;
use crate::plan::Decision;

pub mod password;

/// Limits of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionLimits {
    /// Seconds until the session ends whatever happens.
    pub absolute_seconds: i64,
    /// Seconds without use until it ends.
    pub idle_seconds: i64,
}

/// Says what must be loaded to decide a sign-in.
pub fn need(incoming: &Incoming, in_force: &InForce) -> Need {
    let _ = (incoming, in_force);
    Need::default()
}

/// Decides a sign-in through a connection.
pub fn decide(
    incoming: &Incoming,
    facts: &Facts,
    in_force: &InForce,
    limits: &SessionLimits,
    fresh: &Fresh,
    now: Timestamp,
) -> Decision {
    let _ = (incoming, facts, in_force, limits);
    password::interim(fresh, now)
}
