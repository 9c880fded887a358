//! `cargo xtask services`: the real servers that tests need, started on this machine and stopped again.
//!
//! Three ways, in this order: an address given in the environment wins and nothing is started; where Docker answers and has
//! the image, a container; else a process of a published package, unpacked below `target/services/`. The system stays as it
//! is, but for Java and Maven, which are installed where that is possible. Each server listens on a free loopback port.
//!
//! What runs stands in `state`, how a server is prepared in `kafka` and `sql`, what runs it in `process` and `container`,
//! and how it shows that it answers in `probe`. Tests use [`Running`]; it stops what it started.

mod command;
mod container;
mod debian;
mod kafka;
mod kind;
mod member;
mod ports;
mod probe;
mod process;
mod sql;
mod state;
mod tools;
mod wait;

use std::io::{self, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use clap::Subcommand;

use crate::report::{duration, say};
pub(crate) use kind::Kind;
use member::Member;
use ports::Ports;
use state::{Service, State};

/// How long a server may take until it answers. On a machine that is busy with tests, three brokers need most of it.
const START_TIME_MAX: Duration = Duration::from_secs(180);
/// How much of a server's log is shown when it does not start.
const LOG_LINES_SHOWN: usize = 20;

/// What to do with the servers.
#[derive(Subcommand)]
pub(crate) enum Action {
    /// Start servers and print their addresses as NAME=ADDRESS, one a line
    Up {
        /// All, if none is named
        kinds: Vec<Kind>,
    },
    /// Stop servers and remove their data
    Down {
        /// All, if none is named
        kinds: Vec<Kind>,
    },
    /// Say what runs
    Status {
        /// All, if none is named
        kinds: Vec<Kind>,
    },
}

/// Performs an action of the command line.
pub(crate) fn run(root: &Path, action: Action) -> Result<()> {
    match action {
        Action::Up { kinds } => up(root, &named_or_all(kinds)),
        Action::Down { kinds } => down(root, &named_or_all(kinds)),
        Action::Status { kinds } => status(root, &named_or_all(kinds)),
    }
}

fn named_or_all(kinds: Vec<Kind>) -> Vec<Kind> {
    if kinds.is_empty() { Kind::ALL.to_vec() } else { kinds }
}

fn up(root: &Path, kinds: &[Kind]) -> Result<()> {
    let running = Running::start(root, kinds)?;
    let mut output = io::stdout().lock();
    for kind in kinds {
        writeln!(output, "{}={}", kind.variable(), running.address(*kind)?).context("printing an address")?;
    }
    running.keep();
    Ok(())
}

fn down(root: &Path, kinds: &[Kind]) -> Result<()> {
    let mut state = State::open(root)?;
    for kind in kinds {
        if state.find(*kind).is_some() {
            stop(&mut state, *kind)?;
        } else {
            say(&format!("{kind}: does not run"));
        }
    }
    Ok(())
}

fn status(root: &Path, kinds: &[Kind]) -> Result<()> {
    let state = State::open(root)?;
    for kind in kinds {
        say(&format!("{kind}: {}", standing(&state, *kind)));
    }
    Ok(())
}

fn standing(state: &State, kind: Kind) -> String {
    if let Some(address) = kind.given_address() {
        return format!("{address}, given by {}", kind.variable());
    }
    let Some(service) = state.find(kind) else {
        return "does not run".to_owned();
    };
    let (address, count) = (&service.address, service.members.len());
    let running = service.members.iter().filter(|member| member.is_running()).count();
    let members = service.members.iter().map(Member::description).collect::<Vec<_>>().join(", ");
    match running {
        _ if running < count => format!("{address}, broken: {running} of {count} run ({members})"),
        _ if probe::answers(kind, address) => format!("{address} ({members})"),
        _ => format!("{address}, runs but does not answer ({members})"),
    }
}

/// Servers that answer. When it is dropped, those that it had to start are stopped.
pub(crate) struct Running<'a> {
    root: &'a Path,
    addresses: Vec<(Kind, String)>,
    started: Vec<Kind>,
}

impl<'a> Running<'a> {
    /// Starts what does not run yet and waits until each server answers. If one fails, those that were started by this
    /// call are stopped again.
    pub(crate) fn start(root: &'a Path, kinds: &[Kind]) -> Result<Self> {
        let mut running = Self { root, addresses: vec![], started: vec![] };
        let outcome = running.start_all(kinds);
        outcome.map(|()| running)
    }

