//! Making the tables again from the first record: into a fresh version beside the one in use, then the pointer moves.
//!
//! Queries answer from the old version until the moment of the switch. A rebuild that did not finish leaves a version
//! that nothing uses; the next one removes it.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt, stream};
use stockledger_log::Log;
use stockledger_schemas::{PartitionId, Timestamp};
use tokio_util::sync::CancellationToken;

use crate::follower::{Advance, Follower, Source};
use crate::read;
use crate::stop::{Halted, Stop};
use crate::store::{self, Activation, Store};
use crate::table::Version;
use crate::verify::verify;

/// Partitions that are replayed at the same time.
const REPLAYS_AT_ONCE: usize = 4;
/// How often a new version may be found behind the one in use before the rebuild gives up. With every round there is less
/// to catch up with, so only a ledger that never pauses for a moment comes to it.
const ROUNDS_MAX: u32 = 200;
/// How long one read waits for records that are known to be there.
const PATIENCE: Duration = Duration::from_secs(1);

/// How far a replay is in one partition; told after every batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReplayProgress {
    /// The partition.
    pub partition: PartitionId,
    /// Offsets that are done.
    pub done: u64,
    /// Offsets that there are to do.
    pub total: u64,
    /// Decisions that the last batch brought.
    pub decisions: u64,
    /// Events in them.
    pub events: u64,
}

/// Who is told of the progress of a replay.
pub type OnProgress = dyn Fn(ReplayProgress) + Send + Sync;

/// What a replay or a rebuild works with.
#[derive(Clone)]
pub struct Replay {
    /// Where history is.
    pub log: Arc<dyn Log>,
    /// Where the tables are made.
    pub store: Arc<dyn Store>,
    /// Who is told how far it is.
    pub on_progress: Arc<OnProgress>,
    /// Ends it early, between two batches.
    pub cancel: CancellationToken,
}

/// What a replay did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Replayed {
    /// Decisions that were folded.
    pub decisions: u64,
    /// Events in them.
    pub events: u64,
}

/// What a rebuild did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rebuilt {
    /// The version that is active now.
    pub version: Version,
    /// The version that was active before and is gone now.
    pub replaced: Option<Version>,
    /// What was folded.
    pub replayed: Replayed,
}

/// Why a replay or a rebuild did not finish. The version in use is untouched.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A partition cannot be read past some record, or is not the log that it should be.
    #[error(transparent)]
    Halted(Halted),
    /// The log or the store did not answer.
    #[error("the log or the projection store is not available")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The store did not do what it was asked to.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// Somebody else writes to the version that is being made, or switched while it was.
    #[error("another rebuild or switch came between")]
    Superseded,
    /// The version in use was ahead of the new one however often that caught up.
    #[error(
        "the version in use was further {0} times when the new one had caught up with it: rebuild when less is written \
         to the ledger, or while no projector runs"
    )]
    NeverLevel(u32),
    /// It was told to stop.
    #[error("stopped before the end")]
    Cancelled,
}

impl From<Stop> for Error {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Superseded => Self::Superseded,
            Stop::Unavailable(source) => Self::Unavailable(source),
            Stop::Refused(error) => Self::Store(error),
            Stop::LogShorter(halted) | Stop::Halted(halted) => Self::Halted(halted),
        }
    }
}

/// Makes a fresh version from the whole log, makes it the active one and removes the one before.
///
/// # Errors
/// [`Error`]; what was made is removed again as far as the store answers.
pub async fn rebuild(replay: &Replay, now: Timestamp) -> Result<Rebuilt, Error> {
    let store = &*replay.store;
    let (active, version) = make_room(store).await?;
    fits_the_log(replay, active).await?;
    store.create_version(version, now).await?;
    let made = fill_and_switch(replay, active, version).await;
    let (last, drop_result) = match &made {
        Ok(_) => (active, "the version that was replaced could not be removed"),
        Err(_) => (Some(version), "what an unfinished rebuild made could not be removed"),
    };
    if let Some(version) = last
        && let Err(error) = store.drop_version(version).await
    {
        tracing::warn!(%version, %error, "{drop_result}");
    }
    Ok(Rebuilt { version, replaced: active, replayed: made? })
}

/// Refuses to go back behind answers that were given: the version in use must not know more than the log does.
async fn fits_the_log(replay: &Replay, active: Option<Version>) -> Result<(), Error> {
    let Some(active) = active else { return Ok(()) };
    let checkpoints = read::checkpoints(&mut *replay.store.snapshot().await?, active).await?;
    for checkpoint in checkpoints {
        verify(&*replay.log, checkpoint.partition, Some(&checkpoint)).await?;
    }
    Ok(())
}

