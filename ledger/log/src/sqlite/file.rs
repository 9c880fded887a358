//! The file: how it is made, how it is recognised, and how connections to it are opened.
//!
//! A file is looked at through a read-only connection before anything else touches it, so a file that is not ours is
//! never changed, not even into another journal mode.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};

use super::rows::INSERT_SHAPES;
use crate::Error;

/// The format that this program writes, and the newest that it reads.
const FORMAT: i64 = 1;
/// "SLLG" in the header of the file, by which a Stockledger log is told from any other SQLite file.
const APPLICATION_ID: i64 = 0x534C_4C47;
/// Most partitions of one file. Each is a table, and each open log holds a number and a channel for each.
pub(super) const PARTITIONS_MAX: u16 = 1_024;
/// Prepared statements that a connection keeps; more are prepared anew when they are needed.
const STATEMENTS_CACHED_MAX: usize = 512;
/// Pages of 4 KiB in the write-ahead log after which they are moved into the file. A checkpoint costs two more syncs,
/// so it shall be rare; it also makes the commit that triggers it slow, so it shall not be large.
const CHECKPOINT_PAGES: &str = "4000";
const NOT_A_DATABASE: &str = "26";
/// What SQLite says of pages that are not what they must be, and the part of its codes that says so.
const CORRUPT: u32 = 11;
const PRIMARY_CODE: u32 = 0xFF;

/// Where a log is and how it is opened.
#[derive(Debug, Clone)]
pub(super) struct File {
    path: PathBuf,
    pub(super) settings: Settings,
}

/// What tests turn to reach situations that otherwise take minutes or gigabytes.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    /// How long a commit waits while another process holds the write lock.
    pub(super) busy_timeout: Duration,
    /// How often a waiting reader looks whether another process has written. What its own process writes, it is told.
    pub(super) poll_interval: Duration,
    /// Batches that may wait for the writing task. It is far above what the writers of all partitions keep in flight.
    pub(super) queued_batches_max: usize,
    /// The file may not grow beyond this, as if the disk were full.
    pub(super) file_pages_max: Option<u32>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            busy_timeout: Duration::from_secs(5),
            poll_interval: Duration::from_millis(50),
            queued_batches_max: 65_536,
            file_pages_max: None,
        }
    }
}

impl File {
    /// The file at `path`, which need not exist yet.
    pub(super) fn at(path: &Path, settings: Settings) -> Result<Self, Error> {
        // An absolute path cannot be mistaken for a `file:` address or for `:memory:`.
        let path = std::path::absolute(path).map_err(|error| unavailable("find the log file", error))?;
        Ok(Self { path, settings })
    }

