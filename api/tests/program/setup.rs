//! Settings, and set-ups that the program refuses.

use std::process::Stdio;

use axum::http::{HeaderName, HeaderValue, Method};
use serde_json::{Value, json};
use stockledger::client::Client;
use tokio::io::{AsyncBufReadExt, BufReader};

use crate::run::{Server, complaint, data, json as json_of, program, refused, run, text, until};

#[tokio::test]
async fn a_second_process_is_told_who_uses_the_directory() {
    let directory = tempfile::tempdir().unwrap();
    let path = text(directory.path());
    let server = Server::start(directory.path()).await;
    for command in [&["serve", "--listen", "127.0.0.1:0"][..], &["rebuild"]] {
        let said = refused(&[command, &["--data-dir", path]].concat(), &["data-dir-in-use"]).await;
        assert!(said.contains(&format!("in use by PID {}", server.pid())), "{said}");
    }
    // Whoever only reads may do so meanwhile.
    data(&["tail", "--data-dir", path]).await;
    assert!(server.terminate().await);
    data(&["rebuild", "--data-dir", path]).await;
}

#[tokio::test]
async fn a_log_is_protected_wherever_it_is() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let server = Server::start(one.path()).await;
    let log = format!("sqlite:{}", one.path().join("log.sqlite").display());
    let elsewhere = text(two.path());
    let output = run(&["serve", "--listen", "127.0.0.1:0", "--data-dir", elsewhere, "--log", &log]).await;
    assert_eq!(output.status.code(), Some(6), "{}", complaint(&output));
    assert!(complaint(&output).contains("in use by PID"), "{}", complaint(&output));

    // The demo keeps away from any ledger that the settings name.
    let demo = program(&["demo", "--exit", "--format", "json"]).env("STOCKLEDGER_LOG", &log).output().await;
    assert!(demo.unwrap().status.success());
    assert_eq!(data(&["tail", "--data-dir", text(one.path())]).await, "");
    server.kill().await;
}

#[tokio::test]
async fn an_address_that_others_can_reach_is_refused_unless_they_may() {
    let directory = tempfile::tempdir().unwrap();
    for command in ["serve", "demo"] {
        let anywhere = [command, "--listen", "0.0.0.0:0", "--data-dir", text(directory.path())];
        let said = refused(&anywhere, &["insecure-listen"]).await;
        assert!(said.contains("--insecure"), "{said}");
    }
}

/// The program that tests run is built without TLS for Kafka, unless its feature is asked for.
#[cfg(not(feature = "kafka-tls"))]
#[tokio::test]
async fn a_protected_kafka_takes_a_program_that_was_built_for_it() {
    let log = ["--log", "kafka://broker.example:9093/stockledger", "--kafka-security", "sasl_ssl"];
    let said = refused(&[&["tail"][..], &log].concat(), &["no-kafka-tls"]).await;
    assert!(said.contains("--features kafka-tls"), "{said}");
}

#[tokio::test]
async fn settings_say_where_they_come_from() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("settings.toml");
    std::fs::write(&file, "listen = \"127.0.0.1:9999\"\nnode = \"shed\"\nroles = [\"api\", \"projector\"]\n")
        .unwrap();
    let settings = json_of(&["config", "show", "--config", text(&file), "--node", "barn"]).await;
    let setting =
        |name: &str| (settings[name]["value"].clone(), settings[name]["source"].as_str().unwrap().to_owned());
    assert_eq!(setting("node"), (Value::from("barn"), "flag".to_owned()));
    assert_eq!(setting("listen"), (Value::from("127.0.0.1:9999"), format!("file {}", file.display())));
    assert_eq!(setting("roles").0, Value::from("projector,api"));
    assert_eq!(setting("log"), (Value::from("sqlite:./stockledger-data/log.sqlite"), "default".to_owned()));

    let mut command = program(&["config", "show", "--format", "json", "--data-dir", "here"]);
    let output =
        command.env("STOCKLEDGER_DATA_DIR", "there").env("STOCKLEDGER_NODE", "hut").output().await.unwrap();
    let settings: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&settings["data_dir"]["value"], &settings["data_dir"]["source"]),
        (&"here".into(), &"flag".into())
    );
    assert_eq!(
        (&settings["node"]["value"], &settings["node"]["source"]),
        (&"hut".into(), &"environment".into())
    );
}

#[tokio::test]
async fn wrong_settings_are_named() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("settings.toml");
    let cases = [
        ("lisen = \"127.0.0.1:1\"", "unknown field `lisen`; did you mean `listen`?"),
        ("listen = \"nowhere\"", "setting listen from file"),
        ("roles = [\"king\"]", "unknown role \"king\""),
        ("log = \"postgres://x\"", "must be sqlite:PATH"),
        ("projections = \"mysql://shop:pass/word@db/stock\"", "is \"...@db/stock\""),
        ("partitions = 0", "must be from 1 to 1024"),
    ];
    for (content, complaint_part) in cases {
        std::fs::write(&file, content).unwrap();
        let output = run(&["config", "show", "--config", text(&file)]).await;
        assert_eq!(output.status.code(), Some(2), "{content}");
        assert!(complaint(&output).contains(complaint_part), "{content}: {}", complaint(&output));
        assert!(!complaint(&output).contains("pass/word"), "a password is shown: {}", complaint(&output));
    }
    std::fs::write(&file, "projections = \"mysql://shop:one@db/stock\"\n").unwrap();
    let mut command = program(&["config", "show", "--config", text(&file)]);
    let output = command.env("STOCKLEDGER_PROJECTIONS_PASSWORD", "two").output().await.unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(complaint(&output).contains("more than one password"), "{}", complaint(&output));

    let missing = run(&["config", "show", "--config", "/nonexistent.toml"]).await;
    assert_eq!(missing.status.code(), Some(2));
}

#[tokio::test]
async fn files_that_are_no_ledger_are_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    std::fs::write(path.join("log.sqlite"), "a letter to my mother").unwrap();
    refused(&["serve", "--listen", "127.0.0.1:0", "--data-dir", text(path)], &["not-a-ledger"]).await;
    assert_eq!(std::fs::read_to_string(path.join("log.sqlite")).unwrap(), "a letter to my mother");
}

#[tokio::test]
async fn each_line_of_the_log_says_which_request_it_is_about_and_what_came_of_it() {
    let directory = tempfile::tempdir().unwrap();
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let mut server = program(&["serve", "--listen", &address, "--data-dir", text(directory.path())])
        .env("STOCKLEDGER_LOG_LEVEL", "stockledger=debug")
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(server.stderr.take().unwrap()).lines();
    let client = Client::new(&format!("http://{address}")).unwrap();
    until(async || client.get_json::<Value>("/readyz").await.is_ok()).await;
    let id = vec![(HeaderName::from_static("x-request-id"), HeaderValue::from_static("mine-1"))];
    let site = json!({ "name": "London" });
    let opened: Value = client.send_json(Method::PUT, "/v1/sites/uk", id, &site).await.unwrap();
    let line = loop {
        let line = said.next_line().await.unwrap().expect("a line about the request");
        // What is said to people at the start is none of the log's.
        let Ok(line) = serde_json::from_str::<Value>(&line) else { continue };
        if line["span"]["request_id"] == "mine-1" {
            break line;
        }
    };
    assert_eq!((&line["span"]["path"], &line["span"]["method"]), (&json!("/v1/sites/uk"), &json!("PUT")));
    assert_eq!((&line["span"]["status"], &line["span"]["position"]), (&json!(201), &opened["position"]));
    server.kill().await.unwrap();
}
