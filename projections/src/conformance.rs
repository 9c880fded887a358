//! The conformance suite: what every store must do, as one async function per promise.
//!
//! A [`Factory`] makes a fresh store for each of them. [`store_conformance_suite!`](crate::store_conformance_suite) turns
//! the suite into separate tests of a store. Nothing here may know which store it is running against.

#![expect(clippy::missing_panics_doc, reason = "a promise that is not kept is a panic: these are tests")]
#![allow(clippy::unwrap_used, reason = "a promise that is not kept is a panic: these are tests")]

mod samples;
mod support;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use stockledger_schemas::PartitionId;
use tokio::time::Instant;

use self::samples::{at, checkpoint, extreme_changes, movement, order, site, sku, stock, trail};
use self::support::{active, begun, commit, found, rows, values};
use crate::changes::Changes;
use crate::checkpoint::Checkpoint;
use crate::compare::compare;
use crate::read;
use crate::rows::{HomeRow, ItemRow, MovementRow, OrderRow, SiteRow, StockRow, TrailRow};
use crate::store::{Activation, Commit, Error, Select, Store};
use crate::table::{MOVEMENTS, STOCK, TABLES, TRAIL, Version};
use crate::value::{Row, Value};
use crate::versions::{self, Filling, Owner};
use crate::view::Missing;

/// Makes the stores that the suite is run on.
#[async_trait]
pub trait Factory: Send + Sync {
    /// A fresh store without any version. It is called once per factory.
    async fn create(&self) -> Arc<dyn Store>;

    /// Opens the store that [`Factory::create`] made once more, as another process would.
    async fn open_again(&self) -> Arc<dyn Store>;
}

/// The suite as separate tests of one store, in a module of the given name: `store_conformance_suite!(name, FACTORY)`.
///
/// `FACTORY` is an expression that is evaluated for every test. The crate must have `tokio` with its macros and its
/// multi-threaded runtime.
#[macro_export]
macro_rules! store_conformance_suite {
    (@tests $factory:expr; $($promise:ident)+) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $promise() {
            let factory = $factory;
            let tested = $crate::conformance::$promise(&factory);
            let deadline = std::time::Duration::from_secs(60);
            tokio::time::timeout(deadline, tested).await.expect("the store answers in time");
        }
    )+};
    ($name:ident, $factory:expr) => {
        mod $name {
            use super::*;

            $crate::store_conformance_suite!(@tests $factory;
                a_fresh_store_has_no_version
                a_version_is_made_once_and_found_again
                the_pointer_moves_by_compare_and_set
                a_version_that_does_not_exist_is_not_activated
                a_version_that_is_behind_is_not_activated
                a_version_in_use_is_not_dropped
                dropping_a_version_leaves_nothing_of_it
                a_version_that_is_not_loaded_is_not_activated
                indexes_are_made_once
                one_owner_fills_a_version
                versions_are_held_at_the_one_that_is_further
                a_hold_that_is_over_holds_nothing
                what_halted_a_partition_is_behind_the_next_commit
                a_partition_begins_once
                a_checkpoint_comes_back_as_it_was
                a_commit_from_another_offset_writes_nothing
                of_two_committers_one_loses
                partitions_advance_apart
                every_kind_of_value_comes_back_as_it_was
                every_count_of_rows_is_written_whole
                rows_of_state_are_overwritten
                a_movement_is_written_only_once
                a_failed_commit_leaves_nothing
                keys_compare_byte_for_byte
                rows_are_loaded_by_key
                nothing_is_loaded_from_another_checkpoint
                a_snapshot_does_not_move
                versions_do_not_see_each_other
                another_process_sees_what_is_committed
            );
        }
    };
}

const FIRST: Version = Version::FIRST;
const P0: PartitionId = PartitionId(0);

/// Before anything is made there is no version and none is active.
pub async fn a_fresh_store_has_no_version(factory: &dyn Factory) {
    let store = factory.create().await;
    assert_eq!(active(&*store).await, None);
    let mut snapshot = store.snapshot().await.unwrap();
    assert_eq!(read::versions(&mut *snapshot).await.unwrap(), []);
}

