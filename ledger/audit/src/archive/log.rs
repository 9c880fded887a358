//! An archive read as a log: whatever reads logs reads archives, without a server and without a database.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use stockledger_log::{Bounds, Error as LogError, Log, Producer, Reader, StoredRecord};
use stockledger_schemas::PartitionId;

use super::error::Error;
use super::manifest::Manifest;
use super::segment::{self, Contents};

/// An archive, open for reading. Records have the offsets that they had in the log; the key, which follows from the bytes,
/// and the time of appending are not kept.
///
/// A damaged segment ends the reading with [`stockledger_log::Error::Mismatch`], behind the records in it that can still
/// be made out.
#[derive(Debug, Clone)]
pub struct ArchiveLog {
    place: Arc<Place>,
}

#[derive(Debug)]
struct Place {
    directory: PathBuf,
    manifest: Manifest,
}

impl ArchiveLog {
    /// Opens the archive in a directory.
    ///
    /// # Errors
    /// As [`Manifest::load`].
    pub fn open(directory: &Path) -> Result<Self, Error> {
        if !directory.is_dir() {
            return Err(Error::NoArchive(directory.to_path_buf()));
        }
        let manifest = Manifest::load(directory)?;
        Ok(Self { place: Arc::new(Place { directory: directory.to_path_buf(), manifest }) })
    }

    /// What it holds.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.place.manifest
    }

    /// Where it is.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.place.directory
    }

    /// The partitions that it holds, by number.
    #[must_use]
    pub fn held(&self) -> Vec<PartitionId> {
        self.manifest().contents.iter().map(|content| content.partition).collect()
    }

    fn check(&self, partition: u16) -> Result<(), LogError> {
        let partitions = self.partitions();
        if partition < partitions { Ok(()) } else { Err(LogError::NoSuchPartition { partition, partitions }) }
    }
}

#[async_trait]
impl Log for ArchiveLog {
    fn partitions(&self) -> u16 {
        self.manifest().partitions
    }

    fn producer(&self, partition: u16) -> Result<Box<dyn Producer>, LogError> {
        self.check(partition)?;
        Err(LogError::ReadOnly)
    }

    async fn reader(&self, partition: u16, from: u64) -> Result<Box<dyn Reader>, LogError> {
        self.check(partition)?;
        let partition = PartitionId(partition);
        let next_segment = self
            .manifest()
            .content(partition)
            .map_or(0, |content| content.segments.partition_point(|segment| segment.next_offset() <= from));
        let place = Arc::clone(&self.place);
        Ok(Box::new(ArchiveReader {
            place,
            partition,
            from,
            next_segment,
            ready: VecDeque::new(),
            damage: None,
        }))
    }

    async fn bounds(&self, partition: u16) -> Result<Bounds, LogError> {
        self.check(partition)?;
        let content = self.manifest().content(PartitionId(partition));
        Ok(Bounds { begin: 0, end: content.map_or(0, |content| content.head.next_offset) })
    }

    async fn fetch(&self, partition: u16, offset: u64) -> Result<Option<StoredRecord>, LogError> {
        let mut reader = self.reader(partition, offset).await?;
        Ok(reader.next(1, Duration::ZERO).await?.pop())
    }

    /// It holds nothing between two reads.
    async fn close(&self) {}
}

struct ArchiveReader {
    place: Arc<Place>,
    partition: PartitionId,
    /// The first offset that is wanted.
    from: u64,
    next_segment: usize,
    ready: VecDeque<StoredRecord>,
    damage: Option<String>,
}

#[async_trait]
impl Reader for ArchiveReader {
    async fn next(&mut self, max: usize, _patience: Duration) -> Result<Vec<StoredRecord>, LogError> {
        while self.ready.is_empty() && max > 0 {
            if let Some(damage) = &self.damage {
                return Err(LogError::Mismatch(damage.clone()));
            }
            let (place, partition, index) = (Arc::clone(&self.place), self.partition, self.next_segment);
            let read = tokio::task::spawn_blocking(move || place.read(partition, index));
            let Contents { records, damage } = match read.await {
                Ok(Ok(Some(contents))) => contents,
                Ok(Ok(None)) => break,
                Ok(Err(error)) => return Err(unavailable(error)),
                Err(error) => return Err(unavailable(error)),
            };
            // Nothing is awaited from here on: a call that was dropped has not moved.
            self.ready = records.into();
            self.ready.drain(..self.ready.partition_point(|record| record.offset < self.from));
            self.damage = damage;
            self.next_segment += 1;
        }
        let count = self.ready.len().min(max);
        Ok(self.ready.drain(..count).collect())
    }
}

impl Place {
    /// The records of a segment; nothing behind the last.
    fn read(&self, partition: PartitionId, index: usize) -> Result<Option<Contents>, Error> {
        let segment = self.manifest.content(partition).and_then(|content| content.segments.get(index));
        segment.map(|segment| segment::read(&self.directory, &self.manifest, partition, segment)).transpose()
    }
}

fn unavailable(source: impl std::error::Error + Send + Sync + 'static) -> LogError {
    LogError::Unavailable { operation: "read a segment", source: Box::new(source) }
}
