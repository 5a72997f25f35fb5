//! `/oauth2/token` with refresh tokens: rotation, one repeat for a lost answer, and the end of a family.

use axum::http::header;
use jiff::SignedDuration;
use provost_kernel::plan::{Change, Plan};
use serde_json::{Value, json};

use super::lab::{Lab, SECRET, answer, basic, claims, session_of, text};
use crate::app::{Page, TestApp, on_each_engine};

async fn refresh(lab: &Lab, token: &str) -> Page {
    lab.token(
        "app",
        &[("grant_type", "refresh_token"), ("refresh_token", token)],
    )
    .await
}

async fn good(lab: &Lab, token: &str) -> Value {
    let page = refresh(lab, token).await;
    assert_eq!(page.status, 200, "{}", page.body);
    page.json()
}

async fn first(lab: &Lab) -> Value {
    let mut browser = lab.sign_in(&lab.ada().await, Some("okta")).await;
    let mut rp = lab.rp();
    rp.scope = "openid email offline_access".to_owned();
    lab.tokens(&rp, &mut browser).await
}

#[tokio::test]
async fn each_use_gives_a_new_token_and_fresh_claims() {
    on_each_engine(|test| async move {
        let lab = Lab::new(test).await;
        let mut tokens = first(&lab).await;
        let start = claims(text(&tokens, "id_token"));
        for _ in 0..3 {
            lab.app().world.advance(SignedDuration::from_mins(30));
            let next = good(&lab, text(&tokens, "refresh_token")).await;
            assert_ne!(next["refresh_token"], tokens["refresh_token"]);
            let told = claims(text(&next, "id_token"));
            for name in ["sub", "sid", "auth_time", "iss", "aud"] {
                assert_eq!(told[name], start[name], "{name} (OpenID Connect Core 12.2)");
            }
            assert!(told.get("nonce").is_none());
            assert_eq!(lab.userinfo(text(&next, "access_token")).await.status, 200);
            tokens = next;
        }
    })
    .await;
}

#[tokio::test]
async fn a_lost_answer_is_given_once_more_within_ten_seconds() {
    on_each_engine(|test| async move {
        let lab = Lab::new(test).await;
        let tokens = first(&lab).await;
        let old = text(&tokens, "refresh_token");
        let next = good(&lab, old).await;
        lab.app().world.advance(SignedDuration::from_secs(9));
        let again = good(&lab, old).await;
        assert_eq!(
            again["refresh_token"], next["refresh_token"],
            "the same successor"
        );
        assert_eq!(
            refresh(&lab, old).await.json()["error"],
            "invalid_grant",
            "once only"
        );
        assert_eq!(
            refresh(&lab, text(&next, "refresh_token")).await.json()["error"],
            "invalid_grant",
            "family ended"
        );
        assert_eq!(
            lab.userinfo(text(&again, "access_token")).await.status,
            401,
            "its access tokens too"
        );
    })
    .await;
}

#[tokio::test]
async fn a_stolen_token_ends_the_family_whoever_comes_second() {
    on_each_engine(|test| async move {
        let lab = Lab::new(test).await;
        let tokens = first(&lab).await;
        let old = text(&tokens, "refresh_token");
        let next = good(&lab, old).await;
        lab.app().world.advance(SignedDuration::from_secs(11));
        assert_eq!(refresh(&lab, old).await.json()["error"], "invalid_grant");
        assert_eq!(
            refresh(&lab, text(&next, "refresh_token")).await.json()["error"],
            "invalid_grant"
        );
    })
    .await;
}

#[tokio::test]
async fn a_token_whose_successor_was_used_is_no_lost_answer() {
    let lab = Lab::new(TestApp::start().await).await;
    let tokens = first(&lab).await;
    let old = text(&tokens, "refresh_token");
    let next = good(&lab, old).await;
    let third = good(&lab, text(&next, "refresh_token")).await;
    assert_eq!(
        refresh(&lab, old).await.json()["error"],
        "invalid_grant",
        "within ten seconds, and still"
    );
    assert_eq!(
        refresh(&lab, text(&third, "refresh_token")).await.json()["error"],
        "invalid_grant"
    );
}

