//! Checks of the document alone: identifiers, repetitions, values that cannot be right in any directory.

mod scim;

use std::collections::BTreeSet;

use provost_kernel::connection::Protocol;
use provost_kernel::domain;
use provost_kernel::email::Email;

use super::document::{ConnectionEntry, Document, GroupEntry, OrganizationEntry, ScopeWord, UserEntry};
use super::report::{Problem, Report};

/// What stands at `/console/…` and `/login/…` in the place of an organization's id: one with such an id would have no console
/// and no sign-in page.
const RESERVED: &[&str] = &[
    "operator",
    "components",
    "look",
    "password",
    "forgot",
    "second",
    "setup",
];

/// Lists everything that is wrong with the document by itself.
pub(super) fn document(document: &Document, report: &mut Report) -> Vec<Problem> {
    let mut found = Found {
        problems: Vec::new(),
        report,
    };
    found.unique(
        "organizations",
        document.organizations.iter().map(|entry| entry.id.as_str()),
    );
    found.unique(
        "connections",
        document.connections.iter().map(|entry| entry.id.as_str()),
    );
    found.unique(
        "applications",
        document.applications.iter().map(|entry| entry.client_id.as_str()),
    );
    for organization in &document.organizations {
        found.organization(organization);
    }
    for connection in &document.connections {
        found.connection(connection);
    }
    for application in &document.applications {
        let path = format!("applications[{}]", application.client_id);
        if application.client_id.is_empty() || application.client_id.len() > 200 {
            found.add(&path, "client_id must have 1 to 200 characters");
        }
        if application
            .client_secret
            .as_ref()
            .is_some_and(|secret| secret.expose().len() < 16)
        {
            found.report.warn(
                format!("{path}.client_secret"),
                "is short: use at least 22 random characters, such as from `openssl rand -base64 32`",
            );
        }
        if let Err(error) = application.config().client(&application.client_id, true) {
            // Whether there is a secret is known only beside what is stored; that part is judged there.
            if !matches!(
                error,
                crate::application_config::ApplicationError::SecretOfPublicApp
            ) {
                found.add(&path, &error.to_string());
            }
        }
    }
    let keys: Vec<String> = document.users.iter().map(key_of_user).collect();
    found.unique("users", keys.iter().map(String::as_str));
    for user in &document.users {
        found.user(user);
    }
    found.problems
}

fn key_of_user(user: &UserEntry) -> String {
    key(&user.email, user.connection.as_deref())
}

/// What tells people apart: their e-mail and their connection.
fn key(email: &str, connection: Option<&str>) -> String {
    let email = email.to_ascii_lowercase();
    connection.map_or_else(|| email.clone(), |connection| format!("{email} at {connection}"))
}

/// The path of a user in messages.
pub(super) fn user_path(user: &UserEntry) -> String {
    format!("users[{}]", user.email)
}

struct Found<'r> {
    problems: Vec<Problem>,
    report: &'r mut Report,
}

