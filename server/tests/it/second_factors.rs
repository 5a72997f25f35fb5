//! `/login/second` and `/account/security`: authenticator apps, recovery codes, and the limits on guessing.

use axum::http::StatusCode;
use jiff::SignedDuration;
use provost::flow::password::{Attempt, Entry, SignInBrowser};
use provost::flow::return_to::ReturnTo;
use provost::flow::set_password;
use provost_kernel::directory::Grant;
use provost_kernel::directory::{Membership, Source};
use provost_kernel::id::AccountId;
use provost_kernel::plan::{Change, Plan};
use secrecy::{ExposeSecret as _, SecretString};
use totp_rs::{Builder, Secret};

use crate::api::{Client, code};
use crate::app::{Browser, Form, Page, TestApp, on_each_engine};
use crate::directory::{self, ORGANIZATION};
use crate::openid::lab::apply;

pub const CARA: &str = "cara@freelance.example";
pub const PASSWORD: &str = "correct horse battery";

/// Types a password.
pub async fn type_password(browser: &mut Browser, email: &str, password: &str) -> Page {
    let form = browser.get("/login/password").await.form("/login/password");
    browser
        .submit(&form, &[("email", email), ("password", password)])
        .await
}

/// Signs in with a password alone.
pub async fn signed_in(app: &TestApp, email: &str) -> Browser {
    let mut browser = app.browser();
    let page = type_password(&mut browser, email, PASSWORD).await;
    assert_eq!(page.location().as_deref(), Some("/account"), "{}", page.body);
    browser
}

/// The code that an authenticator app shows now.
pub fn totp(app: &TestApp, base32: &str) -> String {
    let secret = Secret::try_from_base32(base32.replace(' ', "")).unwrap();
    let totp = Builder::new()
        .with_secret(secret)
        .with_account_name("x")
        .build()
        .unwrap();
    let now = u64::try_from(app.app.world.now().as_second()).unwrap();
    totp.generate(now).to_string()
}

fn secret_on(page: &Page) -> String {
    let (_, rest) = page
        .body
        .split_once(": <code class=\"break\">")
        .unwrap_or_else(|| panic!("{}", page.body));
    rest.split('<').next().unwrap().to_owned()
}

/// Sets an authenticator app up and returns its secret.
pub async fn set_up(app: &TestApp, browser: &mut Browser) -> String {
    let page = browser.get("/account/security/totp").await;
    let secret = secret_on(&page);
    let form = page.form("/account/security/totp");
    let done = browser
        .submit(&form, &[("code", &totp(app, &secret)), ("password", PASSWORD)])
        .await;
    assert_eq!(
        done.location().as_deref(),
        Some("/account/security"),
        "{}",
        done.body
    );
    // The code that was just used is spent.
    app.app.world.advance(SignedDuration::from_secs(30));
    secret
}

/// Makes recovery codes and returns them.
pub async fn recovery_codes(browser: &mut Browser) -> Vec<String> {
    let form = browser.get("/account/security").await.form("/recovery-codes");
    let page = browser.submit(&form, &[("password", PASSWORD)]).await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.body);
    let (_, list) = page.body.split_once("<ol class=\"codes\">").unwrap();
    list.split("<code>")
        .skip(1)
        .map(|rest| rest.split('<').next().unwrap().to_owned())
        .collect()
}

/// Makes Cara an owner of an organization that demands a second factor of its admins.
pub async fn demand_second_factors(app: &TestApp) {
    directory::organization(&app.app).await;
    let cara = directory::standard_account(&app.app, CARA, Some(PASSWORD)).await;
    member(app, &cara, "owner").await;
    let mut client = Client::new(app, Some(ORGANIZATION)).await;
    let page = client
        .send_json(
            axum::http::Method::PUT,
            "/api/v1/organizations/home-lab/sign-in",
            &serde_json::json!({ "second_factor_for_admins": true }),
        )
        .await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.body);
}

/// Begins a sign-in that waits for its second factor.
async fn half(app: &TestApp, email: &str) -> (Browser, Form) {
    let mut browser = app.browser();
    let page = type_password(&mut browser, email, PASSWORD).await;
    assert_eq!(page.location().as_deref(), Some("/login/second"), "{}", page.body);
    let form = browser.get("/login/second").await.form("/login/second");
    (browser, form)
}

