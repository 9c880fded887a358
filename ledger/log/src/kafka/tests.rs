//! Faults that a healthy broker does not have, on the mock cluster of the Kafka client: errors in the middle of a batch,
//! full queues, brokers that are gone and come back. It knows no settings of topics, so these logs are opened unchecked.

use std::sync::Arc;
use std::time::Duration;

use rdkafka::config::ClientConfig;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use rdkafka::types::{RDKafkaApiKey as Request, RDKafkaRespErr as Answer};
use tokio::task::JoinSet;
use tokio::time::{Instant, interval, timeout};

use super::context::Moderator;
use super::{Address, KafkaLog, Profile, settings};
use crate::conformance::{as_entries, numbered, offsets, read};
use crate::{Bounds, Causes, Delivery, Error, Log};

const DEADLINE: Duration = Duration::from_secs(30);
/// How often a condition is looked at that nobody tells.
const LOOK_AGAIN: Duration = Duration::from_millis(10);
const TOPIC: &str = "ledger";

/// A cluster of one broker in this process.
struct Cluster {
    mock: MockCluster<'static, DefaultProducerContext>,
    address: Address,
}

impl Cluster {
    fn start() -> Self {
        let mock = MockCluster::new(1).unwrap();
        mock.create_topic(TOPIC, 2, 1).unwrap();
        let address = format!("kafka://{}/{TOPIC}", mock.bootstrap_servers()).parse().unwrap();
        Self { mock, address }
    }

    fn log(&self) -> KafkaLog {
        self.log_with(&[])
    }

    /// A log whose producer has other settings than usual.
    fn log_with(&self, changes: &[(&str, &str)]) -> KafkaLog {
        self.log_beside(Arc::default(), changes)
    }

    fn log_beside(&self, moderator: Arc<Moderator>, changes: &[(&str, &str)]) -> KafkaLog {
        let mut producing: ClientConfig = settings::producing(&self.address);
        for (name, value) in changes {
            producing.set(*name, *value);
        }
        KafkaLog::over(&self.address, 2, moderator, Some(producing)).unwrap()
    }

    /// From now on the broker answers requests of this kind so, one after the other, and then as it should.
    fn answers(&self, request: Request, answers: &[Answer]) {
        self.mock.request_errors(request, answers);
    }

    fn stop(&self) {
        self.mock.broker_down(1).unwrap();
    }

    fn go_on(&self) {
        self.mock.broker_up(1).unwrap();
    }
}

fn text(error: &Error) -> String {
    Causes(error).to_string()
}

