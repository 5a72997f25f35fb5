//! PostgreSQL: every statement is a round trip, so statements that do not need each other's answers go together, as
//! one statement. Never knows a table.

mod group_commit;
mod pool;
mod statistics;

use std::fmt::Write as _;
use std::str::FromStr as _;

use futures_util::TryStreamExt as _;
use futures_util::stream::StreamExt as _;
use serde::Deserialize;
use serde::de::{MapAccess, Visitor};
use sqlx::postgres::{PgArguments, PgConnectOptions, PgPoolOptions, PgRow};
use sqlx::{Arguments as _, AssertSqlSafe, Column as _, Row as _, TypeInfo as _, ValueRef as _};

use self::group_commit::{GroupCommit, WRITE_DOWN};
pub(crate) use self::group_commit::{Waiting, Writing};
pub(super) use self::pool::{Pool, Postgresql};
use self::statistics::Statistics;
use super::batch::{Change, Durability, Looks, Query};
use super::dialect::{arguments, translate};
use super::failure::failed;
use super::{Dialect, NamedRows};
use crate::error::{Result, StoreError};
use crate::value::{Bind, Cell};

/// Prepared statements that each connection keeps. More shapes are in use than the driver's default of 100.
const STATEMENTS: usize = 500;
/// Of each connection. A statement of ours asks for few rows by their keys, in many parts. Planned for its values, it would
/// be planned at each use, which costs more than running it; read off a table that was small when it was planned, it would
/// go on reading the whole table as that grows; and compiling it to machine code costs hundreds of times what that saves.
const SETTINGS: &str = "SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; SET jit = off";
/// For look-ups over very many rows, which values and sizes decide how to do best.
const SETTINGS_LONG: &str = "SET plan_cache_mode = auto; SET enable_seqscan = on";
/// Begins the message by which a change says that it did not find what it needed.
const UNMET: &str = "provost-unmet-";

/// Opens a pool.
pub(super) async fn open(url: &str, connections: u32) -> Result<Pool> {
    let connections = connections.max(2);
    let options = PgConnectOptions::from_str(url)
        .map_err(failed)?
        .application_name("provost")
        .statement_cache_capacity(STATEMENTS);
    let driver = PgPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(pool::PATIENCE)
        .test_before_acquire(false)
        .after_connect(|conn, _| {
            Box::pin(async move { sqlx::raw_sql(SETTINGS).execute(conn).await.map(drop) })
        })
        .connect_with(options.clone())
        .await
        .map_err(failed)?;
    let group = GroupCommit::start(options.clone());
    Ok(Pool::new(driver, connections, group, Statistics::start(options)))
}

/// Commits and gives the connection back; returns when what was written is on the disk, which several commits wait for
/// together.
///
/// # Errors
/// `unavailable` if it is unknown whether the commit will be remembered.
pub(super) async fn commit(mut conn: Postgresql) -> Result<()> {
    let group = conn.group();
    let ticket = group.ticket();
    let sql = if ticket.is_some() {
        "SET LOCAL synchronous_commit = off; COMMIT"
    } else {
        "COMMIT"
    };
    match sqlx::raw_sql(sql).execute(&mut *conn).await {
        Ok(_) => conn.release(),
        Err(error) => {
            conn.discard();
            return Err(failed(error));
        }
    }
    match ticket {
        Some(ticket) => group.wait(ticket).await,
        None => Ok(()),
    }
}

/// Returns when what was visible to this connection's last statement is on the disk.
pub(super) async fn written_down(conn: &mut Postgresql) -> Result<()> {
    let group = conn.group();
    if !group.is_able(conn).await.map_err(failed)? {
        return Ok(());
    }
    sqlx::query(WRITE_DOWN)
        .execute(&mut **conn)
        .await
        .map(drop)
        .map_err(failed)
}

/// Runs one statement and returns how many rows it changed.
pub(super) async fn run(conn: &mut Postgresql, sql: &str, binds: Vec<Bind>) -> Result<u64> {
    let query = sqlx::query_with(
        AssertSqlSafe(translate(Dialect::Postgres, sql).into_owned()),
        bound(binds)?,
    );
    Ok(query.execute(&mut **conn).await.map_err(failed)?.rows_affected())
}

