//! Provost's oidc crate.
