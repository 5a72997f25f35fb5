//! The story that `provost demo --once` tells: real sign-ins over real HTTP, told as they happen.
//!
//! Any surprise is an error, and the process then exits with a failure.

use std::io::Write;

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

use super::browser::{Browser, Page};
use super::html;

/// Where the story takes place.
pub(super) struct Scene<'s> {
    /// The app's base URL.
    pub(super) app: &'s str,
    /// Where the story is told.
    pub(super) out: &'s mut dyn Write,
}

/// What the story leaves to explain.
pub(super) struct Told {
    /// The account of somebody who got in.
    pub(super) admitted: String,
    /// Reference number of the refusal of somebody who did not.
    pub(super) refusal: String,
}

/// What a person must find in the app, as told by the ID token.
pub(super) struct Expected {
    /// Organization.
    pub(super) organization: &'static str,
    /// Roles.
    pub(super) roles: &'static [&'static str],
    /// Workspaces.
    pub(super) workspaces: &'static [&'static str],
}

impl Scene<'_> {
    /// Signs a person in who did not exist before, and again: the same account.
    pub(super) async fn arrives(&mut self, email: &str, person: &str, expected: &Expected) -> Result<Value> {
        let page = self.walk(email, person).await?;
        let claims = claims_shown(&page)?;
        let found = claims
            .get("organizations")
            .and_then(Value::as_array)
            .and_then(|list| {
                list.iter()
                    .find(|one| one.get("id").and_then(Value::as_str) == Some(expected.organization))
            })
            .with_context(|| format!("{email} is not in {}: {claims}", expected.organization))?;
        same(found, "roles", expected.roles)?;
        same(found, "workspaces", expected.workspaces)?;
        writeln!(
            self.out,
            "  → in the app: {} is {} of {}, workspaces {}, license {}",
            text(&claims, "name"),
            expected.roles.join(" and "),
            expected.organization,
            expected.workspaces.join(", "),
            text(found, "license"),
        )?;
        let again = claims_shown(&self.walk_silently(email, person).await?)?;
        ensure!(
            again.get("sub") == claims.get("sub"),
            "the second sign-in of {email} made another account"
        );
        writeln!(
            self.out,
            "  → a second sign-in from another browser: the same account {}",
            text(&claims, "sub")
        )?;
        Ok(claims)
    }

    /// Walks from the app through Provost and the identity provider back to the app, and tells every step.
    async fn walk(&mut self, email: &str, person: &str) -> Result<Page> {
        let page = self.walk_silently(email, person).await?;
        for (url, method) in &page.hops {
            let place = if self.app.ends_with(url.authority()) {
                "app"
            } else if url.path().starts_with("/sandbox/") {
                "identity provider"
            } else {
                "provost"
            };
            writeln!(self.out, "  {place:>17}  {method:<4} {}", shortened(url.path()))?;
        }
        Ok(page)
    }

    async fn walk_silently(&self, email: &str, person: &str) -> Result<Page> {
        let mut browser = Browser::open()?;
        let asked = browser.visit(&format!("{}/login", self.app)).await?;
        ensure!(
            asked.status == 200,
            "Provost's sign-in page answered {}: {}",
            asked.status,
            visible(&asked)
        );
        let chooser = browser.submit(&asked, &[("email", email)]).await?;
        ensure!(
            chooser.url.path().starts_with("/sandbox/"),
            "{email} was not sent to its identity provider: {}",
            visible(&chooser)
        );
        // The chooser has one form per person; the one with this person's key is submitted.
        let mut page = browser.submit_with(&chooser, ("person", person)).await?;
        page.hops = [asked.hops, chooser.hops, page.hops].concat();
        Ok(page)
    }

    /// Tries to sign in as somebody whom no rule admits; returns the reference number of the refusal.
    pub(super) async fn is_refused(&mut self, email: &str, person: &str) -> Result<String> {
        let page = self.walk(email, person).await?;
        ensure!(
            page.status == 403,
            "{email} should have been refused, but: {} {}",
            page.status,
            visible(&page)
        );
        let reference = html::text_of(&page.body, "code").context("the refusal shows no reference number")?;
        writeln!(
            self.out,
            "  → refused, and told so: “{}”, reference {reference}",
            html::text_of(&page.body, "h1").unwrap_or_default()
        )?;
        Ok(reference)
    }

    /// Tells the whole story; returns what is left to explain.
    pub(super) async fn tell(&mut self) -> Result<Told> {
        writeln!(
            self.out,
            "1. Ann of Home Lab signs in through SAML. Nobody has heard of her before."
        )?;
        let ann = Expected {
            organization: "home-lab",
            roles: &["admin"],
            workspaces: &["main", "lab"],
        };
        let ann = self.arrives("ann@home-lab.example", "ann", &ann).await?;
        writeln!(self.out, "\n2. Dora of Acme signs in through OpenID Connect.")?;
        let dora = Expected {
            organization: "acme",
            roles: &["engineer", "lead"],
            workspaces: &["forge", "yard"],
        };
        self.arrives("dora@acme.example", "dora", &dora).await?;
        writeln!(
            self.out,
            "\n3. Cleo of Home Lab signs in through SAML, but no rule gives her a role."
        )?;
        Ok(Told {
            admitted: text(&ann, "sub"),
            refusal: self.is_refused("cleo@home-lab.example", "cleo").await?,
        })
    }
}

/// Reads the claims that the app shows to somebody signed in.
fn claims_shown(page: &Page) -> Result<Value> {
    ensure!(
        page.status == 200,
        "the app answered {} at {}: {}",
        page.status,
        page.url,
        visible(page)
    );
    let claims =
        html::text_of(&page.body, "pre").with_context(|| format!("not signed in: {}", visible(page)))?;
    serde_json::from_str(&claims).context("the app shows claims that are not JSON")
}

/// Shortens identifiers in a path, which say nothing to a reader.
fn shortened(path: &str) -> String {
    let parts = path
        .split('/')
        .map(|part| if part.len() > 24 { "…" } else { part });
    parts.collect::<Vec<_>>().join("/")
}

fn same(found: &Value, name: &str, expected: &[&str]) -> Result<()> {
    let mut values: Vec<&str> = found
        .get(name)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let mut wanted = expected.to_vec();
    values.sort_unstable();
    wanted.sort_unstable();
    if values != wanted {
        bail!("{name} should be {wanted:?} and is {values:?}");
    }
    Ok(())
}

fn text(value: &Value, name: &str) -> String {
    value
        .get(name)
        .and_then(Value::as_str)
        .unwrap_or("none")
        .to_owned()
}

/// Returns what a person would read on a page, for error messages.
fn visible(page: &Page) -> String {
    html::text_of(&page.body, "main").unwrap_or_else(|| page.body.chars().take(300).collect())
}
