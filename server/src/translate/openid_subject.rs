//! Directory values → what an app is told about a person.
//!
//! Owns the meaning of each claim in terms of the directory. Never decides what an app may see: that is
//! `flow::openid::admission`, whose result comes in.

use jiff::Timestamp;
use provost_kernel::connection::Connection;
use provost_kernel::directory::{Account, AccountKind, Membership};
use provost_oidc::op::Subject;
use provost_oidc::op::claims::OrganizationClaim;
use provost_store::OrganizationView;

use crate::flow::openid::admission::Admission;

/// What a session contributes to the claims.
#[derive(Clone, Debug)]
pub struct SessionPart<'a> {
    /// The session's id (`sid`).
    pub id: &'a str,
    /// When the person authenticated.
    pub authenticated_at: Timestamp,
    /// Methods.
    pub methods: &'a [String],
    /// Class.
    pub class: Option<&'a str>,
    /// When the session ends at the latest.
    pub ends_at: Timestamp,
}

/// Builds what an app is told.
pub fn subject(
    account: &Account,
    admission: &Admission<'_>,
    directory: &[OrganizationView],
    connection: Option<&Connection>,
    session: &SessionPart<'_>,
) -> Subject {
    // Vouched for only where the customer proved the domain and its identity provider is the person's; an address
    // that an admin typed in proves nothing about who reads its mail.
    let email_verified = match (&account.email, connection) {
        (Some(email), Some(connection)) => connection.serves(email),
        _ => false,
    };
    Subject {
        sub: account.id.as_str().to_owned(),
        email: account.email.as_ref().map(|email| email.as_str().to_owned()),
        email_verified,
        name: name_of(account),
        given_name: account.given_name.clone(),
        family_name: account.family_name.clone(),
        organization: admission.organization.as_ref().map(|id| id.as_str().to_owned()),
        organizations: admission
            .memberships
            .iter()
            .map(|membership| claim(membership, directory))
            .collect(),
        account_kind: match account.kind {
            AccountKind::User => "user",
            AccountKind::Reader => "reader",
        }
        .to_owned(),
        connection: connection.map(|connection| connection.id.as_str().to_owned()),
        amr: session.methods.to_vec(),
        acr: session.class.map(str::to_owned),
        auth_time: session.authenticated_at,
        sid: Some(session.id.to_owned()),
        session_expiry: Some(session.ends_at),
    }
}

fn name_of(account: &Account) -> Option<String> {
    let joined = || {
        let parts: Vec<&str> = [&account.given_name, &account.family_name]
            .into_iter()
            .flatten()
            .map(String::as_str)
            .collect();
        (!parts.is_empty()).then(|| parts.join(" "))
    };
    account.display_name.clone().or_else(joined)
}

fn claim(membership: &Membership, directory: &[OrganizationView]) -> OrganizationClaim {
    let seen = directory.iter().find(|one| one.id == membership.organization);
    let mut workspaces: Vec<String> = membership
        .workspaces
        .iter()
        .map(|grant| grant.id.as_str().to_owned())
        .collect();
    if membership.all_workspaces.is_some() {
        // The ids of today: apps check against ids, and "all" would be one more case for each of them to forget.
        let all = seen.into_iter().flat_map(|one| &one.workspaces);
        workspaces = all.map(|workspace| workspace.as_str().to_owned()).collect();
    }
    OrganizationClaim {
        id: membership.organization.as_str().to_owned(),
        name: seen.map(|one| one.name.clone()),
        roles: membership
            .roles
            .iter()
            .map(|grant| grant.id.as_str().to_owned())
            .collect(),
        workspaces,
        // Waiting for a seat is not having one (C-23).
        license: membership
            .license
            .as_ref()
            .filter(|grant| grant.seated)
            .map(|grant| grant.license.as_str().to_owned()),
    }
}

#[cfg(test)]
mod tests;
