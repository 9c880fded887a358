//! A log in memory, for tests and simulation, which goes wrong exactly as the test says.
//!
//! Every appended batch meets a [`Fate`]: the next one that the test planned for its partition, or [`Fate::HEALTHY`].
//! A fate says what becomes of the records ([`Landing`]) and what the producer hears ([`Answer`]). What a fate holds
//! back, records or an answer, is *in flight* until the test releases it, in any order and at any time, or loses it for
//! good. That is the whole model: lost, late, repeated and overtaken messages are all made of it.
//!
//! Nothing here is random and nothing looks at a clock, but for the patience of readers.
//! Where to read next: [`Faults`] has the list of what a test can do.

mod partition;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{oneshot, watch};
use tokio::time::timeout_at;

pub use self::partition::{Answer, Fate, Landing};
use self::partition::{Partition, give_up};
use crate::{Acknowledgement, Bounds, Entry, Error, Log, Producer, Reader, StoredRecord};

/// A log in memory. Clones are the same log, so it outlives whoever writes to it, as a file would.
#[derive(Debug, Clone)]
pub struct MemoryLog {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    partitions: u16,
    state: Mutex<State>,
    /// Bumped by every change of the state.
    changed: watch::Sender<()>,
}

#[derive(Debug)]
struct State {
    partitions: Vec<Partition>,
    available: bool,
    clock_ms: i64,
}

impl MemoryLog {
    /// A new log without records. Its clock stands at 0.
    #[must_use]
    pub fn new(partitions: u16) -> Self {
        let state = State {
            partitions: (0..partitions).map(|_| Partition::default()).collect(),
            available: true,
            clock_ms: 0,
        };
        Self {
            shared: Arc::new(Shared {
                partitions,
                state: Mutex::new(state),
                changed: watch::Sender::new(()),
            }),
        }
    }

    /// The handle by which a test makes this log go wrong.
    #[must_use]
    pub fn faults(&self) -> Faults {
        Faults { shared: Arc::clone(&self.shared) }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // A test that panicked while it held the lock has failed already.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes one partition and tells everybody who waits. A partition that does not exist is a mistake in the test.
    fn change<T>(&self, partition: u16, change: impl FnOnce(&mut Partition, i64) -> T) -> Result<T, Error> {
        self.check(partition)?;
        let mut state = self.lock();
        let clock_ms = state.clock_ms;
        let result = change(&mut state.partitions[usize::from(partition)], clock_ms);
        drop(state);
        self.changed.send_replace(());
        Ok(result)
    }

    /// One read of a partition, or the failure that the test wants to see.
    fn read<T>(&self, partition: u16, read: impl FnOnce(&Partition) -> Result<T, Error>) -> Result<T, Error> {
        self.check(partition)?;
        let mut state = self.lock();
        if !state.available {
            return Err(unavailable("read"));
        }
        let partition = &mut state.partitions[usize::from(partition)];
        if partition.take_read_failure() {
            return Err(unavailable("read"));
        }
        read(partition)
    }

    fn check(&self, partition: u16) -> Result<(), Error> {
        let partitions = self.partitions;
        if partition < partitions { Ok(()) } else { Err(Error::NoSuchPartition { partition, partitions }) }
    }
}

/// What a test can do to a [`MemoryLog`]. Clones are the same handle.
///
/// # Panics
/// All functions panic on a partition that the log does not have.
#[derive(Debug, Clone)]
pub struct Faults {
    shared: Arc<Shared>,
}

impl Faults {
    /// The next batch that a producer appends to the partition without another plan before it meets this fate.
    pub fn plan(&self, partition: u16, fate: Fate) {
        self.change(partition, |partition, _| partition.plan(fate));
    }

    /// How many planned fates no batch has met yet.
    #[must_use]
    pub fn planned(&self, partition: u16) -> usize {
        self.change(partition, |partition, _| partition.planned())
    }

    /// How many things are in flight: they stand in a row, the oldest first, numbered from 0.
    #[must_use]
    pub fn in_flight(&self, partition: u16) -> usize {
        self.change(partition, |partition, _| partition.in_flight())
    }

    /// Lets one thing in flight arrive: its records land, its answer is given. False if there is none of that number.
    pub fn release(&self, partition: u16, index: usize) -> bool {
        self.change(partition, |partition, clock_ms| partition.release(index, clock_ms))
    }

    /// Loses one thing in flight for good; an answer that was held back is never given and its channel closes. False if
    /// there is none of that number.
    pub fn lose(&self, partition: u16, index: usize) -> bool {
        self.change(partition, |partition, _| partition.lose(index))
    }

    /// A record of somebody else lands now, past every plan. Says its offset.
    pub fn land(&self, partition: u16, entry: Entry) -> u64 {
        self.change(partition, |partition, clock_ms| partition.land(entry, clock_ms))
    }

