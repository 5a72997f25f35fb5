//! `provost doctor`: looks at everything that usually goes wrong and says what to do.

use std::fmt::Write as _;
use std::process::ExitCode;

use clap::Args;
use jiff::Timestamp;
use provost_kernel::connection::Provisioning;
use provost_kernel::id::{ConnectionId, OrganizationId};
use provost_saml::key::Certificate;
use provost_store::{ConnectionRecord, Store, StoreError};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use super::print::{Busy, out};
use super::{Settings, open_store};
use crate::config::{Config, data_key};
use crate::connection_config::ProtocolConfig;
use crate::flow::scim::watch;
use crate::outbound::Outbound;
use crate::world::World;

/// Check configuration, keys, database, audit log, certificates and reachability. Exits with 1 if something must be mended.
#[derive(Args, Clone, Debug)]
pub struct Doctor {
    #[command(flatten)]
    settings: Settings,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How it is.
    pub level: Level,
    /// What was looked at.
    pub what: &'static str,
    /// What was found, and what to do.
    pub text: String,
}

/// How a thing is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// In order.
    Good,
    /// Worth a look.
    Warning,
    /// Must be mended.
    Bad,
}

impl Doctor {
    /// Prints the findings.
    ///
    /// # Errors
    /// When standard output cannot be written; everything else is a finding.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let sources = self.settings.sources();
        let findings = match self.settings.load() {
            Ok(config) => {
                let from = sources.file.as_ref().map_or_else(
                    || "defaults, environment and flags".to_owned(),
                    |file| format!("{}, environment and flags", file.display()),
                );
                let busy = Busy::new("examining");
                let mut findings = vec![good("configuration", format!("read from {from}"))];
                findings.extend(examine(&config, &World::new()).await);
                drop(busy);
                findings
            }
            Err(error) => vec![bad("configuration", error.to_string())],
        };
        let mut text = String::new();
        for finding in &findings {
            let mark = match finding.level {
                Level::Good => "ok  ",
                Level::Warning => "look",
                Level::Bad => "BAD ",
            };
            writeln!(text, "{mark}  {}: {}", finding.what, finding.text)?;
        }
        out(&text)?;
        let is_bad = findings.iter().any(|finding| finding.level == Level::Bad);
        Ok(if is_bad {
            ExitCode::FAILURE
        } else {
            ExitCode::SUCCESS
        })
    }
}

fn good(what: &'static str, text: impl Into<String>) -> Finding {
    Finding {
        level: Level::Good,
        what,
        text: text.into(),
    }
}

fn look(what: &'static str, text: impl Into<String>) -> Finding {
    Finding {
        level: Level::Warning,
        what,
        text: text.into(),
    }
}

fn bad(what: &'static str, text: impl Into<String>) -> Finding {
    Finding {
        level: Level::Bad,
        what,
        text: text.into(),
    }
}

/// Looks at everything; changes nothing but the schema of an older database, as a start would.
pub async fn examine(config: &Config, world: &World) -> Vec<Finding> {
    let now = world.now();
    let mut findings = vec![clock(now)];
    findings.extend(data_key_findings(config));
    findings.extend(tls(config, now));
    match open_store(config, world).await {
        Ok(store) => {
            findings.extend(database(&store).await);
            store.close().await;
        }
        Err(error) => findings.push(bad("database", format!("{error:#}"))),
    }
    findings.push(public_url(config, now).await);
    findings
}

/// A clock far off makes every assertion too old or too new. The build's own time is a lower bound.
fn clock(now: Timestamp) -> Finding {
    const EARLIEST: i64 = 1_790_000_000;
    if now.as_second() < EARLIEST {
        return bad(
            "clock",
            format!("shows {now}, which cannot be: set the machine's time"),
        );
    }
    good("clock", now.strftime("%Y-%m-%d %H:%M:%S UTC").to_string())
}

fn data_key_findings(config: &Config) -> Vec<Finding> {
    let path = data_key::path(config);
    match data_key::load(config) {
        Ok(Some(_)) if config.data_key.is_some() => vec![good("data key", "given directly")],
        Ok(Some(keys)) => {
            let mut findings = vec![good("data key", format!("{} in {}", keys.len(), path.display()))];
            findings.extend(permissions("data key", &path));
            findings.extend(permissions("data folder", &config.data_dir));
            findings
        }
        Ok(None) if config.is_postgres() => {
            vec![bad(
                "data key",
                "PostgreSQL needs one: set data_key_file or PROVOST_DATA_KEY",
            )]
        }
        Ok(None) => vec![good(
            "data key",
            format!("will be made at {} at the first start", path.display()),
        )],
        Err(error) => vec![bad("data key", error.to_string())],
    }
}