#[tokio::test]
async fn another_apps_use_ends_the_family() {
    let lab = Lab::new(TestApp::start().await).await;
    let tokens = first(&lab).await;
    let form = [
        ("grant_type", "refresh_token"),
        ("refresh_token", text(&tokens, "refresh_token")),
    ];
    assert_eq!(lab.token("second", &form).await.json()["error"], "invalid_grant");
    assert_eq!(
        refresh(&lab, text(&tokens, "refresh_token")).await.json()["error"],
        "invalid_grant"
    );
}

#[tokio::test]
async fn parallel_uses_never_make_two_families_out_of_one() {
    on_each_engine(|test| async move {
        let lab = Lab::new(test).await;
        let tokens = first(&lab).await;
        let old = text(&tokens, "refresh_token").to_owned();
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..20 {
            let (mut program, old) = (lab.program(), old.clone());
            program
                .headers
                .insert(header::AUTHORIZATION, basic("app", SECRET).parse().unwrap());
            tasks.spawn(async move {
                program
                    .post(
                        "/oauth2/token",
                        &[("grant_type", "refresh_token"), ("refresh_token", &old)],
                    )
                    .await
            });
        }
        let pages = tasks.join_all().await;
        let mut successors: Vec<String> = pages
            .iter()
            .filter(|page| page.status == 200)
            .map(|page| text(&page.json(), "refresh_token").to_owned())
            .collect();
        assert!(
            (1..=2).contains(&successors.len()),
            "one, and one repeat: {}",
            successors.len()
        );
        assert!(
            pages
                .iter()
                .all(|page| page.status == 200 || page.json()["error"] == "invalid_grant"),
            "{pages:?}"
        );
        successors.dedup();
        assert_eq!(successors.len(), 1);
        assert_eq!(
            refresh(&lab, &successors[0]).await.json()["error"],
            "invalid_grant",
            "twenty uses are a theft"
        );
    })
    .await;
}

#[tokio::test]
async fn refresh_needs_offline_access_in_request_and_registration() {
    let lab = Lab::new(TestApp::start().await).await;
    lab.register("app", json!({ "offline_access": false }), Some(SECRET), None)
        .await;
    let tokens = first(&lab).await;
    assert!(tokens.get("refresh_token").is_none());
    assert!(!text(&tokens, "scope").contains("offline_access"));
    assert_eq!(
        refresh(&lab, "pvr_x").await.json()["error"],
        "unauthorized_client"
    );
}

#[tokio::test]
async fn a_refresh_may_narrow_its_scope_and_never_widen_it() {
    let lab = Lab::new(TestApp::start().await).await;
    let tokens = first(&lab).await;
    let ask = |scope: &'static str, token: String| {
        let lab = &lab;
        async move {
            let form = [
                ("grant_type", "refresh_token"),
                ("refresh_token", token.as_str()),
                ("scope", scope),
            ];
            lab.token("app", &form).await
        }
    };
    let token = text(&tokens, "refresh_token").to_owned();
    assert_eq!(
        ask("openid profile", token.clone()).await.json()["error"],
        "invalid_scope"
    );
    let narrow = ask("openid", token).await;
    assert_eq!(
        narrow.status, 200,
        "a refused scope uses nothing up: {}",
        narrow.body
    );
    let narrow = narrow.json();
    assert!(claims(text(&narrow, "id_token")).get("email").is_none());
    let wide = good(&lab, text(&narrow, "refresh_token")).await;
    assert_eq!(
        claims(text(&wide, "id_token"))["email"],
        "ada@lab.example",
        "the grant itself stays as it was"
    );
}

