//! Editing a list of values.

use serde_json::{Map, Value};

use super::{How, as_object, empty_object, merge, missing, no_target};
use crate::path::KnownPath;
use crate::resource::value::{clear_primary, is_primary, limit_values};
use crate::schema::Attribute;
use crate::{Mode, ScimError, quirks};

/// Sets a list, elements of it, or a part of them.
pub(super) fn set(
    holder: &mut Map<String, Value>,
    how: How,
    path: &KnownPath,
    value: &Value,
    mode: Mode,
) -> Result<(), ScimError> {
    let attribute = &path.attribute;
    let mut list = take(holder, attribute);
    let result = match (&path.filter, &path.sub) {
        (None, None) => {
            set_whole(&mut list, how, attribute, value);
            Ok(())
        }
        (None, Some(sub)) => {
            set_part_of_all(&mut list, sub, value);
            Ok(())
        }
        (Some(_), _) => set_selected(&mut list, how, path, value, mode),
    };
    limit_values(attribute, list.len())?;
    if !list.is_empty() {
        holder.insert(attribute.name.clone(), Value::Array(list));
    }
    result
}

fn take(holder: &mut Map<String, Value>, attribute: &Attribute) -> Vec<Value> {
    match holder.remove(&attribute.name) {
        Some(Value::Array(items)) => items,
        Some(single) => vec![single],
        None => Vec::new(),
    }
}

fn set_whole(list: &mut Vec<Value>, how: How, attribute: &Attribute, value: &Value) {
    let Value::Array(items) = value else { return };
    if how == How::Replace {
        list.clone_from(items);
        return;
    }
    for item in items {
        add(list, attribute, item);
    }
}

/// Adds one element. One that is there already is left as it is; one with the same value and type takes what is new.
fn add(list: &mut Vec<Value>, attribute: &Attribute, item: &Value) {
    if list
        .iter()
        .any(|present| contains(attribute, present, item, |_| true))
    {
        return;
    }
    let same = list.iter().position(|present| is_same(attribute, present, item));
    let at = if let Some((at, present)) = same.and_then(|at| Some((at, list.get_mut(at)?))) {
        if let Some(parts) = as_object(present) {
            merge(parts, None, item);
        }
        at
    } else {
        list.push(item.clone());
        list.len() - 1
    };
    if is_primary(item) {
        keep_primary(list, at);
    }
}

/// Without a filter, a part is set on every element; on an empty list it makes the first one.
fn set_part_of_all(list: &mut Vec<Value>, sub: &str, value: &Value) {
    if list.is_empty() {
        list.push(empty_object());
    }
    for parts in list.iter_mut().filter_map(as_object) {
        merge(parts, Some(sub), value);
    }
    if sub == "primary" && value == &Value::Bool(true) {
        keep_primary(list, 0);
    }
}

fn set_selected(
    list: &mut Vec<Value>,
    how: How,
    path: &KnownPath,
    value: &Value,
    mode: Mode,
) -> Result<(), ScimError> {
    let (attribute, Some(filter)) = (&path.attribute, &path.filter) else {
        return Ok(());
    };
    let fits = |(at, element): (usize, &Value)| filter.matches(element).then_some(at);
    let mut chosen: Vec<usize> = list.iter().enumerate().filter_map(fits).collect();
    let seed = if mode.is_strict() {
        None
    } else {
        quirks::element_of_a_filter(filter)
    };
    if chosen.is_empty() {
        let adds = how == How::Add || !mode.is_strict();
        let new = quirks::element_of_a_filter(filter).filter(|_| adds && attribute.is_complex());
        list.push(Value::Object(new.ok_or_else(|| no_target(path))?));
        chosen.push(list.len() - 1);
    }
    for at in &chosen {
        let Some(element) = list.get_mut(*at) else {
            continue;
        };
        match (&path.sub, as_parts(attribute, element)) {
            (Some(sub), Some(parts)) => merge(parts, Some(sub), value),
            (None, Some(parts)) => {
                if how == How::Replace {
                    *parts = seed.clone().unwrap_or_default();
                }
                merge(parts, None, value);
            }
            (_, None) => *element = value.clone(),
        }
    }
    let first = chosen.first().copied().unwrap_or_default();
    if list.get(first).is_some_and(is_primary) {
        keep_primary(list, first);
    }
    Ok(())
}

fn as_parts<'v>(attribute: &Attribute, element: &'v mut Value) -> Option<&'v mut Map<String, Value>> {
    if attribute.is_complex() {
        as_object(element)
    } else {
        None
    }
}

/// A new primary value takes the place of the old one (RFC 7643 section 2.4).
fn keep_primary(list: &mut [Value], at: usize) {
    for (other, element) in list.iter_mut().enumerate() {
        if other != at && is_primary(element) {
            clear_primary(element);
        }
    }
}

/// Removes a list, elements of it, or a part of them.
pub(super) fn clear(
    holder: &mut Map<String, Value>,
    path: &KnownPath,
    only: Option<&[Value]>,
    mode: Mode,
) -> Result<(), ScimError> {
    let attribute = &path.attribute;
    let mut list = take(holder, attribute);
    let mut found = false;
    let is_meant = |element: &Value| {
        path.filter.as_ref().is_none_or(|filter| filter.matches(element))
            && only.is_none_or(|only| {
                only.iter()
                    .any(|item| contains(attribute, element, item, is_essential))
            })
    };
    match &path.sub {
        None => list.retain(|element| {
            let meant = is_meant(element);
            found |= meant;
            !meant
        }),
        Some(sub) => {
            for element in &mut list {
                if is_meant(element)
                    && let Some(parts) = element.as_object_mut()
                {
                    found = true;
                    parts.remove(sub);
                }
            }
        }
    }
    if !list.is_empty() {
        holder.insert(attribute.name.clone(), Value::Array(list));
    }
    if found { Ok(()) } else { missing(path, mode) }
}

/// What tells one element from another when elements are removed: clients send null or their own in the rest.
fn is_essential(part: &str) -> bool {
    !matches!(part, "$ref" | "display")
}

/// Whether an element has everything that another one says, as far as it counts.
fn contains(attribute: &Attribute, present: &Value, item: &Value, counts: impl Fn(&str) -> bool) -> bool {
    let (Value::Object(present), Value::Object(item)) = (present, item) else {
        return same(present, item, attribute.case_exact);
    };
    let mut said = item
        .iter()
        .filter(|(name, part)| !part.is_null() && (counts(name) || !item.contains_key("value")));
    said.all(|(name, part)| {
        let exact = attribute.sub(name).is_none_or(|sub| sub.case_exact);
        present
            .get(name)
            .is_some_and(|present| same(present, part, exact))
            || (name == "primary" && part == &Value::Bool(false) && !present.contains_key("primary"))
    })
}

/// Whether two elements are the same one: their value and type are.
fn is_same(attribute: &Attribute, present: &Value, item: &Value) -> bool {
    let part = |name: &str| {
        let exact = attribute.sub(name).is_none_or(|sub| sub.case_exact);
        match (present.get(name), item.get(name)) {
            (Some(present), Some(item)) => same(present, item, exact),
            (None, None) => true,
            (None, Some(_)) | (Some(_), None) => false,
        }
    };
    item.get("value").is_some() && part("value") && part("type")
}

fn same(one: &Value, other: &Value, case_exact: bool) -> bool {
    match (one.as_str(), other.as_str()) {
        (Some(one), Some(other)) if !case_exact => {
            one.eq_ignore_ascii_case(other) || crate::filter::fold(one) == crate::filter::fold(other)
        }
        _ => one == other,
    }
}
