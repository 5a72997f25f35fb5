//! What directories push, as rows: documents of people, groups and their members. Writes happen only while a decision is
//! applied. Never decides.

mod documents;
pub(crate) mod facts;
mod groups;
mod managed;
pub(crate) mod members;

pub use groups::REEVALUATE;
pub use managed::{Managed, ManagedPlace};
pub use members::{GroupRef, Member};
