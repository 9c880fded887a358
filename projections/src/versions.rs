//! What is done to versions beside filling them: who fills one, where it stands, and holding two at the same place.
//!
//! Everything here is one small transaction of portable SQL, the same on every store. Times are those of the clock of the
//! database, which all processes share.

use std::time::Duration;

use stockledger_schemas::PartitionId;

use crate::checkpoint::Checkpoint;
use crate::read::{self, VersionState};
use crate::store::{Commit, Error, Select, Statement, Store};
use crate::table::Version;
use crate::value::Value;

/// Who has not reported for so long does not fill its version any more; another process may go on.
pub const OWNER_SILENT_MAX: Duration = Duration::from_secs(15);

/// How often it is looked whether whoever fills a version is heard of.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Whoever fills a version, as the store knows it: a text that nobody else uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner(String);

impl Owner {
    /// The owner of this name; it must be one that no other process and no other rebuild uses.
    #[must_use]
    pub fn new(unique: impl Into<String>) -> Self {
        Self(unique.into())
    }
}

/// How far the filling of a version is, in records of the log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Filling {
    /// Records that are done.
    pub records_done: u64,
    /// Records that there were to do when it was looked last.
    pub records_total: u64,
    /// Records a second, lately.
    pub records_per_second: u64,
}

impl Filling {
    /// How long the rest takes at this rate; nothing where nobody can tell.
    #[must_use]
    pub fn seconds_left(&self) -> Option<u64> {
        self.records_total.saturating_sub(self.records_done).checked_div(self.records_per_second)
    }
}

/// Takes the right to fill a version that is being built. It lasts as long as the owner [`report`]s.
///
/// # Errors
/// [`Error::Unavailable`].
pub async fn claim(store: &dyn Store, version: Version, owner: &Owner) -> Result<Commit, Error> {
    let guard = Statement {
        sql: "UPDATE projection_versions SET owner = ?, owner_seen = {now} \
              WHERE version = ? AND state = ? AND (owner = ? OR owner_seen < {now} - ?)",
        parameters: vec![
            Value::from(&owner.0),
            version.into(),
            state(VersionState::Building),
            Value::from(&owner.0),
            micros(OWNER_SILENT_MAX),
        ],
    };
    store.update(&guard, &[]).await
}

/// Says how far the filling is, and keeps the right to it. Superseded means that somebody else has it now.
///
/// # Errors
/// [`Error::Unavailable`].
pub async fn report(
    store: &dyn Store,
    version: Version,
    owner: &Owner,
    filling: Filling,
) -> Result<Commit, Error> {
    let guard = Statement {
        sql: "UPDATE projection_versions SET owner_seen = {now}, records_done = ?, records_total = ?, \
              records_per_second = ? WHERE version = ? AND owner = ?",
        parameters: vec![
            filling.records_done.into(),
            filling.records_total.into(),
            filling.records_per_second.into(),
            version.into(),
            Value::from(&owner.0),
        ],
    };
    store.update(&guard, &[]).await
}

/// Lets go of a version that is being built, so that another may go on with it at once.
///
/// # Errors
/// [`Error::Unavailable`].
pub async fn let_go(store: &dyn Store, version: Version, owner: &Owner) -> Result<(), Error> {
    let guard = Statement {
        sql: "UPDATE projection_versions SET owner = '', owner_seen = 0 WHERE version = ? AND owner = ?",
        parameters: vec![version.into(), Value::from(&owner.0)],
    };
    store.update(&guard, &[]).await.map(drop)
}

/// Takes the right to fill from everybody. Only for those who know that whoever had it has ended.
///
/// # Errors
/// [`Error::Unavailable`].
pub async fn forget_owners(store: &dyn Store) -> Result<(), Error> {
    let guard = Statement {
        sql: "UPDATE projection_versions SET owner_seen = 0 WHERE owner_seen > 0",
        parameters: Vec::new(),
    };
    store.update(&guard, &[]).await.map(drop)
}

/// Waits until whoever fills a version counts as gone, as after its process was killed; says whether it does. Whoever is
/// alive is heard of before long.
pub(crate) async fn is_filler_gone(store: &dyn Store, version: Version) -> Result<bool, Error> {
    let first = filler(store, version).await?;
    let mut now = first.clone();
    while matches!(now, Filler::Somebody { .. }) && now == first {
        tokio::time::sleep(LOOK_EVERY).await;
        now = filler(store, version).await?;
    }
    Ok(now == Filler::Nobody)
}

/// Who fills a version.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Filler {
    /// Nobody: it was let go, or whoever it was has been silent for too long.
    Nobody,
    /// Somebody, who was heard of last then.
    Somebody {
        /// As [`Owner`].
        owner: String,
        /// By the clock of the database.
        seen: i64,
    },
    /// It is not being built any more.
    Done,
}

