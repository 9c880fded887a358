//! What happens to a store while connections, replies, locks or the server are lost: nothing is lost with them, nothing is
//! written twice.

use std::sync::Arc;
use std::time::Duration;

use sqlx::AssertSqlSafe;
use sqlx::mysql::MySqlConnection;
use stockledger_projections::compare::compare;
use stockledger_projections::rebuild::replay_into;
use stockledger_projections::rows::StockRow;
use stockledger_projections::store::Error;
use stockledger_projections::{
    Activation, Activity, Changes, Checkpoint, Commit, MysqlStore, Store, Version, read,
};
use stockledger_schemas::{Hash, PartitionId};
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout};

use super::database::{Database, MARIADB, MYSQL};
use super::proxy::{Cut, Proxy};
use crate::common::{DEADLINE, Ledger, Running, TestStore, now, place, receive, replay, ship};

const P0: PartitionId = PartitionId(0);
pub(super) const FIRST: Version = Version::FIRST;
/// A store must not keep anybody waiting for a server that is gone.
const QUICKLY: Duration = Duration::from_secs(8);
/// The servers show who waits for a lock as it was at some moment, and renew that only once nobody has looked for 0.1 s.
const LOCKS_REFRESHED_AFTER: Duration = Duration::from_millis(150);

pub(super) fn checkpoint(next_offset: u64, writer: u8) -> Checkpoint {
    Checkpoint {
        partition: P0,
        next_offset,
        term: 1,
        seq: next_offset - 1,
        hash: Hash([writer; 32]),
        before: Hash([0; 32]),
        reach: 0,
        last_valid_offset: next_offset - 1,
        genesis: Hash([9; 32]),
        recorded_at: Some(now()),
        digest: 17,
        is_loaded: true,
    }
}

pub(super) fn stock(sku: &str, on_hand: i64) -> Changes {
    let row = StockRow::nothing("shop".parse().unwrap(), sku.parse().unwrap());
    Changes { stock: vec![StockRow { on_hand, ..row }], ..Changes::default() }
}

pub(super) async fn begin(store: &dyn Store) {
    store.create_version(FIRST, now()).await.unwrap();
    assert_eq!(store.begin(FIRST, &checkpoint(1, 0)).await.unwrap(), Commit::Committed);
}

pub(super) async fn commit(
    store: &dyn Store,
    from: u64,
    writer: u8,
    changes: &Changes,
) -> Result<Commit, Error> {
    store.commit(FIRST, from, &checkpoint(from + 1, writer), changes).await
}

pub(super) async fn found(store: &dyn Store) -> Checkpoint {
    let mut snapshot = store.snapshot().await.unwrap();
    read::checkpoint(&mut *snapshot, FIRST, P0).await.unwrap().unwrap()
}

/// Waits until the store has found its server again.
pub(super) async fn until_read(store: &dyn Store) {
    let deadline = Instant::now() + DEADLINE;
    while let Err(error) = store.snapshot().await {
        assert!(Instant::now() < deadline, "{error:?}");
        tokio::task::yield_now().await;
    }
}

/// A store behind a proxy. The login by TLS before it lets the server remember the password, which it then takes without.
pub(super) async fn behind_proxy(database: &Database) -> (Proxy, MysqlStore) {
    begin(&database.store().await).await;
    let proxy = Proxy::start(&database.place()).await;
    let address = format!("{}?ssl-mode=disabled", database.url_by(proxy.port));
    let store = MysqlStore::open(&address.parse().unwrap()).await.unwrap();
    (proxy, store)
}

async fn a_commit_whose_reply_is_lost_counts_once(variable: &str) {
    let database = Database::create(variable).await;
    let (proxy, store) = behind_proxy(&database).await;
    for from in 1..5 {
        proxy.cut_next(Cut::Reply);
        let movement = stock(&format!("sku-{from}"), 1);
        assert_eq!(commit(&store, from, 1, &movement).await.unwrap(), Commit::Committed);
        assert!(proxy.has_cut());
        assert_eq!(found(&store).await, checkpoint(from + 1, 1));
    }
}

async fn a_commit_that_never_arrived_is_done_again(variable: &str) {
    let database = Database::create(variable).await;
    let (proxy, store) = behind_proxy(&database).await;
    let changes = stock("A", 7);
    let (is_cut, seen) = oneshot::channel();
    let (go_on, resumed) = oneshot::channel();
    proxy.cut_next(Cut::Request { is_cut, go_on: resumed });
    let (committed, ()) = futures_util::join!(commit(&store, 1, 1, &changes), async {
        seen.await.unwrap();
        go_on.send(()).unwrap();
    });
    assert_eq!(committed.unwrap(), Commit::Committed);
    assert_eq!(found(&store).await, checkpoint(2, 1));
}

