//! What holds for the whole instance where nothing else is said, as operators choose it.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::{Extension, Json};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::endpoint::{Answer, Endpoint, JSON, Verb, schema_of};
use super::page::Sent;
use crate::app::App;
use crate::error::Result;
use crate::flow::api_keys::{Caller, Scope};
use crate::flow::defaults::{self, Setting};
use crate::route::{get, put};

const ANSWERS: &[Answer] = &[Answer {
    status: 200,
    what: "What is chosen.",
    content: &[(JSON, Some(schema_of::<Defaults>))],
}];

/// The endpoints of this area.
pub(super) const ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        verb: Verb::Get,
        path: "/api/v1/defaults",
        name: "getDefaults",
        area: "Instance",
        summary: "Get the defaults that operators chose for the whole instance",
        description: "Needs a key of the whole instance.",
        scope: Scope::OrganizationsRead,
        query: None,
        body: None,
        answers: ANSWERS,
        problems: &[(403, "instance_key_needed")],
        handler: || get(show),
    },
    Endpoint {
        verb: Verb::Put,
        path: "/api/v1/defaults",
        name: "putDefaults",
        area: "Instance",
        summary: "Choose defaults for the whole instance, in the place of the configuration of its nodes",
        description: "Every node follows within seconds. What is absent or null is as the configuration says. Needs a key of the whole \
                      instance.",
        scope: Scope::OrganizationsWrite,
        query: None,
        body: Some(schema_of::<Defaults>),
        answers: ANSWERS,
        problems: &[(403, "instance_key_needed"), (422, "invalid_default")],
        handler: || put(save),
    },
];

/// Defaults of the instance; null where each node's configuration holds. The names are keys of the configuration, and so are
/// the bounds.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Defaults {
    /// Life of a session, in hours.
    session_hours: Option<u32>,
    /// Life of a session of an identity provider without use, in minutes.
    session_idle_minutes: Option<u32>,
    /// Life of an invitation's link, in days.
    invitation_days: Option<u32>,
    /// How long attempts are kept, in days.
    trace_days: Option<u32>,
    /// How long requests of directories are kept, in days.
    scim_log_days: Option<u32>,
    /// Requests of one directory each second; 0 for no limit.
    scim_requests_per_second: Option<u32>,
}

impl Defaults {
    fn of(&mut self, setting: Setting) -> &mut Option<u32> {
        match setting {
            Setting::SessionHours => &mut self.session_hours,
            Setting::SessionIdleMinutes => &mut self.session_idle_minutes,
            Setting::InvitationDays => &mut self.invitation_days,
            Setting::TraceDays => &mut self.trace_days,
            Setting::ScimLogDays => &mut self.scim_log_days,
            Setting::ScimRequestsPerSecond => &mut self.scim_requests_per_second,
        }
    }
}

async fn show(State(app): State<App>, Extension(caller): Extension<Caller>) -> Result<Json<Defaults>> {
    let mut chosen = Defaults::default();
    for (setting, value) in defaults::list(&app, &caller).await? {
        *chosen.of(setting) = value;
    }
    Ok(Json(chosen))
}

async fn save(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Sent(mut wanted): Sent<Defaults>,
) -> Result<Json<Defaults>> {
    let all: BTreeMap<Setting, Option<u32>> = Setting::ALL
        .into_iter()
        .map(|setting| (setting, *wanted.of(setting)))
        .collect();
    defaults::choose(&app, &caller, all).await?;
    show(State(app), Extension(caller)).await
}
