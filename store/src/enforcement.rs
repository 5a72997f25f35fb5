//! What has to be there before single sign-on may be demanded: proofs that it works, and a way in for when it does not.

use jiff::Timestamp;
use provost_kernel::directory::Account;
use provost_kernel::domain::{DomainSettings, SignInRule};
use provost_kernel::id::{AccountId, ConnectionId, OrganizationId, RoleId, TraceId};

use crate::connections::ConnectionRecord;
use crate::error::Result;
use crate::tx::{Reader, Tx};
use crate::value::{binds, list};

/// What a connection `c` reaches, as a condition on an organization `o`.
const REACHED: &str = "(c.organization IS NULL OR c.organization = o.id OR EXISTS (SELECT 1 \
                       FROM connection_organizations co WHERE co.connection = c.id AND co.organization = o.id))";

/// A demand for single sign-on that is in force.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Demand {
    /// Whose it is.
    pub organization: OrganizationId,
    /// The domain whose addresses it concerns; none for the members of the organization.
    pub domain: Option<String>,
}

/// An emergency admin, as far as enforcement asks.
#[derive(Clone, Debug, PartialEq)]
pub struct EmergencyAdmin {
    /// Who.
    pub account: Account,
    /// When the password was last typed and right.
    pub proved_at: Option<Timestamp>,
    /// Recovery codes that are still good.
    pub recovery_codes: u32,
    /// The roles held in the organization.
    pub roles: Vec<RoleId>,
}

impl Reader {
    /// Finds the last sign-in through a connection that was let in since a time: its trace and when.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn last_admitted(
        &mut self,
        connection: &ConnectionId,
        since: Timestamp,
    ) -> Result<Option<(TraceId, Timestamp)>> {
        let sql = "SELECT id, at FROM traces WHERE connection = $1 AND at >= $2 AND kind = 'sign_in' \
                   AND verdict = 'admitted' ORDER BY at DESC LIMIT 1";
        let row = self.row(sql, binds![connection, since]).await?;
        row.map(|mut row| Ok((TraceId::new(row.text("traces.id")?), row.time("traces.at")?)))
            .transpose()
    }

    /// Lists the emergency admins of an organization who could manage it now: active standard accounts, active members, with a
    /// role that manages people, an owner role where owners alone do (C-26).
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn emergency_admins(&mut self, organization: &OrganizationId) -> Result<Vec<EmergencyAdmin>> {
        let Some(record) = self.organization(organization).await? else {
            return Ok(Vec::new());
        };
        let managers = record.organization.managed_by;
        let managing: Vec<_> = self
            .roles(organization)
            .await?
            .into_iter()
            .filter(|role| role.manages(managers))
            .map(|role| role.id)
            .collect();
        let mut found = self.emergency_accounts(organization).await?;
        found.retain(|admin| admin.roles.iter().any(|role| managing.contains(role)));
        Ok(found)
    }

    /// Lists the active standard accounts, active members of an organization, that are marked as emergency admins: whatever
    /// their roles are.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn emergency_accounts(&mut self, organization: &OrganizationId) -> Result<Vec<EmergencyAdmin>> {
        // From the few who are marked, in this order: SQLite takes it as it stands.
        let sql = "SELECT a.id FROM accounts a CROSS JOIN memberships m WHERE m.account = a.id AND m.organization = $1 \
                   AND m.active = 1 AND a.emergency_admin = 1 AND a.connection IS NULL AND a.status = 'active' ORDER BY a.id";
        let rows = self.rows(sql, binds![organization]).await?;
        let ids: Vec<AccountId> = rows
            .into_iter()
            .map(|mut row| Ok(AccountId::new(row.text("accounts.id")?)))
            .collect::<Result<_>>()?;
        let mut found = Vec::new();
        for facts in self.account_facts(&ids).await? {
            let here = facts
                .memberships
                .iter()
                .filter(|held| held.organization == *organization);
            let roles: Vec<RoleId> = here
                .flat_map(|held| held.roles.iter().map(|grant| grant.id.clone()))
                .collect();
            found.push(EmergencyAdmin {
                proved_at: self.password_proved_at(&facts.account.id).await?,
                recovery_codes: self.recovery_codes_left(&facts.account.id).await?,
                account: facts.account,
                roles,
            });
        }
        Ok(found)
    }

    /// Tells whether an organization demands single sign-on: of its members, or of the addresses in one of its domains.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn demands_single_sign_on(&mut self, organization: &OrganizationId) -> Result<bool> {
        let of_members = self.sign_in_policies(std::slice::from_ref(organization)).await?;
        if of_members
            .values()
            .any(|policy| policy.sso == SignInRule::Required)
        {
            return Ok(true);
        }
        let domains = self.domains(organization).await?;
        Ok(domains
            .iter()
            .filter(|domain| domain.verified_at.is_some())
            .any(|domain| DomainSettings::read(&domain.settings).sign_in == SignInRule::Required))
    }

    /// Lists the demands for single sign-on that rely on a connection, switched on or not: those of organizations that it reaches,
    /// and of the domains among them that it serves.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn demands_on(&mut self, connection: &ConnectionId) -> Result<Vec<Demand>> {
        let of_members = format!(
            "SELECT o.id AS organization, NULL AS name FROM organizations o JOIN connections c ON c.id = $1 AND {REACHED} \
             WHERE {{json:o.settings}} -> 'sign_in' ->> 'sso' = 'required' ORDER BY o.id"
        );
        let of_domains = format!(
            "SELECT d.organization, d.name FROM domains d JOIN organizations o ON o.id = d.organization \
             JOIN connection_domains cd ON cd.name = d.name JOIN connections c ON c.id = cd.connection AND {REACHED} \
             WHERE c.id = $1 AND d.verified_at IS NOT NULL AND {{json:d.settings}} ->> 'sign_in' = 'required' ORDER BY d.name"
        );
        let mut demands = Vec::new();
        for sql in [of_members, of_domains] {
            for mut row in self.rows(&sql, binds![connection]).await? {
                demands.push(Demand {
                    organization: OrganizationId::new(row.text("organization")?),
                    domain: row.opt_text("name")?,
                });
            }
        }
        Ok(demands)
    }

    /// Tells whether a demand is in force still.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn is_demanded(&mut self, demand: &Demand) -> Result<bool> {
        let Some(name) = &demand.domain else {
            let one = std::slice::from_ref(&demand.organization);
            let policies = self.sign_in_policies(one).await?;
            return Ok(policies.values().any(|policy| policy.sso == SignInRule::Required));
        };
        let held = self.verified_domain(name).await?;
        Ok(held.is_some_and(|held| {
            held.organization == demand.organization
                && DomainSettings::read(&held.settings).sign_in == SignInRule::Required
        }))
    }

    /// Lists active owners of an organization, in order of their ids.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn owners_of(&mut self, organization: &OrganizationId, limit: u32) -> Result<Vec<Account>> {
        let sql = "SELECT DISTINCT a.id FROM roles r \
                   JOIN membership_roles g ON g.organization = r.organization AND g.role = r.id \
                   JOIN memberships m ON m.account = g.account AND m.organization = g.organization AND m.active = 1 \
                   JOIN accounts a ON a.id = g.account AND a.status = 'active' \
                   WHERE r.organization = $1 AND r.is_owner = 1 ORDER BY a.id LIMIT $2";
        let rows = self.rows(sql, binds![organization, limit]).await?;
        let ids: Vec<AccountId> = rows
            .into_iter()
            .map(|mut row| Ok(AccountId::new(row.text("accounts.id")?)))
            .collect::<Result<_>>()?;
        let mut owners: Vec<Account> = self
            .account_facts(&ids)
            .await?
            .into_iter()
            .map(|facts| facts.account)
            .collect();
        owners.sort_by(|one, other| one.id.cmp(&other.id));
        Ok(owners)
    }

    /// Lists standard accounts that could be signed in with a password and that a demand for single sign-on may concern:
    /// members of an organization, or accounts with an address in one of its domains. By account, after one.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn accounts_concerned(
        &mut self,
        organization: &OrganizationId,
        after: Option<&AccountId>,
        limit: u32,
    ) -> Result<Vec<Account>> {
        let sql = "SELECT a.id FROM accounts a WHERE a.connection IS NULL AND a.status = 'active' AND a.id > $2 AND \
                   (EXISTS (SELECT 1 FROM memberships m WHERE m.account = a.id AND m.organization = $1) OR \
                   EXISTS (SELECT 1 FROM domains d WHERE d.organization = $1 AND d.verified_at IS NOT NULL \
                   AND a.email_key LIKE '%@' || d.name)) ORDER BY a.id LIMIT $3";
        let after = after.map_or("", AccountId::as_str);
        let rows = self.rows_long(sql, binds![organization, after, limit]).await?;
        let ids: Vec<AccountId> = rows
            .into_iter()
            .map(|mut row| Ok(AccountId::new(row.text("accounts.id")?)))
            .collect::<Result<_>>()?;
        let mut accounts: Vec<Account> = self
            .account_facts(&ids)
            .await?
            .into_iter()
            .map(|facts| facts.account)
            .collect();
        accounts.sort_by(|one, other| one.id.cmp(&other.id));
        Ok(accounts)
    }
}

