//! Making and removing tables, which no transaction of these servers covers.
//!
//! One process at a time does it, behind a lock of the server's that is named after the database. Removing a version first
//! marks it, in a transaction (`switch`); from then on nobody begins, commits to or activates it. Its row goes last, so whatever is
//! left after a crash is found again.

use sqlx::AssertSqlSafe;
use sqlx::mysql::MySqlConnection;
use stockledger_schemas::Timestamp;

use super::failure::{DUPLICATE_KEY_NAME, Described, NO_SUCH_TABLE, failed, number};
use super::statements::{execute, select_one};
use crate::checkpoint;
use crate::dialect::{Dialect, MYSQL_ASCII, MYSQL_TABLE_OPTIONS, index_columns};
use crate::read::VersionState;
use crate::store::Error;
use crate::table::{TABLES, Table, Version, code_hash};
use crate::value::{Cell, Value};

/// Stands for the digest of the code in the row of a version that is being removed.
pub(super) const REMOVING: &str = "removing";
/// How long one process waits, in seconds, until another has made or removed its tables.
const LOCK_WAIT_SECONDS: i64 = 60;
/// A lock belongs to the server, so its name says which database; and it is at most 64 characters long.
const LOCK_NAME: &str = "CONCAT('stockledger ', LEFT(SHA2(DATABASE(), 256), 40))";

const VERSIONS: [(&str, &str); 9] = [
    ("version", "BIGINT NOT NULL PRIMARY KEY"),
    ("state", "VARCHAR(16) {ascii} NOT NULL"),
    ("code_hash", "VARCHAR(64) {ascii} NOT NULL"),
    ("created_at", "BIGINT NOT NULL"),
    ("owner", "VARCHAR(64) {ascii} NOT NULL DEFAULT ''"),
    ("owner_seen", "BIGINT NOT NULL DEFAULT 0"),
    ("records_done", "BIGINT NOT NULL DEFAULT 0"),
    ("records_total", "BIGINT NOT NULL DEFAULT 0"),
    ("records_per_second", "BIGINT NOT NULL DEFAULT 0"),
];
const ACTIVE: [(&str, &str); 3] = [
    ("id", "BIGINT NOT NULL PRIMARY KEY"),
    ("version", "BIGINT NOT NULL"),
    ("highest", "BIGINT NOT NULL DEFAULT 0"),
];
const CHECKPOINTS: [(&str, &str); 17] = [
    ("version", "BIGINT NOT NULL"),
    ("partition_id", "BIGINT NOT NULL"),
    ("next_offset", "BIGINT NOT NULL"),
    ("term", "BIGINT NOT NULL"),
    ("seq", "BIGINT NOT NULL"),
    ("hash", "VARCHAR(64) {ascii} NOT NULL"),
    ("before_hash", "VARCHAR(64) {ascii} NOT NULL"),
    ("reach", "BIGINT NOT NULL"),
    ("last_valid_offset", "BIGINT NOT NULL"),
    ("genesis", "VARCHAR(64) {ascii} NOT NULL"),
    ("recorded_at", "BIGINT"),
    ("digest", "BIGINT NOT NULL"),
    ("is_loaded", "BIGINT NOT NULL"),
    ("hold_offset", "BIGINT NOT NULL DEFAULT 0"),
    ("hold_until", "BIGINT NOT NULL DEFAULT 0"),
    ("halt_reason", "TEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"),
    ("PRIMARY KEY", "(version, partition_id)"),
];

