//! The writer on the real thing, while processes, brokers and databases die: nothing acknowledged is lost, nothing is done
//! twice, and nothing needs hands.

use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use tokio::time::{Instant, interval, timeout};

use super::servers::{Faulty, kcat};
use super::storage::{fresh_name, fresh_topic};
use crate::load::{History, Load, open_site, receive};
use crate::run::{Server, data, text, until};

/// Acknowledgements between two blows; enough that everything is in the middle of its work.
const ACKNOWLEDGED_MIN: usize = 200;
/// For how long a broker is away.
const AWAY: Duration = Duration::from_secs(20);
/// A refusal must not make anybody wait; the margin is for a busy machine.
const REFUSED_WITHIN: Duration = Duration::from_secs(2);

/// One ledger on a topic, read tables of a node's own.
struct Ledger {
    log: String,
    profile: &'static str,
    directories: Vec<TempDir>,
}

impl Ledger {
    async fn make(log: String, profile: &'static str) -> Self {
        let ledger =
            Self { log, profile, directories: (0..2).map(|_| tempfile::tempdir().unwrap()).collect() };
        data(&[&["init", "--partitions", "2"][..], &ledger.settings(0)].concat()).await;
        ledger
    }

    fn settings(&self, node: usize) -> Vec<&str> {
        let directory = text(self.directories[node].path());
        vec!["--log", &self.log, "--profile", self.profile, "--data-dir", directory]
    }

    async fn serve(&self) -> Server {
        Server::start_with(&self.settings(0)).await
    }
}

