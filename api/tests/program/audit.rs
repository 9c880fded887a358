//! Proofs as people get them from a server or a directory, and check them with a file that holds the key.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::{Value, json};
use stockledger::client::{Client, Headers};

use crate::run::{Server, complaint, data, json as json_of, refused, run, text};

fn key(key: &'static str) -> Headers {
    let name = hyper::header::HeaderName::from_static("idempotency-key");
    vec![(name, hyper::header::HeaderValue::from_static(key))]
}

async fn place_an_order(client: &Client) -> String {
    let put = json!({ "name": "United Kingdom" });
    client.put_json::<Value>("/v1/sites/uk", &put).await.unwrap();
    let receipt = json!({ "lines": [{ "sku": "A", "quantity": 5 }] });
    client.post_json::<Value>("/v1/sites/uk/receipts", key("r-1"), &receipt).await.unwrap();
    let order = json!({ "order_id": "o-1", "lines": [{ "sku": "A", "quantity": 2 }] });
    let placed: Value = client.post_json("/v1/sites/uk/orders", key("o-1"), &order).await.unwrap();
    placed["position"].as_str().unwrap().to_owned()
}

/// Checks a proof in a file; the exit code.
async fn check(key: &Path, proof: &Path) -> Option<i32> {
    run(&["audit", "check", "--key", text(key), text(proof)]).await.status.code()
}

#[tokio::test]
async fn an_order_is_proved_to_somebody_who_has_the_key_and_nothing_else() {
    let (directory, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let server = Server::start(directory.path()).await;
    let position = place_an_order(&server.client).await;
    let (public, proof) = (elsewhere.path().join("audit.pub"), elsewhere.path().join("proof.json"));
    std::fs::copy(directory.path().join("audit.pub"), &public).unwrap();
    data(&["audit", "proof", &position, "--server", &server.url, "--out", text(&proof)]).await;
    server.kill().await;

    let shown = json_of(&["audit", "check", "--key", text(&public), text(&proof)]).await;
    assert_eq!((&shown["included"], &shown["position"]), (&json!(true), &json!(position)));
    assert_eq!(shown["decision"]["events"][0]["order_id"], "o-1");
    assert!(
        data(&["audit", "check", "--key", text(&public), text(&proof)]).await.contains("is in the ledger")
    );

    // Each part of the document, changed a little.
    let genuine: Value = serde_json::from_slice(&std::fs::read(&proof).unwrap()).unwrap();
    let note = genuine["checkpoint"].as_str().unwrap();
    let record = genuine["record"].as_str().unwrap();
    let forgeries = [
        ("record", json!(format!("{}{}", &record[..record.len() - 12], "AAAAAAAAAAAA"))),
        ("position", json!("0.1")),
        ("leaf_index", json!(0)),
        ("tree_size", json!(99)),
        ("chain_hash", json!("0".repeat(64))),
        ("inclusion", json!([])),
        ("checkpoint", json!(note.replacen('\n', "1\n", 2))),
        ("surprise", json!(1)),
    ];
    for (member, value) in forgeries {
        let mut forged = genuine.clone();
        forged[member] = value;
        std::fs::write(&proof, forged.to_string()).unwrap();
        assert_eq!(check(&public, &proof).await, Some(3), "{member}");
    }
    std::fs::write(&proof, "a letter").unwrap();
    assert_eq!(check(&public, &proof).await, Some(3));
    assert_eq!(check(&proof, &proof).await, Some(1));
}

#[tokio::test]
async fn a_directory_answers_while_a_server_runs_on_it_and_after_it_has_stopped() {
    let directory = tempfile::tempdir().unwrap();
    let path = text(directory.path());
    let server = Server::start(directory.path()).await;
    let position = place_an_order(&server.client).await;
    let partition = position.split_once('.').unwrap().0;
    // Asking the server for a proof has it sign; then the directory has one too.
    data(&["audit", "proof", &position, "--server", &server.url]).await;
    data(&["audit", "proof", &position, "--data-dir", path]).await;
    let since = directory.path().join("monday.note");
    let note = data(&["audit", "checkpoint", "--partition", partition, "--data-dir", path]).await;
    std::fs::write(&since, &note).unwrap();
    let order = json!({ "order_id": "o-2", "lines": [{ "sku": "A", "quantity": 1 }] });
    server.client.post_json::<Value>("/v1/sites/uk/orders", key("o-2"), &order).await.unwrap();
    assert!(server.terminate().await);

    // What was decided before the end is signed at the end.
    let listed = json_of(&["audit", "checkpoint", "--data-dir", path]).await;
    let last = &listed["checkpoints"][partition.parse::<usize>().unwrap()];
    assert_ne!(last["note"], note);
    let (proof, public) = (directory.path().join("since.json"), directory.path().join("audit.pub"));
    let size = note.lines().nth(1).unwrap();
    let from = format!("{partition}.{size}");
    data(&["audit", "consistency", &from, "--data-dir", path, "--out", text(&proof)]).await;
    let arguments = ["audit", "check", "--key", text(&public), "--since", text(&since), text(&proof)];
    let consistent = json_of(&arguments).await;
    assert_eq!((&consistent["consistent"], &consistent["until"]["size"]), (&json!(true), &last["size"]));
    assert_eq!(run(&["audit", "check", "--key", text(&public), text(&proof)]).await.status.code(), Some(2));

    let beyond = run(&["audit", "proof", "0.999", "--data-dir", path]).await;
    assert_eq!(beyond.status.code(), Some(4), "{}", complaint(&beyond));
}

#[tokio::test]
async fn init_makes_a_key_that_nobody_else_may_read_and_never_shows_it() {
    let directory = tempfile::tempdir().unwrap();
    let (path, key) = (text(directory.path()), directory.path().join("keys/signs.key"));
    let output = run(&["init", "--data-dir", path, "--audit-key", text(&key), "--format", "json"]).await;
    assert!(output.status.success(), "{}", complaint(&output));
    let made: Value = serde_json::from_slice(&output.stdout).unwrap();
    let public = std::fs::read_to_string(key.with_extension("pub")).unwrap();
    assert_eq!(made["verifier_key"], public.trim_end());
    assert_eq!(std::fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);

    let secret = std::fs::read_to_string(&key).unwrap();
    let secret = secret.trim_end().rsplit('+').next().unwrap();
    let config = data(&["config", "show", "--data-dir", path, "--audit-key", text(&key)]).await;
    assert!(config.contains("signs.key") || config.contains("audit_key"), "{config}");
    let shown = [complaint(&output), made.to_string(), config].concat();
    assert!(!shown.contains(secret) && !shown.contains("PRIVATE"), "{shown}");

    // A key that was named must be there; one that everybody can read signs nothing.
    let missing = directory.path().join("other.key");
    let serve = ["serve", "--listen", "127.0.0.1:0", "--data-dir", path, "--audit-key"];
    refused(&[&serve[..], &[text(&missing)]].concat(), &["audit-key"]).await;
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    let said = refused(&[&serve[..], &[text(&key)]].concat(), &["audit-key"]).await;
    assert!(said.contains("chmod 600"), "{said}");
}
