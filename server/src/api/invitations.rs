//! Invitations: inviting one or many, looking, sending again, taking back.

use crate::route::{get, post};
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Json};
use jiff::Timestamp;
use provost_kernel::directory::{AccountKind, Authentication};
use provost_kernel::email::Email;
use provost_kernel::id::{AccountId, ConnectionId, LicenseId, OrganizationId, RoleId, WorkspaceId};
use provost_kernel::provision::{DesiredMembership, NewAccount, WorkspacesWanted};
use provost_store::{Invitation, InvitationFilter};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::answer::word;
use super::endpoint::{Answer, Endpoint, JSON, Verb, query_of, schema_of};
use super::page::{Asked, Page, PageQuery, Sent};
use crate::app::App;
use crate::error::{AppError, Result};
use crate::flow::api_keys::{Caller, Scope};
use crate::flow::invitations::{self, Letter};

/// People invited with one request at most.
const MOST: usize = 100;

/// The endpoints of this area.
pub(super) const ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        verb: Verb::Post,
        path: "/api/v1/organizations/{organization}/invitations",
        name: "invite",
        area: "Invitations",
        summary: "Invite one person or up to 100, with a password or through a connection",
        description: "Makes an account for each, which waits until its person comes, and sends a mail unless `send` is false. \
                      The answer has one row for each person, in order; a refused one does not stop the others.",
        scope: Scope::InvitationsWrite,
        query: None,
        body: Some(schema_of::<InviteBody>),
        answers: &[Answer {
            status: 200,
            what: "What became of each person.",
            content: &[(JSON, Some(schema_of::<InviteAnswer>))],
        }],
        problems: &[(409, "mail_off")],
        handler: || post(invite),
    },
    Endpoint {
        verb: Verb::Get,
        path: "/api/v1/organizations/{organization}/invitations",
        name: "listInvitations",
        area: "Invitations",
        summary: "List an organization's invitations, newest first",
        description: "",
        scope: Scope::AccountsRead,
        query: Some(query_of::<InvitationQuery>),
        body: None,
        answers: &[Answer {
            status: 200,
            what: "A page of invitations.",
            content: &[(JSON, Some(schema_of::<Page<InvitationView>>))],
        }],
        problems: &[],
        handler: || get(list),
    },
    Endpoint {
        verb: Verb::Post,
        path: "/api/v1/organizations/{organization}/invitations/resend",
        name: "resendInvitations",
        area: "Invitations",
        summary: "Send every pending invitation of an organization again",
        description: "Each gets a new link and a new end; the links before are worth nothing from then on.",
        scope: Scope::InvitationsWrite,
        query: None,
        body: None,
        answers: &[Answer {
            status: 200,
            what: "How many.",
            content: &[(JSON, Some(schema_of::<ResentView>))],
        }],
        problems: &[(409, "mail_off")],
        handler: || post(resend_all),
    },
    Endpoint {
        verb: Verb::Post,
        path: "/api/v1/organizations/{organization}/invitations/activate",
        name: "activateInvited",
        area: "Invitations",
        summary: "Let everybody in who was invited and has not come yet",
        description: "Nothing is left to be accepted: who signs in through a provider just does, who has an account with a \
                      password asks for one on the sign-in page.",
        scope: Scope::AccountsWrite,
        query: None,
        body: None,
        answers: &[Answer {
            status: 200,
            what: "How many.",
            content: &[(JSON, Some(schema_of::<ActivatedView>))],
        }],
        problems: &[],
        handler: || post(activate_all),
    },
    Endpoint {
        verb: Verb::Get,
        path: "/api/v1/invitations/{invitation}",
        name: "getInvitation",
        area: "Invitations",
        summary: "Get an invitation",
        description: "",
        scope: Scope::AccountsRead,
        query: None,
        body: None,
        answers: &[Answer {
            status: 200,
            what: "The invitation.",
            content: &[(JSON, Some(schema_of::<InvitationView>))],
        }],
        problems: &[],
        handler: || get(one),
    },
    Endpoint {
        verb: Verb::Post,
        path: "/api/v1/invitations/{invitation}/resend",
        name: "resendInvitation",
        area: "Invitations",
        summary: "Send an invitation again, with a new link",
        description: "Also sends one that was skipped. The link before is worth nothing from then on.",
        scope: Scope::InvitationsWrite,
        query: None,
        body: None,
        answers: &[Answer {
            status: 200,
            what: "The invitation.",
            content: &[(JSON, Some(schema_of::<InvitationView>))],
        }],
        problems: &[
            (403, "not_permitted"),
            (409, "illegal_transition"),
            (409, "mail_off"),
        ],
        handler: || post(resend),
    },
    Endpoint {
        verb: Verb::Post,
        path: "/api/v1/invitations/{invitation}/revoke",
        name: "revokeInvitation",
        area: "Invitations",
        summary: "Take an invitation back, and the waiting account with it",
        description: "",
        scope: Scope::InvitationsWrite,
        query: None,
        body: None,
        answers: &[Answer {
            status: 200,
            what: "The invitation.",
            content: &[(JSON, Some(schema_of::<InvitationView>))],
        }],
        problems: &[
            (403, "not_permitted"),
            (409, "illegal_transition"),
            (412, "stale_version"),
        ],
        handler: || post(revoke),
    },
];

