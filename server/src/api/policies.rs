//! Policies of a connection: reading and saving them, and trying them on people without effect.

use std::borrow::Cow;

use crate::route::{get, post, put};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Json};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::answer::AccountView;
use super::changes::ChangeView;
use super::endpoint::{Answer, Endpoint, JSON, Verb, query_of, schema_of};
use super::page::{Asked, Page, PageQuery, Sent, cursor};
use super::preview::{self, EVENTS, LINES, PreviewLine};
use super::traces::TraceView;
use crate::app::App;
use crate::error::{AppError, Result};
use crate::flow::api_keys::{Caller, Scope};
use crate::flow::directory;
use crate::flow::policy::change::{self, Saved};
use crate::flow::policy::pasted;
use crate::flow::policy::trial::{self, Subject};
use crate::flow::policy::{Policies, drift};

/// The endpoints of this area.
pub(super) const ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        verb: Verb::Get,
        path: "/api/v1/connections/{connection}/policy",
        name: "getPolicies",
        area: "Policies",
        summary: "Get the policies of a connection",
        description: "The `ETag` names the version; send it as `If-Match` when saving.",
        scope: Scope::PoliciesRead,
        query: None,
        body: None,
        answers: &[Answer {
            status: 200,
            what: "The policies.",
            content: &[(JSON, Some(schema_of::<Policies>))],
        }],
        problems: &[],
        handler: || get(read),
    },
    Endpoint {
        verb: Verb::Put,
        path: "/api/v1/connections/{connection}/policy",
        name: "putPolicies",
        area: "Policies",
        summary: "Save the policies of a connection",
        description: "Everything is checked first and nothing is saved if anything is wrong. The edited policy is then tried on \
                      everybody whom the connection knows; if it would take access from more people than the connection's \
                      `strip_guard` allows, the change is held until it is approved (202).",
        scope: Scope::PoliciesWrite,
        query: None,
        body: Some(schema_of::<Policies>),
        answers: &[
            Answer {
                status: 200,
                what: "In force; `ETag` names the new version.",
                content: &[(JSON, Some(schema_of::<SavedAnswer>))],
            },
            Answer {
                status: 202,
                what: "Held until it is approved.",
                content: &[(JSON, Some(schema_of::<ChangeView>))],
            },
        ],
        problems: &[
            (403, "shared_connection"),
            (409, "conflict"),
            (412, "version_mismatch"),
            (422, "invalid_policy"),
        ],
        handler: || put(save),
    },
    Endpoint {
        verb: Verb::Post,
        path: "/api/v1/connections/{connection}/policy/preview",
        name: "previewPolicies",
        area: "Policies",
        summary: "Preview an edited policy on everybody, without effect",
        description: "Streams JSON Lines, or server-sent events with `Accept: text/event-stream`: `begin` with the number of people, \
                      `person` for each for whom something would change, `progress`, and `end` with the counts and what the guard \
                      says; `error` if it breaks off. Close the connection to cancel.",
        scope: Scope::PoliciesTest,
        query: None,
        body: Some(schema_of::<Policies>),
        answers: &[Answer {
            status: 200,
            what: "A stream of lines.",
            content: &[
                (LINES, Some(schema_of::<PreviewLine>)),
                (EVENTS, Some(schema_of::<PreviewLine>)),
            ],
        }],
        problems: &[(422, "invalid_policy")],
        handler: || post(show_preview),
    },
    Endpoint {
        verb: Verb::Get,
        path: "/api/v1/organizations/{organization}/drift",
        name: "listDrift",
        area: "Policies",
        summary: "List members whose access rules would change, were it not pinned",
        description: "Noted when it is found: within a minute after somebody was edited by hand, signed in or was pushed, for everybody after the rules \
                      changed, and once a day. Judged by the last claims, or by what a directory pushed. `as_of` says since when everybody has been \
                      looked at; a page may be shorter than asked for although `next` leads on.",
        scope: Scope::PoliciesTest,
        query: Some(query_of::<PageQuery>),
        body: None,
        answers: &[Answer {
            status: 200,
            what: "A page of members.",
            content: &[(JSON, Some(schema_of::<DriftPage>))],
        }],
        problems: &[],
        handler: || get(list_drift),
    },
    Endpoint {
        verb: Verb::Post,
        path: "/api/v1/connections/{connection}/policy/test",
        name: "testPolicies",
        area: "Policies",
        summary: "Try the saved or an edited policy on one person, without effect",
        description: "Takes a past attempt, an account's last claims, pasted claims, or a pasted SAML message whose signature nobody \
                      checks, and answers with the trace that a sign-in would leave. Where the connection's directory makes the accounts, the decision of a push is tried instead: over what \
                      it pushed about the person, or over the claims pasted. Nothing is written.",
        scope: Scope::PoliciesTest,
        query: None,
        body: Some(schema_of::<TestRequest>),
        answers: &[Answer {
            status: 200,
            what: "What would be decided.",
            content: &[(JSON, Some(schema_of::<TestAnswer>))],
        }],
        problems: &[
            (409, "no_claims"),
            (422, "invalid_policy"),
            (422, "invalid_subject"),
        ],
        handler: || post(test),
    },
];

/// A trial: exactly one of `trace`, `account`, `claims` and `saml`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct TestRequest {
    /// Reference number of a past attempt.
    trace: Option<String>,
    /// An account, with its last claims through the connection, or with what the connection's directory pushed.
    account: Option<String>,
    /// Claims as the identity provider sends them: attributes of an assertion, or claims of an ID token.
    claims: Option<Map<String, Value>>,
    /// Subject (`sub`, NameID) of pasted claims, if it is not among them.
    subject: Option<String>,
    /// A Response or Assertion of SAML: XML, its base64, or the form field. It is read without being verified.
    saml: Option<String>,
    /// An edited policy; absent: the saved one.
    policies: Option<Policies>,
}

