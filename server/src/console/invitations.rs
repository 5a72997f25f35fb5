//! Who was invited, and how far each is: sent, opened, in, or too late; sending again and taking back, one by one or several
//! at once.

use askama::Template;
use axum::extract::{Query, State};
use provost_store::{Invitation, InvitationFilter, InvitationState};
use serde::Deserialize;

use super::format;
use super::page::{self, segment};
use super::sent::Sent;
use super::shell::{Flash, Place, Shell};
use super::told;
use super::visit::{Manager, Outcome};
use crate::app::App;
use crate::flow::invitations;

/// Invitations of one page.
const PAGE: u32 = 50;

/// What the address asks for.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Asked {
    show: String,
    state: String,
    before: Option<String>,
    done: Option<String>,
}

/// States as the address names them.
const STATES: &[(&str, &str, InvitationState)] = &[
    ("sent", "invitations.sent", InvitationState::Sent),
    ("opened", "invitations.opened", InvitationState::Opened),
    ("skipped", "invitations.skipped", InvitationState::Skipped),
    ("expired", "invitations.expired", InvitationState::Expired),
    ("accepted", "invitations.accepted", InvitationState::Accepted),
    ("revoked", "invitations.revoked", InvitationState::Revoked),
];

#[derive(Template)]
#[template(path = "console/invitations.html")]
struct InvitationsPage {
    shell: Shell,
    /// Name, address and whether it is this one.
    tabs: Vec<(&'static str, String, bool)>,
    /// What forms hand on, so that the same list comes back.
    asked: Asked,
    can_mail: bool,
    rows: Vec<Row>,
    shown: usize,
    is_later: bool,
    first: String,
    next: Option<String>,
}

struct Row {
    id: String,
    email: String,
    person: Option<String>,
    tone: &'static str,
    state: &'static str,
    is_open: bool,
    /// When it came to be in this state.
    since: Option<(String, String)>,
    sent: Option<(String, String)>,
    expires: (String, String),
}

/// `GET …/invitations`.
pub async fn list(State(app): State<App>, manager: Manager, Query(asked): Query<Asked>) -> Outcome {
    let shell = manager.shell(Place::Invitations).after(asked.done.as_deref());
    show(&app, &manager, shell, &asked).await
}

async fn show(app: &App, manager: &Manager, shell: Shell, asked: &Asked) -> Outcome {
    let now = app.world.now();
    let state = STATES.iter().find(|(word, ..)| *word == asked.state);
    let is_all = asked.show == "all" && state.is_none();
    let filter = InvitationFilter {
        organization: Some(manager.organization.organization.id.clone()),
        account: None,
        is_pending: !is_all && state.is_none(),
        state: state.map(|(_, _, state)| (*state, now)),
    };
    let before = asked.before.clone().map(|id| id.replace('\0', ""));
    let mut found = invitations::list(app, &manager.caller, filter, before, PAGE + 1).await?;
    let has_more = found.len() > PAGE as usize;
    found.truncate(PAGE as usize);
    let address = |before: Option<&str>| {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        if is_all {
            query.append_pair("show", "all");
        } else if let Some((word, ..)) = state {
            query.append_pair("state", word);
        }
        if let Some(before) = before {
            query.append_pair("before", before);
        }
        format!("{}/invitations?{}", shell.base, query.finish())
    };
    let next = found
        .last()
        .filter(|_| has_more)
        .map(|last| address(Some(&last.id)));
    let here = format!("{}/invitations", shell.base);
    let mut tabs = vec![(
        shell.t("invitations.open"),
        here.clone(),
        !is_all && state.is_none(),
    )];
    tabs.extend(STATES.iter().map(|(word, key, _)| {
        let is_this = state.is_some_and(|(this, ..)| this == word);
        (
            shell.look.language.text(key),
            format!("{here}?state={word}"),
            is_this,
        )
    }));
    tabs.push((shell.t("invitations.all"), format!("{here}?show=all"), is_all));
    page::show(&InvitationsPage {
        rows: found.iter().map(|one| row(&shell, one, one.state(now))).collect(),
        shown: found.len(),
        is_later: asked.before.is_some(),
        can_mail: app.config.mail.is_on(),
        first: address(None),
        next,
        tabs,
        asked: Asked {
            show: if is_all { "all".to_owned() } else { String::new() },
            state: state.map(|(word, ..)| (*word).to_owned()).unwrap_or_default(),
            ..Asked::default()
        },
        shell,
    })
}

fn row(shell: &Shell, one: &Invitation, state: InvitationState) -> Row {
    let (tone, key) = match state {
        InvitationState::Sent => ("idle", "invitations.sent"),
        InvitationState::Skipped => ("idle", "invitations.skipped"),
        InvitationState::Opened => ("idle", "invitations.opened"),
        InvitationState::Accepted => ("good", "invitations.accepted"),
        InvitationState::Revoked => ("bad", "invitations.revoked"),
        InvitationState::Expired => ("warn", "invitations.expired"),
    };
    let both = |at: jiff::Timestamp| (at.to_string(), format::time(at));
    Row {
        id: one.id.clone(),
        email: one.email.to_string(),
        person: one.account.as_ref().map(|id| segment(id.as_str())),
        tone,
        state: shell.t(key),
        is_open: !matches!(state, InvitationState::Accepted | InvitationState::Revoked),
        since: match state {
            InvitationState::Opened => one.opened_at,
            InvitationState::Accepted => one.accepted_at,
            InvitationState::Revoked => one.revoked_at,
            InvitationState::Sent | InvitationState::Skipped | InvitationState::Expired => None,
        }
        .map(both),
        sent: one.sent_at.map(both),
        expires: both(one.expires_at),
    }
}

/// `POST …/invitations`: sends again or takes back those that are ticked, or sends every open one again.
pub async fn act(State(app): State<App>, manager: Manager, sent: Sent) -> Outcome {
    let mut shell = manager.shell(Place::Invitations);
    let organization = &manager.organization.organization.id;
    let mut ids = sent.all("invitation");
    ids.truncate(PAGE as usize);
    let (mut done, mut not_done, mut reason) = (0_u32, 0_u32, None);
    if sent.get("do") == "resend-all" {
        match invitations::resend_pending(&app, &manager.caller, organization).await {
            Ok(resent) => (done, not_done) = (resent.sent, resent.skipped),
            Err(error) => reason = Some(told::mendable(&shell, error)?),
        }
    } else {
        for id in ids {
            let outcome = if sent.get("do") == "revoke" {
                invitations::revoke(&app, &manager.caller, &id).await
            } else {
                invitations::resend(&app, &manager.caller, &id).await
            };
            match outcome {
                Ok(_) => done += 1,
                Err(error) if error.status().is_client_error() => {
                    not_done += 1;
                    reason = Some(told::sentence(&shell, &error));
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
    let mut text = if sent.get("do") == "revoke" {
        shell.t2("invitations.revoked_some", &done, &not_done)
    } else {
        shell.t2("invitations.resent_some", &done, &not_done)
    };
    if let Some(reason) = reason {
        text = format!("{text} {reason}");
    }
    shell.flash = Some(Flash {
        tone: if not_done > 0 || done == 0 { "warn" } else { "good" },
        text,
    });
    shell.path = format!("{}/invitations", shell.base);
    let asked = Asked {
        show: sent.get("show").to_owned(),
        state: sent.get("state").to_owned(),
        ..Asked::default()
    };
    show(&app, &manager, shell, &asked).await
}