/// Whom to invite.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct InviteBody {
    /// The people, 1 to 100.
    #[schemars(length(min = 1, max = 100))]
    people: Vec<InviteePart>,
    /// Whether each gets a mail. False skips it. Absent: as the connection's `invite_on` says, which is true by default.
    send: Option<bool>,
}

/// One person to invite.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct InviteePart {
    /// Address.
    email: String,
    /// `user` or `reader`; `user` if absent.
    #[serde(default)]
    kind: AccountKind,
    /// The connection that the person signs in through; absent for an account with a password.
    connection: Option<String>,
    /// Given name.
    given_name: Option<String>,
    /// Family name.
    family_name: Option<String>,
    /// Roles by id; none gives the default role.
    #[serde(default)]
    roles: Vec<String>,
    /// Workspaces by id; absent gives the default ones.
    workspaces: Option<Vec<String>>,
    /// License pool.
    license: Option<String>,
}

impl InviteePart {
    fn account(self, organization: &OrganizationId) -> Option<NewAccount> {
        let authentication = match self.connection {
            Some(connection) => Authentication::Sso {
                connection: ConnectionId::new(connection),
            },
            None => Authentication::Standard,
        };
        let workspaces = match self.workspaces {
            Some(ids) => WorkspacesWanted::Ids(ids.into_iter().map(WorkspaceId::new).collect()),
            None => WorkspacesWanted::Default,
        };
        Some(NewAccount {
            kind: self.kind,
            authentication,
            active: false,
            email: Some(Email::parse(self.email.trim()).ok()?),
            user_name: None,
            external_id: None,
            given_name: self.given_name,
            family_name: self.family_name,
            display_name: None,
            emergency_admin: false,
            attributes: serde_json::Map::new(),
            memberships: vec![DesiredMembership {
                organization: organization.clone(),
                roles: self.roles.into_iter().map(RoleId::new).collect(),
                workspaces,
                license: self.license.map(LicenseId::new),
            }],
        })
    }
}

/// What became of each person.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "InviteResult")]
pub(super) struct InviteAnswer {
    /// One row for each person, in order.
    results: Vec<InviteRow>,
}

/// What became of one person.
#[derive(Clone, Debug, Serialize, JsonSchema)]
struct InviteRow {
    /// Address as it was sent.
    email: String,
    /// The invitation, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    invitation: Option<InvitationView>,
    /// Stable code of the refusal, if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<String>,
    /// What happened, as a sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

/// An invitation.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "Invitation")]
pub(super) struct InvitationView {
    /// Identifier.
    id: String,
    /// To which organization.
    organization: String,
    /// Whom.
    email: String,
    /// The account that waits.
    #[serde(skip_serializing_if = "Option::is_none")]
    account: Option<String>,
    /// `sent`, `opened`, `accepted`, `skipped`, `revoked` or `expired`.
    state: String,
    /// When it was made.
    #[schemars(with = "String")]
    created_at: Timestamp,
    /// When its mail was queued last.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    sent_at: Option<Timestamp>,
    /// When its link was opened first. Programs that check links open it too.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    opened_at: Option<Timestamp>,
    /// When it was accepted through its link.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    accepted_at: Option<Timestamp>,
    /// When it stops being accepted.
    #[schemars(with = "String")]
    expires_at: Timestamp,
}

impl InvitationView {
    pub(super) fn of(app: &App, invitation: Invitation) -> Self {
        Self {
            state: word(&invitation.state(app.world.now())),
            id: invitation.id,
            organization: invitation.organization.as_str().to_owned(),
            email: invitation.email.to_string(),
            account: invitation.account.map(|id| id.as_str().to_owned()),
            created_at: invitation.created_at,
            sent_at: invitation.sent_at,
            opened_at: invitation.opened_at,
            accepted_at: invitation.accepted_at,
            expires_at: invitation.expires_at,
        }
    }
}

/// How many invitations were sent again.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "ResentInvitations")]
pub(super) struct ResentView {
    /// Sent.
    sent: u32,
    /// Not sent: the person came meanwhile, or the key may not.
    skipped: u32,
}

/// How many people were let in.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "ActivatedPeople")]
pub(super) struct ActivatedView {
    /// Let in.
    activated: u32,
    /// Not: the person came meanwhile, or the key may not.
    skipped: u32,
}

/// Which invitations are wanted.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct InvitationQuery {
    /// Only those of people who have not come yet.
    #[serde(default)]
    pending: bool,
    /// Of this account.
    account: Option<String>,
    /// Where the page before ended: its `next`. Absent: from the beginning.
    cursor: Option<String>,
    /// Entries of a page, 50 if absent.
    #[schemars(range(min = 1, max = 200))]
    limit: Option<u32>,
}

