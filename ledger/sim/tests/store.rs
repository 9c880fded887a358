//! The store in memory: the conformance suite, the SQL that it reads against a real database, and the rules that can be
//! broken in it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use async_trait::async_trait;
use stockledger_projections::conformance::Factory;
use stockledger_projections::rows::HomeRow;
use stockledger_projections::store::{Error, Store};
use stockledger_projections::table::{HOMES, STOCK, TABLES};
use stockledger_projections::value::{Fields, Value};
use stockledger_projections::{
    Activation, Changes, Checkpoint, Commit, Select, SqliteStore, Statement, Version, read,
};
use stockledger_rules::{Rule, broken};
use stockledger_schemas::{Hash, PartitionId, Timestamp};
use stockledger_sim::store::{MemoryStore, Now};

const FIRST: Version = Version::FIRST;
const P0: PartitionId = PartitionId(0);

/// A clock that goes on by a microsecond each time that it is looked at.
fn clock() -> Now {
    let micros = AtomicI64::new(1_700_000_000_000_000);
    Arc::new(move || micros.fetch_add(1, Ordering::Relaxed))
}

/// One store in memory, opened again by cloning.
struct Memory(MemoryStore);

#[async_trait]
impl Factory for Memory {
    async fn create(&self) -> Arc<dyn Store> {
        self.open_again().await
    }

    async fn open_again(&self) -> Arc<dyn Store> {
        Arc::new(self.0.clone())
    }
}

stockledger_projections::store_conformance_suite!(memory, Memory(MemoryStore::new(false, clock())));

fn at(micros: i64) -> Timestamp {
    Timestamp::from_micros(micros).unwrap()
}

fn checkpoint(next_offset: u64) -> Checkpoint {
    Checkpoint {
        partition: P0,
        next_offset,
        term: 1,
        seq: next_offset,
        hash: Hash([1; 32]),
        before: Hash([2; 32]),
        reach: 1,
        last_valid_offset: next_offset,
        genesis: Hash([3; 32]),
        recorded_at: None,
        digest: 7,
        is_loaded: true,
    }
}

fn home(site: &str, seq: i64) -> Changes {
    let homes = vec![HomeRow { site: site.parse().unwrap(), partition: P0, seq }];
    Changes { homes, ..Changes::default() }
}

fn home_row(site: &str, seq: i64) -> Vec<Value> {
    vec![Value::from(&site), Value::Int(0), Value::Int(seq)]
}

/// A store with the first version, whose partition 0 is at offset 1.
async fn begun() -> MemoryStore {
    let store = MemoryStore::new(true, clock());
    store.create_version(FIRST, at(1)).await.unwrap();
    assert_eq!(store.begin(FIRST, &checkpoint(1)).await.unwrap(), Commit::Committed);
    store
}

async fn answer(store: &dyn Store, sql: &str, parameters: Vec<Value>) -> Vec<Vec<Value>> {
    let select = Select { sql: sql.to_owned(), parameters };
    let rows = store.snapshot().await.unwrap().select(select).await;
    rows.unwrap_or_else(|error| panic!("{sql}: {error:?}")).into_iter().map(Fields::rest).collect()
}

#[tokio::test]
async fn expressions_are_worked_out_as_a_database_does() {
    let files = tempfile::tempdir().unwrap();
    let database = SqliteStore::open(&files.path().join("projections.sqlite")).await.unwrap();
    let store = MemoryStore::new(true, clock());
    for expression in [
        "NULL = NULL",
        "1 <> NULL",
        "NULL AND 0",
        "0 AND NULL",
        "NULL AND 1",
        "NULL OR 1",
        "1 OR NULL",
        "NULL OR 0",
        "1 OR 0 AND 0",
        "(1 OR 0) AND 0",
        "7 AND 3",
        "1 IN (2, NULL)",
        "1 IN (1, NULL)",
        "NULL IN (1)",
        "3 IN (1, 2, 3)",
        "NULL IS NULL",
        "0 IS NULL",
        "0 IS NOT NULL",
        "(1 = NULL) IS NULL",
        "COALESCE(NULL, NULL, 3, 4)",
        "COALESCE(NULL, NULL)",
        "CASE WHEN NULL THEN 1 ELSE 2 END",
        "CASE WHEN 0 THEN 1 END",
        "CASE WHEN 0 THEN 1 WHEN 1 THEN 5 ELSE 2 END",
        "1 - 2 - 4",
        "1 - (2 - 4)",
        "NULL + 1",
        "1 + 1 = 2",
        "2 >= 1 AND 2 <= 2 AND 2 > 1 AND 1 < 2",
        "2 < 1 OR 2 > 2 OR 1 >= 2",
        "'a' < 'b'",
        "'B' < 'a'",
        "'ä' > 'z'",
        "'a' = 'A'",
        "'' = ''",
        "'; -- ?' <> ','",
        "id + highest - version",
        "highest IS NOT NULL AND version = 0",
    ] {
        let sql = format!("SELECT {expression} FROM projection_active WHERE id = 1");
        let expected = answer(&database, &sql, Vec::new()).await;
        assert_eq!(answer(&store, &sql, Vec::new()).await, expected, "{expression}");
    }
}

