//! One run that moves people to single sign-on: how far it is while it goes on, what became of each person, who has signed in,
//! and what can be done about it.

use std::convert::Infallible;
use std::time::Duration;

use askama::Template;
use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderName, header};
use axum::response::IntoResponse as _;
use futures_util::stream;
use provost_kernel::id::AccountId;
use provost_kernel::provision::ConversionMode;
use provost_store::{
    ConversionCounts, ConversionRow, ConversionRowFilter, ConversionRowState, ConversionState,
};
use serde::Deserialize;

use super::format;
use super::moving::{mode, state};
use super::page::{self, segment};
use super::sent::Sent;
use super::shell::{Flash, Place, Shell};
use super::told;
use super::visit::{Manager, Outcome};
use crate::app::App;
use crate::error::Result;
use crate::flow::api_keys::Caller;
use crate::flow::console::people;
use crate::flow::conversions::{self, Standing, Turn};

/// People of one page.
const PAGE: u32 = 50;
/// How often the progress is looked at.
const PAUSE: Duration = Duration::from_millis(500);
/// After so many looks the stream ends; the browser asks for the next one, and its rights are looked at again.
const LOOKS: u32 = 600;

/// What the address asks for.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Asked {
    show: String,
    after: Option<String>,
}

#[derive(Template)]
#[template(path = "console/move.html")]
struct RunPage {
    shell: Shell,
    progress: Progress,
    connection: (String, String),
    mode: &'static str,
    began: (String, String),
    undo_until: String,
    can: Can,
    tabs: Vec<(&'static str, &'static str, bool)>,
    rows: Vec<Row>,
    next: Option<String>,
    here: String,
    stream: String,
}

/// What may be done now.
#[expect(clippy::struct_excessive_bools, reason = "each is a button of its own")]
struct Can {
    pause: bool,
    resume: bool,
    remind: bool,
    retire: bool,
    undo: bool,
    enforce: bool,
}

