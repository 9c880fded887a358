//! Appending: one idempotent client for all partitions of a log, and the thread that serves it.
//!
//! ```text
//! append --send--> client queue --requests--> brokers
//!    |  queue full ^                             |
//!    +--> backlog --+  <--- polling thread <--reports--> flights --> acknowledgements
//! ```
//!
//! Records are handed to the client by the caller itself, which never blocks. What the client has no room for waits in
//! the backlog of its partition; whatever comes later waits behind it, so that the order is kept. The client is never
//! flushed: that would cost a tenth of a second each time. The thread ends, and takes the client with it, once nobody
//! else has the client; taking it down can block, so nobody else may be the last.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::config::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _, PurgeConfig};
use tokio::sync::watch;

use super::context::Context;
use super::fault::{Fault, unavailable};
use super::flight::{Flight, Slot};
use super::settings::DELIVERY_TIMEOUT;
use super::spawn;
use crate::{Acknowledgement, Entry, Error, Producer};

/// Records of one partition that may wait for room in the client. It is above what a writer keeps in flight.
const BACKLOG_RECORDS_MAX: usize = 8_192;
/// Bytes of one partition that may wait, up to one record more.
const BACKLOG_BYTES_MAX: usize = 32 << 20;
/// How long the thread serves reports before it looks around.
const LOOK_AROUND: Duration = Duration::from_millis(100);
/// The same while something waits for room.
const LOOK_FOR_ROOM: Duration = Duration::from_millis(2);
/// How long what is in flight is waited for once the log is closed.
const DRAIN_WITHIN: Duration = Duration::from_secs(5);
/// How long the reports of what was given up then are waited for.
const PURGE_WITHIN: Duration = Duration::from_secs(1);

/// The client and what waits for it.
pub(super) struct Link {
    client: BaseProducer<Context>,
    topic: String,
    backlogs: Vec<Mutex<Backlog>>,
    closed: AtomicBool,
    /// Becomes true when nothing is in flight after the link was closed.
    drained: watch::Sender<bool>,
}

#[derive(Default)]
struct Backlog {
    waiting: VecDeque<Waiting>,
    bytes: usize,
}

struct Waiting {
    entry: Entry,
    slot: Box<Slot>,
    since: Instant,
}

impl Link {
    /// Makes a client and the thread that serves it. The client connects by itself, now or once a broker is there.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if the system gives no more threads or the client refuses its settings.
    pub(super) fn start(
        config: &ClientConfig,
        context: Context,
        topic: &str,
        partitions: u16,
    ) -> Result<Arc<Self>, Error> {
        let client: BaseProducer<Context> = config
            .create_with_context(context)
            .map_err(|error| unavailable("make a Kafka client that appends", error))?;
        let backlogs = (0..partitions).map(|_| Mutex::default()).collect();
        let link = Arc::new(Self {
            client,
            topic: topic.to_owned(),
            backlogs,
            closed: AtomicBool::new(false),
            drained: watch::Sender::new(false),
        });
        let served = Arc::clone(&link);
        spawn("kafka-producer", move || serve(&served))
            .map_err(|error| unavailable("start the thread that appends", error))?;
        Ok(link)
    }

    /// Whether the client is of no more use.
    pub(super) fn is_broken(&self) -> bool {
        self.client.context().is_broken() || self.client.client().fatal_error().is_some()
    }

    /// Refuses what comes from now on, and waits until what is in flight has its fate, but not for long.
    pub(super) async fn close(&self) {
        let mut drained = self.drained.subscribe();
        self.closed.store(true, Ordering::Release);
        // The channel cannot close: this link has its other end.
        let _ = drained.wait_for(|drained| *drained).await;
    }

    fn append(&self, partition: u16, batch: Vec<Entry>) -> Acknowledgement {
        let (flight, acknowledgement) = Flight::start(batch.len());
        let mut backlog = self.backlog(partition);
        for (index, entry) in batch.into_iter().enumerate() {
            let slot = Box::new(Slot::new(&flight, index));
            if self.closed.load(Ordering::Acquire) {
                slot.fail("the record was not appended: the log was closed");
            } else if backlog.waiting.is_empty() {
                if let Some(slot) = self.send(partition, &entry, slot) {
                    backlog.push(entry, slot);
                }
            } else {
                backlog.push(entry, slot);
            }
        }
        acknowledgement
    }

