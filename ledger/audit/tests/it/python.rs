//! The stand-alone script reads an archive without any code of ours.

use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;

use stockledger_audit::archive::{MANIFEST, Manifest};

use crate::support::{busy_shop, export_small, log_of, repair};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/verify.py");

fn script(directory: &Path) -> Output {
    Command::new("python3").arg(SCRIPT).arg(directory).output().expect("python3 is installed")
}

fn said(output: &Output) -> String {
    [output.stdout.clone(), output.stderr.clone()].concat().into_iter().map(char::from).collect()
}

#[test]
fn the_script_is_short_enough_to_be_read() {
    assert!(std::fs::read_to_string(SCRIPT).unwrap().lines().count() <= 150);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_script_recomputes_the_chain_of_an_archive() {
    let shop = busy_shop().await;
    let mut records = shop.records().await;
    // What does not count is in an archive as well.
    let (copy, claim) = (records[0][9].clone(), records[0][1].clone());
    records[0].insert(12, copy);
    records[0].push(claim);
    let directory = tempfile::tempdir().unwrap();
    export_small(log_of(&records), directory.path()).await;
    let output = script(directory.path());
    assert!(output.status.success(), "{}", said(&output));
    for content in &Manifest::load(directory.path()).unwrap().contents {
        assert!(said(&output).contains(&content.head.hash.to_string()), "{}", said(&output));
    }
    assert!(said(&output).contains("2 void"), "{}", said(&output));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_script_ends_with_3_at_what_was_tampered_with() {
    let shop = busy_shop().await;
    let directory = tempfile::tempdir().unwrap();
    export_small(Arc::new(shop.log.clone()), directory.path()).await;
    let manifest = Manifest::load(directory.path()).unwrap();
    let segment = &manifest.contents[1].segments[1];
    let (path, listed) = (directory.path().join(&segment.file), directory.path().join(MANIFEST));
    let (good, text) = (std::fs::read(&path).unwrap(), std::fs::read_to_string(&listed).unwrap());
    let resealed = |bytes: &[u8]| {
        // Somebody who changes a segment may also change what the manifest says of it.
        let digest = stockledger_schemas::Hash::of(&[bytes]).to_string();
        std::fs::write(&listed, text.replace(&segment.sha256.to_string(), &digest)).unwrap();
        std::fs::write(&path, bytes).unwrap();
    };
    let length = usize::try_from(u32::from_le_bytes(good[40..44].try_into().unwrap())).unwrap();
    let mut damaged = good.clone();
    damaged[44 + length - 1] ^= 1;
    std::fs::write(&path, &damaged).unwrap();
    assert_fails(directory.path(), "SHA-256");
    resealed(&damaged);
    assert_fails(directory.path(), "checksum");
    repair(&mut damaged[44..44 + length]);
    resealed(&damaged);
    assert_fails(directory.path(), "chain");
    resealed(&good);
    assert!(script(directory.path()).status.success());
    std::fs::remove_file(&path).unwrap();
    assert_fails(directory.path(), &segment.file);
}

fn assert_fails(directory: &Path, part: &str) {
    let output = script(directory);
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    assert!(said(&output).contains(part), "{part} is not in: {}", said(&output));
}
