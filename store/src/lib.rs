//! The store: the only crate that knows SQL, on SQLite and on PostgreSQL.
//!
//! Loads [`provost_kernel::facts::Facts`], applies [`provost_kernel::plan::Decision`]s in one transaction with their
//! audit rows, events and trace, and keeps everything else the server needs. Never speaks a protocol, never opens a
//! socket to anything but its database, never reads a clock: `now` is an argument.

mod account_lists;
mod accounts;
mod applications;
mod apply;
mod audit_log;
mod backup;
mod backup_note;
mod beginning;
mod bulk;
mod claims;
mod codes;
mod concerned;
mod conditions;
mod connections;
mod conversions;
pub mod days;
mod departures;
mod digest;
mod directory;
mod domains;
mod enforcement;
mod engine;
mod error;
mod facts;
mod feed;
mod flush;
mod idempotency;
mod imports;
mod instance_defaults;
mod invitations;
mod jobs;
mod local_groups;
mod login_requests;
mod mails;
mod maintenance;
mod migrate;
mod organizations;
mod overrides;
mod people;
mod policy_changes;
mod pushes;
mod rate_limits;
mod refresh_tokens;
mod revisions;
mod scim_requests;
mod seal;
pub mod search;
mod seat_days;
mod seat_history;
mod seat_kinds;
mod seats;
mod second_factors;
mod sessions;
mod setup;
mod sight;
mod sign_in_days;
mod signing_keys;
mod store;
mod strips;
mod tokens;
mod traces;
mod tx;
mod value;
mod views;
mod waiting;
mod webhooks;
mod writer;

pub use account_lists::{AccountFilter, Likeness};
pub use applications::ApplicationRecord;
pub use apply::{Applied, Beside};
pub use audit_log::{AuditFilter, AuditOrder};
pub use backup::BackupSummary;
pub use backup_note::LastBackup;
pub use bulk::{BulkProgress, BulkRefused, BulkRun};
pub use claims::LastClaims;
pub use codes::{AuthorizationCode, CodeUse};
pub use connections::{ConnectionRecord, ConnectionSummary};
pub use conversions::{
    Conversion, ConversionCounts, ConversionRow, ConversionRowFilter, ConversionRowState,
    ConversionSelection, ConversionState,
};
pub use digest::sha256_hex;
pub use directory::{GroupRef, Managed, ManagedPlace, Member, REEVALUATE};
pub use domains::DomainClaim;
pub use enforcement::{Demand, EmergencyAdmin};
pub use engine::Synchronous;
pub use engine::batch::Durability;
pub use error::{Result, StoreError};
pub use feed::{AuditRow, Event, NewEvent};
pub use idempotency::{Claim, KeptAnswer};
pub use imports::{ImportProgress, ImportRecord};
pub use invitations::{Invitation, InvitationFilter, InvitationState};
pub use jobs::{JobBacklog, JobRecord, JobSight, NewJob};
pub use local_groups::LocalGroupRow;
pub use login_requests::LoginRequest;
pub use mails::{MailFilter, MailOutcome, MailRecord, MailState, NewMail, OutgoingMail};
pub use maintenance::Retention;
pub use organizations::{DomainRecord, OrganizationRecord};
pub use people::{GrantedBy, GroupRow, PeopleFilter, SignsIn};
pub use policy_changes::{ChangeState, PolicyChange};
pub use rate_limits::{Hits, RateLimit};
pub use refresh_tokens::{RefreshToken, Rotation};
pub use scim_requests::{ScimRequest, ScimRequestFilter, ScimTraffic};
pub use seal::{DataKeys, SecretMap};
pub use seat_days::{SeatDay, SeatsCounted};
pub use seat_history::{Meter, SeatChange, SeatEvent};
pub use seats::{WaitedPool, Waiting};
pub use second_factors::{FactorKind, HalfSignIn, SecondFactor};
pub use sessions::SessionRecord;
pub use setup::{DraftRecord, SetupLink};
pub use sight::{OrganizationView, Revisions, Sight, Ticket, View, Visit};
pub use sign_in_days::SignInDay;
pub use signing_keys::{KeyState, SigningKey};
pub use store::{Store, StoreConfig};
pub use tokens::TokenRecord;
pub use traces::{TraceFilter, TraceRecord};
pub use tx::{Reader, Tx};
pub use waiting::{UntoldClient, WaitingRequest};
pub use webhooks::{
    Attempt, Behind, Delivery, DeliveryFilter, DeliveryState, Requeued, Settled, Tried, Webhook,
};
