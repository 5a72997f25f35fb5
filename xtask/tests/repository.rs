//! The chores that only look, as tests: run here they share the build of all other tests.

use std::process::Command;

#[cfg(test)]
fn passes(arguments: &[&str]) {
    let output = Command::new(env!("CARGO_BIN_EXE_xtask"))
        .args(arguments)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn layers_are_kept() {
    passes(&["layers"]);
}

#[test]
fn tests_that_requirements_name_exist() {
    passes(&["requirements"]);
}

#[test]
fn generated_documents_are_current() {
    passes(&["gen", "--check"]);
}
