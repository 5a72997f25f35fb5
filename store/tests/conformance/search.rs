//! Searching people and groups: the same results as the oracle on both engines, in a fixed order, page by page.

use std::collections::BTreeMap;

use provost_kernel::directory::{Account, AccountKind, DirectoryProfile, Group, Origin, Status};
use provost_kernel::email::Email;
use provost_kernel::plan::Change;
use provost_store::Store;
use provost_store::search::{
    Condition, Cursor, DirectoryUser, Field, Literal, Operator, Page, Search, Sort, Start,
};
use serde_json::{Map, Value, json};

use crate::oracle::{self, Dice, Person};
use crate::support::*;

pub(crate) fn search(condition: Condition) -> Search {
    Search {
        connection: okta(),
        condition,
        sort: None,
        start: Start::Skip(0),
        limit: 1000,
        total: true,
    }
}

pub(crate) async fn find(store: &Store, search: &Search) -> Page<DirectoryUser> {
    let search = search.clone();
    store
        .read(|reader| Box::pin(async move { reader.search_users(&search).await }))
        .await
        .unwrap_or_else(|error| panic!("{error:?}"))
}

fn ids(page: &Page<DirectoryUser>) -> Vec<String> {
    page.items
        .iter()
        .map(|user| user.account.id.to_string())
        .collect()
}

pub(crate) fn pushed(account: Account, document: Map<String, Value>) -> Change {
    Change::CreateAccount {
        account: Box::new(account),
        profile: Some(DirectoryProfile { document }),
    }
}

pub(crate) fn group(id: &str, name: &str) -> Change {
    Change::CreateGroup {
        group: Box::new(Group {
            id: id.into(),
            connection: okta(),
            external_id: Some(format!("ext-{id}")),
            name: name.to_owned(),
            document: json!({"displayName": name, "note": format!("Note {id}")})
                .as_object()
                .cloned()
                .unwrap(),
            version: 1,
        }),
    }
}

/// Names of the groups of random people.
const GROUPS: [(&str, &str); 3] = [("g1", "Staff"), ("g2", "Ärzte"), ("g3", "a%_b")];
const PEOPLE: usize = 90;

/// Random people, a third of them without a document, some in groups, some not active, some of another connection or
/// deleted, which nobody must ever find.
async fn populate(store: &Store, dice: &mut Dice) -> Vec<Person> {
    seed(store).await;
    let mut people = Vec::new();
    let mut changes: Vec<Change> = GROUPS.map(|(id, name)| group(id, name)).to_vec();
    let mut members: BTreeMap<&str, Vec<provost_kernel::id::AccountId>> = BTreeMap::new();
    for number in 0..PEOPLE {
        let id = format!("p{number}");
        let maybe = |dice: &mut Dice| (!dice.one_in(4)).then(|| dice.pick(&oracle::TEXTS).to_owned());
        let account = Account {
            kind: AccountKind::User,
            email: (!dice.one_in(5))
                .then(|| Email::parse(&format!("{}@home-lab.example", id.to_uppercase())).unwrap()),
            external_id: (!dice.one_in(3)).then(|| format!("ext-{id}")),
            user_name: (!dice.one_in(4)).then(|| format!("{id}.Name")),
            given_name: maybe(dice),
            family_name: maybe(dice),
            display_name: maybe(dice),
            status: [
                Status::Active,
                Status::Invited,
                Status::Suspended,
                Status::Deactivated,
            ][dice.below(4)],
            created_at: at(i64::try_from(dice.below(30)).unwrap()),
            ..account(&id)
        };
        let document = (!dice.one_in(3)).then(|| oracle::document(dice, PEOPLE));
        changes.push(match &document {
            Some(document) => pushed(account.clone(), document.clone()),
            None => create(account.clone()),
        });
        let mut groups = Vec::new();
        for (group, name) in GROUPS {
            if dice.one_in(4) {
                members.entry(group).or_default().push(account.id.clone());
                groups.push((group.to_owned(), name.to_owned()));
            }
        }
        people.push(Person {
            account,
            document,
            updated_at: at(100),
            groups,
        });
    }
    for (group, accounts) in members {
        changes.push(Change::AddGroupMembers {
            group: group.into(),
            accounts,
        });
    }
    let elsewhere = Account {
        authentication: provost_kernel::directory::Authentication::Sso {
            connection: "second".into(),
        },
        ..account("elsewhere")
    };
    changes.push(pushed(elsewhere, oracle::document(dice, PEOPLE)));
    changes.push(pushed(account("gone"), oracle::document(dice, PEOPLE)));
    changes.push(Change::SetStatus {
        account: "gone".into(),
        version: 1,
        from: Status::Active,
        to: Status::Deleted,
        origin: Origin::Scim,
    });
    apply(store, decision("populate", "p0", changes)).await.unwrap();
    people
}

