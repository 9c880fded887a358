//! The log port: an append-only sequence of opaque bytes per partition, and its adapters.
//!
//! This crate knows nothing of what the bytes mean: which records count is decided above it by one pure rule
//! (`stockledger-chain`), the same on every adapter. What an adapter promises is written on the traits below and
//! proved by one conformance suite, the module `conformance` behind the feature of that name, that every adapter passes.
//! The adapters: [`MemoryLog`] for tests and simulation, [`SqliteLog`] for a ledger in one file, [`KafkaLog`] for a ledger
//! in a topic.
//!
//! ```text
//! partition 3   | genesis | claim | decision | decision | ...
//! offset        0         1       2          3          4 = end (the next record's offset)
//! ```

mod causes;
#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
mod findings;
pub mod kafka;
pub mod memory;
mod secret;
pub mod sqlite;

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::oneshot;
use tokio::time::Instant;

pub use causes::Causes;
pub use findings::{Danger, Finding, Findings};
pub use kafka::KafkaLog;
pub use memory::MemoryLog;
pub use secret::Secret;
pub use sqlite::SqliteLog;

/// What is appended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The record key: the site, for people who look at the topic. Never read back.
    pub key: Bytes,
    /// The record.
    pub value: Bytes,
    /// What is said about the record beside its bytes, for people who look at the topic. It is kept where the log has a
    /// place for it, as Kafka has, and is never read back.
    pub headers: Headers,
}

/// Names with their values.
pub type Headers = Vec<(&'static str, String)>;

impl Entry {
    /// An entry without headers.
    #[must_use]
    pub fn new(key: impl Into<Bytes>, value: impl Into<Bytes>) -> Self {
        Self { key: key.into(), value: value.into(), headers: Headers::new() }
    }
}

/// A record as the log has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredRecord {
    /// Its place; dense from 0 in a partition.
    pub offset: u64,
    /// As in [`Entry::key`].
    pub key: Bytes,
    /// As in [`Entry::value`].
    pub value: Bytes,
    /// When the log took it, by the log's own clock, in milliseconds since 1970.
    pub appended_at_ms: i64,
}

/// What became of one appended record.
#[derive(Debug)]
pub enum Delivery {
    /// It is durable, as durable as the log is. The offset is absent where the log cannot tell it.
    Appended {
        /// Where it stands.
        offset: Option<u64>,
    },
    /// It may or may not be in the log, now or later. Whoever needs to know reads the log.
    Unknown(Error),
}

/// The coming outcome of one [`Producer::append`]: one [`Delivery`] per entry, in the order of the entries.
///
/// A channel that closes without a value means unknown, as [`Delivery::Unknown`] does.
pub type Acknowledgement = oneshot::Receiver<Vec<Delivery>>;

/// How much of a partition the log holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// The first offset that can still be read; 0 unless something was deleted.
    pub begin: u64,
    /// The offset that the next record gets. Everything below it can be read.
    pub end: u64,
}

/// An append-only log with a fixed number of partitions.
#[async_trait]
pub trait Log: Send + Sync + 'static {
    /// How many partitions there are, numbered from 0.
    fn partitions(&self) -> u16;

    /// A new producer for one partition. It is independent of earlier ones: what those still have in flight may land
    /// before, between or after what this one appends.
    ///
    /// # Errors
    /// [`Error::NoSuchPartition`], [`Error::ReadOnly`], [`Error::Unavailable`].
    fn producer(&self, partition: u16) -> Result<Box<dyn Producer>, Error>;

    /// A reader that begins with the record at `from`.
    ///
    /// # Errors
    /// [`Error::NoSuchPartition`], [`Error::Unavailable`].
    async fn reader(&self, partition: u16, from: u64) -> Result<Box<dyn Reader>, Error>;

    /// How much of the partition there is now.
    ///
    /// # Errors
    /// [`Error::NoSuchPartition`], [`Error::Unavailable`].
    async fn bounds(&self, partition: u16) -> Result<Bounds, Error>;

    /// The one record at `offset`, or nothing if the log has not come so far.
    ///
    /// # Errors
    /// [`Error::NoSuchPartition`], [`Error::Unavailable`], [`Error::Truncated`].
    async fn fetch(&self, partition: u16, offset: u64) -> Result<Option<StoredRecord>, Error>;

    /// Gives back the files, threads and connections that the log holds; what was handed over is written first, as far as
    /// the log can be reached. The log is of no use afterwards. A further call returns at once.
    async fn close(&self);
}

/// Appends to one partition.
pub trait Producer: Send {
    /// Hands a batch over and returns at once; what becomes of it comes with the [`Acknowledgement`].
    ///
    /// Batches of one producer are appended in the order of these calls and the entries of a batch in their order, each
    /// at most once; records of other producers may stand between them. A record is acknowledged only when it is
    /// durable. After an unknown outcome later batches may or may not be appended.
    fn append(&mut self, batch: Vec<Entry>) -> Acknowledgement;
}

/// Reads one partition in order.
#[async_trait]
pub trait Reader: Send {
    /// The next records, at least one and at most `max`, or none if none came within `patience`. An adapter may give
    /// fewer than there are, to bound what it holds in memory.
    ///
    /// No record is skipped and none is given twice; a call that was dropped before it answered took nothing. Where the
    /// log ends is for [`Log::bounds`] to say: with no patience, nothing may come although there is more.
    ///
    /// # Errors
    /// [`Error::Truncated`] if the log no longer holds the next record, [`Error::Unavailable`].
    async fn next(&mut self, max: usize, patience: Duration) -> Result<Vec<StoredRecord>, Error>;
}

/// Why the log did not do what it was asked to.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The partition does not exist.
    #[error("partition {partition} does not exist: the log has {partitions}")]
    NoSuchPartition {
        /// Which was asked for.
        partition: u16,
        /// How many there are.
        partitions: u16,
    },
    /// The log was opened for reading only.
    #[error("the log is open for reading only")]
    ReadOnly,
    /// The log cannot be reached or does not work at the moment; trying again may help.
    #[error("the log is not available: {operation}")]
    Unavailable {
        /// What was tried.
        operation: &'static str,
        /// What went wrong.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The log no longer holds what it must hold.
    #[error("the log begins at offset {begin} but offset {wanted} was to be read: history was deleted")]
    Truncated {
        /// The first offset that is left.
        begin: u64,
        /// The offset that was asked for.
        wanted: u64,
    },
    /// There is no log at this address; it has to be made first.
    #[error("there is no log at {0}")]
    NoSuchLog(String),
    /// The log may lose or change what was written to it, so a ledger must not rest on it.
    #[error("{0}")]
    Unsafe(Findings),
    /// The log is of a format that this program does not know.
    #[error("{0}")]
    OtherFormat(String),
    /// The log is there but is not one that this program can use.
    #[error("{0}")]
    Mismatch(String),
}

/// When `patience` is over; a patience beyond all clocks ends in thirty years.
fn deadline(patience: Duration) -> Instant {
    const FAR: Duration = Duration::from_secs(30 * 365 * 24 * 3_600);
    let now = Instant::now();
    now.checked_add(patience).unwrap_or(now + FAR)
}
