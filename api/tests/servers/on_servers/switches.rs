//! Rebuilding and switching on Kafka and MySQL or MariaDB while others read and write.

use stockledger_projections::Version;
use stockledger_projections::compare::compare;
use stockledger_writer::{Environment, SystemEnvironment};

use super::stack::{Stack, reading};
use super::storage::{fresh_database, kafka, mysql_at};
use crate::hammer::Hammer;
use crate::switches::{assert_level_and_equal, ten_switches};

#[expect(clippy::print_stdout, reason = "how long projections stood still is for people to see")]
async fn reads_never_fail_and_never_go_back(name: &'static str, variable: &str) {
    let (address, now) = (fresh_database(variable), SystemEnvironment.now());
    let stack = Stack::start(name, kafka().await, mysql_at(&address).await, now).await;
    // Another process reads too, which is told nothing of a switch.
    let elsewhere = mysql_at(&address).await;
    let other = reading(elsewhere.clone(), now);
    let hammer = Hammer::start(&[&stack.router, &other], &["de", "fr"]).await;
    hammer.go_on_for(20, 100).await;
    let told = ten_switches(&stack.router, &hammer).await;
    let (orders, reads) = hammer.stop().await;
    let held: Vec<u64> = told.iter().map(|told| told.held_ms).collect();
    println!("{name}: {orders} orders and {reads} reads, held for {held:?} ms");
    let [old, new] = assert_level_and_equal(&stack.router).await.map(Version);
    let compared = compare((&*stack.store, old), (&*stack.store, new)).await.unwrap();
    assert_eq!(compared.difference, None);
    assert!(compared.rows() > orders * 3, "{} rows of {orders} orders", compared.rows());
    elsewhere.close().await;
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reads_never_fail_and_never_go_back_during_ten_switches() {
    reads_never_fail_and_never_go_back("Kafka and MySQL", "STOCKLEDGER_TEST_MYSQL").await;
    reads_never_fail_and_never_go_back("Kafka and MariaDB", "STOCKLEDGER_TEST_MARIADB").await;
}
