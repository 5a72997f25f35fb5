//! Commits of PostgreSQL that wait for the disk together. SQLite has one writer, whose jobs share a commit anyway.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use provost_store::{NewEvent, Store, StoreError};
use serde_json::json;
use sqlx::{Connection as _, PgConnection};

use crate::support::*;

/// Writers at once, each of which goes on until it is told to stop.
const WRITERS: usize = 12;
/// How often the connection that has commits written down is taken away.
const LOSSES: usize = 4;

fn event(kind: &str) -> NewEvent {
    NewEvent {
        at: at(5),
        kind: kind.to_owned(),
        actor: "system".to_owned(),
        account: None,
        organization: Some(org()),
        connection: None,
        trace: None,
        data: json!({}),
    }
}

async fn write(store: &Store, kind: String) -> Result<(), StoreError> {
    store
        .write(move |tx| {
            Box::pin(async move {
                tx.record(event(&kind));
                Ok(())
            })
        })
        .await
}

/// Writes until `over`, and returns what was acknowledged.
async fn write_on(store: Store, writer: usize, over: Arc<AtomicBool>) -> Vec<String> {
    let mut kept = Vec::new();
    for number in 0.. {
        if over.load(Ordering::Relaxed) {
            break;
        }
        let kind = format!("written.{writer}.{number}");
        match write(&store, kind.clone()).await {
            Ok(()) => kept.push(kind),
            Err(error) => assert_eq!(error.code(), "unavailable", "{error}"),
        }
    }
    kept
}

/// Ends the connection that has commits written down, if there is one.
async fn take_away(conn: &mut PgConnection, database: &str) -> bool {
    let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1 \
               AND application_name = 'provost commit'";
    let found = sqlx::query(sql).bind(database).fetch_all(conn).await.unwrap();
    !found.is_empty()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn commits_that_wait_together_are_kept_or_called_unknown() {
    let Some((database, name)) = Database::postgres_apart().await else {
        return;
    };
    with_store(Some(database), move |store, database| async move {
        let over = Arc::new(AtomicBool::new(false));
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| tokio::spawn(write_on(store.clone(), writer, Arc::clone(&over))))
            .collect();
        let mut conn = PgConnection::connect(&database.url).await.unwrap();
        let mut losses = 0;
        for _ in 0..400 {
            tokio::time::sleep(std::time::Duration::from_millis(25)).await;
            losses += usize::from(take_away(&mut conn, &name).await);
            if losses == LOSSES {
                break;
            }
        }
        over.store(true, Ordering::Relaxed);
        let mut acknowledged = BTreeSet::new();
        for writer in writers {
            acknowledged.extend(writer.await.unwrap());
        }
        assert_eq!(losses, LOSSES, "writers at once share their wait for the disk");
        assert!(acknowledged.len() > WRITERS, "{}", acknowledged.len());
        write(&store, "written.alone".to_owned()).await.unwrap();
        let events = store
            .read(|reader| Box::pin(reader.events(0, 1_000_000)))
            .await
            .unwrap();
        let gapless = events
            .iter()
            .zip(1..)
            .all(|(event, number)| event.sequence == number);
        assert!(gapless, "no number is missing and none was given twice");
        let written: BTreeSet<String> = events.into_iter().map(|event| event.kind).collect();
        let lost: Vec<_> = acknowledged.difference(&written).collect();
        assert!(lost.is_empty(), "{lost:?}");
        let rows = store.read(|reader| Box::pin(async move { reader.verify_audit(Some(&org())).await }));
        assert!(rows.await.unwrap() > 0);
        store
            .read(|reader| Box::pin(reader.written_down()))
            .await
            .unwrap();
    })
    .await;
}

/// A role that may not have the log written down never shares a commit, so what it sees is on the disk, and it may follow the
/// feed like any other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_role_that_may_not_have_the_log_written_down_still_writes_and_follows() {
    let Some((database, name)) = Database::postgres_apart().await else {
        return;
    };
    with_store(Some(database), move |_, database| async move {
        let role = format!("{name}_limited");
        let refuse = "DO $$ DECLARE f REGPROCEDURE; BEGIN FOR f IN SELECT oid FROM pg_proc \
                      WHERE proname = 'pg_logical_emit_message' LOOP \
                      EXECUTE 'REVOKE EXECUTE ON FUNCTION ' || f || ' FROM PUBLIC'; END LOOP; END $$";
        database
            .execute(&format!(
                "CREATE ROLE {role}; GRANT ALL ON SCHEMA public TO {role}; \
                 GRANT ALL ON ALL TABLES IN SCHEMA public TO {role}; {refuse}"
            ))
            .await;
        let mut config = database.config();
        config.url = format!("{}?options=-c%20role%3D{role}", config.url);
        let store = Store::open(&config).await.unwrap();
        let over = Arc::new(AtomicBool::new(false));
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| tokio::spawn(write_on(store.clone(), writer, Arc::clone(&over))))
            .collect();
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        over.store(true, Ordering::Relaxed);
        let mut acknowledged = 0;
        for writer in writers {
            acknowledged += writer.await.unwrap().len();
        }
        let read = store.read(|reader| {
            Box::pin(async move {
                reader.written_down().await?;
                reader.last_event().await
            })
        });
        assert_eq!(usize::try_from(read.await.unwrap()).unwrap(), acknowledged);
        assert!(acknowledged > 0);
        store.close().await;
        database
            .execute(&format!("DROP OWNED BY {role}; DROP ROLE {role}"))
            .await;
    })
    .await;
}
