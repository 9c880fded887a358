//! Nodes and the processes that run on them: the real writer and the real projector over simulated ports.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use stockledger_log::Log;
use stockledger_projections::{Activity, Progress, Projector, projector};
use stockledger_schemas::Name;
use stockledger_writer::{Environment, Ledger, Options, WriterState};
use tokio_util::sync::CancellationToken;

use crate::environment::{Machine, SimEnvironment};
use crate::faults::Kind;
use crate::gate::Gate;
use crate::mark::Mark;
use crate::store::MemoryStore;
use crate::tables::SimStore;
use crate::wire::SimLog;
use crate::world::World;

/// How soon a start that failed for a passing reason is tried again.
const START_AGAIN_AFTER: Duration = Duration::from_millis(500);

/// What processes of one run have in common.
#[derive(Clone)]
pub struct Site {
    /// The world.
    pub world: World,
    /// The tables.
    pub tables: MemoryStore,
    /// How every writer is set up.
    pub options: Options,
}

/// One process.
pub struct Process {
    /// Which one, counted over all nodes.
    pub number: usize,
    /// On which node it runs.
    pub node: usize,
    /// Its life.
    pub gate: Arc<Gate>,
    /// What of its node outlives it.
    pub machine: Arc<Machine>,
    ledger: OnceLock<Ledger>,
    progress: OnceLock<Progress>,
    refused: Mutex<Option<String>>,
}

impl Site {
    /// Starts a process on a node. It comes up by itself, as far as it can.
    #[must_use]
    pub fn start(&self, number: usize, node: usize, machine: Arc<Machine>) -> Arc<Process> {
        let process = Arc::new(Process {
            number,
            node,
            gate: Arc::default(),
            machine,
            ledger: OnceLock::new(),
            progress: OnceLock::new(),
            refused: Mutex::new(None),
        });
        self.world.tell(format_args!("process {number} starts on node {node}"));
        tokio::spawn(write(self.clone(), process.clone()));
        tokio::spawn(project(self.clone(), process.clone()));
        process
    }

    /// The log as a process sees it.
    #[must_use]
    pub fn log(&self, process: &Process) -> Arc<dyn Log> {
        Arc::new(SimLog::new(self.world.clone(), process.gate.clone(), process.number))
    }

    /// The tables as a process sees them.
    #[must_use]
    pub fn store(&self, process: &Process) -> Arc<SimStore> {
        Arc::new(SimStore::new(self.world.clone(), process.gate.clone(), self.tables.clone()))
    }

    /// Clock, chance and files of a process.
    #[must_use]
    pub fn environment(&self, process: &Process) -> SimEnvironment {
        SimEnvironment::new(self.world.clone(), process.machine.clone(), process.gate.clone())
    }
}

impl Process {
    /// The writers, once they run.
    pub fn ledger(&self) -> Option<&Ledger> {
        self.ledger.get()
    }

    /// How far the projector is, once it runs.
    pub fn progress(&self) -> Option<&Progress> {
        self.progress.get()
    }

    /// Why it did not start, if it refused to.
    pub fn refused(&self) -> Option<String> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn refuse(&self, world: &World, reason: String) {
        world.tell(format_args!("process {} refuses to start: {reason}", self.number));
        world.mark(Mark::StartRefused);
        *self.refused.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason);
    }

    /// Why some partition of it does not go on, by partition: of the writers first, then of the projector.
    pub fn halts(&self) -> Vec<(u16, String)> {
        let mut halts = Vec::new();
        for status in self.ledger().map(Ledger::status).unwrap_or_default() {
            if let WriterState::Halted { reason } = status.writer {
                halts.push((status.partition.0, reason));
            }
        }
        for status in self.progress().map(Progress::all).unwrap_or_default() {
            if let Activity::Halted { reason } = &status.activity {
                halts.push((status.position.partition.0, reason.to_string()));
            }
        }
        halts
    }
}

/// Brings the writers up.
async fn write(site: Site, process: Arc<Process>) {
    let log = site.log(&process);
    let environment: Arc<dyn Environment> = Arc::new(site.environment(&process));
    loop {
        let options = Options {
            node: Name::new(format!("node-{}", process.node)).expect("a name"),
            snapshots: Some(PathBuf::from("/snapshots")),
            ..site.options.clone()
        };
        match Ledger::start(log.clone(), environment.clone(), options).await {
            Ok(ledger) => {
                let _ = process.ledger.set(ledger);
                return;
            }
            Err(error) if error.is_passing() => tokio::time::sleep(START_AGAIN_AFTER).await,
            Err(error) => return process.refuse(&site.world, stockledger_log::Causes(&error).to_string()),
        }
    }
}

/// Brings the projector up.
async fn project(site: Site, process: Arc<Process>) {
    let (log, store, environment) = (site.log(&process), site.store(&process), site.environment(&process));
    loop {
        let (options, now) = (projector::Options::default(), environment.now());
        let cancel = CancellationToken::new();
        match Projector::start(log.clone(), store.clone(), options, now, cancel).await {
            Ok(projector) => {
                let _ = process.progress.set(projector.progress());
                return;
            }
            Err(error) if error.is_retryable() => tokio::time::sleep(START_AGAIN_AFTER).await,
            Err(error) => return process.refuse(&site.world, stockledger_log::Causes(&error).to_string()),
        }
    }
}

/// What a reason that somebody stopped for tells.
#[must_use]
pub fn mark_of_halt(reason: &str) -> Option<Mark> {
    if reason.contains("clock of this node") {
        return Some(Mark::ClockRefused);
    }
    if reason.contains("upgrade this program") {
        return Some(Mark::StoppedAtNewerFormat);
    }
    if reason.contains("but the chain stands at") {
        return Some(Mark::StoppedAtBrokenChain);
    }
    if reason.contains("damaged") || reason.contains("not a stockledger record") {
        return Some(Mark::StoppedAtChangedRecord);
    }
    (reason.contains("ends at offset") || reason.contains("lost records"))
        .then_some(Mark::StoppedAtShorterLog)
}

/// Whether faults of a kind are possible that make a process stop for good.
#[must_use]
pub fn may_halt(world: &World, reason: &str) -> bool {
    let inner = world.lock();
    inner.faults.harms_the_log() || (inner.faults.has(Kind::Clocks) && reason.contains("clock of this node"))
}
