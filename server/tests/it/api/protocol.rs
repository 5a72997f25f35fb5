//! Manners of the API: requests that are sent again, imports, the audit log.

use std::fmt::Write as _;

use axum::http::{HeaderName, Method, StatusCode};
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::{ANN, CONNECTION, Client, OTHER, ann, code, furnish};
use crate::app::{Page, TestApp, on_each_engine};
use crate::directory::{self, ORGANIZATION};

fn key_header() -> HeaderName {
    HeaderName::from_static("idempotency-key")
}

#[tokio::test]
async fn a_request_that_is_sent_again_is_answered_with_the_first_answer() {
    on_each_engine(|app| async move {
        furnish(&app).await;
        let secret = super::key(&app, None, provost::flow::api_keys::Scope::ALL).await;
        let mut client = Client::with(&app, &secret).header(key_header(), "first");
        let body = json!({ "email": "bob@home-lab.example" });
        let first = client.post("/api/v1/accounts", &body).await;
        assert_eq!(first.status, StatusCode::CREATED, "{}", first.body);
        let again = client.post("/api/v1/accounts", &body).await;
        assert_eq!((again.status, &again.body), (StatusCode::CREATED, &first.body));
        assert_eq!(again.header("idempotency-replayed"), Some("true"));
        assert_eq!(again.header("etag"), first.header("etag"));
        let other = client
            .post("/api/v1/accounts", &json!({ "email": "eve@home-lab.example" }))
            .await;
        assert_eq!(
            (other.status, code(&other).as_str()),
            (StatusCode::CONFLICT, "idempotency_key_reused")
        );
        // Keys belong to callers.
        let mut stranger = Client::new(&app, None).await.header(key_header(), "first");
        let page = stranger
            .post("/api/v1/accounts", &json!({ "email": "eve@home-lab.example" }))
            .await;
        assert_eq!(page.status, StatusCode::CREATED, "{}", page.body);
        // A refusal has done nothing, so it holds no key.
        let mut refused = Client::with(&app, &secret).header(key_header(), "second");
        assert_eq!(
            code(&refused.post("/api/v1/accounts", &body).await),
            "account_exists"
        );
        let page = refused
            .post("/api/v1/accounts", &json!({ "email": "joe@home-lab.example" }))
            .await;
        assert_eq!(page.status, StatusCode::CREATED, "{}", page.body);
        // After a day the key is free.
        app.app.world.advance(SignedDuration::from_hours(23));
        assert_eq!(
            client.post("/api/v1/accounts", &body).await.status,
            StatusCode::CREATED
        );
        let mut bad = Client::with(&app, &secret).header(key_header(), &"x".repeat(201));
        assert_eq!(
            code(&bad.post("/api/v1/accounts", &body).await),
            "invalid_idempotency_key"
        );
    })
    .await;
}

#[tokio::test]
#[expect(
    clippy::disallowed_methods,
    reason = "requests to the server under test, over real connections"
)]
async fn of_twins_that_come_at_the_same_moment_one_is_carried_out_and_all_get_its_answer() {
    on_each_engine(|app| async move {
        furnish(&app).await;
        let secret = super::key(&app, None, provost::flow::api_keys::Scope::ALL).await;
        let http = reqwest::Client::new();
        let twins: Vec<_> = (0..16)
            .map(|_| {
                let request = http
                    .post(format!("http://{}/api/v1/accounts", app.address))
                    .bearer_auth(&secret)
                    .header("idempotency-key", "twin")
                    .json(&json!({ "email": "bob@home-lab.example" }));
                tokio::spawn(async move {
                    let response = request.send().await.unwrap();
                    (response.status().as_u16(), response.text().await.unwrap())
                })
            })
            .collect();
        let mut answers = Vec::new();
        for twin in twins {
            answers.push(twin.await.unwrap());
        }
        answers.dedup();
        assert_eq!(answers.len(), 1, "{answers:?}");
        assert_eq!(answers[0].0, 201);
        assert_eq!(
            directory::accounts(&app.app, "bob@home-lab.example").await.len(),
            1
        );
    })
    .await;
}

async fn import(client: &mut Client, query: &str, text: &str) -> Page {
    client
        .send_text(
            Method::POST,
            &format!("/api/v1/imports?{query}"),
            "text/csv",
            text,
        )
        .await
}

fn counts(import: &Value) -> [u64; 4] {
    ["created", "updated", "unchanged", "failed"].map(|name| import[name].as_u64().unwrap())
}

