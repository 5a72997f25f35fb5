//! Roles that are in use do not vanish, change their names unnoticed, or leave an organization without an owner (R-139, C-18, R-148).

use std::path::Path;

use axum::http::StatusCode;
use provost::app::App;
use provost::declarative::{self, Mode};
use provost::flow::api_keys::Caller;
use provost::flow::roles;
use provost_kernel::directory::Role;
use provost_kernel::id::OrganizationId;
use serde_json::json;

use crate::app::{TestApp, on_each_engine};

const WORLD: &str = r#"
prune: true
organizations:
  - id: home-lab
    domains: [{ name: home-lab.example, verified: true }]
    roles: [{ id: owner, name: Owner }, { id: writer, name: Writer }, { id: member, name: Member, default: true }]
connections:
  - id: okta
    organization: home-lab
    protocol: oidc
    oidc: { issuer: "https://login.okta.example", client_id: provost, client_secret: "upstream-secret-0123456789" }
    domains: [home-lab.example]
    policy: { role: { expression: "contains(groups, 'w') && 'Writer' || 'Member'" } }
users:
  - { email: olga@home-lab.example, memberships: [{ organization: home-lab, roles: [owner] }] }
  - { email: will@home-lab.example, memberships: [{ organization: home-lab, roles: [writer] }] }
  - { email: wim@home-lab.example, memberships: [{ organization: home-lab, roles: [writer, member] }] }
"#;

async fn apply(app: &App, yaml: &str) -> Result<String, String> {
    let document = declarative::read(yaml).unwrap();
    let applied = declarative::apply(app, document, Path::new("."), Mode::Write).await;
    applied
        .map(|report| report.to_string())
        .map_err(|error| error.to_string())
}

async fn filled(test: &TestApp) -> &App {
    apply(&test.app, WORLD).await.unwrap();
    &test.app
}

/// Who holds which roles, in words.
async fn held(app: &App) -> Vec<String> {
    let members = app
        .store
        .read(|reader| {
            Box::pin(async move { reader.members(&OrganizationId::new("home-lab"), None, 100).await })
        })
        .await;
    let mut held: Vec<String> = members
        .unwrap()
        .into_iter()
        .map(|member| {
            let email = member.account.email.unwrap().to_string();
            let mut roles: Vec<&str> = member.memberships[0]
                .roles
                .iter()
                .map(|grant| grant.id.as_str())
                .collect();
            roles.sort_unstable();
            format!("{} {}", email.split('@').next().unwrap(), roles.join("+"))
        })
        .collect();
    held.sort();
    held
}

const UNCHANGED: [&str; 3] = ["olga owner", "will writer", "wim member+writer"];

#[tokio::test]
async fn r139_the_file_does_not_drop_a_role_in_use_and_names_people_and_rules() {
    on_each_engine(|test| async move {
        let app = filled(&test).await;
        let dropped = WORLD
            .replace("{ id: writer, name: Writer }, ", "")
            .replace("roles: [writer]", "roles: [member]")
            .replace("roles: [writer, member]", "roles: [member]");
        let error = apply(app, &dropped).await.unwrap_err();
        assert!(
            error.contains("role writer is used by 2 people and by rules (okta: policy.role.expression)"),
            "{error}"
        );
        assert_eq!(held(app).await, UNCHANGED);
        // The rule goes with the role, in one file, and another role takes its place.
        let replaced = dropped
            .replace(
                "name: Member, default: true }",
                "name: Member, default: true }, { id: editor, name: Editor, replaces: [writer] }",
            )
            .replace("&& 'Writer'", "&& 'Editor'");
        let report = apply(app, &replaced).await.unwrap();
        assert!(!report.contains("still speak"), "{report}");
        assert!(
            apply(app, &replaced).await.unwrap().contains("no changes"),
            "once is enough"
        );
        let now = held(app).await;
        assert!(now.iter().all(|one| !one.contains("writer")), "{now:?}");
        assert!(now.contains(&"olga owner".to_owned()), "{now:?}");
    })
    .await;
}

#[tokio::test]
async fn r139_replaced_roles_come_with_source_and_pin_and_leave_their_name_free() {
    on_each_engine(|test| async move {
        let app = filled(&test).await;
        let replaced = WORLD
            .replace(
                "{ id: writer, name: Writer }",
                "{ id: author, name: Writer, replaces: [writer] }",
            )
            .replace("roles: [writer]", "roles: [author]")
            .replace("roles: [writer, member]", "roles: [author, member]");
        apply(app, &replaced).await.unwrap();
        assert_eq!(
            held(app).await,
            ["olga owner", "will author", "wim author+member"]
        );
    })
    .await;
}

