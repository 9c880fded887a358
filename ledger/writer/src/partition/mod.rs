//! The writer of one partition: a task that owns all of its state.
//!
//! ```text
//!          claim.rs                    serve.rs                     settle.rs
//! read the log, claim a term -> decide, append in batches -> confirm in order, answer
//!          ^                                                            |
//!          +----------- unknown outcome, superseded: drop, begin again -+
//! ```
//!
//! Every path back to the start keeps the records in flight ([`Flight`]): only the log says what became of them.

mod claim;
mod confirmed;
mod decide;
mod flight;
mod index;
pub(crate) mod intake;
pub(crate) mod places;
mod prepare;
mod serve;
mod settle;
pub(crate) mod status;
mod tail;
pub(crate) mod under_way;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use stockledger_chain::Halt;
use stockledger_domain::{Impossible, Partition};
use stockledger_log::{Causes, Log};
use stockledger_schemas::{Nonce, PartitionId, Timestamp};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::environment::Environment;
use crate::genesis;
use crate::options::Options;
use crate::reply::{CommandError, Outcome};
use crate::routes::Routes;
use crate::snapshot::Snapshots;
use claim::ClaimBack;
pub(crate) use confirmed::Confirmed;
use flight::Flight;
pub(crate) use index::OffsetIndex;
use intake::OpenKeys;
pub(crate) use intake::{Asked, Pending, Work};
use places::PLACES_MAX;
use prepare::{Awaiting, PreparedCommand};
use status::{StatusSender, WriterState};

/// Counts at a past position that one partition looks up at once; each may read many decisions.
const SCANS_MAX: usize = 2;

/// A term that ends sooner than this by an unknown outcome is followed by a pause.
const TERM_LASTS_MIN: Duration = Duration::from_secs(1);

/// What a partition's writer is made of.
pub(crate) struct Setup {
    pub(crate) log: Arc<dyn Log>,
    pub(crate) environment: Arc<dyn Environment>,
    pub(crate) options: Arc<Options>,
    pub(crate) partition: PartitionId,
    pub(crate) routes: Routes,
    pub(crate) status: StatusSender,
    pub(crate) intake: mpsc::Receiver<Pending>,
    pub(crate) stop: CancellationToken,
}

/// The state that runs ahead of the confirmed one with the records in flight.
struct Ahead {
    chain: stockledger_chain::State,
    domain: Partition,
    recorded_at: Timestamp,
}

impl Ahead {
    fn of(confirmed: &Confirmed) -> Self {
        Self {
            chain: confirmed.chain,
            domain: confirmed.domain.clone(),
            recorded_at: confirmed.last_recorded_at,
        }
    }
}

/// Why a term ended.
#[derive(Debug)]
enum Ended {
    /// A record in flight may or may not be in the log.
    OutcomeUnknown,
    /// Another writer claimed the partition.
    Superseded { url: Option<String> },
    /// The log does not answer.
    Unavailable(stockledger_log::Error),
    /// The log cannot be read on, or this node must not write.
    Halted(String),
    /// The process is stopping and everything is answered.
    Stopped,
}

impl From<Halt> for Ended {
    fn from(halt: Halt) -> Self {
        Self::Halted(halt.to_string())
    }
}

impl From<Impossible> for Ended {
    fn from(impossible: Impossible) -> Self {
        Self::Halted(impossible.to_string())
    }
}

impl From<stockledger_log::Error> for Ended {
    fn from(error: stockledger_log::Error) -> Self {
        match error {
            stockledger_log::Error::Unavailable { .. } => Self::Unavailable(error),
            other => Self::Halted(other.to_string()),
        }
    }
}

