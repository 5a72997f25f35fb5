//! Compiled JMESPath expressions with bounds on size, depth, cost and output.
//! Never reads claims from anywhere but its argument, never pastes a value into an expression's text.
//!
//! `{{orgId}}` is bound after parsing, in the syntax tree: inside a literal it is replaced in the
//! literal's value, bare it stands for a string literal. An id with a quote can therefore neither break nor bend
//! an expression, because it never passes the parser.
//!
//! Attacks held off here: deep nesting that overflows the parser's stack, `[@,@]|[@,@]|…` that doubles its input a
//! hundred times, claims of many megabytes. Expressions come from admins and claims from providers; neither may
//! stop the process that serves everybody else.

use std::borrow::Cow;
use std::sync::LazyLock;

use jpx_core::ast::Ast;
use jpx_core::{Expression as Parsed, Runtime};
use serde_json::Value;

mod cost;
mod kinds;
mod lift;
mod reason;
mod residual;
mod scan;
mod solve;
mod template;

pub(crate) use kinds::Kinds;
pub(crate) use lift::{Lifted, Shape};
pub(crate) use residual::Residual;
pub(crate) use solve::{ORGANIZATION, Otherwise, Solution};
pub(crate) use template::PLACEHOLDER;

pub(crate) use reason::show;

/// Longest expression in bytes.
pub const MAX_LENGTH: usize = 2048;
/// Deepest nesting of brackets, and of elements of the claims.
pub const MAX_DEPTH: usize = 32;
/// Largest claims document in bytes, roughly as JSON; it holds the provider's claims three times.
pub const MAX_INPUT: usize = 512 * 1024;
/// Largest result in bytes, roughly as JSON.
pub const MAX_OUTPUT: usize = 1024 * 1024;

/// Only the 26 functions of the specification, ordering comparisons on numbers only.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(Runtime::strict);

/// A compiled expression.
#[derive(Clone, Debug)]
pub struct Expression {
    source: String,
    parsed: Parsed<'static>,
    templated: bool,
    cost: cost::Linear,
}

/// Why an expression is refused when it is saved.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message} (at byte {offset})")]
pub struct CompileError {
    /// Byte offset in the source.
    pub offset: usize,
    /// What is wrong.
    pub message: String,
}

/// Why an expression gave no result. Always means "no match".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct EvaluationError {
    /// What went wrong, for the trace.
    pub message: String,
}

impl Expression {
    /// Compiles an expression.
    ///
    /// # Errors
    /// [`CompileError`] if it is too long, too deep, not JMESPath, calls an unknown function, or would multiply its
    /// input beyond the cost limit.
    pub fn compile(source: &str) -> Result<Self, CompileError> {
        let scanned = scan::scan(source)?;
        let parsed = RUNTIME.compile(&scanned.text).map_err(|error| CompileError {
            offset: scanned.original_offset(error.offset).min(source.len()),
            message: plain(&error.reason.to_string()),
        })?;
        let cost = cost::of(parsed.as_ast()).map_err(|error| CompileError {
            offset: scanned.original_offset(error.offset),
            ..error
        })?;
        let templated = template::mentions_organization(parsed.as_ast());
        Ok(Self {
            source: source.to_owned(),
            parsed,
            templated,
            cost,
        })
    }

    /// Returns the kinds of values that the expression can give, whatever the claims.
    pub(crate) fn kinds(&self) -> Kinds {
        kinds::of(self.parsed.as_ast())
    }

    /// Returns the expression as written.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Evaluates the expression on a document; `organization` is what `{{orgId}}` stands for.
    ///
    /// # Errors
    /// [`EvaluationError`] for type errors, documents beyond the limits and results beyond the limit.
    pub fn evaluate(&self, document: &Value, organization: &str) -> Result<Value, EvaluationError> {
        self.evaluate_measured(document, measure(document), organization)
    }

