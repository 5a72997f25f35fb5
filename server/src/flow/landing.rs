//! Where a sign-in that began at the identity provider may lead.
//!
//! Owns the allow-list: RelayState chooses among the connection's allowed applications by client id and is never an
//! address. Never follows anything that the message says.

use serde_json::from_value;
use url::Url;

use crate::app::App;
use crate::application_config::ApplicationConfig;
use crate::connection_config::IdpInitiated;
use crate::error::{AppError, Result};
use crate::flow::return_to::ReturnTo;

/// Chooses the landing: the allowed application that RelayState names, else the first allowed one, else "my account".
///
/// # Errors
/// Those of the store.
pub async fn choose(app: &App, settings: &IdpInitiated, relay_state: &str) -> Result<ReturnTo> {
    let allowed = &settings.allowed_applications;
    let chosen = allowed
        .iter()
        .find(|id| *id == relay_state)
        .or_else(|| allowed.first());
    let Some(client_id) = chosen.cloned() else {
        return Ok(ReturnTo::Account);
    };
    let found = app
        .store
        .read(|reader| Box::pin(async move { reader.application(&client_id).await }))
        .await?;
    let Some(record) = found else {
        return Ok(ReturnTo::Account);
    };
    let config: ApplicationConfig = from_value(record.config).map_err(AppError::internal)?;
    let landing = landing_of(&config, &app.config.issuer());
    Ok(landing.map_or(ReturnTo::Account, |url| ReturnTo::Landing { url: url.into() }))
}

/// Returns the app's address for sign-ins that it did not begin (OpenID Connect Core 4), or else its front page.
/// There the app asks us for an authorization and gets it without another question.
fn landing_of(config: &ApplicationConfig, issuer: &str) -> Option<Url> {
    if let Some(own) = config
        .initiate_login_uri
        .as_deref()
        .and_then(|uri| Url::parse(uri).ok())
    {
        let mut url = own;
        url.query_pairs_mut().append_pair("iss", issuer);
        return Some(url);
    }
    let mut front = config
        .redirect_uris
        .iter()
        .filter_map(|uri| Url::parse(uri).ok())
        .find(|url| matches!(url.scheme(), "https" | "http"))?;
    front.set_path("/");
    front.set_query(None);
    front.set_fragment(None);
    Some(front)
}

#[cfg(test)]
mod tests {
    use super::landing_of;
    use crate::application_config::ApplicationConfig;

    #[test]
    fn a_landing_comes_from_the_registration_only() {
        let mut config = ApplicationConfig {
            redirect_uris: vec![
                "com.app:/cb".to_owned(),
                "https://app.example/callback?x=1".to_owned(),
            ],
            ..ApplicationConfig::default()
        };
        let landing = |config: &_| landing_of(config, "https://sso.example").map(String::from);
        assert_eq!(landing(&config).as_deref(), Some("https://app.example/"));
        config.initiate_login_uri = Some("https://app.example/start?tenant=a".to_owned());
        let expected = "https://app.example/start?tenant=a&iss=https%3A%2F%2Fsso.example";
        assert_eq!(landing(&config).as_deref(), Some(expected));
        assert_eq!(landing(&ApplicationConfig::default()), None);
    }
}
