//! Many whole sign-ins at once against the real server: how many per second, how long each takes, what it costs.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use futures_util::future::try_join_all;
use tokio::runtime::{Builder, Runtime};

use crate::client::Client;
use crate::clock::{self, Sorted};
use crate::identity_provider::{KeyKind, Party, Person};
use crate::installation::{DOMAIN, Engine, Installation};
use crate::process::{Server, memory_megabytes, processor_seconds};
use crate::progress;
use crate::report::{Entry, Load, Results};
use crate::sign_in::{Attempt, sign_in};

/// How much is measured.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Sign-ins of one run at most.
    pub count: usize,
    /// Time of one run at most.
    pub time: Duration,
    /// Runs of each case; the median counts.
    pub rounds: usize,
}

/// What runs where.
#[derive(Clone, Copy, Debug)]
pub struct Setting<'a> {
    /// The binary under test.
    pub binary: &'a Path,
    /// Folder for data and logs.
    pub work: &'a Path,
    /// Core of the server; the driver and PostgreSQL have the other ones.
    pub core: Option<usize>,
    /// Process id of PostgreSQL's postmaster, to count its time.
    pub postmaster: Option<u32>,
}

/// Who signs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum People {
    /// Everybody for the first time: an account is made.
    New,
    /// Everybody again.
    Returning,
}

/// One case: a kind of key, people, and how many at once.
#[derive(Clone, Copy, Debug)]
struct Case {
    kind: KeyKind,
    people: People,
    workers: usize,
}

const CASES: [Case; 5] = [
    Case {
        kind: KeyKind::Rsa,
        people: People::New,
        workers: 8,
    },
    Case {
        kind: KeyKind::Rsa,
        people: People::New,
        workers: 32,
    },
    Case {
        kind: KeyKind::Rsa,
        people: People::Returning,
        workers: 8,
    },
    Case {
        kind: KeyKind::Ecdsa,
        people: People::New,
        workers: 8,
    },
    Case {
        kind: KeyKind::Ecdsa,
        people: People::New,
        workers: 32,
    },
];

/// One run.
struct Run {
    latencies: Vec<f64>,
    seconds: f64,
    server_seconds: f64,
    postgres_seconds: f64,
    requests: u64,
}

/// Measures every case on one engine.
pub fn run(setting: Setting<'_>, engine: &Engine, bounds: Bounds, results: &mut Results) -> Result<()> {
    let folder = match engine {
        Engine::Sqlite => "signin-sqlite",
        Engine::Postgres(_) => "signin-postgres",
    };
    let installation = Installation::create(setting.binary, &setting.work.join(folder), engine)?;
    let log = installation.directory.join("server.log");
    let mut server = Server::start(setting.binary, &installation.config, &log, setting.core)?;
    let runtime = Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(wait_until_ready(&installation, &mut server))?;
    let outcome = measure(&runtime, setting, engine, bounds, &installation, &server, results);
    let outcome = outcome.with_context(|| format!("the server's log ends with:\n{}", server.tail()));
    server.stop()?;
    outcome
}

