//! Whose access a hand edit keeps otherwise than the rules say, who is to be looked at again, and how far the walks over
//! everybody of a connection are (C-07). Never judges.

use std::collections::BTreeSet;

use jiff::Timestamp;
use provost_kernel::id::{AccountId, ConnectionId, OrganizationId};
use provost_kernel::plan::{Change, Decision, MembershipEdit};
use provost_kernel::provision::Actor;
use provost_kernel::trace::{Drift, SIGN_IN};

use crate::error::Result;
use crate::tx::{Reader, Tx};
use crate::value::{Row, binds, json};

/// Somebody for whom the rules would decide otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DriftRow {
    /// In which organization.
    pub organization: OrganizationId,
    /// Who.
    pub account: AccountId,
    /// Whose rules.
    pub connection: ConnectionId,
    /// What they would change.
    pub drift: Drift,
}

/// Somebody who is to be looked at again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DriftAsk {
    /// Who.
    pub account: AccountId,
    /// How often that was asked for.
    pub asks: i64,
}

/// A walk over everybody of a connection whom a hand edit holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DriftWalk {
    /// The connection.
    pub connection: ConnectionId,
    /// How often a walk was asked for: what was found on an earlier one is worth nothing.
    pub asks: i64,
    /// The last account that was looked at; none before a walk that comes round by itself.
    pub place: Option<AccountId>,
}

/// What the notes of an organization rely on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DriftSight {
    /// Since when everybody has been looked at; none as long as there are people whom nobody has looked at.
    pub as_of: Option<Timestamp>,
    /// Whether a walk is under way.
    pub is_under_way: bool,
    /// How many people the walks under way have looked at.
    pub looked_at: u64,
}

const UNDER_WAY: &str = "place IS NOT NULL";

impl Tx {
    /// Asks for people to be looked at again.
    ///
    /// # Errors
    /// `engine`.
    pub async fn ask_for_drift(&mut self, accounts: &BTreeSet<AccountId>, now: Timestamp) -> Result<()> {
        for account in accounts {
            self.ask_about(account, true, now).await?;
        }
        Ok(())
    }

    /// Asks for those to be looked at again whose memberships were edited by hand so that something is held, or whose access was
    /// noted to differ.
    pub(crate) async fn ask_for_drift_after(
        &mut self,
        decision: &Decision,
        actor: &Actor,
        now: Timestamp,
    ) -> Result<()> {
        // Whoever runs rules knows for whom.
        if decision.trace.kind == SIGN_IN || matches!(actor, Actor::Scim { .. }) {
            return Ok(());
        }
        for change in &decision.plan.changes {
            if let Change::UpdateMembership { account, edits, .. } = change {
                self.ask_about(account, edits.iter().any(holds), now).await?;
            } else if let Change::SetAuthentication { account, .. } = change {
                self.ask_about(account, false, now).await?;
            }
        }
        Ok(())
    }

    async fn ask_about(&mut self, account: &AccountId, anyway: bool, now: Timestamp) -> Result<()> {
        let sql = "INSERT INTO drift_asks (account, asks, asked_at) SELECT a.id, 1, $2 FROM accounts a WHERE a.id = $1 \
                   AND ($3 = 1 OR EXISTS (SELECT 1 FROM drifts d WHERE d.account = a.id)) \
                   ON CONFLICT (account) DO UPDATE SET asks = drift_asks.asks + 1";
        self.run(sql, binds![account, now, anyway]).await.map(drop)
    }

    /// Asks for everybody of a connection to be looked at again, from the beginning.
    pub(crate) async fn ask_for_drift_walk(
        &mut self,
        connection: &ConnectionId,
        now: Timestamp,
    ) -> Result<()> {
        let sql = "INSERT INTO drift_walks (connection, asks, place, looked_at, began_at) VALUES ($1, 1, '', 0, $2) \
                   ON CONFLICT (connection) DO UPDATE SET asks = drift_walks.asks + 1, place = '', looked_at = 0, \
                   began_at = excluded.began_at";
        self.run(sql, binds![connection, now]).await.map(drop)
    }

    /// Asks for everybody to be looked at again whom the rules of connections place in an organization.
    pub(crate) async fn ask_for_drift_walks_about(
        &mut self,
        organization: &OrganizationId,
        now: Timestamp,
    ) -> Result<()> {
        let sql = format!(
            "UPDATE drift_walks SET asks = asks + 1, place = '', looked_at = 0, began_at = $2 WHERE connection IN ({REACHING})"
        );
        self.run(&sql, binds![organization, now]).await.map(drop)
    }

