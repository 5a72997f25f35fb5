//! `provost policy`, `api-key` and `apply --approve` as programs: outcome, exit codes, JSON, and what Ctrl-C does.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Command, Output, Stdio};

use provost_kernel::connection::StripGuard;
use provost_kernel::directory::{Account, AccountKind, Authentication, Origin, Status};
use provost_kernel::email::Email;
use provost_kernel::id::{AccountId, TraceId};
use provost_kernel::plan::{Change, Decision, Plan, Verdict};
use provost_kernel::provision::Actor;
use provost_kernel::trace::Trace;
use provost_store::{LastClaims, StoreError};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use crate::app::{Folder, TestApp, on_each_engine};
use crate::directory::{self, accounts, change_connection};
use crate::saml_idp::{self, Person, sign_in};

const NOBODY: &str = "policy: { organization: \"`false`\" }\n";
const ADMINS: &str = "policy: { role: { fixed: Admin } }\n";

/// The program on the database of a test.
pub struct Program(pub Folder);

impl Program {
    /// Writes its configuration.
    pub fn on(test: &TestApp) -> Self {
        let config = &test.app.config;
        let folder = Folder::new("provost-cli-policy");
        let key = config.data_key.as_ref().map_or_else(String::new, |key| {
            format!("data_key = \"{}\"\n", key.expose_secret())
        });
        folder.file(
            "provost.toml",
            format!(
                "listen = \"{}\"\npublic_url = \"{}\"\ndatabase_url = \"{}\"\ndata_dir = \"{}\"\n{key}",
                config.listen,
                config.issuer(),
                config.database_url.expose_secret(),
                config.data_dir.display()
            ),
        );
        folder.file("nobody.yaml", NOBODY);
        folder.file("admins.yaml", ADMINS);
        Self(folder)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_provost"));
        command.args(arguments).current_dir(&self.0.0).env_clear();
        command
    }

    /// Runs it; returns whether it succeeded, and what it said.
    pub async fn run(&self, arguments: &[&str]) -> (bool, String, String) {
        let mut command = self.command(arguments);
        let output: Output = tokio::task::spawn_blocking(move || command.output())
            .await
            .unwrap()
            .unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (
            output.status.success(),
            text(&output.stdout),
            text(&output.stderr),
        )
    }

    /// Runs it and expects success; returns what it said.
    pub async fn good(&self, arguments: &[&str]) -> String {
        let (success, out, err) = self.run(arguments).await;
        assert!(success, "{arguments:?}: {out}{err}");
        out
    }

    async fn bad(&self, arguments: &[&str]) -> String {
        let (success, out, err) = self.run(arguments).await;
        assert!(!success, "{arguments:?}: {out}");
        err
    }
}

/// An organization, a connection with a guard that holds from the first person on, and Ann, who has signed in.
async fn furnished(test: &TestApp) -> Program {
    directory::organization(&test.app).await;
    saml_idp::connect(&test.app, "okta", |_| {}).await;
    change_connection(&test.app, "okta", |connection, _| {
        connection.settings.strip_guard = Some(StripGuard {
            percent: 10,
            at_least: 1,
            minutes: 60,
        });
    })
    .await;
    let ann = Person::new("ann-1", "ann@home-lab.example").with("groups", &["staff"]);
    sign_in(&test.app, &mut test.browser(), "okta", &ann).await;
    Program::on(test)
}

async fn policy(test: &TestApp) -> Value {
    let record = test
        .app
        .store
        .read(|reader| Box::pin(async move { reader.connection(&"okta".into()).await }))
        .await;
    serde_json::to_value(record.unwrap().unwrap().connection.policy).unwrap()
}