    /// Hands one record to the client; gives its slot back if there is no room.
    fn send(&self, partition: u16, entry: &Entry, slot: Box<Slot>) -> Option<Box<Slot>> {
        let mut record = BaseRecord::with_opaque_to(&self.topic, slot)
            .partition(i32::from(partition))
            .key(&entry.key[..])
            .payload(&entry.value[..]);
        if !entry.headers.is_empty() {
            record = record.headers(headers(entry));
        }
        match self.client.send(record) {
            Ok(()) => None,
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), record)) => {
                Some(record.delivery_opaque)
            }
            Err((error, record)) => {
                let fault = Fault::refused(&error);
                self.client.context().note(&fault);
                record.delivery_opaque.fail(fault);
                None
            }
        }
    }

    /// Sends what waits, as far as there is room, and gives up what has waited too long.
    fn send_waiting(&self) {
        for partition in (0..).take(self.backlogs.len()) {
            let mut backlog = self.backlog(partition);
            while let Some(waiting) = backlog.pop() {
                if waiting.since.elapsed() >= DELIVERY_TIMEOUT {
                    waiting
                        .slot
                        .fail("the record was not appended: the queue of the Kafka client stayed full");
                    continue;
                }
                let Waiting { entry, slot, since } = waiting;
                if let Some(slot) = self.send(partition, &entry, slot) {
                    backlog.put_back(Waiting { entry, slot, since });
                    break;
                }
            }
        }
    }

    fn backlog(&self, partition: u16) -> MutexGuard<'_, Backlog> {
        self.backlogs[usize::from(partition)].lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_anything_waiting(&self) -> bool {
        (0..).take(self.backlogs.len()).any(|partition| !self.backlog(partition).waiting.is_empty())
    }

    /// Serves reports for a while, and then what waits.
    fn serve_once(&self) {
        self.client.poll(if self.is_anything_waiting() { LOOK_FOR_ROOM } else { LOOK_AROUND });
        self.send_waiting();
    }

    /// Serves until nothing is in flight, or the time is over.
    fn serve_until_idle(&self, patience: Duration) {
        let deadline = Instant::now() + patience;
        while (self.client.in_flight_count() > 0 || self.is_anything_waiting()) && Instant::now() < deadline {
            self.client.poll(LOOK_FOR_ROOM);
            self.send_waiting();
        }
    }

    /// Gives up what waits and what is in flight.
    fn purge(&self) {
        for partition in (0..).take(self.backlogs.len()) {
            while let Some(waiting) = self.backlog(partition).pop() {
                waiting.slot.fail("the record was not appended: the log was closed");
            }
        }
        self.client.purge(PurgeConfig::default().queue().inflight());
    }
}

/// What the thread does: serves the client until nobody else has it, and ends it.
fn serve(link: &Arc<Link>) {
    let is_wanted = || Arc::strong_count(link) > 1;
    while is_wanted() && !link.closed.load(Ordering::Acquire) {
        link.serve_once();
    }
    link.serve_until_idle(DRAIN_WITHIN);
    link.purge();
    link.serve_until_idle(PURGE_WITHIN);
    link.drained.send_replace(true);
    while is_wanted() {
        link.client.poll(LOOK_AROUND);
    }
}

fn headers(entry: &Entry) -> OwnedHeaders {
    let headers = OwnedHeaders::new_with_capacity(entry.headers.len());
    entry.headers.iter().fold(headers, |headers, (name, value)| {
        headers.insert(Header { key: name, value: Some(value.as_str()) })
    })
}

impl Backlog {
    /// Lets a record wait for room. If too many wait already, it is not appended.
    fn push(&mut self, entry: Entry, slot: Box<Slot>) {
        if self.waiting.len() >= BACKLOG_RECORDS_MAX || self.bytes >= BACKLOG_BYTES_MAX {
            slot.fail("the record was not appended: too many records wait for the Kafka client");
            return;
        }
        self.bytes += size(&entry);
        self.waiting.push_back(Waiting { entry, slot, since: Instant::now() });
    }

    fn pop(&mut self) -> Option<Waiting> {
        let waiting = self.waiting.pop_front()?;
        self.bytes -= size(&waiting.entry);
        Some(waiting)
    }

    fn put_back(&mut self, waiting: Waiting) {
        self.bytes += size(&waiting.entry);
        self.waiting.push_front(waiting);
    }
}

fn size(entry: &Entry) -> usize {
    entry.key.len() + entry.value.len()
}

/// Appends to one partition through the client of the log.
pub(super) struct KafkaProducer {
    pub(super) link: Arc<Link>,
    pub(super) partition: u16,
}

impl Producer for KafkaProducer {
    fn append(&mut self, batch: Vec<Entry>) -> Acknowledgement {
        self.link.append(self.partition, batch)
    }
}
