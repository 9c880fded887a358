//! The ledger as its callers see it: one writer per partition, and the way to the right one.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use stockledger_domain::command::{Bundle, Checked, Command};
use stockledger_log::Log;
use stockledger_schemas::{Actor, IdempotencyKey, PartitionId, Request, Scope, SiteId};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::environment::Environment;
use crate::genesis;
use crate::observer::{Observer, Watch};
use crate::options::Options;
use crate::partition::intake::Key;
use crate::partition::places::{PLACES_MAX, Place, Places};
use crate::partition::status::{PartitionStatus, StatusSender, WriterState};
use crate::partition::under_way::UnderWay;
use crate::partition::{Asked, OpenError, Pending, Setup, Work, Writer};
use crate::reply::{CommandError, Outcome, Reply, Ticket};
use crate::routes::Routes;

/// What is wanted of a command: [`Work::Command`] or [`Work::DryRun`].
type Purpose = fn(Asked) -> Work;

/// Who opens a site on its own partition; the person who asked for it stands in the directory's decision.
const OPENED_BY: &str = "stockledger";
/// How long to wait before trying again to open a site whose partition does not take commands.
const OPEN_AGAIN_AFTER: Duration = Duration::from_millis(200);

/// A cheap handle to the writers of this node. Dropping all handles does not stop them; [`Ledger::stop`] does.
#[derive(Debug, Clone)]
pub struct Ledger(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    partitions: Vec<Handle>,
    routes: Routes,
    answer_within: Duration,
    queue_within: Duration,
    observer: Option<Arc<dyn Observer>>,
    stop: CancellationToken,
    tasks: std::sync::Mutex<Vec<JoinHandle<()>>>,
}

#[derive(Debug)]
struct Handle {
    intake: mpsc::Sender<Pending>,
    places: Places,
    under_way: UnderWay,
    status: watch::Receiver<PartitionStatus>,
}

/// The answer to come. Dropping it gives the command up if it was not taken yet.
#[derive(Debug)]
pub struct PendingReply {
    ticket: Ticket,
    /// Whether an earlier copy of the command was under way when this one was let in.
    is_repeated: bool,
    /// Whether nothing is written in any case.
    is_dry_run: bool,
    outcome: oneshot::Receiver<Outcome>,
    answer_within: Duration,
    watch: Option<Watch>,
}

impl PendingReply {
    /// Waits for the answer; not longer than the ledger's options say.
    ///
    /// # Errors
    /// [`CommandError`]; which of them mean that nothing was written is said there.
    pub async fn wait(mut self) -> Result<Reply, CommandError> {
        let outcome = self.answer().await;
        if let Some(watch) = self.watch.take() {
            watch.tell(outcome.as_ref());
        }
        outcome
    }

    async fn answer(&mut self) -> Outcome {
        match tokio::time::timeout(self.answer_within, &mut self.outcome).await {
            Ok(Ok(outcome)) => outcome,
            Err(_) if self.ticket.abandon() && !self.is_repeated => {
                Err(CommandError::NotApplied("it waited too long to be decided"))
            }
            Ok(Err(_)) | Err(_) if self.is_dry_run && !self.is_repeated => {
                Err(CommandError::NotApplied("the state that it would meet did not become certain in time"))
            }
            Ok(Err(_)) | Err(_) => Err(CommandError::OutcomeUnknown),
        }
    }
}

impl PendingReply {
    /// The same, whose answer somebody hears of.
    pub(crate) fn watched_by(mut self, watch: Option<Watch>) -> Self {
        self.watch = watch;
        self
    }
}

impl Drop for PendingReply {
    fn drop(&mut self) {
        self.ticket.abandon();
    }
}

