//! Filters of directories as conditions of the store. The meaning of a filter is `Filter::matches`; tests compare both.

use provost_scim::filter::{Comparison, Operand, Operator as Asked};
use provost_scim::path::AttributePath;
use provost_scim::{Filter, ResourceKind, ScimError};
use provost_store::search::{Condition, Field, Literal, Operator};

/// Translates a filter.
///
/// # Errors
/// 400 `invalidFilter` for what is part of every answer but of no stored resource, such as `meta.location`.
pub fn condition(filter: &Filter, kind: ResourceKind) -> Result<Condition, ScimError> {
    let all = |filters: &[Filter]| {
        filters
            .iter()
            .map(|filter| condition(filter, kind))
            .collect::<Result<Vec<_>, _>>()
    };
    Ok(match filter {
        Filter::And(filters) => Condition::And(all(filters)?),
        Filter::Or(filters) => Condition::Or(all(filters)?),
        Filter::Not(inner) => condition(inner, kind)?.negated(),
        Filter::Compare(comparison) => match constant(comparison, kind) {
            Some(condition) => condition,
            None => compared(comparison, field(&comparison.path, kind)?),
        },
        Filter::Element(path, inner) => Condition::Element {
            attribute: attribute(path),
            condition: Box::new(element(inner)?),
        },
    })
}

/// Translates the inside of `attribute[…]`.
fn element(filter: &Filter) -> Result<Condition, ScimError> {
    let all = |filters: &[Filter]| filters.iter().map(element).collect::<Result<Vec<_>, _>>();
    Ok(match filter {
        Filter::And(filters) => Condition::And(all(filters)?),
        Filter::Or(filters) => Condition::Or(all(filters)?),
        Filter::Not(inner) => element(inner)?.negated(),
        Filter::Compare(comparison) => compared(comparison, Field::Sub(comparison.path.attribute.clone())),
        Filter::Element(path, _) => {
            return Err(ScimError::invalid_filter(format!(
                "'{path}' cannot be selected from inside of another selection"
            )));
        }
    })
}

/// Translates what to sort by.
///
/// # Errors
/// As [`condition`].
pub fn field(path: &AttributePath, kind: ResourceKind) -> Result<Field, ScimError> {
    if path.extension.is_some() {
        return Ok(of_document(path));
    }
    Ok(match (path.attribute.as_str(), path.sub.as_deref()) {
        ("id", _) => Field::Id,
        ("externalId", _) => Field::ExternalId,
        ("userName", _) if kind == ResourceKind::User => Field::UserName,
        ("active", _) if kind == ResourceKind::User => Field::Active,
        ("displayName", _) => Field::DisplayName,
        ("name", Some("givenName")) if kind == ResourceKind::User => Field::GivenName,
        ("name", Some("familyName")) if kind == ResourceKind::User => Field::FamilyName,
        ("meta", Some("created")) => Field::Created,
        ("meta", Some("lastModified")) => Field::Modified,
        ("meta" | "schemas", _) => {
            return Err(ScimError::invalid_filter(format!(
                "'{path}' cannot be searched or sorted by"
            )));
        }
        _ => of_document(path),
    })
}

/// What is the same for every resource of a kind needs no look at any.
fn constant(comparison: &Comparison, kind: ResourceKind) -> Option<Condition> {
    let path = &comparison.path;
    let is_kind =
        path.extension.is_none() && path.attribute == "meta" && path.sub.as_deref() == Some("resourceType");
    let probe = is_kind.then(|| serde_json::json!({ "meta": { "resourceType": kind.name() } }))?;
    Some(if Filter::Compare(comparison.clone()).matches(&probe) {
        Condition::All
    } else {
        Condition::Or(Vec::new())
    })
}

fn of_document(path: &AttributePath) -> Field {
    Field::Attribute {
        name: attribute(path),
        sub: path.sub.clone(),
    }
}

/// Names an attribute with its extension before it.
fn attribute(path: &AttributePath) -> String {
    match &path.extension {
        Some(urn) => format!("{urn}:{}", path.attribute),
        None => path.attribute.clone(),
    }
}

fn compared(comparison: &Comparison, field: Field) -> Condition {
    let operator = match comparison.operator {
        Asked::Eq => Operator::Equal,
        Asked::Ne => Operator::NotEqual,
        Asked::Co => Operator::Contains,
        Asked::Sw => Operator::StartsWith,
        Asked::Ew => Operator::EndsWith,
        Asked::Gt => Operator::Greater,
        Asked::Ge => Operator::GreaterOrEqual,
        Asked::Lt => Operator::Less,
        Asked::Le => Operator::LessOrEqual,
        Asked::Pr => return Condition::Present(field),
    };
    let literal = match &comparison.operand {
        Operand::Nothing => return Condition::Present(field),
        Operand::Null if operator == Operator::NotEqual => return Condition::Present(field),
        Operand::Null => return Condition::Present(field).negated(),
        Operand::Bool(value) => Literal::Bool(*value),
        #[expect(
            clippy::cast_precision_loss,
            reason = "the store compares numbers as 64-bit floats"
        )]
        Operand::Integer(value) => Literal::Number(*value as f64),
        Operand::Decimal(value) => Literal::Number(*value),
        Operand::Text(text) => Literal::Text {
            text: text.clone(),
            exact: comparison.path.case_exact,
        },
        Operand::Instant(instant) => Literal::Instant(*instant),
    };
    Condition::Compare {
        field,
        operator,
        literal,
    }
}

#[cfg(test)]
mod tests {
    use provost_scim::{Filter, Limits, ResourceKind, Schemas};
    use provost_store::search::{Condition, Field, Operator};

    use super::condition;

    fn translated(text: &str) -> Result<Condition, provost_scim::ScimError> {
        let schemas = Schemas::default();
        let filter = Filter::parse(text, ResourceKind::User, &schemas, &Limits::default()).unwrap();
        condition(&filter, ResourceKind::User)
    }

    #[test]
    fn r75_look_ups_of_real_clients_lead_to_columns() {
        assert_eq!(
            translated("userName eq \"A@b.c\"").unwrap(),
            Condition::text(Field::UserName, Operator::Equal, "A@b.c", false)
        );
        assert_eq!(
            translated("externalId eq \"00u1\"").unwrap(),
            Condition::text(Field::ExternalId, Operator::Equal, "00u1", true)
        );
        assert_eq!(
            translated("emails[type eq \"work\"].value eq \"x\"").unwrap(),
            Condition::Element {
                attribute: "emails".to_owned(),
                condition: Box::new(Condition::And(vec![
                    Condition::text(Field::Sub("type".to_owned()), Operator::Equal, "work", false),
                    Condition::text(Field::Sub("value".to_owned()), Operator::Equal, "x", false),
                ])),
            }
        );
    }

    #[test]
    fn what_no_stored_resource_has_is_decided_or_refused() {
        assert_eq!(
            translated("meta.resourceType eq \"User\"").unwrap(),
            Condition::All
        );
        assert_eq!(
            translated("meta.resourceType eq \"Group\"").unwrap(),
            Condition::Or(Vec::new())
        );
        assert_eq!(
            translated("meta.location pr").unwrap_err().code(),
            "invalidFilter"
        );
    }
}
