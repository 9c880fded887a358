//! The tree of a partition together with the state of its chain: what a checkpoint is made of.

use std::path::Path;

use stockledger_chain::merkle::{consistency, leaf_hash, verify_consistency};
use stockledger_chain::{Halt, State, Verdict, admit};
use stockledger_log::StoredRecord;
use stockledger_schemas::{Hash, PartitionId};

use crate::checkpoint::{self, Checkpoint, SignedCheckpoint};
use crate::files;
use crate::key::SigningKey;
use crate::tree::{self, Tree};

const CHECKPOINT_MODE: u32 = 0o644;

/// Why a task stops, or begins again.
#[derive(Debug, thiserror::Error)]
pub(super) enum Stop {
    /// The log.
    #[error("the log cannot be read")]
    Log(#[from] stockledger_log::Error),
    /// The partition has no genesis record yet.
    #[error("partition {0} has no genesis record yet")]
    Empty(PartitionId),
    /// Something in the log cannot be read past.
    #[error(transparent)]
    Halted(#[from] Halt),
    /// The tree.
    #[error(transparent)]
    Tree(#[from] tree::Error),
    /// The file with the last checkpoint.
    #[error("the checkpoint {path}")]
    File {
        path: std::path::PathBuf,
        #[source]
        source: std::io::Error,
    },
    /// The file with the last checkpoint is not one.
    #[error(
        "the file {path} holds what was signed last and cannot be read ({source}); nothing is signed until it is put back \
         from a copy, or removed by somebody who knows why"
    )]
    DamagedCheckpoint { path: std::path::PathBuf, source: checkpoint::Error },
    /// The file with the last checkpoint is of something else.
    #[error(
        "the checkpoint {path} is of {found}, this partition is {expected}: the data directory belongs to another ledger"
    )]
    ForeignCheckpoint { path: std::path::PathBuf, expected: String, found: String },
    /// The log has less than what was signed.
    #[error(
        "the log ends with decision {found} but {signed} decisions were signed for: the log lost history, or is another log"
    )]
    Shorter { signed: u64, found: u64 },
    /// The log has something else than what was signed.
    #[error(
        "the log contradicts the checkpoint over its first {signed} decisions that was signed before: history was changed"
    )]
    Changed { signed: u64 },
    /// A thread ended before its work.
    #[error("a thread of the notary ended early")]
    Thread(#[from] tokio::task::JoinError),
}

impl Stop {
    /// Whether trying again may help.
    pub(super) const fn is_passing(&self) -> bool {
        match self {
            Self::Log(error) => matches!(error, stockledger_log::Error::Unavailable { .. }),
            Self::Empty(_) | Self::Tree(_) | Self::File { .. } | Self::Thread(_) => true,
            Self::Halted(_)
            | Self::DamagedCheckpoint { .. }
            | Self::ForeignCheckpoint { .. }
            | Self::Shorter { .. }
            | Self::Changed { .. } => false,
        }
    }

    /// Whether the tree has to be made again.
    pub(super) const fn is_damaged_tree(&self) -> bool {
        matches!(self, Self::Tree(error) if error.is_damage())
    }

    /// Whether log and last checkpoint do not belong together.
    pub(super) const fn is_contradiction(&self) -> bool {
        matches!(
            self,
            Self::DamagedCheckpoint { .. }
                | Self::ForeignCheckpoint { .. }
                | Self::Shorter { .. }
                | Self::Changed { .. }
        )
    }
}

/// A tree and the chain up to its last leaf and beyond, to the last record that was read.
#[derive(Debug)]
pub(super) struct Book {
    tree: Tree,
    chain: State,
    /// The chain hash of the last decision; before the first, the hash of the genesis record.
    chain_hash: Hash,
}

impl Book {
    /// A book from the first record on. `begun` is the state behind the genesis record.
    pub(super) fn begin(mut tree: Tree, begun: State) -> Result<Self, Stop> {
        tree.clear()?;
        Ok(Self { tree, chain: begun, chain_hash: begun.genesis })
    }

