//! One partition in memory: its records, what is planned for it, and what is in flight. Synchronous and without locks.

use std::collections::VecDeque;

use tokio::sync::oneshot;

use super::unavailable;
use crate::{Bounds, Delivery, Entry, Error, StoredRecord};

type Acknowledge = oneshot::Sender<Vec<Delivery>>;

/// What becomes of one appended batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fate {
    /// What becomes of its records.
    pub landing: Landing,
    /// What its producer hears.
    pub answer: Answer,
}

impl Fate {
    /// All goes well.
    pub const HEALTHY: Self = Self { landing: Landing::AtOnce, answer: Answer::Offsets };

    /// Lands as told and is answered well, as far as it landed.
    #[must_use]
    pub const fn landing(landing: Landing) -> Self {
        Self { landing, ..Self::HEALTHY }
    }

    /// Lands well and is answered as told.
    #[must_use]
    pub const fn answer(answer: Answer) -> Self {
        Self { answer, ..Self::HEALTHY }
    }
}

/// What becomes of the records of a batch. A number says which record of the batch is struck, from 0; all others land
/// at once, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Landing {
    /// All land at once.
    AtOnce,
    /// The whole batch is in flight: it lands when it is released, and only then is it answered.
    Held,
    /// The record never lands, and is answered as unknown.
    Without(usize),
    /// The record is in flight: it lands when it is released, and is answered as unknown at once.
    Late(usize),
    /// The record lands twice, one behind the other, and is answered with the first offset.
    Twice(usize),
    /// The record lands, and a copy of it is in flight and lands again when it is released.
    Again(usize),
}

/// What the producer of a batch hears.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// What really became of each record.
    Offsets,
    /// The same, but without the offsets.
    WithoutOffsets,
    /// That nothing is known, whatever landed; at once, also for a batch that is held.
    Unknown,
    /// Nothing yet: the answer is in flight.
    Held,
}

/// What was held back.
#[derive(Debug)]
enum InFlight {
    /// A whole batch, which is still to be answered.
    Batch { entries: Vec<Entry>, answer: Answer, acknowledge: Acknowledge },
    /// Records that nobody waits for any more.
    Records(Vec<Entry>),
    /// An answer whose records have landed.
    Answer { deliveries: Vec<Delivery>, acknowledge: Acknowledge },
}

/// One partition.
#[derive(Debug, Default)]
pub(super) struct Partition {
    begin: u64,
    records: VecDeque<StoredRecord>,
    plan: VecDeque<Fate>,
    in_flight: Vec<InFlight>,
    read_failures: usize,
}

impl Partition {
    pub(super) fn append(&mut self, entries: Vec<Entry>, acknowledge: Acknowledge, clock_ms: i64) {
        let Fate { landing, answer } = self.plan.pop_front().unwrap_or(Fate::HEALTHY);
        match (landing, answer) {
            (Landing::Held, Answer::Unknown) => {
                give_up(entries.len(), acknowledge);
                self.in_flight.push(InFlight::Records(entries));
            }
            (Landing::Held, answer) => {
                self.in_flight.push(InFlight::Batch { entries, answer, acknowledge });
            }
            (landing, answer) => {
                let deliveries = self.land_all(entries, landing, clock_ms);
                self.answer(deliveries, answer, acknowledge);
            }
        }
    }

    fn land_all(&mut self, entries: Vec<Entry>, landing: Landing, clock_ms: i64) -> Vec<Delivery> {
        let landed = |offset| Delivery::Appended { offset: Some(offset) };
        let mut deliveries = Vec::with_capacity(entries.len());
        for (index, entry) in entries.into_iter().enumerate() {
            deliveries.push(match landing {
                Landing::Without(struck) if struck == index => unknown(),
                Landing::Late(struck) if struck == index => {
                    self.in_flight.push(InFlight::Records(vec![entry]));
                    unknown()
                }
                Landing::Twice(struck) if struck == index => {
                    let first = self.land(entry.clone(), clock_ms);
                    self.land(entry, clock_ms);
                    landed(first)
                }
                Landing::Again(struck) if struck == index => {
                    self.in_flight.push(InFlight::Records(vec![entry.clone()]));
                    landed(self.land(entry, clock_ms))
                }
                _ => landed(self.land(entry, clock_ms)),
            });
        }
        deliveries
    }

