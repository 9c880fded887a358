//! Bringing partitions of a version to an offset, whoever else follows them at the same time.

use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt, stream};
use stockledger_log::Log;
use stockledger_schemas::PartitionId;

use crate::follower::{Advance, Follower, Source};
use crate::read;
use crate::stop::{Halted, Stop};
use crate::table::Version;

/// Partitions that are brought on at the same moment.
const AT_ONCE: usize = 4;
/// How long one read waits for records that are known to be there.
const PATIENCE: Duration = Duration::from_secs(1);
/// How soon it is looked again when somebody else follows the same partition.
const AGAIN_AFTER: Duration = Duration::from_millis(5);

/// Where the log ends now, in every partition.
pub(crate) async fn log_ends(log: &dyn Log) -> Result<Vec<(PartitionId, u64)>, Stop> {
    let mut ends = Vec::new();
    for partition in (0..log.partitions()).map(PartitionId) {
        ends.push((partition, log.bounds(partition.0).await?.end));
    }
    Ok(ends)
}

/// Brings every partition to the offset given for it.
pub(crate) async fn bring_all(
    source: &Source,
    version: Version,
    targets: &[(PartitionId, u64)],
) -> Result<(), Stop> {
    stream::iter(targets.iter().copied())
        .map(|(partition, target)| bring(source, version, partition, target, |_, _| {}))
        .buffer_unordered(AT_ONCE)
        .try_collect()
        .await
}

/// Brings one partition to an offset up to which the log was seen to reach; `note` is told of every commit. Where it is
/// further already nothing is done. Ends early if it is cancelled.
pub(crate) async fn bring(
    source: &Source,
    version: Version,
    partition: PartitionId,
    target: u64,
    mut note: impl FnMut(u64, Advance) + Send,
) -> Result<(), Stop> {
    while !source.cancel.is_cancelled() && next_offset(source, version, partition).await? < target {
        match advance_to(source, version, partition, target, &mut note).await {
            // Somebody else follows it too and was first: together we come there, unless it was dropped.
            Err(Stop::Superseded) if is_there(source, version).await? => {
                tokio::time::sleep(AGAIN_AFTER).await;
            }
            Err(Stop::Superseded) => return Err(Stop::Halted(Halted::VersionGone(version))),
            outcome => outcome?,
        }
    }
    Ok(())
}

async fn is_there(source: &Source, version: Version) -> Result<bool, Stop> {
    let versions = read::versions(&mut *source.store.snapshot().await?).await?;
    Ok(versions.iter().any(|info| info.version == version))
}

async fn next_offset(source: &Source, version: Version, partition: PartitionId) -> Result<u64, Stop> {
    let mut snapshot = source.store.snapshot().await?;
    let checkpoint = read::checkpoint(&mut *snapshot, version, partition).await?;
    Ok(checkpoint.map_or(0, |checkpoint| checkpoint.next_offset))
}

async fn advance_to(
    source: &Source,
    version: Version,
    partition: PartitionId,
    target: u64,
    note: &mut impl FnMut(u64, Advance),
) -> Result<(), Stop> {
    let mut follower = Follower::resume(source.clone(), version, partition).await?;
    while follower.checkpoint().next_offset < target && !source.cancel.is_cancelled() {
        if follower.is_there(target, PATIENCE).await? {
            let advance = follower.advance(target).await?;
            note(follower.checkpoint().next_offset, advance);
        } else {
            check_end(&*source.log, partition, target).await?;
        }
    }
    Ok(())
}

/// Records that were there must not go away while they are awaited.
pub(crate) async fn check_end(log: &dyn Log, partition: PartitionId, remembered: u64) -> Result<(), Stop> {
    let end = log.bounds(partition.0).await?.end;
    if end >= remembered {
        return Ok(());
    }
    Err(Stop::LogShorter(Halted::LogShorter { partition, end, remembered }))
}
