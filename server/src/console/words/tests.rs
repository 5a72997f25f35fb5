//! The catalogue is whole: same keys and places in every language, and nothing on a page that is not in it.

use std::collections::BTreeSet;
use std::path::PathBuf;

use axum::http::{HeaderMap, HeaderValue, header};

use super::Language;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn files(folder: &str, ending: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|found| found == ending) {
                found.push((path.clone(), std::fs::read_to_string(&path).unwrap()));
            }
        }
    }
    assert!(!found.is_empty(), "{folder}");
    found
}

/// Keys in quotes, as in `shell.t("users.title")`.
fn keys_in(text: &str) -> BTreeSet<String> {
    text.split('"')
        .skip(1)
        .step_by(2)
        .filter(|quoted| {
            quoted.contains('.')
                && quoted.bytes().all(|byte| {
                    byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'_')
                })
        })
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_language_has_the_same_keys_with_the_same_places() {
    let english = Language::En.texts();
    assert!(english.len() > 100, "the file cannot be read");
    for language in Language::ALL {
        let texts = language.texts();
        let missing: Vec<_> = english.keys().filter(|key| !texts.contains_key(*key)).collect();
        let foreign: Vec<_> = texts.keys().filter(|key| !english.contains_key(*key)).collect();
        assert!(
            missing.is_empty() && foreign.is_empty(),
            "{language:?}: missing {missing:?}, foreign {foreign:?}"
        );
        for (key, text) in texts {
            assert!(!text.trim().is_empty(), "{key} says nothing");
            for place in ["{0}", "{1}", "{2}"] {
                assert_eq!(
                    text.contains(place),
                    english.get(key).unwrap().contains(place),
                    "{language:?}: {place} of {key}"
                );
            }
        }
    }
}

#[test]
fn every_key_that_a_page_names_exists() {
    let english = Language::En.texts();
    let mut named = BTreeSet::new();
    for (path, text) in files("templates", "html") {
        let named_here = ["t(\"", "t1(\"", "t2(\""]
            .into_iter()
            .flat_map(|call| text.split(call).skip(1))
            .filter_map(|rest| rest.split('"').next());
        for key in named_here {
            assert!(english.contains_key(key), "{}: {key}", path.display());
            named.insert(key.to_owned());
        }
    }
    for (_, text) in files("src/console", "rs") {
        named.extend(keys_in(&text));
    }
    for (_, text) in files("src/flow/console", "rs") {
        named.extend(keys_in(&text));
    }
    // Families whose last part is made of data.
    let families = [
        "event.",
        "about_event.",
        "status.",
        "stage.",
        "verdict.",
        "action.",
        "scim_action.",
        "word.",
        "fault.",
        "job.",
        "mail.",
        "mail_kind.",
        "said.",
        "scope.",
        "me_text.",
        "me.an_administrator_of",
    ];
    let idle: Vec<_> = english
        .keys()
        .filter(|key| !named.contains(*key) && !families.iter().any(|family| key.starts_with(family)))
        .collect();
    assert!(idle.is_empty(), "nothing says {idle:?}");
}

#[test]
fn no_template_of_a_page_holds_words_of_its_own() {
    // Pages of the demo and for developers are English, and mail has files of its own.
    let others = ["sandbox", "sample_app", "api_docs", "mail"];
    for (path, text) in files("templates", "html") {
        let stem = path.file_stem().unwrap().to_str().unwrap();
        if !path.parent().unwrap().ends_with("console") && others.contains(&stem) {
            continue;
        }
        let bare = bare(&text);
        let words: Vec<_> = bare
            .split(|letter: char| !letter.is_alphabetic())
            .filter(|word| word.len() > 1 && !matches!(*word, "Provost" | "SSO" | "wide"))
            .collect();
        assert!(words.is_empty(), "{}: {words:?}", path.display());
        for attribute in [
            "aria-label=\"",
            "title=\"",
            "placeholder=\"",
            "data-label=\"",
            "alt=\"",
        ] {
            for value in text
                .split(attribute)
                .skip(1)
                .filter_map(|rest| rest.split('"').next())
            {
                assert!(
                    value.is_empty() || value.starts_with("{{") || value.starts_with("{%"),
                    "{}: {attribute}{value}",
                    path.display()
                );
            }
        }
    }
}

/// What a browser would show of a template: neither tags nor what the program fills in.
fn bare(text: &str) -> String {
    let mut left = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(['<', '{']) {
        let (before, after) = rest.split_at(at);
        left.push_str(before);
        let end = if after.starts_with("{{") {
            "}}"
        } else if after.starts_with("{%") {
            "%}"
        } else if after.starts_with("{#") {
            "#}"
        } else if after.starts_with('<') {
            ">"
        } else {
            "{"
        };
        left.push(' ');
        // A tag may hold expressions with signs of their own.
        let mut inside = after;
        if end == ">" {
            let mut cut = 0;
            while let Some(next) = inside.get(cut..).and_then(|rest| rest.find(['>', '{'])) {
                let at = cut + next;
                if inside.get(at..).is_some_and(|rest| rest.starts_with('>')) {
                    cut = at + 1;
                    break;
                }
                let close = if inside.get(at..).is_some_and(|rest| rest.starts_with("{%")) {
                    "%}"
                } else {
                    "}}"
                };
                cut = at
                    + inside
                        .get(at..)
                        .and_then(|rest| rest.find(close))
                        .map_or(1, |found| found + 2);
            }
            inside = inside.get(cut.max(1)..).unwrap_or_default();
        } else {
            inside = inside
                .find(end)
                .and_then(|found| inside.get(found + end.len()..))
                .unwrap_or_default();
        }
        rest = inside;
    }
    left.push_str(rest);
    left.replace("&middot;", " ").replace("&nbsp;", " ")
}

#[test]
fn bare_words_are_found_and_tags_are_not() {
    assert_eq!(
        bare("<p title=\"{{ a > b }}\">{% if x > 1 %}{{ y }}{% endif %}</p>").trim(),
        ""
    );
    assert!(bare("<p>Hello {{ name }}</p>").contains("Hello"));
}

#[test]
fn the_browser_chooses_the_language() {
    for (accepted, expected) in [
        ("de-DE,de;q=0.9,en;q=0.8", Language::De),
        ("fr,en;q=0.5,de;q=0.7", Language::De),
        ("en-GB", Language::En),
        ("fr", Language::En),
        ("de;q=0", Language::En),
        ("", Language::En),
        (";;;q=,,,", Language::En),
    ] {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT_LANGUAGE, HeaderValue::from_static(accepted));
        assert_eq!(Language::accepted(&headers), expected, "{accepted}");
    }
}

#[test]
fn places_are_filled_in() {
    assert_eq!(Language::En.with("test.places", &[&2, &"x"]), "test.places");
    assert!(Language::En.known("nothing.here").is_none());
}

#[test]
fn every_kind_of_event_has_a_name_in_every_language() {
    for language in Language::ALL {
        for kind in crate::flow::feed::catalogue::KINDS {
            let key = format!("event.{}", kind.replace('.', "_"));
            assert!(language.known(&key).is_some(), "{key} in {}", language.code());
        }
    }
}

#[test]
fn whatever_comes_round_has_a_name_in_every_language() {
    for language in Language::ALL {
        for kind in crate::jobs::KINDS.iter().filter(|kind| kind.every.is_some()) {
            let key = format!("job.{}", kind.name);
            assert!(language.known(&key).is_some(), "{key} in {}", language.code());
        }
    }
}