    /// Evaluates the expression on a document whose size is known, because many expressions are evaluated on it.
    ///
    /// # Errors
    /// As [`Self::evaluate`].
    pub(crate) fn evaluate_measured(
        &self,
        document: &Value,
        input: Measure,
        organization: &str,
    ) -> Result<Value, EvaluationError> {
        self.affords(input)?;
        let result = self
            .bound(organization)
            .search(document)
            .map_err(|error| refuse(error.reason.to_string()))?;
        if measure(&result).bytes > MAX_OUTPUT {
            return Err(refuse(format!(
                "the result is larger than {} KiB",
                MAX_OUTPUT / 1024
            )));
        }
        Ok(result)
    }

    /// Finds the organization ids that the expression may admit on a document; see [`solve`].
    pub(crate) fn solve(&self, document: &Value, input: Measure) -> Solution {
        if self.affords(input).is_err() {
            return Solution::constant(Otherwise::Refuses, 1);
        }
        solve::solve(self.parsed.as_ast(), &self.source, document, 1)
    }

    /// Evaluates once what does not depend on the organization; none where there is nothing to gain.
    pub(crate) fn residual(&self, document: &Value, input: Measure) -> Option<Residual> {
        self.affords(input).ok()?;
        Residual::of(self, document)
    }

    /// Lowers the cost to another expression's where that is less: an example of a shape is refused only if all are.
    pub(crate) fn as_cheap_as(&mut self, other: &Self) {
        self.cost = self.cost.smaller(other.cost);
    }

    /// Separates the expression of one organization's policy from the texts it looks for.
    pub(crate) fn lift(&self, organization: &str) -> Lifted {
        lift::lift(self, organization)
    }

    fn affords(&self, input: Measure) -> Result<(), EvaluationError> {
        if input.depth > MAX_DEPTH {
            return Err(refuse(format!(
                "the claims are nested deeper than {MAX_DEPTH} levels"
            )));
        }
        if input.bytes > MAX_INPUT {
            return Err(refuse(format!(
                "the claims are larger than {} KiB",
                MAX_INPUT / 1024
            )));
        }
        if !self.cost.affordable(input.bytes) {
            return Err(refuse(
                "the expression is too expensive for claims of this size".to_owned(),
            ));
        }
        Ok(())
    }

    /// Says in a few words what in the document made the expression turn out as it did, for traces.
    pub fn because(&self, document: &Value, organization: &str) -> Option<String> {
        reason::because(self.bound(organization).as_ast(), document)
    }

    /// Says what fields of the document the expression looks at and what they hold, whatever the organization.
    pub(crate) fn looked_at(&self, document: &Value) -> Option<String> {
        reason::looked_at(self.parsed.as_ast(), document)
    }

    fn bound(&self, organization: &str) -> Cow<'_, Parsed<'static>> {
        if self.templated {
            let ast = template::bind(self.parsed.as_ast(), organization);
            Cow::Owned(Parsed::new(self.parsed.as_str(), ast, &RUNTIME))
        } else {
            Cow::Borrowed(&self.parsed)
        }
    }
}

/// Says in plain words what the parser says in its own.
fn plain(reason: &str) -> String {
    let reason = reason.strip_prefix("Parse error: ").unwrap_or(reason);
    match reason.split_once(" -- found ") {
        Some((_, "Eof")) => "the expression ends too early".to_owned(),
        Some(("Unexpected nud token", found)) => format!("a value is expected here, not {}", token(found)),
        Some(("Did not parse the complete expression", found)) => {
            format!("nothing may follow here, but {} does", token(found))
        }
        Some(_) | None => reason.to_owned(),
    }
}

/// Shows a token of the parser as it is written.
fn token(name: &str) -> &str {
    let signs = [
        ("Rbracket", "]"),
        ("Lbracket", "["),
        ("Rparen", ")"),
        ("Lparen", "("),
        ("Rbrace", "}"),
        ("Lbrace", "{"),
        ("Or", "||"),
        ("And", "&&"),
        ("Pipe", "|"),
        ("Comma", ","),
        ("Dot", "."),
        ("Colon", ":"),
    ];
    let sign = signs.into_iter().find(|(known, _)| *known == name);
    let word = || name.strip_prefix("Identifier(\"")?.strip_suffix("\")");
    sign.map_or_else(|| word().unwrap_or(name), |(_, sign)| sign)
}

