//! Who asks: a directory with a token of one connection, or nobody.
//!
//! Whatever is wrong before that is known gets one answer: an unknown connection, a missing, wrong, revoked or expired
//! token and a token of another connection cannot be told apart.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use provost_kernel::connection::Provisioning;
use provost_scim::{ScimError, Version};
use provost_store::{StoreError, TokenRecord};

use crate::app::App;
use crate::error::AppError;
use crate::flow::connection::{self, LiveConnection, ScimSide};
use crate::flow::scim::tokens::{ACCESS, BEARER};
use crate::flow::scim::{Failure, pace};
use crate::scim_config::ScimVersion;
use crate::translate;
use crate::world::digest_of;

/// Milliseconds between two notes of a token's use.
const NOTED_EVERY: i64 = 60_000;
/// Tokens whose last note is remembered at most.
const REMEMBERED: usize = 10_000;
/// Failed attempts of one client address each second; more get 429 before the store is asked.
const FAILURES_PER_SECOND: u32 = 20;
/// Longest credential that is looked at.
const LONGEST: usize = 4096;

/// A directory that proved which one it is.
pub struct Caller {
    /// Its connection.
    pub live: Arc<LiveConnection>,
    /// The token that proved it.
    pub token: TokenRecord,
    /// Version of the protocol that it speaks.
    pub version: Version,
    /// Address of the protocol's version, without a slash at the end.
    pub base: String,
}

impl Caller {
    /// Returns the settings of the push.
    pub fn scim(&self) -> &ScimSide {
        &self.live.scim
    }
}

/// When each token's use was last noted by this node.
#[derive(Default)]
pub struct Noted(Mutex<HashMap<String, i64>>);

impl Noted {
    /// Tells whether a use should be noted now.
    fn is_due(&self, id: &str, now: Timestamp) -> bool {
        let now = now.as_millisecond();
        let mut noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if noted.len() >= REMEMBERED {
            noted.retain(|_, at| now - *at < NOTED_EVERY);
        }
        match noted.get(id) {
            Some(at) if now - *at < NOTED_EVERY => false,
            Some(_) | None => {
                noted.insert(id.to_owned(), now);
                true
            }
        }
    }
}

/// What a request presents.
pub struct Presented<'a> {
    /// The connection that the address names.
    pub connection: &'a str,
    /// Value of the `Authorization` header.
    pub authorization: Option<&'a str>,
    /// Values of other headers by name.
    pub header: &'a (dyn Fn(&str) -> Option<String> + Sync),
    /// The client's address, as rate limits count it.
    pub client: &'a str,
}

/// Finds out who asks. `Ok(None)`: nobody that we know.
///
/// # Errors
/// Those of the store.
pub async fn identify(
    app: &App,
    presented: &Presented<'_>,
) -> Result<Option<(TokenRecord, Arc<LiveConnection>)>, AppError> {
    let (authorization, named) = (presented.authorization, presented.connection);
    let token = match authorization.map(credential) {
        Some(text) => text.map(str::to_owned),
        None => custom(app, presented).await?,
    };
    let Some(token) = token.filter(|token| token.len() <= LONGEST) else {
        return Ok(None);
    };
    let (digest, now) = (digest_of(&token), app.world.now());
    let (found, revision) = app
        .store
        .read(move |reader| {
            Box::pin(async move {
                reader
                    .token_and_revision(&digest, now, connection::REVISION)
                    .await
            })
        })
        .await
        .map_err(|error: StoreError| AppError::from(error))?;
    let fits = |token: &TokenRecord| {
        (token.kind == BEARER || token.kind == ACCESS)
            && token
                .connection
                .as_ref()
                .is_some_and(|bound| bound.as_str() == named)
    };
    let Some(token) = found.filter(fits) else {
        return Ok(None);
    };
    let live = connection::find_at(app, named, revision).await?;
    // The client of the settings that got it may be gone from there.
    let is_configured = token.kind == ACCESS && token.label.contains(':');
    if is_configured && live.scim.keys_of(&token.label).is_none() {
        return Ok(None);
    }
    note(app, &token, now);
    Ok(Some((token, live)))
}

/// Reads `Bearer TOKEN`, or the token alone: some directories send whatever the admin typed.
fn credential(header: &str) -> Option<&str> {
    let header = header.trim();
    let token = match header.split_once(char::is_whitespace) {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("bearer") => rest.trim(),
        Some(_) => return None,
        None => header,
    };
    (!token.is_empty()).then_some(token)
}

