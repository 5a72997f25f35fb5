//! Provost's store crate.
