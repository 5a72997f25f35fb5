//! The part of the story in which a directory pushes: somebody joins, signs in, leaves, and is kept out.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::story::Scene;

/// The connection of Globex.
pub(super) const CONNECTION: &str = "globex-scim";
const GUS: &str = "gus@globex.example";

/// The directory of Globex: a client that pushes.
pub(super) struct Directory {
    client: reqwest::Client,
    base: String,
    token: String,
}

impl Directory {
    /// Makes one that pushes to a connection of `provost`.
    #[expect(
        clippy::disallowed_methods,
        reason = "this plays a directory; the server's calls go through outbound.rs"
    )]
    pub(super) fn new(provost: &str, token: &str) -> Result<Self> {
        let client = reqwest::Client::builder()
            .timeout(Duration::from_secs(10))
            .no_proxy()
            .build()?;
        Ok(Self {
            client,
            base: format!("{provost}/scim/{CONNECTION}/v2"),
            token: token.to_owned(),
        })
    }

    /// Where it pushes to.
    pub(super) fn base(&self) -> &str {
        &self.base
    }

    async fn send(
        &self,
        scene: &mut Scene<'_>,
        method: reqwest::Method,
        path: &str,
        body: &Value,
        wanted: u16,
    ) -> Result<Value> {
        let answer = self
            .client
            .request(method.clone(), format!("{}{path}", self.base))
            .header("authorization", format!("Bearer {}", self.token))
            .header("content-type", "application/scim+json")
            .body(body.to_string())
            .send()
            .await?;
        let status = answer.status().as_u16();
        let text = answer.text().await?;
        ensure!(status == wanted, "{method} {path} answered {status}: {text}");
        let shown: String = path
            .split('/')
            .map(|part| if part.len() > 24 { "…" } else { part })
            .collect::<Vec<_>>()
            .join("/");
        writeln!(
            scene.out,
            "  {:>17}  {:<5} {shown}  → {status}",
            "directory",
            method.as_str()
        )?;
        Ok(serde_json::from_str(&text).unwrap_or_default())
    }
}

/// Tells it, as number `number` of the story.
pub(super) async fn tell(scene: &mut Scene<'_>, directory: &Directory, number: u32) -> Result<()> {
    use reqwest::Method;
    writeln!(
        scene.out,
        "\n{number}. Globex pushes its people (SCIM). Gus signs in too early: nobody has pushed him yet."
    )?;
    scene.is_refused(GUS, "gus").await?;
    writeln!(
        scene.out,
        "\n   Now the directory makes him, and adds him to a group:"
    )?;
    let gus = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
        "userName": GUS,
        "externalId": "gus",
        "name": { "givenName": "Gus", "familyName": "Hale" },
        "emails": [{ "value": GUS, "type": "work", "primary": true }],
        "active": true,
    });
    let made = directory.send(scene, Method::POST, "/Users", &gus, 201).await?;
    let id = made
        .get("id")
        .and_then(Value::as_str)
        .context("no id")?
        .to_owned();
    let group = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"],
        "displayName": "Plant operators",
        "members": [{ "value": id }],
    });
    directory
        .send(scene, Method::POST, "/Groups", &group, 201)
        .await?;
    let expected = super::story::Expected {
        organization: "globex",
        roles: &["operator"],
        workspaces: &["plant"],
    };
    let claims = scene.arrives(GUS, "gus", &expected).await?;
    ensure!(
        claims.get("sub").and_then(Value::as_str) == Some(id.as_str()),
        "the sign-in made another account than the push"
    );
    writeln!(
        scene.out,
        "  → the account is the one that the push made\n\n   Gus leaves, and the directory says so:"
    )?;
    let leave = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
        "Operations": [{ "op": "replace", "path": "active", "value": false }],
    });
    directory
        .send(scene, Method::PATCH, &format!("/Users/{id}"), &leave, 200)
        .await?;
    scene.is_refused(GUS, "gus").await?;
    Ok(())
}
