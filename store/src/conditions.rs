//! The conditions of a look-up with filters, put together as they are asked for. Never runs anything.

use crate::value::Bind;

/// Conditions of a statement that is being built, joined by `AND`, with its arguments.
pub(crate) struct Conditions {
    /// What follows `WHERE`.
    pub(crate) text: String,
    /// The arguments, in the order of their numbers.
    pub(crate) values: Vec<Bind>,
}

impl Conditions {
    /// Begins with a condition that always holds, and the arguments that the statement has anyway.
    pub(crate) fn new(first: &str, values: Vec<Bind>) -> Self {
        Self {
            text: first.to_owned(),
            values,
        }
    }

    /// Adds a condition; each `{}` in it is the value.
    pub(crate) fn hold(&mut self, condition: &str, value: impl Into<Bind>) {
        let place = self.add(value);
        self.always(&condition.replace("{}", &place));
    }

    /// Adds a condition without a value.
    pub(crate) fn always(&mut self, condition: &str) {
        self.text.push_str(" AND ");
        self.text.push_str(condition);
    }

    /// Adds an argument and returns its place.
    pub(crate) fn add(&mut self, value: impl Into<Bind>) -> String {
        self.values.push(value.into());
        format!("${}", self.values.len())
    }
}
