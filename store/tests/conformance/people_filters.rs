//! The console's list of people with filters, against the same filters over everybody, and how the database reads it.

use std::collections::BTreeSet;

use provost_kernel::directory::{
    Account, AccountKind, Authentication, Grant, Membership, Origin, Source, Status,
};
use provost_kernel::facts::AccountFacts;
use provost_kernel::id::AccountId;
use provost_kernel::plan::{Change, ProfilePatch};
use provost_store::{AccountFilter, GrantedBy, PeopleFilter, SignsIn, Store, StoreError};
use sqlx::{Connection as _, PgConnection};

use crate::support::*;

/// More people than make a filter a common one.
const MANY: usize = 1_300;

fn grant<T: for<'a> From<&'a str>>(id: &str, source: Source, pinned: bool) -> Grant<T> {
    Grant {
        id: id.into(),
        source,
        pinned,
    }
}

/// People of whom each filter finds many, few or nobody.
fn person(number: usize) -> (Account, Membership) {
    let id = format!("p{number:05}");
    let authentication = match number {
        number if number % 400 == 7 => Authentication::Sso {
            connection: "second".into(),
        },
        number if number % 50 == 3 => Authentication::Standard,
        _ => Authentication::Sso { connection: okta() },
    };
    let account = Account {
        authentication,
        kind: if number % 300 == 11 {
            AccountKind::Reader
        } else {
            AccountKind::User
        },
        status: match number {
            number if number % 350 == 20 => Status::Suspended,
            number if number % 200 == 21 => Status::Invited,
            number if number % 500 == 22 => Status::Deleted,
            _ => Status::Active,
        },
        ..account(&id)
    };
    let mut roles = vec![grant(
        "member",
        if number % 450 == 30 {
            Source::Manual
        } else {
            rule()
        },
        number % 600 == 31,
    )];
    if number % 250 == 32 {
        roles.push(grant("admin", Source::Manual, false));
        roles.push(grant("owner", Source::Manual, true));
    }
    if number == 40 {
        roles.clear();
    }
    let membership = Membership {
        roles,
        workspaces: if number % 420 == 50 {
            vec![grant("lab", rule(), false)]
        } else {
            Vec::new()
        },
        all_workspaces: (number % 380 == 51).then(rule),
        pinned: number == 40 || number % 700 == 60,
        ..membership((number % 310 == 70).then(|| seat("standard", false)))
    };
    (account, membership)
}

async fn members(store: &Store) {
    seed(store).await;
    another_owner(store).await;
    for start in (0..MANY).step_by(150) {
        let people = (start..(start + 150).min(MANY)).map(person);
        let changes = people.flat_map(|(account, membership)| {
            let id = account.id.clone();
            [
                create(account),
                Change::AddMembership {
                    account: id,
                    membership,
                },
            ]
        });
        apply(store, decision(&format!("t{start}"), "p00000", changes.collect()))
            .await
            .unwrap();
    }
    // What an account becomes later on is known to the lists as well.
    let suspend = Change::SetStatus {
        account: "p00100".into(),
        version: 1,
        from: Status::Active,
        to: Status::Suspended,
        origin: Origin::Admin,
    };
    let patch = |kind| ProfilePatch {
        kind: Some(kind),
        ..ProfilePatch::default()
    };
    let make_reader = Change::UpdateProfile {
        account: "p00101".into(),
        version: 1,
        set: patch(AccountKind::Reader),
        before: patch(AccountKind::User),
    };
    apply(store, decision("later", "p00000", vec![suspend, make_reader]))
        .await
        .unwrap();
}

async fn found(store: &Store, filter: &PeopleFilter, limit: u32) -> Vec<String> {
    let filter = filter.clone();
    let ids = store.read(|reader| Box::pin(async move { reader.people_ids(&filter, limit).await }));
    let ids: Result<Vec<AccountId>, StoreError> = ids.await;
    ids.unwrap().into_iter().map(|id| id.to_string()).collect()
}

