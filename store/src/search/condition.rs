//! The condition of a search as a value.

use jiff::Timestamp;

/// Which resources are wanted.
#[derive(Clone, Debug, PartialEq)]
pub enum Condition {
    /// Every one.
    All,
    /// All hold; none is [`Condition::All`].
    And(Vec<Condition>),
    /// One holds; none is nothing.
    Or(Vec<Condition>),
    /// The inner one does not hold.
    Not(Box<Condition>),
    /// A value compares like this. On a list: the value of one element, except that [`Operator::NotEqual`] wants none equal.
    Compare {
        /// What is compared.
        field: Field,
        /// How.
        operator: Operator,
        /// With what.
        literal: Literal,
    },
    /// There is a value.
    Present(Field),
    /// For one element of a list, or for a complex value, the whole inner condition holds. The fields inside are
    /// [`Field::Sub`].
    Element {
        /// Name of the attribute as in [`Field::Attribute`].
        attribute: String,
        /// What holds for the element.
        condition: Box<Condition>,
    },
}

/// What is compared or sorted by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Field {
    /// Identifier of the account or group; always compared exactly.
    Id,
    /// User name of an account, or the address of one without (made by hand or by a sign-in).
    UserName,
    /// Identifier given by the directory; always compared exactly.
    ExternalId,
    /// Whether an account is active or invited.
    Active,
    /// Given name of an account.
    GivenName,
    /// Family name of an account.
    FamilyName,
    /// Display name of an account, name of a group.
    DisplayName,
    /// When it came into being, exact to a millisecond.
    Created,
    /// When it last changed, exact to a millisecond.
    Modified,
    /// Anything else of the document. An attribute of an extension is named with the extension before it, as in
    /// `urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager`; case of names does not matter.
    ///
    /// `emails` of an account without any in its document is the account's own address, as a primary element of type
    /// `work`. `groups` of an account and `members` of a group are looked up in the memberships; they have `value`,
    /// `display` and `type`.
    Attribute {
        /// Name of the attribute.
        name: String,
        /// Sub-attribute; none means `value`, or the plain value itself.
        sub: Option<String>,
    },
    /// A sub-attribute of the element at hand, only inside [`Condition::Element`].
    Sub(String),
}

/// How two values are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operator {
    /// Equal.
    Equal,
    /// Not equal, or absent.
    NotEqual,
    /// Contains; texts only.
    Contains,
    /// Starts with; texts only.
    StartsWith,
    /// Ends with; texts only.
    EndsWith,
    /// Greater; not for booleans.
    Greater,
    /// Greater or equal; not for booleans.
    GreaterOrEqual,
    /// Less; not for booleans.
    Less,
    /// Less or equal; not for booleans.
    LessOrEqual,
}

/// What is compared with. Values of another type than the literal's fit no comparison.
#[derive(Clone, Debug, PartialEq)]
pub enum Literal {
    /// A text.
    Text {
        /// The text, as it was asked for.
        text: String,
        /// Whether case matters.
        exact: bool,
    },
    /// True or false.
    Bool(bool),
    /// A number.
    Number(f64),
    /// An instant.
    Instant(Timestamp),
}

impl Field {
    /// Names an attribute without sub-attribute.
    pub fn attribute(name: &str) -> Self {
        Self::Attribute {
            name: name.to_owned(),
            sub: None,
        }
    }

    /// Names a sub-attribute.
    pub fn sub_attribute(name: &str, sub: &str) -> Self {
        Self::Attribute {
            name: name.to_owned(),
            sub: Some(sub.to_owned()),
        }
    }
}

impl Condition {
    /// Compares a field with a text.
    pub fn text(field: Field, operator: Operator, text: &str, exact: bool) -> Self {
        let text = text.to_owned();
        Self::Compare {
            field,
            operator,
            literal: Literal::Text { text, exact },
        }
    }

    /// Turns the condition around.
    #[must_use]
    pub fn negated(self) -> Self {
        Self::Not(Box::new(self))
    }
}
