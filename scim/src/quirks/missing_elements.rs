//! Elements that a path takes for granted.

use serde_json::{Map, Value};

use crate::filter::{Comparison, Filter, Operand, Operator};

/// Entra writes `emails[type eq "work"].value` whether or not there is such an element: it is made of what the filter
/// says. None if the filter does not say what the element must be.
pub(crate) fn element_of_a_filter(filter: &Filter) -> Option<Map<String, Value>> {
    match filter {
        Filter::Compare(comparison) => Some(Map::from_iter([said(comparison)?])),
        Filter::And(all) => {
            let mut element = Map::new();
            for filter in all {
                element.extend(element_of_a_filter(filter)?);
            }
            Some(element)
        }
        Filter::Or(_) | Filter::Not(_) | Filter::Element(..) => None,
    }
}

fn said(comparison: &Comparison) -> Option<(String, Value)> {
    if comparison.operator != Operator::Eq {
        return None;
    }
    let value = match &comparison.operand {
        Operand::Text(text) => Value::from(text.as_str()),
        Operand::Bool(boolean) => Value::from(*boolean),
        Operand::Integer(number) => Value::from(*number),
        Operand::Decimal(number) => Value::from(*number),
        Operand::Instant(_) | Operand::Null | Operand::Nothing => return None,
    };
    Some((comparison.path.attribute.clone(), value))
}
