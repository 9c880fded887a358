//! Where every version stands, for people and programs that look after the tables.

use serde::Serialize;
use stockledger_log::Log;
use stockledger_schemas::{PartitionId, Position, Timestamp};

use crate::checkpoint::Checkpoint;
use crate::level;
use crate::read::{self, VersionInfo};
use crate::rebuild::Error;
use crate::store::Store;
use crate::table::Version;

const MICROS_PER_SECOND: i64 = 1_000_000;

/// All versions of a store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Overview {
    /// The version that queries answer from.
    pub active_version: Option<Version>,
    /// All of them, oldest first.
    pub versions: Vec<VersionOverview>,
}

/// One version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VersionOverview {
    /// What is known of it as a whole.
    #[serde(flatten)]
    pub info: VersionInfo,
    /// Whether this program's code made it; another one cannot be followed or switched to.
    pub is_our_code: bool,
    /// Records of the log that it does not include yet.
    pub lag_records: u64,
    /// How old the last decision is that it includes, in the partition that is furthest behind; 0 if it is level, nothing if
    /// nobody can tell.
    pub lag_seconds: Option<u64>,
    /// How long its filling takes from now on, at the rate of the last second; only while it is being filled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds_left: Option<u64>,
    /// What its rows add up to, 16 hexadecimal digits ([`crate::digest`]).
    pub digest: String,
    /// Its partitions, those that were begun.
    pub partitions: Vec<PartitionOverview>,
}

/// One partition of a version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PartitionOverview {
    /// Which.
    pub partition: PartitionId,
    /// The last decision that it includes.
    pub position: Position,
    /// When that was recorded.
    pub as_of: Option<Timestamp>,
    /// Records of the log that it includes.
    pub records: u64,
    /// Records of the log that it does not include yet.
    pub lag_records: u64,
    /// What its rows add up to, 16 hexadecimal digits.
    pub digest: String,
    /// Why it goes no further, if it does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub halt_reason: Option<String>,
}

/// Looks at all versions of a store and at how far the log is; `now` is what ages are reckoned from.
///
/// # Errors
/// [`Error::Unavailable`] and [`Error::Store`].
pub async fn overview(store: &dyn Store, log: &dyn Log, now: Timestamp) -> Result<Overview, Error> {
    let ends = level::log_ends(log).await?;
    let mut snapshot = store.snapshot().await?;
    let active_version = read::active(&mut *snapshot).await?;
    let mut versions = Vec::new();
    for info in read::versions(&mut *snapshot).await? {
        let checkpoints = read::checkpoints(&mut *snapshot, info.version).await?;
        let halts = read::halts(&mut *snapshot, info.version).await?;
        versions.push(version_overview(info, &checkpoints, &halts, &ends, now));
    }
    Ok(Overview { active_version, versions })
}

fn version_overview(
    info: VersionInfo,
    checkpoints: &[Checkpoint],
    halts: &[(PartitionId, String)],
    ends: &[(PartitionId, u64)],
    now: Timestamp,
) -> VersionOverview {
    let partition_of = |checkpoint: &Checkpoint| {
        let is_it = |(partition, _): &&(PartitionId, u64)| *partition == checkpoint.partition;
        let end = ends.iter().find(is_it).map_or(0, |(_, end)| *end);
        let halt = halts.iter().find(|(partition, _)| *partition == checkpoint.partition);
        PartitionOverview {
            partition: checkpoint.partition,
            position: checkpoint.position(),
            as_of: checkpoint.recorded_at,
            records: checkpoint.next_offset,
            lag_records: end.saturating_sub(checkpoint.next_offset),
            digest: format!("{:016x}", checkpoint.digest),
            halt_reason: halt.map(|(_, reason)| reason.clone()),
        }
    };
    let partitions: Vec<PartitionOverview> = checkpoints.iter().map(partition_of).collect();
    let begun = |partition| checkpoints.iter().any(|one: &Checkpoint| one.partition == partition);
    let not_begun: u64 = ends.iter().filter(|(partition, _)| !begun(*partition)).map(|(_, end)| end).sum();
    let digest = checkpoints.iter().fold(0_u64, |sum, checkpoint| sum.wrapping_add(checkpoint.digest));
    VersionOverview {
        is_our_code: info.is_our_code(),
        lag_records: partitions.iter().map(|partition| partition.lag_records).sum::<u64>() + not_begun,
        lag_seconds: oldest(&partitions, now).filter(|_| not_begun == 0),
        seconds_left: info
            .filling
            .filter(|_| info.is_being_filled)
            .and_then(|filling| filling.seconds_left()),
        digest: format!("{digest:016x}"),
        info,
        partitions,
    }
}

/// The age of the partition that is furthest behind; nothing if one has an age that nobody can tell.
fn oldest(partitions: &[PartitionOverview], now: Timestamp) -> Option<u64> {
    let ages = partitions.iter().map(|partition| lag_seconds(partition.lag_records, partition.as_of, now));
    ages.collect::<Option<Vec<u64>>>().map(|ages| ages.into_iter().max().unwrap_or(0))
}

/// How old the last decision is that tables include, as long as the log has more; nothing if there is none yet.
#[must_use]
pub fn lag_seconds(lag_records: u64, as_of: Option<Timestamp>, now: Timestamp) -> Option<u64> {
    if lag_records == 0 {
        return Some(0);
    }
    let age = now.micros().saturating_sub(as_of?.micros()).max(0);
    u64::try_from(age / MICROS_PER_SECOND).ok()
}
