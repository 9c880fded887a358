//! The log port of one process: every call goes through the process's gate and takes its time, and what was handed over
//! meets whatever the network and the brokers do to it.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use stockledger_log::{Acknowledgement, Bounds, Delivery, Entry, Error, Log, Producer, Reader, StoredRecord};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout_at};

use crate::faults::Kind;
use crate::gate::Gate;
use crate::mark::Mark;
use crate::topic::{Fate, Heard, Landed, unavailable};
use crate::world::World;

/// Appends that one producer may have handed over; a writer has far fewer in flight.
const HANDED_OVER_MAX: usize = 64;

type Batch = (Vec<Entry>, oneshot::Sender<Vec<Delivery>>);

/// The log as one process sees it.
#[derive(Clone)]
pub struct SimLog {
    world: World,
    gate: Arc<Gate>,
    /// Which process it is, for the story.
    process: usize,
    /// Nothing goes wrong and nothing takes time: for checks.
    is_plain: bool,
}

impl SimLog {
    /// The log as a process sees it.
    #[must_use]
    pub const fn new(world: World, gate: Arc<Gate>, process: usize) -> Self {
        Self { world, gate, process, is_plain: false }
    }

    /// The log as it is.
    #[must_use]
    pub fn plain(world: World) -> Self {
        Self { world, gate: Arc::default(), process: 0, is_plain: true }
    }

    /// The way to the brokers and back.
    async fn ask(&self, operation: &'static str) -> Result<(), Error> {
        if self.is_plain {
            return Ok(());
        }
        self.gate.pass().await;
        self.world.travel().await;
        self.gate.pass().await;
        let fails = self.world.lock().log_is_away || self.world.strikes(Kind::ReadErrors);
        if fails { Err(unavailable(operation)) } else { Ok(()) }
    }
}

#[async_trait]
impl Log for SimLog {
    fn partitions(&self) -> u16 {
        self.world.lock().topic.count()
    }

    fn producer(&self, partition: u16) -> Result<Box<dyn Producer>, Error> {
        self.world.lock().topic.at(partition)?;
        let (hand_over, handed_over) = mpsc::channel(HANDED_OVER_MAX);
        tokio::spawn(deliver(self.clone(), partition, handed_over));
        Ok(Box::new(SimProducer { hand_over }))
    }

    async fn reader(&self, partition: u16, from: u64) -> Result<Box<dyn Reader>, Error> {
        self.ask("make a reader").await?;
        self.world.lock().topic.at(partition)?;
        Ok(Box::new(SimReader { log: self.clone(), partition, next: from }))
    }

    async fn bounds(&self, partition: u16) -> Result<Bounds, Error> {
        self.ask("look at the bounds").await?;
        let end = self.world.lock().topic.at(partition)?.end();
        Ok(Bounds { begin: 0, end })
    }

    async fn fetch(&self, partition: u16, offset: u64) -> Result<Option<StoredRecord>, Error> {
        self.ask("fetch a record").await?;
        Ok(self.world.lock().topic.at(partition)?.read(offset, 1).pop())
    }

    async fn close(&self) {}
}

struct SimProducer {
    hand_over: mpsc::Sender<Batch>,
}

impl Producer for SimProducer {
    fn append(&mut self, batch: Vec<Entry>) -> Acknowledgement {
        let (acknowledge, acknowledgement) = oneshot::channel();
        // A full queue closes the channel, which means that nothing is known.
        let _ = self.hand_over.try_send((batch, acknowledge));
        acknowledgement
    }
}

/// Brings what one producer handed over to the brokers, in order, also after the producer is gone.
async fn deliver(log: SimLog, partition: u16, mut handed_over: mpsc::Receiver<Batch>) {
    while let Some((entries, acknowledge)) = handed_over.recv().await {
        if !log.is_plain {
            log.gate.pass().await;
        }
        let epoch = epoch(&log, partition);
        if !log.is_plain {
            log.world.travel().await;
        }
        if epoch != self::epoch(&log, partition) {
            silence(acknowledge);
            continue;
        }
        match land(&log, partition, entries) {
            Heard::Nothing => silence(acknowledge),
            Heard::Deliveries(deliveries) => {
                tokio::spawn(answer(log.clone(), deliveries, acknowledge));
            }
        }
    }
}

