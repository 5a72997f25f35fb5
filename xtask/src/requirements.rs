//! Whether the pages that tell what is promised name tests that exist, so that they cannot rot. The page about people also names a
//! scenario over HTTP for every requirement that is about adding, converting and deleting.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::{fail_with, read};

/// Where Rust tests are.
const FOLDERS: &[&str] = &["kernel", "store", "server", "scim", "saml", "oidc"];

/// A page with a table: each row begins with what it is about and ends with the tests that prove it.
struct Page {
    path: &'static str,
    /// What has to have a row, and whether a scenario of its own has to be among the tests.
    rows: Vec<(String, bool)>,
}

/// The pages that are held to their tests.
fn pages() -> [Page; 2] {
    let others = OTHERS.iter().map(|number| (format!("R-{number:02}"), false));
    [
        Page {
            path: "docs/requirements-people.md",
            rows: numbers().map(|number| (number, true)).chain(others).collect(),
        },
        Page {
            path: "docs/requirements-console.md",
            rows: of_console().map(|about| (about, false)).collect(),
        },
    ]
}

/// Fails when something has no row, a row names no test (or no scenario where it has to), or a test does not exist.
pub(crate) fn check(root: &Path) -> anyhow::Result<String> {
    let known = functions(root)?;
    let mut told = Vec::new();
    for page in pages() {
        let text = read(&root.join(page.path))?;
        let named = check_page(&page, &text, &|test| match test.split_once('#') {
            Some((file, title)) => has_scenario(root, file, title),
            None => known.contains(test),
        })?;
        told.push(format!("{}: {named} tests named, all of them exist\n", page.path));
    }
    Ok(told.concat())
}

fn check_page(page: &Page, text: &str, exists: &dyn Fn(&str) -> bool) -> anyhow::Result<usize> {
    let mut faults = Vec::new();
    let mut named = 0;
    for (about, needs_scenario) in &page.rows {
        let own = format!("#{}", about.replace('-', "").to_lowercase());
        let Some(row) = rows(text).find(|row| row.about == *about) else {
            faults.push(format!("{about} has no row"));
            continue;
        };
        if *needs_scenario && !row.tests.iter().any(|test| test.ends_with(&own)) {
            faults.push(format!("{about} names no scenario of its own ({own})"));
        }
    }
    for row in rows(text) {
        named += row.tests.len();
        if row.tests.is_empty() {
            faults.push(format!("{} names no test", row.about));
        }
        for test in row.tests.iter().filter(|test| !exists(test)) {
            faults.push(format!("{}: there is no test `{test}`", row.about));
        }
    }
    fail_with(&format!("{} does not hold", page.path), &faults)?;
    Ok(named)
}

/// A row of a table.
struct Row<'a> {
    about: &'a str,
    tests: Vec<&'a str>,
}

/// Rows of the tables of a page; what stands between backticks in the last cell are tests.
fn rows(text: &str) -> impl Iterator<Item = Row<'_>> {
    text.lines().filter_map(|line| {
        let inside = line.strip_prefix("| ")?.strip_suffix(" |")?;
        let (about, _) = inside.split_once(" | ")?;
        let (_, tests) = inside.rsplit_once(" | ")?;
        let is_head = matches!(about, "number" | "what") || about.starts_with('-');
        (!is_head).then(|| Row {
            about,
            tests: tests.split('`').skip(1).step_by(2).collect(),
        })
    })
}

/// What else is about people: its rows name tests, over the router or over HTTP.
const OTHERS: &[u32] = &[
    1, 2, 3, 11, 18, 19, 110, 111, 112, 113, 114, 115, 116, 118, 121, 123, 124, 163, 167, 170, 171, 172, 173,
    174, 175, 176, 177, 178, 179, 180, 184, 189,
];

/// What the console promises: its pages with how much each shows, its three flows, and what holds for all of it.
const CONSOLE: &[(&str, u32)] = &[
    ("1", 4),
    ("2", 2),
    ("3", 8),
    ("4", 3),
    ("5", 5),
    ("6", 5),
    ("7", 2),
    ("8", 2),
    ("9", 3),
    ("10", 3),
    ("11", 2),
    ("12", 2),
    ("13", 4),
    ("14", 3),
    ("15", 5),
    ("16", 6),
    ("17", 3),
    ("18", 4),
    ("F1", 4),
    ("F2", 3),
    ("F3", 3),
];
/// Promises about the whole console.
const EVERYWHERE: u32 = 9;

/// The rows of the page about the console.
fn of_console() -> impl Iterator<Item = String> {
    let items = CONSOLE
        .iter()
        .flat_map(|(page, most)| (1..=*most).map(move |item| format!("{page}.{item}")));
    items.chain((1..=EVERYWHERE).map(|number| format!("E{number}")))
}

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

/// Tells whether a file of `e2e/` has a scenario with these words next to each other in its title: a number, or the beginning.
fn has_scenario(root: &Path, file: &str, wanted: &str) -> bool {
    let Ok(text) = read(&root.join("e2e").join(file)) else {
        return false;
    };
    let wanted = words(wanted);
    text.lines()
        .filter_map(|line| line.trim_start().strip_prefix("scenario("))
        .any(|title| {
            let title = words(title.split(", async").next().unwrap_or(title));
            !wanted.is_empty() && title.windows(wanted.len()).any(|some| *some == *wanted)
        })
}

fn words(text: &str) -> Vec<&str> {
    text.split(|letter: char| !letter.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_is_promised_names_tests_that_exist() {
        let told = check(&crate::root());
        assert!(told.is_ok(), "{}", told.unwrap_err());
    }

    #[test]
    fn a_number_in_the_title_counts_and_one_in_the_middle_of_a_word_does_not() {
        let root = crate::root();
        assert!(has_scenario(&root, "people-api.test.mjs", "r85"));
        assert!(!has_scenario(&root, "people-api.test.mjs", "r8"));
        assert!(has_scenario(&root, "console.test.mjs", "filters are kept"));
        assert!(!has_scenario(&root, "console.test.mjs", "filters kept"));
        assert!(!has_scenario(&root, "nowhere.test.mjs", "r85"));
    }

    #[test]
    fn rows_without_tests_rows_that_are_missing_and_tests_that_do_not_exist_are_faults() {
        let page = Page {
            path: "page",
            rows: vec![("1".to_owned(), false), ("R-85".to_owned(), true)],
        };
        let check = |text: &str| check_page(&page, text, &|test| test != "gone");
        let good =
            "| what | promise | tests |\n|---|---|---|\n| 1 | home | `a` `b` |\n| R-85 | add | `x#r85` |\n";
        assert_eq!(check(good).ok(), Some(3));
        for (part, without) in [
            ("`a` `b`", ""),
            ("`b`", "`gone`"),
            ("#r85", "#r8"),
            ("| 1 |", "| 2 |"),
        ] {
            assert!(check(&good.replace(part, without)).is_err(), "{part}");
        }
    }
}
