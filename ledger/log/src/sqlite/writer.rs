//! The writing task: it alone owns the write connection and gives out offsets.
//!
//! It takes what all producers of all partitions have handed over meanwhile, writes it in one transaction, and answers:
//! group commit. Nobody is answered before the commit. After any error nothing is assumed: the connection is given up,
//! the batches are answered as unknown, and the next ones get a new connection, which reads from the tables how far
//! they go.

use std::collections::BTreeMap;
use std::sync::Arc;

use sqlx::{ConnectOptions, Connection, SqliteConnection};
use tokio::sync::{mpsc, oneshot};

use super::Ends;
use super::file::{File, unavailable};
use super::rows::{self, InsertTexts};
use crate::{Delivery, Entry};

/// Records of one transaction, unless a single batch has more.
const COMMIT_RECORDS_MAX: usize = 8_192;
/// Bytes of one transaction, up to one batch more.
const COMMIT_BYTES_MAX: usize = 8 << 20;

/// What the writing task is told.
#[derive(Debug)]
pub(super) enum Message {
    /// Append this.
    Append(Batch),
    /// Finish what is waiting, take nothing new, and close the file; then answer.
    Close(oneshot::Sender<()>),
}

/// Records of one producer that are to be appended.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) partition: u16,
    pub(super) entries: Vec<Entry>,
    pub(super) acknowledge: oneshot::Sender<Vec<Delivery>>,
}

/// What is left of a batch while its records are being written.
struct Receipt {
    partition: u16,
    count: usize,
    acknowledge: oneshot::Sender<Vec<Delivery>>,
}

/// The write connection, and how far each table goes.
pub(super) struct Tables {
    connection: SqliteConnection,
    texts: InsertTexts,
    ends: Vec<u64>,
}

impl Tables {
    /// Opens the file for writing, and finds the end of every partition.
    pub(super) async fn open(file: &File, partitions: u16) -> Result<Self, sqlx::Error> {
        let mut connection = file.writing(partitions).connect().await?;
        let mut ends = Vec::with_capacity(partitions.into());
        for partition in 0..partitions {
            ends.push(rows::bounds(&mut connection, partition).await?.end);
        }
        Ok(Self { connection, texts: InsertTexts::default(), ends })
    }

    /// The offset that the next record of each partition gets.
    pub(super) fn ends(&self) -> &[u64] {
        &self.ends
    }

    /// Appends all of `entries` durably, or fails; says the first offset in each partition. After a failure the tables
    /// are in an unknown state and must not be used again.
    async fn append(
        &mut self,
        entries: BTreeMap<u16, Vec<Entry>>,
    ) -> Result<BTreeMap<u16, u64>, sqlx::Error> {
        let mut firsts = BTreeMap::new();
        let mut placed = BTreeMap::new();
        for (partition, entries) in entries {
            let end = &mut self.ends[usize::from(partition)];
            firsts.insert(partition, *end);
            let first = std::mem::replace(end, *end + entries.len() as u64);
            placed.insert(partition, (first, entries));
        }
        rows::append(&mut self.connection, &mut self.texts, placed).await?;
        Ok(firsts)
    }

    /// Moves the write-ahead log into the file and closes it. Readers of other processes may prevent the former, which
    /// does no harm: whoever opens the file next finds everything.
    async fn close(mut self) -> Result<(), sqlx::Error> {
        sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&mut self.connection).await?;
        self.connection.close().await
    }
}

/// The task's state.
pub(super) struct Writer {
    file: File,
    /// Absent after an error, until they are needed again.
    tables: Option<Tables>,
    published: Arc<Ends>,
    messages: mpsc::Receiver<Message>,
    /// Who is to be told that the file is closed.
    closing: Vec<oneshot::Sender<()>>,
}

impl Writer {
    pub(super) fn new(
        file: File,
        tables: Tables,
        published: Arc<Ends>,
        messages: mpsc::Receiver<Message>,
    ) -> Self {
        Self { file, tables: Some(tables), published, messages, closing: Vec::new() }
    }