async fn a_checkpoint_of_somebody_else_is_not_taken_for_ours(variable: &str) {
    let database = Database::create(variable).await;
    let (proxy, store) = behind_proxy(&database).await;
    let other = database.store().await;
    let changes = stock("A", 7);
    let (is_cut, seen) = oneshot::channel();
    let (go_on, resumed) = oneshot::channel();
    proxy.cut_next(Cut::Request { is_cut, go_on: resumed });
    let (ours, theirs) = futures_util::join!(commit(&store, 1, 1, &changes), async {
        seen.await.unwrap();
        let theirs = commit(&other, 1, 2, &changes).await;
        go_on.send(()).unwrap();
        theirs
    });
    assert_eq!((ours.unwrap(), theirs.unwrap()), (Commit::Superseded, Commit::Committed));
    assert_eq!(found(&store).await, checkpoint(2, 2));
}

async fn a_server_that_is_gone_is_reported_and_used_again(variable: &str) {
    let database = Database::create(variable).await;
    let (mut proxy, store) = behind_proxy(&database).await;
    assert_eq!(commit(&store, 1, 1, &stock("A", 7)).await.unwrap(), Commit::Committed);
    proxy.vanish().await;
    let began = Instant::now();
    let error = commit(&store, 2, 1, &stock("A", 7)).await.unwrap_err();
    assert!(error.is_retryable(), "{error:?}");
    let error = store.snapshot().await.err().unwrap();
    assert!(error.is_retryable() && format!("{error:?}").contains(&proxy.port.to_string()), "{error:?}");
    assert!(began.elapsed() < 2 * QUICKLY, "{:?}", began.elapsed());
    proxy.appear().await;
    until_read(&store).await;
    assert_eq!(found(&store).await, checkpoint(2, 1));
    assert_eq!(commit(&store, 2, 1, &stock("A", 7)).await.unwrap(), Commit::Committed);
}

async fn a_switch_whose_reply_is_lost_is_done_once(variable: &str) {
    let database = Database::create(variable).await;
    let (proxy, store) = behind_proxy(&database).await;
    let second = FIRST.next();
    store.create_version(second, now()).await.unwrap();
    assert_eq!(store.begin(second, &checkpoint(1, 0)).await.unwrap(), Commit::Committed);
    for (expected, next) in [(None, FIRST), (Some(FIRST), second)] {
        proxy.cut_next(Cut::Reply);
        assert_eq!(store.activate(expected, next).await.unwrap(), Activation::Activated);
        assert!(proxy.has_cut());
    }
    assert_eq!(store.activate(Some(FIRST), second).await.unwrap(), Activation::Superseded);
    // The same for the version that was replaced.
    proxy.cut_next(Cut::Reply);
    store.drop_version(FIRST).await.unwrap();
    assert!(proxy.has_cut());
    let mut snapshot = store.snapshot().await.unwrap();
    let versions = read::versions(&mut *snapshot).await.unwrap();
    assert_eq!(versions.iter().map(|info| info.version).collect::<Vec<_>>(), [second]);
}

async fn a_switch_that_never_arrived_is_done_again(variable: &str) {
    let database = Database::create(variable).await;
    let (proxy, store) = behind_proxy(&database).await;
    let (is_cut, seen) = oneshot::channel();
    let (go_on, resumed) = oneshot::channel();
    proxy.cut_next(Cut::Request { is_cut, go_on: resumed });
    let (switched, ()) = futures_util::join!(store.activate(None, FIRST), async {
        seen.await.unwrap();
        go_on.send(()).unwrap();
    });
    assert_eq!(switched.unwrap(), Activation::Activated);
    let mut snapshot = store.snapshot().await.unwrap();
    assert_eq!(read::active(&mut *snapshot).await.unwrap(), Some(FIRST));
}

/// Waits until a connection of the database waits for a row that is locked.
async fn until_blocked(raw: &mut MySqlConnection, database: &Database) {
    let sql = "SELECT COUNT(*) FROM information_schema.innodb_trx t \
               JOIN information_schema.processlist p ON p.id = t.trx_mysql_thread_id \
               WHERE p.db = ? AND t.trx_state = 'LOCK WAIT'";
    let deadline = Instant::now() + DEADLINE;
    let mut look = tokio::time::interval(LOCKS_REFRESHED_AFTER);
    loop {
        look.tick().await;
        let blocked: i64 = sqlx::query_scalar(sql).bind(&database.name).fetch_one(&mut *raw).await.unwrap();
        if blocked > 0 {
            return;
        }
        assert!(Instant::now() < deadline, "nothing is blocked");
    }
}

pub(super) async fn run(raw: &mut MySqlConnection, sql: &str) {
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(raw).await.unwrap();
}

