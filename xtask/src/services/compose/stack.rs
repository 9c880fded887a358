//! The services of docker-compose.yml under a project name, an image name and ports that nobody else has: a stack that
//! somebody uses is never touched. It is removed by the guard of the run, however that ends.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use super::super::Ports;
use super::super::tools::succeed;
use super::compose;
use crate::report::{duration, say};
use crate::run::to_success;
use crate::{guard, wait};

/// Our image, so that the one of a stack in use keeps its name. It stays: the next run begins with it.
const IMAGE: &str = "stockledger:proof";
/// `release` is built in half the time of what people are given, of the same source.
const BUILD: [&str; 4] = ["build", "--build-arg", "PROFILE=release", "stockledger"];
/// What the file takes as ports. Those of profiles that are not brought up are taken too, and cost nothing.
const PORTS: [&str; 6] = [
    "STOCKLEDGER_PORT",
    "STOCKLEDGER_KAFKA_PORT",
    "STOCKLEDGER_MYSQL_PORT",
    "STOCKLEDGER_KAFKA_UI_PORT",
    "STOCKLEDGER_PROMETHEUS_PORT",
    "STOCKLEDGER_GRAFANA_PORT",
];
/// Everything but the image, also of services that a profile brought.
const REMOVE: [&str; 4] = ["--profile", "*", "down", "--volumes"];
/// Five times the interval and the timeout of the health check of the image, and more.
const HEALTH_CHECKS_TIME_MAX: Duration = Duration::from_secs(90);
/// How much of what each container said is shown when something fails.
const LINES_SHOWN: &str = "10";

pub(super) struct Stack<'a> {
    root: &'a Path,
    project: String,
    /// Each variable of [`PORTS`] with its port.
    ports: Vec<(&'static str, u16)>,
}

impl<'a> Stack<'a> {
    /// That of this run. Nothing is started.
    pub(super) fn new(root: &'a Path) -> Result<Self> {
        let project = project(&guard::mark().context("a stack belongs to a guarded run")?);
        let mut free = Ports::new();
        let ports = PORTS.into_iter().map(|name| Ok((name, free.take()?))).collect::<Result<_>>()?;
        Ok(Self { root, project, ports })
    }

    /// Where the port of this variable of the file is published.
    pub(super) fn url(&self, variable: &str) -> Result<String> {
        let found = self.ports.iter().find(|(name, _)| *name == variable);
        let (_, port) = found.with_context(|| format!("{variable} is no port of docker-compose.yml"))?;
        Ok(format!("http://127.0.0.1:{port}"))
    }

    /// Builds the image from this source.
    pub(super) fn build(&self) -> Result<()> {
        let began = Instant::now();
        to_success(&mut self.command(&BUILD)?)?;
        say(&format!("the image is built after {}", duration(began.elapsed())));
        Ok(())
    }

    /// `up --wait`, which ends well only if all are healthy. Without names: the services of no profile.
    pub(super) fn up(&self, occasion: &str, services: &[String]) -> Result<()> {
        let began = Instant::now();
        let mut up = self.command(&["up", "--wait", "--no-build"])?;
        succeed(up.args(services)).with_context(|| format!("up --wait, {occasion}"))?;
        say(&format!("{occasion}: healthy after {}", duration(began.elapsed())));
        Ok(())
    }

    /// Ends a service as a crash of its container would.
    pub(super) fn kill(&self, service: &str) -> Result<()> {
        succeed(&mut self.command(&["kill", service])?).map(drop)
    }

    /// Waits until Docker has asked a service five times how it is, which is as many answers as it keeps: by then it calls
    /// sick what it ever would.
    pub(super) fn wait_for_health_checks(&self, service: &str) -> Result<()> {
        let before = self.health_checks(service)?;
        let are_new = || {
            let now = self.health_checks(service);
            now.is_ok_and(|now| !now.is_empty() && now.iter().all(|check| !before.contains(check)))
        };
        ensure!(wait::until(HEALTH_CHECKS_TIME_MAX, are_new), "nobody asks {service} how it is");
        Ok(())
    }

