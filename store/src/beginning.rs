//! People whose address, given name or family name begins with a text.
//!
//! A beginning that few share is looked up: each alternative is a range of an index. One that many share would fill a set with
//! all of them for the sake of one page; there a list is walked in its order, and soon has found enough.

use crate::conditions::Conditions;
use crate::error::Result;
use crate::search::successor;
use crate::tx::Reader;
use crate::value::binds;

/// How many people of the instance make a beginning a common one.
const COMMON: i64 = 1_000;

/// What is compared: the condition under which there is something to compare, and the key, both of an account `a`.
const KEYS: [(&str, &str); 3] = [
    ("a.email_key", "a.email_key"),
    ("a.given_name", "lower(a.given_name)"),
    ("a.family_name", "lower(a.family_name)"),
];

/// The texts that begin alike, as a range: the first of them, and the first behind them.
pub(crate) struct Beginning {
    from: String,
    behind: String,
}

impl Beginning {
    /// Makes the range of what begins with a text, without regard to case.
    pub(crate) fn of(text: &str) -> Self {
        let from = text.trim().to_lowercase();
        let behind = successor(&from).unwrap_or_else(|| char::MAX.to_string());
        Self { from, behind }
    }

    /// Adds the condition to those of a list whose accounts are `a` and memberships `m`.
    pub(crate) fn hold(&self, is_common: bool, wanted: &mut Conditions) {
        let (from, behind) = (wanted.add(&self.from), wanted.add(&self.behind));
        if is_common {
            // Written so that no index answers it: the list is to be walked in its own order.
            let alternatives = KEYS.map(|(_, key)| {
                let key = format!("COALESCE({key}, ''){{binary}}");
                format!("({key} >= {from} AND {key} < {behind})")
            });
            wanted.always(&format!("({})", alternatives.join(" OR ")));
        } else {
            let ranges = ranges(&from, &behind).join(" UNION ");
            wanted.always(&format!("m.account IN ({{of}}{ranges}{{end}})"));
        }
    }
}

impl Reader {
    /// Tells whether very many people of the instance have such a beginning. Counts no further than that.
    pub(crate) async fn is_common(&mut self, beginning: &Beginning) -> Result<bool> {
        let ranges = ranges("$1", "$2").map(|range| format!("SELECT id FROM ({range} LIMIT $3) r"));
        let sql = format!("SELECT COUNT(*) FROM ({}) found", ranges.join(" UNION ALL "));
        let values = binds![&beginning.from, &beginning.behind, COMMON];
        let row = self.row(&sql, values).await?;
        let count = row.map(|mut row| row.int("count")).transpose()?.unwrap_or(0);
        Ok(count >= COMMON)
    }
}

fn ranges(from: &str, behind: &str) -> [String; 3] {
    KEYS.map(|(known, key)| {
        format!(
            "SELECT a.id FROM accounts a WHERE {known} IS NOT NULL AND {key}{{binary}} >= {from} \
             AND {key}{{binary}} < {behind}"
        )
    })
}
