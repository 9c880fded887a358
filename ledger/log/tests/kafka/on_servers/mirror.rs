//! Offsets that are mirrored into a consumer group, as tools for Kafka read them.

use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::{Offset, TopicPartitionList};
use stockledger_log::kafka::{Address, Mirror, Offsets};
use tokio::time::Instant;

use super::DEADLINE;
use super::topic::Topic;

/// How long one question to the broker may take.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(5);

/// What a group has committed in two partitions; a broker that does not know the group yet has nothing.
fn committed(address: &Address, group: &str) -> [Offset; 2] {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", address.brokers())
        .set("group.id", group)
        .create()
        .expect("a client");
    let mut list = TopicPartitionList::new();
    list.add_partition_range(address.topic(), 0, 1);
    let found = consumer.committed_offsets(list, PATIENCE);
    let of = |partition| {
        let found = found.as_ref().ok()?.find_partition(address.topic(), partition)?;
        Some(found.offset())
    };
    [0, 1].map(|partition| of(partition).unwrap_or(Offset::Invalid))
}

#[tokio::test(flavor = "multi_thread")]
async fn offsets_stand_in_the_group_and_the_last_ones_win() {
    let topic = Topic::fresh();
    let _log = topic.log(2).await;
    let group = format!("{}-projector", topic.address.topic());
    let mirror = Mirror::start(&topic.address, &group).expect("it starts");
    let deadline = Instant::now() + DEADLINE;
    for [one, other] in [[1, 7], [4, 7], [9, 12]] {
        mirror.show(Offsets::from([(0, one - 1), (1, other)]));
        mirror.show(Offsets::from([(0, one), (1, other)]));
        let shown = [one, other].map(|offset| Offset::Offset(i64::try_from(offset).unwrap()));
        loop {
            let found = tokio::task::block_in_place(|| committed(&topic.address, &group));
            if found == shown {
                break;
            }
            assert!(Instant::now() < deadline, "{found:?} is not {shown:?}");
        }
    }
}
