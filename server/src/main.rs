//! The `provost` binary: reads the command line, runs one command, and turns an error into an exit code.

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;
use provost::cli::Cli;

/// A sign-in makes some thousand small pieces of memory, on one thread, and gives them back on another. SQLite takes its memory
/// here too. It uses little of what it reserves, and a huge page is resident as a whole once a byte of it is used: `no_thp`.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&anyhow::Error::new(error).context("the runtime cannot be started")),
    };
    match runtime.block_on(cli.run()) {
        Ok(code) => code,
        Err(error) => fail(&error),
    }
}

/// Prints an error and its causes, each on its own line.
fn fail(error: &anyhow::Error) -> ExitCode {
    let mut stderr = std::io::stderr().lock();
    // Nobody is left to tell when standard error is closed.
    let _ = writeln!(stderr, "error: {error}");
    for cause in error.chain().skip(1) {
        let _ = writeln!(stderr, "  because: {cause}");
    }
    ExitCode::FAILURE
}
