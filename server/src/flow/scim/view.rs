//! What directories see of people and groups: loading what a representation shows, and rendering it.

use provost_kernel::id::{AccountId, GroupId};
use provost_scim::render::{self, GroupOfUser, Member as ShownMember, Meta};
use provost_scim::{Projection, ResourceKind, Version, v1};
use provost_store::search::{DirectoryGroup, DirectoryUser};
use provost_store::{GroupRef, Member, Reader, StoreError};
use serde_json::{Map, Value, json};

use crate::flow::scim::access::Caller;
use crate::flow::scim::versions;
use crate::translate;

/// A person with what is shown beside the document.
pub struct UserView {
    /// The person.
    pub user: DirectoryUser,
    /// Groups, if they are shown.
    pub groups: Option<Vec<GroupRef>>,
}

/// A group with what is shown beside the document.
pub struct GroupView {
    /// The group.
    pub group: DirectoryGroup,
    /// Members, if they are shown.
    pub members: Option<Vec<Member>>,
}

/// Loads what is shown of a person.
///
/// # Errors
/// Those of the store.
pub async fn user(
    reader: &mut Reader,
    user: DirectoryUser,
    wants_groups: bool,
) -> Result<UserView, StoreError> {
    let mut views = users(reader, vec![user], wants_groups).await?;
    views.pop().ok_or(StoreError::Corrupt("accounts"))
}

/// Loads what is shown of several people, in as few statements as for one.
///
/// # Errors
/// Those of the store.
pub async fn users(
    reader: &mut Reader,
    found: Vec<DirectoryUser>,
    wants_groups: bool,
) -> Result<Vec<UserView>, StoreError> {
    let ids: Vec<AccountId> = found.iter().map(|user| user.account.id.clone()).collect();
    let mut groups = if wants_groups {
        reader.groups_of(&ids).await?
    } else {
        std::collections::BTreeMap::new()
    };
    Ok(found
        .into_iter()
        .map(|user| UserView {
            groups: wants_groups.then(|| groups.remove(&user.account.id).unwrap_or_default()),
            user,
        })
        .collect())
}

/// Loads what is shown of a group.
///
/// # Errors
/// Those of the store.
pub async fn group(
    reader: &mut Reader,
    group: DirectoryGroup,
    wants_members: bool,
) -> Result<GroupView, StoreError> {
    let mut views = groups(reader, vec![group], wants_members).await?;
    views.pop().ok_or(StoreError::Corrupt("groups"))
}

/// Loads what is shown of several groups, in as few statements as for one.
///
/// # Errors
/// Those of the store.
pub async fn groups(
    reader: &mut Reader,
    found: Vec<DirectoryGroup>,
    wants_members: bool,
) -> Result<Vec<GroupView>, StoreError> {
    let ids: Vec<GroupId> = found.iter().map(|group| group.id.clone()).collect();
    let mut members = if wants_members {
        reader.members_of(&ids).await?
    } else {
        std::collections::BTreeMap::new()
    };
    Ok(found
        .into_iter()
        .map(|group| GroupView {
            members: wants_members.then(|| members.remove(&group.id).unwrap_or_default()),
            group,
        })
        .collect())
}

/// Returns the absolute address of a resource.
pub fn location(caller: &Caller, kind: ResourceKind, id: &str) -> String {
    format!("{}{}/{id}", caller.base, kind.endpoint())
}

/// Renders a person in the form of 2.0, with what is not shown taken away.
pub fn shown_user(caller: &Caller, view: &UserView, projection: &Projection) -> Map<String, Value> {
    let account = &view.user.account;
    let id = account.id.as_str();
    let mut document = translate::scim::document(&view.user).into_map();
    // What holds is the account's state, whatever the directory said last; where it removed the attribute, it has none.
    if let Some(active) = document.get_mut("active") {
        *active = translate::scim::is_active(account).into();
    }
    let meta = Meta {
        created: account.created_at,
        last_modified: view.user.updated_at,
        location: location(caller, ResourceKind::User, id),
        version: versions::header(caller, account.version),
    };
    let groups: Option<Vec<GroupOfUser>> = view.groups.as_ref().map(|groups| {
        groups
            .iter()
            .map(|group| GroupOfUser {
                id: group.id.as_str().to_owned(),
                location: location(caller, ResourceKind::Group, group.id.as_str()),
                display: Some(group.name.clone()),
                is_direct: true,
            })
            .collect()
    });
    let document = provost_scim::Document::from_stored(document);
    let mut shown = render::user(&document, id, &meta, groups.as_deref());
    projection.apply(&mut shown, ResourceKind::User, &caller.scim().schemas);
    shown
}

/// Renders a group in the form of 2.0, with what is not shown taken away.
pub fn shown_group(caller: &Caller, view: &GroupView, projection: &Projection) -> Map<String, Value> {
    let group = &view.group;
    let id = group.id.as_str();
    let meta = Meta {
        created: group.created_at,
        last_modified: group.updated_at,
        location: location(caller, ResourceKind::Group, id),
        version: versions::header(caller, group.version),
    };
    let members: Option<Vec<ShownMember>> = view.members.as_ref().map(|members| {
        members
            .iter()
            .map(|member| ShownMember {
                id: member.account.as_str().to_owned(),
                location: location(caller, ResourceKind::User, member.account.as_str()),
                display: member.display.clone(),
                kind: ResourceKind::User,
            })
            .collect()
    });
    let document = translate::scim::group_document(group);
    let mut shown = render::group(&document, id, &meta, members.as_deref());
    projection.apply(&mut shown, ResourceKind::Group, &caller.scim().schemas);
    shown
}

/// Puts a representation into the form of the caller's version.
pub fn encode(caller: &Caller, shown: Map<String, Value>, kind: ResourceKind) -> Value {
    match caller.version {
        Version::V1 => v1::encode(Value::Object(shown), kind),
        Version::V2 => Value::Object(shown),
    }
}

/// Shows a member as a filter on the list sees it.
pub fn member_element(member: &Member) -> Value {
    let mut element = json!({ "value": member.account, "type": "User" });
    if let (Some(display), Some(members)) = (&member.display, element.as_object_mut()) {
        members.insert("display".to_owned(), display.as_str().into());
    }
    element
}
