//! The embedded log: one SQLite file, one table per partition.
//!
//! ```text
//! producers --batches--> writing task --one transaction--> file --commit--> acknowledgements
//!                                                             ^                   |
//! readers ---------------------- read-only connections -------+   <---wakes up----+
//! ```
//!
//! An acknowledged record survives a power failure: the file is in WAL mode with `synchronous=FULL`. Any number of
//! processes may read while one writes. That only one writes is for the owner of the directory to ensure; a second
//! one cannot damage the log, but each makes appends of the other fail. Once the log and all its producers and readers
//! are dropped, the file is closed; [`Log::close`] also waits for it.

mod file;
mod reader;
mod rows;
#[cfg(test)]
mod tests;
mod writer;

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot, watch};

use self::file::{File, Settings, unavailable};
use self::reader::{Source, SqliteReader};
use self::writer::{Batch, Message, Tables, Writer};
use crate::{Acknowledgement, Bounds, Entry, Error, Log, Producer, Reader, StoredRecord};

/// A log in one SQLite file.
#[derive(Debug)]
pub struct SqliteLog {
    ends: Arc<Ends>,
    source: Arc<Source>,
    /// To the writing task; absent if the log is open for reading only.
    messages: Option<mpsc::Sender<Message>>,
}

impl SqliteLog {
    /// Makes a new log without records and opens it for writing.
    ///
    /// # Errors
    /// [`Error::Mismatch`] if the file exists or if there cannot be so many partitions, [`Error::Unavailable`] if the
    /// file cannot be made.
    pub async fn create(path: &Path, partitions: u16) -> Result<Self, Error> {
        File::at(path, Settings::default())?.create(partitions).await?;
        Self::open(path).await
    }

    /// Opens a log for reading and writing. Must be called in a tokio runtime, on which the log then writes.
    ///
    /// # Errors
    /// [`Error::Mismatch`] if the file is not a log or one of a newer program; it is then not touched.
    /// [`Error::Unavailable`] if it does not exist or cannot be opened.
    pub async fn open(path: &Path) -> Result<Self, Error> {
        Self::open_with(path, Settings::default()).await
    }

    /// Opens a log for reading only, while another process may write to it.
    ///
    /// # Errors
    /// As [`SqliteLog::open`].
    pub async fn open_read_only(path: &Path) -> Result<Self, Error> {
        let file = File::at(path, Settings::default())?;
        let ends = Arc::new(Ends::new(vec![0; file.inspect().await?.into()]));
        let source = Arc::new(Source::new(&file, Arc::clone(&ends)));
        Ok(Self { ends, source, messages: None })
    }

    async fn open_with(path: &Path, settings: Settings) -> Result<Self, Error> {
        let file = File::at(path, settings)?;
        let partitions = file.inspect().await?;
        let tables = Tables::open(&file, partitions)
            .await
            .map_err(|error| unavailable("open the log file for writing", error))?;
        let ends = Arc::new(Ends::new(tables.ends().to_vec()));
        let source = Arc::new(Source::new(&file, Arc::clone(&ends)));
        let (messages, queue) = mpsc::channel(file.settings.queued_batches_max);
        tokio::spawn(Writer::new(file, tables, Arc::clone(&ends), queue).run());
        Ok(Self { ends, source, messages: Some(messages) })
    }

    fn check(&self, partition: u16) -> Result<(), Error> {
        let partitions = self.partitions();
        if partition < partitions { Ok(()) } else { Err(Error::NoSuchPartition { partition, partitions }) }
    }
}

#[async_trait]
impl Log for SqliteLog {
    fn partitions(&self) -> u16 {
        self.ends.partitions()
    }

    fn producer(&self, partition: u16) -> Result<Box<dyn Producer>, Error> {
        self.check(partition)?;
        let messages = self.messages.clone().ok_or(Error::ReadOnly)?;
        Ok(Box::new(SqliteProducer { partition, messages }))
    }

    async fn reader(&self, partition: u16, from: u64) -> Result<Box<dyn Reader>, Error> {
        self.check(partition)?;
        Ok(Box::new(SqliteReader::new(Arc::clone(&self.source), partition, from)))
    }

    async fn bounds(&self, partition: u16) -> Result<Bounds, Error> {
        self.check(partition)?;
        self.source.bounds(partition).await
    }

    async fn fetch(&self, partition: u16, offset: u64) -> Result<Option<StoredRecord>, Error> {
        self.check(partition)?;
        Ok(self.source.read(partition, offset, 1).await?.pop())
    }

    /// Also moves everything into the one file.
    async fn close(&self) {
        // The readers go first: as long as one is open, the write-ahead log cannot be emptied.
        self.source.close().await;
        let Some(messages) = &self.messages else { return };
        let (closing, closed) = oneshot::channel();
        if messages.send(Message::Close(closing)).await.is_ok() {
            // The task answers last of all; if it is gone instead, the file is closed as well.
            let _ = closed.await;
        }
    }
}

/// Hands batches to the writing task.
struct SqliteProducer {
    partition: u16,
    messages: mpsc::Sender<Message>,
}

impl Producer for SqliteProducer {
    fn append(&mut self, batch: Vec<Entry>) -> Acknowledgement {
        let (acknowledge, acknowledgement) = oneshot::channel();
        let batch = Batch { partition: self.partition, entries: batch, acknowledge };
        match self.messages.try_send(Message::Append(batch)) {
            Err(TrySendError::Full(Message::Append(batch))) => batch.refuse("too many batches are waiting"),
            Err(TrySendError::Closed(Message::Append(batch))) => batch.refuse("the log was closed"),
            _ => {}
        }
        acknowledgement
    }
}

/// The offset behind the last record of every partition, as far as this process has written; those who wait for more
/// are woken by it. It says when to look, never what is there: another process may have written more.
#[derive(Debug)]
struct Ends(Vec<watch::Sender<u64>>);

impl Ends {
    fn new(ends: Vec<u64>) -> Self {
        Self(ends.into_iter().map(watch::Sender::new).collect())
    }

    fn partitions(&self) -> u16 {
        u16::try_from(self.0.len()).unwrap_or(u16::MAX)
    }

    fn publish(&self, partition: u16, end: u64) {
        self.0[usize::from(partition)].send_replace(end);
    }

    fn subscribe(&self, partition: u16) -> watch::Receiver<u64> {
        self.0[usize::from(partition)].subscribe()
    }
}