/// Removes what earlier rebuilds left, unfinished or replaced; says which version is active and which number is free.
async fn make_room(store: &dyn Store) -> Result<(Option<Version>, Version), Error> {
    let mut snapshot = store.snapshot().await?;
    let active = read::active(&mut *snapshot).await?;
    let versions = read::versions(&mut *snapshot).await?;
    drop(snapshot);
    for left_over in versions.iter().filter(|info| Some(info.version) != active) {
        store.drop_version(left_over.version).await?;
    }
    let free = versions.last().map_or(Version::FIRST, |info| info.version.next());
    Ok((active, free))
}

async fn fill_and_switch(
    replay: &Replay,
    active: Option<Version>,
    version: Version,
) -> Result<Replayed, Error> {
    let mut replayed = replay_into(replay, version).await?;
    for _ in 0..ROUNDS_MAX {
        match replay.store.activate(active, version).await? {
            Activation::Activated => return Ok(replayed),
            Activation::Superseded => return Err(Error::Superseded),
            // The version in use has gone on meanwhile; answers must not go back behind it.
            Activation::Behind => {}
        }
        let ends = ends_where_behind(replay, active, version).await?;
        let more = replay_until(replay, version, &ends).await?;
        replayed = Replayed {
            decisions: replayed.decisions + more.decisions,
            events: replayed.events + more.events,
        };
    }
    Err(Error::NeverLevel(ROUNDS_MAX))
}

/// Where the log ends, for every partition in which the active version is ahead of the new one. To the end of the log and
/// not just as far as the active version is, so that the new one is as likely as not to be ahead in the next round.
async fn ends_where_behind(
    replay: &Replay,
    active: Option<Version>,
    version: Version,
) -> Result<Vec<(PartitionId, u64)>, Error> {
    let Some(active) = active else { return Ok(Vec::new()) };
    let mut snapshot = replay.store.snapshot().await?;
    let new = read::checkpoints(&mut *snapshot, version).await?;
    let old = read::checkpoints(&mut *snapshot, active).await?;
    drop(snapshot);
    let next_offset = |partition: PartitionId| {
        new.iter().find(|checkpoint| checkpoint.partition == partition).map_or(0, |found| found.next_offset)
    };
    let mut ends = Vec::new();
    for ahead in old.iter().filter(|old| old.next_offset > next_offset(old.partition)) {
        ends.push((ahead.partition, log_end(&*replay.log, ahead.partition).await?.max(ahead.next_offset)));
    }
    Ok(ends)
}

async fn log_end(log: &dyn Log, partition: PartitionId) -> Result<u64, Error> {
    Ok(log.bounds(partition.0).await.map_err(Stop::from)?.end)
}

/// Folds the whole log, as long as it is now, into a version whose tables exist. Goes on where it stopped.
///
/// # Errors
/// [`Error`], but for those of switching.
pub async fn replay_into(replay: &Replay, version: Version) -> Result<Replayed, Error> {
    let mut ends = Vec::new();
    for partition in (0..replay.log.partitions()).map(PartitionId) {
        ends.push((partition, log_end(&*replay.log, partition).await?));
    }
    replay_until(replay, version, &ends).await
}

async fn replay_until(
    replay: &Replay,
    version: Version,
    ends: &[(PartitionId, u64)],
) -> Result<Replayed, Error> {
    stream::iter(ends.iter().copied())
        .map(|(partition, end)| replay_partition(replay, version, partition, end))
        .buffer_unordered(REPLAYS_AT_ONCE)
        .try_fold(Replayed::default(), |sum, one| async move {
            Ok(Replayed { decisions: sum.decisions + one.decisions, events: sum.events + one.events })
        })
        .await
}

/// Records that were there must not go away while they are awaited.
async fn check_end(log: &dyn Log, partition: PartitionId, total: u64) -> Result<(), Error> {
    let end = log_end(log, partition).await?;
    if end >= total {
        return Ok(());
    }
    Err(Error::Halted(Halted::LogShorter { partition, end, remembered: total }))
}

async fn replay_partition(
    replay: &Replay,
    version: Version,
    partition: PartitionId,
    total: u64,
) -> Result<Replayed, Error> {
    let Replay { log, store, on_progress, cancel } = replay.clone();
    let mut follower = Follower::resume(Source { log, store, cancel }, version, partition).await?;
    let mut replayed = Replayed::default();
    while follower.checkpoint().next_offset < total {
        if replay.cancel.is_cancelled() {
            return Err(Error::Cancelled);
        }
        let is_level = !follower.is_there(total, PATIENCE).await?;
        let advance = if is_level { Advance::default() } else { follower.advance(total).await? };
        replayed.decisions += advance.decisions;
        replayed.events += advance.events;
        let done = follower.checkpoint().next_offset;
        if is_level && done < total {
            check_end(&*replay.log, partition, total).await?;
        }
        on_progress(ReplayProgress {
            partition,
            done,
            total,
            decisions: advance.decisions,
            events: advance.events,
        });
    }
    Ok(replayed)
}
