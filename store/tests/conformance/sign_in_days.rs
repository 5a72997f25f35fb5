//! Sign-ins by day: counted with each attempt, never from the attempts, except once when the counting begins.

use jiff::SignedDuration;
use provost_kernel::trace::{PASSWORD_SIGN_IN, PROVISION, SIGN_IN, TEST_SIGN_IN, Trace};
use provost_store::{SignInDay, Store, StoreError};

use crate::support::*;

const DAY: i64 = 86_400;
/// The day of `at(0)`.
const FIRST: i64 = 1_800_000_000 / DAY;

async fn attempt(
    store: &Store,
    id: &str,
    kind: &str,
    connection: Option<&str>,
    days: i64,
    verdict: &'static str,
) {
    let trace = Trace {
        id: id.into(),
        at: at(days * DAY),
        kind: kind.to_owned(),
        connection: connection.map(Into::into),
        account: None,
        steps: Vec::new(),
    };
    let kept: Result<(), StoreError> = store
        .write(move |tx| Box::pin(async move { tx.insert_trace(&trace, verdict, None) }))
        .await;
    kept.unwrap();
}

async fn days(store: &Store, connections: Option<&[&str]>, since: i64) -> Vec<(i64, u64, u64)> {
    let connections: Option<Vec<_>> = connections.map(|all| {
        all.iter()
            .map(|id| provost_kernel::id::ConnectionId::new(*id))
            .collect()
    });
    store
        .read(|reader| {
            Box::pin(async move { reader.sign_in_days(connections.as_deref(), FIRST + since).await })
        })
        .await
        .unwrap()
        .into_iter()
        .map(
            |SignInDay {
                 day,
                 admitted,
                 refused,
             }| (day - FIRST, admitted, refused),
        )
        .collect()
}

async fn seed_attempts(store: &Store) {
    attempt(store, "a", SIGN_IN, Some("one"), 0, "admitted").await;
    attempt(store, "b", SIGN_IN, Some("one"), 0, "admitted").await;
    attempt(store, "c", SIGN_IN, Some("one"), 0, "suspended").await;
    attempt(store, "d", SIGN_IN, Some("two"), 0, "no_seat").await;
    attempt(store, "e", SIGN_IN, Some("one"), 3, "admitted").await;
    attempt(store, "f", PASSWORD_SIGN_IN, None, 3, "admitted").await;
    // Neither a test of a draft nor a push is a sign-in.
    attempt(store, "g", TEST_SIGN_IN, Some("one"), 3, "admitted").await;
    attempt(store, "h", PROVISION, Some("one"), 3, "accepted").await;
}

async fn all_is_counted(store: &Store) {
    assert_eq!(days(store, Some(&["one"]), 0).await, [(0, 2, 1), (3, 1, 0)]);
    assert_eq!(
        days(store, Some(&["one", "two"]), 0).await,
        [(0, 2, 2), (3, 1, 0)]
    );
    assert_eq!(days(store, Some(&["one"]), 1).await, [(3, 1, 0)]);
    assert_eq!(days(store, Some(&[]), 0).await, []);
    assert_eq!(days(store, None, 0).await, [(0, 2, 2), (3, 2, 0)]);
}

conformance! {
    async fn sign_ins_are_counted_by_day_for_their_connection_and_for_the_instance(store, _) {
        seed_attempts(&store).await;
        all_is_counted(&store).await;
        // The attempts go, their counts stay.
        let gone = provost_store::Retention { traces_before: at(9 * DAY), ended_before: at(0), jobs_before: at(0) };
        store.write(move |tx| Box::pin(async move { tx.purge(&gone, 500, at(9 * DAY)).await })).await.unwrap();
        all_is_counted(&store).await;
        let late = at(0) + SignedDuration::from_hours(24 * 402);
        store.write(move |tx| Box::pin(async move { tx.purge(&gone, 500, late).await })).await.unwrap();
        assert_eq!(days(&store, None, 0).await, [(3, 2, 0)]);
    }

    async fn many_sign_ins_at_once_are_all_counted(store, _) {
        let mut running = Vec::new();
        for number in 0..60 {
            let store = store.clone();
            running.push(tokio::spawn(async move {
                attempt(&store, &format!("t{number}"), SIGN_IN, Some("one"), 0, "admitted").await;
            }));
        }
        for one in running {
            one.await.unwrap();
        }
        assert_eq!(days(&store, Some(&["one"]), 0).await, [(0, 60, 0)]);
        assert_eq!(days(&store, None, 0).await, [(0, 60, 0)]);
    }

    async fn an_upgrade_counts_the_attempts_that_were_kept_before(store, database) {
        seed_attempts(&store).await;
        database.execute("DROP TABLE sign_in_days; DELETE FROM schema_migrations WHERE version = 87").await;
        let upgraded = database.open().await;
        all_is_counted(&upgraded).await;
        upgraded.close().await;
    }
}
