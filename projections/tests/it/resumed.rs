//! Rebuilds that are stopped, killed, taken over, or begun twice: what comes of them is what one undisturbed rebuild makes.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use stockledger_projections::read::{self, VersionState};
use stockledger_projections::rebuild::{self, Error, Rebuilt, Replay, SwitchWhen};
use stockledger_projections::versions::{OWNER_SILENT_MAX, Owner};
use stockledger_projections::{Store, Version};
use stockledger_schemas::{Disposition, Event};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::common::{
    DEADLINE, Ledger, TestStore, assert_exact, cancel, now, owner, place, rebuild, receive, replay, ship,
    silence, take_back,
};
use crate::gate::Gated;

const SITES: [&str; 4] = ["east", "north", "south", "west"];
const SKUS: [&str; 5] = ["A", "B", "C", "D", "E"];
/// Orders of each site: so few that their steps lie far apart, in different pieces of a load.
const ORDERS: usize = 1_500;
/// Enough that each of two partitions is loaded in four pieces and one of state.
const COMMANDS: usize = 25_500;
const PARTITIONS: u16 = 2;

/// Numbers by chance, the same for the same seed (xorshift64*).
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let number = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33;
        usize::try_from(number).unwrap() % end
    }
}

/// A long history, and what happened in it.
struct History {
    ledger: Ledger,
    chance: Chance,
    refused: HashSet<(usize, usize)>,
    /// Orders that were refused first and placed later.
    placed_after_all: usize,
    returned: usize,
}

impl History {
    fn new() -> Self {
        let mut ledger = Ledger::new(PARTITIONS);
        for site in SITES {
            ledger.open_site(site);
        }
        let chance = Chance(0x5EED);
        Self { ledger, chance, refused: HashSet::new(), placed_after_all: 0, returned: 0 }
    }

    fn long() -> Self {
        let mut history = Self::new();
        history.go_on(COMMANDS);
        assert!(history.placed_after_all > 100, "{}", history.placed_after_all);
        assert!(history.returned > 100, "{}", history.returned);
        history
    }

    fn go_on(&mut self, commands: usize) {
        for _ in 0..commands {
            let site = self.chance.below(SITES.len());
            let number = self.chance.below(ORDERS);
            let (order_id, sku) = (format!("o-{number}"), SKUS[number % SKUS.len()]);
            let command = match self.chance.below(13) {
                0..=2 => receive(&[(sku, 3)]),
                3..=6 => place(&order_id, &[(sku, 1 + i64::from(number.is_multiple_of(3))), ("E", 1)]),
                7..=8 => ship(&order_id, None),
                9 => ship(&order_id, Some(&[(sku, 1)])),
                10 => cancel(&order_id),
                _ => take_back(&order_id, sku, 1, Disposition::Restock),
            };
            match &self.ledger.run(SITES[site], command).events[0] {
                Event::OutOfStock(_) => drop(self.refused.insert((site, number))),
                Event::OrderPlaced(_) => {
                    self.placed_after_all += usize::from(self.refused.contains(&(site, number)));
                }
                Event::OrderReturned(_) => self.returned += 1,
                _ => {}
            }
        }
    }

    fn replay(&self, store: &Arc<dyn Store>) -> Replay {
        replay(self.ledger.log(), store)
    }

    /// A replay that is told to stop after so many commits that brought decisions.
    fn replay_stopped_after(&self, store: &Arc<dyn Store>, commits: usize) -> Replay {
        let cancel = CancellationToken::new();
        let (stop, left) = (cancel.clone(), AtomicUsize::new(commits));
        let on_progress = move |progress: rebuild::ReplayProgress| {
            if progress.decisions > 0 && left.fetch_sub(1, Ordering::Relaxed) == 1 {
                stop.cancel();
            }
        };
        Replay { on_progress: Arc::new(on_progress), cancel, ..self.replay(store) }
    }
}

/// A rebuild as another process would run it, which can be killed.
fn begin(replay: Replay, owner: Owner) -> tokio::task::JoinHandle<Result<Rebuilt, Error>> {
    tokio::spawn(async move { rebuild::rebuild(&replay, &owner, SwitchWhen::Level, now()).await })
}

