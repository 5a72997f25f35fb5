//! What kinds of values an expression can give at all, as far as its syntax tells. Never looks at a document: a field may hold
//! anything.

use jpx_core::ast::{Ast, Comparator};
use serde_json::Value;

/// A set of kinds of values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kinds(u8);

impl Kinds {
    const NULL: Self = Self(1);
    /// `true` and `false`.
    pub(crate) const BOOLEAN: Self = Self(2);
    const NUMBER: Self = Self(4);
    /// Strings.
    pub(crate) const STRING: Self = Self(8);
    /// Lists.
    pub(crate) const LIST: Self = Self(16);
    const OBJECT: Self = Self(32);
    const ANY: Self = Self(63);

    /// Kinds of either set.
    pub(crate) const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Tells whether the sets have a kind in common.
    pub(crate) const fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Names the kinds, "nothing" aside where there are others.
    pub(crate) fn names(self) -> String {
        let all = [
            (Self::BOOLEAN, "true or false"),
            (Self::NUMBER, "a number"),
            (Self::STRING, "a text"),
            (Self::LIST, "a list"),
            (Self::OBJECT, "an object"),
        ];
        let names: Vec<&str> = all
            .into_iter()
            .filter(|(kind, _)| self.meets(*kind))
            .map(|(_, name)| name)
            .collect();
        if names.is_empty() {
            "nothing".to_owned()
        } else {
            names.join(" or ")
        }
    }
}

/// Returns the kinds of values that a node can give.
pub(super) fn of(node: &Ast) -> Kinds {
    match node {
        Ast::Identity { .. } | Ast::Field { .. } | Ast::Index { .. } | Ast::Expref { .. } => Kinds::ANY,
        Ast::Literal { value, .. } => match value {
            Value::Null => Kinds::NULL,
            Value::Bool(_) => Kinds::BOOLEAN,
            Value::Number(_) => Kinds::NUMBER,
            Value::String(_) => Kinds::STRING,
            Value::Array(_) => Kinds::LIST,
            Value::Object(_) => Kinds::OBJECT,
        },
        Ast::Comparison {
            comparator: Comparator::Equal | Comparator::NotEqual,
            ..
        }
        | Ast::Not { .. } => Kinds::BOOLEAN,
        Ast::Comparison { .. } => Kinds::BOOLEAN.or(Kinds::NULL),
        Ast::And { lhs, rhs, .. } | Ast::Or { lhs, rhs, .. } => of(lhs).or(of(rhs)),
        Ast::Condition { then, .. } => of(then).or(Kinds::NULL),
        Ast::Subexpr { rhs, .. } => of(rhs),
        Ast::Projection { .. }
        | Ast::Flatten { .. }
        | Ast::ObjectValues { .. }
        | Ast::Slice { .. }
        | Ast::MultiList { .. } => Kinds::LIST.or(Kinds::NULL),
        Ast::MultiHash { .. } => Kinds::OBJECT.or(Kinds::NULL),
        Ast::Function { name, args, .. } => function(name, args),
    }
}

fn function(name: &str, args: &[Ast]) -> Kinds {
    match name {
        "contains" | "starts_with" | "ends_with" => Kinds::BOOLEAN,
        "abs" | "ceil" | "floor" | "length" | "sum" => Kinds::NUMBER,
        "avg" | "to_number" => Kinds::NUMBER.or(Kinds::NULL),
        "join" | "to_string" | "type" => Kinds::STRING,
        "keys" | "values" | "map" | "sort" | "sort_by" | "to_array" => Kinds::LIST,
        "reverse" => Kinds::LIST.or(Kinds::STRING),
        "max" | "min" => Kinds::NUMBER.or(Kinds::STRING).or(Kinds::NULL),
        "merge" => Kinds::OBJECT,
        "not_null" => args.iter().map(of).fold(Kinds::NULL, Kinds::or),
        _ => Kinds::ANY,
    }
}
