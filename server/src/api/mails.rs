//! The history of mails.

use crate::route::get;
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Json};
use jiff::Timestamp;
use provost_kernel::email::Email;
use provost_kernel::id::{AccountId, OrganizationId};
use provost_store::{MailRecord, MailState};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::answer::word;
use super::endpoint::{Answer, Endpoint, JSON, Verb, query_of, schema_of};
use super::page::{Asked, Page, PageQuery};
use crate::app::App;
use crate::error::{AppError, Result};
use crate::flow::api_keys::{Caller, Scope};
use crate::flow::mails::{self, Wanted};

/// The endpoints of this area.
pub(super) const ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        verb: Verb::Get,
        path: "/api/v1/mails",
        name: "listMails",
        area: "Mail",
        summary: "List the mails that were sent or wait, newest first",
        description: "With what became of each. Links in them are never shown. Kept for 90 days.",
        scope: Scope::AccountsRead,
        query: Some(query_of::<MailQuery>),
        body: None,
        answers: &[Answer {
            status: 200,
            what: "A page of mails.",
            content: &[(JSON, Some(schema_of::<Page<MailView>>))],
        }],
        problems: &[],
        handler: || get(list),
    },
    Endpoint {
        verb: Verb::Get,
        path: "/api/v1/mails/{mail}",
        name: "getMail",
        area: "Mail",
        summary: "Get a mail and what became of it",
        description: "",
        scope: Scope::AccountsRead,
        query: None,
        body: None,
        answers: &[Answer {
            status: 200,
            what: "The mail.",
            content: &[(JSON, Some(schema_of::<MailView>))],
        }],
        problems: &[],
        handler: || get(one),
    },
];

/// Which mails are wanted.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct MailQuery {
    /// For this organization.
    organization: Option<String>,
    /// About this account.
    account: Option<String>,
    /// To this address.
    recipient: Option<String>,
    /// `queued`, `sent` or `dead`.
    #[schemars(with = "Option<String>")]
    state: Option<MailState>,
    /// Where the page before ended: its `next`. Absent: from the beginning.
    cursor: Option<String>,
    /// Entries of a page, 50 if absent.
    #[schemars(range(min = 1, max = 200))]
    limit: Option<u32>,
}

/// A mail.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "Mail")]
pub(super) struct MailView {
    /// Identifier; also the local part of its `Message-ID`.
    id: String,
    /// Kind, such as `invitation`.
    kind: String,
    /// To whom.
    recipient: String,
    /// For which organization.
    #[serde(skip_serializing_if = "Option::is_none")]
    organization: Option<String>,
    /// About which account.
    #[serde(skip_serializing_if = "Option::is_none")]
    account: Option<String>,
    /// `queued`, `sent` (the mail server took it) or `dead` (given up).
    state: String,
    /// How often it was tried.
    attempts: i64,
    /// What went wrong last.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_error: Option<String>,
    /// When it was made.
    #[schemars(with = "String")]
    created_at: Timestamp,
    /// When the mail server took it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    sent_at: Option<Timestamp>,
}

impl From<MailRecord> for MailView {
    fn from(mail: MailRecord) -> Self {
        Self {
            id: mail.id,
            kind: mail.kind,
            recipient: mail.recipient.to_string(),
            organization: mail.organization.map(|id| id.as_str().to_owned()),
            account: mail.account.map(|id| id.as_str().to_owned()),
            state: word(&mail.state),
            attempts: mail.attempts,
            last_error: mail.last_error,
            created_at: mail.created_at,
            sent_at: mail.sent_at,
        }
    }
}

async fn list(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Asked(query): Asked<MailQuery>,
) -> Result<Response> {
    let (after, limit) = PageQuery::new(query.cursor, query.limit).asked()?;
    let recipient = query
        .recipient
        .as_deref()
        .map(Email::parse)
        .transpose()
        .map_err(|_| AppError::bad_request("invalid_query", "The recipient is not an e-mail address."))?;
    let wanted = Wanted {
        organization: query.organization.map(OrganizationId::new),
        account: query.account.map(AccountId::new),
        recipient,
        state: query.state,
        before: after,
    };
    let found = mails::list(&app, &caller, wanted, limit).await?;
    let items = found.into_iter().map(MailView::from).collect();
    Ok(Json(Page::new(items, limit, |item: &MailView| item.id.clone())).into_response())
}

async fn one(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Response> {
    Ok(Json(MailView::from(mails::one(&app, &caller, &id).await?)).into_response())
}
