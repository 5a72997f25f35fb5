//! Which pushed people would not be found when they sign in, before that bites. The judgment is the kernel's;
//! here is gathered what it needs: the people, and what recent sign-ins through the connection presented.

use provost_kernel::directory::{Account, Link};
use provost_kernel::email::Email;
use provost_kernel::id::{AccountId, ConnectionId};
use provost_kernel::provision::push::joining::{self, JoinReport, Presented};
use provost_kernel::trace::SIGN_IN;
use provost_store::search::{Condition, Search, Start};
use provost_store::{Reader, StoreError, TraceFilter, TraceRecord};
use serde_json::Value;

use crate::app::App;

/// People looked at in one step.
const STEP: u32 = 500;
/// Recent attempts that are looked at.
const ATTEMPTS: u32 = 1_000;

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
                let filter = TraceFilter {
                    connection: Some(id),
                    ..TraceFilter::default()
                };
                let attempts = reader.traces(&filter, ATTEMPTS).await?;
                let presented: Vec<Presented> = attempts.iter().filter_map(presented).collect();
                Ok(Some(joining::report(&record.connection, &people, &presented)))
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

/// Reads what an attempt to sign in presented, as its trace keeps it.
fn presented(record: &TraceRecord) -> Option<Presented> {
    if record.trace.kind != SIGN_IN {
        return None;
    }
    let claims = record.claims.as_ref()?;
    let normalized = claims.get("normalized");
    let text = |name: &str| normalized?.get(name)?.as_str().map(str::to_owned);
    let is_vouched_for = normalized?.get("email_verified").and_then(Value::as_bool) == Some(true);
    Some(Presented {
        subject: claims.get("subject")?.get("value")?.as_str()?.to_owned(),
        user_name: text("user_name"),
        email: text("email")
            .filter(|_| is_vouched_for)
            .and_then(|email| Email::parse(&email).ok()),
    })
}
