//! Checkpoints, proofs and verifications. How proofs are checked: `docs/audit.md`.

use utoipa::openapi::RefOr;
use utoipa::openapi::schema::Schema;

use super::words::{Partition, Position, ProblemCode, Sha256, Time};
use crate::http::describe::shape::{Members, Named, Shape, objects, refer};

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
    /// When the log was verified last, and what came of it.
    open Verification {
        /// Whether this node is one that verifies: one with the role writer. Others tell what one has left in the same data
        /// directory.
        must is_verifying_node: bool,
        /// How often it does so by itself; `null` if it does not.
        must every_seconds: Option<u64>,
        must running: Option<VerificationUnderWay>,
        /// The last one that came to its end; `null` if there was none yet.
        must last: Option<LastVerification>,
        /// The last one of this process, if it did not come to its end, as when the log does not answer.
        must broken_off: Option<VerificationBrokenOff>,
        /// Why it is not known whether there was one before this node was started.
        may unreadable: String,
    }
    /// A verification that is under way.
    open VerificationUnderWay {
        must begun_at: Time,
        must records_done: u64,
        /// What there was when it began.
        must records_total: u64,
    }
    /// A verification that did not come to its end.
    open VerificationBrokenOff {
        must begun_at: Time,
        must ended_at: Time,
        must reason: String,
    }
    /// A verification that came to its end.
    open LastVerification {
        must begun_at: Time,
        must ended_at: Time,
        /// Whether nothing is wrong.
        must ok: bool,
        must ledger_id: Option<String>,
        must partitions: Vec<VerifiedPartition>,
        must total: VerifiedTotal,
        /// Decisions at the ends of the partitions that nothing outside the log vouches for.
        must unvouched_decisions: u64,
    }
    /// What was found in one partition. Where it is wrong, everything is told up to the record before.
    open VerifiedPartition {
        must partition: Partition,
        must records: u64,
        must bytes: u64,
        must terms: u64,
        must decisions: u64,
        must events: u64,
        /// Records that do not count, each a failure that was survived.
        must void: u64,
        /// The first of them.
        must void_records: Vec<VerifiedVoid>,
        must first: Option<VerifiedMoment>,
        must last: Option<VerifiedMoment>,
        /// The hash of the genesis record.
        must genesis: Option<Sha256>,
        must head: Option<VerifiedHead>,
        must vouched: Option<Vouched>,
        /// The first thing that is wrong.
        must failure: Option<Finding>,
    }
    /// All partitions together.
    open VerifiedTotal {
        must records: u64,
        must bytes: u64,
        must terms: u64,
        must decisions: u64,
        must events: u64,
        must void: u64,
    }
    /// A record that does not count, and why.
    open VerifiedVoid {
        must offset: u64,
        must why: String,
    }
    /// A decision and when it was recorded.
    open VerifiedMoment {
        must position: Position,
        must recorded_at: Time,
    }
    /// Where a partition stands behind the last record.
    open VerifiedHead {
        must seq: u64,
        /// The chain there.
        must hash: Sha256,
        must next_offset: u64,
        must term: u64,
        must before: Sha256,
        must last_valid_offset: u64,
        must reach: u64,
    }
    /// Up to where something outside the log says that the log is what it was.
    open Vouched {
        must by: String,
        must seq: u64,
        must next_offset: u64,
    }
    /// What is wrong with a partition.
    open Finding {
        must partition: Partition,
        /// The offset of the record that is wrong.
        must offset: u64,
        /// The last decision before it that is right.
        must after: Position,
        must what: String,
        /// What there would be if the log were right.
        must expected: String,
        /// What there is instead.
        must found: String,
    }
    /// A verification that has begun.
    open VerificationBegun {
        must state: String,
        must begun_at: Time,
        /// Where its progress is told.
        must progress: String,
    }
}

/// Begins to verify the log.
pub(in crate::http::describe) struct BeginVerification;

impl Shape for BeginVerification {
    fn usage(named: &mut Named) -> RefOr<Schema> {
        let meaning = "Begins to verify the log. There is nothing to choose.";
        refer(named, "BeginVerification", |_| Members::closed(meaning))
    }
}
