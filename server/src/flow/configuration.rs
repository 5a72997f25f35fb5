//! Configuration through the API: whole documents, or one organization, connection or application. All of it goes the way of
//! `provost apply`, so that every rule stands in one place.

use std::path::Path;

use provost_kernel::directory::Status;
use provost_kernel::facts::AccountFacts;
use provost_kernel::id::{ConnectionId, OrganizationId};
use provost_kernel::provision::Action;
use provost_store::{AccountFilter, ApplicationRecord, NewEvent, StoreError};
use serde_json::{Map, Value, json};

use crate::app::App;
use crate::declarative::document::{ApplicationEntry, OrganizationEntry};
use crate::declarative::{
    self, ApplyError, As, ConnectionEntry, Document, ExportError, Mode, Report, SettingUp,
};
use crate::error::{AppError, Fault, Result};
use crate::flow::acting::{self, Wish};
use crate::flow::api_keys::Caller;
use crate::flow::directory;
use crate::flow::scim::tokens;

/// People read at once while a connection is deleted.
const PORTION: u32 = 100;

/// Exports the stored configuration, without secrets.
///
/// # Errors
/// 403 (`instance_key_needed`); those of the store.
pub async fn export(app: &App, caller: &Caller) -> Result<Document> {
    caller.must_be_of_instance()?;
    declarative::export(app).await.map_err(|error| match error {
        ExportError::Store(error) => error.into(),
        other @ (ExportError::Connection(_) | ExportError::Application(_)) => AppError::internal(other),
    })
}

/// Applies a document.
///
/// # Errors
/// 403 (`instance_key_needed`), 422 (`invalid_configuration`) with everything that is wrong; those of the store.
pub async fn apply(app: &App, caller: &Caller, document: Document, mode: Mode) -> Result<Report> {
    caller.must_be_of_instance()?;
    carry_out(app, caller, document, mode, false).await
}

/// Makes an organization or brings it to what is wanted; lists are exact.
///
/// # Errors
/// As [`apply`].
pub async fn put_organization(
    app: &App,
    caller: &Caller,
    id: &str,
    body: Map<String, Value>,
    mode: Mode,
) -> Result<Report> {
    must_see(caller, id)?;
    caller.must_be_of_instance()?;
    let entry: OrganizationEntry = entry(body, "id", id)?;
    let document = Document {
        organizations: vec![entry],
        ..Document::default()
    };
    carry_out(app, caller, document, mode, true).await
}

/// Deletes an organization that nobody is a member of any more.
///
/// # Errors
/// 404, 403 (`instance_key_needed`), 409 (`organization_in_use`); those of the store.
pub async fn delete_organization(app: &App, caller: &Caller, id: &str) -> Result<()> {
    must_see(caller, id)?;
    caller.must_be_of_instance()?;
    let (now, actor) = (app.world.now(), caller.actor().label());
    let id = OrganizationId::new(id);
    let deleted = app
        .store
        .write(move |tx| {
            Box::pin(async move {
                let deleted = tx.delete_organization(&id).await?;
                if deleted {
                    tx.record(NewEvent {
                        at: now,
                        kind: "organization.deleted".to_owned(),
                        actor,
                        account: None,
                        organization: None,
                        connection: None,
                        trace: None,
                        data: json!({ "organization": id.as_str() }),
                    });
                }
                Ok::<_, StoreError>(deleted)
            })
        })
        .await;
    match deleted {
        Ok(true) => Ok(()),
        Ok(false) => Err(AppError::not_found()),
        Err(StoreError::Conflict(_)) => Err(AppError::conflict(
            "organization_in_use",
            "The organization still has members, groups or connections.",
        )),
        Err(error) => Err(error.into()),
    }
}

/// Makes a connection or brings it to what is wanted. A key of one organization makes connections of that organization.
///
/// # Errors
/// 404 for another's, 422 (`invalid_configuration`); those of the store.
pub async fn put_connection(
    app: &App,
    caller: &Caller,
    id: &str,
    mut body: Map<String, Value>,
    mode: Mode,
) -> Result<Report> {
    let stored = ConnectionId::new(id);
    let stored = app
        .store
        .read(|reader| Box::pin(async move { reader.connection(&stored).await }))
        .await?;
    if stored.is_some_and(|record| !caller.owns(record.connection.owner())) {
        return Err(AppError::not_found());
    }
    if let Some(own) = &caller.organization
        && !body.contains_key("organization")
    {
        body.insert("organization".to_owned(), json!(own.as_str()));
    }
    let entry: ConnectionEntry = entry(body, "id", id)?;
    let mut faults = Vec::new();
    if let Some(own) = &caller.organization {
        if entry.scope.is_some() || entry.organization.as_deref() != Some(own.as_str()) {
            faults.push(fault(
                "organization",
                "A key of one organization makes connections of that one.",
            ));
        }
        if !entry.shared_with.is_empty() {
            faults.push(fault("shared_with", "Sharing needs a key of the whole instance."));
        }
    }
    if !faults.is_empty() {
        return Err(invalid(faults));
    }
    let document = Document {
        connections: vec![entry],
        ..Document::default()
    };
    carry_out(app, caller, document, mode, true).await
}

