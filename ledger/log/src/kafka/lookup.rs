//! Questions about single places of the log: where a partition begins and ends, and what stands at an offset.
//!
//! They are answered by a few threads, each with a client that stays connected. A thread is started when all others are
//! busy. A question waits its turn (`questions.rs`); it is answered, at least with an error, within a bounded time.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message as _;
use rdkafka::{Offset, TopicPartitionList};
use tokio::sync::oneshot;

use super::context::{Context, Moderator};
use super::fault::{Reading, explained, has_moved, unavailable};
use super::questions::{Question, Questions, Subject};
use super::reader::to_record;
use super::settings::REQUEST_TIMEOUT;
use super::spawn;
use crate::{Bounds, Error, StoredRecord};

/// Questions that are answered at the same time. Of each partition two are, so while three have no leader, as many as one
/// broker of three leads of eight, there is room for the others.
const THREADS_MAX: usize = 8;
/// How long a question may wait for its turn.
const TURN_WITHIN: Duration = Duration::from_secs(5);
/// How long a thread without work waits before it looks after its client.
const IDLE: Duration = Duration::from_millis(500);
/// How long to wait before a partition whose leader moves is asked again.
const MOVED_AGAIN: Duration = Duration::from_millis(50);

/// Where questions are asked. When the last handle is dropped, the threads end by themselves.
#[derive(Debug)]
pub(super) struct Lookups(Arc<Desk>);

#[derive(Debug)]
struct Desk {
    config: ClientConfig,
    topic: String,
    moderator: Arc<Moderator>,
    /// How far each partition is known to go. It saves asking where the end is before a record below it is looked up.
    known_ends: Vec<AtomicU64>,
    queue: Mutex<Queue>,
    asked: Condvar,
}

#[derive(Debug)]
struct Queue {
    questions: Questions,
    threads: usize,
    /// Of these, the ones that wait for a question or have not begun yet.
    idle: usize,
    closed: bool,
}

impl Lookups {
    pub(super) fn new(
        config: ClientConfig,
        topic: &str,
        partitions: u16,
        moderator: &Arc<Moderator>,
    ) -> Self {
        Self(Arc::new(Desk {
            config,
            topic: topic.to_owned(),
            moderator: Arc::clone(moderator),
            known_ends: (0..partitions).map(|_| AtomicU64::new(0)).collect(),
            queue: Mutex::new(Queue {
                questions: Questions::new(partitions),
                threads: 0,
                idle: 0,
                closed: false,
            }),
            asked: Condvar::new(),
        }))
    }

    /// Where the partition begins and ends, as its leader says now.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub(super) async fn bounds(&self, partition: u16) -> Result<Bounds, Error> {
        let (answer, answered) = oneshot::channel();
        self.ask(partition, Subject::Bounds(answer))?;
        answered.await.unwrap_or_else(|_| Err(closed()))
    }

    /// The record at `offset`, or nothing if the log has not come so far.
    ///
    /// # Errors
    /// [`Error::Truncated`], [`Error::Unavailable`].
    pub(super) async fn record(&self, partition: u16, offset: u64) -> Result<Option<StoredRecord>, Error> {
        let (answer, answered) = oneshot::channel();
        self.ask(partition, Subject::Record(offset, answer))?;
        answered.await.unwrap_or_else(|_| Err(closed()))
    }

    /// Takes no more questions, and lets the threads end when they have answered what was asked.
    pub(super) fn close(&self) {
        self.0.queue().closed = true;
        self.0.asked.notify_all();
    }

    fn ask(&self, partition: u16, subject: Subject) -> Result<(), Error> {
        let mut queue = self.0.queue();
        if queue.closed {
            return Err(closed());
        }
        let question = Question { partition, asked: Instant::now(), subject };
        if queue.questions.push(question).is_err() {
            let reason = format!("too many questions about partition {partition} wait for the brokers");
            return Err(unavailable("look something up", reason));
        }
        if queue.idle < queue.questions.turns() && queue.threads < THREADS_MAX {
            queue.threads += 1;
            queue.idle += 1;
            let desk = Arc::clone(&self.0);
            if let Err(error) = spawn("kafka-lookup", move || Attendant::run(&desk)) {
                queue.threads -= 1;
                queue.idle -= 1;
                return Err(unavailable("start a thread that looks things up", error));
            }
        }
        self.0.asked.notify_one();
        Ok(())
    }
}

