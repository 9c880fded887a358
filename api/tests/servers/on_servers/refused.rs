//! Topics and databases on which a ledger cannot rest, met by the real program: each is refused by its code, and nothing is
//! written.

use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::{Offset, TopicPartitionList};
use sqlx::{AssertSqlSafe, Connection, MySqlConnection};
use stockledger_log::conformance::server;
use stockledger_log::kafka::{Address, KafkaLog, Profile};
use stockledger_log::{Entry, Log};
use tempfile::TempDir;

use super::storage::{fresh_database, fresh_name};
use crate::load;
use crate::run::{self, Server, data, refused, text};

/// What a topic is set to that is safe for the profile `dev`.
const SAFE: [(&str, &str); 7] = [
    ("cleanup.policy", "delete"),
    ("retention.ms", "-1"),
    ("retention.bytes", "-1"),
    ("unclean.leader.election.enable", "false"),
    ("message.timestamp.type", "LogAppendTime"),
    ("max.message.bytes", "4194304"),
    ("min.insync.replicas", "1"),
];

/// A topic, what is done to it behind the program's back, and a place for the rest of a ledger.
struct Ledger {
    /// As the program is told.
    log: String,
    topic: Address,
    projections: String,
    directory: TempDir,
}

impl Ledger {
    fn on(brokers: &str) -> Self {
        let log = format!("kafka://{}/{}", server(brokers), fresh_name());
        let topic = log.parse().unwrap();
        let directory = tempfile::tempdir().unwrap();
        let projections = format!("sqlite:{}", directory.path().join("tables.sqlite").display());
        Self { log, topic, projections, directory }
    }

    /// A ledger in which a little has happened.
    async fn made() -> Self {
        let ledger = Self::on("STOCKLEDGER_TEST_KAFKA");
        ledger.init().await;
        let server = Server::start_with(&ledger.settings("dev")).await;
        load::open_site(&server).await;
        load::receive(&server.client, "first").await.unwrap();
        assert!(server.terminate().await);
        ledger
    }

    async fn init(&self) {
        data(&[&["init"][..], &self.settings("dev")].concat()).await;
    }

    fn settings<'a>(&'a self, profile: &'a str) -> [&'a str; 10] {
        let directory = text(self.directory.path());
        [
            "--log",
            &self.log,
            "--projections",
            &self.projections,
            "--data-dir",
            directory,
            "--profile",
            profile,
            "--partitions",
            "2",
        ]
    }

    /// Asserts that neither a server nor `init` takes it, and that nothing was written.
    async fn is_refused(&self, commands: &[&[&str]], profile: &str, code: &str) -> String {
        let before = self.ends().await;
        let mut said = String::new();
        for command in commands {
            said = refused(&[command, &self.settings(profile)[..]].concat(), &[code]).await;
        }
        assert_eq!(self.ends().await, before, "what is refused is written to");
        said
    }

    async fn ends(&self) -> Vec<u64> {
        let Ok(log) = KafkaLog::open_read_only(&self.topic).await else { return Vec::new() };
        let mut ends = Vec::new();
        for partition in 0..log.partitions() {
            ends.push(log.bounds(partition).await.unwrap().end);
        }
        log.close().await;
        ends
    }

    fn admin(&self) -> AdminClient<DefaultClientContext> {
        ClientConfig::new().set("bootstrap.servers", self.topic.brokers()).create().unwrap()
    }

    /// Makes the topic as somebody else might.
    async fn make(&self, partitions: i32, replicas: i32, settings: &[(&str, &str)]) {
        let mut topic = NewTopic::new(self.topic.topic(), partitions, TopicReplication::Fixed(replicas));
        for (name, value) in settings {
            topic = topic.set(name, value);
        }
        run::until(async || {
            let made = self.admin().create_topics([&topic], &AdminOptions::new()).await.unwrap();
            made.iter().all(Result::is_ok)
        })
        .await;
        run::until(async || self.ends().await.len() == usize::try_from(partitions).unwrap()).await;
    }

    async fn remove(&self) {
        let removed = self.admin().delete_topics(&[self.topic.topic()], &AdminOptions::new()).await.unwrap();
        assert!(removed.iter().all(Result::is_ok), "{removed:?}");
        run::until(async || self.ends().await.is_empty()).await;
    }
}