/// Makes somebody a member of the organization with a role.
pub async fn member(app: &TestApp, account: &AccountId, role: &str) {
    let membership = Membership {
        organization: ORGANIZATION.into(),
        active: true,
        source: Source::Manual,
        pinned: false,
        roles: vec![Grant {
            id: role.into(),
            source: Source::Manual,
            pinned: false,
        }],
        workspaces: Vec::new(),
        groups: Vec::new(),
        all_workspaces: None,
        license: None,
        version: 1,
    };
    let change = Change::AddMembership {
        account: account.clone(),
        membership,
    };
    apply(
        &app.app,
        account,
        Plan {
            changes: vec![change],
            ..Plan::default()
        },
    )
    .await;
}

async fn methods(app: &TestApp, account: &AccountId) -> Vec<String> {
    let (id, now) = (account.clone(), app.app.world.now());
    let found = app
        .app
        .store
        .read(|reader| Box::pin(async move { reader.sessions_of_account(&id, now).await }))
        .await;
    found.unwrap()[0].methods.clone()
}

#[tokio::test]
async fn a_code_of_the_app_is_asked_for_and_works_once() {
    on_each_engine(|app| async move {
        let cara = directory::standard_account(&app.app, CARA, Some(PASSWORD)).await;
        let mut own = signed_in(&app, CARA).await;
        assert_eq!(methods(&app, &cara).await, ["pwd"]);
        let secret = set_up(&app, &mut own).await;
        let (mut browser, form) = half(&app, CARA).await;
        // The password alone opens nothing.
        assert_eq!(browser.get("/account").await.status, StatusCode::SEE_OTHER);
        for wrong in ["000000", "", "12345", "not a code"] {
            if wrong == totp(&app, &secret) {
                continue;
            }
            let page = browser.submit(&form, &[("code", wrong)]).await;
            assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY, "{wrong}");
        }
        let code = totp(&app, &secret);
        let page = browser.submit(&form, &[("code", &code)]).await;
        assert_eq!(page.location().as_deref(), Some("/account"), "{}", page.body);
        assert_eq!(browser.get("/account").await.status, StatusCode::OK);
        assert_eq!(methods(&app, &cara).await, ["pwd", "otp", "mfa"]);
        // The same code in another browser is a replay, within its time as well; so is the half sign-in.
        let (mut other, form) = half(&app, CARA).await;
        let page = other.submit(&form, &[("code", &code)]).await;
        assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", page.body);
        app.app.world.advance(SignedDuration::from_secs(30));
        let page = other.submit(&form, &[("code", &totp(&app, &secret))]).await;
        assert_eq!(page.location().as_deref(), Some("/account"), "{}", page.body);
    })
    .await;
}

#[tokio::test]
async fn a_waiting_sign_in_belongs_to_one_browser_for_five_tries_and_ten_minutes() {
    on_each_engine(|app| async move {
        directory::standard_account(&app.app, CARA, Some(PASSWORD)).await;
        let secret = set_up(&app, &mut signed_in(&app, CARA).await).await;
        let (browser, _) = half(&app, CARA).await;
        // Its cookie in another browser finds nothing.
        let mut thief = app.browser();
        thief.get("/login").await;
        thief
            .cookies
            .insert("provost_half".to_owned(), browser.cookies["provost_half"].clone());
        assert_eq!(
            thief.get("/login/second").await.location().as_deref(),
            Some("/login")
        );
        let (mut browser, form) = half(&app, CARA).await;
        for _ in 0..5 {
            browser.submit(&form, &[("code", "no code")]).await;
        }
        let page = browser.submit(&form, &[("code", &totp(&app, &secret))]).await;
        assert_eq!(page.location().as_deref(), Some("/login"), "{}", page.body);
        let (mut browser, form) = half(&app, CARA).await;
        app.app.world.advance(SignedDuration::from_mins(11));
        let page = browser.submit(&form, &[("code", &totp(&app, &secret))]).await;
        assert_eq!(page.location().as_deref(), Some("/login"), "{}", page.body);
    })
    .await;
}