    /// Makes a new log without records.
    pub(super) async fn create(&self, partitions: u16) -> Result<(), Error> {
        if !(1..=PARTITIONS_MAX).contains(&partitions) {
            return Err(Error::Mismatch(format!(
                "a log has from 1 to {PARTITIONS_MAX} partitions, not {partitions}"
            )));
        }
        let failed = |error| unavailable("create the log file", error);
        if tokio::fs::try_exists(&self.path).await.map_err(failed)? {
            return Err(self.mismatch("exists already; a log is never overwritten"));
        }
        // Made beside and moved into its place when it is whole, so that a creation that is interrupted leaves no log.
        let beside = Self { path: self.path.with_extension("creating"), settings: self.settings.clone() };
        match tokio::fs::remove_file(&beside.path).await {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
        beside.lay_out(partitions).await.map_err(|error| unavailable("create the log file", error))?;
        tokio::fs::rename(&beside.path, &self.path).await.map_err(failed)
    }

    async fn lay_out(&self, partitions: u16) -> Result<(), sqlx::Error> {
        let mut connection = self.writing(partitions).create_if_missing(true).connect().await?;
        sqlx::raw_sql(AssertSqlSafe(layout(partitions))).execute(&mut connection).await?;
        connection.close().await
    }

    /// Says how many partitions the log has, if the file is a log that this program can use.
    pub(super) async fn inspect(&self) -> Result<u16, Error> {
        let opened = |error| unavailable("open the log file", error);
        let length =
            tokio::fs::metadata(&self.path).await.map_err(|error| unavailable("open the log file", error))?;
        if length.len() == 0 {
            return Err(
                self.mismatch("is empty: its creation did not finish; delete it and create the log again")
            );
        }
        let mut connection =
            self.reading().connect().await.map_err(|error| self.foreign_or(error, opened))?;
        let id: i64 = sqlx::query_scalar("PRAGMA application_id")
            .fetch_one(&mut connection)
            .await
            .map_err(|error| self.foreign_or(error, opened))?;
        if id != APPLICATION_ID {
            return Err(self.mismatch("is not a stockledger log"));
        }
        let (format, partitions): (i64, i64) = sqlx::query_as("SELECT format, partitions FROM meta")
            .fetch_one(&mut connection)
            .await
            .map_err(opened)?;
        connection.close().await.map_err(opened)?;
        if format != FORMAT {
            return Err(Error::OtherFormat(format!(
                "{} has format {format}, this program reads format {FORMAT}: use the version of stockledger that wrote \
                 it, or a newer one",
                self.path.display()
            )));
        }
        u16::try_from(partitions).ok().filter(|number| (1..=PARTITIONS_MAX).contains(number)).ok_or_else(
            || self.mismatch(&format!("says that it has {partitions} partitions: it was damaged")),
        )
    }

    fn foreign_or(&self, error: sqlx::Error, otherwise: impl FnOnce(sqlx::Error) -> Error) -> Error {
        let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
        if code.as_deref() == Some(NOT_A_DATABASE) {
            return self.mismatch("is not a stockledger log: it is not even a SQLite file");
        }
        otherwise(error)
    }

    fn mismatch(&self, what: &str) -> Error {
        Error::Mismatch(format!("{} {what}", self.path.display()))
    }

    /// How the one writing connection is opened. FULL makes every commit wait for the disk: nothing is acknowledged
    /// that a power failure could take back.
    pub(super) fn writing(&self, partitions: u16) -> SqliteConnectOptions {
        let statements = usize::from(partitions).saturating_mul(INSERT_SHAPES).saturating_add(16);
        let options = self
            .connecting()
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .pragma("wal_autocheckpoint", CHECKPOINT_PAGES)
            .statement_cache_capacity(statements.min(STATEMENTS_CACHED_MAX));
        match self.settings.file_pages_max {
            Some(pages) => options.pragma("max_page_count", pages.to_string()),
            None => options,
        }
    }

    /// How a reading connection is opened.
    pub(super) fn reading(&self) -> SqliteConnectOptions {
        self.connecting().read_only(true)
    }

    fn connecting(&self) -> SqliteConnectOptions {
        SqliteConnectOptions::new()
            .filename(&self.path)
            .busy_timeout(self.settings.busy_timeout)
            .disable_statement_logging()
    }
}

fn layout(partitions: u16) -> String {
    let mut sql = format!(
        "BEGIN IMMEDIATE;
         PRAGMA application_id = {APPLICATION_ID};
         CREATE TABLE meta (
             id INTEGER PRIMARY KEY CHECK (id = 0),
             format INTEGER NOT NULL,
             partitions INTEGER NOT NULL
         ) STRICT;
         INSERT INTO meta (id, format, partitions) VALUES (0, {FORMAT}, {partitions});"
    );
    for partition in 0..partitions {
        sql.push_str(&table(partition));
    }
    sql.push_str("COMMIT;");
    sql
}

/// The offset is the row id, so an append always goes to the right-hand edge of one tree. The time is SQLite's, the
/// same for all rows of a statement: the log's own clock, as a broker's would be.
fn table(partition: u16) -> String {
    format!(
        "CREATE TABLE records_{partition} (
             offset INTEGER PRIMARY KEY CHECK (offset >= 0),
             key BLOB NOT NULL,
             value BLOB NOT NULL,
             appended_at_ms INTEGER NOT NULL DEFAULT (CAST(round(unixepoch('subsec') * 1000) AS INTEGER))
         ) STRICT;"
    )
}

/// The error of an operation that may work another time.
pub(super) fn unavailable(
    operation: &'static str,
    source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> Error {
    Error::Unavailable { operation, source: source.into() }
}

/// The error of a read: what SQLite finds damaged does not become better by trying again, and nobody reads past it.
pub(super) fn damaged_or_unavailable(operation: &'static str, error: sqlx::Error) -> Error {
    if is_damage(&error) {
        return Error::Mismatch(format!("the file of the log is damaged: {error}"));
    }
    unavailable(operation, error)
}

/// Whether what was read is not what was written.
pub(super) fn is_damage(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    let primary = code.and_then(|code| code.parse::<u32>().ok()).map(|code| code & PRIMARY_CODE);
    primary == Some(CORRUPT) || matches!(error, sqlx::Error::Decode(_))
}