/// Whether some partition of what is being built has history and no state yet.
async fn is_half_loaded(store: &TestStore) -> bool {
    let mut snapshot = store.store.snapshot().await.unwrap();
    let building = read::versions(&mut *snapshot).await.unwrap();
    let Some(building) = building.iter().find(|info| info.state == VersionState::Building) else {
        return false;
    };
    let checkpoints = read::checkpoints(&mut *snapshot, building.version).await.unwrap();
    checkpoints.iter().any(|checkpoint| !checkpoint.is_loaded && checkpoint.seq > 0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rebuild_that_is_stopped_again_and_again_makes_the_rows_of_one_that_was_not() {
    let mut history = History::long();
    let store = TestStore::new().await;
    store.active().await;
    let mut half_loaded = 0;
    for _ in 0..6 {
        let commits = 1 + history.chance.below(2);
        let stopped = rebuild(&history.replay_stopped_after(&store.store, commits)).await;
        assert!(matches!(stopped, Err(Error::Cancelled)), "{stopped:?}");
        half_loaded += usize::from(is_half_loaded(&store).await);
        history.go_on(60);
    }
    assert!(half_loaded >= 3, "{half_loaded} times in the middle");
    let rebuilt = rebuild(&history.replay(&store.store)).await.unwrap();
    assert!(rebuilt.is_resumed && rebuilt.is_active);
    assert_eq!(rebuilt.version, Version(2));
    assert!(rebuilt.switched.is_some());
    assert_exact(&history.ledger, &store, Version(2)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rebuild_that_is_killed_is_gone_on_with_once_its_owner_is_silent() {
    let mut history = History::long();
    let store = TestStore::new().await;
    store.active().await;
    for commits in [3, 0, 1, 4] {
        let gated = Gated::shut_after_commits(&store.store, commits);
        let gated_store: Arc<dyn Store> = Arc::clone(&gated) as Arc<dyn Store>;
        let killed = begin(history.replay(&gated_store), owner());
        gated.commits.until_entered(commits + 1).await;
        killed.abort();
        assert!(killed.await.unwrap_err().is_cancelled());
        assert!(is_half_loaded(&store).await);
        silence(&store.store, OWNER_SILENT_MAX).await;
        history.go_on(20);
    }
    let rebuilt = rebuild(&history.replay(&store.store)).await.unwrap();
    assert_eq!((rebuilt.version, rebuilt.is_resumed), (Version(2), true));
    assert!(rebuilt.switched.is_some());
    assert_exact(&history.ledger, &store, Version(2)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rebuild_waits_until_one_that_was_killed_has_been_silent_for_long_enough() {
    let mut history = History::new();
    history.go_on(300);
    let store = TestStore::new().await;
    store.active().await;
    let gated = Gated::shut_for_commits(&store.store);
    let gated_store: Arc<dyn Store> = Arc::clone(&gated) as Arc<dyn Store>;
    let killed = begin(history.replay(&gated_store), owner());
    gated.commits.until_entered(1).await;
    killed.abort();
    assert!(killed.await.unwrap_err().is_cancelled());
    silence(&store.store, OWNER_SILENT_MAX - Duration::from_secs(1)).await;
    let rebuilt = rebuild(&history.replay(&store.store)).await.unwrap();
    assert_eq!((rebuilt.version, rebuilt.is_resumed), (Version(2), true));
    assert_exact(&history.ledger, &store, Version(2)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_owner_that_wakes_up_after_it_was_taken_for_gone_harms_nothing() {
    let history = History::long();
    let store = TestStore::new().await;
    store.active().await;
    // It may claim the version, and then stands still in the middle of a load.
    let gated = Gated::shut_after(&store.store, 3, 1);
    let gated_store: Arc<dyn Store> = Arc::clone(&gated) as Arc<dyn Store>;
    let sleeping = begin(history.replay(&gated_store), owner());
    gated.commits.until_entered(4).await;
    silence(&store.store, OWNER_SILENT_MAX).await;
    let rebuilt = rebuild(&history.replay(&store.store)).await.unwrap();
    assert_eq!((rebuilt.version, rebuilt.is_resumed), (Version(2), true));
    gated.commits.open();
    gated.updates.open();
    let woken = timeout(DEADLINE, sleeping).await.unwrap().unwrap();
    assert!(matches!(woken, Err(Error::Superseded)), "{woken:?}");
    assert_exact(&history.ledger, &store, Version(2)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_rebuilds_that_begin_at_once_one_works_and_the_others_are_told() {
    let mut history = History::new();
    history.go_on(300);
    let store = TestStore::new().await;
    store.active().await;
    let gated = Gated::shut_for_commits(&store.store);
    let gated_store: Arc<dyn Store> = Arc::clone(&gated) as Arc<dyn Store>;
    let mut begun = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let replay = history.replay(&gated_store);
        begun.spawn(async move { rebuild(&replay).await });
    }
    for _ in 0..3 {
        let refused = timeout(DEADLINE, begun.join_next()).await.unwrap().unwrap().unwrap();
        assert!(matches!(refused, Err(Error::Running(Version(2)))), "{refused:?}");
    }
    gated.commits.open();
    let rebuilt = timeout(DEADLINE, begun.join_next()).await.unwrap().unwrap().unwrap().unwrap();
    assert_eq!((rebuilt.version, rebuilt.is_resumed), (Version(2), false));
    assert_exact(&history.ledger, &store, Version(2)).await;
}
