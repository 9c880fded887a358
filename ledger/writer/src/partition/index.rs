//! The small indexes that a partition's writer keeps for ever: which key and which order was decided where.

use std::collections::HashMap;
use std::sync::Arc;

use stockledger_schemas::{Hash, IdempotencyKey, OrderId, Scope, SiteId};

/// 16 bytes of SHA-256: enough that two keys never meet, and half the memory of the whole.
pub(crate) type ShortHash = [u8; 16];

/// Shards of an index, told apart by the first byte of a hash.
const SHARDS: usize = 1 << u8::BITS;

/// From a hash to the seq of a decision; about 28 bytes an entry.
///
/// It grows for ever, and a clone is made for each snapshot. So it is in shards that clones share until one of them changes:
/// a clone takes microseconds however many entries there are, and the writer copies at most one shard at a time.
#[derive(Debug, Clone)]
pub(crate) struct SeqIndex {
    shards: Box<[Arc<HashMap<ShortHash, u64>>]>,
    len: usize,
}

impl SeqIndex {
    pub(crate) fn new() -> Self {
        Self { shards: (0..SHARDS).map(|_| Arc::default()).collect(), len: 0 }
    }

    /// How many entries there are.
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn get(&self, hash: &ShortHash) -> Option<u64> {
        self.shards[shard_of(hash)].get(hash).copied()
    }

    /// Notes where a hash was decided last.
    pub(crate) fn insert(&mut self, hash: ShortHash, seq: u64) {
        let known = Arc::make_mut(&mut self.shards[shard_of(&hash)]).insert(hash, seq);
        self.len += usize::from(known.is_none());
    }

    /// All entries, in no order.
    pub(crate) fn entries(&self) -> Vec<(ShortHash, u64)> {
        let mut entries = Vec::with_capacity(self.len);
        entries.extend(self.shards.iter().flat_map(|shard| shard.iter().map(|(hash, seq)| (*hash, *seq))));
        entries
    }
}

impl FromIterator<(ShortHash, u64)> for SeqIndex {
    fn from_iter<T: IntoIterator<Item = (ShortHash, u64)>>(entries: T) -> Self {
        let mut index = Self::new();
        entries.into_iter().for_each(|(hash, seq)| index.insert(hash, seq));
        index
    }
}

fn shard_of(hash: &ShortHash) -> usize {
    usize::from(hash[0])
}

/// What an idempotency key is remembered by; the scope is part of it, because a key belongs to its site.
pub(crate) fn key_hash(scope: &Scope, key: &IdempotencyKey) -> ShortHash {
    let scope = match scope {
        Scope::Directory => "",
        Scope::Site(site) => site.as_str(),
    };
    Hash::of(&[b"key\0", scope.as_bytes(), b"\0", key.as_str().as_bytes()]).short()
}

/// What a closed order is remembered by.
pub(crate) fn order_hash(site: &SiteId, order_id: &OrderId) -> ShortHash {
    Hash::of(&[b"order\0", site.as_str().as_bytes(), b"\0", order_id.as_str().as_bytes()]).short()
}

/// Where decisions stand in the log. Offset minus seq changes only at claims and void records, so this stays small.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct OffsetIndex {
    /// `(seq, offset)` of each decision whose distance to its offset differs from that of the one before.
    pub(crate) runs: Vec<(u64, u64)>,
}

impl OffsetIndex {
    /// Notes that decision `seq` stands at `offset`. Seqs come in order.
    pub(crate) fn note(&mut self, seq: u64, offset: u64) {
        let continues = self.runs.last().is_some_and(|(first, at)| seq - first == offset - at);
        if !continues {
            self.runs.push((seq, offset));
        }
    }

    /// Where decision `seq` stands, if it is one that was noted or lies within a noted run.
    pub(crate) fn offset_of(&self, seq: u64) -> Option<u64> {
        let run = self.runs.partition_point(|(first, _)| *first <= seq).checked_sub(1)?;
        let (first, at) = self.runs[run];
        Some(at + (seq - first))
    }
}

#[cfg(test)]
mod tests {
    use super::{OffsetIndex, SeqIndex, ShortHash};

    fn hash(number: u8) -> ShortHash {
        [number.wrapping_mul(37); 16]
    }

    #[test]
    fn a_clone_of_an_index_stays_as_it_was() {
        let mut index: SeqIndex = (0..100).map(|number| (hash(number), u64::from(number))).collect();
        let clone = index.clone();
        index.insert(hash(7), 1_000);
        index.insert(hash(200), 2_000);
        assert_eq!(
            (index.len(), index.get(&hash(7)), index.get(&hash(200))),
            (101, Some(1_000), Some(2_000))
        );
        assert_eq!((clone.len(), clone.get(&hash(7)), clone.get(&hash(200))), (100, Some(7), None));
        let mut entries = clone.entries();
        entries.sort_by_key(|(_, seq)| *seq);
        assert_eq!(entries, (0..100).map(|number| (hash(number), u64::from(number))).collect::<Vec<_>>());
    }

    #[test]
    fn offsets_are_found_across_claims_and_void_records() {
        let mut index = OffsetIndex::default();
        let stands_at = [(1, 2), (2, 3), (3, 4), (4, 6), (5, 7), (6, 100)];
        for (seq, offset) in stands_at {
            index.note(seq, offset);
        }
        assert_eq!(index.runs.len(), 3);
        for (seq, offset) in stands_at {
            assert_eq!(index.offset_of(seq), Some(offset));
        }
        assert_eq!(index.offset_of(0), None);
    }
}
