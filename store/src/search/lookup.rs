//! Which rows an index finds for a condition: perhaps more than those for which it holds, never fewer.

use super::compile::Kind;
use super::condition::Field;
use super::document::{EMAILS, MANAGER, VALUE};
use super::text::Binds;
use crate::value::fold;

/// Selects of ids, each with its one argument, which is written `$key`.
pub(super) struct Among {
    selects: Vec<(String, String)>,
    /// How many rows there may be: the smaller, the fewer.
    pub(super) rank: u8,
}

impl Among {
    fn one(select: &str, key: impl Into<String>, rank: u8) -> Self {
        Self {
            selects: vec![(select.to_owned(), key.into())],
            rank,
        }
    }

    /// Writes the selects as one, with their arguments.
    pub(super) fn select(self, binds: &mut Binds) -> String {
        let selects = self.selects.into_iter();
        let selects: Vec<String> = selects
            .map(|(select, key)| select.replace("$key", &binds.add(key)))
            .collect();
        selects.join(" UNION ALL ")
    }
}

/// The rows that an index finds for an equality of a field.
pub(super) fn columns(kind: Kind, field: &Field, text: &str) -> Option<Among> {
    let select = match (kind, field) {
        (Kind::Users, Field::Id) => "SELECT id FROM accounts WHERE id = $key",
        (Kind::Groups, Field::Id) => "SELECT id FROM groups WHERE id = $key",
        (Kind::Users, Field::ExternalId) => {
            "SELECT id FROM accounts WHERE connection = $1 AND external_id = $key AND status <> 'deleted'"
        }
        (Kind::Groups, Field::ExternalId) => {
            "SELECT id FROM groups WHERE connection = $1 AND external_id = $key"
        }
        // Who has no user name goes by the address.
        (Kind::Users, Field::UserName) => {
            "SELECT id FROM accounts WHERE connection = $1 AND user_name_key = $key AND status <> 'deleted' \
             UNION ALL SELECT id FROM accounts WHERE connection = $1 AND email_key = $key AND user_name_key IS NULL \
             AND status <> 'deleted'"
        }
        (Kind::Groups, Field::DisplayName) => {
            "SELECT id FROM groups WHERE connection = $1 AND name_key = $key"
        }
        _ => return None,
    };
    let key = if matches!(field, Field::Id | Field::ExternalId) {
        text.to_owned()
    } else {
        fold(text)
    };
    Some(Among::one(select, key, 0))
}

/// The rows that an index finds for an equality of a part of an element.
pub(super) fn elements(kind: Kind, label: &str, part: &str, text: &str) -> Option<Among> {
    Some(match (kind, label, part) {
        (Kind::Users, EMAILS, VALUE) => Among::one(
            "SELECT account FROM account_documents WHERE email_key = $key \
             UNION ALL SELECT account FROM account_emails WHERE email_key = $key \
             UNION ALL SELECT id FROM accounts WHERE connection = $1 AND email_key = $key AND status <> 'deleted'",
            fold(text),
            1,
        ),
        (Kind::Users, MANAGER, VALUE) => Among::one(
            "SELECT account FROM account_documents WHERE manager_key = $key",
            fold(text),
            2,
        ),
        (Kind::Users, "groups", VALUE) => {
            Among::one("SELECT account FROM group_members WHERE group_id = $key", text, 3)
        }
        (Kind::Users, "groups", "display") => Among::one(
            "SELECT x.account FROM groups y JOIN group_members x ON x.group_id = y.id \
             WHERE y.connection = $1 AND y.name_key = $key",
            fold(text),
            3,
        ),
        (Kind::Groups, "members", VALUE) => {
            Among::one("SELECT group_id FROM group_members WHERE account = $key", text, 2)
        }
        _ => return None,
    })
}

/// All rows of several selects; none for no select at all, which means no row.
pub(super) fn united(several: Vec<Among>) -> Option<Among> {
    let rank = several.iter().map(|among| among.rank).max()?;
    let selects = several.into_iter().flat_map(|among| among.selects).collect();
    Some(Among { selects, rank })
}