#[tokio::test]
async fn c18_a_new_name_warns_about_the_rules_that_hold_the_old_one() {
    on_each_engine(|test| async move {
        let app = filled(&test).await;
        let renamed = WORLD.replace("id: writer, name: Writer", "id: writer, name: Author");
        let report = apply(app, &renamed).await.unwrap();
        assert!(
            report.contains("rules still speak of \"Writer\": okta: policy.role.expression"),
            "{report}"
        );
        assert_eq!(held(app).await, UNCHANGED);
        // With the rule changed in the same file there is nothing to warn about.
        let both = WORLD
            .replace("id: writer, name: Writer", "id: writer, name: Scribe")
            .replace("'Writer'", "'Scribe'");
        let report = apply(app, &both).await.unwrap();
        assert!(!report.contains("still speak"), "{report}");
    })
    .await;
}

#[tokio::test]
async fn r148_the_file_does_not_take_the_last_owner_by_the_list_of_roles() {
    on_each_engine(|test| async move {
        let app = filled(&test).await;
        let unmarked = WORLD.replace(
            "{ id: owner, name: Owner }",
            "{ id: owner, name: Owner, owner: false }",
        );
        let error = apply(app, &unmarked).await.unwrap_err();
        assert!(
            error.contains("nobody would be an active owner any more"),
            "{error}"
        );
        let replaced = WORLD
            .replace("{ id: owner, name: Owner }, ", "")
            .replace("name: Writer }", "name: Writer, replaces: [owner] }")
            .replace("roles: [owner]", "roles: [writer]");
        let error = apply(app, &replaced).await.unwrap_err();
        assert!(
            error.contains("nobody would be an active owner any more"),
            "{error}"
        );
        assert_eq!(held(app).await, UNCHANGED);
        let moved = replaced.replace(
            "name: Writer, replaces: [owner] }",
            "name: Writer, owner: true, replaces: [owner] }",
        );
        apply(app, &moved).await.unwrap();
        assert!(held(app).await.contains(&"olga writer".to_owned()));
    })
    .await;
}

fn role(id: &str, name: &str, owner: bool) -> Role {
    serde_json::from_value(json!({ "id": id, "name": name, "owner": owner })).unwrap()
}

#[tokio::test]
async fn r139_the_flow_answers_with_the_rules_and_the_number_of_people() {
    on_each_engine(|test| async move {
        let app = filled(&test).await;
        let operator = Caller::operator();
        let uses = roles::uses(app, &operator, "home-lab").await.unwrap();
        let by = &uses[&"writer".into()];
        assert_eq!((by.people, by.active), (2, 2));
        assert_eq!(by.rules, ["okta: policy.role.expression"]);
        let error = roles::delete(app, &operator, "home-lab", "writer", None)
            .await
            .unwrap_err();
        assert_eq!(
            (error.status(), error.code()),
            (StatusCode::CONFLICT, "role_in_use")
        );
        assert!(
            error.faults()[0].message.contains("by 2 people"),
            "{:?}",
            error.faults()
        );
        let error = roles::delete(app, &operator, "home-lab", "writer", Some("nobody"))
            .await
            .unwrap_err();
        assert_eq!(error.code(), "unknown_replacement");
        let error = roles::delete(app, &operator, "home-lab", "ghost", None)
            .await
            .unwrap_err();
        assert_eq!(error.status(), StatusCode::NOT_FOUND);
        let error = roles::put(app, &operator, "home-lab", role("new", "Writer", false))
            .await
            .unwrap_err();
        assert_eq!(error.code(), "invalid_role", "a name used twice");
        assert_eq!(held(app).await, UNCHANGED);
        roles::put(app, &operator, "home-lab", role("editor", "Editor", false))
            .await
            .unwrap();
        let warnings = roles::delete(app, &operator, "home-lab", "writer", Some("editor"))
            .await
            .unwrap();
        assert!(
            warnings[0].contains("rules still speak of \"Writer\""),
            "{warnings:?}"
        );
        assert_eq!(
            held(app).await,
            ["olga owner", "will editor", "wim editor+member"]
        );
    })
    .await;
}

#[tokio::test]
async fn roles_that_are_made_at_the_same_moment_all_stay() {
    on_each_engine(|test| async move {
        filled(&test).await;
        let makers = (0..6).map(|number| {
            let app = test.app.clone();
            tokio::spawn(async move {
                let made = role(&format!("r{number}"), &format!("Role {number}"), false);
                roles::put(&app, &Caller::operator(), "home-lab", made)
                    .await
                    .unwrap();
            })
        });
        for maker in makers.collect::<Vec<_>>() {
            maker.await.unwrap();
        }
        let id = OrganizationId::new("home-lab");
        let found = test
            .app
            .store
            .read(|reader| Box::pin(async move { reader.roles(&id).await }));
        assert_eq!(found.await.unwrap().len(), 3 + 6);
    })
    .await;
}