#[tokio::test]
async fn of_many_who_send_one_code_at_once_one_gets_in() {
    on_each_engine(|app| async move {
        directory::standard_account(&app.app, CARA, Some(PASSWORD)).await;
        let secret = set_up(&app, &mut signed_in(&app, CARA).await).await;
        let mut waiting = Vec::new();
        for _ in 0..4 {
            waiting.push(half(&app, CARA).await);
        }
        let code = totp(&app, &secret);
        let tries = waiting.into_iter().map(|(mut browser, form)| {
            let code = code.clone();
            tokio::spawn(async move { browser.submit(&form, &[("code", &code)]).await.location() })
        });
        let mut inside = 0;
        for one in tries.collect::<Vec<_>>() {
            inside += usize::from(one.await.unwrap().as_deref() == Some("/account"));
        }
        assert_eq!(inside, 1);
    })
    .await;
}

#[tokio::test]
async fn setting_up_and_removing_ask_for_the_password_and_a_code() {
    on_each_engine(|app| async move {
        let cara = directory::standard_account(&app.app, CARA, Some(PASSWORD)).await;
        let mut browser = signed_in(&app, CARA).await;
        let page = browser.get("/account/security/totp").await;
        assert!(
            page.body.contains("src=\"data:image/svg+xml;base64,"),
            "{}",
            page.body
        );
        assert!(
            page.header("content-security-policy")
                .unwrap()
                .starts_with("default-src 'none'")
        );
        let (secret, form) = (secret_on(&page), page.form("/account/security/totp"));
        let right = totp(&app, &secret);
        for fields in [
            [("code", right.as_str()), ("password", "wrong password here")],
            [("code", "no code"), ("password", PASSWORD)],
        ] {
            let page = browser.submit(&form, &fields).await;
            assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", page.body);
        }
        set_up(&app, &mut browser).await;
        let page = browser.get("/account/security").await;
        let form = page.form("/remove");
        let refused = browser
            .submit(&form, &[("password", "wrong password here")])
            .await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
        // Somebody else's is not there.
        directory::standard_account(&app.app, "dan@freelance.example", Some(PASSWORD)).await;
        let mut dan = signed_in(&app, "dan@freelance.example").await;
        let own = dan.get("/account/security").await.form("/recovery-codes");
        let foreign = Form {
            action: form.action.clone(),
            ..own
        };
        let page = dan.submit(&foreign, &[("password", PASSWORD)]).await;
        assert_eq!(page.status, StatusCode::NOT_FOUND, "{}", page.body);
        let done = browser.submit(&form, &[("password", PASSWORD)]).await;
        assert_eq!(
            done.location().as_deref(),
            Some("/account/security"),
            "{}",
            done.body
        );
        signed_in(&app, CARA).await;
        assert_eq!(methods(&app, &cara).await, ["pwd"]);
    })
    .await;
}

#[tokio::test]
async fn r184_recovery_codes_work_once_and_are_told_of() {
    on_each_engine(|app| async move {
        directory::standard_account(&app.app, CARA, Some(PASSWORD)).await;
        let mut own = signed_in(&app, CARA).await;
        set_up(&app, &mut own).await;
        let old = recovery_codes(&mut own).await;
        let codes = recovery_codes(&mut own).await;
        assert_eq!(codes.len(), 10);
        assert!(
            codes.iter().all(|code| code.len() == 29 && !old.contains(code)),
            "{codes:?}"
        );
        let (mut browser, form) = half(&app, CARA).await;
        let page = browser.submit(&form, &[("code", &old[0])]).await;
        assert_eq!(
            page.status,
            StatusCode::UNPROCESSABLE_ENTITY,
            "older ones are gone"
        );
        let spoken = codes[0].replace('-', " ").to_lowercase();
        let page = browser.submit(&form, &[("code", &spoken)]).await;
        assert_eq!(page.location().as_deref(), Some("/account"), "{}", page.body);
        let (mut browser, form) = half(&app, CARA).await;
        let page = browser.submit(&form, &[("code", &codes[0])]).await;
        assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY, "used up");
        let events = Client::new(&app, None)
            .await
            .get("/api/v1/events?limit=200")
            .await
            .body;
        assert!(events.contains("recovery_code_used"), "{events}");
        assert!(!codes.iter().any(|code| events.contains(code.as_str())));
        let page = own.get("/account/security").await;
        assert!(page.body.contains("9 are left"), "{}", page.body);
        // The codes of one account are not another's.
        directory::standard_account(&app.app, "dan@freelance.example", Some(PASSWORD)).await;
        set_up(&app, &mut signed_in(&app, "dan@freelance.example").await).await;
        let (mut dan, form) = half(&app, "dan@freelance.example").await;
        let page = dan.submit(&form, &[("code", &codes[1])]).await;
        assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
    })
    .await;
}

