//! Users: every effect on a person is a decision of the kernel, with the file as actor.

use provost_kernel::directory::{Account, Authentication, Role, Status};
use provost_kernel::email::Email;
use provost_kernel::explain;
use provost_kernel::facts::Facts;
use provost_kernel::id::{AccountId, ConnectionId, LicenseId, OrganizationId, RoleId, WorkspaceId};
use provost_kernel::mapping::InForce;
use provost_kernel::plan::{Change, Decision, ProfilePatch, Verdict};
use provost_kernel::provision::{
    self, Action, Actor, DesiredMembership, NewAccount, Request, WorkspacesWanted,
};

use super::super::check::user_path;
use super::super::document::{MembershipEntry, UserEntry, WorkspacesEntry};
use super::super::report::ApplyError;
use super::Run;
use crate::config::keys::nearest;

impl Run<'_> {
    /// Writes one user.
    pub(super) async fn user(&mut self, position: usize, entry: &UserEntry) -> Result<(), ApplyError> {
        let path = user_path(entry);
        let Ok(email) = Email::parse(&entry.email) else {
            return Ok(());
        };
        let authentication = match &entry.connection {
            None => Authentication::Standard,
            Some(id) => Authentication::Sso {
                connection: ConnectionId::new(id),
            },
        };
        let Some(memberships) = self.desired(&path, &entry.memberships).await? else {
            return Ok(());
        };
        let Some(in_force) = self.in_force(&path, &authentication).await? else {
            return Ok(());
        };
        let found = self.tx.accounts_by_email(&email).await?;
        let existing = found
            .into_iter()
            .find(|account| account.authentication == authentication && account.status != Status::Deleted);
        let mut lines = Vec::new();
        let is_new = existing.is_none();
        let account = match existing {
            None => {
                let account = new_account(entry, email, authentication, memberships);
                let Some(created) = self
                    .decide(
                        &path,
                        Action::CreateAccount(Box::new(account)),
                        in_force.as_ref(),
                        &mut lines,
                    )
                    .await?
                else {
                    return Ok(());
                };
                created
            }
            Some(account) => {
                let id = account.id.clone();
                if let Some(set) = patch(entry, &account) {
                    let action = Action::UpdateProfile {
                        account: id.clone(),
                        set: Box::new(set),
                    };
                    self.decide(&path, action, in_force.as_ref(), &mut lines).await?;
                }
                let action = Action::SetMemberships {
                    account: id.clone(),
                    memberships,
                };
                self.decide(&path, action, in_force.as_ref(), &mut lines).await?;
                id
            }
        };
        self.password(position, entry, &account, &mut lines).await?;
        let what = entry.connection.as_ref().map_or_else(
            || format!("user {}", entry.email),
            |connection| format!("user {} at {connection}", entry.email),
        );
        if is_new {
            self.report.created(what, lines);
        } else {
            self.report.changed(what, lines);
        }
        Ok(())
    }

    /// Asks the kernel, writes its plan and returns the account; a refusal becomes a problem.
    pub(super) async fn decide(
        &mut self,
        path: &str,
        action: Action,
        in_force: Option<&InForce>,
        lines: &mut Vec<String>,
    ) -> Result<Option<AccountId>, ApplyError> {
        let request = Request {
            actor: Actor::File,
            action,
        };
        let facts: Facts = self.tx.facts(&provision::need(&request)).await?;
        let fresh = self.fresh()?;
        let decision = provision::decide(&request, &facts, in_force, &fresh, self.prepared.now);
        match &decision.verdict {
            Verdict::Refused(denial) => {
                let why = explain::sentence(&decision.trace);
                let why = if why.is_empty() {
                    denial.code().to_owned()
                } else {
                    why
                };
                self.add(path, format!("{why} ({})", denial.code()));
                Ok(None)
            }
            Verdict::Accepted => Ok(None),
            Verdict::Admitted(account) => {
                lines.extend(described(&decision));
                let account = account.clone();
                self.tx.apply(&decision, &Actor::File, self.prepared.now).await?;
                Ok(Some(account))
            }
        }
    }

    /// Sets the password where it is wanted: a hash always, a plain one only while there is none.
    async fn password(
        &mut self,
        position: usize,
        entry: &UserEntry,
        account: &AccountId,
        lines: &mut Vec<String>,
    ) -> Result<(), ApplyError> {
        let stored = self.tx.password_hash(account).await?;
        let wanted = match (&entry.password_hash, self.prepared.password_hashes.get(position)) {
            (Some(hash), _) if stored.as_deref() != Some(hash.expose()) => hash.expose().to_owned(),
            (None, Some(Some(hash))) if stored.is_none() => hash.clone(),
            _ => return Ok(()),
        };
        self.tx
            .set_password_hash(account, &wanted, self.prepared.now)
            .await?;
        lines.push(
            if stored.is_some() {
                "password: (secret) → (another secret)"
            } else {
                "password: (set)"
            }
            .to_owned(),
        );
        Ok(())
    }

    /// Compiles the connection that the account is bound to, if it is bound to one; none where that is impossible.
    async fn in_force(
        &mut self,
        path: &str,
        authentication: &Authentication,
    ) -> Result<Option<Option<InForce>>, ApplyError> {
        let Authentication::Sso { connection } = authentication else {
            return Ok(Some(None));
        };
        let Some(record) = self.tx.connection(connection).await? else {
            self.add(
                path,
                format!("names connection {connection}, which does not exist"),
            );
            return Ok(None);
        };
        if let Ok(in_force) = InForce::compile(record.connection) {
            return Ok(Some(Some(in_force)));
        }
        self.add(
            path,
            format!("the policies of connection {connection} do not compile"),
        );
        Ok(None)
    }

    /// Turns membership entries into wishes; names of roles become identifiers.
    async fn desired(
        &mut self,
        path: &str,
        entries: &[MembershipEntry],
    ) -> Result<Option<Vec<DesiredMembership>>, ApplyError> {
        let before = self.problems.len();
        let mut desired = Vec::new();
        for entry in entries {
            let organization = OrganizationId::new(&entry.organization);
            let place = format!("{path}.memberships[{organization}]");
            if self.tx.organization(&organization).await?.is_none() {
                self.add(place, "is in an organization that does not exist");
                continue;
            }
            let known = self.tx.roles(&organization).await?;
            let mut roles = Vec::new();
            for name in &entry.roles {
                match role(&known, name) {
                    Ok(id) => roles.push(id),
                    Err(hint) => self.add(
                        format!("{place}.roles"),
                        format!("there is no role `{name}`{hint}"),
                    ),
                }
            }
            let workspaces = match &entry.workspaces {
                None => WorkspacesWanted::Default,
                Some(WorkspacesEntry::Word(_)) => WorkspacesWanted::All,
                Some(WorkspacesEntry::Ids(ids)) => {
                    WorkspacesWanted::Ids(ids.iter().map(WorkspaceId::new).collect())
                }
            };
            let license = entry.license.as_ref().map(LicenseId::new);
            desired.push(DesiredMembership {
                organization,
                roles,
                workspaces,
                license,
            });
        }
        Ok((self.problems.len() == before).then_some(desired))
    }
}

