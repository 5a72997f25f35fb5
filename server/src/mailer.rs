//! The only way mail leaves: to a mail server, into files, or onto standard error. Never composes a mail, never retries.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use lettre::transport::smtp::PoolConfig;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor};
use secrecy::ExposeSecret as _;

use crate::config::data_key::{create_private_folder, open_private};
use crate::config::mail::{MailTransport, Smtp, SmtpTls};

/// Longest time of one step of a conversation with the mail server.
const TIMEOUT: Duration = Duration::from_secs(15);
/// Most connections to the mail server of one node.
const CONNECTIONS: u32 = 4;

type Client = AsyncSmtpTransport<Tokio1Executor>;

/// The way out. Cheap to clone.
#[derive(Clone)]
pub struct Mailer(Arc<Way>);

enum Way {
    None,
    Smtp(Client),
    File(PathBuf),
    Console,
}

/// Why a mail did not leave. Names the server's answer, never the mail.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct MailerError {
    /// What went wrong.
    pub text: String,
    /// Whether trying again is of no use.
    pub is_final: bool,
}

impl MailerError {
    fn later(error: &(dyn std::error::Error + 'static)) -> Self {
        Self {
            text: crate::error::chain(error),
            is_final: false,
        }
    }
}

impl Mailer {
    /// Prepares the way out; no connection is made yet.
    ///
    /// # Errors
    /// A certificate authority that cannot be read.
    pub fn new(transport: &MailTransport) -> Result<Self, MailerError> {
        let way = match transport {
            MailTransport::None => Way::None,
            MailTransport::File(folder) => Way::File(folder.clone()),
            MailTransport::Console => Way::Console,
            MailTransport::Smtp(smtp) => Way::Smtp(client(smtp).map_err(|error| MailerError::later(&error))?),
        };
        Ok(Self(Arc::new(way)))
    }

    /// Sends one mail; `name` is that of the file, where it goes into one.
    ///
    /// # Errors
    /// [`MailerError`].
    pub async fn send(&self, name: &str, message: Message) -> Result<(), MailerError> {
        match self.0.as_ref() {
            Way::None => Err(MailerError {
                text: "mail_off: no way out is configured (mail_transport)".to_owned(),
                is_final: true,
            }),
            Way::Smtp(client) => client.send(message).await.map(drop).map_err(|error| MailerError {
                is_final: error.is_permanent(),
                ..MailerError::later(&error)
            }),
            Way::File(folder) => {
                let (folder, name) = (folder.clone(), name.to_owned());
                let write = move || write_file(&folder, &name, &message.formatted());
                let written = tokio::task::spawn_blocking(write).await;
                match written {
                    Ok(written) => written.map_err(|error| MailerError::later(&error)),
                    Err(error) => Err(MailerError::later(&error)),
                }
            }
            Way::Console => std::io::stderr()
                .lock()
                .write_all(&message.formatted())
                .map_err(|error| MailerError::later(&error)),
        }
    }
}

impl std::fmt::Debug for Mailer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self.0.as_ref() {
            Way::None => "Mailer(none)",
            Way::Smtp(_) => "Mailer(smtp)",
            Way::File(_) => "Mailer(file)",
            Way::Console => "Mailer(console)",
        })
    }
}

fn client(smtp: &Smtp) -> Result<Client, lettre::transport::smtp::Error> {
    crate::outbound::install_crypto_provider();
    let parameters = || {
        let mut builder = TlsParameters::builder(smtp.host.clone());
        if let Some(pem) = &smtp.authority {
            builder = builder.add_root_certificate(Certificate::from_pem(pem)?);
        }
        builder.build()
    };
    let tls = match smtp.tls {
        SmtpTls::Off => Tls::None,
        SmtpTls::Opportunistic => Tls::Opportunistic(parameters()?),
        SmtpTls::Required => Tls::Required(parameters()?),
        SmtpTls::Implicit => Tls::Wrapper(parameters()?),
    };
    let mut builder = Client::builder_dangerous(&smtp.host)
        .port(smtp.port)
        .tls(tls)
        .timeout(Some(TIMEOUT))
        .pool_config(PoolConfig::new().max_size(CONNECTIONS));
    if let Some((user, password)) = &smtp.credentials {
        builder = builder.credentials(Credentials::new(
            user.clone(),
            password.expose_secret().to_owned(),
        ));
    }
    Ok(builder.build())
}

/// Writes the file under another name first, so that nobody reads half of it.
fn write_file(folder: &Path, name: &str, content: &[u8]) -> std::io::Result<()> {
    create_private_folder(folder)?;
    let unfinished = folder.join(format!(".{name}"));
    // Left behind by a process that ended in between.
    let _ = std::fs::remove_file(&unfinished);
    let mut file = open_private(&unfinished)?;
    file.write_all(content)?;
    std::fs::rename(unfinished, folder.join(format!("{name}.eml")))
}
