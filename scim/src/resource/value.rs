//! Reading one value against its row of the schema table.
//!
//! Owns: types, unassigned values (null, `[]` and absent are one state), spelling of sub-attributes, read-only parts,
//! canonical values and the one primary value. Never: knows what else is in the document.

use serde_json::{Map, Value};

use crate::error::excerpt;
use crate::filter::compare::instant;
use crate::schema::{Attribute, Kind};
use crate::{Mode, ScimError, quirks};

/// The most values of one attribute. Members of groups have a limit of their own.
const MOST_VALUES: usize = 500;

/// Reads the value of an attribute, list or not. `None` is "unassigned". The parts of one complex value may be null:
/// they are to be cleared.
pub(crate) fn read(attribute: &Attribute, value: &Value, mode: Mode) -> Result<Option<Value>, ScimError> {
    if !attribute.multi_valued {
        let value = match mode {
            Mode::Compat => quirks::only_one_of_a_list(value),
            Mode::Strict => value,
        };
        return read_one(attribute, value, mode);
    }
    if value.is_null() {
        return Ok(None);
    }
    let items = match value.as_array() {
        Some(items) => items.as_slice(),
        None if mode.is_strict() => return Err(wrong_type(attribute, "a list")),
        None => quirks::one_for_a_list(value),
    };
    limit_values(attribute, items.len())?;
    let mut list = Vec::with_capacity(items.len());
    for item in items {
        list.extend(read_element(attribute, item, mode)?);
    }
    keep_one_primary(attribute, &mut list, mode)?;
    Ok((!list.is_empty()).then_some(Value::Array(list)))
}

/// Reads one element of a list; its null parts are left out.
pub(crate) fn read_element(
    attribute: &Attribute,
    value: &Value,
    mode: Mode,
) -> Result<Option<Value>, ScimError> {
    let mut read = read_one(attribute, value, mode)?;
    if let Some(Value::Object(parts)) = &mut read {
        parts.retain(|_, part| !part.is_null());
        if parts.is_empty() {
            return Ok(None);
        }
    }
    Ok(read)
}

fn read_one(attribute: &Attribute, value: &Value, mode: Mode) -> Result<Option<Value>, ScimError> {
    if value.is_null() || (!mode.is_strict() && quirks::is_empty_text(value)) {
        return Ok(None);
    }
    if !attribute.is_complex() {
        return simple(attribute, value, mode).map(Some);
    }
    if let Some(parts) = value.as_object() {
        return complex(attribute, parts, mode).map(Some);
    }
    let text = value.as_str().filter(|_| !mode.is_strict());
    let parts = text
        .and_then(|text| quirks::text_for_a_complex_value(attribute, text))
        .ok_or_else(|| wrong_type(attribute, "an object"))?;
    complex(attribute, &parts, mode).map(Some)
}

fn complex(attribute: &Attribute, parts: &Map<String, Value>, mode: Mode) -> Result<Value, ScimError> {
    let unwrapped = match mode {
        Mode::Compat => quirks::json_in_the_value(attribute, parts),
        Mode::Strict => None,
    };
    let mut read = Map::new();
    for (key, part) in unwrapped.as_ref().unwrap_or(parts) {
        match attribute.sub(key) {
            Some(sub) if sub.is_read_only() && !attribute.is_read_only() => {}
            Some(sub) => {
                let part = read_part(sub, part, mode).map_err(|error| within(attribute, error))?;
                read.insert(sub.name.clone(), part.unwrap_or_default());
            }
            None if mode.is_strict() => {
                return Err(ScimError::invalid_syntax(format!(
                    "'{}.{}' is not an attribute of this resource",
                    attribute.name,
                    excerpt(key)
                )));
            }
            None => {
                read.insert(key.clone(), part.clone());
            }
        }
    }
    Ok(Value::Object(read))
}

/// Reads the value of a sub-attribute.
pub(crate) fn read_part(sub: &Attribute, value: &Value, mode: Mode) -> Result<Option<Value>, ScimError> {
    if sub.multi_valued {
        return read(sub, value, mode);
    }
    read_one(sub, value, mode)
}

