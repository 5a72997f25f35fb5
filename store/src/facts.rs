//! Facts: loads what a [`Need`] asks for and no more, in one round. Never decides.

use std::collections::{BTreeMap, BTreeSet};

use provost_kernel::directory::{ManagedBy, Organization, Subject};
use provost_kernel::domain::{DomainSettings, SignInRule};
use provost_kernel::facts::{
    AccountFacts, CANDIDATES, Facts, KindMeter, LicensePool, Need, OrganizationFacts, OrganizationsNeeded,
};
use provost_kernel::id::{AccountId, OrganizationId};
use provost_kernel::login::rules::{OwnedDomain, SignInFacts, SignInPolicy};

use crate::accounts::{COLUMNS, MEMBERSHIPS, assemble, grants_and_groups_where};
use crate::digest;
use crate::directory::facts::{self as directory, leavers};
use crate::engine::Dialect;
use crate::engine::batch::{Looks, Query, Set};
use crate::error::{Result, StoreError};
use crate::revisions;
use crate::tx::{Reader, Tx};
use crate::value::{Bind, Row, binds, fold, list, parts, word};

/// The key under which a subject is found exactly.
pub(crate) fn subject_key(subject: &Subject) -> String {
    digest::fields(&[&subject.issuer, &subject.format, &subject.value])
}

/// The key under which subjects are found that differ in letter case only.
pub(crate) fn fold_key(subject: &Subject) -> String {
    digest::fields(&[&subject.issuer, &subject.format, &subject.value.to_lowercase()])
}

/// The statement that finds the accounts which a need asks for, with its arguments from `$1` on: `SELECT` of their ids.
struct Wanted {
    sql: String,
    binds: Vec<Bind>,
}

/// What a need searches for, each as a set whose members are answers of their own: who is linked to the subject, the
/// candidates of each search, and those who left.
struct Searches {
    sets: Vec<Set>,
    candidates: usize,
    leavers: bool,
}

impl Searches {
    fn of(need: &Need) -> Self {
        let mut queries = Vec::new();
        if let Some((connection, subject)) = &need.subject {
            let sql = "SELECT account FROM links WHERE connection = $1 AND subject_key = $2";
            queries.push(Query::new(sql, binds![connection, subject_key(subject)]));
        }
        let searches = searches(need);
        let candidates = searches.len();
        queries.extend(
            searches
                .into_iter()
                .map(|(condition, values)| Query::new(search(condition), values)),
        );
        let gone = leavers(need);
        let leavers = gone.is_some();
        queries.extend(gone);
        let sets = queries.into_iter().enumerate().map(|(at, query)| Set {
            name: format!("found_{at}").into(),
            query,
            is_shown: true,
        });
        Self {
            sets: sets.collect(),
            candidates,
            leavers,
        }
    }
}

impl Wanted {
    fn of(need: &Need, found: &Searches) -> Result<Option<Self>> {
        let found = found.sets.iter();
        let mut parts: Vec<String> = found.map(|set| format!("{{members:{}}}", set.name)).collect();
        let mut values = Vec::new();
        if !need.accounts.is_empty() {
            values.push(list(need.accounts.iter().map(AccountId::as_str))?.into());
            parts.push("SELECT id FROM accounts WHERE id IN ({list:$1})".to_owned());
        }
        let wanted = Self {
            sql: parts.join(" UNION "),
            binds: values,
        };
        Ok(Some(wanted).filter(|wanted| !wanted.sql.is_empty()))
    }

    fn set(self) -> Set {
        Set::unseen(PEOPLE, Query::new(self.sql, self.binds))
    }
}

/// Names of the sets of a look-up for facts.
const PEOPLE: &str = "wanted_people";
const ORGANIZATIONS: &str = "wanted_organizations";

/// Writes a look-up of which `{wanted}` are the people.
fn of_people(sql: &str) -> Query {
    Query::new(sql.replace("{wanted}", "({set:wanted_people})"), Vec::new())
}

