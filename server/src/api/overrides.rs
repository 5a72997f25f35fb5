//! Overriding what a directory keeps, for a while.

use crate::route::{delete, put};
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Json};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::answer::AccountView;
use super::endpoint::{Answer, Endpoint, JSON, Verb, schema_of};
use super::page::Sent;
use crate::app::App;
use crate::error::Result;
use crate::flow::api_keys::{Caller, Scope};
use crate::flow::overrides;

/// The endpoints of this area.
pub(super) const ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        verb: Verb::Put,
        path: "/api/v1/accounts/{account}/overrides/{field}",
        name: "overrideField",
        area: "Directory",
        summary: "Override a field that a directory keeps, for a while",
        description: "For the day when the directory is wrong or out of reach. The field is `email`, `given_name`, `family_name`, \
                      `display_name`, `kind` or `attributes.NAME`. Pushes go on beside it, and the value that the directory wants \
                      by then returns at `until`, within 90 days. Audited.",
        scope: Scope::AccountsWrite,
        query: None,
        body: Some(schema_of::<OverrideRequest>),
        answers: &[Answer {
            status: 200,
            what: "The account as it is now.",
            content: &[(JSON, Some(schema_of::<AccountView>))],
        }],
        problems: &[
            (403, "not_permitted"),
            (409, "conflict"),
            (409, "email_taken"),
            (422, "domain_not_verified"),
            (422, "invalid_value"),
        ],
        handler: || put(set),
    },
    Endpoint {
        verb: Verb::Delete,
        path: "/api/v1/accounts/{account}/overrides/{field}",
        name: "endOverride",
        area: "Directory",
        summary: "End an override before its time",
        description: "The value that the directory wants by now returns at once.",
        scope: Scope::AccountsWrite,
        query: None,
        body: None,
        answers: &[Answer {
            status: 200,
            what: "The account as it is now.",
            content: &[(JSON, Some(schema_of::<AccountView>))],
        }],
        problems: &[(403, "not_permitted"), (409, "conflict")],
        handler: || delete(end),
    },
];

/// What a field shall hold, and until when.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct OverrideRequest {
    /// The value; null empties the field.
    #[serde(default)]
    value: Value,
    /// When the directory's value returns (RFC 3339), within 90 days; absent: in 24 hours.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    until: Option<Timestamp>,
}

async fn set(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path((account, field)): Path<(String, String)>,
    Sent(wanted): Sent<OverrideRequest>,
) -> Result<Response> {
    let facts = overrides::set(&app, &caller, &account, &field, wanted.value, wanted.until).await?;
    Ok(Json(AccountView::of(facts, &caller)).into_response())
}

async fn end(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path((account, field)): Path<(String, String)>,
) -> Result<Response> {
    let facts = overrides::end(&app, &caller, &account, &field).await?;
    Ok(Json(AccountView::of(facts, &caller)).into_response())
}
