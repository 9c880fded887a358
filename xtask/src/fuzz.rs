//! Throws bytes at whatever reads those of others, with libFuzzer. What must hold then stands in `xtask/fuzz/src`.
//!
//! It needs a nightly compiler and cargo-fuzz, which it does not install; on the stable compiler the tests of
//! `xtask/fuzz/tests` do the same with fewer bytes. What was found that is new is kept in a corpus below `target/`, and as
//! few inputs as reach the same code are kept in the repository.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::report::say;
use crate::run::to_success;

/// Largest input: bytes that reach anything new are found among small ones first.
const INPUT_BYTES_MAX: u32 = 4_096;
/// Largest single allocation, as in `stockledger_fuzz::MEMORY_BYTES_MAX`.
const ALLOCATION_MIB_MAX: u32 = 16;
const MEMORY_MIB_MAX: u32 = 1_024;
/// An input that takes longer has failed. It is time on the wall, so that one second is too little on a busy machine.
const INPUT_SECONDS_MAX: u32 = 5;

/// Fuzzes each of these targets, or all, for so long.
pub(crate) fn run(root: &Path, targets: &[String], seconds: u32) -> Result<()> {
    let known = known(root)?;
    for target in targets {
        ensure!(known.contains(target), "there is no target {target}: choose among {}", known.join(", "));
    }
    for target in if targets.is_empty() { &known } else { targets } {
        say(&format!("fuzzing {target} for {seconds} s"));
        fuzz(root, target, seconds)?;
    }
    Ok(())
}

/// The targets, by the corpora that are kept of them.
fn known(root: &Path) -> Result<Vec<String>> {
    let corpora = root.join("xtask/fuzz/corpus");
    let entries = fs::read_dir(&corpora).with_context(|| format!("reading {}", corpora.display()))?;
    let mut names: Vec<String> =
        entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
    names.sort();
    Ok(names)
}

fn fuzz(root: &Path, target: &str, seconds: u32) -> Result<()> {
    let kept = root.join("xtask/fuzz/corpus").join(target);
    let found = root.join("target/fuzz").join(target);
    fs::create_dir_all(&found).with_context(|| format!("making {}", found.display()))?;
    let limits = [
        format!("-max_total_time={seconds}"),
        format!("-max_len={INPUT_BYTES_MAX}"),
        format!("-malloc_limit_mb={ALLOCATION_MIB_MAX}"),
        format!("-rss_limit_mb={MEMORY_MIB_MAX}"),
        format!("-timeout={INPUT_SECONDS_MAX}"),
    ];
    let mut run = cargo_fuzz(root, "run");
    to_success(run.arg(target).arg(&found).arg(&kept).arg("--").args(limits))?;
    // Merging takes the smallest inputs first, and those that bring nothing new are left out.
    let mut merge = cargo_fuzz(root, "run");
    merge.arg(target).arg(&kept).arg(&found).args(["--", "-merge=1"]);
    to_success(merge.arg(format!("-max_len={INPUT_BYTES_MAX}")))
}

/// `cargo fuzz` of the nightly compiler. The cargo that runs this program is another, and would name its compiler.
fn cargo_fuzz(root: &Path, command: &str) -> Command {
    let mut cargo = Command::new("rustup");
    cargo.args(["run", "nightly", "cargo", "fuzz", command, "--fuzz-dir", "xtask/fuzz/targets"]);
    for variable in ["CARGO", "RUSTC", "RUSTUP_TOOLCHAIN"] {
        cargo.env_remove(variable);
    }
    cargo.current_dir(root);
    cargo
}
