//! Measures what the store does for directories, without HTTP: creating people, pages, filters and changes of groups, on
//! SQLite and, given a URL, on PostgreSQL. Reports and never fails for being slow.
//!
//! `cargo run --release -p provost-bench --bin directory -- [--people N] [--postgres URL]`; the PostgreSQL database must
//! be empty.

use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::Parser;
use jiff::Timestamp;
use provost_bench::clock;
use provost_kernel::connection::{Connection, Protocol, Provisioning, Scope, Settings};
use provost_kernel::directory::{
    Account, AccountKind, Authentication, DirectoryProfile, Grant, Group, LicenseGrant, ManagedBy,
    Membership, Organization, Origin, RolesPerMember, Source, Status,
};
use provost_kernel::email::Email;
use provost_kernel::id::AccountId;
use provost_kernel::plan::{Change, Decision, Plan, Verdict};
use provost_kernel::provision::Actor;
use provost_kernel::trace::Trace;
use provost_store::search::{Condition, Field, Operator, Search, Sort, Start};
use provost_store::{DataKeys, SecretMap, Store, StoreConfig, Synchronous};
use serde_json::json;

const CONNECTION: &str = "bench";
const ORGANIZATION: &str = "bench";

/// Measures the store's part of SCIM.
#[derive(Debug, Parser)]
struct Arguments {
    /// People in the directory.
    #[arg(long, default_value_t = 100_000)]
    people: usize,
    /// Seconds of each measurement.
    #[arg(long, default_value_t = 1.0)]
    seconds: f64,
    /// Folder for the SQLite database; removed afterwards.
    #[arg(long, default_value = "bench/.work/directory")]
    work: PathBuf,
    /// URL of an empty PostgreSQL database.
    #[arg(long)]
    postgres: Option<String>,
    /// Leaves SQLite out.
    #[arg(long)]
    no_sqlite: bool,
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    if !arguments.no_sqlite {
        std::fs::create_dir_all(&arguments.work)?;
        let url = format!("sqlite:{}/bench.db", arguments.work.display());
        let measured = measure("SQLite, FULL", url, &arguments).await;
        std::fs::remove_dir_all(&arguments.work)?;
        measured?;
    }
    if let Some(url) = &arguments.postgres {
        measure("PostgreSQL", url.clone(), &arguments).await?;
    }
    Ok(())
}

async fn measure(name: &str, url: String, arguments: &Arguments) -> Result<()> {
    let config = StoreConfig {
        url,
        data_keys: DataKeys::new([1; 32]),
        connections: 16,
        synchronous: Synchronous::Full,
    };
    let store = Store::open(&config).await?;
    seed(&store).await?;
    let limit = Duration::from_secs_f64(arguments.seconds);
    say(&format!("## {name}"))?;
    let mut made = 0;
    for at_once in [1, 8, 32] {
        let (count, whole, spent) = create(&store, made, at_once, limit).await?;
        made += whole;
        let rate = f64::from(count) / spent.as_secs_f64();
        say(&format!("create a person, {at_once} at once: {rate:.0}/s"))?;
    }
    while made < arguments.people {
        let end = (made + 500).min(arguments.people);
        apply(&store, (made..end).map(pushed).collect(), made).await?;
        made = end;
    }
    say(&format!("{made} people"))?;
    pages(&store, made, limit).await?;
    groups(&store, made, limit).await?;
    store.close().await;
    Ok(())
}

async fn pages(store: &Store, people: usize, limit: Duration) -> Result<()> {
    let page = |condition: Condition, skip: usize| Search {
        connection: CONNECTION.into(),
        condition,
        sort: None,
        start: Start::Skip(skip as u64),
        limit: 100,
        total: true,
    };
    let equal = |field, text: &str| Condition::text(field, Operator::Equal, text, false);
    let active = Condition::Compare {
        field: Field::Active,
        operator: Operator::Equal,
        literal: provost_store::search::Literal::Bool(true),
    };
    let by_name = Search {
        sort: Some(Sort {
            by: Field::FamilyName,
            descending: false,
        }),
        ..page(Condition::All, 0)
    };
    let last = format!("person{}@bench.example", people - 1);
    let searches = [
        ("page of 100, first", page(Condition::All, 0)),
        ("page of 100, last", page(Condition::All, people - 100)),
        ("userName eq", page(equal(Field::UserName, &last), 0)),
        ("externalId eq", page(equal(Field::ExternalId, "x"), 0)),
        ("emails eq", page(equal(Field::attribute("emails"), &last), 0)),
        (
            "title eq (no index)",
            page(equal(Field::attribute("title"), "Chief 7"), 0),
        ),
        (
            "userName sw",
            page(
                Condition::text(Field::UserName, Operator::StartsWith, "person12", false),
                0,
            ),
        ),
        ("active eq true, first", page(active.clone(), 0)),
        ("active eq true, last", page(active, people - 100)),
        ("sorted by family name", by_name),
    ];
    for (name, search) in searches {
        let mut total = 0;
        let spent = timed(limit, async || {
            let search = search.clone();
            let found = store.read(|reader| Box::pin(async move { reader.search_users(&search).await }));
            total = found.await?.total.unwrap_or_default();
            Ok(())
        })
        .await?;
        say(&format!("{name}: {} ({total} in all)", shown(spent)))?;
    }
    let id = AccountId::new(format!("acc-{}", people / 2));
    let spent = timed(limit, async || {
        let id = id.clone();
        let found = store
            .read(|reader| Box::pin(async move { reader.directory_user(&CONNECTION.into(), &id).await }));
        found.await.map(drop).map_err(Into::into)
    })
    .await?;
    say(&format!("a person by id: {}", shown(spent)))
}

