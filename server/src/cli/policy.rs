//! `provost policy`: trying policies on people without effect, and settling changes that the guard holds.

use std::fmt::Write as _;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::{ArgGroup, Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use provost_kernel::email::Email;
use provost_kernel::preview::How;
use provost_store::StoreError;
use serde_json::{Map, Value};
use tokio::signal::unix::{SignalKind, signal};

use super::print::{Busy, out};
use super::{Settings, open_app};
use crate::api::{ChangeView, PreviewLine, TraceView};
use crate::app::App;
use crate::declarative;
use crate::error::AppError;
use crate::flow::api_keys::Caller;
use crate::flow::policy::preview::{self, Person, Preview};
use crate::flow::policy::trial::{self, Subject};
use crate::flow::policy::{Policies, change, waves};
use crate::flow::traces;

/// Try policies on people without effect, and settle changes that the guard holds.
#[derive(Args, Clone, Debug)]
pub struct PolicyCommand {
    #[command(subcommand)]
    command: Command,
}

#[derive(Clone, Debug, Subcommand)]
enum Command {
    /// Try the saved or an edited policy on one person.
    ///
    /// Takes the claims of a past attempt, the last claims of an account, or claims from a file, and shows every step of the
    /// decision. Nothing is written.
    Test(Test),
    /// Show what an edited policy would do to everybody whom the connection knows.
    ///
    /// Tries it on the last claims of each person, or on what a directory pushed. Ctrl-C ends it. Nothing is written.
    Preview(PreviewArgs),
    /// List changes that wait for an approval.
    Held(HeldArgs),
    /// Approve a held change: its policies are in force.
    Approve(Settle),
    /// Reject a held change.
    Reject(Settle),
    /// Let a connection's rules go on taking access in an organization, where the guard holds sign-ins.
    AllowStrips(AllowStrips),
}

#[derive(Args, Clone, Debug)]
#[command(group = ArgGroup::new("person").required(true).args(["trace", "account", "claims"]))]
struct Test {
    /// Connection whose policy is tried.
    #[arg(long)]
    connection: String,
    /// Reference number of a past attempt.
    #[arg(long)]
    trace: Option<String>,
    /// E-mail address or account id, tried with the last claims, or with what a directory pushed.
    #[arg(long)]
    account: Option<String>,
    /// JSON file with claims as the identity provider sends them; `-` reads standard input.
    #[arg(long)]
    claims: Option<PathBuf>,
    /// Subject (`sub`, NameID) of the claims, if it is not among them.
    #[arg(long, requires = "claims")]
    subject: Option<String>,
    /// File with an edited policy: a declarative file, or just `policy` and `organization_policies`.
    #[arg(long)]
    policy: Option<PathBuf>,
    /// Write JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    settings: Settings,
}

#[derive(Args, Clone, Debug)]
struct PreviewArgs {
    /// Connection whose policy is edited.
    #[arg(long)]
    connection: String,
    /// File with the edited policy: a declarative file, or just `policy` and `organization_policies`.
    #[arg(long)]
    policy: PathBuf,
    /// Write JSON Lines, as the API streams them.
    #[arg(long)]
    json: bool,
    /// How many people to list; the counts are about everybody.
    #[arg(long, default_value_t = 100)]
    list: usize,
    #[command(flatten)]
    settings: Settings,
}

#[derive(Args, Clone, Debug)]
struct HeldArgs {
    /// Write JSON: one object for each change.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    settings: Settings,
}

#[derive(Args, Clone, Debug)]
struct Settle {
    /// Identifier of the change, as `held` shows it.
    change: String,
    #[command(flatten)]
    settings: Settings,
}

#[derive(Args, Clone, Debug)]
struct AllowStrips {
    /// The connection.
    #[arg(long)]
    connection: String,
    /// The organization.
    #[arg(long)]
    organization: String,
    /// For how long.
    #[arg(long, default_value_t = 24)]
    hours: u32,
    #[command(flatten)]
    settings: Settings,
}

impl AllowStrips {
    async fn run(self) -> anyhow::Result<ExitCode> {
        let app = open_app(self.settings.load()?).await?;
        let caller = Caller::operator();
        let approved = waves::approve(&app, &caller, &self.connection, &self.organization, self.hours).await;
        app.store.close().await;
        let until = approved.map_err(|error| told(&error))?;
        out(&format!(
            "rules of {} may take access in {} until {}\n",
            self.connection,
            self.organization,
            until.strftime("%Y-%m-%d %H:%M UTC")
        ))?;
        Ok(ExitCode::SUCCESS)
    }
}

impl PolicyCommand {
    /// Runs the command.
    ///
    /// # Errors
    /// When an argument or a policy is wrong, or the database fails.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        match self.command {
            Command::Test(test) => test.run().await,
            Command::Preview(preview) => preview.run().await,
            Command::Held(held) => held.run().await,
            Command::AllowStrips(allow) => allow.run().await,
            Command::Approve(settle) => {
                settle
                    .run(|app, id| {
                        Box::pin(async move {
                            change::approve(app, &Caller::operator(), id)
                                .await
                                .map(|version| format!("{id}: approved, in force as version {version}\n"))
                        })
                    })
                    .await
            }
            Command::Reject(settle) => {
                settle
                    .run(|app, id| {
                        Box::pin(async move {
                            change::reject(app, &Caller::operator(), id)
                                .await
                                .map(|_| format!("{id}: rejected\n"))
                        })
                    })
                    .await
            }
        }
    }
}

