//! Checkpoints and proofs. How they are checked: `docs/audit.md`.

use super::words::{Partition, Position, ProblemCode, Sha256};
use crate::http::describe::shape::objects;

objects! {
    /// The last checkpoints of all partitions.
    open Checkpoints {
        must ledger_id: String,
        /// The key that checks them, where this node has it.
        must verifier_key: Option<String>,
        must checkpoints: Vec<Checkpoint>,
    }
    /// The last checkpoint of one partition, or the code and detail of why there is none.
    open Checkpoint {
        must partition: Partition,
        /// How many decisions were signed.
        may size: u64,
        /// The last one of them.
        may position: Position,
        may chain_hash: Sha256,
        /// The signed note.
        may note: String,
        may code: ProblemCode,
        may detail: String,
    }
    /// That one decision is in the ledger.
    open InclusionProof {
        must position: Position,
        /// The stored bytes of its record, as base64.
        must record: String,
        must chain_hash: Sha256,
        /// The number of its leaf from 0.
        must leaf_index: u64,
        /// How many leaves the tree has.
        must tree_size: u64,
        /// The hashes that lead from the leaf to the root, as base64, the lowest first.
        must inclusion: Vec<String>,
        /// The signed note with the root.
        must checkpoint: String,
    }
    /// That all decisions of one tree are the first ones of a later one.
    open ConsistencyProof {
        /// The last decision of the earlier tree.
        must from: Position,
        /// Its root, as base64.
        must from_root: String,
        /// The last decision of the later tree.
        must to: Position,
        /// Its root, as base64.
        must to_root: String,
        /// The hashes that lead to both roots, as base64, the lowest first.
        must consistency: Vec<String>,
        /// The signed note with the later root, where that is the latest.
        may checkpoint: String,
    }
}
