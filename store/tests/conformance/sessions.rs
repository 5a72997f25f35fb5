//! Sessions and pending sign-ins.

use provost_kernel::connection::Protocol;
use provost_kernel::directory::{Origin, Status};
use provost_kernel::plan::{Change, ProfilePatch};
use provost_store::{CodeUse, LoginRequest, SessionRecord, Store, StoreError};
use serde_json::json;

use crate::races::{code, refresh};
use crate::support::*;

async fn sign_in(store: &Store, session: &str, account_id: &str) {
    let exists = {
        let id = account_id.to_owned();
        store
            .read(|reader| Box::pin(async move { reader.account(&id.as_str().into()).await }))
            .await
            .unwrap()
            .is_some()
    };
    let changes = if exists {
        Vec::new()
    } else {
        vec![create(account(account_id))]
    };
    let mut decision = decision(&format!("trace-{session}"), account_id, changes);
    decision.plan.session = Some(open_session(session, account_id));
    apply(store, decision).await.unwrap();
}

async fn session(store: &Store, id: &'static str) -> SessionRecord {
    store
        .read(|reader| Box::pin(async move { reader.session(&id.into()).await }))
        .await
        .unwrap()
        .unwrap()
}

fn request(id: &str) -> LoginRequest {
    LoginRequest {
        id: id.to_owned(),
        connection: okta(),
        protocol: Protocol::Saml,
        data: json!({"nonce": "n", "verifier": "v"}),
        return_to: json!({"client": "sample-app"}),
        created_at: at(0),
        expires_at: at(600),
    }
}

