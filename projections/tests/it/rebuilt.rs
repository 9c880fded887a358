//! Rebuilding: what is made again from the log equals what was made live, and the switch is clean.

use std::sync::{Arc, Mutex};

use proptest::prelude::prop;
use proptest::test_runner::{Config, TestRunner};
use stockledger_domain::Command;
use stockledger_projections::compare::{Comparison, What, compare};
use stockledger_projections::read::{self, VersionState};
use stockledger_projections::rebuild::{self, Error, Replay, SwitchWhen, replay_into};
use stockledger_projections::value::Value;
use stockledger_projections::{Halted, Version};
use stockledger_schemas::PartitionId;
use tokio_util::sync::CancellationToken;

use crate::common::{Ledger, Running, TestStore, now, owner, place, rebuild, receive, replay, ship};
use crate::random::{SITES, any_command, ledger_with_sites};

/// Runs the commands while a projector follows, which is killed and started again now and then; then replays everything
/// into another store.
async fn live_and_replayed(steps: Vec<(usize, Command, u8)>) -> Comparison {
    let mut ledger = ledger_with_sites(2);
    let live = TestStore::new().await;
    let mut running = Running::start(ledger.log(), &live.store).await;
    for (site, command, pause) in steps {
        ledger.run(SITES[site], command);
        match pause {
            0 => running.until_level(&ledger).await,
            1 => {
                drop(running);
                running = Running::start(ledger.log(), &live.store).await;
            }
            _ => {}
        }
    }
    running.until_level(&ledger).await;
    running.stop().await;
    let fresh = TestStore::new().await;
    let version = fresh.active().await;
    replay_into(&replay(ledger.log(), &fresh.store), version).await.unwrap();
    compare((&*live.store, live.active().await), (&*fresh.store, version)).await.unwrap()
}

#[test]
fn rebuilt_equals_live() {
    let steps = prop::collection::vec((0..SITES.len(), any_command(12), 0..12_u8), 1..120);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let mut runner = TestRunner::new(Config { cases: 24, failure_persistence: None, ..Config::default() });
    runner
        .run(&steps, |steps| {
            let compared = runtime.block_on(live_and_replayed(steps));
            assert_eq!(compared.difference, None);
            assert!(compared.rows() >= 8);
            Ok(())
        })
        .unwrap();
}

