//! Requests in, responses out. No logic: handlers read a request, call one function of `flow/` and answer.
//! Never touches the store.

pub mod layers;
pub mod ops;
pub mod request;
