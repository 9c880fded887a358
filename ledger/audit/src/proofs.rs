//! Answers checkpoints and proofs: from a notary in this process, or from the files that one has left or is writing.
//!
//! Every proof is checked here before it is given away, with the functions that others check it with.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use stockledger_chain::decision_hash;
use stockledger_chain::merkle::{
    Frontier, consistency, inclusion, leaf_hash, verify_consistency, verify_inclusion,
};
use stockledger_log::Log;
use stockledger_schemas::{Hash, LedgerId, PartitionId, Position};
use tokio::sync::oneshot;
use tokio::task::spawn_blocking;

use crate::checkpoint::{Checkpoint, SignedCheckpoint};
use crate::files;
use crate::key::VerifierKey;
use crate::notary::{Activity, Counter, Demand, Paths, Published};
use crate::proof::{ConsistencyProof, InclusionProof};
use crate::tree::{self, TreeReader};

/// How long a request waits for a checkpoint that covers what it asks about.
pub const SIGN_WITHIN: Duration = Duration::from_secs(10);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The ledger has no such partition.
    #[error("there is no partition {partition}: the ledger has {partitions}, numbered from 0")]
    NoSuchPartition {
        /// Which was asked for.
        partition: PartitionId,
        /// How many there are.
        partitions: u16,
    },
    /// Nothing was decided there.
    #[error("nothing was decided at {position}: the last decision of its partition is {last}")]
    Undecided {
        /// What was asked for.
        position: Position,
        /// The last that there is; seq 0 if there is none.
        last: Position,
    },
    /// A proof from a later tree to an earlier one.
    #[error(
        "a proof leads from an earlier position to a later one of the same partition, not from {from} to {to}"
    )]
    Backwards {
        /// The beginning.
        from: Position,
        /// The end.
        to: Position,
    },
    /// No checkpoint covers it, and nobody here can sign one.
    #[error(
        "the last checkpoint of the partition is over {signed}, before {wanted}; the node that signs makes a new one every few seconds"
    )]
    NotSignedYet {
        /// What was asked for.
        wanted: Position,
        /// What is covered.
        signed: Position,
    },
    /// There is no checkpoint, or not now.
    #[error("partition {partition}: {reason}")]
    Unavailable {
        /// Which partition.
        partition: PartitionId,
        /// Why.
        reason: String,
    },
    /// The log contradicts what was signed. Somebody must look.
    #[error("partition {partition}: {reason}")]
    Inconsistent {
        /// Which partition.
        partition: PartitionId,
        /// What contradicts what.
        reason: String,
    },
    /// The log.
    #[error("reading the log")]
    Log(#[from] stockledger_log::Error),
}

/// Answers checkpoints and proofs. Clones are cheap and the same.
#[derive(Clone)]
pub struct Proofs(Arc<Inner>);

struct Inner {
    log: Arc<dyn Log>,
    ledger_id: LedgerId,
    verifier: Option<VerifierKey>,
    directory: PathBuf,
    /// One for each partition, where a notary works in this process.
    counters: Option<Vec<Counter>>,
}

impl std::fmt::Debug for Proofs {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Inner { ledger_id, directory, counters, .. } = &*self.0;
        let signs = counters.is_some();
        formatter
            .debug_struct("Proofs")
            .field("ledger_id", ledger_id)
            .field("directory", directory)
            .field("signs", &signs)
            .finish_non_exhaustive()
    }
}

impl Proofs {
    pub(crate) fn of_notary(
        log: Arc<dyn Log>,
        ledger_id: LedgerId,
        verifier: VerifierKey,
        directory: PathBuf,
        counters: Vec<Counter>,
    ) -> Self {
        let (verifier, counters) = (Some(verifier), Some(counters));
        Self(Arc::new(Inner { log, ledger_id, verifier, directory, counters }))
    }

    /// Answers from the files in `directory`, which a notary of this ledger keeps or has kept. Nothing is written or signed.
    /// `verifier` is the key that is told to those who ask for it.
    #[must_use]
    pub fn of_files(
        log: Arc<dyn Log>,
        ledger_id: LedgerId,
        verifier: Option<VerifierKey>,
        directory: PathBuf,
    ) -> Self {
        Self(Arc::new(Inner { log, ledger_id, verifier, directory, counters: None }))
    }

    /// Which ledger.
    #[must_use]
    pub fn ledger_id(&self) -> LedgerId {
        self.0.ledger_id
    }