fn topic_on(brokers: &Faulty) -> String {
    format!("kafka://{}/{}", brokers.address, fresh_name())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_writer_that_is_killed_under_load_loses_nothing() {
    let ledger = Ledger::make(fresh_topic(), "dev").await;
    let mut server = ledger.serve().await;
    open_site(&server).await;
    let mut all = History::default();
    for round in 0..3 {
        let load = Load::start(&round.to_string(), &[&server]);
        load.until_acknowledged(ACKNOWLEDGED_MIN).await;
        server.kill().await;
        all.extend(load.stop().await);
        server = ledger.serve().await;
    }
    assert!(all.refused(&[""]) > 0, "no command was in flight when the server was struck");
    all.check(&server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_writers_that_fight_for_a_partition_never_both_are_believed() {
    let ledger = Ledger::make(fresh_topic(), "dev").await;
    let first = ledger.serve().await;
    open_site(&first).await;
    let load = Load::start("alone", &[&first]);
    load.until_acknowledged(ACKNOWLEDGED_MIN).await;
    // The second takes the partitions from the first, under load, and the first takes them back, and so on.
    let second = Server::start_with(&ledger.settings(1)).await;
    let both = Load::start("both", &[&first, &second]);
    for _ in 0..4 {
        both.until_acknowledged(ACKNOWLEDGED_MIN).await;
    }
    let mut all = load.stop().await;
    all.extend(both.stop().await);
    assert!(all.refused(&["not-partition-owner"]) > 0, "nobody was ever superseded");
    assert!(second.terminate().await, "exit code");
    until(async || first.client.get_json::<Value>("/readyz").await.is_ok()).await;
    all.check(&first).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_leader_of_three_brokers_dies_under_load() {
    let brokers = Faulty::kafka3().await;
    let ledger = Ledger::make(topic_on(&brokers), "production").await;
    let server = ledger.serve().await;
    open_site(&server).await;
    let load = Load::start("0", &[&server]);
    for broker in 1..=3 {
        load.until_acknowledged(ACKNOWLEDGED_MIN).await;
        // One of the three is the leader of the site's partition.
        brokers.kill(Some(broker)).await;
        load.until_acknowledged(ACKNOWLEDGED_MIN).await;
        brokers.start(Some(broker)).await;
        until_in_sync(&brokers, &ledger).await;
    }
    let history = load.stop().await;
    history.check(&server).await;
    server.kill().await;
    history.check(&ledger.serve().await).await;
}

/// Waits until every replica has everything again, so that the next broker may be lost.
async fn until_in_sync(brokers: &Faulty, ledger: &Ledger) {
    let topic = ledger.log.rsplit('/').next().unwrap();
    until(async || {
        let shown = kcat(&["-L", "-b", &brokers.address, "-t", topic]).await;
        let in_sync =
            |line: &&str| line.split("isrs: ").nth(1).is_some_and(|isrs| isrs.split(',').count() == 3);
        shown.lines().filter(|line| line.contains("isrs: ")).all(|line| in_sync(&line))
            && shown.contains("isrs: ")
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_only_broker_is_away_for_a_while() {
    let broker = Faulty::kafka().await;
    let ledger = Ledger::make(topic_on(&broker), "dev").await;
    let server = ledger.serve().await;
    open_site(&server).await;
    let load = Load::start("0", &[&server]);
    load.until_acknowledged(ACKNOWLEDGED_MIN).await;
    broker.kill(None).await;
    let gone_at = Instant::now();
    // The writer says why it takes nothing, and reads say that they may be old.
    until(async || {
        let ready = server.client.get_json::<Value>("/readyz").await;
        ready.is_err_and(|error| error.code() == Some("not-applied"))
    })
    .await;
    until(async || {
        let level: Value = server.client.get_json("/v1/sites/uk/stock/LAMP").await.unwrap();
        level["stale"] == true && level["as_of"].is_string()
    })
    .await;

    // Whoever comes now is refused at once, and told so; reads go on.
    let mut again = interval(Duration::from_millis(200));
    while gone_at.elapsed() < AWAY {
        again.tick().await;
        let refused = timeout(REFUSED_WITHIN, receive(&server.client, "while-away")).await;
        let code = refused.expect("refused at once").unwrap_err().code().unwrap_or_default().to_owned();
        assert!(["not-applied", "outcome-unknown"].contains(&code.as_str()), "{code}");
        server.client.get_json::<Value>("/v1/sites/uk/stock/LAMP").await.unwrap();
        server.client.get_json::<Value>("/livez").await.unwrap();
    }
    broker.start(None).await;
    until(async || server.client.get_json::<Value>("/readyz").await.is_ok()).await;
    load.until_acknowledged(ACKNOWLEDGED_MIN).await;
    until(async || {
        let level: Value = server.client.get_json("/v1/sites/uk/stock/LAMP").await.unwrap();
        level.get("stale").is_none()
    })
    .await;
    let mut history = load.stop().await;
    history.note_unanswered("while-away");
    history.check(&server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_database_is_away_for_a_while() {
    let database = Faulty::mysql().await;
    let (place, _) = database.address.rsplit_once('/').unwrap();
    let tables = format!("{place}/{}", fresh_name());
    let log = fresh_topic();
    let directory = tempfile::tempdir().unwrap();
    let settings =
        ["--log", &log, "--projections", &tables, "--profile", "dev", "--data-dir", text(directory.path())];
    data(&[&["init", "--partitions", "2"][..], &settings].concat()).await;
    let server = Server::start_with(&settings).await;
    open_site(&server).await;
    let load = Load::start("0", &[&server]);
    for _ in 0..2 {
        load.until_acknowledged(ACKNOWLEDGED_MIN).await;
        database.kill(None).await;
        // The log does not need it; reads are refused.
        load.until_acknowledged(ACKNOWLEDGED_MIN).await;
        let read = server.client.get_json::<Value>("/v1/sites/uk/stock/LAMP").await;
        assert_eq!(read.unwrap_err().code(), Some("projection-unavailable"));
        server.client.get_json::<Value>("/livez").await.unwrap();
        database.start(None).await;
        load.until_acknowledged(ACKNOWLEDGED_MIN).await;
    }
    load.stop().await.check(&server).await;
}
