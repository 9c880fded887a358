//! Whether a log is the one that a checkpoint remembers, before a single row is written from it.

use std::time::Duration;

use stockledger_chain::State;
use stockledger_log::{Error, Log};
use stockledger_rules::{Rule, keeps};
use stockledger_schemas::PartitionId;
use tokio::time::Instant;

use crate::checkpoint::Checkpoint;
use crate::read;
use crate::stop::{Halted, Stop};
use crate::store::Store;
use crate::table::Version;

/// How often a log that is shorter is looked at again.
const POLL: Duration = Duration::from_millis(500);

/// Why the log is not the one that the read tables of a version were made from, if it is not. That something does not
/// answer says nothing; a log that is shorter has this long to come back, as after a broker's fail-over.
pub async fn contradiction(
    log: &dyn Log,
    store: &dyn Store,
    version: Version,
    patience: Duration,
) -> Option<Halted> {
    let deadline = Instant::now() + patience;
    let mut snapshot = store.snapshot().await.ok()?;
    let checkpoints = read::checkpoints(&mut *snapshot, version).await.ok()?;
    drop(snapshot);
    for checkpoint in &checkpoints {
        loop {
            match verify(log, checkpoint.partition, Some(checkpoint)).await {
                Err(Stop::LogShorter(_)) if Instant::now() < deadline => tokio::time::sleep(POLL).await,
                Err(Stop::LogShorter(halted) | Stop::Halted(halted)) => return Some(halted),
                Ok(_) | Err(Stop::Superseded | Stop::Unavailable(_) | Stop::Refused(_)) => break,
            }
        }
    }
    None
}

/// The state after the genesis record, if the log agrees with everything that the checkpoint remembers.
///
/// The last valid record must be the same bytes.
pub(crate) async fn verify(
    log: &dyn Log,
    partition: PartitionId,
    checkpoint: Option<&Checkpoint>,
) -> Result<State, Stop> {
    let bounds = log.bounds(partition.0).await?;
    if bounds.begin > 0 {
        return Err(Stop::from(Error::Truncated { begin: bounds.begin, wanted: 0 }));
    }
    let Some(genesis) = log.fetch(partition.0, 0).await? else {
        return Err(Stop::Unavailable(format!("partition {partition} of the log is empty: run init").into()));
    };
    let begin = State::begin(&genesis.value, partition).map_err(|halt| Stop::Halted(Halted::Broken(halt)))?;
    if let Some(checkpoint) = checkpoint.filter(|_| keeps(Rule::CheckpointFitsTheLog)) {
        compare(log, &begin, bounds.end, checkpoint).await?;
    }
    Ok(begin)
}

/// Another log is told before one that is shorter: waiting for it to grow would help nobody.
async fn compare(log: &dyn Log, begin: &State, end: u64, checkpoint: &Checkpoint) -> Result<(), Stop> {
    let partition = checkpoint.partition;
    if begin.genesis != checkpoint.genesis {
        return Err(Stop::Halted(Halted::ForeignLog {
            partition,
            remembered: checkpoint.genesis,
            found: begin.genesis,
        }));
    }
    let remembered = checkpoint.next_offset;
    if end < remembered {
        return Err(Stop::LogShorter(Halted::LogShorter { partition, end, remembered }));
    }
    let offset = checkpoint.last_valid_offset;
    if offset == 0 {
        return Ok(());
    }
    let record = log.fetch(partition.0, offset).await?;
    let is_same = record.is_some_and(|record| checkpoint.state(begin).remembers(&record.value));
    if is_same { Ok(()) } else { Err(Stop::Halted(Halted::Rewritten { partition, offset })) }
}