/// Whether the tables about versions are there and may be read.
pub(super) async fn is_there(connection: &mut MySqlConnection) -> Result<bool, sqlx::Error> {
    // All three, since whoever made them may have stopped half-way; the pointer row is made last.
    let sql = "SELECT (SELECT COUNT(owner) FROM projection_versions) + (SELECT COUNT(digest) FROM projection_checkpoints) \
               FROM projection_active WHERE id = 1 AND highest >= 0";
    match select_one(connection, sql, &[]).await {
        Ok(row) => Ok(row.is_some()),
        Err(error) if number(&error) == Some(NO_SUCH_TABLE) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Makes the tables about versions, unless they are there.
pub(super) async fn create(connection: &mut MySqlConnection) -> Result<(), Error> {
    let failed = failed("create the tables about versions");
    lock(connection).await?;
    let tables: [(&str, &[(&str, &str)]); 3] = [
        ("projection_versions", &VERSIONS),
        ("projection_checkpoints", &CHECKPOINTS),
        ("projection_active", &ACTIVE),
    ];
    for (name, columns) in tables {
        ddl(connection, create_table(name, columns)).await.map_err(&failed)?;
    }
    // The one pointer row; version 0 stands for none.
    let sql = "INSERT INTO projection_active (id, version) VALUES (1, 0) ON DUPLICATE KEY UPDATE id = id";
    execute(connection, sql, &[]).await.map_err(&failed)?;
    Ok(())
}

fn create_table(name: &str, columns: &[(&str, &str)]) -> String {
    let columns: Vec<String> = columns.iter().map(|(name, kind)| format!("{name} {kind}")).collect();
    let columns = columns.join(", ").replace("{ascii}", MYSQL_ASCII);
    format!("CREATE TABLE IF NOT EXISTS {name} ({columns}) {MYSQL_TABLE_OPTIONS}")
}

/// Makes the tables of a version, or finds them made by this code.
pub(super) async fn create_version(
    connection: &mut MySqlConnection,
    version: Version,
    created_at: Timestamp,
) -> Result<(), Error> {
    let failed = failed("create a version");
    lock(connection).await?;
    let expected = code_hash();
    match code_of(connection, version).await.map_err(&failed)? {
        Some(found) if found == REMOVING => remove(connection, version).await.map_err(&failed)?,
        Some(found) if found != expected.to_string() => {
            return Err(Error::OtherCode { version, expected, found });
        }
        _ => {}
    }
    for table in TABLES {
        ddl(connection, Dialect::Mysql.create_table(table, version)).await.map_err(&failed)?;
    }
    let sql = "INSERT INTO projection_versions (version, state, code_hash, created_at) VALUES (?, ?, ?, ?) \
               ON DUPLICATE KEY UPDATE version = VALUES(version)";
    let hash = expected.to_string();
    let state = Cell::Text(VersionState::Building.as_str());
    execute(connection, sql, &[version.into(), state, Cell::from(&hash), created_at.into()])
        .await
        .map_err(&failed)?;
    execute(connection, checkpoint::NOTE_HIGHEST, &[version.into(), version.into()])
        .await
        .map_err(&failed)?;
    Ok(())
}

/// Makes the indexes of a version that are not there: all of a table in one pass over it.
pub(super) async fn create_indexes(connection: &mut MySqlConnection, version: Version) -> Result<(), Error> {
    for table in TABLES {
        create_indexes_of(connection, table, version)
            .await
            .map_err(failed("create the indexes of a version"))?;
    }
    Ok(())
}

/// The lock on making tables is not held meanwhile: a long table takes longer than anybody waits for that.
async fn create_indexes_of(
    connection: &mut MySqlConnection,
    table: &Table,
    version: Version,
) -> Result<(), sqlx::Error> {
    loop {
        let mut missing = Vec::new();
        for (name, columns) in index_columns(table, version) {
            if !has_index(connection, &table.at(version), &name).await? {
                missing.push(format!("ADD KEY {name} ({columns})"));
            }
        }
        if missing.is_empty() {
            return Ok(());
        }
        let sql = format!("ALTER TABLE {} {}", table.at(version), missing.join(", "));
        match ddl(connection, sql).await {
            // Somebody else has made one of them since; then it is looked again which are missing.
            Err(error) if number(&error) == Some(DUPLICATE_KEY_NAME) => {}
            made => return made,
        }
    }
}

async fn has_index(connection: &mut MySqlConnection, table: &str, name: &str) -> Result<bool, sqlx::Error> {
    let sql = "SELECT COUNT(*) FROM information_schema.statistics \
               WHERE table_schema = DATABASE() AND table_name = ? AND index_name = ?";
    let row = select_one(connection, sql, &[Value::from(&table), Value::from(&name)]).await?;
    Ok(row.is_some_and(|mut fields| fields.value() != Value::Int(0)))
}

/// Removes what is left of a version that is marked; nothing if it is not, because somebody else has made it again.
pub(super) async fn remove_marked(connection: &mut MySqlConnection, version: Version) -> Result<(), Error> {
    let failed = failed("drop a version");
    lock(connection).await?;
    if code_of(connection, version).await.map_err(&failed)?.as_deref() == Some(REMOVING) {
        remove(connection, version).await.map_err(&failed)?;
    }
    Ok(())
}

async fn remove(connection: &mut MySqlConnection, version: Version) -> Result<(), sqlx::Error> {
    for table in TABLES {
        ddl(connection, Dialect::Mysql.drop_table(table, version)).await?;
    }
    let sql = "DELETE FROM projection_versions WHERE version = ?";
    execute(connection, sql, &[version.into()]).await.map(drop)
}

async fn code_of(connection: &mut MySqlConnection, version: Version) -> Result<Option<String>, sqlx::Error> {
    let sql = "SELECT code_hash FROM projection_versions WHERE version = ?";
    let row = select_one(connection, sql, &[Value::from(version.0)]).await?;
    Ok(row.map(|mut fields| match fields.value() {
        Value::Text(code) => code,
        other => other.to_string(),
    }))
}

/// Waits for the lock. It belongs to the connection and ends with it, so the connection is not to be used again.
async fn lock(connection: &mut MySqlConnection) -> Result<(), Error> {
    const OPERATION: &str = "make or remove tables";
    let sql = format!("SELECT GET_LOCK({LOCK_NAME}, ?)");
    let row =
        select_one(connection, sql, &[Value::Int(LOCK_WAIT_SECONDS)]).await.map_err(failed(OPERATION))?;
    match row.map(|mut fields| fields.value()) {
        Some(Value::Int(1)) => Ok(()),
        _ => {
            let source = Described::new("another process has been doing it for a minute");
            Err(Error::Unavailable { operation: OPERATION, source: Box::new(source) })
        }
    }
}

async fn ddl(connection: &mut MySqlConnection, sql: String) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await.map(drop)
}