#[tokio::test]
async fn r173_imports_are_tried_carried_out_row_by_row_and_may_be_sent_again() {
    on_each_engine(|app| async move {
        furnish(&app).await;
        let mut client = Client::new(&app, Some(ORGANIZATION)).await;
        let text = format!(
            "email,given_name,connection,roles,kind\n\
             bob@home-lab.example,Bob,{CONNECTION},Admin,reader\n\
             eve@elsewhere.example,Eve,,,\n\
             joe@elsewhere.example,Joe,{CONNECTION},,\n\
             kim@home-lab.example,Kim,,Amdin,\n\
             not an address,,,,\n\
             too,few\n\
             {ANN},Ann,{CONNECTION},,\n"
        );
        let tried = import(&mut client, "dry_run=true", &text).await;
        assert_eq!(tried.status, StatusCode::CREATED, "{}", tried.body);
        assert_eq!(counts(&tried.json()), [2, 0, 1, 4], "{}", tried.body);
        assert_eq!(
            directory::account_count(&app.app).await,
            1,
            "a dry run writes nothing"
        );
        let done = import(&mut client, "", &text).await.json();
        assert_eq!(counts(&done), [2, 0, 1, 4], "{done}");
        let problems: Vec<(u64, &str)> = done["problems"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| (one["line"].as_u64().unwrap(), one["code"].as_str().unwrap()))
            .collect();
        assert_eq!(
            problems,
            [
                (4, "domain_not_verified"),
                (5, "invalid_account"),
                (6, "invalid_account"),
                (7, "invalid_row")
            ]
        );
        let bob = directory::accounts(&app.app, "bob@home-lab.example").await;
        assert_eq!(bob[0].given_name.as_deref(), Some("Bob"));
        let again = import(&mut client, "", &text).await.json();
        assert_eq!(counts(&again), [0, 0, 3, 4], "{again}");
        let id = again["id"].as_str().unwrap();
        let shown = client.get(&format!("/api/v1/imports/{id}")).await;
        assert_eq!(shown.json(), again);
        let mut other = Client::new(&app, Some(OTHER)).await;
        assert_eq!(
            other.get(&format!("/api/v1/imports/{id}")).await.status,
            StatusCode::NOT_FOUND
        );
        for wrong in [
            "",
            "name\nBob\n",
            "email,email\n",
            "e-mail\nbob@home-lab.example\n",
        ] {
            let page = import(&mut client, "", wrong).await;
            assert_eq!(
                (page.status, code(&page).as_str()),
                (StatusCode::UNPROCESSABLE_ENTITY, "invalid_import"),
                "{wrong}"
            );
        }
    })
    .await;
}

