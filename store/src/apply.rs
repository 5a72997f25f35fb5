//! Applying decisions: rows, audit rows, events and trace in one transaction. The only place that writes about people.
//! Never decides: a change that no longer fits what is stored is a conflict, and the caller decides again.

mod account;
mod membership;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use provost_kernel::audit;
use provost_kernel::directory::{Origin, Status};
use provost_kernel::id::{AccountId, ConnectionId, GroupId, OrganizationId, SessionId};
use provost_kernel::incoming::OneTimeProof;
use provost_kernel::plan::{Change, Decision, MembershipEdit, Verdict};
use provost_kernel::provision::Actor;
use serde_json::Value;
use zeroize::Zeroizing;

use crate::claims::LastClaims;
use crate::digest;
use crate::error::{Result, StoreError};
use crate::feed::NewEvent;
use crate::pushes::DEPARTURE;
use crate::seat_kinds::KindCount;
use crate::tx::Tx;
use crate::value::{Row, binds};

/// What applying a decision did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// Changes written.
    pub changes: usize,
    /// Sessions that were open and are ended now; their clients want a back-channel logout.
    pub revoked_sessions: Vec<SessionId>,
    /// Whether the trace was kept: always, except for an admitted request that changed nothing.
    pub traced: bool,
}

/// What goes with a decision besides what it says.
#[derive(Clone, Debug, Default)]
pub struct Beside {
    /// The claims that came in, masked, for the trace.
    pub claims: Option<Value>,
    /// The same for the account, instead of those that it came with before.
    pub last_claims: Option<LastClaims>,
    /// The provider's ID token, kept sealed with the session for the logout hint.
    pub id_token: Option<Zeroizing<String>>,
}

/// The versions of rows as this plan sees them: checked against the facts once, then known.
#[derive(Default)]
struct Versions {
    /// The connection that the decision was about.
    connection: Option<ConnectionId>,
    /// State of the accounts that this plan creates.
    created: BTreeMap<AccountId, Status>,
    /// Accounts whose sessions this plan has ended.
    ended: BTreeSet<AccountId>,
    accounts: BTreeMap<AccountId, i64>,
    memberships: BTreeMap<(AccountId, OrganizationId), i64>,
    /// By how much this plan has raised the versions of groups.
    groups: BTreeMap<GroupId, i64>,
    /// Seats that this plan takes and frees, by kind of account.
    kinds: KindCount,
    /// Keys of the API whose makers this plan takes out.
    keys: Vec<Row>,
}

/// The version that a row must have and the one it gets. A plan counts once, however many changes it holds.
#[derive(Clone, Copy)]
struct Step {
    expect: i64,
    next: i64,
}

impl Versions {
    fn account(&mut self, account: &AccountId, shown: i64) -> Step {
        step(&mut self.accounts, account.clone(), shown)
    }

    fn membership(&mut self, account: &AccountId, organization: &OrganizationId, shown: i64) -> Step {
        step(
            &mut self.memberships,
            (account.clone(), organization.clone()),
            shown,
        )
    }
}

fn step<K: Ord>(known: &mut BTreeMap<K, i64>, key: K, shown: i64) -> Step {
    if let Some(current) = known.get(&key) {
        return Step {
            expect: *current,
            next: *current,
        };
    }
    known.insert(key, shown + 1);
    Step {
        expect: shown,
        next: shown + 1,
    }
}

impl Tx {
    /// Writes a decision: spends its proof, makes its changes, opens its session, keeps its trace, and notes its events.
    /// A refusal is kept too. An admitted decision without changes writes nothing.
    ///
    /// # Errors
    /// `proof_spent` for a replay; `conflict` when what is stored is no longer what the facts showed
    /// (`account_version`, `membership_version`, `account_status`, `license_seats`, `seat_kinds`, `last_owner`, or the name of a unique index).
    /// Return the error from the job, so that nothing of the decision stays. Some of it is written only when the job ends
    /// or takes another statement: the conflict then shows there.
    pub async fn apply(&mut self, decision: &Decision, actor: &Actor, now: Timestamp) -> Result<Applied> {
        self.apply_beside(decision, actor, &Beside::default(), now).await
    }

