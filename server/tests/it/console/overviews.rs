//! Pages that sum up: what needs an admin, who differs from the rules, groups, the configuration as a file, the instance's health.

use axum::http::StatusCode;
use jiff::SignedDuration;
use provost::flow::console::bulk;
use provost::flow::defaults;
use provost::flow::policy::drift;
use provost_kernel::trace::{SIGN_IN, Trace};
use provost_store::{BackupSummary, LastClaims, StoreError};
use serde_json::json;

use super::{WORLD, act, id_of, make_operator, sign_in, want, world};
use crate::app::{TestApp, on_each_engine};
use crate::scim::lab::{self, Directory};

/// The acme organization with one more connection, whose accounts sign-ins make and whose rule names a group.
const JIT: &str = r#"
connections:
  - id: acme-jit
    name: Acme sign-in
    organization: acme
    protocol: oidc
    oidc: { issuer: "https://jit.acme.example", client_id: provost, client_secret: "upstream-secret-0123456789" }
    domains: [acme.example]
    provisioning: jit
    policy: { role: { groups: [{ value: g-7, name: Night shift, roles: [Admin] }] } }
users:
  - { email: stale@acme.example, connection: acme-jit, given_name: Stella, memberships: [{ organization: acme, roles: [member] }] }
  - { email: fresh@acme.example, connection: acme-jit, given_name: Freya, memberships: [{ organization: acme, roles: [member] }] }
"#;

/// Lets somebody have come through a connection some days ago.
async fn came(app: &TestApp, email: &str, days: i64) {
    let now = app.app.world.now();
    let last = LastClaims {
        connection: "acme-jit".into(),
        account: id_of(app, email).await,
        at: now.saturating_sub(SignedDuration::from_hours(24 * days)).unwrap(),
        trace: "t-came".into(),
        claims: json!({}),
    };
    let kept: Result<(), StoreError> = app
        .app
        .store
        .write(move |tx| Box::pin(async move { tx.keep_last_claims(&last, false) }))
        .await;
    kept.unwrap();
}

/// Keeps a refused sign-in.
async fn refused(app: &TestApp, id: &str, verdict: &'static str) {
    let trace = Trace {
        id: id.into(),
        at: app.app.world.now(),
        kind: SIGN_IN.to_owned(),
        connection: Some("acme-jit".into()),
        account: None,
        steps: Vec::new(),
    };
    let kept: Result<(), StoreError> = app
        .app
        .store
        .write(move |tx| Box::pin(async move { tx.insert_trace(&trace, verdict, None) }))
        .await;
    kept.unwrap();
}

/// Lets acme's directory push somebody.
async fn hire(directory: &Directory, name: &str) -> String {
    let address = format!("{name}@acme.example");
    let mut person = lab::person(name);
    person["userName"] = json!(address);
    person["emails"] = json!([{ "value": address, "primary": true }]);
    directory.post("/Users", person).await.expect(201).id()
}

#[tokio::test]
async fn home_counts_sign_ins_without_a_place_apart_and_people_who_stay_away() {
    on_each_engine(|app| async move {
        world(&app).await;
        lab::apply(&app.app, JIT).await;
        refused(&app, "AAAA-0001", "no_organization").await;
        refused(&app, "AAAA-0002", "no_organization").await;
        refused(&app, "AAAA-0003", "suspended").await;
        for email in ["stale@acme.example", "fresh@acme.example"] {
            let account = id_of(&app, email).await;
            want(&app, bulk::wish("activate", &"acme".into(), account)).await;
        }
        came(&app, "stale@acme.example", 91).await;
        came(&app, "fresh@acme.example", 3).await;
        let mut olga = sign_in(&app, "olga@acme.example").await;
        let home = olga.get("/console/acme").await.body;
        for text in [
            "no rule gave an organization or a role: 2",
            "Other sign-ins and pushes refused in the last 24 hours: 1",
            "Acme sign-in: people who have not signed in for 90 days: 1",
        ] {
            assert!(home.contains(text), "{text}: {home}");
        }
        let unplaced = olga
            .get("/console/acme/activity?show=attempts&why=no_organization")
            .await
            .body;
        assert!(
            unplaced.contains("AAAA-0001") && !unplaced.contains("AAAA-0003"),
            "{unplaced}"
        );
        let stale = olga
            .get("/console/acme/users?via=acme-jit&unseen=90&status=active")
            .await
            .body;
        let list = stale.split("<tbody>").nth(1).unwrap_or_default();
        assert!(list.contains("Stella") && !list.contains("Freya"), "{stale}");
    })
    .await;
}

