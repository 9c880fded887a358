//! Versions that are switched while a projector runs, by this process or by another one.

use std::sync::Arc;
use std::time::Duration;

use stockledger_projections::overview::overview;
use stockledger_projections::rebuild::{self, SwitchWhen, replay_into};
use stockledger_projections::{Activation, Activity, SqliteStore, Status, Store, Version};
use stockledger_schemas::PartitionId;
use tokio::time::timeout;

use crate::common::{
    DEADLINE, Ledger, Running, TestStore, assert_exact, deadline, now, owner, place, rebuild, receive,
    replay, ship,
};
use crate::gate::Gated;

const P0: PartitionId = PartitionId(0);
/// Partitions that a projector lets load, fold and commit at the same moment.
const AT_WORK_MAX: usize = 8;

fn busy_ledger(partitions: u16) -> Ledger {
    let mut ledger = Ledger::new(partitions);
    ledger.open_site("shop");
    ledger.run("shop", receive(&[("A", 1_000_000)]));
    add_orders(&mut ledger, 0, 20);
    ledger
}

fn add_orders(ledger: &mut Ledger, from: u32, to: u32) {
    for number in from..to {
        let order_id = format!("o-{number}");
        ledger.run("shop", place(&order_id, &[("A", 2)]));
        ledger.run("shop", ship(&order_id, None));
    }
}

/// The same store as another process has it.
async fn elsewhere(store: &TestStore) -> Arc<dyn Store> {
    Arc::new(SqliteStore::open(&store.path).await.unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_projector_follows_into_a_version_that_another_process_made_active() {
    let mut ledger = busy_ledger(2);
    let store = TestStore::new().await;
    let running = Running::start(ledger.log(), &store.store).await;
    running.until_level(&ledger).await;
    let (other, second) = (elsewhere(&store).await, Version(2));
    other.create_version(second, now()).await.unwrap();
    replay_into(&replay(ledger.log(), &other), second).await.unwrap();
    assert_eq!(other.activate(Some(Version::FIRST), second).await.unwrap(), Activation::Activated);
    // The version before is still there, as after a rebuild that could not remove it.
    add_orders(&mut ledger, 20, 40);
    running.until_level_in(second, &ledger).await;
    running.stop().await;
    assert_exact(&ledger, &store, second).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_partition_that_halted_goes_on_once_the_tables_are_rebuilt() {
    let mut ledger = busy_ledger(1);
    let store = TestStore::new().await;
    let running = Running::start(ledger.log(), &store.store).await;
    running.until_level(&ledger).await;
    // A checkpoint that is lost makes the projector write everything again, which it must not.
    store.execute("DELETE FROM projection_checkpoints").await;
    add_orders(&mut ledger, 20, 22);
    let is_halted = |status: &Status| matches!(status.activity, Activity::Halted { .. });
    assert!(running.progress.until(P0, deadline(), is_halted).await, "{:?}", running.progress.of(P0));
    let other = elsewhere(&store).await;
    let rebuilt = rebuild(&replay(ledger.log(), &other)).await.unwrap();
    add_orders(&mut ledger, 22, 24);
    running.until_level_in(rebuilt.version, &ledger).await;
    assert_eq!(running.progress.of(P0).unwrap().activity, Activity::Running);
    running.stop().await;
    assert_exact(&ledger, &store, rebuilt.version).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_switch_holds_both_versions_and_needs_one_attempt_however_much_is_written() {
    let mut ledger = busy_ledger(2);
    let store = TestStore::new().await;
    let running = Running::start(ledger.log(), &store.store).await;
    running.until_level(&ledger).await;
    let gated = Gated::shut_for_switches(&store.store);
    let gated_store: Arc<dyn Store> = Arc::clone(&gated) as Arc<dyn Store>;
    let replay = replay(ledger.log(), &gated_store);
    let (rebuilt, ()) = futures_util::join!(rebuild(&replay), async {
        gated.switches.until_entered(1).await;
        add_orders(&mut ledger, 20, 30);
        gated.switches.open();
    });
    let rebuilt = rebuilt.unwrap();
    assert_eq!(gated.switches.entered(), 1);
    assert!(rebuilt.switched.unwrap().is_compared);
    running.until_level_in(rebuilt.version, &ledger).await;
    running.stop().await;
    assert_exact(&ledger, &store, rebuilt.version).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_so_many_partitions_are_at_work_at_once() {
    let ledger = busy_ledger(32);
    let store = TestStore::new().await;
    let gated = Gated::shut_for_commits(&store.store);
    let gated_store: Arc<dyn Store> = Arc::clone(&gated) as Arc<dyn Store>;
    let running = Running::start(ledger.log(), &gated_store).await;
    gated.commits.until_entered(AT_WORK_MAX).await;
    let more = timeout(Duration::from_millis(500), gated.commits.until_entered(AT_WORK_MAX + 1)).await;
    assert!(more.is_err(), "{} commit at once", gated.commits.entered());
    gated.commits.open();
    running.until_level(&ledger).await;
    timeout(DEADLINE, gated.commits.until_entered(32)).await.unwrap();
    running.stop().await;
    assert_exact(&ledger, &store, store.active().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_can_tell_how_old_a_version_is_that_was_not_begun() {
    let ledger = busy_ledger(2);
    let store = TestStore::new().await;
    rebuild(&replay(ledger.log(), &store.store)).await.unwrap();
    store.store.create_version(Version(2), now()).await.unwrap();
    let seen = overview(&*store.store, &*ledger.log(), now()).await.unwrap();
    let lags: Vec<_> = seen.versions.iter().map(|one| (one.lag_records > 0, one.lag_seconds)).collect();
    assert_eq!((seen.active_version, lags), (Some(Version(1)), vec![(false, Some(0)), (true, None)]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_version_that_waits_for_its_switch_is_followed_and_not_read() {
    let mut ledger = busy_ledger(2);
    let store = TestStore::new().await;
    let running = Running::start(ledger.log(), &store.store).await;
    running.until_level(&ledger).await;
    let replay = replay(ledger.log(), &store.store);
    let rebuilt = rebuild::rebuild(&replay, &owner(), SwitchWhen::Told, now()).await.unwrap();
    assert_eq!((rebuilt.version, rebuilt.is_active, rebuilt.switched), (Version(2), false, None));
    add_orders(&mut ledger, 20, 30);
    running.until_version_level(Version(2), &ledger).await;
    running.until_level_in(Version(1), &ledger).await;
    assert_eq!(store.active().await, Version(1));
    running.stop().await;
    assert_exact(&ledger, &store, Version(2)).await;
}