    /// As [`Self::apply`], and keeps what goes with the decision.
    ///
    /// # Errors
    /// As [`Self::apply`].
    pub async fn apply_beside(
        &mut self,
        decision: &Decision,
        actor: &Actor,
        beside: &Beside,
        now: Timestamp,
    ) -> Result<Applied> {
        let mut applied = Applied {
            changes: decision.plan.changes.len(),
            ..Applied::default()
        };
        if let Some(proof) = &decision.plan.spend {
            self.spend(decision.trace.connection.as_ref(), proof);
        }
        let mut versions = Versions {
            connection: decision.trace.connection.clone(),
            ..Versions::default()
        };
        for change in &decision.plan.changes {
            applied
                .revoked_sessions
                .extend(self.apply_change(change, &mut versions, now).await?);
        }
        self.write_kinds(std::mem::take(&mut versions.kinds)).await?;
        if let Some(session) = &decision.plan.session {
            let id_token = beside.id_token.as_ref().map(|token| token.as_str());
            let status = versions.created.get(&session.account).copied();
            self.open_session(session, status, id_token, now).await?;
        }
        let departures = decision.plan.changes.iter().filter(|change| is_departure(change));
        if let (Some(connection), count @ 1..) = (&decision.trace.connection, departures.count()) {
            let count = u32::try_from(count).unwrap_or(u32::MAX);
            self.count_pushes(connection, DEPARTURE, count, now).await?;
        }
        let verdict = match &decision.verdict {
            Verdict::Admitted(_) => "admitted",
            Verdict::Accepted => "accepted",
            Verdict::Refused(denial) => denial.code(),
        };
        let refused = matches!(decision.verdict, Verdict::Refused(_));
        applied.traced = refused || applied.changes > 0 || decision.plan.session.is_some();
        if applied.traced {
            self.insert_trace(&decision.trace, verdict, beside.claims.as_ref())?;
        }
        if let Some(last) = &beside.last_claims {
            self.keep_last_claims(last, versions.created.contains_key(&last.account))?;
        }
        self.note_seats(decision, actor, now)?;
        self.ask_for_drift_after(decision, actor, now).await?;
        for event in audit::events(decision, actor, now) {
            self.record(event.into());
        }
        self.revoke_keys(versions.keys, &actor.label(), now)?;
        Ok(applied)
    }

    /// Spends a one-time proof, scoped to its connection. The job fails with `proof_spent` if it was spent before.
    pub fn spend(&mut self, connection: Option<&ConnectionId>, proof: &OneTimeProof) {
        let key = digest::fields(&[
            connection.map_or("", ConnectionId::as_str),
            &proof.issuer,
            &proof.id,
        ]);
        let sql =
            "INSERT INTO spent_proofs (proof_key, until) VALUES ($1, $2) ON CONFLICT (proof_key) DO NOTHING";
        self.later_exactly(1, sql, binds![key, proof.until], StoreError::ProofSpent);
    }

