//! Arguments and rows of both engines as [`Bind`] and [`Cell`]. Never knows a table.

use futures_util::StreamExt as _;
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{
    Arguments as _, AssertSqlSafe, Column as _, Row as _, SqliteConnection, TypeInfo as _, ValueRef as _,
};

use super::failure::failed;
use crate::error::{Result, StoreError};
use crate::value::{Bind, Cell};

/// Names of the columns of a row.
pub(crate) type Names = Vec<String>;

pub(super) type RowStream<'c> = futures_util::stream::BoxStream<'c, Result<(Names, Vec<Cell>)>>;

pub(super) fn sqlite_stream(
    conn: &mut SqliteConnection,
    text: AssertSqlSafe<String>,
    binds: Vec<Bind>,
    named: bool,
) -> Result<RowStream<'_>> {
    let query = sqlx::query_with(text, sqlite_arguments(binds)?);
    Ok(query
        .fetch(conn)
        .map(move |row| sqlite_row(&row.map_err(failed)?, named))
        .boxed())
}

pub(super) async fn run_sqlite(
    conn: &mut SqliteConnection,
    text: AssertSqlSafe<String>,
    binds: Vec<Bind>,
) -> Result<u64> {
    let query = sqlx::query_with(text, sqlite_arguments(binds)?);
    Ok(query.execute(conn).await.map_err(failed)?.rows_affected())
}

fn sqlite_arguments(list: Vec<Bind>) -> Result<SqliteArguments> {
    let mut arguments = SqliteArguments::default();
    for bind in list {
        match bind {
            Bind::Int(value) => arguments.add(value),
            Bind::Text(value) => arguments.add(value),
            Bind::Bytes(value) => arguments.add(value),
        }
        .map_err(|error| StoreError::Engine(sqlx::Error::Encode(error)))?;
    }
    Ok(arguments)
}

pub(super) fn postgres_arguments(list: Vec<Bind>) -> Result<PgArguments> {
    let mut arguments = PgArguments::default();
    for bind in list {
        match bind {
            Bind::Int(value) => arguments.add(value),
            Bind::Text(value) => arguments.add(value),
            Bind::Bytes(value) => arguments.add(value),
        }
        .map_err(|error| StoreError::Engine(sqlx::Error::Encode(error)))?;
    }
    Ok(arguments)
}

fn sqlite_row(row: &SqliteRow, named: bool) -> Result<(Names, Vec<Cell>)> {
    let mut cells = Vec::with_capacity(row.len());
    for at in 0..row.len() {
        let value = row.try_get_raw(at).map_err(failed)?;
        cells.push(match value.type_info().name() {
            _ if value.is_null() => Cell::Null,
            "INTEGER" => Cell::Int(row.try_get_unchecked(at).map_err(failed)?),
            "BLOB" => Cell::Bytes(row.try_get_unchecked(at).map_err(failed)?),
            _ => Cell::Text(row.try_get_unchecked(at).map_err(failed)?),
        });
    }
    Ok((names_of(row, named), cells))
}

pub(super) fn postgres_row(row: &PgRow, named: bool) -> Result<(Names, Vec<Cell>)> {
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
    Ok((names_of(row, named), cells))
}

fn names_of<R: sqlx::Row>(row: &R, named: bool) -> Names {
    let columns = if named { row.columns() } else { &[] };
    columns.iter().map(|column| column.name().to_owned()).collect()
}
