//! Topics on which no ledger may rest are refused, with everything that is wrong about them.

use stockledger_log::kafka::{KafkaLog, Profile};
use stockledger_log::{Causes, Error, Log};

use super::topic::Topic;

/// What a topic is set to that is safe on one broker.
const SAFE: [(&str, &str); 6] = [
    ("cleanup.policy", "delete"),
    ("retention.ms", "-1"),
    ("retention.bytes", "-1"),
    ("unclean.leader.election.enable", "false"),
    ("message.timestamp.type", "LogAppendTime"),
    ("max.message.bytes", "2000000"),
];

async fn refused(topic: &Topic, profile: Profile) -> Vec<String> {
    match KafkaLog::open(&topic.address, profile).await {
        Err(Error::Unsafe(findings)) => {
            let text = findings.to_string();
            assert!(findings.findings.iter().all(|finding| text.contains(&finding.to_string())), "{text}");
            assert!(text.contains("kafka-configs.sh"), "{text}");
            findings.findings.iter().map(ToString::to_string).collect()
        }
        other => panic!("the topic was not refused as unsafe: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_unsafe_setting_is_refused() {
    let topic = Topic::fresh();
    topic.make(&SAFE).await;
    KafkaLog::open(&topic.address, Profile::Dev).await.expect("a safe topic can be opened");
    for (name, unsafe_value) in [
        ("cleanup.policy", "compact"),
        ("retention.ms", "604800000"),
        ("retention.bytes", "1073741824"),
        ("unclean.leader.election.enable", "true"),
        ("message.timestamp.type", "CreateTime"),
        ("max.message.bytes", "1000012"),
    ] {
        let topic = Topic::fresh();
        topic.make(&SAFE.map(|(set, safe)| (set, if set == name { unsafe_value } else { safe }))).await;
        let findings = refused(&topic, Profile::Dev).await;
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert!(findings[0].starts_with(&format!("{name} is {unsafe_value} and has to be")), "{findings:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_as_kafka_makes_it_is_refused_with_everything_at_once() {
    let topic = Topic::fresh();
    topic.make(&[]).await;
    let findings = refused(&topic, Profile::Production).await;
    for part in ["retention.ms is 604800000", "message.timestamp.type is", "replication factor is 1"] {
        assert!(findings.iter().any(|finding| finding.starts_with(part)), "{part}: {findings:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_broker_is_enough_for_the_dev_profile_only() {
    let topic = Topic::fresh();
    topic.log(1).await.close().await;
    KafkaLog::open(&topic.address, Profile::Dev).await.expect("the dev profile is content with it");
    let findings = refused(&topic, Profile::Production).await;
    assert_eq!(
        findings,
        [
            "min.insync.replicas is 1 and has to be 2 or more",
            "replication factor is 1 and has to be 3 or more"
        ]
    );

    let new = Topic::fresh();
    let error = KafkaLog::create(&new.address, 1, Profile::Production).await.unwrap_err();
    assert!(error.to_string().contains("number of brokers is 1 and has to be 3 or more"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_is_not_there_is_told_from_one_that_is() {
    let topic = Topic::fresh();
    let opened =
        [KafkaLog::open(&topic.address, Profile::Dev).await, KafkaLog::open_read_only(&topic.address).await];
    for opened in opened {
        let Err(Error::NoSuchLog(named)) = opened else { panic!("not refused as missing: {opened:?}") };
        assert_eq!(named, topic.address.to_string());
    }
    // Nobody made it by asking for it.
    let log = topic.log(2).await;
    assert_eq!(log.partitions(), 2);
    let error = KafkaLog::create(&topic.address, 2, Profile::Dev).await.unwrap_err();
    assert!(matches!(&error, Error::Mismatch(text) if text.contains("exists already")), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_for_reading_only_takes_no_records_and_any_settings() {
    let topic = Topic::fresh();
    topic.make(&[("cleanup.policy", "compact")]).await;
    let log = KafkaLog::open_read_only(&topic.address).await.expect("any topic can be read");
    let error = log.producer(0).err().expect("no producer is given");
    assert!(matches!(error, Error::ReadOnly), "{}", Causes(&error));
    assert_eq!(log.fetch(0, 0).await.unwrap(), None);
    log.close().await;
}
