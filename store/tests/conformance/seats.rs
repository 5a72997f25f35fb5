//! Seats by kind of account: the count is that of the rows whatever races, the limit holds, and days are kept.

use std::collections::BTreeMap;

use provost_kernel::directory::{AccountKind, ManagedBy, Organization, RolesPerMember};
use provost_kernel::facts::KindMeter;
use provost_kernel::plan::{Change, MembershipEdit, ProfilePatch};
use provost_store::{SeatDay, SeatsCounted, Store, StoreError};
use serde_json::json;

use crate::races::at_once;
use crate::support::{account, apply, at, conformance, create, decision, membership, org, seat, seed};

/// Writes the limits as they are written with an organization's settings.
async fn limit(store: &Store, limits: serde_json::Value) {
    store
        .write(move |tx| {
            Box::pin(async move {
                let organization = Organization {
                    id: org(),
                    name: "HOME-LAB".to_owned(),
                    roles_per_member: RolesPerMember::Many,
                    managed_by: ManagedBy::default(),
                };
                tx.put_organization(&organization, &json!({ "seats": limits }), at(1))
                    .await
            })
        })
        .await
        .unwrap();
}

async fn meters(store: &Store) -> BTreeMap<AccountKind, KindMeter> {
    store
        .read(|reader| Box::pin(async move { reader.seat_kinds(&org()).await }))
        .await
        .unwrap()
}

async fn used(store: &Store) -> (u32, u32) {
    let meters = meters(store).await;
    (meters[&AccountKind::User].used, meters[&AccountKind::Reader].used)
}

/// Seats that the rows of members hold, by kind.
async fn held(store: &Store) -> (u32, u32) {
    let members = store
        .read(|reader| Box::pin(async move { reader.members(&org(), None, 999).await }))
        .await
        .unwrap();
    let of = |kind: AccountKind| {
        let seated = members.iter().filter(|member| {
            let license = member.memberships[0].license.as_ref();
            member.account.kind == kind && license.is_some_and(|license| license.seated)
        });
        u32::try_from(seated.count()).unwrap()
    };
    (of(AccountKind::User), of(AccountKind::Reader))
}

async fn join(store: &Store, id: &str, license: &str, seated: bool) -> Result<(), StoreError> {
    let joins = Change::AddMembership {
        account: id.into(),
        membership: membership(Some(seat(license, seated))),
    };
    apply(store, decision(id, id, vec![create(account(id)), joins]))
        .await
        .map(drop)
}

/// Sets the license of a membership with a version.
fn edit(id: &str, version: i64, from: bool, to: Option<(&str, bool)>) -> Change {
    Change::UpdateMembership {
        account: id.into(),
        organization: org(),
        version,
        edits: vec![MembershipEdit::SetLicense {
            from: Some(seat("open", from)),
            to: to.map(|(license, seated)| seat(license, seated)),
        }],
    }
}

fn becomes(id: &str, version: i64, from: AccountKind, to: AccountKind) -> Change {
    let kind = |kind| ProfilePatch {
        kind: Some(kind),
        ..ProfilePatch::default()
    };
    Change::UpdateProfile {
        account: id.into(),
        version,
        set: kind(to),
        before: kind(from),
    }
}

