//! Groups and members as rows, documents of people, what decisions see of them, and the log of requests.

use std::collections::BTreeMap;

use jiff::Timestamp;
use provost_kernel::directory::{Authentication, DirectoryProfile, Group, GroupName, Origin, Status};
use provost_kernel::facts::{DirectoryNeed, Facts, MembersNeeded, Need};
use provost_kernel::id::AccountId;
use provost_kernel::plan::{Change, GroupPatch, ProfilePatch};
use provost_store::search::{Condition, Field, Operator};
use provost_store::{
    GroupRef, REEVALUATE, Retention, ScimRequest, ScimRequestFilter, ScimTraffic, Store, StoreError,
};
use serde_json::{Map, Value, json};

use crate::races::at_once;
use crate::search::{find, group, pushed, search};
use crate::support::*;

fn members(group: &str, accounts: &[&str]) -> Change {
    Change::AddGroupMembers {
        group: group.into(),
        accounts: accounts.iter().map(|id| (*id).into()).collect(),
    }
}

fn without(group: &str, accounts: &[&str]) -> Change {
    Change::RemoveGroupMembers {
        group: group.into(),
        accounts: accounts.iter().map(|id| (*id).into()).collect(),
    }
}

fn rename(group: &str, version: i64, name: &str) -> Change {
    Change::UpdateGroup {
        group: group.into(),
        version,
        set: GroupPatch {
            name: Some(name.to_owned()),
            document: Some(object(&json!({ "displayName": name }))),
            ..GroupPatch::default()
        },
        before: GroupPatch::default(),
    }
}

fn object(value: &Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap()
}

fn delete(id: &str, from: Status) -> Change {
    Change::SetStatus {
        account: id.into(),
        version: 1,
        from,
        to: Status::Deleted,
        origin: Origin::Scim,
    }
}

/// Ada, Bob and Cy of the connection, Dora of another one, and two groups.
async fn people(store: &Store) {
    seed(store).await;
    let dora = provost_kernel::directory::Account {
        authentication: Authentication::Sso {
            connection: "second".into(),
        },
        ..account("dora")
    };
    let mut changes = vec![
        create(account("ada")),
        create(account("bob")),
        create(account("cy")),
        create(dora),
    ];
    changes.extend([group("g1", "Staff"), group("g2", "Ärzte")]);
    apply(store, decision("people", "ada", changes)).await.unwrap();
}

async fn now_in(store: &Store, id: &'static str) -> (Vec<String>, i64, u64) {
    store
        .read(|reader| {
            Box::pin(async move {
                let group = reader.directory_group(&okta(), &id.into()).await?.unwrap();
                let ids = reader.member_ids(&id.into(), None).await?;
                let listed = reader
                    .members_of(&[id.into()])
                    .await?
                    .remove(&id.into())
                    .unwrap_or_default();
                assert_eq!(
                    ids,
                    listed
                        .iter()
                        .map(|member| member.account.clone())
                        .collect::<Vec<_>>()
                );
                assert_eq!(reader.group(&id.into()).await?.unwrap().version, group.version);
                let ids = ids.iter().map(AccountId::to_string).collect();
                Ok::<_, StoreError>((ids, group.version, group.members))
            })
        })
        .await
        .unwrap()
}

async fn facts(store: &Store, need: Need) -> Facts {
    store
        .read(|reader| Box::pin(async move { reader.facts(&need).await }))
        .await
        .unwrap()
}

fn request(id: &str, at: Timestamp, status: u16, outcome: &str) -> ScimRequest {
    ScimRequest {
        id: id.to_owned(),
        connection: "home-okta".to_owned(),
        at,
        method: if status == 201 { "POST" } else { "GET" }.to_owned(),
        path: format!("/Users?filter=userName eq \"{id}%\""),
        version: "2.0".to_owned(),
        action: "user.create".to_owned(),
        target: (status == 201).then(|| format!("acc-{id}")),
        token: (status != 401).then(|| "tok".to_owned()),
        status,
        outcome: outcome.to_owned(),
        code: None,
        detail: None,
        duration_us: 1500,
        remote: Some("192.0.2.1".to_owned()),
        user_agent: None,
        trace: None,
        request: Some("{\"userName\":\"…\"}".to_owned()),
        response: None,
    }
}

