//! Who may manage what in the console, judged anew at each request from what the directory holds.
//!
//! A session that an identity provider proved counts only where that provider may admit people: whoever runs one
//! customer's provider could sign in there as anybody whom it knows, and must not come into another customer's console
//! that way, nor into the instance's.

use std::collections::BTreeMap;

use provost_kernel::connection::{Connection, Scope as Reach};
use provost_kernel::directory::{Membership, Organization, Role};
use provost_kernel::facts::{Need, OrganizationFacts, OrganizationsNeeded};
use provost_kernel::id::OrganizationId;
use provost_kernel::provision::Actor;
use provost_store::{OrganizationRecord, StoreError};

use crate::app::App;
use crate::error::Result;
use crate::flow::api_keys::{Caller, Scope};
use crate::flow::session::ActiveSession;

/// Most organizations in the list of one page.
pub const PAGE: u32 = 50;

/// As what somebody stands in an organization's console.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Active member with a role marked `owner`.
    Owner,
    /// Active member with a role marked `admin`.
    Admin,
    /// Operator of the instance.
    Operator,
}

impl Standing {
    /// Returns the key of its name in the catalogue.
    pub const fn key(self) -> &'static str {
        match self {
            Self::Owner => "standing.owner",
            Self::Admin => "standing.admin",
            Self::Operator => "standing.operator",
        }
    }
}

/// An organization that somebody manages.
#[derive(Clone, Debug)]
pub struct Managed {
    /// The organization.
    pub id: String,
    /// Its name.
    pub name: String,
    /// As what.
    pub standing: Standing,
}

/// What a session proves: from where it came decides where it counts.
struct Proof {
    /// None for a password.
    connection: Option<Connection>,
    is_lost: bool,
}

impl Proof {
    fn counts_in(&self, organization: &OrganizationId) -> bool {
        !self.is_lost
            && self
                .connection
                .as_ref()
                .is_none_or(|connection| connection.reaches(organization))
    }

    fn counts_for_instance(&self) -> bool {
        !self.is_lost
            && self
                .connection
                .as_ref()
                .is_none_or(|connection| connection.scope == Reach::Instance)
    }
}

async fn proof(app: &App, active: &ActiveSession) -> Result<Proof> {
    let Some(id) = active.session.connection.clone() else {
        return Ok(Proof {
            connection: None,
            is_lost: false,
        });
    };
    let record = app
        .store
        .read(|reader| Box::pin(async move { reader.connection(&id).await }))
        .await?;
    Ok(Proof {
        is_lost: record.is_none(),
        connection: record.map(|record| record.connection),
    })
}

/// Tells whether a session is an operator's.
///
/// # Errors
/// Those of the store.
pub async fn is_operator(app: &App, active: &ActiveSession) -> Result<bool> {
    Ok(active.account.operator && proof(app, active).await?.counts_for_instance())
}

/// Finds an organization and as what somebody stands in its console; none if she may not know of it.
///
/// # Errors
/// Those of the store.
pub async fn in_organization(
    app: &App,
    active: &ActiveSession,
    organization: &str,
) -> Result<Option<(Standing, OrganizationFacts)>> {
    let id = OrganizationId::new(organization);
    let proof = proof(app, active).await?;
    let need = Need {
        accounts: vec![active.account.id.clone()],
        organizations: OrganizationsNeeded::Ids(vec![id.clone()]),
        ..Need::default()
    };
    let facts = app
        .store
        .read(|reader| Box::pin(async move { reader.facts(&need).await }))
        .await?;
    // Facts hold the organizations of the person's other memberships, too.
    let mut organizations = facts.organizations.into_iter();
    let Some(found) = organizations.find(|known| known.organization.id == id) else {
        return Ok(None);
    };
    let held = facts
        .accounts
        .iter()
        .flat_map(|known| &known.memberships)
        .find(|held| held.organization == id);
    let standing = held
        .filter(|_| proof.counts_in(&id))
        .and_then(|held| by_roles(held, &found.organization, &found.roles))
        .or_else(|| (active.account.operator && proof.counts_for_instance()).then_some(Standing::Operator));
    Ok(standing.map(|standing| (standing, found)))
}

/// Lists the organizations that somebody manages as a member.
///
/// # Errors
/// Those of the store.
pub async fn managed(app: &App, active: &ActiveSession) -> Result<Vec<Managed>> {
    let proof = proof(app, active).await?;
    let account = active.account.id.clone();
    let (memberships, mut found) = app
        .store
        .read(|reader| {
            Box::pin(async move {
                let memberships = reader.memberships(&account).await?;
                let mut found = BTreeMap::new();
                for held in &memberships {
                    let id = &held.organization;
                    if let Some(record) = reader.organization(id).await? {
                        found.insert(id.clone(), (record.organization, reader.roles(id).await?));
                    }
                }
                Ok::<_, StoreError>((memberships, found))
            })
        })
        .await?;
    let mut rows: Vec<Managed> = memberships
        .iter()
        .filter(|held| proof.counts_in(&held.organization))
        .filter_map(|held| {
            let (organization, roles) = found.remove(&held.organization)?;
            Some(Managed {
                id: held.organization.to_string(),
                standing: by_roles(held, &organization, &roles)?,
                name: organization.name,
            })
        })
        .collect();
    rows.sort_by_key(|row| row.name.to_lowercase());
    Ok(rows)
}

/// Lists all organizations by id, after one, for operators.
///
/// # Errors
/// Those of the store.
pub async fn all(app: &App, after: Option<String>) -> Result<Vec<OrganizationRecord>> {
    let after = after.map(OrganizationId::new);
    let found = app
        .store
        .read(|reader| Box::pin(async move { reader.organizations(after.as_ref(), PAGE).await }))
        .await?;
    Ok(found)
}

/// Returns somebody in an organization's console as a caller of what the management API is answered by: with her own
/// rights, and with sight of this organization only.
pub fn caller(active: &ActiveSession, standing: Standing, organization: &OrganizationId) -> Caller {
    let account = active.account.id.clone();
    Caller {
        key: String::new(),
        person: Some(match standing {
            Standing::Operator => Actor::Operator {
                account: Some(account),
            },
            Standing::Owner | Standing::Admin => Actor::Admin {
                account,
                organization: organization.clone(),
            },
        }),
        organization: Some(organization.clone()),
        scopes: Scope::ALL.to_vec(),
    }
}

/// Returns the caller that stands for an operator who acts for the whole instance. Whether the session is one was asked before.
pub fn instance_caller(active: &ActiveSession) -> Caller {
    Caller {
        person: Some(Actor::Operator {
            account: Some(active.account.id.clone()),
        }),
        ..Caller::operator()
    }
}

/// The same judgement as the kernel's own, which judges again whatever is wanted.
fn by_roles(held: &Membership, organization: &Organization, roles: &[Role]) -> Option<Standing> {
    if !held.active {
        return None;
    }
    let holds = |which: &dyn Fn(&Role) -> bool| {
        held.roles
            .iter()
            .any(|grant| roles.iter().any(|role| role.id == grant.id && which(role)))
    };
    if holds(&|role| role.owner) {
        return Some(Standing::Owner);
    }
    holds(&|role| role.manages(organization.managed_by)).then_some(Standing::Admin)
}
