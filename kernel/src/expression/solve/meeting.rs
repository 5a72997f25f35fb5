//! What happens when a text with an open variable meets something that is known: the values of the variable that would
//! make the answer another one are noted, and the answer for all others is given.

use serde_json::Value;

use super::{LONGEST_PARTED, Solver, Sym, Text};

/// What is known of the equality of two values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Equality {
    Equal,
    /// For all that was not noted.
    Different,
    Unknown,
}

impl Solver<'_> {
    /// Compares a text with a string: equal for one value of the variable at most.
    pub(super) fn meet(&mut self, text: &Text, whole: &str) {
        if let Some(value) = inverse(text, whole) {
            self.hit(text.variable, value);
        }
    }

    /// Notes every value with which `subject` begins with the text.
    pub(super) fn meet_beginnings(&mut self, text: &Text, subject: &str) {
        let Some(rest) = subject.strip_prefix(text.before.as_str()) else {
            return;
        };
        for (value, tail) in splits(rest) {
            if tail.starts_with(text.after.as_str()) {
                self.hit(text.variable, value);
            }
        }
    }

    /// Notes every value with which `subject` ends with the text.
    pub(super) fn meet_endings(&mut self, text: &Text, subject: &str) {
        let Some(rest) = subject.strip_suffix(text.after.as_str()) else {
            return;
        };
        for (head, value) in splits(rest) {
            if head.ends_with(text.before.as_str()) {
                self.hit(text.variable, value);
            }
        }
    }

    /// Notes every value with which the text stands somewhere in `subject`.
    pub(super) fn meet_parts(&mut self, text: &Text, subject: &str) {
        if subject.len() > LONGEST_PARTED {
            self.overflow = true;
            return;
        }
        for (_, rest) in splits(subject) {
            self.meet_beginnings(text, rest);
        }
    }

    /// Compares two values as `==` does.
    pub(super) fn equality(&mut self, left: &Sym<'_>, right: &Sym<'_>) -> Equality {
        match (left, right) {
            (Sym::Known(left), Sym::Known(right)) => {
                use jpx_core::ValueExt as _;
                match left.compare(&jpx_core::ast::Comparator::Equal, right) {
                    Some(true) => Equality::Equal,
                    Some(false) => Equality::Different,
                    None => Equality::Unknown,
                }
            }
            (Sym::Text(text), Sym::Known(known)) | (Sym::Known(known), Sym::Text(text)) => {
                if let Value::String(whole) = known.as_ref() {
                    self.meet(text, whole);
                }
                Equality::Different
            }
            (Sym::Text(left), Sym::Text(right)) => texts(left, right),
            (Sym::List(_), Sym::Known(known)) | (Sym::Known(known), Sym::List(_)) if !known.is_array() => {
                Equality::Different
            }
            (Sym::List(_), Sym::Text(_)) | (Sym::Text(_), Sym::List(_)) => Equality::Different,
            (Sym::List(_), Sym::Known(_) | Sym::List(_))
            | (Sym::Known(_), Sym::List(_))
            | (Sym::Falsy | Sym::Unknown, _)
            | (_, Sym::Falsy | Sym::Unknown) => Equality::Unknown,
        }
    }
}

/// Compares two texts around variables.
fn texts(left: &Text, right: &Text) -> Equality {
    if left == right {
        return Equality::Equal;
    }
    let around = |text: &Text| text.before.len() + text.after.len();
    if left.variable == right.variable && around(left) != around(right) {
        return Equality::Different;
    }
    Equality::Unknown
}

/// Returns the value of the variable with which the text is `whole`.
fn inverse<'a>(text: &Text, whole: &'a str) -> Option<&'a str> {
    whole
        .strip_prefix(text.before.as_str())?
        .strip_suffix(text.after.as_str())
}

/// All ways to cut a string in two, between characters.
fn splits(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.char_indices()
        .map(|(at, _)| at)
        .chain(std::iter::once(text.len()))
        .filter_map(|at| text.split_at_checked(at))
}
