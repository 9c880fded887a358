//! The conformance suite on SQLite, and what only this store promises.

use std::sync::Arc;

use async_trait::async_trait;
use tempfile::TempDir;

use super::SqliteStore;
use crate::conformance::Factory;
use crate::store::{Error, Store};
use crate::table::Version;

/// Stores in a directory that is removed with it.
struct Files(TempDir);

impl Files {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }
}

#[async_trait]
impl Factory for Files {
    async fn create(&self) -> Arc<dyn Store> {
        self.open_again().await
    }

    async fn open_again(&self) -> Arc<dyn Store> {
        Arc::new(SqliteStore::open(&self.0.path().join("projections.sqlite")).await.unwrap())
    }
}

crate::store_conformance_suite!(conformance, Files::new());

#[tokio::test]
async fn a_file_that_is_no_database_is_refused() {
    let files = Files::new();
    let path = files.0.path().join("projections.sqlite");
    std::fs::write(
        &path,
        "this is a letter, not a database, and it is long enough to be read as one".repeat(20),
    )
    .unwrap();
    assert!(matches!(SqliteStore::open(&path).await, Err(Error::Unavailable { .. })));
}

#[tokio::test]
async fn a_directory_that_is_missing_is_named() {
    let files = Files::new();
    let error =
        SqliteStore::open(&files.0.path().join("missing").join("projections.sqlite")).await.unwrap_err();
    assert!(matches!(error, Error::Unavailable { operation: "open the file", .. }), "{error:?}");
}

#[tokio::test]
async fn tables_of_an_earlier_program_are_refused_with_what_to_do() {
    let files = Files::new();
    let path = files.0.path().join("projections.sqlite");
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&path).create_if_missing(true);
    let mut connection = sqlx::ConnectOptions::connect(&options).await.unwrap();
    let earlier =
        "CREATE TABLE projection_versions (version INTEGER NOT NULL PRIMARY KEY, state TEXT NOT NULL)";
    sqlx::query(earlier).execute(&mut connection).await.unwrap();
    for opened in [SqliteStore::open(&path).await, SqliteStore::open_read_only(&path).await] {
        let Err(Error::Refused { advice, .. }) = opened else { panic!("{opened:?}") };
        assert!(advice.contains("remove it and run `stockledger rebuild`"), "{advice}");
    }
}

/// A file that may not grow fails as on a full disk: SQLite rolls back by itself.
#[tokio::test]
async fn a_store_whose_disk_was_full_goes_on_once_there_is_space() {
    let files = Files::new();
    let store = SqliteStore::open(&files.0.path().join("projections.sqlite")).await.unwrap();
    let limit = async |pages: &'static str| {
        let mut writer = store.writer().await.unwrap();
        sqlx::query(pages).execute(&mut *writer).await.unwrap();
    };
    let now = stockledger_schemas::Timestamp::from_micros(1).unwrap();
    limit("PRAGMA max_page_count = 1").await;
    for _ in 0..2 {
        let error = store.create_version(Version::FIRST, now).await.unwrap_err();
        assert!(format!("{error:?}").contains("full"), "{error:?}");
    }
    limit("PRAGMA max_page_count = 100000").await;
    store.create_version(Version::FIRST, now).await.unwrap();
}
