//! Differences of two values, field by field, as lines for people.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

/// Longest rendering of one side, in characters.
const SHOWN: usize = 120;
/// The same of a list, of which every entry counts.
const LIST_SHOWN: usize = 600;

/// Lists the fields that differ: `path: before → after`.
pub(super) fn fields(before: &Value, after: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    compare("", before, after, &mut lines);
    lines
}

/// Lists the fields of a new thing that are not empty: `path: value`.
pub(super) fn new_fields(after: &Value) -> Vec<String> {
    let Value::Object(members) = after else {
        return vec![shown(after)];
    };
    members
        .iter()
        .filter(|(_, value)| !is_empty(value))
        .map(|(name, value)| format!("{name}: {}", shown(value)))
        .collect()
}

fn compare(path: &str, before: &Value, after: &Value, lines: &mut Vec<String>) {
    if before == after {
        return;
    }
    match (before, after) {
        (Value::Object(old), Value::Object(new)) => {
            let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
            for name in names {
                let path = if path.is_empty() {
                    name.clone()
                } else {
                    format!("{path}.{name}")
                };
                let (old, new) = (
                    old.get(name).unwrap_or(&Value::Null),
                    new.get(name).unwrap_or(&Value::Null),
                );
                compare(&path, old, new, lines);
            }
        }
        (Value::Array(old), Value::Array(new)) if keyed(old).is_some() && keyed(new).is_some() => {
            let old = Value::Object(keyed(old).unwrap_or_default());
            let new = Value::Object(keyed(new).unwrap_or_default());
            if old == new {
                lines.push(format!("{path}: order changed"));
            } else {
                compare(path, &old, &new, lines);
            }
        }
        _ => lines.push(format!("{path}: {} → {}", shown(before), shown(after))),
    }
}

/// Turns a list of things with identifiers into a map, so that a change shows the thing and not the whole list.
fn keyed(entries: &[Value]) -> Option<Map<String, Value>> {
    let mut map = Map::new();
    for entry in entries {
        let members = entry.as_object()?;
        let key = ["id", "organization", "name"]
            .iter()
            .find_map(|name| members.get(*name)?.as_str())?;
        let mut rest = members.clone();
        rest.remove("id");
        if map.insert(key.to_owned(), Value::Object(rest)).is_some() {
            return None;
        }
    }
    Some(map)
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(entries) => entries.is_empty(),
        Value::Object(members) => members.is_empty(),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

fn shown(value: &Value) -> String {
    let text = match value {
        Value::Null => "(none)".to_owned(),
        Value::String(text) => text.clone(),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    };
    let most = if value.is_array() { LIST_SHOWN } else { SHOWN };
    if text.chars().count() <= most {
        return text;
    }
    let start: String = text.chars().take(most).collect();
    format!("{start}…")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn changes_name_the_thing_and_the_field() {
        let before =
            json!({"name": "A", "roles": [{"id": "a", "name": "Admin"}, {"id": "m", "name": "Member"}]});
        let after =
            json!({"name": "B", "roles": [{"id": "a", "name": "Chief"}, {"id": "m", "name": "Member"}]});
        assert_eq!(
            fields(&before, &after),
            ["name: A → B", "roles.a.name: Admin → Chief"]
        );
        let swapped =
            json!({"name": "A", "roles": [{"id": "m", "name": "Member"}, {"id": "a", "name": "Admin"}]});
        assert_eq!(fields(&before, &swapped), ["roles: order changed"]);
        assert!(fields(&before, &before).is_empty());
    }

    #[test]
    fn what_is_new_shows_only_what_is_set() {
        let value = json!({"name": "A", "domains": [], "policy": null, "enabled": true});
        assert_eq!(new_fields(&value), ["enabled: true", "name: A"]);
    }
}
