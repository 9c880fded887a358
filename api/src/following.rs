//! What tasks of this program have in common that follow a partition of the log for themselves, beside the read tables.

use std::time::Duration;

use stockledger_chain::{Halt, State};
use stockledger_log::{self as log, Log};
use stockledger_schemas::PartitionId;

/// Most records of one read: well below a millisecond of work, and a second of it for a million of them.
pub(crate) const READ_RECORDS_MAX: usize = 256;
/// How long one read waits for records; the log wakes it when one comes.
pub(crate) const READ_PATIENCE: Duration = Duration::from_secs(1);
/// How long to wait before trying a log again that does not answer.
pub(crate) const RETRY_AFTER: Duration = Duration::from_millis(500);

/// Why a partition is not followed on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Stop {
    #[error(transparent)]
    Log(#[from] log::Error),
    #[error(transparent)]
    Halted(#[from] Halt),
    #[error("the partition has no genesis record")]
    NoGenesis,
    #[error("reading the log broke down, which is a fault of this program")]
    Panicked(#[from] tokio::task::JoinError),
}

impl Stop {
    /// Whether trying again may help.
    pub(crate) const fn is_passing(&self) -> bool {
        matches!(self, Self::Log(log::Error::Unavailable { .. }) | Self::NoGenesis)
    }
}

/// The state behind the genesis record of a partition.
///
/// # Errors
/// [`Stop`].
pub(crate) async fn genesis(log: &dyn Log, partition: PartitionId) -> Result<State, Stop> {
    let genesis = log.fetch(partition.0, 0).await?.ok_or(Stop::NoGenesis)?;
    Ok(State::begin(&genesis.value, partition)?)
}
