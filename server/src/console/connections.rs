//! Identity providers: a list with how each does, and of one its state and the values to exchange.

use askama::Template;
use axum::extract::{Path, Query, State};
use jiff::Timestamp;
use provost_kernel::connection::{Protocol, Provisioning, Scope};
use provost_store::ConnectionRecord;
use serde::Deserialize;

use super::activity::{self, Entry};
use super::format;
use super::page::{self, segment};
use super::shell::{Place, Shell};
use super::visit::{Manager, Outcome};
use crate::app::App;
use crate::connection_config::Stage;
use crate::flow::console::activity::{self as happened, Wanted};
use crate::flow::console::overview::{self, Health};
use crate::flow::directory;
use crate::flow::setup::{self, is_draft};

/// The head of a connection's pages.
pub(super) struct Head {
    pub(super) name: String,
    pub(super) protocol: &'static str,
    pub(super) mode: &'static str,
    pub(super) tone: &'static str,
    pub(super) status: &'static str,
    pub(super) tabs: Vec<(String, &'static str, bool)>,
}

/// Puts the head of a connection's pages together.
pub(super) fn head(shell: &Shell, record: &ConnectionRecord, tab: &str) -> Head {
    let connection = &record.connection;
    let here = format!("{}/connections/{}", shell.base, segment(connection.id.as_str()));
    let (tone, status) = state(record);
    let tabs = [
        ("", "overview", "tab.overview"),
        ("/values", "values", "tab.values"),
        ("/claims", "claims", "tab.claims"),
        ("/provisioning", "provisioning", "tab.provisioning"),
        ("/policies", "policies", "tab.policies"),
        ("/scim", "scim", "tab.scim"),
        ("/activity", "activity", "nav.activity"),
        ("/more", "more", "tab.more"),
    ];
    let tabs: Vec<(String, &'static str, bool)> = tabs
        .iter()
        .map(|(path, word, key)| (format!("{here}{path}"), shell.t(key), *word == tab))
        .collect();
    Head {
        name: connection.name.clone(),
        protocol: protocol(connection.protocol),
        mode: shell.t(mode_key(connection.provisioning)),
        tone,
        status: shell.t(status),
        tabs,
    }
}

const fn protocol(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Saml => "SAML 2.0",
        Protocol::Oidc => "OpenID Connect",
    }
}

const fn mode_key(mode: Provisioning) -> &'static str {
    match mode {
        Provisioning::Manual => "mode.manual",
        Provisioning::Jit => "mode.jit",
        Provisioning::Scim => "mode.scim",
    }
}

const fn mode_why(mode: Provisioning) -> &'static str {
    match mode {
        Provisioning::Manual => "mode.manual_why",
        Provisioning::Jit => "mode.jit_why",
        Provisioning::Scim => "mode.scim_why",
    }
}

/// The badge of a connection's stage of life.
pub(super) fn state(record: &ConnectionRecord) -> (&'static str, &'static str) {
    match Stage::of(&record.status) {
        Stage::Draft => ("idle", "connections.draft"),
        Stage::Testing => ("warn", "connections.testing"),
        Stage::Live if record.connection.enabled => ("good", "connections.live"),
        Stage::Live => ("idle", "connections.off"),
    }
}

/// Tells whether a live connection does not do what it is for: its certificates are over, its directory complains, or none of
/// the latest attempts got through.
fn is_failing(health: &Health, now: Timestamp) -> bool {
    let is_over = health.certificate_ends.is_some_and(|end| end < now);
    let refuses_all = health.looked_at >= ENOUGH && health.refused == health.looked_at;
    health.record.connection.enabled && (is_over || refuses_all || !health.concerns.is_empty())
}

/// Fewer attempts say nothing.
const ENOUGH: usize = 3;

