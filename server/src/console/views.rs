//! Saved views of the list of people: its filters under a name, for whoever saved them.

use axum::extract::State;

use super::page;
use super::sent::{self, Sent};
use super::users::Asked;
use super::visit::{Manager, Outcome};
use crate::app::App;
use crate::flow::console::views;

/// `POST …/users/views`: keeps the filters that were looked at, or forgets a view.
pub async fn act(State(app): State<App>, manager: Manager, sent: Sent) -> Outcome {
    let account = &manager.visitor.active.account.id;
    let organization = &manager.organization.organization.id;
    if let Some(name) = sent.some("forget") {
        views::forget(&app, account, organization, &name).await?;
        return page::lead_to(&format!("{}/users", manager.base()));
    }
    // Only what filters are made of, written anew: nothing of an address is kept as it came.
    let asked = Asked::read(&sent::read(sent.get("query").as_bytes()).unwrap_or_default());
    views::keep(&app, account, organization, sent.get("name"), asked.query(None)).await?;
    page::lead_to(&asked.address(&manager.base(), None))
}
