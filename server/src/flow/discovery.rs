//! From a work e-mail, a domain or an organization to the identity providers that serve it.
//!
//! Looks at verified domains only and never at accounts: the answer is the same whether or not an account exists.

use provost_kernel::domain::{DomainSettings, SignInRule};
use provost_kernel::email::{Email, is_host_name};
use provost_kernel::id::OrganizationId;
use provost_kernel::login::rules::SignInPolicy;
pub use provost_store::ConnectionSummary;

use crate::app::App;
use crate::error::{AppError, Result};

/// Lists the enabled connections that serve an address.
///
/// # Errors
/// Those of the store.
pub async fn by_email(app: &App, email: &Email) -> Result<Vec<ConnectionSummary>> {
    by_domain(app, email.domain()).await
}

/// Lists the enabled connections that serve a domain.
///
/// # Errors
/// Those of the store.
pub async fn by_domain(app: &App, domain: &str) -> Result<Vec<ConnectionSummary>> {
    let domain = domain.to_ascii_lowercase();
    if !is_host_name(&domain) {
        return Ok(Vec::new());
    }
    let found = app
        .store
        .read(|reader| Box::pin(async move { reader.connections_for_domain(&domain).await }))
        .await?;
    Ok(found.into_iter().filter(|one| one.enabled).collect())
}

/// Finds the organization that demands single sign-on of the addresses in a domain, and returns its name.
///
/// # Errors
/// Those of the store.
pub async fn demand(app: &App, domain: &str) -> Result<Option<String>> {
    let domain = domain.to_owned();
    let found = app
        .store
        .read(|reader| {
            Box::pin(async move {
                let Some(record) = reader.verified_domain(&domain).await? else {
                    return Ok(None);
                };
                if DomainSettings::read(&record.settings).sign_in == SignInRule::Optional {
                    return Ok(None);
                }
                let owner = reader.organization(&record.organization).await?;
                Ok::<_, provost_store::StoreError>(owner.map(|owner| owner.organization.name))
            })
        })
        .await?;
    Ok(found)
}

/// What an organization's own sign-in page shows.
pub struct Entrance {
    /// The organization's name.
    pub name: String,
    /// Its identity providers.
    pub connections: Vec<ConnectionSummary>,
    /// Whether the password form is offered.
    pub password: bool,
}

/// Finds an organization's own sign-in page by its slug.
///
/// # Errors
/// 404 for an unknown organization; those of the store.
pub async fn by_organization(app: &App, slug: &str) -> Result<Entrance> {
    let id = OrganizationId::new(slug);
    let (record, connections) = app
        .store
        .read(|reader| {
            Box::pin(async move {
                let record = reader.organization(&id).await?;
                let connections = reader.connections_for_organization(&id).await?;
                Ok::<_, provost_store::StoreError>((record, connections))
            })
        })
        .await?;
    let record = record.ok_or_else(AppError::not_found)?;
    let policy = SignInPolicy::read(&record.settings);
    let password = policy.sso == SignInRule::Optional && !policy.hide_password_form;
    Ok(Entrance {
        name: record.organization.name,
        connections: connections.into_iter().filter(|one| one.enabled).collect(),
        password,
    })
}
