//! Background jobs: run once, on some node, again after failure, finished at shutdown.

use std::time::Duration;

use provost::jobs::{self, Runner};
use provost_store::{JobRecord, StoreError};

use crate::app::{TestApp, on_each_engine};

async fn job(app: &provost::app::App, id: &str) -> JobRecord {
    let id = id.to_owned();
    let found: Result<_, StoreError> = app
        .store
        .read(|reader| Box::pin(async move { reader.job(&id).await }))
        .await;
    found.unwrap().unwrap()
}

#[tokio::test]
async fn recurring_jobs_are_queued_once_for_each_slot_by_whichever_node_is_first() {
    on_each_engine(|app| async move {
        let other = app.second_node().await;
        let (stop, stopped) = tokio::sync::watch::channel(false);
        let runners = [
            Runner::start(app.app.clone(), stopped.clone()),
            Runner::start(other, stopped),
        ];
        let slot = app.app.world.now().as_second() / 600;
        let key = format!("{}:{slot}", jobs::HOUSEKEEPING);
        tokio::time::sleep(Duration::from_millis(600)).await;
        // The slot is taken, so a third node cannot queue it again.
        let job = jobs::new_job(
            &app.app.world,
            jobs::HOUSEKEEPING,
            Some(key),
            serde_json::Value::Null,
        )
        .unwrap();
        let now = app.app.world.now();
        let queued: Result<bool, StoreError> = app
            .app
            .store
            .write(move |tx| Box::pin(async move { tx.enqueue(&job, now).await }))
            .await;
        assert!(!queued.unwrap());
        stop.send(true).unwrap();
        for runner in runners {
            tokio::time::timeout(Duration::from_secs(5), runner)
                .await
                .expect("the runner ends")
                .unwrap();
        }
    })
    .await;
}

#[tokio::test]
async fn a_rung_job_runs_at_once_and_ends_as_done() {
    let app = TestApp::start().await;
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let runner = Runner::start(app.app.clone(), stopped);
    let job_id = {
        let job = jobs::new_job(&app.app.world, jobs::HOUSEKEEPING, None, serde_json::Value::Null).unwrap();
        let (id, now) = (job.id.clone(), app.app.world.now());
        let queued: Result<bool, StoreError> = app
            .app
            .store
            .write(move |tx| Box::pin(async move { tx.enqueue(&job, now).await }))
            .await;
        assert!(queued.unwrap());
        app.app.ring_jobs();
        id
    };
    for _ in 0..100 {
        let record = job(&app.app, &job_id).await;
        if record.attempts == 1 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    stop.send(true).unwrap();
    runner.await.unwrap();
    let record = job(&app.app, &job_id).await;
    assert_eq!(
        (record.attempts, record.last_error, record.dead_at),
        (1, None, None)
    );
}