/// Complains when others may read what only the owner should.
#[cfg(unix)]
fn permissions(what: &'static str, path: &std::path::Path) -> Option<Finding> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = std::fs::metadata(path).ok()?.permissions().mode() & 0o777;
    (mode & 0o077 != 0).then(|| {
        let wanted = if path.is_dir() { "700" } else { "600" };
        look(
            what,
            format!(
                "{} can be read by others (mode {mode:o}): chmod {wanted}",
                path.display()
            ),
        )
    })
}

#[cfg(not(unix))]
fn permissions(_what: &'static str, _path: &std::path::Path) -> Option<Finding> {
    None
}

fn tls(config: &Config, now: Timestamp) -> Vec<Finding> {
    let Some(files) = &config.tls else {
        let text = if config.is_https() {
            "by a proxy in front"
        } else {
            "none: plain http on a loopback address"
        };
        return vec![good("TLS", text)];
    };
    if let Err(error) = std::fs::File::open(&files.key) {
        return vec![bad(
            "TLS",
            format!("{} cannot be read: {error}", files.key.display()),
        )];
    }
    let chain: Result<Vec<_>, _> = match CertificateDer::pem_file_iter(&files.certificate) {
        Ok(certificates) => certificates.collect(),
        Err(error) => Err(error),
    };
    match chain {
        Ok(chain) if chain.is_empty() => {
            vec![bad(
                "TLS",
                format!("{} holds no certificate", files.certificate.display()),
            )]
        }
        Ok(chain) => chain
            .iter()
            .filter_map(|certificate| Certificate::from_der(certificate).ok())
            .map(|certificate| lifetime("TLS", &files.certificate.display().to_string(), &certificate, now))
            .collect(),
        Err(error) => vec![bad("TLS", format!("{}: {error}", files.certificate.display()))],
    }
}

fn lifetime(what: &'static str, name: &str, certificate: &Certificate, now: Timestamp) -> Finding {
    let days = certificate.not_after().duration_since(now).as_hours() / 24;
    let text = format!(
        "{name}: certificate of {} lasts {days} more days",
        certificate.subject()
    );
    match days {
        ..0 => bad(
            what,
            format!("{name}: certificate of {} has ended", certificate.subject()),
        ),
        0..30 => look(what, text),
        _ => good(what, text),
    }
}

async fn database(store: &Store) -> Vec<Finding> {
    let mut findings = vec![good(
        "database",
        format!("{}, schema {}", store.engine_name(), Store::schema_version()),
    )];
    let written: Result<(), StoreError> = store.write(|_tx| Box::pin(async { Ok(()) })).await;
    if let Err(error) = written {
        findings.push(bad(
            "database",
            format!("cannot be written: {}", crate::error::chain(&error)),
        ));
    }
    let dead: Result<usize, StoreError> = store
        .read(|reader| Box::pin(async move { Ok(reader.dead_jobs(100).await?.len()) }))
        .await;
    match dead {
        Ok(0) => {}
        Ok(count) => findings.push(look("jobs", format!("{count} were given up; see the log"))),
        Err(error) => findings.push(bad("jobs", crate::error::chain(&error))),
    }
    findings.extend(audit(store).await);
    match connections(store).await {
        Ok(records) => {
            let now = World::new().now();
            findings.extend(records.iter().flat_map(|record| certificates(record, now)));
            for record in &records {
                findings.extend(directory(store, record, now).await);
            }
        }
        Err(error) => findings.push(bad("connections", crate::error::chain(&error))),
    }
    findings
}