impl Test {
    async fn run(self) -> anyhow::Result<ExitCode> {
        let edited = self
            .policy
            .as_deref()
            .map(|file| policies(file, &self.connection))
            .transpose()?;
        let claims = self.claims.as_deref().map(claims).transpose()?;
        let app = open_app(self.settings.load()?).await?;
        let tried = self.try_it(&app, claims, edited).await;
        app.store.close().await;
        let tried = tried?;
        if self.json {
            let view = TraceView::from(tried.record);
            out(&format!("{}\n", serde_json::to_string_pretty(&view)?))?;
            return Ok(ExitCode::SUCCESS);
        }
        let attempt = if tried.is_push { "push" } else { "sign-in" };
        let which = if tried.edited { "edited" } else { "saved" };
        let mut text = traces::text(&tried.record);
        let count = tried.changes.len();
        let _ = writeln!(
            text,
            "  {which} policy; a {attempt} would make {count} change{}; nothing was written",
            if count == 1 { "" } else { "s" }
        );
        out(&text)?;
        Ok(ExitCode::SUCCESS)
    }

    async fn try_it(
        &self,
        app: &App,
        claims: Option<Map<String, Value>>,
        edited: Option<Policies>,
    ) -> anyhow::Result<trial::Trial> {
        let subject = match (&self.trace, &self.account, claims) {
            (Some(reference), _, _) => Subject::Trace(reference.clone()),
            (None, Some(account), _) => Subject::Account(account_id(app, account, &self.connection).await?),
            (None, None, Some(claims)) => Subject::Claims {
                claims,
                subject: self.subject.clone(),
            },
            (None, None, None) => bail!("one of --trace, --account and --claims is needed"),
        };
        trial::run(app, &Caller::operator(), &self.connection, subject, edited)
            .await
            .map_err(|error| told(&error))
    }
}

/// Finds the account of an address at a connection; anything else is taken for an id.
async fn account_id(app: &App, account: &str, connection: &str) -> anyhow::Result<String> {
    let Ok(email) = Email::parse(account) else {
        return Ok(account.to_owned());
    };
    let found: Result<_, StoreError> = app
        .store
        .read(|reader| Box::pin(async move { reader.accounts_by_email(&email).await }))
        .await;
    found?
        .into_iter()
        .find(|found| {
            matches!(&found.authentication, provost_kernel::directory::Authentication::Sso { connection: of } if of.as_str() == connection)
        })
        .map(|found| found.id.as_str().to_owned())
        .with_context(|| format!("{account} has no account at {connection}"))
}

/// Reads edited policies: of the connection in a declarative file, or alone.
fn policies(file: &Path, connection: &str) -> anyhow::Result<Policies> {
    let text = std::fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))?;
    declarative::read_policies(&text, connection).with_context(|| file.display().to_string())
}

