//! Proofs as documents: everything that somebody needs who has the public key and nothing else, no server and no log.

use stockledger_chain::decision_hash;
use stockledger_chain::merkle::{PROOF_HASHES_MAX, leaf_hash, verify_consistency, verify_inclusion};
use stockledger_schemas::{Decision, Hash, Position, Record, envelope};

use crate::base64_text;
use crate::checkpoint::{self, Checkpoint, SignedCheckpoint};
use crate::key::VerifierKey;

/// That one decision is in the ledger: its record, and how it leads to a signed root.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InclusionProof {
    /// Where the decision stands.
    pub position: Position,
    /// The stored bytes of its record.
    #[serde(with = "base64_text::bytes")]
    pub record: Vec<u8>,
    /// `SHA-256(0x00 || record)`, which is the data of its leaf.
    pub chain_hash: Hash,
    /// The leaf's number from 0: one less than the seq.
    pub leaf_index: u64,
    /// How many leaves the tree has.
    pub tree_size: u64,
    /// The hashes that lead from the leaf to the root, the lowest first.
    #[serde(with = "base64_text::hashes")]
    pub inclusion: Vec<Hash>,
    /// The signed note with the root.
    pub checkpoint: String,
}

/// That all decisions of one tree are the first ones of a later one: nothing was changed or taken away in between.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConsistencyProof {
    /// The last decision of the earlier tree.
    pub from: Position,
    /// Its root.
    #[serde(with = "base64_text::hash")]
    pub from_root: Hash,
    /// The last decision of the later tree.
    pub to: Position,
    /// Its root.
    #[serde(with = "base64_text::hash")]
    pub to_root: Hash,
    /// The hashes that lead to both roots, the lowest first.
    #[serde(with = "base64_text::hashes")]
    pub consistency: Vec<Hash>,
    /// The signed note with the later root, where the later tree is the latest that was signed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<String>,
}

/// Why a proof is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The checkpoint is not believed.
    #[error("the checkpoint of the proof is not believed: {0}")]
    Checkpoint(#[from] checkpoint::Error),
    /// There is no checkpoint in the proof.
    #[error("the proof ends at a tree that was not signed; ask for one up to the latest checkpoint")]
    Unsigned,
    /// The record is damaged, or of another kind.
    #[error("the record of the proof is not a decision: {0}")]
    Record(String),
    /// Two things that must be the same are not.
    #[error(
        "{what} {found} where {expected} is needed: the proof was put together from different things, or changed"
    )]
    Differs {
        /// What it is about.
        what: &'static str,
        /// What the rest of the proof needs.
        expected: String,
        /// What the proof says.
        found: String,
    },
    /// The hashes do not lead to the signed root.
    #[error("the hashes do not lead from decision {0} to the signed root: it is not in the signed tree")]
    NotIncluded(Position),
    /// The hashes do not lead to both roots.
    #[error(
        "the hashes do not lead from the tree of {from} to that of {to}: history was changed in between, or the proof"
    )]
    NotConsistent {
        /// The earlier tree.
        from: Position,
        /// The later one.
        to: Position,
    },
}

/// What a proof proves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Included {
    /// What was decided.
    pub decision: Decision,
    /// What it is included in, and who says so.
    pub signed: SignedCheckpoint,
}

impl InclusionProof {
    /// Checks everything: that one of `keys` signed the checkpoint, that the record is whole, that its hash is the leaf, and
    /// that the leaf leads to the signed root at the place that the record itself names.
    ///
    /// # Errors
    /// [`Error`], what is wrong first.
    pub fn check(&self, keys: &[VerifierKey]) -> Result<Included, Error> {
        let signed = SignedCheckpoint::open(&self.checkpoint, keys)?;
        let checkpoint = signed.checkpoint();
        let decision = match envelope::decode(&self.record) {
            Ok(Record::Decision(decision)) => decision,
            Ok(_) => return Err(Error::Record("it is a record of another kind".to_owned())),
            Err(error) => return Err(Error::Record(error.to_string())),
        };
        let position = Position::new(checkpoint.partition, decision.seq);
        same("the position", &position, &self.position)?;
        same("the leaf", &decision.seq.checked_sub(1).unwrap_or(u64::MAX), &self.leaf_index)?;
        same("the tree size", &checkpoint.size, &self.tree_size)?;
        let chain_hash = decision_hash(&self.record);
        same("the chain hash", &chain_hash, &self.chain_hash)?;
        if decision.seq == checkpoint.size {
            same("the chain hash of the checkpoint", &chain_hash, &checkpoint.chain_hash)?;
        }
        let (leaf, size) = (leaf_hash(&chain_hash), checkpoint.size);
        if self.inclusion.len() > PROOF_HASHES_MAX
            || !verify_inclusion(&leaf, self.leaf_index, size, &self.inclusion, &checkpoint.root)
        {
            return Err(Error::NotIncluded(self.position));
        }
        Ok(Included { decision, signed })
    }
}

impl ConsistencyProof {
    /// Checks that the tree of `since`, a checkpoint kept from an earlier visit, is a beginning of the one whose checkpoint
    /// is in the proof, which one of `keys` must have signed.
    ///
    /// # Errors
    /// [`Error`], what is wrong first.
    pub fn check(&self, since: &Checkpoint, keys: &[VerifierKey]) -> Result<SignedCheckpoint, Error> {
        let note = self.checkpoint.as_deref().ok_or(Error::Unsigned)?;
        let signed = SignedCheckpoint::open(note, keys)?;
        let until = signed.checkpoint();
        same("the origin", &since.origin(), &until.origin())?;
        same("the beginning", &since.position(), &self.from)?;
        same("the root at the beginning", &since.root, &self.from_root)?;
        same("the end", &until.position(), &self.to)?;
        same("the root at the end", &until.root, &self.to_root)?;
        if since.size == until.size {
            same("the chain hash", &since.chain_hash, &until.chain_hash)?;
        }
        let proof = &self.consistency;
        if proof.len() > PROOF_HASHES_MAX
            || !verify_consistency(since.size, until.size, &since.root, &until.root, proof)
        {
            return Err(Error::NotConsistent { from: self.from, to: self.to });
        }
        Ok(signed)
    }
}

fn same<T: PartialEq + ToString>(what: &'static str, expected: &T, found: &T) -> Result<(), Error> {
    if expected == found {
        return Ok(());
    }
    Err(Error::Differs { what, expected: expected.to_string(), found: found.to_string() })
}
