//! Lists: what a client asks for and the envelope of the answer (RFC 7644 section 3.4.2, RFC 9865).
//!
//! Owns: reading query parameters and bodies of `.search`, paging by index and by cursor, and the order. The content of
//! a cursor belongs to the caller. Never: runs a query.

mod order;
mod request;
mod response;
#[cfg(test)]
mod tests;

pub use order::Sort;
pub use request::{ListRequest, Paging};
pub use response::{LIST_URN, Page, response};
