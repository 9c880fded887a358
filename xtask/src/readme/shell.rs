//! One shell command with everything that it starts, in a process group of its own, stopped when it is dropped.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::run::signal;

/// How long a process may take to end by itself once it was asked to.
const STOP_TIME_MAX: Duration = Duration::from_secs(30);
const ANSWER_TIME_MAX: Duration = Duration::from_secs(2);

/// A running shell command.
pub(super) struct Shell {
    group: u32,
    exited: Receiver<io::Result<ExitStatus>>,
    ended: bool,
}

impl Shell {
    /// Starts a command in a directory.
    pub(super) fn start(shell: &str, directory: &Path) -> Result<Self> {
        let mut child = Command::new("sh")
            .args(["-c", shell])
            .current_dir(directory)
            .stdin(Stdio::null())
            .process_group(0)
            .spawn()
            .with_context(|| format!("`{shell}` does not start"))?;
        let group = child.id();
        let (tx, rx) = sync_channel(1);
        thread::spawn(move || tx.send(child.wait()));
        Ok(Self { group, exited: rx, ended: false })
    }

    /// How the command ended, or nothing if it still runs after this time.
    pub(super) fn exited_within(&mut self, time: Duration) -> Result<Option<ExitStatus>> {
        match self.exited.recv_timeout(time) {
            Ok(status) => {
                self.ended = true;
                Ok(Some(status.context("waiting for a command")?))
            }
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => bail!("the command was waited for twice"),
        }
    }

    fn signal(&self, name: &str) {
        signal(name, &[format!("-{}", self.group)]);
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        self.signal("TERM");
        let _ = self.exited_within(STOP_TIME_MAX);
        self.signal("KILL");
    }
}

/// Whether anything listens there.
pub(super) fn is_open(address: SocketAddr) -> bool {
    TcpStream::connect_timeout(&address, ANSWER_TIME_MAX).is_ok()
}

/// Whether a server there says on `/readyz` that it is ready.
pub(super) fn is_ready(address: SocketAddr) -> bool {
    ask_readyz(address).is_ok_and(|status_line| status_line.starts_with("HTTP/1.1 200"))
}

fn ask_readyz(address: SocketAddr) -> io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, ANSWER_TIME_MAX)?;
    stream.set_read_timeout(Some(ANSWER_TIME_MAX))?;
    stream.write_all(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut status = [0; 12];
    stream.read_exact(&mut status)?;
    Ok(String::from_utf8_lossy(&status).into_owned())
}