/// The searches for candidates: a condition with arguments from `$1` on.
fn searches(need: &Need) -> Vec<(&'static str, Vec<Bind>)> {
    let mut searches = Vec::new();
    if let Some((connection, id)) = &need.external_id {
        searches.push(("connection = $1 AND external_id = $2", binds![connection, id]));
    }
    for (connection, name) in need.user_name.iter().chain(&need.directory.user_names) {
        searches.push((
            "connection = $1 AND user_name_key = $2",
            binds![connection, fold(name)],
        ));
    }
    // Last, because many connections may know one address, and the others must not be cut off by that.
    if let Some(key) = &need.email_key {
        searches.push(("email_key = $1", binds![key]));
    }
    searches
}

fn search(condition: &str) -> String {
    format!("SELECT id FROM accounts WHERE {condition} AND deleted = 0 ORDER BY id LIMIT {CANDIDATES}")
}

impl Tx {
    /// Loads facts like [`Reader::facts`]. Where groups of accounts are asked for, the accounts asked for by id stay locked
    /// until the transaction ends, and their groups are read after that.
    ///
    /// Rules look at all groups of a person, while two writers may change two different groups. Each would see a reason to
    /// leave things as they are, and nobody would take back what neither group gives any more.
    ///
    /// # Errors
    /// `engine`, `corrupt` and `busy`.
    pub async fn facts(&mut self, need: &Need) -> Result<Facts> {
        Ok(self.facts_and_revision(need, "").await?.0)
    }

    /// As [`Self::facts`], with the revision of `name` at the same moment.
    ///
    /// # Errors
    /// As [`Self::facts`].
    pub async fn facts_and_revision(&mut self, need: &Need, name: &str) -> Result<(Facts, i64)> {
        if need.directory.groups_of_accounts {
            self.hold_accounts(&need.accounts).await?;
        }
        let (mut facts, revision) = Reader::facts_and_revision(self, need, name).await?;
        if need.sign_in.emergency && self.conn().dialect() == Dialect::Postgres && has_emergency_admin(&facts)
        {
            // Two writers may each take one of the last two emergency admins, or one the last while another one begins to
            // demand single sign-on: they wait for each other here, and whoever comes second looks again.
            let ids = list(
                facts
                    .organizations
                    .iter()
                    .map(|known| known.organization.id.as_str()),
            )?;
            let sql = "SELECT id FROM organizations WHERE id IN ({list:$1}) ORDER BY id{lock}";
            self.rows(sql, binds![ids]).await?;
            // What roles may do and who manages is changed under the same lock.
            for known in &mut facts.organizations {
                known.roles = self.roles(&known.organization.id).await?;
                if let Some(record) = self.organization(&known.organization.id).await? {
                    known.organization = record.organization;
                }
            }
            facts.sign_in.emergency = self.emergency_facts(&facts).await?;
        }
        Ok((facts, revision))
    }
}

/// Tells whether one of the people found is an emergency admin.
fn has_emergency_admin(found: &Facts) -> bool {
    found
        .accounts
        .iter()
        .chain(&found.candidates)
        .any(|known| known.account.emergency_admin)
}

impl Reader {
    /// Loads facts. Candidates never include deleted accounts, since these free their address and names; accounts asked
    /// for by id or found by subject are returned in whatever state.
    ///
    /// Departures are not among the facts, since they depend on the time: see [`Self::departures`].
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn facts(&mut self, need: &Need) -> Result<Facts> {
        Ok(self.facts_and_revision(need, "").await?.0)
    }

