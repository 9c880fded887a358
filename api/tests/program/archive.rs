//! `export` and `restore` as people run them.

use std::path::Path;

use serde_json::Value;

use crate::commands::shop;
use crate::run::{Server, complaint, data, json as json_of, refused, run, text};

/// What a ledger answers, positions included.
async fn answers(directory: &Path) -> Vec<Value> {
    let settings = ["--data-dir", text(directory)];
    let mut answers = Vec::new();
    for command in [
        &["stock", "list", "uk"][..],
        &["stock", "movements", "uk", "LAMP"],
        &["order", "show", "uk", "o-1"],
        &["order", "trail", "uk", "o-1"],
        &["order", "trail", "uk", "o-2"],
    ] {
        answers.push(json_of(&[command, &settings].concat()).await);
    }
    answers
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_is_exported_verified_offline_and_restored() {
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let server = shop(here.path()).await;
    let archive = here.path().join("archive");
    let export = ["export", "--to", text(&archive), "--data-dir", text(here.path())];
    let first = json_of(&export).await;
    assert_eq!(first["partitions"].as_array().unwrap().len(), 8, "while a server writes");
    assert!(server.terminate().await);
    let again = json_of(&export).await;
    assert_eq!(again["ledger_id"], first["ledger_id"]);
    for partition in again["partitions"].as_array().unwrap() {
        assert_eq!(partition["new_records"], 0, "{partition}");
    }

    let offline = json_of(&["verify", "--archive", text(&archive), "--data-dir", "/nonexistent"]).await;
    assert_eq!((&offline["ok"], &offline["unvouched_decisions"]), (&true.into(), &0.into()));
    let manifest = archive.join("manifest.json");
    let live = ["verify", "--manifest", text(&manifest), "--data-dir", text(here.path())];
    assert_eq!(json_of(&live).await["unvouched_decisions"], 0);
    assert!(data(&live).await.contains("Vouched for to its end by the manifest"));

    let restore =
        ["restore", "--from", text(&archive), "--data-dir", text(there.path()), "--partitions", "3"];
    let restored = json_of(&restore).await;
    assert_eq!(restored["ledger_id"], first["ledger_id"]);
    assert_eq!(
        restored["partitions"].as_array().unwrap().len(),
        8,
        "as the ledger was made, not as settings say"
    );
    assert_eq!(json_of(&restore).await["new_records"], 0, "a second time there is nothing to do");
    let heads = |value: &Value| -> Vec<Value> {
        value["partitions"].as_array().unwrap().iter().map(|partition| partition["head"].clone()).collect()
    };
    assert_eq!(heads(&restored), heads(&again));

    data(&["rebuild", "--data-dir", text(there.path())]).await;
    assert_eq!(answers(there.path()).await, answers(here.path()).await);
    // It is a ledger like any other: it is written to, and then it is no longer what was archived.
    let server = Server::start(there.path()).await;
    server.client.put_json::<Value>("/v1/sites/fr", &serde_json::json!({ "name": "Paris" })).await.unwrap();
    assert!(server.terminate().await);
    let said = refused(&restore, &["log-not-empty"]).await;
    assert!(said.contains("is not empty"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_is_restored_as_it_was_at_a_position() {
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    assert!(shop(here.path()).await.terminate().await);
    let archive = here.path().join("archive");
    data(&["export", "--to", text(&archive), "--data-dir", text(here.path())]).await;
    let trail = json_of(&["order", "trail", "uk", "o-1", "--data-dir", text(here.path())]).await;
    let placed = &trail["data"][0];
    let restore = ["restore", "--from", text(&archive), "--data-dir", text(there.path())];
    for until in [["--until-position", "position"], ["--until", "recorded_at"]] {
        let there = tempfile::tempdir().unwrap();
        let restore = ["restore", "--from", text(&archive), "--data-dir", text(there.path())];
        data(&[&restore[..], &[until[0], placed[until[1]].as_str().unwrap()]].concat()).await;
        data(&["rebuild", "--data-dir", text(there.path())]).await;
        let order = json_of(&["order", "show", "uk", "o-1", "--data-dir", text(there.path())]).await;
        assert_eq!(
            (&order["status"], &order["position"]),
            (&"placed".into(), &placed["position"]),
            "{until:?}"
        );
    }
    for (arguments, exit) in [(&["--until-position", "0.99999"][..], 2), (&["--until", "yesterday"], 2)] {
        let output = run(&[&restore[..], arguments].concat()).await;
        assert_eq!(output.status.code(), Some(exit), "{arguments:?}: {}", complaint(&output));
    }
    assert!(std::fs::read_dir(there.path()).unwrap().next().is_none(), "what is refused makes nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_archive_is_found_and_not_restored() {
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    assert!(shop(here.path()).await.terminate().await);
    let archive = here.path().join("archive");
    data(&["export", "--to", text(&archive), "--data-dir", text(here.path())]).await;
    let segment = archive.join("partition-0000/segment-00000000000000000000.slseg");
    let mut bytes = std::fs::read(&segment).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    std::fs::write(&segment, bytes).unwrap();
    for command in [
        &["verify", "--archive", text(&archive)][..],
        &["restore", "--from", text(&archive), "--data-dir", text(there.path())],
    ] {
        let output = run(command).await;
        assert_eq!(output.status.code(), Some(3), "{}", complaint(&output));
        assert!(complaint(&output).contains("partition 0 is wrong at offset"), "{}", complaint(&output));
    }
    assert!(std::fs::read_dir(there.path()).unwrap().next().is_none());
    std::fs::write(there.path().join("letters.txt"), "to my mother").unwrap();
    let export = ["export", "--to", text(there.path()), "--data-dir", text(here.path())];
    refused(&export, &["archive-unusable"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn readable_twins_have_every_record_and_every_line() {
    let here = tempfile::tempdir().unwrap();
    assert!(shop(here.path()).await.terminate().await);
    let (twins, path) = (here.path().join("twins"), text(here.path()));
    let export = ["export", "--to", text(&twins), "--data-dir", path];
    let files = json_of(&[&export[..], &["--as", "json"]].concat()).await;
    assert_eq!(files["files"].as_array().unwrap().len(), 8);
    data(&[&export[..], &["--as", "csv", "--partition", "0"]].concat()).await;
    let lines = std::fs::read_to_string(twins.join("partition-0000.ndjson")).unwrap();
    let first: Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
    assert_eq!(first["record"]["kind"], "genesis");
    assert!(
        std::fs::read_to_string(twins.join("partition-0000.csv")).unwrap().starts_with("position,event,")
    );
    assert!(!twins.join("partition-0001.csv").exists());
    let output = run(&[&export[..], &["--partition", "8"]].concat()).await;
    assert_eq!(output.status.code(), Some(2), "{}", complaint(&output));
}
