//! One node of the syntax tree with open variables: what the ordinary interpreter does, step for step.

use std::borrow::Cow;

use jpx_core::ValueExt as _;
use jpx_core::ast::{Ast, Comparator};
use serde_json::Value;

use super::meeting::Equality;
use super::{Failed, NULL, Outcome, Solver, Sym, Text};
use crate::expression::children;
use crate::expression::template::{self, PLACEHOLDER};

/// What is known of a value's truth.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Truth {
    Yes,
    No,
    /// False or an error.
    AtMostNo,
    Unknown,
}

impl Solver<'_> {
    /// Tells whether any variable occurs in a node.
    pub(super) fn is_open(&self, node: &Ast) -> bool {
        match node {
            Ast::Literal { offset, value } => {
                self.is_lifted(*offset).is_some() || template::mentions_in_value(value)
            }
            Ast::Field { name, .. } => name.contains(PLACEHOLDER),
            Ast::MultiHash { elements, .. } => elements
                .iter()
                .any(|pair| pair.key.contains(PLACEHOLDER) || self.is_open(&pair.value)),
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
            | Ast::Subexpr { .. } => children(node).into_iter().any(|child| self.is_open(child)),
        }
    }

    /// Evaluates a node on data.
    pub(super) fn eval<'a>(&mut self, node: &'a Ast, data: &Sym<'a>) -> Outcome<'a> {
        match node {
            Ast::Identity { .. } => Ok(data.clone()),
            Ast::Literal { offset, value } => Ok(self.literal(*offset, value)),
            Ast::Field { name, .. } => Ok(self.field(name, data)),
            Ast::Index { idx, .. } => Ok(index(*idx, data)),
            Ast::Subexpr { lhs, rhs, .. } => {
                let left = self.eval(lhs, data)?;
                if left.is_open() {
                    // It may be an error, which no later part undoes.
                    return Ok(Sym::Unknown);
                }
                self.eval(rhs, &left)
            }
            Ast::And { lhs, rhs, .. } => self.and(lhs, rhs, data),
            Ast::Or { lhs, rhs, .. } => self.or(lhs, rhs, data),
            Ast::Not { node, .. } => {
                let value = self.eval(node, data)?;
                Ok(match self.truth(&value) {
                    Truth::Yes => Sym::truth(false),
                    Truth::No => Sym::truth(true),
                    Truth::AtMostNo | Truth::Unknown => Sym::Unknown,
                })
            }
            Ast::Condition { predicate, then, .. } => self.condition(predicate, then, data),
            Ast::Comparison {
                comparator, lhs, rhs, ..
            } => {
                let left = self.eval(lhs, data)?;
                let right = self.eval(rhs, data)?;
                Ok(self.compare(comparator, &left, &right))
            }
            Ast::Projection { lhs, rhs, .. } => {
                let left = self.eval(lhs, data)?;
                self.project(left, rhs)
            }
            Ast::MultiList { elements, .. } => self.multi_list(elements, data),
            Ast::Flatten { node: inner, .. } => {
                let list = self.eval(inner, data)?;
                Ok(flatten(list))
            }
            Ast::ObjectValues { node: inner, .. } => match self.eval(inner, data)? {
                Sym::Known(value) => Ok(Sym::Known(Cow::Owned(match value.as_ref() {
                    Value::Object(fields) => Value::Array(fields.values().cloned().collect()),
                    Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
                        Value::Null
                    }
                }))),
                Sym::Text(_) | Sym::List(_) => Ok(NULL),
                Sym::Falsy | Sym::Unknown => Ok(Sym::Unknown),
            },
            Ast::Function { name, args, .. } => self.function(node, name, args, data),
            Ast::MultiHash { .. } | Ast::Slice { .. } => match data {
                Sym::Known(known) if !self.is_open(node) => self.interpret(node, known),
                Sym::Known(_) | Sym::Text(_) | Sym::List(_) | Sym::Falsy | Sym::Unknown => Ok(Sym::Unknown),
            },
            Ast::Expref { .. } => Ok(Sym::Unknown),
        }
    }

    fn literal<'a>(&self, offset: usize, value: &'a Value) -> Sym<'a> {
        if let Some(variable) = self.is_lifted(offset) {
            return Sym::Text(Text {
                variable,
                before: String::new(),
                after: String::new(),
            });
        }
        match value {
            Value::String(text) if text.contains(PLACEHOLDER) => Self::text(text),
            Value::Array(_) | Value::Object(_) if template::mentions_in_value(value) => Sym::Unknown,
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_)
            | Value::Object(_) => Sym::Known(Cow::Borrowed(value)),
        }
    }

    /// Selects a field. Where the name holds the id, each field there is belongs to one id, and to all others none.
    fn field<'a>(&mut self, name: &str, data: &Sym<'a>) -> Sym<'a> {
        let known = match data {
            Sym::Known(known) => known,
            Sym::Text(_) | Sym::List(_) => return NULL,
            Sym::Falsy | Sym::Unknown => return Sym::Unknown,
        };
        match Self::text(name) {
            Sym::Text(text) => {
                for name in known.as_object().into_iter().flat_map(serde_json::Map::keys) {
                    self.meet(&text, name);
                }
                NULL
            }
            Sym::Unknown => Sym::Unknown,
            Sym::Known(_) | Sym::List(_) | Sym::Falsy => part(known, |value| value.get(name)),
        }
    }

    fn truth(&mut self, value: &Sym<'_>) -> Truth {
        match value {
            Sym::Known(known) if known.is_truthy() => Truth::Yes,
            Sym::Known(_) => Truth::No,
            Sym::Text(text) => {
                if text.before.is_empty() && text.after.is_empty() {
                    self.hit(text.variable, "");
                }
                Truth::Yes
            }
            Sym::List(items) => {
                if items.is_empty() {
                    Truth::No
                } else {
                    Truth::Yes
                }
            }
            Sym::Falsy => Truth::AtMostNo,
            Sym::Unknown => Truth::Unknown,
        }
    }

    fn and<'a>(&mut self, left: &'a Ast, right: &'a Ast, data: &Sym<'a>) -> Outcome<'a> {
        let left = self.eval(left, data)?;
        match self.truth(&left) {
            Truth::No | Truth::AtMostNo => Ok(left),
            Truth::Yes => self.eval(right, data),
            Truth::Unknown => {
                let right = self.eval(right, data);
                Ok(self.at_most(right))
            }
        }
    }

    fn or<'a>(&mut self, left: &'a Ast, right: &'a Ast, data: &Sym<'a>) -> Outcome<'a> {
        let left = self.eval(left, data)?;
        match self.truth(&left) {
            Truth::Yes => Ok(left),
            Truth::No => self.eval(right, data),
            Truth::AtMostNo => {
                let right = self.eval(right, data);
                Ok(self.at_most(right))
            }
            Truth::Unknown => Ok(Sym::Unknown),
        }
    }

    /// The value of a branch that may be reached or not: what is false either way stays so.
    fn at_most<'a>(&mut self, branch: Outcome<'a>) -> Sym<'a> {
        match branch {
            Err(Failed) => Sym::Falsy,
            Ok(value) => match self.truth(&value) {
                Truth::No | Truth::AtMostNo => Sym::Falsy,
                Truth::Yes | Truth::Unknown => Sym::Unknown,
            },
        }
    }

    fn condition<'a>(&mut self, predicate: &'a Ast, then: &'a Ast, data: &Sym<'a>) -> Outcome<'a> {
        let holds = self.eval(predicate, data)?;
        match self.truth(&holds) {
            Truth::Yes => self.eval(then, data),
            Truth::No => Ok(NULL),
            Truth::AtMostNo => Ok(Sym::Falsy),
            Truth::Unknown => Ok(Sym::Unknown),
        }
    }

    fn compare<'a>(&mut self, comparator: &Comparator, left: &Sym<'a>, right: &Sym<'a>) -> Sym<'a> {
        let wanted = match comparator {
            Comparator::Equal => true,
            Comparator::NotEqual => false,
            Comparator::LessThan
            | Comparator::LessThanEqual
            | Comparator::GreaterThan
            | Comparator::GreaterThanEqual => return order(comparator, left, right),
        };
        match self.equality(left, right) {
            Equality::Equal => Sym::truth(wanted),
            Equality::Different => Sym::truth(!wanted),
            Equality::Unknown => Sym::Unknown,
        }
    }

    fn multi_list<'a>(&mut self, elements: &'a [Ast], data: &Sym<'a>) -> Outcome<'a> {
        match data {
            Sym::Known(known) if known.is_null() => return Ok(NULL),
            Sym::Known(_) | Sym::Text(_) | Sym::List(_) => {}
            Sym::Falsy | Sym::Unknown => return Ok(Sym::Unknown),
        }
        let mut items = Vec::with_capacity(elements.len());
        for element in elements {
            items.push(self.eval(element, data)?);
        }
        Ok(collect(items))
    }

    fn project<'a>(&mut self, list: Sym<'a>, body: &'a Ast) -> Outcome<'a> {
        let Some(items) = items(list) else {
            return Ok(Sym::Unknown);
        };
        let Some(items) = items else {
            return Ok(NULL);
        };
        let mut kept = Vec::new();
        for item in items {
            let value = self.eval(body, &item)?;
            if !matches!(&value, Sym::Known(known) if known.is_null()) {
                kept.push(value);
            }
        }
        Ok(collect(kept))
    }
}

