//! What policies need beside themselves: last claims, held changes, the queue for seats, notes of strips, an
//! organization's part of the feed.

use provost_kernel::id::{AccountId, ConnectionId, OrganizationId};
use provost_kernel::plan::{Change, MembershipEdit};
use provost_store::{ChangeState, LastClaims, NewEvent, PolicyChange, Store, StoreError};
use serde_json::json;

use crate::support::*;

fn last(account: &str, trace: &str, at_seconds: i64) -> LastClaims {
    LastClaims {
        connection: okta(),
        account: account.into(),
        at: at(at_seconds),
        trace: trace.into(),
        claims: json!({ "claims": { "groups": [trace] } }),
    }
}

async fn keep(store: &Store, last: LastClaims) {
    store
        .write(move |tx| Box::pin(async move { tx.keep_last_claims(&last, false) }))
        .await
        .unwrap();
}

fn change(id: &str, state: ChangeState) -> PolicyChange {
    PolicyChange {
        id: id.to_owned(),
        connection: okta(),
        connection_version: 1,
        state,
        policies: json!({ "policy": {} }),
        impact: json!({ "accounts": 3 }),
        asked_by: "operator".to_owned(),
        asked_at: at(1),
        settled_by: None,
        settled_at: None,
    }
}

async fn member(store: &Store, id: &str, seated: bool) {
    let join = Change::AddMembership {
        account: id.into(),
        membership: membership(Some(seat("standard", seated))),
    };
    apply(
        store,
        decision(&format!("t-{id}"), id, vec![create(account(id)), join]),
    )
    .await
    .unwrap();
}

