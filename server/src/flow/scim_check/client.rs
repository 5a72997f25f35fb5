//! Requests to the server that is looked at.

use reqwest::Method;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, InvalidHeaderValue};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use url::form_urlencoded::byte_serialize;

use super::report::Problem;
use crate::outbound::Outbound;

/// The server: an address and a token.
pub struct Server {
    outbound: Outbound,
    base: String,
    authorization: HeaderValue,
}

impl Server {
    /// Builds the client; `base` is the address that directories are given, without `/Users`.
    ///
    /// # Errors
    /// When the token cannot stand in a header.
    pub fn new(outbound: Outbound, base: &str, token: &SecretString) -> Result<Self, InvalidHeaderValue> {
        let mut authorization = HeaderValue::from_str(&format!("Bearer {}", token.expose_secret()))?;
        authorization.set_sensitive(true);
        Ok(Self {
            outbound,
            base: base.trim_end_matches('/').to_owned(),
            authorization,
        })
    }

    /// The address.
    pub fn base(&self) -> &str {
        &self.base
    }

    pub(super) async fn get(&self, path: &str) -> Result<Reply, Problem> {
        self.send(Method::GET, path, None, true).await
    }

    /// GET with a filter and perhaps more parameters, each encoded.
    pub(super) async fn query(&self, endpoint: &str, pairs: &[(&str, &str)]) -> Result<Reply, Problem> {
        let query: Vec<String> = pairs
            .iter()
            // A `+` for a space is right in forms only.
            .map(|(name, value)| {
                let value: String = byte_serialize(value.as_bytes()).collect();
                format!("{name}={}", value.replace('+', "%20"))
            })
            .collect();
        self.get(&format!("{endpoint}?{}", query.join("&"))).await
    }

    pub(super) async fn get_without_token(&self, path: &str) -> Result<Reply, Problem> {
        self.send(Method::GET, path, None, false).await
    }

    pub(super) async fn post(&self, path: &str, body: &Value) -> Result<Reply, Problem> {
        self.send(Method::POST, path, Some(body.to_string()), true).await
    }

    pub(super) async fn post_text(&self, path: &str, body: &str) -> Result<Reply, Problem> {
        self.send(Method::POST, path, Some(body.to_owned()), true).await
    }

    pub(super) async fn put(&self, path: &str, body: &Value) -> Result<Reply, Problem> {
        self.send(Method::PUT, path, Some(body.to_string()), true).await
    }

    pub(super) async fn patch(&self, path: &str, body: &Value) -> Result<Reply, Problem> {
        self.send(Method::PATCH, path, Some(body.to_string()), true).await
    }

    pub(super) async fn delete(&self, path: &str) -> Result<Reply, Problem> {
        self.send(Method::DELETE, path, None, true).await
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<String>,
        with_token: bool,
    ) -> Result<Reply, Problem> {
        let mut headers = HeaderMap::new();
        if with_token {
            headers.insert(AUTHORIZATION, self.authorization.clone());
        }
        if body.is_some() {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/scim+json"));
        }
        let request = format!("{method} {path}");
        let answer = self
            .outbound
            .request(method, &format!("{}{path}", self.base), headers, body)
            .await
            .map_err(|error| {
                Problem::unreachable(
                    format!("{request}: {error}"),
                    "see that the address and the network are right; a private address needs --allow-private-addresses true",
                )
            })?;
        Ok(Reply {
            request,
            status: answer.status,
            content_type: answer.content_type().unwrap_or_default(),
            location: answer
                .headers
                .get(reqwest::header::LOCATION)
                .and_then(|value| value.to_str().ok())
                .map(str::to_owned),
            body: serde_json::from_slice(&answer.body).unwrap_or(Value::Null),
        })
    }
}

/// An answer.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) request: String,
    pub(super) status: u16,
    pub(super) content_type: String,
    pub(super) location: Option<String>,
    /// `null` when the body is empty or no JSON.
    pub(super) body: Value,
}

impl Reply {
    /// Passes the answer on if its status is one of these.
    pub(super) fn expect(self, statuses: &[u16], advice: &'static str) -> Result<Self, Problem> {
        if statuses.contains(&self.status) {
            return Ok(self);
        }
        let detail = self.text("detail").map_or_else(String::new, |text| {
            format!(
                ": {}",
                text.chars()
                    .filter(|letter| !letter.is_control())
                    .take(160)
                    .collect::<String>()
            )
        });
        Err(Problem::bad(
            format!("{} was answered with {}{detail}", self.request, self.status),
            advice,
        ))
    }

    /// A member of the body as text; names with dots and a JSON pointer's slashes reach deeper.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        self.at(name)?.as_str().map(str::to_owned)
    }

    /// A member of the body, or one below it: `name/givenName`, `emails/0/value`.
    pub(super) fn at(&self, pointer: &str) -> Option<&Value> {
        self.body.pointer(&format!("/{pointer}"))
    }

    /// The number of results that a list reports, if it is a whole number.
    pub(super) fn total(&self) -> Option<u64> {
        self.at("totalResults")?.as_u64()
    }

    /// The resources of a list.
    pub(super) fn resources(&self) -> &[Value] {
        self.at("Resources")
            .and_then(Value::as_array)
            .map_or(&[], Vec::as_slice)
    }

    /// Whether the body is an error as RFC 7644 wants it: the schema, and the status as text.
    pub(super) fn is_scim_error(&self) -> bool {
        let named = self
            .at("schemas")
            .and_then(Value::as_array)
            .is_some_and(|schemas| schemas.iter().any(|urn| urn == provost_scim::error::ERROR_URN));
        named && self.text("status") == Some(self.status.to_string())
    }
}