async fn groups(store: &Store, people: usize, limit: Duration) -> Result<()> {
    for size in [10, 1_000, 10_000, 100_000] {
        if size >= people {
            continue;
        }
        let id = format!("group-{size}");
        let group = Group {
            id: id.as_str().into(),
            connection: CONNECTION.into(),
            external_id: None,
            name: id.clone(),
            document: json!({ "displayName": id })
                .as_object()
                .cloned()
                .unwrap_or_default(),
            version: 1,
        };
        let everyone: Vec<AccountId> = (0..size)
            .map(|number| AccountId::new(format!("acc-{number}")))
            .collect();
        let began = clock::start();
        let changes = vec![
            Change::CreateGroup {
                group: Box::new(group),
            },
            Change::AddGroupMembers {
                group: id.as_str().into(),
                accounts: everyone,
            },
        ];
        apply(store, changes, size).await?;
        say(&format!("group of {size}: filled in {}", shown(began.elapsed())))?;
        let one = vec![AccountId::new(format!("acc-{size}"))];
        let mut turn = 0;
        let spent = timed(limit, async || {
            turn += 1;
            let (group, accounts) = (id.as_str().into(), one.clone());
            let change = if turn % 2 == 1 {
                Change::AddGroupMembers { group, accounts }
            } else {
                Change::RemoveGroupMembers { group, accounts }
            };
            apply(store, vec![change], turn).await
        })
        .await?;
        say(&format!(
            "group of {size}: one member more or less in {}",
            shown(spent)
        ))?;
    }
    Ok(())
}

/// Creates people, some at once, for a while. Returns how many that were, how many there are without a hole in their
/// numbers, and how long it took.
async fn create(
    store: &Store,
    from: usize,
    at_once: usize,
    limit: Duration,
) -> Result<(u32, usize, Duration)> {
    let began = clock::start();
    let mut tasks = Vec::new();
    for task in 0..at_once {
        let store = store.clone();
        tasks.push(tokio::spawn(async move {
            let mut count = 0;
            while began.elapsed() < limit {
                let number = from + task + count * at_once;
                apply(&store, joined(number), number).await?;
                count += 1;
            }
            Ok::<_, anyhow::Error>(count)
        }));
    }
    let mut counts = Vec::new();
    for task in tasks {
        counts.push(task.await??);
    }
    let spent = began.elapsed();
    // Numbers must be without holes for what follows.
    let most = counts.iter().copied().max().unwrap_or_default();
    for (task, count) in counts.iter().enumerate() {
        for missing in *count..most {
            let number = from + task + missing * at_once;
            apply(store, joined(number), number).await?;
        }
    }
    let count = u32::try_from(counts.iter().sum::<usize>())?;
    Ok((count, most * at_once, spent))
}

fn pushed(number: usize) -> Change {
    let name = format!("Person{number}@bench.example");
    let account = Account {
        id: AccountId::new(format!("acc-{number}")),
        kind: AccountKind::User,
        authentication: Authentication::Sso {
            connection: CONNECTION.into(),
        },
        status: Status::Active,
        status_origin: Origin::Scim,
        email: Email::parse(&name).ok(),
        user_name: Some(name.clone()),
        external_id: Some(format!("00u{number}")),
        given_name: Some(format!("Given{number}")),
        family_name: Some(format!("Family{}", number % 5000)),
        display_name: None,
        emergency_admin: false,
        operator: false,
        attributes: serde_json::Map::new(),
        edited: std::collections::BTreeSet::new(),
        keeping: provost_kernel::keeping::Keeping::default(),
        version: 1,
        created_at: Timestamp::UNIX_EPOCH,
    };
    let document = json!({
        "userName": name, "externalId": format!("00u{number}"), "active": true, "title": format!("Chief {}", number % 1000),
        "name": {"givenName": format!("Given{number}"), "familyName": format!("Family{}", number % 5000)},
        "emails": [{"value": name, "type": "work", "primary": true}], "locale": "en-US",
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {"department": format!("D{}", number % 40),
            "employeeNumber": number.to_string()},
    });
    Change::CreateAccount {
        account: Box::new(account),
        profile: Some(DirectoryProfile {
            document: document.as_object().cloned().unwrap_or_default(),
        }),
    }
}

