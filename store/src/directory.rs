//! What directories push, as rows: documents of people, groups and their members. Writes happen only while a decision is
//! applied. Never decides.

mod documents;
mod facts;
mod groups;
mod members;

pub(crate) use facts::leavers;
pub use groups::REEVALUATE;
pub use members::{GroupRef, Member};
