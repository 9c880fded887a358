//! Files of archives: they are restored from, wherever they were kept meanwhile.

use std::path::Path;

use bytes::Bytes;
use stockledger_audit::archive::{Manifest, Segment};
use stockledger_schemas::{Hash, LedgerId, PartitionId};

/// A manifest is read or refused; it names no file outside of its directory, and is written as it was read.
pub(crate) fn manifest(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let path = Path::new("manifest.json");
    let Ok(manifest) = Manifest::parse(text, path) else { return };
    for content in &manifest.contents {
        for segment in &content.segments {
            assert!(!segment.file.contains(".."), "{} leaves the archive", segment.file);
            let offsets = segment.next_offset() - segment.first_offset;
            assert_eq!(offsets, segment.records, "the offsets of {} are beyond counting", segment.file);
        }
    }
    let heads = manifest.remembered(path).len();
    assert_eq!(heads, manifest.contents.iter().map(|content| content.segments.len()).sum::<usize>());
    let again = serde_json::to_string(&manifest).unwrap_or_default();
    assert!(Manifest::parse(&again, path).is_ok_and(|again| again == manifest), "{again}");
}

/// Bytes of a segment are records at the offsets that the manifest says, or damage with a reason. The manifest here says
/// whatever the header says, so that the header lets everything through.
pub(crate) fn segment(bytes: &[u8]) {
    const PARTITION: std::ops::Range<usize> = 12..14;
    const FIRST_OFFSET: std::ops::Range<usize> = 16..24;
    const LEDGER: std::ops::Range<usize> = 24..40;
    let field = |range: std::ops::Range<usize>| bytes.get(range).unwrap_or_default();
    let partition = PartitionId(u16::from_le_bytes(field(PARTITION).try_into().unwrap_or_default()));
    let ledger_id = LedgerId(field(LEDGER).try_into().unwrap_or_default());
    let first_offset = u64::from_le_bytes(field(FIRST_OFFSET).try_into().unwrap_or_default());
    for records in [1, 2, u64::MAX].map(|records: u64| records.min(u64::MAX - first_offset)) {
        let segment = Segment {
            file: Segment::file_of(partition, first_offset),
            first_offset,
            records,
            bytes: bytes.len() as u64,
            first_seq: None,
            last_seq: 0,
            hash: Hash([0; 32]),
            sha256: Hash::of(&[bytes]),
        };
        let contents = segment.contents(Bytes::copy_from_slice(bytes), ledger_id, partition);
        assert!(contents.records.len() as u64 <= records, "more records than the manifest says");
        assert!(contents.damage.is_some() || contents.records.len() as u64 == records);
        for (place, record) in contents.records.iter().enumerate() {
            assert_eq!(record.offset, first_offset + place as u64);
        }
        let other = Segment { sha256: Hash([0; 32]), ..segment };
        let contents = other.contents(Bytes::copy_from_slice(bytes), ledger_id, partition);
        assert!(contents.damage.is_some(), "bytes of another hash were believed");
    }
}
