//! Pushed people sign in: the same account, until the directory takes them out.

use axum::http::StatusCode;
use provost_kernel::connection::Provisioning;
use provost_kernel::directory::Status;
use provost_kernel::id::AccountId;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::lab::{Directory, person, token};
use crate::app::{Browser, Page, TestApp, on_each_engine};
use crate::directory::{self, account_count, accounts, reference, trace};
use crate::oidc_idp::{OidcIdp, callback};

const IDA: &str = "ida@home-lab.example";

pub(super) fn ida() -> Value {
    json!({ "sub": "00u-ida", "email": IDA, "email_verified": true, "given_name": "Ida", "family_name": "Muster" })
}

/// An OpenID provider whose directory pushes through the same connection.
pub(super) async fn pushed(test: &TestApp) -> (OidcIdp, Directory) {
    directory::organization(&test.app).await;
    let idp = OidcIdp::start(test.app.world.now()).await;
    idp.connect(&test.app, "okta", |_| {}).await;
    directory::change_connection(&test.app, "okta", |connection, _| {
        connection.provisioning = Provisioning::Scim;
        // Taking the same person out over and over is what the guard is for, and another test's matter.
        connection.settings.directory.departure_guard = None;
    })
    .await;
    let token = token(&test.app, "okta").await;
    (idp, Directory::with(test, "okta", &token))
}

fn is_signed_in(page: &Page) -> bool {
    page.status == StatusCode::SEE_OTHER && page.location().as_deref() == Some("/account")
}

async fn refusal(test: &TestApp, page: &Page) -> String {
    assert_eq!(page.status, StatusCode::FORBIDDEN, "{}", page.body);
    trace(&test.app, &reference(page)).await.verdict
}

async fn is_in(browser: &mut Browser) -> bool {
    browser.get("/account").await.status == StatusCode::OK
}

#[tokio::test]
async fn r74_r131_the_pushed_person_and_the_one_who_signs_in_are_the_same() {
    on_each_engine(|test| async move {
        let (idp, okta) = pushed(&test).await;
        // C-02: nobody comes in whom the directory has not pushed, and nothing is made.
        let page = idp.sign_in(&mut test.browser(), "okta", &ida()).await;
        assert_eq!(refusal(&test, &page).await, "not_pushed_by_directory");
        assert_eq!(account_count(&test.app).await, 0);
        let id = okta.hire("ida").await;
        let mut browser = test.browser();
        assert!(is_signed_in(&idp.sign_in(&mut browser, "okta", &ida()).await));
        assert!(is_in(&mut browser).await);
        let account = accounts(&test.app, IDA).await.remove(0);
        assert_eq!(
            (account_count(&test.app).await, account.id.as_str()),
            (1, id.as_str())
        );
    })
    .await;
}

#[tokio::test]
async fn r81_r167_r168_whoever_is_taken_out_is_out_at_once_and_stays_out() {
    on_each_engine(|test| async move {
        let (idp, okta) = pushed(&test).await;
        let id = okta.hire("ida").await;
        okta.hire("kim").await;
        let path = format!("/Users/{id}");
        let mut browser = test.browser();
        assert!(is_signed_in(&idp.sign_in(&mut browser, "okta", &ida()).await));
        let away = json!([{ "op": "replace", "path": "active", "value": false }]);
        okta.patch(&path, away).await.expect(200);
        assert!(!is_in(&mut browser).await);
        let page = idp.sign_in(&mut browser, "okta", &ida()).await;
        assert_eq!(refusal(&test, &page).await, "deactivated");
        assert_eq!(accounts(&test.app, IDA).await[0].status, Status::Deactivated);
        // coming back is coming back to the same account, by the same identity.
        let back = json!([{ "op": "replace", "path": "active", "value": true }]);
        okta.patch(&path, back).await.expect(200);
        assert!(is_signed_in(&idp.sign_in(&mut browser, "okta", &ida()).await));
        okta.delete(&path).await.expect(204);
        assert!(!is_in(&mut browser).await);
        let page = idp.sign_in(&mut browser, "okta", &ida()).await;
        assert_eq!(page.status, StatusCode::FORBIDDEN);
        assert_eq!(account_count(&test.app).await, 2, "no ghost");
        assert_eq!(okta.post("/Users", person("ida")).await.expect(201).id(), id);
        assert!(is_signed_in(&idp.sign_in(&mut browser, "okta", &ida()).await));
    })
    .await;
}