#[tokio::test]
async fn a_password_link_does_not_go_round_the_second_factor() {
    on_each_engine(|app| async move {
        let cara = directory::standard_account(&app.app, CARA, Some(PASSWORD)).await;
        set_up(&app, &mut signed_in(&app, CARA).await).await;
        let link = set_password::link(&app.app, &cara).await.unwrap();
        let mut browser = app.browser();
        let page = browser.get(link.expose_secret()).await;
        let form = Form {
            action: link.expose_secret().to_owned(),
            ..page.form("")
        };
        let new = "an entirely new one";
        let page = browser.submit(&form, &[("password", new), ("repeat", new)]).await;
        assert_eq!(page.location().as_deref(), Some("/login/second"), "{}", page.body);
        assert_eq!(browser.get("/account").await.status, StatusCode::SEE_OTHER);
    })
    .await;
}

#[tokio::test]
async fn an_admin_whose_organization_demands_it_sets_one_up_on_the_way_in() {
    on_each_engine(|app| async move {
        demand_second_factors(&app).await;
        let dan = directory::standard_account(&app.app, "dan@freelance.example", Some(PASSWORD)).await;
        member(&app, &dan, "member").await;
        let mut browser = app.browser();
        let page = type_password(&mut browser, CARA, PASSWORD).await;
        assert_eq!(page.location().as_deref(), Some("/login/second"), "{}", page.body);
        let page = browser.get("/login/second").await;
        let (secret, form) = (secret_on(&page), page.form("/login/second"));
        let wrong = browser.submit(&form, &[("code", "no code")]).await;
        assert_eq!(
            secret_on(&wrong),
            secret,
            "the same one, or the app would have to be set up anew"
        );
        let page = browser.submit(&form, &[("code", &totp(&app, &secret))]).await;
        assert_eq!(page.location().as_deref(), Some("/account"), "{}", page.body);
        app.app.world.advance(SignedDuration::from_secs(30));
        let (mut again, form) = half(&app, CARA).await;
        let page = again.submit(&form, &[("code", &totp(&app, &secret))]).await;
        assert_eq!(page.location().as_deref(), Some("/account"), "{}", page.body);
        // Others are not asked.
        signed_in(&app, "dan@freelance.example").await;
    })
    .await;
}

/// Whoever found the old password out, and waits where a second factor is asked for or set up, waits in vain.
#[tokio::test]
async fn a_new_password_ends_the_sign_ins_that_wait() {
    on_each_engine(|app| async move {
        demand_second_factors(&app).await;
        let email = provost_kernel::email::Email::parse(CARA).unwrap();
        let cara = app
            .app
            .store
            .read(|reader| Box::pin(async move { reader.standard_account(&email).await }));
        let cara: AccountId = cara.await.unwrap().unwrap().id;
        let (mut thief, _) = half(&app, CARA).await;
        let page = thief.get("/login/second").await;
        let (secret, form) = (secret_on(&page), page.form("/login/second"));
        let link = set_password::link(&app.app, &cara).await.unwrap();
        let new = SecretString::from("an entirely new one");
        let token = link.expose_secret().rsplit('/').next().unwrap();
        set_password::set(&app.app, token, &cara, new).await.unwrap();
        let page = thief.submit(&form, &[("code", &totp(&app, &secret))]).await;
        assert_ne!(page.location().as_deref(), Some("/account"), "{}", page.body);
        assert_eq!(thief.get("/account").await.status, StatusCode::SEE_OTHER);
        let factors = app
            .app
            .store
            .read(|reader| Box::pin(async move { reader.second_factors(&cara).await }));
        assert!(factors.await.unwrap().is_empty());
    })
    .await;
}

