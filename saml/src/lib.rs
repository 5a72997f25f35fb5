//! Provost's saml crate.
