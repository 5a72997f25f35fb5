//! One statement that is being made of several, of one transaction or of many.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt::Write as _;

use sqlx::postgres::{PgArguments, PgRow};
use sqlx::{Arguments as _, AssertSqlSafe, PgConnection};

use crate::engine::Dialect;
use crate::engine::batch::{Change, Insert, Query, Work};
use crate::engine::dialect::{arguments, translate};
use crate::engine::failure::failed;
use crate::error::{Result, StoreError};
use crate::value::Bind;

/// Begins the message by which a change says that it did not find what it needed.
const UNMET: &str = "provost-unmet-";

/// One statement that is being made of several.
pub(super) struct Whole {
    parts: Vec<String>,
    conditions: Vec<String>,
    values: Vec<Argument>,
    /// What is wrong if the need of a change was not met, by its number.
    unmet: Vec<(usize, StoreError)>,
}

enum Argument {
    One(Bind),
    /// A value for each of several rows, all of one sort.
    Column(Vec<Bind>),
}

/// Why the statement was not run, or not to its end.
pub(super) struct Failure {
    /// What the driver says.
    pub(super) error: sqlx::Error,
    /// What is wrong if the need of a change was not met.
    unmet: Option<StoreError>,
}

impl Failure {
    /// Says it in our words.
    pub(super) fn said(self) -> StoreError {
        self.unmet.unwrap_or_else(|| failed(self.error))
    }
}

impl Whole {
    /// Takes changes together. If they have to be done before the statement is, each is asked how much it did.
    pub(super) fn of(changes: Vec<Change>, are_first: bool) -> Self {
        let mut whole = Self {
            parts: Vec::with_capacity(changes.len() + 1),
            conditions: Vec::new(),
            values: Vec::new(),
            unmet: Vec::new(),
        };
        for change in changes {
            let query = change.work.query();
            let text = whole.numbered(query);
            whole.add(&text, change.needs, are_first);
        }
        whole
    }

