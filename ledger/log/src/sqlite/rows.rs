//! The SQL of the record tables: appending, reading, and finding the end.
//!
//! Every statement is a trip to SQLite's thread and back, and every row that comes back is one more message between
//! threads; both cost more than the work itself. So a partition's rows are appended by one INSERT of a fixed shape, and
//! many records are read as one row.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use bytes::Bytes;
use sqlx::error::BoxDynError;
use sqlx::sqlite::SqliteArguments;
use sqlx::{Arguments, AssertSqlSafe, SqliteConnection};

use crate::{Bounds, Entry, StoredRecord};

/// Rows of the largest INSERT; 3 variables each, SQLite takes 32,766.
const ROWS_PER_INSERT_MAX: usize = 512;
/// How many shapes of INSERT there are for one table: 1, 2, 4, ... rows.
pub(super) const INSERT_SHAPES: usize = ROWS_PER_INSERT_MAX.ilog2() as usize + 1;
/// Records of one pack. Together with [`PACKED_BYTES_MAX`] it bounds the memory of a read.
const PACK_RECORDS_MAX: usize = 512;
/// Key and value of a record that is read as part of a pack. A larger one is read by itself.
const PACKED_BYTES_MAX: usize = 64 << 10;

/// Texts of the INSERT statements, made when they are first needed. There is one shape for each power of two of rows, so
/// that each is prepared once; the places that a batch leaves free are NULL and skipped.
#[derive(Debug, Default)]
pub(super) struct InsertTexts(HashMap<(u16, usize), Arc<str>>);

impl InsertTexts {
    fn get(&mut self, partition: u16, rows: usize) -> AssertSqlSafe<Arc<str>> {
        let text = self.0.entry((partition, rows)).or_insert_with(|| {
            let values = vec!["(?,?,?)"; rows].join(",");
            format!(
                "INSERT INTO records_{partition} (offset, key, value) \
                 SELECT column1, column2, column3 FROM (VALUES {values}) WHERE column1 IS NOT NULL"
            )
            .into()
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
        let rows = entries.len().min(ROWS_PER_INSERT_MAX).next_power_of_two();
        let mut arguments = SqliteArguments::default();
        arguments.reserve(3 * rows, 0);
        for _ in 0..rows {
            let entry = entries.next();
            add(&mut arguments, offset, entry).map_err(sqlx::Error::Encode)?;
            offset += 1;
        }
        inserts.push(Insert { partition, rows, arguments });
    }
    Ok(())
}

/// Fills one row of an INSERT. Bytes that nobody else holds become a vector without being copied.
fn add(arguments: &mut SqliteArguments, offset: i64, entry: Option<Entry>) -> Result<(), BoxDynError> {
    arguments.add(entry.is_some().then_some(offset))?;
    let (key, value) = entry.map(|entry| (Vec::from(entry.key), Vec::from(entry.value))).unzip();
    arguments.add(key)?;
    arguments.add(value)
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
    let Some(pack) = read_pack(connection, partition, from, count_max).await? else { return Ok(Vec::new()) };
    let records = pack.open().map_err(sqlx::Error::Decode)?;
    if records.is_empty() { Ok(vec![read_one(connection, partition, from).await?]) } else { Ok(records) }
}

/// Many records in one row.
struct Pack {
    /// For each record `offset key-length value-length appended-at`, separated by commas.
    numbers: String,
    /// The keys of all records that are not too large, one behind the other.
    keys: Bytes,
    /// Their values likewise.
    values: Bytes,
}

/// Packs the next records, if there are any.
///
/// A cast between BLOB and TEXT changes no byte, and `group_concat` appends bytes as they are. It takes rows in the
/// order of the inner SELECT; were that to change, the offsets would not be dense and the read would fail.
async fn read_pack(
    connection: &mut SqliteConnection,
    partition: u16,
    from: i64,
    count_max: usize,
) -> Result<Option<Pack>, sqlx::Error> {
    let text = format!(
        "SELECT group_concat(offset || ' ' || length(key) || ' ' || length(value) || ' ' || appended_at_ms),
                CAST(group_concat(CAST(key AS TEXT), '') FILTER (WHERE small) AS BLOB),
                CAST(group_concat(CAST(value AS TEXT), '') FILTER (WHERE small) AS BLOB)
         FROM (SELECT offset, key, value, appended_at_ms,
                      length(key) + length(value) <= {PACKED_BYTES_MAX} AS small
               FROM records_{partition} WHERE offset >= ? ORDER BY offset LIMIT ?)"
    );
    let count_max = i64::try_from(count_max.min(PACK_RECORDS_MAX)).unwrap_or(i64::MAX);
    let (numbers, keys, values): (Option<String>, Option<Vec<u8>>, Option<Vec<u8>>) =
        sqlx::query_as(AssertSqlSafe(text)).bind(from).bind(count_max).fetch_one(connection).await?;
    Ok(numbers.map(|numbers| Pack {
        numbers,
        keys: keys.unwrap_or_default().into(),
        values: values.unwrap_or_default().into(),
    }))
}

impl Pack {
    /// The records up to the first that is too large or that does not follow the one before.
    fn open(mut self) -> Result<Vec<StoredRecord>, BoxDynError> {
        let mut records: Vec<StoredRecord> = Vec::with_capacity(PACK_RECORDS_MAX);
        for numbers in self.numbers.split(',') {
            let mut numbers = numbers.split(' ');
            let mut number = || numbers.next().ok_or("a number is missing");
            let offset: u64 = number()?.parse()?;
            let (key_length, value_length) = (number()?.parse()?, number()?.parse()?);
            let appended_at_ms = number()?.parse()?;
            let follows = records.last().is_none_or(|last| last.offset + 1 == offset);
            if !follows || key_length + value_length > PACKED_BYTES_MAX {
                break;
            }
            let key = take(&mut self.keys, key_length)?;
            let value = take(&mut self.values, value_length)?;
            records.push(StoredRecord { offset, key, value, appended_at_ms });
        }
        Ok(records)
    }
}

/// The next `length` bytes, shared and not copied.
fn take(bytes: &mut Bytes, length: usize) -> Result<Bytes, BoxDynError> {
    if length <= bytes.len() { Ok(bytes.split_to(length)) } else { Err("bytes are missing".into()) }
}

/// Reads the next record, of whatever size.
async fn read_one(
    connection: &mut SqliteConnection,
    partition: u16,
    from: i64,
) -> Result<StoredRecord, sqlx::Error> {
    let text = format!(
        "SELECT offset, key, value, appended_at_ms FROM records_{partition} WHERE offset >= ? ORDER BY offset LIMIT 1"
    );
    let (offset, key, value, appended_at_ms): (i64, Vec<u8>, Vec<u8>, i64) =
        sqlx::query_as(AssertSqlSafe(text)).bind(from).fetch_one(connection).await?;
    Ok(StoredRecord { offset: given_offset(offset)?, key: key.into(), value: value.into(), appended_at_ms })
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