/// Finds a role by identifier, else by exact name.
fn role(known: &[Role], name: &str) -> Result<RoleId, String> {
    known
        .iter()
        .find(|role| role.id.as_str() == name)
        .or_else(|| known.iter().find(|role| role.name == name))
        .map(|role| role.id.clone())
        .ok_or_else(|| {
            nearest(
                name,
                known
                    .iter()
                    .flat_map(|role| [role.id.as_str(), role.name.as_str()]),
            )
            .map(|near| format!("; did you mean `{near}`?"))
            .unwrap_or_default()
        })
}

fn new_account(
    entry: &UserEntry,
    email: Email,
    authentication: Authentication,
    memberships: Vec<DesiredMembership>,
) -> NewAccount {
    NewAccount {
        kind: entry.kind,
        // A standard account with a password is ready; an SSO account becomes active at its first sign-in.
        active: authentication == Authentication::Standard,
        authentication,
        email: Some(email),
        user_name: entry.user_name.clone(),
        external_id: entry.external_id.clone(),
        given_name: entry.given_name.clone(),
        family_name: entry.family_name.clone(),
        display_name: entry.display_name.clone(),
        emergency_admin: entry.emergency_admin,
        attributes: serde_json::Map::new(),
        memberships,
    }
}

/// Returns the fields that the file gives and that differ; absent fields stay as they are.
fn patch(entry: &UserEntry, account: &Account) -> Option<ProfilePatch> {
    let differs = |wanted: &Option<String>, stored: &Option<String>| {
        wanted
            .as_ref()
            .filter(|wanted| stored.as_ref() != Some(wanted))
            .map(|wanted| Some(wanted.clone()))
    };
    let patch = ProfilePatch {
        kind: Some(entry.kind).filter(|kind| *kind != account.kind),
        user_name: differs(&entry.user_name, &account.user_name),
        external_id: differs(&entry.external_id, &account.external_id),
        given_name: differs(&entry.given_name, &account.given_name),
        family_name: differs(&entry.family_name, &account.family_name),
        display_name: differs(&entry.display_name, &account.display_name),
        emergency_admin: Some(entry.emergency_admin).filter(|mark| *mark != account.emergency_admin),
        ..ProfilePatch::default()
    };
    (patch != ProfilePatch::default()).then_some(patch)
}

