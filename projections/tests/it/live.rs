//! The live projector: it stays level, resumes exactly, loses races without harm, and halts where it must.

use std::sync::Arc;
use std::time::Duration;

use stockledger_projections::{Activity, Queries, Store, Waited};
use stockledger_schemas::event::StockReceived;
use stockledger_schemas::{Event, Level, PartitionId, Position};
use tokio::time::Instant;

use crate::common::{
    DEADLINE, Ledger, Running, TestStore, assert_exact, deadline, now, place, receive, ship,
};

const P0: PartitionId = PartitionId(0);

fn busy_ledger(partitions: u16, orders: u32) -> Ledger {
    let mut ledger = Ledger::new(partitions);
    ledger.open_site("shop");
    ledger.run("shop", receive(&[("A", 1_000_000), ("B", 1_000_000)]));
    add_orders(&mut ledger, 0, orders);
    ledger
}

fn add_orders(ledger: &mut Ledger, from: u32, to: u32) {
    for number in from..to {
        let order_id = format!("o-{number}");
        ledger.run("shop", place(&order_id, &[("A", 2), ("B", 1)]));
        if number % 3 != 0 {
            ledger.run("shop", ship(&order_id, None));
        }
    }
}

/// Why partition 0 has halted.
async fn halt_reason(running: &Running) -> Arc<str> {
    let is_halted =
        |status: &stockledger_projections::Status| matches!(status.activity, Activity::Halted { .. });
    assert!(running.progress.until(P0, deadline(), is_halted).await, "{:?}", running.progress.of(P0));
    match running.progress.of(P0).unwrap().activity {
        Activity::Halted { reason } => reason,
        activity => panic!("{activity:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_becomes_level_and_stays_level() {
    let mut ledger = busy_ledger(3, 50);
    let store = TestStore::new().await;
    let running = Running::start(ledger.log(), &store.store).await;
    running.until_level(&ledger).await;
    for round in 0..5 {
        add_orders(&mut ledger, 50 + round * 3, 53 + round * 3);
        running.until_level(&ledger).await;
    }
    let status = running.progress.of(ledger.home("shop")).unwrap();
    assert_eq!((status.lag(), &status.activity), (0, &Activity::Running));
    assert!(status.recorded_at.is_some());
    running.stop().await;
    assert_exact(&ledger, &store, store.active().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_that_do_not_count_are_passed_over_and_remembered() {
    let mut ledger = busy_ledger(1, 2);
    ledger.land_void(P0);
    add_orders(&mut ledger, 2, 4);
    ledger.land_void(P0);
    let store = TestStore::new().await;
    let running = Running::start(ledger.log(), &store.store).await;
    let end = ledger.log().bounds(0).await.unwrap().end;
    assert!(running.progress.until(P0, deadline(), |status| status.next_offset == end).await);
    running.stop().await;
    assert_exact(&ledger, &store, store.active().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_resumes_exactly_after_a_crash_between_batches() {
    let mut ledger = busy_ledger(1, 10);
    let store = TestStore::new().await;
    for round in 0_u32..6 {
        let running = Running::start(ledger.log(), &store.store).await;
        running.until_level(&ledger).await;
        // Dropped without a word, as a process that is killed.
        drop(running);
        add_orders(&mut ledger, 10 + round * 7, 17 + round * 7);
    }
    let running = Running::start(ledger.log(), &store.store).await;
    running.until_level(&ledger).await;
    running.stop().await;
    assert_exact(&ledger, &store, store.active().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_goes_on_when_the_log_answers_again() {
    let mut ledger = busy_ledger(1, 5);
    let store = TestStore::new().await;
    ledger.faults().set_available(false);
    let running = Running::start(ledger.log(), &store.store).await;
    let is_retrying =
        |status: &stockledger_projections::Status| matches!(status.activity, Activity::Retrying { .. });
    assert!(running.progress.until(P0, deadline(), is_retrying).await);
    add_orders(&mut ledger, 5, 8);
    ledger.faults().set_available(true);
    running.until_level(&ledger).await;
    ledger.faults().fail_reads(0, 3);
    add_orders(&mut ledger, 8, 12);
    running.until_level(&ledger).await;
    running.stop().await;
    assert_exact(&ledger, &store, store.active().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_projectors_on_one_partition_never_double_anything() {
    let mut ledger = busy_ledger(1, 20);
    let store = TestStore::new().await;
    let other = Arc::new(stockledger_projections::SqliteStore::open(&store.path).await.unwrap());
    let other: Arc<dyn Store> = other;
    let (first, second) =
        futures_util::join!(Running::start(ledger.log(), &store.store), Running::start(ledger.log(), &other));
    for round in 0..20 {
        add_orders(&mut ledger, 20 + round * 5, 25 + round * 5);
        first.until_level(&ledger).await;
        second.until_level(&ledger).await;
    }
    let activities = [&first, &second].map(|running| running.progress.of(P0).unwrap().activity);
    assert_eq!(activities, [Activity::Running, Activity::Running]);
    first.stop().await;
    second.stop().await;
    assert_exact(&ledger, &store, store.active().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_halts_at_a_record_that_is_damaged_and_keeps_what_stands_before() {
    let mut ledger = busy_ledger(1, 5);
    let decision = ledger.run("shop", receive(&[("A", 1)]));
    let next = ledger.next_like(P0, &decision, decision.events[0].clone());
    let mut damaged = stockledger_schemas::envelope::encode_decision(&next).unwrap();
    damaged[40] ^= 1;
    ledger.land_raw(P0, damaged);
    let store = TestStore::new().await;
    let running = Running::start(ledger.log(), &store.store).await;
    let reason = halt_reason(&running).await;
    assert!(reason.contains("checksum"), "{reason}");
    assert_eq!(running.progress.of(P0).unwrap().position, ledger.head(P0));
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_halts_where_the_chain_is_broken() {
    let mut ledger = busy_ledger(1, 5);
    let decision = ledger.run("shop", receive(&[("A", 1)]));
    let mut forged = ledger.next_like(P0, &decision, decision.events[0].clone());
    forged.prev_hash = decision.prev_hash;
    ledger.land_raw(P0, stockledger_schemas::envelope::encode_decision(&forged).unwrap());
    let store = TestStore::new().await;
    let running = Running::start(ledger.log(), &store.store).await;
    let reason = halt_reason(&running).await;
    assert!(reason.contains("history was changed"), "{reason}");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_halts_where_records_are_missing() {
    let mut ledger = busy_ledger(1, 5);
    let decision = ledger.run("shop", receive(&[("A", 1)]));
    let mut far = ledger.next_like(P0, &decision, decision.events[0].clone());
    far.seq += 5_000;
    ledger.land_raw(P0, stockledger_schemas::envelope::encode_decision(&far).unwrap());
    let store = TestStore::new().await;
    let running = Running::start(ledger.log(), &store.store).await;
    let reason = halt_reason(&running).await;
    assert!(reason.contains("records were lost"), "{reason}");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_halts_exactly_before_a_row_that_is_impossible() {
    let mut ledger = busy_ledger(1, 5);
    let decision = ledger.run("shop", receive(&[("A", 1)]));
    let before = ledger.head(P0);
    let Event::StockReceived(StockReceived { mut lines }) = decision.events[0].clone() else { panic!() };
    lines[0].after.on_hand = Level::new(1).unwrap();
    let impossible = ledger.next_like(P0, &decision, StockReceived { lines }.into());
    ledger.land_decision(P0, &impossible);
    let store = TestStore::new().await;
    let running = Running::start(ledger.log(), &store.store).await;
    let reason = halt_reason(&running).await;
    assert!(reason.contains("the event says 1") && reason.contains(&impossible.seq.to_string()), "{reason}");
    assert_eq!(running.progress.of(P0).unwrap().position, before);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_refuses_another_ledgers_log() {
    let ledger = busy_ledger(1, 5);
    let store = TestStore::new().await;
    let running = Running::start(ledger.log(), &store.store).await;
    running.until_level(&ledger).await;
    running.stop().await;
    let mut foreign = Ledger::with_id(1, 2);
    foreign.open_site("shop");
    foreign.run("shop", receive(&[("A", 1_000_000), ("B", 1_000_000)]));
    add_orders(&mut foreign, 0, 9);
    let running = Running::start(foreign.log(), &store.store).await;
    let reason = halt_reason(&running).await;
    assert!(reason.contains("wrong log or wrong projections"), "{reason}");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_refuses_a_log_that_lost_what_is_projected() {
    let ledger = busy_ledger(1, 5);
    let store = TestStore::new().await;
    let running = Running::start(ledger.log(), &store.store).await;
    running.until_level(&ledger).await;
    running.stop().await;
    let end = ledger.log().bounds(0).await.unwrap().end;
    ledger.faults().cut_off(0, end - 2);
    let running = Running::start(ledger.log(), &store.store).await;
    let reason = halt_reason(&running).await;
    assert!(reason.contains("the log lost records"), "{reason}");
    running.stop().await;
    for _ in 0..2 {
        ledger.land_raw(P0, b"another history".to_vec());
    }
    let running = Running::start(ledger.log(), &store.store).await;
    let reason = halt_reason(&running).await;
    assert!(reason.contains("is not the one that was projected"), "{reason}");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_refuses_a_log_whose_beginning_is_gone() {
    let ledger = busy_ledger(1, 5);
    let store = TestStore::new().await;
    ledger.faults().delete_before(0, 3);
    let running = Running::start(ledger.log(), &store.store).await;
    let reason = halt_reason(&running).await;
    assert!(reason.contains("history was deleted"), "{reason}");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_partitions_go_on_when_one_halts() {
    let mut ledger = Ledger::new(2);
    ledger.open_site("north");
    ledger.open_site("south");
    let sites = ["north", "south"].map(|site| (site, ledger.home(site)));
    let other = sites.iter().find(|(_, home)| *home != P0).unwrap().0;
    ledger.land_raw(P0, b"SL garbage".to_vec());
    ledger.run(other, receive(&[("A", 1)]));
    let store = TestStore::new().await;
    let running = Running::start(ledger.log(), &store.store).await;
    halt_reason(&running).await;
    let head = ledger.head(PartitionId(1));
    assert!(running.progress.until(PartitionId(1), deadline(), |status| status.position == head).await);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_wait_for_their_writes_with_and_without_a_projector_here() {
    let mut ledger = busy_ledger(1, 5);
    let store = TestStore::new().await;
    let running = Running::start(ledger.log(), &store.store).await;
    let here = Queries::new(Arc::clone(&store.store), Some(running.progress.clone()));
    let elsewhere = Queries::new(Arc::clone(&store.store), None);
    for queries in [&here, &elsewhere] {
        for number in 0..10 {
            let position = Position::new(P0, ledger.head(P0).seq + 1);
            let waiting = queries.clone();
            let waiting =
                tokio::spawn(async move { waiting.wait_for(&[position], Instant::now() + DEADLINE).await });
            ledger.run("shop", receive(&[("A", i64::from(number) + 1)]));
            assert_eq!(waiting.await.unwrap().unwrap(), Waited::Reached);
        }
        let head = ledger.head(P0);
        let beyond = Position::new(P0, head.seq + 1);
        let soon = Instant::now() + Duration::from_millis(30);
        assert_eq!(
            queries.wait_for(&[head, beyond], soon).await.unwrap(),
            Waited::Behind { reached: vec![head; 2] }
        );
    }
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_does_not_write_to_tables_that_other_code_made() {
    let store = TestStore::new().await;
    let version = store.active().await;
    store.execute("UPDATE projection_versions SET code_hash = 'older'").await;
    let error = stockledger_projections::projector::ensure_active(&*store.store, now()).await.unwrap_err();
    assert!(error.to_string().contains("rebuild"), "{error}");
    assert!(
        matches!(error, stockledger_projections::store::Error::OtherCode { version: found, .. } if found == version)
    );
}