#[tokio::test]
async fn rows_are_hit_as_in_a_database() {
    let files = tempfile::tempdir().unwrap();
    let database = SqliteStore::open(&files.path().join("projections.sqlite")).await.unwrap();
    let memory = begun().await;
    let mut changes = home("b", 1);
    changes.homes.extend(
        ["a", "B", "c", "ab"].into_iter().zip([2, 3, 2, 1]).flat_map(|(site, seq)| home(site, seq).homes),
    );
    database.create_version(FIRST, at(1)).await.unwrap();
    let _ = database.begin(FIRST, &checkpoint(1)).await.unwrap();
    for store in [&database as &dyn Store, &memory] {
        assert_eq!(store.commit(FIRST, 1, &checkpoint(2), &changes).await.unwrap(), Commit::Committed);
    }
    let (one, nothing) = (Value::Int(1), Value::Null);
    let [a, b, unknown] = ["a", "b", "x"].map(|site| Value::from(&site));
    for (condition, parameters) in [
        ("ORDER BY site", vec![]),
        ("ORDER BY seq, site", vec![]),
        ("WHERE site = ? ORDER BY site", vec![a.clone()]),
        ("WHERE site = ? ORDER BY site", vec![nothing.clone()]),
        ("WHERE site IN (?,?,?,?) ORDER BY site", vec![b.clone(), unknown, a.clone(), b.clone()]),
        ("WHERE site = ? OR seq = ? ORDER BY site", vec![b.clone(), Value::Int(2)]),
        ("WHERE site = ? AND site = ? ORDER BY site", vec![a.clone(), b.clone()]),
        ("WHERE ? = site AND seq <> ? ORDER BY site", vec![a.clone(), one.clone()]),
        ("WHERE site > ? AND seq >= ? ORDER BY site", vec![a, one]),
        ("WHERE seq = ? ORDER BY site", vec![nothing]),
    ] {
        let sql = format!("SELECT seq, site FROM homes__v1 {condition}");
        let expected = answer(&database, &sql, parameters.clone()).await;
        assert_eq!(answer(&memory, &sql, parameters).await, expected, "{sql}");
    }
}

#[tokio::test]
async fn a_statement_that_is_not_understood_is_a_panic_with_its_text() {
    let store = begun().await;
    for sql in [
        "SELECT seq FROM homes__v1 LIMIT 1",
        "SELECT nothing FROM homes__v1",
        "SELECT seq FROM homes__vx",
        "SELECT seq FROM warehouses__v1",
        "SELECT a.seq FROM homes__v1 AS a",
        "SELECT COUNT(*) FROM homes__v1",
        "SELECT 1 < 2 = 1 FROM homes__v1",
        "SELECT 'it''s' FROM homes__v1",
        "SELECT seq FROM homes__v1 WHERE site LIKE 'a'",
        "DELETE FROM homes__v1",
        "SELECT seq FROM homes__v1 WHERE site = 1",
        "SELECT site + 1 FROM homes__v1 WHERE seq = ?",
        "",
    ] {
        let store = store.clone();
        let asked = tokio::spawn(async move {
            let changes = home("a", 1);
            let _ = store.commit(FIRST, 1, &checkpoint(2), &changes).await.unwrap();
            answer(&store, sql, Vec::new()).await
        });
        let panic = asked.await.unwrap_err().into_panic();
        let message = panic.downcast_ref::<String>().unwrap();
        assert!(message.contains(sql), "{message}");
    }
}

#[tokio::test]
async fn a_change_whose_outcome_databases_disagree_on_is_a_panic() {
    let store = begun().await;
    for sql in [
        "UPDATE projection_checkpoints SET term = 1, seq = term",
        "UPDATE projection_checkpoints SET version = 2",
        "UPDATE projection_checkpoints SET term = NULL",
        "UPDATE projection_checkpoints SET term = 'a'",
    ] {
        let store = store.clone();
        let statement = Statement { sql, parameters: Vec::new() };
        let asked = tokio::spawn(async move { store.update(&statement, &[]).await.map(drop) });
        assert!(asked.await.unwrap_err().is_panic(), "{sql}");
    }
    assert_eq!(store.checkpoint(FIRST, P0), Some(checkpoint(1)));
}

#[tokio::test]
async fn what_is_there_is_seen_without_sql() {
    let store = begun().await;
    assert_eq!((store.active(), store.versions(), store.has_indexes(FIRST)), (None, vec![FIRST], false));
    assert_eq!(store.commit(FIRST, 1, &checkpoint(2), &home("a", 1)).await.unwrap(), Commit::Committed);
    assert_eq!(store.activate(None, FIRST).await.unwrap(), Activation::Activated);
    store.create_indexes(FIRST).await.unwrap();
    assert_eq!((store.active(), store.has_indexes(FIRST)), (Some(FIRST), true));
    assert_eq!(store.checkpoint(FIRST, P0), Some(checkpoint(2)));
    assert_eq!(store.checkpoint(FIRST, PartitionId(1)), None);
    assert_eq!(store.rows(&HOMES, FIRST), [home_row("a", 1)]);
    for (table, version) in [(&STOCK, FIRST), (&HOMES, FIRST.next())] {
        assert_eq!(store.rows(table, version), Vec::<Vec<Value>>::new());
    }
}

