//! Changes of memberships, their grants and license seats.
//!
//! Seats are counted in `licenses.used` by conditional updates, so that the row's lock is the judge of the last seat
//! on either engine. Those of the account's kind are counted by [`crate::seat_kinds`].

use std::collections::BTreeMap;

use jiff::Timestamp;
use provost_kernel::directory::{LicenseGrant, Membership, Source};
use provost_kernel::id::{AccountId, LicenseId, OrganizationId};
use provost_kernel::plan::MembershipEdit;

use super::{Step, exactly_one};
use crate::engine::batch::{Apart, Insert, Query, Work};
use crate::error::{Result, StoreError};
use crate::tx::Tx;
use crate::value::{Bind, binds, json};

/// Whose membership, and where.
type Key<'a> = (&'a AccountId, &'a OrganizationId);

const VERSION: &str = "membership_version";

impl Tx {
    /// Makes a membership and returns how many seats it takes.
    pub(super) async fn add_membership(
        &mut self,
        account: &AccountId,
        membership: &Membership,
        now: Timestamp,
    ) -> Result<i64> {
        let key = (account, &membership.organization);
        let seats = match &membership.license {
            Some(grant) => self.take_seat(key.1, grant).await?,
            None => 0,
        };
        let into = "INSERT INTO memberships (account, organization, active, source, pinned, all_workspaces, license, \
                    license_source, license_pinned, license_seated, waiting_since, version, created_at, updated_at)";
        let mut row = binds![
            key.0,
            key.1,
            membership.active,
            json(&membership.source)?,
            membership.pinned,
            membership.all_workspaces.as_ref().map(json).transpose()?,
        ];
        row.extend(license_columns(membership.license.as_ref())?);
        let waits = membership.license.as_ref().is_some_and(|grant| !grant.seated);
        row.extend(binds![waits.then_some(now), membership.version, now, now]);
        self.insert_later(Insert::one(into, row));
        let roles = membership.roles.iter();
        self.grant_new(
            "role",
            key,
            roles.map(|grant| (grant.id.as_str(), &grant.source, grant.pinned)),
        )?;
        let workspaces = membership.workspaces.iter();
        self.grant_new(
            "workspace",
            key,
            workspaces.map(|grant| (grant.id.as_str(), &grant.source, grant.pinned)),
        )?;
        Ok(seats)
    }

