//! Why a follower stops: for good, for a while, or because somebody else was first.

use stockledger_chain::Halt;
use stockledger_schemas::{Hash, PartitionId};

use crate::fold::Impossible;
use crate::{Version, store};

/// Why a follower does not go on from where it is.
#[derive(Debug)]
pub(crate) enum Stop {
    /// Somebody else moved the checkpoint, or dropped the version. Memory is worth nothing now.
    Superseded,
    /// The log or the store does not answer.
    Unavailable(Box<dyn std::error::Error + Send + Sync>),
    /// The store refuses to work with this account or its settings, which somebody may change at any time.
    Refused(store::Error),
    /// The log is shorter than what is projected already. A broker that fails over may say so for a while.
    LogShorter(Halted),
    /// The partition cannot be read past here.
    Halted(Halted),
}

/// Why a partition of the projections stopped for good. Nothing is skipped; somebody must act.
#[derive(Debug, thiserror::Error)]
pub enum Halted {
    /// A record of the log cannot be read past.
    #[error(transparent)]
    Broken(Halt),
    /// A decision contradicts the ones before it.
    #[error("partition {partition} stops at offset {offset}: {impossible}")]
    Impossible {
        /// The partition.
        partition: PartitionId,
        /// The offset of the decision.
        offset: u64,
        /// Which decision and why.
        impossible: Impossible,
    },
    /// The projections were made from another log.
    #[error(
        "partition {partition} of the log begins with {found}, but the projections were made from a log that begins \
         with {remembered}: wrong log or wrong projections"
    )]
    ForeignLog {
        /// The partition.
        partition: PartitionId,
        /// The genesis hash in the checkpoint.
        remembered: Hash,
        /// The genesis hash of the log.
        found: Hash,
    },
    /// A record that is projected already is another one now.
    #[error(
        "the record at offset {offset} of partition {partition} is not the one that was projected: history was \
         changed, or a backup was restored"
    )]
    Rewritten {
        /// The partition.
        partition: PartitionId,
        /// The offset of the last valid record.
        offset: u64,
    },
    /// The log has lost records that are projected already.
    #[error(
        "partition {partition} of the log ends at offset {end}, but the projections include everything below \
         {remembered}: the log lost records"
    )]
    LogShorter {
        /// The partition.
        partition: PartitionId,
        /// Where the log ends.
        end: u64,
        /// Where the projections are.
        remembered: u64,
    },
    /// The tables of the version were made by other code, or hold what this program never writes.
    #[error(transparent)]
    Store(store::Error),
    /// The log cannot be used.
    #[error(transparent)]
    Log(stockledger_log::Error),
    /// The version was never filled to its end.
    #[error("version {0} of the projections was never filled to its end: rebuild")]
    NotLoaded(Version),
    /// The version was removed.
    #[error("version {0} of the projections was removed meanwhile")]
    VersionGone(Version),
    /// This program has a bug.
    #[error("folding failed")]
    Panicked(#[source] tokio::task::JoinError),
}

impl From<store::Error> for Stop {
    fn from(error: store::Error) -> Self {
        match error {
            error if error.is_retryable() => Self::Unavailable(Box::new(error)),
            refused @ store::Error::Refused { .. } => Self::Refused(refused),
            // Only a version that is dropped while it is followed has no row; the next look says what is active.
            store::Error::NoSuchVersion(_) => Self::Superseded,
            error => Self::Halted(Halted::Store(error)),
        }
    }
}

impl From<stockledger_log::Error> for Stop {
    fn from(error: stockledger_log::Error) -> Self {
        match error {
            stockledger_log::Error::Unavailable { .. } => Self::Unavailable(Box::new(error)),
            error => Self::Halted(Halted::Log(error)),
        }
    }
}