    /// Puts what was found about people in the place of what was noted of them.
    ///
    /// # Errors
    /// `conflict` if one of them lost the membership just now.
    pub async fn note_drifts(
        &mut self,
        accounts: &[AccountId],
        found: &[DriftRow],
        now: Timestamp,
    ) -> Result<()> {
        for account in accounts {
            self.run("DELETE FROM drifts WHERE account = $1", binds![account])
                .await?;
        }
        let sql = "INSERT INTO drifts (organization, account, connection, drift, noted_at) \
                   SELECT m.organization, m.account, c.id, $4, $5 FROM memberships m JOIN connections c ON c.id = $3 \
                   WHERE m.organization = $1 AND m.account = $2 ON CONFLICT (organization, account) DO UPDATE SET \
                   connection = excluded.connection, drift = excluded.drift, noted_at = excluded.noted_at";
        for row in found {
            let values = binds![
                &row.organization,
                &row.account,
                &row.connection,
                json(&row.drift)?,
                now
            ];
            self.run(sql, values).await?;
        }
        Ok(())
    }

    /// Forgets that somebody is to be looked at, unless that was asked for once more meanwhile.
    ///
    /// # Errors
    /// `engine`.
    pub async fn answer_drift_ask(&mut self, ask: &DriftAsk) -> Result<()> {
        let sql = "DELETE FROM drift_asks WHERE account = $1 AND asks = $2";
        self.run(sql, binds![&ask.account, ask.asks]).await.map(drop)
    }

    /// Moves a walk on: to the last of `looked_at` more people, or to its end. What was noted of people on the way who are held by
    /// nothing any more, or sign in elsewhere, is forgotten. False if another walk was asked for or somebody else has moved this one on.
    ///
    /// # Errors
    /// `engine`.
    pub async fn move_drift_walk(
        &mut self,
        walk: &DriftWalk,
        to: Option<&AccountId>,
        looked_at: u32,
        now: Timestamp,
    ) -> Result<bool> {
        let sql = "UPDATE drift_walks SET place = $4, looked_at = CASE WHEN $3 = '' THEN 0 ELSE looked_at END + $5, \
                   began_at = CASE WHEN place IS NULL THEN $6 ELSE began_at END, \
                   through_at = CASE WHEN CAST($4 AS TEXT) IS NULL THEN $6 ELSE through_at END \
                   WHERE connection = $1 AND asks = $2 AND COALESCE(place, '') = $3";
        let from = walk.place.as_ref().map_or("", AccountId::as_str);
        let values = binds![
            &walk.connection,
            walk.asks,
            from,
            to.map(AccountId::to_string),
            looked_at,
            now
        ];
        if self.run(sql, values).await? == 0 {
            return Ok(false);
        }
        let (upper, values) = match to {
            Some(to) => (" AND account <= $3", binds![&walk.connection, from, to]),
            None => ("", binds![&walk.connection, from]),
        };
        let sql = format!("DELETE FROM drifts WHERE connection = $1 AND account > $2{upper}");
        self.run(&sql, values).await?;
        Ok(true)
    }
}

/// The connections that may place people in organization `$1`.
const REACHING: &str = "SELECT c.id FROM connections c WHERE c.organization = $1 OR c.organization IS NULL \
                        OR c.id IN (SELECT o.connection FROM connection_organizations o WHERE o.organization = $1)";

