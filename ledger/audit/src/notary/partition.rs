//! The task of one partition: follows the log, keeps the tree, signs when it is time.

use std::sync::Arc;
use std::time::Duration;

use stockledger_chain::State;
use stockledger_log::{Causes, Log, Reader};
use stockledger_schemas::{LedgerId, PartitionId};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::book::{Book, Stop, last_signed};
use super::{Activity, Demand, Options, Paths, Published};
use crate::checkpoint::{SignedCheckpoint, origin};
use crate::key::SigningKey;
use crate::tree::{self, Tree};

/// Most records of one read.
const READ_RECORDS_MAX: usize = 2_048;
/// How long to wait for records that the log is known to have.
const READ_PATIENCE: Duration = Duration::from_secs(5);
/// How long to wait after a failure.
const RETRY_AFTER: Duration = Duration::from_secs(2);
/// How long a last checkpoint may take.
const STOP_WITHIN: Duration = Duration::from_secs(5);

/// Where one partition is worked at.
pub(super) struct Desk {
    pub(super) log: Arc<dyn Log>,
    pub(super) ledger_id: LedgerId,
    pub(super) partition: PartitionId,
    pub(super) key: Arc<SigningKey>,
    pub(super) paths: Paths,
    pub(super) options: Options,
    pub(super) published: watch::Sender<Published>,
    pub(super) demands: mpsc::Receiver<Demand>,
    pub(super) cancel: CancellationToken,
}

/// What was signed last, and what waits since.
#[derive(Default)]
struct Signing {
    last: Option<Arc<SignedCheckpoint>>,
    /// When that was, if it was by this task.
    at: Option<Instant>,
    /// The tree is known to begin with the last one.
    is_checked: bool,
    /// The last one does not bear a signature of this key, so it is due at any size.
    is_of_another_key: bool,
    /// Since when there is something that is not signed.
    waiting_since: Option<Instant>,
    /// Since when the log is shorter than what was signed.
    shorter_since: Option<Instant>,
}

impl Signing {
    fn size(&self) -> u64 {
        self.last.as_ref().map_or(0, |signed| signed.checkpoint().size)
    }

    /// Whether a checkpoint of so many decisions says anything new.
    fn is_news(&self, size: u64) -> bool {
        size > self.size() || (size == self.size() && (self.last.is_none() || self.is_of_another_key))
    }

    fn is_due(&self, size: u64, options: &Options) -> bool {
        let is_overdue = |since: Option<Instant>, within| since.is_some_and(|at| at.elapsed() >= within);
        let is_many = size.saturating_sub(self.size()) >= options.unsigned_max;
        let is_rested = self.at.is_none() || is_overdue(self.at, options.extend_every);
        let is_first = self.last.is_none() || self.is_of_another_key;
        self.is_news(size)
            && (is_first || (is_many && is_rested) || is_overdue(self.waiting_since, options.sign_every))
    }
}

impl Desk {
    /// Works until it is told to stop, or the log cannot be followed any further.
    pub(super) async fn run(mut self) {
        let cancel = self.cancel.clone();
        let patience = async {
            cancel.cancelled().await;
            sleep(STOP_WITHIN).await;
        };
        tokio::select! {
            () = self.work() => {}
            () = patience => self.show(Activity::Stopped),
        }
    }

    async fn work(&mut self) {
        loop {
            let Err(stop) = self.follow().await else { return self.show(Activity::Stopped) };
            let (partition, reason) = (self.partition, Causes(&stop).to_string());
            if !stop.is_passing() {
                tracing::error!(%partition, reason, "no more checkpoints are signed");
                return self.show(match stop.is_contradiction() {
                    true => Activity::Inconsistent { reason },
                    false => Activity::Halted { reason },
                });
            }
            tracing::warn!(%partition, reason, "checkpoints are delayed");
            self.show(Activity::Retrying { reason });
            if stop.is_damaged_tree() {
                // If it cannot be removed, the next attempt says why.
                drop(std::fs::remove_file(&self.paths.tree));
            }
            tokio::select! {
                () = self.cancel.cancelled() => return self.show(Activity::Stopped),
                () = sleep(RETRY_AFTER) => {}
            }
        }
    }

