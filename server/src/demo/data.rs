//! The demo's configuration: the same declarative file that `provost apply` takes.

use super::push::CONNECTION;
use super::sample_app;
use super::sandbox::{CLIENT_ID, GLOBEX_CLIENT_ID, Sandbox};

/// Returns the demo's declarative file; JSON, because the values are made at start.
pub(super) fn file(sandbox: &Sandbox, app_base: &str, app_secret: &str, scim_token: &str) -> String {
    serde_json::json!({
        "organizations": [home_lab(), acme(), globex()],
        "connections": [home_lab_saml(sandbox), acme_oidc(sandbox), globex_scim(sandbox, scim_token)],
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

fn globex() -> serde_json::Value {
    serde_json::json!({
        "id": "globex",
        "name": "Globex",
        "domains": [{ "name": "globex.example", "verified": true }],
        "roles": [
            { "id": "owner", "name": "Owner", "owner": true },
            { "id": "operator", "name": "Plant operator" },
            { "id": "member", "name": "Member", "default": true },
        ],
        "workspaces": [{ "id": "plant", "name": "Plant", "default": true }],
        "licenses": [{ "id": "seat", "seats": 5 }],
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

fn globex_scim(sandbox: &Sandbox, token: &str) -> serde_json::Value {
    serde_json::json!({
        "id": CONNECTION,
        "name": "Globex single sign-on",
        "organization": "globex",
        "protocol": "oidc",
        "oidc": {
            "issuer": sandbox.issuer(),
            "client_id": GLOBEX_CLIENT_ID,
            "client_authentication": "none",
            "scopes": ["openid", "profile", "email"],
        },
        "domains": ["globex.example"],
        "provisioning": "scim",
        "scim": { "tokens": [{ "label": "globex directory", "token": token }] },
        "policy": {
            "role": { "expression": "groups && contains(groups, 'Plant operators') && 'Plant operator' || 'Member'" },
            "workspaces": { "mode": "all" },
            "license": { "fixed": "seat" },
        },
    })
}
