//! Turns an expression round: which organization ids could it admit, read off the claims instead of tried one by one.
//!
//! The expression is evaluated once with an id that stands for *any other* id. Whenever that id meets something that the
//! claims or the expression say, in a comparison, a look-up in a list, a prefix, a name of a field, the ids for which
//! the meeting would end differently are noted as hits, and the evaluation goes on as for all others. So for every id that is
//! no hit the evaluation takes exactly this one path, and has its verdict. Hits are only candidates: they are evaluated
//! one by one afterwards, by the same interpreter as ever, which alone decides.
//!
//! What cannot be followed (an order, a length, a part of the id) becomes [`Sym::Unknown`], never a guess.
//! The same machinery lifts the literals of similar policies ([`Ast`] equal but for them) into variables of their own, so that
//! thousands of `contains(groups, 'one-team')`, each of another organization, are evaluated together.

use std::borrow::Cow;
use std::collections::BTreeSet;

use jpx_core::Context;
use jpx_core::ast::Ast;
use jpx_core::interpreter::interpret;
use serde_json::Value;

use super::template::PLACEHOLDER;
use super::{RUNTIME, children};

mod functions;
mod meeting;
mod nodes;

/// The variable that stands for the organization's id; literals lifted out of policies follow.
pub(crate) const ORGANIZATION: usize = 0;
/// Most ids noted; claims that name more are looked at the other way round.
const MOST_HITS: usize = 8_192;
/// Longest string of which all parts are noted, in bytes.
const LONGEST_PARTED: usize = 120;

/// How an expression turns out for every id that is no hit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Otherwise {
    /// It admits.
    Admits,
    /// It does not admit.
    Refuses,
    /// That differs from id to id in a way that was not followed.
    Depends,
}

/// An expression turned round.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Solution {
    /// How it turns out where no variable has a value of `hits`.
    pub(crate) otherwise: Otherwise,
    /// For each variable, the values that may make a difference.
    pub(crate) hits: Vec<BTreeSet<String>>,
}

impl Solution {
    /// The same outcome for everybody.
    pub(crate) fn constant(otherwise: Otherwise, variables: usize) -> Self {
        Self {
            otherwise,
            hits: vec![BTreeSet::new(); variables],
        }
    }
}

/// A text around a variable.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Text {
    variable: usize,
    before: String,
    after: String,
}

/// A value while the variables are open.
#[derive(Clone, Debug, PartialEq)]
enum Sym<'a> {
    /// The same whatever the variables are.
    Known(Cow<'a, Value>),
    /// A string with a variable in it.
    Text(Text),
    /// A list with such elements in it.
    List(Vec<Sym<'a>>),
    /// Some false value or an error: either way it admits nobody.
    Falsy,
    /// Anything, or an error.
    Unknown,
}

/// The evaluation fails whatever the variables are.
struct Failed;

type Outcome<'a> = Result<Sym<'a>, Failed>;

const NULL: Sym<'static> = Sym::Known(Cow::Owned(Value::Null));

impl Sym<'_> {
    fn truth(flag: bool) -> Self {
        Self::Known(Cow::Owned(Value::Bool(flag)))
    }

    /// Tells whether nothing is known of it, not even that it is no error.
    const fn is_open(&self) -> bool {
        matches!(self, Self::Falsy | Self::Unknown)
    }
}

/// Marks a literal that was lifted out: its offset says which variable it is.
pub(crate) const fn lifted_offset(variable: usize) -> usize {
    usize::MAX - variable
}

/// One evaluation with open variables.
struct Solver<'s> {
    source: &'s str,
    hits: Vec<BTreeSet<String>>,
    noted: usize,
    /// Set when there are too many hits to be of use.
    overflow: bool,
}

/// Solves a syntax tree on a document. `variables` counts the organization and the lifted literals.
pub(super) fn solve(ast: &Ast, source: &str, document: &Value, variables: usize) -> Solution {
    if has_stray_reference(ast) {
        return Solution::constant(Otherwise::Depends, variables);
    }
    let mut solver = Solver {
        source,
        hits: vec![BTreeSet::new(); variables],
        noted: 0,
        overflow: false,
    };
    let outcome = solver.eval(ast, &Sym::Known(Cow::Borrowed(document)));
    let otherwise = solver.verdict(outcome);
    if solver.overflow {
        return Solution::constant(Otherwise::Depends, variables);
    }
    Solution {
        otherwise,
        hits: solver.hits,
    }
}

/// Tells whether an expression reference stands anywhere but as an argument: there it has no value that could be compared.
fn has_stray_reference(node: &Ast) -> bool {
    let is_call = matches!(node, Ast::Function { .. });
    children(node).into_iter().any(|child| {
        let stray = matches!(child, Ast::Expref { .. }) && !is_call;
        stray || has_stray_reference(child)
    })
}

impl Solver<'_> {
    /// Says what a result means for admission: `true`, or exactly the id.
    fn verdict(&mut self, outcome: Outcome<'_>) -> Otherwise {
        match outcome {
            Ok(Sym::Known(value)) => match value.as_ref() {
                Value::Bool(true) => Otherwise::Admits,
                Value::String(id) => {
                    self.hit(ORGANIZATION, id);
                    Otherwise::Refuses
                }
                Value::Null | Value::Bool(false) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
                    Otherwise::Refuses
                }
            },
            Ok(Sym::Text(text)) if text.variable == ORGANIZATION => {
                // With anything around it, it is longer than the id.
                if text.before.is_empty() && text.after.is_empty() {
                    Otherwise::Admits
                } else {
                    Otherwise::Refuses
                }
            }
            Ok(Sym::List(_) | Sym::Falsy) | Err(Failed) => Otherwise::Refuses,
            Ok(Sym::Text(_) | Sym::Unknown) => Otherwise::Depends,
        }
    }

    /// Notes a value of a variable that makes a difference.
    fn hit(&mut self, variable: usize, value: &str) {
        if self.noted >= MOST_HITS {
            self.overflow = true;
            return;
        }
        if let Some(hits) = self.hits.get_mut(variable)
            && !hits.contains(value)
        {
            hits.insert(value.to_owned());
            self.noted += 1;
        }
    }

    /// Runs the ordinary interpreter on what holds no variable.
    fn interpret<'a>(&self, node: &Ast, data: &Value) -> Outcome<'a> {
        let mut context = Context::new(self.source, &RUNTIME);
        match interpret(data, node, &mut context) {
            Ok(value) => Ok(Sym::Known(Cow::Owned(value))),
            Err(_) => Err(Failed),
        }
    }

    /// Reads a string of the expression: a placeholder in it stands for the organization.
    fn text<'a>(literal: &str) -> Sym<'a> {
        match literal.split_once(PLACEHOLDER) {
            None => Sym::Known(Cow::Owned(Value::String(literal.to_owned()))),
            // An id twice in one text is not followed.
            Some((_, after)) if after.contains(PLACEHOLDER) => Sym::Unknown,
            Some((before, after)) => Sym::Text(Text {
                variable: ORGANIZATION,
                before: before.to_owned(),
                after: after.to_owned(),
            }),
        }
    }

    fn is_lifted(&self, offset: usize) -> Option<usize> {
        let variable = usize::MAX - offset;
        (1..self.hits.len()).contains(&variable).then_some(variable)
    }
}

#[cfg(test)]
mod tests;