/// Applies one connection that is being set up. Lists are exact; tokens stay.
///
/// # Errors
/// 422 (`invalid_configuration`); those of the store.
pub async fn set_up(
    app: &App,
    caller: &Caller,
    entry: ConnectionEntry,
    setting_up: SettingUp,
) -> Result<Report> {
    let document = Document {
        connections: vec![entry],
        ..Document::default()
    };
    let by = As {
        actor: caller.actor(),
        exact: true,
        setting_up,
    };
    Box::pin(declarative::apply_as(
        app,
        document,
        Path::new("."),
        Mode::Write,
        by,
    ))
    .await
    .map_err(refused)
}

/// Whom the end of a connection would concern.
pub struct Affected {
    /// How many people sign in through it.
    pub count: usize,
    /// The first of them.
    pub people: Vec<AccountFacts>,
}

/// What becomes of the people of a connection that is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum People {
    /// They stay as they are and cannot sign in through it: it is switched off and kept for them.
    Keep,
    /// They are deleted, each by a decision of its own; restorable for a while.
    Delete,
}

/// Shows whom the end of a connection would concern.
///
/// # Errors
/// 404; those of the store.
pub async fn affected(app: &App, caller: &Caller, id: &str, shown: u32) -> Result<Affected> {
    directory::connection(app, caller, id).await?;
    let mut people = Vec::new();
    let mut count = 0;
    let mut after = None;
    loop {
        let page = live_people(app, id, after).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.account.id.clone());
        count += page.len();
        let room = usize::try_from(shown)
            .unwrap_or_default()
            .saturating_sub(people.len());
        people.extend(page.into_iter().take(room));
    }
    Ok(Affected { count, people })
}

async fn live_people(
    app: &App,
    id: &str,
    after: Option<provost_kernel::id::AccountId>,
) -> Result<Vec<AccountFacts>, StoreError> {
    let filter = AccountFilter {
        connection: Some(ConnectionId::new(id)),
        ..AccountFilter::default()
    };
    let mut after = after;
    loop {
        let (filter, from) = (filter.clone(), after.clone());
        let page = app
            .store
            .read(|reader| {
                Box::pin(async move { reader.accounts_where(&filter, from.as_ref(), PORTION).await })
            })
            .await?;
        let Some(last) = page.last() else { return Ok(page) };
        after = Some(last.account.id.clone());
        let live: Vec<AccountFacts> = page
            .into_iter()
            .filter(|facts| facts.account.status != Status::Deleted)
            .collect();
        if !live.is_empty() {
            return Ok(live);
        }
    }
}

/// Deletes a connection. Where people have ever signed in through it, it is switched off, its tokens end, and it stays as the
/// name that their accounts are bound to.
///
/// # Errors
/// 404; 409 (`connection_in_use`) where it has people and nothing is said about them; refusals of the kernel; those of the store.
pub async fn delete_connection(app: &App, caller: &Caller, id: &str, people: Option<People>) -> Result<bool> {
    let concerned = affected(app, caller, id, 0).await?;
    if concerned.count > 0 && people.is_none() {
        return Err(AppError::conflict(
            "connection_in_use",
            format!(
                "{} people sign in through it. Say what becomes of them: `people=keep` or `people=delete`.",
                concerned.count
            ),
        ));
    }
    if people == Some(People::Delete) {
        let mut after = None;
        loop {
            let page = live_people(app, id, after).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.account.id.clone());
            for facts in page {
                let action = Action::Delete {
                    account: facts.account.id,
                    allow_return: false,
                };
                acting::act(app, Wish::new(caller.actor(), action)).await?;
            }
        }
        app.ring_jobs();
    }
    let (wanted, now, actor) = (ConnectionId::new(id), app.world.now(), caller.actor().label());
    let gone = app
        .store
        .write(move |tx| Box::pin(async move { end_connection(tx, &wanted, actor, now).await }))
        .await?;
    for token in tokens::list(app, Some(id.to_owned())).await? {
        // One that ended in between is as good as revoked.
        let _ = tokens::revoke(app, token.id).await;
    }
    Ok(gone)
}

/// Removes the row, or switches the connection off where rows still name it. Tells whether it is gone.
async fn end_connection(
    tx: &mut provost_store::Tx,
    id: &ConnectionId,
    actor: String,
    now: jiff::Timestamp,
) -> Result<bool, StoreError> {
    let Some(mut record) = tx.connection(id).await? else {
        return Ok(true);
    };
    let owner = record.connection.owner().cloned();
    let gone = match tx.delete_connection(id).await {
        Ok(_) => true,
        Err(StoreError::Conflict(_)) => false,
        Err(error) => return Err(error),
    };
    if !gone {
        record.connection.enabled = false;
        tx.put_connection(
            &record.connection,
            &record.protocol_config,
            &record.secrets,
            &record.status,
            now,
        )
        .await?;
    }
    tx.record(NewEvent {
        at: now,
        kind: if gone {
            "connection.deleted"
        } else {
            "connection.retired"
        }
        .to_owned(),
        actor,
        account: None,
        organization: owner,
        connection: Some(id.clone()),
        trace: None,
        data: json!({}),
    });
    Ok(gone)
}