    /// Takes the changes of several transactions together; `None` if one of them is to be done by its transaction alone.
    /// Those that are alike become one.
    pub(super) fn joint<'c>(changes: impl Iterator<Item = &'c Change>) -> Option<Self> {
        let mut whole = Self::of(Vec::new(), true);
        let mut places: HashMap<Likeness<'c>, usize> = HashMap::new();
        let mut all: Vec<Vec<&'c Change>> = Vec::new();
        for change in changes {
            match places.entry(Likeness::of(change)?) {
                Entry::Occupied(place) => all.get_mut(*place.get())?.push(change),
                Entry::Vacant(place) => {
                    place.insert(all.len());
                    all.push(vec![change]);
                }
            }
        }
        for alike in all {
            let text = match &alike.first()?.work {
                Work::Rows(insert) => whole.rows_of(insert, &alike),
                Work::Sum(query) => whole.sum_of(query, &alike)?,
                Work::Own(_) => return None,
            };
            // Whose need was not met is found out when each does it alone.
            let rows = alike.first()?.needs.as_ref().map(|(rows, _)| *rows);
            let unmet = || StoreError::Conflict("joint".to_owned());
            whole.add(&text, rows.map(|rows| (rows, unmet())), true);
        }
        Some(whole)
    }

    fn add(&mut self, text: &str, needs: Option<(u64, StoreError)>, is_first: bool) {
        let at = self.parts.len();
        self.parts.push(format!("c{at} AS ({text} RETURNING 1)"));
        if let Some((rows, error)) = needs {
            // PostgreSQL evaluates constants early, so what is to fail must depend on the count.
            self.conditions.push(format!(
                "(SELECT CASE WHEN count(*) = {rows} THEN 0 ELSE CAST('{UNMET}{at}/' || count(*) AS BIGINT) END \
                 FROM c{at}) = 0"
            ));
            self.unmet.push((at, error));
        } else if is_first {
            self.conditions.push(format!("(SELECT count(*) FROM c{at}) >= 0"));
        }
    }

    fn numbered(&mut self, query: Query) -> String {
        let text = arguments(&translate(Dialect::Postgres, &query.sql), "$", self.values.len());
        self.values.extend(query.binds.into_iter().map(Argument::One));
        text
    }

    /// Writes one insert for the rows of several. Its text does not depend on how many there are, so that it stays prepared.
    fn rows_of(&mut self, insert: &Insert, alike: &[&Change]) -> String {
        let offset = self.values.len();
        let inserts = alike.iter().filter_map(|change| match &change.work {
            Work::Rows(insert) => Some(&insert.rows),
            Work::Own(_) | Work::Sum(_) => None,
        });
        let mut columns: Vec<Vec<Bind>> = Vec::new();
        for row in inserts.flatten() {
            columns.resize_with(row.len(), Vec::new);
            for (column, value) in columns.iter_mut().zip(row) {
                column.push(value.clone());
            }
        }
        let names: Vec<String> = (1..=columns.len()).map(|at| format!("c{at}")).collect();
        let arrays = columns.iter().enumerate().map(|(at, column)| {
            let sort = match column.first() {
                Some(Bind::Int(_)) => "bigint",
                Some(Bind::Bytes(_)) => "bytea",
                Some(Bind::Text(_)) | None => "text",
            };
            format!("${}::{sort}[]", offset + at + 1)
        });
        let arrays: Vec<String> = arrays.collect();
        let row = translate(Dialect::Postgres, &insert.row).replace("{number}", "r.number");
        let text = format!(
            "{} SELECT {} FROM unnest({}) WITH ORDINALITY AS r ({}, number){}",
            insert.into,
            arguments(&row, "r.c", 0),
            arrays.join(", "),
            names.join(", "),
            insert.end,
        );
        self.values.extend(columns.into_iter().map(Argument::Column));
        text
    }

    /// Writes one change that adds what several would add.
    fn sum_of(&mut self, query: &Query, alike: &[&Change]) -> Option<String> {
        let mut sum = 0_i64;
        for change in alike {
            let Work::Sum(Query { binds, .. }) = &change.work else {
                return None;
            };
            sum = sum.checked_add(added(binds)?)?;
        }
        let mut binds = query.binds.clone();
        *binds.last_mut()? = Bind::Int(Some(sum));
        Some(self.numbered(Query::new(query.sql.clone(), binds)))
    }

    /// Lets the commit of this statement, if it is one, not wait for the disk.
    pub(super) fn is_brief(&mut self) {
        self.conditions
            .push("(SELECT set_config('synchronous_commit', 'off', true)) IS NOT NULL".to_owned());
    }

    /// Runs it, perhaps with a statement that has rows.
    pub(super) async fn run(
        mut self,
        conn: &mut PgConnection,
        main: Option<Query>,
    ) -> std::result::Result<Vec<PgRow>, Failure> {
        let columns = match main {
            Some(main) => {
                let text = self.numbered(main);
                self.parts.push(format!("main AS ({text})"));
                "main.* FROM main"
            }
            None => "1",
        };
        self.fetch(conn, &format!("SELECT {columns}"), "").await
    }

    /// Runs it and notes events, to be numbered by another statement of the transaction.
    pub(super) async fn note(
        mut self,
        conn: &mut PgConnection,
        note: String,
    ) -> std::result::Result<(), Failure> {
        let set = self.setting(note);
        self.fetch(conn, &format!("SELECT {set}"), "").await.map(drop)
    }

    /// Says where the trigger that numbers events looks for them.
    fn setting(&mut self, note: String) -> String {
        self.values.push(Argument::One(note.into()));
        format!("set_config('provost.note', ${}, true)", self.values.len())
    }

    /// Runs it and has events numbered after all of it.
    ///
    /// The trigger of this table runs when everything else of the statement is done, checks of foreign keys among it. Rows are
    /// locked before the counter of events by everybody, so nobody waits in a circle. What is set inside is set after the
    /// conditions are found to be true; no row comes of it.
    pub(super) async fn end(
        mut self,
        conn: &mut PgConnection,
        note: String,
    ) -> std::result::Result<(), Failure> {
        let set = self.setting(note);
        let before = format!("INSERT INTO feed_flush SELECT 1 FROM (SELECT {set} AS note");
        self.fetch(conn, &before, ") s WHERE note IS NULL")
            .await
            .map(drop)
    }

    async fn fetch(
        self,
        conn: &mut PgConnection,
        last: &str,
        end: &str,
    ) -> std::result::Result<Vec<PgRow>, Failure> {
        let mut sql = String::new();
        // Writing to a String cannot fail.
        if !self.parts.is_empty() {
            let _ = write!(sql, "WITH {} ", self.parts.join(", "));
        }
        sql.push_str(last);
        if !self.conditions.is_empty() {
            let _ = write!(sql, " WHERE {}", self.conditions.join(" AND "));
        }
        sql.push_str(end);
        let unmet = self.unmet;
        let fetched = match taken(self.values) {
            Ok(values) => sqlx::query_with(AssertSqlSafe(sql), values).fetch_all(conn).await,
            Err(error) => Err(sqlx::Error::Encode(error)),
        };
        fetched.map_err(|error| Failure {
            unmet: which_unmet(&error, unmet),
            error,
        })
    }
}

/// What changes of several transactions have in common that can be one.
#[derive(PartialEq, Eq, Hash)]
enum Likeness<'c> {
    Rows(&'c str, &'c str, &'c str),
    Sum(&'c str, Vec<&'c Bind>),
}

impl<'c> Likeness<'c> {
    fn of(change: &'c Change) -> Option<Self> {
        match &change.work {
            Work::Own(_) => None,
            // How many rows one of them needs says nothing about all.
            Work::Rows(_) if change.needs.is_some() => None,
            Work::Rows(insert) => Some(Self::Rows(&insert.into, &insert.row, insert.end)),
            Work::Sum(query) => {
                added(&query.binds)?;
                let (_, others) = query.binds.split_last()?;
                Some(Self::Sum(&query.sql, others.iter().collect()))
            }
        }
    }
}

