//! SAML entries: the identity provider from metadata or fields, our keys.

use jiff::Timestamp;
use provost_saml::key::{Certificate, VerifyingKey};
use provost_saml::metadata::IdpMetadata;
use provost_store::SecretMap;

use super::super::document::SamlEntry;
use super::{Context, check_url, clock_skew, keys};
use crate::connection_config::{SamlConfig, secret};

/// Fields that may be named in `attributes`.
const FIELDS: &[&str] = &[
    "email",
    "given_name",
    "family_name",
    "display_name",
    "user_name",
    "groups",
    "account_id",
    "permission_profile_id",
];

const TWICE: &str =
    "says the identity provider twice: metadata_file, metadata_url, metadata or fields, one of the four";

/// What is known of the identity provider.
#[derive(Clone, Debug, Default)]
struct Provider {
    entity_id: String,
    sso_redirect_url: Option<String>,
    sso_post_url: Option<String>,
    slo_redirect_url: Option<String>,
    slo_post_url: Option<String>,
    slo_response_url: Option<String>,
    certificates: Vec<String>,
    wants_signed_requests: bool,
}

/// Resolves a SAML entry.
pub(super) async fn resolve(
    context: &mut Context<'_>,
    path: &str,
    entry: &SamlEntry,
    old: Option<&SamlConfig>,
    secrets: &mut SecretMap,
) -> Option<SamlConfig> {
    let before = context.problems.len();
    let provider = provider(context, path, entry, old).await?;
    check_provider(context, path, &provider, old);
    for name in entry
        .attributes
        .keys()
        .filter(|name| !FIELDS.contains(&name.as_str()))
    {
        context.add(
            format!("{path}.attributes.{name}"),
            format!("is not one of: {}", FIELDS.join(", ")),
        );
    }
    let clock_skew_seconds = clock_skew(context, path, entry.clock_skew_seconds);
    if let Some(old) = old.filter(|old| old.idp_entity_id != provider.entity_id) {
        context.report.warn(
            path,
            format!(
                "the identity provider's entity ID changes from {} to {}: people linked under the old one are matched anew",
                old.idp_entity_id, provider.entity_id
            ),
        );
    }
    if context.problems.len() > before {
        return None;
    }
    let now = context.app.world.now();
    let (signing, encryption) = our_certificates(context, path, old, secrets, now)?;
    let config = SamlConfig {
        idp_entity_id: provider.entity_id,
        sso_redirect_url: provider.sso_redirect_url,
        sso_post_url: provider.sso_post_url,
        slo_redirect_url: provider.slo_redirect_url,
        slo_post_url: provider.slo_post_url,
        slo_response_url: provider.slo_response_url,
        signing_certificates: provider.certificates,
        metadata_url: entry.metadata_url.clone(),
        metadata_read_at: entry.metadata_url.is_some().then_some(now),
        sp_entity_id: entry.sp_entity_id.clone(),
        sp_signing_certificate: signing,
        sp_encryption_certificate: encryption,
        request_binding: entry.request_binding,
        sign_requests: entry.sign_requests.unwrap_or(provider.wants_signed_requests),
        name_id_format: entry.name_id_format.clone(),
        requested_authn_context: entry.requested_authn_context.clone(),
        force_authn: entry.force_authn,
        idp_initiated: entry.idp_initiated.clone(),
        clock_skew_seconds,
        allow_cbc: entry.allow_cbc,
        attributes: entry.attributes.clone(),
    };
    Some(keep_read_time(config, old))
}

/// Keeps the time of the earlier reading when nothing else changed, so that applying again changes nothing.
fn keep_read_time(config: SamlConfig, old: Option<&SamlConfig>) -> SamlConfig {
    match old {
        Some(old)
            if (SamlConfig {
                metadata_read_at: old.metadata_read_at,
                ..config.clone()
            }) == *old =>
        {
            old.clone()
        }
        Some(_) | None => config,
    }
}

async fn provider(
    context: &mut Context<'_>,
    path: &str,
    entry: &SamlEntry,
    old: Option<&SamlConfig>,
) -> Option<Provider> {
    let has_fields =
        entry.sso_url.is_some() || entry.sso_post_url.is_some() || !entry.certificates.is_empty();
    if let Some(text) = &entry.metadata {
        if has_fields || entry.metadata_file.is_some() || entry.metadata_url.is_some() {
            context.add(path, TWICE);
            return None;
        }
        return from_metadata(context, &format!("{path}.metadata"), text.as_bytes(), entry);
    }
    match (&entry.metadata_file, &entry.metadata_url, has_fields) {
        (Some(file), None, false) => {
            let file_path = context.folder.join(file);
            match std::fs::read(&file_path) {
                Ok(bytes) => from_metadata(context, &format!("{path}.metadata_file"), &bytes, entry),
                Err(error) => {
                    context.add(
                        format!("{path}.metadata_file"),
                        format!("{} cannot be read: {error}", file_path.display()),
                    );
                    None
                }
            }
        }
        (None, Some(url), false) => fetched(context, &format!("{path}.metadata_url"), url, entry, old).await,
        (None, None, true) => from_fields(context, path, entry),
        (None, None, false) => {
            context.add(
                path,
                "needs metadata_file, metadata_url, metadata, or entity_id with sso_url and certificates",
            );
            None
        }
        (Some(_), Some(_), _) | (_, Some(_), true) | (Some(_), _, true) => {
            context.add(path, TWICE);
            None
        }
    }
}

