//! The main job: real input, on the embedded default.

use serde_json::Value;

use crate::run::{Server, complaint, data, json, outcome, run, text};

const DECEMBER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/data/online-retail-2009-12.csv.gz");

fn without_time(mut report: Value) -> Value {
    for changing in ["seconds", "new_events"] {
        report.as_object_mut().unwrap().remove(changing);
    }
    report
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_gives_the_same_over_http_and_in_process_and_changes_nothing_twice() {
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let import = ["import", "--from", "online-retail", DECEMBER, "--opening-stock", "90%"];
    let local = json(&[&import[..], &["--data-dir", text(here.path())]].concat()).await;
    assert_eq!(local["new_events"], local["events"]);

    let server = Server::start(there.path()).await;
    let remote = json(&[&import[..], &["--server", &server.url]].concat()).await;
    assert_eq!(without_time(local.clone()), without_time(remote));
    let again = json(&[&import[..], &["--server", &server.url]].concat()).await;
    assert_eq!(again["new_events"], 0);
    assert_eq!(without_time(local), without_time(again));

    // Decision by decision the same, but for the times of recording.
    let stock = ["stock", "list", "uk", "--limit", "10000"];
    let mut levels = Vec::new();
    for source in [["--data-dir", text(here.path())], ["--server", server.url.as_str()]] {
        let mut list = json(&[&stock[..], &source].concat()).await;
        for level in list["data"].as_array_mut().unwrap() {
            level.as_object_mut().unwrap().remove("as_of");
        }
        levels.push(list);
    }
    assert_eq!(levels[0], levels[1]);

    let other = run(&["import", "--from", "online-retail", DECEMBER, "--server", &server.url]).await;
    assert_eq!(other.status.code(), Some(5), "{}", complaint(&other));
    assert!(complaint(&other).contains("--force"), "{}", complaint(&other));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_shows_what_it_promises() {
    let directory = tempfile::tempdir().unwrap();
    let shown = data(&["demo", "--exit", "--data-dir", text(directory.path())]).await;
    for part in [
        "orders shipped",
        "orders refused",
        "events per second",
        "out_of_stock at",
        "order_shipped at",
        "equal the live ones",
    ] {
        assert!(shown.contains(part), "{part} is missing in:\n{shown}");
    }
    let rebuilt = outcome(&["rebuild", "--data-dir", text(directory.path())]).await;
    assert_eq!((&rebuilt["version"], &rebuilt["switched"]["from"]), (&2.into(), &1.into()));
    let again = json(&["demo", "--exit", "--data-dir", text(directory.path())]).await;
    assert_eq!(again["report"]["new_events"], 0, "the same demo again finds everything there");
    assert_eq!(again["replay"]["equal"], true);
}

#[tokio::test]
async fn a_file_that_is_not_as_it_must_be_changes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("invoices.csv");
    std::fs::write(&file, "Invoice,StockCode,Description,Quantity,InvoiceDate,Price,Customer ID,Country\n1,10000,X,many,2009-12-01 07:45:00,1.0,,UK\n").unwrap();
    let data_dir = directory.path().join("data");
    let output =
        run(&["import", "--from", "online-retail", text(&file), "--data-dir", text(&data_dir)]).await;
    assert_eq!(output.status.code(), Some(1));
    assert!(
        complaint(&output).contains("Quantity") && complaint(&output).contains("line 2"),
        "{}",
        complaint(&output)
    );
    assert_eq!(data(&["tail", "--data-dir", text(&data_dir)]).await, "");
}
