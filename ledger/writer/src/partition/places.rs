//! The places of commands that are open at once, and whether one that comes now would be answered while it is still wanted.
//!
//! A queue that is longer than what is done of it within a caller's patience does nothing but work in vain: every answer
//! comes to somebody who has gone. So a command is let in only if what waits before it will be done in time, by what was
//! done lately. That is measured while the pipeline is full, because a partition that is not full is only as fast as its
//! callers.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

/// Places of one partition: commands that are waiting, being decided, in flight or being looked up.
pub(crate) const PLACES_MAX: usize = 8_192;
/// A command with many lines takes as many places as it has such parts of so many lines, so that places bound memory too.
const LINES_PER_PLACE: usize = 64;
/// With so many places taken the pipeline is full: as many records as may be in flight.
const FULL: usize = 1_024;
/// How long a measurement takes.
const MEASURED_FOR: Duration = Duration::from_millis(100);

/// The places that a command of so many lines takes.
pub(crate) fn places_of(lines: usize) -> u32 {
    u32::try_from(lines / LINES_PER_PLACE).unwrap_or(u32::MAX).saturating_add(1)
}

/// The places of one partition. Clones are the same.
#[derive(Debug, Clone)]
pub(crate) struct Places(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    free: Arc<Semaphore>,
    pace: Mutex<Pace>,
}

/// How fast places become free while the pipeline is full.
#[derive(Debug, Default)]
struct Pace {
    /// Since when it has been full, and the places that became free since.
    window: Option<(Instant, u32)>,
    per_second: Option<f64>,
}

impl Default for Places {
    fn default() -> Self {
        Self(Arc::new(Inner { free: Arc::new(Semaphore::new(PLACES_MAX)), pace: Mutex::default() }))
    }
}

impl Places {
    /// Takes places at once; none if there are too few, or if what waits will not be done within `patience`.
    pub(crate) fn try_take(&self, places: u32, patience: Duration) -> Option<Place> {
        if self.expected_wait().is_some_and(|wait| wait > patience) {
            return None;
        }
        let permit = self.0.free.clone().try_acquire_many_owned(places).ok()?;
        Some(Place { permit, of: self.clone() })
    }

    /// Waits for places, in turn. Nothing once the partition has ended.
    pub(crate) async fn take(&self, places: u32) -> Option<Place> {
        let permit = self.0.free.clone().acquire_many_owned(places).await.ok()?;
        Some(Place { permit, of: self.clone() })
    }

    /// How long it will take until all that is open is answered; not known while the pipeline is not full.
    fn expected_wait(&self) -> Option<Duration> {
        let open = self.open();
        if open < FULL {
            return None;
        }
        let per_second = self.0.pace.lock().unwrap_or_else(PoisonError::into_inner).per_second?;
        Duration::try_from_secs_f64(open as f64 / per_second).ok()
    }

    /// How many are taken.
    pub(crate) fn open(&self) -> usize {
        PLACES_MAX.saturating_sub(self.0.free.available_permits())
    }

    /// Places became free; `open` of them were taken just before.
    fn note_free(&self, places: u32, open: usize) {
        let mut pace = self.0.pace.lock().unwrap_or_else(PoisonError::into_inner);
        if open < FULL {
            *pace = Pace::default();
            return;
        }
        let now = Instant::now();
        let (began, freed) = pace.window.unwrap_or((now, 0));
        let (took, freed) = (now - began, freed + places);
        if took < MEASURED_FOR {
            pace.window = Some((began, freed));
            return;
        }
        let measured = f64::from(freed) / took.as_secs_f64();
        pace.per_second = Some(pace.per_second.map_or(measured, |before| f64::midpoint(before, measured)));
        pace.window = Some((now, 0));
    }
}

/// The places of one command, free again when it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    permit: OwnedSemaphorePermit,
    of: Places,
}

impl Drop for Place {
    fn drop(&mut self) {
        let places = u32::try_from(self.permit.num_permits()).unwrap_or(u32::MAX);
        self.of.note_free(places, self.of.open());
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(2);

    fn fill(places: &Places, up_to: usize) -> Vec<Place> {
        let missing = up_to - places.open();
        (0..missing).map(|_| places.try_take(1, Duration::MAX).expect("a place")).collect()
    }

    #[test]
    fn a_command_takes_places_by_its_lines() {
        for (lines, places) in [(0, 1), (1, 1), (63, 1), (64, 2), (2_000, 32)] {
            assert_eq!(places_of(lines), places, "{lines} lines");
        }
        let places = Places::default();
        let large: Vec<Place> = std::iter::from_fn(|| places.try_take(places_of(2_000), PATIENCE)).collect();
        assert_eq!(large.len(), 256);
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_partition_refuses_what_it_would_answer_too_late() {
        let places = Places::default();
        let mut open = fill(&places, 4_000);
        // Nothing is known yet: let in.
        open.push(places.try_take(1, PATIENCE).expect("let in"));
        // Ten a millisecond: what waits takes 0.3 s.
        for _ in 0..110 {
            advance(Duration::from_millis(1)).await;
            open.truncate(open.len() - 10);
        }
        assert!(places.try_take(1, PATIENCE).is_some());
        // One in five milliseconds: a queue of as many takes many seconds.
        for _ in 0..100 {
            advance(Duration::from_millis(5)).await;
            open.pop();
        }
        assert!(places.expected_wait().expect("it is known") > PATIENCE);
        assert!(places.try_take(1, PATIENCE).is_none());
        // Below a full pipeline nothing is refused, and what was measured is forgotten.
        open.truncate(FULL - 1);
        assert_eq!(places.expected_wait(), None);
        open.pop();
        open.extend(fill(&places, FULL + 1));
        assert_eq!(places.expected_wait(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_few_commands_of_slow_callers_say_nothing_of_the_pace() {
        let places = Places::default();
        for _ in 0..10 {
            let open = fill(&places, 5);
            advance(Duration::from_secs(1)).await;
            drop(open);
        }
        assert_eq!(fill(&places, PLACES_MAX).len(), PLACES_MAX, "a burst after that is let in");
    }
}
