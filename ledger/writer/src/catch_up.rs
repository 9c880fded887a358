//! A log that is shorter than what was read of it: a broker that is failing over may say so for a while.

use std::time::Duration;

use stockledger_log::{Error, Log};
use stockledger_schemas::PartitionId;
use tokio::time::Instant;

const POLL: Duration = Duration::from_millis(500);

/// Where the log ends, once it ends at `wanted` or later; after `patience` it is told as it is.
///
/// # Errors
/// [`Error`] of the log.
pub(crate) async fn end_of(
    log: &dyn Log,
    partition: PartitionId,
    wanted: u64,
    patience: Duration,
) -> Result<u64, Error> {
    let deadline = Instant::now() + patience;
    loop {
        let end = log.bounds(partition.0).await?.end;
        if end >= wanted || Instant::now() >= deadline {
            return Ok(end);
        }
        tokio::time::sleep(POLL).await;
    }
}