async fn fetched(
    context: &mut Context<'_>,
    path: &str,
    url: &str,
    entry: &SamlEntry,
    old: Option<&SamlConfig>,
) -> Option<Provider> {
    let reason = match context
        .app
        .outbound
        .get(url, reqwest::header::HeaderMap::new())
        .await
    {
        Ok(answer) if answer.is_success() => return from_metadata(context, path, &answer.body, entry),
        Ok(answer) => format!("answered with status {}", answer.status),
        Err(error) => error.to_string(),
    };
    // What was read before still holds: an identity provider that is down must not hinder other changes.
    if let Some(old) = old.filter(|old| old.metadata_url.as_deref() == Some(url)) {
        context
            .report
            .warn(path, format!("{reason}; the metadata read before stays"));
        return Some(stored_provider(old));
    }
    context.add(path, reason);
    None
}

fn stored_provider(old: &SamlConfig) -> Provider {
    Provider {
        entity_id: old.idp_entity_id.clone(),
        sso_redirect_url: old.sso_redirect_url.clone(),
        sso_post_url: old.sso_post_url.clone(),
        slo_redirect_url: old.slo_redirect_url.clone(),
        slo_post_url: old.slo_post_url.clone(),
        slo_response_url: old.slo_response_url.clone(),
        certificates: old.signing_certificates.clone(),
        wants_signed_requests: old.sign_requests,
    }
}

fn from_metadata(context: &mut Context<'_>, path: &str, bytes: &[u8], entry: &SamlEntry) -> Option<Provider> {
    let metadata = match IdpMetadata::parse_entity(bytes, entry.entity_id.as_deref()) {
        Ok(metadata) => metadata,
        Err(error) => {
            context.add(path, error.to_string());
            return None;
        }
    };
    if metadata.is_expired(context.app.world.now()) {
        context.add(path, "the metadata says that it is over (validUntil has passed)");
        return None;
    }
    let mut provider = described(&metadata);
    // Addresses of single logout may be given beside metadata that lacks them.
    provider.slo_redirect_url = provider.slo_redirect_url.or_else(|| entry.slo_url.clone());
    provider.slo_post_url = provider.slo_post_url.or_else(|| entry.slo_post_url.clone());
    provider.slo_response_url = provider
        .slo_response_url
        .or_else(|| entry.slo_response_url.clone());
    Some(provider)
}

/// Returns what metadata says of the identity provider.
fn described(metadata: &IdpMetadata) -> Provider {
    let response = |endpoint: &Option<provost_saml::metadata::Endpoint>| {
        endpoint
            .as_ref()
            .and_then(|endpoint| endpoint.response_location.clone())
    };
    let location = |endpoint: &Option<provost_saml::metadata::Endpoint>| {
        endpoint.as_ref().map(|endpoint| endpoint.location.clone())
    };
    Provider {
        entity_id: metadata.entity_id.clone(),
        sso_redirect_url: metadata.sso_redirect.clone(),
        sso_post_url: metadata.sso_post.clone(),
        slo_redirect_url: location(&metadata.slo_redirect),
        slo_post_url: location(&metadata.slo_post),
        slo_response_url: response(&metadata.slo_redirect).or_else(|| response(&metadata.slo_post)),
        certificates: metadata
            .signing_certificates
            .iter()
            .map(Certificate::to_base64)
            .collect(),
        wants_signed_requests: metadata.want_authn_requests_signed,
    }
}

fn from_fields(context: &mut Context<'_>, path: &str, entry: &SamlEntry) -> Option<Provider> {
    let Some(entity_id) = entry.entity_id.clone().filter(|id| !id.is_empty()) else {
        context.add(
            format!("{path}.entity_id"),
            "is needed where there is no metadata",
        );
        return None;
    };
    let mut certificates = Vec::new();
    for (position, text) in entry.certificates.iter().enumerate() {
        match Certificate::parse(text.as_bytes()) {
            // The same one given twice is one.
            Ok(certificate) if certificates.contains(&certificate.to_base64()) => {}
            Ok(certificate) => certificates.push(certificate.to_base64()),
            Err(error) => context.add(format!("{path}.certificates[{position}]"), error.to_string()),
        }
    }
    Some(Provider {
        entity_id,
        sso_redirect_url: entry.sso_url.clone(),
        sso_post_url: entry.sso_post_url.clone(),
        slo_redirect_url: entry.slo_url.clone(),
        slo_post_url: entry.slo_post_url.clone(),
        slo_response_url: entry.slo_response_url.clone(),
        certificates,
        wants_signed_requests: false,
    })
}