/// Describes the changes of a plan in a line each.
fn described(decision: &Decision) -> Vec<String> {
    decision.plan.changes.iter().filter_map(line).collect()
}

fn line(change: &Change) -> Option<String> {
    Some(match change {
        Change::CreateAccount { account, .. } => {
            let name = account.display_name.clone().unwrap_or_else(|| {
                [account.given_name.as_deref(), account.family_name.as_deref()]
                    .into_iter()
                    .flatten()
                    .collect::<Vec<_>>()
                    .join(" ")
            });
            format!(
                "account {} ({})",
                account.id,
                if name.is_empty() { "no name" } else { &name }
            )
        }
        Change::UpdateProfile { set, before, .. } => {
            let json = |patch: &ProfilePatch| serde_json::to_value(patch).unwrap_or_default();
            super::super::diff::fields(&json(before), &json(set)).join(", ")
        }
        Change::SetStatus { from, to, .. } => format!("status: {from:?} → {to:?}"),
        Change::AddMembership { membership, .. } => {
            let roles: Vec<&str> = membership.roles.iter().map(|grant| grant.id.as_str()).collect();
            format!("member of {} ({})", membership.organization, roles.join(", "))
        }
        Change::UpdateMembership {
            organization, edits, ..
        } => {
            format!(
                "membership in {organization}: {} edit{}",
                edits.len(),
                if edits.len() == 1 { "" } else { "s" }
            )
        }
        Change::RemoveMembership { organization, .. } => format!("no longer a member of {organization}"),
        Change::RevokeSessions { reason, .. } => format!("sessions end ({reason})"),
        Change::Alert { text, .. } => text.clone(),
        // The file makes no groups; identities are not shown.
        Change::SetAuthentication { .. }
        | Change::Link { .. }
        | Change::Unlink { .. }
        | Change::CreateGroup { .. }
        | Change::UpdateGroup { .. }
        | Change::DeleteGroup { .. }
        | Change::AddGroupMembers { .. }
        | Change::RemoveGroupMembers { .. }
        | Change::QueueReevaluation { .. } => return None,
    })
}
