//! Tests against the broker that the environment names; each has a topic of its own.

mod mirror;
mod safety;
mod topic;

use std::sync::Arc;

use async_trait::async_trait;
use rdkafka::Message as _;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::Headers as _;
use rdkafka::{Offset, TopicPartitionList};
use stockledger_log::conformance::{
    DurableFactory, Factory, PARTITIONS, as_entries, numbered, offsets, read, read_all, server,
};
use stockledger_log::kafka::{KafkaLog, Profile};
use stockledger_log::{Bounds, Delivery, Entry, Error, Log};
use tokio::task::JoinSet;
use tokio::time::{Duration, timeout};

use self::topic::Topic;

const DEADLINE: Duration = Duration::from_secs(30);

struct OnKafka(Topic);

#[async_trait]
impl Factory for OnKafka {
    async fn create(&self) -> Arc<dyn Log> {
        Arc::new(self.0.log(PARTITIONS).await)
    }
}

#[async_trait]
impl DurableFactory for OnKafka {
    async fn reopen(&self, log: Arc<dyn Log>) -> Arc<dyn Log> {
        log.close().await;
        drop(log);
        Arc::new(KafkaLog::open(&self.0.address, Profile::Dev).await.expect("the log can be opened"))
    }
}

stockledger_log::conformance_suite!(conforms, durable OnKafka(Topic::fresh()));

