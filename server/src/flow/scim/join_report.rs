//! Which pushed people would not be found when they sign in, before that bites.
//!
//! SCIM and sign-in must describe the same person. Nobody can know beforehand what the identity provider will say at
//! the sign-in; but what it says of those who did sign in shows which key joins, and a pushed person without that key,
//! or with one that two people share, is told here.

use std::collections::BTreeMap;

use provost_kernel::connection::{Connection, JoinKey};
use provost_kernel::directory::{Account, Link};
use provost_kernel::id::{AccountId, ConnectionId};
use provost_store::search::{Condition, Search, Start};
use provost_store::{Reader, StoreError};

use crate::app::App;
use crate::translate::scim::is_active;

/// People looked at in one step.
const STEP: u32 = 500;

/// What is wrong with how one person would be joined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// Whom.
    pub account: AccountId,
    /// Name under which the directory knows the person.
    pub name: String,
    /// Stable code.
    pub code: &'static str,
    /// What it is and what to do.
    pub text: String,
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JoinReport {
    /// People of the connection.
    pub people: usize,
    /// Those who have signed in already.
    pub joined: usize,
    /// Those who would be joined by one of the keys, as far as anybody can tell.
    pub ready: usize,
    /// What is wrong.
    pub mismatches: Vec<Mismatch>,
}

/// Makes the report of a connection; none if there is no such connection.
///
/// # Errors
/// Those of the store.
pub async fn make(app: &App, connection: &str) -> Result<Option<JoinReport>, StoreError> {
    let id = ConnectionId::new(connection);
    app.store
        .snapshot(move |reader| {
            Box::pin(async move {
                let Some(record) = reader.connection(&id).await? else {
                    return Ok(None);
                };
                let people = people(reader, &id).await?;
                Ok(Some(judge(&record.connection, &people)))
            })
        })
        .await
}

async fn people(reader: &mut Reader, id: &ConnectionId) -> Result<Vec<(Account, Vec<Link>)>, StoreError> {
    let mut people = Vec::new();
    let mut start = Start::After(None);
    loop {
        let search = Search {
            connection: id.clone(),
            condition: Condition::All,
            sort: None,
            start,
            limit: STEP,
            total: false,
        };
        let page = reader.search_users(&search).await?;
        let ids: Vec<AccountId> = page.items.iter().map(|user| user.account.id.clone()).collect();
        let facts = reader.account_facts(&ids).await?;
        people.extend(facts.into_iter().map(|facts| (facts.account, facts.links)));
        match page.next {
            Some(next) => start = Start::After(Some(next)),
            None => return Ok(people),
        }
    }
}

/// Judges the people of a connection.
pub fn judge(connection: &Connection, people: &[(Account, Vec<Link>)]) -> JoinReport {
    let keys = &connection.settings.directory.join_by;
    let mut shared: BTreeMap<(JoinKey, String), usize> = BTreeMap::new();
    for (account, _) in people {
        for key in keys {
            if let Some(value) = value_of(*key, account) {
                *shared.entry((*key, value)).or_default() += 1;
            }
        }
    }
    let mut report = JoinReport {
        people: people.len(),
        ..JoinReport::default()
    };
    for (account, links) in people {
        let mut own: Vec<Mismatch> = Vec::new();
        let mut add = |code, text: String| {
            own.push(Mismatch {
                account: account.id.clone(),
                name: name_of(account),
                code,
                text,
            });
        };
        if links.is_empty() {
            let with_value: Vec<_> = keys
                .iter()
                .filter_map(|key| Some((*key, value_of(*key, account)?)))
                .collect();
            if with_value.is_empty() {
                add(
                    "join_key_missing",
                    format!("has none of {}: push one, or change join_by", words(keys)),
                );
            }
            for (key, value) in &with_value {
                if shared.get(&(*key, value.clone())).copied().unwrap_or_default() > 1 {
                    add(
                        "join_key_shared",
                        format!("shares {} {value} with somebody else", word(*key)),
                    );
                }
            }
            if with_value.first().is_some_and(|(key, _)| *key == JoinKey::Email)
                && account
                    .email
                    .as_ref()
                    .is_some_and(|email| !connection.serves(email))
            {
                add(
                    "join_email_foreign",
                    "has an address outside the connection's domains, which no sign-in can prove".to_owned(),
                );
            }
        } else {
            report.joined += 1;
            let proved: Vec<&str> = links.iter().map(|link| link.subject.value.as_str()).collect();
            let agrees = keys.iter().any(|key| {
                value_of(*key, account)
                    .is_some_and(|value| proved.iter().any(|one| one.eq_ignore_ascii_case(&value)))
            });
            let proves_email = keys.contains(&JoinKey::Email) && account.email.is_some();
            if !agrees && !proves_email {
                add(
                    "join_key_differs",
                    format!(
                        "signs in as {}, which is none of the pushed {}",
                        proved.join(", "),
                        words(keys)
                    ),
                );
            }
        }
        if own.is_empty() && links.is_empty() && is_active(account) {
            report.ready += 1;
        }
        report.mismatches.extend(own);
    }
    report
}

fn value_of(key: JoinKey, account: &Account) -> Option<String> {
    match key {
        JoinKey::UserName => account.user_name.as_ref().map(|name| name.to_lowercase()),
        JoinKey::ExternalId => account.external_id.clone(),
        JoinKey::Email => account.email.as_ref().map(provost_kernel::email::Email::key),
    }
}

const fn word(key: JoinKey) -> &'static str {
    match key {
        JoinKey::UserName => "user_name",
        JoinKey::ExternalId => "external_id",
        JoinKey::Email => "email",
    }
}

fn words(keys: &[JoinKey]) -> String {
    keys.iter().map(|key| word(*key)).collect::<Vec<_>>().join(", ")
}

fn name_of(account: &Account) -> String {
    let name = account.user_name.clone();
    name.or_else(|| account.email.as_ref().map(ToString::to_string))
        .unwrap_or_else(|| account.id.as_str().to_owned())
}
