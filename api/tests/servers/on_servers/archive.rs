//! A ledger moves from one kind of log to the other, and nobody can tell from its answers.

use hyper::header::{HeaderName, HeaderValue};
use serde_json::{Value, json};
use stockledger::client::{Client, Headers};
use tempfile::TempDir;

use super::servers::kcat;
use super::storage::fresh_topic;
use crate::run::{self, Server, data, text};

/// Where a ledger lives: log, tables in a file, and a data directory.
struct Place {
    log: String,
    directory: TempDir,
}

impl Place {
    fn sqlite() -> Self {
        let directory = tempfile::tempdir().unwrap();
        Self { log: format!("sqlite:{}", directory.path().join("log.sqlite").display()), directory }
    }

    fn kafka() -> Self {
        Self { log: fresh_topic(), directory: tempfile::tempdir().unwrap() }
    }

    fn with<'a>(&'a self, command: &[&'a str]) -> Vec<&'a str> {
        let directory = text(self.directory.path());
        let settings = ["--log", &self.log, "--data-dir", directory, "--profile", "dev", "--partitions", "2"];
        [command, &settings].concat()
    }
}

fn header(name: &'static str, value: &str) -> Headers {
    vec![(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())]
}

/// A refusal is an answer like any other here.
async fn post(client: &Client, path: &str, key: &str, body: &Value) -> Option<Value> {
    client.post_json::<Value>(path, header("idempotency-key", key), body).await.ok()
}

/// Some of everything at two sites, which live on two partitions; says where each of them ends.
async fn trade(client: &Client) -> Vec<(&'static str, String)> {
    let mut ends = Vec::new();
    for site in ["uk", "fr"] {
        client.put_json::<Value>(&format!("/v1/sites/{site}"), &json!({ "name": "A site" })).await.unwrap();
        let at = |path: &str| format!("/v1/sites/{site}/{path}");
        let line = |quantity: i64| json!({ "lines": [{ "sku": "LAMP", "quantity": quantity }] });
        let order = |id: &str, quantity: i64| json!({ "order_id": id, "lines": [{ "sku": "LAMP", "quantity": quantity }] });
        post(client, &at("receipts"), "in", &line(20)).await;
        for number in 0..8 {
            let id = format!("o-{number}");
            post(client, &at("orders"), &id, &order(&id, 3 + number % 3)).await;
            post(client, &at(&format!("orders/{id}/shipments")), &format!("s-{number}"), &json!({})).await;
        }
        let last = post(client, &at("receipts"), "more", &line(1)).await.unwrap();
        ends.push((site, last["position"].as_str().unwrap().to_owned()));
    }
    ends
}

/// What the ledger answers, positions included, once its tables are level.
async fn answers(place: &Place, ends: &[(&'static str, String)]) -> Vec<Value> {
    let server = Server::start_with(&place.with(&[])).await;
    let mut answers = Vec::new();
    for (site, end) in ends {
        for path in [
            "stock",
            "stock/LAMP",
            "stock/LAMP/movements",
            "orders?limit=50",
            "orders/o-1",
            "orders/o-1/trail",
            "orders/o-7/trail",
        ] {
            let level = header("ledger-min-position", end);
            let answer =
                server.client.get_json_with::<Value>(&format!("/v1/sites/{site}/{path}"), level).await;
            answers.push(answer.unwrap());
        }
    }
    assert!(server.terminate().await);
    answers
}

async fn move_to(from: &Place, to: &Place) {
    let archive = from.directory.path().join("archive");
    data(&from.with(&["export", "--to", text(&archive)])).await;
    let restored = run::json(&to.with(&["restore", "--from", text(&archive)])).await;
    assert!(restored["new_records"].as_u64().unwrap() > 0);
    let manifest = archive.join("manifest.json");
    let verified = run::json(&to.with(&["verify", "--manifest", text(&manifest)])).await;
    assert_eq!((&verified["ok"], &verified["unvouched_decisions"]), (&json!(true), &json!(0)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_moves_to_kafka_and_back_and_answers_the_same() {
    let (first, second, third) = (Place::sqlite(), Place::kafka(), Place::sqlite());
    let server = Server::start_with(&first.with(&[])).await;
    let ends = trade(&server.client).await;
    assert!(server.terminate().await);
    // Made before anybody serves the copies: a writer that starts adds a claim of its own.
    move_to(&first, &second).await;
    move_to(&second, &third).await;
    let expected = answers(&first, &ends).await;
    assert_eq!(answers(&second, &ends).await, expected);
    assert_eq!(answers(&third, &ends).await, expected);

    // Key and headers are those that a writer gives.
    let (brokers, topic) = second.log.strip_prefix("kafka://").unwrap().split_once('/').unwrap();
    let shown = kcat(&["-C", "-b", brokers, "-t", topic, "-e", "-q", "-f", "%p %o %k %h\\n"]).await;
    let received = shown.lines().filter(|line| line.contains("ce_type=stock_received")).count();
    assert_eq!(received, 4, "{shown}");
    assert!(shown.contains(" uk ce_type=order_placed,ce_id="), "{shown}");
    assert!(
        shown.contains("0 0  ce_type=genesis,ce_id=0.0.0,content-type=application/vnd.stockledger.record"),
        "{shown}"
    );

    // What was written behind the archive is not vouched for by it, and a restore does not go back behind it.
    let archive = first.directory.path().join("archive");
    let refused = run::run(&second.with(&["restore", "--from", text(&archive)])).await;
    assert_eq!(refused.status.code(), Some(6), "{}", run::complaint(&refused));
}
