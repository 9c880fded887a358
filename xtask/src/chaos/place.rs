//! Where the ledger of a run is, and the program that looks at it with nothing in between.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

use super::node::program;
use crate::wait;

/// How long one command of the program may take that is run to its end.
const COMMAND_TIME_MAX: Duration = Duration::from_secs(180);

/// A log and tables of one run alone.
pub(crate) struct Place {
    pub(crate) program: PathBuf,
    /// Where all files of the run are.
    pub(crate) directory: PathBuf,
    pub(crate) log: String,
    pub(crate) tables: String,
}

impl Place {
    /// In the `target` directory, where the program must have been built.
    pub(crate) fn new(root: &Path, log: String, tables: String) -> Result<Self> {
        let (program, directory) = (root.join("target/release/stockledger"), root.join("target/chaos"));
        ensure!(program.exists(), "{} is not there: build it first", program.display());
        std::fs::create_dir_all(&directory).with_context(|| format!("creating {}", directory.display()))?;
        Ok(Self { program, directory, log, tables })
    }

    /// What every command is told. The first writer's directory holds the key of the ledger.
    pub(crate) fn settings(&self, node: &str, log: &str, tables: &str) -> Vec<String> {
        let data = self.directory.join(node).display().to_string();
        let settings =
            ["--data-dir", &data, "--log", log, "--projections", tables, "--profile", "production"];
        settings.map(ToOwned::to_owned).to_vec()
    }

    /// Runs the program to its end; what it printed as JSON.
    pub(crate) fn run(&self, arguments: &[&str]) -> Result<Value> {
        let shown = format!("stockledger {}", arguments.join(" "));
        let mut command = program(&self.program);
        command.args(arguments).args(self.settings("a", &self.log, &self.tables)).args(["--format", "json"]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().with_context(|| format!("`{shown}` does not start"))?;
        // What it prints is short and fits into the pipe.
        let has_ended = || child.try_wait().is_ok_and(|status| status.is_some());
        if !wait::until(COMMAND_TIME_MAX, has_ended) {
            child.kill().with_context(|| format!("killing `{shown}`"))?;
        }
        let output = child.wait_with_output().with_context(|| format!("waiting for `{shown}`"))?;
        let said = String::from_utf8_lossy(&output.stdout);
        if !output.status.success() {
            let complaint = String::from_utf8_lossy(&output.stderr);
            bail!("`{shown}` failed: {}\n{said}\n{complaint}", output.status);
        }
        serde_json::from_str(&said).with_context(|| format!("`{shown}` printed no JSON: {said}"))
    }
}