fn simple(attribute: &Attribute, value: &Value, mode: Mode) -> Result<Value, ScimError> {
    let lenient = !mode.is_strict();
    let text = value.as_str();
    let fits = match attribute.kind {
        Kind::String => {
            check_canonical(attribute, text, mode)?;
            text.is_some()
        }
        Kind::Reference | Kind::Complex => text.is_some(),
        Kind::Binary => text.is_some_and(is_base64),
        Kind::DateTime => text.and_then(instant).is_some(),
        Kind::Boolean => {
            if let Some(boolean) = text.filter(|_| lenient).and_then(quirks::boolean_in_text) {
                return Ok(boolean.into());
            }
            value.is_boolean()
        }
        Kind::Integer => {
            if let Some(number) = text.filter(|_| lenient).and_then(quirks::integer_in_text) {
                return Ok(number.into());
            }
            value.is_i64() || value.is_u64()
        }
        Kind::Decimal => {
            if let Some(number) = text.filter(|_| lenient).and_then(quirks::decimal_in_text) {
                return Ok(number.into());
            }
            value.is_number()
        }
    };
    if fits {
        return Ok(value.clone());
    }
    Err(wrong_type(
        attribute,
        match attribute.kind {
            Kind::String | Kind::Complex => "a text",
            Kind::Reference => "a text with a URI",
            Kind::Binary => "a text in base64",
            Kind::DateTime => "a text with a date and time, such as 2026-01-31T12:00:00Z",
            Kind::Boolean => "true or false",
            Kind::Integer => "a whole number",
            Kind::Decimal => "a number",
        },
    ))
}

/// Strict connections accept the published values only; real directories send their own labels.
fn check_canonical(attribute: &Attribute, text: Option<&str>, mode: Mode) -> Result<(), ScimError> {
    let usual = &attribute.canonical_values;
    let Some(text) = text.filter(|_| mode.is_strict() && !usual.is_empty()) else {
        return Ok(());
    };
    if usual.iter().any(|usual| usual.eq_ignore_ascii_case(text)) {
        return Ok(());
    }
    Err(ScimError::invalid_value(format!(
        "'{}' of '{}' must be one of: {}",
        excerpt(text),
        attribute.name,
        usual.join(", ")
    )))
}

/// At most one value is primary (RFC 7643 section 2.4): the first one stays so.
fn keep_one_primary(attribute: &Attribute, list: &mut [Value], mode: Mode) -> Result<(), ScimError> {
    let mut primaries = list.iter_mut().filter(|element| is_primary(element));
    primaries.next();
    for extra in primaries {
        if mode.is_strict() {
            return Err(ScimError::invalid_value(format!(
                "at most one value of '{}' may be primary",
                attribute.name
            )));
        }
        clear_primary(extra);
    }
    Ok(())
}

/// Refuses lists on which the work of a request could grow without bound.
pub(crate) fn limit_values(attribute: &Attribute, count: usize) -> Result<(), ScimError> {
    if count > MOST_VALUES {
        return Err(ScimError::payload_too_large(format!(
            "'{}' may have at most {MOST_VALUES} values",
            attribute.name
        )));
    }
    Ok(())
}

/// Whether an element is the primary one.
pub(crate) fn is_primary(element: &Value) -> bool {
    element.get("primary") == Some(&Value::Bool(true))
}

/// Makes an element an ordinary one.
pub(crate) fn clear_primary(element: &mut Value) {
    if let Some(primary) = element.get_mut("primary") {
        *primary = Value::Bool(false);
    }
}

/// Whether a text is base64, also without padding or in the alphabet of URLs.
fn is_base64(text: &str) -> bool {
    let body = text.trim_end_matches('=');
    text.len() - body.len() <= 2
        && body.bytes().all(|byte| {
            byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_' | b'\r' | b'\n')
        })
}

fn wrong_type(attribute: &Attribute, wanted: &str) -> ScimError {
    ScimError::invalid_value(format!("'{}' must be {wanted}", attribute.name))
}

fn within(attribute: &Attribute, mut error: ScimError) -> ScimError {
    error.detail = format!("in '{}': {}", attribute.name, error.detail);
    error
}
