//! The log alone: what an append costs without a ledger on top.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use stockledger_log::sqlite::SqliteLog;
use stockledger_log::{Acknowledgement, Delivery, Entry, Log};

use super::load::Load;
use crate::cli::{Exit, Failure};

/// About what a placed order of three lines takes.
const RECORD_BYTES: usize = 256;
/// As the writer does it.
const BATCH_RECORDS: usize = 256;
const BATCHES_IN_FLIGHT: usize = 4;

pub(super) struct Append {
    pub(super) record_bytes: usize,
    pub(super) one_at_a_time: Load,
    pub(super) in_batches_per_second: f64,
}

pub(super) async fn measure(lasting: Duration) -> Result<Append, Failure> {
    let directory = tempfile::tempdir()?;
    let failed = |error: stockledger_log::Error| Failure::new(Exit::Failed, error);
    let log = Arc::new(SqliteLog::create(&directory.path().join("log.sqlite"), 2).await.map_err(failed)?);

    let mut producer = log.producer(0).map_err(failed)?;
    let mut one_at_a_time = Load::new(1)?;
    let began = Instant::now();
    while began.elapsed() < lasting {
        let sent = Instant::now();
        durable(producer.append(entries(1))).await?;
        one_at_a_time.record(sent.elapsed());
    }
    one_at_a_time.took(began.elapsed());

    let mut producer = log.producer(1).map_err(failed)?;
    let mut in_flight = VecDeque::new();
    let mut batches = 0_u32;
    let began = Instant::now();
    while began.elapsed() < lasting {
        in_flight.push_back(producer.append(entries(BATCH_RECORDS)));
        if in_flight.len() >= BATCHES_IN_FLIGHT
            && let Some(oldest) = in_flight.pop_front()
        {
            durable(oldest).await?;
            batches += 1;
        }
    }
    let in_batches_per_second = f64::from(batches) * BATCH_RECORDS as f64 / began.elapsed().as_secs_f64();
    for batch in in_flight {
        durable(batch).await?;
    }
    log.close().await;
    Ok(Append { record_bytes: RECORD_BYTES, one_at_a_time, in_batches_per_second })
}

fn entries(count: usize) -> Vec<Entry> {
    vec![Entry { key: Bytes::from_static(b"bench"), value: Bytes::from_static(&[0x5a; RECORD_BYTES]) }; count]
}

async fn durable(acknowledgement: Acknowledgement) -> Result<(), Failure> {
    let deliveries = acknowledgement.await.unwrap_or_default();
    let all = !deliveries.is_empty()
        && deliveries.iter().all(|delivery| matches!(delivery, Delivery::Appended { .. }));
    if all { Ok(()) } else { Err(Failure::text(Exit::Failed, "an append to the bare log failed")) }
}