    /// How many partitions it has.
    #[must_use]
    pub fn partitions(&self) -> u16 {
        self.0.log.partitions()
    }

    /// The key that checks the checkpoints, where it is known. Older checkpoints may be signed by older keys.
    #[must_use]
    pub fn verifier(&self) -> Option<&VerifierKey> {
        self.0.verifier.as_ref()
    }

    /// The last checkpoint of a partition.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn checkpoint(&self, partition: PartitionId) -> Result<Arc<SignedCheckpoint>, Error> {
        match self.counter(partition)? {
            Some(counter) => signed_in(partition, &counter.published.borrow()),
            None => self.read_checkpoint(partition).await,
        }
    }

    /// That the decision at a position is in the ledger, with its record. Where a notary works here, a checkpoint that covers
    /// it is signed if there is none.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn inclusion(&self, position: Position) -> Result<InclusionProof, Error> {
        let partition = position.partition;
        let signed = self.covering(position).await?;
        let Checkpoint { size, root, .. } = *signed.checkpoint();
        let last = Position::new(partition, size);
        let index = position.seq.checked_sub(1).ok_or(Error::Undecided { position, last })?;
        let (leaf, path) = self
            .ask_tree(partition, move |tree| Ok((tree.leaf(index)?, inclusion(tree, index, size)?)))
            .await?;
        let record = self.0.log.fetch(partition.0, leaf.offset).await?;
        let (Some(path), Some(record)) = (path, record) else { return Err(self.damaged(partition)) };
        let chain_hash = decision_hash(&record.value);
        if !verify_inclusion(&leaf_hash(&chain_hash), index, size, &path, &root) {
            return Err(self.damaged(partition));
        }
        Ok(InclusionProof {
            position,
            record: record.value.to_vec(),
            chain_hash,
            leaf_index: index,
            tree_size: size,
            inclusion: path,
            checkpoint: signed.note().to_owned(),
        })
    }

    /// That the tree up to one position is a beginning of the tree up to another; without `to`, up to the last checkpoint.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn consistency(&self, from: Position, to: Option<Position>) -> Result<ConsistencyProof, Error> {
        let partition = from.partition;
        if let Some(to) = to.filter(|to| to.partition != partition || to.seq < from.seq) {
            return Err(Error::Backwards { from, to });
        }
        let signed = self.covering(to.unwrap_or(from)).await?;
        let last = signed.checkpoint();
        let to = to.unwrap_or(last.position());
        let (old, new) = (from.seq, to.seq);
        let (from_root, to_root, proof, signed_root) = self
            .ask_tree(partition, {
                let size = last.size;
                move |tree| {
                    let proof = consistency(tree, old, new)?.unwrap_or_default();
                    Ok((root_of(tree, old)?, root_of(tree, new)?, proof, root_of(tree, size)?))
                }
            })
            .await?;
        if signed_root != last.root || !verify_consistency(old, new, &from_root, &to_root, &proof) {
            return Err(self.damaged(partition));
        }
        let checkpoint = (to == last.position()).then(|| signed.note().to_owned());
        Ok(ConsistencyProof { from, from_root, to, to_root, consistency: proof, checkpoint })
    }

    /// A checkpoint that covers a position.
    async fn covering(&self, position: Position) -> Result<Arc<SignedCheckpoint>, Error> {
        let partition = position.partition;
        let signed = self.checkpoint(partition).await?;
        let covers = |signed: &SignedCheckpoint| signed.checkpoint().size >= position.seq;
        if covers(&signed) {
            return Ok(signed);
        }
        let Some(counter) = self.counter(partition)? else {
            let signed = signed.checkpoint().position();
            return Err(Error::NotSignedYet { wanted: position, signed });
        };
        let (waiter, done) = oneshot::channel();
        let unavailable = |reason: &str| Error::Unavailable { partition, reason: reason.to_owned() };
        if counter.demands.try_send(Demand::Sign(waiter)).is_ok() {
            tokio::time::timeout(SIGN_WITHIN, done)
                .await
                .map_err(|_| unavailable("the log was not read to its end within 10 seconds; try again"))?
                .ok();
        } else if !counter.demands.is_closed() {
            return Err(unavailable("too many requests wait for a checkpoint; try again"));
        }
        let published = counter.published.borrow().clone();
        let signed = signed_in(partition, &published)?;
        match published.activity {
            _ if covers(&signed) => Ok(signed),
            Activity::Following => Err(Error::Undecided { position, last: signed.checkpoint().position() }),
            activity => Err(unavailable(&in_words(&activity))),
        }
    }

    fn counter(&self, partition: PartitionId) -> Result<Option<&Counter>, Error> {
        let partitions = self.partitions();
        if partition.0 >= partitions {
            return Err(Error::NoSuchPartition { partition, partitions });
        }
        Ok(self.0.counters.as_ref().and_then(|counters| counters.get(usize::from(partition.0))))
    }

    async fn read_checkpoint(&self, partition: PartitionId) -> Result<Arc<SignedCheckpoint>, Error> {
        let unavailable = |reason: String| Error::Unavailable { partition, reason };
        let path = self.paths(partition).checkpoint;
        let read = blocking(partition, {
            let path = path.clone();
            move || files::read(&path)
        })
        .await?;
        let bytes =
            read.map_err(|error| unavailable(format!("the checkpoint {}: {error}", path.display())))?;
        let missing = || {
            unavailable(format!(
                "there is no checkpoint {}: no node that signs has run on this data directory",
                path.display()
            ))
        };
        let note = bytes.ok_or_else(missing)?;
        let signed = SignedCheckpoint::believe(&String::from_utf8_lossy(&note))
            .map_err(|error| unavailable(format!("the checkpoint {}: {error}", path.display())))?;
        if signed.checkpoint().ledger_id == self.0.ledger_id {
            return Ok(Arc::new(signed));
        }
        Err(unavailable(format!("the checkpoint {} is of another ledger", path.display())))
    }

    async fn ask_tree<T: Send + 'static>(
        &self,
        partition: PartitionId,
        read: impl FnOnce(&TreeReader) -> Result<T, tree::Error> + Send + 'static,
    ) -> Result<T, Error> {
        let path = self.paths(partition).tree;
        let answer =
            blocking(partition, move || TreeReader::open(&path).and_then(|tree| read(&tree))).await?;
        match answer {
            Ok(answer) => Ok(answer),
            Err(error) if error.is_damage() => Err(self.damaged(partition)),
            Err(error) => Err(Error::Unavailable { partition, reason: error.to_string() }),
        }
    }

    /// The tree is not what was signed: it is damaged, or is being made again. Has it made again, where that is possible.
    fn damaged(&self, partition: PartitionId) -> Error {
        if let Ok(Some(counter)) = self.counter(partition)
            && counter.published.borrow().is_tree_complete()
        {
            // With a full queue another request of this kind is in it, or the next one will be.
            drop(counter.demands.try_send(Demand::Rebuild));
        }
        let reason = "the tree is being made again from the log, or is damaged; try again".to_owned();
        Error::Unavailable { partition, reason }
    }

    fn paths(&self, partition: PartitionId) -> Paths {
        Paths::new(&self.0.directory, partition)
    }
}

