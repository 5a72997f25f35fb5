//! Keys of this API and tokens of directories: made and shown once, listed, revoked.

use crate::route::{delete, get, post};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Json};
use jiff::Timestamp;
use provost_store::TokenRecord;
use schemars::JsonSchema;
use secrecy::ExposeSecret as _;
use serde::{Deserialize, Serialize};

use super::endpoint::{Answer, Endpoint, JSON, Verb, schema_of};
use super::page::Sent;
use crate::app::App;
use crate::error::Result;
use crate::flow::api_keys::{self, Caller, NewKey, Scope};
use crate::flow::{directory_tokens, scim::tokens::Wanted};

const MADE: &[Answer] = &[Answer {
    status: 201,
    what: "The only time that the secret is shown.",
    content: &[(JSON, Some(schema_of::<MadeToken>))],
}];
const LIST: &[Answer] = &[Answer {
    status: 200,
    what: "All of them, ended ones too, oldest first.",
    content: &[(JSON, Some(schema_of::<Tokens>))],
}];
const ENDED: &[Answer] = &[Answer {
    status: 204,
    what: "It opens nothing any more.",
    content: &[],
}];

/// The endpoints of this area.
pub(super) const ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        verb: Verb::Get,
        path: "/api/v1/api-keys",
        name: "listApiKeys",
        area: "Keys and tokens",
        summary: "List keys of this API",
        description: "A key of one organization sees those of that organization.",
        scope: Scope::KeysRead,
        query: None,
        body: None,
        answers: LIST,
        problems: &[],
        handler: || get(keys),
    },
    Endpoint {
        verb: Verb::Post,
        path: "/api/v1/api-keys",
        name: "createApiKey",
        area: "Keys and tokens",
        summary: "Make a key of this API",
        description: "With no more scopes and no wider bounds than the key that asks.",
        scope: Scope::KeysWrite,
        query: None,
        body: Some(schema_of::<NewKeyBody>),
        answers: MADE,
        problems: &[(400, "invalid_key"), (403, "not_permitted"), (404, "not_found")],
        handler: || post(create_key),
    },
    Endpoint {
        verb: Verb::Delete,
        path: "/api/v1/api-keys/{key}",
        name: "revokeApiKey",
        area: "Keys and tokens",
        summary: "End a key of this API at once",
        description: "",
        scope: Scope::KeysWrite,
        query: None,
        body: None,
        answers: ENDED,
        problems: &[],
        handler: || delete(revoke_key),
    },
    Endpoint {
        verb: Verb::Get,
        path: "/api/v1/connections/{connection}/scim-tokens",
        name: "listScimTokens",
        area: "Keys and tokens",
        summary: "List the tokens of a directory",
        description: "",
        scope: Scope::ConnectionsRead,
        query: None,
        body: None,
        answers: LIST,
        problems: &[],
        handler: || get(scim_tokens),
    },
    Endpoint {
        verb: Verb::Post,
        path: "/api/v1/connections/{connection}/scim-tokens",
        name: "createScimToken",
        area: "Keys and tokens",
        summary: "Make a token for a directory",
        description: "",
        scope: Scope::ConnectionsWrite,
        query: None,
        body: Some(schema_of::<NewTokenBody>),
        answers: MADE,
        problems: &[(409, "label_taken"), (409, "too_many_tokens")],
        handler: || post(create_scim_token),
    },
    Endpoint {
        verb: Verb::Delete,
        path: "/api/v1/connections/{connection}/scim-tokens/{token}",
        name: "revokeScimToken",
        area: "Keys and tokens",
        summary: "End a token of a directory at once",
        description: "",
        scope: Scope::ConnectionsWrite,
        query: None,
        body: None,
        answers: ENDED,
        problems: &[],
        handler: || delete(revoke_scim_token),
    },
];

/// A key to be made.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewApiKey")]
struct NewKeyBody {
    /// What it is for.
    label: String,
    /// The organization that it is bound to; absent: that of the key that asks, or the whole instance.
    #[serde(default)]
    organization: Option<String>,
    /// What it may do.
    scopes: Vec<Scope>,
    /// After how many days it ends; absent: never.
    #[serde(default)]
    days: Option<u32>,
}

