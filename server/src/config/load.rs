//! Reads the configuration: each key from the file, then the environment, then flags, and checks it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use secrecy::SecretString;
use url::{Host, Url};

use super::keys::{KEYS, Key, nearest};
use super::{Config, LogFormat, Synchronous, TlsFiles};
use crate::network::Block;

/// Where a value came from, for error messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The table of defaults.
    Default,
    /// The configuration file.
    File(PathBuf),
    /// An environment variable.
    Environment(String),
    /// A flag of the command line.
    Flag(String),
}

impl std::fmt::Display for Origin {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Default => formatter.write_str("default"),
            Self::File(path) => write!(formatter, "{}", path.display()),
            Self::Environment(name) => write!(formatter, "environment variable {name}"),
            Self::Flag(name) => write!(formatter, "flag --{name}"),
        }
    }
}

/// What is wrong with the configuration. Names key and source, never a secret value.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("configuration file {path} cannot be read: {reason}")]
    Unreadable {
        /// The file.
        path: String,
        /// Why.
        reason: String,
    },
    /// The file is not TOML.
    #[error("configuration file {path}, {reason}")]
    Syntax {
        /// The file.
        path: String,
        /// Position and reason.
        reason: String,
    },
    /// A key that does not exist.
    #[error("unknown key `{key}` in {origin}{hint}")]
    UnknownKey {
        /// As written.
        key: String,
        /// Where.
        origin: Origin,
        /// `; did you mean …?`
        hint: String,
    },
    /// A value that does not fit.
    #[error("`{key}` ({origin}): {reason}")]
    Value {
        /// The key.
        key: &'static str,
        /// Where the value came from.
        origin: Origin,
        /// What would fit.
        reason: String,
    },
}

/// The sources of the configuration.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// File named by `--config` or found; must exist when named.
    pub file: Option<PathBuf>,
    /// Environment variables that start with `PROVOST_`.
    pub environment: BTreeMap<String, String>,
    /// Flags by key name.
    pub flags: BTreeMap<String, String>,
}

impl Sources {
    /// Reads the environment and chooses the file: the named one, `PROVOST_CONFIG`, or `provost.toml` if there is one here.
    #[expect(
        clippy::disallowed_methods,
        reason = "config is the only reader of the environment"
    )]
    pub fn from_process(file: Option<PathBuf>, flags: BTreeMap<String, String>) -> Self {
        let environment: BTreeMap<String, String> = std::env::vars()
            .filter(|(name, _)| name.starts_with("PROVOST_"))
            .collect();
        let file = file
            .or_else(|| environment.get("PROVOST_CONFIG").map(PathBuf::from))
            .or_else(|| Some(PathBuf::from("provost.toml")).filter(|path| path.exists()));
        Self {
            file,
            environment,
            flags,
        }
    }

    /// Uses these values only, as if given by flags.
    pub fn from_flags<const N: usize>(flags: [(&str, &str); N]) -> Self {
        let flags = flags
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        Self {
            flags,
            ..Self::default()
        }
    }
}

impl Config {
    /// Reads and checks the configuration.
    ///
    /// # Errors
    /// The first [`ConfigError`] found.
    pub fn load(sources: &Sources) -> Result<Self, ConfigError> {
        let values = Values::gather(sources)?;
        let listen: SocketAddr = values.parse("listen", "an address and port such as 127.0.0.1:8080")?;
        let data_dir = PathBuf::from(values.text("data_dir"));
        let public_url = values.public_url(listen)?;
        let mail = values.mail(&data_dir, is_loopback(&public_url))?;
        let config = Self {
            listen,
            public_url,
            database_url: values.database_url(&data_dir)?,
            database_connections: values.number("database_connections", 1, 200)?,
            sqlite_synchronous: values.choice(
                "sqlite_synchronous",
                &[("full", Synchronous::Full), ("normal", Synchronous::Normal)],
            )?,
            data_dir,
            data_key: values
                .given("data_key")
                .map(|value| SecretString::from(value.to_owned())),
            data_key_file: values.given("data_key_file").map(PathBuf::from),
            trusted_proxies: values.blocks("trusted_proxies")?,
            tls: values.tls()?,
            allow_private_addresses: values
                .choice("allow_private_addresses", &[("true", true), ("false", false)])?,
            outbound_authorities: values.file("outbound_ca_file")?,
            dns_resolver: values.addresses("dns_resolver")?,
            session_seconds: i64::from(values.number::<u32>("session_hours", 1, 24 * 90)?) * 3600,
            session_idle_seconds: i64::from(values.number::<u32>("session_idle_minutes", 1, 60 * 24 * 30)?)
                * 60,
            signing_key_days: values.number("signing_key_days", 1, 3650)?,
            trace_days: values.number("trace_days", 1, 3650)?,
            scim_requests_per_second: values.number("scim_requests_per_second", 0, 1_000_000)?,
            scim_log_days: values.number("scim_log_days", 1, 3650)?,
            metrics_token: values.metrics_token()?,
            invitation_days: values.number("invitation_days", 1, 90)?,
            mail,
            log_format: values.choice(
                "log_format",
                &[("text", LogFormat::Text), ("json", LogFormat::Json)],
            )?,
            log_level: values.log_level()?,
            shutdown_seconds: values.number("shutdown_seconds", 0, 3600)?,
        };
        Ok(config)
    }
}

