//! Accounts with their links and memberships, as values of the kernel. Looks up only: they change through
//! [`crate::Tx::apply`]. Passwords of standard accounts are the one exception, since no decision sees them.

use std::collections::BTreeMap;

use jiff::Timestamp;
use provost_kernel::directory::{Account, Authentication, Grant, LicenseGrant, Link, Membership, Subject};
use provost_kernel::email::Email;
use provost_kernel::facts::AccountFacts;
use provost_kernel::id::{AccountId, ConnectionId, LicenseId, OrganizationId, RoleId, WorkspaceId};

use crate::error::{Result, StoreError};
use crate::tx::{Reader, Tx};
use crate::value::{Row, binds};

pub(crate) const COLUMNS: &str = "SELECT a.id, a.kind, a.connection, a.status, a.status_origin, a.email, a.user_name, \
     a.external_id, a.given_name, a.family_name, a.display_name, a.emergency_admin, a.operator, a.attributes, \
     a.edited, a.keeping, a.version, a.created_at FROM accounts a";

pub(crate) const MEMBERSHIPS: &str = "SELECT account, organization, active, source, pinned, all_workspaces, license, \
     license_source, license_pinned, license_seated, version FROM memberships";

/// Looks for grants `g` of memberships, in their order.
pub(crate) fn grants_where(condition: &str) -> String {
    format!(
        "SELECT g.account, g.organization, CAST(1 AS BIGINT) AS part, r.position, g.role AS id, g.source, g.pinned \
         FROM membership_roles g JOIN roles r ON r.organization = g.organization AND r.id = g.role \
         WHERE {condition} \
         UNION ALL SELECT g.account, g.organization, 2, w.position, g.workspace, g.source, g.pinned \
         FROM membership_workspaces g \
         JOIN workspaces w ON w.organization = g.organization AND w.id = g.workspace \
         WHERE {condition} ORDER BY 1, 2, 3, 4, 5"
    )
}

/// As [`grants_where`], and for the local groups that members are in: part 3, with what the group leads to in the place of the
/// source.
pub(crate) fn grants_and_groups_where(condition: &str) -> String {
    let grants = grants_where(condition);
    let order = " ORDER BY 1, 2, 3, 4, 5";
    let grants = grants.strip_suffix(order).unwrap_or(&grants);
    format!(
        "{grants} UNION ALL SELECT g.account, g.organization, 3, CAST(0 AS BIGINT), g.local_group, l.held, CAST(0 AS BIGINT) \
         FROM local_group_members g JOIN local_groups l ON l.id = g.local_group WHERE {condition}{order}"
    )
}

