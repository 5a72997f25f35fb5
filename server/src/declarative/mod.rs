//! The declarative file: `provost apply` and `provost export`.
//!
//! Owns the way from a YAML or JSON text to stored organizations, connections, applications and users, and back.
//! Everything is checked before anything is kept, all in one transaction; a dry run is the same transaction,
//! rolled back. People are only ever written through the kernel's decisions.

mod applying;
mod check;
mod diff;
pub mod document;
mod export;
mod protocol;
mod read;
mod report;
mod write;

pub use applying::{As, Basis, Mode, SettingUp, apply, apply_as};
pub use document::{ConnectionEntry, Document, schema};
pub use export::{ExportError, entry_of, export, export_organization, render};
pub use protocol::refreshed;
pub use read::{ReadError, read, read_policies};
pub use report::{ApplyError, Change, ChangeKind, Problem, Report};
