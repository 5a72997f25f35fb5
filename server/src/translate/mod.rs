//! The only place where protocol values become kernel values.
//!
//! Takes what a protocol crate has verified, gives [`provost_kernel::incoming::Incoming`]. Never verifies, never
//! decides, never does I/O. Claims are copied as the provider said them, without secrets ([`mask`]); only the
//! normalized fields are ours.

pub mod mask;
pub mod oidc;
pub mod openid_subject;
pub mod saml;
pub mod scim;
pub mod scim_filter;
