//! Readers: each has a client and a thread of its own that reads ahead, so that a replay never waits and a record that
//! is appended is here at once.
//!
//! ```text
//! brokers --> client queue --> thread --chunks, a bounded number--> reader --> next
//! ```
//!
//! The thread ends by itself when the reader is dropped, also when no broker answers. The end of the log is never told
//! by silence: a reader to which nothing came asks the brokers where the log ends before it says so.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Message};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

use super::context::Context;
use super::fault::{Reading, explained, unavailable};
use super::lookup::{Lookups, assign, watermarks};
use super::spawn;
use crate::{Error, Reader, StoredRecord};

/// Records of one chunk.
const CHUNK_RECORDS_MAX: usize = 1_024;
/// Bytes of one chunk, up to one record more.
const CHUNK_BYTES_MAX: usize = 1 << 20;
/// Chunks that wait to be taken; one more is being filled and one is being given out.
const CHUNKS_MAX: usize = 2;
/// How long the thread waits for a record before it looks whether it is still wanted.
const LOOK_AROUND: Duration = Duration::from_millis(100);
/// How long the thread waits before it asks again for an offset that the log has not come to.
const SHORT_LOG_AGAIN: Duration = Duration::from_millis(500);
/// How long a record that is known to exist may take to come.
const STALLED_AFTER: Duration = Duration::from_secs(5);

type Chunk = Vec<StoredRecord>;

/// Reads one partition in order.
pub(super) struct KafkaReader {
    partition: u16,
    lookups: Arc<Lookups>,
    chunks: mpsc::Receiver<Result<Chunk, Error>>,
    ready: VecDeque<StoredRecord>,
    /// The offset behind the last record that was given.
    next: u64,
}

impl KafkaReader {
    /// A reader from `from` on.
    ///
    /// # Errors
    /// [`Error::Truncated`] if the log no longer holds that offset, [`Error::Unavailable`].
    pub(super) async fn start(
        config: ClientConfig,
        context: Context,
        topic: &str,
        partition: u16,
        from: u64,
        lookups: Arc<Lookups>,
    ) -> Result<Self, Error> {
        let bounds = lookups.bounds(partition).await?;
        if from < bounds.begin {
            return Err(Error::Truncated { begin: bounds.begin, wanted: from });
        }
        let (sender, chunks) = mpsc::channel(CHUNKS_MAX);
        let place = Place { topic: topic.to_owned(), partition, next: from };
        spawn("kafka-reader", move || read_ahead(&config, context, place, &sender))
            .map_err(|error| unavailable("start the thread of a reader", error))?;
        Ok(Self { partition, lookups, chunks, ready: VecDeque::new(), next: from })
    }

    /// Waits for the next chunk until `deadline`; whether one came. Cancel-safe.
    async fn wait(&mut self, deadline: Instant) -> Result<bool, Error> {
        match timeout_at(deadline, self.chunks.recv()).await {
            Ok(Some(chunk)) => {
                self.ready = chunk?.into();
                Ok(true)
            }
            Ok(None) => Err(unavailable("read", "the reader has ended: make a new one")),
            Err(_) => Ok(false),
        }
    }

    /// Nothing came: whether that is because there is nothing. Waits for what there is.
    async fn is_at_end(&mut self) -> Result<bool, Error> {
        let end = self.lookups.bounds(self.partition).await?.end;
        if end <= self.next {
            return Ok(true);
        }
        if self.wait(Instant::now() + STALLED_AFTER).await? {
            return Ok(false);
        }
        let (next, last) = (self.next, end - 1);
        Err(unavailable("read", format!("the records from offset {next} to {last} exist but do not come")))
    }

    fn give(&mut self, max: usize) -> Vec<StoredRecord> {
        let count = self.ready.len().min(max);
        let records: Vec<StoredRecord> = self.ready.drain(..count).collect();
        if let Some(last) = records.last() {
            self.next = last.offset + 1;
        }
        records
    }
}

#[async_trait]
impl Reader for KafkaReader {
    async fn next(&mut self, max: usize, patience: Duration) -> Result<Vec<StoredRecord>, Error> {
        if self.ready.is_empty()
            && max > 0
            && !self.wait(crate::deadline(patience)).await?
            // Who has no patience does not ask for the end.
            && !patience.is_zero()
        {
            self.is_at_end().await?;
        }
        Ok(self.give(max))
    }
}

/// Where a thread reads.
struct Place {
    topic: String,
    partition: u16,
    next: u64,
}