    /// As [`Self::facts`], with the revision of `name` at the same moment.
    ///
    /// # Errors
    /// As [`Self::facts`].
    pub async fn facts_and_revision(&mut self, need: &Need, name: &str) -> Result<(Facts, i64)> {
        let searches = Searches::of(need);
        let wanted = Wanted::of(need, &searches)?;
        let mut queries = vec![revisions::query(name)];
        // Each costs a round trip on PostgreSQL, so all of it comes in one.
        queries.extend(near_query(need));
        let any_people = wanted.is_some();
        if any_people {
            queries.extend(account_queries());
        }
        let (organizations_wanted, of_organizations) = organization_queries(&need.organizations, any_people)?;
        queries.extend(of_organizations);
        queries.extend(directory::queries(
            &need.directory,
            any_people.then_some(of_people),
        )?);
        let looks = Looks {
            sets: searches
                .sets
                .into_iter()
                .chain(wanted.map(Wanted::set))
                .chain(organizations_wanted)
                .collect(),
            ..Looks::from(queries)
        };
        let mut found = self.look(looks).await?.into_iter();
        let mut next = || found.next().ok_or(StoreError::Corrupt("parts"));
        let exact = match &need.subject {
            Some(_) => next()?,
            None => Vec::new(),
        };
        let mut candidates = Vec::new();
        for _ in 0..searches.candidates {
            for id in ids(next()?)? {
                if !candidates.contains(&id) && candidates.len() < CANDIDATES {
                    candidates.push(id);
                }
            }
        }
        let leavers = if searches.leavers {
            ids(next()?)?
        } else {
            Vec::new()
        };
        let revision = revisions::read(next()?)?;
        let (linked, near_subjects) = match &need.subject {
            Some((_, subject)) => linked(subject, exact, next()?)?,
            None => (None, Vec::new()),
        };
        let accounts = if any_people {
            assemble([next()?, next()?, next()?, next()?])?
        } else {
            BTreeMap::new()
        };
        let organizations = organizations(next()?, next()?)?;
        let of_people = need.accounts.iter().chain(&candidates).chain(&leavers);
        let of_people = of_people
            .filter(|id| accounts.contains_key(id))
            .cloned()
            .collect();
        let mut directory = directory::read(&need.directory, &of_people, any_people, next)?;
        self.add_members_to(&mut directory, &need.directory).await?;
        let asked: BTreeSet<&AccountId> = need.accounts.iter().collect();
        let pick = |id: &AccountId| accounts.get(id).cloned();
        directory.leavers = leavers.iter().filter_map(pick).collect();
        let facts = Facts {
            accounts: asked.into_iter().filter_map(pick).collect(),
            linked: linked.as_ref().and_then(pick),
            near_subjects,
            candidates: candidates.iter().filter_map(pick).collect(),
            organizations,
            directory,
            strips: BTreeMap::new(),
            sign_in: SignInFacts::default(),
            local_groups: self.local_groups(&need.local_groups).await?,
        };
        let sign_in = self.sign_in_facts(need, &facts).await?;
        Ok((Facts { sign_in, ..facts }, revision))
    }

