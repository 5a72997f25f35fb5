//! Repository chores: `cargo xtask layers` checks who may know whom, `cargo xtask gen` writes the generated documents,
//! `cargo xtask requirements` checks that the tests named in the pages of what is promised exist.

mod documents;
mod error_codes;
mod layers;
mod requirements;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};

const USAGE: &str = "usage: cargo xtask layers | requirements | gen [--check]\n";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match words.as_slice() {
        ["layers"] => layers::check(&root()),
        ["requirements"] => requirements::check(&root()),
        ["gen"] => documents::write(&root()),
        ["gen", "--check"] => documents::check(&root()),
        _ => Err(anyhow::anyhow!("{USAGE}")),
    };
    match outcome {
        Ok(text) => {
            // Nobody is left to tell when standard output is closed.
            let _ = std::io::stdout().write_all(text.as_bytes());
            ExitCode::SUCCESS
        }
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "{error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Returns the folder of the workspace.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap_or(Path::new("."))
        .to_owned()
}

/// Reads a file of the repository.
fn read(path: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(path).with_context(|| path.display().to_string())
}

/// Fails with a list of faults, if there are any.
fn fail_with(what: &str, faults: &[String]) -> anyhow::Result<()> {
    if faults.is_empty() {
        return Ok(());
    }
    bail!("{what}:\n  {}", faults.join("\n  "))
}
