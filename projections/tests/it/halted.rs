//! What cannot be read past: it stops one partition, every answer from there says so, in whatever process, and a rebuild
//! of it changes nothing.

use std::sync::Arc;

use stockledger_projections::read::{self, VersionState};
use stockledger_projections::rebuild::Error;
use stockledger_projections::views::Stale;
use stockledger_projections::{
    Activity, Direction, MovementFilter, OrderFilter, Point, Queries, SqliteStore, Status, Store, Then,
    Version, Waited,
};
use stockledger_schemas::event::StockReceived;
use stockledger_schemas::{Event, Level, PartitionId, Position, SiteId, envelope};
use tokio::time::Instant;

use crate::common::{
    Ledger, Running, TestStore, deadline, id, now, order, place, rebuild, receive, replay, ship,
};

/// What a log may hold that nobody may read past.
#[derive(Debug, Clone, Copy)]
enum Poison {
    Damaged,
    Hole,
    BrokenChain,
    ImpossibleRow,
}

impl Poison {
    const ALL: [Self; 4] = [Self::Damaged, Self::Hole, Self::BrokenChain, Self::ImpossibleRow];

    /// Part of the reason that is given for it.
    const fn reason(self) -> &'static str {
        match self {
            Self::Damaged => "checksum",
            Self::Hole => "records were lost",
            Self::BrokenChain => "history was changed",
            Self::ImpossibleRow => "the event says 1",
        }
    }

    fn land(self, ledger: &mut Ledger, site: &str) {
        let home = ledger.home(site);
        let like = ledger.run(site, receive(&[("A", 1)]));
        let mut next = ledger.next_like(home, &like, like.events[0].clone());
        match self {
            Self::Damaged => {
                let mut bytes = envelope::encode_decision(&next).unwrap();
                bytes[40] ^= 1;
                ledger.land_raw(home, bytes);
                return;
            }
            Self::Hole => next.seq += 5_000,
            Self::BrokenChain => next.prev_hash = like.prev_hash,
            Self::ImpossibleRow => {
                let Event::StockReceived(StockReceived { mut lines }) = like.events[0].clone() else {
                    panic!()
                };
                lines[0].after.on_hand = Level::new(1).unwrap();
                next.events = vec![StockReceived { lines }.into()];
                // It stands in the chain as any other.
                return ledger.land_decision(home, &next);
            }
        }
        ledger.land_raw(home, envelope::encode_decision(&next).unwrap());
    }
}

/// Two sites, each on a partition of its own.
const SITES: [&str; 2] = ["bad", "good"];

fn ledger() -> Ledger {
    let mut ledger = Ledger::new(2);
    for site in SITES {
        ledger.open_site(site);
        ledger.run(site, receive(&[("A", 100)]));
        ledger.run(site, place("o-1", &[("A", 2)]));
        ledger.run(site, ship("o-1", None));
    }
    assert_ne!(ledger.home(SITES[0]), ledger.home(SITES[1]));
    ledger
}

/// What every kind of read of a site says of being stale.
async fn stale(queries: &Queries, site: &str) -> Vec<Option<Stale>> {
    let known = queries.site(&SiteId::new(site).unwrap()).await.unwrap().unwrap();
    let (sku, order_id) = (id("A"), order("o-1"));
    let then = Then::Recorded(Point::Instant(now()));
    let levels = queries.stock_levels(&known, None, 10).await.unwrap();
    let everywhere = queries.stock_of_item(&sku, None, 10).await.unwrap().data;
    let here = everywhere.into_iter().find(|level| level.site == known.site).unwrap();
    let movements = queries
        .movements((&known, &sku), &MovementFilter::default(), Direction::NewestFirst, None, 10)
        .await
        .unwrap();
    let positions = queries.positions().await.unwrap();
    let reached = positions.into_iter().find(|at| at.position.partition == known.partition).unwrap();
    vec![
        reached.stale,
        queries.stock_level(&known, &sku).await.unwrap().unwrap().at.stale,
        queries.stock_level_then(&known, &sku, then).await.unwrap().unwrap().at.stale,
        levels.at.stale,
        levels.value.data[0].at.stale.clone(),
        queries.stock_levels_then(&known, then, None, None, 10).await.unwrap().at.stale,
        here.at.stale,
        queries.units_on_hand(&known).await.unwrap().at.stale,
        queries.order(&known, &order_id).await.unwrap().unwrap().at.stale,
        queries.order_then(&known, &order_id, then).await.unwrap().unwrap().at.stale,
        queries
            .orders(&known, &OrderFilter::default(), Direction::NewestFirst, None, 10)
            .await
            .unwrap()
            .at
            .stale,
        queries.order_trail(&known, &order_id, None, 10).await.unwrap().at.stale,
        movements.at.stale,
        queries.explain(&known, &sku, None).await.unwrap().unwrap().level.at.stale,
    ]
}

fn assert_all_stale(found: &[Option<Stale>], reason: &str) {
    for (number, stale) in found.iter().enumerate() {
        let stale = stale.as_ref().unwrap_or_else(|| panic!("read {number} is not stale: {found:?}"));
        assert!(stale.reason.contains(reason), "{number}: {stale:?}");
    }
}

