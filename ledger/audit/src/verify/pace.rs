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
    /// Since the last rest, up to `began`.
    worked: Duration,
    began: Instant,
}

impl Pacer {
    pub(super) fn new(pace: Pace, cancel: CancellationToken) -> Self {
        Self { pace, cancel, worked: Duration::ZERO, began: Instant::now() }
    }

    /// Work begins: what was waited for until now was none.
    pub(super) fn begin(&mut self) {
        self.began = Instant::now();
    }

    /// A piece of work is done. Rests, if it is time to.
    pub(super) fn rest(&mut self) {
        if let Some(rest) = self.due(self.began.elapsed()) {
            // Whoever tells it to stop does not wait for it to wake up.
            let _ = Handle::current().block_on(tokio::time::timeout(rest, self.cancel.cancelled()));
        }
        self.began = Instant::now();
    }

    /// How long to rest after so much more work, if it is time to. What is too little for a rest counts for the next one.
    fn due(&mut self, worked: Duration) -> Option<Duration> {
        let Pace::Gentle { rests } = self.pace else { return None };
        self.worked += worked;
        if self.worked < WORK {
            return None;
        }
        Some(std::mem::take(&mut self.worked).saturating_mul(rests).min(REST_MAX))
    }

    pub(super) fn is_cancelled(&self) -> bool {
        self.cancel.is_cancelled()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn little_pieces_of_work_are_rested_for_too() {
        let mut pacer = Pacer::new(Pace::Gentle { rests: 3 }, CancellationToken::new());
        let piece = WORK / 4;
        for _ in 0..5 {
            assert_eq!([(); 4].map(|()| pacer.due(piece)), [None, None, None, Some(WORK * 3)]);
        }
        assert_eq!(pacer.due(Duration::from_secs(60)), Some(REST_MAX));
        let mut fast = Pacer::new(Pace::Fast, CancellationToken::new());
        assert_eq!(fast.due(Duration::from_secs(60)), None);
    }
}
