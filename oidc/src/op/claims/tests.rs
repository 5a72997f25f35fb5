use jiff::Timestamp;
use serde_json::json;

use super::{OrganizationClaim, Subject, userinfo};

pub(crate) fn ada() -> Subject {
    Subject {
        sub: "acc_1".into(),
        email: Some("ada@x.example".into()),
        email_verified: true,
        name: Some("Ada L".into()),
        given_name: Some("Ada".into()),
        family_name: Some("L".into()),
        organization: Some("home-lab".into()),
        organizations: vec![OrganizationClaim {
            id: "home-lab".into(),
            name: None,
            roles: vec!["admin".into()],
            workspaces: vec!["main".into()],
            license: Some("standard".into()),
        }],
        account_kind: "user".into(),
        connection: Some("home-okta".into()),
        amr: vec!["fed".into()],
        acr: None,
        auth_time: Timestamp::from_second(1_790_000_000).unwrap(),
        sid: Some("s1".into()),
        session_expiry: Timestamp::from_second(1_790_036_000).ok(),
        attributes: serde_json::Map::new(),
    }
}

fn scopes(text: &str) -> Vec<String> {
    text.split(' ').map(str::to_owned).collect()
}

#[test]
fn userinfo_has_what_the_design_promises() {
    assert_eq!(
        userinfo(&ada(), &scopes("openid profile email")),
        json!({
            "sub": "acc_1", "email": "ada@x.example", "email_verified": true,
            "name": "Ada L", "given_name": "Ada", "family_name": "L",
            "organization": "home-lab", "account_kind": "user", "connection": "home-okta",
            "organizations": [
                { "id": "home-lab", "roles": ["admin"], "workspaces": ["main"], "license": "standard" },
            ],
            "amr": ["fed"], "auth_time": 1_790_000_000, "sid": "s1", "session_expiry": 1_790_036_000,
        })
    );
}

#[test]
fn scopes_release_profile_and_email() {
    let bare = userinfo(&ada(), &scopes("openid"));
    for hidden in ["email", "email_verified", "name", "given_name", "family_name"] {
        assert!(bare.get(hidden).is_none(), "{hidden}");
    }
    assert_eq!(bare["organization"], "home-lab");
    let email = userinfo(&ada(), &scopes("openid email"));
    assert!(email.get("email").is_some() && email.get("name").is_none());
}
