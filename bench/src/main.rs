//! Measures Provost beside its peers and prints tables. `bench/run` prepares what it needs and calls it.
//! Owns the command line only.

use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, ensure};
use clap::{Parser, ValueEnum};

use provost_bench::installation::Engine;
use provost_bench::report::Results;
use provost_bench::saml::{self, Peer};
use provost_bench::scim::{self, PeerProgram};
use provost_bench::{load, preview, startup};

/// Measures Provost beside its peers.
#[derive(Debug, Parser)]
struct Arguments {
    /// What to measure.
    #[arg(required = true)]
    parts: Vec<Part>,
    /// The binary under test.
    #[arg(long, default_value = "target/release/provost")]
    binary: PathBuf,
    /// Folder for data, messages and logs.
    #[arg(long, default_value = "bench/.work")]
    work: PathBuf,
    /// A peer as `NAME=PROGRAM ARGUMENT…`; the folder of the message and the seconds are appended.
    #[arg(long = "peer")]
    peers: Vec<String>,
    /// URL of an empty PostgreSQL database, one for each of sign-ins, start-up, SCIM and the preview; without, SQLite only.
    #[arg(long)]
    postgres: Vec<String>,
    /// Process id of PostgreSQL's postmaster, to count its processor time.
    #[arg(long)]
    postmaster: Option<u32>,
    /// Leaves SQLite out.
    #[arg(long)]
    no_sqlite: bool,
    /// Core for the server while people sign in.
    #[arg(long)]
    core: Option<usize>,
    /// Rounds of each measurement; the median counts.
    #[arg(long, default_value_t = 3)]
    rounds: u32,
    /// Most sign-ins of one run.
    #[arg(long, default_value_t = 3000)]
    count: usize,
    /// Most seconds of one run.
    #[arg(long, default_value_t = 20.0)]
    seconds: f64,
    /// A SCIM peer as `NAME=PROGRAM ARGUMENT…`; the port is appended.
    #[arg(long = "scim-peer")]
    scim_peers: Vec<String>,
    /// People that Provost is filled with before the preview, or reads and groups, are measured.
    #[arg(long, default_value_t = 100_000)]
    people: usize,
    /// People that a SCIM peer is filled with, at most.
    #[arg(long, default_value_t = 10_000)]
    peer_people: usize,
    /// Most seconds of filling a SCIM peer.
    #[arg(long, default_value_t = 30.0)]
    peer_fill: f64,
    /// Seconds of one SCIM measurement.
    #[arg(long, default_value_t = 2.0)]
    scim_seconds: f64,
    /// Starts of the server.
    #[arg(long, default_value_t = 20)]
    starts: usize,
}

/// Parts of the benchmark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Verification of a SAML Response, beside the peers.
    Saml,
    /// Whole sign-ins per second.
    Signin,
    /// Start-up time and idle memory.
    Startup,
    /// Directory pushes, beside the peers.
    Scim,
    /// The preview of an edited policy over everybody.
    Preview,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let mut results = Results::default();
    for part in &arguments.parts {
        match part {
            Part::Saml => measure_saml(&arguments, &mut results)?,
            Part::Signin => measure_sign_ins(&arguments, &mut results)?,
            Part::Startup => measure_startup(&arguments, &mut results)?,
            Part::Scim => measure_scim(&arguments, &mut results)?,
            Part::Preview => measure_preview(&arguments, &mut results)?,
        }
    }
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{}", results.render())?;
    Ok(())
}

/// Takes `NAME=PROGRAM ARGUMENT…` apart.
fn program(text: &str) -> Result<(String, Vec<String>)> {
    let (name, command) = text.split_once('=').unwrap_or((text, ""));
    let command: Vec<String> = command.split_whitespace().map(str::to_owned).collect();
    ensure!(!command.is_empty(), "{text}: no program");
    Ok((name.to_owned(), command))
}

fn measure_scim(arguments: &Arguments, results: &mut Results) -> Result<()> {
    let mut peers = Vec::new();
    for text in &arguments.scim_peers {
        let (name, command) = program(text)?;
        peers.push(PeerProgram { name, command });
    }
    let bounds = scim::Bounds {
        time: Duration::try_from_secs_f64(arguments.scim_seconds)?,
        people: arguments.people,
        peer_people: arguments.peer_people,
        peer_fill: Duration::try_from_secs_f64(arguments.peer_fill)?,
    };
    scim::run(
        setting(arguments),
        &engines(arguments, 2),
        &peers,
        bounds,
        results,
    )
}

fn measure_saml(arguments: &Arguments, results: &mut Results) -> Result<()> {
    let mut peers = Vec::new();
    for text in &arguments.peers {
        let (name, command) = program(text)?;
        peers.push(Peer { name, command });
    }
    saml::run(
        &arguments.work.join("message"),
        &peers,
        arguments.rounds.max(5),
        1.0,
        results,
    )
}

/// Returns the engines: SQLite, and PostgreSQL with the database at `index`.
fn engines(arguments: &Arguments, index: usize) -> Vec<Engine> {
    let sqlite = (!arguments.no_sqlite).then_some(Engine::Sqlite);
    sqlite
        .into_iter()
        .chain(arguments.postgres.get(index).cloned().map(Engine::Postgres))
        .collect()
}

/// Returns what runs where.
fn setting(arguments: &Arguments) -> load::Setting<'_> {
    load::Setting {
        binary: &arguments.binary,
        work: &arguments.work,
        core: arguments.core,
        postmaster: arguments.postmaster,
    }
}

fn measure_sign_ins(arguments: &Arguments, results: &mut Results) -> Result<()> {
    let bounds = load::Bounds {
        count: arguments.count,
        time: Duration::try_from_secs_f64(arguments.seconds)?,
        rounds: usize::try_from(arguments.rounds)?,
    };
    for engine in engines(arguments, 0) {
        load::run(setting(arguments), &engine, bounds, results)?;
    }
    Ok(())
}

fn measure_startup(arguments: &Arguments, results: &mut Results) -> Result<()> {
    for engine in engines(arguments, 1) {
        startup::run(setting(arguments), &engine, arguments.starts, results)?;
    }
    Ok(())
}

fn measure_preview(arguments: &Arguments, results: &mut Results) -> Result<()> {
    for engine in engines(arguments, 3) {
        preview::run(setting(arguments), &engine, arguments.people, results)?;
    }
    Ok(())
}
