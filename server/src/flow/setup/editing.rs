//! Editing a connection that exists: its label, how accounts come into being, how claims are read. Everything goes the way of
//! `provost apply`; here it is only put together.

use std::collections::BTreeMap;

use provost_kernel::expression::Expression;
use provost_store::ConnectionRecord;
use serde_json::{Value, json};

use crate::app::App;
use crate::connection_config::ProtocolConfig;
use crate::declarative::{self, ConnectionEntry, Mode};
use crate::error::{AppError, Fault, Result};
use crate::flow::api_keys::Caller;
use crate::flow::{configuration, directory, traces};
use crate::translate;
use crate::translate::oidc::ClaimPaths;

/// How claims are read: attribute names of SAML by field, or paths of OpenID Connect by setting.
pub type Mapping = BTreeMap<String, String>;

/// Fields whose SAML attribute can be named.
pub const SAML_FIELDS: &[&str] = &[
    "email",
    "given_name",
    "family_name",
    "display_name",
    "user_name",
    "groups",
    "account_id",
    "permission_profile_id",
];
/// Settings of OpenID Connect that hold a path.
pub const OIDC_PATHS: &[&str] = &["identifier_path", "email_path", "name_path"];

/// Changes a connection: `edit` gets it as an entry of the declarative file, again if others changed it in between.
///
/// # Errors
/// 404; 409 (`conflict`) if others changed it in between every time; 403 by the plan; 422 (`invalid_configuration`); those of the store.
pub async fn edit(
    app: &App,
    caller: &Caller,
    id: &str,
    edit: impl Fn(&mut ConnectionEntry) + Send + Sync,
) -> Result<()> {
    super::anew(|| edit_once(app, caller, id, &edit)).await
}

async fn edit_once(
    app: &App,
    caller: &Caller,
    id: &str,
    edit: &(impl Fn(&mut ConnectionEntry) + Send + Sync),
) -> Result<()> {
    let record = directory::connection(app, caller, id).await?;
    let owner = record
        .connection
        .owner()
        .map(ToString::to_string)
        .unwrap_or_default();
    super::require(app, caller, &owner).await?;
    let mut entry = declarative::entry_of(&record).map_err(AppError::internal)?;
    edit(&mut entry);
    configuration::edit_connection(app, caller, &entry, record.connection.version, Mode::Write)
        .await
        .map(drop)
}

/// Returns how a connection reads claims.
pub fn mapping(record: &ConnectionRecord) -> Mapping {
    match ProtocolConfig::of(record.connection.id.as_str(), &record.protocol_config) {
        Ok(ProtocolConfig::Saml(saml)) => saml.attributes,
        Ok(ProtocolConfig::Oidc(oidc)) => [
            ("identifier_path", oidc.identifier_path),
            ("email_path", oidc.email_path),
            ("name_path", oidc.name_path),
        ]
        .into_iter()
        .filter_map(|(name, path)| Some((name.to_owned(), path?)))
        .collect(),
        Err(_) => Mapping::new(),
    }
}

/// Saves how a connection reads claims.
///
/// # Errors
/// As [`edit`].
pub async fn save_mapping(app: &App, caller: &Caller, id: &str, mapping: Mapping) -> Result<()> {
    edit(app, caller, id, move |entry| {
        if let Some(saml) = &mut entry.saml {
            // The subject keeps its name: another one would make strangers of everybody.
            let subject = saml.attributes.get("subject").cloned();
            saml.attributes = mapping.clone();
            saml.attributes
                .extend(subject.map(|name| ("subject".to_owned(), name)));
        }
        if let Some(oidc) = &mut entry.oidc {
            oidc.identifier_path = mapping.get("identifier_path").cloned();
            oidc.email_path = mapping.get("email_path").cloned();
            oidc.name_path = mapping.get("name_path").cloned();
        }
    })
    .await
}

/// The claims that came last, and how they are read with a mapping.
pub struct Reading {
    /// Number of the trace.
    pub reference: String,
    /// As they came.
    pub claims: Value,
    /// As they are read.
    pub normalized: Value,
}

/// Reads the claims that came last with a mapping that is not saved. None if no claims are kept.
///
/// # Errors
/// 404; 422 (`invalid_configuration`) for a path that cannot be read; those of the store.
pub async fn read(app: &App, caller: &Caller, id: &str, mapping: &Mapping) -> Result<Option<Reading>> {
    let record = directory::connection(app, caller, id).await?;
    let wanted = traces::Wanted {
        connection: Some(id.to_owned()),
        ..traces::Wanted::default()
    };
    let recent = traces::list(app, caller, wanted, 30).await?;
    let newest = recent.into_iter().find_map(|trace| {
        let kept = trace.claims.filter(|kept| {
            kept.get("claims").is_some() && kept.get("protocol").and_then(Value::as_str) != Some("scim")
        })?;
        Some((trace.trace.id.to_string(), kept))
    });
    let Some((reference, kept)) = newest else {
        return Ok(None);
    };
    let claims = kept
        .get("claims")
        .and_then(Value::as_object)
        .cloned()
        .unwrap_or_default();
    let subject = kept
        .pointer("/subject/value")
        .and_then(Value::as_str)
        .map(str::to_owned);
    let config = ProtocolConfig::of(id, &record.protocol_config).map_err(AppError::internal)?;
    let incoming = match config {
        ProtocolConfig::Saml(saml) => translate::saml::pasted(
            &record.connection,
            &saml.idp_entity_id,
            &claims,
            subject.as_deref(),
            mapping,
        ),
        ProtocolConfig::Oidc(oidc) => {
            let paths = ClaimPaths {
                identifier: path(mapping, "identifier_path")?,
                email: path(mapping, "email_path")?,
                name: path(mapping, "name_path")?,
                tenant: oidc.tenant,
            };
            let claims = claims.clone();
            translate::oidc::pasted(
                &record.connection.id,
                &oidc.issuer,
                claims,
                subject.as_deref(),
                &paths,
            )
        }
    };
    Ok(Some(Reading {
        reference,
        claims: Value::Object(claims),
        normalized: json!(incoming.normalized),
    }))
}

fn path(mapping: &Mapping, name: &str) -> Result<Option<Expression>> {
    mapping
        .get(name)
        .map(|text| Expression::compile(text))
        .transpose()
        .map_err(|error| {
            AppError::unprocessable("invalid_configuration", "The path cannot be used.").with_faults(vec![
                Fault {
                    path: name.to_owned(),
                    position: Some(error.offset),
                    message: error.message,
                    suggestion: None,
                },
            ])
        })
}
