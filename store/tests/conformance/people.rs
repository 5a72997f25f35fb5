//! The console's list of people.

use provost_kernel::directory::Account;
use provost_kernel::email::Email;
use provost_kernel::id::AccountId;
use provost_kernel::plan::Change;
use provost_store::{PeopleFilter, Store, StoreError};

use crate::support::*;

/// More people than a beginning must have to count as common.
const MANY: usize = 1_050;

/// Members with addresses `personN@…`; every third is called Mia, and the last one Mila Zed.
async fn members(store: &Store) {
    seed(store).await;
    let join = |person: &Account| Change::AddMembership {
        account: person.id.clone(),
        membership: membership(None),
    };
    let person = |number: usize| {
        let name = match number {
            number if number == MANY - 1 => ("Mila", "Zed"),
            number if number % 3 == 0 => ("Mia", "One"),
            _ => ("Noa", "Two"),
        };
        let id = format!("p{number:05}");
        Account {
            email: Some(Email::parse(&format!("person{number}@home-lab.example")).unwrap()),
            given_name: Some(name.0.to_owned()),
            family_name: Some(name.1.to_owned()),
            ..account(&id)
        }
    };
    for start in (0..MANY).step_by(150) {
        let people: Vec<Account> = (start..(start + 150).min(MANY)).map(person).collect();
        let changes = people
            .iter()
            .flat_map(|person| [create(person.clone()), join(person)]);
        apply(store, decision(&format!("t{start}"), "p00000", changes.collect()))
            .await
            .unwrap();
    }
}

async fn found(store: &Store, text: &str, before: Option<&str>, limit: u32) -> Vec<String> {
    let filter = PeopleFilter {
        text: Some(text.to_owned()),
        before: before.map(AccountId::new),
        ..PeopleFilter::of(org())
    };
    let ids = store.read(|reader| Box::pin(async move { reader.people_ids(&filter, limit).await }));
    let ids: Result<Vec<AccountId>, StoreError> = ids.await;
    ids.unwrap().into_iter().map(|id| id.to_string()).collect()
}

conformance! {
    /// A beginning that very many share is found by another way than one that few do.
    async fn r100_people_are_found_by_a_beginning_whether_few_share_it_or_nearly_all(store, _) {
        members(&store).await;
        let all = |wanted: &dyn Fn(usize) -> bool| -> Vec<String> {
            (0..MANY).rev().filter(|number| wanted(*number)).map(|number| format!("p{number:05}")).collect()
        };
        let most = u32::try_from(MANY).unwrap() + 1;
        assert_eq!(found(&store, "PERSON", None, most).await, all(&|_| true), "an address, shared by all");
        assert_eq!(found(&store, "person", Some("p00003"), 2).await, ["p00002", "p00001"]);
        let mias = all(&|number| number % 3 == 0 && number != MANY - 1);
        assert_eq!(found(&store, " mia", None, most).await, mias, "a name that a third shares");
        assert_eq!(found(&store, "zed", None, most).await, [format!("p{:05}", MANY - 1)]);
        assert_eq!(found(&store, "person1049@", None, most).await, [format!("p{:05}", MANY - 1)]);
        assert_eq!(found(&store, "nobody", None, most).await, [""; 0]);
    }
}
