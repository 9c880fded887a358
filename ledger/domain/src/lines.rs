//! Lines of one command that say the same key are one: they are added up before anything is checked or decided, so
//! that two lines of one SKU can never get what one line could not.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::Hash;

/// All lines of one key together.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sum<K, N = i128> {
    /// What the lines have in common.
    pub(crate) key: K,
    /// The first of these lines, from 0.
    pub(crate) first: usize,
    /// What they add up to. Wide at first, because lines of both signs may go far beyond their sum on the way.
    pub(crate) total: N,
}

impl<K> Sum<K> {
    /// The total as a number of a checked type, if it is one.
    pub(crate) fn total_as<N: TryFrom<i64>>(&self) -> Option<N> {
        i64::try_from(self.total).ok().and_then(|total| N::try_from(total).ok())
    }
}

/// Adds up the lines of each key, in the order in which the keys first appear.
pub(crate) fn sum_by<K: Copy + Eq + Hash>(lines: impl IntoIterator<Item = (K, i64)>) -> Vec<Sum<K>> {
    let mut sums: Vec<Sum<K>> = Vec::new();
    let mut places = HashMap::new();
    for (line, (key, number)) in lines.into_iter().enumerate() {
        let total = i128::from(number);
        match places.entry(key) {
            Entry::Occupied(place) => {
                let place: usize = *place.get();
                sums[place].total += total;
            }
            Entry::Vacant(place) => {
                place.insert(sums.len());
                sums.push(Sum { key, first: line, total });
            }
        }
    }
    sums
}
