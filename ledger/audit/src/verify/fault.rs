//! What is wrong with a log, and how it is told: what was expected, and what was found.

use serde::Serialize;
use stockledger_chain::HaltReason;
use stockledger_domain::{Breach, Impossible};
use stockledger_schemas::{Balances, Hash, LedgerId, PartitionId, Position, SiteId, Timestamp};

use super::finding::Finding;

/// The first thing that is wrong with a partition, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("partition {partition} is wrong at offset {offset}, after {after}: {fault}")]
pub struct Failure {
    /// The partition.
    pub partition: PartitionId,
    /// The offset of the record that is wrong; where something is missing, the offset at which it is.
    pub offset: u64,
    /// The last decision before it that is right; seq 0 if there is none.
    pub after: Position,
    /// What is wrong.
    pub fault: Fault,
}

impl Serialize for Failure {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Finding::from(self).serialize(serializer)
    }
}

/// What is wrong with a partition.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// There is nothing.
    #[error("the partition is empty: it was never initialised, or lost its records")]
    Empty,
    /// The beginning is gone.
    #[error("history before offset {begin} was deleted")]
    Deleted {
        /// The first offset that is left.
        begin: u64,
    },
    /// What keeps the records is damaged.
    #[error("{0}")]
    Damaged(String),
    /// A record that no reader can read past.
    #[error("{0}")]
    Halt(HaltReason),
    /// A decision that contradicts the history before it.
    #[error("{0}")]
    Impossible(Impossible),
    /// A decision that was recorded before the one before it.
    #[error(
        "the decision was recorded at {found}, before the one before it: time never falls within a partition"
    )]
    TimeFell {
        /// When the decision before it was recorded.
        before: Timestamp,
        /// When this one was.
        found: Timestamp,
    },
    /// Partitions of different ledgers.
    #[error("the partition belongs to ledger {found}, others to ledger {expected}")]
    OtherLedger {
        /// The ledger of the first partition.
        expected: LedgerId,
        /// The ledger of this one.
        found: LedgerId,
    },
    /// The log has more or fewer partitions than the ledger.
    #[error("the ledger was made with {expected} partitions, the log has {found}")]
    PartitionCount {
        /// What the genesis says.
        expected: u16,
        /// What the log has.
        found: u16,
    },
    /// A site that is open on a partition where the directory does not have it.
    #[error("site {site} was opened here by decision {opened_seq}, but the directory does not have it here")]
    Unregistered {
        /// The site.
        site: SiteId,
        /// The decision that opened it.
        opened_seq: u64,
        /// Where the directory has it.
        registered: Option<PartitionId>,
    },
    /// Others remember other records.
    #[error("{witness} remembers another history: records at or before this place were changed")]
    Differs {
        /// Who remembers.
        witness: String,
        /// The last decision that is remembered.
        remembered_seq: u64,
        /// The chain that is remembered there.
        remembered_hash: Hash,
        /// The last decision of the log at that place.
        seq: u64,
        /// The chain of the log there.
        hash: Hash,
    },
    /// Others remember more records.
    #[error("{witness} remembers more: the end of the log was cut off, or made void")]
    CutOff {
        /// Who remembers.
        witness: String,
        /// The last decision that is remembered.
        remembered_seq: u64,
        /// The offset behind it, if that is remembered.
        remembered_offset: Option<u64>,
        /// The last decision of the log.
        seq: u64,
        /// Where the log ends.
        next_offset: u64,
    },
}

impl Fault {
    /// What there would be if the log were right.
    #[must_use]
    pub fn expected(&self) -> String {
        match self {
            Self::Empty => "a genesis record".to_owned(),
            Self::Deleted { .. } => "a log that begins at offset 0".to_owned(),
            Self::Damaged(_) => "the bytes that were sealed".to_owned(),
            Self::Halt(reason) => halt(reason).0,
            Self::Impossible(impossible) => breach(&impossible.breach).0,
            Self::TimeFell { before, .. } => format!("recorded at {before} or later"),
            Self::OtherLedger { expected, .. } => format!("ledger {expected}"),
            Self::PartitionCount { expected, .. } => format!("{expected} partitions"),
            Self::Unregistered { site, .. } => {
                format!("site {site} registered for this partition in partition 0")
            }
            Self::Differs { remembered_seq, remembered_hash, .. } => {
                format!("hash {remembered_hash} at seq {remembered_seq}")
            }
            Self::CutOff { remembered_seq, remembered_offset, .. } => match remembered_offset {
                Some(offset) => format!("records up to seq {remembered_seq}, which end at offset {offset}"),
                None => format!("records up to seq {remembered_seq}"),
            },
        }
    }

