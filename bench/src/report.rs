//! What was measured, as tables for people. Never judges by exit code: a benchmark reports.

use std::fmt::Write as _;

/// Goal: milliseconds to verify a Response.
const GOAL_VERIFY: f64 = 0.5;
/// Goal: sign-ins per second and core on PostgreSQL.
const GOAL_POSTGRES: f64 = 400.0;
/// Goal: sign-ins per second and core on SQLite with synchronous=FULL.
const GOAL_SQLITE: f64 = 300.0;
/// Goal: milliseconds to start.
const GOAL_STARTUP: f64 = 200.0;
/// Goal: MB when idle.
const GOAL_IDLE: f64 = 40.0;
/// The server that does nothing (`bin/floor.rs`), as `bench/run` names it.
const FLOOR: &str = "floor ";

/// Sign-ins under load.
#[derive(Clone, Debug)]
pub struct Load {
    /// Database.
    pub engine: String,
    /// People and key.
    pub case: String,
    /// Sign-ins at once.
    pub workers: usize,
    /// Sign-ins per second.
    pub per_second: f64,
    /// Processor time of the server for one sign-in, in milliseconds.
    pub server_milliseconds: f64,
    /// Processor time of PostgreSQL for one sign-in, in milliseconds.
    pub postgres_milliseconds: f64,
    /// Median time of one sign-in, in milliseconds.
    pub p50: f64,
    /// 95th percentile, in milliseconds.
    pub p95: f64,
    /// 99th percentile, in milliseconds.
    pub p99: f64,
    /// Requests of one sign-in.
    pub requests: f64,
    /// Sign-ins that were counted.
    pub sign_ins: usize,
}

/// One kind of SCIM request on one server.
#[derive(Clone, Debug)]
pub struct ScimCell {
    /// Server, version and storage.
    pub target: String,
    /// What was done.
    pub work: String,
    /// Requests at once; 0 where it does not apply.
    pub workers: usize,
    /// Operations per second; 0 where there is none.
    pub per_second: f64,
    /// What the table shows.
    pub text: String,
}

/// One preview of an edited policy.
#[derive(Clone, Debug)]
pub struct PreviewRow {
    /// Database.
    pub engine: String,
    /// People whom the connection knows.
    pub people: usize,
    /// Seconds for all of them.
    pub seconds: f64,
    /// Until the first progress, in milliseconds.
    pub first_milliseconds: f64,
    /// Processor time of the server for all of them, in seconds.
    pub processor_seconds: f64,
    /// Resident memory of the server before, and the most of it meanwhile, in MB (10^6 bytes).
    pub megabytes: (f64, f64),
    /// Processor time of the server in the second after a reader hung up, in seconds.
    pub after_giving_up: f64,
}

/// One measured thing.
#[derive(Clone, Debug)]
pub enum Entry {
    /// SCIM requests.
    Scim(ScimCell),
    /// Verification of one Response.
    Saml {
        /// Library and form.
        name: String,
        /// Version of the library.
        version: String,
        /// Milliseconds for one.
        milliseconds: f64,
    },
    /// Sign-ins under load.
    Load(Load),
    /// The preview over everybody.
    Preview(PreviewRow),
    /// Start-up.
    Startup {
        /// Database.
        engine: String,
        /// Runs.
        runs: usize,
        /// Median in milliseconds.
        median: f64,
        /// 95th percentile in milliseconds.
        p95: f64,
    },
    /// Memory.
    Memory {
        /// When.
        what: String,
        /// MB (10^6 bytes).
        megabytes: f64,
    },
}

impl Entry {
    /// Makes an entry for a library.
    pub fn saml(name: String, version: String, milliseconds: f64) -> Self {
        Self::Saml {
            name,
            version,
            milliseconds,
        }
    }
}

/// Everything measured in one run of the program.
#[derive(Clone, Debug, Default)]
pub struct Results {
    entries: Vec<Entry>,
    notes: Vec<String>,
}

impl Results {
    /// Adds what was measured.
    pub fn add(&mut self, entry: Entry) {
        self.entries.push(entry);
    }

    /// Adds a remark that belongs below the tables.
    pub fn note(&mut self, note: String) {
        self.notes.push(note);
    }

    /// Renders the tables as Markdown.
    pub fn render(&self) -> String {
        let mut out = String::new();
        self.render_saml(&mut out);
        self.render_loads(&mut out);
        self.render_startup(&mut out);
        self.render_scim(&mut out);
        self.render_previews(&mut out);
        for note in &self.notes {
            line(&mut out, &format!("Note: {note}"));
        }
        out
    }

