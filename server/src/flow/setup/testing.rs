//! Test sign-ins: the whole way to the identity provider and back, verified like any other, and then nothing: no account is
//! looked for, none is made, no session opens. What came is kept as a trace.

use jiff::Timestamp;
use provost_kernel::connection::Protocol;
use provost_kernel::id::{ConnectionId, TraceId};
use provost_kernel::incoming::Incoming;
use provost_kernel::trace::{Stage as Link, Step, StepOutcome, TEST_SIGN_IN, Trace};
use provost_store::{TraceRecord, Tx};
use serde_json::{Value, json};

use crate::app::App;
use crate::connection_config::Stage;
use crate::error::{AppError, Result};
use crate::flow::api_keys::Caller;
use crate::flow::connection::{LiveConnection, LiveProtocol};
use crate::flow::limits::Toll;
use crate::flow::refusal::Fault;
use crate::flow::return_to::ReturnTo;
use crate::flow::sign_in::{self, Start, Started};
use crate::flow::{claims, directory, traces};

use super::{Draft, Test, VERIFIED};

/// What begins a test.
pub struct Begin {
    /// The connection.
    pub connection: String,
    /// The page that shows what came of it; a path of ours.
    pub back: String,
    /// The browser's own secret.
    pub browser: String,
    /// What the try costs.
    pub toll: Toll,
}

/// Begins a test sign-in through a connection, live or not.
///
/// # Errors
/// 404 for one that is not the caller's; 429; those of the store.
pub async fn begin(app: &App, caller: &Caller, begin: Begin) -> Result<Started> {
    directory::connection(app, caller, &begin.connection).await?;
    let start = Start {
        connection: begin.connection,
        return_to: ReturnTo::SetUp { path: begin.back },
        browser: begin.browser,
        login_hint: None,
        invitation: None,
        is_test: true,
        toll: begin.toll,
    };
    sign_in::start(app, start).await
}

/// Ends a test sign-in: keeps what came, and notes what it proves.
///
/// # Errors
/// Those of the store.
pub async fn conclude(app: &App, live: &LiveConnection, outcome: Result<&Incoming, &Fault>) -> Result<()> {
    let (now, reference) = (app.world.now(), app.world.reference()?);
    let connection = live.in_force.connection();
    let (step, verdict, kept, code, text) = match outcome {
        Ok(incoming) => {
            let text =
                "the answer was verified; this was a test: no account was looked for and nothing changed";
            let step = (StepOutcome::Passed, "test_verified", text.to_owned());
            (
                step,
                "accepted",
                Some(claims::kept(incoming)),
                VERIFIED,
                String::new(),
            )
        }
        Err(fault) => {
            let step = (StepOutcome::Refused, fault.code, fault.text.clone());
            (step, fault.code, None, fault.code, fault.text.clone())
        }
    };
    let trace = Trace {
        id: TraceId::new(reference.clone()),
        at: now,
        kind: TEST_SIGN_IN.to_owned(),
        connection: Some(connection.id.clone()),
        account: None,
        steps: vec![Step {
            stage: Link::Verify,
            outcome: step.0,
            code: step.1.to_owned(),
            organization: None,
            text: step.2,
            drift: None,
        }],
    };
    let shown = Test {
        trace: reference,
        at: now,
        code: code.to_owned(),
        text,
    };
    let proved = outcome.is_ok().then(|| fingerprint(live));
    let id = connection.id.clone();
    app.store
        .write(move |tx| {
            Box::pin(async move {
                tx.insert_trace(&trace, verdict, kept.as_ref())?;
                note_in_tx(tx, &id, shown, proved, now).await
            })
        })
        .await
}

/// Notes in the draft what a test showed, if the connection is one.
async fn note_in_tx(
    tx: &mut Tx,
    id: &ConnectionId,
    test: Test,
    proved: Option<String>,
    now: Timestamp,
) -> Result<()> {
    // The connection before the draft, as whoever lets it go live does.
    let stored = tx.lock_connection(id).await?;
    let Some(mut record) = tx.draft_to_change(id).await? else {
        return Ok(());
    };
    let mut draft: Draft = serde_json::from_value(record.document).map_err(AppError::internal)?;
    draft.test = Some(test);
    let is_proof = proved.is_some();
    if is_proof {
        draft.proved = proved;
    }
    record.document = json!(draft);
    tx.change_draft(&record, now).await?;
    if is_proof
        && let Some(stored) = stored
        && Stage::of(&stored.status) == Stage::Draft
    {
        let testing = Stage::Testing.word();
        tx.put_connection(
            &stored.connection,
            &stored.protocol_config,
            &stored.secrets,
            testing,
            now,
        )
        .await?;
    }
    Ok(())
}

