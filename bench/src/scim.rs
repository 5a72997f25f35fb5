//! Directory pushes under load: the same requests to Provost on each engine and to the peers, one after the other.
//!
//! Owns: what is done and in which order. Every server gets its own data, is filled as far as its time allows, and is
//! stopped before the next one starts. A refusal is a result, not a failure: the table shows the status.

mod target;
mod work;

use std::time::Duration;

use anyhow::{Context as _, Result};
use tokio::runtime::Builder;

pub use target::{PeerProgram, Target};
use work::{Bench, Cell};

use crate::installation::Engine;
use crate::load::Setting;
use crate::progress;
use crate::report::{Entry, Results, ScimCell};

/// How much is measured.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Time of one measurement.
    pub time: Duration,
    /// People that Provost is filled with.
    pub people: usize,
    /// People that a peer is filled with, at most.
    pub peer_people: usize,
    /// Time for filling a peer, at most.
    pub peer_fill: Duration,
}

/// Members of the groups in which one member comes and goes.
const GROUP_SIZES: [usize; 4] = [10, 1_000, 10_000, 100_000];
/// Members of the group that is replaced as a whole.
const REPLACED: usize = 10_000;
/// Resources on a page.
const PAGE: usize = 100;

/// Measures Provost on each engine, then each peer.
pub fn run(
    setting: Setting<'_>,
    engines: &[Engine],
    peers: &[PeerProgram],
    bounds: Bounds,
    results: &mut Results,
) -> Result<()> {
    for engine in engines {
        let target = Target::provost(setting, engine)?;
        let name = target.name.clone();
        measure(target, bounds.people, Duration::from_mins(10), bounds, results)
            .with_context(|| format!("measuring {name}"))?;
    }
    for peer in peers {
        let measured = Target::peer(peer, setting)
            .and_then(|target| measure(target, bounds.peer_people, bounds.peer_fill, bounds, results));
        if let Err(error) = measured {
            results.note(format!("{} is left out: {error:#}", peer.name));
        }
    }
    Ok(())
}

fn measure(
    mut target: Target,
    people: usize,
    fill: Duration,
    bounds: Bounds,
    results: &mut Results,
) -> Result<()> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(target.wait_until_ready())?;
    let mut bench = Bench::new(&target, bounds.time);
    let mut cells = Vec::new();
    let bar = progress::bar(15, &target.name);
    let outcome = runtime.block_on(walk(&mut bench, people, fill, &mut cells, &bar));
    bar.finish_and_clear();
    cells.push(Cell::text(
        "resident memory, MB",
        0,
        format!("{:.0}", target.memory()?),
    ));
    let column = format!("{} {} ({})", target.name, target.version, target.storage);
    target.stop()?;
    for cell in cells {
        results.add(Entry::Scim(ScimCell {
            target: column.trim().to_owned(),
            work: cell.work,
            workers: cell.workers,
            per_second: cell.per_second,
            text: cell.text,
        }));
    }
    outcome
}

/// Everything for one server, in an order in which each step finds what it needs.
async fn walk(
    bench: &mut Bench,
    people: usize,
    fill: Duration,
    cells: &mut Vec<Cell>,
    bar: &indicatif::ProgressBar,
) -> Result<()> {
    for workers in [1, 8, 32] {
        cells.push(bench.create(workers).await?);
        bar.inc(1);
    }
    // One more than the largest group has: somebody who is not in it comes and goes.
    bench.fill(people + 1, fill).await?;
    cells.push(Cell::text("people", 0, bench.people().to_string()));
    bar.inc(1);
    cells.push(bench.get_by_id(8).await?);
    cells.push(bench.filter(8).await?);
    bar.inc(2);
    cells.push(bench.page("page of 100, first", 1, PAGE).await?);
    let last = bench.people().saturating_sub(PAGE);
    cells.push(bench.page("page of 100, last", last.max(1), PAGE).await?);
    bar.inc(2);
    cells.push(bench.set_active(8).await?);
    bar.inc(1);
    for size in GROUP_SIZES {
        cells.push(bench.one_member(size).await?);
        bar.inc(1);
    }
    cells.push(bench.replace_group(REPLACED).await?);
    bar.inc(1);
    Ok(())
}
