//! What a run would do to whom, without doing it: the kernel decides about each person, and nothing is written (C-24).

use std::collections::BTreeMap;

use jiff::Timestamp;
use provost_kernel::directory::AccountKind;
use provost_kernel::email::Email;
use provost_kernel::id::{AccountId, LicenseId, OrganizationId};
use provost_kernel::incoming::Fresh;
use provost_kernel::mapping::InForce;
use provost_kernel::plan::{Change, Verdict};
use provost_kernel::provision::{self, Action, Actor, Request};
use provost_store::{ConversionSelection, Reader, StoreError};

use super::{Wanted, reachable};
use crate::app::App;
use crate::error::{AppError, Result};
use crate::flow::api_keys::Caller;

/// People looked at with one connection of the store.
const PORTION: u32 = 200;

/// What would become of one person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// The account.
    pub account: AccountId,
    /// Its address.
    pub email: Option<Email>,
    /// Why the person would be passed over; none if she would be invited.
    pub reason: Option<&'static str>,
}

/// What a run would do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Preview {
    /// How many would be invited.
    pub invited: u32,
    /// How many would be passed over, by reason.
    pub skipped: BTreeMap<&'static str, u32>,
    /// Everybody, by account.
    pub people: Vec<Person>,
    /// Whether "selected" is the better choice, because some of the organization's people use single sign-on already and
    /// some do not.
    pub recommends_selected: bool,
    /// Seats that the run would take, by pool.
    pub seats: Seats,
}

/// Looks at everybody whom a run would look at.
///
/// # Errors
/// As for starting a run.
pub async fn preview(app: &App, caller: &Caller, wanted: &Wanted) -> Result<Preview> {
    let selection = wanted.selection()?;
    reachable(app, caller, &wanted.organization, &wanted.connection).await?;
    let mut preview = Preview::default();
    let mut after: Option<AccountId> = None;
    let mut taken = Taken::default();
    loop {
        let look = Look {
            wanted: wanted.clone(),
            actor: caller.actor(),
            fresh: app.world.fresh()?.0,
            now: app.world.now(),
            taken: std::mem::take(&mut taken),
        };
        let (chosen, from) = (selection.clone(), after.clone());
        let (people, seats) = app
            .store
            .read(|reader| Box::pin(async move { look.at_some(reader, &chosen, from.as_ref()).await }))
            .await
            .map_err(|error: StoreError| AppError::from(error))?;
        taken = seats;
        let Some(last) = people.last() else { break };
        after = Some(last.account.clone());
        for person in &people {
            match person.reason {
                None => preview.invited += 1,
                Some(reason) => *preview.skipped.entry(reason).or_default() += 1,
            }
        }
        preview.people.extend(people);
    }
    preview.seats = taken.pools;
    preview.recommends_selected = wanted.accounts.is_none() && is_mixed(app, &wanted.organization).await?;
    Ok(preview)
}

/// Seats that people looked at before would take, by pool.
pub type Seats = BTreeMap<LicenseId, u32>;

/// Seats that people looked at before would take.
#[derive(Default)]
struct Taken {
    pools: Seats,
    kinds: BTreeMap<AccountKind, u32>,
}

/// One look at a portion of people.
struct Look {
    wanted: Wanted,
    actor: Actor,
    fresh: Fresh,
    now: Timestamp,
    taken: Taken,
}

impl Look {
    async fn at_some(
        mut self,
        reader: &mut Reader,
        selection: &ConversionSelection,
        after: Option<&AccountId>,
    ) -> Result<(Vec<Person>, Taken), StoreError> {
        let organization = self.wanted.organization.clone();
        let found = reader
            .conversion_candidates(&organization, selection, after, PORTION)
            .await?;
        let in_force = in_force(reader, &self.wanted).await?;
        let mut people = Vec::with_capacity(found.len());
        for (account, email) in found {
            let reason = self
                .at_one(reader, in_force.as_ref(), &account, email.as_ref())
                .await?;
            people.push(Person {
                account,
                email,
                reason,
            });
        }
        Ok((people, self.taken))
    }

    async fn at_one(
        &mut self,
        reader: &mut Reader,
        in_force: Option<&InForce>,
        account: &AccountId,
        email: Option<&Email>,
    ) -> Result<Option<&'static str>, StoreError> {
        let request = Request {
            actor: self.actor.clone(),
            action: Action::Convert {
                account: account.clone(),
                email: email.cloned(),
                organization: self.wanted.organization.clone(),
                connection: self.wanted.connection.clone(),
                mode: self.wanted.mode,
            },
        };
        let mut facts = reader.facts(&provision::need(&request)).await?;
        let here = facts
            .organizations
            .iter_mut()
            .filter(|known| known.organization.id == self.wanted.organization);
        for known in here {
            for pool in &mut known.licenses {
                let taken = self.taken.pools.get(&pool.license.id);
                pool.used += taken.copied().unwrap_or_default();
            }
            for (kind, meter) in &mut known.kinds {
                meter.used += self.taken.kinds.get(kind).copied().unwrap_or_default();
            }
        }
        let people = facts.accounts.iter();
        let mut asked = people.filter(|known| known.account.id == *account);
        let kind = asked.next().map(|known| known.account.kind);
        let decision = provision::decide(&request, &facts, in_force, &self.fresh, self.now);
        for change in &decision.plan.changes {
            if let Change::AddMembership { membership, .. } = change
                && let Some(license) = membership.license.as_ref().filter(|license| license.seated)
            {
                *self.taken.pools.entry(license.license.clone()).or_default() += 1;
                if let Some(kind) = kind {
                    *self.taken.kinds.entry(kind).or_default() += 1;
                }
            }
        }
        Ok(match decision.verdict {
            Verdict::Refused(denial) => Some(denial.code()),
            Verdict::Admitted(_) | Verdict::Accepted => None,
        })
    }
}

async fn in_force(reader: &mut Reader, wanted: &Wanted) -> Result<Option<InForce>, StoreError> {
    let record = reader.connection(&wanted.connection).await?;
    record
        .map(|record| {
            InForce::compile(record.connection).map_err(|_| StoreError::Corrupt("connections.policies"))
        })
        .transpose()
}

/// Tells whether some members of an organization sign in through a provider and some with a password.
///
/// # Errors
/// Those of the store.
pub async fn is_mixed(app: &App, organization: &OrganizationId) -> Result<bool> {
    let organization = organization.clone();
    app.store
        .read(|reader| Box::pin(async move { reader.is_mixed(&organization).await }))
        .await
        .map_err(|error: StoreError| AppError::from(error))
}
