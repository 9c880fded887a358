//! Running one statement: values in, values out.

use sqlx::mysql::{MySqlArguments, MySqlConnection, MySqlRow};
use sqlx::{Arguments, AssertSqlSafe, MySql, Row as _, TypeInfo, ValueRef};

use crate::value::{Cell, Fields, Value};

/// Runs one statement and says how many rows it hit; a row that was as it should be counts as hit.
pub(super) async fn execute(
    connection: &mut MySqlConnection,
    sql: impl Into<String>,
    cells: &[Cell<'_>],
) -> Result<u64, sqlx::Error> {
    run(connection, sql.into(), arguments(cells)?).await
}

pub(super) async fn run(
    connection: &mut MySqlConnection,
    sql: String,
    arguments: MySqlArguments,
) -> Result<u64, sqlx::Error> {
    // One value too few or too many would leave the connection waiting for an answer that never comes.
    debug_assert_eq!(sql.bytes().filter(|byte| *byte == b'?').count(), arguments.len(), "{sql}");
    // The SQL is constant text, names of our tables and question marks; values only ever travel as arguments.
    let done = sqlx::query_with::<MySql, _>(AssertSqlSafe(sql), arguments).execute(connection).await?;
    Ok(done.rows_affected())
}

pub(super) fn arguments(cells: &[Cell<'_>]) -> Result<MySqlArguments, sqlx::Error> {
    let mut arguments = MySqlArguments::default();
    arguments.reserve(cells.len(), 0);
    for cell in cells {
        match cell {
            Cell::Null => Arguments::add(&mut arguments, None::<i64>),
            Cell::Int(number) => Arguments::add(&mut arguments, *number),
            Cell::Text(text) => Arguments::add(&mut arguments, *text),
        }
        .map_err(sqlx::Error::Encode)?;
    }
    Ok(arguments)
}

pub(super) fn parameters(values: &[Value]) -> Result<MySqlArguments, sqlx::Error> {
    let cells: Vec<Cell<'_>> = values.iter().map(Value::cell).collect();
    arguments(&cells)
}

/// The first row of an answer, if there is one.
pub(super) async fn select_one(
    connection: &mut MySqlConnection,
    sql: impl Into<String>,
    values: &[Value],
) -> Result<Option<Fields>, sqlx::Error> {
    let query = sqlx::query_with::<MySql, _>(AssertSqlSafe(sql.into()), parameters(values)?);
    query.fetch_optional(connection).await?.map(|row| fields(&row)).transpose()
}

pub(super) fn fields(row: &MySqlRow) -> Result<Fields, sqlx::Error> {
    let values = (0..row.len()).map(|column| value(row, column)).collect::<Result<_, sqlx::Error>>();
    values.map(Fields::new)
}

/// Our tables hold numbers of one width and texts, nothing else.
fn value(row: &MySqlRow, column: usize) -> Result<Value, sqlx::Error> {
    let raw = row.try_get_raw(column)?;
    if raw.is_null() {
        return Ok(Value::Null);
    }
    let is_number = matches!(raw.type_info().name(), "BIGINT" | "INT");
    if is_number { row.try_get(column).map(Value::Int) } else { row.try_get(column).map(Value::Text) }
}
