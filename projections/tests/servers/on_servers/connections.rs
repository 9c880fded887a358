//! Connections that are dead, scarce, or not allowed for a while.

use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use stockledger_projections::{Activity, Checkpoint, Commit, Status, Store};
use stockledger_schemas::PartitionId;
use tokio::time::{Instant, timeout};

use super::database::{Database, MARIADB, MYSQL};
use super::faults::{
    FIRST, add_orders, assert_exact, begin, behind_proxy, busy_ledger, checkpoint, commit, found, run, stock,
    until_read,
};
use crate::common::{DEADLINE, Running, deadline};

/// A server that does not even say that it is gone is reported within three seconds, and some for a machine that is busy.
const VANISHED_SOON: Duration = Duration::from_secs(5);
/// Longer than any wait of a store for its server.
const LONGER_THAN_CONNECTING: Duration = Duration::from_secs(4);

async fn a_host_that_vanished_without_a_word_is_reported_quickly(variable: &str) {
    let database = Database::create(variable).await;
    let (proxy, store) = behind_proxy(&database).await;
    let snapshots = futures_util::future::join_all((0..8).map(|_| store.snapshot())).await;
    assert!(snapshots.iter().all(Result::is_ok));
    drop(snapshots);
    assert_eq!(commit(&store, 1, 1, &stock("A", 7)).await.unwrap(), Commit::Committed);
    proxy.fall_silent();
    let began = Instant::now();
    let error = store.snapshot().await.err().unwrap();
    assert!(error.is_retryable(), "{error:?}");
    assert!(began.elapsed() < VANISHED_SOON, "{:?}", began.elapsed());
    // The next one is not kept waiting for what is known.
    let error = stockledger_log::Causes(&store.snapshot().await.err().unwrap()).to_string();
    assert!(error.contains("has not answered for") && error.contains("is looked for"), "{error}");
    let began = Instant::now();
    let error = commit(&store, 2, 1, &stock("A", 7)).await.unwrap_err();
    assert!(error.is_retryable(), "{error:?}");
    assert!(began.elapsed() < VANISHED_SOON, "{:?}", began.elapsed());
    proxy.speak_to_newcomers();
    until_read(&store).await;
    assert_eq!(found(&store).await, checkpoint(2, 1));
    assert_eq!(commit(&store, 2, 1, &stock("A", 7)).await.unwrap(), Commit::Committed);
}

async fn connections_that_went_dead_are_replaced_while_one_waits(variable: &str) {
    let database = Database::create(variable).await;
    let (proxy, store) = behind_proxy(&database).await;
    let snapshots = futures_util::future::join_all((0..8).map(|_| store.snapshot())).await;
    assert!(snapshots.iter().all(Result::is_ok));
    drop(snapshots);
    // As a firewall that forgets connections: the server itself is well.
    proxy.fall_silent();
    tokio::task::yield_now().await;
    proxy.speak_to_newcomers();
    let began = Instant::now();
    assert_eq!(found(&store).await, checkpoint(1, 0));
    assert!(began.elapsed() < VANISHED_SOON, "{:?}", began.elapsed());
}

/// More partitions commit at once than there are connections, and it takes longer than making one may.
async fn writers_wait_in_line_for_a_connection(variable: &str) {
    let database = Database::create(variable).await;
    let store = database.store().await;
    begin(&store).await;
    assert_eq!(commit(&store, 1, 1, &stock("A", 7)).await.unwrap(), Commit::Committed);
    let partitions: Vec<PartitionId> = (1..41).map(PartitionId).collect();
    for partition in &partitions {
        let first = Checkpoint { partition: *partition, ..checkpoint(1, 0) };
        assert_eq!(store.begin(FIRST, &first).await.unwrap(), Commit::Committed);
    }
    let mut raw = database.connection().await;
    run(&mut raw, "START TRANSACTION").await;
    run(&mut raw, "UPDATE stock__v1 SET reserved = 1 WHERE site = 'shop' AND sku = 'A'").await;
    let changes = stock("A", 8);
    let mut commits = futures_util::future::join_all(partitions.iter().map(async |partition| {
        let next = Checkpoint { partition: *partition, ..checkpoint(2, 1) };
        store.commit(FIRST, 1, &next, &changes).await
    }));
    assert!(timeout(LONGER_THAN_CONNECTING, &mut commits).await.is_err(), "nobody waits");
    run(&mut raw, "ROLLBACK").await;
    for committed in timeout(DEADLINE, commits).await.unwrap() {
        assert_eq!(committed.unwrap(), Commit::Committed);
    }
}

