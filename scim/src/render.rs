//! Representations of SCIM 2.0: a document with what the server adds to it.
//!
//! Owns: `schemas` (exactly those in use), `id`, `meta`, `groups` and `members`. Never: chooses what is shown, which is
//! [`crate::Projection`]; writes 1.1.

use serde_json::{Map, Value, json};

use crate::path::is_urn;
use crate::schema::{GROUP_URN, USER_URN};
use crate::{Document, ResourceKind};

/// What `meta` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meta {
    /// When the resource was made.
    pub created: jiff::Timestamp,
    /// When the resource last changed.
    pub last_modified: jiff::Timestamp,
    /// The absolute address of the resource.
    pub location: String,
    /// The weak entity tag, for example `W/"7"`, if the connection uses them.
    pub version: Option<String>,
}

/// A group of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupOfUser {
    /// The id of the group.
    pub id: String,
    /// The absolute address of the group.
    pub location: String,
    /// The name of the group.
    pub display: Option<String>,
    /// Whether the user is a member itself and not by a group in the group.
    pub is_direct: bool,
}

/// A member of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The id of the user or group.
    pub id: String,
    /// The absolute address of the member.
    pub location: String,
    /// The `displayName` of the member. The conformance tester compares members with what it sent, so leave it out
    /// where there is none, rather than showing another name.
    pub display: Option<String>,
    /// What the member is.
    pub kind: ResourceKind,
}

/// Renders a user. `groups` is none where they were not loaded.
pub fn user(
    document: &Document,
    id: &str,
    meta: &Meta,
    groups: Option<&[GroupOfUser]>,
) -> Map<String, Value> {
    let mut resource = resource(document, id, meta, ResourceKind::User, USER_URN);
    let groups: Vec<Value> = groups
        .unwrap_or_default()
        .iter()
        .map(|group| {
            let kind = if group.is_direct { "direct" } else { "indirect" };
            let mut element = json!({ "value": group.id, "$ref": group.location, "type": kind });
            set_display(&mut element, group.display.as_deref());
            element
        })
        .collect();
    if !groups.is_empty() {
        resource.insert("groups".to_owned(), groups.into());
    }
    resource
}

/// Renders a group. `members` is none where they were not loaded: the key is absent then, and an empty list otherwise
/// shows that there are none.
pub fn group(document: &Document, id: &str, meta: &Meta, members: Option<&[Member]>) -> Map<String, Value> {
    let mut resource = resource(document, id, meta, ResourceKind::Group, GROUP_URN);
    if let Some(members) = members {
        let members: Vec<Value> = members.iter().map(member).collect();
        resource.insert("members".to_owned(), members.into());
    }
    resource
}

fn member(member: &Member) -> Value {
    let mut element = json!({ "value": member.id, "$ref": member.location, "type": member.kind.name() });
    set_display(&mut element, member.display.as_deref());
    element
}

fn set_display(element: &mut Value, display: Option<&str>) {
    if let (Some(display), Some(parts)) = (display, element.as_object_mut()) {
        parts.insert("display".to_owned(), display.into());
    }
}

fn resource(
    document: &Document,
    id: &str,
    meta: &Meta,
    kind: ResourceKind,
    core: &str,
) -> Map<String, Value> {
    let mut resource = document.as_map().clone();
    let in_use = resource
        .iter()
        .filter(|(key, value)| is_urn(key) && value.is_object())
        .map(|(key, _)| key.as_str());
    let schemas: Vec<Value> = std::iter::once(core).chain(in_use).map(Value::from).collect();
    resource.insert("schemas".to_owned(), schemas.into());
    resource.insert("id".to_owned(), id.into());
    let mut shown = json!({
        "resourceType": kind.name(),
        "created": instant(meta.created),
        "lastModified": instant(meta.last_modified),
        "location": meta.location,
    });
    if let (Some(version), Some(parts)) = (&meta.version, shown.as_object_mut()) {
        parts.insert("version".to_owned(), version.as_str().into());
    }
    resource.insert("meta".to_owned(), shown);
    resource
}

/// Writes an instant with milliseconds, in UTC.
pub(crate) fn instant(instant: jiff::Timestamp) -> String {
    format!("{instant:.3}")
}

#[cfg(test)]
mod tests;