fn refuse(message: String) -> EvaluationError {
    EvaluationError { message }
}

/// Size of a value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Measure {
    /// Roughly the bytes as JSON.
    bytes: usize,
    /// Nesting of arrays and objects.
    depth: usize,
}

/// Measures without recursion, because depth is what it guards against; stops early beyond the limits.
pub(crate) fn measure(value: &Value) -> Measure {
    let mut total = Measure::default();
    let mut pending = vec![(value, 1)];
    while let Some((value, depth)) = pending.pop() {
        match value {
            Value::Null | Value::Bool(_) | Value::Number(_) => total.bytes += 8,
            Value::String(text) => total.bytes += text.len() + 3,
            Value::Array(items) => {
                total.bytes += 2;
                total.depth = total.depth.max(depth);
                pending.extend(items.iter().map(|item| (item, depth + 1)));
            }
            Value::Object(fields) => {
                total.bytes += 2;
                total.depth = total.depth.max(depth);
                for (name, value) in fields {
                    total.bytes += name.len() + 4;
                    pending.push((value, depth + 1));
                }
            }
        }
        if total.depth > MAX_DEPTH || total.bytes > MAX_OUTPUT.max(MAX_INPUT) {
            break;
        }
    }
    total
}

/// Lists the direct children of a node.
fn children(node: &Ast) -> Vec<&Ast> {
    match node {
        Ast::Comparison { lhs, rhs, .. }
        | Ast::Projection { lhs, rhs, .. }
        | Ast::And { lhs, rhs, .. }
        | Ast::Or { lhs, rhs, .. }
        | Ast::Subexpr { lhs, rhs, .. } => vec![lhs, rhs],
        Ast::Condition { predicate, then, .. } => vec![predicate, then],
        Ast::Expref { ast: node, .. }
        | Ast::Flatten { node, .. }
        | Ast::Not { node, .. }
        | Ast::ObjectValues { node, .. } => vec![node],
        Ast::Function { args, .. } => args.iter().collect(),
        Ast::MultiList { elements, .. } => elements.iter().collect(),
        Ast::MultiHash { elements, .. } => elements.iter().map(|pair| &pair.value).collect(),
        Ast::Identity { .. }
        | Ast::Field { .. }
        | Ast::Index { .. }
        | Ast::Literal { .. }
        | Ast::Slice { .. } => Vec::new(),
    }
}

/// Lists the direct children of a node, to be changed.
fn children_mut(node: &mut Ast) -> Vec<&mut Ast> {
    match node {
        Ast::Comparison { lhs, rhs, .. }
        | Ast::Projection { lhs, rhs, .. }
        | Ast::And { lhs, rhs, .. }
        | Ast::Or { lhs, rhs, .. }
        | Ast::Subexpr { lhs, rhs, .. } => vec![lhs, rhs],
        Ast::Condition { predicate, then, .. } => vec![predicate, then],
        Ast::Expref { ast: node, .. }
        | Ast::Flatten { node, .. }
        | Ast::Not { node, .. }
        | Ast::ObjectValues { node, .. } => vec![node],
        Ast::Function { args, .. } => args.iter_mut().collect(),
        Ast::MultiList { elements, .. } => elements.iter_mut().collect(),
        Ast::MultiHash { elements, .. } => elements.iter_mut().map(|pair| &mut pair.value).collect(),
        Ast::Identity { .. }
        | Ast::Field { .. }
        | Ast::Index { .. }
        | Ast::Literal { .. }
        | Ast::Slice { .. } => Vec::new(),
    }
}

#[cfg(test)]
mod tests;