fn claims(file: &Path) -> anyhow::Result<Map<String, Value>> {
    let text = if file == Path::new("-") {
        std::io::read_to_string(std::io::stdin())
    } else {
        std::fs::read_to_string(file)
    };
    let text = text.with_context(|| format!("{} cannot be read", file.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{} is no JSON object", file.display()))
}

/// Writes an error of a flow with everything that it says.
fn told(error: &AppError) -> anyhow::Error {
    let mut text = match error.status().as_u16() {
        404 => "there is no such connection, account, change or trace".to_owned(),
        _ => error.public().to_owned(),
    };
    for fault in error.faults() {
        let _ = write!(text, "\n  - {}: {}", fault.path, fault.message);
        if let Some(position) = fault.position {
            let _ = write!(text, " (at byte {position})");
        }
        if let Some(near) = &fault.suggestion {
            let _ = write!(text, "; did you mean {near}?");
        }
    }
    anyhow::anyhow!(text)
}

impl PreviewArgs {
    async fn run(self) -> anyhow::Result<ExitCode> {
        let edited = policies(&self.policy, &self.connection)?;
        let app = open_app(self.settings.load()?).await?;
        // Listened for from here on, whether or not the preview ever waits for anything.
        let mut interrupt = signal(SignalKind::interrupt())?;
        let shown = tokio::select! {
            biased;
            _ = interrupt.recv() => Err(anyhow::anyhow!("cancelled; nothing was written")),
            shown = self.show(&app, edited) => shown,
        };
        app.store.close().await;
        shown?;
        Ok(ExitCode::SUCCESS)
    }

    async fn show(&self, app: &App, edited: Policies) -> anyhow::Result<()> {
        let mut preview = preview::begin(app, &Caller::operator(), &self.connection, edited)
            .await
            .map_err(|error| told(&error))?;
        let bar = progress(preview.total());
        if self.json {
            line(&PreviewLine::begin(&preview))?;
        }
        let mut listed = 0;
        let mut list = String::new();
        while let Some(people) = preview.next(app).await.map_err(|error| told(&error))? {
            for person in people {
                if self.json {
                    line(&PreviewLine::person(person))?;
                } else if listed < self.list {
                    listed += 1;
                    list.push_str(&describe(&person));
                }
            }
            bar.set_position(preview.impact().accounts);
        }
        bar.finish_and_clear();
        if self.json {
            return line(&PreviewLine::end(&preview));
        }
        out(&traces::printable(&summary(
            &self.connection,
            &preview,
            &list,
            listed,
        )))
    }
}

fn line(line: &PreviewLine) -> anyhow::Result<()> {
    out(&format!("{}\n", serde_json::to_string(line)?))
}

/// A bar on a terminal, nothing elsewhere.
fn progress(total: u32) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(u64::from(total));
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos}/{len} people ({eta} left)") {
        bar.set_style(style);
    }
    bar
}

/// Tells what one person would gain, lose or change.
fn describe(person: &Person) -> String {
    let difference = &person.row.difference;
    let who = person
        .email
        .as_deref()
        .unwrap_or_else(|| person.row.account.as_str());
    let mut text = String::new();
    for one in &difference.organizations {
        let how = match one.how {
            How::Gains => "gains",
            How::Loses => "loses",
            How::Changes => "changes in",
        };
        let _ = write!(text, "  {who} {how} {}", one.organization);
        let none = provost_kernel::access::Access::default();
        let before = one.before.as_ref().unwrap_or(&none);
        let after = one.after.as_ref().unwrap_or(&none);
        let mut parts = Vec::new();
        signs(&mut parts, "role", &before.roles, &after.roles);
        signs(&mut parts, "workspace", &before.workspaces, &after.workspaces);
        if before.all_workspaces != after.all_workspaces {
            let sign = if after.all_workspaces { '+' } else { '-' };
            parts.push(format!("{sign}all workspaces"));
        }
        let pool = |access: &provost_kernel::access::Access| {
            let license = access.license.as_ref()?;
            let waits = if access.seated { "" } else { " (waiting)" };
            Some(format!("{license}{waits}"))
        };
        if pool(before) != pool(after) {
            let name = |pool: Option<String>| pool.unwrap_or_else(|| "none".to_owned());
            parts.push(format!("license {} → {}", name(pool(before)), name(pool(after))));
        }
        if !parts.is_empty() {
            let _ = write!(text, ": {}", parts.join(", "));
        }
        text.push('\n');
    }
    if let Some(denial) = difference.refused {
        let _ = writeln!(text, "  {who} would be refused ({})", denial.code());
    }
    text
}