conformance! {
    async fn r179_the_count_of_a_kind_follows_whatever_takes_and_frees_seats(store, _) {
        seed(&store).await;
        assert_eq!(used(&store).await, (0, 0));
        join(&store, "ann", "open", true).await.unwrap();
        join(&store, "ben", "open", false).await.unwrap();
        join(&store, "eve", "standard", true).await.unwrap();
        assert_eq!(used(&store).await, (2, 0));
        // From one pool to the other is no seat more.
        apply(&store, decision("t1", "ann", vec![edit("ann", 1, true, Some(("standard", true)))])).await.unwrap();
        assert_eq!(used(&store).await, (2, 0));
        apply(&store, decision("t2", "ben", vec![edit("ben", 1, false, Some(("open", true)))])).await.unwrap();
        assert_eq!(used(&store).await, (3, 0));
        // Another kind takes its seats along, also together with an edit.
        let changes = vec![becomes("ann", 1, AccountKind::User, AccountKind::Reader)];
        apply(&store, decision("t3", "ann", changes)).await.unwrap();
        assert_eq!(used(&store).await, (2, 1));
        let changes = vec![becomes("eve", 1, AccountKind::User, AccountKind::Reader), edit("eve", 1, true, None)];
        apply(&store, decision("t4", "eve", changes)).await.unwrap();
        assert_eq!(used(&store).await, (1, 1));
        let before = membership(Some(seat("standard", true)));
        let leaves = Change::RemoveMembership {
            account: "ann".into(),
            organization: org(),
            version: 2,
            before: Box::new(before),
        };
        apply(&store, decision("t5", "ann", vec![leaves])).await.unwrap();
        assert_eq!((used(&store).await, held(&store).await), ((1, 0), (1, 0)));
    }

    async fn r179_the_last_seat_of_a_kind_goes_to_exactly_one_of_32_whatever_the_pool(store, _) {
        seed(&store).await;
        limit(&store, json!({ "users": 2, "readers": 0 })).await;
        join(&store, "first", "open", true).await.unwrap();
        let racing = store.clone();
        let outcomes = at_once(32, move |number| {
            let store = racing.clone();
            async move {
                let license = if number % 2 == 0 { "open" } else { "standard" };
                join(&store, &format!("p{number}"), license, true).await
            }
        })
        .await;
        assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
        for error in outcomes.into_iter().filter_map(Result::err) {
            let text = error.to_string();
            assert!(
                text.ends_with("seat_kinds") || text.ends_with("license_seats") || text.ends_with("is busy"),
                "{text}"
            );
        }
        assert_eq!((used(&store).await, held(&store).await), ((2, 0), (2, 0)));
        // Nobody loses a seat by a lower limit, and whoever goes makes room for nobody then.
        limit(&store, json!({ "users": 1 })).await;
        let meters = meters(&store).await;
        assert_eq!(meters[&AccountKind::User], KindMeter { limit: Some(1), used: 2 });
        assert_eq!(meters[&AccountKind::Reader], KindMeter { limit: None, used: 0 });
        let refused = join(&store, "late", "open", true).await.unwrap_err();
        assert_eq!(refused.to_string(), "the write conflicts with seat_kinds");
        limit(&store, json!({})).await;
        join(&store, "late", "open", true).await.unwrap();
    }

    async fn r179_a_seat_given_while_the_account_becomes_another_kind_is_counted_once_and_rightly(store, _) {
        seed(&store).await;
        for round in 0..10 {
            let id = format!("p{round}");
            join(&store, &id, "open", false).await.unwrap();
            let racing = store.clone();
            let outcomes = at_once(2, move |number| {
                let (store, id) = (racing.clone(), id.clone());
                async move {
                    let change = if number == 0 {
                        edit(&id, 1, false, Some(("open", true)))
                    } else {
                        becomes(&id, 1, AccountKind::User, AccountKind::Reader)
                    };
                    apply(&store, decision(&format!("{id}-{number}"), &id, vec![change])).await.map(drop)
                }
            })
            .await;
            assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
            assert_eq!(used(&store).await, held(&store).await, "round {round}");
        }
        assert_eq!(used(&store).await, (0, 10));
    }

    async fn r179_days_are_kept_with_the_most_of_each_and_the_day_before_the_range(store, _) {
        seed(&store).await;
        let counted = |day: i64, used: u32| SeatDay {
            license: Some("open".into()),
            kind: AccountKind::User,
            day,
            counted: SeatsCounted { used, most: used, waiting: 0, seats: None },
        };
        let put = |one: SeatDay| {
            let store = store.clone();
            async move { store.write(move |tx| Box::pin(async move { tx.put_seat_day(&org(), &one).await })).await.unwrap() }
        };
        for (day, used) in [(100, 1), (105, 3), (105, 7), (105, 4), (110, 2)] {
            put(counted(day, used)).await;
        }
        let of = |from: i64, to: i64| {
            let store = store.clone();
            async move {
                let rows = store.read(move |reader| Box::pin(async move { reader.seat_days(&org(), from, to).await })).await;
                let rows: Vec<SeatDay> = rows.unwrap();
                rows.into_iter().map(|row| (row.day, row.counted.used, row.counted.most)).collect::<Vec<_>>()
            }
        };
        assert_eq!(of(106, 109).await, [(105, 4, 7)], "what was counted last before");
        assert_eq!(of(105, 110).await, [(100, 1, 1), (105, 4, 7), (110, 2, 2)]);
        assert!(of(1, 99).await.is_empty());
        let purged = store.write(|tx| Box::pin(async move { tx.purge_seat_days(107).await })).await.unwrap();
        assert_eq!(purged, 1, "what the days after are like stays");
        assert_eq!(of(106, 109).await, [(105, 4, 7)]);
    }
}
