//! How far a rebuild is: a bar for each partition on a terminal, a line now and then elsewhere, JSON lines for programs.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::json;
use stockledger_projections::rebuild::{OnProgress, ReplayProgress};

use crate::cli::output::{self, Bars, Format, Progress};

/// How often programs are told.
const JSON_EVERY: Duration = Duration::from_secs(1);

/// Adds up what the partitions report.
pub(in crate::cli) fn told_as_one(progress: Arc<Progress>) -> Arc<OnProgress> {
    let partitions: Mutex<BTreeMap<u16, (u64, u64)>> = Mutex::default();
    Arc::new(move |report| {
        let mut partitions = partitions.lock().unwrap_or_else(PoisonError::into_inner);
        partitions.insert(report.partition.0, (report.done, report.total));
        let (done, total) = partitions.values().fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
        progress.set(done, total);
    })
}

/// Tells whoever looks.
pub(super) struct Reporter {
    bars: Option<Bars>,
    seen: Mutex<Seen>,
}

struct Seen {
    partitions: BTreeMap<u16, (u64, u64)>,
    events: u64,
    began: Instant,
    told: Instant,
}

impl Reporter {
    pub(super) fn new(format: Format) -> Self {
        let now = Instant::now();
        let seen = Seen { partitions: BTreeMap::new(), events: 0, began: now, told: now };
        Self { bars: (format == Format::Table).then(|| Bars::new("rebuild")), seen: Mutex::new(seen) }
    }

    pub(super) fn note(&self, progress: ReplayProgress) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let (partition, done, total) = (progress.partition.0, progress.done, progress.total);
        seen.partitions.insert(partition, (done, total));
        seen.events += progress.events;
        let per_second = per_second(seen.events, seen.began.elapsed());
        if let Some(bars) = &self.bars {
            bars.set(partition, done, total, per_second);
        } else if seen.told.elapsed() >= JSON_EVERY || done == total {
            seen.told = Instant::now();
            // A reader that is gone is met again when the result is printed.
            let _ = print_filling(Some(partition), done, total, Some(per_second));
        }
    }

    pub(super) fn done(&self) {
        if let Some(bars) = &self.bars {
            bars.done();
        }
    }
}

/// One line for programs.
pub(super) fn print_filling(
    partition: Option<u16>,
    done: u64,
    total: u64,
    per_second: Option<u64>,
) -> std::io::Result<()> {
    output::json_line(&json!({
        "type": "progress",
        "partition": partition,
        "records_done": done,
        "records_total": total,
        "per_second": per_second,
    }))
}

fn per_second(events: u64, elapsed: Duration) -> u64 {
    let millis = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX).max(1);
    events.saturating_mul(1_000) / millis
}
