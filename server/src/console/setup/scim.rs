//! The step about the directory: address, a token that is shown once, and a sign that turns green at the first call.

use std::convert::Infallible;
use std::time::Duration;

use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::IntoResponse as _;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::stream;
use provost_kernel::connection::Provisioning;
use provost_kernel::id::ConnectionId;
use secrecy::ExposeSecret as _;

use super::super::format;
use super::super::page;
use super::super::sent::Sent;
use super::super::shell::Shell;
use super::super::streams;
use super::super::visit::Outcome;
use super::desk::{Desk, PORTAL};
use super::guide::Piece;
use super::{Asked, Frame, Names, Step, frame, guide_lines, name, next_path};
use crate::app::App;
use crate::error::AppError;
use crate::flow::console::overview;
use crate::flow::scim::tokens::{self, TokenError};
use crate::flow::setup::links::{self, Scope};
use crate::flow::setup::{self as flow, SetUp};
use crate::scim_config::{ScimConfig, ScimVersion};

/// Between two looks for the first call.
const LOOK: Duration = Duration::from_secs(1);
/// Looks of one stream: the browser opens another one afterwards, and is asked again who it is.
const LOOKS: u32 = 240;

#[derive(Template)]
#[template(path = "console/setup_scim.html")]
struct ScimPage {
    shell: Shell,
    frame: Option<Frame>,
    ask: String,
    lines: Vec<Vec<Piece>>,
    urls: Vec<(&'static str, String)>,
    tokens: usize,
    made: Option<String>,
    problem: &'static str,
    last: Option<(String, String)>,
    events: String,
    live: String,
}

#[derive(Template)]
#[template(path = "console/waiting.html")]
struct WaitingPiece {
    shell: Shell,
    last: Option<(String, String)>,
}

/// A connection that is being set up, or one that is live and gets its directory by a link.
async fn found(app: &App, desk: &Desk, id: &str) -> Result<Option<SetUp>, AppError> {
    let record = match desk.connection(app, id).await {
        Ok(record) => Some(record),
        // A draft whose values are not known yet.
        Err(error) if error.code() == "not_found" => None,
        Err(error) => return Err(error),
    };
    match record {
        Some(record) if !flow::is_draft(&record) => {
            flow::require(app, &desk.caller, desk.id()).await?;
            if record.connection.provisioning != Provisioning::Scim {
                return Err(AppError::conflict(
                    "not_by_directory",
                    "Accounts of this connection are not made by a directory.",
                ));
            }
            Ok(None)
        }
        Some(_) | None => desk.set_up(app, id).await.map(Some),
    }
}

/// `GET …/setup/scim`.
pub(super) async fn show(app: &App, desk: &Desk, id: &str, asked: &Asked) -> Outcome {
    let setup = found(app, desk, id).await?;
    if let Some(setup) = &setup
        && setup.record.is_none()
    {
        return page::lead_to(&desk.step_path(id, Step::Values.word()));
    }
    if asked.piece.is_some() {
        let last = last_call(app, id).await?;
        let shell = desk.shell();
        return page::piece(&WaitingPiece { shell, last });
    }
    render(app, desk, id, setup.as_ref(), None, "", StatusCode::OK).await
}

async fn last_call(app: &App, id: &str) -> Result<Option<(String, String)>, AppError> {
    let found = overview::directory(app, &ConnectionId::new(id)).await?;
    Ok(found.last.map(|at| (at.to_string(), format::time(at))))
}

async fn render(
    app: &App,
    desk: &Desk,
    id: &str,
    setup: Option<&SetUp>,
    made: Option<String>,
    problem: &'static str,
    status: StatusCode,
) -> Outcome {
    let shell = desk.shell();
    let record = desk.connection(app, id).await?;
    let config = ScimConfig::of(&record.protocol_config).unwrap_or_default();
    let segment = page::segment(id);
    let base = |version: &str| app.config.url(&format!("/scim/{segment}/{version}"));
    let mut urls = Vec::new();
    if config.versions.contains(&ScimVersion::V2) {
        urls.push((shell.t("scim.url_2"), base("v2")));
    }
    if config.versions.contains(&ScimVersion::V1) {
        urls.push((shell.t("scim.url_1"), base("v1")));
    }
    let here = desk.step_path(id, Step::Scim.word());
    let now = app.world.now();
    let live = tokens::list(app, Some(id.to_owned())).await?;
    let page = ScimPage {
        frame: setup.map(|setup| frame(desk, &shell, setup, Step::Scim)),
        ask: super::colleague::address(desk, Step::Scim.word()),
        lines: setup
            .map(|setup| guide_lines(app, &shell, setup, "scim"))
            .unwrap_or_default(),
        urls,
        tokens: live.iter().filter(|token| tokens::is_live(token, now)).count(),
        made,
        problem: if problem.is_empty() {
            ""
        } else {
            shell.look.language.text(problem)
        },
        last: last_call(app, id).await?,
        events: format!("{here}/events"),
        live: format!("{here}?piece=1"),
        shell,
    };
    page::show_with(status, &page)
}

/// `POST …/setup/scim`: makes a token, or goes on.
pub(super) async fn act(app: &App, desk: &Desk, id: &str, sent: &Sent) -> Outcome {
    let setup = found(app, desk, id).await?;
    if !sent.has("make") {
        return match (&setup, &desk.link) {
            (Some(setup), _) if desk.may(Scope::Sso) => page::lead_to(&next_path(desk, setup, Step::Scim)),
            (_, Some(link)) => {
                links::finish(app, link).await?;
                page::lead_to(PORTAL)
            }
            (_, None) => page::lead_to(&desk.base()),
        };
    }
    desk.must_be_fresh(app)?;
    let label = format!(
        "{} {}",
        setup.as_ref().map_or("setup", |setup| setup.guide().id),
        app.world.reference()?
    );
    let wanted = tokens::Wanted {
        connection: id.to_owned(),
        label,
        days: None,
        is_client: false,
    };
    match tokens::create_as(app, wanted, desk.caller.actor()).await {
        Ok(made) => {
            let secret = made.secret.expose_secret().to_owned();
            render(app, desk, id, setup.as_ref(), Some(secret), "", StatusCode::OK).await
        }
        Err(TokenError::TooMany(_)) => {
            let status = StatusCode::CONFLICT;
            render(app, desk, id, setup.as_ref(), None, "scim.too_many", status).await
        }
        Err(TokenError::NoConnection(_)) => Err(AppError::not_found().into()),
        Err(error) => Err(AppError::internal(error).into()),
    }
}

/// What a stream remembers between two looks.
struct Watch {
    app: App,
    desk: Desk,
    id: String,
    looks: u32,
    _open: streams::Open,
}

/// `GET …/setup/scim/events`: one event when the directory has called, then the end.
pub(super) async fn events(State(app): State<App>, desk: Desk, Path(names): Names) -> Outcome {
    desk.must(Scope::Scim)?;
    let id = name(&names, "connection").to_owned();
    found(&app, &desk, &id).await?;
    let open = streams::Open::new()?;
    let watch = Watch {
        app,
        desk,
        id,
        looks: 0,
        _open: open,
    };
    let stream = stream::unfold(Some(watch), |watch| async move { look(watch?).await });
    let alive = KeepAlive::new().interval(Duration::from_secs(15));
    Ok(Sse::new(stream).keep_alive(alive).into_response())
}

/// Waits for the first call. The stream ends with it, and with the last look.
async fn look(mut watch: Watch) -> Option<(Result<Event, Infallible>, Option<Watch>)> {
    while watch.looks < LOOKS {
        watch.looks += 1;
        if let Ok(Some(last)) = last_call(&watch.app, &watch.id).await {
            let piece = WaitingPiece {
                shell: watch.desk.shell(),
                last: Some(last),
            };
            let html = piece.render().unwrap_or_default();
            return Some((Ok(Event::default().event("heard").data(html.trim())), None));
        }
        tokio::time::sleep(LOOK).await;
    }
    None
}
