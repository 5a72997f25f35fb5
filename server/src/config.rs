//! Configuration: file, then `PROVOST_*` environment, then flags. The only reader of the environment.

use std::net::SocketAddr;
use std::path::PathBuf;

use url::Url;

/// The server's configuration, complete and checked.
#[derive(Clone, Debug)]
pub struct Config {
    /// Address to listen on.
    pub listen: SocketAddr,
    /// Public base URL: issuer of our tokens, prefix of every URL handed out. No trailing slash in use.
    pub public_url: Url,
    /// `sqlite:PATH` or `postgres://…`.
    pub database_url: secrecy::SecretString,
    /// Folder for the embedded database and the data key.
    pub data_dir: PathBuf,
    /// Whether private and loopback addresses may be called (metadata, discovery, webhooks): for demo, tests and intranets.
    pub allow_private_addresses: bool,
    /// Absolute life of a session in seconds.
    pub session_seconds: i64,
    /// Idle life of a session in seconds (R-118: two hours).
    pub session_idle_seconds: i64,
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
}
