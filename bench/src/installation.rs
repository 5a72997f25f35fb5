//! One installation of Provost for a measurement: folder, configuration, declarative file, database.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde_json::json;

use crate::identity_provider::{KeyKind, Party};
use crate::process;

/// Entity ID of the benchmark's identity provider.
pub const IDP: &str = "https://idp.bench.example/metadata";
/// Its sign-on address; nobody listens there, the driver plays the browser.
pub const SSO: &str = "https://idp.bench.example/sso";
/// Domain of the people.
pub const DOMAIN: &str = "bench.example";
/// Client id of the app.
pub const CLIENT_ID: &str = "bench-app";
/// Client secret of the app.
pub const CLIENT_SECRET: &str = "bench-app-secret-0123456789abcdef";
/// Redirect URI of the app; nobody listens there either.
pub const REDIRECT_URI: &str = "https://app.bench.example/callback";

/// A database engine.
#[derive(Clone, Debug)]
pub enum Engine {
    /// SQLite in the folder, synchronous=FULL.
    Sqlite,
    /// PostgreSQL at a URL of an empty database.
    Postgres(String),
}

impl Engine {
    /// Returns the name for tables.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite, synchronous=FULL",
            Self::Postgres(_) => "PostgreSQL",
        }
    }
}

/// Folder, files and address of one installation.
#[derive(Debug)]
pub struct Installation {
    /// Its folder.
    pub directory: PathBuf,
    /// Its configuration file.
    pub config: PathBuf,
    /// Where it listens.
    pub address: SocketAddr,
    /// The keys of the identity provider.
    pub parties: [(KeyKind, Party); 2],
}

impl Installation {
    /// Makes the folder and files and applies the declarative file.
    pub fn create(binary: &Path, directory: &Path, engine: &Engine) -> Result<Self> {
        Self::create_with(binary, directory, engine, &[], |_| {})
    }

    /// As [`Self::create`], with further lines of configuration and a declarative file that `extend` has added to.
    pub fn create_with(
        binary: &Path,
        directory: &Path,
        engine: &Engine,
        settings: &[String],
        extend: impl FnOnce(&mut serde_json::Value),
    ) -> Result<Self> {
        if directory.exists() {
            fs::remove_dir_all(directory)?;
        }
        let data = directory.join("data");
        fs::create_dir_all(&data)?;
        let installation = Self {
            directory: directory.to_owned(),
            config: directory.join("provost.toml"),
            address: free_address()?,
            parties: [
                (KeyKind::Rsa, Party::new(KeyKind::Rsa)?),
                (KeyKind::Ecdsa, Party::new(KeyKind::Ecdsa)?),
            ],
        };
        let mut configuration = installation.configuration(engine, &data)?;
        for line in settings {
            configuration.push_str(line);
            configuration.push('\n');
        }
        fs::write(&installation.config, configuration)?;
        let file = directory.join("provost.json");
        let mut document = installation.document();
        extend(&mut document);
        fs::write(&file, document.to_string())?;
        let file = file.to_str().context("a path in UTF-8")?;
        process::run(binary, &["apply", file], &installation.config)?;
        Ok(installation)
    }

    /// Returns our base URL.
    pub fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    fn configuration(&self, engine: &Engine, data: &Path) -> Result<String> {
        // A key of zeros is as fast as any other; this data is thrown away.
        let key = self.directory.join("data.key");
        fs::write(&key, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n")?;
        let mut lines = vec![
            format!("listen = \"{}\"", self.address),
            format!("public_url = \"{}\"", self.origin()),
            format!("data_dir = {data:?}"),
            format!("data_key_file = {key:?}"),
            // As behind a reverse proxy: the driver names another computer for each person, so that the limits per
            // client, which stay as they are, do not mistake the whole load for one attacker.
            "trusted_proxies = \"127.0.0.0/8\"".to_owned(),
            "log_level = \"warn\"".to_owned(),
        ];
        match engine {
            Engine::Sqlite => lines.push("sqlite_synchronous = \"full\"".to_owned()),
            Engine::Postgres(url) => lines.push(format!("database_url = \"{url}\"")),
        }
        Ok(lines.join("\n") + "\n")
    }

    fn document(&self) -> serde_json::Value {
        let connections: Vec<serde_json::Value> = self
            .parties
            .iter()
            .map(|(kind, party)| {
                json!({
                    "id": kind.connection(),
                    "organization": "bench",
                    "protocol": "saml",
                    "saml": { "entity_id": IDP, "sso_url": SSO, "certificates": [party.pem()] },
                    "domains": [DOMAIN],
                    "provisioning": "jit",
                    "policy": {
                        "role": { "expression": "contains(groups, 'admins') && 'Admin' || 'Member'" },
                        "workspaces": { "mode": "all" },
                    },
                })
            })
            .collect();
        json!({
            "organizations": [{
                "id": "bench",
                "name": "Bench",
                "domains": [{ "name": DOMAIN, "verified": true }],
                "roles": [{ "id": "admin", "name": "Admin" }, { "id": "member", "name": "Member" }],
                "workspaces": [{ "id": "main", "name": "Main", "default": true }, { "id": "lab", "name": "Lab" }],
            }],
            "connections": connections,
            "applications": [{
                "client_id": CLIENT_ID,
                "client_secret": CLIENT_SECRET,
                "redirect_uris": [REDIRECT_URI],
                "organizations": "all",
            }],
        })
    }
}

fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}
