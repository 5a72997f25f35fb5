//! Directories push people and groups, over the router.

pub mod lab;

mod access;
mod evidence;
mod groups;
mod hostile;
mod licenses;
mod oauth;
mod policies;
mod sign_in;
mod users;
