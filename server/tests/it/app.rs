//! The application under test: the real router over a fresh database, and a browser that keeps cookies.
//!
//! Every test runs on SQLite; on PostgreSQL too when `PROVOST_TEST_POSTGRES_URL` names a server where databases may
//! be made. `PROVOST_TEST_REQUIRE_POSTGRES=1` turns its absence into a failure.
#![allow(
    dead_code,
    clippy::unused_async,
    clippy::allow_attributes,
    reason = "each test module uses its own part of this"
)]

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use axum::Router;
use axum::body::{Body, BodyDataStream, to_bytes};
use axum::extract::ConnectInfo;
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use futures_util::StreamExt as _;
use provost::app::App;
use provost::config::{Config, Sources};
use provost::router::router;
use provost::world::World;
use sqlx::{Connection as _, Executor as _};
use tower::ServiceExt as _;

/// Runs a test on SQLite, and on PostgreSQL if one is given; each time on an empty database.
pub async fn on_each_engine<F>(test: impl Fn(TestApp) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    test(TestApp::start().await).await;
    if let Some(database) = PostgresDatabase::create().await {
        let outcome = tokio::spawn(test(TestApp::start_on(&database, &[]).await)).await;
        database.drop_it().await;
        if let Err(panic) = outcome {
            std::panic::resume_unwind(panic.into_panic());
        }
    }
}

/// The application under test, also reachable over TCP at its public URL.
pub struct TestApp {
    /// The application itself, to look at the store or move the clock.
    pub app: App,
    /// The router, for requests without TCP.
    pub router: Router,
    /// Where it is reachable over TCP.
    pub address: SocketAddr,
    /// Present where the database is a folder of ours.
    folder: Option<Folder>,
    server: tokio::task::JoinHandle<()>,
}

impl TestApp {
    /// Starts on an empty SQLite database.
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// Starts on an empty SQLite database with further configuration.
    pub async fn start_with(flags: &[(&str, &str)]) -> Self {
        let folder = Folder::new("provost-it");
        let data_dir = folder.0.display().to_string();
        let mut all = vec![("data_dir", data_dir.as_str()), ("sqlite_synchronous", "normal")];
        all.extend_from_slice(flags);
        let mut this = Self::open(&all).await;
        this.folder = Some(folder);
        this
    }

    /// Starts on a PostgreSQL database.
    pub async fn start_on(database: &PostgresDatabase, flags: &[(&str, &str)]) -> Self {
        // The same key for all nodes of a test.
        let key = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";
        let mut all = vec![
            ("database_url", database.url.as_str()),
            ("data_key", key),
            ("database_connections", "6"),
        ];
        all.extend_from_slice(flags);
        Self::open(&all).await
    }

    /// Starts a second node on the same database, with its own caches and its own address but the same public URL.
    pub async fn second_node(&self) -> App {
        let config = (*self.app.config).clone();
        App::new(config, self.app.store.clone(), self.app.world.clone()).unwrap()
    }

    async fn open(flags: &[(&str, &str)]) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let public_url = format!("http://{address}");
        let mut all: BTreeMap<String, String> = BTreeMap::from([
            ("listen".to_owned(), address.to_string()),
            ("public_url".to_owned(), public_url),
            ("allow_private_addresses".to_owned(), "true".to_owned()),
        ]);
        all.extend(
            flags
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned())),
        );
        let config = Config::load(&Sources {
            flags: all,
            ..Sources::default()
        })
        .unwrap();
        provost::flow::metrics::install();
        let store = provost::cli::open_store(&config, &World::new()).await.unwrap();
        let app = App::new(config, store, World::new()).unwrap();
        let router = router(app.clone());
        let service = router.clone().into_make_service_with_connect_info::<SocketAddr>();
        let server = tokio::spawn(async move { axum::serve(listener, service).await.unwrap() });
        Self {
            app,
            router,
            address,
            folder: None,
            server,
        }
    }

    /// Returns a browser without cookies.
    pub fn browser(&self) -> Browser {
        Browser::new(self.router.clone(), self.app.config.issuer())
    }

    /// Returns the folder of the embedded database.
    pub fn folder(&self) -> PathBuf {
        self.folder.as_ref().map(|folder| folder.0.clone()).unwrap()
    }
}

