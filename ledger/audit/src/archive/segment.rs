//! One segment: a file of raw records, sealed once and never changed.
//!
//! ```text
//! offset  0 .. 8        8 .. 12          12 .. 14           14 .. 16  16 .. 24              24 .. 40    40 ..
//!         "SLSEG\0\0\0" version, u32 LE  partition, u16 LE  zero      first offset, u64 LE  ledger id   records
//! ```
//!
//! A record is its length as a `u32` in little endian, then its bytes. Keys and headers follow from the bytes.

use std::fs::File;
use std::io::{BufWriter, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use bytes::{Buf, Bytes};
use sha2::{Digest, Sha256};
use stockledger_log::StoredRecord;
use stockledger_schemas::limits::RECORD_BYTES_MAX;
use stockledger_schemas::{Hash, LedgerId, PartitionId};

use super::error::Error;
use super::manifest::{Manifest, Segment, path_of, sync_directory};

/// A segment is sealed once it has so many bytes. It is read as a whole, so this also bounds the memory of reading one.
pub const SEGMENT_BYTES_MAX: u64 = 16 << 20;
/// A segment is sealed once it has so many records.
pub const SEGMENT_RECORDS_MAX: u64 = 65_536;

const MAGIC: &[u8; 8] = b"SLSEG\0\0\0";
const VERSION: u32 = 1;
const HEADER_BYTES: usize = 40;
const LENGTH_BYTES: usize = 4;
/// Largest file that is read: the last record may begin just below the bound.
const FILE_BYTES_MAX: u64 = SEGMENT_BYTES_MAX + (RECORD_BYTES_MAX + LENGTH_BYTES + HEADER_BYTES) as u64;

/// When a segment is sealed. Other than the default they are for tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// At most [`SEGMENT_BYTES_MAX`].
    pub bytes_max: u64,
    /// How many records.
    pub records_max: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { bytes_max: SEGMENT_BYTES_MAX, records_max: SEGMENT_RECORDS_MAX }
    }
}

/// What a segment says about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) ledger_id: LedgerId,
    pub(super) partition: PartitionId,
    pub(super) first_offset: u64,
}

impl Header {
    fn bytes(&self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[..8].copy_from_slice(MAGIC);
        bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
        bytes[12..14].copy_from_slice(&self.partition.0.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.first_offset.to_le_bytes());
        bytes[24..40].copy_from_slice(&self.ledger_id.0);
        bytes
    }
}

/// A segment that is being written, under another name until it is sealed.
#[derive(Debug)]
pub(super) struct SegmentWriter {
    file: BufWriter<File>,
    /// Where it is written.
    new: PathBuf,
    /// Where it will stand.
    path: PathBuf,
    digest: Sha256,
    pub(super) header: Header,
    pub(super) records: u64,
    pub(super) bytes: u64,
}

impl SegmentWriter {
    /// Begins a segment in an archive. What a killed export left of the same segment is written over.
    pub(super) fn create(directory: &Path, header: Header) -> Result<Self, Error> {
        let path = directory.join(Segment::file_of(header.partition, header.first_offset));
        let new = path.with_extension("slseg.new");
        let file = File::create(&new).map_err(Error::file("making", &new))?;
        let mut writer = Self {
            file: BufWriter::with_capacity(1 << 18, file),
            new,
            path,
            digest: Sha256::new(),
            header,
            records: 0,
            bytes: 0,
        };
        writer.write(&header.bytes())?;
        Ok(writer)
    }

    pub(super) fn append(&mut self, record: &[u8]) -> Result<(), Error> {
        // A record that was admitted is not longer than a record may be.
        let length = u32::try_from(record.len()).unwrap_or(u32::MAX);
        self.write(&length.to_le_bytes())?;
        self.write(record)?;
        self.records += 1;
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.file.write_all(bytes).map_err(Error::file("writing", &self.new))?;
        self.digest.update(bytes);
        self.bytes += bytes.len() as u64;
        Ok(())
    }

    pub(super) const fn is_full(&self, limits: &Limits) -> bool {
        self.bytes >= limits.bytes_max || self.records >= limits.records_max
    }

    /// Makes it durable and gives it its name; says the SHA-256 of the file.
    pub(super) fn seal(mut self) -> Result<Hash, Error> {
        self.file.flush().map_err(Error::file("writing", &self.new))?;
        self.file.get_ref().sync_all().map_err(Error::file("syncing", &self.new))?;
        std::fs::rename(&self.new, &self.path).map_err(Error::file("sealing", &self.path))?;
        sync_directory(self.path.parent().unwrap_or(&self.path))?;
        Ok(Hash(self.digest.finalize().into()))
    }
}

/// The records of a segment, as far as they can be made out, and what is wrong with the file if something is.
#[derive(Debug)]
pub struct Contents {
    /// In their order; never more than the manifest says.
    pub records: Vec<StoredRecord>,
    /// What is wrong, for people.
    pub damage: Option<String>,
}

