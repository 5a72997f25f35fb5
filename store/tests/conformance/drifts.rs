//! Notes of whose access a hand edit keeps otherwise than the rules say, and walks over everybody whom one holds (C-07).

use std::collections::BTreeSet;

use provost_kernel::directory::{Authentication, Grant, Membership};
use provost_kernel::id::AccountId;
use provost_kernel::plan::{Change, MembershipEdit};
use provost_kernel::trace::{Drift, PROVISION};
use provost_store::{DriftRow, DriftSight, DriftWalk, Reader, Store, StoreError};

use crate::support::*;

/// A membership of which nothing is held by hand.
fn loose() -> Membership {
    Membership {
        roles: vec![Grant {
            id: "member".into(),
            source: rule(),
            pinned: false,
        }],
        ..membership(None)
    }
}

async fn join(store: &Store, id: &str, membership: Membership) {
    join_through(store, id, Authentication::Sso { connection: okta() }, membership).await;
}

async fn join_through(store: &Store, id: &str, authentication: Authentication, membership: Membership) {
    let account = provost_kernel::directory::Account {
        authentication,
        ..account(id)
    };
    let changes = vec![
        create(account),
        Change::AddMembership {
            account: id.into(),
            membership,
        },
    ];
    apply(store, decision(&format!("t-{id}"), id, changes))
        .await
        .unwrap();
}

/// Changes a membership by hand, as version 1.
async fn edit(store: &Store, id: &str, edit: MembershipEdit) {
    let change = Change::UpdateMembership {
        account: id.into(),
        organization: org(),
        version: 1,
        edits: vec![edit],
    };
    let mut by_hand = decision(&format!("e-{id}"), id, vec![change]);
    PROVISION.clone_into(&mut by_hand.trace.kind);
    apply(store, by_hand).await.unwrap();
}

fn row(id: &str) -> DriftRow {
    let drift = Drift {
        admits: false,
        why: "pinned".to_owned(),
        edits: Vec::new(),
    };
    DriftRow {
        organization: org(),
        account: id.into(),
        connection: okta(),
        drift,
    }
}

fn ids(ids: &[&str]) -> Vec<AccountId> {
    ids.iter().copied().map(AccountId::new).collect()
}

async fn note(store: &Store, people: &[&str], found: &[&str]) {
    let (people, found) = (ids(people), found.iter().map(|id| row(id)).collect::<Vec<_>>());
    let noted: Result<(), StoreError> = store
        .write(move |tx| Box::pin(async move { tx.note_drifts(&people, &found, at(1)).await }))
        .await;
    noted.unwrap();
}

async fn noted(store: &Store, after: Option<&str>, limit: u32) -> Vec<String> {
    let after = after.map(AccountId::new);
    let rows = store
        .read(|reader| Box::pin(async move { reader.drifts(&org(), after.as_ref(), limit).await }))
        .await;
    rows.unwrap()
        .into_iter()
        .map(|row: DriftRow| row.account.to_string())
        .collect()
}

async fn asked(store: &Store) -> Vec<String> {
    let asks: Result<_, StoreError> = store
        .read(|reader| Box::pin(async move { reader.drift_asks(100).await }))
        .await;
    asks.unwrap()
        .into_iter()
        .map(|ask| ask.account.to_string())
        .collect()
}

async fn held(store: &Store, after: Option<&str>, limit: u32) -> Vec<String> {
    let after = after.map(AccountId::new);
    let found = store
        .read(|reader| Box::pin(async move { reader.held_by_hand(&okta(), after.as_ref(), limit).await }))
        .await;
    let found: Vec<AccountId> = found.unwrap();
    found.into_iter().map(|id| id.to_string()).collect()
}

async fn walk_of(reader: &mut Reader, before: i64) -> Result<Option<DriftWalk>, StoreError> {
    let due = reader.due_drift_walks(at(before), 100).await?;
    Ok(due.into_iter().find(|walk| walk.connection == okta()))
}

async fn walk(store: &Store, before: i64) -> Option<DriftWalk> {
    store
        .read(|reader| Box::pin(async move { walk_of(reader, before).await }))
        .await
        .unwrap()
}

async fn move_on(store: &Store, walk: &DriftWalk, to: Option<&str>, looked_at: u32, now: i64) -> bool {
    let (walk, to) = (walk.clone(), to.map(AccountId::new));
    let moved: Result<bool, StoreError> = store
        .write(move |tx| {
            Box::pin(async move { tx.move_drift_walk(&walk, to.as_ref(), looked_at, at(now)).await })
        })
        .await;
    moved.unwrap()
}

async fn sight(store: &Store) -> DriftSight {
    let sight: Result<_, StoreError> = store
        .read(|reader| Box::pin(async move { reader.drift_sight(&org()).await }))
        .await;
    sight.unwrap()
}

