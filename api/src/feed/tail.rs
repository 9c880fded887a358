//! The tail of one partition: a task that follows its log, and the newest decisions, which all readers share.

use std::collections::VecDeque;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use stockledger_chain::State;
use stockledger_log::{Causes, Log};
use stockledger_schemas::{PartitionId, SiteId};
use tokio_util::sync::CancellationToken;

use super::Options;
use super::announce::Announcer;
use super::pace::{Pace, Tally};
use super::recorded::{Recorded, admit_all};
use crate::following::{self, READ_PATIENCE, READ_RECORDS_MAX, RETRY_AFTER, Stop};

/// A mark is kept each so many decisions, so that history can be read from there and not from the first record.
const MARK_EVERY: u64 = 256;

/// A partition that must not be read on.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Stopped {
    /// Which.
    pub partition: PartitionId,
    /// Why.
    pub reason: String,
}

/// How far a tail is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Reach {
    /// The last decision that it has.
    pub(super) seq: u64,
    /// Whether it came to where the log ended when it began.
    pub(super) is_level: bool,
    /// Whether it goes no further.
    pub(super) is_stopped: bool,
}

impl Reach {
    /// Whether all is known that the log had when the tail began, as far as it can be read.
    pub(super) const fn is_settled(self) -> bool {
        self.is_level || self.is_stopped
    }
}

/// What a reader finds behind some decision.
pub(super) enum Found {
    /// Nothing yet.
    Nothing,
    /// The next ones.
    Kept(Vec<Arc<Recorded>>),
    /// They are no longer kept; the log has them, to be read from this state on.
    Older(State),
}

/// The newest decisions of one partition.
pub(super) struct Tail {
    partition: PartitionId,
    options: Options,
    known: RwLock<Known>,
}

#[derive(Default)]
struct Known {
    newest: VecDeque<Arc<Recorded>>,
    /// Of the records of `newest`.
    bytes: usize,
    /// The states behind genesis and behind each [`MARK_EVERY`] decisions.
    marks: Vec<State>,
    /// How much was recorded in the last minutes.
    tally: Tally,
    reach: Reach,
    stopped: Option<Stopped>,
}

impl Tail {
    /// Begins to follow a partition from its first record on.
    pub(super) fn begin(
        log: Arc<dyn Log>,
        partition: PartitionId,
        options: Options,
        announcer: Announcer,
        stop: CancellationToken,
    ) -> Arc<Self> {
        let tail = Arc::new(Self { partition, options, known: RwLock::default() });
        let follower = Follower { log, tail: Arc::clone(&tail), announcer, state: None };
        tokio::spawn(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = follower.run() => {}
            }
        });
        tail
    }

    pub(super) fn reach(&self) -> Reach {
        self.read().reach
    }

    /// Adds what was recorded lately at these sites; everything, if none are named.
    pub(super) fn add_to(&self, pace: &mut Pace, sites: Option<&[SiteId]>) {
        self.read().tally.add_to(pace, sites);
    }

    /// Why it goes no further, once a reader has everything before that.
    pub(super) fn stopped(&self) -> Option<Stopped> {
        self.read().stopped.clone()
    }

    /// At most so many decisions behind the one of this number.
    pub(super) fn find(&self, after: u64, max: usize) -> Found {
        let known = self.read();
        if after >= known.reach.seq {
            return Found::Nothing;
        }
        let oldest = known.newest.front().map_or(u64::MAX, |oldest| oldest.position.seq);
        if oldest <= after + 1 {
            let begin = usize::try_from(after + 1 - oldest).unwrap_or(usize::MAX);
            return Found::Kept(known.newest.iter().skip(begin).take(max).cloned().collect());
        }
        let mark = usize::try_from(after / MARK_EVERY).unwrap_or(usize::MAX);
        known.marks.get(mark).or(known.marks.last()).map_or(Found::Nothing, |state| Found::Older(*state))
    }

    fn take(&self, decisions: Vec<(State, Arc<Recorded>)>) {
        let mut known = self.write();
        for (state, decision) in decisions {
            if state.seq.is_multiple_of(MARK_EVERY) {
                known.marks.push(state);
            }
            known.reach.seq = state.seq;
            known.bytes += decision.raw.len();
            known.tally.note(&decision.decision);
            known.newest.push_back(decision);
        }
        let Options { kept_max, kept_bytes_max } = self.options;
        while known.newest.len() > kept_max || known.bytes > kept_bytes_max {
            let Some(oldest) = known.newest.pop_front() else { break };
            known.bytes -= oldest.raw.len();
        }
    }

    /// Nobody who holds the lock can panic half-way through a change that others could see.
    fn read(&self) -> RwLockReadGuard<'_, Known> {
        self.known.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Known> {
        self.known.write().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Follower {
    log: Arc<dyn Log>,
    tail: Arc<Tail>,
    announcer: Announcer,
    /// Where it is; nothing before genesis was read.
    state: Option<State>,
}

impl Follower {
    async fn run(mut self) {
        while let Err(stop) = self.follow().await {
            let (partition, reason) = (self.tail.partition, Causes(&stop).to_string());
            if !stop.is_passing() {
                tracing::error!(%partition, reason, "the events of this partition go no further");
                {
                    let mut known = self.tail.write();
                    known.reach.is_stopped = true;
                    known.stopped = Some(Stopped { partition, reason });
                }
                return self.announcer.tell();
            }
            tracing::debug!(%partition, reason, "events cannot be read from the log at the moment");
            tokio::time::sleep(RETRY_AFTER).await;
        }
    }

    /// Reads until the log does not go on. It never returns well.
    async fn follow(&mut self) -> Result<(), Stop> {
        let partition = self.tail.partition;
        let end = self.log.bounds(partition.0).await?.end;
        let mut state = match self.state {
            Some(state) => state,
            None => self.genesis().await?,
        };
        self.state = Some(state);
        let mut reader = self.log.reader(partition.0, state.next_offset).await?;
        loop {
            if state.next_offset >= end && !self.tail.reach().is_level {
                self.tail.write().reach.is_level = true;
                self.announcer.tell();
            }
            let records = reader.next(READ_RECORDS_MAX, READ_PATIENCE).await?;
            if records.is_empty() {
                continue;
            }
            let admitted = tokio::task::spawn_blocking(move || admit_all(state, records)).await?;
            state = admitted.state;
            self.state = Some(state);
            if !admitted.decisions.is_empty() {
                self.tail.take(admitted.decisions);
                self.announcer.tell();
            }
            if let Some(halt) = admitted.halt {
                return Err(halt.into());
            }
        }
    }

    async fn genesis(&self) -> Result<State, Stop> {
        let state = following::genesis(self.log.as_ref(), self.tail.partition).await?;
        self.tail.write().marks.push(state);
        Ok(state)
    }
}
