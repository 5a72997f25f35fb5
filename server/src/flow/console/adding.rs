//! Adding people from the console: looked at first, then done, one decision for each address.

use std::collections::BTreeSet;

use provost_kernel::directory::{AccountKind, Authentication, Status};
use provost_kernel::email::Email;
use provost_kernel::id::{AccountId, ConnectionId, LicenseId, OrganizationId, RoleId, TraceId};
use provost_kernel::provision::{Action, DesiredMembership, NewAccount, WorkspacesWanted};
use provost_store::{Reader, StoreError};

use crate::app::App;
use crate::error::Result;
use crate::flow::acting::{self, Wish};
use crate::flow::api_keys::Caller;
use crate::flow::invitations::{self, Letter};

/// Most addresses of one form.
pub const MOST: usize = 50;

/// Whom to add, and as what.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Addresses as they were typed.
    pub addresses: Vec<String>,
    /// User or reader.
    pub kind: AccountKind,
    /// The connection that they sign in through; none for a password.
    pub connection: Option<ConnectionId>,
    /// Roles; none gives the default role.
    pub roles: Vec<RoleId>,
    /// License pool.
    pub license: Option<LicenseId>,
    /// Given name, for a single person.
    pub given_name: Option<String>,
    /// Family name, for a single person.
    pub family_name: Option<String>,
    /// Whether each gets a mail.
    pub send: bool,
}

/// What became of one address, or would.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// An account was made, or would be.
    Added(Option<AccountId>),
    /// The text is no address.
    NoAddress,
    /// The person already is an SSO reader here.
    AlreadyReader,
    /// The decision refused it; with its trace if it was more than a look.
    Refused(&'static str, Option<TraceId>),
}

/// One address with what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The address.
    pub address: String,
    /// What became of it.
    pub outcome: Outcome,
}

/// Reads addresses off a text: separated by commas, semicolons, spaces or lines; `Name <address>` counts as its address.
pub fn addresses(text: &str) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    for part in text.split([',', ';', '\n']) {
        let one = match part.rsplit_once('<') {
            Some((_, rest)) => vec![rest.split('>').next().unwrap_or_default()],
            None => part.split_whitespace().collect(),
        };
        for address in one.into_iter().map(str::trim).filter(|one| !one.is_empty()) {
            let short: String = address.chars().take(254).collect();
            if found.len() < MOST && seen.insert(short.to_lowercase()) {
                found.push(short);
            }
        }
    }
    found
}

/// Says what would become of each address. Writes nothing.
///
/// # Errors
/// Those of the store.
pub async fn check(
    app: &App,
    caller: &Caller,
    organization: &OrganizationId,
    wanted: &Wanted,
) -> Result<Vec<Row>> {
    let mut rows = Vec::with_capacity(wanted.addresses.len());
    for address in &wanted.addresses {
        let outcome = match judged(app, organization, wanted, address).await? {
            Err(outcome) => outcome,
            Ok(new) => {
                let wish = Wish::new(caller.actor(), Action::CreateAccount(Box::new(new)));
                match acting::rehearse(app, wish).await? {
                    Ok(_) => Outcome::Added(None),
                    Err(refusal) => Outcome::Refused(refusal.denial.code(), None),
                }
            }
        };
        rows.push(Row {
            address: address.clone(),
            outcome,
        });
    }
    Ok(rows)
}

/// Adds everybody who can be added; what is wrong with one address stops no other.
///
/// # Errors
/// 409 (`mail_off`) where mails are wanted and none can leave; those of the store.
pub async fn add(
    app: &App,
    caller: &Caller,
    organization: &OrganizationId,
    wanted: &Wanted,
) -> Result<Vec<Row>> {
    let letter = Letter::invitation(wanted.send);
    let mut rows = Vec::with_capacity(wanted.addresses.len());
    for address in &wanted.addresses {
        let outcome = match judged(app, organization, wanted, address).await? {
            Err(outcome) => outcome,
            Ok(new) => match invitations::invite(app, &caller.actor(), new, letter).await? {
                Ok(invited) => Outcome::Added(Some(invited.account)),
                Err(refusal) => Outcome::Refused(refusal.denial.code(), Some(refusal.trace)),
            },
        };
        rows.push(Row {
            address: address.clone(),
            outcome,
        });
    }
    Ok(rows)
}

/// Puts one account together, or says why there can be none.
async fn judged(
    app: &App,
    organization: &OrganizationId,
    wanted: &Wanted,
    address: &str,
) -> Result<std::result::Result<NewAccount, Outcome>> {
    let Ok(email) = Email::parse(address) else {
        return Ok(Err(Outcome::NoAddress));
    };
    if wanted.connection.is_some() {
        let (own, known) = (organization.clone(), email.clone());
        let is_reader: std::result::Result<bool, StoreError> = app
            .store
            .read(|reader| Box::pin(async move { is_sso_reader(reader, &own, &known).await }))
            .await;
        if is_reader? {
            return Ok(Err(Outcome::AlreadyReader));
        }
    }
    let is_single = wanted.addresses.len() == 1;
    let named = |name: &Option<String>| name.clone().filter(|_| is_single);
    Ok(Ok(NewAccount {
        kind: wanted.kind,
        authentication: match &wanted.connection {
            None => Authentication::Standard,
            Some(connection) => Authentication::Sso {
                connection: connection.clone(),
            },
        },
        active: false,
        email: Some(email),
        user_name: None,
        external_id: None,
        given_name: named(&wanted.given_name),
        family_name: named(&wanted.family_name),
        display_name: None,
        emergency_admin: false,
        attributes: serde_json::Map::new(),
        memberships: vec![DesiredMembership {
            organization: organization.clone(),
            roles: wanted.roles.clone(),
            workspaces: WorkspacesWanted::Default,
            license: wanted.license.clone(),
        }],
    }))
}

/// Tells whether an address belongs to an SSO reader of this organization.
async fn is_sso_reader(
    reader: &mut Reader,
    organization: &OrganizationId,
    email: &Email,
) -> std::result::Result<bool, StoreError> {
    for account in reader.accounts_by_email(email).await? {
        let is_one = account.kind == AccountKind::Reader
            && account.authentication != Authentication::Standard
            && account.status != Status::Deleted;
        if is_one {
            let memberships = reader.memberships(&account.id).await?;
            if memberships.iter().any(|held| held.organization == *organization) {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::{MOST, addresses};

    #[test]
    fn r173_several_addresses_are_read_off_a_text() {
        let text = "ann@a.example, Bob Ek <bob@a.example>;\ncy@a.example dan@a.example\r\nANN@a.example,,";
        assert_eq!(
            addresses(text),
            ["ann@a.example", "bob@a.example", "cy@a.example", "dan@a.example"]
        );
        let many: Vec<String> = (0..200).map(|at| format!("p{at}@a.example")).collect();
        assert_eq!(addresses(&many.join("\n")).len(), MOST);
        assert_eq!(addresses(" <, >;").len(), 1);
    }
}