/// Raw values by key, each with where it came from.
pub(super) struct Values {
    values: BTreeMap<&'static str, (String, Origin)>,
}

impl Values {
    fn gather(sources: &Sources) -> Result<Self, ConfigError> {
        let mut values: BTreeMap<&'static str, (String, Origin)> = BTreeMap::new();
        // A default in angle brackets depends on other keys and is worked out where it is used.
        for key in KEYS
            .iter()
            .filter(|key| !key.default.is_empty() && !key.default.contains('<'))
        {
            values.insert(key.name, (key.default.to_owned(), Origin::Default));
        }
        if let Some(path) = &sources.file {
            for (name, value) in read_file(path)? {
                let key = find(&name, &Origin::File(path.clone()))?;
                values.insert(key.name, (value, Origin::File(path.clone())));
            }
        }
        for key in KEYS {
            if let Some(value) = sources.environment.get(&key.variable()) {
                values.insert(key.name, (value.clone(), Origin::Environment(key.variable())));
            }
        }
        for (name, value) in &sources.flags {
            let key = find(name, &Origin::Flag(name.clone()))?;
            values.insert(key.name, (value.clone(), Origin::Flag(key.flag())));
        }
        Ok(Self { values })
    }

    /// Returns a value that is set and not empty.
    pub(super) fn given(&self, key: &str) -> Option<&str> {
        self.values
            .get(key)
            .map(|(value, _)| value.trim())
            .filter(|value| !value.is_empty())
    }

    pub(super) fn text(&self, key: &str) -> &str {
        self.given(key).unwrap_or_default()
    }

    pub(super) fn wrong(&self, key: &'static str, reason: impl Into<String>) -> ConfigError {
        let origin = self
            .values
            .get(key)
            .map_or(Origin::Default, |(_, origin)| origin.clone());
        ConfigError::Value {
            key,
            origin,
            reason: reason.into(),
        }
    }

    fn parse<T: FromStr>(&self, key: &'static str, wanted: &str) -> Result<T, ConfigError> {
        self.text(key)
            .parse()
            .map_err(|_| self.wrong(key, format!("`{}` is not {wanted}", self.text(key))))
    }

    fn number<T>(&self, key: &'static str, least: T, most: T) -> Result<T, ConfigError>
    where
        T: FromStr + PartialOrd + std::fmt::Display + Copy,
    {
        let wanted = format!("a whole number from {least} to {most}");
        let number: T = self.parse(key, &wanted)?;
        if number < least || number > most {
            return Err(self.wrong(key, format!("`{number}` is not {wanted}")));
        }
        Ok(number)
    }

    pub(super) fn choice<T: Copy>(&self, key: &'static str, choices: &[(&str, T)]) -> Result<T, ConfigError> {
        let text = self.text(key);
        choices
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(text))
            .map(|(_, value)| *value)
            .ok_or_else(|| {
                let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
                self.wrong(key, format!("`{text}` is not one of: {}", names.join(", ")))
            })
    }

    fn blocks(&self, key: &'static str) -> Result<Vec<Block>, ConfigError> {
        let entries = self
            .text(key)
            .split(',')
            .map(str::trim)
            .filter(|entry| !entry.is_empty());
        entries
            .map(|entry| entry.parse().map_err(|error| self.wrong(key, format!("{error}"))))
            .collect()
    }

    /// Reads addresses of DNS servers; the port is 53 where none is given.
    fn addresses(&self, key: &'static str) -> Result<Vec<SocketAddr>, ConfigError> {
        let entries = self
            .text(key)
            .split(',')
            .map(str::trim)
            .filter(|entry| !entry.is_empty());
        entries
            .map(|entry| {
                entry
                    .parse::<SocketAddr>()
                    .or_else(|_| {
                        entry
                            .parse()
                            .map(|address: std::net::IpAddr| (address, 53).into())
                    })
                    .map_err(|_| {
                        self.wrong(
                            key,
                            format!("`{entry}` is not an address such as 9.9.9.9 or 127.0.0.1:5353"),
                        )
                    })
            })
            .collect()
    }

    pub(super) fn file(&self, key: &'static str) -> Result<Option<Vec<u8>>, ConfigError> {
        self.given(key)
            .map(|path| {
                std::fs::read(path)
                    .map_err(|error| self.wrong(key, format!("{path} cannot be read: {error}")))
            })
            .transpose()
    }

