//! The only HTTP client: metadata, discovery, keys, tokens, userinfo, logout calls.
//!
//! Owns the guard against calling the operator's own network (security.md, "Discovery / JWKS SSRF"):
//! https only, every resolved address public, the connection made to exactly those addresses, no
//! redirects, no proxy from the environment, five seconds in all, 256 KiB of answer. Never retries and
//! never follows what an answer says.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::HeaderMap;
use url::{Host, Url};

use crate::network::is_public;

/// Longest time of one call, from resolving to the last byte.
pub const TIMEOUT: Duration = Duration::from_secs(5);
/// Largest answer in bytes.
pub const BODY_LIMIT: usize = 256 * 1024;

/// The client. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Outbound {
    client: reqwest::Client,
    allow_private: bool,
}

/// An answer, read whole.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Status code.
    pub status: u16,
    /// Headers.
    pub headers: HeaderMap,
    /// Body, at most [`BODY_LIMIT`] bytes.
    pub body: Vec<u8>,
    /// Whether a public address answered.
    pub is_public: bool,
}

impl Answer {
    /// Tells whether the status is 2xx.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Returns the `Content-Type` without parameters, in lower case.
    pub fn content_type(&self) -> Option<String> {
        let value = self.headers.get(reqwest::header::CONTENT_TYPE)?.to_str().ok()?;
        value
            .split(';')
            .next()
            .map(|kind| kind.trim().to_ascii_lowercase())
    }
}

/// Why a call failed. Shown to admins only; names the host, never headers or bodies.
#[derive(Debug, thiserror::Error)]
pub enum OutboundError {
    /// Not an absolute https address (or http to a loopback address where private addresses are allowed), or one with credentials in it.
    #[error("the address {0} may not be called: https and a host name are required")]
    Refused(String),
    /// The host is, or resolves to, an address that is not public.
    #[error(
        "{0} leads to an address that is not public; the operator can allow such addresses (allow_private_addresses)"
    )]
    NotPublic(String),
    /// The name does not resolve.
    #[error("{0} cannot be resolved")]
    NotResolved(String),
    /// No whole answer within [`TIMEOUT`].
    #[error("{0} did not answer within 5 seconds")]
    TimedOut(String),
    /// The connection or its encryption failed.
    #[error("no connection to {host}: {reason}")]
    Failed {
        /// Host that was called.
        host: String,
        /// What happened, without secrets.
        reason: String,
    },
    /// The answer is larger than [`BODY_LIMIT`].
    #[error("the answer of {0} is larger than 256 KiB")]
    TooLarge(String),
    /// The client could not be made.
    #[error("the HTTP client cannot be set up: {0}")]
    Setup(String),
}

impl OutboundError {
    /// Returns the stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Refused(_) => "outbound_refused",
            Self::NotPublic(_) => "outbound_not_public",
            Self::NotResolved(_) => "outbound_not_resolved",
            Self::TimedOut(_) => "outbound_timed_out",
            Self::Failed { .. } => "outbound_failed",
            Self::TooLarge(_) => "outbound_too_large",
            Self::Setup(_) => "outbound_setup",
        }
    }
}

impl Outbound {
    /// Creates the client; `authorities` are certificate authorities (PEM) trusted beside the system's.
    ///
    /// # Errors
    /// [`OutboundError::Setup`] when the authorities cannot be read.
    #[expect(clippy::disallowed_methods, reason = "outbound.rs is the only HTTP client")]
    pub fn new(allow_private: bool, authorities: Option<&[u8]>) -> Result<Self, OutboundError> {
        install_crypto_provider();
        let setup = |error: reqwest::Error| OutboundError::Setup(reason_of(&error));
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("provost/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .timeout(TIMEOUT)
            .pool_idle_timeout(Duration::from_secs(30))
            .dns_resolver(Arc::new(GuardedResolver { allow_private }));
        if let Some(pem) = authorities {
            builder = builder.tls_certs_merge(reqwest::Certificate::from_pem_bundle(pem).map_err(setup)?);
        }
        Ok(Self {
            client: builder.build().map_err(setup)?,
            allow_private,
        })
    }

    /// Fetches an address.
    ///
    /// # Errors
    /// Each [`OutboundError`]; a status other than 2xx is an answer, not an error.
    pub async fn get(&self, url: &str, headers: HeaderMap) -> Result<Answer, OutboundError> {
        let url = self.check(url)?;
        let request = self.client.get(url.clone()).headers(headers);
        self.send(&url, request).await
    }

    /// Posts form fields.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub async fn post_form(
        &self,
        url: &str,
        headers: HeaderMap,
        fields: &[(String, String)],
    ) -> Result<Answer, OutboundError> {
        let url = self.check(url)?;
        let request = self.client.post(url.clone()).headers(headers).form(fields);
        self.send(&url, request).await
    }

