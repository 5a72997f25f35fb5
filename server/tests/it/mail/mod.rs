//! Mail, and what needs it: new passwords, invitations, conversions.

mod adding;
mod conversions;
mod delivery;
mod endings;
mod invitations;
mod reset;

use std::path::PathBuf;

use provost::flow::mail;
use secrecy::SecretString;

use crate::api::Client;
use crate::app::{Browser, Folder, Form, Page, PostgresDatabase, TestApp};
use crate::directory::ORGANIZATION;

/// Runs a test on each engine, with mail going into a folder.
pub async fn with_mail<F>(test: impl Fn(TestApp, Mailbox) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let mailbox = Mailbox::new();
    let dir = mailbox.dir();
    let flags = [
        ("mail_transport", "file"),
        ("mail_from", "Provost <no-reply@sso.example>"),
        ("mail_dir", dir.as_str()),
    ];
    test(TestApp::start_with(&flags).await, mailbox).await;
    if let Some(database) = PostgresDatabase::create().await {
        let mailbox = Mailbox::new();
        let dir = mailbox.dir();
        let flags = [flags[0], flags[1], ("mail_dir", dir.as_str())];
        let outcome = tokio::spawn(test(TestApp::start_on(&database, &flags).await, mailbox)).await;
        database.drop_it().await;
        if let Err(panic) = outcome {
            std::panic::resume_unwind(panic.into_panic());
        }
    }
}

/// Where mail arrives.
pub struct Mailbox {
    folder: Folder,
}

/// A mail that arrived.
#[derive(Clone, Debug)]
pub struct Arrived {
    /// Everything, decoded.
    pub text: String,
}

impl Mailbox {
    fn new() -> Self {
        Self {
            folder: Folder::new("provost-mail"),
        }
    }

    fn dir(&self) -> String {
        self.folder.0.display().to_string()
    }

    /// Sends what waits and returns everything that ever arrived for an address, oldest first.
    pub async fn of(&self, app: &TestApp, address: &str) -> Vec<Arrived> {
        mail::deliver(&app.app).await.unwrap();
        let mut files: Vec<PathBuf> = std::fs::read_dir(&self.folder.0)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|kind| kind == "eml"))
            .collect();
        files.sort();
        files
            .into_iter()
            .map(|path| Arrived {
                text: decoded(&std::fs::read_to_string(path).unwrap()),
            })
            .filter(|mail| mail.header("To").is_some_and(|to| to.contains(address)))
            .collect()
    }

    /// Waits until so many mails have arrived for an address: what queues them works in the background.
    pub async fn wait(&self, app: &TestApp, address: &str, count: usize) -> Vec<Arrived> {
        for _ in 0..500 {
            let found = self.of(app, address).await;
            if found.len() >= count {
                return found;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        panic!("no {count} mails arrived for {address}")
    }
}

impl Arrived {
    /// Returns a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        let head = self.text.split("\r\n\r\n").next()?;
        head.lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    /// Returns the first link that leads to a path.
    pub fn link(&self, path: &str) -> String {
        let at = self
            .text
            .find(path)
            .unwrap_or_else(|| panic!("no link to {path} in {}", self.text));
        let start = self.text[..at].rfind("http").unwrap();
        self.text[start..]
            .split(|letter: char| letter.is_whitespace() || letter == '"' || letter == '<')
            .next()
            .unwrap()
            .to_owned()
    }
}

/// Undoes quoted-printable; bodies in tests are written so or in seven bits.
fn decoded(text: &str) -> String {
    let joined = text.replace("=\r\n", "");
    let mut bytes = Vec::with_capacity(joined.len());
    let mut rest = joined.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        if *first == b'='
            && let Some(Ok(byte)) = tail
                .get(..2)
                .and_then(|digits| std::str::from_utf8(digits).ok())
                .map(|digits| u8::from_str_radix(digits, 16))
        {
            bytes.push(byte);
            rest = &tail[2..];
        } else {
            bytes.push(*first);
            rest = tail;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Sets a password through the form behind a link.
pub async fn choose_password(browser: &mut Browser, link: &str, password: &str) -> Page {
    let page = browser.get(link).await;
    if !page.status.is_success() {
        return page;
    }
    let form = Form {
        action: link.to_owned(),
        ..page.form("")
    };
    browser
        .submit(&form, &[("password", password), ("repeat", password)])
        .await
}

/// Gives a standard account a password, as its person would.
pub async fn give_password(app: &TestApp, account: &provost_kernel::id::AccountId, password: &str) {
    use secrecy::ExposeSecret as _;
    let link: SecretString = provost::flow::set_password::link(&app.app, account)
        .await
        .unwrap();
    let page = choose_password(&mut app.browser(), link.expose_secret(), password).await;
    assert_eq!(page.location().as_deref(), Some("/account"), "{}", page.body);
}

/// A mail of the organization that waits.
pub async fn a_mail(app: &TestApp) -> String {
    delivery::queue(app, "ann@home-lab.example", "Ann").await
}

/// An invitation of the organization.
pub async fn an_invitation(app: &TestApp) -> String {
    let mut client = Client::new(app, None).await;
    let path = format!("/api/v1/organizations/{ORGANIZATION}/invitations");
    let known = client.get(&path).await.json();
    if let Some(id) = known["items"][0]["id"].as_str() {
        return id.to_owned();
    }
    let body = serde_json::json!({"people": [{"email": "waiting@home-lab.example"}], "send": false});
    let made = client.post(&path, &body).await.json();
    made["results"][0]["invitation"]["id"]
        .as_str()
        .unwrap()
        .to_owned()
}

/// A run of the organization that is through.
pub async fn a_conversion(app: &TestApp) -> String {
    let mut client = Client::new(app, None).await;
    let path = format!("/api/v1/organizations/{ORGANIZATION}/conversions");
    let body = serde_json::json!({"connection": "okta", "kinds": ["user"], "notify": false});
    let made = client.post(&path, &body).await.json();
    // A run that rests: whoever follows another one waits for its end.
    provost::flow::conversions::run::advance(&app.app).await.unwrap();
    made["id"].as_str().unwrap_or_else(|| panic!("{made}")).to_owned()
}