#[tokio::test]
async fn r186_policy_test_shows_the_decision_as_text_and_as_json() {
    on_each_engine(|test| async move {
        let provost = furnished(&test).await;
        let at = ["policy", "test", "--connection", "okta"];
        let with = |more: &[&'static str]| [&at[..], more].concat();
        let text = provost
            .good(&with(&[
                "--account",
                "ann@home-lab.example",
                "--policy",
                "admins.yaml",
            ]))
            .await;
        assert!(
            text.contains("edited policy; a sign-in would make 1 change; nothing was written"),
            "{text}"
        );
        assert!(text.contains("Admin"), "{text}");
        provost.0.file(
            "claims.json",
            r#"{ "email": "bob@home-lab.example", "groups": ["admin"] }"#,
        );
        let claims = ["--claims", "claims.json", "--subject", "bob-1", "--json"];
        let shown: Value = serde_json::from_str(&provost.good(&with(&claims)).await).unwrap();
        assert_eq!(shown["verdict"], "admitted", "{shown}");
        assert!(
            shown.to_string().contains("rule gave") || shown.to_string().contains("gave \\\"Admin\\\""),
            "{shown}"
        );
        assert!(accounts(&test.app, "bob@home-lab.example").await.is_empty());
        let error = provost
            .bad(&with(&["--account", "nobody@home-lab.example"]))
            .await;
        assert!(error.contains("has no account at okta"), "{error}");
        provost.0.file(
            "broken.yaml",
            "policy: { role: { expression: \"contains(groups\" } }\n",
        );
        let error = provost
            .bad(&with(&[
                "--account",
                "ann@home-lab.example",
                "--policy",
                "broken.yaml",
            ]))
            .await;
        assert!(error.contains("policy.role.expression"), "{error}");
        assert!(
            provost.bad(&at).await.contains("--trace"),
            "one of three is needed"
        );
    })
    .await;
}

#[tokio::test]
async fn r187_c09_previewed_held_listed_rejected_and_approved_from_the_command_line() {
    on_each_engine(|test| async move {
        let provost = furnished(&test).await;
        let preview = [
            "policy",
            "preview",
            "--connection",
            "okta",
            "--policy",
            "nobody.yaml",
        ];
        let text = provost.good(&preview).await;
        assert!(
            text.contains("1 affected: 0 gain an organization, 1 lose one"),
            "{text}"
        );
        assert!(text.contains("held: 1 of 1 members of home-lab"), "{text}");
        assert!(text.contains("ann@home-lab.example loses home-lab"), "{text}");
        let lines = provost.good(&[&preview[..], &["--json"]].concat()).await;
        let lines: Vec<Value> = lines
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let kinds: Vec<&str> = lines.iter().map(|line| line["type"].as_str().unwrap()).collect();
        assert_eq!(kinds, ["begin", "person", "end"]);
        assert_eq!(lines[2]["judgement"]["held"][0]["stripped"], 1);
        assert_eq!(
            provost.good(&["policy", "held"]).await,
            "nothing waits for an approval\n"
        );
        let before = policy(&test).await;
        // Two changes are held through the API; the newer takes the place of the older.
        let mut client = crate::api::Client::new(&test, None).await;
        let path = "/api/v1/connections/okta/policy";
        let edited = json!({ "policy": { "organization": "`false`" } });
        let hold = |page: crate::app::Page| page.json()["id"].as_str().unwrap().to_owned();
        let first = hold(client.send_json(axum::http::Method::PUT, path, &edited).await);
        let shown: Value =
            serde_json::from_str(provost.good(&["policy", "held", "--json"]).await.trim()).unwrap();
        assert_eq!(shown["id"], first.as_str());
        assert!(
            provost
                .good(&["policy", "held"])
                .await
                .contains("1 of 1 members of home-lab")
        );
        assert_eq!(
            provost.good(&["policy", "reject", &first]).await,
            format!("{first}: rejected\n")
        );
        assert!(
            provost
                .bad(&["policy", "approve", &first])
                .await
                .contains("does not wait"),
            "settled"
        );
        assert!(
            provost
                .bad(&["policy", "approve", "pch_nothing"])
                .await
                .contains("no such"),
            "unknown"
        );
        assert_eq!(policy(&test).await, before);
        let second = hold(client.send_json(axum::http::Method::PUT, path, &edited).await);
        let approved = provost.good(&["policy", "approve", &second]).await;
        assert!(approved.contains("approved, in force as version"), "{approved}");
        assert_eq!(policy(&test).await["organization"], "`false`");
    })
    .await;
}

#[tokio::test]
async fn c09_allow_strips_says_until_when_and_refuses_what_does_not_exist() {
    on_each_engine(|test| async move {
        let provost = furnished(&test).await;
        let allow = |organization: &'static str| {
            [
                "policy",
                "allow-strips",
                "--connection",
                "okta",
                "--organization",
                organization,
                "--hours",
                "2",
            ]
        };
        let text = provost.good(&allow("home-lab")).await;
        assert!(
            text.starts_with("rules of okta may take access in home-lab until "),
            "{text}"
        );
        assert!(provost.bad(&allow("nowhere")).await.contains("no such"));
    })
    .await;
}