/// Reads a segment. Records of a damaged one are given as far as they can be made out, so that the damage can be found in
/// one of them.
///
/// # Errors
/// [`Error::File`] if the file is there and cannot be read.
pub(super) fn read(
    directory: &Path,
    manifest: &Manifest,
    partition: PartitionId,
    segment: &Segment,
) -> Result<Contents, Error> {
    let path = path_of(directory, segment);
    let mut bytes = Vec::new();
    match File::open(&path) {
        Ok(file) => {
            let size = usize::try_from(segment.bytes.min(FILE_BYTES_MAX)).unwrap_or_default();
            bytes.reserve_exact(size);
            file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(Error::file("reading", &path))?;
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let damage = Some(format!("{} is missing", path.display()));
            return Ok(Contents { records: Vec::new(), damage });
        }
        Err(error) => return Err(Error::file("opening", &path)(error)),
    }
    let mut contents = segment.contents(bytes.into(), manifest.ledger_id, partition);
    contents.damage = contents.damage.map(|damage| format!("{}: {damage}", path.display()));
    Ok(contents)
}

impl Segment {
    /// What these bytes of its file hold. None of them are believed: hash, header, lengths and number of records are
    /// compared with what the manifest says.
    #[must_use]
    pub fn contents(&self, bytes: Bytes, ledger_id: LedgerId, partition: PartitionId) -> Contents {
        let found = Hash::of(&[&bytes]);
        let sealed = if found == self.sha256 {
            None
        } else {
            Some(format!("the SHA-256 of the file is {found}, the manifest says {}", self.sha256))
        };
        let header = Header { ledger_id, partition, first_offset: self.first_offset };
        let mut rest = bytes;
        if !rest.starts_with(&header.bytes()) {
            let damage = sealed.unwrap_or_else(|| "the header is not that of this segment".to_owned());
            return Contents { records: Vec::new(), damage: Some(damage) };
        }
        rest.advance(HEADER_BYTES);
        let mut records = Vec::new();
        let mut torn = None;
        while !rest.is_empty() && torn.is_none() {
            let count = records.len() as u64;
            // A manifest that was checked has no offset beyond counting.
            let offset = self.first_offset.saturating_add(count);
            if count == self.records {
                torn = Some(format!("the file has more records than the {} of the manifest", self.records));
            } else if let Some(value) = take(&mut rest) {
                records.push(StoredRecord { offset, key: Bytes::new(), value, appended_at_ms: 0 });
            } else {
                torn = Some(format!(
                    "the file ends inside the record at offset {offset}, or its length was changed"
                ));
            }
        }
        let count = records.len() as u64;
        if torn.is_none() && count != self.records {
            torn = Some(format!("the file has {count} records, the manifest says {}", self.records));
        }
        Contents { records, damage: sealed.or(torn) }
    }
}

fn take(rest: &mut Bytes) -> Option<Bytes> {
    let length = usize::try_from(rest.try_get_u32_le().ok()?).ok()?;
    (length <= RECORD_BYTES_MAX && length <= rest.len()).then(|| rest.split_to(length))
}

#[cfg(test)]
mod tests {
    use super::{Bytes, Hash, Header, LedgerId, PartitionId, Segment};

    /// A segment of some records of one byte each, and its file.
    fn sealed(records: u8) -> (Segment, Vec<u8>) {
        let (ledger_id, partition, first_offset) = (LedgerId([7; 16]), PartitionId(1), 5);
        let mut file = Header { ledger_id, partition, first_offset }.bytes().to_vec();
        for record in 0..records {
            file.extend([1, 0, 0, 0, record]);
        }
        let segment = Segment {
            file: Segment::file_of(partition, first_offset),
            first_offset,
            records: u64::from(records),
            bytes: file.len() as u64,
            first_seq: None,
            last_seq: 0,
            hash: Hash([0; 32]),
            sha256: Hash::of(&[&file]),
        };
        (segment, file)
    }

    #[test]
    fn no_more_records_are_given_than_the_manifest_says_however_the_file_ends() {
        let (segment, file) = sealed(3);
        let torn = &file[..file.len() - 1];
        for bytes in [&file[..], torn] {
            let short = Segment { records: 1, sha256: Hash::of(&[bytes]), ..segment.clone() };
            let contents = short.contents(Bytes::copy_from_slice(bytes), LedgerId([7; 16]), PartitionId(1));
            assert_eq!(contents.records.iter().map(|record| record.offset).collect::<Vec<_>>(), [5]);
            assert!(contents.damage.is_some_and(|damage| damage.contains("more records than the 1")));
        }
        let contents = segment.contents(file.into(), LedgerId([7; 16]), PartitionId(1));
        assert_eq!((contents.records.len(), contents.damage), (3, None));
    }
}
