//! Measures what one sign-in through a connection of the whole instance costs the kernel, over 10 to 100,000 organizations,
//! beside the loop that tries every organization's compiled rule. Prints a table; reports and never fails for being slow.
//!
//! One decision is everything between the verified identity and the plan: what to load, the loading (from a map in
//! memory, in the place of the store), and deciding with its trace.

mod world;

use std::io::Write as _;
use std::time::{Duration, Instant};

use anyhow::Result;
use provost_kernel::expression::Expression;
use provost_kernel::facts::OrganizationsNeeded;
use provost_kernel::incoming::Incoming;
use provost_kernel::login;
use provost_kernel::mapping::{Claims, InForce};
use provost_kernel::plan::Verdict;

use world::World;

/// Organizations of the instance.
const SIZES: [usize; 4] = [10, 1_000, 10_000, 100_000];
/// Time for one figure, in rounds of which the median counts.
const BUDGET: Duration = Duration::from_millis(400);

/// Rules, and whether each organization has one of its own.
const RULES: [(&str, &str, bool); 6] = [
    (
        "default `contains(groups, '{{orgId}}')`",
        "contains(groups, '{{orgId}}')",
        false,
    ),
    (
        "default, prefix `contains(groups, 'org-{{orgId}}')`",
        "contains(groups, 'org-{{orgId}}')",
        false,
    ),
    (
        "default, comparison `tenant == '{{orgId}}'`",
        "tenant == '{{orgId}}'",
        false,
    ),
    ("default, a returned claim `tenant`", "tenant", false),
    (
        "a policy of its own for each: `contains(groups, 'team-N')`",
        "contains(groups, 'team-{{orgId}}')",
        true,
    ),
    (
        "not turned round: `starts_with('{{orgId}}', region)`",
        "contains(groups, 'staff') && starts_with('{{orgId}}', region)",
        false,
    ),
];

fn main() -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(
        out,
        "| one sign-in decision, µs | {} | 100,000 : 10 | the loop at 10,000, µs | times faster |",
        SIZES.map(|size| format!("{size} organizations")).join(" | ")
    )?;
    writeln!(out, "|---|{}---:|---:|---:|", "---:|".repeat(SIZES.len()))?;
    for (label, rule, own) in RULES {
        let mut figures = Vec::new();
        let mut loop_at_ten_thousand = 0.0;
        for size in SIZES {
            let world = World::new(size);
            let in_force = world::in_force(rule, own, &world)?;
            let incoming = world::incoming();
            let decided = median(|| decide(&world, &in_force, &incoming));
            figures.push(decided);
            if size == 10_000 {
                loop_at_ten_thousand = median(|| naive(&world, rule, &incoming));
            }
        }
        let [first, .., ten_thousand, last] = figures.as_slice() else {
            continue;
        };
        let shown: Vec<String> = figures.iter().map(|figure| format!("{figure:.0}")).collect();
        writeln!(
            out,
            "| {label} | {} | {:.2} | {loop_at_ten_thousand:.0} | {:.0} |",
            shown.join(" | "),
            last / first,
            loop_at_ten_thousand / ten_thousand
        )?;
    }
    Ok(())
}

/// One decision, as a sign-in makes it.
fn decide(world: &World, in_force: &InForce, incoming: &Incoming) -> usize {
    let mut need = login::need(incoming, in_force);
    if need.organizations == OrganizationsNeeded::All {
        login::narrow(&mut need, incoming, in_force, &world.ids);
    }
    let facts = world.facts(&need);
    let decision = login::decide(
        incoming,
        &facts,
        in_force,
        &world::LIMITS,
        &world::fresh(),
        world::now(),
    );
    usize::from(matches!(decision.verdict, Verdict::Admitted(_))) + decision.plan.changes.len()
}

/// The loop: every organization's rule, compiled beforehand, one after the other. Counts only the rules, no loading.
fn naive(world: &World, rule: &str, incoming: &Incoming) -> usize {
    let Ok(compiled) = Expression::compile(rule) else {
        return 0;
    };
    let claims = Claims::of(incoming);
    world
        .ids
        .iter()
        .filter(|id| {
            compiled
                .evaluate(claims.document(), id.as_str())
                .is_ok_and(|value| value == true || value == id.as_str())
        })
        .count()
}

/// Runs something again and again and returns the median in microseconds.
fn median(mut work: impl FnMut() -> usize) -> f64 {
    let mut times = Vec::new();
    let begun = start();
    while times.len() < 5 || begun.elapsed() < BUDGET {
        let one = start();
        std::hint::black_box(work());
        times.push(one.elapsed().as_secs_f64() * 1e6);
        if begun.elapsed() > BUDGET * 10 {
            break;
        }
    }
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied().unwrap_or_default()
}

#[expect(clippy::disallowed_methods, reason = "a measurement reads the clock")]
fn start() -> Instant {
    Instant::now()
}