/// Making a version twice is finding it; it keeps its first time.
pub async fn a_version_is_made_once_and_found_again(factory: &dyn Factory) {
    let store = factory.create().await;
    store.create_version(FIRST, at(1)).await.unwrap();
    store.create_version(FIRST, at(2)).await.unwrap();
    let mut snapshot = store.snapshot().await.unwrap();
    let versions = read::versions(&mut *snapshot).await.unwrap();
    assert_eq!(
        versions.iter().map(|info| (info.version, info.created_at)).collect::<Vec<_>>(),
        [(FIRST, at(1))]
    );
    for table in TABLES {
        assert_eq!(rows(&*store, table, FIRST).await, Vec::<Vec<Value>>::new(), "{}", table.name);
    }
}

/// The pointer moves only from where the caller believes it to be.
pub async fn the_pointer_moves_by_compare_and_set(factory: &dyn Factory) {
    let store = factory.create().await;
    let second = FIRST.next();
    store.create_version(FIRST, at(1)).await.unwrap();
    store.create_version(second, at(2)).await.unwrap();
    assert_eq!(store.activate(Some(second), FIRST).await.unwrap(), Activation::Superseded);
    assert_eq!(active(&*store).await, None);
    assert_eq!(store.activate(None, FIRST).await.unwrap(), Activation::Activated);
    assert_eq!(store.activate(None, second).await.unwrap(), Activation::Superseded);
    assert_eq!(active(&*store).await, Some(FIRST));
    assert_eq!(store.activate(Some(FIRST), second).await.unwrap(), Activation::Activated);
    assert_eq!(active(&*store).await, Some(second));
    let mut snapshot = store.snapshot().await.unwrap();
    let versions = read::versions(&mut *snapshot).await.unwrap();
    let states: Vec<&str> = versions.iter().map(|info| info.state.as_str()).collect();
    assert_eq!(states, ["retired", "active"]);
}

/// Queries are never sent to tables that are not there.
pub async fn a_version_that_does_not_exist_is_not_activated(factory: &dyn Factory) {
    let store = factory.create().await;
    assert!(matches!(store.activate(None, FIRST).await, Err(Error::NoSuchVersion(FIRST))));
    assert_eq!(active(&*store).await, None);
    assert!(matches!(store.begin(FIRST, &checkpoint(P0, 1)).await, Err(Error::NoSuchVersion(FIRST))));
}

/// Answers never go back: every partition must be as far as in the version that is left, or further.
pub async fn a_version_that_is_behind_is_not_activated(factory: &dyn Factory) {
    let store = begun(factory).await;
    let (second, other) = (FIRST.next(), PartitionId(7));
    assert_eq!(store.activate(None, FIRST).await.unwrap(), Activation::Activated);
    store.create_version(second, at(2)).await.unwrap();
    // Never begun, behind, and level in one of two partitions.
    assert_eq!(store.activate(Some(FIRST), second).await.unwrap(), Activation::Behind);
    assert_eq!(store.begin(second, &checkpoint(P0, 1)).await.unwrap(), Commit::Committed);
    assert_eq!(commit(&*store, 1, &Changes::default()).await.unwrap(), Commit::Committed);
    assert_eq!(store.activate(Some(FIRST), second).await.unwrap(), Activation::Behind);
    let next = checkpoint(P0, 3);
    assert_eq!(store.commit(second, 1, &next, &Changes::default()).await.unwrap(), Commit::Committed);
    assert_eq!(store.begin(FIRST, &checkpoint(other, 1)).await.unwrap(), Commit::Committed);
    assert_eq!(store.activate(Some(FIRST), second).await.unwrap(), Activation::Behind);
    let mut snapshot = store.snapshot().await.unwrap();
    let versions = read::versions(&mut *snapshot).await.unwrap();
    let states: Vec<&str> = versions.iter().map(|info| info.state.as_str()).collect();
    assert_eq!(
        (read::active(&mut *snapshot).await.unwrap(), states),
        (Some(FIRST), vec!["active", "building"])
    );
    drop(snapshot);
    assert_eq!(store.begin(second, &checkpoint(other, 1)).await.unwrap(), Commit::Committed);
    assert_eq!(store.activate(Some(FIRST), second).await.unwrap(), Activation::Activated);
    assert_eq!(active(&*store).await, Some(second));
}

