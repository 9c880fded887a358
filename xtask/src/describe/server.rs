//! A server of the real program, on a data directory and a port of its own, stopped when it is dropped.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use crate::run::{signal, to_success};

/// What its key may do: everything.
const SCOPES: [&str; 6] = ["admin", "stock:read", "stock:write", "order:place", "order:manage", "audit:read"];

/// Longest time until it answers.
const START_TIME_MAX: Duration = Duration::from_secs(120);

/// A running server.
pub(super) struct Server {
    child: Child,
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
        serve.args(["serve", "--listen", "127.0.0.1:0"]).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = serve.spawn().context("the program does not start")?;
        let said = announced(child.stderr.take().context("the server has no output")?);
        let mut server = Self { child, url: String::new(), token };
        server.url = said.recv_timeout(START_TIME_MAX).context("the server does not say where it answers")?;
        Ok(server)
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    pub(super) fn token(&self) -> &str {
        &self.token
    }
}

/// Where it answers, as it says when it does. All that it says is read, so that it never waits for a reader.
fn announced(stderr: ChildStderr) -> Receiver<String> {
    let (tx, rx) = sync_channel(1);
    thread::spawn(move || {
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            let url = line.split_whitespace().find(|word| word.starts_with("http://"));
            if let (true, Some(url)) = (line.contains(" answers on "), url) {
                // Said once; who does not wait any more needs no answer.
                let _ = tx.try_send(url.to_owned());
            }
        }
    });
    rx
}

impl Drop for Server {
    fn drop(&mut self) {
        signal("TERM", &[self.child.id().to_string()]);
        let _ = self.child.wait();
    }
}
