//! What an app gets to see of a person at this moment.
//!
//! Owns reading it afresh: session, account, memberships, connection. The same for a code, a refresh, userinfo and
//! introspection, so that whatever ends access ends it everywhere at once. Never keeps anything.

use jiff::Timestamp;
use provost_kernel::directory::{Account, Status};
use provost_kernel::id::{AccountId, OrganizationId, SessionId};
use provost_oidc::op::Subject;
use provost_store::{Reader, SessionRecord, Sight, StoreError, View};

use crate::flow::openid::admission::{Allowed, Proof, Refusal, admit};
use crate::translate::openid_subject::{SessionPart, subject};

/// What is asked.
#[derive(Clone, Debug)]
pub struct Ask {
    /// The session that the person opened for the app.
    pub session: SessionId,
    /// Whose session it is.
    pub account: AccountId,
    /// Organizations that the app serves.
    pub allowed: Allowed,
    /// The organization that was asked for when the app signed in.
    pub organization: Option<OrganizationId>,
    /// Whether access outlives the time limits of the session (scope `offline_access`). It never outlives the
    /// session's revocation: sign-out and deactivation end it.
    pub offline: bool,
}

/// Why there is nothing to see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unseen {
    /// The session ended, or the account may not sign in any more.
    Over,
    /// The memberships do not suffice.
    Refused(Refusal),
}

/// Reads what the app sees now.
///
/// # Errors
/// Those of the store.
pub async fn load(
    reader: &mut Reader,
    ask: &Ask,
    now: Timestamp,
) -> Result<Result<Subject, Unseen>, StoreError> {
    let sight = reader.sight(&ask.session, &ask.account).await?;
    Ok(judge(sight.as_ref(), ask, now))
}

/// Says what the app sees of what was just read.
///
/// # Errors
/// [`Unseen`].
pub fn judge(sight: Option<&Sight>, ask: &Ask, now: Timestamp) -> Result<Subject, Unseen> {
    let Some(sight) = sight.filter(|sight| is_good(&sight.session, ask.offline, now)) else {
        return Err(Unseen::Over);
    };
    let person = (&sight.session, &sight.account, &sight.view);
    see(person, &ask.allowed, ask.organization.as_ref())
}

fn is_good(session: &SessionRecord, offline: bool, now: Timestamp) -> bool {
    if offline {
        session.revoked_at.is_none() && session.account_status == Status::Active
    } else {
        session.is_live(now)
    }
}

/// Says what the app sees of the person of a live session.
///
/// # Errors
/// [`Unseen::Refused`].
pub fn see(
    (session, account, view): (&SessionRecord, &Account, &View),
    allowed: &Allowed,
    organization: Option<&OrganizationId>,
) -> Result<Subject, Unseen> {
    let connection = view.connection.as_ref();
    let proof = match (&session.connection, connection) {
        (None, _) => Proof::Password,
        (Some(_), Some(connection)) if connection.enabled => Proof::Connection(connection),
        (Some(_), Some(_) | None) => Proof::Gone,
    };
    let admission = admit(&view.memberships, proof, allowed, organization).map_err(Unseen::Refused)?;
    let part = SessionPart {
        id: session.id.as_str(),
        authenticated_at: session.authenticated_at,
        methods: &session.methods,
        class: session.class.as_deref(),
        ends_at: session.ends_at,
    };
    Ok(subject(
        account,
        &admission,
        &view.organizations,
        connection,
        &part,
    ))
}
