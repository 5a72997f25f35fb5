//! What holds where no organization or connection says otherwise: the configuration of the node, or what an operator chose for
//! the whole instance. Every node reads what was chosen when it starts and every few seconds, so that one change is enough.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use axum::http::StatusCode;
use jiff::Timestamp;
use provost_store::{NewEvent, StoreError};
use serde_json::json;

use crate::app::App;
use crate::config::Config;
use crate::error::{AppError, Fault, Result};
use crate::flow::api_keys::Caller;

/// How long another node may go on with what it has read, in milliseconds.
const FRESH_MILLISECONDS: i64 = 5_000;
/// No choice.
const NONE: i64 = -1;

/// Something that an operator may choose. The names are keys of the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Setting {
    /// Life of a session, in hours.
    SessionHours,
    /// Life of a session of a provider without use, in minutes.
    SessionIdleMinutes,
    /// Life of an invitation's link, in days.
    InvitationDays,
    /// How long attempts are kept, in days.
    TraceDays,
    /// How long requests of directories are kept, in days.
    ScimLogDays,
    /// Requests of one directory each second; 0 for no limit.
    ScimRequestsPerSecond,
}

impl Setting {
    /// Every one.
    pub const ALL: [Self; 6] = [
        Self::SessionHours,
        Self::SessionIdleMinutes,
        Self::InvitationDays,
        Self::TraceDays,
        Self::ScimLogDays,
        Self::ScimRequestsPerSecond,
    ];

    /// Returns the key of the configuration.
    pub const fn key(self) -> &'static str {
        match self {
            Self::SessionHours => "session_hours",
            Self::SessionIdleMinutes => "session_idle_minutes",
            Self::InvitationDays => "invitation_days",
            Self::TraceDays => "trace_days",
            Self::ScimLogDays => "scim_log_days",
            Self::ScimRequestsPerSecond => "scim_requests_per_second",
        }
    }

    /// Returns the least and the most that may be chosen: as in the configuration.
    pub const fn bounds(self) -> (u32, u32) {
        match self {
            Self::SessionHours => (1, 24 * 90),
            Self::SessionIdleMinutes => (1, 60 * 24 * 30),
            Self::InvitationDays => (1, 90),
            Self::TraceDays | Self::ScimLogDays => (1, 3650),
            Self::ScimRequestsPerSecond => (0, 1_000_000),
        }
    }

    /// Returns what the configuration of this node says.
    pub fn of_config(self, config: &Config) -> u32 {
        let whole = |seconds: i64, unit: i64| u32::try_from(seconds / unit).unwrap_or(u32::MAX);
        match self {
            Self::SessionHours => whole(config.session_seconds, 3600),
            Self::SessionIdleMinutes => whole(config.session_idle_seconds, 60),
            Self::InvitationDays => config.invitation_days,
            Self::TraceDays => config.trace_days,
            Self::ScimLogDays => config.scim_log_days,
            Self::ScimRequestsPerSecond => config.scim_requests_per_second,
        }
    }

    fn is_within(self, value: u32) -> bool {
        let (least, most) = self.bounds();
        (least..=most).contains(&value)
    }
}

/// What this node knows of it.
#[derive(Debug)]
pub struct Defaults {
    config: Arc<Config>,
    chosen: [AtomicI64; Setting::ALL.len()],
    read_at: AtomicI64,
}

impl Defaults {
    /// Begins with the configuration alone.
    pub fn new(config: Arc<Config>) -> Self {
        Self {
            config,
            chosen: std::array::from_fn(|_| AtomicI64::new(NONE)),
            read_at: AtomicI64::new(i64::MIN),
        }
    }

    /// Returns what an operator chose.
    pub fn chosen(&self, setting: Setting) -> Option<u32> {
        let place = Setting::ALL.iter().position(|one| *one == setting)?;
        u32::try_from(self.chosen.get(place)?.load(Ordering::Relaxed)).ok()
    }

    fn value(&self, setting: Setting) -> u32 {
        self.chosen(setting)
            .unwrap_or_else(|| setting.of_config(&self.config))
    }

    /// Life of a session, in seconds.
    pub fn session_seconds(&self) -> i64 {
        let chosen = self.chosen(Setting::SessionHours);
        chosen.map_or(self.config.session_seconds, |hours| i64::from(hours) * 3600)
    }

    /// Life of a session of a provider without use, in seconds.
    pub fn session_idle_seconds(&self) -> i64 {
        let chosen = self.chosen(Setting::SessionIdleMinutes);
        chosen.map_or(self.config.session_idle_seconds, |minutes| {
            i64::from(minutes) * 60
        })
    }

