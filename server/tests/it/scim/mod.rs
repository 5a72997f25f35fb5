//! Directories push people and groups, over the router.

pub mod lab;

mod access;
mod groups;
mod hostile;
mod oauth;
mod users;
