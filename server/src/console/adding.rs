//! Adding people by hand: one form for accounts with a password and for SSO users, for one person or several (R-86 to R-92,
//! What would happen can be looked at first; with scripts it is shown while one types.

use askama::Template;
use axum::extract::State;
use axum::http::HeaderMap;
use provost_kernel::directory::AccountKind;
use provost_kernel::id::{ConnectionId, LicenseId, RoleId};

use super::page::{self, segment};
use super::sent::Sent;
use super::shell::{Place, Shell};
use super::told;
use super::visit::{Manager, Outcome};
use crate::app::App;
use crate::error::AppError;
use crate::flow::console::adding::{self, Outcome as Became, Row, Wanted};
use crate::flow::console::people;

/// Header of the script that asks for a piece of the page only.
const PIECE: &str = "x-piece";

#[derive(Template)]
#[template(path = "console/add.html")]
struct AddPage {
    shell: Shell,
    form: Form,
    checked: Checked,
    problem: Option<String>,
}

/// What stands in the form.
struct Form {
    addresses: String,
    given_name: String,
    family_name: String,
    is_reader: bool,
    is_sso: bool,
    skip: bool,
    can_mail: bool,
    connections: Vec<(String, String, bool)>,
    roles: Vec<(String, String, bool)>,
    licenses: Vec<(String, bool)>,
}

/// What would become of each address.
#[derive(Default)]
struct Checked {
    rows: Vec<CheckedRow>,
    is_blocked: bool,
}

struct CheckedRow {
    address: String,
    tone: &'static str,
    outcome: String,
    why: String,
    person: Option<String>,
    trace: Option<String>,
}

#[derive(Template)]
#[template(path = "console/add_checked.html")]
struct CheckedPiece {
    shell: Shell,
    checked: Checked,
}

#[derive(Template)]
#[template(path = "console/added.html")]
struct AddedPage {
    shell: Shell,
    lead: String,
    rows: Vec<CheckedRow>,
}

/// `GET …/users/add`.
pub async fn show(State(app): State<App>, manager: Manager) -> Outcome {
    let form = form(&app, &manager, &Sent::default()).await?;
    page::show(&AddPage {
        shell: manager.shell(Place::Users),
        form,
        checked: Checked::default(),
        problem: None,
    })
}

/// `POST …/users/add`: looks at what would happen, or does it.
pub async fn submit(State(app): State<App>, manager: Manager, headers: HeaderMap, sent: Sent) -> Outcome {
    let organization = &manager.organization.organization.id;
    let shell = manager.shell(Place::Users);
    let wanted = wanted(&sent);
    let is_piece = headers.contains_key(PIECE);
    let mut problem = wanted.as_ref().err().map(|key| shell.t(key).to_owned());
    if let Ok(wanted) = &wanted
        && sent.get("do") == "add"
        && !is_piece
    {
        match adding::add(&app, &manager.caller, organization, wanted).await {
            Ok(rows) => return added(shell, rows),
            Err(error) => problem = Some(told::mendable(&shell, error)?),
        }
    }
    let checked = match &wanted {
        Ok(wanted) => {
            let rows = adding::check(&app, &manager.caller, organization, wanted).await?;
            checked(&shell, rows)
        }
        Err(_) => Checked::default(),
    };
    if is_piece {
        return page::piece(&CheckedPiece { shell, checked });
    }
    page::show(&AddPage {
        form: form(&app, &manager, &sent).await?,
        checked,
        problem,
        shell,
    })
}

/// Reads the form, or names what is missing.
fn wanted(sent: &Sent) -> Result<Wanted, &'static str> {
    let addresses = adding::addresses(sent.get("addresses"));
    if addresses.is_empty() {
        return Err("adding.no_address");
    }
    let connection = sent.some("connection").map(ConnectionId::new);
    if sent.has("sso") && connection.is_none() {
        return Err("adding.no_connection_chosen");
    }
    Ok(Wanted {
        addresses,
        kind: if sent.get("kind") == "reader" {
            AccountKind::Reader
        } else {
            AccountKind::User
        },
        connection: connection.filter(|_| sent.has("sso")),
        roles: sent.all("role").into_iter().map(RoleId::new).collect(),
        license: sent.some("license").map(LicenseId::new),
        given_name: sent.some("given_name"),
        family_name: sent.some("family_name"),
        send: !sent.has("skip"),
    })
}

async fn form(app: &App, manager: &Manager, sent: &Sent) -> Result<Form, AppError> {
    let facts = &manager.organization;
    let connections = people::connections(app, &facts.organization.id).await?;
    let chosen_roles = sent.all("role");
    let can_mail = app.config.mail.is_on();
    Ok(Form {
        addresses: sent.get("addresses").to_owned(),
        given_name: sent.get("given_name").to_owned(),
        family_name: sent.get("family_name").to_owned(),
        is_reader: sent.get("kind") == "reader",
        is_sso: sent.has("sso") && !connections.is_empty(),
        skip: sent.has("skip") || !can_mail,
        can_mail,
        connections: connections
            .iter()
            .map(|connection| {
                let id = connection.id.to_string();
                let name = if connection.domains.is_empty() {
                    connection.name.clone()
                } else {
                    format!("{} ({})", connection.name, connection.domains.join(", "))
                };
                let chosen = sent.get("connection") == id;
                (id, name, chosen)
            })
            .collect(),
        roles: facts
            .roles
            .iter()
            .map(|role| {
                let id = role.id.to_string();
                let chosen = chosen_roles.contains(&id);
                (id, role.name.clone(), chosen)
            })
            .collect(),
        licenses: facts
            .licenses
            .iter()
            .map(|pool| {
                let id = pool.license.id.to_string();
                let chosen = sent.get("license") == id;
                (id, chosen)
            })
            .collect(),
    })
}

fn checked(shell: &Shell, rows: Vec<Row>) -> Checked {
    Checked {
        is_blocked: rows.iter().any(|row| row.outcome == Became::AlreadyReader),
        rows: rows
            .into_iter()
            .map(|row| shown(shell, row, "adding.will"))
            .collect(),
    }
}

fn added(shell: Shell, rows: Vec<Row>) -> Outcome {
    let all = rows.len();
    let done = rows
        .iter()
        .filter(|row| matches!(row.outcome, Became::Added(_)))
        .count();
    page::show(&AddedPage {
        lead: shell.t2("adding.done", &done, &(all - done)),
        rows: rows
            .into_iter()
            .map(|row| shown(&shell, row, "adding.added"))
            .collect(),
        shell,
    })
}

fn shown(shell: &Shell, row: Row, good: &'static str) -> CheckedRow {
    let (tone, outcome, why, person, trace) = match row.outcome {
        Became::Added(account) => ("good", good, String::new(), account, None),
        Became::NoAddress => (
            "bad",
            "adding.will_not",
            shell.t("adding.not_an_address").to_owned(),
            None,
            None,
        ),
        Became::AlreadyReader => (
            "bad",
            "adding.will_not",
            shell.t("adding.already_reader").to_owned(),
            None,
            None,
        ),
        Became::Refused(code, trace) => ("bad", "adding.will_not", told::denial(shell, code), None, trace),
    };
    CheckedRow {
        address: row.address,
        tone,
        outcome: shell.t(outcome).to_owned(),
        why,
        person: person.map(|id| segment(id.as_str())),
        trace: trace.map(|id| id.to_string()),
    }
}
