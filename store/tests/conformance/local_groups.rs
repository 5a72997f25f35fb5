//! Groups that organizations keep by hand: the groups themselves, their members, and how both stand in facts.

use provost_kernel::directory::Source;
use provost_kernel::facts::{AccountFacts, Facts, Need};
use provost_kernel::id::GroupId;
use provost_kernel::local_group::LocalGroup;
use provost_kernel::plan::{Change, MembershipEdit};
use provost_store::{Store, StoreError};

use crate::support::*;

fn group(id: &str, name: &str) -> LocalGroup {
    LocalGroup {
        id: id.into(),
        organization: org(),
        name: name.to_owned(),
        description: "who writes".to_owned(),
        roles: vec!["member".into()],
        workspaces: vec!["lab".into()],
        version: 1,
    }
}

async fn loaded(store: &Store, id: &str) -> AccountFacts {
    let id = id.into();
    let found = store.read(|reader| Box::pin(async move { reader.account_facts(&[id]).await }));
    found.await.unwrap().pop().unwrap()
}

async fn facts(store: &Store, need: Need) -> Facts {
    store
        .read(move |reader| Box::pin(async move { reader.facts(&need).await }))
        .await
        .unwrap()
}

async fn keep(store: &Store, group: LocalGroup) -> Result<(), StoreError> {
    store
        .write(move |tx| Box::pin(async move { tx.insert_local_group(&group, at(1)).await }))
        .await
}

async fn person(store: &Store, id: &str) {
    let join = Change::AddMembership {
        account: id.into(),
        membership: membership(None),
    };
    apply(store, decision(id, id, vec![create(account(id)), join]))
        .await
        .unwrap();
}

fn edit(account: &str, version: i64, edits: Vec<MembershipEdit>) -> Change {
    Change::UpdateMembership {
        account: account.into(),
        organization: org(),
        version,
        edits,
    }
}

fn joins(group: &LocalGroup) -> MembershipEdit {
    MembershipEdit::JoinGroup {
        group: group.held(),
        version: group.version,
    }
}

async fn members(store: &Store, id: &str) -> Vec<String> {
    let id = GroupId::new(id);
    let found = store.read(|reader| Box::pin(async move { reader.local_group_members(&id, None, 10).await }));
    found.await.unwrap().iter().map(ToString::to_string).collect()
}