/// Compares by order: only numbers have one.
fn order<'a>(comparator: &Comparator, left: &Sym<'_>, right: &Sym<'_>) -> Sym<'a> {
    match (left, right) {
        (Sym::Known(left), Sym::Known(right)) => {
            let holds = (left.is_number() && right.is_number())
                .then(|| left.compare(comparator, right))
                .flatten();
            Sym::Known(Cow::Owned(holds.map_or(Value::Null, Value::Bool)))
        }
        (Sym::Falsy | Sym::Unknown, _) | (_, Sym::Falsy | Sym::Unknown) => Sym::Unknown,
        (Sym::Text(_) | Sym::List(_), _) | (_, Sym::Text(_) | Sym::List(_)) => NULL,
    }
}

fn index<'a>(position: i32, data: &Sym<'a>) -> Sym<'a> {
    let at = |length: usize| {
        let steps = usize::try_from(position.unsigned_abs()).ok()?;
        if position < 0 {
            length.checked_sub(steps)
        } else {
            Some(steps)
        }
    };
    match data {
        Sym::Known(known) => part(known, |value| {
            let items = value.as_array()?;
            items.get(at(items.len())?)
        }),
        Sym::List(items) => at(items.len())
            .and_then(|at| items.get(at))
            .cloned()
            .unwrap_or(NULL),
        Sym::Text(_) => NULL,
        Sym::Falsy | Sym::Unknown => Sym::Unknown,
    }
}

