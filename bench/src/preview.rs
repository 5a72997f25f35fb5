//! The impact preview over everybody whom a connection knows: how fast it goes, how soon something shows, what it costs in
//! memory, and that it ends when nobody reads on. The people are put into the database as sign-ins leave them.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use jiff::Timestamp;
use provost_kernel::connection::Protocol;
use provost_kernel::directory::{
    Account, AccountKind, Authentication, Grant, Membership, Origin, Source, Status, Subject,
};
use provost_kernel::email::Email;
use provost_kernel::id::AccountId;
use provost_kernel::incoming::Normalized;
use provost_kernel::plan::{Change, Decision, Plan, Verdict};
use provost_kernel::provision::Actor;
use provost_kernel::trace::Trace;
use provost_store::{DataKeys, LastClaims, Store, StoreConfig, Synchronous};
use serde_json::{Value, json};
use tokio::runtime::Builder;

use crate::client::Client;
use crate::clock;
use crate::identity_provider::KeyKind;
use crate::installation::{DOMAIN, Engine, IDP, Installation};
use crate::load::{Setting, wait_until_ready};
use crate::process::{self, Server, memory_megabytes, processor_seconds};
use crate::progress;
use crate::report::{Entry, PreviewRow, Results};

/// People who are written in one transaction.
const PORTION: usize = 500;
/// Every how many-th person would get another role.
const AFFECTED: usize = 10;
/// How long the server is watched after a preview was given up.
const AFTER: Duration = Duration::from_secs(1);

/// Measures one engine.
///
/// # Errors
/// When the server cannot be had, or the preview does not say what is expected of it.
pub fn run(setting: Setting<'_>, engine: &Engine, people: usize, results: &mut Results) -> Result<()> {
    let folder = match engine {
        Engine::Sqlite => "preview-sqlite",
        Engine::Postgres(_) => "preview-postgres",
    };
    let installation = Installation::create(setting.binary, &setting.work.join(folder), engine)?;
    let runtime = Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(fill(&installation, engine, people))?;
    let create = ["api-key", "create", "--label", "bench"];
    let printed = process::output(setting.binary, &create, &installation.config)?;
    let key = printed
        .split_whitespace()
        .find(|word| word.starts_with("pvk_"))
        .context("no key was printed")?;
    let log = installation.directory.join("server.log");
    let mut server = Server::start(setting.binary, &installation.config, &log, setting.core)?;
    runtime.block_on(wait_until_ready(&installation, &mut server))?;
    let measured = runtime.block_on(measure(&installation, &server, key, people));
    let measured = measured.with_context(|| format!("the server's log ends with:\n{}", server.tail()));
    server.stop()?;
    results.add(Entry::Preview(PreviewRow {
        engine: engine.name().to_owned(),
        ..measured?
    }));
    Ok(())
}

async fn measure(
    installation: &Installation,
    server: &Server,
    key: &str,
    people: usize,
) -> Result<PreviewRow> {
    let before = memory_megabytes(server.pid())?;
    let spent = processor_seconds(server.pid());
    let bar = progress::bar(people as u64, "preview");
    let mut client = Client::connect(installation.address).await?;
    let begun = clock::start();
    let (mut first, mut most, mut end) = (None, before, Value::Null);
    client
        .lines(&path(), key, edited(), |line| {
            match line.get("type").and_then(Value::as_str) {
                Some("progress") => {
                    first.get_or_insert_with(|| begun.elapsed());
                    bar.set_position(line.get("done").and_then(Value::as_u64).unwrap_or_default());
                    most = memory_megabytes(server.pid())?.max(most);
                }
                Some("end") => end = line,
                _ => {}
            }
            Ok(true)
        })
        .await?;
    let took = begun.elapsed();
    bar.finish_and_clear();
    let affected = end.pointer("/impact/affected").and_then(Value::as_u64);
    ensure!(
        affected == Some(people.div_ceil(AFFECTED) as u64),
        "the preview ended with {end}"
    );
    let processor = processor_seconds(server.pid()) - spent;
    Ok(PreviewRow {
        engine: String::new(),
        people,
        seconds: took.as_secs_f64(),
        first_milliseconds: first.map(clock::milliseconds).context("no progress")?,
        processor_seconds: processor,
        megabytes: (before, most),
        after_giving_up: give_up(installation, server, key, people).await?,
    })
}

/// Begins again, reads a tenth and hangs up. Returns the processor seconds that the server spends in the second after that.
async fn give_up(installation: &Installation, server: &Server, key: &str, people: usize) -> Result<f64> {
    let mut client = Client::connect(installation.address).await?;
    client
        .lines(&path(), key, edited(), |line| {
            let done = line.get("done").and_then(Value::as_u64).unwrap_or_default();
            Ok(done < people as u64 / 10)
        })
        .await?;
    drop(client);
    // What is under way for the answer that nobody reads may end.
    tokio::time::sleep(Duration::from_millis(200)).await;
    let before = processor_seconds(server.pid());
    tokio::time::sleep(AFTER).await;
    Ok(processor_seconds(server.pid()) - before)
}

