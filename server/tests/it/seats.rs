//! Seats: who waits gets one as soon as one is free, oldest first, and never more than there are (C-23).

use axum::http::{Method, StatusCode};
use jiff::SignedDuration;
use provost::app::App;
use provost::jobs;
use provost_kernel::directory::License;
use provost_kernel::id::OrganizationId;
use provost_kernel::policy::LicenseRule;
use provost_store::StoreError;
use serde_json::{Value, json};

use crate::api::{Client, code};
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

#[tokio::test]
async fn r179_a_pool_does_not_become_one_for_the_other_kind_while_people_hold_it() {
    on_each_engine(|app| async move {
        directory::organization(&app.app).await;
        let mut client = Client::new(&app, None).await;
        let path = "/api/v1/organizations/home-lab";
        let wanted = async |client: &mut Client, kind: &str| {
            let kind = Some(kind).filter(|kind| !kind.is_empty());
            let stored = client.get(path).await.json();
            let mut body = json!({ "licenses": [{ "id": "standard", "seats": 7, "kind": kind }] });
            for name in ["name", "roles", "workspaces"] {
                body[name] = stored[name].clone();
            }
            body["domains"] = json!([{ "name": directory::DOMAIN, "verified": true }]);
            client.send_json(Method::PUT, path, &body).await
        };
        assert_eq!(wanted(&mut client, "").await.status, StatusCode::OK);
        let held = add(&mut client, "ann", "user").await.json();
        let page = wanted(&mut client, "reader").await;
        assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", page.body);
        let problem = page.json();
        assert_eq!(problem["code"], "invalid_configuration");
        let error = &problem["errors"][0];
        assert_eq!(
            error["path"], "organizations[home-lab].licenses[standard].kind",
            "{problem}"
        );
        assert!(
            error["message"]
                .as_str()
                .unwrap()
                .starts_with("1 of the other kind"),
            "{problem}"
        );
        let pool = client.get(SEATS).await.json()["pools"][0].clone();
        assert_eq!(
            (&pool["used"], pool.get("kind")),
            (&json!(1), None),
            "nothing of it was written: {pool}"
        );
        // For those who hold it, it may; and for the others once nobody does.
        assert_eq!(wanted(&mut client, "user").await.status, StatusCode::OK);
        let account = format!("/api/v1/accounts/{}", held["id"].as_str().unwrap());
        assert!(client.send(Method::DELETE, &account).await.status.is_success());
        let page = wanted(&mut client, "reader").await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.body);
        assert_eq!(client.get(SEATS).await.json()["pools"][0]["kind"], "reader");
        assert_eq!(
            add(&mut client, "rudi", "reader").await.json()["memberships"][0]["license"]["seated"],
            true
        );
    })
    .await;
}

const SEATS: &str = "/api/v1/organizations/home-lab/seats";

/// Sets how many seats users and readers may hold.
async fn limit(operator: &mut Client, seats: Value) {
    let path = "/api/v1/organizations/home-lab/plan";
    let page = operator
        .send_json(Method::PUT, path, &json!({ "seats": seats }))
        .await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.body);
    assert_eq!(page.json()["seats"], seats, "{}", page.body);
}

/// Adds somebody with a license and returns the answer.
async fn add(client: &mut Client, name: &str, kind: &str) -> crate::app::Page {
    let body = json!({
        "email": format!("{name}@home-lab.example"), "kind": kind,
        "memberships": [{ "organization": "home-lab", "license": "standard" }],
    });
    client.post("/api/v1/accounts", &body).await
}

#[tokio::test]
async fn r179_a_plan_limits_seats_of_users_and_of_readers_over_all_pools() {
    on_each_engine(|app| async move {
        directory::organization(&app.app).await;
        set_seats(&app.app, 50).await;
        let mut operator = Client::new(&app, None).await;
        limit(&mut operator, json!({ "users": 1, "readers": 2 })).await;
        for (name, kind, allowed) in [
            ("uma", "user", true),
            ("ulf", "user", false),
            ("rita", "reader", true),
            ("ron", "reader", true),
            ("rob", "reader", false),
        ] {
            let page = add(&mut operator, name, kind).await;
            if allowed {
                assert_eq!(page.status, StatusCode::CREATED, "{name}: {}", page.body);
            } else {
                assert_eq!(
                    (page.status, code(&page).as_str()),
                    (StatusCode::CONFLICT, "no_seat"),
                    "{name}: {}",
                    page.body
                );
            }
        }
        let seen = operator.get(SEATS).await.json();
        assert_eq!(
            seen["seats"],
            json!({
                "users": { "limit": 1, "used": 1, "waiting": 0 },
                "readers": { "limit": 2, "used": 2, "waiting": 0 },
            }),
            "{seen}"
        );
        // A user who becomes a reader would take a reader's seat.
        let uma = directory::accounts(&app.app, "uma@home-lab.example")
            .await
            .remove(0)
            .id;
        let path = format!("/api/v1/accounts/{uma}");
        let reader = json!({ "kind": "reader" });
        let page = operator.send_json(Method::PATCH, &path, &reader).await;
        assert_eq!(code(&page), "no_seat", "{}", page.body);
        // The organization itself changes no plan.
        let mut own = Client::new(&app, Some(ORGANIZATION)).await;
        let more = json!({ "seats": { "users": 9 } });
        let page = own
            .send_json(Method::PUT, "/api/v1/organizations/home-lab/plan", &more)
            .await;
        assert_eq!(page.status, StatusCode::FORBIDDEN, "{}", page.body);
        limit(&mut operator, json!({ "users": 1, "readers": 3 })).await;
        let page = operator.send_json(Method::PATCH, &path, &reader).await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.body);
        let page = add(&mut operator, "ulf", "user").await;
        assert_eq!(
            page.status,
            StatusCode::CREATED,
            "a user's seat came free: {}",
            page.body
        );
        let seen = operator.get(SEATS).await.json();
        assert_eq!(
            (&seen["seats"]["users"]["used"], &seen["seats"]["readers"]["used"]),
            (&json!(1), &json!(3))
        );
    })
    .await;
}

