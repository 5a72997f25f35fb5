//! What is left of an expression once the claims are known: everything that does not mention the organization is evaluated
//! once, and only the rest for each organization. Never decides: it answers the same as the expression itself.

use jpx_core::Expression as Parsed;
use jpx_core::ast::{Ast, KeyValuePair};
use serde_json::{Map, Value};

use super::template::{self, PLACEHOLDER};
use super::{Expression, RUNTIME};

/// A small expression over the results of its larger parts.
pub(crate) struct Residual {
    parsed: Parsed<'static>,
    results: Value,
}

impl Residual {
    /// Evaluates what does not mention the organization. None where too much hangs on it to gain anything.
    pub(super) fn of(expression: &Expression, document: &Value) -> Option<Self> {
        let mut results = Map::new();
        let rest = fold(expression.parsed.as_ast(), document, &mut results)?;
        Some(Self {
            parsed: Parsed::new(expression.source(), rest, &RUNTIME),
            results: Value::Object(results),
        })
    }

    /// Evaluates the rest for one organization; an error has no result.
    pub(crate) fn evaluate(&self, organization: &str) -> Option<Value> {
        let ast = template::bind(self.parsed.as_ast(), organization);
        Parsed::new(self.parsed.as_str(), ast, &RUNTIME)
            .search(&self.results)
            .ok()
    }
}

/// Replaces every part at the root that does not mention the organization by a look-up of its result.
fn fold(node: &Ast, document: &Value, results: &mut Map<String, Value>) -> Option<Ast> {
    let offset = 0;
    if !template::mentions_organization(node) {
        if let Ast::Literal { .. } = node {
            return Some(node.clone());
        }
        let parsed = Parsed::new("", node.clone(), &RUNTIME);
        return Some(match parsed.search(document) {
            Ok(value) => {
                let name = results.len().to_string();
                results.insert(name.clone(), value);
                Ast::Field { offset, name }
            }
            Err(_) => failing(),
        });
    }
    let mut inner = |node: &Ast| fold(node, document, results).map(Box::new);
    Some(match node {
        Ast::And { lhs, rhs, .. } => Ast::And {
            offset,
            lhs: inner(lhs)?,
            rhs: inner(rhs)?,
        },
        Ast::Or { lhs, rhs, .. } => Ast::Or {
            offset,
            lhs: inner(lhs)?,
            rhs: inner(rhs)?,
        },
        Ast::Not { node, .. } => Ast::Not {
            offset,
            node: inner(node)?,
        },
        Ast::Comparison {
            comparator, lhs, rhs, ..
        } => Ast::Comparison {
            offset,
            comparator: comparator.clone(),
            lhs: inner(lhs)?,
            rhs: inner(rhs)?,
        },
        Ast::Condition { predicate, then, .. } => Ast::Condition {
            offset,
            predicate: inner(predicate)?,
            then: inner(then)?,
        },
        // What comes after these speaks about their elements, not about the claims.
        Ast::Subexpr { lhs, rhs, .. } => Ast::Subexpr {
            offset,
            lhs: inner(lhs)?,
            rhs: rhs.clone(),
        },
        Ast::Projection { lhs, rhs, .. } => Ast::Projection {
            offset,
            lhs: inner(lhs)?,
            rhs: rhs.clone(),
        },
        Ast::Flatten { node, .. } => Ast::Flatten {
            offset,
            node: inner(node)?,
        },
        Ast::ObjectValues { node, .. } => Ast::ObjectValues {
            offset,
            node: inner(node)?,
        },
        Ast::MultiList { elements, .. } => Ast::MultiList {
            offset,
            elements: all(elements, document, results)?,
        },
        Ast::MultiHash { elements, .. } => {
            let mut pairs = Vec::with_capacity(elements.len());
            for pair in elements {
                pairs.push(KeyValuePair {
                    key: pair.key.clone(),
                    value: fold(&pair.value, document, results)?,
                });
            }
            Ast::MultiHash {
                offset,
                elements: pairs,
            }
        }
        Ast::Function { name, args, .. } => Ast::Function {
            offset,
            name: name.clone(),
            args: all(args, document, results)?,
        },
        Ast::Literal { .. } | Ast::Expref { .. } => node.clone(),
        // A field of the claims themselves whose name holds the id: the claims would have to come along.
        Ast::Field { name, .. } if name.contains(PLACEHOLDER) => return None,
        Ast::Field { .. } | Ast::Identity { .. } | Ast::Index { .. } | Ast::Slice { .. } => return None,
    })
}

fn all(nodes: &[Ast], document: &Value, results: &mut Map<String, Value>) -> Option<Vec<Ast>> {
    nodes
        .iter()
        .map(|node| match node {
            // References are run on elements by the function that takes them.
            Ast::Expref { .. } => Some(node.clone()),
            other => fold(other, document, results),
        })
        .collect()
}

/// Fails whenever it is reached, as the part in its place did.
fn failing() -> Ast {
    Ast::Function {
        offset: 0,
        name: "abs".to_owned(),
        args: vec![Ast::Literal {
            offset: 0,
            value: Value::Null,
        }],
    }
}