/// Waits until the server answers.
///
/// # Errors
/// When it has ended, or is not ready in time.
pub async fn wait_until_ready(installation: &Installation, server: &mut Server) -> Result<()> {
    let start = clock::start();
    while start.elapsed() < Duration::from_secs(30) {
        server.check()?;
        if let Ok(mut client) = Client::connect(installation.address).await
            && client
                .get("/readyz")
                .await
                .is_ok_and(|answer| answer.status == hyper::StatusCode::OK)
        {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    bail!("the server is not ready after 30 s:\n{}", server.tail())
}

fn measure(
    runtime: &Runtime,
    setting: Setting<'_>,
    engine: &Engine,
    bounds: Bounds,
    installation: &Installation,
    server: &Server,
    results: &mut Results,
) -> Result<()> {
    let mut crowd = Crowd {
        installation,
        people: RefCell::new(HashMap::new()),
        newcomers: Cell::new(0),
    };
    let warm_up = Bounds {
        count: 200,
        time: Duration::from_secs(5),
        rounds: 1,
    };
    let mut done = 0;
    for kind in [KeyKind::Rsa, KeyKind::Ecdsa] {
        let case = Case {
            kind,
            people: People::New,
            workers: 8,
        };
        done += runtime
            .block_on(crowd.run(case, warm_up, || (0.0, 0.0)))?
            .latencies
            .len();
    }
    let bar = progress::bar(
        (bounds.rounds * CASES.len()) as u64,
        &format!("sign-ins, {}", engine.name()),
    );
    let costs = || {
        (
            processor_seconds(server.pid()),
            setting.postmaster.map_or(0.0, processor_seconds),
        )
    };
    let mut runs: Vec<Vec<Run>> = CASES.iter().map(|_| Vec::new()).collect();
    let mut memory = None;
    for _ in 0..bounds.rounds {
        for (case, all) in CASES.iter().zip(&mut runs) {
            let run = runtime.block_on(crowd.run(*case, bounds, costs))?;
            done += run.latencies.len();
            all.push(run);
            if memory.is_none() && done >= 1000 {
                memory = Some((done, memory_megabytes(server.pid())?));
            }
            bar.inc(1);
        }
    }
    bar.finish_and_clear();
    for (case, all) in CASES.iter().zip(&runs) {
        results.add(Entry::Load(summary(engine, *case, all)));
    }
    if let Some((after, megabytes)) = memory {
        results.add(Entry::Memory {
            what: format!("after {after} sign-ins, {}", engine.name()),
            megabytes,
        });
    }
    results.add(Entry::Memory {
        what: format!("after {done} sign-ins, {}", engine.name()),
        megabytes: memory_megabytes(server.pid())?,
    });
    Ok(())
}

/// The people, and who of them was here before.
struct Crowd<'a> {
    installation: &'a Installation,
    /// Stable id (`sub`) of everybody who was here, by number.
    people: RefCell<HashMap<usize, String>>,
    newcomers: Cell<usize>,
}

impl Crowd<'_> {
    /// Lets people sign in until count or time is used up.
    async fn run(&mut self, case: Case, bounds: Bounds, costs: impl Fn() -> (f64, f64)) -> Result<Run> {
        let mut clients = Vec::new();
        for _ in 0..case.workers {
            clients.push(Client::connect(self.installation.address).await?);
        }
        let known = self.newcomers.get();
        let (before, start, taken) = (costs(), clock::start(), Cell::new(0));
        let workers = clients.into_iter().map(|mut client| {
            let (crowd, taken) = (&*self, &taken);
            async move {
                let mut latencies = Vec::new();
                while start.elapsed() < bounds.time && taken.get() < bounds.count {
                    let turn = taken.replace(taken.get() + 1);
                    let number = match case.people {
                        People::New => crowd.newcomers.replace(crowd.newcomers.get() + 1),
                        // Spread over everybody, so that not always the same few rows are warm.
                        People::Returning => turn * 7919 % known.max(1),
                    };
                    let begun = clock::start();
                    crowd.sign_in(&mut client, case, number).await?;
                    latencies.push(clock::milliseconds(begun.elapsed()));
                }
                anyhow::Ok((latencies, client.requests))
            }
        });
        let finished = try_join_all(workers).await?;
        let (seconds, after) = (start.elapsed().as_secs_f64(), costs());
        let requests = finished.iter().map(|(_, requests)| requests).sum();
        Ok(Run {
            latencies: finished
                .into_iter()
                .flat_map(|(latencies, _)| latencies)
                .collect(),
            seconds,
            server_seconds: after.0 - before.0,
            postgres_seconds: after.1 - before.1,
            requests,
        })
    }

    async fn sign_in(&self, client: &mut Client, case: Case, number: usize) -> Result<()> {
        // Who began with one kind of key stays with it: another connection would be another person.
        let kind = if case.people == People::Returning {
            self.kind_of(number)
        } else {
            case.kind
        };
        let person = Person::numbered(DOMAIN, number);
        let (high, middle, low) = (number >> 16, number >> 8, number);
        client.forwarded_for = format!("10.{}.{}.{}", high & 255, middle & 255, low & 255);
        let origin = self.installation.origin();
        let attempt = Attempt {
            origin: &origin,
            kind,
            party: self.party(kind)?,
            person: &person,
        };
        let subject = sign_in(client, attempt).await?;
        match self.people.borrow_mut().entry(number) {
            std::collections::hash_map::Entry::Occupied(known) => {
                let known = known.get();
                ensure!(
                    known.ends_with(&subject),
                    "person {number} came back as somebody else"
                );
            }
            std::collections::hash_map::Entry::Vacant(place) => {
                ensure!(case.people == People::New, "person {number} was never here");
                place.insert(format!("{} {subject}", kind.connection()));
            }
        }
        Ok(())
    }

    fn kind_of(&self, number: usize) -> KeyKind {
        let people = self.people.borrow();
        let is_ecdsa = people
            .get(&number)
            .is_some_and(|known| known.starts_with(KeyKind::Ecdsa.connection()));
        if is_ecdsa { KeyKind::Ecdsa } else { KeyKind::Rsa }
    }

    fn party(&self, kind: KeyKind) -> Result<&Party> {
        let found = self.installation.parties.iter().find(|(known, _)| *known == kind);
        Ok(&found.context("a key of that kind")?.1)
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of one run are far below 2^52")]
fn summary(engine: &Engine, case: Case, runs: &[Run]) -> Load {
    let median = |of: &dyn Fn(&Run) -> f64| Sorted::new(runs.iter().map(of).collect()).median();
    let percentile = |percent| median(&|run| Sorted::new(run.latencies.clone()).percentile(percent));
    let people = match case.people {
        People::New => "new people",
        People::Returning => "returning people",
    };
    Load {
        engine: engine.name().to_owned(),
        case: format!("{people}, {}", case.kind.name()),
        workers: case.workers,
        per_second: median(&|run| run.latencies.len() as f64 / run.seconds),
        server_milliseconds: median(&|run| run.server_seconds * 1000.0 / run.latencies.len().max(1) as f64),
        postgres_milliseconds: median(&|run| {
            run.postgres_seconds * 1000.0 / run.latencies.len().max(1) as f64
        }),
        p50: percentile(50),
        p95: percentile(95),
        p99: percentile(99),
        requests: median(&|run| run.requests as f64 / run.latencies.len().max(1) as f64),
        sign_ins: runs.iter().map(|run| run.latencies.len()).sum(),
    }
}
