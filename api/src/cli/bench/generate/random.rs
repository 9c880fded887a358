//! Numbers that look random and are the same for the same seed, on every machine and in every version: SplitMix64
//! (Steele, Lea and Flood 2014), which is a dozen lines and will not change under us as a crate might.

use stockledger_schemas::Hash;

const GOLDEN_GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;

#[derive(Debug, Clone)]
pub(super) struct Random(u64);

impl Random {
    /// The numbers of one partition of the ledger with this seed.
    pub(super) fn new(seed: u64, partition: u16) -> Self {
        let digest = Hash::of(&[b"stockledger-bench", &seed.to_le_bytes(), &partition.to_le_bytes()]);
        Self(digest.0.iter().fold(0, |number, byte| (number << 8) | u64::from(*byte)))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GOLDEN_GAMMA);
        mixed(self.0)
    }

    /// A number below `end`; 0 if there is none.
    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.next() % end.max(1)
    }

    /// A number from `first` to `last`, for small ranges.
    pub(super) fn between(&mut self, first: u32, last: u32) -> u32 {
        let beyond = self.below(u64::from(last.saturating_sub(first)) + 1);
        first + u32::try_from(beyond).unwrap_or_default()
    }

    /// True so often in a thousand times.
    pub(super) fn per_mille(&mut self, often: u64) -> bool {
        self.below(1_000) < often
    }

    /// One of them; there must be at least one.
    pub(super) fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        let index = self.below(choices.len() as u64);
        choices[usize::try_from(index).unwrap_or_default()]
    }
}

/// Another number for every number, and never the same for two.
pub(super) const fn mixed(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}
