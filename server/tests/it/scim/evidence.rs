//! What remains of pushes: the request log, alerts, the guard, the report of people who would not be joined, and the jobs.

use jiff::SignedDuration;
use provost::app::App;
use provost::flow::scim::{join_report, log, upkeep, watch};
use provost_store::{Event, ScimRequest, ScimRequestFilter, StoreError};
use serde_json::json;

use super::lab::{self, Directory, person};
use crate::app::on_each_engine;

async fn logged(app: &App, filter: ScimRequestFilter) -> Vec<ScimRequest> {
    log::flush(app).await;
    let found: Result<Vec<ScimRequest>, StoreError> = app
        .store
        .read(|reader| Box::pin(async move { reader.scim_requests(&filter, 100).await }))
        .await;
    found.unwrap()
}

async fn events(app: &App, kind: &str) -> Vec<Event> {
    let all: Result<Vec<Event>, StoreError> = app
        .store
        .read(|reader| Box::pin(async move { reader.events(0, 1000).await }))
        .await;
    all.unwrap()
        .into_iter()
        .filter(|event| event.kind == kind)
        .collect()
}

#[tokio::test]
async fn r162_every_request_is_logged_with_outcome_and_trace_unauthenticated_ones_too() {
    on_each_engine(|test| async move {
        lab::fill(&test.app).await;
        let okta = Directory::of(&test, "okta").await;
        let made = okta.post("/Users", person("ida")).await.expect(201);
        okta.post("/Users", person("ida"))
            .await
            .refused(409, Some("uniqueness"));
        okta.get("/Users?filter=nonsense")
            .await
            .refused(400, Some("invalidFilter"));
        Directory::stranger(&test, "okta")
            .and("user-agent", "Probe/1.0")
            .get("/Users")
            .await
            .refused(401, None);
        let all = logged(&test.app, ScimRequestFilter::default()).await;
        let told: Vec<(&str, u16, &str, Option<&str>)> = all
            .iter()
            .rev()
            .map(|one| {
                (
                    one.action.as_str(),
                    one.status,
                    one.outcome.as_str(),
                    one.code.as_deref(),
                )
            })
            .collect();
        assert_eq!(
            told,
            [
                ("user.create", 201, "done", None),
                ("user.create", 409, "refused", Some("uniqueness")),
                ("user.list", 400, "refused", Some("invalidFilter")),
                ("unknown.get", 401, "unauthenticated", Some("unauthorized")),
            ]
        );
        let first = all.last().unwrap();
        assert_eq!(first.target.as_deref(), Some(made.id().as_str()));
        assert_eq!(
            (first.connection.as_str(), first.version.as_str()),
            ("okta", "2.0")
        );
        assert!(first.token.is_some() && first.duration_us > 0);
        let trace = crate::directory::trace(&test.app, first.trace.as_deref().unwrap()).await;
        assert_eq!(trace.verdict, "admitted");
        let refused = crate::directory::trace(&test.app, all[2].trace.as_deref().unwrap()).await;
        assert_eq!(refused.verdict, "user_name_taken");
        assert_eq!(
            (all[0].token.as_deref(), all[0].user_agent.as_deref()),
            (None, Some("Probe/1.0"))
        );
        let failed = ScimRequestFilter {
            outcomes: vec!["refused".to_owned()],
            connection: Some("okta".to_owned()),
            ..ScimRequestFilter::default()
        };
        assert_eq!(logged(&test.app, failed).await.len(), 2);
    })
    .await;
}

#[tokio::test]
async fn r162_a_full_queue_drops_entries_and_fails_nothing() {
    on_each_engine(|test| async move {
        lab::fill(&test.app).await;
        let okta = Directory::of(&test, "okta").await;
        okta.get("/Schemas").await.expect(200);
        let entry = logged(&test.app, ScimRequestFilter::default()).await.remove(0);
        for number in 0..10_000 {
            log::add(
                &test.app,
                ScimRequest {
                    id: format!("req_{number}"),
                    ..entry.clone()
                },
            );
        }
        okta.get("/Schemas").await.expect(200);
        log::flush(&test.app).await;
        okta.get("/Schemas").await.expect(200);
        assert_eq!(logged(&test.app, ScimRequestFilter::default()).await.len(), 100);
    })
    .await;
}

#[tokio::test]
async fn r169_a_silent_directory_raises_one_alert() {
    on_each_engine(|test| async move {
        lab::fill(&test.app).await;
        let _okta = Directory::of(&test, "okta").await;
        watch::run(&test.app).await.unwrap();
        assert!(events(&test.app, "alert.raised").await.is_empty());
        test.app.world.advance(SignedDuration::from_hours(8 * 24));
        watch::run(&test.app).await.unwrap();
        watch::run(&test.app).await.unwrap();
        let alerts = events(&test.app, "alert.raised").await;
        assert_eq!(alerts.len(), 1, "{alerts:?}");
        assert_eq!(alerts[0].data["code"], "directory_silent");
        assert_eq!(alerts[0].connection.as_ref().unwrap().as_str(), "okta");
    })
    .await;
}

#[tokio::test]
async fn r169_a_directory_that_mostly_fails_raises_an_alert() {
    on_each_engine(|test| async move {
        lab::fill(&test.app).await;
        let okta = Directory::of(&test, "okta").await;
        for _ in 0..25 {
            okta.get("/Users?filter=nonsense").await.expect(400);
        }
        log::flush(&test.app).await;
        watch::run(&test.app).await.unwrap();
        let alerts = events(&test.app, "alert.raised").await;
        assert_eq!(alerts[0].data["code"], "directory_failing");
    })
    .await;
}

