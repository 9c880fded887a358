//! A topic of one test, which is removed at its end.

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::{Offset, TopicPartitionList};
use stockledger_log::conformance::server;
use stockledger_log::kafka::{Address, KafkaLog, Profile};
use uuid::Uuid;

/// The name of a topic that no other test uses, and what is done to it behind the log's back.
pub(super) struct Topic {
    pub(super) address: Address,
}

impl Topic {
    /// A name on the broker of the environment; the topic is not there yet.
    pub(super) fn fresh() -> Self {
        Self::fresh_on(&server("STOCKLEDGER_TEST_KAFKA"))
    }

    /// A name on these brokers; the topic is not there yet.
    pub(super) fn fresh_on(brokers: &str) -> Self {
        let text = format!("kafka://{brokers}/test_{}", Uuid::new_v4().simple());
        Self { address: text.parse().expect("the environment names a broker") }
    }

    /// A new log in the topic.
    pub(super) async fn log(&self, partitions: u16) -> KafkaLog {
        KafkaLog::create(&self.address, partitions, Profile::Dev).await.expect("the log can be made")
    }

    /// Makes the topic as somebody else might, with one partition.
    pub(super) async fn make(&self, settings: &[(&str, &str)]) {
        let mut topic = NewTopic::new(self.address.topic(), 1, TopicReplication::Fixed(1));
        for (name, value) in settings {
            topic = topic.set(name, value);
        }
        let made = self.admin().create_topics([&topic], &AdminOptions::new()).await;
        let made = made.expect("the broker answers");
        assert!(made.iter().all(Result::is_ok), "{made:?}");
    }

    pub(super) async fn delete_records_before(&self, partition: i32, offset: i64) {
        let mut offsets = TopicPartitionList::new();
        let offset = Offset::Offset(offset);
        offsets.add_partition_offset(self.address.topic(), partition, offset).expect("an offset");
        self.admin().delete_records(&offsets, &AdminOptions::new()).await.expect("records are deleted");
    }

    fn admin(&self) -> AdminClient<DefaultClientContext> {
        ClientConfig::new().set("bootstrap.servers", self.address.brokers()).create().expect("a client")
    }
}

impl Drop for Topic {
    fn drop(&mut self) {
        let admin = self.admin();
        let name = self.address.topic().to_owned();
        // What is left behind by a failure here fails no test.
        let remove = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().build();
            runtime.map(|runtime| runtime.block_on(admin.delete_topics(&[&name], &AdminOptions::new())))
        };
        drop(std::thread::spawn(remove).join());
    }
}
