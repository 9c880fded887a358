//! A server in a container, for machines where Docker answers.

use std::process::{Command, Stdio};

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

use super::tools::succeed;
use crate::report::say;

/// Longest time in seconds that a server may take to end by itself.
const STOP_SECONDS_MAX: &str = "10";

/// A container that runs, did run, or will.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Container {
    name: String,
    /// What stands behind `docker run --detach --name NAME`.
    arguments: Vec<String>,
}

impl Container {
    pub(super) fn new(name: String, arguments: Vec<String>) -> Self {
        Self { name, arguments }
    }

    /// Starts it, again with its data if it was there before.
    pub(super) fn start(&self) -> Result<()> {
        let mut start = if self.exists()? {
            docker(["start", &self.name])
        } else {
            let mut run = docker(["run", "--detach", "--name", &self.name]);
            run.args(&self.arguments);
            run
        };
        succeed(&mut start).map(drop)
    }

    pub(super) fn is_running(&self) -> bool {
        let mut inspect = docker(["container", "inspect", "--format", "{{.State.Running}}", &self.name]);
        succeed(&mut inspect).is_ok_and(|running| running == "true")
    }

    /// Ends it at once, as a crash would. Its data stay.
    pub(super) fn kill(&self) -> Result<()> {
        succeed(&mut docker(["kill", "--signal", "KILL", &self.name])).map(drop)
    }

    /// Lets it stand still. It keeps everything and does nothing.
    pub(super) fn pause(&self) -> Result<()> {
        succeed(&mut docker(["pause", &self.name])).map(drop)
    }

    /// Ends [`Container::pause`]; no error for one that goes on already.
    pub(super) fn resume(&self) -> Result<()> {
        let mut inspect = docker(["container", "inspect", "--format", "{{.State.Paused}}", &self.name]);
        let is_paused = succeed(&mut inspect).is_ok_and(|paused| paused == "true");
        if is_paused { succeed(&mut docker(["unpause", &self.name])).map(drop) } else { Ok(()) }
    }

    /// Stops and removes it with its data.
    pub(super) fn stop(&self) -> Result<()> {
        if !self.exists()? {
            return Ok(());
        }
        succeed(&mut docker(["stop", "-t", STOP_SECONDS_MAX, &self.name]))?;
        succeed(&mut docker(["rm", "--force", "--volumes", &self.name])).map(drop)
    }

    pub(super) fn description(&self) -> String {
        format!("container {}", self.name)
    }

    pub(super) fn log(&self) -> String {
        let output = docker(["logs", &self.name]).output();
        output.map_or_else(|_| String::new(), |output| text(&output.stdout) + &text(&output.stderr))
    }

    /// Fails where the engine does not answer: then nobody knows.
    fn exists(&self) -> Result<bool> {
        let filter = format!("name=^/{}$", self.name);
        let found = succeed(&mut docker(["ps", "--all", "--quiet", "--filter", &filter]))?;
        Ok(!found.is_empty())
    }
}

/// Whether a Docker engine answers and has the image, or can have it.
pub(super) fn can_run(image: &str) -> bool {
    if !is_quiet_success(docker(["info"])) {
        return false;
    }
    if is_quiet_success(docker(["image", "inspect", image])) {
        return true;
    }
    say(&format!("pulling {image}"));
    let pulled =
        succeed(&mut docker(["pull", "--quiet", image])).context("Docker answers, but has no such image");
    pulled.map_err(|error| say(&format!("{error:#}"))).is_ok()
}

/// A network in which containers know each other by name. It stays: others may use it, and it costs nothing.
pub(super) fn ensure_network(name: &str) -> Result<()> {
    if is_quiet_success(docker(["network", "inspect", name])) {
        return Ok(());
    }
    succeed(&mut docker(["network", "create", name])).map(drop)
}

fn docker<const N: usize>(arguments: [&str; N]) -> Command {
    let mut command = Command::new("docker");
    command.args(arguments);
    command
}

fn is_quiet_success(mut command: Command) -> bool {
    let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    quiet.status().is_ok_and(|status| status.success())
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