/// Returns what a sum adds.
fn added(binds: &[Bind]) -> Option<i64> {
    match binds.last()? {
        Bind::Int(value) => *value,
        Bind::Text(_) | Bind::Bytes(_) => None,
    }
}

/// Finds the change whose need was not met in what PostgreSQL says.
fn which_unmet(error: &sqlx::Error, unmet: Vec<(usize, StoreError)>) -> Option<StoreError> {
    let message = error.as_database_error()?.message();
    let (_, rest) = message.split_once(UNMET)?;
    let at: usize = rest.split_once('/')?.0.parse().ok()?;
    unmet
        .into_iter()
        .find(|(number, _)| *number == at)
        .map(|(_, error)| error)
}

/// Hands arguments to the driver.
pub(super) fn bound(list: Vec<Bind>) -> Result<PgArguments> {
    taken(list.into_iter().map(Argument::One)).map_err(StoreError::Engine)
}

fn taken(
    list: impl IntoIterator<Item = Argument>,
) -> std::result::Result<PgArguments, sqlx::error::BoxDynError> {
    let mut arguments = PgArguments::default();
    for argument in list {
        match argument {
            Argument::One(Bind::Int(value)) => arguments.add(value),
            Argument::One(Bind::Text(value)) => arguments.add(value),
            Argument::One(Bind::Bytes(value)) => arguments.add(value),
            Argument::Column(values) => match values.first() {
                Some(Bind::Int(_)) => arguments.add(ints(values)),
                Some(Bind::Bytes(_)) => arguments.add(bytes(values)),
                Some(Bind::Text(_)) | None => arguments.add(texts(values)),
            },
        }?;
    }
    Ok(arguments)
}

fn ints(values: Vec<Bind>) -> Vec<Option<i64>> {
    let int = |value| match value {
        Bind::Int(value) => value,
        Bind::Text(_) | Bind::Bytes(_) => None,
    };
    values.into_iter().map(int).collect()
}

fn texts(values: Vec<Bind>) -> Vec<Option<String>> {
    let text = |value| match value {
        Bind::Text(value) => value,
        Bind::Int(_) | Bind::Bytes(_) => None,
    };
    values.into_iter().map(text).collect()
}

fn bytes(values: Vec<Bind>) -> Vec<Option<Vec<u8>>> {
    let bytes = |value| match value {
        Bind::Bytes(value) => value,
        Bind::Int(_) | Bind::Text(_) => None,
    };
    values.into_iter().map(bytes).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::binds;

    fn change(work: Work, needs: Option<u64>) -> Change {
        Change {
            work,
            needs: needs.map(|rows| (rows, StoreError::Conflict("own".to_owned()))),
            apart: None,
        }
    }

    fn seat(pool: &str, seats: i64) -> Change {
        let sql = "UPDATE pools SET used = used + $2 WHERE id = $1";
        change(Work::Sum(Query::new(sql, binds![pool, seats])), Some(1))
    }

    fn row(id: &str, at: i64) -> Change {
        let insert = Insert {
            into: "INSERT INTO t (id, at, place)".into(),
            row: "$1, $2, (SELECT {number} + count(*) FROM u WHERE u.id = $1)".into(),
            rows: vec![binds![id, at]],
            end: " ON CONFLICT (id) DO NOTHING",
        };
        change(Work::Rows(insert), None)
    }

    #[test]
    fn changes_of_several_transactions_that_are_alike_become_one() {
        let changes = [seat("a", 1), row("x", 1), seat("b", 1), row("y", 2), seat("a", 2)];
        let whole = Whole::joint(changes.iter()).unwrap();
        assert_eq!(
            whole.parts,
            [
                "c0 AS (UPDATE pools SET used = used + $2 WHERE id = $1 RETURNING 1)",
                "c1 AS (INSERT INTO t (id, at, place) SELECT r.c1, r.c2, (SELECT r.number + count(*) FROM u WHERE u.id = r.c1) \
                 FROM unnest($3::text[], $4::bigint[]) WITH ORDINALITY AS r (c1, c2, number) ON CONFLICT (id) DO NOTHING \
                 RETURNING 1)",
                "c2 AS (UPDATE pools SET used = used + $6 WHERE id = $5 RETURNING 1)",
            ]
        );
        assert!(matches!(
            whole.values.get(1),
            Some(Argument::One(Bind::Int(Some(3))))
        ));
        assert!(matches!(whole.values.get(3), Some(Argument::Column(column)) if column.len() == 2));
        assert_eq!(whole.unmet.len(), 2);
    }

    #[test]
    fn what_a_transaction_must_do_itself_is_never_joint() {
        let own = change(Work::Own(Query::new("DELETE FROM t", Vec::new())), None);
        assert!(Whole::joint([row("x", 1), own].iter()).is_none());
        let counted = Change {
            needs: Some((1, StoreError::ProofSpent)),
            ..row("x", 1)
        };
        assert!(Whole::joint([counted].iter()).is_none());
    }
}
