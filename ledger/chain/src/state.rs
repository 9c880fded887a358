//! What a reader remembers of a partition's log: enough to judge the next record, and nothing of void ones.

use stockledger_schemas::limits::PARTITIONS_MAX;
use stockledger_schemas::{Hash, LedgerId, PartitionId, Position, Record, envelope};

use crate::admit::{claim_hash, decision_hash};
use crate::halt::{Halt, HaltReason};

const GENESIS_DOMAIN: &[u8] = b"stockledger-genesis";

/// A reader's state after some prefix of a partition's log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct State {
    /// Which ledger the log belongs to.
    pub ledger_id: LedgerId,
    /// Which partition it is.
    pub partition: PartitionId,
    /// How many partitions the ledger has.
    pub partitions: u16,
    /// How many records a writer may have in flight (W).
    pub window: u32,
    /// The hash of the genesis record: the identity of this partition's log.
    pub genesis: Hash,
    /// The current term; 0 before the first claim.
    pub term: u64,
    /// The seq of the last valid decision; 0 before the first.
    pub seq: u64,
    /// The chain up to the last valid record.
    pub hash: Hash,
    /// The chain before the last valid record; with [`State::remembers`] it tells whether a log is still the same.
    pub before: Hash,
    /// The offset of the next record.
    pub next_offset: u64,
    /// How far ahead of the next seq a decision of this term may stand and still be merely void.
    pub reach: u64,
    /// The offset of the last valid record; the genesis record counts.
    pub last_valid_offset: u64,
}

impl State {
    /// The state after the genesis record, which must be the record at offset 0.
    ///
    /// # Errors
    /// [`Halt`] at offset 0 if the bytes are not a genesis record of `partition`.
    pub fn begin(bytes: &[u8], partition: PartitionId) -> Result<Self, Halt> {
        let halt = |reason| Halt { partition, offset: 0, seq: 0, reason };
        let record = envelope::decode(bytes).map_err(|error| halt(HaltReason::Unreadable(error)))?;
        let Record::Genesis(genesis) = record else {
            return Err(halt(HaltReason::NoGenesis));
        };
        if genesis.partition != partition {
            return Err(halt(HaltReason::ForeignPartition { found: genesis.partition }));
        }
        if genesis.partitions > PARTITIONS_MAX
            || genesis.partition.0 >= genesis.partitions
            || genesis.window == 0
        {
            return Err(halt(HaltReason::ImpossibleGenesis));
        }
        let hash = genesis_hash(bytes);
        Ok(Self {
            ledger_id: genesis.ledger_id,
            partition,
            partitions: genesis.partitions,
            window: genesis.window,
            genesis: hash,
            term: 0,
            seq: 0,
            hash,
            before: hash,
            next_offset: 1,
            reach: 0,
            last_valid_offset: 0,
        })
    }

    /// Whether `bytes`, read at `last_valid_offset`, is the record that this state remembers there. A snapshot or a
    /// checkpoint for which this is false belongs to another log, or history was changed.
    #[must_use]
    pub fn remembers(&self, bytes: &[u8]) -> bool {
        match envelope::decode(bytes) {
            Ok(Record::Genesis(_)) => genesis_hash(bytes) == self.hash,
            Ok(Record::Claim(_)) => claim_hash(&self.before, bytes) == self.hash,
            Ok(Record::Decision(_)) => decision_hash(bytes) == self.hash,
            Err(_) => false,
        }
    }

    /// The state right behind the decision that `bytes` are, for a reader that is known to have found it valid at
    /// `offset`: all of it follows from that record and from the genesis, of which `self` is any later state. Nothing if the
    /// bytes are no decision.
    #[must_use]
    pub fn behind(&self, offset: u64, bytes: &[u8]) -> Option<Self> {
        let Ok(Record::Decision(decision)) = envelope::decode(bytes) else { return None };
        Some(Self {
            term: decision.term,
            seq: decision.seq,
            hash: decision_hash(bytes),
            before: decision.prev_hash,
            next_offset: offset + 1,
            reach: u64::from(self.window) - 1,
            last_valid_offset: offset,
            ..*self
        })
    }

    /// The position of the last valid decision.
    #[must_use]
    pub const fn position(&self) -> Position {
        Position::new(self.partition, self.seq)
    }
}

/// `SHA-256("stockledger-genesis" || bytes)`.
#[must_use]
pub fn genesis_hash(bytes: &[u8]) -> Hash {
    Hash::of(&[GENESIS_DOMAIN, bytes])
}
