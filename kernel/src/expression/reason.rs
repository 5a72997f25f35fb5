//! Finds words for why an expression turned out as it did. Never evaluates the expression as a whole.

use jpx_core::ast::Ast;
use serde_json::Value;

use super::children;

/// Most facts named in one sentence.
const FACTS: usize = 3;
/// Longest value shown, in characters.
const SHOWN: usize = 60;

/// Names what the expression looked at: memberships in lists first, else the values of the fields.
pub(super) fn because(ast: &Ast, document: &Value) -> Option<String> {
    let mut facts = Vec::new();
    memberships(ast, document, &mut facts);
    if facts.is_empty() {
        fields(ast, document, &mut facts);
    }
    facts.truncate(FACTS);
    if facts.is_empty() {
        None
    } else {
        Some(facts.join(" and "))
    }
}

/// Names the fields that the expression looks at, with their values.
pub(super) fn looked_at(ast: &Ast, document: &Value) -> Option<String> {
    let mut facts = Vec::new();
    fields(ast, document, &mut facts);
    (!facts.is_empty()).then(|| facts.join(" and "))
}

/// `contains(groups, 'x')` reads as `groups has "x"` or `groups has no "x"`.
fn memberships(node: &Ast, document: &Value, facts: &mut Vec<String>) {
    if let Ast::Function { name, args, .. } = node
        && name == "contains"
        && let [list, Ast::Literal { value: wanted, .. }] = args.as_slice()
        && let Some((path, found)) = resolve(list, document)
    {
        let has = match found {
            Some(Value::Array(items)) => Some(items.contains(wanted)),
            Some(Value::String(text)) => wanted.as_str().map(|wanted| text.contains(wanted)),
            Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_)) | None => None,
        };
        add(
            facts,
            match has {
                Some(true) => format!("{path} has {}", show(wanted)),
                Some(false) => format!("{path} has no {}", show(wanted)),
                None => format!("there is no list {path}"),
            },
        );
    }
    for child in children(node) {
        memberships(child, document, facts);
    }
}

fn fields(node: &Ast, document: &Value, facts: &mut Vec<String>) {
    if let Some((path, found)) = resolve(node, document) {
        add(
            facts,
            match found {
                Some(Value::Null) | None => format!("there is no {path}"),
                Some(value) => format!("{path} is {}", show(value)),
            },
        );
        return;
    }
    match node {
        // What comes after a projection or pipe speaks about elements, not about the document.
        Ast::Projection { lhs, .. } | Ast::Subexpr { lhs, .. } => fields(lhs, document, facts),
        Ast::Comparison { .. }
        | Ast::Condition { .. }
        | Ast::Identity { .. }
        | Ast::Expref { .. }
        | Ast::Flatten { .. }
        | Ast::Function { .. }
        | Ast::Field { .. }
        | Ast::Index { .. }
        | Ast::Literal { .. }
        | Ast::MultiList { .. }
        | Ast::MultiHash { .. }
        | Ast::Not { .. }
        | Ast::ObjectValues { .. }
        | Ast::And { .. }
        | Ast::Or { .. }
        | Ast::Slice { .. } => {
            for child in children(node) {
                fields(child, document, facts);
            }
        }
    }
}

/// Follows a path of plain field names; none for any other node.
fn resolve<'a>(node: &Ast, document: &'a Value) -> Option<(String, Option<&'a Value>)> {
    match node {
        Ast::Field { name, .. } => Some((name.clone(), document.get(name))),
        Ast::Subexpr { lhs, rhs, .. } => {
            let (left, found) = resolve(lhs, document)?;
            let Ast::Field { name, .. } = rhs.as_ref() else {
                return None;
            };
            Some((format!("{left}.{name}"), found.and_then(|found| found.get(name))))
        }
        Ast::Comparison { .. }
        | Ast::Condition { .. }
        | Ast::Identity { .. }
        | Ast::Expref { .. }
        | Ast::Flatten { .. }
        | Ast::Function { .. }
        | Ast::Index { .. }
        | Ast::Literal { .. }
        | Ast::MultiList { .. }
        | Ast::MultiHash { .. }
        | Ast::Not { .. }
        | Ast::Projection { .. }
        | Ast::ObjectValues { .. }
        | Ast::And { .. }
        | Ast::Or { .. }
        | Ast::Slice { .. } => None,
    }
}

fn add(facts: &mut Vec<String>, fact: String) {
    if facts.len() < FACTS && !facts.contains(&fact) {
        facts.push(fact);
    }
}

/// Shows a value as JSON, cut where it is long.
pub(crate) fn show(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}
