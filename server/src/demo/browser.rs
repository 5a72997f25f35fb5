//! A small user agent that walks through sign-ins as a person's browser would: cookies, redirects, forms.
//!
//! Only the demo uses it, only towards loopback. It understands the plain HTML of sign-in pages, not scripts.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use reqwest::header::{CONTENT_TYPE, COOKIE, LOCATION, SET_COOKIE};
use reqwest::redirect::Policy;
use reqwest::{Method, Response};
use url::Url;

use super::html::{self, Form};

/// Redirects followed in a row before a loop is assumed.
const MOST_REDIRECTS: usize = 20;
/// Time that one request may take.
const TIME_LIMIT: Duration = Duration::from_secs(10);

/// A user agent with its cookies.
pub(super) struct Browser {
    client: reqwest::Client,
    /// Cookies by host and name; as in real browsers, ports share them (RFC 6265 8.5).
    cookies: BTreeMap<(String, String), String>,
}

/// A page that was arrived at.
pub(super) struct Page {
    /// Where it is.
    pub(super) url: Url,
    /// HTTP status.
    pub(super) status: u16,
    /// Body as text.
    pub(super) body: String,
    /// Addresses passed on the way and how, for the story.
    pub(super) hops: Vec<(Url, Method)>,
}

impl Browser {
    /// Opens a browser without cookies.
    #[expect(
        clippy::disallowed_methods,
        reason = "this plays a person's browser; the server's calls go through outbound.rs"
    )]
    pub(super) fn open() -> Result<Self> {
        let client = reqwest::Client::builder()
            .redirect(Policy::none())
            .timeout(TIME_LIMIT)
            .no_proxy()
            .build()?;
        Ok(Self {
            client,
            cookies: BTreeMap::new(),
        })
    }

    /// Goes to an address and follows redirects and self-submitting forms.
    pub(super) async fn visit(&mut self, url: &str) -> Result<Page> {
        let url = Url::parse(url).with_context(|| format!("not an address: {url}"))?;
        self.follow(Method::GET, url, Vec::new()).await
    }

    /// Fills the first form of a page that has all the named fields, and submits it.
    pub(super) async fn submit(&mut self, page: &Page, fill: &[(&str, &str)]) -> Result<Page> {
        let form = html::forms(&page.body)
            .into_iter()
            .find(|form| fill.iter().all(|(name, _)| form.has(name)))
            .with_context(|| format!("no form with {fill:?} at {}", page.url.path()))?;
        self.send(&page.url, form, fill).await
    }

    /// Submits the first form of a page in which the named field has this value already.
    pub(super) async fn submit_with(&mut self, page: &Page, field: (&str, &str)) -> Result<Page> {
        let form = html::forms(&page.body)
            .into_iter()
            .find(|form| {
                form.fields
                    .iter()
                    .any(|(name, value)| (name.as_str(), value.as_str()) == field)
            })
            .with_context(|| format!("no form with {field:?} at {}", page.url.path()))?;
        self.send(&page.url, form, &[]).await
    }

    async fn send(&mut self, base: &Url, mut form: Form, fill: &[(&str, &str)]) -> Result<Page> {
        for (name, value) in fill {
            form.set(name, value);
        }
        let mut target = base.join(&form.action)?;
        if form.is_post {
            return self.follow(Method::POST, target, form.fields).await;
        }
        target.query_pairs_mut().clear().extend_pairs(&form.fields);
        self.follow(Method::GET, target, Vec::new()).await
    }

    async fn follow(&mut self, method: Method, url: Url, fields: Vec<(String, String)>) -> Result<Page> {
        let (mut method, mut url, mut fields) = (method, url, fields);
        let mut hops = Vec::new();
        for _ in 0..MOST_REDIRECTS {
            hops.push((url.clone(), method.clone()));
            let response = self.request(&method, &url, &fields).await?;
            let status = response.status();
            if let Some(location) = response
                .headers()
                .get(LOCATION)
                .filter(|_| status.is_redirection())
            {
                url = url.join(location.to_str()?)?;
                if !matches!(status.as_u16(), 307 | 308) {
                    method = Method::GET;
                    fields = Vec::new();
                }
                continue;
            }
            let body = response.text().await?;
            let Some(form) = html::self_submitting_form(&body) else {
                return Ok(Page {
                    url,
                    status: status.as_u16(),
                    body,
                    hops,
                });
            };
            url = url.join(&form.action)?;
            method = Method::POST;
            fields = form.fields;
        }
        let paths: Vec<&str> = hops.iter().map(|(url, _)| url.path()).collect();
        bail!("the sign-in went round in circles: {}", paths.join(" → "))
    }

    async fn request(&mut self, method: &Method, url: &Url, fields: &[(String, String)]) -> Result<Response> {
        let host = url.host_str().unwrap_or_default().to_owned();
        ensure!(
            matches!(host.as_str(), "127.0.0.1" | "localhost" | "[::1]"),
            "the demo leaves loopback: {url}"
        );
        let cookies: Vec<String> = self
            .cookies
            .iter()
            .filter(|((of, _), _)| *of == host)
            .map(|((_, name), value)| format!("{name}={value}"))
            .collect();
        let mut request = self
            .client
            .request(method.clone(), url.clone())
            .header("accept", "text/html");
        if !cookies.is_empty() {
            request = request.header(COOKIE, cookies.join("; "));
        }
        if method == Method::POST {
            let body = url::form_urlencoded::Serializer::new(String::new())
                .extend_pairs(fields)
                .finish();
            request = request
                .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
                .body(body);
        }
        let response = request
            .send()
            .await
            .with_context(|| format!("{method} {}", url.path()))?;
        self.keep_cookies(&host, &response);
        Ok(response)
    }

    fn keep_cookies(&mut self, host: &str, response: &Response) {
        let set = response
            .headers()
            .get_all(SET_COOKIE)
            .iter()
            .filter_map(|value| value.to_str().ok());
        for line in set {
            let (pair, attributes) = line.split_once(';').unwrap_or((line, ""));
            let Some((name, value)) = pair.split_once('=') else {
                continue;
            };
            let key = (host.to_owned(), name.trim().to_owned());
            if value.is_empty() || attributes.to_ascii_lowercase().contains("max-age=0") {
                self.cookies.remove(&key);
            } else {
                self.cookies.insert(key, value.trim().to_owned());
            }
        }
    }
}
