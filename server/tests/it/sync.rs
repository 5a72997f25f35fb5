//! The sync mode of each field through the real server: what the next sign-in changes and what stays (R-141, C-07).

use axum::http::StatusCode;
use provost_kernel::connection::RoleSync;
use provost_kernel::directory::Account;
use provost_kernel::email::Email;
use provost_kernel::mapping::InForce;
use provost_kernel::plan::{ProfilePatch, Verdict};
use provost_kernel::policy::WorkspaceRule;
use provost_kernel::provision::{self, Action, Actor, Request};
use provost_store::StoreError;

use crate::api::Client;
use crate::app::{TestApp, on_each_engine};
use crate::directory::{self, accounts};
use crate::saml_idp::{self, Person, sign_in};

const ANN: &str = "ann@home-lab.example";

/// Signs Ann in under this name, with these groups.
async fn comes(test: &TestApp, name: &str, groups: &[&str]) -> Account {
    let mut ann = Person::new("ann-1", ANN).with("groups", groups);
    for (attribute, values) in &mut ann.attributes {
        if attribute == "givenName" {
            *values = vec![name.to_owned()];
        }
    }
    let page = sign_in(&test.app, &mut test.browser(), "okta", &ann).await;
    assert_eq!(page.status, StatusCode::SEE_OTHER, "{}", page.body);
    accounts(&test.app, ANN).await.remove(0)
}

/// Edits a profile as an operator does.
async fn edit(test: &TestApp, account: &Account, set: ProfilePatch) {
    let request = Request {
        actor: Actor::Operator { account: None },
        action: Action::UpdateProfile {
            account: account.id.clone(),
            set: Box::new(set),
        },
    };
    let (fresh, _) = test.app.world.fresh().unwrap();
    let now = test.app.world.now();
    let in_force = test
        .app
        .store
        .read(|reader| Box::pin(async move { reader.connection(&"okta".into()).await }))
        .await
        .unwrap()
        .unwrap();
    let in_force = InForce::compile(in_force.connection).unwrap();
    test.app
        .store
        .write(move |tx| {
            Box::pin(async move {
                let facts = tx.facts(&provision::need(&request)).await?;
                let decision = provision::decide(&request, &facts, Some(&in_force), &fresh, now);
                assert!(matches!(decision.verdict, Verdict::Admitted(_)));
                tx.apply(&decision, &request.actor, now).await?;
                Ok::<_, StoreError>(())
            })
        })
        .await
        .unwrap();
}

/// Ann's first role and workspaces, as the API shows them.
async fn grants(test: &TestApp, account: &Account) -> (String, Vec<String>) {
    let mut client = Client::new(test, None).await;
    let shown = client
        .get(&format!("/api/v1/accounts/{}", account.id))
        .await
        .json();
    let held = &shown["memberships"][0];
    let ids = |name: &str| -> Vec<String> {
        let list = held[name].as_array().unwrap();
        list.iter()
            .map(|one| one["id"].as_str().unwrap().to_owned())
            .collect()
    };
    (ids("roles").join("+"), ids("workspaces"))
}

#[tokio::test]
async fn r141_roles_follow_every_sign_in_while_workspaces_stay_as_they_were_made() {
    on_each_engine(|test| async move {
        directory::organization(&test.app).await;
        saml_idp::connect(&test.app, "okta", |_| {}).await;
        directory::change_connection(&test.app, "okta", |connection, _| {
            connection.settings.role_sync = RoleSync::Creation;
            connection.settings.sync.roles = Some(RoleSync::EveryLogin);
            let policy = connection.policy.as_mut().unwrap();
            policy.workspaces = Some(WorkspaceRule::Dynamic {
                expression: "contains(groups, 'admin') && 'lab' || 'main'".to_owned(),
            });
        })
        .await;
        let ann = comes(&test, "Ann", &["staff"]).await;
        assert_eq!(
            grants(&test, &ann).await,
            ("member".to_owned(), vec!["main".to_owned()])
        );
        comes(&test, "Ann", &["admin"]).await;
        assert_eq!(
            grants(&test, &ann).await,
            ("admin".to_owned(), vec!["main".to_owned()])
        );
    })
    .await;
}

#[tokio::test]
async fn r141_a_name_edited_by_hand_stays_until_it_is_given_back_or_the_provider_wins() {
    on_each_engine(|test| async move {
        directory::organization(&test.app).await;
        saml_idp::connect(&test.app, "okta", |_| {}).await;
        let ann = comes(&test, "Ann", &[]).await;
        assert_eq!(
            comes(&test, "Anna", &[]).await.given_name.as_deref(),
            Some("Anna")
        );
        let named = ProfilePatch {
            given_name: Some(Some("Annika".to_owned())),
            ..ProfilePatch::default()
        };
        edit(&test, &ann, named).await;
        let now = comes(&test, "Ann", &[]).await;
        assert_eq!(now.given_name.as_deref(), Some("Annika"), "edited by hand");
        assert_eq!(now.email, Some(Email::parse(ANN).unwrap()));
        let given_back = ProfilePatch {
            edited: Some([].into()),
            ..ProfilePatch::default()
        };
        edit(&test, &now, given_back).await;
        assert_eq!(
            comes(&test, "Anke", &[]).await.given_name.as_deref(),
            Some("Anke")
        );
        for (mode, expected) in [(RoleSync::Creation, "Anke"), (RoleSync::EveryLogin, "Ann")] {
            directory::change_connection(&test.app, "okta", |connection, _| {
                connection.settings.sync.names = Some(mode);
            })
            .await;
            let ann = comes(&test, "Ann", &[]).await;
            assert_eq!(ann.given_name.as_deref(), Some(expected), "{mode:?}");
        }
    })
    .await;
}
