//! Reading the audit log by what is asked for, in pages, newest first or oldest first. Writing it is [`crate::flush`]'s.

use jiff::Timestamp;
use provost_kernel::id::{AccountId, ConnectionId, OrganizationId};

use crate::error::Result;
use crate::feed::AuditRow;
use crate::tx::Reader;
use crate::value::{Bind, binds};

/// Which rows of one chain are wanted; all conditions hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// The organization whose chain is read; none reads the instance's.
    pub organization: Option<OrganizationId>,
    /// Of this kind, or of all kinds that begin with it and a dot.
    pub kind: Option<String>,
    /// By this actor.
    pub actor: Option<String>,
    /// About this account.
    pub account: Option<AccountId>,
    /// Through this connection.
    pub connection: Option<ConnectionId>,
    /// At this time or later.
    pub since: Option<Timestamp>,
    /// Before this time.
    pub until: Option<Timestamp>,
    /// Not what is among the attempts of the organization as well ([`crate::TraceFilter::organization`]).
    pub without_attempts: bool,
}

/// In which direction a log is read, and where to begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuditOrder {
    /// Newest first, before a position; none begins at the end.
    Before(Option<i64>),
    /// Oldest first, after a position; 0 begins at the beginning.
    After(i64),
}

impl Reader {
    /// Reads a page of an audit log.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn audit_where(
        &mut self,
        filter: &AuditFilter,
        order: AuditOrder,
        limit: u32,
    ) -> Result<Vec<AuditRow>> {
        let chain = filter.organization.as_ref().map_or("", OrganizationId::as_str);
        let (position, place, direction) = match order {
            AuditOrder::Before(before) => (before.unwrap_or(i64::MAX), "<", "DESC"),
            AuditOrder::After(after) => (after, ">", "ASC"),
        };
        let mut values: Vec<Bind> = binds![chain, position, limit];
        let mut conditions = String::new();
        let mut hold = |condition: &str, value: Bind| {
            values.push(value);
            conditions.push_str(" AND ");
            conditions.push_str(&condition.replace("$n", &format!("${}", values.len())));
        };
        if let Some(kind) = &filter.kind {
            // Kinds are words with dots, so nothing in them is special to LIKE but the underscore.
            hold(
                r"(kind = $n OR kind LIKE REPLACE($n, '_', '\_') || '.%' ESCAPE '\')",
                kind.into(),
            );
        }
        if let Some(actor) = &filter.actor {
            hold("actor = $n", actor.into());
        }
        if let Some(account) = &filter.account {
            hold("account = $n", account.into());
        }
        if let Some(connection) = &filter.connection {
            hold("connection = $n", connection.into());
        }
        if let Some(since) = filter.since {
            hold("at >= $n", since.into());
        }
        if let Some(until) = filter.until {
            hold("at < $n", until.into());
        }
        if filter.without_attempts {
            conditions.push_str(
                " AND NOT (kind IN ('session.created', 'sign_in.refused', 'request.refused') \
                 AND COALESCE(connection, '') IN (SELECT id FROM connections WHERE organization = $1))",
            );
        }
        let wanted = format!(
            "organization = $1 AND sequence {place} $2{conditions} ORDER BY sequence {direction} LIMIT $3"
        );
        self.audit_rows(&wanted, values).await
    }

    /// Reads what was changed last in the settings of a connection, as the log of its organization has it.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn last_change_of_connection(
        &mut self,
        organization: &OrganizationId,
        connection: &ConnectionId,
    ) -> Result<Option<AuditRow>> {
        let wanted = "organization = $1 AND connection = $2 AND kind = 'connection.updated' ORDER BY sequence DESC LIMIT 1";
        let mut rows = self
            .audit_rows(wanted, binds![organization.as_str(), connection.as_str()])
            .await?;
        Ok(rows.pop())
    }
}
