//! The one error type of this crate. Never shows values of rows: an engine's own error is kept as a private source.

/// What an engine said, for the log.
pub(crate) type Source = Box<dyn std::error::Error + Send + Sync>;

/// Why the store could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A version check or a constraint refused the write. Names the constraint, the same on both engines.
    /// Load again, decide again.
    #[error("the write conflicts with {0}")]
    Conflict(String),
    /// The one-time proof was spent before: a replay.
    #[error("the proof was used before")]
    ProofSpent,
    /// A rate limit is used up; nothing was written.
    #[error("too many tries; the next one is allowed in {0} seconds")]
    TooMany(i64),
    /// Another writer was in the way (lock time-out, deadlock, serialization failure). Safe to repeat.
    #[error("the database is busy")]
    Busy,
    /// The request cannot be right whatever the state of the database, for example a password for an SSO account.
    #[error("refused: {0}")]
    Refused(&'static str),
    /// A stored value is not what this version writes. Names table or column, never the value.
    #[error("stored data is damaged: {0}")]
    Corrupt(&'static str),
    /// A sealed value was sealed with a key that is not configured, or was tampered with.
    #[error("a sealed value cannot be opened with the configured data keys: {0}")]
    Sealed(&'static str),
    /// The schema is not one that this version can work with.
    #[error("migration: {0}")]
    Migration(String),
    /// A file of a backup could not be read or written, or is not a backup.
    #[error("backup: {0}")]
    Backup(String),
    /// The job ran longer than a write may take; nothing of it was kept.
    #[error("the write took too long and was rolled back")]
    TimedOut,
    /// The job panicked; nothing of it was kept.
    #[error("the write failed inside and was rolled back")]
    Panicked,
    /// The store is shut down.
    #[error("the store is closed")]
    Closed,
    /// The connection to the database was lost, or the database is starting or stopping. Not safe to repeat blindly: the
    /// write may have been committed before the connection went.
    #[error("the database cannot be reached")]
    Unavailable(#[source] Source),
    /// The database engine failed.
    #[error("the database failed")]
    Engine(#[source] Source),
}

impl StoreError {
    /// Returns the stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Conflict(_) => "conflict",
            Self::ProofSpent => "proof_spent",
            Self::TooMany(_) => "too_many",
            Self::Busy => "busy",
            Self::Refused(_) => "refused",
            Self::Corrupt(_) => "corrupt",
            Self::Sealed(_) => "sealed",
            Self::Migration(_) => "migration",
            Self::Backup(_) => "backup",
            Self::TimedOut => "timed_out",
            Self::Panicked => "panicked",
            Self::Closed => "closed",
            Self::Unavailable(_) => "unavailable",
            Self::Engine(_) => "engine",
        }
    }

    /// Tells whether loading, deciding and writing again may succeed.
    pub const fn is_retryable(&self) -> bool {
        matches!(self, Self::Conflict(_) | Self::Busy)
    }
}

/// What the functions of this crate return.
pub type Result<T, E = StoreError> = std::result::Result<T, E>;
