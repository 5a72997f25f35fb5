//! The impact preview: an edited policy over what was last heard of everybody whom the connection knows, portion by
//! portion, in the order of their account ids and in bounded memory: the last claims, or, where a directory makes the accounts,
//! what it pushed. Ends by itself at the end, or when nobody asks for the next portion. Writes nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use provost_kernel::connection::{Provisioning, Scope};
use provost_kernel::facts::{AccountFacts, Need, OrganizationsNeeded};
use provost_kernel::guard::{self, Judgement};
use provost_kernel::id::{AccountId, ConnectionId, OrganizationId};
use provost_kernel::mapping::InForce;
use provost_kernel::preview::{self, Difference, Heard, Impact, Organizations, Row, Seats};
use provost_store::{ConnectionRecord, LastClaims, ManagedPlace, Reader, StoreError};

use tokio::time::Instant;

use super::Policies;
use crate::app::App;
use crate::error::Result;
use crate::flow::api_keys::Caller;
use crate::flow::{claims, directory};

/// People of one portion.
const PORTION: u32 = 100;
/// Organizations kept loaded; beyond that they are loaded anew.
const LOADED: usize = 2000;

/// A preview under way.
pub struct Preview {
    connection: ConnectionId,
    saved: InForce,
    edited: InForce,
    caller: Caller,
    /// Ids of all organizations, where the connection serves the whole instance.
    every: Vec<OrganizationId>,
    loaded: Organizations,
    seats: Seats,
    after: After,
    total: u32,
    without_claims: u32,
    unreadable: u32,
    impact: Impact,
}

/// Whom rules run for, and after whom to go on.
#[derive(Clone, Debug)]
enum After {
    /// Those who signed in.
    SignedIn(Option<AccountId>),
    /// Those whom the directory manages: there the rules run at pushes, and sign-ins run none.
    Managed(Option<ManagedPlace>),
}

/// Somebody for whom something would change.
#[derive(Clone, Debug)]
pub struct Person {
    /// What would change.
    pub row: Row,
    /// Address.
    pub email: Option<String>,
    /// Name to display.
    pub name: Option<String>,
}

/// What one portion of the people knows, read in one go.
struct Portion {
    people: Vec<(AccountFacts, Option<Heard>)>,
    loaded: Organizations,
    last: Option<After>,
}

/// Begins a preview of an edited policy.
///
/// # Errors
/// 404 for a connection out of sight; `invalid_policy`; those of the store.
pub async fn begin(app: &App, caller: &Caller, id: &str, edited: Policies) -> Result<Preview> {
    let record = directory::connection(app, caller, id).await?;
    of(app, caller, &record, edited).await
}

/// Begins a preview for a connection at hand.
///
/// # Errors
/// As [`begin`].
pub async fn of(app: &App, caller: &Caller, record: &ConnectionRecord, edited: Policies) -> Result<Preview> {
    let saved = Policies::of(&record.connection).compile(&record.connection)?;
    let edited = edited.compile(&record.connection)?;
    between(app, caller, saved, edited).await
}

/// Begins a preview between two compiled connections of one id.
///
/// # Errors
/// Those of the store.
pub async fn between(app: &App, caller: &Caller, saved: InForce, edited: InForce) -> Result<Preview> {
    let id = edited.connection().id.clone();
    let wanted = id.clone();
    let whole = edited.connection().scope == Scope::Instance;
    let managed = edited.connection().provisioning == Provisioning::Scim;
    let (total, without_claims, every) = app
        .store
        .read(|reader| {
            Box::pin(async move {
                let every = if whole {
                    reader.organization_ids().await?
                } else {
                    Vec::new()
                };
                let (total, without) = if managed {
                    reader.count_managed(&wanted).await?
                } else {
                    let total = reader.count_last_claims(&wanted).await?;
                    (total, reader.count_without_claims(&wanted).await?)
                };
                Ok::<_, StoreError>((total, without, every))
            })
        })
        .await?;
    Ok(Preview {
        connection: id,
        saved,
        edited,
        caller: caller.clone(),
        every,
        loaded: Organizations::new(),
        seats: Seats::default(),
        after: if managed {
            After::Managed(None)
        } else {
            After::SignedIn(None)
        },
        total,
        without_claims,
        unreadable: 0,
        impact: Impact::default(),
    })
}

impl Preview {
    /// Returns how many people will be looked at.
    pub const fn total(&self) -> u32 {
        self.total
    }

    /// Returns how many people belong to the connection of whom nothing is known that rules could run over: they have never
    /// come through it, or its directory does not manage them.
    pub const fn unknown(&self) -> u32 {
        self.without_claims + self.unreadable
    }

    /// Returns what was found so far.
    pub const fn impact(&self) -> &Impact {
        &self.impact
    }

    /// Says what the connection's guard holds of what was found so far.
    pub fn judgement(&self) -> Judgement {
        let guard = self.edited.connection().settings.strip_guard.as_ref();
        guard::judge(&self.impact, guard)
    }