/// What the thread does: hands on records until the reader is gone or an error ends it.
fn read_ahead(
    config: &ClientConfig,
    context: Context,
    mut place: Place,
    chunks: &mpsc::Sender<Result<Chunk, Error>>,
) {
    let consumer: BaseConsumer<Context> = match config.create_with_context(context) {
        Ok(consumer) => consumer,
        Err(error) => {
            let _ = chunks.blocking_send(Err(unavailable("make a Kafka client that reads", error)));
            return;
        }
    };
    if let Err(error) = hand_on(&consumer, &mut place, chunks) {
        // A reader that is gone needs no error.
        let _ = chunks.blocking_send(Err(error));
    }
    // Let go before it is closed: a client that still reads takes longer.
    if let Err(error) = consumer.unassign() {
        tracing::debug!(%error, "a reading client did not let go of its partition");
    }
}

/// Hands on records until the reader is gone.
fn hand_on(
    consumer: &BaseConsumer<Context>,
    place: &mut Place,
    chunks: &mpsc::Sender<Result<Chunk, Error>>,
) -> Result<(), Error> {
    place.assign(consumer)?;
    while !chunks.is_closed() {
        let (chunk, error) = place.read_chunk(consumer);
        if !chunk.is_empty() && chunks.blocking_send(Ok(chunk)).is_err() {
            return Ok(());
        }
        let Some(error) = error else { continue };
        match Reading::of(&error) {
            Reading::Passing => {}
            Reading::OutOfRange => place.come_back_into_range(consumer)?,
            Reading::Lasting => return Err(unavailable("read", explained(&error))),
        }
    }
    Ok(())
}

impl Place {
    fn assign(&self, consumer: &BaseConsumer<Context>) -> Result<(), Error> {
        assign(consumer, &self.topic, self.partition, self.next).map_err(|error| unavailable("read", error))
    }

    /// What has come, up to a chunk; and the error that came behind it, if one did. Waits a while for the first record.
    fn read_chunk(&mut self, consumer: &BaseConsumer<Context>) -> (Chunk, Option<KafkaError>) {
        let mut chunk = Chunk::new();
        let mut bytes = 0;
        let mut event = consumer.poll(LOOK_AROUND);
        while let Some(polled) = event {
            match polled {
                Ok(message) => {
                    let record = to_record(&message);
                    // The client begins at the start of a batch, but gives no record of it that was not asked for; if it
                    // ever does, or gives one twice, nobody shall see it.
                    if record.offset >= self.next {
                        self.next = record.offset + 1;
                        bytes += record.key.len() + record.value.len();
                        chunk.push(record);
                    }
                }
                Err(error) => return (chunk, Some(error)),
            }
            if chunk.len() >= CHUNK_RECORDS_MAX || bytes >= CHUNK_BYTES_MAX {
                break;
            }
            event = consumer.poll(Duration::ZERO);
        }
        (chunk, None)
    }

    /// The broker does not have the next offset. If it was deleted, that is the end; a log that is shorter may be one
    /// that fails over: it is asked again, for as long as the reader is wanted, and its end is for the bounds to tell.
    fn come_back_into_range(&self, consumer: &BaseConsumer<Context>) -> Result<(), Error> {
        match watermarks(consumer, &self.topic, self.partition) {
            Ok(bounds) if self.next < bounds.begin => {
                return Err(Error::Truncated { begin: bounds.begin, wanted: self.next });
            }
            Ok(bounds) if bounds.end < self.next => {
                let (partition, next, end) = (self.partition, self.next, bounds.end);
                tracing::debug!(partition, next, end, "the log is shorter than what was read of it");
                // Nothing can come from the partition now; this only waits, and serves what the client tells.
                drop(consumer.poll(SHORT_LOG_AGAIN));
            }
            Ok(_) => {}
            Err(error) => tracing::debug!(%error, "a reader does not learn where the partition begins"),
        }
        self.assign(consumer)
    }
}

/// The record as the port gives it. Offsets of stored records are never negative.
pub(super) fn to_record(message: &BorrowedMessage<'_>) -> StoredRecord {
    StoredRecord {
        offset: u64::try_from(message.offset()).unwrap_or(u64::MAX),
        key: message.key().map(Bytes::copy_from_slice).unwrap_or_default(),
        value: message.payload().map(Bytes::copy_from_slice).unwrap_or_default(),
        appended_at_ms: message.timestamp().to_millis().unwrap_or_default(),
    }
}
