//! Sessions of people: looking up by cookie digest, ending, and which app clients each signed in to.
//! Opened only by [`Tx::apply`], together with the decision that allows it. Never sees a cookie token.

use jiff::{SignedDuration, Timestamp};
use provost_kernel::audit::EventKind;
use provost_kernel::directory::{Link, Status, Subject};
use provost_kernel::id::{AccountId, ConnectionId, SessionId};
use provost_kernel::plan::OpenSession;
use provost_kernel::provision::Actor;
use zeroize::Zeroizing;

use crate::engine::batch::{Apart, Query, Work};
use crate::error::{Result, StoreError};
use crate::facts::subject_key;
use crate::feed::NewEvent;
use crate::tx::{Reader, Tx};
use crate::value::{Bind, Row, binds, json, list};

/// A session as it is kept, with the state of its account.
#[derive(Clone, Debug, PartialEq)]
pub struct SessionRecord {
    /// Identifier, `sid` of the app's tokens.
    pub id: SessionId,
    /// Whose.
    pub account: AccountId,
    /// The connection that proved the person; none for a password.
    pub connection: Option<ConnectionId>,
    /// The identity it was proved with.
    pub link: Option<Link>,
    /// Session at the provider.
    pub upstream_session: Option<String>,
    /// When the person authenticated.
    pub authenticated_at: Timestamp,
    /// Methods (`amr`).
    pub methods: Vec<String>,
    /// Class (`acr`).
    pub class: Option<String>,
    /// When it was opened.
    pub created_at: Timestamp,
    /// When it was last used, exact to a minute.
    pub last_seen_at: Timestamp,
    /// Idle limit in seconds.
    pub idle_seconds: i64,
    /// Absolute end.
    pub ends_at: Timestamp,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
    /// Why, as a stable word.
    pub revoked_reason: Option<String>,
    /// State of the account now.
    pub account_status: Status,
}

impl SessionRecord {
    /// Tells whether the session still signs the person in: not revoked, neither limit passed, account active.
    pub fn is_live(&self, now: Timestamp) -> bool {
        // Seen times are exact to a minute only; a stored minute never shortens the limit that was promised.
        let idle = SignedDuration::from_secs(self.idle_seconds.saturating_add(TOUCH_SECONDS));
        let idle_ends = self.last_seen_at.checked_add(idle).unwrap_or(Timestamp::MAX);
        self.revoked_at.is_none()
            && now < self.ends_at
            && now < idle_ends
            && matches!(self.account_status, Status::Active)
    }
}

/// How often a session's use is written down, in seconds.
const TOUCH_SECONDS: i64 = 60;

pub(crate) const COLUMNS: &str = "SELECT s.id, s.account, s.connection, s.issuer, s.format, s.subject, s.upstream_session, \
     s.authenticated_at, s.methods, s.class, s.created_at, s.last_seen_at, s.idle_seconds, s.ends_at, s.revoked_at, \
     s.revoked_reason, a.status FROM sessions s JOIN accounts a ON a.id = s.account";

impl Reader {
    /// Finds a session by the digest of its cookie token, live or not.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn session_by_digest(&mut self, digest: &str) -> Result<Option<SessionRecord>> {
        self.row(&format!("{COLUMNS} WHERE s.digest = $1"), binds![digest])
            .await?
            .map(session)
            .transpose()
    }

    /// Finds a session by id, live or not.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn session(&mut self, id: &SessionId) -> Result<Option<SessionRecord>> {
        self.row(&format!("{COLUMNS} WHERE s.id = $1"), binds![id])
            .await?
            .map(session)
            .transpose()
    }

    /// Lists the sessions of an account that are neither revoked nor past their absolute end, newest first.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn sessions_of_account(
        &mut self,
        account: &AccountId,
        now: Timestamp,
    ) -> Result<Vec<SessionRecord>> {
        let sql = format!(
            "{COLUMNS} WHERE s.account = $1 AND s.revoked_at IS NULL AND s.ends_at > $2 ORDER BY s.created_at DESC, s.id"
        );
        self.rows(&sql, binds![account, now])
            .await?
            .into_iter()
            .map(session)
            .collect()
    }

    /// Lists the clients that a session signed in to, for back-channel logout.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn session_clients(&mut self, session: &SessionId) -> Result<Vec<String>> {
        let sql = "SELECT client_id FROM session_clients WHERE session = $1 ORDER BY first_at, client_id";
        let rows = self.rows(sql, binds![session]).await?;
        rows.into_iter()
            .map(|mut row| row.text("session_clients"))
            .collect()
    }

    /// Opens the provider's ID token of a session, for the logout hint.
    ///
    /// # Errors
    /// `engine` and `sealed`.
    pub async fn session_id_token(&mut self, session: &SessionId) -> Result<Option<Zeroizing<String>>> {
        let row = self
            .row("SELECT id_token FROM sessions WHERE id = $1", binds![session])
            .await?;
        let Some(sealed) = row
            .map(|mut row| row.opt_bytes("sessions.id_token"))
            .transpose()?
            .flatten()
        else {
            return Ok(None);
        };
        self.sealer
            .open_text(("sessions", "id_token", session.as_str()), &sealed)
            .map(Some)
    }
}

