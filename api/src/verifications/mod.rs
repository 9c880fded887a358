//! A node that verifies its own history: now and then by itself, and when it is asked to, beside its other work.
//!
//! At most one verification runs in a process at a time. It goes through the whole log as `stockledger verify` does, on
//! one thread that rests three times as long as it works, holds it against whatever else remembers records
//! (`witnesses.rs`), and keeps what came of it in a file of the data directory. It decides nothing and stops nobody: what
//! is found is said, by the log of the program, by metrics, by the audit page and by `GET /v1/audit/verification`.

mod schedule;
mod witnesses;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use stockledger_audit::verify::{self, OnProgress, Options, Outcome, Pace, Progress, outcome};
use stockledger_log::{self as log, Causes, Log};
use stockledger_schemas::{LedgerId, PartitionId, Timestamp};
use stockledger_writer::{Environment, Ledger};
use tokio::task::{JoinHandle, spawn_blocking};
use tokio_util::sync::CancellationToken;

pub use self::schedule::{Every, InvalidEvery};
pub use self::witnesses::Witnesses;

/// A quarter of a core, whatever the machine has.
pub const PACE: Pace = Pace::Gentle { rests: 3 };

/// What a node verifies with.
pub struct Setup {
    /// Which ledger.
    pub ledger_id: LedgerId,
    /// Its log.
    pub log: Arc<dyn Log>,
    /// Where trees and checkpoints are kept, and what came of the last verification.
    pub directory: PathBuf,
    /// The clock.
    pub environment: Arc<dyn Environment>,
    /// The writers of this node. Without them it verifies nothing, and tells what another has left in the same directory.
    pub writer: Option<Ledger>,
    /// What remembers records of the log.
    pub witnesses: Witnesses,
    /// How long a log that is shorter than what is remembered of it is given to come back.
    pub patience: Duration,
    /// How fast.
    pub pace: Pace,
}

/// A cheap handle; clones are the same.
#[derive(Clone)]
pub struct Verifications(Arc<Parts>);

struct Parts {
    setup: Setup,
    path: PathBuf,
    cancel: CancellationToken,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    every: Option<Duration>,
    running: Option<Running>,
    last: Option<Arc<Outcome>>,
    unreadable: Option<String>,
    broken_off: Option<BrokenOff>,
}

struct Running {
    begun_at: Timestamp,
    done: Arc<Done>,
    task: JoinHandle<()>,
}

/// How far it is, by partition.
type Done = Mutex<BTreeMap<PartitionId, (u64, u64)>>;

/// A verification that did not come to its end.
#[derive(Debug, Clone, serde::Serialize)]
pub struct BrokenOff {
    /// When it began.
    pub begun_at: Timestamp,
    /// When it was given up.
    pub ended_at: Timestamp,
    /// Why, in short; the log of the program has the causes.
    pub reason: String,
}

/// A verification that is under way.
#[derive(Debug, Clone, Copy, serde::Serialize)]
pub struct UnderWay {
    /// When it began.
    pub begun_at: Timestamp,
    /// Records that were looked at.
    pub records_done: u64,
    /// Records that there were when it began.
    pub records_total: u64,
}

/// What is known of verifications at this moment.
#[derive(Debug, Clone)]
pub struct Standing {
    /// Whether this node is one that verifies.
    pub is_verifying_node: bool,
    /// Whether it is the one that does so by itself, at this moment.
    pub leads: bool,
    /// How often it does so by itself; nothing if it does not.
    pub every: Option<Duration>,
    /// The one that is under way.
    pub running: Option<UnderWay>,
    /// The last that came to its end.
    pub last: Option<Arc<Outcome>>,
    /// Why it is not known whether there was one before this process began.
    pub unreadable: Option<String>,
    /// The last of this process, if it did not come to its end.
    pub broken_off: Option<BrokenOff>,
}

/// Why a verification does not begin.
#[derive(Debug, Clone, Copy, thiserror::Error)]
pub enum Error {
    /// The node is not one that verifies.
    #[error("this node verifies nothing: ask one that plays the role writer")]
    NoWriter,
    /// One is not finished.
    #[error("a verification is running already, since {0}; its progress is in GET /v1/audit/verification")]
    Running(Timestamp),
}

impl Verifications {
    /// Reads what came of the last verification.
    #[must_use]
    pub fn open(setup: Setup) -> Self {
        let path = setup.directory.join(outcome::FILE);
        let mut state = State::default();
        match Outcome::load(&path, setup.ledger_id) {
            Ok(last) => state.last = last.map(Arc::new),
            Err(error) => {
                tracing::error!(error = %Causes(&error), "it is not known when the log was verified last");
                state.unreadable = Some(error.to_string());
            }
        }
        let (cancel, state) = (CancellationToken::new(), Mutex::new(state));
        Self(Arc::new(Parts { setup, path, cancel, state }))
    }

    /// Begins one and returns when it began; it goes on in the background.
    ///
    /// # Errors
    /// [`Error`].
    pub fn begin(&self) -> Result<Timestamp, Error> {
        if self.0.setup.writer.is_none() {
            return Err(Error::NoWriter);
        }
        let mut state = self.state();
        if let Some(running) = state.running.as_ref().filter(|running| !running.task.is_finished()) {
            return Err(Error::Running(running.begun_at));
        }
        let (begun_at, done) = (self.0.setup.environment.now(), Arc::<Done>::default());
        let task = tokio::spawn(self.clone().run(begun_at, done.clone()));
        state.running = Some(Running { begun_at, done, task });
        Ok(begun_at)
    }

