//! The values of the identity provider, as a person gives them: metadata by its address or as a document, or the fields.

use provost_kernel::connection::Protocol;
use provost_store::ConnectionRecord;
use serde_json::{Map, Value, json};

use crate::app::App;
use crate::connection_config::ProtocolConfig;
use crate::declarative::{self, ConnectionEntry, SettingUp};
use crate::error::{AppError, Fault, Result};
use crate::flow::api_keys::Caller;
use crate::flow::{configuration, directory};

use super::{SetUp, keep, label, one, verified};

/// What was given.
#[derive(Clone, Debug)]
pub enum Given {
    /// SAML, by the address of the metadata.
    MetadataUrl(String),
    /// SAML, by the metadata document.
    Metadata(String),
    /// SAML, by fields.
    Fields {
        /// Entity ID of the identity provider.
        entity_id: String,
        /// Sign-on address.
        sso_url: String,
        /// Whether requests are posted there.
        post: bool,
        /// Logout address; empty for none.
        slo_url: String,
        /// Certificates, in PEM form one after the other, or one as base64.
        certificates: String,
    },
    /// OpenID Connect.
    Oidc {
        /// Issuer.
        issuer: String,
        /// Our client id there.
        client_id: String,
        /// Our client secret there; empty keeps the stored one.
        client_secret: String,
        /// Whether groups are asked for by a scope of that name.
        groups_scope: bool,
    },
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
    let name = label(name).unwrap_or_else(|| setup.draft.name.clone());
    let mut entry = base(&setup, organization)?;
    entry.name = Some(name.clone());
    entry.domains = verified(app, organization, &setup.draft.domains).await?;
    put(&mut entry, given)?;
    configuration::set_up(app, caller, entry, SettingUp::Draft)
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
        Given::Fields {
            entity_id,
            sso_url,
            post,
            slo_url,
            certificates,
        } => {
            let address = if post { "sso_post_url" } else { "sso_url" };
            let mut fields = json!({
                "entity_id": entity_id,
                address: sso_url,
                "certificates": split(&certificates),
            });
            if !slo_url.is_empty() {
                set(&mut fields, "slo_url", json!(slo_url));
            }
            ("saml", fields)
        }
        Given::Oidc {
            issuer,
            client_id,
            client_secret,
            groups_scope,
        } => {
            let mut fields = json!({ "issuer": issuer_of(&issuer), "client_id": client_id });
            if !client_secret.is_empty() {
                set(&mut fields, "client_secret", json!(client_secret));
            }
            let mut scopes = vec!["openid", "profile", "email"];
            if groups_scope {
                scopes.push("groups");
            }
            set(&mut fields, "scopes", json!(scopes));
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
fn split(text: &str) -> Vec<String> {
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

    use super::{issuer_of, merged, split};

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