/// What queries answer from stays.
pub async fn a_version_in_use_is_not_dropped(factory: &dyn Factory) {
    let store = begun(factory).await;
    assert_eq!(store.activate(None, FIRST).await.unwrap(), Activation::Activated);
    assert!(matches!(store.drop_version(FIRST).await, Err(Error::InUse(FIRST))));
    assert!(found(&*store, FIRST, P0).await.is_some());
}

/// A dropped version has no tables, no checkpoints, and a commit to it loses; its number can be used again.
pub async fn dropping_a_version_leaves_nothing_of_it(factory: &dyn Factory) {
    let store = begun(factory).await;
    let changes = Changes { stock: vec![stock("s", "A", 1)], ..Changes::default() };
    assert_eq!(commit(&*store, 1, &changes).await.unwrap(), Commit::Committed);
    store.drop_version(FIRST).await.unwrap();
    store.drop_version(FIRST).await.unwrap();
    assert_eq!(found(&*store, FIRST, P0).await, None);
    assert_eq!(commit(&*store, 2, &changes).await.unwrap(), Commit::Superseded);
    store.create_version(FIRST, at(2)).await.unwrap();
    assert_eq!(rows(&*store, &STOCK, FIRST).await, Vec::<Vec<Value>>::new());
}

/// A second beginning is seen and changes nothing.
pub async fn a_partition_begins_once(factory: &dyn Factory) {
    let store = begun(factory).await;
    assert_eq!(store.begin(FIRST, &checkpoint(P0, 9)).await.unwrap(), Commit::Superseded);
    assert_eq!(found(&*store, FIRST, P0).await, Some(checkpoint(P0, 1)));
}

/// Tables whose state is not written yet are never read.
pub async fn a_version_that_is_not_loaded_is_not_activated(factory: &dyn Factory) {
    let store = begun(factory).await;
    let second = FIRST.next();
    assert_eq!(store.activate(None, FIRST).await.unwrap(), Activation::Activated);
    store.create_version(second, at(2)).await.unwrap();
    let loading = Checkpoint { is_loaded: false, ..checkpoint(P0, 1) };
    assert_eq!(store.begin(second, &loading).await.unwrap(), Commit::Committed);
    assert_eq!(store.activate(Some(FIRST), second).await.unwrap(), Activation::Behind);
    let loaded = Checkpoint { is_loaded: true, ..loading };
    let nothing = Changes::default();
    assert_eq!(store.commit(second, 1, &loaded, &nothing).await.unwrap(), Commit::Committed);
    assert_eq!(store.commit(second, 1, &loading, &nothing).await.unwrap(), Commit::Superseded);
    assert_eq!(store.activate(Some(FIRST), second).await.unwrap(), Activation::Activated);
}

/// Indexes can be made of tables that have rows, and asking twice is asking once.
pub async fn indexes_are_made_once(factory: &dyn Factory) {
    let store = factory.create().await;
    store.create_version(FIRST, at(1)).await.unwrap();
    let _ = store.begin(FIRST, &checkpoint(P0, 1)).await.unwrap();
    let _ = commit(&*store, 1, &extreme_changes()).await.unwrap();
    store.create_indexes(FIRST).await.unwrap();
    store.create_indexes(FIRST).await.unwrap();
    assert_eq!(rows(&*store, &MOVEMENTS, FIRST).await, values(&extreme_changes().movements));
}

/// Only one has the right to fill a version, until it says that it is done.
pub async fn one_owner_fills_a_version(factory: &dyn Factory) {
    let store = factory.create().await;
    let (one, other) = (Owner::new("one"), Owner::new("other"));
    store.create_version(FIRST, at(1)).await.unwrap();
    assert_eq!(versions::claim(&*store, FIRST, &one).await.unwrap(), Commit::Committed);
    assert_eq!(versions::claim(&*store, FIRST, &one).await.unwrap(), Commit::Committed);
    assert_eq!(versions::claim(&*store, FIRST, &other).await.unwrap(), Commit::Superseded);
    let filling = Filling { records_done: 3, records_total: 9, records_per_second: 2 };
    assert_eq!(versions::report(&*store, FIRST, &one, filling).await.unwrap(), Commit::Committed);
    assert_eq!(versions::report(&*store, FIRST, &other, filling).await.unwrap(), Commit::Superseded);
    let known = read::versions(&mut *store.snapshot().await.unwrap()).await.unwrap();
    assert_eq!((known[0].filling, known[0].is_being_filled), (Some(filling), true));
    assert_eq!(filling.seconds_left(), Some(3));
    versions::let_go(&*store, FIRST, &one).await.unwrap();
    assert_eq!(versions::claim(&*store, FIRST, &other).await.unwrap(), Commit::Committed);
    assert_eq!(versions::set_ready(&*store, FIRST, &one).await.unwrap(), Commit::Superseded);
    assert_eq!(versions::set_ready(&*store, FIRST, &other).await.unwrap(), Commit::Committed);
    let known = read::versions(&mut *store.snapshot().await.unwrap()).await.unwrap();
    assert_eq!((known[0].state.as_str(), known[0].is_being_filled), ("ready", false));
}

