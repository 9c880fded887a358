//! The log on Kafka: one topic, one partition of it for every partition of the log.
//!
//! Kafka is used as a plain append-only log with dense offsets: an idempotent producer, `acks=all`, no transactions and no
//! consumer groups but for people to look at (`mirror.rs`, `docs/adr/0001-no-kafka-transactions.md`). The topic is checked when it is opened, and refused unless
//! it keeps everything for ever.
//!
//! ```text
//! producers --> produce: one client, one thread -----> topic
//! readers  <-- reader: a client and a thread each  <----+
//! fetch, bounds <-- lookup: a few clients and threads <-+
//! ```
//!
//! No call blocks the task that makes it, and every call ends within a bounded time when no broker answers; clients find
//! the brokers again by themselves. Where to read on: `fault.rs` says what Kafka's errors mean, `safety.rs` what the topic
//! must be like, `settings.rs` how the clients are set.

mod address;
mod context;
mod fault;
mod flight;
mod lookup;
mod mirror;
mod produce;
mod questions;
mod reader;
mod safety;
pub mod security;
mod settings;
#[cfg(test)]
mod tests;
mod topic;

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use rdkafka::config::ClientConfig;

use self::context::{Context, Moderator};
use self::fault::unavailable;
use self::lookup::Lookups;
use self::produce::{KafkaProducer, Link};
use self::reader::KafkaReader;
use self::topic::{Topic, open_when_known};
use crate::{Bounds, Error, Log, Producer, Reader, StoredRecord};

pub use self::address::{Address, AddressError};
pub use self::mirror::{Mirror, Offsets};
pub use self::safety::Profile;
pub use self::security::Security;

/// A log in a topic of Kafka.
pub struct KafkaLog {
    address: Address,
    partitions: u16,
    moderator: Arc<Moderator>,
    lookups: Arc<Lookups>,
    /// Absent if the log is open for reading only.
    appending: Option<Appending>,
}

/// What it takes to append.
struct Appending {
    config: ClientConfig,
    link: Mutex<State>,
}

/// The client that appends. It is replaced when it is broken.
enum State {
    Open(Arc<Link>),
    Closed,
}

impl KafkaLog {
    /// Makes a new topic without records, waits until it can be used, and opens it. In production it has three replicas
    /// of every partition; with the dev profile as many as there are brokers, up to three.
    ///
    /// # Errors
    /// [`Error::Mismatch`] if the topic exists, [`Error::Unsafe`] if there are too few brokers for the profile,
    /// [`Error::Unavailable`] if no broker answers within ten seconds or the topic cannot be made.
    pub async fn create(address: &Address, partitions: u16, profile: Profile) -> Result<Self, Error> {
        let create = async move |topic: &Topic| topic.create(partitions, profile).await;
        Topic::talk(address, &Arc::default(), create).await?;
        open_when_known(move || Self::open(address, profile)).await
    }

    /// Removes a topic with everything in it, for good. For measurements, which make logs of their own.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if no broker answers or the topic cannot be removed.
    pub async fn delete(address: &Address) -> Result<(), Error> {
        Topic::talk(address, &Arc::default(), async |topic| topic.delete().await).await
    }

    /// Opens a log for reading and writing, if its topic is safe for a ledger.
    ///
    /// # Errors
    /// [`Error::NoSuchLog`] if the topic does not exist, [`Error::Unsafe`] with everything that is not safe about it,
    /// [`Error::Unavailable`] if no broker answers within ten seconds.
    pub async fn open(address: &Address, profile: Profile) -> Result<Self, Error> {
        let moderator = Arc::default();
        let check = async move |topic: &Topic| topic.check(profile).await;
        let partitions = Topic::talk(address, &moderator, check).await?;
        Self::over(address, partitions, moderator, Some(settings::producing(address)))
    }

    /// Opens a log for reading only. Whether its topic is safe is not looked at.
    ///
    /// # Errors
    /// [`Error::NoSuchLog`] if the topic does not exist, [`Error::Unavailable`] if no broker answers within ten seconds.
    pub async fn open_read_only(address: &Address) -> Result<Self, Error> {
        let moderator = Arc::default();
        let partitions = Topic::talk(address, &moderator, async |topic: &Topic| topic.partitions()).await?;
        Self::over(address, partitions, moderator, None)
    }

    fn over(
        address: &Address,
        partitions: u16,
        moderator: Arc<Moderator>,
        producing: Option<ClientConfig>,
    ) -> Result<Self, Error> {
        let lookups =
            Arc::new(Lookups::new(settings::looking_up(address), address.topic(), partitions, &moderator));
        let mut log = Self { address: address.clone(), partitions, moderator, lookups, appending: None };
        if let Some(config) = producing {
            let link = Mutex::new(State::Open(log.link(&config)?));
            log.appending = Some(Appending { config, link });
        }
        Ok(log)
    }

    fn link(&self, config: &ClientConfig) -> Result<Arc<Link>, Error> {
        let context = Context::new("producer", &self.moderator);
        Link::start(config, context, self.address.topic(), self.partitions)
    }

    fn check(&self, partition: u16) -> Result<(), Error> {
        let partitions = self.partitions;
        if partition < partitions { Ok(()) } else { Err(Error::NoSuchPartition { partition, partitions }) }
    }
}

/// Starts a thread of a log.
fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    std::thread::Builder::new().name(name.to_owned()).spawn(work).map(drop)
}

impl fmt::Debug for KafkaLog {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("KafkaLog")
            .field("address", &self.address)
            .field("partitions", &self.partitions)
            .field("read_only", &self.appending.is_none())
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl Log for KafkaLog {
    fn partitions(&self) -> u16 {
        self.partitions
    }

    fn producer(&self, partition: u16) -> Result<Box<dyn Producer>, Error> {
        self.check(partition)?;
        let appending = self.appending.as_ref().ok_or(Error::ReadOnly)?;
        let mut state = appending.link.lock().unwrap_or_else(PoisonError::into_inner);
        let State::Open(link) = &mut *state else {
            return Err(unavailable("make a producer", "the log was closed"));
        };
        if link.is_broken() {
            tracing::warn!("the Kafka client that appends is of no more use and is replaced");
            *link = self.link(&appending.config)?;
        }
        Ok(Box::new(KafkaProducer { link: Arc::clone(link), partition }))
    }

    async fn reader(&self, partition: u16, from: u64) -> Result<Box<dyn Reader>, Error> {
        self.check(partition)?;
        let config = settings::reading(&self.address);
        let context = Context::new("reader", &self.moderator);
        let lookups = Arc::clone(&self.lookups);
        let reader =
            KafkaReader::start(config, context, self.address.topic(), partition, from, lookups).await?;
        Ok(Box::new(reader))
    }

    async fn bounds(&self, partition: u16) -> Result<Bounds, Error> {
        self.check(partition)?;
        self.lookups.bounds(partition).await
    }

    async fn fetch(&self, partition: u16, offset: u64) -> Result<Option<StoredRecord>, Error> {
        self.check(partition)?;
        self.lookups.record(partition, offset).await
    }

    /// What is in flight is waited for, but for a few seconds at most: then it is given up, and its outcome is unknown.
    /// Readers end when they are dropped.
    async fn close(&self) {
        self.lookups.close();
        let Some(appending) = &self.appending else { return };
        let before = {
            let mut state = appending.link.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *state, State::Closed)
        };
        if let State::Open(link) = before {
            link.close().await;
        }
    }
}