    /// Reads what organizations demand of passwords; who demands nothing is absent.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn sign_in_policies(
        &mut self,
        organizations: &[OrganizationId],
    ) -> Result<BTreeMap<OrganizationId, SignInPolicy>> {
        let mut policies = BTreeMap::new();
        let ids = list(organizations.iter().map(OrganizationId::as_str))?;
        let sql = "SELECT id, settings FROM organizations WHERE id IN ({list:$1})";
        for mut row in self.rows(sql, binds![ids]).await? {
            let id = OrganizationId::new(row.text("organizations.id")?);
            let policy = SignInPolicy::read(&row.json("organizations.settings")?);
            if policy != SignInPolicy::default() {
                policies.insert(id, policy);
            }
        }
        Ok(policies)
    }

    /// Finds the emergency admins of those of the organizations found that demand single sign-on. Costs nothing where none of
    /// the people found is one, which is nearly always.
    async fn emergency_facts(&mut self, found: &Facts) -> Result<BTreeMap<OrganizationId, Vec<AccountId>>> {
        let mut holders = BTreeMap::new();
        if !has_emergency_admin(found) {
            return Ok(holders);
        }
        let ids: Vec<OrganizationId> = found
            .organizations
            .iter()
            .map(|known| known.organization.id.clone())
            .collect();
        let ids_list = list(ids.iter().map(OrganizationId::as_str))?;
        for (id, policy) in self.sign_in_policies(&ids).await? {
            if policy.sso == SignInRule::Required {
                holders.insert(id, Vec::new());
            }
        }
        let sql = "SELECT organization, settings FROM domains WHERE organization IN ({list:$1}) AND verified_at IS NOT NULL";
        for mut row in self.rows(sql, binds![&ids_list]).await? {
            let organization = OrganizationId::new(row.text("domains.organization")?);
            let settings = DomainSettings::read(&row.json("domains.settings")?);
            if settings.sign_in == SignInRule::Required {
                holders.entry(organization).or_default();
            }
        }
        if holders.is_empty() {
            return Ok(holders);
        }
        let sql = "SELECT m.organization, m.account, g.role FROM accounts a JOIN memberships m ON m.account = a.id AND m.active = 1 \
                   JOIN membership_roles g ON g.account = m.account AND g.organization = m.organization \
                   WHERE m.organization IN ({list:$1}) AND a.emergency_admin = 1 AND a.connection IS NULL \
                   AND a.status = 'active' ORDER BY m.organization, m.account";
        for mut row in self.rows(sql, binds![ids_list]).await? {
            let organization = OrganizationId::new(row.text("memberships.organization")?);
            let account = AccountId::new(row.text("memberships.account")?);
            let role = row.text("membership_roles.role")?;
            let manages = found
                .organizations
                .iter()
                .filter(|known| known.organization.id == organization)
                .flat_map(|known| {
                    known
                        .roles
                        .iter()
                        .map(|role| (role, known.organization.managed_by))
                })
                .any(|(known, managers)| known.manages(managers) && known.id.as_str() == role);
            if let Some(known) = holders.get_mut(&organization).filter(|_| manages)
                && !known.contains(&account)
            {
                known.push(account);
            }
        }
        Ok(holders)
    }

    /// Loads what organizations demand of passwords and who has domains. Costs nothing where it is not asked for, as in
    /// sign-ins through identity providers.
    async fn sign_in_facts(&mut self, need: &Need, found: &Facts) -> Result<SignInFacts> {
        let mut facts = SignInFacts::default();
        if need.sign_in.policies && !found.organizations.is_empty() {
            let ids: Vec<OrganizationId> = found
                .organizations
                .iter()
                .map(|known| known.organization.id.clone())
                .collect();
            facts.policies = self.sign_in_policies(&ids).await?;
        }
        if !need.sign_in.domains.is_empty() {
            let names = list(&need.sign_in.domains)?;
            let sql = "SELECT name, organization, settings FROM domains WHERE name IN ({list:$1}) AND verified_at IS NOT NULL";
            for mut row in self.rows(sql, binds![names]).await? {
                let name = row.text("domains.name")?;
                let organization = OrganizationId::new(row.text("domains.organization")?);
                let settings = DomainSettings::read(&row.json("domains.settings")?);
                facts.domains.insert(
                    name,
                    OwnedDomain {
                        organization,
                        settings,
                    },
                );
            }
        }
        if need.sign_in.emergency {
            facts.emergency = self.emergency_facts(found).await?;
        }
        Ok(facts)
    }

    /// Loads accounts with links and memberships by id, in order of id.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn account_facts(&mut self, ids: &[AccountId]) -> Result<Vec<AccountFacts>> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let wanted = Wanted {
            sql: "SELECT id FROM accounts WHERE id IN ({list:$1})".to_owned(),
            binds: binds![list(ids.iter().map(AccountId::as_str))?],
        };
        let looks = Looks {
            sets: vec![wanted.set()],
            ..Looks::from(Vec::from(account_queries()))
        };
        let found = self.look(looks).await?;
        Ok(assemble(parts(found)?)?.into_values().collect())
    }
}

