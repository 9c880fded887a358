//! A mirror of how far somebody has read, as the offsets of a consumer group, so that tools for Kafka show a lag.
//!
//! Nobody reads the offsets back: how far the read tables are stands in the tables. So the mirror may be late, and what it
//! cannot write is a warning and nothing else. The group has no members: offsets are committed by a consumer with no
//! subscription, which a broker takes as long as nobody joins the group.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::error::KafkaResult;
use rdkafka::{Offset, TopicPartitionList};
use tokio::sync::watch;

use super::address::Address;
use super::context::Context;
use super::fault::unavailable;
use super::{settings, spawn};
use crate::Error;

/// How often offsets are written at most.
const EVERY: Duration = Duration::from_secs(2);
/// How often they are written if nothing changes: what failed is made up for, and brokers, which forget the offsets of a
/// group without members after days, do not.
const AGAIN_AFTER: Duration = Duration::from_secs(60);
/// How long one wait for the answers of brokers takes.
const LOOK_AROUND: Duration = Duration::from_millis(200);

/// Offsets of the next records to be read, by partition.
pub type Offsets = BTreeMap<u16, u64>;

/// Writes offsets on a thread of its own, until it is dropped.
#[derive(Debug)]
pub struct Mirror {
    offsets: watch::Sender<Offsets>,
}

impl Mirror {
    /// Begins to mirror into a group. The client connects by itself, now or once a broker is there.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if the system gives no more threads or the client refuses its settings.
    pub fn start(address: &Address, group: &str) -> Result<Self, Error> {
        let config = settings::mirroring(address, group);
        let (offsets, receiver) = watch::channel(Offsets::new());
        let topic = address.topic().to_owned();
        spawn("kafka-mirror", move || run(&config, &topic, &receiver))
            .map_err(|error| unavailable("start the thread that mirrors offsets", error))?;
        Ok(Self { offsets })
    }

    /// Says how far it is now. Never waits; what is said in quick succession is written once.
    pub fn show(&self, offsets: Offsets) {
        self.offsets.send_if_modified(|shown| {
            let is_new = *shown != offsets;
            *shown = offsets;
            is_new
        });
    }
}

fn run(config: &ClientConfig, topic: &str, offsets: &watch::Receiver<Offsets>) {
    let context = Context::new("mirror", &Arc::default());
    let consumer: BaseConsumer<Context> = match config.create_with_context(context) {
        Ok(consumer) => consumer,
        Err(error) => return tracing::warn!(%error, "how far the tables are is not mirrored to Kafka"),
    };
    let mut written = (Offsets::new(), Instant::now());
    let mut looked = None::<Instant>;
    while offsets.has_changed().is_ok() {
        // Serves the answers to what was committed before; nothing is assigned, so no record comes.
        drop(consumer.poll(LOOK_AROUND));
        if looked.is_some_and(|looked| looked.elapsed() < EVERY) {
            continue;
        }
        looked = Some(Instant::now());
        let now = offsets.borrow().clone();
        if now.is_empty() || (now == written.0 && written.1.elapsed() < AGAIN_AFTER) {
            continue;
        }
        match list(topic, &now).and_then(|list| consumer.commit(&list, CommitMode::Async)) {
            Ok(()) => written = (now, Instant::now()),
            Err(error) => tracing::warn!(%error, "how far the tables are was not mirrored to Kafka"),
        }
    }
}

fn list(topic: &str, offsets: &Offsets) -> KafkaResult<TopicPartitionList> {
    let mut list = TopicPartitionList::with_capacity(offsets.len());
    for (partition, offset) in offsets {
        let offset = Offset::Offset(i64::try_from(*offset).unwrap_or(i64::MAX));
        list.add_partition_offset(topic, i32::from(*partition), offset)?;
    }
    Ok(list)
}