/// Runs one statement and streams its rows; names of columns are made only if asked for by `named`.
pub(super) fn stream<'c>(
    conn: &'c mut Postgresql,
    sql: &str,
    binds: Vec<Bind>,
    named: bool,
) -> Result<NamedRows<'c>> {
    let query = sqlx::query_with(
        AssertSqlSafe(translate(Dialect::Postgres, sql).into_owned()),
        bound(binds)?,
    );
    Ok(query
        .fetch(&mut **conn)
        .map(move |row| {
            let row = row.map_err(failed)?;
            let columns = if named { row.columns() } else { &[] };
            let titles = columns.iter().map(|column| column.name().to_owned()).collect();
            Ok((titles, cells(&row)?))
        })
        .boxed())
}

pub(super) async fn rows(conn: &mut Postgresql, sql: &str, binds: Vec<Bind>) -> Result<Vec<Vec<Cell>>> {
    stream(conn, sql, binds, false)?
        .map_ok(|(_, cells)| cells)
        .try_collect()
        .await
}

/// As [`rows`], for a look-up over very many rows.
pub(super) async fn rows_long(conn: &mut Postgresql, sql: &str, binds: Vec<Bind>) -> Result<Vec<Vec<Cell>>> {
    set(conn, SETTINGS_LONG).await?;
    let found = rows(conn, sql, binds).await;
    // After an error in a transaction nothing can be set any more; the end of the transaction takes back what was set.
    match found {
        Ok(found) => set(conn, SETTINGS).await.map(|()| found),
        Err(error) => {
            let _ = set(conn, SETTINGS).await;
            Err(error)
        }
    }
}

async fn set(conn: &mut Postgresql, settings: &'static str) -> Result<()> {
    sqlx::raw_sql(settings)
        .execute(&mut **conn)
        .await
        .map(drop)
        .map_err(failed)
}

/// Runs several look-ups in one round trip: each row comes as JSON with the number of its look-up. They run in the
/// order given, and all see the state at the beginning, except rows that a look-up locks.
pub(super) async fn together(conn: &mut Postgresql, looks: Looks) -> Result<Vec<Vec<Vec<Cell>>>> {
    let (mut values, mut heads) = (Vec::new(), Vec::new());
    let mut numbered = |query: Query| {
        let text = arguments(&translate(Dialect::Postgres, &query.sql), '$', values.len());
        values.extend(query.binds);
        text
    };
    // Only at the top of a statement may a part of it change something.
    let change = looks.change.map(|change| {
        heads.push(format!("changed AS ({})", numbered(change)));
        Query::new("SELECT * FROM changed", Vec::new())
    });
    let mut shown = Vec::new();
    for set in looks.sets {
        if set.is_shown {
            shown.push(Query::new(format!("SELECT id FROM {}", set.name), Vec::new()));
        }
        heads.push(format!(
            "{}(id) AS MATERIALIZED ({})",
            set.name,
            numbered(set.query)
        ));
    }
    let queries: Vec<Query> = change.into_iter().chain(shown).chain(looks.queries).collect();
    let mut found: Vec<Vec<Vec<Cell>>> = queries.iter().map(|_| Vec::new()).collect();
    let mut sql = String::new();
    if !heads.is_empty() {
        // Writing to a String cannot fail.
        let _ = write!(sql, "WITH {} ", heads.join(", "));
    }
    for (part, query) in queries.into_iter().enumerate() {
        let union = if part == 0 { "" } else { " UNION ALL " };
        let text = numbered(query);
        let _ = write!(
            sql,
            "{union}SELECT {part} AS part, row_to_json(q)::text FROM ({text}) q"
        );
    }
    for row in rows(conn, &sql, values).await? {
        let mut row = crate::value::Row::new(row);
        let part = usize::try_from(row.int("part")?).unwrap_or(usize::MAX);
        let JsonRow(cells) =
            serde_json::from_str(&row.text("row")?).map_err(|_| StoreError::Corrupt("a row as JSON"))?;
        found
            .get_mut(part)
            .ok_or(StoreError::Corrupt("part"))?
            .push(cells);
    }
    Ok(found)
}

