//! The small indexes that a partition's writer keeps for ever: which key and which order was decided where.

use std::collections::HashMap;

use stockledger_schemas::{Hash, IdempotencyKey, OrderId, Scope, SiteId};

/// 16 bytes of SHA-256: enough that two keys never meet, and half the memory of the whole.
pub(crate) type ShortHash = [u8; 16];

/// From a hash to the seq of a decision; about 28 bytes an entry.
pub(crate) type SeqIndex = HashMap<ShortHash, u64>;

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
    use super::OffsetIndex;

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
