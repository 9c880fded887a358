//! How fast a log is gone through: as fast as it can be, or beside other work.

use std::num::NonZero;
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

/// How long a thread works before it rests: short beside what anybody waits for who needs the core.
const WORK: Duration = Duration::from_millis(2);
/// The longest rest: a thread that was kept from its core for long does not rest as much longer.
const REST_MAX: Duration = Duration::from_millis(100);

/// How fast a log is gone through.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Pace {
    /// A thread for each core, none of which rests.
    #[default]
    Fast,
    /// One partition after the other on one thread, which works one part of the time and rests for so many.
    Gentle {
        /// How many times as long it rests as it works.
        rests: u32,
    },
}

impl Pace {
    /// How many partitions are looked at side by side.
    pub(super) fn at_once(self) -> usize {
        match self {
            Self::Fast => std::thread::available_parallelism().map_or(1, NonZero::get),
            Self::Gentle { .. } => 1,
        }
    }
}

/// Keeps the pace of one thread, which is one for blocking work.
pub(super) struct Pacer {
    pace: Pace,
    cancel: CancellationToken,
    began: Instant,
}

impl Pacer {
    pub(super) fn new(pace: Pace, cancel: CancellationToken) -> Self {
        Self { pace, cancel, began: Instant::now() }
    }

    /// Work begins: what was waited for until now was none.
    pub(super) fn begin(&mut self) {
        self.began = Instant::now();
    }

    /// Rests, if it is time to.
    pub(super) fn rest(&mut self) {
        let Pace::Gentle { rests } = self.pace else { return };
        let worked = self.began.elapsed();
        if worked < WORK {
            return;
        }
        let rest = worked.saturating_mul(rests).min(REST_MAX);
        // Whoever tells it to stop does not wait for it to wake up.
        let _ = Handle::current().block_on(tokio::time::timeout(rest, self.cancel.cancelled()));
        self.began = Instant::now();
    }

    pub(super) fn is_cancelled(&self) -> bool {
        self.cancel.is_cancelled()
    }
}
