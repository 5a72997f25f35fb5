//! Where the elements of an attribute come from, and what their parts are in SQL. The row searched is always `a`, an
//! account's document `d`, an element of a document `e`, a membership in a group `m`.

use super::compile::Kind;
use super::document::{EMAILS, label};

/// Where elements come from.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    /// The document.
    Document,
    /// The address of an account whose document has none.
    Address,
    /// The groups of an account.
    Groups,
    /// The members of a group.
    Members,
}

/// A part of an element as text in SQL, null where it is absent.
pub(super) struct Part {
    /// As it is.
    pub(super) exact: String,
    /// Folded.
    pub(super) folded: String,
    /// Whether texts are folded in `folded`; identifiers are not.
    pub(super) folds: bool,
    /// The instant that it is written as.
    pub(super) instant: Option<String>,
    /// Whether the first letter says the type.
    pub(super) is_marked: bool,
}

impl Source {
    /// The sources of an attribute; a value of any of them counts.
    pub(super) fn of(kind: Kind, label: &str) -> &'static [Self] {
        match (kind, label) {
            (Kind::Users, EMAILS) => &[Self::Document, Self::Address],
            (Kind::Users, "groups") => &[Self::Groups],
            (Kind::Groups, "members") => &[Self::Members],
            (Kind::Users | Kind::Groups, _) => &[Self::Document],
        }
    }

    /// The condition that there is an element of which `holds` holds.
    pub(super) fn exists(self, kind: Kind, label: &str, holds: &str) -> String {
        match self {
            Self::Document => format!(
                "EXISTS (SELECT 1 FROM {{each:{}|{label}}} WHERE {holds})",
                kind.search()
            ),
            // No text of the form contains this with its quotes unescaped.
            Self::Address => format!(
                "(a.email_key IS NOT NULL AND COALESCE({{position}}(d.search, '\"{EMAILS}\":'), 0) = 0 AND {holds})"
            ),
            Self::Groups => format!(
                "EXISTS (SELECT 1 FROM group_members m JOIN groups g ON g.id = m.group_id \
                 WHERE m.account = a.id AND {holds})"
            ),
            Self::Members => format!(
                "EXISTS (SELECT 1 FROM group_members m JOIN accounts b ON b.id = m.account AND b.deleted = 0 \
                 WHERE m.group_id = a.id AND {holds})"
            ),
        }
    }

    /// A part of the element at hand.
    pub(super) fn part(self, name: &str) -> Part {
        let label = label(name);
        match (self, label.as_str()) {
            (Self::Document, label) => Part {
                exact: format!("COALESCE(e.value ->> '{label}=', e.value ->> '{label}')"),
                folded: format!("(e.value ->> '{label}')"),
                folds: true,
                instant: Some(format!("(e.value ->> '{label}@')")),
                is_marked: true,
            },
            (Self::Address, "value") => Part {
                exact: "('s' || a.email)".to_owned(),
                folded: "('s' || a.email_key)".to_owned(),
                ..Part::constant("")
            },
            (Self::Address, "type") => Part::constant("'swork'"),
            (Self::Address, "primary") => Part::constant("'b1'"),
            (Self::Groups, "value") => Part::identifier("m.group_id"),
            (Self::Groups, "display") => Part::plain("g.name", "g.name_key"),
            (Self::Groups, "type") => Part::constant("'sdirect'"),
            (Self::Members, "value") => Part::identifier("m.account"),
            (Self::Members, "display") => Part::plain(
                "COALESCE(b.display_name, b.user_name, b.email)",
                "COALESCE(b.display_name_key, b.user_name_key, b.email_key)",
            ),
            (Self::Members, "type") => Part {
                folded: "CAST('suser' AS TEXT)".to_owned(),
                ..Part::constant("'sUser'")
            },
            _ => Part::constant("NULL"),
        }
    }
}

impl Part {
    fn constant(value: &str) -> Self {
        let value = format!("CAST({value} AS TEXT)");
        Self {
            exact: value.clone(),
            folded: value,
            folds: true,
            instant: None,
            is_marked: true,
        }
    }

    fn plain(exact: &str, folded: &str) -> Self {
        Self {
            exact: exact.to_owned(),
            folded: folded.to_owned(),
            folds: true,
            instant: None,
            is_marked: false,
        }
    }

    fn identifier(column: &str) -> Self {
        Self {
            folds: false,
            ..Self::plain(column, column)
        }
    }
}
