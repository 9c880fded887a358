//! The live projector: one task per partition follows the log and keeps the active version level with it.
//!
//! A partition that meets something that it must not read past halts, says why in its [`Status`], and stays there; the
//! others go on. While the log or the store does not answer it tries again, ever more slowly.

use std::sync::Arc;
use std::time::Duration;

use stockledger_log::{Causes, Log};
use stockledger_schemas::{PartitionId, Timestamp};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::follower::{Follower, Source};
use crate::progress::{Activity, Progress, Status};
use crate::read;
use crate::stop::{Halted, Stop};
use crate::store::{Commit, Error, Store};
use crate::table::{Version, code_hash};

/// How long one read waits for a record before the projector looks around.
const PATIENCE: Duration = Duration::from_secs(1);
/// The first wait after a failure; it doubles up to [`RETRY_MAX`].
const RETRY_MIN: Duration = Duration::from_millis(50);
/// The longest wait after a failure.
const RETRY_MAX: Duration = Duration::from_secs(5);

/// What can be chosen about a projector.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// How long a log that is shorter than the projections is given to come back, as after a broker's fail-over.
    pub log_shorter_patience: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self { log_shorter_patience: Duration::from_secs(30) }
    }
}

/// The running tasks of a projector.
#[derive(Debug)]
pub struct Projector {
    progress: Progress,
    tasks: JoinSet<()>,
}

impl Projector {
    /// Begins to follow the log into the active version, which is made if there is none. `now` is when that would be.
    ///
    /// # Errors
    /// [`Error::OtherCode`] if the active version was made by other code, [`Error::Unavailable`].
    pub async fn start(
        log: Arc<dyn Log>,
        store: Arc<dyn Store>,
        options: Options,
        now: Timestamp,
        cancel: CancellationToken,
    ) -> Result<Self, Error> {
        ensure_active(&*store, now).await?;
        let partitions = log.partitions();
        let source = Source { log, store, cancel };
        let mut tasks = JoinSet::new();
        let mut receivers = Vec::with_capacity(usize::from(partitions));
        for partition in (0..partitions).map(PartitionId) {
            let (status, receiver) = watch::channel(Status::starting(partition));
            receivers.push(receiver);
            tasks.spawn(Task { source: source.clone(), options, partition, status }.run());
        }
        Ok(Self { progress: Progress::new(receivers), tasks })
    }

    /// Where every partition stands, now and later.
    #[must_use]
    pub fn progress(&self) -> Progress {
        self.progress.clone()
    }

    /// Waits until all tasks have ended after the cancellation of the token that was given to [`Projector::start`].
    /// What was being written then is committed.
    pub async fn stopped(mut self) {
        while self.tasks.join_next().await.is_some() {}
    }
}

/// The active version of a store; the first one is made if there is none.
///
/// # Errors
/// [`Error::OtherCode`] if the active version was made by other code, [`Error::Unavailable`].
pub async fn ensure_active(store: &dyn Store, now: Timestamp) -> Result<Version, Error> {
    if let Some(version) = checked_active(store).await? {
        return Ok(version);
    }
    store.create_version(Version::FIRST, now).await?;
    match store.activate(None, Version::FIRST).await? {
        Commit::Committed => Ok(Version::FIRST),
        Commit::Superseded => checked_active(store).await?.ok_or(Error::NoSuchVersion(Version::FIRST)),
    }
}

/// The active version, if this program's code made it.
async fn checked_active(store: &dyn Store) -> Result<Option<Version>, Error> {
    let mut snapshot = store.snapshot().await?;
    let Some(version) = read::active(&mut *snapshot).await? else { return Ok(None) };
    let versions = read::versions(&mut *snapshot).await?;
    let info =
        versions.into_iter().find(|info| info.version == version).ok_or(Error::NoSuchVersion(version))?;
    let expected = code_hash();
    if info.code_hash != expected.to_string() {
        return Err(Error::OtherCode { version, expected, found: info.code_hash });
    }
    Ok(Some(version))
}