    #[expect(
        clippy::too_many_lines,
        reason = "one arm for each kind of change, nothing else"
    )]
    async fn apply_change(
        &mut self,
        change: &Change,
        versions: &mut Versions,
        now: Timestamp,
    ) -> Result<Vec<SessionId>> {
        match change {
            Change::CreateAccount { account, profile } => {
                versions.accounts.insert(account.id.clone(), account.version);
                versions.created.insert(account.id.clone(), account.status);
                versions.kinds.know(&account.id, account.kind);
                self.create_account(account, now).await?;
                if let Some(profile) = profile {
                    let bound = account.authentication.connection();
                    self.put_document(&account.id, bound, Some(&profile.document), true)
                        .await?;
                }
            }
            Change::UpdateProfile {
                account,
                version,
                set,
                before,
            } => {
                let step = versions.account(account, *version);
                self.update_profile(account, step, set, now).await?;
                if let (Some(from), Some(to)) = (before.kind, set.kind) {
                    self.move_seats_of(&mut versions.kinds, account, (from, to))
                        .await?;
                }
                if let Some(profile) = &set.profile {
                    let document = profile.as_ref().map(|profile| &profile.document);
                    let pushing = versions.connection.as_ref();
                    self.put_document(account, pushing, document, false).await?;
                }
            }
            Change::SetStatus {
                account,
                version,
                from,
                to,
                origin,
            } => {
                let step = versions.account(account, *version);
                if let Some(status) = versions.created.get_mut(account) {
                    *status = *to;
                }
                if !matches!(to, Status::Active | Status::Invited) {
                    versions.ended.insert(account.clone());
                }
                let left = self.set_status(account, step, (*from, *to), *origin, now).await?;
                versions.keys.extend(left.keys);
                return Ok(left.sessions);
            }
            Change::SetAuthentication {
                account,
                version,
                from,
                to,
            } => {
                let step = versions.account(account, *version);
                self.set_authentication(account, step, from, to, now).await?;
            }
            Change::Link { account, link } => self.link(account, link, now),
            Change::Unlink { account, link } => self.unlink(account, link).await?,
            Change::AddMembership { account, membership } => {
                let key = (account.clone(), membership.organization.clone());
                versions.memberships.insert(key, membership.version);
                let seats = self.add_membership(account, membership, now).await?;
                let key = (account, &membership.organization);
                self.count_seats_of(&mut versions.kinds, key, seats).await?;
            }
            Change::UpdateMembership {
                account,
                organization,
                version,
                edits,
            } => {
                if edits
                    .iter()
                    .any(|edit| matches!(edit, MembershipEdit::SetLicense { .. }))
                {
                    self.hold_kind_of(&mut versions.kinds, account).await?;
                }
                let step = versions.membership(account, organization, *version);
                let key = (account, organization);
                let seats = self.update_membership(key, step, edits, now).await?;
                self.count_seats_of(&mut versions.kinds, key, seats).await?;
            }
            Change::RemoveMembership {
                account,
                organization,
                version,
                before,
            } => {
                if before.license.as_ref().is_some_and(|license| license.seated) {
                    self.hold_kind_of(&mut versions.kinds, account).await?;
                }
                let step = versions.membership(account, organization, *version);
                versions
                    .memberships
                    .remove(&(account.clone(), organization.clone()));
                let key = (account, organization);
                let seats = self.remove_membership(key, step).await?;
                self.count_seats_of(&mut versions.kinds, key, seats).await?;
            }
            Change::RevokeSessions { account, .. } if versions.ended.contains(account) => {}
            Change::RevokeSessions { account, reason } => {
                let ended = self.end_sessions_of_account(account, reason, now).await?;
                return Ok(account::session_ids(ended));
            }
            // An alert is an event and nothing else.
            Change::Alert { .. } => {}
            Change::CreateGroup { .. }
            | Change::UpdateGroup { .. }
            | Change::DeleteGroup { .. }
            | Change::AddGroupMembers { .. }
            | Change::RemoveGroupMembers { .. } => {
                self.apply_to_group(change, &mut versions.groups, now).await?;
            }
            Change::QueueReevaluation {
                job,
                connection,
                accounts,
            } => self.queue_reevaluation(job, connection, accounts, now).await?,
        }
        Ok(Vec::new())
    }
}

/// Tells whether a directory takes a person out, which the guard against mass deactivation counts.
const fn is_departure(change: &Change) -> bool {
    matches!(
        change,
        Change::SetStatus {
            from: Status::Active | Status::Invited | Status::Suspended,
            to: Status::Deactivated | Status::Deleted,
            origin: Origin::Scim,
            ..
        }
    )
}

/// A conflict unless exactly one row was changed.
pub(crate) fn exactly_one(changed: u64, constraint: &str) -> Result<()> {
    if changed == 1 {
        Ok(())
    } else {
        Err(StoreError::Conflict(constraint.to_owned()))
    }
}

impl From<audit::Event> for NewEvent {
    fn from(event: audit::Event) -> Self {
        Self {
            at: event.at,
            kind: event.kind.code().to_owned(),
            actor: event.actor,
            account: event.account,
            organization: event.organization,
            connection: event.connection,
            trace: Some(event.trace),
            data: event.data,
        }
    }
}
