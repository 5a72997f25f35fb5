//! Documents: what a directory has pushed, in canonical form.
//!
//! Owns: reading bodies of POST and PUT against the schema tables. A [`Document`] has the one true spelling of every
//! name, extensions under their URN, no null and no empty value, at most one primary value, and neither `id`, `meta`,
//! `schemas`, `groups` nor `password`; members of groups are split off, for they are rows. What no table knows is kept
//! as it came (compat) or refused (strict). Never: decides what a value means for a person.

mod body;
mod depth;
pub(crate) mod edit;
mod member;
#[cfg(test)]
mod tests;
pub(crate) mod value;

use serde_json::{Map, Value};

use crate::schema::{CUSTOM_URN, Mutability, Schemas};
use crate::{Mode, ResourceKind, ScimError};

pub(crate) use body::{assignments, is_members};
pub(crate) use depth::limit_depth;
pub use member::MemberRef;
pub(crate) use member::{limit_members, member_refs};

/// The content of a user or group, in canonical form.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Document(Map<String, Value>);

impl Document {
    /// Takes back a document that was stored.
    pub const fn from_stored(stored: Map<String, Value>) -> Self {
        Self(stored)
    }

    /// Reads the body of a create request for a user.
    pub fn user_from_post(body: &Value, schemas: &Schemas, mode: Mode) -> Result<Self, ScimError> {
        body::read(body, ResourceKind::User, schemas, mode).map(|(document, _)| document)
    }

    /// Reads the body of a create request for a group, and its members.
    pub fn group_from_post(
        body: &Value,
        schemas: &Schemas,
        mode: Mode,
    ) -> Result<(Self, Vec<MemberRef>), ScimError> {
        body::read(body, ResourceKind::Group, schemas, mode)
    }

    /// Reads the body of a replace request for a user. An absent `active` keeps the stored state: a directory that
    /// drops it neither suspends nor revives anybody.
    pub fn user_from_put(
        stored: &Self,
        body: &Value,
        schemas: &Schemas,
        mode: Mode,
    ) -> Result<Self, ScimError> {
        let mut document = Self::user_from_post(body, schemas, mode)?;
        if let (None, Some(active)) = (document.0.get("active"), stored.0.get("active")) {
            document.0.insert("active".to_owned(), active.clone());
        }
        document.check_immutable(stored, ResourceKind::User, schemas)?;
        Ok(document)
    }

    /// Reads the body of a replace request for a group, and its members: a body without members empties the group.
    pub fn group_from_put(
        stored: &Self,
        body: &Value,
        schemas: &Schemas,
        mode: Mode,
    ) -> Result<(Self, Vec<MemberRef>), ScimError> {
        let (document, members) = Self::group_from_post(body, schemas, mode)?;
        document.check_immutable(stored, ResourceKind::Group, schemas)?;
        Ok((document, members))
    }

    /// An immutable attribute that is set must stay as it is (RFC 7644 section 3.5.1).
    fn check_immutable(&self, stored: &Self, kind: ResourceKind, schemas: &Schemas) -> Result<(), ScimError> {
        let holders = schemas
            .extensions(kind)
            .iter()
            .map(|schema| (Some(schema.id.as_str()), schema));
        for (urn, schema) in std::iter::once((None, schemas.core(kind))).chain(holders) {
            for attribute in &schema.attributes {
                let before = stored.get(urn, &attribute.name);
                if attribute.mutability == Mutability::Immutable
                    && before.is_some()
                    && before != self.get(urn, &attribute.name)
                {
                    return Err(ScimError::mutability(&attribute.name));
                }
            }
        }
        Ok(())
    }

    /// Returns the canonical JSON object.
    pub const fn as_map(&self) -> &Map<String, Value> {
        &self.0
    }

    /// Takes the canonical JSON object, to store it.
    pub fn into_map(self) -> Map<String, Value> {
        self.0
    }

    pub(crate) const fn as_map_mut(&mut self) -> &mut Map<String, Value> {
        &mut self.0
    }

    /// Returns the value of an attribute, below a URN or at core level.
    pub fn get(&self, urn: Option<&str>, name: &str) -> Option<&Value> {
        match urn {
            Some(urn) => self.0.get(urn)?.get(name),
            None => self.0.get(name),
        }
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.as_str()
    }

    fn name_part(&self, part: &str) -> Option<&str> {
        self.0.get("name")?.get(part)?.as_str()
    }

    /// `userName` of a user.
    pub fn user_name(&self) -> Option<&str> {
        self.text("userName")
    }

    /// `externalId`, which the directory gives.
    pub fn external_id(&self) -> Option<&str> {
        self.text("externalId")
    }

    /// `displayName` of a user or group.
    pub fn display_name(&self) -> Option<&str> {
        self.text("displayName")
    }

    /// `name.givenName`.
    pub fn given_name(&self) -> Option<&str> {
        self.name_part("givenName")
    }

    /// `name.familyName`.
    pub fn family_name(&self) -> Option<&str> {
        self.name_part("familyName")
    }

    /// `preferredLanguage`, else `locale`.
    pub fn language(&self) -> Option<&str> {
        self.text("preferredLanguage").or_else(|| self.text("locale"))
    }

    /// `active`; none if the directory has never said it.
    pub fn active(&self) -> Option<bool> {
        self.0.get("active")?.as_bool()
    }

    /// Every e-mail address, in the order of the document.
    pub fn emails(&self) -> impl Iterator<Item = &str> {
        self.email_elements()
            .filter_map(|email| email.get("value")?.as_str())
    }

    /// The primary e-mail address, else the one for work, else the first.
    pub fn primary_email(&self) -> Option<&str> {
        let with_value = || {
            self.email_elements()
                .filter(|email| email.get("value").is_some_and(Value::is_string))
        };
        let is_work = |email: &&Value| {
            let kind = email.get("type").and_then(Value::as_str);
            kind.is_some_and(|kind| kind.eq_ignore_ascii_case("work"))
        };
        with_value()
            .find(|email| email.get("primary") == Some(&Value::Bool(true)))
            .or_else(|| with_value().find(is_work))
            .or_else(|| with_value().next())
            .and_then(|email| email.get("value")?.as_str())
    }

    fn email_elements(&self) -> impl Iterator<Item = &Value> {
        self.0
            .get("emails")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
    }

    /// The attributes that the administrator has added.
    pub fn custom(&self) -> Option<&Map<String, Value>> {
        self.0.get(CUSTOM_URN)?.as_object()
    }
}
