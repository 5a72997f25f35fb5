//! Groups, as their directory makes, fills, renames and removes them.

use std::sync::Arc;

use provost_kernel::id::{GroupId, TraceId};
use provost_kernel::provision::push::{MembersChange, Push};
use provost_scim::v1::PartialResource;
use provost_scim::{Document, MemberRef, Patch, Projection, ResourceKind};
use provost_store::search::{DirectoryGroup, GroupHold};
use provost_store::{StoreError, Tx};

use crate::app::App;
use crate::flow::scim::access::Caller;
use crate::flow::scim::answer::Answer;
use crate::flow::scim::push::{self, Ended, Stop};
use crate::flow::scim::rights::{require, require_one};
use crate::flow::scim::view::{self, GroupView};
use crate::flow::scim::{Failure, members, resource, versions};
use crate::scim_config::ScimOperation;
use crate::translate;

const KIND: ResourceKind = ResourceKind::Group;
/// Groups up to this size are shown in the answer to a PATCH; above it, 204 spares both sides the list.
const SHOWN: u64 = 100;

/// How a group changes.
pub enum Change {
    /// By another whole description and list of members.
    Replace(serde_json::Value),
    /// By operations.
    Patch(Patch),
    /// By a part of a description, as 1.1 has it.
    Partial(PartialResource),
}

impl Change {
    /// Says what others may not do until it is done. What is to be done in one version only is done by one.
    fn hold(&self, if_match: Option<&str>) -> GroupHold {
        match self {
            Self::Patch(patch) if if_match.is_none() && patch.is_of_some_members() => GroupHold::Description,
            Self::Patch(_) | Self::Replace(_) | Self::Partial(_) => GroupHold::Everything,
        }
    }
}

/// Makes a group.
///
/// # Errors
/// [`Failure`].
pub async fn create(
    app: &App,
    caller: &Arc<Caller>,
    document: Document,
    wanted: Vec<MemberRef>,
    projection: Projection,
) -> Result<Answer, Failure> {
    require(caller, ScimOperation::Groups)?;
    let id = GroupId::new(app.world.id("grp_")?);
    let wish = Push::CreateGroup {
        id: id.clone(),
        group: Box::new(translate::scim::pushed_group(&document)),
        members: members::all(&wanted, caller.scim().mode)?,
    };
    let wants_members = projection.wants("members");
    let (made, trace) = push::write(app, caller, move |tx, one| {
        let (wish, id) = (wish.clone(), id.clone());
        Box::pin(async move {
            let decision = push::decide(tx, &one, &wish).await?;
            if let Some(refused) = push::refused(&decision, KIND) {
                return Ok(refused);
            }
            let made = load(tx, &one.caller, &id, wants_members).await?;
            Ok(Ended::Done(made, push::trace(&decision)))
        })
    })
    .await?;
    Ok(answer(caller, 201, &made, &projection, trace))
}

/// Reads a group.
///
/// # Errors
/// [`Failure`].
pub async fn read(
    app: &App,
    caller: &Arc<Caller>,
    id: &str,
    projection: Projection,
    if_none_match: Option<&str>,
) -> Result<Answer, Failure> {
    require_one(caller)?;
    let (connection, group) = (caller.live.id().clone(), GroupId::new(id));
    let wants_members = projection.wants("members");
    let found: Option<GroupView> = app
        .store
        .read(move |reader| {
            Box::pin(async move {
                let Some(group) = reader.directory_group(&connection, &group).await? else {
                    return Ok::<_, StoreError>(None);
                };
                view::group(reader, group, wants_members).await.map(Some)
            })
        })
        .await?;
    let found = found.ok_or_else(|| resource::gone(KIND))?;
    if versions::is_known(caller, if_none_match, found.group.version) {
        return Ok(resource::unchanged(caller, id, found.group.version));
    }
    Ok(answer(caller, 200, &found, &projection, None))
}

