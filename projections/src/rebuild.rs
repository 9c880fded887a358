//! Making the tables again from the first record: into a fresh version beside the one in use, then the pointer moves.
//!
//! Queries answer from the old version until the moment of the switch, and projectors keep it level before and after, so
//! that a switch back is as quick. A rebuild that was killed leaves a version that nothing uses; the next one goes on with
//! it. Two at once are told apart: only one has the right to fill a version ([`crate::versions`]).
//!
//! ```text
//! claim a version -> load all partitions -> make indexes -> catch up -> ready -> switch, where that is asked for
//! ```

use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt, stream};
use stockledger_log::{Causes, Log};
use stockledger_schemas::{PartitionId, Timestamp};
use tokio_util::sync::CancellationToken;

use crate::follower::{Advance, Source};
use crate::level;
use crate::load::Load;
use crate::pace::Pace;
use crate::read::{self, VersionInfo, VersionState};
use crate::stop::{Halted, Stop};
use crate::store::{self, Activation, Commit, Store};
use crate::switch::{self, IfDifferent, Switched};
use crate::table::Version;
use crate::verify::verify;
use crate::versions::{self, Owner};
use crate::view::Scope;

/// Partitions that are loaded at the same moment, unless it is said otherwise.
pub const WORKERS_DEFAULT: usize = 2;
/// Within this time every projector has seen that there is another version to follow.
const FOLLOWED_AFTER: Duration = Duration::from_millis(1_500);
/// How often a partition is tried again without getting any further, while log or store do not answer or somebody else was
/// first.
const ATTEMPTS_MAX: u32 = 60;
/// How long it waits between two attempts.
const ATTEMPT_AGAIN_AFTER: Duration = Duration::from_secs(1);
/// Most partitions that are loaded at the same moment: each takes a connection and memory of its own.
pub const WORKERS_MAX: usize = 8;

/// How far a replay is in one partition; told after every commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReplayProgress {
    /// The partition.
    pub partition: PartitionId,
    /// Offsets that are done.
    pub done: u64,
    /// Offsets that there are to do.
    pub total: u64,
    /// Decisions that the last commit brought.
    pub decisions: u64,
    /// Events in them, as [`Event::count`](stockledger_schemas::Event::count) counts.
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
    /// Partitions that are loaded at the same moment, from 1 to [`WORKERS_MAX`].
    pub workers: usize,
    /// Ends it early, between two commits.
    pub cancel: CancellationToken,
}

impl Replay {
    /// A replay that nobody watches or cancels.
    #[must_use]
    pub fn new(log: Arc<dyn Log>, store: Arc<dyn Store>) -> Self {
        let (on_progress, cancel) = (Arc::new(|_| {}), CancellationToken::new());
        Self { log, store, on_progress, workers: WORKERS_DEFAULT, cancel }
    }

    pub(crate) fn source(&self) -> Source {
        Source { log: Arc::clone(&self.log), store: Arc::clone(&self.store), cancel: self.cancel.clone() }
    }
}

/// When queries are switched to what was rebuilt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SwitchWhen {
    /// As soon as it is level.
    Level,
    /// When somebody says so. Where queries have no version to answer from they get this one as soon as it is level.
    Told,
}

/// What a replay did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Replayed {
    /// Decisions that were folded.
    pub decisions: u64,
    /// Events in them, as [`Event::count`](stockledger_schemas::Event::count) counts.
    pub events: u64,
}

/// What a rebuild did.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Rebuilt {
    /// The version that was made.
    pub version: Version,
    /// Whether an earlier rebuild had begun with it.
    pub is_resumed: bool,
    /// Whether queries answer from it now.
    pub is_active: bool,
    /// What was folded.
    #[serde(flatten)]
    pub replayed: Replayed,
    /// The switch to it from the version before, if there was one.
    pub switched: Option<Switched>,
}