/// Runs changes, and perhaps one statement with rows, as one statement. They do not see each other's effects; a change
/// that finds another number of rows than it needs undoes all.
pub(super) async fn batch(
    conn: &mut Postgresql,
    changes: Vec<Change>,
    main: Option<Query>,
    durability: Durability,
) -> Result<Vec<Vec<Cell>>> {
    let mut whole = Whole::of(changes, false);
    if durability == Durability::Brief {
        whole.is_brief();
    }
    let columns = match main {
        Some(main) => {
            let text = whole.numbered(main);
            whole.parts.push(format!("main AS ({text})"));
            "main.* FROM main"
        }
        None => "1",
    };
    whole.run(conn, &format!("SELECT {columns}"), "").await
}

/// Runs changes as one statement, and has events numbered after all of them.
pub(super) async fn end(conn: &mut Postgresql, changes: Vec<Change>, note: Option<String>) -> Result<()> {
    ending(conn, changes, note, Durability::Full).await
}

/// As [`end`], where the statement is the whole transaction.
pub(super) async fn end_at_once(
    conn: &mut Postgresql,
    changes: Vec<Change>,
    note: Option<String>,
) -> Result<Option<Waiting>> {
    let group = conn.group();
    match group.ticket() {
        Some(ticket) => {
            ending(conn, changes, note, Durability::Brief).await?;
            Ok(Some(Waiting::new(group, ticket)))
        }
        None => ending(conn, changes, note, Durability::Full).await.map(|()| None),
    }
}

async fn ending(
    conn: &mut Postgresql,
    changes: Vec<Change>,
    note: Option<String>,
    durability: Durability,
) -> Result<()> {
    let mut whole = Whole::of(changes, note.is_some());
    if durability == Durability::Brief {
        whole.is_brief();
    }
    let Some(note) = note else {
        return whole.run(conn, "SELECT 1", "").await.map(drop);
    };
    // The trigger of this table runs when everything else of the statement is done, checks of foreign keys among it. Rows are
    // locked before the counter of events by everybody, so nobody waits in a circle. What is set inside is set after the
    // conditions are found to be true; no row comes of it.
    whole.values.push(note.into());
    let set = format!(
        "SELECT set_config('provost.note', ${}, true) AS note",
        whole.values.len()
    );
    let (before, after) = (
        format!("INSERT INTO feed_flush SELECT 1 FROM ({set}"),
        ") s WHERE note IS NULL",
    );
    whole.run(conn, &before, after).await.map(drop)
}

/// One statement that is being made of several.
struct Whole {
    parts: Vec<String>,
    conditions: Vec<String>,
    values: Vec<Bind>,
    /// What is wrong if the need of a change was not met, by its number.
    unmet: Vec<(usize, StoreError)>,
}

impl Whole {
    /// Takes changes together. If they have to be done before the statement is, each is asked how much it did.
    fn of(changes: Vec<Change>, are_first: bool) -> Self {
        let mut whole = Self {
            parts: Vec::with_capacity(changes.len() + 1),
            conditions: Vec::new(),
            values: Vec::new(),
            unmet: Vec::new(),
        };
        for (at, change) in changes.into_iter().enumerate() {
            let text = whole.numbered(change.query);
            whole.parts.push(format!("c{at} AS ({text} RETURNING 1)"));
            if let Some((rows, error)) = change.needs {
                // PostgreSQL evaluates constants early, so what is to fail must depend on the count.
                whole.conditions.push(format!(
                    "(SELECT CASE WHEN count(*) = {rows} THEN 0 ELSE CAST('{UNMET}{at}/' || count(*) AS BIGINT) END \
                     FROM c{at}) = 0"
                ));
                whole.unmet.push((at, error));
            } else if are_first {
                whole
                    .conditions
                    .push(format!("(SELECT count(*) FROM c{at}) >= 0"));
            }
        }
        whole
    }

    fn numbered(&mut self, query: Query) -> String {
        let text = arguments(&translate(Dialect::Postgres, &query.sql), '$', self.values.len());
        self.values.extend(query.binds);
        text
    }

