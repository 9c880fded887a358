//! What is wrong with a partition, in words: as it is kept, sent and shown.

use serde::{Deserialize, Serialize};
use stockledger_schemas::{PartitionId, Position};

use super::fault::Failure;

/// A [`Failure`] of which nothing is left to be worked on: where it is, what was expected, and what was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("partition {partition} is wrong at offset {offset}, after {after}: {what}")]
pub struct Finding {
    /// The partition.
    pub partition: PartitionId,
    /// The offset of the record that is wrong; where something is missing, the offset at which it is.
    pub offset: u64,
    /// The last decision before it that is right; seq 0 if there is none.
    pub after: Position,
    /// What is wrong.
    pub what: String,
    /// What there would be if the log were right.
    pub expected: String,
    /// What there is instead.
    pub found: String,
}

impl From<&Failure> for Finding {
    fn from(failure: &Failure) -> Self {
        let Failure { partition, offset, after, fault } = failure;
        Self {
            partition: *partition,
            offset: *offset,
            after: *after,
            what: fault.to_string(),
            expected: fault.expected(),
            found: fault.found(),
        }
    }
}
