//! Backups go over from either engine to either engine, whole or not at all.

use std::path::PathBuf;

use provost_kernel::plan::Change;
use provost_store::search::{Condition, Field, Operator};
use provost_store::{DataKeys, Store, StoreConfig, StoreError, Webhook};

use crate::search::{group, pushed, search};
use crate::support::*;
use crate::webhooks::webhook;

fn file(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("provost-backup-{}-{name}", std::process::id()));
    let _ = std::fs::remove_file(&path);
    path
}

async fn fill(store: &Store) {
    seed(store).await;
    for number in 0..120 {
        let id = format!("p{number}");
        let join = Change::AddMembership {
            account: id.as_str().into(),
            membership: membership(Some(seat("open", number % 2 == 0))),
        };
        let changes = vec![
            create(account(&id)),
            Change::Link {
                account: id.as_str().into(),
                link: link(&id),
            },
            join,
        ];
        let mut decision = decision(&id, &id, changes);
        decision.plan.session = Some(open_session(&id, &id));
        apply(store, decision).await.unwrap();
    }
    let document = serde_json::json!({"emails": [{"value": "X@y.z"}, {"value": "q@y.z"}]});
    let document = document.as_object().cloned().unwrap();
    let changes = vec![
        pushed(account("pushed"), document),
        group("g1", "Staff"),
        Change::AddGroupMembers {
            group: "g1".into(),
            accounts: vec!["p1".into(), "pushed".into()],
        },
    ];
    apply(store, decision("directory", "pushed", changes))
        .await
        .unwrap();
    // Of the instance: the account below is nobody's member.
    let hook = Webhook {
        organization: None,
        ..webhook("whk_1")
    };
    store
        .write(move |tx| Box::pin(async move { tx.insert_webhook(&hook).await }))
        .await
        .unwrap();
    apply(store, decision("told", "told", vec![create(standard("told"))]))
        .await
        .unwrap();
    store
        .write(|tx| Box::pin(async move { tx.spread_events(at(9)).await }))
        .await
        .unwrap();
}

/// Everything that matters, as one value.
async fn contents(store: &Store) -> String {
    store
        .snapshot(|reader| {
            Box::pin(async move {
                let people = reader.accounts(None, 1000).await?;
                let events = reader.events(0, 10_000).await?;
                let connections = reader.connections(None, 100).await?;
                let secret = connections[0].secrets.get("client_secret").map(str::to_owned);
                let licenses = reader.licenses(&org()).await?;
                let audit = reader.verify_audit(None).await?;
                let session = reader.session(&"p7".into()).await?;
                let by_email = Condition::text(Field::attribute("emails"), Operator::Equal, "x@Y.z", false);
                let found = reader.search_users(&search(by_email)).await?;
                assert_eq!(found.total, Some(1));
                let size = reader.directory_size(&okta()).await?;
                assert_eq!(size, (121, 121));
                let directory = reader.directory_group(&okta(), &"g1".into()).await?;
                let groups = reader.groups_of(&["p1".into(), "pushed".into()]).await?;
                let webhook = reader.webhook("whk_1").await?.unwrap();
                assert_eq!(webhook.secrets.get("current"), Some("whsec_secret"));
                let deliveries = reader.deliveries("whk_1", None, None, 9).await?;
                assert_eq!(deliveries.len(), 1);
                assert!(reader.has_due_webhook(at(9)).await?);
                Ok::<_, StoreError>(format!(
                    "{people:?}{events:?}{connections:?}{secret:?}{licenses:?}{audit:?}{session:?}{found:?}{directory:?}{groups:?}{deliveries:?}"
                ))
            })
        })
        .await
        .unwrap()
}

async fn round_trip(from: Option<Database>, to: Option<Database>, name: &'static str) {
    let Some(to) = to else { return };
    with_store(from, |source, _| async move {
        fill(&source).await;
        let path = file(name);
        let saved = source.backup(&path).await.unwrap();
        assert_eq!(
            source.backup(&path).await.unwrap_err().code(),
            "backup",
            "never overwrites"
        );
        assert!(path.exists());
        let expected = contents(&source).await;
        with_store(Some(to), |target, _| async move {
            assert_eq!(target.restore(&path).await.unwrap(), saved);
            assert_eq!(contents(&target).await, expected);
            // It goes on from there.
            apply(
                &target,
                decision("later", "later", vec![create(account("later"))]),
            )
            .await
            .unwrap();
            let last = target
                .read(|reader| Box::pin(async move { reader.last_event().await }))
                .await
                .unwrap();
            let newest = target
                .read(|reader| Box::pin(async move { reader.events(last - 1, 9).await }))
                .await
                .unwrap();
            assert_eq!(newest[0].account, Some("later".into()));
            assert_eq!(
                target.restore(&path).await.unwrap_err().to_string(),
                "refused: the database is not empty"
            );
            std::fs::remove_file(&path).unwrap();
        })
        .await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn from_sqlite_to_sqlite() {
    round_trip(Some(Database::sqlite()), Some(Database::sqlite()), "ss").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn from_sqlite_to_postgres() {
    round_trip(Some(Database::sqlite()), Database::postgres().await, "sp").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn from_postgres_to_sqlite() {
    let Some(from) = Database::postgres().await else {
        return;
    };
    round_trip(Some(from), Some(Database::sqlite()), "ps").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn from_postgres_to_postgres() {
    round_trip(Database::postgres().await, Database::postgres().await, "pp").await;
}

conformance! {
    async fn a_cut_or_foreign_file_restores_nothing(store, database) {
        let path = file(&format!("cut-{}", store.engine_name()));
        let source = Database::sqlite();
        with_store(Some(source), |source, _| {
            let path = path.clone();
            async move {
                fill(&source).await;
                source.backup(&path).await.unwrap();
            }
        })
        .await;
        let whole = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<&str> = whole.lines().collect();
        let cut = lines[..lines.len() - 1].join("\n");
        let shorter = [&lines[..lines.len() - 40], &lines[lines.len() - 1..]].concat().join("\n");
        let injected = whole.replacen("\"name\":\"accounts\"", "\"name\":\"accounts; DROP TABLE meta\"", 1);
        assert_ne!(injected, whole);
        for text in [cut, shorter, injected, "hello".to_owned(), String::new(), "{\"row\":[1]}\n".to_owned()] {
            std::fs::write(&path, text).unwrap();
            assert_eq!(store.restore(&path).await.unwrap_err().code(), "backup");
        }
        let missing = store.restore(&PathBuf::from("/nonexistent/file")).await.unwrap_err();
        assert_eq!(missing.code(), "backup");
        // Nothing stayed, so the whole file still fits.
        std::fs::write(&path, &whole).unwrap();
        store.close().await;
        let config = StoreConfig { data_keys: DataKeys::new(KEY), ..database.config() };
        let store = Store::open(&config).await.unwrap();
        store.restore(&path).await.unwrap();
        assert!(store.read(|reader| Box::pin(async move { reader.account(&"p1".into()).await })).await.unwrap().is_some());
        store.close().await;
        std::fs::remove_file(&path).unwrap();
    }

    async fn a_backup_of_another_data_key_is_refused(store, _) {
        let path = file(&format!("key-{}", store.engine_name()));
        let other = Database::sqlite();
        let config = StoreConfig { data_keys: DataKeys::new([9; 32]), ..other.config() };
        let source = Store::open(&config).await.unwrap();
        source.backup(&path).await.unwrap();
        source.close().await;
        other.remove().await;
        assert_eq!(store.restore(&path).await.unwrap_err().code(), "sealed");
        std::fs::remove_file(&path).unwrap();
    }
}
