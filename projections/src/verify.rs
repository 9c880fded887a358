//! Whether a log is the one that a checkpoint remembers, before a single row is written from it.

use stockledger_chain::State;
use stockledger_log::{Error, Log};
use stockledger_rules::{Rule, keeps};
use stockledger_schemas::PartitionId;

use crate::checkpoint::Checkpoint;
use crate::stop::{Halted, Stop};

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
    let remembered = checkpoint.map_or(0, |checkpoint| checkpoint.next_offset);
    if bounds.end < remembered && keeps(Rule::CheckpointFitsTheLog) {
        return Err(Stop::LogShorter(Halted::LogShorter { partition, end: bounds.end, remembered }));
    }
    let Some(genesis) = log.fetch(partition.0, 0).await? else {
        return Err(Stop::Unavailable(format!("partition {partition} of the log is empty: run init").into()));
    };
    let begin = State::begin(&genesis.value, partition).map_err(|halt| Stop::Halted(Halted::Broken(halt)))?;
    if let Some(checkpoint) = checkpoint.filter(|_| keeps(Rule::CheckpointFitsTheLog)) {
        compare(log, &begin, checkpoint).await?;
    }
    Ok(begin)
}

async fn compare(log: &dyn Log, begin: &State, checkpoint: &Checkpoint) -> Result<(), Stop> {
    let partition = checkpoint.partition;
    if begin.genesis != checkpoint.genesis {
        return Err(Stop::Halted(Halted::ForeignLog {
            partition,
            remembered: checkpoint.genesis,
            found: begin.genesis,
        }));
    }
    let offset = checkpoint.last_valid_offset;
    if offset == 0 {
        return Ok(());
    }
    let record = log.fetch(partition.0, offset).await?;
    let is_same = record.is_some_and(|record| checkpoint.state(begin).remembers(&record.value));
    if is_same { Ok(()) } else { Err(Stop::Halted(Halted::Rewritten { partition, offset })) }
}