impl Drop for TestApp {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// A browser: keeps cookies of one host, follows nothing by itself.
#[derive(Clone)]
pub struct Browser {
    router: Router,
    base: String,
    /// Cookies by name.
    pub cookies: BTreeMap<String, String>,
    /// Headers sent with every request.
    pub headers: HeaderMap,
}

/// An open stream of server-sent events.
pub struct Events(BodyDataStream);

impl Events {
    /// Waits for the next event; none when the stream has ended.
    pub async fn next(&mut self) -> Option<String> {
        let mut text = String::new();
        while !text.contains("\n\n") {
            let piece = self.0.next().await?.unwrap();
            text.push_str(&String::from_utf8_lossy(&piece));
            // What only keeps the connection open is no event.
            if text.starts_with(':') {
                text.clear();
            }
        }
        Some(text)
    }
}

impl Browser {
    /// Opens a browser on a router that is known to the world under `base`.
    pub fn new(router: Router, base: String) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(
            header::ACCEPT,
            "text/html,application/xhtml+xml,*/*;q=0.8".parse().unwrap(),
        );
        Self {
            router,
            base,
            cookies: BTreeMap::new(),
            headers,
        }
    }

    /// Opens a path or one of our own absolute URLs.
    pub async fn get(&mut self, url: &str) -> Page {
        self.send(Method::GET, url, None, Body::empty()).await
    }

    /// Sends a form.
    pub async fn post(&mut self, url: &str, fields: &[(&str, &str)]) -> Page {
        let body = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(fields)
            .finish();
        self.send(
            Method::POST,
            url,
            Some("application/x-www-form-urlencoded"),
            body.into(),
        )
        .await
    }

    /// Sends a form that was found on a page, with some fields changed or added.
    pub async fn submit(&mut self, form: &Form, changes: &[(&str, &str)]) -> Page {
        let mut fields = form.fields.clone();
        for (name, value) in changes {
            fields.insert((*name).to_owned(), (*value).to_owned());
        }
        let fields: Vec<(&str, &str)> = fields
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        self.post(&form.action, &fields).await
    }

    /// Follows redirects as long as they stay here; returns the first page that is none or leads elsewhere.
    pub async fn follow(&mut self, mut page: Page) -> Page {
        for _ in 0..10 {
            match page.location() {
                Some(location) if location.starts_with('/') || location.starts_with(&self.base) => {
                    page = self.get(&location).await;
                }
                _ => return page,
            }
        }
        panic!("redirect loop at {page:?}")
    }

    /// Sends any request with this browser's cookies and keeps the cookies of the answer.
    pub async fn send(&mut self, method: Method, url: &str, content_type: Option<&str>, body: Body) -> Page {
        let response = self.answer(method, url, content_type, body).await;
        Page::read(response).await
    }

    /// Opens a stream of server-sent events and reads its first event, then lets go of it.
    pub async fn first_event(&mut self, url: &str) -> String {
        self.stream(url).await.next().await.unwrap()
    }

    /// Opens a stream of server-sent events as browsers do.
    pub async fn stream(&mut self, url: &str) -> Events {
        let usual = self
            .headers
            .insert(header::ACCEPT, "text/event-stream".parse().unwrap());
        let response = self.answer(Method::GET, url, None, Body::empty()).await;
        self.headers.insert(header::ACCEPT, usual.unwrap());
        assert_eq!(response.status(), StatusCode::OK, "{url}");
        Events(response.into_body().into_data_stream())
    }

    async fn answer(
        &mut self,
        method: Method,
        url: &str,
        content_type: Option<&str>,
        body: Body,
    ) -> axum::response::Response {
        let path = url.strip_prefix(&self.base).unwrap_or(url);
        assert!(
            path.starts_with('/'),
            "{url} is not an address of the application under test"
        );
        let mut request = Request::builder().method(method).uri(path).body(body).unwrap();
        *request.headers_mut() = self.headers.clone();
        if let Some(kind) = content_type {
            request
                .headers_mut()
                .insert(header::CONTENT_TYPE, kind.parse().unwrap());
        }
        if !self.cookies.is_empty() {
            let cookies: Vec<String> = self
                .cookies
                .iter()
                .map(|(name, value)| format!("{name}={value}"))
                .collect();
            request
                .headers_mut()
                .insert(header::COOKIE, cookies.join("; ").parse().unwrap());
        }
        request
            .extensions_mut()
            .insert(ConnectInfo(SocketAddr::from(([127, 0, 0, 1], 40_000))));
        let response = self.router.clone().oneshot(request).await.unwrap();
        self.keep_cookies(response.headers());
        response
    }

    fn keep_cookies(&mut self, headers: &HeaderMap) {
        for cookie in headers.get_all(header::SET_COOKIE) {
            let text = cookie.to_str().unwrap();
            let (pair, attributes) = text.split_once(';').unwrap_or((text, ""));
            let (name, value) = pair.split_once('=').unwrap();
            let attributes = attributes.to_ascii_lowercase();
            if value.is_empty() || attributes.contains("max-age=0") || attributes.contains("1970") {
                self.cookies.remove(name.trim());
            } else {
                self.cookies.insert(name.trim().to_owned(), value.to_owned());
            }
        }
    }
}

