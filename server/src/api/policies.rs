//! Policies of a connection: reading and saving them, and trying them on people without effect.

use axum::extract::{Path, State};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Extension, Json};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::endpoint::{Answer, Endpoint, JSON, Verb, schema_of};
use super::page::Sent;
use super::traces::TraceView;
use crate::app::App;
use crate::error::{AppError, Result};
use crate::flow::api_keys::{Caller, Scope};
use crate::flow::directory;
use crate::flow::policy::Policies;
use crate::flow::policy::trial::{self, Subject};

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
        verb: Verb::Post,
        path: "/api/v1/connections/{connection}/policy/test",
        name: "testPolicies",
        area: "Policies",
        summary: "Try the saved or an edited policy on one person, without effect",
        description: "Takes a past attempt, an account's last claims, or pasted claims, and answers with the trace that a sign-in \
                      would leave. Nothing is written.",
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

/// A trial: exactly one of `trace`, `account` and `claims`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct TestRequest {
    /// Reference number of a past attempt.
    trace: Option<String>,
    /// An account, with its last claims through the connection.
    account: Option<String>,
    /// Claims as the identity provider sends them: attributes of an assertion, or claims of an ID token.
    claims: Option<Map<String, Value>>,
    /// Subject (`sub`, NameID) of pasted claims, if it is not among them.
    subject: Option<String>,
    /// An edited policy; absent: the saved one.
    policies: Option<Policies>,
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

async fn test(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    Sent(asked): Sent<TestRequest>,
) -> Result<Response> {
    let subject = match (asked.trace, asked.account, asked.claims) {
        (Some(reference), None, None) => Subject::Trace(reference),
        (None, Some(account), None) => Subject::Account(account),
        (None, None, Some(claims)) => Subject::Claims {
            claims,
            subject: asked.subject,
        },
        (None, None, None) | (Some(_), Some(_), _) | (Some(_), _, Some(_)) | (_, Some(_), Some(_)) => {
            return Err(AppError::new(
                axum::http::StatusCode::UNPROCESSABLE_ENTITY,
                "invalid_subject",
                "Send exactly one of trace, account and claims.",
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
