//! The page of error codes: what a code means stands there as the program says it, what to do about it as somebody wrote it. A
//! code that stands nowhere is a fault, and so is one that the program does not have any more.

use std::collections::{BTreeMap, BTreeSet};

use provost::api::endpoints;
use provost_oidc::{OAuthError, OidcError};
use provost_saml::SamlError;

use crate::fail_with;

/// The page.
pub(crate) const PATH: &str = "docs/error-codes.md";

/// Cells behind the code that the program says.
type Said = BTreeMap<&'static str, Vec<String>>;

/// The parts of the page of which the program has the list, by their heading.
fn parts() -> Vec<(&'static str, Said)> {
    let saml = SamlError::TEXTS
        .iter()
        .map(|(code, text)| (*code, vec![without_values(text)]));
    let oidc = OidcError::ALL
        .iter()
        .map(|error| (error.code(), vec![error.to_string()]));
    let oauth = OAuthError::ALL.iter().map(|error| {
        (
            error.code(),
            vec![format!("`{}`", error.wire()), error.to_string()],
        )
    });
    vec![
        ("## SAML", saml.collect()),
        ("## OpenID Connect identity providers", oidc.collect()),
        ("## Answers to apps", oauth.collect()),
    ]
}

/// Writes `…` in the places where a sentence says what was seen.
fn without_values(text: &str) -> String {
    let mut written = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        written.push_str(before);
        written.push('…');
        rest = after.split_once('}').map_or("", |(_, behind)| behind);
    }
    written.push_str(rest);
    written
}

/// Returns the page with what the program says today.
///
/// # Errors
/// Codes that stand nowhere, and rows of codes that there are none of.
pub(crate) fn refreshed(page: &str) -> anyhow::Result<String> {
    let parts = parts();
    let mut faults = Vec::new();
    let mut seen: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    let mut here = "";
    let mut written = String::new();
    for line in page.lines() {
        if line.starts_with("## ") {
            here = line;
        }
        let said = parts
            .iter()
            .find(|(heading, _)| *heading == here)
            .map(|(_, said)| said);
        let codes = codes_of(line);
        if let (Some(said), [code]) = (said, codes.as_slice())
            && let Some(cells) = said.get(code.as_str())
        {
            written.push_str(&row(line, cells));
        } else {
            written.push_str(line);
        }
        written.push('\n');
        seen.entry(here).or_default().extend(codes);
    }
    let all: BTreeSet<&String> = seen.values().flatten().collect();
    for (heading, said) in &parts {
        let there = seen.get(heading).cloned().unwrap_or_default();
        faults.extend(
            said.keys()
                .filter(|code| !there.contains(**code))
                .map(|code| format!("`{code}` stands nowhere under \"{heading}\"")),
        );
    }
    let problems: BTreeSet<&str> = endpoints()
        .flat_map(|endpoint| endpoint.problems)
        .map(|(_, code)| *code)
        .collect();
    faults.extend(
        problems
            .into_iter()
            .filter(|code| !all.contains(&(*code).to_owned()))
            .map(|code| format!("`{code}` of the API stands nowhere")),
    );
    fail_with(PATH, &faults)?;
    Ok(written)
}

/// Finds the codes of a row: what its first cell has between backticks.
fn codes_of(line: &str) -> Vec<String> {
    let first = line.strip_prefix("| ").and_then(|row| row.split(" |").next());
    first
        .map(|cell| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect())
        .unwrap_or_default()
}

/// Writes a row with what the program says, and the cells that somebody wrote behind it.
fn row(line: &str, said: &[String]) -> String {
    let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
    let mut all: Vec<String> = cells.first().map(|code| (*code).to_owned()).into_iter().collect();
    all.extend(said.iter().cloned());
    all.extend(cells.iter().skip(1 + said.len()).map(|cell| (*cell).to_owned()));
    format!("| {} |", all.join(" | "))
}

#[cfg(test)]
mod tests {
    use super::{codes_of, row, without_values};

    #[test]
    fn a_row_keeps_its_advice_and_says_what_the_program_says() {
        let line = "| `saml_version` | old words | ask for 2.0 |";
        assert_eq!(codes_of(line), ["saml_version"]);
        let said = ["the message is not SAML 2.0".to_owned()];
        assert_eq!(
            row(line, &said),
            "| `saml_version` | the message is not SAML 2.0 | ask for 2.0 |"
        );
        assert_eq!(codes_of("| `a`, `b` | both | |"), ["a", "b"]);
        assert!(codes_of("no `row`").is_empty());
    }

    #[test]
    fn what_was_seen_is_left_out() {
        assert_eq!(
            without_values("sent to {found}, not {expected}"),
            "sent to …, not …"
        );
    }
}