/// Reads the further header that the connection names, if it names one.
async fn custom(app: &App, presented: &Presented<'_>) -> Result<Option<String>, AppError> {
    let live = match connection::find(app, presented.connection).await {
        Ok(live) => live,
        Err(error) if error.code() == "not_found" => return Ok(None),
        Err(error) => return Err(error),
    };
    let Some(name) = &live.scim.config.header else {
        return Ok(None);
    };
    let value = (presented.header)(name);
    Ok(value.as_deref().and_then(credential).map(str::to_owned))
}

/// Notes the use of a token, at most once a minute and without making anybody wait for it.
fn note(app: &App, token: &TokenRecord, now: Timestamp) {
    let is_fresh = token
        .last_used_at
        .is_some_and(|used| now.as_millisecond() - used.as_millisecond() < NOTED_EVERY);
    if is_fresh || !app.scim.noted.is_due(&token.id, now) {
        return;
    }
    let (store, token) = (app.store.clone(), token.clone());
    tokio::spawn(async move {
        let written: Result<(), StoreError> = store
            .write(move |tx| {
                Box::pin(async move {
                    tx.touch_token(&token.id, now).await?;
                    if token.kind == ACCESS && !token.label.contains(':') {
                        tx.touch_token(&token.label, now).await?;
                    }
                    Ok(())
                })
            })
            .await;
        if let Err(error) = written {
            tracing::warn!(
                code = error.code(),
                "the use of a directory's token could not be noted"
            );
        }
    });
}

/// Lets a known directory go on, or says why not: its pace, the connection's mode, the version.
///
/// # Errors
/// 429, 403 or 400 in SCIM's shape; those of the store.
pub async fn admit(
    app: &App,
    token: TokenRecord,
    live: Arc<LiveConnection>,
    version: Option<Version>,
) -> Result<Caller, Failure> {
    let key = format!("connection:{}", live.id());
    if let Some(wait) = pace::count(app, &key, app.defaults.scim_requests_per_second()).await? {
        return Err(Failure::TooFast(wait));
    }
    let mode = live.in_force.connection().provisioning;
    if mode != Provisioning::Scim {
        let mode = match mode {
            Provisioning::Manual => "manual",
            Provisioning::Jit | Provisioning::Scim => "jit",
        };
        return Err(ScimError::forbidden(format!(
            "accounts of this connection are made by '{mode}', not by a directory: an administrator has to set its \
             provisioning to 'scim'"
        ))
        .into());
    }
    if !live.in_force.entitlements().scim {
        return Err(translate::scim::not_entitled().into());
    }
    let Some(version) = version else {
        return Err(ScimError::not_found("This address").into());
    };
    let (wanted, word) = match version {
        Version::V1 => (ScimVersion::V1, "1.1"),
        Version::V2 => (ScimVersion::V2, "2.0"),
    };
    if !live.scim.config.versions.contains(&wanted) {
        return Err(ScimError::invalid_version(format!(
            "SCIM {word} is switched off for this connection; use the other version's address"
        ))
        .into());
    }
    let number = match version {
        Version::V1 => 1,
        Version::V2 => 2,
    };
    let base = app.config.url(&format!("/scim/{}/v{number}", live.id()));
    Ok(Caller {
        live,
        token,
        version,
        base,
    })
}

/// Answers whoever is not known: 401, or 429 for an address that tries too often.
///
/// # Errors
/// Always one of these two; those of the store.
pub async fn refuse(app: &App, presented: &Presented<'_>) -> Failure {
    let key = format!("unknown:{}", presented.client);
    match pace::count(app, &key, FAILURES_PER_SECOND).await {
        Ok(Some(wait)) => Failure::TooFast(wait),
        Ok(None) => Failure::Scim(ScimError::unauthorized()),
        Err(error) => error.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::credential;

    #[test]
    fn r73_a_token_comes_as_bearer_or_alone() {
        for header in ["Bearer abc", "bearer  abc ", "BEARER\tabc", "abc", " abc "] {
            assert_eq!(credential(header), Some("abc"), "{header:?}");
        }
        for header in ["", "  ", "Bearer", "Basic abc", "Bearer  ", "a b"] {
            assert!(!matches!(credential(header), Some("abc")), "{header:?}");
        }
        assert_eq!(credential("Basic abc"), None);
    }
}
