//! The policy tester: runs a past sign-in, an account's last claims or pasted claims against the saved or an
//! edited policy, by the very decision of a sign-in, and writes nothing. Where a directory makes the accounts, the decision of a
//! push is run instead, since sign-ins run no rules there.

use std::sync::Arc;

use provost_kernel::connection::Provisioning;
use provost_kernel::facts::{Need, OrganizationsNeeded};
use provost_kernel::id::{AccountId, ConnectionId, TraceId};
use provost_kernel::incoming::{Fresh, Incoming};
use provost_kernel::login::{self, SessionLimits};
use provost_kernel::mapping::InForce;
use provost_kernel::plan::{Change, Decision, Verdict};
use provost_saml::attributes::{FORMAT_EMAIL, FORMAT_PERSISTENT, FORMAT_UNSPECIFIED};
use provost_store::{StoreError, TraceRecord};
use serde_json::{Map, Value};

use super::Policies;
use super::trial_push::{self, Decided};
use crate::app::App;
use crate::error::{AppError, Result};
use crate::flow::api_keys::Caller;
use crate::flow::connection::{LiveConnection, LiveProtocol};
use crate::flow::{claims, connection, directory, setup, traces};
use crate::translate;

/// Whose claims are tried.
#[derive(Clone, Debug)]
pub enum Subject {
    /// Those of a past attempt, by its reference number.
    Trace(String),
    /// The last ones of an account through the connection.
    Account(String),
    /// These, as the identity provider would send them, or as a trace keeps them.
    Claims {
        /// The claims.
        claims: Map<String, Value>,
        /// The subject (`sub`, NameID), if it is not among them.
        subject: Option<String>,
    },
}

/// The outcome of a trial.
#[derive(Clone, Debug)]
pub struct Trial {
    /// What would be decided.
    pub record: TraceRecord,
    /// What would be written.
    pub changes: Vec<Change>,
    /// Whether an edited policy was tried.
    pub edited: bool,
    /// Whether it is the decision of a push, not of a sign-in.
    pub is_push: bool,
}

/// Reference number that says that there was no attempt.
const DRY_RUN: &str = "DRY-RUN";

/// Tries.
///
/// # Errors
/// 404 for a connection, trace or account out of sight; `no_claims` (409) where none are kept; `invalid_policy`; those of
/// the store.
pub async fn run(
    app: &App,
    caller: &Caller,
    id: &str,
    subject: Subject,
    edited: Option<Policies>,
) -> Result<Trial> {
    let mut record = directory::connection(app, caller, id).await?;
    if setup::is_draft(&record) {
        // What would be, once it is live.
        record.connection.enabled = true;
    }
    let live = connection::find(app, id).await?;
    let is_edited = edited.is_some();
    let in_force = edited
        .unwrap_or_else(|| Policies::of(&record.connection))
        .compile(&record.connection)?;
    let is_push = record.connection.provisioning == Provisioning::Scim;
    let (decision, claims) = if is_push {
        pushed(app, caller, live.id(), subject, in_force).await?
    } else {
        let incoming = incoming(app, caller, &live, subject).await?;
        let kept = claims::kept(&incoming);
        (decide(app, incoming, in_force).await?, kept)
    };
    let verdict = match &decision.verdict {
        Verdict::Admitted(_) | Verdict::Accepted => "admitted",
        Verdict::Refused(denial) => denial.code(),
    };
    let mut changes = decision.plan.changes;
    changes.retain(|change| organization_of(change).is_none_or(|organization| caller.sees(organization)));
    let mut record = TraceRecord {
        trace: decision.trace,
        verdict: verdict.to_owned(),
        claims: Some(claims),
    };
    traces::cut(&mut record, caller);
    Ok(Trial {
        record,
        changes,
        edited: is_edited,
        is_push,
    })
}

/// Decides about the subject as a push would.
async fn pushed(
    app: &App,
    caller: &Caller,
    id: &ConnectionId,
    subject: Subject,
    in_force: InForce,
) -> Result<Decided> {
    let account = match subject {
        Subject::Claims { claims, subject } => {
            return trial_push::pasted(app, claims, subject, in_force).await;
        }
        Subject::Account(account) => {
            directory::account(app, caller, &account).await?;
            AccountId::new(account)
        }
        Subject::Trace(reference) => {
            let record = traces::find(app, caller, &reference).await?;
            if record.trace.connection.as_ref() != Some(id) {
                return Err(AppError::not_found());
            }
            match (record.trace.account, record.claims) {
                (Some(account), _) => account,
                // Somebody whom nobody pushed wanted to sign in: what a push of that person would do.
                (None, Some(Value::Object(claims))) => {
                    return trial_push::pasted(app, claims, None, in_force).await;
                }
                (None, _) => return Err(no_claims("This attempt was about no single person.")),
            }
        }
    };
    trial_push::known(app, account, in_force)
        .await?
        .ok_or_else(|| no_claims("The connection's directory does not manage this person."))
}