    /// Lets the commit of this statement, if it is one, not wait for the disk.
    fn is_brief(&mut self) {
        self.conditions
            .push("(SELECT set_config('synchronous_commit', 'off', true)) IS NOT NULL".to_owned());
    }

    async fn run(self, conn: &mut Postgresql, last: &str, end: &str) -> Result<Vec<Vec<Cell>>> {
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
        let query = sqlx::query_with(AssertSqlSafe(sql), bound(self.values)?);
        match query.fetch_all(&mut **conn).await {
            Ok(rows) => rows.iter().map(cells).collect(),
            Err(error) => Err(which_unmet(&error, self.unmet).unwrap_or_else(|| failed(error))),
        }
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

fn bound(list: Vec<Bind>) -> Result<PgArguments> {
    let mut arguments = PgArguments::default();
    for bind in list {
        match bind {
            Bind::Int(value) => arguments.add(value),
            Bind::Text(value) => arguments.add(value),
            Bind::Bytes(value) => arguments.add(value),
        }
        .map_err(StoreError::Engine)?;
    }
    Ok(arguments)
}

fn cells(row: &PgRow) -> Result<Vec<Cell>> {
    let mut cells = Vec::with_capacity(row.len());
    for at in 0..row.len() {
        let value = row.try_get_raw(at).map_err(failed)?;
        cells.push(match value.type_info().name() {
            _ if value.is_null() => Cell::Null,
            "INT8" => Cell::Int(row.try_get(at).map_err(failed)?),
            "INT4" => Cell::Int(i64::from(row.try_get::<i32, _>(at).map_err(failed)?)),
            "BYTEA" => Cell::Bytes(row.try_get(at).map_err(failed)?),
            _ => Cell::Text(row.try_get(at).map_err(failed)?),
        });
    }
    Ok(cells)
}

/// The values of a JSON object in their order, whatever their names.
struct JsonRow(Vec<Cell>);

impl<'de> Deserialize<'de> for JsonRow {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Values;
        impl<'de> Visitor<'de> for Values {
            type Value = JsonRow;
            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("a row as a JSON object")
            }
            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> std::result::Result<JsonRow, M::Error> {
                let mut cells = Vec::new();
                while map.next_key::<serde::de::IgnoredAny>()?.is_some() {
                    let JsonCell(cell) = map.next_value()?;
                    cells.push(cell);
                }
                Ok(JsonRow(cells))
            }
        }
        deserializer.deserialize_map(Values)
    }
}

/// A value in the order in which it comes, without trying one kind after the other.
struct JsonCell(Cell);

impl<'de> Deserialize<'de> for JsonCell {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Value;
        impl Visitor<'_> for Value {
            type Value = JsonCell;
            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("a whole number, a text or null")
            }
            fn visit_i64<E>(self, value: i64) -> std::result::Result<JsonCell, E> {
                Ok(JsonCell(Cell::Int(value)))
            }
            fn visit_u64<E: serde::de::Error>(self, value: u64) -> std::result::Result<JsonCell, E> {
                let value = i64::try_from(value).map_err(E::custom)?;
                Ok(JsonCell(Cell::Int(value)))
            }
            fn visit_str<E>(self, value: &str) -> std::result::Result<JsonCell, E> {
                Ok(JsonCell(Cell::Text(value.to_owned())))
            }
            fn visit_unit<E>(self) -> std::result::Result<JsonCell, E> {
                Ok(JsonCell(Cell::Null))
            }
        }
        deserializer.deserialize_any(Value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_as_json_keeps_its_order_and_names_used_twice() {
        let JsonRow(cells) = serde_json::from_str(r#"{"b":1,"a":"x\"y","b":null,"c":-2}"#).unwrap();
        assert_eq!(
            cells,
            [
                Cell::Int(1),
                Cell::Text("x\"y".to_owned()),
                Cell::Null,
                Cell::Int(-2)
            ]
        );
        for other in [
            r#"{"a":1.5}"#,
            r#"{"a":true}"#,
            r#"{"a":[]}"#,
            r#"{"a":18446744073709551615}"#,
            "[]",
        ] {
            assert!(serde_json::from_str::<JsonRow>(other).is_err(), "{other}");
        }
    }
}
