//! View model of "my account": who one is, where one belongs, where one is signed in.

use askama::Template;

/// `/account`.
#[derive(Template)]
#[template(path = "account.html")]
pub struct AccountPage {
    /// Proof that the forms came from this session.
    pub form_token: String,
    /// Name to display.
    pub name: String,
    /// Address, if known.
    pub email: Option<String>,
    /// Label of the connection for an SSO account; none for a password account.
    pub connection: Option<String>,
    /// User or reader, in words.
    pub kind: String,
    /// What just happened.
    pub notice: Option<String>,
    /// Memberships.
    pub organizations: Vec<MembershipRow>,
    /// Live sessions, this one first.
    pub sessions: Vec<SessionRow>,
}

/// One membership.
pub struct MembershipRow {
    /// The organization's name.
    pub name: String,
    /// Whether access is live.
    pub active: bool,
    /// Workspaces in words.
    pub workspaces: String,
    /// License, if one is held.
    pub license: Option<String>,
    /// Names of the roles.
    pub roles: Vec<String>,
}

/// One live session. Times come twice: for machines (RFC 3339) and for people (UTC).
pub struct SessionRow {
    /// Identifier, for the sign-out button.
    pub id: String,
    /// Whether it is the session that looks at the page.
    pub current: bool,
    /// When it began.
    pub since: String,
    /// The same, for people.
    pub since_text: String,
    /// When it was last used.
    pub last_seen: String,
    /// The same, for people.
    pub last_seen_text: String,
    /// When it ends at the latest.
    pub ends: String,
    /// The same, for people.
    pub ends_text: String,
}