#[tokio::test]
async fn r107_people_are_found_by_workspace_and_by_who_gave_them_their_role() {
    on_each_engine(|app| async move {
        let more = WORLD
            .replace(
                "workspaces: [{ id: main, name: Main, default: true }]",
                "workspaces: [{ id: main, name: Main, default: true }, { id: lab, name: Lab }]",
            )
            .replace("roles: [admin] }] }", "roles: [admin], workspaces: [lab] }] }");
        lab::apply(&app.app, &more).await;
        let directory = Directory::of(&app, "acme-idp").await;
        hire(&directory, "dana").await;
        let mut olga = sign_in(&app, "olga@acme.example").await;
        for (query, found, not) in [
            ("workspace=lab", "Adam", "Mia"),
            ("source=import", "Mia", "dana@"),
            ("source=scim", "dana@", "Mia"),
            // What the file grants is held against rules.
            ("source=pinned", "Mia", "dana@"),
            ("role=member&source=scim", "dana@", "Mia"),
            ("role=member", "Mia", "Olga Berg"),
            ("role=member&before=zzz", "Mia", "Olga Berg"),
        ] {
            let body = olga.get(&format!("/console/acme/users?{query}")).await.body;
            let list = body.split("<tbody>").nth(1).unwrap_or_default();
            assert!(list.contains(found) && !list.contains(not), "{query}: {body}");
        }
    })
    .await;
}

#[tokio::test]
async fn c07_who_differs_from_the_rules_is_listed_with_what_they_would_do_and_returned_to_them() {
    on_each_engine(|app| async move {
        world(&app).await;
        let directory = Directory::of(&app, "acme-idp").await;
        let dana = hire(&directory, "dana").await;
        want(
            &app,
            bulk::wish("pin", &"acme".into(), id_of(&app, "dana@acme.example").await),
        )
        .await;
        let mut olga = sign_in(&app, "olga@acme.example").await;
        let first = olga.get("/console/acme/users/drift").await.body;
        assert!(first.contains("Not everybody has been looked at yet."), "{first}");
        assert!(!first.contains("Nothing differs"), "nobody knows yet: {first}");
        drift::work(&app.app).await.unwrap();
        let none = olga.get("/console/acme/users/drift").await;
        assert!(none.body.contains("Nothing differs"), "{}", none.body);
        lab::apply(
            &app.app,
            &WORLD.replace("role: { fixed: Member }", "role: { fixed: Admin }"),
        )
        .await;
        let under_way = olga.get("/console/acme/users/drift").await.body;
        assert!(
            under_way.contains("being looked at again; so far: 0."),
            "{under_way}"
        );
        drift::work(&app.app).await.unwrap();
        let listed = olga.get("/console/acme/users/drift").await.body;
        assert!(listed.contains("give the role Admin"), "{listed}");
        assert!(listed.contains(&format!("/users/{dana}/unpin")), "{listed}");
        assert!(listed.contains("Everybody has been looked at since"), "{listed}");
        let home = olga.get("/console/acme").await.body;
        assert!(home.contains("differs from the rules: 1"), "{home}");
        // What a push leaves otherwise than the rules say, or not any more, is found for the one person.
        lab::apply(&app.app, WORLD).await;
        drift::work(&app.app).await.unwrap();
        let home = olga.get("/console/acme").await.body;
        assert!(!home.contains("differs from the rules"), "{home}");
        let elsewhere = sign_in(&app, "both@acme.example")
            .await
            .get("/console/globex/users/drift")
            .await
            .body;
        assert!(!elsewhere.contains("dana"), "{elsewhere}");
    })
    .await;
}

#[tokio::test]
async fn groups_show_their_source_members_and_roles_and_nobody_elses() {
    on_each_engine(|app| async move {
        world(&app).await;
        lab::apply(&app.app, JIT).await;
        let directory = Directory::of(&app, "acme-idp").await;
        let dana = hire(&directory, "dana").await;
        let group = json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"],
            "displayName": "Designers", "externalId": "hr-7", "members": [{ "value": dana }],
        });
        let group = directory.post("/Groups", group).await.expect(201).id();
        let mut olga = sign_in(&app, "olga@acme.example").await;
        let list = olga.get("/console/acme/groups").await.body;
        for text in [
            "Designers",
            "hr-7",
            "Night shift",
            "g-7",
            "from sign-ins",
            "Admin",
        ] {
            assert!(list.contains(text), "{text}: {list}");
        }
        let page = olga.get(&format!("/console/acme/groups/acme-idp/{group}")).await;
        assert_eq!(page.status, StatusCode::OK);
        assert!(
            page.body.contains("dana@acme.example") && page.body.contains("hr-7"),
            "{}",
            page.body
        );
        let mut both = sign_in(&app, "both@acme.example").await;
        for path in [
            format!("/console/globex/groups/acme-idp/{group}"),
            format!("/console/globex/groups/globex-idp/{group}"),
        ] {
            assert_eq!(both.get(&path).await.status, StatusCode::NOT_FOUND, "{path}");
        }
    })
    .await;
}

