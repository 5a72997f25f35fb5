//! Whether the page about people names tests that exist, and one over HTTP for every requirement, so that it cannot rot.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::{fail_with, read};

const PAGE: &str = "docs/requirements-people.md";
/// Where Rust tests are.
const FOLDERS: &[&str] = &["kernel", "store", "server", "scim", "saml", "oidc"];

/// Fails when a requirement has no row, no test (over HTTP where it is about adding, converting and deleting people), or a test that
/// does not exist.
pub(crate) fn check(root: &Path) -> anyhow::Result<String> {
    let page = read(&root.join(PAGE))?;
    let known = functions(root)?;
    let mut faults = Vec::new();
    let mut named = 0;
    let over_http = numbers().map(|number| (number, true));
    let others = OTHERS.iter().map(|number| (format!("R-{number:02}"), false));
    for (number, needs_scenario) in over_http.chain(others) {
        let row = page
            .lines()
            .find(|line| line.starts_with(&format!("| {number} |")));
        let Some(row) = row else {
            faults.push(format!("{number} has no row"));
            continue;
        };
        let tests: Vec<&str> = row.split('`').skip(1).step_by(2).collect();
        named += tests.len();
        let own = format!("#{}", number.replace('-', "").to_lowercase());
        if tests.is_empty() {
            faults.push(format!("{number} names no test"));
        }
        if needs_scenario && !tests.iter().any(|test| test.ends_with(&own)) {
            faults.push(format!("{number} names no scenario of its own ({own})"));
        }
        for test in tests {
            let exists = match test.split_once('#') {
                Some((file, number)) => has_scenario(root, file, number),
                None => known.contains(test),
            };
            if !exists {
                faults.push(format!("{number}: there is no test `{test}`"));
            }
        }
    }
    fail_with(&format!("{PAGE} does not hold"), &faults)?;
    Ok(format!("{PAGE}: {named} tests named, all of them exist\n"))
}

/// What else is about people: its rows name tests, over the router or over HTTP.
const OTHERS: &[u32] = &[
    1, 2, 3, 11, 18, 19, 110, 111, 112, 113, 114, 115, 116, 118, 121, 123, 124, 163, 167, 170, 171, 172, 173,
    174, 175, 176, 177, 178, 179, 180, 184, 189,
];

/// and the settings that go with them: each has a scenario of its own over HTTP.
fn numbers() -> impl Iterator<Item = String> {
    let settings = [21, 22, 23, 24, 25, 26, 29];
    let settings = settings.into_iter().map(|number| format!("C-{number}"));
    (85..=109).map(|number| format!("R-{number}")).chain(settings)
}

/// Names of all tests in Rust.
fn functions(root: &Path) -> anyhow::Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for folder in FOLDERS {
        for file in rust_files(&root.join(folder))? {
            for line in read(&file)?.lines() {
                let line = line.trim_start();
                let code = line.strip_prefix("async ").unwrap_or(line);
                let Some(rest) = code.strip_prefix("fn ") else {
                    continue;
                };
                names.extend(rest.split_once('(').map(|(name, _)| name.to_owned()));
            }
        }
    }
    Ok(names)
}

fn rust_files(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(rust_files(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    Ok(found)
}

/// Tells whether a file of `e2e/` has a scenario with the number in its title.
fn has_scenario(root: &Path, file: &str, number: &str) -> bool {
    let Ok(text) = read(&root.join("e2e").join(file)) else {
        return false;
    };
    text.lines()
        .filter_map(|line| line.trim_start().strip_prefix("scenario("))
        .any(|title| {
            let title = title.split(", async").next().unwrap_or(title);
            let mut words = title.split(|letter: char| !letter.is_ascii_alphanumeric());
            words.any(|word| word == number)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_requirement_about_people_names_tests_that_exist() {
        let told = check(&crate::root());
        assert!(told.is_ok(), "{}", told.unwrap_err());
    }

    #[test]
    fn a_number_in_the_title_counts_and_one_in_the_middle_of_a_word_does_not() {
        let root = crate::root();
        assert!(has_scenario(&root, "people-api.test.mjs", "r85"));
        assert!(!has_scenario(&root, "people-api.test.mjs", "r8"));
        assert!(!has_scenario(&root, "nowhere.test.mjs", "r85"));
    }
}
