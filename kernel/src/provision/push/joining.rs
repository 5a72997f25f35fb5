//! Compares what a directory pushed with what people present when they sign in, and lists who would not find their account,
//! before that bites. Never changes anything.
//!
//! Two things are looked at: whether a pushed person has a join key that can lead anybody there, and whether an identity that
//! was presented leads to nobody although it looks like somebody who was pushed. The second one needs sign-ins, admitted or
//! refused; without any, only the first is known.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::connection::{Connection, JoinKey};
use crate::directory::{Account, Link, Status};
use crate::email::Email;
use crate::id::AccountId;

/// What one person presented at a sign-in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Presented {
    /// NameID or `sub`.
    pub subject: String,
    /// Asserted user name.
    pub user_name: Option<String>,
    /// Asserted address, if the provider vouches for it.
    pub email: Option<Email>,
}

/// Who would be joined and who would not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JoinReport {
    /// People of the connection, without deleted ones.
    pub people: usize,
    /// Those who have signed in already and are known by their identity.
    pub joined: usize,
    /// Those who would be joined, as far as anybody can tell.
    pub ready: usize,
    /// What is wrong, in the order of the people, then of the identities that nobody was pushed for.
    pub findings: Vec<Finding>,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// About whom; none for an identity that resembles nobody.
    pub account: Option<AccountId>,
    /// The person's user name, else address, else identifier; for an identity, its subject.
    pub name: String,
    /// What kind of thing.
    pub problem: Problem,
    /// A sentence for admins.
    pub text: String,
}

/// Kinds of findings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Problem {
    /// The person has none of the join keys.
    KeyMissing,
    /// The only key is an address that no sign-in through the connection can prove.
    AddressForeign,
    /// Another person has the same value under a key, so the key leads to nobody.
    KeyShared,
    /// Somebody who looks like the person presented values that equal none of the keys.
    KeyDiffers,
    /// An identity was presented that leads to nobody and resembles nobody.
    NobodyPushed,
}

impl Problem {
    /// Returns the stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::KeyMissing => "join_key_missing",
            Self::AddressForeign => "join_address_foreign",
            Self::KeyShared => "join_key_shared",
            Self::KeyDiffers => "join_key_differs",
            Self::NobodyPushed => "join_nobody_pushed",
        }
    }
}

/// Makes the report. `people` are the connection's accounts with their links, `presented` what its sign-ins presented lately.
pub fn report(
    connection: &Connection,
    people: &[(Account, Vec<Link>)],
    presented: &[Presented],
) -> JoinReport {
    let people: Vec<&(Account, Vec<Link>)> = people
        .iter()
        .filter(|(account, _)| account.status != Status::Deleted)
        .collect();
    let index = Index::of(connection, &people);
    let (mut differing, strangers) = index.compare(presented);
    let mut report = JoinReport {
        people: people.len(),
        ..JoinReport::default()
    };
    for (account, links) in &people {
        if index.is_linked(links) {
            report.joined += 1;
            continue;
        }
        let found = differing
            .remove(&account.id)
            .map(|text| (Problem::KeyDiffers, text))
            .or_else(|| index.judge(account));
        match found {
            Some((problem, text)) => report.findings.push(Finding {
                account: Some(account.id.clone()),
                name: name_of(account),
                problem,
                text,
            }),
            None => report.ready += usize::from(matches!(account.status, Status::Active | Status::Invited)),
        }
    }
    report.findings.extend(strangers);
    report
}

/// The pushed people by their keys.
struct Index<'a> {
    connection: &'a Connection,
    by_key: BTreeMap<(JoinKey, String), Vec<&'a AccountId>>,
    /// People without a link, by anything that resembles them: address, external id and user name without case, and the part
    /// before the @ of either.
    resembling: BTreeMap<String, BTreeSet<&'a AccountId>>,
    /// Subjects that accounts are linked to.
    linked: BTreeSet<&'a str>,
    accounts: BTreeMap<&'a AccountId, &'a Account>,
}

