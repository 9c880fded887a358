//! How the Kafka clients of a log are set. What the topic must be set to stands in `safety.rs`.

use std::time::Duration;

use rdkafka::config::{ClientConfig, RDKafkaLogLevel};

use super::address::Address;

/// Longest time until a record is acknowledged or given up.
pub(super) const DELIVERY_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest time that one question to the brokers may take.
pub(super) const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

/// What all clients have in common. A lost connection is tried again at least every second, so that all is well soon
/// after a broker is back.
fn common(address: &Address) -> ClientConfig {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", address.brokers())
        .set("client.id", "stockledger")
        .set("allow.auto.create.topics", "false")
        .set("reconnect.backoff.ms", "50")
        .set("reconnect.backoff.max.ms", "1000")
        .set("retry.backoff.ms", "10")
        .set("retry.backoff.max.ms", "200")
        .set("socket.timeout.ms", "6000")
        .set("socket.connection.setup.timeout.ms", "5000")
        .set("socket.nagle.disable", "true")
        .set("topic.metadata.refresh.interval.ms", "60000")
        .set_log_level(RDKafkaLogLevel::Warning);
    address.security().set(&mut config);
    config
}

/// The client that creates and describes the topic.
pub(super) fn administering(address: &Address) -> ClientConfig {
    common(address)
}

/// The client that appends. It never waits for more before it sends: a writer hands over whole batches, and while five
/// requests are under way, what comes meanwhile goes together.
pub(super) fn producing(address: &Address) -> ClientConfig {
    let mut config = common(address);
    config
        .set("enable.idempotence", "true")
        .set("acks", "all")
        .set("max.in.flight.requests.per.connection", "5")
        .set("linger.ms", "0")
        .set("compression.type", "lz4")
        .set("delivery.timeout.ms", DELIVERY_TIMEOUT.as_millis().to_string())
        .set("request.timeout.ms", "5000")
        .set("message.max.bytes", "4000000")
        .set("queue.buffering.max.messages", "200000")
        .set("queue.buffering.max.kbytes", "131072");
    config
}

/// What all reading clients have in common. `group.id` is demanded by the client and not used: nothing is committed.
///
/// Everything that is in the log is read, also what a foreign transaction left open or aborted: what must not be there
/// shall be seen and not wait, or be hidden behind a gap.
fn consuming(address: &Address) -> ClientConfig {
    let mut config = common(address);
    config
        .set("group.id", "stockledger")
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("isolation.level", "read_uncommitted")
        .set("auto.offset.reset", "error")
        .set("enable.partition.eof", "false")
        .set("check.crcs", "true")
        .set("fetch.error.backoff.ms", "50")
        .set("receive.message.max.bytes", "100000000");
    config
}

/// The client of one reader.
///
/// What it holds in memory: the queue of 8 MiB, one answer of a broker beyond it (1 MiB, unpacked several times as much),
/// and what is handed over (`reader.rs`, 4 MiB): below 20 MiB, and 160 MiB for a replay of eight partitions at once.
pub(super) fn reading(address: &Address) -> ClientConfig {
    let mut config = consuming(address);
    config
        .set("fetch.wait.max.ms", "100")
        .set("fetch.message.max.bytes", "1048576")
        .set("fetch.max.bytes", "4194304")
        .set("queued.min.messages", "30000")
        .set("queued.max.messages.kbytes", "8192")
        .set("fetch.queue.backoff.ms", "5");
    config
}

/// The client that mirrors offsets into a group; it reads nothing.
pub(super) fn mirroring(address: &Address, group: &str) -> ClientConfig {
    let mut config = consuming(address);
    config.set("group.id", group);
    config
}

/// The client that looks up single records: it asks for little, and never keeps a request open that a next one, for
/// another offset, would have to wait for.
pub(super) fn looking_up(address: &Address) -> ClientConfig {
    let mut config = consuming(address);
    config
        .set("fetch.wait.max.ms", "5")
        .set("fetch.message.max.bytes", "16384")
        .set("fetch.max.bytes", "4194304")
        .set("queued.min.messages", "1")
        .set("queued.max.messages.kbytes", "8192")
        .set("fetch.queue.backoff.ms", "5");
    config
}