    fn render_saml(&self, out: &mut String) {
        let rows: Vec<(&String, &String, f64)> = self
            .entries
            .iter()
            .filter_map(|entry| match entry {
                Entry::Saml {
                    name,
                    version,
                    milliseconds,
                } => Some((name, version, *milliseconds)),
                Entry::Scim(_)
                | Entry::Load(_)
                | Entry::Preview(_)
                | Entry::Startup { .. }
                | Entry::Memory { .. } => None,
            })
            .collect();
        // The form that all of them verify is ours first.
        let Some((_, _, ours)) = rows.first() else {
            return;
        };
        let mut table = Table::new(&[
            "verify one SAML Response",
            "version",
            "CPU ms",
            "times ours",
            "goal",
        ]);
        for (name, version, milliseconds) in &rows {
            let goal = if name.starts_with("provost") {
                goal_at_most(*milliseconds, GOAL_VERIFY)
            } else {
                String::new()
            };
            table.row(vec![
                (*name).clone(),
                (*version).clone(),
                format!("{milliseconds:.3}"),
                format!("{:.1}", milliseconds / ours),
                goal,
            ]);
        }
        table.render(out);
    }

    fn render_loads(&self, out: &mut String) {
        let mut table = Table::new(&[
            "whole SSO sign-ins",
            "at once",
            "per s",
            "goal",
            "p50 ms",
            "p95 ms",
            "p99 ms",
            "server CPU ms",
            "database CPU ms",
            "per core-s",
            "requests",
            "counted",
        ]);
        for entry in &self.entries {
            let Entry::Load(load) = entry else { continue };
            let per_core = 1000.0 / load.server_milliseconds.max(0.001);
            // With PostgreSQL the goal is for a core of the server: the database shares its core with the driver here, and
            // has machines of its own elsewhere. SQLite is part of the server.
            let goal = if load.engine.starts_with("PostgreSQL") {
                goal_at_least(per_core, GOAL_POSTGRES)
            } else {
                goal_at_least(load.per_second, GOAL_SQLITE)
            };
            table.row(vec![
                format!("{}: {}", load.engine, load.case),
                load.workers.to_string(),
                format!("{:.0}", load.per_second),
                goal,
                format!("{:.1}", load.p50),
                format!("{:.1}", load.p95),
                format!("{:.1}", load.p99),
                format!("{:.2}", load.server_milliseconds),
                format!("{:.2}", load.postgres_milliseconds),
                format!("{per_core:.0}"),
                format!("{:.1}", load.requests),
                load.sign_ins.to_string(),
            ]);
        }
        table.render(out);
    }

    /// One row per kind of request, one column per server; the last column compares our slowest engine with the fastest peer.
    /// A server that does nothing is no peer.
    fn render_scim(&self, out: &mut String) {
        let cells: Vec<&ScimCell> = self
            .entries
            .iter()
            .filter_map(|entry| match entry {
                Entry::Scim(cell) => Some(cell),
                Entry::Saml { .. }
                | Entry::Load(_)
                | Entry::Preview(_)
                | Entry::Startup { .. }
                | Entry::Memory { .. } => None,
            })
            .collect();
        let mut targets: Vec<&str> = Vec::new();
        let mut works: Vec<(&str, usize)> = Vec::new();
        for cell in &cells {
            if !targets.contains(&cell.target.as_str()) {
                targets.push(&cell.target);
            }
            if !works.contains(&(cell.work.as_str(), cell.workers)) {
                works.push((&cell.work, cell.workers));
            }
        }
        let mut head = vec!["SCIM: operations/s (p50 ms)"];
        head.extend(&targets);
        head.push("times the best peer");
        let mut table = Table::new(&head);
        for (work, workers) in works {
            let name = match workers {
                0 => work.to_owned(),
                workers => format!("{work}, {workers} at once"),
            };
            let of = |target: &str| {
                cells
                    .iter()
                    .find(|cell| cell.target == target && cell.work == work && cell.workers == workers)
            };
            let mut row = vec![name];
            row.extend(
                targets
                    .iter()
                    .map(|target| of(target).map_or_else(String::new, |cell| cell.text.clone())),
            );
            let rates = |ours: bool| {
                let rates = targets
                    .iter()
                    .filter(|target| !target.starts_with(FLOOR))
                    .filter(move |target| target.starts_with("Provost") == ours);
                rates
                    .filter_map(|target| of(target))
                    .map(|cell| cell.per_second)
                    .filter(|rate| *rate > 0.0)
            };
            let (ours, best) = (rates(true).reduce(f64::min), rates(false).reduce(f64::max));
            row.push(
                ours.zip(best)
                    .map_or_else(String::new, |(ours, best)| format!("{:.1}", ours / best)),
            );
            table.row(row);
        }
        table.render(out);
    }

    fn render_previews(&self, out: &mut String) {
        let mut table = Table::new(&[
            "preview of an edited policy",
            "people",
            "s",
            "people/s",
            "first progress ms",
            "server CPU s",
            "MB before",
            "MB at most",
            "CPU s in the second after hanging up",
        ]);
        for entry in &self.entries {
            let Entry::Preview(row) = entry else { continue };
            #[expect(clippy::cast_precision_loss, reason = "people are far below 2^52")]
            let rate = row.people as f64 / row.seconds.max(0.001);
            table.row(vec![
                row.engine.clone(),
                row.people.to_string(),
                format!("{:.1}", row.seconds),
                format!("{rate:.0}"),
                format!("{:.0}", row.first_milliseconds),
                format!("{:.1}", row.processor_seconds),
                format!("{:.1}", row.megabytes.0),
                format!("{:.1}", row.megabytes.1),
                format!("{:.2}", row.after_giving_up),
            ]);
        }
        table.render(out);
    }