/// Recomputes the hash chain of every audit log.
async fn audit(store: &Store) -> Vec<Finding> {
    let chains: Result<Vec<Option<OrganizationId>>, StoreError> = store
        .snapshot(|reader| Box::pin(async move { reader.audit_chains().await }))
        .await;
    let chains = match chains {
        Ok(chains) => chains,
        Err(error) => return vec![bad("audit log", crate::error::chain(&error))],
    };
    let (mut findings, mut rows, count) = (Vec::new(), 0, chains.len());
    for chain in chains {
        let name = chain.as_ref().map_or_else(
            || "the instance".to_owned(),
            |organization| format!("organization {organization}"),
        );
        let verified: Result<i64, StoreError> = store
            .snapshot(move |reader| Box::pin(async move { reader.verify_audit(chain.as_ref()).await }))
            .await;
        match verified {
            Ok(found) => rows += found,
            Err(StoreError::Corrupt(_)) => findings.push(bad(
                "audit log",
                format!(
                    "rows of {name} were altered, removed or added behind Provost's back: find out who can write to the \
                     database, and compare with a backup"
                ),
            )),
            Err(error) => findings.push(bad("audit log", format!("{name}: {}", crate::error::chain(&error)))),
        }
    }
    if findings.is_empty() {
        findings.push(good(
            "audit log",
            format!("{rows} rows in {count} unbroken chains"),
        ));
    }
    findings
}

async fn connections(store: &Store) -> Result<Vec<ConnectionRecord>, StoreError> {
    let mut all = Vec::new();
    let mut after: Option<ConnectionId> = None;
    loop {
        let from = after.clone();
        let page = store
            .read(move |reader| Box::pin(async move { reader.connections(from.as_ref(), 200).await }))
            .await;
        let page: Vec<ConnectionRecord> = page?;
        let Some(last) = page.last() else { return Ok(all) };
        after = Some(last.connection.id.clone());
        all.extend(page);
    }
}

/// Looks whether a connection's directory still speaks, and succeeds.
async fn directory(store: &Store, record: &ConnectionRecord, now: Timestamp) -> Vec<Finding> {
    if record.connection.provisioning != Provisioning::Scim {
        return Vec::new();
    }
    let wanted = record.clone();
    let looked = store
        .read(move |reader| Box::pin(async move { watch::look(reader, &wanted, now).await }))
        .await;
    match looked {
        Ok(concerns) if concerns.is_empty() => {
            vec![good(
                "directories",
                format!("{} is heard of", record.connection.id),
            )]
        }
        Ok(concerns) => concerns
            .into_iter()
            .map(|concern| look("directories", concern.text))
            .collect(),
        Err(error) => vec![bad("directories", crate::error::chain(&error))],
    }
}

/// Judges the certificates of one SAML connection: at least one must last.
fn certificates(record: &ConnectionRecord, now: Timestamp) -> Vec<Finding> {
    let id = record.connection.id.as_str();
    let config = match ProtocolConfig::of(id, &record.protocol_config) {
        Ok(ProtocolConfig::Saml(config)) => config,
        Ok(ProtocolConfig::Oidc(_)) => return Vec::new(),
        Err(error) => return vec![bad("connections", crate::error::chain(&error))],
    };
    let theirs = config
        .signing_certificates
        .iter()
        .filter_map(|text| Certificate::from_base64(text).ok());
    let Some(longest) = theirs.max_by_key(Certificate::not_after) else {
        return vec![bad(
            "connections",
            format!("{id} has no certificate: nobody can sign in through it"),
        )];
    };
    let name = format!("{id} (identity provider)");
    // The protocol trusts the key, not the date: an ended certificate still works, but someone should know.
    let mut finding = lifetime("connections", &name, &longest, now);
    if finding.level == Level::Bad {
        finding.level = Level::Warning;
    }
    vec![finding]
}

/// Asks the public address for `/healthz`, as apps and browsers would reach it.
async fn public_url(config: &Config, now: Timestamp) -> Finding {
    let url = config.url("/healthz");
    // The operator's own address may well be private; the guard protects against other people's addresses.
    let outbound = match Outbound::new(true, config.outbound_authorities.as_deref()) {
        Ok(outbound) => outbound,
        Err(error) => return bad("public URL", error.to_string()),
    };
    match outbound.get(&url, reqwest::header::HeaderMap::new()).await {
        Ok(answer) if answer.is_success() && answer.body == b"ok\n" => {
            let theirs = answer.headers.get("date").and_then(|date| date.to_str().ok());
            let date = theirs.and_then(|date| jiff::fmt::rfc2822::parse(date).ok());
            let apart = date.map_or(0, |date| (date.timestamp().as_second() - now.as_second()).abs());
            if apart > 30 {
                return look(
                    "public URL",
                    format!("{url} answers, but its clock is {apart} seconds off"),
                );
            }
            good("public URL", format!("{url} answers"))
        }
        Ok(answer) => look(
            "public URL",
            format!("{url} answers, but not as Provost (status {})", answer.status),
        ),
        Err(error) => look("public URL", format!("{error}; is the server running?")),
    }
}