    /// A book that goes on where the tree ends, if `record`, which stands at the offset that the tree has for its last
    /// decision, is that decision; else the tree alone.
    pub(super) fn resume(
        tree: Tree,
        begun: &State,
        record: &StoredRecord,
    ) -> Result<Result<Self, Tree>, Stop> {
        let Some(leaf) = tree.last()? else { return Ok(Err(tree)) };
        match begun.behind(record.offset, &record.value) {
            Some(chain)
                if chain.seq == tree.size()
                    && record.offset == leaf.offset
                    && leaf_hash(&chain.hash) == leaf.hash =>
            {
                Ok(Ok(Self { tree, chain, chain_hash: chain.hash }))
            }
            _ => Ok(Err(tree)),
        }
    }

    /// How many decisions it has.
    pub(super) const fn size(&self) -> u64 {
        self.tree.size()
    }

    /// The offset of the record that it takes next.
    pub(super) const fn next_offset(&self) -> u64 {
        self.chain.next_offset
    }

    /// Adds the decisions among the next records.
    pub(super) fn take(&mut self, records: &[StoredRecord]) -> Result<(), Stop> {
        let mut chain = self.chain;
        let mut decisions = Vec::with_capacity(records.len());
        let mut halted = None;
        for record in records {
            match admit(&chain, record.offset, &record.value) {
                Ok(admission) => {
                    if matches!(admission.verdict, Verdict::Decision(_)) {
                        decisions.push((record.offset, admission.next.hash));
                    }
                    chain = admission.next;
                }
                Err(halt) => {
                    halted = Some(halt);
                    break;
                }
            }
        }
        self.tree.append(&decisions)?;
        self.chain = chain;
        if let Some((_, chain_hash)) = decisions.last() {
            self.chain_hash = *chain_hash;
        }
        halted.map_or(Ok(()), |halt| Err(halt.into()))
    }

    /// What there is to be signed.
    fn checkpoint(&self) -> Checkpoint {
        let State { ledger_id, partition, .. } = self.chain;
        let (size, root, chain_hash) = (self.tree.size(), self.tree.root(), self.chain_hash);
        Checkpoint { ledger_id, partition, size, root, chain_hash }
    }

    /// Signs what the tree is now, after making sure that it begins with `last`, the last that was signed. The checkpoint is
    /// durable at `path` when this returns.
    pub(super) fn sign(
        &self,
        last: Option<&Checkpoint>,
        key: &SigningKey,
        path: &Path,
    ) -> Result<SignedCheckpoint, Stop> {
        self.tree.sync()?;
        last.map_or(Ok(()), |last| self.check(last))?;
        let signed = SignedCheckpoint::sign(self.checkpoint(), key);
        files::replace(path, signed.note().as_bytes(), CHECKPOINT_MODE)
            .map_err(|source| Stop::File { path: path.to_path_buf(), source })?;
        Ok(signed)
    }

    /// Makes sure that the tree begins with `last`.
    pub(super) fn check(&self, last: &Checkpoint) -> Result<(), Stop> {
        let now = self.checkpoint();
        let proof = consistency(self.tree.reader(), last.size, now.size)?
            .ok_or(Stop::Shorter { signed: last.size, found: now.size })?;
        let is_beginning = verify_consistency(last.size, now.size, &last.root, &now.root, &proof);
        // Roots say nothing of a tree without decisions, which is a beginning of every other.
        let is_same = match last.size {
            0 => last.chain_hash == self.chain.genesis,
            size => size != now.size || last.chain_hash == now.chain_hash,
        };
        if is_beginning && is_same { Ok(()) } else { Err(Stop::Changed { signed: last.size }) }
    }
}

/// The last checkpoint that was signed for a partition, if there is one.
pub(super) fn last_signed(path: &Path, origin: &str) -> Result<Option<SignedCheckpoint>, Stop> {
    let failed = |source| Stop::File { path: path.to_path_buf(), source };
    let Some(note) = files::read(path).map_err(failed)? else { return Ok(None) };
    let damaged = |source| Stop::DamagedCheckpoint { path: path.to_path_buf(), source };
    let signed = SignedCheckpoint::believe(&String::from_utf8_lossy(&note)).map_err(damaged)?;
    let found = signed.checkpoint().origin();
    if found == origin {
        return Ok(Some(signed));
    }
    Err(Stop::ForeignCheckpoint { path: path.to_path_buf(), expected: origin.to_owned(), found })
}
