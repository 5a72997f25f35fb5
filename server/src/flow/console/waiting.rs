//! What waits for an admin on the first page of an organization. Each look is bounded, however many people there are.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use provost_kernel::connection::Provisioning;
use provost_kernel::denial::Denial;
use provost_kernel::id::{ConnectionId, OrganizationId};
use provost_store::{InvitationFilter, PeopleFilter, Reader, StoreError, TraceFilter};

use super::overview::{Health, RECENT};
use crate::app::App;
use crate::error::Result;
use crate::flow::policy::change;

/// Days without a sign-in after which an account that sign-ins made may be one that nobody needs.
pub const STALE_DAYS: i64 = 90;

/// What waits for somebody.
#[derive(Clone, Debug, Default)]
pub struct Waiting {
    /// Members.
    pub members: u64,
    /// Sign-ins in the last day that no rule gave a place, up to the number that is looked at.
    pub unplaced: usize,
    /// Other attempts that were refused in the last day, up to the number that is looked at.
    pub refused: usize,
    /// People who wait for a seat, up to a page.
    pub seatless: usize,
    /// People who were invited and have not come in, up to a page.
    pub invited: usize,
    /// People who have not signed in for long, by connection whose accounts sign-ins make, up to a page each.
    pub stale: BTreeMap<ConnectionId, u64>,
    /// Changes of policies that are held, with their connections.
    pub held: Vec<String>,
}

/// Returns since when somebody must have come not to count as stale.
pub fn stale_since(now: Timestamp) -> Timestamp {
    ago(now, STALE_DAYS * 24)
}

fn ago(now: Timestamp, hours: i64) -> Timestamp {
    now.saturating_sub(SignedDuration::from_hours(hours))
        .unwrap_or(Timestamp::MIN)
}

/// Collects what waits for an admin of an organization.
///
/// # Errors
/// Those of the store.
pub async fn collect(app: &App, organization: &OrganizationId, own: &[Health]) -> Result<Waiting> {
    let (organization, now) = (organization.clone(), app.world.now());
    let held = change::waiting(app)
        .await?
        .into_iter()
        .filter(|change| {
            own.iter()
                .any(|health| health.record.connection.id == change.connection)
        })
        .map(|change| change.connection.to_string())
        .collect();
    let made_at_sign_in: Vec<ConnectionId> = own
        .iter()
        .map(|health| &health.record.connection)
        .filter(|connection| connection.enabled && connection.provisioning == Provisioning::Jit)
        .map(|connection| connection.id.clone())
        .collect();
    let found = app
        .store
        .read(|reader| {
            Box::pin(async move {
                let (unplaced, refused) = refusals(reader, &organization, ago(now, 24)).await?;
                let invited = InvitationFilter {
                    organization: Some(organization.clone()),
                    is_pending: true,
                    ..InvitationFilter::default()
                };
                let seatless = PeopleFilter {
                    waiting: true,
                    ..PeopleFilter::of(organization.clone())
                };
                let mut stale = BTreeMap::new();
                for id in made_at_sign_in {
                    let count = reader.count_unseen(&id, stale_since(now), RECENT).await?;
                    stale.insert(id, count);
                }
                Ok::<_, StoreError>(Waiting {
                    members: reader.count_people(&organization).await?,
                    unplaced,
                    refused,
                    seatless: reader.people(&seatless, RECENT).await?.len(),
                    invited: reader.invitations(&invited, None, RECENT).await?.len(),
                    stale,
                    held,
                })
            })
        })
        .await?;
    Ok(found)
}

/// Counts what was refused lately: for want of a place, and otherwise.
async fn refusals(
    reader: &mut Reader,
    organization: &OrganizationId,
    since: Timestamp,
) -> std::result::Result<(usize, usize), StoreError> {
    let filter = TraceFilter {
        organization: Some(organization.clone()),
        refused: true,
        ..TraceFilter::default()
    };
    let mut counts = (0, 0);
    let found = reader.traces(&filter, RECENT).await?;
    for record in found.iter().filter(|record| record.trace.at > since) {
        if record.verdict == Denial::NoOrganization.code() {
            counts.0 += 1;
        } else {
            counts.1 += 1;
        }
    }
    Ok(counts)
}