fn ids(rows: Vec<Row>) -> Result<Vec<AccountId>> {
    rows.into_iter()
        .map(|mut row| Ok(AccountId::new(row.text("accounts.id")?)))
        .collect()
}

/// Looks for subjects that differ from the one asked for in letter case only.
fn near_query(need: &Need) -> Option<Query> {
    let (connection, subject) = need.subject.as_ref()?;
    let sql = "SELECT subject FROM links WHERE connection = $1 AND fold_key = $2 ORDER BY subject LIMIT 20";
    Some(Query::new(sql, binds![connection, fold_key(subject)]))
}

fn linked(subject: &Subject, exact: Vec<Row>, near: Vec<Row>) -> Result<(Option<AccountId>, Vec<String>)> {
    let mut exact = exact.into_iter();
    let linked = exact
        .next()
        .map(|mut row| row.text("links.account"))
        .transpose()?;
    let mut values = Vec::new();
    for mut row in near {
        let value = row.text("links.subject")?;
        if value != subject.value {
            values.push(value);
        }
    }
    Ok((linked.map(AccountId::new), values))
}

/// Looks for accounts with links, memberships and grants.
fn account_queries() -> [Query; 4] {
    [
        of_people(&format!("{COLUMNS} WHERE a.id IN {{wanted}}")),
        of_people(
            "SELECT account, connection, issuer, format, subject FROM links WHERE account IN {wanted} \
             ORDER BY account, created_at, connection, subject_key",
        ),
        of_people(&format!("{MEMBERSHIPS} WHERE account IN {{wanted}}")),
        of_people(&grants_and_groups_where("g.account IN {wanted}")),
    ]
}

/// Looks for organizations with what they hand out, and for the first two owners of each, which suffices to know
/// whether somebody is the last one.
fn organization_queries(needed: &OrganizationsNeeded, any_people: bool) -> Result<(Option<Set>, [Query; 2])> {
    let ids = match needed {
        OrganizationsNeeded::All => return Ok((None, organizations_where(["", "", ""]))),
        OrganizationsNeeded::None => &[][..],
        OrganizationsNeeded::Ids(ids) => ids.as_slice(),
    };
    let mut within = Vec::new();
    if any_people {
        within.push("SELECT organization FROM memberships WHERE account IN ({set:wanted_people})");
    }
    within.push("SELECT id FROM organizations WHERE id IN ({list:$1})");
    let set = Set::unseen(
        ORGANIZATIONS,
        Query::new(
            within.join(" UNION "),
            binds![list(ids.iter().map(OrganizationId::as_str))?],
        ),
    );
    let queries = organizations_where([
        "WHERE id IN ({set:wanted_organizations})",
        "WHERE organization IN ({set:wanted_organizations})",
        "AND r.organization IN ({set:wanted_organizations})",
    ]);
    Ok((Some(set), queries))
}

fn organizations_where([is_one, of_one, owned]: [&str; 3]) -> [Query; 2] {
    // `part` says what a row is and brings organizations first.
    let all = format!(
        "SELECT {ORGANIZATION} AS part, id AS organization, CAST(0 AS BIGINT) AS position, id, name AS document, \
         roles_per_member AS word, CASE managed_by WHEN 'owners' THEN CAST(1 AS BIGINT) ELSE CAST(0 AS BIGINT) END AS used \
         FROM organizations {is_one} \
         UNION ALL SELECT {ROLE}, organization, position, id, document, '', 0 FROM roles {of_one} \
         UNION ALL SELECT {WORKSPACE}, organization, position, id, document, '', 0 FROM workspaces {of_one} \
         UNION ALL SELECT {LICENSE}, organization, position, id, document, '', used FROM licenses {of_one} \
         UNION ALL SELECT {KIND}, organization, COALESCE(seats, -1), kind, '', '', used FROM seat_kinds {of_one} \
         ORDER BY 1, 2, 3, 4"
    );
    let owners = format!(
        "SELECT r.organization, ({HOLDERS} LIMIT 1) AS first, ({HOLDERS} LIMIT 1 OFFSET 1) AS second \
         FROM roles r WHERE r.is_owner = 1 {owned}"
    );
    [Query::new(all, Vec::new()), Query::new(owners, Vec::new())]
}

