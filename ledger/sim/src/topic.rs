//! The log itself, as the brokers have it: records, what was acknowledged of them, and what is still under way to them.

use std::sync::Arc;

use bytes::Bytes;
use fastrand::Rng;
use stockledger_log::{Delivery, Entry, Error, StoredRecord};
use stockledger_schemas::{Actor, Decision, PartitionId, envelope};
use tokio::sync::Notify;

use crate::mark::Mark;
use crate::referee::Referee;
use crate::world::partitions;

/// Every partition of the log.
pub struct Topic {
    partitions: Vec<Partition>,
}

/// One partition.
pub struct Partition {
    records: Vec<StoredRecord>,
    /// Everything below was acknowledged to somebody, or stands before something that was.
    acknowledged: u64,
    /// Records that their producer has given up, still under way.
    late: Vec<Entry>,
    /// What is true of the partition.
    pub referee: Referee,
    /// From this offset on readers must not go: it was changed, or is of a newer format.
    pub unreadable_from: Option<u64>,
    /// Tables must not include the record at this offset, because none did when it became unreadable.
    pub must_stop_at: Option<u64>,
    /// Raised by an unclean election: what is under way to the brokers then never arrives.
    pub epoch: u64,
    /// Whether a record landed that nobody can read past.
    is_blocked: bool,
    /// Whether acknowledged records were lost: the log no longer keeps its promise.
    pub is_truncated: bool,
    changed: Arc<Notify>,
}

/// What becomes of one append.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It lands and is answered.
    Lands,
    /// It lands, and its producer hears that nothing is known.
    LandsUnknown,
    /// It lands, and its producer hears nothing.
    LandsSilently,
    /// It lands, and its producer hears no offsets.
    LandsWithoutOffsets,
    /// It does not land, and its producer hears that nothing is known.
    Lost,
    /// It does not land, and its producer hears nothing.
    LostSilently,
    /// It lands later, and its producer hears that nothing is known.
    Late,
    /// One record of it does not land.
    Without(usize),
    /// One record of it lands later.
    LateOne(usize),
    /// One record of it lands twice, one behind the other.
    Twice(usize),
    /// One record of it lands again later.
    Again(usize),
}

/// What a producer hears.
pub enum Heard {
    /// This.
    Deliveries(Vec<Delivery>),
    /// Nothing.
    Nothing,
}

/// What landing came to.
pub struct Landed {
    /// What the producer hears.
    pub heard: Heard,
    /// What was come across.
    pub marks: Vec<Mark>,
    /// What must never happen, if it did.
    pub violation: Option<String>,
}

impl Topic {
    /// A log without records.
    #[must_use]
    pub fn new(count: u16) -> Self {
        Self { partitions: partitions(count).map(Partition::new).collect() }
    }

    /// How many partitions there are.
    #[must_use]
    pub fn count(&self) -> u16 {
        u16::try_from(self.partitions.len()).unwrap_or(u16::MAX)
    }

    /// One partition.
    ///
    /// # Errors
    /// [`Error::NoSuchPartition`].
    pub fn at(&self, partition: u16) -> Result<&Partition, Error> {
        let no_such = Error::NoSuchPartition { partition, partitions: self.count() };
        self.partitions.get(usize::from(partition)).ok_or(no_such)
    }

    /// One partition, to be changed.
    ///
    /// # Errors
    /// [`Error::NoSuchPartition`].
    pub fn at_mut(&mut self, partition: u16) -> Result<&mut Partition, Error> {
        let no_such = Error::NoSuchPartition { partition, partitions: self.count() };
        self.partitions.get_mut(usize::from(partition)).ok_or(no_such)
    }

    /// All partitions.
    pub fn all(&self) -> impl Iterator<Item = &Partition> {
        self.partitions.iter()
    }

    /// All partitions, to be changed.
    pub fn all_mut(&mut self) -> impl Iterator<Item = &mut Partition> {
        self.partitions.iter_mut()
    }
}

