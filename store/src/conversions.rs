//! Runs that move people to single sign-on: one row for each person, so that a run goes on where it broke off and nobody is
//! taken twice. Never decides about anybody.

use std::fmt::Write as _;

use jiff::{SignedDuration, Timestamp};
use provost_kernel::directory::{AccountKind, Status};
use provost_kernel::email::Email;
use provost_kernel::id::{AccountId, ConnectionId, OrganizationId};
use provost_kernel::provision::{Actor, ConversionMode};
use serde::{Deserialize, Serialize};

use crate::error::{Result, StoreError};
use crate::tx::{Reader, Tx};
use crate::value::{Bind, Row, binds, json, list, to_word};

/// A run.
#[derive(Clone, Debug, PartialEq)]
pub struct Conversion {
    /// Identifier.
    pub id: String,
    /// Whose people.
    pub organization: OrganizationId,
    /// Through which connection they sign in from now on.
    pub connection: ConnectionId,
    /// How.
    pub mode: ConversionMode,
    /// Who wants it; judged again for each person.
    pub actor: Actor,
    /// Whether each person gets a mail.
    pub notify: bool,
    /// Where it stands.
    pub state: ConversionState,
    /// When it began.
    pub created_at: Timestamp,
    /// When it was through.
    pub done_at: Option<Timestamp>,
    /// Until when it can be undone.
    pub undo_until: Timestamp,
}

/// Where a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConversionState {
    /// It goes on.
    Running,
    /// It was stopped for now.
    Paused,
    /// Everybody was looked at.
    Done,
    /// It is being taken back.
    Undoing,
    /// It was taken back.
    Undone,
}

/// What became of one person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConversionRowState {
    /// Still to come.
    Pending,
    /// Moved and told.
    Invited,
    /// Passed over, with a reason.
    Skipped,
    /// It did not work; may be tried again.
    Failed,
    /// The standard account was retired.
    Retired,
    /// Taken back.
    Undone,
}

/// One person of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct ConversionRow {
    /// The standard account.
    pub account: AccountId,
    /// Its address.
    pub email: Option<Email>,
    /// What became of it.
    pub state: ConversionRowState,
    /// Why it was passed over or did not work: a stable code.
    pub reason: Option<String>,
    /// The account that the person signs in with from now on.
    pub converted: Option<AccountId>,
    /// Whether she has done so.
    pub signed_in: bool,
    /// State of the standard account.
    pub status: Status,
    /// When she was reminded last.
    pub reminded_at: Option<Timestamp>,
    /// When something about it changed last.
    pub updated_at: Timestamp,
}

/// Who is to be moved.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConversionSelection {
    /// Kinds of accounts, ticked one by one (C-24).
    pub kinds: Vec<AccountKind>,
    /// These accounts only; none takes all.
    pub accounts: Option<Vec<AccountId>>,
}

/// How many people are where.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ConversionCounts {
    /// Still to come.
    pub pending: u32,
    /// Moved and told.
    pub invited: u32,
    /// Passed over.
    pub skipped: u32,
    /// Did not work.
    pub failed: u32,
    /// Whose standard account was retired.
    pub retired: u32,
    /// Taken back.
    pub undone: u32,
    /// Who have signed in through the connection.
    pub signed_in: u32,
}

/// Which people of a run are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConversionRowFilter {
    /// In this state.
    pub state: Option<ConversionRowState>,
    /// Who have signed in through the connection, or not yet.
    pub signed_in: Option<bool>,
    /// Who were not reminded since.
    pub not_reminded_since: Option<Timestamp>,
}

const COLUMNS: &str =
    "id, organization, connection, mode, actor, notify, state, created_at, done_at, undo_until";
const SIGNED_IN: &str = "EXISTS (SELECT 1 FROM links l WHERE l.account = r.converted AND l.connection = \
                         (SELECT c.connection FROM conversions c WHERE c.id = r.conversion))";
/// Who may be moved: members with a password, of the kinds wanted.
const CANDIDATES: &str = "FROM accounts a JOIN memberships m ON m.account = a.id AND m.organization = $1 \
                          WHERE a.deleted = 0 AND a.kind IN ({list:$2})";

