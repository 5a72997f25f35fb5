//! `/login/passkey`, `/login/second/passkey`, `/account/security/passkeys`, with an authenticator made of software.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use minicbor::Encoder;
use provost_kernel::directory::Status;
use serde_json::json;

use crate::app::{Browser, Form, Page, PostgresDatabase, TestApp};
use crate::directory;
use crate::second_factors::{CARA, PASSWORD, signed_in, type_password};

const ORIGIN: &str = "http://localhost:8080";
const MALLORY: &str = "mallory@freelance.example";

/// Runs a test on each engine under a host name, because passkeys belong to one.
pub async fn on_each_engine<F>(test: impl Fn(TestApp) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let flags = [("public_url", ORIGIN)];
    test(TestApp::start_with(&flags).await).await;
    if let Some(database) = PostgresDatabase::create().await {
        let outcome = tokio::spawn(test(TestApp::start_on(&database, &flags).await)).await;
        database.drop_it().await;
        if let Err(panic) = outcome {
            std::panic::resume_unwind(panic.into_panic());
        }
    }
}

/// An authenticator with one passkey.
struct Device {
    pair: EcdsaKeyPair,
    id: Vec<u8>,
    count: u32,
    flags: u8,
    /// What the site told the device about whose the passkey is.
    user: String,
    origin: &'static str,
    host: &'static [u8],
}

impl Device {
    fn new(id: &str) -> Self {
        Self {
            pair: EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap(),
            id: id.as_bytes().to_vec(),
            count: 0,
            flags: 0x05,
            user: String::new(),
            origin: ORIGIN,
            host: b"localhost",
        }
    }

    fn client_data(&self, kind: &str, challenge: &str) -> String {
        json!({ "type": kind, "challenge": challenge, "origin": self.origin, "crossOrigin": false })
            .to_string()
    }

    fn data(&self, more: u8) -> Vec<u8> {
        let mut data = digest(&SHA256, self.host).as_ref().to_vec();
        data.push(self.flags | more);
        data.extend(self.count.to_be_bytes());
        data
    }

    /// Fills the form as the script does with a new passkey.
    fn make(&mut self, page: &Page, mut form: Form) -> Form {
        self.user = attribute(page, "data-user");
        let point = self.pair.public_key().as_ref();
        let mut key = Encoder::new(Vec::new());
        key.map(5).unwrap().i64(1).unwrap().i64(2).unwrap();
        key.i64(3)
            .unwrap()
            .i64(-7)
            .unwrap()
            .i64(-1)
            .unwrap()
            .i64(1)
            .unwrap();
        key.i64(-2).unwrap().bytes(&point[1..33]).unwrap();
        key.i64(-3).unwrap().bytes(&point[33..]).unwrap();
        let mut data = self.data(0x40);
        data.extend([0; 16]);
        data.extend(u16::try_from(self.id.len()).unwrap().to_be_bytes());
        data.extend(&self.id);
        data.extend(key.into_writer());
        let mut object = Encoder::new(Vec::new());
        object.map(3).unwrap().str("fmt").unwrap().str("none").unwrap();
        object
            .str("attStmt")
            .unwrap()
            .map(0)
            .unwrap()
            .str("authData")
            .unwrap()
            .bytes(&data)
            .unwrap();
        let client = self.client_data("webauthn.create", &challenge(page));
        form.fields
            .insert("client_data".to_owned(), URL_SAFE_NO_PAD.encode(client));
        form.fields.insert(
            "attestation".to_owned(),
            URL_SAFE_NO_PAD.encode(object.into_writer()),
        );
        form.fields.insert("password".to_owned(), PASSWORD.to_owned());
        form
    }

    /// Fills the form of `/login/passkey` or `/login/second` with a signature, as the script does.
    async fn answer(&mut self, browser: &mut Browser, path: &str) -> Form {
        let page = browser.get(path).await;
        let to = if path == "/login/second" {
            "/login/second/passkey"
        } else {
            path
        };
        self.sign(&page, page.form(to))
    }

