//! The values of the identity provider, as a person gives them: metadata by its address or as a document, or the fields. A draft
//! gets them step by step; a connection that is in use gets others at once, after a look at what would change.

use provost_kernel::connection::Protocol;
use provost_store::ConnectionRecord;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Map, Value, json};

use crate::app::App;
use crate::connection_config::{ClientAuthentication, ProtocolConfig};
use crate::declarative::{self, ConnectionEntry, Mode, Report, SettingUp};
use crate::error::{AppError, Fault, Result};
use crate::flow::api_keys::Caller;
use crate::flow::{configuration, directory};

use super::{SetUp, anew, keep, label, one, verified};

/// What was given.
#[derive(Clone, Debug)]
pub enum Given {
    /// SAML, by the address of the metadata.
    MetadataUrl(String),
    /// SAML, by the metadata document.
    Metadata(String),
    /// SAML, by fields.
    Fields(Addresses),
    /// OpenID Connect.
    Oidc(Client),
}

/// A SAML identity provider, field by field. What is empty is not there.
#[derive(Clone, Debug, Default)]
pub struct Addresses {
    /// Entity ID of the identity provider.
    pub entity_id: String,
    /// Sign-on address for the Redirect binding.
    pub sso_url: String,
    /// Sign-on address for the POST binding.
    pub sso_post_url: String,
    /// Logout address for the Redirect binding.
    pub slo_url: String,
    /// Logout address for the POST binding.
    pub slo_post_url: String,
    /// Where answers to logout requests go, if elsewhere.
    pub slo_response_url: String,
    /// Certificates, each in PEM form or as base64.
    pub certificates: Vec<String>,
}

/// Our client at an OpenID provider.
#[derive(Clone, Debug)]
pub struct Client {
    /// Issuer.
    pub issuer: String,
    /// Our client id there.
    pub client_id: String,
    /// Our client secret there; empty keeps the stored one.
    pub client_secret: SecretString,
    /// PKCS#8 key (PEM) for `private_key_jwt`; empty keeps the stored one.
    pub client_key: SecretString,
    /// How we prove ourselves at the token endpoint; none leaves it as it is.
    pub authentication: Option<ClientAuthentication>,
    /// Scopes to ask for.
    pub scopes: Vec<String>,
}

/// Returns what a test sign-in proves of a stored connection.
pub fn fingerprint(record: &ConnectionRecord) -> Option<String> {
    ProtocolConfig::of(record.connection.id.as_str(), &record.protocol_config)
        .ok()
        .map(|config| config.fingerprint())
}

/// Keeps the values; the connection comes into being with them. What a test sign-in has proved of other values counts no more.
///
/// # Errors
/// As [`one`]; 422 (`invalid_configuration`) with what is wrong where.
pub async fn save(
    app: &App,
    caller: &Caller,
    organization: &str,
    id: &str,
    name: Option<&str>,
    given: Given,
) -> Result<()> {
    let setup = one(app, caller, organization, id).await?;
    let name = label(name).unwrap_or(setup.draft.name);
    anew(|| save_once(app, caller, organization, id, (&name, &given)))
        .await
        .map_err(|error| with_short_paths(error, id))?;
    let record = directory::connection(app, caller, id).await?;
    let now = fingerprint(&record);
    keep(app, &setup.id, move |draft| {
        draft.name = name;
        if draft.proved != now {
            draft.proved = None;
            draft.test = None;
        }
    })
    .await
}

/// Writes the values into the connection as it is read here.
async fn save_once(
    app: &App,
    caller: &Caller,
    organization: &str,
    id: &str,
    (name, given): (&str, &Given),
) -> Result<()> {
    let setup = one(app, caller, organization, id).await?;
    let mut entry = base(&setup, organization)?;
    entry.name = Some(name.to_owned());
    entry.domains = verified(app, organization, &setup.draft.domains).await?;
    put(&mut entry, given.clone())?;
    configuration::set_up(app, caller, entry, setup.version(), SettingUp::Draft)
        .await
        .map(drop)
}

