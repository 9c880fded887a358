//! A server of the real program, on a data directory and a port of its own, stopped when it is dropped.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use anyhow::{Context as _, Result, ensure};

use crate::run::{signal, to_success};

/// What its key may do: everything.
const SCOPES: [&str; 6] = ["admin", "stock:read", "stock:write", "order:place", "order:manage", "audit:read"];

/// A running server.
pub(super) struct Server {
    child: Child,
    /// Held open: what it says later has somewhere to go.
    _stdout: BufReader<ChildStdout>,
    url: String,
    token: String,
}

impl Server {
    /// Makes a ledger and a key below `home`, and serves it.
    pub(super) fn start(program: &Path, home: &Path) -> Result<Self> {
        let data: PathBuf = home.join("data");
        let command = || {
            let mut command = Command::new(program);
            command.arg("--data-dir").arg(&data).current_dir(home).stdin(Stdio::null());
            command
        };
        to_success(command().arg("init").stdout(Stdio::null()))?;
        let mut make_key = command();
        make_key.args(["keys", "create", "--name", "describe"]);
        make_key.args(SCOPES.iter().flat_map(|scope| ["--scope", scope]));
        let made = make_key.stderr(Stdio::null()).output().context("the program does not start")?;
        ensure!(made.status.success(), "no API key was made: {}", made.status);
        let token = String::from_utf8(made.stdout).context("a token is text")?.trim().to_owned();
        let mut serve = command();
        serve.args(["serve", "--listen", "127.0.0.1:0"]).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = serve.spawn().context("the program does not start")?;
        let mut stdout = BufReader::new(child.stdout.take().context("the server has no output")?);
        let url = announced(&mut stdout);
        let mut server = Self { child, _stdout: stdout, url: String::new(), token };
        server.url = url?;
        Ok(server)
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    pub(super) fn token(&self) -> &str {
        &self.token
    }
}

/// Where it answers, by its first line, which it prints when it does.
fn announced(stdout: &mut BufReader<ChildStdout>) -> Result<String> {
    let mut line = String::new();
    stdout.read_line(&mut line).context("reading what the server says")?;
    let url = line.split_whitespace().find(|word| word.starts_with("http://"));
    Ok(url.with_context(|| format!("the server does not say where it answers: {line}"))?.to_owned())
}

impl Drop for Server {
    fn drop(&mut self) {
        signal("TERM", &[self.child.id().to_string()]);
        let _ = self.child.wait();
    }
}
