//! Why a reader stops at a record. It never goes on behind one: nothing is skipped, ever.

use stockledger_schemas::{Hash, LedgerId, PartitionId, envelope};

/// A reader stopped: where, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("partition {partition} stops at offset {offset}, after seq {seq}: {reason}")]
pub struct Halt {
    /// The partition.
    pub partition: PartitionId,
    /// The offset of the record that cannot be read past.
    pub offset: u64,
    /// The last decision before it that counts.
    pub seq: u64,
    /// Why, and what to do.
    pub reason: HaltReason,
}

/// Why a record cannot be read past.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HaltReason {
    /// A record is missing, or was given twice.
    #[error(
        "the record has offset {found}, but offset {expected} comes next: the log lost records, or is another log"
    )]
    Hole {
        /// What comes next.
        expected: u64,
        /// What came.
        found: u64,
    },
    /// The bytes are damaged, or newer than this program.
    #[error("{0}")]
    Unreadable(envelope::Error),
    /// The log does not begin with a genesis record.
    #[error(
        "the log does not begin with a genesis record: it is not a stockledger log, or was never initialised"
    )]
    NoGenesis,
    /// The genesis record contradicts itself.
    #[error("the genesis record names an impossible number of partitions or window")]
    ImpossibleGenesis,
    /// A second genesis record.
    #[error("a genesis record of another ledger after the first claim: two logs were mixed")]
    SecondGenesis,
    /// A record of another ledger.
    #[error(
        "the claim belongs to ledger {found}, this log to ledger {expected}: two ledgers write to one log"
    )]
    ForeignLedger {
        /// Ours.
        expected: LedgerId,
        /// The record's.
        found: LedgerId,
    },
    /// A record of another partition.
    #[error("the record belongs to partition {found}: partitions were mixed")]
    ForeignPartition {
        /// The record's.
        found: PartitionId,
    },
    /// A claim whose term cannot have come about.
    #[error("the claim's term {found} is more than 2^20 above the current term {current}: it was forged")]
    TermJump {
        /// The term before.
        current: u64,
        /// The claim's.
        found: u64,
    },
    /// A decision of a term that nobody claimed.
    #[error(
        "the decision's term {found} was never claimed (the current term is {current}): a claim was lost"
    )]
    ClaimLost {
        /// The term before.
        current: u64,
        /// The decision's.
        found: u64,
    },
    /// A superseded writer's decision so far ahead that records before it must be missing.
    #[error(
        "a decision of the superseded term {term} has seq {found}, beyond seq {next} plus the window: records were lost"
    )]
    SupersededTooFar {
        /// The decision's term.
        term: u64,
        /// The seq that comes next.
        next: u64,
        /// The decision's seq.
        found: u64,
    },
    /// The record does not continue the chain.
    #[error("decision {seq} continues hash {found}, but the chain stands at {expected}: history was changed")]
    BrokenChain {
        /// The decision's seq.
        seq: u64,
        /// Where the chain stands.
        expected: Hash,
        /// What the decision continues.
        found: Hash,
    },
    /// A decision so far ahead that its writer cannot have written it without records that are missing.
    #[error(
        "the decision has seq {found} where seq {next} comes next and at most {reach} may be missing: records were lost"
    )]
    BeyondReach {
        /// The seq that comes next.
        next: u64,
        /// The decision's seq.
        found: u64,
        /// How far ahead would be possible.
        reach: u64,
    },
}

impl HaltReason {
    /// Whether upgrading this program is the likely remedy.
    #[must_use]
    pub fn is_newer(&self) -> bool {
        matches!(self, Self::Unreadable(error) if error.is_newer())
    }
}