#[tokio::test]
async fn r190_the_configuration_is_a_file_of_ones_own_without_secrets() {
    on_each_engine(|app| async move {
        world(&app).await;
        let mut olga = sign_in(&app, "olga@acme.example").await;
        let file = olga.get("/console/acme/developers/configuration/file").await;
        assert_eq!(file.status, StatusCode::OK);
        assert_eq!(
            file.header("content-disposition"),
            Some("attachment; filename=\"provost-acme.yaml\"")
        );
        assert_eq!(file.header("cache-control"), Some("no-store"));
        for text in ["id: acme", "acme-idp", "acme.example"] {
            assert!(file.body.contains(text), "{text}: {}", file.body);
        }
        for text in ["upstream-secret", "globex", "olga@", "correct horse"] {
            assert!(!file.body.contains(text), "{text}: {}", file.body);
        }
        let elsewhere = olga.get("/console/globex/developers/configuration/file").await;
        assert_eq!(elsewhere.status, StatusCode::FORBIDDEN);
        // Applied again, it changes nothing.
        let document = provost::declarative::read(&file.body).unwrap();
        let report = provost::declarative::apply(
            &app.app,
            document,
            std::path::Path::new("."),
            provost::declarative::Mode::DryRun,
        )
        .await
        .unwrap();
        assert!(report.changes.is_empty(), "{report:?}");
        make_operator(&app, "both@acme.example").await;
        let mut both = sign_in(&app, "both@acme.example").await;
        let whole = both.get("/console/operator/configuration").await.body;
        assert!(
            whole.contains("globex-idp") && whole.contains("olga@acme.example"),
            "{whole}"
        );
        assert!(!whole.contains("upstream-secret"), "{whole}");
    })
    .await;
}

#[tokio::test]
async fn an_operator_sees_health_the_last_backup_and_the_defaults() {
    on_each_engine(|app| async move {
        world(&app).await;
        make_operator(&app, "both@acme.example").await;
        let mut both = sign_in(&app, "both@acme.example").await;
        let page = both.get("/console/operator/health").await.body;
        for text in [
            "was never run",
            "invitation_days",
            "7 days",
            "Removing what has expired",
        ] {
            assert!(page.contains(text), "{text}: {page}");
        }
        let now = app.app.world.now();
        let noted: Result<(), StoreError> = app
            .app
            .store
            .write(move |tx| {
                let summary = BackupSummary {
                    rows: 4321,
                    schema: 1,
                };
                Box::pin(async move { tx.note_backup(now, summary).await })
            })
            .await;
        noted.unwrap();
        let page = both.get("/console/operator/health").await.body;
        assert!(
            page.contains("4,321 rows") && !page.contains("was never run"),
            "{page}"
        );
    })
    .await;
}

#[tokio::test]
async fn an_operator_chooses_defaults_that_hold_on_every_node_at_once() {
    on_each_engine(|app| async move {
        const HEALTH: &str = "/console/operator/health";
        world(&app).await;
        make_operator(&app, "both@acme.example").await;
        let mut both = sign_in(&app, "both@acme.example").await;
        let other = app.second_node().await;
        assert_eq!(other.defaults.invitation_days(), 7);
        let chosen = [
            ("invitation_days", "3"),
            ("session_hours", "24"),
            ("trace_days", ""),
        ];
        let saved = act(&mut both, HEALTH, &chosen).await;
        assert_eq!(
            saved.location().as_deref(),
            Some("/console/operator/health?done=defaults#defaults")
        );
        let page = both.get(HEALTH).await.body;
        for text in [
            "name=\"invitation_days\"",
            "value=\"3\"",
            "value=\"24\"",
            "7 days",
        ] {
            assert!(page.contains(text), "{text}: {page}");
        }
        defaults::refresh(&other).await.unwrap();
        for node in [&app.app, &other] {
            assert_eq!(node.defaults.invitation_days(), 3);
            assert_eq!(node.defaults.session_seconds(), 24 * 3600);
            assert_eq!(node.defaults.trace_days(), node.config.trace_days);
        }
        // A session that begins now lives as long as was chosen.
        let mut mia = sign_in(&app, "mia@acme.example").await;
        let ends = app
            .app
            .world
            .now()
            .saturating_add(SignedDuration::from_hours(24))
            .unwrap();
        let account = mia.get("/account").await.body;
        assert!(account.contains(&ends.to_string()[..10]), "{account}");
        for wrong in ["0", "91", "-1", "3.5", "many", "99999999999999999999"] {
            let fields = [("invitation_days", wrong), ("session_hours", "1")];
            let page = act(&mut both, HEALTH, &fields).await;
            assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY, "{wrong}");
            assert!(page.body.contains("from 1 to 90"), "{wrong}: {}", page.body);
            assert_eq!(
                app.app.defaults.session_seconds(),
                24 * 3600,
                "{wrong}: all or nothing"
            );
        }
        for email in ["olga@acme.example", "mia@acme.example"] {
            let mut browser = sign_in(&app, email).await;
            let page = act(&mut browser, HEALTH, &[("invitation_days", "90")]).await;
            assert_eq!(page.status, StatusCode::FORBIDDEN, "{email}");
        }
        assert_eq!(app.app.defaults.invitation_days(), 3);
        act(&mut both, HEALTH, &[]).await;
        assert_eq!(app.app.defaults.invitation_days(), 7, "the configuration again");
        let told = both.get("/console/operator/activity").await.body;
        assert_eq!(
            told.matches("Defaults of the instance changed").count(),
            2,
            "{told}"
        );
    })
    .await;
}
