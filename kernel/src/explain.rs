//! Renders a trace as text for people: the command line, the demo's story and the admin page.
//! Never decides anything and never looks at facts: whatever it says was recorded while deciding.

use crate::trace::{StepOutcome, Trace};

/// Renders one line per step: a mark, then the sentence.
///
/// `✓` passed, `·` skipped, `!` worth a look, `✗` refused.
pub fn lines(trace: &Trace) -> Vec<String> {
    trace
        .steps
        .iter()
        .map(|step| format!("{} {}", mark(step.outcome), step.text))
        .collect()
}

/// Renders the whole trace as one sentence, steps joined by arrows; steps that did not apply are left out.
pub fn sentence(trace: &Trace) -> String {
    trace
        .steps
        .iter()
        .filter(|step| step.outcome != StepOutcome::Skipped)
        .map(|step| step.text.as_str())
        .collect::<Vec<_>>()
        .join(" → ")
}

const fn mark(outcome: StepOutcome) -> char {
    match outcome {
        StepOutcome::Passed => '✓',
        StepOutcome::Skipped => '·',
        StepOutcome::Refused => '✗',
        StepOutcome::Warned => '!',
    }
}
