//! Seats by kind of account, over all pools of an organization: how many are held, and how many may be. Counted in
//! `seat_kinds.used` by conditional updates beside those of the pools, so that the row's lock is the judge of the last seat on
//! either engine. A limit is one of the organization's settings and is written with them. Never decides.

use std::collections::BTreeMap;

use provost_kernel::directory::AccountKind;
use provost_kernel::entitlement::SeatLimits;
use provost_kernel::facts::KindMeter;
use provost_kernel::id::{AccountId, OrganizationId};
use serde_json::Value;

use crate::engine::batch::{Apart, Query, Work};
use crate::error::{Result, StoreError};
use crate::tx::{Reader, Tx};
use crate::value::{binds, to_word};

/// Every kind, in the order of rows.
pub(crate) const KINDS: [AccountKind; 2] = [AccountKind::User, AccountKind::Reader];

/// What a decision does to the seats of kinds, written once at its end: each row is locked as briefly as can be, in one order.
#[derive(Default)]
pub(crate) struct KindCount {
    kinds: BTreeMap<AccountId, AccountKind>,
    seats: BTreeMap<(OrganizationId, AccountKind), i64>,
}

impl KindCount {
    /// Notes what kind of account somebody has now.
    pub(crate) fn know(&mut self, account: &AccountId, kind: AccountKind) {
        self.kinds.insert(account.clone(), kind);
    }

    /// Counts seats that are taken, or given back.
    pub(crate) fn add(&mut self, organization: &OrganizationId, kind: AccountKind, seats: i64) {
        *self.seats.entry((organization.clone(), kind)).or_default() += seats;
    }
}

impl Tx {
    /// Counts seats that an account takes in an organization, or gives back.
    pub(crate) async fn count_seats_of(
        &mut self,
        count: &mut KindCount,
        (account, organization): (&AccountId, &OrganizationId),
        seats: i64,
    ) -> Result<()> {
        if seats == 0 {
            return Ok(());
        }
        self.hold_kind_of(count, account).await?;
        if let Some(kind) = count.kinds.get(account).copied() {
            count.add(organization, kind, seats);
        }
        Ok(())
    }

    /// Keeps an account the kind that it is, before a membership of it is touched whose seats may change: whoever changes the
    /// account writes its memberships after it, and nobody shall wait for the other in a circle.
    pub(crate) async fn hold_kind_of(&mut self, count: &mut KindCount, account: &AccountId) -> Result<()> {
        if !count.kinds.contains_key(account) {
            let kind = self.hold_kind(account).await?;
            count.know(account, kind);
        }
        Ok(())
    }

    /// Finds what kind an account is, and keeps it so until the transaction ends: whoever changes it moves all its seats, and
    /// must not miss one.
    async fn hold_kind(&mut self, account: &AccountId) -> Result<AccountKind> {
        let sql = "SELECT kind FROM accounts WHERE id = $1{share}";
        let found = self.row(sql, binds![account]).await?;
        found
            .ok_or_else(|| StoreError::Conflict("account_version".to_owned()))?
            .word("accounts.kind")
    }

    /// Moves the seats of an account that becomes another kind. Its row was written just before, so nobody gives it another seat
    /// meanwhile.
    pub(crate) async fn move_seats_of(
        &mut self,
        count: &mut KindCount,
        account: &AccountId,
        (from, to): (AccountKind, AccountKind),
    ) -> Result<()> {
        let sql = "SELECT organization FROM memberships WHERE account = $1 AND license_seated = 1";
        for mut row in self.rows(sql, binds![account]).await? {
            let organization = OrganizationId::new(row.text("memberships.organization")?);
            count.add(&organization, from, -1);
            count.add(&organization, to, 1);
        }
        count.know(account, to);
        Ok(())
    }

    /// Queues what a decision does to the seats of kinds. The job fails with `conflict` (`seat_kinds`) when a kind has no seat left.
    pub(crate) async fn write_kinds(&mut self, count: KindCount) -> Result<()> {
        for ((organization, kind), seats) in count.seats {
            if seats == 0 {
                continue;
            }
            let sql = "UPDATE seat_kinds SET used = used + $3 WHERE organization = $1 AND kind = $2 \
                       AND ($3 < 0 OR seats IS NULL OR used + $3 <= seats)";
            let full = StoreError::Conflict("seat_kinds".to_owned());
            let seats = Work::Sum(Query::new(sql, binds![&organization, to_word(&kind)?, seats]));
            self.later_apart(Apart::SeatOfKind, seats, Some((1, full)))
                .await?;
        }
        Ok(())
    }

    /// Writes the limits that an organization's settings name. Seats may fall below those in use; then nobody gets one.
    pub(crate) async fn put_seat_limits(
        &mut self,
        organization: &OrganizationId,
        settings: &Value,
    ) -> Result<()> {
        let limits = SeatLimits::read(settings);
        for kind in KINDS {
            let sql = "INSERT INTO seat_kinds (organization, kind, seats, used) VALUES ($1, $2, $3, 0) \
                       ON CONFLICT (organization, kind) DO UPDATE SET seats = excluded.seats";
            self.run(sql, binds![organization, to_word(&kind)?, limits.of(kind)])
                .await?;
        }
        Ok(())
    }
}

impl Reader {
    /// Counts the seats of an organization by kind of account, over all pools, with their limits.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn seat_kinds(
        &mut self,
        organization: &OrganizationId,
    ) -> Result<BTreeMap<AccountKind, KindMeter>> {
        let sql = "SELECT kind, seats, used FROM seat_kinds WHERE organization = $1";
        let mut kinds = BTreeMap::new();
        for mut row in self.rows(sql, binds![organization]).await? {
            let kind = row.word("seat_kinds.kind")?;
            let limit = row.opt_count("seat_kinds.seats")?;
            let used = row.count("seat_kinds.used")?;
            kinds.insert(kind, KindMeter { limit, used });
        }
        Ok(kinds)
    }
}
