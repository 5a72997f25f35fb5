//! What became of license seats: who took one, gave one back or began to wait, when and by whom, written with each
//! decision; and how many seats are held now, by kind of account. Never decides.

use std::collections::BTreeMap;

use jiff::Timestamp;
use provost_kernel::directory::{AccountKind, LicenseGrant, Status};
use provost_kernel::id::{AccountId, LicenseId, OrganizationId, TraceId};
use provost_kernel::plan::{Change, Decision, MembershipEdit};
use provost_kernel::provision::Actor;

use crate::engine::batch::Insert;
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
            let into = "INSERT INTO seat_events (organization, at, account, license, what, actor, trace)";
            let row = binds![
                organization,
                now,
                account,
                &license,
                to_word(&what)?,
                actor.label(),
                &decision.trace.id
            ];
            self.insert_later(Insert::plain(into, vec![row], " ON CONFLICT DO NOTHING"));
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
        // Read off one index in its order: how many there are of each sort.
        let sql = "SELECT license, account_kind, license_seated, active, account_status, COUNT(*) FROM memberships \
                   WHERE organization = $1 GROUP BY license, account_kind, license_seated, active, account_status";
        let (mut pools, mut members) = (BTreeMap::new(), BTreeMap::new());
        for mut row in self.rows(sql, binds![organization]).await? {
            let license = row.opt_text("memberships.license")?.map(LicenseId::new);
            let kind: AccountKind = row.word("memberships.account_kind")?;
            let seated = row.opt_int("memberships.license_seated")?;
            let is_active = row.flag("memberships.active")?;
            let status: Status = row.word("memberships.account_status")?;
            let count = row.count("memberships")?;
            let is_in_force = is_active && matches!(status, Status::Active | Status::Invited);
            if is_in_force {
                *members.entry(kind).or_default() += count;
            }
            if let Some(license) = license {
                let (used, waiting): &mut (u32, u32) = pools.entry((license, kind)).or_default();
                *used += if seated == Some(1) { count } else { 0 };
                *waiting += if is_in_force && seated == Some(0) {
                    count
                } else {
                    0
                };
            }
        }
        let pools = pools.into_iter().map(|((license, kind), (used, waiting))| Meter {
            license: Some(license),
            kind,
            used,
            waiting,
        });
        let members = members.into_iter().map(|(kind, used)| Meter {
            license: None,
            kind,
            used,
            waiting: 0,
        });
        Ok(pools.chain(members).collect())
    }
}