#[tokio::test]
async fn c09_apply_refuses_what_the_guard_holds_and_takes_it_with_approve() {
    on_each_engine(|test| async move {
        let provost = furnished(&test).await;
        let exported = provost.good(&["export"]).await;
        let mut document: Value = read_export(&exported);
        document["connections"][0]["policy"] = json!({ "organization": "`false`" });
        provost.0.file("edited.yaml", document.to_string());
        let before = policy(&test).await;
        let error = provost.bad(&["apply", "edited.yaml"]).await;
        assert!(
            error.contains("would take access from 1 of 1 members of home-lab")
                && error.contains("--approve"),
            "{error}"
        );
        let dry = provost.good(&["apply", "edited.yaml", "--dry-run"]).await;
        assert!(dry.contains("would change the access of 1 people"), "{dry}");
        assert_eq!(policy(&test).await, before);
        provost.good(&["apply", "edited.yaml", "--approve"]).await;
        assert_eq!(policy(&test).await["organization"], "`false`");
    })
    .await;
}

/// Reads what `export` wrote.
fn read_export(text: &str) -> Value {
    serde_json::to_value(provost::declarative::read(text).unwrap()).unwrap()
}

#[tokio::test]
async fn api_keys_are_made_listed_and_revoked_and_their_secret_is_shown_once() {
    on_each_engine(|test| async move {
        let provost = furnished(&test).await;
        assert_eq!(provost.good(&["api-key", "list"]).await, "there is no key yet\n");
        let made = provost
            .good(&[
                "api-key",
                "create",
                "--label",
                "ci",
                "--organization",
                "home-lab",
                "--scopes",
                "traces:read",
                "--expires",
                "7",
            ])
            .await;
        assert!(made.contains("bound to organization home-lab"), "{made}");
        let secret = made.lines().last().unwrap().trim().to_owned();
        let id = made.split_whitespace().next().unwrap().to_owned();
        let mut client = crate::api::Client::with(&test, &secret);
        assert_eq!(client.get("/api/v1/traces").await.status, 200);
        let listed = provost.good(&["api-key", "list"]).await;
        assert!(
            listed.contains(&id) && listed.contains("traces:read") && !listed.contains(&secret),
            "{listed}"
        );
        assert_eq!(
            provost.good(&["api-key", "revoke", &id]).await,
            format!("{id}: revoked\n")
        );
        assert!(provost.bad(&["api-key", "revoke", &id]).await.contains("no key"));
        assert_eq!(client.get("/api/v1/traces").await.status, 401, "at once");
        let error = provost
            .bad(&["api-key", "create", "--label", "x", "--organization", "nowhere"])
            .await;
        assert!(error.contains("there is no organization nowhere"), "{error}");
        let error = provost
            .bad(&["api-key", "create", "--label", "x", "--scopes", "traces:write"])
            .await;
        assert!(error.contains("is no scope"), "{error}");
    })
    .await;
}

/// Puts many people into the connection who were let in by no organization.
async fn crowd(test: &TestApp, people: usize) {
    let now = test.app.world.now();
    let person = |n: usize| {
        let address = format!("p{n:04}@home-lab.example");
        let account = Account {
            id: AccountId::new(format!("acc_{n:04}")),
            kind: AccountKind::User,
            authentication: Authentication::Sso {
                connection: "okta".into(),
            },
            status: Status::Active,
            status_origin: Origin::Login,
            email: Some(Email::parse(&address).unwrap()),
            user_name: None,
            external_id: None,
            given_name: None,
            family_name: None,
            display_name: Some(format!(
                "A person with a rather long name, so that pipes are full soon, number {n}"
            )),
            emergency_admin: false,
            operator: false,
            attributes: serde_json::Map::new(),
            edited: std::collections::BTreeSet::new(),
            keeping: provost_kernel::keeping::Keeping::default(),
            version: 1,
            created_at: now,
        };
        let claims = json!({
            "protocol": "saml",
            "subject": { "issuer": "https://idp.example/metadata", "format": "persistent", "value": format!("p-{n}") },
            "normalized": { "email": address, "email_verified": true, "groups": [] },
            "claims": {},
        });
        (account, claims)
    };
    for part in 0..people.div_ceil(100) {
        let made: Vec<(Account, Value)> = (part * 100..((part + 1) * 100).min(people)).map(person).collect();
        let decision = newcomers(test, &made, now);
        test.app
            .store
            .write(move |tx| {
                Box::pin(async move {
                    tx.apply(&decision, &Actor::System, now).await?;
                    for (account, claims) in made {
                        let last = LastClaims {
                            connection: "okta".into(),
                            account: account.id,
                            at: now,
                            trace: decision.trace.id.clone(),
                            claims,
                        };
                        tx.keep_last_claims(&last, true)?;
                    }
                    Ok::<_, StoreError>(())
                })
            })
            .await
            .unwrap();
    }
}

