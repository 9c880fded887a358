//! A snapshot that somebody made on purpose, with a checksum that fits: an error, and no memory to speak of.

use stockledger_schemas::snapshot::{Chain, Error, Snapshot};
use stockledger_schemas::{Hash, LedgerId, PartitionId, Timestamp, codec};

const HEADER_BYTES: usize = 44;

fn snapshot() -> Snapshot {
    let hash = Hash([3; 32]);
    let chain = Chain {
        ledger_id: LedgerId([7; 16]),
        partition: PartitionId(1),
        partitions: 3,
        window: 4_096,
        genesis: hash,
        term: 2,
        seq: 300,
        hash,
        before: hash,
        next_offset: 310,
        reach: 4_095,
        last_valid_offset: 309,
    };
    Snapshot {
        chain,
        last_recorded_at: Timestamp::from_micros(5).expect("a time"),
        directory_sites: Vec::new(),
        directory_items: Vec::new(),
        directory_keys: Vec::new(),
        sites: Vec::new(),
        keys: vec![([4; 16], 300)],
        closed_orders: Vec::new(),
        offset_runs: Vec::new(),
    }
}

/// The snapshot with other bytes in place of its last one, which says that there are no offset runs.
fn with_last_length(length: &[u8]) -> Vec<u8> {
    let mut bytes = snapshot().to_bytes().expect("bytes");
    assert_eq!(bytes.pop(), Some(0));
    bytes.extend_from_slice(length);
    let hash = Hash::of(&[&bytes[HEADER_BYTES..]]);
    bytes[12..HEADER_BYTES].copy_from_slice(&hash.0);
    bytes
}

#[test]
fn a_snapshot_is_read_as_it_was_written() {
    assert_eq!(Snapshot::from_bytes(&snapshot().to_bytes().unwrap()), Ok(snapshot()));
}

/// Twenty-five bits of it would be half a gigabyte of runs.
#[test]
fn a_length_that_no_file_of_this_size_can_hold_is_refused_before_memory_is_taken() {
    let runs = [253, 0, 0, 0, 2, 0, 0, 0, 0];
    let error = Snapshot::from_bytes(&with_last_length(&runs));
    assert_eq!(error, Err(Error::Body(codec::Error::TooLarge)));
}

#[test]
fn a_snapshot_of_many_small_things_is_read_back() {
    let runs = (0..300_000_u64).map(|seq| (seq % 100, 1)).collect();
    let snapshot = Snapshot { offset_runs: runs, ..snapshot() };
    assert_eq!(Snapshot::from_bytes(&snapshot.to_bytes().unwrap()).as_ref(), Ok(&snapshot));
}
