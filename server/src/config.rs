//! Configuration: file, then `PROVOST_*` environment, then flags. The only reader of the environment.
//!
//! Owns the checked [`Config`]; [`keys`] holds the one table from which reading, flags and documentation are
//! made. Never holds what belongs to customers: that lives in the database (`provost apply`).

pub mod data_key;
pub mod keys;
mod load;
pub mod mail;
mod mail_values;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::path::PathBuf;

use secrecy::SecretString;
use url::Url;

use crate::network::Block;

pub use load::{ConfigError, Origin, Sources};

/// The server's configuration, complete and checked.
#[derive(Clone, Debug)]
pub struct Config {
    /// Address to listen on.
    pub listen: SocketAddr,
    /// Public base URL: issuer of our tokens, prefix of every URL handed out. No trailing slash in use.
    pub public_url: Url,
    /// `sqlite:PATH` or `postgres://…`.
    pub database_url: SecretString,
    /// Most connections to PostgreSQL, or readers of SQLite.
    pub database_connections: u32,
    /// How SQLite waits for the disk.
    pub sqlite_synchronous: Synchronous,
    /// Folder for the embedded database and the data key.
    pub data_dir: PathBuf,
    /// Data keys given directly, base64; the first seals, all open.
    pub data_key: Option<SecretString>,
    /// File with the data keys, one a line.
    pub data_key_file: Option<PathBuf>,
    /// Proxies whose forwarding headers are believed.
    pub trusted_proxies: Vec<Block>,
    /// Certificate chain and key (PEM files) of the built-in TLS.
    pub tls: Option<TlsFiles>,
    /// Whether private and loopback addresses may be called (metadata, discovery, webhooks): for demo, tests and intranets.
    pub allow_private_addresses: bool,
    /// Certificate authorities (PEM) trusted for outbound calls beside the system's.
    pub outbound_authorities: Option<Vec<u8>>,
    /// DNS servers to ask about claimed domains; none means those of the system.
    pub dns_resolver: Vec<SocketAddr>,
    /// Absolute life of a session in seconds.
    pub session_seconds: i64,
    /// Idle life of a session in seconds (R-118: two hours).
    pub session_idle_seconds: i64,
    /// How many days a signing key of the OpenID provider signs before the next one takes over.
    pub signing_key_days: u32,
    /// How many days traces of attempts are kept.
    pub trace_days: u32,
    /// Requests of one directory each second; 0 sets no limit.
    pub scim_requests_per_second: u32,
    /// How long requests of directories are kept.
    pub scim_log_days: u32,
    /// Token for `/metrics`; without one only loopback may read, and only while `listen` is a loopback address.
    pub metrics_token: Option<SecretString>,
    /// How mail leaves.
    pub mail: mail::MailConfig,
    /// How many days the link of an invitation works.
    pub invitation_days: u32,
    /// Form of log lines.
    pub log_format: LogFormat,
    /// Filter of log lines, in the syntax of `tracing`'s `EnvFilter`.
    pub log_level: String,
    /// How many seconds running requests get at shutdown.
    pub shutdown_seconds: u64,
}

/// Certificate files of the built-in TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// Certificate chain, PEM.
    pub certificate: PathBuf,
    /// Private key, PEM.
    pub key: PathBuf,
}

/// How SQLite waits for the disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Synchronous {
    /// An acknowledged write survives a power cut.
    #[default]
    Full,
    /// An acknowledged write survives a crash of the process, but may be lost in a power cut.
    Normal,
}

/// Form of log lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

impl Config {
    /// Returns a public URL for a path that starts with a slash.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.public_url.as_str().trim_end_matches('/'))
    }

    /// Returns the issuer of our tokens: the public URL without a trailing slash.
    pub fn issuer(&self) -> String {
        self.url("")
    }

    /// Tells whether cookies may carry `Secure` and the `__Host-` prefix: only behind https.
    pub fn is_https(&self) -> bool {
        self.public_url.scheme() == "https"
    }

    /// Tells whether the public URL is a loopback address, so that nobody from elsewhere is served.
    pub fn is_public_url_local(&self) -> bool {
        load::is_loopback(&self.public_url)
    }

    /// Tells whether the database is PostgreSQL.
    pub fn is_postgres(&self) -> bool {
        keys::is_postgres(secrecy::ExposeSecret::expose_secret(&self.database_url))
    }
}