/// Whether somebody fits, read off the facts.
fn fits(facts: &AccountFacts, filter: &PeopleFilter) -> bool {
    let account = &facts.account;
    let Some(member) = facts
        .memberships
        .iter()
        .find(|one| one.organization == filter.organization)
    else {
        return false;
    };
    let granted = |source: GrantedBy| {
        member.roles.iter().any(|role| match source {
            GrantedBy::Manual => role.source == Source::Manual,
            GrantedBy::Rule => matches!(role.source, Source::Rule { .. }),
            GrantedBy::Pin => role.pinned || member.pinned,
            GrantedBy::Scim | GrantedBy::Invitation | GrantedBy::Import | GrantedBy::Group => false,
        })
    };
    let signs_in = |wanted: &SignsIn| match (wanted, &account.authentication) {
        (SignsIn::Password, Authentication::Standard) | (SignsIn::Sso, Authentication::Sso { .. }) => true,
        (SignsIn::Connection(wanted), Authentication::Sso { connection }) => wanted == connection,
        _ => false,
    };
    filter.status.map_or(account.status != Status::Deleted, |status| {
        account.status == status
    }) && filter.kind.is_none_or(|kind| account.kind == kind)
        && filter.signs_in.as_ref().is_none_or(signs_in)
        && filter
            .role
            .as_ref()
            .is_none_or(|role| member.roles.iter().any(|one| one.id == *role))
        && filter.source.is_none_or(granted)
        && filter.workspace.as_ref().is_none_or(|workspace| {
            member.all_workspaces.is_some() || member.workspaces.iter().any(|one| one.id == *workspace)
        })
        && (!filter.pinned || member.pinned)
        && (!filter.waiting || member.license.as_ref().is_some_and(|license| !license.seated))
        && filter.before.as_ref().is_none_or(|before| account.id < *before)
}

/// All values of each filter; the first is "whatever".
fn filter(choices: [usize; 9]) -> PeopleFilter {
    let [
        status,
        kind,
        signs_in,
        role,
        source,
        workspace,
        pinned,
        waiting,
        before,
    ] = choices;
    PeopleFilter {
        status: [
            None,
            Some(Status::Active),
            Some(Status::Suspended),
            Some(Status::Invited),
            Some(Status::Deactivated),
            Some(Status::Deleted),
        ][status],
        kind: [None, Some(AccountKind::User), Some(AccountKind::Reader)][kind],
        signs_in: [
            None,
            Some(SignsIn::Password),
            Some(SignsIn::Sso),
            Some(SignsIn::Connection(okta())),
            Some(SignsIn::Connection("second".into())),
        ][signs_in]
            .clone(),
        role: [None, Some("member".into()), Some("admin".into())][role].clone(),
        source: [
            None,
            Some(GrantedBy::Manual),
            Some(GrantedBy::Rule),
            Some(GrantedBy::Scim),
            Some(GrantedBy::Pin),
        ][source],
        workspace: [None, Some("lab".into()), Some("main".into())][workspace].clone(),
        pinned: pinned == 1,
        waiting: waiting == 1,
        before: [None, Some(AccountId::new("p00700"))][before].clone(),
        ..PeopleFilter::of(org())
    }
}

const SIZES: [usize; 9] = [6, 3, 5, 3, 5, 3, 2, 2, 2];

/// Each filter alone, each two together, and a spread of more of them at once.
fn combinations() -> BTreeSet<[usize; 9]> {
    let mut all = BTreeSet::from([[0; 9]]);
    for (one, size) in SIZES.into_iter().enumerate() {
        for value in 1..size {
            let mut choices = [0; 9];
            choices[one] = value;
            all.insert(choices);
            for (other, size) in SIZES.into_iter().enumerate().skip(one + 1) {
                for value in 1..size {
                    choices[other] = value;
                    all.insert(choices);
                    choices[other] = 0;
                }
            }
        }
    }
    let mut state = 20_261_127_u64;
    for _ in 0..250 {
        all.insert(SIZES.map(|size| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let drawn = usize::try_from(state >> 40).unwrap();
            // Half of the filters are left open, or nobody would fit.
            if drawn % 2 == 0 { 0 } else { drawn / 2 % size }
        }));
    }
    all
}

