//! The mapping builder: rows of claim, value and roles, evaluated as data and shown as their expression. Both give the
//! same names for all claims; the rows have no limit of length, an expression has.

use std::borrow::Cow;

use serde_json::Value;

use super::Claims;
use crate::expression::PLACEHOLDER;
use crate::id::OrganizationId;
use crate::policy::{ClaimMatch, ClaimRoles, RoleRule};

/// A row with its claim's path taken apart.
#[derive(Clone, Debug)]
pub(super) struct Row {
    path: Vec<String>,
    row: ClaimRoles,
}

/// Why a row cannot be put in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RowFault {
    /// Which field of the row.
    pub(super) field: &'static str,
    /// Byte offset in it.
    pub(super) offset: usize,
    /// What is wrong.
    pub(super) message: String,
}

impl Row {
    /// Takes a row apart.
    pub(super) fn compile(row: &ClaimRoles) -> Result<Self, RowFault> {
        let path = path(&row.claim).map_err(|(offset, message)| RowFault {
            field: "claim",
            offset,
            message: message.to_owned(),
        })?;
        if row.value.is_empty() {
            return Err(RowFault {
                field: "value",
                offset: 0,
                message: "the value is empty".to_owned(),
            });
        }
        Ok(Self {
            path,
            row: row.clone(),
        })
    }

    /// Tells whether the claims have what the row looks for. `{{orgId}}` stands for the organization, as in expressions.
    pub(super) fn fits(&self, claims: &Claims, organization: &OrganizationId) -> bool {
        let mut found = claims.document();
        for name in &self.path {
            match found.get(bound(name, organization).as_ref()) {
                Some(next) if found.is_object() => found = next,
                Some(_) | None => return false,
            }
        }
        match found {
            Value::Array(items) => items.iter().any(|item| self.is_in(item, organization)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {
                self.is_in(found, organization)
            }
        }
    }

    fn is_in(&self, value: &Value, organization: &OrganizationId) -> bool {
        let wanted = bound(&self.row.value, organization);
        let wanted = wanted.as_ref();
        value.as_str().is_some_and(|text| match self.row.how {
            ClaimMatch::Equals => text == wanted,
            ClaimMatch::Contains => text.contains(wanted),
            ClaimMatch::StartsWith => text.starts_with(wanted),
            ClaimMatch::EndsWith => text.ends_with(wanted),
        })
    }

    /// The names that the row gives.
    pub(super) fn roles(&self) -> &[String] {
        &self.row.roles
    }

    /// Says in a few words what the row found, for traces.
    pub(super) fn because(&self, organization: &OrganizationId) -> String {
        let how = match self.row.how {
            ClaimMatch::Equals => "has",
            ClaimMatch::Contains => "contains",
            ClaimMatch::StartsWith => "starts with",
            ClaimMatch::EndsWith => "ends with",
        };
        let value = bound(&self.row.value, organization);
        format!("{} {how} \"{value}\"", self.row.claim)
    }
}

/// Puts the organization in the place of its placeholder.
pub(super) fn bound<'a>(text: &'a str, organization: &OrganizationId) -> Cow<'a, str> {
    if text.contains(PLACEHOLDER) {
        Cow::Owned(text.replace(PLACEHOLDER, organization.as_str()))
    } else {
        Cow::Borrowed(text)
    }
}

/// Takes a claim's name apart at its dots; quoted parts keep theirs.
fn path(claim: &str) -> Result<Vec<String>, (usize, &'static str)> {
    let mut parts = vec![String::new()];
    let mut quoted = false;
    for (offset, next) in claim.char_indices() {
        let empty = parts.last().is_none_or(String::is_empty);
        match next {
            '"' => quoted = !quoted,
            '.' if !quoted && empty => return Err((offset, "there is no claim before this dot")),
            '.' if !quoted => parts.push(String::new()),
            other => {
                if let Some(last) = parts.last_mut() {
                    last.push(other);
                }
            }
        }
    }
    if quoted {
        return Err((claim.len(), "a quotation mark is not closed"));
    }
    if parts.last().is_none_or(String::is_empty) {
        return Err((claim.len(), "the name of a claim is missing"));
    }
    Ok(parts)
}

/// Shows a rule as an expression that gives the same names.
pub(crate) fn expression(rule: &RoleRule) -> String {
    match rule {
        RoleRule::Fixed(name) => literal(name),
        RoleRule::Expression(source) => source.clone(),
        RoleRule::Groups(rows) => joined(rows.iter().map(|row| {
            let condition = format!("contains(normalized.groups, {})", literal(&row.value));
            (condition, row.roles.as_slice())
        })),
        RoleRule::Mapping(rows) => joined(rows.iter().map(|row| (condition(row), row.roles.as_slice()))),
    }
}

/// One list of all names: each row gives its own or none.
fn joined<'a>(rows: impl Iterator<Item = (String, &'a [String])>) -> String {
    let rows: Vec<String> = rows
        .map(|(condition, roles)| {
            let roles: Vec<String> = roles.iter().map(|role| literal(role)).collect();
            format!("{condition} && [{}] || `[]`", roles.join(", "))
        })
        .collect();
    if rows.is_empty() {
        return "`[]`".to_owned();
    }
    format!("[{}][]", rows.join(", "))
}

/// The condition of a row. `[x][]` makes a list of one value and leaves a list as it is; what is no string is left out
/// before a text is looked for in it, which would be an error.
fn condition(row: &ClaimRoles) -> String {
    let parts = path(&row.claim).unwrap_or_else(|_| vec![row.claim.clone()]);
    let path: Vec<String> = parts.iter().map(|part| quoted_name(part)).collect();
    let list = format!("[{}][]", path.join("."));
    let value = literal(&row.value);
    let test = match row.how {
        ClaimMatch::Equals => return format!("contains({list}, {value})"),
        ClaimMatch::Contains => format!("contains(@, {value})"),
        ClaimMatch::StartsWith => format!("starts_with(@, {value})"),
        ClaimMatch::EndsWith => format!("ends_with(@, {value})"),
    };
    format!("({list} | [?type(@) == 'string' && {test}])")
}

/// A name that is valid without quotes stays bare.
fn quoted_name(name: &str) -> String {
    let bare = name
        .chars()
        .all(|next| next.is_ascii_alphanumeric() || next == '_')
        && !name.starts_with(|first: char| first.is_ascii_digit())
        && !name.is_empty();
    if bare {
        name.to_owned()
    } else {
        Value::String(name.to_owned()).to_string()
    }
}

/// A string as a JSON literal where a raw one cannot hold it.
fn literal(text: &str) -> String {
    if text.contains(['\\', '\'']) {
        let json = Value::String(text.to_owned()).to_string();
        return format!("`{}`", json.replace('`', "\\u0060"));
    }
    format!("'{text}'")
}

#[cfg(test)]
mod tests;
