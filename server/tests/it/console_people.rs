//! The console does what the API does: tokens of directories obey the plan (C-21), and a file of people invites them or does not
//!

use axum::body::Body;
use axum::http::{Method, StatusCode};
use serde_json::json;

use crate::api::Client;
use crate::app::{Browser, Page, TestApp, on_each_engine};
use crate::console::{act, make_operator, sign_in, world};
use crate::directory::accounts;
use crate::mail::with_mail;

const TOKENS: &str = "/console/acme/connections/acme-idp/scim";

async fn set_up_by(app: &TestApp, setup: &str, scim: bool) {
    let plan = json!({ "setup": setup, "entitlements": { "scim": scim } });
    let mut operator = Client::new(app, None).await;
    let page = operator
        .send_json(Method::PUT, "/api/v1/organizations/acme/plan", &plan)
        .await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.body);
}

/// Labels of the tokens that the connection has.
async fn labels(app: &TestApp) -> Vec<String> {
    let mut operator = Client::new(app, None).await;
    let found = operator
        .get("/api/v1/connections/acme-idp/scim-tokens")
        .await
        .json();
    let items = found["items"].as_array().unwrap().iter();
    items
        .map(|one| one["label"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn c21_the_console_makes_tokens_for_whom_the_plan_lets_and_for_nobody_else() {
    on_each_engine(|app| async move {
        world(&app).await;
        make_operator(&app, "both@acme.example").await;
        let mut adam = sign_in(&app, "adam@acme.example").await;
        let mut operator = sign_in(&app, "both@acme.example").await;
        for (setup, scim, why) in [
            ("operator_only", true, "set up by an operator"),
            ("link", true, "through a link that an operator gives"),
            (
                "self_service",
                false,
                "The plan of this organization does not include this",
            ),
        ] {
            set_up_by(&app, setup, scim).await;
            let page = act(&mut adam, TOKENS, &[("label", "adam")]).await;
            assert_eq!(page.status, StatusCode::OK, "{}", page.body);
            assert!(page.body.contains(why), "{setup}: {}", page.body);
            assert!(!page.body.contains("pvt_"), "{setup}: no secret is shown");
            let page = act(&mut operator, TOKENS, &[("label", setup)]).await;
            assert!(page.body.contains("pvt_"), "an operator goes on: {}", page.body);
        }
        set_up_by(&app, "self_service", true).await;
        let page = act(&mut adam, TOKENS, &[("label", "adam")]).await;
        assert!(page.body.contains("pvt_"), "{}", page.body);
        let page = act(&mut adam, TOKENS, &[("label", "adam")]).await;
        assert!(!page.body.contains("pvt_"), "the label is taken: {}", page.body);
        let mut known = labels(&app).await;
        known.sort();
        assert_eq!(known, ["adam", "link", "operator_only", "self_service"]);
        // Who made a token stands in the audit log.
        let log = "/api/v1/audit?organization=acme&kind=scim_token.created&limit=200";
        let rows = Client::new(&app, None).await.get(log).await.json();
        let rows = rows["items"].as_array().unwrap();
        let by_adam = rows
            .iter()
            .filter(|row| row["actor"].as_str().unwrap().starts_with("admin:"));
        assert_eq!((by_adam.count(), rows.len()), (1, 4), "{rows:?}");
    })
    .await;
}

const FILE: &str = "email,given_name\nina@acme.example,Ina\njon@acme.example,Jon\nmia@acme.example,Mia\n";

/// Sends the import form of the console with a file.
async fn import(browser: &mut Browser, fields: &[(&str, &str)]) -> Page {
    let token = browser.get("/account").await.form("/logout").fields["form_token"].clone();
    let mut parts = Vec::new();
    for (name, value) in [("form_token", token.as_str())].iter().chain(fields) {
        parts.push(format!(
            "--cut\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"
        ));
    }
    parts.push(format!(
        "--cut\r\nContent-Disposition: form-data; name=\"file\"; filename=\"people.csv\"\r\n\
         Content-Type: text/csv\r\n\r\n{FILE}\r\n--cut--\r\n"
    ));
    let kind = Some("multipart/form-data; boundary=cut");
    browser
        .send(
            Method::POST,
            "/console/acme/users/import",
            kind,
            Body::from(parts.concat()),
        )
        .await
}

#[tokio::test]
async fn r91_r92_r173_an_import_in_the_console_invites_unless_that_is_skipped() {
    with_mail(|app, mailbox| async move {
        world(&app).await;
        let mut adam = sign_in(&app, "adam@acme.example").await;
        let page = adam.get("/console/acme/users/import").await;
        assert!(
            page.body.contains("name=\"skip\" value=\"1\">"),
            "not ticked: {}",
            page.body
        );
        let page = import(&mut adam, &[("do", "try")]).await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.body);
        assert!(page.body.contains("gets an invitation by mail"), "{}", page.body);
        assert!(
            accounts(&app.app, "ina@acme.example").await.is_empty(),
            "only tried"
        );
        let page = import(&mut adam, &[("do", "try"), ("skip", "1")]).await;
        assert!(
            page.body.contains("name=\"skip\" value=\"1\""),
            "kept for the next step: {}",
            page.body
        );
        assert!(page.body.contains("No mails are sent"), "{}", page.body);
        let page = import(&mut adam, &[("do", "import"), ("skip", "1")]).await;
        assert_eq!(page.status, StatusCode::SEE_OTHER, "{}", page.body);
        assert_eq!(accounts(&app.app, "ina@acme.example").await.len(), 1);
        for name in ["ina", "jon", "mia"] {
            let mails = mailbox.of(&app, &format!("{name}@acme.example")).await;
            assert!(mails.is_empty(), "R-91: {name}");
        }
        // Through the identity provider, and invited.
        let fields = [("do", "import"), ("connection", "acme-idp")];
        let page = import(&mut adam, &fields).await;
        assert_eq!(page.status, StatusCode::SEE_OTHER, "{}", page.body);
        for name in ["ina", "jon", "mia"] {
            let mails = mailbox.of(&app, &format!("{name}@acme.example")).await;
            assert_eq!(mails.len(), 1, "R-92: {name}");
            assert!(mails[0].link("/invite/").contains("/invite/"));
        }
        let page = adam.get("/console/acme/invitations").await;
        assert!(page.body.contains("ina@acme.example"), "{}", page.body);
    })
    .await;
}

#[tokio::test]
async fn r91_where_no_mail_can_leave_an_import_is_told_so_and_nobody_is_added() {
    on_each_engine(|app| async move {
        world(&app).await;
        let mut adam = sign_in(&app, "adam@acme.example").await;
        let page = adam.get("/console/acme/users/import").await;
        assert!(
            page.body.contains("name=\"skip\" value=\"1\" checked"),
            "{}",
            page.body
        );
        let page = import(&mut adam, &[("do", "import")]).await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.body);
        assert!(
            page.body.contains("No mail can leave this installation"),
            "{}",
            page.body
        );
        assert!(accounts(&app.app, "ina@acme.example").await.is_empty());
        let page = import(&mut adam, &[("do", "import"), ("skip", "1")]).await;
        assert_eq!(page.status, StatusCode::SEE_OTHER, "{}", page.body);
        assert_eq!(accounts(&app.app, "ina@acme.example").await.len(), 1);
    })
    .await;
}
