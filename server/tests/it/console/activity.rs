//! `/console/…/activity`: days, outgoing events, and the file with all of it.

use axum::http::StatusCode;
use jiff::SignedDuration;
use provost_kernel::trace::{TEST_SIGN_IN, Trace};
use provost_store::StoreError;

use super::{act, id_of, sign_in, world};
use crate::app::{TestApp, on_each_engine};

/// Keeps refused test sign-ins (nothing counts them) through acme's provider, some days ago.
async fn refused(app: &TestApp, names: Vec<String>, days: i64) {
    let at = app
        .app
        .world
        .now()
        .saturating_sub(SignedDuration::from_hours(24 * days))
        .unwrap();
    let kept: Result<(), StoreError> = app
        .app
        .store
        .write(move |tx| {
            Box::pin(async move {
                for id in names {
                    let trace = Trace {
                        id: id.as_str().into(),
                        at,
                        kind: TEST_SIGN_IN.to_owned(),
                        connection: Some("acme-idp".into()),
                        account: None,
                        steps: Vec::new(),
                    };
                    tx.insert_trace(&trace, "no_organization", None)?;
                }
                Ok(())
            })
        })
        .await;
    kept.unwrap();
}

/// The day so many days ago, as an address has it.
fn day(app: &TestApp, ago: i64) -> String {
    let at = app
        .app
        .world
        .now()
        .saturating_sub(SignedDuration::from_hours(24 * ago));
    at.unwrap().to_string()[..10].to_owned()
}

#[tokio::test]
async fn r189_activity_is_narrowed_to_days_both_ends_included() {
    on_each_engine(|app| async move {
        world(&app).await;
        for (id, days) in [("AAAA-0010", 10), ("AAAA-0005", 5), ("AAAA-0001", 1)] {
            refused(&app, vec![id.to_owned()], days).await;
        }
        let mut olga = sign_in(&app, "olga@acme.example").await;
        let (from, until) = (day(&app, 5), day(&app, 1));
        for (query, seen, unseen) in [
            (format!("from={from}"), vec!["0005", "0001"], vec!["0010"]),
            (format!("until={from}"), vec!["0010", "0005"], vec!["0001"]),
            (
                format!("from={from}&until={from}"),
                vec!["0005"],
                vec!["0010", "0001"],
            ),
            (
                format!("from={until}&until={until}&show=attempts"),
                vec!["0001"],
                vec!["0005"],
            ),
            // What is no day narrows nothing.
            (
                "from=soon&until=2026-02-31&show=attempts".to_owned(),
                vec!["0010", "0001"],
                vec![],
            ),
        ] {
            for path in ["activity", "connections/acme-idp/activity", "activity/file"] {
                let page = olga.get(&format!("/console/acme/{path}?{query}")).await.body;
                for id in &seen {
                    assert!(
                        page.contains(&format!("AAAA-{id}")),
                        "{path} {query} {id}: {page}"
                    );
                }
                for id in &unseen {
                    assert!(
                        !page.contains(&format!("AAAA-{id}")),
                        "{path} {query} {id}: {page}"
                    );
                }
            }
        }
    })
    .await;
}

#[tokio::test]
async fn r189_the_file_holds_everything_that_fits_however_much_that_is() {
    on_each_engine(|app| async move {
        world(&app).await;
        let ids = (0..1234).map(|number| format!("FILE-{number:04}")).collect();
        refused(&app, ids, 2).await;
        refused(&app, vec!["LATE-0000".to_owned()], 0).await;
        let mut olga = sign_in(&app, "olga@acme.example").await;
        let until = day(&app, 1);
        let file = olga
            .get(&format!(
                "/console/acme/activity/file?show=attempts&until={until}"
            ))
            .await;
        assert_eq!(file.headers["content-type"], "text/csv; charset=utf-8");
        let lines: Vec<&str> = file.body.lines().collect();
        assert_eq!(lines[0], "at,what,person,outcome,detail,explanation");
        assert_eq!(lines.len(), 1235, "a head and a line for each");
        for number in 0..1234 {
            let id = format!("FILE-{number:04}");
            assert_eq!(lines.iter().filter(|line| line.contains(&id)).count(), 1, "{id}");
        }
        assert!(!file.body.contains("LATE-0000"));
    })
    .await;
}

