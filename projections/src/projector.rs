//! The live projector: one task per partition follows the log and keeps a version level with it.
//!
//! Every version that is whole is followed: the active one, one that was rebuilt and waits for its switch, and the one that
//! was active before, so that a switch back is as quick as the switch. A partition that meets something that it must not
//! read past halts, says why in its [`Status`] and in its checkpoint, and stays there; the others go on. While the log or
//! the store does not answer it tries again, ever more slowly. Another process may make, switch or drop versions at any
//! time: one look a second tells.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use stockledger_log::{Causes, Log};
use stockledger_rules::{Rule, keeps};
use stockledger_schemas::{PartitionId, Timestamp};
use tokio::sync::{Notify, Semaphore, SemaphorePermit, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::follower::{Follower, Source};
use crate::progress::{Activity, Following, Progress, Status};
use crate::read::{self, VersionInfo, VersionState};
use crate::stop::{Halted, Stop};
use crate::store::{Activation, Error, Store};
use crate::table::{Version, code_hash};
use crate::versions;

/// How long one read waits for a record before the projector looks around.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often it is looked which versions there are.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Partitions that load, fold and commit at the same moment. A ledger may have a thousand of them, and the store's
/// connections are also there for queries and a rebuild.
const AT_WORK_MAX: usize = 8;
/// The first wait after a failure; it doubles up to [`RETRY_MAX`].
const RETRY_MIN: Duration = Duration::from_millis(50);
/// The longest wait after a failure. To ask a log or a store that is away costs next to nothing, and every moment after it
/// is back is one for which tables are behind.
const RETRY_MAX: Duration = Duration::from_secs(1);
/// The wait after the store has refused what this account may not do.
const REFUSED_AGAIN_AFTER: Duration = Duration::from_secs(5);

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

/// A running projector.
#[derive(Debug)]
pub struct Projector {
    progress: Progress,
    look: Arc<Notify>,
    supervisor: JoinHandle<()>,
}

impl Projector {
    /// Begins to follow the log into every version that is whole; the first one is made if there is none. `now` is when that
    /// would be.
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
        let active = ensure_active(&*store, now).await?;
        let (following, receiver) = watch::channel(Following::nothing(active));
        let look = Arc::new(Notify::new());
        let mut supervisor = Supervisor {
            source: Source { log, store, cancel },
            options,
            at_work: Arc::new(Semaphore::new(AT_WORK_MAX)),
            following,
            running: BTreeMap::new(),
        };
        supervisor.follow_versions(&[active], active);
        let supervisor = tokio::spawn(supervisor.run(Arc::clone(&look)));
        Ok(Self { progress: Progress::new(receiver), look, supervisor })
    }

    /// Where every partition stands, now and later.
    #[must_use]
    pub fn progress(&self) -> Progress {
        self.progress.clone()
    }

    /// A handle that makes the projector look at once which versions there are, after a switch in this process.
    #[must_use]
    pub fn look(&self) -> Arc<Notify> {
        Arc::clone(&self.look)
    }

    /// Waits until all tasks have ended after the cancellation of the token that was given to [`Projector::start`].
    /// What was being written then is committed.
    pub async fn stopped(self) {
        if let Err(error) = self.supervisor.await {
            tracing::error!(%error, "the projector failed");
        }
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
    store.create_indexes(Version::FIRST).await?;
    match store.activate(None, Version::FIRST).await? {
        Activation::Activated => Ok(Version::FIRST),
        Activation::Superseded => checked_active(store).await?.ok_or(Error::NoSuchVersion(Version::FIRST)),
        Activation::Behind => Err(Error::NotFilled(Version::FIRST)),
    }
}

/// The active version, if there is one and this program's code made it.
///
/// # Errors
/// [`Error::OtherCode`] if other code did: its columns may mean something else. [`Error::Unavailable`].
pub async fn checked_active(store: &dyn Store) -> Result<Option<Version>, Error> {
    let mut snapshot = store.snapshot().await?;
    let Some(version) = read::active(&mut *snapshot).await? else { return Ok(None) };
    let versions = read::versions(&mut *snapshot).await?;
    let info =
        versions.into_iter().find(|info| info.version == version).ok_or(Error::NoSuchVersion(version))?;
    same_code(info)?;
    Ok(Some(version))
}

/// Whether this program's code made a version.
fn same_code(info: VersionInfo) -> Result<(), Error> {
    if info.is_our_code() {
        return Ok(());
    }
    Err(Error::OtherCode { version: info.version, expected: code_hash(), found: info.code_hash })
}

/// Keeps one set of tasks for every version that is to be followed.
struct Supervisor {
    source: Source,
    options: Options,
    /// Shared by all partitions of all versions.
    at_work: Arc<Semaphore>,
    following: watch::Sender<Following>,
    running: BTreeMap<Version, Crew>,
}

/// The tasks of one version.
struct Crew {
    cancel: CancellationToken,
    tasks: JoinSet<()>,
}

impl Supervisor {
    async fn run(mut self, look: Arc<Notify>) {
        let cancel = self.source.cancel.clone();
        while !cancel.is_cancelled() {
            match self.versions().await {
                Ok((followed, active)) => {
                    self.dismiss_all_but(&followed).await;
                    self.follow_versions(&followed, active);
                }
                // That the store does not answer is for the tasks to notice.
                Err(error) => {
                    tracing::debug!(error = %Causes(&error), "it is not known which versions there are");
                }
            }
            tokio::select! {
                biased;
                () = cancel.cancelled() => {}
                () = look.notified() => {}
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
        self.dismiss_all_but(&[]).await;
    }

    /// Which versions are to be followed, and which of them is active.
    async fn versions(&self) -> Result<(Vec<Version>, Version), Error> {
        let mut snapshot = self.source.store.snapshot().await?;
        let active = read::active(&mut *snapshot).await?;
        let versions = read::versions(&mut *snapshot).await?;
        let active = active.unwrap_or_else(|| self.following.borrow().active);
        // One that other code made cannot be kept level; if it is the active one its tasks say so.
        let is_followed = |info: &VersionInfo| {
            info.version == active || (info.state != VersionState::Building && info.is_our_code())
        };
        Ok((versions.iter().filter(|info| is_followed(info)).map(|info| info.version).collect(), active))
    }

    async fn dismiss_all_but(&mut self, followed: &[Version]) {
        let gone: Vec<Version> =
            self.running.keys().filter(|version| !followed.contains(version)).copied().collect();
        for version in gone {
            let Some(mut crew) = self.running.remove(&version) else { continue };
            crew.cancel.cancel();
            while crew.tasks.join_next().await.is_some() {}
        }
    }

    fn follow_versions(&mut self, followed: &[Version], active: Version) {
        let mut next = self.following.borrow().clone();
        next.active = active;
        next.statuses.retain(|version, _| self.running.contains_key(version));
        for version in followed {
            if !self.running.contains_key(version) {
                let (crew, statuses) = self.crew(*version);
                self.running.insert(*version, crew);
                next.statuses.insert(*version, statuses.into());
            }
        }
        self.following.send_if_modified(|known| {
            let is_new = !known.is_same(&next);
            *known = next;
            is_new
        });
    }

    fn crew(&self, version: Version) -> (Crew, Vec<watch::Receiver<Status>>) {
        let cancel = self.source.cancel.child_token();
        let source = Source { cancel: cancel.clone(), ..self.source.clone() };
        let mut tasks = JoinSet::new();
        let mut statuses = Vec::new();
        for partition in (0..self.source.log.partitions()).map(PartitionId) {
            let (status, receiver) = watch::channel(Status::starting(partition, version));
            statuses.push(receiver);
            let (source, at_work) = (source.clone(), Arc::clone(&self.at_work));
            let task = Task { source, options: self.options, version, partition, at_work, status };
            tasks.spawn(task.run());
        }
        (Crew { cancel, tasks }, statuses)
    }
}

/// Says whether that is a change.
fn replace<T: PartialEq>(known: &mut T, new: T) -> bool {
    let is_new = *known != new;
    *known = new;
    is_new
}

/// One partition of one version.
struct Task {
    source: Source,
    options: Options,
    version: Version,
    partition: PartitionId,
    /// Shared by all.
    at_work: Arc<Semaphore>,
    status: watch::Sender<Status>,
}

/// What a partition does after it was stopped.
enum Next {
    /// It begins again after this wait.
    Retry(Duration),
    /// It stays where it is until somebody acts.
    Halt {
        /// Why, if that is so for everybody; nothing if only this process cannot go on.
        reason: Option<String>,
    },
}

impl Task {
    async fn run(self) {
        let mut retry = Retry::default();
        let cancel = self.source.cancel.clone();
        while let Err(stop) = self.follow(&mut retry).await {
            match self.after(stop, &mut retry) {
                Next::Halt { reason: Some(reason) } => return self.halt(&reason).await,
                Next::Halt { reason: None } => return,
                Next::Retry(wait) => {
                    tokio::select! {
                        biased;
                        () = cancel.cancelled() => break,
                        () = tokio::time::sleep(wait) => {}
                    }
                }
            }
        }
        self.status.send_modify(|status| status.activity = Activity::Stopped);
    }

    /// Tells everybody who reads this partition, also in other processes, that it goes no further.
    async fn halt(&self, reason: &str) {
        let mut retry = Retry::default();
        while let Err(error) =
            versions::set_halt(&*self.source.store, self.version, self.partition, Some(reason)).await
        {
            tracing::warn!(error = %Causes(&error), "that a partition stopped could not be written down yet");
            tokio::select! {
                biased;
                () = self.source.cancel.cancelled() => return,
                () = tokio::time::sleep(retry.next_wait()) => {}
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
                Next::Retry(REFUSED_AGAIN_AFTER)
            }
            Stop::LogShorter(halted) if retry.log_shorter_for() < self.options.log_shorter_patience => {
                self.publish_retry(&Causes(&halted).to_string());
                Next::Retry(retry.next_wait())
            }
            Stop::LogShorter(halted) | Stop::Halted(halted) => {
                let reason = Causes(&halted).to_string();
                tracing::error!(reason, version = %self.version, "a partition of the projections stopped");
                self.status.send_modify(|status| {
                    status.activity = Activity::Halted { reason: reason.as_str().into() };
                });
                // Another release follows tables that this one must not touch.
                let is_mine = matches!(halted, Halted::Store(Error::OtherCode { .. }));
                Next::Halt { reason: (!is_mine).then_some(reason) }
            }
        }
    }

    /// Follows the log from the checkpoint until something stops it; ends without error when it is told to stop.
    async fn follow(&self, retry: &mut Retry) -> Result<(), Stop> {
        self.check_code().await?;
        let mut follower = Follower::resume(self.source.clone(), self.version, self.partition).await?;
        let log_end = self.source.log.bounds(self.partition.0).await?.end;
        self.publish(&follower, log_end);
        let mut is_halt_forgotten = false;
        while !self.source.cancel.is_cancelled() {
            self.step(&mut follower, retry).await?;
            if !is_halt_forgotten {
                // What stopped an earlier projector here is behind this one, or will be met again.
                versions::set_halt(&*self.source.store, self.version, self.partition, None).await?;
                is_halt_forgotten = true;
            }
        }
        Ok(())
    }

    /// Rows are never written into tables that other code made.
    async fn check_code(&self) -> Result<(), Stop> {
        let versions = read::versions(&mut *self.source.store.snapshot().await?).await?;
        let info = versions.into_iter().find(|info| info.version == self.version).ok_or(Stop::Superseded)?;
        if info.state == VersionState::Building {
            // It was dropped, and somebody fills another one of this number.
            return Err(Stop::Superseded);
        }
        same_code(info).map_err(Stop::from)
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

    fn publish(&self, follower: &Follower, log_end: u64) {
        let checkpoint = follower.checkpoint();
        let status = Status {
            version: self.version,
            position: checkpoint.position(),
            recorded_at: checkpoint.recorded_at,
            next_offset: if keeps(Rule::CommittedBeforeShown) { checkpoint.next_offset } else { log_end },
            log_end: log_end.max(checkpoint.next_offset),
            activity: Activity::Running,
        };
        self.status.send_if_modified(|before| replace(before, status));
    }

    fn publish_retry(&self, reason: &str) {
        if matches!(self.status.borrow().activity, Activity::Retrying { .. }) {
            tracing::debug!(partition = %self.partition, reason, "the projector tries again and again");
        } else {
            tracing::warn!(partition = %self.partition, reason, "the projector waits and tries again");
        }
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