conformance! {
    async fn last_claims_are_replaced_listed_by_account_and_gone_with_it(store, _) {
        seed(&store).await;
        for id in ["ada", "bob", "cyd"] {
            apply(&store, decision(&format!("t-{id}"), id, vec![create(account(id))])).await.unwrap();
        }
        keep(&store, last("ada", "first", 1)).await;
        keep(&store, last("ada", "second", 2)).await;
        keep(&store, last("bob", "first", 1)).await;
        // Nobody is stored under this id: a refused stranger leaves nothing.
        keep(&store, last("stranger", "first", 1)).await;
        let found = store
            .read(|reader| Box::pin(async move {
                let ada: AccountId = "ada".into();
                Ok::<_, StoreError>((
                    reader.last_claims(&okta(), &ada).await?,
                    reader.last_claims_page(&okta(), None, 10).await?,
                    reader.last_claims_page(&okta(), Some(&ada), 10).await?,
                    reader.count_last_claims(&okta()).await?,
                    reader.count_without_claims(&okta()).await?,
                ))
            }))
            .await
            .unwrap();
        assert_eq!(found.0, Some(last("ada", "second", 2)));
        assert_eq!(found.1, [last("ada", "second", 2), last("bob", "first", 1)]);
        assert_eq!(found.2, [last("bob", "first", 1)]);
        assert_eq!((found.3, found.4), (2, 1));
    }

    async fn one_change_waits_for_each_connection_and_is_settled_once(store, _) {
        seed(&store).await;
        let (first, second) = (change("pch_1", ChangeState::Held), change("pch_2", ChangeState::Held));
        let settled = store
            .write(move |tx| Box::pin(async move {
                tx.hold_policy_change(&first).await?;
                tx.hold_policy_change(&second).await?;
                let waiting = tx.held_policy_change(&okta()).await?;
                let old = tx.settle_policy_change("pch_1", ChangeState::Approved, "admin", at(2)).await?;
                let new = tx.settle_policy_change("pch_2", ChangeState::Approved, "admin", at(2)).await?;
                let again = tx.settle_policy_change("pch_2", ChangeState::Rejected, "admin", at(3)).await?;
                Ok::<_, StoreError>((waiting.map(|one| one.id), old, new, again))
            }))
            .await
            .unwrap();
        assert_eq!(settled, (Some("pch_2".to_owned()), false, true, false));
        let (all, before, waiting) = store
            .read(|reader| Box::pin(async move {
                Ok::<_, StoreError>((
                    reader.policy_changes(Some(&okta()), None, 10).await?,
                    reader.policy_changes(Some(&okta()), Some("pch_2"), 10).await?,
                    reader.policy_changes(None, None, 10).await?,
                ))
            }))
            .await
            .unwrap();
        let states: Vec<ChangeState> = all.iter().map(|one| one.state).collect();
        assert_eq!(states, [ChangeState::Approved, ChangeState::Superseded]);
        assert_eq!(all[0].settled_by.as_deref(), Some("admin"));
        assert_eq!((before.len(), waiting.len()), (1, 0));
    }

    async fn c23_the_queue_for_a_pool_is_in_order_of_coming_and_passes_over_who_may_not_sign_in(store, _) {
        seed(&store).await;
        member(&store, "ada", true).await;
        for id in ["cyd", "bob", "dan"] {
            member(&store, id, false).await;
        }
        store
            .write(|tx| Box::pin(async move {
                // Bob waited longest; Dan has left.
                let bob = Change::UpdateMembership {
                    account: "bob".into(),
                    organization: org(),
                    version: 1,
                    edits: vec![MembershipEdit::SetLicense {
                        from: Some(seat("standard", false)),
                        to: None,
                    }],
                };
                tx.apply(&decision("t1", "bob", vec![bob]), &provost_kernel::provision::Actor::System, at(10)).await?;
                let again = Change::UpdateMembership {
                    account: "bob".into(),
                    organization: org(),
                    version: 2,
                    edits: vec![MembershipEdit::SetLicense { from: None, to: Some(seat("standard", false)) }],
                };
                tx.apply(&decision("t2", "bob", vec![again]), &provost_kernel::provision::Actor::System, at(20)).await?;
                let leaves = Change::SetStatus {
                    account: "dan".into(),
                    version: 1,
                    from: provost_kernel::directory::Status::Active,
                    to: provost_kernel::directory::Status::Suspended,
                    origin: provost_kernel::directory::Origin::Admin,
                };
                tx.apply(&decision("t3", "dan", vec![leaves]), &provost_kernel::provision::Actor::System, at(30)).await
            }))
            .await
            .unwrap();
        let (pools, waiting) = store
            .read(|reader| Box::pin(async move {
                let pools = reader.waited_pools(None, 10).await?;
                let waiting = reader.waiting_for_seat(&org(), &"standard".into(), 10).await?;
                Ok::<_, StoreError>((pools, waiting))
            }))
            .await
            .unwrap();
        assert_eq!(pools.len(), 1);
        assert_eq!((pools[0].license.as_str(), pools[0].free), ("standard", Some(1)));
        let names: Vec<&str> = waiting.iter().map(|one| one.account.as_str()).collect();
        // Who gave the license back and asked again stands where the new wish came; others were noted at 100.
        assert_eq!(names, ["bob", "cyd"]);
        let after = store
            .read(|reader| Box::pin(async move {
                let (org, license) = (org(), "standard".into());
                reader.waited_pools(Some((&org, &license)), 10).await
            }))
            .await
            .unwrap();
        assert!(after.is_empty(), "{after:?}");
    }

    async fn strips_are_counted_within_the_window_by_person(store, _) {
        seed(&store).await;
        member(&store, "ada", true).await;
        let counts = store
            .write(|tx| Box::pin(async move {
                let org = org();
                for (account, seconds) in [("x", 10), ("y", 60), ("y", 70), ("z", 80)] {
                    tx.note_strips(&okta(), &account.into(), std::slice::from_ref(&org), at(seconds)).await?;
                }
                let all = tx.strips(&okta(), &org, &"z".into(), at(0), at(90)).await?;
                let late = tx.strips(&okta(), &org, &"z".into(), at(65), at(90)).await?;
                tx.approve_strips(&okta(), &org, at(100)).await?;
                let approved = tx.strips(&okta(), &org, &"z".into(), at(0), at(90)).await?;
                let over = tx.strips(&okta(), &org, &"z".into(), at(0), at(110)).await?;
                Ok::<_, StoreError>([all, late, approved, over])
            }))
            .await
            .unwrap();
        assert_eq!(counts.map(|one| one.recent), [2, 1, 2, 2]);
        assert_eq!(counts.map(|one| one.members), [1; 4]);
        assert_eq!(counts.map(|one| one.approved), [false, false, true, false]);
    }

    async fn an_organization_follows_its_own_part_of_the_feed_in_bounded_steps(store, _) {
        seed(&store).await;
        member(&store, "ada", true).await;
        store
            .write(|tx| Box::pin(async move {
                for number in 0..30 {
                    let (organization, account): (Option<OrganizationId>, Option<AccountId>) = match number % 3 {
                        0 => (Some("other".into()), None),
                        1 => (Some(org()), None),
                        _ => (None, Some(if number == 29 { "ada" } else { "somebody" }.into())),
                    };
                    tx.record(NewEvent {
                        at: at(number),
                        kind: format!("test.{number}"),
                        actor: "system".to_owned(),
                        account,
                        organization,
                        connection: None::<ConnectionId>,
                        trace: None,
                        data: json!({}),
                    });
                }
                Ok::<_, StoreError>(())
            }))
            .await
            .unwrap();
        let mut kinds = Vec::new();
        let mut cursor = 0;
        loop {
            let (events, next) = store
                .read(|reader| Box::pin(async move { reader.events_of(&org(), cursor, 4, 3).await }))
                .await
                .unwrap();
            assert!(events.len() <= 3);
            kinds.extend(events.into_iter().map(|event| event.kind).filter(|kind| kind.starts_with("test.")));
            if next == cursor {
                break;
            }
            cursor = next;
        }
        let mut expected: Vec<String> = (0..30).filter(|number| number % 3 == 1).map(|number| format!("test.{number}")).collect();
        expected.push("test.29".to_owned());
        assert_eq!(kinds, expected);
    }
}
