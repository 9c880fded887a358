//! Rebuilding and switching from the command line, in a directory and in a server, and rebuilds that are killed.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;

use hyper::header::{HeaderName, HeaderValue};
use serde_json::{Value, json};
use stockledger::client::Client;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::time::timeout;

use crate::run::{
    DEADLINE, Server, complaint, data, json as json_of, json_lines, outcome, program, run, text,
};

async fn generate(directory: &Path, events: &str) -> Value {
    let options = ["--sites", "6", "--skus", "500", "--partitions", "3"];
    let command = ["bench", "generate", "--events", events, "--data-dir", text(directory)];
    json_of(&[&command[..], &options].concat()).await
}

/// The versions as `projections list` tells of them.
async fn versions(source: [&str; 2]) -> Vec<Value> {
    let seen = json_of(&[&["projections", "list"][..], &source].concat()).await;
    seen["versions"].as_array().unwrap().clone()
}

fn states(versions: &[Value]) -> Vec<(u64, &str)> {
    versions.iter().map(|one| (one["version"].as_u64().unwrap(), one["state"].as_str().unwrap())).collect()
}

/// Rebuilds until more records are done than were before, and kills the rebuild there; says how many that are.
async fn killed_after(directory: &Path, before: u64) -> u64 {
    let command = ["rebuild", "--workers", "1", "--format", "json", "--data-dir", text(directory)];
    let mut child = program(&command).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut done_by_partition = BTreeMap::new();
    while let Some(line) = timeout(DEADLINE, lines.next_line()).await.expect("no progress").unwrap() {
        let line: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(line["type"], "progress", "it came to its end: {line}");
        let number = |member: &str| line[member].as_u64().unwrap_or_else(|| panic!("{member} in {line}"));
        assert!(number("records_done") <= number("records_total"), "{line}");
        done_by_partition.insert(number("partition"), number("records_done"));
        let done: u64 = done_by_partition.values().sum();
        if done > before {
            child.kill().await.unwrap();
            return done;
        }
    }
    panic!("it ended without a word")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_that_is_killed_goes_on_at_once_and_makes_the_same_tables() {
    let directory = tempfile::tempdir().unwrap();
    let made = generate(directory.path(), "300000").await;
    let source = ["--data-dir", text(directory.path())];
    let command = [&["rebuild"][..], &source].concat();
    let first = outcome(&command).await;
    assert_eq!((&first["version"], &first["is_resumed"]), (&json!(1), &json!(false)));
    assert_eq!(first["decisions"], made["decisions"]);

    let mut done = 0;
    // One partition after the other: after two of three at most there is something left to do.
    for _ in 0..2 {
        done = killed_after(directory.path(), done).await;
        assert_eq!(states(&versions(source).await), [(1, "active"), (2, "building")]);
    }
    let rebuilt = outcome(&command).await;
    assert_eq!((&rebuilt["version"], &rebuilt["is_resumed"]), (&json!(2), &json!(true)));
    assert_eq!(rebuilt["switched"]["is_compared"], true);
    let versions = versions(source).await;
    assert_eq!(states(&versions), [(1, "retired"), (2, "active")]);
    // The first was made in one go.
    assert_eq!(versions[0]["digest"], versions[1]["digest"]);
    assert_ne!(versions[0]["digest"], "0000000000000000");
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_of_a_directory_are_made_listed_switched_and_dropped() {
    let directory = tempfile::tempdir().unwrap();
    generate(directory.path(), "3000").await;
    let source = ["--data-dir", text(directory.path())];
    let with = |command: &[&'static str]| [command, &source].concat();
    let shown = data(&with(&["rebuild"])).await;
    assert!(shown.contains("Rebuilt the read tables as version 1"), "{shown}");
    assert!(shown.contains("Queries answer from it."), "{shown}");

    let mut lines = json_lines(&with(&["rebuild", "--switch", "manual"])).await;
    let last = lines.pop().unwrap();
    assert_eq!(
        (&last["type"], &last["version"], &last["is_active"], &last["switched"]),
        (&json!("rebuilt"), &json!(2), &json!(false), &Value::Null)
    );
    assert!(last["seconds"].is_f64() && last["events"].as_u64() >= last["decisions"].as_u64(), "{last}");
    for partition in 0..3 {
        let of = lines.iter().filter(|line| line["partition"] == partition);
        let done: Vec<_> = of.map(|line| (&line["records_done"], &line["records_total"])).collect();
        assert!(done.len() >= 2 && *done[0].0 == 0, "{partition}: {done:?}");
        assert!(done.last().is_some_and(|(done, total)| done == total), "{partition}: {done:?}");
    }
    assert!(lines.iter().all(|line| line["type"] == "progress" && line["events_per_second"].is_u64()));

    let switched = json_of(&with(&["projections", "switch", "2"])).await;
    let expected = json!({ "from": 1, "to": 2, "is_compared": true, "held_ms": switched["held_ms"] });
    assert_eq!(switched, expected);
    assert_eq!(states(&versions(source).await), [(1, "retired"), (2, "active")]);
    let shown = data(&with(&["projections", "list"])).await;
    for part in ["version", "digest", "retired", "active"] {
        assert!(shown.contains(part), "{part} is missing in:\n{shown}");
    }
    let shown = data(&with(&["projections", "switch", "--back"])).await;
    assert!(
        shown.contains("Queries answer from version 1 instead of 2 now; the digests of both are equal"),
        "{shown}"
    );
    for refused in
        [&["projections", "drop", "1"][..], &["projections", "switch", "1"], &["projections", "drop", "7"]]
    {
        let output = run(&with(refused)).await;
        assert_eq!(output.status.code(), Some(1), "{refused:?}: {}", complaint(&output));
        assert!(complaint(&output).contains("version"), "{}", complaint(&output));
    }
    assert_eq!(json_of(&with(&["projections", "drop", "2"])).await, json!({ "dropped": 2 }));
    assert_eq!(states(&versions(source).await), [(1, "active")]);
    let output = run(&with(&["projections", "switch", "--back"])).await;
    assert_eq!(output.status.code(), Some(1));
    assert!(complaint(&output).contains("no earlier version"), "{}", complaint(&output));
    for wrong in [
        &["projections", "switch"][..],
        &["projections", "switch", "2", "--back"],
        &["projections", "drop"],
        &["projections", "drop", "one"],
        &["rebuild", "--switch", "later"],
        &["rebuild", "--workers", "0"],
        &["rebuild", "--workers", "9"],
    ] {
        let output = run(&with(wrong)).await;
        assert_eq!(output.status.code(), Some(2), "{wrong:?}: {}", complaint(&output));
    }
}

async fn receive(client: &Client, key: &'static str) {
    let headers = vec![(HeaderName::from_static("idempotency-key"), HeaderValue::from_static(key))];
    let receipt = json!({ "lines": [{ "sku": "SKU-00001", "quantity": 5 }] });
    client.post_json::<Value>("/v1/sites/W02/receipts", headers, &receipt).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_of_a_server_are_made_listed_switched_and_dropped_while_it_serves() {
    let directory = tempfile::tempdir().unwrap();
    generate(directory.path(), "3000").await;
    let server = Server::start(directory.path()).await;
    let url = server.url.clone();
    let source = ["--server", url.as_str()];
    let with = |command: &[&'static str]| [command, &source].concat();
    receive(&server.client, "one").await;
    let rebuilt = outcome(&with(&["rebuild"])).await;
    assert_eq!((&rebuilt["type"], &rebuilt["version"]), (&json!("rebuilt"), &json!(2)));
    assert_eq!((&rebuilt["switched"]["from"], &rebuilt["is_active"]), (&json!(1), &json!(true)));
    let shown = data(&with(&["rebuild", "--switch", "manual"])).await;
    assert!(shown.contains("Switch to it with `stockledger projections switch 3`"), "{shown}");
    receive(&server.client, "two").await;
    let made = versions(source).await;
    assert_eq!(states(&made), [(2, "active"), (3, "ready")]);
    let switched = json_of(&with(&["projections", "switch", "3"])).await;
    assert_eq!(
        (&switched["from"], &switched["to"], &switched["is_compared"]),
        (&json!(2), &json!(3), &json!(true))
    );
    let back = json_of(&with(&["projections", "switch", "--back"])).await;
    assert_eq!((&back["from"], &back["to"]), (&json!(3), &json!(2)));
    let output = run(&with(&["projections", "drop", "2"])).await;
    assert_eq!(output.status.code(), Some(1), "{}", complaint(&output));
    assert!(complaint(&output).contains("in use"), "{}", complaint(&output));
    let dropped = data(&with(&["projections", "drop", "3"])).await;
    assert!(dropped.contains("Version 3 is removed."), "{dropped}");
    receive(&server.client, "three").await;
    // Without the server the same directory says the same.
    assert!(server.terminate().await);
    let here = ["--data-dir", text(directory.path())];
    assert_eq!(states(&versions(here).await), [(2, "active")]);
}