async fn filler(store: &dyn Store, version: Version) -> Result<Filler, Error> {
    let sql = "SELECT owner, owner_seen, CASE WHEN owner <> '' AND owner_seen >= {now} - ? THEN 1 ELSE 0 END \
               FROM projection_versions WHERE version = ? AND state = ?";
    let parameters = vec![micros(OWNER_SILENT_MAX), version.into(), state(VersionState::Building)];
    let row = store.snapshot().await?.select(Select { sql: sql.to_owned(), parameters }).await?.pop();
    let Some(mut fields) = row else { return Ok(Filler::Done) };
    let (owner, seen) = (fields.text()?, fields.int()?);
    Ok(if fields.int()? == 0 { Filler::Nobody } else { Filler::Somebody { owner, seen } })
}

/// The version is whole: from now on projectors keep it level, and it may be switched to.
///
/// # Errors
/// [`Error::Unavailable`].
pub async fn set_ready(store: &dyn Store, version: Version, owner: &Owner) -> Result<Commit, Error> {
    let guard = Statement {
        sql: "UPDATE projection_versions SET state = ? WHERE version = ? AND state IN (?, ?) AND owner = ?",
        parameters: vec![
            state(VersionState::Ready),
            version.into(),
            state(VersionState::Building),
            state(VersionState::Ready),
            Value::from(&owner.0),
        ],
    };
    store.update(&guard, &[]).await
}

/// Notes why a partition of a version cannot be read past, or that it can.
///
/// # Errors
/// [`Error::Unavailable`].
pub async fn set_halt(
    store: &dyn Store,
    version: Version,
    partition: PartitionId,
    reason: Option<&str>,
) -> Result<(), Error> {
    let guard = Statement {
        sql: "UPDATE projection_checkpoints SET halt_reason = ? WHERE version = ? AND partition_id = ?",
        parameters: vec![
            reason.map_or(Value::Null, |reason| Value::from(&reason)),
            version.into(),
            partition.into(),
        ],
    };
    store.update(&guard, &[]).await.map(drop)
}

/// Holds two versions where they are and says where in each partition the one that is further stands: the place to bring
/// both to. Nobody goes beyond it until [`release`], or until the hold is over.
///
/// # Errors
/// [`Error::Unavailable`].
pub async fn hold(
    store: &dyn Store,
    versions: [Version; 2],
    at_most: Duration,
) -> Result<Vec<(PartitionId, u64)>, Error> {
    let guard = Statement {
        sql: "UPDATE projection_checkpoints SET hold_offset = next_offset, hold_until = {now} + ? WHERE version IN (?, ?)",
        parameters: vec![micros(at_most), versions[0].into(), versions[1].into()],
    };
    if store.update(&guard, &[]).await? != Commit::Committed {
        return Ok(Vec::new());
    }
    // Nobody moves them any more, so what is read now stays.
    let mut snapshot = store.snapshot().await?;
    let mut all = read::checkpoints(&mut *snapshot, versions[0]).await?;
    all.extend(read::checkpoints(&mut *snapshot, versions[1]).await?);
    drop(snapshot);
    let targets = furthest(&all);
    // Where both are at the same place already they are held there.
    let is_behind = |(partition, offset): &&(PartitionId, u64)| {
        all.iter().any(|checkpoint| checkpoint.partition == *partition && checkpoint.next_offset < *offset)
    };
    let forward = |(partition, offset): &(PartitionId, u64)| Statement {
        sql: "UPDATE projection_checkpoints SET hold_offset = ? WHERE partition_id = ? AND version IN (?, ?)",
        parameters: vec![(*offset).into(), (*partition).into(), versions[0].into(), versions[1].into()],
    };
    let forward: Vec<Statement> = targets.iter().filter(is_behind).map(forward).collect();
    if let Some((first, rest)) = forward.split_first() {
        let _ = store.update(first, rest).await?;
    }
    Ok(targets)
}

/// The offset of the furthest checkpoint of every partition.
fn furthest(checkpoints: &[Checkpoint]) -> Vec<(PartitionId, u64)> {
    let mut targets: Vec<(PartitionId, u64)> = Vec::new();
    for checkpoint in checkpoints {
        match targets.iter_mut().find(|(partition, _)| *partition == checkpoint.partition) {
            Some((_, offset)) => *offset = (*offset).max(checkpoint.next_offset),
            None => targets.push((checkpoint.partition, checkpoint.next_offset)),
        }
    }
    targets
}

/// Ends what [`hold`] began.
///
/// # Errors
/// [`Error::Unavailable`].
pub async fn release(store: &dyn Store, versions: [Version; 2]) -> Result<(), Error> {
    let guard = Statement {
        sql: "UPDATE projection_checkpoints SET hold_until = 0 WHERE version IN (?, ?)",
        parameters: vec![versions[0].into(), versions[1].into()],
    };
    store.update(&guard, &[]).await.map(drop)
}

fn state(state: VersionState) -> Value {
    Value::Text(state.as_str().to_owned())
}

fn micros(duration: Duration) -> Value {
    Value::from(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX))
}
