//! What the commands print, and how they end.

use serde_json::{Value, json};

use crate::run::{Server, complaint, data, json as json_of, program, run, text};

/// A server with a site, some stock, a shipped and a refused order.
pub(crate) async fn shop(directory: &std::path::Path) -> Server {
    let server = Server::start(directory).await;
    let client = &server.client;
    let key = |key: &'static str| {
        vec![(
            hyper::header::HeaderName::from_static("idempotency-key"),
            hyper::header::HeaderValue::from_static(key),
        )]
    };
    client.put_json::<Value>("/v1/sites/uk", &json!({ "name": "London" })).await.unwrap();
    let receipt = json!({ "lines": [{ "sku": "LAMP", "quantity": 10 }, { "sku": "a/b c", "quantity": 5 }] });
    client.post_json::<Value>("/v1/sites/uk/receipts", key("r"), &receipt).await.unwrap();
    let order = json!({ "order_id": "o-1", "lines": [{ "sku": "LAMP", "quantity": 3 }] });
    client.post_json::<Value>("/v1/sites/uk/orders", key("o1"), &order).await.unwrap();
    client.post_json::<Value>("/v1/sites/uk/orders/o-1/shipments", key("s1"), &json!({})).await.unwrap();
    let order = json!({ "order_id": "o-2", "lines": [{ "sku": "LAMP", "quantity": 8 }] });
    client.post_json::<Value>("/v1/sites/uk/orders", key("o2"), &order).await.unwrap_err();
    crate::run::until(async || {
        let trail = client.get_json::<Value>("/v1/sites/uk/orders/o-2/trail").await;
        trail.is_ok_and(|trail| trail["data"].as_array().is_some_and(|data| data.len() == 1))
    })
    .await;
    server
}

