//! One partition of one version, moved forward batch by batch. The live projector and the rebuild both drive it.
//!
//! Everything in memory is ahead of the store only within [`Follower::advance`]. Whatever goes wrong there, the follower
//! is dropped and made again from the checkpoint.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use stockledger_chain::{Halt, State, Verdict, admit};
use stockledger_log::{Log, Reader, StoredRecord};
use stockledger_schemas::{Decision, PartitionId, Timestamp};
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio_util::sync::CancellationToken;

use crate::changes::Changes;
use crate::checkpoint::Checkpoint;
use crate::fold::{Impossible, fold};
use crate::read;
use crate::stop::{Halted, Stop};
use crate::store::{Commit, Store};
use crate::table::Version;
use crate::verify::verify;
use crate::view::View;

/// Most records of one read.
const READ_RECORDS_MAX: usize = 512;
/// A batch is closed once it has so many records, those that do not count included.
const BATCH_RECORDS_MAX: u64 = 4_096;
/// How soon a batch is tried again whose partition is held.
const HELD_AGAIN_AFTER: Duration = Duration::from_millis(5);
/// How long to wait for records that were read before.
const STOP_PATIENCE: Duration = Duration::from_secs(5);
/// A batch is closed once it would write so many rows.
const BATCH_ROWS_MAX: usize = 40_000;

/// What a follower works with.
#[derive(Clone)]
pub(crate) struct Source {
    pub(crate) log: Arc<dyn Log>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) cancel: CancellationToken,
}

/// Reads one partition and writes its rows.
pub(crate) struct Follower {
    source: Source,
    version: Version,
    state: State,
    checkpoint: Checkpoint,
    view: View,
    reader: Box<dyn Reader>,
    /// Records that were read and are beyond what was asked for.
    pending: VecDeque<StoredRecord>,
}

/// What one call of [`Follower::advance`] did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Advance {
    /// Decisions that were committed.
    pub(crate) decisions: u64,
    /// Events in them, as [`Event::count`](stockledger_schemas::Event::count) counts.
    pub(crate) events: u64,
}

impl Follower {
    /// Goes on where the checkpoint is, once the log is seen to be the one that the checkpoint remembers.
    pub(crate) async fn resume(
        source: Source,
        version: Version,
        partition: PartitionId,
    ) -> Result<Self, Stop> {
        let mut snapshot = source.store.snapshot().await?;
        let checkpoint = read::checkpoint(&mut *snapshot, version, partition).await?;
        drop(snapshot);
        let begin = verify(&*source.log, partition, checkpoint.as_ref()).await?;
        let checkpoint = match checkpoint {
            Some(checkpoint) if !checkpoint.is_loaded => {
                return Err(Stop::Halted(Halted::NotLoaded(version)));
            }
            Some(checkpoint) => checkpoint,
            None => begin_partition(&*source.store, version, Checkpoint::of(&begin, None, 0)).await?,
        };
        let reader = source.log.reader(partition.0, checkpoint.next_offset).await?;
        let partition = checkpoint.partition;
        let view = if checkpoint.seq == 0 { View::of_nothing(partition) } else { View::new(partition) };
        let state = checkpoint.state(&begin);
        Ok(Self { source, version, state, checkpoint, view, reader, pending: VecDeque::new() })
    }

    pub(crate) const fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// Waits for a record below `until` for at most `patience`; says whether there is one. Does nothing else, so it may be
    /// dropped at any time.
    pub(crate) async fn is_there(&mut self, until: u64, patience: Duration) -> Result<bool, Stop> {
        if self.pending.is_empty() && self.state.next_offset < until {
            let cancelled = self.source.cancel.cancelled();
            // Both branches are cancel-safe: a read that was dropped took nothing.
            let records = tokio::select! {
                biased;
                () = cancelled => return Ok(false),
                records = self.reader.next(READ_RECORDS_MAX, patience) => records?,
            };
            self.pending = records.into();
        }
        Ok(self.pending.front().is_some_and(|record| record.offset < until))
    }

    /// Commits a batch of the records below `until` that are there at once.
    pub(crate) async fn advance(&mut self, until: u64) -> Result<Advance, Stop> {
        let mut batch = Batch { recorded_at: self.checkpoint.recorded_at, ..Batch::default() };
        while batch.halt.is_none()
            && !batch.is_full(&self.view)
            && self.is_there(until, Duration::ZERO).await?
        {
            let below = self.pending.partition_point(|record| record.offset < until);
            let records = self.pending.drain(..below).collect();
            batch.halt = self.take(records, &mut batch).await?;
        }
        self.commit(batch).await
    }

    /// Admits and folds records into the view; what stops the partition for good comes back beside what stands before it.
    async fn take(&mut self, records: Vec<StoredRecord>, batch: &mut Batch) -> Result<Option<Halted>, Stop> {
        let from = self.state;
        let admitted = blocking(move || admit_all(from, &records)).await?;
        batch.records += admitted.state.next_offset - self.state.next_offset;
        let missing = self.view.missing(admitted.decisions.iter().map(|(_, decision)| &**decision));
        if !missing.is_empty() {
            let loaded = read::load(&*self.source.store, self.version, &self.checkpoint, &missing).await?;
            let loaded = loaded.ok_or(Stop::Superseded)?;
            self.view.load_stock(loaded.stock);
            self.view.load_orders(loaded.orders);
            self.view.load_directory(loaded.sites, loaded.items);
        }
        for (_, decision) in &admitted.decisions {
            batch.decisions += 1;
            batch.events += decision.event_count();
            batch.recorded_at = Some(decision.recorded_at);
        }
        let view = std::mem::replace(&mut self.view, View::new(self.checkpoint.partition));
        let (view, folded) = blocking(move || fold_all(view, &admitted.decisions)).await?;
        match folded {
            Ok(()) => {
                self.view = view;
                self.state = admitted.state;
                Ok(admitted.halt.map(Halted::Broken))
            }
            Err((offset, impossible)) => Err(self.stop_before(offset, impossible).await),
        }
    }

