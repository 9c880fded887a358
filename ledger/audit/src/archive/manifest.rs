//! The manifest: what an archive holds, and what the chain was behind each segment.
//!
//! It is replaced as a whole after each sealed segment, so it never names a file that is not complete. Kept apart from the
//! archive and the log, it vouches for both.

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use stockledger_schemas::limits::PARTITIONS_MAX;
use stockledger_schemas::{Hash, LedgerId, PartitionId};

use super::error::Error;
use crate::head::Head;
use crate::verify::Remembered;

/// The format that this program writes, and the only one that it reads.
pub const FORMAT: u32 = 1;
/// The name of the manifest in its directory.
pub const MANIFEST: &str = "manifest.json";
/// What it is called while it is written.
pub(super) const MANIFEST_NEW: &str = "manifest.json.new";
/// Largest manifest that is read: that of an archive of some hundred terabytes.
const MANIFEST_BYTES_MAX: u64 = 1 << 30;

/// What an archive holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// [`FORMAT`].
    pub format: u32,
    /// Which ledger.
    pub ledger_id: LedgerId,
    /// How many partitions the ledger has; not all of them need be here.
    pub partitions: u16,
    /// What there is of each partition, by number.
    pub contents: Vec<Content>,
}

/// What an archive holds of one partition: everything from offset 0 on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Content {
    /// Which partition.
    pub partition: PartitionId,
    /// The hash of its genesis record.
    pub genesis: Hash,
    /// Where the partition stood behind the last record.
    pub head: Head,
    /// The files, in order.
    pub segments: Vec<Segment>,
}

/// One sealed file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Segment {
    /// Where it is, seen from the manifest.
    pub file: String,
    /// The offset of its first record.
    pub first_offset: u64,
    /// How many records it has.
    pub records: u64,
    /// How many bytes the file has.
    pub bytes: u64,
    /// The first decision in it that counts, if there is one.
    pub first_seq: Option<u64>,
    /// The last decision that counts, in it or before it.
    pub last_seq: u64,
    /// The chain behind its last record.
    pub hash: Hash,
    /// SHA-256 of the file.
    pub sha256: Hash,
}

impl Segment {
    /// The offset behind its last record.
    #[must_use]
    pub const fn next_offset(&self) -> u64 {
        self.first_offset.saturating_add(self.records)
    }

    /// What the file of a segment is called, seen from the manifest.
    #[must_use]
    pub fn file_of(partition: PartitionId, first_offset: u64) -> String {
        format!("{}/segment-{first_offset:020}.slseg", Self::directory_of(partition))
    }

    pub(super) fn directory_of(partition: PartitionId) -> String {
        format!("partition-{:04}", partition.0)
    }
}

impl Manifest {
    pub(super) const fn new(ledger_id: LedgerId, partitions: u16) -> Self {
        Self { format: FORMAT, ledger_id, partitions, contents: Vec::new() }
    }

    /// Reads a manifest, from its file or from the directory that it is in.
    ///
    /// # Errors
    /// [`Error::NoArchive`], [`Error::File`], [`Error::NewerFormat`], [`Error::Manifest`].
    pub fn load(path: &Path) -> Result<Self, Error> {
        let path = if path.is_dir() { path.join(MANIFEST) } else { path.to_path_buf() };
        let file = File::open(&path).map_err(|error| match error.kind() {
            ErrorKind::NotFound => Error::NoArchive(path.parent().unwrap_or(&path).to_path_buf()),
            _ => Error::file("opening", &path)(error),
        })?;
        let mut text = String::new();
        file.take(MANIFEST_BYTES_MAX).read_to_string(&mut text).map_err(Error::file("reading", &path))?;
        Self::parse(&text, &path)
    }

