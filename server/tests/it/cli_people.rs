//! `provost import`, `provost convert` and `provost audit verify` as programs: outcome and exit codes, on both engines.

use provost_kernel::directory::Status;
use secrecy::ExposeSecret as _;
use serde_json::json;

use crate::api::Client;
use crate::app::{TestApp, on_each_engine};
use crate::cli_policy::Program;
use crate::directory::{self, ORGANIZATION, accounts};
use crate::saml_idp;

const PEOPLE: &str = "email,connection,kind,roles\n\
    ann@home-lab.example,okta,user,Admin\n\
    rea@home-lab.example,okta,reader,\n\
    pat@elsewhere.example,,user,\n";
const FAULTY: &str = "email,connection,roles\n\
    new@home-lab.example,okta,\n\
    far@elsewhere.example,okta,\n\
    typo@home-lab.example,okta,Amdin\n";

async fn furnished(test: &TestApp) -> Program {
    directory::organization(&test.app).await;
    saml_idp::connect(&test.app, "okta", |_| {}).await;
    let program = Program::on(test);
    program.0.file("people.csv", PEOPLE);
    program.0.file("faulty.csv", FAULTY);
    program
}

#[tokio::test]
async fn r173_import_tries_carries_out_and_may_be_run_again() {
    on_each_engine(|test| async move {
        let program = furnished(&test).await;
        let import = ["import", "people.csv", "--organization", ORGANIZATION];
        let tried = program.good(&[&import[..], &["--dry-run"]].concat()).await;
        assert_eq!(
            tried,
            "3 would be created, 0 would be changed, 0 unchanged, 0 refused\n"
        );
        assert_eq!(directory::account_count(&test.app).await, 0);
        assert_eq!(
            program.good(&import).await,
            "3 created, 0 changed, 0 unchanged, 0 refused\n"
        );
        assert_eq!(
            program.good(&import).await,
            "0 created, 0 changed, 3 unchanged, 0 refused\n"
        );
        assert_eq!(
            accounts(&test.app, "ann@home-lab.example").await[0].status,
            Status::Invited
        );
        assert_eq!(
            accounts(&test.app, "pat@elsewhere.example").await[0].status,
            Status::Active
        );
        // A row that is refused is named with its line and reason, the others are carried out, and the exit code says so.
        let (success, said, _) = program
            .run(&["import", "faulty.csv", "--organization", ORGANIZATION])
            .await;
        assert!(!success, "{said}");
        assert!(
            said.contains("line 3: far@elsewhere.example") && said.contains("(domain_not_verified)"),
            "{said}"
        );
        assert!(
            said.contains("line 4: typo@home-lab.example") && said.contains("(invalid_account)"),
            "{said}"
        );
        assert!(
            said.ends_with("1 created, 0 changed, 0 unchanged, 2 refused\n"),
            "{said}"
        );
    })
    .await;
}

#[tokio::test]
async fn r173_import_invites_where_that_is_wanted_and_possible() {
    on_each_engine(|test| async move {
        let program = furnished(&test).await;
        let import = ["import", "people.csv", "--organization", ORGANIZATION, "--invite"];
        let (success, _, said) = program.run(&import).await;
        assert!(
            !success && said.contains("mail_transport"),
            "no mail can leave: {said}"
        );
        assert_eq!(directory::account_count(&test.app).await, 0);
        program
            .good(&[&import[..], &["--skip-invitation"]].concat())
            .await;
        let mut client = Client::new(&test, None).await;
        let path = format!("/api/v1/organizations/{ORGANIZATION}/invitations?pending=true");
        let waiting = client.get(&path).await.json();
        let states: Vec<&str> = waiting["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["state"].as_str().unwrap())
            .collect();
        assert_eq!(states, ["skipped"; 3], "{waiting}");
    })
    .await;
}

#[tokio::test]
async fn r93_r95_convert_shows_who_would_be_moved_and_moves_them_only_when_told() {
    on_each_engine(|test| async move {
        let program = furnished(&test).await;
        let mut client = Client::new(&test, None).await;
        for (name, kind) in [("ann", "user"), ("bob", "user"), ("rea", "reader")] {
            let body = json!({ "email": format!("{name}@home-lab.example"), "kind": kind, "memberships": [{ "organization": ORGANIZATION }] });
            assert_eq!(client.post("/api/v1/accounts", &body).await.status.as_u16(), 201);
        }
        let far = json!({ "email": "far@elsewhere.example", "memberships": [{ "organization": ORGANIZATION }] });
        client.post("/api/v1/accounts", &far).await;
        let convert = ["convert", "--organization", ORGANIZATION, "--connection", "okta", "--no-mail"];
        let shown = program.good(&[&convert[..], &["--kind", "user"]].concat()).await;
        assert!(shown.contains("2 will be moved") && shown.contains("1 will be passed over: domain_not_verified"), "{shown}");
        assert!(shown.contains("Nothing was changed"), "{shown}");
        assert_eq!(directory::account_count(&test.app).await, 4);
        let one = [&convert[..], &["--kind", "user", "--email", "ann@home-lab.example", "--yes"]].concat();
        let done = program.good(&one).await;
        assert!(done.contains("1 moved, 0 passed over, 0 failed"), "{done}");
        assert_eq!(accounts(&test.app, "ann@home-lab.example").await.len(), 2, "R-95: only the selected one");
        let all = [&convert[..], &["--kind", "user", "--kind", "reader", "--yes"]].concat();
        let done = program.good(&all).await;
        assert!(done.contains("2 moved, 2 passed over, 0 failed"), "{done}");
        assert_eq!(accounts(&test.app, "rea@home-lab.example").await.len(), 2, "R-94");
        let (success, _, said) = program.run(&["convert", "--organization", ORGANIZATION, "--connection", "nowhere", "--kind", "user"]).await;
        assert!(!success && said.contains("preview could not be made"), "{said}");
    })
    .await;
}

#[tokio::test]
async fn r189_audit_verify_tells_an_unbroken_log_from_a_changed_one() {
    on_each_engine(|test| async move {
        let program = furnished(&test).await;
        program.good(&["import", "people.csv", "--organization", ORGANIZATION]).await;
        let said = program.good(&["audit", "verify"]).await;
        assert!(said.contains(&format!("✓ organization {ORGANIZATION}: ")) && !said.contains('✗'), "{said}");
        let url = test.app.config.database_url.expose_secret().to_owned();
        let Some(file) = url.strip_prefix("sqlite:") else {
            // Behind the back of the program a row can be changed here only in a file.
            return;
        };
        let database = rusqlite::Connection::open(file).unwrap();
        let newest = "WHERE organization = ?1 AND sequence = (SELECT MAX(b.sequence) FROM audit b WHERE b.organization = ?1)";
        let sql = format!("UPDATE audit SET actor = actor || '!' {newest}");
        assert_eq!(database.execute(&sql, [ORGANIZATION]).unwrap(), 1);
        let (success, said, _) = program.run(&["audit", "verify"]).await;
        assert!(!success && said.contains(&format!("✗ organization {ORGANIZATION}: ")), "{said}");
        let (success, said, _) = program.run(&["audit", "verify", "--organization", ORGANIZATION]).await;
        assert!(!success && said.contains('✗'), "{said}");
    })
    .await;
}
