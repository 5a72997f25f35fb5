//! What became of license seats: who took one, gave one back or began to wait, when and by whom, written with each
//! decision; and how many seats are held now, by kind of account. Never decides.

use jiff::Timestamp;
use provost_kernel::directory::{AccountKind, LicenseGrant};
use provost_kernel::id::{AccountId, LicenseId, OrganizationId, TraceId};
use provost_kernel::plan::{Change, Decision, MembershipEdit};
use provost_kernel::provision::Actor;

use crate::error::Result;
use crate::tx::{Reader, Tx};
use crate::value::{binds, to_word};

/// What happened to a seat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SeatChange {
    /// Somebody took it.
    Taken,
    /// Somebody gave it back.
    Released,
    /// Somebody found none and waits.
    Waiting,
    /// Somebody waits no more, without one.
    Left,
}

/// One entry of the history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeatEvent {
    /// In which organization.
    pub organization: OrganizationId,
    /// When.
    pub at: Timestamp,
    /// Whose.
    pub account: AccountId,
    /// Of which pool.
    pub license: LicenseId,
    /// What happened.
    pub what: SeatChange,
    /// Who caused it.
    pub actor: String,
    /// The decision.
    pub trace: TraceId,
}

/// How much of a pool, or of an organization, accounts of one kind use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meter {
    /// The pool; none counts members, with or without a license.
    pub license: Option<LicenseId>,
    /// Which kind.
    pub kind: AccountKind,
    /// Seats held, or active members.
    pub used: u32,
    /// People who wait.
    pub waiting: u32,
}

/// Lists what a decision does to seats.
fn of_decision(decision: &Decision) -> Vec<(&OrganizationId, &AccountId, LicenseId, SeatChange)> {
    let mut found = Vec::new();
    let mut note = |organization, account, before: Option<&LicenseGrant>, after: Option<&LicenseGrant>| {
        let same = |other: Option<&LicenseGrant>, one: &LicenseGrant| {
            other.is_some_and(|other| other.license == one.license && other.seated == one.seated)
        };
        if let Some(before) = before.filter(|one| !same(after, one)) {
            let gets = after.is_some_and(|after| after.license == before.license && after.seated);
            match (before.seated, gets) {
                (true, _) => found.push((
                    organization,
                    account,
                    before.license.clone(),
                    SeatChange::Released,
                )),
                (false, true) => {}
                (false, false) => {
                    found.push((organization, account, before.license.clone(), SeatChange::Left));
                }
            }
        }
        if let Some(after) = after.filter(|one| !same(before, one)) {
            let what = if after.seated {
                SeatChange::Taken
            } else {
                SeatChange::Waiting
            };
            found.push((organization, account, after.license.clone(), what));
        }
    };
    for change in &decision.plan.changes {
        if let Change::AddMembership { account, membership } = change {
            note(
                &membership.organization,
                account,
                None,
                membership.license.as_ref(),
            );
        } else if let Change::RemoveMembership {
            account,
            organization,
            before,
            ..
        } = change
        {
            note(organization, account, before.license.as_ref(), None);
        } else if let Change::UpdateMembership {
            account,
            organization,
            edits,
            ..
        } = change
        {
            for edit in edits {
                if let MembershipEdit::SetLicense { from, to } = edit {
                    note(organization, account, from.as_ref(), to.as_ref());
                }
            }
        }
    }
    found
}

impl Tx {
    /// Queues what a decision does to seats for the history.
    ///
    /// # Errors
    /// `corrupt` for a word that has no form.
    pub(crate) fn note_seats(&mut self, decision: &Decision, actor: &Actor, now: Timestamp) -> Result<()> {
        for (organization, account, license, what) in of_decision(decision) {
            let sql = "INSERT INTO seat_events (organization, at, account, license, what, actor, trace) \
                       VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING";
            let row = binds![
                organization,
                now,
                account,
                &license,
                to_word(&what)?,
                actor.label(),
                &decision.trace.id
            ];
            self.later(sql, row);
        }
        Ok(())
    }
}

impl Reader {
    /// Lists what became of an organization's seats, newest first, before a moment and account.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn seat_events(
        &mut self,
        organization: &OrganizationId,
        before: Option<(Timestamp, AccountId)>,
        limit: u32,
    ) -> Result<Vec<SeatEvent>> {
        let (at, account) = before.map_or((i64::MAX, String::new()), |(at, account)| {
            (at.as_millisecond(), account.as_str().to_owned())
        });
        let sql = "SELECT organization, at, account, license, what, actor, trace FROM seat_events \
                   WHERE organization = $1 AND (at, account) < ($2, $3) ORDER BY at DESC, account DESC, what LIMIT $4";
        self.rows(sql, binds![organization, at, account, limit])
            .await?
            .into_iter()
            .map(|mut row| {
                Ok(SeatEvent {
                    organization: OrganizationId::new(row.text("seat_events.organization")?),
                    at: row.time("seat_events.at")?,
                    account: AccountId::new(row.text("seat_events.account")?),
                    license: LicenseId::new(row.text("seat_events.license")?),
                    what: row.word("seat_events.what")?,
                    actor: row.text("seat_events.actor")?,
                    trace: TraceId::new(row.text("seat_events.trace")?),
                })
            })
            .collect()
    }

    /// Counts the seats of an organization's pools by kind of account, and its active members by kind.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn seat_meters(&mut self, organization: &OrganizationId) -> Result<Vec<Meter>> {
        let sql = "SELECT m.license, a.kind, SUM(CASE WHEN m.license_seated = 1 THEN 1 ELSE 0 END), \
                   SUM(CASE WHEN m.license_seated = 0 AND m.active = 1 AND a.status IN ('active', 'invited') THEN 1 ELSE 0 END) FROM memberships m \
                   JOIN accounts a ON a.id = m.account WHERE m.organization = $1 AND m.license IS NOT NULL \
                   GROUP BY m.license, a.kind ORDER BY m.license, a.kind";
        let mut meters = Vec::new();
        for mut row in self.rows(sql, binds![organization]).await? {
            meters.push(Meter {
                license: Some(LicenseId::new(row.text("memberships.license")?)),
                kind: row.word("accounts.kind")?,
                used: row.count("memberships.used")?,
                waiting: row.count("memberships.waiting")?,
            });
        }
        let sql = "SELECT a.kind, COUNT(*) FROM memberships m JOIN accounts a ON a.id = m.account \
                   WHERE m.organization = $1 AND m.active = 1 AND a.status IN ('active', 'invited') \
                   GROUP BY a.kind ORDER BY a.kind";
        for mut row in self.rows(sql, binds![organization]).await? {
            meters.push(Meter {
                license: None,
                kind: row.word("accounts.kind")?,
                used: row.count("memberships.members")?,
                waiting: 0,
            });
        }
        Ok(meters)
    }
}