impl Tx {
    /// Keeps a new run with a row for each person and returns how many there are.
    ///
    /// # Errors
    /// `engine`.
    pub async fn insert_conversion(
        &mut self,
        run: &Conversion,
        selection: &ConversionSelection,
    ) -> Result<u64> {
        let sql = "INSERT INTO conversions (id, organization, connection, mode, actor, notify, state, created_at, \
                   undo_until) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
        let row = binds![
            &run.id,
            &run.organization,
            &run.connection,
            to_word(&run.mode)?,
            json(&run.actor)?,
            run.notify,
            to_word(&run.state)?,
            run.created_at,
            run.undo_until,
        ];
        self.run(sql, row).await?;
        let (condition, mut values) = candidates(&run.organization, selection)?;
        values.push((&run.id).into());
        values.push(run.created_at.into());
        let (id, at) = (values.len() - 1, values.len());
        let sql = format!(
            "INSERT INTO conversion_rows (conversion, account, email, state, updated_at) \
             SELECT ${id}, a.id, a.email, 'pending', ${at} {CANDIDATES} {condition}"
        );
        self.run(&sql, values).await
    }

    /// Takes a run that is to go on, until the lease ends.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn claim_conversion(
        &mut self,
        lease: SignedDuration,
        now: Timestamp,
    ) -> Result<Option<Conversion>> {
        let sql = "SELECT id FROM conversions WHERE state IN ('running', 'undoing') \
                   AND (locked_until IS NULL OR locked_until <= $1) ORDER BY id LIMIT 1{skip_locked}";
        let Some(mut row) = self.row(sql, binds![now]).await? else {
            return Ok(None);
        };
        let id = row.text("conversions.id")?;
        let until = now.checked_add(lease).unwrap_or(Timestamp::MAX);
        let sql = format!("UPDATE conversions SET locked_until = $2 WHERE id = $1 RETURNING {COLUMNS}");
        self.row(&sql, binds![id, until])
            .await?
            .map(conversion)
            .transpose()
    }

    /// Looks at a run and keeps others from pausing or ending it until this transaction ends; makes the lease longer. None
    /// if it is not in this state any more.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn hold_conversion(
        &mut self,
        id: &str,
        state: ConversionState,
        until: Timestamp,
    ) -> Result<Option<Conversion>> {
        let sql = format!(
            "UPDATE conversions SET locked_until = $3 WHERE id = $1 AND state = $2 RETURNING {COLUMNS}"
        );
        self.row(&sql, binds![id, to_word(&state)?, until])
            .await?
            .map(conversion)
            .transpose()
    }

    /// Moves a run to another state, on behalf of `actor` from now on if one is given. False if it was in none of these.
    ///
    /// # Errors
    /// `engine`.
    pub async fn set_conversion_state(
        &mut self,
        id: &str,
        from: &[ConversionState],
        to: ConversionState,
        actor: Option<&Actor>,
        now: Timestamp,
    ) -> Result<bool> {
        let from = list(from.iter().map(to_word).collect::<Result<Vec<_>>>()?)?;
        let actor = actor.map(json).transpose()?;
        let done_at = matches!(to, ConversionState::Done | ConversionState::Undone).then_some(now);
        let sql = "UPDATE conversions SET state = $3, locked_until = NULL, done_at = COALESCE($4, done_at), \
                   actor = COALESCE($5, actor) WHERE id = $1 AND state IN ({list:$2})";
        let values = binds![id, from, to_word(&to)?, done_at, actor];
        Ok(self.run(sql, values).await? > 0)
    }

    /// Waits for whoever changes a run, and keeps others from that until the transaction ends.
    ///
    /// # Errors
    /// `engine` and `busy`.
    pub async fn lock_conversion(&mut self, id: &str) -> Result<()> {
        self.row("SELECT id FROM conversions WHERE id = $1{lock}", binds![id])
            .await
            .map(drop)
    }

    /// Notes what became of one person. False if somebody else did so before.
    ///
    /// # Errors
    /// `engine`.
    pub async fn settle_conversion_row(
        &mut self,
        run: &str,
        before: &ConversionRow,
        state: ConversionRowState,
        reason: Option<&str>,
        converted: Option<&AccountId>,
        now: Timestamp,
    ) -> Result<bool> {
        let sql = "UPDATE conversion_rows SET state = $4, reason = $5, converted = COALESCE($6, converted), updated_at = $7 \
                   WHERE conversion = $1 AND account = $2 AND state = $3";
        let values = binds![
            run,
            &before.account,
            to_word(&before.state)?,
            to_word(&state)?,
            reason,
            converted,
            now
        ];
        Ok(self.run(sql, values).await? > 0)
    }

    /// Notes that one person was reminded.
    ///
    /// # Errors
    /// `engine`.
    pub async fn note_reminder(&mut self, run: &str, account: &AccountId, now: Timestamp) -> Result<()> {
        let sql = "UPDATE conversion_rows SET reminded_at = $3 WHERE conversion = $1 AND account = $2";
        self.run(sql, binds![run, account, now]).await.map(drop)
    }
}

