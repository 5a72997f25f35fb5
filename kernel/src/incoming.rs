//! What came in, already proved by a protocol: the only thing that protocols may say to decisions.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::connection::Protocol;
use crate::directory::Subject;
use crate::email::Email;
use crate::id::{AccountId, ConnectionId, SessionId, TraceId};

/// A verified identity that asks to sign in through a connection.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Incoming {
    /// The connection that was asked, never one named by the message.
    pub connection: ConnectionId,
    /// Protocol that proved it.
    pub protocol: Protocol,
    /// Identity at the provider, byte for byte.
    pub subject: Subject,
    /// Claims in our own names.
    pub normalized: Normalized,
    /// The provider's own claims; list claims are always lists. Already without secrets.
    pub claims: Map<String, Value>,
    /// How and when the person authenticated there.
    pub authentication: AuthenticationContext,
    /// One-time proof that must be spent with the session (SAML assertion, logout token).
    pub proof: Option<OneTimeProof>,
    /// Which of several accounts that fit the person said is hers. Counts for no account that would not fit without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chosen: Option<AccountId>,
}

/// Claims in our own names.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Normalized {
    /// Asserted address, if it is one.
    pub email: Option<Email>,
    /// Whether the provider vouches for the address: always for SAML inside its verified domains, for OIDC by
    /// `email_verified` or `xms_edov`. An unverified address never matches and never replaces one.
    pub email_verified: bool,
    /// Given name.
    pub given_name: Option<String>,
    /// Family name (surname).
    pub family_name: Option<String>,
    /// Name to display.
    pub display_name: Option<String>,
    /// User name.
    pub user_name: Option<String>,
    /// Groups, as sent.
    pub groups: Vec<String>,
    /// Whether the provider says that there are more groups than it sends, so that `groups` says nothing (Entra's overage).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub groups_withheld: bool,
    /// `accountid`: a workspace id.
    pub account_id: Option<String>,
    /// `permissionprofileid`: a role id.
    pub permission_profile_id: Option<String>,
}

/// How and when the person authenticated at the provider.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AuthenticationContext {
    /// When, if said.
    pub at: Option<Timestamp>,
    /// Methods (`amr`), if said.
    pub methods: Vec<String>,
    /// Class (`acr` or AuthnContextClassRef), if said.
    pub class: Option<String>,
    /// Session at the provider (`sid` or SessionIndex), for logout.
    pub upstream_session: Option<String>,
    /// End of the session as set by the provider (SessionNotOnOrAfter).
    pub session_ends: Option<Timestamp>,
}

/// A proof that must be used once only; the store keeps it until it would be refused by age anyway.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OneTimeProof {
    /// Who issued it.
    pub issuer: String,
    /// Its identifier there.
    pub id: String,
    /// Until when a replay would otherwise be accepted.
    pub until: Timestamp,
}

/// Identifiers and values made by the server's id source, so that deciding stays pure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fresh {
    /// For an account, should one be created.
    pub account: AccountId,
    /// For a session, should one be opened.
    pub session: SessionId,
    /// Digest of the session's cookie token; the token itself never enters the kernel.
    pub session_digest: String,
    /// For the trace of this attempt.
    pub trace: TraceId,
}