conformance! {
    async fn c07_notes_are_listed_by_account_counted_by_connection_and_go_with_the_membership(store, _) {
        seed(&store).await;
        another_owner(&store).await;
        for id in ["a", "b", "c"] {
            join(&store, id, loose()).await;
        }
        note(&store, &["a", "b", "c"], &["a", "b", "c"]).await;
        assert_eq!(noted(&store, None, 2).await, ["a", "b"]);
        assert_eq!(noted(&store, Some("b"), 2).await, ["c"]);
        let count = |most| {
            let store = store.clone();
            async move {
                let counted: Result<u32, StoreError> =
                    store.read(|reader| Box::pin(async move { reader.count_drifts(&okta(), &org(), most).await })).await;
                counted.unwrap()
            }
        };
        assert_eq!((count(10).await, count(2).await), (3, 2));
        // What is found takes the place of what was noted, for those who were looked at.
        note(&store, &["a", "b"], &["b"]).await;
        assert_eq!(noted(&store, None, 9).await, ["b", "c"]);
        let leave = Change::RemoveMembership { account: "c".into(), organization: org(), version: 1, before: Box::new(loose()) };
        apply(&store, decision("leave", "c", vec![leave])).await.unwrap();
        note(&store, &["c"], &["c"]).await;
        assert_eq!(noted(&store, None, 9).await, ["b"], "nobody differs who is no member");
    }

    async fn c07_whoever_is_edited_by_hand_is_looked_at_again_if_something_is_held_or_was_noted(store, _) {
        seed(&store).await;
        another_owner(&store).await;
        for id in ["a", "b", "c"] {
            join(&store, id, loose()).await;
        }
        assert_eq!(asked(&store).await, [""; 0], "rules made them");
        note(&store, &["b"], &["b"]).await;
        edit(&store, "a", MembershipEdit::SetPinned { pinned: true }).await;
        edit(&store, "b", MembershipEdit::SetActive { active: false }).await;
        edit(&store, "c", MembershipEdit::SetActive { active: false }).await;
        assert_eq!(asked(&store).await, ["a", "b"]);
        // Asked for once more while somebody looks, it is not done with.
        let asks: Result<Vec<_>, StoreError> = store.read(|reader| Box::pin(async move { reader.drift_asks(1).await })).await;
        let first = asks.unwrap().remove(0);
        let again = BTreeSet::from([first.account.clone()]);
        let answered: Result<(), StoreError> = store
            .write(move |tx| Box::pin(async move {
                tx.ask_for_drift(&again, at(300)).await?;
                tx.answer_drift_ask(&first).await
            }))
            .await;
        answered.unwrap();
        assert_eq!(asked(&store).await, ["a", "b"]);
        let asks: Result<Vec<_>, StoreError> = store.read(|reader| Box::pin(async move { reader.drift_asks(1).await })).await;
        let first = asks.unwrap().remove(0);
        let answered: Result<(), StoreError> = store
            .write(move |tx| Box::pin(async move { tx.answer_drift_ask(&first).await }))
            .await;
        answered.unwrap();
        assert_eq!(asked(&store).await, ["b"]);
    }

    async fn c07_a_walk_visits_whoever_is_held_by_hand_in_portions_and_begins_anew_when_the_connection_changes(store, _) {
        seed(&store).await;
        another_owner(&store).await;
        join(&store, "a", Membership { pinned: true, ..loose() }).await;
        join(&store, "b", loose()).await;
        let workspaces = vec![Grant { id: "main".into(), source: rule(), pinned: true }];
        join(&store, "c", Membership { workspaces, ..loose() }).await;
        let mut license = seat("open", true);
        license.pinned = true;
        join(&store, "d", Membership { license: Some(license), ..loose() }).await;
        join_through(&store, "e", Authentication::Standard, Membership { pinned: true, ..loose() }).await;
        // The keeper holds a pinned role.
        assert_eq!(held(&store, None, 10).await, ["a", "c", "d", "keeper"]);
        assert_eq!(held(&store, Some("a"), 2).await, ["c", "d"]);

        assert_eq!(sight(&store).await, DriftSight { as_of: None, is_under_way: true, looked_at: 0 });
        let begun = walk(&store, 0).await.unwrap();
        // What was noted of somebody on the way whom nothing holds any more is forgotten.
        note(&store, &["b", "d"], &["b", "d"]).await;
        assert!(move_on(&store, &begun, Some("c"), 2, 500).await);
        assert_eq!(noted(&store, None, 9).await, ["d"]);
        assert!(!move_on(&store, &begun, Some("c"), 2, 500).await, "by one node only");
        assert_eq!(sight(&store).await, DriftSight { as_of: None, is_under_way: true, looked_at: 2 });
        let half = walk(&store, 0).await.unwrap();
        assert_eq!(half.place, Some("c".into()));
        store
            .write(|tx| Box::pin(async move {
                let renamed = provost_kernel::connection::Connection { name: "Other".to_owned(), ..connection(&okta()) };
                tx.put_connection(&renamed, &serde_json::json!({"issuer": "https://idp"}), &provost_store::SecretMap::default(), "active", at(510)).await
            }))
            .await
            .map(drop)
            .map_err(|error: StoreError| error.to_string())
            .unwrap();
        assert!(!move_on(&store, &half, None, 2, 520).await, "what was found by the rules before is worth nothing");
        let anew = walk(&store, 0).await.unwrap();
        assert_eq!(anew.place, Some("".into()));
        assert!(move_on(&store, &anew, None, 4, 600).await);
        assert_eq!(noted(&store, None, 9).await, [""; 0]);
        // The other connection that reaches the organization has not been walked.
        assert_eq!(sight(&store).await, DriftSight { as_of: None, is_under_way: true, looked_at: 0 });
        let other = store
            .read(|reader| Box::pin(async move { reader.due_drift_walks(at(0), 100).await }))
            .await
            .map_err(|error: StoreError| error.to_string())
            .unwrap();
        let other = other.into_iter().find(|walk| walk.connection.as_str() == "second").unwrap();
        assert!(move_on(&store, &other, None, 0, 700).await);
        assert_eq!(sight(&store).await, DriftSight { as_of: Some(at(600)), is_under_way: false, looked_at: 0 });
        // It comes round again by itself.
        assert_eq!(walk(&store, 600).await, None);
        assert_eq!(walk(&store, 601).await.unwrap().place, None);
        let round = walk(&store, 601).await.unwrap();
        assert!(move_on(&store, &round, Some("c"), 2, 800).await);
        assert_eq!(sight(&store).await, DriftSight { as_of: Some(at(600)), is_under_way: true, looked_at: 2 });
    }
}