/// How far a run is.
struct Progress {
    tone: &'static str,
    state: &'static str,
    is_at_rest: bool,
    percent: u32,
    done: String,
    all: String,
    tiles: Vec<(&'static str, String)>,
}

struct Row {
    segment: String,
    id: String,
    address: String,
    tone: &'static str,
    state: &'static str,
    why: String,
    has_signed_in: bool,
    is_moved: bool,
    reminded: Option<(String, String)>,
    can_retry: bool,
}

#[derive(Template)]
#[template(path = "console/move_progress.html")]
struct ProgressPiece {
    shell: Shell,
    progress: Progress,
}

/// The filters of the board: word, name, condition.
const TABS: &[(&str, &str)] = &[
    ("", "moving.tab_all"),
    ("signed-in", "moving.tab_signed_in"),
    ("not-yet", "moving.tab_not_yet"),
    ("retired", "moving.tab_retired"),
    ("skipped", "moving.tab_skipped"),
    ("failed", "moving.tab_failed"),
];

fn filter(word: &str) -> ConversionRowFilter {
    let of = |state, signed_in| ConversionRowFilter {
        state: Some(state),
        signed_in,
        not_reminded_since: None,
    };
    match word {
        "signed-in" => of(ConversionRowState::Invited, Some(true)),
        "not-yet" => of(ConversionRowState::Invited, Some(false)),
        "retired" => of(ConversionRowState::Retired, None),
        "skipped" => of(ConversionRowState::Skipped, None),
        "failed" => of(ConversionRowState::Failed, None),
        _ => ConversionRowFilter::default(),
    }
}

/// `GET …/conversions/{run}`.
pub async fn show(
    State(app): State<App>,
    manager: Manager,
    Path((_, id)): Path<(String, String)>,
    Query(asked): Query<Asked>,
) -> Outcome {
    let standing = conversions::find(&app, &manager.caller, &id).await?;
    let shell = manager.shell(Place::Moving);
    render(&app, &manager, shell, standing, &asked).await
}

async fn render(app: &App, manager: &Manager, shell: Shell, standing: Standing, asked: &Asked) -> Outcome {
    let organization = &manager.organization.organization.id;
    let run = &standing.run;
    let after = asked
        .after
        .as_ref()
        .map(|id| AccountId::new(id.replace('\0', "")));
    let wanted = filter(&asked.show);
    let found = conversions::rows(app, &manager.caller, &run.id, wanted, after, PAGE).await?;
    let connections = people::connections(app, organization).await?;
    let here = format!("{}/conversions/{}", shell.base, segment(&run.id));
    let next = found.last().filter(|_| found.len() == PAGE as usize).map(|last| {
        format!(
            "{here}?show={}&after={}",
            segment(&asked.show),
            segment(last.account.as_str())
        )
    });
    page::show(&RunPage {
        progress: progress(&shell, &standing),
        connection: (
            segment(run.connection.as_str()),
            connections
                .iter()
                .find(|one| one.id == run.connection)
                .map_or_else(|| run.connection.to_string(), |one| one.name.clone()),
        ),
        mode: shell.t(mode(run.mode)),
        began: (run.created_at.to_string(), format::time(run.created_at)),
        undo_until: format::time(run.undo_until),
        can: can(app, &standing),
        tabs: TABS
            .iter()
            .map(|(word, key)| (*word, shell.t(key), *word == asked.show))
            .collect(),
        rows: found.iter().map(|one| row(&shell, run.mode, one)).collect(),
        next,
        stream: format!("{here}/progress"),
        here,
        shell,
    })
}

fn can(app: &App, standing: &Standing) -> Can {
    let run = &standing.run;
    let is_taken_back = matches!(run.state, ConversionState::Undoing | ConversionState::Undone);
    let counts = &standing.counts;
    let waits = counts.invited + counts.retired > counts.signed_in;
    Can {
        pause: run.state == ConversionState::Running,
        resume: run.state == ConversionState::Paused,
        remind: !is_taken_back && waits && app.config.mail.is_on(),
        retire: !is_taken_back && run.mode == ConversionMode::Additional && counts.signed_in > counts.retired,
        undo: !is_taken_back && app.world.now() < run.undo_until,
        enforce: run.state == ConversionState::Done && counts.signed_in > 0,
    }
}

fn progress(shell: &Shell, standing: &Standing) -> Progress {
    let ConversionCounts {
        pending,
        invited,
        skipped,
        failed,
        retired,
        undone,
        signed_in,
    } = standing.counts;
    let all = pending + invited + skipped + failed + retired + undone;
    let done = if standing.run.state == ConversionState::Undoing {
        all - invited - retired
    } else {
        all - pending
    };
    let (tone, name) = state(standing.run.state);
    let number = |count: u32| shell.number(&u64::from(count));
    let moved = invited + retired;
    Progress {
        tone,
        state: shell.t(name),
        is_at_rest: conversions::is_at_rest(&standing.run),
        percent: (done.saturating_mul(100)).checked_div(all).unwrap_or(100),
        done: number(done),
        all: number(all),
        tiles: [
            ("moving.tile_invited", moved),
            ("moving.tab_signed_in", signed_in),
            ("moving.tab_not_yet", moved.saturating_sub(signed_in)),
            ("moving.tab_retired", retired),
            ("moving.tab_skipped", skipped),
            ("moving.tab_failed", failed),
        ]
        .into_iter()
        .map(|(key, count)| (shell.t(key), number(count)))
        .collect(),
    }
}

fn row(shell: &Shell, mode: ConversionMode, one: &ConversionRow) -> Row {
    let (tone, key) = match one.state {
        ConversionRowState::Pending => ("idle", "moving.row_pending"),
        ConversionRowState::Invited if mode == ConversionMode::InPlace => ("good", "moving.row_moved"),
        ConversionRowState::Invited => ("good", "moving.row_invited"),
        ConversionRowState::Skipped => ("idle", "moving.row_skipped"),
        ConversionRowState::Failed => ("bad", "moving.row_failed"),
        ConversionRowState::Retired => ("good", "moving.row_retired"),
        ConversionRowState::Undone => ("warn", "moving.row_undone"),
    };
    let shown = one.converted.as_ref().unwrap_or(&one.account);
    Row {
        segment: segment(shown.as_str()),
        id: one.account.to_string(),
        address: one
            .email
            .as_ref()
            .map_or_else(|| one.account.to_string(), ToString::to_string),
        tone,
        state: shell.t(key),
        why: one
            .reason
            .as_deref()
            .map(|code| told::denial(shell, code))
            .unwrap_or_default(),
        has_signed_in: one.signed_in,
        is_moved: matches!(
            one.state,
            ConversionRowState::Invited | ConversionRowState::Retired
        ),
        reminded: one.reminded_at.map(|at| (at.to_string(), format::time(at))),
        can_retry: matches!(
            one.state,
            ConversionRowState::Skipped | ConversionRowState::Failed
        ),
    }
}

/// `POST …/conversions/{run}`: pause, resume, remind, retire, undo, or try one person again.
pub async fn act(
    State(app): State<App>,
    manager: Manager,
    Path((_, id)): Path<(String, String)>,
    sent: Sent,
) -> Outcome {
    let mut shell = manager.shell(Place::Moving);
    let word = sent.get("do").to_owned();
    // The extractor has asked the directory whether this is an owner, an admin or an operator; undoing and retiring take
    // access from many, so that the sign-in must be fresh, too.
    if matches!(word.as_str(), "undo" | "retire") {
        manager.visitor.must_be_fresh(&app)?;
    }
    let flash = match done(&app, &manager.caller, &shell, &id, &word, &sent).await {
        Ok(text) => Flash { tone: "good", text },
        Err(error) => Flash {
            tone: "warn",
            text: told::mendable(&shell, error)?,
        },
    };
    shell.flash = Some(flash);
    shell.path = format!("{}/conversions/{}", shell.base, segment(&id));
    let standing = conversions::find(&app, &manager.caller, &id).await?;
    render(&app, &manager, shell, standing, &Asked::default()).await
}

async fn done(
    app: &App,
    caller: &Caller,
    shell: &Shell,
    id: &str,
    word: &str,
    sent: &Sent,
) -> Result<String> {
    let text = match word {
        "pause" => {
            conversions::turn(app, caller, id, Turn::Pause).await?;
            shell.t("moving.said_paused").to_owned()
        }
        "resume" => {
            conversions::turn(app, caller, id, Turn::Resume).await?;
            shell.t("moving.said_resumed").to_owned()
        }
        "undo" => {
            conversions::turn(app, caller, id, Turn::Undo).await?;
            shell.t("moving.said_undoing").to_owned()
        }
        "remind" => {
            let reminded = conversions::remind(app, caller, id).await?;
            shell.t2("moving.said_reminded", &reminded.reminded, &reminded.skipped)
        }
        "retire" => {
            let retired = conversions::retire(app, caller, id).await?;
            shell.t2("moving.said_retired", &retired.retired, &retired.skipped)
        }
        _ => {
            conversions::retry(app, caller, id, &AccountId::new(sent.get("retry"))).await?;
            shell.t("moving.said_retried").to_owned()
        }
    };
    Ok(text)
}

/// A stream of pieces under way.
struct Following {
    app: App,
    manager: Manager,
    id: String,
    looks: u32,
    is_over: bool,
}

/// `GET …/conversions/{run}/progress`: the progress as server-sent events, each a piece of the page; `rest` ends it.
pub async fn follow(
    State(app): State<App>,
    manager: Manager,
    Path((_, id)): Path<(String, String)>,
) -> Outcome {
    conversions::find(&app, &manager.caller, &id).await?;
    let following = Following {
        app,
        manager,
        id,
        looks: 0,
        is_over: false,
    };
    let events = stream::unfold(following, |mut following| async move {
        let text = following.next().await?;
        Some((Ok::<_, Infallible>(text), following))
    });
    let headers = [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::CACHE_CONTROL, "no-store"),
        // Proxies that gather answers would hide the progress.
        (HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    Ok((headers, Body::from_stream(events)).into_response())
}

impl Following {
    async fn next(&mut self) -> Option<String> {
        if self.is_over || self.looks >= LOOKS {
            return None;
        }
        if self.looks > 0 {
            tokio::time::sleep(PAUSE).await;
        }
        self.looks += 1;
        let standing = conversions::find(&self.app, &self.manager.caller, &self.id)
            .await
            .ok()?;
        let shell = self.manager.shell(Place::Moving);
        let piece = ProgressPiece {
            progress: progress(&shell, &standing),
            shell,
        };
        let html = piece.render().ok()?;
        self.is_over = conversions::is_at_rest(&standing.run);
        let lines: Vec<&str> = html.lines().collect();
        let data = lines.join("\ndata: ");
        let end = if self.is_over {
            "event: rest\ndata:\n\n"
        } else {
            ""
        };
        Some(format!("event: piece\ndata: {data}\n\n{end}"))
    }
}
