//! Lifts literals out of expressions, so that policies that differ only in them are evaluated together.
//! Only where a text is looked for: those literals never become a result.

use jpx_core::ast::{Ast, Comparator};
use serde_json::Value;

use super::solve::{self, Otherwise, Solution, lifted_offset};
use super::template::PLACEHOLDER;
use super::{Expression, Measure, children_mut};

/// Most literals lifted out of one expression; the others stay what they are.
const MOST: usize = 16;

/// An expression without its literals, and the literals.
pub(crate) struct Lifted {
    /// What is left: equal for similar expressions.
    pub(crate) shape: Shape,
    /// The literals in order, `{{orgId}}` in them already bound.
    pub(crate) literals: Vec<String>,
    /// Equal for similar expressions, and for no others.
    pub(crate) key: String,
}

/// A syntax tree with marks in place of literals and without offsets.
#[derive(Clone, Debug)]
pub(crate) struct Shape(Ast);

impl Shape {
    /// Solves the shape, on behalf of one of its expressions; variables beyond the organization are its `literals`.
    pub(crate) fn solve(
        &self,
        example: &Expression,
        document: &Value,
        input: Measure,
        literals: usize,
    ) -> Solution {
        if example.affords(input).is_err() {
            return Solution::constant(Otherwise::Refuses, literals + 1);
        }
        solve::solve(&self.0, &example.source, document, literals + 1)
    }
}

/// Lifts the literals of an own policy of `organization`.
pub(super) fn lift(expression: &Expression, organization: &str) -> Lifted {
    let mut shape = expression.parsed.as_ast().clone();
    let mut literals = Vec::new();
    walk(&mut shape, organization, &mut literals);
    let key = format!("{shape:?}");
    Lifted {
        shape: Shape(shape),
        literals,
        key,
    }
}

fn walk(node: &mut Ast, organization: &str, literals: &mut Vec<String>) {
    forget_offset(node);
    match node {
        Ast::Comparison {
            comparator: Comparator::Equal | Comparator::NotEqual,
            lhs,
            rhs,
            ..
        } => {
            // Two literals compared with each other are no question to the claims.
            if !matches!(
                (lhs.as_ref(), rhs.as_ref()),
                (Ast::Literal { .. }, Ast::Literal { .. })
            ) {
                take(lhs, organization, literals);
                take(rhs, organization, literals);
            }
        }
        Ast::Function { name, args, .. } => {
            if matches!(name.as_str(), "contains" | "starts_with" | "ends_with")
                && let [subject, wanted] = args.as_mut_slice()
                && !matches!(subject, Ast::Literal { .. })
            {
                take(wanted, organization, literals);
            }
        }
        Ast::Condition { .. }
        | Ast::Comparison { .. }
        | Ast::Identity { .. }
        | Ast::Expref { .. }
        | Ast::Flatten { .. }
        | Ast::Field { .. }
        | Ast::Index { .. }
        | Ast::Literal { .. }
        | Ast::MultiList { .. }
        | Ast::MultiHash { .. }
        | Ast::Not { .. }
        | Ast::Projection { .. }
        | Ast::ObjectValues { .. }
        | Ast::And { .. }
        | Ast::Or { .. }
        | Ast::Slice { .. }
        | Ast::Subexpr { .. } => {}
    }
    for child in children_mut(node) {
        walk(child, organization, literals);
    }
}

/// Takes a string literal out and leaves a mark.
fn take(node: &mut Ast, organization: &str, literals: &mut Vec<String>) {
    if literals.len() >= MOST {
        return;
    }
    if let Ast::Literal { offset, value } = node
        && let Value::String(text) = value
    {
        literals.push(text.replace(PLACEHOLDER, organization));
        *offset = lifted_offset(literals.len());
        *value = Value::Null;
    }
}

/// Where a node stood in its source says nothing about its shape; marks stay.
fn forget_offset(node: &mut Ast) {
    match node {
        Ast::Literal { offset, .. } => {
            if *offset < lifted_offset(MOST) {
                *offset = 0;
            }
        }
        Ast::Comparison { offset, .. }
        | Ast::Condition { offset, .. }
        | Ast::Identity { offset }
        | Ast::Expref { offset, .. }
        | Ast::Flatten { offset, .. }
        | Ast::Function { offset, .. }
        | Ast::Field { offset, .. }
        | Ast::Index { offset, .. }
        | Ast::MultiList { offset, .. }
        | Ast::MultiHash { offset, .. }
        | Ast::Not { offset, .. }
        | Ast::Projection { offset, .. }
        | Ast::ObjectValues { offset, .. }
        | Ast::And { offset, .. }
        | Ast::Or { offset, .. }
        | Ast::Slice { offset, .. }
        | Ast::Subexpr { offset, .. } => *offset = 0,
    }
}