#[tokio::test(flavor = "multi_thread")]
async fn reading_commands_answer_the_same_with_and_without_a_server() {
    let directory = tempfile::tempdir().unwrap();
    let server = shop(directory.path()).await;
    let local = ["--data-dir", text(directory.path())];
    let remote = ["--server", server.url.as_str()];
    let commands: [&[&str]; 12] = [
        &["stock", "show", "uk", "LAMP"],
        &["stock", "show", "uk", "a/b c"],
        &["stock", "list", "uk"],
        &["stock", "movements", "uk", "LAMP"],
        &["order", "show", "uk", "o-1"],
        &["order", "trail", "uk", "o-2"],
        &["stock", "show", "uk", "LAMP", "--as-of", "0.3"],
        &["stock", "show", "uk", "LAMP", "--as-of", "2000-01-01T00:00:00+01:00", "--axis", "occurred"],
        &["stock", "list", "uk", "--as-of", "0.3", "--limit", "1"],
        &["order", "show", "uk", "o-1", "--as-of", "0.4"],
        &["audit", "explain", "uk", "LAMP"],
        &["audit", "explain", "uk", "a/b c", "--as-of", "2000-01-01T00:00:00Z"],
    ];
    for command in commands {
        let from_files = json_of(&[command, &local].concat()).await;
        let from_server = json_of(&[command, &remote].concat()).await;
        assert_eq!(from_files, from_server, "{command:?}");
        assert!(!data(&[command, &local].concat()).await.is_empty());
    }
    let level = json_of(&[&["stock", "show", "uk", "LAMP"][..], &local].concat()).await;
    assert_eq!((&level["on_hand"], &level["available"]), (&7.into(), &7.into()));
    let trail = json_of(&[&["order", "trail", "uk", "o-2"][..], &local].concat()).await;
    assert_eq!(trail["data"][0]["type"], "out_of_stock");
    assert_eq!(trail["data"][0]["lines"][0], json!({ "sku": "LAMP", "requested": 8, "available": 7 }));
    let then = json_of(&[&["stock", "show", "uk", "LAMP", "--as-of", "0.3"][..], &local].concat()).await;
    assert_eq!((&then["on_hand"], &then["position"]), (&10.into(), &"0.3".into()));
    let explained = data(&[&["audit", "explain", "uk", "LAMP"][..], &local].concat()).await;
    for part in ["LAMP at uk, as of 0.", "order_shipped", "= level", "The parts add up to the level"] {
        assert!(explained.contains(part), "{explained}");
    }
    assert!(
        data(&[&["order", "trail", "uk", "o-2"][..], &local].concat()).await.contains("out_of_stock at 0.")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_said() {
    let directory = tempfile::tempdir().unwrap();
    let path = text(directory.path());
    let no_ledger = run(&["stock", "list", "uk", "--data-dir", path]).await;
    assert_eq!(no_ledger.status.code(), Some(4));
    assert!(complaint(&no_ledger).contains("no ledger"), "{}", complaint(&no_ledger));
    assert!(std::fs::read_dir(directory.path()).unwrap().next().is_none(), "looking makes nothing");

    let _server = shop(directory.path()).await;
    for (command, part) in [
        (&["stock", "list", "nowhere"][..], "nowhere"),
        (&["stock", "show", "uk", "NOTHING"], "NOTHING"),
        (&["order", "show", "uk", "o-9"], "o-9"),
    ] {
        let output = run(&[command, &["--data-dir", path]].concat()).await;
        assert_eq!(output.status.code(), Some(1), "{command:?}");
        assert!(complaint(&output).contains(part), "{command:?}: {}", complaint(&output));
        assert!(output.stdout.is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tail_prints_the_log_and_decode_prints_records() {
    let directory = tempfile::tempdir().unwrap();
    let _server = shop(directory.path()).await;
    let path = text(directory.path());
    let lines = data(&["tail", "--data-dir", path, "--format", "json"]).await;
    let decisions: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let types: Vec<&str> =
        decisions.iter().map(|line| line["decision"]["events"][0]["type"].as_str().unwrap()).collect();
    let expected =
        ["site_registered", "site_opened", "stock_received", "order_placed", "order_shipped", "out_of_stock"];
    assert_eq!(types, expected);
    let limited = data(&["tail", "--data-dir", path, "--from", "0.3", "--limit", "2"]).await;
    assert_eq!(limited.lines().count(), 2);
    assert!(limited.starts_with("0.3 ") && limited.contains("stock_received"), "{limited}");
    assert_eq!(data(&["tail", "--data-dir", path, "--site", "nowhere"]).await, "");

    let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/../schemas/golden/claim");
    let decoded: Value = serde_json::from_str(&data(&["decode", &format!("{golden}.bin")]).await).unwrap();
    let twin: Value =
        serde_json::from_str(&std::fs::read_to_string(format!("{golden}.json")).unwrap()).unwrap();
    assert_eq!(decoded, twin);
    let broken = directory.path().join("broken.bin");
    std::fs::write(&broken, b"SL not a record").unwrap();
    let output = run(&["decode", text(&broken)]).await;
    assert_eq!(output.status.code(), Some(3));
    assert!(complaint(&output).contains("record 1"), "{}", complaint(&output));
}

#[tokio::test(flavor = "multi_thread")]
async fn health_is_an_exit_code() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path()).await;
    assert_eq!(data(&["health", "--server", &server.url]).await, "ready\n");
    assert_eq!(data(&["health", "--started", "--server", &server.url]).await, "started\n");
    let url = server.url.clone();
    server.kill().await;
    for asked in [&["health", "--server", &url][..], &["health", "--started", "--server", &url]] {
        assert_eq!(run(asked).await.status.code(), Some(4));
    }
}

#[tokio::test]
async fn wrong_usage_is_answered_with_help() {
    for arguments in [&["stok"][..], &["import"], &["serve", "--roles"], &["tail", "--from", "x"]] {
        let output = run(arguments).await;
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(!complaint(&output).is_empty());
    }
    let help = data(&["--help"]).await;
    assert!(help.contains("demo") && help.contains("Exit codes"));
    for command in ["demo", "import", "tail", "decode", "verify", "export", "restore"] {
        assert!(data(&[command, "--help"]).await.contains("Example"), "{command}");
    }
}

#[tokio::test]
async fn output_that_nobody_reads_to_its_end_is_no_failure() {
    let directory = tempfile::tempdir().unwrap();
    let server = shop(directory.path()).await;
    let mut command = program(&["tail", "--data-dir", text(directory.path()), "--format", "json"]);
    let mut child = command.stdout(std::process::Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    assert!(child.wait().await.unwrap().success());
    server.kill().await;
}
