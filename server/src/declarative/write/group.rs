//! Groups kept by hand. What their members hold because of them is decided by the kernel, in the background where a group leads to
//! something else than before.

use std::collections::BTreeSet;

use provost_kernel::directory::{Account, Authentication, Status};
use provost_kernel::email::Email;
use provost_kernel::facts::OrganizationFacts;
use provost_kernel::id::{AccountId, GroupId, OrganizationId};
use provost_kernel::local_group::LocalGroup;
use provost_kernel::provision::{Action, Actor, GrantEdit, local_groups as kept};
use provost_store::StoreError;
use serde_json::{Value, json};

use super::super::diff;
use super::super::document::{GroupEntry, GroupMemberEntry, OrganizationEntry};
use super::super::export::group_member;
use super::super::report::ApplyError;
use super::Run;
use crate::flow::local_groups::{self, Wanted, Writing};

/// Members of one page of the store.
const PAGE: u32 = 200;

impl Run<'_> {
    /// Writes the groups of an organization, after the people whom they name.
    pub(super) async fn groups(&mut self, entry: &OrganizationEntry) -> Result<(), ApplyError> {
        let Some(groups) = &entry.groups else {
            return Ok(());
        };
        let organization = OrganizationId::new(&entry.id);
        let facts = self.tx.facts(&kept::need(&Actor::File, &organization)).await?;
        let mut known = facts.organizations.into_iter();
        let Some(facts) = known.find(|known| known.organization.id == organization) else {
            return Ok(());
        };
        let mut stored = self.tx.local_groups_of(&organization).await?;
        for group in groups {
            let name = group.name.trim().to_lowercase();
            let place = stored
                .iter()
                .position(|stored| stored.name.to_lowercase() == name);
            let before = place.map(|place| stored.remove(place));
            self.group(&facts, group, before).await?;
        }
        if self.is_exact() {
            for left in stored {
                self.prune_group(&left).await?;
            }
        }
        Ok(())
    }

    fn is_exact(&self) -> bool {
        self.prepared.document.prune || self.prepared.by.exact
    }

    async fn group(
        &mut self,
        facts: &OrganizationFacts,
        entry: &GroupEntry,
        before: Option<LocalGroup>,
    ) -> Result<(), ApplyError> {
        let organization = &facts.organization.id;
        let path = format!("organizations[{organization}].groups[{}]", entry.name);
        let blank = match &before {
            Some(before) => before.clone(),
            None => LocalGroup {
                id: GroupId::new(self.prepared.world.id("grp_")?),
                organization: organization.clone(),
                name: String::new(),
                description: String::new(),
                roles: Vec::new(),
                workspaces: Vec::new(),
                version: 1,
            },
        };
        let wanted = Wanted {
            name: Some(entry.name.clone()),
            description: Some(entry.description.clone()),
            roles: Some(entry.roles.clone()),
            workspaces: Some(entry.workspaces.clone()),
        };
        let after = match local_groups::changed(facts, &blank, &wanted) {
            Ok(after) => after,
            Err(error) => {
                for fault in error.faults() {
                    self.add(format!("{path}.{}", fault.path), fault.message.clone());
                }
                return Ok(());
            }
        };
        let mut lines = match &before {
            Some(before) => diff::fields(&view(before), &view(&after)),
            None => diff::new_fields(&view(&after)),
        };
        if before.as_ref() != Some(&after) && !self.keep(&path, before.clone(), Some(after.clone())).await? {
            return Ok(());
        }
        if let Some(members) = &entry.members {
            self.members(&path, &after, members, &mut lines).await?;
        }
        let what = format!("group {} of {organization}", after.name);
        if before.is_none() {
            self.report.created(what, lines);
        } else {
            self.report.changed(what, lines);
        }
        Ok(())
    }

    /// Judges and writes a group itself. False if that was refused, which is a problem.
    async fn keep(
        &mut self,
        path: &str,
        before: Option<LocalGroup>,
        after: Option<LocalGroup>,
    ) -> Result<bool, ApplyError> {
        let writing = Writing {
            actor: Actor::File,
            before,
            after,
            fresh: self.fresh()?,
            run: self.prepared.world.id("blk_")?,
            job: self.prepared.world.id("job_")?,
            now: self.prepared.now,
        };
        match writing.in_tx(self.tx).await {
            Ok(Ok(_)) => Ok(true),
            Ok(Err((denial, _))) => {
                self.add(path, format!("is refused ({})", denial.code()));
                Ok(false)
            }
            Err(StoreError::Conflict(name)) if name == "local_groups_name" => {
                self.add(path, "has a name that another group of the organization has");
                Ok(false)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Puts in whom the file names and, where lists are exact, takes out whom it could name and does not.
    async fn members(
        &mut self,
        path: &str,
        group: &LocalGroup,
        wanted: &[GroupMemberEntry],
        lines: &mut Vec<String>,
    ) -> Result<(), ApplyError> {
        let held = self.members_of(&group.id).await?;
        let mut named = BTreeSet::new();
        for member in wanted {
            let place = format!("{path}.members[{}]", member.email);
            let Some(account) = self.member(&place, &group.organization, member).await? else {
                continue;
            };
            if !held.iter().any(|known| known.id == account) {
                let edit = GrantEdit::JoinGroup {
                    group: group.id.clone(),
                };
                if self.edit(&place, &group.organization, &account, edit).await? {
                    lines.push(format!("member {} comes in", shown(member)));
                }
            }
            named.insert(account);
        }
        if !self.is_exact() {
            return Ok(());
        }
        for account in held.iter().filter(|account| !named.contains(&account.id)) {
            let Some(member) = group_member(account) else {
                continue;
            };
            let edit = GrantEdit::LeaveGroup {
                group: group.id.clone(),
                keep: false,
            };
            let place = format!("{path}.members[{}]", member.email);
            if self.edit(&place, &group.organization, &account.id, edit).await? {
                lines.push(format!("member {} goes", shown(&member)));
            }
        }
        Ok(())
    }

    async fn edit(
        &mut self,
        path: &str,
        organization: &OrganizationId,
        account: &AccountId,
        edit: GrantEdit,
    ) -> Result<bool, ApplyError> {
        let action = Action::EditMembership {
            account: account.clone(),
            organization: organization.clone(),
            edits: vec![edit],
        };
        // What such an edit does to a membership is said by the group's own lines.
        let done = self.decide(path, action, None, &mut Vec::new()).await?;
        Ok(done.is_some())
    }

    async fn members_of(&mut self, group: &GroupId) -> Result<Vec<Account>, ApplyError> {
        let mut members = Vec::new();
        let mut after: Option<AccountId> = None;
        loop {
            let page = self.tx.local_group_members(group, after.as_ref(), PAGE).await?;
            let Some(last) = page.last() else {
                return Ok(members);
            };
            after = Some(last.clone());
            let people = self.tx.account_facts(&page).await?;
            members.extend(people.into_iter().map(|facts| facts.account));
        }
    }

    /// Finds a member of the organization as the file names people.
    async fn member(
        &mut self,
        path: &str,
        organization: &OrganizationId,
        member: &GroupMemberEntry,
    ) -> Result<Option<AccountId>, ApplyError> {
        let Ok(email) = Email::parse(&member.email) else {
            return Ok(None);
        };
        let accounts = self.tx.accounts_by_email(&email).await?;
        let wanted = member.connection.as_deref();
        let mut fitting = accounts.into_iter().filter(|account| {
            let connection = match &account.authentication {
                Authentication::Standard => None,
                Authentication::Sso { connection } => Some(connection.as_str()),
            };
            account.status != Status::Deleted && connection == wanted
        });
        let Some(account) = fitting.next() else {
            let fault = match wanted {
                None => "there is nobody with this address who signs in with a password".to_owned(),
                Some(connection) => {
                    format!("there is nobody with this address who signs in through {connection}")
                }
            };
            self.add(path, fault);
            return Ok(None);
        };
        let facts = self.tx.account_facts(std::slice::from_ref(&account.id)).await?;
        let mut held = facts.iter().flat_map(|facts| &facts.memberships);
        if !held.any(|held| held.organization == *organization) {
            self.add(path, format!("is no member of {organization}"));
            return Ok(None);
        }
        Ok(Some(account.id))
    }

    async fn prune_group(&mut self, group: &LocalGroup) -> Result<(), ApplyError> {
        let path = format!("organizations[{}].groups[{}]", group.organization, group.name);
        if !self.tx.local_group_members(&group.id, None, 1).await?.is_empty() {
            self.add(
                path,
                "is not in the file but still has members, so it cannot be pruned",
            );
            return Ok(());
        }
        if self.keep(&path, Some(group.clone()), None).await? {
            self.report
                .deleted(format!("group {} of {}", group.name, group.organization));
        }
        Ok(())
    }
}

fn view(group: &LocalGroup) -> Value {
    json!({
        "name": group.name,
        "description": Some(&group.description).filter(|text| !text.is_empty()),
        "roles": group.roles,
        "workspaces": group.workspaces,
    })
}

fn shown(member: &GroupMemberEntry) -> String {
    let at = member
        .connection
        .as_ref()
        .map(|connection| format!(" at {connection}"));
    format!("{}{}", member.email, at.unwrap_or_default())
}