#[tokio::test]
async fn r02_sso_accounts_have_no_second_factor_here() {
    on_each_engine(|app| async move {
        crate::api::furnish(&app).await;
        let ann = crate::saml_idp::Person::new("ann-1", "ann@home-lab.example");
        let mut browser = app.browser();
        crate::saml_idp::sign_in(&app.app, &mut browser, "okta", &ann).await;
        let page = browser.get("/account/security").await;
        assert_eq!(page.status, StatusCode::FORBIDDEN, "{}", page.body);
    })
    .await;
}

async fn guess(
    app: &TestApp,
    password: &str,
    client: usize,
    device: Option<&String>,
) -> Result<Entry, StatusCode> {
    let attempt = Attempt {
        email: CARA.to_owned(),
        password: password.to_owned().into(),
        return_to: ReturnTo::Account,
        client: format!("198.51.{}.{}", client / 250, client % 250),
        browser: SignInBrowser {
            secret: "pvb_x".to_owned(),
            device: device.cloned(),
        },
    };
    provost::flow::password::sign_in(&app.app, attempt)
        .await
        .map_err(|error| error.status())
}

#[tokio::test]
async fn guessing_from_everywhere_is_slow_and_locks_nobody_out() {
    on_each_engine(|app| async move {
        directory::standard_account(&app.app, CARA, Some(PASSWORD)).await;
        let own = signed_in(&app, CARA).await;
        let device = own.cookies.get("provost_device").unwrap();
        // A thousand networks, one account: each from an address of its own.
        let mut slowed = 0;
        for client in 0..80 {
            match guess(&app, "wrong password here", client, None).await {
                Err(status) => {
                    assert_eq!(status, StatusCode::TOO_MANY_REQUESTS);
                    slowed += 1;
                }
                Ok(entry) => assert!(matches!(entry, Entry::No), "{entry:?}"),
            }
        }
        assert!(slowed >= 10, "{slowed}");
        // Cara's own browser is not slowed, and elsewhere she has to wait for ten seconds at most.
        let entry = guess(&app, PASSWORD, 1000, Some(device)).await.unwrap();
        assert!(matches!(entry, Entry::In(_)), "{entry:?}");
        app.app.world.advance(SignedDuration::from_secs(11));
        let entry = guess(&app, PASSWORD, 1001, None).await.unwrap();
        assert!(matches!(entry, Entry::In(_)), "{entry:?}");
        // Addresses that nobody has are slowed alike, so that nothing is learned from it.
        let mut strangers = 0;
        for client in 2000..2080 {
            let attempt = Attempt {
                email: "nobody@freelance.example".to_owned(),
                password: "wrong password here".to_owned().into(),
                return_to: ReturnTo::Account,
                client: format!("203.0.{}.{}", client / 250, client % 250),
                browser: SignInBrowser::default(),
            };
            strangers += usize::from(provost::flow::password::sign_in(&app.app, attempt).await.is_err());
        }
        assert!(strangers >= 5, "{strangers}");
    })
    .await;
}

#[tokio::test]
async fn a_device_of_somebody_else_gets_no_kinder_limits() {
    on_each_engine(|app| async move {
        directory::standard_account(&app.app, CARA, Some(PASSWORD)).await;
        directory::standard_account(&app.app, "mallory@freelance.example", Some(PASSWORD)).await;
        let mallory = signed_in(&app, "mallory@freelance.example").await;
        let device = mallory.cookies.get("provost_device").unwrap();
        let mut slowed = 0;
        for client in 0..80 {
            slowed += usize::from(
                guess(&app, "wrong password here", client, Some(device))
                    .await
                    .is_err(),
            );
        }
        assert!(slowed >= 5, "{slowed}");
    })
    .await;
}

#[tokio::test]
async fn the_problem_of_a_missing_right_has_its_code() {
    let app = TestApp::start().await;
    directory::organization(&app.app).await;
    let key = crate::api::key(&app, None, &[provost::flow::api_keys::Scope::DomainsRead]).await;
    let mut client = Client::with(&app, &key);
    let page = client.get("/api/v1/organizations/home-lab/sign-in").await;
    assert_eq!(code(&page), "missing_scope");
}