/// Of three brokers, some hear of a new topic later than the one that made it.
#[tokio::test(flavor = "multi_thread")]
async fn a_new_log_on_three_brokers_can_be_used_at_once() {
    let brokers = server("STOCKLEDGER_TEST_KAFKA3");
    for _ in 0..5 {
        let topic = Topic::fresh_on(&brokers);
        let log =
            KafkaLog::create(&topic.address, 6, Profile::Production).await.expect("the log can be made");
        for partition in 0..6 {
            assert_eq!(log.bounds(partition).await.unwrap(), Bounds { begin: 0, end: 0 });
            assert_eq!(offsets(log.producer(partition).unwrap().append(numbered("new", 0..1))).await, [0]);
            assert_eq!(log.fetch(partition, 0).await.unwrap().unwrap().offset, 0);
        }
        log.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn key_and_headers_stand_in_the_topic() {
    let topic = Topic::fresh();
    let log = topic.log(2).await;
    let headers = vec![("ce_type", "order_placed".to_owned()), ("ce_id", "1.2.3 ä".to_owned())];
    let entry = Entry { headers, ..Entry::new("berlin-1", "value") };
    let plain = Entry::new("berlin-2", "value");
    assert_eq!(offsets(log.producer(1).unwrap().append(vec![entry.clone(), plain])).await, [0, 1]);

    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", topic.address.brokers())
        .set("group.id", "test")
        .create()
        .unwrap();
    let mut assignment = TopicPartitionList::new();
    assignment.add_partition_offset(topic.address.topic(), 1, Offset::Beginning).unwrap();
    consumer.assign(&assignment).unwrap();
    let mut stored = Vec::new();
    while stored.len() < 2 {
        let message = consumer.poll(DEADLINE).expect("the record comes").expect("the record can be read");
        let headers = message.headers().map_or_else(Vec::new, |headers| {
            let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
            headers.iter().map(|header| (header.key.to_owned(), header.value.map(text))).collect()
        });
        stored.push((message.key().map(<[u8]>::to_vec), headers));
    }
    let expected = entry.headers.into_iter().map(|(name, value)| (name.to_owned(), Some(value))).collect();
    assert_eq!(stored[0], (Some(b"berlin-1".to_vec()), expected));
    assert_eq!(stored[1], (Some(b"berlin-2".to_vec()), vec![]));
}

#[tokio::test(flavor = "multi_thread")]
async fn records_are_looked_up_in_any_order_and_at_once() {
    const RECORDS: u64 = 2_000;
    let topic = Topic::fresh();
    let log = Arc::new(topic.log(2).await);
    for partition in 0..2 {
        let entries = numbered(&format!("p{partition}"), 0..RECORDS);
        offsets(log.producer(partition).unwrap().append(entries)).await;
    }
    let mut tasks = JoinSet::new();
    for task in 0..8 {
        let log = Arc::clone(&log);
        tasks.spawn(async move {
            for step in 0..200 {
                let (partition, offset) = (u16::from(step % 3 == 0), (task * 37 + step * 911) % RECORDS);
                let record = log.fetch(partition, offset).await.unwrap().unwrap();
                assert_eq!(record.offset, offset);
                let expected = numbered(&format!("p{partition}"), offset..offset + 1);
                assert_eq!(as_entries(vec![record]), expected);
            }
        });
    }
    timeout(DEADLINE, tasks.join_all()).await.expect("the lookups end");
    // The last record, again and again: nothing stands behind it that could come with it.
    for _ in 0..20 {
        assert_eq!(log.fetch(0, RECORDS - 1).await.unwrap().unwrap().offset, RECORDS - 1);
        assert_eq!(log.fetch(0, RECORDS).await.unwrap(), None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn all_partitions_are_replayed_at_once() {
    const RECORDS: u64 = 20_000;
    let topic = Topic::fresh();
    let log = Arc::new(topic.log(8).await);
    let value = vec![7_u8; 300];
    for partition in 0..8 {
        let mut producer = log.producer(partition).unwrap();
        let batch = |_| producer.append(vec![Entry::new("key", value.clone()); 1_000]);
        for acknowledgement in (0..RECORDS / 1_000).map(batch).collect::<Vec<_>>() {
            offsets(acknowledgement).await;
        }
    }
    let mut tasks = JoinSet::new();
    for partition in 0..8 {
        let log = Arc::clone(&log);
        tasks.spawn(async move {
            let count = usize::try_from(RECORDS).unwrap();
            assert_eq!(read_all(&*log, partition, count).await.len(), count);
        });
    }
    timeout(DEADLINE, tasks.join_all()).await.expect("the replay ends");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_lost_its_beginning_is_truncated() {
    let topic = Topic::fresh();
    let log = topic.log(1).await;
    offsets(log.producer(0).unwrap().append(numbered("lost", 0..10))).await;
    let mut before = log.reader(0, 0).await.unwrap();
    assert_eq!(read(&mut *before, 10).await.len(), 10);
    topic.delete_records_before(0, 4).await;

    assert_eq!(log.bounds(0).await.unwrap(), Bounds { begin: 4, end: 10 });
    for wanted in [0, 3] {
        let fetched = log.fetch(0, wanted).await;
        assert!(matches!(fetched, Err(Error::Truncated { begin: 4, wanted: named }) if named == wanted));
        let Err(error) = log.reader(0, wanted).await else { panic!("a reader was made at {wanted}") };
        assert!(matches!(error, Error::Truncated { begin: 4, wanted: named } if named == wanted), "{error}");
    }
    assert_eq!(log.fetch(0, 4).await.unwrap().unwrap().offset, 4);
    let mut reader = log.reader(0, 4).await.unwrap();
    assert_eq!(read(&mut *reader, 6).await[0].offset, 4);
    assert_eq!(before.next(1, Duration::from_millis(100)).await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_beyond_the_end_waits_until_the_log_has_come_so_far() {
    let topic = Topic::fresh();
    let log = topic.log(1).await;
    let mut reader = log.reader(0, 3).await.unwrap();
    assert_eq!(reader.next(1, Duration::from_millis(300)).await.unwrap(), []);
    offsets(log.producer(0).unwrap().append(numbered("later", 0..5))).await;
    let records = timeout(DEADLINE, read(&mut *reader, 2)).await.expect("the records come");
    assert_eq!(records.iter().map(|record| record.offset).collect::<Vec<_>>(), [3, 4]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_is_too_large_is_not_appended_and_says_so() {
    let topic = Topic::fresh();
    let log = topic.log(1).await;
    let mut batch = numbered("small", 0..3);
    batch[1].value = vec![0; 4_200_000].into();
    let deliveries = log.producer(0).unwrap().append(batch).await.unwrap();
    let Delivery::Unknown(error) = &deliveries[1] else { panic!("{deliveries:?}") };
    let text = stockledger_log::Causes(error).to_string();
    assert!(text.contains("MessageSizeTooLarge") && text.contains("was not appended"), "{text}");
    assert!(matches!(deliveries[0], Delivery::Appended { offset: Some(0) }), "{deliveries:?}");
    assert!(matches!(deliveries[2], Delivery::Appended { offset: Some(1) }), "{deliveries:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_is_closed_refuses_what_comes_later() {
    let topic = Topic::fresh();
    let log = topic.log(1).await;
    let mut producer = log.producer(0).unwrap();
    let acknowledgement = producer.append(numbered("before", 0..100));
    timeout(DEADLINE, log.close()).await.expect("closing ends");
    assert_eq!(offsets(acknowledgement).await.len(), 100);
    let deliveries = producer.append(numbered("after", 0..1)).await.unwrap();
    assert!(format!("{deliveries:?}").contains("the log was closed"), "{deliveries:?}");
    assert!(matches!(log.producer(0).err(), Some(Error::Unavailable { .. })));
    assert!(matches!(log.bounds(0).await, Err(Error::Unavailable { .. })));
    timeout(DEADLINE, log.close()).await.expect("closing again ends");
}