    /// The whole log stops or starts working. While it does not, reads fail, and appends do not land and are unknown.
    pub fn set_available(&self, available: bool) {
        self.shared.lock().available = available;
        self.shared.changed.send_replace(());
    }

    /// The next `count` looks into the partition fail: every [`Log::bounds`] and [`Log::fetch`] is one, and a
    /// [`Reader::next`] is one for each time it wakes.
    pub fn fail_reads(&self, partition: u16, count: usize) {
        self.change(partition, |partition, _| partition.fail_reads(count));
    }

    /// History before `offset` is gone, as by a retention setting.
    pub fn delete_before(&self, partition: u16, offset: u64) {
        self.change(partition, |partition, _| partition.delete_before(offset));
    }

    /// The records from `offset` on are gone, as after the crash of a broker that acknowledged too early.
    pub fn cut_off(&self, partition: u16, offset: u64) {
        self.change(partition, |partition, _| partition.cut_off(offset));
    }

    /// The log's clock, which stands still between calls. Records that land get this time.
    pub fn set_clock_ms(&self, clock_ms: i64) {
        self.shared.lock().clock_ms = clock_ms;
    }

    /// Waits until at least `count` things are in flight. Put a deadline around it.
    pub async fn until_in_flight(&self, partition: u16, count: usize) {
        self.until(partition, |partition| partition.in_flight() >= count).await;
    }

    /// Waits until the next record of the partition would get at least this offset. Put a deadline around it.
    pub async fn until_end(&self, partition: u16, end: u64) {
        self.until(partition, |partition| partition.bounds().end >= end).await;
    }

    async fn until(&self, partition: u16, reached: impl Fn(&Partition) -> bool) {
        let mut changed = self.shared.changed.subscribe();
        // The channel cannot close while this handle holds its other end.
        while !reached(&self.shared.lock().partitions[usize::from(partition)]) {
            let _ = changed.changed().await;
        }
    }

    fn change<T>(&self, partition: u16, change: impl FnOnce(&mut Partition, i64) -> T) -> T {
        self.shared.change(partition, change).expect("the test names a partition of its log")
    }
}

#[async_trait]
impl Log for MemoryLog {
    fn partitions(&self) -> u16 {
        self.shared.partitions
    }

    fn producer(&self, partition: u16) -> Result<Box<dyn Producer>, Error> {
        self.shared.check(partition)?;
        if !self.shared.lock().available {
            return Err(unavailable("make a producer"));
        }
        Ok(Box::new(MemoryProducer { shared: Arc::clone(&self.shared), partition }))
    }

    async fn reader(&self, partition: u16, from: u64) -> Result<Box<dyn Reader>, Error> {
        self.shared.check(partition)?;
        if !self.shared.lock().available {
            return Err(unavailable("make a reader"));
        }
        let changed = self.shared.changed.subscribe();
        Ok(Box::new(MemoryReader { shared: Arc::clone(&self.shared), partition, next: from, changed }))
    }

    async fn bounds(&self, partition: u16) -> Result<Bounds, Error> {
        self.shared.read(partition, |partition| Ok(partition.bounds()))
    }

    async fn fetch(&self, partition: u16, offset: u64) -> Result<Option<StoredRecord>, Error> {
        self.shared.read(partition, |partition| Ok(partition.read(offset, 1)?.pop()))
    }

    /// It holds nothing.
    async fn close(&self) {}
}

struct MemoryProducer {
    shared: Arc<Shared>,
    partition: u16,
}

impl Producer for MemoryProducer {
    fn append(&mut self, batch: Vec<Entry>) -> Acknowledgement {
        let (acknowledge, acknowledgement) = oneshot::channel();
        let mut state = self.shared.lock();
        if state.available {
            let clock_ms = state.clock_ms;
            state.partitions[usize::from(self.partition)].append(batch, acknowledge, clock_ms);
        } else {
            give_up(batch.len(), acknowledge);
        }
        drop(state);
        self.shared.changed.send_replace(());
        acknowledgement
    }
}

struct MemoryReader {
    shared: Arc<Shared>,
    partition: u16,
    next: u64,
    changed: watch::Receiver<()>,
}

#[async_trait]
impl Reader for MemoryReader {
    async fn next(&mut self, max: usize, patience: Duration) -> Result<Vec<StoredRecord>, Error> {
        let deadline = crate::deadline(patience);
        loop {
            self.changed.mark_unchanged();
            let records = self.shared.read(self.partition, |partition| partition.read(self.next, max))?;
            if !records.is_empty() || max == 0 {
                self.next += records.len() as u64;
                return Ok(records);
            }
            if timeout_at(deadline, self.changed.changed()).await.is_err() {
                return Ok(Vec::new());
            }
        }
    }
}

fn unavailable(operation: &'static str) -> Error {
    Error::Unavailable { operation, source: "the test made it so".into() }
}