    /// What is known at this moment.
    pub async fn standing(&self) -> Standing {
        let mut standing = self.seen();
        if !standing.is_verifying_node {
            // Another process may have left something since.
            let (path, ledger_id) = (self.0.path.clone(), self.0.setup.ledger_id);
            let loaded = spawn_blocking(move || Outcome::load(&path, ledger_id)).await;
            (standing.last, standing.unreadable) = match loaded {
                Ok(Ok(last)) => (last.map(Arc::new), None),
                Ok(Err(error)) => (None, Some(error.to_string())),
                Err(error) => (None, Some(error.to_string())),
            };
        }
        standing
    }

    /// Ends one that is running; it leaves no trace.
    pub async fn stop(&self) {
        self.0.cancel.cancel();
        let running = self.state().running.take();
        if let Some(Running { task, .. }) = running
            && let Err(error) = task.await
        {
            tracing::error!(%error, "a verification failed");
        }
    }

    /// Says what is wrong by the last one.
    fn tell_last(&self) {
        if let Some(last) = &self.state().last {
            tell_findings(last);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What this process knows.
    fn seen(&self) -> Standing {
        let State { every, running, last, unreadable, broken_off } = &*self.state();
        let running = running.as_ref().filter(|running| !running.task.is_finished());
        Standing {
            is_verifying_node: self.0.setup.writer.is_some(),
            leads: self.leads(),
            every: *every,
            running: running.map(Running::under_way),
            last: last.clone(),
            unreadable: unreadable.clone(),
            broken_off: broken_off.clone(),
        }
    }

    async fn run(self, begun_at: Timestamp, done: Arc<Done>) {
        let verified = self.verify(done).await;
        let ended_at = self.0.setup.environment.now();
        let outcome = match verified {
            Ok(report) => {
                let before = self.state().last.clone();
                Ok(Arc::new(Outcome::new(begun_at, ended_at, report, before.as_deref())))
            }
            Err(error) => Err(error),
        };
        if let Ok(outcome) = &outcome {
            tell(outcome);
            self.keep(outcome.clone()).await;
        }
        let mut state = self.state();
        state.running = None;
        match outcome {
            Ok(outcome) => (state.last, state.unreadable, state.broken_off) = (Some(outcome), None, None),
            Err(verify::Error::Cancelled) => {}
            Err(error) => {
                let causes = Causes(&error);
                if is_passing(&error) {
                    tracing::warn!(error = %causes, "the log could not be verified");
                } else {
                    tracing::error!(error = %causes, "the log could not be verified");
                }
                state.broken_off = Some(BrokenOff { begun_at, ended_at, reason: error.to_string() });
            }
        }
    }

    async fn verify(&self, done: Arc<Done>) -> Result<stockledger_audit::Report, verify::Error> {
        let Setup { log, witnesses, patience, pace, .. } = &self.0.setup;
        let cancel = self.0.cancel.clone();
        let gathered = cancel.run_until_cancelled(async {
            // Everything that remembers is read before the log, so that the log has all of it.
            let mut remembered = witnesses.remembered(log.partitions()).await;
            let last = self.state().last.clone();
            remembered.extend(last.iter().flat_map(|last| last.remembered()));
            witnesses::wait_for_all(&**log, &remembered, *patience).await;
            remembered
        });
        let remembered = gathered.await.ok_or(verify::Error::Cancelled)?;
        let on_progress: Arc<OnProgress> = Arc::new(move |progress: Progress| {
            let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
            done.insert(progress.partition, (progress.done, progress.total));
        });
        let options =
            Options { remembered, on_progress, pace: *pace, cancel: cancel.clone(), ..Options::default() };
        // A log that does not answer keeps nobody who wants to stop.
        let verified = cancel.run_until_cancelled(verify::verify(log.clone(), &options)).await;
        verified.unwrap_or(Err(verify::Error::Cancelled))
    }

    /// A disk that is full must not hide what was found: this process knows it in any case.
    async fn keep(&self, outcome: Arc<Outcome>) {
        let lost = |error: &(dyn std::error::Error + 'static)| {
            tracing::error!(error = %Causes(error), "what a verification found is forgotten at the next start");
        };
        let (path, ledger_id) = (self.0.path.clone(), self.0.setup.ledger_id);
        match spawn_blocking(move || outcome.keep(&path, ledger_id)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => lost(&error),
            Err(error) => lost(&error),
        }
    }
}

impl Running {
    fn under_way(&self) -> UnderWay {
        let done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        let (records_done, records_total) =
            done.values().fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
        UnderWay { begun_at: self.begun_at, records_done, records_total }
    }
}

impl std::fmt::Debug for Verifications {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Verifications").finish_non_exhaustive()
    }
}

/// Whether it may go well another time without anybody's doing.
const fn is_passing(error: &verify::Error) -> bool {
    matches!(error, verify::Error::Log { source: log::Error::Unavailable { .. }, .. })
}

fn tell(outcome: &Outcome) {
    tell_findings(outcome);
    let total = outcome.report.total();
    tracing::info!(
        is_good = outcome.report.is_good(),
        events = total.events,
        decisions = total.decisions,
        begun_at = %outcome.begun_at,
        "the log was verified"
    );
}

/// What is wrong is never silent: somebody must act.
fn tell_findings(outcome: &Outcome) {
    for finding in outcome.report.failures() {
        tracing::error!(
            partition = %finding.partition,
            offset = finding.offset,
            after = %finding.after,
            what = finding.what,
            expected = finding.expected,
            found = finding.found,
            verified_at = %outcome.ended_at,
            "the log is wrong"
        );
    }
}
