//! The decision kernel: facts in, plan and trace out.
//!
//! Owns the directory as values, the account lifecycle, matching, policies and the two use cases
//! [`login`] and [`provision`]. It never does I/O, never reads a clock, an environment or a random
//! source, never logs and never panics: whatever it needs to know is an argument.
//!
//! The one rule of the product lives here: nothing with effect on people is written that did not
//! come out of a `decide` of this crate as a [`plan::Plan`].

pub mod access;
pub mod attribute;
pub mod audit;
pub mod connection;
pub mod denial;
pub mod directory;
pub mod domain;
pub mod email;
pub mod entitlement;
pub mod explain;
pub mod expression;
pub mod facts;
pub mod guard;
pub mod id;
pub mod incoming;
pub mod keeping;
pub mod lifecycle;
pub mod local_group;
pub mod login;
pub mod mapping;
pub mod matching;
mod placing;
pub mod plan;
pub mod policy;
pub mod presets;
pub mod preview;
pub mod provision;
pub mod trace;

#[cfg(test)]
mod fixtures;
#[cfg(test)]
mod properties;
