//! Everything that the kernel says is told in every language, and with its values.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use provost_kernel::denial::Denial;
use provost_kernel::expression::Expression;

use super::{Language, Piece, pieces, sentences, tell, values};

/// Codes of denials, as the enum itself lists them where it is asked for one that does not exist.
fn denials() -> Vec<String> {
    let error = serde_json::from_str::<Denial>("\"no such denial\"").unwrap_err();
    let told = error.to_string();
    let codes: Vec<String> = told.split('`').skip(3).step_by(2).map(str::to_owned).collect();
    assert!(codes.len() > 40, "{told}");
    codes
}

fn kernel() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../kernel/src")
}

/// The kernel's sources, without its tests.
fn sources() -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![kernel()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            if name.contains("tests") || matches!(name.as_str(), "fixtures" | "properties" | "presets") {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|found| found == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                found.push(text.split("#[cfg(test)]").next().unwrap().to_owned());
            }
        }
    }
    found
}

fn is_code(word: &str) -> bool {
    word.contains('_') && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}

/// Codes of steps that the kernel writes: the word that stands for the code wherever a step is added, and the words of what gives
/// one (`role_default` where the outcome is chosen, too).
fn steps() -> BTreeSet<String> {
    let mut codes = BTreeSet::new();
    for source in sources() {
        for call in ["steps.add(", "steps.about(", ".add(", ".about("] {
            for rest in source.split(call).skip(1) {
                let arguments: String = rest.chars().take(400).collect();
                if !arguments.trim_start().starts_with("Stage::") {
                    continue;
                }
                let Some(code) = arguments.split(',').nth(2) else {
                    continue;
                };
                if let Some(word) = code
                    .trim()
                    .strip_prefix('"')
                    .and_then(|word| word.strip_suffix('"'))
                {
                    codes.insert(word.to_owned());
                }
            }
        }
        // Where outcome, code and sentence are chosen together.
        for rest in source.split("StepOutcome::").skip(1) {
            let second = rest.split(',').nth(1).unwrap_or_default().trim();
            if let Some(word) = second.strip_prefix('"').and_then(|word| word.strip_suffix('"'))
                && is_code(word)
            {
                codes.insert(word.to_owned());
            }
        }
    }
    assert!(codes.len() > 80, "{codes:?}");
    codes
}

#[test]
fn every_denial_is_told_in_every_language() {
    for language in Language::ALL {
        let missing: Vec<_> = denials()
            .into_iter()
            .filter(|code| language.known(&format!("verdict.{code}")).is_none())
            .collect();
        assert!(missing.is_empty(), "{}: {missing:?}", language.code());
    }
}

#[test]
fn every_step_of_the_kernel_is_told_in_every_language() {
    let denials: BTreeSet<String> = denials().into_iter().collect();
    for language in Language::ALL {
        let missing: Vec<_> = steps()
            .into_iter()
            .filter(|code| !sentences(*language).contains_key(code) && !denials.contains(code))
            .collect();
        assert!(missing.is_empty(), "{}: {missing:?}", language.code());
    }
}

#[test]
fn every_sentence_has_its_like_with_the_same_values() {
    let places = |template: &str| -> BTreeSet<usize> {
        pieces(template)
            .into_iter()
            .filter_map(|piece| match piece {
                Piece::Value(place, _) => Some(place),
                Piece::Text(_) => None,
            })
            .collect()
    };
    let english = sentences(Language::En);
    assert!(english.len() > 100, "the file cannot be read");
    for language in Language::ALL {
        let others = sentences(*language);
        assert!(english.keys().eq(others.keys()), "{}", language.code());
        for (code, templates) in english {
            let told = others.get(code).unwrap();
            assert_eq!(templates.len(), told.len(), "{code}");
            for (one, other) in templates.iter().zip(told) {
                assert_eq!(places(one), places(other), "{code}: {other}");
            }
        }
    }
}

/// Sentences of the kernel's sources as they stand there, with any value in the places of values.
#[test]
fn what_the_kernel_writes_today_is_read_back() {
    let written: String = sources()
        .join("\n")
        .lines()
        .map(str::trim)
        .collect::<Vec<_>>()
        .join(" ")
        .replace("\\ ", "");
    let is_written = |template: &str| {
        let fixed = pieces(template).into_iter().filter_map(|piece| match piece {
            Piece::Text(text) => Some(text.replace('"', "\\\"")),
            Piece::Value(..) => None,
        });
        fixed.into_iter().all(|text| {
            written.contains(text.as_str()) || text.split(", because ").all(|part| written.contains(part))
        })
    };
    let mut stale = Vec::new();
    for (code, templates) in sentences(Language::En) {
        // The server's own sentences, and those of the parser of expressions, which have tests of their own.
        if matches!(
            code.as_str(),
            "test_verified" | "configuration" | "invalid_row" | "expression"
        ) {
            continue;
        }
        stale.extend(
            templates
                .iter()
                .filter(|template| !is_written(template))
                .map(|one| format!("{code}: {one}")),
        );
    }
    // Put together from two halves: which field, whose word, what the account is.
    stale.retain(|one| {
        ![
            "organization {0}: ",
            "what ",
            "SAML assertion",
            "ID token",
            "did you mean",
            "the name",
            "starts with",
            "claims: e-mail ",
            "contains",
            "the account is",
            "license: ",
        ]
        .iter()
        .any(|half| one.contains(half))
    });
    assert!(stale.is_empty(), "nothing says {stale:#?}");
}