/// A token to be made.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewScimToken")]
struct NewTokenBody {
    /// What it is for; two live ones never have the same.
    label: String,
    /// After how many days it ends; absent: never.
    #[serde(default)]
    days: Option<u32>,
}

/// Keys or tokens.
#[derive(Clone, Debug, Serialize, JsonSchema)]
struct Tokens {
    /// Oldest first.
    items: Vec<TokenView>,
}

/// A key or token, without its secret.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "Token")]
struct TokenView {
    /// Identifier.
    id: String,
    /// What it is for.
    label: String,
    /// The organization that it is bound to.
    #[serde(skip_serializing_if = "Option::is_none")]
    organization: Option<String>,
    /// The connection that it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    connection: Option<String>,
    /// The account of the person who made it, herself or by a key of hers; it ends with that account.
    #[serde(skip_serializing_if = "Option::is_none")]
    made_by: Option<String>,
    /// What it may do.
    scopes: Vec<String>,
    /// When it was made.
    #[schemars(with = "String")]
    created_at: Timestamp,
    /// When it ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    expires_at: Option<Timestamp>,
    /// When it was last used, exact to a minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    last_used_at: Option<Timestamp>,
    /// When it was revoked.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    revoked_at: Option<Timestamp>,
}

/// A key or token that was just made.
#[derive(Clone, Serialize, JsonSchema)]
struct MadeToken {
    /// What is kept of it.
    token: TokenView,
    /// The secret: shown now and never again.
    secret: String,
}

impl From<TokenRecord> for TokenView {
    fn from(record: TokenRecord) -> Self {
        Self {
            id: record.id,
            label: record.label,
            organization: record.organization.map(|id| id.as_str().to_owned()),
            connection: record.connection.map(|id| id.as_str().to_owned()),
            made_by: record.made_by.map(|id| id.as_str().to_owned()),
            scopes: record.scopes,
            created_at: record.created_at,
            expires_at: record.expires_at,
            last_used_at: record.last_used_at,
            revoked_at: record.revoked_at,
        }
    }
}

fn listed(records: Vec<TokenRecord>) -> Response {
    let items = records.into_iter().map(TokenView::from).collect();
    Json(Tokens { items }).into_response()
}

fn made(record: TokenRecord, secret: &secrecy::SecretString) -> Response {
    let answer = MadeToken {
        token: record.into(),
        secret: secret.expose_secret().to_owned(),
    };
    (StatusCode::CREATED, Json(answer)).into_response()
}

async fn keys(State(app): State<App>, Extension(caller): Extension<Caller>) -> Result<Response> {
    Ok(listed(api_keys::list_of(&app, &caller).await?))
}

async fn create_key(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Sent(body): Sent<NewKeyBody>,
) -> Result<Response> {
    let new = NewKey {
        label: body.label,
        organization: body.organization.map(provost_kernel::id::OrganizationId::new),
        scopes: body.scopes,
        days: body.days,
    };
    let key = api_keys::create_by(&app, &caller, new).await?;
    Ok(made(key.record, &key.secret))
}

async fn revoke_key(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Response> {
    api_keys::revoke_by(&app, &caller, &id).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn scim_tokens(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path(connection): Path<String>,
) -> Result<Response> {
    Ok(listed(directory_tokens::list(&app, &caller, &connection).await?))
}

async fn create_scim_token(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path(connection): Path<String>,
    Sent(body): Sent<NewTokenBody>,
) -> Result<Response> {
    let wanted = Wanted {
        connection,
        label: body.label,
        days: body.days,
        is_client: false,
    };
    let token = directory_tokens::create(&app, &caller, wanted).await?;
    Ok(made(token.record, &token.secret))
}

async fn revoke_scim_token(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path((connection, id)): Path<(String, String)>,
) -> Result<Response> {
    directory_tokens::revoke(&app, &caller, &connection, &id).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
