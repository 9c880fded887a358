//! The live projector: one task per partition follows the log and keeps the active version level with it.
//!
//! A partition that meets something that it must not read past halts, says why in its [`Status`], and stays there until
//! another version is made active; the others go on. While the log or the store does not answer it tries again, ever more
//! slowly. Another process may switch versions at any time: one look a second, for all partitions, tells.

use std::sync::Arc;
use std::time::Duration;

use stockledger_log::{Causes, Log};
use stockledger_schemas::{PartitionId, Timestamp};
use tokio::sync::{Semaphore, SemaphorePermit, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::follower::{Follower, Source};
use crate::progress::{Activity, Progress, Status};
use crate::read;
use crate::stop::{Halted, Stop};
use crate::store::{Activation, Error, Store};
use crate::table::{Version, code_hash};

/// How long one read waits for a record before the projector looks around.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often it is looked which version is active.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Partitions that load, fold and commit at the same moment. A ledger may have a thousand of them, and the store's
/// connections are also there for queries and a rebuild.
const AT_WORK_MAX: usize = 8;
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
        let (active, _) = watch::channel(ensure_active(&*store, now).await?);
        let partitions = log.partitions();
        let source = Source { log, store, cancel };
        let at_work = Arc::new(Semaphore::new(AT_WORK_MAX));
        let mut tasks = JoinSet::new();
        let mut receivers = Vec::with_capacity(usize::from(partitions));
        for partition in (0..partitions).map(PartitionId) {
            let (status, receiver) = watch::channel(Status::starting(partition));
            receivers.push(receiver);
            let (source, active, at_work) = (source.clone(), active.subscribe(), Arc::clone(&at_work));
            tasks.spawn(Task { source, options, partition, active, at_work, status }.run());
        }
        tasks.spawn(look_for_switches(source, active));
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
        Activation::Activated => Ok(Version::FIRST),
        Activation::Superseded | Activation::Behind => {
            checked_active(store).await?.ok_or(Error::NoSuchVersion(Version::FIRST))
        }
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

/// Tells all partitions when another version is active. That the store does not answer is for them to notice.
async fn look_for_switches(source: Source, active: watch::Sender<Version>) {
    let looking = async {
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            match active_version(&*source.store).await {
                Ok(Some(version)) => drop(active.send_if_modified(|known| replace(known, version))),
                Ok(None) => {}
                Err(error) => {
                    tracing::debug!(error = %Causes(&error), "it is not known whether versions were switched");
                }
            }
        }
    };
    tokio::select! {
        () = source.cancel.cancelled() => {}
        () = looking => {}
    }
}

/// Says whether that is a change.
fn replace<T: PartialEq>(known: &mut T, new: T) -> bool {
    let is_new = *known != new;
    *known = new;
    is_new
}

async fn active_version(store: &dyn Store) -> Result<Option<Version>, Error> {
    let mut snapshot = store.snapshot().await?;
    read::active(&mut *snapshot).await
}

struct Task {
    source: Source,
    options: Options,
    partition: PartitionId,
    /// The version that is active, as of the last look.
    active: watch::Receiver<Version>,
    /// Shared by all partitions.
    at_work: Arc<Semaphore>,
    status: watch::Sender<Status>,
}

/// What a partition does after it was stopped.
enum Next {
    /// It begins again after this wait.
    Retry(Duration),
    /// It begins again when another version is active.
    Halt,
}

impl Task {
    async fn run(mut self) {
        let mut retry = Retry::default();
        let cancel = self.source.cancel.clone();
        while let Err(stop) = self.follow(&mut retry).await {
            let next = self.after(stop, &mut retry);
            let is_halted = matches!(next, Next::Halt);
            tokio::select! {
                () = cancel.cancelled() => {
                    if is_halted {
                        return;
                    }
                    break;
                }
                () = self.wait(next) => {}
            }
        }
        self.status.send_modify(|status| status.activity = Activity::Stopped);
    }

