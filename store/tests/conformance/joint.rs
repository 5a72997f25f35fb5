//! Transactions that end at the same time, and on PostgreSQL may end as one statement: each is kept or refused as if it had
//! been alone. On SQLite the one writer sees to that.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use provost_kernel::directory::{Grant, License, LicenseGrant, Membership};
use provost_kernel::plan::{Change, Decision};
use provost_store::{Store, StoreError};
use sqlx::{Connection as _, PgConnection};
use tokio::time::timeout;

use crate::races::{at_once, at_once_on};
use crate::support::*;

/// Transactions that come at once.
const AT_ONCE: usize = 12;
/// Rounds of them, at most.
const ROUNDS: usize = 40;

/// A push that makes somebody, with a seat perhaps.
fn joins(id: &str, license: Option<LicenseGrant>) -> Decision {
    with_name(id, id, license)
}

fn with_name(id: &str, user_name: &str, license: Option<LicenseGrant>) -> Decision {
    let mut person = account(id);
    person.user_name = Some(user_name.to_owned());
    let member = Membership {
        roles: vec![Grant {
            id: "member".into(),
            source: rule(),
            pinned: false,
        }],
        ..membership(license)
    };
    let joins = Change::AddMembership {
        account: id.into(),
        membership: member,
    };
    let mut decision = decision(&format!("trc-{id}"), id, vec![create(person), joins]);
    "push".clone_into(&mut decision.trace.kind);
    decision
}

/// How many people were made by how many transactions.
async fn made(conn: &mut PgConnection) -> (i64, i64) {
    sqlx::query_as("SELECT COUNT(*), COUNT(DISTINCT xmin::text) FROM accounts")
        .fetch_one(conn)
        .await
        .unwrap()
}

/// Numbers are without gaps and each chain is whole.
async fn is_whole(store: &Store) -> usize {
    let events = store
        .read(|reader| Box::pin(reader.events(0, 1_000_000)))
        .await
        .unwrap();
    let mut numbered = events.iter().zip(1..);
    assert!(numbered.all(|(event, number)| event.sequence == number));
    for chain in [None, Some(org())] {
        let verified =
            store.read(|reader| Box::pin(async move { reader.verify_audit(chain.as_ref()).await }));
        assert!(verified.await.unwrap() > 0);
    }
    events.len()
}

conformance! {
    /// In each round somebody takes a name that another one takes too, and four want a seat of a pool that has two in all.
    async fn who_ends_with_others_is_kept_or_refused_alone(store, _) {
        seed(&store).await;
        let mut people = BTreeSet::new();
        let mut seats = 0;
        for round in 0..ROUNDS {
            let join = move |store: Store, number: usize| async move {
                let id = format!("p{round:02}-{number:02}");
                let decision = match number {
                    0 | 1 => with_name(&id, &format!("twin-{round}"), None),
                    2..6 => joins(&id, Some(seat("standard", true))),
                    6..9 => joins(&id, Some(seat("open", true))),
                    _ => joins(&id, None),
                };
                (number, id, apply(&store, decision).await)
            };
            let mut twins = 0;
            for (number, id, outcome) in at_once_on(&store, AT_ONCE, join).await {
                match (number, outcome) {
                    (0 | 1, Ok(_)) => twins += 1,
                    (2..6, Ok(_)) => seats += 1,
                    (0 | 1, Err(StoreError::Conflict(what))) => {
                        assert_eq!(what, "accounts_user_name");
                        continue;
                    }
                    (2..6, Err(StoreError::Conflict(what))) => {
                        assert_eq!(what, "license_seats");
                        continue;
                    }
                    (_, outcome) => drop(outcome.unwrap()),
                }
                people.insert(id);
            }
            assert_eq!(twins, 1, "one of two gets the name, in round {round}");
        }
        assert_eq!(seats, 2, "a pool has as many seats as it has");
        let members = store.read(|reader| Box::pin(async move { reader.members(&org(), None, 9_999).await }));
        let members: BTreeSet<String> = members.await.unwrap().iter().map(|member| member.account.id.to_string()).collect();
        assert_eq!(members, people);
        let used = store.read(|reader| Box::pin(async move { reader.licenses(&org()).await })).await.unwrap();
        let used = |id: &str| used.iter().find(|(license, _): &&(License, u32)| license.id.as_str() == id).unwrap().1;
        assert_eq!((used("standard"), used("open")), (2, 3 * u32::try_from(ROUNDS).unwrap()));
        assert_eq!(is_whole(&store).await, 2 * people.len(), "each has two events");
    }

    /// Where nothing is wrong with anybody, several are made by one transaction of PostgreSQL.
    async fn who_comes_at_the_same_time_ends_with_others(store, database) {
        seed(&store).await;
        let mut conn = if database.is_postgres() {
            Some(PgConnection::connect(&database.url).await.unwrap())
        } else {
            None
        };
        let mut rounds = 0;
        for round in 0..ROUNDS {
            let join = move |store: Store, number: usize| async move {
                let license = number.is_multiple_of(2).then(|| seat("open", true));
                apply(&store, joins(&format!("p{round}-{number}"), license)).await.unwrap();
            };
            at_once_on(&store, AT_ONCE, join).await;
            rounds += 1;
            match &mut conn {
                Some(conn) => {
                    let (accounts, transactions) = made(conn).await;
                    if transactions < accounts {
                        break;
                    }
                }
                None if rounds == 3 => break,
                None => {}
            }
        }
        assert!(rounds < ROUNDS, "nobody ended with another one");
        assert_eq!(is_whole(&store).await, 2 * AT_ONCE * rounds);
        let used = store.read(|reader| Box::pin(async move { reader.licenses(&org()).await })).await.unwrap();
        let open = used.iter().find(|(license, _)| license.id.as_str() == "open").unwrap();
        assert_eq!(usize::try_from(open.1).unwrap(), AT_ONCE / 2 * rounds);
    }
}

