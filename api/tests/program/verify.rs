//! `verify` as people run it: what it says of a good ledger, and how it ends when somebody has been at the files.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::commands::shop;
use crate::run::{Server, complaint, data, json as json_of, run, text, until};

/// A data directory with a small ledger that nobody serves any more.
async fn ledger() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    assert!(shop(directory.path()).await.terminate().await);
    directory
}

/// Somebody else is at a file, with the `sqlite3` of Python.
fn tamper(file: &Path, script: &str) {
    let program = format!(
        "import sqlite3, sys\ndb = sqlite3.connect(sys.argv[1])\n{script}\ndb.commit()\ndb.close()\n"
    );
    let output =
        Command::new("python3").arg("-c").arg(program).arg(file).output().expect("python3 is installed");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// The partition that the site of the shop lives on.
async fn home(directory: &Path) -> String {
    let level = json_of(&["stock", "show", "uk", "LAMP", "--data-dir", text(directory)]).await;
    level["position"].as_str().unwrap().split('.').next().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_good_ledger_is_verified_with_and_without_witnesses() {
    let directory = tempfile::tempdir().unwrap();
    let path = text(directory.path());
    let server = shop(directory.path()).await;
    let while_served = json_of(&["verify", "--projections", "--data-dir", path]).await;
    assert_eq!(while_served["ok"], true, "{while_served}");
    assert!(server.terminate().await);
    let alone = data(&["verify", "--data-dir", path]).await;
    for part in
        ["the log is whole", "chain hash", "Nothing outside the log vouches for its end", "--manifest"]
    {
        assert!(alone.contains(part), "{part} is missing in:\n{alone}");
    }
    let report = json_of(&["verify", "--data-dir", path]).await;
    assert_eq!((&report["ok"], &report["projections"]), (&json!(true), &Value::Null));
    assert_eq!(report["total"]["decisions"], 6);
    assert_eq!(
        report["total"]["events"], 10,
        "1 registered, 1 opened, 2 received, 2 placed, 2 shipped, 2 refused"
    );
    assert_eq!(report["unvouched_decisions"], 6);
    assert_eq!(report["partitions"][0]["head"]["hash"].as_str().unwrap().len(), 64);

    let with_tables = json_of(&["verify", "--projections", "--data-dir", path]).await;
    assert_eq!((&with_tables["ok"], &with_tables["unvouched_decisions"]), (&json!(true), &json!(0)));
    assert_eq!(with_tables["projections"]["difference"], Value::Null);
    assert!(with_tables["projections"]["equal_rows"].as_u64().unwrap() > 10);
    let words = data(&["verify", "--projections", "--data-dir", path]).await;
    assert!(words.contains("Vouched for to its end by the read tables"), "{words}");
    assert!(words.contains("rows of the read tables (version 1) are what the log says"), "{words}");
    let named = format!("sqlite:{path}/projections.sqlite");
    let by_address = json_of(&["verify", "--data-dir", path, "--projections", &named]).await;
    assert_eq!(by_address["projections"], with_tables["projections"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_was_changed_ends_with_3_and_is_named() {
    let directory = ledger().await;
    let path = text(directory.path());
    let home = home(directory.path()).await;
    let change = format!(
        "value = bytearray(db.execute('select value from records_{home} where offset = 4').fetchone()[0])\n\
         value[-1] ^= 1\n\
         db.execute('update records_{home} set value = ? where offset = 4', (bytes(value),))"
    );
    tamper(&directory.path().join("log.sqlite"), &change);
    let output = run(&["verify", "--data-dir", path]).await;
    assert_eq!(output.status.code(), Some(3), "{}", complaint(&output));
    let (said, shown) = (complaint(&output), String::from_utf8_lossy(&output.stdout).into_owned());
    assert!(said.contains(&format!("partition {home} is wrong at offset 4, after {home}.")), "{said}");
    assert!(shown.contains("expected  a whole record") && shown.contains("found     checksum is"), "{shown}");
    let output = run(&["verify", "--data-dir", path, "--format", "json"]).await;
    assert_eq!(output.status.code(), Some(3));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["ok"], false);
    let failures: Vec<&Value> = report["partitions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|partition| &partition["failure"])
        .filter(|failure| !failure.is_null())
        .collect();
    assert_eq!(failures.len(), 1, "the other partitions are good");
    assert_eq!(failures[0]["offset"], 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_which_the_disk_has_lost_a_page_ends_with_3_too() {
    let directory = ledger().await;
    let home = home(directory.path()).await;
    let overwrite = format!(
        "page = db.execute(\"select rootpage from sqlite_master where name = 'records_{home}'\").fetchone()[0]\n\
         db.close()\n\
         file = open(sys.argv[1], 'r+b')\n\
         file.seek((page - 1) * 4096)\n\
         file.write(b'\\xa5' * 4096)\n\
         file.close()\n\
         db = sqlite3.connect(':memory:')"
    );
    tamper(&directory.path().join("log.sqlite"), &overwrite);
    let output = run(&["verify", "--data-dir", text(directory.path())]).await;
    let said = complaint(&output);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains(&format!("partition {home} is wrong at offset 0")), "{said}");
    assert!(said.contains("the file of the log is damaged"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tail_that_was_cut_off_is_found_by_the_tables_and_by_a_manifest() {
    let directory = ledger().await;
    let path = text(directory.path());
    let home = home(directory.path()).await;
    let archive = directory.path().join("archive");
    data(&["export", "--to", text(&archive), "--data-dir", path]).await;
    let cut = format!(
        "db.execute('delete from records_{home} where offset = (select max(offset) from records_{home})')"
    );
    tamper(&directory.path().join("log.sqlite"), &cut);

    let alone = data(&["verify", "--data-dir", path]).await;
    assert!(alone.contains("Nothing outside the log vouches for its end"), "{alone}");
    let manifest = archive.join("manifest.json");
    for witness in [&["--projections"][..], &["--manifest", text(&manifest)]] {
        let output = run(&[&["verify", "--data-dir", path], witness].concat()).await;
        assert_eq!(output.status.code(), Some(3), "{witness:?}: {}", complaint(&output));
        assert!(complaint(&output).contains("remembers more"), "{}", complaint(&output));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_was_changed_is_named_with_the_last_event_that_touched_it() {
    let directory = ledger().await;
    let path = text(directory.path());
    let tables = directory.path().join("projections.sqlite");
    tamper(&tables, "db.execute(\"update stock__v1 set on_hand = 8 where sku = 'LAMP'\")");
    let output = run(&["verify", "--projections", "--data-dir", path]).await;
    assert_eq!(output.status.code(), Some(3), "{}", complaint(&output));
    let said = complaint(&output);
    for part in [
        "stock, site \"uk\", sku \"LAMP\"",
        "on_hand is 8",
        "the log gives 7",
        "order_shipped at ",
        "by local",
    ] {
        assert!(said.contains(part), "{part} is missing in: {said}");
    }
    let output = run(&["verify", "--projections", "--data-dir", path, "--format", "json"]).await;
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let difference = &report["projections"]["difference"];
    assert_eq!((&difference["in_tables"], &difference["in_log"]), (&json!(8), &json!(7)));
    assert_eq!(difference["last_event"]["type"], "order_shipped");
    assert!(difference["last_event"]["recorded_at"].is_string(), "{difference}");

    tamper(&tables, "db.execute(\"update stock__v1 set on_hand = 7 where sku = 'LAMP'\")");
    data(&["verify", "--projections", "--data-dir", path]).await;
    tamper(&tables, "db.execute(\"delete from orders__v1 where order_id = 'o-1'\")");
    let output = run(&["verify", "--projections", "--data-dir", path]).await;
    let said = complaint(&output);
    assert!(said.contains("orders") && said.contains("is missing from the read tables"), "{said}");
    assert!(said.contains("order_shipped at "), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_verifies_itself_and_names_a_record_that_was_changed_behind_its_back() {
    let directory = tempfile::tempdir().unwrap();
    let server = shop(directory.path()).await;
    let home = home(directory.path()).await;
    let at_server = ["verify", "--server", server.url.as_str()];
    let words = data(&at_server).await;
    for part in
        ["Verified 10 events in 6 decisions of 8 partitions", "chain hash", "Vouched for to its end by"]
    {
        assert!(words.contains(part), "{part} is missing in:\n{words}");
    }
    let report = json_of(&at_server).await;
    let alone = json_of(&["verify", "--data-dir", text(directory.path())]).await;
    for member in ["ok", "ledger_id", "total", "projections"] {
        assert_eq!(report[member], alone[member], "{member}");
    }
    assert_eq!(report["unvouched_decisions"], 0);

    let log = directory.path().join("log.sqlite");
    let flip = format!(
        "value = bytearray(db.execute('select value from records_{home} where offset = 4').fetchone()[0])\n\
         value[-1] ^= 1\n\
         db.execute('update records_{home} set value = ? where offset = 4', (bytes(value),))"
    );
    tamper(&log, &flip);
    let output = run(&at_server).await;
    let (said, shown) = (complaint(&output), String::from_utf8_lossy(&output.stdout).into_owned());
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains(&format!("partition {home} is wrong at offset 4, after {home}.")), "{said}");
    assert!(shown.contains("expected  a whole record") && shown.contains("found     checksum is"), "{shown}");
    // It goes on serving.
    let level = server.client.get_json::<Value>("/v1/sites/uk/stock/LAMP").await.unwrap();
    assert_eq!(level["on_hand"], 7);
    let last = server.client.get_json::<Value>("/v1/audit/verification").await.unwrap()["last"].clone();
    assert_eq!(last["ok"], false);
    assert!(server.terminate().await);

    // A log that is whole again is not known to be before it is looked at.
    tamper(&log, &flip);
    let server = Server::start_with(&["--data-dir", text(directory.path()), "--verify-every", "off"]).await;
    let after = server.client.get_json::<Value>("/v1/audit/verification").await.unwrap();
    assert_eq!((&after["last"], &after["every_seconds"]), (&last, &Value::Null));
    let mended = json_of(&["verify", "--server", server.url.as_str()]).await;
    assert_eq!((&mended["ok"], &mended["unvouched_decisions"]), (&json!(true), &json!(0)));
    assert!(server.terminate().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_verifies_itself_unasked_and_ends_in_order_while_it_does() {
    let directory = tempfile::tempdir().unwrap();
    let path = text(directory.path());
    let events = ["--events", "60000", "--sites", "4", "--skus", "200", "--partitions", "2"];
    data(&[&["bench", "generate", "--data-dir", path][..], &events].concat()).await;
    let server = Server::start_with(&["--data-dir", path, "--verify-every", "1s"]).await;
    let standing = async || server.client.get_json::<Value>("/v1/audit/verification").await.unwrap();
    until(async || standing().await["running"]["records_done"].as_u64() > Some(0)).await;
    let under_way = standing().await;
    assert_eq!((&under_way["every_seconds"], &under_way["last"]), (&json!(1), &Value::Null));
    assert!(server.terminate().await, "it ends in order");
    assert!(!directory.path().join("audit/verification.json").exists(), "it was at its end already");
}

#[tokio::test]
async fn a_server_verifies_what_it_has_and_nothing_of_here() {
    let nobody = ["verify", "--server", "http://127.0.0.1:9"];
    let output = run(&nobody).await;
    assert_eq!(output.status.code(), Some(4), "{}", complaint(&output));
    for here in [
        &["--projections"][..],
        &["--archive", "x"],
        &["--manifest", "x"],
        &["--checkpoint", "x", "--key", "y"],
    ] {
        let output = run(&[&nobody[..], here].concat()).await;
        assert_eq!(output.status.code(), Some(2), "{here:?}: {}", complaint(&output));
    }
    let output = run(&["config", "show", "--verify-every", "daily"]).await;
    assert_eq!(output.status.code(), Some(2));
    assert!(complaint(&output).contains("must be off, or a time such as"), "{}", complaint(&output));
}

#[tokio::test]
async fn what_is_not_there_to_verify_is_said() {
    let directory = tempfile::tempdir().unwrap();
    let path = text(directory.path());
    for command in [
        &["verify"][..],
        &["verify", "--projections"],
        &["verify", "--archive", path],
        &["export", "--to", path],
    ] {
        let output = run(&[command, &["--data-dir", path]].concat()).await;
        assert_eq!(output.status.code(), Some(4), "{command:?}: {}", complaint(&output));
    }
    let missing = run(&["verify", "--manifest", "/nonexistent/manifest.json", "--data-dir", path]).await;
    assert_eq!(missing.status.code(), Some(4), "{}", complaint(&missing));
    // Only here may the read tables be named without saying where they are.
    let output = run(&["tail", "--data-dir", path, "--projections"]).await;
    assert_eq!(output.status.code(), Some(2), "{}", complaint(&output));
    assert!(complaint(&output).contains("needs an address"), "{}", complaint(&output));
}
