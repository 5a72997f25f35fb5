//! Filters: the whole grammar of RFC 7644 section 3.4.2.2, resolved against the schema tables.
//!
//! Owns: reading a filter within hard limits, and [`Filter::matches`], which is the meaning of a filter; whatever
//! compiles one to SQL is tested against it. Never: recurses without a limit.
//!
//! What the RFC leaves open: `ne` is "not `eq`", so it holds where the attribute is absent, and on a list where no
//! element is equal; `eq null` means "not present"; on a list any other comparison holds if one element fits; text is
//! ordered by its (folded) characters; there is no order on booleans and bytes.

pub(crate) mod compare;
mod matching;
mod parse;
#[cfg(test)]
mod tests;
mod token;

use crate::path::AttributePath;
use crate::schema::{Attribute, Schemas};
use crate::{ResourceKind, ScimError, Version};

pub use matching::fold;

/// What a filter may cost. A hostile one is refused before anything recurses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most bytes of text.
    pub chars: usize,
    /// The deepest nesting of parentheses and brackets.
    pub depth: usize,
    /// The most comparisons.
    pub terms: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            chars: 4096,
            depth: 16,
            terms: 64,
        }
    }
}

/// A filter.
#[derive(Clone, Debug, PartialEq)]
pub enum Filter {
    /// All hold; two or more.
    And(Vec<Self>),
    /// One holds; two or more.
    Or(Vec<Self>),
    /// The inner one does not hold.
    Not(Box<Self>),
    /// One comparison.
    Compare(Comparison),
    /// One element of a list (or the one complex value) for which the whole inner filter holds. Inside, paths are
    /// those of sub-attributes.
    Element(AttributePath, Box<Self>),
}

/// One comparison.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// What is compared.
    pub path: AttributePath,
    /// How.
    pub operator: Operator,
    /// With what; [`Operand::Nothing`] for `pr`.
    pub operand: Operand,
}

/// How two values are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operator {
    /// Equal.
    Eq,
    /// Not equal, or absent.
    Ne,
    /// Contains.
    Co,
    /// Starts with.
    Sw,
    /// Ends with.
    Ew,
    /// Is present.
    Pr,
    /// Greater than.
    Gt,
    /// Greater than or equal.
    Ge,
    /// Less than.
    Lt,
    /// Less than or equal.
    Le,
}

/// What a value is compared with; its type fits the attribute.
#[derive(Clone, Debug, PartialEq)]
pub enum Operand {
    /// Nothing: the operator is `pr`.
    Nothing,
    /// `null`: only with `eq` and `ne`.
    Null,
    /// True or false.
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// Any other number.
    Decimal(f64),
    /// Text, as the client wrote it; fold it where `case_exact` is false.
    Text(String),
    /// An instant.
    Instant(jiff::Timestamp),
}

impl Filter {
    /// Reads a filter of SCIM 2.0. The names and URNs of 1.1 are understood as well.
    pub fn parse(
        text: &str,
        kind: ResourceKind,
        schemas: &Schemas,
        limits: &Limits,
    ) -> Result<Self, ScimError> {
        parse::resource(text, kind, schemas, limits, Version::V2)
    }

    /// Reads a filter of SCIM 1.1: no `ne`, `ew`, `not` and brackets.
    pub fn parse_v1(
        text: &str,
        kind: ResourceKind,
        schemas: &Schemas,
        limits: &Limits,
    ) -> Result<Self, ScimError> {
        parse::resource(text, kind, schemas, limits, Version::V1)
    }

    /// Reads the inside of `attribute[…]`.
    pub(crate) fn parse_selection(
        text: &str,
        attribute: &Attribute,
        limits: &Limits,
    ) -> Result<Self, ScimError> {
        parse::element(text, attribute, limits)
    }

    /// How many comparisons the filter makes.
    pub(crate) fn terms(&self) -> usize {
        match self {
            Self::And(filters) | Self::Or(filters) => filters.iter().map(Self::terms).sum(),
            Self::Not(inner) | Self::Element(_, inner) => inner.terms(),
            Self::Compare(_) => 1,
        }
    }

    /// Whether a resource fits, given as its document or full representation in canonical spelling.
    pub fn matches(&self, resource: &serde_json::Value) -> bool {
        matching::holds(self, resource)
    }
}
