//! Configuration through the API: whole documents, or one organization, connection or application. All of it goes the way of
//! `provost apply`, so that every rule stands in one place.

pub mod ending;

use std::path::Path;

use provost_kernel::connection::Provisioning;
use provost_kernel::entitlement::Feature;
use provost_kernel::id::{ConnectionId, OrganizationId};
use provost_store::{ApplicationRecord, NewEvent, StoreError};
use serde_json::{Map, Value, json};

use crate::app::App;
use crate::declarative::document::{ApplicationEntry, OrganizationEntry};
use crate::declarative::{
    self, ApplyError, As, Basis, ConnectionEntry, Document, ExportError, Mode, Report, SettingUp,
};
use crate::error::{AppError, Fault, Result};
use crate::flow::api_keys::Caller;
use crate::flow::entitlements;

pub use ending::{
    Affected, Ended, Outcome, People, Tally, affected, count_affected, delete_connection, outlook,
};

/// Exports the stored configuration, without secrets.
///
/// # Errors
/// 403 (`instance_key_needed`); those of the store.
pub async fn export(app: &App, caller: &Caller) -> Result<Document> {
    caller.must_be_of_instance()?;
    declarative::export(app).await.map_err(unexported)
}

/// Exports one organization with its connections, without secrets and people.
///
/// # Errors
/// 404 for an organization out of sight; those of the store.
pub async fn export_organization(app: &App, caller: &Caller, id: &str) -> Result<Document> {
    must_see(caller, id)?;
    declarative::export_organization(app, OrganizationId::new(id))
        .await
        .map_err(unexported)?
        .ok_or_else(AppError::not_found)
}

/// Writes a document as `provost export` does.
///
/// # Errors
/// 500 for what cannot be written.
pub fn written(document: &Document) -> Result<String> {
    declarative::render(document).map_err(AppError::internal)
}

fn unexported(error: ExportError) -> AppError {
    match error {
        ExportError::Store(error) => error.into(),
        other @ (ExportError::Connection(_) | ExportError::Application(_)) => AppError::internal(other),
    }
}

/// Applies a document.
///
/// # Errors
/// 403 (`instance_key_needed`), 422 (`invalid_configuration`) with everything that is wrong; those of the store.
pub async fn apply(app: &App, caller: &Caller, document: Document, mode: Mode) -> Result<Report> {
    caller.must_be_of_instance()?;
    carry_out(app, caller, document, mode, (false, Basis::Wish)).await
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
    carry_out(app, caller, document, mode, (true, Basis::Wish)).await
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
/// 404 for another's; 403 (`entitlement_missing`, `setup_by_link`, `setup_by_operator`) by the organization's plan; 422
/// (`invalid_configuration`); those of the store.
pub async fn put_connection(
    app: &App,
    caller: &Caller,
    id: &str,
    body: Map<String, Value>,
    mode: Mode,
) -> Result<Report> {
    put_connection_on(app, caller, id, body, mode, Basis::Wish).await
}

/// As [`put_connection`], for an entry that is the connection as it was read, with something changed.
///
/// # Errors
/// As [`put_connection`]; 409 (`conflict`) if it is not stored at this version any more: read it again.
pub async fn edit_connection(
    app: &App,
    caller: &Caller,
    entry: &ConnectionEntry,
    version: i64,
    mode: Mode,
) -> Result<Report> {
    let body = match serde_json::to_value(entry).map_err(AppError::internal)? {
        Value::Object(body) => body,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => Map::new(),
    };
    let basis = Basis::Edit(Some(version));
    Box::pin(put_connection_on(app, caller, &entry.id, body, mode, basis)).await
}

async fn put_connection_on(
    app: &App,
    caller: &Caller,
    id: &str,
    mut body: Map<String, Value>,
    mode: Mode,
    basis: Basis,
) -> Result<Report> {
    let stored = ConnectionId::new(id);
    let stored = app
        .store
        .read(|reader| Box::pin(async move { reader.connection(&stored).await }))
        .await?;
    // That an identifier is in use elsewhere is told to anybody by its sign-in address, so this answer gives nothing away.
    if stored.is_some_and(|record| !caller.owns(record.connection.owner())) {
        return Err(AppError::not_found());
    }
    entitlements::require(app, caller, Feature::Sso).await?;
    entitlements::require_setup(app, caller).await?;
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
    if entry.provisioning == Provisioning::Scim {
        entitlements::require(app, caller, Feature::Scim).await?;
    }
    let document = Document {
        connections: vec![entry],
        ..Document::default()
    };
    carry_out(app, caller, document, mode, (true, basis)).await
}

/// Applies one connection that is being set up, as it was read at a version, if it was there, with something changed. Lists are
/// exact; tokens stay.
///
/// # Errors
/// 409 (`conflict`) if it is not stored at this version any more: read it again; 422 (`invalid_configuration`); those of the store.
pub async fn set_up(
    app: &App,
    caller: &Caller,
    entry: ConnectionEntry,
    version: Option<i64>,
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
        basis: Basis::Edit(version),
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
    carry_out(app, caller, document, mode, (true, Basis::Wish)).await
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
    (exact, basis): (bool, Basis),
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
        basis,
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
        ApplyError::Outrun(_) => StoreError::Conflict("connection_version".to_owned()).into(),
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