#[tokio::test]
async fn r173_a_large_import_goes_on_as_a_job_with_progress() {
    on_each_engine(|app| async move {
        furnish(&app).await;
        let mut client = Client::new(&app, Some(ORGANIZATION)).await;
        let mut text = String::from("email,display_name\n");
        for number in 0..700 {
            writeln!(text, "person{number}@home-lab.example,Person {number}").unwrap();
        }
        let page = import(&mut client, "", &text).await;
        assert_eq!(page.status, StatusCode::ACCEPTED, "{}", page.body);
        let id = page.json()["id"].as_str().unwrap().to_owned();
        let (stop, stopped) = tokio::sync::watch::channel(false);
        let runner = provost::jobs::Runner::start(app.app.clone(), stopped);
        let mut shown = Value::Null;
        for _ in 0..1200 {
            shown = client.get(&format!("/api/v1/imports/{id}")).await.json();
            if shown["state"] == "done" {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        stop.send(true).unwrap();
        runner.await.unwrap();
        assert_eq!(shown["state"], "done", "{shown}");
        assert_eq!(counts(&shown), [700, 0, 0, 0], "{shown}");
        assert_eq!(directory::account_count(&app.app).await, 701);
        // A job that is run once more finds nothing left to do.
        provost::flow::imports::run(&app.app, &id).await.unwrap();
        assert_eq!(client.get(&format!("/api/v1/imports/{id}")).await.json(), shown);
    })
    .await;
}

#[tokio::test]
async fn r189_the_audit_log_tells_who_did_what_with_before_after_and_trace() {
    on_each_engine(|app| async move {
        furnish(&app).await;
        let mut client = Client::new(&app, None).await;
        let id = ann(&app).await;
        let change = json!({ "display_name": "Ann A." });
        client
            .send_json(Method::PATCH, &format!("/api/v1/accounts/{id}"), &change)
            .await;
        let page = client
            .get(&format!("/api/v1/audit?kind=user.updated&account={id}"))
            .await;
        let row = page.json()["items"][0].clone();
        assert_eq!(row["data"]["after"]["display_name"], "Ann A.", "{}", page.body);
        assert!(row["data"]["before"].is_object());
        assert!(row["actor"].as_str().unwrap().starts_with("api_key:key_"));
        let trace = client.get(row["trace_url"].as_str().unwrap()).await;
        assert_eq!(trace.status, StatusCode::OK, "{}", trace.body);
        // Kinds are found by their beginning, up to a dot.
        let users = client.get("/api/v1/audit?kind=user").await.json();
        assert!(users["items"].as_array().unwrap().len() >= 2);
        assert_eq!(
            client.get("/api/v1/audit?kind=use").await.json()["items"],
            json!([])
        );
        // Pages go back in time.
        let first = client.get("/api/v1/audit?limit=1").await.json();
        let next = first["next"].as_str().unwrap();
        let second = client
            .get(&format!("/api/v1/audit?limit=1&cursor={next}"))
            .await
            .json();
        let sequence = |page: &Value| page["items"][0]["sequence"].as_i64().unwrap();
        assert_eq!(sequence(&second), sequence(&first) - 1);
        // An organization reads its own log.
        let mut own = Client::new(&app, Some(ORGANIZATION)).await;
        let log = own.get("/api/v1/audit").await;
        assert!(log.body.contains("membership.created"), "{}", log.body);
        let mine = own
            .get(&format!("/api/v1/audit?kind=user.updated&account={id}"))
            .await
            .json();
        let told = |row: &Value| [&row["actor"], &row["data"], &row["trace"], &row["at"]].map(Clone::clone);
        assert_eq!(told(&mine["items"][0]), told(&row), "{mine}");
        assert_eq!(mine["items"][0]["organization"], ORGANIZATION);
        let why = own.get(mine["items"][0]["trace_url"].as_str().unwrap()).await;
        assert_eq!(why.status, StatusCode::OK, "{}", why.body);
        for format in ["jsonl", "csv"] {
            let export = format!("/api/v1/audit/export?kind=user&format={format}");
            let file = own.get(&export).await;
            assert!(
                file.body.contains("user.updated") && file.body.contains("Ann A."),
                "{}",
                file.body
            );
        }
        let mut other = Client::new(&app, Some(OTHER)).await;
        let theirs = other.get("/api/v1/audit").await;
        assert!(!theirs.body.contains("Ann"), "{}", theirs.body);
        let why = other.get(row["trace_url"].as_str().unwrap()).await;
        assert_eq!(why.status, StatusCode::NOT_FOUND, "{}", why.body);
        assert_eq!(
            other
                .get(&format!("/api/v1/audit?organization={ORGANIZATION}"))
                .await
                .status,
            StatusCode::NOT_FOUND
        );
        let jobs = own.get("/api/v1/jobs").await;
        assert_eq!(
            (jobs.status, code(&jobs).as_str()),
            (StatusCode::FORBIDDEN, "instance_key_needed")
        );
        assert_eq!(client.get("/api/v1/jobs").await.status, StatusCode::OK);
    })
    .await;
}

#[tokio::test]
async fn r189_the_audit_log_is_exported_whole_as_lines_and_as_csv() {
    on_each_engine(|app| async move {
        furnish(&app).await;
        let mut client = Client::new(&app, None).await;
        for number in 0..6 {
            let accounts: Vec<Value> = (0..100)
                .map(|row| json!({ "email": format!("p{number}x{row}@home-lab.example") }))
                .collect();
            let page = client
                .post("/api/v1/accounts:batch", &json!({ "accounts": accounts }))
                .await;
            assert_eq!(page.json()["refused"], 0, "{}", page.body);
        }
        let lines = client.get("/api/v1/audit/export?kind=user.created").await;
        assert_eq!(lines.header("content-type"), Some("application/jsonl"));
        let rows: Vec<Value> = lines
            .body
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(rows.len(), 601);
        assert!(
            rows.windows(2)
                .all(|pair| pair[0]["sequence"].as_i64() < pair[1]["sequence"].as_i64())
        );
        let table = client
            .get("/api/v1/audit/export?kind=user.created&format=csv")
            .await;
        let mut reader = csv::Reader::from_reader(table.body.as_bytes());
        let records: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
        assert_eq!(records.len(), 601);
        assert_eq!(records[0][0], rows[0]["sequence"].to_string());
    })
    .await;
}

/// Changes a row behind the store's back.
fn tamper(app: &TestApp) {
    let file = app.folder().join("provost.db");
    let file = if file.exists() {
        file
    } else {
        std::fs::read_dir(app.folder())
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .find(|path| {
                path.extension()
                    .is_some_and(|end| end == "db" || end == "sqlite" || end == "sqlite3")
            })
            .unwrap()
    };
    let connection = rusqlite::Connection::open(file).unwrap();
    let changed = connection
        .execute(
            "UPDATE audit SET data = replace(data, 'admin', 'owner') WHERE organization = ?1 AND kind = 'membership.created'",
            [ORGANIZATION],
        )
        .unwrap();
    assert!(changed > 0);
}

#[tokio::test]
async fn r189_a_row_that_was_changed_behind_our_back_breaks_the_chain_of_its_organization_only() {
    let app = TestApp::start().await;
    furnish(&app).await;
    let whole = provost::flow::audit::verify(&app.app, None).await.unwrap();
    assert!(
        whole.len() >= 2 && whole.iter().all(|chain| chain.rows.is_ok()),
        "{whole:?}"
    );
    tamper(&app);
    let broken = provost::flow::audit::verify(&app.app, None).await.unwrap();
    for chain in broken {
        let is_ours = chain
            .organization
            .as_ref()
            .is_some_and(|id| id.as_str() == ORGANIZATION);
        assert_eq!(chain.rows.is_err(), is_ours, "{chain:?}");
    }
}
