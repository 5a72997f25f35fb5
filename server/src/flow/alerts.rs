//! What owners hear of by mail, beside the audit log and the events: a way in that is there for emergencies was used, a directory
//! fell silent or was held. Queued in the transaction of its cause, so that nothing is told that did not happen, and nothing
//! that happened is kept from them.

use jiff::Timestamp;
use provost_kernel::connection::{Connection, Scope};
use provost_kernel::directory::Account;
use provost_kernel::facts::Facts;
use provost_kernel::id::{AccountId, OrganizationId};
use provost_kernel::plan::{Change, Decision};
use provost_store::{StoreError, Tx};
use url::Url;

use crate::app::App;
use crate::flow::mail::{self, Addressed, Kind};

/// Most owners of one organization who get a mail.
const OWNERS: u32 = 20;
/// Most organizations that hear of one sign-in.
const ORGANIZATIONS: usize = 5;

/// Whether and how owners are told.
#[derive(Clone, Debug)]
pub struct Alerts {
    /// Our own address, for links; none where no mail can leave.
    base: Option<Url>,
}

/// What is told.
#[derive(Clone, Debug)]
pub struct Alarm {
    /// Kind of mail.
    pub kind: Kind,
    /// What mails are numbered by: what caused them, which happens once.
    pub seed: String,
    /// About whom.
    pub about: Option<AccountId>,
    /// Values that the words need.
    pub values: Vec<(&'static str, String)>,
    /// Path of the page that tells more, within the organization's console.
    pub page: String,
}

impl Alerts {
    /// As this node is configured.
    pub fn of(app: &App) -> Self {
        Self {
            base: app.config.mail.is_on().then(|| app.config.public_url.clone()),
        }
    }

    /// Queues a mail to each owner of an organization. Ring [`App::ring_mail`] after the commit.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn tell_owners_in_tx(
        &self,
        tx: &mut Tx,
        organization: &OrganizationId,
        alarm: &Alarm,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let Some(base) = &self.base else { return Ok(()) };
        let segment: String =
            url::form_urlencoded::byte_serialize(organization.as_str().as_bytes()).collect();
        let page = format!("/console/{}{}", segment.replace('+', "%20"), alarm.page);
        let link = base.join(&page).ok().map(String::from);
        let owners = tx.owners_of(organization, OWNERS).await?;
        for (number, owner) in owners.iter().enumerate() {
            let id = format!("mail_{}_{organization}_{number}", alarm.seed);
            self.queue_in_tx(tx, (id, Some(organization), owner), alarm, link.clone(), now)
                .await?;
        }
        Ok(())
    }

    async fn queue_in_tx(
        &self,
        tx: &mut Tx,
        (id, organization, to): (String, Option<&OrganizationId>, &Account),
        alarm: &Alarm,
        link: Option<String>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let Some(email) = &to.email else { return Ok(()) };
        let to = Addressed {
            email: email.clone(),
            name: to.display_name.clone().or_else(|| to.given_name.clone()),
            organization: organization.cloned(),
            account: alarm.about.clone(),
        };
        let mail = mail::written(id, alarm.kind, to, &alarm.values, link);
        tx.queue_mail(&mail, now).await
    }

    /// Tells of what a decided sign-in with a password raised alerts about: owners of the organizations that she manages, and
    /// herself where a recovery code was used.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn of_sign_in_in_tx(
        &self,
        tx: &mut Tx,
        facts: &Facts,
        decision: &Decision,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        if self.base.is_none() {
            return Ok(());
        }
        for change in &decision.plan.changes {
            let Change::Alert { account, code, .. } = change else {
                continue;
            };
            let kind = match code.as_str() {
                "emergency_sign_in" => Kind::EmergencySignIn,
                "recovery_code_used" => Kind::RecoveryCodeUsed,
                _ => continue,
            };
            let Some(known) = facts.accounts.iter().find(|known| known.account.id == *account) else {
                continue;
            };
            let account = &known.account;
            let who = account
                .email
                .as_ref()
                .map_or_else(|| account.id.to_string(), ToString::to_string);
            let trace = &decision.trace.id;
            let alarm = Alarm {
                kind,
                seed: format!("{}_{trace}", kind.word()),
                about: Some(account.id.clone()),
                values: vec![("who", who), ("when", when(now))],
                page: format!("/traces/{trace}"),
            };
            for organization in managed(facts, &account.id) {
                self.tell_owners_in_tx(tx, &organization, &alarm, now).await?;
            }
            if kind == Kind::RecoveryCodeUsed {
                let id = format!("mail_{}_herself", alarm.seed);
                let link = self
                    .base
                    .as_ref()
                    .and_then(|base| base.join("/account/security").ok());
                self.queue_in_tx(tx, (id, None, account), &alarm, link.map(String::from), now)
                    .await?;
            }
        }
        Ok(())
    }

    /// Tells the owners of the organization that a connection belongs to about its directory; an operator's own directories are
    /// told of by the metrics.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn of_directory_in_tx(
        &self,
        tx: &mut Tx,
        connection: &Connection,
        (code, seed): (&str, String),
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let kind = match code {
            "directory_silent" => Kind::DirectorySilent,
            "directory_failing" => Kind::DirectoryFailing,
            "departures_held" => Kind::DeparturesHeld,
            _ => return Ok(()),
        };
        let Scope::Organization { organization, .. } = &connection.scope else {
            return Ok(());
        };
        let segment: String =
            url::form_urlencoded::byte_serialize(connection.id.as_str().as_bytes()).collect();
        let alarm = Alarm {
            kind,
            seed,
            about: None,
            values: vec![("connection", connection.name.clone()), ("when", when(now))],
            page: format!("/connections/{}/scim", segment.replace('+', "%20")),
        };
        self.tell_owners_in_tx(tx, organization, &alarm, now).await
    }
}

/// Tells whether a decision raised alerts, of which there may be mail now.
pub fn are_raised(decision: &Decision) -> bool {
    decision
        .plan
        .changes
        .iter()
        .any(|change| matches!(change, Change::Alert { .. }))
}

/// Finds the organizations that somebody helps to manage, also where owners alone do for the moment (C-26): an alarm is rather
/// told too often.
fn managed(facts: &Facts, account: &AccountId) -> Vec<OrganizationId> {
    let manages = |organization: &OrganizationId, role: &provost_kernel::id::RoleId| {
        facts
            .organizations
            .iter()
            .filter(|known| known.organization.id == *organization)
            .flat_map(|known| &known.roles)
            .any(|known| (known.owner || known.admin) && known.id == *role)
    };
    facts
        .accounts
        .iter()
        .filter(|known| known.account.id == *account)
        .flat_map(|known| &known.memberships)
        .filter(|held| {
            held.active
                && held
                    .roles
                    .iter()
                    .any(|grant| manages(&held.organization, &grant.id))
        })
        .map(|held| held.organization.clone())
        .take(ORGANIZATIONS)
        .collect()
}

/// Writes a time for a mail.
pub(super) fn when(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}
