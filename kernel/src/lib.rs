//! Provost's kernel crate.
