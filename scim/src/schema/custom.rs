//! Attributes that an administrator has added to users.
//!
//! They live in one extension of our own. A client may also send them at core level or below any URN that we do not
//! know: Okta lets the administrator of the app choose the namespace.

use super::attribute::{Attribute, Kind};
use super::{CUSTOM_URN, Schema};

/// One attribute that the administrator has added, for example `nfc`.
#[derive(Clone, Debug, PartialEq)]
pub struct CustomAttribute {
    /// The name; see [`CustomAttribute::is_valid_name`].
    pub name: String,
    /// The data type; complex attributes cannot be added.
    pub kind: Kind,
    /// Whether the value is a list.
    pub multi_valued: bool,
    /// The usual values, if they are known.
    pub canonical_values: Vec<String>,
    /// One sentence for people.
    pub description: String,
}

impl CustomAttribute {
    /// Builds a text attribute with one value.
    pub fn text(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            kind: Kind::String,
            multi_valued: false,
            canonical_values: Vec::new(),
            description: String::new(),
        }
    }

    /// Whether a name may be given to an attribute: a letter, then letters, digits, `-` and `_` (RFC 7643 section 2.1).
    pub fn is_valid_name(name: &str) -> bool {
        name.len() <= 64
            && name.starts_with(|c: char| c.is_ascii_alphabetic())
            && name
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
    }
}

/// The extension that holds them. Complex attributes and names that cannot be addressed are left out.
pub(super) fn schema(custom: &[CustomAttribute]) -> Schema {
    let usable = |custom: &&CustomAttribute| {
        CustomAttribute::is_valid_name(&custom.name) && custom.kind != Kind::Complex
    };
    let attributes = custom.iter().filter(usable).map(|custom| {
        let mut attribute = Attribute::new(&custom.name, custom.kind, &custom.description);
        attribute.multi_valued = custom.multi_valued;
        attribute.canonical_values.clone_from(&custom.canonical_values);
        attribute
    });
    Schema::of(
        CUSTOM_URN,
        "CustomUser",
        "Attributes added by the administrator",
        attributes.collect(),
    )
}
