//! Tells people whom a directory pushed that they have an account, where the connection wants that (C-22). No token is needed:
//! the provider proves who they are.

use jiff::Timestamp;
use provost_kernel::connection::Connection;
use provost_kernel::directory::Status;
use provost_kernel::plan::{Change, Decision};
use provost_store::{StoreError, Tx};

use crate::app::App;
use crate::error::Result;
use crate::flow::mail::{self, Addressed, Kind};
use crate::flow::scim::access::Caller;

/// A mail that may be written: everything that needs randomness or the configuration.
#[derive(Clone, Debug)]
pub struct Prepared {
    id: String,
    base: String,
}

/// Prepares a mail, if the connection wants people told and mail can leave.
///
/// # Errors
/// When the operating system has no random bytes.
pub fn prepare(app: &App, caller: &Caller) -> Result<Option<Prepared>> {
    let connection = caller.live.in_force.connection();
    if !connection.settings.invite_on.scim || !app.config.mail.is_on() {
        return Ok(None);
    }
    let segment: String = url::form_urlencoded::byte_serialize(connection.id.as_str().as_bytes()).collect();
    let path = format!("/sso/{}/login", segment.replace('+', "%20"));
    Ok(Some(Prepared {
        id: app.world.id("mail_")?,
        base: app.config.url(&path),
    }))
}

impl Prepared {
    /// Queues the mail, if the decision made an account that may sign in and is a member somewhere.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn keep(
        self,
        tx: &mut Tx,
        decision: &Decision,
        connection: &Connection,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let changes = &decision.plan.changes;
        let made = changes.iter().find_map(|change| {
            if let Change::CreateAccount { account, .. } = change {
                (account.status == Status::Active).then_some(account)
            } else {
                None
            }
        });
        let joined = changes.iter().find_map(|change| {
            if let Change::AddMembership { membership, .. } = change {
                Some(membership.organization.clone())
            } else {
                None
            }
        });
        let (Some(account), Some(organization)) = (made, joined) else {
            return Ok(());
        };
        let Some(email) = account.email.clone() else {
            return Ok(());
        };
        let query = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("login_hint", email.as_str())
            .finish();
        let to = Addressed {
            email,
            name: account
                .given_name
                .clone()
                .or_else(|| account.display_name.clone()),
            organization: Some(organization),
            account: Some(account.id.clone()),
        };
        let values = [("connection", connection.name.clone())];
        let link = Some(format!("{}?{query}", self.base));
        let mail = mail::written(self.id, Kind::Welcome, to, &values, link);
        tx.queue_mail(&mail, now).await
    }
}
