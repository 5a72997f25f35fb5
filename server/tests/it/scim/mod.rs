//! Directories push people and groups, over the router.

pub mod lab;

mod access;
mod attributes;
mod bulk;
mod evidence;
mod groups;
mod hostile;
mod leaving;
mod licenses;
mod newcomers;
mod oauth;
mod policies;
mod races;
mod recorded;
mod sign_in;
mod strict;
mod users;