#[tokio::test]
async fn tables_that_are_not_there_are_an_error_as_in_a_database() {
    let store = begun().await;
    let second = FIRST.next();
    let mut snapshot = store.snapshot().await.unwrap();
    for table in TABLES {
        let sql = format!("SELECT seq FROM {}", table.at(second));
        let sql = if table.name == STOCK.name { sql.replace("seq", "sku") } else { sql };
        let asked = snapshot.select(Select { sql, parameters: Vec::new() }).await;
        assert!(matches!(asked, Err(Error::Unavailable { .. })), "{}", table.name);
    }
    assert!(matches!(store.create_indexes(second).await, Err(Error::Unavailable { .. })));
}

#[tokio::test]
async fn a_closed_connection_does_nothing_and_others_go_on() {
    let store = begun().await;
    let other = store.clone();
    store.close().await;
    assert!(matches!(store.snapshot().await, Err(Error::Unavailable { .. })));
    let nothing = Changes::default();
    assert!(matches!(store.commit(FIRST, 1, &checkpoint(2), &nothing).await, Err(Error::Unavailable { .. })));
    assert_eq!(other.commit(FIRST, 1, &checkpoint(2), &nothing).await.unwrap(), Commit::Committed);
    assert!(read::checkpoint(&mut *store.clone().snapshot().await.unwrap(), FIRST, P0).await.is_ok());
}

#[tokio::test]
async fn a_commit_that_is_cut_in_two_leaves_rows_without_their_checkpoint() {
    let store = begun().await.with_between_steps(Arc::new(|| false));
    assert_eq!(store.commit(FIRST, 1, &checkpoint(2), &home("a", 1)).await.unwrap(), Commit::Committed);
    let rule = broken(Some(Rule::CheckpointWithRows));
    let cut = store.commit(FIRST, 2, &checkpoint(3), &home("b", 2)).await.unwrap_err();
    assert!(cut.is_retryable(), "{cut:?}");
    assert_eq!(store.checkpoint(FIRST, P0), Some(checkpoint(2)));
    assert_eq!(store.rows(&HOMES, FIRST), [home_row("a", 1), home_row("b", 2)]);
    let store = store.with_between_steps(Arc::new(|| true));
    assert_eq!(store.commit(FIRST, 2, &checkpoint(3), &home("c", 3)).await.unwrap(), Commit::Committed);
    assert_eq!(store.commit(FIRST, 2, &checkpoint(3), &home("d", 4)).await.unwrap(), Commit::Superseded);
    assert_eq!((store.checkpoint(FIRST, P0), store.rows(&HOMES, FIRST).len()), (Some(checkpoint(3)), 4));
    drop(rule);
    assert_eq!(store.commit(FIRST, 2, &checkpoint(3), &home("e", 5)).await.unwrap(), Commit::Superseded);
    assert_eq!(store.rows(&HOMES, FIRST).len(), 4);
}

#[tokio::test]
async fn a_commit_that_is_not_compared_writes_over_what_another_wrote() {
    let store = begun().await;
    assert_eq!(store.commit(FIRST, 1, &checkpoint(5), &home("a", 1)).await.unwrap(), Commit::Committed);
    let rule = broken(Some(Rule::CheckpointComparedFirst));
    assert_eq!(store.commit(FIRST, 1, &checkpoint(2), &home("a", 9)).await.unwrap(), Commit::Committed);
    assert_eq!(store.checkpoint(FIRST, P0), Some(checkpoint(2)));
    assert_eq!(store.rows(&HOMES, FIRST), [home_row("a", 9)]);
    drop(rule);
    assert_eq!(store.commit(FIRST, 1, &checkpoint(3), &home("b", 1)).await.unwrap(), Commit::Superseded);
    let again = store.commit(FIRST, 2, &checkpoint(3), &home("a", 9)).await;
    assert!(matches!(again, Err(Error::DuplicateRow { .. })), "{again:?}");
}

#[tokio::test]
async fn a_switch_that_is_not_compared_goes_back() {
    let store = begun().await;
    let second = FIRST.next();
    store.create_version(second, at(2)).await.unwrap();
    assert_eq!(store.activate(None, FIRST).await.unwrap(), Activation::Activated);
    assert_eq!(store.activate(Some(FIRST), second).await.unwrap(), Activation::Behind);
    let rule = broken(Some(Rule::SwitchNeverGoesBack));
    assert_eq!(store.activate(Some(FIRST), second).await.unwrap(), Activation::Activated);
    assert_eq!(store.active(), Some(second));
    drop(rule);
}
