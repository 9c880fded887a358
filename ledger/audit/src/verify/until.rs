//! How much of a log is looked at.

use stockledger_schemas::{Decision, PartitionId, Position, Timestamp};

/// Up to where a log is looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Until {
    /// To its end.
    #[default]
    End,
    /// Decisions that were recorded up to this instant, in every partition.
    Instant(Timestamp),
    /// Decisions up to these, and all of the partitions that are not named.
    Positions(Vec<Position>),
}

impl Until {
    /// Whether a decision of a partition is among what is looked at.
    #[must_use]
    pub fn includes(&self, partition: PartitionId, decision: &Decision) -> bool {
        match self {
            Self::End => true,
            Self::Instant(instant) => decision.recorded_at <= *instant,
            Self::Positions(positions) => {
                let named = positions.iter().find(|position| position.partition == partition);
                named.is_none_or(|position| decision.seq <= position.seq)
            }
        }
    }
}