    /// What there is instead.
    #[must_use]
    pub fn found(&self) -> String {
        match self {
            Self::Empty => "nothing".to_owned(),
            Self::Deleted { begin } => format!("offset {begin} is the first"),
            Self::Damaged(what) => what.clone(),
            Self::Halt(reason) => halt(reason).1,
            Self::Impossible(impossible) => {
                let Impossible { position, event, event_type, .. } = impossible;
                format!("{} (decision {position}, event {event}: {event_type})", breach(&impossible.breach).1)
            }
            Self::TimeFell { found, .. } => format!("recorded at {found}"),
            Self::OtherLedger { found, .. } => format!("ledger {found}"),
            Self::PartitionCount { found, .. } => format!("{found} partitions"),
            Self::Unregistered { registered: Some(partition), .. } => {
                format!("registered for partition {partition}")
            }
            Self::Unregistered { registered: None, .. } => "it is not registered".to_owned(),
            Self::Differs { seq, hash, .. } => format!("hash {hash} at seq {seq}"),
            Self::CutOff { seq, next_offset, .. } => {
                format!("the log ends at offset {next_offset} with seq {seq}")
            }
        }
    }
}

/// What a reader expected where it stopped, and what it found.
fn halt(reason: &HaltReason) -> (String, String) {
    match reason {
        HaltReason::Hole { expected, found } => (format!("offset {expected}"), format!("offset {found}")),
        HaltReason::Unreadable(error) => {
            ("a whole record in its canonical encoding".to_owned(), error.to_string())
        }
        HaltReason::NoGenesis => ("a genesis record".to_owned(), "another record".to_owned()),
        HaltReason::ImpossibleGenesis => {
            ("a possible number of partitions and window".to_owned(), "an impossible one".to_owned())
        }
        HaltReason::SecondGenesis => {
            ("a claim or a decision".to_owned(), "the genesis record of another ledger".to_owned())
        }
        HaltReason::ForeignLedger { expected, found } => {
            (format!("a claim of ledger {expected}"), format!("a claim of ledger {found}"))
        }
        HaltReason::ForeignPartition { found } => {
            ("a record of this partition".to_owned(), format!("a record of partition {found}"))
        }
        HaltReason::TermJump { current, found } => {
            (format!("a claim of a term soon after {current}"), format!("a claim of term {found}"))
        }
        HaltReason::ClaimLost { current, found } => (
            format!("a decision of term {current}, the last that was claimed"),
            format!("one of term {found}"),
        ),
        HaltReason::SupersededTooFar { term, next, found } => {
            (format!("seq {next}, or close to it"), format!("seq {found} of the superseded term {term}"))
        }
        HaltReason::BrokenChain { seq, expected, found } => {
            (format!("decision {seq} to continue hash {expected}"), format!("it continues hash {found}"))
        }
        HaltReason::BeyondReach { next, found, reach } => {
            (format!("seq {next}, or at most {reach} beyond it"), format!("seq {found}"))
        }
    }
}

fn breach(breach: &Breach) -> (String, String) {
    match breach {
        Breach::WrongBalances { sku, expected, found } => {
            (format!("{sku}: {}", in_words(*expected)), format!("{sku}: {}", in_words(*found)))
        }
        Breach::WrongLevel { sku, expected, found } => {
            (format!("{sku}: {expected}"), format!("{sku}: {found}"))
        }
        Breach::OutOfOrder { expected, found } => {
            (format!("decision {expected}"), format!("decision {found}"))
        }
        other => ("a decision that follows from the history before it".to_owned(), other.to_string()),
    }
}

fn in_words(balances: Balances) -> String {
    let Balances { on_hand, reserved, held } = balances;
    format!("{on_hand} on hand, {reserved} reserved, {held} held")
}
