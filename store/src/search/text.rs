//! Values as texts that both engines order alike, and comparisons of texts in SQL. Never knows a table.

use jiff::Timestamp;

use super::condition::Operator;
use crate::value::Bind;

/// Writes a boolean.
pub(super) const fn boolean(is_true: bool) -> &'static str {
    if is_true { "b1" } else { "b0" }
}

/// Writes a number so that texts order like the numbers.
pub(super) fn number(number: f64) -> String {
    // Both zeros are one number.
    let bits = if number == 0.0 { 0 } else { number.to_bits() };
    let ordered = if bits >> 63 == 1 { !bits } else { bits | 1 << 63 };
    format!("n{ordered:016x}")
}

/// Writes an instant so that texts order like the instants.
pub(super) fn instant(instant: Timestamp) -> String {
    // The earliest timestamp lies 3.8 * 10^20 nanoseconds before 1970.
    const SHIFT: i128 = 1_000_000_000_000_000_000_000;
    format!("d{:022}", instant.as_nanosecond() + SHIFT)
}

/// The first text behind all that start with `prefix`; none if there is no such text.
pub(super) fn successor(prefix: &str) -> Option<String> {
    let mut letters: Vec<char> = prefix.chars().collect();
    while let Some(last) = letters.pop() {
        let next = match last {
            '\u{d7ff}' => Some('\u{e000}'),
            last => char::from_u32(u32::from(last) + 1),
        };
        if let Some(next) = next {
            letters.push(next);
            return Some(letters.into_iter().collect());
        }
    }
    None
}

/// The arguments of a statement that is being built.
pub(super) struct Binds(pub(super) Vec<Bind>);

impl Binds {
    /// Adds an argument and returns its place.
    pub(super) fn add(&mut self, value: impl Into<Bind>) -> String {
        self.0.push(value.into());
        format!("${}", self.0.len())
    }
}

/// Compares the text `expression` with a literal. Null where the expression is; the caller makes that false.
///
/// `mark` is the letter before all texts of the expression, if they have one.
pub(super) fn compare(
    binds: &mut Binds,
    expression: &str,
    mark: Option<char>,
    operator: Operator,
    literal: &str,
) -> String {
    let marked = mark.map_or_else(|| literal.to_owned(), |mark| format!("{mark}{literal}"));
    // With a mark, order is only among texts with the same mark.
    let above = |binds: &mut Binds| match mark {
        Some(mark) => format!(
            " AND {expression}{{binary}} < {}",
            binds.add(successor(&mark.to_string()))
        ),
        None => String::new(),
    };
    let below = |binds: &mut Binds| match mark {
        Some(mark) => format!(" AND {expression}{{binary}} >= {}", binds.add(mark.to_string())),
        None => String::new(),
    };
    match operator {
        Operator::Equal | Operator::NotEqual => format!("{expression} = {}", binds.add(marked)),
        Operator::StartsWith => {
            let from = binds.add(&marked);
            match successor(&marked) {
                Some(behind) => format!(
                    "({expression}{{binary}} >= {from} AND {expression}{{binary}} < {})",
                    binds.add(behind)
                ),
                None => format!("{expression}{{binary}} >= {from}"),
            }
        }
        Operator::Contains => {
            let literal = binds.add(literal);
            match mark {
                Some(mark) => format!(
                    "(substr({expression}, 1, 1) = '{mark}' AND {{position}}(substr({expression}, 2), {literal}) > 0)"
                ),
                None => format!("{{position}}({expression}, {literal}) > 0"),
            }
        }
        Operator::EndsWith => {
            let literal = binds.add(literal);
            let (start, spare) = match mark {
                Some(mark) => (format!("substr({expression}, 1, 1) = '{mark}' AND "), 1),
                None => (String::new(), 0),
            };
            format!(
                "({start}length({expression}) >= length({literal}) + {spare} \
                 AND substr({expression}, length({expression}) - length({literal}) + 1) = {literal})"
            )
        }
        Operator::Greater => {
            let from = binds.add(marked);
            format!("({expression}{{binary}} > {from}{})", above(binds))
        }
        Operator::GreaterOrEqual => {
            let from = binds.add(marked);
            format!("({expression}{{binary}} >= {from}{})", above(binds))
        }
        Operator::Less => {
            let to = binds.add(marked);
            format!("({expression}{{binary}} < {to}{})", below(binds))
        }
        Operator::LessOrEqual => {
            let to = binds.add(marked);
            format!("({expression}{{binary}} <= {to}{})", below(binds))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_order_like_their_texts() {
        let numbers = [f64::MIN, -2.5, -1.0, -0.5, 0.0, 0.25, 1.0, 2.0, 10.0, 1e300];
        let texts: Vec<String> = numbers.iter().map(|value| number(*value)).collect();
        assert!(texts.is_sorted(), "{texts:?}");
        assert_eq!(number(-0.0), number(0.0));
    }

    #[test]
    fn instants_order_like_their_texts() {
        let instants = [Timestamp::MIN, Timestamp::UNIX_EPOCH, Timestamp::MAX];
        let texts: Vec<String> = instants.iter().map(|value| instant(*value)).collect();
        assert!(
            texts.is_sorted() && texts.iter().all(|text| text.len() == 23),
            "{texts:?}"
        );
    }

    #[test]
    fn the_successor_lies_behind_all_with_the_prefix() {
        assert_eq!(successor("ab").as_deref(), Some("ac"));
        assert_eq!(successor("a\u{10ffff}").as_deref(), Some("b"));
        assert_eq!(successor("\u{d7ff}").as_deref(), Some("\u{e000}"));
        assert_eq!(successor("\u{10ffff}"), None);
        assert_eq!(successor(""), None);
    }
}