impl Drop for Lookups {
    fn drop(&mut self) {
        self.close();
    }
}

fn closed() -> Error {
    unavailable("look something up", "the log was closed")
}

impl Desk {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next question, or nothing if none came for a while; ends when there will be no more. Questions that wait for
    /// threads that ask about their partition now are for those threads.
    fn next(&self) -> Result<Option<Question>, Closed> {
        let mut queue = self.queue();
        if queue.questions.turns() == 0 && !queue.closed {
            queue.idle += 1;
            let (woken, _) = self
                .asked
                .wait_timeout_while(queue, IDLE, |queue| queue.questions.turns() == 0 && !queue.closed)
                .unwrap_or_else(PoisonError::into_inner);
            queue = woken;
            queue.idle -= 1;
        }
        match queue.questions.take() {
            None if queue.closed => Err(Closed),
            question => Ok(question),
        }
    }
}

/// There will be no more questions.
struct Closed;

/// A thread that answers questions.
struct Attendant<'a> {
    desk: &'a Desk,
    consumer: BaseConsumer<Context>,
    /// The partition that the client reads, and the offset that it gives next.
    reads: Option<(u16, u64)>,
}

impl<'a> Attendant<'a> {
    fn run(desk: &'a Desk) {
        let consumer = desk.config.create_with_context(Context::new("lookup", &desk.moderator));
        desk.queue().idle -= 1;
        let refused = match consumer {
            Ok(consumer) => {
                Self { desk, consumer, reads: None }.answer_all();
                None
            }
            Err(error) => Some(error),
        };
        let mut queue = desk.queue();
        queue.threads -= 1;
        // Without a client nothing can be answered; the next question tries again.
        if let Some(error) = refused {
            for question in queue.questions.drain() {
                question.refuse(unavailable("make a Kafka client that looks things up", error.clone()));
            }
        }
    }

    fn answer_all(mut self) {
        while let Ok(question) = self.desk.next() {
            match question {
                Some(question) => {
                    let partition = question.partition;
                    self.answer(question);
                    self.desk.queue().questions.give_back(partition);
                }
                None => self.rest(),
            }
        }
        self.release();
    }

    /// Whoever asked may have gone meanwhile: then nobody hears the answer.
    fn answer(&mut self, question: Question) {
        if question.asked.elapsed() > TURN_WITHIN {
            question.refuse(unavailable("look something up", "the brokers do not answer"));
            return;
        }
        match question.subject {
            Subject::Bounds(answer) => drop(answer.send(self.bounds(question.partition))),
            Subject::Record(offset, answer) => drop(answer.send(self.record(question.partition, offset))),
        }
    }

    /// Stops reading ahead, and serves what the client has to tell.
    fn rest(&mut self) {
        self.release();
        while let Some(event) = self.consumer.poll(Duration::ZERO) {
            drop(event);
        }
    }

    fn release(&mut self) {
        if self.reads.take().is_some()
            && let Err(error) = self.consumer.unassign()
        {
            tracing::debug!(%error, "a lookup client did not let go of its partition");
        }
    }

    /// While the partition has no leader, as when it is new or moves, it is asked again for a while.
    fn bounds(&mut self, partition: u16) -> Result<Bounds, Error> {
        let deadline = Instant::now() + REQUEST_TIMEOUT;
        let bounds = loop {
            match watermarks(&self.consumer, &self.desk.topic, partition) {
                Err(error) if has_moved(&error) && Instant::now() < deadline => {
                    self.look_for_leader(deadline);
                }
                Err(error) => return Err(unknown_end(partition, &error)),
                Ok(bounds) => break bounds,
            }
        };
        self.desk.known_ends[usize::from(partition)].store(bounds.end, Ordering::Relaxed);
        Ok(bounds)
    }

