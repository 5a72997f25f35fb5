//! Test values: a small world.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::connection::{Connection, Protocol, Provisioning, Scope, Settings};
use crate::directory::*;
use crate::email::Email;
use crate::facts::{AccountFacts, LicensePool, OrganizationFacts};
use crate::id::*;
use crate::incoming::*;
use crate::login::SessionLimits;
use crate::mapping::InForce;
use crate::policy::Policy;
use crate::trace::Trace;

mod groups;
mod world;

pub(crate) use groups::{active, heard_of, pushed, pushed_group, scim};
pub(crate) use world::World;

pub(crate) const LIMITS: SessionLimits = SessionLimits {
    absolute_seconds: 36_000,
    idle_seconds: 7_200,
};

pub(crate) fn now() -> Timestamp {
    "2026-03-01T09:00:00Z".parse().unwrap()
}

pub(crate) fn email(text: &str) -> Email {
    Email::parse(text).unwrap()
}

pub(crate) fn fresh(n: u32) -> Fresh {
    Fresh {
        account: AccountId::new(format!("new-{n}")),
        session: SessionId::new(format!("session-{n}")),
        session_digest: format!("digest-{n}"),
        trace: TraceId::new(format!("trace-{n}")),
    }
}

pub(crate) fn role(id: &str, name: &str) -> Role {
    Role {
        id: id.into(),
        name: name.to_owned(),
        owner: id == "owner",
        admin: id == "admin",
        default: id == "member",
    }
}

/// Roles owner, admin, member (default), auditor; workspaces main (default) and lab; license standard with 2 seats, spare without limit.
pub(crate) fn organization(id: &str) -> OrganizationFacts {
    OrganizationFacts {
        organization: Organization {
            id: id.into(),
            name: id.to_uppercase(),
            roles_per_member: RolesPerMember::Many,
            managed_by: ManagedBy::default(),
        },
        roles: vec![
            role("owner", "Owner"),
            role("admin", "Admin"),
            role("member", "Member"),
            role("auditor", "Auditor"),
        ],
        workspaces: vec![
            Workspace {
                id: "main".into(),
                name: "Main".to_owned(),
                default: true,
            },
            Workspace {
                id: "lab".into(),
                name: "Lab".to_owned(),
                default: false,
            },
        ],
        kinds: std::collections::BTreeMap::new(),
        licenses: vec![
            LicensePool {
                license: License {
                    id: "standard".into(),
                    seats: Some(2),
                    kind: None,
                },
                used: 0,
            },
            LicensePool {
                license: License {
                    id: "spare".into(),
                    seats: None,
                    kind: None,
                },
                used: 0,
            },
        ],
        owners: Vec::new(),
    }
}

/// JIT connection `okta` of organization `acme`, serving acme.example.
pub(crate) fn connection() -> Connection {
    Connection {
        id: "okta".into(),
        name: "Okta".to_owned(),
        scope: Scope::Organization {
            organization: "acme".into(),
            shared_with: Vec::new(),
        },
        protocol: Protocol::Saml,
        enabled: true,
        domains: vec!["acme.example".to_owned()],
        provisioning: Provisioning::Jit,
        settings: Settings::default(),
        policy: None,
        organization_policies: Vec::new(),
        version: 1,
    }
}

pub(crate) fn with(change: impl FnOnce(&mut Connection)) -> InForce {
    let mut connection = connection();
    change(&mut connection);
    InForce::compile(connection).unwrap()
}

pub(crate) fn with_policy(change: impl FnOnce(&mut Policy)) -> InForce {
    let mut policy = Policy::default();
    change(&mut policy);
    with(|connection| connection.policy = Some(policy))
}

pub(crate) fn subject(value: &str) -> Subject {
    Subject {
        issuer: "https://idp.example".to_owned(),
        format: "persistent".to_owned(),
        value: value.to_owned(),
    }
}

pub(crate) fn link(value: &str) -> Link {
    Link {
        connection: "okta".into(),
        subject: subject(value),
    }
}

/// Ann Lee, ann@acme.example, verified, with these groups.
pub(crate) fn ann(groups: &[&str]) -> Incoming {
    let mut claims = Map::new();
    claims.insert("groups".to_owned(), json!(groups));
    claims.insert("email".to_owned(), json!("ann@acme.example"));
    Incoming {
        connection: "okta".into(),
        protocol: Protocol::Saml,
        subject: subject("ann-1"),
        normalized: Normalized {
            email: Some(email("ann@acme.example")),
            email_verified: true,
            given_name: Some("Ann".to_owned()),
            family_name: Some("Lee".to_owned()),
            groups: groups.iter().map(|group| (*group).to_owned()).collect(),
            ..Normalized::default()
        },
        claims,
        authentication: AuthenticationContext::default(),
        proof: Some(OneTimeProof {
            issuer: "https://idp.example".to_owned(),
            id: "a1".to_owned(),
            until: now(),
        }),
        chosen: None,
    }
}

pub(crate) fn account(id: &str, authentication: Authentication) -> Account {
    Account {
        id: id.into(),
        kind: AccountKind::User,
        authentication,
        status: Status::Active,
        status_origin: Origin::Admin,
        email: Some(email("ann@acme.example")),
        user_name: None,
        external_id: None,
        given_name: Some("Ann".to_owned()),
        family_name: Some("Lee".to_owned()),
        display_name: None,
        emergency_admin: false,
        operator: false,
        attributes: Map::new(),
        edited: std::collections::BTreeSet::new(),
        keeping: crate::keeping::Keeping::default(),
        version: 7,
        created_at: now(),
    }
}

pub(crate) fn sso(connection: &str) -> Authentication {
    Authentication::Sso {
        connection: connection.into(),
    }
}

pub(crate) fn rule() -> Source {
    Source::Rule {
        connection: "okta".into(),
    }
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "tables of tests read better with values"
)]
pub(crate) fn member(organization: &str, source: Source, roles: &[&str]) -> Membership {
    Membership {
        organization: organization.into(),
        active: true,
        source: source.clone(),
        pinned: false,
        roles: roles
            .iter()
            .map(|id| Grant {
                id: (*id).into(),
                source: source.clone(),
                pinned: false,
            })
            .collect(),
        workspaces: Vec::new(),
        all_workspaces: None,
        license: None,
        groups: Vec::new(),
        version: 3,
    }
}

pub(crate) fn known(account: Account, links: &[&str], memberships: Vec<Membership>) -> AccountFacts {
    AccountFacts {
        account,
        links: links.iter().map(|value| link(value)).collect(),
        memberships,
    }
}

/// Tells whether a trace has a step with this code.
pub(crate) fn has(trace: &Trace, code: &str) -> bool {
    trace.steps.iter().any(|step| step.code == code)
}

/// Role ids that an account holds in an organization.
pub(crate) fn roles_in<'a>(world: &'a World, account: &str, organization: &str) -> Vec<&'a str> {
    world
        .get(account)
        .memberships
        .iter()
        .filter(|held| held.organization.as_str() == organization)
        .flat_map(|held| held.roles.iter().map(|grant| grant.id.as_str()))
        .collect()
}

/// Adds a claim.
pub(crate) fn claim(mut incoming: Incoming, name: &str, value: Value) -> Incoming {
    incoming.claims.insert(name.to_owned(), value);
    incoming
}