fn organizations(rows: Vec<Row>, owners: Vec<Row>) -> Result<Vec<OrganizationFacts>> {
    let mut found: BTreeMap<OrganizationId, OrganizationFacts> = BTreeMap::new();
    for row in rows {
        add_part(&mut found, row)?;
    }
    for mut row in owners {
        let Some(facts) = found.get_mut(&OrganizationId::new(row.text("owners.organization")?)) else {
            continue;
        };
        for what in ["owners.first", "owners.second"] {
            facts.owners.extend(row.opt_text(what)?.map(AccountId::new));
        }
        // Several roles may make owners.
        facts.owners.sort();
        facts.owners.dedup();
        facts.owners.truncate(2);
    }
    Ok(found.into_values().collect())
}

/// Parts of the statement that loads organizations, typed because PostgreSQL wants to know.
const ORGANIZATION: &str = "CAST(0 AS BIGINT)";
const ROLE: &str = "1";
const WORKSPACE: &str = "2";
const LICENSE: &str = "3";
/// Seats of a kind of account; the position is the limit, below 0 where there is none.
const KIND: &str = "4";

/// The active holders of one role `r`. Two equalities lead to the index `membership_roles_role` whatever the planner
/// knows of the tables, and the conditions are subqueries because it cannot reorder those: as a join, a PostgreSQL that
/// planned it while the tables were small went through every member at every sign-in.
const HOLDERS: &str = "SELECT g.account FROM membership_roles g WHERE g.organization = r.organization AND g.role = r.id \
    AND (SELECT m.active FROM memberships m WHERE m.account = g.account AND m.organization = g.organization) = 1 \
    AND (SELECT a.status FROM accounts a WHERE a.id = g.account) = 'active' ORDER BY g.account";

fn add_part(found: &mut BTreeMap<OrganizationId, OrganizationFacts>, mut row: Row) -> Result<()> {
    let part = row.int("organizations.part")?;
    let organization = OrganizationId::new(row.text("organizations.id")?);
    let (position, id) = (row.int("organizations.position")?, row.text("organizations.id")?);
    if part == 0 {
        let organization = Organization {
            id: organization,
            name: row.text("organizations.name")?,
            roles_per_member: row.word("organizations.roles_per_member")?,
            // Told as a number, because the parts of the statement share their columns.
            managed_by: if row.flag("organizations.managed_by")? {
                ManagedBy::Owners
            } else {
                ManagedBy::OwnersAndAdmins
            },
        };
        found.insert(organization.id.clone(), empty(organization));
        return Ok(());
    }
    let Some(facts) = found.get_mut(&organization) else {
        return Ok(());
    };
    match part {
        1 => facts.roles.push(row.json("roles.document")?),
        2 => facts.workspaces.push(row.json("workspaces.document")?),
        3 => {
            let license = row.json("licenses.document")?;
            row.text("licenses.word")?;
            let used = row.count("licenses.used")?;
            facts.licenses.push(LicensePool { license, used });
        }
        4 => {
            let kind = word(id, "seat_kinds.kind")?;
            let (document, word) = (row.text("seat_kinds")?, row.text("seat_kinds")?);
            debug_assert!(document.is_empty() && word.is_empty(), "a kind has neither");
            let limit = u32::try_from(position).ok();
            let used = row.count("seat_kinds.used")?;
            facts.kinds.insert(kind, KindMeter { limit, used });
        }
        _ => return Err(StoreError::Corrupt("organizations.part")),
    }
    Ok(())
}

fn empty(organization: Organization) -> OrganizationFacts {
    OrganizationFacts {
        organization,
        roles: Vec::new(),
        workspaces: Vec::new(),
        licenses: Vec::new(),
        kinds: BTreeMap::new(),
        owners: Vec::new(),
    }
}
