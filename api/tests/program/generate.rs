//! Generated ledgers: the same for the same seed, and as good as any other.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use hyper::header::{HeaderName, HeaderValue};
use serde_json::{Value, json};

use crate::run::{self, Server, complaint, data, text};

/// Enough for everything that can happen to happen.
const OPTIONS: [&str; 10] =
    ["--events", "40000", "--sites", "3", "--skus", "60", "--partitions", "4", "--format", "json"];

async fn generate(directory: &Path, seed: &str) -> Value {
    let command = ["bench", "generate", "--seed", seed, "--data-dir", text(directory)];
    serde_json::from_str(&data(&[&command[..], &OPTIONS].concat()).await).unwrap()
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("{value} is not a number"))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_seed_makes_the_same_ledger_and_another_seed_another() {
    let [one, two, three] = [(); 3].map(|()| tempfile::tempdir().unwrap());
    let first = generate(one.path(), "7").await;
    let again = generate(two.path(), "7").await;
    let other = generate(three.path(), "8").await;
    for member in ["ledger_id", "partitions", "stored_events", "history", "events", "bytes"] {
        assert_eq!(first[member], again[member], "{member}");
    }
    assert_ne!(first["history"], other["history"]);
    let raw = |directory: &Path| {
        let path = text(directory).to_owned();
        async move { data(&["tail", "--data-dir", &path, "--format", "json", "--partition", "2"]).await }
    };
    assert_eq!(raw(one.path()).await, raw(two.path()).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_that_happens_in_a_warehouse_happens() {
    let directory = tempfile::tempdir().unwrap();
    let summary = generate(directory.path(), "1").await;
    let stored = &summary["stored_events"];
    for kind in [
        "site_registered",
        "site_opened",
        "item_registered",
        "note_recorded",
        "stock_received",
        "stock_adjusted",
        "stock_counted",
        "stock_held",
        "hold_released",
        "order_placed",
        "out_of_stock",
        "order_shipped",
        "order_cancelled",
        "order_returned",
        "command_refused",
    ] {
        assert!(stored[kind].as_u64().is_some_and(|count| count > 0), "no {kind} in {stored}");
    }
    assert!((40_000..40_200).contains(&number(&summary["events"])), "{}", summary["events"]);
    let (placed, refused) = (number(&stored["order_placed"]), number(&stored["out_of_stock"]));
    assert!(refused * 10 < placed, "most orders are served: {placed} placed, {refused} refused");

    let decisions = data(&["tail", "--format", "json", "--data-dir", text(directory.path())]).await;
    let mut late = 0;
    let mut recorded_at: HashMap<String, String> = HashMap::new();
    let mut actors = HashSet::new();
    for line in decisions.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let decision = &line["decision"];
        let now = decision["recorded_at"].as_str().unwrap().to_owned();
        actors.insert(decision["context"]["actor"].as_str().unwrap().to_owned());
        late +=
            usize::from(decision["context"]["occurred_at"].as_str().is_some_and(|then| then < now.as_str()));
        let partition = line["position"].as_str().unwrap().split_once('.').unwrap().0.to_owned();
        let before = recorded_at.insert(partition, now.clone());
        assert!(before.is_none_or(|before| before <= now), "time falls at {}", line["position"]);
    }
    assert!(late > 50, "{late} late facts");
    assert!(actors.len() > 10, "{actors:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_generated_ledger_goes_on_as_any_other() {
    let directory = tempfile::tempdir().unwrap();
    let path = text(directory.path());
    let made = generate(directory.path(), "3").await;
    let rebuilt = run::outcome(&["rebuild", "--data-dir", path]).await;
    assert_eq!(rebuilt["decisions"], made["decisions"]);

    let server = Server::start(directory.path()).await;
    let info: Value = server.client.get_json("/v1/info").await.unwrap();
    assert_eq!(info["ledger_id"], made["ledger_id"]);
    let key = |key| vec![(HeaderName::from_static("idempotency-key"), HeaderValue::from_static(key))];
    let receipt = json!({ "lines": [{ "sku": "SKU-00001", "quantity": 5 }] });
    let order = json!({ "order_id": "new", "lines": [{ "sku": "SKU-00001", "quantity": 1 }] });
    server.client.post_json::<Value>("/v1/sites/W02/receipts", key("in"), &receipt).await.unwrap();
    let placed: Value = server.client.post_json("/v1/sites/W02/orders", key("out"), &order).await.unwrap();
    let partition = made["partitions"].as_array().unwrap().iter().find(|one| one["partition"] == 1).unwrap();
    let expected = format!("1.{}", number(&partition["decisions"]) + 2);
    assert_eq!(placed["position"], expected.as_str());
    // What was placed in the generated past can still be looked at.
    let trail: Value = server.client.get_json("/v1/sites/W02/orders/W02-0000001/trail").await.unwrap();
    assert_eq!(trail["data"][0]["type"], "order_placed");
    assert!(server.terminate().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_new_log_is_written_and_only_what_is_possible() {
    let directory = tempfile::tempdir().unwrap();
    let path = text(directory.path());
    for options in [
        &["--events", "0"][..],
        &["--sites", "0"],
        &["--sites", "10001"],
        &["--skus", "0"],
        &["--lines", "0"],
        &["--lines", "101"],
        &["--skus", "2", "--lines", "3"],
        &["--partitions", "0"],
    ] {
        let output = run::run(&[&["bench", "generate", "--data-dir", path], options].concat()).await;
        assert_eq!(output.status.code(), Some(2), "{options:?}: {}", complaint(&output));
    }
    assert!(std::fs::read_dir(path).unwrap().next().is_none(), "a refused command makes nothing");

    data(&["init", "--data-dir", path]).await;
    let output = run::run(&["bench", "generate", "--data-dir", path]).await;
    assert_eq!(output.status.code(), Some(6), "{}", complaint(&output));
    assert!(complaint(&output).contains("8 records already"), "{}", complaint(&output));
}

#[tokio::test(flavor = "multi_thread")]
async fn few_sites_on_many_partitions_and_orders_of_one_line_are_possible() {
    let directory = tempfile::tempdir().unwrap();
    let command = ["bench", "generate", "--events", "3000", "--sites", "1", "--skus", "1", "--lines", "1"];
    let summary = run::json(&[&command[..], &["--data-dir", text(directory.path())]].concat()).await;
    assert_eq!(summary["partitions"].as_array().unwrap().len(), 8);
    assert!(number(&summary["stored_events"]["order_placed"]) > 500);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_steps_of_the_first_orders_are_written_whole() {
    let directory = tempfile::tempdir().unwrap();
    let made = generate(directory.path(), "5").await;
    let out = directory.path().join("orders.ndjson");
    let command = ["bench", "order-steps", "--out", text(&out), "--data-dir", text(directory.path())];
    let some = run::json(&[&command[..], &["--count", "100"]].concat()).await;
    assert_eq!(some["orders"], 100);
    let steps: Vec<Value> = std::fs::read_to_string(&out)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(some["steps"], steps.len());
    let mut open: HashMap<String, i64> = HashMap::new();
    for step in &steps {
        let order = open.entry(step["order_id"].as_str().unwrap().to_owned()).or_default();
        let lines = step["lines"].as_array().unwrap();
        let units: i64 = lines.iter().map(|line| line["quantity"].as_i64().unwrap()).sum();
        match step["type"].as_str().unwrap() {
            "placed" => {
                assert_eq!(lines.len(), 3);
                *order += units;
            }
            "shipped" | "cancelled" => *order -= units,
            kind => assert_eq!(kind, "returned"),
        }
        assert!(*order >= 0, "{step} takes more than there is");
    }
    assert_eq!(open.len(), 100);
    assert!(open.values().filter(|units| **units > 0).count() < 10, "steps are missing");

    let all = run::json(&[&command[..], &["--count", "1000000"]].concat()).await;
    assert_eq!(all["orders"], made["stored_events"]["order_placed"]);
    let stored = |kind: &str| number(&made["stored_events"][kind]);
    let expected = ["order_placed", "order_shipped", "order_cancelled", "order_returned"].map(stored);
    assert_eq!(number(&all["steps"]), expected.iter().sum::<u64>());
}