fn some_orders(ledger: &mut Ledger, from: u32, to: u32) {
    for number in from..to {
        let site = SITES[usize::try_from(number).unwrap() % SITES.len()];
        ledger.run(site, receive(&[("A", 5)]));
        ledger.run(site, place(&format!("o-{number}"), &[("A", 3), ("B", i64::from(number % 2) + 1)]));
        ledger.run(site, ship(&format!("o-{number}"), None));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rebuild_switches_to_a_fresh_version_and_keeps_the_old_one_level() {
    let mut ledger = ledger_with_sites(3);
    some_orders(&mut ledger, 0, 40);
    let store = TestStore::new().await;
    let running = Running::start(ledger.log(), &store.store).await;
    running.until_level(&ledger).await;
    let seen = Arc::new(Mutex::new(Vec::new()));
    let watcher = Arc::clone(&seen);
    let watched = Replay {
        on_progress: Arc::new(move |progress| watcher.lock().unwrap().push(progress)),
        ..replay(ledger.log(), &store.store)
    };
    let rebuilt = rebuild(&watched).await.unwrap();
    let switched = rebuilt.switched.unwrap();
    assert_eq!((switched.from, switched.to, switched.is_compared), (Version(1), Version(2), true));
    let decisions: u64 = ledger.heads().iter().map(|head| head.seq).sum();
    assert_eq!(rebuilt.replayed.decisions, decisions);
    let seen = seen.lock().unwrap().clone();
    for partition in 0..3 {
        let last = seen.iter().rfind(|progress| progress.partition == PartitionId(partition)).unwrap();
        assert_eq!(last.done, last.total);
    }
    assert_eq!(seen.iter().map(|progress| progress.events).sum::<u64>(), rebuilt.replayed.events);
    let mut snapshot = store.store.snapshot().await.unwrap();
    let versions = read::versions(&mut *snapshot).await.unwrap();
    let states: Vec<_> = versions.iter().map(|info| (info.version, info.state)).collect();
    assert_eq!(states, [(Version(1), VersionState::Retired), (Version(2), VersionState::Active)]);
    drop(snapshot);
    // The projector that followed the old version follows both.
    some_orders(&mut ledger, 40, 60);
    running.until_level_in(Version(2), &ledger).await;
    running.until_version_level(Version(1), &ledger).await;
    running.stop().await;
    let fresh = TestStore::new().await;
    let version = fresh.active().await;
    replay_into(&replay(ledger.log(), &fresh.store), version).await.unwrap();
    for kept in [Version(1), Version(2)] {
        let compared = compare((&*store.store, kept), (&*fresh.store, version)).await.unwrap();
        assert_eq!(compared.difference, None);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rebuild_into_an_empty_store_makes_the_first_version() {
    let mut ledger = ledger_with_sites(2);
    some_orders(&mut ledger, 0, 5);
    let store = TestStore::new().await;
    let rebuilt = rebuild(&replay(ledger.log(), &store.store)).await.unwrap();
    assert_eq!((rebuilt.version, rebuilt.is_active, rebuilt.switched), (Version::FIRST, true, None));
    assert_eq!(store.active().await, Version::FIRST);
}

/// A switch by hand goes from one version to another; nobody waits for one who has nothing to read.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_version_is_in_use_at_once_whoever_is_to_say_so() {
    let mut ledger = ledger_with_sites(2);
    some_orders(&mut ledger, 0, 5);
    let store = TestStore::new().await;
    let replay = replay(ledger.log(), &store.store);
    for (number, is_active) in [(1, true), (2, false)] {
        let rebuilt = rebuild::rebuild(&replay, &owner(), SwitchWhen::Told, now()).await.unwrap();
        assert_eq!((rebuilt.version, rebuilt.is_active), (Version(number), is_active));
    }
    assert_eq!(states(&store).await, [(1, VersionState::Active), (2, VersionState::Ready)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rebuild_that_cannot_finish_leaves_the_version_in_use_alone() {
    let mut ledger = ledger_with_sites(2);
    some_orders(&mut ledger, 0, 5);
    let store = TestStore::new().await;
    rebuild(&replay(ledger.log(), &store.store)).await.unwrap();
    let cancel = CancellationToken::new();
    cancel.cancel();
    let cancelled = Replay { cancel, ..replay(ledger.log(), &store.store) };
    assert!(matches!(rebuild(&cancelled).await, Err(Error::Cancelled)));
    assert_eq!(states(&store).await, [(1, VersionState::Active), (2, VersionState::Building)]);
    ledger.land_raw(PartitionId(0), b"SL garbage".to_vec());
    let halted = rebuild(&replay(ledger.log(), &store.store)).await;
    assert!(matches!(halted, Err(Error::Halted(Halted::Broken(_)))), "{halted:?}");
    assert_eq!(states(&store).await, [(1, VersionState::Active)]);
}

async fn states(store: &TestStore) -> Vec<(u32, VersionState)> {
    let mut snapshot = store.store.snapshot().await.unwrap();
    let versions = read::versions(&mut *snapshot).await.unwrap();
    versions.iter().map(|info| (info.version.0, info.state)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unfinished_rebuild_is_gone_on_with_and_one_of_other_code_is_removed() {
    let mut ledger = ledger_with_sites(1);
    some_orders(&mut ledger, 0, 5);
    let store = TestStore::new().await;
    store.active().await;
    store.store.create_version(Version(5), now()).await.unwrap();
    store.execute("UPDATE projection_versions SET code_hash = 'older' WHERE version = 5").await;
    store.store.create_version(Version(7), now()).await.unwrap();
    let rebuilt = rebuild(&replay(ledger.log(), &store.store)).await.unwrap();
    assert_eq!((rebuilt.version, rebuilt.is_resumed), (Version(7), true));
    assert_eq!(states(&store).await, [(1, VersionState::Retired), (7, VersionState::Active)]);
}

/// Two stores with the same rows, the second of which is then changed by hand.
async fn first_difference(statement: &'static str) -> (&'static str, Vec<Value>, What) {
    let mut ledger = ledger_with_sites(1);
    some_orders(&mut ledger, 0, 6);
    let stores = (TestStore::new().await, TestStore::new().await);
    for store in [&stores.0, &stores.1] {
        replay_into(&replay(ledger.log(), &store.store), store.active().await).await.unwrap();
    }
    assert_eq!(stores.1.execute(statement).await, 1);
    let version = Version::FIRST;
    let compared = compare((&*stores.0.store, version), (&*stores.1.store, version)).await.unwrap();
    let difference = compared.difference.unwrap();
    let key = difference.key.into_iter().map(|(_, value)| value).collect();
    (difference.table, key, difference.what)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_comparison_names_the_first_difference() {
    let text = |text: &str| Value::Text(text.to_owned());
    assert_eq!(
        first_difference("UPDATE stock__v1 SET on_hand = 999 WHERE site = 'south' AND sku = 'A'").await,
        (
            "stock",
            vec![text("south"), text("A")],
            What::Column { column: "on_hand", first: Value::Int(10), second: Value::Int(999) }
        )
    );
    assert_eq!(
        first_difference("DELETE FROM sites__v1 WHERE site = 'north'").await,
        ("sites", vec![text("north")], What::OnlyInFirst)
    );
    assert_eq!(
        first_difference("INSERT INTO items__v1 VALUES ('zz', 'new', 'each', 1, 1)").await,
        ("items", vec![text("zz")], What::OnlyInSecond)
    );
    assert_eq!(
        first_difference("UPDATE orders__v1 SET customer = NULL WHERE site = 'north' AND order_id = 'o-0'")
            .await,
        (
            "orders",
            vec![text("north"), text("o-0")],
            What::Column { column: "customer", first: text("c-1"), second: Value::Null }
        )
    );
}