impl Ledger {
    /// Starts the writers of all partitions. They read the log and claim their partitions in the background; until a
    /// partition is led, its commands are answered with [`CommandError::Recovering`].
    ///
    /// # Errors
    /// [`OpenError`] if the log is not this ledger's, or not one that can be written.
    pub async fn start(
        log: Arc<dyn Log>,
        environment: Arc<dyn Environment>,
        options: Options,
    ) -> Result<Self, OpenError> {
        genesis::check(log.as_ref()).await?;
        let options = Arc::new(options);
        let routes = Routes::default();
        let stop = CancellationToken::new();
        let mut partitions = Vec::new();
        let mut writers = Vec::new();
        for partition in (0..log.partitions()).map(PartitionId) {
            let (intake_tx, intake) = mpsc::channel(PLACES_MAX);
            let (status_tx, status) = StatusSender::new(partition);
            let writer = Writer::open(Setup {
                log: log.clone(),
                environment: environment.clone(),
                options: options.clone(),
                partition,
                routes: routes.clone(),
                status: status_tx.clone(),
                intake,
                stop: stop.clone(),
            });
            writers.push((writer.await?, status_tx));
            partitions.push(Handle {
                intake: intake_tx,
                places: Places::default(),
                under_way: UnderWay::default(),
                status,
            });
        }
        // Only when all of them can begin: a node that cannot start must not take partitions from others.
        let tasks =
            writers.into_iter().map(|(writer, status)| tokio::spawn(supervise(writer, status))).collect();
        let tasks = std::sync::Mutex::new(tasks);
        let Options { answer_within, queue_within, .. } = *options;
        let observer = options.observer.clone();
        let inner = Inner { partitions, routes, answer_within, queue_within, observer, stop, tasks };
        let ledger = Self(Arc::new(inner));
        tokio::spawn(ledger.clone().open_registered_sites());
        Ok(ledger)
    }

    /// Opens every site that the directory knows and its own partition does not know yet: new ones, and those that a
    /// crash or a caller that went away left half opened. Tries until it is done.
    async fn open_registered_sites(self) {
        let mut changed = self.0.routes.changes();
        loop {
            for (site, partition) in self.0.routes.registered_not_open() {
                if let Err(error) = self.open_at(partition, &site).await {
                    tracing::debug!(%site, %partition, %error, "a site is not open yet");
                }
            }
            let is_done = self.0.routes.registered_not_open().is_empty();
            tokio::select! {
                biased;
                () = self.0.stop.cancelled() => return,
                _ = changed.changed() => {}
                () = tokio::time::sleep(OPEN_AGAIN_AFTER), if !is_done => {}
            }
        }
    }

    /// How each partition stands.
    #[must_use]
    pub fn status(&self) -> Vec<PartitionStatus> {
        self.0.partitions.iter().map(|handle| handle.status.borrow().clone()).collect()
    }

    /// How many commands of each partition wait, are being decided or are in flight, by partition; one of many lines
    /// counts as several.
    #[must_use]
    pub fn open_commands(&self) -> Vec<(PartitionId, usize)> {
        let numbered = (0..).map(PartitionId).zip(&self.0.partitions);
        numbered.map(|(partition, handle)| (partition, handle.places.open())).collect()
    }

    /// Waits until every partition is led, or one can never be.
    ///
    /// # Errors
    /// [`CommandError::Halted`] with the reason of the first partition that stopped.
    pub async fn led(&self) -> Result<(), CommandError> {
        for handle in &self.0.partitions {
            let mut status = handle.status.clone();
            let is_settled = |status: &PartitionStatus| {
                !matches!(status.writer, WriterState::Recovering | WriterState::Stalled)
            };
            let Ok(status) = status.wait_for(is_settled).await else { continue };
            if let WriterState::Halted { reason } = &status.writer {
                return Err(CommandError::Halted { partition: status.partition, reason: reason.clone() });
            }
        }
        Ok(())
    }

    /// Submits a command and waits for its outcome.
    ///
    /// # Errors
    /// [`CommandError`]; [`CommandError::Overloaded`] at once if too much is waiting.
    pub async fn submit(&self, command: Checked, key: Option<IdempotencyKey>) -> Result<Reply, CommandError> {
        if let Command::OpenSite(open) = command.command() {
            let site = open.site.clone();
            return self.open_site(command, &site).await;
        }
        self.try_enqueue(command, key)?.wait().await
    }

    /// Hands a command over in order: commands of one partition are decided in the order of these calls. Not for opening
    /// a site, which takes two partitions: that is [`Ledger::submit`]'s.
    ///
    /// # Errors
    /// [`CommandError`] if it can be refused at once; [`CommandError::Overloaded`] if too much is waiting.
    pub fn try_enqueue(
        &self,
        command: Checked,
        key: Option<IdempotencyKey>,
    ) -> Result<PendingReply, CommandError> {
        let asked = one(command);
        let watch = self.watch(&asked);
        Watch::follow(watch, self.try_enter(asked, key, Work::Command))
    }

