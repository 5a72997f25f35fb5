//! Facts: loads what a [`Need`] asks for and no more, in a fixed number of statements. Never decides.

use std::collections::{BTreeMap, BTreeSet};

use provost_kernel::directory::{Organization, Subject};
use provost_kernel::facts::{
    AccountFacts, CANDIDATES, Facts, LicensePool, Need, OrganizationFacts, OrganizationsNeeded,
};
use provost_kernel::id::{AccountId, ConnectionId, OrganizationId, RoleId};

use crate::digest;
use crate::engine::Dialect;
use crate::error::{Result, StoreError};
use crate::tx::{Reader, Tx};
use crate::value::{Bind, Row, binds, fold, list};

/// The key under which a subject is found exactly.
pub(crate) fn subject_key(subject: &Subject) -> String {
    digest::fields(&[&subject.issuer, &subject.format, &subject.value])
}

/// The key under which subjects are found that differ in letter case only.
pub(crate) fn fold_key(subject: &Subject) -> String {
    digest::fields(&[&subject.issuer, &subject.format, &subject.value.to_lowercase()])
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
        if need.directory.groups_of_accounts && self.conn().dialect() == Dialect::Postgres {
            // In one order, so that two changes of many people do not wait for each other.
            let sql = "SELECT id FROM accounts WHERE id IN ({list:$1}) ORDER BY id{lock}";
            let ids = list(need.accounts.iter().map(AccountId::as_str))?;
            self.account_ids(sql, binds![ids]).await?;
        }
        Reader::facts(self, need).await
    }
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
        let (linked, near_subjects) = match &need.subject {
            Some((connection, subject)) => self.linked(connection, subject).await?,
            None => (None, Vec::new()),
        };
        let candidates = self.candidate_ids(need).await?;
        let mut wanted: BTreeSet<AccountId> = need.accounts.iter().cloned().collect();
        wanted.extend(linked.clone());
        wanted.extend(candidates.iter().cloned());
        let leavers = self.leaver_ids(need).await?;
        wanted.extend(leavers.iter().cloned());
        let wanted: Vec<AccountId> = wanted.into_iter().collect();
        let found: BTreeMap<AccountId, AccountFacts> = self
            .account_facts(&wanted)
            .await?
            .into_iter()
            .map(|facts| (facts.account.id.clone(), facts))
            .collect();
        let organizations = match &need.organizations {
            OrganizationsNeeded::All => self.organization_facts(None).await?,
            OrganizationsNeeded::None => self.organizations_with(&[], &found).await?,
            OrganizationsNeeded::Ids(ids) => self.organizations_with(ids, &found).await?,
        };
        let of_people: BTreeSet<AccountId> = need
            .accounts
            .iter()
            .chain(&candidates)
            .chain(&leavers)
            .filter(|id| found.contains_key(id))
            .cloned()
            .collect();
        let mut directory = self.directory_facts(&need.directory, of_people).await?;
        directory.leavers = leavers.iter().filter_map(|id| found.get(id).cloned()).collect();
        let asked: BTreeSet<&AccountId> = need.accounts.iter().collect();
        Ok(Facts {
            accounts: asked
                .into_iter()
                .filter_map(|id| found.get(id).cloned())
                .collect(),
            linked: linked.and_then(|id| found.get(&id).cloned()),
            near_subjects,
            candidates: candidates
                .iter()
                .filter_map(|id| found.get(id).cloned())
                .collect(),
            organizations,
            directory,
            strips: BTreeMap::new(),
        })
    }

    async fn linked(
        &mut self,
        connection: &ConnectionId,
        subject: &Subject,
    ) -> Result<(Option<AccountId>, Vec<String>)> {
        let sql = "SELECT account, subject, subject_key FROM links WHERE connection = $1 AND fold_key = $2 \
                   ORDER BY subject LIMIT 20";
        let exact = subject_key(subject);
        let (mut linked, mut near) = (None, Vec::new());
        for mut row in self.rows(sql, binds![connection, fold_key(subject)]).await? {
            let (account, value) = (row.text("links.account")?, row.text("links.subject")?);
            if row.text("links.subject_key")? == exact {
                linked = Some(AccountId::new(account));
            } else {
                near.push(value);
            }
        }
        if linked.is_none() && !near.is_empty() {
            // More than twenty spellings: the exact one may lie beyond them.
            let sql = "SELECT account FROM links WHERE connection = $1 AND subject_key = $2";
            linked = self
                .account_ids(sql, binds![connection, exact])
                .await?
                .into_iter()
                .next();
        }
        Ok((linked, near))
    }

    async fn candidate_ids(&mut self, need: &Need) -> Result<Vec<AccountId>> {
        let mut searches: Vec<(&str, Vec<Bind>)> = Vec::new();
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
        let mut ids = Vec::new();
        for (condition, values) in searches {
            let sql = format!(
                "SELECT id FROM accounts WHERE {condition} AND status <> 'deleted' ORDER BY id LIMIT 20"
            );
            for id in self.account_ids(&sql, values).await? {
                if !ids.contains(&id) && ids.len() < CANDIDATES {
                    ids.push(id);
                }
            }
        }
        Ok(ids)
    }

    async fn organizations_with(
        &mut self,
        ids: &[OrganizationId],
        accounts: &BTreeMap<AccountId, AccountFacts>,
    ) -> Result<Vec<OrganizationFacts>> {
        let mut wanted: BTreeSet<&OrganizationId> = ids.iter().collect();
        wanted.extend(
            accounts
                .values()
                .flat_map(|facts| &facts.memberships)
                .map(|membership| &membership.organization),
        );
        if wanted.is_empty() {
            return Ok(Vec::new());
        }
        let ids = list(wanted.into_iter().map(OrganizationId::as_str))?;
        self.organization_facts(Some(ids)).await
    }

    /// Loads organizations (`None`: all) with what they hand out: one statement for all of it, and the owners.
    async fn organization_facts(&mut self, ids: Option<String>) -> Result<Vec<OrganizationFacts>> {
        let (within, having) = match &ids {
            Some(_) => ("WHERE organization IN ({list:$1})", "WHERE id IN ({list:$1})"),
            None => ("", ""),
        };
        // Each statement costs a change of threads (SQLite) or a round trip (PostgreSQL), so the parts come together;
        // `part` says what a row is and brings organizations first.
        let sql = format!(
            "SELECT {ORGANIZATION} AS part, id AS organization, CAST(0 AS BIGINT) AS position, id, name AS document, \
             roles_per_member AS word, CAST(0 AS BIGINT) AS used FROM organizations {having} \
             UNION ALL SELECT {ROLE}, organization, position, id, document, '', 0 FROM roles {within} \
             UNION ALL SELECT {WORKSPACE}, organization, position, id, document, '', 0 FROM workspaces {within} \
             UNION ALL SELECT {LICENSE}, organization, position, id, document, '', used FROM licenses {within} \
             ORDER BY 1, 2, 3, 4"
        );
        let mut found: BTreeMap<OrganizationId, OrganizationFacts> = BTreeMap::new();
        for row in self.rows(&sql, ids.iter().map(Bind::from).collect()).await? {
            add_part(&mut found, row)?;
        }
        self.add_owners(&mut found, ids).await?;
        Ok(found.into_values().collect())
    }

    /// Adds the first two owners of each organization, which suffices to know whether somebody is the last one.
    async fn add_owners(
        &mut self,
        found: &mut BTreeMap<OrganizationId, OrganizationFacts>,
        ids: Option<String>,
    ) -> Result<()> {
        let owner_roles: Vec<(OrganizationId, RoleId)> = found
            .values()
            .flat_map(|facts| facts.roles.iter().map(|role| (&facts.organization.id, role)))
            .filter(|(_, role)| role.owner)
            .map(|(organization, role)| (organization.clone(), role.id.clone()))
            .collect();
        if owner_roles.len() > FEW_OWNER_ROLES {
            return self.add_owners_of_many(found, ids).await;
        }
        for (organization, role) in owner_roles {
            let holders = self.account_ids(HOLDERS, binds![&organization, &role]).await?;
            if let Some(facts) = found.get_mut(&organization) {
                facts.owners.extend(holders);
                facts.owners.sort();
                facts.owners.dedup();
                facts.owners.truncate(2);
            }
        }
        Ok(())
    }

    async fn add_owners_of_many(
        &mut self,
        found: &mut BTreeMap<OrganizationId, OrganizationFacts>,
        ids: Option<String>,
    ) -> Result<()> {
        let within = match &ids {
            Some(_) => "AND r.organization IN ({list:$1})",
            None => "",
        };
        // SQLite keeps to the order of a CROSS JOIN: from the few owner roles, never through all that members hold.
        let sql = format!(
            "SELECT organization, account FROM (SELECT o.organization, o.account, ROW_NUMBER() OVER \
             (PARTITION BY o.organization ORDER BY o.account) AS place FROM (SELECT DISTINCT g.organization, g.account \
             FROM roles r CROSS JOIN membership_roles g \
             JOIN memberships m ON m.account = g.account AND m.organization = g.organization AND m.active = 1 \
             JOIN accounts a ON a.id = g.account AND a.status = 'active' \
             WHERE r.is_owner = 1 AND g.organization = r.organization AND g.role = r.id {within}) o) ranked \
             WHERE place <= 2 ORDER BY organization, account"
        );
        for mut row in self.rows(&sql, ids.iter().map(Bind::from).collect()).await? {
            if let Some(facts) = found.get_mut(&OrganizationId::new(row.text("owners.organization")?)) {
                facts.owners.push(AccountId::new(row.text("owners.account")?));
            }
        }
        Ok(())
    }
}