impl Partition {
    fn new(partition: PartitionId) -> Self {
        Self {
            records: Vec::new(),
            acknowledged: 0,
            late: Vec::new(),
            referee: Referee::new(partition),
            unreadable_from: None,
            must_stop_at: None,
            is_blocked: false,
            epoch: 0,
            is_truncated: false,
            changed: Arc::default(),
        }
    }

    /// The offset of the next record.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.records.len() as u64
    }

    /// Tells of every change, in the order in which it was asked to.
    #[must_use]
    pub fn changes(&self) -> Arc<Notify> {
        self.changed.clone()
    }

    /// At most so many records from `from` on.
    #[must_use]
    pub fn read(&self, from: u64, count_max: usize) -> Vec<StoredRecord> {
        let skipped = usize::try_from(from).unwrap_or(usize::MAX);
        self.records.iter().skip(skipped).take(count_max).cloned().collect()
    }

    /// An append arrives at the brokers and meets its fate.
    pub fn append(&mut self, entries: Vec<Entry>, fate: Fate, now_ms: i64) -> Landed {
        let mut landed = Landed { heard: Heard::Nothing, marks: Vec::new(), violation: None };
        let deliveries = self.land_all(entries, fate, now_ms, &mut landed);
        let count = deliveries.len();
        landed.heard = match fate {
            Fate::LandsSilently | Fate::LostSilently => Heard::Nothing,
            Fate::LandsUnknown => Heard::Deliveries((0..count).map(|_| unknown()).collect()),
            Fate::LandsWithoutOffsets => {
                self.acknowledge(&deliveries);
                landed.marks.push(Mark::OffsetsWithheld);
                Heard::Deliveries(deliveries.into_iter().map(without_offset).collect())
            }
            _ => {
                self.acknowledge(&deliveries);
                Heard::Deliveries(deliveries)
            }
        };
        match fate {
            Fate::LandsSilently | Fate::LandsUnknown => landed.marks.push(Mark::AcknowledgementLost),
            Fate::Lost | Fate::LostSilently => landed.marks.push(Mark::AppendLost),
            Fate::Without(_) if count > 1 => landed.marks.push(Mark::RecordLostInBatch),
            Fate::Twice(_) => landed.marks.push(Mark::LandedTwice),
            _ => {}
        }
        self.changed.notify_waiters();
        landed
    }

    fn acknowledge(&mut self, deliveries: &[Delivery]) {
        for delivery in deliveries {
            if let Delivery::Appended { offset: Some(offset) } = delivery {
                self.acknowledged = self.acknowledged.max(offset + 1);
            }
        }
    }

    fn land_all(
        &mut self,
        entries: Vec<Entry>,
        fate: Fate,
        now_ms: i64,
        landed: &mut Landed,
    ) -> Vec<Delivery> {
        let mut deliveries = Vec::with_capacity(entries.len());
        for (index, entry) in entries.into_iter().enumerate() {
            let appended = |offset| Delivery::Appended { offset: Some(offset) };
            deliveries.push(match fate {
                Fate::Lost | Fate::LostSilently => unknown(),
                Fate::Without(struck) if struck == index => unknown(),
                Fate::Late => {
                    self.late.push(entry);
                    unknown()
                }
                Fate::LateOne(struck) if struck == index => {
                    self.late.push(entry);
                    unknown()
                }
                Fate::Twice(struck) if struck == index => {
                    let first = self.land(entry.clone(), now_ms, landed);
                    self.land(entry, now_ms, landed);
                    appended(first)
                }
                Fate::Again(struck) if struck == index => {
                    self.late.push(entry.clone());
                    appended(self.land(entry, now_ms, landed))
                }
                _ => appended(self.land(entry, now_ms, landed)),
            });
        }
        deliveries
    }

    fn land(&mut self, entry: Entry, now_ms: i64, landed: &mut Landed) -> u64 {
        let offset = self.end();
        // Nobody may read past a record that was never readable, so what stands behind it counts for nobody.
        if !self.is_blocked {
            match self.referee.judge(offset, &entry.value) {
                Ok(mark) => landed.marks.extend(mark),
                Err(wrong) => landed.violation = landed.violation.take().or(Some(wrong)),
            }
        }
        let Entry { key, value, .. } = entry;
        self.records.push(StoredRecord { offset, key, value, appended_at_ms: now_ms });
        offset
    }

    /// How many records are under way that nobody waits for.
    #[must_use]
    pub fn late(&self) -> usize {
        self.late.len()
    }

    /// One of the records under way arrives, or is lost for good.
    pub fn settle_late(&mut self, rng: &mut Rng, now_ms: i64) -> Landed {
        let mut landed = Landed { heard: Heard::Nothing, marks: Vec::new(), violation: None };
        if self.late.is_empty() {
            return landed;
        }
        let entry = self.late.swap_remove(rng.usize(..self.late.len()));
        if rng.u32(..3) > 0 {
            landed.marks.push(Mark::LandedLate);
            self.land(entry, now_ms, &mut landed);
            self.changed.notify_waiters();
        }
        landed
    }

    /// Changes one byte of a stored record behind the genesis; says at which offset.
    pub fn flip(&mut self, rng: &mut Rng) -> Option<u64> {
        if self.end() < 2 || self.unreadable_from.is_some() {
            return None;
        }
        let offset = rng.u64(1..self.end());
        let record = self.records.get_mut(usize::try_from(offset).ok()?)?;
        let mut bytes = record.value.to_vec();
        let at = rng.usize(..bytes.len());
        bytes[at] ^= 1 << rng.u32(..8);
        record.value = Bytes::from(bytes);
        self.unreadable_from = Some(offset);
        self.changed.notify_waiters();
        Some(offset)
    }

    /// Puts another well-formed decision in the place of one that another follows; says where it stands, and where that does.
    pub fn tamper(&mut self, rng: &mut Rng) -> Option<(u64, u64)> {
        let offsets = self.referee.offsets();
        if offsets.len() < 2 || self.unreadable_from.is_some() {
            return None;
        }
        let at = rng.usize(..offsets.len() - 1);
        let (offset, next) = (offsets[at], offsets[at + 1]);
        let mut decision = Decision::clone(&self.referee.decisions()[at]);
        decision.context.actor = Actor::new("nobody").ok()?;
        let bytes = envelope::encode_decision(&decision).ok()?;
        self.records.get_mut(usize::try_from(offset).ok()?)?.value = Bytes::from(bytes);
        self.unreadable_from = Some(offset);
        self.changed.notify_waiters();
        Some((offset, next))
    }

    /// A record that this program must not read past lands; says at which offset.
    pub fn land_unreadable(&mut self, bytes: Bytes, now_ms: i64) -> Option<u64> {
        if self.unreadable_from.is_some() {
            return None;
        }
        let offset = self.end();
        self.records.push(StoredRecord { offset, key: Bytes::new(), value: bytes, appended_at_ms: now_ms });
        self.is_blocked = true;
        self.unreadable_from = Some(offset);
        self.changed.notify_waiters();
        Some(offset)
    }

    /// The records from `offset` on are gone.
    pub fn cut_off(&mut self, offset: u64) {
        let keep = usize::try_from(offset).unwrap_or(usize::MAX);
        self.records.truncate(keep);
        self.acknowledged = self.acknowledged.min(offset);
        let mut referee = Referee::new(self.referee.partition());
        for record in &self.records {
            // What was judged well once is judged well again.
            let _ = referee.judge(record.offset, &record.value);
        }
        self.referee = referee;
        self.changed.notify_waiters();
    }

    /// Nothing that was sent before arrives any more.
    pub fn lose_what_is_under_way(&mut self) {
        self.epoch += 1;
        self.late.clear();
    }

    /// Everything below this offset was acknowledged.
    #[must_use]
    pub const fn acknowledged(&self) -> u64 {
        self.acknowledged
    }
}

fn unknown() -> Delivery {
    Delivery::Unknown(unavailable("append"))
}

fn without_offset(delivery: Delivery) -> Delivery {
    match delivery {
        Delivery::Appended { .. } => Delivery::Appended { offset: None },
        unknown => unknown,
    }
}

/// The log does not do what it was asked to.
#[must_use]
pub fn unavailable(operation: &'static str) -> Error {
    Error::Unavailable { operation, source: "the simulation made it so".into() }
}