/// The root of the first `size` leaves.
fn root_of(tree: &TreeReader, size: u64) -> Result<Hash, tree::Error> {
    Frontier::load(size, tree).map(|frontier| frontier.root())
}

async fn blocking<T: Send + 'static>(
    partition: PartitionId,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Error> {
    let ended = |error: tokio::task::JoinError| Error::Unavailable { partition, reason: error.to_string() };
    spawn_blocking(work).await.map_err(ended)
}

fn signed_in(partition: PartitionId, published: &Published) -> Result<Arc<SignedCheckpoint>, Error> {
    match (&published.activity, &published.signed) {
        (Activity::Inconsistent { reason }, _) => {
            Err(Error::Inconsistent { partition, reason: reason.clone() })
        }
        (_, Some(signed)) => Ok(signed.clone()),
        (activity, None) => Err(Error::Unavailable { partition, reason: in_words(activity) }),
    }
}

fn in_words(activity: &Activity) -> String {
    match activity {
        Activity::Starting | Activity::Following => {
            "no checkpoint is signed yet: the log is being read; try again".to_owned()
        }
        Activity::Retrying { reason } => format!("checkpoints are delayed: {reason}"),
        Activity::Halted { reason } => format!("the log cannot be read past this: {reason}"),
        Activity::Inconsistent { reason } => reason.clone(),
        Activity::Stopped => "this node is stopping".to_owned(),
    }
}
