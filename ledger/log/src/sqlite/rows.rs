//! The SQL of the record tables: appending, reading, and finding the end.
//!
//! Appends use few fixed shapes, one INSERT for each power of two up to [`ROWS_PER_INSERT_MAX`] rows, so that every
//! statement is prepared once and any number of rows takes only a handful of statements.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use futures_util::TryStreamExt;
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{Arguments, AssertSqlSafe, Row, SqliteConnection};

use crate::{Bounds, Entry, StoredRecord};

/// Rows of the largest INSERT; 3 variables each, SQLite takes 32,766.
const ROWS_PER_INSERT_MAX: usize = 512;
/// How many shapes of INSERT there are for one table: 1, 2, 4, ... rows.
pub(super) const INSERT_SHAPES: usize = ROWS_PER_INSERT_MAX.ilog2() as usize + 1;
/// A read ends with the record that reaches this many bytes.
const READ_BYTES_MAX: usize = 8 << 20;

/// Texts of the INSERT statements, made when they are first needed.
#[derive(Debug, Default)]
pub(super) struct InsertTexts(HashMap<(u16, usize), Arc<str>>);

impl InsertTexts {
    fn get(&mut self, partition: u16, rows: usize) -> AssertSqlSafe<Arc<str>> {
        let text = self.0.entry((partition, rows)).or_insert_with(|| {
            let values = vec!["(?,?,?)"; rows].join(",");
            format!("INSERT INTO records_{partition} (offset, key, value) VALUES {values}").into()
        });
        AssertSqlSafe(Arc::clone(text))
    }
}

/// One INSERT, ready to be run.
struct Insert {
    partition: u16,
    rows: usize,
    arguments: SqliteArguments,
}

/// Appends the entries of every partition at the offset given for it, all or none.
///
/// One INSERT is a transaction by itself. It needs no BEGIN and COMMIT, each of which is one more trip to SQLite's
/// thread: a lone record takes a single one.
pub(super) async fn append(
    connection: &mut SqliteConnection,
    texts: &mut InsertTexts,
    entries: BTreeMap<u16, (u64, Vec<Entry>)>,
) -> Result<(), sqlx::Error> {
    let mut inserts = Vec::new();
    for (partition, (first, entries)) in entries {
        split(partition, first, entries, &mut inserts)?;
    }
    if inserts.len() <= 1 {
        return run(connection, texts, inserts).await;
    }
    sqlx::query("BEGIN IMMEDIATE").execute(&mut *connection).await?;
    run(connection, texts, inserts).await?;
    sqlx::query("COMMIT").execute(connection).await?;
    Ok(())
}

async fn run(
    connection: &mut SqliteConnection,
    texts: &mut InsertTexts,
    inserts: Vec<Insert>,
) -> Result<(), sqlx::Error> {
    for insert in inserts {
        let text = texts.get(insert.partition, insert.rows);
        sqlx::query_with(text, insert.arguments).execute(&mut *connection).await?;
    }
    Ok(())
}

/// Cuts the entries of one partition into as few statements as the shapes allow.
fn split(
    partition: u16,
    first: u64,
    entries: Vec<Entry>,
    inserts: &mut Vec<Insert>,
) -> Result<(), sqlx::Error> {
    let mut offset = stored_offset(first)?;
    let mut entries = entries.into_iter();
    while entries.len() > 0 {
        let rows = (1 << entries.len().ilog2()).min(ROWS_PER_INSERT_MAX);
        let mut arguments = SqliteArguments::default();
        arguments.reserve(3 * rows, 0);
        for entry in entries.by_ref().take(rows) {
            add(&mut arguments, offset, entry).map_err(sqlx::Error::Encode)?;
            offset += 1;
        }
        inserts.push(Insert { partition, rows, arguments });
    }
    Ok(())
}

/// Bytes that nobody else holds become a vector without being copied.
fn add(arguments: &mut SqliteArguments, offset: i64, entry: Entry) -> Result<(), sqlx::error::BoxDynError> {
    arguments.add(offset)?;
    arguments.add(Vec::from(entry.key))?;
    arguments.add(Vec::from(entry.value))
}

/// Reads records in order from `from` on: at most `count_max` of them, and no more than fit in memory.
///
/// The records are dense among themselves. The first one may stand behind `from`, if rows were deleted.
pub(super) async fn read(
    connection: &mut SqliteConnection,
    partition: u16,
    from: u64,
    count_max: usize,
) -> Result<Vec<StoredRecord>, sqlx::Error> {
    // What SQLite cannot store, it does not have.
    let Ok(from) = i64::try_from(from) else { return Ok(Vec::new()) };
    let text = format!(
        "SELECT offset, key, value, appended_at_ms FROM records_{partition} \
         WHERE offset >= ? ORDER BY offset LIMIT ?"
    );
    let mut rows = sqlx::query(AssertSqlSafe(text))
        .bind(from)
        .bind(i64::try_from(count_max).unwrap_or(i64::MAX))
        .fetch(connection);
    let mut records: Vec<StoredRecord> = Vec::new();
    let mut bytes = 0;
    while let Some(row) = rows.try_next().await? {
        let record = decode(&row)?;
        if records.last().is_some_and(|last| last.offset + 1 != record.offset) {
            break;
        }
        bytes += record.key.len() + record.value.len();
        records.push(record);
        if bytes >= READ_BYTES_MAX {
            break;
        }
    }
    Ok(records)
}

fn decode(row: &SqliteRow) -> Result<StoredRecord, sqlx::Error> {
    Ok(StoredRecord {
        offset: given_offset(row.try_get(0)?)?,
        key: row.try_get::<Vec<u8>, _>(1)?.into(),
        value: row.try_get::<Vec<u8>, _>(2)?.into(),
        appended_at_ms: row.try_get(3)?,
    })
}

/// How much of a partition there is. Two look-ups at the edges of the tree, not a scan.
pub(super) async fn bounds(connection: &mut SqliteConnection, partition: u16) -> Result<Bounds, sqlx::Error> {
    let text = format!(
        "SELECT (SELECT min(offset) FROM records_{partition}), (SELECT max(offset) FROM records_{partition})"
    );
    let (first, last): (Option<i64>, Option<i64>) =
        sqlx::query_as(AssertSqlSafe(text)).fetch_one(connection).await?;
    match (first, last) {
        (Some(first), Some(last)) => {
            Ok(Bounds { begin: given_offset(first)?, end: given_offset(last)?.saturating_add(1) })
        }
        _ => Ok(Bounds { begin: 0, end: 0 }),
    }
}

fn stored_offset(offset: u64) -> Result<i64, sqlx::Error> {
    i64::try_from(offset).map_err(|error| sqlx::Error::Encode(error.into()))
}

fn given_offset(offset: i64) -> Result<u64, sqlx::Error> {
    u64::try_from(offset).map_err(|error| sqlx::Error::Decode(error.into()))
}