    /// What a command would be answered with if it came now, after everything that came before. Nothing is written, no
    /// key is used, no later command is decided differently, and nobody else hears of it. A command whose key was used
    /// before is answered as a repetition of it is.
    ///
    /// # Errors
    /// [`CommandError`], the same as of [`Ledger::submit`].
    pub async fn dry_run(
        &self,
        command: Checked,
        key: Option<IdempotencyKey>,
    ) -> Result<Reply, CommandError> {
        self.try_enter(one(command), key, Work::DryRun)?.wait().await
    }

    /// As [`Ledger::dry_run`], but waits for room instead of refusing, and gives back what to wait for.
    ///
    /// # Errors
    /// [`CommandError`] if it can be refused at once.
    pub async fn enqueue_dry_run(
        &self,
        command: Checked,
        key: Option<IdempotencyKey>,
    ) -> Result<PendingReply, CommandError> {
        self.enter(one(command), key, Work::DryRun).await
    }

    /// Submits commands that are done together or not at all: one decision, whose events are those of the commands in their
    /// order, or the one refusal.
    ///
    /// # Errors
    /// As [`Ledger::submit`].
    pub async fn submit_bundle(&self, bundle: Bundle, key: IdempotencyKey) -> Result<Reply, CommandError> {
        let asked = Asked::Bundle(Box::new(bundle));
        let watch = self.watch(&asked);
        Watch::follow(watch, self.try_enter(asked, Some(key), Work::Command))?.wait().await
    }

    /// As [`Ledger::dry_run`], of a bundle.
    ///
    /// # Errors
    /// As [`Ledger::submit`].
    pub async fn dry_run_bundle(&self, bundle: Bundle, key: IdempotencyKey) -> Result<Reply, CommandError> {
        self.try_enter(Asked::Bundle(Box::new(bundle)), Some(key), Work::DryRun)?.wait().await
    }

    fn try_enter(
        &self,
        asked: Asked,
        key: Option<IdempotencyKey>,
        purpose: Purpose,
    ) -> Result<PendingReply, CommandError> {
        let (handle, work, request) = self.route(asked, key, purpose)?;
        let place = handle.places.try_take(work.places(), self.0.queue_within).ok_or_else(|| {
            let key = Key::of(&work, request.as_ref());
            refusal(CommandError::Overloaded, handle.is_under_way(key))
        })?;
        self.send(handle, work, request, place)
    }

    /// As [`Ledger::try_enqueue`], but waits for room instead of refusing.
    ///
    /// # Errors
    /// [`CommandError`] if it can be refused at once.
    pub async fn enqueue(
        &self,
        command: Checked,
        key: Option<IdempotencyKey>,
    ) -> Result<PendingReply, CommandError> {
        let asked = one(command);
        let watch = self.watch(&asked);
        Watch::follow(watch, self.enter(asked, key, Work::Command).await)
    }

    async fn enter(
        &self,
        asked: Asked,
        key: Option<IdempotencyKey>,
        purpose: Purpose,
    ) -> Result<PendingReply, CommandError> {
        let (handle, work, request) = self.route(asked, key, purpose)?;
        let stopping = || CommandError::NotApplied("the server is stopping");
        let place = handle.places.take(work.places()).await.ok_or_else(stopping)?;
        self.send(handle, work, request, place)
    }

    fn watch(&self, asked: &Asked) -> Option<Watch> {
        let observer = self.0.observer.clone()?;
        Some(Watch::new(observer, asked.name()))
    }