fn path() -> String {
    format!("/api/v1/connections/{}/policy/preview", KeyKind::Rsa.connection())
}

/// A policy that gives those another role whose groups have `lab`.
fn edited() -> String {
    json!({"policy": {
        "role": { "expression": "contains(groups, 'lab') && 'Admin' || 'Member'" },
        "workspaces": { "mode": "all" },
    }})
    .to_string()
}

async fn fill(installation: &Installation, engine: &Engine, people: usize) -> Result<()> {
    let url = match engine {
        Engine::Sqlite => format!(
            "sqlite:{}",
            installation.directory.join("data/provost.db").display()
        ),
        Engine::Postgres(url) => url.clone(),
    };
    let store = Store::open(&StoreConfig {
        url,
        data_keys: DataKeys::new([0; 32]),
        connections: 4,
        synchronous: Synchronous::Full,
    })
    .await?;
    let bar = progress::bar(people as u64, &format!("people, {}", engine.name()));
    for from in (0..people).step_by(PORTION) {
        let until = (from + PORTION).min(people);
        let decision = joined(from..until);
        let claims: Vec<LastClaims> = (from..until)
            .map(|number| came(number, &decision.trace))
            .collect();
        store
            .write(move |tx| {
                Box::pin(async move {
                    let now = Timestamp::UNIX_EPOCH;
                    tx.apply(&decision, &Actor::System, now).await?;
                    for last in &claims {
                        tx.keep_last_claims(last, true)?;
                    }
                    Ok::<_, provost_store::StoreError>(())
                })
            })
            .await?;
        bar.set_position(until as u64);
    }
    bar.finish_and_clear();
    store.close().await;
    Ok(())
}

/// What the first sign-ins of some people leave: accounts with a membership and its role by the rule in force.
fn joined(numbers: std::ops::Range<usize>) -> Decision {
    let trace = format!("fill-{}", numbers.start);
    let changes = numbers
        .clone()
        .flat_map(|number| {
            let account = person(number);
            let membership = Change::AddMembership {
                account: account.id.clone(),
                membership: membership(),
            };
            let create = Change::CreateAccount {
                account: Box::new(account),
                profile: None,
            };
            [create, membership]
        })
        .collect();
    Decision {
        verdict: Verdict::Admitted(id(numbers.start)),
        plan: Plan {
            changes,
            session: None,
            spend: None,
        },
        trace: Trace {
            id: trace.as_str().into(),
            at: Timestamp::UNIX_EPOCH,
            kind: "login".to_owned(),
            connection: Some(KeyKind::Rsa.connection().into()),
            account: None,
            steps: Vec::new(),
        },
    }
}

fn id(number: usize) -> AccountId {
    AccountId::new(format!("acc-{number}"))
}

fn person(number: usize) -> Account {
    Account {
        id: id(number),
        kind: AccountKind::User,
        authentication: Authentication::Sso {
            connection: KeyKind::Rsa.connection().into(),
        },
        status: Status::Active,
        status_origin: Origin::Login,
        email: Email::parse(&format!("person{number}@{DOMAIN}")).ok(),
        user_name: None,
        external_id: None,
        given_name: Some(format!("Given{number}")),
        family_name: Some(format!("Family{}", number % 5000)),
        display_name: None,
        emergency_admin: false,
        operator: false,
        attributes: serde_json::Map::new(),
        edited: BTreeSet::new(),
        keeping: provost_kernel::keeping::Keeping::default(),
        version: 1,
        created_at: Timestamp::UNIX_EPOCH,
    }
}

fn membership() -> Membership {
    let source = Source::Rule {
        connection: KeyKind::Rsa.connection().into(),
    };
    Membership {
        organization: "bench".into(),
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
        all_workspaces: Some(source),
        license: None,
        version: 1,
    }
}

/// The claims with which somebody came last: a usual SAML assertion with a dozen groups.
fn came(number: usize, trace: &Trace) -> LastClaims {
    let mut groups: Vec<String> = (0..12)
        .map(|group| format!("team-{}", (number + group * 31) % 400))
        .collect();
    if number.is_multiple_of(AFFECTED) {
        groups.push("lab".to_owned());
    }
    let (email, given, family) = (
        format!("person{number}@{DOMAIN}"),
        format!("Given{number}"),
        format!("Family{}", number % 5000),
    );
    let own = json!({ "email": email, "firstName": given, "lastName": family, "groups": groups });
    let normalized = Normalized {
        email: Email::parse(&email).ok(),
        email_verified: true,
        given_name: Some(given),
        family_name: Some(family),
        groups,
        ..Normalized::default()
    };
    let subject = Subject {
        issuer: IDP.to_owned(),
        format: "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent".to_owned(),
        value: format!("subject-{number}"),
    };
    LastClaims {
        connection: KeyKind::Rsa.connection().into(),
        account: id(number),
        at: Timestamp::UNIX_EPOCH,
        trace: trace.id.clone(),
        claims: json!({
            "protocol": Protocol::Saml,
            "subject": subject,
            "normalized": normalized,
            "claims": own,
        }),
    }
}