conformance! {
    /// On PostgreSQL a lock passes over a row that another part of the same statement changes.
    async fn a_sign_in_that_changes_the_profile_opens_its_session(store, _) {
        seed(&store).await;
        sign_in(&store, "s1", "ada").await;
        let named = |name: &str| ProfilePatch { given_name: Some(Some(name.to_owned())), ..ProfilePatch::default() };
        let change = Change::UpdateProfile { account: "ada".into(), version: 1, set: named("Augusta"), before: named("Ada") };
        let mut second = decision("trace-s2", "ada", vec![change]);
        second.plan.session = Some(open_session("s2", "ada"));
        apply(&store, second).await.unwrap();
        assert_eq!(session(&store, "s2").await.account, "ada".into());
        let ada = store.read(|reader| Box::pin(async move { reader.account(&"ada".into()).await })).await.unwrap().unwrap();
        assert_eq!((ada.given_name.as_deref(), ada.version), (Some("Augusta"), 2));
    }

    async fn every_session_that_ends_is_told_once_in_the_feed(store, _) {
        seed(&store).await;
        sign_in(&store, "s1", "ada").await;
        sign_in(&store, "s2", "ada").await;
        sign_in(&store, "s3", "bob").await;
        for _ in 0..2 {
            store.write(|tx| Box::pin(async move { tx.revoke_session(&"s1".into(), "signed_out", at(110)).await })).await.unwrap();
        }
        store
            .write(|tx| Box::pin(async move { tx.revoke_sessions_of_account(&"ada".into(), "password_changed", at(111)).await }))
            .await
            .unwrap();
        let events = store.read(|reader| Box::pin(async move { reader.events(0, 100).await })).await.unwrap();
        let told: Vec<_> = events
            .iter()
            .filter(|event| event.kind == "session.revoked")
            .map(|event| (event.account.as_ref().unwrap().as_str(), event.data.clone()))
            .collect();
        assert_eq!(
            told,
            [
                ("ada", json!({ "session": "s1", "reason": "signed_out" })),
                ("ada", json!({ "session": "s2", "reason": "password_changed" })),
            ]
        );
    }

    async fn a_session_is_found_by_digest_as_it_was_opened(store, _) {
        seed(&store).await;
        sign_in(&store, "s1", "ada").await;
        let found = store.read(|reader| Box::pin(async move { reader.session_by_digest("digest-s1").await })).await;
        let expected = SessionRecord {
            id: "s1".into(),
            account: "ada".into(),
            connection: Some(okta()),
            link: Some(link("ada")),
            upstream_session: Some("up-ada".to_owned()),
            authenticated_at: at(50),
            methods: vec!["pwd".to_owned()],
            class: Some("loa2".to_owned()),
            created_at: at(100),
            last_seen_at: at(100),
            idle_seconds: 600,
            ends_at: at(10_000),
            revoked_at: None,
            revoked_reason: None,
            account_status: Status::Active,
        };
        assert_eq!(found.unwrap(), Some(expected));
        let unknown = store.read(|reader| Box::pin(async move { reader.session_by_digest("s1").await })).await;
        assert_eq!(unknown.unwrap(), None);
    }

    async fn r118_a_session_ends_idle_or_absolutely_and_use_is_noted_once_a_minute(store, _) {
        seed(&store).await;
        sign_in(&store, "s1", "ada").await;
        let touch = |seconds| {
            let store = store.clone();
            async move {
                store.write(move |tx| Box::pin(async move { tx.touch_session(&"s1".into(), at(seconds)).await })).await.unwrap()
            }
        };
        assert!(!touch(130).await);
        assert!(touch(170).await);
        assert!(!touch(200).await);
        let seen = session(&store, "s1").await;
        assert_eq!(seen.last_seen_at, at(170));
        assert!(seen.is_live(at(170 + 600)));
        assert!(!seen.is_live(at(170 + 661)), "idle");
        let busy = SessionRecord { last_seen_at: at(9_990), ..seen };
        assert!(busy.is_live(at(9_999)) && !busy.is_live(at(10_000)), "absolute");
    }

    async fn r167_leaving_active_ends_sessions_codes_and_refresh_tokens_at_once(store, _) {
        seed(&store).await;
        sign_in(&store, "s1", "ada").await;
        sign_in(&store, "s2", "bob").await;
        store
            .write(|tx| {
                Box::pin(async move {
                    tx.put_code(&code("c1"), at(100))?;
                    tx.insert_refresh_token(&refresh("r1"), at(100)).await
                })
            })
            .await
            .unwrap();
        let suspend = Change::SetStatus {
            account: "ada".into(),
            version: 1,
            from: Status::Active,
            to: Status::Suspended,
            origin: Origin::Scim,
        };
        let applied = apply(&store, decision("t2", "ada", vec![suspend])).await.unwrap();
        assert_eq!(applied.revoked_sessions, ["s1".into()]);
        let ended = session(&store, "s1").await;
        assert_eq!((ended.revoked_at, ended.revoked_reason.as_deref()), (Some(at(100)), Some("suspended")));
        assert!(!ended.is_live(at(101)));
        assert!(session(&store, "s2").await.is_live(at(101)));
        let used = store.write(|tx| Box::pin(async move { tx.consume_code("c1", at(110)).await })).await.unwrap();
        assert_eq!(used, CodeUse::Invalid);
        let token = store.read(|reader| Box::pin(async move { reader.refresh_token("r1").await })).await.unwrap().unwrap();
        assert_eq!(token.revoked_at, Some(at(100)));
        // And no session opens for a suspended account, whoever decided that.
        let mut late = decision("t3", "ada", Vec::new());
        late.plan.session = Some(open_session("s3", "ada"));
        assert_eq!(apply(&store, late).await.unwrap_err().to_string(), "the write conflicts with account_status");
    }

    async fn sessions_end_by_subject_and_by_provider_session_within_one_connection(store, _) {
        seed(&store).await;
        sign_in(&store, "s1", "ada").await;
        sign_in(&store, "s2", "ada").await;
        sign_in(&store, "s3", "bob").await;
        store
            .write(|tx| {
                Box::pin(async move {
                    let subject = subject("ada");
                    let none = tx
                        .revoke_sessions_of_subject(&"second".into(), &subject, None, "logout", at(200))
                        .await?;
                    assert_eq!(none, []);
                    let none = tx
                        .revoke_sessions_of_subject(&okta(), &subject, Some("other"), "logout", at(200))
                        .await?;
                    assert_eq!(none, []);
                    assert!(tx.revoke_session(&"s2".into(), "logout", at(200)).await?);
                    assert!(!tx.revoke_session(&"s2".into(), "logout", at(200)).await?);
                    let mine = tx
                        .revoke_sessions_of_subject(&okta(), &subject, Some("up-ada"), "logout", at(200))
                        .await?;
                    assert_eq!(mine, ["s1".into()]);
                    let bobs = tx.revoke_sessions_of_upstream(&okta(), "up-bob", "logout", at(200)).await?;
                    assert_eq!(bobs, ["s3".into()]);
                    Ok::<_, StoreError>(())
                })
            })
            .await
            .unwrap();
    }

    async fn a_session_remembers_its_clients_and_lists_for_the_account(store, _) {
        seed(&store).await;
        sign_in(&store, "s1", "ada").await;
        for (client, seconds) in [("app-b", 1), ("app-a", 2), ("app-b", 3)] {
            store
                .write(move |tx| {
                    Box::pin(async move {
                        tx.add_session_client(&"s1".into(), client, at(seconds));
                        Ok::<_, StoreError>(())
                    })
                })
                .await
                .unwrap();
        }
        let (clients, sessions) = store
            .read(|reader| {
                Box::pin(async move {
                    let sessions = reader.sessions_of_account(&"ada".into(), at(200)).await?;
                    Ok::<_, StoreError>((reader.session_clients(&"s1".into()).await?, sessions))
                })
            })
            .await
            .unwrap();
        assert_eq!(clients, ["app-b", "app-a"]);
        assert_eq!(sessions.len(), 1);
    }

    async fn a_login_request_is_taken_once_by_its_browser_in_time(store, _) {
        seed(&store).await;
        store.write(|tx| Box::pin(async move { tx.insert_login_request(&request("r1"), "browser") })).await.unwrap();
        let take = |connection: &'static str, browser: &'static str, seconds| {
            let store = store.clone();
            async move {
                store
                    .write(move |tx| {
                        Box::pin(async move { tx.take_login_request("r1", &connection.into(), browser, at(seconds)).await })
                    })
                    .await
                    .unwrap()
                    .map(|(request, _)| request)
            }
        };
        assert_eq!(take("home-okta", "stranger", 10).await, None);
        assert_eq!(take("second", "browser", 10).await, None);
        assert_eq!(take("home-okta", "browser", 600).await, None, "expired");
        assert_eq!(take("home-okta", "browser", 599).await, Some(request("r1")));
        assert_eq!(take("home-okta", "browser", 599).await, None);
    }
}