    /// Where the server of this kind answers, in the form of the variable of its name.
    pub(crate) fn address(&self, kind: Kind) -> Result<&str> {
        let found = self.addresses.iter().find(|(known, _)| *known == kind);
        found.map(|(_, address)| address.as_str()).with_context(|| format!("{kind} was not asked for"))
    }

    /// Leaves the servers running, for `down` to stop.
    pub(crate) fn keep(mut self) {
        self.started.clear();
    }

    /// All are launched before the first is waited for. The state is locked on the way, and free again before a failure
    /// drops `self`, which locks it to stop the servers.
    fn start_all(&mut self, kinds: &[Kind]) -> Result<()> {
        let mut state = State::open(self.root)?;
        let mut ports = Ports::new();
        for kind in kinds {
            let address = match kind.given_address() {
                Some(address) => given(*kind, address),
                None => self.launch(&mut state, *kind, &mut ports)?,
            };
            self.addresses.push((*kind, address));
        }
        for kind in &self.started {
            wait_until_it_answers(&state, *kind)?;
        }
        Ok(())
    }

    /// Starts what does not run of one service: all of it, or what died since it was started.
    fn launch(&mut self, state: &mut State, kind: Kind, ports: &mut Ports) -> Result<String> {
        if state.find(kind).is_none() {
            let service = prepare(state, kind, ports).with_context(|| format!("preparing {kind}"))?;
            state.put(service)?;
        }
        let service = state.find(kind).context("a service that was just prepared")?;
        let address = service.address.clone();
        let stopped: Vec<usize> =
            (0..service.members.len()).filter(|index| !service.members[*index].is_running()).collect();
        if stopped.is_empty() && probe::answers(kind, &address) {
            say(&format!("{kind}: runs already at {address}"));
            return Ok(address);
        }
        self.started.push(kind);
        for index in stopped {
            state.change(kind, |service| service.members[index].start())?;
        }
        Ok(address)
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        if self.started.is_empty() {
            return;
        }
        let stopped = State::open(self.root)
            .and_then(|mut state| self.started.iter().try_for_each(|kind| stop(&mut state, *kind)));
        if let Err(error) = stopped {
            say(&format!("warning: {error:#}"));
        }
    }
}

fn given(kind: Kind, address: String) -> String {
    say(&format!("{kind}: {address}, given by {}; nothing is started", kind.variable()));
    address
}

/// A service whose data is new and which was not started yet.
fn prepare(state: &State, kind: Kind, ports: &mut Ports) -> Result<Service> {
    let places = state.places();
    places.clear(kind)?;
    let in_container = container::can_run(kind.image());
    say(&format!(
        "{kind}: preparing {}",
        if in_container { "a container" } else { "processes of its packages" }
    ));
    match kind {
        Kind::Kafka | Kind::Kafka3 if in_container => kafka::containers(kind, ports),
        Kind::Kafka | Kind::Kafka3 => kafka::processes(kind, places, ports),
        Kind::Mysql | Kind::Mariadb if in_container => sql::container(kind, places, ports),
        Kind::Mysql | Kind::Mariadb => sql::process(kind, places, ports),
    }
}

fn wait_until_it_answers(state: &State, kind: Kind) -> Result<()> {
    let service = state.find(kind).context("a service that was just started")?;
    let began = Instant::now();
    let mut dead = None;
    let answers = wait::until(START_TIME_MAX, || {
        dead = service.members.iter().find(|member| !member.is_running());
        dead.is_some() || probe::answers(kind, &service.address)
    });
    if let Some(member) = dead {
        bail!(
            "{kind} ended before it answered ({})\n{}",
            member.description(),
            member.log_tail(LOG_LINES_SHOWN)
        );
    }
    if !answers {
        let logs: Vec<String> =
            service.members.iter().map(|member| member.log_tail(LOG_LINES_SHOWN)).collect();
        bail!("{kind} does not answer at {} after {START_TIME_MAX:?}\n{}", service.address, logs.join("\n"));
    }
    say(&format!("{kind}: answers at {} after {}", service.address, duration(began.elapsed())));
    Ok(())
}

/// Stops a service and removes its data.
fn stop(state: &mut State, kind: Kind) -> Result<()> {
    let Some(service) = state.find(kind) else {
        return Ok(());
    };
    // All at once: the three brokers of a cluster would wait for each other.
    service.members.iter().for_each(Member::ask_to_stop);
    for member in &service.members {
        member.stop().with_context(|| format!("stopping {kind}"))?;
    }
    state.remove(kind)?;
    state.places().clear(kind)?;
    say(&format!("{kind}: stopped"));
    Ok(())
}