fn epoch(log: &SimLog, partition: u16) -> u64 {
    log.world.lock().topic.at(partition).map_or(0, |at| at.epoch)
}

fn land(log: &SimLog, partition: u16, entries: Vec<Entry>) -> Heard {
    let fate = if log.is_plain { Fate::Lands } else { fate(&log.world, entries.len()) };
    let now_ms = now_ms(&log.world);
    let (count, process) = (entries.len(), log.process);
    let mut inner = log.world.lock();
    let Ok(at) = inner.topic.at_mut(partition) else { return Heard::Nothing };
    let offset = at.end();
    let landed = at.append(entries, fate, now_ms);
    drop(inner);
    log.world.tell(format_args!("process {process} -> {partition}@{offset}: {count} records, {fate:?}"));
    took(&log.world, landed)
}

/// Notes what landing came to.
pub fn took(world: &World, landed: Landed) -> Heard {
    for mark in landed.marks {
        world.mark(mark);
    }
    if let Some(wrong) = landed.violation {
        world.fail(wrong);
    }
    landed.heard
}

fn fate(world: &World, count: usize) -> Fate {
    if world.lock().log_is_away {
        return [Fate::Lost, Fate::LostSilently, Fate::Late][world.below(3)];
    }
    let (one, either) = (world.below(count), world.chance(0.5));
    if world.strikes(Kind::Loss) {
        return match world.below(3) {
            0 => Fate::Without(one),
            1 => Fate::Lost,
            _ => Fate::LostSilently,
        };
    }
    if world.strikes(Kind::Silence) {
        return if either { Fate::LandsSilently } else { Fate::LandsUnknown };
    }
    if world.strikes(Kind::Late) {
        return if either { Fate::Late } else { Fate::LateOne(one) };
    }
    if world.strikes(Kind::Twice) {
        return if either { Fate::Twice(one) } else { Fate::Again(one) };
    }
    if world.strikes(Kind::NoOffsets) { Fate::LandsWithoutOffsets } else { Fate::Lands }
}

/// The way back. Acknowledgements may overtake each other.
async fn answer(log: SimLog, deliveries: Vec<Delivery>, acknowledge: oneshot::Sender<Vec<Delivery>>) {
    if !log.is_plain {
        log.world.travel().await;
        log.gate.pass().await;
    }
    let _ = acknowledge.send(deliveries);
}

/// Never answers, and does not say that it will not.
fn silence(acknowledge: oneshot::Sender<Vec<Delivery>>) {
    tokio::spawn(async move {
        let _kept = acknowledge;
        std::future::pending::<()>().await;
    });
}

/// The brokers' clock, which is right.
pub fn now_ms(world: &World) -> i64 {
    crate::environment::BEGAN_MS + i64::try_from(world.elapsed().as_millis()).unwrap_or(i64::MAX)
}

struct SimReader {
    log: SimLog,
    partition: u16,
    next: u64,
}

#[async_trait]
impl Reader for SimReader {
    async fn next(&mut self, max: usize, patience: Duration) -> Result<Vec<StoredRecord>, Error> {
        let now = Instant::now();
        let deadline = now.checked_add(patience).unwrap_or(now + Duration::from_secs(1 << 30));
        loop {
            let changes = self.log.world.lock().topic.at(self.partition)?.changes();
            let mut changed = std::pin::pin!(changes.notified());
            changed.as_mut().enable();
            self.log.ask("read").await?;
            let records = self.look(max)?;
            if !records.is_empty() || max == 0 {
                self.next += records.len() as u64;
                return Ok(records);
            }
            if timeout_at(deadline, changed).await.is_err() {
                return Ok(Vec::new());
            }
        }
    }
}

impl SimReader {
    /// Sometimes fewer records than there are, as any log may give.
    fn look(&self, max: usize) -> Result<Vec<StoredRecord>, Error> {
        let fewer = !self.log.is_plain && self.log.world.chance(0.3);
        let max = if fewer { max.min(1 + self.log.world.below(3)) } else { max };
        let records = self.log.world.lock().topic.at(self.partition)?.read(self.next, max);
        if records.is_empty() && self.log.world.lock().log_is_away {
            self.log.world.mark(Mark::LogAway);
        }
        Ok(records)
    }
}
