//! The reader in Python, written from `FORMAT.md` alone, says of every golden file what its twin says.

use std::path::Path;
use std::process::{Command, Output};

use crate::golden;

/// What the reader said, or nothing where there is no Python. In CI there must be one.
fn run_reader(files: &[&Path]) -> Option<Output> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("verify_golden.py");
    let output = Command::new("python3").arg(script).args(files).output();
    if std::env::var_os("CI").is_some() {
        return Some(output.expect("python3 must be there where CI is set"));
    }
    output.ok()
}

#[test]
fn python_reads_every_golden_file_as_its_twin_says() {
    let Some(output) = run_reader(&[]) else { return };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let twins: String = golden::all().into_iter().map(|golden| golden.twin).collect();
    assert_eq!(String::from_utf8_lossy(&output.stdout), twins);
}

#[test]
fn python_refuses_a_damaged_record() {
    let mut bytes = golden::read("claim").bytes;
    *bytes.last_mut().expect("not empty") ^= 1;
    let damaged = Path::new(env!("CARGO_TARGET_TMPDIR")).join("damaged.bin");
    std::fs::write(&damaged, bytes).expect("the target directory is writable");
    let Some(output) = run_reader(&[&damaged]) else { return };
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("checksum"));
}
