//! How the suite sets a store up and looks at what is in it.

use std::sync::Arc;

use stockledger_schemas::PartitionId;

use super::samples::{at, checkpoint};
use super::{FIRST, Factory, P0};
use crate::changes::Changes;
use crate::checkpoint::Checkpoint;
use crate::dialect::names;
use crate::read;
use crate::store::{Commit, Error, Select, Store};
use crate::table::{Table, Version};
use crate::value::{Cell, Fields, Row, Value};

/// A store with the first version, whose partition 0 is at offset 1.
pub(super) async fn begun(factory: &dyn Factory) -> Arc<dyn Store> {
    let store = factory.create().await;
    store.create_version(FIRST, at(1)).await.unwrap();
    assert_eq!(store.begin(FIRST, &checkpoint(P0, 1)).await.unwrap(), Commit::Committed);
    store
}

pub(super) async fn found(store: &dyn Store, version: Version, partition: PartitionId) -> Option<Checkpoint> {
    let mut snapshot = store.snapshot().await.unwrap();
    read::checkpoint(&mut *snapshot, version, partition).await.unwrap()
}

pub(super) async fn active(store: &dyn Store) -> Option<Version> {
    let mut snapshot = store.snapshot().await.unwrap();
    read::active(&mut *snapshot).await.unwrap()
}

/// All rows of a table, by key.
pub(super) async fn rows(store: &dyn Store, table: &Table, version: Version) -> Vec<Vec<Value>> {
    let (columns, key) = (names(table.columns), names(table.key()));
    let sql = format!("SELECT {columns} FROM {} ORDER BY {key}", table.at(version));
    let mut snapshot = store.snapshot().await.unwrap();
    let rows = snapshot.select(Select { sql, parameters: Vec::new() }).await.unwrap();
    rows.into_iter().map(Fields::rest).collect()
}

/// What rows must read like.
pub(super) fn values<R: Row>(rows: &[R]) -> Vec<Vec<Value>> {
    let value = |cell: Cell<'_>| match cell {
        Cell::Null => Value::Null,
        Cell::Int(number) => Value::Int(number),
        Cell::Text(text) => Value::Text(text.to_owned()),
    };
    let row = |row: &R| {
        let mut cells = Vec::new();
        row.cells(&mut cells);
        cells.into_iter().map(value).collect()
    };
    rows.iter().map(row).collect()
}

/// Commits changes on top of `begun`.
pub(super) async fn commit(store: &dyn Store, from: u64, changes: &Changes) -> Result<Commit, Error> {
    store.commit(FIRST, from, &checkpoint(P0, from + 1), changes).await
}
