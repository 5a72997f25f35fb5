//! Webhooks: who hears of what, in which order, and what a failure holds up.

use jiff::SignedDuration;
use provost_store::{
    Attempt, Delivery, DeliveryFilter, DeliveryState, NewEvent, SecretMap, Settled, Store, StoreError, Tried,
    Webhook,
};
use serde_json::json;

use crate::support::*;

const LEASE: SignedDuration = SignedDuration::from_secs(60);

/// A webhook of the seeded organization.
pub(crate) fn webhook(id: &str) -> Webhook {
    let mut secrets = SecretMap::default();
    secrets.set("current", "whsec_secret");
    Webhook {
        id: id.to_owned(),
        organization: Some(org()),
        url: "https://app.example/hooks".to_owned(),
        description: None,
        kinds: vec!["user.*".to_owned()],
        enabled: true,
        secrets,
        previous_until: None,
        failing_since: None,
        disabled_reason: None,
        created_at: at(1),
    }
}

async fn happen(store: &Store, events: &[(&str, &str, bool)]) {
    let events: Vec<NewEvent> = events
        .iter()
        .map(|(kind, account, is_ours)| NewEvent {
            at: at(5),
            kind: (*kind).to_owned(),
            actor: "system".to_owned(),
            account: Some((*account).into()),
            organization: Some(if *is_ours { org() } else { "elsewhere".into() }),
            connection: None,
            trace: None,
            data: json!({}),
        })
        .collect();
    store
        .write(move |tx| {
            Box::pin(async move {
                for event in events {
                    tx.record(event);
                }
                Ok::<_, StoreError>(())
            })
        })
        .await
        .unwrap();
}

fn tried(delivery: &Delivery, settled: Settled) -> Tried {
    let error = (settled != Settled::Delivered).then(|| "answered 500".to_owned());
    Tried {
        attempt: Attempt {
            at: at(20),
            status: Some(500),
            error,
            answer: None,
            milliseconds: 4,
        },
        delivery: delivery.clone(),
        settled,
    }
}