    async fn follow(&mut self) -> Result<(), Stop> {
        let mut signing = self.last_signed().await?;
        let mut book = self.open(signing.last.as_deref()).await?;
        let mut reader = self.log.reader(self.partition.0, book.next_offset()).await?;
        self.published.send_modify(|published| {
            published.tree_size = book.size();
            published.activity = Activity::Following;
        });
        let mut waiting: Vec<oneshot::Sender<()>> = Vec::new();
        // Whoever asked for another tree before has just got it.
        while let Ok(demand) = self.demands.try_recv() {
            if let Demand::Sign(waiter) = demand {
                waiting.push(waiter);
            }
        }
        loop {
            let is_last_round = self.cancel.is_cancelled();
            while let Ok(demand) = self.demands.try_recv() {
                self.take(demand, &mut waiting)?;
            }
            let end = self.log.bounds(self.partition.0).await?.end;
            book = self.read_to(end, reader.as_mut(), book, &mut signing).await?;
            book = self.check(book, &mut signing).await?;
            let is_level = book.next_offset() >= end;
            self.check_length(&book, is_level, &mut signing)?;
            let is_wanted = !waiting.is_empty() || is_last_round;
            if is_level
                && signing.is_news(book.size())
                && (is_wanted || signing.is_due(book.size(), &self.options))
            {
                book = self.sign(book, &mut signing).await?;
            }
            // Whoever does not wait any longer has gone.
            for waiter in waiting.drain(..) {
                let _gone: Result<(), ()> = waiter.send(());
            }
            if is_last_round {
                return Ok(());
            }
            tokio::select! {
                () = self.cancel.cancelled() => {}
                Some(demand) = self.demands.recv() => self.take(demand, &mut waiting)?,
                () = sleep(self.options.extend_every) => {}
            }
        }
    }

    fn take(&self, demand: Demand, waiting: &mut Vec<oneshot::Sender<()>>) -> Result<(), Stop> {
        match demand {
            Demand::Sign(waiter) => {
                waiting.push(waiter);
                Ok(())
            }
            Demand::Rebuild => Err(tree::Error::Damaged { path: self.paths.tree.clone(), seq: 0 }.into()),
        }
    }

    /// What was signed last, shown to everybody.
    async fn last_signed(&self) -> Result<Signing, Stop> {
        let (path, origin) = (self.paths.checkpoint.clone(), origin(self.ledger_id, self.partition));
        let last = spawn_blocking(move || last_signed(&path, &origin)).await??.map(Arc::new);
        let verifier = [self.key.verifier()];
        let is_ours =
            |signed: &Arc<SignedCheckpoint>| SignedCheckpoint::open(signed.note(), &verifier).is_ok();
        let is_of_another_key = last.as_ref().is_some_and(|signed| !is_ours(signed));
        self.published.send_modify(|published| published.signed.clone_from(&last));
        Ok(Signing { last, is_of_another_key, ..Signing::default() })
    }

