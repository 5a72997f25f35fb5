//! Attributes that admins define (R-83, R-84, C-28): of which type they are, who may set them and whose value stands.
//! Never knows where values are kept; see [`crate::keeping`] for what is remembered beside them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Number, Value};

/// One attribute of people beyond the standard ones.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct AttributeDefinition {
    /// Name, such as `nfc`; letters, digits, `_` and `-`, beginning with a letter.
    #[cfg_attr(
        feature = "schema",
        schemars(regex(pattern = r"^[A-Za-z][A-Za-z0-9_-]{0,63}$"))
    )]
    pub name: String,
    /// Kind of value.
    #[serde(default, rename = "type", skip_serializing_if = "is_default")]
    pub kind: AttributeKind,
    /// Whether it holds a list.
    #[serde(default, skip_serializing_if = "is_default")]
    pub multi_valued: bool,
    /// Who may set it.
    #[serde(default = "AttributeSource::all", skip_serializing_if = "is_every_source")]
    pub sources: Vec<AttributeSource>,
    /// Whose value stands where several give one.
    #[serde(default, skip_serializing_if = "is_default")]
    pub winner: AttributeWinner,
    /// The claim or SAML attribute that fills it at a sign-in; absent, the one with its own name. A name with dots also
    /// leads into nested claims.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claim: Option<String>,
    /// Whether apps read it in ID tokens and userinfo, as a member of the claim `attributes`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub in_tokens: bool,
    /// Suggested values, shown to directories.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub canonical_values: Vec<String>,
    /// What it means, shown to directories.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

impl AttributeDefinition {
    /// Defines a text that every source may set.
    pub fn text(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            kind: AttributeKind::default(),
            multi_valued: false,
            sources: AttributeSource::all(),
            winner: AttributeWinner::default(),
            claim: None,
            in_tokens: false,
            canonical_values: Vec::new(),
            description: None,
        }
    }

    /// Tells whether a source may set it.
    pub fn takes(&self, source: AttributeSource) -> bool {
        self.sources.contains(&source)
    }

    /// Reads a value as this attribute's type. `Ok(None)` is no value: absent, null and empty are one state (RFC 7643 2.5).
    ///
    /// # Errors
    /// [`Mistyped`].
    pub fn read(&self, value: Option<&Value>) -> Result<Option<Value>, Mistyped> {
        let Some(value) = value else { return Ok(None) };
        let mut entries = Vec::new();
        let given = match value {
            Value::Array(entries) => entries.as_slice(),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {
                std::slice::from_ref(value)
            }
        };
        for entry in given {
            if !entry.is_null() && entry.as_str() != Some("") {
                entries.push(self.kind.read(entry).ok_or(Mistyped)?);
            }
        }
        match (self.multi_valued, entries.len()) {
            (_, 0) => Ok(None),
            (true, _) => Ok(Some(Value::Array(entries))),
            (false, 1) => Ok(entries.pop()),
            (false, _) => Err(Mistyped),
        }
    }

    /// Finds what a sign-in says about it.
    pub fn find<'a>(&self, claims: &'a Map<String, Value>) -> Option<&'a Value> {
        let name = self.claim.as_deref().unwrap_or(&self.name);
        if let Some(value) = claims.get(name) {
            return Some(value);
        }
        let (first, rest) = name.split_once('.')?;
        rest.split('.')
            .try_fold(claims.get(first)?, |value, part| value.get(part))
    }
}

/// A value is not of the type of its attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mistyped;

/// Kinds of values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum AttributeKind {
    /// Text.
    #[default]
    String,
    /// True or false.
    Boolean,
    /// A whole number.
    Integer,
    /// A number.
    Decimal,
    /// A moment in time.
    DateTime,
    /// A URI.
    Reference,
}

impl AttributeKind {
    /// Reads one value. SAML knows only texts, so a text that says a number or a boolean is one.
    fn read(self, value: &Value) -> Option<Value> {
        let text = value.as_str().map(str::trim);
        match self {
            // Written as it came: an identity provider may send a card number as a number.
            Self::String => match value {
                Value::String(_) => Some(value.clone()),
                Value::Number(number) => Some(Value::String(number.to_string())),
                Value::Bool(is_true) => Some(Value::String(is_true.to_string())),
                Value::Null | Value::Array(_) | Value::Object(_) => None,
            },
            Self::Reference => text.map(|text| Value::String(text.to_owned())),
            Self::Boolean => match (value, text) {
                (Value::Bool(_), _) => Some(value.clone()),
                (_, Some(text)) if text.eq_ignore_ascii_case("true") => Some(Value::Bool(true)),
                (_, Some(text)) if text.eq_ignore_ascii_case("false") => Some(Value::Bool(false)),
                _ => None,
            },
            Self::Integer => match text {
                Some(text) => text.parse::<i64>().ok().map(Value::from),
                None => value.as_i64().map(Value::from),
            },
            Self::Decimal => match text {
                Some(text) => Number::from_f64(text.parse().ok()?).map(Value::Number),
                None => value.is_number().then(|| value.clone()),
            },
            Self::DateTime => {
                let text = text?;
                text.parse::<jiff::Timestamp>().ok()?;
                Some(Value::String(text.to_owned()))
            }
        }
    }
}