    /// Fills the form as the script does with a signature.
    fn sign(&mut self, page: &Page, mut form: Form) -> Form {
        self.count += 1;
        let client = self.client_data("webauthn.get", &challenge(page));
        let data = self.data(0);
        let mut signed = data.clone();
        signed.extend_from_slice(digest(&SHA256, client.as_bytes()).as_ref());
        let signature = self.pair.sign(&SystemRandom::new(), &signed).unwrap();
        for (name, value) in [
            ("credential", self.id.as_slice()),
            ("client_data", client.as_bytes()),
            ("authenticator_data", &data),
            ("signature", signature.as_ref()),
            ("user", self.user.as_bytes()),
        ] {
            form.fields.insert(name.to_owned(), URL_SAFE_NO_PAD.encode(value));
        }
        form
    }
}

fn attribute(page: &Page, name: &str) -> String {
    let (_, rest) = page
        .body
        .split_once(&format!("{name}=\""))
        .unwrap_or_else(|| panic!("{}", page.body));
    rest.split('"').next().unwrap().to_owned()
}

fn challenge(page: &Page) -> String {
    attribute(page, "data-challenge")
}

async fn set_up(browser: &mut Browser, device: &mut Device) {
    let page = browser.get("/account/security/passkeys").await;
    let form = device.make(&page, page.form("/account/security/passkeys"));
    let done = browser.submit(&form, &[]).await;
    assert_eq!(
        done.location().as_deref(),
        Some("/account/security"),
        "{}",
        done.body
    );
    // A challenge works once.
    let again = browser.submit(&form, &[]).await;
    assert_eq!(again.status, StatusCode::BAD_REQUEST, "{}", again.body);
}

/// Makes a passkey on a new device.
pub async fn make_one(browser: &mut Browser, id: &str) {
    set_up(browser, &mut Device::new(id)).await;
}

async fn methods(app: &TestApp) -> Vec<String> {
    let account = directory::accounts(&app.app, CARA).await.remove(0);
    let now = app.app.world.now();
    let found = app
        .app
        .store
        .read(|reader| Box::pin(async move { reader.sessions_of_account(&account.id, now).await }))
        .await;
    found.unwrap()[0].methods.clone()
}

#[tokio::test]
async fn a_passkey_is_the_second_factor_or_stands_alone() {
    on_each_engine(|app| async move {
        directory::standard_account(&app.app, CARA, Some(PASSWORD)).await;
        let mut device = Device::new("key-1");
        set_up(&mut signed_in(&app, CARA).await, &mut device).await;
        let mut browser = app.browser();
        let page = type_password(&mut browser, CARA, PASSWORD).await;
        assert_eq!(page.location().as_deref(), Some("/login/second"), "{}", page.body);
        let page = browser.get("/login/second").await;
        let policy = page.header("content-security-policy").unwrap();
        assert!(
            policy.contains("script-src 'self'") && !policy.contains("unsafe"),
            "{policy}"
        );
        let form = device.sign(&page, page.form("/login/second/passkey"));
        app.app.world.advance(jiff::SignedDuration::from_secs(1));
        let done = browser.submit(&form, &[]).await;
        assert_eq!(done.location().as_deref(), Some("/account"), "{}", done.body);
        assert_eq!(methods(&app).await, ["pwd", "pop", "mfa"]);

        let mut browser = app.browser();
        let form = device.answer(&mut browser, "/login/passkey").await;
        app.app.world.advance(jiff::SignedDuration::from_secs(1));
        let done = browser.submit(&form, &[]).await;
        assert_eq!(done.location().as_deref(), Some("/account"), "{}", done.body);
        assert_eq!(methods(&app).await, ["pop", "mfa"]);
        // The same answer again, and in another browser.
        for mut replay in [browser.clone(), app.browser()] {
            let own = replay.get("/login/passkey").await.form("/login/passkey");
            let mut old = form.clone();
            old.fields
                .insert("form_token".to_owned(), own.fields["form_token"].clone());
            let page = replay.submit(&old, &[]).await;
            assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", page.body);
        }
    })
    .await;
}

