//! What the pages of conversions show beside the runs themselves: a sample of the mail, and whether people already sign in in
//! both ways. Reads only.

use std::collections::BTreeMap;

use provost_kernel::id::{ConnectionId, OrganizationId};
use provost_store::StoreError;

use crate::app::App;
use crate::branding::Branding;
use crate::error::Result;
use crate::flow::mail::{self, Kind};

/// A mail as a person gets it, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Subject.
    pub subject: String,
    /// Text.
    pub text: String,
}

/// Writes the mail that people of a conversion get, with made-up values where each person has her own.
///
/// # Errors
/// Those of the store.
pub async fn sample(
    app: &App,
    organization: &OrganizationId,
    connection: &ConnectionId,
    person: &str,
) -> Result<Sample> {
    let (id, through) = (organization.clone(), connection.clone());
    let found: std::result::Result<_, StoreError> = app
        .store
        .read(|reader| {
            Box::pin(async move {
                Ok((
                    reader.organization(&id).await?,
                    reader.connection(&through).await?,
                ))
            })
        })
        .await;
    let (organization, connection) = found?;
    let branding = organization
        .as_ref()
        .map(|record| Branding::of(&record.settings))
        .unwrap_or_default();
    let name = organization
        .map(|record| record.organization.name)
        .unwrap_or_default();
    let values: BTreeMap<String, String> = [
        ("name", person.to_owned()),
        ("email", person.to_owned()),
        ("sender", branding.sender.clone().unwrap_or_else(|| name.clone())),
        ("organization", name),
        (
            "connection",
            connection
                .map(|record| record.connection.name)
                .unwrap_or_default(),
        ),
        ("days", app.defaults.invitation_days().to_string()),
    ]
    .into_iter()
    .map(|(key, value)| (key.to_owned(), value))
    .collect();
    let language = branding.language.clone();
    let languages: Vec<&str> = language.as_deref().into_iter().collect();
    let link = app.config.url("/invite/…");
    let composed = mail::compose(
        Kind::Conversion.word(),
        &languages,
        &branding,
        &values,
        Some(&link),
    )?;
    Ok(Sample {
        subject: composed.subject,
        text: composed.text,
    })
}