/// Replaces or changes a group.
///
/// # Errors
/// [`Failure`].
pub async fn change(
    app: &App,
    caller: &Arc<Caller>,
    id: &str,
    change: Change,
    projection: Projection,
    if_match: Option<String>,
) -> Result<Answer, Failure> {
    require(caller, ScimOperation::Groups)?;
    let group = GroupId::new(id);
    let is_patch = !matches!(change, Change::Replace(_));
    let (wants_members, is_chosen) = (projection.wants("members"), projection.is_selection());
    let change = Arc::new(change);
    let (changed, trace) = push::write(app, caller, move |tx, one| {
        let (group, change, if_match) = (group.clone(), Arc::clone(&change), if_match.clone());
        Box::pin(async move {
            let connection = one.caller.live.id();
            let stored = tx
                .directory_group_to_change(connection, &group, change.hold(if_match.as_deref()))
                .await?;
            let stored = stored.ok_or_else(|| resource::gone(KIND))?;
            let if_version = versions::check(&one.caller, if_match.as_deref(), stored.version)?;
            let (set, members) = apply(tx, &one.caller, &change, &stored).await?;
            let wish = Push::ChangeGroup {
                group: group.clone(),
                if_version,
                set: set.map(Box::new),
                members,
            };
            let decision = push::decide(tx, &one, &wish).await?;
            if let Some(refused) = push::refused(&decision, KIND) {
                return Ok(refused);
            }
            let changed = if decision.plan.changes.is_empty() {
                stored
            } else {
                self::stored(tx, &one.caller, &group).await?
            };
            // A long list that nobody asked for is neither loaded nor sent.
            let is_short = !is_patch || is_chosen || changed.members <= SHOWN || !wants_members;
            let shown = if is_short {
                Some(view::group(tx, changed, wants_members).await?)
            } else {
                None
            };
            Ok(Ended::Done(shown, push::trace(&decision)))
        })
    })
    .await?;
    Ok(match changed {
        Some(changed) => answer(caller, 200, &changed, &projection, trace),
        None => resource::done(caller, id, trace),
    })
}

/// Deletes a group.
///
/// # Errors
/// [`Failure`].
pub async fn delete(
    app: &App,
    caller: &Arc<Caller>,
    id: &str,
    if_match: Option<String>,
) -> Result<Answer, Failure> {
    require(caller, ScimOperation::Groups)?;
    resource::delete(app, caller, (KIND, id), if_match).await
}

async fn stored(tx: &mut Tx, caller: &Caller, group: &GroupId) -> Result<DirectoryGroup, Stop> {
    let found = tx.directory_group(caller.live.id(), group).await?;
    found.ok_or_else(|| resource::gone(KIND).into())
}

async fn load(tx: &mut Tx, caller: &Caller, group: &GroupId, wants_members: bool) -> Result<GroupView, Stop> {
    let group = stored(tx, caller, group).await?;
    Ok(view::group(tx, group, wants_members).await?)
}

/// Works out the new description, if it is another one, and what happens to the members.
async fn apply(
    tx: &mut Tx,
    caller: &Caller,
    change: &Change,
    stored: &DirectoryGroup,
) -> Result<
    (
        Option<provost_kernel::provision::push::PushedGroup>,
        MembersChange,
    ),
    Stop,
> {
    let scim = caller.scim();
    let before = translate::scim::group_document(stored);
    let (after, members) = match change {
        Change::Replace(body) => {
            let (after, wanted) = Document::group_from_put(&before, body, &scim.schemas, scim.mode)?;
            (after, MembersChange::Replace(members::all(&wanted, scim.mode)?))
        }
        Change::Patch(patch) => {
            let patched = patch.apply_group(&before)?;
            let members = members::fold(tx, &stored.id, &patched.members, scim.mode).await?;
            (patched.document, members)
        }
        Change::Partial(partial) => {
            let mut partial = partial.clone();
            let members = members::of_partial(&partial.take_members()?, scim.mode)?;
            let whole = partial.merge(before.as_map(), &scim.schemas)?;
            let (after, _) = Document::group_from_put(&before, &whole, &scim.schemas, scim.mode)?;
            (after, members)
        }
    };
    let set = (after != before).then(|| translate::scim::pushed_group(&after));
    Ok((set, members))
}

fn answer(
    caller: &Caller,
    status: u16,
    shown: &GroupView,
    projection: &Projection,
    trace: Option<TraceId>,
) -> Answer {
    let id = shown.group.id.as_str();
    let body = view::encode(caller, view::shown_group(caller, shown, projection), KIND);
    resource::whole(caller, (KIND, id, shown.group.version), status, body, trace)
}