/// Two versions are brought to the same place while nobody goes beyond it; then everybody goes on.
pub async fn versions_are_held_at_the_one_that_is_further(factory: &dyn Factory) {
    let store = begun(factory).await;
    let second = FIRST.next();
    store.create_version(second, at(2)).await.unwrap();
    let _ = store.begin(second, &checkpoint(P0, 1)).await.unwrap();
    let nothing = Changes::default();
    let _ = store.commit(second, 1, &checkpoint(P0, 5), &nothing).await.unwrap();
    let long = Duration::from_secs(600);
    assert_eq!(versions::hold(&*store, [FIRST, second], long).await.unwrap(), [(P0, 5)]);
    assert_eq!(store.commit(second, 5, &checkpoint(P0, 6), &nothing).await.unwrap(), Commit::Held);
    assert_eq!(store.commit(FIRST, 1, &checkpoint(P0, 6), &nothing).await.unwrap(), Commit::Held);
    assert_eq!(store.commit(FIRST, 2, &checkpoint(P0, 5), &nothing).await.unwrap(), Commit::Superseded);
    assert_eq!(store.commit(FIRST, 1, &checkpoint(P0, 5), &nothing).await.unwrap(), Commit::Committed);
    versions::release(&*store, [FIRST, second]).await.unwrap();
    assert_eq!(store.commit(FIRST, 5, &checkpoint(P0, 6), &nothing).await.unwrap(), Commit::Committed);
}

/// Whoever held and was killed does not stop the others for ever.
pub async fn a_hold_that_is_over_holds_nothing(factory: &dyn Factory) {
    let store = begun(factory).await;
    versions::hold(&*store, [FIRST, FIRST], Duration::ZERO).await.unwrap();
    let (next, nothing) = (checkpoint(P0, 2), Changes::default());
    let deadline = Instant::now() + Duration::from_secs(10);
    while store.commit(FIRST, 1, &next, &nothing).await.unwrap() == Commit::Held {
        assert!(Instant::now() < deadline, "a hold of no time lasts");
    }
    assert_eq!(found(&*store, FIRST, P0).await, Some(next));
}

/// Why a partition stopped is seen by all, until it goes on.
pub async fn what_halted_a_partition_is_behind_the_next_commit(factory: &dyn Factory) {
    let store = begun(factory).await;
    versions::set_halt(&*store, FIRST, P0, Some("it is broken")).await.unwrap();
    let reasons = read::halts(&mut *store.snapshot().await.unwrap(), FIRST).await.unwrap();
    assert_eq!(reasons, [(P0, "it is broken".to_owned())]);
    let _ = store.commit(FIRST, 1, &checkpoint(P0, 2), &Changes::default()).await.unwrap();
    assert_eq!(read::halts(&mut *store.snapshot().await.unwrap(), FIRST).await.unwrap(), []);
}

/// Every member, also the largest numbers and a time that is absent.
pub async fn a_checkpoint_comes_back_as_it_was(factory: &dyn Factory) {
    let store = begun(factory).await;
    let largest = u64::try_from(i64::MAX).unwrap();
    let extreme = Checkpoint {
        next_offset: largest,
        term: largest,
        seq: largest,
        reach: largest,
        last_valid_offset: largest - 1,
        recorded_at: None,
        digest: u64::MAX,
        ..checkpoint(P0, 1)
    };
    assert_eq!(store.commit(FIRST, 1, &extreme, &Changes::default()).await.unwrap(), Commit::Committed);
    assert_eq!(found(&*store, FIRST, P0).await, Some(extreme));
}

