//! People whom their directory takes out: what is left of them, by setting, and what ends at once.

use jiff::SignedDuration;
use provost::flow::scim::upkeep;
use provost::jobs::Runner;
use provost_kernel::directory::Status;
use serde_json::json;
use tokio::sync::watch;

use super::lab::{self, Directory, person};
use super::sign_in::{ida, pushed};
use crate::api::Client;
use crate::app::{TestApp, on_each_engine};
use crate::directory::accounts;
use crate::openid::lab::{Lab, SECRET, text};
use crate::openid::logout::{Listener, verify, with_listener};

async fn with_setting(test: &TestApp, setting: &str) -> Directory {
    lab::fill(&test.app).await;
    lab::change(
        &test.app,
        "scim: { attributes:",
        &format!("scim: {{ {setting}, attributes:"),
    )
    .await;
    Directory::of(test, "okta").await
}

async fn shown(test: &TestApp, id: &str) -> serde_json::Value {
    Client::new(test, None)
        .await
        .get(&format!("/api/v1/accounts/{id}"))
        .await
        .json()
}

#[tokio::test]
async fn c05_a_soft_deletion_gives_the_same_account_back_within_its_days_and_not_after() {
    on_each_engine(|test| async move {
        let okta = with_setting(&test, "on_delete: soft, restore_days: 10").await;
        let (kept, lost) = (okta.hire("kim").await, okta.hire("lee").await);
        for id in [&kept, &lost] {
            okta.delete(&format!("/Users/{id}")).await.expect(204);
            okta.get(&format!("/Users/{id}")).await.refused(404, None);
            assert_eq!(shown(&test, id).await["status"], "deleted");
        }
        test.app.world.advance(SignedDuration::from_hours(9 * 24));
        upkeep::expire(&test.app).await.unwrap();
        assert_eq!(okta.hire("kim").await, kept);
        test.app.world.advance(SignedDuration::from_hours(2 * 24));
        upkeep::expire(&test.app).await.unwrap();
        assert_ne!(okta.hire("lee").await, lost);
    })
    .await;
}

#[tokio::test]
async fn c05_a_deletion_now_leaves_the_bare_identifier() {
    on_each_engine(|test| async move {
        let okta = with_setting(&test, "on_delete: now").await;
        let id = okta.hire("kim").await;
        okta.delete(&format!("/Users/{id}")).await.expect(204);
        let left = shown(&test, &id).await;
        assert_eq!(
            (&left["status"], left.get("email"), left.get("user_name")),
            (&json!("deleted"), None, None)
        );
        assert_eq!(left["memberships"], json!([]));
        assert!(!left.to_string().contains("kim"), "{left}");
        assert_ne!(okta.hire("kim").await, id);
    })
    .await;
}

#[tokio::test]
async fn c05_a_deletion_may_only_deactivate_and_then_the_account_is_nobody_s_to_push() {
    on_each_engine(|test| async move {
        let okta = with_setting(&test, "on_delete: deactivate").await;
        let id = okta.hire("kim").await;
        okta.delete(&format!("/Users/{id}")).await.expect(204);
        let left = shown(&test, &id).await;
        assert_eq!(
            (&left["status"], &left["user_name"]),
            (&json!("deactivated"), &json!("kim@home-lab.example"))
        );
        // Pushed again, the person who left gets the account back.
        assert_eq!(okta.post("/Users", person("kim")).await.expect(201).id(), id);
        assert_eq!(shown(&test, &id).await["status"], "active");
    })
    .await;
}

#[tokio::test]
async fn r99_a_standard_account_with_the_same_address_outlives_the_deletion() {
    on_each_engine(|test| async move {
        lab::fill(&test.app).await;
        lab::apply(
            &test.app,
            &format!(
                "{}users:\n  - email: kim@home-lab.example\n    memberships: [{{ organization: home-lab }}]\n",
                lab::world()
            ),
        )
        .await;
        let okta = Directory::of(&test, "okta").await;
        let id = okta.hire("kim").await;
        okta.delete(&format!("/Users/{id}")).await.expect(204);
        let left = accounts(&test.app, "kim@home-lab.example").await;
        assert_eq!(left.len(), 1);
        assert_eq!(left[0].authentication, provost_kernel::directory::Authentication::Standard);
        assert_ne!(left[0].status, Status::Deleted);
    })
    .await;
}

#[tokio::test]
async fn r167_a_push_that_takes_a_person_out_ends_refresh_tokens_and_apps_hear_of_it() {
    on_each_engine(|test| async move {
        let (idp, okta) = pushed(&test).await;
        let (ida_id, kim_id) = (okta.hire("ida").await, okta.hire("kim").await);
        let lab = Lab { test };
        let mut listener = Listener::start(0).await;
        lab.register("app", json!({}), Some(SECRET), None).await;
        with_listener(&lab, "app", &listener).await;
        let (stop, stopped) = watch::channel(false);
        let runner = Runner::start(lab.app().clone(), stopped);
        for (id, taken_out) in [(&ida_id, "active"), (&kim_id, "deleted")] {
            let mut claims = ida();
            if taken_out == "deleted" {
                claims["sub"] = json!("00u-kim");
                claims["email"] = json!("kim@home-lab.example");
            }
            let mut browser = lab.test.browser();
            idp.sign_in(&mut browser, "okta", &claims).await;
            let mut rp = lab.rp();
            rp.scope = "openid email offline_access".to_owned();
            let tokens = lab.tokens(&rp, &mut browser).await;
            let path = format!("/Users/{id}");
            if taken_out == "deleted" {
                okta.delete(&path).await.expect(204);
            } else {
                let away = json!([{ "op": "replace", "path": "active", "value": false }]);
                okta.patch(&path, away).await.expect(200);
            }
            let fields = [
                ("grant_type", "refresh_token"),
                ("refresh_token", text(&tokens, "refresh_token")),
            ];
            let page = lab.token("app", &fields).await;
            assert_eq!(page.json()["error"], "invalid_grant", "{taken_out}");
            assert_eq!(
                lab.userinfo(text(&tokens, "access_token")).await.status,
                401,
                "{taken_out}"
            );
            let active = lab.introspect("app", text(&tokens, "access_token")).await;
            assert_eq!(active["active"], false, "{taken_out}");
            let (sub, _) = verify(&lab, "app", &listener.next().await).await;
            assert_eq!(sub, **id, "{taken_out}");
        }
        stop.send(true).unwrap();
        runner.await.unwrap();
    })
    .await;
}
