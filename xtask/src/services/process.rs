//! A server as a process of this machine. It outlives the task that started it and is found again by its id.
//!
//! An id is given to another process sooner or later, so nothing is signalled whose command line is not ours.

use std::fs::{self, File};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde::{Deserialize, Serialize};

use super::command::Command;
use crate::run::{process_ids, signal};
use crate::{guard, wait};

/// How long a server may take to end by itself, and how long the system may take to end it. The first is short: its data
/// are removed afterwards, and the last of three brokers would wait for the others much longer.
const TERMINATE_TIME_MAX: Duration = Duration::from_secs(10);
const KILL_TIME_MAX: Duration = Duration::from_secs(10);

/// A process that runs, did run, or will.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Process {
    command: Command,
    log: PathBuf,
    /// None before the first start.
    pid: Option<u32>,
}

impl Process {
    pub(super) fn new(command: Command, log: PathBuf) -> Self {
        Self { command, log, pid: None }
    }

    /// Starts it in a process group of its own: what ends the task in a terminal does not end the server. It does not carry
    /// the mark of a run either, since a run may restart servers that are not its own.
    pub(super) fn start(&mut self) -> Result<()> {
        let program = self.command.program.display();
        let log = File::options().create(true).append(true).open(&self.log);
        let log = log.with_context(|| format!("opening {}", self.log.display()))?;
        let errors = log.try_clone().context("opening a log twice")?;
        let mut command = self.command.to_process();
        command.stdin(Stdio::null()).stdout(log).stderr(errors).process_group(0).env_remove(guard::MARK);
        let mut child = command.spawn().with_context(|| format!("`{program}` does not start"))?;
        self.pid = Some(child.id());
        // Takes note of its end, if that comes before ours: it would stay in the table of processes.
        thread::spawn(move || child.wait());
        Ok(())
    }

    pub(super) fn is_running(&self) -> bool {
        self.running_pid().is_some()
    }

    /// Asks the process to end, if it runs.
    pub(super) fn ask_to_stop(&self) {
        self.signal("TERM");
    }

    /// Waits until the process has ended, and ends it if it does not in time.
    pub(super) fn stop(&self) -> Result<()> {
        self.ask_to_stop();
        if wait::until(TERMINATE_TIME_MAX, || !self.is_running()) {
            return Ok(());
        }
        self.kill()
    }

    /// Ends the process at once, as a crash would, and returns when it is gone.
    pub(super) fn kill(&self) -> Result<()> {
        let Some(pid) = self.running_pid() else { return Ok(()) };
        signal("KILL", &[pid.to_string()]);
        let is_gone = || !self.is_running() && has_let_go(pid);
        ensure!(wait::until(KILL_TIME_MAX, is_gone), "{} does not end", self.description());
        Ok(())
    }

    /// Lets it stand still, as a machine that is overloaded or being moved: it keeps everything and does nothing.
    pub(super) fn pause(&self) {
        self.signal("STOP");
    }

    /// Ends [`Process::pause`].
    pub(super) fn resume(&self) {
        self.signal("CONT");
    }

    pub(super) fn description(&self) -> String {
        let log = self.log.display();
        self.pid.map_or_else(|| format!("not started, log {log}"), |pid| format!("process {pid}, log {log}"))
    }

    pub(super) fn log(&self) -> String {
        fs::read(&self.log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }

    /// A task that was killed may have started the process and not have noted its id: then the process is looked for.
    fn running_pid(&self) -> Option<u32> {
        let is_it = |pid: &u32| {
            // A process that ended and was not waited for has an empty command line.
            fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| self.command.is_run_by(&line))
        };
        self.pid.filter(is_it).or_else(|| process_ids().into_iter().find(is_it))
    }

    fn signal(&self, name: &str) {
        if let Some(pid) = self.running_pid() {
            signal(name, &[pid.to_string()]);
        }
    }
}

/// Whether a process that is being killed holds no file and no lock any more: they are kept until its last thread is gone,
/// when its command line is empty already. What is left then has one thread, and waits to be waited for.
fn has_let_go(pid: u32) -> bool {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).map_or(0, Iterator::count);
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat.rsplit(") ").next().and_then(|rest| rest.chars().next());
    threads == 0 || (threads == 1 && matches!(state, Some('Z' | 'X') | None))
}

#[cfg(test)]
mod tests {
    use super::{Command, Process, wait};
    use std::time::Duration;

    fn shell(directory: &tempfile::TempDir, script: &str) -> Process {
        let mark = directory.path().display().to_string();
        Process::new(Command::new("sh").with(["-c", script, &mark]), directory.path().join("log"))
    }

    #[test]
    fn stops_a_process_and_keeps_what_it_said() {
        let directory = tempfile::tempdir().unwrap();
        // To open a pipe that nobody writes to takes for ever.
        let mut process = shell(&directory, "mkfifo \"$0/pipe\" && echo hello && read line < \"$0/pipe\"");
        assert!(!process.is_running());
        process.start().unwrap();
        assert!(wait::until(Duration::from_secs(30), || process.log() == "hello\n"));
        assert!(process.is_running());
        process.stop().unwrap();
        assert!(!process.is_running());
        process.stop().unwrap();
    }

    #[test]
    fn finds_a_process_whose_id_was_not_noted() {
        let directory = tempfile::tempdir().unwrap();
        let script = "mkfifo \"$0/pipe\" && echo hello && read line < \"$0/pipe\"";
        let mut process = shell(&directory, script);
        process.start().unwrap();
        let forgotten = shell(&directory, script);
        assert!(wait::until(Duration::from_secs(30), || forgotten.is_running()));
        forgotten.kill().unwrap();
        assert!(!process.is_running());
    }

    #[test]
    fn does_not_signal_a_stranger_with_the_same_id() {
        let directory = tempfile::tempdir().unwrap();
        let ours = std::process::id();
        let process = Process { pid: Some(ours), ..shell(&directory, "true") };
        assert!(!process.is_running());
        // A signal would end this very test.
        process.stop().unwrap();
    }
}
