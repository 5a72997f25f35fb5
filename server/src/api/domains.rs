//! Domains of organizations: claims, checks, disputes, settings, accounts outside.

use crate::route::{delete, get, post, put};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Json};
use jiff::Timestamp;
use provost_kernel::domain::{DomainMethod, DomainSettings, DomainState, record_name, record_text};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::endpoint::{Answer, Endpoint, JSON, Verb, query_of, schema_of};
use super::page::{Asked, Page, PageQuery, Sent};
use crate::app::App;
use crate::error::{AppError, Result};
use crate::flow::api_keys::{Caller, Scope};
use crate::flow::domains::{self, Seen};

const ONE: &[Answer] = &[Answer {
    status: 200,
    what: "The domain as it is now.",
    content: &[(JSON, Some(schema_of::<DomainView>))],
}];

/// The endpoints of this area.
pub(super) const ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        verb: Verb::Get,
        path: "/api/v1/organizations/{organization}/domains",
        name: "listDomains",
        area: "Domains",
        summary: "List the domains of an organization by name",
        description: "",
        scope: Scope::DomainsRead,
        query: None,
        body: None,
        answers: &[Answer {
            status: 200,
            what: "All of them.",
            content: &[(JSON, Some(schema_of::<Page<DomainView>>))],
        }],
        problems: &[],
        handler: || get(list),
    },
    Endpoint {
        verb: Verb::Post,
        path: "/api/v1/organizations/{organization}/domains",
        name: "claimDomain",
        area: "Domains",
        summary: "Claim a domain",
        description: "The answer holds the TXT record to publish. Claiming twice changes nothing. Subdomains are claims of their own.",
        scope: Scope::DomainsWrite,
        query: None,
        body: Some(schema_of::<ClaimRequest>),
        answers: &[Answer {
            status: 201,
            what: "The claim.",
            content: &[(JSON, Some(schema_of::<DomainView>))],
        }],
        problems: &[
            (409, "too_many_domains"),
            (422, "invalid_domain"),
            (422, "public_mail_domain"),
            (422, "public_suffix"),
        ],
        handler: || post(claim),
    },
    Endpoint {
        verb: Verb::Get,
        path: "/api/v1/organizations/{organization}/domains/{domain}",
        name: "getDomain",
        area: "Domains",
        summary: "Get a domain with how its claim stands",
        description: "",
        scope: Scope::DomainsRead,
        query: None,
        body: None,
        answers: ONE,
        problems: &[],
        handler: || get(one),
    },
    Endpoint {
        verb: Verb::Delete,
        path: "/api/v1/organizations/{organization}/domains/{domain}",
        name: "giveUpDomain",
        area: "Domains",
        summary: "Give a domain up",
        description: "Connections that serve it serve it no longer.",
        scope: Scope::DomainsWrite,
        query: None,
        body: None,
        answers: &[Answer {
            status: 204,
            what: "Given up.",
            content: &[],
        }],
        problems: &[],
        handler: || delete(give_up),
    },
    Endpoint {
        verb: Verb::Post,
        path: "/api/v1/organizations/{organization}/domains/{domain}/check",
        name: "checkDomain",
        area: "Domains",
        summary: "Look the TXT record up now",
        description: "What DNS says is in the answer and never an error.",
        scope: Scope::DomainsWrite,
        query: None,
        body: None,
        answers: ONE,
        problems: &[],
        handler: || post(check),
    },
    Endpoint {
        verb: Verb::Post,
        path: "/api/v1/organizations/{organization}/domains/{domain}/verify",
        name: "verifyDomain",
        area: "Domains",
        summary: "Vouch for a domain without DNS",
        description: "For keys of the whole instance.",
        scope: Scope::DomainsWrite,
        query: None,
        body: None,
        answers: ONE,
        problems: &[(403, "operator_only"), (409, "domain_taken")],
        handler: || post(verify),
    },
    Endpoint {
        verb: Verb::Post,
        path: "/api/v1/organizations/{organization}/domains/{domain}/award",
        name: "awardDomain",
        area: "Domains",
        summary: "Settle a dispute: this organization has the domain",
        description: "For keys of the whole instance. Whoever had it has to prove it anew, with a new token, and the connections \
                      there serve it no longer.",
        scope: Scope::DomainsWrite,
        query: None,
        body: None,
        answers: ONE,
        problems: &[(403, "operator_only")],
        handler: || post(award),
    },
    Endpoint {
        verb: Verb::Put,
        path: "/api/v1/organizations/{organization}/domains/{domain}/settings",
        name: "putDomainSettings",
        area: "Domains",
        summary: "Save the settings of a domain",
        description: "They count while the domain is verified. What is absent gets its default.",
        scope: Scope::DomainsWrite,
        query: None,
        body: Some(schema_of::<DomainSettings>),
        answers: ONE,
        problems: &[(409, "enforcement_not_ready")],
        handler: || put(settle),
    },
    Endpoint {
        verb: Verb::Get,
        path: "/api/v1/organizations/{organization}/domains/{domain}/outside-accounts",
        name: "listOutsideAccounts",
        area: "Domains",
        summary: "List accounts with an address in the domain that are no members of the organization",
        description: "By account. Where they belong is not told.",
        scope: Scope::DomainsRead,
        query: Some(query_of::<PageQuery>),
        body: None,
        answers: &[Answer {
            status: 200,
            what: "A page of accounts.",
            content: &[(JSON, Some(schema_of::<Page<OutsideAccountView>>))],
        }],
        problems: &[(409, "domain_not_verified")],
        handler: || get(outside),
    },
];

