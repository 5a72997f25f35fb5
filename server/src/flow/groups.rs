//! Groups that directories push, as callers of the API may see them. They are the directory's to change.

use provost_kernel::id::{AccountId, ConnectionId, GroupId};
use provost_store::Member;
use provost_store::search::DirectoryGroup;

use crate::app::App;
use crate::error::{AppError, Result};
use crate::flow::api_keys::Caller;
use crate::flow::directory;

/// Lists the groups of a connection by id, after one.
///
/// # Errors
/// 404 for a connection that is not the caller's; those of the store.
pub async fn list(
    app: &App,
    caller: &Caller,
    connection: &str,
    after: Option<String>,
    limit: u32,
) -> Result<Vec<DirectoryGroup>> {
    directory::connection(app, caller, connection).await?;
    let connection = ConnectionId::new(connection);
    let after = after.map(GroupId::new);
    let found = app
        .store
        .read(|reader| Box::pin(async move { reader.groups_page(&connection, after.as_ref(), limit).await }))
        .await?;
    Ok(found)
}

/// Finds a group.
///
/// # Errors
/// 404; those of the store.
pub async fn find(app: &App, caller: &Caller, connection: &str, id: &str) -> Result<DirectoryGroup> {
    directory::connection(app, caller, connection).await?;
    let (connection, id) = (ConnectionId::new(connection), GroupId::new(id));
    let found = app
        .store
        .read(|reader| Box::pin(async move { reader.directory_group(&connection, &id).await }))
        .await?;
    found.ok_or_else(AppError::not_found)
}

/// Lists the members of a group by account, after one.
///
/// # Errors
/// 404; those of the store.
pub async fn members(
    app: &App,
    caller: &Caller,
    connection: &str,
    id: &str,
    after: Option<String>,
    limit: u32,
) -> Result<Vec<Member>> {
    let group = find(app, caller, connection, id).await?;
    let after = after.map(AccountId::new);
    let found = app
        .store
        .read(|reader| Box::pin(async move { reader.members_page(&group.id, after.as_ref(), limit).await }))
        .await?;
    Ok(found)
}

/// Returns the first names of the groups that a connection pushes, in the order of their names.
///
/// # Errors
/// Those of the store.
pub async fn names(app: &App, connection: &ConnectionId, most: u32) -> Result<Vec<String>> {
    let connection = connection.clone();
    let read = app
        .store
        .read(|reader| Box::pin(async move { reader.group_names(&connection, most).await }));
    Ok(read.await?)
}
