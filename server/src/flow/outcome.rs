//! How an attempt to sign in ended, as far as the browser may know.

use provost_kernel::connection::{Connection, Scope};
use secrecy::SecretString;

use crate::app::App;
use crate::error::Result;
use crate::flow::account_choice::Question;
use crate::flow::return_to::ReturnTo;
use crate::pages;
use crate::pages::refusal::{Reason, RefusalPage};

/// The end of an attempt to sign in.
#[derive(Debug)]
pub enum SignIn {
    /// The person is in.
    Admitted(Admitted),
    /// It was a test, and here is the page that tells what came of it.
    Tested(ReturnTo),
    /// Several accounts fit, and the person is to say which one is hers.
    Ask(Box<Question>),
    /// The person is not in, and gets a page that says why.
    Refused(Refused),
}

/// A person who is in.
#[derive(Debug)]
pub struct Admitted {
    /// Token for the session cookie.
    pub token: SecretString,
    /// Where to go on to.
    pub return_to: ReturnTo,
}

/// A person who is not in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Why, as far as the person may know.
    pub reason: Reason,
    /// Number of the trace that tells the rest.
    pub reference: String,
    /// Whom to ask.
    pub whom: String,
    /// Where the person was going; starting again keeps it.
    pub return_to: ReturnTo,
}

impl Refused {
    /// Returns the page.
    pub fn page(&self) -> RefusalPage {
        let words = self.reason.words();
        RefusalPage {
            title: words.title.to_owned(),
            reason: words.reason.to_owned(),
            advice: pages::words::said(words.advice).replace("{who}", &self.whom),
            reference: Some(self.reference.clone()),
            again_path: Some(self.return_to.carry("/login")),
        }
    }
}

/// Says whom a refused person should ask: an administrator of the organization that owns the connection.
///
/// # Errors
/// Those of the store.
pub async fn whom_to_ask(app: &App, connection: Option<&Connection>) -> Result<String> {
    let owner = connection.and_then(|connection| match &connection.scope {
        Scope::Instance => None,
        Scope::Organization { organization, .. } => Some(organization.clone()),
    });
    let Some(owner) = owner else {
        return Ok(pages::words::said("the administrator of your organization"));
    };
    let found = app
        .store
        .read(|reader| Box::pin(async move { reader.organization(&owner).await }))
        .await?;
    Ok(found.map_or_else(
        || pages::words::said("the administrator of your organization"),
        |record| pages::words::t1("me.an_administrator_of", &record.organization.name),
    ))
}
