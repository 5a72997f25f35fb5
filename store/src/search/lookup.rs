//! Which rows an index finds for a condition: perhaps more than those for which it holds, never fewer.

use super::compile::Kind;
use super::condition::{Field, Operator};
use super::document::{EMAILS, MANAGER, TOO_MANY, VALUE, listed, listed_as};
use super::text::{self, Binds};
use crate::value::fold;

/// A select of ids with its arguments, which are written `$key` and `$end`.
struct Select {
    sql: String,
    key: String,
    end: Option<String>,
}

/// Selects of ids.
pub(super) struct Among {
    selects: Vec<Select>,
    /// How many rows there may be: the smaller, the fewer.
    pub(super) rank: u8,
}

impl Among {
    fn one(select: &str, key: impl Into<String>, rank: u8) -> Self {
        Self {
            selects: vec![Select {
                sql: select.to_owned(),
                key: key.into(),
                end: None,
            }],
            rank,
        }
    }

    /// Writes the selects as one, with their arguments.
    pub(super) fn select(self, binds: &mut Binds) -> String {
        let selects = self.selects.into_iter();
        let selects: Vec<String> = selects
            .map(|Select { sql, key, end }| {
                let sql = sql.replace("$key", &binds.add(key));
                match end {
                    Some(end) => sql.replace("$end", &binds.add(end)),
                    None => sql,
                }
            })
            .collect();
        selects.join(" UNION ALL ")
    }
}

/// The rows that an index finds for a field that is equal to a text, or begins with it.
pub(super) fn columns(kind: Kind, field: &Field, operator: Operator, text: &str) -> Option<Among> {
    match operator {
        Operator::Equal => equal(kind, field, text),
        Operator::StartsWith => beginning(kind, field, text),
        Operator::NotEqual
        | Operator::Contains
        | Operator::EndsWith
        | Operator::Greater
        | Operator::GreaterOrEqual
        | Operator::Less
        | Operator::LessOrEqual => None,
    }
}

fn equal(kind: Kind, field: &Field, text: &str) -> Option<Among> {
    let (select, rank) = match (kind, field) {
        (Kind::Users, Field::Id) => ("SELECT id FROM accounts WHERE id = $key", 0),
        (Kind::Groups, Field::Id) => ("SELECT id FROM groups WHERE id = $key", 0),
        (Kind::Users, Field::ExternalId) => (
            "SELECT id FROM accounts WHERE connection = $1 AND external_id = $key AND deleted = 0",
            0,
        ),
        (Kind::Groups, Field::ExternalId) => (
            "SELECT id FROM groups WHERE connection = $1 AND external_id = $key",
            0,
        ),
        // Who has no user name goes by the address.
        (Kind::Users, Field::UserName) => (
            "SELECT id FROM accounts WHERE connection = $1 AND user_name_key = $key AND deleted = 0 \
             UNION ALL SELECT id FROM accounts WHERE connection = $1 AND email_key = $key AND user_name_key IS NULL \
             AND deleted = 0",
            0,
        ),
        (Kind::Groups, Field::DisplayName) => (
            "SELECT id FROM groups WHERE connection = $1 AND name_key = $key",
            0,
        ),
        (Kind::Users, Field::GivenName | Field::FamilyName | Field::DisplayName) => {
            let select = format!("{NAMED} {} = $key", key_of(field)?);
            return Some(Among::one(&select, fold(text), 3));
        }
        _ => return None,
    };
    let key = if matches!(field, Field::Id | Field::ExternalId) {
        text.to_owned()
    } else {
        fold(text)
    };
    Some(Among::one(select, key, rank))
}

const NAMED: &str = "SELECT id FROM accounts WHERE connection = $1 AND deleted = 0 AND";

fn key_of(field: &Field) -> Option<&'static str> {
    Some(match field {
        Field::GivenName => "given_name_key{binary}",
        Field::FamilyName => "family_name_key{binary}",
        Field::DisplayName => "display_name_key{binary}",
        Field::UserName => "user_name_key{binary}",
        Field::Id
        | Field::ExternalId
        | Field::Active
        | Field::Created
        | Field::Modified
        | Field::Attribute { .. }
        | Field::Sub(_) => return None,
    })
}

fn beginning(kind: Kind, field: &Field, text: &str) -> Option<Among> {
    if kind != Kind::Users || text.is_empty() {
        return None;
    }
    let (column, prefix) = (key_of(field)?, fold(text));
    let mut sql = format!("{NAMED} {column} >= $key AND {column} < $end");
    if *field == Field::UserName {
        // Who has no user name goes by the address; those are few.
        sql = format!("{sql} UNION ALL {NAMED} user_name_key IS NULL");
    }
    let end = text::successor(&prefix)?;
    Some(Among {
        selects: vec![Select {
            sql,
            key: prefix,
            end: Some(end),
        }],
        rank: 5,
    })
}

/// The rows that an index finds for an equality of a part of an element.
pub(super) fn elements(kind: Kind, label: &str, part: &str, text: &str) -> Option<Among> {
    Some(match (kind, label, part) {
        (Kind::Users, EMAILS, VALUE) => Among::one(
            "SELECT account FROM account_documents WHERE email_key = $key \
             UNION ALL SELECT account FROM account_values WHERE connection = $1 AND label = 'emails' \
             AND value = substr($key, 1, 100) \
             UNION ALL SELECT account FROM account_values WHERE connection = $1 AND label = '*' \
             UNION ALL SELECT id FROM accounts WHERE connection = $1 AND email_key = $key AND deleted = 0",
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
        (Kind::Users, label, part) => return listed_values(label, part, &fold(text), true),
        (Kind::Groups, _, _) => return None,
    })
}

/// The rows that the list of values finds for a part of an element that is equal to a text, or begins with it.
pub(super) fn listed_values(label: &str, part: &str, folded: &str, is_whole: bool) -> Option<Among> {
    const LIST: &str = "SELECT account FROM account_values WHERE connection = $1 AND label =";
    let label = listed_as(label, part)?;
    let prefix = listed(folded);
    let (compared, end) = if is_whole {
        ("value = $key", None)
    } else if prefix.is_empty() {
        return None;
    } else {
        ("value >= $key AND value < $end", Some(text::successor(&prefix)?))
    };
    let select = format!("{LIST} '{label}' AND {compared} UNION ALL {LIST} '{TOO_MANY}'");
    Some(Among {
        selects: vec![Select {
            sql: select,
            key: prefix,
            end,
        }],
        rank: if is_whole { 4 } else { 5 },
    })
}

/// All rows of several selects; none for no select at all, which means no row.
pub(super) fn united(several: Vec<Among>) -> Option<Among> {
    let rank = several.iter().map(|among| among.rank).max()?;
    let selects = several.into_iter().flat_map(|among| among.selects).collect();
    Some(Among { selects, rank })
}
