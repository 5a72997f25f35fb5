//! The benchmark's parts: what is measured, against what, and how it is shown.
//!
//! Owns the measuring; never installs anything, never fails for being slow, and talks to 127.0.0.1 only.

pub mod client;
pub mod clock;
pub mod identity_provider;
pub mod installation;
pub mod load;
pub mod preview;
pub mod process;
pub mod progress;
pub mod report;
pub mod saml;
pub mod scim;
pub mod sign_in;
pub mod startup;