    fn public_url(&self, listen: SocketAddr) -> Result<Url, ConfigError> {
        let Some(text) = self.given("public_url") else {
            if !listen.ip().is_loopback() {
                return Err(self.wrong(
                    "public_url",
                    "must be set when the server listens on an address that is not a loopback address",
                ));
            }
            let scheme = if self.given("tls_certificate").is_some() {
                "https"
            } else {
                "http"
            };
            return Url::parse(&format!("{scheme}://{listen}"))
                .map_err(|error| self.wrong("public_url", error.to_string()));
        };
        let url = Url::parse(text).map_err(|error| self.wrong("public_url", format!("`{text}`: {error}")))?;
        let is_loopback = is_loopback(&url);
        match url.scheme() {
            "https" => {}
            "http" if is_loopback => {}
            _ => return Err(self.wrong("public_url", "must be https, except on a loopback address")),
        }
        if url.query().is_some()
            || url.fragment().is_some()
            || !url.username().is_empty()
            || url.path() != "/"
        {
            return Err(self.wrong(
                "public_url",
                "must be a scheme, a host and perhaps a port, nothing more",
            ));
        }
        Ok(url)
    }

    fn database_url(&self, data_dir: &Path) -> Result<SecretString, ConfigError> {
        let Some(url) = self.given("database_url") else {
            return Ok(format!("sqlite:{}", data_dir.join("provost.db").display()).into());
        };
        if !super::keys::is_postgres(url) && !url.starts_with("sqlite:") {
            return Err(self.wrong("database_url", "must begin with sqlite: or postgres://"));
        }
        Ok(url.to_owned().into())
    }

    fn tls(&self) -> Result<Option<TlsFiles>, ConfigError> {
        match (self.given("tls_certificate"), self.given("tls_key")) {
            (None, None) => Ok(None),
            (Some(certificate), Some(key)) => Ok(Some(TlsFiles {
                certificate: certificate.into(),
                key: key.into(),
            })),
            (Some(_), None) => Err(self.wrong("tls_certificate", "needs tls_key beside it")),
            (None, Some(_)) => Err(self.wrong("tls_key", "needs tls_certificate beside it")),
        }
    }

    fn metrics_token(&self) -> Result<Option<SecretString>, ConfigError> {
        match self.given("metrics_token") {
            Some(token) if token.len() < 16 => {
                Err(self.wrong("metrics_token", "must have at least 16 characters"))
            }
            token => Ok(token.map(|token| token.to_owned().into())),
        }
    }

    fn log_level(&self) -> Result<String, ConfigError> {
        let text = self.text("log_level");
        tracing_subscriber::EnvFilter::try_new(text)
            .map(|_| text.to_owned())
            .map_err(|error| self.wrong("log_level", format!("`{text}`: {error}")))
    }
}

/// Tells whether an address leads to this machine only.
pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

fn find(name: &str, origin: &Origin) -> Result<&'static Key, ConfigError> {
    KEYS.iter().find(|key| key.name == name).ok_or_else(|| {
        let hint = nearest(name, KEYS.iter().map(|key| key.name))
            .map(|near| format!("; did you mean `{near}`?"))
            .unwrap_or_default();
        ConfigError::UnknownKey {
            key: name.to_owned(),
            origin: origin.clone(),
            hint,
        }
    })
}

fn read_file(path: &Path) -> Result<Vec<(String, String)>, ConfigError> {
    let shown = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|error| ConfigError::Unreadable {
        path: shown.clone(),
        reason: error.to_string(),
    })?;
    let table: toml::Table = text
        .parse()
        .map_err(|error: toml::de::Error| ConfigError::Syntax {
            path: shown.clone(),
            reason: error.to_string().trim_end().to_owned(),
        })?;
    flat(table)
        .map(|(name, value)| {
            let text = plain(&value).ok_or_else(|| ConfigError::Syntax {
                path: shown.clone(),
                reason: format!("key `{name}`: a text, number, boolean or list of texts is expected"),
            })?;
            Ok((name, text))
        })
        .collect()
}

/// Writes the keys of a table `[mail]` as keys that begin with `mail_`.
fn flat(table: toml::Table) -> impl Iterator<Item = (String, toml::Value)> {
    table.into_iter().flat_map(|(name, value)| {
        if let toml::Value::Table(inner) = value {
            let keys = inner.into_iter();
            return keys
                .map(|(key, value)| (format!("{name}_{key}"), value))
                .collect();
        }
        vec![(name, value)]
    })
}

/// Writes a value as it would be given in the environment; tables have no such form.
fn plain(value: &toml::Value) -> Option<String> {
    match value {
        toml::Value::String(text) => Some(text.clone()),
        toml::Value::Integer(number) => Some(number.to_string()),
        toml::Value::Boolean(flag) => Some(flag.to_string()),
        toml::Value::Array(entries) => entries
            .iter()
            .map(plain)
            .collect::<Option<Vec<_>>>()
            .map(|entries| entries.join(",")),
        toml::Value::Float(_) | toml::Value::Datetime(_) | toml::Value::Table(_) => None,
    }
}
