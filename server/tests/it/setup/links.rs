//! Set-up links: what they open, what they do not, and how they end.

use axum::http::StatusCode;
use jiff::SignedDuration;
use provost::flow::api_keys::Caller;
use provost::flow::setup::links::{self, Scope};
use secrecy::ExposeSecret as _;

use super::{WORLD, ann, audit, begin, by_metadata, link, send, sign_in, stage, step, test_sign_in};
use crate::app::{Page, on_each_engine};
use crate::saml_idp::{self, PublishedMetadata};
use crate::scim::lab;

#[tokio::test]
async fn r181_somebody_without_an_account_sets_up_by_link_and_the_link_ends() {
    on_each_engine(|app| async move {
        lab::apply(&app.app, WORLD).await;
        let metadata = PublishedMetadata::start(&saml_idp::IDP).await;
        let (id_of_link, path) = link(&app, &[], None).await;
        let mut ivo = app.browser();
        let opened = ivo.get(&path).await;
        assert_eq!(opened.location().as_deref(), Some("/setup"));
        assert_eq!(opened.header("referrer-policy"), Some("no-referrer"));
        assert_eq!(
            ivo.get("/setup").await.location().as_deref(),
            Some("/setup/connections/new")
        );
        let (setup, id) = begin(&mut ivo, "/setup", "keycloak.saml").await;
        assert_eq!(ivo.get("/setup").await.location(), Some(setup.clone()));
        step(
            &mut ivo,
            &format!("{setup}/domain"),
            &[("domain", "acme.example")],
        )
        .await;
        by_metadata(&mut ivo, &setup, &metadata).await;
        test_sign_in(&app, &mut ivo, &setup, &id, &ann()).await;
        step(&mut ivo, &format!("{setup}/mode"), &[("mode", "jit")]).await;
        step(&mut ivo, &format!("{setup}/policy"), &[("role", "Member")]).await;
        let live = step(&mut ivo, &format!("{setup}/review"), &[]).await;
        assert_eq!(live.location().as_deref(), Some("/setup"), "{}", live.body);
        assert_eq!(stage(&app, &id).await, ("active".to_owned(), true));
        let done = ivo.get("/setup").await;
        assert!(done.body.contains("Everything is set up"), "{}", done.body);
        let actor = format!("setup_link:{id_of_link}@acme");
        for kind in [
            "setup_link.opened",
            "connection.created",
            "connection.live",
            "setup_link.done",
        ] {
            assert_eq!(audit(&app, kind).await.first(), Some(&actor), "{kind}");
        }
        // The console knows nothing of the link's cookie.
        assert_eq!(
            ivo.get("/console/acme").await.location().as_deref(),
            Some("/login?return_to=console")
        );
    })
    .await;
}

#[tokio::test]
async fn r181_a_link_opens_nothing_beyond_itself() {
    on_each_engine(|app| async move {
        lab::apply(&app.app, WORLD).await;
        let nothing =
            |page: &Page| !page.body.contains("name=\"guide\"") && !page.body.contains("acme.example");

        // No link, and one that is made up.
        for path in ["/setup", "/setup/connections/new", "/setup/pvl_made-up"] {
            let page = app.browser().get(path).await;
            assert_eq!(page.status, StatusCode::FORBIDDEN, "{path}: {}", page.body);
            assert!(nothing(&page));
        }

        // Out of scope.
        let (_, path) = link(&app, &[Scope::Domain], None).await;
        let mut ivo = app.browser();
        ivo.get(&path).await;
        assert_eq!(
            ivo.get("/setup").await.location().as_deref(),
            Some("/setup/domain")
        );
        assert_eq!(ivo.get("/setup/domain").await.status, StatusCode::OK);
        assert_eq!(
            ivo.get("/setup/connections/new").await.status,
            StatusCode::FORBIDDEN
        );
        let guide = [("guide", "okta.saml")];
        let refused = send(&mut ivo, "/setup/domain", "/setup/connections/new", &guide).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{}", refused.body);

        // Another organization's connection, and another one of the same organization.
        let (_, path) = link(&app, &[], None).await;
        let mut ivo = app.browser();
        ivo.get(&path).await;
        let (setup, id) = begin(&mut ivo, "/setup", "okta.saml").await;
        let mut olga = sign_in(&app, "olga@acme.example").await;
        let (_, other) = begin(&mut olga, "/console/acme", "okta.saml").await;
        for stranger in ["globex-idp", other.as_str()] {
            for tail in ["", "/values", "/scim", "/scim/events", "/review"] {
                let page = ivo
                    .get(&format!("/setup/connections/{stranger}/setup{tail}"))
                    .await;
                assert_eq!(
                    page.status,
                    StatusCode::NOT_FOUND,
                    "{stranger}{tail}: {}",
                    page.body
                );
            }
        }
        let to = format!("/setup/connections/{other}/setup/discard");
        let page = send(&mut ivo, &format!("{setup}/domain"), &to, &[]).await;
        assert_eq!(page.status, StatusCode::NOT_FOUND);

        // A form from elsewhere.
        let forged = ivo
            .post(&format!("{setup}/values"), &[("form_token", "x"), ("how", "url")])
            .await;
        assert_eq!(forged.status, StatusCode::FORBIDDEN);

        // Another owner's console.
        let mut gil = sign_in(&app, "gil@globex.example").await;
        let page = gil.get(&format!("/console/globex/connections/{id}/setup")).await;
        assert_eq!(page.status, StatusCode::NOT_FOUND);
    })
    .await;
}

#[tokio::test]
async fn r181_links_expire_are_revoked_and_regenerated() {
    on_each_engine(|app| async move {
        lab::apply(&app.app, WORLD).await;
        let operator = Caller::operator();
        let (id, path) = link(&app, &[], None).await;
        let mut ivo = app.browser();
        ivo.get(&path).await;
        assert_eq!(ivo.get("/setup/connections/new").await.status, StatusCode::OK);

        let renewed = links::regenerate(&app.app, &operator, "acme", &id, None)
            .await
            .unwrap();
        assert_eq!(
            ivo.get("/setup/connections/new").await.status,
            StatusCode::FORBIDDEN
        );
        assert_eq!(app.browser().get(&path).await.status, StatusCode::FORBIDDEN);
        let url = renewed.url.expose_secret().to_owned();
        let path = &url[url.find("/setup/").unwrap()..];
        ivo.get(path).await;
        assert_eq!(ivo.get("/setup/connections/new").await.status, StatusCode::OK);

        links::revoke(&app.app, &operator, "acme", &id).await.unwrap();
        let revoked = ivo.get("/setup/connections/new").await;
        assert_eq!(revoked.status, StatusCode::GONE, "{}", revoked.body);
        assert!(
            links::regenerate(&app.app, &operator, "acme", &id, None)
                .await
                .is_err()
        );

        let (_, path) = link(&app, &[], None).await;
        ivo.get(&path).await;
        assert_eq!(ivo.get("/setup/connections/new").await.status, StatusCode::OK);
        app.app.world.advance(SignedDuration::from_hours(24 * 8));
        assert_eq!(ivo.get("/setup/connections/new").await.status, StatusCode::GONE);
        assert_eq!(app.browser().get(&path).await.status, StatusCode::GONE);

        // What is kept opens nothing.
        let backup = links::list(&app.app, &operator, "acme").await.unwrap();
        assert!(!format!("{backup:?}").contains("pvl_"));
    })
    .await;
}
