//! Rows to be inserted, before they become a statement: alone for one transaction, or with those of others.

use std::borrow::Cow;

use super::Query;
use crate::engine::dialect::arguments;
use crate::value::Bind;

/// Rows of one table.
pub(crate) struct Insert {
    /// `INSERT INTO table (columns)`.
    pub(crate) into: Cow<'static, str>,
    /// The values of a row, in the arguments `$1`, `$2`, … of that row. `{number}` is its place among those inserted, from 1.
    pub(crate) row: Cow<'static, str>,
    /// The arguments of each row, all of the same sorts.
    pub(crate) rows: Vec<Vec<Bind>>,
    /// What stands after the rows, such as ` ON CONFLICT …`.
    pub(crate) end: &'static str,
}

impl Insert {
    /// One row whose values are its arguments.
    pub(crate) fn one(into: &'static str, row: Vec<Bind>) -> Self {
        Self::plain(into, vec![row], "")
    }

    /// Rows whose values are their arguments.
    pub(crate) fn plain(into: impl Into<Cow<'static, str>>, rows: Vec<Vec<Bind>>, end: &'static str) -> Self {
        let width = rows.first().map_or(0, Vec::len);
        let values: Vec<String> = (1..=width).map(|at| format!("${at}")).collect();
        Self {
            into: into.into(),
            row: values.join(", ").into(),
            rows,
            end,
        }
    }

    /// Writes the statement that inserts these rows and no others.
    pub(crate) fn query(self) -> Query {
        let mut offset = 0;
        let mut values = Vec::with_capacity(self.rows.len());
        for (place, row) in self.rows.iter().enumerate() {
            let text = self.row.replace("{number}", &(place + 1).to_string());
            values.push(format!("({})", arguments(&text, "$", offset)));
            offset += row.len();
        }
        Query::new(
            format!("{} VALUES {}{}", self.into, values.join(", "), self.end),
            self.rows.into_iter().flatten().collect(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::binds;

    #[test]
    fn rows_become_one_statement_with_their_arguments_in_order() {
        let insert = Insert {
            into: "INSERT INTO t (a, b, c)".into(),
            row: "$1, $2, (SELECT MAX(x) + {number} FROM u WHERE y = $2)".into(),
            rows: vec![binds![1, "one"], binds![2, "two"]],
            end: " ON CONFLICT DO NOTHING",
        };
        let query = insert.query();
        assert_eq!(
            query.sql,
            "INSERT INTO t (a, b, c) VALUES ($1, $2, (SELECT MAX(x) + 1 FROM u WHERE y = $2)), \
             ($3, $4, (SELECT MAX(x) + 2 FROM u WHERE y = $4)) ON CONFLICT DO NOTHING"
        );
        assert_eq!(query.binds.len(), 4);
        let query = Insert::one("INSERT INTO t (a, b)", binds![1, "one"]).query();
        assert_eq!(query.sql, "INSERT INTO t (a, b) VALUES ($1, $2)");
    }
}