    fn answer(&mut self, mut deliveries: Vec<Delivery>, answer: Answer, acknowledge: Acknowledge) {
        match answer {
            Answer::Unknown => return give_up(deliveries.len(), acknowledge),
            Answer::Held => return self.in_flight.push(InFlight::Answer { deliveries, acknowledge }),
            Answer::WithoutOffsets => deliveries.iter_mut().for_each(forget_offset),
            Answer::Offsets => {}
        }
        // A producer that no longer listens does not change what landed.
        let _ = acknowledge.send(deliveries);
    }

    /// Puts a record behind the last one; its offset.
    pub(super) fn land(&mut self, entry: Entry, clock_ms: i64) -> u64 {
        let offset = self.bounds().end;
        let Entry { key, value, .. } = entry;
        self.records.push_back(StoredRecord { offset, key, value, appended_at_ms: clock_ms });
        offset
    }

    pub(super) fn release(&mut self, index: usize, clock_ms: i64) -> bool {
        if index >= self.in_flight.len() {
            return false;
        }
        match self.in_flight.remove(index) {
            InFlight::Batch { entries, answer, acknowledge } => {
                let deliveries = self.land_all(entries, Landing::AtOnce, clock_ms);
                self.answer(deliveries, answer, acknowledge);
            }
            InFlight::Records(entries) => {
                self.land_all(entries, Landing::AtOnce, clock_ms);
            }
            InFlight::Answer { deliveries, acknowledge } => {
                self.answer(deliveries, Answer::Offsets, acknowledge);
            }
        }
        true
    }

    pub(super) fn lose(&mut self, index: usize) -> bool {
        index < self.in_flight.len() && {
            self.in_flight.remove(index);
            true
        }
    }

    pub(super) fn plan(&mut self, fate: Fate) {
        self.plan.push_back(fate);
    }

    pub(super) fn planned(&self) -> usize {
        self.plan.len()
    }

    pub(super) fn in_flight(&self) -> usize {
        self.in_flight.len()
    }

    pub(super) fn fail_reads(&mut self, count: usize) {
        self.read_failures = count;
    }

    /// Whether this read is one that is to fail.
    pub(super) fn take_read_failure(&mut self) -> bool {
        let fails = self.read_failures > 0;
        self.read_failures = self.read_failures.saturating_sub(1);
        fails
    }

    pub(super) fn delete_before(&mut self, offset: u64) {
        while self.begin < offset && self.records.pop_front().is_some() {
            self.begin += 1;
        }
    }

    pub(super) fn cut_off(&mut self, offset: u64) {
        while self.bounds().end > offset && self.records.pop_back().is_some() {}
    }

    pub(super) fn bounds(&self) -> Bounds {
        Bounds { begin: self.begin, end: self.begin + self.records.len() as u64 }
    }

    /// At most `count_max` records from `from` on; none if there are none yet.
    pub(super) fn read(&self, from: u64, count_max: usize) -> Result<Vec<StoredRecord>, Error> {
        let Some(skipped) = from.checked_sub(self.begin) else {
            return Err(Error::Truncated { begin: self.begin, wanted: from });
        };
        let skipped = usize::try_from(skipped).unwrap_or(usize::MAX);
        Ok(self.records.iter().skip(skipped).take(count_max).cloned().collect())
    }
}

fn forget_offset(delivery: &mut Delivery) {
    if let Delivery::Appended { offset } = delivery {
        *offset = None;
    }
}

fn unknown() -> Delivery {
    Delivery::Unknown(unavailable("append"))
}

/// Answers that nothing is known of `count` records.
pub(super) fn give_up(count: usize, acknowledge: Acknowledge) {
    let _ = acknowledge.send(std::iter::repeat_with(unknown).take(count).collect());
}
