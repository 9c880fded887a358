//! The log alone: what an append costs without a ledger on top.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use stockledger_log::{Acknowledgement, Delivery, Entry};

use super::load::Load;
use super::place::Place;
use crate::cli::{Exit, Failure};

/// As the writer does it.
const BATCHES_IN_FLIGHT: usize = 4;

pub(super) struct Append {
    pub(super) record_bytes: usize,
    pub(super) one_at_a_time: Load,
    pub(super) in_batches_per_second: f64,
}

/// Appends the same records again and again, for as long as it is to last: one at a time, then all of them as one batch.
pub(super) async fn measure(place: &Place, records: &[Entry], lasting: Duration) -> Result<Append, Failure> {
    let failed = |error: stockledger_log::Error| Failure::new(Exit::Failed, error);
    let log = place.log().await?;
    let mut producer = log.producer(0).map_err(failed)?;
    let mut one_at_a_time = Load::new(1)?;
    let mut again = records.iter().cycle();
    durable(producer.append(again.next().cloned().into_iter().collect())).await?;
    let began = Instant::now();
    while began.elapsed() < lasting {
        let entry = again.next().cloned().into_iter().collect();
        let sent = Instant::now();
        durable(producer.append(entry)).await?;
        one_at_a_time.record(sent.elapsed());
    }
    one_at_a_time.took(began.elapsed());

    let mut producer = log.producer(0).map_err(failed)?;
    let mut in_flight = VecDeque::new();
    let mut batches = 0_u32;
    let began = Instant::now();
    while began.elapsed() < lasting {
        in_flight.push_back(producer.append(records.to_vec()));
        if in_flight.len() >= BATCHES_IN_FLIGHT
            && let Some(oldest) = in_flight.pop_front()
        {
            durable(oldest).await?;
            batches += 1;
        }
    }
    let in_batches_per_second = f64::from(batches) * records.len() as f64 / began.elapsed().as_secs_f64();
    for batch in in_flight {
        durable(batch).await?;
    }
    log.close().await;
    let record_bytes = records.iter().map(|entry| entry.value.len()).sum::<usize>() / records.len();
    Ok(Append { record_bytes, one_at_a_time, in_batches_per_second })
}

async fn durable(acknowledgement: Acknowledgement) -> Result<(), Failure> {
    let deliveries = acknowledgement.await.unwrap_or_default();
    let all = !deliveries.is_empty()
        && deliveries.iter().all(|delivery| matches!(delivery, Delivery::Appended { .. }));
    if all { Ok(()) } else { Err(Failure::text(Exit::Failed, "an append to the bare log failed")) }
}