impl Reader {
    /// Finds a run.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn conversion(&mut self, id: &str) -> Result<Option<Conversion>> {
        let sql = format!("SELECT {COLUMNS} FROM conversions WHERE id = $1");
        self.row(&sql, binds![id]).await?.map(conversion).transpose()
    }

    /// Tells whether a run is to go on.
    ///
    /// # Errors
    /// `engine`.
    pub async fn has_due_conversion(&mut self, now: Timestamp) -> Result<bool> {
        let sql = "SELECT 1 FROM conversions WHERE state IN ('running', 'undoing') \
                   AND (locked_until IS NULL OR locked_until <= $1) LIMIT 1";
        Ok(self.row(sql, binds![now]).await?.is_some())
    }

    /// Lists the runs of an organization, newest first, before one.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn conversions(
        &mut self,
        organization: &OrganizationId,
        before: Option<&str>,
        limit: u32,
    ) -> Result<Vec<Conversion>> {
        let mut values = binds![organization, limit];
        let older = match before {
            Some(before) => {
                values.push(before.into());
                "AND id < $3"
            }
            None => "",
        };
        let sql = format!(
            "SELECT {COLUMNS} FROM conversions WHERE organization = $1 {older} ORDER BY id DESC LIMIT $2"
        );
        self.rows(&sql, values)
            .await?
            .into_iter()
            .map(conversion)
            .collect()
    }

    /// Lists the accounts that a run would look at, by id, after one.
    ///
    /// # Errors
    /// `engine`.
    pub async fn conversion_candidates(
        &mut self,
        organization: &OrganizationId,
        selection: &ConversionSelection,
        after: Option<&AccountId>,
        limit: u32,
    ) -> Result<Vec<(AccountId, Option<Email>)>> {
        let (condition, mut values) = candidates(organization, selection)?;
        values.push(after.map_or("", AccountId::as_str).into());
        values.push(limit.into());
        let (after, limit) = (values.len() - 1, values.len());
        let sql = format!(
            "SELECT a.id, a.email {CANDIDATES} {condition} AND a.id > ${after} ORDER BY a.id LIMIT ${limit}"
        );
        let rows = self.rows(&sql, values).await?;
        rows.into_iter()
            .map(|mut row| Ok((AccountId::new(row.text("accounts.id")?), email(&mut row)?)))
            .collect()
    }

    /// Tells whether some members of an organization have a password, and some sign in through a connection.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn is_mixed(&mut self, organization: &OrganizationId) -> Result<bool> {
        let some = |bound: u8| {
            format!(
                "EXISTS (SELECT 1 FROM memberships m WHERE m.organization = $1 AND m.account_bound = {bound} \
                 AND m.account_status <> 'deleted')"
            )
        };
        let sql = format!("SELECT 1 AS mixed WHERE {} AND {}", some(0), some(1));
        Ok(self.row(&sql, binds![organization]).await?.is_some())
    }

    /// Counts the people of a run by what became of them.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn conversion_counts(&mut self, id: &str) -> Result<ConversionCounts> {
        let sql = format!(
            "SELECT r.state, COUNT(*), CAST(COALESCE(SUM(CASE WHEN {SIGNED_IN} THEN 1 ELSE 0 END), 0) AS BIGINT) \
             FROM conversion_rows r WHERE r.conversion = $1 GROUP BY r.state"
        );
        let mut counts = ConversionCounts::default();
        for mut row in self.rows(&sql, binds![id]).await? {
            let state: ConversionRowState = row.word("conversion_rows.state")?;
            let count = row.count("conversion_rows.count")?;
            counts.signed_in += row.count("conversion_rows.signed_in")?;
            match state {
                ConversionRowState::Pending => counts.pending = count,
                ConversionRowState::Invited => counts.invited = count,
                ConversionRowState::Skipped => counts.skipped = count,
                ConversionRowState::Failed => counts.failed = count,
                ConversionRowState::Retired => counts.retired = count,
                ConversionRowState::Undone => counts.undone = count,
            }
        }
        Ok(counts)
    }

    /// Lists people of a run by account, after one.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn conversion_rows(
        &mut self,
        id: &str,
        filter: &ConversionRowFilter,
        after: Option<&AccountId>,
        limit: u32,
    ) -> Result<Vec<ConversionRow>> {
        let mut sql = format!(
            "SELECT r.account, r.email, r.state, r.reason, r.converted, CAST(CASE WHEN {SIGNED_IN} THEN 1 ELSE 0 END AS BIGINT), a.status, \
             r.reminded_at, r.updated_at FROM conversion_rows r JOIN accounts a ON a.id = r.account \
             WHERE r.conversion = $1 AND r.account > $2"
        );
        let mut values = binds![id, after.map_or("", AccountId::as_str), limit];
        if let Some(state) = &filter.state {
            values.push(to_word(state)?.into());
            // Writing to a String cannot fail.
            let _ = write!(sql, " AND r.state = ${}", values.len());
        }
        if let Some(since) = filter.not_reminded_since {
            values.push(since.into());
            let _ = write!(
                sql,
                " AND (r.reminded_at IS NULL OR r.reminded_at < ${})",
                values.len()
            );
        }
        match filter.signed_in {
            Some(true) => drop(write!(sql, " AND {SIGNED_IN}")),
            Some(false) => drop(write!(sql, " AND NOT {SIGNED_IN}")),
            None => {}
        }
        sql.push_str(" ORDER BY r.account LIMIT $3");
        self.rows(&sql, values).await?.into_iter().map(person).collect()
    }

    /// Finds one person of a run.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn conversion_row(&mut self, id: &str, account: &AccountId) -> Result<Option<ConversionRow>> {
        let sql = format!(
            "SELECT r.account, r.email, r.state, r.reason, r.converted, CAST(CASE WHEN {SIGNED_IN} THEN 1 ELSE 0 END AS BIGINT), a.status, \
             r.reminded_at, r.updated_at FROM conversion_rows r JOIN accounts a ON a.id = r.account \
             WHERE r.conversion = $1 AND r.account = $2"
        );
        self.row(&sql, binds![id, account]).await?.map(person).transpose()
    }
}

