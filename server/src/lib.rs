//! Provost's server: everything that touches the world.
//!
//! `http/` and `api/` turn requests into calls of `flow/` and answers into responses; `flow/` holds one use case
//! per file; `translate/` is the only place where protocol values become kernel values. `router.rs` lists
//! every URL, `config.rs` alone reads the environment, `error.rs` alone chooses a status, `outbound.rs`
//! alone calls other hosts, `world.rs` alone reads the clock and makes random values.

pub mod api;
pub mod app;
pub mod application_config;
pub mod branding;
pub mod cache;
pub mod cli;
pub mod config;
pub mod connection_config;
pub mod console;
pub mod cookie;
pub mod declarative;
pub mod demo;
pub mod dns;
pub mod error;
pub mod flow;
pub mod http;
pub mod jobs;
pub mod mail_words;
pub mod mailer;
pub mod network;
pub mod outbound;
pub mod pages;
pub mod route;
pub mod router;
pub mod scim_config;
pub mod spreadsheet;
pub mod translate;
pub mod webauthn;
pub mod world;