impl Tx {
    /// Finds a connection and keeps others from changing it until the transaction ends. Ask this before writing what was read of
    /// it: else an older state comes back.
    ///
    /// # Errors
    /// `engine`, `corrupt` and `sealed`.
    pub async fn lock_connection(&mut self, id: &ConnectionId) -> Result<Option<ConnectionRecord>> {
        self.lock_connections(std::slice::from_ref(id)).await?;
        self.connection(id).await
    }

    /// Keeps others from changing or removing connections until the transaction ends.
    ///
    /// # Errors
    /// `engine`.
    pub async fn lock_connections(&mut self, ids: &[ConnectionId]) -> Result<()> {
        let ids = list(ids.iter().map(ConnectionId::as_str))?;
        // People go on signing in meanwhile: their sessions and links only refer to the row.
        let sql = "SELECT id FROM connections WHERE id IN ({list:$1}) ORDER BY id{hold}";
        self.rows(sql, binds![ids]).await.map(drop)
    }

    /// Lists the demands on a connection, and keeps both as they are until the transaction ends. Ask this before switching a
    /// connection off, taking it away or changing whom it serves.
    ///
    /// Whoever demands single sign-on locks the organization first and then the connections it relies on, so this does, too.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn hold_demands_on(&mut self, connection: &ConnectionId) -> Result<Vec<Demand>> {
        loop {
            let seen = self.demands_on(connection).await?;
            let organizations = list(seen.iter().map(|demand| demand.organization.as_str()))?;
            let sql = "SELECT id FROM organizations WHERE id IN ({list:$1}) ORDER BY id{hold}";
            self.rows(sql, binds![organizations]).await?;
            self.lock_connections(std::slice::from_ref(connection)).await?;
            // Somebody may have begun to demand while this waited; nobody can any more.
            let held = self.demands_on(connection).await?;
            if held.iter().all(|demand| seen.contains(demand)) {
                return Ok(held);
            }
        }
    }
}
