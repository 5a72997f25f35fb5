//! "Login and security": whether single sign-on is demanded and what is missing for it, exceptions, emergency admins, how long
//! sessions last, and what the sign-in page shows.

use askama::Template;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use provost_kernel::domain::SignInRule;
use provost_kernel::email::Email;
use provost_kernel::id::AccountId;
use provost_kernel::login::rules::SignInPolicy;
use provost_kernel::plan::ProfilePatch;
use provost_kernel::provision::Action;
use serde::Deserialize;

use super::format;
use super::page::{self, segment};
use super::sent::Sent;
use super::shell::{Flash, Place, Shell};
use super::visit::{Manager, Outcome};
use crate::app::App;
use crate::flow::acting::{self, Wish};
use crate::flow::console::security::{self, Security};
use crate::flow::console::standing::Standing;
use crate::flow::enforcement::{self, Missing};

/// Most exceptions.
const EXCEPTIONS: usize = 200;

/// What the address asks for.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Asked {
    done: Option<String>,
}

#[derive(Template)]
#[template(path = "console/security.html")]
struct SecurityPage {
    shell: Shell,
    is_required: bool,
    is_ready: bool,
    may_change: bool,
    checks: Vec<Check>,
    exceptions: String,
    second_factor: bool,
    hides_password: bool,
    admins: Vec<Admin>,
    domains: Vec<(String, bool)>,
    hours: String,
    idle: String,
    providers: Vec<String>,
    password: bool,
    login: String,
}

