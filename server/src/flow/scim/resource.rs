//! What people and groups have in common as resources: how one is answered, missed and deleted.

use std::sync::Arc;

use provost_kernel::id::{AccountId, GroupId, TraceId};
use provost_kernel::provision::push::Push;
use provost_scim::{ResourceKind, ScimError};
use provost_store::Tx;
use provost_store::search::GroupHold;
use serde_json::Value;

use crate::app::App;
use crate::flow::scim::access::Caller;
use crate::flow::scim::answer::Answer;
use crate::flow::scim::push::{self, Ended, Stop};
use crate::flow::scim::{Failure, versions, view};

/// The refusal of what is not there, or is another connection's.
pub(super) fn gone(kind: ResourceKind) -> ScimError {
    ScimError::not_found(match kind {
        ResourceKind::User => "The user",
        ResourceKind::Group => "The group",
    })
}

/// An answer that shows a resource in this version.
pub(super) fn whole(
    caller: &Caller,
    (kind, id, version): (ResourceKind, &str, i64),
    status: u16,
    shown: Value,
    trace: Option<TraceId>,
) -> Answer {
    Answer {
        location: Some(view::location(caller, kind, id)),
        etag: versions::header(caller, version),
        target: Some(id.to_owned()),
        trace,
        ..Answer::of(status, caller.version, shown)
    }
}

/// The answer to whoever has the present version already (RFC 7644 3.14).
pub(super) fn unchanged(caller: &Caller, id: &str, version: i64) -> Answer {
    Answer {
        etag: versions::header(caller, version),
        target: Some(id.to_owned()),
        ..Answer::empty(304, caller.version)
    }
}

/// The answer that it is done, without more.
pub(super) fn done(caller: &Caller, id: &str, trace: Option<TraceId>) -> Answer {
    Answer {
        target: Some(id.to_owned()),
        trace,
        ..Answer::empty(204, caller.version)
    }
}

/// Deletes a resource, if it is in the demanded version.
///
/// # Errors
/// [`Failure`].
pub(super) async fn delete(
    app: &App,
    caller: &Arc<Caller>,
    (kind, id): (ResourceKind, &str),
    if_match: Option<String>,
) -> Result<Answer, Failure> {
    let wanted = id.to_owned();
    let ((), trace) = push::write(app, caller, move |tx, one| {
        let (id, if_match) = (wanted.clone(), if_match.clone());
        Box::pin(async move {
            let version = version(tx, &one.caller, kind, &id).await?;
            let if_version = versions::check(&one.caller, if_match.as_deref(), version)?;
            let wish = match kind {
                ResourceKind::User => Push::DeleteUser {
                    account: AccountId::new(&id),
                    if_version,
                },
                ResourceKind::Group => Push::DeleteGroup {
                    group: GroupId::new(&id),
                    if_version,
                },
            };
            let decision = push::decide(tx, &one, &wish).await?;
            if let Some(refused) = push::refused(&decision, kind) {
                return Ok(refused);
            }
            Ok(Ended::Done((), push::trace(&decision)))
        })
    })
    .await?;
    Ok(done(caller, id, trace))
}

async fn version(tx: &mut Tx, caller: &Caller, kind: ResourceKind, id: &str) -> Result<i64, Stop> {
    let connection = caller.live.id();
    let found = match kind {
        ResourceKind::User => {
            let user = tx
                .directory_user_to_change(connection, &AccountId::new(id))
                .await?;
            user.map(|user| user.account.version)
        }
        ResourceKind::Group => {
            let hold = GroupHold::Everything;
            let group = tx
                .directory_group_to_change(connection, &GroupId::new(id), hold)
                .await?;
            group.map(|group| group.version)
        }
    };
    found.ok_or_else(|| gone(kind).into())
}