    /// Reads a manifest from its text; `path` is where it came from, for people.
    ///
    /// # Errors
    /// [`Error::NewerFormat`], [`Error::Manifest`].
    pub fn parse(text: &str, path: &Path) -> Result<Self, Error> {
        /// What is common to all formats.
        #[derive(Deserialize)]
        struct Any {
            format: u32,
        }
        let unusable = |what: String| Error::Manifest { path: path.to_path_buf(), what };
        let any: Any = serde_json::from_str(text).map_err(|error| unusable(error.to_string()))?;
        if any.format != FORMAT {
            return Err(Error::NewerFormat { path: path.to_path_buf(), found: any.format, expected: FORMAT });
        }
        let manifest: Self = serde_json::from_str(text).map_err(|error| unusable(error.to_string()))?;
        manifest.check().map_err(unusable)?;
        Ok(manifest)
    }

    /// That it does not contradict itself. File names are those that an export gives, so that no manifest can name a file
    /// outside of its directory.
    fn check(&self) -> Result<(), String> {
        if !(1..=PARTITIONS_MAX).contains(&self.partitions) {
            return Err(format!(
                "a ledger has from 1 to {PARTITIONS_MAX} partitions, not {}",
                self.partitions
            ));
        }
        let mut free = 0;
        for content in &self.contents {
            let partition = content.partition;
            if partition.0 < free || partition.0 >= self.partitions {
                return Err(format!("partition {partition} stands at a wrong place"));
            }
            free = partition.0 + 1;
            content.check().map_err(|what| format!("partition {partition}: {what}"))?;
        }
        Ok(())
    }

    /// Writes it into its directory, in place of the one before, in one step.
    pub(super) fn save(&self, directory: &Path) -> Result<(), Error> {
        let (path, new) = (directory.join(MANIFEST), directory.join(MANIFEST_NEW));
        let mut file = File::create(&new).map_err(Error::file("making", &new))?;
        let mut text = serde_json::to_vec_pretty(self)
            .map_err(|error| Error::Manifest { path: path.clone(), what: error.to_string() })?;
        text.push(b'\n');
        file.write_all(&text).and_then(|()| file.sync_all()).map_err(Error::file("writing", &new))?;
        std::fs::rename(&new, &path).map_err(Error::file("replacing", &path))?;
        sync_directory(directory)
    }

    /// What there is of a partition.
    #[must_use]
    pub fn content(&self, partition: PartitionId) -> Option<&Content> {
        self.contents.iter().find(|content| content.partition == partition)
    }

    /// Adds a sealed segment, behind which the partition stands at `head`.
    pub(super) fn add(&mut self, partition: PartitionId, genesis: Hash, segment: Segment, head: Head) {
        let place = self.contents.partition_point(|content| content.partition < partition);
        match self.contents.get_mut(place) {
            Some(content) if content.partition == partition => {
                content.segments.push(segment);
                content.head = head;
            }
            _ => self.contents.insert(place, Content { partition, genesis, head, segments: vec![segment] }),
        }
    }

    /// Every head that it remembers, to hold against a log. `path` is where it was read, for people.
    #[must_use]
    pub fn remembered(&self, path: &Path) -> Vec<Remembered> {
        let witness = format!("the manifest {}", path.display());
        let of_segment = |content: &Content, segment: &Segment| Remembered {
            witness: witness.clone(),
            partition: content.partition,
            seq: segment.last_seq,
            hash: segment.hash,
            next_offset: Some(segment.next_offset()),
        };
        let contents = self.contents.iter();
        contents
            .flat_map(|content| content.segments.iter().map(move |segment| (content, segment)))
            .map(|(content, segment)| of_segment(content, segment))
            .collect()
    }
}

impl Content {
    fn check(&self) -> Result<(), String> {
        let mut next = 0;
        for segment in &self.segments {
            let file = Segment::file_of(self.partition, segment.first_offset);
            if segment.file != file {
                return Err(format!("the segment {:?} must be called {file}", segment.file));
            }
            if segment.first_offset != next || segment.records == 0 {
                return Err(format!("the segment {file} does not begin at offset {next}, or is empty"));
            }
            next = next
                .checked_add(segment.records)
                .ok_or_else(|| format!("the segment {file} has more records than can be counted"))?;
        }
        let last = self.segments.last().ok_or("it has no segments")?;
        let Head { seq, hash, next_offset, .. } = self.head;
        if (last.last_seq, last.hash, last.next_offset()) != (seq, hash, next_offset) {
            return Err("the head is not the one behind the last segment".to_owned());
        }
        Ok(())
    }
}

