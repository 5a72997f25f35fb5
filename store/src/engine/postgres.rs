//! PostgreSQL: every statement is a round trip, so statements that do not need each other's answers go together, as
//! one statement. Never knows a table.

mod group_commit;
mod joint;
mod pool;
mod statistics;
mod whole;

use std::fmt::Write as _;
use std::str::FromStr as _;

use futures_util::TryStreamExt as _;
use futures_util::stream::StreamExt as _;
use serde::Deserialize;
use serde::de::{MapAccess, Visitor};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions, PgRow};
use sqlx::{AssertSqlSafe, Column as _, Row as _, TypeInfo as _, ValueRef as _};

pub(crate) use self::group_commit::Writing;
use self::group_commit::{GroupCommit, Ticket, WRITE_DOWN};
use self::joint::{Answer, Joint};
pub(super) use self::pool::{Pool, Postgresql};
use self::statistics::Statistics;
use self::whole::{Failure, Whole, bound};
use super::batch::{Change, Durability, Looks, Note, Query};
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

/// Has the events numbered that the transaction noted: the trigger of this table does it, once, whatever is inserted.
pub(super) const NUMBER: &str = "INSERT INTO feed_flush SELECT 1 WHERE false;";

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
    Ok(Pool::new(
        driver,
        connections,
        pool::Behind {
            group: GroupCommit::start(options.clone()),
            joint: Joint::start(options.clone()),
            statistics: Statistics::start(options),
        },
    ))
}

/// Runs a last script ([`NUMBER`]), commits and gives the connection back; returns when what was written is on the disk,
/// which several commits wait for together.
///
/// The script goes with the commit, so that what it locks, which is what all others wait for, is not locked while an answer
/// travels and the next word is sent.
///
/// # Errors
/// `unavailable` if it is unknown whether the commit will be remembered.
pub(super) async fn commit(mut conn: Postgresql, last: &str) -> Result<()> {
    let group = conn.group();
    let ticket = group.ticket();
    let brief = ticket.map_or("", |_| "SET LOCAL synchronous_commit = off; ");
    let sql = AssertSqlSafe(format!("{brief}{last} COMMIT"));
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
        let text = arguments(&translate(Dialect::Postgres, &query.sql), "$", values.len());
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
    let rows = whole.run(conn, main).await.map_err(Failure::said)?;
    rows.iter().map(cells).collect()
}

/// Runs changes as one statement, and notes events to be numbered with the commit.
pub(super) async fn end(conn: &mut Postgresql, changes: Vec<Change>, note: Option<Note>) -> Result<()> {
    let whole = Whole::of(changes, false);
    let noted = match note {
        Some(note) => whole.note(conn, Note::text(std::iter::once(&note))).await,
        None => whole.run(conn, None).await.map(drop),
    };
    noted.map_err(Failure::said)
}

/// Runs changes and has events numbered after all of them, in one statement that is the whole transaction. Several that end
/// at the same time may be one.
pub(super) async fn end_at_once(
    conn: &mut Postgresql,
    changes: Vec<Change>,
    note: Option<Note>,
) -> Result<Option<Waiting>> {
    let Some(ticket) = conn.group().ticket() else {
        return ending(conn, changes, note, Durability::Full).await.map(|()| None);
    };
    let joint = match conn.joint().take(changes, note) {
        Ok(answer) => Some(answer),
        Err((changes, note)) => {
            ending(conn, changes, note, Durability::Brief).await?;
            None
        }
    };
    Ok(Some(Waiting {
        pool: conn.pool(),
        ticket,
        joint,
    }))
}

/// What has to be waited for before anybody is told that a transaction ended. Needs no connection meanwhile.
pub(crate) struct Waiting {
    pool: Pool,
    ticket: Ticket,
    /// Set while it goes with others.
    joint: Option<Answer>,
}

impl Waiting {
    /// Returns when the transaction is kept and on the disk.
    ///
    /// # Errors
    /// Why nothing of it is kept; `unavailable` if that is unknown.
    pub(crate) async fn wait(self) -> Result<()> {
        if let Some(answer) = self.joint
            && let Some((changes, note)) = answer.wait().await?
        {
            let mut conn = self.pool.acquire().await?;
            ending(&mut conn, changes, note, Durability::Brief).await?;
            conn.release();
        }
        self.pool.group().wait(self.ticket).await
    }
}

async fn ending(
    conn: &mut Postgresql,
    changes: Vec<Change>,
    note: Option<Note>,
    durability: Durability,
) -> Result<()> {
    let mut whole = Whole::of(changes, note.is_some());
    if durability == Durability::Brief {
        whole.is_brief();
    }
    let ended = match note {
        Some(note) => whole.end(conn, Note::text(std::iter::once(&note))).await,
        None => whole.run(conn, None).await.map(drop),
    };
    ended.map_err(Failure::said)
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
