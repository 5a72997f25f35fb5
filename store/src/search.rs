//! Searching what directories pushed: a condition of our own, compiled to bound SQL with the same result on both
//! engines; sorting; pages by number and by cursor; totals. Never knows SCIM: the server translates its filters.
//!
//! A condition has two truth values: what is absent fits no comparison, so its negation holds. On a list a comparison
//! holds if one element fits. Texts compare folded (lower case, made by this program) or exactly, code point by code
//! point; numbers as 64-bit floats; instants as instants, whatever their spelling.
//!
//! Columns answer what accounts and groups have columns for. The rest is looked up in a second form of each document
//! ([`document`]) made for that. Equality of id, user name, external id, addresses, manager, group and member is answered
//! by indexes; totals and deep pages without a condition by counts that triggers keep.

mod compile;
mod condition;
pub(crate) mod document;
mod element;
mod groups;
mod lookup;
mod page;
mod text;
mod users;

pub use condition::{Condition, Field, Literal, Operator};
pub(crate) use groups::VERSION as GROUP_VERSION;
pub use groups::{DirectoryGroup, GroupHold};
pub use page::{Cursor, Page, Search, Sort, Start};
pub(crate) use text::successor;
pub use users::DirectoryUser;