/// The task's state.
pub(crate) struct Writer {
    log: Arc<dyn Log>,
    environment: Arc<dyn Environment>,
    options: Arc<Options>,
    partition: PartitionId,
    routes: Routes,
    status: StatusSender,
    stop: CancellationToken,
    intake: mpsc::Receiver<Pending>,
    prepared: mpsc::Receiver<PreparedCommand>,
    prepared_tx: mpsc::Sender<PreparedCommand>,
    /// Commands whose preparation is under way.
    preparing: usize,
    confirmed: Confirmed,
    ahead: Ahead,
    /// Whether the confirmed state is known to be durable: everything in it was acknowledged, or stands before our own
    /// acknowledged claim. While we claim, what was read may still be lost by the log, so nobody is answered from it.
    is_durable: bool,
    /// Answers that wait until what they rest on is known to be durable.
    withheld: Vec<(Pending, Outcome)>,
    /// Lookups of the past that may run at once.
    scans: Arc<Semaphore>,
    /// Whether the log has been silent for so long that nothing new is taken.
    is_stalled: bool,
    /// A fault of this program spoiled the speculative state: the term must end.
    ahead_is_broken: bool,
    flight: Flight,
    open_keys: OpenKeys,
    /// Commands that the log turned out not to hold; they are decided again before any other.
    again: VecDeque<Pending>,
    /// Work that waits until the confirmed state has come so far.
    awaiting: Vec<Awaiting>,
    /// The highest term that this process ever claimed here; its claim may still land.
    term_claimed_max: u64,
    /// The claim that we wait to read back, and what it turned out to be.
    claim_awaited: Option<Nonce>,
    claim_back: Option<ClaimBack>,
    /// Where the writer of the current term answers.
    leader_url: Option<String>,
    snapshots: Snapshots,
}

impl Writer {
    /// A writer that continues from its snapshot, or from the genesis record.
    ///
    /// # Errors
    /// [`genesis::Error`] if the log is not one that can be written.
    pub(crate) async fn open(setup: Setup) -> Result<Self, OpenError> {
        let Setup { log, environment, options, partition, routes, status, intake, stop } = setup;
        let begun = genesis::begin(log.as_ref(), partition).await?;
        let mut snapshots = Snapshots::new(environment.clone(), &options, partition);
        let loaded = snapshots.load(log.as_ref(), &begun, options.log_shorter_patience).await?;
        let confirmed = loaded.unwrap_or_else(|| Confirmed::new(begun));
        let (prepared_tx, prepared) = mpsc::channel(PLACES_MAX);
        Ok(Self {
            ahead: Ahead::of(&confirmed),
            log,
            environment,
            options,
            partition,
            routes,
            status,
            stop,
            intake,
            prepared,
            prepared_tx,
            preparing: 0,
            confirmed,
            is_durable: false,
            withheld: Vec::new(),
            scans: Arc::new(Semaphore::new(SCANS_MAX)),
            is_stalled: false,
            ahead_is_broken: false,
            flight: Flight::default(),
            open_keys: OpenKeys::default(),
            again: VecDeque::new(),
            awaiting: Vec::new(),
            term_claimed_max: 0,
            claim_awaited: None,
            claim_back: None,
            leader_url: None,
            snapshots,
        })
    }

    /// Writes the partition until it is told to stop or must halt. Every command is answered before this returns.
    pub(crate) async fn run(mut self) {
        self.publish_sites();
        let mut patience = Patience::new(self.options.claim_again_after);
        loop {
            // A log that did not answer is away until it does: whoever asks is told why nothing is taken.
            if !self.is_stalled {
                self.status.set(WriterState::Recovering);
            }
            let began = Instant::now();
            match self.one_term().await {
                Ended::OutcomeUnknown => {
                    tracing::warn!(partition = %self.partition, "an append has no known outcome: claiming a new term");
                    // Once at once; but what fails again and again must not fill the log with claims.
                    let is_repeated = began.elapsed() < TERM_LASTS_MIN;
                    if is_repeated && self.pause(self.options.log_retry_after).await {
                        break;
                    }
                }
                Ended::Superseded { url } => {
                    tracing::warn!(partition = %self.partition, ?url, "another node writes this partition");
                    self.status.set(WriterState::Superseded { url: url.clone() });
                    self.refuse_waiting(&CommandError::NotOwner { partition: self.partition, url });
                    if self.pause(patience.after(began.elapsed())).await {
                        break;
                    }
                }
                Ended::Unavailable(error) => {
                    tracing::warn!(partition = %self.partition, error = %Causes(&error), "the log is not available");
                    self.is_stalled = true;
                    self.status.set(WriterState::Stalled);
                    if self.pause(self.options.log_retry_after).await {
                        break;
                    }
                }
                Ended::Halted(reason) => {
                    tracing::error!(partition = %self.partition, reason, "the partition has stopped");
                    return self.end(WriterState::Halted { reason: reason.clone() }, |partition| {
                        CommandError::Halted { partition, reason: reason.clone() }
                    });
                }
                Ended::Stopped => break,
            }
        }
        if self.is_durable {
            self.snapshots.save_last(&self.confirmed).await;
        }
        self.end(WriterState::Stopped, |_| CommandError::NotApplied("the server is stopping"));
    }

