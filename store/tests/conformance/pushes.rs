//! Directory pushes, decided by the kernel and written by the store, also many at once.

use std::time::Duration;

use jiff::SignedDuration;
use provost_kernel::connection::{Connection, Provisioning};
use provost_kernel::denial::Denial;
use provost_kernel::directory::{Membership, Status};
use provost_kernel::facts::Need;
use provost_kernel::id::AccountId;
use provost_kernel::incoming::Fresh;
use provost_kernel::mapping::InForce;
use provost_kernel::plan::{Change, Decision, Verdict};
use provost_kernel::policy::Policy;
use provost_kernel::provision::push::{self, MembersChange, Push, PushedGroup, PushedUser};
use provost_store::{REEVALUATE, SecretMap, Store, StoreError};
use serde_json::{Value, json};

use crate::races::at_once;
use crate::support::*;

/// Long enough that both of two have looked before either writes.
const PAUSE: Duration = Duration::from_millis(30);

/// The connection with a directory; groups `one` and `two` admit.
fn in_force() -> InForce {
    let mut connection = connection(&okta());
    connection.provisioning = Provisioning::Scim;
    connection.policy = Some(Policy {
        organization: Some(
            "'{{orgId}}' == 'home-lab' && (contains(groups, 'one') || contains(groups, 'two'))".to_owned(),
        ),
        ..Policy::default()
    });
    InForce::compile(connection).unwrap()
}

fn fresh(id: &str) -> Fresh {
    Fresh {
        account: id.into(),
        session: format!("session-{id}").as_str().into(),
        session_digest: format!("digest-{id}"),
        trace: format!("trace-{id}").as_str().into(),
    }
}

/// Decides and writes, again as long as others write in between.
async fn push(store: &Store, push: Push, id: &str) -> Decision {
    push_after(store, push, id, Duration::ZERO).await
}

/// The same with a pause between looking and writing, in which others may write.
async fn push_after(store: &Store, push: Push, id: &str, pause: Duration) -> Decision {
    for round in 0..50 {
        let (wish, fresh) = (push.clone(), fresh(&format!("{id}-{round}")));
        let outcome = store
            .write(move |tx| {
                Box::pin(async move {
                    let in_force = in_force();
                    let mut facts = tx.facts(&push::need(&wish, &in_force)).await?;
                    while let Some(more) = push::need_more(&wish, &facts, &in_force) {
                        facts.join(tx.facts(&more).await?);
                    }
                    let decision = push::decide(&wish, &facts, &in_force, &fresh, at(100));
                    tokio::time::sleep(pause).await;
                    apply_in(tx, &decision).await?;
                    Ok::<_, StoreError>(decision)
                })
            })
            .await;
        match outcome {
            Ok(decision) => return decision,
            Err(error) => assert!(error.is_retryable(), "{error}"),
        }
    }
    panic!("always somebody in between");
}

fn user(name: &str) -> PushedUser {
    let address = format!("{name}@home-lab.example");
    let Value::Object(document) = json!({ "userName": address, "externalId": name, "active": true }) else {
        unreachable!()
    };
    PushedUser {
        document,
        user_name: Some(address.clone()),
        external_id: Some(name.to_owned()),
        active: Some(true),
        email: Some(address),
        ..PushedUser::default()
    }
}

fn group(id: &str, name: &str, members: &[AccountId]) -> Push {
    Push::CreateGroup {
        id: id.into(),
        group: Box::new(PushedGroup {
            name: name.to_owned(),
            ..PushedGroup::default()
        }),
        members: members.to_vec(),
    }
}

fn members(group: &str, add: &[AccountId], remove: &[AccountId]) -> Push {
    Push::ChangeGroup {
        group: group.into(),
        if_version: None,
        set: None,
        members: MembersChange::Delta {
            add: add.to_vec(),
            remove: remove.to_vec(),
        },
    }
}

async fn made(store: &Store, name: &str) -> AccountId {
    match push(store, Push::CreateUser(Box::new(user(name))), name)
        .await
        .verdict
    {
        Verdict::Admitted(account) => account,
        other @ (Verdict::Accepted | Verdict::Refused(_)) => panic!("{other:?}"),
    }
}

async fn memberships(store: &Store, account: &AccountId) -> (Status, Vec<Membership>) {
    let need = Need {
        accounts: vec![account.clone()],
        ..Need::default()
    };
    let facts = store
        .read(move |reader| Box::pin(async move { reader.facts(&need).await }))
        .await
        .unwrap();
    let known = facts.accounts.into_iter().next().unwrap();
    (known.account.status, known.memberships)
}

