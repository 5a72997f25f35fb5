//! Giving a literal the type of its attribute.

use jiff::Timestamp;
use jiff::civil::DateTime;

use super::token::Token;
use super::{Comparison, Operand, Operator};
use crate::ScimError;
use crate::error::excerpt;
use crate::path::AttributePath;
use crate::schema::Kind;

impl Operator {
    /// Reads the word of an operator.
    pub(super) fn parse(word: &str) -> Option<Self> {
        let all = [
            ("eq", Self::Eq),
            ("ne", Self::Ne),
            ("co", Self::Co),
            ("sw", Self::Sw),
            ("ew", Self::Ew),
            ("pr", Self::Pr),
            ("gt", Self::Gt),
            ("ge", Self::Ge),
            ("lt", Self::Lt),
            ("le", Self::Le),
        ];
        let found = all.into_iter().find(|(text, _)| text.eq_ignore_ascii_case(word));
        found.map(|(_, operator)| operator)
    }

    const fn is_order(self) -> bool {
        matches!(self, Self::Gt | Self::Ge | Self::Lt | Self::Le)
    }

    const fn is_part(self) -> bool {
        matches!(self, Self::Co | Self::Sw | Self::Ew)
    }
}

/// Builds a comparison, or says why the attribute cannot be compared so.
pub(super) fn comparison(
    path: AttributePath,
    operator: Operator,
    literal: Option<&Token<'_>>,
) -> Result<Comparison, ScimError> {
    let operand = match literal {
        None => Operand::Nothing,
        Some(Token::Word(word)) if *word == "null" => null(&path, operator)?,
        Some(Token::Word(word)) => typed(&path, operator, word)?,
        Some(Token::Text(text)) => typed(&path, operator, text)?,
        Some(Token::Open | Token::Close | Token::OpenBracket | Token::CloseBracket) => Operand::Null,
    };
    Ok(Comparison {
        path,
        operator,
        operand,
    })
}

fn null(path: &AttributePath, operator: Operator) -> Result<Operand, ScimError> {
    if matches!(operator, Operator::Eq | Operator::Ne) {
        return Ok(Operand::Null);
    }
    Err(ScimError::invalid_filter(format!(
        "'{path}' can be compared with null by eq and ne only"
    )))
}

/// Reads a literal as the type of its attribute. Microsoft's documents leave the quotes off texts and put them around
/// booleans, so both are read by the attribute and not by their own form.
fn typed(path: &AttributePath, operator: Operator, text: &str) -> Result<Operand, ScimError> {
    let does_not_fit = match path.kind {
        Kind::Boolean => operator.is_order() || operator.is_part(),
        Kind::Binary => operator.is_order(),
        Kind::Integer | Kind::Decimal | Kind::DateTime => operator.is_part(),
        Kind::String | Kind::Reference => false,
        Kind::Complex => true,
    };
    if does_not_fit {
        return Err(ScimError::invalid_filter(format!(
            "'{path}' is of type {} and cannot be compared by this operator",
            path.kind.as_str()
        )));
    }
    let operand = match path.kind {
        Kind::String | Kind::Reference | Kind::Binary | Kind::Complex => Some(Operand::Text(text.to_owned())),
        Kind::Boolean => crate::quirks::boolean_in_text(text).map(Operand::Bool),
        Kind::Integer | Kind::Decimal => number(text),
        Kind::DateTime => instant(text).map(Operand::Instant),
    };
    operand.ok_or_else(|| {
        ScimError::invalid_filter(format!(
            "'{}' is not a value of '{path}', which is of type {}",
            excerpt(text),
            path.kind.as_str()
        ))
    })
}

fn number(text: &str) -> Option<Operand> {
    if let Ok(whole) = text.parse() {
        return Some(Operand::Integer(whole));
    }
    let decimal: f64 = text.parse().ok()?;
    decimal.is_finite().then_some(Operand::Decimal(decimal))
}

/// Reads an instant; one without offset is taken as UTC.
pub(crate) fn instant(text: &str) -> Option<Timestamp> {
    if let Ok(instant) = text.parse() {
        return Some(instant);
    }
    if !text.contains(['T', 't']) {
        return None;
    }
    let local: DateTime = text.parse().ok()?;
    let zoned = local.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
    Some(zoned.timestamp())
}