/// Parts of the statement that loads organizations, typed because PostgreSQL wants to know.
const ORGANIZATION: &str = "CAST(0 AS BIGINT)";
const ROLE: &str = "1";
const WORKSPACE: &str = "2";
const LICENSE: &str = "3";

/// Up to how many owner roles are asked about one by one.
const FEW_OWNER_ROLES: usize = 8;

/// The first two active holders of one role. Two equalities lead to the index `membership_roles_role` whatever the
/// planner knows of the tables, and the conditions are subqueries because it cannot reorder those: as a join, a
/// PostgreSQL that planned it while the tables were small went through every member at every sign-in.
const HOLDERS: &str = "SELECT g.account FROM membership_roles g WHERE g.organization = $1 AND g.role = $2 \
    AND (SELECT m.active FROM memberships m WHERE m.account = g.account AND m.organization = g.organization) = 1 \
    AND (SELECT a.status FROM accounts a WHERE a.id = g.account) = 'active' ORDER BY g.account LIMIT 2";

fn add_part(found: &mut BTreeMap<OrganizationId, OrganizationFacts>, mut row: Row) -> Result<()> {
    let part = row.int("organizations.part")?;
    let organization = OrganizationId::new(row.text("organizations.id")?);
    let (_position, _id) = (row.int("organizations.position")?, row.text("organizations.id")?);
    if part == 0 {
        let organization = Organization {
            id: organization,
            name: row.text("organizations.name")?,
            roles_per_member: row.word("organizations.roles_per_member")?,
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
        owners: Vec::new(),
    }
}