/// Makes durable what was made, renamed or removed in a directory.
pub(super) fn sync_directory(directory: &Path) -> Result<(), Error> {
    let opened = File::open(directory).map_err(Error::file("opening", directory))?;
    opened.sync_all().map_err(Error::file("syncing", directory))
}

/// Where a segment is.
pub(super) fn path_of(directory: &Path, segment: &Segment) -> PathBuf {
    directory.join(&segment.file)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use stockledger_schemas::{Hash, LedgerId, PartitionId};

    use super::{Error, Manifest, Segment};
    use crate::head::Head;

    fn manifest() -> Manifest {
        let mut manifest = Manifest::new(LedgerId([7; 16]), 2);
        let hash = Hash::of(&[b"chain"]);
        let head =
            Head { seq: 3, hash, next_offset: 5, term: 1, before: hash, last_valid_offset: 4, reach: 1 };
        let segment = Segment {
            file: Segment::file_of(PartitionId(1), 0),
            first_offset: 0,
            records: 5,
            bytes: 400,
            first_seq: Some(1),
            last_seq: 3,
            hash,
            sha256: Hash::of(&[b"file"]),
        };
        manifest.add(PartitionId(1), hash, segment, head);
        manifest
    }

    fn parsed(text: &str) -> Result<Manifest, Error> {
        Manifest::parse(text, Path::new("manifest.json"))
    }

    #[test]
    fn a_manifest_is_read_as_it_was_written() {
        let text = serde_json::to_string(&manifest()).unwrap();
        assert_eq!(parsed(&text).unwrap(), manifest());
        assert_eq!(manifest().remembered(Path::new("x"))[0].next_offset, Some(5));
    }

    #[test]
    fn a_manifest_that_contradicts_itself_is_refused() {
        let good = serde_json::to_string(&manifest()).unwrap();
        let cases = [
            ("\"partitions\":2", "\"partitions\":0", "from 1 to 1024"),
            ("\"partition\":1", "\"partition\":2", "wrong place"),
            ("partition-0001/", "../", "must be called"),
            ("\"records\":5", "\"records\":0", "is empty"),
            ("\"records\":5", "\"records\":6", "not the one behind"),
            ("\"last_seq\":3", "\"last_seq\":2", "not the one behind"),
            ("\"first_offset\":0", "\"first_offset\":1", "must be called"),
            ("\"format\":1", "\"format\":1,\"more\":1", "unknown field"),
            ("{", "[", "invalid"),
        ];
        for (from, to, part) in cases {
            let text = good.replacen(from, to, 1);
            assert_ne!(text, good);
            let error = parsed(&text).unwrap_err().to_string();
            assert!(error.contains(part), "{to}: {error}");
        }
        let newer = good.replacen("\"format\":1", "\"format\":2", 1);
        assert!(matches!(parsed(&newer), Err(Error::NewerFormat { found: 2, .. })));
    }

    #[test]
    fn offsets_that_cannot_be_counted_are_refused() {
        let mut manifest = manifest();
        let segments = &mut manifest.contents[0].segments;
        segments[0].records = u64::MAX;
        let mut second = segments[0].clone();
        (second.first_offset, second.records) = (u64::MAX, 1);
        second.file = Segment::file_of(PartitionId(1), u64::MAX);
        segments.push(second);
        manifest.contents[0].head.next_offset = u64::MAX;
        let error = parsed(&serde_json::to_string(&manifest).unwrap()).unwrap_err().to_string();
        assert!(error.contains("more records than can be counted"), "{error}");
    }
}