conformance! {
    async fn r100_every_combination_of_filters_finds_who_fits_in_the_order_of_the_list(store, _) {
        members(&store).await;
        let everybody = store.read(|reader| Box::pin(async move { reader.members(&org(), None, 5_000).await }));
        let everybody: Vec<AccountFacts> = everybody.await.unwrap();
        assert_eq!(everybody.len(), MANY + 1);
        for choices in combinations() {
            let filter = filter(choices);
            let fitting = everybody.iter().rev().filter(|facts| fits(facts, &filter));
            let expected: Vec<String> = fitting.map(|facts| facts.account.id.to_string()).collect();
            assert_eq!(found(&store, &filter, 5_000).await, expected, "{filter:?}");
            let page: Vec<String> = expected.into_iter().take(3).collect();
            assert_eq!(found(&store, &filter, 3).await, page, "the first three of {filter:?}");
        }
    }

    async fn r100_a_filter_that_hardly_anybody_fits_is_read_off_an_index_in_the_order_of_the_list(store, database) {
        members(&store).await;
        if database.is_postgres() {
            database.execute("ANALYZE memberships; ANALYZE accounts; ANALYZE membership_roles; ANALYZE membership_workspaces").await;
        }
        let all = PeopleFilter::of(org());
        for (filter, indexes) in [
            (PeopleFilter { status: Some(Status::Suspended), ..all.clone() }, &["memberships_account_status"][..]),
            (PeopleFilter { kind: Some(AccountKind::Reader), ..all.clone() }, &["memberships_account_kind"]),
            (PeopleFilter { signs_in: Some(SignsIn::Password), ..all.clone() }, &["memberships_account_bound"]),
            (PeopleFilter { role: Some("admin".into()), ..all.clone() }, &["membership_roles_role"]),
            (PeopleFilter { source: Some(GrantedBy::Scim), ..all.clone() }, &["membership_roles_source"]),
            (PeopleFilter { source: Some(GrantedBy::Pin), ..all.clone() }, &["membership_roles_pinned", "memberships_pinned"]),
            (PeopleFilter { workspace: Some("lab".into()), ..all.clone() }, &["membership_workspaces_workspace", "memberships_all_workspaces"]),
            (PeopleFilter { pinned: true, ..all.clone() }, &["memberships_pinned"]),
            (PeopleFilter { waiting: true, ..all.clone() }, &["memberships_seatless"]),
            // Of two filters the one that fewer fit leads.
            (PeopleFilter { role: Some("member".into()), status: Some(Status::Invited), ..all.clone() }, &["memberships_account_status"]),
            (PeopleFilter { status: Some(Status::Active), workspace: Some("lab".into()), ..all.clone() }, &["membership_workspaces_workspace"]),
            (PeopleFilter { status: Some(Status::Active), source: Some(GrantedBy::Manual), ..all.clone() }, &["membership_roles_source"]),
        ] {
            let asked = filter.clone();
            let plan = store.read(|reader| Box::pin(async move { reader.explain_people(&asked, 51).await }));
            let plan = plan.await.unwrap().join("\n");
            for index in indexes {
                // Where all who are held are of one organization, PostgreSQL finds the index by account as good.
                let by_account = index.replace("_pinned", "_held");
                assert!(plan.contains(index) || plan.contains(&by_account), "{index} {filter:?}\n{plan}");
            }
            // Only where two parts of indexes are put together there is something to sort, and each has at most one page.
            assert!(plan.contains("MERGE (UNION)") || !plan.contains("TEMP B-TREE"), "{filter:?}\n{plan}");
        }
    }

    async fn r178_whoever_has_an_address_in_the_domain_and_is_no_member_is_found_page_by_page(store, _) {
        seed(&store).await;
        another_owner(&store).await;
        for number in 0..30 {
            // Every third is outside, two of them in other ways than the others.
            let id = format!("d{number:02}");
            let email = match number {
                9 => format!("{id}@sub.home-lab.example"),
                12 => format!("{id}@not-home-lab.example"),
                _ => format!("{id}@home-lab.example"),
            };
            let account = Account {
                email: Some(provost_kernel::email::Email::parse(&email).unwrap()),
                status: if number == 15 { Status::Deleted } else { Status::Active },
                ..account(&id)
            };
            let mut changes = vec![create(account)];
            let organization = match number % 3 {
                0 if number == 18 => Some("other".into()),
                0 => None,
                _ => Some(org()),
            };
            if let Some(organization) = organization {
                let membership = Membership { organization, roles: Vec::new(), workspaces: Vec::new(), ..membership(None) };
                changes.push(Change::AddMembership { account: id.as_str().into(), membership });
            }
            apply(&store, decision(&format!("t-{id}"), &id, changes)).await.unwrap();
        }
        let (mut found, mut after) = (Vec::new(), None::<AccountId>);
        loop {
            let from = after.clone();
            let page = store.read(|reader| {
                Box::pin(async move { reader.outside_accounts(&org(), "home-lab.example", from.as_ref(), 3).await })
            });
            let page: Vec<AccountFacts> = page.await.unwrap();
            assert!(page.len() <= 3);
            found.extend(page.iter().map(|facts| facts.account.id.to_string()));
            match page.last().filter(|_| page.len() == 3) {
                Some(last) => after = Some(last.account.id.clone()),
                None => break,
            }
        }
        assert_eq!(found, ["d00", "d03", "d06", "d18", "d21", "d24", "d27"]);
    }

    /// Whoever comes in and whoever changes the account at the same moment leave nothing behind that is not true.
    async fn r100_a_state_that_changes_while_somebody_comes_in_is_known_to_the_lists(store, _) {
        seed(&store).await;
        another_owner(&store).await;
        let names: Vec<String> = (0..30).map(|number| format!("p{number:02}")).collect();
        for name in &names {
            apply(&store, decision(&format!("c-{name}"), name, vec![create(account(name))])).await.unwrap();
        }
        let mut tasks = Vec::new();
        for name in &names {
            let id = AccountId::new(name.as_str());
            let join = Change::AddMembership { account: id.clone(), membership: membership(None) };
            let suspend = Change::SetStatus {
                account: id,
                version: 1,
                from: Status::Active,
                to: Status::Suspended,
                origin: Origin::Admin,
            };
            for (what, change) in [("j", join), ("s", suspend)] {
                let (store, trace) = (store.clone(), format!("{what}-{name}"));
                tasks.push(tokio::spawn(async move {
                    while let Err(error) = apply(&store, decision(&trace, "keeper", vec![change.clone()])).await {
                        assert!(error.is_retryable(), "{error}");
                    }
                }));
            }
        }
        for task in tasks {
            task.await.unwrap();
        }
        let suspended = PeopleFilter { status: Some(Status::Suspended), ..PeopleFilter::of(org()) };
        let expected: Vec<String> = names.into_iter().rev().collect();
        assert_eq!(found(&store, &suspended, 100).await, expected);
    }

    async fn r100_the_accounts_of_an_organization_are_listed_by_state_and_kind(store, _) {
        members(&store).await;
        let everybody = store.read(|reader| Box::pin(async move { reader.members(&org(), None, 5_000).await }));
        let everybody: Vec<AccountFacts> = everybody.await.unwrap();
        for status in [None, Some(Status::Active), Some(Status::Suspended), Some(Status::Deactivated)] {
            for kind in [None, Some(AccountKind::User), Some(AccountKind::Reader)] {
                let expected: Vec<AccountId> = everybody
                    .iter()
                    .map(|facts| &facts.account)
                    .filter(|account| status.is_none_or(|status| account.status == status) && kind.is_none_or(|kind| account.kind == kind))
                    .map(|account| account.id.clone())
                    .collect();
                for organization in [Some(org()), None, Some("other".into())] {
                    let filter = AccountFilter { organization: organization.clone(), status, kind, ..AccountFilter::default() };
                    let listed = store.read(|reader| Box::pin(async move { reader.accounts_where(&filter, None, 5_000).await }));
                    let listed: Vec<AccountId> = listed.await.unwrap().into_iter().map(|facts| facts.account.id).collect();
                    let expected = if organization == Some("other".into()) { Vec::new() } else { expected.clone() };
                    assert_eq!(listed, expected, "{organization:?} {status:?} {kind:?}");
                }
            }
        }
    }

    /// Who is deleted gives the name free, and has it again with the state; the list by state follows each step.
    async fn an_account_is_listed_in_its_state_and_holds_its_name_unless_deleted(store, _) {
        const STATES: [Status; 5] = [Status::Active, Status::Invited, Status::Suspended, Status::Deactivated, Status::Deleted];
        seed(&store).await;
        apply(&store, decision("t0", "ada", vec![create(account("ada"))])).await.unwrap();
        let walk = [
            Status::Suspended,
            Status::Active,
            Status::Deactivated,
            Status::Deleted,
            Status::Deactivated,
            Status::Deleted,
            Status::Active,
        ];
        let mut from = Status::Active;
        for (version, to) in (1..).zip(walk) {
            let step = Change::SetStatus { account: "ada".into(), version, from, to, origin: Origin::Admin };
            apply(&store, decision(&format!("t{version}"), "ada", vec![step])).await.unwrap();
            from = to;
            for status in STATES {
                let filter = AccountFilter { status: Some(status), ..AccountFilter::default() };
                let listed = store.read(|reader| Box::pin(async move { reader.accounts_where(&filter, None, 9).await }));
                assert_eq!(listed.await.unwrap().len(), usize::from(status == to), "{status:?} after {to:?}");
            }
            let namesake = Account {
                email: None,
                external_id: None,
                user_name: account("ada").user_name,
                ..account("bob")
            };
            let changes = vec![create(namesake)];
            let outcome = store.write(move |tx| {
                Box::pin(async move {
                    apply_in(tx, &decision("namesake", "bob", changes)).await?;
                    // What is queued is written with the end; a look-up has it written now, and the error takes it back.
                    tx.account(&"bob".into()).await?;
                    Err::<(), _>(StoreError::Refused("only tried"))
                })
            });
            let outcome = outcome.await.unwrap_err().code();
            assert_eq!(outcome == "refused", to == Status::Deleted, "{outcome} after {to:?}");
        }
    }

    /// An index whose columns or condition speak of the state would be written anew whenever somebody is deactivated.
    async fn no_index_of_accounts_depends_on_the_state(_, database) {
        let indexes = if database.is_postgres() {
            let mut conn = PgConnection::connect(&database.url).await.unwrap();
            let sql = "SELECT indexdef FROM pg_indexes WHERE tablename = 'accounts' AND schemaname = current_schema()";
            sqlx::query_scalar(sql).fetch_all(&mut conn).await.unwrap()
        } else {
            let file = database.directory.unwrap().join("provost.db");
            let conn = rusqlite::Connection::open(file).unwrap();
            let sql = "SELECT sql FROM sqlite_master WHERE type = 'index' AND tbl_name = 'accounts' AND sql IS NOT NULL";
            let mut statement = conn.prepare(sql).unwrap();
            let found = statement.query_map([], |row| row.get(0)).unwrap();
            found.collect::<Result<Vec<String>, _>>().unwrap()
        };
        assert!(indexes.len() > 15, "{indexes:?}");
        for index in indexes {
            assert!(!index.contains("status"), "{index}");
        }
    }
}
