//! Nothing that a task started outlives the task, however it ends: by itself, by Ctrl-C, by a signal that cannot be caught.
//!
//! A guarded task first runs itself again with a mark of this run in its environment, which every process inherits that
//! it starts. Then it starts a guard, a process that reads from a pipe which the task holds open and never writes to. The pipe
//! is closed when the task is gone. Then the guard ends every process that carries the mark, and stops the servers that
//! this run started. Processes are found in `/proc`, on Linux; elsewhere the guard stops servers only.

use std::env;
use std::fs;
use std::hash::{BuildHasher as _, RandomState};
use std::io::{self, Read as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{self, Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Error, Result};

use crate::report::say;
use crate::run::{process_ids, signal};
use crate::{services, wait};

/// The variable that holds the mark: the id of the process of the task, and something that no other run has.
pub(crate) const MARK: &str = "STOCKLEDGER_XTASK_RUN";

/// How long processes may take to end by themselves once they were asked to, and to be gone once they were ended.
const TERMINATE_TIME_MAX: Duration = Duration::from_secs(10);
const KILL_TIME_MAX: Duration = Duration::from_secs(10);

/// The mark of the run that this process is a part of, if it is.
pub(crate) fn mark() -> Option<String> {
    env::var(MARK).ok()
}

/// Does work of which nothing is left behind. It does not return before all is cleaned up.
pub(crate) fn guarded(work: impl FnOnce() -> Result<()>) -> Result<()> {
    match mark().filter(|mark| task_id(mark) == Some(process::id())) {
        Some(mark) => {
            let _guard = Guard::start(&mark)?;
            work()
        }
        None => Err(run_again_with_mark()),
    }
}

/// Replaces this process by itself with a mark. It returns only if that fails.
fn run_again_with_mark() -> Error {
    let mark = format!("{}-{:016x}", process::id(), RandomState::new().hash_one(0));
    let error = match env::current_exe() {
        Ok(program) => Command::new(program).args(env::args_os().skip(1)).env(MARK, mark).exec(),
        Err(error) => error,
    };
    Error::new(error).context("starting the task again under a guard")
}

/// The id of the process of the task that has this mark.
fn task_id(mark: &str) -> Option<u32> {
    mark.split('-').next()?.parse().ok()
}

struct Guard {
    process: Child,
}

impl Guard {
    /// In a process group of its own, so that Ctrl-C in a terminal does not end it too, and without the mark.
    fn start(mark: &str) -> Result<Self> {
        let program = env::current_exe().context("finding the program of this task")?;
        let mut command = Command::new(program);
        command.args(["guard", mark]).env_remove(MARK).process_group(0);
        let process = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn();
        Ok(Self { process: process.context("starting the guard of this task")? })
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        if let Err(error) = self.process.wait() {
            say(&format!("warning: waiting for the guard of this task: {error}"));
        }
    }
}

/// What the guard does: waits for the end of the task, then cleans up.
pub(crate) fn watch(root: &Path, mark: &str) -> Result<()> {
    let mut nothing = vec![];
    io::stdin().read_to_end(&mut nothing).context("waiting for the end of the task")?;
    end_processes(mark, TERMINATE_TIME_MAX);
    services::stop_of_run(root, mark)
}

/// Asks the processes of a run to end, and ends those that do not in time.
fn end_processes(mark: &str, terminate_time_max: Duration) {
    let found = marked_processes(mark);
    if found.is_empty() {
        return;
    }
    say(&format!("ending {} processes that are left", found.len()));
    let are_gone = |signal_name: &str, time_max| {
        signal_all(signal_name, mark);
        wait::until(time_max, || marked_processes(mark).is_empty())
    };
    if !are_gone("TERM", terminate_time_max) && !are_gone("KILL", KILL_TIME_MAX) {
        say(&format!("warning: these processes do not end: {:?}", marked_processes(mark)));
    }
}

fn signal_all(name: &str, mark: &str) {
    let targets: Vec<String> = marked_processes(mark).iter().map(u32::to_string).collect();
    signal(name, &targets);
}

/// Processes that carry the mark, but for the task itself, which may be waiting for its guard.
fn marked_processes(mark: &str) -> Vec<u32> {
    let variable = format!("{MARK}={mark}");
    let is_marked = |id: &u32| {
        // Unreadable is what belongs to others, empty what has ended.
        let environment = fs::read(format!("/proc/{id}/environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|entry| entry == variable.as_bytes())
    };
    let others = process_ids().into_iter().filter(|id| task_id(mark) != Some(*id));
    others.filter(is_marked).collect()
}

#[cfg(test)]
mod tests {
    use super::{Command, Duration, MARK, end_processes, marked_processes, task_id, wait};
    use std::os::unix::process::CommandExt as _;
    use std::process::{Child, Stdio};

    fn shell(mark: &str, script: &str) -> Child {
        let mut command = Command::new("sh");
        command.args(["-c", script]).env(MARK, mark).process_group(0).stdin(Stdio::piped());
        command.spawn().unwrap()
    }

    #[test]
    fn ends_what_carries_the_mark_and_nothing_else() {
        let mark = format!("0-{}-own", std::process::id());
        // The second one starts another process and does not end when it is asked to.
        let mut ours =
            [shell(&mark, "read line"), shell(&mark, "trap '' TERM; sh -c 'read line'; read line")];
        let mut foreign = shell(&format!("{mark}er"), "read line");
        assert!(wait::until(Duration::from_secs(30), || marked_processes(&mark).len() == 3));
        end_processes(&mark, Duration::from_millis(200));
        assert!(marked_processes(&mark).is_empty());
        assert!(ours.iter_mut().all(|child| !child.wait().unwrap().success()));
        assert_eq!(foreign.try_wait().unwrap(), None);
        drop(foreign.stdin.take());
        foreign.wait().unwrap();
    }

    #[test]
    fn a_mark_names_the_process_of_its_task() {
        assert_eq!(task_id("4711-00ab"), Some(4_711));
        assert_eq!(task_id("not one of ours"), None);
        let ours = format!("{}-x", std::process::id());
        assert!(!marked_processes(&ours).contains(&std::process::id()));
    }
}
