//! Opening, migrating, sharing a commit, failing, and secrets at rest.

use std::time::Duration;

use provost_kernel::plan::Change;
use provost_store::{DataKeys, KeyState, SigningKey, Store, StoreConfig, StoreError};
use serde_json::json;
use zeroize::Zeroizing;

use crate::support::*;

async fn revision(store: &Store, name: &'static str) -> i64 {
    store
        .read(|reader| Box::pin(async move { reader.revision(name).await }))
        .await
        .unwrap()
}

conformance! {
    async fn opening_again_migrates_nothing_and_keeps_everything(store, database) {
        seed(&store).await;
        let again = database.open().await;
        assert!(again.read(|reader| Box::pin(async move { reader.organization(&org()).await })).await.unwrap().is_some());
        again.ping().await.unwrap();
        again.close().await;
    }

    async fn an_altered_migration_is_refused(store, database) {
        store.ping().await.unwrap();
        database.execute("UPDATE schema_migrations SET checksum = 'x'").await;
        let error = Store::open(&database.config()).await.unwrap_err();
        assert_eq!(error.code(), "migration");
        assert!(error.to_string().contains("was changed after it ran"), "{error}");
    }

    async fn a_newer_schema_is_refused(store, database) {
        store.ping().await.unwrap();
        database.execute("INSERT INTO schema_migrations (version, name, checksum) VALUES (999, 'x', 'x')").await;
        let error = Store::open(&database.config()).await.unwrap_err();
        assert!(error.to_string().contains("999"), "{error}");
    }

    async fn a_wrong_data_key_is_noticed_at_start(store, database) {
        store.ping().await.unwrap();
        let config = StoreConfig { data_keys: DataKeys::new([8; 32]), ..database.config() };
        assert_eq!(Store::open(&config).await.unwrap_err().code(), "sealed");
        let rotated = DataKeys { current: Zeroizing::new([8; 32]), previous: vec![Zeroizing::new(KEY)] };
        let config = StoreConfig { data_keys: rotated, ..database.config() };
        Store::open(&config).await.unwrap().close().await;
    }

    async fn of_jobs_that_share_a_commit_a_failing_one_undoes_only_itself(store, _) {
        let mut jobs = Vec::new();
        for number in 0..60 {
            let store = store.clone();
            jobs.push(tokio::spawn(async move {
                store
                    .write(move |tx| {
                        Box::pin(async move {
                            tx.bump_revision(&format!("job{number}")).await?;
                            match number % 3 {
                                0 => Err(StoreError::Refused("this one fails")),
                                1 if number % 2 == 0 => panic!("this one panics"),
                                _ => Ok(number),
                            }
                        })
                    })
                    .await
            }));
        }
        for (number, job) in (0..60).zip(jobs) {
            let outcome = job.await.unwrap();
            let kept = store
                .read(move |reader| Box::pin(async move { reader.revision(&format!("job{number}")).await }))
                .await
                .unwrap();
            match (number % 3, number % 2) {
                (0, _) => assert_eq!((outcome.unwrap_err().code(), kept), ("refused", 0)),
                (1, 0) => assert_eq!((outcome.unwrap_err().code(), kept), ("panicked", 0)),
                _ => assert_eq!((outcome.unwrap(), kept), (number, 1)),
            }
        }
    }

    async fn a_failed_statement_in_one_job_does_not_hurt_the_next(store, _) {
        seed(&store).await;
        for round in 0..5 {
            let unknown = connection(&"unknown-organization".into());
            let scope = provost_kernel::connection::Scope::Organization {
                organization: "nowhere".into(),
                shared_with: Vec::new(),
            };
            let unknown = provost_kernel::connection::Connection { scope, ..unknown };
            let error = store
                .write(move |tx| {
                    Box::pin(async move {
                        tx.put_connection(&unknown, &json!({}), &provost_store::SecretMap::default(), "draft", at(1)).await
                    })
                })
                .await
                .unwrap_err();
            assert_eq!(error.to_string(), "the write conflicts with foreign_key");
            let id = format!("p{round}");
            apply(&store, decision(&id, &id, vec![create(account(&id))])).await.unwrap();
        }
    }

    async fn a_caller_that_goes_away_leaves_no_transaction_open(store, _) {
        for _ in 0..20 {
            let writing = store.write(|tx| {
                Box::pin(async move {
                    tx.bump_revision("cancelled").await?;
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    Ok::<_, StoreError>(())
                })
            });
            assert!(tokio::time::timeout(Duration::from_millis(5), writing).await.is_err());
        }
        store.write(|tx| Box::pin(async move { tx.bump_revision("after").await })).await.unwrap();
        // Each went on to its end and counted.
        for _ in 0..100 {
            if revision(&store, "cancelled").await == 20 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert_eq!((revision(&store, "cancelled").await, revision(&store, "after").await), (20, 1));
    }

    async fn an_acknowledged_write_is_there_after_reopening(store, database) {
        seed(&store).await;
        apply(&store, decision("t", "ada", vec![create(account("ada"))])).await.unwrap();
        let other = database.open().await;
        let found = other.read(|reader| Box::pin(async move { reader.account(&"ada".into()).await })).await.unwrap();
        assert_eq!(found, Some(account("ada")));
        other.close().await;
    }

    async fn a_closed_store_says_so(store, _) {
        seed(&store).await;
        store.close().await;
        let error = store.write(|tx| Box::pin(async move { tx.bump_revision("x").await })).await.unwrap_err();
        assert_eq!(error.code(), "closed");
    }

    async fn every_table_is_in_the_backup(store, _) {
        let missing: Result<Vec<String>, StoreError> =
            store.read(|reader| Box::pin(async move { reader.tables_without_backup().await })).await;
        assert_eq!(missing.unwrap(), Vec::<String>::new());
    }

    async fn sealed_secrets_open_again_and_never_show_in_the_database(store, database) {
        seed(&store).await;
        store
            .write(|tx| {
                Box::pin(async move {
                    let key = SigningKey {
                        kid: "k1".to_owned(),
                        algorithm: "ES256".to_owned(),
                        private_key: Zeroizing::new(b"swordfish-in-clear-text".to_vec()),
                        public_jwk: json!({"kty": "EC"}),
                        state: KeyState::Current,
                        not_before: at(0),
                        not_after: None,
                    };
                    tx.insert_signing_key(&key, at(0)).await?;
                    let mut with_session = decision("t", "ada", vec![create(account("ada"))]);
                    with_session.plan.session = Some(open_session("s1", "ada"));
                    apply_in(tx, &with_session).await?;
                    tx.set_session_id_token(&"s1".into(), "swordfish-in-clear-text").await?;
                    let request = provost_store::LoginRequest {
                        id: "r1".to_owned(),
                        connection: okta(),
                        protocol: provost_kernel::connection::Protocol::Oidc,
                        data: json!({"verifier": "swordfish-in-clear-text"}),
                        return_to: json!({}),
                        created_at: at(0),
                        expires_at: at(600),
                    };
                    tx.insert_login_request(&request, "browser")
                })
            })
            .await
            .unwrap();
        let (record, keys, token) = store
            .read(|reader| {
                Box::pin(async move {
                    let record = reader.connection(&okta()).await?.unwrap();
                    let token = reader.session_id_token(&"s1".into()).await?;
                    Ok::<_, StoreError>((record, reader.signing_keys().await?, token))
                })
            })
            .await
            .unwrap();
        assert_eq!(record.secrets.get("client_secret"), Some("swordfish-in-clear-text"));
        assert_eq!(keys[0].private_key.as_slice(), b"swordfish-in-clear-text");
        assert_eq!(token.unwrap().as_str(), "swordfish-in-clear-text");
        assert!(!format!("{record:?}{keys:?}").contains("swordfish"));

        let backup = std::env::temp_dir().join(format!("provost-secrets-{}-{}", std::process::id(), store.engine_name()));
        store.backup(&backup).await.unwrap();
        let text = std::fs::read_to_string(&backup).unwrap();
        std::fs::remove_file(&backup).unwrap();
        assert!(text.contains("home-okta") && !text.contains("swordfish"));
        assert!(!text.contains("73776f7264666973682d696e2d636c6561722d74657874"));
        if let Some(directory) = &database.directory {
            let mut bytes = 0;
            for file in std::fs::read_dir(directory).unwrap() {
                let path = file.unwrap().path();
                let content = std::fs::read(&path).unwrap();
                bytes += content.len();
                assert!(!content.windows(9).any(|window| window == b"swordfish"), "{}", path.display());
            }
            assert!(bytes > 10_000, "the files that were searched hold the database");
        }
    }
}

#[tokio::test]
async fn several_nodes_may_migrate_one_postgresql_database_at_once() {
    let Some(database) = Database::postgres().await else {
        return;
    };
    let tasks: Vec<_> = (0..6)
        .map(|_| {
            let config = database.config();
            tokio::spawn(async move { Store::open(&config).await })
        })
        .collect();
    for task in tasks {
        task.await.unwrap().unwrap().close().await;
    }
    database.remove().await;
}

#[tokio::test]
async fn sqlite_files_are_private_and_memory_databases_refused() {
    with_store(Some(Database::sqlite()), |store, database| async move {
        seed(&store).await;
        let path = database.directory.clone().unwrap().join("provost.db");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(
                std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
                0o600
            );
        }
        assert!(path.exists());
        let memory = StoreConfig {
            url: "sqlite::memory:".to_owned(),
            ..database.config()
        };
        assert_eq!(Store::open(&memory).await.unwrap_err().code(), "refused");
    })
    .await;
}

