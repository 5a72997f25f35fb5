//! Function calls with open variables. Those that look for a text are turned round; the others are known or they are not.

use std::borrow::Cow;

use jpx_core::ast::Ast;
use serde_json::Value;

use super::meeting::Equality;
use super::nodes::items;
use super::{Failed, NULL, Outcome, Solver, Sym, Text};

impl Solver<'_> {
    pub(super) fn function<'a>(
        &mut self,
        node: &'a Ast,
        name: &str,
        args: &'a [Ast],
        data: &Sym<'a>,
    ) -> Outcome<'a> {
        if let Sym::Known(known) = data
            && !self.is_open(node)
        {
            return self.interpret(node, known);
        }
        if args
            .iter()
            .any(|arg| matches!(arg, Ast::Expref { .. }) && self.is_open(arg))
        {
            return Ok(Sym::Unknown);
        }
        let mut values = Vec::with_capacity(args.len());
        for arg in args {
            values.push(match arg {
                Ast::Expref { .. } => Sym::Unknown,
                Ast::Comparison { .. }
                | Ast::Condition { .. }
                | Ast::Identity { .. }
                | Ast::Flatten { .. }
                | Ast::Function { .. }
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
                | Ast::Subexpr { .. } => self.eval(arg, data)?,
            });
        }
        // What is not known may be an error, which no function undoes.
        let open = values
            .iter()
            .zip(args)
            .any(|(value, arg)| value.is_open() && !matches!(arg, Ast::Expref { .. }));
        if open {
            return Ok(Sym::Unknown);
        }
        match (name, values.as_slice()) {
            ("contains", [list, wanted]) => self.contains(list, wanted),
            ("starts_with" | "ends_with", [subject, wanted]) => {
                self.begins_or_ends(name == "starts_with", subject, wanted)
            }
            ("not_null", all) if !all.is_empty() => Ok(first_present(all)),
            ("to_string", [Sym::Text(text)]) => Ok(Sym::Text(text.clone())),
            ("to_array", [Sym::Text(text)]) => Ok(Sym::List(vec![Sym::Text(text.clone())])),
            ("to_array", [Sym::List(list)]) => Ok(Sym::List(list.clone())),
            ("join", [glue, list]) => join(glue, list),
            ("length", [Sym::List(list)]) => Ok(Sym::Known(Cow::Owned(Value::from(list.len())))),
            _ => self.known_call(name, values),
        }
    }

    /// Calls a function whose arguments are all known.
    fn known_call<'a>(&mut self, name: &str, values: Vec<Sym<'a>>) -> Outcome<'a> {
        let mut args = Vec::with_capacity(values.len());
        for value in values {
            match value {
                Sym::Known(value) => args.push(Ast::Literal {
                    offset: 0,
                    value: value.into_owned(),
                }),
                Sym::Text(_) | Sym::List(_) | Sym::Falsy | Sym::Unknown => return Ok(Sym::Unknown),
            }
        }
        let call = Ast::Function {
            offset: 0,
            name: name.to_owned(),
            args,
        };
        self.interpret(&call, &Value::Null)
    }

    fn contains<'a>(&mut self, list: &Sym<'a>, wanted: &Sym<'a>) -> Outcome<'a> {
        match list {
            Sym::Falsy | Sym::Unknown | Sym::Text(_) => Ok(Sym::Unknown),
            Sym::Known(known) => match (known.as_ref(), wanted) {
                (Value::String(subject), Sym::Text(text)) => {
                    self.meet_parts(text, subject);
                    Ok(Sym::truth(false))
                }
                (Value::String(subject), Sym::Known(part)) => Ok(Sym::truth(
                    part.as_str().is_some_and(|part| subject.contains(part)),
                )),
                (Value::String(_), Sym::List(_) | Sym::Falsy | Sym::Unknown) => Ok(Sym::truth(false)),
                (Value::Array(elements), Sym::Text(text)) => {
                    for element in elements.iter().filter_map(Value::as_str) {
                        self.meet(text, element);
                    }
                    Ok(Sym::truth(false))
                }
                (Value::Array(elements), _) => {
                    let borrowed = elements
                        .iter()
                        .map(|element| Sym::Known(Cow::Owned(element.clone())));
                    let elements: Vec<Sym<'_>> = borrowed.collect();
                    Ok(self.any_equal(&elements, wanted))
                }
                (Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_), _) => Err(Failed),
            },
            Sym::List(elements) => Ok(self.any_equal(elements, wanted)),
        }
    }

    fn any_equal<'a>(&mut self, elements: &[Sym<'_>], wanted: &Sym<'_>) -> Sym<'a> {
        let mut unknown = false;
        for element in elements {
            match self.equality(element, wanted) {
                Equality::Equal => return Sym::truth(true),
                Equality::Different => {}
                Equality::Unknown => unknown = true,
            }
        }
        if unknown { Sym::Unknown } else { Sym::truth(false) }
    }

    fn begins_or_ends<'a>(&mut self, begins: bool, subject: &Sym<'a>, wanted: &Sym<'a>) -> Outcome<'a> {
        match (subject, wanted) {
            (Sym::Known(subject), Sym::Text(text)) => {
                let Value::String(subject) = subject.as_ref() else {
                    return Err(Failed);
                };
                if begins {
                    self.meet_beginnings(text, subject);
                } else {
                    self.meet_endings(text, subject);
                }
                Ok(Sym::truth(false))
            }
            (Sym::Text(text), Sym::Known(wanted)) => match wanted.as_ref() {
                Value::String(wanted) => Ok(certain(begins, text, wanted).map_or(Sym::Unknown, Sym::truth)),
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
                    Err(Failed)
                }
            },
            (Sym::Known(subject), Sym::Known(wanted)) => match (subject.as_str(), wanted.as_str()) {
                (Some(subject), Some(wanted)) => Ok(Sym::truth(if begins {
                    subject.starts_with(wanted)
                } else {
                    subject.ends_with(wanted)
                })),
                _ => Err(Failed),
            },
            (Sym::Falsy | Sym::Unknown | Sym::List(_) | Sym::Text(_), _)
            | (_, Sym::Falsy | Sym::Unknown | Sym::List(_)) => Ok(Sym::Unknown),
        }
    }
}

