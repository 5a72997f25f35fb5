//! People, as their directory makes, changes and removes them: one function for each way.

use std::sync::Arc;

use jiff::Timestamp;
use provost_kernel::id::{AccountId, TraceId};
use provost_kernel::plan::{Change as PlannedChange, Plan, Verdict};
use provost_kernel::provision::push::Push;
use provost_scim::v1::PartialResource;
use provost_scim::{Document, Patch, Projection, ResourceKind, ScimError};
use provost_store::search::DirectoryUser;
use provost_store::{StoreError, Tx};

use crate::app::App;
use crate::flow::scim::access::Caller;
use crate::flow::scim::answer::Answer;
use crate::flow::scim::push::{self, Ended, Stop};
use crate::flow::scim::rights::{require, require_one};
use crate::flow::scim::view::{self, UserView};
use crate::flow::scim::{Failure, resource, versions, welcome};
use crate::scim_config::ScimOperation;
use crate::translate;

const KIND: ResourceKind = ResourceKind::User;

/// How a person's document changes.
pub enum Change {
    /// By another whole document.
    Replace(serde_json::Value),
    /// By operations.
    Patch(Patch),
    /// By a part of a document, as 1.1 has it.
    Partial(PartialResource),
}

/// Makes a person.
///
/// # Errors
/// [`Failure`].
pub async fn create(
    app: &App,
    caller: &Arc<Caller>,
    document: Document,
    projection: Projection,
) -> Result<Answer, Failure> {
    require(caller, ScimOperation::Create)?;
    let document = translate::scim::with_active(document);
    let wish = Push::CreateUser(Box::new(translate::scim::new_user(&document)));
    let wants_groups = projection.wants("groups");
    let letter = welcome::prepare(app, caller)?;
    let is_told = letter.is_some();
    let (made, trace) = push::write(app, caller, move |tx, one| {
        let (wish, letter) = (wish.clone(), letter.clone());
        Box::pin(async move {
            let decision = push::decide(tx, &one, &wish).await?;
            if let Some(refused) = push::refused(&decision, KIND) {
                return Ok(refused);
            }
            let Verdict::Admitted(account) = &decision.verdict else {
                return Err(Stop::Store(StoreError::Corrupt("verdict")));
            };
            if let Some(letter) = letter {
                let connection = one.caller.live.in_force.connection();
                letter.keep(tx, &decision, connection, one.now).await?;
            }
            let made = match newcomer(&decision.plan, account, one.now) {
                Some(user) => Made::New(Box::new(user)),
                None => Made::Known(account.clone()),
            };
            Ok(Ended::Done(made, push::trace(&decision)))
        })
    })
    .await?;
    if is_told {
        app.ring_mail();
    }
    let made = match made {
        Made::New(user) => UserView {
            user: *user,
            groups: wants_groups.then(Vec::new),
        },
        // Not in the transaction, which is shorter so: until it is answered nobody else knows the person.
        Made::Known(account) => find(app, caller, &account, wants_groups).await?,
    };
    Ok(answer(caller, 201, &made, &projection, trace))
}

/// Whom a request to make a person led to.
enum Made {
    /// Somebody who was not there: as a look-up would find her, without one. Nobody can have put her into a group yet.
    New(Box<DirectoryUser>),
    /// Somebody who was, or who was changed at once.
    Known(AccountId),
}

/// Returns the person whom a plan makes as the store keeps her, unless another change of the plan touches what is shown.
fn newcomer(plan: &Plan, id: &AccountId, now: Timestamp) -> Option<DirectoryUser> {
    let mut others = plan.changes.iter().filter(|change| {
        !matches!(
            change,
            PlannedChange::Link { .. }
                | PlannedChange::AddMembership { .. }
                | PlannedChange::Alert { .. }
                | PlannedChange::QueueReevaluation { .. }
        )
    });
    let (Some(PlannedChange::CreateAccount { account, profile }), None) = (others.next(), others.next())
    else {
        return None;
    };
    (account.id == *id).then(|| DirectoryUser::made(account, profile.as_ref(), now))
}

/// Reads a person.
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
    let found = find(app, caller, &AccountId::new(id), projection.wants("groups")).await?;
    if versions::is_known(caller, if_none_match, found.user.account.version) {
        return Ok(resource::unchanged(caller, id, found.user.account.version));
    }
    Ok(answer(caller, 200, &found, &projection, None))
}

