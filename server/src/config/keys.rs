//! The table of configuration keys: names, defaults and help. Flags, reading and documentation come from here.

/// One configuration key.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// Name in the file; the flag has dashes instead of underscores.
    pub name: &'static str,
    /// Kind of value, in words.
    pub kind: &'static str,
    /// Default, as it would be written; empty for none.
    pub default: &'static str,
    /// Whether the value must not be shown.
    pub is_secret: bool,
    /// What it does, in one or two sentences.
    pub help: &'static str,
}

impl Key {
    /// Returns the name of the environment variable.
    pub fn variable(&self) -> String {
        format!("PROVOST_{}", self.name.to_ascii_uppercase())
    }

    /// Returns the flag without its dashes in front.
    pub fn flag(&self) -> String {
        self.name.replace('_', "-")
    }
}

const fn key(name: &'static str, kind: &'static str, default: &'static str, help: &'static str) -> Key {
    Key {
        name,
        kind,
        default,
        is_secret: false,
        help,
    }
}

const fn secret(name: &'static str, kind: &'static str, help: &'static str) -> Key {
    Key {
        name,
        kind,
        default: "",
        is_secret: true,
        help,
    }
}

/// Every key, in the order of the documentation.
pub const KEYS: &[Key] = &[
    key(
        "listen",
        "address and port",
        "127.0.0.1:8080",
        "Address to listen on.",
    ),
    key(
        "public_url",
        "URL",
        "",
        "Base URL under which people and apps reach this server: issuer of the tokens and prefix of every URL handed out. \
         Must be https, except on a loopback address. Without it, the listening address is used, which only works on a loopback address.",
    ),
    Key {
        name: "database_url",
        kind: "URL",
        default: "sqlite:<data_dir>/provost.db",
        is_secret: true,
        help: "`sqlite:PATH` for the embedded database (one node), or `postgres://user:password@host/database` for several nodes.",
    },
    key(
        "database_connections",
        "number",
        "8",
        "Most connections to PostgreSQL, or parallel readers of SQLite.",
    ),
    key(
        "sqlite_synchronous",
        "full or normal",
        "full",
        "`full`: an acknowledged change survives a power cut. `normal`: faster, survives a crash of the process only.",
    ),
    key(
        "data_dir",
        "folder",
        "./data",
        "Folder of the embedded database and of the data key. Created if absent, readable by the owner only.",
    ),
    secret(
        "data_key",
        "base64, 32 bytes",
        "Key that encrypts stored secrets. Several, separated by commas, while rotating: the first encrypts, all decrypt. Prefer `data_key_file`.",
    ),
    key(
        "data_key_file",
        "file",
        "<data_dir>/data.key with SQLite",
        "File with the data key (one base64 line per key). With SQLite it is created at the first start; with PostgreSQL it must be given, \
         the same on every node. Keep a copy apart from the backups: without it, stored secrets cannot be read.",
    ),
    key(
        "trusted_proxies",
        "list of address blocks",
        "",
        "Reverse proxies whose `X-Forwarded-For` is believed, such as `10.0.0.0/8`. Only used to tell clients apart (rate limits, logs); URLs always come from `public_url`.",
    ),
    key(
        "tls_certificate",
        "file",
        "",
        "PEM file with the certificate chain for the built-in TLS. Read again when the process gets SIGHUP.",
    ),
    key(
        "tls_key",
        "file",
        "",
        "PEM file with the private key of `tls_certificate`.",
    ),
    key(
        "allow_private_addresses",
        "true or false",
        "false",
        "Whether identity providers and apps on private or loopback addresses may be called. Leave off where customers set up their own connections.",
    ),
    key(
        "outbound_ca_file",
        "file",
        "",
        "PEM file with certificate authorities to trust in outbound calls beside the system's.",
    ),
    key(
        "dns_resolver",
        "list of addresses",
        "",
        "DNS servers to ask for the TXT records of claimed domains, such as `9.9.9.9` or `127.0.0.1:5353`. Without it, the servers of the system are asked.",
    ),
    key(
        "session_hours",
        "hours",
        "12",
        "Absolute life of a sign-in session.",
    ),
    key(
        "session_idle_minutes",
        "minutes",
        "120",
        "Life of an SSO session without use. A password session ends by `session_hours` alone.",
    ),
    key(
        "signing_key_days",
        "days",
        "90",
        "How long a signing key of the OpenID provider is used before the next one takes over.",
    ),
    key(
        "scim_requests_per_second",
        "number",
        "100",
        "Requests that one directory may send each second, on average over ten seconds and all nodes; above it, SCIM answers 429. 0 sets no limit.",
    ),
    key(
        "scim_log_days",
        "number",
        "30",
        "How long requests of directories are kept for `provost scim-log`.",
    ),
    key(
        "trace_days",
        "days",
        "30",
        "How long the record of each sign-in attempt (`provost explain`) is kept.",
    ),
    secret(
        "metrics_token",
        "text, at least 16 characters",
        "Bearer token for `/metrics`. Without it, `/metrics` answers only where `listen` and `public_url` are loopback addresses, and only to direct calls from this machine.",
    ),
    key(
        "mail_transport",
        "none, smtp, file or console",
        "none",
        "How mail leaves: to a mail server, into files of `mail_dir`, or onto standard error (the last two are for development). \
         With `none`, whatever needs mail answers `mail_off`. In the file, the `mail_` keys may also stand in a table `[mail]`.",
    ),
    key(
        "mail_from",
        "address, or Name <address>",
        "",
        "Sender of all mail. Needed unless `mail_transport` is `none`.",
    ),
    key(
        "mail_reply_to",
        "address, or Name <address>",
        "",
        "Where answers to mail go, if not to the sender.",
    ),
    key(
        "mail_language",
        "language",
        "en",
        "Language of mail where the organization has set none: `en` or `de`.",
    ),
    key(
        "mail_smtp_url",
        "smtp://host:port or smtps://host:port",
        "",
        "The mail server. `smtps` speaks TLS from the first byte (port 465), `smtp` begins it with STARTTLS (port 587), see `mail_smtp_tls`.",
    ),
    key(
        "mail_smtp_tls",
        "required, opportunistic or off",
        "required",
        "For `smtp://`: `required` sends nothing without STARTTLS; `opportunistic` goes on without where the server offers none, \
         which whoever sits in between can bring about; `off` is allowed to loopback addresses only.",
    ),
    key(
        "mail_smtp_ca_file",
        "file",
        "",
        "PEM file with a certificate authority to trust for the mail server beside the system's.",
    ),
    key("mail_smtp_user", "text", "", "User name at the mail server."),
    secret(
        "mail_smtp_password",
        "text",
        "Password at the mail server. Prefer `mail_smtp_password_file`.",
    ),
    key(
        "mail_smtp_password_file",
        "file",
        "",
        "File that holds the password at the mail server.",
    ),
    key(
        "mail_dir",
        "folder",
        "<data_dir>/mail",
        "Folder for `mail_transport = \"file\"`: one `.eml` file for each mail. The links in them work.",
    ),
    key(
        "invitation_days",
        "days",
        "7",
        "How long the link of an invitation works.",
    ),
    key(
        "log_format",
        "text or json",
        "text",
        "Form of log lines on standard error.",
    ),
    key(
        "log_level",
        "filter",
        "info",
        "`error`, `warn`, `info`, `debug` or `trace`, or per module: `info,provost::access=warn`.",
    ),
    key(
        "shutdown_seconds",
        "seconds",
        "20",
        "How long running requests may take to finish after SIGTERM.",
    ),
];

/// Tells whether a database URL means PostgreSQL.
pub fn is_postgres(url: &str) -> bool {
    url.starts_with("postgres://") || url.starts_with("postgresql://")
}

/// Finds the name nearest to a mistyped one, if one is near.
pub fn nearest<'a>(wrong: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    names
        .into_iter()
        .map(|name| (distance(wrong, name), name))
        .filter(|(distance, name)| *distance <= 1 + name.len() / 4)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// Edit distance (Levenshtein), with one row kept.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, a) in left.chars().enumerate() {
        let mut diagonal = i;
        let mut before = i + 1;
        if let Some(first) = row.first_mut() {
            *first = before;
        }
        for (b, cell) in right.iter().zip(row.iter_mut().skip(1)) {
            let replace = diagonal + usize::from(a != *b);
            diagonal = *cell;
            *cell = replace.min(*cell + 1).min(before + 1);
            before = *cell;
        }
    }
    row.last().copied().unwrap_or_default()
}