#[tokio::test]
async fn too_many_departures_are_held_until_an_admin_approves() {
    on_each_engine(|test| async move {
        lab::fill(&test.app).await;
        lab::change(
            &test.app,
            "scim: { attributes:",
            "scim: { departure_guard: { percent: 20, at_least: 3, minutes: 60 }, attributes:",
        )
        .await;
        let okta = Directory::of(&test, "okta").await;
        let mut ids = Vec::new();
        for number in 0..8 {
            ids.push(okta.hire(&format!("p{number}")).await);
        }
        for id in &ids[..2] {
            okta.delete(&format!("/Users/{id}")).await.expect(204);
        }
        for id in &ids[2..4] {
            let answer = okta.delete(&format!("/Users/{id}")).await.refused(403, None);
            assert!(answer.text.contains("approve"), "{}", answer.text);
        }
        let alerts = events(&test.app, "alert.raised").await;
        assert_eq!(alerts.len(), 1, "told once: {alerts:?}");
        assert_eq!(alerts[0].data["code"], "departures_held");
        assert!(
            !upkeep::approve_departures(&test.app, "nowhere", 60)
                .await
                .unwrap()
        );
        assert!(upkeep::approve_departures(&test.app, "okta", 60).await.unwrap());
        okta.delete(&format!("/Users/{}", ids[2])).await.expect(204);
    })
    .await;
}

#[tokio::test]
async fn c05_people_whose_days_are_over_are_deleted_and_erased() {
    on_each_engine(|test| async move {
        lab::fill(&test.app).await;
        lab::change(
            &test.app,
            "scim: { attributes:",
            "scim: { on_inactive: { delete_after_days: 5 }, attributes:",
        )
        .await;
        let okta = Directory::of(&test, "okta").await;
        let id = okta.hire("ida").await;
        let away = json!([{ "op": "replace", "path": "active", "value": false }]);
        okta.patch(&format!("/Users/{id}"), away).await.expect(200);
        upkeep::expire(&test.app).await.unwrap();
        okta.get(&format!("/Users/{id}")).await.expect(200);
        test.app.world.advance(SignedDuration::from_hours(6 * 24));
        upkeep::expire(&test.app).await.unwrap();
        okta.get(&format!("/Users/{id}")).await.refused(404, None);
        test.app.world.advance(SignedDuration::from_hours(31 * 24));
        upkeep::expire(&test.app).await.unwrap();
        upkeep::expire(&test.app).await.unwrap();
        // Nothing is left but the identifier, so whoever comes is somebody new.
        assert_ne!(okta.hire("ida").await, id);
    })
    .await;
}

#[tokio::test]
async fn a_change_that_touches_many_people_is_carried_on_by_a_job() {
    on_each_engine(|test| async move {
        lab::fill(&test.app).await;
        let okta = Directory::of(&test, "okta").await;
        let mut members = Vec::new();
        for number in 0..210 {
            // The pace of one directory is another test's matter.
            if number % 100 == 0 {
                test.app.world.advance(SignedDuration::from_secs(5));
            }
            members.push(json!({ "value": okta.hire(&format!("p{number}")).await }));
        }
        test.app.world.advance(SignedDuration::from_secs(5));
        let group = json!({ "displayName": "Admins", "members": members });
        okta.post("/Groups", group).await.expect(201);
        let now = test.app.world.now();
        let jobs = test
            .app
            .store
            .write(move |tx| {
                Box::pin(async move {
                    tx.claim_jobs(
                        &[provost::jobs::REEVALUATE],
                        10,
                        SignedDuration::from_secs(60),
                        "t",
                        now,
                    )
                    .await
                })
            })
            .await
            .unwrap();
        assert!(jobs.len() >= 2, "210 people are more than one job's share");
        for job in &jobs {
            upkeep::reevaluate(&test.app, &job.job.payload).await.unwrap();
        }
        let roles: Result<usize, StoreError> = test
            .app
            .store
            .read(|reader| {
                Box::pin(async move {
                    let all = reader.accounts(None, 1000).await?;
                    let holds = |facts: &provost_kernel::facts::AccountFacts| {
                        facts.memberships[0]
                            .roles
                            .iter()
                            .any(|grant| grant.id.as_str() == "admin")
                    };
                    Ok(all.iter().filter(|facts| holds(facts)).count())
                })
            })
            .await;
        assert_eq!(roles.unwrap(), 210);
    })
    .await;
}

#[tokio::test]
async fn r130_the_report_names_whom_a_sign_in_would_not_find() {
    on_each_engine(|test| async move {
        lab::fill(&test.app).await;
        lab::change(
            &test.app,
            "scim: { attributes:",
            "scim: { join_by: [external_id], attributes:",
        )
        .await;
        let okta = Directory::of(&test, "okta").await;
        okta.hire("ida").await;
        let mut body = person("kim");
        body.as_object_mut().unwrap().remove("externalId");
        okta.post("/Users", body).await.expect(201);
        let report = join_report::make(&test.app, "okta").await.unwrap().unwrap();
        assert_eq!((report.people, report.joined, report.ready), (2, 0, 1));
        assert_eq!(report.findings.len(), 1, "{report:?}");
        assert!(report.findings[0].name.starts_with("kim@"));
        assert!(join_report::make(&test.app, "nowhere").await.unwrap().is_none());
    })
    .await;
}