conformance! {
    async fn what_webhooks_were_told_is_listed_by_when_it_was_queued(store, _) {
        seed(&store).await;
        let hook = webhook("whk_own");
        store.write(move |tx| Box::pin(async move { tx.insert_webhook(&hook).await })).await.unwrap();
        for (place, subject) in [(10, "ada"), (20, "bob"), (30, "ada")] {
            happen(&store, &[("user.updated", subject, true)]).await;
            store.write(move |tx| Box::pin(async move { tx.spread_events(at(place)).await })).await.unwrap();
        }
        let list = |filter: DeliveryFilter, limit| {
            let store = store.clone();
            async move {
                let found = store.read(move |reader| Box::pin(async move { reader.deliveries_where("whk_own", &filter, limit).await })).await;
                found.unwrap()
            }
        };
        let times = |found: &[Delivery]| found.iter().map(|one| one.created_at).collect::<Vec<_>>();
        let first = list(DeliveryFilter::default(), 2).await;
        assert_eq!(times(&first), [at(30), at(20)]);
        let next = DeliveryFilter { before: Some((first[1].created_at, first[1].id.clone())), ..DeliveryFilter::default() };
        assert_eq!(times(&list(next, 2).await), [at(10)]);
        let ada = DeliveryFilter { subject: Some("ada".to_owned()), ..DeliveryFilter::default() };
        assert_eq!(times(&list(ada, 9).await), [at(30), at(10)]);
        let between = DeliveryFilter { since: Some(at(10)), until: Some(at(30)), ..DeliveryFilter::default() };
        assert_eq!(times(&list(between, 9).await), [at(20), at(10)]);
        let failed = DeliveryFilter { state: Some(DeliveryState::Failed), ..DeliveryFilter::default() };
        assert!(list(failed, 9).await.is_empty());
    }

    async fn r188_each_hears_of_its_own_and_of_one_account_only_the_oldest_is_ready(store, _) {
        seed(&store).await;
        let insert = |hook: Webhook| {
            let store = store.clone();
            async move {
                store.write(move |tx| Box::pin(async move { tx.insert_webhook(&hook).await })).await.unwrap();
            }
        };
        happen(&store, &[("user.created", "before", true)]).await;
        insert(webhook("whk_own")).await;
        insert(Webhook { organization: None, kinds: Vec::new(), ..webhook("whk_all") }).await;
        happen(
            &store,
            &[
                ("user.created", "ada", true),
                ("user.created", "eve", false),
                ("membership.created", "ada", true),
                ("user.updated", "ada", true),
                ("user.created", "bob", true),
            ],
        )
        .await;
        store
            .write(move |tx| {
                Box::pin(async move {
                    assert!(tx.webhooks_behind().await?.feed);
                    assert!(!tx.spread_events(at(10)).await?);
                    assert!(!tx.webhooks_behind().await?.feed);
                    let kinds = |found: &[Delivery]| found.iter().map(|one| format!("{} {}", one.kind, one.subject)).collect::<Vec<_>>();
                    let own = tx.deliveries("whk_own", None, None, 9).await?;
                    assert_eq!(kinds(&own), ["user.created bob", "user.updated ada", "user.created ada"]);
                    assert_eq!(tx.deliveries("whk_all", None, None, 9).await?.len(), 5);
                    assert_eq!(tx.claim_webhooks(1, LEASE, at(11)).await?, ["whk_all"]);
                    assert_eq!(tx.claim_webhooks(9, LEASE, at(11)).await?, ["whk_own"], "each by one node");
                    let due = tx.due_deliveries("whk_own", 9, at(11)).await?;
                    assert_eq!(kinds(&due), ["user.created ada", "user.created bob"]);
                    let outcome = [tried(&due[0], Settled::Again(at(30))), tried(&due[1], Settled::Delivered)];
                    assert_eq!(tx.settle_webhook("whk_own", &outcome, None).await?, None, "something arrived");
                    assert!(tx.due_deliveries("whk_own", 9, at(29)).await?.is_empty());
                    assert!(tx.claim_webhooks(9, LEASE, at(29)).await?.is_empty(), "nothing is due");
                    assert_eq!(tx.claim_webhooks(9, LEASE, at(30)).await?, ["whk_own"]);
                    let due = tx.due_deliveries("whk_own", 9, at(30)).await?;
                    let failing = tx.settle_webhook("whk_own", &[tried(&due[0], Settled::GivenUp)], Some(at(50))).await?;
                    assert_eq!(failing, Some(at(20)));
                    assert!(tx.claim_webhooks(9, LEASE, at(49)).await?.is_empty(), "it rests");
                    let due = tx.due_deliveries("whk_own", 9, at(50)).await?;
                    assert_eq!(kinds(&due), ["user.updated ada"], "what waited is next");
                    let failed = tx.deliveries("whk_own", Some(DeliveryState::Failed), None, 9).await?;
                    assert_eq!(failed[0].attempts, 2);
                    assert!(tx.replay_delivery("whk_own", &failed[0].id, at(50)).await?);
                    let due = tx.due_deliveries("whk_own", 9, at(50)).await?;
                    assert_eq!(kinds(&due), ["user.created ada"], "the older one is first again");
                    assert_eq!(tx.waiting_deliveries("whk_own").await?, 2);
                    let again = tx.replay_deliveries("whk_own", at(0), true, at(51)).await?;
                    assert_eq!((again.queued, again.until), (1, None), "the one that arrived");
                    Ok::<_, StoreError>(())
                })
            })
            .await
            .unwrap();
    }

    async fn r188_one_that_was_off_catches_up_with_what_it_missed(store, _) {
        seed(&store).await;
        happen(&store, &[("user.created", "before", true)]).await;
        let (own, other) = (webhook("whk_own"), webhook("whk_other"));
        store
            .write(move |tx| {
                Box::pin(async move {
                    tx.insert_webhook(&own).await?;
                    tx.insert_webhook(&other).await?;
                    assert!(tx.switch_webhook("whk_own", false, Some("why"), at(2)).await?);
                    assert!(!tx.switch_webhook("whk_own", false, None, at(2)).await?, "it is off already");
                    Ok::<_, StoreError>(())
                })
            })
            .await
            .unwrap();
        happen(&store, &[("user.created", "ada", true), ("user.created", "eve", false)]).await;
        let spread = || {
            let store = store.clone();
            async move { store.write(|tx| Box::pin(async move { tx.spread_events(at(3)).await })).await.unwrap() }
        };
        spread().await;
        happen(&store, &[("user.updated", "ada", true)]).await;
        store
            .write(|tx| {
                Box::pin(async move {
                    assert!(tx.deliveries("whk_own", None, None, 9).await?.is_empty());
                    assert_eq!(tx.deliveries("whk_other", None, None, 9).await?.len(), 1);
                    assert!(tx.switch_webhook("whk_own", true, None, at(4)).await?);
                    assert_eq!(tx.webhooks_behind().await?.webhooks, ["whk_own"]);
                    Ok::<_, StoreError>(())
                })
            })
            .await
            .unwrap();
        spread().await;
        store
            .write(|tx| {
                Box::pin(async move {
                    assert!(!tx.catch_up_webhook("whk_own", at(5)).await?);
                    let found = tx.deliveries("whk_own", None, None, 9).await?;
                    let kinds: Vec<_> = found.iter().map(|one| one.kind.as_str()).collect();
                    assert_eq!(kinds, ["user.updated", "user.created"], "each once");
                    assert!(tx.webhooks_behind().await?.webhooks.is_empty());
                    Ok::<_, StoreError>(())
                })
            })
            .await
            .unwrap();
    }
}
