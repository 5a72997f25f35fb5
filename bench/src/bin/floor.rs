//! A server that does nothing: answers every SCIM request with the same words, and looks at no byte of it but method and path.
//! What it comes to is the most that HTTP, this driver and this machine allow to anybody, peers and us.
//!
//! Speaks like a SCIM peer: gets a port as its last argument and says where its SCIM is (`bench/run scim`).

use std::convert::Infallible;
use std::io::Write as _;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context as _, Result};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode, header};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// People on a page.
const PAGE: usize = 100;

/// What is answered, written once.
struct Answers {
    person: Bytes,
    one: Bytes,
    page: Bytes,
    made: AtomicUsize,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let port: u16 = std::env::args().next_back().context("no port")?.parse()?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    let hello = json!({ "base": "/scim", "token": "any", "version": "", "storage": "does nothing" });
    writeln!(std::io::stdout(), "{hello}")?;
    // One for the life of the program.
    let answers: &'static Answers = Box::leak(Box::new(Answers::new()));
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let service = service_fn(move |request| answers.answer(request));
        // A connection that breaks is the driver's business.
        tokio::spawn(async move {
            let _ = http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

impl Answers {
    fn new() -> Self {
        let list = |people: usize| {
            let found: Vec<Value> = (0..people).map(person).collect();
            Bytes::from(json!({ "totalResults": people, "startIndex": 1, "Resources": found }).to_string())
        };
        Self {
            person: Bytes::from(person(0).to_string()),
            one: list(1),
            page: list(PAGE),
            made: AtomicUsize::new(0),
        }
    }

    async fn answer(&self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
        let is_list = request.uri().path() == "/scim/Users";
        let is_filter = request
            .uri()
            .query()
            .is_some_and(|query| query.contains("filter="));
        let (status, body) = match *request.method() {
            Method::POST => {
                let made = person(self.made.fetch_add(1, Ordering::Relaxed));
                (StatusCode::CREATED, Bytes::from(made.to_string()))
            }
            _ if is_filter => (StatusCode::OK, self.one.clone()),
            _ if is_list => (StatusCode::OK, self.page.clone()),
            _ => (StatusCode::OK, self.person.clone()),
        };
        // Read to its end, as HTTP wants it before the next request comes.
        let _ = request.into_body().collect().await;
        let mut response = Response::new(Full::new(body));
        *response.status_mut() = status;
        let kind = header::HeaderValue::from_static("application/scim+json");
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        Ok(response)
    }
}

fn person(number: usize) -> Value {
    let name = format!("person{number}@push.bench.example");
    let id = format!("acc_{number:032x}");
    json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
        "id": id,
        "externalId": format!("00u{number}"),
        "userName": name,
        "name": { "givenName": "Given", "familyName": format!("Family{number}") },
        "displayName": format!("Given Family{number}"),
        "emails": [{ "value": name, "type": "work", "primary": true }],
        "active": true,
        "meta": { "resourceType": "User", "location": format!("http://127.0.0.1/scim/Users/{id}") },
    })
}
