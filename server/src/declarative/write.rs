//! Writes the resolved document inside one transaction, noting each difference. One file per kind of thing.

mod application;
mod connection;
mod group;
mod organization;
mod user;

pub(super) use connection::TOKEN_KIND;

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use provost_kernel::id::{ConnectionId, OrganizationId};
use provost_kernel::incoming::Fresh;
use provost_store::{Demand, NewEvent, Tx};
use serde_json::Value;

use super::document::Document;
use super::protocol::Resolved;
use super::report::{ApplyError, Problem, Report};
use crate::flow::enforcement::serving;
use crate::world::World;

/// Everything that writing needs, prepared outside the transaction.
pub(super) struct Prepared {
    /// The document.
    pub(super) document: Arc<Document>,
    /// Its connections, resolved, in the same order.
    pub(super) connections: Vec<Resolved>,
    /// Hashes of passwords that were given in plain, by position of the user.
    pub(super) password_hashes: Vec<Option<String>>,
    /// Source of identifiers.
    pub(super) world: World,
    /// When.
    pub(super) now: Timestamp,
    /// Warnings found so far.
    pub(super) report: Report,
    /// For whom, and how.
    pub(super) by: super::As,
}

/// The state of one run.
struct Run<'a> {
    tx: &'a mut Tx,
    prepared: &'a Prepared,
    report: Report,
    problems: Vec<Problem>,
    /// Demands for single sign-on that a connection served before it was changed and does not serve any more, by path.
    unserved: Vec<(String, Vec<Demand>)>,
    /// Organizations that owners alone manage from now on.
    owners_alone: Vec<OrganizationId>,
    /// How often this run itself has changed connections because a domain came or went.
    own_changes: BTreeMap<ConnectionId, i64>,
}

/// Writes everything.
///
/// # Errors
/// [`ApplyError::Problems`] with all that is wrong, or the store's error; the caller's transaction is rolled back.
pub(super) async fn everything(tx: &mut Tx, prepared: &Prepared) -> Result<Report, ApplyError> {
    let mut run = Run {
        tx,
        prepared,
        report: prepared.report.clone(),
        problems: Vec::new(),
        unserved: Vec::new(),
        owners_alone: Vec::new(),
        own_changes: BTreeMap::new(),
    };
    run.hold_organizations().await?;
    for entry in &prepared.document.organizations {
        run.organization(entry).await?;
    }
    // A reference to something that could not be written would only repeat the same complaint.
    run.stop_if_problems()?;
    for (entry, resolved) in prepared.document.connections.iter().zip(&prepared.connections) {
        run.connection(entry, resolved).await?;
    }
    for entry in &prepared.document.applications {
        run.application(entry).await?;
    }
    run.stop_if_problems()?;
    for (position, entry) in prepared.document.users.iter().enumerate() {
        run.user(position, entry).await?;
    }
    run.stop_if_problems()?;
    for entry in &prepared.document.organizations {
        run.groups(entry).await?;
    }
    run.warn_where_nobody_manages().await?;
    if prepared.document.prune {
        run.prune().await?;
    }
    run.keep_demands_served().await?;
    run.stop_if_problems()?;
    Ok(run.report)
}

impl Run<'_> {
    /// Has whoever changes one of these organizations in another way wait, before anything is read that is written back. All at
    /// once and in one order, so that two documents do not wait for each other.
    async fn hold_organizations(&mut self) -> Result<(), ApplyError> {
        let entries = self.prepared.document.organizations.iter();
        let ids: Vec<OrganizationId> = entries.map(|entry| OrganizationId::new(&entry.id)).collect();
        self.tx.hold_organizations(&ids).await?;
        Ok(())
    }

    /// Notes that this run has changed connections itself, each once.
    fn note_own_changes(&mut self, changed: Vec<ConnectionId>) {
        for id in changed {
            *self.own_changes.entry(id).or_default() += 1;
        }
    }

    fn add(&mut self, path: impl Into<String>, message: impl Into<String>) {
        self.problems.push(Problem::new(path, message));
    }

    fn stop_if_problems(&mut self) -> Result<(), ApplyError> {
        if self.problems.is_empty() {
            return Ok(());
        }
        Err(ApplyError::Problems(std::mem::take(&mut self.problems)))
    }

    /// Notes an audit event. `data` holds names of fields or whole values that are no secrets.
    fn audit(
        &mut self,
        kind: &str,
        organization: Option<&OrganizationId>,
        connection: Option<&ConnectionId>,
        data: Value,
    ) {
        self.tx.record(NewEvent {
            at: self.prepared.now,
            kind: kind.to_owned(),
            actor: self.prepared.by.actor.label(),
            account: None,
            organization: organization.cloned(),
            connection: connection.cloned(),
            trace: None,
            data,
        });
    }

    fn fresh(&self) -> Result<Fresh, ApplyError> {
        Ok(self.prepared.world.fresh()?.0)
    }

    /// Warns where owners alone manage an organization that has none (C-26): its people could only wait for an operator.
    async fn warn_where_nobody_manages(&mut self) -> Result<(), ApplyError> {
        for id in std::mem::take(&mut self.owners_alone) {
            if self.tx.owners_of(&id, 1).await?.is_empty() {
                let path = format!("organizations[{id}].managed_by");
                self.report.warn(
                    path,
                    "owners alone manage it, and nobody is an active owner of it yet",
                );
            }
        }
        Ok(())
    }

    /// Refuses what would leave a demand for single sign-on without a connection. Judged last, because the document may end
    /// the demand as well, or bring another connection.
    async fn keep_demands_served(&mut self) -> Result<(), ApplyError> {
        for (path, demands) in std::mem::take(&mut self.unserved) {
            if serving::is_lost_in_tx(self.tx, &demands).await? {
                let text = format!("{} ({})", serving::LAST_CONNECTION_TEXT, serving::LAST_CONNECTION);
                self.add(path, text);
            }
        }
        Ok(())
    }

    /// Deletes what the document does not mention.
    async fn prune(&mut self) -> Result<(), ApplyError> {
        self.prune_applications().await?;
        self.prune_connections().await?;
        self.prune_organizations().await
    }
}