/// The checkpoint is the guard: from anywhere else nothing is written, neither rows nor checkpoint.
pub async fn a_commit_from_another_offset_writes_nothing(factory: &dyn Factory) {
    let store = begun(factory).await;
    let changes = Changes { stock: vec![stock("s", "A", 1)], ..Changes::default() };
    for wrong in [0, 2] {
        assert_eq!(commit(&*store, wrong, &changes).await.unwrap(), Commit::Superseded);
    }
    assert_eq!(found(&*store, FIRST, P0).await, Some(checkpoint(P0, 1)));
    assert_eq!(rows(&*store, &STOCK, FIRST).await, Vec::<Vec<Value>>::new());
}

/// Two committers at the same moment, each on a connection of its own.
pub async fn of_two_committers_one_loses(factory: &dyn Factory) {
    let store = begun(factory).await;
    let other = factory.open_again().await;
    for from in 1..20 {
        let ours = Changes { stock: vec![stock("s", "A", 1)], ..Changes::default() };
        let theirs = Changes { stock: vec![stock("s", "B", 1)], ..Changes::default() };
        let (first, second) =
            futures_util::join!(commit(&*store, from, &ours), commit(&*other, from, &theirs));
        let outcomes = [first.unwrap(), second.unwrap()];
        assert_eq!(
            outcomes.iter().filter(|outcome| **outcome == Commit::Committed).count(),
            1,
            "{outcomes:?}"
        );
        assert_eq!(found(&*store, FIRST, P0).await, Some(checkpoint(P0, from + 1)));
    }
}

/// The checkpoint of one partition is nothing to another.
pub async fn partitions_advance_apart(factory: &dyn Factory) {
    let store = begun(factory).await;
    let other = PartitionId(7);
    assert_eq!(store.begin(FIRST, &checkpoint(other, 1)).await.unwrap(), Commit::Committed);
    assert_eq!(commit(&*store, 1, &Changes::default()).await.unwrap(), Commit::Committed);
    let mut snapshot = store.snapshot().await.unwrap();
    let all = read::checkpoints(&mut *snapshot, FIRST).await.unwrap();
    assert_eq!(all, [checkpoint(P0, 2), checkpoint(other, 1)]);
}

/// Nothing, the empty-most and the longest texts, unicode, and the largest numbers, in every table.
pub async fn every_kind_of_value_comes_back_as_it_was(factory: &dyn Factory) {
    let store = begun(factory).await;
    let changes = extreme_changes();
    assert_eq!(commit(&*store, 1, &changes).await.unwrap(), Commit::Committed);
    let expected = [
        (SiteRow::TABLE, values(&changes.sites)),
        (HomeRow::TABLE, values(&changes.homes)),
        (ItemRow::TABLE, values(&changes.items)),
        (StockRow::TABLE, values(&changes.stock)),
        (OrderRow::TABLE, values(&changes.orders)),
        (TrailRow::TABLE, values(&changes.trail)),
        (MovementRow::TABLE, values(&changes.movements)),
    ];
    for (table, expected) in expected {
        assert!(!expected.is_empty(), "{}", table.name);
        assert_eq!(rows(&*store, table, FIRST).await, expected, "{}", table.name);
    }
}

/// None, one, and counts around every shape of statement.
pub async fn every_count_of_rows_is_written_whole(factory: &dyn Factory) {
    let store = begun(factory).await;
    let mut expected = Vec::new();
    for (seq, count) in (1..).zip([0, 1, 3, 4, 5, 31, 32, 33, 255, 256, 257, 513]) {
        let from = u64::try_from(seq).unwrap();
        let movements: Vec<MovementRow> = (0..count).map(|line| movement("s", seq, line, "A")).collect();
        let changes = Changes { movements, ..Changes::default() };
        assert_eq!(commit(&*store, from, &changes).await.unwrap(), Commit::Committed, "{count}");
        expected.extend(values(&changes.movements));
        assert_eq!(rows(&*store, &MOVEMENTS, FIRST).await.len(), expected.len(), "{count}");
    }
    assert_eq!(rows(&*store, &MOVEMENTS, FIRST).await, expected);
}