#[tokio::test]
async fn c23_r179_who_finds_no_seat_of_the_kind_waits_and_gets_one_by_itself() {
    on_each_engine(|app| async move {
        queued(&app, 50, 0).await;
        let mut operator = Client::new(&app, None).await;
        limit(&mut operator, json!({ "users": 1 })).await;
        for number in 0..3 {
            come(&app, number).await;
        }
        fill(&app.app).await.unwrap();
        let (seated, waiting, used) = seated_and_waiting(&app.app).await;
        assert_eq!(
            (seated.len(), waiting.len(), used),
            (1, 2, 1),
            "the pool has seats, users have none"
        );
        let seen = operator.get(SEATS).await.json();
        assert_eq!(
            seen["seats"]["users"],
            json!({ "limit": 1, "used": 1, "waiting": 2 }),
            "{seen}"
        );
        limit(&mut operator, json!({ "users": 2 })).await;
        fill(&app.app).await.unwrap();
        let (seated, waiting, _) = seated_and_waiting(&app.app).await;
        assert_eq!(seated, ["p00@home-lab.example", "p01@home-lab.example"]);
        assert_eq!(waiting, ["p02@home-lab.example"]);
        limit(&mut operator, json!({})).await;
        fill(&app.app).await.unwrap();
        assert!(seated_and_waiting(&app.app).await.1.is_empty());
    })
    .await;
}

#[tokio::test]
async fn c23_r179_a_connection_that_refuses_then_refuses_for_the_kind_too() {
    on_each_engine(|app| async move {
        queued(&app, 50, 0).await;
        directory::change_connection(&app.app, "okta", |connection, _| {
            connection.settings.on_no_seat = provost_kernel::connection::OnNoSeat::Refuse;
        })
        .await;
        let mut operator = Client::new(&app, None).await;
        limit(&mut operator, json!({ "users": 1 })).await;
        come(&app, 0).await;
        let person = Person::new("p-1", "p01@home-lab.example");
        let page = sign_in(&app.app, &mut app.browser(), "okta", &person).await;
        assert_eq!(page.status, StatusCode::FORBIDDEN, "{}", page.body);
        let refused = directory::trace(&app.app, &directory::reference(&page)).await;
        assert_eq!(refused.verdict, "no_seat");
    })
    .await;
}

#[tokio::test]
async fn r179_many_programs_at_once_give_no_kind_more_seats_than_it_has() {
    on_each_engine(|app| async move {
        directory::organization(&app.app).await;
        set_seats(&app.app, 50).await;
        let mut operator = Client::new(&app, None).await;
        limit(&mut operator, json!({ "users": 5, "readers": 3 })).await;
        let mut tries = Vec::new();
        for number in 0..24 {
            let mut client = Client::new(&app, None).await;
            tries.push(tokio::spawn(async move {
                let kind = if number % 2 == 0 { "user" } else { "reader" };
                (kind, add(&mut client, &format!("n{number}"), kind).await.status)
            }));
        }
        let mut made = Vec::new();
        for one in tries {
            let (kind, status) = one.await.unwrap();
            assert!(
                matches!(status, StatusCode::CREATED | StatusCode::CONFLICT),
                "{status}"
            );
            if status == StatusCode::CREATED {
                made.push(kind);
            }
        }
        let of = |kind: &str| made.iter().filter(|one| **one == kind).count();
        assert_eq!((of("user"), of("reader")), (5, 3));
        let seen = operator.get(SEATS).await.json();
        assert_eq!(
            (&seen["seats"]["users"]["used"], &seen["seats"]["readers"]["used"]),
            (&json!(5), &json!(3))
        );
    })
    .await;
}