#[tokio::test]
async fn a_refresh_outlives_idleness_but_not_a_sign_out() {
    on_each_engine(|test| async move {
        let lab = Lab::new(test).await;
        let tokens = first(&lab).await;
        lab.app().world.advance(SignedDuration::from_hours(5));
        let next = good(&lab, text(&tokens, "refresh_token")).await;
        assert_eq!(lab.userinfo(text(&next, "access_token")).await.status, 200);
        let (session, now) = (session_of(&tokens), lab.app().world.now());
        let revoke = lab
            .app()
            .store
            .write(move |tx| Box::pin(async move { tx.revoke_session(&session, "signed_out", now).await }));
        revoke.await.unwrap();
        assert_eq!(
            refresh(&lab, text(&next, "refresh_token")).await.json()["error"],
            "invalid_grant"
        );
        assert_eq!(lab.userinfo(text(&next, "access_token")).await.status, 401);
    })
    .await;
}

#[tokio::test]
async fn families_end_by_idleness_and_by_age() {
    let lab = Lab::new(TestApp::start().await).await;
    let mut tokens = first(&lab).await;
    for _ in 0..6 {
        lab.app().world.advance(SignedDuration::from_hours(13 * 24));
        tokens = good(&lab, text(&tokens, "refresh_token")).await;
    }
    lab.app().world.advance(SignedDuration::from_hours(13 * 24));
    assert_eq!(
        refresh(&lab, text(&tokens, "refresh_token")).await.json()["error"],
        "invalid_grant",
        "91 days"
    );
    let lab = Lab::new(TestApp::start().await).await;
    let tokens = first(&lab).await;
    lab.app().world.advance(SignedDuration::from_hours(14 * 24 + 1));
    assert_eq!(
        refresh(&lab, text(&tokens, "refresh_token")).await.json()["error"],
        "invalid_grant",
        "unused"
    );
}

#[tokio::test]
async fn a_lost_membership_ends_the_refresh_and_a_changed_one_is_told() {
    on_each_engine(|test| async move {
        let lab = Lab::new(test).await;
        let ada = lab.ada().await;
        let mut browser = lab.sign_in(&ada, Some("okta")).await;
        let mut rp = lab.rp();
        rp.scope = "openid offline_access".to_owned();
        let code = answer(&browser.get(&rp.authorize(&[("organization", "lab")])).await)["code"].clone();
        let tokens = lab.redeem(&rp, &code).await;
        let membership = membership(&lab, &ada, "lab").await;
        let edit = provost_kernel::plan::MembershipEdit::RevokeRole { role: "admin".into() };
        let change = Change::UpdateMembership {
            account: ada.clone(),
            organization: "lab".into(),
            version: membership.version,
            edits: vec![edit],
        };
        lab.apply(
            &ada,
            Plan {
                changes: vec![change],
                ..Plan::default()
            },
        )
        .await;
        let next = good(&lab, text(&tokens, "refresh_token")).await;
        let told = claims(text(&next, "id_token"));
        assert_eq!(told["organizations"][0]["roles"], json!([]));
        assert_eq!(told["organization"], "lab");
        let membership = self::membership(&lab, &ada, "lab").await;
        let change = Change::RemoveMembership {
            account: ada.clone(),
            organization: "lab".into(),
            version: membership.version,
            before: Box::new(membership),
        };
        lab.apply(
            &ada,
            Plan {
                changes: vec![change],
                ..Plan::default()
            },
        )
        .await;
        assert_eq!(
            refresh(&lab, text(&next, "refresh_token")).await.json()["error"],
            "invalid_grant"
        );
        assert_eq!(lab.userinfo(text(&next, "access_token")).await.status, 401);
    })
    .await;
}

async fn membership(
    lab: &Lab,
    account: &provost_kernel::id::AccountId,
    organization: &str,
) -> provost_kernel::directory::Membership {
    let wanted = account.clone();
    let read = lab
        .app()
        .store
        .read(|reader| Box::pin(async move { reader.memberships(&wanted).await }));
    read.await
        .unwrap()
        .into_iter()
        .find(|one| one.organization.as_str() == organization)
        .unwrap()
}