/// A part of a known value, borrowed where the whole is.
fn part<'a>(whole: &Cow<'a, Value>, select: impl Fn(&Value) -> Option<&Value>) -> Sym<'a> {
    match whole {
        Cow::Borrowed(value) => {
            let value: &'a Value = value;
            select(value).map_or(NULL, |found| Sym::Known(Cow::Borrowed(found)))
        }
        Cow::Owned(value) => select(value).map_or(NULL, |found| Sym::Known(Cow::Owned(found.clone()))),
    }
}

/// The elements of a list: `Some(None)` for what is no list, none for what may be one or not.
#[expect(
    clippy::option_option,
    reason = "no list and not known are two different answers"
)]
pub(super) fn items(list: Sym<'_>) -> Option<Option<Vec<Sym<'_>>>> {
    match list {
        Sym::Known(Cow::Borrowed(value)) => Some(
            value
                .as_array()
                .map(|items| items.iter().map(|item| Sym::Known(Cow::Borrowed(item))).collect()),
        ),
        Sym::Known(Cow::Owned(Value::Array(items))) => Some(Some(
            items
                .into_iter()
                .map(|item| Sym::Known(Cow::Owned(item)))
                .collect(),
        )),
        Sym::Known(Cow::Owned(_)) | Sym::Text(_) => Some(None),
        Sym::List(items) => Some(Some(items)),
        Sym::Falsy | Sym::Unknown => None,
    }
}

/// A list of elements: known if all are, not known if one is not.
pub(super) fn collect(items: Vec<Sym<'_>>) -> Sym<'_> {
    if items.iter().any(Sym::is_open) {
        return Sym::Unknown;
    }
    let mut known = Vec::with_capacity(items.len());
    for item in &items {
        match item {
            Sym::Known(value) => known.push(value.as_ref().clone()),
            Sym::Text(_) | Sym::List(_) | Sym::Falsy | Sym::Unknown => return Sym::List(items),
        }
    }
    Sym::Known(Cow::Owned(Value::Array(known)))
}

fn flatten(list: Sym<'_>) -> Sym<'_> {
    let Some(elements) = items(list) else {
        return Sym::Unknown;
    };
    let Some(elements) = elements else {
        return NULL;
    };
    let mut flat = Vec::new();
    for element in elements {
        match element {
            Sym::List(inner) => flat.extend(inner),
            Sym::Known(ref value) if value.is_array() => {
                flat.extend(items(element).flatten().into_iter().flatten());
            }
            Sym::Known(_) | Sym::Text(_) | Sym::Falsy | Sym::Unknown => flat.push(element),
        }
    }
    collect(flat)
}
