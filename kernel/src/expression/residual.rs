//! What is left of an expression once the claims are known: everything that does not mention the organization is evaluated
//! once, and only the rest for each organization. Never decides: it answers the same as the expression itself.

use jpx_core::ast::Ast;
use jpx_core::interpreter::interpret;
use jpx_core::{Context, Expression as Parsed};
use serde_json::{Map, Value};

use super::{Expression, RUNTIME, children_mut, template};

/// A small expression over the results of its larger parts.
pub(crate) struct Residual {
    parsed: Parsed<'static>,
    results: Value,
}

impl Residual {
    /// Evaluates what does not mention the organization. None where too much hangs on it to gain anything.
    pub(super) fn of(expression: &Expression, document: &Value) -> Option<Self> {
        let mut results = Map::new();
        let mut rest = expression.parsed.as_ast().clone();
        fold(&mut rest, document, &mut results).then(|| Self {
            parsed: Parsed::new(expression.source(), rest, &RUNTIME),
            results: Value::Object(results),
        })
    }

    /// Evaluates the rest for one organization; an error has no result. What would end as a bare reference to an expression
    /// is not told apart from an object: neither admits.
    pub(crate) fn evaluate(&self, organization: &str) -> Option<Value> {
        let ast = template::bind(self.parsed.as_ast(), organization);
        let mut context = Context::new(self.parsed.as_str(), &RUNTIME);
        interpret(&self.results, &ast, &mut context).ok()
    }
}

/// Replaces every part at the root that does not mention the organization by a look-up of its result.
/// Returns whether that is possible.
fn fold(node: &mut Ast, document: &Value, results: &mut Map<String, Value>) -> bool {
    if !template::mentions_organization(node) {
        if !matches!(node, Ast::Literal { .. }) {
            *node = evaluated(node, document, results);
        }
        return true;
    }
    let parts = match node {
        // A field of the claims themselves whose name holds the id: the claims would have to come along.
        Ast::Field { .. } => return false,
        // References are run on elements by the function that takes them.
        Ast::Literal { .. } | Ast::Expref { .. } => 0,
        // What comes after these speaks about their elements, not about the claims.
        Ast::Subexpr { .. } | Ast::Projection { .. } => 1,
        Ast::Comparison { .. }
        | Ast::Condition { .. }
        | Ast::Identity { .. }
        | Ast::Flatten { .. }
        | Ast::Function { .. }
        | Ast::Index { .. }
        | Ast::MultiList { .. }
        | Ast::MultiHash { .. }
        | Ast::Not { .. }
        | Ast::ObjectValues { .. }
        | Ast::And { .. }
        | Ast::Or { .. }
        | Ast::Slice { .. } => usize::MAX,
    };
    children_mut(node)
        .into_iter()
        .take(parts)
        .filter(|child| !matches!(child, Ast::Expref { .. }))
        .all(|child| fold(child, document, results))
}

/// Evaluates a part and keeps its result.
fn evaluated(node: &Ast, document: &Value, results: &mut Map<String, Value>) -> Ast {
    match Parsed::new("", node.clone(), &RUNTIME).search(document) {
        Ok(value) => {
            let name = results.len().to_string();
            results.insert(name.clone(), value);
            Ast::Field { offset: 0, name }
        }
        Err(_) => failing(),
    }
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
