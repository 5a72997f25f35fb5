//! Facts: loads what a [`Need`] asks for and no more, in a fixed number of statements. Never decides.

use std::collections::{BTreeMap, BTreeSet};

use provost_kernel::directory::{Organization, Subject};
use provost_kernel::facts::{
    AccountFacts, CANDIDATES, Facts, LicensePool, Need, OrganizationFacts, OrganizationsNeeded,
};
use provost_kernel::id::{AccountId, ConnectionId, OrganizationId};

use crate::digest;
use crate::error::Result;
use crate::tx::Reader;
use crate::value::{Bind, binds, list};

/// The key under which a subject is found exactly.
pub(crate) fn subject_key(subject: &Subject) -> String {
    digest::fields(&[&subject.issuer, &subject.format, &subject.value])
}

/// The key under which subjects are found that differ in letter case only.
pub(crate) fn fold_key(subject: &Subject) -> String {
    digest::fields(&[&subject.issuer, &subject.format, &subject.value.to_lowercase()])
}

impl Reader {
    /// Loads facts. Candidates never include deleted accounts, since these free their address and names; accounts asked
    /// for by id or found by subject are returned in whatever state.
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
        if let Some(key) = &need.email_key {
            searches.push(("email_key = $1", binds![key]));
        }
        if let Some((connection, id)) = &need.external_id {
            searches.push(("connection = $1 AND external_id = $2", binds![connection, id]));
        }
        if let Some((connection, name)) = &need.user_name {
            searches.push((
                "connection = $1 AND user_name_key = $2",
                binds![connection, name.to_lowercase()],
            ));
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

    /// Loads organizations (`None`: all) with what they hand out, in five statements.
    async fn organization_facts(&mut self, ids: Option<String>) -> Result<Vec<OrganizationFacts>> {
        let within = |column: &str| match &ids {
            Some(_) => format!("WHERE {column} IN ({{list:$1}})"),
            None => String::new(),
        };
        let values = || ids.iter().map(Bind::from).collect::<Vec<_>>();
        let mut found: BTreeMap<OrganizationId, OrganizationFacts> = BTreeMap::new();
        let sql = format!(
            "SELECT id, name, roles_per_member FROM organizations {}",
            within("id")
        );
        for mut row in self.rows(&sql, values()).await? {
            let organization = Organization {
                id: OrganizationId::new(row.text("organizations.id")?),
                name: row.text("organizations.name")?,
                roles_per_member: row.word("organizations.roles_per_member")?,
            };
            found.insert(organization.id.clone(), empty(organization));
        }
        let sql = format!(
            "SELECT organization, document FROM roles {} ORDER BY organization, position, id",
            within("organization")
        );
        for mut row in self.rows(&sql, values()).await? {
            if let Some(facts) = found.get_mut(&OrganizationId::new(row.text("roles.organization")?)) {
                facts.roles.push(row.json("roles.document")?);
            }
        }
        let sql = format!(
            "SELECT organization, document FROM workspaces {} ORDER BY organization, position, id",
            within("organization")
        );
        for mut row in self.rows(&sql, values()).await? {
            if let Some(facts) = found.get_mut(&OrganizationId::new(row.text("workspaces.organization")?)) {
                facts.workspaces.push(row.json("workspaces.document")?);
            }
        }
        let sql = format!(
            "SELECT organization, document, used FROM licenses {} ORDER BY organization, position, id",
            within("organization")
        );
        for mut row in self.rows(&sql, values()).await? {
            if let Some(facts) = found.get_mut(&OrganizationId::new(row.text("licenses.organization")?)) {
                let license = row.json("licenses.document")?;
                facts.licenses.push(LicensePool {
                    license,
                    used: row.count("licenses.used")?,
                });
            }
        }
        self.add_owners(&mut found, &within("g.organization"), values())
            .await?;
        Ok(found.into_values().collect())
    }

    async fn add_owners(
        &mut self,
        found: &mut BTreeMap<OrganizationId, OrganizationFacts>,
        within: &str,
        values: Vec<Bind>,
    ) -> Result<()> {
        let sql = format!(
            "SELECT organization, account FROM (SELECT o.organization, o.account, ROW_NUMBER() OVER \
             (PARTITION BY o.organization ORDER BY o.account) AS place FROM (SELECT DISTINCT g.organization, g.account \
             FROM membership_roles g \
             JOIN roles r ON r.organization = g.organization AND r.id = g.role AND r.is_owner = 1 \
             JOIN memberships m ON m.account = g.account AND m.organization = g.organization AND m.active = 1 \
             JOIN accounts a ON a.id = g.account AND a.status = 'active' {within}) o) ranked \
             WHERE place <= 2 ORDER BY organization, account"
        );
        for mut row in self.rows(&sql, values).await? {
            if let Some(facts) = found.get_mut(&OrganizationId::new(row.text("owners.organization")?)) {
                facts.owners.push(AccountId::new(row.text("owners.account")?));
            }
        }
        Ok(())
    }
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
