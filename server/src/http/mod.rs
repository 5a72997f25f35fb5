//! Requests in, responses out. No logic: handlers read a request, call one function of `flow/` and answer.
//! Never touches the store.

pub mod account;
pub mod account_choice;
pub mod browser;
pub mod confirm;
pub mod forgot;
pub mod invite;
pub mod layers;
pub mod login;
pub mod openid;
pub mod ops;
pub mod page;
pub mod passkey;
pub mod request;
pub mod scim;
pub mod second_factor;
pub mod sso;
pub mod time_limit;
