//! Putting an archive into an empty log: the same bytes at the same offsets, so positions and hashes are the same too.
//!
//! The archive is verified as far as it is wanted before the first record is written, and what was written is verified
//! again in the log. A restore that was interrupted goes on: what is there already must be the beginning of the very same
//! archive, or nothing is touched.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;
use stockledger_chain::{State, admit};
use stockledger_log::{Acknowledgement, Delivery, Entry, Log, Producer, Reader, StoredRecord};
use stockledger_schemas::{LedgerId, PartitionId, Position, envelope, headers};
use tokio_util::sync::CancellationToken;

use super::error::Error;
use super::log::ArchiveLog;
use super::manifest::MANIFEST;
use crate::head::Head;
use crate::verify::{self, Fault, OnProgress, Progress, Remembered, Report, Until, verify};

/// Records of one append.
const APPEND_RECORDS_MAX: usize = 512;
/// Appends of which the outcome is awaited at the same time.
const APPENDS_MAX: usize = 8;
/// How long one read of the log waits for records that are known to be there.
const PATIENCE: Duration = Duration::from_secs(1);

/// What is to be restored, verified.
#[derive(Debug)]
pub struct Plan {
    archive: ArchiveLog,
    heads: Vec<(PartitionId, Head)>,
    /// What was found in the archive.
    pub report: Report,
}

/// What a restore did.
#[derive(Debug, Clone, Serialize)]
pub struct Restored {
    /// Which ledger.
    pub ledger_id: LedgerId,
    /// Records that were written.
    pub new_records: u64,
    /// What was found in the log afterwards.
    pub report: Report,
}

/// Verifies an archive up to where it is wanted.
///
/// # Errors
/// [`Error::Incomplete`], [`Error::Bad`] if it is damaged, [`Error::Beyond`] if it does not come so far, [`Error::BadCut`] if
/// a ledger that ends there is impossible.
pub async fn plan(archive: ArchiveLog, until: &Until, options: &verify::Options) -> Result<Plan, Error> {
    let manifest = archive.manifest();
    let mut partitions = (0..manifest.partitions).map(PartitionId);
    if let Some(missing) = partitions.find(|partition| manifest.content(*partition).is_none()) {
        return Err(Error::Incomplete(missing));
    }
    if let Until::Positions(wanted) = until {
        for wanted in wanted {
            let content = manifest.content(wanted.partition).ok_or(Error::Incomplete(wanted.partition))?;
            if wanted.seq > content.head.seq {
                let last = Position::new(wanted.partition, content.head.seq);
                return Err(Error::Beyond { wanted: *wanted, last });
            }
        }
    }
    let remembered = manifest.remembered(&archive.directory().join(MANIFEST));
    let options = verify::Options { until: until.clone(), remembered, ..options.clone() };
    let report = verify(Arc::new(archive.clone()), &options).await?;
    if let Some(failure) = report.failures().next() {
        let failure = Box::new(failure.clone());
        let is_cut = *until != Until::End && matches!(failure.fault, Fault::Unregistered { .. });
        return Err(if is_cut { Error::BadCut(failure) } else { Error::Bad(failure) });
    }
    let heads = report.partitions.iter();
    let heads = heads.filter_map(|partition| Some((partition.partition, partition.head?))).collect();
    Ok(Plan { archive, heads, report })
}

impl Plan {
    /// Which ledger it is.
    #[must_use]
    pub fn ledger_id(&self) -> LedgerId {
        self.archive.manifest().ledger_id
    }

    /// How many partitions it has.
    #[must_use]
    pub fn partitions(&self) -> u16 {
        self.archive.manifest().partitions
    }
}

/// Writes what was planned into a log, and verifies it there.
///
/// # Errors
/// [`Error::PartitionCount`], [`Error::NotEmpty`]: nothing was written. [`Error::Append`], [`Error::Log`],
/// [`Error::Cancelled`]: run it again, it goes on. [`Error::Interfered`]: the log is spoilt.
pub async fn restore(
    plan: &Plan,
    log: Arc<dyn Log>,
    on_progress: Arc<OnProgress>,
    cancel: CancellationToken,
) -> Result<Restored, Error> {
    if log.partitions() != plan.partitions() {
        return Err(Error::PartitionCount { archive: plan.partitions(), log: log.partitions() });
    }
    // All partitions are looked at before anything is written.
    let mut copies = Vec::with_capacity(plan.heads.len());
    for (partition, head) in &plan.heads {
        on_progress(Progress { partition: *partition, done: 0, total: head.next_offset });
        copies.push(Copy::begin(plan, &*log, *partition, *head).await?);
    }
    let mut new_records = 0;
    for copy in &mut copies {
        new_records += copy.finish(&*log, &*on_progress, &cancel).await?;
    }
    let remembered =
        plan.heads.iter().map(|(partition, head)| Remembered::head("the archive", *partition, head));
    let options = verify::Options { remembered: remembered.collect(), cancel, ..verify::Options::default() };
    let report = verify(log, &options).await?;
    let failure = report.failures().next().cloned();
    match failure {
        Some(failure) => Err(Error::NotAsArchived(Box::new(failure))),
        None => Ok(Restored { ledger_id: plan.ledger_id(), new_records, report }),
    }
}

/// The copying of one partition.
struct Copy {
    partition: PartitionId,
    /// Where it ends.
    end: u64,
    /// Of the archive.
    reader: Box<dyn Reader>,
    state: Option<State>,
    next: u64,
}

