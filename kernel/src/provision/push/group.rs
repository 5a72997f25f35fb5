//! Makes and changes pushed groups, and decides again about the people whose groups change: in the same plan if they are few
//! enough, else through queued re-evaluations. Never reads the whole list of members for a change of some.

use std::collections::BTreeSet;

use super::need::{affected, is_renamed};
use super::place::Placed;
use super::{MOST_AT_ONCE, MembersChange, Push, PushedGroup, Work};
use crate::denial::Denial;
use crate::directory::{Group, GroupName, Status};
use crate::facts::AccountFacts;
use crate::id::{AccountId, GroupId};
use crate::plan::{Change, GroupPatch};
use crate::trace::{Stage, StepOutcome, Steps};

/// Most accounts whose steps are noted one by one; of the others only what is worth a look.
const NOTED: usize = 5;

impl<'a> Work<'a> {
    /// Makes a group with its members.
    pub(super) fn create_group(
        &mut self,
        push: &Push,
        id: &GroupId,
        group: &PushedGroup,
        members: &[AccountId],
    ) -> Result<(), Denial> {
        let group = &self.check_naming(group, None)?;
        self.check_members(members)?;
        let made = Group {
            id: id.clone(),
            connection: self.connection.id.clone(),
            external_id: group.external_id.clone(),
            name: group.name.clone(),
            document: group.document.clone(),
            version: 1,
        };
        let naming = made.naming();
        self.changes.push(Change::CreateGroup {
            group: Box::new(made),
        });
        let text = format!("group \"{}\" is made", group.name);
        self.steps
            .add(Stage::Lifecycle, StepOutcome::Passed, "group_created", text);
        let joining: BTreeSet<AccountId> = members.iter().cloned().collect();
        self.change_members(id, &joining, &BTreeSet::new());
        self.decide_again(
            push,
            |account| joining.contains(account).then(|| naming.clone()),
            id,
        )
    }

    /// Changes what is said about a group, its members, or both.
    pub(super) fn change_group(
        &mut self,
        push: &Push,
        id: &GroupId,
        if_version: Option<i64>,
        set: Option<&PushedGroup>,
        members: &MembersChange,
    ) -> Result<(), Denial> {
        let group = self.own_group(id, if_version)?;
        let mut naming = group.naming();
        if let Some(set) = set {
            let set = &self.check_naming(set, Some(group))?;
            let is_delta = matches!(members, MembersChange::Delta { .. });
            if is_delta && self.facts.directory.looks == 0 && is_renamed(set, self.facts) {
                // A fault of the caller, who did not ask for more; nobody's grants may be left as they were.
                let text = "the members of the renamed group were not looked at";
                return Err(self.refuse(Stage::Match, Denial::Conflict, text));
            }
            naming.name.clone_from(&set.name);
            naming.external_id.clone_from(&set.external_id);
            self.describe_group(group, set);
        }
        let held: BTreeSet<&AccountId> = self.facts.directory.members.iter().collect();
        let (joining, leaving): (BTreeSet<AccountId>, BTreeSet<AccountId>) = match members {
            MembersChange::Delta { add, remove } => (
                add.iter().filter(|id| !held.contains(id)).cloned().collect(),
                remove
                    .iter()
                    .filter(|id| held.contains(id) && !add.contains(id))
                    .cloned()
                    .collect(),
            ),
            MembersChange::Replace(wanted) => {
                let wanted: BTreeSet<&AccountId> = wanted.iter().collect();
                (
                    wanted.difference(&held).map(|id| (*id).clone()).collect(),
                    held.difference(&wanted).map(|id| (*id).clone()).collect(),
                )
            }
        };
        self.check_members(joining.iter())?;
        self.change_members(id, &joining, &leaving);
        let is_checked = self
            .changes
            .iter()
            .any(|change| matches!(change, Change::UpdateGroup { .. }));
        if if_version.is_some() && !self.changes.is_empty() && !is_checked {
            // Members alone check no version; the client asked for that.
            let check = Change::UpdateGroup {
                group: id.clone(),
                version: group.version,
                set: GroupPatch::default(),
                before: GroupPatch::default(),
            };
            self.changes.insert(0, check);
        }
        let stays = |account: &AccountId| {
            let member = held.contains(account) || joining.contains(account);
            (member && !leaving.contains(account)).then(|| naming.clone())
        };
        self.decide_again(push, stays, id)
    }

