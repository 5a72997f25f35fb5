//! One keep-alive HTTP/1.1 connection with a cookie jar: the browser and the app of one worker.

use std::net::SocketAddr;

use anyhow::{Context as _, Result, bail, ensure};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Request, StatusCode, header};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

/// An answer, read to its end.
#[derive(Debug)]
pub struct Answer {
    /// Status.
    pub status: StatusCode,
    /// Where it sends the browser.
    pub location: Option<String>,
    /// Body.
    pub body: Bytes,
}

/// A connection to the server, and the cookies of the person who uses it.
#[derive(Debug)]
pub struct Client {
    address: SocketAddr,
    sender: SendRequest<Full<Bytes>>,
    cookies: Vec<(String, String)>,
    /// Address of the person's computer, as a reverse proxy would report it.
    pub forwarded_for: String,
    /// Requests sent so far.
    pub requests: u64,
}

impl Client {
    /// Opens the connection.
    pub async fn connect(address: SocketAddr) -> Result<Self> {
        Ok(Self {
            address,
            sender: open(address).await?,
            cookies: Vec::new(),
            forwarded_for: String::new(),
            requests: 0,
        })
    }

    /// Forgets all cookies: the next person sits down.
    pub fn forget(&mut self) {
        self.cookies.clear();
    }

    /// Fetches a path.
    pub async fn get(&mut self, path: &str) -> Result<Answer> {
        let request = self.request("GET", path).body(Full::default())?;
        self.send(request).await
    }

    /// Posts a form, with further headers.
    pub async fn post(&mut self, path: &str, form: String, headers: &[(&str, &str)]) -> Result<Answer> {
        let mut builder = self
            .request("POST", path)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        for (name, value) in headers {
            builder = builder.header(*name, *value);
        }
        self.send(builder.body(Full::from(form))?).await
    }

    /// Sends a SCIM request with a bearer token.
    pub async fn json(
        &mut self,
        method: &str,
        path: &str,
        token: &str,
        body: Option<String>,
    ) -> Result<Answer> {
        let builder = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, self.address.to_string())
            .header(header::ACCEPT, "application/scim+json")
            .header(header::CONTENT_TYPE, "application/scim+json")
            .header(header::AUTHORIZATION, format!("Bearer {token}"));
        let body = body.map_or_else(Full::default, Full::from);
        self.send(builder.body(body)?).await
    }

    /// Posts JSON with a bearer token and hands each line of the answer to `take` as it comes, until there is none or `take`
    /// wants no more. Then the connection is of no further use.
    ///
    /// # Errors
    /// For any other answer than 200, and for lines that are not JSON.
    pub async fn lines(
        &mut self,
        path: &str,
        token: &str,
        body: String,
        mut take: impl FnMut(Value) -> Result<bool>,
    ) -> Result<()> {
        let request = Request::builder()
            .method("POST")
            .uri(path)
            .header(header::HOST, self.address.to_string())
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::AUTHORIZATION, format!("Bearer {token}"))
            .body(Full::from(body))?;
        let mut response = self.sender.send_request(request).await?;
        ensure!(
            response.status() == StatusCode::OK,
            "{path}: {}",
            response.status()
        );
        let mut begun = Vec::new();
        while let Some(frame) = response.body_mut().frame().await {
            let Ok(data) = frame?.into_data() else { continue };
            for part in data.split_inclusive(|byte| *byte == b'\n') {
                begun.extend_from_slice(part);
                if part.ends_with(b"\n") {
                    if !take(serde_json::from_slice(&begun)?)? {
                        return Ok(());
                    }
                    begun.clear();
                }
            }
        }
        Ok(())
    }

    fn request(&self, method: &str, path: &str) -> hyper::http::request::Builder {
        let mut builder = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, self.address.to_string())
            .header(header::ACCEPT, "text/html,application/json");
        if !self.forwarded_for.is_empty() {
            builder = builder.header("x-forwarded-for", &self.forwarded_for);
        }
        if !self.cookies.is_empty() {
            let all: Vec<String> = self
                .cookies
                .iter()
                .map(|(name, value)| format!("{name}={value}"))
                .collect();
            builder = builder.header(header::COOKIE, all.join("; "));
        }
        builder
    }

    async fn send(&mut self, request: Request<Full<Bytes>>) -> Result<Answer> {
        if self.sender.ready().await.is_err() {
            self.sender = open(self.address).await?;
        }
        self.requests += 1;
        let response = self.sender.send_request(request).await?;
        let (head, body) = response.into_parts();
        for value in head.headers.get_all(header::SET_COOKIE) {
            self.keep(value.to_str()?);
        }
        let location = head
            .headers
            .get(header::LOCATION)
            .map(|value| value.to_str().map(str::to_owned));
        Ok(Answer {
            status: head.status,
            location: location.transpose()?,
            body: body.collect().await?.to_bytes(),
        })
    }

    fn keep(&mut self, cookie: &str) {
        let mut parts = cookie.split(';');
        let Some((name, value)) = parts.next().and_then(|pair| pair.split_once('=')) else {
            return;
        };
        self.cookies.retain(|(known, _)| known != name);
        if !parts.any(|part| part.trim().eq_ignore_ascii_case("max-age=0")) {
            self.cookies.push((name.to_owned(), value.to_owned()));
        }
    }
}

impl Answer {
    /// Returns where a redirect leads, or fails with what came instead.
    pub fn redirect(&self, what: &str) -> Result<&str> {
        match &self.location {
            Some(location) if self.status.is_redirection() => Ok(location),
            Some(_) | None => bail!("{what}: no redirect but {}", self.excerpt()),
        }
    }

    /// Returns status and beginning of the text, for messages.
    pub fn excerpt(&self) -> String {
        let text = String::from_utf8_lossy(&self.body);
        let words: Vec<&str> = text.split_whitespace().collect();
        format!(
            "{} {}",
            self.status,
            words.join(" ").chars().take(1500).collect::<String>()
        )
    }
}

async fn open(address: SocketAddr) -> Result<SendRequest<Full<Bytes>>> {
    let stream = TcpStream::connect(address)
        .await
        .with_context(|| format!("cannot connect to {address}"))?;
    stream.set_nodelay(true)?;
    let (sender, connection) = handshake(TokioIo::new(stream)).await?;
    // Ends with the connection; a failure shows at the next request.
    tokio::spawn(async move {
        let _ = connection.await;
    });
    Ok(sender)
}
