//! A clock that runs by decisions: it begins at a fixed instant, never falls, and spreads what is decided over about a
//! year.

use stockledger_schemas::Timestamp;

use super::random::Random;

/// 2024-01-01T00:00:00Z, when the ledger begins.
const BEGIN_US: i64 = 1_704_067_200_000_000;
const YEAR_US: i64 = 365 * 24 * 3_600 * 1_000_000;
/// Never later than this, so that it stays in the past of whoever goes on with the ledger.
const END_US: i64 = BEGIN_US + 2 * YEAR_US;
/// Sites and items are registered in this first hour; everything else happens behind it.
const HOUR_US: i64 = 3_600 * 1_000_000;
/// Between two decisions of the directory.
const DIRECTORY_STEP_US: i64 = 10_000;

#[derive(Debug, Clone)]
pub(super) struct Clock {
    now_us: i64,
    step_us: u32,
}

impl Clock {
    /// Over about so many decisions the year is gone.
    pub(super) fn over(decisions: u64) -> Self {
        let decisions = i64::try_from(decisions).unwrap_or(i64::MAX).max(1);
        let step_us = u32::try_from((YEAR_US - HOUR_US) / decisions).unwrap_or(u32::MAX);
        Self { now_us: BEGIN_US, step_us }
    }

    /// What it shows.
    pub(super) fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.now_us).unwrap_or(Timestamp::MAX)
    }

    /// The next decision of the directory.
    pub(super) fn directory_step(&mut self) -> Timestamp {
        self.now_us = (self.now_us + DIRECTORY_STEP_US).min(BEGIN_US + HOUR_US);
        self.now()
    }

    /// The doors open.
    pub(super) fn open(&mut self) {
        self.now_us = BEGIN_US + HOUR_US;
    }

    /// The next decision of a site.
    pub(super) fn step(&mut self, random: &mut Random) -> Timestamp {
        let step_us = random.below(2 * u64::from(self.step_us));
        self.now_us = self.now_us.saturating_add(i64::try_from(step_us).unwrap_or_default()).min(END_US);
        self.now()
    }

    /// Some time from an hour to five days ago.
    pub(super) fn earlier(&self, random: &mut Random) -> Option<Timestamp> {
        let hours = i64::from(random.between(1, 120));
        Timestamp::from_micros(self.now_us - hours * HOUR_US).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::{BEGIN_US, Clock, END_US, YEAR_US};
    use crate::cli::bench::generate::random::Random;

    #[test]
    fn a_year_is_over_about_when_it_should_be_and_time_ends_a_year_later() {
        let mut random = Random::new(1, 0);
        let mut clock = Clock::over(10_000);
        clock.open();
        let mut before = clock.now();
        for _ in 0..10_000 {
            let now = clock.step(&mut random);
            assert!(now >= before);
            before = now;
        }
        let gone_us = clock.now().micros() - BEGIN_US;
        assert!((YEAR_US * 9 / 10..YEAR_US * 11 / 10).contains(&gone_us));
        for _ in 0..20_000 {
            clock.step(&mut random);
        }
        assert_eq!(clock.now().micros(), END_US);
    }
}
