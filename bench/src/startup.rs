//! How long the server takes from exec to the first 200 at `/readyz`, and how much memory it holds when idle.

use std::time::Duration;

use anyhow::{Result, bail};
use tokio::runtime::Builder;

use crate::client::Client;
use crate::clock::{self, Sorted};
use crate::installation::{Engine, Installation};
use crate::load::Setting;
use crate::process::{Server, memory_megabytes};
use crate::progress;
use crate::report::{Entry, Results};

/// How long the server is left alone before its idle memory is read.
const IDLE: Duration = Duration::from_secs(5);
/// Runs in which the idle memory is read too.
const IDLE_RUNS: usize = 3;

/// Starts and stops the server `runs` times on one database that already has its tables.
pub fn run(setting: Setting<'_>, engine: &Engine, runs: usize, results: &mut Results) -> Result<()> {
    let folder = match engine {
        Engine::Sqlite => "startup-sqlite",
        Engine::Postgres(_) => "startup-postgres",
    };
    let installation = Installation::create(setting.binary, &setting.work.join(folder), engine)?;
    let log = installation.directory.join("server.log");
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let bar = progress::bar(runs as u64, &format!("start-up, {}", engine.name()));
    let (mut times, mut memory) = (Vec::new(), Vec::new());
    for run in 0..runs {
        let begun = clock::start();
        let mut server = Server::start(setting.binary, &installation.config, &log, setting.core)?;
        runtime.block_on(first_ready(&installation, &mut server))?;
        times.push(clock::milliseconds(begun.elapsed()));
        if run < IDLE_RUNS {
            std::thread::sleep(IDLE);
            memory.push(memory_megabytes(server.pid())?);
        }
        server.stop()?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    let times = Sorted::new(times);
    results.add(Entry::Startup {
        engine: engine.name().to_owned(),
        runs,
        median: times.median(),
        p95: times.percentile(95),
    });
    results.add(Entry::Memory {
        what: format!("idle for {} s, {}", IDLE.as_secs(), engine.name()),
        megabytes: Sorted::new(memory).median(),
    });
    Ok(())
}

/// Asks again and again, at most a millisecond apart.
async fn first_ready(installation: &Installation, server: &mut Server) -> Result<()> {
    let start = clock::start();
    while start.elapsed() < Duration::from_secs(30) {
        if let Ok(mut client) = Client::connect(installation.address).await
            && client
                .get("/readyz")
                .await
                .is_ok_and(|answer| answer.status == hyper::StatusCode::OK)
        {
            return Ok(());
        }
        server.check()?;
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    bail!("the server is not ready after 30 s:\n{}", server.tail())
}