fn signs<T: Ord + std::fmt::Display>(
    parts: &mut Vec<String>,
    what: &str,
    before: &std::collections::BTreeSet<T>,
    after: &std::collections::BTreeSet<T>,
) {
    parts.extend(after.difference(before).map(|id| format!("+{what} {id}")));
    parts.extend(before.difference(after).map(|id| format!("-{what} {id}")));
}

fn summary(connection: &str, preview: &Preview, list: &str, listed: usize) -> String {
    let impact = preview.impact();
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = writeln!(
        text,
        "{connection}: the edited policy was tried on {} people ({} more are unknown: they have never come through the connection, or its directory does not manage them)",
        impact.accounts,
        preview.unknown()
    );
    let _ = writeln!(
        text,
        "  {} affected: {} gain an organization, {} lose one, {} change; {} would be in none, {} refused",
        impact.affected, impact.gain, impact.lose, impact.change, impact.shut_out, impact.refused
    );
    for (id, one) in &impact.organizations {
        if one.gain + one.lose + one.change == 0 {
            continue;
        }
        let _ = writeln!(
            text,
            "  {id}: {} members, +{} -{} ~{}",
            one.members, one.gain, one.lose, one.change
        );
        for (role, count) in &one.roles {
            let _ = writeln!(text, "    role {role}: +{} -{}", count.gain, count.lose);
        }
        for (workspace, count) in &one.workspaces {
            let _ = writeln!(text, "    workspace {workspace}: +{} -{}", count.gain, count.lose);
        }
        for (license, count) in &one.licenses {
            let waiting = match one.no_seat.get(license) {
                Some(people) => format!(", {people} of them without a seat"),
                None => String::new(),
            };
            let _ = writeln!(
                text,
                "    license {license}: +{} -{}{waiting}",
                count.gain, count.lose
            );
        }
    }
    for held in &preview.judgement().held {
        let _ = writeln!(
            text,
            "  held: {} of {} members of {} ({} %) would lose access, more than strip_guard allows; saving needs an approval",
            held.stripped, held.members, held.organization, held.percent
        );
    }
    if listed > 0 {
        text.push('\n');
        text.push_str(list);
    }
    let left = impact
        .affected
        .saturating_sub(u64::try_from(listed).unwrap_or(u64::MAX));
    if left > 0 {
        let _ = writeln!(
            text,
            "  … and {left} more; --list N shows more, --json all of them"
        );
    }
    text
}

impl HeldArgs {
    async fn run(self) -> anyhow::Result<ExitCode> {
        let app = open_app(self.settings.load()?).await?;
        let found = change::waiting(&app).await;
        app.store.close().await;
        let found = found?;
        let mut text = String::new();
        for change in found {
            let view = ChangeView::from(change);
            if self.json {
                let _ = writeln!(text, "{}", serde_json::to_string(&view)?);
                continue;
            }
            let _ = writeln!(
                text,
                "{}  connection {}  asked by {} at {}",
                view.id,
                view.connection,
                view.asked_by,
                view.asked_at.strftime("%Y-%m-%d %H:%M:%S UTC")
            );
            let held = view.found.pointer("/judgement/held").and_then(Value::as_array);
            for one in held.into_iter().flatten() {
                let part = |name: &str| one.get(name).cloned().unwrap_or_default();
                let organization = part("organization");
                let _ = writeln!(
                    text,
                    "    {} of {} members of {} would lose access",
                    part("stripped"),
                    part("members"),
                    organization.as_str().unwrap_or_default()
                );
            }
        }
        if text.is_empty() && !self.json {
            text.push_str("nothing waits for an approval\n");
        }
        out(&traces::printable(&text))?;
        Ok(ExitCode::SUCCESS)
    }
}

type Settling =
    for<'a> fn(&'a App, &'a str) -> futures_util::future::BoxFuture<'a, crate::error::Result<String>>;

impl Settle {
    async fn run(self, settle: Settling) -> anyhow::Result<ExitCode> {
        let app = open_app(self.settings.load()?).await?;
        let busy = Busy::new("settling");
        let settled = settle(&app, &self.change).await;
        drop(busy);
        app.store.close().await;
        out(&settled.map_err(|error| told(&error))?)?;
        Ok(ExitCode::SUCCESS)
    }
}
