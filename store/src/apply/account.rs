//! Changes of accounts and their federated identities.

use std::fmt::Write as _;

use jiff::Timestamp;
use provost_kernel::directory::{Account, Authentication, Link, Origin, Status};
use provost_kernel::id::{AccountId, OrganizationId, SessionId};
use provost_kernel::keeping::Keeping;
use provost_kernel::plan::ProfilePatch;

use super::{Step, exactly_one};
use crate::engine::Dialect;
use crate::engine::batch::{Apart, Insert, Query, Work};
use crate::error::{Result, StoreError};
use crate::facts::{fold_key, subject_key};
use crate::tokens::keys_made_by;
use crate::tx::Tx;
use crate::value::{Bind, Row, binds, fold, json, to_word};

impl Tx {
    pub(super) async fn create_account(&mut self, account: &Account, now: Timestamp) -> Result<()> {
        let connection = match &account.authentication {
            Authentication::Standard => None,
            Authentication::Sso { connection } => Some(connection),
        };
        let into = "INSERT INTO accounts (id, kind, connection, status, status_origin, email, email_key, user_name, \
                   user_name_key, external_id, given_name, family_name, display_name, emergency_admin, operator, \
                   attributes, version, created_at, updated_at, given_name_key, family_name_key, display_name_key, \
                   keeping, ordinal)";
        let values = "$1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, \
                      $23, (SELECT COALESCE(MAX(o.ordinal), 0) + {number} FROM accounts o \
                      WHERE o.connection = $3 AND o.deleted = 0)";
        let row = binds![
            &account.id,
            to_word(&account.kind)?,
            connection,
            to_word(&account.status)?,
            to_word(&account.status_origin)?,
            account.email.as_ref().map(|email| email.as_str().to_owned()),
            account.email.as_ref().map(provost_kernel::email::Email::key),
            &account.user_name,
            account.user_name.as_deref().map(fold),
            &account.external_id,
            &account.given_name,
            &account.family_name,
            &account.display_name,
            account.emergency_admin,
            account.operator,
            json(&account.attributes)?,
            account.version,
            account.created_at,
            now,
            account.given_name.as_deref().map(fold),
            account.family_name.as_deref().map(fold),
            account.display_name.as_deref().map(fold),
            keeping(&account.keeping)?,
        ];
        let insert = Insert {
            into: into.into(),
            row: values.into(),
            rows: vec![row],
            end: "",
        };
        self.later_apart(Apart::NewAccount, Work::Rows(insert), None)
            .await
    }

    pub(super) async fn update_profile(
        &mut self,
        account: &AccountId,
        step: Step,
        set: &ProfilePatch,
        now: Timestamp,
    ) -> Result<()> {
        let mut values = binds![account, step.expect, step.next, now];
        let mut columns = String::new();
        let patched = patched(set)?;
        // Another change of the plan has written the row already, and here only what stands beside it is to be written.
        if patched.is_empty() && step.expect == step.next {
            return Ok(());
        }
        for (column, value) in patched {
            values.push(value);
            // Writing to a String cannot fail.
            let _ = write!(columns, ", {column} = ${}", values.len());
        }
        let sql = format!(
            "UPDATE accounts SET version = $3, updated_at = $4{columns} WHERE id = $1 AND version = $2"
        );
        let changed = StoreError::Conflict("account_version".to_owned());
        self.later_apart(
            Apart::Profile,
            Work::Own(Query::new(sql, values)),
            Some((1, changed)),
        )
        .await
    }