    /// Writes until all producers and the log are gone, or until it is told to close.
    pub(super) async fn run(mut self) {
        while let Some(batches) = self.drain().await {
            self.commit(batches).await;
        }
        if let Some(tables) = self.tables.take()
            && let Err(error) = tables.close().await
        {
            tracing::warn!(%error, "log file closed without moving its write-ahead log into it");
        }
        for closing in self.closing {
            // Whoever waited may have gone; the file is closed all the same.
            let _ = closing.send(());
        }
    }

    /// Waits for a batch and takes with it those that are waiting behind it. Nothing, once there will be no more.
    async fn drain(&mut self) -> Option<Vec<Batch>> {
        let mut batches = Vec::new();
        let mut records = 0;
        let mut bytes = 0;
        let mut message = Some(self.messages.recv().await?);
        while let Some(taken) = message {
            match taken {
                Message::Append(batch) => {
                    records += batch.entries.len();
                    bytes += size(&batch.entries);
                    batches.push(batch);
                }
                Message::Close(closing) => {
                    self.messages.close();
                    self.closing.push(closing);
                }
            }
            let full = records >= COMMIT_RECORDS_MAX || bytes >= COMMIT_BYTES_MAX;
            message = if full { None } else { self.messages.try_recv().ok() };
        }
        Some(batches)
    }

    /// Writes the batches in one transaction and answers each.
    async fn commit(&mut self, batches: Vec<Batch>) {
        let mut receipts = Vec::with_capacity(batches.len());
        let mut entries: BTreeMap<u16, Vec<Entry>> = BTreeMap::new();
        for mut batch in batches {
            receipts.push(Receipt {
                partition: batch.partition,
                count: batch.entries.len(),
                acknowledge: batch.acknowledge,
            });
            entries.entry(batch.partition).or_default().append(&mut batch.entries);
        }
        if receipts.is_empty() {
            return;
        }
        match self.store(entries).await {
            Ok(firsts) => self.acknowledge(receipts, firsts),
            Err(error) => {
                tracing::warn!(%error, batches = receipts.len(), "log commit failed; outcome unknown");
                give_up(receipts, &Arc::new(error));
            }
        }
    }

    async fn store(&mut self, entries: BTreeMap<u16, Vec<Entry>>) -> Result<BTreeMap<u16, u64>, sqlx::Error> {
        let mut tables = match self.tables.take() {
            Some(tables) => tables,
            None => Tables::open(&self.file, self.published.partitions()).await?,
        };
        let firsts = tables.append(entries).await?;
        self.tables = Some(tables);
        Ok(firsts)
    }

    /// Answers in the order of the batches, which is the order of their offsets, and wakes the readers.
    fn acknowledge(&self, receipts: Vec<Receipt>, mut ends: BTreeMap<u16, u64>) {
        for receipt in receipts {
            let Some(end) = ends.get_mut(&receipt.partition) else { continue };
            let first = *end;
            *end += receipt.count as u64;
            let deliveries =
                (first..*end).map(|offset| Delivery::Appended { offset: Some(offset) }).collect();
            // A producer that no longer listens does not change what was written.
            let _ = receipt.acknowledge.send(deliveries);
        }
        for (partition, end) in ends {
            self.published.publish(partition, end);
        }
    }
}

fn size(entries: &[Entry]) -> usize {
    entries.iter().map(|entry| entry.key.len() + entry.value.len()).sum()
}

fn give_up(receipts: Vec<Receipt>, error: &Arc<sqlx::Error>) {
    for receipt in receipts {
        let unknown = || Delivery::Unknown(unavailable("append", Arc::clone(error)));
        let _ = receipt.acknowledge.send(std::iter::repeat_with(unknown).take(receipt.count).collect());
    }
}

impl Batch {
    /// Answers that nobody will know what becomes of these records.
    pub(super) fn refuse(self, reason: &'static str) {
        let unknown = || Delivery::Unknown(unavailable("append", reason));
        let _ = self.acknowledge.send(std::iter::repeat_with(unknown).take(self.entries.len()).collect());
    }
}