/// Who sets an attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum AttributeSource {
    /// A directory that pushes.
    Scim,
    /// A SAML assertion at a sign-in.
    Saml,
    /// An ID token or userinfo at a sign-in.
    Oidc,
    /// A person by hand, the API or the declarative file.
    Manual,
}

impl AttributeSource {
    /// Returns every source.
    pub fn all() -> Vec<Self> {
        vec![Self::Scim, Self::Saml, Self::Oidc, Self::Manual]
    }

    /// Returns the name of the source as people read it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Scim => "the directory",
            Self::Saml => "the SAML assertion",
            Self::Oidc => "the ID token",
            Self::Manual => "somebody by hand",
        }
    }
}

impl From<crate::connection::Protocol> for AttributeSource {
    fn from(protocol: crate::connection::Protocol) -> Self {
        match protocol {
            crate::connection::Protocol::Saml => Self::Saml,
            crate::connection::Protocol::Oidc => Self::Oidc,
        }
    }
}

/// Whose value stands where several give one (C-28).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum AttributeWinner {
    /// The directory's or identity provider's; by hand it is set only while neither gives one. A push stands before a claim.
    #[default]
    Directory,
    /// What somebody set by hand.
    Manual,
    /// Whatever was set last.
    Latest,
}

impl AttributeWinner {
    /// Tells whether a value of `source` takes the place of one of `held`.
    fn lets(self, source: AttributeSource, held: AttributeSource) -> bool {
        use AttributeSource::{Manual, Scim};
        match self {
            Self::Latest => true,
            Self::Manual if source == Manual => true,
            Self::Manual => held != Manual && (source == Scim || held != Scim),
            Self::Directory if source == Manual => held == Manual,
            Self::Directory => source == Scim || held != Scim,
        }
    }

    /// Tells whether "no value" of `source` empties a value of `held`. A source takes back what it gave itself (R-84).
    fn lets_empty(self, source: AttributeSource, held: AttributeSource) -> bool {
        source == held || (source == AttributeSource::Manual && self.lets(source, held))
    }
}

/// Why a value was not taken over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// The source may not set the attribute.
    NotAllowed,
    /// A value of this source stands before it.
    StandsBefore(AttributeSource),
    /// The value is of another type.
    Mistyped,
}

/// Values with where each came from, while somebody says something about them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Values {
    /// The values by name.
    pub values: Map<String, Value>,
    /// Where they came from.
    pub sources: BTreeMap<String, AttributeSource>,
}

impl Values {
    /// Takes over what a source says about one attribute, no value included. False if nothing changed.
    ///
    /// An attribute without definition is the directory's where the directory gives it, and anybody's else.
    ///
    /// # Errors
    /// [`Kept`], with everything left as it was.
    pub fn say(
        &mut self,
        definitions: &[AttributeDefinition],
        source: AttributeSource,
        name: &str,
        value: Option<&Value>,
    ) -> Result<bool, Kept> {
        let definition = definitions.iter().find(|definition| definition.name == name);
        if definition.is_some_and(|definition| !definition.takes(source)) {
            return Err(Kept::NotAllowed);
        }
        let value = match definition {
            Some(definition) => definition.read(value).map_err(|Mistyped| Kept::Mistyped)?,
            None => value.filter(|value| !value.is_null()).cloned(),
        };
        let winner = definition.map_or(AttributeWinner::Directory, |definition| definition.winner);
        let held = self
            .values
            .contains_key(name)
            .then(|| self.sources.get(name).copied().unwrap_or(AttributeSource::Manual));
        let Some(value) = value else {
            return match held {
                Some(held) if winner.lets_empty(source, held) => {
                    self.values.remove(name);
                    self.sources.remove(name);
                    Ok(true)
                }
                Some(held) if source == AttributeSource::Manual => Err(Kept::StandsBefore(held)),
                // Somebody else's silence is no word against a value.
                Some(_) | None => Ok(false),
            };
        };
        if let Some(held) = held {
            if held == source && self.values.get(name) == Some(&value) {
                return Ok(false);
            }
            if !winner.lets(source, held) {
                return Err(Kept::StandsBefore(held));
            }
        }
        self.values.insert(name.to_owned(), value);
        self.sources.insert(name.to_owned(), source);
        Ok(true)
    }
}

/// Tells whether a name may be one of an attribute.
pub fn is_name(name: &str) -> bool {
    name.len() <= 64
        && name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name
            .chars()
            .all(|letter| letter.is_ascii_alphanumeric() || letter == '_' || letter == '-')
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

fn is_every_source(sources: &[AttributeSource]) -> bool {
    sources == AttributeSource::all()
}

#[cfg(test)]
mod tests;
