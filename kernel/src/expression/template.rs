//! Binds `{{orgId}}` in a syntax tree. Never touches an expression's text.

use jpx_core::ast::{Ast, KeyValuePair};
use serde_json::{Map, Value};

use super::children;

/// What stands for the organization's id in expressions.
pub(super) const PLACEHOLDER: &str = "{{orgId}}";

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
    let one = |node: &Ast| Box::new(bind(node, organization));
    let many = |nodes: &[Ast]| nodes.iter().map(|node| bind(node, organization)).collect();
    let text = |text: &str| text.replace(PLACEHOLDER, organization);
    match node {
        Ast::Field { offset, name } => Ast::Field {
            offset: *offset,
            name: text(name),
        },
        Ast::Literal { offset, value } => Ast::Literal {
            offset: *offset,
            value: bind_value(value, organization),
        },
        Ast::Comparison {
            offset,
            comparator,
            lhs,
            rhs,
        } => Ast::Comparison {
            offset: *offset,
            comparator: comparator.clone(),
            lhs: one(lhs),
            rhs: one(rhs),
        },
        Ast::Condition {
            offset,
            predicate,
            then,
        } => Ast::Condition {
            offset: *offset,
            predicate: one(predicate),
            then: one(then),
        },
        Ast::Expref { offset, ast } => Ast::Expref {
            offset: *offset,
            ast: one(ast),
        },
        Ast::Flatten { offset, node } => Ast::Flatten {
            offset: *offset,
            node: one(node),
        },
        Ast::Function { offset, name, args } => Ast::Function {
            offset: *offset,
            name: name.clone(),
            args: many(args),
        },
        Ast::MultiList { offset, elements } => Ast::MultiList {
            offset: *offset,
            elements: many(elements),
        },
        Ast::MultiHash { offset, elements } => Ast::MultiHash {
            offset: *offset,
            elements: elements
                .iter()
                .map(|pair| KeyValuePair {
                    key: text(&pair.key),
                    value: bind(&pair.value, organization),
                })
                .collect(),
        },
        Ast::Not { offset, node } => Ast::Not {
            offset: *offset,
            node: one(node),
        },
        Ast::Projection { offset, lhs, rhs } => Ast::Projection {
            offset: *offset,
            lhs: one(lhs),
            rhs: one(rhs),
        },
        Ast::ObjectValues { offset, node } => Ast::ObjectValues {
            offset: *offset,
            node: one(node),
        },
        Ast::And { offset, lhs, rhs } => Ast::And {
            offset: *offset,
            lhs: one(lhs),
            rhs: one(rhs),
        },
        Ast::Or { offset, lhs, rhs } => Ast::Or {
            offset: *offset,
            lhs: one(lhs),
            rhs: one(rhs),
        },
        Ast::Subexpr { offset, lhs, rhs } => Ast::Subexpr {
            offset: *offset,
            lhs: one(lhs),
            rhs: one(rhs),
        },
        Ast::Identity { .. } | Ast::Index { .. } | Ast::Slice { .. } => node.clone(),
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
