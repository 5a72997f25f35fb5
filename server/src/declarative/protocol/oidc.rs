//! OpenID Connect entries: settings and the secret or key of our client.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use provost_kernel::expression::Expression;
use provost_oidc::jose::Algorithm;
use provost_store::SecretMap;
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject as _;

use super::super::document::OidcEntry;
use super::{Context, check_url, clock_skew};
use crate::connection_config::{ClientAuthentication, OidcConfig, secret};

/// Resolves an OpenID Connect entry.
pub(super) fn resolve(
    context: &mut Context<'_>,
    path: &str,
    entry: &OidcEntry,
    old: Option<&OidcConfig>,
    secrets: &mut SecretMap,
) -> Option<OidcConfig> {
    let before = context.problems.len();
    check_url(context, &format!("{path}.issuer"), &entry.issuer);
    if entry.client_id.is_empty() {
        context.add(format!("{path}.client_id"), "is empty");
    }
    if !entry.scopes.iter().any(|scope| scope == "openid") {
        context.add(format!("{path}.scopes"), "must hold openid");
    }
    for name in &entry.id_token_algorithms {
        if serde_json::from_value::<Algorithm>(serde_json::Value::String(name.clone())).is_err() {
            context.add(
                format!("{path}.id_token_algorithms"),
                format!("{name} is not accepted: only asymmetric signatures are (RS256, PS256, ES256, EdDSA and the like)"),
            );
        }
    }
    let expressions = [
        ("identifier_path", &entry.identifier_path),
        ("email_path", &entry.email_path),
        ("name_path", &entry.name_path),
    ];
    for (name, expression) in expressions {
        if let Some(Err(error)) = expression.as_deref().map(Expression::compile) {
            context.add(
                format!("{path}.{name}"),
                format!("{} (at byte {})", error.message, error.offset),
            );
        }
    }
    let clock_skew_seconds = clock_skew(context, path, entry.clock_skew_seconds);
    credentials(context, path, entry, old, secrets);
    if context.problems.len() > before {
        return None;
    }
    Some(OidcConfig {
        issuer: entry.issuer.clone(),
        client_id: entry.client_id.clone(),
        client_authentication: entry.client_authentication,
        scopes: entry.scopes.clone(),
        id_token_algorithms: entry.id_token_algorithms.clone(),
        userinfo: entry.userinfo,
        tenant: entry.tenant.clone(),
        identifier_path: entry.identifier_path.clone(),
        email_path: entry.email_path.clone(),
        name_path: entry.name_path.clone(),
        clock_skew_seconds,
        upstream_logout: entry.upstream_logout,
    })
}

/// Keeps what the file gives; without it, what is stored, as long as it is meant for the same provider.
fn credentials(
    context: &mut Context<'_>,
    path: &str,
    entry: &OidcEntry,
    old: Option<&OidcConfig>,
    secrets: &mut SecretMap,
) {
    if old.is_some_and(|old| old.issuer != entry.issuer) {
        // A secret is never handed to another provider than the one that it was made for.
        secrets.0.remove(secret::OIDC_CLIENT_SECRET);
        secrets.0.remove(secret::OIDC_CLIENT_KEY);
    }
    if let Some(given) = &entry.client_secret {
        secrets.set(secret::OIDC_CLIENT_SECRET, given.expose());
    }
    if let Some(pem) = &entry.client_key {
        match PrivatePkcs8KeyDer::from_pem_slice(pem.expose().as_bytes()) {
            Ok(key) => secrets.set(secret::OIDC_CLIENT_KEY, STANDARD.encode(key.secret_pkcs8_der())),
            Err(_) => context.add(
                format!("{path}.client_key"),
                "is not a PKCS#8 private key in PEM form",
            ),
        }
    }
    let (needed, field) = match entry.client_authentication {
        ClientAuthentication::ClientSecretBasic | ClientAuthentication::ClientSecretPost => {
            (secret::OIDC_CLIENT_SECRET, "client_secret")
        }
        ClientAuthentication::PrivateKeyJwt => (secret::OIDC_CLIENT_KEY, "client_key"),
        ClientAuthentication::None => return,
    };
    if secrets.get(needed).is_none() {
        context.add(
            format!("{path}.{field}"),
            "is needed for this client_authentication",
        );
    }
}
