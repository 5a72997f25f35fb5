use jiff::Timestamp;
use provost_kernel::attribute::AttributeDefinition;
use provost_kernel::connection::{Connection, Protocol, Provisioning, Scope, Settings};
use provost_kernel::directory::{
    Account, AccountKind, Authentication, Grant, LicenseGrant, Membership, Origin, Source, Status,
};
use provost_kernel::email::Email;
use provost_store::OrganizationView;
use serde_json::json;

use super::{SessionPart, subject};
use crate::flow::openid::admission::{Allowed, Proof, admit};

fn account() -> Account {
    Account {
        id: "acc_1".into(),
        kind: AccountKind::Reader,
        authentication: Authentication::Sso {
            connection: "okta".into(),
        },
        status: Status::Active,
        status_origin: Origin::Login,
        email: Email::parse("Ada@Lab.example").ok(),
        user_name: None,
        external_id: None,
        given_name: Some("Ada".to_owned()),
        family_name: Some("Byron".to_owned()),
        display_name: None,
        emergency_admin: false,
        operator: false,
        attributes: serde_json::Map::new(),
        edited: std::collections::BTreeSet::new(),
        keeping: provost_kernel::keeping::Keeping::default(),
        version: 1,
        created_at: Timestamp::UNIX_EPOCH,
    }
}

fn membership() -> Membership {
    Membership {
        organization: "lab".into(),
        active: true,
        source: Source::Manual,
        pinned: false,
        roles: vec![Grant {
            id: "admin".into(),
            source: Source::Manual,
            pinned: false,
        }],
        workspaces: vec![Grant {
            id: "main".into(),
            source: Source::Manual,
            pinned: false,
        }],
        groups: Vec::new(),
        all_workspaces: None,
        license: Some(LicenseGrant {
            license: "standard".into(),
            source: Source::Manual,
            pinned: false,
            seated: true,
        }),
        version: 1,
    }
}

fn directory() -> Vec<OrganizationView> {
    vec![OrganizationView {
        id: "lab".into(),
        name: "Lab".to_owned(),
        workspaces: vec!["main".into(), "attic".into()],
    }]
}

fn connection(domain: &str) -> Connection {
    Connection {
        id: "okta".into(),
        name: "Okta".to_owned(),
        scope: Scope::Instance,
        protocol: Protocol::Saml,
        enabled: true,
        domains: vec![domain.to_owned()],
        provisioning: Provisioning::Jit,
        settings: Settings::default(),
        policy: None,
        organization_policies: Vec::new(),
        version: 1,
    }
}

const METHODS: [String; 0] = [];

fn session() -> SessionPart<'static> {
    SessionPart {
        id: "ses_1",
        authenticated_at: Timestamp::UNIX_EPOCH,
        methods: &METHODS,
        class: None,
        ends_at: Timestamp::UNIX_EPOCH,
    }
}

#[test]
fn a_person_is_told_by_ids_with_names_beside() {
    let memberships = [membership()];
    let admission = admit(&memberships, Proof::Password, &Allowed::All, None).unwrap();
    let told = subject(
        &account(),
        &admission,
        &directory(),
        Some(&connection("lab.example")),
        &session(),
    );
    assert_eq!(told.sub, "acc_1");
    assert_eq!(told.name.as_deref(), Some("Ada Byron"));
    assert_eq!(told.organization.as_deref(), Some("lab"));
    assert_eq!(told.account_kind, "reader");
    assert_eq!(told.connection.as_deref(), Some("okta"));
    assert_eq!(
        json!(told.organizations),
        json!([{ "id": "lab", "name": "Lab", "roles": ["admin"], "workspaces": ["main"], "license": "standard" }])
    );
}

#[test]
fn all_workspaces_are_told_one_by_one_and_a_seat_waited_for_is_none() {
    let mut member = membership();
    member.all_workspaces = Some(Source::Manual);
    if let Some(license) = &mut member.license {
        license.seated = false;
    }
    let memberships = [member];
    let admission = admit(&memberships, Proof::Password, &Allowed::All, None).unwrap();
    let told = subject(&account(), &admission, &directory(), None, &session());
    assert_eq!(told.organizations[0].workspaces, ["main", "attic"]);
    assert_eq!(told.organizations[0].license, None);
}

#[test]
fn an_address_is_vouched_for_only_inside_the_connections_verified_domains() {
    let memberships = [membership()];
    let admission = admit(&memberships, Proof::Password, &Allowed::All, None).unwrap();
    let told = |connection: Option<&Connection>| {
        subject(&account(), &admission, &directory(), connection, &session()).email_verified
    };
    assert!(told(Some(&connection("lab.example"))));
    assert!(!told(Some(&connection("other.example"))));
    assert!(!told(None));
}

#[test]
fn r84_apps_read_only_attributes_whose_definition_says_so() {
    let mut person = account();
    for (name, value) in [
        ("nfc", json!("04-A")),
        ("salary", json!(7)),
        ("stray", json!(true)),
    ] {
        person.attributes.insert(name.to_owned(), value);
    }
    let mut defining = connection("lab.example");
    for (name, in_tokens) in [("nfc", true), ("salary", false), ("floor", true)] {
        defining.settings.attributes.push(AttributeDefinition {
            in_tokens,
            ..AttributeDefinition::text(name)
        });
    }
    let memberships = [membership()];
    let admission = admit(&memberships, Proof::Password, &Allowed::All, None).unwrap();
    let told = |connection| subject(&person, &admission, &directory(), connection, &session()).attributes;
    assert_eq!(json!(told(Some(&defining))), json!({ "nfc": "04-A" }));
    assert_eq!(json!(told(None)), json!({}), "nobody defined them");
}
