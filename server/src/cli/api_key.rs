//! `provost api-key`: keys of the management API.

use std::fmt::Write as _;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use jiff::Timestamp;
use provost_kernel::id::OrganizationId;
use provost_store::TokenRecord;
use secrecy::ExposeSecret as _;

use super::print::out;
use super::{Settings, open_app};
use crate::flow::api_keys::{self, NewKey, Scope};

/// Keys of the management API.
#[derive(Args, Clone, Debug)]
pub struct ApiKey {
    #[command(subcommand)]
    command: ApiKeyCommand,
}

#[derive(Clone, Debug, Subcommand)]
enum ApiKeyCommand {
    /// Make a key and print it, once.
    Create(Create),
    /// List the keys, without their secrets.
    List(List),
    /// End a key at once.
    Revoke(Revoke),
}

#[derive(Args, Clone, Debug)]
struct Create {
    /// What the key is for.
    #[arg(long)]
    label: String,
    /// The organization that the key is bound to; without it, the key acts for the whole instance.
    #[arg(long)]
    organization: Option<String>,
    /// What the key may do, separated by commas, such as `traces:read,policies:test`; without it, everything.
    #[arg(long, value_delimiter = ',')]
    scopes: Vec<String>,
    /// Days until the key ends; without it, it lasts until it is revoked.
    #[arg(long, value_name = "DAYS")]
    expires: Option<u32>,
    #[command(flatten)]
    settings: Settings,
}

#[derive(Args, Clone, Debug)]
struct List {
    #[command(flatten)]
    settings: Settings,
}

#[derive(Args, Clone, Debug)]
struct Revoke {
    /// Identifier of the key, as `list` shows it.
    id: String,
    #[command(flatten)]
    settings: Settings,
}

impl ApiKey {
    /// Runs the command.
    ///
    /// # Errors
    /// When an argument is wrong or the database fails.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        match self.command {
            ApiKeyCommand::Create(create) => create.run().await,
            ApiKeyCommand::List(list) => list.run().await,
            ApiKeyCommand::Revoke(revoke) => revoke.run().await,
        }
    }
}

impl Create {
    async fn run(self) -> anyhow::Result<ExitCode> {
        let scopes = scopes(&self.scopes)?;
        let organization = self.organization.as_deref().map(OrganizationId::new);
        let app = open_app(self.settings.load()?).await?;
        let made = api_keys::create(
            &app,
            NewKey {
                label: self.label,
                organization,
                scopes,
                days: self.expires,
            },
        )
        .await;
        app.store.close().await;
        let made = match made {
            Ok(made) => made,
            Err(error) if error.status().as_u16() == 404 => {
                bail!(
                    "there is no organization {}",
                    self.organization.unwrap_or_default()
                )
            }
            Err(error) => return Err(anyhow::anyhow!("{}", error.public())).context("no key was made"),
        };
        out(&format!(
            "{}{}\nThis is the only time that the key is shown:\n  {}\n",
            line(&made.record, app.world.now()),
            match &made.record.organization {
                Some(organization) => format!("bound to organization {organization}"),
                None => "acts for the whole instance".to_owned(),
            },
            made.secret.expose_secret()
        ))?;
        Ok(ExitCode::SUCCESS)
    }
}

fn scopes(words: &[String]) -> anyhow::Result<Vec<Scope>> {
    if words.is_empty() {
        return Ok(Scope::ALL.to_vec());
    }
    let known = || {
        Scope::ALL
            .iter()
            .map(|scope| scope.word())
            .collect::<Vec<_>>()
            .join(", ")
    };
    words
        .iter()
        .map(|word| {
            let word = word.trim();
            Scope::parse(word).with_context(|| format!("`{word}` is no scope; there are: {}", known()))
        })
        .collect()
}

impl List {
    async fn run(self) -> anyhow::Result<ExitCode> {
        let app = open_app(self.settings.load()?).await?;
        let keys = api_keys::list(&app).await;
        app.store.close().await;
        let (keys, now) = (keys?, app.world.now());
        let mut text = String::new();
        for key in &keys {
            text.push_str(&line(key, now));
        }
        if keys.is_empty() {
            text.push_str("there is no key yet\n");
        }
        out(&text)?;
        Ok(ExitCode::SUCCESS)
    }
}

impl Revoke {
    async fn run(self) -> anyhow::Result<ExitCode> {
        let app = open_app(self.settings.load()?).await?;
        let revoked = api_keys::revoke(&app, &self.id).await;
        app.store.close().await;
        if !revoked? {
            bail!("there is no key {} that could be revoked", self.id);
        }
        out(&format!("{}: revoked\n", self.id))?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Writes one key, with an end of line.
fn line(key: &TokenRecord, now: Timestamp) -> String {
    let day = |at: Timestamp| at.strftime("%Y-%m-%d").to_string();
    let state = match (key.revoked_at, key.expires_at) {
        (Some(at), _) => format!("revoked {}", day(at)),
        (None, Some(at)) if at <= now => format!("expired {}", day(at)),
        (None, Some(at)) => format!("until {}", day(at)),
        (None, None) => "without end".to_owned(),
    };
    let used = key
        .last_used_at
        .map_or_else(|| "never used".to_owned(), |at| format!("last used {}", day(at)));
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = writeln!(
        text,
        "{}  {}  {}  {state}, {used}  {}",
        key.id,
        key.label,
        key.organization
            .as_ref()
            .map_or("(whole instance)", |organization| organization.as_str()),
        key.scopes.join(" ")
    );
    text
}
