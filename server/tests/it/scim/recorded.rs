//! Requests of real directories as they were recorded or documented, row by row, with the answers that each client needs. The
//! files under `recorded/` are the rows; `docs/scim-clients.md` names them.
//!
//! In an expected body, `$int`, `$text` and `$empty` stand for any whole number, any text that is not empty and an absent or empty
//! list; `$absent` for a member that must not be there. Other members of an answer may be there.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::lab::{self, Directory};
use crate::app::on_each_engine;

/// Versions with the rows; no two rows of one connection use the same name.
const FILES: &[(&str, &str)] = &[
    ("v2", include_str!("recorded/okta.json")),
    ("v1", include_str!("recorded/okta-1.1.json")),
    ("v2", include_str!("recorded/entra.json")),
    ("v2", include_str!("recorded/others.json")),
];

#[tokio::test]
async fn every_row_of_every_client_is_answered_as_the_client_needs_it() {
    on_each_engine(|test| async move {
        lab::fill(&test.app).await;
        let mut directory = Directory::of(&test, "okta").await;
        for (version, rows) in FILES {
            let rows: Value = serde_json::from_str(rows).unwrap();
            directory.base = format!("/scim/okta/{version}");
            for row in rows.as_array().unwrap() {
                let mut kept = BTreeMap::new();
                for (number, step) in row["steps"].as_array().unwrap().iter().enumerate() {
                    let place = format!("{version} {} step {number}", row["row"]);
                    run(&directory, step, &mut kept, &place).await;
                }
            }
        }
    })
    .await;
}

async fn run(directory: &Directory, step: &Value, kept: &mut BTreeMap<String, Value>, place: &str) {
    let line = filled_text(step["send"].as_str().unwrap(), kept);
    let (method, path) = line.split_once(' ').unwrap();
    let directory = match step["accept"].as_str() {
        Some(accept) => directory.and("accept", accept),
        None => directory.clone(),
    };
    let answer = match step.get("with") {
        Some(body) => directory.send(method, path, &filled(body, kept)).await,
        None => directory.raw(method, path, None, axum::body::Body::empty()).await,
    };
    let status = answer.status.as_u16();
    let may = match step.get("any_of") {
        Some(any) => any.as_array().unwrap().iter().any(|one| *one == json!(status)),
        None => step["status"] == json!(status),
    };
    assert!(may, "{place}: {status} {}", answer.text);
    if let Some(kind) = step["type"].as_str() {
        assert!(
            answer.header("content-type").unwrap().starts_with(kind),
            "{place}"
        );
    }
    if let Some(wanted) = step.get("body") {
        fits(
            &filled(wanted, kept),
            Some(&answer.body),
            &format!("{place} {}", answer.text),
        );
    }
    for (name, pointer) in step["save"].as_object().into_iter().flatten() {
        let value = answer.body.pointer(pointer.as_str().unwrap());
        kept.insert(
            name.clone(),
            value
                .unwrap_or_else(|| panic!("{place}: {}", answer.text))
                .clone(),
        );
    }
}

/// Puts kept texts in place of their names in braces, and a kept resource, edited, in place of `$edit`.
fn filled(value: &Value, kept: &BTreeMap<String, Value>) -> Value {
    match value {
        Value::String(text) => filled_text(text, kept).into(),
        Value::Array(entries) => entries.iter().map(|entry| filled(entry, kept)).collect(),
        Value::Object(members) => {
            let mut whole = match members.get("$edit") {
                Some(name) => kept[name.as_str().unwrap()].as_object().cloned().unwrap(),
                None => serde_json::Map::new(),
            };
            for (name, member) in members.iter().filter(|(name, _)| *name != "$edit") {
                if members.contains_key("$edit") && member == "$absent" {
                    whole.remove(name);
                } else {
                    whole.insert(name.clone(), filled(member, kept));
                }
            }
            whole.into()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    }
}

fn filled_text(text: &str, kept: &BTreeMap<String, Value>) -> String {
    kept.iter()
        .fold(text.to_owned(), |text, (name, value)| match value.as_str() {
            Some(value) => text.replace(&format!("{{{name}}}"), value),
            None => text,
        })
}

fn fits(wanted: &Value, found: Option<&Value>, place: &str) {
    let what = format!("{place}: wanted {wanted}, found {found:?}");
    match wanted {
        Value::String(word) if word == "$absent" => assert!(found.is_none(), "{what}"),
        Value::String(word) if word == "$int" => assert!(found.is_some_and(Value::is_u64), "{what}"),
        Value::String(word) if word == "$text" => {
            assert!(
                found.and_then(Value::as_str).is_some_and(|text| !text.is_empty()),
                "{what}"
            );
        }
        Value::String(word) if word == "$empty" => {
            assert!(found.is_none_or(|found| found == &json!([])), "{what}");
        }
        Value::Object(members) => {
            let found = found.and_then(Value::as_object);
            let found = found.unwrap_or_else(|| panic!("{what}"));
            for (name, wanted) in members {
                fits(wanted, found.get(name), place);
            }
        }
        Value::Array(entries) => {
            let found = found.and_then(Value::as_array);
            let found = found.unwrap_or_else(|| panic!("{what}"));
            assert_eq!(found.len(), entries.len(), "{what}");
            for (wanted, found) in entries.iter().zip(found) {
                fits(wanted, Some(found), place);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            assert_eq!(found, Some(wanted), "{what}");
        }
    }
}