impl Reader {
    /// Finds an account, in whatever state.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn account(&mut self, id: &AccountId) -> Result<Option<Account>> {
        self.row(&format!("{COLUMNS} WHERE a.id = $1"), binds![id])
            .await?
            .map(account)
            .transpose()
    }

    /// Finds the standard account with an address, for a password sign-in. Deleted accounts are not found.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn standard_account(&mut self, email: &Email) -> Result<Option<Account>> {
        let sql = format!("{COLUMNS} WHERE a.email_key = $1 AND a.connection IS NULL AND a.deleted = 0");
        self.row(&sql, binds![email.key()])
            .await?
            .map(account)
            .transpose()
    }

    /// Lists all accounts with an address that are not deleted: at most one standard and one for each connection.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn accounts_by_email(&mut self, email: &Email) -> Result<Vec<Account>> {
        let sql = format!("{COLUMNS} WHERE a.email_key = $1 AND a.deleted = 0 ORDER BY a.id");
        self.rows(&sql, binds![email.key()])
            .await?
            .into_iter()
            .map(account)
            .collect()
    }

    /// Lists the members of an organization by id, after one, with links and memberships.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn members(
        &mut self,
        organization: &OrganizationId,
        after: Option<&AccountId>,
        limit: u32,
    ) -> Result<Vec<AccountFacts>> {
        let sql = "SELECT account FROM memberships WHERE organization = $1 AND account > $2 ORDER BY account LIMIT $3";
        let after = after.map_or("", AccountId::as_str);
        let ids = self.account_ids(sql, binds![organization, after, limit]).await?;
        self.account_facts(&ids).await
    }

    /// Counts who holds each role of an organization: all, and active people through an active membership.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn role_holders(&mut self, organization: &OrganizationId) -> Result<Vec<(RoleId, u32, u32)>> {
        let sql = "SELECT g.role, COUNT(*), SUM(CASE WHEN m.active = 1 AND a.status = 'active' THEN 1 ELSE 0 END) \
                   FROM membership_roles g JOIN memberships m ON m.account = g.account AND m.organization = g.organization \
                   JOIN accounts a ON a.id = g.account WHERE g.organization = $1 GROUP BY g.role ORDER BY g.role";
        self.rows(sql, binds![organization])
            .await?
            .into_iter()
            .map(|mut row| {
                Ok((
                    RoleId::new(row.text("membership_roles.role")?),
                    row.count("membership_roles.people")?,
                    row.count("membership_roles.active")?,
                ))
            })
            .collect()
    }

    /// Lists people who hold a role in an organization, by account.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn holders_of_role(
        &mut self,
        organization: &OrganizationId,
        role: &RoleId,
        limit: u32,
    ) -> Result<Vec<AccountFacts>> {
        let sql = "SELECT account FROM membership_roles WHERE organization = $1 AND role = $2 ORDER BY account LIMIT $3";
        let ids = self.account_ids(sql, binds![organization, role, limit]).await?;
        self.account_facts(&ids).await
    }

    /// Lists all accounts by id, after one, with links and memberships.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn accounts(&mut self, after: Option<&AccountId>, limit: u32) -> Result<Vec<AccountFacts>> {
        let after = after.map_or("", AccountId::as_str);
        let ids = self.account_ids(
            "SELECT id FROM accounts WHERE id > $1 ORDER BY id LIMIT $2",
            binds![after, limit],
        );
        let ids = ids.await?;
        self.account_facts(&ids).await
    }

    /// Lists the memberships of an account.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn memberships(&mut self, account: &AccountId) -> Result<Vec<Membership>> {
        let facts = self.account_facts(std::slice::from_ref(account)).await?;
        Ok(facts
            .into_iter()
            .next()
            .map(|facts| facts.memberships)
            .unwrap_or_default())
    }

    /// Returns the password hash of an account.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn password_hash(&mut self, account: &AccountId) -> Result<Option<String>> {
        let row = self
            .row(
                "SELECT password_hash FROM credentials WHERE account = $1",
                binds![account],
            )
            .await?;
        row.map(|mut row| row.text("credentials")).transpose()
    }

    pub(crate) async fn account_ids(
        &mut self,
        sql: &str,
        binds: Vec<crate::value::Bind>,
    ) -> Result<Vec<AccountId>> {
        let rows = self.rows(sql, binds).await?;
        rows.into_iter()
            .map(|mut row| Ok(AccountId::new(row.text("accounts.id")?)))
            .collect()
    }
}

/// Puts accounts together from their rows, links, memberships and grants.
pub(crate) fn assemble(
    [accounts, links, memberships, grants]: [Vec<Row>; 4],
) -> Result<BTreeMap<AccountId, AccountFacts>> {
    let mut found = BTreeMap::new();
    for row in accounts {
        let facts = AccountFacts {
            account: account(row)?,
            links: Vec::new(),
            memberships: Vec::new(),
        };
        found.insert(facts.account.id.clone(), facts);
    }
    for mut row in links {
        let account = AccountId::new(row.text("links.account")?);
        let link = link(row)?;
        if let Some(facts) = found.get_mut(&account) {
            facts.links.push(link);
        }
    }
    for ((account, _), membership) in with_grants(memberships, grants)? {
        if let Some(facts) = found.get_mut(&account) {
            facts.memberships.push(membership);
        }
    }
    Ok(found)
}

pub(crate) type Memberships = BTreeMap<(AccountId, OrganizationId), Membership>;

/// Puts memberships together with their grants.
pub(crate) fn with_grants(memberships: Vec<Row>, grants: Vec<Row>) -> Result<Memberships> {
    let mut found = Memberships::new();
    for mut row in memberships {
        let account = AccountId::new(row.text("memberships.account")?);
        let membership = membership(row)?;
        found.insert((account, membership.organization.clone()), membership);
    }
    for mut row in grants {
        let key = key(&mut row)?;
        let (part, _position) = (row.int("grant.part")?, row.int("grant.position")?);
        let Some(membership) = found.get_mut(&key) else {
            continue;
        };
        match part {
            1 => membership.roles.push(grant(row, RoleId::new)?),
            2 => membership.workspaces.push(grant(row, WorkspaceId::new)?),
            3 => {
                row.text("grant.id")?;
                membership.groups.push(row.json("local_groups.held")?);
            }
            _ => return Err(StoreError::Corrupt("grant.part")),
        }
    }
    Ok(found)
}