#[tokio::test]
async fn a_passkey_alone_needs_a_device_that_knows_its_owner_and_no_copy() {
    on_each_engine(|app| async move {
        directory::standard_account(&app.app, CARA, Some(PASSWORD)).await;
        let mut device = Device::new("key-1");
        set_up(&mut signed_in(&app, CARA).await, &mut device).await;
        let mut thief = Device::new("key-1");
        let mut unknown = Device::new("key-2");
        let mut browser = app.browser();
        for wrong in [&mut thief, &mut unknown] {
            let form = wrong.answer(&mut browser, "/login/passkey").await;
            assert_eq!(
                browser.submit(&form, &[]).await.status,
                StatusCode::UNPROCESSABLE_ENTITY
            );
        }
        device.flags = 0x01;
        let form = device.answer(&mut browser, "/login/passkey").await;
        let refused = browser.submit(&form, &[]).await;
        assert_eq!(
            refused.status,
            StatusCode::UNPROCESSABLE_ENTITY,
            "a touch alone is no proof of who"
        );
        device.flags = 0x05;
        device.count = 10;
        let form = device.answer(&mut browser, "/login/passkey").await;
        assert_eq!(
            browser.submit(&form, &[]).await.location().as_deref(),
            Some("/account")
        );
        // A copy of the key that has counted less.
        device.count = 3;
        let form = device.answer(&mut browser, "/login/passkey").await;
        assert_eq!(
            browser.submit(&form, &[]).await.status,
            StatusCode::UNPROCESSABLE_ENTITY
        );
    })
    .await;
}

#[tokio::test]
async fn somebody_elses_passkey_completes_no_sign_in() {
    on_each_engine(|app| async move {
        directory::standard_account(&app.app, CARA, Some(PASSWORD)).await;
        directory::standard_account(&app.app, MALLORY, Some(PASSWORD)).await;
        set_up(&mut signed_in(&app, CARA).await, &mut Device::new("key-1")).await;
        let mut mallorys = Device::new("key-m");
        set_up(&mut signed_in(&app, MALLORY).await, &mut mallorys).await;
        let mut browser = app.browser();
        type_password(&mut browser, CARA, PASSWORD).await;
        let form = mallorys.answer(&mut browser, "/login/second").await;
        let page = browser.submit(&form, &[]).await;
        assert_eq!(
            page.location().as_deref(),
            Some("/login/second?failed=1"),
            "{}",
            page.body
        );
        assert_eq!(browser.get("/account").await.status, StatusCode::SEE_OTHER);
    })
    .await;
}

