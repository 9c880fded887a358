//! `cargo xtask sim`: the deterministic simulation, built as the tests are.

use std::path::Path;
use std::process::Command;

use anyhow::Result;

use crate::run::{FEATURES, cargo, to_success};

/// Seeds that `cargo xtask test` runs.
const SEEDS: &str = "5000";

/// Runs the simulation with these arguments.
pub(crate) fn run(root: &Path, arguments: &[String]) -> Result<()> {
    // As the tests are built, so that nothing is compiled twice.
    let build = ["build", "--release", "--workspace", "--features", FEATURES, "--bin", "stockledger-sim"];
    to_success(&mut cargo(root, &build))?;
    to_success(Command::new(root.join("target/release/stockledger-sim")).args(arguments))
}

/// What the test command proves: a sample comes out right, came across everything, and notices every broken rule.
pub(crate) fn prove(root: &Path) -> Result<()> {
    run(root, &["--seeds", SEEDS, "--marks", "--rules"].map(str::to_owned))
}