    /// Moves the account to another state. Leaving `active` ends everything it is signed in with, in this transaction.
    pub(super) async fn set_status(
        &mut self,
        account: &AccountId,
        step: Step,
        (from, to): (Status, Status),
        origin: Origin,
        now: Timestamp,
    ) -> Result<Left> {
        let sql = "UPDATE accounts SET status = $4, status_origin = $5, version = $3, updated_at = $6 \
                   WHERE id = $1 AND version = $2 AND status = $7";
        let row = binds![
            account,
            step.expect,
            step.next,
            to_word(&to)?,
            to_word(&origin)?,
            now,
            to_word(&from)?
        ];
        exactly_one(self.run(sql, row).await?, "account_version")?;
        if matches!(from, Status::Deactivated | Status::Deleted) && to == Status::Active {
            // Whoever was out did not wait: the place in the queue is that of somebody who comes now.
            let sql = "UPDATE memberships SET waiting_since = $2 WHERE account = $1 AND license_seated = 0";
            self.run(sql, binds![account, now]).await?;
        }
        let reason = match to {
            Status::Active | Status::Invited => return Ok(Left::default()),
            Status::Suspended => "suspended",
            Status::Deactivated => "deactivated",
            Status::Deleted => {
                self.leave_groups(account, now).await?;
                "deleted"
            }
        };
        let is_out = matches!(to, Status::Deactivated | Status::Deleted);
        let is_owner_asked = from == Status::Active && self.conn().dialect() == Dialect::Postgres;
        let keys = is_out.then(|| keys_made_by(account));
        let owned = is_owner_asked.then(|| owned_by(account));
        let beside = keys.into_iter().chain(owned).collect();
        let (ended, mut found) = self.end_sessions_beside(account, reason, beside, now).await?;
        if is_owner_asked {
            self.keep_an_owner_besides(found.pop().unwrap_or_default())
                .await?;
        }
        Ok(Left {
            sessions: session_ids(ended),
            keys: found.pop().unwrap_or_default(),
        })
    }

    /// A conflict if one of the organizations that an account owned ([`owned_by`]) is left without an active owner, now that this
    /// account is none any more. The decision saw to that already, but on PostgreSQL another writer may have taken out the
    /// other owner since. Both wait for the row of the organization, and whoever comes second counts again.
    async fn keep_an_owner_besides(&mut self, owned: Vec<Row>) -> Result<()> {
        for mut organization in owned {
            let organization = OrganizationId::new(organization.text("organizations.id")?);
            self.has_an_owner(&organization).await?;
        }
        Ok(())
    }

    /// The same for one membership that is about to lose owner roles, its effect, or its existence: waits for the row of the
    /// organization if it makes an active owner now. Then [`Self::has_an_owner`] has to be asked after the change.
    pub(super) async fn lock_if_owner(
        &mut self,
        account: &AccountId,
        organization: &OrganizationId,
    ) -> Result<bool> {
        if self.conn().dialect() != Dialect::Postgres {
            return Ok(false);
        }
        let sql = "SELECT o.id FROM organizations o WHERE o.id = $2 AND EXISTS (SELECT 1 FROM memberships m \
                   JOIN accounts a ON a.id = m.account AND a.status = 'active' \
                   JOIN membership_roles g ON g.account = m.account AND g.organization = m.organization \
                   JOIN roles r ON r.organization = g.organization AND r.id = g.role AND r.is_owner = 1 \
                   WHERE m.account = $1 AND m.active = 1 AND m.organization = o.id){lock}";
        Ok(self.row(sql, binds![account, organization]).await?.is_some())
    }

    /// A conflict unless an organization has an active owner.
    pub(super) async fn has_an_owner(&mut self, organization: &OrganizationId) -> Result<()> {
        let sql = "SELECT g.account FROM roles r \
                   JOIN membership_roles g ON g.organization = r.organization AND g.role = r.id \
                   JOIN memberships m ON m.account = g.account AND m.organization = g.organization AND m.active = 1 \
                   JOIN accounts a ON a.id = g.account AND a.status = 'active' \
                   WHERE r.organization = $1 AND r.is_owner = 1 LIMIT 1";
        match self.row(sql, binds![organization]).await? {
            Some(_) => Ok(()),
            None => Err(StoreError::Conflict("last_owner".to_owned())),
        }
    }

    /// Changes how the account signs in. An account that becomes SSO loses its password at the same moment.
    pub(super) async fn set_authentication(
        &mut self,
        account: &AccountId,
        step: Step,
        from: &Authentication,
        to: &Authentication,
        now: Timestamp,
    ) -> Result<()> {
        let bound = |authentication: &Authentication| match authentication {
            Authentication::Standard => None,
            Authentication::Sso { connection } => Some(connection.as_str().to_owned()),
        };
        // In its new connection it comes last.
        let sql = "UPDATE accounts SET connection = $4, version = $3, updated_at = $5, \
                   ordinal = (SELECT COALESCE(MAX(o.ordinal), 0) + 1 FROM accounts o \
                   WHERE o.connection = $4 AND o.deleted = 0) WHERE id = $1 AND version = $2 AND (connection = $6 OR ($6 IS NULL AND connection IS NULL))";
        let row = binds![account, step.expect, step.next, bound(to), now, bound(from)];
        exactly_one(self.run(sql, row).await?, "account_version")?;
        if let (Some(connection), Some(_)) = (bound(to), bound(from)) {
            let sql = "UPDATE account_values SET connection = $2 WHERE account = $1";
            self.later_apart(
                Apart::Document,
                Work::Own(Query::new(sql, binds![account, connection])),
                None,
            )
            .await?;
        }
        if matches!(to, Authentication::Sso { .. }) {
            self.run("DELETE FROM credentials WHERE account = $1", binds![account])
                .await?;
            self.forget_second_factors(account).await?;
        }
        Ok(())
    }