    /// Life of an invitation's link, in days.
    pub fn invitation_days(&self) -> u32 {
        self.value(Setting::InvitationDays)
    }

    /// How long attempts are kept, in days.
    pub fn trace_days(&self) -> u32 {
        self.value(Setting::TraceDays)
    }

    /// How long requests of directories are kept, in days.
    pub fn scim_log_days(&self) -> u32 {
        self.value(Setting::ScimLogDays)
    }

    /// Requests of one directory each second; 0 for no limit.
    pub fn scim_requests_per_second(&self) -> u32 {
        self.value(Setting::ScimRequestsPerSecond)
    }

    /// Takes over what the store says; what this version does not know, or does not allow, is left out.
    fn take(&self, found: &BTreeMap<String, u32>, now: Timestamp) {
        for (setting, kept) in Setting::ALL.iter().zip(&self.chosen) {
            let value = found
                .get(setting.key())
                .filter(|value| setting.is_within(**value));
            kept.store(value.map_or(NONE, |value| i64::from(*value)), Ordering::Relaxed);
        }
        self.read_at.store(now.as_millisecond(), Ordering::Relaxed);
    }
}

/// Reads what was chosen.
///
/// # Errors
/// Those of the store.
pub async fn read(app: &App) -> Result<()> {
    let found = app
        .store
        .read(|reader| Box::pin(async move { reader.instance_defaults().await }))
        .await?;
    app.defaults.take(&found, app.world.now());
    Ok(())
}

/// Reads what was chosen, if that is some time ago.
///
/// # Errors
/// Those of the store.
pub async fn refresh(app: &App) -> Result<()> {
    let read_at = app.defaults.read_at.load(Ordering::Relaxed);
    if app.world.now().as_millisecond().saturating_sub(read_at) < FRESH_MILLISECONDS {
        return Ok(());
    }
    read(app).await
}

/// Returns, for each setting, what is chosen, as every node will read it.
///
/// # Errors
/// 403 (`instance_key_needed`) for who does not operate the instance; those of the store.
pub async fn list(app: &App, caller: &Caller) -> Result<BTreeMap<Setting, Option<u32>>> {
    caller.must_be_of_instance()?;
    read(app).await?;
    Ok(Setting::ALL
        .into_iter()
        .map(|setting| (setting, app.defaults.chosen(setting)))
        .collect())
}

/// Chooses for the whole instance, with a record of it; none goes back to the configuration of each node.
///
/// # Errors
/// 403 (`instance_key_needed`) for who does not operate the instance; 422 (`invalid_default`) with a fault for each value out of its
/// bounds; those of the store.
pub async fn choose(app: &App, caller: &Caller, wanted: BTreeMap<Setting, Option<u32>>) -> Result<()> {
    caller.must_be_of_instance()?;
    let faults: Vec<Fault> = wanted
        .iter()
        .filter(|(setting, value)| value.is_some_and(|value| !setting.is_within(value)))
        .map(|(setting, _)| out_of_bounds(*setting))
        .collect();
    if !faults.is_empty() {
        return Err(invalid(faults));
    }
    let (now, by) = (app.world.now(), caller.actor().label());
    app.store
        .write(move |tx| {
            Box::pin(async move {
                let before = tx.instance_defaults().await?;
                for (setting, value) in &wanted {
                    tx.put_instance_default(setting.key(), *value, now).await?;
                }
                let after = tx.instance_defaults().await?;
                if before != after {
                    tx.record(NewEvent {
                        at: now,
                        kind: "instance.defaults_changed".to_owned(),
                        actor: by,
                        account: None,
                        organization: None,
                        connection: None,
                        trace: None,
                        data: json!({ "before": before, "after": after }),
                    });
                }
                Ok::<_, StoreError>(())
            })
        })
        .await?;
    read(app).await
}

/// Says that a value is none that may be chosen.
pub fn out_of_bounds(setting: Setting) -> Fault {
    let (least, most) = setting.bounds();
    Fault {
        path: setting.key().to_owned(),
        position: None,
        message: format!("must be a whole number from {least} to {most}"),
        suggestion: None,
    }
}

/// Refuses values.
pub fn invalid(faults: Vec<Fault>) -> AppError {
    AppError::new(
        StatusCode::UNPROCESSABLE_ENTITY,
        "invalid_default",
        "A value is out of its bounds; nothing was changed.",
    )
    .with_faults(faults)
}