    /// Looks at the next portion of the people and returns those for whom something would change; none at the end.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn next(&mut self, app: &App) -> Result<Option<Vec<Person>>> {
        let portion = self.load(app).await?;
        let Some(last) = portion.last else {
            return Ok(None);
        };
        self.after = last;
        self.loaded.extend(portion.loaded);
        let mut found = Vec::new();
        for (known, heard) in portion.people {
            let Some(heard) = heard else {
                self.unreadable += 1;
                continue;
            };
            let preview = preview::Preview::new(&self.saved, &self.edited);
            let mut difference = preview.difference(&known, &heard, &self.loaded, &mut self.seats);
            self.cut(&mut difference);
            self.impact.add(&difference);
            if !difference.is_empty() {
                found.push(Person {
                    email: known.account.email.as_ref().map(ToString::to_string),
                    name: known.account.display_name.clone(),
                    row: Row {
                        account: known.account.id,
                        difference,
                    },
                });
            }
        }
        if self.loaded.len() > LOADED {
            self.loaded.clear();
        }
        // Others on this thread want their turn: deciding is work, not waiting.
        tokio::task::yield_now().await;
        Ok(Some(found))
    }

    /// Looks at everybody, for as long as `limit` allows, and hands those for whom something would change to `found`.
    /// Returns whether nobody is left.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn run(
        &mut self,
        app: &App,
        limit: Option<Duration>,
        mut found: impl FnMut(Vec<Person>) + Send,
    ) -> Result<bool> {
        let begun = Instant::now();
        // Looked at between portions too: on SQLite a look-up is a function call, in which no timer gets its turn.
        let looking = async {
            while limit.is_none_or(|limit| begun.elapsed() < limit) {
                match self.next(app).await? {
                    Some(people) => found(people),
                    None => return Ok(true),
                }
            }
            Ok(false)
        };
        match limit {
            None => looking.await,
            Some(limit) => tokio::time::timeout(limit, looking).await.unwrap_or(Ok(false)),
        }
    }

    /// Leaves out what happens in other organizations than the caller's.
    fn cut(&self, difference: &mut Difference) {
        difference
            .organizations
            .retain(|one| self.caller.sees(&one.organization));
        difference.member_of.retain(|id| self.caller.sees(id));
    }

    async fn load(&self, app: &App) -> Result<Portion> {
        let (connection, after) = (self.connection.clone(), self.after.clone());
        let (people, last) = app
            .store
            .read(|reader| {
                Box::pin(async move {
                    match after {
                        After::SignedIn(after) => signed_in(reader, &connection, after.as_ref()).await,
                        After::Managed(after) => managed(reader, &connection, after.as_ref()).await,
                    }
                })
            })
            .await?;
        let compared = preview::Preview::new(&self.saved, &self.edited);
        let mut wanted = BTreeSet::new();
        for (known, heard) in &people {
            if let Some(heard) = heard {
                wanted.extend(compared.organizations(heard, &self.every));
            }
            wanted.extend(known.memberships.iter().map(|held| held.organization.clone()));
        }
        wanted.retain(|id| !self.loaded.contains_key(id));
        let loaded = if wanted.is_empty() {
            Organizations::new()
        } else {
            app.store
                .read(|reader| Box::pin(async move { organizations(reader, wanted).await }))
                .await?
        };
        Ok(Portion { people, loaded, last })
    }
}

/// People with what was last heard of them, and after whom to go on; none at the end.
type Loaded = (Vec<(AccountFacts, Option<Heard>)>, Option<After>);

/// Reads the next people who signed in.
async fn signed_in(
    reader: &mut Reader,
    connection: &ConnectionId,
    after: Option<&AccountId>,
) -> Result<Loaded, StoreError> {
    let page = reader.last_claims_page(connection, after, PORTION).await?;
    let ids: Vec<AccountId> = page.iter().map(|last| last.account.clone()).collect();
    let accounts = reader.account_facts(&ids).await?;
    let last = ids.into_iter().last().map(|id| After::SignedIn(Some(id)));
    Ok((people(connection, &page, accounts), last))
}

/// Reads the next people whom the directory manages.
async fn managed(
    reader: &mut Reader,
    connection: &ConnectionId,
    after: Option<&ManagedPlace>,
) -> Result<Loaded, StoreError> {
    let page = reader.managed_page(connection, after, PORTION).await?;
    let last = page.last().map(|last| After::Managed(Some(last.place.clone())));
    let people = page
        .into_iter()
        .map(|one| {
            let heard = Heard::pushed(connection, &one.known.account, &one.document, &one.groups);
            (one.known, Some(heard))
        })
        .collect();
    Ok((people, last))
}

/// Brings accounts and their last claims together.
fn people(
    connection: &ConnectionId,
    page: &[LastClaims],
    accounts: Vec<AccountFacts>,
) -> Vec<(AccountFacts, Option<Heard>)> {
    let mut accounts: BTreeMap<AccountId, AccountFacts> = accounts
        .into_iter()
        .map(|known| (known.account.id.clone(), known))
        .collect();
    page.iter()
        .filter_map(|last| {
            let known = accounts.remove(&last.account)?;
            let incoming = claims::read_back(connection, &last.claims);
            Some((known, incoming.as_ref().map(Heard::at_sign_in)))
        })
        .collect()
}

async fn organizations(
    reader: &mut Reader,
    wanted: BTreeSet<OrganizationId>,
) -> Result<Organizations, StoreError> {
    let need = Need {
        organizations: OrganizationsNeeded::Ids(wanted.into_iter().collect()),
        ..Need::default()
    };
    let facts = reader.facts(&need).await?;
    Ok(facts
        .organizations
        .into_iter()
        .map(|facts| (facts.organization.id.clone(), facts))
        .collect())
}