    pub(super) fn link(&mut self, account: &AccountId, link: &Link, now: Timestamp) {
        let into = "INSERT INTO links (account, connection, issuer, format, subject, subject_key, fold_key, created_at)";
        let row = binds![
            account,
            &link.connection,
            &link.subject.issuer,
            &link.subject.format,
            &link.subject.value,
            subject_key(&link.subject),
            fold_key(&link.subject),
            now,
        ];
        self.insert_later(Insert::one(into, row));
    }

    pub(super) async fn unlink(&mut self, account: &AccountId, link: &Link) -> Result<()> {
        let sql = "DELETE FROM links WHERE account = $1 AND connection = $2 AND subject_key = $3";
        exactly_one(
            self.run(sql, binds![account, &link.connection, subject_key(&link.subject)])
                .await?,
            "links_missing",
        )
    }
}

/// What ended for an account that left.
#[derive(Default)]
pub(super) struct Left {
    /// Its sessions that were open.
    pub(super) sessions: Vec<SessionId>,
    /// Keys of the API that it made and that are still good, to be revoked ([`Tx::revoke_keys`]).
    pub(super) keys: Vec<Row>,
}

/// Looks for the organizations that an account owns, if it is active, and locks them.
fn owned_by(account: &AccountId) -> Query {
    let sql = "SELECT o.id FROM organizations o WHERE EXISTS (SELECT 1 FROM memberships m \
               JOIN membership_roles g ON g.account = m.account AND g.organization = m.organization \
               JOIN roles r ON r.organization = g.organization AND r.id = g.role AND r.is_owner = 1 \
               WHERE m.account = $1 AND m.active = 1 AND m.organization = o.id) ORDER BY o.id{lock}";
    Query::new(sql, binds![account])
}

/// What is remembered beside the fields; most accounts have nothing to remember.
fn keeping(kept: &Keeping) -> Result<Option<String>> {
    (!kept.is_empty()).then(|| json(kept)).transpose()
}

/// The columns that a patch sets.
fn patched(set: &ProfilePatch) -> Result<Vec<(&'static str, Bind)>> {
    let mut columns: Vec<(&'static str, Bind)> = Vec::new();
    if let Some(kind) = &set.kind {
        columns.push(("kind", to_word(kind)?.into()));
    }
    if let Some(email) = &set.email {
        columns.push((
            "email",
            email.as_ref().map(|email| email.as_str().to_owned()).into(),
        ));
        columns.push((
            "email_key",
            email.as_ref().map(provost_kernel::email::Email::key).into(),
        ));
    }
    if let Some(name) = &set.user_name {
        columns.push(("user_name", name.into()));
        columns.push(("user_name_key", name.as_deref().map(fold).into()));
    }
    if let Some(id) = &set.external_id {
        columns.push(("external_id", id.into()));
    }
    let names = [
        ("given_name", "given_name_key", &set.given_name),
        ("family_name", "family_name_key", &set.family_name),
        ("display_name", "display_name_key", &set.display_name),
    ];
    for (column, key, value) in names {
        if let Some(value) = value {
            columns.push((column, value.into()));
            columns.push((key, value.as_deref().map(fold).into()));
        }
    }
    if let Some(mark) = set.emergency_admin {
        columns.push(("emergency_admin", mark.into()));
    }
    if let Some(mark) = set.operator {
        columns.push(("operator", mark.into()));
    }
    if let Some(attributes) = &set.attributes {
        columns.push(("attributes", json(attributes)?.into()));
    }
    if let Some(edited) = &set.edited {
        columns.push(("edited", json(edited)?.into()));
    }
    if let Some(kept) = &set.keeping {
        columns.push(("keeping", keeping(kept)?.into()));
        columns.push((
            "override_ends_at",
            kept.ends_at().map(Timestamp::as_millisecond).into(),
        ));
    }
    Ok(columns)
}

pub(super) fn session_ids(ended: Vec<crate::sessions::Ended>) -> Vec<provost_kernel::id::SessionId> {
    ended.into_iter().map(|ended| ended.session).collect()
}
