//! One decision of a log, found by its position.

use stockledger_chain::{State, Verdict, admit};
use stockledger_log::{Error, Log};
use stockledger_schemas::{Decision, Position};
use tokio_util::sync::CancellationToken;

use crate::reading::{self, Batches, Range, Stop};

/// The decision at a position, if the log has it. Reads the partition from its beginning, since only that tells which
/// records count.
///
/// # Errors
/// [`Error`] of the log.
pub async fn decision(log: &dyn Log, position: Position) -> Result<Option<Decision>, Error> {
    let partition = position.partition;
    let range = Range { partition, from: 0, end: log.bounds(partition.0).await?.end };
    let work = move |batches| find(batches, position);
    let worked = reading::work_on(log, range, &CancellationToken::new(), work).await;
    let failed = |source| Error::Unavailable { operation: "look for a decision", source: Box::new(source) };
    let (found, read) = worked.map_err(failed)?;
    match read {
        Err(Stop::Log(error)) if found.is_none() => Err(error),
        _ => Ok(found),
    }
}

fn find(mut batches: Batches, position: Position) -> Option<Decision> {
    let mut state: Option<State> = None;
    while let Some(batch) = batches.blocking_recv() {
        for record in &batch {
            let Some(known) = &mut state else {
                state = Some(State::begin(&record.value, position.partition).ok()?);
                continue;
            };
            let admission = admit(known, record.offset, &record.value).ok()?;
            *known = admission.next;
            match admission.verdict {
                Verdict::Decision(decision) if decision.seq == position.seq => return Some(*decision),
                _ => {}
            }
        }
    }
    None
}
