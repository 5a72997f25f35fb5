//! Decides directory pushes (SCIM): people and groups as a directory wants them, through the same matching of keys, the same
//! rules and the same lifecycle as sign-ins. Never speaks SCIM itself: documents come in canonical 2.0 spelling.

pub use wish::{MembersChange, Push, PushedGroup, PushedUser};

mod need;
mod wish;

pub use need::{need, need_more};

/// Most accounts that one plan decides about. A change of a group that touches more queues the rest.
pub const MOST_AT_ONCE: usize = 200;