/// Makes every write of a stock row fail with an error of the server's.
async fn fail_stock(database: &Database, number: u16) {
    let sql = format!(
        "CREATE TRIGGER fail_stock BEFORE INSERT ON stock__v1 FOR EACH ROW \
         SIGNAL SQLSTATE '42000' SET MYSQL_ERRNO = {number}, MESSAGE_TEXT = 'made up by a test'"
    );
    run(&mut database.connection().await, &sql).await;
}

async fn too_many_prepared_statements_are_a_matter_of_time_and_settings(variable: &str) {
    const TOO_MANY_STATEMENTS: u16 = 1461;
    let database = Database::create(variable).await;
    let store = database.store().await;
    begin(&store).await;
    fail_stock(&database, TOO_MANY_STATEMENTS).await;
    let error = commit(&store, 1, 1, &stock("A", 7)).await.unwrap_err();
    assert!(error.is_retryable(), "{error:?}");
    let causes = stockledger_log::Causes(&error).to_string();
    assert!(causes.contains("raise max_prepared_stmt_count") && causes.contains("made up"), "{causes}");
    run(&mut database.connection().await, "DROP TRIGGER fail_stock").await;
    assert_eq!(commit(&store, 1, 1, &stock("A", 7)).await.unwrap(), Commit::Committed);
}

async fn a_right_that_is_taken_away_for_a_while_halts_nothing(variable: &str) {
    const COMMAND_DENIED: u16 = 1142;
    let mut ledger = busy_ledger();
    let database = Database::create(variable).await;
    let store: Arc<dyn Store> = Arc::new(database.store().await);
    let running = Running::start(ledger.log(), &store).await;
    running.until_level(&ledger).await;
    fail_stock(&database, COMMAND_DENIED).await;
    add_orders(&mut ledger, 0, 20);
    let is_told = |status: &Status| match &status.activity {
        Activity::Retrying { reason } => reason.contains("lacks a right"),
        _ => false,
    };
    let partition = ledger.home("north");
    assert!(
        running.progress.until(partition, deadline(), is_told).await,
        "{:?}",
        running.progress.of(partition)
    );
    run(&mut database.connection().await, "DROP TRIGGER fail_stock").await;
    running.until_level(&ledger).await;
    running.stop().await;
    assert_exact(&ledger, &store).await;
}

/// Lets a call go on until it has waited so often, then drops it. Says whether it came to its end before.
async fn ends_before<T>(waits: usize, call: impl Future<Output = T>) -> bool {
    let (mut call, mut waited) = (pin!(call), 0);
    std::future::poll_fn(|context| match call.as_mut().poll(context) {
        Poll::Ready(_) => Poll::Ready(true),
        Poll::Pending if waited == waits => Poll::Ready(false),
        Poll::Pending => {
            waited += 1;
            Poll::Pending
        }
    })
    .await
}

/// Callers go away at every moment of a read and of a commit: while one connects, while statements are prepared, while
/// answers come.
async fn a_call_that_is_dropped_takes_no_connection_with_it(variable: &str) {
    const WAITS_MAX: usize = 200;
    let database = Database::create(variable).await;
    let (mut from, mut have_ended) = (1, [false; 2]);
    begin(&database.store().await).await;
    for waits in 0..WAITS_MAX {
        let store = database.store().await;
        have_ended[0] |= ends_before(waits, found(&store)).await;
        have_ended[1] |= ends_before(waits, commit(&store, from, 1, &stock("A", 7))).await;
        from = found(&store).await.next_offset;
        // The server may still be doing what nobody waits for any more.
        while commit(&store, from, 1, &stock("A", 8)).await.unwrap() == Commit::Superseded {
            from = found(&store).await.next_offset;
        }
        from += 1;
        timeout(DEADLINE, store.close()).await.expect("all connections come back");
        if have_ended == [true; 2] {
            return;
        }
    }
    panic!("a call waits more than {WAITS_MAX} times");
}

on_both! {
    a_call_that_is_dropped_takes_no_connection_with_it
    a_host_that_vanished_without_a_word_is_reported_quickly
    connections_that_went_dead_are_replaced_while_one_waits
    writers_wait_in_line_for_a_connection
    too_many_prepared_statements_are_a_matter_of_time_and_settings
    a_right_that_is_taken_away_for_a_while_halts_nothing
}