struct Task {
    source: Source,
    options: Options,
    partition: PartitionId,
    status: watch::Sender<Status>,
}

impl Task {
    async fn run(self) {
        let mut retry = Retry::default();
        let activity = loop {
            let wait = match self.follow(&mut retry).await {
                Ok(()) => break Activity::Stopped,
                Err(Stop::Superseded) => {
                    tracing::warn!(partition = %self.partition, "somebody else moved the checkpoint: reading it again");
                    RETRY_MIN
                }
                Err(Stop::Unavailable(error)) => {
                    self.publish_retry(&Causes(&*error).to_string());
                    retry.log_shorter_since = None;
                    retry.next_wait()
                }
                Err(Stop::LogShorter(halted)) => {
                    if retry.log_shorter_for() >= self.options.log_shorter_patience {
                        break halt(&halted);
                    }
                    self.publish_retry(&Causes(&halted).to_string());
                    retry.next_wait()
                }
                Err(Stop::Halted(halted)) => break halt(&halted),
            };
            tokio::select! {
                () = self.source.cancel.cancelled() => break Activity::Stopped,
                () = tokio::time::sleep(wait) => {}
            }
        };
        self.status.send_modify(|status| status.activity = activity);
    }

    /// Follows the log from the checkpoint until something stops it; ends without error when the process is to stop.
    async fn follow(&self, retry: &mut Retry) -> Result<(), Stop> {
        let version = self.active_version().await?;
        let mut follower = Follower::resume(self.source.clone(), version, self.partition).await?;
        let log_end = self.source.log.bounds(self.partition.0).await?.end;
        self.publish(&follower, log_end);
        while !self.source.cancel.is_cancelled() {
            let advanced = follower.advance(u64::MAX, PATIENCE).await;
            let log_end = match &advanced {
                Ok(advance) if advance.is_level => follower.checkpoint().next_offset,
                Ok(_) => self.source.log.bounds(self.partition.0).await?.end,
                Err(_) => self.status.borrow().log_end,
            };
            if advanced.is_ok() {
                *retry = Retry::default();
            }
            self.publish(&follower, log_end);
            advanced?;
        }
        Ok(())
    }

    async fn active_version(&self) -> Result<Version, Stop> {
        let before = self.status.borrow().version.unwrap_or(Version::FIRST);
        checked_active(&*self.source.store).await?.ok_or(Stop::Halted(Halted::VersionGone(before)))
    }

    fn publish(&self, follower: &Follower, log_end: u64) {
        let checkpoint = follower.checkpoint();
        let status = Status {
            version: Some(follower.version()),
            position: checkpoint.position(),
            recorded_at: checkpoint.recorded_at,
            next_offset: checkpoint.next_offset,
            log_end: log_end.max(checkpoint.next_offset),
            activity: Activity::Running,
        };
        self.status.send_if_modified(|before| {
            let is_new = *before != status;
            *before = status;
            is_new
        });
    }

    fn publish_retry(&self, reason: &str) {
        tracing::warn!(partition = %self.partition, reason, "the projector waits and tries again");
        self.status.send_modify(|status| status.activity = Activity::Retrying { reason: reason.into() });
    }
}

fn halt(halted: &Halted) -> Activity {
    let reason = Causes(halted).to_string();
    tracing::error!(reason, "a partition of the projections stopped");
    Activity::Halted { reason: reason.into() }
}

/// Waits that grow while nothing succeeds.
#[derive(Default)]
struct Retry {
    wait: Option<Duration>,
    /// Since when the log has been seen to be too short, without a break.
    log_shorter_since: Option<Instant>,
}

impl Retry {
    fn next_wait(&mut self) -> Duration {
        let wait = self.wait.map_or(RETRY_MIN, |wait| (wait * 2).min(RETRY_MAX));
        self.wait = Some(wait);
        wait
    }

    /// How long the log has been seen to be too short.
    fn log_shorter_for(&mut self) -> Duration {
        self.log_shorter_since.get_or_insert_with(Instant::now).elapsed()
    }
}