    /// When the last health checks of a service began.
    fn health_checks(&self, service: &str) -> Result<Vec<String>> {
        let id = succeed(&mut self.command(&["ps", "--quiet", service])?)?;
        let format = "{{range .State.Health.Log}}{{.Start.UnixNano}} {{end}}";
        let checks = succeed(Command::new("docker").args(["inspect", "--format", format, &id]))?;
        Ok(checks.split_whitespace().map(ToOwned::to_owned).collect())
    }

    /// A command of the program in a container of its own, beside those that run.
    pub(super) fn run(&self, arguments: &[&str]) -> Result<String> {
        let mut run = self.command(&["run", "--rm", "--no-deps", "--no-TTY", "stockledger"])?;
        succeed(run.args(arguments)).with_context(|| format!("`stockledger {}`", arguments.join(" ")))
    }

    /// The containers that run, each with the time of its start, so that one that was started again is another one.
    pub(super) fn containers(&self) -> Result<Vec<String>> {
        let ids = succeed(&mut self.command(&["ps", "--quiet"])?)?;
        let mut inspect = Command::new("docker");
        inspect.args(["inspect", "--format", "{{.Name}} {{.Id}} {{.State.StartedAt}}"]).args(ids.lines());
        let mut containers: Vec<String> = succeed(&mut inspect)?.lines().map(ToOwned::to_owned).collect();
        containers.sort_unstable();
        Ok(containers)
    }

    /// Stops and removes all but the data.
    pub(super) fn down(&self) -> Result<()> {
        succeed(&mut self.command(&["down"])?).map(drop)
    }

    /// Removes everything but the image, and fails if something is left.
    pub(super) fn remove(&self) -> Result<()> {
        succeed(&mut self.command(&REMOVE)?)?;
        let left = left(&self.project)?;
        ensure!(left.is_empty(), "`down --volumes` left {left:?}");
        Ok(())
    }

    /// The end of what the containers said.
    pub(super) fn logs(&self) -> String {
        let logs = self.command(&["logs", "--no-color", "--tail", LINES_SHOWN]);
        logs.and_then(|mut logs| succeed(&mut logs)).unwrap_or_else(|error| format!("{error:#}"))
    }

    fn command(&self, arguments: &[&str]) -> Result<Command> {
        let mut command = command(self.root, &self.project, arguments)?;
        command.envs(self.ports.iter().map(|(name, port)| (*name, port.to_string())));
        Ok(command)
    }
}

/// Removes what a run left, if there is an engine and it left anything.
pub(in super::super) fn remove_of_run(root: &Path, mark: &str) -> Result<()> {
    let project = project(mark);
    if left(&project).is_ok_and(|left| !left.is_empty()) {
        say(&format!("removing the containers and volumes of {project}"));
        let mut down = command(root, &project, &REMOVE)?;
        succeed(down.args(["--timeout", "0"])).context("removing what is left")?;
    }
    Ok(())
}

/// The name under which a run has its containers.
fn project(mark: &str) -> String {
    format!("stockledger-proof-{mark}")
}

/// Compose on the file, for a project.
fn command(root: &Path, project: &str, arguments: &[&str]) -> Result<Command> {
    let mut command = compose(root)?;
    command.current_dir(root).env("STOCKLEDGER_IMAGE", IMAGE).stdin(Stdio::null());
    command.args(["--progress", "plain", "--project-name", project]).args(arguments);
    Ok(command)
}

/// What the engine has of a project.
fn left(project: &str) -> Result<Vec<String>> {
    let label = format!("label=com.docker.compose.project={project}");
    let lists = [["container", "ls", "--all"].as_slice(), &["volume", "ls"], &["network", "ls"]];
    let mut left = vec![];
    for list in lists {
        let found = succeed(Command::new("docker").args(list).args(["--quiet", "--filter", &label]))?;
        left.extend(found.lines().map(ToOwned::to_owned));
    }
    Ok(left)
}
