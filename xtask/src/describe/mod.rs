//! Holds the running program against its own description, as a stranger would: a client is generated from the description
//! and places an order, schemathesis sends whatever the description allows and whatever it forbids, and a Postman collection
//! that is made of it is carried out.
//!
//! The first two come from PyPI, at the versions that stand here, below `target/tools`. A server has a data directory of its own,
//! and an API key, so that no request shuts those after it out.

mod postman;
mod server;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};

use crate::report::say;
use crate::run::{cargo, to_success};
use server::Server;

const SCHEMATHESIS: &str = "schemathesis==4.32.5";
const CLIENT_GENERATOR: &str = "openapi-python-client==0.29.1";
/// Everything that both need, as it was when they were chosen.
const REQUIREMENTS: &str = include_str!("requirements.txt");

/// How long schemathesis sends requests at most, in seconds.
const SECONDS_MAX: &str = "60";
/// What it sends: the examples, then each parameter and member at its bounds and beyond. The same in every run, which random
/// requests would not be.
const PHASES: &str = "examples,coverage";
const SEED: &str = "1";

/// Proves that the program is as it describes itself.
pub(crate) fn run(root: &Path) -> Result<()> {
    let tools = tools(root)?;
    to_success(&mut cargo(root, &["build", "--release", "--package", "stockledger"]))?;
    let home = root.join("target/describe");
    if home.exists() {
        fs::remove_dir_all(&home).with_context(|| format!("clearing {}", home.display()))?;
    }
    fs::create_dir_all(&home).with_context(|| format!("making {}", home.display()))?;
    let program = root.join("target/release/stockledger");
    let server = Server::start(&program, &home)?;
    place_order(root, &tools, &home, &server)?;
    send_whatever(root, &tools, &home, &server)?;
    let home = home.join("postman");
    fs::create_dir_all(&home).with_context(|| format!("making {}", home.display()))?;
    postman::run(root, &home, &Server::start(&program, &home)?)
}

/// The directory of the tools, fetched if they are not there.
fn tools(root: &Path) -> Result<PathBuf> {
    let home = root.join("target/tools/describe");
    let stamp = home.join("requirements.txt");
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == REQUIREMENTS) {
        return Ok(home);
    }
    ensure!(
        REQUIREMENTS.contains(SCHEMATHESIS) && REQUIREMENTS.contains(CLIENT_GENERATOR),
        "requirements.txt has other versions"
    );
    say(&format!("fetching {SCHEMATHESIS} and {CLIENT_GENERATOR}"));
    fs::create_dir_all(&home).with_context(|| format!("making {}", home.display()))?;
    let wanted = root.join("xtask/src/describe/requirements.txt");
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--root-user-action=ignore"]);
    pip.args(["--no-deps", "--only-binary=:all:", "--upgrade", "--target"]);
    to_success(pip.arg(&home).arg("-r").arg(wanted))?;
    fs::write(&stamp, REQUIREMENTS).with_context(|| format!("writing {}", stamp.display()))?;
    Ok(home)
}

/// Python with the tools, in `home`.
fn python(tools: &Path, home: &Path) -> Command {
    let mut python = Command::new("python3");
    let path = std::env::var_os("PATH").unwrap_or_default();
    let programs = std::iter::once(tools.join("bin")).chain(std::env::split_paths(&path));
    if let Ok(path) = std::env::join_paths(programs) {
        python.env("PATH", path);
    }
    python.env("PYTHONPATH", tools).env("NO_COLOR", "1").current_dir(home).stdin(Stdio::null());
    python
}

/// Generates a client from what the server says of itself, and lets it place an order.
fn place_order(root: &Path, tools: &Path, home: &Path, server: &Server) -> Result<()> {
    let client = home.join("stockledger_client");
    let mut generate = python(tools, home);
    generate.args(["-m", "openapi_python_client", "generate", "--meta", "none", "--overwrite", "--url"]);
    generate.arg(format!("{}/openapi.json", server.url())).arg("--output-path").arg(&client);
    to_success(&mut generate)?;
    let mut order = python(tools, home);
    let paths = std::env::join_paths([tools, home]).context("joining the paths of Python")?;
    order.env("PYTHONPATH", paths).arg(root.join("xtask/src/describe/client.py"));
    // The token goes into no line that is shown.
    let done = order.args([server.url(), server.token()]).status().context("python3 does not start")?;
    ensure!(done.success(), "the generated client did not place its order: {done}");
    say("the generated client placed its order");
    Ok(())
}

/// Sends what the description allows and what it forbids. No answer may be a fault, or one that it does not say.
fn send_whatever(root: &Path, tools: &Path, home: &Path, server: &Server) -> Result<()> {
    let mut schemathesis = python(tools, home);
    schemathesis.args(["-m", "schemathesis.cli", "--config-file"]);
    schemathesis.arg(root.join("xtask/src/describe/schemathesis.toml"));
    schemathesis.args(["run", &format!("{}/openapi.json", server.url())]);
    schemathesis.args(["--phases", PHASES, "--max-time", SECONDS_MAX, "--seed", SEED]);
    schemathesis.args(["--no-color", "--warnings", "off"]);
    // A ledger refuses much that has the right form: who has no stock ships none. And bulk is no JSON.
    schemathesis.args(["--exclude-checks", "positive_data_acceptance", "--exclude-path", "/v1/bulk"]);
    schemathesis.args(["--header", &format!("Authorization: Bearer {}", server.token())]);
    let done = schemathesis.status().context("python3 does not start")?;
    ensure!(done.success(), "the program is not as it describes itself: {done}");
    Ok(())
}
