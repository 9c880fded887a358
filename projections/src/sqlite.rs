//! The store in one SQLite file: the embedded default.
//!
//! One connection writes, behind a lock; a few others read. The journal is a write-ahead log, so that readers never wait
//! for the writer. A commit is not forced to disk (`synchronous = NORMAL`): a power failure may take the last ones away,
//! each whole and with its checkpoint, and the projector makes them again from the log.

use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::stream::BoxStream;
use futures_util::{StreamExt, TryStreamExt};
use sqlx::sqlite::{
    SqliteArguments, SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool,
    SqlitePoolOptions, SqliteRow, SqliteSynchronous,
};
use sqlx::{Arguments, AssertSqlSafe, ConnectOptions, Connection, Row as _, Sqlite, TypeInfo, ValueRef};
use stockledger_schemas::Timestamp;
use tokio::sync::{MappedMutexGuard, Mutex, MutexGuard};

use crate::changes::Changes;
use crate::checkpoint::{self, Checkpoint};
use crate::dialect::{Dialect, Mode, index_columns, shapes};
use crate::read::VersionState;
use crate::store::{Activation, Commit, Error, Select, Snapshot, Statement, Store};
use crate::table::{TABLES, Version, code_hash};
use crate::value::{Cell, Fields, Rows, Value};

/// How long a statement waits for a writer of another process.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
/// Connections that read.
const READERS_MAX: u32 = 4;
/// Rows that a reading connection fetches ahead; handing them over one by one costs more than reading them.
const ROWS_AHEAD: usize = 1_024;
/// Statements that a connection keeps prepared: all shapes of all tables, of two versions.
const STATEMENTS_MAX: usize = 160;

const META_TABLES: [&str; 4] = [
    "CREATE TABLE IF NOT EXISTS projection_versions (version INTEGER NOT NULL PRIMARY KEY, state TEXT NOT NULL, \
     code_hash TEXT NOT NULL, created_at INTEGER NOT NULL, owner TEXT NOT NULL DEFAULT '', owner_seen INTEGER NOT NULL DEFAULT 0, \
     records_done INTEGER NOT NULL DEFAULT 0, records_total INTEGER NOT NULL DEFAULT 0, \
     records_per_second INTEGER NOT NULL DEFAULT 0) STRICT",
    "CREATE TABLE IF NOT EXISTS projection_active (id INTEGER NOT NULL PRIMARY KEY, version INTEGER NOT NULL, \
     highest INTEGER NOT NULL DEFAULT 0) STRICT",
    "CREATE TABLE IF NOT EXISTS projection_checkpoints (version INTEGER NOT NULL, partition_id INTEGER NOT NULL, \
     next_offset INTEGER NOT NULL, term INTEGER NOT NULL, seq INTEGER NOT NULL, hash TEXT NOT NULL, before_hash TEXT NOT NULL, \
     reach INTEGER NOT NULL, last_valid_offset INTEGER NOT NULL, genesis TEXT NOT NULL, recorded_at INTEGER, \
     digest INTEGER NOT NULL, is_loaded INTEGER NOT NULL, hold_offset INTEGER NOT NULL DEFAULT 0, \
     hold_until INTEGER NOT NULL DEFAULT 0, halt_reason TEXT, PRIMARY KEY (version, partition_id)) STRICT, WITHOUT ROWID",
    // The one pointer row; version 0 stands for none.
    "INSERT OR IGNORE INTO projection_active (id, version) VALUES (1, 0)",
];

/// Read tables in a SQLite file.
#[derive(Debug)]
pub struct SqliteStore {
    /// Absent where the file is open for reading only.
    writer: Mutex<Option<SqliteConnection>>,
    /// How the writer connects again.
    writing: SqliteConnectOptions,
    readers: SqlitePool,
}

impl SqliteStore {
    /// Opens the file, or makes it.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if it cannot be opened, or is not a database.
    pub async fn open(path: &Path) -> Result<Self, Error> {
        let opening = unavailable("open the file");
        let writing = connecting(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Normal)
            .statement_cache_capacity(STATEMENTS_MAX)
            .pragma("cache_size", "-65536")
            .pragma("wal_autocheckpoint", "8192");
        let mut writer = SqliteConnection::connect_with(&writing).await.map_err(&opening)?;
        for statement in META_TABLES {
            sqlx::query(statement).execute(&mut writer).await.map_err(&opening)?;
        }
        check_columns(&mut writer, path).await?;
        Ok(Self { writer: Mutex::new(Some(writer)), writing, readers: readers(path).await? })
    }