/// The condition for who is wanted beyond [`CANDIDATES`], with the values of both.
fn candidates(
    organization: &OrganizationId,
    selection: &ConversionSelection,
) -> Result<(&'static str, Vec<Bind>)> {
    let kinds = selection.kinds.iter().map(to_word).collect::<Result<Vec<_>>>()?;
    let mut values = binds![organization, list(kinds)?];
    Ok(match &selection.accounts {
        Some(accounts) => {
            values.push(list(accounts.iter().map(AccountId::as_str))?.into());
            ("AND a.id IN ({list:$3})", values)
        }
        None => ("AND a.connection IS NULL", values),
    })
}

fn conversion(mut row: Row) -> Result<Conversion> {
    Ok(Conversion {
        id: row.text("conversions.id")?,
        organization: OrganizationId::new(row.text("conversions.organization")?),
        connection: ConnectionId::new(row.text("conversions.connection")?),
        mode: row.word("conversions.mode")?,
        actor: row.json("conversions.actor")?,
        notify: row.int("conversions.notify")? != 0,
        state: row.word("conversions.state")?,
        created_at: row.time("conversions.created_at")?,
        done_at: row.opt_time("conversions.done_at")?,
        undo_until: row.time("conversions.undo_until")?,
    })
}

fn person(mut row: Row) -> Result<ConversionRow> {
    Ok(ConversionRow {
        account: AccountId::new(row.text("conversion_rows.account")?),
        email: email(&mut row)?,
        state: row.word("conversion_rows.state")?,
        reason: row.opt_text("conversion_rows.reason")?,
        converted: row.opt_text("conversion_rows.converted")?.map(AccountId::new),
        signed_in: row.int("conversion_rows.signed_in")? != 0,
        status: row.word("accounts.status")?,
        reminded_at: row.opt_time("conversion_rows.reminded_at")?,
        updated_at: row.time("conversion_rows.updated_at")?,
    })
}

fn email(row: &mut Row) -> Result<Option<Email>> {
    row.opt_text("conversion_rows.email")?
        .map(|text| Email::parse(&text).map_err(|_| StoreError::Corrupt("conversion_rows.email")))
        .transpose()
}
