//! The program on Kafka and MySQL, as an operator meets it.

use std::process::Stdio;

use hyper::header::{HeaderName, HeaderValue};
use serde_json::{Value, json};
use stockledger::client::{Client, Headers};
use tempfile::TempDir;
use tokio::process::Command;
use tokio::time::Instant;

use super::servers::kcat;
use super::storage::{fresh_database, fresh_topic};
use crate::run::{self, DEADLINE, Server, complaint, data, text};

/// Where one ledger lives.
struct Place {
    log: String,
    projections: String,
    directory: TempDir,
}

impl Place {
    fn fresh(database_server: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        Self { log: fresh_topic(), projections: fresh_database(database_server), directory }
    }

    fn settings(&self) -> Vec<&str> {
        let directory = text(self.directory.path());
        vec![
            "--log",
            &self.log,
            "--projections",
            &self.projections,
            "--data-dir",
            directory,
            "--profile",
            "dev",
            "--partitions",
            "2",
        ]
    }

    fn with<'a>(&'a self, command: &[&'a str]) -> Vec<&'a str> {
        [command, &self.settings()].concat()
    }
}

async fn post(client: &Client, path: &str, key: &str, body: &Value) -> Value {
    let headers: Headers =
        vec![(HeaderName::from_static("idempotency-key"), HeaderValue::from_str(key).unwrap())];
    client.post_json(path, headers, body).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_is_made_once_then_served_killed_and_rebuilt() {
    for server in ["STOCKLEDGER_TEST_MYSQL", "STOCKLEDGER_TEST_MARIADB"] {
        let place = Place::fresh(server);
        let made = run::json(&place.with(&["init"])).await;
        assert_eq!(made["partitions"], 2);
        assert!(!made.to_string().contains(":stockledger@"), "a password is shown: {made}");
        assert_eq!(run::json(&place.with(&["init"])).await, made, "a second time only checks");

        let server = Server::start_with(&place.settings()).await;
        let client = &server.client;
        client.put_json::<Value>("/v1/sites/uk", &json!({ "name": "London" })).await.unwrap();
        let receipt = json!({ "lines": [{ "sku": "LAMP", "quantity": 5 }] });
        let order = json!({ "order_id": "1", "lines": [{ "sku": "LAMP", "quantity": 3 }] });
        post(client, "/v1/sites/uk/receipts", "in", &receipt).await;
        let placed = post(client, "/v1/sites/uk/orders", "out", &order).await;
        server.kill().await;

        let server = Server::start_with(&place.settings()).await;
        assert_eq!(post(&server.client, "/v1/sites/uk/orders", "out", &order).await, placed);
        let position = HeaderValue::from_str(placed["position"].as_str().unwrap()).unwrap();
        let headers = vec![(HeaderName::from_static("ledger-min-position"), position)];
        let level: Value = server.client.get_json_with("/v1/sites/uk/stock/LAMP", headers).await.unwrap();
        assert_eq!((&level["on_hand"], &level["available"]), (&json!(5), &json!(2)));
        let info: Value = server.client.get_json("/v1/info").await.unwrap();
        assert_eq!(info["ledger_id"], made["ledger_id"]);
        assert!(server.terminate().await, "exit code");

        let rebuilt = run::outcome(&place.with(&["rebuild"])).await;
        assert_eq!(rebuilt["version"], 2);
        let shown = run::json(&place.with(&["stock", "show", "uk", "LAMP"])).await;
        assert_eq!(shown["available"], 2);
        let verified = run::json(&place.with(&["verify"])).await;
        assert_eq!((&verified["ok"], &verified["unvouched_decisions"]), (&json!(true), &json!(0)));
        assert!(verified["projections"]["equal_rows"].as_u64().unwrap() > 5, "{verified}");
        let decisions = data(&place.with(&["tail"])).await;
        assert!(decisions.contains("order_placed"), "{decisions}");
    }
}

#[tokio::test]
async fn a_topic_that_is_not_there_is_not_made_by_a_server() {
    let place = Place::fresh("STOCKLEDGER_TEST_MYSQL");
    for command in [&["serve", "--listen", "127.0.0.1:0"][..], &["tail"], &["rebuild"]] {
        let output = run::run(&place.with(command)).await;
        assert_eq!(output.status.code(), Some(4), "{}", complaint(&output));
        assert!(complaint(&output).contains("stockledger init"), "{}", complaint(&output));
    }
}

#[tokio::test]
async fn one_broker_is_not_enough_for_production() {
    let place = Place::fresh("STOCKLEDGER_TEST_MYSQL");
    data(&place.with(&["init"])).await;
    let mut settings = place.settings();
    settings.retain(|setting| !["--profile", "dev"].contains(setting));
    for command in [&["serve", "--listen", "127.0.0.1:0"][..], &["init"]] {
        let output = run::run(&[command, &settings].concat()).await;
        assert_eq!(output.status.code(), Some(6), "{}", complaint(&output));
        let said = complaint(&output);
        assert!(said.contains("replication factor is 1 and has to be 3 or more"), "{said}");
        assert!(said.contains("min.insync.replicas is 1 and has to be 2 or more"), "{said}");
    }
}

#[tokio::test]
async fn servers_that_are_not_there_are_named() {
    let directory = tempfile::tempdir().unwrap();
    let (nowhere, data_dir) = ("127.0.0.1:1", text(directory.path()));
    let log = format!("kafka://{nowhere}/stockledger");
    let output = run::run(&["serve", "--listen", "127.0.0.1:0", "--log", &log, "--data-dir", data_dir]).await;
    assert_eq!(output.status.code(), Some(4), "{}", complaint(&output));
    assert!(complaint(&output).contains(&log), "{}", complaint(&output));

    let tables = format!("mysql://nobody@{nowhere}/stockledger");
    let output = run::run(&["init", "--projections", &tables, "--data-dir", data_dir]).await;
    assert_eq!(output.status.code(), Some(4), "{}", complaint(&output));
    assert!(complaint(&output).contains(&tables), "{}", complaint(&output));
}

/// `kcat`, as in Debian, knows nothing of our format; key and headers say what a record is.
#[tokio::test(flavor = "multi_thread")]
async fn kcat_shows_what_is_in_the_topic() {
    let place = Place::fresh("STOCKLEDGER_TEST_MYSQL");
    data(&place.with(&["init"])).await;
    let server = Server::start_with(&place.settings()).await;
    let client = &server.client;
    client.put_json::<Value>("/v1/sites/uk", &json!({ "name": "London" })).await.unwrap();
    let receipt = json!({ "lines": [{ "sku": "LAMP", "quantity": 5 }] });
    let position = post(client, "/v1/sites/uk/receipts", "in", &receipt).await["position"].clone();
    let path = format!("/v1/events/{}", position.as_str().unwrap());
    let told = client.get_json::<Box<serde_json::value::RawValue>>(&path).await.unwrap();
    server.terminate().await;

    let (brokers, topic) = place.log.strip_prefix("kafka://").unwrap().split_once('/').unwrap();
    let format = "%p %k %h\\n";
    let shown = kcat(&["-C", "-b", brokers, "-t", topic, "-e", "-q", "-f", format]).await;
    assert_eq!(shown.matches("ce_type=genesis").count(), 2, "{shown}");
    assert_eq!(shown.matches("ce_type=claim").count(), 2, "{shown}");
    let (partition, seq) = position.as_str().unwrap().split_once('.').unwrap();
    let received = format!(
        "{partition} uk ce_type=stock_received,ce_id={partition}.1.{seq},\
         content-type=application/vnd.stockledger.record"
    );
    assert!(shown.lines().any(|line| line == received), "{received} is not in\n{shown}");

    let raw = Command::new("kcat")
        .args(["-C", "-b", brokers, "-t", topic, "-e", "-q", "-D", "", "-f", "%R%s"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let raw: Stdio = raw.stdout.unwrap().try_into().unwrap();
    let decoded = run::program(&["decode", "-", "--encoding", "lengths"]).stdin(raw).output().await.unwrap();
    assert!(decoded.status.success(), "{}", complaint(&decoded));
    let decoded = String::from_utf8(decoded.stdout).unwrap();
    let is_told = |line: &str| {
        let decision = line.strip_prefix("{\"kind\":\"decision\",");
        decision.is_some_and(|decision| told.get().contains(&format!("\"decision\":{{{decision}")))
    };
    assert_eq!(decoded.lines().filter(|line| is_told(line)).count(), 1, "{told} is not in\n{decoded}");
}

/// All headers of CloudEvents, where they are asked for.
#[tokio::test(flavor = "multi_thread")]
async fn kcat_shows_whole_cloud_events_where_they_are_asked_for() {
    let place = Place::fresh("STOCKLEDGER_TEST_MYSQL");
    data(&place.with(&["init"])).await;
    let server = Server::start_with(&place.with(&["--kafka-headers", "full"])).await;
    let client = &server.client;
    client.put_json::<Value>("/v1/sites/uk", &json!({ "name": "London" })).await.unwrap();
    let receipt = json!({ "lines": [{ "sku": "LAMP", "quantity": 5 }] });
    post(client, "/v1/sites/uk/receipts", "in", &receipt).await;
    let order = json!({
        "order_id": "order-7", "lines": [{ "sku": "LAMP", "quantity": 3 }],
        "occurred_at": "2026-01-02T03:04:05Z", "correlation_id": "web-1",
    });
    let placed = post(client, "/v1/sites/uk/orders", "out", &order).await;
    server.terminate().await;

    let (brokers, topic) = place.log.strip_prefix("kafka://").unwrap().split_once('/').unwrap();
    let shown = kcat(&["-C", "-b", brokers, "-t", topic, "-e", "-q", "-f", "%h\\n"]).await;
    let position = placed["position"].as_str().unwrap();
    let (partition, seq) = position.split_once('.').unwrap();
    let line = shown.lines().find(|line| line.contains("ce_type=order_placed")).unwrap();
    let headers: Vec<_> = line.split(',').map(|header| header.split_once('=').unwrap()).collect();
    let recorded = headers.iter().find(|(name, _)| *name == "ce_recordedtime").unwrap().1;
    let (id, sequence) = (format!("{partition}.1.{seq}"), format!("{seq:0>20}"));
    let expected = [
        ("ce_type", "order_placed"),
        ("ce_id", id.as_str()),
        ("content-type", "application/vnd.stockledger.record"),
        ("ce_specversion", "1.0"),
        ("ce_source", "/sites/uk"),
        ("ce_time", "2026-01-02T03:04:05.000000Z"),
        ("ce_sequence", sequence.as_str()),
        ("ce_recordedtime", recorded),
        ("ce_position", position),
        ("ce_subject", "order-7"),
        ("ce_partitionkey", "uk"),
        ("ce_correlationid", "web-1"),
    ];
    assert_eq!(headers, expected);
    assert!(shown.contains("ce_type=stock_received") && shown.contains("ce_subject=LAMP"), "{shown}");
    assert!(shown.contains("ce_source=/directory"), "{shown}");
}

/// What `kcat` gets that begins where a consumer group is, and at the beginning if that is nowhere.
async fn unread_by(group: &str, place: &Place) -> String {
    let (brokers, topic) = place.log.strip_prefix("kafka://").unwrap().split_once('/').unwrap();
    let [reset, commit] = ["auto.offset.reset=earliest", "enable.auto.commit=false"];
    let arguments = ["-b", brokers, "-X", reset, "-X", commit, "-q", "-e", "-f", "%h\\n", "-G", group, topic];
    kcat(&arguments).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_group_shows_how_far_the_tables_are() {
    let place = Place::fresh("STOCKLEDGER_TEST_MYSQL");
    data(&place.with(&["init"])).await;
    let (_, topic) = place.log.rsplit_once('/').unwrap();
    let group = format!("{topic}-projector");
    let server = Server::start_with(&place.settings()).await;
    server.client.put_json::<Value>("/v1/sites/uk", &json!({ "name": "London" })).await.unwrap();
    let receipt = json!({ "lines": [{ "sku": "LAMP", "quantity": 5 }] });
    post(&server.client, "/v1/sites/uk/receipts", "in", &receipt).await;
    let deadline = Instant::now() + DEADLINE;
    while !unread_by(&group, &place).await.is_empty() {
        assert!(Instant::now() < deadline, "the lag never reaches zero");
    }
    server.terminate().await;
    let nobody = format!("{topic}-nobody");
    assert!(unread_by(&nobody, &place).await.contains("ce_type=stock_received"));
}
