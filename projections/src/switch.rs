//! Switching queries from one version to another, without an answer that goes back behind one that was given.
//!
//! Both versions are held at the same offsets for the moment that it takes to bring them there, to compare what their rows
//! add up to, and to move the pointer. Whoever follows them waits meanwhile; whoever reads does not.

use std::time::Duration;

use stockledger_log::Causes;
use stockledger_schemas::PartitionId;
use tokio::time::{Instant, timeout};

use crate::checkpoint::Checkpoint;
use crate::level;
use crate::read::{self, VersionInfo, VersionState};
use crate::rebuild::{Error, Replay};
use crate::store::{self, Activation, Store};
use crate::table::{Version, code_hash};
use crate::versions;

/// How often both are brought to the same place again when something came between.
const ROUNDS_MAX: u32 = 20;
/// How long a hold lasts if nobody ends it, as when the process that holds is killed.
const HOLD_MAX: Duration = Duration::from_secs(10);
/// Records that the version in use may be behind and still be brought level while both are held.
const OLD_LAG_MAX: u64 = 20_000;
/// How long it may take to bring a version to its place while it is held.
const BRING_WITHIN: Duration = Duration::from_secs(4);

/// What is switched to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// This version.
    Version(Version),
    /// The version that queries answered from last.
    Back,
}

/// What happens if the rows of two versions that include the same decisions do not add up to the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum IfDifferent {
    /// Nothing is switched.
    #[default]
    Refuse,
    /// It is switched all the same: somebody has looked, and the version in use is the wrong one.
    Accept,
}

/// A switch that was made.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Switched {
    /// The version that queries answered from.
    pub from: Version,
    /// The version that they answer from now.
    pub to: Version,
    /// Whether what the rows of both add up to was equal in every partition. They cannot be compared if other code made one
    /// of them, or if the old one could not be read on.
    pub is_compared: bool,
    /// How long both were held, in milliseconds: projections stood still for that long, reads did not.
    pub held_ms: u64,
}

/// Makes another version the active one.
///
/// # Errors
/// [`Error`]; then nothing is changed.
pub async fn switch(replay: &Replay, target: Target, if_different: IfDifferent) -> Result<Switched, Error> {
    let mut snapshot = replay.store.snapshot().await?;
    let active = read::active(&mut *snapshot).await?.ok_or(Error::NothingInUse)?;
    let known = read::versions(&mut *snapshot).await?;
    drop(snapshot);
    let next = match target {
        Target::Version(version) => version,
        Target::Back => last_before(&known).ok_or(Error::NothingBefore)?,
    };
    let info = known.into_iter().find(|info| info.version == next);
    let info = info.ok_or(store::Error::NoSuchVersion(next))?;
    if !matches!(info.state, VersionState::Ready | VersionState::Retired) {
        return Err(Error::NotWhole { version: next, state: info.state });
    }
    if !info.is_our_code() {
        let (expected, found) = (code_hash(), info.code_hash);
        return Err(store::Error::OtherCode { version: next, expected, found }.into());
    }
    switch_between(replay, active, next, if_different).await
}

/// The version that queries answered from before, of those that this program's code made.
fn last_before(known: &[VersionInfo]) -> Option<Version> {
    let is_it = |info: &&VersionInfo| info.state == VersionState::Retired && info.is_our_code();
    known.iter().rev().find(is_it).map(|info| info.version)
}

/// Moves the pointer from one version to another whose tables are whole.
pub(crate) async fn switch_between(
    replay: &Replay,
    from: Version,
    to: Version,
    if_different: IfDifferent,
) -> Result<Switched, Error> {
    for _ in 0..ROUNDS_MAX {
        if replay.cancel.is_cancelled() {
            return Err(Error::Cancelled);
        }
        // So that little is left to do while both are held.
        let ends = level::log_ends(&*replay.log).await?;
        level::bring_all(&replay.source(), to, &ends).await?;
        let began = Instant::now();
        let tried = try_switch(replay, from, to, if_different).await;
        let released = versions::release(&*replay.store, [from, to]).await;
        let held_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        match tried? {
            // The pointer has moved; a hold that could not be ended ends by itself.
            Some(is_compared) => return Ok(Switched { from, to, is_compared, held_ms }),
            None => released?,
        }
    }
    Err(Error::NeverLevel(ROUNDS_MAX))
}

