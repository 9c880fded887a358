//! One process of the program, looked after as a supervisor does: what ends without being told to is started again.

use std::fs::File;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::run::signal;
use crate::{guard, wait};

/// How soon a process that ended by itself is started again.
const RESTART_AFTER: Duration = Duration::from_millis(500);
/// The program promises to end in order within this.
const TERMINATE_TIME_MAX: Duration = Duration::from_secs(30);
/// Not reachable or not ready: what a start says while a server is away.
const NOT_READY: i32 = 4;
const SIGTERM: i32 = 15;
/// Failed, for example because a disk is full.
const FAILED: i32 = 1;

/// A process that is to run.
pub(crate) struct Node {
    pub(crate) name: &'static str,
    pub(crate) url: String,
    program: PathBuf,
    arguments: Vec<String>,
    log: PathBuf,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    child: Option<Child>,
    /// Whether it is to run now.
    is_wanted: bool,
    /// By how many milliseconds its clock is wrong.
    skew_ms: i64,
    ends: Ends,
}

/// How often a process ended without being told to.
#[derive(Debug, Default, Clone)]
pub(crate) struct Ends {
    /// It said that something is away, or that it failed.
    pub(crate) passing: usize,
    /// Anything else: a set-up that it calls unsafe, a panic, a signal.
    pub(crate) wrong: Vec<String>,
}

impl Node {
    pub(crate) fn new(name: &'static str, port: u16, program: &Path, log: PathBuf) -> Self {
        let url = format!("http://127.0.0.1:{port}");
        let listen = format!("127.0.0.1:{port}");
        let arguments = ["serve", "--listen", &listen, "--node", name].map(ToOwned::to_owned).to_vec();
        Self { name, url, program: program.to_owned(), arguments, log, state: Mutex::default() }
    }

    pub(crate) fn with(mut self, arguments: impl IntoIterator<Item = String>) -> Self {
        self.arguments.extend(arguments);
        self
    }

    /// Starts it, or again if it does not run.
    pub(crate) fn start(&self) -> Result<()> {
        let mut state = self.state();
        state.is_wanted = true;
        if state.child.is_none() {
            state.child = Some(self.spawn(state.skew_ms)?);
        }
        Ok(())
    }

    /// Ends it at once, as a crash would; it stays away until it is started.
    pub(crate) fn kill(&self) -> Result<()> {
        let mut state = self.state();
        state.is_wanted = false;
        if let Some(mut child) = state.child.take() {
            child.kill().with_context(|| format!("killing {}", self.name))?;
            child.wait().with_context(|| format!("waiting for {}", self.name))?;
        }
        Ok(())
    }

    /// Asks it to end, and says whether it ended in order; it stays away until it is started.
    pub(crate) fn terminate(&self) -> Result<()> {
        let child = {
            let mut state = self.state();
            state.is_wanted = false;
            state.child.take()
        };
        let Some(mut child) = child else { return Ok(()) };
        signal("TERM", &[child.id().to_string()]);
        let mut status = None;
        let has_ended = wait::until(TERMINATE_TIME_MAX, || {
            status = child.try_wait().ok().flatten();
            status.is_some()
        });
        if !has_ended {
            child.kill().with_context(|| format!("killing {}", self.name))?;
            child.wait().with_context(|| format!("waiting for {}", self.name))?;
            bail!("{} did not end within {TERMINATE_TIME_MAX:?} of SIGTERM", self.name);
        }
        // A process that is still starting ends by the signal itself: it has nothing to bring to an end.
        let is_in_order = |status: &ExitStatus| status.success() || status.signal() == Some(SIGTERM);
        if let Some(status) = status.filter(|status| !is_in_order(status)) {
            self.state().ends.note(self.name, status);
        }
        Ok(())
    }

    /// Lets it stand still until [`Node::resume`].
    pub(crate) fn pause(&self) {
        self.signal("STOP");
    }

    pub(crate) fn resume(&self) {
        self.signal("CONT");
    }

    /// From its next start on its clock is wrong by so much.
    pub(crate) fn set_skew(&self, milliseconds: i64) {
        self.state().skew_ms = milliseconds;
    }

    pub(crate) fn ends(&self) -> Ends {
        self.state().ends.clone()
    }

