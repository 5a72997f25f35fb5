//! Finding people by what is known of them: for lists with filters, and for "probably the same person". Looks up only.

use std::collections::BTreeMap;

use jiff::Timestamp;
use provost_kernel::directory::{Account, AccountKind, Status};
use provost_kernel::facts::AccountFacts;
use provost_kernel::id::{AccountId, ConnectionId, OrganizationId};

use crate::conditions::Conditions;
use crate::error::Result;
use crate::tx::Reader;
use crate::value::{Bind, binds, fold, list, to_word};

/// Which accounts are wanted; all conditions hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccountFilter {
    /// Members of this organization.
    pub organization: Option<OrganizationId>,
    /// With exactly this address, as [`provost_kernel::email::Email::key`] writes it.
    pub email_key: Option<String>,
    /// With this text in the address, the user name or the name.
    pub text: Option<String>,
    /// In this state.
    pub status: Option<Status>,
    /// Of this kind.
    pub kind: Option<AccountKind>,
    /// Bound to this connection.
    pub connection: Option<ConnectionId>,
    /// Bound to any connection, or to none.
    pub sso: Option<bool>,
    /// Signed in at this time or later.
    pub signed_in_since: Option<Timestamp>,
    /// Not signed in at this time or later.
    pub not_signed_in_since: Option<Timestamp>,
    /// Made before this time.
    pub created_before: Option<Timestamp>,
    /// Bound to a connection that makes accounts at the first sign-in, so that nobody tells when their people leave (R-180).
    pub just_in_time: bool,
}

/// Accounts that may be the same person as another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Likeness {
    /// The account.
    pub account: AccountId,
    /// It has the same address.
    pub same_email: bool,
    /// It has the same given and family name.
    pub same_name: bool,
}

/// Most accounts that are offered as probably the same person.
const MOST_ALIKE: u32 = 20;

/// Sign-ins at `{}` or later, through a provider or with a password.
const SIGNED_IN: &str = "(EXISTS (SELECT 1 FROM sessions s WHERE s.account = a.id AND s.authenticated_at >= {}) \
                         OR EXISTS (SELECT 1 FROM last_claims c WHERE c.account = a.id AND c.at >= {}))";

impl Reader {
    /// Lists accounts by id, after one, with links and memberships.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn accounts_where(
        &mut self,
        filter: &AccountFilter,
        after: Option<&AccountId>,
        limit: u32,
    ) -> Result<Vec<AccountFacts>> {
        let (sql, values) = filter.select(after, limit)?;
        let ids = self.account_ids(&sql, values).await?;
        self.account_facts(&ids).await
    }

    /// Returns when accounts last signed in, as far as that is still known. Who never did is left out.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn last_sign_ins(&mut self, accounts: &[AccountId]) -> Result<BTreeMap<AccountId, Timestamp>> {
        if accounts.is_empty() {
            return Ok(BTreeMap::new());
        }
        let sql = "SELECT account, MAX(at) FROM (SELECT account, authenticated_at AS at FROM sessions \
                   WHERE account IN ({list:$1}) UNION ALL SELECT account, at FROM last_claims \
                   WHERE account IN ({list:$1})) seen GROUP BY account";
        let ids = list(accounts.iter().map(AccountId::as_str))?;
        let rows = self.rows(sql, binds![ids]).await?;
        rows.into_iter()
            .map(|mut row| {
                let account = AccountId::new(row.text("seen.account")?);
                Ok((account, row.time("seen.at")?))
            })
            .collect()
    }

    /// Finds accounts with the address or the whole name of another one, by id. Deleted ones are not found.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn alike(&mut self, account: &Account) -> Result<Vec<Likeness>> {
        let email = account.email.as_ref().map(provost_kernel::email::Email::key);
        let given = account.given_name.as_deref().map(fold);
        let family = account.family_name.as_deref().map(fold);
        let sql = "SELECT id, MAX(email), MAX(name) FROM (\
                   SELECT id, CAST(1 AS BIGINT) AS email, CAST(0 AS BIGINT) AS name FROM accounts WHERE email_key = $2 AND deleted = 0 UNION ALL \
                   SELECT id, CAST(0 AS BIGINT) AS email, CAST(1 AS BIGINT) AS name FROM accounts WHERE family_name_key = $3 AND given_name_key = $4 \
                   AND deleted = 0) alike WHERE id <> $1 GROUP BY id ORDER BY id LIMIT $5";
        let rows = self
            .rows(sql, binds![&account.id, email, family, given, MOST_ALIKE])
            .await?;
        rows.into_iter()
            .map(|mut row| {
                Ok(Likeness {
                    account: AccountId::new(row.text("alike.id")?),
                    same_email: row.flag("alike.email")?,
                    same_name: row.flag("alike.name")?,
                })
            })
            .collect()
    }
}