#[tokio::test]
async fn r189_what_webhooks_were_told_stands_in_the_activity_of_their_organization_only() {
    on_each_engine(|app| async move {
        world(&app).await;
        let mut olga = sign_in(&app, "olga@acme.example").await;
        act(
            &mut olga,
            "/console/acme/developers/webhooks",
            &[("url", "https://hooks.invalid/calls"), ("kind", "api_key.*")],
        )
        .await;
        let key = [("label", "one"), ("scope", "accounts:read")];
        act(&mut olga, "/console/acme/developers", &key).await;
        crate::webhooks::deliver(&app.app).await.unwrap();
        let page = olga.get("/console/acme/activity?show=events").await.body;
        for text in [
            "Event to a webhook",
            "api_key.created",
            "hooks.invalid",
            "/deliveries/",
        ] {
            assert!(page.contains(text), "{text}: {page}");
        }
        assert!(
            !page.contains("https://hooks.invalid/calls"),
            "the address may hold a secret"
        );
        let all = olga.get("/console/acme/activity").await.body;
        assert!(all.contains("hooks.invalid"), "{all}");
        // It waits for another try: not given up yet. It went through no connection.
        for query in [
            "show=events&refused=1",
            "show=attempts",
            "connection=acme-idp",
            "from=2999-01-01",
        ] {
            let page = olga.get(&format!("/console/acme/activity?{query}")).await.body;
            assert!(!page.contains("hooks.invalid"), "{query}: {page}");
        }
        let opened = page
            .split("/deliveries/")
            .next()
            .unwrap()
            .rsplit('"')
            .next()
            .unwrap();
        let id = page
            .split("/deliveries/")
            .nth(1)
            .unwrap()
            .split('"')
            .next()
            .unwrap();
        let delivery = olga.get(&format!("{opened}/deliveries/{id}")).await;
        assert!(delivery.body.contains("api_key.created"), "{}", delivery.body);
        let mut both = sign_in(&app, "both@acme.example").await;
        let globex = both.get("/console/globex/activity?show=events").await.body;
        assert!(!globex.contains("hooks.invalid"), "{globex}");
    })
    .await;
}

#[tokio::test]
async fn what_happens_while_somebody_looks_comes_as_server_sent_events_and_only_what_fits() {
    on_each_engine(|app| async move {
        world(&app).await;
        let mut olga = sign_in(&app, "olga@acme.example").await;
        let page = olga.get("/console/acme/activity").await;
        let live = |body: &str| {
            let path = body
                .split("data-stream=\"")
                .nth(1)
                .and_then(|rest| rest.split('"').next());
            path.map(|path| path.replace("&#38;", "&").replace("&amp;", "&"))
        };
        let path = live(&page.body).unwrap();
        assert!(path.starts_with("/console/acme/activity/live?"), "{path}");
        // What is older, and what ended before, does not grow.
        for still in ["until=2026-01-01", "after=1~2~3~4"] {
            let page = olga.get(&format!("/console/acme/activity?{still}")).await;
            assert_eq!(live(&page.body), None, "{still}");
        }
        let mia = id_of(&app, "mia@acme.example").await;
        app.app.world.advance(SignedDuration::from_secs(1));
        act(&mut olga, &format!("/console/acme/users/{mia}/suspend"), &[]).await;
        let event = olga.first_event(&path).await;
        assert!(
            event.starts_with("event: piece\ndata: <ol class=\"timeline\">"),
            "{event}"
        );
        assert!(
            event.contains("Account suspended") && event.contains("Mia"),
            "{event}"
        );
        // The filters of the page hold for what comes, too.
        let page = olga.get("/console/acme/activity?show=attempts").await;
        let attempts = live(&page.body).unwrap();
        assert!(attempts.contains("show=attempts"), "{attempts}");
        app.app.world.advance(SignedDuration::from_secs(1));
        refused(&app, vec!["live-1".to_owned()], 0).await;
        let event = olga.first_event(&attempts).await;
        assert!(
            event.contains("timeline") && !event.contains("Account suspended"),
            "{event}"
        );
        // It is for whoever may see the page.
        let mut both = sign_in(&app, "both@acme.example").await;
        assert_eq!(both.get(&path).await.status, StatusCode::FORBIDDEN);
    })
    .await;
}

#[tokio::test]
async fn a_stream_tells_nothing_more_once_its_session_has_ended() {
    on_each_engine(|app| async move {
        world(&app).await;
        let mut olga = sign_in(&app, "olga@acme.example").await;
        refused(&app, vec!["before".to_owned()], 0).await;
        let live = "/console/acme/activity/live";
        let mut stream = olga.stream(live).await;
        assert!(stream.next().await.unwrap().contains("timeline"));
        let form = olga.get("/logout").await.form("/logout");
        olga.submit(&form, &[]).await;
        app.app.world.advance(SignedDuration::from_secs(1));
        refused(&app, vec!["after".to_owned()], 0).await;
        assert_eq!(stream.next().await, None);
    })
    .await;
}