    /// Opens the file for reading only, while another process may write to it; nothing is waited for and nothing is
    /// changed. Calls that write fail.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if it is not there or cannot be opened.
    pub async fn open_read_only(path: &Path) -> Result<Self, Error> {
        let readers = readers(path).await?;
        let mut reader = readers.acquire().await.map_err(unavailable("open the file"))?;
        check_columns(&mut reader, path).await?;
        drop(reader);
        Ok(Self { writer: Mutex::new(None), writing: connecting(path).read_only(true), readers })
    }

    /// The connection that writes, in no transaction.
    ///
    /// SQLite itself rolls back what fails for want of space. The client then fails to roll back, takes the transaction for
    /// open for ever, and begins no other: it is replaced.
    async fn writer(&self) -> Result<MappedMutexGuard<'_, SqliteConnection>, Error> {
        let failed = unavailable("connect again");
        let mut writer = self.writer.lock().await;
        if let Some(connection) = writer.as_mut().filter(|connection| connection.is_in_transaction()) {
            // A transaction that was dropped is rolled back before this is answered.
            connection.ping().await.map_err(&failed)?;
            if connection.is_in_transaction() {
                *connection = SqliteConnection::connect_with(&self.writing).await.map_err(&failed)?;
            }
        }
        MutexGuard::try_map(writer, Option::as_mut).map_err(|_| Error::ReadOnly)
    }
}

/// The tables of an earlier program have other columns.
async fn check_columns(connection: &mut SqliteConnection, path: &Path) -> Result<(), Error> {
    let sql = "SELECT owner, digest, highest FROM projection_versions, projection_checkpoints, projection_active LIMIT 0";
    match sqlx::query(sql).execute(connection).await {
        Ok(_) => Ok(()),
        Err(error) if error.to_string().contains("no such column") => {
            let advice = format!(
                "{} holds read tables of an earlier program: remove it and run `stockledger rebuild`; everything in it \
                 comes from the log",
                path.display()
            );
            Err(Error::Refused { operation: "open the file", advice, source: Box::new(error) })
        }
        Err(error) => Err(unavailable("open the file")(error)),
    }
}

fn connecting(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new().filename(path).busy_timeout(BUSY_TIMEOUT).disable_statement_logging()
}

async fn readers(path: &Path) -> Result<SqlitePool, Error> {
    let reading = connecting(path)
        .read_only(true)
        .statement_cache_capacity(STATEMENTS_MAX)
        .row_buffer_size(ROWS_AHEAD)
        .pragma("cache_size", "-16384");
    let pool = SqlitePoolOptions::new().max_connections(READERS_MAX).connect_with(reading).await;
    pool.map_err(unavailable("open the file"))
}

#[async_trait]
impl Store for SqliteStore {
    async fn create_version(&self, version: Version, created_at: Timestamp) -> Result<(), Error> {
        let failed = unavailable("create a version");
        let mut writer = self.writer().await?;
        let mut tx = writer.begin_with("BEGIN IMMEDIATE").await.map_err(&failed)?;
        check_code(&mut tx, version).await?;
        for table in TABLES {
            execute(&mut tx, Dialect::Sqlite.create_table(table, version), &[]).await.map_err(&failed)?;
        }
        let sql = "INSERT OR IGNORE INTO projection_versions (version, state, code_hash, created_at) VALUES (?, ?, ?, ?)";
        let hash = code_hash().to_string();
        let state = Cell::Text(VersionState::Building.as_str());
        execute(&mut tx, sql.to_owned(), &[version.into(), state, Cell::from(&hash), created_at.into()])
            .await
            .map_err(&failed)?;
        execute(&mut tx, checkpoint::NOTE_HIGHEST.to_owned(), &[version.into(), version.into()])
            .await
            .map_err(&failed)?;
        tx.commit().await.map_err(&failed)
    }

    fn has_one_writer(&self) -> bool {
        true
    }

