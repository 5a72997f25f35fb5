//! Reads and checks the keys of mail.

use std::path::Path;

use lettre::message::Mailbox;
use secrecy::SecretString;
use url::Url;

use super::load::{ConfigError, Values, is_loopback};
use super::mail::{MailConfig, MailTransport, Smtp, SmtpTls};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Word {
    None,
    Smtp,
    File,
    Console,
}

impl Values {
    /// Reads how mail leaves; `is_local` tells whether only this machine is served.
    pub(super) fn mail(&self, data_dir: &Path, is_local: bool) -> Result<MailConfig, ConfigError> {
        let word = self.choice(
            "mail_transport",
            &[
                ("none", Word::None),
                ("smtp", Word::Smtp),
                ("file", Word::File),
                ("console", Word::Console),
            ],
        )?;
        let from = self.text("mail_from").to_owned();
        if word != Word::None && from.is_empty() {
            return Err(self.wrong("mail_from", "must be set where mail leaves"));
        }
        for (key, text) in [
            ("mail_from", Some(from.as_str())),
            ("mail_reply_to", self.given("mail_reply_to")),
        ] {
            if let Some(text) = text.filter(|text| !text.is_empty())
                && text.parse::<Mailbox>().is_err()
            {
                return Err(self.wrong(key, "must be an address, or `Name <address>`"));
            }
        }
        let language = self.text("mail_language").to_owned();
        if !crate::mail_words::has(&language) {
            return Err(self.wrong("mail_language", "there are no words in this language"));
        }
        let transport = match word {
            Word::None => MailTransport::None,
            Word::Smtp => MailTransport::Smtp(self.smtp()?),
            Word::File => MailTransport::File(
                self.given("mail_dir")
                    .map_or_else(|| data_dir.join("mail"), std::path::PathBuf::from),
            ),
            // The links in it are as good as a password, and logs are kept and carried elsewhere.
            Word::Console if is_local => MailTransport::Console,
            Word::Console => {
                return Err(self.wrong(
                    "mail_transport",
                    "`console` shows links that let people in, so it works where public_url is a loopback address only",
                ));
            }
        };
        Ok(MailConfig {
            transport,
            from,
            reply_to: self.given("mail_reply_to").map(str::to_owned),
            language,
        })
    }

    fn smtp(&self) -> Result<Smtp, ConfigError> {
        let Some(text) = self.given("mail_smtp_url") else {
            return Err(self.wrong("mail_smtp_url", "must be set with mail_transport = \"smtp\""));
        };
        // A password may stand in it by mistake, so the text is never repeated.
        let url = Url::parse(text)
            .map_err(|_| self.wrong("mail_smtp_url", "is not a URL such as smtp://host:587"))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(self.wrong(
                "mail_smtp_url",
                "holds no user and password: they belong into mail_smtp_user and mail_smtp_password_file",
            ));
        }
        let Some(host) = url.host_str().filter(|host| !host.is_empty()) else {
            return Err(self.wrong("mail_smtp_url", "names no host"));
        };
        let wanted = self.choice(
            "mail_smtp_tls",
            &[
                ("required", SmtpTls::Required),
                ("opportunistic", SmtpTls::Opportunistic),
                ("off", SmtpTls::Off),
            ],
        )?;
        let (tls, port) = match url.scheme() {
            "smtps" => (SmtpTls::Implicit, 465),
            "smtp" => (wanted, 587),
            _ => return Err(self.wrong("mail_smtp_url", "must begin with smtp:// or smtps://")),
        };
        if tls == SmtpTls::Off && !is_local_host(host) {
            return Err(self.wrong("mail_smtp_tls", "`off` is allowed to loopback addresses only"));
        }
        Ok(Smtp {
            host: host.trim_matches(['[', ']']).to_owned(),
            port: url.port().unwrap_or(port),
            tls,
            authority: self.file("mail_smtp_ca_file")?,
            credentials: self.smtp_credentials()?,
        })
    }

    fn smtp_credentials(&self) -> Result<Option<(String, SecretString)>, ConfigError> {
        let password = match self.file("mail_smtp_password_file")? {
            Some(bytes) => {
                let text = String::from_utf8(bytes)
                    .map_err(|_| self.wrong("mail_smtp_password_file", "does not hold text"))?;
                Some(SecretString::from(text.trim_end_matches(['\r', '\n']).to_owned()))
            }
            None => self
                .given("mail_smtp_password")
                .map(|text| SecretString::from(text.to_owned())),
        };
        match (self.given("mail_smtp_user"), password) {
            (Some(user), Some(password)) => Ok(Some((user.to_owned(), password))),
            (None, None) => Ok(None),
            (Some(_), None) => Err(self.wrong("mail_smtp_user", "needs mail_smtp_password_file beside it")),
            (None, Some(_)) => Err(self.wrong("mail_smtp_user", "is needed beside the password")),
        }
    }
}

/// Tells whether a host of an `smtp` address is this machine. There, the host is not parsed as one of a web address is.
fn is_local_host(host: &str) -> bool {
    Url::parse(&format!("http://{host}/")).is_ok_and(|url| is_loopback(&url))
}