/// Why a replay, a rebuild or a switch did not finish. The version in use is untouched.
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
    /// Somebody else fills the version that is being built.
    #[error("another rebuild is filling version {0}: wait for it, or stop it first")]
    Running(Version),
    /// Somebody else writes to the version that is being made, or switched while it was.
    #[error("another rebuild or switch came between")]
    Superseded,
    /// The version in use was ahead of the new one however often that caught up.
    #[error(
        "the new version did not come level with the one in use in {0} attempts: the store is too slow for both"
    )]
    NeverLevel(u32),
    /// Two versions that include the same decisions hold other rows.
    #[error(
        "partition {partition} at offset {offset}: the rows of version {from} add up to {found:016x} and those of version \
         {to} to {expected:016x}; nothing was switched. See with `stockledger verify --projections` whether the tables in \
         use are wrong; if they are, switch with --accept-difference"
    )]
    Differ {
        /// In which partition.
        partition: PartitionId,
        /// At which offset both are.
        offset: u64,
        /// The version in use.
        from: Version,
        /// The version to be switched to.
        to: Version,
        /// The digest of the former.
        found: u64,
        /// The digest of the latter.
        expected: u64,
    },
    /// The version cannot be switched to.
    #[error("version {version} is {} and cannot be switched to", state.as_str())]
    NotWhole {
        /// Which.
        version: Version,
        /// Where it stands.
        state: VersionState,
    },
    /// There is nothing to switch from.
    #[error("no version is in use: run `stockledger rebuild`")]
    NothingInUse,
    /// There is no version that queries answered from before.
    #[error("there is no earlier version to switch back to: it was dropped, or there never was one")]
    NothingBefore,
    /// It was told to stop.
    #[error("stopped before the end; the next rebuild goes on where this one stopped")]
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

/// Makes a fresh version from the whole log, or goes on with one that was begun, and switches to it if that is asked for.
/// The version before stays, until it is dropped or another rebuild begins. `now` is when a fresh one is made. Where
/// another rebuild fills a version it is waited for a sign of life; without one for [`versions::OWNER_SILENT_MAX`] that one
/// is gone, and this one goes on with its version.
///
/// # Errors
/// [`Error`]. Unless it halted, what was made stays and the next rebuild goes on with it.
pub async fn rebuild(
    replay: &Replay,
    owner: &Owner,
    when: SwitchWhen,
    now: Timestamp,
) -> Result<Rebuilt, Error> {
    let store = &*replay.store;
    let (version, is_resumed) = claim_version(replay, owner, now).await?;
    let made = fill_and_switch(replay, version, owner, when).await;
    if let Err(error) = &made {
        give_up(store, version, owner, error).await;
    }
    let Filled { replayed, is_active, switched } = made?;
    Ok(Rebuilt { version, is_resumed, is_active, replayed, switched })
}

/// What cannot be read past today will not be tomorrow: that version is of no use. Any other is gone on with. A hold that
/// was left ends now.
async fn give_up(store: &dyn Store, version: Version, owner: &Owner, error: &Error) {
    let is_hopeless = matches!(error, Error::Halted(Halted::Broken(_) | Halted::Impossible { .. }));
    let is_ours = async || matches!(versions::claim(store, version, owner).await, Ok(Commit::Committed));
    let given_up = if is_hopeless && is_ours().await {
        store.drop_version(version).await
    } else {
        versions::let_go(store, version, owner).await
    };
    if let Err(error) = given_up.and(release_all(store, version).await) {
        tracing::warn!(%version, %error, "an unfinished rebuild could not be given up in good order");
    }
}

/// Ends a hold of this version and the one in use.
async fn release_all(store: &dyn Store, version: Version) -> Result<(), store::Error> {
    match read::active(&mut *store.snapshot().await?).await? {
        Some(active) => versions::release(store, [active, version]).await,
        None => Ok(()),
    }
}

