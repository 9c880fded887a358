//! How far a rebuild is: a bar for each partition on a terminal, a line now and then elsewhere, JSON lines for programs.

use std::collections::{BTreeMap, BTreeSet};
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
    began: Instant,
    seen: Mutex<Seen>,
}

struct Seen {
    partitions: BTreeSet<u16>,
    events: u64,
    told: Instant,
}

/// How far one partition is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Filled {
    pub(super) partition: u16,
    /// Records.
    pub(super) done: u64,
    /// Records.
    pub(super) total: u64,
}

impl Reporter {
    pub(super) fn new(format: Format) -> Self {
        let now = Instant::now();
        let seen = Seen { partitions: BTreeSet::new(), events: 0, told: now };
        let bars = (format == Format::Table).then(|| Bars::new("rebuild"));
        Self { bars, began: now, seen: Mutex::new(seen) }
    }

    /// Takes what a rebuild in this process tells.
    pub(super) fn note(&self, progress: ReplayProgress) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.events += progress.events;
        let ReplayProgress { partition, done, total, .. } = progress;
        let per_second = per_second(seen.events, self.began.elapsed());
        let filled = Filled { partition: partition.0, done, total };
        self.tell(&mut seen, filled, ("events_per_second", per_second));
    }

    /// Takes what a server says of one partition; it counts records.
    pub(super) fn note_remote(&self, filled: Filled, records_per_second: u64) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        self.tell(&mut seen, filled, ("records_per_second", records_per_second));
    }

    fn tell(&self, seen: &mut Seen, filled: Filled, (unit, per_second): (&str, u64)) {
        let Filled { partition, done, total } = filled;
        let is_first = seen.partitions.insert(partition);
        if let Some(bars) = &self.bars {
            bars.set(partition, done, total, &format!("{per_second} {}", unit.replace('_', " ")));
        } else if is_first || seen.told.elapsed() >= JSON_EVERY || done == total {
            seen.told = Instant::now();
            // A reader that is gone is met again when the result is printed.
            let _ = output::json_line(&json!({
                "type": "progress",
                "partition": partition,
                "records_done": done,
                "records_total": total,
                unit: per_second,
            }));
        }
    }

    pub(super) fn done(&self) {
        if let Some(bars) = &self.bars {
            bars.done();
        }
    }
}

fn per_second(events: u64, elapsed: Duration) -> u64 {
    let millis = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX).max(1);
    events.saturating_mul(1_000) / millis
}
