//! The notary: keeps a tree over the decisions of each partition and signs what it is, for others to keep.
//!
//! One task for each partition reads the log through the admission rule, adds what is new to the tree at most once a second,
//! and signs a checkpoint every ten seconds or thousand decisions, whichever comes first, if anything is new. Nobody ever
//! gets two checkpoints that contradict each other: the last one stands in a file, durable before it is shown, and the
//! next is signed only if its tree begins with that one. If it does not, history was changed: the partition gets no more
//! checkpoints and says why.
//!
//! ```text
//! audit/partition-0.tree          a cache, made again from the log whenever it does not fit
//! audit/partition-0.checkpoint    the last checkpoint; not a cache: without it nothing would be noticed
//! ```
//!
//! Read `partition.rs` for the work and `book.rs` for what it works on. [`Proofs`] answers questions.

mod book;
mod partition;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use stockledger_log::Log;
use stockledger_schemas::{LedgerId, PartitionId};
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::checkpoint::SignedCheckpoint;
use crate::key::SigningKey;
use crate::proofs::Proofs;
use partition::Desk;

/// Requests that may wait for one partition; more are told to come again.
const DEMANDS_MAX: usize = 64;

/// How often things are done.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// How often a tree is brought to where its log ends.
    pub extend_every: Duration,
    /// How long a decision waits for a checkpoint at most.
    pub sign_every: Duration,
    /// How many decisions wait for a checkpoint at most, but for what comes within `extend_every`.
    pub unsigned_max: u64,
    /// How long a log may be shorter than what was signed, as a cluster may say while it changes its leader.
    pub shorter_for: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            extend_every: Duration::from_secs(1),
            sign_every: Duration::from_secs(10),
            unsigned_max: 1_000,
            shorter_for: Duration::from_secs(30),
        }
    }
}

/// Signs for every partition of a ledger until it is stopped.
pub struct Notary {
    proofs: Proofs,
    cancel: CancellationToken,
    tasks: TaskTracker,
}

impl Notary {
    /// Starts a task for each partition. `directory` is where trees and checkpoints are kept; nobody else may write there.
    #[must_use]
    pub fn start(
        log: Arc<dyn Log>,
        ledger_id: LedgerId,
        key: SigningKey,
        directory: PathBuf,
        options: Options,
    ) -> Self {
        let (cancel, tasks, key) = (CancellationToken::new(), TaskTracker::new(), Arc::new(key));
        let mut counters = Vec::new();
        for partition in (0..log.partitions()).map(PartitionId) {
            let (published, seen) = watch::channel(Published::default());
            let (demands, demanded) = mpsc::channel(DEMANDS_MAX);
            counters.push(Counter { published: seen, demands });
            let desk = Desk {
                log: log.clone(),
                ledger_id,
                partition,
                key: key.clone(),
                paths: Paths::new(&directory, partition),
                options,
                published,
                demands: demanded,
                cancel: cancel.clone(),
            };
            tasks.spawn(desk.run());
        }
        tasks.close();
        let proofs = Proofs::of_notary(log, ledger_id, key.verifier(), directory, counters);
        Self { proofs, cancel, tasks }
    }

    /// Answers checkpoints and proofs.
    #[must_use]
    pub fn proofs(&self) -> Proofs {
        self.proofs.clone()
    }

    /// Signs what is in the log now, if it does not take too long, and ends.
    pub async fn stop(self) {
        self.cancel.cancel();
        self.tasks.wait().await;
    }
}

/// Where the files of a partition are.
#[derive(Debug, Clone)]
pub(crate) struct Paths {
    pub(crate) tree: PathBuf,
    pub(crate) checkpoint: PathBuf,
}

impl Paths {
    pub(crate) fn new(directory: &Path, partition: PartitionId) -> Self {
        Self {
            tree: directory.join(format!("partition-{partition}.tree")),
            checkpoint: directory.join(format!("partition-{partition}.checkpoint")),
        }
    }
}

/// Where requests for one partition are taken.
#[derive(Debug)]
pub(crate) struct Counter {
    pub(crate) published: watch::Receiver<Published>,
    pub(crate) demands: mpsc::Sender<Demand>,
}

/// What the task of a partition is asked for.
#[derive(Debug)]
pub(crate) enum Demand {
    /// A checkpoint over everything that is in the log now; the answer comes when it is signed, or as soon as it is clear
    /// that there is none.
    Sign(oneshot::Sender<()>),
    /// Another tree: this one is damaged.
    Rebuild,
}

/// What the task of a partition shows.
#[derive(Debug, Clone, Default)]
pub(crate) struct Published {
    /// The last checkpoint.
    pub(crate) signed: Option<Arc<SignedCheckpoint>>,
    /// How many decisions the tree has; fewer than were signed while it is made again.
    pub(crate) tree_size: u64,
    pub(crate) activity: Activity,
}

impl Published {
    /// Whether the tree has everything that was signed, so that what cannot be read of it is damaged.
    pub(crate) fn is_tree_complete(&self) -> bool {
        let signed = self.signed.as_ref().map_or(0, |signed| signed.checkpoint().size);
        self.activity == Activity::Following && self.tree_size >= signed
    }
}

/// What the task of a partition is doing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum Activity {
    /// It opens its files.
    #[default]
    Starting,
    /// It follows the log.
    Following,
    /// It failed and will try again.
    Retrying { reason: String },
    /// It stopped at something in the log.
    Halted { reason: String },
    /// It will not sign: the log contradicts what was signed.
    Inconsistent { reason: String },
    /// It was told to stop.
    Stopped,
}