/// Brings other values into a connection that exists, the way of `provost apply`; with [`Mode::DryRun`] it only tells what would
/// change, field by field. Whether our requests are signed is never lowered by what others write (CVE-2026-16443).
///
/// # Errors
/// 404; 403 by the plan; 409 (`conflict`) if others changed it in between every time; 422 (`invalid_configuration`) with what is
/// wrong where; those of the store.
pub async fn change(app: &App, caller: &Caller, id: &str, given: Given, mode: Mode) -> Result<Report> {
    anew(|| change_once(app, caller, id, &given, mode))
        .await
        .map_err(|error| with_short_paths(error, id))
}

async fn change_once(app: &App, caller: &Caller, id: &str, given: &Given, mode: Mode) -> Result<Report> {
    let record = directory::connection(app, caller, id).await?;
    let owner = record.connection.owner().map(ToString::to_string);
    super::require(app, caller, &owner.unwrap_or_default()).await?;
    let mut entry = declarative::entry_of(&record).map_err(AppError::internal)?;
    let signed = entry.saml.as_ref().and_then(|saml| saml.sign_requests);
    put(&mut entry, given.clone())?;
    if let (Some(saml), Some(true)) = (&mut entry.saml, signed) {
        saml.sign_requests = signed;
    }
    configuration::edit_connection(app, caller, &entry, record.connection.version, mode).await
}

/// The entry to change: that of the connection, or a new one.
fn base(setup: &SetUp, organization: &str) -> Result<ConnectionEntry> {
    if let Some(record) = &setup.record {
        return declarative::entry_of(record).map_err(AppError::internal);
    }
    let new = json!({
        "id": setup.id.as_str(),
        "organization": organization,
        "protocol": setup.protocol(),
        "provisioning": setup.mode(),
        "enabled": false,
    });
    serde_json::from_value(new).map_err(AppError::internal)
}

/// Puts the values into the entry. Settings that nobody was asked about stay as they are.
fn put(entry: &mut ConnectionEntry, given: Given) -> Result<()> {
    let (part, fields) = match given {
        Given::MetadataUrl(url) => ("saml", json!({ "metadata_url": url })),
        Given::Metadata(text) => ("saml", json!({ "metadata": text })),
        Given::Fields(given) => {
            let mut fields = json!({ "entity_id": given.entity_id, "certificates": given.certificates });
            if given.sso_url.is_empty() && given.sso_post_url.is_empty() {
                // So that what is missing is told of at its field.
                set(&mut fields, "sso_url", json!(""));
            }
            for (name, address) in [
                ("sso_url", given.sso_url),
                ("sso_post_url", given.sso_post_url),
                ("slo_url", given.slo_url),
                ("slo_post_url", given.slo_post_url),
                ("slo_response_url", given.slo_response_url),
            ] {
                if !address.is_empty() {
                    set(&mut fields, name, json!(address));
                }
            }
            ("saml", fields)
        }
        Given::Oidc(client) => {
            let mut fields = json!({
                "issuer": issuer_of(&client.issuer),
                "client_id": client.client_id,
                "scopes": client.scopes,
            });
            for (name, secret) in [
                ("client_secret", &client.client_secret),
                ("client_key", &client.client_key),
            ] {
                if !secret.expose_secret().is_empty() {
                    set(&mut fields, name, json!(secret.expose_secret()));
                }
            }
            if let Some(authentication) = client.authentication {
                set(&mut fields, "client_authentication", json!(authentication));
            }
            ("oidc", fields)
        }
    };
    let fits = matches!(
        (entry.protocol, part),
        (Protocol::Saml, "saml") | (Protocol::Oidc, "oidc")
    );
    if !fits {
        return Err(AppError::bad_request(
            "invalid_form",
            "These are values of another protocol.",
        ));
    }
    let mut whole = serde_json::to_value(&*entry).map_err(AppError::internal)?;
    let old = whole.get(part).cloned().unwrap_or_default();
    set(&mut whole, part, merged(part, &old, fields));
    *entry = serde_json::from_value(whole).map_err(AppError::internal)?;
    Ok(())
}