    /// Deletes a group.
    pub(super) fn delete_group(
        &mut self,
        push: &Push,
        id: &GroupId,
        if_version: Option<i64>,
    ) -> Result<(), Denial> {
        let group = self.own_group(id, if_version)?;
        self.changes.push(Change::DeleteGroup {
            group: id.clone(),
            version: group.version,
            before: Box::new(group.clone()),
        });
        let text = format!("group \"{}\" is deleted", group.name);
        self.steps
            .add(Stage::Lifecycle, StepOutcome::Passed, "group_deleted", text);
        self.decide_again(push, |_| None, id)
    }

    /// Decides again about people, as they are now.
    pub(super) fn reevaluate(&mut self, accounts: &[AccountId]) -> Result<(), Denial> {
        let facts = self.facts;
        for (position, id) in accounts.iter().take(MOST_AT_ONCE).enumerate() {
            let groups = facts.directory.groups_of.get(id);
            self.reconsider(id, groups.map_or(&[], Vec::as_slice), position)?;
        }
        Ok(())
    }

    /// Finds a group that the directory may see. Others are answered like ones that do not exist.
    fn own_group(&mut self, id: &GroupId, if_version: Option<i64>) -> Result<&'a Group, Denial> {
        let found = self
            .facts
            .directory
            .group
            .as_ref()
            .filter(|group| group.id == *id && group.connection == self.connection.id);
        let Some(found) = found else {
            let text = "the connection has no such group";
            return Err(self.refuse(Stage::Match, Denial::NotFound, text));
        };
        self.check_version(found.version, if_version)?;
        Ok(found)
    }

    /// Refuses a group without name, and names and external ids that another group has. Rules compare names, so two
    /// groups of one name would be one to them.
    ///
    /// An external id is the directory's own business (RFC 7643 3.1): where two groups have the same, the first one keeps it
    /// and the other one has it in its document only.
    fn check_naming(&mut self, wanted: &PushedGroup, own: Option<&Group>) -> Result<PushedGroup, Denial> {
        if wanted.name.trim().is_empty() {
            return Err(self.refuse(
                Stage::Normalize,
                Denial::NameMissing,
                "a group needs a displayName",
            ));
        }
        let facts = self.facts;
        let others = || {
            let similar = facts.directory.similar_groups.iter();
            similar.filter(|other| own.is_none_or(|own| own.id != other.id))
        };
        let same_name = others().find(|other| other.name.to_lowercase() == wanted.name.to_lowercase());
        if let Some(other) = same_name {
            let text = format!("group {} already has the name \"{}\"", other.id, other.name);
            return Err(self.refuse(Stage::Match, Denial::GroupNameTaken, text));
        }
        let same_id =
            others().find(|other| wanted.external_id.is_some() && other.external_id == wanted.external_id);
        let mut kept = wanted.clone();
        if let Some(other) = same_id {
            let text = format!(
                "group {} had this external id before and keeps it; here it stays in the document only",
                other.id
            );
            self.steps
                .add(Stage::Match, StepOutcome::Warned, "external_id_shared", text);
            kept.external_id = None;
        }
        Ok(kept)
    }

    /// Refuses members who are no people of the connection.
    fn check_members<'b>(&mut self, members: impl IntoIterator<Item = &'b AccountId>) -> Result<(), Denial> {
        let own: BTreeSet<&AccountId> = self.facts.directory.own_accounts.iter().collect();
        let unknown = members.into_iter().find(|member| !own.contains(member));
        match unknown {
            Some(unknown) => {
                let text = format!("there is no person {unknown} to become a member");
                Err(self.refuse(Stage::Match, Denial::UnknownMember, text))
            }
            None => Ok(()),
        }
    }

    fn describe_group(&mut self, group: &Group, wanted: &PushedGroup) {
        let mut set = GroupPatch::default();
        let mut before = GroupPatch::default();
        if group.name != wanted.name {
            set.name = Some(wanted.name.clone());
            before.name = Some(group.name.clone());
            let text = format!("group \"{}\" is now \"{}\"", group.name, wanted.name);
            self.steps
                .add(Stage::Profile, StepOutcome::Passed, "group_renamed", text);
        }
        if group.external_id != wanted.external_id {
            set.external_id = Some(wanted.external_id.clone());
            before.external_id = Some(group.external_id.clone());
        }
        if group.document != wanted.document {
            set.document = Some(wanted.document.clone());
            before.document = Some(group.document.clone());
        }
        if set != GroupPatch::default() {
            self.changes.push(Change::UpdateGroup {
                group: group.id.clone(),
                version: group.version,
                set,
                before,
            });
        }
    }

    fn change_members(&mut self, id: &GroupId, joining: &BTreeSet<AccountId>, leaving: &BTreeSet<AccountId>) {
        let listed = |accounts: &BTreeSet<AccountId>| accounts.iter().cloned().collect::<Vec<_>>();
        if !leaving.is_empty() {
            self.changes.push(Change::RemoveGroupMembers {
                group: id.clone(),
                accounts: listed(leaving),
            });
        }
        if !joining.is_empty() {
            self.changes.push(Change::AddGroupMembers {
                group: id.clone(),
                accounts: listed(joining),
            });
        }
        if !joining.is_empty() || !leaving.is_empty() {
            let text = format!("members: {} join, {} leave", joining.len(), leaving.len());
            self.steps
                .add(Stage::Profile, StepOutcome::Passed, "group_members", text);
        }
    }

    /// Decides again about everybody whom the change affects. `afterwards` names the group for those who are in it then.
    fn decide_again(
        &mut self,
        push: &Push,
        afterwards: impl Fn(&AccountId) -> Option<GroupName>,
        group: &GroupId,
    ) -> Result<(), Denial> {
        let affected: Vec<AccountId> = affected(push, self.facts).into_iter().collect();
        if affected.len() > MOST_AT_ONCE {
            self.queue(&affected);
            return Ok(());
        }
        let facts = self.facts;
        let (here, later): (Vec<AccountId>, Vec<AccountId>) = affected
            .into_iter()
            .partition(|id| facts.accounts.iter().any(|known| known.account.id == *id));
        // Nobody is forgotten who was not looked at.
        self.queue(&later);
        for (position, id) in here.iter().enumerate() {
            let held = facts.directory.groups_of.get(id).into_iter().flatten();
            let mut groups: Vec<GroupName> = held.filter(|held| held.id != *group).cloned().collect();
            groups.extend(afterwards(id));
            groups.sort();
            self.reconsider(id, &groups, position)?;
        }
        Ok(())
    }

    fn queue(&mut self, accounts: &[AccountId]) {
        if accounts.is_empty() {
            return;
        }
        for (number, some) in accounts.chunks(MOST_AT_ONCE).enumerate() {
            self.changes.push(Change::QueueReevaluation {
                job: format!("{}-{number}", self.fresh.trace),
                connection: self.connection.id.clone(),
                accounts: some.to_vec(),
            });
        }
        let text = format!(
            "{} people are decided about again right after this",
            accounts.len()
        );
        self.steps
            .add(Stage::Apply, StepOutcome::Passed, "reevaluation_queued", text);
    }

    /// Runs the rules for one person with these groups. Where that is refused (no seat, C-23), the person stays as they are and
    /// an admin is told: the others of the group must not wait for that.
    fn reconsider(&mut self, id: &AccountId, groups: &[GroupName], position: usize) -> Result<(), Denial> {
        let facts = self.facts;
        let Some(known) = facts.accounts.iter().find(|known| known.account.id == *id) else {
            return Ok(());
        };
        let Some(profile) = facts.directory.profiles.get(id) else {
            self.note_unmanaged(known);
            return Ok(());
        };
        let is_live = matches!(known.account.status, Status::Active | Status::Invited);
        if !is_live || !self.is_own(known) {
            return Ok(());
        }
        let before = std::mem::take(&mut self.steps);
        let planned = self.changes.len();
        let account = self.decide_kind(&known.account, &profile.document);
        let outcome = self.place(&Placed {
            account: &account,
            known: Some(known),
            document: &profile.document,
            groups,
            returns: false,
        });
        let own = std::mem::replace(&mut self.steps, before);
        let text = format!("account {id} with {} groups:", groups.len());
        self.append(own, position, text);
        match outcome {
            Ok(()) => Ok(()),
            Err(Denial::NoSeat) => {
                self.changes.truncate(planned);
                let text = "no license seat is free, so the groups have no effect until one is".to_owned();
                self.changes.push(Change::Alert {
                    account: id.clone(),
                    code: Denial::NoSeat.code().to_owned(),
                    text,
                });
                Ok(())
            }
            Err(denial) => Err(denial),
        }
    }

    fn append(&mut self, own: Steps, position: usize, text: String) {
        if position >= NOTED && !own.has_warning() {
            return;
        }
        self.steps
            .add(Stage::Match, StepOutcome::Passed, "decided_again", text);
        self.steps.append(own);
    }

    /// An account that the directory only put into a group has no pushed attributes; rules over nothing would take away what
    /// sign-ins gave.
    fn note_unmanaged(&mut self, known: &AccountFacts) {
        let text = format!(
            "account {} is not managed by the directory; its groups have no effect",
            known.account.id
        );
        self.steps
            .add(Stage::Match, StepOutcome::Skipped, "not_managed", text);
    }
}