conformance! {
    async fn a_local_group_has_a_name_of_its_own_and_a_list_goes_by_name(store, _) {
        seed(&store).await;
        for (id, name) in [("g1", "Writers"), ("g2", "authors"), ("g3", "Zoo")] {
            keep(&store, group(id, name)).await.unwrap();
        }
        let error = keep(&store, group("g4", "WRITERS")).await.unwrap_err();
        assert_eq!(error.to_string(), "the write conflicts with local_groups_name");
        let page = |after: Option<&'static str>| store.read(move |reader| Box::pin(async move {
            reader.local_groups_page(&org(), after, 2).await
        }));
        let first = page(None).await.unwrap();
        assert_eq!(first.iter().map(|row| row.group.name.as_str()).collect::<Vec<_>>(), ["authors", "Writers"]);
        assert_eq!(first[1].group, group("g1", "Writers"));
        assert_eq!((first[1].members, first[1].is_going, first[1].created_at), (0, false, at(1)));
        assert_eq!(first[1].key(), "writers");
        assert_eq!(page(Some("writers")).await.unwrap().len(), 1);
        let elsewhere = store.read(|reader| Box::pin(async move {
            Ok::<_, StoreError>((
                reader.local_group(&"other".into(), &"g1".into()).await?,
                reader.local_groups_page(&"other".into(), None, 9).await?,
            ))
        })).await.unwrap();
        assert_eq!(elsewhere, (None, Vec::new()));
    }

    async fn members_of_local_groups_stand_in_their_memberships_and_leave_with_them(store, _) {
        seed(&store).await;
        another_owner(&store).await;
        let own = group("g1", "Writers");
        keep(&store, own.clone()).await.unwrap();
        person(&store, "ada").await;
        let given = MembershipEdit::GrantRole {
            role: "member".into(),
            source: Source::Group { group: "g1".into() },
            pinned: false,
        };
        apply(&store, decision("t1", "ada", vec![edit("ada", 1, vec![joins(&own), given])])).await.unwrap();
        let held = loaded(&store, "ada").await.memberships.pop().unwrap();
        assert_eq!(held.groups, [own.held()]);
        let of_group = held.roles.iter().find(|grant| grant.id.as_str() == "member").unwrap();
        assert_eq!(of_group.source, Source::Group { group: "g1".into() });
        assert_eq!(members(&store, "g1").await, ["ada"]);
        let need = Need { local_groups: vec!["g1".into(), "nothing".into()], ..Need::default() };
        assert_eq!(facts(&store, need).await.local_groups, std::slice::from_ref(&own));
        let leave = MembershipEdit::LeaveGroup { group: "g1".into(), name: "Writers".to_owned() };
        apply(&store, decision("t2", "ada", vec![edit("ada", 2, vec![leave])])).await.unwrap();
        assert!(members(&store, "g1").await.is_empty());
        apply(&store, decision("t3", "ada", vec![edit("ada", 3, vec![joins(&own)])])).await.unwrap();
        let before = Box::new(loaded(&store, "ada").await.memberships.pop().unwrap());
        let gone = Change::RemoveMembership { account: "ada".into(), organization: org(), version: 4, before };
        apply(&store, decision("t4", "ada", vec![gone])).await.unwrap();
        assert!(members(&store, "g1").await.is_empty(), "who leaves the organization leaves its groups");
    }

    async fn nobody_joins_a_local_group_on_the_strength_of_what_it_led_to_before(store, _) {
        seed(&store).await;
        let own = group("g1", "Writers");
        keep(&store, own.clone()).await.unwrap();
        person(&store, "ada").await;
        let mut changed = own.clone();
        changed.name = "Authors".to_owned();
        changed.roles.clear();
        let wanted = changed.clone();
        let update = |group: LocalGroup| {
            let store = store.clone();
            async move {
                store.write(move |tx| Box::pin(async move {
                    tx.update_local_group(&group, Some("blk_1"), at(2)).await
                })).await
            }
        };
        update(wanted.clone()).await.unwrap();
        assert_eq!(update(wanted).await.unwrap_err().to_string(), "the write conflicts with local_group_version");
        let stale = apply(&store, decision("t1", "ada", vec![edit("ada", 1, vec![joins(&own)])])).await.unwrap_err();
        assert_eq!(stale.to_string(), "the write conflicts with local_group_version");
        changed.version = 2;
        let row = store.read(|reader| Box::pin(async move { reader.local_group(&org(), &"g1".into()).await })).await;
        let row = row.unwrap().unwrap();
        assert_eq!((row.group, row.run.as_deref()), (changed.clone(), Some("blk_1")));
        apply(&store, decision("t2", "ada", vec![edit("ada", 1, vec![joins(&changed)])])).await.unwrap();
        assert_eq!(members(&store, "g1").await, ["ada"]);
    }

    async fn a_local_group_goes_when_everybody_is_taken_out_and_frees_its_name_at_once(store, _) {
        seed(&store).await;
        let own = group("g1", "Writers");
        keep(&store, own.clone()).await.unwrap();
        person(&store, "ada").await;
        apply(&store, decision("t1", "ada", vec![edit("ada", 1, vec![joins(&own)])])).await.unwrap();
        let closing = own.clone();
        let gone = store.write(move |tx| Box::pin(async move {
            tx.close_local_group(&closing, Some("blk_1"), at(3)).await?;
            tx.delete_local_group(&closing.id).await
        })).await.unwrap();
        assert!(!gone, "somebody is in it");
        keep(&store, group("g2", "Writers")).await.unwrap();
        let held = loaded(&store, "ada").await.memberships.pop().unwrap();
        assert!(held.groups[0].roles.is_empty() && held.groups[0].workspaces.is_empty(), "it leads to nothing");
        let leave = MembershipEdit::LeaveGroup { group: "g1".into(), name: "Writers".to_owned() };
        apply(&store, decision("t2", "ada", vec![edit("ada", 2, vec![leave])])).await.unwrap();
        let gone = store.write(|tx| Box::pin(async move { tx.delete_local_group(&"g1".into()).await })).await;
        assert!(gone.unwrap());
        let other = store.write(|tx| Box::pin(async move { tx.delete_local_group(&"g2".into()).await })).await;
        assert!(!other.unwrap(), "it is in use");
    }

    async fn a_role_that_takes_the_place_of_another_does_so_in_local_groups(store, _) {
        seed(&store).await;
        keep(&store, group("g1", "Writers")).await.unwrap();
        store.write(|tx| Box::pin(async move {
            tx.replace_role_in_local_groups(&org(), (&"member".into(), &"owner".into()), at(2)).await
        })).await.unwrap();
        let all = store.read(|reader| Box::pin(async move { reader.local_groups_of(&org()).await })).await.unwrap();
        assert_eq!(all[0].roles, ["owner".into()]);
        assert_eq!(all[0].version, 2);
    }

    /// The counts that pages show are kept by whoever writes members, many at the same time too.
    async fn members_are_counted_as_they_come_and_go_at_the_same_time(store, _) {
        seed(&store).await;
        another_owner(&store).await;
        keep(&store, group("g1", "Writers")).await.unwrap();
        let names: Vec<String> = (0..24).map(|number| format!("p{number:02}")).collect();
        for name in &names {
            person(&store, name).await;
        }
        let counted = || {
            let store = store.clone();
            async move {
                let counted: Result<(u64, u64), StoreError> = store
                    .read(|reader| Box::pin(async move {
                        let row = reader.local_group(&org(), &"g1".into()).await?.unwrap();
                        Ok((row.members, reader.count_people(&org()).await?))
                    }))
                    .await;
                counted.unwrap()
            }
        };
        assert_eq!(counted().await, (0, 25));
        let at_once = |changes: Vec<(String, Vec<Change>)>| {
            let store = store.clone();
            async move {
                let tasks = changes.into_iter().map(|(id, changes)| {
                    let store = store.clone();
                    tokio::spawn(async move {
                        // Others may be in the way; the writer then decides again.
                        while let Err(error) = apply(&store, decision(&id, "keeper", changes.clone())).await {
                            assert!(error.is_retryable(), "{error}");
                        }
                    })
                });
                for task in tasks.collect::<Vec<_>>() {
                    task.await.unwrap();
                }
            }
        };
        let join = |name: &String| (format!("j-{name}"), vec![edit(name, 1, vec![joins(&group("g1", "Writers"))])]);
        at_once(names.iter().map(join).collect()).await;
        assert_eq!(counted().await, (24, 25));
        let go = |(number, name): (usize, &String)| {
            let leave = MembershipEdit::LeaveGroup { group: "g1".into(), name: "Writers".to_owned() };
            let change = match number % 3 {
                0 => edit(name, 2, vec![leave]),
                1 => Change::RemoveMembership {
                    account: name.as_str().into(),
                    organization: org(),
                    version: 2,
                    before: Box::new(membership(None)),
                },
                _ => return None,
            };
            Some((format!("l-{name}"), vec![change]))
        };
        at_once(names.iter().enumerate().filter_map(go).collect()).await;
        assert_eq!(counted().await, (8, 17));
        assert_eq!(members(&store, "g1").await.len(), 8);
    }
}