    /// The book as the file has it, as far as that is what was signed and what the log has; else an empty one. What the file
    /// has beyond may not be durable, and is soon read again.
    async fn open(&self, signed: Option<&SignedCheckpoint>) -> Result<Book, Stop> {
        let partition = self.partition;
        let genesis = self.log.fetch(partition.0, 0).await?.ok_or(Stop::Empty(partition))?;
        let begun = State::begin(&genesis.value, partition)?;
        let (path, signed) = (self.paths.tree.clone(), signed.map(|signed| *signed.checkpoint()));
        let size_max = signed.map_or(0, |signed| signed.size);
        let directory = path.parent().map(std::path::Path::to_path_buf);
        let (tree, last) = spawn_blocking(move || {
            if let Some(directory) = directory {
                std::fs::create_dir_all(&directory)
                    .map_err(|source| tree::Error::File { path: directory, source })?;
            }
            let tree = Tree::open(&path, size_max)?;
            let last = tree.last()?;
            Ok::<_, Stop>((tree, last))
        })
        .await??;
        let Some(leaf) = last else { return Book::begin(tree, begun) };
        let is_signed = signed.is_none_or(|signed| signed.size != tree.size() || signed.root == tree.root());
        let record = self.log.fetch(partition.0, leaf.offset).await?.filter(|_| is_signed);
        let tree = match record {
            Some(record) => match Book::resume(tree, &begun, &record)? {
                Ok(book) => return Ok(book),
                Err(tree) => tree,
            },
            None => tree,
        };
        tracing::warn!(%partition, "the tree does not fit the log; it is made again from the first record");
        Book::begin(tree, begun)
    }

    /// Reads up to `end`, unless the log holds something back or this task is told to stop.
    async fn read_to(
        &self,
        end: u64,
        reader: &mut dyn Reader,
        mut book: Book,
        signing: &mut Signing,
    ) -> Result<Book, Stop> {
        while book.next_offset() < end {
            let records = reader.next(READ_RECORDS_MAX, READ_PATIENCE).await?;
            if records.is_empty() {
                break;
            }
            let (read, taken) = spawn_blocking(move || {
                let taken = book.take(&records);
                (book, taken)
            })
            .await?;
            book = read;
            self.published.send_modify(|published| published.tree_size = book.size());
            if book.size() > signing.size() {
                signing.waiting_since.get_or_insert_with(Instant::now);
            }
            // What came before a record that cannot be read past is signed nevertheless.
            if taken.is_err() && signing.is_news(book.size()) || signing.is_due(book.size(), &self.options) {
                book = self.sign(book, signing).await?;
            }
            taken?;
        }
        Ok(book)
    }

    async fn sign(&self, book: Book, signing: &mut Signing) -> Result<Book, Stop> {
        let (key, path) = (self.key.clone(), self.paths.checkpoint.clone());
        let last = signing.last.as_ref().map(|signed| *signed.checkpoint());
        let (book, signed) = spawn_blocking(move || {
            let signed = book.sign(last.as_ref(), &key, &path);
            (book, signed)
        })
        .await?;
        let signed = Arc::new(signed?);
        self.published.send_modify(|published| published.signed = Some(signed.clone()));
        let (last, at) = (Some(signed), Some(Instant::now()));
        *signing = Signing { last, at, is_checked: true, ..Signing::default() };
        Ok(book)
    }

    /// Holds the tree against the last checkpoint as soon as it has as many decisions, whether anything is new or not.
    async fn check(&self, book: Book, signing: &mut Signing) -> Result<Book, Stop> {
        let last = signing.last.as_ref().map(|signed| *signed.checkpoint());
        let Some(last) = last.filter(|last| !signing.is_checked && book.size() >= last.size) else {
            return Ok(book);
        };
        let (book, checked) = spawn_blocking(move || {
            let checked = book.check(&last);
            (book, checked)
        })
        .await?;
        checked?;
        signing.is_checked = true;
        Ok(book)
    }

    /// A log that is shorter than what was signed has lost something, unless it grows again soon.
    fn check_length(&self, book: &Book, is_level: bool, signing: &mut Signing) -> Result<(), Stop> {
        let (signed, found) = (signing.size(), book.size());
        if !is_level || found >= signed {
            signing.shorter_since = None;
            return Ok(());
        }
        let since = *signing.shorter_since.get_or_insert_with(Instant::now);
        if since.elapsed() < self.options.shorter_for { Ok(()) } else { Err(Stop::Shorter { signed, found }) }
    }

    fn show(&self, activity: Activity) {
        self.published.send_modify(|published| published.activity = activity);
    }
}
