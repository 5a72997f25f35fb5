//! Members of groups, which are rows and never part of a document.

use serde_json::Value;

use crate::error::excerpt;
use crate::{Mode, ScimError};

/// The most members that one request may name.
const MOST_MEMBERS: usize = 10_000;

/// A member as a client names it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MemberRef {
    /// The identifier of the user or group.
    pub value: String,
    /// `User` or `Group`, if the client says it.
    pub kind: Option<String>,
    /// A name for people, if the client says it; we show our own.
    pub display: Option<String>,
}

impl MemberRef {
    fn of(value: &str) -> Self {
        Self {
            value: value.to_owned(),
            kind: None,
            display: None,
        }
    }

    fn read(value: &Value, mode: Mode) -> Result<Option<Self>, ScimError> {
        if value.is_null() {
            return Ok(None);
        }
        if let Some(text) = value.as_str().filter(|_| !mode.is_strict()) {
            return Ok((!text.is_empty()).then(|| Self::of(text)));
        }
        let part = |name: &str| {
            let parts = value.as_object()?.iter();
            let mut found = parts.filter(|(key, _)| key.eq_ignore_ascii_case(name));
            found.next()?.1.as_str().filter(|text| !text.is_empty())
        };
        let from_ref = || part("$ref").and_then(|address| address.trim_end_matches('/').rsplit('/').next());
        let Some(id) = part("value").or_else(from_ref) else {
            return Err(ScimError::invalid_value(format!(
                "a member needs a 'value' with the id of a user or group, not {}",
                excerpt(&value.to_string())
            )));
        };
        Ok(Some(Self {
            kind: part("type").map(str::to_owned),
            display: part("display").map(str::to_owned),
            ..Self::of(id)
        }))
    }
}

/// Reads a list of members; repeated ones count once.
pub(crate) fn member_refs(value: &Value, mode: Mode) -> Result<Vec<MemberRef>, ScimError> {
    let items = match value {
        Value::Null => &[],
        Value::Array(items) => items.as_slice(),
        Value::Object(_) | Value::String(_) if !mode.is_strict() => std::slice::from_ref(value),
        Value::Object(_) | Value::String(_) | Value::Bool(_) | Value::Number(_) => {
            return Err(ScimError::invalid_value("'members' must be a list of members"));
        }
    };
    limit_members(items.len())?;
    let mut seen = std::collections::HashSet::with_capacity(items.len());
    let mut members = Vec::with_capacity(items.len());
    for item in items {
        if let Some(member) = MemberRef::read(item, mode)?
            && seen.insert(member.value.clone())
        {
            members.push(member);
        }
    }
    Ok(members)
}

/// Refuses more members than one request may name.
pub(crate) fn limit_members(count: usize) -> Result<(), ScimError> {
    if count > MOST_MEMBERS {
        return Err(ScimError::payload_too_large(format!(
            "one request may name at most {MOST_MEMBERS} members; split it"
        )));
    }
    Ok(())
}