/// Replaces or changes a person.
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
    let account = AccountId::new(id);
    let wants_groups = projection.wants("groups");
    let change = Arc::new(change);
    let (unchanged, trace) = push::write(app, caller, move |tx, one| {
        let (account, change, if_match) = (account.clone(), Arc::clone(&change), if_match.clone());
        Box::pin(async move {
            let stored = stored(tx, &one.caller, &account).await?;
            let if_version = versions::check(&one.caller, if_match.as_deref(), stored.account.version)?;
            let before = translate::scim::document(&stored);
            let after = apply(&one.caller, &change, &before)?;
            let active = said_active(&one.caller, &change, &before, &after, &stored)?;
            allow(&one.caller, &before, &after, active)?;
            let wish = Push::ReplaceUser {
                account: account.clone(),
                if_version,
                user: Box::new(translate::scim::changed_user(&after, active)),
            };
            let decision = push::decide(tx, &one, &wish).await?;
            if let Some(refused) = push::refused(&decision, KIND) {
                return Ok(refused);
            }
            let unchanged = if decision.plan.changes.is_empty() {
                Some(view::user(tx, stored, wants_groups).await?)
            } else {
                None
            };
            Ok(Ended::Done(unchanged, push::trace(&decision)))
        })
    })
    .await?;
    let changed = match unchanged {
        Some(view) => view,
        None => find(app, caller, &AccountId::new(id), wants_groups).await?,
    };
    Ok(answer(caller, 200, &changed, &projection, trace))
}

/// Deletes a person, as the connection's settings say.
///
/// # Errors
/// [`Failure`].
pub async fn delete(
    app: &App,
    caller: &Arc<Caller>,
    id: &str,
    if_match: Option<String>,
) -> Result<Answer, Failure> {
    require(caller, ScimOperation::Delete)?;
    resource::delete(app, caller, (KIND, id), if_match).await
}

async fn find(
    app: &App,
    caller: &Caller,
    account: &AccountId,
    wants_groups: bool,
) -> Result<UserView, Failure> {
    let (connection, account) = (caller.live.id().clone(), account.clone());
    let found: Option<UserView> = app
        .store
        .read(move |reader| {
            Box::pin(async move {
                if !wants_groups {
                    let user = reader.directory_user(&connection, &account).await?;
                    return Ok::<_, StoreError>(user.map(|user| UserView { user, groups: None }));
                }
                let found = reader.directory_user_and_groups(&connection, &account).await?;
                Ok(found.map(|(user, groups)| UserView {
                    user,
                    groups: Some(groups),
                }))
            })
        })
        .await?;
    Ok(found.ok_or_else(|| resource::gone(KIND))?)
}

async fn stored(tx: &mut Tx, caller: &Caller, account: &AccountId) -> Result<DirectoryUser, Stop> {
    let found = tx.directory_user_to_change(caller.live.id(), account).await?;
    found.ok_or_else(|| resource::gone(KIND).into())
}

fn apply(caller: &Caller, change: &Change, before: &Document) -> Result<Document, ScimError> {
    let scim = caller.scim();
    match change {
        Change::Replace(body) => Document::user_from_put(before, body, &scim.schemas, scim.mode),
        Change::Patch(patch) => patch.apply_user(before),
        Change::Partial(partial) => {
            let whole = partial.merge(before.as_map(), &scim.schemas)?;
            Document::user_from_put(before, &whole, &scim.schemas, scim.mode)
        }
    }
}

/// Works out whether the request says something about `active` that has to be carried out. Directories repeat the
/// whole person: `true` over again must not undo an administrator's suspension. `false` over again counts, if it is
/// really said and not only left as it was.
fn said_active(
    caller: &Caller,
    change: &Change,
    before: &Document,
    after: &Document,
    stored: &DirectoryUser,
) -> Result<Option<bool>, ScimError> {
    if before.active() != after.active() {
        return Ok(after.active());
    }
    if after.active() != Some(false) || !translate::scim::is_active(&stored.account) {
        return Ok(None);
    }
    // Whoever says it says it whatever was there before.
    let mut turned = before.as_map().clone();
    turned.insert("active".to_owned(), true.into());
    let turned = apply(caller, change, &Document::from_stored(turned))?;
    Ok(turned.active().filter(|active| !active))
}

/// Judges a change by its effect: only what really changes has to be allowed.
fn allow(
    caller: &Caller,
    before: &Document,
    after: &Document,
    active: Option<bool>,
) -> Result<(), ScimError> {
    let rest = |document: &Document| {
        let mut rest = document.as_map().clone();
        rest.remove("active");
        rest
    };
    if active.is_some() {
        require(caller, ScimOperation::Deactivate)?;
    }
    if rest(before) != rest(after) {
        require(caller, ScimOperation::Update)?;
    }
    let has_either = [ScimOperation::Update, ScimOperation::Deactivate]
        .iter()
        .any(|operation| caller.scim().config.allows(*operation));
    if has_either {
        Ok(())
    } else {
        require(caller, ScimOperation::Update)
    }
}

fn answer(
    caller: &Caller,
    status: u16,
    shown: &UserView,
    projection: &Projection,
    trace: Option<TraceId>,
) -> Answer {
    let id = shown.user.account.id.as_str();
    let body = view::encode(caller, view::shown_user(caller, shown, projection), KIND);
    resource::whole(
        caller,
        (KIND, id, shown.user.account.version),
        status,
        body,
        trace,
    )
}