impl Reader {
    /// Lists for whom of an organization the rules would decide otherwise, by account, after one.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn drifts(
        &mut self,
        organization: &OrganizationId,
        after: Option<&AccountId>,
        limit: u32,
    ) -> Result<Vec<DriftRow>> {
        let sql = "SELECT organization, account, connection, drift FROM drifts WHERE organization = $1 AND account > $2 \
                   ORDER BY account LIMIT $3";
        let after = after.map_or("", AccountId::as_str);
        self.all(sql, binds![organization, after, limit], drift_row).await
    }

    /// Counts for whom of an organization the rules of a connection would decide otherwise, up to a limit.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn count_drifts(
        &mut self,
        connection: &ConnectionId,
        organization: &OrganizationId,
        most: u32,
    ) -> Result<u32> {
        let sql = "SELECT COUNT(*) FROM (SELECT 1 AS one FROM drifts WHERE connection = $1 AND organization = $2 LIMIT $3) d";
        let found = self.one(sql, binds![connection, organization, most], |mut row| {
            row.count("drifts")
        });
        Ok(found.await?.unwrap_or_default())
    }

    /// Tells what the notes of an organization rely on.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn drift_sight(&mut self, organization: &OrganizationId) -> Result<DriftSight> {
        let sql = format!(
            "SELECT COUNT(*), COUNT(through_at), MIN(through_at), COUNT(place), \
             CAST(COALESCE(SUM(CASE WHEN {UNDER_WAY} THEN looked_at ELSE 0 END), 0) AS BIGINT) FROM drift_walks \
             WHERE connection IN ({REACHING})"
        );
        let found = self.one(&sql, binds![organization], |mut row| {
            let (all, through) = (row.int("drift_walks")?, row.int("drift_walks")?);
            let oldest = row.opt_time("drift_walks.through_at")?;
            Ok(DriftSight {
                as_of: oldest.filter(|_| all == through),
                is_under_way: row.int("drift_walks.place")? > 0,
                looked_at: row.int("drift_walks.looked_at")?.unsigned_abs(),
            })
        });
        Ok(found.await?.unwrap_or_default())
    }

    /// Lists who is to be looked at again, who waits longest first.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn drift_asks(&mut self, limit: u32) -> Result<Vec<DriftAsk>> {
        let sql = "SELECT account, asks FROM drift_asks ORDER BY asked_at, account LIMIT $1";
        self.all(sql, binds![limit], |mut row| {
            Ok(DriftAsk {
                account: AccountId::new(row.text("drift_asks.account")?),
                asks: row.int("drift_asks.asks")?,
            })
        })
        .await
    }

    /// Lists walks that are under way, and those that ended before `before` and come round again.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn due_drift_walks(&mut self, before: Timestamp, limit: u32) -> Result<Vec<DriftWalk>> {
        let sql = format!(
            "SELECT connection, asks, place FROM drift_walks WHERE {UNDER_WAY} \
             UNION ALL SELECT connection, asks, place FROM drift_walks WHERE place IS NULL AND through_at < $1 LIMIT $2"
        );
        self.all(&sql, binds![before, limit], |mut row| {
            Ok(DriftWalk {
                connection: ConnectionId::new(row.text("drift_walks.connection")?),
                asks: row.int("drift_walks.asks")?,
                place: row.opt_text("drift_walks.place")?.map(AccountId::new),
            })
        })
        .await
    }

    /// Lists people of a connection of whose memberships a hand edit holds something, by account, after one.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn held_by_hand(
        &mut self,
        connection: &ConnectionId,
        after: Option<&AccountId>,
        limit: u32,
    ) -> Result<Vec<AccountId>> {
        let parts = [
            ("memberships", "h.pinned = 1"),
            ("memberships", "h.license_pinned = 1"),
            ("membership_roles", "h.pinned = 1"),
            ("membership_workspaces", "h.pinned = 1"),
        ];
        let parts = parts.into_iter().enumerate().map(|(number, (table, held))| {
            format!(
                "SELECT account FROM (SELECT DISTINCT h.account AS account FROM {table} h JOIN accounts a ON a.id = h.account \
                 WHERE {held} AND {{aside}}a.connection = $1 AND h.account > $2 ORDER BY h.account LIMIT $3) p{number}"
            )
        });
        let sql = format!(
            "{} ORDER BY account LIMIT $3",
            parts.collect::<Vec<_>>().join(" UNION ")
        );
        let after = after.map_or("", AccountId::as_str);
        self.account_ids(&sql, binds![connection, after, limit]).await
    }
}

/// Tells whether an edit lets a hand hold something against the rules.
fn holds(edit: &MembershipEdit) -> bool {
    match edit {
        MembershipEdit::GrantRole { pinned, .. }
        | MembershipEdit::GrantWorkspace { pinned, .. }
        | MembershipEdit::SetPinned { pinned } => *pinned,
        MembershipEdit::SetLicense { to, .. } => to.as_ref().is_some_and(|license| license.pinned),
        MembershipEdit::RevokeRole { .. }
        | MembershipEdit::RevokeWorkspace { .. }
        | MembershipEdit::SetAllWorkspaces { .. }
        | MembershipEdit::SetActive { .. }
        | MembershipEdit::JoinGroup { .. }
        | MembershipEdit::LeaveGroup { .. } => false,
    }
}

fn drift_row(mut row: Row) -> Result<DriftRow> {
    Ok(DriftRow {
        organization: OrganizationId::new(row.text("drifts.organization")?),
        account: AccountId::new(row.text("drifts.account")?),
        connection: ConnectionId::new(row.text("drifts.connection")?),
        drift: row.json("drifts.drift")?,
    })
}