impl<'a> Index<'a> {
    fn of(connection: &'a Connection, people: &[&'a (Account, Vec<Link>)]) -> Self {
        let mut index = Self {
            connection,
            by_key: BTreeMap::new(),
            resembling: BTreeMap::new(),
            linked: BTreeSet::new(),
            accounts: BTreeMap::new(),
        };
        for (account, links) in people.iter().copied() {
            index.accounts.insert(&account.id, account);
            for key in &connection.settings.directory.join_by {
                if let Some(value) = value_of(*key, account) {
                    index.by_key.entry((*key, value)).or_default().push(&account.id);
                }
            }
            let own = links.iter().filter(|link| link.connection == connection.id);
            index.linked.extend(own.map(|link| link.subject.value.as_str()));
            if !index.is_linked(links) {
                let email = account.email.as_ref().map(Email::as_str);
                for look in looks([
                    account.user_name.as_deref(),
                    account.external_id.as_deref(),
                    email,
                ]) {
                    index.resembling.entry(look).or_default().insert(&account.id);
                }
            }
        }
        index
    }

    fn is_linked(&self, links: &[Link]) -> bool {
        links.iter().any(|link| link.connection == self.connection.id)
    }

    /// Judges a person whom nobody has presented anything for.
    fn judge(&self, account: &Account) -> Option<(Problem, String)> {
        let keys = &self.connection.settings.directory.join_by;
        let held: Vec<(JoinKey, String)> = keys
            .iter()
            .filter_map(|key| Some((*key, value_of(*key, account)?)))
            .collect();
        if held.is_empty() {
            let text = format!("has none of {}: push one of them, or change join_by", words(keys));
            return Some((Problem::KeyMissing, text));
        }
        let provable = |key: &JoinKey| {
            *key != JoinKey::Email
                || !self.connection.settings.require_domain
                || account
                    .email
                    .as_ref()
                    .is_some_and(|email| self.connection.serves(email))
        };
        if !held.iter().any(|(key, _)| provable(key)) {
            let text = "has an address outside the connection's verified domains, which no sign-in through it can prove";
            return Some((Problem::AddressForeign, text.to_owned()));
        }
        let (key, value) = held
            .into_iter()
            .find(|key| self.by_key.get(key).is_some_and(|holders| holders.len() > 1))?;
        Some((
            Problem::KeyShared,
            format!("shares the {} {value} with somebody else", word(key)),
        ))
    }

    /// Follows every identity presented. Returns who looks like it without being found by it, and who looks like nobody.
    fn compare(&self, presented: &[Presented]) -> (BTreeMap<AccountId, String>, Vec<Finding>) {
        let mut differing = BTreeMap::new();
        let mut strangers: BTreeMap<&str, Finding> = BTreeMap::new();
        for identity in presented {
            if self.linked.contains(identity.subject.as_str()) || self.leads_somewhere(identity) {
                continue;
            }
            let email = identity.email.as_ref().map(Email::as_str);
            let alike: BTreeSet<&AccountId> = looks([
                Some(identity.subject.as_str()),
                identity.user_name.as_deref(),
                email,
            ])
            .into_iter()
            .filter_map(|look| self.resembling.get(&look))
            .flatten()
            .copied()
            .collect();
            if alike.is_empty() {
                strangers.entry(&identity.subject).or_insert_with(|| Finding {
                    account: None,
                    name: identity.subject.clone(),
                    problem: Problem::NobodyPushed,
                    text: format!("{}; the directory pushed nobody like that", said(identity)),
                });
            }
            for account in alike.into_iter().filter_map(|id| self.accounts.get(id)) {
                let keys = &self.connection.settings.directory.join_by;
                let text = format!(
                    "{}; pushed was {}: none of {} is equal",
                    said(identity),
                    described(account),
                    words(keys)
                );
                differing.insert(account.id.clone(), text);
            }
        }
        (differing, strangers.into_values().collect())
    }

    /// Tells whether a join key leads from the identity to anybody, as [`crate::matching`] follows them.
    fn leads_somewhere(&self, identity: &Presented) -> bool {
        let email = identity
            .email
            .as_ref()
            .filter(|email| !self.connection.settings.require_domain || self.connection.serves(email));
        self.connection.settings.directory.join_by.iter().any(|key| {
            let values: Vec<String> = match key {
                JoinKey::ExternalId => vec![identity.subject.clone()],
                JoinKey::Email => email.map(Email::key).into_iter().collect(),
                JoinKey::UserName => std::iter::once(&identity.subject)
                    .chain(&identity.user_name)
                    .map(|name| name.to_lowercase())
                    .collect(),
            };
            values
                .into_iter()
                .any(|value| self.by_key.contains_key(&(*key, value)))
        })
    }
}

