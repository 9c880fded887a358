//! Runs cargo and says clearly when it fails; finds processes and signals them.

use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};

/// Every feature of ours but `kafka-tls`, which takes the development files of OpenSSL: with these everything is built and
/// tested, so that nothing is compiled twice.
pub(crate) const FEATURES: &str = "stockledger/fuzzing,stockledger-log/conformance,stockledger-projections/conformance,\
                                   stockledger-rules/breakable";

/// A cargo command in the workspace, by the cargo that runs this program.
pub(crate) fn cargo(root: &Path, arguments: &[&str]) -> Command {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let mut command = Command::new(cargo);
    command.args(arguments).current_dir(root);
    command
}

/// Runs a command to its end, with its output on the terminal.
pub(crate) fn to_success(command: &mut Command) -> Result<()> {
    let shown = shown(command);
    let status = command.status().with_context(|| format!("`{shown}` does not start"))?;
    ensure!(status.success(), "`{shown}` failed: {status}");
    Ok(())
}

/// The ids of all processes of the machine, as far as `/proc` tells.
pub(crate) fn process_ids() -> Vec<u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().filter_map(Result::ok);
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

/// Signals processes, or process groups with a `-` before them, by the shell's own `kill`: a bare machine may have no
/// other. That some ended meanwhile is no error.
pub(crate) fn signal(name: &str, targets: &[String]) {
    let kill = ["-c", "for target in \"$@\"; do kill -s \"$0\" -- \"$target\"; done", name];
    let _ = Command::new("sh").args(kill).args(targets).stderr(Stdio::null()).status();
}

fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or_default();
    let words = std::iter::once(program).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::{Command, to_success};

    #[test]
    fn a_failing_command_is_named_with_its_arguments() {
        let error = to_success(Command::new("/bin/sh").args(["-c", "exit 3"])).unwrap_err().to_string();
        assert!(error.contains("`sh -c exit 3` failed") && error.contains('3'), "{error}");
    }
}