conformance! {
    async fn r08_r132_a_person_is_pushed_placed_deleted_and_given_back(store, _) {
        seed(&store).await;
        let ann = made(&store, "ann").await;
        push(&store, group("g1", "one", std::slice::from_ref(&ann)), "g1").await;
        let (status, held) = memberships(&store, &ann).await;
        assert_eq!((status, held.len()), (Status::Active, 1));
        let delete = Push::DeleteUser { account: ann.clone(), if_version: None };
        push(&store, delete, "delete").await;
        assert_eq!(memberships(&store, &ann).await.0, Status::Deleted);
        assert_eq!(made(&store, "ann").await, ann);
        let (status, held) = memberships(&store, &ann).await;
        // The deletion took the person out of the group, so nothing admits any more.
        assert_eq!((status, held.len()), (Status::Active, 0));
        let again = push(&store, members("g1", std::slice::from_ref(&ann), &[]), "again").await;
        assert_eq!(again.verdict, Verdict::Accepted);
        assert_eq!(memberships(&store, &ann).await.1.len(), 1);
    }

    async fn r157_two_pushes_of_one_person_at_once_make_one_account(store, _) {
        seed(&store).await;
        for round in 0..8 {
            let racing = store.clone();
            let outcomes = at_once(4, move |number| {
                let store = racing.clone();
                async move {
                    let name = format!("p{round}");
                    push(&store, Push::CreateUser(Box::new(user(&name))), &format!("{name}-{number}")).await.verdict
                }
            })
            .await;
            let made = outcomes.iter().filter(|verdict| matches!(verdict, Verdict::Admitted(_))).count();
            assert_eq!(made, 1, "{outcomes:?}");
        }
    }

    async fn r148_two_owners_who_are_taken_out_at_once_leave_one(store, _) {
        seed(&store).await;
        let mut owners = Vec::new();
        for name in ["ann", "bob"] {
            let id = made(&store, name).await;
            let join = Change::AddMembership { account: id.clone(), membership: membership(None) };
            apply(&store, decision(&format!("own-{name}"), id.as_str(), vec![join])).await.unwrap();
            owners.push((id, name));
        }
        let said = |(account, name): (AccountId, &str), active| Push::ReplaceUser {
            account,
            if_version: None,
            user: Box::new(PushedUser { active: Some(active), ..user(name) }),
        };
        for round in 0..6 {
            for (account, name) in owners.clone() {
                push(&store, said((account, name), true), &format!("in-{round}-{name}")).await;
            }
            let (racing, both) = (store.clone(), owners.clone());
            let verdicts = at_once(2, move |number| {
                let (store, out) = (racing.clone(), said(both[number].clone(), false));
                async move { push_after(&store, out, &format!("out-{round}-{number}"), PAUSE).await.verdict }
            })
            .await;
            let refused = verdicts.iter().filter(|verdict| **verdict == Verdict::Refused(Denial::LastOwner));
            assert_eq!(refused.count(), 1, "{verdicts:?}");
        }
    }

    /// Sign-ins run no rules where a directory pushes, so a saved policy has to reach people by itself.
    async fn r187_a_saved_policy_queues_everybody_whom_the_directory_manages(store, _) {
        seed(&store).await;
        let ann = made(&store, "ann").await;
        let gone = made(&store, "gone").await;
        push(&store, Push::DeleteUser { account: gone, if_version: None }, "gone-out").await;
        let jit = decision("jit", "jit", vec![create(account("jit"))]);
        apply(&store, jit).await.unwrap();
        assert!(memberships(&store, &ann).await.1.is_empty());
        let save = |connection: Connection| {
            let store = store.clone();
            async move {
                store
                    .write(move |tx| {
                        Box::pin(async move {
                            let config = json!({"issuer": "https://idp"});
                            tx.put_connection(&connection, &config, &SecretMap::default(), "active", at(5)).await
                        })
                    })
                    .await
                    .unwrap()
            }
        };
        let queued = || {
            let store = store.clone();
            async move {
                let jobs = store
                    .write(|tx| {
                        Box::pin(async move {
                            tx.claim_jobs(&[REEVALUATE], 10, SignedDuration::from_mins(5), "w", at(200)).await
                        })
                    })
                    .await
                    .unwrap();
                jobs.into_iter().map(|job| job.job.payload).collect::<Vec<_>>()
            }
        };
        // Switched to SCIM, then a policy that admits everybody, then a change that decides nothing.
        let mut wanted = in_force().connection().clone();
        save(wanted.clone()).await;
        assert_eq!(queued().await, [json!({ "connection": okta(), "accounts": [ann] })]);
        wanted.policy = None;
        save(wanted.clone()).await;
        assert_eq!(queued().await.len(), 1);
        wanted.name = "Okta again".to_owned();
        wanted.settings.directory.restore_days = 3;
        save(wanted.clone()).await;
        assert_eq!(queued().await, Vec::<Value>::new());
        // The queued push decides as the policy now says.
        let in_force = InForce::compile(wanted).unwrap();
        let wish = Push::Reevaluate { accounts: vec![ann.clone()] };
        store
            .write(move |tx| {
                Box::pin(async move {
                    let facts = tx.facts(&push::need(&wish, &in_force)).await?;
                    let decision = push::decide(&wish, &facts, &in_force, &fresh("again"), at(201));
                    apply_in(tx, &decision).await
                })
            })
            .await
            .unwrap();
        assert_eq!(memberships(&store, &ann).await.1.len(), 1);
    }

    /// Each removal alone leaves a reason to stay; together they leave none. Whoever decides second must know of the first.
    async fn who_leaves_two_groups_at_once_keeps_nothing_of_either(store, _) {
        seed(&store).await;
        push(&store, group("g1", "one", &[]), "g1").await;
        push(&store, group("g2", "two", &[]), "g2").await;
        for round in 0..6 {
            let ann = made(&store, &format!("ann{round}")).await;
            for id in ["g1", "g2"] {
                push(&store, members(id, std::slice::from_ref(&ann), &[]), &format!("join-{round}-{id}")).await;
            }
            assert_eq!(memberships(&store, &ann).await.1.len(), 1);
            let (racing, leaving) = (store.clone(), ann.clone());
            at_once(2, move |number| {
                let (store, ann) = (racing.clone(), leaving.clone());
                async move {
                    let id = ["g1", "g2"][number];
                    push_after(&store, members(id, &[], &[ann]), &format!("leave-{round}-{id}"), PAUSE).await;
                }
            })
            .await;
            assert_eq!(memberships(&store, &ann).await.1, Vec::new(), "round {round}");
        }
    }
}
