//! What is measured: Provost itself, or a peer as a program that gets a port and says where its SCIM is.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;
use serde_json::json;

use crate::client::Client;
use crate::clock;
use crate::installation::{DOMAIN, Engine, Installation};
use crate::load::Setting;
use crate::process::{Server, memory_megabytes};

const TOKEN: &str = "bench-directory-token-0123456789abcdef";
const PATIENCE: Duration = Duration::from_mins(1);
/// Longest time for one answer while it starts.
const ANSWER: Duration = Duration::from_secs(5);

/// A peer: name, program and first arguments. The port follows; the program prints one line of JSON when it is about
/// to listen: `{"base": "/scim/v2", "token": "…", "version": "…", "storage": "…"}`.
#[derive(Clone, Debug)]
pub struct PeerProgram {
    /// Name for tables.
    pub name: String,
    /// Command line.
    pub command: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Hello {
    base: String,
    token: String,
    version: String,
    storage: String,
}

/// A running server.
#[derive(Debug)]
pub struct Target {
    /// Name for tables.
    pub name: String,
    /// Version for tables.
    pub version: String,
    /// Where it keeps its data.
    pub storage: String,
    /// Where it listens.
    pub address: SocketAddr,
    /// Path of its SCIM, without `/Users`.
    pub base: String,
    /// Bearer token.
    pub token: String,
    running: Running,
}

#[derive(Debug)]
enum Running {
    Provost(Server),
    Peer(Child),
}

impl Target {
    /// Makes an installation with one directory and starts it.
    pub fn provost(setting: Setting<'_>, engine: &Engine) -> Result<Self> {
        let folder = match engine {
            Engine::Sqlite => "scim-sqlite",
            Engine::Postgres(_) => "scim-postgres",
        };
        let settings = ["scim_requests_per_second = 0".to_owned()];
        let directory = setting.work.join(folder);
        let installation =
            Installation::create_with(setting.binary, &directory, engine, &settings, |document| {
                add_directory(document);
            })?;
        let log = installation.directory.join("server.log");
        let server = Server::start(setting.binary, &installation.config, &log, setting.core)?;
        Ok(Self {
            name: "Provost".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            storage: engine.name().to_owned(),
            address: installation.address,
            base: "/scim/directory/v2".to_owned(),
            token: TOKEN.to_owned(),
            running: Running::Provost(server),
        })
    }

    /// Starts a peer.
    pub fn peer(peer: &PeerProgram, setting: Setting<'_>) -> Result<Self> {
        let [program, arguments @ ..] = peer.command.as_slice() else {
            bail!("no program");
        };
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let mut command = match setting.core {
            Some(core) => {
                let mut command = Command::new("taskset");
                command.args(["-c", &core.to_string(), program]);
                command
            }
            None => Command::new(program),
        };
        let logs = setting.work.join("logs");
        fs::create_dir_all(&logs)?;
        let mut child = command
            .args(arguments)
            .arg(port.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(File::create(logs.join(format!("scim-{}.log", peer.name)))?)
            .spawn()
            .with_context(|| format!("cannot start {program}"))?;
        let output = child.stdout.take().context("no standard output")?;
        let mut line = String::new();
        let read = BufReader::new(output).read_line(&mut line);
        let hello: Hello = match read.map_err(anyhow::Error::from).and_then(|_| {
            serde_json::from_str(&line).with_context(|| format!("it said {line:?} instead of where it is"))
        }) {
            Ok(hello) => hello,
            Err(error) => {
                stop(child)?;
                return Err(error);
            }
        };
        Ok(Self {
            name: peer.name.clone(),
            version: hello.version,
            storage: hello.storage,
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
            base: hello.base,
            token: hello.token,
            running: Running::Peer(child),
        })
    }

    /// Waits until a list of users is answered.
    pub async fn wait_until_ready(&mut self) -> Result<()> {
        let start = clock::start();
        let mut last = "no answer".to_owned();
        while start.elapsed() < PATIENCE {
            match &mut self.running {
                Running::Provost(server) => server.check()?,
                Running::Peer(child) => {
                    if let Some(status) = child.try_wait()? {
                        bail!("it ended ({status})");
                    }
                }
            }
            if let Ok(mut client) = Client::connect(self.address).await {
                let path = format!("{}/Users?startIndex=1&count=1", self.base);
                // A peer that waits for its database takes the request and does not answer.
                let asked = client.json("GET", &path, &self.token, None);
                match tokio::time::timeout(ANSWER, asked).await {
                    Ok(Ok(answer)) if answer.status.is_success() => return Ok(()),
                    Ok(Ok(answer)) => last = answer.excerpt(),
                    Ok(Err(error)) => last = error.to_string(),
                    Err(_) => last = format!("no answer within {ANSWER:?}"),
                }
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        bail!("it is not ready after {PATIENCE:?}: {last}")
    }

    /// Returns the memory that it holds, in MB.
    pub fn memory(&self) -> Result<f64> {
        memory_megabytes(match &self.running {
            Running::Provost(server) => server.pid(),
            Running::Peer(child) => child.id(),
        })
    }

    /// Stops it.
    pub fn stop(self) -> Result<()> {
        match self.running {
            Running::Provost(server) => server.stop(),
            Running::Peer(child) => stop(child),
        }
    }
}

/// Asks politely, then insists.
fn stop(mut child: Child) -> Result<()> {
    Command::new("kill").arg(child.id().to_string()).status()?;
    let start = clock::start();
    while start.elapsed() < Duration::from_secs(5) {
        if child.try_wait()?.is_some() {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    child.kill()?;
    child.wait()?;
    Ok(())
}

/// A connection in scim mode beside those of the sign-ins, in an organization of its own.
fn add_directory(document: &mut serde_json::Value) {
    let list = |document: &mut serde_json::Value, name: &str, entry: serde_json::Value| {
        if let Some(list) = document.get_mut(name).and_then(serde_json::Value::as_array_mut) {
            list.push(entry);
        }
    };
    let domain = format!("push.{DOMAIN}");
    list(
        document,
        "organizations",
        json!({
            "id": "pushed",
            "name": "Pushed",
            "domains": [{ "name": domain, "verified": true }],
            "roles": [{ "id": "admin", "name": "Admin" }, { "id": "member", "name": "Member" }],
            "workspaces": [{ "id": "main", "name": "Main", "default": true }],
        }),
    );
    list(
        document,
        "connections",
        json!({
            "id": "directory",
            "organization": "pushed",
            "protocol": "oidc",
            "oidc": { "issuer": "https://idp.push.example", "client_id": "bench", "client_secret": "bench-secret-0123456789" },
            "domains": [domain],
            "provisioning": "scim",
            "policy": { "role": { "expression": "contains(groups, 'admins') && 'Admin' || 'Member'" }, "workspaces": { "mode": "all" } },
            "scim": { "tokens": [{ "label": "bench", "token": TOKEN }], "departure_guard": "off" },
        }),
    );
}