/// Fields that say who the identity provider is: they are replaced as a whole.
const OF_THE_PROVIDER: &[&str] = &[
    "metadata_file",
    "metadata_url",
    "metadata",
    "entity_id",
    "sso_url",
    "sso_post_url",
    "slo_url",
    "slo_post_url",
    "slo_response_url",
    "certificates",
    "sign_requests",
];

fn merged(part: &str, old: &Value, fields: Value) -> Value {
    let mut kept: Map<String, Value> = old.as_object().cloned().unwrap_or_default();
    if part == "saml" {
        kept.retain(|name, _| !OF_THE_PROVIDER.contains(&name.as_str()));
    }
    if let Value::Object(fields) = fields {
        kept.extend(fields);
    }
    Value::Object(kept)
}

fn set(value: &mut Value, name: &str, to: Value) {
    if let Some(members) = value.as_object_mut() {
        members.insert(name.to_owned(), to);
    }
}

/// Returns the issuer, of which products also show the address of its discovery document (OpenID Connect Discovery 4).
fn issuer_of(text: &str) -> &str {
    text.strip_suffix("/.well-known/openid-configuration")
        .unwrap_or(text)
}

/// Splits what was pasted into certificates: PEM blocks, else the whole.
pub fn split(text: &str) -> Vec<String> {
    const END: &str = "-----END CERTIFICATE-----";
    if !text.contains(END) {
        return Some(text.trim().to_owned())
            .filter(|text| !text.is_empty())
            .into_iter()
            .collect();
    }
    text.split_inclusive(END)
        .map(str::trim)
        .filter(|block| block.contains("BEGIN CERTIFICATE"))
        .map(str::to_owned)
        .collect()
}

/// Leaves out of the places of faults what everybody here knows: which connection it is.
fn with_short_paths(error: AppError, id: &str) -> AppError {
    let prefix = format!("connections[{id}]");
    let faults: Vec<Fault> = error
        .faults()
        .iter()
        .map(|fault| Fault {
            path: fault
                .path
                .strip_prefix(&prefix)
                .unwrap_or(&fault.path)
                .trim_start_matches('.')
                .to_owned(),
            ..fault.clone()
        })
        .collect();
    error.with_faults(faults)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Client, Given, issuer_of, merged, split};

    #[test]
    fn values_that_are_logged_by_mistake_show_no_secret() {
        let given = Given::Oidc(Client {
            issuer: "https://idp.example".to_owned(),
            client_id: "provost".to_owned(),
            client_secret: "hush-hush".to_owned().into(),
            client_key: "top-secret-key".to_owned().into(),
            authentication: None,
            scopes: Vec::new(),
        });
        let shown = format!("{given:?}");
        assert!(shown.contains("idp.example"), "{shown}");
        assert!(
            !shown.contains("hush") && !shown.contains("top-secret"),
            "{shown}"
        );
    }

    #[test]
    fn r182_several_certificates_are_pasted_one_after_the_other() {
        let one = "-----BEGIN CERTIFICATE-----\nAAA\n-----END CERTIFICATE-----";
        assert_eq!(split(&format!("{one}\n\n{one}\n")), [one, one]);
        assert_eq!(split(" AAA= "), ["AAA="]);
        assert!(split("  ").is_empty());
    }

    #[test]
    fn the_address_of_the_discovery_document_stands_for_its_issuer() {
        assert_eq!(
            issuer_of("https://idp.example/a/.well-known/openid-configuration"),
            "https://idp.example/a"
        );
        assert_eq!(issuer_of("https://idp.example/"), "https://idp.example/");
    }

    #[test]
    fn new_values_replace_what_says_who_the_provider_is_and_nothing_else() {
        let old = json!({ "entity_id": "old", "certificates": ["x"], "attributes": { "email": "mail" } });
        let new = merged(
            "saml",
            &old,
            json!({ "metadata_url": "https://idp.example/metadata" }),
        );
        let expected =
            json!({ "metadata_url": "https://idp.example/metadata", "attributes": { "email": "mail" } });
        assert_eq!(new, expected);
    }
}
