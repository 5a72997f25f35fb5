//! Claims of domains: how they stand, which look-ups are due, and what relies on them. Never looks anything up in DNS.
//!
//! `domains.verified_at` says what is in force and its unique index is the last judge of who has a name; the rest of a claim is
//! beside it.

use jiff::Timestamp;
use provost_kernel::domain::{Claim, DomainMethod, DomainState};
use provost_kernel::facts::AccountFacts;
use provost_kernel::id::{AccountId, ConnectionId, OrganizationId};

use crate::engine::Dialect;
use crate::error::Result;
use crate::organizations::DomainRecord;
use crate::tx::{Reader, Tx};
use crate::value::{Row, binds, json, to_word};

/// A domain of an organization with how its claim stands.
#[derive(Clone, Debug, PartialEq)]
pub struct DomainClaim {
    /// Name, token, settings.
    pub domain: DomainRecord,
    /// How it stands.
    pub claim: Claim,
    /// Connections that served the domain when it was lost.
    pub lapsed: Vec<ConnectionId>,
}

const SELECT: &str = "SELECT d.organization, d.name, d.token, d.verified_at, d.settings, d.created_at, c.state, c.method, \
                      c.claimed_at, c.checked_at, c.problem, c.misses, c.failing_since, c.next_at, c.lapsed \
                      FROM domains d LEFT JOIN domain_claims c ON c.organization = d.organization AND c.name = d.name";

impl Reader {
    /// Lists an organization's domains by name.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn domain_claims(&mut self, organization: &OrganizationId) -> Result<Vec<DomainClaim>> {
        let sql = format!("{SELECT} WHERE d.organization = $1 ORDER BY d.name");
        let rows = self.rows(&sql, binds![organization]).await?;
        rows.into_iter().map(claim).collect()
    }

    /// Finds one domain of an organization.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn domain_claim(
        &mut self,
        organization: &OrganizationId,
        name: &str,
    ) -> Result<Option<DomainClaim>> {
        let sql = format!("{SELECT} WHERE d.organization = $1 AND d.name = $2");
        self.row(&sql, binds![organization, name])
            .await?
            .map(claim)
            .transpose()
    }

    /// Lists everybody's claims of one name.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn claims_of_name(&mut self, name: &str) -> Result<Vec<DomainClaim>> {
        let sql = format!("{SELECT} WHERE d.name = $1 ORDER BY d.organization");
        self.rows(&sql, binds![name])
            .await?
            .into_iter()
            .map(claim)
            .collect()
    }

    /// Lists claims whose look-up is due, the longest overdue first.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn due_domains(&mut self, now: Timestamp, limit: u32) -> Result<Vec<DomainClaim>> {
        let sql =
            format!("{SELECT} WHERE c.next_at <= $1 ORDER BY c.next_at, d.organization, d.name LIMIT $2");
        let rows = self.rows(&sql, binds![now, limit]).await?;
        rows.into_iter().map(claim).collect()
    }

    /// Lists the connections that name a domain, whether or not anybody has it.
    ///
    /// # Errors
    /// `engine`.
    pub async fn connections_naming(&mut self, name: &str) -> Result<Vec<ConnectionId>> {
        let sql = "SELECT connection FROM connection_domains WHERE name = $1 ORDER BY connection";
        let rows = self.rows(sql, binds![name]).await?;
        rows.into_iter()
            .map(|mut row| Ok(ConnectionId::new(row.text("connection_domains.connection")?)))
            .collect()
    }

    /// Lists accounts with an address in a domain that are no members of an organization, by account, after one.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn outside_accounts(
        &mut self,
        organization: &OrganizationId,
        domain: &str,
        after: Option<&AccountId>,
        limit: u32,
    ) -> Result<Vec<AccountFacts>> {
        // As the index has it. Both lists are in one order, so SQLite walks them side by side.
        let domain_of_address = match self.conn().dialect() {
            Dialect::Sqlite => "substr(email_key, instr(email_key, '@') + 1)",
            Dialect::Postgres => "split_part(email_key, '@', 2)",
        };
        let sql = format!(
            "SELECT id FROM accounts WHERE {domain_of_address} = $1 AND deleted = 0 AND id > $2 \
             EXCEPT SELECT account FROM memberships WHERE organization = $3 AND account > $2 ORDER BY 1 LIMIT $4"
        );
        let after = after.map_or("", AccountId::as_str);
        let rows = self
            .rows_long(&sql, binds![domain, after, organization, limit])
            .await?;
        let ids: Vec<AccountId> = rows
            .into_iter()
            .map(|mut row| Ok(AccountId::new(row.text("accounts.id")?)))
            .collect::<Result<_>>()?;
        let mut found = self.account_facts(&ids).await?;
        found.sort_by(|one, other| one.account.id.cmp(&other.account.id));
        Ok(found)
    }
}