    /// Commits everything before the impossible decision, so that the partition stops exactly there.
    async fn stop_before(&mut self, offset: u64, impossible: Impossible) -> Stop {
        let partition = self.state.partition;
        let resumed = Self::resume(self.source.clone(), self.version, partition).await;
        *self = match resumed {
            Ok(follower) => follower,
            Err(stop) => return stop,
        };
        while self.checkpoint.next_offset < offset {
            match self.is_there(offset, STOP_PATIENCE).await {
                Ok(true) => {}
                Ok(false) => return Stop::Superseded,
                Err(stop) => return stop,
            }
            if let Err(stop) = Box::pin(self.advance(offset)).await {
                return stop;
            }
        }
        Stop::Halted(Halted::Impossible { partition, offset, impossible })
    }

    async fn commit(&mut self, batch: Batch) -> Result<Advance, Stop> {
        if self.state.next_offset != self.checkpoint.next_offset {
            let changes = self.view.take_changes();
            let digest = self.checkpoint.digest.wrapping_add(changes.digest);
            let next = Checkpoint::of(&self.state, batch.recorded_at, digest);
            write(&self.source, self.version, self.checkpoint.next_offset, &next, &changes).await?;
            self.checkpoint = next;
            self.view.trim();
        }
        match batch.halt {
            Some(halted) => Err(Stop::Halted(halted)),
            None => Ok(Advance { decisions: batch.decisions, events: batch.events }),
        }
    }
}

/// Begins a partition of a version.
pub(crate) async fn begin_partition(
    store: &dyn Store,
    version: Version,
    first: Checkpoint,
) -> Result<Checkpoint, Stop> {
    match store.begin(version, &first).await? {
        Commit::Committed => Ok(first),
        Commit::Superseded | Commit::Held => Err(Stop::Superseded),
    }
}

/// Commits a batch; waits as long as somebody holds the partition before where the batch ends.
pub(crate) async fn write(
    source: &Source,
    version: Version,
    expected_next_offset: u64,
    next: &Checkpoint,
    changes: &Changes,
) -> Result<(), Stop> {
    loop {
        match source.store.commit(version, expected_next_offset, next, changes).await? {
            Commit::Committed => return Ok(()),
            Commit::Superseded => return Err(Stop::Superseded),
            Commit::Held => {}
        }
        tokio::select! {
            biased;
            // What was folded is lost, and read again from the checkpoint if anybody goes on.
            () = source.cancel.cancelled() => return Err(Stop::Superseded),
            () = tokio::time::sleep(HELD_AGAIN_AFTER) => {}
        }
    }
}

/// What a batch has taken so far.
#[derive(Default)]
struct Batch {
    records: u64,
    decisions: u64,
    events: u64,
    recorded_at: Option<Timestamp>,
    halt: Option<Halted>,
}

impl Batch {
    fn is_full(&self, view: &View) -> bool {
        self.records >= BATCH_RECORDS_MAX || view.changed_rows() >= BATCH_ROWS_MAX
    }
}

pub(crate) struct Admitted {
    pub(crate) state: State,
    /// Each behind its offset.
    pub(crate) decisions: Vec<(u64, Box<Decision>)>,
    pub(crate) halt: Option<Halt>,
}

/// Judges records in order, up to the first that cannot be read past.
pub(crate) fn admit_all(mut state: State, records: &[StoredRecord]) -> Admitted {
    let mut decisions = Vec::with_capacity(records.len());
    for record in records {
        match admit(&state, record.offset, &record.value) {
            Ok(admission) => {
                state = admission.next;
                if let Verdict::Decision(decision) = admission.verdict {
                    decisions.push((record.offset, decision));
                }
            }
            Err(halt) => return Admitted { state, decisions, halt: Some(halt) },
        }
    }
    Admitted { state, decisions, halt: None }
}

/// Folds decisions in order, up to the first that is impossible, which is told with its offset.
pub(crate) fn fold_all(
    mut view: View,
    decisions: &[(u64, Box<Decision>)],
) -> (View, Result<(), (u64, Impossible)>) {
    let folded = decisions.iter().try_for_each(|(offset, decision)| {
        fold(&mut view, decision).map_err(|impossible| (*offset, impossible))
    });
    (view, folded)
}

/// Decoding and folding a batch takes milliseconds, which is too long for a thread that others wait for. Where the runtime
/// has one thread only, as in a simulation, nobody would wait less, and all that happens then has one order.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Stop> {
    if Handle::current().runtime_flavor() == RuntimeFlavor::CurrentThread {
        return Ok(work());
    }
    tokio::task::spawn_blocking(work).await.map_err(|error| Stop::Halted(Halted::Panicked(error)))
}
