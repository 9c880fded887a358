//! Having things done from the command line, against a server and in a local data directory.

use serde_json::{Value, json};

use crate::run::{Server, complaint, data, json as json_of, run, text};

/// A server with an empty site `uk`.
async fn open(directory: &std::path::Path) -> Server {
    let server = Server::start(directory).await;
    server.client.put_json::<Value>("/v1/sites/uk", &json!({ "name": "London" })).await.unwrap();
    server
}

/// The same history, wherever it is written.
async fn a_day_at(place: &[&str], lines: &str) {
    let done = async |command: &[&str]| json_of(&[command, place].concat()).await;
    let received = done(&["stock", "receive", "uk", "LAMP=10", "A=B=5", "--reason", "purchase"]).await;
    assert_eq!(received["lines"][0]["after"]["available"], 10);
    let received = done(&["stock", "receive", "uk", "--file", lines]).await;
    assert_eq!(
        received["lines"][0],
        json!({ "sku": "C, d", "quantity": 3, "after":
        { "on_hand": 3, "reserved": 0, "held": 0, "available": 3 } })
    );
    let adjusted = done(&["stock", "adjust", "uk", "LAMP=-2", "--reason", "damaged", "--note", "fell"]).await;
    assert_eq!((&adjusted["lines"][0]["delta"], &adjusted["note"]), (&json!(-2), &json!("fell")));
    let counted = done(&["stock", "count", "uk", "LAMP=9"]).await;
    assert_eq!(counted["lines"][0]["delta"], 1);
    let held = done(&["stock", "hold", "uk", "h-1", "LAMP=4", "--reason", "quality_control"]).await;
    assert_eq!((&held["remaining"], &held["status"]), (&json!(4), &json!("held")));
    done(&["stock", "release", "uk", "h-1", "--quantity", "1"]).await;
    let released = done(&["stock", "release", "uk", "h-1"]).await;
    assert_eq!(released["remaining"], 0);
    let placed = done(&["order", "place", "uk", "o-1", "LAMP=3", "A=B=1", "--customer", "c-7"]).await;
    assert_eq!((&placed["status"], &placed["customer"]), (&json!("placed"), &json!("c-7")));
    let shipped = done(&["order", "ship", "uk", "o-1", "LAMP=2"]).await;
    assert_eq!(shipped["status"], "partially_shipped");
    done(&["order", "cancel", "uk", "o-1", "--reason", "customer_request"]).await;
    let returned = done(&["order", "return", "uk", "o-1", "LAMP=1", "--disposition", "damaged"]).await;
    assert_eq!(returned["lines"][0]["returned"], 1);
    // A server's read tables follow in a moment; those of a data directory are level already.
    crate::run::until(async || {
        let level = done(&["stock", "show", "uk", "A=B"]).await;
        (&level["on_hand"], &level["available"]) == (&json!(5), &json!(5))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_is_done_the_same_with_and_without_a_server() {
    let directory = tempfile::tempdir().unwrap();
    let lines = directory.path().join("lines.csv");
    std::fs::write(&lines, "sku,quantity\n\"C, d\",3\n").unwrap();
    let one = directory.path().join("one");
    let server = open(&one).await;
    a_day_at(&["--server", &server.url], text(&lines)).await;
    assert!(server.terminate().await);
    let two = directory.path().join("two");
    assert!(open(&two).await.terminate().await);
    a_day_at(&["--data-dir", text(&two)], text(&lines)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_says_what_is_short_and_what_to_do() {
    let directory = tempfile::tempdir().unwrap();
    let server = open(directory.path()).await;
    let place = ["--server", server.url.as_str()];
    let receive = ["stock", "receive", "uk", "LAMP=2", "--idempotency-key", "r-1"];
    let first = data(&[&receive[..], &place].concat()).await;
    assert!(first.contains("after.available") && first.contains("LAMP"), "{first}");
    assert_eq!(data(&[&receive[..], &place].concat()).await, first, "the same key, the same answer");
    for (command, exit, parts) in [
        (
            &["order", "place", "uk", "o-1", "LAMP=5"][..],
            5,
            &["LAMP", "5", "2", "insufficient-stock", "stock receive SITE SKU=QUANTITY", "--idempotency-key"]
                [..],
        ),
        (&["stock", "adjust", "uk", "LAMP=-3", "--reason", "damaged"], 5, &["insufficient-stock"]),
        (&["order", "ship", "uk", "o-9"], 1, &["o-9"]),
        (&["stock", "receive", "fr", "LAMP=1"], 1, &["site list", "site open"]),
        (&["stock", "receive", "uk", "LAMP=3", "--idempotency-key", "r-1"], 2, &["Leave out"]),
        (&["stock", "receive", "uk", "LAMP"], 2, &["must look like LAMP=3"]),
        (&["stock", "receive", "uk"], 2, &["--file"]),
        (&["stock", "hold", "uk", "h", "A=1", "B=1"], 2, &["one SKU"]),
        (&["stock", "receive", "uk", "A=1", "--reason", "boredom"], 2, &["reason"]),
    ] {
        let output = run(&[command, &place].concat()).await;
        let said = complaint(&output);
        assert_eq!(output.status.code(), Some(exit), "{command:?}: {said}");
        assert!(output.stdout.is_empty(), "{command:?}");
        for part in parts {
            assert!(said.contains(part), "{command:?} does not say {part}: {said}");
        }
    }
    server.kill().await;
}

#[tokio::test]
async fn every_command_has_a_page_and_a_completion() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = data(&["completions", shell]).await;
        assert!(script.contains("stockledger") && script.contains("receive"), "{shell}");
    }
    assert!(data(&["man"]).await.contains(".TH stockledger"));
    let directory = tempfile::tempdir().unwrap();
    data(&["man", "--to", text(directory.path())]).await;
    for page in ["stockledger.1", "stockledger-stock-receive.1", "stockledger-order-place.1"] {
        assert!(directory.path().join(page).is_file(), "{page}");
    }
}
