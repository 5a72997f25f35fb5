//! Binds `{{orgId}}` in a syntax tree. Never touches an expression's text.

use jpx_core::ast::Ast;
use serde_json::{Map, Value};

use super::children;

/// What stands for the organization's id in expressions.
pub(crate) const PLACEHOLDER: &str = "{{orgId}}";

/// Tells whether the placeholder occurs in any literal or field name.
pub(super) fn mentions_organization(node: &Ast) -> bool {
    match node {
        Ast::Field { name, .. } => name.contains(PLACEHOLDER),
        Ast::Literal { value, .. } => mentions_in_value(value),
        Ast::MultiHash { elements, .. } => elements
            .iter()
            .any(|pair| pair.key.contains(PLACEHOLDER) || mentions_organization(&pair.value)),
        Ast::Comparison { .. }
        | Ast::Condition { .. }
        | Ast::Identity { .. }
        | Ast::Expref { .. }
        | Ast::Flatten { .. }
        | Ast::Function { .. }
        | Ast::Index { .. }
        | Ast::MultiList { .. }
        | Ast::Not { .. }
        | Ast::Projection { .. }
        | Ast::ObjectValues { .. }
        | Ast::And { .. }
        | Ast::Or { .. }
        | Ast::Slice { .. }
        | Ast::Subexpr { .. } => children(node).into_iter().any(mentions_organization),
    }
}

/// Tells whether the placeholder occurs anywhere in a value.
pub(super) fn mentions_in_value(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
        Value::String(text) => text.contains(PLACEHOLDER),
        Value::Array(items) => items.iter().any(mentions_in_value),
        Value::Object(fields) => fields
            .iter()
            .any(|(name, value)| name.contains(PLACEHOLDER) || mentions_in_value(value)),
    }
}

/// Returns the tree with the placeholder replaced by `organization` in every literal and field name.
pub(super) fn bind(node: &Ast, organization: &str) -> Ast {
    let mut bound = node.clone();
    replace(&mut bound, organization);
    bound
}

fn replace(node: &mut Ast, organization: &str) {
    match node {
        Ast::Field { name, .. } => *name = name.replace(PLACEHOLDER, organization),
        Ast::Literal { value, .. } => *value = bind_value(value, organization),
        Ast::MultiHash { elements, .. } => {
            for pair in elements {
                pair.key = pair.key.replace(PLACEHOLDER, organization);
                replace(&mut pair.value, organization);
            }
        }
        Ast::Comparison { lhs, rhs, .. }
        | Ast::Projection { lhs, rhs, .. }
        | Ast::And { lhs, rhs, .. }
        | Ast::Or { lhs, rhs, .. }
        | Ast::Subexpr { lhs, rhs, .. }
        | Ast::Condition {
            predicate: lhs,
            then: rhs,
            ..
        } => {
            replace(lhs, organization);
            replace(rhs, organization);
        }
        Ast::Expref { ast: inner, .. }
        | Ast::Flatten { node: inner, .. }
        | Ast::Not { node: inner, .. }
        | Ast::ObjectValues { node: inner, .. } => replace(inner, organization),
        Ast::Function { args: nodes, .. } | Ast::MultiList { elements: nodes, .. } => {
            for node in nodes {
                replace(node, organization);
            }
        }
        Ast::Identity { .. } | Ast::Index { .. } | Ast::Slice { .. } => {}
    }
}

fn bind_value(value: &Value, organization: &str) -> Value {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
        Value::String(text) => Value::String(text.replace(PLACEHOLDER, organization)),
        Value::Array(items) => {
            Value::Array(items.iter().map(|item| bind_value(item, organization)).collect())
        }
        Value::Object(fields) => Value::Object(
            fields
                .iter()
                .map(|(name, value)| {
                    (
                        name.replace(PLACEHOLDER, organization),
                        bind_value(value, organization),
                    )
                })
                .collect::<Map<_, _>>(),
        ),
    }
}
