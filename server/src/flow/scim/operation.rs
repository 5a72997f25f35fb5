//! What each request of a known directory does: one line for each target and method.

use std::sync::Arc;

use provost_scim::list::ListRequest;
use provost_scim::v1::{self, PartialResource};
use provost_scim::{Document, Patch, Projection, ResourceKind, ScimError, Version};
use serde_json::Value;

use crate::app::App;
use crate::flow::scim::access::Caller;
use crate::flow::scim::answer::Answer;
use crate::flow::scim::rights::require_write;
use crate::flow::scim::serve::Wanted;
use crate::flow::scim::target::{Target, Verb};
use crate::flow::scim::{Failure, bulk, describe, groups, lists, users};
use crate::scim_config::ScimOperation;

/// Does what is wanted.
///
/// # Errors
/// [`Failure`].
pub async fn perform(app: &App, caller: &Arc<Caller>, wanted: Wanted) -> Result<Answer, Failure> {
    let body = wanted.body.unwrap_or_default();
    let request = || {
        let pairs = wanted
            .query
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()));
        ListRequest::from_pairs(pairs, caller.version)
    };
    match wanted.target {
        Target::ServiceProviderConfig | Target::ResourceTypes(_) | Target::Schemas(_) => {
            Ok(describe::answer(caller, &wanted.target, &request()?)?)
        }
        Target::Me => Err(ScimError::not_implemented(
            "a directory's token belongs to no user, so there is no /Me",
        )
        .into()),
        Target::Search(kind) => {
            let request = ListRequest::from_search(&body, caller.version)?;
            match kind {
                Some(kind) => lists::list(app, caller, kind, &request).await,
                None => lists::list_all(app, caller, &request).await,
            }
        }
        Target::Bulk => bulk::run(app, caller, &body).await,
        Target::Collection(kind) if wanted.verb == Verb::Post => {
            let projection = projection(caller, kind, &request()?)?;
            create(app, caller, kind, &body, projection).await
        }
        Target::Collection(kind) => lists::list(app, caller, kind, &request()?).await,
        Target::Resource(kind, id) => {
            let resource = One {
                kind,
                id,
                projection: projection(caller, kind, &request()?)?,
                if_match: wanted.if_match,
                if_none_match: wanted.if_none_match,
            };
            one(app, caller, wanted.verb, resource, body).await
        }
    }
}

/// One resource and how it is shown.
struct One {
    kind: ResourceKind,
    id: String,
    projection: Projection,
    if_match: Option<String>,
    if_none_match: Option<String>,
}

fn projection(caller: &Caller, kind: ResourceKind, request: &ListRequest) -> Result<Projection, ScimError> {
    request.projection(kind, &caller.scim().schemas)
}

async fn create(
    app: &App,
    caller: &Arc<Caller>,
    kind: ResourceKind,
    body: &Value,
    projection: Projection,
) -> Result<Answer, Failure> {
    // Before the body is read: a switched-off operation is refused whatever it carries.
    require_write(caller, kind, ScimOperation::Create)?;
    let (schemas, mode) = (&caller.scim().schemas, caller.scim().mode);
    let body = decoded(caller, body, kind)?;
    match kind {
        ResourceKind::User => {
            let document = Document::user_from_post(&body, schemas, mode)?;
            users::create(app, caller, document, projection).await
        }
        ResourceKind::Group => {
            let (document, members) = Document::group_from_post(&body, schemas, mode)?;
            groups::create(app, caller, document, members, projection).await
        }
    }
}

/// Puts a whole resource of the caller's version into the form of 2.0.
fn decoded(caller: &Caller, body: &Value, kind: ResourceKind) -> Result<Value, ScimError> {
    match caller.version {
        Version::V1 => v1::decode(body, kind),
        Version::V2 => Ok(body.clone()),
    }
}

async fn one(app: &App, caller: &Arc<Caller>, verb: Verb, one: One, body: Value) -> Result<Answer, Failure> {
    let known = one.if_none_match.as_deref();
    match (verb, one.kind) {
        (Verb::Get, ResourceKind::User) => users::read(app, caller, &one.id, one.projection, known).await,
        (Verb::Get, ResourceKind::Group) => groups::read(app, caller, &one.id, one.projection, known).await,
        (Verb::Delete, ResourceKind::User) => users::delete(app, caller, &one.id, one.if_match).await,
        (Verb::Delete, ResourceKind::Group) => groups::delete(app, caller, &one.id, one.if_match).await,
        (Verb::Put | Verb::Patch, ResourceKind::User) => {
            let change = user_change(caller, verb, &body)?;
            users::change(app, caller, &one.id, change, one.projection, one.if_match).await
        }
        (Verb::Put | Verb::Patch, ResourceKind::Group) => {
            require_write(caller, one.kind, ScimOperation::Groups)?;
            let change = group_change(caller, verb, &body)?;
            groups::change(app, caller, &one.id, change, one.projection, one.if_match).await
        }
        (Verb::Post | Verb::Other, _) => Err(ScimError::method_not_allowed().into()),
    }
}

fn user_change(caller: &Caller, verb: Verb, body: &Value) -> Result<users::Change, ScimError> {
    const KIND: ResourceKind = ResourceKind::User;
    let scim = caller.scim();
    Ok(match (verb, caller.version) {
        (Verb::Patch, Version::V2) => {
            users::Change::Patch(Patch::parse(body, KIND, &scim.schemas, scim.mode)?)
        }
        (Verb::Patch, Version::V1) => users::Change::Partial(PartialResource::parse(body, KIND)?),
        _ => users::Change::Replace(decoded(caller, body, KIND)?),
    })
}

fn group_change(caller: &Caller, verb: Verb, body: &Value) -> Result<groups::Change, ScimError> {
    const KIND: ResourceKind = ResourceKind::Group;
    let scim = caller.scim();
    Ok(match (verb, caller.version) {
        (Verb::Patch, Version::V2) => {
            groups::Change::Patch(Patch::parse(body, KIND, &scim.schemas, scim.mode)?)
        }
        (Verb::Patch, Version::V1) => groups::Change::Partial(PartialResource::parse(body, KIND)?),
        _ => groups::Change::Replace(decoded(caller, body, KIND)?),
    })
}
