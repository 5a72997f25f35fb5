//! How an organization's people sign in, for its own page of the console: what is demanded and what is missing for it, who could
//! come in when the provider is down, and what the sign-in page shows.

use provost_kernel::directory::Account;
use provost_kernel::domain::{DomainSettings, SignInRule};
use provost_kernel::email::Email;
use provost_kernel::id::{AccountId, OrganizationId};
use provost_store::{EmergencyAdmin, StoreError};

use crate::app::App;
use crate::error::Result;
use crate::flow::api_keys::Caller;
use crate::flow::discovery::{self, Entrance};
use crate::flow::enforcement::{self, Enforcement};

/// What the page shows.
pub struct Security {
    /// What is demanded, and what is missing for it.
    pub enforcement: Enforcement,
    /// Who could come in with a password.
    pub admins: Vec<EmergencyAdmin>,
    /// Domains that are in force, with what they demand.
    pub domains: Vec<(String, SignInRule)>,
    /// The sign-in page.
    pub entrance: Entrance,
}

/// Reads all of it.
///
/// # Errors
/// 404 for an organization out of sight; those of the store.
pub async fn of(app: &App, caller: &Caller, organization: &str) -> Result<Security> {
    let enforcement = enforcement::get(app, caller, organization).await?;
    let id = OrganizationId::new(organization);
    let (admins, domains) = app
        .store
        .read(|reader| {
            Box::pin(async move {
                let admins = reader.emergency_admins(&id).await?;
                let domains = reader.domains(&id).await?;
                Ok::<_, StoreError>((admins, domains))
            })
        })
        .await?;
    let domains = domains
        .into_iter()
        .filter(|domain| domain.verified_at.is_some())
        .map(|domain| {
            let rule = DomainSettings::read(&domain.settings).sign_in;
            (domain.name, rule)
        })
        .collect();
    Ok(Security {
        enforcement,
        admins,
        domains,
        entrance: discovery::by_organization(app, organization).await?,
    })
}

/// Finds the member with a password who has an address.
///
/// # Errors
/// Those of the store.
pub async fn member_with_password(
    app: &App,
    organization: &OrganizationId,
    email: Email,
) -> Result<Option<AccountId>> {
    let organization = organization.clone();
    let found = app
        .store
        .read(|reader| {
            Box::pin(async move {
                let Some(account) = reader.standard_account(&email).await? else {
                    return Ok(None);
                };
                let memberships = reader.memberships(&account.id).await?;
                let is_member = memberships.iter().any(|held| held.organization == organization);
                Ok::<_, StoreError>(is_member.then_some(account))
            })
        })
        .await?;
    Ok(found.map(|account: Account| account.id))
}
