//! What a filter means: the oracle for everything that compiles one.

use serde_json::Value;

use super::compare::instant;
use super::{Comparison, Filter, Operand, Operator};
use crate::path::AttributePath;
use crate::schema::Kind;

/// Folds a text for comparisons that ignore case.
pub fn fold(text: &str) -> String {
    text.to_lowercase()
}

/// Whether the filter holds. The depth of recursion is that of the filter, which is limited.
pub(super) fn holds(filter: &Filter, object: &Value) -> bool {
    match filter {
        Filter::And(all) => all.iter().all(|filter| holds(filter, object)),
        Filter::Or(any) => any.iter().any(|filter| holds(filter, object)),
        Filter::Not(inner) => !holds(inner, object),
        Filter::Compare(comparison) => compare(comparison, object),
        Filter::Element(path, inner) => elements(object, path).any(|element| holds(inner, element)),
    }
}

fn compare(comparison: &Comparison, object: &Value) -> bool {
    let mut values = values(object, &comparison.path);
    match (comparison.operator, &comparison.operand) {
        (Operator::Pr, _) | (Operator::Ne, Operand::Null) => values.any(is_present),
        (Operator::Eq, Operand::Null) => !values.any(is_present),
        (Operator::Ne, _) => !values.any(|value| fits(comparison, Operator::Eq, value)),
        (operator, _) => values.any(|value| fits(comparison, operator, value)),
    }
}

/// Whether a value counts as present: null, empty lists, objects and texts do not.
fn is_present(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => items.iter().any(|item| !item.is_null()),
        Value::Object(parts) => parts.values().any(|part| !part.is_null()),
        Value::Bool(_) | Value::Number(_) => true,
    }
}

/// Every value that a path points at.
fn values<'v>(object: &'v Value, path: &'v AttributePath) -> impl Iterator<Item = &'v Value> {
    elements(object, path).filter_map(|element| match &path.sub {
        Some(sub) => element.get(sub),
        None => Some(element),
    })
}

/// Every element of the attribute of a path; one value is a list of one. Inside a plain list, `value` is the element.
fn elements<'v>(object: &'v Value, path: &AttributePath) -> impl Iterator<Item = &'v Value> {
    let holder = match &path.extension {
        Some(urn) => object.get(urn),
        None => Some(object),
    };
    let value = holder.and_then(|holder| match holder.as_object() {
        Some(parts) => parts.get(&path.attribute),
        None => Some(holder).filter(|_| path.attribute == "value"),
    });
    let (list, one) = match value {
        Some(Value::Array(items)) => (items.as_slice(), None),
        other => (&[][..], other),
    };
    list.iter().chain(one)
}

fn fits(comparison: &Comparison, operator: Operator, value: &Value) -> bool {
    match &comparison.operand {
        Operand::Nothing | Operand::Null => false,
        Operand::Bool(wanted) => value.as_bool() == Some(*wanted),
        Operand::Integer(wanted) => match value.as_i64() {
            Some(value) => ordered(operator, value.cmp(wanted)),
            #[expect(clippy::cast_precision_loss, reason = "the other side is a decimal")]
            None => decimal(operator, value, *wanted as f64),
        },
        Operand::Decimal(wanted) => decimal(operator, value, *wanted),
        Operand::Instant(wanted) => value
            .as_str()
            .and_then(instant)
            .is_some_and(|value| ordered(operator, value.cmp(wanted))),
        Operand::Text(wanted) => value
            .as_str()
            .is_some_and(|value| text(operator, &comparison.path, value, wanted)),
    }
}

fn decimal(operator: Operator, value: &Value, wanted: f64) -> bool {
    let order = value.as_f64().and_then(|value| value.partial_cmp(&wanted));
    order.is_some_and(|order| ordered(operator, order))
}

fn text(operator: Operator, path: &AttributePath, value: &str, wanted: &str) -> bool {
    if path.case_exact || path.kind == Kind::Binary {
        return text_as_is(operator, value, wanted);
    }
    if operator == Operator::Eq && value.is_ascii() && wanted.is_ascii() {
        // The usual case, without folding: a hostile PATCH may ask for millions of comparisons.
        return value.eq_ignore_ascii_case(wanted);
    }
    text_as_is(operator, &fold(value), &fold(wanted))
}

fn text_as_is(operator: Operator, value: &str, wanted: &str) -> bool {
    match operator {
        Operator::Co => value.contains(wanted),
        Operator::Sw => value.starts_with(wanted),
        Operator::Ew => value.ends_with(wanted),
        Operator::Eq
        | Operator::Ne
        | Operator::Pr
        | Operator::Gt
        | Operator::Ge
        | Operator::Lt
        | Operator::Le => ordered(operator, value.cmp(wanted)),
    }
}

fn ordered(operator: Operator, order: std::cmp::Ordering) -> bool {
    match operator {
        Operator::Eq => order.is_eq(),
        Operator::Gt => order.is_gt(),
        Operator::Ge => order.is_ge(),
        Operator::Lt => order.is_lt(),
        Operator::Le => order.is_le(),
        Operator::Ne | Operator::Co | Operator::Sw | Operator::Ew | Operator::Pr => false,
    }
}
