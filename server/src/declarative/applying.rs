//! Applying a document: check, resolve, then write everything in one transaction, or roll it back for a dry run.

use std::path::Path;
use std::sync::Arc;

use provost_kernel::email::Email;
use provost_kernel::id::ConnectionId;
use provost_store::{ConnectionRecord, StoreError};
use secrecy::SecretString;

use super::check;
use super::document::Document;
use super::protocol::{self, Context};
use super::report::{ApplyError, Report};
use super::write::{self, Prepared};
use crate::app::App;

/// Whether anything is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Everything is kept.
    Write,
    /// Everything is tried and rolled back.
    DryRun,
}

/// Applies a document. `folder` is where file names in it begin.
///
/// # Errors
/// [`ApplyError`]; nothing is kept then.
pub async fn apply(app: &App, document: Document, folder: &Path, mode: Mode) -> Result<Report, ApplyError> {
    let mut report = Report::default();
    let mut problems = check::document(&document, &mut report);
    if !problems.is_empty() {
        return Err(ApplyError::Problems(problems));
    }
    let mut connections = Vec::with_capacity(document.connections.len());
    for entry in &document.connections {
        let stored = stored_connection(app, &entry.id).await?;
        let mut context = Context {
            app,
            folder,
            problems: &mut problems,
            report: &mut report,
        };
        connections.extend(protocol::resolve(&mut context, entry, stored.as_ref()).await);
    }
    if !problems.is_empty() {
        return Err(ApplyError::Problems(problems));
    }
    let password_hashes = password_hashes(app, &document).await?;
    let prepared = Arc::new(Prepared {
        document,
        connections,
        password_hashes,
        world: app.world.clone(),
        now: app.world.now(),
        report,
    });
    let written = app
        .store
        .write(move |tx| {
            Box::pin(async move {
                let report = write::everything(tx, &prepared).await?;
                match mode {
                    Mode::Write => Ok(report),
                    // The only way to end a transaction without keeping it is an error.
                    Mode::DryRun => Err(ApplyError::DryRun(Box::new(report))),
                }
            })
        })
        .await;
    match written {
        Err(ApplyError::DryRun(report)) => Ok(*report),
        other => other,
    }
}

async fn stored_connection(app: &App, id: &str) -> Result<Option<ConnectionRecord>, StoreError> {
    let id = ConnectionId::new(id);
    app.store
        .read(move |reader| Box::pin(async move { reader.connection(&id).await }))
        .await
}

/// Hashes plain passwords of accounts that have none yet; hashing is slow and must not happen inside the transaction.
async fn password_hashes(app: &App, document: &Document) -> Result<Vec<Option<String>>, ApplyError> {
    let mut hashes = Vec::with_capacity(document.users.len());
    for user in &document.users {
        let hash = match (&user.password, Email::parse(&user.email)) {
            (Some(password), Ok(email)) if !has_password(app, &email).await? => {
                let password = SecretString::from(password.expose().to_owned());
                let salt = app.world.bytes::<16>()?;
                let hash = app.passwords.hash(password, salt).await;
                Some(hash.map_err(|error| ApplyError::Password(crate::error::chain(&error)))?)
            }
            (Some(_) | None, _) => None,
        };
        hashes.push(hash);
    }
    Ok(hashes)
}

async fn has_password(app: &App, email: &Email) -> Result<bool, StoreError> {
    let email = email.clone();
    app.store
        .read(move |reader| {
            Box::pin(async move {
                match reader.standard_account(&email).await? {
                    Some(account) => Ok(reader.password_hash(&account.id).await?.is_some()),
                    None => Ok(false),
                }
            })
        })
        .await
}