/// The last values win, and a value can become nothing.
pub async fn rows_of_state_are_overwritten(factory: &dyn Factory) {
    let store = begun(factory).await;
    let first =
        Changes { stock: vec![stock("s", "A", 5)], orders: vec![order("s", "o")], ..Changes::default() };
    let emptied = OrderRow { customer: None, currency: None, ..order("s", "o") };
    let second = Changes { stock: vec![stock("s", "A", 0)], orders: vec![emptied], ..Changes::default() };
    assert_eq!(commit(&*store, 1, &first).await.unwrap(), Commit::Committed);
    assert_eq!(commit(&*store, 2, &second).await.unwrap(), Commit::Committed);
    assert_eq!(rows(&*store, &STOCK, FIRST).await, values(&second.stock));
    assert_eq!(rows(&*store, OrderRow::TABLE, FIRST).await, values(&second.orders));
}

/// History is added to, never overwritten: the same row again is an error that trying again would not help.
pub async fn a_movement_is_written_only_once(factory: &dyn Factory) {
    let store = begun(factory).await;
    let changes = Changes { movements: vec![movement("s", 1, 0, "A")], ..Changes::default() };
    assert_eq!(commit(&*store, 1, &changes).await.unwrap(), Commit::Committed);
    let error = commit(&*store, 2, &changes).await.unwrap_err();
    assert!(matches!(error, Error::DuplicateRow { .. }), "{error:?}");
    assert!(!error.is_retryable());
    let changes = Changes { trail: vec![trail("s", 1)], ..Changes::default() };
    assert_eq!(commit(&*store, 2, &changes).await.unwrap(), Commit::Committed);
    assert!(matches!(commit(&*store, 3, &changes).await, Err(Error::DuplicateRow { .. })));
}

/// Whatever a batch wrote before it failed is gone, with its checkpoint, and the store goes on.
pub async fn a_failed_commit_leaves_nothing(factory: &dyn Factory) {
    let store = begun(factory).await;
    let twice = vec![movement("s", 1, 0, "A"), movement("s", 1, 0, "A")];
    let failing = Changes {
        trail: vec![trail("s", 1)],
        movements: (0..300).map(|line| movement("s", 2, line, "A")).chain(twice).collect(),
        stock: vec![stock("s", "A", 1)],
        ..Changes::default()
    };
    assert!(commit(&*store, 1, &failing).await.is_err());
    assert_eq!(found(&*store, FIRST, P0).await, Some(checkpoint(P0, 1)));
    for table in [&MOVEMENTS, &TRAIL, &STOCK] {
        assert_eq!(rows(&*store, table, FIRST).await, Vec::<Vec<Value>>::new(), "{}", table.name);
    }
    assert_eq!(commit(&*store, 1, &Changes::default()).await.unwrap(), Commit::Committed);
}

/// Ids that differ in case or in an accent only are different, and their order is that of their bytes.
pub async fn keys_compare_byte_for_byte(factory: &dyn Factory) {
    let store = begun(factory).await;
    let skus = ["A", "B", "a", "a ~", "a-b", "a.b"];
    let stock: Vec<StockRow> = skus.iter().map(|sku| stock("s", sku, 1)).collect();
    let mut sorted = stock.clone();
    sorted.sort_by(|a, b| a.sku.as_str().as_bytes().cmp(b.sku.as_str().as_bytes()));
    let changes = Changes { stock, ..Changes::default() };
    assert_eq!(commit(&*store, 1, &changes).await.unwrap(), Commit::Committed);
    assert_eq!(rows(&*store, &STOCK, FIRST).await, values(&sorted));
}