fn check_provider(context: &mut Context<'_>, path: &str, provider: &Provider, old: Option<&SamlConfig>) {
    if provider.sso_redirect_url.is_none() && provider.sso_post_url.is_none() {
        context.add(
            format!("{path}.sso_url"),
            "is missing: there is no single sign-on address",
        );
    }
    let urls = [
        ("sso_url", &provider.sso_redirect_url),
        ("sso_post_url", &provider.sso_post_url),
        ("slo_url", &provider.slo_redirect_url),
        ("slo_post_url", &provider.slo_post_url),
        ("slo_response_url", &provider.slo_response_url),
    ];
    for (name, url) in urls {
        if let Some(url) = url {
            check_url(context, &format!("{path}.{name}"), url);
        }
    }
    if provider.certificates.is_empty() {
        // Nothing could ever be verified: there is no way to accept unsigned answers.
        context.add(
            format!("{path}.certificates"),
            "is missing: nothing could be verified without a certificate",
        );
    }
    let now = context.app.world.now();
    let mut lasts = false;
    for (position, text) in provider.certificates.iter().enumerate() {
        let place = format!("{path}.certificates[{position}]");
        let certificate = match Certificate::parse(text.as_bytes()) {
            Ok(certificate) => certificate,
            Err(error) => {
                context.add(place, error.to_string());
                continue;
            }
        };
        lasts |= certificate.not_after() >= now;
        if let Err(error) = VerifyingKey::from_certificate(&certificate) {
            context.add(place, error.to_string());
        } else if certificate.not_after() < now {
            context.report.warn(
                place,
                format!("the certificate ended at {}", certificate.not_after()),
            );
        }
    }
    // What is stored already only warns: whoever changes something else must not be hindered by it.
    let are_others = old.is_some_and(|old| old.signing_certificates != provider.certificates);
    if are_others && !lasts && !provider.certificates.is_empty() {
        context.add(
            format!("{path}.certificates"),
            "would leave no certificate that is still valid: all of these have ended",
        );
    }
}

/// Returns our certificates: the stored ones, or new ones whose keys are added to the secrets.
fn our_certificates(
    context: &mut Context<'_>,
    path: &str,
    old: Option<&SamlConfig>,
    secrets: &mut SecretMap,
    now: Timestamp,
) -> Option<(String, String)> {
    let has_keys =
        secrets.get(secret::SAML_SIGNING_KEY).is_some() && secrets.get(secret::SAML_DECRYPTION_KEY).is_some();
    if let Some(old) = old.filter(|_| has_keys) {
        return Some((
            old.sp_signing_certificate.clone(),
            old.sp_encryption_certificate.clone(),
        ));
    }
    let name = context
        .app
        .config
        .public_url
        .host_str()
        .unwrap_or("provost")
        .to_owned();
    let made = keys::generate(&name, now).and_then(|signing| Ok((signing, keys::generate(&name, now)?)));
    match made {
        Ok((signing, encryption)) => {
            secrets.set(secret::SAML_SIGNING_KEY, signing.key.as_str());
            secrets.set(secret::SAML_DECRYPTION_KEY, encryption.key.as_str());
            Some((signing.certificate, encryption.certificate))
        }
        Err(error) => {
            context.add(path, format!("our keys cannot be made: {error}"));
            None
        }
    }
}

/// Brings newly read metadata into stored settings: addresses and certificates follow, no setting is ever lowered,
/// and the entity ID never changes (CVE-2026-16443: an import that switched verification off).
pub fn refreshed(old: &SamlConfig, metadata: &IdpMetadata, now: Timestamp) -> Option<SamlConfig> {
    if metadata.entity_id != old.idp_entity_id || metadata.is_expired(now) {
        return None;
    }
    let provider = described(metadata);
    if provider.certificates.is_empty()
        || (provider.sso_redirect_url.is_none() && provider.sso_post_url.is_none())
    {
        return None;
    }
    Some(SamlConfig {
        sso_redirect_url: provider.sso_redirect_url,
        sso_post_url: provider.sso_post_url,
        slo_redirect_url: provider.slo_redirect_url.or_else(|| old.slo_redirect_url.clone()),
        slo_post_url: provider.slo_post_url.or_else(|| old.slo_post_url.clone()),
        slo_response_url: provider.slo_response_url.or_else(|| old.slo_response_url.clone()),
        signing_certificates: provider.certificates,
        sign_requests: old.sign_requests || provider.wants_signed_requests,
        metadata_read_at: Some(now),
        ..old.clone()
    })
}
