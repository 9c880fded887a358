//! Makes records that no writer would write, with a checksum that fits, so that they reach the decoder.

/// The record with the checksum that its bytes ask for.
pub(crate) fn sealed(mut record: Vec<u8>) -> Vec<u8> {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&record[..4]);
    hasher.update(&record[8..]);
    let checksum = hasher.finalize().to_le_bytes();
    record[4..8].copy_from_slice(&checksum);
    record
}

/// A record of this kind around any bytes.
pub(crate) fn record(kind: u8, body: &[u8]) -> Vec<u8> {
    sealed([&[b'S', b'L', 1, kind, 0, 0, 0, 0], body].concat())
}

/// The record with the bytes at `at` exchanged for others.
pub(crate) fn spliced(record: &[u8], at: std::ops::Range<usize>, other: &[u8]) -> Vec<u8> {
    sealed([&record[..at.start], other, &record[at.end..]].concat())
}

/// The record with its only occurrence of some bytes exchanged for others.
pub(crate) fn replaced(record: &[u8], old: &[u8], new: &[u8]) -> Vec<u8> {
    let places: Vec<usize> = record
        .windows(old.len())
        .enumerate()
        .filter(|(_, window)| *window == old)
        .map(|(at, _)| at)
        .collect();
    assert_eq!(places.len(), 1, "{old:?} occurs at {places:?}");
    spliced(record, places[0]..places[0] + old.len(), new)
}
