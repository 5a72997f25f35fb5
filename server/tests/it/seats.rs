//! Seats: who waits gets one as soon as one is free, oldest first, and never more than there are (C-23).

use jiff::SignedDuration;
use provost::app::App;
use provost::jobs;
use provost_kernel::directory::License;
use provost_kernel::id::OrganizationId;
use provost_kernel::policy::LicenseRule;
use provost_store::StoreError;

use crate::app::{TestApp, on_each_engine};
use crate::directory::{self, ORGANIZATION};
use crate::saml_idp::{self, Person, sign_in};

async fn set_seats(app: &App, seats: u32) {
    app.store
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

/// People with a seat and people who wait, each in order of coming.
async fn seated_and_waiting(app: &App) -> (Vec<String>, Vec<String>, u32) {
    let (members, licenses) = app
        .store
        .read(|reader| {
            Box::pin(async move {
                let id = OrganizationId::new(ORGANIZATION);
                Ok::<_, StoreError>((
                    reader.members(&id, None, 1000).await?,
                    reader.licenses(&id).await?,
                ))
            })
        })
        .await
        .unwrap();
    let mut people: Vec<(String, bool)> = members
        .into_iter()
        .map(|member| {
            let license = member.memberships[0].license.clone().unwrap();
            (member.account.email.unwrap().to_string(), license.seated)
        })
        .collect();
    people.sort();
    let of = |seated: bool| {
        people
            .iter()
            .filter(|(_, held)| *held == seated)
            .map(|(email, _)| email.clone())
            .collect()
    };
    (of(true), of(false), licenses[0].1)
}

async fn come(app: &TestApp, number: u32) {
    app.app.world.advance(SignedDuration::from_secs(1));
    let email = format!("p{number:02}@home-lab.example");
    let person = Person::new(&format!("p-{number}"), &email);
    let page = sign_in(&app.app, &mut app.browser(), "okta", &person).await;
    assert_eq!(page.location().as_deref(), Some("/account"), "{}", page.body);
}

async fn queued(app: &TestApp, seats: u32, people: u32) {
    directory::organization(&app.app).await;
    set_seats(&app.app, seats).await;
    saml_idp::connect(&app.app, "okta", |_| {}).await;
    directory::change_connection(&app.app, "okta", |connection, _| {
        let policy = connection.policy.as_mut().unwrap();
        policy.license = Some(LicenseRule::Fixed("standard".into()));
    })
    .await;
    for number in 0..people {
        come(app, number).await;
    }
}

async fn fill(app: &App) -> anyhow::Result<()> {
    (jobs::kind(jobs::SEATS).unwrap().work)(app, &serde_json::Value::Null).await
}

#[tokio::test]
async fn c23_who_waited_longest_gets_the_seat_that_comes_free() {
    on_each_engine(|app| async move {
        queued(&app, 1, 4).await;
        let (seated, waiting, used) = seated_and_waiting(&app.app).await;
        assert_eq!((seated.len(), waiting.len(), used), (1, 3, 1));
        // Who waits keeps the place in the queue, however often she signs in.
        come(&app, 2).await;
        come(&app, 1).await;
        fill(&app.app).await.unwrap();
        assert_eq!(seated_and_waiting(&app.app).await.2, 1);
        set_seats(&app.app, 3).await;
        fill(&app.app).await.unwrap();
        let (seated, waiting, used) = seated_and_waiting(&app.app).await;
        assert_eq!(
            seated,
            [
                "p00@home-lab.example",
                "p01@home-lab.example",
                "p02@home-lab.example"
            ]
        );
        assert_eq!(waiting, ["p03@home-lab.example"]);
        assert_eq!(used, 3);
    })
    .await;
}

#[tokio::test]
async fn c23_nodes_that_fill_the_same_pool_at_once_never_give_more_seats_than_there_are() {
    on_each_engine(|app| async move {
        queued(&app, 1, 12).await;
        set_seats(&app.app, 6).await;
        let runs: Vec<_> = (0..8)
            .map(|_| {
                let app = app.app.clone();
                tokio::spawn(async move { fill(&app).await })
            })
            .collect();
        for run in runs {
            run.await.unwrap().unwrap();
        }
        let (seated, waiting, used) = seated_and_waiting(&app.app).await;
        assert_eq!((seated.len(), waiting.len(), used), (6, 6, 6));
        let oldest: Vec<String> = (0..6)
            .map(|number| format!("p{number:02}@home-lab.example"))
            .collect();
        assert_eq!(seated, oldest);
    })
    .await;
}

#[tokio::test]
async fn r179_meters_waiting_list_and_history_tell_users_and_readers_apart() {
    on_each_engine(|app| async move {
        queued(&app, 1, 2).await;
        let mut client = crate::api::Client::new(&app, None).await;
        let path = "/api/v1/organizations/home-lab/seats";
        let seats = client.get(path).await.json();
        assert_eq!(
            (&seats["users"], &seats["readers"]),
            (&serde_json::json!(2), &serde_json::json!(0)),
            "{seats}"
        );
        let pool = &seats["pools"][0];
        assert_eq!(
            (&pool["used"], &pool["users"]["used"], &pool["users"]["waiting"]),
            (
                &serde_json::json!(1),
                &serde_json::json!(1),
                &serde_json::json!(1)
            ),
            "{seats}"
        );
        let waiting = client
            .get(&format!("{path}/waiting?license=standard"))
            .await
            .json();
        assert_eq!(waiting["items"].as_array().unwrap().len(), 1, "{waiting}");
        assert!(waiting["items"][0]["since"].is_string(), "{waiting}");
        let whom = waiting["items"][0]["account"].as_str().unwrap().to_owned();
        set_seats(&app.app, 2).await;
        fill(&app.app).await.unwrap();
        let history = client.get(&format!("{path}/history")).await.json();
        let told: Vec<(String, bool)> = history["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| {
                (
                    one["what"].as_str().unwrap().to_owned(),
                    one["account"] == whom.as_str(),
                )
            })
            .collect();
        assert!(
            told.contains(&("waiting".to_owned(), true)) && told.contains(&("taken".to_owned(), true)),
            "{history}"
        );
        assert!(told.contains(&("taken".to_owned(), false)), "{history}");
        assert!(history["items"][0]["trace"].is_string() && history["items"][0]["by"].is_string());
    })
    .await;
}

#[tokio::test]
async fn r179_a_pool_for_readers_gives_users_no_seat() {
    on_each_engine(|app| async move {
        directory::organization(&app.app).await;
        app.app
            .store
            .write(|tx| {
                Box::pin(async move {
                    let license = License {
                        id: "standard".into(),
                        seats: Some(5),
                        kind: Some(provost_kernel::directory::AccountKind::Reader),
                    };
                    tx.set_licenses(&OrganizationId::new(ORGANIZATION), &[license])
                        .await
                })
            })
            .await
            .unwrap();
        saml_idp::connect(&app.app, "okta", |_| {}).await;
        directory::change_connection(&app.app, "okta", |connection, _| {
            connection.policy.as_mut().unwrap().license = Some(LicenseRule::Fixed("standard".into()));
        })
        .await;
        come(&app, 1).await;
        let mut client = crate::api::Client::new(&app, None).await;
        let seats = client.get("/api/v1/organizations/home-lab/seats").await.json();
        assert_eq!(
            (&seats["users"], &seats["pools"][0]["used"]),
            (&serde_json::json!(1), &serde_json::json!(0)),
            "{seats}"
        );
        assert_eq!(seats["pools"][0]["kind"], "reader");
    })
    .await;
}