/// Lists the applications. They belong to the instance.
///
/// # Errors
/// 403 (`instance_key_needed`); those of the store.
pub async fn applications(app: &App, caller: &Caller) -> Result<Vec<ApplicationRecord>> {
    caller.must_be_of_instance()?;
    let found = app
        .store
        .read(|reader| Box::pin(async move { reader.applications().await }))
        .await?;
    Ok(found)
}

/// Makes an application or brings it to what is wanted.
///
/// # Errors
/// 404 with a key of one organization, 422 (`invalid_configuration`); those of the store.
pub async fn put_application(
    app: &App,
    caller: &Caller,
    id: &str,
    body: Map<String, Value>,
    mode: Mode,
) -> Result<Report> {
    if caller.organization.is_some() {
        return Err(AppError::not_found());
    }
    let entry: ApplicationEntry = entry(body, "client_id", id)?;
    let document = Document {
        applications: vec![entry],
        ..Document::default()
    };
    carry_out(app, caller, document, mode, true).await
}

/// Deletes an application.
///
/// # Errors
/// 404; those of the store.
pub async fn delete_application(app: &App, caller: &Caller, id: &str) -> Result<()> {
    if caller.organization.is_some() {
        return Err(AppError::not_found());
    }
    let (id, now, actor) = (id.to_owned(), app.world.now(), caller.actor().label());
    let deleted = app
        .store
        .write(move |tx| {
            Box::pin(async move {
                let deleted = tx.delete_application(&id).await?;
                if deleted {
                    tx.record(NewEvent {
                        at: now,
                        kind: "application.deleted".to_owned(),
                        actor,
                        account: None,
                        organization: None,
                        connection: None,
                        trace: None,
                        data: json!({ "client_id": id }),
                    });
                }
                Ok::<_, StoreError>(deleted)
            })
        })
        .await?;
    if deleted {
        Ok(())
    } else {
        Err(AppError::not_found())
    }
}

async fn carry_out(
    app: &App,
    caller: &Caller,
    document: Document,
    mode: Mode,
    exact: bool,
) -> Result<Report> {
    // The file's folder is that of whoever runs the command; a program has none on this machine.
    let files: Vec<Fault> = document
        .connections
        .iter()
        .filter(|entry| {
            entry
                .saml
                .as_ref()
                .is_some_and(|saml| saml.metadata_file.is_some())
        })
        .map(|entry| {
            fault(
                &format!("connections[{}].saml.metadata_file", entry.id),
                "Files cannot be named here: use metadata_url, or entity_id with sso_url and certificates.",
            )
        })
        .collect();
    if !files.is_empty() {
        return Err(invalid(files));
    }
    let by = As {
        actor: caller.actor(),
        exact,
        setting_up: SettingUp::No,
    };
    declarative::apply_as(app, document, Path::new("."), mode, by)
        .await
        .map_err(refused)
}

fn refused(error: ApplyError) -> AppError {
    match error {
        ApplyError::Problems(problems) => invalid(
            problems
                .into_iter()
                .map(|problem| fault(&problem.path, problem.message))
                .collect(),
        ),
        ApplyError::Store(error) => error.into(),
        other @ (ApplyError::NoRandomness(_)
        | ApplyError::Guard(_)
        | ApplyError::Password(_)
        | ApplyError::DryRun(_)) => AppError::internal(other),
    }
}

fn must_see(caller: &Caller, organization: &str) -> Result<()> {
    if caller.sees(&OrganizationId::new(organization)) {
        Ok(())
    } else {
        Err(AppError::not_found())
    }
}

/// Reads an entry of the declarative file whose identifier is in the address.
fn entry<T: serde::de::DeserializeOwned>(mut body: Map<String, Value>, name: &str, id: &str) -> Result<T> {
    if body.get(name).is_some_and(|said| said != id) {
        return Err(invalid(vec![fault(
            name,
            "It is another one than the address names.",
        )]));
    }
    body.insert(name.to_owned(), json!(id));
    serde_json::from_value(Value::Object(body))
        .map_err(|error| invalid(vec![fault("", format!("The entry cannot be read: {error}."))]))
}

fn fault(path: &str, message: impl Into<String>) -> Fault {
    Fault {
        path: path.to_owned(),
        position: None,
        message: message.into(),
        suggestion: None,
    }
}

fn invalid(faults: Vec<Fault>) -> AppError {
    AppError::unprocessable(
        "invalid_configuration",
        "Nothing was changed; see the errors for what is wrong.",
    )
    .with_faults(faults)
}