impl AccountFilter {
    /// Writes the select of the ids.
    fn select(&self, after: Option<&AccountId>, limit: u32) -> Result<(String, Vec<Bind>)> {
        let values = binds![after.map_or("", AccountId::as_str), limit];
        // Read off an index in the order of the list: of the organization's members if one is named, and by state and kind.
        let (mut wanted, from, id, status, kind) = if let Some(organization) = &self.organization {
            let mut wanted = Conditions::new("m.account > $1", values);
            wanted.hold("m.organization = {}", organization);
            let from = "memberships m JOIN accounts a ON a.id = m.account";
            (wanted, from, "m.account", "m.account_status", "m.account_kind")
        } else {
            match self.status {
                Some(status) if status != Status::Active => {
                    let wanted = Conditions::new("s.account > $1", values);
                    let from = "account_states s JOIN accounts a ON a.id = s.account";
                    (wanted, from, "s.account", "s.status", "a.kind")
                }
                Some(_) | None => {
                    let wanted = Conditions::new("a.id > $1", values);
                    (wanted, "accounts a", "a.id", "a.status", "a.kind")
                }
            }
        };
        if let Some(key) = &self.email_key {
            wanted.hold("a.email_key = {}", key);
        }
        if let Some(text) = &self.text {
            let sql = r"(a.email_key LIKE {} ESCAPE '\' OR a.user_name_key LIKE {} ESCAPE '\' OR a.display_name_key LIKE {} ESCAPE '\' OR a.given_name_key LIKE {} ESCAPE '\' OR a.family_name_key LIKE {} ESCAPE '\')";
            wanted.hold(sql, contains(text));
        }
        if let Some(wanted_status) = &self.status {
            wanted.hold(&format!("{status} = {{}}"), to_word(wanted_status)?);
        }
        if let Some(wanted_kind) = &self.kind {
            wanted.hold(&format!("{kind} = {{}}"), to_word(wanted_kind)?);
            if *wanted_kind != AccountKind::User {
                wanted.always(&format!("{kind} <> 'user'"));
            }
        }
        if let Some(connection) = &self.connection {
            wanted.hold("a.connection = {}", connection);
        }
        if let Some(since) = self.signed_in_since {
            wanted.hold(SIGNED_IN, since);
        }
        if let Some(since) = self.not_signed_in_since {
            wanted.hold(&format!("NOT {SIGNED_IN}"), since);
        }
        if let Some(before) = self.created_before {
            wanted.hold("a.created_at < {}", before);
        }
        if self.just_in_time {
            wanted.always(
                "EXISTS (SELECT 1 FROM connections c WHERE c.id = a.connection \
                 AND {json:c.document} ->> 'provisioning' = 'jit')",
            );
        }
        match self.sso {
            Some(true) => wanted.always("a.connection IS NOT NULL"),
            Some(false) => wanted.always("a.connection IS NULL"),
            None => {}
        }
        let sql = format!(
            "SELECT {id} FROM {from} WHERE {} ORDER BY {id} LIMIT $2",
            wanted.text
        );
        Ok((sql, wanted.values))
    }
}

/// A pattern for texts that contain another one.
fn contains(text: &str) -> String {
    let mut pattern = String::from("%");
    for letter in fold(text).chars() {
        if matches!(letter, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(letter);
    }
    pattern.push('%');
    pattern
}
