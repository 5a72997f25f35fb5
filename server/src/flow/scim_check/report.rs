//! What a walk found.

use serde::Serialize;

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// As every directory needs it.
    Passed,
    /// Allowed, but some directories will complain.
    Warning,
    /// Some directories will fail here.
    Failed,
    /// Could not be looked at, because something before it failed.
    Skipped,
}

/// One check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What it is about.
    pub area: &'static str,
    /// What was looked at.
    pub name: &'static str,
    /// How it ended.
    pub verdict: Verdict,
    /// What was seen.
    pub found: String,
    /// What to do, unless it passed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advice: Option<&'static str>,
}

/// All checks of a walk.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The checks in order.
    pub checks: Vec<Check>,
    /// Paths of what was made and could not be deleted.
    pub left: Vec<String>,
    #[serde(skip)]
    unreachable: bool,
}

impl Report {
    /// How many checks ended so.
    pub fn count(&self, verdict: Verdict) -> usize {
        self.checks
            .iter()
            .filter(|check| check.verdict == verdict)
            .count()
    }

    /// Whether nothing failed and nothing is left behind.
    pub fn is_good(&self) -> bool {
        self.count(Verdict::Failed) == 0 && self.left.is_empty()
    }

    pub(super) const fn is_unreachable(&self) -> bool {
        self.unreachable
    }

    pub(super) fn note(&mut self, area: &'static str, name: &'static str, seen: Result<String, Problem>) {
        let check = match seen {
            Ok(found) => Check {
                area,
                name,
                verdict: Verdict::Passed,
                found,
                advice: None,
            },
            Err(problem) => {
                self.unreachable |= problem.unreachable;
                Check {
                    area,
                    name,
                    verdict: problem.verdict,
                    found: problem.found,
                    advice: problem.advice,
                }
            }
        };
        self.checks.push(check);
    }
}

/// What is wrong, and what to do.
#[derive(Debug)]
pub(super) struct Problem {
    verdict: Verdict,
    found: String,
    advice: Option<&'static str>,
    unreachable: bool,
}

impl Problem {
    pub(super) fn bad(found: impl Into<String>, advice: &'static str) -> Self {
        Self {
            verdict: Verdict::Failed,
            found: found.into(),
            advice: Some(advice),
            unreachable: false,
        }
    }

    pub(super) fn unreachable(found: impl Into<String>, advice: &'static str) -> Self {
        Self {
            unreachable: true,
            ..Self::bad(found, advice)
        }
    }

    pub(super) fn look(found: impl Into<String>, advice: &'static str) -> Self {
        Self {
            verdict: Verdict::Warning,
            ..Self::bad(found, advice)
        }
    }

    pub(super) fn skipped(why: impl Into<String>) -> Self {
        Self {
            verdict: Verdict::Skipped,
            found: why.into(),
            advice: None,
            unreachable: false,
        }
    }
}

/// Fails with a problem unless something holds.
pub(super) fn hold(holds: bool, found: impl Into<String>, advice: &'static str) -> Result<(), Problem> {
    if holds {
        Ok(())
    } else {
        Err(Problem::bad(found, advice))
    }
}
