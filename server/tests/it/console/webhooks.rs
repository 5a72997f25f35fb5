//! `/console/{organization}/developers/webhooks`: made with a secret that is shown once, seen by nobody else, and judged as by the API.

use axum::http::StatusCode;

use super::{act, sign_in, world};
use crate::app::{Browser, on_each_engine};

const LIST: &str = "/console/acme/developers/webhooks";

/// Returns the address of the one webhook of the list.
async fn only_one(browser: &mut Browser) -> String {
    let listed = browser.get(LIST).await;
    let behind = listed.body.split("/developers/webhooks/").nth(1);
    let id = behind.and_then(|rest| rest.split('"').next());
    format!("{LIST}/{}", id.unwrap_or_else(|| panic!("{}", listed.body)))
}

#[tokio::test]
async fn r188_a_webhook_is_made_and_followed_in_the_console() {
    on_each_engine(|app| async move {
        world(&app).await;
        let mut olga = sign_in(&app, "olga@acme.example").await;
        let inside = [("url", "https://user:secret@app.example/hooks")];
        let refused = act(&mut olga, LIST, &inside).await;
        assert_eq!(refused.status, StatusCode::OK);
        assert!(refused.body.contains("must begin with https"), "{}", refused.body);
        let fields = [
            ("url", "https://hooks.invalid/calls"),
            ("kind", "api_key.*"),
            ("description", "<b>The app</b>"),
        ];
        let made = act(&mut olga, LIST, &fields).await;
        assert_eq!(made.status, StatusCode::OK, "{}", made.body);
        assert!(made.body.contains("whsec_"), "{}", made.body);
        assert!(!made.body.contains("<b>The app"), "{}", made.body);
        let here = only_one(&mut olga).await;
        let shown = olga.get(&here).await;
        assert_eq!(shown.status, StatusCode::OK);
        assert!(
            !shown.body.contains("whsec_") && shown.body.contains("hooks.invalid"),
            "{}",
            shown.body
        );

        act(
            &mut olga,
            "/console/acme/developers",
            &[("label", "one"), ("scope", "accounts:read")],
        )
        .await;
        crate::webhooks::deliver(&app.app).await.unwrap();
        let shown = olga.get(&format!("{here}?state=pending")).await;
        assert!(
            shown.body.contains("api_key.created") && shown.body.contains("cannot be resolved"),
            "{}",
            shown.body
        );
        let delivery = shown
            .body
            .split(&format!("{here}/deliveries/"))
            .nth(1)
            .unwrap()
            .split('"')
            .next()
            .unwrap()
            .to_owned();
        let page = olga.get(&format!("{here}/deliveries/{delivery}")).await;
        assert!(
            page.body.contains("api_key.created") && page.body.contains("no answer"),
            "{}",
            page.body
        );
    })
    .await;
}

#[tokio::test]
async fn r188_a_webhook_is_changed_and_deleted_by_those_who_manage_its_organization() {
    on_each_engine(|app| async move {
        world(&app).await;
        let mut olga = sign_in(&app, "olga@acme.example").await;
        act(&mut olga, LIST, &[("url", "https://hooks.invalid/calls")]).await;
        let here = only_one(&mut olga).await;
        for (fields, done) in [
            (vec![("do", "pause")], "webhook_off"),
            (vec![("do", "resume")], "webhook_on"),
            (
                vec![("do", "replay"), ("since", "2026-01-01T00:00"), ("all", "1")],
                "webhook_replayed",
            ),
            (
                vec![("do", "save"), ("url", "https://hooks.invalid/others")],
                "webhook_saved",
            ),
        ] {
            let page = act(&mut olga, &here, &fields).await;
            let location = page.location().unwrap_or_else(|| panic!("{done}: {page:?}"));
            assert!(location.ends_with(&format!("?done={done}")), "{location}");
        }
        let wrong = act(&mut olga, &here, &[("do", "replay"), ("since", "tomorrow")]).await;
        assert_eq!(wrong.status, StatusCode::BAD_REQUEST);
        let rotated = act(&mut olga, &here, &[("do", "rotate")]).await;
        assert!(rotated.body.contains("whsec_"), "{}", rotated.body);

        let mut both = sign_in(&app, "both@acme.example").await;
        for path in [LIST.to_owned(), here.clone()] {
            assert_eq!(
                both.get(&path).await.status,
                StatusCode::FORBIDDEN,
                "a member who is no admin"
            );
        }
        let foreign = here.replace("/acme/", "/globex/");
        assert_eq!(both.get(&foreign).await.status, StatusCode::NOT_FOUND);
        assert_eq!(
            act(&mut both, &foreign, &[("do", "delete")]).await.status,
            StatusCode::NOT_FOUND
        );

        let gone = act(&mut olga, &here, &[("do", "delete")]).await;
        assert_eq!(
            gone.location().as_deref(),
            Some("/console/acme/developers/webhooks?done=webhook")
        );
        assert_eq!(olga.get(&here).await.status, StatusCode::NOT_FOUND);
    })
    .await;
}
