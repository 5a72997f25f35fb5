//! The demo's configuration: the same declarative file that `provost apply` takes.

use super::sample_app;
use super::sandbox::{CLIENT_ID, Sandbox};

/// Returns the demo's declarative file; JSON, because the values are made at start.
pub(super) fn file(sandbox: &Sandbox, app_base: &str, app_secret: &str) -> String {
    serde_json::json!({
        "organizations": [home_lab(), acme()],
        "connections": [home_lab_saml(sandbox), acme_oidc(sandbox)],
        "applications": [{
            "client_id": sample_app::CLIENT_ID,
            "name": "Sample app",
            "client_secret": app_secret,
            "redirect_uris": [format!("{app_base}/callback")],
            "post_logout_redirect_uris": [format!("{app_base}/")],
            "organizations": "all",
        }],
    })
    .to_string()
}

fn home_lab() -> serde_json::Value {
    serde_json::json!({
        "id": "home-lab",
        "name": "Home Lab",
        "domains": [{ "name": "home-lab.example", "verified": true }],
        "roles": [
            { "id": "owner", "name": "Owner", "owner": true },
            { "id": "admin", "name": "Admin" },
            { "id": "member", "name": "Member" },
        ],
        "workspaces": [{ "id": "main", "name": "Main", "default": true }, { "id": "lab", "name": "Lab" }],
        "licenses": [{ "id": "standard", "seats": 50 }],
    })
}

fn acme() -> serde_json::Value {
    serde_json::json!({
        "id": "acme",
        "name": "Acme Tools",
        "domains": [{ "name": "acme.example", "verified": true }],
        "roles": [
            { "id": "owner", "name": "Owner", "owner": true },
            { "id": "engineer", "name": "Engineer" },
            { "id": "lead", "name": "Lead" },
        ],
        "workspaces": [
            { "id": "forge", "name": "Forge" },
            { "id": "yard", "name": "Yard" },
            { "id": "office", "name": "Office", "default": true },
        ],
        "licenses": [{ "id": "pro", "seats": 10 }],
    })
}

fn home_lab_saml(sandbox: &Sandbox) -> serde_json::Value {
    let provider = sandbox.saml_fields();
    serde_json::json!({
        "id": "home-lab-saml",
        "name": "Home Lab directory",
        "organization": "home-lab",
        "protocol": "saml",
        "saml": {
            "entity_id": provider.entity_id,
            "sso_url": provider.sso_url,
            "certificates": [provider.certificate],
        },
        "domains": ["home-lab.example"],
        "provisioning": "jit",
        "policy": {
            "organization": "contains(groups, '{{orgId}}') || contains(groups, 'contractors')",
            "role": { "expression":
                "contains(groups, 'admin') && 'Admin' || contains(groups, 'home-lab') && 'Member' || 'member'" },
            "workspaces": { "mode": "all" },
            "license": { "fixed": "standard" },
        },
    })
}

fn acme_oidc(sandbox: &Sandbox) -> serde_json::Value {
    serde_json::json!({
        "id": "acme-oidc",
        "name": "Acme single sign-on",
        "organization": "acme",
        "protocol": "oidc",
        "oidc": {
            "issuer": sandbox.issuer(),
            "client_id": CLIENT_ID,
            "client_authentication": "none",
            "scopes": ["openid", "profile", "email", "groups"],
        },
        "domains": ["acme.example"],
        "provisioning": "jit",
        "policy": {
            "role": { "groups": [
                { "value": "g-leads", "name": "Leads", "roles": ["Lead"] },
                { "value": "g-engineering", "name": "Engineering", "roles": ["Engineer"] },
            ] },
            "workspaces": { "mode": "dynamic", "expression": "teams" },
            "license": { "fixed": "pro" },
        },
    })
}