/// Appends one record until that succeeds, as a writer does that claims again and again.
async fn append_until_it_succeeds(log: &KafkaLog) -> u64 {
    loop {
        let mut producer = log.producer(0).unwrap();
        let delivery = producer.append(numbered("again", 0..1)).await.unwrap().pop();
        if let Some(Delivery::Appended { offset: Some(offset) }) = delivery {
            return offset;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn passing_errors_of_the_broker_neither_lose_nor_move_nor_repeat_a_record() {
    let cluster = Cluster::start();
    // One request after the other: unlike a broker, the mock does not refuse a request that overtook one that failed.
    let log = cluster.log_with(&[("max.in.flight.requests.per.connection", "1")]);
    let mut producer = log.producer(0).unwrap();
    assert_eq!(offsets(producer.append(numbered("steady", 0..1))).await, [0]);
    cluster.answers(
        Request::Produce,
        &[
            Answer::RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS,
            Answer::RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
            Answer::RD_KAFKA_RESP_ERR__TRANSPORT,
            Answer::RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT,
        ],
    );
    let entries = numbered("steady", 1..401);
    let acknowledgements: Vec<_> = entries.chunks(100).map(|batch| producer.append(batch.to_vec())).collect();
    let mut expected = 1..401;
    for acknowledgement in acknowledgements {
        let deliveries = timeout(DEADLINE, acknowledgement).await.expect("the batch is answered").unwrap();
        for (delivery, expected) in deliveries.into_iter().zip(&mut expected) {
            // A broker that already had the record does not say where.
            let Delivery::Appended { offset } = delivery else { panic!("{delivery:?}") };
            assert!(offset.is_none_or(|offset| offset == expected), "{offset:?} instead of {expected}");
        }
    }
    assert_eq!(expected, 401..401);
    let mut reader = log.reader(0, 1).await.unwrap();
    assert_eq!(as_entries(read(&mut *reader, 400).await), entries);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_record_of_a_batch_has_its_own_fate() {
    let cluster = Cluster::start();
    // One record in each request, and one request after the other.
    let log =
        cluster.log_with(&[("batch.num.messages", "1"), ("max.in.flight.requests.per.connection", "1")]);
    let mut producer = log.producer(0).unwrap();
    assert_eq!(offsets(producer.append(numbered("fate", 0..1))).await, [0]);
    let refused = Answer::RD_KAFKA_RESP_ERR_INVALID_RECORD;
    cluster.answers(Request::Produce, &[Answer::RD_KAFKA_RESP_ERR_NO_ERROR, refused]);
    let deliveries = timeout(DEADLINE, producer.append(numbered("fate", 1..5))).await.unwrap().unwrap();
    assert!(matches!(deliveries[0], Delivery::Appended { offset: Some(1) }), "{deliveries:?}");
    let Delivery::Unknown(error) = &deliveries[1] else { panic!("{deliveries:?}") };
    assert!(
        text(error).contains("InvalidRecord") && text(error).contains("was not appended"),
        "{}",
        text(error)
    );
    assert!(matches!(deliveries[2], Delivery::Appended { offset: Some(2) }), "{deliveries:?}");
    assert!(matches!(deliveries[3], Delivery::Appended { offset: Some(3) }), "{deliveries:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_is_of_no_more_use_is_replaced() {
    let cluster = Cluster::start();
    let log = cluster.log();
    let mut producer = log.producer(0).unwrap();
    assert_eq!(offsets(producer.append(numbered("first", 0..1))).await, [0]);
    cluster.answers(Request::Produce, &[Answer::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED]);
    let delivery = producer.append(numbered("refused", 0..1)).await.unwrap().remove(0);
    let Delivery::Unknown(error) = delivery else { panic!("{delivery:?}") };
    assert!(text(&error).contains("has to be replaced"), "{}", text(&error));
    assert!(text(&error).contains("Write on the topic"), "{}", text(&error));
    // The old client goes on refusing the topic; a new producer has a new client.
    let delivery = producer.append(numbered("refused", 1..2)).await.unwrap().remove(0);
    assert!(matches!(delivery, Delivery::Unknown(_)), "{delivery:?}");
    let mut producer = log.producer(0).unwrap();
    assert_eq!(offsets(producer.append(numbered("second", 0..1))).await, [1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_client_has_no_room_for_waits_in_order() {
    let cluster = Cluster::start();
    let log = cluster.log_with(&[("queue.buffering.max.messages", "7")]);
    let entries = [numbered("left", 0..500), numbered("right", 0..500)];
    let mut waiting = Vec::new();
    let mut producers = [log.producer(0).unwrap(), log.producer(1).unwrap()];
    for start in (0..500).step_by(50) {
        for (producer, entries) in producers.iter_mut().zip(&entries) {
            waiting.push((start, producer.append(entries[start..start + 50].to_vec())));
        }
    }
    for (start, acknowledgement) in waiting {
        let told = timeout(DEADLINE, offsets(acknowledgement)).await.expect("the batch is answered");
        assert_eq!(told, (start as u64..start as u64 + 50).collect::<Vec<_>>());
    }
    for (partition, entries) in [0, 1].into_iter().zip(entries) {
        let mut reader = log.reader(partition, 0).await.unwrap();
        assert_eq!(as_entries(read(&mut *reader, 500).await), entries);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn more_than_may_wait_is_refused_and_not_appended() {
    let cluster = Cluster::start();
    let log = cluster.log_with(&[("queue.buffering.max.messages", "100")]);
    cluster.stop();
    let acknowledgement = log.producer(0).unwrap().append(numbered("many", 0..9_000));
    cluster.go_on();
    let deliveries = timeout(DEADLINE, acknowledgement).await.unwrap().unwrap();
    let appended =
        deliveries.iter().take_while(|delivery| matches!(delivery, Delivery::Appended { .. })).count();
    assert!(appended >= 8_192, "{appended} records were appended");
    for delivery in &deliveries[appended..] {
        let Delivery::Unknown(error) = delivery else { panic!("{delivery:?} behind one that was refused") };
        assert!(text(error).contains("too many records wait"), "{}", text(error));
    }
    assert!(appended < 9_000);
    assert_eq!(log.bounds(0).await.unwrap(), Bounds { begin: 0, end: appended as u64 });
}

#[tokio::test(flavor = "multi_thread")]
async fn all_goes_on_by_itself_when_the_broker_is_back() {
    let cluster = Cluster::start();
    let log = cluster.log_with(&[("delivery.timeout.ms", "1500"), ("request.timeout.ms", "1000")]);
    let mut producer = log.producer(0).unwrap();
    let mut reader = log.reader(0, 0).await.unwrap();
    assert_eq!(offsets(producer.append(numbered("before", 0..3))).await, [0, 1, 2]);
    assert_eq!(read(&mut *reader, 3).await.len(), 3);

    cluster.stop();
    let began = Instant::now();
    let delivery =
        timeout(DEADLINE, producer.append(numbered("during", 0..1))).await.unwrap().unwrap().remove(0);
    let Delivery::Unknown(error) = delivery else { panic!("{delivery:?}") };
    assert!(text(&error).contains("may or may not be appended"), "{}", text(&error));
    // Silence is not taken for the end of the log.
    let error = timeout(DEADLINE, reader.next(1, Duration::from_millis(10))).await.unwrap().unwrap_err();
    assert!(matches!(error, Error::Unavailable { .. }), "{}", text(&error));
    assert!(matches!(timeout(DEADLINE, log.bounds(0)).await.unwrap(), Err(Error::Unavailable { .. })));
    assert!(matches!(timeout(DEADLINE, log.fetch(0, 0)).await.unwrap(), Err(Error::Unavailable { .. })));
    assert!(began.elapsed() < DEADLINE);

    cluster.go_on();
    let offset = timeout(DEADLINE, append_until_it_succeeds(&log)).await.expect("appending goes on");
    let count = usize::try_from(offset - 2).unwrap();
    let records = timeout(DEADLINE, read(&mut *reader, count)).await.expect("reading goes on");
    assert!(records.iter().map(|record| record.offset).eq(3..=offset));
    assert_eq!(log.fetch(0, 1).await.unwrap().unwrap().offset, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_left_behind_when_the_log_is_dropped_while_no_broker_answers() {
    let cluster = Cluster::start();
    let moderator: Arc<Moderator> = Arc::default();
    let log = cluster.log_beside(Arc::clone(&moderator), &[]);
    let mut producer = log.producer(0).unwrap();
    assert_eq!(offsets(producer.append(numbered("before", 0..3))).await, [0, 1, 2]);
    let mut reader = log.reader(0, 0).await.unwrap();
    assert_eq!(read(&mut *reader, 1).await.len(), 1);
    assert_eq!(log.fetch(0, 2).await.unwrap().unwrap().offset, 2);

    cluster.stop();
    let acknowledgement = producer.append(numbered("during", 0..3));
    timeout(DEADLINE, log.close()).await.expect("closing ends");
    let deliveries = timeout(DEADLINE, acknowledgement).await.unwrap().unwrap();
    assert!(deliveries.iter().all(|delivery| matches!(delivery, Delivery::Unknown(_))), "{deliveries:?}");
    drop((log, producer, reader));
    // Every client has a share of it, until its thread has ended.
    let ended = async {
        let mut look_again = interval(LOOK_AGAIN);
        while Arc::strong_count(&moderator) > 1 {
            look_again.tick().await;
        }
    };
    timeout(DEADLINE, ended).await.expect("all clients end");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partition_without_a_leader_keeps_nobody_else_waiting_and_is_there_once_it_has_one() {
    let cluster = Cluster::start();
    let log = Arc::new(cluster.log());
    assert_eq!(log.bounds(1).await.unwrap(), Bounds { begin: 0, end: 0 });
    cluster.mock.partition_leader(TOPIC, 0, None).unwrap();
    let mut waiting: JoinSet<_> = (0..16)
        .map(|_| {
            let log = Arc::clone(&log);
            async move { log.bounds(0).await }
        })
        .collect();
    let others = async {
        for _ in 0..50 {
            assert_eq!(log.bounds(1).await.unwrap(), Bounds { begin: 0, end: 0 });
        }
    };
    timeout(Duration::from_secs(2), others).await.expect("the healthy partition answers");
    assert!(waiting.try_join_next().is_none(), "without a leader nobody knows the end");
    cluster.mock.partition_leader(TOPIC, 0, Some(1)).unwrap();
    let answered = timeout(Duration::from_secs(2), waiting.join_all()).await.expect("the new leader answers");
    for bounds in answered {
        assert_eq!(bounds.unwrap(), Bounds { begin: 0, end: 0 });
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_a_broker_does_not_know_yet_is_asked_for_again() {
    let cluster = Cluster::start();
    let log = cluster.log();
    cluster.mock.topic_error(TOPIC, Answer::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART).unwrap();
    let mut bounds = log.bounds(0);
    let early = timeout(Duration::from_millis(500), &mut bounds).await;
    assert!(early.is_err(), "it was not asked again: {early:?}");
    cluster.mock.topic_error(TOPIC, Answer::RD_KAFKA_RESP_ERR_NO_ERROR).unwrap();
    let bounds = timeout(Duration::from_secs(4), bounds).await.expect("the broker knows it");
    assert_eq!(bounds.unwrap(), Bounds { begin: 0, end: 0 });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_the_broker_finds_too_large_says_what_to_do() {
    let cluster = Cluster::start();
    let log = cluster.log();
    cluster.answers(Request::Produce, &[Answer::RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE]);
    let delivery = log.producer(0).unwrap().append(numbered("large", 0..1)).await.unwrap().remove(0);
    let Delivery::Unknown(error) = delivery else { panic!("{delivery:?}") };
    let text = text(&error);
    assert!(text.contains("was not appended; ") && text.contains("set max.message.bytes"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn opening_ends_soon_where_no_broker_is() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let address: Address = format!("kafka://{free}/ledger").parse().unwrap();
    let opened = timeout(DEADLINE, async {
        tokio::join!(
            KafkaLog::open(&address, Profile::Dev),
            KafkaLog::open_read_only(&address),
            KafkaLog::create(&address, 1, Profile::Dev),
        )
    });
    let (opened, opened_read_only, created) = opened.await.expect("opening ends");
    for opened in [opened, opened_read_only, created] {
        let Err(error) = opened else { panic!("a log was opened where there is none") };
        assert!(matches!(error, Error::Unavailable { .. }), "{}", text(&error));
        assert!(text(&error).contains(&free.to_string()), "{}", text(&error));
    }
}