impl Tx {
    /// Finds one domain of an organization and keeps others from changing it until the transaction ends.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn lock_domain(
        &mut self,
        organization: &OrganizationId,
        name: &str,
    ) -> Result<Option<DomainClaim>> {
        // All claims of the name, in one order: whether there is a dispute depends on the others.
        let sql = "SELECT organization FROM domains WHERE name = $1 ORDER BY organization{lock}";
        self.rows(sql, binds![name]).await?;
        self.domain_claim(organization, name).await
    }

    /// Finds the organization that has a domain in force, and keeps it so until the transaction ends. Ask this before writing
    /// what relies on the domain.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn hold_verified_domain(&mut self, name: &str) -> Result<Option<DomainRecord>> {
        let sql = "SELECT organization FROM domains WHERE name = $1 AND verified_at IS NOT NULL{share}";
        self.rows(sql, binds![name]).await?;
        self.verified_domain(name).await
    }

    /// Creates or changes a domain with its claim. What is in force follows from the state.
    ///
    /// # Errors
    /// `conflict` (`domains_verified`) if another organization has the name in force.
    pub async fn put_domain_claim(&mut self, wanted: &DomainClaim, now: Timestamp) -> Result<()> {
        let since = wanted.domain.verified_at.unwrap_or(now);
        let record = DomainRecord {
            verified_at: wanted.claim.state.is_in_force().then_some(since),
            ..wanted.domain.clone()
        };
        self.put_domain(&record, now).await?;
        let Claim {
            state,
            method,
            claimed_at,
            checked_at,
            problem,
            misses,
            failing_since,
            next_at,
        } = &wanted.claim;
        let sql = "INSERT INTO domain_claims (organization, name, state, method, claimed_at, checked_at, problem, misses, \
                   failing_since, next_at, lapsed) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) \
                   ON CONFLICT (organization, name) DO UPDATE SET state = excluded.state, method = excluded.method, \
                   claimed_at = excluded.claimed_at, checked_at = excluded.checked_at, problem = excluded.problem, \
                   misses = excluded.misses, failing_since = excluded.failing_since, next_at = excluded.next_at, \
                   lapsed = excluded.lapsed";
        let row = binds![
            &record.organization,
            &record.name,
            to_word(state)?,
            to_word(method)?,
            *claimed_at,
            *checked_at,
            problem,
            *misses,
            *failing_since,
            *next_at,
            json(&wanted.lapsed)?,
        ];
        self.run(sql, row).await.map(drop)
    }

    /// Takes a domain that is out of force out of every connection that names it, and returns which did.
    ///
    /// # Errors
    /// `engine`, `corrupt` and `sealed`.
    pub async fn lapse_domain(&mut self, name: &str, now: Timestamp) -> Result<Vec<ConnectionId>> {
        let mut lapsed = Vec::new();
        for id in self.connections_naming(name).await? {
            let Some(mut record) = self.lock_connection(&id).await? else {
                continue;
            };
            record.connection.domains.retain(|served| served != name);
            self.put_connection(
                &record.connection,
                &record.protocol_config,
                &record.secrets,
                &record.status,
                now,
            )
            .await?;
            lapsed.push(id);
        }
        Ok(lapsed)
    }

    /// Gives a domain that is in force again back to connections that served it, as far as they still reach its
    /// organization. Returns which got it.
    ///
    /// # Errors
    /// `engine`, `corrupt` and `sealed`.
    pub async fn return_domain(
        &mut self,
        organization: &OrganizationId,
        name: &str,
        to: &[ConnectionId],
        now: Timestamp,
    ) -> Result<Vec<ConnectionId>> {
        let mut returned = Vec::new();
        for id in to {
            let Some(mut record) = self.lock_connection(id).await? else {
                continue;
            };
            if !record.connection.reaches(organization)
                || record.connection.domains.iter().any(|served| served == name)
            {
                continue;
            }
            record.connection.domains.push(name.to_owned());
            self.put_connection(
                &record.connection,
                &record.protocol_config,
                &record.secrets,
                &record.status,
                now,
            )
            .await?;
            returned.push(id.clone());
        }
        Ok(returned)
    }
}

fn claim(mut row: Row) -> Result<DomainClaim> {
    let domain = DomainRecord {
        organization: OrganizationId::new(row.text("domains.organization")?),
        name: row.text("domains.name")?,
        token: row.opt_text("domains.token")?,
        verified_at: row.opt_time("domains.verified_at")?,
        settings: row.json("domains.settings")?,
    };
    let created_at = row.time("domains.created_at")?;
    let Some(state) = row.opt_text("domain_claims.state")? else {
        // Written without a claim: somebody vouched for it, or nobody looked yet.
        let claim = Claim::new(created_at);
        let claim = if domain.verified_at.is_some() {
            claim.vouched()
        } else {
            claim
        };
        return Ok(DomainClaim {
            domain,
            claim,
            lapsed: Vec::new(),
        });
    };
    let state: DomainState = crate::value::word(state, "domain_claims.state")?;
    let method: DomainMethod = row.word("domain_claims.method")?;
    let claim = Claim {
        state,
        method,
        claimed_at: row.time("domain_claims.claimed_at")?,
        checked_at: row.opt_time("domain_claims.checked_at")?,
        problem: row.opt_text("domain_claims.problem")?,
        misses: row.count("domain_claims.misses")?,
        failing_since: row.opt_time("domain_claims.failing_since")?,
        next_at: row.opt_time("domain_claims.next_at")?,
    };
    // The row of the domain decides what is in force.
    let claim = match (domain.verified_at.is_some(), claim.state.is_in_force()) {
        (true, false) => claim.vouched(),
        (false, true) => claim.withdrawn("the domain is out of force"),
        (true, true) | (false, false) => claim,
    };
    Ok(DomainClaim {
        domain,
        claim,
        lapsed: row.json("domain_claims.lapsed")?,
    })
}
