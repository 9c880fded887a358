//! Reading a partition in order while what was read is worked on by a thread.
//!
//! ```text
//! log --batches, a bounded number--> thread
//! ```

use std::time::Duration;

use stockledger_log::{Error, Log, StoredRecord};
use stockledger_schemas::PartitionId;
use tokio::sync::mpsc;
use tokio::task::JoinError;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

/// Most records of one read.
const READ_RECORDS_MAX: usize = 1_024;
/// Batches of a partition that wait to be worked on. With the batch that is read and the one that is worked on they bound
/// the memory that it takes.
const BATCHES_MAX: usize = 4;
/// How long one read waits for records that are known to be there.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long a log that is shorter than it was is given to come back.
const SHORTER_PATIENCE: Duration = Duration::from_secs(30);

/// The records that are waiting, batch by batch.
pub(crate) type Batches = mpsc::Receiver<Vec<StoredRecord>>;

/// Which records.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Range {
    pub(crate) partition: PartitionId,
    /// The offset of the first.
    pub(crate) from: u64,
    /// The offset behind the last.
    pub(crate) end: u64,
}

/// Why the reading ended early.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The log does not answer, or is not as it must be.
    Log(Error),
    /// It was told to stop.
    Cancelled,
}

/// Reads the records of a range and gives them to `work` on a thread of its own, until there are no more or `work` drops
/// its end. Says what `work` returned, and why the reading ended early if it did.
pub(crate) async fn work_on<T: Send + 'static>(
    log: &dyn Log,
    range: Range,
    cancel: &CancellationToken,
    work: impl FnOnce(Batches) -> T + Send + 'static,
) -> Result<(T, Result<(), Stop>), JoinError> {
    let (sender, batches) = mpsc::channel(BATCHES_MAX);
    let working = tokio::task::spawn_blocking(move || work(batches));
    let read = read_all(log, range, &sender, cancel).await;
    drop(sender);
    Ok((working.await?, read))
}

async fn read_all(
    log: &dyn Log,
    Range { partition, from, end }: Range,
    batches: &mpsc::Sender<Vec<StoredRecord>>,
    cancel: &CancellationToken,
) -> Result<(), Stop> {
    if from >= end {
        return Ok(());
    }
    let mut reader = log.reader(partition.0, from).await.map_err(Stop::Log)?;
    let mut next = from;
    while next < end {
        let mut records = tokio::select! {
            biased;
            () = cancel.cancelled() => return Err(Stop::Cancelled),
            // Cancel-safe: a read that was dropped took nothing.
            records = reader.next(READ_RECORDS_MAX, PATIENCE) => records.map_err(Stop::Log)?,
        };
        if records.is_empty() {
            let has_all = cancel.run_until_cancelled(reaches(log, partition, end)).await;
            if !has_all.ok_or(Stop::Cancelled)?.map_err(Stop::Log)? {
                // It lost records while it was read: whoever works on them sees that they are missing.
                return Ok(());
            }
        }
        // Offsets that are not dense are for others to find.
        records.retain(|record| record.offset < end);
        let Some(last) = records.last() else { continue };
        next = last.offset + 1;
        if batches.send(records).await.is_err() {
            return Ok(());
        }
    }
    // An archive tells of a damaged file behind the records in it that can be made out, so it is asked once more.
    match reader.next(1, Duration::ZERO).await {
        Err(error @ Error::Mismatch(_)) => Err(Stop::Log(error)),
        _ => Ok(()),
    }
}

/// Whether a log reaches as far as it did, at once or soon, as after a broker's fail-over.
async fn reaches(log: &dyn Log, partition: PartitionId, end: u64) -> Result<bool, Error> {
    let deadline = Instant::now() + SHORTER_PATIENCE;
    loop {
        if log.bounds(partition.0).await?.end >= end {
            return Ok(true);
        }
        if Instant::now() >= deadline {
            return Ok(false);
        }
        sleep(PATIENCE).await;
    }
}

/// Where the partitions that were chosen end now, all without a choice: ascending, each once. The directory's end is asked
/// for last: a site is registered there before it is opened elsewhere, so whatever was opened below the other ends is
/// registered below this one.
pub(crate) async fn ends(
    log: &dyn Log,
    chosen: Option<&[PartitionId]>,
) -> Result<Vec<(PartitionId, stockledger_log::Bounds)>, (PartitionId, Error)> {
    let all = || (0..log.partitions()).map(PartitionId).collect();
    let mut partitions: Vec<PartitionId> = chosen.map_or_else(all, <[PartitionId]>::to_vec);
    partitions.sort_unstable();
    partitions.dedup();
    let mut ends = Vec::with_capacity(partitions.len());
    for partition in partitions.into_iter().rev() {
        ends.push((partition, log.bounds(partition.0).await.map_err(|error| (partition, error))?));
    }
    ends.reverse();
    Ok(ends)
}