    async fn one_term(&mut self) -> Ended {
        match self.claim().await {
            Ok(producer) => self.serve(producer).await,
            Err(ended) => ended,
        }
    }

    /// Waits with some jitter, so that two nodes do not claim in step; true if the process is stopping.
    async fn pause(&self, about: Duration) -> bool {
        let jitter = u32::from(self.environment.nonce().0[0]);
        let pause = about / 2 + about * jitter / 255;
        tokio::select! {
            biased;
            () = self.stop.cancelled() => true,
            () = tokio::time::sleep(pause) => false,
        }
    }

    /// Refuses every command that is known not to be in the log.
    fn refuse_waiting(&mut self, error: &CommandError) {
        for pending in std::mem::take(&mut self.again) {
            self.open_keys.answer(pending, Err(error.clone()));
        }
        while let Ok(pending) = self.intake.try_recv() {
            self.open_keys.answer(pending, Err(error.clone()));
        }
    }

    /// Answers everybody who still waits, as truthfully as can be, and is gone.
    fn end(mut self, state: WriterState, error: impl Fn(PartitionId) -> CommandError) {
        self.status.set(state);
        self.intake.close();
        let withheld = std::mem::take(&mut self.withheld).into_iter().map(|(pending, _)| pending);
        for pending in withheld.chain(self.flight.take_all()) {
            self.open_keys.answer(pending, Err(CommandError::OutcomeUnknown));
        }
        self.refuse_waiting(&error(self.partition));
        for awaiting in std::mem::take(&mut self.awaiting) {
            self.open_keys.answer(awaiting.pending, Err(error(self.partition)));
        }
    }
}

/// How long to wait before claiming again. Two nodes that are both told to write a partition take it from each other for
/// ever; the longer each waits, the longer the other can work, so the wait doubles until a term has lasted.
struct Patience {
    first: Duration,
    next: Duration,
}

impl Patience {
    /// The wait grows up to this many times the first one.
    const GROWTH_MAX: u32 = 32;

    const fn new(first: Duration) -> Self {
        Self { first, next: first }
    }

    fn after(&mut self, term_lasted: Duration) -> Duration {
        if term_lasted > self.first * Self::GROWTH_MAX {
            self.next = self.first;
        }
        let pause = self.next;
        self.next = (pause * 2).min(self.first * Self::GROWTH_MAX);
        pause
    }
}

/// Why a partition's writer cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The log does not begin as it must.
    #[error(transparent)]
    Genesis(#[from] genesis::Error),
    /// The log is not the one that was remembered.
    #[error(transparent)]
    Snapshot(#[from] crate::snapshot::Error),
}

impl OpenError {
    /// Whether the log did not answer, as opposed to holding the wrong thing: trying again may help.
    #[must_use]
    pub const fn is_passing(&self) -> bool {
        use stockledger_log::Error::Unavailable;
        match self {
            Self::Genesis(error) => error.is_passing(),
            Self::Snapshot(error) => {
                matches!(error, crate::snapshot::Error::Log { source: Unavailable { .. }, .. })
            }
        }
    }
}