#[tokio::test]
async fn an_unknown_kind_of_url_is_refused() {
    let database = Database::sqlite();
    let config = StoreConfig {
        url: "mysql://x".to_owned(),
        ..database.config()
    };
    assert_eq!(Store::open(&config).await.unwrap_err().code(), "refused");
    database.remove().await;
}

#[tokio::test]
async fn a_job_that_never_ends_is_not_waited_for_by_readers() {
    with_store(Some(Database::sqlite()), |store, _| async move {
        seed(&store).await;
        let slow = store.clone();
        let writing = tokio::spawn(async move {
            slow.write(|tx| {
                Box::pin(async move {
                    tx.bump_revision("slow").await?;
                    tokio::time::sleep(Duration::from_millis(300)).await;
                    Ok::<_, StoreError>(())
                })
            })
            .await
        });
        tokio::time::sleep(Duration::from_millis(50)).await;
        let read = tokio::time::timeout(Duration::from_millis(200), revision(&store, "slow")).await;
        assert_eq!(
            read.unwrap(),
            0,
            "readers see the committed state and do not wait"
        );
        writing.await.unwrap().unwrap();
        assert_eq!(revision(&store, "slow").await, 1);
        let alert = Change::Alert {
            account: "x".into(),
            code: "c".to_owned(),
            text: "t".to_owned(),
        };
        apply(&store, decision("t", "x", vec![alert])).await.unwrap();
    })
    .await;
}