    /// Starts it again if it ended without being told to.
    fn look_after(&self) -> Result<()> {
        let mut state = self.state();
        let ended = match &mut state.child {
            Some(child) => child.try_wait().with_context(|| format!("looking after {}", self.name))?,
            None => None,
        };
        if let Some(status) = ended {
            state.ends.note(self.name, status);
            state.child = None;
            drop(state);
            thread::park_timeout(RESTART_AFTER);
            state = self.state();
        }
        if state.is_wanted && state.child.is_none() {
            state.child = Some(self.spawn(state.skew_ms)?);
        }
        Ok(())
    }

    fn signal(&self, name: &str) {
        if let Some(child) = &self.state().child {
            signal(name, &[child.id().to_string()]);
        }
    }

    /// It is deaf to the settings of whoever runs this, but for the mark by which a guard finds it.
    fn spawn(&self, skew_ms: i64) -> Result<Child> {
        let log = File::options().create(true).append(true).open(&self.log);
        let log = log.with_context(|| format!("opening {}", self.log.display()))?;
        let mut command = program(&self.program);
        command.args(&self.arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        if skew_ms != 0 {
            command.env(CLOCK_OFFSET, skew_ms.to_string());
        }
        command.spawn().with_context(|| format!("`{}` does not start", self.program.display()))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ends {
    fn note(&mut self, name: &str, status: ExitStatus) {
        match status.code() {
            Some(FAILED | NOT_READY) => self.passing += 1,
            Some(code) => self.wrong.push(format!("{name} ended with exit code {code}")),
            None => self.wrong.push(format!("{name} ended by signal {:?}", status.signal())),
        }
    }
}

/// The program, deaf to the settings of whoever runs this.
pub(crate) fn program(path: &Path) -> Command {
    let mut command = Command::new(path);
    let ours = std::env::vars_os().map(|(name, _)| name);
    for name in ours.filter(|name| name.to_string_lossy().starts_with("STOCKLEDGER_") && name != guard::MARK)
    {
        command.env_remove(name);
    }
    command
}

/// The variable that makes the clock of the program wrong.
const CLOCK_OFFSET: &str = "STOCKLEDGER_CLOCK_OFFSET_MS";

/// Looks after nodes until it is dropped.
pub(crate) struct Supervisor {
    stop: Arc<AtomicBool>,
    watching: Option<JoinHandle<Result<()>>>,
}

impl Supervisor {
    pub(crate) fn start(nodes: Vec<Arc<Node>>) -> Self {
        let stop = Arc::<AtomicBool>::default();
        let stopped = stop.clone();
        let watching = thread::spawn(move || {
            while !stopped.load(Ordering::Acquire) {
                nodes.iter().try_for_each(|node| node.look_after())?;
                thread::park_timeout(Duration::from_millis(50));
            }
            Ok(())
        });
        Self { stop, watching: Some(watching) }
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        if let Some(Ok(Err(error))) = self.watching.take().map(JoinHandle::join) {
            crate::report::say(&format!("warning: {error:#}"));
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // What is left then is ended by the guard of the task.
        let _ = self.kill();
    }
}

#[cfg(test)]
mod tests {
    use super::{Duration, Node, Supervisor, wait};
    use std::path::Path;
    use std::sync::Arc;

    /// A "program" that notes its start and ends as it is told by a file, or waits.
    fn node(directory: &tempfile::TempDir, script: &str) -> Arc<Node> {
        let program = directory.path().join("program");
        std::fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
        let made = std::process::Command::new("chmod").arg("+x").arg(&program).status().unwrap();
        assert!(made.success());
        Arc::new(Node::new("a", 1, &program, directory.path().join("log")))
    }

    fn lines(path: &Path) -> usize {
        std::fs::read_to_string(path).map_or(0, |text| text.lines().count())
    }

    #[test]
    fn what_ends_by_itself_is_started_again_and_what_was_told_to_is_not() {
        let directory = tempfile::tempdir().unwrap();
        let node = node(&directory, "echo started >&2; exit 4");
        let supervisor = Supervisor::start(vec![node.clone()]);
        node.start().unwrap();
        let log = directory.path().join("log");
        assert!(wait::until(Duration::from_secs(30), || lines(&log) >= 2));
        node.kill().unwrap();
        assert!(node.ends().passing >= 1 && node.ends().wrong.is_empty());
        drop(supervisor);
        assert!(node.state().child.is_none());
    }

    #[test]
    fn an_end_that_no_fault_explains_is_wrong() {
        let directory = tempfile::tempdir().unwrap();
        let node = node(&directory, "exit 6");
        node.start().unwrap();
        assert!(wait::until(Duration::from_secs(30), || {
            node.look_after().unwrap();
            node.ends().wrong == ["a ended with exit code 6"]
        }));
        node.kill().unwrap();
    }
}
