//! Texts of documents by attribute: filters on them go through an index, and only those of one's own connection.
//! Pages in front of others, and overrides whose time is over.

use provost_kernel::directory::{Authentication, DirectoryProfile};
use provost_kernel::keeping::{FieldOverride, Keeping, KeptField};
use provost_kernel::plan::{Change, ProfilePatch};
use provost_store::Store;
use provost_store::search::{Condition, Field, Operator, Search, Sort, Start};
use serde_json::{Map, Value, json};

use crate::search::{crowd, find, pushed, search};
use crate::support::*;

const DEPARTMENT: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department";

fn document(number: usize) -> Map<String, Value> {
    json!({
        "userName": format!("p{number}"), "title": format!("Title {number}"), "locale": "en-US",
        "name": { "givenName": "Ada", "middleName": format!("M{number}") },
        "phoneNumbers": [{ "value": format!("+1 {number}"), "type": "work" }],
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": { "department": format!("Dep {}", number % 50) },
        "urn:provost:scim:schemas:extension:custom:2.0:User": { "nfc": format!("04-{number}-{}", "x".repeat(150)) },
    })
    .as_object()
    .cloned()
    .unwrap()
}

async fn populate(store: &Store) {
    seed(store).await;
    for step in 0..6 {
        let people = (0..100).map(|number| {
            let number = step * 100 + number;
            let account = provost_kernel::directory::Account {
                given_name: Some(format!("G{number}")),
                display_name: Some(format!("Person {number}")),
                ..account(&format!("p{number}"))
            };
            pushed(account, document(number))
        });
        apply(store, decision(&format!("t{step}"), "p0", people.collect()))
            .await
            .unwrap();
    }
    let elsewhere = provost_kernel::directory::Account {
        authentication: Authentication::Sso {
            connection: "second".into(),
        },
        ..account("elsewhere")
    };
    apply(
        store,
        decision("else", "elsewhere", vec![pushed(elsewhere, document(7))]),
    )
    .await
    .unwrap();
}

fn text(name: &str, operator: Operator, value: &str) -> Condition {
    Condition::text(Field::attribute(name), operator, value, false)
}

async fn names(store: &Store, condition: Condition) -> Vec<String> {
    let page = find(store, &search(condition)).await;
    let names = page.items.iter().map(|user| user.account.id.to_string());
    names.collect()
}