    /// Stops taking commands, lets what was taken be decided and answered, saves snapshots and ends.
    pub async fn stop(&self) {
        self.0.stop.cancel();
        let tasks = std::mem::take(&mut *self.0.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        for task in tasks {
            if let Err(error) = task.await {
                tracing::error!(%error, "a writer did not end in order");
            }
        }
    }

    /// The directory decides where the site lives; then the site's own partition opens it, which is done in the
    /// background whatever becomes of the caller.
    async fn open_site(&self, command: Checked, site: &SiteId) -> Result<Reply, CommandError> {
        let mut changed = self.0.routes.changes();
        let registered = self.try_enqueue(command, None)?.wait().await?;
        let is_open =
            async { while self.0.routes.find(site).is_none() && changed.changed().await.is_ok() {} };
        // The directory's decision stands; that the site is open is only a matter of time.
        match tokio::time::timeout(self.0.answer_within, is_open).await {
            Ok(()) => Ok(registered),
            Err(_) => Err(CommandError::OutcomeUnknown),
        }
    }

    async fn open_at(&self, partition: PartitionId, site: &SiteId) -> Result<(), CommandError> {
        let actor = Actor::new(OPENED_BY).map_err(|error| CommandError::Internal(error.to_string()))?;
        let handle = self.handle(partition)?;
        let work = Work::OpenHere(site.clone(), actor);
        let place = handle.places.try_take(work.places(), self.0.queue_within);
        self.send(handle, work, None, place.ok_or(CommandError::Overloaded)?)?.wait().await.map(|_| ())
    }

    fn route(
        &self,
        asked: Asked,
        key: Option<IdempotencyKey>,
        purpose: Purpose,
    ) -> Result<(&Handle, Work, Option<Request>), CommandError> {
        let partition = match asked.scope() {
            Scope::Directory => PartitionId::DIRECTORY,
            Scope::Site(site) => self.find(site)?,
        };
        let request = key.map(|key| Request { key, fingerprint: asked.fingerprint() });
        Ok((self.handle(partition)?, purpose(asked), request))
    }

    /// Where a site lives. While a partition is still being read, a site that is not found may be one of its own.
    fn find(&self, site: &SiteId) -> Result<PartitionId, CommandError> {
        if let Some(partition) = self.0.routes.find(site) {
            return Ok(partition);
        }
        for handle in &self.0.partitions {
            refuse_unless_leading(&handle.status.borrow())?;
        }
        Err(CommandError::UnknownSite(site.clone()))
    }

    fn handle(&self, partition: PartitionId) -> Result<&Handle, CommandError> {
        let unknown = || CommandError::NotOwner { partition, url: None };
        self.0.partitions.get(usize::from(partition.0)).ok_or_else(unknown)
    }

    fn send(
        &self,
        handle: &Handle,
        work: Work,
        request: Option<Request>,
        place: Place,
    ) -> Result<PendingReply, CommandError> {
        const STOPPING: CommandError = CommandError::NotApplied("the server is stopping");
        let key = Key::of(&work, request.as_ref());
        let is_repeated = handle.is_under_way(key);
        let refused = |error| refusal(error, is_repeated);
        if self.0.stop.is_cancelled() {
            return Err(refused(STOPPING));
        }
        refuse_unless_leading(&handle.status.borrow()).map_err(refused)?;
        let is_dry_run = work.is_dry_run();
        let (mut pending, ticket, outcome) = Pending::new(work, request, key, place);
        pending.enter(&handle.under_way);
        handle.intake.try_send(pending).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => refused(CommandError::Overloaded),
            mpsc::error::TrySendError::Closed(_) => refused(STOPPING),
        })?;
        let answer_within = self.0.answer_within;
        Ok(PendingReply { ticket, is_repeated, is_dry_run, outcome, answer_within, watch: None })
    }
}

impl Handle {
    /// Whether a command with this key was let in and is not answered yet.
    fn is_under_way(&self, key: Option<Key>) -> bool {
        key.is_some_and(|key| self.under_way.count(key.hash) > 0)
    }
}

fn one(command: Checked) -> Asked {
    Asked::One(Box::new(command))
}

/// What a command hears that is not let in: that nothing was written, unless an earlier copy of it is under way.
fn refusal(error: CommandError, is_repeated: bool) -> CommandError {
    if is_repeated { CommandError::OutcomeUnknown } else { error }
}

/// Runs a writer and sees to it that a partition whose writer broke down is seen to have stopped.
async fn supervise(writer: Writer, status: StatusSender) {
    if let Err(error) = tokio::spawn(writer.run()).await {
        tracing::error!(%error, "a writer broke down: a fault of this program");
        let reason =
            "its writer broke down, which is a fault of this program; see the log of this process".to_owned();
        status.set(WriterState::Halted { reason });
    }
}

fn refuse_unless_leading(status: &PartitionStatus) -> Result<(), CommandError> {
    let partition = status.partition;
    match &status.writer {
        WriterState::Leading => Ok(()),
        WriterState::Stalled => {
            Err(CommandError::NotApplied("the log does not answer at the moment; try again a little later"))
        }
        WriterState::Recovering => Err(CommandError::Recovering(partition)),
        WriterState::Superseded { url } => Err(CommandError::NotOwner { partition, url: url.clone() }),
        WriterState::Halted { reason } => Err(CommandError::Halted { partition, reason: reason.clone() }),
        WriterState::Stopped => Err(CommandError::NotApplied("the server is stopping")),
    }
}