    /// Queues the grants of a new membership; of two grants of one thing the last one counts.
    fn grant_new<'a>(
        &mut self,
        what: &'static str,
        key: Key<'_>,
        grants: impl Iterator<Item = (&'a str, &'a Source, bool)>,
    ) -> Result<()> {
        let mut rows = BTreeMap::new();
        for (id, source, pinned) in grants {
            rows.insert(id, binds![key.0, key.1, id, json(source)?, pinned]);
        }
        let into = format!("INSERT INTO membership_{what}s (account, organization, {what}, source, pinned)");
        self.insert_later(Insert::plain(into, rows.into_values().collect(), ""));
        Ok(())
    }

    /// Edits a membership and returns how many seats it takes more than before.
    pub(super) async fn update_membership(
        &mut self,
        key: Key<'_>,
        step: Step,
        edits: &[MembershipEdit],
        now: Timestamp,
    ) -> Result<i64> {
        let sql = "UPDATE memberships SET version = $4, updated_at = $5 \
                   WHERE account = $1 AND organization = $2 AND version = $3";
        let changed = self
            .run(sql, binds![key.0, key.1, step.expect, step.next, now])
            .await?;
        exactly_one(changed, VERSION)?;
        let takes = edits.iter().any(may_take_an_owner);
        let was_owner = takes && self.lock_if_owner(key.0, key.1).await?;
        let mut seats = 0;
        for edit in edits {
            if let MembershipEdit::SetLicense { to, .. } = edit {
                seats += self.set_license(key, to.as_ref(), now).await?;
            } else {
                self.edit_grants(key, edit).await?;
            }
        }
        if was_owner {
            self.has_an_owner(key.1).await?;
        }
        Ok(seats)
    }

    async fn edit_grants(&mut self, key: Key<'_>, edit: &MembershipEdit) -> Result<()> {
        match edit {
            MembershipEdit::GrantRole { role, source, pinned } => {
                self.grant("role", key, role.as_str(), source, *pinned).await
            }
            MembershipEdit::RevokeRole { role } => self.revoke("role", key, role.as_str()).await,
            MembershipEdit::GrantWorkspace {
                workspace,
                source,
                pinned,
            } => {
                self.grant("workspace", key, workspace.as_str(), source, *pinned)
                    .await
            }
            MembershipEdit::RevokeWorkspace { workspace } => {
                self.revoke("workspace", key, workspace.as_str()).await
            }
            MembershipEdit::SetAllWorkspaces { source } => {
                let source = source.as_ref().map(json).transpose()?;
                self.set_column("all_workspaces", key, source.into()).await
            }
            // Told apart by the caller, because it takes seats.
            MembershipEdit::SetLicense { .. } => Ok(()),
            MembershipEdit::SetActive { active } => self.set_column("active", key, (*active).into()).await,
            MembershipEdit::SetPinned { pinned } => self.set_column("pinned", key, (*pinned).into()).await,
            MembershipEdit::JoinGroup { group, version } => {
                self.join_local_group(key, &group.id, *version).await
            }
            MembershipEdit::LeaveGroup { group, .. } => self.leave_local_group(key.0, group).await,
        }
    }

    /// Ends a membership and returns how many seats it takes more than before: none or one less.
    pub(super) async fn remove_membership(&mut self, key: Key<'_>, step: Step) -> Result<i64> {
        let was_owner = self.lock_if_owner(key.0, key.1).await?;
        // Takes the row's lock before the seat is freed, so that a seat is never freed twice.
        let freed = self.free_seat(key).await?;
        let sql = "DELETE FROM memberships WHERE account = $1 AND organization = $2 AND version = $3";
        exactly_one(self.run(sql, binds![key.0, key.1, step.expect]).await?, VERSION)?;
        if was_owner {
            self.has_an_owner(key.1).await?;
        }
        Ok(-freed)
    }

    async fn set_column(&mut self, column: &'static str, key: Key<'_>, value: Bind) -> Result<()> {
        let sql = format!("UPDATE memberships SET {column} = $3 WHERE account = $1 AND organization = $2");
        exactly_one(
            self.run(&sql, vec![key.0.into(), key.1.into(), value]).await?,
            VERSION,
        )
    }

    /// Sets or frees the license. What is freed is what the row holds now, whatever the plan thought. Who waits for the
    /// same pool already keeps the place in the queue. Returns how many seats are held more than before.
    async fn set_license(&mut self, key: Key<'_>, to: Option<&LicenseGrant>, now: Timestamp) -> Result<i64> {
        let freed = self.free_seat(key).await?;
        let taken = match to {
            Some(grant) => self.take_seat(key.1, grant).await?,
            None => 0,
        };
        let sql = "UPDATE memberships SET license = $3, license_source = $4, license_pinned = $5, license_seated = $6, \
                   waiting_since = CASE WHEN $6 = 0 AND license = $3 AND license_seated = 0 THEN waiting_since ELSE $7 END \
                   WHERE account = $1 AND organization = $2";
        let mut row = binds![key.0, key.1];
        row.extend(license_columns(to)?);
        let waits = to.is_some_and(|grant| !grant.seated);
        row.extend(binds![waits.then_some(now)]);
        exactly_one(self.run(sql, row).await?, VERSION)?;
        Ok(taken - freed)
    }

    /// Takes the seat of a license that is held with one, and returns how many that are.
    async fn take_seat(&mut self, organization: &OrganizationId, grant: &LicenseGrant) -> Result<i64> {
        if !grant.seated {
            return Ok(0);
        }
        let sql = "UPDATE licenses SET used = used + $3 \
                   WHERE organization = $1 AND id = $2 AND (seats IS NULL OR used + $3 <= seats)";
        let full = StoreError::Conflict("license_seats".to_owned());
        let seat = Work::Sum(Query::new(sql, binds![organization, &grant.license, 1]));
        self.later_apart(Apart::Seat, seat, Some((1, full))).await?;
        Ok(1)
    }

    /// Frees the seat that the row holds, and returns how many that were.
    async fn free_seat(&mut self, key: Key<'_>) -> Result<i64> {
        let sql =
            "SELECT license, license_seated FROM memberships WHERE account = $1 AND organization = $2{lock}";
        let Some(mut row) = self.row(sql, binds![key.0, key.1]).await? else {
            return Err(StoreError::Conflict(VERSION.to_owned()));
        };
        let license = row.opt_text("memberships.license")?.map(LicenseId::new);
        let seated = row.opt_int("memberships.license_seated")?.unwrap_or(0) != 0;
        let Some(license) = license.filter(|_| seated) else {
            return Ok(0);
        };
        let sql = "UPDATE licenses SET used = used - 1 WHERE organization = $1 AND id = $2";
        self.run(sql, binds![key.1, &license]).await?;
        Ok(1)
    }

    async fn grant(
        &mut self,
        what: &'static str,
        key: Key<'_>,
        id: &str,
        source: &Source,
        pinned: bool,
    ) -> Result<()> {
        let sql = format!(
            "INSERT INTO membership_{what}s (account, organization, {what}, source, pinned) VALUES ($1, $2, $3, $4, $5) \
             ON CONFLICT (account, organization, {what}) DO UPDATE SET source = excluded.source, pinned = excluded.pinned"
        );
        self.run(&sql, binds![key.0, key.1, id, json(source)?, pinned])
            .await
            .map(drop)
    }

    async fn revoke(&mut self, what: &'static str, key: Key<'_>, id: &str) -> Result<()> {
        let sql = format!(
            "DELETE FROM membership_{what}s WHERE account = $1 AND organization = $2 AND {what} = $3"
        );
        self.run(&sql, binds![key.0, key.1, id]).await.map(drop)
    }
}

/// Tells whether an edit may leave the organization without an owner.
const fn may_take_an_owner(edit: &MembershipEdit) -> bool {
    matches!(
        edit,
        MembershipEdit::RevokeRole { .. } | MembershipEdit::SetActive { active: false }
    )
}

fn license_columns(grant: Option<&LicenseGrant>) -> Result<Vec<Bind>> {
    Ok(vec![
        grant.map(|grant| &grant.license).into(),
        grant.map(|grant| json(&grant.source)).transpose()?.into(),
        grant.map(|grant| i64::from(grant.pinned)).into(),
        grant.map(|grant| i64::from(grant.seated)).into(),
    ])
}