    async fn create_indexes(&self, version: Version) -> Result<(), Error> {
        for table in TABLES {
            for (name, columns) in index_columns(table, version) {
                let sql = format!("CREATE INDEX IF NOT EXISTS {name} ON {} ({columns})", table.at(version));
                // Others get their turn between two of them.
                let mut writer = self.writer().await?;
                execute(&mut writer, sql, &[]).await.map_err(unavailable("create an index"))?;
            }
        }
        Ok(())
    }

    async fn drop_version(&self, version: Version) -> Result<(), Error> {
        let failed = unavailable("drop a version");
        let mut writer = self.writer().await?;
        let mut tx = writer.begin_with("BEGIN IMMEDIATE").await.map_err(&failed)?;
        let sql = "UPDATE projection_active SET version = version WHERE id = 1 AND version = ?";
        if execute(&mut tx, sql.to_owned(), &[version.into()]).await.map_err(&failed)? > 0 {
            return Err(Error::InUse(version));
        }
        for sql in [
            "DELETE FROM projection_checkpoints WHERE version = ?",
            "DELETE FROM projection_versions WHERE version = ?",
        ] {
            execute(&mut tx, sql.to_owned(), &[version.into()]).await.map_err(&failed)?;
        }
        for table in TABLES {
            execute(&mut tx, Dialect::Sqlite.drop_table(table, version), &[]).await.map_err(&failed)?;
        }
        tx.commit().await.map_err(&failed)
    }

    async fn activate(&self, expected: Option<Version>, next: Version) -> Result<Activation, Error> {
        let failed = unavailable("activate a version");
        let mut writer = self.writer().await?;
        let mut tx = writer.begin_with("BEGIN IMMEDIATE").await.map_err(&failed)?;
        let sql = "UPDATE projection_active SET version = ? WHERE id = 1 AND version = ?";
        let before = expected.map_or(Cell::Int(0), Cell::from);
        if execute(&mut tx, sql.to_owned(), &[next.into(), before]).await.map_err(&failed)? != 1 {
            return Ok(Activation::Superseded);
        }
        let sql = "UPDATE projection_versions SET state = ? WHERE version = ?";
        let [active, retired] =
            [VersionState::Active, VersionState::Retired].map(|state| Cell::Text(state.as_str()));
        execute(&mut tx, sql.to_owned(), &[retired, before]).await.map_err(&failed)?;
        if execute(&mut tx, sql.to_owned(), &[active, next.into()]).await.map_err(&failed)? != 1 {
            return Err(Error::NoSuchVersion(next));
        }
        // Nobody else writes to the file while this transaction is open.
        let expected = expected.unwrap_or(Version::NONE);
        if is_behind(&mut tx, expected, next).await.map_err(&failed)? {
            return Ok(Activation::Behind);
        }
        tx.commit().await.map_err(&failed)?;
        Ok(Activation::Activated)
    }

    async fn begin(&self, version: Version, first: &Checkpoint) -> Result<Commit, Error> {
        let failed = unavailable("begin a partition");
        let mut writer = self.writer().await?;
        let mut tx = writer.begin_with("BEGIN IMMEDIATE").await.map_err(&failed)?;
        let sql = "UPDATE projection_versions SET version = version WHERE version = ?";
        if execute(&mut tx, sql.to_owned(), &[version.into()]).await.map_err(&failed)? != 1 {
            return Err(Error::NoSuchVersion(version));
        }
        let sql = checkpoint::insert().replacen("INSERT", "INSERT OR IGNORE", 1);
        let hashes = first.hashes();
        let cells = first.cells(&hashes)?;
        let parameters: Vec<Cell<'_>> = std::iter::once(Cell::from(version)).chain(cells).collect();
        let inserted = execute(&mut tx, sql, &parameters).await.map_err(&failed)?;
        tx.commit().await.map_err(&failed)?;
        Ok(if inserted == 1 { Commit::Committed } else { Commit::Superseded })
    }

    async fn commit(
        &self,
        version: Version,
        expected_next_offset: u64,
        next: &Checkpoint,
        changes: &Changes,
    ) -> Result<Commit, Error> {
        let failed = unavailable("commit a batch");
        let mut writer = self.writer().await?;
        let mut tx = writer.begin_with("BEGIN IMMEDIATE").await.map_err(&failed)?;
        match advance(&mut tx, version, expected_next_offset, next).await? {
            Commit::Committed => {}
            other => return Ok(other),
        }
        write(&mut tx, version, changes).await?;
        tx.commit().await.map_err(&failed)?;
        Ok(Commit::Committed)
    }