conformance! {
    async fn filters_on_any_text_of_a_document_take_an_index(store, database) {
        populate(&store).await;
        if database.directory.is_none() {
            database.execute("ANALYZE").await;
        }
        let nfc = format!("04-7-{}", "x".repeat(150));
        let equal = Operator::Equal;
        let cases = [
            (text("title", equal, "TITLE 7"), vec!["p7"]),
            (text("title", Operator::StartsWith, "title 59"), vec!["p59", "p590", "p591", "p592", "p593", "p594", "p595", "p596", "p597", "p598", "p599"]),
            (text("phoneNumbers", equal, "+1 7"), vec!["p7"]),
            (text("urn:provost:scim:schemas:extension:custom:2.0:User:nfc", equal, &nfc), vec!["p7"]),
            (Condition::text(Field::sub_attribute("name", "middleName"), equal, "m7", false), vec!["p7"]),
            (Condition::text(Field::GivenName, equal, "g7", false), vec!["p7"]),
            (Condition::text(Field::DisplayName, Operator::StartsWith, "person 59", false), vec!["p59", "p590", "p591", "p592", "p593", "p594", "p595", "p596", "p597", "p598", "p599"]),
            (Condition::text(Field::UserName, Operator::StartsWith, "p7.", false), vec!["p7"]),
            (Condition::And(vec![text(DEPARTMENT, equal, "dep 7"), text("title", Operator::EndsWith, " 57")]), vec!["p57"]),
            (Condition::Or(vec![text("title", equal, "title 8"), text("phoneNumbers", equal, "+1 9")]), vec!["p8", "p9"]),
        ];
        for (condition, expected) in cases {
            assert_eq!(names(&store, condition.clone()).await, expected, "{condition:?}");
            let asked = search(condition.clone());
            let plan = store.read(|reader| Box::pin(async move { reader.explain_users(&asked).await })).await.unwrap();
            let plan = plan.join("\n");
            let indexes = ["account_values_value", "accounts_given_name", "accounts_display_name", "accounts_user_name"];
            assert!(indexes.iter().any(|index| plan.contains(index)), "{condition:?}\n{plan}");
            assert!(!plan.contains("SCAN d") && !plan.contains("Seq Scan on account_documents"), "{condition:?}\n{plan}");
        }
        // What is cut in the list is compared whole.
        let nearly = text("urn:provost:scim:schemas:extension:custom:2.0:User:nfc", equal, &format!("{nfc}x"));
        assert_eq!(names(&store, nearly).await, [""; 0]);
    }

    async fn listed_values_follow_every_change_of_the_document(store, database) {
        seed(&store).await;
        apply(&store, decision("a", "ada", vec![pushed(account("ada"), document(1))])).await.unwrap();
        let change = |version, document: Option<Value>| {
            let document = document.map(|document| document.as_object().cloned().unwrap());
            let set = ProfilePatch {
                profile: Some(document.map(|document| Box::new(DirectoryProfile { document }))),
                ..ProfilePatch::default()
            };
            Change::UpdateProfile { account: "ada".into(), version, set, before: ProfilePatch::default() }
        };
        let renamed = json!({ "title": "Chief", "tags": (0..60).map(|tag| format!("tag {tag}")).collect::<Vec<_>>() });
        apply(&store, decision("b", "ada", vec![change(1, Some(renamed))])).await.unwrap();
        // More values than are listed are found all the same.
        for (attribute, value, is_found) in [("title", "title 1", false), ("title", "chief", true), ("tags", "tag 59", true)] {
            let found = names(&store, text(attribute, Operator::Equal, value)).await;
            assert_eq!(found.len(), usize::from(is_found), "{attribute} {value}");
            let found = names(&store, text(attribute, Operator::StartsWith, value)).await;
            assert_eq!(found.len(), usize::from(is_found), "{attribute} {value}");
        }
        apply(&store, decision("c", "ada", vec![change(2, None)])).await.unwrap();
        assert_eq!(names(&store, text("title", Operator::Equal, "chief")).await, [""; 0]);
        // Fails if a row is left.
        database.execute("UPDATE account_values SET label = NULL").await;
    }

    async fn pages_in_front_are_the_pages_that_led_there(store, database) {
        seed(&store).await;
        crowd(&database, 23).await;
        let orders = [
            None,
            Some(Sort { by: Field::UserName, descending: false }),
            Some(Sort { by: Field::UserName, descending: true }),
            // Nobody has one: the order of creation decides.
            Some(Sort { by: Field::FamilyName, descending: true }),
        ];
        for sort in orders {
            let at = |start| Search { start, limit: 5, sort: sort.clone(), ..search(Condition::All) };
            let mut pages = vec![find(&store, &at(Start::After(None))).await];
            assert_eq!(pages[0].previous, None);
            while let Some(next) = pages.last().unwrap().next.clone() {
                pages.push(find(&store, &at(Start::at(next))).await);
            }
            assert_eq!(pages.iter().map(|page| page.items.len()).sum::<usize>(), 23);
            for number in (1..pages.len()).rev() {
                let back = pages[number].previous.clone().unwrap();
                let found = find(&store, &at(Start::at(back))).await;
                assert_eq!(found.items, pages[number - 1].items, "{sort:?} {number}");
                assert_eq!(found.total, Some(23));
                assert_eq!(found.previous.is_none(), number == 1, "{sort:?} {number}");
                let on = find(&store, &at(Start::at(found.next.unwrap()))).await;
                assert_eq!(on.items, pages[number].items, "{sort:?} {number}");
            }
        }
        // With a condition, too.
        let some = |start| Search {
            start,
            limit: 4,
            ..search(Condition::text(Field::UserName, Operator::StartsWith, "crowd1", false))
        };
        let first = find(&store, &some(Start::After(None))).await;
        let second = find(&store, &some(Start::at(first.next.clone().unwrap()))).await;
        let again = find(&store, &some(Start::at(second.previous.unwrap()))).await;
        assert_eq!(again.items, first.items);
    }

    async fn r163_overrides_are_kept_and_found_when_their_time_is_over(store, _) {
        seed(&store).await;
        apply(&store, decision("a", "ada", vec![create(account("ada")), create(account("bob"))])).await.unwrap();
        let over = |seconds| FieldOverride {
            field: KeptField::Attribute("nfc".to_owned()),
            until: at(seconds),
            returns: json!("04-A"),
            by: "operator".to_owned(),
        };
        let keeping = |id: &str, version, overrides: Vec<FieldOverride>| {
            let keeping = Keeping { overrides, ..Keeping::default() };
            let set = ProfilePatch { keeping: Some(keeping), ..ProfilePatch::default() };
            Change::UpdateProfile { account: id.into(), version, set, before: ProfilePatch::default() }
        };
        let changes = vec![keeping("ada", 1, vec![over(500), over(200)]), keeping("bob", 1, vec![over(300)])];
        apply(&store, decision("b", "ada", changes)).await.unwrap();
        let due = |seconds| {
            let store = store.clone();
            async move {
                let found = store.read(|reader| Box::pin(async move { reader.overrides_over(at(seconds), 10).await })).await;
                found.unwrap().iter().map(ToString::to_string).collect::<Vec<_>>()
            }
        };
        assert_eq!(due(199).await, [""; 0]);
        assert_eq!(due(200).await, ["ada"]);
        assert_eq!(due(300).await, ["ada", "bob"]);
        let kept = store.read(|reader| Box::pin(async move { reader.account(&"ada".into()).await })).await.unwrap().unwrap();
        assert_eq!(kept.keeping.overrides, [over(500), over(200)]);
        apply(&store, decision("c", "ada", vec![keeping("ada", 2, Vec::new())])).await.unwrap();
        assert_eq!(due(900).await, ["bob"]);
        let kept = store.read(|reader| Box::pin(async move { reader.account(&"ada".into()).await })).await.unwrap().unwrap();
        assert_eq!(kept.keeping, Keeping::default());
    }
}