/// What a push of one person plans: account, document, membership with role and license.
fn joined(number: usize) -> Vec<Change> {
    let source = Source::Scim {
        connection: CONNECTION.into(),
    };
    let membership = Membership {
        organization: ORGANIZATION.into(),
        active: true,
        source: source.clone(),
        pinned: false,
        roles: vec![Grant {
            id: "member".into(),
            source: source.clone(),
            pinned: false,
        }],
        workspaces: Vec::new(),
        groups: Vec::new(),
        all_workspaces: None,
        license: Some(LicenseGrant {
            license: "standard".into(),
            source,
            pinned: false,
            seated: true,
        }),
        version: 1,
    };
    vec![
        pushed(number),
        Change::AddMembership {
            account: AccountId::new(format!("acc-{number}")),
            membership,
        },
    ]
}

async fn apply(store: &Store, changes: Vec<Change>, number: usize) -> Result<()> {
    let decision = Decision {
        verdict: Verdict::Admitted(AccountId::new(format!("acc-{number}"))),
        plan: Plan {
            changes,
            session: None,
            spend: None,
        },
        trace: Trace {
            id: format!(
                "t{}-{number}",
                TRACES.fetch_add(1, std::sync::atomic::Ordering::Relaxed)
            )
            .as_str()
            .into(),
            at: Timestamp::UNIX_EPOCH,
            kind: "push".to_owned(),
            connection: Some(CONNECTION.into()),
            account: None,
            steps: Vec::new(),
        },
    };
    let actor = Actor::System;
    let applied = store
        .write(move |tx| Box::pin(async move { tx.apply(&decision, &actor, Timestamp::UNIX_EPOCH).await }));
    applied.await.map(drop).map_err(Into::into)
}

static TRACES: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);

async fn seed(store: &Store) -> Result<()> {
    let connection = Connection {
        id: CONNECTION.into(),
        name: "Bench".to_owned(),
        scope: Scope::Organization {
            organization: ORGANIZATION.into(),
            shared_with: Vec::new(),
        },
        protocol: Protocol::Oidc,
        enabled: true,
        domains: Vec::new(),
        provisioning: Provisioning::Scim,
        settings: Settings::default(),
        policy: None,
        organization_policies: Vec::new(),
        version: 0,
    };
    let role = serde_json::from_value(json!({"id": "member", "name": "member"}))?;
    let license = serde_json::from_value(json!({"id": "standard"}))?;
    let organization = Organization {
        id: ORGANIZATION.into(),
        name: "Bench".to_owned(),
        roles_per_member: RolesPerMember::Many,
        managed_by: ManagedBy::default(),
    };
    let work = store.write(move |tx| {
        Box::pin(async move {
            let now = Timestamp::UNIX_EPOCH;
            tx.put_organization(&organization, &json!({}), now).await?;
            tx.set_roles(&ORGANIZATION.into(), &[role]).await?;
            tx.set_licenses(&ORGANIZATION.into(), &[license]).await?;
            tx.put_connection(&connection, &json!({}), &SecretMap::default(), "active", now)
                .await
                .map(drop)
        })
    });
    work.await.context("an empty database is needed")
}

/// Runs a job for a while and returns the median of how long it took.
async fn timed(limit: Duration, mut job: impl AsyncFnMut() -> Result<()>) -> Result<Duration> {
    for _ in 0..3 {
        job().await?;
    }
    let began = clock::start();
    let mut spent = Vec::new();
    while began.elapsed() < limit || spent.len() < 3 {
        let one = clock::start();
        job().await?;
        spent.push(one.elapsed());
    }
    spent.sort();
    Ok(spent.get(spent.len() / 2).copied().unwrap_or_default())
}

fn shown(spent: Duration) -> String {
    format!("{:.2} ms", clock::milliseconds(spent))
}

fn say(line: &str) -> Result<()> {
    writeln!(std::io::stdout().lock(), "{line}").map_err(Into::into)
}