/// An answer, read whole.
#[derive(Debug)]
pub struct Page {
    /// Status.
    pub status: StatusCode,
    /// Headers.
    pub headers: HeaderMap,
    /// Body as text; bytes that are not UTF-8 are replaced.
    pub body: String,
}

impl Page {
    async fn read(response: axum::response::Response) -> Self {
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, 16 * 1024 * 1024).await.unwrap();
        Self {
            status: parts.status,
            headers: parts.headers,
            body: String::from_utf8_lossy(&bytes).into_owned(),
        }
    }

    /// Returns the target of a redirect.
    pub fn location(&self) -> Option<String> {
        self.headers
            .get(header::LOCATION)
            .map(|value| value.to_str().unwrap().to_owned())
    }

    /// Returns a header as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// Reads the body as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    /// Returns the forms of the page in order.
    pub fn forms(&self) -> Vec<Form> {
        self.body
            .split("<form")
            .skip(1)
            .map(|rest| Form::read(rest.split("</form>").next().unwrap()))
            .collect()
    }

    /// Returns the first form whose action contains `part`.
    pub fn form(&self, part: &str) -> Form {
        self.forms()
            .into_iter()
            .find(|form| form.action.contains(part))
            .unwrap_or_else(|| panic!("no form to {part} in: {}", self.body))
    }
}

/// A form of a page: where it goes and what it holds already.
#[derive(Clone, Debug)]
pub struct Form {
    /// Address.
    pub action: String,
    /// Method in lower case.
    pub method: String,
    /// Values of the inputs, hidden ones included.
    pub fields: BTreeMap<String, String>,
}

impl Form {
    fn read(html: &str) -> Self {
        let (head, rest) = html.split_once('>').unwrap();
        let fields = rest
            .split("<input")
            .skip(1)
            .map(|input| input.split('>').next().unwrap())
            .filter_map(|input| {
                Some((
                    attribute(input, "name")?,
                    attribute(input, "value").unwrap_or_default(),
                ))
            })
            .collect();
        Self {
            action: attribute(head, "action").unwrap_or_default(),
            method: attribute(head, "method")
                .unwrap_or_else(|| "get".to_owned())
                .to_ascii_lowercase(),
            fields,
        }
    }
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let start = tag.find(&format!(" {name}=\""))? + name.len() + 3;
    let value = tag[start..].split('"').next()?;
    let plain = [
        ("&quot;", "\""),
        ("&#34;", "\""),
        ("&#39;", "'"),
        ("&#x27;", "'"),
        ("&lt;", "<"),
        ("&#60;", "<"),
        ("&gt;", ">"),
        ("&#62;", ">"),
        ("&#38;", "&"),
        ("&amp;", "&"),
    ];
    Some(
        plain
            .iter()
            .fold(value.to_owned(), |text, (from, to)| text.replace(from, to)),
    )
}

/// A folder that is removed at the end.
pub struct Folder(pub PathBuf);

impl Folder {
    /// Makes a new folder under the system's temporary one.
    pub fn new(name: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("{name}-{}-{number}", World::new().id("").unwrap()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// Writes a file in it and returns its path.
    pub fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, content).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A PostgreSQL database of one test.
pub struct PostgresDatabase {
    server: String,
    name: String,
    /// URL of the database.
    pub url: String,
}

impl PostgresDatabase {
    /// Makes an empty database, if a server is given.
    #[allow(
        clippy::disallowed_methods,
        reason = "the tests' own switch, not configuration of the product"
    )]
    pub async fn create() -> Option<Self> {
        let Ok(server) = std::env::var("PROVOST_TEST_POSTGRES_URL") else {
            let required = std::env::var("PROVOST_TEST_REQUIRE_POSTGRES").is_ok_and(|value| value == "1");
            assert!(!required, "PROVOST_TEST_POSTGRES_URL is not set");
            return None;
        };
        let name = World::new().id("provost_it_").unwrap();
        let mut url = url::Url::parse(&server).unwrap();
        url.set_path(&name);
        let this = Self {
            server,
            name,
            url: url.into(),
        };
        this.execute("CREATE DATABASE").await;
        Some(this)
    }

    /// Removes the database, whoever is still connected.
    pub async fn drop_it(self) {
        self.execute("DROP DATABASE").await;
    }

    async fn execute(&self, what: &str) {
        let mut connection = sqlx::PgConnection::connect(&self.server).await.unwrap();
        let force = if what.starts_with("DROP") {
            " WITH (FORCE)"
        } else {
            ""
        };
        let sql = format!("{what} {}{force}", self.name);
        connection.execute(sqlx::AssertSqlSafe(sql)).await.unwrap();
    }
}