impl Tx {
    /// Opens a session. The account is locked and must be active at this moment, so that a sign-in which raced with a
    /// deactivation leaves no session behind. `created` is the state of an account that this transaction creates.
    pub(crate) async fn open_session(
        &mut self,
        session: &OpenSession,
        created: Option<Status>,
        id_token: Option<&str>,
        now: Timestamp,
    ) -> Result<()> {
        let not_active = || StoreError::Conflict("account_status".to_owned());
        let subject = session.link.as_ref().map(|link| &link.subject);
        let sealed = id_token
            .map(|token| {
                self.sealer
                    .seal_text(("sessions", "id_token", session.id.as_str()), token)
            })
            .transpose()?;
        let into = "INSERT INTO sessions (id, digest, account, connection, issuer, format, subject, subject_key, \
                    upstream_session, authenticated_at, methods, class, created_at, last_seen_at, idle_seconds, ends_at, \
                    id_token)";
        let values = "$1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $13, $14, $15, $16";
        let row = binds![
            &session.id,
            &session.digest,
            &session.account,
            session.connection.as_ref(),
            subject.map(|subject| subject.issuer.as_str()),
            subject.map(|subject| subject.format.as_str()),
            subject.map(|subject| subject.value.as_str()),
            subject.map(subject_key),
            &session.upstream_session,
            session.authenticated_at,
            json(&session.methods)?,
            &session.class,
            now,
            session.idle_seconds,
            session.ends_at,
            sealed,
        ];
        match created {
            Some(Status::Active) => self.later(format!("{into} VALUES ({values})"), row),
            Some(_) => return Err(not_active()),
            None => {
                let sql = format!(
                    "{into} SELECT {values} FROM accounts WHERE id = $3 AND status = 'active'{{lock}}"
                );
                // A row that another part of the same statement changes is passed over by the lock.
                self.later_apart(
                    Apart::Profile,
                    Work::Own(Query::new(sql, row)),
                    Some((1, not_active())),
                )
                .await?;
            }
        }
        Ok(())
    }

    /// Notes that a session was used, at most once a minute. Tells whether anything was written.
    ///
    /// # Errors
    /// `engine`.
    pub async fn touch_session(&mut self, id: &SessionId, now: Timestamp) -> Result<bool> {
        let sql = "UPDATE sessions SET last_seen_at = $2 WHERE id = $1 AND revoked_at IS NULL AND last_seen_at <= $3";
        let before = now.as_millisecond() - TOUCH_SECONDS * 1000;
        Ok(self.run(sql, binds![id, now, before]).await? > 0)
    }

    /// Notes that the person of a session was proved again, as another session of hers says that was just opened. False if the
    /// session has ended, or is of another account.
    ///
    /// # Errors
    /// `engine`.
    pub async fn prove_session(&mut self, id: &SessionId, proof: &SessionRecord) -> Result<bool> {
        // The provider ends its newest session, so that one has to be found.
        let sql = "UPDATE sessions SET authenticated_at = $3, methods = $4, class = $5, \
                   upstream_session = COALESCE($6, upstream_session) \
                   WHERE id = $1 AND account = $2 AND revoked_at IS NULL";
        let row = binds![
            id,
            &proof.account,
            proof.authenticated_at,
            json(&proof.methods)?,
            &proof.class,
            &proof.upstream_session,
        ];
        Ok(self.run(sql, row).await? > 0)
    }

    /// Keeps the provider's ID token of a session, sealed, for the logout hint.
    ///
    /// # Errors
    /// `engine` and `sealed`.
    pub async fn set_session_id_token(&mut self, id: &SessionId, id_token: &str) -> Result<()> {
        let sealed = self
            .sealer
            .seal_text(("sessions", "id_token", id.as_str()), id_token)?;
        self.run(
            "UPDATE sessions SET id_token = $2 WHERE id = $1",
            binds![id, sealed],
        )
        .await
        .map(drop)
    }

