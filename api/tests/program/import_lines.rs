//! Importing commands, as lines of JSON and as CSV.

use std::path::Path;

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;

use crate::run::{Server, complaint, data, json as run_json, program, run, text, until};

const RECEIPTS: &str = "command,site,sku,quantity,reference_type,reference_id,name\n\
    open_site,uk,,,,,London\n\
    receive_stock,uk,A,10,delivery,DN-1,\n\
    receive_stock,uk,B,20,delivery,DN-1,\n\
    receive_stock,uk,A,5,,,\n";

fn order(order_id: &str, quantity: i64) -> String {
    let lines = json!([{ "sku": "A", "quantity": quantity }]);
    let body = json!({ "order_id": order_id, "lines": lines });
    json!({ "command": "place_order", "site": "uk", "body": body }).to_string()
}

fn file(directory: &Path, name: &str, content: &str) -> String {
    let path = directory.join(name);
    std::fs::write(&path, content).unwrap();
    text(&path).to_owned()
}

fn lines_of(path: &str) -> Vec<Value> {
    let report = std::fs::read_to_string(path).unwrap();
    report.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The counts of a summary: of the file, done, replayed, refused.
fn counts(summary: &Value) -> [u64; 4] {
    ["commands", "done", "replayed", "refused"].map(|name| summary[name].as_u64().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_go_in_once_here_and_at_a_server_and_refusals_are_reported() {
    let directory = tempfile::tempdir().unwrap();
    let receipts = file(directory.path(), "receipts.csv", RECEIPTS);
    let orders = [order("1", 4), String::new(), order("2", 40), order("3", 5)].join("\n");
    let orders = file(directory.path(), "orders.ndjson", &orders);
    let there = directory.path().join("there");
    let server = Server::start(&there).await;
    let here = directory.path().join("here");
    for at in [["--data-dir", text(&here)], ["--server", server.url.as_str()]] {
        let receive = [&["import", "--from", "csv", &receipts][..], &at].concat();
        assert_eq!(counts(&run_json(&receive).await), [3, 3, 0, 0]);
        assert_eq!(counts(&run_json(&receive).await), [3, 3, 3, 0], "the same again");

        let report = text(&directory.path().join("report.ndjson")).to_owned();
        let place =
            [&["import", "--from", "ndjson", &orders, "--report", &report, "--format", "json"][..], &at]
                .concat();
        let output = run(&place).await;
        assert_eq!(output.status.code(), Some(5), "{}", complaint(&output));
        assert_eq!(counts(&serde_json::from_slice(&output.stdout).unwrap()), [3, 2, 0, 1]);
        assert!(complaint(&output).contains("line 3: order 2 was refused"), "{}", complaint(&output));
        let reported = lines_of(&report);
        let told: Vec<_> =
            reported.iter().map(|line| (line["line"].as_u64(), line["status"].as_u64())).collect();
        assert_eq!(told, [(Some(1), Some(201)), (Some(3), Some(409)), (Some(4), Some(201))]);
        assert_eq!(reported[1]["problem"]["code"], "insufficient-stock");

        // The read tables of a server follow.
        until(async || {
            let level = run_json(&[&["stock", "show", "uk", "A"][..], &at].concat()).await;
            (&level["on_hand"], &level["reserved"]) == (&json!(15), &json!(9))
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_reports_and_writes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let receipts = file(directory.path(), "receipts.csv", RECEIPTS);
    let data_dir = text(&directory.path().join("data")).to_owned();
    let at = ["--data-dir", data_dir.as_str()];
    run_json(&[&["import", "--from", "csv", &receipts][..], &at].concat()).await;
    let before = data(&[&["tail"][..], &at].concat()).await;

    let orders =
        file(directory.path(), "orders.ndjson", &[order("1", 14), order("2", 14), order("3", 16)].join("\n"));
    let dry_run =
        [&["import", "--from", "ndjson", &orders, "--dry-run", "--format", "json"][..], &at].concat();
    let output = run(&dry_run).await;
    assert_eq!(output.status.code(), Some(5), "{}", complaint(&output));
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(counts(&summary), [3, 2, 0, 1], "each by itself");
    assert_eq!(summary["dry_run"], true);
    assert_eq!(data(&[&["tail"][..], &at].concat()).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_with_a_bad_line_changes_nothing_and_all_bad_lines_are_named() {
    let directory = tempfile::tempdir().unwrap();
    let bad = format!("{}\nnot json\n{}\n", order("1", 1), order("2", 0));
    let bad = file(directory.path(), "bad.ndjson", &bad);
    let report = text(&directory.path().join("report.ndjson")).to_owned();
    let data_dir = text(&directory.path().join("data")).to_owned();
    let output =
        run(&["import", "--from", "ndjson", &bad, "--report", &report, "--data-dir", &data_dir]).await;
    assert_eq!(output.status.code(), Some(1));
    let said = complaint(&output);
    assert!(said.contains("line 2: this is not JSON: expected ident at column 2"), "{said}");
    assert!(said.contains("line 3: /body/lines/0/quantity: "), "{said}");
    assert!(said.contains("2 of the commands"), "{said}");
    let told: Vec<Option<u64>> = lines_of(&report).iter().map(|line| line["line"].as_u64()).collect();
    assert_eq!(told, [Some(2), Some(3)]);
    assert_eq!(data(&["tail", "--data-dir", &data_dir]).await, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_sent_behind_a_failure_where_that_is_asked_for() {
    let directory = tempfile::tempdir().unwrap();
    let data_dir = text(&directory.path().join("data")).to_owned();
    let receipts = file(directory.path(), "receipts.csv", RECEIPTS);
    run_json(&["import", "--from", "csv", &receipts, "--data-dir", &data_dir]).await;
    let orders = [order("1", 4), order("2", 40), order("3", 5)].join("\n");
    let orders = file(directory.path(), "orders.ndjson", &orders);
    let import = ["import", "--from", "ndjson", &orders, "--stop-at-refusal", "--data-dir", &data_dir];
    let output = run(&[&import[..], &["--format", "json"]].concat()).await;
    assert_eq!(output.status.code(), Some(5));
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((counts(&summary), &summary["stopped_at"]), ([3, 1, 0, 1], &json!(2)));
    assert!(complaint(&output).contains("nothing behind line 2 was sent"), "{}", complaint(&output));
    let shown = run(&["order", "show", "uk", "3", "--data-dir", &data_dir]).await;
    assert!(!shown.status.success(), "order 3 was not sent");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_template_is_a_file_that_can_be_imported_also_through_a_pipe() {
    let directory = tempfile::tempdir().unwrap();
    let data_dir = text(&directory.path().join("data")).to_owned();
    for (name, done) in [("site", 1), ("receive", 1), ("order", 1), ("ship", 1), ("return", 1), ("note", 1)] {
        let template = data(&["import", "--template", name]).await;
        let arguments = ["import", "--from", "csv", "-", "--data-dir", &data_dir, "--format", "json"];
        let mut child = program(&arguments)
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(template.as_bytes()).await.unwrap();
        drop(stdin);
        let output =
            tokio::time::timeout(crate::run::DEADLINE, child.wait_with_output()).await.unwrap().unwrap();
        assert!(output.status.success(), "{name}: {}", complaint(&output));
        assert_eq!(counts(&serde_json::from_slice(&output.stdout).unwrap()), [1, done, 0, 0], "{name}");
    }
}

#[tokio::test]
async fn options_that_do_not_go_together_are_wrong_usage() {
    for arguments in [
        &["import", "--from", "online-retail", "x.csv", "--dry-run"][..],
        &["import", "--from", "csv", "x.csv", "--force"],
        &["import", "--from", "csv"],
        &["import", "x.csv"],
        &["import", "--template", "everything"],
        &["import", "--template", "receive", "--from", "csv", "x.csv"],
    ] {
        let output = run(arguments).await;
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", complaint(&output));
    }
}
