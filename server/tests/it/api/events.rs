//! `/api/v1/events`: ordered, at least once, within bounds.

use super::{Client, OTHER, ann_signs_in, furnish};
use crate::app::{TestApp, on_each_engine};
use crate::directory::ORGANIZATION;

/// Follows the feed to its end and returns the kinds of the events.
async fn follow(client: &mut Client, mut cursor: Option<String>, limit: u32) -> (Vec<String>, String) {
    let mut kinds = Vec::new();
    loop {
        let after = cursor
            .map(|cursor| format!("&after={cursor}"))
            .unwrap_or_default();
        let piece = client
            .get(&format!("/api/v1/events?limit={limit}{after}"))
            .await
            .json();
        for event in piece["items"].as_array().unwrap() {
            kinds.push(event["kind"].as_str().unwrap().to_owned());
        }
        let next = piece["cursor"].as_str().unwrap().to_owned();
        if piece["more"] == false {
            return (kinds, next);
        }
        cursor = Some(next);
    }
}

#[tokio::test]
async fn r188_the_feed_is_followed_with_a_cursor_in_pieces_of_any_size() {
    on_each_engine(|app| async move {
        furnish(&app).await;
        let mut client = Client::new(&app, None).await;
        let (whole, cursor) = follow(&mut client, None, 200).await;
        let (piecewise, _) = follow(&mut client, None, 1).await;
        assert_eq!(whole, piecewise);
        for kind in ["user.created", "membership.created", "session.created"] {
            assert!(whole.iter().any(|one| one == kind), "{kind} in {whole:?}");
        }
        let (nothing, cursor) = follow(&mut client, Some(cursor), 50).await;
        assert!(nothing.is_empty(), "{nothing:?}");
        ann_signs_in(&app, &["admin"]).await;
        let (new, _) = follow(&mut client, Some(cursor), 50).await;
        assert_eq!(new, ["session.created"]);
    })
    .await;
}

#[tokio::test]
async fn an_organization_sees_what_happens_to_its_members_and_no_more() {
    on_each_engine(|app| async move {
        furnish(&app).await;
        let mut own = Client::new(&app, Some(ORGANIZATION)).await;
        let (kinds, _) = follow(&mut own, None, 2).await;
        for kind in ["user.created", "membership.created", "session.created"] {
            assert!(kinds.iter().any(|one| one == kind), "{kind} in {kinds:?}");
        }
        // Keys of the whole instance are not the organization's business.
        let mut everything = Client::new(&app, None).await;
        let (all, _) = follow(&mut everything, None, 200).await;
        assert!(all.len() > kinds.len());
        let mut other = Client::new(&app, Some(OTHER)).await;
        let (kinds, _) = follow(&mut other, None, 200).await;
        assert!(kinds.iter().all(|kind| kind.starts_with("api_key.")), "{kinds:?}");
    })
    .await;
}

#[tokio::test]
async fn a_reader_may_wait_for_the_next_event() {
    let app = TestApp::start().await;
    furnish(&app).await;
    let mut client = Client::new(&app, None).await;
    let (_, cursor) = follow(&mut client, None, 200).await;
    let waiting = tokio::spawn(async move {
        client
            .get(&format!("/api/v1/events?wait=20&after={cursor}"))
            .await
            .json()
    });
    ann_signs_in(&app, &["admin"]).await;
    let piece = waiting.await.unwrap();
    assert_eq!(piece["items"][0]["kind"], "session.created", "{piece}");
}