    /// Queues a note that a session signed in to a client. The job fails with `conflict` (`foreign_key`) for an unknown
    /// session.
    pub fn add_session_client(&mut self, session: &SessionId, client_id: &str, now: Timestamp) {
        let sql = "INSERT INTO session_clients (session, client_id, first_at) VALUES ($1, $2, $3) \
                   ON CONFLICT (session, client_id) DO NOTHING";
        self.later(sql, binds![session, client_id, now]);
    }

    /// Ends one session with its codes and refresh tokens. Tells whether it was still open.
    ///
    /// # Errors
    /// `engine`.
    pub async fn revoke_session(&mut self, id: &SessionId, reason: &str, now: Timestamp) -> Result<bool> {
        let revoked = self.revoke_where("id = $3", binds![now, reason, id], now).await?;
        Ok(!self.note_revoked(revoked, reason, now).is_empty())
    }

    /// Ends all sessions of an account, with codes and refresh tokens, even of sessions that ended before.
    /// Returns the sessions that were still open.
    ///
    /// # Errors
    /// `engine`.
    pub async fn revoke_sessions_of_account(
        &mut self,
        account: &AccountId,
        reason: &str,
        now: Timestamp,
    ) -> Result<Vec<SessionId>> {
        let revoked = self.end_sessions_of_account(account, reason, now).await?;
        Ok(self.note_revoked(revoked, reason, now))
    }

    /// As [`Self::revoke_sessions_of_account`], without events: a plan brings its own.
    pub(crate) async fn end_sessions_of_account(
        &mut self,
        account: &AccountId,
        reason: &str,
        now: Timestamp,
    ) -> Result<Vec<Ended>> {
        let (ended, _) = self.end_sessions_beside(account, reason, Vec::new(), now).await?;
        Ok(ended)
    }

    /// As [`Self::end_sessions_of_account`], with look-ups in the same round that do not depend on it.
    pub(crate) async fn end_sessions_beside(
        &mut self,
        account: &AccountId,
        reason: &str,
        beside: Vec<Query>,
        now: Timestamp,
    ) -> Result<(Vec<Ended>, Vec<Vec<Row>>)> {
        let revoke = revoking("account = $3", binds![now, reason, account]);
        let mut found = self.change_and_look(revoke, beside.into()).await?.into_iter();
        let ended = ended(found.next().unwrap_or_default())?;
        self.revoke_tokens_of(&ended, now).await?;
        for table in ["refresh_tokens", "authorization_codes"] {
            let sql = format!("UPDATE {table} SET revoked_at = $1 WHERE account = $2 AND revoked_at IS NULL");
            self.later(sql, binds![now, account]);
        }
        Ok((ended, found.collect()))
    }

    /// Ends the sessions of an identity at a provider: those with this provider session, or all if none is named.
    ///
    /// # Errors
    /// `engine`.
    pub async fn revoke_sessions_of_subject(
        &mut self,
        connection: &ConnectionId,
        subject: &Subject,
        upstream_session: Option<&str>,
        reason: &str,
        now: Timestamp,
    ) -> Result<Vec<SessionId>> {
        let condition = "connection = $3 AND subject_key = $4 AND ($5 IS NULL OR upstream_session = $5)";
        let values = binds![now, reason, connection, subject_key(subject), upstream_session];
        let revoked = self.revoke_where(condition, values, now).await?;
        Ok(self.note_revoked(revoked, reason, now))
    }

    /// Ends the sessions that stem from one session at a provider, whoever's they are (`sid` of a logout token).
    ///
    /// # Errors
    /// `engine`.
    pub async fn revoke_sessions_of_upstream(
        &mut self,
        connection: &ConnectionId,
        upstream_session: &str,
        reason: &str,
        now: Timestamp,
    ) -> Result<Vec<SessionId>> {
        let values = binds![now, reason, connection, upstream_session];
        let revoked = self
            .revoke_where("connection = $3 AND upstream_session = $4", values, now)
            .await?;
        Ok(self.note_revoked(revoked, reason, now))
    }

    /// Locks a session until the end of the transaction and tells whether it is still open.
    ///
    /// Whoever makes a code or refresh token locks its session first, and so does whoever revokes: a token that is made
    /// while its session is revoked would otherwise survive. The order session, then tokens, also rules out deadlocks.
    pub(crate) async fn lock_session(&mut self, id: &SessionId) -> Result<bool> {
        let row = self
            .row("SELECT revoked_at FROM sessions WHERE id = $1{lock}", binds![id])
            .await?;
        Ok(match row {
            Some(mut row) => row.opt_int("sessions.revoked_at")?.is_none(),
            None => false,
        })
    }