/// Saved policies.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(super) struct SavedAnswer {
    /// Version of the connection.
    version: i64,
}

/// A page of members whose access rules would change, were it not pinned.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(super) struct DriftPage {
    #[serde(flatten)]
    page: Page<DriftView>,
    /// Since when everybody has been looked at; absent as long as there are people whom nobody has looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    as_of: Option<Timestamp>,
    /// How many people have been looked at again so far; absent when nobody is being looked at again.
    #[serde(skip_serializing_if = "Option::is_none")]
    looked_at: Option<u64>,
}

/// A member whose access rules would change, were it not pinned.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "Drift")]
pub(super) struct DriftView {
    /// The member.
    account: AccountView,
    /// Through which connection the person came last.
    connection: String,
    /// Whether the rules still admit to the organization.
    admits: bool,
    /// Why nothing changes.
    why: String,
    /// What the rules would change; none where they would end the membership.
    edits: Vec<Value>,
}

/// What would be decided.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(super) struct TestAnswer {
    /// `saved` or `edited`.
    policy: &'static str,
    /// `admitted` or the code of the denial.
    verdict: String,
    /// Every step with its reason.
    trace: TraceView,
    /// What a sign-in would write, in order.
    changes: Vec<Value>,
}

async fn read(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Response> {
    let record = directory::connection(&app, &caller, &id).await?;
    let tag = etag(record.connection.version)?;
    Ok(([(header::ETAG, tag)], Json(Policies::of(&record.connection))).into_response())
}

/// Names a version of a connection.
pub(super) fn etag(version: i64) -> Result<HeaderValue> {
    HeaderValue::from_str(&format!("\"{version}\"")).map_err(AppError::internal)
}

async fn save(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    headers: HeaderMap,
    Sent(policies): Sent<Policies>,
) -> Result<Response> {
    let expected = headers.get(header::IF_MATCH).map(expected_version).transpose()?;
    match change::save(&app, &caller, &id, policies, expected).await? {
        Saved::InForce(version) => {
            Ok(([(header::ETAG, etag(version)?)], Json(SavedAnswer { version })).into_response())
        }
        Saved::Held(change) => Ok((StatusCode::ACCEPTED, Json(ChangeView::from(*change))).into_response()),
    }
}

/// Reads the version that the caller has seen.
fn expected_version(value: &HeaderValue) -> Result<i64> {
    value
        .to_str()
        .ok()
        .and_then(|text| text.trim().strip_prefix('"')?.strip_suffix('"')?.parse().ok())
        .ok_or_else(|| {
            AppError::new(
                StatusCode::PRECONDITION_FAILED,
                "version_mismatch",
                "If-Match must be the ETag of the policies as they were read.",
            )
        })
}

async fn show_preview(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    headers: HeaderMap,
    Sent(policies): Sent<Policies>,
) -> Result<Response> {
    preview::stream(app, &caller, &id, &headers, policies).await
}

async fn list_drift(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    Asked(page): Asked<PageQuery>,
) -> Result<Response> {
    let piece = drift::list(&app, &caller, &id, page.after()?, page.limit()?).await?;
    let items = piece
        .items
        .into_iter()
        .map(|one| {
            let mut account = one.account;
            account
                .memberships
                .retain(|held| held.organization.as_str() == id.as_str());
            DriftView {
                account: AccountView::of(account, &caller),
                connection: one.connection,
                admits: one.drift.admits,
                why: one.drift.why,
                edits: one
                    .drift
                    .edits
                    .iter()
                    .filter_map(|edit| serde_json::to_value(edit).ok())
                    .collect(),
            }
        })
        .collect();
    let next = piece.next.map(|last| cursor(&[last.as_str()]));
    let answer = DriftPage {
        page: Page { items, next },
        as_of: piece.sight.as_of,
        looked_at: piece.sight.is_under_way.then_some(piece.sight.looked_at),
    };
    Ok(Json(answer).into_response())
}

async fn test(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    Sent(asked): Sent<TestRequest>,
) -> Result<Response> {
    let subject = match (asked.trace, asked.account, asked.claims, asked.saml) {
        (Some(reference), None, None, None) => Subject::Trace(reference),
        (None, Some(account), None, None) => Subject::Account(account),
        (None, None, Some(claims), None) => Subject::Claims {
            claims,
            subject: asked.subject,
        },
        (None, None, None, Some(message)) => {
            let record = directory::connection(&app, &caller, &id).await?;
            let pasted = pasted::message(&app, &record.connection, &message).await;
            pasted.map_err(|why| invalid_subject(why.to_string()))?.subject
        }
        _ => {
            return Err(invalid_subject(
                "Send exactly one of trace, account, claims and saml.",
            ));
        }
    };
    let trial = trial::run(&app, &caller, &id, subject, asked.policies).await?;
    Ok(Json(TestAnswer {
        policy: if trial.edited { "edited" } else { "saved" },
        verdict: trial.record.verdict.clone(),
        changes: trial
            .changes
            .iter()
            .filter_map(|change| serde_json::to_value(change).ok())
            .collect(),
        trace: TraceView::from(trial.record),
    })
    .into_response())
}

fn invalid_subject(detail: impl Into<Cow<'static, str>>) -> AppError {
    AppError::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_subject", detail)
}