/// A domain to claim.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct ClaimRequest {
    /// Host name such as `example.com`; Unicode, letter case and a dot at the end do not matter.
    name: String,
}

/// A domain of an organization.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "Domain")]
pub(super) struct DomainView {
    /// Name in the one spelling that counts.
    name: String,
    /// How the claim stands. `disputed` for both sides of a dispute.
    state: DomainState,
    /// Whether the organization has the domain now.
    in_force: bool,
    /// Who vouches.
    method: DomainMethod,
    /// The TXT record to publish.
    record: Option<RecordView>,
    /// When it was claimed.
    #[schemars(with = "String")]
    claimed_at: Timestamp,
    /// Since when it is in force.
    #[schemars(with = "Option<String>")]
    verified_at: Option<Timestamp>,
    /// When it was looked up last.
    #[schemars(with = "Option<String>")]
    checked_at: Option<Timestamp>,
    /// When it is looked up next by itself.
    #[schemars(with = "Option<String>")]
    next_check_at: Option<Timestamp>,
    /// What the last look-up found wrong.
    problem: Option<String>,
    /// Organizations that dispute it, or have it; only for keys of the whole instance.
    disputed_by: Vec<String>,
    /// Connections that served it when it was lost and will serve it again.
    lapsed_connections: Vec<String>,
    /// Settings.
    settings: DomainSettings,
}

/// A TXT record.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "DomainRecord")]
pub(super) struct RecordView {
    /// Name.
    name: String,
    /// Type, always `TXT`.
    r#type: &'static str,
    /// Text.
    value: String,
}

/// An account with an address in a domain of an organization that it does not belong to.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "OutsideAccount")]
pub(super) struct OutsideAccountView {
    /// Identifier.
    id: String,
    /// Address.
    email: Option<String>,
    /// Lifecycle state.
    status: String,
    /// Whether it signs in through an identity provider.
    sso: bool,
    /// When it came into being.
    #[schemars(with = "String")]
    created_at: Timestamp,
}

impl From<Seen> for DomainView {
    fn from(seen: Seen) -> Self {
        let state = seen.state();
        let Seen { claim, others, .. } = seen;
        Self {
            state,
            in_force: claim.claim.state.is_in_force(),
            method: claim.claim.method,
            record: claim.domain.token.as_deref().map(|token| RecordView {
                name: record_name(&claim.domain.name),
                r#type: "TXT",
                value: record_text(token),
            }),
            claimed_at: claim.claim.claimed_at,
            verified_at: claim.domain.verified_at,
            checked_at: claim.claim.checked_at,
            next_check_at: claim.claim.next_at,
            problem: claim.claim.problem,
            disputed_by: others.iter().map(|id| id.as_str().to_owned()).collect(),
            lapsed_connections: claim.lapsed.iter().map(|id| id.as_str().to_owned()).collect(),
            settings: DomainSettings::read(&claim.domain.settings),
            name: claim.domain.name,
        }
    }
}

async fn list(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path(organization): Path<String>,
) -> Result<Response> {
    let found = domains::list(&app, &caller, &organization).await?;
    let items = found.into_iter().map(DomainView::from).collect();
    Ok(Json(Page { items, next: None }).into_response())
}

async fn claim(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path(organization): Path<String>,
    Sent(request): Sent<ClaimRequest>,
) -> Result<Response> {
    let seen = domains::claim(&app, &caller, &organization, &request.name).await?;
    Ok((StatusCode::CREATED, Json(DomainView::from(seen))).into_response())
}

/// Organization and domain of a path.
type Named = Path<(String, String)>;

async fn one(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path((organization, name)): Named,
) -> Result<Json<DomainView>> {
    Ok(Json(
        domains::one(&app, &caller, &organization, &name).await?.into(),
    ))
}

async fn give_up(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path((organization, name)): Named,
) -> Result<StatusCode> {
    domains::give_up(&app, &caller, &organization, &name).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn check(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path((organization, name)): Named,
) -> Result<Json<DomainView>> {
    Ok(Json(
        domains::check(&app, &caller, &organization, &name).await?.into(),
    ))
}

async fn verify(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path((organization, name)): Named,
) -> Result<Json<DomainView>> {
    Ok(Json(
        domains::vouch(&app, &caller, &organization, &name).await?.into(),
    ))
}

async fn award(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path((organization, name)): Named,
) -> Result<Json<DomainView>> {
    Ok(Json(
        domains::award(&app, &caller, &organization, &name).await?.into(),
    ))
}

async fn settle(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path((organization, name)): Named,
    Sent(settings): Sent<DomainSettings>,
) -> Result<Json<DomainView>> {
    let seen = domains::settle(&app, &caller, &organization, &name, settings).await?;
    Ok(Json(seen.into()))
}

async fn outside(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path((organization, name)): Named,
    Asked(page): Asked<PageQuery>,
) -> Result<Json<Page<OutsideAccountView>>, AppError> {
    let limit = page.limit()?;
    let found = domains::outside_accounts(&app, &caller, &organization, &name, page.after()?, limit).await?;
    let items = found
        .into_iter()
        .map(|facts| OutsideAccountView {
            id: facts.account.id.as_str().to_owned(),
            email: facts.account.email.as_ref().map(ToString::to_string),
            status: super::answer::word(&facts.account.status),
            sso: facts.account.authentication != provost_kernel::directory::Authentication::Standard,
            created_at: facts.account.created_at,
        })
        .collect();
    Ok(Json(Page::new(items, limit, |item: &OutsideAccountView| {
        item.id.clone()
    })))
}