/// Waits until a partition has halted and the store knows why.
async fn until_halted(running: &Running, store: &TestStore, partition: PartitionId) {
    let is_halted = |status: &Status| matches!(status.activity, Activity::Halted { .. });
    assert!(running.progress.until(partition, deadline(), is_halted).await, "{:?}", running.progress.all());
    let deadline = deadline();
    while read::halts(&mut *store.store.snapshot().await.unwrap(), store.active().await)
        .await
        .unwrap()
        .is_empty()
    {
        assert!(Instant::now() < deadline, "the store was never told");
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_of_a_partition_that_stopped_are_stale_everywhere_and_others_go_on() {
    let [bad, good] = SITES;
    for poison in Poison::ALL {
        let mut ledger = ledger();
        let store = TestStore::new().await;
        let running = Running::start(ledger.log(), &store.store).await;
        running.until_level(&ledger).await;
        let elsewhere: Arc<dyn Store> = Arc::new(SqliteStore::open_read_only(&store.path).await.unwrap());
        let here = Queries::new(Arc::clone(&store.store), Some(running.progress.clone()));
        let elsewhere = Queries::new(elsewhere, None);
        for queries in [&here, &elsewhere] {
            for site in SITES {
                assert!(stale(queries, site).await.iter().all(Option::is_none), "{poison:?}");
            }
        }
        poison.land(&mut ledger, bad);
        let last = match poison {
            Poison::ImpossibleRow => Position::new(ledger.home(bad), ledger.head(ledger.home(bad)).seq - 1),
            _ => ledger.head(ledger.home(bad)),
        };
        until_halted(&running, &store, ledger.home(bad)).await;
        ledger.run(good, receive(&[("A", 5)]));
        let head = ledger.head(ledger.home(good));
        for queries in [&here, &elsewhere] {
            assert_eq!(queries.wait_for(&[head], deadline()).await.unwrap(), Waited::Reached);
            assert_all_stale(&stale(queries, bad).await, poison.reason());
            assert!(stale(queries, good).await.iter().all(Option::is_none), "{poison:?}");
            // What stands before the poison is there.
            assert_eq!(queries.wait_for(&[last], deadline()).await.unwrap(), Waited::Reached);
            // Nobody waits for what will not come.
            let beyond = Position::new(last.partition, last.seq + 1);
            let waited = queries.wait_for(&[head, beyond], deadline()).await.unwrap();
            let Waited::Halted { partition, reason } = waited else { panic!("{poison:?}: {waited:?}") };
            assert_eq!(partition, last.partition);
            assert!(reason.contains(poison.reason()), "{poison:?}: {reason}");
        }
        running.stop().await;
        // The next process meets the same, and meanwhile the answers go on saying so.
        let again = Running::start(ledger.log(), &store.store).await;
        assert_all_stale(&stale(&elsewhere, bad).await, poison.reason());
        until_halted(&again, &store, ledger.home(bad)).await;
        assert_all_stale(&stale(&elsewhere, bad).await, poison.reason());
        again.stop().await;
    }
}

/// The log may hold more than the tables, and nobody knows: answers say so, and who needs more waits for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_are_stale_while_the_log_does_not_answer() {
    let mut ledger = ledger();
    let store = TestStore::new().await;
    let running = Running::start(ledger.log(), &store.store).await;
    running.until_level(&ledger).await;
    let queries = Queries::new(Arc::clone(&store.store), Some(running.progress.clone()));
    ledger.faults().set_available(false);
    for site in SITES {
        let home = ledger.home(site);
        let waits = |status: &Status| matches!(status.activity, Activity::Retrying { .. });
        assert!(running.progress.until(home, deadline(), waits).await, "{:?}", running.progress.all());
        assert_all_stale(&stale(&queries, site).await, "not available");
        let head = ledger.head(home);
        let beyond = Position::new(home, head.seq + 1);
        let waited = queries.wait_for(&[beyond], Instant::now()).await.unwrap();
        assert_eq!(waited, Waited::Behind { reached: vec![head] });
    }
    ledger.faults().set_available(true);
    ledger.run(SITES[0], receive(&[("A", 5)]));
    ledger.run(SITES[1], receive(&[("A", 5)]));
    running.until_level(&ledger).await;
    for site in SITES {
        let follows = |status: &Status| matches!(status.activity, Activity::Running);
        assert!(running.progress.until(ledger.home(site), deadline(), follows).await);
        assert!(stale(&queries, site).await.iter().all(Option::is_none));
    }
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rebuild_of_a_log_that_cannot_be_read_past_leaves_the_version_in_use_alone() {
    for poison in Poison::ALL {
        let mut ledger = ledger();
        let store = TestStore::new().await;
        let running = Running::start(ledger.log(), &store.store).await;
        running.until_level(&ledger).await;
        poison.land(&mut ledger, SITES[0]);
        until_halted(&running, &store, ledger.home(SITES[0])).await;
        for _ in 0..2 {
            let halted = rebuild(&replay(ledger.log(), &store.store)).await;
            let Err(Error::Halted(halted)) = halted else { panic!("{poison:?}: {halted:?}") };
            assert!(halted.to_string().contains(poison.reason()), "{poison:?}: {halted}");
            let versions = read::versions(&mut *store.store.snapshot().await.unwrap()).await.unwrap();
            let versions: Vec<_> = versions.iter().map(|info| (info.version, info.state)).collect();
            assert_eq!(versions, [(Version(1), VersionState::Active)]);
        }
        ledger.run(SITES[1], receive(&[("A", 5)]));
        let head = ledger.head(ledger.home(SITES[1]));
        let queries = Queries::new(Arc::clone(&store.store), None);
        assert_eq!(queries.wait_for(&[head], deadline()).await.unwrap(), Waited::Reached);
        assert_all_stale(&stale(&queries, SITES[0]).await, poison.reason());
        running.stop().await;
    }
}