async fn deactivate(store: &Store, id: &str) {
    let change = Change::SetStatus {
        account: id.into(),
        version: 1,
        from: Status::Active,
        to: Status::Deleted,
        origin: Origin::Scim,
    };
    apply(store, decision(&format!("delete-{id}"), id, vec![change]))
        .await
        .unwrap();
}

/// Many accounts at once, written past the store: what counts them must notice all the same.
pub(crate) async fn crowd(database: &Database, count: usize) {
    database
        .execute(&format!(
            "INSERT INTO accounts (id, kind, connection, status, status_origin, email, email_key, user_name, \
             user_name_key, emergency_admin, operator, attributes, version, created_at, updated_at, ordinal) \
             WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count}) \
             SELECT 'c' || i, 'user', 'home-okta', 'active', 'scim', NULL, NULL, 'Crowd' || i, 'crowd' || i, 0, 0, \
             '{{}}', 1, 1000, 1000, i FROM n"
        ))
        .await;
}

async fn total(store: &Store) -> (u64, u64) {
    store
        .read(|reader| Box::pin(async move { reader.directory_size(&okta()).await }))
        .await
        .unwrap()
}

conformance! {
    async fn r150_conditions_find_what_the_oracle_finds(store, _) {
        let mut dice = Dice(0x5eed_1234_abcd);
        let people = populate(&store, &mut dice).await;
        let mut hits = 0;
        for round in 0..700 {
            let condition = oracle::condition(&mut dice, 3, PEOPLE);
            let found = find(&store, &search(condition.clone())).await;
            let expected: Vec<String> = people
                .iter()
                .filter(|person| oracle::holds(&condition, person))
                .map(|person| person.account.id.to_string())
                .collect();
            assert_eq!(ids(&found), expected, "round {round}: {condition:#?}");
            assert_eq!(found.total, Some(expected.len() as u64), "round {round}: {condition:#?}");
            hits += usize::from(!expected.is_empty() && expected.len() < PEOPLE);
        }
        assert!(hits > 250, "only {hits} conditions told people apart");
    }

    async fn r152_sorting_follows_the_oracle_and_pages_fit_together(store, _) {
        let mut dice = Dice(0x00c0_ffee_0001);
        let people = populate(&store, &mut dice).await;
        let memberships = |field: &Field| matches!(field, Field::Attribute { name, .. } if name == "groups");
        for round in 0..60 {
            let by = loop {
                let field = oracle::field(&mut dice);
                if !memberships(&field) {
                    break field;
                }
            };
            let sort = Sort { by, descending: dice.one_in(2) };
            let condition = if dice.one_in(2) { Condition::All } else { oracle::condition(&mut dice, 2, PEOPLE) };
            let mut expected: Vec<&Person> = people.iter().filter(|person| oracle::holds(&condition, person)).collect();
            oracle::sorted(&mut expected, &sort);
            let expected: Vec<String> = expected.iter().map(|person| person.account.id.to_string()).collect();
            let whole = Search { sort: Some(sort.clone()), ..search(condition) };
            assert_eq!(ids(&find(&store, &whole).await), expected, "round {round}: {whole:#?}");
            let step = u32::try_from(1 + dice.below(40)).unwrap();
            let mut by_number = Vec::new();
            while by_number.len() < expected.len() {
                let page = Search { start: Start::Skip(by_number.len() as u64), limit: step, ..whole.clone() };
                let found = find(&store, &page).await;
                assert_eq!(found.total, Some(expected.len() as u64));
                assert!(!found.items.is_empty(), "round {round}: {whole:#?}");
                by_number.extend(ids(&found));
            }
            assert_eq!(by_number, expected, "round {round}: {whole:#?}");
            let (mut by_cursor, mut cursor) = (Vec::new(), None);
            loop {
                let page = Search { start: Start::After(cursor), limit: step, total: false, ..whole.clone() };
                let found = find(&store, &page).await;
                by_cursor.extend(ids(&found));
                cursor = found.next.map(|next| Cursor::decode(&next.encode()).unwrap());
                if cursor.is_none() {
                    break;
                }
            }
            assert_eq!(by_cursor, expected, "round {round}: {whole:#?}");
        }
    }

    async fn r152_deep_pages_are_exact_whatever_was_deleted_before_them(store, database) {
        seed(&store).await;
        crowd(&database, 1700).await;
        assert_eq!(total(&store).await, (1700, 1700));
        let mut left: Vec<String> = (1..=1700).map(|number| format!("c{number}")).collect();
        let gone = [1, 2, 511, 512, 513, 700, 1023, 1024, 1025, 1535, 1536, 1700];
        for number in gone {
            deactivate(&store, &format!("c{number}")).await;
        }
        database.execute("DELETE FROM accounts WHERE id IN ('c800', 'c1600')").await;
        database.execute("UPDATE accounts SET connection = 'second' WHERE id = 'c900'").await;
        database.execute("UPDATE accounts SET status = 'suspended' WHERE id = 'c901'").await;
        left.retain(|id| {
            let number: u32 = id[1..].parse().unwrap();
            !gone.contains(&number) && ![800, 1600, 900].contains(&number)
        });
        assert_eq!(total(&store).await, (left.len() as u64, left.len() as u64 - 1));
        for skip in [0, 1, 99, 505, 508, 509, 510, 511, 600, 1018, 1019, 1020, 1400, 1525, 1600, 1680, 1684, 1685, 9999] {
            let page = Search { start: Start::Skip(skip as u64), limit: 7, ..search(Condition::All) };
            let found = find(&store, &page).await;
            let expected: Vec<String> = left.iter().skip(skip).take(7).cloned().collect();
            assert_eq!(ids(&found), expected, "after {skip}");
            assert_eq!(found.total, Some(left.len() as u64), "after {skip}");
        }
        // Restored people stand where they stood; new ones come last.
        database.execute("UPDATE accounts SET status = 'active' WHERE id = 'c700'").await;
        apply(&store, decision("new", "new", vec![create(account("new"))])).await.unwrap();
        let all = ids(&find(&store, &Search { limit: 5000, ..search(Condition::All) }).await);
        assert_eq!(all.iter().position(|id| id == "c700"), Some(694));
        assert_eq!(all.last().map(String::as_str), Some("new"));
        let only = Search { limit: 0, ..search(Condition::All) };
        assert_eq!(find(&store, &only).await.total, Some(left.len() as u64 + 2));
    }

    async fn r152_cursors_neither_repeat_nor_miss_while_people_come_and_go(store, database) {
        seed(&store).await;
        crowd(&database, 300).await;
        let (mut seen, mut cursor) = (Vec::new(), None);
        for round in 0.. {
            let page = Search { start: Start::After(cursor), limit: 50, total: false, ..search(Condition::All) };
            let found = find(&store, &page).await;
            seen.extend(ids(&found));
            cursor = found.next;
            if cursor.is_none() {
                break;
            }
            // One who was shown leaves, and one joins at the end.
            deactivate(&store, &format!("c{}", round * 10 + 1)).await;
            let id = format!("late{round}");
            apply(&store, decision(&id, &id, vec![create(account(&id))])).await.unwrap();
        }
        let mut expected: Vec<String> = (1..=300).map(|number| format!("c{number}")).collect();
        expected.extend((0..6).map(|number| format!("late{number}")));
        assert_eq!(seen, expected);
    }

    async fn a_cursor_of_another_search_is_refused(store, database) {
        seed(&store).await;
        crowd(&database, 10).await;
        let first = Search { start: Start::After(None), limit: 5, ..search(Condition::All) };
        let cursor = find(&store, &first).await.next.unwrap();
        assert!(first.accepts(&cursor));
        let other = Search {
            start: Start::After(Some(cursor.clone())),
            ..search(Condition::text(Field::UserName, Operator::StartsWith, "c", false))
        };
        assert!(!other.accepts(&cursor));
        let error = store.read(|reader| Box::pin(async move { reader.search_users(&other).await })).await.unwrap_err();
        assert_eq!(error.code(), "refused");
    }

    async fn conditions_without_sense_are_refused_and_large_ones_too(store, _) {
        let mut deep = Condition::All;
        for _ in 0..100 {
            deep = deep.negated();
        }
        let wide = Condition::Or(vec![Condition::Present(Field::UserName); 3000]);
        let nested = Condition::Element {
            attribute: "emails".to_owned(),
            condition: Box::new(Condition::Element { attribute: "x".to_owned(), condition: Box::new(Condition::All) }),
        };
        for condition in [deep, wide, nested, Condition::Present(Field::Sub("x".to_owned()))] {
            let search = search(condition);
            let outcome = store.read(|reader| Box::pin(async move { reader.search_users(&search).await })).await;
            assert_eq!(outcome.unwrap_err().code(), "refused");
        }
        let search = search(Condition::Present(Field::UserName));
        let outcome = store.read(|reader| Box::pin(async move { reader.search_groups(&search).await })).await;
        assert_eq!(outcome.unwrap_err().code(), "refused");
    }

    async fn texts_that_no_document_can_hold_find_nothing_and_are_not_kept(store, _) {
        seed(&store).await;
        apply(&store, decision("t", "ada", vec![create(account("ada"))])).await.unwrap();
        for field in [Field::UserName, Field::Id, Field::attribute("title"), Field::attribute("emails"), Field::attribute("groups")] {
            let found = find(&store, &search(Condition::text(field, Operator::Equal, "a\0b", false))).await;
            assert_eq!(found.total, Some(0));
        }
        let document = json!({"title": "a\0b"}).as_object().cloned().unwrap();
        let refused = apply(&store, decision("u", "bob", vec![pushed(account("bob"), document)])).await;
        assert_eq!(refused.unwrap_err().code(), "refused");
    }

    async fn r150_groups_are_found_by_name_member_and_document(store, _) {
        seed(&store).await;
        let mut changes = vec![create(account("ada")), create(account("bob"))];
        changes.extend([group("g1", "Ärzte"), group("g2", "Staff"), group("g3", "staff 2")]);
        changes.push(Change::AddGroupMembers { group: "g2".into(), accounts: vec!["ada".into(), "bob".into()] });
        changes.push(Change::AddGroupMembers { group: "g3".into(), accounts: vec!["bob".into()] });
        apply(&store, decision("t", "ada", changes)).await.unwrap();
        let groups = |condition: Condition| {
            let (store, search) = (store.clone(), search(condition));
            async move {
                let page = store.read(|reader| Box::pin(async move { reader.search_groups(&search).await })).await.unwrap();
                assert_eq!(page.total, Some(page.items.len() as u64));
                page.items.iter().map(|group| group.id.to_string()).collect::<Vec<_>>()
            }
        };
        let text = |field, operator, text, exact| Condition::text(field, operator, text, exact);
        assert_eq!(groups(Condition::All).await, ["g1", "g2", "g3"]);
        assert_eq!(groups(text(Field::DisplayName, Operator::Equal, "äRZTE", false)).await, ["g1"]);
        assert_eq!(groups(text(Field::DisplayName, Operator::Equal, "äRZTE", true)).await, [""; 0]);
        assert_eq!(groups(text(Field::DisplayName, Operator::StartsWith, "STAFF", false)).await, ["g2", "g3"]);
        assert_eq!(groups(text(Field::attribute("members"), Operator::Equal, "bob", true)).await, ["g2", "g3"]);
        assert_eq!(groups(text(Field::sub_attribute("members", "value"), Operator::Equal, "ada", false)).await, ["g2"]);
        assert_eq!(groups(Condition::Present(Field::attribute("members")).negated()).await, ["g1"]);
        assert_eq!(groups(text(Field::attribute("note"), Operator::EndsWith, "G3", false)).await, ["g3"]);
        assert_eq!(groups(text(Field::ExternalId, Operator::Equal, "ext-g1", true)).await, ["g1"]);
        let both = Condition::And(vec![
            text(Field::Id, Operator::Equal, "g3", true),
            text(Field::attribute("members"), Operator::Equal, "ada", true),
        ]);
        assert_eq!(groups(both).await, [""; 0]);
        let later = Condition::Compare {
            field: Field::Modified,
            operator: Operator::GreaterOrEqual,
            literal: Literal::Instant(at(100)),
        };
        assert_eq!(groups(later).await.len(), 3);
        let sorted = Search {
            sort: Some(Sort { by: Field::DisplayName, descending: true }),
            ..search(Condition::All)
        };
        let page = store.read(|reader| Box::pin(async move { reader.search_groups(&sorted).await })).await.unwrap();
        let names: Vec<&str> = page.items.iter().map(|group| group.name.as_str()).collect();
        assert_eq!(names, ["Ärzte", "staff 2", "Staff"]);
        assert_eq!(page.items.iter().map(|group| group.members).collect::<Vec<_>>(), [0, 1, 2]);
    }
}