async fn invite(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path(organization): Path<String>,
    Sent(body): Sent<InviteBody>,
) -> Result<Response> {
    if body.people.is_empty() || body.people.len() > MOST {
        return Err(AppError::bad_request(
            "invalid_body",
            "Invite 1 to 100 people at a time.",
        ));
    }
    let organization = OrganizationId::new(organization);
    if !caller.sees(&organization) {
        return Err(AppError::not_found());
    }
    let mut results = Vec::with_capacity(body.people.len());
    for person in body.people {
        let email = person.email.clone();
        let connection = person.connection.as_deref().map(ConnectionId::new);
        let letter = Letter::invitation(match body.send {
            Some(send) => send,
            None => invitations::invites_by_hand(&app, connection.as_ref()).await?,
        });
        let outcome = match person.account(&organization) {
            Some(new) => match invitations::invite(&app, &caller.actor(), new, letter).await? {
                Ok(invited) => Ok(InvitationView::of(&app, invited.invitation)),
                Err(refusal) => Err(AppError::from(refusal)),
            },
            None => Err(AppError::bad_request(
                "invalid_email",
                "This is not an e-mail address that can be used here.",
            )),
        };
        let (invitation, refused) = match outcome {
            Ok(invitation) => (Some(invitation), None),
            Err(error) => (None, Some(error)),
        };
        results.push(InviteRow {
            email,
            invitation,
            code: refused.as_ref().map(|error| error.code().to_owned()),
            detail: refused.map(|error| error.public().to_owned()),
        });
    }
    Ok(Json(InviteAnswer { results }).into_response())
}

async fn list(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path(organization): Path<String>,
    Asked(query): Asked<InvitationQuery>,
) -> Result<Response> {
    let (after, limit) = PageQuery::new(query.cursor, query.limit).asked()?;
    let filter = InvitationFilter {
        organization: Some(OrganizationId::new(organization)),
        account: query.account.map(AccountId::new),
        is_pending: query.pending,
        ..InvitationFilter::default()
    };
    let found = invitations::list(&app, &caller, filter, after, limit).await?;
    let items = found
        .into_iter()
        .map(|invitation| InvitationView::of(&app, invitation))
        .collect();
    Ok(Json(Page::new(items, limit, |item: &InvitationView| item.id.clone())).into_response())
}

async fn one(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Response> {
    let found = invitations::find(&app, &caller, &id).await?;
    Ok(Json(InvitationView::of(&app, found)).into_response())
}

async fn resend(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Response> {
    let found = invitations::resend(&app, &caller, &id).await?;
    Ok(Json(InvitationView::of(&app, found)).into_response())
}

async fn resend_all(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path(organization): Path<String>,
) -> Result<Response> {
    let resent = invitations::resend_pending(&app, &caller, &OrganizationId::new(organization)).await?;
    let view = ResentView {
        sent: resent.sent,
        skipped: resent.skipped,
    };
    Ok(Json(view).into_response())
}

async fn activate_all(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path(organization): Path<String>,
) -> Result<Response> {
    let done = invitations::activate_pending(&app, &caller, &OrganizationId::new(organization)).await?;
    let view = ActivatedView {
        activated: done.activated,
        skipped: done.skipped,
    };
    Ok(Json(view).into_response())
}

async fn revoke(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Response> {
    let found = invitations::revoke(&app, &caller, &id).await?;
    Ok(Json(InvitationView::of(&app, found)).into_response())
}
