//! Applying a document: check, resolve, then write everything in one transaction, or roll it back for a dry run.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use provost_kernel::connection::Connection;
use provost_kernel::email::Email;
use provost_kernel::id::ConnectionId;
use provost_kernel::mapping::InForce;
use provost_kernel::provision::Actor;
use provost_store::{ConnectionRecord, StoreError};
use secrecy::SecretString;

use super::check;
use super::document::Document;
use super::protocol::{self, Context, Resolved};
use super::report::{ApplyError, Problem, Report};
use super::write::{self, Prepared};
use crate::app::App;
use crate::flow::policy::change;
use crate::jobs::seats;

/// How long writing may take: a file may name every person of its organizations, and all of it is one transaction.
const LIMIT: Duration = Duration::from_mins(30);

/// How often a document is applied anew when others changed one of its connections in between.
const TRIES: u32 = 5;

/// Whether anything is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Everything is kept, unless a guard holds a policy: then nothing is.
    Write,
    /// Everything is kept, whatever the guards say: an admin has approved it.
    Approved,
    /// Everything is tried and rolled back.
    DryRun,
}

/// For whom a document is applied, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct As {
    /// In whose name configuration changes. What it says about people is always decided as the file's wish.
    pub actor: Actor,
    /// Whether the lists inside of entries are exact: what they do not name goes.
    pub exact: bool,
    /// Whether the connections of the document are being set up.
    pub setting_up: SettingUp,
    /// Where what it says of connections comes from.
    pub basis: Basis,
}

/// Where what a document says of connections comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Basis {
    /// From whoever wrote it, who wants just this, whatever is stored.
    Wish,
    /// From the one connection as it was stored at this version, with something changed; none if there was none. What others
    /// change meanwhile would be undone by it, so it is not written then.
    Edit(Option<i64>),
}

/// What a document means for the stage of life of its connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SettingUp {
    /// New ones are in use at once, and drafts stay drafts.
    No,
    /// New ones are drafts: nobody signs in through them.
    Draft,
    /// Drafts go live, if a test sign-in has proved the settings that the document has.
    GoLive,
}

/// Applies a document. `folder` is where file names in it begin.
///
/// # Errors
/// [`ApplyError`]; nothing is kept then.
pub async fn apply(app: &App, document: Document, folder: &Path, mode: Mode) -> Result<Report, ApplyError> {
    let by = As {
        actor: Actor::File,
        exact: false,
        setting_up: SettingUp::No,
        basis: Basis::Wish,
    };
    apply_as(app, document, folder, mode, by).await
}

/// As [`apply`], for whoever asks. A wish is applied anew where others changed a connection in between; an edit is not, because
/// whoever made it has to read again.
///
/// # Errors
/// As [`apply`]; [`ApplyError::Outrun`].
pub async fn apply_as(
    app: &App,
    document: Document,
    folder: &Path,
    mode: Mode,
    by: As,
) -> Result<Report, ApplyError> {
    let mut report = Report::default();
    let problems = check::document(&document, &mut report);
    if !problems.is_empty() {
        return Err(ApplyError::Problems(problems));
    }
    let document = Arc::new(document);
    let mut tries = match by.basis {
        Basis::Wish => TRIES,
        Basis::Edit(_) => 1,
    };
    loop {
        let (document, report, by) = (Arc::clone(&document), report.clone(), by.clone());
        let outcome = apply_once(app, (document, folder), mode, by, report).await;
        tries -= 1;
        match outcome {
            Err(ApplyError::Outrun(_)) if tries > 0 => {}
            other => return other,
        }
    }
}

/// Resolves, judges and writes, from one reading of what is stored.
async fn apply_once(
    app: &App,
    (document, folder): (Arc<Document>, &Path),
    mode: Mode,
    by: As,
    mut report: Report,
) -> Result<Report, ApplyError> {
    let connections = resolved(app, (&document, folder), by.basis, &mut report).await?;
    let mut problems = Vec::new();
    for resolved in &connections {
        guard(app, resolved, mode, &mut problems, &mut report).await?;
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
        by,
    });
    let written = app
        .store
        .write_within(LIMIT, move |tx| {
            Box::pin(async move {
                let report = write::everything(tx, &prepared).await?;
                match mode {
                    Mode::Write | Mode::Approved => Ok(report),
                    // The only way to end a transaction without keeping it is an error.
                    Mode::DryRun => Err(ApplyError::DryRun(Box::new(report))),
                }
            })
        })
        .await;
    if matches!(&written, Ok(report) if !report.is_empty()) {
        // More seats, or fewer people who hold one: somebody may have waited for that.
        seats::wake(app).await;
    }
    match written {
        Err(ApplyError::DryRun(report)) => Ok(*report),
        other => other,
    }
}

/// Resolves the connections beside what is stored of them.
async fn resolved(
    app: &App,
    (document, folder): (&Document, &Path),
    basis: Basis,
    report: &mut Report,
) -> Result<Vec<Resolved>, ApplyError> {
    let mut problems = Vec::new();
    let mut connections = Vec::with_capacity(document.connections.len());
    for entry in &document.connections {
        let stored = stored_connection(app, &entry.id).await?;
        if let Basis::Edit(version) = basis
            && stored.as_ref().map(|stored| stored.connection.version) != version
        {
            return Err(ApplyError::Outrun(ConnectionId::new(&entry.id)));
        }
        let mut context = Context {
            app,
            folder,
            problems: &mut problems,
            report: &mut *report,
        };
        connections.extend(protocol::resolve(&mut context, entry, stored.as_ref()).await);
    }
    if problems.is_empty() {
        Ok(connections)
    } else {
        Err(ApplyError::Problems(problems))
    }
}

/// Asks the connection's guard about edited policies: what would take access from too many people needs an approval.
async fn guard(
    app: &App,
    resolved: &Resolved,
    mode: Mode,
    problems: &mut Vec<Problem>,
    report: &mut Report,
) -> Result<(), ApplyError> {
    let wanted = &resolved.connection;
    let Some(stored) = stored_connection(app, wanted.id.as_str()).await? else {
        return Ok(());
    };
    let same = Connection {
        version: stored.connection.version,
        ..wanted.clone()
    };
    // Policies that do not compile are told of with everything else that is wrong.
    if mode == Mode::Approved || same == stored.connection || InForce::compile(same).is_err() {
        return Ok(());
    }
    let found = change::judge(app, &stored.connection, wanted, None)
        .await
        .map_err(|error| ApplyError::Guard(crate::error::chain(&error)))?;
    let path = format!("connections[{}].policy", wanted.id);
    let affected = found.impact.affected;
    for held in found.judgement.held {
        let text = format!(
            "would take access from {} of {} members of {} ({} %), more than strip_guard allows: look with `provost policy \
             preview --connection {} --policy FILE`, then apply with --approve",
            held.stripped, held.members, held.organization, held.percent, wanted.id
        );
        if mode == Mode::DryRun {
            report.warn(path.clone(), text);
        } else {
            problems.push(Problem::new(path.clone(), text));
        }
    }
    if mode == Mode::DryRun && affected > 0 {
        let text = format!(
            "would change the access of {affected} people: `provost policy preview --connection {} --policy FILE` shows whom",
            wanted.id
        );
        report.warn(path, text);
    }
    Ok(())
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