async fn a_deadlock_only_costs_time(variable: &str) {
    let database = Database::create(variable).await;
    let store = Arc::new(database.store().await);
    begin(&*store).await;
    assert_eq!(commit(&*store, 1, 1, &stock("A", 7)).await.unwrap(), Commit::Committed);
    let mut raw = database.connection().await;
    // The transaction that changed less is the one that is sacrificed.
    run(&mut raw, "CREATE TABLE heavy (id BIGINT PRIMARY KEY)").await;
    let values: Vec<String> = (0..500).map(|id| format!("({id})")).collect();
    run(&mut raw, "START TRANSACTION").await;
    run(&mut raw, &format!("INSERT INTO heavy VALUES {}", values.join(","))).await;
    run(&mut raw, "UPDATE stock__v1 SET reserved = 1 WHERE site = 'shop' AND sku = 'A'").await;
    let committing = {
        let store = Arc::clone(&store);
        tokio::spawn(async move { commit(&*store, 2, 1, &stock("A", 8)).await })
    };
    let mut observer = database.connection().await;
    until_blocked(&mut observer, &database).await;
    // Now each waits for what the other has locked; that this succeeds means that the other one was sacrificed.
    run(&mut raw, "UPDATE projection_checkpoints SET reach = reach").await;
    run(&mut raw, "ROLLBACK").await;
    let committed = timeout(DEADLINE, committing).await.unwrap().unwrap();
    assert_eq!(committed.unwrap(), Commit::Committed);
    assert_eq!(found(&*store).await, checkpoint(3, 1));
}

pub(super) fn busy_ledger() -> Ledger {
    let mut ledger = Ledger::new(2);
    for site in ["north", "south"] {
        ledger.open_site(site);
        ledger.run(site, receive(&[("A", 1_000_000), ("B", 1_000_000)]));
    }
    ledger
}

pub(super) fn add_orders(ledger: &mut Ledger, from: u32, to: u32) {
    for number in from..to {
        let site = if number % 2 == 0 { "north" } else { "south" };
        let order_id = format!("o-{number}");
        ledger.run(site, place(&order_id, &[("A", 2), ("B", 1)]));
        if number % 3 != 0 {
            ledger.run(site, ship(&order_id, None));
        }
    }
}

/// The rows are those of a fold of the whole log into another store, none twice and none missing.
pub(super) async fn assert_exact(ledger: &Ledger, store: &Arc<dyn Store>) {
    let fresh = TestStore::new().await;
    let version = fresh.active().await;
    replay_into(&replay(ledger.log(), &fresh.store), version).await.unwrap();
    let compared = compare((&**store, FIRST), (&*fresh.store, version)).await.unwrap();
    assert_eq!(compared.difference, None);
    assert!(compared.rows() > 100, "{}", compared.rows());
}

async fn two_projectors_never_double_anything(variable: &str) {
    let mut ledger = busy_ledger();
    let database = Database::create(variable).await;
    let stores: [Arc<dyn Store>; 2] = [Arc::new(database.store().await), Arc::new(database.store().await)];
    let (first, second) = futures_util::join!(
        Running::start(ledger.log(), &stores[0]),
        Running::start(ledger.log(), &stores[1])
    );
    for round in 0..20 {
        add_orders(&mut ledger, round * 6, round * 6 + 6);
        first.until_level(&ledger).await;
        second.until_level(&ledger).await;
    }
    let activities = [&first, &second].map(|running| running.progress.of(P0).unwrap().activity);
    assert_eq!(activities, [Activity::Running, Activity::Running]);
    first.stop().await;
    second.stop().await;
    assert_exact(&ledger, &stores[0]).await;
}

async fn killed_connections_are_replaced(variable: &str) {
    let mut ledger = busy_ledger();
    let database = Database::create(variable).await;
    let store: Arc<dyn Store> = Arc::new(database.store().await);
    let running = Running::start(ledger.log(), &store).await;
    let mut raw = database.connection().await;
    let sql = "SELECT CAST(id AS SIGNED) FROM information_schema.processlist \
               WHERE db = ? AND id <> CONNECTION_ID()";
    let mut killed = 0;
    for round in 0..20 {
        add_orders(&mut ledger, round * 6, round * 6 + 6);
        let ids: Vec<i64> = sqlx::query_scalar(sql).bind(&database.name).fetch_all(&mut raw).await.unwrap();
        for id in ids {
            // It may have ended by itself meanwhile.
            let kill = sqlx::raw_sql(AssertSqlSafe(format!("KILL {id}"))).execute(&mut raw).await;
            killed += i32::from(kill.is_ok());
        }
        running.until_level(&ledger).await;
    }
    assert!(killed >= 20, "{killed}");
    running.stop().await;
    assert_exact(&ledger, &store).await;
}

on_both! {
    a_commit_whose_reply_is_lost_counts_once
    a_commit_that_never_arrived_is_done_again
    a_checkpoint_of_somebody_else_is_not_taken_for_ours
    a_switch_whose_reply_is_lost_is_done_once
    a_switch_that_never_arrived_is_done_again
    a_server_that_is_gone_is_reported_and_used_again
    a_deadlock_only_costs_time
    two_projectors_never_double_anything
    killed_connections_are_replaced
}