async fn incoming(
    app: &App,
    caller: &Caller,
    live: &Arc<LiveConnection>,
    subject: Subject,
) -> Result<Incoming> {
    let id = live.id();
    let kept = match subject {
        Subject::Claims { claims, subject } => {
            return known_format(app, live, pasted(live, claims, subject.as_deref())).await;
        }
        Subject::Trace(reference) => {
            let record = traces::find(app, caller, &reference).await?;
            if record.trace.connection.as_ref() != Some(id) {
                return Err(AppError::not_found());
            }
            record.claims
        }
        Subject::Account(account) => {
            directory::account(app, caller, &account).await?;
            let (connection, account) = (id.clone(), AccountId::new(account));
            let last = app
                .store
                .read(|reader| Box::pin(async move { reader.last_claims(&connection, &account).await }))
                .await?;
            last.map(|last| last.claims)
        }
    };
    kept.and_then(|kept| claims::read_back(id, &kept))
        .ok_or_else(|| no_claims("No claims are kept of this person through this connection."))
}

fn no_claims(text: &'static str) -> AppError {
    AppError::new(axum::http::StatusCode::CONFLICT, "no_claims", text)
}

/// Reads pasted claims as the connection's protocol would.
fn pasted(live: &LiveConnection, claims: Map<String, Value>, subject: Option<&str>) -> Incoming {
    let connection = live.in_force.connection();
    let whole = Value::Object(claims);
    if let Some(incoming) = claims::read_back(&connection.id, &whole) {
        return incoming;
    }
    let claims = match whole {
        Value::Object(claims) => claims,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => Map::new(),
    };
    match &live.protocol {
        LiveProtocol::Saml(side) => translate::saml::pasted(
            connection,
            &side.config.idp_entity_id,
            &claims,
            subject,
            &side.config.attributes,
        ),
        LiveProtocol::Oidc(side) => {
            translate::oidc::pasted(&connection.id, &side.config.issuer, claims, subject, &side.paths)
        }
    }
}

/// Pasted claims seldom tell the format of the NameID, without which nobody is recognized: takes the one under which
/// somebody is linked, if one is.
async fn known_format(app: &App, live: &LiveConnection, incoming: Incoming) -> Result<Incoming> {
    let LiveProtocol::Saml(side) = &live.protocol else {
        return Ok(incoming);
    };
    let by_attribute = side
        .config
        .attributes
        .get("subject")
        .map(|name| format!("attribute:{name}"));
    let formats = by_attribute
        .into_iter()
        .chain(side.config.name_id_format.clone())
        .chain([FORMAT_PERSISTENT, FORMAT_EMAIL, FORMAT_UNSPECIFIED].map(str::to_owned));
    for format in formats {
        let mut tried = incoming.clone();
        tried.subject.format = format;
        let need = Need {
            subject: Some((live.id().clone(), tried.subject.clone())),
            ..Need::default()
        };
        let facts = app
            .store
            .read(|reader| Box::pin(async move { reader.facts(&need).await }))
            .await?;
        if facts.linked.is_some() {
            return Ok(tried);
        }
    }
    Ok(incoming)
}

/// Decides as a sign-in would, and writes nothing.
///
/// # Errors
/// Those of the store.
pub async fn decide(app: &App, incoming: Incoming, in_force: InForce) -> Result<Decision> {
    let (fresh, now) = (fresh(), app.world.now());
    let limits = SessionLimits {
        absolute_seconds: app.defaults.session_seconds(),
        idle_seconds: app.defaults.session_idle_seconds(),
    };
    let decision = app
        .store
        .read(|reader| {
            Box::pin(async move {
                let mut need = login::need(&incoming, &in_force);
                if need.organizations == OrganizationsNeeded::All {
                    let every = reader.organization_ids().await?;
                    login::narrow(&mut need, &incoming, &in_force, &every);
                }
                let facts = reader.facts(&need).await?;
                Ok::<_, StoreError>(login::decide(&incoming, &facts, &in_force, &limits, &fresh, now))
            })
        })
        .await?;
    Ok(decision)
}

/// Identifiers for a decision that is never written.
pub fn fresh() -> Fresh {
    Fresh {
        account: AccountId::new("(new account)"),
        session: "(session)".into(),
        session_digest: String::new(),
        trace: TraceId::new(DRY_RUN),
    }
}

/// Tells which organization a change is about, if about one.
fn organization_of(change: &Change) -> Option<&provost_kernel::id::OrganizationId> {
    if let Change::AddMembership { membership, .. } = change {
        return Some(&membership.organization);
    }
    if let Change::UpdateMembership { organization, .. } | Change::RemoveMembership { organization, .. } =
        change
    {
        return Some(organization);
    }
    None
}