    /// Locks the session of a code or refresh token; see [`Self::lock_session`].
    pub(crate) async fn lock_session_of(&mut self, table: &'static str, digest: &str) -> Result<()> {
        let sql = format!(
            "SELECT id FROM sessions WHERE id = (SELECT session FROM {table} WHERE digest = $1){{lock}}"
        );
        self.row(&sql, binds![digest]).await.map(drop)
    }

    /// Writes one event for each session that ended outside of a plan, and returns their ids.
    fn note_revoked(&mut self, ended: Vec<Ended>, reason: &str, now: Timestamp) -> Vec<SessionId> {
        let mut ids = Vec::with_capacity(ended.len());
        for Ended {
            session,
            account,
            connection,
        } in ended
        {
            self.record(NewEvent {
                at: now,
                kind: EventKind::SessionRevoked.code().to_owned(),
                actor: Actor::Person.label(),
                account: Some(account),
                organization: None,
                connection,
                trace: None,
                data: serde_json::json!({ "session": session, "reason": reason }),
            });
            ids.push(session);
        }
        ids
    }

    async fn revoke_where(
        &mut self,
        condition: &str,
        values: Vec<Bind>,
        now: Timestamp,
    ) -> Result<Vec<Ended>> {
        let Query { sql, binds } = revoking(condition, values);
        let ended = ended(self.rows(&sql, binds).await?)?;
        self.revoke_tokens_of(&ended, now).await?;
        Ok(ended)
    }

    /// Revokes the codes and refresh tokens of sessions.
    async fn revoke_tokens_of(&mut self, ended: &[Ended], now: Timestamp) -> Result<()> {
        if ended.is_empty() {
            return Ok(());
        }
        let ids = list(ended.iter().map(|ended| ended.session.as_str()))?;
        for table in ["refresh_tokens", "authorization_codes"] {
            let sql = format!(
                "UPDATE {table} SET revoked_at = $1 WHERE session IN ({{list:$2}}) AND revoked_at IS NULL"
            );
            self.run(&sql, binds![now, &ids]).await?;
        }
        Ok(())
    }
}

/// Ends the sessions that a condition means, for [`ended`]; `$1` is now and `$2` the reason.
fn revoking(condition: &str, values: Vec<Bind>) -> Query {
    let sql = format!(
        "UPDATE sessions SET revoked_at = $1, revoked_reason = $2 WHERE revoked_at IS NULL AND ({condition}) \
         RETURNING id, account, connection"
    );
    Query::new(sql, values)
}

fn ended(revoked: Vec<Row>) -> Result<Vec<Ended>> {
    let ended = revoked.into_iter().map(|mut row| {
        Ok(Ended {
            session: SessionId::new(row.text("sessions.id")?),
            account: AccountId::new(row.text("sessions.account")?),
            connection: row.opt_text("sessions.connection")?.map(ConnectionId::new),
        })
    });
    ended.collect()
}

/// A session that was just ended.
pub(crate) struct Ended {
    pub(crate) session: SessionId,
    account: AccountId,
    connection: Option<ConnectionId>,
}

pub(crate) fn session(mut row: Row) -> Result<SessionRecord> {
    let id = SessionId::new(row.text("sessions.id")?);
    let account = AccountId::new(row.text("sessions.account")?);
    let connection = row.opt_text("sessions.connection")?.map(ConnectionId::new);
    let (issuer, format) = (row.opt_text("sessions.issuer")?, row.opt_text("sessions.format")?);
    let value = row.opt_text("sessions.subject")?;
    let link = match (&connection, issuer, format, value) {
        (Some(connection), Some(issuer), Some(format), Some(value)) => Some(Link {
            connection: connection.clone(),
            subject: Subject {
                issuer,
                format,
                value,
            },
        }),
        _ => None,
    };
    Ok(SessionRecord {
        id,
        account,
        connection,
        link,
        upstream_session: row.opt_text("sessions.upstream_session")?,
        authenticated_at: row.time("sessions.authenticated_at")?,
        methods: row.json("sessions.methods")?,
        class: row.opt_text("sessions.class")?,
        created_at: row.time("sessions.created_at")?,
        last_seen_at: row.time("sessions.last_seen_at")?,
        idle_seconds: row.int("sessions.idle_seconds")?,
        ends_at: row.time("sessions.ends_at")?,
        revoked_at: row.opt_time("sessions.revoked_at")?,
        revoked_reason: row.opt_text("sessions.revoked_reason")?,
        account_status: row.word("accounts.status")?,
    })
}