/// What the test proves: the settings with which the answer was verified, not those that were stored meanwhile.
fn fingerprint(live: &LiveConnection) -> String {
    use crate::connection_config::ProtocolConfig;

    match &live.protocol {
        LiveProtocol::Saml(side) => ProtocolConfig::Saml(side.config.clone()).fingerprint(),
        LiveProtocol::Oidc(side) => ProtocolConfig::Oidc(side.config.clone()).fingerprint(),
    }
}

/// Finds the trace of the newest test of a connection, with what came.
///
/// # Errors
/// 404 for a connection out of sight; those of the store.
pub async fn latest(app: &App, caller: &Caller, connection: &str) -> Result<Option<TraceRecord>> {
    let wanted = traces::Wanted {
        connection: Some(connection.to_owned()),
        ..traces::Wanted::default()
    };
    let recent = traces::list(app, caller, wanted, 50).await?;
    Ok(recent
        .into_iter()
        .find(|record| record.trace.kind == TEST_SIGN_IN))
}

/// One field of a person and what came for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Our name.
    pub name: &'static str,
    /// What came; none if nothing did.
    pub value: Option<String>,
    /// Whether something does not work without it.
    pub needed: bool,
}

/// Fields that are looked for, and whether each is needed.
const FIELDS: &[(&str, bool)] = &[
    ("email", true),
    ("given_name", true),
    ("family_name", true),
    ("groups", false),
    ("display_name", false),
    ("user_name", false),
];

/// Reads off kept claims which fields came.
pub fn fields(kept: &Value) -> Vec<Field> {
    let read = |name: &str| match kept.pointer(&format!("/normalized/{name}")) {
        Some(Value::String(text)) if !text.is_empty() => Some(text.clone()),
        Some(Value::Array(list)) if !list.is_empty() => Some(
            list.iter()
                .map(|one| one.as_str().map_or_else(|| one.to_string(), str::to_owned))
                .collect::<Vec<_>>()
                .join(", "),
        ),
        Some(_) | None => None,
    };
    FIELDS
        .iter()
        .map(|(name, needed)| Field {
            name,
            value: read(name),
            needed: *needed,
        })
        .collect()
}

/// Serves our metadata of a draft that has no connection yet, for providers that read it first: addresses, and no certificates.
///
/// # Errors
/// 404 if there is no such draft of a SAML connection; those of the store.
pub async fn early_metadata(app: &App, connection: &str) -> Result<String> {
    let id = ConnectionId::new(connection);
    let draft = app
        .store
        .read(|reader| Box::pin(async move { reader.draft(&id).await }))
        .await?
        .ok_or_else(AppError::not_found)?;
    let draft: Draft = serde_json::from_value(draft.document).map_err(AppError::internal)?;
    if draft.protocol != Some(Protocol::Saml) {
        return Err(AppError::not_found());
    }
    let url = |tail: &str| app.config.url(&format!("/sso/{connection}/saml/{tail}"));
    Ok(provost_saml::metadata::sp_metadata(
        &provost_saml::metadata::ServiceProvider {
            entity_id: &url("metadata"),
            acs_url: &url("acs"),
            slo_url: None,
            signing_certificates: &[],
            encryption_certificates: &[],
            authn_requests_signed: false,
            want_assertions_signed: true,
            name_id_formats: &[],
            allow_cbc: false,
        },
    ))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::fields;

    #[test]
    fn r183_what_is_there_and_what_is_missing_is_told_apart() {
        let kept =
            json!({ "normalized": { "email": "ann@example.com", "given_name": "", "groups": ["a", "b"] } });
        let found = fields(&kept);
        let of = |name: &str| found.iter().find(|field| field.name == name).unwrap();
        assert_eq!(of("email").value.as_deref(), Some("ann@example.com"));
        assert_eq!(of("groups").value.as_deref(), Some("a, b"));
        assert!(of("given_name").value.is_none() && of("given_name").needed);
        assert!(!of("user_name").needed);
    }
}
