//! Numbers that look random and follow from a seed: what a run chooses can be chosen again.
//!
//! The generator is `SplitMix64` (Steele, Lea and Flood, 2014), which is enough to choose faults and commands, and for nothing
//! else.

use std::hash::{BuildHasher as _, RandomState};
use std::ops::Range;
use std::time::Duration;

#[derive(Debug, Clone)]
pub(crate) struct Random(u64);

impl Random {
    /// Of one seed there are many generators, told apart by a number.
    pub(crate) fn new(seed: u64, number: u64) -> Self {
        let mut random = Self(seed);
        let start = random.number() ^ number.wrapping_mul(0xA076_1D64_78BD_642F);
        Self(start)
    }

    pub(crate) fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number of a range, which must not be empty.
    pub(crate) fn among(&mut self, range: Range<u64>) -> u64 {
        range.start + self.number() % (range.end - range.start)
    }

    /// Whether something happens that happens so often in a hundred.
    pub(crate) fn percent(&mut self, percent: u64) -> bool {
        self.among(0..100) < percent
    }

    pub(crate) fn pick<'a, T>(&mut self, values: &'a [T]) -> &'a T {
        let count = u64::try_from(values.len()).unwrap_or(u64::MAX);
        &values[usize::try_from(self.among(0..count)).unwrap_or(0)]
    }

    pub(crate) fn milliseconds(&mut self, range: Range<u64>) -> Duration {
        Duration::from_millis(self.among(range))
    }
}

/// A seed that nobody chose, short enough to be typed.
pub(crate) fn new_seed() -> u64 {
    RandomState::new().hash_one(0) % 1_000_000_000
}

#[cfg(test)]
mod tests {
    use super::Random;

    fn first(seed: u64, number: u64) -> Vec<u64> {
        let mut random = Random::new(seed, number);
        (0..8).map(|_| random.among(0..1_000)).collect()
    }

    #[test]
    fn a_seed_chooses_the_same_again_and_another_something_else() {
        assert_eq!(first(7, 1), first(7, 1));
        assert_ne!(first(7, 1), first(8, 1));
        assert_ne!(first(7, 1), first(7, 2));
    }

    #[test]
    fn everything_of_a_range_is_chosen() {
        let mut random = Random::new(1, 1);
        let mut seen = [false; 5];
        for _ in 0..200 {
            seen[usize::try_from(random.among(0..5)).unwrap()] = true;
        }
        assert_eq!(seen, [true; 5]);
    }
}