    async fn update(&self, guard: &Statement, rest: &[Statement]) -> Result<Commit, Error> {
        let failed = unavailable("change what is known of versions");
        let mut writer = self.writer().await?;
        let mut tx = writer.begin_with("BEGIN IMMEDIATE").await.map_err(&failed)?;
        if run_statement(&mut tx, guard).await.map_err(&failed)? == 0 {
            return Ok(Commit::Superseded);
        }
        for statement in rest {
            run_statement(&mut tx, statement).await.map_err(&failed)?;
        }
        tx.commit().await.map_err(&failed)?;
        Ok(Commit::Committed)
    }

    async fn snapshot(&self) -> Result<Box<dyn Snapshot>, Error> {
        let tx = self.readers.begin().await.map_err(unavailable("begin to read"))?;
        Ok(Box::new(SqliteSnapshot { tx }))
    }

    async fn close(&self) {
        self.readers.close().await;
        // Dropping the file's last connection folds its journal back in; a failure loses nothing.
        let Ok(mut writer) = self.writer().await else { return };
        if let Err(error) = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&mut *writer).await {
            tracing::debug!(%error, "the projection store's journal was not folded back");
        }
    }
}

async fn check_code(tx: &mut SqliteConnection, version: Version) -> Result<(), Error> {
    let found: Option<String> =
        sqlx::query_scalar("SELECT code_hash FROM projection_versions WHERE version = ?")
            .bind(i64::from(version.0))
            .fetch_optional(tx)
            .await
            .map_err(unavailable("read a version"))?;
    let expected = code_hash();
    match found {
        Some(found) if found != expected.to_string() => Err(Error::OtherCode { version, expected, found }),
        _ => Ok(()),
    }
}

/// Whether a partition is further in one version than in another, or not wholly there in the other.
async fn is_behind(tx: &mut SqliteConnection, one: Version, other: Version) -> Result<bool, sqlx::Error> {
    let (one, other) = (i64::from(one.0), i64::from(other.0));
    let ahead: i64 = sqlx::query_scalar(checkpoint::AHEAD).bind(other).bind(one).fetch_one(&mut *tx).await?;
    let unloaded: i64 = sqlx::query_scalar(checkpoint::UNLOADED).bind(other).fetch_one(tx).await?;
    Ok(ahead > 0 || unloaded > 0)
}

/// Moves the checkpoint, if it is where it is expected to be.
async fn advance(
    tx: &mut SqliteConnection,
    version: Version,
    expected_next_offset: u64,
    next: &Checkpoint,
) -> Result<Commit, Error> {
    let failed = unavailable("advance a checkpoint");
    let hashes = next.hashes();
    let cells = next.cells(&hashes)?;
    let Some(parameters) = checkpoint::advance_parameters(cells, version, expected_next_offset) else {
        return Ok(Commit::Superseded);
    };
    if execute(tx, checkpoint::advance(Dialect::Sqlite), &parameters).await.map_err(&failed)? == 1 {
        return Ok(Commit::Committed);
    }
    let held: i64 = sqlx::query_scalar(AssertSqlSafe(Dialect::Sqlite.at_now(checkpoint::IS_HELD)))
        .bind(i64::from(version.0))
        .bind(i64::from(next.partition.0))
        .bind(i64::try_from(expected_next_offset).unwrap_or(i64::MAX))
        .bind(i64::try_from(next.next_offset).unwrap_or(i64::MAX))
        .fetch_one(tx)
        .await
        .map_err(&failed)?;
    Ok(if held == 0 { Commit::Superseded } else { Commit::Held })
}

async fn run_statement(tx: &mut SqliteConnection, statement: &Statement) -> Result<u64, sqlx::Error> {
    let cells: Vec<Cell<'_>> = statement.parameters.iter().map(Value::cell).collect();
    execute(tx, Dialect::Sqlite.at_now(statement.sql), &cells).await
}

async fn write(tx: &mut SqliteConnection, version: Version, changes: &Changes) -> Result<(), Error> {
    for (mode, rows) in changes.writes() {
        write_rows(tx, version, mode, rows).await?;
    }
    Ok(())
}