fn value_of(key: JoinKey, account: &Account) -> Option<String> {
    match key {
        JoinKey::UserName => account.user_name.as_ref().map(|name| name.to_lowercase()),
        JoinKey::ExternalId => account.external_id.clone(),
        JoinKey::Email => account.email.as_ref().map(Email::key),
    }
}

/// What values look like to a person who compares them: without case, and without what stands behind the @.
fn looks<'a>(values: impl IntoIterator<Item = Option<&'a str>>) -> BTreeSet<String> {
    let mut looks = BTreeSet::new();
    for value in values.into_iter().flatten().map(str::to_lowercase) {
        if let Some((local, _)) = value.split_once('@').filter(|(local, _)| !local.is_empty()) {
            looks.insert(local.to_owned());
        }
        if !value.is_empty() {
            looks.insert(value);
        }
    }
    looks
}

fn said(identity: &Presented) -> String {
    let mut parts = vec![format!("signed in as \"{}\"", identity.subject)];
    parts.extend(
        identity
            .user_name
            .as_ref()
            .map(|name| format!("user name {name}")),
    );
    parts.extend(identity.email.as_ref().map(|email| format!("address {email}")));
    parts.join(", ")
}

fn described(account: &Account) -> String {
    let or_none = |value: Option<&str>| value.unwrap_or("none").to_owned();
    format!(
        "user name {}, external id {}, address {}",
        or_none(account.user_name.as_deref()),
        or_none(account.external_id.as_deref()),
        or_none(account.email.as_ref().map(Email::as_str))
    )
}

fn name_of(account: &Account) -> String {
    let email = account.email.as_ref().map(Email::as_str);
    account
        .user_name
        .as_deref()
        .or(email)
        .unwrap_or(account.id.as_str())
        .to_owned()
}

const fn word(key: JoinKey) -> &'static str {
    match key {
        JoinKey::UserName => "user name",
        JoinKey::ExternalId => "external id",
        JoinKey::Email => "address",
    }
}

