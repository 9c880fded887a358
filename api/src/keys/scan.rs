//! Reading the keys of a log once, as it is now, without a server.

use std::time::Duration;

use stockledger_chain::{Halt, State, Verdict, admit};
use stockledger_log::{self as log, Log};
use stockledger_schemas::{Decision, PartitionId};

use crate::keys::Known;

/// Most records of one read.
const READ_RECORDS_MAX: usize = 512;
/// How long to wait for records that the log is known to have.
const READ_PATIENCE: Duration = Duration::from_secs(5);

/// Why the keys cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The log cannot be read.
    #[error("reading the API keys from the log")]
    Log(#[from] log::Error),
    /// The log does not give what it is known to have.
    #[error("the log gave no record at offset {0}, which it has")]
    Silent(u64),
    /// The log must not be read past this.
    #[error("reading the API keys from the log")]
    Halted(#[from] Halt),
}

impl Error {
    /// Whether trying again may help.
    #[must_use]
    pub const fn is_passing(&self) -> bool {
        matches!(self, Self::Log(log::Error::Unavailable { .. }) | Self::Silent(_))
    }
}

/// All keys that were ever made.
///
/// # Errors
/// [`Error`].
pub async fn all(log: &dyn Log) -> Result<Known, Error> {
    let mut known = Known::default();
    each(log, |decision| {
        known.take(decision);
        true
    })
    .await?;
    Ok(known)
}

/// Whether any key was ever made, so that nobody comes in without one. Reads no further than to the first.
///
/// # Errors
/// [`Error`].
pub async fn was_any_created(log: &dyn Log) -> Result<bool, Error> {
    let mut known = Known::default();
    each(log, |decision| {
        known.take(decision);
        !known.is_any()
    })
    .await?;
    Ok(known.is_any())
}

/// Shows the decisions of the directory's partition in order, as long as `go_on` says so.
async fn each(log: &dyn Log, mut go_on: impl FnMut(&Decision) -> bool) -> Result<(), Error> {
    let partition = PartitionId::DIRECTORY;
    let end = log.bounds(partition.0).await?.end;
    if end == 0 {
        return Ok(());
    }
    let genesis = log.fetch(partition.0, 0).await?.ok_or(Error::Silent(0))?;
    let mut state = State::begin(&genesis.value, partition)?;
    let mut reader = log.reader(partition.0, state.next_offset).await?;
    while state.next_offset < end {
        let records = reader.next(READ_RECORDS_MAX, READ_PATIENCE).await?;
        if records.is_empty() {
            return Err(Error::Silent(state.next_offset));
        }
        for record in records {
            let admission = admit(&state, record.offset, &record.value)?;
            state = admission.next;
            if let Verdict::Decision(decision) = &admission.verdict
                && !go_on(decision)
            {
                return Ok(());
            }
        }
        tokio::task::yield_now().await;
    }
    Ok(())
}
