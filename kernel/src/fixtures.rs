//! Test values: a small world, and an in-memory directory that applies plans as a store would.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::connection::{Connection, Protocol, Provisioning, Scope, Settings};
use crate::directory::*;
use crate::email::Email;
use crate::facts::{
    AccountFacts, CANDIDATES, Facts, LicensePool, Need, OrganizationFacts, OrganizationsNeeded,
};
use crate::id::*;
use crate::incoming::*;
use crate::login::SessionLimits;
use crate::mapping::InForce;
use crate::plan::*;
use crate::policy::Policy;
use crate::trace::Trace;

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
        licenses: vec![
            LicensePool {
                license: License {
                    id: "standard".into(),
                    seats: Some(2),
                },
                used: 0,
            },
            LicensePool {
                license: License {
                    id: "spare".into(),
                    seats: None,
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

/// A directory in memory.
#[derive(Clone, Debug, Default)]
pub(crate) struct World {
    pub(crate) accounts: Vec<AccountFacts>,
    pub(crate) organizations: Vec<OrganizationFacts>,
}

impl World {
    pub(crate) fn new(organizations: &[&str], accounts: Vec<AccountFacts>) -> Self {
        Self {
            accounts,
            organizations: organizations.iter().map(|id| organization(id)).collect(),
        }
    }

    /// Answers a need as the store does: that and no more.
    pub(crate) fn facts(&self, need: &Need) -> Facts {
        let live = |known: &&AccountFacts| known.account.status != Status::Deleted;
        let linked = need.subject.as_ref().and_then(|(connection, subject)| {
            self.accounts.iter().find(|known| {
                known
                    .links
                    .iter()
                    .any(|link| link.connection == *connection && link.subject == *subject)
            })
        });
        let near = need.subject.iter().flat_map(|(connection, subject)| {
            self.accounts
                .iter()
                .flat_map(|known| &known.links)
                .filter(move |link| {
                    link.connection == *connection
                        && link.subject.value != subject.value
                        && link.subject.value.eq_ignore_ascii_case(&subject.value)
                })
        });
        let keyed = |key: &Option<(ConnectionId, String)>, held: &Option<String>, by: &Authentication| {
            key.as_ref().is_some_and(|(connection, key)| {
                held.as_ref() == Some(key)
                    && *by
                        == Authentication::Sso {
                            connection: connection.clone(),
                        }
            })
        };
        let candidates: Vec<AccountFacts> = self
            .accounts
            .iter()
            .filter(live)
            .filter(|known| {
                let account = &known.account;
                (need.email_key.is_some() && account.email.as_ref().map(Email::key) == need.email_key)
                    || keyed(&need.external_id, &account.external_id, &account.authentication)
                    || keyed(&need.user_name, &account.user_name, &account.authentication)
            })
            .take(CANDIDATES)
            .cloned()
            .collect();
        let accounts: Vec<AccountFacts> = self
            .accounts
            .iter()
            .filter(|known| need.accounts.contains(&known.account.id))
            .cloned()
            .collect();
        let of_members = |id: &OrganizationId| {
            accounts
                .iter()
                .chain(&candidates)
                .chain(linked)
                .any(|known| known.memberships.iter().any(|held| held.organization == *id))
        };
        let organizations = self
            .organizations
            .iter()
            .filter(|facts| match &need.organizations {
                OrganizationsNeeded::All => true,
                OrganizationsNeeded::None => of_members(&facts.organization.id),
                OrganizationsNeeded::Ids(ids) => {
                    ids.contains(&facts.organization.id) || of_members(&facts.organization.id)
                }
            })
            .map(|facts| self.with_use(facts))
            .collect();
        Facts {
            accounts: accounts.clone(),
            linked: linked.cloned(),
            near_subjects: near.map(|link| link.subject.value.clone()).collect(),
            candidates: candidates.clone(),
            organizations,
        }
    }

    fn with_use(&self, facts: &OrganizationFacts) -> OrganizationFacts {
        let mut facts = facts.clone();
        let id = facts.organization.id.clone();
        let members = || {
            self.accounts.iter().flat_map(|known| {
                known
                    .memberships
                    .iter()
                    .filter(|held| held.organization == id)
                    .map(move |held| (known, held))
            })
        };
        for pool in &mut facts.licenses {
            let held = members()
                .filter(|(_, held)| {
                    held.license
                        .as_ref()
                        .is_some_and(|held| held.seated && held.license == pool.license.id)
                })
                .count();
            pool.used += u32::try_from(held).unwrap();
        }
        let owner_roles: Vec<RoleId> = facts
            .roles
            .iter()
            .filter(|role| role.owner)
            .map(|role| role.id.clone())
            .collect();
        let owners = members()
            .filter(|(known, held)| {
                held.active
                    && known.account.status == Status::Active
                    && held.roles.iter().any(|grant| owner_roles.contains(&grant.id))
            })
            .map(|(known, _)| known.account.id.clone())
            .take(2)
            .collect();
        facts.owners = owners;
        facts
    }

    pub(crate) fn get(&self, id: &str) -> &AccountFacts {
        self.accounts
            .iter()
            .find(|known| known.account.id.as_str() == id)
            .unwrap()
    }

    fn get_mut(&mut self, id: &AccountId) -> &mut AccountFacts {
        self.accounts
            .iter_mut()
            .find(|known| known.account.id == *id)
            .unwrap()
    }

    /// Writes a plan, refusing what a store would refuse: stale versions and keys that are taken.
    pub(crate) fn apply(&mut self, plan: &Plan) {
        let versions: Vec<(AccountId, i64)> = self
            .accounts
            .iter()
            .map(|known| (known.account.id.clone(), known.account.version))
            .collect();
        let fresh = |id: &AccountId, version: i64| {
            let shown = versions
                .iter()
                .find(|(known, _)| known == id)
                .map(|(_, version)| *version);
            assert_eq!(shown, Some(version), "stale version of {id}");
        };
        for change in &plan.changes {
            match change {
                Change::CreateAccount { account } => {
                    self.accounts.push(known(*account.clone(), &[], Vec::new()));
                }
                Change::UpdateProfile {
                    account,
                    version,
                    set,
                    ..
                } => {
                    fresh(account, *version);
                    patch(&mut self.get_mut(account).account, set);
                }
                Change::SetStatus {
                    account,
                    version,
                    from,
                    to,
                    origin,
                } => {
                    fresh(account, *version);
                    let known = self.get_mut(account);
                    assert_eq!(known.account.status, *from);
                    known.account.status = *to;
                    known.account.status_origin = *origin;
                    known.account.version += 1;
                }
                Change::SetAuthentication {
                    account, version, to, ..
                } => {
                    fresh(account, *version);
                    self.get_mut(account).account.authentication = to.clone();
                }
                Change::Link { account, link } => {
                    let taken = self.accounts.iter().any(|known| known.links.contains(link));
                    assert!(!taken, "identity linked twice");
                    self.get_mut(account).links.push(link.clone());
                }
                Change::Unlink { account, link } => self.get_mut(account).links.retain(|held| held != link),
                Change::AddMembership { .. }
                | Change::UpdateMembership { .. }
                | Change::RemoveMembership { .. } => self.apply_to_membership(change),
                Change::RevokeSessions { .. } | Change::Alert { .. } => {}
            }
        }
        self.check_unique();
    }

    fn apply_to_membership(&mut self, change: &Change) {
        match change {
            Change::AddMembership { account, membership } => {
                let known = self.get_mut(account);
                assert!(
                    !known
                        .memberships
                        .iter()
                        .any(|held| held.organization == membership.organization)
                );
                known.memberships.push(membership.clone());
            }
            Change::UpdateMembership {
                account,
                organization,
                version,
                edits,
            } => {
                assert!(!edits.is_empty());
                let known = self.get_mut(account);
                let held = known
                    .memberships
                    .iter_mut()
                    .find(|held| held.organization == *organization)
                    .unwrap();
                assert_eq!(held.version, *version);
                held.version += 1;
                for change in edits {
                    edit(held, change);
                }
            }
            Change::RemoveMembership {
                account,
                organization,
                ..
            } => {
                self.get_mut(account)
                    .memberships
                    .retain(|held| held.organization != *organization);
            }
            Change::CreateAccount { .. }
            | Change::UpdateProfile { .. }
            | Change::SetStatus { .. }
            | Change::SetAuthentication { .. }
            | Change::Link { .. }
            | Change::Unlink { .. }
            | Change::RevokeSessions { .. }
            | Change::Alert { .. } => panic!("no change of a membership: {change:?}"),
        }
    }

    fn check_unique(&self) {
        let mut keys: Vec<(Authentication, String)> = self
            .accounts
            .iter()
            .filter(|known| known.account.status != Status::Deleted)
            .filter_map(|known| {
                Some((
                    known.account.authentication.clone(),
                    known.account.email.as_ref()?.key(),
                ))
            })
            .collect();
        keys.sort();
        let count = keys.len();
        keys.dedup();
        assert_eq!(count, keys.len(), "one address twice among accounts of one kind");
    }

    /// Decides and applies one sign-in.
    pub(crate) fn sign_in(&mut self, incoming: &Incoming, in_force: &InForce, n: u32) -> Decision {
        let facts = self.facts(&crate::login::need(incoming, in_force));
        let decision = crate::login::decide(incoming, &facts, in_force, &LIMITS, &fresh(n), now());
        self.apply(&decision.plan);
        decision
    }
}

fn patch(account: &mut Account, set: &ProfilePatch) {
    let set = set.clone();
    account.kind = set.kind.unwrap_or(account.kind);
    account.email = set.email.unwrap_or_else(|| account.email.clone());
    account.user_name = set.user_name.unwrap_or_else(|| account.user_name.clone());
    account.external_id = set.external_id.unwrap_or_else(|| account.external_id.clone());
    account.given_name = set.given_name.unwrap_or_else(|| account.given_name.clone());
    account.family_name = set.family_name.unwrap_or_else(|| account.family_name.clone());
    account.display_name = set.display_name.unwrap_or_else(|| account.display_name.clone());
    account.emergency_admin = set.emergency_admin.unwrap_or(account.emergency_admin);
    account.operator = set.operator.unwrap_or(account.operator);
    account.attributes = set.attributes.unwrap_or_else(|| account.attributes.clone());
    account.version += 1;
}

fn edit(held: &mut Membership, edit: &MembershipEdit) {
    match edit {
        MembershipEdit::GrantRole { role, source, pinned } => {
            held.roles.retain(|grant| grant.id != *role);
            held.roles.push(Grant {
                id: role.clone(),
                source: source.clone(),
                pinned: *pinned,
            });
        }
        MembershipEdit::RevokeRole { role } => held.roles.retain(|grant| grant.id != *role),
        MembershipEdit::GrantWorkspace {
            workspace,
            source,
            pinned,
        } => {
            held.workspaces.retain(|grant| grant.id != *workspace);
            held.workspaces.push(Grant {
                id: workspace.clone(),
                source: source.clone(),
                pinned: *pinned,
            });
        }
        MembershipEdit::RevokeWorkspace { workspace } => {
            held.workspaces.retain(|grant| grant.id != *workspace);
        }
        MembershipEdit::SetAllWorkspaces { source } => held.all_workspaces.clone_from(source),
        MembershipEdit::SetLicense { from, to } => {
            assert_eq!(held.license, *from);
            held.license.clone_from(to);
        }
        MembershipEdit::SetActive { active } => held.active = *active,
        MembershipEdit::SetPinned { pinned } => held.pinned = *pinned,
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
