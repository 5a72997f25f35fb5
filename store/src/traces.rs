//! Traces of attempts, for explanations. Never holds unmasked secrets: the server masks claims before it hands them in.

use jiff::Timestamp;
use provost_kernel::id::{AccountId, ConnectionId, OrganizationId, TraceId};
use provost_kernel::trace::Trace;
use serde_json::Value;

use crate::engine::batch::Insert;
use crate::error::Result;
use crate::tx::{Reader, Tx};
use crate::value::{Bind, Row, binds, json};

/// A trace as it is kept.
#[derive(Clone, Debug, PartialEq)]
pub struct TraceRecord {
    /// The steps.
    pub trace: Trace,
    /// `admitted` or the code of the denial.
    pub verdict: String,
    /// The claims that came in, masked.
    pub claims: Option<Value>,
}

/// Which traces to list; all conditions hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TraceFilter {
    /// Of this connection.
    pub connection: Option<ConnectionId>,
    /// Of this account.
    pub account: Option<AccountId>,
    /// Of a connection that this organization owns.
    pub organization: Option<OrganizationId>,
    /// Only attempts that were refused.
    pub refused: bool,
    /// Only attempts that ended with this code.
    pub verdict: Option<String>,
    /// At this time or later.
    pub since: Option<Timestamp>,
    /// Before this time.
    pub until: Option<Timestamp>,
    /// Older than this one: time and id of the last trace of the page before.
    pub before: Option<(Timestamp, TraceId)>,
}

const COLUMNS: &str = "SELECT trace, verdict, claims FROM traces";

impl Tx {
    /// Keeps a trace, perhaps with the masked claims, and counts it if it is a sign-in. The job fails with `conflict` for an id used twice.
    ///
    /// # Errors
    /// `corrupt` for a trace that has no JSON form.
    pub fn insert_trace(&mut self, trace: &Trace, verdict: &str, claims: Option<&Value>) -> Result<()> {
        let into = "INSERT INTO traces (id, at, kind, connection, account, verdict, trace, claims)";
        let row = binds![
            &trace.id,
            trace.at,
            &trace.kind,
            trace.connection.as_ref(),
            trace.account.as_ref(),
            verdict,
            json(trace)?,
            claims.map(json).transpose()?,
        ];
        self.insert_later(Insert::one(into, row));
        self.count_sign_in(trace, verdict);
        Ok(())
    }

    /// Adds the masked claims to a trace.
    ///
    /// # Errors
    /// `engine`.
    pub async fn set_trace_claims(&mut self, id: &TraceId, claims: &Value) -> Result<()> {
        self.run(
            "UPDATE traces SET claims = $2 WHERE id = $1",
            binds![id, json(claims)?],
        )
        .await
        .map(drop)
    }
}

impl Reader {
    /// Finds a trace by its reference number.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn trace(&mut self, id: &TraceId) -> Result<Option<TraceRecord>> {
        self.row(&format!("{COLUMNS} WHERE id = $1"), binds![id])
            .await?
            .map(record)
            .transpose()
    }

    /// Lists traces, newest first.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn traces(&mut self, filter: &TraceFilter, limit: u32) -> Result<Vec<TraceRecord>> {
        let mut conditions = Vec::new();
        let mut values: Vec<Bind> = binds![limit];
        if let Some(connection) = &filter.connection {
            values.push(connection.into());
            conditions.push(format!("connection = ${}", values.len()));
        }
        if let Some(account) = &filter.account {
            values.push(account.into());
            conditions.push(format!("account = ${}", values.len()));
        }
        if let Some(organization) = &filter.organization {
            values.push(organization.into());
            conditions.push(format!(
                "connection IN (SELECT id FROM connections WHERE organization = ${})",
                values.len()
            ));
        }
        if filter.refused {
            conditions.push("verdict <> 'admitted' AND verdict <> 'accepted'".to_owned());
        }
        if let Some(verdict) = &filter.verdict {
            values.push(verdict.as_str().into());
            conditions.push(format!("verdict = ${}", values.len()));
        }
        if let Some(since) = filter.since {
            values.push(since.into());
            conditions.push(format!("at >= ${}", values.len()));
        }
        if let Some(until) = filter.until {
            values.push(until.into());
            conditions.push(format!("at < ${}", values.len()));
        }
        if let Some((at, id)) = &filter.before {
            values.push((*at).into());
            values.push(id.into());
            conditions.push(format!("(at, id) < (${}, ${})", values.len() - 1, values.len()));
        }
        let within = if conditions.is_empty() {
            String::new()
        } else {
            format!("WHERE {}", conditions.join(" AND "))
        };
        let sql = format!("{COLUMNS} {within} ORDER BY at DESC, id DESC LIMIT $1");
        self.rows(&sql, values).await?.into_iter().map(record).collect()
    }
}

fn record(mut row: Row) -> Result<TraceRecord> {
    Ok(TraceRecord {
        trace: row.json("traces.trace")?,
        verdict: row.text("traces.verdict")?,
        claims: row.opt_json("traces.claims")?,
    })
}
