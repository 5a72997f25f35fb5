//! Claims as they are kept: with each trace, and as the last ones of each account. What was kept can be decided on again.

use provost_kernel::id::{AccountId, ConnectionId};
use provost_kernel::incoming::{AuthenticationContext, Incoming};
use provost_kernel::mapping::Claims;
use provost_kernel::plan::Decision;
use provost_store::LastClaims;
use serde_json::{Map, Value, json};

use crate::translate::mask::mask;

/// Most claims in bytes that are kept: a provider chooses how much it sends, and every attempt is kept.
const MOST_CLAIMS: usize = 32 * 1024;

/// Collects what is kept: the provider's claims, of which the translation has left out secrets and what only the
/// protocol needs, and our reading of them.
pub fn kept(incoming: &Incoming) -> Value {
    let whole = json!({
        "protocol": incoming.protocol,
        "subject": incoming.subject,
        "normalized": incoming.normalized,
        "claims": incoming.claims,
    });
    if whole.to_string().len() <= MOST_CLAIMS {
        return whole;
    }
    json!({
        "protocol": incoming.protocol,
        "subject": incoming.subject,
        "left_out": "the claims are larger than 32 KiB and are not kept",
    })
}

/// Writes what rules see of a pushed person for somebody to read, without secrets.
pub fn of_push(claims: &Claims) -> Value {
    let part = |name: &str| claims.document().get(name).cloned().unwrap_or_default();
    let mut own = match part("claims") {
        Value::Object(own) => own,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => Map::new(),
    };
    mask(&mut own);
    json!({ "protocol": "scim", "normalized": part("normalized"), "claims": own })
}

/// Reads kept claims as an identity again, without its proof: it can be tried on policies and can open nothing.
/// None if they were too large to be kept, or if it is something else.
pub fn read_back(connection: &ConnectionId, kept: &Value) -> Option<Incoming> {
    Some(Incoming {
        connection: connection.clone(),
        protocol: serde_json::from_value(kept.get("protocol")?.clone()).ok()?,
        subject: serde_json::from_value(kept.get("subject")?.clone()).ok()?,
        normalized: serde_json::from_value(kept.get("normalized")?.clone()).ok()?,
        claims: kept.get("claims")?.as_object()?.clone(),
        authentication: AuthenticationContext::default(),
        proof: None,
        chosen: None,
    })
}

/// Makes the record of the claims with which somebody came last; none where nobody was recognized.
pub fn last(incoming: &Incoming, decision: &Decision, kept: &Value) -> Option<LastClaims> {
    let account: AccountId = decision.trace.account.clone()?;
    Some(LastClaims {
        connection: incoming.connection.clone(),
        account,
        at: decision.trace.at,
        trace: decision.trace.id.clone(),
        claims: kept.clone(),
    })
}
