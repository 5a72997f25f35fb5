//! Licenses that wait for a pushed person's first sign-in (C-23).

use axum::http::StatusCode;
use provost_kernel::connection::{LicenseAt, OnNoSeat, Provisioning};
use provost_kernel::directory::License;
use provost_kernel::id::OrganizationId;
use provost_kernel::policy::LicenseRule;
use serde_json::{Value, json};

use super::lab::{Directory, token};
use crate::app::{TestApp, on_each_engine};
use crate::directory::{self, ORGANIZATION, reference, trace};
use crate::oidc_idp::OidcIdp;

async fn furnish(test: &TestApp, on_no_seat: OnNoSeat) -> (OidcIdp, Directory) {
    directory::organization(&test.app).await;
    set_seats(test, 1).await;
    let idp = OidcIdp::start(test.app.world.now()).await;
    idp.connect(&test.app, "okta", |_| {}).await;
    directory::change_connection(&test.app, "okta", |connection, _| {
        connection.provisioning = Provisioning::Scim;
        connection.settings.licence_at = LicenseAt::FirstLogin;
        connection.settings.on_no_seat = on_no_seat;
        connection.policy.as_mut().unwrap().license = Some(LicenseRule::Fixed("standard".into()));
    })
    .await;
    let token = token(&test.app, "okta").await;
    (idp, Directory::with(test, "okta", &token))
}

async fn set_seats(test: &TestApp, seats: u32) {
    test.app
        .store
        .write(move |tx| {
            Box::pin(async move {
                let license = License {
                    id: "standard".into(),
                    seats: Some(seats),
                    kind: None,
                };
                tx.set_licenses(&OrganizationId::new(ORGANIZATION), &[license])
                    .await
            })
        })
        .await
        .unwrap();
}

fn named(name: &str) -> Value {
    json!({ "sub": format!("00u-{name}"), "email": format!("{name}@home-lab.example"), "email_verified": true })
}

/// Seats in use, and whether a pushed person has one; none where there is no license at all.
async fn seats(test: &TestApp, account: &str) -> (u32, Option<bool>) {
    let account = account.into();
    test.app
        .store
        .read(|reader| {
            Box::pin(async move {
                let used = reader.licenses(&OrganizationId::new(ORGANIZATION)).await?[0].1;
                let known = reader.account_facts(&[account]).await?;
                let license = known[0].memberships[0].license.clone();
                Ok::<_, provost_store::StoreError>((used, license.map(|held| held.seated)))
            })
        })
        .await
        .unwrap()
}

#[tokio::test]
async fn c23_with_licence_at_first_login_a_push_takes_no_seat_and_the_first_sign_in_does() {
    on_each_engine(|test| async move {
        let (idp, okta) = furnish(&test, OnNoSeat::Queue).await;
        let (ida, kim) = (okta.hire("ida").await, okta.hire("kim").await);
        assert_eq!(seats(&test, &ida).await, (0, None));
        let page = idp.sign_in(&mut test.browser(), "okta", &named("ida")).await;
        assert_eq!(page.status, StatusCode::SEE_OTHER, "{}", page.body);
        assert_eq!(seats(&test, &ida).await, (1, Some(true)));
        // The pool is full: who comes next is in and waits.
        let page = idp.sign_in(&mut test.browser(), "okta", &named("kim")).await;
        assert_eq!(page.status, StatusCode::SEE_OTHER, "{}", page.body);
        assert_eq!(seats(&test, &kim).await, (1, Some(false)));
        // A later push of somebody who has signed in changes nothing about it.
        let title = json!([{ "op": "replace", "path": "title", "value": "Lead" }]);
        okta.patch(&format!("/Users/{ida}"), title).await.expect(200);
        assert_eq!(seats(&test, &ida).await, (1, Some(true)));
    })
    .await;
}

#[tokio::test]
async fn c23_a_full_pool_refuses_the_first_sign_in_where_the_connection_says_so() {
    on_each_engine(|test| async move {
        let (idp, okta) = furnish(&test, OnNoSeat::Refuse).await;
        okta.hire("ida").await;
        let kim = okta.hire("kim").await;
        idp.sign_in(&mut test.browser(), "okta", &named("ida")).await;
        let page = idp.sign_in(&mut test.browser(), "okta", &named("kim")).await;
        assert_eq!(page.status, StatusCode::FORBIDDEN, "{}", page.body);
        assert_eq!(trace(&test.app, &reference(&page)).await.verdict, "no_seat");
        assert_eq!(seats(&test, &kim).await, (1, None));
        set_seats(&test, 2).await;
        let page = idp.sign_in(&mut test.browser(), "okta", &named("kim")).await;
        assert_eq!(page.status, StatusCode::SEE_OTHER, "{}", page.body);
        assert_eq!(seats(&test, &kim).await, (2, Some(true)));
    })
    .await;
}