#[tokio::test]
async fn r179_the_history_tells_each_day_by_pool_and_kind() {
    on_each_engine(|app| async move {
        queued(&app, 2, 0).await;
        let count = || async {
            let kind = jobs::kind(jobs::SEAT_DAYS).unwrap();
            (kind.work)(&app.app, &Value::Null).await.unwrap();
        };
        let first = app.app.world.now();
        for number in 0..3 {
            come(&app, number).await;
        }
        count().await;
        count().await;
        app.app.world.advance(SignedDuration::from_hours(48));
        set_seats(&app.app, 5).await;
        fill(&app.app).await.unwrap();
        count().await;
        let day = |hours: i64| {
            let at = first + SignedDuration::from_hours(hours);
            at.strftime("%Y-%m-%d").to_string()
        };
        // A key of the test lives for a day.
        let mut operator = Client::new(&app, None).await;
        let path = format!("{SEATS}/history/days?from={}&to={}", day(-24), day(48));
        let seen = operator.get(&path).await.json();
        let series = seen["series"].as_array().unwrap();
        let of = |license: Value, kind: &str| -> Vec<Value> {
            let mut found = series.iter();
            let one = found.find(|one| one["license"] == license && one["kind"] == kind);
            one.map_or_else(Vec::new, |one| one["days"].as_array().unwrap().clone())
        };
        let told = |hours: i64, used: u32, waiting: u32, seats: u32| {
            json!({ "day": day(hours), "used": used, "most": used, "waiting": waiting, "seats": seats })
        };
        // The day between was not counted, and is like the one before.
        let expected = [told(0, 2, 1, 2), told(24, 2, 1, 2), told(48, 3, 0, 5)];
        assert_eq!(of(json!("standard"), "user"), expected, "{seen}");
        assert_eq!(of(Value::Null, "user").len(), 3, "all pools together: {seen}");
        assert!(of(json!("standard"), "reader").is_empty(), "no reader ever had one: {seen}");
        for wrong in [
            format!("from={}&to={}", day(48), day(24)),
            format!("from={}", day(-24 * 400)),
            "from=yesterday".to_owned(),
        ] {
            let page = operator.get(&format!("{SEATS}/history/days?{wrong}")).await;
            assert_eq!(page.status, StatusCode::BAD_REQUEST, "{wrong}: {}", page.body);
            assert_eq!(code(&page), "invalid_query");
        }
    })
    .await;
}

#[tokio::test]
async fn r102_who_is_deleted_by_hand_gives_the_seat_to_whoever_waits_and_waits_on_coming_back() {
    on_each_engine(|app| async move {
        queued(&app, 1, 2).await;
        let mut operator = Client::new(&app, None).await;
        let [first, second] = ["p00", "p01"].map(|name| format!("{name}@home-lab.example"));
        let id = directory::accounts(&app.app, &first).await.remove(0).id;
        app.app.world.advance(SignedDuration::from_secs(1));
        let path = format!("/api/v1/accounts/{id}");
        let page = operator.send(Method::DELETE, &path).await;
        assert!(page.status.is_success(), "{}", page.body);
        assert_eq!(seated_and_waiting(&app.app).await.2, 0, "free at once");
        fill(&app.app).await.unwrap();
        let (seated, _, used) = seated_and_waiting(&app.app).await;
        assert_eq!((seated, used), (vec![second.clone()], 1));
        assert_eq!(
            operator.get(SEATS).await.json()["seats"]["users"]["waiting"],
            0,
            "nobody waits"
        );
        // Somebody new waits by now; whoever comes back stands behind.
        come(&app, 2).await;
        app.app.world.advance(SignedDuration::from_secs(1));
        let page = operator.send(Method::POST, &format!("{path}/restore")).await;
        assert!(page.status.is_success(), "{}", page.body);
        let waiting = operator.get(&format!("{SEATS}/waiting")).await.json();
        let queue: Vec<&str> = waiting["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["email"].as_str().unwrap())
            .collect();
        assert_eq!(queue, ["p02@home-lab.example", first.as_str()], "{waiting}");
        set_seats(&app.app, 3).await;
        fill(&app.app).await.unwrap();
        let (seated, waiting, used) = seated_and_waiting(&app.app).await;
        assert_eq!((seated.len(), waiting.len(), used), (3, 0, 3));
        // With a free seat a restored person has one at once.
        operator.send(Method::DELETE, &path).await;
        operator.send(Method::POST, &format!("{path}/restore")).await;
        assert_eq!(seated_and_waiting(&app.app).await.2, 3);
        let page = operator.send(Method::POST, &format!("{path}/deactivate")).await;
        assert!(page.status.is_success(), "{}", page.body);
        assert_eq!(
            seated_and_waiting(&app.app).await.2,
            2,
            "as the connection wants it (R-166)"
        );
    })
    .await;
}