/// Something that has to be there before single sign-on can be demanded.
struct Check {
    done: bool,
    what: &'static str,
    advice: &'static str,
    link: Option<(String, &'static str)>,
}

/// An emergency admin.
struct Admin {
    id: String,
    segment: String,
    name: String,
    address: String,
    proved: Option<(String, String)>,
    codes: u32,
}

/// `GET …/sign-in`.
pub async fn show(State(app): State<App>, manager: Manager, Query(asked): Query<Asked>) -> Outcome {
    let shell = manager.shell(Place::SignIn).after(asked.done.as_deref());
    render(&app, &manager, shell, StatusCode::OK).await
}

async fn render(app: &App, manager: &Manager, shell: Shell, status: StatusCode) -> Outcome {
    let found = security::of(app, &manager.caller, manager.id()).await?;
    let policy = &found.enforcement.policy;
    let exceptions: Vec<String> = policy.exceptions.iter().map(ToString::to_string).collect();
    let page = SecurityPage {
        is_required: policy.sso == SignInRule::Required,
        is_ready: found.enforcement.missing.is_empty(),
        may_change: manager.standing != Standing::Admin,
        checks: checks(&shell, &found),
        exceptions: exceptions.join("\n"),
        second_factor: policy.second_factor_for_admins,
        hides_password: policy.hide_password_form,
        admins: found
            .admins
            .iter()
            .map(|admin| Admin {
                id: admin.account.id.to_string(),
                segment: segment(admin.account.id.as_str()),
                name: format::name(&admin.account),
                address: format::address(&admin.account),
                proved: admin.proved_at.map(|at| (at.to_string(), format::time(at))),
                codes: admin.recovery_codes,
            })
            .collect(),
        domains: found
            .domains
            .iter()
            .map(|(name, rule)| (name.clone(), *rule == SignInRule::Required))
            .collect(),
        hours: shell.number(&u64::try_from(app.defaults.session_seconds() / 3600).unwrap_or_default()),
        idle: shell.number(&u64::try_from(app.defaults.session_idle_seconds() / 60).unwrap_or_default()),
        providers: found
            .entrance
            .connections
            .iter()
            .map(|one| one.name.clone())
            .collect(),
        password: found.entrance.password,
        login: app
            .config
            .public_url
            .join(&format!("/login/{}", segment(manager.id())))
            .map(String::from)
            .unwrap_or_default(),
        shell,
    };
    page::show_with(status, &page)
}

/// The list before the switch: what is there, and what is open.
fn checks(shell: &Shell, found: &Security) -> Vec<Check> {
    let missing = &found.enforcement.missing;
    let lacks = |one: Missing| missing.contains(&one);
    let no_admin = lacks(Missing::EmergencyAdmin);
    let providers = || Some((format!("{}/connections", shell.base), shell.t("nav.connections")));
    let check =
        |done: bool, what: &'static str, advice: &'static str, link: Option<(String, &'static str)>| Check {
            done,
            what: shell.t(what),
            advice: shell.t(advice),
            link: link.filter(|_| !done),
        };
    let here = |anchor: &str, name: &'static str| Some((format!("#{anchor}"), shell.t(name)));
    vec![
        check(
            !lacks(Missing::Connection),
            "security.has_connection",
            "security.has_connection_how",
            providers(),
        ),
        check(
            !lacks(Missing::Connection) && !lacks(Missing::TestSignIn),
            "security.has_test",
            "security.has_test_how",
            providers(),
        ),
        check(
            !no_admin,
            "security.has_admin",
            "security.has_admin_how",
            here("emergency", "security.emergency"),
        ),
        check(
            !no_admin && !lacks(Missing::PasswordProof),
            "security.has_proof",
            "security.has_proof_how",
            None,
        ),
        check(
            !no_admin && !lacks(Missing::PasswordProof) && !lacks(Missing::RecoveryCodes),
            "security.has_codes",
            "security.has_codes_how",
            None,
        ),
    ]
}

/// `POST …/sign-in`.
pub async fn act(State(app): State<App>, manager: Manager, sent: Sent) -> Outcome {
    manager.visitor.must_be_fresh(&app)?;
    match sent.get("do") {
        "mark" => mark(&app, &manager, &sent).await,
        "unmark" => {
            let account = AccountId::new(sent.get("account"));
            set_mark(&app, &manager, account, false).await
        }
        _ => save(&app, &manager, &sent).await,
    }
}

/// Shows the page again with what is wrong.
async fn refuse(app: &App, manager: &Manager, status: StatusCode, text: String) -> Outcome {
    let mut shell = manager.shell(Place::SignIn);
    shell.flash = Some(Flash { tone: "danger", text });
    render(app, manager, shell, status).await
}

async fn save(app: &App, manager: &Manager, sent: &Sent) -> Outcome {
    let shell = manager.shell(Place::SignIn);
    if manager.standing == Standing::Admin {
        let text = shell.t("security.owners_only").to_owned();
        return refuse(app, manager, StatusCode::FORBIDDEN, text).await;
    }
    let mut exceptions = Vec::new();
    for line in sent.get("exceptions").split(['\n', ',', ';', ' ']).map(str::trim) {
        if line.is_empty() {
            continue;
        }
        let Ok(email) = Email::parse(line) else {
            let line: String = line.chars().take(254).collect();
            let text = shell.t1("security.no_address", &line);
            return refuse(app, manager, StatusCode::UNPROCESSABLE_ENTITY, text).await;
        };
        exceptions.push(email);
    }
    if exceptions.len() > EXCEPTIONS {
        let text = shell.t1("security.too_many", &EXCEPTIONS);
        return refuse(app, manager, StatusCode::UNPROCESSABLE_ENTITY, text).await;
    }
    let wanted = SignInPolicy {
        sso: if sent.get("sso") == "required" {
            SignInRule::Required
        } else {
            SignInRule::Optional
        },
        exceptions,
        second_factor_for_admins: sent.has("second_factor"),
        hide_password_form: sent.has("hide_password"),
    };
    match enforcement::put(app, &manager.caller, manager.id(), wanted).await {
        Ok(_) => page::lead_to(&format!("{}/sign-in?done=sign_in", manager.base())),
        Err(error) if error.status() == StatusCode::CONFLICT => {
            let text = shell.t("security.not_ready").to_owned();
            refuse(app, manager, StatusCode::CONFLICT, text).await
        }
        Err(error) => Err(error.into()),
    }
}

async fn mark(app: &App, manager: &Manager, sent: &Sent) -> Outcome {
    let shell = manager.shell(Place::SignIn);
    let organization = &manager.organization.organization.id;
    let found = match Email::parse(sent.get("email")) {
        Ok(email) => security::member_with_password(app, organization, email).await?,
        Err(_) => None,
    };
    let Some(account) = found else {
        let text = shell.t("security.no_member").to_owned();
        return refuse(app, manager, StatusCode::UNPROCESSABLE_ENTITY, text).await;
    };
    set_mark(app, manager, account, true).await
}

async fn set_mark(app: &App, manager: &Manager, account: AccountId, mark: bool) -> Outcome {
    let set = ProfilePatch {
        emergency_admin: Some(mark),
        ..ProfilePatch::default()
    };
    let wish = Action::UpdateProfile {
        account,
        set: Box::new(set),
    };
    match acting::attempt(app, Wish::new(manager.caller.actor(), wish)).await? {
        Ok(_) => {
            let done = if mark { "marked" } else { "unmarked" };
            page::lead_to(&format!("{}/sign-in?done={done}#emergency", manager.base()))
        }
        Err(refusal) => {
            let shell = manager.shell(Place::SignIn);
            let text = shell.of("verdict", refusal.denial.code()).to_owned();
            refuse(app, manager, StatusCode::CONFLICT, text).await
        }
    }
}
