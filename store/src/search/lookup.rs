//! Which rows an index finds for a condition: perhaps more than those for which it holds, never fewer.

use super::compile::{Compiler, Kind};
use super::condition::Field;
use super::document::{EMAILS, MANAGER, VALUE};
use crate::value::fold;

/// A select of ids.
pub(super) struct Among {
    pub(super) select: String,
    /// How many there may be: the smaller, the fewer.
    pub(super) rank: u8,
}

impl Compiler {
    /// The rows that an index finds for an equality of a field; perhaps more than those for which it holds.
    pub(super) fn among_columns(&mut self, field: &Field, text: &str) -> Option<Among> {
        let binds = &mut self.binds;
        let (table, listed) = match self.kind {
            Kind::Users => ("accounts", " AND status <> 'deleted'"),
            Kind::Groups => ("groups", ""),
        };
        let select = match (self.kind, field) {
            (_, Field::Id) => format!("SELECT id FROM {table} WHERE id = {}", binds.add(text)),
            (_, Field::ExternalId) => format!(
                "SELECT id FROM {table} WHERE connection = $1 AND external_id = {}{listed}",
                binds.add(text)
            ),
            // Who has no user name goes by the address.
            (Kind::Users, Field::UserName) => {
                let key = binds.add(fold(text));
                format!(
                    "SELECT id FROM accounts WHERE connection = $1 AND user_name_key = {key}{listed} \
                     UNION ALL SELECT id FROM accounts WHERE connection = $1 AND email_key = {key} \
                     AND user_name_key IS NULL{listed}"
                )
            }
            (Kind::Groups, Field::DisplayName) => format!(
                "SELECT id FROM groups WHERE connection = $1 AND name_key = {}",
                binds.add(fold(text))
            ),
            _ => return None,
        };
        Some(Among { select, rank: 0 })
    }

    /// The rows that an index finds for an equality of a part of an element; perhaps more than those for which it holds.
    pub(super) fn among_elements(&mut self, label: &str, part: &str, text: &str) -> Option<Among> {
        let binds = &mut self.binds;
        let (select, rank) = match (self.kind, label, part) {
            (Kind::Users, EMAILS, VALUE) => {
                let key = binds.add(fold(text));
                let select = format!(
                    "SELECT account FROM account_documents WHERE email_key = {key} \
                     UNION ALL SELECT account FROM account_emails WHERE email_key = {key} \
                     UNION ALL SELECT id FROM accounts WHERE connection = $1 AND email_key = {key} AND status <> 'deleted'"
                );
                (select, 1)
            }
            (Kind::Users, MANAGER, VALUE) => {
                let key = binds.add(fold(text));
                (
                    format!("SELECT account FROM account_documents WHERE manager_key = {key}"),
                    2,
                )
            }
            (Kind::Users, "groups", VALUE) => {
                let group = binds.add(text);
                (
                    format!("SELECT account FROM group_members WHERE group_id = {group}"),
                    3,
                )
            }
            (Kind::Users, "groups", "display") => {
                let key = binds.add(fold(text));
                let select = format!(
                    "SELECT x.account FROM groups y JOIN group_members x ON x.group_id = y.id \
                     WHERE y.connection = $1 AND y.name_key = {key}"
                );
                (select, 3)
            }
            (Kind::Groups, "members", VALUE) => {
                let account = binds.add(text);
                (
                    format!("SELECT group_id FROM group_members WHERE account = {account}"),
                    2,
                )
            }
            _ => return None,
        };
        Some(Among { select, rank })
    }
}

/// All rows of several selects; none for no select at all, which means no row.
pub(super) fn united(selects: Vec<Among>) -> Option<Among> {
    let rank = selects.iter().map(|among| among.rank).max()?;
    let selects: Vec<String> = selects.into_iter().map(|among| among.select).collect();
    Some(Among {
        select: selects.join(" UNION ALL "),
        rank,
    })
}