    fn render_startup(&self, out: &mut String) {
        let mut times = Table::new(&[
            "exec to first 200 at /readyz",
            "runs",
            "median ms",
            "p95 ms",
            "goal",
        ]);
        let mut memory = Table::new(&["resident memory of the server", "MB", "goal"]);
        for entry in &self.entries {
            match entry {
                Entry::Startup {
                    engine,
                    runs,
                    median,
                    p95,
                } => times.row(vec![
                    engine.clone(),
                    runs.to_string(),
                    format!("{median:.0}"),
                    format!("{p95:.0}"),
                    goal_at_most(*median, GOAL_STARTUP),
                ]),
                Entry::Memory { what, megabytes } => {
                    let is_idle = what.starts_with("idle");
                    let goal = if is_idle {
                        goal_at_most(*megabytes, GOAL_IDLE)
                    } else {
                        String::new()
                    };
                    memory.row(vec![what.clone(), format!("{megabytes:.1}"), goal]);
                }
                Entry::Scim(_) | Entry::Saml { .. } | Entry::Load(_) | Entry::Preview(_) => {}
            }
        }
        times.render(out);
        memory.render(out);
    }
}

fn goal_at_most(value: f64, goal: f64) -> String {
    format!("{} (≤ {goal})", if value <= goal { "met" } else { "missed" })
}

fn goal_at_least(value: f64, goal: f64) -> String {
    format!("{} (≥ {goal})", if value >= goal { "met" } else { "missed" })
}

/// A Markdown table with aligned columns.
struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    fn new(head: &[&str]) -> Self {
        Self {
            rows: vec![head.iter().map(|cell| (*cell).to_owned()).collect()],
        }
    }

    fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    fn render(&self, out: &mut String) {
        let [head, body @ ..] = self.rows.as_slice() else {
            return;
        };
        if body.is_empty() {
            return;
        }
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..head.len()).map(width).collect();
        let render = |row: &[String]| {
            let cells = row.iter().zip(&widths).enumerate();
            let padded: Vec<String> = cells
                .map(|(index, (cell, width))| match index {
                    0 => format!("{cell:<width$}"),
                    _ => format!("{cell:>width$}"),
                })
                .collect();
            format!("| {} |", padded.join(" | "))
        };
        line(out, &render(head));
        let rule: Vec<String> = widths
            .iter()
            .enumerate()
            .map(|(index, width)| match index {
                0 => "-".repeat(*width),
                _ => "-".repeat(width.saturating_sub(1)) + ":",
            })
            .collect();
        line(out, &format!("| {} |", rule.join(" | ")));
        for row in body {
            line(out, &render(row));
        }
        line(out, "");
    }
}

fn line(out: &mut String, text: &str) {
    // Writing to a string cannot fail.
    let _ = writeln!(out, "{text}");
}

#[cfg(test)]
mod tests {
    use super::{Entry, Results, ScimCell};

    #[test]
    fn ratios_are_to_our_first_form_and_goals_are_judged() {
        let mut results = Results::default();
        results.add(Entry::saml("provost".to_owned(), "0.1.0".to_owned(), 0.2));
        results.add(Entry::saml("peer".to_owned(), "9".to_owned(), 3.0));
        results.note("one peer was left out".to_owned());
        let text = results.render();
        assert!(
            text.contains("| provost                  |   0.1.0 |  0.200 |        1.0 | met (≤ 0.5) |"),
            "{text}"
        );
        assert!(
            text.contains("|       9 |  3.000 |       15.0 |             |"),
            "{text}"
        );
        assert!(text.ends_with("Note: one peer was left out\n"), "{text}");
    }

    #[test]
    fn scim_compares_our_slowest_engine_with_the_fastest_peer() {
        let cell = |target: &str, per_second: f64| {
            Entry::Scim(ScimCell {
                target: target.to_owned(),
                work: "create".to_owned(),
                workers: 8,
                per_second,
                text: format!("{per_second:.0} (1.0)"),
            })
        };
        let mut results = Results::default();
        results.add(cell("Provost 0.1.0 (SQLite)", 900.0));
        results.add(cell("Provost 0.1.0 (PostgreSQL)", 600.0));
        results.add(cell("slow 1", 20.0));
        results.add(cell("fast 2", 100.0));
        results.add(cell("broken 3", 0.0));
        let text = results.render();
        let row = text
            .lines()
            .find(|line| line.starts_with("| create, 8 at once"))
            .unwrap();
        assert!(row.ends_with("|                 6.0 |"), "{text}");
    }

    #[test]
    fn what_was_not_measured_has_no_table() {
        assert_eq!(Results::default().render(), "");
    }
}
