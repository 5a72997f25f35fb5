//! One attribute and its characteristics.
//!
//! Owns: the types and the short constructors with which the tables are written; the defaults are those of RFC 7643
//! section 2.2. Never: knows which attributes exist.

/// The data type of an attribute (RFC 7643 section 2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Text.
    String,
    /// True or false.
    Boolean,
    /// A number.
    Decimal,
    /// A whole number.
    Integer,
    /// An instant, written as in XML Schema.
    DateTime,
    /// Bytes, in base64.
    Binary,
    /// A URI.
    Reference,
    /// A set of sub-attributes.
    Complex,
}

impl Kind {
    /// The word in a published schema.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Boolean => "boolean",
            Self::Decimal => "decimal",
            Self::Integer => "integer",
            Self::DateTime => "dateTime",
            Self::Binary => "binary",
            Self::Reference => "reference",
            Self::Complex => "complex",
        }
    }
}

/// Who may write an attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mutability {
    /// Only the server.
    ReadOnly,
    /// The client, at any time.
    ReadWrite,
    /// The client, once.
    Immutable,
    /// The client, and nobody reads it.
    WriteOnly,
}

impl Mutability {
    /// The word in a published schema.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ReadOnly => "readOnly",
            Self::ReadWrite => "readWrite",
            Self::Immutable => "immutable",
            Self::WriteOnly => "writeOnly",
        }
    }
}

/// When an attribute stands in a representation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Returned {
    /// Even if it is excluded.
    Always,
    /// Never.
    Never,
    /// Unless it is excluded or others are asked for.
    Default,
    /// Only if it is asked for.
    Request,
}

impl Returned {
    /// The word in a published schema.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Always => "always",
            Self::Never => "never",
            Self::Default => "default",
            Self::Request => "request",
        }
    }
}

/// Whether two resources may have the same value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Uniqueness {
    /// They may.
    None,
    /// Not below one base address.
    Server,
    /// Nowhere.
    Global,
}

impl Uniqueness {
    /// The word in a published schema.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Server => "server",
            Self::Global => "global",
        }
    }
}

/// One attribute or sub-attribute.
#[derive(Clone, Debug, PartialEq)]
pub struct Attribute {
    /// The name in its one true spelling.
    pub name: String,
    /// The data type.
    pub kind: Kind,
    /// Whether the value is a list.
    pub multi_valued: bool,
    /// Whether a resource must have it.
    pub required: bool,
    /// Whether upper and lower case differ in comparisons.
    pub case_exact: bool,
    /// Who may write it.
    pub mutability: Mutability,
    /// When it is returned.
    pub returned: Returned,
    /// Whether values are unique.
    pub uniqueness: Uniqueness,
    /// The usual values; strict connections accept no others.
    pub canonical_values: Vec<String>,
    /// What a reference may point to.
    pub reference_types: Vec<String>,
    /// One sentence for people.
    pub description: String,
    /// The parts of a complex attribute.
    pub sub_attributes: Vec<Self>,
}

impl Attribute {
    pub(crate) fn new(name: &str, kind: Kind, description: &str) -> Self {
        Self {
            name: name.to_owned(),
            kind,
            multi_valued: false,
            required: false,
            case_exact: matches!(kind, Kind::Binary | Kind::Reference | Kind::DateTime),
            mutability: Mutability::ReadWrite,
            returned: Returned::Default,
            uniqueness: Uniqueness::None,
            canonical_values: Vec::new(),
            reference_types: Vec::new(),
            description: description.to_owned(),
            sub_attributes: Vec::new(),
        }
    }

    pub(crate) fn text(name: &str, description: &str) -> Self {
        Self::new(name, Kind::String, description)
    }

    pub(crate) fn boolean(name: &str, description: &str) -> Self {
        Self::new(name, Kind::Boolean, description)
    }

    pub(crate) fn reference(name: &str, types: &[&str], description: &str) -> Self {
        let mut attribute = Self::new(name, Kind::Reference, description);
        attribute.reference_types = owned(types);
        attribute
    }

    pub(crate) fn complex(name: &str, description: &str, sub_attributes: Vec<Self>) -> Self {
        let mut attribute = Self::new(name, Kind::Complex, description);
        attribute.sub_attributes = sub_attributes;
        attribute
    }

    pub(crate) fn many(mut self) -> Self {
        self.multi_valued = true;
        self
    }

    pub(crate) fn required(mut self) -> Self {
        self.required = true;
        self
    }

    pub(crate) fn exact(mut self) -> Self {
        self.case_exact = true;
        self
    }

    pub(crate) fn unique(mut self, uniqueness: Uniqueness) -> Self {
        self.uniqueness = uniqueness;
        self
    }

    pub(crate) fn returned(mut self, returned: Returned) -> Self {
        self.returned = returned;
        self
    }

    /// Sets who may write the attribute, and its sub-attributes with it.
    pub(crate) fn mutability(mut self, mutability: Mutability) -> Self {
        self.mutability = mutability;
        for sub in &mut self.sub_attributes {
            sub.mutability = mutability;
        }
        self
    }

    pub(crate) fn usual(mut self, values: &[&str]) -> Self {
        self.canonical_values = owned(values);
        self
    }

    /// Returns the sub-attribute of a name, in any case (RFC 7643 section 2.1).
    pub fn sub(&self, name: &str) -> Option<&Self> {
        self.sub_attributes
            .iter()
            .find(|sub| sub.name.eq_ignore_ascii_case(name))
    }

    /// Whether the attribute is complex.
    pub const fn is_complex(&self) -> bool {
        matches!(self.kind, Kind::Complex)
    }

    /// Whether only the server writes it.
    pub const fn is_read_only(&self) -> bool {
        matches!(self.mutability, Mutability::ReadOnly)
    }
}

fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}