/// The version to fill: one that an earlier rebuild of the same code left, or a fresh one. Others that nobody reads make
/// room for it.
async fn claim_version(replay: &Replay, owner: &Owner, now: Timestamp) -> Result<(Version, bool), Error> {
    let store = &*replay.store;
    let (active, known, highest) = loop {
        let mut snapshot = store.snapshot().await?;
        let active = read::active(&mut *snapshot).await?;
        let known = read::versions(&mut *snapshot).await?;
        let highest = read::highest(&mut *snapshot).await?;
        drop(snapshot);
        match known.iter().find(|info| info.is_being_filled) {
            None => break (active, known, highest),
            Some(running) => tokio::select! {
                biased;
                () = replay.cancel.cancelled() => return Err(Error::Cancelled),
                is_gone = versions::is_filler_gone(store, running.version) => if !is_gone? {
                    return Err(Error::Running(running.version));
                }
            },
        }
    };
    fits_the_log(replay, active).await?;
    let is_begun = |info: &&VersionInfo| info.state == VersionState::Building && info.is_our_code();
    let begun = known.iter().find(is_begun).map(|info| info.version);
    for unread in known.iter().filter(|info| Some(info.version) != active && Some(info.version) != begun) {
        store.drop_version(unread.version).await?;
    }
    let version = begun.unwrap_or(highest.next());
    store.create_version(version, now).await?;
    match versions::claim(store, version, owner).await? {
        Commit::Committed => Ok((version, begun.is_some())),
        Commit::Superseded | Commit::Held => Err(Error::Running(version)),
    }
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

/// What came of filling a version.
struct Filled {
    replayed: Replayed,
    is_active: bool,
    switched: Option<Switched>,
}

async fn fill_and_switch(
    replay: &Replay,
    version: Version,
    owner: &Owner,
    when: SwitchWhen,
) -> Result<Filled, Error> {
    let store = &*replay.store;
    let pace = Pace::new();
    let noted = Replay { on_progress: pace.noting(&replay.on_progress), ..replay.clone() };
    let filling = async {
        let replayed = replay_into(&noted, version).await?;
        if versions::set_ready(store, version, owner).await? != Commit::Committed {
            return Err(Error::Superseded);
        }
        let active = read::active(&mut *store.snapshot().await?).await?;
        let is_active = when == SwitchWhen::Level || active.is_none();
        let switched = if is_active { switch_to(&noted, active, version).await? } else { None };
        Ok(Filled { replayed, is_active, switched })
    };
    // The pace keeper goes on until the filling ends, or somebody else has the right to it.
    tokio::select! {
        biased;
        filled = filling => filled,
        lost = pace.keep(store, version, owner) => Err(lost),
    }
}

/// Lets queries answer from a version that is whole. Where another is in use both are brought to the same place first.
async fn switch_to(
    replay: &Replay,
    active: Option<Version>,
    version: Version,
) -> Result<Option<Switched>, Error> {
    match active {
        Some(active) if active == version => Ok(None),
        Some(active) => {
            if !replay.store.has_one_writer() {
                // By then the projectors of other processes follow it too.
                tokio::time::sleep(FOLLOWED_AFTER).await;
            }
            switch::switch_between(replay, active, version, IfDifferent::Refuse).await.map(Some)
        }
        None => match replay.store.activate(None, version).await? {
            Activation::Activated => Ok(None),
            Activation::Superseded | Activation::Behind => Err(Error::Superseded),
        },
    }
}

/// Folds the whole log, as long as it is now, into a version whose tables exist, and makes its indexes. Goes on where it
/// stopped.
///
/// # Errors
/// [`Error`], but for those of claiming and switching.
pub async fn replay_into(replay: &Replay, version: Version) -> Result<Replayed, Error> {
    if replay.store.has_one_writer() && is_beside_another(replay, version).await? {
        // To make one of full tables takes seconds, for which the version in use would stand still.
        replay.store.create_indexes(version).await?;
    }
    let ends = level::log_ends(&*replay.log).await?;
    let replayed = replay_until(replay, version, &ends).await?;
    replay.store.create_indexes(version).await?;
    // What came while the indexes were made.
    let ends = level::log_ends(&*replay.log).await?;
    let more = replay_until(replay, version, &ends).await?;
    Ok(replayed.and(more))
}

async fn is_beside_another(replay: &Replay, version: Version) -> Result<bool, Error> {
    let active = read::active(&mut *replay.store.snapshot().await?).await?;
    Ok(active.is_some_and(|active| active != version))
}

/// Folds every partition up to the offset given for it into a version whose tables exist.
///
/// # Errors
/// As [`replay_into`].
pub async fn replay_until(
    replay: &Replay,
    version: Version,
    ends: &[(PartitionId, u64)],
) -> Result<Replayed, Error> {
    let checkpoints = read::checkpoints(&mut *replay.store.snapshot().await?, version).await?;
    for (partition, total) in ends.iter().copied() {
        // So that whoever is told knows at once how much there is to do.
        let found = checkpoints.iter().find(|checkpoint| checkpoint.partition == partition);
        let done = found.filter(|found| found.is_loaded).map_or(0, |found| found.next_offset);
        (replay.on_progress)(ReplayProgress { partition, done, total, decisions: 0, events: 0 });
    }
    stream::iter(ends.iter().copied())
        .map(|(partition, end)| replay_partition(replay, version, partition, end))
        .buffer_unordered(replay.workers.clamp(1, WORKERS_MAX))
        .try_fold(Replayed::default(), |sum, one| async move { Ok(sum.and(one)) })
        .await
}

async fn replay_partition(
    replay: &Replay,
    version: Version,
    partition: PartitionId,
    total: u64,
) -> Result<Replayed, Error> {
    let mut replayed = Replayed::default();
    let mut note = |done: u64, advance: Advance| {
        replayed = replayed.and(Replayed { decisions: advance.decisions, events: advance.events });
        let (decisions, events) = (advance.decisions, advance.events);
        (replay.on_progress)(ReplayProgress { partition, done, total, decisions, events });
    };
    let (mut attempts, mut best) = (0, 0);
    loop {
        let mut reached = 0;
        let filled = fill_partition(replay, version, partition, total, |done, advance| {
            reached = done;
            note(done, advance);
        });
        let stop = match filled.await {
            _ if replay.cancel.is_cancelled() => return Err(Error::Cancelled),
            Ok(()) => return Ok(replayed),
            Err(stop @ (Stop::Unavailable(_) | Stop::LogShorter(_) | Stop::Superseded)) => stop,
            Err(stop) => return Err(stop.into()),
        };
        attempts = if reached > best { 1 } else { attempts + 1 };
        best = best.max(reached);
        let error = Error::from(stop);
        if attempts >= ATTEMPTS_MAX {
            return Err(error);
        }
        tracing::warn!(%partition, attempts, error = %Causes(&error), "a partition is tried again");
        tokio::select! {
            biased;
            () = replay.cancel.cancelled() => return Err(Error::Cancelled),
            () = tokio::time::sleep(ATTEMPT_AGAIN_AFTER) => {}
        }
    }
}

/// Loads a partition, and goes on as a follower does with what the load left, if it had to end early, and with what came
/// since another one loaded it.
async fn fill_partition(
    replay: &Replay,
    version: Version,
    partition: PartitionId,
    until: u64,
    mut note: impl FnMut(u64, Advance) + Send,
) -> Result<(), Stop> {
    let load = Load { source: replay.source(), version, partition, until, scope: Scope::Everything };
    load.run(|checkpoint, advance| note(checkpoint.next_offset, advance)).await?;
    level::bring(&replay.source(), version, partition, until, &mut note).await
}

impl Replayed {
    /// Both together.
    #[must_use]
    pub const fn and(self, more: Self) -> Self {
        Self { decisions: self.decisions + more.decisions, events: self.events + more.events }
    }
}