conformance! {
    async fn r78_members_join_and_leave_and_repeats_change_nothing(store, _) {
        people(&store).await;
        assert_eq!(now_in(&store, "g1").await, (vec![], 1, 0));
        apply(&store, decision("t1", "ada", vec![members("g1", &["bob", "ada"])])).await.unwrap();
        assert_eq!(now_in(&store, "g1").await, (vec!["ada".to_owned(), "bob".to_owned()], 2, 2));
        apply(&store, decision("t2", "ada", vec![members("g1", &["bob"]), without("g1", &["cy"])])).await.unwrap();
        assert_eq!(now_in(&store, "g1").await.1, 2, "repeats are no change");
        apply(&store, decision("t3", "ada", vec![without("g1", &["bob"]), members("g1", &["cy"])])).await.unwrap();
        assert_eq!(now_in(&store, "g1").await, (vec!["ada".to_owned(), "cy".to_owned()], 4, 2));
        // Unknown people, people of other connections and deleted ones never become members.
        apply(&store, decision("t4", "bob", vec![delete("bob", Status::Active)])).await.unwrap();
        apply(&store, decision("t5", "ada", vec![members("g2", &["nobody", "dora", "bob"])])).await.unwrap();
        assert_eq!(now_in(&store, "g2").await, (vec![], 1, 0));
        let page = store
            .read(|reader| Box::pin(async move { reader.members_page(&"g1".into(), Some(&"ada".into()), 9).await }))
            .await
            .unwrap();
        assert_eq!(page.len(), 1);
        assert_eq!(page[0].display.as_deref(), Some("cy.Name"));
    }

    async fn a_deleted_person_leaves_all_groups(store, _) {
        people(&store).await;
        let join = vec![members("g1", &["ada", "bob"]), members("g2", &["ada"])];
        apply(&store, decision("t1", "ada", join)).await.unwrap();
        apply(&store, decision("t2", "ada", vec![delete("ada", Status::Active)])).await.unwrap();
        assert_eq!(now_in(&store, "g1").await, (vec!["bob".to_owned()], 3, 1));
        assert_eq!(now_in(&store, "g2").await, (vec![], 3, 0));
        let groups = store.read(|reader| Box::pin(async move { reader.groups_of(&["ada".into(), "bob".into()]).await }));
        let staff = GroupRef { id: "g1".into(), name: "Staff".to_owned(), external_id: Some("ext-g1".to_owned()) };
        assert_eq!(groups.await.unwrap(), BTreeMap::from([("bob".into(), vec![staff])]));
    }

    async fn r78_a_group_is_changed_and_deleted_only_at_the_version_seen(store, _) {
        people(&store).await;
        apply(&store, decision("t1", "ada", vec![members("g1", &["ada"])])).await.unwrap();
        let stale = apply(&store, decision("t2", "ada", vec![rename("g1", 1, "Team")])).await.unwrap_err();
        assert_eq!(stale.to_string(), "the write conflicts with group_version");
        // What the plan itself raised does not stand in its way.
        let plan = vec![members("g1", &["bob"]), rename("g1", 2, "Team"), without("g1", &["ada"]), rename("g1", 2, "TEAM")];
        apply(&store, decision("t3", "ada", plan)).await.unwrap();
        assert_eq!(now_in(&store, "g1").await, (vec!["bob".to_owned()], 6, 1));
        let taken = apply(&store, decision("t4", "ada", vec![rename("g2", 1, "team")])).await.unwrap_err();
        assert_eq!(taken.to_string(), "the write conflicts with groups_name");
        let twin = Change::CreateGroup {
            group: Box::new(Group {
                id: "g9".into(),
                connection: okta(),
                external_id: Some("ext-g2".to_owned()),
                name: "Other".to_owned(),
                document: Map::new(),
                version: 1,
            }),
        };
        let taken = apply(&store, decision("t5", "ada", vec![twin])).await.unwrap_err();
        assert_eq!(taken.to_string(), "the write conflicts with groups_external_id");
        let before = store.read(|reader| Box::pin(async move { reader.group(&"g1".into()).await })).await.unwrap().unwrap();
        let gone = |version| Change::DeleteGroup { group: "g1".into(), version, before: Box::new(before.clone()) };
        assert_eq!(apply(&store, decision("t6", "ada", vec![gone(5)])).await.unwrap_err().code(), "conflict");
        apply(&store, decision("t7", "ada", vec![gone(6)])).await.unwrap();
        let left = store.read(|reader| {
            Box::pin(async move {
                let group = reader.group(&"g1".into()).await?;
                Ok::<_, StoreError>((group, reader.groups_of(&["bob".into()]).await?))
            })
        });
        assert_eq!(left.await.unwrap(), (None, BTreeMap::new()));
        // The name is free again.
        apply(&store, decision("t8", "ada", vec![rename("g2", 1, "team")])).await.unwrap();
    }

    async fn concurrent_writers_of_one_group_lose_nothing(store, database) {
        people(&store).await;
        database
            .execute(
                "INSERT INTO accounts (id, kind, connection, status, status_origin, emergency_admin, operator, attributes, \
                 version, created_at, updated_at, ordinal) \
                 WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 80) \
                 SELECT 'c' || i, 'user', 'home-okta', 'active', 'scim', 0, 0, '{}', 1, 1000, 1000, i FROM n",
            )
            .await;
        let everyone: Vec<String> = (1..=40).map(|number| format!("c{number}")).collect();
        let everyone: Vec<&str> = everyone.iter().map(String::as_str).collect();
        apply(&store, decision("first", "ada", vec![members("g1", &everyone)])).await.unwrap();
        let racing = store.clone();
        at_once(40, move |number| {
            let store = racing.clone();
            async move {
                // Everybody adds one, takes another one out, and adds the same third one.
                let (joins, leaves) = (format!("c{}", 41 + number), format!("c{}", 1 + number));
                let changes = vec![members("g1", &[&joins, "ada"]), without("g1", &[&leaves])];
                let trace = format!("t{number}");
                loop {
                    match apply(&store, decision(&trace, "ada", changes.clone())).await {
                        Ok(_) => return,
                        Err(error) => assert!(error.is_retryable(), "{error:?}"),
                    }
                }
            }
        })
        .await;
        let mut expected: Vec<String> = (41..=80).map(|number| format!("c{number}")).collect();
        expected.push("ada".to_owned());
        expected.sort();
        let (found, version, count) = now_in(&store, "g1").await;
        assert_eq!(found, expected);
        assert_eq!((version, count), (1 + 1 + 80, 41));
    }

    async fn r167_nobody_joins_a_group_while_being_deleted(store, _) {
        people(&store).await;
        for round in 0..20 {
            let id = format!("x{round}");
            apply(&store, decision(&id, &id, vec![create(account(&id))])).await.unwrap();
            let (racing, person) = (store.clone(), id.clone());
            at_once(4, move |number| {
                let (store, id) = (racing.clone(), person.clone());
                async move {
                    let change = if number == 0 { delete(&id, Status::Active) } else { members("g1", &[&id]) };
                    let trace = format!("{id}-{number}");
                    let outcome = apply(&store, decision(&trace, &id, vec![change])).await;
                    assert!(outcome.is_ok() || outcome.unwrap_err().is_retryable());
                }
            })
            .await;
        }
        let found = store.read(|reader| Box::pin(async move { reader.member_ids(&"g1".into(), None).await })).await;
        assert_eq!(found.unwrap(), Vec::new());
    }

    async fn a_document_is_kept_replaced_and_forgotten(store, _) {
        seed(&store).await;
        let first = object(&json!({"title": "Dr", "emails": [{"value": "a@x.y"}, {"value": "b@x.y"}, {"value": "c@x.y"}]}));
        apply(&store, decision("t1", "ada", vec![pushed(account("ada"), first.clone())])).await.unwrap();
        let user = |store: Store| async move {
            store.read(|reader| Box::pin(async move { reader.directory_user(&okta(), &"ada".into()).await })).await.unwrap()
        };
        assert_eq!(user(store.clone()).await.unwrap().document, Some(first));
        let by_email = |email: &str| search(Condition::text(Field::attribute("emails"), Operator::Equal, email, false));
        for (email, hits) in [("B@x.y", 1), ("c@x.y", 1), ("d@x.y", 0)] {
            assert_eq!(find(&store, &by_email(email)).await.total, Some(hits), "{email}");
        }
        let profile = |version, document: Option<Value>| Change::UpdateProfile {
            account: "ada".into(),
            version,
            set: ProfilePatch {
                profile: Some(document.map(|document| Box::new(DirectoryProfile { document: object(&document) }))),
                ..ProfilePatch::default()
            },
            before: ProfilePatch::default(),
        };
        let next = json!({"emails": [{"value": "d@x.y"}, {"value": "a@x.y"}]});
        apply(&store, decision("t2", "ada", vec![profile(1, Some(next.clone()))])).await.unwrap();
        assert_eq!(user(store.clone()).await.unwrap().document, Some(object(&next)));
        for (email, hits) in [("b@x.y", 0), ("c@x.y", 0), ("d@x.y", 1), ("a@x.y", 1)] {
            assert_eq!(find(&store, &by_email(email)).await.total, Some(hits), "{email}");
        }
        apply(&store, decision("t3", "ada", vec![profile(2, None)])).await.unwrap();
        assert_eq!(user(store.clone()).await.unwrap().document, None);
        for (email, hits) in [("d@x.y", 0), ("a@x.y", 0), ("ADA@home-lab.example", 1)] {
            assert_eq!(find(&store, &by_email(email)).await.total, Some(hits), "{email}");
        }
    }

    async fn r130_decisions_see_what_directories_pushed(store, _) {
        people(&store).await;
        let document = object(&json!({"title": "Dr"}));
        let mut changes = vec![pushed(account("eve"), document.clone()), members("g1", &["eve", "ada"])];
        changes.push(delete("bob", Status::Active));
        apply(&store, decision("t1", "ada", changes)).await.unwrap();
        let need = Need {
            accounts: vec!["ada".into()],
            external_id: Some((okta(), "ext-bob".to_owned())),
            user_name: Some((okta(), "EVE.name".to_owned())),
            directory: DirectoryNeed {
                profiles: true,
                groups_of_accounts: true,
                user_names: vec![(okta(), "CY.NAME".to_owned())],
                leavers: true,
                group: Some("g2".into()),
                group_external_id: Some((okta(), "ext-g2".to_owned())),
                group_name: Some((okta(), "STAFF".to_owned())),
                members: Some(MembersNeeded {
                    connection: okta(),
                    group: Some("g1".into()),
                    among: ["ada", "cy", "dora", "bob", "nobody"].map(Into::into).to_vec(),
                    all: false,
                }),
                departures: None,
            },
            ..Need::default()
        };
        let found = facts(&store, need.clone()).await;
        let ids = |facts: &[provost_kernel::facts::AccountFacts]| {
            facts.iter().map(|facts| facts.account.id.to_string()).collect::<Vec<_>>()
        };
        assert_eq!((ids(&found.accounts), ids(&found.candidates)), (vec!["ada".to_owned()], vec!["eve".to_owned(), "cy".to_owned()]));
        let directory = found.directory;
        assert_eq!(ids(&directory.leavers), ["bob"]);
        assert_eq!(directory.profiles, BTreeMap::from([("eve".into(), DirectoryProfile { document })]));
        let staff = GroupName { id: "g1".into(), name: "Staff".to_owned(), external_id: Some("ext-g1".to_owned()) };
        let doctors = GroupName { id: "g2".into(), name: "Ärzte".to_owned(), external_id: Some("ext-g2".to_owned()) };
        assert_eq!(directory.groups_of, BTreeMap::from([("ada".into(), vec![staff.clone()]), ("eve".into(), vec![staff.clone()])]));
        assert_eq!(directory.group.unwrap().naming(), doctors);
        assert_eq!(directory.similar_groups, [staff, doctors]);
        assert_eq!(directory.own_accounts, [AccountId::from("ada"), "cy".into()]);
        assert_eq!(directory.members, [AccountId::from("ada")]);
        let mut all = need.clone();
        let wanted = all.directory.members.as_mut().unwrap();
        (wanted.all, wanted.among) = (true, vec!["cy".into(), "bob".into()]);
        let directory = facts(&store, all).await.directory;
        assert_eq!(directory.own_accounts, [AccountId::from("cy")]);
        assert_eq!(directory.members, [AccountId::from("ada"), "eve".into()]);
        // A sign-in asks for nothing and gets nothing.
        let plain = Need { directory: DirectoryNeed::default(), ..need };
        let found = facts(&store, plain).await;
        assert_eq!(found.directory, provost_kernel::facts::DirectoryFacts::default());
        assert_eq!(ids(&found.candidates), ["eve"]);
    }

    async fn managed_people_are_listed_portion_by_portion_with_what_rules_see(store, _) {
        people(&store).await;
        let document = object(&json!({"title": "Dr"}));
        let everybody = ["zed", "eve", "max", "liv", "tom"];
        let mut changes: Vec<Change> = everybody.map(|id| pushed(account(id), document.clone())).to_vec();
        changes.extend([members("g1", &["eve", "ada"]), members("g2", &["eve"]), delete("liv", Status::Active)]);
        apply(&store, decision("t1", "eve", changes)).await.unwrap();
        let (listed, groups, counts) = store
            .read(|reader| Box::pin(async move {
                let (mut listed, mut groups, mut after) = (Vec::new(), Vec::new(), None);
                loop {
                    let page = reader.managed_page(&okta(), after.as_ref(), 3).await?;
                    let Some(last) = page.last() else { break };
                    after = Some(last.place.clone());
                    for one in page {
                        assert_eq!(one.document.get("title"), Some(&json!("Dr")));
                        let named = one.groups.iter().map(|group| group.name.clone());
                        groups.extend(named.map(|name| format!("{} {name}", one.known.account.id)));
                        listed.push(one.known.account.id.to_string());
                    }
                }
                Ok::<_, StoreError>((listed, groups, reader.count_managed(&okta()).await?))
            }))
            .await
            .unwrap();
        let mut sorted = listed.clone();
        sorted.sort();
        assert_eq!(sorted, ["eve", "max", "tom", "zed"], "each once: {listed:?}");
        assert_eq!(groups, ["eve Staff", "eve Ärzte"]);
        assert_eq!(counts, (4, 3), "Ada, Bob and Cy are not managed, Liv is gone");
    }

    async fn departures_are_counted_in_their_window(store, _) {
        people(&store).await;
        let inactive = Change::SetStatus {
            account: "ada".into(),
            version: 1,
            from: Status::Active,
            to: Status::Deactivated,
            origin: Origin::Scim,
        };
        let by_admin = Change::SetStatus {
            account: "cy".into(),
            version: 1,
            from: Status::Active,
            to: Status::Deactivated,
            origin: Origin::Admin,
        };
        apply(&store, decision("t1", "ada", vec![inactive, delete("bob", Status::Active), by_admin])).await.unwrap();
        let departures = |store: Store, since| async move {
            let found = store.read(|reader| Box::pin(async move { reader.departures(&okta(), since).await })).await.unwrap();
            (found.recent, found.active)
        };
        assert_eq!(departures(store.clone(), at(0)).await, (2, 0));
        assert_eq!(departures(store.clone(), at(1000)).await, (0, 0));
        let purge = |now| {
            let retention = Retention { traces_before: at(0), ended_before: at(0), jobs_before: at(0) };
            store.write(move |tx| Box::pin(async move { tx.purge(&retention, 9, now).await }))
        };
        assert_eq!(purge(at(1000)).await.unwrap(), 0);
        assert_eq!(departures(store.clone(), at(0)).await, (2, 0));
        assert_eq!(purge(at(40 * 86_400)).await.unwrap(), 1);
        assert_eq!(departures(store.clone(), at(0)).await, (0, 0));
    }

    async fn a_reevaluation_is_queued_with_the_change(store, _) {
        people(&store).await;
        let queue = Change::QueueReevaluation { job: "job-1".to_owned(), connection: okta(), accounts: vec!["ada".into()] };
        apply(&store, decision("t1", "ada", vec![members("g1", &["ada"]), queue])).await.unwrap();
        let job = store.read(|reader| Box::pin(async move { reader.job("job-1").await })).await.unwrap().unwrap();
        assert_eq!(job.job.kind, REEVALUATE);
        assert_eq!(job.job.payload, json!({"connection": "home-okta", "accounts": ["ada"]}));
    }

    async fn r162_requests_are_logged_filtered_paged_and_purged(store, _) {
        let mut elsewhere = request("e", at(5), 404, "refused");
        elsewhere.connection = String::new();
        let requests = vec![
            request("a", at(10), 201, "done"),
            request("b", at(20), 200, "done"),
            request("c", at(20), 401, "unauthenticated"),
            request("d", at(4000), 500, "failed"),
            elsewhere,
        ];
        let log = requests.clone();
        store.write(|tx| Box::pin(async move { tx.insert_scim_requests(&log).await })).await.unwrap();
        let list = |filter: ScimRequestFilter, limit| {
            let store = store.clone();
            async move {
                let found = store.read(|reader| Box::pin(async move { reader.scim_requests(&filter, limit).await })).await;
                found.unwrap().into_iter().map(|request| request.id).collect::<Vec<_>>()
            }
        };
        let of = ScimRequestFilter { connection: Some("home-okta".to_owned()), ..ScimRequestFilter::default() };
        assert_eq!(list(ScimRequestFilter::default(), 9).await, ["d", "c", "b", "a", "e"]);
        assert_eq!(list(of.clone(), 2).await, ["d", "c"]);
        let after = ScimRequestFilter { before: Some((at(20), "c".to_owned())), ..of.clone() };
        assert_eq!(list(after, 9).await, ["b", "a"]);
        let with = |change: fn(&mut ScimRequestFilter)| {
            let mut filter = of.clone();
            change(&mut filter);
            list(filter, 9)
        };
        assert_eq!(with(|filter| (filter.since, filter.until) = (Some(at(20)), Some(at(4000)))).await, ["c", "b"]);
        assert_eq!(with(|filter| filter.outcomes = vec!["failed".to_owned(), "unauthenticated".to_owned()]).await, ["d", "c"]);
        assert_eq!(with(|filter| filter.status = Some((400, 499))).await, ["c"]);
        assert_eq!(with(|filter| filter.method = Some("post".to_owned())).await, ["a"]);
        assert_eq!(with(|filter| filter.path = Some("EQ \"B%".to_owned())).await, ["b"]);
        assert_eq!(with(|filter| filter.target = Some("acc-a".to_owned())).await, ["a"]);
        let one = store.read(|reader| Box::pin(async move { reader.scim_request("a").await })).await.unwrap();
        assert_eq!(one.as_ref(), requests.first());
        // More of the same hour are added up.
        let more = vec![request("f", at(30), 200, "done"), request("g", at(15), 200, "done")];
        store.write(|tx| Box::pin(async move { tx.insert_scim_requests(&more).await })).await.unwrap();
        let traffic = |store: Store, since| async move {
            store.read(|reader| Box::pin(async move { reader.scim_traffic(&okta(), since).await })).await.unwrap()
        };
        let expected = ScimTraffic {
            requests: 6,
            failures: 1,
            refusals: 1,
            last_at: Some(at(4000)),
            last_success_at: Some(at(30)),
        };
        assert_eq!(traffic(store.clone(), at(0)).await, expected);
        assert_eq!(traffic(store.clone(), at(4000)).await.requests, 1);
        assert_eq!(traffic(store.clone(), at(40_000)).await, ScimTraffic::default());
        let purge = || store.write(|tx| Box::pin(async move { tx.purge_scim_requests(at(3999), 3).await }));
        let mut rounds = 0;
        while purge().await.unwrap() > 0 {
            rounds += 1;
        }
        assert_eq!(rounds, 2);
        assert_eq!(list(ScimRequestFilter::default(), 9).await, ["d"]);
    }
}
