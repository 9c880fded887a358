//! Rebuilding on real servers: killed and taken over, stopped by what cannot be read past, and adding up to its rows.

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::prop;
use proptest::test_runner::{Config, TestRunner};
use sqlx::AssertSqlSafe;
use stockledger_domain::Command;
use stockledger_projections::compare::compare;
use stockledger_projections::read;
use stockledger_projections::rebuild::{self, Error, SwitchWhen};
use stockledger_projections::switch::{IfDifferent, Target, switch};
use stockledger_projections::versions::OWNER_SILENT_MAX;
use stockledger_projections::{
    Activity, Direction, MysqlStore, OrderFilter, Queries, Status, Store, Version,
};
use stockledger_schemas::SiteId;
use tokio::runtime::Runtime;
use tokio::time::Instant;

use super::database::{Database, MARIADB, MYSQL};
use crate::common::{
    Ledger, Running, TestStore, assert_exact_in, deadline, digests, id, now, owner, place, rebuild, receive,
    replay, ship, silence, sum_of_rows,
};
use crate::gate::Gated;
use crate::random::{SITES, any_command, ledger_with_sites};

async fn opened(database: &Database) -> Arc<dyn Store> {
    Arc::new(database.store().await)
}

/// Orders of which every second one stays open, so that a load keeps its row back to the end.
fn some_orders(ledger: &mut Ledger, from: u32, to: u32) {
    for number in from..to {
        let site = SITES[number as usize % SITES.len()];
        ledger.run(site, receive(&[("A", 5), ("B", 2)]));
        ledger.run(site, place(&format!("o-{number}"), &[("A", 3), ("B", 1 + i64::from(number % 2))]));
        if number % 2 == 1 {
            ledger.run(site, ship(&format!("o-{number}"), None));
        }
    }
}

async fn a_rebuild_that_is_killed_is_gone_on_with(variable: &str) {
    let mut ledger = ledger_with_sites(2);
    some_orders(&mut ledger, 0, 3_000);
    let database = Database::create(variable).await;
    let store = opened(&database).await;
    rebuild(&replay(ledger.log(), &store)).await.unwrap();
    for (commits, length) in [(1, OWNER_SILENT_MAX), (1, OWNER_SILENT_MAX - Duration::from_secs(1))] {
        let gated = Gated::shut_after_commits(&opened(&database).await, commits);
        let gated_store: Arc<dyn Store> = Arc::clone(&gated) as Arc<dyn Store>;
        let killed = replay(ledger.log(), &gated_store);
        let killed = tokio::spawn(async move { rebuild(&killed).await });
        gated.commits.until_entered(commits + 1).await;
        // As long as it is alive nobody else goes on.
        let refused = rebuild(&replay(ledger.log(), &store)).await;
        assert!(matches!(refused, Err(Error::Running(Version(2)))), "{refused:?}");
        killed.abort();
        assert!(killed.await.unwrap_err().is_cancelled());
        silence(&store, length).await;
        some_orders(&mut ledger, 3_000, 3_010);
    }
    let rebuilt = rebuild(&replay(ledger.log(), &store)).await.unwrap();
    assert_eq!((rebuilt.version, rebuilt.is_resumed), (Version(2), true));
    assert!(rebuilt.switched.unwrap().is_compared);
    assert_exact_in(&ledger, &store, Version(2)).await;
    store.close().await;
}

/// Runs the commands while a projector follows, which is started again and again, and rebuilds in the middle.
async fn digests_are_those_of_the_rows(variable: &str, steps: Vec<(usize, Command, u8)>) {
    let mut ledger = ledger_with_sites(2);
    let database = Database::create(variable).await;
    let store = opened(&database).await;
    let mut running = Running::start(ledger.log(), &store).await;
    let middle = steps.len() / 2;
    for (number, (site, command, pause)) in steps.into_iter().enumerate() {
        ledger.run(SITES[site], command);
        if number == middle {
            rebuild(&replay(ledger.log(), &store)).await.unwrap();
        }
        match pause {
            0 => running.until_level(&ledger).await,
            1 => {
                drop(running);
                running = Running::start(ledger.log(), &store).await;
            }
            _ => {}
        }
    }
    for version in [Version(1), Version(2)] {
        running.until_version_level(version, &ledger).await;
    }
    running.stop().await;
    // The same rows add up to the same in SQLite.
    let embedded = TestStore::new().await;
    rebuild(&replay(ledger.log(), &embedded.store)).await.unwrap();
    let expected = digests(&*embedded.store, Version(1)).await;
    let sum = sum_of_rows(&*embedded.store, Version(1)).await;
    for version in [Version(1), Version(2)] {
        assert_eq!(digests(&*store, version).await, expected, "version {version}");
        assert_eq!(sum_of_rows(&*store, version).await, sum, "version {version}");
    }
    store.close().await;
}

