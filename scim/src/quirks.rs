//! The habits of real clients, one named function each.
//!
//! Owns: what a connection in `compat` mode understands beyond the RFC. Each function says whose habit it is and is
//! tested with the request as it was recorded. Never: runs in strict mode, unless the RFC leaves the form open.

mod booleans;

pub(crate) use booleans::boolean_in_text;
