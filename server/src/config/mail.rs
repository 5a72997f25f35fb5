//! Settings of the mail transport, checked.

use std::path::PathBuf;

use secrecy::SecretString;

/// How mail leaves, and from whom.
#[derive(Clone, Debug)]
pub struct MailConfig {
    /// How mail leaves.
    pub transport: MailTransport,
    /// The sender: `Name <address>` or an address.
    pub from: String,
    /// Where answers go, if not to the sender.
    pub reply_to: Option<String>,
    /// Language where an organization has none.
    pub language: String,
}

/// How mail leaves.
#[derive(Clone, Debug)]
pub enum MailTransport {
    /// It does not: whatever needs mail says so.
    None,
    /// To a mail server.
    Smtp(Smtp),
    /// Into files of a folder, one each; for development and tests.
    File(PathBuf),
    /// To standard error; for development.
    Console,
}

impl MailTransport {
    /// Returns the word of the configuration.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Smtp(_) => "smtp",
            Self::File(_) => "file",
            Self::Console => "console",
        }
    }
}

/// A mail server.
#[derive(Clone, Debug)]
pub struct Smtp {
    /// Host name.
    pub host: String,
    /// Port.
    pub port: u16,
    /// How the connection is protected.
    pub tls: SmtpTls,
    /// Certificate authority (PEM) trusted beside the system's.
    pub authority: Option<Vec<u8>>,
    /// User name and password.
    pub credentials: Option<(String, SecretString)>,
}

/// How a connection to a mail server is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SmtpTls {
    /// TLS from the first byte (`smtps`).
    Implicit,
    /// STARTTLS, or nothing is sent.
    Required,
    /// STARTTLS where the server offers it. Whoever sits in between can take the offer away.
    Opportunistic,
    /// None; only to this machine.
    Off,
}

impl MailConfig {
    /// Tells whether mail can leave.
    pub const fn is_on(&self) -> bool {
        !matches!(self.transport, MailTransport::None)
    }
}