fn a_digest_is_the_sum_of_the_rows_whatever_happened(variable: &'static str) {
    let steps = prop::collection::vec((0..SITES.len(), any_command(12), 0..12_u8), 2..60);
    let runtime = Runtime::new().unwrap();
    let mut runner = TestRunner::new(Config { cases: 3, failure_persistence: None, ..Config::default() });
    runner
        .run(&steps, |steps| {
            runtime.block_on(digests_are_those_of_the_rows(variable, steps));
            Ok(())
        })
        .unwrap();
}

#[test]
fn what_digests_say_is_what_mysql_holds() {
    a_digest_is_the_sum_of_the_rows_whatever_happened(MYSQL);
}

#[test]
fn what_digests_say_is_what_mariadb_holds() {
    a_digest_is_the_sum_of_the_rows_whatever_happened(MARIADB);
}

async fn a_row_that_was_changed_by_hand_keeps_a_switch_from_being_made(variable: &str) {
    let mut ledger = ledger_with_sites(2);
    some_orders(&mut ledger, 0, 6);
    let database = Database::create(variable).await;
    let store = opened(&database).await;
    let replay = replay(ledger.log(), &store);
    rebuild(&replay).await.unwrap();
    let changed = "UPDATE stock__v1 SET first_seq = first_seq + 1 WHERE site = 'north' AND sku = 'A'";
    let changed =
        sqlx::raw_sql(AssertSqlSafe(changed)).execute(&mut database.connection().await).await.unwrap();
    assert_eq!(changed.rows_affected(), 1);
    some_orders(&mut ledger, 6, 9);
    let refused = rebuild(&replay).await;
    assert!(matches!(refused, Err(Error::Differ { .. })), "{refused:?}");
    let compared = compare((&*store, Version(1)), (&*store, Version(2))).await.unwrap();
    assert_eq!(compared.difference.unwrap().table, "stock");
    let switched = switch(&replay, Target::Version(Version(2)), IfDifferent::Accept).await.unwrap();
    assert_eq!((switched.from, switched.to, switched.is_compared), (Version(1), Version(2), false));
    assert_exact_in(&ledger, &store, Version(2)).await;
    store.close().await;
}

async fn an_answer_of_a_partition_that_stopped_is_stale_elsewhere_too(variable: &str) {
    let mut ledger = ledger_with_sites(2);
    some_orders(&mut ledger, 0, 6);
    let database = Database::create(variable).await;
    let store = opened(&database).await;
    let running = Running::start(ledger.log(), &store).await;
    running.until_level(&ledger).await;
    let (home, other) = (ledger.home(SITES[0]), ledger.home(SITES[1]));
    assert_ne!(home, other);
    ledger.land_raw(home, b"SL garbage".to_vec());
    let is_halted = |status: &Status| matches!(status.activity, Activity::Halted { .. });
    assert!(running.progress.until(home, deadline(), is_halted).await, "{:?}", running.progress.of(home));
    let reader: Arc<dyn Store> = Arc::new(MysqlStore::open_read_only(&database.address()).await.unwrap());
    let deadline = deadline();
    while read::halts(&mut *reader.snapshot().await.unwrap(), Version(1)).await.unwrap().is_empty() {
        assert!(Instant::now() < deadline, "the store was never told");
    }
    let queries = Queries::new(Arc::clone(&reader), None);
    for (site, is_stale) in [(SITES[0], true), (SITES[1], false)] {
        let known = queries.site(&SiteId::new(site).unwrap()).await.unwrap().unwrap();
        let level = queries.stock_level(&known, &id("A")).await.unwrap().unwrap();
        assert_eq!(level.at.stale.is_some(), is_stale, "{site}: {level:?}");
        let orders =
            queries.orders(&known, &OrderFilter::default(), Direction::NewestFirst, None, 3).await.unwrap();
        assert_eq!(orders.at.stale.is_some(), is_stale, "{site}");
    }
    let owner = owner();
    let halted = rebuild::rebuild(&replay(ledger.log(), &store), &owner, SwitchWhen::Level, now()).await;
    assert!(matches!(halted, Err(Error::Halted(_))), "{halted:?}");
    let versions = read::versions(&mut *reader.snapshot().await.unwrap()).await.unwrap();
    assert_eq!(versions.iter().map(|info| info.version).collect::<Vec<_>>(), [Version(1)]);
    running.stop().await;
    reader.close().await;
    store.close().await;
}

on_both! {
    a_rebuild_that_is_killed_is_gone_on_with
    a_row_that_was_changed_by_hand_keeps_a_switch_from_being_made
    an_answer_of_a_partition_that_stopped_is_stale_elsewhere_too
}