    /// Waits a moment and brings up to date what the client knows of the topic: by itself it would
    /// go on believing that the partition has no leader. Whether it has one now, the next question tells.
    fn look_for_leader(&mut self, deadline: Instant) {
        self.release();
        // Nothing is read now: this only waits, and serves what the client has to tell.
        drop(self.consumer.poll(MOVED_AGAIN));
        let patience = deadline.saturating_duration_since(Instant::now());
        if let Err(error) = self.consumer.fetch_metadata(Some(&self.desk.topic), patience) {
            tracing::debug!(%error, "a lookup client does not learn who leads the partitions");
        }
    }

    fn record(&mut self, partition: u16, offset: u64) -> Result<Option<StoredRecord>, Error> {
        let known_end = self.desk.known_ends[usize::from(partition)].load(Ordering::Relaxed);
        if offset >= known_end && !self.is_there(partition, offset)? {
            return Ok(None);
        }
        let record = self.read(partition, offset);
        // After a failure the client begins anew, and so does what is known.
        if !matches!(record, Ok(Some(_))) {
            self.release();
        }
        match record? {
            Some(record) => Ok(Some(record)),
            None if self.is_there(partition, offset)? => {
                Err(unavailable("fetch a record", format!("offset {offset} exists but does not come")))
            }
            None => Ok(None),
        }
    }

    /// Whether the log has come to `offset`.
    fn is_there(&mut self, partition: u16, offset: u64) -> Result<bool, Error> {
        let bounds = self.bounds(partition)?;
        if offset < bounds.begin {
            return Err(Error::Truncated { begin: bounds.begin, wanted: offset });
        }
        Ok(offset < bounds.end)
    }

    /// Reads the record at `offset`; nothing if the client cannot find it.
    fn read(&mut self, partition: u16, offset: u64) -> Result<Option<StoredRecord>, Error> {
        let failed = |error: KafkaError| unavailable("fetch a record", error);
        if self.reads != Some((partition, offset)) {
            assign(&self.consumer, &self.desk.topic, partition, offset).map_err(failed)?;
        }
        self.reads = Some((partition, offset));
        let deadline = Instant::now() + REQUEST_TIMEOUT;
        loop {
            let patience = deadline.saturating_duration_since(Instant::now());
            let Some(event) = self.consumer.poll(patience) else {
                if patience.is_zero() {
                    return Ok(None);
                }
                continue;
            };
            match event {
                Ok(message) if message.partition() != i32::from(partition) => {}
                Ok(message) => {
                    let record = to_record(&message);
                    if record.offset == offset {
                        self.reads = Some((partition, offset + 1));
                        return Ok(Some(record));
                    }
                    if record.offset > offset {
                        return Ok(None);
                    }
                }
                Err(error) => match Reading::of(&error) {
                    Reading::Passing => {}
                    Reading::OutOfRange => return Ok(None),
                    Reading::Lasting => return Err(failed(error)),
                },
            }
        }
    }
}

fn unknown_end(partition: u16, error: &KafkaError) -> Error {
    const OPERATION: &str = "ask where the partition ends";
    if has_moved(error) {
        return unavailable(
            OPERATION,
            format!("no broker leads partition {partition} at the moment, or the topic was removed: {error}"),
        );
    }
    unavailable(OPERATION, explained(error))
}

/// Lets the client read one partition from an offset on, and nothing else.
pub(super) fn assign(
    consumer: &BaseConsumer<Context>,
    topic: &str,
    partition: u16,
    offset: u64,
) -> Result<(), KafkaError> {
    let offset = i64::try_from(offset).map_or(Offset::Invalid, Offset::Offset);
    let mut assignment = TopicPartitionList::with_capacity(1);
    assignment.add_partition_offset(topic, i32::from(partition), offset)?;
    consumer.assign(&assignment)
}

/// Where the partition begins and ends, as its leader says now. Blocks for a bounded time.
pub(super) fn watermarks(
    consumer: &BaseConsumer<Context>,
    topic: &str,
    partition: u16,
) -> Result<Bounds, KafkaError> {
    let (low, high) = consumer.fetch_watermarks(topic, i32::from(partition), REQUEST_TIMEOUT)?;
    match (u64::try_from(low), u64::try_from(high)) {
        (Ok(begin), Ok(end)) => Ok(Bounds { begin, end }),
        _ => Err(KafkaError::MetadataFetch(RDKafkaErrorCode::NoOffset)),
    }
}