#[tokio::test]
async fn passkeys_are_not_offered_where_there_is_no_host_name() {
    let app = TestApp::start().await;
    let page = app.browser().get("/login/password").await;
    assert!(!page.body.contains("/login/passkey"), "{}", page.body);
    assert_eq!(
        app.browser().get("/login/passkey").await.status,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn a_challenge_belongs_to_one_browser_one_account_and_one_answer() {
    on_each_engine(|app| async move {
        directory::standard_account(&app.app, CARA, Some(PASSWORD)).await;
        directory::standard_account(&app.app, MALLORY, Some(PASSWORD)).await;
        let mut device = Device::new("key-1");
        set_up(&mut signed_in(&app, CARA).await, &mut device).await;
        // An answer taken from another browser is not hers, and does not use the challenge up.
        let mut browser = app.browser();
        let form = device.answer(&mut browser, "/login/passkey").await;
        let mut thief = app.browser();
        let own = thief.get("/login/passkey").await.form("/login/passkey");
        let mut stolen = form.clone();
        stolen
            .fields
            .insert("form_token".to_owned(), own.fields["form_token"].clone());
        assert_eq!(
            thief.submit(&stolen, &[]).await.status,
            StatusCode::UNPROCESSABLE_ENTITY
        );
        // A good answer after a bad one to the same challenge.
        let mut bad = form.clone();
        bad.fields
            .insert("signature".to_owned(), URL_SAFE_NO_PAD.encode([7; 70]));
        assert_eq!(
            browser.submit(&bad, &[]).await.status,
            StatusCode::UNPROCESSABLE_ENTITY
        );
        assert_eq!(
            browser.submit(&form, &[]).await.status,
            StatusCode::UNPROCESSABLE_ENTITY
        );
        // The challenge for making one is no sign-in that waits, for either step.
        let mut mallory = signed_in(&app, MALLORY).await;
        let page = mallory.get("/account/security/passkeys").await;
        let pending = page.form("/account/security/passkeys").fields["pending"].clone();
        let mut forged = mallory.clone();
        forged.cookies.insert("provost_half".to_owned(), pending.clone());
        assert_eq!(
            forged.get("/login/second").await.location().as_deref(),
            Some("/login")
        );
        let mut form = device.answer(&mut forged, "/login/passkey").await;
        form.fields.insert("pending".to_owned(), pending.clone());
        assert_eq!(
            forged.submit(&form, &[]).await.status,
            StatusCode::UNPROCESSABLE_ENTITY
        );
        // A challenge of hers makes no passkey of somebody else's account, even in the same browser.
        let page = mallory.get("/account/security/passkeys").await;
        let mut fresh = Device::new("key-m");
        let form = fresh.make(&page, page.form("/account/security/passkeys"));
        let mut cara = mallory.clone();
        let again = type_password(&mut cara, CARA, PASSWORD).await;
        assert_eq!(
            again.location().as_deref(),
            Some("/login/second"),
            "{}",
            again.body
        );
        let second = device.answer(&mut cara, "/login/second").await;
        assert_eq!(
            cara.submit(&second, &[]).await.location().as_deref(),
            Some("/account")
        );
        let own = cara
            .get("/account/security/passkeys")
            .await
            .form("/account/security/passkeys");
        let mut crossed = form.clone();
        crossed
            .fields
            .insert("form_token".to_owned(), own.fields["form_token"].clone());
        let refused = cara.submit(&crossed, &[]).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{}", refused.body);
        assert!(
            refused.body.contains("The passkey was not taken."),
            "{}",
            refused.body
        );
    })
    .await;
}

#[tokio::test]
async fn the_second_step_asks_anew_after_each_try() {
    on_each_engine(|app| async move {
        directory::standard_account(&app.app, CARA, Some(PASSWORD)).await;
        let mut device = Device::new("key-1");
        set_up(&mut signed_in(&app, CARA).await, &mut device).await;
        let mut browser = app.browser();
        type_password(&mut browser, CARA, PASSWORD).await;
        let old = device.answer(&mut browser, "/login/second").await;
        let mut bad = old.clone();
        bad.fields
            .insert("signature".to_owned(), URL_SAFE_NO_PAD.encode([7; 70]));
        assert_eq!(
            browser.submit(&bad, &[]).await.location().as_deref(),
            Some("/login/second?failed=1")
        );
        assert_eq!(
            browser.submit(&old, &[]).await.location().as_deref(),
            Some("/login/second?failed=1"),
            "the challenge of the first try"
        );
        let form = device.answer(&mut browser, "/login/second").await;
        assert_eq!(
            browser.submit(&form, &[]).await.location().as_deref(),
            Some("/account")
        );
        // Five tries, then it is over, whatever comes.
        let mut browser = app.browser();
        type_password(&mut browser, CARA, PASSWORD).await;
        for _ in 0..5 {
            let mut form = device.answer(&mut browser, "/login/second").await;
            form.fields
                .insert("signature".to_owned(), URL_SAFE_NO_PAD.encode([7; 70]));
            browser.submit(&form, &[]).await;
        }
        let form = device.answer(&mut browser, "/login/second").await;
        assert_eq!(
            browser.submit(&form, &[]).await.location().as_deref(),
            Some("/login")
        );
    })
    .await;
}

#[tokio::test]
async fn an_answer_for_another_site_another_person_or_too_large_counts_for_nothing() {
    on_each_engine(|app| async move {
        directory::standard_account(&app.app, CARA, Some(PASSWORD)).await;
        let mut device = Device::new("key-1");
        set_up(&mut signed_in(&app, CARA).await, &mut device).await;
        let mut browser = app.browser();
        let first = browser.get("/login/passkey").await;
        assert_eq!(
            attribute(&first, "data-known"),
            "",
            "nobody learns which passkeys there are"
        );
        let user = device.user.clone();
        let good = (ORIGIN, &b"localhost"[..], user.as_str());
        let wrong = [
            ("http://localhost:8081", good.1, good.2),
            ("https://localhost:8080", good.1, good.2),
            (good.0, b"evil.localhost", good.2),
            (good.0, good.1, "somebody-else"),
            (good.0, good.1, ""),
        ];
        for (origin, host, user) in wrong {
            (device.origin, device.host, device.user) = (origin, host, user.to_owned());
            let form = device.answer(&mut browser, "/login/passkey").await;
            let refused = browser.submit(&form, &[]).await;
            assert_eq!(
                refused.status,
                StatusCode::UNPROCESSABLE_ENTITY,
                "{origin} {user}"
            );
        }
        (device.origin, device.host, device.user) = (good.0, b"localhost", user.clone());
        for name in ["client_data", "authenticator_data", "signature"] {
            let mut form = device.answer(&mut browser, "/login/passkey").await;
            form.fields.insert(name.to_owned(), "A".repeat(30 * 1024));
            let refused = browser.submit(&form, &[]).await;
            assert_eq!(
                refused.status,
                StatusCode::BAD_REQUEST,
                "{name}: {}",
                refused.body
            );
        }
        let mut form = device.answer(&mut browser, "/login/passkey").await;
        form.fields.insert("credential".to_owned(), "A".repeat(2000));
        assert_eq!(
            browser.submit(&form, &[]).await.status,
            StatusCode::UNPROCESSABLE_ENTITY
        );
        // Without the wrongs, it is a sign-in.
        let form = device.answer(&mut browser, "/login/passkey").await;
        assert_eq!(
            browser.submit(&form, &[]).await.location().as_deref(),
            Some("/account")
        );
    })
    .await;
}

#[tokio::test]
async fn a_passkey_is_one_accounts_and_ends_with_its_removal_or_suspension() {
    on_each_engine(|app| async move {
        let id = directory::standard_account(&app.app, CARA, Some(PASSWORD)).await;
        directory::standard_account(&app.app, MALLORY, Some(PASSWORD)).await;
        let mut device = Device::new("key-1");
        let mut browser = signed_in(&app, CARA).await;
        set_up(&mut browser, &mut device).await;
        // The same credential for another account, and with another key.
        let mut copy = Device::new("key-1");
        let mut mallory = signed_in(&app, MALLORY).await;
        let page = mallory.get("/account/security/passkeys").await;
        let form = copy.make(&page, page.form("/account/security/passkeys"));
        let refused = mallory.submit(&form, &[]).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{}", refused.body);
        // A wrong password makes none either.
        let page = mallory.get("/account/security/passkeys").await;
        let mut form = Device::new("key-2").make(&page, page.form("/account/security/passkeys"));
        form.fields
            .insert("password".to_owned(), "not her password".to_owned());
        assert_eq!(
            mallory.submit(&form, &[]).await.status,
            StatusCode::UNPROCESSABLE_ENTITY
        );
        let attempt = async |device: &mut Device| {
            let mut other = app.browser();
            let form = device.answer(&mut other, "/login/passkey").await;
            other.submit(&form, &[]).await.status
        };
        assert_eq!(attempt(&mut device).await, StatusCode::SEE_OTHER);
        let account = directory::accounts(&app.app, CARA).await.remove(0);
        assert_eq!(account.id, id);
        directory::set_status(&app.app, &account, Status::Suspended).await;
        assert_eq!(attempt(&mut device).await, StatusCode::UNPROCESSABLE_ENTITY);
        let account = directory::accounts(&app.app, CARA).await.remove(0);
        directory::set_status(&app.app, &account, Status::Active).await;
        assert_eq!(attempt(&mut device).await, StatusCode::SEE_OTHER);
        let mut browser = app.browser();
        type_password(&mut browser, CARA, PASSWORD).await;
        let form = device.answer(&mut browser, "/login/second").await;
        browser.submit(&form, &[]).await;
        let form = browser.get("/account/security").await.form("/remove");
        let done = browser.submit(&form, &[("password", PASSWORD)]).await;
        assert_eq!(
            done.location().as_deref(),
            Some("/account/security"),
            "{}",
            done.body
        );
        assert_eq!(attempt(&mut device).await, StatusCode::UNPROCESSABLE_ENTITY);
    })
    .await;
}

#[tokio::test]
async fn one_answer_sent_many_times_at_once_opens_one_session() {
    on_each_engine(|app| async move {
        let id = directory::standard_account(&app.app, CARA, Some(PASSWORD)).await;
        let mut device = Device::new("key-1");
        set_up(&mut signed_in(&app, CARA).await, &mut device).await;
        let mut browser = app.browser();
        let form = device.answer(&mut browser, "/login/passkey").await;
        let mut tries = tokio::task::JoinSet::new();
        for _ in 0..12 {
            let (mut browser, form) = (browser.clone(), form.clone());
            tries.spawn(async move { browser.submit(&form, &[]).await.status });
        }
        let statuses = tries.join_all().await;
        let admitted = statuses
            .iter()
            .filter(|status| **status == StatusCode::SEE_OTHER)
            .count();
        assert_eq!(admitted, 1, "{statuses:?}");
        let now = app.app.world.now();
        let sessions = app
            .app
            .store
            .read(|reader| Box::pin(async move { reader.sessions_of_account(&id, now).await }))
            .await;
        assert_eq!(sessions.unwrap().len(), 2, "that one, and the one that set it up");
    })
    .await;
}
