//! Several requests about one person or one group at the same moment.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::groups::{group, members, role};
use super::lab::{self, Directory};
use crate::app::on_each_engine;

/// Writers at the same moment.
const WRITERS: usize = 8;

/// Sends a PATCH for each of several operations at the same moment and returns the statuses, the lowest first.
async fn at_once(directory: &Directory, path: &str, operations: impl Iterator<Item = Value>) -> Vec<u16> {
    let writers = operations.map(|operation| {
        let (directory, path) = (directory.clone(), path.to_owned());
        tokio::spawn(async move { directory.patch(&path, json!([operation])).await.status.as_u16() })
    });
    let mut statuses = Vec::new();
    for writer in writers.collect::<Vec<_>>() {
        statuses.push(writer.await.unwrap());
    }
    statuses.sort_unstable();
    statuses
}

async fn version(directory: &Directory, path: &str) -> String {
    let read = directory.get(path).await.expect(200);
    read.header("etag").unwrap().to_owned()
}

/// The first one is done, the others are told that they came too late.
fn one_won(statuses: &[u16]) {
    let late = vec![412; statuses.len() - 1];
    assert!(
        matches!(statuses, [200 | 204, others @ ..] if *others == late),
        "{statuses:?}"
    );
}

#[tokio::test]
async fn concurrent_changes_of_one_person_lose_nothing() {
    on_each_engine(|test| async move {
        lab::fill(&test.app).await;
        let okta = Directory::of(&test, "okta").await;
        let path = format!("/Users/{}", okta.hire("ida").await);
        let added = (0..WRITERS).map(|number| {
            let number = json!({ "value": format!("+49 30 {number}"), "type": format!("line{number}") });
            json!({ "op": "add", "path": "phoneNumbers", "value": [number] })
        });
        assert_eq!(at_once(&okta, &path, added).await, [200; WRITERS]);
        let read = okta.get(&path).await.expect(200);
        let kept: BTreeSet<&str> = read.body["phoneNumbers"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|number| number["value"].as_str())
            .collect();
        assert_eq!(kept.len(), WRITERS, "{kept:?}");
    })
    .await;
}

#[tokio::test]
async fn of_those_who_change_one_version_of_a_person_one_wins() {
    on_each_engine(|test| async move {
        lab::fill(&test.app).await;
        let okta = Directory::of(&test, "okta").await;
        let path = format!("/Users/{}", okta.hire("ida").await);
        let bound = okta.and("if-match", &version(&okta, &path).await);
        let titles = (0..WRITERS)
            .map(|number| json!({ "op": "replace", "path": "title", "value": format!("title {number}") }));
        one_won(&at_once(&bound, &path, titles).await);
    })
    .await;
}

#[tokio::test]
async fn concurrent_descriptions_of_one_group_lose_nothing() {
    on_each_engine(|test| async move {
        lab::fill(&test.app).await;
        let okta = Directory::of(&test, "okta").await;
        for round in 0..WRITERS {
            let made = okta
                .post("/Groups", group(&format!("old {round}"), &[]))
                .await
                .expect(201);
            let path = format!("/Groups/{}", made.id());
            let both = [
                json!({ "op": "replace", "path": "displayName", "value": format!("new {round}") }),
                json!({ "op": "add", "path": "externalId", "value": format!("g-{round}") }),
            ];
            assert_eq!(at_once(&okta, &path, both.into_iter()).await, [200; 2]);
            let read = okta.get(&path).await.expect(200);
            assert_eq!(read.body["displayName"], format!("new {round}"));
            assert_eq!(read.body["externalId"], format!("g-{round}"));
        }
    })
    .await;
}

#[tokio::test]
async fn of_those_who_change_the_members_of_one_version_of_a_group_one_wins() {
    on_each_engine(|test| async move {
        lab::fill(&test.app).await;
        let okta = Directory::of(&test, "okta").await;
        let mut people = Vec::new();
        for number in 0..WRITERS {
            people.push(okta.hire(&format!("p{number}")).await);
        }
        let made = okta.post("/Groups", group("All", &[])).await.expect(201);
        let path = format!("/Groups/{}", made.id());
        let bound = okta.and("if-match", &version(&okta, &path).await);
        let added = people
            .iter()
            .map(|id| json!({ "op": "add", "path": "members", "value": [{ "value": id }] }));
        one_won(&at_once(&bound, &path, added).await);
        let read = okta.get(&path).await.expect(200);
        assert_eq!(members(&read.body).len(), 1);
    })
    .await;
}

#[tokio::test]
async fn of_two_whole_lists_of_members_one_holds() {
    on_each_engine(|test| async move {
        lab::fill(&test.app).await;
        let okta = Directory::of(&test, "okta").await;
        let (ida, kim, lea) = (
            okta.hire("ida").await,
            okta.hire("kim").await,
            okta.hire("lea").await,
        );
        let list = |id: &String| group("All", &[id]);
        let made = okta.post("/Groups", list(&lea)).await.expect(201);
        let path = format!("/Groups/{}", made.id());
        for _ in 0..WRITERS {
            okta.put(&path, list(&lea)).await.expect(200);
            let writers = [&ida, &kim].map(|id| {
                let (okta, path, list) = (okta.clone(), path.clone(), list(id));
                tokio::spawn(async move { okta.put(&path, list).await.expect(200) })
            });
            for writer in writers {
                writer.await.unwrap();
            }
            let read = okta.get(&path).await.expect(200);
            assert_eq!(members(&read.body).len(), 1, "{}", read.body);
        }
    })
    .await;
}

#[tokio::test]
async fn whoever_joins_while_a_group_is_renamed_gets_nothing_by_its_old_name() {
    on_each_engine(|test| async move {
        lab::fill(&test.app).await;
        let okta = Directory::of(&test, "okta").await;
        let ida = okta.hire("ida").await;
        for round in 0..WRITERS {
            let made = okta.post("/Groups", group("Admins", &[])).await.expect(201);
            let path = format!("/Groups/{}", made.id());
            let both = [
                json!({ "op": "add", "path": "members", "value": [{ "value": ida }] }),
                json!({ "op": "replace", "path": "displayName", "value": format!("Old admins {round}") }),
            ];
            assert_eq!(at_once(&okta, &path, both.into_iter()).await, [200; 2]);
            assert_eq!(role(&test, &ida).await, "member", "round {round}");
        }
    })
    .await;
}