/// Tells whether a text begins (or ends) with `wanted` whatever the variable is; none if that depends on it.
fn certain(begins: bool, text: &Text, wanted: &str) -> Option<bool> {
    let (before, after) = (text.before.as_str(), text.after.as_str());
    let (does, may) = if begins {
        (before.starts_with(wanted), wanted.starts_with(before))
    } else {
        (after.ends_with(wanted), wanted.ends_with(after))
    };
    if does { Some(true) } else { (!may).then_some(false) }
}

fn first_present<'a>(values: &[Sym<'a>]) -> Sym<'a> {
    for value in values {
        match value {
            Sym::Known(known) if known.is_null() => {}
            Sym::Known(_) | Sym::Text(_) | Sym::List(_) => return value.clone(),
            Sym::Falsy | Sym::Unknown => return Sym::Unknown,
        }
    }
    NULL
}

/// Joins strings of which one may hold a variable.
fn join<'a>(glue: &Sym<'a>, list: &Sym<'a>) -> Outcome<'a> {
    let Sym::Known(glue) = glue else {
        return Ok(Sym::Unknown);
    };
    let Some(glue) = glue.as_str() else {
        return Err(Failed);
    };
    let Some(Some(parts)) = items(list.clone()) else {
        return Ok(Sym::Unknown);
    };
    let mut before = String::new();
    let mut open: Option<Text> = None;
    for (position, part) in parts.iter().enumerate() {
        let end = match &mut open {
            Some(text) => &mut text.after,
            None => &mut before,
        };
        if position > 0 {
            end.push_str(glue);
        }
        match part {
            Sym::Known(known) => match known.as_str() {
                Some(text) => end.push_str(text),
                None => return Err(Failed),
            },
            Sym::Text(text) if open.is_none() => {
                open = Some(Text {
                    variable: text.variable,
                    before: format!("{before}{}", text.before),
                    after: text.after.clone(),
                });
            }
            Sym::Text(_) | Sym::List(_) | Sym::Falsy | Sym::Unknown => return Ok(Sym::Unknown),
        }
    }
    Ok(open.map_or_else(|| Sym::Known(Cow::Owned(Value::String(before))), Sym::Text))
}
