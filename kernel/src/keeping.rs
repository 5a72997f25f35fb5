//! Who keeps which field of an account: where the values of admin-defined attributes came from, and which fields of a directory
//! an admin overrides for a while. Kept with the account, so that every decision sees it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::attribute::AttributeSource;
use crate::directory::{Account, AccountKind};
use crate::email::Email;

/// What is remembered beside the fields of an account.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Keeping {
    /// Where the value of each attribute came from; one that is missing here was set by hand.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub sources: BTreeMap<String, AttributeSource>,
    /// Fields that hold something else than the directory wants, and until when.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub overrides: Vec<FieldOverride>,
}

impl Keeping {
    /// Tells whether there is nothing to remember.
    pub fn is_empty(&self) -> bool {
        self.sources.is_empty() && self.overrides.is_empty()
    }

    /// When the first override ends.
    pub fn ends_at(&self) -> Option<Timestamp> {
        self.overrides.iter().map(|held| held.until).min()
    }

    /// Finds the override of a field.
    pub fn override_of(&self, field: &KeptField) -> Option<&FieldOverride> {
        self.overrides.iter().find(|held| held.field == *field)
    }
}

/// A field that an admin set to another value than the directory's, for a while.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FieldOverride {
    /// Which field.
    pub field: KeptField,
    /// When the directory's value returns.
    pub until: Timestamp,
    /// What the directory wants by now; pushes keep it up to date.
    pub returns: Value,
    /// Who did that.
    pub by: String,
}

/// A field that can be overridden: none that says which person an account is of.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum KeptField {
    /// User or reader.
    Kind,
    /// Address.
    Email,
    /// Given name.
    GivenName,
    /// Family name.
    FamilyName,
    /// Name to display.
    DisplayName,
    /// An attribute, by its name.
    Attribute(String),
}

/// Text is no field that can be overridden.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownField;

impl std::fmt::Display for UnknownField {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("not kind, email, given_name, family_name, display_name or attributes.NAME")
    }
}

impl std::error::Error for UnknownField {}

impl From<KeptField> for String {
    fn from(field: KeptField) -> Self {
        field.to_string()
    }
}

impl TryFrom<String> for KeptField {
    type Error = UnknownField;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl std::str::FromStr for KeptField {
    type Err = UnknownField;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text {
            "kind" => Self::Kind,
            "email" => Self::Email,
            "given_name" => Self::GivenName,
            "family_name" => Self::FamilyName,
            "display_name" => Self::DisplayName,
            other => match other.strip_prefix("attributes.") {
                Some(name) if crate::attribute::is_name(name) => Self::Attribute(name.to_owned()),
                Some(_) | None => return Err(UnknownField),
            },
        })
    }
}

impl std::fmt::Display for KeptField {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Kind => f.write_str("kind"),
            Self::Email => f.write_str("email"),
            Self::GivenName => f.write_str("given_name"),
            Self::FamilyName => f.write_str("family_name"),
            Self::DisplayName => f.write_str("display_name"),
            Self::Attribute(name) => write!(f, "attributes.{name}"),
        }
    }
}

/// A value that the field cannot hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotHoldable;

impl KeptField {
    /// Reads the field of an account.
    pub fn of(&self, account: &Account) -> Value {
        match self {
            Self::Kind => json!(account.kind),
            Self::Email => json!(account.email),
            Self::GivenName => json!(account.given_name),
            Self::FamilyName => json!(account.family_name),
            Self::DisplayName => json!(account.display_name),
            Self::Attribute(name) => account.attributes.get(name).cloned().unwrap_or_default(),
        }
    }

    /// Sets the field of an account; null empties it.
    ///
    /// # Errors
    /// [`NotHoldable`], with the account left as it was.
    pub fn put(&self, account: &mut Account, value: &Value) -> Result<(), NotHoldable> {
        let text = || match value {
            Value::Null => Ok(None),
            Value::String(text) if text.is_empty() => Ok(None),
            Value::String(text) => Ok(Some(text.clone())),
            Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => Err(NotHoldable),
        };
        match self {
            Self::Kind => {
                account.kind =
                    serde_json::from_value::<AccountKind>(value.clone()).map_err(|_| NotHoldable)?;
            }
            Self::Email => {
                let parsed = text()?.map(|text| Email::parse(&text)).transpose();
                account.email = parsed.map_err(|_| NotHoldable)?;
            }
            Self::GivenName => account.given_name = text()?,
            Self::FamilyName => account.family_name = text()?,
            Self::DisplayName => account.display_name = text()?,
            Self::Attribute(name) if value.is_null() => drop(account.attributes.remove(name)),
            Self::Attribute(name) => drop(account.attributes.insert(name.clone(), value.clone())),
        }
        Ok(())
    }
}

/// Keeps overridden fields of `held` in `wanted`, and remembers what was wanted for the day when the override ends.
pub fn hold(held: &Account, wanted: &mut Account) {
    hold_those(held, wanted, |_| true);
}

/// The same for one field, where nothing is known of what the directory wants of the others.
pub fn hold_only(held: &Account, wanted: &mut Account, field: &KeptField) {
    hold_those(held, wanted, |own| own == field);
}

fn hold_those(held: &Account, wanted: &mut Account, is_meant: impl Fn(&KeptField) -> bool) {
    let mut overrides = held.keeping.overrides.clone();
    for held_back in overrides
        .iter_mut()
        .filter(|held_back| is_meant(&held_back.field))
    {
        let value = held_back.field.of(wanted);
        // What an account held can be put back.
        if held_back.field.put(wanted, &held_back.field.of(held)).is_ok() {
            held_back.returns = value;
        }
    }
    wanted.keeping.overrides = overrides;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_written_as_they_are_read() {
        for text in [
            "kind",
            "email",
            "given_name",
            "family_name",
            "display_name",
            "attributes.nfc",
        ] {
            let field: KeptField = text.parse().unwrap();
            assert_eq!(field.to_string(), text);
            assert_eq!(serde_json::to_value(&field).unwrap(), json!(text));
        }
        for wrong in [
            "",
            "user_name",
            "external_id",
            "attributes.",
            "attributes.a b",
            "attributes",
        ] {
            assert!(wrong.parse::<KeptField>().is_err(), "{wrong}");
        }
    }
}