const SERVE: &[&str] = &["serve", "--listen", "127.0.0.1:0"];
const INIT: &[&str] = &["init"];

/// The safe settings with one of them changed.
fn but(name: &str, value: &'static str) -> Vec<(&'static str, &'static str)> {
    SAFE.iter().map(|(set, safe)| (*set, if *set == name { value } else { *safe })).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_unsafe_setting_of_a_topic_has_its_code() {
    for (code, name, value) in [
        ("topic-compacted", "cleanup.policy", "compact"),
        ("topic-compacted", "cleanup.policy", "compact,delete"),
        ("topic-retention", "retention.ms", "604800000"),
        ("topic-retention", "retention.bytes", "1073741824"),
        ("unclean-election", "unclean.leader.election.enable", "true"),
        ("timestamp-type", "message.timestamp.type", "CreateTime"),
        ("message-limit", "max.message.bytes", "1000012"),
    ] {
        let ledger = Ledger::on("STOCKLEDGER_TEST_KAFKA");
        ledger.make(2, 1, &but(name, value)).await;
        let said = ledger.is_refused(&[SERVE, INIT], "dev", code).await;
        assert!(said.contains(&format!("{name} is {value} and has to be")), "{said}");
        assert!(said.contains("kafka-configs.sh"), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_that_is_wrong_is_told_at_once() {
    let ledger = Ledger::on("STOCKLEDGER_TEST_KAFKA");
    let mut settings = but("cleanup.policy", "compact");
    settings[1].1 = "604800000";
    ledger.make(2, 1, &settings).await;
    let serve = [SERVE, &ledger.settings("dev")].concat();
    refused(&serve, &["topic-compacted", "topic-retention"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn production_takes_three_replicas_and_two_in_sync() {
    let ledger = Ledger::on("STOCKLEDGER_TEST_KAFKA3");
    ledger.make(2, 3, &SAFE).await;
    ledger.is_refused(&[SERVE, INIT], "production", "too-few-in-sync").await;
    let ledger = Ledger::on("STOCKLEDGER_TEST_KAFKA3");
    ledger.make(2, 2, &but("min.insync.replicas", "2")).await;
    let said = ledger.is_refused(&[SERVE, INIT], "production", "too-few-replicas").await;
    assert!(said.contains("kafka-reassign-partitions.sh"), "{said}");
    let ledger = Ledger::on("STOCKLEDGER_TEST_KAFKA");
    ledger.is_refused(&[INIT], "production", "too-few-brokers").await;
    assert!(ledger.ends().await.is_empty(), "no topic was made");
}

#[tokio::test(flavor = "multi_thread")]
async fn partitions_that_were_added_are_refused() {
    let ledger = Ledger::made().await;
    let more = [NewPartitions::new(ledger.topic.topic(), 3)];
    let added = ledger.admin().create_partitions(&more, &AdminOptions::new()).await.unwrap();
    assert!(added.iter().all(Result::is_ok), "{added:?}");
    run::until(async || ledger.ends().await.len() == 3).await;
    let said = ledger.is_refused(&[SERVE, INIT, &["rebuild"]], "dev", "partition-count").await;
    assert!(said.contains("made with 2 partitions, the log has 3"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_was_removed_and_made_anew_is_refused() {
    let ledger = Ledger::made().await;
    ledger.remove().await;
    ledger.make(2, 1, &SAFE).await;
    let said = ledger.is_refused(&[SERVE], "dev", "topic-recreated").await;
    assert!(said.contains("removed and made anew"), "{said}");
    // A new ledger in it does not make it the old one.
    let elsewhere = Ledger {
        log: ledger.log.clone(),
        topic: ledger.topic.clone(),
        ..Ledger::on("STOCKLEDGER_TEST_KAFKA")
    };
    elsewhere.init().await;
    ledger.is_refused(&[SERVE], "dev", "other-ledger").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_holds_no_ledger_is_refused() {
    let ledger = Ledger::on("STOCKLEDGER_TEST_KAFKA");
    ledger.make(2, 1, &SAFE).await;
    ledger.is_refused(&[SERVE], "dev", "log-empty").await;
    let log = KafkaLog::open(&ledger.topic, Profile::Dev).await.unwrap();
    for partition in 0..2 {
        log.producer(partition).unwrap().append(vec![Entry::new("", "a letter")]).await.unwrap();
    }
    log.close().await;
    ledger.is_refused(&[SERVE, INIT], "dev", "not-a-ledger").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_database_or_the_topic_of_another_ledger_is_refused() {
    let (one, other) = (Ledger::made().await, Ledger::made().await);
    let mixed = Ledger {
        log: one.log.clone(),
        topic: one.topic.clone(),
        projections: other.projections.clone(),
        directory: tempfile::tempdir().unwrap(),
    };
    let said = mixed.is_refused(&[SERVE], "dev", "other-ledger").await;
    assert!(said.contains("wrong log or wrong projections"), "{said}");
    let swapped = Ledger { log: one.log.clone(), topic: one.topic.clone(), ..other };
    swapped.is_refused(&[SERVE], "dev", "other-ledger").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_newer_program_wrote_is_refused() {
    let ledger = Ledger::made().await;
    let log = KafkaLog::open(&ledger.topic, Profile::Dev).await.unwrap();
    let genesis = log.fetch(1, 0).await.unwrap().unwrap();
    let mut newer = genesis.value.to_vec();
    newer[2] = u8::MAX;
    log.producer(1).unwrap().append(vec![Entry::new("", newer)]).await.unwrap();
    log.close().await;
    let said = ledger.is_refused(&[SERVE], "dev", "newer-format").await;
    assert!(said.contains("upgrade this program"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_lost_its_beginning_is_refused() {
    let ledger = Ledger::made().await;
    let mut offsets = TopicPartitionList::new();
    offsets.add_partition_offset(ledger.topic.topic(), 0, Offset::Offset(1)).unwrap();
    ledger.admin().delete_records(&offsets, &AdminOptions::new()).await.unwrap();
    let said = ledger.is_refused(&[SERVE, INIT], "dev", "history-deleted").await;
    assert!(said.contains("history was deleted"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_grants_too_little_is_refused() {
    let mut ledger = Ledger::on("STOCKLEDGER_TEST_KAFKA");
    ledger.init().await;
    let database = fresh_database("STOCKLEDGER_TEST_MYSQL");
    let (account, place) = database.rsplit_once('@').unwrap();
    let (host, name) = place.rsplit_once('/').unwrap();
    let mut connection = MySqlConnection::connect(&format!("{account}@{host}/mysql")).await.unwrap();
    let user = &fresh_name()[..20];
    for statement in [
        format!("CREATE DATABASE {name}"),
        format!("CREATE USER '{user}'@'%' IDENTIFIED BY 'secret'"),
        format!("GRANT SELECT ON {name}.* TO '{user}'@'%'"),
    ] {
        sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut connection).await.unwrap();
    }
    ledger.projections = format!("mysql://{user}:secret@{place}");
    let said = ledger.is_refused(&[SERVE], "dev", "database-refuses").await;
    assert!(!said.contains("secret"), "a password is shown: {said}");
    sqlx::raw_sql(AssertSqlSafe(format!("DROP USER '{user}'@'%'"))).execute(&mut connection).await.unwrap();
}