    async fn wait(&mut self, next: Next) {
        match next {
            Next::Retry(wait) => tokio::time::sleep(wait).await,
            Next::Halt => {
                if self.active.changed().await.is_err() {
                    // Nobody looks any more: the process stops.
                    std::future::pending::<()>().await;
                }
            }
        }
    }

    fn after(&self, stop: Stop, retry: &mut Retry) -> Next {
        match stop {
            Stop::Superseded => {
                tracing::warn!(partition = %self.partition, "somebody else moved the checkpoint: reading it again");
                Next::Retry(RETRY_MIN)
            }
            Stop::Unavailable(error) => {
                self.publish_retry(&Causes(&*error).to_string());
                retry.log_shorter_since = None;
                Next::Retry(retry.next_wait())
            }
            // An account that is locked for a while must not stop a partition for longer than that.
            Stop::Refused(error) => {
                self.publish_retry(&Causes(&error).to_string());
                retry.log_shorter_since = None;
                Next::Retry(RETRY_MAX)
            }
            Stop::LogShorter(halted) if retry.log_shorter_for() < self.options.log_shorter_patience => {
                self.publish_retry(&Causes(&halted).to_string());
                Next::Retry(retry.next_wait())
            }
            Stop::LogShorter(halted) | Stop::Halted(halted) => {
                let reason = Causes(&halted).to_string();
                tracing::error!(reason, "a partition of the projections stopped");
                self.status.send_modify(|status| {
                    status.activity = Activity::Halted { reason: reason.into() };
                });
                Next::Halt
            }
        }
    }

    /// Follows the log from the checkpoint until something stops it; ends without error when the process is to stop.
    async fn follow(&mut self, retry: &mut Retry) -> Result<(), Stop> {
        loop {
            // A change from here on is one that the following look may not have seen.
            self.active.mark_unchanged();
            let version = self.active_version().await?;
            let mut follower = Follower::resume(self.source.clone(), version, self.partition).await?;
            let log_end = self.source.log.bounds(self.partition.0).await?.end;
            self.publish(&follower, log_end);
            while !self.is_switched(version) {
                if self.source.cancel.is_cancelled() {
                    return Ok(());
                }
                self.step(&mut follower, retry).await?;
            }
            tracing::info!(partition = %self.partition, %version, "another version is active: following into that");
        }
    }

    /// Whether another version than this one has become active.
    fn is_switched(&mut self, version: Version) -> bool {
        self.active.has_changed().unwrap_or(false) && *self.active.borrow_and_update() != version
    }

    /// Waits for records for a while, then commits one batch of them if there are any.
    async fn step(&self, follower: &mut Follower, retry: &mut Retry) -> Result<(), Stop> {
        let advanced = self.advance(follower).await;
        let log_end = match &advanced {
            Ok(true) => self.source.log.bounds(self.partition.0).await?.end,
            Ok(false) => follower.checkpoint().next_offset,
            Err(_) => self.status.borrow().log_end,
        };
        if advanced.is_ok() {
            *retry = Retry::default();
        }
        self.publish(follower, log_end);
        advanced.map(drop)
    }

    /// Says whether there were records.
    async fn advance(&self, follower: &mut Follower) -> Result<bool, Stop> {
        if !follower.is_there(u64::MAX, PATIENCE).await? {
            return Ok(false);
        }
        if let Some(_turn) = self.turn().await {
            follower.advance(u64::MAX).await?;
        }
        Ok(true)
    }

    /// Waits until few enough partitions are at work; nothing if the process is to stop.
    async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        tokio::select! {
            biased;
            () = self.source.cancel.cancelled() => None,
            turn = self.at_work.acquire() => turn.ok(),
        }
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
        self.status.send_if_modified(|before| replace(before, status));
    }

    fn publish_retry(&self, reason: &str) {
        tracing::warn!(partition = %self.partition, reason, "the projector waits and tries again");
        self.status.send_modify(|status| status.activity = Activity::Retrying { reason: reason.into() });
    }
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