/// A decision that makes accounts.
fn newcomers(test: &TestApp, made: &[(Account, Value)], now: jiff::Timestamp) -> Decision {
    Decision {
        verdict: Verdict::Accepted,
        plan: Plan {
            changes: made
                .iter()
                .map(|(account, _)| Change::CreateAccount {
                    account: Box::new(account.clone()),
                    profile: None,
                })
                .collect(),
            ..Plan::default()
        },
        trace: Trace {
            id: TraceId::new(test.app.world.reference().unwrap()),
            at: now,
            kind: "provision".to_owned(),
            connection: None,
            account: None,
            steps: Vec::new(),
        },
    }
}

#[tokio::test]
async fn r187_ctrl_c_ends_a_preview_cleanly_and_nothing_is_written() {
    on_each_engine(|test| async move {
        let provost = furnished(&test).await;
        crowd(&test, 600).await;
        let before = policy(&test).await;
        let mut command = provost.command(&[
            "policy",
            "preview",
            "--connection",
            "okta",
            "--policy",
            "admins.yaml",
            "--json",
        ]);
        let ended = tokio::task::spawn_blocking(move || {
            let mut child = command
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap();
            let mut out = BufReader::new(child.stdout.take().unwrap());
            let mut first = String::new();
            out.read_line(&mut first).unwrap();
            // Nobody reads on, so the pipe fills and the preview waits in the middle.
            let sent = Command::new("kill")
                .args(["-INT", &child.id().to_string()])
                .status()
                .unwrap();
            assert!(sent.success());
            let mut rest = String::new();
            out.read_to_string(&mut rest).unwrap();
            let mut err = String::new();
            child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
            (first, rest, err, child.wait().unwrap())
        });
        let (first, rest, err, status) = ended.await.unwrap();
        assert!(
            first.contains("\"type\":\"begin\"") && first.contains("\"total\":601"),
            "{first}"
        );
        assert!(
            !rest.contains("\"type\":\"end\""),
            "it was over before it was stopped"
        );
        assert!(err.contains("cancelled; nothing was written"), "{err}");
        assert_eq!(
            status.code(),
            Some(1),
            "an exit code of its own accord, no death by signal"
        );
        assert_eq!(policy(&test).await, before);
        assert_eq!(
            provost.good(&["policy", "held"]).await,
            "nothing waits for an approval\n"
        );
    })
    .await;
}

#[tokio::test]
async fn r187_a_reader_who_leaves_ends_a_preview_over_http() {
    use axum::body::Body;
    use axum::extract::ConnectInfo;
    use axum::http::{Request, header};
    use futures_util::StreamExt as _;
    use tower::ServiceExt as _;

    on_each_engine(|test| async move {
        let _provost = furnished(&test).await;
        crowd(&test, 600).await;
        let key = crate::api::key(&test, None, provost::flow::api_keys::Scope::ALL).await;
        let running = || test.app.holders();
        let before = running();
        let request = Request::post("/api/v1/connections/okta/policy/preview")
            .header(header::AUTHORIZATION, format!("Bearer {key}"))
            .header(header::CONTENT_TYPE, "application/json")
            .extension(ConnectInfo(std::net::SocketAddr::from(([127, 0, 0, 1], 40_000))))
            .body(Body::from(
                json!({ "policy": { "role": { "fixed": "Admin" } } }).to_string(),
            ))
            .unwrap();
        let answer = test.router.clone().oneshot(request).await.unwrap();
        assert_eq!(answer.status(), 200);
        let mut body = answer.into_body().into_data_stream();
        let mut read = String::new();
        for _ in 0..2 {
            read.push_str(std::str::from_utf8(&body.next().await.unwrap().unwrap()).unwrap());
        }
        assert!(
            read.contains("\"type\":\"progress\"") && !read.contains("\"type\":\"end\""),
            "{read}"
        );
        assert!(running() > before, "under way, and waiting for its reader");
        drop(body);
        // Nothing is left of it: whatever it was doing, it held the application.
        assert_eq!(running(), before);
    })
    .await;
}