impl Copy {
    /// Goes past what the log has already, which must be what the archive has.
    async fn begin(plan: &Plan, log: &dyn Log, partition: PartitionId, head: Head) -> Result<Self, Error> {
        let failed = |source| Error::Log { partition, source };
        let reader = plan.archive.reader(partition.0, 0).await.map_err(failed)?;
        let mut copy = Self { partition, end: head.next_offset, reader, state: None, next: 0 };
        let bounds = log.bounds(partition.0).await.map_err(failed)?;
        if bounds.begin > 0 {
            return Err(Error::NotEmpty { partition, offset: bounds.begin });
        }
        let mut existing = log.reader(partition.0, 0).await.map_err(failed)?;
        while copy.next < bounds.end {
            if copy.next >= copy.end {
                return Err(Error::NotEmpty { partition, offset: copy.next });
            }
            let left = usize::try_from(bounds.end.min(copy.end) - copy.next).unwrap_or(usize::MAX);
            let records = existing.next(left.min(APPEND_RECORDS_MAX), PATIENCE).await.map_err(failed)?;
            if records.is_empty() {
                let source = format!("the records from offset {} exist but do not come", copy.next).into();
                return Err(failed(stockledger_log::Error::Unavailable { operation: "read", source }));
            }
            for record in records {
                let ours = copy.read(1).await?;
                let is_same = ours
                    .first()
                    .is_some_and(|ours| (ours.offset, &ours.value) == (record.offset, &record.value));
                if !is_same {
                    return Err(Error::NotEmpty { partition, offset: record.offset });
                }
            }
        }
        Ok(copy)
    }

    /// The next records of the archive, admitted once more.
    async fn read(&mut self, max: usize) -> Result<Vec<StoredRecord>, Error> {
        let partition = self.partition;
        let left = usize::try_from(self.end - self.next).unwrap_or(usize::MAX);
        let records = self.reader.next(max.min(left), PATIENCE).await;
        let records = records.map_err(|source| Error::Log { partition, source })?;
        for record in &records {
            let halted = |halt: stockledger_chain::Halt| {
                let after = Position::new(partition, halt.seq);
                let fault = Fault::Halt(halt.reason);
                Error::Bad(Box::new(verify::Failure { partition, offset: halt.offset, after, fault }))
            };
            self.state = Some(match &self.state {
                None => State::begin(&record.value, partition).map_err(halted)?,
                Some(state) => admit(state, record.offset, &record.value).map_err(halted)?.next,
            });
            self.next = record.offset + 1;
        }
        Ok(records)
    }

    /// Appends what is missing; says how many records that were.
    async fn finish(
        &mut self,
        log: &dyn Log,
        on_progress: &OnProgress,
        cancel: &CancellationToken,
    ) -> Result<u64, Error> {
        let (partition, total, first) = (self.partition, self.end, self.next);
        if first >= total {
            return Ok(0);
        }
        let producer = log.producer(partition.0).map_err(|source| Error::Log { partition, source })?;
        let mut appends = Appends { partition, producer, in_flight: VecDeque::new() };
        while self.next < total {
            if cancel.is_cancelled() {
                return Err(Error::Cancelled);
            }
            let records = self.read(APPEND_RECORDS_MAX).await?;
            if records.is_empty() {
                let what = "the archive ended early";
                let source = stockledger_log::Error::Mismatch(what.to_owned());
                return Err(Error::Log { partition, source });
            }
            appends.hand_over(&records)?;
            appends.wait_until(APPENDS_MAX).await?;
            on_progress(Progress { partition, done: self.next, total });
        }
        appends.wait_until(0).await?;
        Ok(total - first)
    }
}

/// What was handed to a log, in order.
struct Appends {
    partition: PartitionId,
    producer: Box<dyn Producer>,
    /// With the offset that the first record of each must get.
    in_flight: VecDeque<(u64, Acknowledgement)>,
}

impl Appends {
    fn hand_over(&mut self, records: &[StoredRecord]) -> Result<(), Error> {
        let Some(first) = records.first() else { return Ok(()) };
        let entries: Result<Vec<Entry>, Error> =
            records.iter().map(|record| entry_of(self.partition, record.value.clone())).collect();
        self.in_flight.push_back((first.offset, self.producer.append(entries?)));
        Ok(())
    }

    /// Waits until at most so many are in flight. A record that does not stand where it must is an error.
    async fn wait_until(&mut self, in_flight_max: usize) -> Result<(), Error> {
        let partition = self.partition;
        while self.in_flight.len() > in_flight_max {
            let Some((first, acknowledgement)) = self.in_flight.pop_front() else { return Ok(()) };
            let deliveries = acknowledgement.await.map_err(|_| Error::Append { partition, source: None })?;
            for (expected, delivery) in (first..).zip(deliveries) {
                match delivery {
                    Delivery::Appended { offset: Some(found) } if found != expected => {
                        return Err(Error::Interfered { partition, expected, found });
                    }
                    // Where the log cannot tell, the verification at the end does.
                    Delivery::Appended { .. } => {}
                    Delivery::Unknown(source) => {
                        return Err(Error::Append { partition, source: Some(source) });
                    }
                }
            }
        }
        Ok(())
    }
}

/// A record as its writer appended it: key and headers follow from the bytes.
fn entry_of(partition: PartitionId, value: Bytes) -> Result<Entry, Error> {
    let record = envelope::decode(&value)?;
    let key = Bytes::copy_from_slice(record.key().as_bytes());
    Ok(Entry { key, value, headers: headers::of_record(partition, &record) })
}