/// What is wrong with settings and with rows of a file is said by the server, not by the kernel.
#[test]
fn what_is_wrong_with_settings_is_told_in_words_that_are_in_use() {
    let mut written = sources().concat();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if !path.ends_with("tests.rs") {
                written.push_str(&std::fs::read_to_string(path).unwrap());
            }
        }
    }
    for family in [super::CONFIGURATION, "invalid_row"] {
        for template in sentences(Language::En).get(family).unwrap() {
            for piece in pieces(template) {
                if let Piece::Text(text) = piece {
                    // What was probably meant is written apart from what it is about.
                    let text = text
                        .strip_prefix('`')
                        .filter(|rest| rest.starts_with(';'))
                        .unwrap_or(text);
                    assert!(written.contains(text), "nothing says {text:?} of {template:?}");
                }
            }
        }
    }
    let told = |text| super::tell_setting(Language::De, text);
    assert_eq!(told("must be an https address"), "muss eine https-Adresse sein");
    assert_eq!(told("something else"), "something else");
}

#[test]
fn what_is_wrong_with_a_rule_is_told() {
    for source in [
        "",
        "a.",
        "a b",
        "a ]",
        "contain(a, 'x')",
        "contains(a)",
        "length(a, b)",
        "a[?b",
        "{a",
        "{a b}",
        "foo(a",
        "a.[",
        "a[x]",
        "a[1:",
        "'open",
        "#",
        "-x",
        "contains(groups, '{{org}}')",
    ] {
        let error = Expression::compile(source).unwrap_err();
        let message = error.message.split(", did you mean").next().unwrap();
        let told = super::tell_fault(Language::De, super::EXPRESSION, message);
        assert_ne!(told, message, "{source:?}");
    }
    let text = "a role rule gives a role's name or a list of names, and this can only give true or false or a number";
    let told = super::tell_fault(Language::De, super::EXPRESSION, text);
    assert!(
        told.ends_with("dies ergibt nur wahr oder falsch oder eine Zahl"),
        "{told}"
    );
}

fn german(code: &str, text: &str) -> String {
    let told = tell(Language::De, code, text);
    assert_eq!(told.original, None, "{code}: {text}");
    told.text
}

#[test]
fn sentences_keep_their_values() {
    for (code, text, expected) in [
        (
            "organization_rule_true",
            r#"organization home-lab: rule `contains(groups, '{{orgId}}')` true, because groups has "home-lab""#,
            r#"Organisation home-lab: Regel `contains(groups, '{{orgId}}')` trifft zu, weil groups "home-lab" enthält"#,
        ),
        (
            "role_unknown",
            r#"role: rule gave "admin"; no role with exactly that name, did you mean "Admin"?"#,
            "Rolle: Die Regel ergab „admin“; keine Rolle heißt genau so, war „Admin“ gemeint?",
        ),
        (
            "role_given",
            r#"role: rule `a && 'x' || 'y'` gave "Admin", because groups has "a and b" and there is no team"#,
            r#"Rolle: Regel `a && 'x' || 'y'` ergab "Admin", weil groups "a and b" enthält und es kein team gibt"#,
        ),
        (
            "claims",
            "claims: e-mail ann@example.com (not verified, so never used to match), 1 group",
            "Claims: E-Mail ann@example.com (nicht bestätigt, also nie zum Zuordnen benutzt), 1 Gruppe",
        ),
        (
            "drift",
            "the rules would add role admin, take workspace lab in acme; nothing changes: it was edited by hand",
            "Die Regeln würden in acme Rolle admin geben, Arbeitsbereich lab nehmen; nichts ändert sich: sie wurde von Hand geändert",
        ),
        ("no_seat", "refused (no_seat)", "abgelehnt (Kein Platz ist frei)"),
        (
            "signed_in",
            "signed in as new account acc_1",
            "angemeldet als neues Konto acc_1",
        ),
    ] {
        assert_eq!(german(code, text), expected);
        assert_eq!(tell(Language::En, code, text).text, text);
    }
}

#[test]
fn what_cannot_be_read_back_is_shown_below_what_its_code_says() {
    let told = tell(Language::De, "no_seat", "something that nobody says any more");
    assert_eq!(told.text, Language::De.known("verdict.no_seat").unwrap());
    assert_eq!(
        told.original.as_deref(),
        Some("something that nobody says any more")
    );
    let told = tell(Language::De, "of_a_later_version", "new things");
    assert_eq!(told.original.as_deref(), Some("new things"));
    assert!(!told.text.is_empty());
}

#[test]
fn a_text_that_only_resembles_a_sentence_is_not_read() {
    assert!(values("added to {0}", "taken from acme").is_none());
    assert!(values("{0} has no role {1}", "acme has a role").is_none());
    assert!(values("the end", "the end, nearly").is_none());
    // Signs of more than one byte, and values that hold what the template says.
    let read = values(
        "name \"{0}\" is asserted; nothing changes: {1*}",
        "name \"Öz; nothing\" is asserted; nothing changes: ß",
    )
    .unwrap();
    assert_eq!(read.get(&0).unwrap(), "Öz; nothing");
    assert_eq!(read.get(&1).unwrap(), "ß");
}