/// Any number of keys; those that have no row are not answered.
pub async fn rows_are_loaded_by_key(factory: &dyn Factory) {
    let store = begun(factory).await;
    let stock_rows: Vec<StockRow> =
        (0..300).map(|number| stock("s", &format!("sku-{number}"), number)).collect();
    let mut extreme = extreme_changes();
    extreme.stock.extend(stock_rows.clone());
    assert_eq!(commit(&*store, 1, &extreme).await.unwrap(), Commit::Committed);
    for count in [1, 4, 33, 257, 300] {
        let wanted = &stock_rows[..count];
        let mut skus: Vec<_> = wanted.iter().map(|row| row.sku.clone()).collect();
        skus.push(sku("never seen"));
        let missing = Missing { stock: HashMap::from([(site("s"), skus)]), ..Missing::default() };
        let mut loaded = read::load(&*store, FIRST, &checkpoint(P0, 2), &missing).await.unwrap().unwrap();
        loaded.stock.sort_by_key(|row| row.on_hand);
        assert_eq!(loaded.stock, wanted, "{count}");
    }
    let wanted = extreme.orders[0].clone();
    let orders = HashMap::from([(wanted.site.clone(), vec![wanted.order_id.clone()])]);
    let missing = Missing { orders, ..Missing::default() };
    let loaded = read::load(&*store, FIRST, &checkpoint(P0, 2), &missing).await.unwrap().unwrap();
    assert_eq!(loaded.orders, [wanted]);
}

/// Rows that are newer than the caller's checkpoint would be folded into twice.
pub async fn nothing_is_loaded_from_another_checkpoint(factory: &dyn Factory) {
    let store = begun(factory).await;
    assert_eq!(commit(&*store, 1, &Changes::default()).await.unwrap(), Commit::Committed);
    let missing = Missing { stock: HashMap::from([(site("s"), vec![sku("A")])]), ..Missing::default() };
    assert!(read::load(&*store, FIRST, &checkpoint(P0, 1), &missing).await.unwrap().is_none());
    assert!(read::load(&*store, FIRST, &checkpoint(P0, 2), &missing).await.unwrap().is_some());
}

/// A reader sees one moment, whatever is written meanwhile, and writers do not wait for it.
pub async fn a_snapshot_does_not_move(factory: &dyn Factory) {
    let store = begun(factory).await;
    let mut snapshot = store.snapshot().await.unwrap();
    let before = read::checkpoint(&mut *snapshot, FIRST, P0).await.unwrap();
    let changes = Changes { stock: vec![stock("s", "A", 1)], ..Changes::default() };
    assert_eq!(commit(&*store, 1, &changes).await.unwrap(), Commit::Committed);
    assert_eq!(read::checkpoint(&mut *snapshot, FIRST, P0).await.unwrap(), before);
    let sql = format!("SELECT site FROM {}", STOCK.at(FIRST));
    let select = Select { sql, parameters: Vec::new() };
    assert!(snapshot.select(select).await.unwrap().is_empty());
    drop(snapshot);
    assert_eq!(rows(&*store, &STOCK, FIRST).await.len(), 1);
}

/// Two versions have their own rows and checkpoints; comparing them finds the first difference.
pub async fn versions_do_not_see_each_other(factory: &dyn Factory) {
    let store = begun(factory).await;
    let second = FIRST.next();
    store.create_version(second, at(2)).await.unwrap();
    assert_eq!(store.begin(second, &checkpoint(P0, 1)).await.unwrap(), Commit::Committed);
    assert_eq!(commit(&*store, 1, &extreme_changes()).await.unwrap(), Commit::Committed);
    assert_eq!(found(&*store, second, P0).await, Some(checkpoint(P0, 1)));
    let compared = compare((&*store, FIRST), (&*store, second)).await.unwrap();
    assert_eq!(compared.difference.map(|difference| difference.table), Some("sites"));
    let next = checkpoint(P0, 2);
    assert_eq!(store.commit(second, 1, &next, &extreme_changes()).await.unwrap(), Commit::Committed);
    let compared = compare((&*store, FIRST), (&*store, second)).await.unwrap();
    assert_eq!(compared.difference, None);
    assert_eq!(compared.rows(), u64::try_from(extreme_changes().rows()).unwrap());
}

/// What is committed is there for others at once.
pub async fn another_process_sees_what_is_committed(factory: &dyn Factory) {
    let store = begun(factory).await;
    let other = factory.open_again().await;
    for from in 1..5 {
        let (writer, reader) = if from % 2 == 0 { (&store, &other) } else { (&other, &store) };
        assert_eq!(commit(&**writer, from, &Changes::default()).await.unwrap(), Commit::Committed);
        assert_eq!(found(&**reader, FIRST, P0).await, Some(checkpoint(P0, from + 1)));
    }
}
