//! `cargo xtask services`: the real servers that tests need, started on this machine and stopped again.
//!
//! Three ways, in this order: an address given in the environment wins and nothing is started; where Docker answers and has
//! the image, a container; else a process of a published package, unpacked below `target/services/`. The system stays as it
//! is, but for Java, Maven, kcat, promtool, npm and a browser, which are installed where that is possible. Each server listens on a free loopback port.
//!
//! Every server goes on until `down`, or until the test run that started it ends. Tests of faults kill servers of their own, see
//! `fault`; no other test may use these, and one such test at a time uses each.
//!
//! What runs stands in `state`, how a server is prepared in `kafka` and `sql`, what runs it in `process` and `container`,
//! and how it shows that it answers in `probe`. Tests use [`Running`]; it stops what it started.

mod command;
pub(crate) mod compose;
mod container;
mod debian;
pub(crate) mod fault;
mod kafka;
mod kind;
mod member;
mod ports;
mod probe;
mod process;
mod sql;
mod state;
mod tools;

use std::io::{self, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use clap::Subcommand;

use crate::report::{duration, say};
use crate::{guard, wait};
pub(crate) use kind::Kind;
use kind::Product;
use member::Member;
pub(crate) use ports::Ports;
pub(crate) use state::Detour;
use state::{Service, State};
pub(crate) use tools::{ensure_browser, ensure_kcat, ensure_npm, ensure_promtool};

/// How long a server may take until it answers. On a machine that is busy with tests, three brokers need most of it.
const START_TIME_MAX: Duration = Duration::from_secs(180);
/// How much of a server's log is shown when it does not start.
const LOG_LINES_SHOWN: usize = 20;

/// The variable that tells tests of faults which program kills servers and starts them again.
pub(crate) const PROGRAM_VARIABLE: &str = "STOCKLEDGER_TEST_SERVICES";

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
    /// Kill a server as a crash would, and return when it is gone
    Kill {
        kind: Kind,
        /// Which broker of several, from 1; all if it is left out
        number: Option<usize>,
    },
    /// Let a server stand still as if the machine did: it answers nobody and forgets nothing
    Pause {
        kind: Kind,
        /// Which broker of several, from 1; all if it is left out
        number: Option<usize>,
    },
    /// Let a server go on that was paused
    Resume {
        kind: Kind,
        /// Which broker of several, from 1; all if it is left out
        number: Option<usize>,
    },
    /// Start a server again that was killed, at its port and with its data, and return when it answers
    Start {
        kind: Kind,
        /// Which broker of several, from 1; all that do not run if it is left out
        number: Option<usize>,
    },
}

/// Performs an action of the command line.
pub(crate) fn run(root: &Path, action: Action) -> Result<()> {
    match action {
        Action::Up { kinds } => up(root, &named_or_all(kinds)),
        Action::Down { kinds } => down(root, &named_or_all(kinds)),
        Action::Status { kinds } => status(root, &named_or_all(kinds)),
        Action::Kill { kind, number } => fault::kill(root, kind, number),
        Action::Pause { kind, number } => fault::pause(root, kind, number),
        Action::Resume { kind, number } => fault::resume(root, kind, number),
        Action::Start { kind, number } => fault::start(root, kind, number),
    }
}

/// The path of this program, for tests that call it.
pub(crate) fn program() -> Result<String> {
    let program = std::env::current_exe().context("finding the program of this task")?;
    program.to_str().map(ToOwned::to_owned).with_context(|| format!("{} is no UTF-8", program.display()))
}

/// Stops what a run started and, since it was killed, did not stop itself.
pub(crate) fn stop_of_run(root: &Path, mark: &str) -> Result<()> {
    // An engine that does not answer must not keep the servers running.
    let containers = compose::remove_of_run(root, mark);
    let mut state = State::open(root)?;
    let left = state.of_run(mark);
    left.into_iter().try_for_each(|kind| stop(&mut state, kind))?;
    containers
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
    writeln!(output, "{PROGRAM_VARIABLE}={}", program()?).context("printing the path of this program")?;
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
        let mut preparation = Preparation { ports: Ports::new(), images: vec![] };
        for kind in kinds {
            let address = match kind.given_address() {
                Some(address) => given(*kind, address),
                None => self.launch(&mut state, *kind, &mut preparation)?,
            };
            self.addresses.push((*kind, address));
        }
        for kind in &self.started {
            wait_until_it_answers(&state, *kind)?;
        }
        Ok(())
    }

    /// Starts what does not run of one service: all of it, or what died since it was started.
    fn launch(&mut self, state: &mut State, kind: Kind, preparation: &mut Preparation) -> Result<String> {
        if state.find(kind).is_none() {
            let service = preparation.prepare(state, kind).with_context(|| format!("preparing {kind}"))?;
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
        // Ours to stop from now on, also if another task prepared it.
        state.change(kind, |service| {
            service.run = guard::mark();
            Ok(())
        })?;
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

/// What the services that are made in one go have in common.
struct Preparation {
    ports: Ports,
    /// Whether a container can be made of the image of a product, as far as that was found out: a pull takes time, also
    /// where it fails.
    images: Vec<(Product, bool)>,
}

impl Preparation {
    /// A service whose data is new and which was not started yet.
    fn prepare(&mut self, state: &State, kind: Kind) -> Result<Service> {
        let places = state.places();
        places.clear(kind)?;
        let in_container = self.can_be_in_container(kind.product());
        let form = if in_container { "a container" } else { "processes of its packages" };
        say(&format!("{kind}: preparing {form}"));
        let ports = &mut self.ports;
        match kind.product() {
            Product::Kafka if in_container => kafka::containers(kind, ports),
            Product::Kafka => kafka::processes(kind, places, ports),
            Product::Mysql | Product::Mariadb if in_container => sql::container(kind, places, ports),
            Product::Mysql | Product::Mariadb => sql::process(kind, places, ports),
        }
    }

    fn can_be_in_container(&mut self, product: Product) -> bool {
        if let Some((_, known)) = self.images.iter().find(|(known, _)| *known == product) {
            return *known;
        }
        let can_run = container::can_run(product.image());
        self.images.push((product, can_run));
        can_run
    }
}

/// What is waited for: the members of a server that have to go on while it comes to answer.
struct Waiting<'a> {
    kind: Kind,
    address: &'a str,
    members: &'a [Member],
}

fn wait_until_it_answers(state: &State, kind: Kind) -> Result<()> {
    let service = state.find(kind).context("a service that was just started")?;
    let address = &service.address;
    let began = Instant::now();
    wait_for(&Waiting { kind, address, members: &service.members }, || probe::answers(kind, address))?;
    say(&format!("{kind}: answers at {address} after {}", duration(began.elapsed())));
    Ok(())
}

fn wait_for(waiting: &Waiting, answers: impl Fn() -> bool) -> Result<()> {
    let Waiting { kind, address, members } = waiting;
    let mut dead = None;
    let answers = wait::until(START_TIME_MAX, || {
        dead = members.iter().find(|member| !member.is_running());
        dead.is_some() || answers()
    });
    if let Some(member) = dead {
        bail!(
            "{kind} ended before it answered ({})\n{}",
            member.description(),
            member.log_tail(LOG_LINES_SHOWN)
        );
    }
    if !answers {
        let logs: Vec<String> = members.iter().map(|member| member.log_tail(LOG_LINES_SHOWN)).collect();
        bail!("{kind} does not answer at {address} after {START_TIME_MAX:?}\n{}", logs.join("\n"));
    }
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