#[derive(Template)]
#[template(path = "console/connections.html")]
struct ConnectionsPage {
    shell: Shell,
    cards: Vec<Card>,
    drafts: Vec<(String, String, &'static str)>,
    shared: Vec<(String, &'static str)>,
}

/// One connection in a list.
pub(super) struct Card {
    pub(super) path: String,
    pub(super) name: String,
    pub(super) protocol: &'static str,
    pub(super) mode: &'static str,
    pub(super) tone: &'static str,
    pub(super) status: &'static str,
    pub(super) domains: String,
    pub(super) people: String,
    pub(super) last: Option<(String, String)>,
    pub(super) pushed: Option<(String, String)>,
    pub(super) certificate: Option<String>,
    pub(super) scope: &'static str,
    pub(super) concerns: Vec<&'static str>,
}

/// A certificate that ends in less than these days wants somebody.
pub(super) const CERTIFICATE_DAYS: i64 = 30;

/// Returns how many whole days are left.
pub(super) fn days_left(end: Timestamp, now: Timestamp) -> i64 {
    end.duration_since(now).as_hours() / 24
}

/// Shows how a connection does.
pub(super) fn card(shell: &Shell, health: &Health, now: Timestamp) -> Card {
    let record = &health.record;
    let connection = &record.connection;
    let (tone, status) = if is_failing(health, now) {
        ("bad", "connections.error")
    } else {
        state(record)
    };
    let both = |at: Timestamp| (at.to_string(), format::time(at));
    let mut concerns: Vec<&'static str> = health
        .concerns
        .iter()
        .map(|code| match *code {
            "directory_silent" => shell.t("concern.silent"),
            _ => shell.t("concern.failing"),
        })
        .collect();
    if let Some(end) = health.certificate_ends {
        let days = days_left(end, now);
        if end <= now {
            concerns.push(shell.t("concern.certificate_over"));
        } else if days < CERTIFICATE_DAYS {
            concerns.push(shell.t("concern.certificate"));
        }
    }
    Card {
        path: if is_draft(record) {
            format!(
                "{}/connections/{}/setup",
                shell.base,
                segment(connection.id.as_str())
            )
        } else {
            format!("{}/connections/{}", shell.base, segment(connection.id.as_str()))
        },
        name: connection.name.clone(),
        protocol: protocol(connection.protocol),
        mode: shell.t(mode_key(connection.provisioning)),
        tone,
        status: shell.t(status),
        domains: connection.domains.join(", "),
        people: shell.number(&health.people),
        last: health.last_admitted.map(both),
        pushed: overview::is_pushed(record)
            .then(|| health.traffic.last_at.map(both))
            .flatten(),
        certificate: health
            .certificate_ends
            .map(|end| shell.t1("connections.days_left", &days_left(end, now).max(0))),
        scope: shell.t(match &connection.scope {
            Scope::Instance => "connections.instance",
            Scope::Organization { shared_with, .. } if !shared_with.is_empty() => "connections.shared",
            Scope::Organization { .. } => "connections.own",
        }),
        concerns,
    }
}

/// What the address asks for.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Asked {
    done: Option<String>,
}

/// `GET …/connections`.
pub async fn list(State(app): State<App>, manager: Manager, Query(asked): Query<Asked>) -> Outcome {
    let organization = &manager.organization.organization.id;
    let own = overview::own_connections(&app, organization).await?;
    // Drafts whose values are known are among the cards.
    let mut drafts = setup::list(&app, &manager.caller, manager.id()).await?;
    drafts.retain(|draft| draft.record.is_none());
    let shared = crate::flow::console::people::connections(&app, organization).await?;
    let shell = manager.shell(Place::Connections).after(asked.done.as_deref());
    let now = app.world.now();
    page::show(&ConnectionsPage {
        drafts: drafts
            .into_iter()
            .map(|draft| {
                let path = format!("{}/connections/{}/setup", shell.base, segment(draft.id.as_str()));
                (path, draft.draft.name.clone(), draft.guide().name)
            })
            .collect(),
        cards: own.iter().map(|health| card(&shell, health, now)).collect(),
        shared: shared
            .into_iter()
            .filter(|connection| connection.owner() != Some(organization))
            .map(|connection| (connection.name, protocol(connection.protocol)))
            .collect(),
        shell,
    })
}

#[derive(Template)]
#[template(path = "console/connection.html")]
struct OverviewPage {
    shell: Shell,
    head: Head,
    card: Card,
    facts: Vec<(&'static str, String)>,
    mode_why: &'static str,
    settings: Vec<(&'static str, &'static str)>,
    entries: Vec<Entry>,
    sign_in: String,
    set_up: String,
}

/// `GET …/connections/{connection}`.
pub async fn overview(
    State(app): State<App>,
    manager: Manager,
    Path((_, id)): Path<(String, String)>,
    Query(asked): Query<Asked>,
) -> Outcome {
    let record = directory::connection(&app, &manager.caller, &id).await?;
    let health = overview::one(&app, &record).await?;
    let shell = manager.shell(Place::Connections).after(asked.done.as_deref());
    let wanted = Wanted {
        connection: Some(record.connection.id.clone()),
        ..Wanted::default()
    };
    let organization = &manager.organization.organization.id;
    let found = happened::list(&app, &manager.caller, Some(organization), wanted).await?;
    page::show(&OverviewPage {
        head: head(&shell, &record, "overview"),
        card: card(&shell, &health, app.world.now()),
        facts: facts(&shell, &record, &health),
        mode_why: shell.t(mode_why(record.connection.provisioning)),
        settings: settings(&shell, &record),
        entries: found
            .items
            .iter()
            .take(12)
            .map(|item| activity::entry(&shell, item, &found.people))
            .collect(),
        sign_in: app.config.url(&format!("/sso/{}/login", segment(&id))),
        set_up: if is_draft(&record) {
            format!("{}/connections/{}/setup", shell.base, segment(&id))
        } else {
            String::new()
        },
        shell,
    })
}

fn facts(shell: &Shell, record: &ConnectionRecord, health: &Health) -> Vec<(&'static str, String)> {
    let connection = &record.connection;
    let scope = match &connection.scope {
        Scope::Instance => shell.t("connections.instance").to_owned(),
        Scope::Organization { shared_with, .. } if shared_with.is_empty() => {
            shell.t("connections.own").to_owned()
        }
        Scope::Organization { shared_with, .. } => shell.t1("connections.shared_with", &shared_with.len()),
    };
    let mut rows = vec![
        ("connections.scope", scope),
        ("connections.domains", connection.domains.join(", ")),
        ("connections.people", shell.number(&health.people)),
        (
            "connections.attempts",
            shell.t2("connections.attempts_of", &health.refused, &health.looked_at),
        ),
    ];
    if let Some(end) = health.certificate_ends {
        rows.push(("connections.certificate", format::time(end)));
    }
    rows.into_iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(key, value)| (shell.t(key), value))
        .collect()
}

/// Says in words what the settings do.
fn settings(shell: &Shell, record: &ConnectionRecord) -> Vec<(&'static str, &'static str)> {
    use provost_kernel::connection::{
        EmailUpdate, ExistingAccount, OnLostMatch, OnNoRole, OnNoSeat, RoleSync,
    };

    let settings = &record.connection.settings;
    let rows = [
        (
            "setting.domain",
            if settings.require_domain {
                "setting.domain_on"
            } else {
                "setting.domain_off"
            },
        ),
        (
            "setting.existing",
            match settings.existing_account {
                ExistingAccount::Link => "setting.existing_link",
                ExistingAccount::Additional => "setting.existing_additional",
                ExistingAccount::Refuse => "setting.existing_refuse",
            },
        ),
        (
            "setting.sync",
            match settings.role_sync {
                RoleSync::Creation => "setting.sync_creation",
                RoleSync::EveryLogin => "setting.sync_every",
                RoleSync::UntilEdited => "setting.sync_edited",
            },
        ),
        (
            "setting.lost",
            match settings.on_lost_match {
                OnLostMatch::RemoveRuleGrants => "setting.lost_remove",
                OnLostMatch::Suspend => "setting.lost_suspend",
                OnLostMatch::Keep => "setting.lost_keep",
            },
        ),
        (
            "setting.no_role",
            match settings.on_no_role {
                OnNoRole::Skip => "setting.no_role_skip",
                OnNoRole::DefaultRole => "setting.no_role_default",
            },
        ),
        (
            "setting.seat",
            match settings.on_no_seat {
                OnNoSeat::Refuse => "setting.seat_refuse",
                OnNoSeat::Queue => "setting.seat_queue",
                OnNoSeat::Other(_) => "setting.seat_other",
            },
        ),
        (
            "setting.email",
            match settings.email_update {
                EmailUpdate::IfOwnDomainAndFree => "setting.email_domain",
                EmailUpdate::Always => "setting.email_always",
                EmailUpdate::Never => "setting.email_never",
            },
        ),
    ];
    rows.into_iter()
        .map(|(name, value)| (shell.t(name), shell.t(value)))
        .collect()
}
