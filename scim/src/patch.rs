//! PATCH of SCIM 2.0 (RFC 7644 section 3.5.2).
//!
//! Owns: turning a body into typed steps, all of them checked before the first one is done, and doing them on a copy:
//! either everything happens or nothing. Changes of members come out as deltas, so that no group is ever loaded whole.
//! A patch that changes nothing gives an equal document, so the caller can tell. Never: does SQL.

mod operation;
#[cfg(test)]
mod tests;

use serde_json::{Map, Value};

use crate::filter::Filter;
use crate::resource::edit::{self, Step, apply, tidy};
use crate::resource::{Document, MemberRef, limit_depth, limit_members};
use crate::schema::Schemas;
use crate::{Mode, ResourceKind, ScimError, quirks};

/// The URN of a PATCH body.
pub const PATCH_URN: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

/// The most operations of one request.
pub const MOST_OPERATIONS: usize = 1_000;

/// The most comparisons of elements in one request: a small body could ask for hundreds of millions.
const MOST_WORK: usize = 500_000;

/// A PATCH request, checked and typed.
#[derive(Clone, Debug, PartialEq)]
pub struct Patch {
    mode: Mode,
    steps: Vec<Step>,
    members: Vec<MemberChange>,
}

/// One change to the members of a group; several are done in their order.
#[derive(Clone, Debug, PartialEq)]
pub enum MemberChange {
    /// Adds members; those that are there already stay.
    Add(Vec<MemberRef>),
    /// Removes members by id; those that are not there are ignored.
    Remove(Vec<String>),
    /// Removes the members that a filter fits; its paths are those of `value`, `type` and `display`.
    RemoveMatching(Filter),
    /// Makes these the only members.
    Replace(Vec<MemberRef>),
    /// Removes every member.
    Clear,
}

/// What a PATCH makes of a group.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupPatch {
    /// The new document.
    pub document: Document,
    /// The changes of members, in their order.
    pub members: Vec<MemberChange>,
}

impl Patch {
    /// Reads the body of a PATCH request.
    pub fn parse(body: &Value, kind: ResourceKind, schemas: &Schemas, mode: Mode) -> Result<Self, ScimError> {
        limit_depth(body)?;
        let body = body
            .as_object()
            .ok_or_else(|| ScimError::invalid_syntax("the body must be a JSON object"))?;
        check_schemas(body, mode)?;
        let operations = quirks::values_in_operations(body)
            .ok_or_else(|| ScimError::invalid_syntax("'Operations' must be a list of operations"))?;
        if operations.is_empty() && mode.is_strict() {
            return Err(ScimError::invalid_syntax("'Operations' must not be empty"));
        }
        if operations.len() > MOST_OPERATIONS {
            return Err(ScimError::payload_too_large(format!(
                "one request may have at most {MOST_OPERATIONS} operations; split it"
            )));
        }
        let mut patch = Self {
            mode,
            steps: Vec::new(),
            members: Vec::new(),
        };
        for (number, operation) in operations.iter().enumerate() {
            operation::read(operation, kind, schemas, mode, &mut patch)
                .map_err(|error| in_operation(number, operations.len(), error))?;
        }
        limit_members(patch.members.iter().map(MemberChange::len).sum())?;
        Ok(patch)
    }

    /// Applies the patch to a user.
    pub fn apply_user(&self, stored: &Document) -> Result<Document, ScimError> {
        let mut document = stored.clone();
        let mut work = 0;
        for step in &self.steps {
            work += edit::work(step, document.as_map());
            if work > MOST_WORK {
                return Err(ScimError::payload_too_large(
                    "the operations of this request compare too many values; split it",
                ));
            }
            apply(step, document.as_map_mut(), self.mode)?;
        }
        tidy(document.as_map_mut(), &self.steps);
        Ok(document)
    }

    /// Applies the patch to a group.
    pub fn apply_group(&self, stored: &Document) -> Result<GroupPatch, ScimError> {
        Ok(GroupPatch {
            document: self.apply_user(stored)?,
            members: self.members.clone(),
        })
    }

    /// Tells whether it only says which members of a group come and go, and leaves the others and what the group is as they are.
    pub fn is_of_some_members(&self) -> bool {
        let is_of_some = |change: &MemberChange| match change {
            MemberChange::Add(_) | MemberChange::Remove(_) | MemberChange::RemoveMatching(_) => true,
            MemberChange::Replace(_) | MemberChange::Clear => false,
        };
        self.steps.is_empty() && self.members.iter().all(is_of_some)
    }

    /// The changes of members, known before the group is loaded.
    pub fn member_changes(&self) -> &[MemberChange] {
        &self.members
    }
}

impl MemberChange {
    /// How many members the change names.
    fn len(&self) -> usize {
        match self {
            Self::Add(members) | Self::Replace(members) => members.len(),
            Self::Remove(ids) => ids.len(),
            Self::RemoveMatching(_) | Self::Clear => 0,
        }
    }
}

fn check_schemas(body: &Map<String, Value>, mode: Mode) -> Result<(), ScimError> {
    let listed = body
        .iter()
        .find(|(key, _)| key.eq_ignore_ascii_case("schemas"))
        .and_then(|(_, value)| value.as_array());
    let is_patch = |urn: &Value| {
        urn.as_str()
            .is_some_and(|urn| urn.eq_ignore_ascii_case(PATCH_URN))
    };
    if mode.is_strict() && !listed.is_some_and(|listed| listed.iter().any(is_patch)) {
        return Err(ScimError::invalid_syntax(format!(
            "'schemas' must name {PATCH_URN}"
        )));
    }
    Ok(())
}

/// Says which operation is meant, if there are several.
fn in_operation(number: usize, count: usize, mut error: ScimError) -> ScimError {
    if count > 1 {
        error.detail = format!("operation {}: {}", number + 1, error.detail);
    }
    error
}