    /// Posts a JSON value.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub async fn post_json(
        &self,
        url: &str,
        headers: HeaderMap,
        body: &serde_json::Value,
    ) -> Result<Answer, OutboundError> {
        let url = self.check(url)?;
        let request = self.client.post(url.clone()).json(body).headers(headers);
        self.send(&url, request).await
    }

    /// Sends any request with a body as it is. Never retries, like every other call.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub async fn request(
        &self,
        method: reqwest::Method,
        url: &str,
        headers: HeaderMap,
        body: Option<String>,
    ) -> Result<Answer, OutboundError> {
        let url = self.check(url)?;
        let mut request = self.client.request(method, url.clone()).headers(headers);
        if let Some(body) = body {
            request = request.body(body);
        }
        self.send(&url, request).await
    }

    /// Judges an address before it is kept, by what can be told from it alone. It is judged again when it is called.
    ///
    /// # Errors
    /// [`OutboundError::Refused`] and [`OutboundError::NotPublic`].
    pub fn may_call(&self, url: &str) -> Result<(), OutboundError> {
        self.check(url).map(drop)
    }

    /// Checks what can be told from the address alone; names are checked when they are resolved.
    fn check(&self, text: &str) -> Result<Url, OutboundError> {
        let refused = || OutboundError::Refused(shown(text));
        let url = Url::parse(text).map_err(|_| refused())?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(refused());
        }
        let literal = match url.host() {
            None => return Err(refused()),
            Some(Host::Domain(_)) => None,
            Some(Host::Ipv4(address)) => Some(IpAddr::V4(address)),
            Some(Host::Ipv6(address)) => Some(IpAddr::V6(address)),
        };
        let is_loopback = literal.is_some_and(|address| address.is_loopback())
            || url.host() == Some(Host::Domain("localhost"));
        match url.scheme() {
            "https" => {}
            "http" if self.allow_private && is_loopback => {}
            _ => return Err(refused()),
        }
        // A literal never passes the resolver, so it is judged here.
        if literal.is_some_and(|address| !self.allow_private && !is_public(address)) {
            return Err(OutboundError::NotPublic(host_of(&url)));
        }
        Ok(url)
    }

    async fn send(&self, url: &Url, request: reqwest::RequestBuilder) -> Result<Answer, OutboundError> {
        let mut response = request.send().await.map_err(|error| failure(url, &error))?;
        let status = response.status().as_u16();
        let is_public = response
            .remote_addr()
            .is_some_and(|address| is_public(address.ip()));
        let headers = std::mem::take(response.headers_mut());
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| failure(url, &error))? {
            if body.len() + chunk.len() > BODY_LIMIT {
                return Err(OutboundError::TooLarge(host_of(url)));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer {
            status,
            headers,
            body,
            is_public,
        })
    }
}

/// Chooses the cryptography of every TLS connection of this process, in and out. Safe to call again.
pub fn install_crypto_provider() {
    // An error only says that one is installed already.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}

/// Resolves names and refuses those of which any address is not public. The connection is made to the
/// addresses returned here, so a second answer of the name server cannot change the target.
struct GuardedResolver {
    allow_private: bool,
}

/// Marks a refusal of the resolver inside reqwest's error chain.
#[derive(Debug, thiserror::Error)]
enum ResolverError {
    #[error("not a public address")]
    NotPublic,
    #[error("the name does not resolve")]
    NotResolved,
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let allow_private = self.allow_private;
        Box::pin(async move {
            let found: Vec<SocketAddr> = match tokio::net::lookup_host((name.as_str(), 0)).await {
                Ok(found) => found.collect(),
                Err(_) => return Err(ResolverError::NotResolved.into()),
            };
            if found.is_empty() {
                return Err(ResolverError::NotResolved.into());
            }
            if !allow_private && found.iter().any(|address| !is_public(address.ip())) {
                return Err(ResolverError::NotPublic.into());
            }
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

fn failure(url: &Url, error: &reqwest::Error) -> OutboundError {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(inner) = cause {
        match inner.downcast_ref::<ResolverError>() {
            Some(ResolverError::NotPublic) => return OutboundError::NotPublic(host_of(url)),
            Some(ResolverError::NotResolved) => return OutboundError::NotResolved(host_of(url)),
            None => cause = inner.source(),
        }
    }
    if error.is_timeout() {
        return OutboundError::TimedOut(host_of(url));
    }
    OutboundError::Failed {
        host: host_of(url),
        reason: reason_of(error),
    }
}

/// Returns the innermost cause: the part that helps, without the address and its query.
fn reason_of(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

fn host_of(url: &Url) -> String {
    match (url.host_str(), url.port()) {
        (Some(host), Some(port)) => format!("{host}:{port}"),
        (Some(host), None) => host.to_owned(),
        (None, _) => String::new(),
    }
}

/// Cuts a refused address to what may be shown: no query, no credentials, 200 characters.
fn shown(text: &str) -> String {
    let start = text.split(['?', '#']).next().unwrap_or_default();
    let without_credentials = match (start.find("://"), start.rfind('@')) {
        (Some(scheme), Some(at)) if at > scheme => {
            format!(
                "{}{}",
                start.get(..scheme + 3).unwrap_or_default(),
                start.get(at + 1..).unwrap_or_default()
            )
        }
        _ => start.to_owned(),
    };
    without_credentials
        .chars()
        .filter(|letter| !letter.is_control())
        .take(200)
        .collect()
}

#[cfg(test)]
mod tests;
