//! The form of a PATCH body.

use serde_json::{Map, Value};

use crate::filter::{Comparison, Filter, Operand, Operator};

/// Entra writes `Add`, `Replace` and `Remove`. The RFC compares such words without case, so strict connections take them
/// too; they are brought to the lower case of the RFC.
pub(crate) fn operation_word(text: &str) -> Option<&'static str> {
    ["add", "replace", "remove"]
        .into_iter()
        .find(|word| word.eq_ignore_ascii_case(text))
}

/// Returns the operations of a body; `operations` is written in any case, and a single one is sent without a list.
pub(crate) fn values_in_operations(body: &Map<String, Value>) -> Option<&[Value]> {
    let (_, value) = body
        .iter()
        .find(|(key, _)| key.eq_ignore_ascii_case("operations"))?;
    match value {
        Value::Array(items) => Some(items),
        Value::Object(_) => Some(super::one_for_a_list(value)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}

/// Entra removes single members by `{"op":"Remove","path":"members","value":[{"value":"u1"}]}`. By the letter of the
/// RFC that empties the group: only what is listed is removed.
pub(crate) fn removed_by_value(value: &Value) -> Option<&[Value]> {
    if value.is_null() {
        return None;
    }
    Some(
        value
            .as_array()
            .map_or_else(|| super::one_for_a_list(value), Vec::as_slice),
    )
}

/// The ids in `value eq "u1"` and `value eq "u1" or value eq "u2"`, which is how members are chosen by filter.
pub(crate) fn ids_in_a_filter(filter: &Filter) -> Option<Vec<String>> {
    match filter {
        Filter::Compare(Comparison {
            path,
            operator: Operator::Eq,
            operand: Operand::Text(id),
        }) if path.attribute == "value" => Some(vec![id.clone()]),
        Filter::Or(any) => {
            let ids: Option<Vec<_>> = any.iter().map(ids_in_a_filter).collect();
            ids.map(|ids| ids.concat())
        }
        Filter::Compare(_) | Filter::And(_) | Filter::Not(_) | Filter::Element(..) => None,
    }
}
