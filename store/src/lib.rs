//! The store: the only crate that knows SQL, on SQLite and on PostgreSQL.
//!
//! Loads [`provost_kernel::facts::Facts`], applies [`provost_kernel::plan::Decision`]s in one transaction with their
//! audit rows, events and trace, and keeps everything else the server needs. Never speaks a protocol, never opens a
//! socket to anything but its database, never reads a clock: `now` is an argument.

mod digest;
mod engine;
mod error;
mod feed;
mod migrate;
mod seal;
mod store;
mod tx;
mod value;
mod writer;

pub use digest::sha256_hex;
pub use engine::Synchronous;
pub use error::{Result, StoreError};
pub use feed::{AuditRow, Event, NewEvent};
pub use seal::{DataKeys, SecretMap};
pub use store::{Store, StoreConfig};
pub use tx::{Reader, Tx};
