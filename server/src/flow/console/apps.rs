//! Applications as the console shows them. They belong to the instance; an organization sees which ones its people may use.

use provost_kernel::id::OrganizationId;
use provost_store::{ApplicationRecord, StoreError};

use crate::app::App;
use crate::application_config::ApplicationConfig;
use crate::error::Result;

/// An application in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Client id.
    pub client_id: String,
    /// Name for people.
    pub name: String,
    /// Where answers may be sent.
    pub redirect_uris: Vec<String>,
    /// The organizations whose people may sign in; none means all.
    pub organizations: Option<Vec<OrganizationId>>,
    /// Whether it has a secret.
    pub has_secret: bool,
}

/// Lists the applications that people of an organization may use, or all of them.
///
/// # Errors
/// Those of the store.
pub async fn list(app: &App, organization: Option<&OrganizationId>) -> Result<Vec<Listed>> {
    let found: std::result::Result<Vec<ApplicationRecord>, StoreError> = app
        .store
        .read(|reader| Box::pin(async move { reader.applications().await }))
        .await;
    Ok(found?
        .into_iter()
        .filter(|record| {
            organization.is_none_or(|own| {
                record
                    .organizations
                    .as_ref()
                    .is_none_or(|served| served.contains(own))
            })
        })
        .map(|record| {
            let config: ApplicationConfig = serde_json::from_value(record.config).unwrap_or_default();
            Listed {
                name: config.name.unwrap_or_else(|| record.client_id.clone()),
                redirect_uris: config.redirect_uris,
                has_secret: record.secret_digest.is_some(),
                client_id: record.client_id,
                organizations: record.organizations,
            }
        })
        .collect())
}