/// How often the race is run; `PROVOST_RACES` asks for more (security.md section 3 wants 1 000 once).
#[allow(
    clippy::disallowed_methods,
    clippy::allow_attributes,
    reason = "the tests' own switch, not configuration of the product"
)]
fn rounds() -> usize {
    std::env::var("PROVOST_RACES")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(25)
}

async fn live_sessions(test: &TestApp, account: &str) -> usize {
    let (account, now) = (AccountId::from(account), test.app.world.now());
    test.app
        .store
        .read(move |reader| Box::pin(async move { reader.sessions_of_account(&account, now).await }))
        .await
        .unwrap()
        .len()
}

/// Who comes first in a round.
#[derive(Clone, Copy, PartialEq)]
enum First {
    /// All sign in, then the directory speaks.
    SignIns,
    /// The directory has its answer before anybody signs in.
    Directory,
    /// Both at once.
    Either,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn r168_no_sign_in_outlives_the_answer_to_a_deactivation() {
    on_each_engine(|test| async move {
        let (idp, okta) = pushed(&test).await;
        let id = okta.hire("ida").await;
        okta.hire("kim").await;
        let path = format!("/Users/{id}");
        let away = json!([{ "op": "replace", "path": "active", "value": false }]);
        let back = json!([{ "op": "replace", "path": "active", "value": true }]);
        let (mut admitted, mut refused) = (0, 0);
        // Which order a race has is the scheduler's; two rounds without one make sure that each was seen.
        let orders = [First::SignIns, First::Directory]
            .into_iter()
            .chain(std::iter::repeat_n(First::Either, rounds()));
        for (round, first) in orders.enumerate() {
            okta.patch(&path, back.clone()).await.expect(200);
            // Three browsers stand before the door when the directory speaks.
            let mut waiting = Vec::new();
            for _ in 0..3 {
                let mut browser = test.browser();
                let page = browser.get("/sso/okta/login").await;
                let answer = idp.authorize(&page, &ida());
                waiting.push((browser, answer));
            }
            if first == First::Directory {
                okta.patch(&path, away.clone()).await.expect(200);
            }
            let mut signing_in = JoinSet::new();
            for (mut browser, answer) in waiting {
                signing_in.spawn(async move {
                    let page = callback(&mut browser, "okta", &answer).await;
                    (page, browser)
                });
            }
            let mut came = Vec::new();
            if first == First::SignIns {
                while let Some(one) = signing_in.join_next().await {
                    came.push(one.unwrap());
                }
                assert_eq!(live_sessions(&test, &id).await, 3, "round {round}");
            }
            for _ in 0..round % 7 {
                tokio::task::yield_now().await;
            }
            if first != First::Directory {
                okta.patch(&path, away.clone()).await.expect(200);
            }
            // From the answer on there is none, and none comes with those who are still on their way.
            assert_eq!(live_sessions(&test, &id).await, 0, "round {round}: at the answer");
            while let Some(one) = signing_in.join_next().await {
                came.push(one.unwrap());
            }
            assert_eq!(
                live_sessions(&test, &id).await,
                0,
                "round {round}: after the answer"
            );
            let mut was_in = 0;
            for (page, mut browser) in came {
                if is_signed_in(&page) {
                    was_in += 1;
                } else {
                    assert_eq!(refusal(&test, &page).await, "deactivated", "round {round}");
                }
                assert!(
                    !is_in(&mut browser).await,
                    "round {round}: a session outlived the answer"
                );
            }
            match first {
                First::SignIns => assert_eq!(was_in, 3, "round {round}"),
                First::Directory => assert_eq!(was_in, 0, "round {round}"),
                First::Either => {}
            }
            admitted += was_in;
            refused += 3 - was_in;
            assert_eq!(account_count(&test.app).await, 2, "round {round}: a ghost");
        }
        assert!(
            admitted >= 3 && refused >= 3,
            "{admitted} came in, {refused} did not"
        );
    })
    .await;
}