/// Holds both and switches; says whether the digests were compared. Nothing if something came between.
async fn try_switch(
    replay: &Replay,
    from: Version,
    to: Version,
    if_different: IfDifferent,
) -> Result<Option<bool>, Error> {
    let store = &*replay.store;
    let targets = versions::hold(store, [from, to], HOLD_MAX).await?;
    match timeout(BRING_WITHIN, level::bring_all(&replay.source(), to, &targets)).await {
        Ok(brought) => brought?,
        Err(_) => return Ok(None),
    }
    // Tables that other code made are neither written to nor compared.
    let is_comparable = is_same_code(store, from, to).await?;
    let is_old_level = is_comparable && bring_old(replay, from, &targets).await;
    let is_compared = match compare(store, from, to).await {
        _ if !is_comparable => false,
        Err(Error::Differ { .. }) if if_different == IfDifferent::Accept => false,
        compared => compared?,
    };
    if is_old_level && !is_compared && if_different == IfDifferent::Refuse {
        // The hold was lost.
        return Ok(None);
    }
    match store.activate(Some(from), to).await? {
        Activation::Activated => Ok(Some(is_compared)),
        Activation::Superseded => Err(Error::Superseded),
        Activation::Behind => Ok(None),
    }
}

/// Brings the version in use to the same place, if it can be: it may be replaced because it cannot, or because it was
/// never kept level.
async fn bring_old(replay: &Replay, from: Version, targets: &[(PartitionId, u64)]) -> bool {
    if is_far_behind(replay, from, targets).await {
        tracing::warn!(version = %from, "the version in use is too far behind to be compared");
        return false;
    }
    match timeout(BRING_WITHIN, level::bring_all(&replay.source(), from, targets)).await {
        Ok(Ok(())) => true,
        Ok(Err(stop)) => {
            let error = Error::from(stop);
            tracing::warn!(version = %from, error = %Causes(&error), "the version in use cannot be compared");
            false
        }
        Err(_) => {
            tracing::warn!(version = %from, "the version in use is too far behind to be compared");
            false
        }
    }
}

async fn is_far_behind(replay: &Replay, version: Version, targets: &[(PartitionId, u64)]) -> bool {
    let checkpoints = async {
        let mut snapshot = replay.store.snapshot().await?;
        read::checkpoints(&mut *snapshot, version).await
    };
    let Ok(checkpoints) = checkpoints.await else { return true };
    let there: u64 = checkpoints.iter().map(|checkpoint| checkpoint.next_offset).sum();
    let wanted: u64 = targets.iter().map(|(_, target)| target).sum();
    wanted.saturating_sub(there) > OLD_LAG_MAX
}

async fn is_same_code(store: &dyn Store, one: Version, other: Version) -> Result<bool, Error> {
    let known = read::versions(&mut *store.snapshot().await?).await?;
    let code_of = |version| known.iter().find(|info| info.version == version).map(|info| &info.code_hash);
    Ok(code_of(one) == code_of(other))
}

/// Compares the digests of all partitions in which both versions are at the same offset; says whether those are all.
async fn compare(store: &dyn Store, from: Version, to: Version) -> Result<bool, Error> {
    let mut snapshot = store.snapshot().await?;
    let old = read::checkpoints(&mut *snapshot, from).await?;
    let new = read::checkpoints(&mut *snapshot, to).await?;
    let mut are_all_compared = true;
    for expected in &new {
        let is_it = |one: &&Checkpoint| {
            one.partition == expected.partition && one.next_offset == expected.next_offset
        };
        match old.iter().find(is_it) {
            None => are_all_compared = false,
            Some(found) if found.digest == expected.digest => {}
            Some(found) => {
                return Err(Error::Differ {
                    partition: expected.partition,
                    offset: expected.next_offset,
                    from,
                    to,
                    found: found.digest,
                    expected: expected.digest,
                });
            }
        }
    }
    Ok(are_all_compared)
}

/// Removes a version that nobody reads or fills.
///
/// # Errors
/// [`store::Error::InUse`] for the active one, [`Error::Running`] for one that is being filled,
/// [`store::Error::NoSuchVersion`].
pub async fn drop_version(store: &dyn Store, version: Version) -> Result<(), Error> {
    let known = read::versions(&mut *store.snapshot().await?).await?;
    let info = known.iter().find(|info| info.version == version);
    if info.ok_or(store::Error::NoSuchVersion(version))?.is_being_filled {
        return Err(Error::Running(version));
    }
    Ok(store.drop_version(version).await?)
}
