//! An instance with many organizations, in memory, and one person who signs in.

use std::collections::HashMap;

use anyhow::{Result, anyhow};
use jiff::Timestamp;
use provost_kernel::connection::{Connection, Protocol, Provisioning, Scope, Settings};
use provost_kernel::directory::{ManagedBy, Organization, Role, RolesPerMember, Subject, Workspace};
use provost_kernel::email::Email;
use provost_kernel::facts::{Facts, Need, OrganizationFacts, OrganizationsNeeded};
use provost_kernel::id::OrganizationId;
use provost_kernel::incoming::{AuthenticationContext, Fresh, Incoming, Normalized};
use provost_kernel::login::SessionLimits;
use provost_kernel::mapping::InForce;
use provost_kernel::policy::{OrganizationPolicy, Policy, RoleRule};
use serde_json::{Map, json};

/// Limits of a session.
pub(crate) const LIMITS: SessionLimits = SessionLimits {
    absolute_seconds: 36_000,
    idle_seconds: 7_200,
};

/// The organizations of an instance.
pub(crate) struct World {
    pub(crate) ids: Vec<OrganizationId>,
    organizations: HashMap<OrganizationId, OrganizationFacts>,
}

impl World {
    /// Makes an instance of some size. Organizations are called `acme-0`, `acme-1` and so on.
    pub(crate) fn new(size: usize) -> Self {
        let mut ids: Vec<OrganizationId> = (0..size)
            .map(|number| OrganizationId::new(format!("acme-{number}")))
            .collect();
        ids.sort();
        let organizations = ids.iter().map(|id| (id.clone(), organization(id))).collect();
        Self { ids, organizations }
    }

    /// Answers a need as the store does: that and no more. The person is new.
    pub(crate) fn facts(&self, need: &Need) -> Facts {
        let organizations = match &need.organizations {
            OrganizationsNeeded::None => Vec::new(),
            OrganizationsNeeded::Ids(ids) => ids
                .iter()
                .filter_map(|id| self.organizations.get(id))
                .cloned()
                .collect(),
            OrganizationsNeeded::All => self.organizations.values().cloned().collect(),
        };
        Facts {
            organizations,
            ..Facts::default()
        }
    }
}

fn organization(id: &OrganizationId) -> OrganizationFacts {
    let role = |id: &str, name: &str| Role {
        id: id.into(),
        name: name.to_owned(),
        owner: id == "owner",
        admin: id == "admin",
        default: id == "member",
    };
    OrganizationFacts {
        organization: Organization {
            id: id.clone(),
            name: id.as_str().to_owned(),
            roles_per_member: RolesPerMember::Many,
            managed_by: ManagedBy::default(),
        },
        roles: vec![
            role("owner", "Owner"),
            role("admin", "Admin"),
            role("member", "Member"),
        ],
        workspaces: vec![Workspace {
            id: "main".into(),
            name: "Main".to_owned(),
            default: true,
        }],
        licenses: Vec::new(),
        kinds: std::collections::BTreeMap::new(),
        owners: Vec::new(),
    }
}

/// A connection of the whole instance with this rule: as the default policy, or as each organization's own.
pub(crate) fn in_force(rule: &str, own: bool, world: &World) -> Result<InForce> {
    let roles = RoleRule::Expression("contains(groups, 'admins') && 'Admin' || 'Member'".to_owned());
    let policies = world.ids.iter().filter(|_| own).map(|id| OrganizationPolicy {
        organization: id.clone(),
        organization_expression: Some(rule.replace("{{orgId}}", id.as_str())),
        role: Some(roles.clone()),
        workspaces: None,
        license: None,
    });
    let connection = Connection {
        id: "okta".into(),
        name: "Okta".to_owned(),
        scope: Scope::Instance,
        protocol: Protocol::Oidc,
        enabled: true,
        domains: Vec::new(),
        provisioning: Provisioning::Jit,
        settings: Settings {
            require_domain: false,
            ..Settings::default()
        },
        policy: (!own).then(|| Policy {
            organization: Some(rule.to_owned()),
            role: Some(roles.clone()),
            ..Policy::default()
        }),
        organization_policies: policies.collect(),
        version: 1,
    };
    InForce::compile(connection).map_err(|faults| anyhow!("{faults:?}"))
}

/// A person with 25 groups, of which some name an organization that is in every size of instance.
pub(crate) fn incoming() -> Incoming {
    let mut groups: Vec<String> = (0..20).map(|number| format!("unit-{number}")).collect();
    for named in ["acme-3", "acme-7", "org-acme-5", "team-acme-4", "staff"] {
        groups.push(named.to_owned());
    }
    let mut claims = Map::new();
    claims.insert("groups".to_owned(), json!(groups));
    claims.insert("email".to_owned(), json!("ann@acme.example"));
    claims.insert("tenant".to_owned(), json!("acme-9"));
    claims.insert("region".to_owned(), json!("acme-9999"));
    Incoming {
        connection: "okta".into(),
        protocol: Protocol::Oidc,
        subject: Subject {
            issuer: "https://idp.example".to_owned(),
            format: String::new(),
            value: "ann-1".to_owned(),
        },
        normalized: Normalized {
            email: Email::parse("ann@acme.example").ok(),
            email_verified: true,
            given_name: Some("Ann".to_owned()),
            family_name: Some("Lee".to_owned()),
            groups,
            ..Normalized::default()
        },
        claims,
        authentication: AuthenticationContext::default(),
        proof: None,
        chosen: None,
    }
}

/// Identifiers for what the decision may make.
pub(crate) fn fresh() -> Fresh {
    Fresh {
        account: "new".into(),
        session: "session".into(),
        session_digest: "digest".to_owned(),
        trace: "trace".into(),
    }
}

/// One moment.
pub(crate) const fn now() -> Timestamp {
    Timestamp::UNIX_EPOCH
}