fn words(keys: &[JoinKey]) -> String {
    match keys {
        [] => "the join keys (join_by is empty)".to_owned(),
        keys => keys.iter().map(|key| word(*key)).collect::<Vec<_>>().join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::Provisioning;
    use crate::fixtures::*;

    fn person(
        id: &str,
        user_name: Option<&str>,
        external_id: Option<&str>,
        address: Option<&str>,
    ) -> Account {
        let mut account = account(id, sso("okta"));
        account.user_name = user_name.map(str::to_owned);
        account.external_id = external_id.map(str::to_owned);
        account.email = address.map(email);
        account
    }

    fn presented(subject: &str, user_name: Option<&str>, address: Option<&str>) -> Presented {
        Presented {
            subject: subject.to_owned(),
            user_name: user_name.map(str::to_owned),
            email: address.map(email),
        }
    }

    fn joining(keys: &[JoinKey], people: &[(Account, Vec<Link>)], presented: &[Presented]) -> JoinReport {
        let in_force = scim(|connection| connection.settings.directory.join_by = keys.to_vec());
        report(in_force.connection(), people, presented)
    }

    #[test]
    fn r130_people_without_a_key_that_can_lead_to_them_are_listed() {
        use JoinKey::{Email, ExternalId, UserName};
        let people = [
            (
                person("ready", Some("ann"), Some("x-1"), Some("ann@acme.example")),
                vec![],
            ),
            (person("joined", Some("bob"), None, None), vec![link("s-1")]),
            (person("bare", None, None, None), vec![]),
            (person("foreign", None, None, Some("cid@else.example")), vec![]),
            (person("twin", Some("dan"), None, None), vec![]),
            (person("other", Some("DAN"), None, None), vec![]),
        ];
        let found = joining(&[UserName, ExternalId, Email], &people, &[]);
        assert_eq!((found.people, found.joined, found.ready), (6, 1, 1));
        let listed: Vec<(&str, Problem)> = found
            .findings
            .iter()
            .map(|finding| (finding.account.as_ref().unwrap().as_str(), finding.problem))
            .collect();
        assert_eq!(
            listed,
            [
                ("bare", Problem::KeyMissing),
                ("foreign", Problem::AddressForeign),
                ("twin", Problem::KeyShared),
                ("other", Problem::KeyShared),
            ]
        );
        assert_eq!(joining(&[], &people, &[]).ready, 0);
    }

    #[test]
    fn r130_an_identity_that_looks_like_a_pushed_person_but_equals_no_key_is_shown_beside_the_person() {
        use JoinKey::{Email, ExternalId, UserName};
        let ann = || {
            (
                person("ann", Some("ann"), Some("X-1"), Some("ann@acme.example")),
                vec![],
            )
        };
        // Keys, identity, whether the two are told apart.
        let cases = [
            (vec![UserName], presented("ann@acme.example", None, None), true),
            (vec![UserName], presented("00u1", Some("ANN"), None), false),
            (vec![ExternalId], presented("x-1", None, None), true),
            (vec![ExternalId], presented("X-1", None, None), false),
            (
                vec![ExternalId],
                presented("00u1", None, Some("ann@acme.example")),
                true,
            ),
            (
                vec![Email],
                presented("00u1", None, Some("Ann@acme.example")),
                false,
            ),
            (
                vec![UserName, Email],
                presented("00u1", None, Some("ann@else.example")),
                true,
            ),
        ];
        for (keys, identity, differs) in cases {
            let found = joining(&keys, &[ann()], std::slice::from_ref(&identity));
            let case = format!("{keys:?} {identity:?}");
            if differs {
                assert_eq!(found.findings.len(), 1, "{case}");
                assert_eq!(found.findings[0].problem, Problem::KeyDiffers, "{case}");
                assert!(found.findings[0].text.contains(&identity.subject), "{case}");
            } else {
                assert_eq!((found.findings.len(), found.ready), (0, 1), "{case}");
            }
        }
        let stranger = joining(
            &[UserName],
            &[ann()],
            &[presented("eve", None, None), presented("eve", None, None)],
        );
        assert_eq!(stranger.ready, 1);
        assert_eq!(stranger.findings.len(), 1);
        assert_eq!(stranger.findings[0].problem, Problem::NobodyPushed);
        // Who is linked is known by the link, whatever the keys say.
        let known = (person("ann", Some("ann"), None, None), vec![link("anything")]);
        assert_eq!(
            joining(&[UserName], &[known], &[presented("anything", None, None)]).findings,
            []
        );
    }

    #[test]
    fn r130_the_report_says_what_a_sign_in_then_does() {
        let in_force = scim(|_| {});
        assert_eq!(in_force.connection().provisioning, Provisioning::Scim);
        for (subject, joins) in [("ANN", true), ("x-1", true), ("ann@else.example", false)] {
            let account = person("ann", Some("ann"), Some("x-1"), Some("a.lee@acme.example"));
            let held = member("acme", rule(), &["member"]);
            let identity = presented(subject, None, None);
            let found = report(in_force.connection(), &[(account.clone(), vec![])], &[identity]);
            let mut world = World::new(&["acme"], vec![known(account, &[], vec![held])]);
            let mut incoming = ann(&[]);
            incoming.subject.value = subject.to_owned();
            incoming.normalized.email = None;
            let admitted = world.sign_in(&incoming, &in_force, 1).plan.session.is_some();
            assert_eq!((found.findings.is_empty(), admitted), (joins, joins), "{subject}");
        }
    }
}