/// Writes rows piece by piece; while the database works on one, the next is made ready.
async fn write_rows(
    tx: &mut SqliteConnection,
    version: Version,
    mode: Mode,
    rows: &dyn Rows,
) -> Result<(), Error> {
    let table = rows.table();
    let failed = classify(table.name);
    let mut pieces = shapes(rows.count()).map(|range| {
        let count = range.len();
        let mut cells = Vec::new();
        rows.cells(range, &mut cells);
        debug_assert_eq!(cells.len(), count * table.columns.len());
        arguments(&cells).map(|arguments| (Dialect::Sqlite.write(mode, table, version, count), arguments))
    });
    let mut ready = pieces.next().transpose().map_err(&failed)?;
    while let Some((sql, arguments)) = ready {
        let (done, next) = futures_util::join!(run(tx, sql, arguments), async { pieces.next() });
        done.map_err(&failed)?;
        ready = next.transpose().map_err(&failed)?;
    }
    Ok(())
}

/// Runs one statement and says how many rows it hit.
async fn execute(tx: &mut SqliteConnection, sql: String, cells: &[Cell<'_>]) -> Result<u64, sqlx::Error> {
    run(tx, sql, arguments(cells)?).await
}

async fn run(tx: &mut SqliteConnection, sql: String, arguments: SqliteArguments) -> Result<u64, sqlx::Error> {
    // The SQL is constant text, names of our tables and question marks; values only ever travel as arguments.
    let done = sqlx::query_with::<Sqlite, _>(AssertSqlSafe(sql), arguments).execute(tx).await?;
    Ok(done.rows_affected())
}

fn arguments(cells: &[Cell<'_>]) -> Result<SqliteArguments, sqlx::Error> {
    let mut arguments = SqliteArguments::default();
    arguments.reserve(cells.len(), 0);
    for cell in cells {
        match cell {
            Cell::Null => arguments.add(None::<i64>),
            Cell::Int(number) => arguments.add(number),
            Cell::Text(text) => arguments.add(text),
        }
        .map_err(sqlx::Error::Encode)?;
    }
    Ok(arguments)
}

/// A read transaction; SQLite takes the moment of its first statement. Dropping it ends it.
struct SqliteSnapshot {
    tx: sqlx::Transaction<'static, Sqlite>,
}

impl Snapshot for SqliteSnapshot {
    fn stream<'a>(&'a mut self, select: Select) -> BoxStream<'a, Result<Fields, Error>> {
        let mut query = sqlx::query(AssertSqlSafe(Dialect::Sqlite.at_now(&select.sql)));
        for parameter in select.parameters {
            query = match parameter {
                Value::Null => query.bind(None::<i64>),
                Value::Int(number) => query.bind(number),
                Value::Text(text) => query.bind(text),
            };
        }
        query
            .fetch(&mut *self.tx)
            .map_err(unavailable("read"))
            .and_then(|row| async move { fields(&row) })
            .boxed()
    }
}

fn fields(row: &SqliteRow) -> Result<Fields, Error> {
    let values = (0..row.len()).map(|column| value(row, column)).collect::<Result<_, sqlx::Error>>();
    values.map(Fields::new).map_err(unavailable("read a row"))
}

fn value(row: &SqliteRow, column: usize) -> Result<Value, sqlx::Error> {
    let raw = row.try_get_raw(column)?;
    if raw.is_null() {
        return Ok(Value::Null);
    }
    let is_text = raw.type_info().name() == "TEXT";
    if is_text { row.try_get(column).map(Value::Text) } else { row.try_get(column).map(Value::Int) }
}

fn unavailable(operation: &'static str) -> impl Fn(sqlx::Error) -> Error {
    move |source| Error::Unavailable { operation, source: Box::new(source) }
}

/// A key that is there already is not something that trying again would help.
fn classify(operation: &'static str) -> impl Fn(sqlx::Error) -> Error {
    move |error| match error.as_database_error() {
        Some(database) if database.is_unique_violation() => {
            Error::DuplicateRow { operation, source: Box::new(error) }
        }
        _ => unavailable(operation)(error),
    }
}

#[cfg(test)]
mod tests;
