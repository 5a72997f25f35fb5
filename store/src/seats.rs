//! The queue for license seats: who waits where, oldest first. Never gives a seat: that is a decision of the kernel,
//! written by [`crate::Tx::apply`].

use jiff::Timestamp;
use provost_kernel::id::{AccountId, LicenseId, OrganizationId};

use crate::error::Result;
use crate::tx::Reader;
use crate::value::binds;

/// A pool that has a free seat and people who wait for one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaitedPool {
    /// The organization.
    pub organization: OrganizationId,
    /// The pool.
    pub license: LicenseId,
    /// Free seats; none for a pool without limit.
    pub free: Option<u32>,
}

/// Somebody who waits for a seat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// Who.
    pub account: AccountId,
    /// Since when.
    pub since: Option<Timestamp>,
}

impl Reader {
    /// Lists pools that have both a free seat and somebody who waits, after one.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn waited_pools(
        &mut self,
        after: Option<(&OrganizationId, &LicenseId)>,
        limit: u32,
    ) -> Result<Vec<WaitedPool>> {
        let (organization, license) = after.map_or(("", ""), |(organization, license)| {
            (organization.as_str(), license.as_str())
        });
        let sql = "SELECT l.organization, l.id, l.seats - l.used FROM licenses l \
                   WHERE (l.organization, l.id) > ($1, $2) AND (l.seats IS NULL OR l.used < l.seats) \
                   AND EXISTS (SELECT 1 FROM memberships m WHERE m.organization = l.organization AND m.license = l.id \
                   AND m.license_seated = 0) ORDER BY l.organization, l.id LIMIT $3";
        let mut pools = Vec::new();
        for mut row in self.rows(sql, binds![organization, license, limit]).await? {
            pools.push(WaitedPool {
                organization: OrganizationId::new(row.text("licenses.organization")?),
                license: LicenseId::new(row.text("licenses.id")?),
                free: row
                    .opt_int("licenses.free")?
                    .map(|free| u32::try_from(free.max(0)).unwrap_or(u32::MAX)),
            });
        }
        Ok(pools)
    }

    /// Lists who waits for a seat of a pool and could get one: those of a kind of account that has seats left, oldest first.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn next_for_seat(
        &mut self,
        organization: &OrganizationId,
        license: &LicenseId,
        limit: u32,
    ) -> Result<Vec<Waiting>> {
        let has_room = "AND EXISTS (SELECT 1 FROM seat_kinds k WHERE k.organization = m.organization AND k.kind = a.kind \
                        AND (k.seats IS NULL OR k.used < k.seats))";
        self.queue(organization, license, has_room, limit).await
    }

    /// Lists who waits for a seat of a pool and could use one, oldest first.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn waiting_for_seat(
        &mut self,
        organization: &OrganizationId,
        license: &LicenseId,
        limit: u32,
    ) -> Result<Vec<Waiting>> {
        self.queue(organization, license, "", limit).await
    }

    async fn queue(
        &mut self,
        organization: &OrganizationId,
        license: &LicenseId,
        whom: &str,
        limit: u32,
    ) -> Result<Vec<Waiting>> {
        let sql = format!(
            "SELECT m.account, m.waiting_since FROM memberships m JOIN accounts a ON a.id = m.account \
             WHERE m.organization = $1 AND m.license = $2 AND m.license_seated = 0 AND m.active = 1 \
             AND a.status IN ('active', 'invited') {whom} ORDER BY m.waiting_since, m.account LIMIT $3"
        );
        let mut waiting = Vec::new();
        for mut row in self.rows(&sql, binds![organization, license, limit]).await? {
            waiting.push(Waiting {
                account: AccountId::new(row.text("memberships.account")?),
                since: row.opt_time("memberships.waiting_since")?,
            });
        }
        Ok(waiting)
    }
}