impl Found<'_> {
    fn add(&mut self, path: &str, message: &str) {
        self.problems.push(Problem::new(path, message));
    }

    fn unique<'a>(&mut self, path: &str, names: impl Iterator<Item = &'a str>) {
        let mut seen = BTreeSet::new();
        for name in names {
            if !seen.insert(name) {
                self.add(&format!("{path}[{name}]"), "appears twice");
            }
        }
    }

    fn organization(&mut self, organization: &OrganizationEntry) {
        let path = format!("organizations[{}]", organization.id);
        self.identifier(&format!("{path}.id"), &organization.id, "._-");
        if RESERVED.contains(&organization.id.as_str()) {
            self.add(
                &format!("{path}.id"),
                "is a name of pages of the product itself; choose another",
            );
        }
        if let Some(branding) = &organization.mail {
            for (field, problem) in branding.problems() {
                self.add(&format!("{path}.mail.{field}"), problem);
            }
        }
        for group in organization.groups.iter().flatten() {
            self.group(&format!("{path}.groups[{}]", group.name), group);
        }
        let names: Vec<String> = organization
            .groups
            .iter()
            .flatten()
            .map(|group| group.name.trim().to_lowercase())
            .collect();
        self.unique(&format!("{path}.groups"), names.iter().map(String::as_str));
        for domain in &organization.domains {
            self.domain(&format!("{path}.domains[{}]", domain.name), &domain.name);
        }
        let parts = [
            (
                "domains",
                organization
                    .domains
                    .iter()
                    .map(|entry| domain::normalize(&entry.name).unwrap_or_else(|_| entry.name.clone()))
                    .collect::<Vec<_>>(),
            ),
            (
                "roles",
                organization.roles.iter().map(|entry| entry.id.clone()).collect(),
            ),
            (
                "workspaces",
                organization
                    .workspaces
                    .iter()
                    .map(|entry| entry.id.clone())
                    .collect(),
            ),
            (
                "licenses",
                organization
                    .licenses
                    .iter()
                    .map(|entry| entry.id.clone())
                    .collect(),
            ),
        ];
        for (part, names) in &parts {
            self.unique(&format!("{path}.{part}"), names.iter().map(String::as_str));
        }
        for (part, names) in parts.iter().skip(1) {
            for name in names {
                if name.is_empty() || name.len() > 128 || name.chars().any(char::is_control) {
                    self.add(
                        &format!("{path}.{part}[{name}]"),
                        "id must have 1 to 128 characters, none of them a control character",
                    );
                }
            }
        }
        let names: Vec<&str> = organization
            .roles
            .iter()
            .map(|role| role.name.as_deref().unwrap_or(&role.id))
            .collect();
        self.unique(&format!("{path}.roles.name"), names.into_iter());
    }

    /// What a name or a description may be is judged where all groups are written.
    fn group(&mut self, path: &str, group: &GroupEntry) {
        let members = group.members.as_deref().unwrap_or_default();
        for member in members {
            if let Err(error) = Email::parse(&member.email) {
                self.add(&format!("{path}.members[{}]", member.email), &error.to_string());
            }
        }
        let keys: Vec<String> = members
            .iter()
            .map(|member| key(&member.email, member.connection.as_deref()))
            .collect();
        self.unique(&format!("{path}.members"), keys.iter().map(String::as_str));
    }

    fn connection(&mut self, connection: &ConnectionEntry) {
        let path = format!("connections[{}]", connection.id);
        // No underscore: it would stand in SCIM base URLs, which some directories refuse then.
        self.identifier(&format!("{path}.id"), &connection.id, ".-");
        match (connection.scope, &connection.organization) {
            (Some(ScopeWord::Instance), Some(_)) => {
                self.add(&path, "has scope: instance and an organization; one of the two");
            }
            (Some(ScopeWord::Organization) | None, None) => {
                self.add(&path, "needs an organization, or scope: instance");
            }
            (Some(ScopeWord::Instance), None) if !connection.shared_with.is_empty() => {
                self.add(&path, "has scope: instance, so shared_with has no use");
            }
            (Some(ScopeWord::Instance), None) | (Some(ScopeWord::Organization) | None, Some(_)) => {}
        }
        match connection.protocol {
            Protocol::Saml if connection.saml.is_none() => {
                self.add(&path, "protocol is saml, so `saml:` is needed");
            }
            Protocol::Oidc if connection.oidc.is_none() => {
                self.add(&path, "protocol is oidc, so `oidc:` is needed");
            }
            Protocol::Saml if connection.oidc.is_some() => {
                self.add(&path, "protocol is saml, so `oidc:` has no use");
            }
            Protocol::Oidc if connection.saml.is_some() => {
                self.add(&path, "protocol is oidc, so `saml:` has no use");
            }
            Protocol::Saml | Protocol::Oidc => {}
        }
        for domain in &connection.domains {
            self.domain(&format!("{path}.domains[{domain}]"), domain);
        }
        if connection.match_chain.is_empty() {
            self.add(
                &format!("{path}.match"),
                "is empty: nobody could ever be recognized",
            );
        }
        if let Some(scim) = &connection.scim {
            self.scim(&format!("{path}.scim"), scim);
        }
        self.attributes(&path, &connection.attributes, connection.scim.as_ref());
    }

    fn user(&mut self, user: &UserEntry) {
        let path = user_path(user);
        if let Err(error) = Email::parse(&user.email) {
            self.add(&format!("{path}.email"), &error.to_string());
        }
        if user.connection.is_some() && (user.password.is_some() || user.password_hash.is_some()) {
            self.add(
                &path,
                "signs in through a connection, so it cannot have a password",
            );
        }
        if user.password.is_some() && user.password_hash.is_some() {
            self.add(&path, "has password and password_hash; one of the two");
        }
        if user.password.is_some() {
            self.report.warn(
                format!("{path}.password"),
                "a password in a file is for development only",
            );
        }
        if user
            .password_hash
            .as_ref()
            .is_some_and(|hash| !hash.expose().starts_with("$argon2id$"))
        {
            self.add(
                &format!("{path}.password_hash"),
                "must be an argon2id hash in PHC form ($argon2id$…)",
            );
        }
        self.unique(
            &format!("{path}.memberships"),
            user.memberships.iter().map(|entry| entry.organization.as_str()),
        );
    }

    fn identifier(&mut self, path: &str, id: &str, extra: &str) {
        let is_letter = |letter: char| letter.is_ascii_alphanumeric();
        let fits = !id.is_empty()
            && id.len() <= 64
            && id.starts_with(is_letter)
            && id
                .chars()
                .all(|letter| is_letter(letter) || extra.contains(letter));
        if !fits {
            self.add(path, &format!("must be 1 to 64 ASCII letters, digits or one of {extra}, beginning with a letter or digit"));
        }
    }

    fn domain(&mut self, path: &str, domain: &str) {
        if let Err(error) = domain::claimable(domain) {
            self.add(path, &error.to_string());
        }
    }
}
