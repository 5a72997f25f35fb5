//! Members of a group, as a request changes them: operations in order become one change that names only whom it touches,
//! so that the list is never loaded.

use std::collections::BTreeSet;

use provost_kernel::id::{AccountId, GroupId};
use provost_kernel::provision::push::MembersChange;
use provost_scim::patch::MemberChange;
use provost_scim::v1::MembersPatch;
use provost_scim::{Filter, MemberRef, Mode, ScimError};
use provost_store::Tx;
use serde_json::Value;

use crate::flow::scim::push::Stop;
use crate::flow::scim::view;
use crate::translate;

/// Most members that one request may name (security.md section 4).
pub const MOST: usize = 10_000;
/// Members that are looked at in one step when a filter has to be held against each.
const STEP: u32 = 1_000;

/// Folds operations into one change.
///
/// # Errors
/// 400 `tooMany`; those of the store.
pub async fn fold(
    tx: &mut Tx,
    group: &GroupId,
    changes: &[MemberChange],
    mode: Mode,
) -> Result<MembersChange, Stop> {
    let mut folded = Folded::default();
    for change in changes {
        match change {
            MemberChange::Add(members) => folded.add(members, mode),
            MemberChange::Remove(ids) => folded.remove(ids.iter().map(AccountId::new)),
            MemberChange::RemoveMatching(filter) => {
                let matching = matching(tx, group, filter, &folded).await?;
                folded.remove(matching.into_iter());
            }
            MemberChange::Replace(members) => {
                folded = Folded::replacement();
                folded.add(members, mode);
            }
            MemberChange::Clear => folded = Folded::replacement(),
        }
    }
    folded.finish()
}

/// Reads the members of a whole list.
///
/// # Errors
/// 400 `tooMany`.
pub fn all(members: &[MemberRef], mode: Mode) -> Result<Vec<AccountId>, ScimError> {
    let ids: BTreeSet<AccountId> = members
        .iter()
        .filter_map(|member| translate::scim::member_id(&member.value, mode))
        .collect();
    if ids.len() > MOST {
        return Err(too_many());
    }
    Ok(ids.into_iter().collect())
}

/// Reads what a partial resource of 1.1 does to the members.
///
/// # Errors
/// 400 `tooMany`, or `invalidValue` for a member without an id.
pub fn of_partial(patch: &MembersPatch, mode: Mode) -> Result<MembersChange, Stop> {
    let mut folded = if patch.clear {
        Folded::replacement()
    } else {
        Folded::default()
    };
    folded.remove(patch.remove.iter().map(AccountId::new));
    for member in &patch.add {
        // A bare id is a member too.
        let id = member
            .as_str()
            .or_else(|| member.get("value").and_then(Value::as_str));
        let id =
            id.ok_or_else(|| ScimError::invalid_value("a member needs a 'value' with the id of a user"))?;
        if let Some(id) = translate::scim::member_id(id, mode) {
            folded.add_one(id);
        }
    }
    folded.finish()
}

fn too_many() -> ScimError {
    ScimError::too_many(format!(
        "more than {MOST} members in one request; send the others in further PATCH requests"
    ))
}

#[derive(Default)]
struct Folded {
    /// Whether `add` is the whole list.
    is_whole: bool,
    add: BTreeSet<AccountId>,
    remove: BTreeSet<AccountId>,
}

impl Folded {
    fn replacement() -> Self {
        Self {
            is_whole: true,
            ..Self::default()
        }
    }

    fn add(&mut self, members: &[MemberRef], mode: Mode) {
        for id in members
            .iter()
            .filter_map(|member| translate::scim::member_id(&member.value, mode))
        {
            self.add_one(id);
        }
    }

    fn add_one(&mut self, id: AccountId) {
        self.remove.remove(&id);
        self.add.insert(id);
    }

    fn remove(&mut self, ids: impl Iterator<Item = AccountId>) {
        for id in ids {
            self.add.remove(&id);
            if !self.is_whole {
                self.remove.insert(id);
            }
        }
    }

    fn finish(self) -> Result<MembersChange, Stop> {
        if self.add.len() + self.remove.len() > MOST {
            return Err(too_many().into());
        }
        let add = self.add.into_iter().collect();
        Ok(if self.is_whole {
            MembersChange::Replace(add)
        } else {
            MembersChange::Delta {
                add,
                remove: self.remove.into_iter().collect(),
            }
        })
    }
}

/// Finds the members that a filter means: in what the request made of the list so far, and among the rows.
async fn matching(
    tx: &mut Tx,
    group: &GroupId,
    filter: &Filter,
    folded: &Folded,
) -> Result<Vec<AccountId>, Stop> {
    let mut found: Vec<AccountId> = folded
        .add
        .iter()
        .filter(|id| filter.matches(&serde_json::json!({ "value": id, "type": "User" })))
        .cloned()
        .collect();
    if folded.is_whole {
        return Ok(found);
    }
    let mut after: Option<AccountId> = None;
    loop {
        let page = tx.members_page(group, after.as_ref(), STEP).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.account.clone());
        for member in &page {
            if filter.matches(&view::member_element(member)) {
                found.push(member.account.clone());
            }
        }
        if found.len() > MOST {
            return Err(too_many().into());
        }
    }
    Ok(found)
}