/// Makes people until `over`, and returns who was acknowledged.
async fn go_on(store: Store, writer: usize, over: Arc<AtomicBool>) -> Vec<String> {
    let mut kept = Vec::new();
    for number in 0.. {
        if over.load(Ordering::Relaxed) {
            break;
        }
        let id = format!("w{writer}-{number}");
        match apply(&store, joins(&id, Some(seat("open", true)))).await {
            Ok(_) => kept.push(id),
            Err(error) => assert_eq!(error.code(), "unavailable", "{error}"),
        }
    }
    kept
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn when_the_connection_that_ends_transactions_is_lost_nothing_acknowledged_is() {
    let Some((database, name)) = Database::postgres_apart().await else {
        return;
    };
    with_store(Some(database), move |store, database| async move {
        const LOSSES: usize = 4;
        seed(&store).await;
        let over = Arc::new(AtomicBool::new(false));
        let writers: Vec<_> = (0..AT_ONCE)
            .map(|writer| tokio::spawn(go_on(store.clone(), writer, Arc::clone(&over))))
            .collect();
        let mut conn = PgConnection::connect(&database.url).await.unwrap();
        let mut losses = 0;
        for _ in 0..400 {
            tokio::time::sleep(Duration::from_millis(25)).await;
            let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1 \
                       AND application_name = 'provost endings'";
            let ended = sqlx::query(sql).bind(&name).fetch_all(&mut conn).await.unwrap();
            losses += ended.len();
            if losses >= LOSSES {
                break;
            }
        }
        over.store(true, Ordering::Relaxed);
        let mut acknowledged = BTreeSet::new();
        for writer in writers {
            acknowledged.extend(writer.await.unwrap());
        }
        assert_eq!(losses, LOSSES, "writers at once end together");
        let members =
            store.read(|reader| Box::pin(async move { reader.members(&org(), None, 99_999).await }));
        let members: BTreeSet<String> = members
            .await
            .unwrap()
            .iter()
            .map(|member| member.account.id.to_string())
            .collect();
        let lost: Vec<_> = acknowledged.difference(&members).collect();
        assert!(lost.is_empty(), "{lost:?}");
        let used = store.read(|reader| Box::pin(async move { reader.licenses(&org()).await }));
        let used = used.await.unwrap();
        let open = used
            .iter()
            .find(|(license, _)| license.id.as_str() == "open")
            .unwrap();
        assert_eq!(usize::try_from(open.1).unwrap(), members.len());
        is_whole(&store).await;
    })
    .await;
}

/// Somebody who needs a row that is locked waits for it alone, however many come at the same time.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nobody_waits_for_a_row_that_only_another_one_needs() {
    let Some((database, _)) = Database::postgres_apart().await else {
        return;
    };
    with_store(Some(database), |store, database| async move {
        seed(&store).await;
        let mut conn = PgConnection::connect(&database.url).await.unwrap();
        sqlx::raw_sql("BEGIN; SELECT * FROM licenses WHERE id = 'open' FOR UPDATE")
            .execute(&mut conn)
            .await
            .unwrap();
        let waits = {
            let store = store.clone();
            tokio::spawn(async move { apply(&store, joins("waits", Some(seat("open", true)))).await })
        };
        let came = Arc::new(AtomicUsize::new(0));
        let join = {
            let (store, came) = (store.clone(), Arc::clone(&came));
            move |number: usize| {
                let (store, came) = (store.clone(), Arc::clone(&came));
                async move {
                    for round in 0..10 {
                        apply(&store, joins(&format!("f{number}-{round}"), None))
                            .await
                            .unwrap();
                        came.fetch_add(1, Ordering::Relaxed);
                    }
                }
            }
        };
        timeout(Duration::from_secs(20), at_once(4, join)).await.unwrap();
        assert_eq!(came.load(Ordering::Relaxed), 40);
        assert!(!waits.is_finished(), "the row is still locked");
        sqlx::raw_sql("COMMIT").execute(&mut conn).await.unwrap();
        waits.await.unwrap().unwrap();
    })
    .await;
}
