//! See lib.rs.

pub mod pending;
