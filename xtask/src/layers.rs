//! Who may know whom. Workspace edges, what pure crates may use, what handlers may touch, and the size of files.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, ensure};
use serde_json::Value;

use crate::{fail_with, read};

/// The edges between our crates; no other exists (ARCHITECTURE.md). `bench` and `xtask` stand outside the product.
const EDGES: &[(&str, &[&str])] = &[
    ("provost-kernel", &[]),
    ("provost-saml", &[]),
    ("provost-oidc", &[]),
    ("provost-scim", &[]),
    ("provost-store", &["provost-kernel"]),
    (
        "provost",
        &[
            "provost-kernel",
            "provost-saml",
            "provost-oidc",
            "provost-scim",
            "provost-store",
        ],
    ),
];

/// Crates without I/O, clock, randomness, environment, logging and async, and their folders.
const PURE: &[(&str, &str)] = &[
    ("provost-kernel", "kernel"),
    ("provost-saml", "saml"),
    ("provost-oidc", "oidc"),
    ("provost-scim", "scim"),
];

/// Dependencies that a pure crate never has.
const IMPURE: &[&str] = &[
    "axum",
    "axum-server",
    "hyper",
    "log",
    "metrics",
    "rand",
    "reqwest",
    "sqlx",
    "tokio",
    "tower",
    "tower-http",
    "tracing",
    "tracing-subscriber",
];

/// Text that never stands in the code of a pure crate.
const FORBIDDEN: &[&str] = &[
    "std::fs",
    "std::net",
    "std::env",
    "std::process",
    "std::thread",
    "SystemTime",
    "Instant::now",
    "Timestamp::now",
    "async fn",
    ".await",
    "tracing::",
    "log::",
    "println!",
    "eprintln!",
];

/// Longest file, tests apart.
const LONGEST: usize = 600;

/// Runs every check.
pub(crate) fn check(root: &Path) -> anyhow::Result<String> {
    let metadata = metadata(root)?;
    let mut faults = Vec::new();
    edges(&metadata, &mut faults)?;
    let mut count = 0;
    for folder in folders(&metadata)? {
        for file in sources(&folder.join("src"))? {
            count += 1;
            one_file(root, &file, &mut faults)?;
        }
    }
    fail_with("layers", &faults)?;
    let mut text = String::new();
    writeln!(text, "layers are in order ({count} files)")?;
    Ok(text)
}

fn metadata(root: &Path) -> anyhow::Result<Value> {
    let cargo = option_env!("CARGO").unwrap_or("cargo");
    let output = Command::new(cargo)
        .args(["metadata", "--no-deps", "--format-version", "1", "--offline"])
        .current_dir(root)
        .output()
        .context("cargo metadata")?;
    ensure!(
        output.status.success(),
        "cargo metadata: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(serde_json::from_slice(&output.stdout)?)
}

fn packages(metadata: &Value) -> anyhow::Result<&Vec<Value>> {
    metadata
        .get("packages")
        .and_then(Value::as_array)
        .context("no packages in the metadata")
}

fn name(value: &Value) -> &str {
    value.get("name").and_then(Value::as_str).unwrap_or_default()
}

fn folders(metadata: &Value) -> anyhow::Result<Vec<PathBuf>> {
    let manifests = packages(metadata)?
        .iter()
        .filter_map(|package| package.get("manifest_path")?.as_str());
    Ok(manifests
        .filter_map(|manifest| Path::new(manifest).parent().map(Path::to_owned))
        .collect())
}

/// Checks the edges between our crates and what pure crates depend on. Dependencies of tests do not count.
fn edges(metadata: &Value, faults: &mut Vec<String>) -> anyhow::Result<()> {
    let allowed: BTreeMap<&str, &[&str]> = EDGES.iter().copied().collect();
    for package in packages(metadata)? {
        let from = name(package);
        let Some(allowed) = allowed.get(from) else {
            continue;
        };
        let is_pure = PURE.iter().any(|(pure, _)| *pure == from);
        let dependencies = package
            .get("dependencies")
            .and_then(Value::as_array)
            .into_iter()
            .flatten();
        for dependency in dependencies.filter(|dependency| dependency.get("kind").is_none_or(Value::is_null))
        {
            let to = name(dependency);
            let is_ours = EDGES.iter().any(|(ours, _)| *ours == to);
            if is_ours && !allowed.contains(&to) {
                faults.push(format!("{from} depends on {to}: this edge must not exist"));
            }
            if is_pure && IMPURE.contains(&to) {
                faults.push(format!("{from} is pure, so it must not depend on {to}"));
            }
        }
    }
    Ok(())
}

/// Lists the Rust files of a folder, deeper ones too.
fn sources(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        if !folder.is_dir() {
            continue;
        }
        for entry in std::fs::read_dir(&folder)? {
            let path = entry?.path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    Ok(files)
}

fn one_file(root: &Path, file: &Path, faults: &mut Vec<String>) -> anyhow::Result<()> {
    let shown = file
        .strip_prefix(root)
        .unwrap_or(file)
        .to_string_lossy()
        .replace('\\', "/");
    let is_test = shown.ends_with("/tests.rs") || shown.contains("/tests/") || shown.ends_with("/fixture.rs");
    let text = read(file)?;
    let code = without_tests(&text);
    let lines = code.lines().count();
    if !is_test && lines > LONGEST {
        faults.push(format!("{shown} has {lines} lines; split it at {LONGEST}"));
    }
    if !is_test && !text.trim_start().starts_with("//!") {
        faults.push(format!("{shown} does not say what it owns (`//!`)"));
    }
    if is_test {
        return Ok(());
    }
    let is_pure = PURE
        .iter()
        .any(|(_, folder)| shown.starts_with(&format!("{folder}/src/")));
    for (number, line) in (1..).zip(code.lines()) {
        let line = line.split("//").next().unwrap_or_default();
        if is_pure {
            for word in FORBIDDEN.iter().filter(|word| line.contains(**word)) {
                faults.push(format!("{shown}:{number} is pure, so it must not use `{word}`"));
            }
        }
        if shown.starts_with("server/src/http/") && line.contains("provost_store") {
            faults.push(format!(
                "{shown}:{number} touches the store; handlers go through flow/"
            ));
        }
        if shown.starts_with("server/src/api/") && line.contains(".store") {
            faults.push(format!(
                "{shown}:{number} reaches the store; the API goes through flow/"
            ));
        }
        if shown.starts_with("server/src/console/") && line.contains(".store") {
            faults.push(format!(
                "{shown}:{number} reaches the store; the console goes through flow/"
            ));
        }
        if shown.starts_with("server/src/pages/")
            && (line.contains("provost_store") || line.contains("crate::flow"))
        {
            faults.push(format!(
                "{shown}:{number}: view models hold no logic and read nothing"
            ));
        }
    }
    Ok(())
}

/// Returns the code in front of the tests of a file.
fn without_tests(text: &str) -> &str {
    text.find("#[cfg(test)]\nmod ")
        .and_then(|start| text.get(..start))
        .unwrap_or(text)
}