impl Tx {
    /// Sets the password hash (argon2id, PHC string) of a standard account. Sign-ins that wait began with the password before, and
    /// wait no longer.
    ///
    /// # Errors
    /// `refused` for an SSO or deleted account.
    pub async fn set_password_hash(&mut self, account: &AccountId, hash: &str, now: Timestamp) -> Result<()> {
        // First, because whoever completes one locks it before the account.
        self.run("DELETE FROM half_sign_ins WHERE account = $1", binds![account])
            .await?;
        // The row lock keeps a sign-in from making it an SSO account at the same moment.
        let sql = "SELECT connection, status FROM accounts WHERE id = $1{lock}";
        let row = self.row(sql, binds![account]).await?;
        let Some(mut row) = row else {
            return Err(StoreError::Refused("no such account"));
        };
        if row.opt_text("accounts.connection")?.is_some() {
            return Err(StoreError::Refused("an SSO account has no password"));
        }
        if row.text("accounts.status")? == "deleted" {
            return Err(StoreError::Refused("the account is deleted"));
        }
        let sql = "INSERT INTO credentials (account, password_hash, updated_at) VALUES ($1, $2, $3) \
                   ON CONFLICT (account) DO UPDATE SET password_hash = excluded.password_hash, \
                   updated_at = excluded.updated_at, proved_at = NULL";
        self.run(sql, binds![account, hash, now]).await.map(drop)
    }
}

pub(crate) fn account(mut row: Row) -> Result<Account> {
    let id = AccountId::new(row.text("accounts.id")?);
    let kind = row.word("accounts.kind")?;
    let authentication = match row.opt_text("accounts.connection")? {
        Some(connection) => Authentication::Sso {
            connection: ConnectionId::new(connection),
        },
        None => Authentication::Standard,
    };
    let status = row.word("accounts.status")?;
    let status_origin = row.word("accounts.status_origin")?;
    let email = row.opt_text("accounts.email")?;
    Ok(Account {
        id,
        kind,
        authentication,
        status,
        status_origin,
        email: email
            .map(|text| Email::parse(&text))
            .transpose()
            .map_err(|_| StoreError::Corrupt("accounts.email"))?,
        user_name: row.opt_text("accounts.user_name")?,
        external_id: row.opt_text("accounts.external_id")?,
        given_name: row.opt_text("accounts.given_name")?,
        family_name: row.opt_text("accounts.family_name")?,
        display_name: row.opt_text("accounts.display_name")?,
        emergency_admin: row.flag("accounts.emergency_admin")?,
        operator: row.flag("accounts.operator")?,
        attributes: row.json("accounts.attributes")?,
        edited: row.json("accounts.edited")?,
        keeping: row.opt_json("accounts.keeping")?.unwrap_or_default(),
        version: row.int("accounts.version")?,
        created_at: row.time("accounts.created_at")?,
    })
}

fn link(mut row: Row) -> Result<Link> {
    let connection = ConnectionId::new(row.text("links.connection")?);
    let (issuer, format) = (row.text("links.issuer")?, row.text("links.format")?);
    Ok(Link {
        connection,
        subject: Subject {
            issuer,
            format,
            value: row.text("links.subject")?,
        },
    })
}

fn membership(mut row: Row) -> Result<Membership> {
    let organization = OrganizationId::new(row.text("memberships.organization")?);
    let active = row.flag("memberships.active")?;
    let source = row.json("memberships.source")?;
    let pinned = row.flag("memberships.pinned")?;
    let all_workspaces = row.opt_json("memberships.all_workspaces")?;
    let license = license(&mut row)?;
    let version = row.int("memberships.version")?;
    let (roles, workspaces) = (Vec::new(), Vec::new());
    Ok(Membership {
        organization,
        active,
        source,
        pinned,
        roles,
        workspaces,
        all_workspaces,
        license,
        groups: Vec::new(),
        version,
    })
}

fn license(row: &mut Row) -> Result<Option<LicenseGrant>> {
    let license = row.opt_text("memberships.license")?;
    let source = row.opt_json("memberships.license_source")?;
    let pinned = row.opt_int("memberships.license_pinned")? == Some(1);
    let seated = row.opt_int("memberships.license_seated")? == Some(1);
    let Some(license) = license.map(LicenseId::new) else {
        return Ok(None);
    };
    let source = source.ok_or(StoreError::Corrupt("memberships.license_source"))?;
    Ok(Some(LicenseGrant {
        license,
        source,
        pinned,
        seated,
    }))
}

fn key(row: &mut Row) -> Result<(AccountId, OrganizationId)> {
    Ok((
        AccountId::new(row.text("grant.account")?),
        OrganizationId::new(row.text("grant.organization")?),
    ))
}

fn grant<T>(mut row: Row, id: impl FnOnce(String) -> T) -> Result<Grant<T>> {
    Ok(Grant {
        id: id(row.text("grant.id")?),
        source: row.json("grant.source")?,
        pinned: row.flag("grant.pinned")?,
    })
}
